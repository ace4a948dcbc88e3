"""Does every page open, say what is wrong in a sentence, and keep what the visitor chose?

The pages run without a browser, on a clip of 20 frames, with tiny networks in the place of the trained ones.
"""

import ast
import json
import re
import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import TinyNetwork, walking_frames
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import models
from freqviz import boxes, devices, jobs, look, poses, run, sharpness, to_video
from freqviz.analysis import load_analysis
from freqviz.store import Store, Uses
from freqviz.video import write_video
from freqviz.web import View, choice, library, work
from freqviz.web.frame import CANNOT

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "pages").rglob("*.py"))
BOX = "20, 40, 24, 48"


@pytest.fixture(scope="session")
def walk_file(tmp_path_factory):
    """The 20 frames of `walk` as a file, with a made-up truth beside it: the sample of these tests."""
    file = tmp_path_factory.mktemp("sample") / "sample.mp4"
    write_video(file, walking_frames(20), 25)
    truth = {
        "joints": np.tile([[32.0 + j, 44 + 2 * j] for j in range(14)], (20, 1, 1)).tolist(),
        "box": [[20, 40, 24, 48]] * 20,
        "blur_length": np.linspace(0, 9, 20).tolist(),
    }
    file.with_suffix(".json").write_text(json.dumps(truth))
    return file


@pytest.fixture(scope="session")
def analysed(tmp_path_factory):
    """A store that keeps what the tests have analysed, so that only the first one waits."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def app(monkeypatch, walk_file, analysed, tmp_path):
    """The app on its first run in a browser without the scrubber, the sample analysed by two tiny networks."""
    seeds = {"spatial-video": 1, "freq-video": 2}
    monkeypatch.setattr(models, "names", lambda: list(seeds))
    monkeypatch.setattr(models, "load", lambda name, device: TinyNetwork(seeds[name]).to(device))
    monkeypatch.setattr(models, "checkpoint", lambda name: walk_file)
    monkeypatch.setattr(models, "checkpoint_hash", lambda name: f"tiny {name}")
    monkeypatch.setattr(library, "SAMPLE_FILE", walk_file)
    monkeypatch.setattr(library, "CLIPS", tmp_path / "clips")
    monkeypatch.setattr(library, "SESSIONS", tmp_path / "sessions")
    monkeypatch.setattr(library, "RECENT", tmp_path / "recent")
    monkeypatch.setattr(library, "BOXES", tmp_path / "boxes")
    monkeypatch.setattr(library, "TRUTHS", tmp_path / "truths")
    monkeypatch.setattr(library, "COPIES", analysed / "copies")
    monkeypatch.setattr(library, "EXPORTS", tmp_path / "exports")
    monkeypatch.setattr(library, "USES", Uses(tmp_path / "used"))
    monkeypatch.setattr(work, "STORE", Store(analysed))
    monkeypatch.setattr(work, "_tickets", {})
    monkeypatch.setattr(work, "_copies", {})
    sample = work.Request(library.SAMPLE, work.BOX, library.truth("sample").box, tuple(seeds), "cpu")
    work.analyse(sample.run(), lambda done, total: None, lambda: False)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state[CANNOT] = "It is none."
    return app


def figures(app):
    """The figures on the page, as Plotly has them."""
    return [json.loads(one["figure"]) for one in told(app, "figure")]


def told(app, component):
    """What the browser is told for our own parts of the page of one kind."""
    sent = [one.proto for one in app.get("bidi_component")]
    return [json.loads(one.json) for one in sent if one.component_name == f"freqviz_{component}"]


def words(app):
    """Everything that the page says in text."""
    return " ".join(str(one.value) for kind in (app.markdown, app.caption, app.error, app.info) for one in kind)


def select_clip(app, name):
    return app.selectbox(key="clip").select(name)


def upload(app, name, data):
    app.file_uploader[0].set_value((name, data, "video/mp4")).run()
    return app


def finished(app):
    """The analysis of what is chosen on the page."""
    return load_analysis(work.STORE.folders()[0])


def finish(app):
    """Press Run and wait for the job."""
    app.button(key="run").click().run()
    for ticket in list(work._tickets.values()):
        assert ticket.wait(60)
    return app.run()


def test_what_was_analysed_once_is_shown_on_every_page_and_visit_and_is_not_analysed_again(app, monkeypatch):
    """Other pages may run single windows, the first one and the job ask no network at all."""

    def forbidden(*_, **__):
        raise AssertionError("this was analysed before")

    monkeypatch.setattr(run.Run, "analysis", forbidden)
    app.run()
    for page in [*PAGES, *PAGES]:
        app.switch_page(str(page.relative_to(ROOT))).run()
        assert not app.exception
        assert app.button(key="run").label == "Analysed"
    monkeypatch.setattr(TinyNetwork, "shared", forbidden)
    monkeypatch.setattr(TinyNetwork, "estimate", forbidden)
    visit = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not visit.exception
    assert visit.button(key="run").label == "Analysed"
    request = work.Request(library.SAMPLE, work.BOX, library.truth("sample").box, tuple(models.names()), "cpu")
    ticket = work.start(request)
    assert ticket.wait(60)
    assert (ticket.state, ticket.message) == ("done", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_opens(app, page):
    app.run()
    app.switch_page(str(page.relative_to(ROOT))).run()
    assert not app.exception
    assert len(app.title) == 1
    assert app.sidebar.selectbox(key="clip").value == "sample"


def test_the_sample_shows_skeletons_truth_weights_spectrum_profile_and_scatter(app):
    app.run()
    poses, strip, weights, scatter, spectrum, radial = figures(app)
    assert {"spatial-video", "freq-video", "truth"} <= {trace.get("name") for trace in poses["data"]}
    assert spectrum["data"][0]["type"] == strip["data"][0]["type"] == "heatmap"
    assert [trace["name"] for trace in radial["data"]] == ["frame 0, the sharpest", "frame 0"]
    assert "Sharpest by true blur: frame 0, 0.0 px." in words(app)
    assert sum(trace["type"] == "bar" for trace in weights["data"]) == 2
    assert any(trace.get("name") == "frame 0" for trace in scatter["data"])


def test_the_slider_moves_what_every_figure_shows(app):
    before = figures(app.run())
    after = figures(app.slider(key="frame").set_value(11).run())
    assert [a != b for a, b in zip(before, after, strict=True)] == [True] * 6
    assert any(trace.get("name") == "frame 11" for trace in after[3]["data"])
    assert "Key frame 11" in words(app)
    assert "Frame 11 is neither among the blurriest nor the sharpest (true blur 5.2 px)" in words(app)


def with_scrubber(app):
    """The app in a browser that can run the scrubber, once its copy of the clip is made."""
    del app.session_state[CANNOT]
    app.run()
    for ticket in work._copies.values():
        assert ticket.wait(60)
    return app.run()


def test_the_scrubber_takes_the_place_of_the_picture_and_follows_the_frame(app):
    app.query_params["frame"] = "7"
    with_scrubber(app)
    assert len(figures(app)) == 5
    (begun,) = told(app, "scrubber")
    assert (begun["frame"], begun["turn"], begun["person"]) == (7, 0, True)
    assert begun["roles"]["truth"]["right"] == look.role("truth").colour
    assert (begun["clip"].split(".")[-1], begun["overlays"].split(".")[-1]) == ("mp4", "json")
    app.slider(key="frame").set_value(11).run()
    assert told(app, "scrubber") == [begun | {"frame": 11}]
    assert len(list(library.COPIES.iterdir())) == 1


def test_where_no_copy_can_be_made_the_slider_says_why(app, monkeypatch, tmp_path):
    def too_long(*_, **__):
        raise ValueError("the clip of 20 frames is too long to scrub")

    monkeypatch.setattr(library, "COPIES", tmp_path / "copies")
    monkeypatch.setattr(to_video, "scrubbing_copy", too_long)
    with_scrubber(app)
    assert len(figures(app)) == 6
    assert "stands in for the scrubber: the clip of 20 frames is too long to scrub." in words(app)
    assert not told(app, "scrubber")


def test_one_range_of_decibels_serves_the_whole_clip(app):
    app.run()
    ranges = []
    for frame in (0, 9, 19):
        colours = figures(app.slider(key="frame").set_value(frame).run())[3]["layout"]["coloraxis"]
        ranges.append((colours["cmin"], colours["cmax"]))
    assert len(set(ranges)) == 1
    assert "one reference for the clip" in words(app)


def test_the_choice_survives_a_rerun_and_a_link_brings_it_back(app):
    chosen = {
        "frame": 7,
        "region": "Whole frame",
        "network": "freq-video",
        "joint": "left wrist",
        "blur": "tenengrad",
        "energy": "log energy in freq-video, band 1",
    }
    for key, value in chosen.items():
        app.query_params[key] = View.label(value) if key == "blur" else str(value)
    for _ in range(2):
        app.run()
        assert {key: app.session_state[key] for key in chosen} == chosen


def test_every_choice_on_the_page_stands_in_the_address(app):
    app.run()
    asked = [one for kind in (app.slider, app.selectbox, app.multiselect, app.text_input, app.toggle) for one in kind]
    asked += list(app.get("button_group"))
    assert len(asked) >= 10
    assert [one.label for one in asked if one.proto.query_param_key == ""] == []


def test_a_joint_brings_its_heatmap_under_limits_that_all_networks_share(app, monkeypatch):
    ran = []
    compute = run.deep_trace
    monkeypatch.setattr(run, "deep_trace", lambda clip, name, *rest: ran.append(name) or compute(clip, name, *rest))
    work.TRACES.clear()
    app.run()
    assert ran == []  # nothing is recomputed before it is asked for
    shown = []
    app.selectbox(key="joint").select("left wrist").run()
    for network in ("freq-video", "spatial-video", "freq-video"):
        app.selectbox(key="network").select(network).run()
        assert f"{network}, left wrist: score" in words(app)
        shown.append(figures(app)[4])
    assert ran == ["spatial-video", "freq-video"]
    assert shown[0]["data"] == shown[2]["data"] != shown[1]["data"]
    ranges = {(one["layout"]["coloraxis"]["cmin"], one["layout"]["coloraxis"]["cmax"]) for one in shown}
    assert len(ranges) == 1


def test_a_measure_that_shares_its_formula_with_energy_is_marked_in_words(app):
    app.run()
    assert "built in" not in words(app)
    blur = app.selectbox(key="blur")
    assert [option for option in blur.options if "same spectrum as energy" in option][:2] == [
        "Sharpness index S (log ratio) · same spectrum as energy",
        "High-frequency ratio · same spectrum as energy",
    ]
    assert "same spectrum" not in "".join(blur.options[:3])  # true blur, edge width, cepstrum
    blur.select("tenengrad").run()
    assert "part of this agreement is built in" in words(app)


def test_a_bad_upload_gives_one_sentence_and_loses_nothing(app):
    app.run()
    app.slider(key="frame").set_value(5).run()
    upload(app, "notes.mp4", b"these are notes and no video")
    assert len(app.error) == 1
    assert "notes.mp4" in app.error[0].value
    assert app.error[0].value.count(".") - app.error[0].value.count(".mp4") == 1
    assert (app.selectbox(key="clip").value, app.slider(key="frame").value) == ("sample", 5)
    assert len(figures(app)) == 6
    assert not library.CLIPS.exists() or not list(library.CLIPS.iterdir())


def test_an_upload_is_chosen_and_asks_for_the_box_before_it_can_run(app, tmp_path):
    clip = write_video(tmp_path / "a walk.mp4", walking_frames(12, step=2.0), 25)
    upload(app.run(), "../a walk.mp4", clip.read_bytes())
    name = app.selectbox(key="clip").value
    assert name.startswith("a walk-")
    assert [path.name for path in library.CLIPS.iterdir()] == [name]
    assert app.button(key="run").disabled
    assert "box of the person" in words(app)
    app.text_input(key="box").set_value(BOX).run()
    assert not app.button(key="run").disabled
    finish(app)
    assert len(figures(app)) == 6
    assert "truth" not in {trace.get("name") for trace in figures(app)[0]["data"]}


def give_truth(app, name, data):
    uploader = next(one for one in app.file_uploader if one.label == "True joints")
    uploader.set_value((name, data, "text/csv")).run()
    return app


def test_an_upload_can_be_given_its_truth_and_a_wrong_file_leaves_it(app, tmp_path):
    clip = write_video(tmp_path / "walk.mp4", walking_frames(9, step=2.0), 25)
    upload(app.run(), "walk.mp4", clip.read_bytes())
    app.text_input(key="box").set_value(BOX).run()
    finish(app)
    assert not app.error
    give_truth(app, "truth.csv", b"frame,joint,x,y\n0,head,30,44\n0,neck,30,50")
    assert "truth" in {trace.get("name") for trace in figures(app)[0]["data"]}
    give_truth(app, "other.csv", b"frame,joint,x,y\n99,head,30,44")
    assert [error.value.split(":")[0] for error in app.error] == ["other.csv is no table of poses of this clip"]
    assert "truth" in {trace.get("name") for trace in figures(app)[0]["data"]}
    app.slider(key="frame").set_value(3).run()
    assert "truth" not in {trace.get("name") for trace in figures(app)[0]["data"]}  # known in frame 0 only
    next(one for one in app.button if one.label == "Remove the truth").click().run()
    app.slider(key="frame").set_value(0).run()
    assert "truth" not in {trace.get("name") for trace in figures(app)[0]["data"]}


def test_a_truth_that_lies_far_from_all_poses_is_doubted_in_one_sentence(app, tmp_path):
    """The box is the frame, 160 pixels wide; the truth is what the only network found, moved."""
    clip = write_video(tmp_path / "walk.mp4", walking_frames(9, step=2.0), 25)
    app.query_params["person"] = "Whole frame"
    upload(app.run(), "walk.mp4", clip.read_bytes())
    app.multiselect(key="networks").set_value(["spatial-video"]).run()
    finish(app)
    table = finished(app).poses
    assert not app.warning
    for shift, doubted in ((79, False), (81, True)):
        give_truth(app, "truth.csv", table.assign(x=table["x"] - shift).to_csv(index=False).encode())
        assert ["over half a box from all poses" in one.value for one in app.warning] == [True] * doubted


def test_a_truth_of_the_first_frame_gives_the_box(app, walk_file):
    name = library.add("b.mp4", walk_file.read_bytes())
    rows = "".join(f"0,{joint},{30 + j},{44 + 2 * j}\n" for j, joint in enumerate(poses.JOINTS))
    with work.Clip(walk_file) as clip:
        library.add_truth(name, clip, "t.csv", f"frame,joint,x,y\n{rows}".encode())
    assert library.truth(name).box == (29, 43, 14, 29)
    assert library.truth(name).blur is None
    assert library.truth(name).part(0, 9).box == (29, 43, 14, 29)
    assert library.truth(name).part(1, 9).box is None


def test_the_same_clip_is_kept_once(app, walk_file):
    first = library.add("a.mp4", walk_file.read_bytes())
    assert library.add("b.mp4", walk_file.read_bytes()) == first
    assert len(list(library.CLIPS.iterdir())) == 1


@pytest.mark.parametrize("person", ["Whole frame", "Motion"])
def test_the_person_need_not_be_drawn(app, person):
    app.query_params["person"] = person
    app.run()
    assert not figures(app)
    finish(app)
    assert len(figures(app)) == 6


def test_imported_boxes_are_kept_and_a_person_of_them_is_chosen(app):
    app.query_params["person"] = "Import"
    app.run()
    assert app.button(key="run").disabled
    app.file_uploader[1].set_value(("notes.csv", b"some notes\n", "text/csv")).run()
    assert "missing frame, x, y, w, h" in app.error[0].value
    tracks = b"1,7,21,41,24,48\n1,3,21,41,24,48\n20,3,78,41,24,48\n"
    app.file_uploader[1].set_value(("../gt.txt", tracks, "text/plain")).run()
    assert not app.error
    assert app.selectbox(key="boxes").value.startswith("gt-")
    assert app.selectbox(key="track").options == ["3", "7"]
    finish(app)
    assert len(figures(app)) == 6
    app.selectbox(key="track").select("7").run()
    assert not app.button(key="run").disabled, "another person is another run"


def test_no_boxes_are_taken_unless_chosen_and_a_link_brings_the_choice_back(app):
    older = library.add_boxes("a.csv", b"frame,x,y,w,h\n0,20,40,24,48\n")
    library.add_boxes("b.csv", b"frame,x,y,w,h\n0,21,40,24,48\n")
    app.query_params["person"] = "Import"
    assert app.run().selectbox(key="boxes").value is None  # a default would not stand in the address
    link = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    link.query_params["person"], link.query_params["boxes"] = "Import", older
    assert link.run().selectbox(key="boxes").value == older
    assert not link.button(key="run").disabled


@pytest.mark.parametrize("text", ["1, 2, 3", "a, b, c, d", "10, 10, 0, 20", "900, 900, 20, 20"])
def test_a_wrong_box_is_answered_with_one_sentence(app, text):
    app.run()
    app.text_input(key="box").set_value(text).run()
    assert not app.exception
    assert len(app.error) == 1
    assert not figures(app)


def test_a_run_that_fails_says_why_and_can_be_tried_again(app, monkeypatch):
    def broken(*_):
        raise ValueError("the disk is full")

    app.query_params["box"] = "21, 41, 22, 46"
    app.run()
    monkeypatch.setattr(work, "analyse", broken)
    finish(app)
    assert [error.value for error in app.error] == ["The run stopped: the disk is full."]
    assert not app.button(key="run").disabled


def test_while_a_run_goes_on_its_newest_poses_are_shown_and_cancel_stops_it(app, monkeypatch):
    """The network waits in its second step: what it has done and what it still does can be counted."""
    reached, gate, frames = threading.Event(), threading.Event(), []
    estimate = TinyNetwork.estimate

    def slow(self, window):
        frames.append(len(window["maps"]))
        if len(frames) == 5:  # of two networks: the first one, in its third step
            reached.set()
            gate.wait(60)
        return estimate(self, window)

    monkeypatch.setattr(TinyNetwork, "estimate", slow)
    app.query_params["box"] = "22, 42, 22, 46"
    app.run()
    app.button(key="run").click().run()
    try:
        assert reached.wait(60)
        app.run()
        (newest,) = figures(app)
        assert {"spatial-video", "freq-video"} <= {trace.get("name") for trace in newest["data"]}
        before = sum(frames)
        assert f"Frame {(before - frames[-1]) // 2 - 1}, the newest one done." in words(app)
        app.button(key="cancel").click().run()
    finally:
        gate.set()
    (ticket,) = work._tickets.values()
    assert ticket.wait(60)
    assert sum(frames) - before == frames[4], "only the second network's windows of the step under way"
    assert "Cancelled after" in words(app.run())


def press_run(app, box):
    app.query_params["box"] = box
    app.run()
    app.button(key="run").click().run()
    return app


def test_a_run_that_waits_says_its_place_and_a_full_queue_says_so_and_starts_nothing(app, monkeypatch):
    gate, running = threading.Event(), threading.Event()
    hand = jobs.Worker("cpu", limit=2)
    monkeypatch.setattr(jobs, "worker", lambda name, *_: hand if name == "cpu" else jobs.Worker(name))
    hand.submit(lambda *_: (running.set(), gate.wait(60)), visitor=jobs.Visitor("another"))
    assert running.wait(60)
    try:
        waiting = hand.submit(lambda *_: None, visitor=jobs.Visitor("another"))
        press_run(app, "21, 41, 23, 47")
        (ticket,) = work._tickets.values()
        (bar,) = app.get("progress")
        assert bar.proto.text == "Place 2 in the queue: 2 runs before this one on cpu. Visitors are served in turn."
        assert f"Job {ticket.id}" in words(app)
        app.text_input(key="box").set_value("21, 41, 23, 48").run()
        app.button(key="run").click().run()
        assert "2 jobs wait for cpu, and no more can; nothing was begun, try again in a minute." in words(app)
        assert list(work._tickets.values()) == [ticket]
        assert not app.button(key="run").disabled
    finally:
        gate.set()
    assert ticket.wait(60)
    assert waiting.wait(60)
    assert ticket.state == jobs.DONE


def test_a_run_that_another_visitor_waits_for_too_cannot_be_cancelled_under_him(app, monkeypatch):
    reached, gate = threading.Event(), threading.Event()
    monkeypatch.setattr(work, "analyse", lambda planned, *_: (reached.set(), gate.wait(60)))
    press_run(app, "21, 41, 23, 49")
    (ticket,) = work._tickets.values()
    try:
        assert reached.wait(60)
        assert not app.run().button(key="cancel").disabled
        ticket.join(jobs.Visitor("another"))
        button = app.run().button(key="cancel")
        assert (button.disabled, button.help) == (True, "Another visitor or tab waits for this run too.")
    finally:
        gate.set()
    assert ticket.wait(60)


def test_out_of_memory_on_a_graphics_card_offers_the_cpu(app, monkeypatch):
    analyse, tried = work.analyse, []

    def small(planned, *args):
        tried.append(planned.device)
        if len(tried) == 1:
            raise jobs.OutOfMemory(devices.no_room("cuda"))
        return analyse(planned, *args)

    monkeypatch.setattr(work, "analyse", small)
    monkeypatch.setattr(devices, "choose", lambda device: "cpu" if device == "cpu" else "cpu:0")  # in its place
    press_run(app, "21, 41, 24, 47")
    (ticket,) = work._tickets.values()
    assert ticket.wait(60)
    (error,) = app.run().error
    assert error.value.startswith("The run stopped: the graphics card has no memory left even for one window (")
    assert "run on the CPU, or try again later" in error.value
    app.button(key="on_cpu").click().run()
    (again,) = work._tickets.values()
    assert again.wait(60)
    assert (again.state, again.device, tried) == (jobs.DONE, "cpu", ["cpu:0", "cpu"])
    assert app.run().button(key="run").label == "Analysed"


def test_a_stopped_run_says_what_is_kept_and_goes_on_from_there(app, monkeypatch):
    """As after a crash of the server: parts lie there, and nobody knows of a job."""
    monkeypatch.setattr(run, "LENGTH", 4)
    app.query_params["box"] = "21, 41, 24, 48"
    app.run()
    request = work.Request(library.SAMPLE, work.BOX, (21.0, 41.0, 24.0, 48.0), ("spatial-video", "freq-video"), "cpu")
    asked = iter(range(100))
    with pytest.raises(jobs.Cancelled):
        work.analyse(request.run(), jobs.silent, lambda: next(asked) > 4)
    kept = work.begun(request.run())
    assert kept >= 4
    app.run()
    assert f"This run was stopped before it was done. The first {kept} frames are kept; Run goes on" in words(app)
    finish(app)
    assert work.finished(request.run().key).provenance["cost"]["frames"] == 20 - kept


def test_a_fault_that_nobody_foresaw_is_a_sentence_with_an_id_and_the_log_has_the_stack(app, caplog):
    def page():
        from freqviz.web import faults

        try:
            {}["/srv/secret"]
        except KeyError as error:
            told = faults.tell(error)
        assert told, "else Streamlit shows it too"

    broken = AppTest.from_function(page).run()
    (error,) = broken.error
    (told,) = [record for record in caplog.records if record.exc_info]
    assert error.value.endswith(f"under fault {told.facts['fault']}.")
    assert "secret" not in error.value
    assert "KeyError" not in error.value
    assert "KeyError: '/srv/secret'" in caplog.text
    assert not broken.exception


def test_a_full_queue_that_a_script_did_not_foresee_is_no_fault(app, caplog):
    def page():
        from freqviz.jobs import QueueFull
        from freqviz.web import faults

        assert faults.tell(QueueFull("32 jobs wait for cpu, and no more can"))

    full = AppTest.from_function(page).run()
    assert [error.value for error in full.error] == ["32 jobs wait for cpu, and no more can."]
    assert not [record for record in caplog.records if record.name.startswith("freqviz")]
    assert not full.exception


def test_where_the_person_is_lost_the_page_says_so_in_words_and_above_the_weights(app, monkeypatch):
    monkeypatch.setattr(boxes, "lost", lambda points, *_: ["", "jump"] + [""] * (len(points) - 2))
    app.query_params["box"] = "24, 44, 22, 46"
    finish(app.run())
    assert "The person seems lost in 1 of them: 1." in words(app)
    assert "seems lost here" not in words(app)
    assert figures(app)[1]["layout"]["yaxis"]["ticktext"][-1] == "lost"
    app.slider(key="frame").set_value(1).run()
    assert "The person seems lost here (the pose jumped by more than a third of the box). Frame 1" in words(app)
    view = View(library.SAMPLE, work.open_clip(library.SAMPLE), finished(app), work.STORE.folders()[0])
    assert view.marks["lost"] == [1]
    assert (view.marks["sharpest"], view.marks["blurriest"]) == ([0], [19])
    assert view.trouble == {"lost": [1]}


def test_a_correction_of_a_later_frame_runs_only_the_tail_and_a_link_brings_it_back(app, monkeypatch):
    encoded = []
    shared = TinyNetwork.shared
    monkeypatch.setattr(TinyNetwork, "shared", lambda self, frames: encoded.append(len(frames)) or shared(self, frames))
    app.query_params["frame"], app.query_params["draw"] = "12", "true"
    app.run()
    assert app.slider(key="frame").value == 12
    assert "Draw where the person is in frame 12." in words(app)
    assert app.button(key="run").disabled
    app.text_input(key="corrections").set_value("12: 50, 40, 24, 48").run()
    assert re.search(r"About [\d to]+ s for 8 frames", words(app))
    finish(app)
    assert len(figures(app)) == 6
    assert app.slider(key="frame").value == 12
    assert not app.toggle(key="draw").value
    frames = finished(app).frames
    assert frames["box_source"][12] == "corrected"
    assert finished(app).provenance["cost"]["frames"] == 8
    assert min(encoded) >= 1
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.session_state[CANNOT] = "It is none."
    again.query_params["corrections"] = "12: 50, 40, 24, 48"
    assert len(figures(again.run())) == 6
    assert again.text_input(key="corrections").value == "12: 50, 40, 24, 48"


WRONG_CORRECTIONS = ("12", "12: 1, 2, 3", "-1: 1, 2, 3, 4", "3: 1, 2, 3, 4; 3: 5, 6, 7, 8", "99: 1, 2, 3, 4")


@pytest.mark.parametrize("text", WRONG_CORRECTIONS)
def test_a_wrong_correction_is_answered_with_one_sentence(app, text):
    app.query_params["draw"], app.query_params["corrections"] = "true", text
    app.run()
    assert not app.exception
    assert len(app.error) == 1


def test_a_run_takes_as_many_threads_as_at_the_start_whatever_pages_leave_it(app, monkeypatch, tmp_path):
    monkeypatch.setattr(work, "THREADS", 3)
    monkeypatch.setattr(work, "STORE", Store(tmp_path))
    planned = work.Request(library.SAMPLE, work.BOX, library.truth("sample").box, ("freq-video",), "cpu").run()
    with devices.with_threads(1):
        work.analyse(planned, jobs.silent, jobs.never)
        assert devices.threads() == 1
    assert work.finished(planned.key).provenance["threads"] == 3


def test_a_drawn_correction_joins_the_typed_ones():
    assert choice.parse_corrections(" 7: 1 2 3 4;  5: 1.5,2,3,4;") == ((5, (1.5, 2, 3, 4)), (7, (1, 2, 3, 4)))
    assert choice.parse_corrections("") == ()


def test_a_part_of_the_clip_is_analysed_and_shown_with_the_numbers_of_the_whole(app, monkeypatch):
    seen, compute = [], run.deep_trace

    def spy(clip, *rest):
        seen.append((clip.first, len(clip)))
        return compute(clip, *rest)

    monkeypatch.setattr(run, "deep_trace", spy)
    app.run()
    app.slider(key="frame").set_value(18).run()
    app.slider(key="part").set_value((5, 14)).run()
    assert not app.button(key="run").disabled
    finish(app)
    cursor = app.slider(key="frame")
    assert (cursor.min, cursor.max, cursor.value) == (5, 14, 14), "the cursor comes into the part"
    app.slider(key="frame").set_value(5).run()
    assert "10 frames (5 to 14) of 160 × 120 pixels" in words(app)
    assert "Key frame 5." in words(app)
    assert re.search(r"Frame 5 (is as sharp as any|has) .true blur 2\.4 px", words(app))
    app.slider(key="frame").set_value(11).run()
    assert "Key frame 11." in words(app)
    assert "(true blur 5.2 px)" in words(app)
    _, strip, _, scatter, _, radial = figures(app)
    assert strip["layout"]["xaxis"]["range"] == [4.5, 14.5]
    assert [trace["name"] for trace in radial["data"]] == ["frame 5, the sharpest", "frame 11"]
    assert any(trace.get("name") == "frame 11" for trace in scatter["data"])
    app.selectbox(key="joint").select("left wrist").run()
    assert not app.exception
    assert seen == [(5, 10)]
    assert app.slider(key="frame").value == 11
    link = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    link.query_params["part"], link.query_params["frame"] = ["5", "14"], "12"
    assert "Key frame 12." in words(link.run())


def test_the_blurriest_seconds_are_chosen_by_a_button_and_another_clip_begins_whole(app, walk_file, monkeypatch):
    monkeypatch.setattr(sharpness, "blurriest", lambda clip: (7, 13))
    work.blurriest.clear()
    app.run()
    next(one for one in app.button if one.label == "The blurriest seconds").click().run()
    assert app.slider(key="part").value == (7, 12)
    app.slider(key="part").set_value((18, 19)).run()
    other = library.add("b.mp4", write_video(walk_file.with_name("b.mp4"), walking_frames(9), 25).read_bytes())
    select_clip(app.run(), other).run()
    assert not app.exception
    assert app.slider(key="part").value == (0, 8)


def test_what_a_run_will_cost_stands_under_the_button(app):
    app.query_params["box"] = "23, 43, 22, 46"
    app.run()
    assert re.search(r"About [\d to]+ s for 20 frames, up to [\d.]+ GB \(by \w+ earlier runs?\)", words(app))
    app.multiselect(key="networks").set_value(["freq-video"]).run()
    assert "for 20 frames" in words(app)
    assert "one timed step" in words(app)
    app.multiselect(key="networks").set_value([]).run()
    assert "About" not in words(app)


def test_a_link_to_a_clip_of_another_machine_says_so(app):
    app.query_params["clip"] = "backflip-3fa2c1d4.mp4"
    app.run()
    assert "backflip-3fa2c1d4.mp4 is not on this machine" in app.warning[0].value


def test_without_a_network_the_page_says_what_to_choose(app):
    app.run()
    app.multiselect(key="networks").set_value([]).run()
    assert not app.exception
    assert "Choose at least one network." in words(app)


@given(st.lists(st.floats(1, 5000), min_size=4, max_size=4))
def test_a_typed_box_is_read_as_it_was_written(values):
    assert choice.parse_box(", ".join(map(repr, values))) == tuple(values)


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_the_theme_has_the_colours_and_fonts_of_the_figures(ground):
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    colours, expected = theme[ground], {"light": look.LIGHT, "dark": look.DARK}[ground]
    assert theme["font"] == look.SCREEN_FONTS
    assert colours["primaryColor"] == look.role("frequency", ground == "dark").colour
    assert (colours["backgroundColor"], colours["secondaryBackgroundColor"]) == (expected.paper, expected.field)
    assert (colours["textColor"], colours["borderColor"]) == (expected.text, expected.grid)


def test_pages_lie_one_level_down_and_leave_the_state_to_web():
    assert [page for page in PAGES if page.parent == ROOT / "pages"] == []
    for page in PAGES:
        names = {node.attr for node in ast.walk(ast.parse(page.read_text())) if isinstance(node, ast.Attribute)}
        assert "session_state" not in names, page
