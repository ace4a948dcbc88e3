"""Draw the box of a person over a frame, with mouse, pen, finger or arrow keys: the Python side of box.js."""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from freqviz import look
from freqviz.web.images import jpeg

HERE = Path(__file__).parent
CORNERS = {
    "00": "left:0;top:0;cursor:nwse-resize",
    "10": "left:100%;top:0;cursor:nesw-resize",
    "01": "left:0;top:100%;cursor:nesw-resize",
    "11": "left:100%;top:100%;cursor:nwse-resize",
}
HTML = (
    '<div class="stage" tabindex="0" role="application" aria-label="Box around the person: drag to draw">'
    '<img alt="First frame of the clip"><div class="box" hidden>'
    + "".join(f'<i data-corner="{corner}" style="{style}"></i>' for corner, style in CORNERS.items())
    + '</div></div><p class="readout"></p>'
)
_component = st.components.v2.component(
    "freqviz_box", html=HTML, css=(HERE / "box.css").read_text(), js=(HERE / "box.js").read_text()
)


def draw_box(
    frame: np.ndarray,
    box: tuple[float, float, float, float] | None,
    key: str,
    on_change: Callable[[], None],
    width: int = 1200,
    max_height: int = 560,
) -> None:
    """Show the frame with the box; a drawn box lies in `st.session_state[key]["box"]` when `on_change` runs.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: x, y, w, h in pixels of the frame, centre of the top-left pixel = (0, 0); None for no box yet.
        key: key of the component.
        on_change: called in a new script run after the box was drawn, moved, resized or nudged.
        width: the frame is sent at this width at most, pixels.
        max_height: the frame is shown at this height at most, CSS pixels.
    """
    picture = base64.b64encode(jpeg(frame, width)).decode()
    _component(
        key=key,
        data={
            "image": f"data:image/jpeg;base64,{picture}",
            "width": frame.shape[1],
            "height": frame.shape[0],
            "box": None if box is None else [round(value) for value in box],
            "colour": look.role("box").colour,
            "max_height": max_height,
        },
        on_box_change=on_change,
    )
