"""The offsets and masks of alignment in one window, by scale, neighbour and tap.

Convention: offsets are (dx, dy) in input pixels, from a place of the key frame to where the neighbour is read; they
hold what coarser scales said, and leave out the regular place of their tap. The centre of cell i lies at
stride · i + (stride - 1) / 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

NINE = ("up left", "up", "up right", "left", "centre", "right", "down left", "down", "down right")  # row by row


@dataclass(frozen=True)
class Offsets:
    """What alignment at one scale said: neighbours N, taps (or groups of channels) K."""

    network: str
    stage: str
    stride: int  # input pixels per cell
    slots: tuple[int, ...]  # (N,) frames from the key frame
    offset: NDArray[np.float64]  # (N, K, 2, h, w) dx, dy; input pixels
    mask: NDArray[np.float64]  # (N, K, h, w)

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the taps: of nine their places, of fewer a number for each group of channels."""
        count = self.offset.shape[1]
        return NINE if count == len(NINE) else tuple(f"group {k + 1}" for k in range(count))

    def of(self, slot: int, tap: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offset (2, h, w) and mask (h, w) of one neighbour: of one tap, or means over all of them.

        Raises:
            LookupError: no such neighbour or tap; the message names those that exist.
        """
        if slot not in self.slots:
            raise LookupError(f"no neighbour {slot:+d} in {self.network}; neighbours: {signed(self.slots)}")
        n = self.slots.index(slot)
        if tap is None:
            return self.offset[n].mean(0), self.mask[n].mean(0)
        if tap not in self.taps:
            raise LookupError(f"no tap '{tap}' at {self.stage}; taps: {', '.join(self.taps)}")
        k = self.taps.index(tap)
        return self.offset[n, k], self.mask[n, k]

    @property
    def reach(self) -> NDArray[np.float64]:
        """(K, 2) regular places of the taps, dx, dy; input pixels."""
        count = len(self.taps)
        if count != len(NINE):
            return np.zeros((count, 2))
        return self.stride * np.array([(k % 3 - 1, k // 3 - 1) for k in range(count)], np.float64)

    @property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x (w,) and y (h,) of the centres of the cells; input pixels."""
        height, width = self.offset.shape[-2:]
        return _centres(width, self.stride), _centres(height, self.stride)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the cut."""
        height, width = self.offset.shape[-2:]
        return height * self.stride, width * self.stride

    def at(self, maps: NDArray[np.float64], point: tuple[float, float]) -> NDArray[np.float64]:
        """Maps (n, h, w) at a point of the cut, bilinear between the centres of cells: (n,)."""
        column, row = ((place - (self.stride - 1) / 2) / self.stride for place in point)
        where = np.array([[column]], np.float32), np.array([[row]], np.float32)
        return np.array(
            [cv2.remap(one, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0, 0] for one in maps]
        )


def scales(trace: "Trace") -> dict[str, str]:
    """The scales at which a network aligns, coarse to fine: a name for people, and the stage of the trace.

    Raises:
        LookupError: the network aligns nothing.
    """
    stages = trace.stages("alignment_offset")
    if not stages:
        raise LookupError(f"{trace.network} aligns nothing: it sees one frame at a time, or shows no offsets")
    strides = {stage: trace.get("alignment_offset", stage).stride for stage in stages}
    return {f"stride {strides[stage]}": stage for stage in sorted(stages, key=lambda stage: -strides[stage])}


def offsets(trace: "Trace", stage: str) -> Offsets:
    """Offsets and masks of one of the `scales`.

    Raises:
        LookupError: no such stage.
    """
    found = trace.get("alignment_offset", stage)
    masks = [name for name in trace.stages("modulation_mask") if name.rpartition(".")[0] == stage.rpartition(".")[0]]
    mask = trace.get("modulation_mask", masks[0]).values if masks else np.ones_like(found.values[:, :, 0])
    slots = tuple(int(slot) for slot in found.slots)
    return Offsets(trace.network, stage, found.stride, slots, found.values.astype(float), mask.astype(float))


def signed(slots: Sequence[int]) -> str:
    """Slots as text: "−2, +1"."""
    return ", ".join(f"{slot:+d}" for slot in slots).replace("-", "−")


def _centres(count: int, stride: int) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) * stride + (stride - 1) / 2
