"""What the motion networks share: the twin as the stream of appearance, and beside it a stream of motion.

Appearance is `spatial-video` with a space-time module that also works on spectra; what a network knows of motion is in
its `MotionSource` alone, so that two of them differ in nothing else. Both streams end in one residual on the fused map.
Appearance is that of the trained twin and stays frozen (`kept`): what is gained is gained by the streams.
Ideas: two streams (Simonyan and Zisserman, NeurIPS 2014), temporal differences for pose (Feng et al., TDMI, CVPR 2023),
a spatial beside a frequency branch (Li et al., MFPI, ICCV 2023), learned filters (Rao et al., GFNet, NeurIPS 2021).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.align import grow
from models.network import Encoded, start_at_zero
from models.probe import Probe
from models.video import ALIGNMENT, CHANNELS, SpatialGuide, VideoNetwork, luma_of

WIDTH = 32  # channels of each stream, at stride 8
TIME = 8  # channels a frame that the space-time module looks at
JOINED = 48  # channels of both streams together, at stride 4
FUSED = ("m4", "m8", "m16", "a8")  # what appearance ends in


class SpaceTime(nn.Module):
    """Frequency-enhanced space-time module: what aligned frames show together, in space and through their spectra.

    The frames stand side by side as channels. One path is a depthwise 5 x 5 kernel, the other irfft2(filter · rfft2),
    whose every place has seen the whole map; a 1 x 1 convolution joins them.
    """

    def __init__(self, frames: int, height: int, width: int):
        super().__init__()
        channels = frames * TIME
        self.reduce = nn.Conv2d(CHANNELS, TIME, 1)
        self.norm = nn.InstanceNorm2d(channels)
        self.near = nn.Conv2d(channels, channels, 5, 1, 2, groups=channels)
        start = torch.zeros(channels, height, width // 2 + 1, 2)
        start[..., 0] = 1  # passes everything
        self.filter = nn.Parameter(start)
        self.join = nn.Conv2d(2 * channels, WIDTH, 1)
        self.learned = Probe("space_time_filter", "channel v u", 8)

    def forward(self, aligned: Tensor) -> Tensor:
        """(B, T, C, h, w) to (B, WIDTH, h, w)."""
        frames = self.reduce(aligned.flatten(0, 1)).unflatten(0, aligned.shape[:2]).flatten(1, 2)  # (B, T·TIME, h, w)
        with torch.autocast(frames.device.type, enabled=False):
            learned = self.learned(torch.view_as_complex(self.filter.float())[None])[0]
            spectrum = torch.fft.rfft2(self.norm(frames.float()), norm="ortho")
            wide = torch.fft.irfft2(spectrum * learned, s=frames.shape[-2:], norm="ortho")
        return functional.relu(self.join(torch.cat([self.near(frames), wide], 1)))


class MotionSource(nn.Module):
    """What is known of motion: luma differences of successive frames; further sources add to them."""

    channels = 4 * 16  # four differences, 4 x 4 places of half the resolution in a cell of stride 8

    def encode(self, luma: Tensor) -> Encoded:
        """Maps of single frames from luma (N, 1, H, W) in [0, 1]."""
        return {"luma": luma}

    def forward(self, window: Encoded) -> Tensor:
        """(B, channels, H/8, W/8)."""
        return self.differences(window["luma"].float())

    def differences(self, luma: Tensor) -> Tensor:
        """Luma (B, T, 1, H, W) to differences (B, (T - 1)·16, H/8, W/8)."""
        steps = luma[:, 1:, 0] - luma[:, :-1, 0]  # (B, T-1, H, W)
        return functional.pixel_unshuffle(4 * functional.avg_pool2d(steps, 2), 4)


class TwoStreams(VideoNetwork):
    """The twin, the space-time module and, where there is a source of motion, a stream of motion."""

    kept = (*ALIGNMENT, "logits.", "attention.", "squeeze.", "spread.", "restore.")

    def __init__(self, source: MotionSource | None):
        super().__init__(SpatialGuide())
        height, width = self.input_size
        self.space_time = SpaceTime(self.frames, height // 8, width // 8)
        self.source = source
        seen = CHANNELS + WIDTH
        if source is not None:
            self.motion = nn.Sequential(
                nn.Conv2d(source.channels, JOINED, 1), nn.ReLU(),
                nn.Conv2d(JOINED, JOINED, 3, 1, 1), nn.ReLU(),
                nn.Conv2d(JOINED, WIDTH, 3, 1, 1), nn.ReLU(),
            )  # fmt: skip
            self.moving = Probe("motion_feature", "channel y x", 8)
            seen += WIDTH
        self.gather = nn.Conv2d(seen, JOINED, 1)
        self.look = nn.Conv2d(JOINED, JOINED, 3, 1, 1)
        self.add = nn.Conv2d(JOINED, CHANNELS, 1)
        start_at_zero(self.add)
        self.joined = Probe("joined_feature", "channel y x", 4)

    def own(self, frames: Tensor) -> Encoded:
        encoded = super().own(frames)
        if self.source is not None:
            encoded |= self.source.encode(luma_of(frames))
        return encoded

    def appearance(self, window: Encoded) -> Encoded:
        """What the frozen twin makes of a window, for other networks with the same one."""
        return dict(zip(FUSED, super().fuse(window), strict=True))

    def fuse(self, window: Encoded) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if FUSED[0] in window:
            m4, m8, m16, a8 = (window[name] for name in FUSED)
            return m4, m8, m16, a8
        return super().fuse(window)

    def refine(self, fused: Tensor, aligned: Tensor, window: Encoded) -> Tensor:
        seen = [fused, grow(self.space_time(aligned), fused)]
        if self.source is not None:
            with torch.autocast(fused.device.type, enabled=False):
                told = self.source(window)
            seen.append(grow(self.moving(self.motion(told)), fused))
        looked = self.look(functional.relu(self.gather(torch.cat(seen, 1))))
        return fused + self.add(self.joined(functional.relu(looked)))
