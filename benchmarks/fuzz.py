"""Does every importer answer a damaged file by a sentence? `python -m benchmarks.fuzz [--files 2000] [--seed 0]`.

Sound files of every kind that is read here are made, mutated, and given to what reads them. A file may be opened, or
refused by a `ValueError` or `LookupError` of one line without places of this machine; all else is a crash. Clips are
decoded in a process of its own, as the server does; one that dies is counted, and started anew.
"""

import argparse
import collections
import copy
import io
import json
import re
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from safetensors.torch import save
from scipy.io import savemat

from freqviz import apart, boxes, poses, run
from freqviz.clip import Clip
from freqviz.session import SessionError, open_session, save_session
from freqviz.video import Limits, write_video
from models import own

FRAMES, SIZE = 8, (48, 64)
LIMITS = Limits(patience=5, pixels=1 << 22, frames=5000, seconds=600)
SLOW = 10.0  # seconds of processor time that one file may take in this process
EXPECTED = {"head.weight": torch.zeros(3, 2), "head.bias": torch.zeros(3), "steps": torch.zeros(2, dtype=torch.int64)}
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)
WORDS = (
    "nan", "-1", "1e999", "9" * 400, "9" * 5000, "-0.0", "null", "true", '"', "'", "\0", "[" * 3000, "{}", "[]", ",",
    "\n", "é", "\ud7ff", "<script>alert(1)</script>", "../../etc/passwd", "1e300", "0x10", "Infinity", "1_0", '{"a":',
    "\r",
)  # fmt: skip
HOSTILE = (
    None,
    -1,
    1e300,
    10**400,
    float("nan"),
    float("inf"),
    True,
    "",
    "\0",
    "<b>",
    [],
    {},
    [[]],
    [None] * 3,
    {"": {}},
)
Change = tuple[str, float, int]  # kind, where as a share of the file, and a number that the kind makes use of


# -------- mutating


def mutated(data: bytes, changes: list[Change], other: bytes = b"") -> bytes:
    """The file after some changes, each one of `CHANGES`; `other` is a file to splice in."""
    for kind, where, number in changes:
        data = CHANGES[kind](bytearray(data), int(where * len(data)), number, other)
    return data


def _flipped(data: bytearray, at: int, number: int, other: bytes) -> bytes:
    if data:
        data[at % len(data)] ^= 1 << number % 8
    return bytes(data)


def _claim(data: bytearray, at: int, number: int, other: bytes) -> bytes:
    value, size, order = NUMBERS[number % len(NUMBERS)], (1, 2, 4, 8)[number // 16 % 4], ("big", "little")[number % 2]
    return bytes(data[:at] + (value % (1 << 8 * size)).to_bytes(size, order) + data[at + size :])  # type: ignore[arg-type]


def _noise(data: bytearray, at: int, number: int, other: bytes) -> bytes:
    size = number % 64 + 1
    return bytes(data[:at] + np.random.default_rng(number).bytes(size) + data[at + size :])


CHANGES: dict[str, Callable[[bytearray, int, int, bytes], bytes]] = {
    "flip": _flipped,
    "claim": _claim,
    "noise": _noise,
    "zeros": lambda data, at, number, other: bytes(data[:at] + bytes(number % 256) + data[at + number % 256 :]),
    "cut": lambda data, at, number, other: bytes(data[:at]),
    "lose": lambda data, at, number, other: bytes(data[:at] + data[at + number % 100 :]),
    "twice": lambda data, at, number, other: bytes(data[:at] + data[max(0, at - number % 300) :]),
    "word": lambda data, at, number, other: bytes(
        data[:at] + WORDS[number % len(WORDS)].encode("utf-8") + data[at + number % 9 :]
    ),
    "splice": lambda data, at, number, other: bytes(data[:at]) + other[number % (len(other) + 1) :],
    "latin": lambda data, at, number, other: bytes(data[:at] + b"\xe9\xff\xfe" + data[at:]),
}


def misshapen(value: Any, changes: list[Change]) -> Any:
    """A JSON value in which some places hold something else, lack, or lie ever deeper."""
    deep = False  # once is deep enough: readers of the changed file are tried, not what changes it
    for _, where, number in changes:
        places = list(_places(value))
        holder, key = places[int(where * len(places)) % len(places)]
        if number % 7 == 0:
            del holder[key]
        elif number % 7 == 1 and not deep:
            deep = True
            for _ in range(number % 500):
                holder[key] = [holder[key]]
        else:
            holder[key] = copy.deepcopy(HOSTILE[number % len(HOSTILE)])  # later changes may lie in it
        if not value:
            break
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


# -------- files and their readers


@dataclass(frozen=True)
class Case:
    """A sound file, and what reads it."""

    name: str  # of the file
    data: bytes
    read: Callable[[Path], object]

    def changed(self, changes: list[Change], other: bytes = b"") -> bytes:
        """The file after some changes: of its bytes, of the values in it, or of a member of the zip that it is."""
        aim = changes[0][2] % 3
        if self.name.endswith(".json") and aim:
            return json.dumps(misshapen(json.loads(self.data), changes)).encode()
        if self.data.startswith(b"PK") and aim:
            return _member_changed(self.data, changes, other)
        return mutated(self.data, changes, other)


def _member_changed(data: bytes, changes: list[Change], other: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w") as new, warnings.catch_warnings():
        names = old.namelist()
        chosen = names[changes[0][2] // 3 % len(names)]
        for member in old.infolist():
            content = old.read(member)
            if member.filename == chosen and chosen.endswith(".json") and changes[-1][2] % 4:
                content = json.dumps(misshapen(json.loads(content), changes)).encode()
            elif member.filename == chosen:
                content = mutated(content, changes, other)
            new.writestr(member.filename, content, member.compress_type)
    return written.getvalue()


class Decoder:
    """A process that decodes one clip after the other, as that of the server does with one."""

    def __init__(self) -> None:
        self.deaths: list[str] = []
        self._process: apart.Process | None = None

    def read(self, path: Path) -> int:
        self._process = self._process or apart.Process(LIMITS.memory)
        try:
            facts, times = self._process.ask({"open": str(path), "limits": vars(LIMITS)}, LIMITS.patience)
            count, size = len(times) // 8, tuple(facts["size"])
            for start in (0, count // 2, max(0, count - 4)):
                stop = min(start + 4, count)
                held = self._process.frames(stop - start, size)
                self._process.ask({"read": [start, stop]}, LIMITS.patience)
                held.sum()
        except apart.Refused as error:
            raise ValueError(str(error)) from None
        except apart.Died as error:
            self._process.end()
            self._process = None
            self.deaths.append(str(error))
            raise ValueError(f"{path.name} cannot be decoded: {error}") from None
        return count

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None


def pictures() -> list[np.ndarray]:
    ground = np.random.default_rng(0).integers(0, 255, (SIZE[0] // 4, SIZE[1] // 4, 3), np.uint8)
    return [np.roll(ground.repeat(4, 0).repeat(4, 1), 3 * t, 1) for t in range(FRAMES)]


def video(folder: Path, name: str, codec: str = "libx264", pixels: str = "yuv420p", **options: str) -> bytes:
    path = folder / name
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def cases(folder: Path, decoder: Decoder) -> list[Case]:
    """Sound files of every kind, made in a folder."""
    clips = {
        "a.mp4": {"g": "4"},
        "b.mkv": {},
        "c.ts": {},
        "d.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
        "e.gif": {"codec": "gif", "pixels": "rgb8"},
        "f.webm": {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"},
        "g.mov": {"codec": "mpeg4"},
    }
    found = [Case(name, video(folder, name, **options), decoder.read) for name, options in clips.items()]
    rows = "".join(f"{i},{10 + i},{5 + i},20,30\n" for i in range(FRAMES))
    tracks = "".join(f"{i + 1},{1 + i % 2},{10 + i},{5 + i},20,30,1,-1,-1,-1\n" for i in range(FRAMES))
    coco = {
        "images": [{"id": i, "file_name": f"frame_{i:04}.png"} for i in range(FRAMES)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": i, "category_id": 1, "track_id": 3, "bbox": [10, 5 + i, 20, 30]} for i in range(FRAMES)
        ],
    }
    found += [
        Case(name, text.encode(), boxes.read_people)
        for name, text in {
            "boxes.csv": f"frame,x,y,w,h\n{rows}",
            "mot.txt": tracks,
            "coco.json": json.dumps(coco),
        }.items()
    ]
    points = np.random.default_rng(1).uniform(1, 40, (FRAMES, len(poses.JOINTS), 2))
    table = "".join(
        f"{t},{joint},{x:.2f},{y:.2f}\n"
        for t, pose in enumerate(points)
        for joint, (x, y) in zip(poses.JOINTS, pose, strict=True)
    )
    array, matlab, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(array, points)
    savemat(matlab, {"pos_img": np.ones((2, 15, FRAMES))})
    savemat(packed, {"pos_img": np.ones((2, 15, FRAMES)), "scale": np.ones((1, FRAMES))}, do_compression=True)
    truths = {
        "truth.csv": f"frame,joint,x,y\n{table}".encode(),
        "truth.npy": array.getvalue(),
        "truth.json": json.dumps({"joints": points.round(2).tolist()}).encode(),
        "truth.mat": matlab.getvalue(),
        "packed.mat": packed.getvalue(),
    }
    found += [
        Case(name, data, lambda path: poses.read_truth(path, FRAMES, SIZE).shape) for name, data in truths.items()
    ]
    pth = io.BytesIO()
    torch.save(EXPECTED, pth)
    found += [
        Case("own.safetensors", save(EXPECTED), lambda path: len(own.read(path, EXPECTED))),
        Case("own.pth", pth.getvalue(), lambda path: len(own.read(path, EXPECTED))),
    ]
    clip = write_video(folder / "clip.mp4", pictures(), 25)
    analysis = run.analyse(clip, ["spatial-frame"], (10, 5, 20, 30), device="cpu", deep=[3])
    session = save_session(folder / "s.freqviz.zip", analysis, Clip(clip), "alignment?frame=3", False, points)
    found.append(Case("s.freqviz.zip", session.read_bytes(), _open_session))
    return found


def _open_session(path: Path) -> int:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        opened = open_session(path, Path(folder) / "opened", apart=True)
        opened.clip.close()
        return len(opened.analysis.frames)


# -------- asking


def answer(case: Case, data: bytes, folder: Path) -> str:
    """What the reader says of a file: "" where it opens it; a sentence where it refuses it.

    Raises:
        AssertionError: the sentence is none: of several lines, endless, or with a place of this machine.
        Exception: whatever else the reader lets through.
    """
    path = folder / f"given-{case.name}"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case.read(path)
        except (ValueError, LookupError) as error:
            if type(error) not in (ValueError, LookupError, SessionError) and type(error).__name__ != "ClipError":
                raise
            said = str(error)
            assert 10 < len(said) < 700, f"no sentence: {said[:200]!r} ({len(said)} characters)"
            assert not re.search(r"[\n\0]|Traceback", said), f"more than a line: {said[:300]!r}"
            assert str(folder) not in said, said
            return said
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the names of the files that are mutated")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    decoder, crashes, slowest = Decoder(), list[str](), 0.0
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        known = [case for case in cases(folder, decoder) if given.only in case.name]
        for case in known:
            assert answer(case, case.data, folder) == "", f"{case.name} is sound, and refused"
        for i in range(given.files):
            case, other = known[i % len(known)], known[int(rng.integers(len(known)))]
            kinds = rng.choice(list(CHANGES), rng.integers(1, 5))
            changes = [(str(kind), float(rng.random()), int(rng.integers(1 << 32))) for kind in kinds]
            start = time.process_time()
            try:
                said = answer(case, case.changed(changes, other.data), folder)
                counts[case.name]["refused" if said else "opened"] += 1
            except Exception as error:
                counts[case.name]["crashed"] += 1
                crashes.append(f"{case.name} {changes}: {type(error).__name__}: {str(error)[:300]}")
            slowest = max(slowest, time.process_time() - start)
    decoder.close()
    print("| file | opened | refused by a sentence | crashed |\n|---|--:|--:|--:|")
    for name, count in counts.items():
        print(f"| {name} | {count['opened']} | {count['refused']} | {count['crashed']} |")
    print(
        f"\n{given.files} files, {len(crashes)} crashes, {len(decoder.deaths)} decoders ended by their limits or their"
    )
    print(f"own fault {sorted(set(decoder.deaths))}; the slowest file took {slowest:.2f} s of processor time here")
    for crash in crashes[:20]:
        print(crash)
    raise SystemExit(bool(crashes) or slowest > SLOW)


if __name__ == "__main__":
    main()
