"""Figures of the evidence: scores of each condition, paired differences, and whom frame weights trust."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from freqviz import evidence, look
from freqviz.panel import Axis, Line, Mark, Panel, Points, Rule

SOURCE = "PCK: Yang and Ramanan, TPAMI 2013; bootstrap: Efron, Annals of Statistics 1979"
SCORE = (
    "PCK@α: share of joints within α times the longer side of the joints' box; intervals: source videos drawn "
    "10,000 times, 95 %, mean of the seeds"
)
OUTCOMES = {  # their role, and their name
    evidence.HELPS: ("frequency", "helps"),
    evidence.HURTS: ("blur", "hurts"),
    evidence.OPEN: ("reference", "not told apart"),
}
SPREAD = 0.7  # share of a row of the axis that its points take


def scores(question: str, table: pd.DataFrame, measure: str = "pck@0.1", rows: Sequence[str] = ()) -> Panel:
    """PCK with 95 % intervals: a line of the axis a condition, a point a row.

    Args:
        question: title.
        table: as `evidence.scores` has it.
        measure: "pck@0.05", "pck@0.1" or "pck@0.2".
        rows: those that are shown; empty: `evidence.shown`.
    Raises:
        LookupError: no such measure, or no such row; the message names those there are.
    """
    known = list(dict.fromkeys(table["row"]))
    rows = list(rows) or evidence.shown(known)
    if measure not in table:
        raise LookupError(f"no {measure!r}; the table holds {', '.join(map(str, table))}")
    if strangers := [row for row in rows if row not in known]:
        raise LookupError(f"no row {strangers[0]!r}; the table holds {', '.join(known)}")
    conditions, roles = list(dict.fromkeys(table["condition"])), look.network_roles(rows)
    alpha, marks = measure.partition("@")[2], list[Mark]()
    for n, row in enumerate(rows):
        own = table[table["row"] == row]
        places = np.array([conditions.index(one) for one in own["condition"]]) + _aside(n, len(rows))
        texts = [f"{row}, {one}" for one in own["condition"]]
        marks += _intervals(own, (measure, f"low@{alpha}", f"high@{alpha}"), places, texts, row, roles[row])
    return Panel(
        question,
        Axis(f"PCK@{alpha}", "%"),
        _names("Condition", conditions),
        tuple(marks),
        note=f"n = {_n(table)}.",
        guide="Lines are 95 % intervals over films. All rows are scored on the same frames, so that one can be better "
        "throughout although the lines overlap: see the differences.",
        formula=SCORE,
        source=SOURCE,
    )


def differences(table: pd.DataFrame, title: str = "Differences") -> Panel:
    """`freq-video` minus its rivals, paired: a line of the axis a condition, a point a rival.

    Args:
        table: as `evidence.differences` has it, of one question or of several.
        title: headline.
    Raises:
        LookupError: the table is empty.
    """
    if not len(table):
        raise LookupError("no differences: freq-video has no part in this")
    several = table["question"].nunique() > 1
    names = (table["question"] + ": " + table["condition"] if several else table["condition"]).to_numpy()
    rivals, order, ticks = list(dict.fromkeys(table["against"])), list[str](), list[str]()
    for question, of_question in table.groupby("question", sort=False):  # a line for its name, where there are several
        conditions = list(dict.fromkeys(of_question["condition"]))
        head, before = ([str(question)], f"{question}: ") if several else ([], "")
        order += [*head, *(before + one for one in conditions)]
        ticks += [*(f"{one}:" for one in head), *conditions]
    marks: list[Mark] = [Rule(0.0, "x", role="reference")]
    if len(rivals) == 1:  # coloured by what can be said
        groups = [(table["verdict"] == outcome, 0.0, name, role) for outcome, (role, name) in OUTCOMES.items()]
    else:
        roles = look.network_roles(rivals)
        groups = [
            (table["against"] == rival, _aside(n, len(rivals)), f"− {rival}", roles[rival])
            for n, rival in enumerate(rivals)
        ]
    for chosen, aside, name, role in groups:
        labels = list(names[chosen.to_numpy()])
        if labels:
            places = np.array([order.index(one) for one in labels]) + aside
            marks += _intervals(table[chosen], ("difference", "low", "high"), places, labels, name, role)
    measures = ", ".join(f"PCK@{one:g}" for one in sorted(set(table["pck"])))
    told = ", ".join(f"{name} {(table['verdict'] == outcome).sum()}" for outcome, (_, name) in OUTCOMES.items())
    return Panel(
        title,
        Axis(f"Minus {rivals[0] if len(rivals) == 1 else 'another'}", "points"),
        _names("Condition", ticks),
        tuple(marks),
        note=f"{measures}, n = {_n(table)}; {told}.",
        guide="Right of zero freq-video finds more joints. A line across zero says nothing; one beside it counts only "
        "if it stays there when corrected for all comparisons, and in every seed.",
        formula=f"{SCORE}; differences of the same frames; told apart: p < .05, corrected over all of them, and every "
        "seed has the sign",
        source=f"{SOURCE}; correction: Holm, Scandinavian Journal of Statistics 1979",
    )


def lead(table: pd.DataFrame) -> Panel:
    """`freq-restored` minus its rivals, paired: a line of the axis a regime, a point a rival.

    Args:
        table: as `evidence.table("lead")` has it.
    """
    rivals, regimes = list(dict.fromkeys(table["against"])), list(dict.fromkeys(table["regime"]))
    roles, marks = look.network_roles(rivals), list[Mark]([Rule(0.0, "x", role="reference")])
    for n, rival in enumerate(rivals):
        own = table[table["against"] == rival]
        places = np.array([regimes.index(one) for one in own["regime"]]) + _aside(n, len(rivals))
        marks += _intervals(own, ("difference", "low", "high"), places, list(own["regime"]), f"− {rival}", roles[rival])
    by_pck = [f"PCK@{pck:g} in {', '.join(dict.fromkeys(own['regime']))}" for pck, own in table.groupby("pck")]
    return Panel(
        "What restoring first gains",
        Axis("freq-restored minus another", "points"),
        _names("Regime", regimes),
        tuple(marks),
        note=f"{'; '.join(by_pck)}; n = {_n(table)}.",
        guide="Right of zero the network that restores the key frame first finds more joints. A line across zero says "
        "nothing; one seed, nothing corrected. R0 and R5 are sharp or as filmed: there is little to restore.",
        formula=f"{SCORE}; differences of the same frames",
        source=SOURCE,
    )


def choices(table: pd.DataFrame) -> Panel:
    """What each answer of an ablation is worth against the one that the others are held to.

    Args:
        table: as `evidence.choices` has it.
    """
    base, others = table[table["difference"].isna()].iloc[0], table[table["difference"].notna()]
    order, marks = list(others["row"]), list[Mark]([Rule(0.0, "x", role="reference")])
    for outcome, (role, name) in OUTCOMES.items():
        own = others[others["verdict"] == outcome]
        if len(own):
            texts = [f"{row}: {100 * score:.1f} %" for row, score in zip(own["row"], own["pck@0.05"], strict=True)]
            places = np.array([order.index(row) for row in own["row"]])
            marks += _intervals(own, ("difference", "low", "high"), places, texts, name, role)
    return Panel(
        f"{base['question']}, {base['regime']}",
        Axis(f"PCK@0.05 minus that of “{base['row']}”", "points"),
        _names("Answer", order),
        tuple(marks),
        note=f"“{base['row']}” finds {100 * base['pck@0.05']:.1f} %; n = {base['frames']:,} "
        + ("stills" if base["films"] == base["frames"] else f"frames of {base['films']:,} films held out")
        + ".",
        guide="Exploratory: 200 steps on a frozen backbone, one seed. A line across zero says nothing, and of many "
        "lines beside it a few are chance: nothing is corrected here.",
        formula=f"{SCORE}; differences of the same frames",
        source=SOURCE,
    )


def traps(table: pd.DataFrame) -> Panel:
    """How often a blurred frame with a trap outweighs the sharp one.

    Args:
        table: `evidence.table("traps")`.
    """
    kinds, rows = list(dict.fromkeys(table["trap"])), list(dict.fromkeys(table["row"]))
    roles, marks = look.network_roles(rows), list[Mark]()
    for n, row in enumerate(rows):
        own = table[table["row"] == row]
        places = np.array([kinds.index(one) for one in own["trap"]]) + _aside(n, len(rows))
        texts = [f"{row}, {one}" for one in own["trap"]]
        marks += _intervals(own, ("share", "low", "high"), places, texts, row, roles[row])
        marks.append(Points(100 * own["without"], places, texts=texts, name=f"{row}, no trap", role="data", size=0.6))
    reach = max(5.0, 105 * float(table[["high", "without"]].to_numpy().max()))
    return Panel(
        "Whom the weights trust",
        Axis("Windows in which it outweighs the sharp frame", "%", (0, reach)),
        _names("Trap", kinds),
        tuple(marks),
        note=f"n = {int(table['windows'].max())} windows of {int(table['films'].max())} films, each with each trap.",
        guide="The trap lies on a frame that is blurred by 31 to 47 px; another one of the window is sharp. Small "
        "points: the same frames of the same windows without the trap. Zero is right.",
        formula="share of windows with mean weight of the frame with the trap > that of the sharp one; mean of the "
        "seeds, 95 % intervals over films",
        source="bootstrap: Efron, Annals of Statistics 1979",
    )


def _intervals(
    table: pd.DataFrame, columns: tuple[str, str, str], places: np.ndarray, texts: list[str], name: str, role: str
) -> list[Mark]:
    """Points at their places, each with a line from low to high; the columns are shares, shown in percent."""
    values, low, high = (100 * table[column].to_numpy(np.float64) for column in columns)
    ends = np.stack([low, high, np.full(len(low), np.nan)], 1).ravel()  # lines apart
    return [Line(ends, np.repeat(places, 3), role=role), Points(values, places, texts=texts, name=name, role=role)]


def _aside(n: int, count: int) -> float:
    return SPREAD * ((n + 0.5) / count - 0.5)


def _names(label: str, names: Sequence[str]) -> Axis:
    """An axis that goes down a list of names."""
    return Axis(label, "", (len(names) - 0.5, -0.5), ticks=tuple(enumerate(names)))


def _n(table: pd.DataFrame) -> str:
    """Frames, joints and films, as ranges where conditions differ."""

    def told(name: str) -> str:
        low, high = int(table[name].min()), int(table[name].max())
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    return ", ".join(f"{told(name)} {name}" for name in ("frames", "joints", "films"))
