"""Three claims about blur and spectra, two figures each: one for which a claim should hold beside one for which not.

Convention: as in `claims`; lengths are frame pixels, frequencies cycles per frame pixel.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from freqviz import claims, look
from freqviz.claims import BAND_NAMES, CASES, CHANGES, FLOOR, LIGHT, PIXELWISE, SPATIAL, SPECTRAL, TOTAL, Claims
from freqviz.panel import Axis, Bars, Line, Mark, Panel, Points, Rule

ZHU = "claim: Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023"
CASE_ROLES = ("frequency", "blur", "extra-2", "spatial")
KINDS = {"spectral": (SPECTRAL, "frequency"), "spatial": (SPATIAL, "spatial")}


def transfer(found: Claims, length: int) -> Panel:
    """What added blur did to each frequency along the motion, beside the transfer function of uniform motion.

    Args:
        found: what was measured.
        length: of the added blur, px.
    Raises:
        LookupError: no such length was added.
    """
    table = _of_length(found.transfer, length)
    measured, expected = (table[name].to_numpy(np.float64) for name in ("measured", "expected"))
    error = float(np.median(np.abs(measured - expected)[expected > -20]))
    zeros = [k / length for k in range(1, int(claims.REACH * length) + 1)]
    told = ", ".join(f"{zero:.3f}" for zero in zeros[:3]) + (" …" if len(zeros) > 3 else "")
    return Panel(
        "What blur does to each frequency",
        Axis("Frequency along the motion", "cycles/px", (0, claims.REACH)),
        Axis("Change of power", "dB", (-42, 3)),
        (
            Line(table["frequency"], expected, name="sinc(Lu)", role="reference"),
            Line(table["frequency"], measured, name=f"{length} px added", role="blur"),
        ),
        note=f"{length} px on {_frames(found.sharpest)}: {error:.1f} dB off the formula in the median; its zeros lie "
        f"at {told or 'no frequency shown'}.",
        guide="Where the curves coincide, blur is one factor for each frequency, whatever the picture shows. Zeros are "
        "filled by what the Hann window leaks from beside them.",
        formula="10 log10(Σ P(blurred) / Σ P(sharp)) over |v| ≤ .1 cycles/px; expected 20 log10 |sin(πLu) / (πLu)|",
        source=ZHU,
    )


def explained(found: Claims, length: int) -> Panel:
    """How much of what blur changed one transfer function explains: of the whole picture, under noise, of one limb.

    Args:
        found, length: as in `transfer`.
    Raises:
        LookupError: no such length was added.
    """
    table, bands = _of_length(found.explained, length), (*BAND_NAMES, "all")
    places, marks, width = np.arange(len(bands)), list[Mark](), 0.8 / len(CASES)
    for n, (case, role) in enumerate(zip(CASES, CASE_ROLES, strict=True)):
        shares = table[table["case"] == case].set_index("band")["share"].reindex(list(bands)).to_numpy(np.float64)
        place = places + (n - (len(CASES) - 1) / 2) * width
        marks.append(Bars(place, np.maximum(shares, -0.5), width * 0.9, name=case, role=role))
    told = ", ".join(f"{case} {claims.percent(found.share(case, length))}" for case in CASES)
    return Panel(
        "Share of the change that is explained",
        Axis("Band", "cycles/px", (-0.5, len(bands) - 0.5), ticks=tuple(zip(places.astype(float), bands, strict=True))),
        Axis("Share explained", "", (-0.5, 1)),
        tuple(marks),
        note=f"{length} px, all bands: {told}.",
        guide="At 1 the model says all that blur changed, at 0 it is no better than the sharp picture, below it is "
        "worse; bars end at −0.5. In space a convolution would do as well: it is the same model, with more numbers.",
        formula="1 − Σ|Y − model|² / Σ|Y − X|². Whole, noise: model = sinc(Lu) X; one limb: the best length of all; "
        "each pixel by itself: mean of what pixels of its value became",
        source=ZHU,
    )


def responses(found: Claims, frame: int) -> Panel:
    """How much a shift, a blur, and the step to the next frame change four descriptions of a picture.

    Args:
        found: what was measured.
        frame: number of the frame under the cursor; the nearest one that was measured is shown.
    """
    changes, names = list(CHANGES), ("pixels", "complex", "amplitude", "log")  # short ones, to stand below bars
    table = found.responses.set_index("change").loc[changes]
    groups = [
        (f"shift by {claims.SHIFT} px", table["shift"], "extra-1"),
        (f"blur of {claims.BLURRED} px", table["blur"], "blur"),
    ]
    if len(found.natural):
        numbers = found.natural["frame"].to_numpy()
        row = int(np.abs(numbers - frame).argmin())
        groups.append((f"frame {numbers[row]} to the next", found.natural[changes].iloc[row], "data"))
    places, width, marks = np.arange(len(names)), 0.8 / len(groups), list[Mark]()
    for n, (name, values, role) in enumerate(groups):
        place = places + (n - (len(groups) - 1) / 2) * width
        marks.append(Bars(place, values.to_numpy(np.float64), width * 0.9, name=name, role=role))
    ratio = table["blur"] / table["shift"]
    told = ", ".join(f"{name} {value:.1f}" for name, value in zip(names, ratio, strict=True))
    return Panel(
        "What a motion and a blur change",
        Axis(
            "Pixels, complex spectrum, its amplitude, and log",
            "",
            (-0.5, len(names) - 0.5),
            ticks=tuple(zip(places.astype(float), names, strict=True)),
        ),
        Axis("Relative change", ""),
        tuple(marks),
        note=f"Blur against shift: {told}. Added to {_frames(found.sharpest)}.",
        guide="Amplitude hardly sees a motion and sees blur; the logarithm enlarges that. The complex spectrum always "
        "changes as the pixels do: what enlarges is to leave out the phase.",
        formula="|after − before| / |before|, root mean squares under a Hann window; log amplitude: up to "
        f"{claims.REACH:g} cycles/px, against its deviation from its mean",
        source=f"Parseval; {ZHU}",
    )


def effects(found: Claims) -> Panel:
    """How far blur moves spectral and spatial quantities on the clip's own frames, against their noise.

    Raises:
        LookupError: too few frames, or all are equally blurred.
    """
    rows = claims.by_quantity(found.effects)
    if not rows:
        raise LookupError(f"Effects need {claims.FEWEST} frames that differ in blur, got {_natural(found)}")
    order = [name for names, _ in KINDS.values() for name in names]
    marks = list[Mark]()
    for kind, (names, role) in KINDS.items():
        marks += _intervals(rows, "effect", order, names, kind, role)
    count = len(found.natural)
    return Panel(
        "Sharpest against blurriest frames",
        Axis("Difference", "× noise"),
        Axis("Quantity", "", (len(order) - 0.5, -0.5), ticks=_rows(order)),
        (Rule(0.0, "x", role="reference"), *marks),
        note=f"Thirds of {count} frames by {_measure(found).lower()}; lines: 95 % intervals.",
        guide="The farther from zero, the clearer blur shows against what else changes from frame to frame. A quantity "
        f"on zero does not see it. The {PIXELWISE} is spatial in name only: by Parseval it is Σ (2πf)² P.",
        formula="(mean of the sharpest third − mean of the blurriest) / noise, logarithms of energies; noise: median "
        "|difference of neighbours| · 1.4826 / √2; interval: blocks of neighbouring frames resampled",
        source="Künsch, Annals of Statistics 1989",
    )


def correlations(found: Claims) -> Panel:
    """Rank correlation of the clip's own blur with the energy of each band, all energy, and the light.

    Raises:
        LookupError: too few frames, or all are equally blurred.
    """
    rows = claims.by_quantity(found.correlations)
    if not rows:
        raise LookupError(f"Correlations need {claims.RANKED} frames that differ in blur, got {_natural(found)}")
    order = list(rows)
    bands = [name for name in order if name in BAND_NAMES]
    others = [name for name in order if name in (TOTAL, LIGHT)]
    labels = {name: f"energy {name}" for name in bands}
    return Panel(
        "Natural blur and energy",
        Axis("Spearman's ρ with the blur", "", (-1, 1)),
        Axis("Quantity", "", (len(order) - 0.5, -0.5), ticks=_rows([labels.get(name, name) for name in order])),
        (
            Rule(0.0, "x", role="reference"),
            *_intervals(rows, "rho", order, bands, "bands (cycles/px)", "energy"),
            *_intervals(rows, "rho", order, others, "all of the picture", "reference"),
        ),
        note=f"{_measure(found)}, n = {int(rows[order[0]]['n'])} frames; lines: 95 % moving-block bootstrap.",
        guide="Left of zero, blurred frames have less of it. A line across zero cannot be told from nothing. Blur does "
        "not change the brightness: what that shows is how much the scene alone can do.",
        formula="correlation of the ranks; energy: Σ|FFT(I − mean)|² of a band, no window",
        source="Künsch, Annals of Statistics 1989",
    )


def added(found: Claims) -> Panel:
    """What blur of known length takes from the energy of each band, of the whole picture, and under noise."""
    marks = list[Mark]()
    roles = [*look.SERIES, "data", "reference"]
    names = [*BAND_NAMES, TOTAL, FLOOR]
    table = found.added.pivot(index="length", columns="quantity", values="decibels")
    for name, role in zip(names, roles, strict=True):
        marks.append(Line(table.index.to_numpy(np.float64), table[name].to_numpy(np.float64), name=name, role=role))
    last = table.iloc[-1]
    band = BAND_NAMES[claims.DECAYING]
    return Panel(
        "Energy under added blur",
        Axis("Length of the added blur", "px", (0, float(table.index.max()))),
        Axis("Change of energy", "dB"),
        tuple(marks),
        note=f"{found.lengths[-1]} px change {band} by {last[band]:.1f} dB, {TOTAL} by {last[TOTAL]:.1f} dB. Added "
        f"to {_frames(found.sharpest)}.".replace("-", "−"),
        guide="Curves that fall lose energy to blur: the finer the band (cycles/px), the sooner. What runs along the "
        f"motion stays, so none falls to nothing; noise of {claims.NOISE:g} that comes after the blur does not decay.",
        formula="10 log10(energy / energy without added blur); total energy: mean of I², light included",
        source=ZHU,
    )


def _of_length(table: pd.DataFrame, length: int) -> pd.DataFrame:
    rows = table[table["length"] == length]
    if not len(rows):
        known = ", ".join(str(int(one)) for one in sorted(set(table["length"])))
        raise LookupError(f"no blur of {length} px was added; lengths: {known}")
    return rows


def _intervals(
    rows: dict[str, dict[str, float]], value: str, order: Sequence[str], names: Sequence[str], title: str, role: str
) -> list[Mark]:
    """A point for each quantity, at its place in the order, and a line from low to high; unknown ones are left out."""
    known = [name for name in names if np.isfinite(rows[name][value])]
    places = np.array([order.index(name) for name in known], np.float64)
    ends = [end for name in known for end in (rows[name]["low"], rows[name]["high"], np.nan)]  # lines apart
    points = Points([rows[name][value] for name in known], places, texts=known, name=title, role=role)
    return [Line(ends, np.repeat(places, 3), role=role), points]


def _measure(found: Claims) -> str:
    return found.measure.partition(" (")[0]


def _natural(found: Claims) -> str:
    alike = len(found.natural) >= claims.FEWEST
    return f"{len(found.natural)}" + (", all alike" if alike else "")


def _rows(names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    return tuple((float(row), name) for row, name in enumerate(names))


def _frames(numbers: Sequence[int]) -> str:
    return ("frame " if len(numbers) == 1 else "frames ") + ", ".join(map(str, numbers))
