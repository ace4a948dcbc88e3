"""A network from elsewhere in the terms of the project: frames, joints, heatmaps, and what its modules show.

What differs between projects, and is put right here: mean and standard deviation of the input, order of the colours,
names and order of the joints, what a heatmap is, and which pixel its first cell stands for (half a cell is 1.5 pixels).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import JOINTS, Encoded, PoseNetwork, density
from models.probe import Probe

# Names of heatmaps in the order of well-known data sets.
COCO = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
POSETRACK = ("nose", "head bottom", "head top", *COCO[3:])
MPII = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "pelvis", "thorax", "upper neck",
    "head top", "right wrist", "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist",
)  # fmt: skip
JHMDB = (
    "neck", "belly", "face", "right shoulder", "left shoulder", "right hip", "left hip", "right elbow", "left elbow",
    "right knee", "left knee", "right wrist", "left wrist", "right ankle", "left ankle",
)  # fmt: skip
SIGMA = 1.25  # cells: of the Gaussian that the heatmaps of the project are trained towards
SHOULDERS = ("left shoulder", "right shoulder")
STANDS_FOR: dict[str, tuple[str | tuple[str, str], ...]] = {  # the first that there is; of two joints their midpoint
    "head": ("head", "face", "nose", "head top"),
    "neck": ("neck", "upper neck", "head bottom", SHOULDERS),
}
CELLS = ("centres", "corners", "ends")
OUTPUTS = ("heatmaps", "logits")


class Adapter(PoseNetwork):
    """A network that takes normalised frames and gives a heatmap a joint.

    Make a class of it, set what differs, and hand the network, with its trained parameters, to the constructor.

    Attributes:
        frames, input_size, stride: as of every network; T is odd, the key frame in the middle.
        joints: names of the heatmaps in their order, e.g. `COCO`. Those of the project are looked up among them, "head"
            may be face, nose or head top, "neck" head bottom, upper neck or what lies between the shoulders.
        mean, std: of red, green, blue in [0, 1]; what is taken off, and what the rest is divided by.
        bgr: whether it wants blue first, as OpenCV reads.
        output: "heatmaps", trained with squared error: what is below 0 counts as 0, and a map is divided by its sum; or
            "logits", of which the softmax over all cells is taken.
        sigma: cells; of the Gaussian that a sure joint has, as trained towards (2 or 3 in most projects). Densities are
            raised to the power that makes one of 1.25 of it, the project's: else scores, which are the mass near the
            peak, would be low for all joints, and the person would be called lost.
        cells: the pixel that cell i stands for: "centres" stride·i + (stride - 1) / 2, as here; "corners" stride·i, as
            where the target of a joint at x was drawn around x / stride (SimpleBaseline, HRNet, DCPose); "ends"
            i·(W - 1) / (w - 1), first and last in the corners (UDP). Those of the latter two are resampled by splines.
    Raises:
        ValueError: a joint that none of the names stands for, or another word than these.
    """

    joints: Sequence[str] = JOINTS
    mean: Sequence[float] = (0.485, 0.456, 0.406)  # of ImageNet
    std: Sequence[float] = (0.229, 0.224, 0.225)
    middle: Tensor
    spread: Tensor
    bgr = False
    output = "heatmaps"
    sigma = SIGMA
    cells = "centres"

    def __init__(self, network: nn.Module):
        super().__init__()
        for word, known in ((self.output, OUTPUTS), (self.cells, CELLS)):
            if word not in known:
                raise ValueError(f"expected one of {', '.join(known)}, got '{word}'")
        if not self.sigma > 0:
            raise ValueError(f"sigma must be > 0 cells, got {self.sigma}")
        self.network = network
        self.places = _places(self.joints)
        self.register_buffer("middle", torch.tensor(self.mean).view(1, 1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(self.std).view(1, 1, 3, 1, 1), persistent=False)
        self.shown = nn.ModuleDict()
        self.heatmap = Probe("heatmap", "joint y x", self.stride)

    def show(
        self,
        module: str,
        quantity: str,
        axes: str,
        stride: int = 0,
        read: Callable[[Any], Tensor] | None = None,
    ) -> None:
        """Let what a module gives be seen, and changed, like a quantity of the project.

        Args:
            module: its dotted name in the network, e.g. "backbone.layer1".
            quantity, axes, stride: as of a `Probe`. Frames that stand in the batch, (B·T, ...), need no axis of theirs.
            read: makes the tensor of what the module gives, e.g. one of several, or pixels of cells. Then it can only
                be seen.
        Raises:
            LookupError: the network has no such module.
        """
        known = dict(self.network.named_modules())
        if module not in known or not module:
            raise LookupError(f"no module '{module}' in {type(self.network).__name__}")
        probe = Probe(quantity, axes, stride)
        self.shown[f"{module}_{quantity}".replace(".", "_")] = probe

        def see(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if read is None:
                return probe(output)
            probe(read(output))
            return None

        known[module].register_forward_hook(see)

    def call(self, frames: Tensor) -> Tensor:
        """What the network gives; to be written anew where it wants its frames otherwise.

        Args:
            frames: (B, T, 3, H, W) normalised; here one that sees a single frame gets (B, 3, H, W).
        Returns:
            (B, number of `joints`, H / stride, W / stride).
        """
        return self.network(frames[:, 0] if self.frames == 1 else frames)  # type: ignore[no-any-return]

    def encode(self, frames: Tensor) -> Encoded:
        return {"frames": frames}  # what the network makes of single frames is its own matter

    def estimate(self, window: Encoded) -> Tensor:
        frames = (window["frames"] - self.middle) / self.spread
        maps = self.call(frames.flip(2) if self.bgr else frames)
        expected = (len(frames), len(self.joints), *(n // self.stride for n in frames.shape[-2:]))
        if tuple(maps.shape) != expected:
            raise ValueError(f"expected heatmaps {expected}, (B, joints, H / stride, W / stride), got {_told(maps)}")
        maps = _of_our_cells(maps.float(), self.stride, self.cells)
        least = torch.finfo(maps.dtype).tiny  # so that a map of nothing is everywhere alike
        logits = maps if self.output == "logits" else maps.clamp_min(least).log()
        dense = density(logits * (self.sigma / SIGMA) ** 2)
        return self.heatmap(torch.stack([self._joint(dense, place) for place in self.places], 1))  # type: ignore[no-any-return]

    @staticmethod
    def _joint(dense: Tensor, place: tuple[int, ...]) -> Tensor:
        return dense[:, place[0]] if len(place) == 1 else midpoint(dense[:, place[0]], dense[:, place[1]])


def midpoint(a: Tensor, b: Tensor) -> Tensor:
    """Density of the middle between two joints, each of which lies where its own says, whatever the other does.

    The density of a sum is the convolution of both; half of an odd sum lies between two cells, which share it.

    Args:
        a, b: (B, h, w), each map sums to 1.
    Returns:
        (B, h, w), sums to 1.
    """
    h, w = a.shape[-2:]
    size = (2 * h - 1, 2 * w - 1)
    sums = torch.fft.irfft2(torch.fft.rfft2(a, s=size) * torch.fft.rfft2(b, s=size), s=size).clamp_min(0)
    share = a.new_tensor([0.5, 1, 0.5])
    found = functional.conv2d(sums[:, None], (share[:, None] * share)[None, None], stride=2, padding=1)[:, 0]
    return found / found.sum((-2, -1), keepdim=True)


def _places(joints: Sequence[str]) -> list[tuple[int, ...]]:
    """For each joint of the project the heatmap, or the two, that it is read from."""
    known = [" ".join(name.lower().replace("_", " ").split()) for name in joints]
    found: list[tuple[int, ...]] = []
    for joint in JOINTS:
        for name in STANDS_FOR.get(joint, (joint,)):
            parts = (name,) if isinstance(name, str) else name
            if all(part in known for part in parts):
                found.append(tuple(map(known.index, parts)))
                break
        else:
            raise ValueError(f"none of the joints stands for '{joint}', got {', '.join(known)}")
    return found


def _of_our_cells(maps: Tensor, stride: int, cells: str) -> Tensor:
    """Maps (B, J, h, w) whose cells stand for other pixels, read at the centres of ours."""
    if cells == "centres":
        return maps
    along = []
    for count in maps.shape[-2:]:
        pixels = torch.arange(count, device=maps.device) * stride + (stride - 1) / 2
        places = pixels / stride if cells == "corners" else pixels * (count - 1) / (count * stride - 1)
        along.append(_spline(places.clamp(0, count - 1), count))
    rows, columns = along
    return rows @ maps @ columns.T


def _spline(places: Tensor, count: int) -> Tensor:
    """(N, count) what the cubic spline through `count` values, at 0, 1, ..., gives at N places: one row a place."""

    def basis(x: Tensor) -> Tensor:
        x = x.abs()
        return torch.where(x < 1, 2 / 3 - x**2 + x**3 / 2, (2 - x).clamp_min(0) ** 3 / 6)

    knots = torch.arange(count, device=places.device, dtype=places.dtype)
    through = basis(knots[:, None] - knots)
    return torch.linalg.solve(through, basis(places[:, None] - knots), left=False)


def _told(maps: Any) -> str:
    return str(tuple(maps.shape)) if isinstance(maps, Tensor) else type(maps).__name__
