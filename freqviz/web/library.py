"""The clips of this machine: the sample, and what visitors uploaded; a file each in runs/clips and runs/truths.

Parameters of networks that they uploaded lie in runs/weights/<network>.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import models
from freqviz import boxes, crops, poses
from freqviz.clip import Clip, ClipError
from freqviz.session import SUFFIX, open_session

PROJECT = Path(__file__).resolve().parents[2]
RUNS = Path(os.environ.get("FREQVIZ_RUNS", PROJECT / "runs"))  # uploads and finished analyses
CLIPS, BOXES, RESULTS, TRUTHS, COPIES = (RUNS / name for name in ("clips", "boxes", "results", "truths", "copies"))
SESSIONS, RECENT, EXPORTS, WEIGHTS = (RUNS / name for name in ("sessions", "recent", "exports", "weights"))
SAMPLE = "sample"
SAMPLE_FILE = PROJECT / "assets" / "sample.mp4"
SUFFIXES = ("mp4", "mov", "m4v", "mkv", "webm", "avi", "gif", "ts")


def clips() -> dict[str, Path]:
    """Every clip that can be chosen, by the name that links have for it: sample, uploads, youngest first.

    The name of an upload is that of its file with eight digits of its SHA-256: `backflip-3fa2c1d4.mp4`. Opened sessions
    stand among the uploads, by their folder: `backflip-2b91e07c.session`.
    """
    held = [*CLIPS.glob("*-????????.*"), *SESSIONS.glob("*-????????.session")]
    uploads = sorted(held, key=lambda path: path.stat().st_mtime, reverse=True)
    return {SAMPLE: SAMPLE_FILE} | {path.name: path for path in uploads}


def known(name: str) -> str | None:
    """The clip that a link names: by its name, or under another name of the same content; None: it is not here."""
    held = clips()
    if name in held:
        return name
    digest = re.search(r"-([0-9a-f]{8})\.\w+$", name)
    return next((one for one in held if digest and Path(one).stem.endswith(digest[0][:9])), None)


def session(name: str) -> Path | None:
    """The folder of an opened session; None where the name is that of a clip."""
    return SESSIONS / name if name.endswith(".session") else None


def relative(path: Path) -> str:
    """A path for lines to copy: from the folder of the project if it lies there."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def add(name: str, data: bytes) -> str:
    """Keep an uploaded clip, or session, if it can be opened.

    Args:
        name: of the uploaded file; only its plain characters are used, and only for people.
        data: the file.
    Returns:
        The clip's name in `clips`.
    Raises:
        ClipError: no clip, or beyond the limits of `Clip`; one sentence. Nothing is kept.
        SessionError: a zip that is no session, or a damaged one; as above.
    """
    digest = hashlib.sha256(data).hexdigest()[:8]
    for held in (*CLIPS.glob(f"*-{digest}.*"), *SESSIONS.glob(f"*-{digest}.session")):
        return held.name
    named = plain(name)
    if data.startswith(b"PK"):
        return _add_session(named, data, digest)
    suffix = named.suffix[:6] or ".mp4"
    CLIPS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CLIPS) as folder:
        path = Path(folder) / f"{named.stem[:50] or 'clip'}{suffix}"  # the name that an error shows
        path.write_bytes(data)
        try:
            with Clip(path, apart=True) as clip:
                clip[0]
        except ClipError:
            raise
        except (OSError, ValueError, IndexError) as error:
            raise ClipError(f"{path.name} cannot be read as a video: {error}") from error
        return path.rename(CLIPS / f"{path.stem}-{digest}{suffix}").name


def _add_session(named: Path, data: bytes, digest: str) -> str:
    RUNS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RUNS) as folder:
        path = Path(folder) / named.name[-60:]
        path.write_bytes(data)
        stem = named.name.removesuffix(SUFFIX).removesuffix(".zip")[:50] or "session"
        return open_session(path, SESSIONS / f"{stem}-{digest}.session", apart=True).folder.name


def forget(name: str) -> None:
    """Remove an uploaded clip and its truth, or an opened session; the sample stays."""
    if folder := session(name):
        shutil.rmtree(folder, ignore_errors=True)
    elif name in clips() and name != SAMPLE:
        clips()[name].unlink(missing_ok=True)
        remove_truth(name)


def plain(name: str) -> Path:
    """The name of an uploaded file, without folders, in plain characters."""
    return Path(re.sub(r"[^\w.() -]+", "_", Path(name).name))


def refusal(error: Exception) -> str:
    """What was wrong with a file, as a sentence in which nothing that came from the file is markup."""
    return re.sub(r"([\\*`\[\]$<>~])", r"\\\1", " ".join(str(error).split())).rstrip(".") + "."


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
    named = plain(name)
    BOXES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BOXES) as folder:
        path = Path(folder) / f"{named.stem[:50] or 'boxes'}{named.suffix[:6] or '.txt'}"
        path.write_bytes(data)
        boxes.read_people(path)
        digest = hashlib.sha256(data).hexdigest()[:8]
        return path.rename(BOXES / f"{path.stem}-{digest}{path.suffix}").name


def own_networks() -> list[str]:
    """Networks with uploaded parameters, by the names that `models.add` gives them, the youngest first."""
    files = sorted(WEIGHTS.glob("*/*-????????.safetensors"), key=lambda path: path.stat().st_mtime)[::-1]
    found = []
    for file in files:
        with suppress(ValueError, LookupError, OSError):  # its network is another one by now
            found.append(_added(file))
    return found


def add_weights(network: str, name: str, data: bytes) -> str:
    """Keep an uploaded file of parameters if it fits its network; the name of the network with them.

    Raises:
        ValueError, LookupError: it does not; says what is missing, too many, of another shape or type. Nothing is kept.
    """
    data = models.own.as_safetensors(data, plain(name).name[-60:])
    digest = hashlib.sha256(data).hexdigest()[:8]
    for held in (WEIGHTS / network).glob(f"*-{digest}.safetensors"):
        return _added(held)
    stem = re.sub(r"\.(safetensors|pth|pt)$", "", plain(name).name)[:30].strip(". ") or "parameters"
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WEIGHTS) as folder:
        path = Path(folder) / f"{stem}.safetensors"  # the name that an error shows
        path.write_bytes(data)
        models.check(network, path)
        (WEIGHTS / network).mkdir(exist_ok=True)
        return _added(path.rename(WEIGHTS / network / f"{stem}-{digest}.safetensors"))


@lru_cache(maxsize=64)
def _added(file: Path) -> str:
    return models.add(file.parent.name, file)  # its name holds the hash of its content


def _people(name: str) -> dict[int, dict[int, boxes.Box]]:
    if name not in box_files():
        raise LookupError(f"no boxes named '{name}' on this machine; upload them")
    return _read(BOXES / name)


@lru_cache(maxsize=8)
def _read(file: Path) -> dict[int, dict[int, boxes.Box]]:
    return boxes.read_people(file)  # its name holds the hash of its content


@dataclass(frozen=True)
class Truth:
    """What is known of a clip besides its pictures."""

    keypoints: np.ndarray  # (N, J, 2) frame pixels, NaN where unknown
    blur: np.ndarray | None  # (N,) length of the motion blur, pixels
    boxes: np.ndarray  # (N, 4) x, y, w, h around the joints, frame pixels; NaN where unknown

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """x, y, w, h of the person in the first frame."""
        if not np.isfinite(self.boxes[0]).all():
            return None
        x, y, w, h = boxes.grown(self.boxes[0], boxes.PAD).round().tolist()  # joints end inside the body
        return x, y, w, h

    def part(self, start: int, stop: int) -> "Truth":
        """That of the frames start ... stop - 1."""
        span = slice(start, stop)
        return Truth(self.keypoints[span], None if self.blur is None else self.blur[span], self.boxes[span])

    def pose(self, frame: int) -> poses.Pose | None:
        """The true joints of one frame, if there are any."""
        points = self.keypoints[frame]
        return poses.Pose(points, np.ones(len(points))) if np.isfinite(points).any() else None


def truth(name: str) -> Truth | None:
    """The truth of a clip: the sample and sessions have their own, an upload may have been given one; else None."""
    if folder := session(name):
        return _session_truth(folder)
    if name == SAMPLE:
        return _sample_truth(SAMPLE_FILE.with_suffix(".json"))
    file = _truth_file(name)
    return _given_truth(file, file.stat().st_mtime_ns) if file.is_file() else None


def truth_path(name: str) -> Path | None:
    """The file that holds the truth of a clip, as `poses.read_truth` reads it; None where there is none."""
    file = SAMPLE_FILE.with_suffix(".json") if name == SAMPLE else _truth_file(name)
    return file if file.is_file() else None


def add_truth(name: str, clip: Clip, file: str, data: bytes) -> None:
    """Keep the truth of an uploaded clip, in the place of the one that it had.

    Args:
        name: of the clip in the library.
        clip: the same, opened.
        file: name of the uploaded file.
        data: the file: see `poses.read_truth`.
    Raises:
        ValueError: it is no truth of this clip; one sentence, and what was known stays known.
    """
    TRUTHS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TRUTHS) as folder:
        path = Path(folder) / (plain(file).name[-60:] or "truth")
        path.write_bytes(data)
        keypoints = poses.read_truth(path, len(clip), clip.size)
        kept = Path(folder) / "kept.npy"
        np.save(kept, keypoints)
        kept.replace(_truth_file(name))


def remove_truth(name: str) -> None:
    """Forget the truth that an uploaded clip was given."""
    _truth_file(name).unlink(missing_ok=True)


def _truth_file(name: str) -> Path:
    return TRUTHS / f"{name}.npy"


@lru_cache(maxsize=8)
def _given_truth(file: Path, modified: int) -> Truth:
    keypoints = np.load(file)
    seen = np.isfinite(keypoints).all(-1).sum(-1) >= boxes.FEWEST
    known = [
        crops.around(points) if enough else np.full(4, np.nan) for points, enough in zip(keypoints, seen, strict=True)
    ]
    return Truth(keypoints, None, np.stack(known))


@lru_cache(maxsize=8)
def _session_truth(folder: Path) -> Truth | None:
    held = open_session(folder).truth
    if "keypoints" not in held:
        return None
    points = held["keypoints"]
    return Truth(points, held.get("blur"), np.full((len(points), 4), np.nan))


@lru_cache(maxsize=1)
def _sample_truth(file: Path) -> Truth:
    known = json.loads(file.read_text())
    return Truth(np.array(known["joints"]), np.array(known["blur_length"]), np.array(known["box"], np.float64))
