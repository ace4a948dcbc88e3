"""`spatial-frame`: one frame through a residual backbone, a top-down path and a heatmap head.

Ideas: residual blocks (He et al., CVPR 2016), heatmaps by a light decoder (Xiao et al., SimpleBaseline, ECCV 2018),
maps of several strides kept and fused (Sun et al., HRNet, CVPR 2019; Lin et al., FPN, CVPR 2017).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import Encoded, PoseNetwork, density
from models.probe import Probe


def unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a short cut."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = unit(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)  # starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.second(self.first(x))))


@dataclass(frozen=True)
class SpatialFrameConfig:
    joints: int = 14
    conventions: int = 2  # LSPET and JHMDB place hips, neck and head differently: one head each
    stem: int = 24
    widths: tuple[int, int, int, int] = (48, 96, 192, 256)  # at strides 4, 8, 16, 32
    depths: tuple[int, int, int, int] = (0, 2, 3, 1)  # residual blocks; at stride 4 they cost most
    fused: int = 64  # channels of the maps that the video networks share, at each stride


class Backbone(nn.Module):
    """Frame to fused maps at strides 4, 8 and 16."""

    mean: Tensor

    def __init__(self, config: SpatialFrameConfig):
        super().__init__()
        a, b, c, d = config.widths
        self.stem = nn.Sequential(unit(3, config.stem, 3, 2), unit(config.stem, a, 3, 2))
        self.stages = nn.ModuleList()
        for inputs, width, depth in zip((a, a, b, c), config.widths, config.depths, strict=True):
            down = [] if width == a and not len(self.stages) else [unit(inputs, width, 3, 2)]
            self.stages.append(nn.Sequential(*down, *[Residual(width) for _ in range(depth)]))
        self.context = unit(d, c, 1)
        self.side16, self.out16 = unit(c, c, 1), unit(c, b)
        self.side8, self.out8 = unit(b, b, 1), unit(b, b)
        self.side4, self.out4 = unit(a, config.fused, 1), unit(config.fused, config.fused)
        self.down8 = unit(b, config.fused, 1)
        self.share16, self.share8 = unit(b, config.fused, 1), unit(b, config.fused, 1)
        self.register_buffer("mean", torch.tensor([0.44, 0.42, 0.39]).view(1, 3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Encoded:
        s4 = self.stage(0, self.stem((frames - self.mean) * 4))  # (N, 48, H/4, W/4)
        return self.fused(s4, self.stage(1, s4))

    def stage(self, number: int, x: Tensor) -> Tensor:
        """The next coarser map."""
        return self.stages[number](x)

    def fused(self, s4: Tensor, s8: Tensor) -> Encoded:
        """From maps at strides 4 and 8: deeper, and from the top down again."""
        s16 = self.stage(2, s8)
        s32 = self.context(self.stage(3, s16))
        f16 = self.out16(self.side16(s16) + enlarge(s32, s16))  # (N, 96, H/16, W/16)
        f8 = self.out8(self.side8(s8) + enlarge(f16, s8))  # (N, 96, H/8, W/8)
        f4 = self.out4(self.side4(s4) + enlarge(self.down8(f8), s4))  # (N, 64, H/4, W/4)
        return {"f4": f4, "f8": self.share8(f8), "f16": self.share16(f16)}


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize to the height and width of another map."""
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class SpatialFrame(PoseNetwork):
    """Backbone and heatmap head; `convention` chooses whose joints (0 LSPET, 1 JHMDB) it speaks."""

    backbone_key: str | None = "spatial-frame"
    kept: tuple[str, ...] = ()  # prefixes of parameters that stay as the trained `spatial-frame` has them

    def __init__(self, config: SpatialFrameConfig | None = None):
        super().__init__()
        self.config = config or SpatialFrameConfig()
        self.convention = 1
        self.backbone = Backbone(self.config)
        joints = self.config.joints * self.config.conventions
        self.head4 = nn.Conv2d(self.config.fused, joints, 1)
        self.head8 = nn.Conv2d(self.config.fused, joints, 1)  # also keeps the maps at strides 8 and 16 in use
        self.head16 = nn.Conv2d(self.config.fused, joints, 1)
        self.feature4 = Probe("feature", "channel y x", 4)
        self.feature8 = Probe("feature", "channel y x", 8)
        self.feature16 = Probe("feature", "channel y x", 16)
        self.heatmap = Probe("heatmap", "joint y x", 4)

    def train(self, mode: bool = True) -> "SpatialFrame":
        """What is kept stays in evaluation mode."""
        super().train(mode)
        for name, part in self.named_modules():
            if f"{name}.".startswith(self.kept):
                part.eval()
        return self

    def encode(self, frames: Tensor) -> Encoded:
        return self.backbone(frames)

    def shared(self, frames: Tensor) -> Encoded:
        """All of `encode`: the video networks share it."""
        return self.encode(frames)

    def own(self, frames: Tensor) -> Encoded:
        """Nothing of its own."""
        return {}

    def logits(self, f4: Tensor, f8: Tensor, f16: Tensor) -> Tensor:
        """(N, conventions · J, H/4, W/4): the sum of what the three strides say."""
        return self.head4(f4) + enlarge(self.head8(f8), f4) + enlarge(self.head16(f16), f4)

    def estimate(self, window: Encoded) -> Tensor:
        f4, f8, f16 = (window[name][:, 0] for name in ("f4", "f8", "f16"))
        logits = self.logits(self.feature4(f4), self.feature8(f8), self.feature16(f16))
        first = self.convention * self.config.joints
        return self.heatmap(density(logits[:, first : first + self.config.joints]))
