"""The cursor: the one frame that everything on a page shows, and who moves it.

It stands in the slider "Frame", to which the address is bound. With each message a browser sends what its slider
shows. Where something else moved the cursor (the scrubber, a button, a click on a figure) that is the frame before,
until the answer has come: a second control used meanwhile must not take the cursor back.
"""

import time
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from freqviz.clip import Clip
from freqviz.web import ahead
from freqviz.web.view import View

HELP = "Drag, or click and use the arrow keys: every figure shows this frame."
LAG = 1.0  # seconds after the answer for which a browser may still send the frame before
MOVED = "cursor moved"  # key of the session's state


@dataclass
class _Moved:
    """A move that a browser's slider may not show yet."""

    frame: int  # number in the whole clip
    before: set[int]  # what a slider may show that has not heard of it
    answered: float | None = None  # when the slider was sent; monotonic seconds

    @property
    def waits(self) -> bool:
        return self.answered is None or time.monotonic() < self.answered + LAG


def go_to(number: int) -> None:
    """Put the cursor on the frame of this number; call it from a callback."""
    state: Any = st.session_state
    old: _Moved | None = state.get(MOVED)
    before = {state["frame"]} if "frame" in state else set()
    if old is not None and old.waits:
        before |= {old.frame, *old.before}
    state["frame"], state[MOVED] = number, _Moved(number, before - {number})


def _hear() -> None:
    """Take what a browser's slider shows, unless it has not heard of the last move."""
    state: Any = st.session_state
    moved: _Moved | None = state.get(MOVED)
    if moved is None or "frame" not in state:
        return
    if moved.waits and state["frame"] in moved.before:
        state["frame"] = moved.frame
    elif moved.answered is not None or state["frame"] != moved.frame:
        del state[MOVED]  # it has, or was moved itself


def cursor_row(*widths: int) -> list[DeltaGenerator]:
    """Columns that stay in sight while the figures scroll: for the cursor and what goes with it."""
    return st.container(key="cursor_row").columns(widths)


def cursor(view: View, place: DeltaGenerator) -> int:
    """The frame that everything on the page shows; call it inside the fragment that follows it."""
    return slider(view.clip, place)


def slider(clip: Clip, place: DeltaGenerator, help: str = HELP) -> int:
    """The cursor: shown and linked with the numbers of the whole clip, given as an index into this one."""
    first, last = clip.first, clip.first + len(clip) - 1
    if first == last:
        return 0
    state: Any = st.session_state
    _hear()
    if "frame" in state and not first <= state["frame"] <= last:
        state["frame"] = min(max(state["frame"], first), last)  # of a longer clip, or outside of the part
    number = place.slider("Frame", first, last, key="frame", bind="query-params", help=help, persist_state="session")
    if MOVED in state and state[MOVED].answered is None:
        state[MOVED].answered = time.monotonic()
    ahead.cursor_at(number - first)
    return number - first
