"""Figures of the networks themselves: how they were trained, and what accuracy costs."""

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
