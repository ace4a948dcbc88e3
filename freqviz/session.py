"""An analysis and all that is needed to look at it, in one file: other machines open it without running anything.

A session is a zip of data: what `Analysis.write` writes, the clip, the true joints where they are known, the view as a
link, and session.json. A file comes from anybody: only listed names are taken, sizes are counted while they are read,
arrays are no pickles, words that a page shows are plain, and clip and tables must fit each other. What is refused
leaves nothing behind.
"""

import json
import math
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import sharpness
from freqviz.analysis import BOX, Analysis, load_analysis
from freqviz.clip import HELD, Clip
from freqviz.jobs import Progress, silent
from freqviz.store import write_folder
from freqviz.trace import BYTES_PER_FRAME
from freqviz.video import ClipError, write_video

SUFFIX = ".freqviz.zip"
FORMAT, VERSION = "freqviz session", 1
HEADER, TRUTH = "session.json", "truth.npz"
QUALITY = 20  # of x264, for a clip that is encoded anew: looks unchanged
WORD = re.compile(r"[\w.+-][\w .+-]{0,59}")  # of names: nothing that a path or a page could take for more
NETWORK = re.compile(r"[\w.+-][\w .+()-]{0,99}")  # also with parameters of one's own: freq-video (my.safetensors)
MEMBERS = 300  # files in a session
LARGEST_INPUT = 2048  # pixels of a side that a network of one's own may see
WINDOWS = 1 << 30  # bytes of all windows that were kept whole, once they are read
WHOLE = 4 << 30  # bytes of all members, once they are unpacked
LISTING = 1 << 16  # bytes of the list of members at the end of the file
RATIO = 100  # bytes that a byte of the file may become, all in all; sessions have about 3
LIMITS = {  # bytes of a member, by its name
    r"session\.json|run\.json": 4 << 20,
    r"(poses|frames|weights)\.csv": 256 << 20,
    r"trace-[\w.+-][\w .+()-]{0,99}\.npz": 256 << 20,
    r"deep-[\w.+-][\w .+()-]{0,99}-\d{1,7}\.npz": 64 << 20,
    r"truth\.npz": 64 << 20,
    r"clip\.(mp4|mov|m4v|mkv|webm|avi|gif|ts)": 1 << 30,
}


class SessionError(ValueError):
    """This cannot be opened as a session; the message is one sentence for the person who chose it."""


@dataclass(frozen=True)
class Session:
    """An opened session: a folder whose content was checked."""

    folder: Path
    name: str  # of the clip's file, where it was analysed
    link: str  # page and query of the view that was saved, "" where none was
    small: bool  # the clip was encoded anew, and only the frames that were analysed
    apart: bool = False  # the clip is decoded in a process of its own
    cache_bytes: int = HELD  # of decoded frames that the clip keeps

    @cached_property
    def analysis(self) -> Analysis:
        """Poses, tables and traces, as they were found."""
        return load_analysis(self.folder)

    @cached_property
    def clip(self) -> Clip:
        """The clip; where it is `small` its frames keep their numbers by `first`."""
        clip = Clip(_clip_file(self.folder), apart=self.apart, cache_bytes=self.cache_bytes)
        if self.small:
            clip.first = int(self.analysis.frames["frame"][0])
        return clip

    @cached_property
    def truth(self) -> dict[str, NDArray[np.float64]]:
        """`keypoints` (N, J, 2) in frame pixels and `blur` (N,) in pixels of the N frames of `clip`, where known."""
        if not (self.folder / TRUTH).is_file():
            return {}
        with np.load(self.folder / TRUTH) as held:
            return {name: held[name] for name in held.files}


def save_session(
    path: Path | str,
    analysis: Analysis,
    clip: Clip,
    link: str = "",
    small: bool = False,
    keypoints: ArrayLike | None = None,
    blur: ArrayLike | None = None,
    progress: Progress = silent,
) -> Path:
    """Write a session file; aside, then renamed.

    Args:
        path: where to, by custom *.freqviz.zip; replaced if there.
        analysis: what was found.
        clip: the whole clip that it was found in.
        link: page and query of a view, e.g. "alignment?frame=41"; see `Session.link`.
        small: encode the frames that were analysed anew, instead of the file as it is. What is computed from
            pixels then differs a little; poses, tables and traces do not.
        keypoints: (N, J, 2) true joints of all frames of the clip, NaN where unknown; frame pixels.
        blur: (N,) true length of motion blur, pixels.
        progress: called with (frames encoded, frames); `small` only.
    Raises:
        ValueError: the clip is not the one that was analysed, or no single file of a known kind and `small` is not set.
    """
    path, known = Path(path), analysis.provenance["clip"]
    start, stop = (known["first"], known["first"] + known["frames"]) if small else (0, known["of"])
    if clip.hash != known["hash"]:
        raise ValueError(f"the clip {clip.path} is not the one that was analysed, {known['name'] or 'frames at hand'}")
    if not small and not (clip.path and clip.path.is_file() and _limit(f"clip{clip.path.suffix.lower()}")):
        raise ValueError("only a clip of one file can be kept as it is; others are encoded anew: small=True, --small")
    given = {"keypoints": keypoints, "blur": blur}
    truth = {name: np.asarray(values, np.float64)[start:stop] for name, values in given.items() if values is not None}
    header = {"format": FORMAT, "version": VERSION, "name": known["name"], "link": link, "small": small}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".aside-", dir=path.parent) as aside:
        folder, file = Path(aside) / "session", Path(aside) / "zip"
        folder.mkdir()
        analysis.write(folder)
        (folder / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
        if truth:
            np.savez(folder / TRUTH, **truth)  # type: ignore[arg-type]  # the stub takes them for options
        if small:
            write_video(folder / "clip.mp4", _told(clip.part(start, stop), progress), float(clip.fps), QUALITY)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in sorted(folder.iterdir()):
                packed = zipfile.ZIP_STORED if member.suffix == ".mp4" else None
                archive.write(member, member.name, packed)
            if not small and clip.path:
                archive.write(clip.path, f"clip{clip.path.suffix.lower()}", zipfile.ZIP_STORED)
        file.replace(path)
    return path


def open_session(
    path: Path | str, folder: Path | str | None = None, apart: bool = False, cache_bytes: int = HELD
) -> Session:
    """Open a session: a file, which is unpacked into a new folder, or such a folder.

    Args:
        path: the file, or the folder that it was unpacked into.
        folder: where to unpack to; a session or a run that lies there is replaced.
        apart, cache_bytes: of its clip, as `Clip` takes them.
    Raises:
        SessionError: no session, one of another version, or one whose parts do not fit; nothing is written.
        FileExistsError: `folder` holds something else than a run.
    """
    path = Path(path)
    if path.is_dir():
        return _opened(path, apart, cache_bytes)
    if folder is None:
        raise SessionError(f"{path.name} has to be unpacked: say into which folder")

    def unpack(aside: Path) -> None:
        _unpack(path, aside)
        _check(_opened(aside, apart, cache_bytes))

    return _opened(write_folder(Path(folder), unpack), apart, cache_bytes)


def _opened(folder: Path, apart: bool, cache_bytes: int) -> Session:
    header = _json(folder, HEADER)
    if header.get("format") != FORMAT:
        raise SessionError(f"{folder.name} holds no {FORMAT}")
    if header.get("version") != VERSION:
        raise SessionError(f"it is a session of version {header.get('version')!r:.20}, here version {VERSION} is read")
    name, link, small = header.get("name"), header.get("link"), header.get("small")
    if not (isinstance(name, str) and isinstance(link, str) and isinstance(small, bool) and len(link) <= 4000):
        raise SessionError(f"{HEADER} must hold name, link and small, got {', '.join(map(repr, header))[:80]}")
    if not re.fullmatch(r"[a-z_]*(\?[^#\s]*)?", link):
        raise SessionError(f"the link of a session is a page and a query, got {link[:80]!r}")
    return Session(folder, re.sub(r"[^\w.() -]+", "_", name)[-80:], link, small, apart, cache_bytes)


def link_parts(link: str) -> tuple[str, dict[str, list[str]]]:
    """The page of a link, "" for the first one, and the choices in its query."""
    page, _, query = link.partition("?")
    return page, parse_qs(query)


# -------- unpacking


def _limit(name: str) -> int:
    """Bytes that a member of this name may have; 0: there is no such member."""
    return next((limit for pattern, limit in LIMITS.items() if re.fullmatch(pattern, name)), 0)


def _unpack(path: Path, folder: Path) -> None:
    """Write the members of a zip into a folder; whatever a zip may claim, no more than the limits is written."""
    name = path.name
    if not path.is_file():
        raise SessionError(f"there is no file {name}")
    try:
        _check_listing(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS:
                raise SessionError(f"{name} holds {len(members)} files, a session at most {MEMBERS}")
            left = min(RATIO * path.stat().st_size, WHOLE)
            for member in members:
                kind = member.external_attr >> 16
                if not _limit(member.filename) or (kind and not stat.S_ISREG(kind) and stat.S_IFMT(kind)):
                    raise SessionError(f"{name} holds {member.filename[:80]!r}, which is no part of a session")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others inflate unasked
                    raise SessionError(f"{name} holds {member.filename[:80]!r} packed in a way that is not read here")
                if (folder / member.filename).exists():
                    raise SessionError(f"{name} holds {member.filename!r} twice")
                left -= _write(archive, member, folder / member.filename, min(left, _limit(member.filename)))
    except SessionError:
        raise
    except OSError as error:  # also of places that a damaged list names
        raise SessionError(f"{name} cannot be unpacked: {error.strerror or 'it cannot be read'}") from error
    except Exception as error:  # readers and decompressors raise their own kinds
        raise SessionError(f"{name} is no session file, or a damaged one: {_short(error)}") from error


def _check_listing(path: Path) -> None:
    """That the list of members, which is read as a whole, is no longer than a session needs."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 22))
        end = file.read()
    at = end.rfind(b"PK\5\6")
    if at >= 0 and (size := int.from_bytes(end[at + 12 : at + 16], "little")) > LISTING:
        raise SessionError(f"{path.name} lists its files in {size} bytes, a session in {LISTING} at most")


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write one member; its size."""
    count = 0
    with archive.open(member) as source, target.open("xb") as out:
        while chunk := source.read(1 << 20):
            count += len(chunk)
            if count > limit:
                raise SessionError(f"{member.filename!r} is larger than a session's may be, {limit} bytes")
            out.write(chunk)
    return count


# -------- checking


def _check(session: Session) -> None:
    """That the parts are what they should be, and fit each other."""
    facts = _json(session.folder, "run.json")
    clip = _facts(facts)
    if not (session.folder / "frames.csv").is_file():
        raise SessionError("the session lacks frames.csv")
    names, count = facts["models"], clip["frames"]
    for name in names:
        _arrays(session.folder / f"trace-{name}.npz", 2 * BYTES_PER_FRAME * count)
    left = WINDOWS
    for name, key in facts["deep"]:
        left -= _arrays(session.folder / f"deep-{name}-{key}.npz", left, "fiubcU")
    if (session.folder / TRUTH).exists():
        _arrays(session.folder / TRUTH, _limit(TRUTH), "f")
    try:
        analysis, truth = session.analysis, session.truth
    except Exception as error:  # readers of tables and arrays raise their own kinds
        raise SessionError(f"a table or trace of the session cannot be read: {_short(error)}") from error
    _check_frames(analysis.frames, clip, len(facts["settings"]["band_edges"]) - 1)
    for name, trace in analysis.traces.items():
        plain = (trace.network == name, len(trace) == count, trace.first == clip["first"])
        finite = all(np.isfinite(values).all() for values in (trace.keypoints, trace.scores, trace.boxes))
        if not all(plain) or not finite or not all(WORD.fullmatch(joint) for joint in trace.joints):
            span = f"{count} frames from {clip['first']}"
            raise SessionError(f"the trace of {name} must be of {span}, all numbers finite")
    for (name, key), deep in analysis.deep.items():
        if deep.network != name or not 0 <= key - clip["first"] < count:
            raise SessionError(f"the window of frame {key} is not of {name} and this clip")
    _check_clip(session, clip)
    length, joints = len(session.clip), len(next(iter(analysis.traces.values())).joints)
    shapes = {"keypoints": (length, joints, 2), "blur": (length,)}
    if any(values.shape != shapes.get(name) for name, values in truth.items()):
        raise SessionError(f"the truth must be keypoints {shapes['keypoints']} and blur {shapes['blur']}")


def _check_clip(session: Session, known: dict[str, Any]) -> None:
    try:
        session.clip[0]
    except ClipError as error:
        raise SessionError(f"the clip in it cannot be read: {error}") from error
    size, whole = tuple(known["size"]), known["frames"] if session.small else known["of"]
    if session.small:
        size = tuple(side + side % 2 for side in size)  # odd sides gained a row or column
    if (session.clip.size, len(session.clip)) != (size, whole):
        height, width = session.clip.size
        has = f"{len(session.clip)} frames of {width}x{height}"
        raise SessionError(f"the clip has {has}, the analysis is of {whole} frames of {size[1]}x{size[0]}")
    if not session.small and session.clip.hash != known["hash"]:
        raise SessionError("the clip is another one than was analysed")


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What run.json says of the clip; everything in it that pages use is of its kind."""
    clip, settings = facts.get("clip"), facts.get("settings")
    if not isinstance(clip, dict) or not isinstance(settings, dict) or not isinstance(facts.get("models"), list):
        raise SessionError("run.json must hold clip, settings and models")
    names: Any = facts.get("models")
    deep, brought = facts.get("deep"), facts.get("own networks", {})
    checks = {
        "models": _list(names, lambda one: isinstance(one, str) and bool(NETWORK.fullmatch(one)))
        and len(set(names)) == len(names) > 0,
        "checkpoints": isinstance(facts.get("checkpoints"), dict) and list(facts["checkpoints"]) == names,
        "own networks": isinstance(brought, dict)
        and all(name in names and isinstance(told, dict) and _size(told) for name, told in brought.items()),
        "device": _word(str(facts.get("device")).replace(":", ".")),
        "clip.hash": isinstance(clip.get("hash"), str),
        "clip.name": isinstance(clip.get("name"), str),
        "clip.frames": _count(clip.get("frames"), 1) and _count(clip.get("of"), 1) and _count(clip.get("first")),
        "clip.size": _list(clip.get("size"), _count) and len(clip["size"]) == 2,
        "clip.fps": _number(clip.get("fps")) and clip["fps"] > 0,
        "settings.rung": _word(settings.get("rung")),
        "settings.first_box": _list(settings.get("first_box"), _number) and len(settings["first_box"]) == 4,
        "settings.band_edges": _list(settings.get("band_edges"), _number) and len(settings["band_edges"]) > 1,
        "settings.corrections": isinstance(settings.get("corrections"), dict)
        and all(
            key.isdecimal() and _list(box, _number) and len(box) == 4 for key, box in settings["corrections"].items()
        ),
        "deep": _list(deep, lambda one: isinstance(one, list) and len(one) == 2 and one[0] in names and _count(one[1])),
    }
    if wrong := [name for name, right in checks.items() if not right]:
        raise SessionError(f"run.json is not as a run writes it: see {', '.join(wrong)}")
    if clip["first"] + clip["frames"] > clip["of"]:
        raise SessionError(f"run.json names {clip['frames']} frames from {clip['first']} in a clip of {clip['of']}")
    return clip


def _size(told: dict[str, Any]) -> bool:
    """Whether a network of one's own has an input that pages may cut frames to."""
    size = told.get("input_size")
    return _list(size, lambda side: _count(side, 1) and side <= LARGEST_INPUT) and len(size) == 2  # type: ignore[arg-type]


def _check_frames(frames: pd.DataFrame, clip: dict[str, Any], bands: int) -> None:
    numbers = ["frame", "time", *BOX, *sharpness.MEASURES, *(f"band_{band}" for band in range(bands))]
    missing = [name for name in (*numbers, "box_source", "lost") if name not in frames]
    if missing:
        raise SessionError(f"frames.csv lacks the columns {', '.join(missing)}")
    if strange := [name for name in numbers if frames[name].dtype.kind not in "fi"]:
        raise SessionError(f"frames.csv must hold numbers in {', '.join(strange)}")
    if frames["frame"].tolist() != list(range(clip["first"], clip["first"] + clip["frames"])):
        raise SessionError(f"frames.csv must hold the {clip['frames']} frames from {clip['first']} in their order")
    words = {str(word) for column in ("box_source", "lost") for word in frames[column].unique()} - {""}
    if not all(WORD.fullmatch(word) for word in words):
        raise SessionError("frames.csv must hold plain words in box_source and lost")


def _arrays(path: Path, limit: int, kinds: str = "fiubU") -> int:
    """That an npz holds arrays of some kinds, and of the sizes that they claim, before any is allocated; its size."""
    if not path.is_file():
        raise SessionError(f"the session lacks {path.name}")
    try:
        total = 0
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, _, dtype = read[version](file)
                size = math.prod(shape) * dtype.itemsize
                total += size
                if dtype.kind not in kinds or min(shape, default=0) < 0 or size > member.file_size or total > limit:
                    raise SessionError(f"{path.name} holds {member.filename[:40]!r}, {dtype} {shape}, which it may not")
    except SessionError:
        raise
    except Exception as error:  # zip and array readers raise their own kinds
        raise SessionError(f"{path.name} holds no arrays: {_short(error)}") from error
    return total


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SessionError(f"it is no session file: it has no {name}") from None
    except (ValueError, RecursionError) as error:
        raise SessionError(f"{name} is no JSON: {_short(error)}") from error
    if not isinstance(found, dict):
        raise SessionError(f"{name} must hold an object, got {type(found).__name__}")
    return found


def _clip_file(folder: Path) -> Path:
    found = sorted(folder.glob("clip.*"))
    if len(found) != 1:
        raise SessionError(f"a session holds one clip, this one {len(found)}")
    return found[0]


def _told(clip: Clip, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    for i in range(len(clip)):
        yield clip[i]
        progress(i + 1, len(clip))


def _word(value: object) -> bool:
    return isinstance(value, str) and bool(WORD.fullmatch(value))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12  # nor inf, nor NaN


def _count(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 10**7


def _list(value: object, kind: Any) -> bool:
    return isinstance(value, list) and all(map(kind, value))


def _short(error: Exception) -> str:
    """The first words of what a reader said, without the places where it read."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return re.sub(rf"\S*{re.escape(os.sep)}\S*", "a file", text)[:160]
