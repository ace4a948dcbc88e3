"""Comparisons as tables for papers: LaTeX with booktabs, Markdown and CSV, the best marked, intervals shown.

The best of a column is bold, and so is what is printed alike; oracles are shown but cannot be the best.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import compare, pairs, run
from freqviz.analysis import Analysis
from freqviz.to_pgfplots import tex

MISSING = "–"
ORACLE = "oracle"  # what the names of rows begin with that cannot be the best


@dataclass(frozen=True)
class Column:
    """What stands in a column, and how it is printed.

    `better`: 1 where the largest value is the best, -1 where the smallest is, 0 where there is no best.
    """

    name: str
    scale: float = 100.0  # printed is value × scale
    digits: int = 1
    better: int = 1
    signed: bool = False  # a difference: "+" stands before what is above 0


@dataclass(frozen=True)
class Comparison:
    """R rows in C columns."""

    head: str  # above the names of the rows
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    values: NDArray[np.float64]  # (R, C), NaN where nothing was measured
    low: NDArray[np.float64]  # (R, C) end of the 95 % interval, NaN where there is none
    high: NDArray[np.float64]  # (R, C)
    ranked: tuple[bool, ...]  # of each row: whether it may be the best; an oracle may not

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def best(self) -> NDArray[np.bool_]:
        """(R, C) the best value of each column among the ranked rows, as it is printed; none of a single row."""
        found = np.zeros(self.values.shape, bool)
        ranked = np.array(self.ranked)
        for c, column in enumerate(self.columns):
            printed = column.better * np.round(column.scale * self.values[:, c], column.digits)
            printed = np.where(ranked & np.isfinite(self.values[:, c]), printed, -np.inf)
            if column.better and np.isfinite(printed).sum() > 1:
                found[:, c] = np.isfinite(printed) & (printed == printed.max())
        return found

    def part(self, rows: Sequence[str], columns: Sequence[str], intervals: bool = True) -> "Comparison":
        """Some of its rows and columns, in their order; with the intervals or without."""
        r = [n for n, name in enumerate(self.rows) if name in rows]
        c = [n for n, name in enumerate(self.names) if name in columns]
        grids = {name: getattr(self, name)[np.ix_(r, c)] for name in ("values", "low", "high")}
        if not intervals:
            grids |= {name: np.full_like(grids[name], np.nan) for name in ("low", "high")}
        kept = tuple(self.columns[n] for n in c)
        return replace(
            self, rows=tuple(self.rows[n] for n in r), columns=kept, ranked=tuple(self.ranked[n] for n in r), **grids
        )

    def cells(self, bold: str = "**{}**", interval: str = " [{}, {}]") -> list[list[str]]:
        """What is printed, a list a row."""
        best = self.best
        return [[self._cell(r, c, bold if best[r, c] else "{}", interval) for c in self._all]
                for r in range(len(self.rows))]  # fmt: skip

    def latex(self) -> str:
        """A tabular with booktabs; intervals stand small behind the values."""
        lines = [
            "% \\usepackage{booktabs}",
            f"\\begin{{tabular}}{{l{'r' * len(self.columns)}}}",
            "\\toprule",
            " & ".join([tex(self.head), *map(tex, self.names)]) + r" \\",
            "\\midrule",
        ]
        for row, cells in zip(self.rows, self.cells(r"\textbf{{{}}}", r"{{\footnotesize\,[{}, {}]}}"), strict=True):
            cells = [cell.replace("-", "$-$").replace(MISSING, "--") for cell in cells]
            lines.append(" & ".join([tex(row), *cells]) + r" \\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])

    def markdown(self) -> str:
        """A table in Markdown."""
        head = f"| {self.head} | " + " | ".join(self.names) + " |"
        rule = "|---|" + "--:|" * len(self.columns)
        lines = [f"| {row} | " + " | ".join(cells) + " |" for row, cells in zip(self.rows, self.cells(), strict=True)]
        return "\n".join([head, rule, *lines, ""])

    def csv(self) -> str:
        """A row for each value: row, column, value, low, high as measured, and whether it is the best of its column."""
        best = self.best
        table = pd.DataFrame(
            [
                {"row": row, "column": column, "value": self.values[r, c], "low": self.low[r, c],
                 "high": self.high[r, c], "best": bool(best[r, c])}
                for r, row in enumerate(self.rows)
                for c, column in enumerate(self.names)
            ]
        )  # fmt: skip
        return str(table.to_csv(index=False, float_format="%.6g"))

    @property
    def _all(self) -> range:
        return range(len(self.columns))

    def _cell(self, r: int, c: int, bold: str, interval: str) -> str:
        if np.isnan(self.values[r, c]):
            return MISSING
        column = self.columns[c]
        form = f"{'+' if column.signed else ''}.{column.digits}f"
        value, low, high = (
            f"{column.scale * array[r, c]:{form}}" for array in (self.values, self.low, self.high)
        )  # fmt: skip
        return bold.format(value) + ("" if np.isnan(self.low[r, c]) else interval.format(low, high))


def comparison(table: pd.DataFrame, measure: str = "pck@0.1", unranked: Sequence[str] = ()) -> Comparison:
    """A comparison from a table of scores, such as `assets/evaluation/regimes.csv`.

    Args:
        table: a line a row and column: "row", a second column that names what the measure was taken in, the measure in
            [0, 1], and its interval under "low@..." and "high@..." where there is one.
        measure: column to compare.
        unranked: rows that are shown but cannot be the best, besides oracles.
    Raises:
        LookupError: no such columns; the message names those there are.
        ValueError: a value is outside of [0, 1], or stands twice.
    """
    missing = [name for name in ("row", measure) if name not in table]
    if missing:
        raise LookupError(f"no column {missing[0]!r}; the table holds {', '.join(map(str, table))}")
    across = next((name for name in table if name != "row" and not pd.api.types.is_numeric_dtype(table[name])), None)
    if across is None:
        raise LookupError(f"no column of names beside 'row'; the table holds {', '.join(map(str, table))}")
    doubled = table[table.duplicated(["row", across])]
    if len(doubled):
        raise ValueError(f"{doubled['row'].iloc[0]} in {doubled[across].iloc[0]} stands twice")
    values = table[measure].to_numpy(np.float64)
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"{measure} must lie in [0, 1], got {np.nanmin(values):g} to {np.nanmax(values):g}")
    rows, columns = tuple(map(str, table["row"].unique())), tuple(map(str, table[across].unique()))
    _, _, alpha = measure.partition("@")

    def grid(name: str) -> Any:
        found = np.full((len(rows), len(columns)), np.nan)
        if name in table:
            for row, column, value in zip(table["row"], table[across], table[name], strict=True):
                found[rows.index(str(row)), columns.index(str(column))] = value
        return found

    ranked = tuple(row not in unranked for row in rows)
    low, high = grid(f"low@{alpha}"), grid(f"high@{alpha}")
    if not measure.startswith("pck"):  # the intervals are those of the plain measure
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    kinds = tuple(map(Column, columns))
    return Comparison(f"{measure.upper()}, %", rows, kinds, grid(measure), low, high, ranked)


def wide(
    table: pd.DataFrame,
    rows: str,
    columns: Mapping[str, Column],
    head: str,
    ranked: Callable[[str], bool] | None = None,
) -> Comparison:
    """A comparison from a table that has a line a row: the column `rows` names them.

    Args:
        table: with each key of `columns`, and its interval under "<key> low" and "<key> high" where there is one.
        rows: the column of names.
        columns: how each is printed.
        head: above the names of the rows.
        ranked: whether a row may be the best; None: every one.
    Raises:
        LookupError: a column is missing.
    """
    if missing := [name for name in (rows, *columns) if name not in table]:
        raise LookupError(f"no column {missing[0]!r}; the table holds {', '.join(map(str, table))}")
    names = tuple(map(str, table[rows]))

    def grid(suffix: str) -> NDArray[np.float64]:
        nothing = np.full(len(table), np.nan)
        held: list[ArrayLike] = [table.get(key + suffix, nothing) for key in columns]
        return np.stack([np.asarray(one, np.float64) for one in held], -1)

    may = tuple(ranked is None or ranked(name) for name in names)
    return Comparison(head, names, tuple(columns.values()), grid(""), grid(" low"), grid(" high"), may)


# ---- the networks of one analysis


def of_analysis(analysis: Analysis, truth: ArrayLike | None = None) -> Comparison:
    """The networks of an analysis on its clip: accuracy where the truth is known, jitter, score, frame weights, cost.

    Means over the frames, with 95 % intervals of `compare.mean` where there are at least 8 frames; they say nothing
    of other clips.

    Args:
        analysis: what `freqviz.analyse` found.
        truth: (N, J, 2) true joints of the frames analysed, NaN where unknown; frame pixels.
    """
    traces = list(analysis.traces.values())
    rows: list[dict[str, Any]] = []
    for place, trace in enumerate(traces):
        other = replace(traces[(place + 1) % len(traces)], network="another")  # a pair has two names
        pair = pairs.Pair(trace, other, None if truth is None else np.asarray(truth, np.float64))
        row: dict[str, Any] = {"network": trace.network}
        for name in pair.quantities:
            row |= _mean(name, pair.over_clip(name)[0])
        rows.append(row | _mean("frames", np.asarray(trace.effective_frames)))
    table = pd.DataFrame(rows).merge(run.costs(analysis), on="network")
    known = {name: column for name, column in OF_RUN.items() if name in table}
    return wide(table, "network", known, "network")


OF_RUN = {
    "pck@0.05": Column("PCK@.05, %"),
    "pck@0.1": Column("PCK@.1, %"),
    "pck@0.2": Column("PCK@.2, %"),
    "error": Column("error, % of box", 100, 2, -1),
    "acceleration error": Column("acceleration error, % of box", 100, 2, -1),
    "jitter": Column("jitter, % of box", 100, 2, -1),
    "score": Column("score", 1, 2, 0),
    "frames": Column("effective frames", 1, 2, 0),
    "parameters": Column("parameters, M", 1e-6, 2, 0),
    "multiply_adds": Column("multiply-adds, G", 1e-9, 2, 0),
    "seconds_per_frame": Column("ms/frame", 1000, 1, 0),
}


def _mean(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    known = values[np.isfinite(values)]
    try:
        found = compare.mean(known)
    except ValueError:  # too few frames
        return {name: float(known.mean()) if len(known) else np.nan}
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


# ---- the tables of the evaluation

MEASURES = ("pck@0.05", "pck@0.1", "pck@0.2")
REGIMES = ("R0", "R1", "R2", "R3", "R4")  # what the README shows of them; the others can be chosen
MEASURED = frozenset({"regimes", "speed", "out_of_range", "methods", "evidence", "restored"})  # at any of `MEASURES`
FILES = {  # title: file in assets/evaluation
    "Added blur": "regimes",
    "Natural motion": "speed",
    "Joints": "joints",
    "Goals": "goals",
    "Restoring first": "lead",
    "Parts switched off": "switches",
    "Out of range": "out_of_range",
    "Frame weights": "weights",
    "Jitter of whole clips": "jitter",
    "Cost": "cost",
    "Single frames": "references",
    "Every method": "methods",
    "Restored frames": "restored",
    "Every condition": "evidence",
    "Differences in every condition": "differences",
    "Traps for energy": "traps",
    "What each choice is worth": "ablations",
    "Draws": "manifest",
}


def evaluations(folder: Path) -> dict[str, Callable[[str], Comparison]]:
    """The tables that the evaluation has written, by title; each is made for a measure.

    Args:
        folder: assets/evaluation.
    """
    return {title: partial(stored, folder / f"{name}.csv") for title, name in FILES.items()}


def stored(file: Path, measure: str = "pck@0.1") -> Comparison:
    """A table of the evaluation, told by the name of its file; any other as `comparison` takes it.

    Raises:
        LookupError, ValueError: it does not hold what such a table holds; see `comparison` and `wide`.
    """
    table, name = pd.read_csv(file), file.stem
    held = ", ".join(map(str, table))
    try:
        if name in _MADE:
            return _MADE[name](table)
        if name in _MADE_FOR:
            return _MADE_FOR[name](table, measure)
    except KeyError as error:
        raise LookupError(f"no column {error}; the table holds {held}") from None
    oracles = [str(row) for row in table.get("row", ()) if str(row).startswith(ORACLE)]
    return comparison(table, measure, oracles)


def _may(row: str) -> bool:
    return not row.startswith(ORACLE)


def _joints(table: pd.DataFrame) -> Comparison:
    return wide(table, "row", {str(one): Column(str(one)) for one in table if one != "row"}, "PCK@0.1, R0, %", _may)


def _goals(table: pd.DataFrame) -> Comparison:
    table = table.rename(columns={"low": "difference low", "high": "difference high"})
    table["question"] += ", PCK@" + table["pck"].map("{:g}".format)
    kinds = {"difference": Column("points", 100, 1, 0, True), "p (Holm)": Column("p", 1, 4, 0)}
    return wide(table, "question", kinds, "freq-video minus …")


def _switches(table: pd.DataFrame) -> Comparison:
    names = {"R0": "R0, PCK@.1", "R2": "R2, PCK@.05", "R5 fast": "R5 fast, PCK@.1"}
    kinds = {name: Column(title, 100, 1, 0, True) for name, title in names.items()}
    return wide(table, "switched off", kinds, "switched off")


def _out_of_range(table: pd.DataFrame, measure: str) -> Comparison:
    table["row"] += ", up to " + table["trained up to px"].map("{:g}".format) + " px"
    return comparison(table.drop(columns=["low", "high"]), measure)


def _weights(table: pd.DataFrame) -> Comparison:
    table = table.dropna(subset=["rank correlation"])
    flat = table.pivot(index="row", columns="regime", values=["rank correlation", "effective frames"])
    flat = flat.reindex(table["row"].unique())
    signs = {"rank correlation": "ρ", "effective frames": "frames"}
    keys = [(what, regime) for regime in table["regime"].unique() for what in signs]
    known = pd.DataFrame({f"{regime}: {signs[what]}": flat[what, regime] for what, regime in keys}).reset_index()
    kinds = {str(name): Column(str(name), 1, 2, 0) for name in known if name != "row"}
    return wide(known, "row", kinds, "frame weights")


def _jitter(table: pd.DataFrame) -> Comparison:
    kinds = {"acceleration error": Column("acceleration error, R5, % of box", 100, 2, -1)}
    return wide(table, "row", kinds, "whole clips", _may)


def _cost(table: pd.DataFrame) -> Comparison:
    if table["device"].nunique() > 1:
        table["network"] += ", " + table["device"]
    return wide(table, "network", COSTS, "network")


COSTS = {
    "parameters": Column("parameters, M", 1e-6, 2, 0),
    "multiply-adds": Column("multiply-adds of a window, G", 1e-9, 2, 0),
    "multiply-adds a frame": Column("of a frame of a clip, G", 1e-9, 2, 0),
    "clip seconds": Column("a frame of a clip, ms", 1e3, 2, 0),
    "frames/s": Column("frames/s", 1, 1, 0),
    "clip ratio": Column("× spatial-video", 1, 2, 0),
    "clip share": Column("of the ceiling, %", 100, 0, 0),
    "window seconds": Column("a window alone, ms", 1e3, 2, 0),
    "window ratio": Column("a window × spatial-video", 1, 2, 0),
    "window share": Column("a window of the ceiling, %", 100, 0, 0),
    "memory": Column("memory, MB", 1e-6, 0, 0),
}


def _references(table: pd.DataFrame) -> Comparison:
    kinds = {str(one): Column(str(one), better=0) for one in table if one != "setting"}
    return wide(table, "setting", kinds, "spatial-frame, PCK, %")


def _methods(table: pd.DataFrame, measure: str) -> Comparison:
    against = {"R0": "R0 − spatial-frame, PCK@.1", "R2": "R2 − spatial-video, PCK@.05"}
    ends = {f"{regime} {end}": f"{regime} difference {end}" for regime in against for end in ("low", "high")}
    kinds = {f"{regime} {measure}": Column(f"{regime}, {measure.upper()}, %") for regime in against}
    kinds |= {f"{regime} difference": Column(title, 100, 1, 0, True) for regime, title in against.items()}
    kinds |= {"parameters": OF_RUN["parameters"], "multiply-adds": OF_RUN["multiply_adds"]}
    return wide(table.rename(columns=ends), "row", kinds, "every method")


def _restored(table: pd.DataFrame, measure: str) -> Comparison:
    table["row"] += ", " + table["regime"].replace("goal", "R1 to R3")
    kinds = {
        "psnr": Column("PSNR, dB", 1, 2, 0), "ssim": Column("SSIM", 1, 3, 0),
        measure: Column(f"{measure.upper()}, %", better=0), "gain": Column("over the blurred frame, dB", 1, 2, 0, True),
        "over twin": Column("over the twin, dB", 1, 2, 0, True),
    }  # fmt: skip
    return wide(table, "row", kinds, "restored frames")


def _conditions(table: pd.DataFrame, measure: str) -> Comparison:
    """A row a condition, a column a network."""
    places = table["question"] + ": " + table["condition"]
    found = comparison(
        table.drop(columns=["question", "condition"]).rename(columns={"row": "of"}).assign(row=places), measure
    )
    return replace(found, columns=tuple(replace(column, better=0) for column in found.columns))


def _differences(table: pd.DataFrame) -> Comparison:
    """A row a condition, a column a rival; a difference that several questions have stands once."""
    table = table[~table["again"]]
    places = table["question"] + ": " + table["condition"] + ", PCK@" + table["pck"].map("{:g}".format)
    return _across(table.assign(place=places), "place", "against", Column("{}", 100, 1, 0, True), "freq-video minus …")


def _lead(table: pd.DataFrame) -> Comparison:
    """A row a regime, a column a rival."""
    places = table["regime"] + ", PCK@" + table["pck"].map("{:g}".format)
    kind = Column("{}", 100, 1, 0, True)
    return _across(table.assign(place=places), "place", "against", kind, "freq-restored minus …")


def _traps(table: pd.DataFrame) -> Comparison:
    bare = table.drop(columns=["low", "high"]).assign(share=table["without"], row=table["row"] + ", without the trap")
    kind = Column("{}", better=0)
    return _across(pd.concat([table, bare]), "row", "trap", kind, "outweighs the sharp frame, %", "share")


def _ablations(table: pd.DataFrame) -> Comparison:
    """A row an answer, two columns a regime: PCK@.05, and its difference to the answer that others are held to."""
    table["place"] = table["question"] + ": " + table["row"]
    flat = table.pivot(index="place", columns="regime", values=["pck@0.05", "difference", "low", "high"])
    flat = flat.reindex(table["place"].unique())
    known, kinds = pd.DataFrame({"place": flat.index}), dict[str, Column]()
    for regime in map(str, table["regime"].unique()):
        known[regime] = flat["pck@0.05", regime].to_numpy()
        for name, suffix in (("difference", ""), ("low", " low"), ("high", " high")):
            known[f"{regime} minus the base{suffix}"] = flat[name, regime].to_numpy()
        kinds |= {regime: Column(f"{regime}, %", better=0)}
        kinds |= {f"{regime} minus the base": Column(f"{regime} − base", 100, 1, 0, True)}
    return wide(known, "place", kinds, "PCK@.05")


def _across(
    table: pd.DataFrame, rows: str, columns: str, kind: Column, head: str, value: str = "difference"
) -> Comparison:
    """A line a row and column, with low and high, laid out; `kind` prints all columns, their names put into its own."""
    flat = table.pivot(index=rows, columns=columns, values=[value, "low", "high"]).reindex(table[rows].unique())
    names = [str(one) for one in table[columns].unique()]
    known = pd.DataFrame({rows: flat.index} | {
        name + suffix: flat[what, name].to_numpy()
        for name in names for what, suffix in ((value, ""), ("low", " low"), ("high", " high"))
    })  # fmt: skip
    return wide(known, rows, {name: replace(kind, name=kind.name.format(name)) for name in names}, head)


def _draws(table: pd.DataFrame) -> Comparison:
    """What the draws of each regime came to; the csv has every single one."""
    lengths = np.array([[float(one) for one in text.split()] for text in table["lengths px"]])
    key, others = lengths[:, 2], np.delete(lengths, 2, 1)
    told = {
        "windows": np.ones(len(table)), "key frame, px": key, "neighbours, px": others.mean(1),
        "longest, px": lengths.max(1), "sharp neighbours": (others == 0).sum(1),
        "with a trap, %": table["trap"].notna(),
    }  # fmt: skip
    groups = pd.DataFrame(told).astype(float).groupby(table["regime"])
    known = groups.mean().assign(windows=groups.size()).reset_index()
    scale = {"windows": (1, 0), "with a trap, %": (100, 0)}
    return wide(
        known, "regime", {name: Column(name, *scale.get(name, (1, 1)), 0) for name in told}, "mean of the draws"
    )


_MADE = {
    "joints": _joints, "goals": _goals, "switches": _switches, "weights": _weights, "jitter": _jitter, "cost": _cost,
    "references": _references, "differences": _differences, "traps": _traps, "manifest": _draws,
    "ablations": _ablations, "lead": _lead,
}  # fmt: skip
_MADE_FOR = {"out_of_range": _out_of_range, "methods": _methods, "restored": _restored, "evidence": _conditions}
