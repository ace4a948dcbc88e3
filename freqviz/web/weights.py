"""Frame weights, influence and interventions under the cursor: what two pages of the section "Inside" share.

Every figure is shown with the command and the Python that give the same numbers.
"""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from freqviz import compare, figures, figures_weights, influence, offsets, reading, run, spectra
from freqviz.clip import Clip
from freqviz.influence import Change, EncodedWindow, Influence, Intervention
from freqviz.panel import Panel
from freqviz.web import work
from freqviz.web.cursors import go_to
from freqviz.web.page import show
from freqviz.web.recipe import explain, in_python
from freqviz.web.view import TRUE_BLUR, View, typed
from models.freq_video import BANDS

FEATURES, WEIGHT = "log variance of the features in ", "frame weight in "  # columns, with a network's name
INFLUENCES, REACH = 2048, 100  # kept, about 3 kB each; frames before and after the cursor whose are computed at rest
EACH = "influence.of_frame(clip, name, {frame}, box) for name in networks"  # Python, but for the frame
BAND_NAMES = tuple(f"{low:g}–{high:g}".replace("0.", ".") for low, high in BANDS)


@dataclass(frozen=True)
class Weights:
    """One key frame of a finished analysis, and which frames counted for it."""

    view: View
    frame: int
    network: str = ""  # whose depths are shown too, if those of one are

    @property
    def number(self) -> int:
        """Of the key frame in the whole clip; `frame` is its index into the part that was analysed."""
        return self.view.number(self.frame)

    # ---- the whole clip

    @cached_property
    def table(self) -> pd.DataFrame:
        """The view's table, with the variance of the features and the weight that each frame has on average."""
        found = self.view.table.copy()
        for trace in self.view.traces:
            if trace.feature_energy is not None:
                found[FEATURES + trace.network] = trace.feature_energy
        for trace in self.view.traces:
            if np.isfinite(trace.frame_weights).any():
                found[WEIGHT + trace.network] = trace.mean_weights
        return found

    @property
    def quantities(self) -> list[str]:
        """Columns of `table` that blur is held against: energies, variances of features, weights."""
        return self.view.energies + [name for name in map(str, self.table) if name.startswith((FEATURES, WEIGHT))]

    def bars(self) -> None:
        """The weights of the window, a bar a network."""
        panel = figures.frame_weights(self.view.traces, self.frame)
        self._show(panel, f"figures.frame_weights(list(analysis.traces.values()), {self.frame})", 330)

    def over_clip(self, network: str, marks: dict[str, list[int]] | None = None) -> None:
        """The weights of every window of the clip; `marks` are frames worth a look, by kind."""
        panel = figures.frame_weights_over_clip(self.view.analysis.traces[network], self.frame, marks=marks or {})
        more = f", marks={marks}" if marks else ""
        call = f"figures.frame_weights_over_clip(analysis.traces[{network!r}], {self.frame}{more})"
        self._show(panel, call, 250 + 20 * len(marks or {}))

    def effective(self) -> None:
        """The effective number of frames along the clip."""
        panel = figures_weights.effective_frames(self.view.traces, self.frame)
        self._show(panel, f"figures_weights.effective_frames(list(analysis.traces.values()), {self.frame})", 280)

    def against_blur(self, blur: str) -> None:
        """Weights against the blur of the frames that they are of."""
        panel = figures_weights.weight_against_blur(
            self.view.traces, self.table[blur], figures.quantity(blur), self.frame
        )
        call = "figures_weights.weight_against_blur(list(analysis.traces.values()), blur, measure, {frame})"
        given = [f"blur = {self._source(blur)}", f"measure = figures.quantity({blur!r})"]
        self._show(panel, call.format(frame=self.frame), 360, *given)

    def scatter(self, blur: str, quantity: str, height: int = 420) -> None:
        """A measure of blur against an energy or a weight, a point a frame; a clicked point moves the cursor."""

        def move(x: float, y: float) -> None:
            go_to(self._nearest(blur, quantity, x, y))

        panel = figures.blur_against_energy(self.table, blur, quantity, self.number)
        call = f"figures.blur_against_energy(table, {blur!r}, {quantity!r}, {self.number})"

        def numbers() -> pd.DataFrame:
            titles = {blur: panel.x.title, quantity: panel.y.title}
            return self.table[["frame", blur, quantity]].rename(columns=titles)

        self._show(panel, call, height, *self._columns([blur, quantity]), numbers=numbers, on_click=move)

    def _nearest(self, blur: str, quantity: str, x: float, y: float) -> int:
        """The number of the frame whose point is the clicked one; points travel as float32."""
        points = self.table[[blur, quantity]].to_numpy(np.float32).astype(np.float64)
        spread = np.maximum(np.nanmax(points, 0) - np.nanmin(points, 0), 1e-12)
        return int(self.table["frame"][np.nanargmin((((points - (x, y)) / spread) ** 2).sum(1))])

    def matrix(self, blur: str, quantity: str) -> None:
        """Every measure of blur against every energy and weight."""
        blurs, quantities = self.view.blurs, self.quantities
        pairs = _correlations(self.view.folder, tuple(blurs), tuple(quantities), self.table)
        panel = figures_weights.correlations(pairs, (blur, quantity))
        given = [*self._columns([*blurs, *quantities]), f"blurs = {blurs}", f"quantities = {quantities}"]
        call = "figures_weights.correlations(compare.correlations(table, blurs, quantities), {pair})"
        self._show(panel, call.format(pair=(blur, quantity)), 560, *given, numbers=pairs)

    # ---- one window

    def strip(self, network: str) -> None:
        """The frames of the window, with their weights."""
        light, box = self.view.analysis.traces[network], self._box
        frames = (self.view.clip.first + light.window(self.frame)).tolist()
        pictures = list(run.window_cuts(self.view.clip, self.frame, box, len(frames)))
        panel = figures_weights.window_strip(pictures, frames, light.frame_weights[self.frame], network)
        given = [
            f"light = analysis.traces[{network!r}]",
            f"frames = (light.first + light.window({self.frame})).tolist()",
            f"pictures = list(run.window_cuts(clip, {self.frame}, {box.tolist()}, {len(frames)}))",
        ]
        call = f"figures_weights.window_strip(pictures, frames, light.frame_weights[{self.frame}], {network!r})"
        columns = {"frame": frames, "slot": light.slots, "weight": light.frame_weights[self.frame]}
        self._show(panel, call, 300, *given, numbers=partial(pd.DataFrame, columns))

    @cached_property
    def influences(self) -> list[Influence]:
        """Of every network that sees several frames."""
        found = []
        for network in self.view.networks:
            self.view.require(network)
            try:
                found.append(self.influence(network))
            except LookupError:  # it sees single frames
                continue
        return found

    def begin(self) -> None:
        """Have the influences, and the depths that are shown, computed beside the script."""
        for network in self.view.networks:
            self.view.beside(network, partial(self._begun, network))

    def _begun(self, network: str) -> None:
        self._found(network, network == self.network, self.frame)
        if network == self.network:
            self.view.begin(self.frame, [network])

    def influence(self, network: str) -> Influence:
        """Of one network; a LookupError says that it sees single frames, or cannot be run here."""
        self.view.require(network)
        deep = network == self.network
        self.view.ahead(f"influence in {network}", self.frame, partial(self._found, network, deep))
        self.view.encode_ahead(network, self.frame)
        self.view.along(f"influences in {network}", self.frame, partial(self._goes_on, network))
        return self._found(network, deep, self.frame)

    def _found(self, network: str, deep: bool, frame: int) -> Influence:
        view = self.view
        return _influence(view.folder, network, frame, view.clip, self._box_of(frame), deep)

    def _goes_on(self, network: str, frame: int) -> bool:
        """Have the influence on one more frame; whether to go on with one further off."""
        self._found(network, False, frame)
        return abs(frame - self.frame) < REACH

    def influence_bars(self) -> None:
        """How far the pose moves without each neighbour, a bar a network."""
        call = f"figures_weights.influence_bars([{EACH}])"
        self._show_influences(figures_weights.influence_bars(self.influences), call, 330)

    def influence_against_weight(self) -> None:
        """Whether what weighs more also moved more."""
        panel = figures_weights.weight_against_influence(self.influences)
        call = f"figures_weights.weight_against_influence([{EACH}])"
        self._show_influences(panel, call, 360)

    def influence_by_joint(self, network: str) -> None:
        """How far each joint moves without each neighbour."""
        panel = figures_weights.influence_by_joint(self.influence(network))
        call = f"figures_weights.influence_by_joint(influence.of_frame(clip, {network!r}, {{frame}}, box))"
        self._show_influences(panel, call, 430, network)

    def _show_influences(self, panel: Panel, call: str, height: int, network: str = "") -> None:
        found = [one for one in self.influences if network in ("", one.network)]
        names = [one.network for one in found]
        words = ["--models", ",".join(names), "--out", f"influence-{self.number}.csv"]
        given = [f"networks = {names}"] if "networks" in call else []

        def numbers() -> pd.DataFrame:
            return pd.concat([one.table() for one in found], ignore_index=True)

        self._show_window(panel, "influence", words, call.format(frame=self.frame), height, given, numbers)

    def attention(self, network: str) -> None:
        """The channel attention of each frame of the window."""
        self._show_deep(network, "channel_attention", "", 280)

    def bands(self, network: str) -> None:
        """The energy of each frame of the window by band."""
        self._show_deep(network, "band_evidence", f", {BAND_NAMES}", 330)

    def _show_deep(self, network: str, name: str, more: str, height: int) -> None:
        deep = self.view.deep(self.frame, network)
        panel = getattr(figures_weights, name)(deep, *([BAND_NAMES] if more else []))
        given = [f"trace = run.deep_trace(clip, {network!r}, {self.frame}, {self._box.tolist()})"]
        self._show(panel, f"figures_weights.{name}(trace{more})", height, *given, deep=True)

    @property
    def slots(self) -> list[int]:
        """Frames from the key frame to those that the window shows and the clip has."""
        last = len(self.view.clip) - 1
        return [slot for slot in self.view.traces[0].slots.tolist() if 0 <= self.frame + slot <= last]

    @staticmethod
    def slot_name(slot: int) -> str:
        """A slot for people."""
        return offsets.signed([slot]) if slot else "key frame"

    def intervention(self, network: str, slot: int, change: Change) -> Intervention:
        """The window as one network sees it, before and after one of its frames is changed.

        Raises:
            LookupError: nothing is changed, so that nothing is computed; or as in `influence`.
        """
        self.view.require(network)
        if change.nothing and run.load_network(network).frames > 1:
            raise LookupError(f"Frame {self.number + slot} is as it was filmed: move a slider to change it")
        window = _window(self.view.folder, network, self.frame, self.view.clip, self._box)
        return influence.intervene(self.view.clip, window, slot, change)

    def show_intervention(self, found: Intervention) -> None:
        """Frame, energy, weights and pose, before and after."""
        left, right = st.columns(2)
        with left:
            self._show_change(found, figures_weights.changed_frame(found), "changed_frame(found)", 330)
            if np.isfinite(found.before.weights).all():
                self._show_change(
                    found, figures_weights.weights_before_after(found), "weights_before_after(found)", 330
                )
            else:
                st.info(f"{found.network} has no frame weights: it cannot turn away from the changed frame by them.")
        with right:
            panel = figures_weights.energy_before_after(found, spectra.BAND_EDGES)
            self._show_change(found, panel, "energy_before_after(found, spectra.BAND_EDGES)", 330)
            picture = self.view.clip[self.frame] if found.slot else found.after.picture
            panel = figures_weights.pose_before_after(found, picture)
            shown = "found.after.picture" if found.slot == 0 else f"clip[{self.frame}]"
            limits = self.view.limits(self.frame, work.PERSON)
            self._show_change(found, panel, f"pose_before_after(found, {shown})", 420, limits)

    def _show_change(self, found: Intervention, panel: Panel, call: str, height: int, limits: Any = None) -> None:
        change = found.change
        parts = {"length": change.length, "angle": change.angle, "sigma": change.sigma, "gain": change.gain}
        words = ["--model", found.network, "--slot", str(found.slot), "--out", f"change-{self.number}.csv"]
        options = {"blur": change.length, "angle": round(np.degrees(change.angle), 4), "noise": change.sigma}
        words += [word for name, value in options.items() if value for word in (f"--{name}", f"{value:g}")]
        words += ["--gain", f"{change.gain:g}"] if change.gain != 1 else []
        told = ", ".join(f"{name}={value!r}" for name, value in parts.items() if value != getattr(Change(), name))
        network = f"run.load_network({found.network!r})"
        given = [
            f"window = influence.encode_window(clip, {network}, {self.frame}, box, {found.network!r})",
            f"found = influence.intervene(clip, window, {found.slot}, influence.Change({told}))",
        ]
        call = f"figures_weights.{call}"
        self._show_window(panel, "intervene", words, call, height, given, found.table, limits)

    # ---- in words

    def weighing(self) -> str:
        """Whether each network chooses among the frames of the window; a list in Markdown."""
        lines = [reading.weighing(trace, self.frame) for trace in self.view.traces]
        flat = any(reading.flat(trace.frame_weights[self.frame]) for trace in self.view.traces)
        return "\n".join(f"- {line}" for line in [*lines, *([reading.FLAT_MEANS] if flat else [])])

    def influencing(self) -> str:
        """Which frame each network's pose leans on; a list in Markdown."""
        return "\n".join(f"- {reading.influence(one)}" for one in self.influences)

    # ---- how a figure is made elsewhere

    def _show(
        self, panel: Panel, call: str, height: int, *given: str, numbers: Any = None, deep: bool = False, **options: Any
    ) -> None:
        """A figure of the analysis; `call` is Python of the same panel after the lines `given`."""
        show(panel, height, **options)
        self.explain(panel, call, *given, numbers=numbers, deep=deep)

    def explain(self, panel: Panel, call: str, *given: str, numbers: Any = None, deep: bool = False) -> None:
        """What stands under a figure of the analysis."""
        _, python = self.view.analysing()
        if re.search(r"\bclip\b", "\n".join([call, *given])):
            python += f"\n{self.view.clip_python}"
        command = self.view.analyse_command(*(["--deep", str(self.number)] if deep else []))
        explain(panel, command, in_python(python, given, call), numbers)

    def _show_window(
        self, panel: Panel, command: str, words: list[str], call: str, height: int, given: list[str], numbers: Any,
        limits: Any = None,
    ) -> None:  # fmt: skip
        """A figure of one window; `command` is a subcommand with the further `words`."""
        show(panel, height, limits)
        line = ["python", "-m", "freqviz", command, self.view.file, "--frame", str(self.number)]
        line += ["--box", typed(self._box), *self.view.frames_option, *words]
        python = f"import freqviz\n\n{self.view.clip_python}\nbox = {self._box.tolist()}"
        explain(panel, shlex.join(line), in_python(python, given, call), numbers)

    def _columns(self, names: list[str]) -> list[str]:
        """Lines that make a table of columns of `table`."""
        columns = "".join(f"    {name!r}: {self._source(name)},\n" for name in ["frame", *names])
        return [f"table = pd.DataFrame({{\n{columns}}})"]

    def _source(self, column: str) -> str:
        """Python of one column of `table`."""
        if column == TRUE_BLUR:
            return self.view.true_blur_python
        for prefix, name in ((FEATURES, "feature_energy"), (WEIGHT, "mean_weights")):
            if column.startswith(prefix):
                return f"analysis.traces[{column.removeprefix(prefix)!r}].{name}"
        if column.startswith("log energy of the image"):
            images = [name for name in self.view.table if str(name).startswith("log energy of the image")]
            return f"analysis.frames['band_{images.index(column)}']"
        if column.startswith("log energy in "):
            network, _, band = column.removeprefix("log energy in ").rpartition(", band ")
            return f"analysis.traces[{network!r}].band_energy[:, {int(band) - 1}]"
        return f"analysis.frames[{column!r}]"

    @cached_property
    def _box(self) -> np.ndarray:
        """(4,) the box of the window to a hundredth of a pixel: short enough to copy, and used here too."""
        return self._box_of(self.frame)

    def _box_of(self, frame: int) -> np.ndarray:
        return np.round(self.view.boxes[frame], 2)


@st.cache_resource(max_entries=6, show_spinner=False)
def _window(folder: Path, network: str, frame: int, _clip: Clip, _box: np.ndarray) -> EncodedWindow:
    """A window after the backbone, about 4 MB: while sliders move, only the changed frame passes it."""
    kept = work.kept(folder, _clip)
    return influence.encode_window(_clip, run.load_network(network), frame, _box, network, kept)


@st.cache_resource(max_entries=INFLUENCES, show_spinner=False)
def _influence(folder: Path, network: str, frame: int, _clip: Clip, _box: np.ndarray, _deep: bool) -> Influence:
    window = _window(folder, network, frame, _clip, _box)
    if not _deep:
        return influence.influence(window)
    found, trace = influence.traced(window)  # the page shows more of the window: it is aligned once for both
    work.TRACES.keep(folder, network, frame, trace)
    return found


@st.cache_resource(max_entries=8, show_spinner=False)
def _correlations(
    folder: Path, blurs: tuple[str, ...], quantities: tuple[str, ...], _table: pd.DataFrame
) -> pd.DataFrame:
    return compare.correlations(_table, blurs, quantities)
