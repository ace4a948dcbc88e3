"""Two figures on each other, compared by a divider, in turn, or as their difference: the Python side of swipe.js."""

import base64
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from freqviz import look
from freqviz.panel import Heatmap, Image, Line, Mark, Panel, Points, Skeleton
from freqviz.to_plotly import opacity
from freqviz.web import theme
from freqviz.web.images import jpeg

HERE = Path(__file__).parent
PIXELS = 720  # most of a picture's width
DEFAULT = "swipe 50"  # what is shown until someone wants another view
MODES = {"swipe": "Swipe", "blink": "Blink", "difference": "Difference"}
KEYS = "← → move the divider, with Shift further; Space exchanges A and B; s, b, d choose swipe, blink, difference"
HTML = f"""
<div class="swipe">
  <div class="bar">
    <div class="modes" role="radiogroup" aria-label="How A and B are compared">
      {"".join(f'<button role="radio" data-mode="{mode}">{name}</button>' for mode, name in MODES.items())}
    </div>
    <button class="exchange" hidden>Exchange</button>
    <button class="turns" aria-pressed="false" hidden>▶ In turn</button>
  </div>
  <div class="stage" tabindex="0" role="slider" aria-label="Divider between A and B" title="{KEYS}"
    aria-valuemin="0" aria-valuemax="100">
    <canvas></canvas>
    <div class="divider"></div>
    <span class="name a"></span><span class="name b"></span>
  </div>
  <div class="scale"><span class="low"></span><i></i><span class="high"></span><span class="of"></span></div>
  <p class="note" aria-live="polite"></p>
</div>
"""
_component = st.components.v2.component(
    "freqviz_swipe", html=HTML, css=(HERE / "swipe.css").read_text(), js=(HERE / "swipe.js").read_text()
)

Limits = tuple[tuple[float, float], tuple[float, float]]


def swipe(
    panels: Sequence[Panel],
    names: tuple[str, str],
    key: str,
    height: int,
    limits: Limits | None = None,
    shown: str = "",
    turn: int = 0,
    on_view: Callable[[], None] | None = None,
) -> None:
    """Show A, B and their difference in one place; which of them, and the divider, are the browser's matter.

    In `on_view`, `st.session_state[key]["view"]` is {"view": what the browser shows at rest, in the words of `shown`,
    "turn": number}.

    Args:
        panels: of A, of B, and of the difference: pictures, heatmaps, lines, points and skeletons in the same pixels.
        names: of A and B.
        key: of the component.
        height: of the picture, CSS pixels.
        limits: left and right, bottom and top of what to show; None: the limits of the first panel.
        shown: at first: "swipe 35" (A has 35 % of the width), "blink a", "blink b", "difference"; empty: DEFAULT.
        turn: of the last message that it heard, 0 before.
        on_view: called in a new script run.
    """
    data = told(panels, names, height, limits, theme.is_dark()) | {"shown": shown or DEFAULT, "turn": turn}
    _component(key=key, data=data, on_view_change=on_view or (lambda: None))


def told(
    panels: Sequence[Panel], names: tuple[str, str], height: int, limits: Limits | None, dark: bool
) -> dict[str, Any]:
    """What the browser is told: arguments as in `swipe`.

    Returns:
        names and colours of A and B, height, view [left, right, bottom, top]; pictures (addresses of data); layers of
        A, B and the difference: note, pictures [index, left, top, right, bottom], lines, dots, the colour scale or
        None; and look.py's widths.
    """
    view = limits or (panels[0].limits("x"), panels[0].limits("y"))
    pictures: list[str] = []
    layers = [_layer(one, view, pictures, dark) for one in panels]
    (left, right), (bottom, top) = view
    return {
        "names": [f"A: {names[0]}", f"B: {names[1]}"],
        "colours": [look.role(role, dark).colour for role in look.network_roles(names).values()],
        "height": height,
        "view": [left, right, bottom, top],
        "pictures": pictures,
        "layers": dict(zip(("a", "b", "difference"), layers, strict=True)),
        "line": look.LINE_WIDTH,
        "marker": look.MARKER_SIZE,
        "casing": look.CASING,
    }


def _layer(panel: Panel, view: Limits, pictures: list[str], dark: bool) -> dict[str, Any]:
    placed: list[list[float]] = []
    lines: list[dict[str, Any]] = []
    dots: list[dict[str, Any]] = []
    for mark in panel.marks:
        if isinstance(mark, Image | Heatmap):
            address, *edges = _cropped(mark, view) if isinstance(mark, Image) else _coloured(mark)
            if address not in pictures:
                pictures.append(address)
            placed.append([pictures.index(address), *edges])
        elif isinstance(mark, Skeleton):
            _add_skeleton(mark, lines, dots, dark)
        elif isinstance(mark, Points):
            dots += [_dot(mark, x, y, look.role(mark.role, dark).colour) for x, y in zip(mark.x, mark.y, strict=True)]
        elif isinstance(mark, Line):
            way = [[_number(x), _number(y)] for x, y in zip(mark.x, mark.y, strict=True)]
            lines.append({"way": way, "colour": look.role(mark.role, dark).colour, "dash": [], "solid": 1})
        else:
            raise TypeError(f"a swipe shows pictures, heatmaps, lines, points and skeletons, got {type(mark).__name__}")
    colour = panel.colour
    scale = colour and {"title": colour.title, "limits": colour.limits, "stops": look.colours(panel.palette)}
    return {"note": panel.note, "pictures": placed, "lines": lines, "dots": dots, "scale": scale}


def _cropped(mark: Image, view: Limits) -> tuple[str, float, float, float, float]:
    """The part of a picture that is shown, as a JPEG, and its edges."""
    height, width = mark.pixels.shape[:2]
    (left, right), (bottom, top) = view
    x0, x1 = max(int(np.floor(left + 0.5)), 0), min(int(np.ceil(right + 0.5)), width)
    y0, y1 = max(int(np.floor(top + 0.5)), 0), min(int(np.ceil(bottom + 0.5)), height)
    if x0 >= x1 or y0 >= y1:
        x0, x1, y0, y1 = 0, width, 0, height
    shown = mark.pixels[y0:y1, x0:x1]
    return _address(shown.tobytes(), shown.shape), x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5


@lru_cache(maxsize=4)  # A, B and both stand on one picture
def _address(pixels: bytes, shape: tuple[int, ...]) -> str:
    data = base64.b64encode(jpeg(np.frombuffer(pixels, np.uint8).reshape(shape), PIXELS)).decode()
    return f"data:image/jpeg;base64,{data}"


def _coloured(mark: Heatmap) -> tuple[str, float, float, float, float]:
    """A heatmap in its colours as a PNG, a pixel a cell, and its edges; gaps are transparent."""
    low, high = mark.colour.limits or (0.0, 1.0)
    stops = np.array([[int(one[i : i + 2], 16) for i in (5, 3, 1)] for one in look.colours(mark.palette)], np.float64)
    share = np.clip((mark.values - low) / (high - low), 0, 1) * (len(stops) - 1)
    known = np.isfinite(share)
    share = np.where(known, share, 0)
    channels = [np.interp(share, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    pixels = np.stack([*channels, 255.0 * known], -1).round().astype(np.uint8)
    data = base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()
    (left, right), (top, bottom) = ((float(one[0]), float(one[-1])) for one in (mark.x, mark.y))
    dx, dy = mark.steps
    return f"data:image/png;base64,{data}", left - dx / 2, top - dy / 2, right + dx / 2, bottom + dy / 2


def _add_skeleton(mark: Skeleton, lines: list[dict[str, Any]], dots: list[dict[str, Any]], dark: bool) -> None:
    solid, shown = opacity(mark.scores), mark.shown
    dash = look.DASHES[look.role(mark.role).dash]
    for a, b in mark.edges:
        if shown[a] and shown[b]:
            way = mark.keypoints[[a, b]].round(1).tolist()
            colour = look.shade(mark.role, mark.side(a, b), dark)
            lines.append({"way": way, "colour": colour, "dash": dash, "solid": round(min(solid[a], solid[b]), 2)})
    for joint in np.flatnonzero(shown):
        x, y = mark.keypoints[joint]
        dots.append(_dot(mark, x, y, look.shade(mark.role, mark.side(int(joint)), dark), float(solid[joint])))


def _dot(mark: Mark, x: float, y: float, colour: str, solid: float = 1.0) -> dict[str, Any]:
    return {"at": [_number(x), _number(y)], "colour": colour, "solid": round(solid, 2)}


def _number(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None
