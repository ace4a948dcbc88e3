"""What the visitor chose. The sidebar asks, the address remembers: a link opens the same view."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from freqviz import devices
from freqviz.web import library, own, recent, session, visitor, work
from freqviz.web.view import View
from freqviz.web.work import BOX, IMPORT, MOTION, WHOLE_FRAME, Request

SHARED = {  # what pages share, with the value that needs no keeping
    "clip": library.SAMPLE, "box": "", "draw": False, "boxes": None, "track": None, "frame": 0, "network": None,
    "joint": None, "blur": None, "corrections": "", "person": BOX, "device": "auto", "region": work.PERSON,
}  # fmt: skip
MEANING = {
    BOX: "Drawn or typed for the first frame; from then on it follows the poses.",
    WHOLE_FRAME: "The person fills every frame.",
    MOTION: "Where something moves in the first frame: no person detector.",
    IMPORT: "Boxes of a file: CSV, MOT or COCO. Between frames that have one they are linear.",
}


BLURRIEST = (
    "Two seconds, or a third of a shorter clip: where the edges of what moves are widest, in frames looked at here and "
    "there, without a network."
)


def keep(page: str) -> None:
    """Let what all pages ask for survive a change of page, address included; call it before anything is asked.

    Where the visitor goes back or forward the address says what is asked for.
    """
    state: Any = st.session_state
    if state.get("page", page) != page:
        first = next(iter(state.get("networks", work.defaults())), None)
        part = 0, _last(state.get("clip", library.SAMPLE))
        defaults = {**SHARED, "networks": work.defaults(), "network": first, "part": part}
        kept = {key: state[key] for key, default in defaults.items() if state.get(key, default) != default}
        state.update(kept)  # what no widget holds is thrown away when the page changes
        run_of = get_script_run_ctx()
        if run_of is not None and not run_of.is_history_navigation:
            absent = ("boxes", "track") if state.get("person", BOX) != IMPORT else ("box",)
            with suppress(StreamlitAPIException):  # a widget of the page before still holds its place there
                st.query_params.update({key: _written(key, value) for key, value in kept.items() if key not in absent})
    state["page"] = page


def _written(key: str, value: Any) -> str | list[str]:
    """A choice as the address has it."""
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else View.label(value) if key == "blur" else str(value)


def sidebar() -> Request:
    """Draw the choices that all pages share, and return them; of a session there is nothing but its name.

    A link to a clip that is not here waits for its upload; the script ends there.
    """
    _arrivals()
    with st.sidebar:
        clip = st.selectbox("Clip", list(library.clips()), key="clip", bind="query-params", on_change=_another_clip)
        _uploader()
        recent.offer()
        if library.session(clip):
            return Request(clip, BOX, None, (), "auto")
        frames = _part(clip)
        person = st.pills(  # they wrap
            "Person", list(MEANING), default=BOX, required=True, key="person", bind="query-params"
        )
        st.caption(MEANING[person])
        box = _typed_box(clip, frames) if person == BOX else None
        boxes, track = _imported() if person == IMPORT else ("", None)
        st.toggle("Draw a box on the frame", key="draw", bind="query-params")
        corrections = _typed_corrections()
        linked = st.query_params.get_all("networks")  # before what is not among them is taken out of the address
        networks = st.multiselect(
            "Networks",
            work.trained(),
            default=work.defaults(),
            key="networks",
            bind="query-params",
            help="The first one moves the box along. Networks without a checkpoint are not listed.",
        )
        own.ask(linked)
        device = st.segmented_control(
            "Device",
            ["auto", "cpu", "cuda"],
            default="auto",
            required=True,
            key="device",
            bind="query-params",
            help=f"auto means {devices.choose('auto')} on this machine.",
        )
    return Request(clip, person, box, tuple(networks), device, boxes, track, corrections, frames)


def parse_box(text: str) -> tuple[float, float, float, float]:
    """A typed box: x, y, width, height, separated by commas or blanks.

    Raises:
        ValueError: not four numbers, or an extent that is not positive.
    """
    try:
        x, y, w, h = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise ValueError(f"A box is four numbers, x, y, width, height; got “{text[:80]}”.") from None
    if not (w > 0 and h > 0):
        raise ValueError(f"Width and height of a box are larger than 0; got “{text[:80]}”.")
    return x, y, w, h


def parse_corrections(text: str) -> tuple[tuple[int, tuple[float, float, float, float]], ...]:
    """Typed corrections: frame: x, y, width, height; the next one; in the order of the frames.

    Raises:
        ValueError: a part that is none, or a frame that has two.
    """
    found: dict[int, tuple[float, float, float, float]] = {}
    for part in filter(str.strip, text.split(";")):
        frame, colon, box = part.partition(":")
        if not (colon and frame.strip().isdecimal()):
            got = part.strip()[:80]
            raise ValueError(f"A correction is a frame and a box, frame: x, y, width, height; got “{got}”.")
        if int(frame) in found:
            raise ValueError(f"Frame {int(frame)} has two corrections; one is enough.")
        found[int(frame)] = parse_box(box)
    return tuple(sorted(found.items()))


def forget_defaults() -> None:
    """What the address does not name is at its default, and takes the default of the next result, as a browser will.

    Call it while there is no result; the script that stops there would keep the default of the last one.
    """
    for key in ("network", "a", "b", "quantity"):
        if key not in st.query_params:
            st.session_state.pop(key, None)


def want(network: str) -> None:
    """A network to look at as soon as it has been run."""
    st.session_state["wanted"] = network


def take_wanted(networks: Sequence[str]) -> None:
    """Look at the network that is wanted, if it is among these; call it before pages ask which one to look at."""
    state: Any = st.session_state
    if state.get("wanted") in networks:
        state["network"] = name = state.pop("wanted")
        with suppress(StreamlitAPIException):  # while the widget stands it holds its place in the address
            st.query_params["network"] = name


def drawing() -> bool:
    """Whether the visitor wants to draw another box."""
    return bool(st.session_state.get("draw"))


def stop_drawing() -> None:
    """Leave the drawing of the box; call it from a callback."""
    st.session_state["draw"] = False


def take_drawn_box(key: str, frame: int | None = None) -> None:
    """Let the box drawn in the component `key` be the typed one; call it from a callback.

    Args:
        frame: the frame that it corrects; None: it is the first box.
    """
    drawn = _plain(st.session_state[key]["box"])
    if frame is None:
        st.session_state["box"] = drawn
        return
    kept = {frame: drawn}
    with suppress(ValueError):  # what was typed wrong is replaced
        kept = {i: _plain(box) for i, box in parse_corrections(st.session_state["corrections"])} | kept
    kept = dict(sorted(kept.items()))
    st.session_state["corrections"] = "; ".join(f"{i}: {box}" for i, box in kept.items())


def _plain(box: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in box)


def _typed_corrections() -> tuple[tuple[int, tuple[float, float, float, float]], ...]:
    """The corrections; asked for once the visitor draws, or where there are some."""
    state: Any = st.session_state
    if not (drawing() or state.get("corrections") or st.query_params.get("corrections")):
        return ()
    text = st.text_input(
        "Corrections",
        key="corrections",
        bind="query-params",
        placeholder="frame: x, y, width, height",
        help="Where the person was lost: the frame and the box in it, several separated by semicolons. "
        "From that frame on the box is this one and follows the poses; what was found before stays.",
    )
    try:
        return parse_corrections(text)
    except ValueError as error:
        st.error(visitor.said(error))
        return ()


def _part(clip: str) -> tuple[int, int] | None:
    """The frames a ... b - 1 to look at; None for all, and where the clip cannot be opened: a run then says why."""
    last = _last(clip)
    if last < 1:
        return None
    a, b = st.slider(
        "Part of the clip",
        0,
        last,
        (0, last),
        key="part",
        bind="query-params",
        help="First and last frame to analyse. Neighbours outside of it count as missing.",
    )
    st.button(
        "The blurriest seconds",
        on_click=_take_blurriest,
        args=(clip,),
        type="tertiary",
        icon=":material/blur_on:",
        help=BLURRIEST,
    )
    return None if (a, b) == (0, last) else (a, b + 1)


def _last(clip: str) -> int:
    """Index of the last frame; 0 where the clip cannot be opened."""
    try:
        return len(work.open_clip(clip)) - 1
    except (LookupError, ValueError, OSError):
        return 0


def _take_blurriest(clip: str) -> None:
    try:
        a, b = work.blurriest(clip)
    except (LookupError, ValueError, OSError) as error:
        st.session_state["refusal"] = visitor.said(error)
        return
    st.session_state["part"] = a, b - 1


def _typed_box(clip: str, frames: tuple[int, int] | None) -> tuple[float, float, float, float] | None:
    truth = library.truth(clip)
    own = truth.part(*(frames or (0, len(truth.boxes)))).box if truth else None
    text = st.text_input(
        "Box in the first frame",
        key="box",
        bind="query-params",
        placeholder="x, y, width, height" if own is None else _plain(own),
        help="x, y of the top-left corner, width, height; pixels, the centre of the top-left pixel is 0, 0.",
    )
    try:
        return parse_box(text) if text.strip() else own
    except ValueError as error:
        st.error(visitor.said(error))
        return None


def _imported() -> tuple[str, int | None]:
    """The file of boxes, and the person in it."""
    state: Any = st.session_state
    turn = state.setdefault("imports", 0)
    st.file_uploader(
        "Upload boxes",
        type=["csv", "txt", "json"],
        max_upload_size=20,
        key=f"import-{turn}",
        on_change=_take_boxes,
        args=(f"import-{turn}",),
        label_visibility="collapsed",
        help="CSV with the header frame,x,y,w,h; MOT rows frame,id,x,y,w,h; COCO annotations with bbox and image_id.",
    )
    if refusal := state.get("boxes_refusal"):
        st.error(refusal)
    files = library.box_files()
    asked = st.query_params.get("boxes")
    if asked and asked not in files and "boxes" not in state:
        st.warning(
            f"The boxes {library.plain(asked).name[:80]} are not on this machine; upload them to open this link."
        )
    if not files:
        return "", None
    # none is the default: what is the default does not stand in the address
    name = st.selectbox("Boxes", files, index=None, placeholder="Choose a file", key="boxes", bind="query-params")
    if name is None:
        return "", None
    try:
        people = [str(person) for person in library.people(name)]
    except LookupError as error:
        st.error(visitor.said(error))
        return "", None
    if len(people) == 1:
        return name, None
    person = st.selectbox(
        "Person in the file", people, key="track", bind="query-params", help="Who has the most boxes stands first."
    )
    return name, int(person)


def _take_boxes(key: str) -> None:
    if name := visitor.hands_over(key, "imports", "boxes_refusal", library.add_boxes):
        st.session_state["boxes"] = name
        st.session_state.pop("track", None)


def _arrivals() -> None:
    """Open what was uploaded, and what a link names; where that is not here, say so and wait for its upload."""
    state: Any = st.session_state
    asked, came = st.query_params.get("clip"), state.pop("came", "")
    if not asked or "clip" in state:
        if came:
            state["clip"] = came
            _another_clip()
            if library.session(came):
                state["frame"] = session.first_frame(came)
        return
    here = library.known(asked)
    if here is None:
        name = library.plain(asked).name[:80]
        st.warning(f"The clip {name} is not on this machine; upload it here to open this link.")
        if came:
            st.error(f"{came} is another clip than the link names; it is kept.")
        _uploader()
        if st.button("Leave this link"):
            st.query_params.clear()
            state["clip"] = library.SAMPLE
            st.rerun()
        st.stop()
    if here != asked:
        st.query_params["clip"] = here  # the same file under another name
        st.rerun()


def _uploader() -> None:
    turn = st.session_state.setdefault("uploads", 0)  # another key is an empty uploader: the bytes are let go
    st.file_uploader(
        "Upload a clip or a session",
        type=[*library.SUFFIXES, "zip"],
        key=f"upload-{turn}",
        on_change=_take_upload,
        args=(f"upload-{turn}",),
        label_visibility="collapsed",
    )
    if refusal := st.session_state.get("refusal"):
        st.error(refusal)


def _take_upload(key: str) -> None:
    if name := visitor.hands_over(key, "uploads", "refusal", library.add):
        st.session_state["came"] = name


def _another_clip() -> None:
    state = st.session_state
    state["box"], state["corrections"], state["refusal"] = "", "", ""
    state.pop("part", None)
