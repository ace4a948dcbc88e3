"""A finished analysis as pages see it: per frame, with the truth where it is known."""

import shlex
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import models
from freqviz import crops, figures, look, poses, reading, run, sharpness
from freqviz.analysis import Analysis
from freqviz.clip import Clip
from freqviz.influence import KEPT
from freqviz.panel import Panel
from freqviz.poses import Pose
from freqviz.trace import LightTrace, Trace
from freqviz.web import ahead, library, work
from freqviz.web.ahead import AHEAD, LAST

Limits = tuple[tuple[float, float], tuple[float, float]]
TRUE_BLUR = "True blur (pixels)"
FAR = 0.5  # of the box's longer side


@dataclass(frozen=True)
class Curve:
    """A quantity along the clip, drawn in one lane of the timeline."""

    name: str
    unit: str
    lines: dict[str, tuple[np.ndarray, str]]  # values (N,) and role, by network; by "" where it is of the clip
    limits: tuple[float, float]  # of the lane


@dataclass(frozen=True)
class View:
    """One clip, or a part of it, and what was found in it.

    Frames count from 0 at its first frame, in every method and array; `number` is what people read.
    """

    name: str  # of the clip in the library
    clip: Clip  # what was analysed: the whole clip, or a part
    analysis: Analysis
    folder: Path  # of the analysis; caches know it by this
    request: work.Request | None = None  # that it answers; None: it came in a session file

    @property
    def traces(self) -> list[LightTrace]:
        """The light trace of every network, in the order chosen."""
        return list(self.analysis.traces.values())

    def number(self, frame: int) -> int:
        """The number of a frame in the whole clip: in words, tables, links."""
        return self.clip.first + frame

    @cached_property
    def file(self) -> str:
        """Where the clip, or the session, lies, for lines to copy."""
        return library.relative(library.clips()[self.name])

    @cached_property
    def of_session(self) -> bool:
        """Whether this was analysed elsewhere, and came here in a session file."""
        return library.session(self.name) is not None

    @cached_property
    def span(self) -> tuple[int, int] | None:
        """The part of the clip that was analysed, as `analyse` takes it; None for all of it."""
        first, count = self.clip.first, len(self.clip)
        return None if count == len(work.open_clip(self.name)) else (first, first + count)

    @cached_property
    def frames_option(self) -> list[str]:
        """The part of the clip that was analysed, as an option of commands; empty for all of it."""
        return [] if self.span is None else ["--frames", "{}:{}".format(*self.span)]

    @property
    def true_blur_python(self) -> str:
        """Python of the true length of blur of every frame that was analysed: of the session, else of the sample."""
        start, whole = self.clip.first, f"freqviz.open_session({self.file!r}).truth['blur']"
        if self.of_session:
            start -= work.open_clip(self.name).first
        else:
            truth = library.relative(library.SAMPLE_FILE.with_suffix(".json"))
            whole = f"pd.read_json({truth!r}, typ='series', precise_float=True)['blur_length']"
        return whole if self.span is None else f"{whole}[{start}:{start + len(self.clip)}]"

    @cached_property
    def clip_python(self) -> str:
        """Python of the clip, or the part of it, that was analysed."""
        part = "" if self.span is None else ".part({}, {})".format(*self.span)
        whole = f"open_session({self.file!r}).clip" if self.of_session else f"Clip({self.file!r})"
        return f"clip = freqviz.{whole}{part}"

    def analysing(self) -> tuple[list[str], str]:
        """How the clip was analysed: the words after a command such as `analyse`, and the Python that does the same."""
        settings, names = self.analysis.provenance["settings"], self.networks
        words, option, rung = list[str](), "", settings["rung"]
        if rung == "drawn":
            words = ["--box", typed(settings["first_box"])]
            option = f", box=({words[1].replace(',', ', ')})"
        elif rung == "whole frame":
            words, option = ["--whole-frame"], ", whole_frame=True"
        elif rung == "imported" and (chosen := st.session_state.get("boxes")):
            known, track = library.relative(library.BOXES / chosen), st.session_state.get("track")
            words = ["--boxes", known, *(["--person", track] if track else [])]
            option = f", boxes=read_boxes({known!r}, {track})"
        corrections = {int(frame): box for frame, box in settings["corrections"].items()}
        for frame, box in corrections.items():
            words += ["--correct", f"{frame}:{typed(box)}"]
        option += f", corrections={corrections}" if corrections else ""
        option += f", frames={self.span}" if self.span else ""
        reader = "from freqviz.boxes import read_boxes\n" if "read_boxes" in option else ""
        python = f"import freqviz\n{reader}\nanalysis = freqviz.analyse({self.file!r}, {names}{option})"
        if self.of_session:
            python = f"import freqviz\n\nanalysis = freqviz.open_session({self.file!r}).analysis"
        return [self.file, "--models", ",".join(names), *words, *self.frames_option], python

    def analyse_command(self, *further: str) -> str:
        """The command that analyses the clip as it was analysed, with further words."""
        out = f"runs/{Path(self.file).stem}"
        return shlex.join(["python", "-m", "freqviz", "analyse", *self.analysing()[0], *further, "--out", out])

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

    @property
    def true_joints(self) -> np.ndarray | None:
        """(N, J, 2) where the joints really are, NaN where unknown; frame pixels. None if nothing is known."""
        return None if self._truth is None else self._truth.keypoints

    @cached_property
    def served(self) -> dict[Path, tuple[str, str]]:
        """Addresses of the files that the scrubber shows, by its copy, as long as this view is shown."""
        return {}

    @cached_property
    def _truth(self) -> library.Truth | None:
        known = library.truth(self.name)
        if known is None:
            return None
        session = work.session(self.name)  # whose truth begins with its clip
        first = self.clip.first - (session.clip.first if session else 0)
        return known.part(first, first + len(self.clip))

    @cached_property
    def truth_is_far(self) -> bool:
        """Whether the truth lies in the median over half a box from what every network found: of another clip?"""
        if self._truth is None or not np.isfinite(self._truth.keypoints).any():
            return False
        off = [np.linalg.norm(trace.keypoints - self._truth.keypoints, axis=-1) for trace in self.traces]
        sides = self.boxes[:, 2:].max(1)[:, None]
        return all(float(np.nanmedian(distances / sides)) > FAR for distances in off)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a frame, `frame` being its number: measures of blur, and energies, named by what they are of."""
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

    @cached_property
    def curves(self) -> list[Curve]:
        """What runs along the clip: frame weights, energy, blur, how far networks lie apart and from the truth."""
        roles = look.network_roles(self.networks)
        found = []
        if weighing := [trace for trace in self.traces if np.isfinite(trace.effective_frames).any()]:
            limits = 1.0, float(max(trace.frame_weights.shape[1] for trace in weighing))
            lines = {trace.network: (trace.effective_frames, roles[trace.network]) for trace in weighing}
            found.append(Curve("Effective number of frames", "", lines, limits))
        for column, role in ((self.energies[0], "energy"), (self.blurs[0], "blur")):
            axis, values = figures.quantity(column), self.table[column].to_numpy(np.float64)
            limits = _range(values, floor=None if role == "energy" else 0.0)
            found.append(Curve(axis.label, axis.unit, {"": (values, role)}, limits))
        if self.disagreement is not None:
            lines = {"": (self.disagreement, "extra-2")}
            found.append(Curve("Networks apart", "px", lines, _range(self.disagreement)))
        if self._truth is not None:
            points = self._truth.keypoints
            errors = {t.network: poses.disagreement(np.stack([t.keypoints, points])) for t in self.traces}
            lines = {name: (values, roles[name]) for name, values in errors.items()}
            found.append(Curve("Distance from the truth", "px", lines, _range(*errors.values())))
        return found

    @cached_property
    def disagreement(self) -> np.ndarray | None:
        """(N,) pixels between the networks, see `poses.disagreement`; None where there is only one."""
        if len(self.traces) < 2:
            return None
        return poses.disagreement(np.stack([trace.keypoints for trace in self.traces]))

    @cached_property
    def marks(self) -> dict[str, list[int]]:
        """Frames worth a look, as the cursor counts them, by kind; kinds without a frame are left out."""
        blur, apart, frames = self.table[self.blurs[0]].to_numpy(np.float64), self.disagreement, self.analysis.frames
        one = np.isfinite(blur).any() and np.nanmin(blur) < np.nanmax(blur)
        known = {
            "sharpest": [int(np.nanargmin(blur))] if one else [],
            "blurriest": [int(np.nanargmax(blur))] if one else [],
            "disagreement": [] if apart is None or np.isnan(apart).all() else [int(np.nanargmax(apart))],
            "lost": np.flatnonzero(frames["lost"] != "").tolist(),
            "damaged": sorted(self.clip.damaged),
        }
        return {kind: numbers for kind, numbers in known.items() if numbers}

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
        points, lost = None if truth is None else truth.keypoints, self.analysis.frames["lost"][frame]
        blur = self.table[self.blurs[0]]
        return reading.sentence(frame, self.traces, blur, name, "px", points, lost, self.clip.first)

    @property
    def trouble(self) -> dict[str, list[int]]:
        """Of the `marks` those that warn: where the person is lost, and which frames are damaged."""
        return {kind: self.marks[kind] for kind in ("lost", "damaged") if kind in self.marks}

    @cached_property
    def sharpest(self) -> int | None:
        """The clip's sharpest frame by the first of `blurs`; None where no frame has one."""
        blur = self.table[self.blurs[0]].to_numpy(np.float64)
        return int(np.nanargmin(blur)) if np.isfinite(blur).any() else None

    def profile_words(self, frame: int) -> tuple[tuple[str, str], str]:
        """How the curves of a frame and of the sharpest one are named, and why that is the sharpest."""
        name, best = f"frame {self.number(frame)}", self.sharpest
        if best is None:
            return (name, ""), ""
        measure = figures.quantity(self.blurs[0])
        why = (
            f"Sharpest by {measure.label.lower()}: frame {self.number(best)}, {self.table[self.blurs[0]][best]:.1f} px."
        )
        return (name, f"frame {self.number(best)}, the sharpest"), why

    def radial_profile(self, frame: int, region: str) -> Panel:
        """The radial profile of a frame beside that of the sharpest one, which is named."""
        best, (names, why) = self.sharpest, self.profile_words(frame)
        other = None if best is None else self.region(best, region)
        return figures.radial_profile(self.region(frame, region), other, self.reference(region), names=names, why=why)

    def heatmap(self, frame: int, network: str, joint: str) -> Panel:
        """Where a network sees a joint; the window of the frame is run again unless it was kept."""
        trace, deep = self.analysis.traces[network], self.deep(frame, network)
        box, joints = self._box(network, frame), trace.joints
        return figures.joint_heatmap(deep, joints.index(joint), box, self.truth(frame), joints=joints)

    def deep(self, frame: int, network: str) -> Trace:
        """Everything that a network computes for a frame; its window is run again unless it was kept."""
        if kept := self.kept_deep(frame, network):
            return kept
        self.require(network)
        self.ahead(f"depths of {network}", frame, partial(self._deep, network))
        self.encode_ahead(network, frame)
        return self._deep(network, frame)

    def begin(self, frame: int, networks: Sequence[str]) -> None:
        """Have `deep` of these networks computed beside the script, each by itself."""
        for network in networks:
            if not self.kept_deep(frame, network):
                self.beside(network, partial(self._deep, network, frame))

    def beside(self, network: str, compute: Callable[[], object]) -> None:
        """Have something computed by a network while the script goes on; whoever asks for it meanwhile waits for it.

        Args:
            network: where it cannot be run here nothing is computed, and nothing said: who asks will be told.
            compute: as in `ahead`.
        """
        with suppress(LookupError):
            self.require(network)
            threading.Thread(target=ahead.tried, args=(compute,), daemon=True).start()

    def kept_deep(self, frame: int, network: str) -> Trace | None:
        """The same where the analysis holds it; None where the window must be run again."""
        return self.analysis.deep.get((network, self.number(frame)))

    def _deep(self, network: str, frame: int) -> Trace:
        return work.deep_trace(self.name, self.folder, network, frame, self._box(network, frame))

    def _box(self, network: str, frame: int) -> np.ndarray:
        return np.round(self.analysis.traces[network].boxes[frame], 2)  # as it stands in lines to copy

    def ahead(self, name: str, frame: int, compute: Callable[[int], object]) -> None:
        """Have what this frame needs computed for those too that a key leads to, while the page is at rest.

        Args:
            name: of what is computed.
            frame: under the cursor.
            compute: of a frame; knows nothing of a visit, and its result is cached.
        """
        for turn, reached in enumerate(ahead.reached(frame, len(self.clip))):
            AHEAD.plan(f"{name}, {reached}", partial(compute, reached), turn)

    def encode_ahead(self, network: str, frame: int) -> None:
        """Have the frames of other windows pass the backbone while the page is at rest: the cursor may be put there."""
        chosen, kept, met = run.load_network(network), work.kept(self.folder, self.clip), set[tuple[int, bytes]]()

        def encode(other: int) -> bool:
            frames, box = run.window_frames(self.clip, other, chosen.frames), self._box(network, other)
            met.update((i, box.tobytes()) for i in frames)
            return len(met) <= KEPT and kept.hold(chosen, frames, box)

        if backbone := getattr(chosen, "backbone_key", None):
            self.along(f"frames through {backbone}", frame, encode)

    def along(self, name: str, frame: int, compute: Callable[[int], bool]) -> None:
        """Have something small computed for every frame, the nearest first, while the page is at rest.

        Args:
            name: of what is computed.
            frame: under the cursor.
            compute: of a frame, as in `ahead`; whether the next one is to be computed too.
        """
        others = ahead.outwards(frame, len(self.clip))
        AHEAD.plan(name, lambda: (other := next(others, None)) is not None and compute(other), LAST)

    def require(self, network: str) -> None:
        """Say so where what is not stored cannot be computed here.

        Raises:
            LookupError: this machine has no such network, or one with other parameters than were analysed.
        """
        why = "this machine has none"
        if network in work.trained():
            if models.checkpoint_hash(network) == self.analysis.provenance["checkpoints"][network]:
                return
            why = "the one of this machine has other parameters"
        raise LookupError(f"this has to be computed by the {network} that analysed the clip, and {why}")

    regions = (work.PERSON, work.WHOLE_FRAME)  # what a spectrum can be of

    def region(self, frame: int, region: str) -> np.ndarray:
        """Pixels of one frame, or of its person: see `work.region_of`."""
        return work.region_of(self.clip[frame], region, self.boxes[frame])

    def limits(self, frame: int, region: str) -> Limits | None:
        """Left and right, bottom and top of a region in a picture of the frame; None for the whole frame."""
        return self.around_person(frame) if region == work.PERSON else None

    def around_person(self, frame: int) -> Limits:
        """Left and right, bottom and top of what the networks see of the frame; frame pixels."""
        corners = np.array([[-0.5, -0.5], [crops.SIZE[1] - 0.5, crops.SIZE[0] - 0.5]])
        (left, top), (right, bottom) = crops.to_frame(corners, self.boxes[frame])
        return (float(left), float(right)), (float(bottom), float(top))

    def reference(self, region: str) -> float:
        """The power that reads 0 dB in every frame of the clip."""
        return work.spectrum_reference(self.name, region, self.folder, self.boxes)


def typed(box: Any) -> str:
    """A box as a command takes it."""
    return ",".join(f"{value:.7g}" for value in box)


_NO_BLUR = ("cepstral_angle", "cepstral_confidence")


def _range(*curves: np.ndarray, floor: float | None = 0.0) -> tuple[float, float]:
    """From `floor` (None: from the least value) to the largest value of all curves, never empty."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low = low if floor is None else min(floor, low)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
