"""The video network that both twins are: align four neighbours, weigh the frames, fuse, and read the heatmaps.

The twins differ in their *guide* alone. A guide may (a) propose a displacement before any is learned, (b) gate offsets
and modulation masks, (c) add to the logits of the frame weights. `SpatialGuide` works in pixel space; `FrequencyGuide`
(models/freq_video.py) contains everything that looks at spectra.
The backbone is that of `spatial-frame`, frozen; frames pass it once, however many windows they serve.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.align import AlignFine, AlignScale, grow
from models.network import Encoded, PoseNetwork, density, key_in_each, start_at_zero
from models.probe import Probe
from models.spatial_frame import SpatialFrame

CHANNELS = 64  # of the shared maps at strides 4, 8 and 16
EARLY = 8  # channels of the early features
GLOBAL = 16  # channels of the global branch
FEATURES = ("f4", "f8", "f16")  # of the shared maps, in the encoded window
LUMA = (0.299, 0.587, 0.114)
ALIGNMENT = ("guide.", "early.", "align16.", "align8.", "align4.")  # prefixes of its parameters


class Guide(nn.Module):
    """What the network is told besides its features; this one tells nothing."""

    hints = 0  # further channels for the coarsest alignment
    evidence = 0  # further channels for the frame logits

    def encode(self, luma: Tensor) -> Encoded:
        """Maps of single frames from luma (N, 1, H, W) in [0, 1]."""
        return {}

    def again(self, luma: Tensor) -> Encoded:
        """As `encode`, of pictures that the network made itself: no probe shows them beside the frames."""
        return self.encode(luma)

    def prior(self, window: Encoded, key: int, others: list[int]) -> tuple[Tensor, Tensor] | None:
        """Displacement (B, N, 2, h, w) of N other frames in cells of stride 16, and hints (B, N, ·, h, w)."""
        return None

    def gates(self, key: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Gates of offsets and masks (N, 9, h, w) from maps (N, C, h, w) of stride 8; 1 leaves as is."""
        raise NotImplementedError

    def logit(self, window: Encoded) -> tuple[Tensor, Tensor] | None:
        """Addition to the frame logits (B, T, h, w) and evidence (B, T, ·, h, w), at stride 16."""
        return None


class Gates(nn.Module):
    """From a global description to gates in (0, 2), 1 at the start."""

    def __init__(self, channels: int):
        super().__init__()
        self.out = nn.Conv2d(channels, 18, 1)
        start_at_zero(self.out)
        self.offset_gate = Probe("offset_gate", "tap y x", 8)
        self.mask_gate = Probe("mask_gate", "tap y x", 8)

    def forward(self, described: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.out(functional.relu(described)).float()
        return (
            self.offset_gate(2 * torch.sigmoid(raw[:, :9])),
            self.mask_gate(2 * torch.sigmoid(raw[:, 9:])),
        )


class SpatialGuide(Guide):
    """Pixel space: a large depthwise kernel over the frame difference gates offsets and masks."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, GLOBAL, 1)
        self.wide = nn.Conv2d(GLOBAL, GLOBAL, 15, 1, 7, groups=GLOBAL)
        self.difference = Probe("feature_difference", "channel y x", 8)
        self.learned = Probe("learned_kernel", "channel y x", 8)
        self.described = Probe("spatial_descriptor", "channel y x", 8)
        self.gate = Gates(GLOBAL)

    def gates(self, key: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        difference = self.difference(self.reduce(other) - self.reduce(key))
        kernel = self.learned(self.wide.weight[None, :, 0])[0, :, None]  # (16, 1, 15, 15)
        described = functional.conv2d(difference, kernel, self.wide.bias, padding=7, groups=GLOBAL)
        return self.gate(self.described(described))


class FrameLogits(nn.Module):
    """Which frame to trust where: from features of key and aligned neighbour, and their difference."""

    def __init__(self, evidence: int, frames: int):
        super().__init__()
        self.mix = nn.Conv2d(3 * CHANNELS + EARLY + evidence, 32, 1)
        self.look = nn.Conv2d(32, 32, 3, 1, 1)
        self.out = nn.Conv2d(32, 1, 1)
        start_at_zero(self.out)
        self.slot = nn.Parameter(torch.zeros(frames))  # a learned preference for near frames

    def forward(self, key: Tensor, frames: Tensor, evidence: Tensor) -> Tensor:
        """(B, C, h, w), (B, T, C, h, w), (B, T, ·, h, w) to logits (B, T, h, w)."""
        key = key[:, None].expand_as(frames)
        seen = torch.cat([key, frames, (frames - key).abs(), evidence], 2).flatten(0, 1)
        logits = self.out(functional.relu(self.look(functional.relu(self.mix(seen)))))
        return logits.float().view(frames.shape[0], frames.shape[1], *logits.shape[-2:]) + self.slot[:, None, None]

    def prefer_as(self, shorter: "FrameLogits") -> None:
        """Begin with the preferences of a shorter window; frames beyond it as its outermost ones."""
        first, last = shorter.slot.detach()[[0, -1]]
        more = (len(self.slot) - len(shorter.slot)) // 2
        with torch.no_grad():
            self.slot.copy_(torch.cat([first.expand(more), shorter.slot, last.expand(more)]))


class ChannelAttention(nn.Module):
    """A gain in (0, 2) for each channel of each frame; 1 at the start. Hu et al., Squeeze-and-Excitation, CVPR 2018."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Linear(2 * CHANNELS, 16)
        self.excite = nn.Linear(16, CHANNELS)
        start_at_zero(self.excite)
        self.gain = Probe("channel_attention", "frame channel", 8)

    def forward(self, key: Tensor, frames: Tensor) -> Tensor:
        """(B, C, h, w), (B, T, C, h, w) to gains (B, T, C)."""
        pooled = frames.float().mean((-2, -1))
        both = torch.cat([pooled, pooled - key.float().mean((-2, -1))[:, None]], -1)
        return self.gain(2 * torch.sigmoid(self.excite(functional.relu(self.squeeze(both))).float()))


class VideoNetwork(PoseNetwork):
    """Five frames in (or another odd number), the pose of the middle one out."""

    frames = 5
    backbone_key = "spatial-frame"  # networks with the same key share the result of `shared`
    kept: tuple[str, ...] = ()  # prefixes of parameters that stay as the trained twin has them
    restores = False  # whether the key frame is restored first, so that its true blur says little of it
    privileged = False  # whether training shows it the undegraded key frame
    fourier = False  # whether it is trained with the Fourier heatmap loss, though it looks at no energy

    def __init__(self, guide: Guide, frames: int = frames):
        super().__init__()
        self.frames = frames
        self.frame = SpatialFrame()
        self.frame.requires_grad_(False)
        self.guide = guide
        self.early = nn.Sequential(
            nn.Conv2d(1, EARLY, 7, 4, 3), nn.ReLU(), nn.Conv2d(EARLY, EARLY, 5, 4, 2), nn.ReLU()
        )  # where blur still shows; stride 16
        self.align16 = AlignScale(CHANNELS, EARLY + guide.hints, 16, reach=3, search=3)
        self.align8 = AlignScale(CHANNELS, 0, 8, reach=4, search=2)
        self.align4 = AlignFine(CHANNELS)
        self.logits = FrameLogits(guide.evidence, frames)
        self.attention = ChannelAttention()
        self.squeeze = nn.Conv2d(4 * CHANNELS, 48, 1)
        self.spread = nn.Conv2d(48, 48, 3, 1, 1)
        self.restore = nn.Conv2d(48, CHANNELS, 1)
        start_at_zero(self.restore)
        joints = len(self.skeleton.names)
        self.head4, self.head8, self.head16 = (nn.Conv2d(CHANNELS, joints, 1) for _ in range(3))
        self.feature = Probe("feature", "frame channel y x", 4)
        self.feature8 = Probe("feature", "frame channel y x", 8)
        self.feature16 = Probe("feature", "frame channel y x", 16)
        self.aligned = Probe("aligned_feature", "frame channel y x", 4)
        self.frame_weights = Probe("frame_weights", "frame y x", 8)
        self.heatmap = Probe("heatmap", "joint y x", 4)

    def start_from(self, frame: SpatialFrame) -> None:
        """Take the backbone, and begin with its heads."""
        self.frame.load_state_dict(frame.state_dict())
        joints = len(self.skeleton.names)
        video = slice(frame.convention * joints, (frame.convention + 1) * joints)
        for mine, theirs in (
            (self.head4, frame.head4),
            (self.head8, frame.head8),
            (self.head16, frame.head16),
        ):
            mine.load_state_dict({name: values[video] for name, values in theirs.state_dict().items()})

    def train(self, mode: bool = True) -> "VideoNetwork":
        """The frozen backbone stays in evaluation mode."""
        super().train(mode)
        self.frame.eval()
        return self

    def shared(self, frames: Tensor) -> Encoded:
        """The part of `encode` that networks with the same backbone share."""
        return self.frame.encode(frames)

    def own(self, frames: Tensor) -> Encoded:
        """The part of `encode` that is this network's own, and cheap."""
        luma = luma_of(frames)
        return {"early": self.early(luma * 4 - 2), **self.guide.encode(luma)}

    def encode(self, frames: Tensor) -> Encoded:
        return {**self.shared(frames), **self.own(frames)}

    def estimate(self, window: Encoded) -> Tensor:
        return self.heatmap(density(self.fused_logits(window)))

    def exchanged(self, window: Encoded) -> Iterator[Tensor]:
        """As any network's, but each frame is aligned once, and the key frame to itself, for all windows together."""
        middle, features = self.frames // 2, self._features(window)
        aligned = self.rows(window, features)
        yield self.heatmap(density(self._read(window, *self._fuse(window, *aligned))))

        itself = self._align(window, *features, [middle])
        places = key_in_each(torch.arange(self.frames), torch.tensor(self.frames))  # (T - 1, T)
        rows = [torch.cat([maps[0], last[0]])[places] for maps, last in zip(aligned, itself, strict=True)]
        everything = {name: key_in_each(maps[0]) for name, maps in window.items() if name not in FEATURES}
        yield self.heatmap(density(self._read(everything, *self._fuse(everything, *rows))))

    def fused_logits(self, window: Encoded, rows: tuple[Tensor, ...] = ()) -> Tensor:
        """(B, J, H/4, W/4): what the softmax of `estimate` is taken of; `rows` where they are known."""
        return self._read(window, *(self._fuse(window, *rows) if rows else self.fuse(window)))

    def _read(self, window: Encoded, m4: Tensor, m8: Tensor, m16: Tensor, a8: Tensor) -> Tensor:
        m4 = self.refine(m4, a8, window)
        return (self.head4(m4) + grow(self.head8(m8), m4) + grow(self.head16(m16), m4)).float()

    def fuse(self, window: Encoded) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fused maps (B, C, ·, ·) at strides 4, 8, 16, and the aligned frames (B, T, C, ·, ·) at stride 8."""
        return self._fuse(window, *self.rows(window))

    def rows(self, window: Encoded, features: tuple[Tensor, ...] = ()) -> tuple[Tensor, ...]:
        """Every frame as it is aligned to the key frame, (B, T, C, ·, ·) at strides 4, 8 and 16.

        Args:
            features: of the frames, where they are known.
        """
        middle, (f4, f8, f16) = self.frames // 2, features or self._features(window)
        aligned = self._align(window, f4, f8, f16, [t for t in range(self.frames) if t != middle])
        return tuple(
            torch.stack([*moved.unbind(1)[:middle], whole[:, middle], *moved.unbind(1)[middle:]], 1)
            for moved, whole in zip(aligned, (f4, f8, f16), strict=True)
        )

    def _features(self, window: Encoded) -> tuple[Tensor, Tensor, Tensor]:
        probes = self.feature, self.feature8, self.feature16
        f4, f8, f16 = (probe(window[name].float()) for probe, name in zip(probes, FEATURES, strict=True))
        return f4, self.extract(f8), f16

    def _fuse(self, window: Encoded, a4: Tensor, a8: Tensor, a16: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weigh and fuse aligned frames (B, T, C, ·, ·) of three strides, the key frame in the middle."""
        key4, key8 = (maps[:, self.frames // 2] for maps in (a4, a8))
        a4, a8 = self.aligned(a4), self.interact(a8)
        m4, m8, m16 = self.weighed(window, key8, a4, a8, a16)
        seen = torch.cat([m4, key4, grow(m8, m4), grow(m16, m4)], 1)
        fused = functional.relu(self.spread(functional.relu(self.squeeze(seen))))
        return m4 + self.restore(fused), m8, m16, a8

    def weighed(
        self, window: Encoded, key8: Tensor, a4: Tensor, a8: Tensor, a16: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted sums (B, C, ·, ·) over aligned frames (B, T, C, ·, ·) at strides 4, 8 and 16."""
        early = window["early"].float()
        told = self.guide.logit(window)
        evidence = early if told is None else torch.cat([early, told[1]], 2)
        logits = self.logits(key8, a8, over_frames(evidence, a8))
        if told is not None:
            logits = logits + over_frames(told[0][:, :, None], a8)[:, :, 0]
        weights = self.frame_weights(torch.softmax(logits, 1))  # (B, T, H/8, W/8)
        gain = self.attention(key8, a8)[..., None, None]  # (B, T, C, 1, 1)
        m4, m8, m16 = ((over_frames(weights[:, :, None], maps) * gain * maps).sum(1) for maps in (a4, a8, a16))
        return m4, m8, m16

    def refine(self, fused: Tensor, aligned: Tensor, window: Encoded) -> Tensor:
        """What further streams make of the fused map (B, C, H/4, W/4); aligned frames are (B, T, C, H/8, W/8)."""
        return fused

    def extract(self, maps: Tensor) -> Tensor:
        """What is made of the maps (B, T, C, H/8, W/8) of single frames before they are aligned; here nothing."""
        return maps

    def interact(self, aligned: Tensor) -> Tensor:
        """What is made of aligned maps (B, T, C, H/8, W/8) before the frames are weighed; here nothing."""
        return aligned

    def _align(
        self,
        window: Encoded,
        f4: Tensor,
        f8: Tensor,
        f16: Tensor,
        others: list[int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """N other frames (B, N, C, ·, ·) read where the key frame's content went, at strides 4, 8, 16."""
        batch, count, middle = f4.shape[0], len(others), self.frames // 2
        early = window["early"].float()

        def key(maps: Tensor) -> Tensor:
            return maps[:, middle, None].expand(-1, count, -1, -1, -1).flatten(0, 1)

        def rest(maps: Tensor) -> Tensor:
            return maps[:, others].flatten(0, 1)

        hints = rest(early) - key(early)
        flow = f16.new_zeros(batch * count, 2, *f16.shape[-2:])
        told = self.guide.prior(window, middle, others)
        if told is not None:
            flow = told[0].flatten(0, 1)
            hints = torch.cat([hints, told[1].flatten(0, 1)], 1)
        offset_gate, mask_gate = self.guide.gates(key(f8), rest(f8))
        a16, flow, _ = self.align16(
            key(f16), rest(f16), flow, hints, grow(offset_gate, f16[:, 0]), grow(mask_gate, f16[:, 0])
        )
        flow = grow(flow, f8[:, 0]) * 2
        a8, flow, trunk = self.align8(key(f8), rest(f8), flow, key(f8)[:, :0], offset_gate, mask_gate)
        a4 = self.align4(rest(f4), flow, trunk)
        whole = (batch, count)
        return a4.unflatten(0, whole), a8.unflatten(0, whole), a16.unflatten(0, whole)


def over_frames(maps: Tensor, like: Tensor) -> Tensor:
    """Resize (B, T, C, ·, ·) to the height and width of another such map; weights still sum to 1."""
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return grow(maps.flatten(0, 1), like[:, 0]).unflatten(0, maps.shape[:2])


def luma_of(frames: Tensor) -> Tensor:
    """RGB (N, 3, H, W) to luma (N, 1, H, W), both in [0, 1]."""
    return (frames.float() * frames.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
