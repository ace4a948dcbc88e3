"""`dct-input`: the block DCT of the picture in the place of the stem, and a gate that learns which coefficients count.

Idea: Xu et al., Learning in the Frequency Domain, CVPR 2020. The crop becomes 8 x 8 blocks of luma and colour
differences, a channel for each of the 192 coefficients; a gate of one bit a channel and picture switches them off. In
the usual form a block is a cell of stride 8, of which the map at stride 4 is unfolded; the variant "x2" enlarges the
crop first, so that a block is a cell of stride 4. All behind stride 8 is `spatial-frame`, unchanged: what is trained is
shown its maps at strides 4 and 8 as well as the poses.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import Encoded
from models.probe import Probe
from models.spatial_frame import Backbone, SpatialFrame, SpatialFrameConfig, unit

BLOCK = 8
CHANNELS = 3 * BLOCK * BLOCK
COUNTS = (24, 48, 64, 192)  # channels of the curve: the network has learned to do with so few
YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # ITU-R BT.601, JPEG


def cosines(size: int = BLOCK) -> Tensor:
    """(frequency, place) orthonormal DCT-II: c_k cos(pi (2 n + 1) k / (2 size))."""
    k, n = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    rows = torch.cos(math.pi * (2 * n + 1) * k / (2 * size)) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


class BlockDCT(nn.Module):
    """Orthonormal DCT-II of the 8 x 8 blocks of Y, Cb and Cr, as one fixed convolution.

    Reference:
        Wallace, The JPEG still picture compression standard, IEEE Trans. Consumer Electronics 1992.
    """

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        rows = cosines()
        planes = torch.einsum("vy,ux->vuyx", rows, rows).flatten(0, 1)  # (64, 8, 8), v down and u across
        weight = torch.tensor(YCBCR)[:, None, :, None, None] * planes[None, :, None]  # (3, 64, 3, 8, 8)
        self.register_buffer("weight", weight.flatten(0, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1], sides divisible by 8, to (N, 192, H/8, W/8): Y, Cb, Cr, each 64 row by row.

        Raises:
            ValueError: a side is no multiple of 8.
        """
        if frames.shape[-2] % BLOCK or frames.shape[-1] % BLOCK:
            raise ValueError(f"the sides of a picture must be multiples of {BLOCK}, got {tuple(frames.shape[-2:])}")
        with torch.autocast(frames.device.type, enabled=False):  # bf16 has no more than three digits
            return functional.conv2d(frames.float(), self.weight, stride=BLOCK)


class ChannelGate(nn.Module):
    """One bit a channel and picture, from the mean size of its coefficients; straight-through in training.

    In training every other batch is left only some of the channels, those that were most used so far: so that the
    network can do with fewer afterwards (`count`).

    Reference:
        Xu et al., CVPR 2020, section 3.3; Jang et al., Categorical reparameterization with Gumbel-softmax, ICLR 2017.
    """

    used: Tensor
    count: int = CHANNELS
    closes: bool = True  # False: in training everything passes, until the layers behind have learned from it

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Linear(CHANNELS, 48), nn.Linear(48, CHANNELS)
        nn.init.normal_(self.excite.weight, std=1e-3)
        nn.init.constant_(self.excite.bias, 2.0)  # 88 % on at the start
        v, u = torch.meshgrid(torch.arange(BLOCK), torch.arange(BLOCK), indexing="ij")
        order = torch.stack([v + u + late for late in (0, 4, 4)]).flatten()  # low frequencies and luma first
        self.register_buffer("used", 0.9 - 0.01 * order)  # (192,) how often each was on, a moving average
        self.rate = Probe("gate_rate", "colour v u")
        self.bit = Probe("channel_gate", "channel")

    def forward(self, coefficients: Tensor) -> Tensor:
        """Normalised coefficients (N, 192, h, w) to bits (N, 192), 0 or 1; in training with the gradient of p."""
        pooled = coefficients.float().abs().mean((-2, -1))
        logit = self.excite(functional.relu(self.squeeze(pooled))).float()
        if not self.training:
            return self.bit((logit > 0).float() * self.kept(self.count))
        if not self.closes:
            return self.bit(torch.ones_like(logit))
        p = torch.sigmoid(logit)
        noise = torch.rand_like(p).clamp(1e-6, 1 - 1e-6)
        hard = (logit + torch.log(noise) - torch.log1p(-noise) > 0).float()
        with torch.no_grad():
            self.used.lerp_(p.mean(0), 0.01)
            count = COUNTS[int(torch.randint(len(COUNTS) - 1, ()))] if torch.rand(()) < 0.5 else CHANNELS
        return self.bit((hard + (p - p.detach())) * self.kept(count))

    def kept(self, count: int) -> Tensor:
        """(192,) 1 for the `count` most used channels, else 0."""
        if not 1 <= count <= CHANNELS:
            raise ValueError(f"a network has 1 to {CHANNELS} channels of coefficients, got {count}")
        used = self.rate(self.used.view(1, 3, BLOCK, BLOCK)).flatten()
        kept = torch.zeros_like(used)
        kept[used.topk(count).indices] = 1
        return kept


class DctBackbone(Backbone):
    """`Backbone` whose maps at strides 4 and 8 begin with coefficients."""

    gate: ChannelGate

    def __init__(self, config: SpatialFrameConfig, enlarge: int):
        super().__init__(config)
        self.enlarge = enlarge
        del self.stem
        a, b = config.widths[:2]
        self.dct, self.gate = BlockDCT(), ChannelGate()
        self.norm = nn.BatchNorm2d(CHANNELS, momentum=0.02, affine=False)
        self.coefficient = Probe("dct_coefficient", "channel y x", BLOCK // enlarge)
        if enlarge == 1:
            self.fine = nn.Conv2d(CHANNELS, 4 * a, 1, bias=False)  # to the four cells of stride 4 in a block
            self.fine_norm, self.coarse = nn.BatchNorm2d(a), unit(CHANNELS, b, 1)
            self.stages[1] = nn.Sequential(nn.Identity(), *list(self.stages[1].children())[1:])  # no step from stride 4
        else:
            self.fine, self.fine_norm = nn.Conv2d(CHANNELS, a, 1, bias=False), nn.BatchNorm2d(a)
        self.across = unit(a, a)  # a block knows nothing of its neighbours

    def begin(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4 and 8, and the bits of the gate."""
        if self.enlarge > 1:
            frames = functional.interpolate(frames, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        coefficients = self.norm(self.dct(frames))  # mean and deviation of each over the training frames
        bits = self.gate(coefficients)
        coefficients = self.coefficient(coefficients * bits[..., None, None])
        fine = self.fine(coefficients)
        if self.enlarge == 1:
            fine = functional.pixel_shuffle(fine, 2)
        s4 = self.across(functional.relu(self.fine_norm(fine)))
        return s4, self.stages[1](s4 if self.enlarge > 1 else self.coarse(coefficients)), bits

    def forward(self, frames: Tensor) -> Encoded:
        s4, s8, bits = self.begin(frames)
        return {**self.fused(s4, s8), "gate": bits}


class DctInput(SpatialFrame):
    """One frame as its block DCT; see the module."""

    backbone_key = None  # shares its maps with no other network
    variants = ("x2",)
    kept = (
        *(f"backbone.{part}" for part in ("stages.2.", "stages.3.", "context.", "side", "out", "down8.", "share")),
        "head",
    )

    def __init__(self, variant: str = ""):
        super().__init__()
        self.backbone: DctBackbone = DctBackbone(self.config, 2 if variant == "x2" else 1)

    def use(self, count: int) -> None:
        """Let only the `count` most used channels through; 192 are all."""
        self.backbone.gate.kept(count)
        self.backbone.gate.count = count
