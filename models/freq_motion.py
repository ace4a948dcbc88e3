"""`freq-motion`: motion seen in the temporal gradient of the spectrum, beside the twin's appearance.

Local amplitude spectra of the image are compared from frame to frame; luma differences tell the direction, which
amplitudes do not hold. The teacher of `freq-motion-distilled`. Beside it stand the same network with luma differences
alone (variant "pixels") and with them and optical flow (variant "flow").
Convention: frequencies in cycles per input pixel; amplitudes with norm="ortho", natural logarithms.
Ideas: Zhu et al., ICCV 2023 (temporal change is larger in amplitude spectra); Feng et al., TDMI, CVPR 2023.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from models.motion import MotionSource, TwoStreams
from models.network import Encoded
from models.probe import Probe

SIDE = 16  # input pixels of a window; one every 8
HIGHEST = 4  # of the bins v = -4 ... 4, u = 0 ... 4 that are kept: up to .25 cycles/pixel
FLOOR = 0.01  # added to amplitudes: half of what noise of .01 has there, so that noise is no change
BINS = (2 * HIGHEST + 1) * (HIGHEST + 1)


def bins() -> Tensor:
    """(BINS, 2): frequencies u, v of the kept bins, v from low to high and u within; cycles/pixel."""
    v, u = torch.meshgrid(torch.arange(-HIGHEST, HIGHEST + 1), torch.arange(HIGHEST + 1), indexing="ij")
    return torch.stack([u, v], -1).flatten(0, 1) / SIDE


class LocalSpectrum(MotionSource):
    """Change of the log amplitude of local spectra from each frame to the next, beside luma differences."""

    waves: Tensor
    channels = MotionSource.channels + 4 * BINS

    def __init__(self) -> None:
        super().__init__()
        line = torch.hann_window(SIDE, periodic=False)
        y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
        turns = bins()[:, 0, None, None] * x + bins()[:, 1, None, None] * y  # (BINS, 16, 16)
        waves = torch.cat([torch.cos(2 * math.pi * turns), -torch.sin(2 * math.pi * turns)])
        waves = waves * (line[:, None] * line) / SIDE
        self.register_buffer("waves", waves[:, None], persistent=False)
        self.gradient = Probe("spectral_gradient", "step frequency y x", 8)

    def encode(self, luma: Tensor) -> Encoded:
        """Luma (N, 1, H, W) to itself and log amplitudes (N, BINS, H/8, W/8)."""
        image = luma.float() - luma.float().mean((-2, -1), keepdim=True)
        with torch.autocast(luma.device.type, enabled=False):
            real, imaginary = functional.conv2d(image, self.waves, stride=8, padding=4).chunk(2, 1)
        return {"luma": luma, "log_amplitude": torch.log(torch.hypot(real, imaginary) + FLOOR)}

    def forward(self, window: Encoded) -> Tensor:
        log = window["log_amplitude"].float()
        gradient = self.gradient(log[:, 1:] - log[:, :-1])  # (B, T-1, BINS, h, w)
        return torch.cat([self.differences(window["luma"].float()), gradient.flatten(1, 2)], 1)


class OpticalFlow(MotionSource):
    """Optical flow from the key frame to each neighbour, beside luma differences; whoever runs it sets `estimate`."""

    channels = MotionSource.channels + 4 * 2

    def __init__(self) -> None:
        super().__init__()
        self.estimate: Callable[[Tensor], Tensor] | None = None  # luma (B, T, H, W) to flow (B, T-1, 2, H, W) pixels

    def forward(self, window: Encoded) -> Tensor:
        if self.estimate is None:
            raise RuntimeError("optical flow is computed outside of the network: set `source.estimate` first")
        luma = window["luma"].float()
        flow = self.estimate(luma[:, :, 0]).flatten(1, 2) / 8  # cells
        return torch.cat([self.differences(luma), functional.avg_pool2d(flow, 8)], 1)


SOURCES: dict[str, Callable[[], MotionSource]] = {"": LocalSpectrum, "pixels": MotionSource, "flow": OpticalFlow}


class FreqMotion(TwoStreams):
    """Appearance, and motion from the temporal gradient of the spectrum; `variant` chooses another source of motion."""

    variants = tuple(filter(None, SOURCES))

    def __init__(self, variant: str = ""):
        super().__init__(SOURCES[variant]())
