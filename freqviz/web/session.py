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


def arrive(name: str) -> None:
    """Go to the view that a session was saved with; call it before anything is asked.

    An address can be set where no widget is bound to it: on the first run of another page. So the way leads over one.

    Args:
        name: of a session that was uploaded since the last run; empty: none was.
    """
    state: Any = st.session_state
    here = state.pop("arriving", None)
    held = work.session(here or name) if here or name else None
    if held is None:
        return
    page, query = link_parts(held.link)
    pages = _pages()
    target = pages.get(page, pages[""])
    for key in set(state) & {*ANALYSED, *query, "frame", "page"}:
        del state[key]  # what was chosen for another clip
    if here:
        choices = {key: values for key, values in query.items() if key not in ANALYSED}
        st.switch_page(target, query_params=choices | {"clip": [here]})
    state["arriving"] = name
    st.switch_page(next(one for one in pages.values() if one not in (target, pages.get(_page()))))


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
    query = {key: value for key, value in st.query_params.to_dict().items() if key not in ANALYSED}
    return _page() + (f"?{urlencode(query)}" if query else "")


def _page() -> str:
    """Address of the page that is shown; empty for the first one."""
    page = urlparse(st.context.url or "").path.rpartition("/")[2]
    return page if page in _pages() else ""


def _pages() -> dict[str, str]:
    """The script of each page, by its address; that of the first one is empty."""
    found = sorted((library.PROJECT / "pages").glob("*/*.py"))
    pages = {path.stem: str(path.relative_to(library.PROJECT)) for path in found}
    return {**pages, "": pages["poses_and_spectra"]}
