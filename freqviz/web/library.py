"""The clips of this machine: the sample, and what visitors uploaded; a file each in runs/clips and runs/truths.

Parameters of networks that they uploaded lie in runs/weights/<network>. All that is kept has one limit: beyond it goes
what was used longest ago.
"""

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import models
from freqviz import boxes, crops, poses
from freqviz.clip import Clip
from freqviz.session import SUFFIX, SessionError, open_session
from freqviz.store import Hold, Thing, Uses, aside, place, remove, size, trim
from freqviz.video import ClipError
from freqviz.web import visitor

PROJECT = Path(__file__).resolve().parents[2]
RUNS = Path(os.environ.get("FREQVIZ_RUNS", PROJECT / "runs"))  # uploads and finished analyses
CLIPS, BOXES, RESULTS, TRUTHS, COPIES = (RUNS / name for name in ("clips", "boxes", "results", "truths", "copies"))
SESSIONS, RECENT, EXPORTS, WEIGHTS = (RUNS / name for name in ("sessions", "recent", "exports", "weights"))
USES = Uses(RUNS / "used")
LIMIT = int(float(os.environ.get("FREQVIZ_STORE_GB", 8)) * 10**9)  # bytes of all that is kept
SAMPLE = "sample"
SAMPLE_FILE = PROJECT / "assets" / "sample.mp4"
SUFFIXES = ("mp4", "mov", "m4v", "mkv", "webm", "avi", "gif", "ts")


def clips() -> dict[str, Path]:
    """Every clip that can be chosen, by the name that links have for it: sample, uploads, youngest first.

    The name of an upload is that of its file with eight digits of its SHA-256: `backflip-3fa2c1d4.mp4`. Opened sessions
    stand among the uploads, by their folder: `backflip-2b91e07c.session`.
    """
    uploads = _youngest_first(*CLIPS.glob(_named("*")), *SESSIONS.glob(_named("session")))
    return {SAMPLE: SAMPLE_FILE} | {path.name: path for path in uploads if visitor.sees(path.name)}


def find(name: str) -> Path | None:
    """The file of a clip, or the folder of a session, by its whole name, whoever uploaded it; None: it is not here."""
    path = SAMPLE_FILE if name == SAMPLE else session(name) or CLIPS / name
    ours = name == SAMPLE or (Path(name).name == name and Path(name).match(_named("*")))
    return path if ours and path.exists() else None


def _named(suffix: str) -> str:
    """A pattern that the names of uploads match: -, the digits of the key, and the suffix."""
    return f"*-{'[0-9a-f]' * visitor.digits()}.{suffix}"


def _youngest_first(*paths: Path) -> list[Path]:
    """By when they were uploaded; what has gone meanwhile is last."""
    return sorted(paths, key=_written, reverse=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def salt(name: str) -> str:
    """What keeps results of an upload apart from those of the same clip uploaded by others; empty in a lab."""
    return Path(name).stem[-visitor.digits() :] if visitor.PUBLIC and name != SAMPLE else ""


# -------- what is kept, and for how long


def things() -> list[Thing]:
    """All that is kept: what is removed together, named by the first."""
    hexadecimal, ours = "[0-9a-f]", list[Thing]()
    for digits in (8, 32):  # of a lab, and in public
        name = f"*-{hexadecimal * digits}.*"
        ours += [(path, _truth_file(path.name)) for path in CLIPS.glob(name)]
        ours += [(path,) for held in (SESSIONS, BOXES) for path in held.glob(name)]
        ours += [(path,) for path in WEIGHTS.glob(f"*/{name}")]
    ours += [(path,) for path in RESULTS.glob(".parts-*")]
    for path in RESULTS.glob(hexadecimal * 24):
        ours.append((path, *RECENT.glob(f"{path.name}*.json")))
    return ours + [(path,) for held in (COPIES, EXPORTS) for path in held.glob("[!.]*")]


def keep_within(keep: Path | None = None) -> None:
    """Remove what was used longest ago until all that is kept fits the limit; what is in use stays, and `keep`."""
    trim(things(), USES, LIMIT, keep)


def hold(state: Any, name: str, *folders: Path) -> None:
    """A visitor looks at a clip, and at results of it: they are used now, and not removed before the visit ends.

    Args:
        state: of the visit; it forgets what was looked at before.
    """
    path = find(name)
    seen = (*folders, *([path] if path and name != SAMPLE else []))
    if state.get("looked at") != seen:
        state["looked at"], state["in use"] = seen, [USES.hold(one) for one in seen]
    else:
        for one in seen:
            USES.touch(one)


def holding(path: Path | None) -> Hold:
    """Keeps an upload while a job works on it; close it at the end."""
    ours = path is not None and path.is_relative_to(RUNS)
    return USES.hold(path) if ours and path else Hold(None)


def known(name: str) -> str | None:
    """The clip that a link names: by its name, or under another name of the same content; None: it is not here."""
    held = clips()
    if name in held or visitor.PUBLIC:
        return name if name in held else None
    digest = re.search(r"-([0-9a-f]{8})\.\w+$", name)
    return next((one for one in held if digest and Path(one).stem.endswith(digest[0][:9])), None)


def session(name: str) -> Path | None:
    """The folder of an opened session; None where the name is that of a clip."""
    return SESSIONS / name if name.endswith(".session") else None


def relative(path: Path) -> str:
    """A path for lines to copy: from the folder of the project if it lies there."""
    if path.is_relative_to(PROJECT):
        return str(path.relative_to(PROJECT))
    if visitor.PUBLIC:
        return str(Path("runs") / path.relative_to(RUNS)) if path.is_relative_to(RUNS) else path.name
    return str(path)


def here(lines: str) -> str:
    """Lines to copy, with the paths that this server has where `relative` does not tell them."""
    if not visitor.PUBLIC or RUNS.is_relative_to(PROJECT):
        return lines
    return re.sub(r"(?<=['\"])runs/(?=(clips|sessions|boxes|truths|weights)/)", lambda _: f"{RUNS}/", lines)


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
    key, named = visitor.key(data), plain(name)
    of_session = data.startswith(b"PK")
    for path in SESSIONS.glob(f"*-{key}.session") if of_session else CLIPS.glob(f"*-{key}.*"):
        digest = "" if of_session else _digest(path)
        with suppress(SessionError):
            if of_session and open_session(path) or digest == hashlib.sha256(data).hexdigest():
                return visitor.take(path.name, len(data))
        if visitor.PUBLIC or not digest.startswith(key):
            remove(path)  # torn; else another clip whose digits are the same
    visitor.afford(len(data))
    path = _add_session(named, data, key) if of_session else _add_clip(named, data, key)
    keep_within(path)
    return visitor.take(path.name, size(path))


def _add_clip(named: Path, data: bytes, key: str) -> Path:
    suffix = named.suffix[:6] or ".mp4"
    with aside(CLIPS) as folder:
        path = folder / f"{named.stem[:50] or 'clip'}{suffix}"  # the name that an error shows
        path.write_bytes(data)
        try:
            with Clip(path, apart=True) as clip:
                clip[0]
        except ClipError:
            raise
        except (OSError, ValueError, IndexError) as error:
            raise ClipError(f"{path.name} cannot be read as a video: {error}") from error
        return _kept(path, CLIPS / f"{path.stem}-{key}{suffix}")


def _add_session(named: Path, data: bytes, key: str) -> Path:
    with aside(RUNS) as folder:
        path = folder / named.name[-60:]
        path.write_bytes(data)
        stem = named.name.removesuffix(SUFFIX).removesuffix(".zip")[:50] or "session"
        found = open_session(path, SESSIONS / f"{stem}-{key}.session", apart=True).folder
    USES.touch(found)
    return found


def _kept(made: Path, path: Path) -> Path:
    """Put an upload that was checked in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    USES.touch(place(made, path))
    return path


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def forget(name: str) -> None:
    """Remove an uploaded clip and its truth, or an opened session; the sample stays."""
    path = find(name)
    if path and name != SAMPLE:
        remove(path)
        USES.forget(path)
        remove_truth(name)
    visitor.drop(name)


def plain(name: str) -> Path:
    """The name of an uploaded file, without folders, in plain characters."""
    return Path(re.sub(r"[^\w.() -]+", "_", Path(name).name))


def box_files() -> list[str]:
    """Names of the uploaded files of boxes, the youngest first."""
    return [path.name for path in _youngest_first(*BOXES.glob(_named("*"))) if visitor.sees(path.name)]


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
    visitor.afford(len(data))
    with aside(BOXES) as folder:
        path = folder / f"{named.stem[:50] or 'boxes'}{named.suffix[:6] or '.txt'}"
        path.write_bytes(data)
        boxes.read_people(path)
        kept = _kept(path, BOXES / f"{path.stem}-{visitor.key(data)}{path.suffix}")
    keep_within(kept)
    return visitor.take(kept.name, len(data))


def own_networks() -> list[str]:
    """Networks with uploaded parameters, by the names that `models.add` gives them, the youngest first."""
    found = []
    for file in _youngest_first(*WEIGHTS.glob(f"*/{_named('safetensors')}")):
        if not visitor.sees(file.name):
            continue
        with suppress(ValueError, LookupError, OSError):  # its network is another one by now
            found.append(_added(file))
    return found


def add_weights(network: str, name: str, data: bytes) -> str:
    """Keep an uploaded file of parameters if it fits its network; the name of the network with them.

    Raises:
        ValueError, LookupError: it does not; says what is missing, too many, of another shape or type. Nothing is kept.
    """
    if visitor.PUBLIC and Path(name).suffix.lower() != ".safetensors":
        raise ValueError(f"parameters are uploaded here as .safetensors, got {plain(name).name[-40:]}")
    if not visitor.PUBLIC:
        data = models.own.as_safetensors(data, plain(name).name[-60:])
    key, stem = visitor.key(data), re.sub(r"\.(safetensors|pth|pt)$", "", plain(name).name)[:30].strip(". ")
    stem = (stem or "parameters")[: 7 if visitor.PUBLIC else None]  # names of networks, 40 characters, hold a whole key
    for held in (WEIGHTS / network).glob(f"*-{key}.safetensors"):
        if _digest(held) == hashlib.sha256(data).hexdigest():
            visitor.take(held.name, len(data))
            return _added(held)
    visitor.afford(len(data))
    with aside(WEIGHTS) as folder:
        path = folder / f"{stem}.safetensors"  # the name that an error shows
        path.write_bytes(data)
        models.check(network, path)
        kept = _kept(path, WEIGHTS / network / f"{stem}-{key}.safetensors")
    keep_within(kept)
    visitor.take(kept.name, len(data))
    return _added(kept)


@lru_cache(maxsize=64)
def _added(file: Path) -> str:
    return models.add(file.parent.name, file)  # its name holds the hash of its content


def _people(name: str) -> dict[int, dict[int, boxes.Box]]:
    if name not in box_files():
        raise LookupError(f"no boxes named '{name}' on this machine; upload them")
    try:
        return _read(BOXES / name)
    except (ValueError, OSError) as error:  # it was read when it came
        raise LookupError(f"the boxes {name} were damaged on this machine; upload them again") from error


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
    try:
        return _given_truth(file, file.stat().st_mtime_ns)
    except (OSError, ValueError, EOFError):  # there is none, or a torn one
        return None


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
    visitor.afford(len(data))
    with aside(TRUTHS) as folder:
        path = folder / (plain(file).name[-60:] or "truth")
        path.write_bytes(data)
        keypoints = poses.read_truth(path, len(clip), clip.size)
        kept = folder / "kept.npy"
        np.save(kept, keypoints)
        place(kept, _truth_file(name))


def remove_truth(name: str) -> None:
    """Forget the truth that an uploaded clip was given."""
    remove(_truth_file(name))


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
