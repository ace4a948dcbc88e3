"""Does a forecast follow earlier runs alike, say how sure it is, and go by one step before the first?"""

import json

import pytest
from conftest import TinyNetwork, walking_frames

from freqviz import forecast
from freqviz.clip import Clip
from freqviz.run import Run, analyse
from freqviz.store import RunKey, Store


@pytest.fixture
def planned(tiny):
    return Run(Clip.from_frames(walking_frames(50)), {"tiny": tiny}, whole_frame=True, device="cpu")


def put(store, number, **held):
    cost = {"seconds": 10.0, "frames": 100, "memory": 500_000_000}
    known = {"models": ["tiny"], "device": "cpu", "clip": {"size": [120, 160]}, "cost": cost} | held
    key = RunKey(str(number), "", (), "{}", "")
    store.put(key, lambda folder: (folder / "run.json").write_text(json.dumps(known)))


def cost(seconds, frames=100):
    return {"seconds": seconds, "frames": frames, "memory": 500_000_000}


def test_several_runs_alike_give_the_range_between_them(planned, tmp_path):
    store = Store(tmp_path)
    put(store, 1, cost=cost(40.0))
    put(store, 2, cost=cost(60.0))
    put(store, 3, cost=cost(900.0), device="cuda")
    put(store, 4, cost=cost(900.0), models=["tiny", "other"])
    put(store, 5, cost=cost(900.0, frames=4))
    found = forecast.forecast(planned, store)
    assert found.seconds == pytest.approx((20.0, 30.0))
    assert str(found) == "About 20 to 30 s for 50 frames, up to 0.5 GB (by 2 earlier runs)."


def test_one_run_alone_is_less_sure_than_several(planned, tmp_path):
    store = Store(tmp_path)
    put(store, 1, cost=cost(40.0))
    low, high = forecast.forecast(planned, store).seconds
    assert low < 20 < high


def test_larger_frames_than_before_need_more_memory(planned, tmp_path):
    store = Store(tmp_path)
    put(store, 1, clip={"size": [60, 80]})
    more = 3 * (120 * 160 - 60 * 80) * 12  # frames held: eight of a step, and two on either side
    assert forecast.forecast(planned, store).memory == 500_000_000 + more


def test_the_cost_of_a_run_is_kept_with_its_result(tiny, walk, tmp_path):
    store = Store(tmp_path)
    run = Run(walk, {"tiny": tiny}, whole_frame=True, device="cpu")
    assert forecast.forecast(run, store) is None
    held = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu", store=store).provenance["cost"]
    assert held["frames"] == 20
    low, high = forecast.forecast(run, store).seconds
    assert low < held["seconds"] < high


def test_before_the_first_run_one_step_is_timed(monkeypatch, planned, tiny):
    windows = []
    estimate = TinyNetwork.estimate
    monkeypatch.setattr(
        TinyNetwork, "estimate", lambda self, window: windows.append(len(window["maps"])) or estimate(self, window)
    )
    seconds, memory = planned.timed_step()
    assert windows == [1, 4]
    assert tiny.encoded_frames == 7, "the window that warms up, and a new frame for each of the four"
    found = forecast.by_one_step(planned, seconds, memory)
    assert found.seconds[0] < 50 * seconds < found.seconds[1]
    assert "one timed step" in str(found)
