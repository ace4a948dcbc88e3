"""Comparisons as tables for papers: LaTeX with booktabs, Markdown and CSV, the best marked, intervals shown.

The best of a column is bold, and so is what is printed alike; oracles are shown but cannot be the best.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import compare, pairs, run
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


def of_analysis(analysis: run.Analysis, truth: ArrayLike | None = None) -> Comparison:
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


def evaluations(folder: Path) -> dict[str, Callable[[str], Comparison]]:
    """The tables that `python -m freqviz evaluate --all` has written, by title; each is made for a measure.

    Args:
        folder: assets/evaluation.
    """

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(folder / f"{name}.csv")

    def may(row: str) -> bool:
        return not row.startswith(ORACLE)

    def scores(name: str) -> Callable[[str], Comparison]:
        def make(measure: str) -> Comparison:
            table = read(name)
            return comparison(table, measure, [row for row in table["row"] if not may(row)])

        return make

    def joints(measure: str) -> Comparison:
        table = read("joints")
        return wide(table, "row", {str(one): Column(str(one)) for one in table if one != "row"}, "PCK@0.1, R0, %", may)

    def goals(measure: str) -> Comparison:
        table = read("goals").rename(columns={"low": "difference low", "high": "difference high"})
        table["question"] += ", PCK@" + table["pck"].map("{:g}".format)
        kinds = {"difference": Column("points", 100, 1, 0, True), "p (Holm)": Column("p", 1, 4, 0)}
        return wide(table, "question", kinds, "freq-video minus …")

    def switches(measure: str) -> Comparison:
        names = {"R0": "R0, PCK@.1", "R2": "R2, PCK@.05", "R5 fast": "R5 fast, PCK@.1"}
        kinds = {name: Column(title, 100, 1, 0, True) for name, title in names.items()}
        return wide(read("switches"), "switched off", kinds, "switched off")

    def out_of_range(measure: str) -> Comparison:
        table = read("out_of_range")
        table["row"] += ", up to " + table["trained up to px"].map("{:g}".format) + " px"
        return comparison(table.drop(columns=["low", "high"]), measure)

    def weights(measure: str) -> Comparison:
        table = read("weights").dropna(subset=["rank correlation"])
        flat = table.pivot(index="row", columns="regime", values=["rank correlation", "effective frames"])
        flat = flat.reindex(table["row"].unique())
        signs = {"rank correlation": "ρ", "effective frames": "frames"}
        keys = [(what, regime) for regime in table["regime"].unique() for what in signs]
        known = pd.DataFrame({f"{regime}: {signs[what]}": flat[what, regime] for what, regime in keys}).reset_index()
        kinds = {str(name): Column(str(name), 1, 2, 0) for name in known if name != "row"}
        return wide(known, "row", kinds, "frame weights")

    def jitter(measure: str) -> Comparison:
        kinds = {"acceleration error": Column("acceleration error, R5, % of box", 100, 2, -1)}
        return wide(read("jitter"), "row", kinds, "whole clips", may)

    def cost(measure: str) -> Comparison:
        kinds = {
            "parameters": Column("parameters, M", 1e-6, 2, 0), "multiply-adds": Column("multiply-adds, G", 1e-9, 2, 0)
        }  # fmt: skip
        return wide(read("cost"), "network", kinds, "network")

    def references(measure: str) -> Comparison:
        table = read("references")
        kinds = {str(one): Column(str(one), better=0) for one in table if one != "setting"}
        return wide(table, "setting", kinds, "spatial-frame, PCK, %")

    return {
        "Added blur": scores("regimes"),
        "Natural motion": scores("speed"),
        "Joints": joints,
        "Goals": goals,
        "Parts switched off": switches,
        "Out of range": out_of_range,
        "Frame weights": weights,
        "Jitter of whole clips": jitter,
        "Cost": cost,
        "Single frames": references,
    }
