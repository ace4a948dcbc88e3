"""What is done to the frames of a window before networks are asked: the regimes of PROTOCOL.md, always drawn alike."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from freqviz import blur, crops
from freqviz.learn import data
from freqviz.learn.data import Damage

SEED = 0  # of the draws
KEYS = 8  # every 8th frame for the tables of blur
SYNTHETIC = ("R0", "R1", "R2", "R3", "R4")
LONGER = ("R0", "R1", "R2", "R3")  # also with further frames
LIMBS = ("limb x1", "limb x2", "limb x4")
REGIMES = (*SYNTHETIC, "R5", *LIMBS, "jitter")
Recompress = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


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
