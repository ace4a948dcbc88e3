"""Figures of a restored key frame: one function a figure, as in `figures`."""

from typing import TYPE_CHECKING

import numpy as np

from freqviz import look, spectra
from freqviz.offsets import signed
from freqviz.panel import Axis, Image, Line, Mark, Panel, Points, Rule, cut_plane, luma_difference

if TYPE_CHECKING:
    from freqviz.restoring import Restored  # which would load torch

PARTS = ("given", "restored", "true")
DECIBELS = (-10.0, 20.0)
SOURCE = "Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023 (reconstructed)"


def picture(found: "Restored", part: str = "restored") -> Panel:
    """The key frame as it was given, as it was restored, or as it truly is.

    Args:
        found: see `restoring.restored`.
        part: one of PARTS.
    Raises:
        LookupError: no such part, or no truth is known.
    """
    shown = {"given": found.before, "restored": found.after, "true": found.truth}
    if part not in shown:
        raise LookupError(f"no part {part!r}; known parts: {', '.join(PARTS)}")
    pixels = shown[part]
    if pixels is None:
        raise LookupError("the true key frame is known only where blur was added to it")
    sharp = spectra.luma(pixels)
    fine = 10 * np.log10(max(float(spectra.band_energies(sharp, [0.12, 0.35])[0]), 1e-12))
    note = f"Power from .12 to .35 cycles/pixel: {fine:.1f} dB".replace("-", "−")
    if part != "true" and found.truth is not None:
        place = PARTS.index(part)
        note += f"; against the truth PSNR {found.psnr[place]:.2f} dB, SSIM {found.ssim[place]:.3f}"
    titles = {"given": "Key frame as given", "restored": "Key frame restored", "true": "Key frame as it truly is"}
    return Panel(
        titles[part],
        *cut_plane(*pixels.shape[:2]),
        (Image(pixels),),
        note=f"{found.network if part == 'restored' else 'The cut of the person'}. {note}.",
        guide="Detail that the restored frame has and the given one has not is either found in the other frames of the "
        "window or guessed: look for it in them.",
        formula="restored = given + share · (weighted mean of the aligned frames − given) + residual",
        source=SOURCE,
        equal=True,
    )


def change(found: "Restored") -> Panel:
    """What restoration added to the key frame and took from it, in luma."""
    apart = spectra.luma(found.after) - spectra.luma(found.before)
    return Panel(
        "Restored less given",
        *cut_plane(*apart.shape),
        (luma_difference(apart),),
        note=f"{found.network}: mean |change| {np.abs(apart).mean():.4f}, most {np.abs(apart).max():.2f}.",
        guide="Red became brighter, blue darker. Pairs of red and blue lines are edges that became steeper; an even "
        "colour would be a change of brightness, which restoration should not make.",
        formula="luma of the restored frame − luma of the given one, means of blocks of pixels",
        source="luma: ITU-R BT.601",
        equal=True,
    )


def by_frequency(found: "Restored") -> Panel:
    """What restoration did to the power of each spatial frequency, and what it should have done where that is known."""
    marks: list[Mark] = [Rule(0, "y", role="reference")]
    role = look.network_roles([found.network])[found.network]
    curves = {f"{found.network}": (found.gain(found.after), role)}
    if found.truth is not None:
        curves["needed for the true frame"] = (found.gain(found.truth), "truth")
    for name, (gain, of) in curves.items():
        marks.append(Line(found.rings, gain, name=name, role=of))
    fine = (found.rings > 0.12) & (found.rings < 0.35)
    told = "; ".join(
        f"{name} " + f"{gain[fine].mean():+.1f} dB".replace("-", "−") for name, (gain, _) in curves.items()
    )
    return Panel(
        "Power given back",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5)),
        Axis("Power over that of the given frame", "dB", DECIBELS),
        tuple(marks),
        note=f"Mean from .12 to .35 cycles/pixel: {told}.",
        guide="Blur takes power from the high frequencies; a network that restores gives some of it back. Above 0.4 "
        "there is mostly noise, and less of it is better.",
        formula="10 log10 of the ratio of radial power spectra (Hann window, mean removed)",
        source=SOURCE,
    )


def shares(found: "Restored") -> Panel:
    """From which frame of the window each spatial frequency of the mean comes."""
    marks: list[Mark] = []
    roles = iter(("extra-1", "extra-2", "extra-3", "blur"))  # lines of frames as far off often coincide
    for slot, share in zip(found.slots, found.shares, strict=True):
        of = "data" if slot == 0 else next(roles)
        marks += [
            Line(found.rings, share, name="key frame" if slot == 0 else f"frame {signed([int(slot)])}", role=of),
            Points(found.rings, share, size=0.5, role=of),
        ]
    marks.append(Rule(1 / len(found.slots), "y", name="equal shares", role="reference"))
    key = list(found.slots).index(0)
    most = int(found.shares.mean(1).argmax())
    return Panel(
        "Shares of the frames, by frequency",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5)),
        Axis("Share in the mean", "", (0, 1)),
        tuple(marks),
        note=f"{found.network}: the key frame has {100 * found.shares[key].mean():.0f} % on average; most has "
        f"{_frame(int(found.slots[most]))}, {100 * found.shares[most].mean():.0f} %.",
        guide="A frame that kept more energy at a frequency gets the larger share of it. All alike means that no "
        "frame of the window is sharper than the others, or that the difference drowns in noise.",
        formula="softmax over the frames of p(|f|)/2 · log energy(f) + slot(|f|) + logit; means over windows and rings",
        source="Delbracio and Sapiro, Fourier Burst Accumulation, CVPR 2015, eq. 6; exponents learned",
    )


def _frame(slot: int) -> str:
    return f"frame {signed([slot])}" if slot else "the key frame"
