"""Do the pages of weights and of blur against energy say what they show, and do their copies give the same numbers?

They run without a browser, on the clip and with the tiny networks of test_pages.
"""

import json
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import test_pages
from test_pages import ROOT, figures, words
from typer.testing import CliRunner

import models
from freqviz.__main__ import app as command_line
from freqviz.to_plotly import to_plotly
from freqviz.web import Weights, work

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed
NETWORKS = ("spatial-video", "freq-video")
WEIGHTS, ENERGY = "pages/inner/frame_weights.py", "pages/inner/blur_against_energy.py"


@pytest.fixture
def weights(app):
    """The page of frame weights at frame 9, where all neighbours are in the clip."""
    app.query_params["frame"] = "9"
    return at(app, WEIGHTS)


@pytest.fixture
def energy(app):
    """The page of blur against energy at frame 9, one frame changed."""
    app.query_params["frame"], app.query_params["length"] = "9", "15"
    return at(app, ENERGY)


def at(app, page):
    app.run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def copied(app, language):
    return [code.value for code in app.get("code") if code.language == language]


def drawn(panel):
    """What Plotly gets of a panel: the numbers of its marks."""
    return json.loads(to_plotly(replace(panel, title="", note=""), width=560).to_json())["data"]


def numbers(data):
    return [{axis: trace.get(axis) for axis in ("type", "x", "y", "z", "source", "width")} for trace in data]


@pytest.mark.parametrize("part", [None, (4, 19)])
@pytest.mark.parametrize("page", [WEIGHTS, ENERGY])
def test_every_python_that_is_offered_gives_the_figure_above_it(app, page, part, monkeypatch):
    app.query_params["frame"], app.query_params["network"], app.query_params["length"] = "9", "freq-video", "15"
    if part:
        app.query_params["part"] = [str(part[0]), str(part[1] - 1)]
        whole = work.Request("sample", work.BOX, test_pages.library.truth("sample").part(*part).box, NETWORKS, "cpu")
        work.analyse(replace(whole, frames=part).run(), lambda *_: None, lambda: False)
    at(app, page)
    monkeypatch.chdir(ROOT)
    shown, lines = figures(app), copied(app, "python")
    assert len(shown) == len(lines) >= 6
    for figure, python in zip(shown, lines, strict=True):
        held = {}
        exec(python, held)
        assert numbers(drawn(held["panel"])) == numbers(figure["data"]), python


@pytest.mark.parametrize("page", [WEIGHTS, ENERGY])
def test_every_command_that_is_offered_runs(app, page, monkeypatch, tmp_path):
    app.query_params["frame"], app.query_params["network"], app.query_params["length"] = "9", "freq-video", "15"
    at(app, page)
    monkeypatch.chdir(ROOT)
    commands = sorted(set(copied(app, "bash")))
    assert {line.split()[3] for line in commands} == {"analyse", "influence" if page == WEIGHTS else "intervene"}
    for place, command in enumerate(commands):
        start, out = command.rsplit(" --out ", 1)
        assert start.startswith("python -m freqviz ")
        answer = CliRunner().invoke(
            command_line, [*shlex.split(start)[3:], "--out", str(tmp_path / f"{place}{out[-4:]}")]
        )
        assert answer.exit_code == 0, answer.output
        if " influence " in command and "--models spatial-video,freq-video" in command:
            table = pd.read_csv(tmp_path / f"{place}.csv")
            moved = table.groupby(["model", "slot"])["influence_px"].mean()
            bars = next(figure for figure in figures(app) if "movement of the joints" in str(figure["layout"]["yaxis"]))
            shown = next(t for t in bars["data"] if t["type"] == "bar" and t["name"] == "freq-video")
            np.testing.assert_allclose(decoded(shown["y"]), moved["freq-video"], atol=1e-4)


def decoded(values):
    """Plotly's own encoding of a float32 array."""
    import base64

    return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])) if "bdata" in values else values


def test_what_was_chosen_survives_a_change_of_page(app):
    app.query_params["frame"], app.query_params["network"] = "7", "freq-video"
    app.query_params["box"] = "19, 38, 26, 53"
    at(app, WEIGHTS)
    assert (app.slider(key="frame").value, app.selectbox(key="network").value) == (7, "freq-video")
    app.switch_page(ENERGY).run()
    assert (app.slider(key="frame").value, app.selectbox(key="network").value) == (7, "freq-video")
    assert app.text_input(key="box").value == "19, 38, 26, 53"


def test_the_slider_moves_window_weights_and_influence(weights):
    before = figures(weights)
    assert "Key frame 9." in words(weights)
    weights.slider(key="frame").set_value(4).run()
    assert not weights.exception
    after = figures(weights)
    assert [a != b for a, b in zip(before, after, strict=True)] == [True] * len(before)
    assert "Key frame 4." in words(weights)


def test_the_page_says_in_words_how_many_frames_count_and_which_frame_the_pose_leans_on(weights):
    told = words(weights)
    assert "freq-video weighs the frames of this window" in told
    assert "of 5 count" in told
    assert "leans most on frame" in told


def test_flat_weights_are_told_not_to_be_influence(app, monkeypatch):
    monkeypatch.setattr("freqviz.reading.FLAT", 5.0)
    told = words(at(app, WEIGHTS))
    assert "weighs the frames of this window alike" in told
    assert "Flat weights are a plain mean; they do not say that every frame mattered alike" in told


def test_a_network_of_single_frames_leaves_sentences_in_the_place_of_its_figures(app, monkeypatch):
    class Single(test_pages.TinyNetwork):
        frames = 1

        def __init__(self, seed):
            super().__init__(seed)
            for probe in (self.attention, self.weights, self.offset, self.coarse, self.feature):
                probe.quantity = "other"

        def estimate(self, window):
            return super().estimate({name: maps.expand(-1, 5, *maps.shape[2:]) for name, maps in window.items()})

    load = models.load
    monkeypatch.setattr(models, "names", lambda: ["spatial-video", "freq-video", "spatial-frame"])
    monkeypatch.setattr(
        models, "load", lambda name, device: Single(3) if name == "spatial-frame" else load(name, device)
    )
    truth = test_pages.library.truth("sample")
    work.analyse(
        work.Request("sample", work.BOX, truth.box, ("spatial-frame",), "cpu").run(), lambda *_: None, lambda: False
    )
    app.query_params["networks"] = "spatial-frame"
    at(app, WEIGHTS)
    assert not app.error
    said = [line.value for line in app.info]
    assert "spatial-frame has no frame weights." in words(app)
    assert "Influence needs a network that sees several frames." in [line[:1].upper() + line[1:] for line in said]
    assert any("spatial-frame sees a single frame" in line for line in said)
    at(app, ENERGY)
    assert any("spatial-frame sees a single frame" in line.value for line in app.info)


def test_a_slider_changes_one_frame_and_the_sentence_says_what_that_did(energy):
    assert "was blurred by 15 px at 0°" in words(energy)
    energy.slider(key="length").set_value(0).run()
    assert any("Frame 9 is as it was filmed: move a slider to change it" in line.value for line in energy.info)
    energy.slider(key="gain").set_value(0.4).run()
    energy.selectbox(key="slot").set_value(1).run()
    assert not energy.exception
    assert "Frame 10 was given 0.4 times the light" in words(energy)


def test_only_the_changed_frame_passes_the_backbone_again(energy, monkeypatch):
    encoded = []
    encode = test_pages.TinyNetwork.encode
    monkeypatch.setattr(test_pages.TinyNetwork, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    energy.slider(key="length").set_value(22).run()
    assert encoded == [1]


def test_a_moved_cursor_runs_no_network_where_nothing_is_changed(app, monkeypatch):
    at(app, ENERGY)
    ran = []
    estimate = test_pages.TinyNetwork.estimate
    monkeypatch.setattr(test_pages.TinyNetwork, "estimate", lambda self, x: ran.append(len(x)) or estimate(self, x))
    for frame in (4, 5, 12):
        app.slider(key="frame").set_value(frame).run()
        assert any(f"Frame {frame} is as it was filmed" in line.value for line in app.info)
    assert ran == []
    app.slider(key="length").set_value(9).run()
    assert "Frame 12 was blurred by 9 px" in words(app)
    assert ran != []


def test_at_the_end_of_the_clip_only_frames_that_exist_can_be_changed(energy):
    energy.slider(key="frame").set_value(19).run()
    assert not energy.exception
    assert energy.selectbox(key="slot").options == ["−2", "−1", "key frame"]
    assert energy.selectbox(key="slot").value == 0


def test_every_measure_of_blur_meets_every_energy_feature_and_weight(energy):
    assert energy.selectbox(key="quantity").options[-4:] == [
        "log variance of the features in spatial-video",
        "log variance of the features in freq-video",
        "frame weight in spatial-video",
        "frame weight in freq-video",
    ]
    energy.selectbox(key="quantity").select("frame weight in freq-video").run()
    energy.selectbox(key="blur").select("tenengrad").run()
    assert not energy.exception
    scatter = figures(energy)[0]["layout"]
    assert (scatter["xaxis"]["title"]["text"], scatter["yaxis"]["title"]["text"]) == (
        "Tenengrad (luma²/pixel²)",
        "Frame weight in freq-video",
    )
    assert "pairs without a common formula" in words(energy)


def test_every_choice_on_both_pages_stands_in_the_address(energy):
    asked = [one for kind in (energy.slider, energy.selectbox) for one in kind]
    assert len(asked) >= 9
    assert [one.label for one in asked if one.proto.query_param_key == ""] == []


def test_a_clicked_point_is_the_frame_whose_point_it_is(app):
    sample = work.Request(
        "sample", work.BOX, test_pages.library.truth("sample").box, tuple(models.names()), "cpu"
    ).run()
    analysis = work.finished(sample.key)
    view = test_pages.View("sample", sample.clip, analysis, work.STORE.root)
    held = Weights(view, 3)
    blur, quantity = "edge_width", held.quantities[0]
    for frame in (0, 7, 12):
        x, y = np.float32(held.table[blur][frame]), np.float32(held.table[quantity][frame])
        assert held._nearest(blur, quantity, float(x), float(y)) == frame
