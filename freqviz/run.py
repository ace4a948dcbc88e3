"""From a clip to poses and the light tier: the box held over segments, every frame through the backbone once.

Convention: frame pixels of the upright square-pixel frame, centre of the top-left pixel = (0, 0); times in
seconds after the first frame. A window shows T frames around its key frame, all cut by the key frame's box; a
neighbour that the clip does not have is the key frame. Of a part of a clip, arrays begin at its first frame, what lies
outside of it is a missing neighbour, and tables, arguments and messages count frames as the whole clip does.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from importlib import metadata
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

import models as networks
from freqviz import boxes as ladder
from freqviz import crops, devices, sharpness, spectra, windows
from freqviz.analysis import BOX, Analysis, load_analysis
from freqviz.clip import Clip
from freqviz.devices import Device
from freqviz.jobs import Cancelled, OutOfMemory, Progress, never, silent, unseen
from freqviz.parts import LENGTH, Parts, trim
from freqviz.poses import Pose
from freqviz.store import RunKey, Store
from freqviz.trace import SLOTS, LightTrace, Trace, Window, trace_window
from models.cost import multiply_adds, parameters
from models.network import PoseNetwork, parameters_hash

STEP = 8  # windows estimated together at most; the box is looked at between steps
LOOK = 4  # as many while the box follows a person, whose speed may change
LARGE = 100_000  # pixels of a person's region from which on two threads measure faster than one
LAST = 3  # poses whose median tells where the person is now
DEFAULT_MODELS = ("spatial-video", "freq-video")
FOLLOWING = ("drawn", "motion", "corrected")  # rungs of the ladder from which the box follows the poses

Chosen = Sequence[str] | Mapping[str, PoseNetwork]


@dataclass(frozen=True)
class Newest:
    """What can be looked at while a run goes on: the last frame done, and its poses."""

    frame: int  # as the whole clip counts
    picture: NDArray[np.uint8]  # (H, W, 3), a copy: the run lets its frames go
    box: ladder.Box  # (4,) that the frame was cut by; frame pixels
    poses: dict[str, Pose]  # by network


def analyse(
    clip: Clip | Path | str,
    models: Chosen = DEFAULT_MODELS,
    box: ArrayLike | None = None,
    boxes: Path | str | Mapping[int, ArrayLike] | None = None,
    whole_frame: bool = False,
    device: Device = "auto",
    progress: Progress = silent,
    deep: Sequence[int] = (),
    out: Path | str | None = None,
    cancelled: Callable[[], bool] = never,
    store: Store | None = None,
    step: int = STEP,
    corrections: Mapping[int, ArrayLike] | None = None,
    frames: tuple[int, int] | None = None,
) -> Analysis:
    """Poses, frame weights and the rest of the light tier of one person, by one or more networks.

    At most one of `box`, `boxes`, `whole_frame`; with none the first box is where something moves. A first
    box is held while the last poses of the first network stay in it, and cut anew around them otherwise. Where the
    person is lost, a correction puts the box right: from its frame on the box is the given one, and follows the
    poses. With a store, what an earlier run found before that frame is taken from there, and only the rest computed;
    and what a run has finished is put down there as it goes on: after a crash or a cancel it goes on from there.

    Args:
        clip: a Clip, or the path of one.
        models: names, or networks by name; the first one moves the box.
        box: (4,) tight x, y, w, h in the first frame, of `frames` if given; frame pixels.
        boxes: boxes by frame, or a file as in `boxes.read_boxes`; linear between these key frames.
        whole_frame: the person fills the frame.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        progress: called with (frames done, frames).
        deep: key frames whose window is kept whole.
        out: folder to save to.
        cancelled: asked between steps.
        store: where a run of the same key is looked up, and put.
        step: windows estimated together at most.
        corrections: (4,) boxes by frame, as `box`; those outside of `frames` are left out.
        frames: (a, b): only frames a ... b - 1, numbered as in the whole clip.
    Raises:
        ValueError: clip, frames, box, correction, device or a deep frame is wrong; the message says what was expected.
        LookupError: no network of that name.
        OutOfMemory: the device has no room for a single window.
        Cancelled: `cancelled()` said so.
    """
    run = Run(clip, models, box, boxes, whole_frame, device, deep, step, corrections, frames)
    found = store.find(run.key) if store else None
    if found:
        analysis = load_analysis(found)
        progress(len(run.clip), len(run.clip))
    else:
        analysis = run.into(store, progress, cancelled) if store else run.analysis(progress, cancelled)
    if out is not None:
        analysis.save(out)
    return analysis


def predict(
    clip: Clip | Path | str,
    model: str | Mapping[str, PoseNetwork] = "freq-video",
    box: ArrayLike | None = None,
    boxes: Path | str | Mapping[int, ArrayLike] | None = None,
    whole_frame: bool = False,
    device: Device = "auto",
    progress: Progress = silent,
    cancelled: Callable[[], bool] = never,
    corrections: Mapping[int, ArrayLike] | None = None,
    frames: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Only the poses: the same numbers as `analyse(...).poses`, without the light tier.

    Returns:
        Columns model, person, frame, time, joint, x, y, score.
    """
    chosen = [model] if isinstance(model, str) else model
    run = Run(clip, chosen, box, boxes, whole_frame, device, corrections=corrections, frames=frames)
    return run.analysis(progress, cancelled, light=False).poses


def deep_trace(
    clip: Clip, model: str, key: int, box: ArrayLike, device: Device = "auto", shared: Window | None = None
) -> Trace:
    """Everything that one window showed, recomputed.

    Args:
        key: the key frame.
        box: (4,) the box its window is cut by: `light_trace.boxes[key]`.
        shared: as in `trace_window`.
    Raises:
        ValueError: no such frame.
    """
    network = load_network(model, device)
    frames = {i: clip[i] for i in set(window_frames(clip, key, network.frames))}
    return _deep(network, model, key, len(clip), frames, ladder.checked(box), shared)


def window_frames(clip: Clip, key: int, count: int) -> list[int]:
    """The `count` frames that the window of a key frame shows; a missing neighbour is the key frame.

    Raises:
        ValueError: no such frame.
    """
    _require_frames(clip, [key])
    return windows.shown(key, count, len(clip))


def window_cuts(
    clip: Clip, key: int, box: ArrayLike, count: int = SLOTS, size: tuple[int, int] = crops.SIZE
) -> NDArray[np.uint8]:
    """The frames of a window as the networks see them; a missing neighbour is the key frame.

    Args:
        key: the key frame, the middle of the window.
        box: (4,) as in `deep_trace`.
        count: frames of the window, odd.
        size: height and width that the network sees, see `models.input_size`; the usual one of the project.
    Returns:
        (count, *size, 3) uint8.
    Raises:
        ValueError: no such frame, or an even count.
    """
    if count < 1 or count % 2 == 0:
        raise ValueError(f"a window has an odd number of frames, got {count}")
    frames = {i: clip[i] for i in set(window_frames(clip, key, count))}
    return _cuts(key, len(clip), frames, ladder.checked(box), count, size)


def costs(analysis: Analysis, models: Sequence[str] | None = None) -> pd.DataFrame:
    """What networks of an analysis cost: counted, and measured while they ran.

    Args:
        models: names; None: every network of the analysis.
    Returns:
        network; parameters, those of its backbone included; multiply_adds of a window of which every frame is encoded
        (see `models.cost`); seconds_per_frame that this run spent in the network on `device`, what it shares with
        others included and decoding left out, NaN where that was not measured.
    Raises:
        LookupError: a network that is not known here.
    """
    cost, device = analysis.provenance["cost"], analysis.provenance["device"]
    rows = []
    for name in analysis.traces if models is None else models:
        seconds = cost.get("networks", {}).get(name, np.nan) / max(cost["frames"], 1)
        rows.append((name, *counted(name), seconds, device))
    return pd.DataFrame(rows, columns=["network", "parameters", "multiply_adds", "seconds_per_frame", "device"])


def counted(name: str) -> tuple[int, float]:
    """Parameters and multiply-adds of a window of a network: see `models.cost`; they need no checkpoint."""
    return _counted(name, networks.brought().get(name))


@lru_cache(maxsize=32)
def _counted(name: str, _brought: object) -> tuple[int, float]:
    """Of a network that a file brings, which may bring another by this name later."""
    network = networks.build(name)
    return parameters(network), multiply_adds(network)


def load_network(name: str, device: Device = "auto") -> PoseNetwork:
    """A network with its checkpoint, in eval mode; loaded once per checkpoint and device."""
    return _load(name, networks.checkpoint_hash(name), devices.choose(device))


@lru_cache(maxsize=8)
def _load(name: str, checkpoint: str, device: str) -> PoseNetwork:
    return networks.load(name, device).eval()


class Run:
    """One run: its inputs checked, its key, and the loop over the clip.

    Arguments as in `analyse`. Cheap to make: no frame is decoded, unless the box has to be found from motion.
    """

    def __init__(
        self,
        clip: Clip | Path | str,
        models: Chosen = DEFAULT_MODELS,
        box: ArrayLike | None = None,
        boxes: Path | str | Mapping[int, ArrayLike] | None = None,
        whole_frame: bool = False,
        device: Device = "auto",
        deep: Sequence[int] = (),
        step: int = STEP,
        corrections: Mapping[int, ArrayLike] | None = None,
        frames: tuple[int, int] | None = None,
    ):
        if step < 1:
            raise ValueError(f"step must be at least 1 window, got {step}")
        self.salt = ""  # keeps the result apart from that of others, where they do not share
        self.whole = clip if isinstance(clip, Clip) else Clip(clip)
        every = (self.whole.first, self.whole.first + len(self.whole))
        start, stop = (edge - self.whole.first for edge in frames or every)
        self.clip = self.whole if (start, stop) == (0, len(self.whole)) else self.whole.part(start, stop)
        self.device, self.step = devices.choose(device), step
        self.deep = tuple(sorted(set(deep)))
        _indices(self.clip, self.deep)
        if isinstance(models, Mapping):
            self.networks = {name: network.to(self.device).eval() for name, network in models.items()}
            self.checkpoints = {name: parameters_hash(network) for name, network in models.items()}
        else:
            self.networks = {name: load_network(name, self.device) for name in dict.fromkeys(models)}
            self.checkpoints = {name: networks.checkpoint_hash(name) for name in self.networks}
        if not self.networks:
            raise ValueError("at least one network is needed, got none")
        self.first, self.imported, self.rung = self._boxes(box, boxes, whole_frame)
        boxed = {frame: self._in_frame(given) for frame, given in sorted((corrections or {}).items())}
        indices = [i - start for i in _indices(self.whole, list(boxed))]
        placed = zip(indices, boxed.values(), strict=True)
        self.corrections = {i: given for i, given in placed if 0 <= i < len(self.clip)}  # by index into `clip`

    def _boxes(
        self, box: ArrayLike | None, boxes: Path | str | Mapping[int, ArrayLike] | None, whole_frame: bool
    ) -> tuple[ladder.Box | None, NDArray[np.float64] | None, str]:
        """First box, imported boxes and the rung; the first box is None where motion has yet to tell."""
        if sum((box is not None, boxes is not None, whole_frame)) > 1:
            raise ValueError("give one of box, boxes and whole_frame, got more than one")
        if boxes is not None:
            if isinstance(boxes, Mapping):
                keys = {int(frame): ladder.checked(values) for frame, values in boxes.items()}
            else:
                keys = ladder.read_boxes(boxes)
            known = dict(zip(_indices(self.whole, list(keys)), keys.values(), strict=True))
            start = self.clip.first - self.whole.first
            imported = ladder.between(known, len(self.whole))[start : start + len(self.clip)]
            return imported[0], imported, "imported"
        if whole_frame:
            return ladder.whole_frame(self.clip.size), None, "whole frame"
        return (None, None, "motion") if box is None else (self._in_frame(box), None, "drawn")

    def _in_frame(self, box: ArrayLike) -> ladder.Box:
        given, (height, width) = ladder.checked(box), self.clip.size
        overlap = np.minimum(given[:2] + given[2:], (width, height)) - np.maximum(given[:2], 0)
        if (overlap <= 0).any():
            raise ValueError(f"box {given.tolist()} lies outside the frame of {width} x {height} pixels")
        return given

    def timed_step(self) -> tuple[float, int]:
        """One step on the first frame alone, timed after a window that warms up.

        Returns:
            Seconds a frame; bytes as `devices.memory` has them.
        """
        backbones = windows.backbones(self.networks)
        total = 1 + LOOK + max(backbone.reach for backbone in backbones)
        frame = self.clip[0]
        box = ladder.whole_frame(self.clip.size) if self.first is None else self.first

        def cut(wanted: Sequence[int], box: ladder.Box, size: tuple[int, int]) -> NDArray[np.uint8]:
            return np.stack([crops.cut(frame, box, size)] * len(wanted))

        for keys in (range(1), range(1, 1 + LOOK)):
            start = time.perf_counter()
            for backbone in backbones:
                backbone.estimate(keys, total, cut, box, self.device, light=True)
            list(_measuring([frame] * len(keys), cut(keys, box, crops.SIZE), box))
        return (time.perf_counter() - start) / LOOK, devices.memory(self.device)

    @property
    def key(self) -> RunKey:
        """What the result depends on."""
        return self._key(self.corrections)

    def reusable(self, store: Store) -> tuple[Path, int] | None:
        """The folder of a run that differs only in corrections, and the frame before which both say the same.

        The latest such frame that can be found; None where there is no such run, or no frame before.
        """
        for frame in sorted(self.corrections, reverse=True):
            others = {i: box for i, box in self.corrections.items() if i != frame}
            for known in (others, {i: box for i, box in others.items() if i < frame}):
                if frame > 0 and (found := store.find(self._key(known))):
                    return found, frame
        return None

    def earlier(self, store: Store) -> "tuple[Analysis, int] | None":
        """What `reusable` names, read."""
        found = self.reusable(store)
        return found and (load_analysis(found[0]), found[1])

    def parts(self, store: Store) -> Parts:
        """What earlier runs of this key have finished before they were stopped."""
        return Parts(store.root, self.key.digest)

    def into(
        self,
        store: Store,
        progress: Progress = silent,
        cancelled: Callable[[], bool] = never,
        show: Callable[["Newest"], None] = unseen,
    ) -> Analysis:
        """Run, from where an earlier run was stopped, and put the result into the store; arguments as in `analysis`."""
        trim(store.root)
        parts = self.parts(store)
        found = self.analysis(progress, cancelled, show, earlier=self.earlier(store), parts=parts)
        if cancelled():
            raise Cancelled("cancelled before it was kept")  # such as by who removed the clip
        store.put(self.key, found.write)
        parts.forget()
        return found

    def _key(self, corrections: Mapping[int, ladder.Box]) -> RunKey:
        values = self.imported if self.imported is not None else self.first
        boxes = self.rung if values is None else f"{self.rung} {hashlib.sha256(values.tobytes()).hexdigest()}"
        if corrections:
            boxes += f" corrected {json.dumps({frame: box.tolist() for frame, box in corrections.items()})}"
        return RunKey(
            clip=self.clip.hash + self.salt,
            boxes=boxes,
            checkpoints=tuple(self.checkpoints.items()),
            settings=json.dumps({"step": self.step, "deep": self.deep}, sort_keys=True),
            code=code_version(),
        )

    def analysis(
        self,
        progress: Progress = silent,
        cancelled: Callable[[], bool] = never,
        show: Callable[[Newest], None] = unseen,
        light: bool = True,
        earlier: tuple[Analysis, int] | None = None,
        parts: Parts | None = None,
    ) -> Analysis:
        """Run the networks over the clip.

        Args:
            progress: called with (frames done, frames to do) after each step.
            cancelled: asked before each step.
            show: called after each step.
            light: False leaves out all but poses and boxes.
            earlier: as `Run.earlier` has it: an analysis, and the corrected frame up to which it serves.
            parts: where what is finished is put down, and taken up.
        Raises:
            OutOfMemory: the device has no room for a single window.
            Cancelled: `cancelled()` said so.
        """
        known, start = earlier or (None, 0)
        total, before = len(self.clip), self.clip.first + start
        rows: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in self.networks}
        frames: list[dict[str, Any]] = []
        deep: dict[tuple[str, int], Trace] = {}
        seconds: dict[str, float] = {}
        started = time.perf_counter()

        def keep(name: str, quantity: str, done: slice, values: NDArray[Any]) -> None:
            # whole at once: small arrays kept among passing ones scatter the memory
            if quantity not in rows[name]:
                rows[name][quantity] = np.empty((total - start, *values.shape[1:]), values.dtype)
            rows[name][quantity][done] = values

        here = self._take_up(parts, start, keep, frames) if parts else None
        resumed = put = start if here is None else here.key
        progress(resumed - start, total - start)
        for part in self._steps(light, cancelled, start, here):
            if parts and part.here.key - put >= LENGTH:
                finished = slice(put - start, part.here.key - start)
                arrays = {f"{n} {q}": rows[name][q][finished] for n, name in enumerate(rows) for q in rows[name]}
                facts = {"start": start, "here": part.here.plain(), "frames": frames[finished]}
                parts.put(put, part.here.key, arrays, facts)
                put = part.here.key
            seconds = part.seconds
            done = slice(part.keys.start - start, part.keys.stop - start)
            for name, more in part.rows.items():
                for quantity, values in more.items():
                    keep(name, quantity, done, values)
            frames += self._frame_rows(part, light)
            for key in part.keys:
                if (number := self.clip.first + key) in self.deep:
                    for name, network in self.networks.items():
                        deep[name, number] = _deep(network, name, key, total, part.frames, part.box)
            show(part.newest)
            progress(part.keys.stop - start, total - start)
        table = pd.DataFrame(frames)
        for number in (number for number in self.deep if start <= number - self.clip.first < resumed):
            key = number - self.clip.first
            box = table[list(BOX)].to_numpy()[key - start]
            for name, network in self.networks.items():
                seen = {i: self.clip[i] for i in set(windows.shown(key, network.frames, total))}
                deep[name, number] = _deep(network, name, key, total, seen, box)
        held, segments = table[list(BOX)].to_numpy(), table.pop("segment").to_numpy()
        traces = {
            name: _light_trace(name, network, rows[name], held, segments, self.clip.first)
            for name, network in self.networks.items()
        }
        if known is not None:
            traces = {name: _joined(known.traces[name], trace, start) for name, trace in traces.items()}
            table = pd.concat([known.frames[:start].drop(columns=["time", "lost"]), table], ignore_index=True)
            deep |= {(name, number): trace for (name, number), trace in known.deep.items() if number < before}
        leader = next(iter(traces.values()))
        lost = ladder.lost(leader.keypoints, leader.scores, leader.boxes, self.clip.size)
        table.insert(1, "time", self.clip.times)
        table.insert(list(table).index("box_source") + 1, "lost", lost)
        cost = {
            "seconds": time.perf_counter() - started,
            "frames": total - resumed,
            "memory": devices.memory(self.device),
            "networks": seconds,
        }
        if resumed > start:
            cost["taken up at"] = self.clip.first + resumed
        return Analysis(traces, table, self._provenance(table) | {"cost": cost}, deep)

    def _take_up(
        self,
        parts: Parts,
        start: int,
        keep: Callable[[str, str, slice, NDArray[Any]], None],
        frames: list[dict[str, Any]],
    ) -> "_Here | None":
        """Fill in what is finished already; where the loop goes on from there, None where nothing is."""
        here, names = None, list(self.networks)
        for part in parts.read():
            if part.facts["start"] != start or part.start != (start if here is None else here.key):
                break
            for place, values in part.arrays.items():
                n, _, quantity = place.partition(" ")
                keep(names[int(n)], quantity, slice(part.start - start, part.stop - start), values)
            frames += part.facts["frames"]
            here = _Here.of(part.facts["here"])
        if here is None:
            parts.forget()
        return here

    def _frame_rows(self, part: "_Step", light: bool) -> list[dict[str, Any]]:
        shared = {**dict(zip(BOX, part.box, strict=True)), "box_source": part.source, "segment": part.segment}
        seen: Iterable[dict[str, float]] = repeat({}, len(part.keys))
        if light:
            cuts = part.in_hand.cut(part.keys, part.box, crops.SIZE)
            seen = _measuring([part.frames[key] for key in part.keys], cuts, part.box)
            part.in_hand.read_on(len(part.keys))  # decoding leaves a processor idle, and no network computes now
        return [{"frame": self.clip.first + key, **shared, **of} for key, of in zip(part.keys, seen, strict=True)]

    def _steps(
        self, light: bool, cancelled: Callable[[], bool], start: int = 0, resumed: "_Here | None" = None
    ) -> "Iterator[_Step]":
        """Groups of key frames that share a box, in order; between them the box is looked at.

        Args:
            start: the first key frame, an index into the clip: 0, or one with a correction, which does not depend on
                those before it.
            resumed: where an earlier loop was stopped.
        """
        total, most = len(self.clip), self.step
        backbones = windows.backbones(self.networks)
        reach = max(backbone.reach for backbone in backbones)
        if resumed is not None:
            box, source, rung = resumed.box, resumed.source, resumed.rung
        elif start in self.corrections:
            box, source, rung = self.corrections[start], "corrected", "corrected"
        else:
            first, rung = self.first if self.first is not None else self._from_motion(), self.rung
            box, source = (ladder.whole_frame(self.clip.size), "whole frame") if first is None else (first, rung)
        key, segment, lost, ahead = start, 0, 0, 2 if rung in FOLLOWING else most  # two poses tell the first speed
        last: list[tuple[NDArray[Any], NDArray[Any]]] = []  # keypoints and scores of the first network
        if resumed is not None:
            key, segment, lost, ahead, last = resumed.key, resumed.segment, resumed.lost, resumed.ahead, resumed.last
        in_hand = windows.InHand(self.clip, max(0, key - reach))
        while key < total:
            if cancelled():
                raise Cancelled(f"cancelled at frame {key} of {total}")
            here = _Here(key, box, source, rung, segment, lost, ahead, last)
            stop = min(key + min(ahead, most), total, *(frame for frame in self.corrections if frame > key))
            if self.imported is not None and rung == "imported":
                stop = next((k for k in range(key + 1, stop) if not ladder.fits(box, self.imported[k])), stop)
            keys = range(key, stop)
            full = False
            try:
                rows: dict[str, dict[str, NDArray[Any]]] = {}
                for backbone in backbones:
                    rows |= backbone.estimate(keys, total, in_hand.cut, box, self.device, light)
            except (RuntimeError, MemoryError) as error:
                if not devices.is_out_of_memory(error):
                    raise
                if most == 1:
                    raise OutOfMemory(devices.no_room(self.device)) from error
                full = True
            if full:  # only now the error is gone, and with it what its stack held
                torch.cuda.empty_cache()
                most = max(1, min(most, len(keys)) // 2)
                continue
            seconds = {name: value for backbone in backbones for name, value in backbone.seconds.items()}
            yield _Step(keys, box, source, segment, rows, in_hand, self.clip.first, seconds, here)
            leader = rows[next(iter(self.networks))]
            last = [*last, *zip(leader["keypoints"], leader["scores"], strict=True)][-LAST:]
            if stop in self.corrections:
                look, rung, last, lost = _Look(self.corrections[stop], "corrected", 2), "corrected", [], 0
            else:
                look = self._look(box, stop, last, rung, most)
                lost = lost + len(keys) if look.lost else 0
            if lost >= self.clip.fps and rung == "motion" and stop < total:
                lost, again = 0, self._from_motion(stop)
                look = look if again is None else _Look(again, "motion", 2)
            ahead = look.ahead
            if look.box is not None and stop < total:
                box, source, segment = look.box, look.source, segment + 1
                for backbone in backbones:
                    backbone.forget()
            key = stop
            in_hand.forget(key - reach)

    def _look(
        self,
        box: ladder.Box,
        key: int,
        last: list[tuple[NDArray[Any], NDArray[Any]]],
        rung: str,
        most: int,
    ) -> "_Look":
        """Whether the held box still serves frame `key`, judged by what is known before it."""
        if self.imported is not None and rung == "imported":
            wanted = self.imported[min(key, len(self.imported) - 1)]
            return _Look(None if ladder.fits(box, wanted) else wanted, "imported", most)
        if rung not in FOLLOWING:
            return _Look(None, rung, most)
        keypoints, scores = (np.stack(values) for values in zip(*last, strict=True))
        person = ladder.of_pose(keypoints, scores, box)
        if person is None or not ladder.visible(person, self.clip.size):
            return _Look(None, "poses", LOOK, lost=True)  # stay where the person was last seen
        certain = np.median(scores, 0) >= ladder.SCORE
        velocity = np.median((keypoints[-1] - keypoints[0])[certain], 0) / max(1, len(keypoints) - 1)
        person[:2] += velocity * (len(keypoints) + 1) / 2  # from the middle of the last poses to the next frame
        cut = None if ladder.fits(box, person) else ladder.led(person, velocity, 2 * self.step)
        ahead = ladder.frames_until_cut(box if cut is None else cut, person, velocity, LOOK)
        return _Look(cut, "poses", ahead)

    def _from_motion(self, start: int = 0) -> ladder.Box | None:
        """Where something moves in a frame, by the 0.8 s that follow; None where nothing does."""
        stop = min(len(self.clip), start + max(2, round(0.8 * self.clip.fps)))
        some = np.unique(np.linspace(start, stop - 1, 13).round().astype(int))
        return ladder.motion_box([self.clip[int(i)] for i in some])

    def _provenance(self, table: pd.DataFrame) -> dict[str, Any]:
        return {
            "models": list(self.networks),
            "checkpoints": self.checkpoints,
            "own parameters": {
                name: {"network": known.network, "file": known.file.name, "sha256": networks.file_hash(known.file)}
                for name, known in networks.added().items()
                if name in self.networks
            },
            "own networks": {
                name: {
                    "file": known.file.name,
                    "sha256": known.hash,
                    "input_size": list(networks.input_size(name)),
                }
                for name, known in networks.brought().items()
                if name in self.networks
            },
            "clip": {
                "name": Path(self.clip.path).name if self.clip.path else "",
                "hash": self.whole.hash,
                "frames": len(self.clip),
                "first": self.clip.first,
                "of": len(self.whole),
                "fps": float(self.clip.fps),
                "size": list(self.clip.size),
                "report": list(self.clip.report),
            },
            "settings": {
                "rung": self.rung,
                "first_box": [float(table[name].iloc[0]) for name in BOX],
                "boxes_follow": next(iter(self.networks)),
                "corrections": {str(self.clip.first + i): box.tolist() for i, box in self.corrections.items()},
                "step": self.step,
                "deep": list(self.deep),
                "band_edges": list(spectra.BAND_EDGES),
            },
            "device": self.device,
            "threads": devices.threads(),
            "code": code_version(),
            "versions": {"python": platform.python_version(), **_versions()},
            "key": self.key.digest,
        }


@dataclass(frozen=True)
class _Here:
    """Where the loop over a clip stands before a step: all that it needs to go on from there."""

    key: int
    box: ladder.Box
    source: str
    rung: str
    segment: int
    lost: int
    ahead: int
    last: list[tuple[NDArray[Any], NDArray[Any]]]

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it, exactly."""
        last = [[points.tolist(), scores.tolist()] for points, scores in self.last]
        types = [[str(points.dtype), str(scores.dtype)] for points, scores in self.last]
        return asdict(self) | {"box": [float(edge) for edge in self.box], "last": last, "types": types}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "_Here":
        """What `plain` gave."""
        held = zip(plain["last"], plain["types"], strict=True)
        last = [(np.array(points, of[0]), np.array(scores, of[1])) for (points, scores), of in held]
        known = {name: value for name, value in plain.items() if name != "types"}
        return cls(**known | {"box": np.array(plain["box"]), "last": last})


@dataclass(frozen=True)
class _Look:
    box: ladder.Box | None  # a new one, or None where the held one serves
    source: str
    ahead: int  # frames that it may serve until the next look
    lost: bool = False  # no person was seen


@dataclass(frozen=True)
class _Step:
    keys: range
    box: ladder.Box
    source: str
    segment: int
    rows: dict[str, dict[str, NDArray[Any]]]  # by network
    in_hand: windows.InHand  # frames around the keys
    first: int  # number of the clip's first frame
    seconds: dict[str, float]  # so far, by network
    here: "_Here"

    @property
    def frames(self) -> dict[int, NDArray[np.uint8]]:
        return self.in_hand.frames

    @property
    def newest(self) -> Newest:
        last = self.keys[-1]
        poses = {name: Pose(row["keypoints"][-1], row["scores"][-1]) for name, row in self.rows.items()}
        return Newest(self.first + last, self.frames[last].copy(), self.box, poses)


def _measuring(
    frames: Sequence[NDArray[np.uint8]], cuts: Iterable[NDArray[np.uint8]], box: ladder.Box
) -> Iterable[dict[str, float]]:
    """`_measures` of frames of one size, which go on beside the caller.

    In small regions each operation is so short that two threads take longer than one: Python's lock changes hands.
    """
    rows, columns = sharpness.region(frames[0].shape[:2], box)
    large = (rows.stop - rows.start) * (columns.stop - columns.start) > LARGE
    return (windows.BESIDE if large else windows.ALONE).map(_measures, frames, cuts, repeat(box))


def _measures(frame: NDArray[np.uint8], cut: NDArray[np.uint8], box: ladder.Box) -> dict[str, float]:
    """What the light tier keeps of the pixels of a frame."""
    energies = np.log(np.maximum(spectra.band_energies(spectra.luma(cut)), 1e-12))
    return sharpness.measures(frame, box) | {f"band_{i}": float(value) for i, value in enumerate(energies)}


def _deep(
    network: PoseNetwork,
    name: str,
    key: int,
    total: int,
    frames: Mapping[int, NDArray[np.uint8]],
    box: ladder.Box,
    shared: Window | None = None,
) -> Trace:
    cuts = _cuts(key, total, frames, box, network.frames, network.input_size)
    return trace_window(network, windows.to_tensor(cuts), name, shared)


def _cuts(
    key: int,
    total: int,
    frames: Mapping[int, NDArray[np.uint8]],
    box: ladder.Box,
    count: int,
    size: tuple[int, int] = crops.SIZE,
) -> NDArray[np.uint8]:
    return np.stack([crops.cut(frames[i], box, size) for i in windows.shown(key, count, total)])


def _light_trace(
    name: str,
    network: PoseNetwork,
    found: dict[str, NDArray[Any]],
    boxes: NDArray[np.float64],
    segments: NDArray[np.int64],
    first: int,
) -> LightTrace:
    n = len(boxes)
    slots = network.frames if network.frames > 1 else SLOTS
    return LightTrace(
        network=name,
        keypoints=found["keypoints"],
        scores=found["scores"],
        boxes=boxes,
        frame_weights=found.get("frame_weights", np.full((n, slots), np.nan)),
        key_box_segment=segments,
        band_energy=found.get("band_energy"),
        channel_attention=found.get("channel_attention"),
        median_offset=found.get("median_offset", np.full((n, slots, 2), np.nan)),
        effective_frames=found.get("effective_frames", np.full(n, np.nan)),
        joints=network.skeleton.names,
        feature_energy=found.get("feature_energy"),
        first=first,
    )


def _joined(head: LightTrace, tail: LightTrace, start: int) -> LightTrace:
    """The first `start` frames of one trace, and all of another that goes on from there."""
    names = [f.name for f in fields(LightTrace) if f.name not in ("network", "joints", "first")]
    parts = {name: (getattr(head, name), getattr(tail, name)) for name in names}
    parts["key_box_segment"] = head.key_box_segment, tail.key_box_segment + head.key_box_segment[start - 1] + 1
    held: dict[str, Any] = {
        name: np.concatenate([one[:start], two]) for name, (one, two) in parts.items() if two is not None
    }
    return replace(tail, **held)


def _require_frames(clip: Clip, indices: Sequence[int]) -> None:
    for i in indices:
        if not 0 <= i < len(clip):
            held = f"{clip.first} to {clip.first + len(clip) - 1}"
            raise ValueError(f"frame {clip.first + i} is not in the clip; it has the frames {held}")


def _indices(clip: Clip, numbers: Sequence[int]) -> list[int]:
    """Where frames of these numbers stand in a clip that may be a part; a ValueError where one is not in it."""
    indices = [number - clip.first for number in numbers]
    _require_frames(clip, sorted(indices))
    return indices


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the sources that a result depends on, 12 hexadecimal digits."""
    here = Path(__file__).parent
    names = ("crops", "poses", "spectra", "sharpness", "boxes", "video", "clip", "trace", "windows", "run")
    files = [here / f"{name}.py" for name in names] + sorted(Path(str(networks.__file__)).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {}
    for name in ("torch", "numpy", "scipy", "opencv-python-headless", "av", "pandas"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found
