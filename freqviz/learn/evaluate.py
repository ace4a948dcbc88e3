"""How networks are compared: exactly PROTOCOL.md, in one command.

`python -m freqviz evaluate --all` predicts every regime (runs/evaluation/<part>/<regime>.npz), then writes the tables
to assets/evaluation/ and into the README. What lies there of the same checkpoints and key frames stays.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

import models
from freqviz import blur, crops, poses
from freqviz.learn import data
from freqviz.learn.data import Damage
from freqviz.learn.flow import give_flow
from models.align import cells, sample
from models.cost import multiply_adds, parameters
from models.dct_input import COUNTS, DctInput
from models.freq_video import BandEnergy
from models.motion import TwoStreams
from models.network import PoseNetwork, channels_last, density
from models.probe import edit, watch
from models.spatial_frame import SpatialFrame
from models.video import VideoNetwork, luma_of

SEED = 0  # of the draws
KEYS = 8  # every 8th frame for the tables of blur
SYNTHETIC = ("R0", "R1", "R2", "R3", "R4")
LONGER = ("R0", "R1", "R2", "R3")  # also with further frames
OUT_OF_RANGE = ("R0", "R1", "R2", "R3")  # also of heads that were trained with blur up to 15 px
VARIANT = "15px"
LIMBS = ("limb x1", "limb x2", "limb x4")
REGIMES = (*SYNTHETIC, "R5", *LIMBS, "jitter")
FIXED = (0.1, 0.25, 0.3, 0.25, 0.1)  # PoseWarper's weights
RIVALS = ("mean", "fixed weights", "sharpest frame", "energy softmax")
ORACLES = ("oracle: true sharpest", "oracle: true alignment")
Edits = dict[str, Callable[[Tensor], Tensor]]
Recompress = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
SWITCHES: dict[str, Edits] = {
    "learned filter": {"learned_filter": torch.ones_like},
    "offset gate": {"offset_gate": torch.ones_like},
    "mask gate": {"mask_gate": torch.ones_like},
    "energy weights": {"band_energy": torch.zeros_like},
    "channel attention": {"channel_attention": torch.ones_like},
    "phase prior": {"phase_prior": torch.zeros_like, "phase_confidence": torch.zeros_like},
    "alignment": {"alignment_offset": torch.zeros_like, "modulation_mask": torch.ones_like},
    "frame weights": {"frame_weights": lambda w: torch.full_like(w, 1 / w.shape[1])},
}


@dataclass(frozen=True)
class Regime:
    """Which windows are looked at, and what happens to them: PROTOCOL.md, and what was asked besides."""

    step: int = KEYS  # frames from one key frame to the next
    exact: bool = False  # clips of exact scale alone
    margin: int = 0  # frames at the ends of a clip that are no key frames
    apart: int = 1  # frames from one frame of a window to the next
    draw: str = ""  # whose blur and traps; "": frames as they were filmed
    trap: str = ""  # of `TRAPS`, on one of the blurred neighbours
    limb: int = 0  # the displacement of the fastest limb is blurred so many times as long
    quality: int = 75  # of the JPEG, where there is a draw
    crf: int = 0  # of H.264 over the whole clip after noise σ .01; 0: none
    jitter: float = 0.0  # of centre and size of the box, share of its sides


SPARSE = 2 * KEYS  # every 16th frame: half of the key frames, for what was asked besides
TRAPS = {  # what happens to one frame besides its blur
    "noise": {"sigma": 0.05},
    "dark": {"gain": 0.5},
    "bright": {"gain": 2.0},
    "occluder": {"occluded": True},
}
HOW = {
    **{regime: Regime(draw=regime) for regime in SYNTHETIC},
    "R5": Regime(1, exact=True),
    **{regime: Regime(SPARSE, limb=int(regime[-1])) for regime in LIMBS},
    "jitter": Regime(jitter=0.1),
    **{f"trap {kind}": Regime(SPARSE, draw="R2", trap=kind) for kind in TRAPS},
    "filmed": Regime(SPARSE),
    "jitter 20 %": Regime(SPARSE, jitter=0.2),
    "R2 jitter": Regime(SPARSE, draw="R2", jitter=0.1),
    **{f"jpeg {quality}": Regime(SPARSE, draw="R0", quality=quality) for quality in (40, 20, 10)},
    **{f"h264 {crf}": Regime(SPARSE, crf=crf) for crf in (34, 40)},
    **{f"rate {apart}": Regime(4, exact=True, margin=8, apart=apart) for apart in (1, 2, 4)},
}
FURTHER = tuple(regime for regime in HOW if regime not in REGIMES)  # those of `--evidence` alone


def random_of(*words: object) -> np.random.Generator:
    """Random numbers from a hash of the words, the same on every machine."""
    digest = hashlib.sha256("|".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def draw(clip: str, frame: int, regime: str, seed: int = SEED) -> list[Damage]:
    """What happens to the five frames of one window; lengths in px (1/256 of 1.25 times the joint-box side)."""
    rng = random_of(clip, frame, "R2" if regime == "R4" else regime, seed)
    lengths = np.zeros(5)
    if regime in ("R1", "R2", "R3", "R4"):
        lengths[2] = rng.choice([21, 31])
    others = [0, 1, 3, 4]
    if regime == "R1":
        lengths[others] = rng.choice([0, 5, 9, 15, 21, 31], 4)
    elif regime in ("R2", "R4"):
        lengths[others] = rng.uniform(31, 47, 4)
        lengths[rng.choice(others)] = 0
    elif regime == "R3":
        lengths[others] = rng.uniform(21, 31, 4)
    angles = rng.uniform(0, np.pi, 5)
    damages = [Damage(float(length), float(angle)) for length, angle in zip(lengths, angles, strict=True)]
    if regime == "R4":
        trap = random_of(clip, frame, "trap", seed)
        sharp = int(np.flatnonzero(lengths == 0)[0])
        blurred = [i for i in others if i != sharp]
        place = sharp if trap.random() < 0.5 else int(trap.choice(blurred))
        kind = int(trap.integers(4))
        hit = damages[place]
        damages[place] = Damage(
            hit.length, hit.angle, 0.05 if kind == 0 else 0.01, (1.0, 0.5, 2.0, 1.0)[kind], kind == 3
        )
    return damages


def draw_beyond(clip: str, frame: int, regime: str, count: int, seed: int = SEED) -> list[Damage]:
    """What happens to frames further away than those of `draw`, an even number: blurred as the neighbours there are.

    Where one neighbour is sharp (R2), it stays the only one.
    """
    rng = random_of(clip, frame, regime, "beyond", seed)
    lengths = {
        "R1": lambda: rng.choice([0, 5, 9, 15, 21, 31], count),
        "R2": lambda: rng.uniform(31, 47, count),
        "R3": lambda: rng.uniform(21, 31, count),
    }.get(regime, lambda: np.zeros(count))()
    angles = rng.uniform(0, np.pi, count)
    return [Damage(float(length), float(angle)) for length, angle in zip(lengths, angles, strict=True)]


def trapped(damages: list[Damage], kind: str, clip: str, frame: int, seed: int = SEED) -> list[Damage]:
    """The damages of a window of R2 with a trap of `TRAPS` on one of its blurred neighbours."""
    blurred = [i for i, damage in enumerate(damages) if damage.length and i != len(damages) // 2]
    place = int(random_of(clip, frame, "trapped", seed).choice(blurred))
    return [replace(one, **TRAPS[kind]) if i == place else one for i, one in enumerate(damages)]  # type: ignore[arg-type]


def occlude(frame: NDArray[np.uint8], box: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cover a fifth of the person box by another part of the frame."""
    x, y, w, h = box
    high, wide = int(max(4, h * math.sqrt(0.2))), int(max(4, w * math.sqrt(0.2)))
    high, wide = min(high, frame.shape[0] - 1), min(wide, frame.shape[1] - 1)
    top = int(np.clip(y + rng.random() * (h - high), 0, frame.shape[0] - high))
    left = int(np.clip(x + rng.random() * (w - wide), 0, frame.shape[1] - wide))
    row, column = rng.integers(0, frame.shape[0] - high), rng.integers(0, frame.shape[1] - wide)
    frame = frame.copy()
    frame[top : top + high, left : left + wide] = frame[row : row + high, column : column + wide][:, ::-1]
    return frame


@dataclass(frozen=True)
class Key:
    """One key frame of the comparison."""

    clip: int
    frame: int


class Windows(Dataset[dict[str, NDArray]]):
    """The windows of one regime, degraded in the frame and cut with the key frame's box.

    Item: crops (5, 3, 192, 144) uint8, joints of all five frames and of the two next to the key frame, counts of the
    key frame, box, lengths in px, the slot that a trap lies on (-1: none).

    Args:
        clips: whose windows.
        regime: of `HOW`.
        limit: about so many windows, evenly spread; 0: all.
        recompress: frames (T, H, W, 3) and a crf to these frames after H.264; needed where the regime has a crf.
        step: frames from one key frame to the next; 0: those of the regime.
        radius: frames on each side of the key frame, at least 2; the inner five are the same for all.
        sharp: whether an item has "sharp" too, (3, 192, 144) uint8: the key frame before its damage.
    Raises:
        ValueError: no such regime, one of H.264 without `recompress`, or one that has no longer windows.
    """

    def __init__(
        self,
        clips: data.Clips,
        regime: str,
        limit: int = 0,
        recompress: Recompress | None = None,
        step: int = 0,
        radius: int = 2,
        sharp: bool = False,
    ):
        if regime not in HOW:
            raise ValueError(f"regime must be one of {', '.join(HOW)}, got '{regime}'")
        if radius > 2 and regime not in LONGER:
            raise ValueError(f"longer windows are drawn in {', '.join(LONGER)}, not in {regime}")
        self.clips, self.regime, self.how, self.recompress = clips, regime, HOW[regime], recompress
        self.radius, self.sharp = radius, sharp
        if self.how.crf and recompress is None:
            raise ValueError(f"'{regime}' needs what codes H.264")
        self._coded: tuple[int, NDArray[np.uint8]] = (-1, np.zeros((0, 0, 0, 3), np.uint8))  # the clip of the last item
        self.keys = [
            Key(c, t)
            for c in range(len(clips))
            if clips.infos[c].exact_scale or not self.how.exact
            for t in range(self.how.margin, len(clips.joints[c]) - self.how.margin, step or self.how.step)
            if clips.person(c, t).counts.sum() >= data.MINIMUM_JOINTS
        ]
        if limit:
            self.keys = self.keys[:: max(1, len(self.keys) // limit)]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, i: int) -> dict[str, NDArray]:
        clips, key, how = self.clips, self.keys[i], self.how
        name = clips.infos[key.clip].name
        numbers = clips.window(key.clip, key.frame, self.radius * how.apart)[:: how.apart]
        person = clips.person(key.clip, key.frame)
        box = person.box
        joints = np.stack([clips.joints[key.clip][n] for n in numbers])
        half = self.radius - 2
        more = draw_beyond(name, key.frame, how.draw, 2 * half)
        damages = draw(name, key.frame, how.draw or self.regime)
        if how.trap:
            damages = trapped(damages, how.trap, name, key.frame)
        damages = [*more[:half], *damages, *more[half:]]
        pixel = 1.25 * max(box[2], box[3]) / 256
        cuts = []
        for slot, (number, damage) in enumerate(zip(numbers, damages, strict=True), -half):
            frame = self._h264(key.clip, number) if how.crf else clips.frame(key.clip, number)
            rng = random_of(name, key.frame, self.regime, "noise", slot)
            if how.limb:
                frame = self._limb(frame, joints, slot, box, rng)
            elif how.draw:
                if damage.occluded:
                    frame = occlude(frame, box, rng)
                frame = data.damaged(frame, damage, pixel, rng, how.quality)
            cuts.append(frame)
        if how.jitter:
            rng = random_of(name, key.frame, "jitter")
            side = box[2:] * rng.uniform(1 - how.jitter, 1 + how.jitter)
            centre = box[:2] + box[2:] / 2 + rng.uniform(-how.jitter, how.jitter, 2) * box[2:]
            box = np.concatenate([centre - side / 2, side])
        sharp = {}
        if self.sharp:
            sharp["sharp"] = crops.cut(clips.frame(key.clip, key.frame), box).transpose(2, 0, 1).copy()
        return sharp | {
            "frames": np.stack([crops.cut(frame, box) for frame in cuts]).transpose(0, 3, 1, 2),
            "joints": joints,
            "beside": np.stack([clips.joints[key.clip][n] for n in clips.window(key.clip, key.frame, 1)[::2]]),
            "counts": person.counts,
            "box": box,
            "lengths": np.array([d.length for d in damages]),
            "trapped": np.array(next((slot for slot, d in enumerate(damages) if _kind(d)), -1)),
            "key": np.array([key.clip, key.frame]),
        }

    def _h264(self, clip: int, number: int) -> NDArray[np.uint8]:
        """A frame of a clip that went through noise and H.264 as a whole."""
        if self._coded[0] != clip:
            name, count = self.clips.infos[clip].name, len(self.clips.joints[clip])
            grains = (random_of(name, n, "h264") for n in range(count))
            noisy = [blur.noise(self.clips.frame(clip, n), 0.01, rng) for n, rng in enumerate(grains)]
            assert self.recompress is not None
            self._coded = clip, self.recompress(np.stack(noisy), self.how.crf)
        return self._coded[1][number]

    def _limb(
        self, frame: NDArray[np.uint8], joints: NDArray, slot: int, box: NDArray, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Blur around the fastest limb along its true displacement, then noise and compression as everywhere."""
        limbs = ((6, 7), (11, 10), (0, 1), (5, 4))  # wrist-elbow, ankle-knee
        speeds = [np.linalg.norm(joints[3, end] - joints[1, end]) for end, _ in limbs]
        end, middle = limbs[int(np.argmax(speeds))]
        moved = (joints[min(slot + 1, 4), end] - joints[max(slot - 1, 0), end]) / 2
        length = float(np.linalg.norm(moved)) * self.how.limb
        if length < 1:
            return blur.degrade(frame, rng=rng)
        y, x = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float32)
        a, b = joints[slot, middle], joints[slot, end]
        along = np.clip(((x - a[0]) * (b - a)[0] + (y - a[1]) * (b - a)[1]) / max(((b - a) ** 2).sum(), 1e-6), 0, 1.2)
        away = np.hypot(x - a[0] - along * (b - a)[0], y - a[1] - along * (b - a)[1])
        reach = 0.09 * max(box[2], box[3]) + length / 4
        mask = np.clip((reach - away) / (0.4 * reach) + 0.5, 0, 1).astype(np.float32)
        return blur.degrade(frame, length, math.atan2(moved[1], moved[0]), rng=rng, mask=mask)


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


# ---------------------------------------------------------------- tables


@dataclass(frozen=True)
class Scored:
    """Which joints of which frame were right, for one row on one regime."""

    hits: NDArray[np.float64]  # (alphas, frames): correct joints
    counts: NDArray[np.float64]  # (frames,): joints that count
    source: NDArray[np.int64]  # (frames,): the source video

    @property
    def pck(self) -> NDArray[np.float64]:
        return self.hits.sum(1) / self.counts.sum()

    @property
    def size(self) -> dict[str, int]:
        """Frames, joints and films that count."""
        held = self.counts > 0
        return {
            "frames": int(held.sum()),
            "joints": int(self.counts.sum()),
            "films": len(np.unique(self.source[held])),
        }


def scored(found: dict[str, NDArray], row: str, sources: NDArray, chosen: NDArray | None = None) -> Scored:
    """Score a row, or the mean of its seeds; `chosen` (N, J) narrows the joints that count."""
    counts = found["counts"] if chosen is None else found["counts"] & chosen
    norm = poses.box_norm(found["truth"], found["counts"])
    hits = np.mean(
        [(poses.correct(found[name], found["truth"], norm) & counts).sum(2) for name in seeds_of(found, row)],
        0,
    )
    return Scored(hits, counts.sum(1).astype(float), sources[found["key"][:, 0]])


def seeds_of(found: dict[str, NDArray], row: str) -> list[str]:
    """Keys of the predictions of a row: one, or one a seed."""
    exact = [name for name in found if name == f"pose/{row}"]
    names = exact or sorted(name for name in found if name.startswith(f"pose/{row} seed "))
    if not names:
        raise LookupError(f"no predictions of '{row}'; there are {[n for n in found if n.startswith('pose/')]}")
    return names


@lru_cache(maxsize=4)
def _resamples(count: int, draws: int, seed: int) -> NDArray[np.int64]:
    """(draws, count): how often each source is drawn; the same for every comparison."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)


def bootstrap(a: Scored, b: Scored, alpha: int, draws: int = 10_000, seed: int = 0) -> dict[str, float]:
    """Difference of PCK a - b with a 95 % interval, source videos resampled with replacement; paired.

    Returns:
        difference, low, high (fractions) and p, the two-sided share of draws beyond zero.
    """
    sources = np.unique(a.source)
    of = np.searchsorted(sources, a.source)
    sums = [np.bincount(of, weights, len(sources)) for weights in (a.hits[alpha] - b.hits[alpha], a.counts)]
    picked = _resamples(len(sources), draws, seed)
    values = (picked @ sums[0]) / np.maximum(picked @ sums[1], 1)
    low, high = np.percentile(values, [2.5, 97.5])
    below = max((values <= 0).mean(), 1 / draws)
    above = max((values >= 0).mean(), 1 / draws)
    return {
        "difference": float(sums[0].sum() / sums[1].sum()), "low": float(low), "high": float(high),
        "p": float(min(1.0, 2 * min(below, above))),
    }  # fmt: skip


def interval(a: Scored, alpha: int, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of a PCK, source videos resampled."""
    nothing = Scored(np.zeros_like(a.hits), a.counts, a.source)
    found = bootstrap(a, nothing, alpha, draws, seed)
    return found["low"], found["high"]


def speeds(found: dict[str, NDArray]) -> NDArray[np.float64]:
    """True speed of each joint, |p(t+1) - p(t-1)| / 2 per box side; (N, J) fraction of the side per frame."""
    moved = np.linalg.norm(found["neighbours"][:, 1] - found["neighbours"][:, 0], axis=-1) / 2
    return moved / poses.box_norm(found["truth"], found["counts"])[:, None]


def sharp_neighbour(lengths: NDArray) -> NDArray[np.int64]:
    """(N,) the slot of the first neighbour without blur, in windows (N, T) where there is one."""
    neighbours = np.arange(lengths.shape[1]) != lengths.shape[1] // 2
    return ((lengths == 0) & neighbours).argmax(1)


def rank_correlation(weights: NDArray, lengths: NDArray) -> float:
    """Mean Spearman correlation of frame weight and true blur within windows; -1 is best."""
    a, b = rankdata(weights, axis=1), rankdata(lengths, axis=1)
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    spread = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(((a * b).sum(1)[spread > 0] / spread[spread > 0]).mean()) if (spread > 0).any() else math.nan


def effective_frames(weights: NDArray) -> float:
    """Mean of exp(entropy) of frame weights (N, 5): 5 when all count alike."""
    safe = np.clip(weights, 1e-12, 1)
    return float(np.exp(-(safe * np.log(safe)).sum(1)).mean())


def acceleration_error(found: dict[str, NDArray], row: str) -> float:
    """Mean |second difference of the prediction minus that of the truth|, per box side, over whole clips; fraction."""
    errors = []
    norm = poses.box_norm(found["truth"], found["counts"])
    for name in seeds_of(found, row):
        wrong = found[name] - found["truth"]
        clip, t = found["key"].T
        run = (clip[2:] == clip[:-2]) & (t[2:] == t[:-2] + 2)
        second = np.linalg.norm(wrong[2:] - 2 * wrong[1:-1] + wrong[:-2], axis=-1) / norm[1:-1, None]
        counts = found["counts"][2:] & found["counts"][1:-1] & found["counts"][:-2] & run[:, None]
        errors.append(second[counts].mean())
    return float(np.mean(errors))


def holm(values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down correction of p values."""
    corrected, worst = {}, 0.0
    for rank, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, (len(values) - rank) * value))
        corrected[name] = worst
    return corrected


def part_folder(runs: Path, part: str) -> Path:
    return runs / "evaluation" / part


def numbered(clips: data.Clips) -> list[int]:
    """A number of the source video of each clip."""
    sources = sorted({c.source for c in clips.infos})
    return [sources.index(c.source) for c in clips.infos]


def write_sources(clips: data.Clips, folder: Path, **more: object) -> None:
    """Put beside predictions which source video each clip is of; more facts by name."""
    (folder / "clips.json").write_text(json.dumps({"source": numbered(clips), **more}))


def resumed(
    path: Path, keys: list[Key], made: dict[str, str], predict: Callable[[list[str]], dict[str, NDArray]]
) -> None:
    """Predict what is missing in a file of predictions, and put it there.

    Args:
        path: .npz; what it holds of other key frames or another backbone is predicted again.
        keys: the key frames that it is of.
        made: what each row comes from; a row that comes from something else now is predicted again. "" is that of the
            rows that need no head: single frames, rivals and oracles.
        predict: rows to predictions, those of `made` that are missing.
    """
    held: dict[str, NDArray] = {}
    places = np.array([[key.clip, key.frame] for key in keys])
    if path.is_file():
        with np.load(path) as arrays:
            held = {name: arrays[name] for name in arrays.files}
    before = json.loads(str(held.pop("made", "{}")))
    if before.get("") != made[""] or not np.array_equal(held["key"], places):
        held, before = {}, {}
    missing = [row for row, source in made.items() if before.get(row) != source]
    if not missing:
        return
    held |= predict([row for row in missing if row])
    part = path.with_name(f"{path.stem}.part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(part, made=np.array(json.dumps(before | made)), **held)  # type: ignore[arg-type]
    part.replace(path)


def _kind(damage: Damage) -> str:
    if damage.occluded:
        return "occluder"
    if damage.gain != 1:
        return f"gain {damage.gain}"
    return f"noise {damage.sigma}" if damage.sigma != 0.01 else ""


def write_manifest(clips: data.Clips, path: Path) -> None:
    """The draws of the synthetic regimes, a line a window."""
    with open(path, "w") as lines:
        lines.write("clip,frame,regime,lengths px,angles rad,trap\n")
        for regime in SYNTHETIC:
            for key in Windows(clips, regime).keys:
                name = clips.infos[key.clip].name
                damages = draw(name, key.frame, regime)
                trap = next((f"{i}:{_kind(d)}" for i, d in enumerate(damages) if _kind(d)), "")
                lengths = " ".join(f"{d.length:.1f}" for d in damages)
                angles = " ".join(f"{d.angle:.2f}" for d in damages)
                lines.write(f"{name},{key.frame},{regime},{lengths},{angles},{trap}\n")


def backbone() -> str:
    """What single frames, rivals and oracles come from."""
    return models.checkpoint_hash("spatial-frame")


TWINS = ("spatial-video", "freq-video")  # whose claims are tested
FIRST = (*TWINS, "freq-restored")  # networks of the first tables, with all their seeds
TRAINED_ON = {"spatial-video": ("longer",)}  # what networks that begin with the twin are to be compared with
METHODS = ("R0", "R2")  # regimes of the table of all methods: sharp, and where a network must choose its frames


def load_heads(names: list[str], variant: str = "") -> Iterator[tuple[str, VideoNetwork, str]]:
    """Every trained seed of `FIRST`, as "name seed n", or "name variant seed n"; and the hash of its checkpoint."""
    for name in names:
        for seed in range(10):
            if name in FIRST and models.checkpoint(name, seed, variant).is_file():
                network = models.load(name, seed=seed, variant=variant)
                assert isinstance(network, VideoNetwork)
                row = " ".join(filter(None, [name, variant, f"seed {seed}"]))
                yield row, network, models.checkpoint_hash(name, seed, variant)


@dataclass(frozen=True)
class Method:
    """A row of the table of all methods: one network for poses, in one of its forms."""

    name: str
    variant: str = ""
    channels: int = 0  # of `dct-input`, where not all are used

    @property
    def row(self) -> str:
        """As the table calls it."""
        few = f", {self.channels} channels" if self.channels else ""
        return " ".join(filter(None, [self.name, self.variant])) + few

    def load(self) -> PoseNetwork:
        network = models.load(self.name, variant=self.variant)
        give_flow(network)
        if isinstance(network, DctInput) and self.channels:
            network.use(self.channels)
        return network

    def cost(self) -> tuple[int, float]:
        """Parameters and multiply-adds of a window; those of optical flow, which no network computes, left out."""
        network = models.build(self.name, self.variant)
        give_flow(network)
        return parameters(network), multiply_adds(network)


def methods(names: list[str] | None = None) -> list[Method]:
    """Every network of the project that has a checkpoint, and its other forms; one seed each.

    Args:
        names: only these, those of your own too (`models.register`); `spatial-frame` and the twin, which the others are
            compared with, are always among them.
    """
    found = []
    for name, kind in models.NETWORKS.items():
        if name in models.brought():
            found += [Method(name)] if name in (names or ()) else []
            continue
        if not (names is None or name in (*names, "spatial-frame", "spatial-video")):
            continue
        for variant in ("", *kind.variants, *TRAINED_ON.get(name, ())):
            if models.checkpoint(name, 0, variant).is_file():
                found += [Method(name, variant, count) for count in (0, *_fewer(name, variant))]
    return found


def _fewer(name: str, variant: str) -> list[int]:
    """Numbers of channels that `dct-input`, in its usual form, is tried with besides all."""
    return [] if variant or not issubclass(models.NETWORKS[name], DctInput) else list(COUNTS[:-1])


def run_methods(
    root: Path,
    names: list[str] | None = None,
    part: str = "test",
    runs: Path = Path("runs"),
    limit: int = 0,
    say: Callable = print,
) -> Path:
    """Predict every method in two regimes; returns the folder of the predictions. Arguments as `run`."""
    clips = data.Clips(root / "jhmdb", part, runs / "cache")
    chosen = {method.row: method for method in methods(names)}
    made = {
        "" if row == "spatial-frame" else row: models.checkpoint_hash(one.name, 0, one.variant)
        for row, one in chosen.items()
    }
    folder = part_folder(runs, part) / "methods"

    def missing(windows: Windows, rows: list[str]) -> dict[str, NDArray]:
        frame = channels_last(chosen["spatial-frame"].load())
        assert isinstance(frame, SpatialFrame)
        networks = {row: chosen[row].load() for row in rows}
        ours = {row: network for row, network in networks.items() if chosen[row].name not in models.brought()}
        video = {row: network for row, network in ours.items() if isinstance(network, VideoNetwork)}
        heads = {row: network for row, network in video.items() if network.frames == VideoNetwork.frames}
        longer = {row: network for row, network in video.items() if row not in heads}
        others = {row: network for row, network in networks.items() if row not in video}
        found = predict(heads, frame, windows, say=say)
        passes = [predict_others(others, windows, say)] if others else []
        if longer:
            radius = max(network.frames for network in longer.values()) // 2
            passes.append(predict_longer(longer, frame, Windows(clips, windows.regime, limit, radius=radius), say))
        for more in passes:
            if not np.array_equal(more.pop("key"), found["key"]):
                raise RuntimeError(f"{windows.regime}: the passes saw other frames")
            found |= more
        return found

    for regime in METHODS:
        windows = Windows(clips, regime, limit)
        resumed(folder / f"{regime}.npz", windows.keys, made, partial(missing, windows))
    write_sources(clips, folder)
    return folder


def run(
    root: Path,
    names: list[str] | None = None,
    part: str = "test",
    runs: Path = Path("runs"),
    regimes: tuple[str, ...] = REGIMES,
    limit: int = 0,
    say: Callable = print,
    extra: bool = True,
    recompress: Recompress | None = None,
    inside: str = "",
) -> Path:
    """Predict every regime; returns the folder of the predictions.

    Args:
        root: folder that holds `jhmdb/`.
        names: networks; all with a checkpoint when left out.
        part: "test" or "validation".
        limit: windows a regime, 0 for all.
        extra: whether `freq-video` is also asked with each part switched off.
        recompress: as in `Windows`; regimes of H.264 are left out without it.
        inside: a folder of its own in that of the part.
    """
    clips = data.Clips(root / "jhmdb", part, runs / "cache")
    frame = channels_last(models.load("spatial-frame"))
    assert isinstance(frame, SpatialFrame)
    heads, variants, made = dict[str, VideoNetwork](), dict[str, VideoNetwork](), {"": backbone()}
    for variant, kept in (("", heads), (VARIANT, variants)):
        for row, network, source in load_heads(names or models.names(), variant):
            kept[row], made[row] = network, source
    folder = part_folder(runs, part) / inside
    folder.mkdir(parents=True, exist_ok=True)
    for regime in regimes:
        if HOW[regime].crf and recompress is None:
            say(f"{regime}: left out, since nothing here codes H.264")
            continue
        asked: dict[str, tuple[VideoNetwork, Edits]] = {row: (network, {}) for row, network in heads.items()}
        if regime in OUT_OF_RANGE:
            asked |= {row: (network, {}) for row, network in variants.items()}
        sources_of = {row: made[row] for row in asked}
        if extra and regime in ("R0", "R2", "R5") and "freq-video seed 0" in heads:
            for part_, edits in SWITCHES.items():
                row = f"freq-video without {part_}"
                asked[row], sources_of[row] = (heads["freq-video seed 0"], edits), made["freq-video seed 0"]
        windows = Windows(clips, regime, limit, recompress)

        def missing(rows: list[str], asked: Any = asked, windows: Windows = windows) -> dict[str, NDArray]:
            return predict({}, frame, windows, {row: asked[row] for row in rows}, say)

        resumed(folder / f"{regime}.npz", windows.keys, {"": made[""]} | sources_of, missing)
    write_sources(
        clips,
        folder,
        exact_scale=[c.exact_scale for c in clips.infos],
        checkpoints={n: models.checkpoint_hash(n) for n in models.names() if models.checkpoint(n).is_file()},
    )
    return folder
