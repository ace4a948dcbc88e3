"""What the README says of the comparison: each table of `report`, in Markdown."""

import math
from collections.abc import Callable

import pandas as pd

from freqviz import poses
from freqviz.learn import draws, predictions
from freqviz.learn import evaluate as ev

NETWORKS = ("spatial-frame", *ev.FIRST)
Tables = dict[str, pd.DataFrame]
Row = dict[str, object]


def text(tables: Tables) -> str:
    """All tables, each under what it shows; one that was not made is left out."""
    parts = [part for title, name, rows in PARTS if name in tables for part in (title, markdown(rows(tables)))]
    return "\n\n".join(parts)


def methods(table: pd.DataFrame) -> str:
    """The table of all methods."""
    rows: list[Row] = []
    for _, line in table.iterrows():
        gains = {
            f"{label} − `{other}`, PCK@{alpha}": points(
                *line[[f"{label} {key}" for key in ("difference", "low", "high")]]
            )
            if line.get(f"{label} low") == line.get(f"{label} low")
            else "–"
            for label, other, alpha in (("R0", "spatial-frame", ".1"), ("R2", "spatial-video", ".05"))
        }
        cost = line["parameters"] == line["parameters"]
        rows.append(
            {
                "PCK@.05 / .1 / .2, %": f"`{line['row']}`",
                **{
                    regime: " / ".join(percent(line[f"{regime} pck@{alpha}"]) for alpha in poses.ALPHAS)
                    for regime in ("R0", "R2")
                },
                **gains,
                "parameters, M": f"{line['parameters'] / 1e6:.2f}" if cost else "–",
                "multiply-adds, G": f"{line['multiply-adds'] / 1e9:.2f}" if cost else "–",
            }
        )
    return markdown(rows)


def cost(table: pd.DataFrame) -> str:
    """The table of what networks cost, as `benchmarks.cost` measures it; a table a device."""
    parts = []
    for device, own in table.groupby("device", sort=False):
        one = own.iloc[0]
        rows: list[Row] = [
            {
                "network": f"`{line['network']}`",
                "parameters, M": f"{line['parameters'] / 1e6:.2f}",
                "multiply-adds, G: a window": f"{line['multiply-adds'] / 1e9:.2f}",
                "a frame of a clip": f"{line['multiply-adds a frame'] / 1e9:.2f}",
                "a frame of a clip, ms": f"{_figures(1e3 * line['clip seconds'])} (× {line['clip ratio']:.2f})",
                "frames/s": _figures(line["frames/s"]),
                "of the ceiling": f"{100 * line['clip share']:.0f} %",
                "a window alone, ms": f"{_figures(1e3 * line['window seconds'])} (× {line['window ratio']:.2f})",
                "of the ceiling ": f"{100 * line['window share']:.0f} %",
                "memory, MB": f"{line['memory'] / 1e6:.0f}",
            }
            for _, line in own.iterrows()
        ]
        ceiling = f"{one['ceiling'] / 1e9:,.0f} G multiply-adds/s of a {one['ceiling of']}"
        head = f"{device}, {one['threads']} threads, {one['precision']}, least of {one['rounds']} rounds in turn; "
        parts += [f"{head}ceiling: {ceiling}", markdown(rows)]
    return "\n\n".join(parts)


def markdown(rows: list[Row]) -> str:
    """A table in Markdown: a line a row, a column a key of the first."""
    head = "| " + " | ".join(rows[0]) + " |"
    rule = "|" + "|".join("---" if i == 0 else "--:" for i in range(len(rows[0]))) + "|"
    return "\n".join([head, rule, *("| " + " | ".join(map(str, row.values())) + " |" for row in rows)])


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _figures(value: float) -> str:
    """A number above 0 with three figures, all of those before the point."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def points(difference: float, low: float, high: float) -> str:
    return f"{100 * difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _all(line: pd.Series) -> str:
    """PCK at the three thresholds."""
    return " / ".join(percent(line[f"pck@{alpha}"]) for alpha in poses.ALPHAS)


def _cells(table: pd.DataFrame, row: str, column: str, show: Callable[[pd.Series], str]) -> Row:
    """What one row of the comparison has in each regime or bin, in their order."""
    own = table[table.row == row].set_index(column)
    return {name: show(own.loc[name]) if name in own.index else "–" for name in table[column].unique()}


def _added_blur(tables: Tables) -> list[Row]:
    main = tables["regimes"]
    main = main[main.regime.isin(draws.SYNTHETIC)]
    rows = [row for row in (*NETWORKS, *predictions.RIVALS, *predictions.ORACLES) if row in set(main.row)]
    return [
        {"PCK@.05 / .1 / .2, %": f"`{row}`" if row in NETWORKS else row, **_cells(main, row, "regime", _all)}
        for row in rows
    ]


def _natural_motion(tables: Tables) -> list[Row]:
    speed = tables["speed"]
    return [
        {"PCK@.1, %": row, **_cells(speed, row, "speed", lambda line: percent(line["pck@0.1"]))}
        for row in speed.row.unique()
    ]


def _goals(tables: Tables) -> list[Row]:
    return [
        {"`freq-video` minus …": goal["question"], "PCK@": goal["pck"],
         "points [95 %]": points(goal["difference"], goal["low"], goal["high"]),
         "p": f"{goal['p (Holm)']:.4f}", "each seed": goal["per seed"]}
        for _, goal in tables["goals"].iterrows()
    ]  # fmt: skip


def _switches(tables: Tables) -> list[Row]:
    questions = (("R0", ".1"), ("R2", ".05"), ("R5 fast", ".1"))
    return [
        {"switched off": off["switched off"]}
        | {f"{of}, PCK@{alpha}": points(off[of], off[f"{of} low"], off[f"{of} high"]) for of, alpha in questions}
        for _, off in tables["switches"].iterrows()
    ]


def _out_of_range(tables: Tables) -> list[Row]:
    rows: list[Row] = []
    for reach, own in tables["out_of_range"].groupby("trained up to px"):
        for row in ("spatial-video", "freq-video"):
            rows.append({"PCK@.05 / .1 / .2, %": f"`{row}`, up to {reach} px", **_cells(own, row, "regime", _all)})
        apart = _cells(own, "freq-video", "regime", lambda line: points(line["difference"], line["low"], line["high"]))
        rows.append({"PCK@.05 / .1 / .2, %": "difference of the two, PCK@.05", **apart})
    return rows


def _frame_weights(tables: Tables) -> list[Row]:
    def both(line: pd.Series) -> str:
        return " / ".join(
            "–" if pd.isna(line[c]) else f"{line[c]:.2f}" for c in ("rank correlation", "effective frames")
        )

    weights = tables["weights"]
    weights = weights[weights.regime.isin([*draws.SYNTHETIC, "R5"])].copy()
    weights["regime"] += ": ρ / frames"
    return [{"frame weights": row, **_cells(weights, row, "regime", both)} for row in weights["row"].unique()]


def _lead(tables: Tables) -> list[Row]:
    return _against(tables["lead"], "freq-restored")


def _against(table: pd.DataFrame, name: str) -> list[Row]:
    def cell(line: pd.Series) -> str:
        return points(line["difference"], line["low"], line["high"])

    return [
        {f"`{name}` minus …": f"`{other}`" if other in NETWORKS else other}
        | _cells(table.rename(columns={"against": "row"}), other, "regime", cell)
        for other in table["against"].unique()
    ]


def against(table: pd.DataFrame, name: str) -> str:
    """A network minus others in every regime, points with intervals: a line a rival."""
    return markdown(_against(table, name))


def regimes(table: pd.DataFrame) -> str:
    """PCK at the three thresholds in every regime: a line a network."""
    names = table["row"].unique()
    return markdown([{"PCK@.05 / .1 / .2, %": f"`{row}`"} | _cells(table, row, "regime", _all) for row in names])


def _limbs_and_jitter(tables: Tables) -> list[Row]:
    main, jitter = tables["regimes"], tables["jitter"].set_index("row")["acceleration error"]
    extra = main[main.regime.isin(["jitter", *draws.LIMBS])]
    rows = [row for row in (*NETWORKS, *predictions.RIVALS) if row in set(main.row)]
    return [
        {"PCK@.1, %": row}
        | _cells(extra, row, "regime", lambda line: percent(line["pck@0.1"]))
        | {"acceleration error, R5": f"{100 * jitter[row]:.2f} %"}
        for row in rows
    ]


def _references(tables: Tables) -> list[Row]:
    columns = [str(column) for column in tables["references"] if column != "setting"]
    return [
        {"`spatial-frame`": one["setting"], **{column: percent(one[column]) for column in columns}}
        for _, one in tables["references"].iterrows()
    ]


PARTS: list[tuple[str, str, Callable[[Tables], list[Row]]]] = [  # title, the table that it needs, its rows
    (
        "**Added blur** (516 key frames, all 115 full-body test clips, true boxes, box norm, no flip)",
        "regimes",
        _added_blur,
    ),
    (
        "**Natural motion** (R5, every frame of the exact-scale clips; joints by true speed per frame and box side)",
        "speed",
        _natural_motion,
    ),
    (
        "**Goals, named before the run** (paired over source videos, 10,000 draws; all but the first Holm-corrected)",
        "goals",
        _goals,
    ),
    (
        "**Restoring first** (one seed, points [95 %], paired; PCK@.05 where blur was added, PCK@.1 as filmed: R5, and "
        "its fastest tenth of joints)",
        "lead",
        _lead,
    ),
    (
        "**Parts of `freq-video` switched off** at inference, nothing trained again (seed 0; points against the whole)",
        "switches",
        _switches,
    ),
    (
        "**Out of range**: heads trained with blur up to 15 px, tested at 21 to 47 (seed 0, the same steps; "
        "the frozen backbone is the same for all and has seen 47 px)",
        "out_of_range",
        _out_of_range,
    ),
    (
        "**Frame weights**: rank correlation ρ with true blur within windows, and effective number of frames",
        "weights",
        _frame_weights,
    ),
    (
        "**One limb blurred; boxes jittered by ± 10 %; jitter of whole clips** (of the box side)",
        "regimes",
        _limbs_and_jitter,
    ),
    (
        "**Single frames, nothing but motion blur** (comparable with published references)",
        "references",
        _references,
    ),
]
