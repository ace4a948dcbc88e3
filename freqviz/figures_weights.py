"""Figures of frame weights, influence and interventions: one function a figure, as in `figures`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import compare, crops, figures, look, poses, reading, sharpness
from freqviz.panel import Axis, Bars, Heatmap, Image, Line, Mark, Panel, Points, Rule, Skeleton, Span, slot_ticks

if TYPE_CHECKING:
    from freqviz.influence import Influence, Intervention  # which would load torch
    from freqviz.trace import Trace

INFLUENCE = "own; replacement as in Zeiler and Fergus, ECCV 2014 (occlusion), of a frame instead of a patch"
INFLUENCE_FORMULA = "|joint with the frame's encoded maps replaced by the key frame's − joint as found|"
JOINT_LIMIT = 0.02  # of the box side: influences beyond it have the last colour
BEFORE, AFTER = "sharp", "blur"  # roles
SPECTRAL = {"learned_filter", "space_time_filter", "temporal_filter"}  # of networks that look at spectra


class Weighing(figures.Weighted, Protocol):
    """What the figures here need of a light trace besides."""

    def window(self, key: int) -> NDArray[np.int64]:
        """(S,) the frames that the window of a key frame shows."""


def window_strip(
    pictures: Sequence[ArrayLike], frames: Sequence[int], weights: ArrayLike | None = None, network: str = ""
) -> Panel:
    """The frames of one window side by side, as the networks see them, with their weights below.

    Args:
        pictures: S crops of one size, (H, W, 3) uint8, the key frame in the middle.
        frames: (S,) number of each.
        weights: (S,) of `network`; None or NaN: none.
        network: whose weights these are.
    """
    strip = Image(np.concatenate([np.asarray(picture) for picture in pictures], 1))
    height, total = strip.pixels.shape[:2]
    count = len(pictures)
    width, middle = total / count, count // 2
    known = weights is not None and np.isfinite(np.asarray(weights, float)).all()
    shares = np.asarray(weights, float) if known else np.full(count, np.nan)
    ticks = tuple(
        (width * (place + 0.5) - 0.5, f"{frame}" + (f": {share:.2f}".replace("0.", ".") if known else ""))
        for place, (frame, share) in enumerate(zip(frames, shares, strict=True))
    )
    left, right = width * middle + 1, width * (middle + 1) - 2
    outline = Line([left, right, right, left, left], [1, 1, height - 2, height - 2, 1], name="key frame", role="box")
    edges = [Rule(width * place - 0.5, role="reference") for place in range(1, count)]
    return Panel(
        "The window",
        Axis("Frame" + (f": its weight in {network}" if known else ""), "", (-0.5, total - 0.5), ticks=ticks),
        Axis("y", "px of the crop", (height - 0.5, -0.5)),
        (strip, *edges, outline),
        note="" if known or not network else f"{network} weighs no frames.",
        guide="What the networks see: all frames are cut by the key frame's box; a missing neighbour is the key frame.",
        equal=True,
    )


def effective_frames(traces: Sequence[Weighing], cursor: int | None = None) -> Panel:
    """How many frames count for each key frame of the clip, a line per network.

    Raises:
        LookupError: no network has frame weights.
    """
    weighing = [trace for trace in traces if np.isfinite(trace.effective_frames).any()]
    if not weighing:
        raise LookupError("an effective number of frames needs a network that weighs frames")
    roles = look.network_roles([trace.network for trace in weighing])
    equal = reading.equal_weights(weighing)
    first = reading.first_number(weighing[0])
    marks: list[Mark] = []
    for trace in weighing:
        count = np.asarray(trace.effective_frames, float)
        marks.append(Line(first + np.arange(len(count)), count, name=trace.network, role=roles[trace.network]))
    marks += [Rule(count, "y", name=name, role="reference") for count, name in equal.items()]
    marks += [] if cursor is None else [Rule(first + cursor, "x", role="cursor")]
    medians = {trace.network: f"{np.nanmedian(trace.effective_frames):.2f}" for trace in weighing}
    return Panel(
        "Effective number of frames",
        Axis("Key frame", "", (first - 0.5, first + len(weighing[0].effective_frames) - 0.5)),
        Axis("Frames", "", (1, max(equal) + 0.2)),
        tuple(marks),
        note=f"Median: {reading.of_windows(weighing, medians)}.",
        guide="At the dotted line all frames weigh alike, at 1 a single frame is all; dips are windows in which the "
        "network chose.",
        formula="mean over the person of 1 / Σ weight²",
        source=figures.WEIGHT_SOURCE,
    )


def channel_attention(trace: "Trace") -> Panel:
    """The gain of every channel of each frame of one window.

    Raises:
        LookupError: the network has no channel attention for each frame.
    """
    if "channel_attention" not in trace.quantities:
        why = "all its frames keep" if "frame_weights" in trace.quantities else "it sees one frame and keeps"
        raise LookupError(f"{trace.network} has no channel attention: {why} all its channels")
    record = trace.get("channel_attention")
    if record.axes != ("frame", "channel"):
        raise LookupError(f"{trace.network} has no channel attention for each frame, only ({' '.join(record.axes)})")
    slots, channels = record.slots, np.arange(record.values.shape[1])
    middle = record.values[len(slots) // 2]
    apart = np.abs(record.values - middle).mean(1)
    told = ", ".join(f"{_signed(slot)} {gap:.2f}" for slot, gap in zip(slots, apart, strict=True) if slot)
    return Panel(
        "Channel attention",
        Axis("Channel", "", (-0.5, len(channels) - 0.5)),
        Axis("Relative frame", "frames", (slots[0] - 0.5, slots[-1] + 0.5), ticks=slot_ticks(slots)),
        (Heatmap(record.values, channels, slots, Axis("Gain", "", (0, 2)), "signed"),),
        note=f"{trace.network}. Mean difference to the key frame's gains: {told}.",
        guide="White passes a channel as it is, red raises it, blue lowers it; equal rows mean that all frames keep "
        "the same channels.",
        formula="gain = 2 σ(MLP(mean of the frame, its difference to the key frame))",
        source="Hu et al., Squeeze-and-Excitation Networks, CVPR 2018",
    )


def band_evidence(trace: "Trace", bands: Sequence[str] = ()) -> Panel:
    """How much more energy each frame of a window has in each band than the window's mean: what weights are told.

    Args:
        trace: a deep trace with the band energies of each frame.
        bands: their names, low to high.
    Raises:
        LookupError: the network looks at no energy.
    """
    if "spectral_energy" in trace.quantities:
        raise LookupError(
            f"{trace.network} weighs frames by their energy at every frequency, not in bands: "
            "see the page Restored frame"
        )
    if "band_energy" not in trace.quantities:
        looks = "looks at spectra for other ends" if SPECTRAL & set(trace.quantities) else "looks at no spectrum"
        raise LookupError(f"{trace.network} {looks}: no energy tells its weights anything, in any band")
    record = trace.get("band_energy")
    if record.axes[:2] != ("frame", "band"):
        raise LookupError(f"{trace.network} has no band energy for each frame, only ({' '.join(record.axes)})")
    energy = record.values.astype(np.float64).mean(tuple(range(2, record.values.ndim)))  # (S, bands)
    relative = energy - energy.mean(0)
    slots, count = record.slots, energy.shape[1]
    names = bands if len(bands) == count else [str(band + 1) for band in range(count)]
    note = trace.network
    if "energy_logit" in trace.quantities:
        logit = trace.get("energy_logit")
        added = logit.values.astype(np.float64).mean(tuple(range(1, logit.values.ndim)))
        parts = [f"{_signed(slot)} {_signed(round(float(value), 2))}" for slot, value in zip(slots, added, strict=True)]
        note += f". All bands together add to the frames' logits: {', '.join(parts)}"
    return Panel(
        "Energy of each frame by band",
        Axis("Relative frame", "frames", (slots[0] - 0.5, slots[-1] + 0.5), ticks=slot_ticks(slots)),
        Axis("Band", "cycles/pixel" if names is bands else "", (-0.5, count - 0.5),
             ticks=tuple((float(place), name) for place, name in enumerate(names))),
        (Heatmap(relative.T, slots, np.arange(count), Axis("Log energy − mean", "nats", (-1, 1)), "signed"),),
        note=note + ".",
        guide="Red frames have more energy in a band than the window's mean, blue ones less; a column that is bluer "
        "towards high bands is a blurred frame.",
        formula="mean over the crop of log energy in local windows, less the mean of the frames",
        source="own; energy guides aggregation as in Zhu et al., ICCV 2023",
    )  # fmt: skip


def weight_against_blur(traces: Sequence[Weighing], blur: ArrayLike, measure: Axis, key: int | None = None) -> Panel:
    """Whether the blurrier frame of a window weighs less: every neighbour and key frame of every complete window.

    Args:
        traces: light traces of one clip.
        blur: (N,) a measure of each frame of the clip.
        measure: its label and unit.
        key: key frame whose window is marked.
    Raises:
        LookupError: no network has frame weights.
    """
    values = np.asarray(blur, np.float64)
    weighing = [trace for trace in traces if np.isfinite(trace.frame_weights).any()]
    if not weighing:
        raise LookupError("weights against blur need a network that weighs frames")
    roles = look.network_roles([trace.network for trace in weighing])
    marks: list[Mark] = []
    notes = []
    here: list[NDArray[np.float64]] = []  # blur and weights of the marked window, by network
    around = {count: _around(values, trace) for count, trace in {t.frame_weights.shape[1]: t for t in weighing}.items()}
    for trace in weighing:
        whole, relative = around[trace.frame_weights.shape[1]]
        role, weights = roles[trace.network], np.asarray(trace.frame_weights, np.float64)
        marks.append(Points(relative[whole].ravel(), weights[whole].ravel(), name=trace.network, role=role))
        try:
            found = compare.spearman_within(np.where(whole[:, None], relative, np.nan), weights)
            notes.append(f"{trace.network}: {found}".replace("Spearman ρ", "ρ within windows"))
        except ValueError as reason:
            notes.append(f"{trace.network}: no correlation, {reason}")
        if key is not None and whole[key]:
            here.append(np.stack([relative[key], weights[key]]))
    if key is not None and here:
        name = f"window of {reading.first_number(weighing[0]) + key}"
        marks.append(Points(*np.concatenate(here, 1), name=name, role="cursor"))
    most = max(float(np.nanmax(trace.frame_weights)) for trace in weighing)
    return Panel(
        "Frame weight against blur",
        Axis(f"{measure.label} − mean of the window", measure.unit),
        Axis("Weight", "", (0, 1) if most > 0.5 else (0, 0.5)),
        (
            *marks,
            *(Rule(1 / n, "y", name=name, role="reference") for n, name in reading.equal_weights(weighing).items()),
        ),
        note="; ".join(notes) + ".",
        guide="If weights follow blur, the points fall to the right where larger means blurrier (edge width, lengths) "
        "and rise where larger means sharper; a level cloud is weights that ignore blur.",
        formula="mean over windows of Spearman's ρ of the S weights and the S values; blocks of windows resampled",
        source="Künsch, Annals of Statistics 1989",
    )


def _around(values: NDArray[np.float64], trace: Weighing) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """(N,) whether the window of a key frame is complete; (N, S) its frames' values less their mean."""
    windows = np.stack([trace.window(key) for key in range(len(values))])
    whole = np.array([len(set(window)) == len(window) for window in windows.tolist()])
    return whole, values[windows] - values[windows].mean(1, keepdims=True)


def influence_bars(found: Sequence["Influence"]) -> Panel:
    """How far the joints move when a neighbour is exchanged for the key frame, a bar per network.

    Raises:
        LookupError: no influence is given.
    """
    if not found:
        raise LookupError("influence needs a network that sees several frames")
    roles = look.network_roles([one.network for one in found])
    width, slots = 0.8 / len(found), max((one.slots for one in found), key=len)
    marks: list[Mark] = [Span(-0.5, 0.5, name="key frame", role="key")]
    for place, one in enumerate(found):
        shift = (place - (len(found) - 1) / 2) * width
        marks.append(Bars(one.slots + shift, one.mean, width * 0.92, name=one.network, role=roles[one.network]))
    notes = []
    for one in found:
        best = int(one.mean.argmax())
        notes.append(
            f"{one.network}: most by {_signed(int(one.slots[best]))}, {one.mean[best]:.2f} px "
            f"({100 * one.mean[best] / one.side:.2f} % of the box side)"
        )
    top = max(float(one.mean.max()) for one in found)
    return Panel(
        "Influence",
        Axis("Frame relative to the key frame", "frames", (slots[0] - 0.6, slots[-1] + 0.6), ticks=slot_ticks(slots)),
        Axis("Mean movement of the joints", "px", (0, max(1.0, 1.08 * top))),
        tuple(marks),
        note=f"Key frame {found[0].key}. " + "; ".join(notes) + ".",
        guide="Taller bars are neighbours whose absence moves the pose more; compare with the weights, which may be "
        "flat while the influence is not. The key frame itself is what they are exchanged for.",
        formula=INFLUENCE_FORMULA + ", mean over the joints",
        source=INFLUENCE,
    )


def influence_by_joint(found: "Influence") -> Panel:
    """How far each joint moves when a neighbour is exchanged for the key frame."""
    slots, count = found.slots, len(found.joints)
    slot, joint = np.unravel_index(int(found.pixels.argmax()), found.pixels.shape)
    most = found.pixels[slot, joint]
    limit = JOINT_LIMIT * found.side
    return Panel(
        "Influence on each joint",
        Axis("Frame relative to the key frame", "frames", (slots[0] - 0.5, slots[-1] + 0.5), ticks=slot_ticks(slots)),
        Axis("Joint", "", (count - 0.5, -0.5), ticks=tuple((float(j), name) for j, name in enumerate(found.joints))),
        (Heatmap(found.pixels.T, slots, np.arange(count), Axis("Movement", "px", (0, limit))),),
        note=f"{found.network}. Largest: {found.joints[joint]} without frame {found.frames[slot]}, {most:.1f} px "
        f"({100 * most / found.side:.1f} % of the box side).",
        guide=f"Bright joints lean on that neighbour; the scale ends at {100 * JOINT_LIMIT:g} % of the box side.",
        formula=INFLUENCE_FORMULA,
        source=INFLUENCE,
    )


def weight_against_influence(found: Sequence["Influence"]) -> Panel:
    """Whether a large weight where a joint stands means that the joint leans on the frame: neighbours × joints.

    Raises:
        LookupError: no network has frame weights.
    """
    weighing = [one for one in found if np.isfinite(one.joint_weights).all()]
    if not weighing:
        raise LookupError("weights against influence need a network that weighs frames")
    roles = look.network_roles([one.network for one in weighing])
    marks: list[Mark] = []
    notes = []
    for one in weighing:
        weights, moved = one.joint_weights[one.neighbours].ravel(), one.pixels[one.neighbours].ravel()
        texts = [f"{joint}, frame {frame}" for frame in one.frames[one.neighbours] for joint in one.joints]
        marks.append(Points(weights, moved, name=one.network, role=roles[one.network], texts=texts))
        rho = f"{compare.rho(weights, moved):.2f}".replace("-", "−").replace("nan", "unknown")
        notes.append(f"{one.network}: ρ = {rho}, n = {len(weights)} ({int(one.neighbours.sum())} neighbours × joints)")
    most = max(float(one.joint_weights[one.neighbours].max(initial=0)) for one in weighing)
    return Panel(
        "Frame weight against influence",
        Axis("Weight where the joint stands", "", (0, 1) if most > 0.5 else (0, 0.5)),
        Axis("Movement of the joint", "px", (0, max(1.0, 1.05 * max(float(one.pixels.max()) for one in weighing)))),
        tuple(marks),
        note="; ".join(notes) + ". One window: joints are not independent, so there is no interval.",
        guide="If weights told how much a frame counted, the points would rise along one curve; points above each "
        "other have the same weight and count differently.",
        formula="Spearman's ρ over neighbours and joints; weight in the cell of the joint",
        source=INFLUENCE,
    )


# ---- blur against energy, and interventions


def correlations(pairs: pd.DataFrame, chosen: tuple[str, str] | None = None) -> Panel:
    """The rank correlation of every measure of blur with every energy and weight.

    Args:
        pairs: as `compare.correlations` gives them.
        chosen: blur and energy of the pair to mark.
    Raises:
        LookupError: no pair.
    """
    if not len(pairs):
        raise LookupError("correlations need at least one measure of blur and one energy, got no pair")
    blurs, energies = list(dict.fromkeys(pairs["blur"])), list(dict.fromkeys(pairs["energy"]))
    rho = pairs.pivot(index="energy", columns="blur", values="rho").loc[energies, blurs].to_numpy(np.float64)
    built_in = np.array([share_formula(*pair) for pair in zip(pairs["blur"], pairs["energy"], strict=True)])
    apart = ~built_in & ((pairs["low"] > 0) | (pairs["high"] < 0))
    columns, rows = (pairs[name][built_in].map(known.index) for name, known in (("blur", blurs), ("energy", energies)))
    marks: list[Mark] = [
        Heatmap(rho, np.arange(len(blurs)), np.arange(len(energies)), Axis("Spearman's ρ", "", (-1, 1)), "signed"),
        Points(columns, rows, name="one spectrum: partly built in", role="reference"),
    ]
    if chosen is not None:
        place = [blurs.index(chosen[0])], [energies.index(chosen[1])]
        marks.append(Points(*place, name="shown beside", role="cursor"))
    return Panel(
        "Every measure against every energy",
        Axis("Measure of blur", "", (-0.5, len(blurs) - 0.5), ticks=_named(blurs)),
        Axis("Energy or weight", "", (len(energies) - 0.5, -0.5), ticks=_named(energies)),
        tuple(marks),
        note=f"n = {pairs['n'].max()} frames. Of {(~built_in).sum()} pairs without a common formula, {apart.sum()} "
        "have a 95 % interval that leaves out 0; the table has every interval.",
        guide="Red: both rise together; blue: one falls as the other rises, as energy should where blur grows. A grey "
        "square marks two quantities that weigh the same spectrum. An empty cell: a quantity that is constant.",
        formula="Spearman's ρ: correlation of the ranks; interval: blocks of neighbouring frames resampled",
        source="Künsch, Annals of Statistics 1989",
    )


def share_formula(blur: str, energy: str) -> bool:
    """Whether a measure of blur and an energy weigh the same power spectrum: part of their agreement is built in."""
    return figures.shares_formula(blur) and "energy" in energy


def changed_frame(found: "Intervention") -> Panel:
    """The changed frame before and after, as the network sees it."""
    pair = [crops.cut(seen.picture, found.box) for seen in (found.before, found.after)]
    height, width = pair[0].shape[:2]
    index = "spectral_index"
    numbers = [f"{seen.measures[index]:.2f}".replace("-", "−") for seen in (found.before, found.after)]
    return Panel(
        "The changed frame",
        Axis("Frame", "", (-0.5, 2 * width - 0.5), ticks=((width / 2, "before"), (1.5 * width, "after"))),
        Axis("y", "px of the crop", (height - 0.5, -0.5)),
        (Image(np.concatenate(pair, 1)), Rule(width - 0.5, role="reference")),
        note=f"Frame {found.frame}. Sharpness index S: {numbers[0]} before, {numbers[1]} after.",
        guide="Left as it was filmed, right as it was given to the network; the other frames stay as they are.",
        formula="motion blur and gain in linear light (γ 2.2), then white noise",
        equal=True,
    )


def pose_before_after(
    found: "Intervention", picture: ArrayLike, edges: Sequence[tuple[int, int]] = poses.EDGES
) -> Panel:
    """The pose of the key frame before and after one frame of its window was changed."""
    frame = Image(picture)
    height, width = frame.pixels.shape[:2]
    skeletons = tuple(
        Skeleton(seen.keypoints, seen.scores, found.joints, edges, name=name, role=role)
        for name, seen, role in (("before", found.before, BEFORE), ("after", found.after, AFTER))
    )
    most = int(found.pixels.argmax())
    return Panel(
        "Pose before and after",
        Axis("x", "px", (-0.5, width - 0.5)),
        Axis("y", "px", (height - 0.5, -0.5)),
        (frame, *skeletons),
        note=f"{found.network}, key frame {found.key}: joints move {found.pixels.mean():.2f} px on average "
        f"({100 * found.pixels.mean() / found.side:.2f} % of the box side), most {found.joints[most]}, "
        f"{found.pixels[most]:.1f} px.",
        guide="Where only one skeleton is seen, the change did not move the pose.",
        formula="|joint after − joint before|; nothing but the changed frame was encoded again",
        source="Zhang et al., DARK, CVPR 2020 (decoding)",
        equal=True,
    )


def weights_before_after(found: "Intervention") -> Panel:
    """Frame weights of the window before and after one of its frames was changed.

    Raises:
        LookupError: the network has no frame weights.
    """
    if not np.isfinite(found.before.weights).all():
        raise LookupError(f"{found.network} has no frame weights")
    place, slots = list(found.slots).index(found.slot), found.slots
    marks: list[Mark] = [Span(found.slot - 0.5, found.slot + 0.5, name="changed frame", role="key")]
    for shift, name, seen, role in ((-0.2, "before", found.before, BEFORE), (0.2, "after", found.after, AFTER)):
        marks.append(Bars(slots + shift, seen.weights, 0.37, name=name, role=role))
    marks.append(Rule(1 / len(slots), "y", name="equal weights", role="reference"))
    top = max(float(seen.weights.max()) for seen in (found.before, found.after))
    return Panel(
        "Frame weights before and after",
        Axis("Frame relative to the key frame", "frames", (slots[0] - 0.6, slots[-1] + 0.6), ticks=slot_ticks(slots)),
        Axis("Weight", "", (0, 1) if top > 0.5 else (0, 0.5)),
        tuple(marks),
        note=f"{found.network}: weight of frame {found.frame} {found.before.weights[place]:.3f} before, "
        f"{found.after.weights[place]:.3f} after; effective number of frames {found.before.effective:.2f} before, "
        f"{found.after.effective:.2f} after.",
        guide="If energy drives the weights, the changed frame loses weight when it is blurred; the others share it.",
        formula="weights sum to 1, mean over the person; effective number = mean of 1 / Σ weight²",
        source=figures.WEIGHT_SOURCE,
    )


def energy_before_after(found: "Intervention", edges: Sequence[float]) -> Panel:
    """Log energy of the changed frame's crop in bands of frequency, before and after.

    Args:
        found: the intervention.
        edges: of the bands, cycles per pixel of the crop.
    """
    count = len(found.before.image_energy)
    bands = np.arange(count)
    names = [f"{low:g}–{high:g}".replace("0.", ".") for low, high in zip(edges, edges[1:], strict=False)]
    values = {name: getattr(found, name).image_energy for name in ("before", "after")}
    marks = [
        mark
        for name, role in (("before", BEFORE), ("after", AFTER))
        for mark in (Line(bands, values[name], name=name, role=role), Points(bands, values[name], role=role))
    ]
    drop = values["after"] - values["before"]
    note = "Change by band: " + ", ".join(_signed(round(float(value), 2)) for value in drop) + " nats."
    own = found.after.network_energy - found.before.network_energy
    if len(own):
        parts = ", ".join(_signed(round(float(value), 2)) for value in own)
        note += f" In {found.network}'s own bands, over the person: {parts}."
    if np.isfinite(found.after.feature_energy):
        change = round(float(found.after.feature_energy - found.before.feature_energy), 2)
        note += f" Of the features (log variance): {_signed(change)}."
    return Panel(
        "Energy of the changed frame",
        Axis("Band", "cycles/pixel of the crop", (-0.4, count - 0.6),
             ticks=tuple((float(band), name) for band, name in zip(bands, names, strict=True))),
        Axis("Log energy", "nats"),
        tuple(marks),
        note=note,
        guide="Blur lowers the high bands and leaves the lowest; darkness lowers all alike; noise raises the high "
        "bands: where there is noise, energy is no measure of sharpness.",
        formula="log of the crop's variance in each ring of frequency",
        source="own, by Parseval's theorem",
    )  # fmt: skip


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"


def _named(columns: Sequence[str]) -> tuple[tuple[float, str], ...]:
    return tuple((float(place), _short(column)) for place, column in enumerate(columns))


def _short(column: str) -> str:
    """A column's name for an axis that has many of them."""
    if column in sharpness.MEASURES:
        return sharpness.MEASURES[column].label
    short = column.removesuffix(" cycles/pixel").removesuffix(" (pixels)").replace("0.", ".")
    for long, word in (
        ("log energy of the image, ", "image "),
        ("log energy in ", ""),
        ("log variance of the features in ", "features, "),
        ("frame weight in ", "weight, "),
    ):
        short = short.replace(long, word)
    return short
