"""The truth of an uploaded clip: asked for in the sidebar, shown with the poses and measured against."""

from functools import partial

import streamlit as st

from freqviz.clip import Clip
from freqviz.web import library, visitor

MEGABYTES = 20  # ten minutes of poses are about 12


def ask(name: str, clip: Clip, far: bool = False) -> None:
    """Draw the uploader of a clip's truth; the sample has its own.

    Args:
        name: of the clip in the library.
        clip: the same, opened.
        far: the truth that there is lies far from all poses, which is worth a warning.
    """
    if name == library.SAMPLE or not visitor.owns(name):
        return
    if far:
        st.sidebar.warning("The true joints lie over half a box from all poses, in the median: are they of this clip?")
    turn = st.session_state.setdefault("truths", 0)  # another key is an empty uploader: the bytes are let go
    with st.sidebar.expander("Truth"):
        if library.truth(name) is not None:
            st.caption("The true joints are shown with the poses.")
            st.button("Remove the truth", on_click=library.remove_truth, args=(name,), width="stretch")
        st.file_uploader(
            "True joints",
            type=["csv", "mat"],
            key=f"truth-{turn}",
            max_upload_size=MEGABYTES,
            on_change=_take,
            args=(f"truth-{turn}", name, clip),
            help="A CSV as `python -m freqviz predict` writes it (frame, joint, x, y; pixels from 0), "
            "or the joint_positions.mat of a JHMDB clip.",
        )
        if refusal := st.session_state.get(f"refused truth of {name}"):
            st.error(refusal)


def _take(key: str, name: str, clip: Clip) -> None:
    visitor.hands_over(key, "truths", f"refused truth of {name}", partial(library.add_truth, name, clip))
