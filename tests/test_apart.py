"""Is a clip that is decoded in a process of its own the same, and does a decoder that dies cost one sentence?"""

import gc
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import walking_frames

from freqviz import apart
from freqviz.clip import Clip
from freqviz.video import ClipError, Limits, write_video

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "walk.mp4", walking_frames(40), 25)


def child_of(clip):
    return clip._source._process._process.pid


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_clip_decoded_apart_is_the_same_and_leaves_nothing_behind(video):
    near = Clip(video)
    with Clip(video, apart=True) as far:
        assert (len(far), far.size, far.fps, far.report, far.hash) == (40, near.size, 25, [], near.hash)
        assert np.array_equal(far.times, near.times)
        for i in (39, 3, 33, 0, 20):
            assert np.array_equal(far[i], near[i]), i
        assert np.array_equal(far.part(30, 36)[5], near[35])
        pid, copy = child_of(far), pickle.loads(pickle.dumps(far))
    assert not is_there(pid)
    assert np.array_equal(copy[7], near[7])  # it starts a process of its own
    pid = child_of(copy)
    del copy
    gc.collect()
    assert not is_there(pid)


def test_damage_is_told_by_the_process_that_sees_it(video, tmp_path):
    data = bytearray(video.read_bytes())
    path = tmp_path / "cut.mkv"
    import av

    with av.open(str(video)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    near, far = Clip(path), Clip(path, apart=True)
    for clip in (near, far):
        list(clip)
    assert far.report == near.report
    assert near.report
    assert far.damaged == near.damaged
    far.close()


def test_a_decoder_that_crashes_costs_one_sentence_and_the_clip_reads_on(video):
    clip = Clip(video, apart=True)
    os.kill(child_of(clip), signal.SIGSEGV)
    with pytest.raises(ClipError, match=r"walk.mp4 cannot be decoded: its decoder crashed \(SIGSEGV\)"):
        clip[0]
    assert np.array_equal(clip[0], Clip(video)[0])
    clip.close()


def test_a_decoder_that_is_idle_leaves_and_comes_back(video, monkeypatch):
    monkeypatch.setattr(apart, "IDLE", 0.0)
    clip = Clip(video, apart=True)
    process = clip._source._process
    process._process.wait(60)
    assert process.left
    monkeypatch.setattr(apart, "IDLE", 60.0)
    assert np.array_equal(clip[5], Clip(video)[5])
    clip.close()


def test_a_decoder_that_leaves_while_it_is_asked_is_followed_by_another(video, monkeypatch):
    """A busy machine may take seconds from its decision to leave to its end."""
    monkeypatch.setattr(apart, "IDLE", 0.0)
    clip = Clip(video, apart=True)
    process = clip._source._process
    process._process.wait(60)
    monkeypatch.setattr(apart, "IDLE", 60.0)
    ask = apart.Process.ask

    def seen_too_late(self, *question):
        monkeypatch.setattr(apart.Process, "left", left)
        return ask(self, *question)

    left = apart.Process.left
    monkeypatch.setattr(apart.Process, "left", False)
    monkeypatch.setattr(apart.Process, "ask", seen_too_late)
    assert np.array_equal(clip[5], Clip(video)[5])
    assert clip._source._process is not process
    clip.close()


def test_a_file_that_changed_is_not_read_as_the_old_one(video, tmp_path):
    path = shutil.copy(video, tmp_path / "a.mp4")
    clip = Clip(path, apart=True)
    clip.close()
    write_video(path, walking_frames(5), 25)
    with pytest.raises(ClipError, match="has gone or changed"):
        clip[0]


# A decoder that does what its file says; the process, its limits and the socket are the real ones.
FAKE = """
import os, time
class Wrong(Exception): pass
def serving(frames):
    def answer(question):
        text = open(question["open"]).read()
        if text == "crash": os.abort()
        if text == "spin":
            while True: pass
        if text == "sleep": time.sleep(600)
        if text == "memory": return {"took": len(bytearray(1 << 30))}, b""
        if text == "leave": os._exit(3)
        if text == "file": open(question["open"] + ".made", "wb", 0).write(b"x")
        if text == "nonsense": os.write(int(__import__("sys").argv[1]), b"\\xff" * 64); time.sleep(1)
        if text == "raise": raise Wrong("of\\nits own")
        if text == "long": raise Wrong(5000 * "x")
        if text == "limits":
            import resource, signal
            return {"processor": resource.getrlimit(resource.RLIMIT_CPU)[0] - time.process_time(),
                    "clock": signal.getitimer(signal.ITIMER_REAL)[0]}, b""
        if text == "show":
            frames(1, (2, 3))[:] = 7
        return {"said": text}, b"after"
    return answer
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Ask a decoder of `FAKE` for a file of this text."""
    package = tmp_path / "fake" / "freqviz"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "video.py").write_text(FAKE)
    shutil.copy(ROOT / "freqviz" / "apart.py", package)
    monkeypatch.setattr(apart, "_ROOT", str(package.parent))
    monkeypatch.setattr(apart, "_GRACE", 60.0)
    process = apart.Process(400 << 20)

    def ask(text, seconds=60.0):
        (tmp_path / "file").write_text(text)
        return process.ask({"open": str(tmp_path / "file")}, seconds)

    ask.process = process
    yield ask
    process.end()


@pytest.mark.parametrize(
    ("does", "seconds", "said"),
    [
        ("crash", 60, r"its decoder crashed \(SIGABRT\)"),
        ("spin", 0.5, "more than 0.5 s of processor time|longer than 2 s"),
        ("sleep", 0.5, "decoding took longer than 2 s"),
        ("leave", 60, "its decoder crashed"),
        ("nonsense", 60, "its decoder crashed"),
    ],
)
def test_what_a_decoder_does_to_itself_is_told_in_words(does, seconds, said, fake):
    assert fake("well") == ({"said": "well"}, b"after")
    with pytest.raises(apart.Died, match=said):
        fake(does, seconds)
    assert not is_there(fake.process._process.pid)


@pytest.mark.parametrize(("does", "said"), [("memory", "more than 400 MB of memory"), ("raise", "of its own")])
def test_what_a_decoder_can_tell_itself_leaves_it_alive(does, said, fake):
    with pytest.raises(apart.Refused, match=said):
        fake(does)
    assert fake("well")[0] == {"said": "well"}


def test_a_decoder_that_does_not_even_end_by_itself_is_ended(fake, monkeypatch):
    monkeypatch.setattr(apart, "_GRACE", 0.2)
    assert fake("well")
    os.kill(fake.process._process.pid, signal.SIGSTOP)  # a stopped process hears no alarm
    with pytest.raises(apart.Died, match="longer than"):
        fake("well", 0.1)
    assert not is_there(fake.process._process.pid)


def test_a_question_limits_processor_and_clock_each_for_itself(fake):
    found = fake("limits", 30.0)[0]
    assert 29 < found["processor"] <= 31
    assert 100 < found["clock"] <= 120


def test_a_long_refusal_is_cut(fake):
    with pytest.raises(apart.Refused, match="^x{1000}$"):
        fake("long")


def test_a_decoder_writes_no_file(fake, tmp_path):
    with pytest.raises(apart.Refused):
        fake("file")
    assert (tmp_path / "file.made").read_text() == ""


def test_frames_come_through_memory_that_both_see(fake):
    assert not fake.process.frames(1, (2, 3)).any()
    fake("show")
    assert (fake.process.frames(1, (2, 3)) == 7).all()


def test_the_process_imports_no_more_than_it_needs():
    code = "import sys, freqviz.apart, freqviz.clip; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"av", "numpy"} <= set(done.stdout.split())
    assert not {"cv2", "PIL", "torch", "streamlit", "pandas", "scipy"} & set(done.stdout.split())


def test_limits_given_are_limits_kept(video):
    with pytest.raises(ClipError, match="more than 20 frames"):
        Clip(video, limits=Limits(frames=20), apart=True)
    with pytest.raises(ClipError, match="walk.mp4 cannot be decoded: its decoder crashed"):
        Clip(video, limits=Limits(memory=30 << 20), apart=True)  # its libraries alone need more


def test_a_decoder_ends_with_its_server(video, tmp_path):
    code = (
        "import sys, time; from freqviz.clip import Clip; c = Clip(sys.argv[1], apart=True);"
        "print(c._source._process._process.pid, flush=True); time.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(video)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with server:
        pid = int(server.stdout.readline())
        server.kill()
    until = time.monotonic() + 60
    while is_there(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_there(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
