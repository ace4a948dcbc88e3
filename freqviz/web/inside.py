"""One window in its depths: what the pages of the section "Inside" share.

A figure is shown by naming its function and what it is given, so that the lines to copy are those that drew it.
"""

import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import models
from freqviz import crops, run
from freqviz.heatmaps import Heatmaps
from freqviz.panel import Panel
from freqviz.trace import Trace
from freqviz.web.page import show
from freqviz.web.recipe import explain, importing
from freqviz.web.view import View

Value = TypeVar("Value")


@dataclass
class Inside:
    """The window of one key frame, as one network sees it: the network begins at once, beside the script."""

    view: View
    frame: int
    network: str
    _made: dict[int, tuple[str, str, Any]] = field(default_factory=dict)  # by id: name, line, and the value, kept alive

    def __post_init__(self) -> None:
        box = self.view.analysis.traces[self.network].boxes[self.frame]
        self.box = [round(float(value), 2) for value in box]
        self._keep("box", self.box, f"box = {self.box}  # of frame {self.frame}")
        self.view.begin(self.frame, [self.network])

    @cached_property
    def cuts(self) -> NDArray[np.uint8]:
        """(T, H, W, 3) the frames of the window as the network sees them."""
        cuts = run.window_cuts(self.view.clip, self.frame, self.box, size=self.size)
        self._keep("cuts", cuts, f"cuts = run.window_cuts(clip, {self.frame}, box{self._size})")
        return cuts

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the cuts; pixels."""
        told = self.view.analysis.provenance.get("own networks", {}).get(self.network)
        height, width = told["input_size"] if told else models.input_size(self.network)
        return height, width

    @cached_property
    def key(self) -> NDArray[np.uint8]:
        """(H, W, 3) the key frame among them."""
        middle = len(self.cuts) // 2
        key = self.cuts[middle]
        self._keep("key", key, f"key = cuts[{middle}]")
        return key

    @cached_property
    def trace(self) -> Trace:
        """Everything that the network computes for the window.

        Raises:
            LookupError: it is not stored, and the network cannot be run here.
        """
        trace = self.view.deep(self.frame, self.network)
        self._keep("trace", trace, f'trace = run.deep_trace(clip, "{self.network}", {self.frame}, box)')
        return trace

    @property
    def command(self) -> str:
        """Writes everything that the network computes for this frame."""
        box = ",".join(f"{value:g}" for value in self.box)
        number = self.view.number(self.frame)
        file = self.view.file
        out = f"runs/{Path(file).stem}-{number}.npz"
        words = ["window", file, "--model", self.network, "--frame", str(number), "--box", box]
        return shlex.join(["python", "-m", "freqviz", *words, *self.view.frames_option, "--out", out])

    def frames(self, count: int) -> NDArray[np.uint8]:
        """Cuts of a window of so many frames around the key frame, by its box."""
        cuts = run.window_cuts(self.view.clip, self.frame, self.box, count, self.size)
        self._keep("frames", cuts, f"frames = run.window_cuts(clip, {self.frame}, box, {count}{self._size})")
        return cuts

    def sharpest(self) -> tuple[NDArray[np.uint8], str]:
        """The cut of the clip's sharpest frame, and its name; the key frame where none is known to be the sharpest."""
        best = self.view.sharpest
        if best is None:
            return self.key, f"frame {self.view.number(self.frame)}, for want of a sharpest one"
        box = [round(float(value), 2) for value in self.view.analysis.traces[self.network].boxes[best]]
        cut = run.window_cuts(self.view.clip, best, box, 1, self.size)[0]
        self._keep("sharpest", cut, f"sharpest = run.window_cuts(clip, {best}, {box}, 1{self._size})[0]")
        return cut, f"frame {self.view.number(best)}, the sharpest"

    @property
    def joints(self) -> list[list[float]]:
        """(J, 2) x, y of the joints in the cut, as the network found them."""
        light = self.view.analysis.traces[self.network]
        return crops.to_crop(light.keypoints[self.frame], light.boxes[self.frame], self.size).round(1).tolist()

    @property
    def truth(self) -> list[list[float | None]] | None:
        """(J, 2) x, y of the true joints in the cut, None for an unknown one; None if none is known."""
        real = self.view.truth(self.frame)
        if real is None:
            return None
        places = crops.to_crop(real.keypoints, self.box, self.size).round(2)
        return [[float(x), float(y)] if np.isfinite([x, y]).all() else [None, None] for x, y in places]

    def deep(self, network: str) -> Trace:
        """What another network computes for the same window."""
        if network == self.network:
            return self.trace
        trace, number = self.view.deep(self.frame, network), self.view.networks.index(network)
        line = f'trace_{number} = run.deep_trace(clip, "{network}", {self.frame}, box)'
        self._keep(f"trace_{number}", trace, line)
        return trace

    @property
    def fastest(self) -> str:
        """The joint that the network sees moving most between the frames beside the key frame."""
        light = self.view.analysis.traces[self.network]
        before, after = (light.keypoints[light.window(self.frame)[light.slots == slot][0]] for slot in (-1, 1))
        return light.joints[int(np.linalg.norm(after - before, axis=1).argmax())]

    def point(self, asked: str | None) -> tuple[float, float]:
        """A place in the cut of the key frame: of a joint by its name, or typed as "x, y"; None: the fastest joint.

        Raises:
            ValueError: neither a joint nor two numbers.
        """
        light = self.view.analysis.traces[self.network]
        name = asked or self.fastest
        if name in light.joints:
            place = self.joints[light.joints.index(name)]
            height, width = self.cuts.shape[1:3]
            x, y = np.clip(place, 0, (width - 1, height - 1)).round(1).tolist()
            return x, y
        try:
            x, y = (float(part) for part in name.replace(",", " ").split())
        except ValueError:
            raise ValueError(f"a point is a joint or two numbers x, y; got “{name}”") from None
        return x, y

    def take(self, name: str, function: Callable[..., Value], *args: Any) -> Value:
        """What a function gives, remembered under a name for the lines to copy."""
        value = function(*args)
        self._keep(name, value, f"{name} = {self._call(function, args)}")
        return value

    def show(self, function: Callable[..., Panel], *args: Any, height: int | None = None, **options: Any) -> None:
        """Draw the panel that a function gives, and what stands under it; options as in `web.show`."""
        panel = function(*args)
        show(panel, height, **options)
        explain(panel, self.command, self.python(function, *args))

    def python(self, function: Callable[..., Any], *args: Any) -> str:
        """The lines that give the same figure."""
        call = self._call(function, args)
        needed, lines = _words(call), list[str]()
        for name, line, _ in reversed(self._made.values()):  # what a line needs was made before it
            if name in needed:
                needed |= _words(line)
                lines.insert(0, line)
        return "\n".join(
            [
                "import freqviz",
                importing("\n".join([*lines, call])),
                "from freqviz.to_matplotlib import save_pdf",
                "",
                self.view.clip_python,
                *lines,
                f"panel = {call}",
                f'save_pdf(panel, "{function.__name__}.pdf")',
            ]
        )

    @property
    def _size(self) -> str:
        """A further argument of `window_cuts`, where it is not the usual one."""
        return "" if self.size == crops.SIZE else f", size={self.size}"

    def _keep(self, name: str, value: Any, line: str) -> None:
        self._made[id(value)] = (name, line, value)

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> str:
        place = sys.modules[function.__module__].__name__.rpartition(".")[2]
        return f"{place}.{function.__name__}({', '.join(map(self._written, args))})"

    def _written(self, value: Any) -> str:
        """An argument as Python: the name of what was made before, or the value itself where it is plain."""
        if id(value) in self._made:
            return self._made[id(value)][0]
        if isinstance(value, list):
            return f"[{', '.join(map(self._written, value))}]"
        if not isinstance(value, str | int | float | bool | tuple | dict | None):
            raise TypeError(f"a figure of a page is given plain values or what `take` made, got {type(value).__name__}")
        return repr(value)


def _words(code: str) -> set[str]:
    return set(re.findall(r"\w+", code))


def median_offsets(view: View, frame: int) -> dict[str, list[list[float]]]:
    """Median offset of each network over the person, by frame of the window; input pixels."""
    return {
        trace.network: np.round(trace.median_offset[frame], 2).tolist()
        for trace in view.traces
        if np.isfinite(trace.median_offset[frame]).all()
    }


def choose_point(x: float, y: float) -> None:
    """Let a clicked place be the point that the page follows."""
    st.session_state["point"] = f"{x:.0f}, {y:.0f}"


def choose_joint(each: Sequence[Heatmaps]) -> Callable[[float, float], None]:
    """Let the joint whose score and number of cells are clicked be the one that the page shows."""
    scores, cells = (np.concatenate([getattr(maps, name) for maps in each]) for name in ("scores", "cells"))
    names = [name for maps in each for name in maps.joints]

    def choose(x: float, y: float) -> None:
        nearest = np.hypot(scores - x, np.log(cells / y)).argmin()
        st.session_state["joint"] = names[int(nearest)]

    return choose
