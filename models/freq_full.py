"""`freq-full`: frequency in extraction, in temporal interaction and in optimisation.

To `spatial-video` it adds (1) a learned filter over (u, v) beside a wide kernel on the maps of single frames at stride
8; (2) a learned filter over (u, v, ω): the aligned maps are transformed over time and space together, multiplied and
brought back; (3) a Fourier heatmap loss in training. The form "conv3d" has two depthwise 3-D convolutions in the place
of (2), 54 multiply-adds per value where the transforms take about 58, and is otherwise the same.
The window is five frames; the forms "T9" and "T15" see nine and fifteen, and "T5" was trained beside them, on the
middle frames of the same windows; "T5-conv3d" and so on likewise.
Ideas: Rao et al., GFNet, NeurIPS 2021 (learned global filters); Qu et al., CVPR 2023 (spectra of heatmaps).
"""

import torch
from torch import Tensor, nn

from models.network import start_at_zero
from models.probe import Probe
from models.spectral import LearnedFilter, SpatialFrequencyBranch
from models.video import ALIGNMENT, CHANNELS, SpatialGuide, VideoNetwork

LENGTHS = (5, 9, 15)  # of windows that are compared with each other


class TemporalInteraction(nn.Module):
    """x + P(M(x)) over whole windows; M mixes places and times of each channel, P channels; P is 0 at the start."""

    def __init__(self, mix: nn.Module):
        super().__init__()
        self.mix = mix
        self.project = nn.Conv3d(CHANNELS, CHANNELS, 1)
        start_at_zero(self.project)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, T, C, H, W) to the same."""
        volume = maps.transpose(1, 2)  # (B, C, T, H, W)
        return maps + self.project(self.mix(volume).to(maps.dtype)).transpose(1, 2)


class FreqFull(VideoNetwork):
    """Frames filtered one by one, aligned, and filtered once more through time and space together."""

    variants = ("conv3d", *(f"T{length}{form}" for length in LENGTHS for form in ("", "-conv3d")))
    kept = ALIGNMENT
    fourier = True  # trained with the Fourier heatmap loss

    def __init__(self, variant: str = "") -> None:
        if variant not in ("", *self.variants):
            raise LookupError(f"freq-full has no form '{variant}'; known forms: {', '.join(self.variants)}")
        length = variant.rpartition("T")[2].partition("-")[0]
        super().__init__(SpatialGuide(), int(length) if length.isdigit() else FreqFull.frames)
        size = (self.input_size[0] // 8, self.input_size[1] // 8)
        self.branch = SpatialFrequencyBranch(CHANNELS, size, 8)
        mix = LearnedFilter(CHANNELS, (self.frames, *size), 8) if "conv3d" not in variant else DepthwiseVolume()
        self.temporal = TemporalInteraction(mix)
        self.mixed = Probe("temporal_feature", "frame channel y x", 8)

    def extract(self, maps: Tensor) -> Tensor:
        return self.branch(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])

    def interact(self, aligned: Tensor) -> Tensor:
        return self.mixed(self.temporal(aligned))


class DepthwiseVolume(nn.Module):
    """Two depthwise 3 x 3 x 3 convolutions: what the filter over (u, v, ω) is compared with."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv3d(CHANNELS, CHANNELS, 3, 1, 1, groups=CHANNELS) for _ in range(2))

    def forward(self, volume: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        return self.second(torch.relu(self.first(volume)))
