"""Does the page that compares two networks follow its choices, and do command and Python give the numbers it shows?

It runs without a browser, on the clip and with the tiny networks of test_pages.
"""

import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import test_pages
from test_inner_pages import at, copied, decoded, drawn, numbers
from test_pages import ROOT, figures, words
from test_pages import told as all_told
from typer.testing import CliRunner

from freqviz import pairs, poses
from freqviz.__main__ import app as command_line
from freqviz.analysis import load_analysis
from freqviz.web import library, work

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed
PAGE, NETWORKS = "pages/inner/side_by_side.py", ("spatial-video", "freq-video")
INNER = ("Weight of a frame", "Length of the offsets")


@pytest.fixture
def side(app):
    """The page at frame 9, where all neighbours are in the clip."""
    app.query_params["frame"] = "9"
    return at(app, PAGE)


def told(app):
    """What the two comparisons in the browser are told: poses, and the inner quantity."""
    return all_told(app, "swipe")


def folder_of_both():
    """The run of the whole sample by both networks."""
    sample = work.Request("sample", work.BOX, library.truth("sample").box, NETWORKS, "cpu")
    return work.STORE.find(sample.run().key)


def sent(values):
    """An array of a figure as numbers; gaps travel as None or NaN."""
    return np.array(decoded(values), np.float64)


def notes(app):
    return [[layer["note"] for layer in one["layers"].values()] for one in told(app)]


def test_the_page_shows_both_networks_everywhere_and_says_nothing_is_wrong(side):
    assert not side.error
    assert [one["names"] for one in told(side)] == [["A: spatial-video", "B: freq-video"]] * 2
    assert len(figures(side)) == 7
    assert all("frame 9" in note for note in notes(side)[0][:2])
    said = words(side)
    for title in ("Disagreement by joint", "Disagreement along the clip", "Cost", "Accuracy", "Error by joint"):
        assert f"**{title}**" in said


def test_the_cursor_moves_pictures_and_curves(side):
    before, shown = told(side), figures(side)
    side.slider(key="frame").set_value(4).run()
    assert not side.exception
    assert [a["pictures"] != b["pictures"] for a, b in zip(before, told(side), strict=True)] == [True, True]
    assert all("frame 4" in note for note in notes(side)[0][:2])
    moved = [a != b for a, b in zip(shown, figures(side), strict=True)]
    assert moved == [True, True, True, True, False, False, False], "accuracy, errors and cost are of the whole clip"


def test_exchanged_networks_exchange_sides_and_turn_the_sign(side):
    before, paired = told(side)[0], figures(side)[3]
    side.selectbox(key="a").select("freq-video")
    side.selectbox(key="b").select("spatial-video").run()
    assert not side.error
    after = told(side)[0]
    assert after["layers"]["a"]["note"] == before["layers"]["b"]["note"]
    assert after["names"] == ["A: freq-video", "B: spatial-video"]
    line, turned = (next(t for t in f["data"] if "−" in t.get("name", "")) for f in (paired, figures(side)[3]))
    assert sent(turned["y"]) == pytest.approx(-sent(line["y"]), nan_ok=True, abs=1e-6)


def test_one_network_twice_is_told_to_be_one(side):
    side.selectbox(key="b").select("spatial-video").run()
    assert [one.value for one in side.info] == [
        "A and B are one network, spatial-video: all differences are 0; choose two."
    ]
    assert not figures(side)


def test_a_run_of_one_network_says_that_a_comparison_needs_two(app):
    request = work.Request("sample", work.BOX, library.truth("sample").box, ("freq-video",), "cpu")
    work.analyse(request.run(), lambda *_: None, lambda: False)
    app.query_params["networks"] = "freq-video"
    at(app, PAGE)
    (said,) = [one.value for one in app.info]
    assert said.startswith("a comparison needs two networks, and freq-video alone was run")
    app.button(key="offer spatial-video").click().run()
    assert app.multiselect(key="networks").value == ["freq-video", "spatial-video"]


def test_without_truth_the_page_says_what_is_not_known_and_shows_no_error(app, monkeypatch):
    box = library.truth("sample").box
    monkeypatch.setattr(library, "truth", lambda name: None)
    app.query_params["box"] = ", ".join(f"{value:g}" for value in box)
    at(app, PAGE)
    assert not app.error
    assert "nothing here says which network is right: jitter is no error" in words(app)
    assert app.selectbox(key="compared").options == ["Jitter", "Score"]
    assert "Jitter without truth is not error" in words(app)
    assert "**Accuracy**" not in words(app)
    assert "--truth" not in " ".join(copied(app, "bash"))


@pytest.mark.parametrize("quantity", INNER)
def test_every_inner_quantity_follows_its_choices(side, quantity):
    assert notes(side)[1][0].split(";")[0] in poses.JOINTS
    side.selectbox(key="inner").select(quantity[:1].lower() + quantity[1:]).run()
    assert not side.error
    assert notes(side)[1][0].startswith("frame +1; spatial-video: ")
    side.segmented_control(key="neighbour").select("−2").run()
    assert notes(side)[1][2].startswith("frame −2; spatial-video − freq-video: ")


def test_a_quantity_that_a_network_does_not_have_is_said_to_be_missing(side):
    side.selectbox(key="inner").select("energy after alignment").run()
    (said,) = [one.value for one in side.info]
    assert said.endswith("both networks have it; spatial-video has no aligned_feature.")
    assert len(told(side)) == 1
    assert len(figures(side)) == 7, "the rest of the page stays"


def test_buttons_go_to_the_frames_that_differ_most(side):
    pair = pairs.of_analysis(load_analysis(folder_of_both()), NETWORKS)
    side.button(key="worst").click().run()
    assert side.slider(key="frame").value == pair.worst
    top = max(pairs.ranking(pair).to_dict("records"), key=lambda row: row["worst"])
    side.button(key="worst of joint").click().run()
    assert side.slider(key="frame").value == top["worst_frame"]


def test_every_choice_of_the_page_stands_in_the_address(side):
    asked = [one for kind in (side.slider, side.selectbox) for one in kind]
    assert len(asked) >= 8
    assert [one.label for one in asked if one.proto.query_param_key == ""] == []


def at_frame_9(app, part):
    """The page of the sample, or of an analysed part of it."""
    app.query_params["frame"] = "9"
    if part:
        app.query_params["part"] = [str(part[0]), str(part[1] - 1)]
        whole = work.Request("sample", work.BOX, library.truth("sample").part(*part).box, NETWORKS, "cpu")
        work.analyse(replace(whole, frames=part).run(), lambda *_: None, lambda: False)
    at(app, PAGE)


@pytest.mark.parametrize("part", [None, (4, 19)])
def test_the_python_of_every_figure_gives_that_figure(app, part, monkeypatch):
    at_frame_9(app, part)
    monkeypatch.chdir(ROOT)
    lines, found = copied(app, "python"), []
    for python in lines:
        held = {}
        exec(python, held)
        found.append(held["panel"])
    swiped = [three[-1] for three in notes(app)]  # of A, B and both the last is given
    assert [one.note for one in found if one.note in swiped] == swiped
    panels = [one for one in found if one.note not in swiped]
    shown = figures(app)
    assert len(shown) == len(panels) == 7
    for figure, panel in zip(shown, panels, strict=True):
        if panel.title != "Cost":  # its seconds are those of another run
            assert numbers(drawn(panel)) == numbers(figure["data"]), panel.title


@pytest.mark.parametrize("part", [None, (4, 19)])
def test_the_command_writes_the_numbers_that_the_page_shows(app, part, monkeypatch, tmp_path):
    at_frame_9(app, part)
    monkeypatch.chdir(ROOT)
    (line,) = {one for one in copied(app, "bash") if " compare " in one}
    start, _ = line.rsplit(" --out ", 1)
    answer = CliRunner().invoke(command_line, [*shlex.split(start)[3:], "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    note = next(one.value for one in app.markdown if one.value.startswith("**Distance from the truth, A − B**"))
    assert note.split(":small[")[1].rstrip("]") in answer.output
    table = pd.read_csv(tmp_path / "out" / "ranking.csv")
    labels = list(figures(app)[0]["layout"]["yaxis"]["ticktext"])
    assert table["joint"].tolist() == labels
    here = next(t for t in figures(app)[0]["data"] if t.get("name") == "frame 9")
    assert sent(here["x"]) == pytest.approx(table["here"].to_numpy(), abs=1e-5)
    names = {"ranking", "accuracy", "statistics", "costs", "error_by_joint"}
    assert {path.stem for path in (tmp_path / "out").iterdir()} == names


def test_a_run_folder_is_compared_without_running_anything(app, monkeypatch, tmp_path):
    folder = str(folder_of_both())
    monkeypatch.setattr("freqviz.run.analyse", None)
    answer = CliRunner().invoke(command_line, ["compare", folder, "--pair", "freq-video,spatial-video"])
    assert answer.exit_code == 0, answer.output
    assert "ranking, A = freq-video, B = spatial-video" in answer.output
    assert "jitter: freq-video − spatial-video = " in answer.output
    assert "joint-box sides" not in answer.output, "no truth was given"


@pytest.mark.parametrize(
    ("words_", "message"),
    [
        (["--box", "1,2,3,4"], "a run folder has its boxes, frames and networks; give these options with a clip"),
        (["--pair", "freq-video"], "a comparison needs two networks, got freq-video"),
        (["--pair", "freq-video,freq-video"], "A and B are one network, freq-video"),
        (["--models", "freq-video,nobody"], "no network 'nobody' in this analysis"),
        (["--frame", "99"], "frame 99 was not compared"),
        (["--truth", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_command_ends_in_one_sentence(app, words_, message):
    answer = CliRunner().invoke(command_line, ["compare", str(folder_of_both()), *words_])
    assert answer.exit_code == 2
    assert message in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(("view", "place"), [("poses_view", 0), ("inner_view", 1)])
def test_a_browser_that_has_not_heard_yet_does_not_take_a_view_back(app, view, place):
    """After a run that was cut short the next request brings what the field said before the swipe told its view."""
    app.query_params[view] = "swipe 30"
    side = at(app, PAGE)
    assert told(side)[place]["shown"] == "swipe 30"
    side.session_state[f"last {view}"] = "blink b"  # what the swipe tells
    side.text_input(key=view).set_value("swipe 30").run()
    assert told(side)[place]["shown"] == side.text_input(key=view).value == "blink b"
    assert side.query_params[view] == "blink b"
    side.run()
    assert told(side)[place]["shown"] == "blink b"
