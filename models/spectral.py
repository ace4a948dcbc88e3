"""What several networks share of spectra: the half plane of `rfft2`, learned complex filters, energies of rings.

Convention: transforms in float32 with norm="ortho" and the size given; a filter multiplies the half plane of `rfftn`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import start_at_zero
from models.probe import Probe


def radii(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """(height, width // 2 + 1): |frequency| of the bins of rfft2; cycles/pixel."""
    return torch.hypot(
        torch.fft.fftfreq(height, device=device)[:, None], torch.fft.rfftfreq(width, device=device)[None]
    )


def counted(width: int, device: torch.device | None = None) -> Tensor:
    """(width // 2 + 1,): how often each column of rfft2 counts in a sum over the whole plane, once or twice."""
    twice = torch.full((width // 2 + 1,), 2.0, device=device)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return twice


class LearnedFilter(nn.Module):
    """Multiply the spectrum of each channel by a learned complex filter; passes everything at the start.

    Its last axes are those of `size`: two of them filter (v, u), three filter (ω, v, u).

    Args:
        channels: of the maps.
        size: of the axes that are transformed, e.g. (H, W) or (T, H, W).
        stride: input pixels per cell.
    Reference:
        Rao et al., GFNet, NeurIPS 2021.
    """

    def __init__(self, channels: int, size: tuple[int, ...], stride: int):
        super().__init__()
        self.size = size
        start = torch.zeros(channels, *size[:-1], size[-1] // 2 + 1, 2)
        start[..., 0] = 1
        self.filter = nn.Parameter(start)
        axes = "channel v u" if len(size) == 2 else "channel w v u"
        self.learned = Probe("learned_filter" if len(size) == 2 else "temporal_filter", axes, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, *size) to the same, float32."""
        axes = tuple(range(-len(self.size), 0))
        learned = self.learned(torch.view_as_complex(self.filter.float())[None])
        spectrum = torch.fft.rfftn(maps.float(), dim=axes, norm="ortho")
        return torch.fft.irfftn(spectrum * learned, s=self.size, dim=axes, norm="ortho")


class SpatialFrequencyBranch(nn.Module):
    """x + P([K * x ; irfft2(W · rfft2(IN(x)))]): a wide depthwise kernel K beside a learned filter W, both global.

    P is 0 at the start, so that the branch says nothing. Reconstruction of the spatial-frequency branch of
    Li et al., MFPI, ICCV 2023, from its description.
    """

    def __init__(self, channels: int, size: tuple[int, int], stride: int, kernel: int = 13):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, affine=True)
        self.filter = LearnedFilter(channels, size, stride)
        self.wide = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels)
        self.project = nn.Conv2d(2 * channels, channels, 1)
        start_at_zero(self.project)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        filtered = self.filter(self.norm(maps))
        return maps + self.project(functional.relu(torch.cat([self.wide(maps), filtered.to(maps.dtype)], 1)))


def ring_energies(maps: Tensor, rings: int) -> Tensor:
    """Mean of |rfft2|² over rings of equal width up to .5 cycles/cell; corners belong to the last, the mean to none.

    Args:
        maps: (N, C, H, W).
        rings: how many, >= 1.
    Returns:
        (N, C, rings) squared unit of the maps.
    """
    h, w = maps.shape[-2:]
    power = torch.fft.rfft2(maps.float(), norm="ortho").abs().square()
    times = counted(w, maps.device).expand(h, -1).clone()
    times[0, 0] = 0
    ring = (radii(h, w, maps.device) * 2 * rings).long().clamp_max(rings - 1)
    member = functional.one_hot(ring, rings).float() * times[..., None]  # (h, w // 2 + 1, rings)
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("nchw,hwr->ncr", power, member) / member.sum((0, 1)).clamp_min(1)
