"""The frames that a key takes the cursor to, computed while the page is at rest: who goes on finds them there.

One thread of the server does it, for whoever moved last, and only what that page has just computed for its own frame.
It begins when nothing has been drawn for anyone for a while, never while a run is at work, and what it has not begun
by the next move is dropped. What it computes lies in the caches of the pages, and nowhere else. What is small enough
to be kept of a whole clip is computed for all of its frames, one at a time, so that the mouse finds it too.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import streamlit as st

from freqviz import jobs

REST = 0.3  # seconds since something was drawn
MOST = 12  # things that are planned for a frame
LEAP = 10  # frames that a key leaps, beside those that go on by one
LAST = 9  # turn of what is computed for a whole clip
LONGER = 4  # times that rest must last for it: who presses keys should not meet it
CURSOR, STEP = "cursor was at", "cursor goes by"  # keys of the session's state
_log = logging.getLogger(__name__)


class Ahead:
    """Plans, and the thread that carries them out once it is begun; without it they lie unused."""

    def __init__(self, rest: float = REST, busy: Callable[[], bool] = jobs.working):
        self._rest, self._busy = rest, busy
        self._changed = threading.Condition()
        self._plans: dict[str, tuple[int, Callable[[], object]]] = {}
        self._moves = 0
        self._stirred = 0.0  # time.monotonic()

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._serve, name="ahead", daemon=True).start()

    def moved(self) -> None:
        """A cursor moves: what was planned for another frame is dropped."""
        with self._changed:
            self._plans.clear()
            self._moves += 1
        self.stir()

    def stir(self) -> None:
        """Something is being drawn: not now."""
        self._stirred = time.monotonic()

    def plan(self, name: str, compute: Callable[[], object], turn: int = 0) -> None:
        """Something to compute when nobody waits for anything.

        Args:
            name: plans of one name are one.
            compute: called in a thread that belongs to no visit; what it gives is dropped, so it must keep it itself.
                As long as that is True, it is planned again.
            turn: lower ones come first; of one turn those that were planned first.
        """
        with self._changed:
            if len(self._plans) < MOST:
                self._plans.setdefault(name, (turn, compute))
                self._changed.notify()

    def _serve(self) -> None:
        while True:
            moves, name, turn, compute = self._next()
            more = jobs.in_own_thread(partial(tried, compute))
            with self._changed:
                if more and moves == self._moves:
                    self._plans.setdefault(name, (turn, compute))
            del compute

    def _next(self) -> tuple[int, str, int, Callable[[], object]]:
        """The plan whose turn it is, once there is rest; and how often a cursor had moved by then."""
        with self._changed:
            while True:
                name = min(self._plans, key=lambda name: self._plans[name][0], default="")
                rest = self._rest * (LONGER if name and self._plans[name][0] == LAST else 1)
                left = self._stirred + rest - time.monotonic()
                if name and left <= 0 and not self._busy():
                    return self._moves, name, *self._plans.pop(name)
                self._changed.wait(max(left, self._rest) if name else None)


def tried(compute: Callable[[], object]) -> bool:
    """Compute something that nobody waits for yet; whether it gives True."""
    try:
        return compute() is True
    except Exception as error:  # whoever asks for it will be told
        _log.debug("nothing computed ahead: %s", error)
        return False


AHEAD = Ahead()


def cursor_at(frame: int) -> None:
    """The frame that a page is about to show, an index; call it in a script."""
    state: Any = st.session_state
    if frame != (before := state.get(CURSOR, frame)):
        state[STEP] = 1 if frame > before else -1
    state[CURSOR] = frame
    AHEAD.moved()


def reached(frame: int, count: int) -> list[int]:
    """The frames that a key takes the cursor to, the likeliest first: on as it last moved, at first onwards; leaps.

    The frame before is not among them: the cursor comes from there.

    Call it in a script.

    Args:
        frame: under the cursor, an index.
        count: frames of the clip.
    """
    step = st.session_state.get(STEP, 1)
    return [to for to in (frame + step, frame + LEAP * step, frame - LEAP * step) if 0 <= to < count]


def outwards(frame: int, count: int) -> Iterator[int]:
    """Every frame of a clip, the nearest first.

    Args:
        frame: where to begin, an index.
        count: frames of the clip.
    """
    yield frame
    for far in range(1, count):
        yield from (other for other in (frame - far, frame + far) if 0 <= other < count)
