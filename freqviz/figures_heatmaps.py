"""Heatmaps of one window: all joints at once, one joint on the frame, what decoding does, and their spectra.

Convention: as in `heatmaps`; places are pixels of the cut that the networks see.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import heatmaps, look
from freqviz.figures import MASS_DB
from freqviz.heatmaps import SIGMA, Heatmaps
from freqviz.panel import Axis, Heatmap, Image, Line, Mark, Panel, Points, Rule, cut_plane

FAINT = -30.0  # dB, twice the share that a uniform density has: on the frame what is fainter is left out
AROUND = 24.0  # input pixels shown to each side of the largest cell, or less of one side where the cut ends
AMPLITUDE_DB = (-50.0, 0.0)
MASS = Axis("Mass of a cell", "dB", MASS_DB, ticks=((-30, "−30"), (-20, "−20"), (-10, "−10")))
DARK = "Zhang et al., DARK, CVPR 2020"
CHARACTERISTIC = "Qu et al., Characteristic function-based human pose estimation, CVPR 2023"


def gallery(maps: Heatmaps, joint: str) -> Panel:
    """The heatmap of every joint, in the size of its cells: right joints above left ones.

    Args:
        maps: of one network.
        joint: the chosen one, framed.
    Raises:
        LookupError: no such joint.
    """
    maps.joint(joint)
    height, width = maps.densities.shape[1:]
    places, columns, rows = _grid(maps.joints)
    sheet = np.full((height * len(rows), width * len(columns)), np.nan)
    found = np.empty((len(maps.joints), 2))
    for j, (row, column) in enumerate(places):
        top, left = row * height, column * width
        sheet[top : top + height, left : left + width] = _decibels(maps.densities[j])
        found[j] = (maps.found[j] - (maps.stride - 1) / 2) / maps.stride + (left, top)
    row, column = places[maps.joint(joint)]
    left, top = column * width - 0.5, row * height - 0.5
    right, bottom = left + width, top + height
    dividers = [Rule(n * width - 0.5, "x", role="reference") for n in range(1, len(columns))]
    dividers += [Rule(n * height - 0.5, "y", role="reference") for n in range(1, len(rows))]
    best = maps.joints[int(maps.scores.argmax())]
    return Panel(
        "All heatmaps",
        Axis("Joint", "", (-0.5, sheet.shape[1] - 0.5), ticks=_middles(columns, width)),
        Axis("Side", "", (sheet.shape[0] - 0.5, -0.5), ticks=_middles(rows, height)),
        (
            Heatmap(sheet, np.arange(sheet.shape[1]), np.arange(sheet.shape[0]), MASS),
            *dividers,
            Line([left, right, right, left, left], [top, top, bottom, bottom, top], name=joint, role="box"),
            Points(found[:, 0], found[:, 1], texts=list(maps.joints), role="extra-2", size=0.6, name="decoded"),
        ),
        note=f"{maps.network}. Least certain: {maps.least_certain} (score {maps.scores.min():.2f}); most certain: "
        f"{best} ({maps.scores.max():.2f}).",
        guide="A tile is the whole cut. One bright spot is a certain joint, a smear or several spots an uncertain one; "
        "a spot where the other side's joint lies is a swap.",
        formula="10 log10(share of the joint's density in a cell); score = share within two cells of the peak",
        source=DARK,
        equal=True,
    )


def on_the_frame(
    cut: ArrayLike, maps: Heatmaps, joint: str, truth: ArrayLike | None = None, zoom: bool = True
) -> Panel:
    """One joint's heatmap over the picture: the largest cell, the decoded point, and the truth.

    Args:
        cut: (H, W, 3) uint8, the key frame as the network sees it.
        maps: of the network.
        joint: name.
        truth: (J, 2) true joints in the cut, unknown ones None or NaN.
        zoom: show 48 pixels of the cut around the largest cell; else the whole cut.
    Raises:
        LookupError: no such joint.
    """
    j = maps.joint(joint)
    values = _decibels(maps.densities[j])
    height, width = maps.size
    peak, found = maps.peaks[j], maps.found[j]
    marks: list[Mark] = [
        Image(cut),
        Heatmap(np.where(values < FAINT, np.nan, values), *maps.places, MASS, opacity=0.55),
        Points(peak[:1], peak[1:], name="largest cell", role="blur"),
        Points(found[:1], found[1:], name="decoded", role=_role(maps)),
    ]
    note = f"{maps.network}, {joint}: score {maps.scores[j]:.2f}; decoding moves it by "
    note += f"{np.linalg.norm(found - peak):.1f} px from the largest cell"
    real = _known(truth, len(maps.joints))[j]
    if np.isfinite(real).all():
        marks.append(Points(real[:1], real[1:], name="truth", role="truth"))
        before, after = (np.linalg.norm(point - real) for point in (peak, found))
        note += f"; from the truth the largest cell lies {before:.1f} px, the decoded point {after:.1f} px"
    x, y = cut_plane(height, width)
    if zoom:
        far = np.array([width, height]) - 0.5 - AROUND
        across, down = np.clip(peak, AROUND - 0.5, np.maximum(far, AROUND - 0.5))
        x = Axis(x.label, x.unit, (across - AROUND, across + AROUND))
        y = Axis(y.label, y.unit, (down + AROUND, down - AROUND))
    return Panel(
        "Heatmap on the frame",
        x,
        y,
        tuple(marks),
        note=note + ".",
        guide=f"A cell is {maps.stride} × {maps.stride} input px; arg-max can only name its centre, decoding reads "
        f"between cells. Cells below −{-FAINT:g} dB are left out.",
        formula=f"centre of cell i = {maps.stride} i + {(maps.stride - 1) / 2:g} px; decoded = largest cell of the "
        "smoothed map, then one Newton step on its logarithm",
        source=DARK,
        equal=True,
    )


def moves(maps: Heatmaps, joint: str) -> Panel:
    """How far decoding moves each joint from the centre of its largest cell.

    Raises:
        LookupError: no such joint.
    """
    j = maps.joint(joint)
    moved = maps.found - maps.peaks
    distance = np.linalg.norm(moved, axis=1)
    half = maps.stride / 2
    outside = int((np.abs(moved).max(1) > half).sum())
    reach = max(1.5 * half, 1.1 * float(np.abs(moved).max()))
    square = np.array([-half, half, half, -half, -half]), np.array([-half, -half, half, half, -half])
    return Panel(
        "Decoded against arg-max",
        Axis("To the right", "input px", (-reach, reach)),
        Axis("Down", "input px", (reach, -reach)),
        (
            Line(*square, name="the cell", role="reference"),
            Points(moved[:, 0], moved[:, 1], texts=list(maps.joints), name=maps.network, role=_role(maps)),
            Points(moved[j : j + 1, 0], moved[j : j + 1, 1], name=joint, role="cursor"),
        ),
        note=f"{maps.network}: moved by {distance.mean():.1f} px in the mean, most the "
        f"{maps.joints[int(distance.argmax())]}, {distance.max():.1f} px; {outside} of {len(distance)} leave the cell.",
        guide="A point for each joint, the centre is plain arg-max. Points all over the square are what rounding to "
        "cells would have lost; one outside has its peak in another cell once the map is smoothed.",
        formula="decoded point − centre of the largest cell",
        source=DARK,
        equal=True,
    )


def errors(maps: Heatmaps, truth: ArrayLike, joint: str) -> Panel:
    """Whether decoding brings joints nearer to the truth than arg-max does.

    Args:
        maps: of one network.
        truth: (J, 2) true joints in the cut, unknown ones None or NaN.
        joint: the chosen one, marked.
    Raises:
        LookupError: no true joint is known, or no joint of that name.
    """
    j, real = maps.joint(joint), _known(truth, len(maps.joints))
    known = np.isfinite(real[:, 0] + real[:, 1])
    if not known.any():
        raise LookupError("distances from the truth need true joints in this frame, got none")
    before, after = (np.linalg.norm(points - real, axis=1) for points in (maps.peaks, maps.found))
    end = 1.08 * max(float(np.nanmax(before)), float(np.nanmax(after)), float(maps.stride))
    nearer = int((after[known] < before[known]).sum())
    marks: list[Mark] = [
        Line([0, end], [0, end], name="no difference", role="reference"),
        Points(
            before[known], after[known], name=maps.network, role=_role(maps),
            texts=[name for name, there in zip(maps.joints, known, strict=True) if there],
        ),
    ]  # fmt: skip
    if known[j]:
        marks.append(Points(before[j : j + 1], after[j : j + 1], name=joint, role="cursor"))
    return Panel(
        "Distance from the truth",
        Axis("Of the largest cell", "input px", (0, end)),
        Axis("Of the decoded point", "input px", (0, end)),
        tuple(marks),
        note=f"{maps.network}: {before[known].mean():.1f} px by arg-max, {after[known].mean():.1f} px decoded, mean "
        f"of {known.sum()} joints; decoding is nearer for {nearer}.",
        guide="A point below the line is a joint that decoding brought nearer to the truth. Rounding to cells of "
        f"{maps.stride} px alone costs {0.3826 * maps.stride:.1f} px in the mean.",
        formula="|point − truth|; rounding: mean distance of a point of a square from its centre, .383 sides",
        source=DARK,
        equal=True,
    )


def spectrum(maps: Heatmaps, joint: str) -> Panel:
    """Which frequencies the heatmap of one joint holds.

    Raises:
        LookupError: no such joint.
    """
    density = maps.densities[maps.joint(joint)]
    shown, v, u = _whole(heatmaps.amplitude(density), maps.stride)
    end = 0.5 / maps.stride
    ours, aim = (_half(one, maps.stride) for one in (density, _target(maps)))
    return Panel(
        "Amplitude spectrum of the heatmap",
        Axis("u", "cycles/input px", (-end, end)),
        Axis("v", "cycles/input px", (end, -end)),
        (
            Heatmap(
                20 * np.log10(np.maximum(shown, 1e-9)),
                u,
                v,
                Axis("Amplitude", "dB", AMPLITUDE_DB, ticks=((-50, "−50"), (-25, "−25"), (0, "0"))),
            ),
        ),
        note=f"{maps.network}, {joint}: half the amplitude at {_cycles(ours)}, the target at {_cycles(aim)}.",
        guide="A round hill is one round spot: the narrower the hill, the wider the spot. An oval is a smear across "
        "it, stripes are rivals at a distance of 1 / their period, a cross is a spot that ends at the edge of the cut, "
        "grain far out is noise.",
        formula="20 log10 |Σ p exp(−2πi f · x)|, no window; 0 dB is the sum of the density, 1; whole plane",
        source=CHARACTERISTIC,
        equal=True,
    )


def radial(each: Sequence[Heatmaps], joint: str) -> Panel:
    """The amplitude of one joint's heatmap by frequency: each network, and what they were trained towards.

    Args:
        each: of several networks.
        joint: name.
    Raises:
        LookupError: no such joint.
        ValueError: no network.
    """
    if not each:
        raise ValueError("a radial amplitude needs the heatmaps of a network, got none")
    roles = look.network_roles([maps.network for maps in each])
    first = each[0]  # whose input pixels are meant
    curves: list[tuple[str, str, NDArray[np.float64], float]] = []
    for maps in each:
        stride = maps.stride * first.size[0] / maps.size[0]
        curves.append((maps.network, roles[maps.network], maps.densities[maps.joint(joint)], stride))
    curves.append(("target", "reference", _target(first), first.stride))
    marks, told = list[Mark](), list[str]()
    for name, role, density, stride in curves:
        frequency, values = heatmaps.radial_amplitude(density, stride)
        marks.append(Line(frequency, 20 * np.log10(np.maximum(values, 1e-9)), name=name, role=role))
        told.append(f"{name} {_cycles(heatmaps.half_width(frequency, values), '')}".rstrip())
    width = SIGMA * first.stride
    return Panel(
        "Amplitude by frequency",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5 / first.stride)),
        Axis("Amplitude", "dB", AMPLITUDE_DB),
        tuple(marks),
        note=f"{joint}: half the amplitude at {', '.join(told)} cycles/input px.",
        guide="Left of the target a heatmap is wider than in training; a curve that flattens far out has grain or a "
        "sharp corner, one that waves has rivals.",
        formula=f"root mean square over rings; target: Gaussian of σ = {SIGMA:g} cells = {width:g} input px, whose "
        "amplitude is exp(−2π²σ²f²)",
        source=CHARACTERISTIC,
    )


def spread(each: Sequence[Heatmaps], joint: str) -> Panel:
    """Over how many cells the density of each joint spreads, against its score.

    Args:
        each: of several networks, the one that is looked at first.
        joint: the chosen one, marked.
    Raises:
        LookupError: no such joint.
        ValueError: no network.
    """
    if not each:
        raise ValueError("a spread needs the heatmaps of a network, got none")
    first, j = each[0], each[0].joint(joint)
    roles = look.network_roles([maps.network for maps in each])
    marks: list[Mark] = [
        Points(maps.scores, maps.cells, texts=list(maps.joints), name=maps.network, role=roles[maps.network])
        for maps in each
    ]
    aim = float(heatmaps.effective_cells(_target(first)))
    marks += [
        Points(first.scores[j : j + 1], first.cells[j : j + 1], name=joint, role="cursor"),
        Rule(aim, "y", name="target", role="reference"),
    ]
    all_cells = float(np.prod(first.densities.shape[1:]))
    widest = first.joints[int(first.cells.argmax())]
    return Panel(
        "Spread against score",
        Axis("Score", "", (0, 1)),
        Axis("Effective number of cells", "", (5, 1.2 * all_cells), "log"),
        tuple(marks),
        note=f"{first.network}: from {first.cells.min():.0f} cells to {first.cells.max():.0f} ({widest}); the target "
        f"has {aim:.0f}, no idea at all {all_cells:.0f}.",
        guide="A point for each joint; click one to choose it. Far up with a low score lie joints that are smeared or "
        "have rivals; on the dotted line a heatmap is as narrow as in training.",
        formula=f"exp(−Σ p ln p); a cell is {first.stride} × {first.stride} input px; score = mass within two cells of "
        "the peak",
        source="Shannon, Bell System Technical Journal 1948",
    )


def _grid(joints: Sequence[str]) -> tuple[list[tuple[int, int]], list[str], list[str]]:
    """Row and column of each joint, names of the columns and of the rows: right joints above left ones, others last."""
    parts = [name.removeprefix("right ").removeprefix("left ") for name in joints]
    sided = list(dict.fromkeys(part for part, name in zip(parts, joints, strict=True) if part != name))
    single = [name for part, name in zip(parts, joints, strict=True) if part == name]
    pairs = [single[n : n + 2] for n in range(0, len(single), 2)]
    places = []
    for part, name in zip(parts, joints, strict=True):
        if part != name:
            places.append((int(name.startswith("left ")), sided.index(part)))
        else:
            n = single.index(name)
            places.append((n % 2, len(sided) + n // 2))
    lower = any(row for row, _ in places)
    return places, sided + [", ".join(pair) for pair in pairs], ["right", "left"] if lower else ["right"]


def _middles(names: Sequence[str], cells: int) -> tuple[tuple[float, str], ...]:
    return tuple((n * cells + (cells - 1) / 2, name) for n, name in enumerate(names))


def _decibels(density: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(density, 1e-12))


def _whole(
    plane: NDArray[np.float64], stride: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A centred plane with the highest frequency of even sides at both ends, and its frequencies v and u."""
    pads = [(0, 1 - n % 2) for n in plane.shape]
    v, u = ((np.arange(n + more) - n // 2) / (n * stride) for n, (_, more) in zip(plane.shape, pads, strict=True))
    return np.pad(plane, pads, mode="wrap"), v, u


def _target(maps: Heatmaps) -> NDArray[np.float64]:
    """What the network was trained to give, in the middle of the cut, which holds all of it."""
    height, width = maps.size
    return heatmaps.target((width / 2, height / 2), maps.densities.shape[1:], maps.stride)


def _half(density: NDArray[np.float64], stride: int) -> float:
    return heatmaps.half_width(*heatmaps.radial_amplitude(density, stride))


def _cycles(value: float, unit: str = " cycles/input px") -> str:
    return f"{value:.3f}{unit}" if np.isfinite(value) else "none"


def _known(truth: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """(J, 2) true joints, NaN where unknown."""
    if truth is None:
        return np.full((count, 2), np.nan)
    real = np.asarray(truth, np.float64)
    if real.shape != (count, 2):
        raise ValueError(f"truth must be ({count}, 2), got {real.shape}")
    return real


def _role(maps: Heatmaps) -> str:
    return look.network_roles([maps.network])[maps.network]
