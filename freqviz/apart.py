"""Decode a video in a process of its own, with limits: what a file does to its decoder costs one sentence here.

The child imports PyAV and NumPy only. Questions and answers are JSON over a socket, frames come through memory that
both processes see; nothing that the child says is run or unpickled. It limits itself before it opens the file: memory
for all its life, processor time and time by the clock for each question. Asked nothing for a while it leaves, and the
next question starts another one. POSIX only.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from freqviz import video

AVAILABLE = os.name == "posix"
IDLE = 20.0  # seconds without a question after which the child leaves
CLOCK = 4  # seconds by the clock for a second of processor time: the machine may be busy
_GRACE = 10.0  # seconds after which the parent ends a child that should have ended by itself
_LARGEST = 64 << 20  # bytes of an answer; that of 200,000 frames has 2 MB
_ROOT = str(Path(__file__).resolve().parent.parent)
_LENGTHS = struct.Struct("<QQ")  # of the JSON, and of the bytes after it


class Apart:
    """A video file read in a process of its own, which is started when something is asked and leaves when idle."""

    def __init__(self, path: Path, limits: video.Limits) -> None:
        if not AVAILABLE:
            raise video.ClipError(
                f"{path.name} is not opened: decoding in a process of its own needs POSIX, got {os.name}"
            )
        self.path, self._limits = path.resolve(), limits
        video.look_at(self.path, limits)
        self._bytes = self.path.stat().st_size
        self._process: Process | None = None
        self.report: list[str] = []
        self.damaged: set[int] = set()
        times = self._open()
        self.times, self.fps, self.size = times, self._fps, self._size

    def _open(self) -> np.ndarray:
        """Start a process that opens the file; the times of the frames. Fills `_fps` and `_size`."""
        if not self.path.is_file() or self.path.stat().st_size != self._bytes:
            raise video.ClipError(f"{self.path.name} has gone or changed since it was opened")
        limits = self._limits
        try:
            self._process = Process(limits.memory)
        except Died as error:
            raise video.ClipError(f"{self.path.name} cannot be read: {error}") from error
        facts, times = self._ask({"open": str(self.path), "limits": vars(limits)})
        self._fps, (height, width) = float(facts["fps"]), map(int, facts["size"])
        self._size = height, width
        found = np.frombuffer(times, np.float64)
        if not (0 < height * width <= limits.pixels and 0 < len(found) <= limits.frames):
            raise video.ClipError(f"{self.path.name} is beyond the limits: {len(found)} frames of {width}x{height}")
        return found

    def _ask(self, question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        process, self._process = self._process, None  # until all has gone well
        assert process is not None
        try:
            facts, after = process.ask(question, self._limits.patience + self._bytes / 1e6)
        except Refused as error:
            process.end()
            raise video.ClipError(str(error)) from error
        except Died as error:
            process.end()
            raise video.ClipError(f"{self.path.name} cannot be decoded: {error}") from error
        self.damaged.update(facts["damaged"])
        self.report = facts["report"]
        self._process = process
        return facts, after

    def read(self, start: int, stop: int) -> np.ndarray:
        try:
            return self._read(start, stop)
        except video.ClipError as error:
            if not isinstance(error.__cause__, Left):
                raise
            return self._read(start, stop)  # it left at the moment that it was asked

    def _read(self, start: int, stop: int) -> np.ndarray:
        if self._process is None or self._process.left:
            self.close()
            times = self._open()
            if (len(times), self._size) != (len(self.times), self.size):
                raise video.ClipError(f"{self.path.name} has gone or changed since it was opened")
        assert self._process is not None
        held = self._process.frames(stop - start, self.size)
        self._ask({"read": [start, stop]})
        return held.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_process": None}

    def digest(self) -> str:
        return video.digest_of(self.path)

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None


class Died(Exception):
    """The child is gone; the message says why, as the end of a sentence."""


class Left(Died):
    """The child has left since it was asked nothing for a while; another one can be started."""


class Refused(Exception):
    """The child says in a sentence why it cannot do what it was asked."""


class Process:
    """A child, and the memory that it puts frames into.

    Args:
        memory: bytes of address space that it may have, its libraries included (about 200 MB).
    """

    def __init__(self, memory: int) -> None:
        self._shared = _shared_file()
        self._map: mmap.mmap | None = None
        self._channel, theirs = socket.socketpair()
        handed = (theirs.fileno(), self._shared)
        alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": _ROOT}
        command = [sys.executable, "-P", "-m", "freqviz.apart", *map(str, (*handed, memory, IDLE))]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=handed, env=os.environ | alone, start_new_session=True
            )
        except OSError as error:
            os.close(self._shared)
            self._channel.close()
            raise Died(f"its decoder could not be started ({error.strerror})") from error
        finally:
            theirs.close()
        self.end = weakref.finalize(self, _end, self._process, self._channel, self._shared)

    @property
    def left(self) -> bool:
        """Whether it has gone because nothing was asked."""
        return self._process.poll() == 0

    def ask(self, question: dict[str, Any], seconds: float) -> tuple[dict[str, Any], bytes]:
        """What the child answers, and the bytes after it.

        Args:
            question: plain values.
            seconds: of processor time that the answer may take; by the clock, `CLOCK` times as many.
        Raises:
            Refused: the child cannot do it and goes on.
            Left: it went just before it heard the question.
            Died: it crashed, or was ended because it took too much.
        """
        self._channel.settimeout(CLOCK * seconds + _GRACE)
        try:
            _send(self._channel, question | {"seconds": seconds})
            facts, after = _receive(self._channel)
        except TimeoutError:
            self.end()
            raise Died(_too_long(CLOCK * seconds)) from None
        except (OSError, ValueError) as error:
            cause = self._cause(seconds)
            raise (Left if self.left else Died)(cause) from error
        if "refused" in facts:
            raise Refused(str(facts["refused"])[:1000])
        return facts, after

    def frames(self, count: int, size: tuple[int, int]) -> np.ndarray:
        """The shared memory as (count, height, width, 3) uint8: what `read` puts there."""
        wanted = count * size[0] * size[1] * 3
        if self._map is None or len(self._map) < wanted:
            os.ftruncate(self._shared, wanted)
            self._map = mmap.mmap(self._shared, wanted)
        return np.frombuffer(self._map, np.uint8, wanted).reshape(count, *size, 3)

    def _cause(self, seconds: float) -> str:
        """Why the child has ended, or does not answer in words."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.poll()
        self.end()
        if code == -signal.SIGXCPU:
            return f"decoding took more than {seconds:g} s of processor time"
        if code == -signal.SIGALRM:
            return _too_long(CLOCK * seconds)
        if code == -signal.SIGKILL:
            return "its decoder was ended by the system, which may have been short of memory"
        if code is not None and code < 0:
            return f"its decoder crashed ({signal.Signals(-code).name})"
        return "its decoder crashed"


def _too_long(seconds: float) -> str:
    return f"decoding took longer than {seconds:g} s"


def _shared_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("frames")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _end(process: subprocess.Popen[bytes], channel: socket.socket, shared: int) -> None:
    """End a child and all that belongs to it; once."""
    channel.close()
    process.kill()
    process.wait()
    os.close(shared)


def _send(channel: socket.socket, facts: dict[str, Any], after: bytes = b"") -> None:
    text = json.dumps(facts).encode()
    channel.sendall(_LENGTHS.pack(len(text), len(after)) + text + after)


def _receive(channel: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Raises EOFError (an OSError here) where the other side has gone, ValueError where it talks nonsense."""
    count, more = _LENGTHS.unpack(_exactly(channel, _LENGTHS.size))
    if count + more > _LARGEST:
        raise ValueError(f"an answer of {count + more} bytes")
    facts = json.loads(_exactly(channel, count))
    if not isinstance(facts, dict):
        raise ValueError("an answer that is no object")
    return facts, _exactly(channel, more)


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = bytearray(count)
    view, got = memoryview(data), 0
    while got < count:
        if not (now := channel.recv_into(view[got:])):
            raise ConnectionResetError("the other side has gone")
        got += now
    return bytes(data)


# -------- the child


def _serve(channel: socket.socket, shared: int, memory: int, idle: float) -> None:
    _limit_once(memory)
    answer = video.serving(_Frames(shared))
    while select.select([channel], [], [], idle)[0]:
        try:
            question, _ = _receive(channel)
        except OSError:  # the parent has let go
            return
        _limit(question.pop("seconds"))
        try:
            facts, after = answer(question)
        except MemoryError:
            facts, after = {"refused": f"decoding takes more than {memory >> 20} MB of memory"}, b""
        except Exception as error:  # whatever a hostile file brings about: the parent wants a sentence
            facts, after = {"refused": " ".join(f"{error}".split()) or type(error).__name__}, b""
        _limit(0)
        _send(channel, facts, after)


class _Frames:
    """The child's side of the shared memory."""

    def __init__(self, shared: int) -> None:
        self._shared, self._map = shared, mmap.mmap(-1, 1)

    def __call__(self, count: int, size: tuple[int, int]) -> np.ndarray:
        wanted = count * size[0] * size[1] * 3
        if len(self._map) < wanted:
            self._map = mmap.mmap(self._shared, wanted)
        return np.frombuffer(self._map, np.uint8, wanted).reshape(count, *size, 3)


def _limit_once(memory: int) -> None:
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _limit(seconds: float) -> None:
    """Let the kernel end this process after so many seconds of processor time, and `CLOCK` times as many by the clock.

    Seconds are counted from now; 0 takes the limits away.
    """
    import resource
    import time

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(time.process_time() + seconds) + 1 if seconds else resource.RLIM_INFINITY
    if hard != resource.RLIM_INFINITY:
        soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    signal.setitimer(signal.ITIMER_REAL, CLOCK * seconds)


if __name__ == "__main__":
    _channel, _memory, _most, _idle = sys.argv[1:]
    with socket.socket(fileno=int(_channel)) as opened:
        _serve(opened, int(_memory), int(_most), float(_idle))
