"""Do the pages about the inside of a network follow the choices, and do the lines to copy give what is shown?"""

import shlex

import numpy as np
import pytest
from test_pages import analysed, app, figures, walk_file, words  # noqa: F401 -- fixtures
from typer.testing import CliRunner

from freqviz import run
from freqviz.__main__ import app as commands
from freqviz.clip import Clip
from freqviz.panel import Panel
from freqviz.trace import Trace
from freqviz.web import library, work

CHOICES = {  # what every page of the section offers, and another value of it
    "alignment": {"network": "spatial-video", "neighbour": "−2", "point": "head"},
    "learned_filters": {"network": "spatial-video", "neighbour": "−1"},
    "restored_frame": {"network": "spatial-video", "added": 9},
    "spectra": {"network": "spatial-video"},
    "heatmaps": {"network": "spatial-video", "whole": True},
}


def open_page(app, page, **choices):  # noqa: F811
    app.run()
    app.switch_page(f"pages/inner/{page}.py")
    for key, value in choices.items():
        app.query_params[key] = str(value)
    app.run().run()  # the first run takes the link in, as the browser does before it asks
    assert not app.exception
    assert not app.error, [one.value for one in app.error]
    return app


def copied(app, language):  # noqa: F811
    """What stands to be copied under each figure."""
    return [one.value for one in app.code if one.language == language]


@pytest.mark.parametrize("page", CHOICES)
def test_a_link_brings_every_choice_back_and_the_slider_moves_the_figures(app, page):  # noqa: F811
    before = figures(open_page(app, page, frame=3, **CHOICES[page]))
    assert {key: app.session_state[key] for key in CHOICES[page]} == CHOICES[page]
    assert before != figures(app.slider(key="frame").set_value(11).run())


@pytest.mark.parametrize("page", CHOICES)
def test_the_python_of_every_figure_gives_that_figure(app, page, tmp_path, monkeypatch):  # noqa: F811
    open_page(app, page, frame=9)
    monkeypatch.chdir(tmp_path)
    titles = []
    for code in copied(app, "python"):
        names = {}
        exec(code, names)
        assert isinstance(names["panel"], Panel)
        titles.append(names["panel"].title)
        assert f"**{titles[-1]}**  \n:small[{names['panel'].note}]" in [one.value for one in app.markdown]
    assert len(titles) == len(set(titles)) == len(figures(app))
    assert list(tmp_path.glob("*.pdf"))


@pytest.mark.parametrize("page", CHOICES)
def test_the_command_writes_the_window_that_is_shown(app, page, tmp_path, monkeypatch):  # noqa: F811
    open_page(app, page, frame=9, network="spatial-video")
    (command,) = set(copied(app, "bash"))
    monkeypatch.chdir(tmp_path)
    python, module, name, *arguments = shlex.split(command)
    assert (python, module, name) == ("python", "-m", "freqviz")
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    trace = Trace.load(tmp_path / arguments[arguments.index("--out") + 1])
    assert trace.network == "spatial-video"
    assert {"alignment_offset", "learned_filter", "feature"} <= set(trace.quantities)


def test_at_the_ends_of_a_part_the_command_takes_the_neighbours_of_the_page(app, tmp_path, monkeypatch):  # noqa: F811
    box = library.truth("sample").part(4, 19).box
    asked = work.Request("sample", work.BOX, box, ("spatial-video", "freq-video"), "cpu", frames=(4, 19))
    work.analyse(asked.run(), lambda *_: None, lambda: False)
    app.query_params["part"], app.query_params["frame"] = ["4", "18"], "4"
    open_page(app, "spectra")
    assert app.slider(key="frame").value == 4
    (command,) = set(copied(app, "bash"))
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)[3:]
    given = [float(value) for value in arguments[arguments.index("--box") + 1].split(",")]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    written = Trace.load(tmp_path / arguments[arguments.index("--out") + 1]).get("feature").values
    clip = work.open_clip("sample")
    inside = run.deep_trace(clip.part(4, 19), "spatial-video", 0, given).get("feature").values
    assert (written == inside).all()
    assert (written != run.deep_trace(clip, "spatial-video", 4, given).get("feature").values).any()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("50, 60", "(50.0, 60.0) of the key frame is read at"), ("x", "a point is a joint or two numbers x, y; got “x”.")],
)
def test_a_typed_point_is_followed_or_answered_with_a_sentence(app, typed, answer):  # noqa: F811
    app.run()
    app.switch_page("pages/inner/alignment.py")
    app.query_params["point"] = typed
    app.run()
    assert answer in words(app)


def test_a_window_holds_the_cuts_of_its_frames_and_repeats_the_key_frame_at_the_ends(walk):
    box = [20, 40, 24, 48]
    first = run.window_cuts(walk, 0, box)
    assert first.shape == (5, 192, 144, 3)
    assert (first[0] == first[2]).all()
    assert not (first[3] == first[2]).all()
    assert (run.window_cuts(walk, 9, box, 3)[2] == run.window_cuts(walk, 10, box, 1)[0]).all()
    with pytest.raises(ValueError, match="odd number of frames, got 4"):
        run.window_cuts(walk, 9, box, 4)
    with pytest.raises(ValueError, match="20"):
        run.window_cuts(walk, 20, box)


def test_the_window_command_answers_a_wrong_box_in_a_sentence(tmp_path, walk_file):  # noqa: F811
    result = CliRunner().invoke(commands, ["window", str(walk_file), "--frame", "3", "--box", "1,2,3"])
    assert result.exit_code == 2
    assert "--box must be x,y,w,h" in result.output
    with Clip(walk_file) as clip:
        assert np.isfinite(run.window_cuts(clip, 3, [0, 0, 20, 20])).all()
