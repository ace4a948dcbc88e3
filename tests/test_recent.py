"""Are the clips analysed lately listed, opened as they were analysed, and removed with all that came from them?"""

import os

import numpy as np
import pytest
import test_pages
from conftest import walking_frames
from test_pages import figures, finish, select_clip, upload, words

from freqviz.parts import Parts
from freqviz.store import Store
from freqviz.video import write_video
from freqviz.web import library, recent, work
from freqviz.web.work import Request

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed


@pytest.fixture
def walked(app, tmp_path, monkeypatch):
    """The app after an upload was analysed, frames 2 to 9 with one corrected; its name."""
    monkeypatch.setattr(work, "STORE", Store(tmp_path / "results"))
    monkeypatch.setattr(library, "COPIES", tmp_path / "copies")
    data = write_video(tmp_path / "a_walk.mp4", walking_frames(12, step=2.0), 25).read_bytes()
    upload(app.run(), "a_walk.mp4", data)
    app.text_input(key="box").set_value("20.25, 40, 24, 48.1").run()
    app.slider(key="part").set_value((2, 9)).run()
    app.toggle(key="draw").set_value(True).run()
    app.text_input(key="corrections").set_value("6: 32, 40, 24, 48").run()
    app.toggle(key="draw").set_value(False).run()
    finish(app)
    assert len(figures(app)) == 6
    return app.selectbox(key="clip").value


def press(app, key):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def opened(app):
    """The app with the list open."""
    app.session_state["recent"] = True
    return app.run()


def test_a_clip_analysed_lately_opens_by_one_click_as_it_was_analysed(app, walked):
    select_clip(app, "sample").run()
    app.multiselect(key="networks").set_value(["freq-video"]).run()
    opened(app)
    assert "spatial-video, freq-video · box, 1 corrected, frames 2 to 9 · just now" in words(app)
    press(app, f"open {walked}")
    assert app.selectbox(key="clip").value == walked
    assert app.button(key="run").label == "Analysed"
    assert app.slider(key="part").value == (2, 9)
    assert app.text_input(key="box").value == "20.25, 40.0, 24.0, 48.1"
    assert app.query_params["clip"] in (walked, [walked])
    assert len(figures(app)) == 6


def test_the_newest_stands_first_and_each_clip_once(app, walked):
    (file,) = library.RECENT.glob("*.json")
    os.utime(file, (1e9, 1e9))
    work.start(Request("sample", work.BOX, library.truth("sample").box, ("spatial-video",), "cpu")).wait(60)
    assert [name for name, _, _ in work.recent()] == ["sample", walked]
    work.start(Request(walked, work.WHOLE_FRAME, None, ("spatial-video",), "cpu")).wait(60)
    found = work.recent()
    assert [name for name, _, _ in found] == [walked, "sample"]
    assert found[0][1].person == work.WHOLE_FRAME
    assert [recent._ago(seconds) for seconds in (5, 61, 7200, 90000)] == [
        "just now", "1 minute ago", "2 hours ago", "1 day ago",
    ]  # fmt: skip


def test_a_run_that_was_not_finished_is_not_listed(app, walked, monkeypatch):
    def broken(*_):
        raise ValueError("the disk is full")

    monkeypatch.setattr(work, "analyse", broken)
    work.start(Request("sample", work.WHOLE_FRAME, None, ("freq-video",), "cpu")).wait(60)
    assert [name for name, _, _ in work.recent()] == [walked]


def test_removing_asks_and_takes_all_that_came_from_the_clip_and_nothing_else(app, walked, tmp_path):
    other = work.start(Request("sample", work.WHOLE_FRAME, None, ("freq-video",), "cpu"))
    assert other.wait(60)
    for ticket in work._copies.values():
        assert ticket.wait(60)
    before = len(work.STORE.folders()), len(list(library.COPIES.iterdir()))
    for file in library.RECENT.glob("*.json"):  # as if each had been run again and stopped
        Parts(work.STORE.root, file.stem).put(0, 4, {"0 scores": np.zeros(4)}, {})
    press(opened(app), f"doom {walked}")
    assert "Remove a\\_walk" in words(app)
    press(app, "keep")
    assert walked in library.clips()
    press(press(app, f"doom {walked}"), "remove")
    assert app.selectbox(key="clip").value == "sample"
    assert walked not in app.selectbox(key="clip").options
    assert list(library.CLIPS.iterdir()) == []
    assert [name for name, _, _ in work.recent()] == ["sample"]
    assert (len(work.STORE.folders()), len(list(library.COPIES.iterdir()))) == (1, 1)
    assert before == (2, 2)
    assert [folder.name for folder in work.STORE.root.glob(".parts-*")] == [f".parts-{other.key}"]
    assert "doom sample" not in [button.key for button in app.button]


def test_the_sample_cannot_be_removed_and_an_opened_session_can(app, walked):
    from freqviz.web import View, session

    library.forget("sample")
    assert library.SAMPLE_FILE.is_file()
    folder = work.STORE.folders()[0]
    clip = work.part_of(walked, folder)
    name = library.add("a.zip", session._file(View(walked, clip, work.loaded(folder), folder), "", True, None))
    assert work.recent()[0][:2] == (name, None)
    press(opened(app), f"open {name}")
    assert "From a session file" in words(app)
    press(press(app, f"doom {name}"), "remove")
    assert name not in library.clips()
    assert walked in library.clips()
    assert len(work.STORE.folders()) == 1


def test_pages_show_no_list_where_nothing_was_analysed(app):
    app.run()
    assert not [one for one in app.get("popover") if "Recent" in str(one)]
