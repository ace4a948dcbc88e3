"""What the heatmaps of one window say beyond the pose: where they peak, how wide they are, which frequencies they hold.

Convention: a heatmap is a *density* of h x w cells, which sums to 1; the centre of cell i lies at
stride · i + (stride - 1) / 2 input pixels. Its transform has neither window nor norm, so that the value at zero
frequency is the sum, 1. It is the whole plane, not the half one, with zero frequency at [h // 2, w // 2]; frequencies
are cycles per *input* pixel and end at 0.5 / stride.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import poses, spectra

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

SIGMA = 1.25  # cells: of the Gaussian that the networks of the project are trained towards


@dataclass(frozen=True)
class Heatmaps:
    """The heatmaps of one network for the key frame of a window: J joints, h x w cells."""

    network: str
    densities: NDArray[np.float64]  # (J, h, w), each sums to 1
    stride: int  # input pixels per cell
    joints: tuple[str, ...]  # (J,) names

    def joint(self, name: str) -> int:
        """Index of a joint; a LookupError names the known ones."""
        if name not in self.joints:
            raise LookupError(f"no joint named '{name}'; known joints: {', '.join(self.joints)}")
        return self.joints.index(name)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, pixels."""
        height, width = self.densities.shape[1:]
        return height * self.stride, width * self.stride

    @property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the columns (w,) and of the rows (h,) of cells; input pixels."""
        x, y = (np.arange(n, dtype=np.float64) * self.stride for n in self.densities.shape[:0:-1])
        return x + (self.stride - 1) / 2, y + (self.stride - 1) / 2

    @cached_property
    def peaks(self) -> NDArray[np.float64]:
        """(J, 2) x, y of the centre of the largest cell, plain arg-max; input pixels."""
        rows, columns = np.divmod(self.densities.reshape(len(self.joints), -1).argmax(1), self.densities.shape[2])
        x, y = self.places
        return np.stack([x[columns], y[rows]], -1)

    @cached_property
    def found(self) -> NDArray[np.float64]:
        """(J, 2) x, y as `poses.decode` finds them; input pixels."""
        return poses.decode(self.densities, self.stride)[0]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(J,) mass within two cells of the peak, in [0, 1]; see `poses.decode`."""
        return poses.decode(self.densities, self.stride)[1]

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """(J,) effective number of cells, exp of the entropy: 1 for a single cell, h · w for a uniform density."""
        return effective_cells(self.densities)

    @property
    def least_certain(self) -> str:
        """The joint with the smallest score."""
        return self.joints[int(self.scores.argmin())]


def heatmaps(trace: "Trace", joints: Sequence[str] = poses.JOINTS) -> Heatmaps:
    """The heatmaps of a window.

    Args:
        trace: a deep trace.
        joints: names of the joints.
    Raises:
        LookupError: the trace holds no heatmaps.
        ValueError: it holds another number of them.
    """
    record = trace.get("heatmap")
    if len(record.values) != len(joints):
        raise ValueError(f"{len(joints)} joints need as many heatmaps, got {len(record.values)}")
    return Heatmaps(trace.network, record.values.astype(np.float64), record.stride, tuple(joints))


def in_cells(density: ArrayLike, cells: tuple[int, ...]) -> NDArray[np.float64]:
    """The mass of a density in the cells of a coarser map of the same picture: a cell has what lies under it.

    Args:
        density: (h, w).
        cells: height and width of the coarser map, at most h and w.
    Returns:
        (*cells), with the same sum.
    """
    found = np.asarray(density, np.float64)
    for axis, count in enumerate(cells):
        if (whole := found.shape[axis]) == count:
            continue  # to the bit
        edges = np.arange(count + 1) * whole / count
        before = np.insert(np.cumsum(found, axis), 0, 0, axis).swapaxes(axis, 0)  # mass below each edge of a cell
        low = np.minimum(edges.astype(int), whole - 1)
        part = (edges - low)[:, None]
        found = np.diff((1 - part) * before[low] + part * before[low + 1], axis=0).swapaxes(axis, 0)
    return found


def target(place: ArrayLike, cells: tuple[int, ...], stride: int, sigma: float = SIGMA) -> NDArray[np.float64]:
    """What a network is trained to give for a joint: a Gaussian that is not rounded to a cell.

    Args:
        place: (2,) x, y; input pixels.
        cells: (h, w).
        stride: input pixels per cell.
        sigma: of the Gaussian; cells, > 0.
    Returns:
        (h, w), sums to 1. Far from borders its transform has the modulus exp(−2 π² (sigma · stride)² f²).
    Raises:
        ValueError: sigma is not above 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be > 0 cells, got {sigma}")
    column, row = (np.asarray(place, np.float64) - (stride - 1) / 2) / stride
    y, x = (np.arange(n) - centre for n, centre in zip(cells, (row, column), strict=True))
    bell = np.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * sigma**2))
    return bell / max(float(bell.sum()), 1e-300)


def amplitude(densities: ArrayLike) -> NDArray[np.float64]:
    """Modulus of the transform of densities, the characteristic function of where a joint is.

    Args:
        densities: (..., h, w), each sums to 1.
    Returns:
        (..., h, w) in [0, 1], centred, 1 at zero frequency. A shift does not change it, a wider density narrows it.
    Reference:
        Qu et al., Characteristic function-based human pose estimation, CVPR 2023 (heatmaps as densities).
    """
    return np.abs(np.fft.fftshift(np.fft.fft2(np.asarray(densities, np.float64)), axes=(-2, -1)))


def radial_amplitude(density: ArrayLike, stride: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Root mean square of `amplitude` over rings of equal frequency.

    Args:
        density: (h, w), sums to 1.
        stride: input pixels per cell.
    Returns:
        frequency (R,) from 0, cycles per input pixel; amplitude (R,), 1 at 0. R - 1 = min(h, w) / 2 rings.
    """
    plane = amplitude(density)
    frequency, power = spectra.radial_mean(plane**2, max(1, min(plane.shape) // 2), stride)
    full = np.isfinite(power)
    return np.r_[0.0, frequency[full]], np.r_[1.0, np.sqrt(power[full])]


def half_width(frequency: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Where a radial amplitude falls below 1/2 for the first time, linear in between; NaN if nowhere."""
    below = np.flatnonzero(values < 0.5)
    if not len(below):
        return float("nan")
    i = int(below[0])
    share = (values[i - 1] - 0.5) / (values[i - 1] - values[i])
    return float(frequency[i - 1] + share * (frequency[i] - frequency[i - 1]))


def effective_cells(densities: ArrayLike) -> NDArray[np.float64]:
    """exp of the entropy of densities (..., h, w): over how many cells they spread; (...)."""
    values = np.asarray(densities, np.float64)
    return np.exp(-(values * np.log(np.maximum(values, 1e-300))).sum((-2, -1)))
