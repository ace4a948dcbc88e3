"""Does a stopped run go on from what it had finished, to the same result?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyNetwork, walking_frames

from freqviz import devices, run
from freqviz.clip import Clip
from freqviz.jobs import Cancelled, OutOfMemory
from freqviz.parts import KEPT, Parts
from freqviz.run import Run
from freqviz.store import Store

ROOT = Path(__file__).parent.parent
BOX = (20, 40, 24, 48)


def stopping_after(count):
    """A wish to cancel that comes when it is asked for the time after `count`."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= count


def same(one, other):
    assert list(one.traces) == list(other.traces)
    for name, trace in one.traces.items():
        np.testing.assert_array_equal(trace.key_box_segment, other.traces[name].key_box_segment)
        for quantity in ("keypoints", "scores", "boxes", "frame_weights", "median_offset"):
            held = getattr(trace, quantity), getattr(other.traces[name], quantity)
            np.testing.assert_allclose(*held, atol=1e-3, err_msg=f"{name} {quantity}")
    assert one.frames.drop(columns=["box_source", "lost"]).to_numpy(float) == pytest.approx(
        other.frames.drop(columns=["box_source", "lost"]).to_numpy(float), abs=1e-3, nan_ok=True
    )
    assert list(one.frames["box_source"]) == list(other.frames["box_source"])


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(run, "LENGTH", 4)


@pytest.mark.parametrize("steps", [2, 4, 6])
def test_a_stopped_run_goes_on_where_it_was_and_ends_as_one_that_was_not(steps, short, walk, following, tmp_path):
    """The box follows what walks: a speed, a segment and a held box must be taken up."""
    chosen, store = {"following": following, "tiny": TinyNetwork()}, Store(tmp_path)
    planned = Run(walk, chosen, box=BOX, device="cpu", deep=(1, 19))
    calm = planned.analysis()
    with pytest.raises(Cancelled):
        planned.into(store, cancelled=stopping_after(steps))
    reached, heard = planned.parts(store).reached, []
    following.encoded_frames = 0
    found = planned.into(store, lambda done, total: heard.append((done, total)))
    same(found, calm)
    assert heard[0] == (reached, 20)
    assert following.encoded_frames <= sum(calm_encoded(calm, reached)), "what is finished is not encoded again"
    assert found.provenance["cost"]["frames"] == 20 - reached
    assert set(found.deep) == set(calm.deep)
    assert planned.parts(store).reached == 0, "what is stored whole needs no parts"
    if steps > 2:
        assert reached >= 4
        assert calm.traces["tiny"].key_box_segment[-1] > 0, "else this test asks little"


def test_how_long_a_person_has_been_lost_is_taken_up(short, tmp_path):
    """Nobody is ever found: after a second the box is where something moves, and that second began before the stop."""

    class Blind(TinyNetwork):
        def estimate(self, window):
            return torch.full_like(super().estimate(window), 1e-4)

    clip, store = Clip.from_frames(walking_frames(30), fps=10), Store(tmp_path)
    planned = Run(clip, {"blind": Blind().eval()}, device="cpu")
    calm = planned.analysis()
    (begun,) = np.flatnonzero(np.diff(calm.traces["blind"].key_box_segment, prepend=0))[:1]
    assert 10 <= begun < 16
    with pytest.raises(Cancelled):
        planned.into(store, cancelled=stopping_after(3))
    assert 4 <= planned.parts(store).reached < begun
    same(planned.into(store), calm)


def calm_encoded(calm, reached):
    """Frames that must be encoded from `reached` on: each once, four for every new box, and two deep windows."""
    segments = calm.traces["following"].key_box_segment
    return 20 - reached + 4 + 2 * 5, 4 * (segments[-1] - segments[min(reached, 19)])


def test_a_server_that_is_killed_has_kept_what_was_finished(tmp_path):
    """kill -9 in the middle of a run, then the same run in another process."""
    child = f"""
import sys, time
sys.path.insert(0, "tests")
from conftest import TinyNetwork, walking_frames
from freqviz import run
from freqviz.clip import Clip
from freqviz.store import Store
run.LENGTH = 8
clip = Clip.from_frames(walking_frames(60, 0.5))
planned = run.Run(clip, {{"tiny": TinyNetwork().eval()}}, box={BOX}, device="cpu")
planned.into(Store({str(tmp_path)!r}), progress=lambda done, total: time.sleep(0.05 if done < 24 else 600))
"""
    process = subprocess.Popen([sys.executable, "-c", child], cwd=ROOT)
    clip, tiny = Clip.from_frames(walking_frames(60, 0.5)), TinyNetwork().eval()
    planned, store = Run(clip, {"tiny": tiny}, box=BOX, device="cpu"), Store(tmp_path)
    until = time.monotonic() + 120
    while planned.parts(store).reached < 16 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert store.find(planned.key) is None
    reached = planned.parts(store).reached
    assert reached >= 16
    calm = planned.analysis()
    tiny.encoded_frames = 0
    same(planned.into(store), calm)
    assert tiny.encoded_frames <= 60 - reached + 2 + 4 * calm.traces["tiny"].key_box_segment[-1]
    assert store.find(planned.key) is not None


def test_torn_missing_and_foreign_parts_are_as_if_they_were_not_there(tmp_path):
    parts = Parts(tmp_path, "run")
    for start in (0, 4, 8):
        parts.put(start, start + 4, {"0 scores": np.arange(start, start + 4.0)}, {"n": start})
    assert [(part.start, part.stop, part.facts["n"]) for part in parts.read()] == [(0, 4, 0), (4, 8, 4), (8, 12, 8)]
    files = sorted(parts.folder.iterdir())
    (parts.folder / "notes.npz").write_bytes(b"mine")
    whole = files[1].read_bytes()
    for torn in (whole[: len(whole) // 2], b"", b"\0" * len(whole)):
        files[1].write_bytes(torn)
        assert [part.start for part in parts.read()] == [0]
    files[1].unlink()
    assert [part.start for part in parts.read()] == [0]
    files[0].unlink()
    assert [part.arrays["0 scores"].tolist() for part in parts.read()] == [[8, 9, 10, 11]]
    parts.forget()
    assert list(parts.read()) == []


def test_a_run_that_cannot_use_what_lies_there_begins_anew(short, walk, tiny, tmp_path):
    planned, store = Run(walk, {"tiny": tiny}, box=BOX, device="cpu"), Store(tmp_path)
    with pytest.raises(Cancelled):
        planned.into(store, cancelled=stopping_after(5))
    first = sorted(planned.parts(store).folder.iterdir())[0]
    first.unlink()
    tiny.encoded_frames = 0
    same(planned.into(store), planned.analysis())
    assert planned.parts(store).reached == 0


def test_a_disk_without_room_costs_the_parts_and_not_the_run(short, walk, tiny, tmp_path, monkeypatch, caplog):
    def full(file, **held):
        Path(file).write_bytes(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("freqviz.parts.np.savez", full)
    planned = Run(walk, {"tiny": tiny}, box=BOX, device="cpu")
    found = planned.analysis(parts=planned.parts(Store(tmp_path)))
    assert len(found.frames) == 20
    assert "a finished part could not be kept" in caplog.text
    assert list(planned.parts(Store(tmp_path)).folder.iterdir()) == []


def test_parts_that_nobody_takes_up_go_after_a_week_when_something_else_is_run(walk, tiny, tmp_path):
    young, old = Parts(tmp_path, "young"), Parts(tmp_path, "old")
    for parts in (young, old):
        parts.put(0, 4, {"0 scores": np.zeros(4)}, {})
    os.utime(old.folder, (time.time() - KEPT - 60,) * 2)
    Run(walk, {"tiny": tiny}, whole_frame=True, device="cpu").into(Store(tmp_path))
    assert (young.reached, old.folder.exists()) == (4, False)


@pytest.mark.parametrize("where", ["shared", "own", "estimate"])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_out_of_memory_anywhere_makes_steps_smaller_and_changes_nothing(where, error, walk, monkeypatch):
    """Two networks share a backbone: the second one fails when the first is through with its part."""
    one, two = TinyNetwork().eval(), TinyNetwork().eval()
    one.backbone_key = two.backbone_key = "same"
    calm = Run(walk, {"one": one, "two": two}, whole_frame=True, device="cpu").analysis()
    held, sizes = getattr(TinyNetwork, where), []

    def full(self, given):
        size = len(given["maps"]) if where == "estimate" else len(given)
        if self is (one if where == "shared" else two):
            sizes.append(size)
            if size > 5:
                raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return held(self, given)

    monkeypatch.setattr(TinyNetwork, where, full)
    found = Run(walk, {"one": one, "two": two}, whole_frame=True, device="cpu").analysis()
    assert max(sizes) > 5 >= sizes[-1]
    same(found, calm)


def test_another_error_of_a_network_stays_what_it_is(walk, tiny, monkeypatch):
    def broken(self, window):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(TinyNetwork, "estimate", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        Run(walk, {"tiny": tiny}, whole_frame=True, device="cpu").analysis()


def test_out_of_memory_at_a_single_window_says_what_can_be_done(walk, tiny, monkeypatch):
    sizes = []

    def full(self, window):
        sizes.append(len(window["maps"]))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(TinyNetwork, "estimate", full)
    with pytest.raises(OutOfMemory, match="no memory left even for one window"):
        Run(walk, {"tiny": tiny}, whole_frame=True, device="cpu").analysis()
    assert sizes == [8, 4, 2, 1]
    assert "run on the CPU" in devices.no_room("cuda:0")
