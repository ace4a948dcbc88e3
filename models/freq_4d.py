"""`freq-4d`: motion read from the 4-D motion matrix, the correlation of every place of the key frame with every place
of a neighbour; or from its Fourier-factorised form (variant "fourier").

The full matrix is (key y, key x, neighbour y, neighbour x). Summed along equal displacement it is the inverse transform
of the cross-power spectrum (circular correlation), so windows of it cost FFTs only: that is the factorised form.
Convention: displacements (dx, dy) from a place of the key frame to the neighbour, in cells of stride 8.
Ideas: Teed and Deng, RAFT, ECCV 2020 (all-pairs correlation); Sun et al., PWC-Net, CVPR 2018 (local look-up).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.align import cells, correlation
from models.motion import MotionSource, TwoStreams
from models.network import Encoded
from models.probe import Probe

REACH = 3  # cells looked around each place: 24 input pixels
LAGS = (2 * REACH + 1) ** 2
WINDOW = 12  # cells a side of the windows of the Fourier form


def motion_matrix(key: Tensor, other: Tensor) -> Tensor:
    """Cosine of the features of every place of the key frame and every place of a neighbour.

    Args:
        key, other: (N, C, h, w).
    Returns:
        (N, h, w, h, w) in [-1, 1]: place of the key frame, place of the neighbour.
    Reference:
        Teed and Deng, RAFT, ECCV 2020, eq. 1 (here of unit features).
    """
    a, b = (functional.normalize(maps.float(), dim=1) for maps in (key, other))
    height, width = a.shape[-2:]
    every = a.flatten(2).transpose(1, 2) @ b.flatten(2)
    return every.unflatten(2, (height, width)).unflatten(1, (height, width))


def circular_correlation(key: Tensor, other: Tensor) -> Tensor:
    """Sum over all places p and channels of key(p) · other(p + d), d circular.

    Args:
        key, other: (..., C, h, w).
    Returns:
        (..., h, w), [dy, dx]: what the motion matrix of these features, unnormalised, sums to along equal displacement.
    """
    a, b = (torch.fft.rfft2(maps.float(), norm="backward") for maps in (key, other))
    return torch.fft.irfft2((a.conj() * b).sum(-3), s=key.shape[-2:], norm="backward")


def expected(logits: Tensor, places: Tensor) -> Tensor:
    """Mean place and confidence of a softmax.

    Args:
        logits: (N, K, h, w).
        places: (2, K), or (N, 2, K, h, w) where they differ from cell to cell.
    Returns:
        (N, 3, h, w): x, y, and 1 - entropy / log K in [0, 1].
    """
    chance = torch.softmax(logits, 1)
    where = torch.einsum("nkyx,dk->ndyx", chance, places)
    entropy = -(chance * chance.clamp_min(1e-12).log()).sum(1, keepdim=True)
    return torch.cat([where, 1 - entropy / math.log(logits.shape[1])], 1)


class MotionMatrix(MotionSource):
    """The full matrix: correlations near each place, and the place expected over the whole neighbour."""

    channels = MotionSource.channels + 4 * (LAGS + 3)

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(15.0))  # of the softmax of cosines
        self.matrix = Probe("motion_matrix", "frame y x other_y other_x", 8)
        self.displacement = Probe("matched_displacement", "frame xyc y x", 8)

    def forward(self, window: Encoded) -> Tensor:
        maps = window["f8"].float()
        batch, count = maps.shape[0], maps.shape[1] - 1
        middle = count // 2
        key = maps[:, middle, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        other = torch.cat([maps[:, :middle], maps[:, middle + 1 :]], 1).flatten(0, 1)
        near, moved = self.match(key, other, (batch, count))
        moved = self.displacement(moved.unflatten(0, (batch, count)))
        return torch.cat([self.differences(window["luma"].float()), near.view(batch, -1, *maps.shape[-2:]),
                          moved.flatten(1, 2)], 1)  # fmt: skip

    def match(self, key: Tensor, other: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Maps (N, C, h, w) to correlations at LAGS displacements, row by row, and expected displacement."""
        height, width = key.shape[-2:]
        matrix = self.matrix(motion_matrix(key, other).unflatten(0, shape)).flatten(0, 1)
        grid = cells(height, width, key.device)
        told = expected(self.sharpness * matrix.flatten(3).permute(0, 3, 1, 2), grid.flatten(1))
        told = torch.cat([(told[:, :2] - grid) / REACH, told[:, 2:]], 1)
        return correlation(key, other, REACH), told


class FourierMatrix(MotionMatrix):
    """Its factorised form: the cross-power spectra of local windows, whose inverse transforms are marginals of it."""

    hann: Tensor
    places: Tensor

    def __init__(self, height: int, width: int):
        super().__init__()
        self.matrix = Probe("motion_marginal", "frame window dy dx", 8)
        self.tops = [round(i * (height - WINDOW) / 4) for i in range(5)]
        self.lefts = [round(i * (width - WINDOW) / 2) for i in range(3)]
        line = torch.hann_window(WINDOW, periodic=False)
        self.register_buffer("hann", line[:, None] * line, persistent=False)
        x, y = cells(height, width, torch.device("cpu")) - (WINDOW - 1) / 2  # 0: the middle of the first window
        places = torch.stack([2 * x / self.lefts[-1] - 1, 2 * y / self.tops[-1] - 1], -1)
        self.register_buffer("places", places[None], persistent=False)
        steps = torch.arange(-REACH, REACH + 1).float()
        lags = torch.stack([steps.repeat(len(steps)), steps.repeat_interleave(len(steps))])
        self.register_buffer("lags", lags, persistent=False)

    lags: Tensor

    def match(self, key: Tensor, other: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        a, b = (self.windows(maps) for maps in (key, other))  # (N, windows, C, 12, 12)
        energy = torch.sqrt(a.square().sum((-3, -2, -1)) * b.square().sum((-3, -2, -1))).clamp_min(1e-6)
        surface = circular_correlation(a, b) / energy[..., None, None]
        surface = torch.fft.fftshift(surface, (-2, -1))
        surface = self.matrix(surface.unflatten(0, shape)).flatten(0, 1)
        near = slice(WINDOW // 2 - REACH, WINDOW // 2 + REACH + 1)
        lags = surface[..., near, near].flatten(-2).transpose(1, 2).unflatten(2, (len(self.tops), len(self.lefts)))
        dense = functional.grid_sample(
            lags, self.places.expand(len(lags), -1, -1, -1), padding_mode="border", align_corners=True
        )
        told = expected(self.sharpness * dense, self.lags)
        return dense, torch.cat([told[:, :2] / REACH, told[:, 2:]], 1)

    def windows(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) to Hann windows without their mean (N, 15, C, 12, 12)."""
        cut = torch.stack([maps[..., t : t + WINDOW, x : x + WINDOW] for t in self.tops for x in self.lefts], 1)
        mean = (cut * self.hann).sum((-2, -1), keepdim=True) / self.hann.sum()
        return (cut - mean) * self.hann


FORMS: dict[str, Callable[[], MotionSource]] = {"": MotionMatrix, "fourier": lambda: FourierMatrix(24, 18)}


class Freq4D(TwoStreams):
    """Appearance, and motion from the 4-D matrix; `variant` "fourier" takes its factorised form."""

    variants = tuple(filter(None, FORMS))

    def __init__(self, variant: str = ""):
        super().__init__(FORMS[variant]())
