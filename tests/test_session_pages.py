"""Does a session saved on one machine show every page on another, and does a link wait for the clip that it names?"""

from urllib.parse import parse_qs, urlparse

import pytest
import test_pages
from conftest import TinyNetwork, walking_frames
from streamlit.testing.v1 import AppTest
from test_pages import CANNOT, PAGES, ROOT, figures, finish, upload, words

import models
from freqviz import run
from freqviz.session import open_session
from freqviz.store import Store
from freqviz.video import write_video
from freqviz.web import View, library, session, work

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed
FRAME = 9
VIEWS = [page for page in PAGES if page.parent.name != "paper"]  # settings of paper last as long as a visit


@pytest.fixture
def known(app):
    """The sample as the page shows it."""
    request = work.Request("sample", work.BOX, library.truth("sample").box, ("spatial-video", "freq-video"), "cpu")
    planned = request.run()
    return View("sample", planned.clip, work.finished(planned.key), work.STORE.root / planned.key.digest)


@pytest.fixture(params=[False, True], ids=["clip as it is", "encoded anew"])
def file(known, request):
    """A session of the sample with all that the networks compute for frame 9; its data."""
    return session._file(known, f"frame_weights?frame={FRAME}&network=freq-video", request.param, FRAME)


@pytest.fixture
def elsewhere(app, file, monkeypatch, tmp_path):
    """The app on another machine, without results and without parameters of networks."""
    monkeypatch.setattr(work, "STORE", Store(tmp_path / "empty"))
    monkeypatch.setattr(models, "checkpoint", lambda name: tmp_path / "none.safetensors")
    monkeypatch.setattr(TinyNetwork, "estimate", lambda *_: pytest.fail("a network was run"))
    monkeypatch.setattr(run, "_load", lambda *_: pytest.fail("a network was loaded"))
    work.TRACES.clear()
    visit = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    visit.session_state[CANNOT] = "It is none."
    return visit


def numbers(figure):
    return [{axis: trace.get(axis) for axis in ("type", "x", "y", "z", "u", "v")} for trace in figure["data"]]


def test_an_uploaded_session_opens_at_its_frame_and_links_to_the_view_that_was_saved(elsewhere, file):
    elsewhere.run()
    elsewhere.slider(key="part").set_value((2, 9)).run()
    upload(elsewhere, "../my walk.freqviz.zip", file)
    assert not elsewhere.exception
    assert elsewhere.selectbox(key="clip").value.startswith("my walk-")
    assert elsewhere.slider(key="frame").value == FRAME
    (link,) = elsewhere.get("link_button")
    address = urlparse(link.proto.url)
    name = elsewhere.selectbox(key="clip").value
    assert address.path == "frame_weights"
    assert parse_qs(address.query) == {"frame": [str(FRAME)], "network": ["freq-video"], "clip": [name]}
    assert f"Key frame {FRAME}." in words(elsewhere)
    assert "From a session file. 20 frames of 160 × 120 pixels" in words(elsewhere)
    assert [path.name for path in library.SESSIONS.iterdir()] == [elsewhere.selectbox(key="clip").value]


def test_every_page_shows_what_needs_no_network_and_says_what_does(app, elsewhere, file, request):
    whole = "as it is" in request.node.name
    app.query_params["frame"] = str(FRAME)
    name = library.add("walk.zip", file)
    assert library.add("again.zip", file) == name
    elsewhere.query_params["clip"], elsewhere.query_params["frame"] = name, str(FRAME)
    elsewhere.run()
    needs = {"frame_weights", "blur_against_energy"}
    for page in [page for page in VIEWS if page.stem != "three_claims"]:  # this person is lost in all frames
        elsewhere.switch_page(str(page.relative_to(ROOT))).run()
        assert not elsewhere.exception
        assert [(page.stem, one.value) for one in elsewhere.error] == []
        said = [one.value for one in elsewhere.info if "has to be computed by the" in one.value]
        assert bool(said) == (page.stem in needs), page
        assert len(figures(elsewhere)) >= (1 if page.stem == "networks" else 2)
    elsewhere.switch_page("pages/inner/alignment.py").run()
    there = figures(elsewhere)
    elsewhere.slider(key="frame").set_value(4).run()
    assert "computed by the spatial-video that analysed the clip, and this machine has none" in words(elsewhere)
    assert len(figures(elsewhere)) == 1  # the global shift needs none
    assert len(there) == 8
    assert whole or "Its clip was encoded anew" in words(elsewhere)


def test_the_clip_of_a_session_keeps_as_many_frames_as_one_of_the_library(file, monkeypatch):
    monkeypatch.setattr(work, "HELD", 10 * 160 * 120 * 3)
    work._session.cache_clear()
    clip = work.open_clip(library.add("walk.zip", file))
    for i in range(20):
        clip[i]
    assert clip.held_bytes == work.HELD
    work._session.cache_clear()


def test_a_session_shows_the_numbers_of_the_page_that_saved_it(known, elsewhere, file):
    name = library.add("walk.zip", file)
    elsewhere.query_params["clip"], elsewhere.query_params["frame"] = name, "11"
    shown = figures(elsewhere.run())
    whole = View(name, work.part_of(name, library.session(name)), work.loaded(library.session(name)), ROOT)
    assert whole.table.equals(known.table) or (whole.table - known.table).abs().max().max() < 1e-9
    assert [one.tolist() for one in whole.true_joints] == [one.tolist() for one in known.true_joints]
    assert whole.marks == known.marks
    assert "truth" in {trace.get("name") for trace in shown[0]["data"]}
    assert "(true blur 5.2 px)" in words(elsewhere)
    assert whole.clip_python.startswith("clip = freqviz.open_session(")


def test_with_the_same_parameters_the_network_runs_and_with_others_it_does_not(app, file, monkeypatch):
    name = library.add("walk.zip", file)
    app.query_params["clip"], app.query_params["frame"] = name, "4"
    app.run()
    app.switch_page("pages/inner/alignment.py").run()
    assert not app.error
    assert len(figures(app)) == 8
    monkeypatch.setattr(models, "checkpoint_hash", lambda name: f"other {name}")
    app.slider(key="frame").set_value(5).run()
    assert "the one of this machine has other parameters" in words(app)


@pytest.mark.parametrize("data", [b"PK\x03\x04 no zip", b"PK"])
def test_a_bad_session_gives_one_sentence_and_loses_nothing(app, data):
    app.run()
    app.slider(key="frame").set_value(5).run()
    upload(app, "notes.freqviz.zip", data)
    assert [error.value for error in app.error] == [app.error[0].value]
    assert "notes.freqviz.zip is no session file" in app.error[0].value
    assert (app.selectbox(key="clip").value, app.slider(key="frame").value) == ("sample", 5)
    assert not library.SESSIONS.exists() or not list(library.SESSIONS.iterdir())


def test_a_part_and_its_frames_are_saved_under_their_numbers(app, tmp_path):
    box = library.truth("sample").part(5, 15).box
    asked = work.Request("sample", work.BOX, box, ("spatial-video", "freq-video"), "cpu", frames=(5, 15))
    work.analyse(asked.run(), lambda *_: None, lambda: False)
    planned = asked.run()
    view = View("sample", planned.clip, work.finished(planned.key), work.STORE.root / planned.key.digest)
    for small in (False, True):
        name = library.add(f"{small}.zip", session._file(view, "", small, 0))
        folder = library.session(name)
        there = View(name, work.part_of(name, folder), work.loaded(folder), folder)
        assert (there.clip.first, len(there.clip), there.number(3)) == (5, 10, 8)
        assert there.truth(3).keypoints.tolist() == view.truth(3).keypoints.tolist()
        assert there.deep(0, "freq-video").network == "freq-video"
        assert open_session(folder).clip.first == (5 if small else 0)
        app.query_params["clip"] = name
        visit = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        visit.session_state[CANNOT] = "It is none."
        visit.query_params["clip"], visit.query_params["frame"] = name, "8"
        assert "Key frame 8." in words(visit.run())


def test_a_link_waits_for_its_clip_and_then_opens_its_view(app, walk_file, tmp_path):
    other = write_video(tmp_path / "other.mp4", walking_frames(9), 25).read_bytes()
    right = write_video(tmp_path / "right.mp4", walking_frames(14, step=2.0), 25).read_bytes()
    name = library.add("right.mp4", right)
    (library.CLIPS / name).unlink()
    app.query_params.update({"clip": name, "box": "20, 40, 24, 48", "frame": "6", "networks": "freq-video"})
    app.run()
    assert app.warning[0].value.startswith(f"The clip {name} is not on this machine")
    assert not app.get("selectbox")
    upload(app, "other.mp4", other)
    assert "is another clip than the link names" in app.error[0].value
    upload(app, "renamed.mp4", right)
    assert not app.exception
    assert not app.warning
    assert app.selectbox(key="clip").value == name.replace("right", "renamed")
    assert app.text_input(key="box").value == "20, 40, 24, 48"
    assert app.multiselect(key="networks").value == ["freq-video"]
    finish(app)
    assert app.slider(key="frame").value == 6
    assert app.query_params["clip"] in (name.replace("right", "renamed"), [name.replace("right", "renamed")])


def test_a_link_can_be_left(app):
    app.query_params.update({"clip": "<b>x</b>-3fa2c1d4.mp4", "frame": "6"})
    app.run()
    assert "<" not in app.warning[0].value
    next(one for one in app.button if one.label == "Leave this link").click().run()
    assert not app.exception
    assert app.selectbox(key="clip").value == "sample"
    assert app.slider(key="frame").value == 0


def test_a_link_names_a_clip_by_its_content(app, walk_file):
    name = library.add("mine.mp4", walk_file.read_bytes())
    app.query_params.update({"clip": f"theirs{name.removeprefix('mine')}", "box": "20, 40, 24, 48"})
    app.run()
    assert not app.warning
    assert app.selectbox(key="clip").value == name
    assert app.text_input(key="box").value == "20, 40, 24, 48"


@pytest.mark.parametrize("page", VIEWS, ids=lambda page: page.stem)
def test_every_choice_of_every_page_stands_in_the_address(app, page):
    app.run()
    app.switch_page(str(page.relative_to(ROOT))).run()
    asked = [one for kind in (app.slider, app.selectbox, app.multiselect, app.text_input, app.toggle) for one in kind]
    asked += list(app.get("button_group"))
    assert len(asked) >= 7
    assert [one.label for one in asked if one.proto.query_param_key == ""] == []
    assert page.stem == "three_claims" or figures(app)  # measured by a job
