"""Three claims about blur and spectra, tested on one clip.

1. Blur is easier to model in frequency.
2. The spectrum enlarges the change of blur over time.
3. Blur decays energy.

Each is true of one quantity and false of another, so each is asked of both. What is *added* is motion blur of known
length, from left to right, put on the clip's sharpest frames: there the truth is known. What is *natural* are the
clip's own frames, where blur is only measured.

Convention: as in `spectra`. Pictures are luma of the person's region of the frame (its box, grown by 1.25) at native
resolution, so that lengths are frame pixels and frequencies cycles per frame pixel. Spectra have a Hann window and no
mean; energies have no window. A length of blur is compared with 0, the frame as it was filmed.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from freqviz import blur, compare, sharpness, spectra
from freqviz.analysis import Analysis
from freqviz.clip import Clip
from freqviz.jobs import Cancelled, Progress, never, silent

SHARPEST = 3  # frames that blur is added to
LENGTHS = (3, 5, 9, 15, 21, 31)  # px of added motion blur; at most a third of the region's shorter side
SHIFT, BLURRED = 4, 9  # px: a motion and a blur whose changes are compared
NOISE = 0.02  # of the grey range: what a camera adds after the blur
LIMB = 0.12  # radius of a limb by the longer side of the box
REACH = 0.25  # cycles/pixel up to which a logarithm of the amplitude is more than noise
BANDS = spectra.BAND_EDGES
FLAT = 0.02  # of the grey range: a region with less has nothing to blur
MOST = 240  # natural frames looked at, spread evenly over the clip
FEWEST, RANKED = 24, 8  # natural frames that thirds and correlations need
CONTRAST = 3.0  # thirds by blur differ by 2.2 times the noise from frame to frame where blur is nothing but noise
HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
CASES = ("whole picture", "with noise", "one limb", "each pixel by itself")
CHANGES = ("change of pixels", "change of the complex spectrum", "change of the amplitude", "change of log amplitude")
FINE, PIXELWISE, DECAYING = "sharpness index", "gradient energy", 2  # which quantities stand for claims 2 and 3
SPECTRAL = ("sharpness index", "spectral centroid", "log energy .08–.25", "change of log amplitude")
SPATIAL = ("gradient energy", "Laplacian variance", "contrast", "brightness", "change of pixels")
BAND_NAMES = tuple(f"{low:g}–{high:g}".replace("0.", ".") for low, high in zip(BANDS, BANDS[1:], strict=False))
TOTAL, LIGHT, FLOOR = "total energy", "brightness", "finest band, noise added"


@dataclass(frozen=True)
class Verdict:
    """What a clip says about one claim."""

    claim: str
    outcome: str  # HOLDS, FAILS or OPEN
    reason: str  # the numbers, in sentences


@dataclass(frozen=True, eq=False)
class Claims:
    """What was measured; tables are tidy, frames are numbers in the whole clip."""

    measure: str  # of blur, by name and unit, e.g. "Edge width (pixels)"
    sharpest: list[int]  # frames that blur was added to
    transfer: pd.DataFrame  # length, frequency (cycles/px along the motion), measured, expected (dB)
    explained: pd.DataFrame  # case, length, band ("all" too), share of the change that is explained, at most 1
    responses: pd.DataFrame  # change (of `CHANGES`), shift, blur: relative, of the sharpest frames
    natural: pd.DataFrame  # frame, blur, SPECTRAL, SPATIAL, CHANGES, BAND_NAMES, TOTAL; a row a frame
    effects: pd.DataFrame  # quantity, effect, low, high, of SPECTRAL and SPATIAL and "blur" and "difference"
    correlations: pd.DataFrame  # quantity, rho, low, high, n, block: with the blur
    added: pd.DataFrame  # length, quantity, decibels against no added blur

    @property
    def lengths(self) -> list[int]:
        """Lengths of the added blur, px."""
        return sorted({int(length) for length in self.explained["length"]})

    def share(self, case: str, length: int | None = None, band: str = "all") -> float:
        """Mean share of the change that is explained; None: over all lengths."""
        table = self.explained[(self.explained["case"] == case) & (self.explained["band"] == band)]
        return float((table if length is None else table[table["length"] == length])["share"].mean())

    @cached_property
    def verdicts(self) -> tuple[Verdict, Verdict, Verdict]:
        """What this clip says about the three claims."""
        return _modelled(self), _enlarged(self), _decayed(self)

    def save(self, path: Path) -> None:
        """Write one JSON file."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: v.to_dict("list") if isinstance(v, pd.DataFrame) else v for name, v in held.items()}
        path.write_text(json.dumps(plain), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Claims":
        """Read what `save` wrote."""
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        tables: dict[str, Any] = {name: pd.DataFrame(v) if isinstance(v, dict) else v for name, v in held.items()}
        return cls(**tables)


def measure(
    clip: Clip,
    analysis: Analysis,
    blurs: ArrayLike | None = None,
    name: str = "Edge width (pixels)",
    progress: Progress = silent,
    cancelled: Callable[[], bool] = never,
) -> Claims:
    """Test the three claims on a clip.

    Args:
        clip: what was analysed.
        analysis: of it; boxes and the fastest joints come from its first network.
        blurs: (N,) how blurred each frame is, larger is more, NaN unknown; None: its edge width, which shares no
            formula with spectra.
        name: of that measure, with its unit.
        progress, cancelled: of a job.
    Returns:
        Claims. Frames in which the person is lost are left out. `effects` is empty where fewer than 24 natural frames
        have a known blur and a successor, `correlations` where fewer than 8 do.
    Raises:
        ValueError: no frame has a person and a known blur, or the person's region is too small or flat to be blurred.
    """
    trace = next(iter(analysis.traces.values()))
    amounts = np.asarray(analysis.frames["edge_width"] if blurs is None else blurs, np.float64)
    if amounts.shape != (len(clip),):
        raise ValueError(f"blurs must be ({len(clip)},), one a frame, got {amounts.shape}")
    known = np.flatnonzero(np.isfinite(amounts) & (analysis.frames["lost"] == "").to_numpy())
    if not len(known):
        raise ValueError("the claims need frames with a person whose blur can be measured, got none")
    sharpest = _apart(known[np.argsort(amounts[known], kind="stable")].tolist(), len(clip) // 10)
    pairs = known[known < len(clip) - 1]
    pairs = pairs[np.unique(np.linspace(0, len(pairs) - 1, min(MOST, len(pairs))).round().astype(int))]
    total, done = len(sharpest) + len(pairs), 0
    tried: list[dict[str, list[dict[str, object]]]] = []
    for frame in sharpest:
        tried.append(blurred(clip[frame], trace.boxes[frame], _fastest(trace.keypoints, frame)))
        done = _step(done, total, progress, cancelled)
    rows = []
    for frame in pairs.tolist():
        if row := _pair(clip[frame], clip[frame + 1], trace.boxes[frame]):
            rows.append({"frame": clip.first + frame, "blur": float(amounts[frame])} | row)
        done = _step(done, total, progress, cancelled)
    natural = pd.DataFrame(rows).dropna()
    several = {key: pd.concat([pd.DataFrame(one[key]) for one in tried], ignore_index=True) for key in tried[0]}
    return Claims(
        name,
        [clip.first + frame for frame in sharpest],
        _mean(several["transfer"], ["length", "frequency"]),
        _mean(several["explained"], ["case", "length", "band"]),
        _mean(several["responses"], ["change"]),
        natural,
        _effects(natural),
        _correlations(natural),
        _mean(several["added"], ["length", "quantity"]),
    )


def _step(done: int, total: int, progress: Progress, cancelled: Callable[[], bool]) -> int:
    if cancelled():
        raise Cancelled
    progress(done + 1, total)
    return done + 1


def _mean(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means over the sharpest frames, in the order of the rows."""
    return table.groupby(by, sort=False, as_index=False).mean()


def _apart(frames: list[int], least: int) -> list[int]:
    """The first SHARPEST of the frames that lie more than `least` apart; neighbours show nearly the same."""
    chosen = list[int]()
    for frame in frames:
        if len(chosen) < SHARPEST and all(abs(frame - other) > least for other in chosen):
            chosen.append(frame)
    return sorted(chosen)


def _fastest(keypoints: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
    """(2,) the joint that moves most between the frames beside this one; frame pixels."""
    before, after = keypoints[max(frame - 1, 0)], keypoints[min(frame + 1, len(keypoints) - 1)]
    return keypoints[frame, int(np.linalg.norm(after - before, axis=1).argmax())]


# ---- blur that is added


def blurred(frame: blur.Frame, box: ArrayLike, limb: ArrayLike) -> dict[str, list[dict[str, object]]]:
    """What added motion blur does to one frame.

    Args:
        frame: (H, W, 3) uint8.
        box: (4,) x, y, w, h of the person; frame pixels.
        limb: (2,) x, y of the joint that alone is blurred in the case "one limb"; frame pixels.
    Returns:
        Rows of the tables transfer, explained, responses and added of `Claims`.
    Raises:
        ValueError: the region is too small or too flat to be blurred.
    """
    rows, columns = sharpness.region(frame.shape[:2], np.asarray(box))
    height, width = rows.stop - rows.start, columns.stop - columns.start
    lengths = [length for length in LENGTHS if 3 * length <= min(height, width)]
    if len(lengths) < 3:
        raise ValueError(f"blur needs a person's region with sides of {3 * LENGTHS[2]} px, got {width} x {height}")
    pad = LENGTHS[-1]
    wide = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    wide = wide[rows.start : rows.stop + 2 * pad, columns.start : columns.stop + 2 * pad]
    inner = slice(pad, pad + height), slice(pad, pad + width)
    sharp = spectra.luma(wide).astype(np.float64)
    if np.ptp(sharp[inner]) < FLAT:
        raise ValueError("blur needs a person's region with structure, got a flat one")
    y, x = np.mgrid[: wide.shape[0], : wide.shape[1]]
    centre = np.asarray(limb, float) - (columns.start, rows.start) + pad
    near = np.hypot(x - centre[0], y - centre[1]) < LIMB * float(np.max(np.asarray(box, float)[2:]))
    mask = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 2.0)[..., None]
    tables: dict[str, list[dict[str, object]]] = {"transfer": [], "explained": [], "responses": [], "added": []}
    before = _energies(sharp[inner])
    noisy = _energies(_luma(blur.noise(wide, NOISE, np.random.default_rng(0)))[inner])
    u = np.linspace(0.01, REACH, 49)
    models = {length: _through(sharp, length)[inner] for length in (0, *lengths)}
    for length in lengths:
        picture = blur.motion_blur(wide, length)
        light = mask * blur.to_linear(picture) + (1 - mask) * blur.to_linear(wide)
        grainy = _luma(blur.noise(picture, NOISE, np.random.default_rng(length)))[inner]
        whole, local = _luma(picture)[inner], _luma(blur.from_linear(light))[inner]
        start = sharp[inner]
        found = {
            CASES[0]: _explained(start, whole, models[length]),
            CASES[1]: _explained(start, grainy, models[length]),
            CASES[2]: max((_explained(start, local, one) for one in models.values()), key=lambda bands: bands[-1]),
            CASES[3]: _explained(start, whole, _by_value(start, whole)),
        }
        for case, shares in found.items():
            for band, share in zip((*BAND_NAMES, "all"), shares, strict=True):
                tables["explained"].append({"case": case, "length": length, "band": band, "share": share})
        gain = _gain(start, whole)
        expected = 20 * np.log10(np.maximum(np.abs(np.sinc(length * u)), 0.01))
        for f, measured, should in zip(u, np.interp(u, *gain), expected, strict=True):
            tables["transfer"].append({"length": length, "frequency": f, "measured": measured, "expected": should})
        energies = _energies(whole)
        decibels = {name: 10 * np.log10(energies[name] / before[name]) for name in before}
        decibels[FLOOR] = 10 * np.log10(_energies(grainy)[BAND_NAMES[-1]] / noisy[BAND_NAMES[-1]])
        tables["added"] += [{"length": length, "quantity": name, "decibels": db} for name, db in decibels.items()]
    unchanged = [{"length": 0, "quantity": name, "decibels": 0.0} for name in (*before, FLOOR)]
    tables["added"] = unchanged + tables["added"]
    moved = sharp[inner[0], pad - SHIFT : pad - SHIFT + width]
    smeared = _luma(blur.motion_blur(wide, BLURRED))[inner]
    shifted, blurring = changes(sharp[inner], moved), changes(sharp[inner], smeared)
    for name, one, other in zip(CHANGES, shifted, blurring, strict=True):
        tables["responses"].append({"change": name, "shift": one, "blur": other})
    return tables


def changes(before: ArrayLike, after: ArrayLike) -> tuple[float, float, float, float]:
    """How much a picture changed, in four descriptions, each relative to how much that description varies.

    Args:
        before, after: (H, W) luma of one size.
    Returns:
        Of the pixels, of the complex spectrum (the same, by Parseval), of the amplitude, and of its logarithm up to
        .25 cycles/pixel; each root mean square of the change / root mean square of `before` (of the logarithm: of its
        difference from its mean). NaN for a flat picture.
    """
    a, b = (np.asarray(one, np.float64) for one in (before, after))
    first, second = spectra.transform(a), spectra.transform(b)
    # the inverse transform leaves the windowed pictures, less their means
    pixels = [fft.ifft2(fft.ifftshift(one), norm="ortho").real for one in (first, second)]
    inside = (spectra.radial_frequency(*a.shape) <= REACH) & (spectra.radial_frequency(*a.shape) > 0)
    tiny = 1e-6 * float(np.abs(first).max()) + 1e-12
    logs = [np.log(np.abs(one[inside]) + tiny) for one in (first, second)]
    logs = [one - logs[0].mean() for one in logs]
    described = [pixels, [first, second], [np.abs(first), np.abs(second)], logs]
    found = [float(np.linalg.norm(two - one) / max(float(np.linalg.norm(one)), 1e-12)) for one, two in described]
    pix, whole, amplitude, log = found if float(np.linalg.norm(pixels[0])) > 1e-9 else [float("nan")] * 4
    return pix, whole, amplitude, log


def _luma(frame: blur.Frame) -> NDArray[np.float64]:
    return spectra.luma(frame).astype(np.float64)


def _through(picture: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """The picture after one multiplication in frequency: by sinc(length · u)."""
    gain = np.sinc(length * fft.rfftfreq(picture.shape[1]))
    return np.asarray(fft.irfft2(fft.rfft2(picture) * gain, s=picture.shape))


def _by_value(before: NDArray[np.float64], after: NDArray[np.float64], levels: int = 32) -> NDArray[np.float64]:
    """The best that a curve of each pixel's own value can do: the mean of what pixels of like value became."""
    level = np.clip((before * levels).astype(int), 0, levels - 1)
    sums, counts = (np.bincount(level.ravel(), weights, levels) for weights in (after.ravel(), None))
    return np.asarray((sums / np.maximum(counts, 1))[level])


def _explained(
    before: NDArray[np.float64], after: NDArray[np.float64], model: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(bands + 1,) 1 − power of what the model leaves / power of the change, by band and last over all."""
    left, change = spectra.power_spectrum(after - model), spectra.power_spectrum(after - before)
    radius = spectra.radial_frequency(*before.shape)
    cells = [(radius > low) & (radius <= high) for low, high in zip(BANDS, BANDS[1:], strict=False)]
    cells.append(np.ones_like(radius, bool))
    sums = np.array([[power[inside].sum() for inside in cells] for power in (left, change)])
    return 1 - sums[0] / np.maximum(sums[1], 1e-30)


def _gain(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies along x, > 0, and by how many dB the power there changed; rows up to .1 cycles/pixel together."""
    rows = np.abs(spectra.frequencies(before.shape[0])) <= 0.1
    powers = [spectra.power_spectrum(one)[rows].sum(0) for one in (before, after)]
    u = spectra.frequencies(before.shape[1])
    gain = 10 * np.log10(np.maximum(powers[1], 1e-12) / np.maximum(powers[0], 1e-12))
    return u[u > 0], gain[u > 0]


def _energies(picture: NDArray[np.float64]) -> dict[str, float]:
    """Energy by band, all of it with the mean, and the light; each > 0."""
    bands = spectra.band_energies(picture)
    values = dict(zip(BAND_NAMES, bands.tolist(), strict=True))
    values |= {TOTAL: float((picture**2).mean()), LIGHT: float(picture.mean()) ** 2}
    return {name: max(value, 1e-12) for name, value in values.items()}


# ---- natural frames


def _pair(frame: blur.Frame, following: blur.Frame, box: NDArray[np.float64]) -> dict[str, float]:
    """Spectral and spatial quantities of a frame, and how much changes towards the next one."""
    place = sharpness.region(frame.shape[:2], box)
    here, there = (_luma(one[place]) for one in (frame, following))
    if min(here.shape) < sharpness.SMALLEST or np.ptp(here) < FLAT:
        return {}
    energies, power = _energies(here), spectra.power_spectrum(here)
    radius = spectra.radial_frequency(*here.shape)
    high = float(power[(radius > 0.08) & (radius <= REACH)].mean())
    return {
        "sharpness index": sharpness.spectral_index(here),
        "spectral centroid": sharpness.spectral_centroid(here),
        "log energy .08–.25": float(np.log(max(high, 1e-12))),
        "gradient energy": float(np.log(max(sharpness.tenengrad(here), 1e-12))),
        "Laplacian variance": float(np.log(max(sharpness.laplacian_variance(here), 1e-12))),
        "contrast": float(np.log(here.std())),
        "brightness": float(here.mean()),
        **dict(zip(CHANGES, changes(here, there), strict=True)),
        **{name: float(np.log(energies[name])) for name in (*BAND_NAMES, TOTAL)},
    }


def _effects(natural: pd.DataFrame, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """How far the sharpest third of the frames lies from the blurriest, in units of the noise from frame to frame.

    Noise: median |difference of neighbours| · 1.4826 / √2. Intervals: runs of neighbouring frames resampled, as in
    `compare.spearman`. "difference" is how much larger the effect on FINE is than that on PIXELWISE, signs left out.
    """
    columns = ["quantity", "effect", "low", "high"]
    names = ["blur", *SPECTRAL, *SPATIAL]
    if len(natural) < FEWEST or np.ptp(natural["blur"]) == 0:
        return pd.DataFrame(columns=columns)
    values = natural[names].to_numpy(np.float64).T
    noise = np.median(np.abs(np.diff(values)), axis=1) * 1.4826 / np.sqrt(2)
    scaled = values / np.where(noise > 0, noise, np.nan)[:, None]
    n, amount = len(natural), values[0]
    varies = values[names.index(FINE)]
    block = compare.block_length(amount, varies) if np.ptp(varies) else max(1, n // 4)
    # the first row are the frames as they are
    drawn = np.vstack([np.arange(n), compare.resampled(n, block, resamples, 0)])
    ordered = np.take_along_axis(drawn, np.argsort(amount[drawn], axis=1, kind="stable"), 1)
    third = n // 3
    effect = scaled[:, ordered[:, :third]].mean(-1) - scaled[:, ordered[:, -third:]].mean(-1)  # (quantities, R + 1)
    larger = np.abs(effect[names.index(FINE)]) - np.abs(effect[names.index(PIXELWISE)])
    every = np.vstack([effect, larger])
    low, high = np.quantile(every[:, 1:], [(1 - level) / 2, (1 + level) / 2], axis=1)
    return pd.DataFrame(dict(zip(columns, ([*names, "difference"], every[:, 0], low, high), strict=True)))


def _correlations(natural: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of the blur with energies and light, as `compare.spearman`, where there is one."""
    rows = []
    for name in (*BAND_NAMES, TOTAL, LIGHT):
        try:
            found = compare.spearman(natural["blur"], natural[name])
        except (ValueError, KeyError):
            continue
        rows.append({"quantity": name, **asdict(found)})
    return pd.DataFrame(rows, columns=["quantity", "rho", "low", "high", "n", "block"])


# ---- in words


def _modelled(found: Claims) -> Verdict:
    whole, noisy, limb, pixel = (found.share(case) for case in CASES)
    outcome = HOLDS if whole >= 0.8 and whole - max(pixel, 0) >= 0.2 else FAILS if whole < max(0.5, pixel) else OPEN
    worst = min(found.share(CASES[0], length) for length in found.lengths)
    finest = found.share(CASES[1], band=BAND_NAMES[-1])
    return Verdict(
        "Blur is easier to model in frequency",
        outcome,
        f"Where {found.lengths[0]} to {found.lengths[-1]} px of motion blur lie on the whole picture, one factor for "
        f"each frequency, sinc(Lu), explains {percent(whole)} of what changed (at worst {percent(worst)}), a curve "
        f"of each pixel's own value {percent(pixel)}. Where only one limb is blurred the best single length explains "
        f"{percent(limb)}; under noise it is {percent(noisy)} in all and {percent(finest)} beyond {BANDS[-2]:g} "
        "cycles/px.",
    )


def _enlarged(found: Claims) -> Verdict:
    claim = "The spectrum enlarges the change of blur over time"
    table = found.responses.set_index("change")
    ratio = (table["blur"] / table["shift"]).to_dict()
    added = (
        f"Added to the sharpest frames, {BLURRED} px of blur change the log amplitude {ratio[CHANGES[3]]:.1f} times as "
        f"much as a shift by {SHIFT} px does, the pixels {ratio[CHANGES[0]]:.1f} times, and the complex spectrum as "
        "much as the pixels (Parseval): it enlarges nothing."
    )
    effects = by_quantity(found.effects)
    if not effects:
        return Verdict(claim, OPEN, f"{_few(found, FEWEST)} {added}")
    contrast = abs(effects["blur"]["effect"])
    if not contrast >= CONTRAST:
        words = (
            f"Blur hardly changes in this clip: the sharpest and the blurriest third of its frames lie {contrast:.1f} "
            f"times the noise from frame to frame apart, and {CONTRAST:g} are needed."
        )
        return Verdict(claim, OPEN, f"{words} {added}")
    difference = effects["difference"]
    outcome = HOLDS if difference["low"] > 0 else FAILS if difference["high"] < 0 else OPEN
    spectral, spatial = (abs(effects[name]["effect"]) for name in (FINE, PIXELWISE))
    words = (
        f"Between the sharpest and the blurriest third of {len(found.natural)} frames the {FINE} moves by "
        f"{spectral:.1f} times its noise from frame to frame, the {PIXELWISE} of the pixels by {spatial:.1f} times "
        f"(difference {_interval(difference, 'effect', '.1f')})."
    )
    return Verdict(claim, outcome, f"{words} {added}")


def _decayed(found: Claims) -> Verdict:
    claim, band = "Blur decays energy", BAND_NAMES[DECAYING]
    longest = found.lengths[-1]
    table = found.added[found.added["length"] == longest].set_index("quantity")["decibels"].to_dict()
    added = (
        f"{longest} px of added blur take {-table[band]:.1f} dB from the band {band} cycles/px, but only "
        f"{abs(table[TOTAL]):.1f} dB from all of the picture's energy, which is mostly its light; and "
        f"{-table[FLOOR]:.1f} dB from the finest band where noise comes after the blur."
    ).replace("-", "−")
    known = by_quantity(found.correlations)
    if band not in known:
        return Verdict(claim, OPEN, f"{_few(found, RANKED)} {added}")
    outcome = HOLDS if known[band]["high"] < 0 else FAILS if known[band]["low"] > 0 else OPEN
    count, rho = int(known[band]["n"]), _interval(known[band], "rho")
    words = f"Over {count} frames the energy of the band {band} goes with the blur by ρ = {rho}"
    if LIGHT in known:
        words += f", the brightness, which blur does not change, by {_interval(known[LIGHT], 'rho')}"
    return Verdict(claim, outcome, f"{words}. {added}")


def by_quantity(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The rows of a table of quantities, by name."""
    rows: list[Any] = table.to_dict("records")
    return {row.pop("quantity"): row for row in rows}


def _few(found: Claims, needed: int) -> str:
    if len(found.natural) < needed:
        return f"{len(found.natural)} frames with a known blur and a next frame are too few, {needed} are needed."
    return "Every frame of this clip is as blurred as every other."


def percent(share: float) -> str:
    """A share for people, with a sign that is a minus."""
    return f"{100 * share:.0f} %".replace("-", "−")


def _interval(row: dict[str, float], name: str, form: str = ".2f") -> str:
    return f"{row[name]:{form}} [{row['low']:{form}}, {row['high']:{form}}]".replace("-", "−")
