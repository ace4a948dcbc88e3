"""Figures of the networks themselves: how they were trained, and what accuracy costs."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from freqviz import figures, look
from freqviz.panel import Axis, Line, Panel, Points, Texts

ROOM = 0.46  # share of the x axis that names take
APART = 0.075  # least distance of two names, share of the y axis


def learning_curves(name: str, curve: pd.DataFrame) -> list[Panel]:
    """How a training went: its loss, and its validation scores where there are any.

    Args:
        name: of the network.
        curve: as `cards.curve` has it.
    Raises:
        LookupError: no column `step`, or nothing besides.
    """
    titles = [f"Learning curve of {name}", f"Validation of {name}"]
    panels = [figures.training_log(curve, columns) for columns in figures.training_columns(curve)]
    last = f"{int(curve['step'].iloc[-1])} steps, {len(curve)} of its records."
    found = zip(panels, titles, strict=False)
    return [Panel(title, one.x, one.y, one.marks, last, one.guide, one.formula, one.source) for one, title in found]


def accuracy_against_cost(table: pd.DataFrame, regime: str = "R2", measure: str = "PCK@0.1") -> Panel:
    """How many joints each network finds, against what a window costs.

    Args:
        table: network, multiply_adds and a column `regime` of shares in [0, 1]; networks without a score are left out.
        regime: column to show.
        measure: its name.
    Raises:
        LookupError: a column is missing, or no network has a score.
    """
    if missing := [name for name in ("network", "multiply_adds", regime) if name not in table]:
        raise LookupError(f"no {', '.join(missing)} in the table; it holds {', '.join(map(str, table))}")
    known = table[np.isfinite(table[regime])]
    if not len(known):
        raise LookupError(f"no network has a score in {regime}")
    cost, score = known["multiply_adds"].to_numpy() / 1e9, 100 * known[regime].to_numpy()
    names = [str(name) for name in known["network"]]
    roles = look.network_roles(names)
    middle, reach = (score.max() + score.min()) / 2, max(1.0, 0.7 * (score.max() - score.min()))
    bottom, top = middle - reach, middle + reach
    left, right = np.log10(cost.min()), np.log10(cost.max())
    wide = max(right - left, 0.3)
    begin = right + 0.1 * wide
    end = left - 0.08 * wide + (begin - left + 0.08 * wide) / (1 - ROOM)
    heights = spread(score, APART * (top - bottom), bottom, top)
    leaders = np.full((len(names), 3, 2), np.nan)
    leaders[:, 0, 0], leaders[:, 0, 1] = cost, score
    leaders[:, 1, 0], leaders[:, 1, 1] = 10 ** (begin - 0.01 * (end - left)), heights
    path = leaders.reshape(-1, 2)
    points = (Points([x], [y], texts=[name], role=roles[name]) for x, y, name in zip(cost, score, names, strict=True))
    n = int(known["n"].max()) if "n" in known else 0
    without = len(table) - len(known)
    note = [f"{measure} in {regime}" + (f", {n} key frames" if n else "")]
    note += [f"{without} without a score yet"] if without else []
    return Panel(
        "Accuracy against cost",
        Axis("Multiply-adds of a window", "billions", (float(10 ** (left - 0.08 * wide)), float(10**end)), "log"),
        Axis(measure, "%", (float(bottom), float(top))),
        (
            Line(path[:, 0], path[:, 1], role="reference"),
            *points,
            Texts(np.full(len(names), 10**begin), heights, names),
        ),
        note=f"{'; '.join(note)}.",
        guide="Better stands higher, cheaper further to the left; a thin line leads from a point to its name. The "
        "networks are scored on the same frames, so small differences need the paired intervals of the evaluation.",
        formula="PCK@α: share of joints within α times the longer side of the joints' box; multiply-adds: one "
        "per weight and output place, a real FFT of N points 2.5 N log2 N, a bilinear sample 4 per tap and channel, "
        "every frame of the window encoded",
        source="PCK: Yang and Ramanan, TPAMI 2013",
    )


COSTS = {  # what is shown: columns of a running clip and of a window alone, their unit, what a value is multiplied by
    "Time": (("clip seconds", "window seconds"), "ms", 1e3),
    "Frames per second": (("frames/s",), "frames/s", 1.0),
    "Multiply-adds": (("multiply-adds a frame", "multiply-adds"), "billions", 1e-9),
    "Share of the ceiling": (("clip share", "window share"), "%", 100.0),
    "Memory": (("memory",), "MB", 1e-6),
    "Parameters": (("parameters",), "millions", 1e-6),
}
PASSES = (("a frame of a running clip", "data"), ("a window alone", "extra-2"))  # and their roles


def cost(table: pd.DataFrame, kind: str = "Time", device: str = "") -> Panel:
    """What each network costs, as measured side by side: a line of the axis a network.

    Args:
        table: `evidence.table("cost")`, which `benchmarks.cost` makes.
        kind: of `COSTS`.
        device: of the table; "": its first.
    Raises:
        LookupError: no such kind or device, or a column is missing.
    """
    if kind not in COSTS:
        raise LookupError(f"no {kind!r}; known: {', '.join(COSTS)}")
    columns, unit, scale = COSTS[kind]
    needed = ("network", "device", "threads", "precision", "rounds", "ceiling", "ceiling of", *columns)
    if missing := [name for name in needed if name not in table]:
        raise LookupError(f"no {', '.join(missing)} in the table; it holds {', '.join(map(str, table))}")
    device = device or str(table["device"].iloc[0])
    own = table[table["device"] == device]
    if not len(own):
        raise LookupError(f"no device {device!r}; measured are {', '.join(table['device'].unique())}")
    names, places, first = [str(name) for name in own["network"]], np.arange(len(own), dtype=np.float64), own.iloc[0]
    values = [scale * own[column].to_numpy(np.float64) for column in columns]
    marks: list[Line | Points] = []
    if len(values) > 1:  # a line joins what a network costs in either way
        path = np.stack([*values, np.full(len(own), np.nan)], 1).ravel()
        marks.append(Line(path, np.repeat(places, len(values) + 1), role="reference"))
    for one, (name, role) in zip(values, PASSES, strict=False):
        marks.append(Points(one, places, texts=names, name=name if len(values) > 1 else "", role=role))
    low, most = min(float(one.min()) for one in values), max(float(one.max()) for one in values)
    along = Axis(kind, unit, (0, 1.08 * most))
    if most > 10 * low:
        reach = 0.8 * low, 1.25 * most
        tens = 10.0 ** np.arange(math.floor(math.log10(reach[0])), math.ceil(math.log10(reach[1])))
        round_ = [digit * ten for ten in tens for digit in (1, 2, 5) if reach[0] <= digit * ten <= reach[1]]
        along = Axis(kind, unit, reach, "log", ticks=tuple((one, f"{one:g}") for one in round_))
    return Panel(
        f"{kind} of each network",
        along,
        Axis("Network", "", (len(names) - 0.5, -0.5), ticks=tuple(enumerate(names))),
        tuple(marks),
        note=f"{device}, {first['threads']} threads, {first['precision']}; least of {first['rounds']} rounds in turn; "
        f"ceiling: {first['ceiling'] / 1e9:,.0f} G multiply-adds/s of a {first['ceiling of']}.",
        guide="Along a clip each frame is encoded once and a window of it estimated, eight at a time; of a window "
        "alone every frame is encoded.",
        formula="time: the least of the rounds, in each of which every network has its turn; frames/s: one by the time "
        "of a frame of a running clip; share of the ceiling: multiply-adds per second by those of a large matrix "
        "product or convolution, the faster, on the same device with the same threads; memory: the most that one of "
        "five processes of its own takes above its imports, on a graphics card the most allocated there; "
        "multiply-adds: one per weight and output place, a real FFT of N points 2.5 N log2 N, a bilinear sample 4 per "
        "tap and channel",
        source="share of the ceiling: Williams, Waterman and Patterson, Roofline, Communications of the ACM 2009",
    )


def spread(places: NDArray[np.float64], apart: float, low: float, high: float) -> NDArray[np.float64]:
    """Heights near the given places, in their order, none nearer to another than `apart`, between `low` and `high`.

    Args:
        places: (N,) where names would stand best.
        apart: least distance; smaller where N of them would not fit.
        low, high: the ends, which keep half a distance free.
    Returns:
        (N,) heights; those of a crowd lie evenly around its middle.
    """
    apart = min(apart, (high - low) / max(1, len(places)))
    order = np.argsort(places, kind="stable")
    steps = apart * np.arange(len(places))
    free = isotonic_regression(places[order] - steps).x  # least squares with the distances as constraints
    found = np.empty(len(places))
    found[order] = np.clip(free, low + apart / 2, high - apart / 2 - steps[-1]) + steps
    return found
