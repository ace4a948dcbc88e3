"""The clips analysed lately: opened by a click, as they were analysed, and removed with all that came from them."""

import time
from typing import Any

import streamlit as st

from freqviz.web import library, visitor, work
from freqviz.web.work import BOX, IMPORT, Request

SHOWN = 8
DOOMED = "doomed"  # key of the session's state: the clip whose removal is to be confirmed


def offer() -> None:
    """The button that opens the list; nothing where there is none."""
    found = work.recent()[:SHOWN]
    if not found:
        return
    held = st.popover("Recent clips", icon=":material/history:", width="stretch", key="recent", on_change="rerun")
    if not held.open:
        st.session_state.pop(DOOMED, None)
        return
    with held, st.container(width=340):
        for name, request, when in found:
            label, told = name.replace("_", r"\_"), f"{_told(request)} · {_ago(time.time() - when)}"
            if st.session_state.get(DOOMED) == name:
                count = len(work.sessions_of(name))
                also = f", also {count} opened session{'s' * (count > 1)} of it" if count else ""
                st.caption(f"Remove {label} with all that came from it{also}?")
                yes, no = st.columns(2)
                yes.button("Remove", key="remove", on_click=_remove, args=(name,), width="stretch")
                no.button("Keep", key="keep", on_click=_doom, args=(None,), width="stretch")
                continue
            row, bin = st.columns([6, 1], vertical_alignment="center")
            row.button(label, key=f"open {name}", on_click=_open, args=(name, request), width="stretch", help=told)
            if name != library.SAMPLE and visitor.owns(name):
                help = f"Remove {label}"
                bin.button("", key=f"doom {name}", icon=":material/delete:", type="tertiary", help=help,
                           on_click=_doom, args=(name,))  # fmt: skip
            st.caption(told)


def _open(name: str, request: Request | None) -> None:
    state: Any = st.session_state
    state["clip"], state["draw"], state["refusal"] = name, False, ""
    for key in ("part", "track"):
        state.pop(key, None)
    if request is None:
        return
    state["person"], state["networks"], state["device"] = request.person, list(request.networks), request.device
    state["box"] = "" if request.box is None else _exactly(request.box)
    state["corrections"] = "; ".join(f"{frame}: {_exactly(box)}" for frame, box in request.corrections)
    if request.frames:
        state["part"] = request.frames[0], request.frames[1] - 1
    if request.person == IMPORT:
        state["boxes"] = request.boxes
        if request.track is not None:
            state["track"] = str(request.track)


def _doom(name: str | None) -> None:
    st.session_state[DOOMED] = name


def _remove(name: str) -> None:
    state: Any = st.session_state
    work.remove(name)
    state[DOOMED] = None
    if state.get("clip") == name:
        _open(library.SAMPLE, Request(library.SAMPLE, BOX, None, tuple(work.defaults()), "auto"))


def _exactly(box: tuple[float, ...]) -> str:
    return ", ".join(repr(value) for value in box)


def _told(request: Request | None) -> str:
    """What was done with a clip."""
    if request is None:
        return "session file"
    part = f", frames {request.frames[0]} to {request.frames[1] - 1}" if request.frames else ""
    put = f", {len(request.corrections)} corrected" if request.corrections else ""
    return f"{', '.join(request.networks)} · {request.person.lower()}{put}{part}"


def _ago(seconds: float) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
