"""`freq-deblur`: restores the key frame from five blurred ones; `spatial-frame` finds the pose on what it restored.

Four steps, each guided by spectra: (1) extraction, a learned complex filter beside a depthwise kernel; (2) alignment,
with frame differences among its inputs, whose offsets and modulation masks are gated by the spectrum of the difference;
(3) aggregation in overlapping windows, where each frame gives each frequency by its energy there, since blur takes
energy away; (4) a spectral loss in training. What is found is added to the key frame, nothing at the start of training.
The variant "spatial" is the twin: 15 x 15 kernels in the place of filters, weights of places in the place of weights of
frequencies, no spectral loss.
Ideas: Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023 (reconstructed from its
abstract, there is no public code); Delbracio and Sapiro, Fourier Burst Accumulation, CVPR 2015 (weights by
energy); Wang et al., EDVR, 2019 (alignment before restoration); Ronneberger et al., U-Net, 2015.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.align import AlignScale, cells, grow, sample
from models.freq_video import SpectralGates
from models.network import Encoded, PoseNetwork, start_at_zero
from models.probe import Probe
from models.spatial_frame import SpatialFrame
from models.spectral import LearnedFilter, radii
from models.video import GLOBAL, LUMA, SpatialGuide

WIDTH = 32  # channels of the maps at strides 2, 4 and 8
TILE = (96, 72)  # height, width of a window of the aggregation, input pixels; they overlap by half
RINGS = 8  # of frequency, up to .5 cycles/pixel, between which exponents are interpolated
NOISE = 2e-5  # squared grey: energy below it is noise and tells nothing
EXPONENT = 4.0  # of the amplitude, at the start; the larger, the more the sharpest frame counts


class Wide(nn.Module):
    """Two branches that a 1 x 1 convolution joins: a depthwise 5 x 5 kernel, and one that sees the whole map.

    The latter is a learned filter, or, in the twin, a depthwise 15 x 15 kernel; both of GLOBAL channels.
    """

    def __init__(self, size: tuple[int, int], spectral: bool):
        super().__init__()
        self.near = nn.Conv2d(WIDTH, WIDTH, 5, 1, 2, groups=WIDTH)
        self.reduce = nn.Conv2d(WIDTH, GLOBAL, 1)
        self.norm = nn.InstanceNorm2d(GLOBAL)
        self.far: nn.Module = (
            LearnedFilter(GLOBAL, size, 8) if spectral else nn.Conv2d(GLOBAL, GLOBAL, 15, 1, 7, groups=GLOBAL)
        )
        self.join = nn.Conv2d(WIDTH + GLOBAL, WIDTH, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, WIDTH, h, w) to the same."""
        with torch.autocast(maps.device.type, enabled=False):
            far = self.far(self.norm(self.reduce(maps.float())))
        return maps + self.join(functional.relu(torch.cat([self.near(maps), far.to(maps.dtype)], 1)))


class AlignPicture(nn.Module):
    """Offsets and a mask at stride 4, from what stride 8 says; by them pictures and maps of neighbours are read."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * WIDTH + 32, 24, 1)
        self.look = nn.Conv2d(24, 24, 3, 1, 1)
        self.out = nn.Conv2d(24, 3, 3, 1, 1)  # dx, dy, mask
        start_at_zero(self.out)
        self.offset = Probe("alignment_offset", "tap xy y x", 4)
        self.mask = Probe("modulation_mask", "tap y x", 4)

    def forward(self, key: Tensor, other: Tensor, flow: Tensor, trunk: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets (N, 2, h, w) in cells and masks (N, h, w) in (0, 1) of maps (N, C, h, w).

        Args:
            flow: (N, 2, h/2, w/2) in cells of stride 8; trunk: (N, 32, h/2, w/2).
        """
        coarse = grow(flow, key) * 2
        moved = moved_by(other, coarse)
        seen = torch.cat([key, moved, moved - key, grow(trunk, key)], 1)
        raw = self.out(functional.relu(self.look(functional.relu(self.mix(seen))))).float()
        offset = self.offset((coarse + 3 * torch.tanh(raw[:, :2] / 3))[:, None] * 4)[:, 0] / 4
        return offset, self.mask(torch.sigmoid(raw[:, 2:] + 2))[:, 0]


class FrameTrust(nn.Module):
    """Logit of each aligned frame at each place, from its features and how they differ from those of the key frame."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * WIDTH, 16, 1)
        self.out = nn.Conv2d(16, 1, 3, 1, 1)
        start_at_zero(self.out)
        self.slot = nn.Parameter(torch.zeros(5))

    def forward(self, key: Tensor, frames: Tensor) -> Tensor:
        """(B, C, h, w), (B, T, C, h, w) to (B, T, h, w)."""
        key = key[:, None].expand_as(frames)
        seen = torch.cat([key, frames, (frames - key).abs()], 2).flatten(0, 1)
        logits = self.out(functional.relu(self.mix(seen))).float().view(*frames.shape[:2], *frames.shape[-2:])
        return logits + self.slot[:, None, None]


class PlaceWeights(nn.Module):
    """The twin's aggregation: a weighted mean of the pictures at every place."""

    def forward(self, pictures: Tensor, logits: Tensor) -> Tensor:
        """Pictures (B, T, 3, H, W), logits (B, T, h, w) to (B, 3, H, W)."""
        weights = torch.softmax(grow(logits, pictures[:, 0]), 1)
        return (pictures * weights[:, :, None]).sum(1)


class EnergyWeights(nn.Module):
    """A weighted mean of the pictures at every frequency, in overlapping windows: more energy, more weight.

    weight_i(f) = softmax over frames i of power(|f|) · log amplitude_i(f) + slot_i(|f|) + the window's mean logit.

    Reference:
        Delbracio and Sapiro, CVPR 2015, eq. 6: weights |F|^p, here with p learned for each ring.
    """

    tiles: Tensor
    rings: Tensor

    def __init__(self, height: int, width: int, frames: int):
        super().__init__()
        self.corners = [(y, x) for y in steps(height, TILE[0]) for x in steps(width, TILE[1])]
        tiles = [taper(TILE[0], y, height)[:, None] * taper(TILE[1], x, width) for y, x in self.corners]
        self.register_buffer("tiles", torch.stack(tiles), persistent=False)  # (P, h, w), squares sum to 1
        place = (radii(*TILE) * 2 * (RINGS - 1)).clamp_max(RINGS - 1)
        hats = (1 - (place - torch.arange(RINGS)[:, None, None]).abs()).clamp_min(0)
        self.register_buffer("rings", hats, persistent=False)  # (R, h, w // 2 + 1), sum to 1
        self.power = nn.Parameter(torch.full((RINGS,), EXPONENT))
        self.slot = nn.Parameter(torch.zeros(frames, RINGS))
        self.energy = Probe("spectral_energy", "frame window v u", 1)
        self.weights = Probe("spectral_weights", "frame window v u", 1)

    def forward(self, pictures: Tensor, logits: Tensor) -> Tensor:
        """Pictures (B, T, 3, H, W), logits (B, T, h, w) to (B, 3, H, W)."""
        size = pictures.shape[-2:]
        spectra = torch.fft.rfft2(self.cut(pictures) * self.tiles, norm="ortho")  # (B, T, 3, P, h, w // 2 + 1)
        power = spectra.abs().square().mean(2)
        energy = self.energy(torch.log(smoothed(power) + NOISE))  # (B, T, P, h, w // 2 + 1)
        near = (self.cut(grow(logits, pictures[:, 0])) * self.tiles.square()).sum((-2, -1))
        near = near / self.tiles.square().sum((-2, -1))  # (B, T, P)
        told = 0.5 * torch.einsum("r,rvu->vu", self.power, self.rings) * energy
        told = told + torch.einsum("tr,rvu->tvu", self.slot, self.rings)[:, None] + near[..., None, None]
        weights = self.weights(torch.softmax(told, 1))
        mixed = torch.fft.irfft2((spectra * weights[:, :, None]).sum(1), s=TILE, norm="ortho") * self.tiles
        whole = mixed.new_zeros(*mixed.shape[:2], *size)
        for number, (y, x) in enumerate(self.corners):
            whole[..., y : y + TILE[0], x : x + TILE[1]] += mixed[:, :, number]
        return whole

    def cut(self, maps: Tensor) -> Tensor:
        """(..., H, W) to windows (..., P, h, w)."""
        return torch.stack([maps[..., y : y + TILE[0], x : x + TILE[1]] for y, x in self.corners], -3)


def steps(total: int, size: int) -> list[int]:
    """Where windows of a size begin that overlap by half and end with the whole."""
    return list(range(0, total - size + 1, size // 2))


def taper(size: int, start: int, total: int) -> Tensor:
    """A window along one axis whose squares sum to 1 with those of its neighbours; flat where the whole ends."""
    line = torch.sin(math.pi * (torch.arange(size) + 0.5) / size)
    if start == 0:
        line[: size // 2] = 1
    if start + size == total:
        line[size // 2 :] = 1
    return line


def smoothed(power: Tensor) -> Tensor:
    """Mean of each bin of half planes (..., v, u) and its neighbours up to two bins away; v goes around."""
    flat = power.flatten(0, -3)[:, None]
    flat = functional.pad(functional.pad(flat, (0, 0, 2, 2), "circular"), (2, 2, 0, 0), "replicate")
    return functional.avg_pool2d(flat, 5, 1).view(power.shape)


def moved_by(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps (N, C, h, w) read where a flow (N, 2, h, w) in cells points; beyond the edge, at the edge."""
    height, width = maps.shape[-2:]
    places = flow + cells(height, width, flow.device)
    x, y = places[:, 0].clamp(0, width - 1), places[:, 1].clamp(0, height - 1)
    return sample(maps, torch.stack([x, y], 1))


class Restorer(PoseNetwork):
    """Five blurred frames in, the middle one restored; finds no pose itself."""

    frames = 5
    variants = ("spatial",)

    def __init__(self, variant: str = "") -> None:
        super().__init__()
        self.spectral = variant != "spatial"
        height, width = self.input_size
        coarse = (height // 8, width // 8)
        self.shrink4 = nn.Conv2d(3 * 16, WIDTH, 3, 1, 1)
        self.shrink8 = nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)
        self.extract = Wide(coarse, self.spectral)
        self.guide: SpectralGates | SpatialGuide = (
            SpectralGates(*coarse, WIDTH) if self.spectral else SpatialGuide(WIDTH)
        )
        self.align8 = AlignScale(WIDTH, 16, 8, reach=4, search=3)
        self.align4 = AlignPicture()
        self.trust = FrameTrust()
        self.aggregate: EnergyWeights | PlaceWeights = (
            EnergyWeights(height, width, self.frames) if self.spectral else PlaceWeights()
        )
        self.share = nn.Parameter(torch.zeros(()))  # of the aggregated picture in the result
        self.enter = nn.Conv2d(12 * (self.frames + 1), WIDTH, 3, 1, 1)
        self.down4 = nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)
        self.mix4 = nn.Conv2d(3 * WIDTH, WIDTH, 1)
        self.down8 = nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)
        self.mix8 = nn.Conv2d(2 * WIDTH, WIDTH, 1)
        self.deep = Wide(coarse, self.spectral)
        self.up4 = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.up2 = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.leave = nn.Conv2d(WIDTH, 12, 3, 1, 1)
        for layer in (self.shrink4, self.shrink8, self.enter, self.down4, self.down8, self.up4, self.up2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        start_at_zero(self.leave)
        self.feature = Probe("feature", "frame channel y x", 4)
        self.aligned = Probe("aligned_picture", "frame colour y x", 1)
        self.frame_weights = Probe("frame_weights", "frame y x", 4)
        self.aggregated = Probe("aggregated_picture", "colour y x", 1)
        self.restored = Probe("restored_picture", "colour y x", 1)

    def encode(self, frames: Tensor) -> Encoded:
        f4 = functional.relu(self.shrink4(functional.pixel_unshuffle(4 * frames - 2, 4)))
        f8 = self.extract(functional.relu(self.shrink8(f4)))
        return {"picture": frames, "f4": f4, "f8": f8}

    def picture(self, frames: Tensor) -> Tensor:
        """Windows (B, T, 3, H, W) in [0, 1] to their restored key frames (B, 3, H, W) in [0, 1]."""
        return self.shown(self.encoded(frames))

    def shown(self, window: Encoded) -> Tensor:
        """The restored key frames of encoded windows (B, 3, H, W) in [0, 1]."""
        return self.restored(self.restore(window).clamp(0, 1))

    def restore(self, window: Encoded) -> Tensor:
        """The restored key frames of encoded windows (B, 3, H, W), with what lies outside [0, 1]."""
        picture, f4, f8 = window["picture"].float(), self.feature(window["f4"].float()), window["f8"].float()
        middle = self.frames // 2
        key, k4 = picture[:, middle], f4[:, middle]
        pictures, a4, a8 = self._align(picture, f4, f8, middle)
        pictures = self.aligned(pictures)
        logits = self.trust(k4, a4)
        weights = self.frame_weights(torch.softmax(logits, 1))
        with torch.autocast(key.device.type, enabled=False):
            mean = self.aggregated(self.aggregate(pictures, logits.float()))
        m4 = (a4 * weights[:, :, None]).sum(1)
        m8 = (a8 * functional.avg_pool2d(weights, 2)[:, :, None]).sum(1)

        seen = functional.pixel_unshuffle(torch.cat([mean, pictures.flatten(1, 2)], 1) * 4 - 2, 2)
        e2 = functional.relu(self.enter(seen))
        e4 = functional.relu(self.mix4(torch.cat([functional.relu(self.down4(e2)), m4, k4], 1)))
        e8 = functional.relu(self.mix8(torch.cat([functional.relu(self.down8(e4)), m8], 1)))
        d4 = functional.relu(self.up4(e4 + grow(self.deep(e8), e4)))
        d2 = functional.relu(self.up2(e2 + grow(d4, e2)))
        residual = functional.pixel_shuffle(self.leave(d2).float(), 2)
        return key + self.share * (mean - key) + residual

    def _align(self, picture: Tensor, f4: Tensor, f8: Tensor, middle: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, T, 3, H, W) and maps (B, T, C, ·, ·) of strides 4 and 8, neighbours moved onto the key frame.

        Where the mask doubts a neighbour, the key frame stands in its picture.
        """
        others = [t for t in range(self.frames) if t != middle]
        shape = (len(picture), len(others))

        def key(maps: Tensor) -> Tensor:
            return maps[:, middle, None].expand(-1, shape[1], -1, -1, -1).flatten(0, 1)

        def rest(maps: Tensor) -> Tensor:
            return maps[:, others].flatten(0, 1)

        def whole(moved: Tensor, maps: Tensor) -> Tensor:
            held = list(moved.to(maps.dtype).unflatten(0, shape).unbind(1))
            return torch.stack([*held[:middle], maps[:, middle], *held[middle:]], 1)

        luma = (picture * picture.new_tensor(LUMA).view(1, 1, 3, 1, 1)).sum(2, keepdim=True)
        differences = functional.pixel_unshuffle(4 * functional.avg_pool2d(rest(luma) - key(luma), 2), 4)
        flow = f8.new_zeros(shape[0] * shape[1], 2, *f8.shape[-2:])
        with torch.autocast(f8.device.type, enabled=False):
            gate = self.guide if isinstance(self.guide, SpectralGates) else self.guide.gates
            gates = gate(key(f8), rest(f8))
        a8, flow, trunk = self.align8(key(f8), rest(f8), flow, differences, *gates)
        offset, mask = self.align4(key(f4), rest(f4), flow, trunk)
        a4 = moved_by(rest(f4), offset)
        place, doubt = grow(4 * offset, picture[:, 0]), 1 - grow(mask[:, None], picture[:, 0])
        moved = moved_by(rest(picture), place)
        moved = moved + doubt * (key(picture) - moved)
        return whole(moved, picture), whole(a4, f4), whole(a8, f8)


class FreqDeblur(Restorer):
    """The restored key frame is shown to a frozen `spatial-frame`."""

    def __init__(self, variant: str = "") -> None:
        super().__init__(variant)
        self.frame = SpatialFrame()
        self.frame.requires_grad_(False)

    def train(self, mode: bool = True) -> "FreqDeblur":
        """The frozen network for poses stays in evaluation mode."""
        super().train(mode)
        self.frame.eval()
        return self

    def estimate(self, window: Encoded) -> Tensor:
        picture = self.shown(window)
        return self.frame.estimate({name: maps[:, None] for name, maps in self.frame.encode(picture).items()})
