"""What each figure shows: one function a figure, from data to a Panel. How it is drawn is the renderers'
matter.

Every figure says its units, how to read it (`guide`), and by which formula it is made (`formula`, `source`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import compare, crops, look, poses, reading, sharpness, spectra
from freqviz.panel import Axis, Band, Bars, Heatmap, Image, Line, Mark, Panel, Points, Rule, Skeleton, Span, slot_ticks

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

DB_RANGE = (-80.0, 0.0)  # decibels shown; 80 dB hold a sharp frame and its noise floor
MASS_DB = (-35.0, -10.0)  # of heatmaps: a uniform one of 48 x 36 cells reads -32, the peak of a training target -10
CELLS = 193  # most cells a side of a spectrum: what a moved cursor sends stays small
FRAME = Axis("Frame")
WEIGHT_SOURCE = "effective number: inverse Simpson index, Hill, Ecology 1973"


class Weighted(reading.Windowed, Protocol):
    """What the figures of frame weights need of a light trace."""

    @property
    def effective_frames(self) -> NDArray[np.float64]:
        """(N,)."""


def pose_overlay(
    frame: ArrayLike,
    poses_by_network: Mapping[str, poses.Pose],
    truth: poses.Pose | None = None,
    box: ArrayLike | None = None,
    threshold: float = 0.0,
    joints: Sequence[str] = poses.JOINTS,
    edges: Sequence[tuple[int, int]] = poses.EDGES,
) -> Panel:
    """The frame with the skeleton of every network, the truth last.

    Args:
        frame: (H, W, 3) uint8.
        poses_by_network: a pose for each network's name; keypoints in frame pixels.
        truth: where the joints really are.
        box: (4,) x, y, w, h, the person box in frame pixels.
        threshold: joints scored below it are not drawn, in [0, 1].
        joints, edges: names of the joints and the pairs to connect.
    """
    picture = Image(frame)
    height, width = picture.pixels.shape[:2]
    roles = look.network_roles(poses_by_network)
    marks: list[Mark] = [picture]
    if box is not None:
        x, y, w, h = np.asarray(box, np.float64)
        marks.append(Line([x, x + w, x + w, x, x], [y, y, y + h, y + h, y], name="person box", role="box"))
    people = [(name, pose, roles[name]) for name, pose in poses_by_network.items()]
    people += [("truth", truth, "truth")] if truth is not None else []
    marks += [
        Skeleton(pose.keypoints, pose.scores, joints, edges, threshold, name=name, role=role)
        for name, pose, role in people
    ]
    return Panel(
        "Poses",
        Axis("x", "px", (-0.5, width - 0.5)),
        Axis("y", "px", (height - 0.5, -0.5)),
        tuple(marks),
        note=_certainty(poses_by_network, truth),
        guide="Each network has its colour; the person's right side is full, the left side lighter, and a joint "
        "is the paler the lower its score.",
        formula="keypoint = peak of the joint's heatmap, refined by one Newton step; "
        "score = heatmap mass within two cells of the peak",
        source="Zhang et al., DARK, CVPR 2020",
        equal=True,
    )


def _certainty(poses_by_network: Mapping[str, poses.Pose], truth: poses.Pose | None) -> str:
    """Mean score of each network and, where the truth is known, its mean distance from it."""
    parts = []
    for name, pose in poses_by_network.items():
        part = f"{name}: mean score {np.nanmean(pose.scores):.2f}"
        if truth is not None and (known := np.isfinite(truth.keypoints).all(1)).any():
            off = np.linalg.norm(pose.keypoints[known] - truth.keypoints[known], axis=1).mean()
            part += f", {off:.1f} px from the truth"
        parts.append(part)
    return "; ".join(parts) + "." if parts else ""


def joint_heatmap(
    trace: "Trace",
    joint: int,
    box: ArrayLike,
    truth: poses.Pose | None = None,
    limits: tuple[float, float] = MASS_DB,
    joints: Sequence[str] = poses.JOINTS,
) -> Panel:
    """Where one network sees one joint in the key frame of a window: its density, in decibels.

    Args:
        trace: a deep trace with the heatmaps.
        joint: index into `joints`.
        box: (4,) x, y, w, h that the window was cut by; frame pixels.
        truth: where the joints really are; frame pixels.
        limits: colour limits in dB: the same for every network, joint and frame.
        joints: names of the joints.
    Raises:
        LookupError: the trace holds no heatmaps.
        IndexError: no such joint.
    """
    record = trace.get("heatmap")
    if not 0 <= joint < len(record.values):
        raise IndexError(f"joint must be 0 to {len(record.values) - 1}, got {joint}")
    density, stride = record.values[joint], record.stride
    size = density.shape[0] * stride, density.shape[1] * stride
    x, y = (np.arange(n) * stride + (stride - 1) / 2 for n in density.shape[::-1])
    points, scores = poses.decode(record.values[joint : joint + 1], stride)
    places = crops.to_frame(np.stack([x, np.full_like(x, y[0])], -1), box, size)[:, 0]
    heights = crops.to_frame(np.stack([np.full_like(y, x[0]), y], -1), box, size)[:, 1]
    corners = crops.to_frame([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]], box, size)
    found = crops.to_frame(points, box, size)[0]
    values = 10 * np.log10(np.maximum(density.astype(np.float64), 1e-12))
    role = look.network_roles([trace.network])[trace.network]
    marks: list[Mark] = [
        Heatmap(values, places, heights, Axis("Mass of a cell", "dB", limits)),
        Points(found[:1], found[1:], name=f"found by {trace.network}", role=role),
    ]
    note = f"{trace.network}, {joints[joint]}: score {scores[0]:.2f}, largest cell {100 * density.max():.1f} %"
    if truth is not None and np.isfinite(real := truth.keypoints[joint]).all():
        marks.append(Points(real[:1], real[1:], name="truth", role="truth"))
        note += f", {np.linalg.norm(found - real):.1f} px from the truth"
    (left, top), (right, bottom) = corners
    return Panel(
        "Heatmap of a joint",
        Axis("x", "px", (left, right)),
        Axis("y", "px", (bottom, top)),
        tuple(marks),
        note=note + ".",
        guide="One bright spot is a certain joint; several are rivals. −32 dB everywhere would be no idea at all, "
        "−10 dB is as certain as in training.",
        formula="10 log10(share of the joint's density in a cell); score = share within two cells of the peak",
        source="Zhang et al., DARK, CVPR 2020",
        equal=True,
    )


def spectrum_reference(images: Iterable[ArrayLike]) -> float:
    """The power that reads 0 dB: the largest of all the spectra, so that one scale serves the whole clip.

    Args:
        images: frames or crops, each (H, W, 3) uint8, or (H, W) luma in [0, 1].
    Returns:
        Power, squared luma, > 0.
    Raises:
        ValueError: no image, or all are flat.
    """
    largest = max((float(spectra.power_spectrum(_luma(image)).max()) for image in images), default=0.0)
    if not largest > 0:
        raise ValueError(f"the reference needs an image with structure, got a largest power of {largest}")
    return largest


def power_spectrum(
    image: ArrayLike,
    db_range: tuple[float, float] = DB_RANGE,
    reference: float | None = None,
    title: str = "Power spectrum",
) -> Panel:
    """Power at each spatial frequency of one frame or crop.

    Hann window, mean removed, DC in the centre, frequencies in cycles per pixel of the image given; v points
    down as y does. Beyond 193 cells a side neighbouring powers are averaged.

    Args:
        image: (H, W, 3) uint8, or (H, W) luma in [0, 1].
        db_range: colour limits in dB relative to `reference`; give one for the whole clip.
        reference: power that reads 0 dB, see `spectrum_reference`; None: this image's own largest power.
        title: of the panel.
    """
    grey = _luma(image)
    power = spectra.power_spectrum(grey)
    own = reference is None
    zero = (float(power.max()) or 1.0) if reference is None else reference
    power, v = _coarse(power, 0)
    power, u = _coarse(power, 1)
    shown = Heatmap(spectra.power_to_db(power, zero), u, v, Axis("Power", "dB", db_range), name="", role="data")
    return Panel(
        title,
        Axis("Horizontal frequency u", "cycles/pixel", (-0.5, 0.5)),
        Axis("Vertical frequency v", "cycles/pixel", (0.5, -0.5)),
        (shown,),
        note=f"{grey.shape[1]} × {grey.shape[0]} px, 0 dB = "
        + ("this image's largest power" if own else "one reference for the clip"),
        guide="The centre holds coarse structure, the rim fine detail; blur darkens the rim, and motion blur "
        "leaves dark stripes perpendicular to the motion.",
        formula="10 log10(|FFT(w · (I − mean))|² / reference), w: Hann window",
        source="Harris, Proc. IEEE 1978",
        equal=True,
    )


def radial_profile(
    image: ArrayLike,
    sharpest: ArrayLike | None = None,
    reference: float | None = None,
    db_range: tuple[float, float] = DB_RANGE,
    names: tuple[str, str] = ("this frame", "sharpest frame"),
    why: str = "",
) -> Panel:
    """Power against frequency, whatever the direction, beside that of the clip's sharpest frame.

    Args:
        image, sharpest: as in `power_spectrum`; sizes may differ.
        reference: power that reads 0 dB; None: the largest value shown.
        db_range: limits of y in dB.
        names: of the two curves.
        why: by which measure the sharpest frame is the sharpest; stated in the note.
    """
    curves = []
    for picture in (image, sharpest):
        if picture is not None:
            grey = _luma(picture)
            curves.append(spectra.radial_spectrum(grey, rings=max(4, min(32, min(grey.shape) // 2))))
    zero = reference or max(float(np.nanmax(curve.power)) for curve in curves) or 1.0
    marks = []
    styles = list(zip(curves, names, ("blur", "sharp"), strict=False))
    for curve, name, role in reversed(styles):
        full = np.isfinite(curve.power)
        marks.append(Line(curve.frequency[full], spectra.power_to_db(curve.power[full], zero), name=name, role=role))
    return Panel(
        "Radial power",
        Axis("Spatial frequency", "cycles/pixel", (0, 0.5)),
        Axis("Mean power", "dB", db_range),
        tuple(marks),
        note=(f"{why} " if why else "")
        + f"0 dB = {'one reference for the clip' if reference else 'the largest value shown'}",
        guide="Where this frame lies below the sharpest one, detail is lost; above about "
        "0.4 cycles/pixel there is mostly noise.",
        formula="mean of |FFT(w · (I − mean))|² over rings of equal |f|, w: Hann window",
        source="van der Schaaf and van Hateren, Vision Research 1996",
    )


def frame_weights(traces: Sequence[Weighted], key_frame: int) -> Panel:
    """How much each frame of the window counts for one key frame, a bar per network.

    Args:
        traces: light traces of one clip; networks without frame weights (NaN) are named in the note.
        key_frame: index into the traces; of a part of a clip, the words count as the clip does.
    Raises:
        IndexError: key_frame outside the clip.
        LookupError: no network has frame weights.
    """
    with_weights: list[Weighted] = []
    without: list[Weighted] = []
    for trace in traces:
        if not 0 <= key_frame < len(trace.frame_weights):
            raise IndexError(f"key_frame must be 0 to {len(trace.frame_weights) - 1}, got {key_frame}")
        known = np.isfinite(trace.frame_weights[key_frame]).all()
        (with_weights if known else without).append(trace)
    if not with_weights:
        names = ", ".join(trace.network for trace in traces) or "no network"
        raise LookupError(f"frame weights need a network that weighs frames; given: {names}")
    roles = look.network_roles([trace.network for trace in with_weights])
    width = 0.8 / len(with_weights)
    clip_length = len(with_weights[0].frame_weights)
    slots = max((_slots(trace.frame_weights) for trace in with_weights), key=len)
    marks: list[Mark] = [Span(-0.5, 0.5, name="key frame", role="key")]
    for place, trace in enumerate(with_weights):
        shift = (place - (len(with_weights) - 1) / 2) * width
        own, weights = _slots(trace.frame_weights), trace.frame_weights[key_frame]
        bars = Bars(own + shift, weights, width * 0.92, name=trace.network, role=roles[trace.network])
        marks.append(bars)
    marks += [
        Rule(1 / count, "y", name=name, role="reference") for count, name in reading.equal_weights(with_weights).items()
    ]
    counted = {trace.network: f"{trace.effective_frames[key_frame]:.1f}" for trace in with_weights}
    number = reading.first_number(with_weights[0]) + key_frame
    note = f"Key frame {number}. Effective number of frames: {reading.of_windows(with_weights, counted)}."
    alike = [trace.network for trace in with_weights if reading.flat(trace.frame_weights[key_frame])]
    if alike:
        note += f" Flat, all within 10 % of an equal share: {', '.join(alike)}."
    if without:
        note += f" No frame weights: {', '.join(trace.network for trace in without)}."
    missing = [slot for slot in slots if not 0 <= key_frame + slot < clip_length]
    if missing:
        note += " Missing neighbours are the key frame again."
    return Panel(
        "Frame weights",
        Axis(
            "Frame relative to the key frame",
            "frames",
            (slots[0] - 0.6, slots[-1] + 0.6),
            ticks=slot_ticks(slots),
        ),
        Axis("Weight", "", (0, 1)),
        tuple(marks),
        note=note,
        guide="Taller bars count more for the key frame's pose; all at the dotted line is a plain mean.",
        formula="weights sum to 1, mean over the person; effective number = mean of 1 / Σ weight²",
        source=WEIGHT_SOURCE,
    )


def frame_weights_over_clip(
    trace: Weighted,
    cursor: int | None = None,
    limits: tuple[float, float] | None = None,
    marks: Mapping[str, Sequence[int]] | None = None,
) -> Panel:
    """The weights of every key frame: key frame along x, frame of the window along y.

    Args:
        trace: a light trace with frame weights.
        cursor: key frame to mark, an index into the trace.
        limits: of colour; None: 0 to twice an equal share, so that an equal share is white.
        marks: key frames to point out, "lost" or "damaged"; a row above the weights for each kind.
    Raises:
        LookupError: the network has no frame weights.
    """
    weights = np.asarray(trace.frame_weights, np.float64)
    if not np.isfinite(weights).any():
        raise LookupError(f"{trace.network} has no frame weights")
    slots = _slots(weights)
    first = reading.first_number(trace)
    frames = first + np.arange(len(weights))
    limits = limits or (0.0, 2 / len(slots))
    drawn: list[Mark] = [Heatmap(weights.T, frames, slots, Axis("Weight", "", limits), "signed")]
    drawn += [] if cursor is None else [Rule(first + cursor, "x", role="cursor")]
    ticks, top = list(slot_ticks(slots)), float(slots[-1])
    for kind, which in (marks or {}).items():
        top += 1
        drawn.append(Points(first + np.asarray(which), np.full(len(which), top), role=kind))
        ticks.append((top, kind))
    known = np.asarray(trace.effective_frames)[np.isfinite(trace.effective_frames)]
    alike = sum(map(reading.flat, weights))
    note = f"Median effective number of frames {np.median(known):.1f} of {len(slots)}. " if len(known) else ""
    note += f"Weights are flat, all within 10 % of an equal share, in {alike} of {len(weights)} windows."
    return Panel(
        f"Frame weights, {trace.network}",
        Axis("Key frame", "", (frames[0] - 0.5, frames[-1] + 0.5)),
        Axis("Relative frame", "frames", (slots[0] - 0.5, top + 0.5), ticks=tuple(ticks)),
        tuple(drawn),
        note=note,
        guide="White is an equal share and red counts more (beyond the scale too); a falling red diagonal "
        "follows one good frame through its windows; the upright line is the present key frame.",
        formula="weights sum to 1 over the window, mean over the person",
        source=WEIGHT_SOURCE,
    )


def blur_against_energy(table: pd.DataFrame, x: str, y: str, selected: int | None = None) -> Panel:
    """Whether blur explains energy: a point a frame, with Spearman's rank correlation and its interval.

    Args:
        table: one row a frame in the order of time, with the columns x, y and perhaps `frame`.
        x, y: names of columns; known measures bring their label and unit.
        selected: frame to mark.
    Raises:
        LookupError: a column is missing.
    """
    frames = _frames(table)
    across, up = _column(table, x), _column(table, y)
    last = max(1.0, float(frames.max())) if len(frames) else 1.0
    first = float(frames.min()) if len(frames) else 0.0
    texts = [f"frame {frame:g}" for frame in frames]
    colour = Axis("Frame", "", (first, last if last > first else first + 1))
    marks: list[Mark] = [Points(across, up, frames, colour, texts=texts, role="data")]
    here = np.flatnonzero(frames == (-1 if selected is None else selected))
    if len(here):
        marks.append(Points(across[here], up[here], name=f"frame {selected}", role="cursor"))
    try:
        note = str(compare.spearman(across, up))
    except ValueError as reason:
        note = f"No correlation: {reason}"
    if shares_formula(x) != shares_formula(y) and any(word in name for name in (x, y) for word in ("band", "energy")):
        note += ". Both axes come from one power spectrum: part of this agreement is built in."
    return Panel(
        "Blur against energy",
        quantity(x),
        quantity(y),
        tuple(marks),
        note=note,
        guide="If blur explains energy, the points lie along one rising or falling curve; colour tells the "
        "time, so a drift shows as a sweep of colour.",
        formula="Spearman's ρ: correlation of the ranks; interval: blocks of neighbouring frames resampled",
        source="Künsch, Annals of Statistics 1989",
    )


def timeline(table: pd.DataFrame, columns: Sequence[str], cursor: int | None = None) -> Panel:
    """Quantities of every frame along the clip.

    Columns of one unit share the y axis; columns of several units are scaled to their own ranges, which the
    legend then states.

    Args:
        table: one row a frame, with the columns and perhaps `frame`.
        columns: names of columns, at least one.
        cursor: frame to mark.
    Raises:
        LookupError: a column is missing.
        ValueError: no column.
    """
    if not columns:
        raise ValueError("a timeline needs at least one column, got none")
    frames = _frames(table)
    axes = [quantity(name) for name in columns]
    alike = len({axis.unit for axis in axes}) == 1
    marks: list[Mark] = []
    for place, (name, axis) in enumerate(zip(columns, axes, strict=True)):
        values, label = _column(table, name), axis.label
        if not alike:
            known = values[np.isfinite(values)]
            low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
            values = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
            label += f" ({low:.3g} to {high:.3g} {axis.unit}".replace("-", "−").rstrip() + ")"
        marks.append(Line(frames, values, name=label, role=look.SERIES[place % len(look.SERIES)]))
    if cursor is not None:
        marks.append(Rule(cursor, "x", name="cursor", role="cursor"))
    if len(columns) == 1:
        y = axes[0]
    else:
        y = Axis("Value", axes[0].unit) if alike else Axis("Share of own range", "", (-0.03, 1.03))
    limits = (float(frames.min()) - 0.5, float(frames.max()) + 0.5) if len(frames) else None
    return Panel(
        "Along the clip",
        Axis(FRAME.label, "", limits),
        y,
        tuple(marks),
        guide="Curves that rise and fall together tell of the same frames; the upright line is the cursor.",
        formula="" if alike else "(value − minimum) / (maximum − minimum) of each column",
    )


def training_columns(log: pd.DataFrame) -> list[list[str]]:
    """Which columns of a trainer's log make a figure each: the loss, and validation scores where there are any."""
    losses = [name for name in log.columns if name.startswith("loss")] or [
        name for name in log.columns if name == "pose"
    ]
    scores = [name for name in log.columns if name.startswith("pck")]
    others = [name for name in log.columns if name not in ("step", "seconds")]
    return [losses or others, scores] if scores else [losses or others]


def training_log(log: pd.DataFrame, columns: Sequence[str] | None = None, x: str = "step") -> Panel:
    """How a training went.

    Args:
        log: the trainer's log.csv: step, seconds, loss terms, validation scores.
        columns: what to draw; None: everything whose name begins with "loss". Scores (names beginning with
            "pck") get the axis from 0 to 1, losses a logarithmic one.
        x: "step" or "seconds".
    Raises:
        LookupError: a column is missing, or there is no loss.
    """
    chosen = [name for name in log.columns if name.startswith("loss")] if columns is None else list(columns)
    if not chosen:
        raise LookupError(f"no loss in the log; it holds {', '.join(map(str, log.columns))}")
    marks = tuple(
        Line(_column(log, x), _column(log, name), name=name, role=look.SERIES[place % len(look.SERIES)])
        for place, name in enumerate(chosen)
    )
    scores = all(name.startswith("pck") for name in chosen)
    positive = all((mark.y[np.isfinite(mark.y)] > 0).all() for mark in marks)
    y = Axis("Validation PCK", "", (0, 1)) if scores else Axis("Loss", "nats", None, "log" if positive else "linear")
    return Panel(
        "Training",
        Axis("Training step" if x == "step" else x.capitalize(), "s" if x == "seconds" else "batches"),
        y,
        marks,
        guide="Scores should rise and losses fall, then flatten; a loss that falls while the score falls too "
        "means that the network learns by heart.",
        formula="PCK: share of joints within a fraction of the box side; loss: cross-entropy of the heatmaps"
        if scores
        else "cross-entropy of the joints' heatmaps",
    )


def pck_against_blur(table: pd.DataFrame, x: str = "blur", title: str = "Accuracy against blur") -> Panel:
    """Accuracy of networks at growing blur, with intervals.

    Args:
        table: tidy, one row a network and blur: columns network, `x` (pixels), pck, low, high (all in [0,
        1]). x: the column of blur lengths.
        title: of the panel, e.g. with the threshold of PCK.
    Raises:
        LookupError: a column is missing.
    """
    _column(table, x), [_column(table, name) for name in ("pck", "low", "high")]
    if "network" not in table:
        raise LookupError(f"no column 'network'; the table holds {', '.join(map(str, table.columns))}")
    roles = look.network_roles(dict.fromkeys(table["network"]))
    marks: list[Mark] = []
    for name, role in roles.items():
        part = table[table["network"] == name].sort_values(x)
        blur, pck = _column(part, x), _column(part, "pck")
        marks.append(Band(blur, _column(part, "low"), _column(part, "high"), role=role))
        marks += [Line(blur, pck, name=name, role=role), Points(blur, pck, role=role)]
    return Panel(
        title,
        Axis("Blur length", "px"),
        Axis("PCK", "", (0, 1)),
        tuple(marks),
        note="Bands: 95 % intervals, resampled by source video",
        guide="A flatter curve stands blur better; where bands overlap, look at the paired difference before "
        "calling one network better.",
        formula="PCK@α: share of joints within α times the box side of the truth",
        source="Yang and Ramanan, Articulated human detection, T-PAMI 2013",
    )


def quantity(name: str) -> Axis:
    """Label and unit of a column: measures of blur bring theirs, others are spelled from the name: "true blur (px)"."""
    if name in sharpness.MEASURES:
        measure = sharpness.MEASURES[name]
        return Axis(measure.label, "" if measure.unit == "fraction" else measure.unit)
    words, _, unit = (name.replace("_", " ").strip() or name).partition(" (")
    return Axis(words[:1].upper() + words[1:], unit.removesuffix(")"))


def shares_formula(name: str) -> bool:
    """Whether a column is a measure of blur that weighs the same power spectrum as energies do."""
    return name in sharpness.MEASURES and sharpness.MEASURES[name].shares_formula_with_energy


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in table:
        raise LookupError(f"no column {name!r}; the table holds {', '.join(map(str, table.columns))}")
    return table[name].to_numpy(np.float64)


def _frames(table: pd.DataFrame) -> NDArray[np.float64]:
    return _column(table, "frame") if "frame" in table else np.arange(len(table), dtype=np.float64)


def _slots(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    count = weights.shape[1]
    return np.arange(count) - count // 2


def _luma(image: ArrayLike) -> Any:
    array = np.asarray(image)
    return spectra.luma(array) if array.ndim == 3 else array


def _coarse(power: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """A centred power spectrum with at most CELLS cells along `axis`, and their frequencies.

    Cells are means over k neighbours (over k + 1 with half weight at the ends where k is even), so that zero
    frequency stays the centre of a cell. The spectrum is periodic: its ends are neighbours, and where n is even
    the highest frequency stands at both.
    """
    n = power.shape[axis]
    k = -(-n // (CELLS - 1))
    centres = k * np.arange(-(n // 2 // k), n // 2 // k + 1)
    taps = np.arange(-(k // 2), k // 2 + 1)
    weights = np.ones(len(taps)) / k
    if k % 2 == 0:
        weights[[0, -1]] /= 2
    where = (centres[:, None] + taps + n // 2) % n
    parts = np.take(power, where.ravel(), axis).reshape(
        *power.shape[:axis], len(centres), len(taps), *power.shape[axis + 1 :]
    )
    return np.average(parts, axis + 1, weights), centres / n  # a matrix product would keep all processors spinning
