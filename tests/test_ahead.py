"""Are frames that a key leads to computed only while the page is at rest, and is what a visitor left dropped?"""

import threading
import time
from pathlib import Path

import pytest
import test_pages
from conftest import TinyNetwork

from freqviz import influence, run
from freqviz.jobs import DONE, Worker, worker, working
from freqviz.trace import Trace
from freqviz.web import ahead, view, weights, work
from freqviz.web import page as web_page
from freqviz.web.ahead import Ahead

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed


@pytest.fixture
def done():
    """What was computed, and an event for a plan that waits."""
    return []


@pytest.fixture
def planned(monkeypatch):
    """What pages plan; it is not begun: the test computes."""
    found = Ahead()
    for module in (ahead, view, web_page):
        monkeypatch.setattr(module, "AHEAD", found)
    return found


def begun(rest=0.05, busy=lambda: False):
    found = Ahead(rest, busy)
    found.begin()
    return found


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_what_is_planned_is_computed_once_each_in_its_order(done):
    one = begun()
    for name in ("a", "b", "a"):
        one.plan(name, lambda name=name: done.append(name))
    assert until(lambda: len(done) == 2)
    one.plan("c", lambda: done.append("c"))
    assert until(lambda: done == ["a", "b", "c"])


def test_the_likeliest_of_each_comes_before_the_others(done):
    one = begun(rest=0.3)
    one.stir()
    for name in "ab":
        for turn in range(3):
            one.plan(f"{name}{turn}", lambda told=f"{name}{turn}": done.append(told), turn)
    assert until(lambda: len(done) == 6)
    assert done == ["a0", "b0", "a1", "b1", "a2", "b2"]


@pytest.mark.parametrize(
    ("before", "frame", "count", "expected"),
    [
        (None, 20, 40, [21, 30, 10]),  # nothing moved yet
        (19, 20, 40, [21, 30, 10]),
        (21, 20, 40, [19, 10, 30]),
        (30, 20, 40, [19, 10, 30]),
        (38, 39, 40, [29]),
        (1, 0, 40, [10]),
        (0, 0, 1, []),
    ],
)
def test_frames_that_a_key_leads_to(monkeypatch, before, frame, count, expected):
    monkeypatch.setattr(ahead.st, "session_state", {} if before is None else {ahead.CURSOR: before})
    ahead.cursor_at(frame)
    assert ahead.reached(frame, count) == expected


@pytest.mark.parametrize(("frame", "expected"), [(0, [0, 1, 2, 3]), (2, [2, 1, 3, 0]), (3, [3, 2, 1, 0])])
def test_frames_come_outwards_from_the_cursor_each_once(frame, expected):
    assert list(ahead.outwards(frame, 4)) == expected


def test_while_something_is_drawn_nothing_is_computed(done):
    one = begun(rest=0.5)
    one.stir()
    one.plan("a", lambda: done.append("a"))
    for _ in range(20):  # a second: twice what would be rest
        one.stir()
        time.sleep(0.05)
    assert done == []
    assert until(lambda: done == ["a"])


def test_a_moved_cursor_drops_what_was_planned_for_the_frame_before(done):
    one = begun(rest=0.3)
    one.moved()
    one.plan("old", lambda: done.append("old"))
    one.moved()
    one.plan("new", lambda: done.append("new"))
    assert until(lambda: done)
    time.sleep(0.2)
    assert done == ["new"]


def test_what_is_of_a_whole_clip_waits_for_a_longer_rest(done):
    one = begun(rest=0.3)
    one.stir()
    one.plan("whole", lambda: done.append("whole"), ahead.LAST)
    time.sleep(0.7)
    assert done == []
    one.plan("near", lambda: done.append("near"))
    assert until(lambda: done == ["near"], 0.5)
    assert until(lambda: done == ["near", "whole"])


def test_an_error_is_told_to_nobody_and_ends_nothing(done):
    one = begun()
    one.plan("broken", lambda: 1 / 0)
    one.plan("whole", lambda: done.append("whole"))
    assert until(lambda: done == ["whole"])


def test_nothing_is_computed_while_a_run_is_at_work(done):
    going = threading.Event()
    held = worker("test of ahead").submit(lambda *_: going.wait(20))
    assert working()
    one = begun(busy=working)
    one.plan("a", lambda: done.append("a"))
    time.sleep(0.5)
    assert done == []
    going.set()
    assert held.wait(20)
    assert held.state == DONE
    assert until(lambda: done == ["a"])


def test_a_worker_is_busy_while_a_job_runs_or_waits():
    one, going = Worker("of a test"), threading.Event()
    assert not one.busy
    held = one.submit(lambda *_: going.wait(20))
    assert one.busy
    going.set()
    held.wait(20)
    assert until(lambda: not one.busy)


def test_no_more_than_a_few_things_wait():
    one = Ahead()
    for name in range(50):
        one.plan(str(name), lambda: None)
    assert len(one._plans) == ahead.MOST


@pytest.mark.parametrize("page", ["frame_weights", "alignment", "side_by_side"])
def test_a_page_plans_the_frames_that_the_cursor_comes_to_and_finds_them_there(app, page, planned, monkeypatch):
    estimated, estimate = list[int](), TinyNetwork.estimate
    for cache in (work.TRACES, weights._influence, weights._window, work.kept):
        cache.clear()

    def counted(network, window):
        estimated.append(1)
        return estimate(network, window)

    monkeypatch.setattr(TinyNetwork, "estimate", counted)
    app.query_params["frame"] = "9"
    app.run()
    app.switch_page(f"pages/inner/{page}.py").run()
    for frame in (8, 7):  # backwards
        app.slider(key="frame").set_value(frame).run()
    before = len(estimated)
    for name, (_, compute) in planned._plans.items():
        if not name.startswith("influences in"):  # of the whole clip: the next test
            compute()
    assert len(estimated) > before, "the frame beside was not known"
    there = len(estimated)
    for frame in (6, 17):
        app.slider(key="frame").set_value(frame).run()
        assert not app.exception
        assert len(estimated) == there
    app.slider(key="frame").set_value(0).run()
    assert len(estimated) > there, "a frame far off is not"
    keys = {name.rpartition(", ")[2] for name in planned._plans if ", " in name}
    assert keys == {"10"}, "before the first frame there is none"


def test_what_is_small_is_computed_for_the_whole_clip_so_that_the_mouse_finds_it(app, planned, monkeypatch):
    for cache in (work.TRACES, weights._influence, weights._window, work.kept):
        cache.clear()
    encoded, found, shared = list[int](), list[int](), TinyNetwork.shared
    exchange = weights.influence._exchange
    monkeypatch.setattr(TinyNetwork, "backbone_key", "tiny", raising=False)
    monkeypatch.setattr(TinyNetwork, "shared", lambda self, x: encoded.append(len(x)) or shared(self, x))
    monkeypatch.setattr(weights.influence, "_exchange", lambda *given: found.append(1) or exchange(*given))
    app.query_params["frame"] = "9"
    app.run()
    app.switch_page("pages/inner/frame_weights.py").run()
    whole = [one for name, one in planned._plans.items() if ", " not in name]
    assert whole
    assert all(turn == ahead.LAST for turn, _ in whole), "what a key leads to comes first"
    for _, compute in whole:
        for _ in range(20):
            assert compute() is True
        assert compute() is False, "every frame was computed"
    there, known = sum(encoded), len(found)
    assert there >= 20
    app.slider(key="frame").set_value(1).run()
    assert not app.exception
    assert (sum(encoded), len(found)) == (there, known)


def test_frames_that_pass_the_backbone_ahead_are_as_many_as_are_kept(app, planned, monkeypatch):
    for module in (influence, view):
        monkeypatch.setattr(module, "KEPT", 9)
    for cache in (work.TRACES, work.kept):
        cache.clear()
    monkeypatch.setattr(TinyNetwork, "backbone_key", "tiny", raising=False)
    app.query_params["frame"] = "9"
    app.run()
    app.switch_page("pages/inner/alignment.py").run()
    (compute,) = (one for name, (_, one) in planned._plans.items() if ", " not in name)
    steps = 0
    while compute():
        steps += 1
    assert steps == 5, "windows of frames 5 to 13, whose box is one"


def test_influences_are_computed_ahead_as_far_as_is_said(app, planned, monkeypatch):
    monkeypatch.setattr(weights, "REACH", 3)
    app.query_params["frame"] = "9"
    app.run()
    app.switch_page("pages/inner/frame_weights.py").run()
    plans = [one for name, (_, one) in planned._plans.items() if name.startswith("influences in")]
    assert len(plans) == 2
    for compute in plans:
        assert [compute() for _ in range(6)] == [True] * 5 + [False], "frames 7 to 11"


def test_a_plan_goes_on_as_long_as_it_says_so_and_nobody_moves(done):
    one = begun()
    one.plan("to five", lambda: done.append("five") or len(done) < 5)
    assert until(lambda: len(done) == 5)
    time.sleep(0.3)
    assert len(done) == 5
    one.plan("for ever", lambda: done.append("ever") or True)
    one.plan("once", lambda: done.append("once") or "not True")
    assert until(lambda: len(done) > 20)
    assert done.count("once") == 1
    one.moved()
    time.sleep(0.3)
    there = len(done)
    time.sleep(0.3)
    assert len(done) == there


@pytest.mark.parametrize("page", ["heatmaps", "side_by_side", "frame_weights"])
def test_what_a_page_begins_beside_the_script_is_what_it_shows_and_is_computed_once(app, page, monkeypatch):
    for cache in (work.TRACES, weights._influence, weights._window, work.kept):
        cache.clear()
    who, deep, influence_of = list[threading.Thread](), run.deep_trace, weights.influence._exchange

    def seen(call):
        return lambda *given: who.append(threading.current_thread()) or time.sleep(0.2) or call(*given)

    monkeypatch.setattr(run, "deep_trace", seen(deep))
    monkeypatch.setattr(weights.influence, "_exchange", seen(influence_of))
    app.query_params["frame"] = "9"
    app.run()
    app.switch_page(f"pages/inner/{page}.py").run()
    assert not app.exception
    assert not app.error
    assert len(who) == 2, "one pass a network"
    assert len(set(who)) == 2


def test_a_trace_is_computed_once_for_all_who_ask_meanwhile_and_an_error_is_not_kept():
    held, going, counted = work.Traces(most=2), threading.Event(), list[int]()

    def slow():
        counted.append(1)
        going.wait(20)
        return Trace("slow", ())

    asked = [threading.Thread(target=held.get, args=(Path("a"), "n", 1, slow)) for _ in range(3)]
    for one in asked:
        one.start()
    assert held.get(Path("a"), "n", 2, lambda: Trace("another", ())).network == "another", "nobody waits for others"
    going.set()
    for one in asked:
        one.join(20)
    assert len(counted) == 1
    with pytest.raises(ZeroDivisionError):
        held.get(Path("a"), "n", 3, lambda: 1 / 0)
    assert held.get(Path("a"), "n", 3, lambda: Trace("new", ())).network == "new"
    held.keep(Path("a"), "n", 4, Trace("kept", ()))
    for frame, there in ((4, "kept"), (3, "new"), (1, "again")):
        assert held.get(Path("a"), "n", frame, lambda: Trace("again", ())).network == there
