"""Does a bundle hold all that a paper needs, and is it made again byte for byte?"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from freqviz import again, bundle, devices, to_matplotlib
from freqviz.__main__ import app
from freqviz.bundle import Figure
from freqviz.paper import Paper, paper

ROOT = Path(__file__).resolve().parent.parent
RUN = """import freqviz
from freqviz import figures
analysis = freqviz.analyse('assets/sample.mp4', ['freq-video'], whole_frame=True, frames=(40, 46))
panel = figures.frame_weights(list(analysis.traces.values()), 2)
"""
SPECTRUM = """import freqviz
from freqviz import figures, run
clip = freqviz.Clip('assets/sample.mp4')
cuts = run.window_cuts(clip, 41, [150, 60, 110, 215])
panel = figures.power_spectrum(cuts[2])
"""
TWO = Figure((RUN, SPECTRUM), 2, paper("CVPR, ICCV", "text"))


@pytest.fixture(scope="module")
def made():
    return TWO.made()


@pytest.fixture(scope="module")
def files(made):
    return bundle.files(TWO, made)


def test_every_kind_of_file_is_there_and_the_vector_page_is_small(files):
    assert sorted(files) == [
        "caption.tex", "caption.txt", "figure-a.csv", "figure-b-0.png", "figure-b.npz", "figure.html", "figure.json",
        "figure.pdf", "figure.png", "figure.svg", "figure.tex",
    ]  # fmt: skip
    assert len(files["figure.pdf"]) < 2_000_000
    (page,) = PdfReader(io.BytesIO(files["figure.pdf"])).pages
    assert float(page.mediabox.width) / 72 == pytest.approx(6.875, abs=0.01)
    assert "(b) Power spectrum" in page.extract_text()


def test_the_data_are_those_of_the_panels(files, made):
    with np.load(io.BytesIO(files["figure-b.npz"])) as read:
        (name,) = [name for name in read.files if name.endswith("values")]
        drawn = next(mark for mark in made[1].panel.marks if hasattr(mark, "values") and np.ndim(mark.values) == 2)
        assert np.array_equal(read[name], drawn.values)
    assert b"# Frame weights" in files["figure-a.csv"]


def test_the_description_names_what_numbers_depend_on_and_no_place_of_this_machine(files):
    told = json.loads(files["figure.json"])
    digest = hashlib.sha256((ROOT / "assets/sample.mp4").read_bytes()).hexdigest()
    assert told["clips"]["sample.mp4"]["sha256"] == digest
    assert set(told["checkpoints"]) == {"freq-video"}
    assert told["analyses"] == [{"clip": "sample.mp4", "networks": ["freq-video"], "box": "whole frame"}]
    assert {"matplotlib", "torch"} <= set(told["versions"])
    assert told["command"] == "python -m freqviz figure figure.json --out figure"
    for name, data in files.items():
        assert str(ROOT).encode() not in data, name


def test_words_tell_results_and_methods(files):
    caption, methods = files["caption.txt"].decode().strip().split("\n\n")
    assert caption.startswith("(a) Frame weights. Key frame 42.")
    assert "(b) Power spectrum." in caption
    assert re.search(r"Poses were estimated by freq-video \(checkpoint [0-9a-f]{12}\)\.", methods)
    assert "The clip sample.mp4 (SHA-256 c6f24d5d7bb9) has 384 × 288 pixels" in methods
    assert "The person's first box in sample.mp4: whole frame." in methods
    assert files["caption.tex"].startswith(b"\\caption{(a) Frame weights")


def test_the_page_needs_no_connection(files):
    page = files["figure.html"].decode()
    assert not re.findall(r"<script[^>]*\bsrc=", page)
    assert not re.findall(r"<link\b", page.split("<body>")[0])
    assert page.count("Plotly.newPlot(") >= 2


def test_a_description_is_read_back(files, tmp_path):
    (tmp_path / "figure.json").write_bytes(files["figure.json"])
    read = bundle.read(tmp_path / "figure.json")
    assert [lines.splitlines() for lines in read.panels] == [lines.splitlines() for lines in TWO.panels]
    assert (read.columns, read.paper) == (TWO.columns, TWO.paper)


def test_fresh_processes_the_command_and_a_notebook_write_the_same_bytes(files, tmp_path):
    spec = tmp_path / "figure.json"
    spec.write_bytes(files["figure.json"])
    notebook = "from freqviz import bundle; import sys; bundle.write(bundle.read(sys.argv[1]), sys.argv[2])"
    calls = {
        "one": ["-m", "freqviz", "figure", str(spec), "--out", str(tmp_path / "one")],
        "two": ["-c", notebook, str(spec), str(tmp_path / "two")],
    }
    for seed, (name, call) in enumerate(calls.items(), start=1):
        threads = str(json.loads(files["figure.json"])["threads"] + seed)  # the description says how many to take
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, *call], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stderr
        written = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        assert {key: hashlib.sha256(data).hexdigest() for key, data in written.items()} == {
            key: hashlib.sha256(data).hexdigest() for key, data in files.items()
        }


def test_an_archive_is_the_same_bytes_every_time(files):
    small = {name: data for name, data in files.items() if name != "figure.html"}
    data = bundle.zipped(small)
    assert data == bundle.zipped(small)
    assert zipfile.ZipFile(io.BytesIO(data)).read("figure.pdf") == files["figure.pdf"]


def test_a_failed_export_leaves_what_was_there(tmp_path, made, monkeypatch):
    folder = bundle.write(TWO, tmp_path / "figure", made)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    writes = []
    write_bytes = Path.write_bytes

    def full(self, data):
        writes.append(self)
        if len(writes) > 3:
            raise OSError("no space left")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        bundle.write(TWO, folder, made)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["figure"]


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path, made):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="no figure.json"):
        bundle.write(TWO, tmp_path, made)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_clip_or_checkpoint_is_told(files, tmp_path, made):
    told = json.loads(files["figure.json"])
    (tmp_path / "same.json").write_text(json.dumps(told))
    assert bundle.changed(tmp_path / "same.json", made) == []
    told["clips"]["sample.mp4"]["sha256"] = "0" * 64
    told["checkpoints"]["freq-video"] = "1" * 64
    (tmp_path / "other.json").write_text(json.dumps(told))
    clip, checkpoint = bundle.changed(tmp_path / "other.json", made)
    assert clip.startswith("the clip sample.mp4 is another one (c6f24d5d7bb9, not 000000000000)")
    assert checkpoint.startswith("the checkpoint freq-video is another one")


def test_the_number_of_threads_is_kept_and_taken_again(files, tmp_path, made):
    assert json.loads(files["figure.json"])["threads"] == made[0].analyses[0].provenance["threads"] == devices.threads()
    asked = []

    def analyse(**given):
        asked.append(devices.threads())
        return again.analyse(**given)

    before = devices.threads()
    (panel,) = Figure((RUN,), threads=before + 1).made(analyse=analyse)
    assert asked == [before + 1]
    assert devices.threads() == before
    found = bundle.files(Figure((RUN,)), [panel])
    assert json.loads(found["figure.json"])["threads"] == before + 1
    (tmp_path / "figure.json").write_bytes(found["figure.json"])
    assert bundle.read(tmp_path / "figure.json").threads == before + 1
    many = json.loads(found["figure.json"]) | {"threads": 1000}
    (tmp_path / "many.json").write_text(json.dumps(many))
    (line,) = bundle.changed(tmp_path / "many.json", [panel])
    assert line.startswith(f"it was made with 1000 threads, and this machine has {os.cpu_count()} processor")


def test_a_folder_of_images_has_a_hash_that_changes_with_them(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    hashes = []
    for shade in (100, 100, 101):
        for number in range(3):
            picture = np.full((240, 320, 3), 60 + number, np.uint8)
            picture[::2] = shade
            cv2.imwrite(str(folder / f"{number}.png"), picture)
        lines = SPECTRUM.replace("41", "0").replace("assets/sample.mp4')", f"{folder}').part(0, 2)")
        hashes.append(bundle.facts([again.panel(lines)])["clips"]["frames"]["sha256"])
    assert len(hashes[0]) == 64
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"panels": [{"python": ["x = 1"]}], "columns": 1, "paper": {}, "threads": 0}',
            "threads must be 1 to 1024, got 0",
        ),
        ("no json", "is no figure.json"),
        ("{}", "is no figure.json of freqviz: KeyError 'panels'"),
        ('{"panels": [], "columns": 1, "paper": {}}', "at least one panel"),
        ('{"panels": [{"python": ["x = 1"]}], "columns": 2, "paper": {}}', "columns must be 1 to 1, got 2"),
        ('{"panels": [{"python": ["x = 1"]}], "columns": 1, "paper": {"dpi": 3}}', "got dpi"),
        ('{"panels": [{"python": ["import os"]}], "columns": 1, "paper": {}}', "not 'os'"),
    ],
)
def test_the_command_answers_a_wrong_description_in_a_sentence(text, message, tmp_path):
    (tmp_path / "figure.json").write_text(text)
    result = CliRunner().invoke(app, ["figure", str(tmp_path / "figure.json"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_an_analysis_that_two_panels_need_is_made_once():
    asked = []

    def analyse(**given):
        asked.append(given)
        return again.analyse(**given)

    Figure((RUN, RUN.replace("), 2)", "), 3)"))).made(analyse=analyse)
    assert len(asked) == 1


def test_progress_is_told_panel_by_panel():
    told = []
    Figure((SPECTRUM, SPECTRUM)).made(lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_a_single_panel_has_no_letter(made):
    words = bundle.caption(bundle.sheet_of(Figure((RUN,)), made[:1]), Paper())
    assert words.startswith("Frame weights.")
    assert to_matplotlib.layout(made[0].panel).places[0].letter == ""


def test_the_figure_of_the_readme_can_be_made():
    made = bundle.read(ROOT / "assets" / "figure.json").made()
    assert [one.panel.title for one in made] == [
        "Poses", "Radial power", "Frame weights, freq-video", "Frame weight against blur",
    ]  # fmt: skip
    assert bundle.facts(made)["clips"]["sample.mp4"]["first"] == 0
