"""`global-filter`: learned complex filters over whole maps between the stages of `spatial-frame`.

Idea: Rao et al., Global Filter Networks for Image Classification, NeurIPS 2021. A filter multiplies the spectrum of
each channel: a depthwise circular convolution as large as the map. It stands behind the stages of strides 8, 16 and 32,
in a residual branch that says nothing at the start. The stages themselves are those of the trained `spatial-frame`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import start_at_zero
from models.probe import Probe
from models.spatial_frame import Backbone, SpatialFrame, SpatialFrameConfig


class GlobalFilter(nn.Module):
    """irfft2(K · rfft2(x)), orthonormal, periodic at the borders.

    Args:
        channels: of the map.
        size: (height, width) of the map that the filter was made for; on others it is resized.
    Reference:
        Rao et al., NeurIPS 2021, eq. 4 and algorithm 1; initialised as there, N(0, .02).
    """

    def __init__(self, channels: int, size: tuple[int, int], stride: int):
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.randn(channels, size[0], size[1] // 2 + 1, 2) * 0.02)  # real, imaginary
        self.learned = Probe("learned_filter", "channel v u", stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W) float32."""
        size = (x.shape[-2], x.shape[-1])
        filters = self.learned(torch.view_as_complex(self.weight.float().contiguous())[None])[0]
        filters = resized(filters, self.size, size)
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        return torch.fft.irfft2(spectrum * filters, s=size, norm="ortho")


def resized(filters: Tensor, size: tuple[int, int], wanted: tuple[int, int]) -> Tensor:
    """A frequency response sampled more or less densely, through the centred plane.

    The whole plane is periodic in frequency, so it is continued beyond its edges before it is interpolated linearly at
    the frequencies k / N of the wanted size.

    Args:
        filters: (..., h, w // 2 + 1) complex half planes in the order of `rfft2`.
        size: (h, w) of the map they are for; wanted: (H, W).
    Returns:
        (..., H, W // 2 + 1) complex.
    """
    if size == wanted:
        return filters
    kernel = torch.fft.irfft2(filters, s=size)
    plane = torch.fft.fftshift(torch.fft.fft2(kernel), (-2, -1))
    for axis, (old, new) in zip((-2, -1), zip(size, wanted, strict=True), strict=True):
        frequency = torch.fft.fftshift(torch.fft.fftfreq(new, device=plane.device))
        place = frequency * old + old // 2
        below = place.floor()
        share = (place - below).view(-1, *[1] * (-1 - axis)).to(plane.real.dtype)
        first, second = (plane.index_select(axis, (below.long() + step) % old) for step in (0, 1))
        plane = first * (1 - share) + second * share
    return torch.fft.ifftshift(plane, (-2, -1))[..., : wanted[1] // 2 + 1]


class FilterBlock(nn.Module):
    """x + MLP(norm(filter(norm(x)))): one residual around both, as published; the MLP begins as zero."""

    def __init__(self, channels: int, size: tuple[int, int], stride: int):
        super().__init__()
        self.before, self.filter = nn.BatchNorm2d(channels), GlobalFilter(channels, size, stride)
        self.after, self.grow = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 1)
        self.shrink = nn.Conv2d(channels, channels, 1)
        start_at_zero(self.shrink)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.after(self.filter(self.before(x)))
        return x + self.shrink(functional.gelu(self.grow(mixed)))


class FilterBackbone(Backbone):
    """`Backbone` with a block of global filters behind the stages of strides 8, 16 and 32."""

    def __init__(self, config: SpatialFrameConfig, size: tuple[int, int]):
        super().__init__(config)
        self.blocks = nn.ModuleList(
            FilterBlock(width, (-(-size[0] // stride), -(-size[1] // stride)), stride)
            for width, stride in zip(config.widths[1:], (8, 16, 32), strict=True)
        )

    def stage(self, number: int, x: Tensor) -> Tensor:
        x = super().stage(number, x)
        return self.blocks[number - 1](x) if number else x


class GlobalFilterNetwork(SpatialFrame):
    """One frame, filtered as a whole; see the module."""

    backbone_key = None  # shares its maps with no other network
    kept = ("backbone.stem.", "backbone.stages.")

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FilterBackbone(self.config, self.input_size)
