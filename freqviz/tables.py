"""Comparisons as tables for papers: LaTeX with booktabs, Markdown and CSV, the best marked, intervals shown.

Values are shares in [0, 1], printed in per cent. The best of a column is bold, and so is what is printed alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqviz.to_pgfplots import tex

MISSING = "–"


@dataclass(frozen=True)
class Comparison:
    """R rows in C columns of one measure."""

    measure: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]  # (R, C) in [0, 1], NaN where nothing was measured
    low: NDArray[np.float64]  # (R, C) end of the 95 % interval, NaN where there is none
    high: NDArray[np.float64]  # (R, C)
    ranked: tuple[bool, ...]  # of each row: whether it may be the best; an oracle may not

    @property
    def best(self) -> NDArray[np.bool_]:
        """(R, C) the largest value of each column among the ranked rows, as it is printed."""
        printed = np.where(np.array(self.ranked)[:, None], np.round(100 * self.values, 1), np.nan)
        filled = np.where(np.isnan(printed), -np.inf, printed)
        return np.isfinite(printed) & (filled == filled.max(0))

    def latex(self) -> str:
        """A tabular with booktabs; intervals stand small behind the values."""
        lines = [
            "% \\usepackage{booktabs}",
            f"\\begin{{tabular}}{{l{'r' * len(self.columns)}}}",
            "\\toprule",
            " & ".join([tex(f"{self.measure}, %"), *map(tex, self.columns)]) + r" \\",
            "\\midrule",
        ]
        for r, row in enumerate(self.rows):
            cells = [self._cell(r, c, r"\textbf{{{}}}", r"{{\footnotesize\,[{}, {}]}}") for c in self._all]
            cells = [cell.replace("-", "$-$").replace(MISSING, "--") for cell in cells]
            lines.append(" & ".join([tex(row), *cells]) + r" \\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])

    def markdown(self) -> str:
        """A table in Markdown."""
        head = f"| {self.measure}, % | " + " | ".join(self.columns) + " |"
        rule = "|---|" + "--:|" * len(self.columns)
        lines = [
            f"| {row} | " + " | ".join(self._cell(r, c, "**{}**", " [{}, {}]") for c in self._all) + " |"
            for r, row in enumerate(self.rows)
        ]
        return "\n".join([head, rule, *lines, ""])

    def csv(self) -> str:
        """A row for each value: row, column, value, low, high in [0, 1], and whether it is the best of its column."""
        best = self.best
        table = pd.DataFrame(
            [
                {"row": row, "column": column, "value": self.values[r, c], "low": self.low[r, c],
                 "high": self.high[r, c], "best": bool(best[r, c])}
                for r, row in enumerate(self.rows)
                for c, column in enumerate(self.columns)
            ]
        )  # fmt: skip
        return str(table.to_csv(index=False, float_format="%.6g"))

    @property
    def _all(self) -> range:
        return range(len(self.columns))

    def _cell(self, r: int, c: int, bold: str, interval: str) -> str:
        if np.isnan(self.values[r, c]):
            return MISSING
        value, low, high = (f"{100 * array[r, c]:.1f}" for array in (self.values, self.low, self.high))
        shown = bold.format(value) if self.best[r, c] else value
        return shown + ("" if np.isnan(self.low[r, c]) else interval.format(low, high))


def comparison(table: pd.DataFrame, measure: str = "pck@0.1", unranked: Sequence[str] = ()) -> Comparison:
    """A comparison from a table of scores, such as `assets/evaluation/regimes.csv`.

    Args:
        table: a line a row and column: "row", a second column that names what the measure was taken in, the measure in
            [0, 1], and its interval under "low@..." and "high@..." where there is one.
        measure: column to compare.
        unranked: rows that are shown but cannot be the best.
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
    return Comparison(measure.upper(), rows, columns, grid(measure), low, high, ranked)
