"""Does the page of the three claims measure once, say its verdicts, and offer lines that give the same numbers?

It runs without a browser, on the clip and with the tiny networks of test_pages.
"""

import json
import shlex
from dataclasses import replace

import pytest
import test_pages
from conftest import TinyNetwork
from test_inner_pages import copied, drawn, numbers
from test_pages import ROOT, figures, words
from typer.testing import CliRunner

from freqviz import claims, run
from freqviz.__main__ import app as command_line
from freqviz.claims import Claims
from freqviz.web import work

walk_file, analysed = test_pages.walk_file, test_pages.analysed
plain = test_pages.app
PAGE = "pages/inner/three_claims.py"


@pytest.fixture
def app(plain, monkeypatch):
    """The app, whose tiny networks lose the person at once; what follows is measured as if they had not."""
    measure = claims.measure

    def found(clip, analysis, *more, **options):
        return measure(clip, replace(analysis, frames=analysis.frames.assign(lost="")), *more, **options)

    monkeypatch.setattr(claims, "measure", found)
    monkeypatch.setattr(work, "_tests", {})
    return plain


def opened(app):
    """The page after its job is over."""
    app.run()
    app.switch_page(PAGE).run()
    for ticket in list(work._tests.values()):
        assert ticket.wait(60)
    app.run()
    assert not app.exception
    return app


def test_the_claims_are_measured_once_and_told_with_figures(app, monkeypatch):
    told = words(opened(app))
    assert [one.value for one in app.subheader] == [
        "1. Blur is easier to model in frequency",
        "2. The spectrum enlarges the change of blur over time",
        "3. Blur decays energy",
    ]
    assert told.count("-badge[") == 3
    assert "19 frames with a known blur and a next frame are too few, 24 are needed." in told
    assert "Effects need 24 frames that differ in blur, got 19." in told  # in the place of the figure
    assert len(figures(app)) == 5

    def forbidden(*_):
        raise AssertionError("this was measured before")

    monkeypatch.setattr(claims, "measure", forbidden)
    monkeypatch.setattr(work, "_tests", {})
    assert len(figures(opened(app))) == 5


def test_length_and_cursor_are_followed(app):
    before = figures(opened(app))
    app.selectbox(key="added").set_value(3).run()
    after = figures(app)
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True, False, False, False]
    app.slider(key="frame").set_value(11).run()
    moved = figures(app)
    assert [one != other for one, other in zip(after, moved, strict=True)] == [False, False, True, False, False]
    assert "frame 11 to the next" in json.dumps(moved[2])


@pytest.mark.parametrize("part", [None, (2, 19)])
def test_every_python_that_is_offered_gives_the_figure_above_it(app, part, monkeypatch):
    if part:
        app.query_params["part"] = [str(part[0]), str(part[1] - 1)]
        box = test_pages.library.truth("sample").part(*part).box
        whole = work.Request("sample", work.BOX, box, ("spatial-video", "freq-video"), "cpu")
        work.analyse(replace(whole, frames=part).run(), lambda *_: None, lambda: False)
    opened(app)
    monkeypatch.chdir(ROOT)
    shown, lines = figures(app), copied(app, "python")
    assert len(shown) == len(lines) == 5
    for figure, python in zip(shown, lines, strict=True):
        held = {}
        exec(python, held)
        assert numbers(drawn(held["panel"])) == numbers(figure["data"]), python


def test_the_command_measures_the_same(app, monkeypatch, tmp_path):
    opened(app)
    (command,) = set(copied(app, "bash"))
    monkeypatch.chdir(ROOT)
    for line in command.replace("runs/", f"{tmp_path}/").split(" && "):
        answer = CliRunner().invoke(command_line, shlex.split(line)[3:])
        assert answer.exit_code == 0, answer.output
    assert "Blur decays energy: " in answer.output
    (file,) = tmp_path.glob("*-claims.json")
    kept = work.STORE.folders()[0] / "claims.json"
    assert Claims.load(file).verdicts == Claims.load(kept).verdicts


def test_what_cannot_be_measured_is_answered_with_a_sentence(app, monkeypatch, tmp_path, walk_file):
    def flat(*_):
        raise ValueError("blur needs a person's region with structure, got a flat one")

    for kept in work.STORE.folders():
        (kept / "claims.json").unlink(missing_ok=True)
    monkeypatch.setattr(claims, "measure", flat)
    monkeypatch.setattr(work, "_tests", {})
    assert "blur needs a person's region with structure, got a flat one." in words(opened(app))
    assert not figures(app)
    truth = tmp_path / "truth.json"
    truth.write_text('{"joints": 1}')
    folder = str(work.STORE.folders()[0])
    answer = CliRunner().invoke(command_line, ["claims", str(walk_file), "--run", folder, "--truth", str(truth)])
    assert answer.exit_code == 2
    assert "truth.json has no list blur_length" in answer.output


def test_claims_of_a_run_of_a_part_are_of_that_part(monkeypatch, tmp_path, walk_file):
    found = run.analyse(walk_file, {"tiny": TinyNetwork().eval()}, (20, 40, 24, 48), frames=(4, 15))
    (tmp_path / "run").mkdir()
    found.write(tmp_path / "run")
    asked = []
    monkeypatch.setattr(claims, "measure", lambda clip, *_, **__: asked.append((clip.first, len(clip))))
    CliRunner().invoke(command_line, ["claims", str(walk_file), "--run", str(tmp_path / "run")])
    assert asked == [(4, 11)]
