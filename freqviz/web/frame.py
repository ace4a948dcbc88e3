"""Which frame the page shows: the scrubber, or the slider and the picture that stand in for it."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from freqviz import figures, jobs
from freqviz.web import theme, visitor, work
from freqviz.web.cursors import go_to, slider
from freqviz.web.page import show
from freqviz.web.scrubber import scrub
from freqviz.web.view import View

SHORT = 1.0  # seconds that a page waits for the copy of a short clip
SCRUBBER, TURN, CANNOT = "scrubber", "scrubber turn", "scrubber cannot run"  # keys of the session's state


def scrubber(view: View, region: str) -> int:
    """The frame that everything on the page shows, chosen in the scrubber; call it inside the fragment that follows it.

    Where the scrubber cannot run a slider and a picture stand in; the slider is always there, since the address is
    bound to it.

    Args:
        view: what to show.
        region: of `view.regions`: what to zoom to.
    """
    if len(view.clip) == 1:
        _picture(view, 0, region)
        return 0
    state: Any = st.session_state
    copy = work.scrubbing_copy(view.name, view.clip)
    if not isinstance(copy, Path) and copy.seconds < SHORT and copy.wait(SHORT) and copy.state == jobs.DONE:
        copy = work.scrubbing_copy(view.name, view.clip)
    with st.container(key="cursor"):
        runs = isinstance(copy, Path) and CANNOT not in state
        with st.container(key="hidden_slider" if runs else "slider"):
            frame = slider(view.clip, st.container())
        if isinstance(copy, Path) and runs:
            take, turn = partial(_take_frame, view.clip.first), state.get(TURN, 0)
            scrub(view, copy, frame, turn, region, theme.is_dark(), SCRUBBER, take, _take_failure)
            return frame
    _picture(view, frame, region)
    if not isinstance(copy, Path) and (not copy.over or copy.state == jobs.DONE):  # or while the picture was drawn
        _until_copied(copy)
    elif not isinstance(copy, Path):
        st.caption(f"The slider stands in for the scrubber: {visitor.said(copy.message)}")
    else:
        st.caption(f"The slider stands in for the scrubber, which this browser cannot run. {state[CANNOT]}")
    return frame


def _take_frame(first: int) -> None:
    state: Any = st.session_state
    told = state[SCRUBBER]["frame"]
    state[TURN] = int(told["turn"])
    go_to(first + int(told["frame"]))


def _take_failure() -> None:
    state: Any = st.session_state
    state[CANNOT] = str(state[SCRUBBER]["failed"])


def _picture(view: View, frame: int, region: str) -> None:
    show(figures.pose_overlay(view.clip[frame], view.poses(frame), view.truth(frame)), 400, view.limits(frame, region))


@st.fragment(run_every=1)
def _until_copied(copy: jobs.Ticket) -> None:
    if copy.over:
        st.rerun()
    st.caption(f"The scrubber follows when its copy of the clip is made: {copy.done} of {copy.total or '…'} frames.")
