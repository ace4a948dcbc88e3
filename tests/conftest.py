"""Hand-made things that several tests share."""

import os
from functools import cache

import numpy as np
import pytest
import torch
from streamlit.components.v2 import manifest_scanner
from torch import Tensor, nn

from freqviz.clip import Clip
from models.network import Encoded, PoseNetwork, Skeleton, density
from models.probe import Probe

pytest_plugins = ["browsing"]
os.environ["COLUMNS"] = "200"  # commands break no line that a test reads: rich asks when it is imported


@pytest.fixture(scope="session", autouse=True)
def _packages_looked_through_once():
    """For every AppTest Streamlit reads what all installed packages say of themselves, in search of components."""
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


class TinyNetwork(PoseNetwork):
    """The interface of a video network on a few pixels: poses mean nothing, all probes are there."""

    frames = 5
    skeleton = Skeleton()

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Conv2d(3, 4, 5, 4, 2)
        self.head = nn.Conv2d(4, 14, 3, 1, 1)
        self.encoded_frames = 0
        self.energy = Probe("band_energy", "band y x", 16)  # frame by frame, inside encode
        self.feature = Probe("feature", "frame channel y x", 4)
        self.logits = Probe("energy_logit", "frame y x", 8)
        self.weights = Probe("frame_weights", "frame y x", 8)
        self.coarse = Probe("alignment_offset", "tap xy y x", 16)  # neighbours stand in the batch
        self.offset = Probe("alignment_offset", "tap xy y x", 8)
        self.attention = Probe("channel_attention", "frame channel")
        self.difference = Probe("difference_spectrum", "channel v u", 8)
        self.filter = Probe("learned_filter", "channel v u", 8)
        self.described = Probe("spectral_descriptor", "channel y x", 8)
        self.heatmap = Probe("heatmap", "joint y x", 4)
        self.shares = Probe("spectral_weights", "frame window v u", 1)
        self.restored = Probe("restored_picture", "colour y x", 1)

    def encode(self, frames: Tensor) -> Encoded:
        return {**self.shared(frames), **self.own(frames)}

    def shared(self, frames: Tensor) -> Encoded:
        self.encoded_frames += len(frames)
        return {"maps": self.stem(frames)}

    def own(self, frames: Tensor) -> Encoded:
        return {"energy": self.energy(nn.functional.avg_pool2d(frames, 16).log1p())}

    def estimate(self, window: Encoded) -> Tensor:
        maps = self.feature(window["maps"])  # (B, T, 4, 48, 36)
        coarse = nn.functional.avg_pool2d(maps.flatten(0, 1), 2).unflatten(0, maps.shape[:2])
        weights = self.weights(torch.softmax(self.logits(20 * coarse.square().mean(2)), 1))  # (B, T, 24, 18)
        slots = maps.new_tensor([-2.0, -1.0, 1.0, 2.0]).repeat(len(maps)).view(-1, 1, 1, 1, 1)
        offset = slots * maps.new_tensor([2.0, -1.0]).view(1, 1, 2, 1, 1)
        self.coarse(100 * offset.expand(-1, 9, -1, 12, 9))
        self.offset(offset.expand(-1, 9, -1, 24, 18))
        gain = self.attention(torch.sigmoid(maps.mean((3, 4))))  # (B, T, 4)
        others = (coarse[:, [0, 1, 3, 4]] - coarse[:, 2:3]).flatten(0, 1)
        spectrum = self.difference(torch.fft.rfft2(others, norm="ortho"))
        learned = self.filter(torch.fft.rfft2(self.stem.weight[:, 0], s=others.shape[-2:])[None])[0]
        self.described(torch.fft.irfft2(spectrum * learned, s=others.shape[-2:], norm="ortho"))
        full = nn.functional.interpolate(weights, maps.shape[-2:])
        fused = (maps * full[:, :, None] * gain[..., None, None]).sum(1)
        self.shares(weights.mean((2, 3))[:, :, None, None, None].expand(-1, -1, 1, 96, 37))
        self.restored(torch.sigmoid(nn.functional.interpolate(fused[:, :3], scale_factor=4)))
        return self.heatmap(density(30 * self.head(fused)))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def tiny() -> TinyNetwork:
    return TinyNetwork().eval()


def walking_frames(count: int, step: float = 3.0, size: tuple[int, int] = (120, 160)) -> list[np.ndarray]:
    """A textured block of 24 x 48 pixels that moves `step` pixels per frame over a textured ground."""
    rng = np.random.default_rng(7)
    ground = rng.integers(60, 100, (*size, 3), dtype=np.uint8)
    block = rng.integers(150, 255, (48, 24, 3), dtype=np.uint8)
    frames = []
    for i in range(count):
        frame = ground.copy()
        left = 20 + round(i * step)
        frame[40:88, left : left + 24] = block[:, : max(0, size[1] - left)]
        frames.append(frame)
    return frames


@pytest.fixture
def walk() -> Clip:
    """20 frames in which something walks from x = 20 to x = 77, 24 wide and 48 tall at y = 40."""
    return Clip.from_frames(walking_frames(20), fps=25)


class FollowingNetwork(PoseNetwork):
    """Knows what is bright: its 14 joints stand along the left and right edge of the bright cells."""

    frames = 5

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.encoded_frames = 0

    def encode(self, frames: Tensor) -> Encoded:
        self.encoded_frames += len(frames)
        return {"light": nn.functional.avg_pool2d(frames.mean(1, keepdim=True), 4)}

    def estimate(self, window: Encoded) -> Tensor:
        key = window["light"][:, self.frames // 2, 0]  # (B, 48, 36)
        maps = torch.zeros(len(key), 14, *key.shape[1:])
        for b, light in enumerate(key):
            rows, columns = torch.nonzero(light > 0.5, as_tuple=True)
            if not len(rows):
                continue
            ys = torch.linspace(int(rows.min()), int(rows.max()), 7)
            for j in range(14):
                x = (columns.min() if j < 7 else columns.max()).item()
                y = ys[j % 7].item()
                grid_y, grid_x = torch.meshgrid(torch.arange(48.0), torch.arange(36.0), indexing="ij")
                maps[b, j] = -((grid_x - x) ** 2 + (grid_y - y) ** 2)
        return density(maps)


@pytest.fixture
def following() -> FollowingNetwork:
    return FollowingNetwork().eval()
