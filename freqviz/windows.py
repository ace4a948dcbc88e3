"""Frames in hand, each through the backbone once, and the windows around key frames that are estimated from them.

A window shows T frames around its key frame, all cut by the key frame's box; a neighbour that the clip does not have
is the key frame.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from freqviz import crops
from freqviz.boxes import Box
from freqviz.clip import Clip
from freqviz.trace import Window, light_frames, light_rows
from models.network import PoseNetwork

BESIDE = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "beside")  # busy only while no network computes
ALONE = ThreadPoolExecutor(1, "alone")  # as `BESIDE`, one after the other
Cut = Callable[[Sequence[int], Box, tuple[int, int]], NDArray[np.uint8]]  # as `InHand.cut`


class InHand:
    """Frames of a clip that are in use, and what was cut out of them by the held box."""

    def __init__(self, clip: Clip, first: int):
        self._clip, self._next = clip, first
        self.frames: dict[int, NDArray[np.uint8]] = {}
        self._box = np.zeros(4)
        self._cuts: dict[tuple[int, tuple[int, int]], NDArray[np.uint8]] = {}

    def _read(self, stop: int) -> None:
        for i in range(self._next, stop):
            self.frames[i] = self._clip[i]
        self._next = max(self._next, stop)

    def read_on(self, count: int) -> None:
        """Read so many frames more, where there are any."""
        self._read(min(self._next + count, len(self._clip)))

    def cut(self, wanted: Sequence[int], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        """(N, height, width, 3): each frame is read and cut once by a box, beside the reading of the next."""
        if not np.array_equal(box, self._box):
            self._box, self._cuts = box, {}
        cuts = {}
        for i in wanted:
            self._read(i + 1)
            if (i, size) not in self._cuts:
                cuts[i, size] = BESIDE.submit(crops.cut, self.frames[i], box, size)
        self._cuts.update({place: cut.result() for place, cut in cuts.items()})
        return np.stack([self._cuts[i, size] for i in wanted])

    def forget(self, before: int) -> None:
        """Let go of the frames before one."""
        self.frames = {i: frame for i, frame in self.frames.items() if i >= before}
        self._cuts = {place: cut for place, cut in self._cuts.items() if place[0] >= before}


class Backbone:
    """Networks that share one backbone, and the encoded frames of the current segment."""

    def __init__(self, members: dict[str, PoseNetwork]):
        self.members = members
        self.network = next(iter(members.values()))
        self.reach = max(network.frames // 2 for network in members.values())
        self.seconds = dict.fromkeys(members, 0.0)  # in each; what they share counts for each
        self.forget()

    def forget(self) -> None:
        """A new segment: what was encoded was cut by another box."""
        self.held = range(0)  # frames that are encoded; the maps and rows below have one row each
        self.shared: Window = {}
        self.own: dict[str, Window] = {name: {} for name in self.members}
        self.rows: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in self.members}

    @torch.inference_mode()
    def estimate(
        self, keys: range, total: int, cut: Cut, box: Box, device: str, light: bool
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """Rows of every member for the windows of `keys`; frames not yet encoded in this segment are."""
        needed = range(max(0, keys.start - self.reach), min(total, keys.stop + self.reach))
        if new := range(max(needed.start, self.held.stop), needed.stop):
            cuts = to_tensor(cut(new, box, self.network.input_size), device)
            self._encode(new, needed.start, cuts, box, light)
        rows = {}
        for name, network in self.members.items():
            started = time.perf_counter()
            windows = _windows({**self.shared, **self.own[name]}, self.held, keys, network.frames, total)
            rows[name] = light_rows(network, windows, box, light)
            self.seconds[name] += time.perf_counter() - started
            of_keys = slice(keys.start - self.held.start, keys.stop - self.held.start)
            rows[name] |= {part: values[of_keys] for part, values in self.rows[name].items()}
        return rows

    def _encode(self, new: range, first: int, cuts: torch.Tensor, box: Box, light: bool) -> None:
        """Hold the frames from `first` to the end of `new`, which are encoded."""
        started = time.perf_counter()
        shared, seen = light_frames(
            self.network, getattr(self.network, "shared", self.network.encode), cuts, box, light
        )
        if cuts.is_cuda:
            torch.cuda.synchronize(cuts.device)  # else what is shared would be charged to the first network
        for_all = time.perf_counter() - started
        gone = max(0, first - self.held.start)

        def joined(old: Window, more: Window) -> Window:
            return {part: torch.cat([old[part][gone:], maps]) if old else maps for part, maps in more.items()}

        all_own, all_rows = dict(self.own), dict(self.rows)  # out of memory halfway must leave all as it was
        for name, network in self.members.items():
            started = time.perf_counter()
            maps, rows = light_frames(network, getattr(network, "own", _nothing), cuts, box, light)
            self.seconds[name] += for_all + time.perf_counter() - started
            if network is self.network:
                rows |= seen
            all_own[name] = joined(self.own[name], maps)
            known = self.rows[name]
            all_rows[name] = {
                part: np.concatenate([known[part][gone:], values]) if known else values for part, values in rows.items()
            }
        self.shared, self.held = joined(self.shared, shared), range(first, new.stop)
        self.own, self.rows = all_own, all_rows


def backbones(chosen: dict[str, PoseNetwork]) -> list[Backbone]:
    """Networks grouped by `backbone_key`: their `shared` agrees; without a key each stands alone."""
    groups: dict[Any, dict[str, PoseNetwork]] = {}
    for name, network in chosen.items():
        groups.setdefault(getattr(network, "backbone_key", None) or id(network), {})[name] = network
    return [Backbone(members) for members in groups.values()]


def _windows(maps: Window, held: range, keys: range, count: int, total: int) -> Window:
    """Windows (B, T, ...) of the keys from maps (N, ...) of the frames held; views, where no neighbour is missing."""
    reach = count // 2
    if keys.start >= reach and keys.stop + reach <= total:
        span = slice(keys.start - reach - held.start, keys.stop + reach - held.start)
        return {part: values[span].unfold(0, count, 1).movedim(-1, 1) for part, values in maps.items()}
    places = torch.tensor([shown(key, count, total) for key in keys]) - held.start
    return {part: values[places.to(values.device)] for part, values in maps.items()}


def shown(key: int, count: int, total: int) -> list[int]:
    """Frames of the window of a key frame; a missing neighbour is the key frame."""
    frames = range(key - count // 2, key + count // 2 + 1)
    return [i if 0 <= i < total else key for i in frames]


def _nothing(frames: torch.Tensor) -> Window:
    return {}


def to_tensor(cuts: NDArray[np.uint8], device: str = "cpu") -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [0, 1], as every network takes it."""
    return torch.from_numpy(cuts).to(device).permute(0, 3, 1, 2).float().div(255)
