"""Frames, skeletons, boxes, curves and marks of a whole clip under one cursor: the Python side of scrubber.js."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from freqviz import look, poses, reading, to_video
from freqviz.panel import Skeleton
from freqviz.to_plotly import opacity
from freqviz.web.hosted import hosted
from freqviz.web.view import View
from freqviz.web.work import PERSON

HERE = Path(__file__).parent
CODEC = 'video/mp4; codecs="avc1.42C01E"'  # what a browser must play: H.264, as libx264 writes it here
MARKS = {  # role of each kind of mark
    "sharpest": "sharp",
    "blurriest": "blur",
    "disagreement": "extra-2",
    "lost": "lost",
    "damaged": "damaged",
}
KEYS = {
    "← →": "one frame",
    "Shift ← →": "ten frames",
    "Home, End": "first and last frame",
    "Space": "play and pause",
    "n, p": "next and previous mark",
    "?": "show and hide this list",
}
HTML = f"""
<div class="scrubber">
  <div class="stage">
    <canvas class="picture" role="img" aria-label="Frame with poses"></canvas>
    <div class="people" role="group" aria-label="Show"></div>
    <div class="keys" hidden>
      <dl>{"".join(f"<dt>{key}</dt><dd>{meaning}</dd>" for key, meaning in KEYS.items())}</dl>
      <p>Drag along the curves; press a name to fold its curve. The picture is a small copy; every figure below is
      made from the clip itself.</p>
    </div>
    <p class="waiting" role="status">Loading frames …</p>
  </div>
  <div class="bar">
    <button class="play" aria-label="Play">▶</button>
    <button class="before" aria-label="Previous mark" title="Previous mark (p)">⇤</button>
    <button class="after" aria-label="Next mark" title="Next mark (n)">⇥</button>
    <output class="readout"></output>
    <button class="help" aria-label="Keys" title="Keys (?)">?</button>
  </div>
  <div class="timeline" tabindex="0" role="slider" aria-label="Frame">
    <canvas class="lanes"></canvas>
    <div class="names"></div>
    <div class="cursor"></div>
  </div>
</div>
"""
_component = st.components.v2.component(
    "freqviz_scrubber", html=HTML, css=(HERE / "scrubber.css").read_text(), js=(HERE / "scrubber.js").read_text()
)


def scrub(
    view: View,
    copy: Path,
    frame: int,
    turn: int,
    region: str,
    dark: bool,
    key: str,
    on_frame: Callable[[], None],
    on_failure: Callable[[], None],
) -> None:
    """Show the clip under its cursor; a moved cursor is told when it comes to rest.

    In `on_frame`, `st.session_state[key]["frame"]` is {"frame": index, "turn": number}; in `on_failure`,
    `st.session_state[key]["failed"]` is a sentence. Both are there in the callback only.

    Args:
        view: what to show.
        copy: of its clip, see `to_video.scrubbing_copy`.
        frame: index that the server shows.
        turn: of the last message that it heard, 0 before.
        region: `view.regions`: what to zoom to.
        dark: whether the screen is.
        key: of the component.
        on_frame, on_failure: called in a new script run.
    """
    clip, overlays = _addresses(view, copy)
    names = {"box", *look.network_roles(view.networks).values(), "truth", *MARKS.values()}
    names |= {role for curve in view.curves for _, role in curve.lines.values()}
    _component(
        key=key,
        data={
            "clip": clip,
            "overlays": overlays,
            "codec": CODEC,
            "rate": to_video.RATE,
            "frame": frame,
            "turn": turn,
            "person": region == PERSON,
            "roles": {name: _look(name, dark) for name in sorted(names)},
            "dashes": look.DASHES,
            "casing": look.CASING,
            "line": look.LINE_WIDTH,
            "marker": look.MARKER_SIZE,
        },
        on_frame_change=on_frame,
        on_failed_change=on_failure,
    )


def overlay(view: View) -> dict[str, Any]:
    """Everything that is drawn over and under the frames, as plain data; unknown numbers are None.

    Args:
        view: the clip and what was found in it.
    Returns:
        count, first, size [width, height], times (seconds), edges [joint, joint, side], sides of the joints;
        people: points [x, y, x, y ...] in frame pixels and opacity 0 ... 100 of every frame; segments [first frame,
        box, edges of the picture when zoomed to the person]; curves; marks as runs [first, last frame].
    """
    height, width = view.clip.size
    roles = look.network_roles(view.networks)
    people = [_person(t.network, roles[t.network], t.keypoints, t.scores) for t in view.traces]
    if (truth := view.true_joints) is not None:
        people.append(_person("truth", "truth", truth, np.ones(truth.shape[:2])))
    body = Skeleton(np.zeros((len(poses.JOINTS), 2)), np.ones(len(poses.JOINTS)), poses.JOINTS, poses.EDGES)
    starts = np.flatnonzero(np.r_[True, (np.diff(view.boxes, axis=0) != 0).any(1)]).tolist()
    return {
        "count": len(view.clip),
        "first": view.clip.first,
        "size": [width, height],
        "times": _plain(view.clip.times, 3),
        "edges": [[a, b, body.side(a, b)] for a, b in body.edges],
        "sides": [body.side(joint) for joint in range(len(body.joints))],
        "people": people,
        "segments": [[start, _plain(view.boxes[start], 1), _zoom(view, start)] for start in starts],
        "curves": [
            {
                "name": curve.name,
                "unit": curve.unit,
                "limits": list(curve.limits),
                "lines": [{"name": n, "role": r, "values": _plain(v, 3)} for n, (v, r) in curve.lines.items()],
            }
            for curve in view.curves
        ],
        "marks": [
            {"kind": kind, "role": MARKS[kind], "runs": reading.runs(frames)} for kind, frames in view.marks.items()
        ],
    }


def _addresses(view: View, copy: Path) -> tuple[str, str]:
    """Where the browser fetches the copy and the overlays from: files that live as long as the page shows them."""
    if copy not in view.served:
        text = json.dumps(overlay(view), separators=(",", ":")).encode()
        clip = hosted(str(copy), "video/mp4", "scrubber clip")
        view.served[copy] = clip, hosted(text, "application/json", "scrubber overlays")
    return view.served[copy]


def _person(name: str, role: str, keypoints: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    flat = keypoints.reshape(len(keypoints), -1)
    solid = [[round(100 * value) for value in opacity(row)] for row in scores]
    return {"name": name, "role": role, "points": [_plain(row, 1) for row in flat], "opacity": solid}


def _zoom(view: View, frame: int) -> list[float | None]:
    (left, right), (bottom, top) = view.around_person(frame)
    return _plain(np.array([left, top, right, bottom]), 1)


def _look(role: str, dark: bool) -> dict[str, str]:
    known = look.role(role, dark)
    shades = {side: look.shade(role, side, dark) for side in ("right", "left", "")}
    return shades | {"dash": known.dash, "marker": known.marker}


def _plain(values: np.ndarray, digits: int) -> list[float | None]:
    """Numbers as JSON knows them."""
    return [value if np.isfinite(value) else None for value in np.round(values.astype(np.float64), digits).tolist()]
