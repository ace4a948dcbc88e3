"""Deformable alignment of neighbour frames to the key frame, coarse to fine; the identity at the start of training.

Convention: offsets point from a place of the key frame to where the neighbour is read: (dx, dy), inside the network in
cells of the map, at the probes in input pixels.
Ideas: modulated deformable convolution (Zhu et al., DCNv2, CVPR 2019), pyramid of offsets (Wang et al., EDVR, 2019),
alignment of pose features (Liu et al., DCPose, CVPR 2021 and FAMI-Pose, CVPR 2022), what is left to move read from a
small correlation volume of the features (Sun et al., PWC-Net, CVPR 2018).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import start_at_zero
from models.probe import Probe


def sample(x: Tensor, places: Tensor) -> Tensor:
    """Bilinear samples, zero outside.

    Args:
        x: (N, C, H, W).
        places: (N, 2, h, w) x and y in cells of x; the centre of the first cell is 0.
    Returns:
        (N, C, h, w).
    """
    height, width = x.shape[-2:]
    size = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=x.device, dtype=torch.float32)
    grid = 2 * places.float().permute(0, 2, 3, 1) / size - 1
    return functional.grid_sample(x.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def cells(height: int, width: int, device: torch.device) -> Tensor:
    """(2, height, width): x and y of every cell."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])


def taps(count: int) -> Tensor:
    """(count, 2): regular places of a 3x3 (9) or 1x1 (1) kernel, row by row, as dx, dy."""
    reach = {1: 0, 9: 1}[count]
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    return torch.stack([steps.repeat(len(steps)), steps.repeat_interleave(len(steps))], 1)


def deformable(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Depthwise modulated deformable convolution.

    y_c(p) = sum over k of weight_ck · mask_gk(p) · x_c(p + p_k + offset_gk(p)), g the group of channel c.

    Args:
        x: (N, C, H, W).
        offset: (N, G, K, 2, H, W) dx, dy; cells.
        mask: (N, G, K, H, W).
        weight: (C, K).
    Returns:
        (N, C, H, W) float32.
    Reference:
        Zhu et al., Deformable ConvNets v2, CVPR 2019, eq. 1 (here one filter a channel).
    """
    n, c, h, w = x.shape
    _, groups, count = offset.shape[:3]
    base = cells(h, w, x.device) + taps(count).to(x.device)[:, :, None, None]  # (K, 2, H, W)
    places = (offset.float() + base).flatten(0, 1)  # (N·G, K, 2, H, W)
    places = places.permute(0, 2, 1, 3, 4).flatten(2, 3)  # (N·G, 2, K·H, W)
    read = sample(x.reshape(n * groups, c // groups, h, w), places)
    read = read.view(n, groups, c // groups, count, h, w) * mask.float()[:, :, None]
    return (read * weight.view(groups, c // groups, count, 1, 1)).sum(3).flatten(1, 2)


def correlation(key: Tensor, other: Tensor, reach: int) -> Tensor:
    """Cosine of each place's features and those of the other map up to `reach` cells away.

    Args:
        key, other: (N, C, h, w).
    Returns:
        (N, (2 reach + 1)^2, h, w) in [-1, 1], displacements row by row; 0 where the other map ends.
    Reference:
        Sun et al., PWC-Net, CVPR 2018, eq. 2 (here of unit features).
    """
    a, b = (functional.normalize(maps.float(), dim=1) for maps in (key, other))
    side, (height, width) = 2 * reach + 1, a.shape[-2:]
    b = functional.pad(b, (reach,) * 4)
    near = [(a * b[..., v : v + height, u : u + width]).sum(1) for v in range(side) for u in range(side)]
    return torch.stack(near, 1)


def identity_taps(channels: int, count: int) -> nn.Parameter:
    """(channels, count) filter that copies the centre."""
    weight = torch.zeros(channels, count)
    weight[:, count // 2] = 1
    return nn.Parameter(weight)


class AlignScale(nn.Module):
    """Nine-tap alignment at one stride: a trunk looks at both frames, their difference and correlation, and bends taps.

    Args:
        reach: cells that an offset adds at most to what coarser scales say.
        search: cells around that place whose correlation the trunk sees.
    """

    def __init__(self, channels: int, hints: int, stride: int, reach: float, search: int):
        super().__init__()
        self.reach, self.search, self.stride = reach, search, stride
        self.mix = nn.Conv2d(3 * channels + (2 * search + 1) ** 2 + hints, 48, 1)
        self.trunk = nn.Conv2d(48, 32, 3, 1, 1)
        self.out = nn.Conv2d(32, 27, 3, 1, 1)  # nine taps of dx, dy, mask
        start_at_zero(self.out)
        self.weight = identity_taps(channels, 9)
        self.offset = Probe("alignment_offset", "tap xy y x", stride)
        self.mask = Probe("modulation_mask", "tap y x", stride)

    def forward(
        self, key: Tensor, other: Tensor, flow: Tensor, hints: Tensor, offset_gate: Tensor, mask_gate: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Align.

        Args:
            key, other: (N, C, h, w).
            flow: (N, 2, h, w) what coarser scales say; cells.
            hints: (N, ·, h, w) further inputs of the trunk.
            offset_gate, mask_gate: (N, 9, h, w), 1 leaves as is.
        Returns:
            aligned (N, C, h, w); flow of the centre tap (N, 2, h, w) cells; trunk (N, 32, h, w).
        """
        moved = sample(other, flow + cells(flow.shape[-2], flow.shape[-1], flow.device))
        alike = 4 * correlation(key, moved, self.search)  # of the scale of the features
        seen = functional.relu(self.mix(torch.cat([key, moved, moved - key, hints, alike], 1)))
        trunk = functional.relu(self.trunk(seen))
        raw = self.out(trunk).float().unflatten(1, (9, 3))  # (N, tap, dx dy m, h, w)
        bent = self.reach * torch.tanh(raw[:, :, :2] / self.reach) * offset_gate[:, :, None]
        offset = self.offset((flow[:, None] + bent) * self.stride) / self.stride
        mask = self.mask(2 * torch.sigmoid(raw[:, :, 2]) * mask_gate)
        aligned = deformable(other, offset[:, None], mask[:, None], self.weight)
        return aligned, offset[:, 4], trunk


class AlignFine(nn.Module):
    """One tap in four groups at stride 4, steered by the trunk of stride 8: half the cost of a trunk of its own."""

    def __init__(self, channels: int, groups: int = 4):
        super().__init__()
        self.groups = groups
        self.out = nn.Conv2d(32, 3 * groups, 3, 1, 1)
        start_at_zero(self.out)
        self.weight = identity_taps(channels, 1)
        self.offset = Probe("alignment_offset", "tap xy y x", 4)
        self.mask = Probe("modulation_mask", "tap y x", 4)

    def forward(self, other: Tensor, flow: Tensor, trunk: Tensor) -> Tensor:
        """(N, C, h, w) moved by flow (N, 2, h/2, w/2) in cells of stride 8."""
        raw = self.out(trunk).float().unflatten(1, (self.groups, 3))
        bent = flow[:, None] + 3 * torch.tanh(raw[:, :, :2] / 3)
        offset = grow(bent.flatten(1, 2), other).unflatten(1, (self.groups, 2)) * 2
        offset = self.offset(offset * 4) / 4
        mask = self.mask(grow(2 * torch.sigmoid(raw[:, :, 2]), other))
        return deformable(other, offset[:, :, None], mask[:, :, None], self.weight)


def grow(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize to the height and width of another map."""
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
