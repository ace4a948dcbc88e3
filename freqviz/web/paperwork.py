"""What "Paper figures" makes of the present clip besides the sheet: frame strips, annotated clips, tables."""

import pickle
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from freqviz import figures_strip, tables, to_frames, to_matplotlib, to_video
from freqviz.figures_strip import AROUND, BLURRIEST, EVEN, PERSON, SHARPEST, WHOLE_FRAME
from freqviz.jobs import Progress
from freqviz.panel import Panel
from freqviz.paper import Paper
from freqviz.tables import Comparison
from freqviz.web import library
from freqviz.web.cursors import slider
from freqviz.web.export import settings
from freqviz.web.exporting import File, offer
from freqviz.web.images import jpeg
from freqviz.web.page import sentences
from freqviz.web.recipe import copies
from freqviz.web.view import View
from freqviz.web.weights import Weights

LIST = "A list"
MOST = 12  # columns of a strip
WIDEST, DPI = 900, 200  # of a printed strip on the screen: CSS pixels, and dots per inch of paper
RUN = "The networks of this run"
OFFERED = ("PCK@.05, %", "PCK@.1, %", "error, % of box", "jitter, % of box", "effective frames", "ms/frame")
NETWORKS = ("spatial-frame", "spatial-video", "freq-video", "energy softmax")  # columns offered of many
EVALUATION = library.PROJECT / "assets" / "evaluation"
KEPT: Any = {"bind": "query-params", "persist_state": "session"}  # the choices of a tab that is not open
KINDS = {".mp4": "video/mp4", ".gif": "image/gif"}


@dataclass(frozen=True)
class Paperwork:
    """A finished analysis, for paper and talks."""

    view: View

    # ---- frame strips

    def strip(self) -> None:
        """Widgets for a frame strip, and the strip with its ways out: one leads to the sheet."""
        view = self.view
        with st.container(key="controls"):
            how_, many, part = st.columns([2, 3, 2], gap="medium")
        how = how_.selectbox("Frames", [EVEN, SHARPEST, BLURRIEST, AROUND, LIST], key="strip", **KEPT)
        if how == LIST:
            first = view.clip.first
            text = many.text_input("Their numbers", f"{first}, {first + len(view.clip) // 2}", key="strip list", **KEPT)
        else:
            count = many.slider("How many", 1, MOST, 6, key="strip count", **KEPT)
        region = part.selectbox("Shown", [PERSON, WHOLE_FRAME], key="strip shows", **KEPT)
        around = slider(view.clip, st.container()) if how == AROUND else 0
        names = st.multiselect("Rows", view.networks, view.networks, key="strip rows", width=620, **KEPT)
        with st.container(horizontal=True):
            skeletons = st.toggle("Skeletons", True, key="strip skeletons", **KEPT)
            weights = st.toggle("Frame weights", True, key="strip weights", **KEPT)
            box = st.toggle("Box", key="strip box", **KEPT)
            plain = st.toggle("Frames without marks", key="strip plain", **KEPT)
            known = view.true_joints is not None
            truth = known and st.toggle("Truth", True, key="strip truth", **KEPT)
        with sentences():
            if how == LIST:
                frames = self._listed(text)
            else:
                blur = view.table[view.blurs[0]].to_numpy(np.float64)
                frames = figures_strip.chosen(how, count, len(view.clip), blur, around)
            self._show_strip(frames, names, region, skeletons, box, weights, plain, truth)

    def _listed(self, text: str) -> list[int]:
        """Frames that were typed, as the clip counts them."""
        words = [word for word in text.replace(",", " ").split() if word]
        if not words or not all(word.isdecimal() for word in words) or len(words) > MOST:
            raise ValueError(f"type 1 to {MOST} frame numbers, got {text!r}")
        first, count = self.view.clip.first, len(self.view.clip)
        if wrong := [word for word in words if not first <= int(word) < first + count]:
            raise ValueError(f"the frames are {first} to {first + count - 1}, got {wrong[0]}")
        return [int(word) - first for word in words]

    def _show_strip(
        self, frames: list[int], names: list[str], region: str, skeletons: bool, box: bool, weights: bool, plain: bool,
        truth: bool,
    ) -> None:  # fmt: skip
        view = self.view
        traces = [view.analysis.traces[name] for name in names]
        poses = {i: pose.keypoints for i in frames if truth and (pose := view.truth(i))}
        panel = figures_strip.frame_strip(
            view.clip, traces, frames, poses, region, skeletons, box, weights, plain
        )  # fmt: skip
        paper = settings()
        with st.container(key="as printed"):
            st.image(_printed(pickle.dumps(panel), paper, panel), width=min(WIDEST, round(2 * 96 * paper.width)))
        st.caption(f"{panel.guide} It is shown as it will be printed, {paper.width:.2f} in wide: see the tab Sheet.")
        places = "".join(f"    {i}: np.array({np.round(points, 2).tolist()}),\n" for i, points in poses.items())
        given = [f"truth = {{\n{places}}}".replace("nan", "np.nan")] if poses else []
        chosen = f"[analysis.traces[name] for name in {names}]"
        switches = {"skeletons": skeletons, "box": box, "weights": weights, "plain": plain}
        usual = {"skeletons": True, "box": False, "weights": True, "plain": False}
        more = "".join(f", {name}={on}" for name, on in switches.items() if on != usual[name])
        call = f"figures_strip.frame_strip(clip, {chosen}, {frames}, {'truth' if poses else None}, {region!r}{more})"
        Weights(view, frames[0]).explain(panel, call, *given, numbers=self._numbers(names, frames))

    def _numbers(self, names: list[str], frames: list[int]) -> pd.DataFrame:
        """The weights that a strip shows."""
        rows = []
        for name in names:
            trace = self.view.analysis.traces[name]
            for i in frames:
                row = {"network": name, "frame": self.view.number(i), "mean score": float(np.nanmean(trace.scores[i]))}
                slots = trace.frame_weights.shape[1]
                row |= {f"weight {slot - slots // 2:+d}": trace.frame_weights[i, slot] for slot in range(slots)}
                rows.append(row)
        return pd.DataFrame(rows)

    # ---- annotated clips

    def clip(self) -> None:
        """Widgets for an annotated clip, a picture of it, and its files."""
        view = self.view
        with st.container(key="controls"):
            who, part = st.columns([3, 2], gap="medium")
        names = who.multiselect("From left to right", view.networks, view.networks, key="clip rows", **KEPT)
        region = part.selectbox("Shown", [PERSON, WHOLE_FRAME], key="clip shows", **KEPT)
        frame = slider(view.clip, st.container(), "The frame that is shown here; the files have all of them.")
        known = view.true_joints is not None
        truth = known and st.toggle("Truth", True, key="clip truth", **KEPT)
        with sentences():
            traces = [view.analysis.traces[name] for name in names]
            pictures = to_frames.Annotated(view.clip, traces, view.true_joints if truth else None, region)
            st.image(jpeg(pictures[frame], pictures.size[1]), width=pictures.size[1])
            seconds = len(view.clip) / float(view.clip.fps)
            st.caption(
                f"Frame {view.number(frame)} of {len(view.clip)}; {pictures.size[1]} × {pictures.size[0]} pixels, "
                f"{seconds:.1f} s. MP4 is H.264, which browsers and slides play; a GIF has at most "
                f"{to_video.GIF_LIMIT / 1e6:g} MB and {to_video.GIF_RATE:g} frames per second."
            )
            key = repr((str(view.folder), names, region, truth)).encode() + _digest(view, truth)
            stem = f"{Path(view.file).stem}-annotated"
            files = [
                File(kind[1:].upper(), stem + kind, mime, key, partial(_annotate, pictures), asked=True)
                for kind, mime in KINDS.items()
            ]
            with st.container(key="recipe of the clip"):
                offer(files, "the clip")
                copies(*self._in_words(names, region, truth, stem))
            if files[0].path.is_file():
                st.video(str(files[0].path))

    def _in_words(self, names: list[str], region: str, truth: bool, stem: str) -> tuple[str, str]:
        """The command, and the Python, that write the clip."""
        view = self.view
        words, python = view.analysing()
        out, known = f"runs/{Path(view.file).stem}", library.truth_path(view.name) if truth else None
        given = ["--models", ",".join(names)] + (["--whole-frame"] if region == WHOLE_FRAME else [])
        given += ["--truth", library.relative(known)] if known else []
        line = ["python", "-m", "freqviz", "video", out, view.file, *given, "--out", f"{stem}.mp4"]
        first, _, rest = python.partition("\n")
        joints = f"poses.read_truth({library.relative(known)!r}, len(clip), clip.size)" if known else "None"
        lines = [
            first,
            f"from freqviz import {'poses, ' if known else ''}to_frames, to_video",
            rest,
            view.clip_python.partition(".part(")[0],
            f"truth = {joints}",
            f"pictures = to_frames.of_analysis(analysis, clip, {names}, truth, {region!r})",
            f"to_video.annotated('{stem}.mp4', pictures)",
        ]
        return f"{view.analyse_command()} && {shlex.join(line)}", "\n".join(lines)

    # ---- tables

    def table(self) -> None:
        """Widgets for a comparison, of this clip or of the evaluation, how it looks, and its files."""
        choose_table({RUN: lambda _measure: _of_run(self.view)} | stored_tables())


def stored_tables() -> dict[str, Callable[[str], Comparison]]:
    """Those of the evaluation, by title; none where it was not made."""
    return tables.evaluations(EVALUATION) if EVALUATION.is_dir() else {}


def choose_table(known: dict[str, Callable[[str], Comparison]], key: str = "table") -> None:
    """Widgets for one of several comparisons, how it looks, and its files; the key is that of the choice."""
    with st.container(key="controls of tables"):
        which, what = st.columns([3, 2], gap="medium")
    title = which.selectbox("Table", known, key=key, **KEPT)
    with sentences():
        measure = "pck@0.1"
        if tables.FILES.get(title) in tables.MEASURED:
            measure = what.selectbox("Measure", tables.MEASURES, 1, format_func=str.upper, key="table measure", **KEPT)
        found = known[title](measure)
        usual = OFFERED if title == RUN else (*tables.REGIMES, *NETWORKS)
        offered = [name for name in found.names if name in usual] or list(found.names)
        if title == RUN:
            st.caption(
                "Means over the frames of this clip with 95 % intervals (moving-block bootstrap); "
                "they say nothing of other clips."
            )
        names, rows = st.container(key="table parts").columns(2, gap="medium")
        columns = names.multiselect("Columns", found.names, offered, key=f"columns of table {title}", **KEPT)
        kept = rows.multiselect("Rows", found.rows, found.rows, key=f"rows of table {title}", **KEPT)
        intervals = st.toggle("Intervals", True, key="table intervals", **KEPT)
        if not (columns and kept):
            raise ValueError("choose at least one row and one column")
        show_table(found.part(kept, columns, intervals), title)


def show_table(found: Comparison, title: str) -> None:
    """A comparison, and its files; the title names these."""
    with st.container(key=f"comparison {title}"):
        st.markdown(found.markdown().replace("~", r"\~"))
    if found.best.any():
        st.caption("Bold is the best of a column, and what is printed alike; oracles are no rivals.")
    stem = "-".join(title.lower().split())
    texts = {"LaTeX": (found.latex(), ".tex", "latex"), "Markdown": (found.markdown(), ".md", "markdown"),
             "CSV": (found.csv(), ".csv", None)}  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        for label, (text, suffix, _) in texts.items():
            st.download_button(
                f"{label} · {max(1, round(len(text.encode()) / 1000))} kB", text, stem + suffix, "text/plain",
                key=f"{label} of {title}", on_click="ignore", icon=":material/download:",
            )  # fmt: skip
    with st.expander("LaTeX to copy, for `\\usepackage{booktabs}`"):
        st.code(found.latex(), "latex", wrap_lines=True)


def _of_run(view: View) -> Comparison:
    points = view.true_joints
    return _compared(view.folder, b"" if points is None else points.tobytes(), view)


@st.cache_resource(max_entries=8, show_spinner="Resampling the frames …")
def _compared(folder: Path, truth: bytes, _view: View) -> Comparison:
    return tables.of_analysis(_view.analysis, _view.true_joints)


@st.cache_data(max_entries=16, show_spinner="Drawing the strip …")
def _printed(content: bytes, paper: Paper, _panel: Panel) -> bytes:
    """A picture of a panel as it will be printed; `content` stands for the panel in the cache."""
    return to_matplotlib.render(_panel, "png", paper, dpi=DPI)


def _digest(view: View, truth: bool) -> bytes:
    """What an annotated clip depends on besides its choices."""
    points = view.true_joints if truth else None
    return view.clip.hash.encode() + (b"" if points is None else points.tobytes())


def _annotate(pictures: to_frames.Annotated, path: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
    to_video.annotated(path, pictures, progress, cancelled)
