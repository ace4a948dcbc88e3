"""A clip whose frames tell their number, analysed by hand, under the scrubber alone: for test_browser.py.

    FREQVIZ_RUNS=folder streamlit run tests/scrubber_app.py

The box and both poses tell the number of their frame too: their left edge is at x = 2 · frame, frame pixels.
"""

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from freqviz.analysis import Analysis

sys.path.insert(0, str(Path(__file__).parent.parent))

from test_clip import numbered

from freqviz import poses, web
from freqviz.clip import Clip
from freqviz.trace import LightTrace
from freqviz.video import write_video
from freqviz.web import library
from freqviz.web.cursors import go_to

NAME, COUNT, SIZE = "numbered-12345678.mp4", 120, (180, 320)  # height, width
BOX = (48.0, 60.0)  # width and height of the box; below the number
SHARPEST, BLURRIEST, APART, LOST, DAMAGED = 17, 90, 60, [30, 31, 32, 70], 110


def write_clip(folder: Path) -> None:
    """The clip, as if it had been uploaded."""
    folder.mkdir(parents=True, exist_ok=True)
    write_video(folder / NAME, (numbered(i, *SIZE) for i in range(COUNT)), 30)


def analysis(count: int = COUNT) -> Analysis:
    """What two networks would have found; numbers by hand, no two alike."""
    frames = np.arange(count)
    boxes = np.column_stack([2 * frames, np.full(count, 105), np.full((count, 2), BOX)]).astype(float)
    joint = np.arange(len(poses.JOINTS))
    points = np.stack([2.0 * frames[:, None] + 3 * joint, np.full((count, len(joint)), 110.0) + 3 * joint], -1)
    traces = {}
    for place, name in enumerate(("spatial-video", "freq-video")):
        moved = points + place * np.where(frames == APART, 9.0, 1.0)[:, None, None]
        scores = np.tile(np.linspace(0.1 + place / 2, 0.5 + place / 2, len(joint)), (count, 1))
        weights = np.tile([0.1, 0.2, 0.4 - place / 10, 0.2, 0.1 + place / 10], (count, 1))
        segments, offsets = frames.astype(np.int64), np.full((count, 5, 2), np.nan)
        effective = 1 / (weights**2).sum(1)
        traces[name] = LightTrace(
            name, moved, scores, boxes, weights, segments, None, None, offsets, effective, poses.JOINTS
        )
    blur = 3 + np.sin(frames)
    blur[[SHARPEST, BLURRIEST]] = 0.5, 9
    table = pd.DataFrame({"frame": frames, "time": frames / 30, "edge_width": blur, "band_0": -frames / 7.0})
    table["lost"] = np.where(np.isin(frames, LOST), "jump", "")
    return Analysis(traces, table, {"settings": {"band_edges": [0.1, 0.4]}}, {})


def view_of(clip: Clip, name: str = NAME) -> web.View:
    return web.View(name, clip, analysis(len(clip)), library.RESULTS / "by hand")


@lru_cache
def opened() -> Clip:
    return Clip(library.CLIPS / NAME)  # its name does not tell its hash, as that of an upload must


def main() -> None:
    state = st.session_state
    clip = opened()
    clip._source.damaged.add(DAMAGED)
    view = view_of(clip)

    @st.fragment
    def under_the_cursor() -> None:
        state["runs"] = state.get("runs", 0) + 1
        st.button("To frame 5", on_click=go_to, args=(5,))
        region = st.segmented_control("Look at", view.regions, default="Whole frame", key="region")
        frame = web.scrubber(view, region)
        st.caption(f"Server: frame {frame}, run {state['runs']}")

    under_the_cursor()


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    st.html(web.page.STYLE)
    main()
