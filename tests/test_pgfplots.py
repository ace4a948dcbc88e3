"""Does the LaTeX source hold what the panel says, and read its numbers from the files beside it?"""

import io
import re
import shutil
import subprocess
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest
from test_panel import everything
from test_paper import BARS, CURVE

from freqviz import bundle, to_pgfplots
from freqviz.panel import Axis, Heatmap, Line, Panel, Sheet
from freqviz.paper import Paper
from freqviz.to_pgfplots import tex


def test_the_csv_holds_every_series_and_says_what_they_are():
    data = to_pgfplots.table(everything()).decode()
    table = pd.read_csv(io.StringIO(data), comment="#")
    assert table["series"].value_counts().sort_index().to_dict() == {
        2: 2, 3: 2, 4: 2, 5: 2, 6: 3, 7: 2, 8: 4, 9: 1, 10: 1,
    }  # fmt: skip
    assert table[table["series"] == 7][["x", "y", "u", "v"]].to_numpy().tolist() == [[1, 1, 2, 0], [2, 2, 0, 1]]
    assert "# series 5: line line\n" in data
    assert "# series 8: skeleton freq-video: head, left hand, right hand, left foot\n" in data
    assert all(len(line.split(",")) == len(table.columns) for line in data.splitlines() if not line.startswith("#"))


def test_a_panel_of_a_map_alone_has_no_csv():
    alone = Panel("t", Axis("x"), Axis("y"), (Heatmap([[0, 1]], [0, 1], [0], Axis("Power", "dB", (0, 1))),))
    assert to_pgfplots.table(alone) == b""
    assert sorted(to_pgfplots.to_pgfplots(alone)) == ["figure-a-0.png", "figure.tex"]


def test_every_file_that_the_source_reads_is_there():
    files = to_pgfplots.to_pgfplots(Sheet((everything(), CURVE), 2), Paper(6.875), name="two")
    source = files["two.tex"].decode()
    named = set(re.findall(r"\{(two-[^}]*\.(?:csv|png))\}", source))
    assert named == set(files) - {"two.tex"}
    assert {"two-a.csv", "two-b.csv", "two-a-0.png", "two-a-1.png"} == named


def test_limits_labels_and_direction_stand_in_the_source():
    source = to_pgfplots.to_pgfplots(everything())["figure.tex"].decode()
    assert "xlabel={x (px)}, xmin=-0.5, xmax=5.5" in source
    assert "ylabel={y (px)}, ymin=-0.5, ymax=3.5" in source
    assert "y dir=reverse" in source
    assert "point meta min=-3, point meta max=30" in source
    assert source.count(r"\addlegendentry") == 7
    log = Panel("t", Axis("x"), Axis("Loss", limits=(0.1, 100), scale="log"), (Line([0, 1], [1, 10]),))
    assert "ymode=log" in to_pgfplots.to_pgfplots(log)["figure.tex"].decode()


def test_a_map_is_a_picture_whose_first_row_is_on_top_and_whose_cells_stay_sharp():
    values = np.arange(6.0).reshape(2, 3)
    one = Panel("t", Axis("x"), Axis("y"), (Heatmap(values, [0, 1, 2], [0, 1], Axis("Power", "", (0, 5))),))
    pixels = cv2.imdecode(np.frombuffer(to_pgfplots.to_pgfplots(one)["figure-a-0.png"], np.uint8), 1)[..., ::-1]
    assert pixels.shape[1] >= 900
    h, w = pixels.shape[0] // 2, pixels.shape[1] // 3
    assert (pixels[:h, :w] == pixels[0, 0]).all()
    assert pixels[0, 0].tolist() == [0x00, 0x22, 0x4E]  # the lowest stop
    assert pixels[-1, -1].tolist() == [0xFE, 0xE8, 0x38]


def test_what_several_panels_name_stands_once():
    source = to_pgfplots.to_pgfplots(Sheet((CURVE, BARS), 2), Paper(6))["figure.tex"].decode()
    assert source.count(r"\addlegendentry{freq-video}") == 1
    assert source.count(r"\addlegendentry{level}") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of a_b & c#1 {x} $ ^ ~ \\", r"50 \% of a\_b \& c\#1 \{x\} \$ \textasciicircum{} \textasciitilde{} "
         r"\textbackslash{}"),
        ("−1 ± 2 × 3°", r"$-$1 $\pm$ 2 $\times$ 3$^\circ$"),
        ("“naïve” – café", "``naïve'' -- café"),
    ],
)  # fmt: skip
def test_text_becomes_latex(text, expected):
    assert tex(text) == expected


def test_a_sign_without_latex_is_named():
    with pytest.raises(ValueError, match="no LaTeX known for 日"):
        tex("日")


def test_an_npz_holds_pictures_and_maps_the_same_bytes_every_time():
    held = to_pgfplots.arrays(everything())
    data = bundle.zipped(to_pgfplots.npz(held))
    assert data == bundle.zipped(to_pgfplots.npz(held))
    with np.load(io.BytesIO(data)) as read:
        assert read["series_0_pixels"].shape == (4, 6, 3)
        assert np.array_equal(read["series_1_values"], np.arange(24.0).reshape(4, 6))
    assert {info.date_time for info in zipfile.ZipFile(io.BytesIO(data)).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def has_pgfplots() -> bool:
    known = shutil.which("kpsewhich") and subprocess.run(
        ["kpsewhich", "pgfplots.sty"], capture_output=True, check=False
    )
    return bool(known and known.stdout)


@pytest.mark.skipif(not has_pgfplots(), reason="needs TeX with pgfplots: apt-get install texlive-pictures")
def test_the_source_compiles_to_a_page_of_the_asked_width(tmp_path):
    from pypdf import PdfReader

    for name, data in to_pgfplots.to_pgfplots(Sheet((everything(), CURVE, BARS), 3), Paper(6.875)).items():
        (tmp_path / name).write_bytes(data)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "figure.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    (page,) = PdfReader(tmp_path / "figure.pdf").pages
    assert float(page.mediabox.width) / 72 == pytest.approx(6.875, abs=0.01)
    assert "level" in page.extract_text()
