"""Figures of two networks A and B on one clip: one function a figure, as in `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import look, offsets, pairs
from freqviz import poses as joints_of
from freqviz.figures import MASS_DB
from freqviz.heatmaps import in_cells
from freqviz.pairs import QUANTITIES, Pair, signed
from freqviz.panel import Axis, Band, Bars, Heatmap, Image, Line, Mark, Panel, Points, Rule, Skeleton

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

A, B, DIFFERENCE = PARTS = ("A", "B", "A − B")
HEATMAP, ALIGNED, WEIGHTS, OFFSETS = INNER = (
    "heatmap of a joint",
    "energy after alignment",
    "weight of a frame",
    "length of the offsets",
)
NEEDED = {HEATMAP: "heatmap", ALIGNED: "aligned_feature", WEIGHTS: "frame_weights", OFFSETS: "alignment_offset"}
MASS_APART = (-6.0, 6.0)  # dB
KUENSCH = "Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 1989"
APART = "|joint of A − joint of B| / longer side of the person box"
OWN = "own"


# ---- the present frame


def poses(frame: ArrayLike, pair: Pair, key: int, part: str = DIFFERENCE) -> Panel:
    """One frame with the pose of A, the pose of B, or both with a line from joint to joint.

    Args:
        frame: (H, W, 3) uint8, the frame `key`.
        pair: the networks; the truth is drawn where it is known.
        key: index into the pair.
        part: of `PARTS`.
    Raises:
        LookupError: no such part.
    """
    _known(part, PARTS, "part")
    picture = Image(frame)
    height, width = picture.pixels.shape[:2]
    roles = look.network_roles(pair.names)
    marks: list[Mark] = [picture]
    if part != DIFFERENCE and pair.truth is not None:
        shown = np.isfinite(pair.truth[key]).all(1).astype(float)
        body = pair.joints, joints_of.EDGES
        marks.append(Skeleton(pair.truth[key], shown, *body, name="truth", role="truth"))
    for found, name in ((pair.a, A), (pair.b, B)):
        if part in (name, DIFFERENCE):
            points, scores = found.keypoints[key], found.scores[key]
            label = f"{name}: {found.network}"
            marks.append(Skeleton(points, scores, pair.joints, joints_of.EDGES, name=label, role=roles[found.network]))
    if part == DIFFERENCE:
        ends = np.stack([pair.a.keypoints[key], pair.b.keypoints[key], np.full((len(pair.joints), 2), np.nan)], 1)
        marks.append(Line(*ends.reshape(-1, 2).T, name="from joint to joint", role="box"))
    return Panel(
        f"Poses, {part}",
        Axis("x", "px", (-0.5, width - 0.5)),
        Axis("y", "px", (height - 0.5, -0.5)),
        tuple(marks),
        note=_apart(pair, key) if part == DIFFERENCE else _pose_note(pair, key, PARTS.index(part)),
        guide="Left of the divider stands A, right of it B. A limb that breaks at the divider is seen in two places; "
        "in the difference a yellow line joins the two places of a joint.",
        formula=f"distance = {APART}",
        source=OWN,
        equal=True,
    )


def _pose_note(pair: Pair, key: int, place: int) -> str:
    found = (pair.a, pair.b)[place]
    note = f"{found.network}, frame {pair.first + key}: mean score {np.mean(found.scores[key]):.2f}"
    if pair.truth is not None and np.isfinite(known := pair.errors[place][key]).any():
        note += f", {np.nanmean(known) * pair.norm[key]:.1f} px from the truth"
    return f"{note}."


def _apart(pair: Pair, key: int) -> str:
    apart = pair.apart[key]
    if not np.isfinite(apart).any():
        return f"Frame {pair.first + key}: no joint that both know."
    most = int(np.nanargmax(apart))
    side = pair.side[key]
    return (
        f"Frame {pair.first + key}: A and B are {pair.disagreement[key] * side:.1f} px apart on average "
        f"({pair.disagreement[key]:.3f} box sides), {apart[most] * side:.1f} px at the {pair.joints[most]}."
    )


def inner(a: "Trace", b: "Trace", quantity: str, part: str = DIFFERENCE, joint: int = 0, slot: int = 1) -> Panel:
    """One inner quantity of one window in A, in B, or A − B, in the pixels of the cut. A and B share one colour range.

    Args:
        a, b: deep traces of one window.
        quantity: of `INNER`.
        part: of `PARTS`.
        joint: index, for the heatmap.
        slot: of the window, for the others.
    Raises:
        LookupError: no such quantity, part or slot, or a network does not have the quantity.
    """
    _known(quantity, INNER, "quantity")
    _known(part, PARTS, "part")
    for one in (a, b):
        if NEEDED[quantity] not in one.quantities:
            raise LookupError(
                f"the {quantity} is compared where both networks have it; {one.network} has no {NEEDED[quantity]}"
            )
    if quantity == HEATMAP:
        densities, stride = _densities(a, b, joint)
        fields = list(10 * np.log10(np.maximum(densities, 10 ** (MASS_DB[0] / 10))))
    else:
        fields, stride = [_field(one, quantity, slot) for one in (a, b)], a.get(NEEDED[quantity]).stride
        if fields[0].shape != fields[1].shape:
            sizes = " and ".join(" × ".join(map(str, one.shape)) for one in fields)
            raise LookupError(f"the {quantity} is compared between maps of one size, got {sizes} cells")
    label, unit, limits, palette = _colours(quantity, a, b)
    values, width = fields[PARTS.index(part)] if part != DIFFERENCE else fields[0] - fields[1], limits[1] - limits[0]
    if part == DIFFERENCE:
        apart = MASS_APART if quantity == HEATMAP else (-width / 2, width / 2)
        colour, palette = Axis(f"{label}, A − B", unit, apart), "signed"
    else:
        colour = Axis(label, unit, limits)
    height, across = (n * stride for n in values.shape)
    x, y = (np.arange(n) * stride + (stride - 1) / 2 for n in values.shape[::-1])
    marks: list[Mark] = [Heatmap(values, x, y, colour, palette)]
    roles = look.network_roles([a.network, b.network])
    if quantity == HEATMAP:
        points, scores = joints_of.decode(densities, stride)
        for one, name, point in zip((a, b), (A, B), points, strict=True):
            if part in (name, DIFFERENCE):
                marks.append(Points(*point[:, None], name=f"{name}: {one.network}", role=roles[one.network]))
    shown = {A: a.network, B: b.network, DIFFERENCE: f"{a.network} − {b.network}"}[part]
    if quantity == HEATMAP:
        place = PARTS.index(part)
        told = (
            f"{100 * np.minimum(*densities).sum():.0f} % of the mass is common, the points lie "
            f"{np.linalg.norm(points[0] - points[1]):.1f} px apart."
            if part == DIFFERENCE
            else f"score {scores[place]:.2f}, largest cell {100 * densities[place].max():.1f} %."
        )
        note = f"{joints_of.JOINTS[joint]}; {shown}: {told}"
    else:
        note = f"frame {offsets.signed([slot])}; {shown}: {_spread(values, unit)}"
    return Panel(
        f"{quantity[:1].upper()}{quantity[1:]}, {part}",
        Axis("x", "input px", (-0.5, across - 0.5)),
        Axis("y", "input px", (height - 0.5, -0.5)),
        tuple(marks),
        note=note,
        guide="The cut that both networks see, one colour range for both; in the difference red is more in A, blue "
        "more in B, white is equal.",
        formula=FORMULAS[quantity],
        source=OWN,
        equal=True,
    )


FORMULAS = {
    HEATMAP: f"10 log10(share of the joint's density in a cell), at least {MASS_DB[0]:g} dB",
    ALIGNED: "10 log10(mean over the channels of feature²), the neighbour's features after alignment, stride 4",
    WEIGHTS: "weight of the frame in a cell; the window's weights sum to 1 there",
    OFFSETS: "length of the mean over the taps of the offset, finest scale",
}


def _densities(a: "Trace", b: "Trace", joint: int) -> tuple[NDArray[np.float64], int]:
    """(2, h, w) heatmaps of a joint, the finer one in the cells of the coarser, and the stride of these."""
    records = [one.get("heatmap") for one in (a, b)]
    maps = [record.values[joint].astype(np.float64) for record in records]
    coarser = min(range(2), key=lambda n: maps[n].size)
    return np.stack([in_cells(one, maps[coarser].shape) for one in maps]), records[coarser].stride


def _field(trace: "Trace", quantity: str, slot: int) -> NDArray[np.float64]:
    """(h, w) what is compared, but for heatmaps."""
    if quantity == OFFSETS:
        stage = list(offsets.scales(trace).values())[-1]  # the finest
        moved, _ = offsets.offsets(trace, stage).of(slot)
        return np.hypot(*moved)
    record = trace.get(NEEDED[quantity])
    if slot not in record.slots:
        raise LookupError(f"no frame {slot:+d} in {trace.network}; frames: {offsets.signed(record.slots.tolist())}")
    values = record.values[record.slots.tolist().index(slot)].astype(np.float64)
    return _energy(values) if quantity == ALIGNED else values


def _energy(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., C, h, w) to (..., h, w), dB."""
    return np.asarray(10 * np.log10(np.maximum((features**2).mean(-3), 1e-12)))


def _colours(quantity: str, a: "Trace", b: "Trace") -> tuple[str, str, tuple[float, float], str]:
    """Label, unit, limits and palette that A and B share, the same for every joint and neighbour of the window."""
    if quantity == HEATMAP:
        return "Mass of a cell", "dB", MASS_DB, "magnitude"
    if quantity == WEIGHTS:
        return "Weight", "", (0.0, 2 / len(a.get("frame_weights").slots)), "signed"
    if quantity == ALIGNED:
        every = [_energy(one.get("aligned_feature").values.astype(np.float64)) for one in (a, b)]
        low, high = min(float(e.min()) for e in every), max(float(e.max()) for e in every)
        return "Energy", "dB", (low, high if high > low else low + 1), "magnitude"
    slots = a.get("alignment_offset").slots
    longest = max(float(_field(one, quantity, int(s)).max()) for one in (a, b) for s in slots if s)
    return "Length", "input px", (0.0, longest or 1.0), "magnitude"


def _spread(values: NDArray[np.float64], unit: str) -> str:
    low, middle, high = (signed(float(value), 2) for value in (values.min(), np.median(values), values.max()))
    return f"{low} to {high}, median {middle}{f' {unit}' if unit else ''}."


# ---- along the clip


def ranking(pair: Pair, key: int) -> Panel:
    """How far A and B are apart at each joint: median, 95th percentile, worst frame, this frame."""
    table = pairs.ranking(pair, key)
    if table.empty:
        raise LookupError("a ranking needs a joint that both networks know in some frame")
    rows = np.arange(len(table), dtype=np.float64)
    spans = np.stack([table["median"], table["p95"], np.full(len(table), np.nan)], 1).ravel()
    top, *_ = records = table.to_dict("records")
    texts = [f"{row['joint']}: worst in frame {row['worst_frame']}" for row in records]
    marks = (
        Line(spans, np.stack([rows, rows, rows], 1).ravel(), role="data"),
        Points(table["median"], rows, name="median", role="data", texts=texts),
        Points(table["p95"], rows, name="95th percentile", role="extra-2", texts=texts),
        Points(table["worst"], rows, name="worst frame", role="lost", texts=texts),
        Points(table["here"], rows, name=f"frame {pair.first + key}", role="cursor", size=1.3, texts=texts),
    )
    return Panel(
        "Disagreement by joint",
        _apart_axis(table[["median", "worst", "here"]]),
        Axis("Joint", "", (len(table) - 0.5, -0.5), ticks=tuple(zip(rows.tolist(), table["joint"], strict=True))),
        marks,
        note=f"Most at the {top['joint']}: 5 % of the frames beyond {top['p95']:.3f} box sides, at worst "
        f"{top['worst']:.3f} in frame {top['worst_frame']}.",
        guide="The joint with the largest 95th percentile stands first; the scale is logarithmic. Click a joint to go "
        "to its worst frame.",
        formula=f"{APART}; percentiles over the frames",
        source=OWN,
    )


def disagreement(
    pair: Pair, key: int, joint: int | None = None, marks: Mapping[str, Sequence[int]] | None = None
) -> Panel:
    """How far A and B are apart along the clip: mean over the joints, and one joint.

    Args:
        key: frame to mark.
        joint: index; None: none.
        marks: frames to point out, "lost" or "damaged"; at the foot of the figure.
    """
    numbers, worst = pair.first + np.arange(len(pair)), pair.worst
    drawn: list[Mark] = []
    if joint is not None:
        drawn.append(Line(numbers, pair.apart[:, joint], name=pair.joints[joint], role="extra-1"))
    drawn += [
        Line(numbers, pair.disagreement, name="mean over the joints", role="data"),
        Points(numbers, pair.disagreement, role="data", size=0.5),  # a line cannot be clicked
        Points(
            numbers[worst : worst + 1], pair.disagreement[worst : worst + 1], name=f"worst: frame {numbers[worst]}",
            role="lost",
        ),
        *(Points(pair.first + np.asarray(which), np.zeros(len(which)), name=kind, role=kind)
          for kind, which in (marks or {}).items()),
        Rule(float(numbers[key]), role="cursor"),
    ]  # fmt: skip
    known = pair.disagreement[np.isfinite(pair.disagreement)]
    median, high = np.quantile(known, (0.5, 0.95))
    highest = max(float(np.nanmax(mark.y)) for mark in drawn if isinstance(mark, Line))
    return Panel(
        "Disagreement along the clip",
        _frames(pair),
        Axis("Distance between A and B", "box sides", (0, 1.05 * max(highest, 1e-3))),
        tuple(drawn),
        note=f"Median {median:.3f}, 95 % of the frames below {high:.3f}, at worst {pair.disagreement[worst]:.3f} in "
        f"frame {numbers[worst]}.",
        guide="Where the curve is low both see the same pose, which may still be wrong; click to go to a frame.",
        formula=f"mean over the joints of {APART}",
        source=OWN,
    )


def over_clip(pair: Pair, quantity: str, key: int) -> Panel:
    """A quantity of A and of B along the clip.

    Args:
        quantity: a name in `pairs.QUANTITIES`.
        key: frame to mark.
    Raises:
        LookupError: no such quantity, or it needs the truth.
    """
    roles, numbers = look.network_roles(pair.names), pair.first + np.arange(len(pair))
    curves = pair.over_clip(quantity)
    one = QUANTITIES[quantity]
    marks: list[Mark] = [
        Line(numbers, values, name=name, role=roles[name]) for name, values in zip(pair.names, curves, strict=True)
    ]
    known = [values[np.isfinite(values)] for values in curves]
    share = quantity == "score" or quantity.startswith("pck")
    highest = max((float(values.max()) for values in known if len(values)), default=0.0)
    told = [
        f"{name} {signed(float(values.mean()))}" for name, values in zip(pair.names, known, strict=True) if len(values)
    ]
    note = f"Mean over the frames: {', '.join(told)} {one.unit}." if told else "Too few frames."
    if quantity == "jitter":
        note += " Jitter without truth is not error: real motion has it too, and a pose that stands still has none."
    return Panel(
        f"{one.label} along the clip",
        _frames(pair),
        Axis(one.label, one.unit, (0, 1.02) if share else (0, 1.05 * max(highest, 1e-3))),
        (*marks, Rule(float(numbers[key]), role="cursor")),
        note=note,
        guide="Higher is better." if one.higher and quantity != "score" else GUIDES.get(quantity, "Lower is better."),
        formula=one.formula,
        source=SOURCES.get(quantity.partition("@")[0], OWN),
    )


GUIDES = {
    "jitter": "Peaks are jumps of the pose; where both networks have one, the person moved or was lost.",
    "score": "How sure a network is; a sure network may be wrong.",
}
SOURCES = {
    "pck": "Yang and Ramanan, Articulated human detection, T-PAMI 2013",
    "acceleration error": "Zeng et al., SmoothNet, ECCV 2022; here over the box side, in two dimensions",
    "jitter": "Zeng et al., SmoothNet, ECCV 2022; here over the box side, in two dimensions",
    "score": "Zhang et al., DARK, CVPR 2020",
}


def paired(pair: Pair, quantity: str, key: int) -> Panel:
    """A − B of a quantity along the clip, with the interval of its mean.

    Args:
        quantity: a name in `pairs.QUANTITIES`.
        key: frame to mark.
    Raises:
        LookupError: no such quantity, or it needs the truth.
        ValueError: fewer than 8 frames in which both are known.
    """
    a, b = pair.over_clip(quantity)
    found = pairs.paired(pair, quantity)
    one, mean = found.quantity, found.difference
    numbers, x = pair.first + np.arange(len(pair)), _frames(pair)
    reach = 1.05 * max(float(np.nanmax(np.abs(a - b))), 1e-6)
    ends = np.array(x.limits)
    return Panel(
        f"{one.label}, A − B",
        x,
        Axis("Difference A − B", one.unit, (-reach, reach)),
        (
            Band(ends, np.full(2, mean.low), np.full(2, mean.high), name="95 % interval of the mean", role="extra-1"),
            Line(numbers, a - b, name=f"{pair.names[0]} − {pair.names[1]}", role="data"),
            Rule(0.0, "y", name="no difference", role="reference"),
            Rule(float(numbers[key]), role="cursor"),
        ),
        note=str(found),
        guide=f"{'Above' if one.higher else 'Below'} the dotted line A has the "
        f"{'higher' if one.higher else 'lower'} value. The interval is of this clip's mean, and says nothing of other "
        "clips; the further rows of the table are not corrected for.",
        formula=f"mean of A − B over the frames, blocks of neighbouring frames resampled; {one.formula}",
        source=KUENSCH,
    )


# ---- against the truth


def accuracy(pair: Pair) -> Panel:
    """Share of the joints within fractions of the box side from the truth, a bar a network.

    Raises:
        LookupError: no truth.
    """
    pair.true  # noqa: B018 -- says that there is none
    table, roles = pairs.accuracy(pair), look.network_roles(pair.names)
    x, width = np.arange(len(joints_of.ALPHAS), dtype=np.float64), 0.38
    shares = table[[f"pck@{alpha:g}" for alpha in joints_of.ALPHAS]].to_numpy(np.float64)
    told = [
        f"{row['network']}: mean error {row['error']:.4f} joint-box sides ({row['error_px']:.1f} px), error of "
        f"acceleration {row['acceleration_error']:.4f} joint-box sides/frame²"
        for row in table.to_dict("records")
    ]
    return Panel(
        "Accuracy",
        Axis(
            "Distance allowed", "joint-box sides", (-0.6, len(x) - 0.4),
            ticks=tuple((float(i), f"{alpha:g}") for i, alpha in enumerate(joints_of.ALPHAS)),
        ),
        Axis("Joints within it (PCK)", "", (0, 1)),
        tuple(
            Bars(x + shift, row, width, name=name, role=roles[name])
            for name, shift, row in zip(pair.names, (-0.2, 0.2), shares, strict=True)
        ),
        note=f"{'; '.join(told)}; n = {table['joints'].iloc[0]} joints.",
        guide="Taller bars have more joints right. Look at the paired difference before calling one network better.",
        formula="PCK@α: share of the known joints within α × larger side of the true joints' box, which is tighter "
        "than the person box of the literature",
        source=SOURCES["pck"],
    )  # fmt: skip


def error_by_joint(pair: Pair) -> Panel:
    """Mean distance of A and B from the truth at each joint, the largest difference first.

    Raises:
        LookupError: no truth.
    """
    table = pairs.error_by_joint(pair)
    table = table.reindex(table["difference"].abs().sort_values(ascending=False, kind="stable").index)
    rows, roles = np.arange(len(table), dtype=np.float64), look.network_roles(pair.names)
    spans = np.stack([table["a"], table["b"], np.full(len(table), np.nan)], 1).ravel()
    better = int((table["difference"] < 0).sum())
    most = table.to_dict("records")[0]
    return Panel(
        "Error by joint",
        Axis(
            "Mean distance from the truth",
            "joint-box sides",
            (0, 1.05 * max(float(table[["a", "b"]].max().max()), 1e-3)),
        ),
        Axis("Joint", "", (len(table) - 0.5, -0.5), ticks=tuple(zip(rows.tolist(), table["joint"], strict=True))),
        (
            Line(spans, np.stack([rows, rows, rows], 1).ravel(), role="reference"),
            *(Points(table[c], rows, name=n, role=roles[n]) for c, n in zip("ab", pair.names, strict=True)),
        ),
        note=f"{pair.names[0]} is nearer the truth at {better} of {len(table)} joints; largest difference: "
        f"{most['joint']}, {signed(most['difference'], 2)} joint-box sides.",
        guide="Each line joins the two networks at one joint; the left end is nearer the truth.",
        formula="mean over the frames of |joint − true joint| / larger side of the true joints' box",
        source=OWN,
    )


def cost(table: pd.DataFrame) -> Panel:
    """What each network costs, as shares of the dearest one.

    Args:
        table: as `run.costs` gives it.
    Raises:
        LookupError: a column is missing.
    """
    kinds = {
        "parameters": "Parameters",
        "multiply_adds": "Multiply-adds",
        "seconds_per_frame": "Time",
    }
    if missing := [name for name in ("network", "device", *kinds) if name not in table]:
        raise LookupError(f"costs need the columns {', '.join(missing)}; the table holds {', '.join(table.columns)}")
    roles, width = look.network_roles(table["network"]), 0.76 / len(table)
    values = table[list(kinds)].to_numpy(np.float64)
    most = np.array([column[np.isfinite(column)].max() if np.isfinite(column).any() else np.nan for column in values.T])
    told = []
    for row in table.to_dict("records"):
        time = row["seconds_per_frame"]
        parts = [f"{row['parameters'] / 1e6:.2f} M parameters", f"{row['multiply_adds'] / 1e9:.2f} G multiply-adds"]
        parts.append(f"{1e3 * time:.0f} ms a frame on {row['device']}" if np.isfinite(time) else "time not measured")
        told.append(f"{row['network']}: {', '.join(parts)}")
    x = np.arange(len(kinds), dtype=np.float64)
    return Panel(
        "Cost",
        Axis("Quantity", "", (-0.6, len(kinds) - 0.4), ticks=tuple(zip(x.tolist(), kinds.values(), strict=True))),
        Axis("Share of the dearer", "", (0, 1.05)),
        tuple(
            Bars(x + (place - (len(table) - 1) / 2) * width, row / most, 0.95 * width, name=name, role=roles[name])
            for place, (name, row) in enumerate(zip(table["network"], values, strict=True))
        ),
        note=f"{'; '.join(told)}.",
        guide="Equal bars cost the same. Multiply-adds are of a window of which every frame is encoded; along a clip "
        "each frame is encoded once, and what two networks share is counted for both. Times are of this one run on a "
        "machine that may have been busy.",
        formula="a convolution: one multiply-add per weight and output place; a real FFT of N points: 2.5 N log2 N; a "
        "bilinear sample: 4; frozen parameters count",
        source=OWN,
    )


def _apart_axis(values: ArrayLike) -> Axis:
    """A log axis for distances, from those above a ten-thousandth of a box side on; linear where all are smaller."""
    known = np.asarray(values, np.float64)
    known, label = known[np.isfinite(known) & (known > 1e-4)], "Distance between A and B"
    if not len(known):
        return Axis(label, "box sides", (0, 1e-3))
    return Axis(label, "box sides", (0.8 * float(known.min()), 1.25 * float(known.max())), "log")


def _frames(pair: Pair) -> Axis:
    return Axis("Frame", "", (pair.first - 0.5, pair.first + len(pair) - 0.5))


def _known(name: str, names: Sequence[str], kind: str) -> None:
    if name not in names:
        raise LookupError(f"no {kind} '{name}'; known: {', '.join(names)}")
