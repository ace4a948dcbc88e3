"""Do tables for papers print what was measured, mark the best and leave oracles out of the race?"""

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import TinyNetwork
from typer.testing import CliRunner

from freqviz import compare, pairs, tables
from freqviz.__main__ import app
from freqviz.run import analyse
from freqviz.tables import Column, comparison, wide

REGIMES = Path(__file__).parent.parent / "assets" / "evaluation" / "regimes.csv"
SCORES = pd.DataFrame(
    {
        "regime": ["R0", "R0", "R0", "R2", "R2"],
        "row": ["a_b", "twin", "oracle", "a_b", "twin"],
        "pck@0.1": [0.6391, 0.6523, 0.99, 0.5, 0.50004],
        "low@0.1": [0.58, 0.6, 0.98, 0.4, float("nan")],
        "high@0.1": [0.69, 0.7, 1.0, 0.6, float("nan")],
        "torso pck@0.1": [0.3, 0.2, 0.4, 0.1, 0.1],
    }
)


def test_the_best_is_bold_ties_too_and_an_oracle_never():
    text = comparison(SCORES, unranked=["oracle"]).markdown()
    assert text.splitlines() == [
        "| PCK@0.1, % | R0 | R2 |",
        "|---|--:|--:|",
        "| a_b | 63.9 [58.0, 69.0] | **50.0** [40.0, 60.0] |",
        "| twin | **65.2** [60.0, 70.0] | **50.0** |",
        "| oracle | 99.0 [98.0, 100.0] | – |",
    ]


def test_latex_has_booktabs_and_escaped_names():
    text = comparison(SCORES, unranked=["oracle"]).latex()
    assert r"PCK@0.1, \% & R0 & R2 \\" in text
    assert r"a\_b & 63.9{\footnotesize\,[58.0, 69.0]} & \textbf{50.0}{\footnotesize\,[40.0, 60.0]} \\" in text
    assert r"oracle & 99.0{\footnotesize\,[98.0, 100.0]} & -- \\" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


def test_csv_keeps_the_numbers():
    table = pd.read_csv(io.StringIO(comparison(SCORES).csv()))
    assert table["value"].dropna().tolist() == [0.6391, 0.5, 0.6523, 0.50004, 0.99]
    assert table[table["best"]]["row"].tolist() == ["a_b", "twin", "oracle"]


def test_the_smallest_is_the_best_where_less_is_better_and_nothing_where_there_is_no_better():
    table = pd.DataFrame({
        "network": ["a", "b"], "error": [0.051, 0.042], "error low": [0.04, 0.03], "error high": [0.06, 0.05],
        "change": [0.01, -0.02], "size": [1e6, 2e6],
    })  # fmt: skip
    kinds = {
        "error": Column("error, %", 100, 1, -1), "change": Column("change", 100, 1, 0, True),
        "size": Column("M", 1e-6, 2, 0),
    }  # fmt: skip
    found = wide(table, "network", kinds, "network")
    assert found.cells() == [["5.1 [4.0, 6.0]", "+1.0", "1.00"], ["**4.2** [3.0, 5.0]", "-2.0", "2.00"]]
    assert found.part(["a"], ["error", "error, %"]).cells() == [["5.1 [4.0, 6.0]"]], "nothing is the best of one row"
    assert found.part(["b", "a"], ["M", "error, %"], intervals=False).cells() == [["5.1", "1.00"], ["**4.2**", "2.00"]]
    with pytest.raises(LookupError, match="no column 'jitter'; the table holds network, error"):
        wide(table, "network", {"jitter": Column("jitter")}, "network")


def test_the_networks_of_a_run_stand_with_their_means_and_intervals(tiny, walk):
    analysis = analyse(
        walk, {"spatial-video": tiny, "freq-video": TinyNetwork(3).eval()}, whole_frame=True, device="cpu"
    )
    truth = np.full((20, 14, 2), np.nan)
    truth[:, 3:9] = np.random.default_rng(4).uniform(30, 90, (20, 6, 2))
    found = tables.of_analysis(analysis, truth)
    assert found.rows == ("spatial-video", "freq-video")
    pair = pairs.Pair(*analysis.traces.values(), truth)
    for row, values in enumerate(pair.over_clip("error")):
        column = found.names.index("error, % of box")
        mean = compare.mean(values)
        assert found.values[row, column] == pytest.approx(values.mean())
        assert (found.low[row, column], found.high[row, column]) == (mean.low, mean.high)
    without = tables.of_analysis(analysis)
    assert not {name for name in without.names if name.startswith(("PCK", "error"))}
    assert without.values[:, without.names.index("effective frames")] == pytest.approx(
        [trace.effective_frames.mean() for trace in analysis.traces.values()]
    )
    alone = analyse(walk, {"freq-video": tiny}, whole_frame=True, device="cpu", frames=(0, 5))
    few = tables.of_analysis(alone)
    assert np.isnan(few.low[:, few.names.index("jitter, % of box")]).all()
    assert np.isfinite(few.values[:, few.names.index("jitter, % of box")]).all()


README = {
    "regimes",
    "speed",
    "goals",
    "lead",
    "switches",
    "out_of_range",
    "weights",
    "cost",
    "references",
    "methods",
}  # tables


@pytest.mark.parametrize("title", [title for title, file in tables.FILES.items() if file in README])
def test_the_tables_of_the_evaluation_are_those_of_the_readme(title):
    readme = re.sub("[`*]", "", (REGIMES.parents[2] / "README.md").read_text().split("<!-- tables -->")[1])
    found = tables.evaluations(REGIMES.parent)[title]("pck@0.1")
    few = title in ("Goals", "Restoring first", "Parts switched off", "Every method")  # whose intervals the README has
    shown = [cell.replace("−", "-") for row in found.part(found.rows, found.names, few).cells() for cell in row]
    absent = [cell for cell in shown if cell != tables.MISSING and cell.strip("*") not in readme]
    assert len(absent) < 0.2 * len(shown), absent  # the README leaves some regimes out


@pytest.mark.parametrize("file", sorted(REGIMES.parent.glob("*.csv")), ids=lambda file: file.stem)
def test_every_stored_table_is_offered_and_printed_in_all_three_forms(file):
    title = {name: title for title, name in tables.FILES.items()}[file.stem]
    found = tables.evaluations(file.parent)[title]("pck@0.05")
    lines = found.latex().splitlines()
    assert lines[1] == f"\\begin{{tabular}}{{l{'r' * len(found.columns)}}}"
    body = [line for line in lines[2:-1] if not line.endswith("rule")]
    assert len(body) == len(found.rows) + 1
    for line in body:
        assert line.endswith(r" \\")
        assert len(re.findall(r"(?<!\\)&", line)) == len(found.columns)
        assert line.count("{") == line.count("}")
        assert line.isascii(), "signs that LaTeX's fonts may lack"
        assert not re.search(r"(?<!\\)[%#_]", line)
    table = found.markdown().splitlines()
    assert len(table) == len(found.rows) + 2
    assert {line.count("|") for line in table} == {len(found.columns) + 2}
    numbers = pd.read_csv(io.StringIO(found.csv()))
    assert len(numbers) == len(found.rows) * len(found.columns)
    assert numbers["value"].notna().sum() > 0.3 * len(numbers)
    assert len(set(found.rows)) == len(found.rows)


def test_differences_and_scores_of_every_condition_are_those_of_their_files():
    scores, apart = (pd.read_csv(REGIMES.with_name(f"{name}.csv")) for name in ("evidence", "differences"))
    found = tables.stored(REGIMES.with_name("evidence.csv"), "pck@0.2")
    line = scores[(scores["condition"] == "JPEG 10") & (scores["row"] == "freq-video")].iloc[0]
    place = found.rows.index("Compression: JPEG 10"), found.names.index("freq-video")
    assert (found.values[place], found.low[place]) == (line["pck@0.2"], line["low@0.2"])
    assert not found.best.any(), "conditions are no rivals"
    found = tables.stored(REGIMES.with_name("differences.csv"))
    assert len(found.rows) == (~apart["again"]).sum() / 3
    line = apart[(apart["condition"] == "JPEG 10") & (apart["against"] == "spatial-frame")].iloc[0]
    place = found.rows.index("Compression: JPEG 10, PCK@0.1"), found.names.index("spatial-frame")
    assert (found.values[place], found.high[place]) == (line["difference"], line["high"])


def test_draws_are_summed_up_by_regime(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "clip,frame,regime,lengths px,angles rad,trap\n"
        "a,0,R2,40.0 0.0 21.0 32.0 40.0,0 0 0 0 0,\n"
        "a,8,R2,0.0 36.0 31.0 36.0 36.0,0 0 0 0 0,3:occluder\n"
    )
    found = tables.stored(tmp_path / "manifest.csv")
    assert dict(zip(found.names, found.cells()[0], strict=True)) == {
        "windows": "2", "key frame, px": "26.0", "neighbours, px": "27.5", "longest, px": "38.0",
        "sharp neighbours": "1.0", "with a trap, %": "50",
    }  # fmt: skip
    (tmp_path / "goals.csv").write_text("row,pck\na,1\n")
    with pytest.raises(LookupError, match="no column 'question'; the table holds row, pck"):
        tables.stored(tmp_path / "goals.csv")


def test_intervals_of_another_measure_are_not_shown():
    assert "[" not in comparison(SCORES, "torso pck@0.1").markdown()


@pytest.mark.parametrize(
    ("table", "measure", "error", "message"),
    [
        (SCORES, "auc", LookupError, "no column 'auc'; the table holds regime, row, pck@0.1"),
        (SCORES.drop(columns="row"), "pck@0.1", LookupError, "no column 'row'"),
        (SCORES.drop(columns="regime"), "pck@0.1", LookupError, "no column of names beside 'row'"),
        (pd.concat([SCORES, SCORES]), "pck@0.1", ValueError, "a_b in R0 stands twice"),
        (SCORES.assign(**{"pck@0.1": 63.9}), "pck@0.1", ValueError, r"must lie in \[0, 1\], got 63.9 to 63.9"),
    ],
)
def test_what_is_no_comparison_is_refused(table, measure, error, message):
    with pytest.raises(error, match=message):
        comparison(table, measure)


def test_the_command_writes_all_three(tmp_path):
    result = CliRunner().invoke(app, ["table", str(REGIMES), "--measure", "pck@0.05", "--out", str(tmp_path / "r.tex")])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.md", "r.tex"]
    scores = pd.read_csv(REGIMES)
    real = scores[(scores["regime"] == "R0") & (scores["row"] == "freq-video")]["pck@0.05"].iloc[0]
    assert f"{100 * real:.1f}" in (tmp_path / "r.md").read_text()
    written = pd.read_csv(tmp_path / "r.csv")
    assert not written[written["best"]]["row"].str.contains("oracle").any()
    over = CliRunner().invoke(app, ["table", str(tmp_path / "r.csv"), "--out", str(tmp_path / "r.tex")])
    assert (over.exit_code, "would overwrite" in over.output) == (2, True)
    wrong = CliRunner().invoke(app, ["table", str(REGIMES), "--measure", "auc"])
    assert wrong.exit_code == 2
    assert "no column 'auc'" in " ".join(wrong.output.split())


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs TeX: apt-get install texlive-latex-base")
def test_the_table_compiles(tmp_path):
    body = "\n\n".join(make("pck@0.1").latex() for make in tables.evaluations(REGIMES.parent).values())
    source = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(source)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:]
