"""Do the commands do what they say, and does bad input end in one sentence and exit code 2?"""

import importlib.metadata
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import FollowingNetwork, TinyNetwork, walking_frames
from typer.testing import CliRunner

import models
from freqviz import evidence, run, to_matplotlib
from freqviz.__main__ import app
from freqviz.analysis import load_analysis
from freqviz.learn import ablations, draws, evaluate, report, train
from freqviz.learn import evidence as learn_evidence
from freqviz.video import write_video

BOX = "20,40,24,48"


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "walk.mp4", walking_frames(12), 25)


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    """Checkpoints of the two video networks, replaced by hand-written ones."""
    held = {"spatial-video": TinyNetwork(0).eval(), "freq-video": FollowingNetwork().eval()}

    def known(name):
        if name not in held:
            raise LookupError(f"no network named '{name}'; known networks: {', '.join(held)}")
        return held[name]

    monkeypatch.setattr(models, "load", lambda name, device="cpu": known(name), raising=False)
    monkeypatch.setattr(models, "checkpoint_hash", lambda name: known(name) and name[0] * 64, raising=False)
    run._load.cache_clear()
    yield
    run._load.cache_clear()


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_predict_writes_the_columns_of_the_promise(video, tmp_path):
    answer = call("predict", video, "--box", BOX, "--device", "cpu", "--out", tmp_path / "new" / "poses.csv")
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(tmp_path / "new" / "poses.csv")
    assert list(table.columns) == ["model", "person", "frame", "time", "joint", "x", "y", "score"]
    assert len(table) == 12 * 14
    assert set(table["model"]) == {"freq-video"}
    left = table[table["joint"] == "right hip"].set_index("frame")["x"]
    np.testing.assert_allclose(left, 20 + 3 * np.arange(12), atol=2)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["poses.csv"]


def test_predict_takes_boxes_of_a_file_and_the_whole_frame(video, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,w,h\n0,20,40,24,48\n11,53,40,24,48\n")
    tracks = tmp_path / "gt.txt"
    tracks.write_text("1,7,21,41,24,48\n1,3,21,41,24,48\n12,3,54,41,24,48\n")
    for choice in (("--boxes", boxes), ("--boxes", tracks, "--person", 7), ("--whole-frame",)):
        answer = call("predict", video, *choice, "--device", "cpu", "--out", tmp_path / "poses.csv")
        assert answer.exit_code == 0, answer.output


def test_corrections_put_the_box_right_from_their_frame_on(video, tmp_path):
    words = ("--box", BOX, "--correct", "4:31,40,24,48", "--correct", "9:46,40,24,48", "--device", "cpu")
    answer = call("analyse", video, *words, "--models", "freq-video", "--out", tmp_path / "run")
    assert answer.exit_code == 0, answer.output
    found = load_analysis(tmp_path / "run")
    assert np.flatnonzero(found.frames["box_source"] == "corrected").tolist()[0] == 4
    assert found.traces["freq-video"].boxes[9].tolist() == [46, 40, 24, 48]
    answer = call("predict", video, *words, "--out", tmp_path / "poses.csv")
    assert answer.exit_code == 0, answer.output
    np.testing.assert_allclose(pd.read_csv(tmp_path / "poses.csv")["x"], found.poses["x"], atol=1e-4)


def test_a_part_of_a_clip_keeps_the_numbers_of_its_frames(video, tmp_path):
    for command, target in (("predict", "poses.csv"), ("analyse", "run")):
        words = ("--frames", "3:9", "--box", "29,40,24,48", "--device", "cpu", "--out", tmp_path / target)
        answer = call(command, video, *words)
        assert answer.exit_code == 0, answer.output
        assert "6 frames" in " ".join(answer.output.split())
    assert pd.read_csv(tmp_path / "poses.csv")["frame"].unique().tolist() == list(range(3, 9))
    assert pd.read_csv(tmp_path / "run" / "frames.csv")["frame"].tolist() == list(range(3, 9))


def test_several_clips_make_a_folder_of_tables(video, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    (again / "walk.mp4").write_bytes(video.read_bytes())
    answer = call("predict", video, again / "walk.mp4", "--device", "cpu", "--out", tmp_path / "all")
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["walk-2.csv", "walk.csv"]


def test_analyse_writes_a_run_that_loads(video, tmp_path):
    target = tmp_path / "run"
    answer = call("analyse", video, "--box", BOX, "--deep", "4,5", "--device", "cpu", "--out", target)
    assert answer.exit_code == 0, answer.output
    assert {"poses.csv", "frames.csv", "weights.csv", "run.json"} <= {path.name for path in target.iterdir()}
    found = load_analysis(target)
    assert list(found.traces) == ["spatial-video", "freq-video"]
    assert sorted(found.deep) == [(name, key) for name in ("freq-video", "spatial-video") for key in (4, 5)]
    assert found.provenance["checkpoints"]["freq-video"] == "f" * 64
    weights = pd.read_csv(target / "weights.csv")
    assert list(weights.columns) == ["model", "key_frame", "slot", "frame", "weight"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("predict", "gone.mp4"), "there is no file gone.mp4"),
        (("predict", "VIDEO", "--model", "freq-vidoe"), "no network named 'freq-vidoe'; known networks:"),
        (("predict", "VIDEO", "--box", "1,2,3"), "--box must be x,y,w,h, got '1,2,3'"),
        (
            ("predict", "VIDEO", "--box", "a,b,c,d"),
            "--box must be numbers separated by commas, got 'a,b,c,d'",
        ),
        (("predict", "VIDEO", "--box", "500,0,9,9"), "lies outside the frame of 160 x 120"),
        (("predict", "VIDEO", "VIDEO", "--box", BOX), "--box belongs to one clip"),
        (("predict", "VIDEO", "--correct", "4"), "--correct must be FRAME:x,y,w,h, got '4'"),
        (("predict", "VIDEO", "--correct", "x:1,2,3,4"), "--correct must be FRAME:x,y,w,h, got 'x:1,2,3,4'"),
        (("predict", "VIDEO", "--correct", "4:1,2,3,4", "--correct", "4:1,2,3,5"), "--correct names frame 4 twice"),
        (("predict", "VIDEO", "--correct", "12:1,2,3,4"), "the frames 0 to 11"),
        (("predict", "VIDEO", "VIDEO", "--correct", "4:1,2,3,4"), "--correct belongs to one clip"),
        (("predict", "VIDEO", "--frames", "3"), "--frames must be a:b, two frame numbers, got '3'"),
        (("predict", "VIDEO", "--frames", "9:3"), "a part must be start:stop within 0:12"),
        (("predict", "VIDEO", "--boxes", "gone.csv"), "gone.csv"),
        (("predict", "VIDEO", "--boxes", "TRACKS", "--person", "3"), "no person 3 in these boxes; they are of 7"),
        (("predict", "VIDEO", "--person", "3"), "--person is an id in the file of --boxes"),
        (("predict", "VIDEO", "--whole-frame", "--box", BOX), "one of box, boxes and whole_frame"),
        (("predict", "VIDEO", "--device", "tpu"), "device must be auto, cpu or cuda, got 'tpu'"),
        (("analyse", "VIDEO", "--out", "RUN", "--deep", "12"), "the frames 0 to 11"),
        (("analyse", "VIDEO", "--out", "RUN", "--deep", "x"), "--deep must be numbers"),
        (("analyse", "VIDEO", "--out", "RUN", "--models", ","), "at least one network"),
        (("analyse", "VIDEO", "--out", "FULL"), "not a run folder"),
        (("window", "VIDEO", "--frame", "9", "--frames", "3:9"), "it has the frames 3 to 8"),
        (("influence", "VIDEO", "--frame", "12", "--box", BOX), "the frames 0 to 11"),
        (("influence", "VIDEO", "--frame", "4", "--box", BOX, "--models", ","), "--models needs at least one network"),
        (("intervene", "VIDEO", "--frame", "4", "--box", BOX, "--slot", "3"), "slot must be one of -2, -1, 0, 1, 2"),
        (("intervene", "VIDEO", "--frame", "4", "--box", BOX, "--blur", "-3"), "length must be >= 0 pixels"),
        (("train",), "give the name of a network, or --queue FILE"),
        (("evaluate",), "give names of networks, --all, --evidence or --ablations"),
    ],
)
def test_bad_input_ends_in_one_sentence(video, tmp_path, words, sentence):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "gt.txt").write_text("1,7,21,41,24,48\n")
    places = {"TRACKS": tmp_path / "gt.txt", "VIDEO": video, "RUN": tmp_path / "run", "FULL": tmp_path / "full"}
    if words[0] == "predict" and "--out" not in words:
        words = (*words, "--out", tmp_path / "poses.csv")
    answer = call(*(places.get(word, word) for word in words))
    assert answer.exit_code == 2, answer.output
    assert sentence in " ".join(answer.output.split())
    assert "Traceback" not in answer.output
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "poses.csv").exists()


def test_a_text_file_is_no_clip(tmp_path):
    (tmp_path / "notes.mp4").write_text("hello")
    answer = call("predict", tmp_path / "notes.mp4", "--out", tmp_path / "poses.csv")
    assert answer.exit_code == 2
    assert "not a video" in answer.output


def test_models_names_every_network():
    answer = call("models")
    assert answer.exit_code == 0, answer.output
    for name in models.names():
        assert name in answer.output
    cards = [models.card(name) for name in models.names()]
    texts = {(card["data"], card["joints"]) for card in cards}
    assert len(texts) < len(cards)
    assert answer.output.count("Trained (") == len(texts)  # what networks have in common is said once
    assert f"spatial-frame {cards[0]['budget']['steps']:,}" in answer.output


def test_a_card_of_scores_alone_is_listed(monkeypatch):
    monkeypatch.setattr(models, "names", lambda: ["freq-video"])
    monkeypatch.setattr(
        models, "card", lambda name: {"scores": {}, "budget": {"epochs": 3}, "data": "a", "joints": "b"}
    )
    answer = call("models")
    assert answer.exit_code == 0, answer.output
    assert "Trained" not in answer.output


def test_doctor_tells_versions_and_what_to_do_about_missing_things(monkeypatch):
    version = importlib.metadata.version

    def without_decord(name):
        if name == "decord":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_decord)
    answer = call("doctor")
    assert answer.exit_code == 0, answer.output
    lines = {line.split("│")[1].strip(): line for line in answer.output.splitlines() if line.count("│") > 3}
    assert version("torch") in lines["torch"]
    assert "missing" in lines["decord"]
    assert "pip install decord" in lines["decord"]
    assert "h264" in lines["decoders"]


def test_doctor_fails_where_something_needed_is_missing(monkeypatch):
    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)
    assert call("doctor").exit_code == 1


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """A place with neither data sets nor trainings."""
    monkeypatch.delenv("FREQVIZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def test_train_hands_over_to_learning(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(train, "run", lambda *words, root: asked.append((*words, root)) or True)
    monkeypatch.setattr(train, "run_queue", lambda *words, root: asked.append((*words, root)))
    whole = call("train", "spatial-frame")
    part = call("train", "--queue", tmp_path / "queue.txt", "--minutes", "20", "--data", tmp_path)
    assert asked == [("spatial-frame", math.inf, None), (tmp_path / "queue.txt", 20.0, tmp_path)]
    assert (whole.exit_code, whole.output) == (0, "finished\n")
    assert (part.exit_code, part.output) == (0, "stopped for now; the same command goes on\n")


def test_evaluate_writes_tables_of_all_networks_on_test_and_choices_on_validation(monkeypatch, tmp_path):
    asked = []
    (tmp_path / "jhmdb").mkdir()
    monkeypatch.setattr(models, "names", lambda: ["spatial-video", "freq-video"])
    monkeypatch.setattr(evaluate, "run", lambda *words, regimes: asked.append((*words, regimes)) or tmp_path)
    monkeypatch.setattr(report, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(report, "load", lambda folder: ("found", "sources"))
    monkeypatch.setattr(report, "choose_on_validation", lambda *_: {"best rival": "mean"})
    monkeypatch.setattr(report, "write_references", lambda root: asked.append(root))
    monkeypatch.setattr(report, "write", lambda folder, readme: asked.append((folder, readme.name)))
    monkeypatch.setattr(evaluate, "run_methods", lambda root, *words: asked.append(("methods", *words)) or tmp_path)
    monkeypatch.setattr(report, "write_methods", lambda folder, readme: asked.append(("table", readme.name)))
    monkeypatch.setattr(learn_evidence, "run", lambda root, recompress: asked.append(recompress.__name__) or tmp_path)
    monkeypatch.setattr(learn_evidence, "write", lambda folder: asked.append(("evidence", folder)))
    monkeypatch.setattr(ablations, "write", lambda root: asked.append("ablations"))
    monkeypatch.setattr(ablations, "markdown", lambda told: "a table")
    monkeypatch.setattr(evidence, "sentences", lambda: ["- one", "- two"])
    monkeypatch.setattr(report, "put", lambda readme, *words: asked.append((readme.name, *words)))
    monkeypatch.setattr(models, "load", lambda name: None)
    for words in ("freq-video", "dct-input", "--evidence", "--ablations", "--all", "--all --part validation"):
        answer = call("evaluate", *words.split(), "--data", tmp_path)
        assert answer.exit_code == 0, answer.output
    choices = ["ablations", ("README.md", "ablations", "a table")]
    found = ["recompressed", ("evidence", tmp_path), ("README.md", "found", "- one\n- two")]
    assert asked == [
        (tmp_path, ["freq-video"], "test", draws.REGIMES),
        ("methods", ["dct-input"], "test"),
        ("table", "README.md"),
        *found,
        *choices,
        (tmp_path, ["spatial-video", "freq-video"], "test", draws.REGIMES),
        tmp_path,
        (tmp_path, "README.md"),
        ("methods", None, "test"),
        ("table", "README.md"),
        *choices,
        *found,
        (tmp_path, ["spatial-video", "freq-video"], "validation", ("R1", "R2")),
        ("methods", None, "validation"),
    ]
    assert json.loads((tmp_path / "assets" / "choices.json").read_text()) == {"best rival": "mean"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "spatial-frame"), "no data set in data: it must hold lspet/ and jhmdb/"),
        (("train", "spatial-frame", "--data", "nowhere"), "no data set in nowhere"),
        (("train", "spatial-freq"), "no recipe named 'spatial-freq'; known recipes: spatial-frame, dct-input"),
        (("train", "spatial-frame", "--queue", "queue.txt"), "give the name of a network, or --queue FILE"),
        (("train", "--queue", "queue.txt"), "queue.txt"),
        (("evaluate", "freq-video"), "no data set in data"),
        (("evaluate", "--evidence"), "no data set in data"),
        (("evaluate", "--all", "--evidence"), "give names of networks, --all, --evidence or --ablations"),
        (("evaluate", "freq-vidoe"), "no network named 'freq-vidoe'; known networks:"),
        (("evaluate", "freq-video", "--part", "train"), "--part must be test or validation, got 'train'"),
        (("log", "runs/freq-video"), "runs/freq-video holds no log.csv"),
        (("log", "runs/freq-video", "--out", "log.gif"), "--out must end in .pdf or .png, got 'log.gif'"),
    ],
)
def test_learning_without_what_it_needs_ends_in_one_sentence(no_data, words, sentence):
    answer = call(*words)
    assert answer.exit_code == 2, answer.output
    assert sentence in " ".join(answer.output.split())
    assert "Traceback" not in answer.output


def test_log_plots_losses_and_scores_of_trainings(no_data, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(to_matplotlib, "save_png", lambda panels, path: drawn.append(panels) or path)
    (tmp_path / "log.csv").write_text("step,seconds,loss,pck05,pck10\n500,60,5.4,.2,.4\n1000,120,5.1,.25,.45\n")
    (tmp_path / "log-freq-video-1.csv").write_text("step,seconds,pose,offset\n50,60,5.0,3\n100,120,4.5,2\n")
    assert call("log", tmp_path, "--out", "log.png").exit_code == 0
    losses = {panel.title: [mark.y.tolist() for mark in panel.marks] for panel in drawn[0][::2]}
    assert losses == {"freq-video-1": [[5.0, 4.5]], tmp_path.name: [[0.2, 0.25], [0.4, 0.45]]}
    assert drawn[0][1].marks[0].y.tolist() == [5.4, 5.1]
    answer = call("log", tmp_path / "log.csv", "--out", "log.pdf")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "log.pdf").read_bytes().startswith(b"%PDF")


def test_the_module_runs_and_asking_for_help_loads_no_network_library():
    code = """
import sys, runpy
sys.argv = ["freqviz", "--help"]
try:
    runpy.run_module("freqviz", run_name="__main__")
except SystemExit:
    assert "torch" not in sys.modules
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert "predict" in answer.stdout
