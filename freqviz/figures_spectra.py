"""Spectra of the window that the networks see: amplitude, phase, over time, by direction, around joints, by stage.

Convention: as in `spectra`. Pictures are cuts, 192 x 144 input pixels, so that frames and stages of a network share
one axis of cycles per input pixel. Decibels are relative to one reference for the whole clip.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import look, poses, spectra
from freqviz.figures import DB_RANGE
from freqviz.panel import Axis, Heatmap, Line, Panel, Rule

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

INNER = 0.25  # cycles/pixel shown of phases and of differences; beyond lies mostly noise
LOUD = -60.0  # dB below which a phase is not shown
CHANGE = (-20.0, 20.0)  # dB of a difference
SMOOTH = 5  # cells a side over which powers are averaged before they are compared
JOINT = 48  # input pixels: side of the Hann window around a joint
JOINT_RINGS = 12
DIRECTIONS = 36
DIRECTED = (0.03, 0.3)  # cycles/pixel that count for a direction
HANN = "w: Hann window"
MORE = Axis("More power", "dB", CHANGE, ticks=((-20, "−20"), (0, "0"), (20, "20")))
TURN = Axis("Phase", "rad", (-np.pi, np.pi), ticks=((-np.pi, "−π"), (0, "0"), (np.pi, "π")))


def amplitude(cut: ArrayLike, reference: float) -> Panel:
    """Power of the inner frequencies of one cut.

    Args:
        cut: (H, W, 3) uint8.
        reference: the power that reads 0 dB, see `figures.spectrum_reference`.
    """
    power = spectra.power_spectrum(spectra.luma(np.asarray(cut)))
    decibels, u, v = _inner(spectra.power_to_db(power, reference))
    share = float(_inner(power)[0].sum() / max(float(power.sum()), 1e-30))
    return Panel(
        "Amplitude",
        *_plane(INNER),
        (Heatmap(decibels, u, v, Axis("Power", "dB", DB_RANGE, ticks=((-80, "−80"), (-40, "−40"), (0, "0")))),),
        note=f"Up to {INNER:g} cycles/input px lie {100 * share:.1f} % of the power. 0 dB: one reference for the clip.",
        guide="Horizontal frequencies u, vertical ones v. The centre holds coarse structure, the rim fine detail; blur "
        "darkens the rim, and motion blur leaves dark stripes across the direction of the motion.",
        formula=f"10 log10(|FFT(w · (I − mean))|² / reference) = 20 log10 of the amplitude ratio; {HANN}",
        source="Harris, Proc. IEEE 1978",
        equal=True,
    )


def phase(cut: ArrayLike, reference: float) -> Panel:
    """Phase of the inner frequencies of one cut, where there is power enough to have one.

    Args:
        cut: (H, W, 3) uint8.
        reference: the power that reads 0 dB, see `figures.spectrum_reference`.
    """
    grey = spectra.luma(np.asarray(cut))
    angles = np.array(spectra.phase_spectrum(grey), float)
    angles[spectra.power_to_db(spectra.power_spectrum(grey), reference) < LOUD] = np.nan
    angles, u, v = _inner(angles)
    return Panel(
        "Phase",
        *_plane(INNER),
        (Heatmap(angles, u, v, TURN, "phase"),),
        note=f"{100 * np.isfinite(angles).mean():.0f} % of these frequencies lie above {LOUD:g} dB.".replace("-", "−"),
        guide="Phase says where structure is, amplitude how much: a shift adds an even ramp of colour, blur leaves "
        "phases as they are up to flips by half a turn. Grounds without colour are too weak to have a phase.",
        formula=f"arg FFT(w · (I − mean)), measured from the middle of the cut; {HANN}",
        source="Oppenheim and Lim, Proc. IEEE 1981",
        equal=True,
    )


def difference_to(cut: ArrayLike, other: ArrayLike, name: str) -> Panel:
    """How many decibels of power one cut has more than another, at each inner frequency.

    Args:
        cut, other: (H, W, 3) uint8 of one size.
        name: of the other one, e.g. "frame 12, the sharpest".
    """
    ours, theirs = (_smooth(spectra.power_spectrum(spectra.luma(np.asarray(one)))) for one in (cut, other))
    floor = 1e-12 * max(float(theirs.max()), 1e-12)
    decibels = 10 * np.log10((ours + floor) / (theirs + floor))
    decibels, u, v = _inner(decibels)
    radius = np.hypot(u[None], v[:, None])
    fine = decibels[(radius > 0.1) & (radius <= INNER)].mean()
    return Panel(
        "Difference to the sharpest frame",
        *_plane(INNER),
        (Heatmap(decibels, u, v, MORE, "signed"),),
        note=f"Against {name}: {fine:+.1f} dB in the mean between 0.1 and {INNER:g} cycles/pixel.".replace("-", "−"),
        guide="Blue has lost power against the sharpest frame, red has gained; motion blur leaves blue stripes that "
        "run across the direction of the motion.",
        formula=f"10 log10(P / P of the sharpest frame), P: |FFT(w · (I − mean))|² averaged over {SMOOTH} × {SMOOTH} "
        f"cells, {HANN}",
        source="Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023 (why amplitude)",
        equal=True,
    )


def over_time(cuts: ArrayLike, axis: str = "horizontal") -> Panel:
    """Power by temporal and spatial frequency of a window: what moves how fast.

    Args:
        cuts: (T, H, W, 3) uint8, cut by one box.
        axis: of the spatial frequency, "horizontal" or "vertical"; the mean is taken over the other one.
    Raises:
        ValueError: an unknown axis.
    """
    if axis not in ("horizontal", "vertical"):
        raise ValueError(f"axis must be 'horizontal' or 'vertical', got {axis!r}")
    grey = spectra.luma(np.asarray(cuts))
    power = spectra.temporal_spectrum(grey)
    across = axis == "horizontal"
    frequencies = spectra.frequencies(power.shape[2 if across else 1])
    other = np.abs(spectra.frequencies(power.shape[1 if across else 2])) <= INNER
    kept = np.abs(frequencies) <= INNER
    means = (power[:, other].mean(1) if across else power[:, :, other].mean(2))[:, kept]
    largest = float(means.max())
    decibels = spectra.power_to_db(means, largest) if largest > 0 else np.full(means.shape, -120.0)
    count = len(grey)
    omega = spectra.frequencies(count)
    weights = means / max(float(means.sum()), 1e-30)
    rate = float((weights * np.abs(omega)[:, None]).sum())
    letter, way = ("u", "right") if across else ("v", "down")
    end = float(omega[-1] + (omega[1] - omega[0]) / 2) if count > 1 else 0.5
    return Panel(
        "Spectrum over time",
        Axis(f"{axis.capitalize()} frequency {letter}", "cycles/input px", (-INNER, INNER)),
        Axis("Temporal frequency", "cycles/frame", (-end, end)),
        (
            Heatmap(decibels, frequencies[kept], omega, Axis("Power", "dB", (-50.0, 0.0))),
            Rule(0.0, "x", role="reference"),
        ),
        note=f"{count} frames. Power lies at {rate:.2f} cycles/frame in the mean; steps of {1 / count:.2f}.",
        guide=f"What moves to the {way} lies on a line through the centre that falls to the right"
        + (", what moves left on a rising one" if across else ", what moves up on a rising one")
        + "; the steeper, the faster. What stands still is not shown.",
        formula=f"|FFT over t, y, x of w · (I − mean over t)|², mean over the other axis up to {INNER:g} cycles/pixel; "
        "motion by d: temporal frequency = −f · d; 0 dB = largest value shown",
        source="Adelson and Bergen, J. Opt. Soc. Am. A 1985",
    )


def by_direction(cut: ArrayLike, other: ArrayLike, names: tuple[str, str], reference: float) -> Panel:
    """Mean power by direction of the frequency, beside that of the sharpest frame.

    Args:
        cut, other: (H, W, 3) uint8.
        names: of the two.
        reference: the power that reads 0 dB.
    """
    lines = []
    for picture, name, role in zip((other, cut), names[::-1], ("sharp", "blur"), strict=True):
        profile = spectra.angular_profile(spectra.luma(np.asarray(picture)), DIRECTIONS, DIRECTED)
        decibels = 10 / np.log(10) * (profile.log_power - np.log(reference))
        degrees = np.r_[np.degrees(profile.angle), 180.0]  # half a turn is the same direction
        lines.append(Line(degrees, np.r_[decibels, decibels[:1]], name=name, role=role))
    turned = np.exp(2j * np.radians(lines[0].x[:-1]))  # a direction and its opposite are one
    second = np.mean((lines[1].y - lines[0].y)[:-1] * turned)
    angle, depth = float(np.degrees(np.angle(-second)) / 2 % 180), 2 * float(np.abs(second))
    loss = float(np.mean(lines[0].y - lines[1].y))
    return Panel(
        "Power by direction",
        Axis("Direction of the frequency", "°", (0, 180), ticks=tuple((a, f"{a}") for a in range(0, 181, 45))),
        Axis("Mean power", "dB"),
        tuple(lines),
        note=f"{names[0][:1].upper()}{names[0][1:]} lies {abs(loss):.1f} dB {'below' if loss >= 0 else 'above'} "
        f"{names[1]}, and lost most along {angle:.0f}° (fitted wave: ± {depth:.1f} dB); 0° lies along x, 90° along y.",
        guide="Motion blur takes power along the motion: a dip that the sharpest frame does not have tells its "
        "direction. What a body and a lawn look like makes dips too, in both curves.",
        formula=f"mean of 10 log10 |FFT(w · (I − mean))|² for {DIRECTED[0]:g} ≤ |f| ≤ {DIRECTED[1]:g} cycles/pixel "
        f"by arg f, {HANN}; fit: a cos 2θ + b sin 2θ to the difference of the curves",
        source="van der Schaaf and van Hateren, Vision Research 1996",
    )


def around_joints(cut: ArrayLike, points: ArrayLike, reference: float, joints: Sequence[str] = poses.JOINTS) -> Panel:
    """Radial power in a Hann window around each joint.

    Args:
        cut: (H, W, 3) uint8.
        points: (J, 2) x, y in the cut, NaN where unknown.
        reference: the power that reads 0 dB.
        joints: their names.
    Raises:
        LookupError: no joint is known.
    """
    places = np.asarray(points, np.float64)
    known = np.flatnonzero(np.isfinite(places).all(1))
    if not len(known):
        raise LookupError("local spectra need at least one joint, got none")
    squares = spectra.patches(spectra.luma(np.asarray(cut)), places[known], JOINT)
    frequency, power = spectra.radial_spectrum(squares, JOINT_RINGS)
    values = np.full((len(places), JOINT_RINGS), np.nan)
    values[known] = spectra.power_to_db(power, reference)
    fine = values[:, frequency > 0.1].mean(1)
    dull, crisp = (joints[int(find(fine))] for find in (np.nanargmin, np.nanargmax))
    return Panel(
        "Spectra around the joints",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5)),
        Axis("Joint", "", (len(places) - 0.5, -0.5), ticks=tuple((float(i), name) for i, name in enumerate(joints))),
        (Heatmap(values, frequency, np.arange(len(places)), Axis("Mean power", "dB", DB_RANGE)),),
        note=f"Beyond 0.1 cycles/input px the {dull} has the least power and the {crisp} the most.",
        guide="A row that darkens early on its way to the right belongs to a joint that is blurred, or that lies on "
        "something smooth; compare it with the same row in other frames.",
        formula=f"mean of |FFT(w · (I − mean))|² over rings, w: Hann window of {JOINT} input pixels around the joint",
        source="van der Schaaf and van Hateren, Vision Research 1996",
    )


def stages(trace: "Trace", cut: ArrayLike) -> Panel:
    """Radial power of the key frame and of the features made of it, on one axis.

    Args:
        trace: a deep trace with features.
        cut: (H, W, 3) uint8, the key frame.
    Raises:
        LookupError: the trace holds no features.
    """
    found = sorted((trace.get("feature", stage) for stage in trace.stages("feature")), key=lambda one: one.stride)
    if not found:
        trace.get("feature")  # says what is held
    maps: list[tuple[str, NDArray[np.float64], int]] = [("frame, luma", spectra.luma(np.asarray(cut)), 1)]
    for record in found:
        values = record.values[len(record.values) // 2] if "frame" in record.axes else record.values
        maps.append((f"features, stride {record.stride}", values.astype(np.float64), record.stride))
    lines = []
    for (name, values, stride), role in zip(maps, look.SERIES, strict=False):
        rings = max(4, min(24, min(values.shape[-2:]) // 2))
        frequency, power = spectra.radial_spectrum(values, rings, stride)
        power = power.reshape(-1, rings).mean(0)
        full = np.isfinite(power) & (power > 0)
        share = 10 * np.log10(power[full] / power[full].max()) if full.any() else power[full]
        lines.append(Line(frequency[full], share, name=name, role=role))
    ends = ", ".join(f"{0.5 / stride:g}" for _, _, stride in maps)
    return Panel(
        "Frame and features on one axis",
        Axis("Spatial frequency", "cycles/input px", (0.004, 0.5), "log"),
        Axis("Mean power, largest of each = 0", "dB", (-70, 3)),
        tuple(lines),
        note=f"{trace.network}. The stages end at {ends} cycles/input px.",
        guide="A flatter line carries relatively more fine detail; a stage cannot hold what lies beyond its end, and "
        "its units are its own, so only shapes compare.",
        formula=f"mean of |FFT(w · (F − mean))|² over rings and channels, {HANN}; frequency of a map = cycles/cell ÷ "
        "stride",
        source="van der Schaaf and van Hateren, Vision Research 1996",
    )


def _plane(end: float) -> tuple[Axis, Axis]:
    return (
        Axis("u", "cycles/input px", (-end, end)),
        Axis("v", "cycles/input px", (end, -end)),
    )


def _inner(plane: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The cells up to INNER cycles/pixel, and their frequencies u and v."""
    v, u = (spectra.frequencies(n) for n in plane.shape)
    rows, columns = (np.abs(axis) <= INNER for axis in (v, u))
    return plane[rows][:, columns], u[columns], v[rows]


def _smooth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over SMOOTH x SMOOTH cells; the plane is periodic."""
    for axis in (0, 1):
        power = np.mean([np.roll(power, step, axis) for step in range(-(SMOOTH // 2), SMOOTH // 2 + 1)], axis=0)
    return power
