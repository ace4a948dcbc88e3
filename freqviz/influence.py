"""What one frame did for the pose: exchange it, rerun only what follows, and see how far each joint moves.

A frame weight says how large a share a frame has in a sum; it does not say what that share changed. Two exchanges tell:

*Influence*: everything encoded of one neighbour, features and the network's own inputs, becomes the key frame's.
With p_j the joint found in the window and p_j^s the one found when slot s holds the key frame,

    influence(s, j) = |p_j^s - p_j|        in pixels of the frame, or divided by max(w, h) of the person box.

It is 0 where a network ignores its neighbours, at the key slot by definition, and where the clip has no neighbour.

*Intervention*: one frame is blurred, lit or made noisy, and passes the backbone again; the others do not.

Convention: slots run from -(T // 2) to T // 2; keypoints and boxes in frame pixels. Functions take indices into the
clip given; what they find names frames by their number in the whole clip (`clip.first` more, where it is a part).
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from freqviz import blur, boxes, crops, poses, run, sharpness, spectra, windows
from freqviz.clip import Clip
from freqviz.devices import Device
from freqviz.trace import Record, Trace, Window, feature_energy, light_frames, light_rows, recording, watching
from models.network import PoseNetwork
from models.probe import Probe, probes

KEPT = 160  # frames after a backbone, about 0.6 MB each


class Kept:
    """Frames of one clip that passed a backbone last: windows that overlap share them, and networks on one backbone."""

    def __init__(self, clip: Clip):
        self.clip = clip
        self._maps: OrderedDict[tuple[str, int, bytes], Window] = OrderedDict()
        self._lock = threading.Lock()

    def shared(self, network: PoseNetwork, frames: Sequence[int], box: ArrayLike) -> Window | None:
        """What the network's `shared` gives for some frames, each (N, ...); None where it shares nothing.

        Args:
            network: a PoseNetwork, in eval mode.
            frames: indices into the clip; one may come twice.
            box: (4,) that all are cut by; frame pixels.
        """
        with self._lock:
            keys = self._hold(network, frames, box)
            found = [self._maps[key] for key in keys]
        return {part: torch.stack([one[part] for one in found]) for part in found[0]} if found else None

    def hold(self, network: PoseNetwork, frames: Sequence[int], box: ArrayLike) -> bool:
        """Have what `shared` will be asked for; whether the network shares anything."""
        with self._lock:
            return bool(self._hold(network, frames, box))

    def _hold(self, network: PoseNetwork, frames: Sequence[int], box: ArrayLike) -> list[tuple[str, int, bytes]]:
        """The keys of the frames' maps, which are there now; none where the network shares nothing."""
        if (backbone := getattr(network, "backbone_key", None)) is None:
            return []
        checked = boxes.checked(box)
        keys = {i: (f"{backbone} {network.input_size}", i, checked.tobytes()) for i in sorted(set(frames))}
        new = [i for i, key in keys.items() if key not in self._maps]
        if new:
            cuts = np.stack([crops.cut(self.clip[i], checked, network.input_size) for i in new])
            with torch.inference_mode():
                maps = network.shared(windows.to_tensor(cuts, _device(network)))  # type: ignore[operator]
            self._maps |= {keys[i]: {part: one[n] for part, one in maps.items()} for n, i in enumerate(new)}
        for key in keys.values():
            self._maps.move_to_end(key)
        while len(self._maps) > max(KEPT, len(keys)):
            self._maps.popitem(last=False)
        return [keys[i] for i in frames]


@dataclass(frozen=True)
class EncodedWindow:
    """The window of one key frame after the backbone: T frames whose maps can be exchanged."""

    network: PoseNetwork
    name: str
    first: int  # number in the whole clip of the clip's first frame
    key: int  # index into the clip, as are frames
    frames: tuple[int, ...]  # (T,) shown by each slot; a missing neighbour is the key frame
    box: boxes.Box  # (4,) x, y, w, h that all were cut by; frame pixels
    maps: Window  # each (T, ...)
    energy: NDArray[np.float64] | None  # (T, bands) the network's own log energies over the person, if it has any
    records: tuple[Record, ...] = ()  # what showed on the way

    @property
    def slots(self) -> NDArray[np.int64]:
        """(T,) frames from the key frame."""
        return np.arange(len(self.frames)) - len(self.frames) // 2


@dataclass(frozen=True)
class Influence:
    """How far each joint moves when a slot holds the key frame. S slots, J joints."""

    network: str
    key: int  # number of the key frame
    box: NDArray[np.float64]  # (4,) x, y, w, h; frame pixels
    slots: NDArray[np.int64]  # (S,)
    frames: NDArray[np.int64]  # (S,) numbers
    joints: tuple[str, ...]
    keypoints: NDArray[np.float64]  # (S, J, 2) frame pixels, found with slot s exchanged; as found at the key slot
    weights: NDArray[np.float64]  # (S,) of the window as it is, mean over the person; NaN without frame weights
    joint_weights: NDArray[np.float64]  # (S, J) in the cell where the joint was found; NaN without frame weights

    @property
    def pixels(self) -> NDArray[np.float64]:
        """(S, J) frame pixels, >= 0; 0 at the key slot."""
        return np.linalg.norm(self.keypoints - self.keypoints[len(self.slots) // 2], axis=-1)

    @property
    def side(self) -> float:
        """The longer side of the person box, by which fractions are taken; frame pixels."""
        return float(max(self.box[2:]))

    @property
    def mean(self) -> NDArray[np.float64]:
        """(S,) mean over the joints; frame pixels."""
        return self.pixels.mean(1)

    @property
    def neighbours(self) -> NDArray[np.bool_]:
        """(S,) slots that show another frame than the key frame."""
        return self.frames != self.key

    def table(self) -> pd.DataFrame:
        """A row a slot and joint: model, key_frame, slot, frame, joint, influence_px, influence_box, weight."""
        s, j = self.pixels.shape
        return pd.DataFrame(
            {
                "model": self.network,
                "key_frame": self.key,
                "slot": np.repeat(self.slots, j),
                "frame": np.repeat(self.frames, j),
                "joint": np.tile(self.joints, s),
                "influence_px": self.pixels.ravel(),
                "influence_box": self.pixels.ravel() / self.side,
                "weight": self.joint_weights.ravel(),
            }
        )


@dataclass(frozen=True)
class Change:
    """What is done to one frame, in this order: motion blur and gain in linear light, then noise."""

    length: float = 0.0  # of the motion blur, frame pixels, >= 0
    angle: float = 0.0  # of the motion, radians from x towards y
    sigma: float = 0.0  # of white noise, fraction of the grey range, >= 0
    gain: float = 1.0  # times the light, > 0

    @property
    def nothing(self) -> bool:
        """Whether the frame stays as it is."""
        return self.length == 0 and self.sigma == 0 and self.gain == 1

    def applied(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The changed frame, (H, W, 3) uint8; the noise is the same each time.

        Raises:
            ValueError: a value is out of range.
        """
        changed = blur.motion_blur(frame, self.length, self.angle)
        if self.gain != 1:
            changed = blur.exposure(changed, self.gain)
        return blur.noise(changed, self.sigma, np.random.default_rng(0))


@dataclass(frozen=True)
class Seen:
    """What a network says of one window, and what its changed frame is like."""

    keypoints: NDArray[np.float64]  # (J, 2) frame pixels
    scores: NDArray[np.float64]  # (J,)
    weights: NDArray[np.float64]  # (S,) mean over the person; NaN without frame weights
    effective: float  # number of frames; NaN without frame weights
    picture: NDArray[np.uint8]  # (H, W, 3) the frame that is changed
    measures: dict[str, float]  # of that frame, as in `sharpness.measures`
    image_energy: NDArray[np.float64]  # (bands,) log energy of its crop, as in `spectra.band_energies`
    network_energy: NDArray[np.float64]  # (bands,) the network's own; empty where it has none
    feature_energy: float  # log variance of its features over the person; NaN where they are not probed


@dataclass(frozen=True)
class Intervention:
    """One window before and after one of its frames was changed."""

    network: str
    key: int
    frame: int  # number of the changed one
    slots: NDArray[np.int64]  # (S,)
    box: NDArray[np.float64]
    joints: tuple[str, ...]
    change: Change
    before: Seen
    after: Seen

    @property
    def slot(self) -> int:
        """Frames from the key frame to the changed one."""
        return self.frame - self.key

    @property
    def pixels(self) -> NDArray[np.float64]:
        """(J,) how far each joint moved; frame pixels."""
        return np.linalg.norm(self.after.keypoints - self.before.keypoints, axis=-1)

    @property
    def side(self) -> float:
        """The longer side of the person box; frame pixels."""
        return float(max(self.box[2:]))

    def table(self) -> pd.DataFrame:
        """quantity, unit, before, after: measures and energies of the frame, weights by slot, joints' coordinates."""
        rows: list[tuple[str, str, float, float]] = []
        a, b = self.before, self.after
        for name, measure in sharpness.MEASURES.items():
            rows.append((measure.label, measure.unit, a.measures[name], b.measures[name]))
        for band, pair in enumerate(zip(a.image_energy, b.image_energy, strict=True), start=1):
            rows.append((f"log energy of the crop, band {band}", "nats", *pair))
        for band, pair in enumerate(zip(a.network_energy, b.network_energy, strict=True), start=1):
            rows.append((f"log energy in {self.network}, band {band}", "nats", *pair))
        rows.append(("log variance of the features", "nats", a.feature_energy, b.feature_energy))
        for slot, *shares in zip(self.slots, a.weights, b.weights, strict=True):
            rows.append((f"weight of slot {slot:+d}", "", *shares))
        rows.append(("effective number of frames", "frames", a.effective, b.effective))
        for joint, before, after in zip(self.joints, a.keypoints, b.keypoints, strict=True):
            rows += [(f"{joint} {axis}", "px", before[i], after[i]) for i, axis in enumerate("xy")]
        return pd.DataFrame(rows, columns=["quantity", "unit", "before", "after"])


def encode_window(
    clip: Clip, network: PoseNetwork, key: int, box: ArrayLike, name: str = "", kept: Kept | None = None
) -> EncodedWindow:
    """Send the frames of one window through the backbone, each once.

    Args:
        clip: the clip.
        network: a PoseNetwork, in eval mode.
        key: the key frame.
        box: (4,) tight x, y, w, h that the window is cut by: `light_trace.boxes[key]`; frame pixels.
        name: of the network; default its class.
        kept: frames of this clip that passed the backbone before.
    Raises:
        ValueError: no such frame, or the box is none.
        LookupError: the network sees single frames: there is no neighbour to exchange.
    """
    name = name or type(network).__name__
    if network.frames < 2:
        raise LookupError(f"{name} sees a single frame: no neighbour counts, and none can be exchanged")
    checked, shown = boxes.checked(box), run.window_frames(clip, key, network.frames)
    distinct = sorted(set(shown)) if len(set(shown)) > 1 else shown[:2]  # of one row would be what no frame has
    shared = kept.shared(network, distinct, checked) if kept else None
    with recording(network) as records:
        maps, rows = _encode(network, np.stack([clip[i] for i in distinct]), checked, shared)
    places = [distinct.index(i) for i in shown]
    energy = rows.get("band_energy")
    return EncodedWindow(
        network, name, clip.first, key, tuple(shown), checked,
        {part: values[places] for part, values in maps.items()},
        None if energy is None else energy[places],
        tuple(replace(one, values=one.values[places]) if one.axes[0] == "frame" else one for one in records),
    )  # fmt: skip


def influence(window: EncodedWindow) -> Influence:
    """Exchange each neighbour for the key frame and rerun what follows: formula at the top of the module."""
    weights = {path: probe for path, probe in probes(window.network).items() if probe.quantity == "frame_weights"}
    return _exchange(window, weights)[0]


def traced(window: EncodedWindow) -> tuple[Influence, Trace]:
    """The influence, and what `run.deep_trace` gives of the same window: it is aligned once for both."""
    found, records = _exchange(window, None)
    return found, Trace(window.name, window.records + records)


@torch.inference_mode()
def _exchange(window: EncodedWindow, only: Mapping[str, Probe] | None) -> tuple[Influence, tuple[Record, ...]]:
    """The influence, and what some probes showed of the window as it is; None: all."""
    network, count, middle = window.network, len(window.frames), len(window.frames) // 2
    steps = network.exchanged({part: maps[None] for part, maps in window.maps.items()})
    with recording(network, only) as records:
        found = [next(steps)]
    heatmaps = torch.cat([*found, next(steps)]).float().cpu().numpy()
    points, _ = poses.decode(np.insert(heatmaps[1:], middle, heatmaps[0], 0), network.stride)
    keypoints = crops.to_frame(points, window.box, network.input_size)
    weights = next((one.values.astype(np.float64) for one in records if one.quantity == "frame_weights"), None)
    told = Influence(
        network=window.name,
        key=window.first + window.key,
        box=window.box,
        slots=window.slots,
        frames=window.first + np.array(window.frames),
        joints=network.skeleton.names,
        keypoints=keypoints,
        weights=np.full(count, np.nan) if weights is None else _over_person(weights, window),
        joint_weights=_at_joints(weights, keypoints[middle], window),
    )
    return told, tuple(records)


def of_frame(clip: Clip, model: str, key: int, box: ArrayLike, device: Device = "auto") -> Influence:
    """Influence of every neighbour of one key frame, from the clip.

    Args:
        clip: the clip.
        model: name of a network of several frames.
        key: the key frame.
        box: (4,) tight x, y, w, h of the person in that frame, as `analysis.traces[model].boxes[key]`; frame pixels.
        device: "auto", "cpu" or "cuda".
    Raises:
        ValueError, LookupError: as in `encode_window`, or no network of that name.
    """
    return influence(encode_window(clip, run.load_network(model, device), key, box, model))


def intervene(clip: Clip, window: EncodedWindow, slot: int, change: Change) -> Intervention:
    """Change one frame of a window, encode it alone, and estimate the window before and after.

    Every slot that shows the frame changes: at the ends of a clip the key frame stands for missing neighbours.

    Args:
        clip: the clip of the window.
        window: from `encode_window`.
        slot: frames from the key frame to the one to change.
        change: what is done to it.
    Raises:
        ValueError: no such slot, or the clip has no frame there.
    """
    frame = window.key + slot
    if slot not in window.slots or frame not in window.frames:
        known = sorted({i - window.key for i in window.frames})
        raise ValueError(
            f"slot must be one of {', '.join(map(str, known))} at frame {window.first + window.key}, got {slot}"
        )
    places = [t for t, shown in enumerate(window.frames) if shown == frame]
    picture = clip[frame]
    changed = change.applied(picture)
    energy = window.energy
    batch = {part: torch.stack([maps, maps]) for part, maps in window.maps.items()}
    if not change.nothing:
        maps, rows = _encode(window.network, changed[None], window.box)
        energy = rows.get("band_energy")
        for part, values in maps.items():
            batch[part][1, places] = values
    found, weights, features = _estimate(window, batch)
    count = len(window.frames)

    def seen(row: int, shown: NDArray[np.uint8], energies: NDArray[np.float64] | None, place: int) -> Seen:
        image = spectra.band_energies(spectra.luma(crops.cut(shown, window.box)))
        return Seen(
            keypoints=found["keypoints"][row],
            scores=found["scores"][row],
            weights=np.full(count, np.nan) if weights is None else found["frame_weights"][row],
            effective=np.nan if weights is None else float(found["effective_frames"][row]),
            picture=shown,
            measures=sharpness.measures(shown, window.box),
            image_energy=np.log(np.maximum(image, 1e-12)),
            network_energy=np.empty(0) if energies is None else energies[place],
            feature_energy=np.nan if features is None else float(features[row, places[0]]),
        )

    return Intervention(
        network=window.name,
        key=window.first + window.key,
        frame=window.first + frame,
        slots=window.slots,
        box=window.box,
        joints=window.network.skeleton.names,
        change=change,
        before=seen(0, picture, window.energy, places[0]),
        after=seen(1, changed, energy, places[0] if change.nothing else 0),
    )


def _encode(
    network: PoseNetwork, frames: NDArray[np.uint8], box: boxes.Box, shared: Window | None = None
) -> tuple[Window, dict[str, NDArray[Any]]]:
    """Maps of frames (N, H, W, 3), each (N, ...), and what shows of the light tier meanwhile."""
    cuts = windows.to_tensor(
        np.stack([crops.cut(frame, box, network.input_size) for frame in frames]), _device(network)
    )
    if shared is None:
        return light_frames(network, network.encode, cuts, box)
    maps, rows = light_frames(network, network.own, cuts, box)  # type: ignore[arg-type]
    return {**shared, **maps}, rows


def _device(network: PoseNetwork) -> str:
    return str(next(network.parameters()).device)


@torch.inference_mode()
def _estimate(
    window: EncodedWindow, batch: Window
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Light rows of B windows; their frame weights (B, T, h, w) and log feature variances (B, T), if probed."""
    network, seen = window.network, dict[str, NDArray[np.float64]]()
    known = probes(network).items()
    finest = min((p.stride for _, p in known if p.quantity == "feature"), default=0)
    only = {
        path: probe
        for path, probe in known
        if probe.quantity == "frame_weights" or (probe.quantity == "feature" and probe.stride == finest)
    }

    def see(path: str, probe: Any, tensor: torch.Tensor) -> None:
        if probe.quantity == "feature":
            tensor = feature_energy(tensor, probe, window.box, network.input_size)
        seen[probe.quantity] = tensor.double().cpu().numpy()

    with watching(network, see, only):
        rows = light_rows(network, batch, window.box)
    return rows, seen.get("frame_weights"), seen.get("feature")


def _over_person(weights: NDArray[np.float64], window: EncodedWindow) -> NDArray[np.float64]:
    """(T,) mean of weights (T, h, w) over the person."""
    (h, w), size = weights.shape[-2:], window.network.input_size
    return weights[:, crops.person_cells((h, w), size[0] // h, window.box, size)].mean(-1)


def _at_joints(
    weights: NDArray[np.float64] | None, keypoints: NDArray[np.float64], window: EncodedWindow
) -> NDArray[np.float64]:
    """(T, J): weights (T, h, w) in the cells where joints (J, 2) were found; NaN without weights."""
    if weights is None:
        return np.full((len(window.frames), len(keypoints)), np.nan)
    size = window.network.input_size
    points = crops.to_crop(keypoints, window.box, size)
    h, w = weights.shape[-2:]
    column = np.clip((points[:, 0] + 0.5) * w // size[1], 0, w - 1).astype(int)  # (J,)
    row = np.clip((points[:, 1] + 0.5) * h // size[0], 0, h - 1).astype(int)
    return weights[:, row, column]
