"""Two networks under one cursor: what the page "Side by side" shows, with the lines that make it elsewhere."""

import hashlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from freqviz import figures_compare, offsets, pairs, run
from freqviz.figures_compare import HEATMAP, INNER, PARTS
from freqviz.pairs import QUANTITIES, Pair
from freqviz.panel import Panel
from freqviz.web import library, work
from freqviz.web.cursors import go_to
from freqviz.web.inside import Inside
from freqviz.web.page import kept, show
from freqviz.web.recipe import explain, in_python
from freqviz.web.swipe import DEFAULT, Limits, swipe
from freqviz.web.view import View

Numbers = Callable[[], pd.DataFrame]  # what gives the table of a figure once it is opened
STAGE = 440  # height of the pictures that are compared, CSS pixels
NEIGHBOURS = (-2, -1, 1, 2)


@dataclass(frozen=True)
class Sides:
    """Networks A and B of a finished analysis, and the frame under the cursor."""

    view: View
    frame: int
    a: str
    b: str

    def __post_init__(self) -> None:
        if len(self.view.networks) < 2:
            raise LookupError(
                f"a comparison needs two networks, and {self.a} alone was run: choose another in the sidebar and run"
            )
        self.pair  # noqa: B018 -- says what is wrong with the two

    @cached_property
    def pair(self) -> Pair:
        """The two networks, and the truth where it is known."""
        truth = self.view.true_joints
        digest = "" if truth is None else hashlib.sha256(truth.tobytes()).hexdigest()
        return _pair(self.view.folder, self.a, self.b, digest, self.view, truth)

    # ---- the present frame

    def jumps(self) -> None:
        """Buttons that move the cursor to where A and B differ most: over all joints, and at the joint that does."""
        worst, table = self.pair.first + self.pair.worst, pairs.ranking(self.pair).to_dict("records")
        top = max(table, key=lambda row: row["worst"])
        st.markdown(":small[Go to the largest difference]")
        every, one = st.columns(2)
        every.button(f"All joints: frame {worst}", key="worst", on_click=go_to, args=(worst,), width="stretch")
        say, number = f"{_capital(top['joint'])}: frame {top['worst_frame']}", top["worst_frame"]
        one.button(say, key="worst of joint", on_click=go_to, args=(number,), width="stretch")

    def poses(self) -> None:
        """The frame with the pose of A, of B, and with both."""
        picture = self.view.clip[self.frame]
        panels = [figures_compare.poses(picture, self.pair, self.frame, part) for part in PARTS]
        a, b = (found.keypoints[self.frame] for found in (self.pair.a, self.pair.b))
        columns = {"A x (px)": a[:, 0], "A y (px)": a[:, 1], "B x (px)": b[:, 0], "B y (px)": b[:, 1]}
        apart = {"distance (box sides)": self.pair.apart[self.frame]}
        numbers = partial(pd.DataFrame, {"joint": self.pair.joints} | columns | apart)
        self._swipe("Poses", panels, "poses_view", self.view.limits(self.frame, work.PERSON))
        chosen = self._chosen("poses_part")
        call = f"figures_compare.poses(clip[{self.frame}], pair, {self.frame}, {PARTS[chosen]!r})"
        self._explain(panels[chosen], call, self.view.clip_python, numbers=numbers)

    def inside(self) -> tuple[str, int, int]:
        """Ask for a quantity that both networks have inside, and for its joint (an index) or neighbour (a slot)."""
        which, where = st.columns(2)
        quantity = which.selectbox("Inside", INNER, format_func=_capital, key="inner", bind="query-params")
        joint, slot = int(np.nanargmax(self.pair.apart[self.frame])), 1
        if quantity == HEATMAP:
            name = where.selectbox(
                "Joint", self.pair.joints, None, placeholder=f"{self.pair.joints[joint]} (most apart)",
                key="joint", bind="query-params",
            )  # fmt: skip
            joint = self.pair.joints.index(name) if name else joint
        else:
            names = {offsets.signed([one]): one for one in NEIGHBOURS}
            name = where.segmented_control(
                "Neighbour", names, default="+1", required=True, key="neighbour", bind="query-params"
            )
            slot = names[name]
        return quantity, joint, slot

    def inner(self, quantity: str, joint: int, slot: int) -> None:
        """The chosen quantity in A, in B, and A − B; both windows are run again unless they were kept."""
        windows = [Inside(self.view, self.frame, network) for network in self.pair.names]
        a, b = (window.trace for window in windows)
        panels = [figures_compare.inner(a, b, quantity, part, joint, slot) for part in PARTS]
        self._swipe(_capital(quantity), panels, "inner_view")
        lines = [f"box = {windows[0].box}  # of frame {self.frame}"]
        for name, network in zip("ab", self.pair.names, strict=True):
            lines.append(f"{name} = run.deep_trace(clip, {network!r}, {self.frame}, box)")
        chosen = self._chosen("inner_part")
        call = f"figures_compare.inner(a, b, {quantity!r}, {PARTS[chosen]!r}, {joint}, {slot})"
        python = f"import freqviz\n\n{self.view.clip_python}"
        explain(panels[chosen], " && ".join(window.command for window in windows), in_python(python, lines, call))

    def _chosen(self, key: str) -> int:
        """Ask which of the three panels the buttons below are of; its number among PARTS."""
        names = (*self.pair.names, "both")
        label = "Formula, table, copy and export of"
        name = st.segmented_control(label, names, default=names[-1], required=True, key=key, bind="query-params")
        return names.index(name)

    def _swipe(self, title: str, panels: Sequence[Panel], view: str, limits: Limits | None = None) -> None:
        """Three panels in one place; how they are seen stands in the address under the name `view`."""
        st.markdown(f"**{title}**  \n:small[Frame {self.view.number(self.frame)}]")
        state: Any = st.session_state
        if view in state and _last(view) in state:  # a browser that no run has answered yet sends the field as it was
            state[view] = state[_last(view)]
        with st.container(key=f"hidden_{view}"):  # it only binds the view to the address
            shown = state[_last(view)] = st.text_input(f"View of {title}", key=view, bind="query-params")
        key = f"swipe {view}"
        turn, take = state.get(_turn(view), 0), partial(_take_view, key, view)
        swipe(panels, self.pair.names, key, STAGE, limits, shown, turn, take)
        st.caption(panels[0].guide)

    # ---- along the clip

    def joint(self) -> int | None:
        """The joint chosen for the heatmap, or here; None: none."""
        name = st.session_state.get("joint")
        return self.pair.joints.index(name) if name in self.pair.joints else None

    def ranking(self) -> None:
        """Which joints differ most; a clicked one moves the cursor to its worst frame."""
        table = pairs.ranking(self.pair, self.frame)

        def move(x: float, y: float) -> None:
            go_to(int(table["worst_frame"][int(np.clip(round(y), 0, len(table) - 1))]))

        self._show(figures_compare.ranking, self.frame, height=470, numbers=lambda: table, on_click=move)

    def disagreement(self) -> None:
        """How far the networks are apart along the clip; a clicked frame takes the cursor."""
        joint, pair = self.joint(), self.pair

        def numbers() -> pd.DataFrame:
            columns = {"frame": pair.first + np.arange(len(pair)), "mean (box sides)": pair.disagreement}
            apart = zip(pair.joints, pair.apart.T, strict=True)
            return pd.DataFrame(columns | {f"{name} (box sides)": values for name, values in apart})

        def move(x: float, y: float) -> None:
            go_to(int(np.clip(round(x), pair.first, pair.first + len(pair) - 1)))

        args = (self.frame, joint, self.view.trouble)
        self._show(figures_compare.disagreement, *args, height=430, numbers=numbers, on_click=move)

    def quantity(self) -> str:
        """Ask what is compared along the clip; what needs the truth is offered where it is known."""
        if self.pair.truth is None:
            st.info(
                "The true joints of this clip are not known, so nothing here says which network is right: jitter is no "
                "error, and a sure network may be wrong. A truth can be given in the sidebar."
            )
        return st.selectbox(
            "Compared frame by frame", self.pair.quantities, format_func=_label, key="compared", bind="query-params"
        )

    def over_clip(self, quantity: str) -> None:
        """The quantity of A and of B."""
        a, b = self.pair.over_clip(quantity)
        first, second = self.pair.names
        columns = {"frame": self.pair.first + np.arange(len(a)), first: a, second: b, "A − B": a - b}
        numbers = partial(pd.DataFrame, columns)
        self._show(figures_compare.over_clip, quantity, self.frame, height=330, numbers=numbers)

    def paired(self, quantity: str) -> None:
        """A − B of the quantity, and of all quantities in the table."""
        numbers = partial(pairs.statistics, self.pair)
        self._show(figures_compare.paired, quantity, self.frame, height=330, numbers=numbers)

    def accuracy(self) -> None:
        """Accuracy of both."""
        self._show(figures_compare.accuracy, height=380, numbers=partial(pairs.accuracy, self.pair))

    def error_by_joint(self) -> None:
        """The error of both at each joint."""
        numbers = partial(pairs.error_by_joint, self.pair)
        self._show(figures_compare.error_by_joint, height=430, numbers=numbers)

    def cost(self) -> None:
        """What both cost."""
        panel, table = _cost(self.view.folder, self.pair.names, self.view)
        show(panel, 330, still=True)
        call = f"figures_compare.cost(run.costs(analysis, {list(self.pair.names)}))"
        self._explain(panel, call, numbers=lambda: table)

    # ---- how a figure is made elsewhere

    def _show(self, function: Callable[..., Panel], *args: Any, height: int, numbers: Numbers, **options: Any) -> None:
        """A figure of the pair; options as in `web.show`."""
        panel = function(self.pair, *args) if args else kept(function, self.pair)
        show(panel, height, still=not args, **options)
        call = f"figures_compare.{function.__name__}({', '.join(['pair', *map(repr, args)])})"
        self._explain(panel, call, numbers=numbers)

    def _explain(self, panel: Panel, call: str, clip: str = "", numbers: Numbers | None = None) -> None:
        words, python = self.view.analysing()
        known = library.truth_path(self.view.name) if self.pair.truth is not None else None
        file = [] if known is None else [library.relative(known)]
        words += ["--truth", *file] if file else []
        lines = [clip] if clip else []
        lines.append(
            f"pair = pairs.of_analysis({', '.join(['analysis', repr(list(self.pair.names)), *map(repr, file)])})"
        )
        number = str(self.view.number(self.frame))
        words += ["--pair", ",".join(self.pair.names), "--frame", number]
        words += ["--out", f"runs/{Path(self.view.file).stem}-compared"]
        command = shlex.join(["python", "-m", "freqviz", "compare", *words])
        explain(panel, command, in_python(python, lines, call), numbers)


def _take_view(key: str, view: str) -> None:
    state: Any = st.session_state
    told = state[key]["view"]
    shown, state[_turn(view)] = str(told["view"]), int(told["turn"])
    state[_last(view)] = "" if shown == DEFAULT else shown


def _last(view: str) -> str:
    """The key of what a swipe told last, or of what the address said at first."""
    return f"last {view}"


def _turn(view: str) -> str:
    return f"turn of {view}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _label(quantity: str) -> str:
    return QUANTITIES[quantity].label


@st.cache_resource(max_entries=8, show_spinner=False)
def _cost(folder: Path, names: tuple[str, str], _view: View) -> tuple[Panel, pd.DataFrame]:
    table = run.costs(_view.analysis, names)
    return figures_compare.cost(table), table


@st.cache_resource(max_entries=8, show_spinner=False)
def _pair(folder: Path, a: str, b: str, truth: str, _view: View, _known: np.ndarray | None) -> Pair:
    """The networks of an analysis with the truth of that hash, kept with what is derived of them."""
    traces = _view.analysis.traces
    return Pair(traces[a], traces[b], _known)
