"""Session files in the page: saved by a button in the sidebar, opened where clips are uploaded."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlparse

import streamlit as st

from freqviz.session import SUFFIX, link_parts, save_session
from freqviz.web import library, work
from freqviz.web.view import View

ANALYSED = (  # choices that say what is analysed: a session holds the answer
    "clip", "person", "box", "boxes", "track", "draw", "corrections", "part", "networks", "device",
)  # fmt: skip
AS_IT_IS, ANEW = "The file as it is", "Encoded anew"


def offer(view: View) -> None:
    """The button that saves what the page shows as a file; it is made when it is asked for."""
    if st.sidebar.button("Save session", icon=":material/save:", width="stretch", key="save"):
        _save(view)


@st.dialog("Save session")
def _save(view: View) -> None:
    state: Any = st.session_state
    clip, first = work.open_clip(view.name), view.clip.first
    frame = min(max(state.get("frame", first) - first, 0), len(view.clip) - 1)
    size = library.clips()[view.name].stat().st_size / 1e6
    told = [f"{size:.1f} MB.", f"{len(view.clip)} of {len(clip)} frames; what is computed from them changes a little."]
    st.write(
        "One file with poses, tables, traces, the clip and this view. It opens wherever freqviz runs: upload it in the "
        "place of a clip."
    )
    kept = st.radio("The clip in it", [AS_IT_IS, ANEW], captions=told, key="kept clip")
    deep = st.checkbox(f"With all that the networks compute for frame {view.number(frame)}", True, key="kept frame")
    st.download_button(
        "Download",
        partial(_file, view, _link(), kept == ANEW, frame if deep else None),
        f"{Path(view.name).stem}{SUFFIX}",
        "application/zip",
        type="primary",
        on_click="ignore",
        width="stretch",
    )


def tell(name: str) -> None:
    """What is special about a clip that came in a session file, and the way to the view that was saved."""
    held = work.session(name)
    if held is None:
        return
    page, query = link_parts(held.link)
    if held.link and page in _pages():
        choices = {key: values for key, values in query.items() if key not in ANALYSED} | {"clip": [name]}
        address = f"{page or './'}?{urlencode(choices, doseq=True)}"
        st.sidebar.link_button("The view that was saved", address, icon=":material/visibility:", width="stretch")
    if held.small:
        st.sidebar.caption("Its clip was encoded anew: what is computed from pixels here differs a little.")


def first_frame(name: str) -> int:
    """Number of the frame that a session was saved at; 0 where it does not say."""
    held = work.session(name)
    said = link_parts(held.link)[1].get("frame", ["0"])[0] if held else "0"
    return int(said) if said.isdecimal() and len(said) < 8 else 0


def _file(view: View, link: str, small: bool, frame: int | None) -> bytes:
    analysis, truth = view.analysis, library.truth(view.name)
    if frame is not None:
        windows = {(name, view.number(frame)): view.deep(frame, name) for name in view.networks}
        analysis = replace(analysis, deep=analysis.deep | windows)
    points, blur = (None, None) if truth is None else (truth.keypoints, truth.blur)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session"
        return save_session(path, analysis, work.open_clip(view.name), link, small, points, blur).read_bytes()


def _link() -> str:
    """Page and choices of the view that the visitor sees."""
    page = urlparse(st.context.url or "").path.rpartition("/")[2]
    query = {key: value for key, value in st.query_params.to_dict().items() if key not in ANALYSED}
    return (page if page in _pages() else "") + (f"?{urlencode(query)}" if query else "")


def _pages() -> dict[str, str]:
    """The script of each page, by its address; that of the first one is empty."""
    found = sorted((library.PROJECT / "pages").glob("*/*.py"))
    pages = {path.stem: str(path.relative_to(library.PROJECT)) for path in found}
    return {**pages, "": pages["poses_and_spectra"]}
