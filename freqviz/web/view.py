"""A finished analysis as pages see it: per frame, with the truth where it is known."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from freqviz import crops, figures, reading, run, sharpness
from freqviz.clip import Clip
from freqviz.panel import Panel
from freqviz.poses import Pose
from freqviz.trace import LightTrace, Trace
from freqviz.web import library, work

TRUE_BLUR = "True blur (pixels)"


@dataclass(frozen=True)
class View:
    """One clip and what was found in it."""

    name: str  # of the clip in the library
    clip: Clip
    analysis: run.Analysis
    folder: Path  # of the analysis; caches know it by this

    @property
    def traces(self) -> list[LightTrace]:
        """The light trace of every network, in the order chosen."""
        return list(self.analysis.traces.values())

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) x, y, w, h that every frame was cut by; frame pixels."""
        return self.traces[0].boxes

    def poses(self, frame: int) -> dict[str, Pose]:
        """The pose that each network found in one frame; frame pixels."""
        return {t.network: Pose(t.keypoints[frame], t.scores[frame]) for t in self.traces}

    def truth(self, frame: int) -> Pose | None:
        """Where the joints really are, if that is known."""
        return None if self._truth is None else self._truth.pose(frame)

    @cached_property
    def _truth(self) -> library.Truth | None:
        return library.truth(self.name)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a frame: measures of blur, and energies, named by what they are of."""
        frames = self.analysis.frames
        columns: dict[str, Any] = {name: frames[name] for name in ("frame", "time", *self.blurs) if name in frames}
        edges = self.analysis.provenance["settings"]["band_edges"]
        for band, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
            columns[f"log energy of the image, {low:g}–{high:g} cycles/pixel"] = frames[f"band_{band}"]
        for trace in self.traces:
            for band, values in enumerate([] if trace.band_energy is None else trace.band_energy.T):
                columns[f"log energy in {trace.network}, band {band + 1}"] = values
        if self._truth is not None and self._truth.blur is not None:
            columns[TRUE_BLUR] = self._truth.blur
        return pd.DataFrame(columns)

    @staticmethod
    def label(column: str) -> str:
        """A column's name for people; it says where a measure of blur shares its formula with the energies."""
        shared = " · same spectrum as energy" if figures.shares_formula(column) else ""
        return figures.quantity(column).title + shared

    @property
    def blurs(self) -> list[str]:
        """Columns of `table` that tell how blurred a frame is, the best first."""
        known = [TRUE_BLUR] if self._truth is not None and self._truth.blur is not None else []
        lengths = ["edge_width", "cepstral_length"]
        return known + lengths + [name for name in sharpness.MEASURES if name not in (*lengths, *_NO_BLUR)]

    @property
    def energies(self) -> list[str]:
        """Columns of `table` that are energies: the networks' own first, high frequencies before low ones."""
        names = [str(name) for name in self.table if str(name).startswith("log energy")]
        image = [name for name in names if name.startswith("log energy of the image")]
        return [name for name in names if name not in image][::-1] + image[::-1]

    @property
    def networks(self) -> list[str]:
        """The networks, in the order chosen."""
        return list(self.analysis.traces)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints that the first network finds."""
        return self.traces[0].joints

    def reading(self, frame: int) -> str:
        """The frame in words."""
        measure, truth = figures.quantity(self.blurs[0]), self.truth(frame)
        name = f"{measure.label[:1].lower()}{measure.label[1:]}"
        points = None if truth is None else truth.keypoints
        return reading.sentence(frame, self.traces, self.table[self.blurs[0]], name, "px", points)

    @cached_property
    def sharpest(self) -> int | None:
        """The clip's sharpest frame by the first of `blurs`; None where no frame has one."""
        blur = self.table[self.blurs[0]].to_numpy(np.float64)
        return int(np.nanargmin(blur)) if np.isfinite(blur).any() else None

    def radial_profile(self, frame: int, region: str) -> Panel:
        """The radial profile of a frame beside that of the sharpest one, which is named."""
        pixels, reference, best = self.region(frame, region), self.reference(region), self.sharpest
        if best is None:
            return figures.radial_profile(pixels, reference=reference, names=(f"frame {frame}", ""))
        measure = figures.quantity(self.blurs[0])
        why = f"Sharpest by {measure.label.lower()}: frame {best}, {self.table[self.blurs[0]][best]:.1f} px."
        names = f"frame {frame}", f"frame {best}, the sharpest"
        return figures.radial_profile(pixels, self.region(best, region), reference, names=names, why=why)

    def heatmap(self, frame: int, network: str, joint: str) -> Panel:
        """Where a network sees a joint; the window of the frame is run again unless it was kept."""
        trace, deep = self.analysis.traces[network], self.deep(frame, network)
        box, joints = trace.boxes[frame], trace.joints
        return figures.joint_heatmap(deep, joints.index(joint), box, self.truth(frame), joints=joints)

    def deep(self, frame: int, network: str) -> Trace:
        """Everything that a network computes for a frame; its window is run again unless it was kept."""
        kept, box = self.analysis.deep.get((network, frame)), self.analysis.traces[network].boxes[frame]
        return kept or work.deep_trace(self.name, self.folder, network, frame, box)

    regions = (work.PERSON, work.WHOLE_FRAME)  # what a spectrum can be of

    def region(self, frame: int, region: str) -> np.ndarray:
        """Pixels of one frame, or of its person: see `work.region_of`."""
        return work.region_of(self.clip[frame], region, self.boxes[frame])

    def limits(self, frame: int, region: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Left and right, bottom and top of a region in a picture of the frame; None for the whole frame."""
        if region != work.PERSON:
            return None
        corners = np.array([[-0.5, -0.5], [crops.SIZE[1] - 0.5, crops.SIZE[0] - 0.5]])
        (left, top), (right, bottom) = crops.to_frame(corners, self.boxes[frame])
        return (float(left), float(right)), (float(bottom), float(top))

    def reference(self, region: str) -> float:
        """The power that reads 0 dB in every frame of the clip."""
        return work.spectrum_reference(self.name, region, self.folder, self.boxes)


_NO_BLUR = ("cepstral_angle", "cepstral_confidence")
