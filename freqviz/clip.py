"""Open a clip and read its frames: upright, square pixels, the right one at each index, few held.

Convention: a frame is uint8 RGB (H, W, 3); frame `i` is the i-th picture in the order of presentation.
`times` are seconds after the first frame, as the file states them. What had to be done stands in `report`.
A packet table, made by demuxing without decoding, says which frames there are; seeks go by time stamp.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from freqviz.apart import Apart
from freqviz.video import ClipError, Limits, Video, check_frame, positive

READERS = ("pyav", "decord")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
HELD = 64 << 20  # bytes of decoded frames that a clip holds, where nothing else is asked for
_CHUNK, _CHUNK_BYTES = 32, 32 << 20  # most frames decoded together, and their bytes


class _Source(Protocol):
    """Where frames come from; `read` is asked for the same spans again and again, whatever the order."""

    times: np.ndarray
    fps: float
    size: tuple[int, int]

    @property
    def report(self) -> list[str]: ...

    @property
    def damaged(self) -> set[int]: ...

    def read(self, start: int, stop: int) -> np.ndarray: ...

    def digest(self) -> str: ...

    def close(self) -> None: ...


class Clip:
    """A clip that reopens its file when needed and holds a bounded number of decoded frames.

    It can be pickled (the copy holds no frames and no open file) and used from several threads.

    Args:
        path: a video file (mp4, mov, mkv, webm, avi, gif, ts), or a folder of images of one size.
        reader: "pyav", or "decord", which is compared with the packet table and refused where it disagrees.
        limits: what the clip may ask for.
        cache_bytes: bound on the decoded frames held, at least one chunk is.
        fps: frames per second of a folder of images; a video file has its own.
        apart: decode a video in a process of its own, with limits: for files from anybody. A decoder that crashes or
            hangs is then a ClipError of the reading that it happened in. By "pyav" only.
    Raises:
        ClipError: no clip, or beyond the limits; the message says which in one sentence.
    """

    def __init__(
        self,
        path: str | Path,
        reader: str = "pyav",
        limits: Limits | None = None,
        cache_bytes: int = HELD,
        fps: float = 30.0,
        apart: bool = False,
    ) -> None:
        if reader not in READERS:
            raise ClipError(f"no reader named {reader!r}; known readers: {', '.join(READERS)}")
        limits = limits or Limits()
        path = Path(path)
        source: _Source
        if path.is_dir():
            source = _Images(path, fps, limits)
        elif apart:
            source = Apart(path, limits)
        else:
            video = Video(path, limits)
            source = video if reader == "pyav" else _Decord(video)
        self._adopt(source, path, cache_bytes)

    @classmethod
    def from_frames(cls, frames: Sequence[np.ndarray] | str | Path, fps: float = 30.0) -> Clip:
        """A clip of frames at hand.

        Args:
            frames: uint8 (H, W, 3) arrays of one size, at least one; or a folder of images.
            fps: frames per second, > 0.
        Raises:
            ClipError: no frames, other shapes or types, fps not positive.
        """
        if isinstance(frames, str | Path):
            return cls(frames, fps=fps)
        clip = cls.__new__(cls)
        clip._adopt(_Frames(frames, fps), None, HELD)
        return clip

    def _adopt(self, source: _Source, path: Path | None, cache_bytes: int) -> None:
        self.path = path
        self._source = source
        self._cache_bytes = cache_bytes
        frame_bytes = 3 * source.size[0] * source.size[1]
        self._chunk_frames = int(np.clip(min(cache_bytes // 2, _CHUNK_BYTES) // frame_bytes, 1, _CHUNK))
        self._hash: str | None = None
        self._wake()

    def _wake(self) -> None:
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_held", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._wake()

    def __repr__(self) -> str:
        height, width = self.size
        return f"Clip({str(self.path)!r}, {len(self)} frames of {width}x{height}, {self.fps:.3f} frames/s)"

    def __len__(self) -> int:
        return len(self._source.times)

    @property
    def times(self) -> np.ndarray:
        """Seconds after the first frame, (N,), increasing; uneven where the frame rate varies."""
        return self._source.times.copy()

    @property
    def fps(self) -> float:
        """Frames per second; the mean where the rate varies."""
        return self._source.fps

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every frame, in pixels."""
        return self._source.size

    @property
    def report(self) -> list[str]:
        """What was done to the clip and what is wrong with it, in sentences; may grow during reading."""
        lines = list(self._source.report)
        if self._source.damaged:
            damaged = sorted(self.first + i for i in self._source.damaged)
            shown = ", ".join(map(str, damaged[:8])) + (", ..." if len(damaged) > 8 else "")
            lines.append(f"{len(damaged)} damaged frames ({shown}): concealed, or a neighbour stands in")
        return lines

    @property
    def damaged(self) -> frozenset[int]:
        """Frames that were found damaged so far, and those that are drawn from them.

        What the container, the decoder or its bytes can tell: packets lost, cut off or filled with zeros, slices that
        do not decode. Other bytes within a picture often decode to another picture without an error: no codec here
        carries a checksum that is looked at, so such frames are among these only where Matroska has one for a cluster.
        """
        return frozenset(self._source.damaged)

    @property
    def hash(self) -> str:
        """SHA-256 of the file (of all images, or of all frames), 64 hexadecimal digits."""
        if self._hash is None:
            self._hash = self._source.digest()
        return self._hash

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame `index`, uint8 (H, W, 3), a copy; negative indices count from the end.

        Raises:
            IndexError: there is no such frame.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of a clip of {len(self)} frames")
        number, offset = divmod(int(index) % len(self), self._chunk_frames)
        return self._chunk(number)[offset].copy()

    def __iter__(self) -> Iterator[np.ndarray]:
        for _, frames in self.chunks(self._chunk_frames):
            yield from frames

    def chunks(self, count: int = 32) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index of the first frame, frames uint8 (n, H, W, 3)); n = `count`, less at the end.

        Raises:
            ValueError: count < 1.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        for start in range(0, len(self), count):
            yield start, self._span(start, min(start + count, len(self)))

    def _span(self, start: int, stop: int) -> np.ndarray:
        """Frames start ... stop - 1, a copy."""
        frames = np.empty((stop - start, *self.size, 3), np.uint8)
        i = start
        while i < stop:
            number, offset = divmod(i, self._chunk_frames)
            part = self._chunk(number)[offset : offset + stop - i]
            frames[i - start : i - start + len(part)] = part
            i += len(part)
        return frames

    def _chunk(self, number: int) -> np.ndarray:
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
                return self._held[number]
            start = number * self._chunk_frames
            frames = self._source.read(start, min(start + self._chunk_frames, len(self)))
            while self._held and self.held_bytes + frames.nbytes > self._cache_bytes:
                self._held.popitem(last=False)
            self._held[number] = frames
            return frames

    @property
    def held_bytes(self) -> int:
        """Bytes of decoded frames held now."""
        return sum(frames.nbytes for frames in self._held.values())

    def close(self) -> None:
        """Let go of the file and of all frames held; the next access opens it again."""
        with self._lock:
            self._held.clear()
            self._source.close()

    first = 0  # number in the whole clip of this one's first frame; more than 0 in a `part`

    def part(self, start: int, stop: int) -> Clip:
        """Frames start ... stop - 1 as a clip of their own: shorter, with a hash of its own, read through this one.

        Its frames count from 0; `first`, `times` and `report` tell where they are in the whole clip.

        Raises:
            ValueError: not 0 <= start < stop <= N.
        """
        if not 0 <= start < stop <= len(self):
            raise ValueError(f"a part must be start:stop within 0:{len(self)}, start before stop, got {start}:{stop}")
        part = Clip.__new__(Clip)
        part._adopt(_Part(self, start, stop), self.path, 0)
        part.first = self.first + start
        return part

    def between(self, first: int, stop: int) -> Clip:
        """The frames of these numbers, `stop` left out: a `part`, or the clip itself where that is all of it."""
        span = first - self.first, stop - self.first
        return self if span == (0, len(self)) else self.part(*span)

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Part:
    """A span of another clip, which reads it and holds what was read."""

    def __init__(self, whole: Clip, start: int, stop: int) -> None:
        self._whole, self._start, self._stop = whole, start, stop
        self.times, self.fps, self.size = whole.times[start:stop], whole.fps, whole.size

    @property
    def report(self) -> list[str]:
        last = self._whole.first + self._stop - 1
        return [*self._whole._source.report, f"frames {self._whole.first + self._start} to {last} of the clip"]

    @property
    def damaged(self) -> set[int]:
        return {i - self._start for i in self._whole.damaged if self._start <= i < self._stop}

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._whole._span(self._start + start, self._start + stop)

    def digest(self) -> str:
        return hashlib.sha256(f"{self._whole.hash} {self._start}:{self._stop}".encode()).hexdigest()

    def close(self) -> None:
        self._whole.close()


# -------- frames at hand


class _Frames:
    def __init__(self, frames: Sequence[np.ndarray], fps: float) -> None:
        if not len(frames):
            raise ClipError("a clip needs at least one frame, got none")
        first = np.shape(frames[0])
        for i, frame in enumerate(frames):
            check_frame(frame, first, f"frame {i}")
        self._frames = list(frames)
        self.fps = positive(fps)
        self.times = np.arange(len(frames)) / self.fps
        self.size = (int(first[0]), int(first[1]))
        self.report: list[str] = []
        self.damaged: set[int] = set()

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.stack(self._frames[start:stop])

    def digest(self) -> str:
        found = hashlib.sha256(repr((len(self.times), self.size, self.fps)).encode())
        for frame in self._frames:
            found.update(np.ascontiguousarray(frame).data)
        return found.hexdigest()

    def close(self) -> None:
        pass


class _Images:
    def __init__(self, folder: Path, fps: float, limits: Limits) -> None:
        names = (p for p in folder.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith("."))
        self._paths = sorted(names, key=_natural)
        if not self._paths:
            raise ClipError(f"the folder {folder.name} holds no images ({', '.join(IMAGES)})")
        if len(self._paths) > limits.frames:
            raise ClipError(f"the folder {folder.name} holds {len(self._paths)} images, more than {limits.frames}")
        self.fps = positive(fps)
        self.times = np.arange(len(self._paths)) / self.fps
        self._limits = limits
        height, width = self._load(0).shape[:2]
        self.size = (height, width)
        self.report = [f"a folder of {len(self._paths)} images, shown at {fps:g} frames/s"]
        self.damaged: set[int] = set()

    def _load(self, i: int) -> np.ndarray:
        path = self._paths[i]
        if path.stat().st_size > self._limits.file_bytes:
            raise ClipError(f"the image {path.name} is larger than {self._limits.file_bytes} bytes")
        import cv2  # here: a process that decodes videos starts in half the time without
        from PIL import Image

        try:
            with Image.open(path) as header:  # decodes nothing
                width, height = header.size
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            width = height = self._limits.pixels  # so large that Pillow does not tell
        except (OSError, ValueError, SyntaxError):
            raise ClipError(f"the image {path.name} cannot be decoded") from None
        if height * width > self._limits.pixels:
            raise ClipError(f"the image {path.name} has more than {self._limits.pixels} pixels")
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise ClipError(f"the image {path.name} cannot be decoded")
        return image

    def read(self, start: int, stop: int) -> np.ndarray:
        frames = np.empty((stop - start, *self.size, 3), np.uint8)
        for i in range(start, stop):
            frame = self._load(i)
            check_frame(frame, (*self.size, 3), f"the image {self._paths[i].name}")
            frames[i - start] = frame
        return frames

    def digest(self) -> str:
        found = hashlib.sha256()
        for path in self._paths:
            found.update(hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()

    def close(self) -> None:
        pass


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


# -------- a video file by another reader


class _Decord:
    """The same file read by decord, where it agrees with the packet table."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self.times, self.fps, self.size = video.times, video.fps, video.size
        self.report, self.damaged = video.report, video.damaged
        self._reader: Any = None
        name = video.path.name
        if any("cut off" in line or "non-square" in line for line in video.report) or video.damaged:
            raise ClipError(f"decord cannot read {name} rightly ({'; '.join(video.report)}); use reader='pyav'")
        if video.open_groups:
            raise ClipError(f"decord seeks wrongly in {name} (open groups of pictures); use reader='pyav'")
        reader = self._opened()
        if len(reader) != len(video.times):
            counts = f"{len(reader)} frames in {name}, its packets hold {len(video.times)}"
            raise ClipError(f"decord finds {counts}; use reader='pyav'")
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        error = np.abs(starts - starts[0] - self.times).max()
        if error > 0.002:
            raise ClipError(f"decord's times in {name} differ by {error:.3f} s from its packets; use reader='pyav'")
        for i in sorted({0, len(self.times) // 2, len(self.times) - 1}):
            ours, theirs = video.read(i, i + 1), self.read(i, i + 1)
            if ours.shape != theirs.shape or np.abs(ours.astype(int) - theirs).mean() > 4:
                raise ClipError(f"decord shows another frame {i} of {name} than its packets; use reader='pyav'")
        video.close()

    def _opened(self) -> Any:
        if self._reader is None:
            try:
                import decord

                decord.logging.set_level(decord.logging.QUIET)
            except (ImportError, OSError) as error:
                raise ClipError(f"decord is not installed here ({error}); use reader='pyav'") from error
            try:
                self._reader = decord.VideoReader(str(self._video.path), num_threads=1)
            except Exception as error:  # decord raises its own kinds
                reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
                raise ClipError(f"decord cannot open {self._video.path.name} ({reason}); use reader='pyav'") from error
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_reader": None}

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._opened().get_batch(range(start, stop)).asnumpy()

    def digest(self) -> str:
        return self._video.digest()

    def close(self) -> None:
        self._reader = None
