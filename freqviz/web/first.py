"""One frame on the first page: poses, heatmap and spectrum, each with the lines that give the same figure."""

from dataclasses import dataclass

import numpy as np

from freqviz import figures
from freqviz.panel import Panel
from freqviz.web import work
from freqviz.web.page import show
from freqviz.web.recipe import explain, in_python
from freqviz.web.view import View
from freqviz.web.weights import Weights


@dataclass(frozen=True)
class First:
    """One frame of a finished analysis."""

    view: View
    frame: int
    region: str  # of `view.regions`

    @property
    def weights(self) -> Weights:
        """Which frames counted for it."""
        return Weights(self.view, self.frame)

    def poses(self) -> None:
        """What stands under the scrubber: the numbers of the poses, and the ways to take their figure elsewhere."""
        view, frame = self.view, self.frame
        truth, limits = view.truth(frame), view.limits(frame, self.region)
        panel = figures.pose_overlay(view.clip[frame], view.poses(frame), truth)
        found = "".join(
            f"    {name!r}: poses.Pose(analysis.traces[{name!r}].keypoints[{frame}], "
            f"analysis.traces[{name!r}].scores[{frame}]),\n"
            for name in view.networks
        )
        given = [f"found = {{\n{found}}}", *self._truth()]
        call = f"figures.pose_overlay(clip[{frame}], found, {'truth' if truth else None})"
        if limits:
            panel, call = panel.within(*limits), f"{call}.within{limits}"
        self.weights.explain(panel, call, *given)

    def heatmap(self, network: str, joint: str) -> None:
        """Where a network sees a joint."""
        light = self.view.analysis.traces[network]
        box = f"box = {np.round(light.boxes[self.frame], 2).tolist()}"
        trace = f"trace = run.deep_trace(clip, {network!r}, {self.frame}, box)"
        truth = "truth" if self.view.truth(self.frame) else None
        call = f"figures.joint_heatmap(trace, {light.joints.index(joint)}, box, {truth}, joints={light.joints})"
        self._show(self.view.heatmap(self.frame, network, joint), 400, call, box, trace, *self._truth())

    def spectrum(self) -> None:
        """The power spectrum of the frame, or of its person."""
        pixels, reference = self.view.region(self.frame, self.region), self.view.reference(self.region)
        call = f"figures.power_spectrum(pixels, reference={reference!r})"
        self._show(figures.power_spectrum(pixels, reference=reference), 400, call, self._pixels("pixels", self.frame))

    def profile(self) -> None:
        """The radial profile of the frame beside that of the sharpest one."""
        view, best = self.view, self.view.sharpest
        given = [self._pixels("pixels", self.frame)]
        given += [] if best is None else [self._pixels("sharpest", best)]
        names, why = view.profile_words(self.frame)
        other = None if best is None else "sharpest"
        reference = view.reference(self.region)
        call = f"figures.radial_profile(pixels, {other}, {reference!r}, names={names}, why={why!r})"
        self._show(view.radial_profile(self.frame, self.region), 330, call, *given)

    def _truth(self) -> list[str]:
        truth = self.view.truth(self.frame)
        if truth is None:
            return []
        points = str(truth.keypoints.tolist()).replace("nan", "np.nan")
        return [f"truth = poses.Pose(np.array({points}), np.array({np.asarray(truth.scores).tolist()}))"]

    def _pixels(self, name: str, frame: int) -> str:
        """A line that gives what the spectrum of a frame is of."""
        if self.region == work.PERSON:
            return f"{name} = crops.cut(clip[{frame}], {self.view.boxes[frame].tolist()})"
        return f"{name} = clip[{frame}]"

    def _show(self, panel: Panel, height: int, call: str, *given: str) -> None:
        """A figure of the clip alone."""
        show(panel, height)
        start = f"import freqviz\n\n{self.view.clip_python}"
        explain(panel, self.view.analyse_command(), in_python(start, given, call))
