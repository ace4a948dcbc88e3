"""Where networks, untrained rivals and oracles find the joints in the windows of a regime."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from freqviz import blur, crops, poses
from freqviz.learn import data
from freqviz.learn.draws import KEYS, Windows, random_of
from models.align import cells, sample
from models.freq_video import BandEnergy
from models.motion import TwoStreams
from models.network import PoseNetwork, density
from models.probe import edit, watch
from models.spatial_frame import SpatialFrame
from models.video import VideoNetwork, luma_of

FIXED = (0.1, 0.25, 0.3, 0.25, 0.1)  # PoseWarper's weights
RIVALS = ("mean", "fixed weights", "sharpest frame", "energy softmax")
ORACLES = ("oracle: true sharpest", "oracle: true alignment")
Edits = dict[str, Callable[[Tensor], Tensor]]


def placed(heat: Tensor, boxes: Tensor, network: PoseNetwork | None = None) -> NDArray[np.float64]:
    """Poses (N, J, 2) in frame pixels from heatmaps (N, J, h, w) of crops by boxes (N, 4); None: of crops as usual."""
    stride, size = (network.stride, network.input_size) if network else (PoseNetwork.stride, crops.SIZE)
    keypoints, _ = poses.decode(heat.numpy(), stride)
    return np.stack([crops.to_frame(k, b, size) for k, b in zip(keypoints, boxes.numpy(), strict=True)])


def resized(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Windows (B, T, 3, H, W) in another height and width, bicubic; of another aspect they would show too little.

    Raises:
        ValueError: another aspect.
    """
    height, width = frames.shape[-2:]
    if (height, width) == size:
        return frames
    if height * size[1] != width * size[0]:
        raise ValueError(
            f"crops of {height} x {width} are evaluated, and what has their aspect, got {size[0]} x {size[1]}"
        )
    flat = functional.interpolate(frames.flatten(0, 1), size, mode="bicubic", antialias=True)
    return flat.clamp(0, 1).unflatten(0, frames.shape[:2])


def predict(
    heads: dict[str, VideoNetwork],
    frame: SpatialFrame,
    windows: Windows,
    switches: dict[str, tuple[VideoNetwork, Edits]] | None = None,
    say: Callable = print,
) -> dict[str, NDArray]:
    """Keypoints of every row of the tables on one regime.

    Args:
        heads: video networks by "name seed"; all share the backbone of `frame`.
        switches: further rows, networks with something switched off.
    Returns:
        "pose/<row>" (N, 14, 2) frame pixels, "weights/<row>" (N, 5), and truth, counts, lengths, key, box.
    """
    band = BandEnergy(*frame.input_size)
    rows: dict[str, tuple[VideoNetwork, Edits]] = {name: (network, {}) for name, network in heads.items()}
    rows |= switches or {}
    found: dict[str, list[NDArray]] = {}
    loader = DataLoader(windows, 8, num_workers=2, prefetch_factor=4)
    with torch.inference_mode():
        for number, batch in enumerate(loader):
            frames = batch["frames"].float() / 255
            shape = frames.shape[:2]
            shared = frame.shared(frames.flatten(0, 1).contiguous(memory_format=torch.channels_last))
            maps = {}
            single = frame.estimate({k: v[:, None] for k, v in shared.items()}).unflatten(0, shape)  # (B, 5, J, h, w)
            maps["spatial-frame"] = single[:, 2]
            luma = luma_of(frames.flatten(0, 1))
            log = band(luma).mean((-2, -1)).unflatten(0, shape)  # (B, 5, bands)
            maps |= pooled(single, log[:, :, 2:].mean(2), batch)
            of_twin: tuple[dict[str, Tensor], Tensor] | None = None  # what all networks of two streams begin with
            for row, (network, edits) in rows.items():
                with (
                    edit(network, edits) if edits else nullcontext(),
                    watch(network, ["frame_weights"]) as seen,
                ):
                    own = network.own(frames.flatten(0, 1))
                    window = {k: v.unflatten(0, shape) for k, v in {**shared, **own}.items()}
                    if isinstance(network, TwoStreams):
                        if of_twin is None:
                            fused = network.appearance(window)
                            of_twin = fused, next(iter(seen.values()))
                        window |= of_twin[0]
                        seen[row] = of_twin[1]
                    maps[row] = density(network.fused_logits(window))
                weights = next(iter(seen.values())).mean((-2, -1))
                found.setdefault(f"weights/{row}", []).append(weights.numpy())
            for row, heat in maps.items():
                found.setdefault(f"pose/{row}", []).append(placed(heat, batch["box"]))
            for name in ("counts", "lengths", "trapped", "key", "box"):
                found.setdefault(name, []).append(batch[name].numpy())
            found.setdefault("truth", []).append(batch["joints"][:, 2].numpy())
            found.setdefault("neighbours", []).append(batch["beside"].numpy())
            if number % 20 == 0:
                say(f"{windows.regime}: {min(len(windows), 8 * (number + 1))}/{len(windows)} windows")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def predict_others(networks: dict[str, PoseNetwork], windows: Windows, say: Callable = print) -> dict[str, NDArray]:
    """Keypoints of networks that share no backbone with others, of five frames or fewer.

    Args:
        networks: by row. Whose input has another size sees the same pixels as the others, enlarged.
    Returns:
        "pose/<row>" (N, 14, 2) frame pixels, key (N, 2), in the order of `predict`.
    Raises:
        ValueError: one sees more frames, or an input of another aspect.
    """
    if longer := [row for row, network in networks.items() if network.frames > 5]:
        raise ValueError(f"windows of five frames at most are evaluated, {', '.join(longer)} sees more")
    found: dict[str, list[NDArray]] = {}
    loader = DataLoader(windows, 16, num_workers=2, prefetch_factor=2)
    with torch.inference_mode():
        for number, batch in enumerate(loader):
            frames = batch["frames"].float() / 255
            for row, network in networks.items():
                reach = network.frames // 2
                seen = resized(frames[:, 2 - reach : 3 + reach], network.input_size)
                found.setdefault(f"pose/{row}", []).append(placed(network(seen), batch["box"], network))
            found.setdefault("key", []).append(batch["key"].numpy())
            if number % 10 == 0:
                say(f"{windows.regime}: {min(len(windows), 16 * (number + 1))}/{len(windows)} frames")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def predict_longer(
    networks: dict[str, VideoNetwork], frame: SpatialFrame, windows: Windows, say: Callable = print
) -> dict[str, NDArray]:
    """Keypoints of video networks that see more than five frames, or fewer than the windows have.

    Returns:
        As `predict_others`.
    """
    found: dict[str, list[NDArray]] = {}
    loader = DataLoader(windows, 4, num_workers=2, prefetch_factor=2)
    with torch.inference_mode():
        for number, batch in enumerate(loader):
            frames = batch["frames"].float() / 255
            shape, middle = frames.shape[:2], windows.radius
            shared = frame.shared(frames.flatten(0, 1).contiguous(memory_format=torch.channels_last))
            for row, network in networks.items():
                near = slice(middle - network.frames // 2, middle + network.frames // 2 + 1)
                own = network.own(frames[:, near].flatten(0, 1))
                window = {name: maps.unflatten(0, shape)[:, near] for name, maps in shared.items()}
                window |= {name: maps.unflatten(0, (len(frames), network.frames)) for name, maps in own.items()}
                heat = density(network.fused_logits(window))
                found.setdefault(f"pose/{row}", []).append(placed(heat, batch["box"]))
            found.setdefault("key", []).append(batch["key"].numpy())
            if number % 20 == 0:
                say(f"{windows.regime}: {min(len(windows), 4 * (number + 1))}/{len(windows)} longer windows")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def pooled(single: Tensor, energy: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The untrained rivals and the oracles, from the densities of single frames (B, 5, J, h, w)."""
    count = single.shape[1]
    nearness = torch.tensor([abs(t - count // 2) for t in range(count)]).float()
    which = torch.arange(len(single))
    weights = torch.softmax(energy, 1)
    sharpest = (batch["lengths"] + 1e-3 * nearness).argmin(1)
    moved = torch.zeros_like(single)
    joints = batch["joints"].numpy()
    for b in range(len(single)):
        scale = crops.scale(batch["box"][b].numpy()) * 4  # frame pixels per cell
        for t in range(count):
            shift = (joints[b, t] - joints[b, count // 2]) / scale
            moved[b, t] = shifted(single[b, t], torch.from_numpy(shift).float())
    aligned = moved.mean(1)
    return {
        "mean": single.mean(1),
        "fixed weights": (single * torch.tensor(FIXED).view(1, -1, 1, 1, 1)).sum(1),
        "sharpest frame": single[which, energy.argmax(1)],
        "energy softmax": (single * weights[:, :, None, None, None]).sum(1),
        "oracle: true sharpest": single[which, sharpest],
        "oracle: true alignment": aligned / aligned.sum((-2, -1), keepdim=True).clamp_min(1e-12),
    }


def shifted(maps: Tensor, shift: Tensor) -> Tensor:
    """Each map (J, h, w) read `shift` (J, 2) cells further on."""
    places = cells(maps.shape[-2], maps.shape[-1], maps.device)[None] + shift[:, :, None, None]
    return sample(maps[:, None], places)[:, 0]


def clean_reference(frame: SpatialFrame, clips: data.Clips, length: float) -> NDArray[np.float64]:
    """PCK of single frames with nothing but motion blur of `length` px: comparable to published references.

    Returns:
        (2, 2, alphas): without and with flip test; the 14 joints, and the 12 of the limbs.
    """
    hits: list[list[NDArray]] = [[], []]
    limb = []
    chosen = [
        (c, t) for c in range(len(clips)) for t in range(0, len(clips.joints[c]), KEYS)
        if clips.person(c, t).counts.sum() >= data.MINIMUM_JOINTS
    ]  # fmt: skip
    flips = list(poses.FLIPS)
    with torch.inference_mode():
        for start in range(0, len(chosen), 16):
            part = chosen[start : start + 16]
            people = [clips.person(c, t) for c, t in part]
            cuts = []
            for (c, t), person in zip(part, people, strict=True):
                image, box = clips.frame(c, t), person.box
                pixel = 1.25 * max(box[2], box[3]) / 256
                angle = random_of(clips.infos[c].name, t, "clean").uniform(0, np.pi)
                cuts.append(crops.cut(blur.motion_blur(image, length * pixel, angle), box))
            batch = torch.from_numpy(np.stack(cuts)).permute(0, 3, 1, 2).float() / 255
            once = frame(batch[:, None])
            twice = (once + frame(batch.flip(-1)[:, None])[:, flips].flip(-1)) / 2
            truth, counts = np.stack([p.joints for p in people]), np.stack([p.counts for p in people])
            for found, heat in zip(hits, (once, twice), strict=True):
                keypoints, _ = poses.decode(heat.numpy())
                placed = np.stack([crops.to_frame(k, p.box) for k, p in zip(keypoints, people, strict=True)])
                found.append(poses.correct(placed, truth, poses.box_norm(truth, counts))[:, counts])
            limb.append(np.broadcast_to(np.arange(14) < 12, counts.shape)[counts])
    arms = np.concatenate(limb)
    each = [np.concatenate(found, 1) for found in hits]
    return np.stack([[good.mean(1), good[:, arms].mean(1)] for good in each])
