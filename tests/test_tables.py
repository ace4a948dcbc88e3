"""Do tables for papers print what was measured, mark the best and leave oracles out of the race?"""

import io
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from freqviz.__main__ import app
from freqviz.tables import comparison

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
    body = comparison(pd.read_csv(REGIMES)).latex()
    source = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(source)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:]
