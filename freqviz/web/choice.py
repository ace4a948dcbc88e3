"""What the visitor chose. The sidebar asks, the address remembers: a link opens the same view."""

from typing import Any

import streamlit as st

from freqviz import run
from freqviz.clip import ClipError
from freqviz.web import library, work
from freqviz.web.work import BOX, MOTION, WHOLE_FRAME, Request

MEANING = {
    BOX: "Drawn or typed for the first frame; from then on it follows the poses.",
    WHOLE_FRAME: "The person fills every frame.",
    MOTION: "Where something moves in the first frame: no person detector.",
}


def sidebar() -> Request:
    """Draw the choices that all pages share, and return them."""
    state: Any = st.session_state
    with st.sidebar:
        clips = list(library.clips())
        asked = st.query_params.get("clip")
        if asked and asked not in clips and "clip" not in state:
            st.warning(f"The clip {asked} is not on this machine; upload it to open this link.")
        clip = st.selectbox("Clip", clips, key="clip", bind="query-params", on_change=_another_clip)
        _uploader()
        person = st.segmented_control(
            "Person", list(MEANING), default=BOX, required=True, key="person", bind="query-params"
        )
        st.caption(MEANING[person])
        box = _typed_box(clip) if person == BOX else None
        networks = st.multiselect(
            "Networks",
            work.trained(),
            default=work.defaults(),
            key="networks",
            bind="query-params",
            help="The first one moves the box along. Networks without a checkpoint are not listed.",
        )
        device = st.segmented_control(
            "Device",
            ["auto", "cpu", "cuda"],
            default="auto",
            required=True,
            key="device",
            bind="query-params",
            help=f"auto means {run.choose_device('auto')} on this machine.",
        )
    return Request(clip, person, box, tuple(networks), device)


def parse_box(text: str) -> tuple[float, float, float, float]:
    """A typed box: x, y, width, height, separated by commas or blanks.

    Raises:
        ValueError: not four numbers, or an extent that is not positive.
    """
    try:
        x, y, w, h = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise ValueError(f"A box is four numbers, x, y, width, height; got “{text}”.") from None
    if not (w > 0 and h > 0):
        raise ValueError(f"Width and height of a box are larger than 0; got “{text}”.")
    return x, y, w, h


def drawing() -> bool:
    """Whether the visitor wants to draw another box."""
    return bool(st.session_state.get("draw"))


def stop_drawing() -> None:
    """Leave the drawing of the box; call it from a callback."""
    st.session_state["draw"] = False


def take_drawn_box(key: str) -> None:
    """Let the box drawn in the component `key` be the typed one; call it from a callback."""
    drawn = st.session_state[key]["box"]
    st.session_state["box"] = ", ".join(f"{value:g}" for value in drawn)


def _typed_box(clip: str) -> tuple[float, float, float, float] | None:
    truth = library.truth(clip)
    own = truth.box if truth else None
    text = st.text_input(
        "Box in the first frame",
        key="box",
        bind="query-params",
        placeholder="x, y, width, height" if own is None else ", ".join(f"{value:g}" for value in own),
        help="x, y of the top-left corner, width, height; pixels, the centre of the top-left pixel is 0, 0.",
    )
    st.toggle("Draw it on the frame", key="draw", bind="query-params")
    try:
        return parse_box(text) if text.strip() else own
    except ValueError as error:
        st.error(str(error))
        return None


def _uploader() -> None:
    turn = st.session_state.setdefault("uploads", 0)  # another key is an empty uploader: the bytes are let go
    st.file_uploader(
        "Upload a clip",
        type=list(library.SUFFIXES),
        key=f"upload-{turn}",
        on_change=_take_upload,
        args=(f"upload-{turn}",),
        label_visibility="collapsed",
    )
    if refusal := st.session_state.get("refusal"):
        st.error(refusal)


def _take_upload(key: str) -> None:
    state = st.session_state
    file = state[key]
    if file is None:
        return
    state["uploads"] += 1
    try:
        state["clip"] = library.add(file.name, file.getvalue())
    except ClipError as error:
        state["refusal"] = f"{str(error).rstrip('.')}."
    else:
        _another_clip()


def _another_clip() -> None:
    state = st.session_state
    state["box"], state["refusal"] = "", ""
