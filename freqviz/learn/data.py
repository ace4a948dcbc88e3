"""Real people for learning and evaluation: LSPET stills and JHMDB clips, in their official layouts.

Convention: joints in LSPET's order, (x, y) pixels from 0 (both data sets count from 1, as MATLAB does).
JHMDB joints outside the frame are guesses of its puppet; they never count.
Nothing here needs a video library but OpenCV: clips are decoded once, in order, into one packed file.
"""

import csv
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from torch.utils.data import Dataset

from freqviz import blur, crops, poses

LSPET, JHMDB = 0, 1  # whose convention a joint follows
MINIMUM_JOINTS = 6
VALIDATION_TITLES = 40
PIXEL = 0.75  # crop pixels per "px" of PROTOCOL.md, which are 1/256 of the crop's height (192)


def data_root(root: Path | None = None) -> Path:
    """Folder that holds `lspet/` and `jhmdb/`: the one given, else $FREQVIZ_DATA, else `data/` here.

    Raises:
        FileNotFoundError: JHMDB is not in it.
    """
    folder = Path(root or os.environ.get("FREQVIZ_DATA", "data"))
    if not (folder / "jhmdb").is_dir():
        raise FileNotFoundError(
            f"no data set in {folder}: it must hold lspet/ and jhmdb/ as downloaded; give --data or set FREQVIZ_DATA"
        )
    return folder


@dataclass(frozen=True)
class Person:
    """One person in one picture."""

    joints: NDArray[np.float32]  # (14, 2) pixels
    counts: NDArray[np.bool_]  # (14,) labelled and inside the picture
    convention: int

    @property
    def box(self) -> NDArray[np.float64]:
        """Tight box of the joints that count."""
        return crops.around(self.joints[self.counts])


@dataclass(frozen=True)
class Stills:
    """LSPET: `images/im*.jpg`, `images.txt`, `joints.mat`."""

    root: Path
    names: list[str] = field(default_factory=list)
    joints: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 14, 3), np.float32))

    @classmethod
    def open(cls, root: Path) -> "Stills":
        for needed in ("images.txt", "joints.mat"):
            if not (root / needed).is_file():
                raise FileNotFoundError(f"LSPET needs {needed} in {root}; see the README for its layout")
        names = (root / "images.txt").read_text().split()
        joints = loadmat(root / "joints.mat")["joints"].astype(np.float32).transpose(2, 0, 1)
        if len(names) != len(joints):
            raise ValueError(f"images.txt names {len(names)} pictures, joints.mat holds {len(joints)}")
        return cls(root, names, joints)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, i: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        path = self.root / "images" / self.names[i]
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise FileNotFoundError(f"no picture could be read from {path}")
        return np.asarray(picture[..., ::-1], np.uint8)

    def person(self, i: int, size: tuple[int, int]) -> Person:
        points = self.joints[i, :, :2] - 1
        return Person(points, (self.joints[i, :, 2] > 0) & poses.inside(points, size), LSPET)


@dataclass(frozen=True)
class ClipInfo:
    """One line of `split1.csv`."""

    name: str
    action: str
    split: str
    full_body: bool
    exact_scale: bool
    frames: int

    @property
    def title(self) -> str:
        """The film: the part of the name before the action."""
        return self.name.rsplit(f"_{self.action}_", 1)[0]

    @property
    def source(self) -> str:
        """The source video as intervals are resampled: the film title."""
        return self.title


def list_clips(root: Path) -> list[ClipInfo]:
    """Every clip of JHMDB's split 1, in the order of the file."""
    table = root / "split1.csv"
    if not table.is_file():
        raise FileNotFoundError(f"JHMDB needs split1.csv in {root}; see the README for its layout")
    with open(table, newline="") as lines:
        return [
            ClipInfo(
                r["clip"],
                r["action"],
                r["split"],
                r["full_body"] == "1",
                r["exact_scale"] == "1",
                int(r["frames"]),
            )
            for r in csv.DictReader(lines)
        ]


def split(clips: list[ClipInfo], part: str) -> list[ClipInfo]:
    """Clips of "train", "validation" or "test".

    Test are the full-body test clips. Validation are whole film titles of the full-body training clips; titles that
    also occur in test are in neither.
    """
    if part == "test":
        return [c for c in clips if c.split == "test" and c.full_body]
    tested = {c.title for c in clips if c.split == "test"}
    train = [c for c in clips if c.split == "train" and c.title not in tested]
    titles = sorted({c.title for c in train if c.full_body}, key=lambda t: hashlib.sha256(t.encode()).hexdigest())
    held = set(titles[:VALIDATION_TITLES])
    if part == "validation":
        return [c for c in train if c.title in held and c.full_body]
    if part == "train":
        return [c for c in train if c.title not in held]
    raise ValueError(f"part must be train, validation or test, got '{part}'")


def read_frames(path: Path) -> NDArray[np.uint8]:
    """All frames of a short clip, decoded in order by OpenCV; (T, H, W, 3) RGB."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while True:
        done, frame = reader.read()
        if not done:
            break
        frames.append(frame[..., ::-1])
    if not frames:
        raise ValueError(f"no frame could be decoded from {path}")
    return np.stack(frames)


def video_path(root: Path, clip: ClipInfo) -> Path:
    """`videos/<action>/<clip>.avi`, or `.mp4`."""
    for suffix in (".avi", ".mp4"):
        path = root / "videos" / clip.action / (clip.name + suffix)
        if path.is_file():
            return path
    raise FileNotFoundError(f"no video of {clip.name} in {root / 'videos' / clip.action}")


def read_joints(root: Path, clip: ClipInfo) -> NDArray[np.float32]:
    """(T, 14, 2) pixels from 0."""
    file = root / "joint_positions" / clip.action / clip.name / "joint_positions.mat"
    return poses.read_jhmdb(file).astype(np.float32)


class Clips:
    """JHMDB clips of one part, their frames packed in one file that is made on first use.

    Args:
        root: the data set.
        part: "train", "validation" or "test".
        cache: folder of the packed file.
    """

    def __init__(self, root: Path, part: str, cache: Path):
        self.infos = split(list_clips(root), part)
        self.joints = [read_joints(root, clip) for clip in self.infos]
        lengths = [len(j) for j in self.joints]
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.packed = cache / f"jhmdb-{part}.npy"
        if not self.packed.is_file():
            self._pack(root, cache, lengths)
        self.frames = np.load(self.packed, mmap_mode="r")  # (all frames, 240, 320, 3)
        if len(self.frames) != self.starts[-1]:
            raise ValueError(f"{self.packed} holds {len(self.frames)} frames, expected {self.starts[-1]}: remove it")

    def _pack(self, root: Path, cache: Path, lengths: list[int]) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        part = self.packed.with_suffix(".part")
        packed = np.lib.format.open_memmap(part, "w+", np.uint8, (int(self.starts[-1]), 240, 320, 3))
        for clip, start, length in zip(self.infos, self.starts, lengths, strict=False):
            frames = read_frames(video_path(root, clip))
            if len(frames) < length:
                raise ValueError(f"{clip.name} has {len(frames)} frames, its joints {length}")
            packed[start : start + length] = frames[:length]
        packed.flush()
        part.rename(self.packed)

    def __len__(self) -> int:
        return len(self.infos)

    def frame(self, clip: int, t: int) -> NDArray[np.uint8]:
        """(240, 320, 3) RGB."""
        return np.ascontiguousarray(self.frames[self.starts[clip] + t])

    def person(self, clip: int, t: int) -> Person:
        points = self.joints[clip][t]
        return Person(points, poses.inside(points, (240, 320)), JHMDB)

    def window(self, clip: int, t: int, radius: int = 2) -> list[int]:
        """Frame numbers t-radius … t+radius; a missing neighbour is the key frame."""
        length = len(self.joints[clip])
        return [i if 0 <= i < length else t for i in range(t - radius, t + radius + 1)]


@dataclass(frozen=True)
class Augmentation:
    """One draw, the same for all frames of a window."""

    rotation: float
    zoom: float
    shift: tuple[float, float]
    flip: bool
    gain: NDArray[np.float32]  # (3,) of the colours
    offset: float
    grey: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Augmentation":
        turned = rng.random() < 0.6
        return cls(
            rotation=float(np.clip(rng.normal(0, np.radians(18)), -0.8, 0.8)) if turned else 0.0,
            zoom=float(np.exp(rng.uniform(-0.22, 0.3))),
            shift=(float(rng.uniform(-0.07, 0.07)), float(rng.uniform(-0.07, 0.07))),
            flip=bool(rng.random() < 0.5),
            gain=(rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3)).astype(np.float32),
            offset=float(rng.uniform(-20, 20)),
            grey=bool(rng.random() < 0.1),
        )

    def colours(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Gain, offset and sometimes grey."""
        table = np.clip(np.arange(256)[:, None] * self.gain + self.offset, 0, 255).astype(np.uint8)
        crop = np.stack([cv2.LUT(crop[..., c], table[:, c]) for c in range(3)], -1)
        if self.grey:
            crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
        return crop


def half_body(person: Person, rng: np.random.Generator) -> NDArray[np.float64]:
    """Box of the upper or the lower half, for crops that show only a part."""
    half = list(range(6)) if rng.random() < 0.3 else list(range(6, 14))
    keep = np.array([j for j in half if person.counts[j]])
    return crops.around(person.joints[keep]) if len(keep) >= 5 else person.box


def occlude(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cover a random rectangle by another part of the crop."""
    height, width = crop.shape[:2]
    h, w = int(height * rng.uniform(0.08, 0.3)), int(width * rng.uniform(0.08, 0.35))
    y, x = rng.integers(0, height - h), rng.integers(0, width - w)
    v, u = rng.integers(0, height - h), rng.integers(0, width - w)
    crop = crop.copy()
    crop[y : y + h, x : x + w] = crop[v : v + h, u : u + w][:, ::-1]
    return crop


class FrameSamples(Dataset[dict[str, NDArray]]):
    """An endless stream of augmented, degraded single crops; sample i is the same in every run.

    Args:
        stills, clips: the people.
        seed: of the stream.
        size: (height, width) of the crops.
        blurred: share of crops with motion blur of up to `longest` px (1/256 of the crop's height).
        first: number of the first sample.
        count: how many.
    """

    def __init__(
        self,
        stills: Stills,
        clips: Clips,
        seed: int,
        size: tuple[int, int],
        first: int,
        count: int,
        blurred: float = 0.35,
        longest: float = 47.0,
    ):
        self.stills, self.clips, self.seed, self.size = stills, clips, seed, size
        self.first, self.count, self.blurred, self.longest = first, count, blurred, longest

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> dict[str, NDArray]:
        rng = np.random.default_rng((self.seed, self.first + i))
        while True:
            if rng.random() < 0.5:
                n = int(rng.integers(len(self.stills)))
                frame = self.stills.read(n)
                person = self.stills.person(n, frame.shape[:2])
            else:
                c = int(rng.integers(len(self.clips)))
                t = int(rng.integers(len(self.clips.joints[c])))
                person = self.clips.person(c, t)
                if person.counts.sum() < MINIMUM_JOINTS:
                    continue
                frame = self.clips.frame(c, t)
            if person.counts.sum() >= MINIMUM_JOINTS:
                return self._sample(frame, person, rng)

    def _sample(self, frame: NDArray[np.uint8], person: Person, rng: np.random.Generator) -> dict[str, NDArray]:
        draw = Augmentation.draw(rng)
        box = half_body(person, rng) if rng.random() < 0.2 else person.box
        affine = crops.matrix(box, self.size, draw.rotation, draw.zoom, draw.shift, draw.flip)
        crop = draw.colours(crops.warp(np.ascontiguousarray(frame), affine, self.size))
        if rng.random() < 0.25:
            crop = occlude(crop, rng)
        length = rng.uniform(0, self.longest) * self.size[0] / 256 if rng.random() < self.blurred else 0.0
        if length or rng.random() < 0.6:
            crop = blur.degrade(
                crop, length, rng.uniform(0, np.pi), rng.uniform(0, 0.02), int(rng.integers(50, 96)), rng
            )
        joints, counts = place(person, affine, self.size, draw.flip)
        return {
            "frames": crop.transpose(2, 0, 1).copy(),
            "joints": joints,
            "counts": counts,
            "convention": np.array(person.convention),
        }


def place(
    person: Person, affine: NDArray[np.float64], size: tuple[int, int], flip: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Joints in the crop, and which of them count there; mirrored names when flipped."""
    joints = crops.transform(person.joints, affine).astype(np.float32)
    counts = person.counts & poses.inside(joints, size)
    if flip:
        joints, counts = joints[list(poses.FLIPS)], counts[list(poses.FLIPS)]
    return joints, counts


@dataclass(frozen=True)
class Damage:
    """What happens to one frame of a window; lengths in px of PROTOCOL.md (1/256 of the crop's height)."""

    length: float = 0.0
    angle: float = 0.0
    sigma: float = 0.01
    gain: float = 1.0
    occluded: bool = False


LONGEST = 47.0  # px of motion blur in training
REGIMES = {"natural": 0.3, "R1": 0.2, "R2": 0.25, "R3": 0.15, "single": 0.1}  # shares in training


def draw_window(
    regime: str, rng: np.random.Generator, radius: int = 2, longest: float = LONGEST, traps: float = 0.3
) -> list[Damage]:
    """One window of a training regime; a share of `traps` for energy: noise, exposure or an occluder.

    Lengths reach up to `longest` px; a smaller one shortens them all alike.
    """
    count = 2 * radius + 1
    lengths = np.zeros(count)
    if regime == "R1":
        lengths = rng.choice([0, 5, 9, 15, 21, 31], count) * rng.uniform(0.8, 1.2, count)
        lengths[radius] = rng.uniform(12, 34)
    elif regime == "R2":
        lengths = rng.uniform(25, 47, count)
        lengths[radius] = rng.uniform(15, 34)
        lengths[rng.choice([i for i in range(count) if i != radius])] = rng.uniform(0, 3)
    elif regime == "R3":
        lengths = rng.uniform(15, 34, count)
    elif regime == "single":
        lengths[radius] = rng.uniform(9, 34)
    lengths = lengths * (longest / LONGEST)
    sigma = np.full(count, 0.01) if rng.random() < 0.7 else np.full(count, rng.uniform(0, 0.02))
    gain, occluded = np.ones(count), np.zeros(count, bool)
    if rng.random() < traps:
        trapped, kind = rng.integers(count), rng.integers(3)
        if kind == 0:
            sigma[trapped] = 0.05
        elif kind == 1:
            gain[trapped] = rng.choice([0.5, 2.0])
        else:
            occluded[trapped] = trapped != radius
    return [
        Damage(
            float(lengths[i]),
            float(rng.uniform(0, np.pi)),
            float(sigma[i]),
            float(gain[i]),
            bool(occluded[i]),
        )
        for i in range(count)
    ]


def damaged(
    frame: NDArray[np.uint8], damage: Damage, pixel: float, rng: np.random.Generator, quality: int = 75
) -> NDArray[np.uint8]:
    """A frame after exposure, motion blur, noise and compression.

    Args:
        pixel: pixels of this frame per px of PROTOCOL.md.
    """
    if damage.gain != 1:
        frame = blur.exposure(frame, damage.gain)
    return blur.degrade(frame, damage.length * pixel, damage.angle, damage.sigma, quality, rng)


class WindowSamples(Dataset[dict[str, NDArray]]):
    """An endless stream of augmented five-frame windows; sample i is the same in every run.

    JHMDB windows have their true motion, LSPET stills are moved by a smooth camera.
    All frames of a window share the key frame's box and the augmentation; `sharp` is the key frame before its damage.

    Args:
        regimes: share of each regime of `draw_window`.
        traps: as there.
        undamaged: whether items have all frames before their damage.
        still: share of stills.
    """

    def __init__(
        self,
        stills: Stills,
        clips: Clips,
        seed: int,
        first: int,
        count: int,
        radius: int = 2,
        longest: float = LONGEST,
        regimes: Mapping[str, float] = REGIMES,
        traps: float = 0.3,
        undamaged: bool = False,
        still: float = 0.2,
    ):
        self.stills, self.clips, self.seed = stills, clips, seed
        self.first, self.count, self.radius, self.longest = first, count, radius, longest
        self.regimes, self.traps, self.undamaged, self.still = regimes, traps, undamaged, still

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> dict[str, NDArray]:
        rng = np.random.default_rng((self.seed, 7, self.first + i))
        draw = Augmentation.draw(rng)
        size = crops.SIZE
        while True:
            if rng.random() < self.still:
                n = int(rng.integers(len(self.stills)))
                still = np.ascontiguousarray(self.stills.read(n))
                person = self.stills.person(n, still.shape[:2])
                frames, people = [still] * (2 * self.radius + 1), [person] * (2 * self.radius + 1)
                speed, turn = rng.normal(0, 0.03, 2), rng.normal(0, 0.02)
            else:
                c = int(rng.integers(len(self.clips)))
                t = int(rng.integers(len(self.clips.joints[c])))
                numbers = self.clips.window(c, t, self.radius)
                frames = [self.clips.frame(c, n) for n in numbers]
                people = [self.clips.person(c, n) for n in numbers]
                speed, turn = np.zeros(2), 0.0
            key = people[self.radius]
            if key.counts.sum() >= MINIMUM_JOINTS:
                break
        regime = str(rng.choice(list(self.regimes), p=list(self.regimes.values())))
        damages = draw_window(regime, rng, self.radius, self.longest, self.traps)
        cuts, joints, counts, clean = [], [], [], []
        for step, (frame, person, damage) in enumerate(zip(frames, people, damages, strict=True)):
            away = step - self.radius
            shift = (draw.shift[0] + away * speed[0], draw.shift[1] + away * speed[1])
            affine = crops.matrix(key.box, size, draw.rotation + away * turn, draw.zoom, shift, draw.flip)
            crop = draw.colours(crops.warp(frame, affine, size))
            clean.append(crop.transpose(2, 0, 1))
            if damage.occluded:
                crop = occlude(crop, rng)
            cuts.append(damaged(crop, damage, PIXEL, rng, int(rng.integers(60, 90))).transpose(2, 0, 1))
            placed, chosen = place(person, affine, size, draw.flip)
            joints.append(placed)
            counts.append(chosen)
        return {
            "frames": np.stack(cuts),
            "sharp": clean[self.radius].copy(),
            **({"undamaged": np.stack(clean)} if self.undamaged else {}),
            "joints": np.stack(joints),
            "counts": np.stack(counts),
            "lengths": np.array([d.length for d in damages], np.float32),
            "still": np.array(key.convention == LSPET),
        }
