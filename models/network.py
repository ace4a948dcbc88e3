"""What every network of the project offers."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist",
    "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head",
)  # fmt: skip
EDGES = (
    (0, 1), (1, 2), (2, 12), (3, 12), (3, 4), (4, 5), (6, 7), (7, 8), (8, 12), (9, 12), (9, 10), (10, 11), (12, 13),
)  # fmt: skip
FLIPS = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)  # a joint's name in the mirror


@dataclass(frozen=True)
class Skeleton:
    """Names, edges and mirror partners of the joints a network predicts."""

    names: tuple[str, ...] = JOINTS
    edges: tuple[tuple[int, int], ...] = EDGES
    flips: tuple[int, ...] = FLIPS


Network = TypeVar("Network", bound=nn.Module)
Encoded = dict[str, Tensor]  # maps of single frames, each (N, ...); of windows, each (B, T, ...)


class PoseNetwork(nn.Module):
    """From frames to heatmaps, in two steps: `encode` sees one frame at a time, `estimate` a window of them."""

    frames = 1  # of a window; the key frame is the middle one
    input_size = (192, 144)  # height, width: the resolution that the persons of JHMDB and LSPET have
    stride = 4  # input pixels per heatmap cell
    skeleton = Skeleton()
    variants: tuple[str, ...] = ()  # other forms of the class, each with a checkpoint of its own

    def encode(self, frames: Tensor) -> Encoded:
        """Maps of single frames.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1].
        """
        raise NotImplementedError

    def estimate(self, window: Encoded) -> Tensor:
        """Heatmaps of the key frame.

        Args:
            window: maps of encoded frames, each (B, T, ...).
        Returns:
            (B, J, H/4, W/4) densities: each map sums to 1.
        """
        raise NotImplementedError

    def exchanged(self, window: Encoded) -> Iterator[Tensor]:
        """Heatmaps of one window as it is, then with the key frame in the place of each neighbour.

        Until the first is given, probes show what `estimate` of the window shows, and nothing else.

        Args:
            window: maps of encoded frames, each (1, T, ...).
        Yields:
            (1, J, H/4, W/4) densities; then (T - 1, J, H/4, W/4), one for each slot but the middle one.
        """
        yield self.estimate(window)
        yield self.estimate({name: key_in_each(maps[0]) for name, maps in window.items()})

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] to heatmaps (B, J, H/4, W/4)."""
        return self.estimate(self.encoded(frames))

    def encoded(self, frames: Tensor) -> Encoded:
        """Windows (B, T, 3, H, W) in [0, 1], encoded: maps (B, T, ...), as `estimate` takes them.

        Raises:
            ValueError: other shapes.
        """
        if frames.ndim != 5 or frames.shape[1] != self.frames or frames.shape[2] != 3:
            raise ValueError(f"frames must be (B, {self.frames}, 3, H, W), got {tuple(frames.shape)}")
        encoded = self.encode(frames.flatten(0, 1))
        return {name: maps.unflatten(0, frames.shape[:2]) for name, maps in encoded.items()}


def key_in_each(frames: Tensor, key: Tensor | None = None) -> Tensor:
    """(T, ...) frames to (T - 1, T, ...): windows in which a neighbour, each in turn, is the key frame instead.

    Args:
        key: (...) what stands for it; None: the middle frame.
    """
    middle = len(frames) // 2
    others = [slot for slot in range(len(frames)) if slot != middle]
    rows = frames.repeat(len(others), *[1] * frames.ndim)
    rows[range(len(others)), others] = frames[middle] if key is None else key
    return rows


def density(logits: Tensor) -> Tensor:
    """Softmax over the cells of each map; (..., h, w), float32."""
    return torch.softmax(logits.float().flatten(-2), -1).view(logits.shape)


def parameters_hash(network: nn.Module) -> str:
    """SHA-256 over the names and values of all that a network would save."""
    found = hashlib.sha256()
    for name, values in network.state_dict().items():
        found.update(name.encode())
        found.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


def start_at_zero(layer: nn.Module) -> None:
    """Set all parameters of a layer to 0, so that it says nothing at the start of training."""
    for values in layer.parameters():
        nn.init.zeros_(values)


def channels_last(network: Network) -> Network:
    """The same network with filters in the memory order that convolutions on a CPU prefer."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
