"""The clips of this machine: the sample, and what visitors uploaded, one file each in runs/clips."""

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from freqviz import boxes
from freqviz.clip import Clip, ClipError
from freqviz.poses import Pose

PROJECT = Path(__file__).resolve().parents[2]
RUNS = Path(os.environ.get("FREQVIZ_RUNS", PROJECT / "runs"))  # uploads and finished analyses
CLIPS, BOXES, RESULTS = RUNS / "clips", RUNS / "boxes", RUNS / "results"
SAMPLE = "sample"
SAMPLE_FILE = PROJECT / "assets" / "sample.mp4"
SUFFIXES = ("mp4", "mov", "m4v", "mkv", "webm", "avi", "gif", "ts")


def clips() -> dict[str, Path]:
    """Every clip that can be chosen, by the name that links have for it: sample, uploads, youngest first.

    The name of an upload is that of its file with eight digits of its SHA-256: `backflip-3fa2c1d4.mp4`.
    """
    uploads = sorted(CLIPS.glob("*-????????.*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return {SAMPLE: SAMPLE_FILE} | {path.name: path for path in uploads}


def add(name: str, data: bytes) -> str:
    """Keep an uploaded clip if it can be opened.

    Args:
        name: of the uploaded file; only its plain characters are used, and only for people.
        data: the file.
    Returns:
        The clip's name in `clips`.
    Raises:
        ClipError: no clip, or beyond the limits of `Clip`; one sentence. Nothing is kept.
    """
    digest = hashlib.sha256(data).hexdigest()[:8]
    for known in CLIPS.glob(f"*-{digest}.*"):
        return known.name
    plain = Path(re.sub(r"[^\w.() -]+", "_", Path(name).name))
    suffix = plain.suffix[:6] or ".mp4"
    CLIPS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CLIPS) as folder:
        path = Path(folder) / f"{plain.stem[:50] or 'clip'}{suffix}"  # the name that an error shows
        path.write_bytes(data)
        try:
            with Clip(path) as clip:
                clip[0]
        except ClipError:
            raise
        except (OSError, ValueError, IndexError) as error:
            raise ClipError(f"{path.name} cannot be read as a video: {error}") from error
        return path.rename(CLIPS / f"{path.stem}-{digest}{suffix}").name


def box_files() -> list[str]:
    """Names of the uploaded files of boxes, the youngest first."""
    return [path.name for path in sorted(BOXES.glob("*-????????.*"), key=lambda path: path.stat().st_mtime)[::-1]]


def people(name: str) -> dict[int, int]:
    """How many boxes each person of a file of boxes has, the most first.

    Raises:
        LookupError: no such file here.
    """
    return {person: len(found) for person, found in _people(name).items()}


def read_boxes(name: str, person: int | None = None) -> dict[int, boxes.Box]:
    """Boxes of key frames of one person of a file of boxes; None: who has the most.

    Raises:
        LookupError: no such file here, or no such person in it.
    """
    return boxes.of_person(_people(name), person)


def add_boxes(name: str, data: bytes) -> str:
    """Keep an uploaded file of boxes if it can be read; its name in `box_files`.

    Raises:
        ValueError: it cannot; one sentence. Nothing is kept.
    """
    plain = Path(re.sub(r"[^\w.() -]+", "_", Path(name).name))
    BOXES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOXES) as folder:
        path = Path(folder) / f"{plain.stem[:50] or 'boxes'}{plain.suffix[:6] or '.txt'}"
        path.write_bytes(data)
        boxes.read_people(path)
        digest = hashlib.sha256(data).hexdigest()[:8]
        return path.rename(BOXES / f"{path.stem}-{digest}{path.suffix}").name


def _people(name: str) -> dict[int, dict[int, boxes.Box]]:
    if name not in box_files():
        raise LookupError(f"no boxes named '{name}' on this machine; upload them")
    return _read(BOXES / name)


@lru_cache(maxsize=8)
def _read(file: Path) -> dict[int, dict[int, boxes.Box]]:
    return boxes.read_people(file)  # its name holds the hash of its content


@dataclass(frozen=True)
class Truth:
    """What the sample clip knows about itself."""

    keypoints: np.ndarray  # (N, J, 2) frame pixels
    blur: np.ndarray  # (N,) length of the motion blur, pixels
    box: tuple[float, float, float, float]  # x, y, w, h of the person in the first frame

    def pose(self, frame: int) -> Pose:
        """The true joints of one frame."""
        return Pose(self.keypoints[frame], np.ones(self.keypoints.shape[1]))


def truth(name: str) -> Truth | None:
    """The truth of a clip of the library; None where it is not known, as for every upload."""
    return _truth(SAMPLE_FILE.with_suffix(".json")) if name == SAMPLE else None


@lru_cache(maxsize=1)
def _truth(file: Path) -> Truth:
    known = json.loads(file.read_text())
    x, y, w, h = boxes.grown(known["box"][0], boxes.PAD).round().tolist()  # joints end inside the body
    return Truth(np.array(known["joints"]), np.array(known["blur_length"]), (x, y, w, h))
