"""Motion as the motion networks are told it: local spectra that change, and features that match from frame to frame.

Convention: cuts are pictures of a window, (T, H, W, 3), the key frame in the middle. Amplitudes have norm="ortho"
and a Hann window; frequencies are in cycles per input pixel. Displacements (dx, dy) lead from a place of the key
frame to the neighbour. The centre of cell i lies at stride · i + (stride - 1) / 2.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import spectra

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

STRIDE = 8  # input pixels between local spectra
SIDE = 16  # input pixels of their windows
HIGHEST = 4  # of the bins v = -4 ... 4, u = 0 ... 4 that are kept: up to .25 cycles/pixel
FLOOR = 0.01  # added to amplitudes: noise of .01 has half of it
DECIBELS = 20 / np.log(10)  # of a natural logarithm of amplitude
U = np.arange(HIGHEST + 1) / SIDE
V = np.arange(-HIGHEST, HIGHEST + 1) / SIDE


def spectral_gradient(cuts: ArrayLike) -> NDArray[np.float64]:
    """Change of the log amplitude of local spectra from each frame to the next.

    Args:
        cuts: (T, H, W, 3) uint8, T at least 2; H and W multiples of 8.
    Returns:
        (T - 1, 9, 5, H/8, W/8) decibels, by frequency V and U: what `freq-motion` is fed, which takes nepers.
    Raises:
        ValueError: other shapes.
    Reference:
        Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023 (change of amplitudes).
    """
    cuts = np.asarray(cuts)
    if cuts.ndim != 4 or len(cuts) < 2 or cuts.shape[1] % STRIDE or cuts.shape[2] % STRIDE:
        raise ValueError(f"cuts must be (T, H, W, 3), T > 1, H and W multiples of {STRIDE}, got {cuts.shape}")
    grey = spectra.luma(cuts).astype(np.float64)
    grey -= grey.mean((1, 2), keepdims=True)
    edge = (SIDE - STRIDE) // 2
    padded = np.pad(grey, ((0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), (1, 2))[:, ::STRIDE, ::STRIDE]
    hann = np.hanning(SIDE)
    transform = np.fft.rfft2(windows * (hann[:, None] * hann), norm="ortho")  # (T, h, w, 16, 9)
    kept = transform[..., np.arange(-HIGHEST, HIGHEST + 1), : HIGHEST + 1]
    gradient = DECIBELS * np.diff(np.log(np.abs(kept) + FLOOR), axis=0)
    return np.moveaxis(gradient, (3, 4), (1, 2))


@dataclass(frozen=True)
class Matches:
    """Unit features of the frames of a window: the 4-D motion matrix, in its factors."""

    network: str
    stride: int  # input pixels per cell
    slots: tuple[int, ...]  # (T,) frames from the key frame
    features: NDArray[np.float64]  # (T, C, h, w), of length 1 in each cell, or 0 where there is nothing

    @property
    def neighbours(self) -> tuple[int, ...]:
        return tuple(slot for slot in self.slots if slot)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the cut."""
        height, width = self.features.shape[-2:]
        return height * self.stride, width * self.stride

    def cell(self, point: tuple[float, float]) -> tuple[int, int]:
        """Row and column of the cell that holds a place x, y of the cut.

        Raises:
            ValueError: the point lies outside the cut.
        """
        return cell_of(point, self.size, self.stride)

    def of(self, slot: int, point: tuple[float, float]) -> NDArray[np.float64]:
        """A slice of the motion matrix: cosine of one cell of the key frame and every cell of a neighbour, (h, w).

        Raises:
            ValueError: the point lies outside the cut.
            LookupError: no such neighbour.
        """
        row, column = self.cell(point)
        return np.einsum("c,cyx->yx", self._frame(0)[:, row, column], self._frame(slot))

    def marginal(self, slot: int) -> NDArray[np.float64]:
        """Mean of the motion matrix along equal displacement, circular: [dy, dx] from 0, (h, w) in [-1, 1].

        It is the inverse transform of the cross-power spectrum, which is how it is computed.

        Raises:
            LookupError: no such neighbour.
        """
        key, other = (np.fft.rfft2(self._frame(one)) for one in (0, slot))
        shape = self.features.shape[-2:]
        return np.fft.irfft2((key.conj() * other).sum(0), s=shape) / (shape[0] * shape[1])

    def _frame(self, slot: int) -> NDArray[np.float64]:
        if slot not in self.slots:
            raise LookupError(f"no neighbour {slot:+d} in {self.network}; frames: {', '.join(map(str, self.slots))}")
        return self.features[self.slots.index(slot)]


def matches(trace: "Trace") -> Matches:
    """The features that a video network compares, at stride 8 or what is nearest to it.

    Raises:
        LookupError: the network sees one frame at a time.
    """
    held = [trace.get("feature", stage) for stage in trace.stages("feature")]
    windows = [record for record in held if record.axes == ("frame", "channel", "y", "x") and len(record.values) > 1]
    if not windows:
        raise LookupError(f"{trace.network} compares no frames: it sees one at a time, or shows no features of each")
    record = min(windows, key=lambda one: abs(one.stride - STRIDE))
    values = record.values.astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    slots = tuple(int(slot) for slot in record.slots)
    return Matches(trace.network, record.stride, slots, values / np.maximum(length, 1e-12))


def cell_of(point: tuple[float, float], size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Row and column of the cell that holds a place x, y of a cut of a height and width; input pixels.

    Raises:
        ValueError: the point lies outside the cut.
    """
    (x, y), (height, width) = point, size
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise ValueError(f"a point of the cut lies in 0 to {width - 1}, 0 to {height - 1}, got {x:g}, {y:g}")
    row, column = (min(int((place + 0.5) // stride), count // stride - 1) for place, count in ((y, height), (x, width)))
    return row, column
