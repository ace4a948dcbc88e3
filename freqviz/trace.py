"""What a network showed, as values: the border where tensors become read-only arrays.

Two tiers. A `Trace` is deep: every probed tensor of one window. A `LightTrace` is light: what is worth
keeping of every frame of a clip. Neither holds a tensor or a network, so caches may share them.
Convention: slots of a window run from -(T // 2) to T // 2 around the key frame; a quantity that a network
does not have is NaN (or None where its size would be unknown). A frame axis that is one shorter than the
window leaves the key frame out.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from freqviz import crops, poses
from models.network import PoseNetwork
from models.probe import Probe, probes

BYTES_PER_FRAME = 64_000  # a light trace that is larger is not light
OPTIONAL = ("band_energy", "channel_attention", "feature_energy")  # None where the network does not have it
SLOTS = 5  # of the project's windows; networks of one frame leave them NaN

LIGHT = ("frame_weights", "band_energy", "alignment_offset", "channel_attention", "feature")  # what it is made of

Window = dict[str, Tensor]


@dataclass(frozen=True)
class Record:
    """One probed tensor of one window, without the batch axis; copied and read-only."""

    quantity: str  # word of the glossary
    stage: str  # dotted path of the probe
    axes: tuple[str, ...]
    stride: int  # input pixels per cell; 0 where the quantity has no place in the image
    values: NDArray[Any]

    def __post_init__(self) -> None:
        if self.values.ndim != len(self.axes):
            axes = " ".join(self.axes)
            raise ValueError(f"{self.quantity} at {self.stage} must be ({axes}), got {self.values.shape}")
        object.__setattr__(self, "values", _frozen(self.values))

    @property
    def slots(self) -> NDArray[np.int64]:
        """Slot of each entry of the frame axis, e.g. -2, -1, 1, 2 where the key frame is left out.

        Raises:
            LookupError: no frame axis.
        """
        if "frame" not in self.axes:
            raise LookupError(f"{self.quantity} at {self.stage} has no frame axis, only {' '.join(self.axes)}")
        count = self.values.shape[self.axes.index("frame")]
        slots = np.arange(count + 1 - count % 2) - count // 2
        return slots if count % 2 else slots[slots != 0]


@dataclass(frozen=True)
class Trace:
    """The deep tier: everything that one window showed, in the order of the computation."""

    network: str
    records: tuple[Record, ...]

    @property
    def quantities(self) -> tuple[str, ...]:
        """The words held, each once."""
        return tuple(dict.fromkeys(record.quantity for record in self.records))

    def stages(self, quantity: str) -> tuple[str, ...]:
        """Where a quantity was probed; empty where it was not."""
        return tuple(record.stage for record in self.records if record.quantity == quantity)

    def get(self, quantity: str, stage: str | None = None) -> Record:
        """One record; of several stages the finest (smallest stride), unless one is named.

        Raises:
            LookupError: not held; the message names what is.
        """
        found = [r for r in self.records if r.quantity == quantity and stage in (None, r.stage)]
        if not found:
            if here := self.stages(quantity):
                raise LookupError(f"no {quantity} at '{stage}' in {self.network}; stages: {', '.join(here)}")
            held = ", ".join(self.quantities) or "nothing"
            raise LookupError(f"no {quantity} in {self.network}; trace holds {held}")
        return min(found, key=lambda record: record.stride)

    def save(self, path: Path) -> None:
        """Write one npz: the arrays, and a JSON header that names them."""
        header = [[r.quantity, r.stage, list(r.axes), r.stride] for r in self.records]
        arrays = {f"r{i}": record.values for i, record in enumerate(self.records)}
        np.savez_compressed(path, allow_pickle=False, header=json.dumps([self.network, header]), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Trace":
        """Read what `save` wrote."""
        with np.load(path) as held:
            network, header = json.loads(str(held["header"]))
            records = (Record(q, s, tuple(a), n, held[f"r{i}"]) for i, (q, s, a, n) in enumerate(header))
            return cls(network, tuple(records))


@contextmanager
def watching(
    network: nn.Module, see: Callable[[str, Probe, Tensor], None], only: Mapping[str, Probe] | None = None
) -> Iterator[None]:
    """Call `see(path, probe, tensor)` whenever a tensor passes a probe; no hook survives the block.

    A network may serve several threads: only what this thread computes is seen.

    Args:
        see: gets the tensor itself; what it keeps it must copy.
        only: probes by path; default all of the network.
    """
    thread = threading.get_ident()

    def hook_for(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(probe: nn.Module, inputs: Any, output: Tensor) -> None:
            if threading.get_ident() == thread:
                see(path, probe, output)  # type: ignore[arg-type]

        return hook

    chosen = probes(network) if only is None else only
    handles = [probe.register_forward_hook(hook_for(path)) for path, probe in chosen.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def recording(network: nn.Module, only: Mapping[str, Probe] | None = None) -> Iterator[list[Record]]:
    """Keep what passes probes while the block runs, in the order of the computation.

    Args:
        only: as in `watching`.
    """
    seen: list[Record] = []

    def keep(path: str, probe: Probe, tensor: Tensor) -> None:
        values, axes = tensor.detach().cpu().numpy(), probe.axes
        if values.ndim == len(axes) + 1 and len(values) == 1:
            values = values[0]  # the batch of one window
        elif values.ndim == len(axes) + 1 and "frame" not in axes:
            axes = ("frame", *axes)  # the frames of the window, or its neighbours, one by one
        times = sum(record.stage.split("#")[0] == path for record in seen)
        seen.append(Record(probe.quantity, f"{path}#{times + 1}" if times else path, axes, probe.stride, values))

    with watching(network, keep, only):
        yield seen


@torch.inference_mode()
def trace_window(
    network: PoseNetwork, window: ArrayLike | Tensor | Window, name: str = "", shared: Window | None = None
) -> Trace:
    """Run one window and keep every probed tensor.

    Args:
        network: a PoseNetwork, in eval mode.
        window: frames (T, 3, H, W) RGB in [0, 1]; or encoded frames, each (T, ...), which leaves out what
            only `encode` shows.
        name: of the network in the trace; default its class.
        shared: what the network's `shared` gives for these frames, each (T, ...), where that is known.
    Returns:
        Trace of float arrays on the CPU.
    Raises:
        ValueError: not T frames, or a probe whose tensor has other axes than it says.
    """
    device = next(network.parameters()).device
    with recording(network) as seen:
        if isinstance(window, dict):
            network.estimate({key: maps[None].to(device) for key, maps in window.items()})
        else:
            frames = torch.as_tensor(np.asarray(window) if not isinstance(window, Tensor) else window)
            if frames.ndim != 4 or frames.shape[:2] != (network.frames, 3):
                raise ValueError(f"window must be ({network.frames}, 3, H, W), got {tuple(frames.shape)}")
            frames = frames.to(device, torch.float32)
            if shared is None:
                network(frames[None])
            else:
                encoded = {**shared, **network.own(frames)}  # type: ignore[operator]
                network.estimate({key: maps[None] for key, maps in encoded.items()})
    return Trace(name or type(network).__name__, tuple(seen))


@dataclass(frozen=True)
class LightTrace:
    """The light tier: what one network said about every frame of a clip. N frames, J joints, S slots."""

    network: str
    keypoints: NDArray[np.float64]  # (N, J, 2) x, y; frame pixels
    scores: NDArray[np.float64]  # (N, J) in [0, 1]
    boxes: NDArray[np.float64]  # (N, 4) x, y, w, h; frame pixels: the box that the key frame's window was cut by
    frame_weights: NDArray[np.float64]  # (N, S) mean over the person region; sums to 1, or NaN
    key_box_segment: NDArray[np.int64]  # (N,) which held box, from 0
    band_energy: NDArray[np.float64] | None  # (N, bands) log, of the key frame over the person region
    channel_attention: NDArray[np.float64] | None  # (N, C) of the key frame
    median_offset: NDArray[np.float64]  # (N, S, 2) dx, dy over the person region; input pixels
    effective_frames: NDArray[np.float64]  # (N,) mean over the person region of 1 / sum of squared weights; 1 ... S
    joints: tuple[str, ...] = poses.JOINTS
    feature_energy: NDArray[np.float64] | None = None  # (N,) of the key frame, see `feature_energy` of this module
    first: int = 0  # number in the clip of the first frame: only a part of it may have been looked at

    def __post_init__(self) -> None:
        n, j = np.shape(self.scores) if np.ndim(self.scores) == 2 else (-1, -1)
        s = np.shape(self.frame_weights)[-1] if np.ndim(self.frame_weights) == 2 else -1
        shapes: dict[str, tuple[int | None, ...]] = {
            "scores": (n, j), "keypoints": (n, j, 2), "boxes": (n, 4), "frame_weights": (n, s),
            "key_box_segment": (n,), "band_energy": (n, None), "channel_attention": (n, None),
            "median_offset": (n, s, 2), "effective_frames": (n,), "feature_energy": (n,),
        }  # fmt: skip
        size = 0
        for name, shape in shapes.items():
            if (values := getattr(self, name)) is None and name in OPTIONAL:
                continue
            array = _frozen(values, np.int64 if name == "key_box_segment" else np.float64)
            if array.ndim != len(shape) or any(
                a != b for a, b in zip(array.shape, shape, strict=True) if b is not None
            ):
                raise ValueError(f"{name} of {n} frames, {j} joints, {s} slots must be {shape}, got {array.shape}")
            object.__setattr__(self, name, array)
            size += array.nbytes
        if len(self.joints) != j:
            raise ValueError(f"{j} joints need {j} names, got {len(self.joints)}")
        sums = self.frame_weights.sum(1)
        if not np.all(np.isnan(sums) | (np.abs(sums - 1) < 1e-3)):
            raise ValueError(
                f"frame_weights must sum to 1, got sums from {np.nanmin(sums):.4f} to {np.nanmax(sums):.4f}"
            )
        if size > BYTES_PER_FRAME * max(n, 1):
            raise ValueError(f"a light trace holds at most {BYTES_PER_FRAME} bytes per frame, got {size / n:.0f}")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def slots(self) -> NDArray[np.int64]:
        """(S,) frames from the key frame, e.g. -2 ... 2."""
        count = self.frame_weights.shape[1]
        return np.arange(count) - count // 2

    def window(self, key: int) -> NDArray[np.int64]:
        """(S,) the rows that the window of a key frame shows; a missing neighbour is the key frame."""
        frames = key + self.slots
        return np.where((frames < 0) | (frames >= len(self)), key, frames)

    @property
    def mean_weights(self) -> NDArray[np.float64]:
        """(N,) weight that a frame has on average in the windows that show it; NaN without frame weights."""
        frames = np.arange(len(self))[:, None] + self.slots  # (N, S)
        shown = (frames >= 0) & (frames < len(self))  # in the place of others stands the key frame
        total = np.bincount(frames[shown], self.frame_weights[shown], len(self))
        return total / np.maximum(np.bincount(frames[shown], minlength=len(self)), 1)

    def save(self, path: Path) -> None:
        """Write one npz."""
        np.savez(path, **{f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None})

    @classmethod
    def load(cls, path: Path) -> "LightTrace":
        """Read what `save` wrote, and check it."""
        with np.load(path) as held:
            values = {f.name: held.get(f.name) for f in fields(cls)}
        values["network"], values["joints"] = str(values["network"]), tuple(map(str, values["joints"]))
        values["first"] = int(values["first"])
        return cls(**values)


@torch.inference_mode()
def light_frames(
    network: PoseNetwork,
    encode: Callable[[Tensor], Window],
    frames: Tensor,
    box: ArrayLike,
    light: bool = True,
) -> tuple[Window, dict[str, NDArray[Any]]]:
    """Encode frames, and the part of the light tier that shows while single frames pass.

    Args:
        network: a PoseNetwork, in eval mode.
        encode: its `encode`, or a part of it.
        frames: (N, 3, H, W) in [0, 1], all cut by one box.
        box: (4,) frame pixels; the person region over which maps are averaged.
        light: False for the maps only.
    Returns:
        Maps, each (N, ...); arrays of N rows by the names of `LightTrace`.
    """
    rows: dict[str, Tensor] = {}

    def see(path: str, probe: Probe, tensor: Tensor) -> None:
        if probe.quantity == "band_energy":
            rows["band_energy"] = _cells(tensor, probe, box, network.input_size, keep=("band",)).mean(-1)

    with watching(network, see, only=_light_probes(network) if light else {}):
        maps = encode(frames)
    return maps, {name: values.double().cpu().numpy() for name, values in rows.items()}


@torch.inference_mode()
def light_rows(
    network: PoseNetwork,
    window: Window,
    box: ArrayLike,
    light: bool = True,
) -> dict[str, NDArray[Any]]:
    """Poses of B windows that share one box, and the part of the light tier that shows beside them.

    Args:
        network: a PoseNetwork, in eval mode.
        window: encoded frames, each (B, T, ...), on the network's device.
        box: (4,) frame pixels; also the person region over which maps are averaged.
        light: False for poses only.
    Returns:
        Arrays of B rows by the names of `LightTrace`, without those that the network does not have.
    """
    rows: dict[str, Tensor] = {}
    size, slots, slot = network.input_size, network.frames, network.frames // 2
    batch = len(next(iter(window.values())))

    def see(path: str, probe: Probe, tensor: Tensor) -> None:
        if "frame" not in probe.axes and len(tensor) != batch:  # frames or neighbours stand in the batch
            tensor, probe = tensor.unflatten(0, (batch, -1)), _with_frames(probe)
        if probe.quantity == "feature":
            of_key = tensor[:, slot : slot + 1] if "frame" in probe.axes else tensor
            rows["feature_energy"] = feature_energy(of_key, probe, box, size).reshape(batch)
            return
        keep = tuple(axis for axis in ("frame", "xy", "band", "channel") if axis in probe.axes)
        cells = _cells(tensor, probe, box, size, keep)  # (B, *keep, cells)
        if probe.quantity == "frame_weights":
            rows["frame_weights"] = cells.mean(-1)
            rows["effective_frames"] = (1 / cells.square().sum(1)).mean(-1)
        elif probe.quantity == "alignment_offset":
            moved = _median(cells)  # (B, T or T - 1, 2)
            if moved.shape[1] == slots - 1:  # the key frame is where it is
                moved = torch.cat([moved[:, :slot], torch.zeros_like(moved[:, :1]), moved[:, slot:]], 1)
            rows["median_offset"] = moved
        else:
            values = cells.mean(-1)
            rows[probe.quantity] = values[:, slot] if "frame" in keep else values

    with watching(network, see, only=_light_probes(network) if light else {}):
        heatmaps = network.estimate(window)
    arrays: dict[str, NDArray[Any]] = {name: value.double().cpu().numpy() for name, value in rows.items()}
    points, arrays["scores"] = poses.decode(heatmaps.float().cpu().numpy(), network.stride)
    arrays["keypoints"] = crops.to_frame(points, box, size)
    return arrays


def feature_energy(tensor: Tensor, probe: Probe, box: ArrayLike, size: tuple[int, int]) -> Tensor:
    """How much features vary over the person: log of their variance over its cells, mean over the channels.

    Args:
        tensor: (B, channel, y, x) or (B, frame, channel, y, x), what passed the probe.
        probe: whose axes these are.
        box: (4,) frame pixels; the person region.
        size: (height, width) of the crop; pixels.
    Returns:
        (B,) or (B, frame), natural logarithm, at least that of 1e-12.
    """
    keep = ("frame", "channel") if "frame" in probe.axes else ("channel",)
    cells = _cells(tensor.float(), probe, box, size, keep)  # (B, *keep, cells)
    apart = cells - cells.mean(-1, keepdim=True)  # `var` takes ten times as long on a CPU
    return apart.square().mean((-2, -1)).clamp_min(1e-12).log()


def _median(values: Tensor) -> Tensor:
    """The lower median over the last axis, as `torch.median`, which takes ten times as long on a CPU; NaN if one is."""
    if not values.is_cpu:
        return values.median(-1).values
    array, middle = values.numpy(), (values.shape[-1] - 1) // 2
    found = np.partition(array, middle, axis=-1)[..., middle]
    return torch.from_numpy(np.where(np.isnan(array).any(-1), np.nan, found).astype(array.dtype))


def _light_probes(network: nn.Module) -> dict[str, Probe]:
    """The finest probe of each quantity that the light tier keeps; of equal ones the network's own, not a part's."""
    if network not in _CHOSEN:
        chosen: dict[str, tuple[str, Probe]] = {}
        for path, probe in sorted(probes(network).items(), key=lambda item: (item[1].stride, item[0].count("."))):
            if probe.quantity in LIGHT:
                chosen.setdefault(probe.quantity, (path, probe))
        _CHOSEN[network] = dict(chosen.values())
    return _CHOSEN[network]


_CHOSEN: WeakKeyDictionary[nn.Module, dict[str, Probe]] = WeakKeyDictionary()  # else every step would look again


def _with_frames(probe: Probe) -> Probe:
    return Probe(probe.quantity, " ".join(("frame", *probe.axes)), probe.stride)


def _cells(tensor: Tensor, probe: Probe, box: ArrayLike, size: tuple[int, int], keep: tuple[str, ...]) -> Tensor:
    """(B, *keep, values): all other axes flattened, cells outside the tight person box left out."""
    if tensor.ndim != len(probe.axes) + 1:
        raise ValueError(f"{probe.quantity} must be (B, {', '.join(probe.axes)}), got {tuple(tensor.shape)}")
    axes = list(probe.axes)
    order = [axes.index(name) + 1 for name in keep]
    others = [i + 1 for i, name in enumerate(axes) if name not in (*keep, "y", "x")]
    if "y" not in axes:
        moved = tensor.permute(0, *order, *others)
        return moved.reshape(*moved.shape[: len(keep) + 1], -1)
    moved = tensor.permute(0, *order, *others, axes.index("y") + 1, axes.index("x") + 1)
    upright = tuple(np.asarray(box, np.float64).tolist())
    rows, columns = _person(tuple(moved.shape[-2:]), probe.stride, upright, size)
    inside = moved[..., rows, columns]
    return inside.flatten(len(keep) + 1).contiguous()  # in one order, so that sums round alike


@lru_cache(maxsize=64)  # one box serves many steps
def _person(cells: tuple[int, ...], stride: int, box: tuple[float, ...], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the rectangle that `crops.person_cells` has: the box is upright."""
    mask = crops.person_cells(cells, stride, box, size)
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _frozen(values: ArrayLike, dtype: Any = None) -> NDArray[Any]:
    array = np.array(values, dtype=dtype)  # a copy: an in-place operation after the probe would rewrite it
    array.flags.writeable = False
    return array
