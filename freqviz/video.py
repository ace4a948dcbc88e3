"""Video files: which frames one holds, by its packets and without decoding, each frame decoded; and one written.

Convention: a frame is uint8 RGB (H, W, 3), upright, with square pixels; frame `i` is the i-th picture in the order of
presentation. Seeks go by time stamp.
"""

from __future__ import annotations

import hashlib
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np

from freqviz import containers

_KEEP = 64 << 20  # bytes of decoded frames that opening hands to reading
OPTIONS = {
    # playlists, concat scripts and image patterns would lead to other files, so only plain containers open
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts",
    "protocol_whitelist": "file",
}


class ClipError(ValueError):
    """This cannot be opened as a clip; the message is one sentence for the person who chose it."""


@dataclass(frozen=True)
class Limits:
    """What a clip may ask for; counted on what is read, because a header may claim anything.

    Attributes:
        file_bytes: size of the file.
        pixels: width times height of a frame.
        frames: number of frames.
        seconds: time from the first to the last frame.
        memory: bytes of a process of its own that decodes, its libraries included.
        patience: seconds of processor time that opening or reading a chunk may take there, besides one a megabyte of
            the file; by the clock four times as many.
    """

    file_bytes: int = 4 << 30
    pixels: int = 4096 * 4096
    frames: int = 200_000
    seconds: float = 2 * 3600.0
    memory: int = 2 << 30
    patience: float = 60.0


class Video:
    """The frames of one video file by PyAV."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path.resolve()  # an absolute name cannot be taken for a protocol
        self._limits = limits
        self.report: list[str] = []
        self.damaged: set[int] = set()
        self._container: Any = None
        self._stream: Any = None
        self._coming: Iterator[tuple[int, Any]] = iter(())
        self._pending: tuple[int, Any] | None = None
        self._position = -1  # the frame that comes next
        self._spoilt: list[int] = []  # packets since the last seek that are damaged, in the order of decoding
        self._concealed = -1  # the last of them whose frame the decoder has mended
        self._kept: dict[int, Any] = {}  # frames decoded on opening, until they are read
        self._first: tuple[int | None, ...] = ()  # what the first packet is known by
        look_at(self.path, limits)
        self._bytes = self.path.stat().st_size
        self._broken = False  # cut off, or given up by the container
        self._sure = limits.frames  # frames from this one on may not be those of their number
        self._torn: list[range] = []  # bytes of the file whose packets may be cut off or changed
        self._open()
        table = self._demux()
        decoded = self._from_start()
        first = next(decoded, None)
        if first is not None:
            self._describe(first)
        if table is None or first is None or not self._last_frame_comes(*table, chain([first], decoded)):
            table = self._decode_all()
        self._adopt(*table)
        if self._broken:
            self._sure = min(self._sure, len(self._pts) - self._unsure)
            promised = f" of {self._promised} promised" if self._promised > len(self._pts) else ""
            self.report.insert(0, f"the file is cut off or damaged: {len(self._pts)} frames{promised} are there")
        self._measure_times()
        self._leave_place()
        if len(self._kept) == len(self._pts):  # the first reading needs no file
            self._let_go()

    # -- opening

    def _open(self) -> Iterator[Any]:
        """Open the file, anew if it is open, and stand before its first packet; what is decoded from there."""
        self._let_go()
        if not self.path.is_file() or self._was_written():
            raise ClipError(f"{self.path.name} has gone or changed since it was opened")
        try:
            container = av.open(str(self.path), options=OPTIONS)
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ClipError(f"{self.path.name} cannot be read as a video: {reason}") from error
        self._container = container
        streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
        if not streams:
            self._let_go()
            sound = " but sound" if container.streams.audio else ""
            raise ClipError(f"{self.path.name} holds nothing{sound}: there is no video in it")
        self._stream = streams[0]
        context = self._stream.codec_context
        self._check_pixels(context.height or 0, context.width or 0)
        context.options = {"max_pixels": str(self._limits.pixels)}
        # frame threads hand out a frame before its flags of damage are set, slice threads do not miss a slice of H.264,
        # and closing AV1 waits forever for its threads now and then
        context.thread_count = 1
        context.copy_opaque = True  # a frame brings the number of its packet
        # an avi states no times of presentation, and those that FFmpeg guesses are wrong for these
        self._timeless = container.format.name == "avi" and context.name in ("h264", "hevc")
        return self._begin(self._packets())

    def _begin(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Stand before the first of all packets; what is decoded from there."""
        decoded = self._decoded(packets)
        self._coming, self._pending, self._position = self._flagged(decoded), None, 0
        return decoded

    def _check_pixels(self, height: int, width: int) -> None:
        if height * width > self._limits.pixels:
            self._let_go()
            raise ClipError(f"{self.path.name} has frames of {width}x{height}, more than {self._limits.pixels} pixels")

    def close(self) -> None:
        self._let_go()
        self._kept.clear()

    def _let_go(self) -> None:
        """Close the file; what opening has decoded stays for the first reading."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = None
        self._leave_place()

    def _was_written(self) -> bool:
        """Whether the file was written anew; one that was removed is still there for who has it open."""
        return self.path.is_file() and self.path.stat().st_size != self._bytes

    def _leave_place(self) -> None:
        """Let the next reading seek."""
        self._coming, self._pending, self._position = iter(()), None, -1

    def __getstate__(self) -> dict[str, Any]:
        gone = dict.fromkeys(("_container", "_stream", "_pending"))
        return {**vars(self), **gone, "_coming": iter(()), "_kept": {}, "_position": -1}

    def _packets(self) -> Iterator[Any]:
        """Packets of the video stream; the reading of a damaged file ends where the container gives up."""
        try:
            for packet in self._container.demux(self._stream):
                if self._timeless:
                    packet.pts = None
                yield packet
        except av.FFmpegError:
            self._broken = True

    def _from_start(self) -> Iterator[Any]:
        """Stand before the first packet; what is decoded from there.

        Opening anew takes up to 30 ms, as FFmpeg decodes frames to see what there is: where an index leads back to the
        first packet, it is followed.
        """
        packets = self._packets_again()
        return self._open() if packets is None else self._begin(packets)

    def _packets_again(self) -> Iterator[Any] | None:
        """All packets of the file that is open; None where they might be others than at first."""
        start = self._first[1] if self._first else None
        if start is None or self._broken or self._container is None or "mov" not in self._container.format.name:
            return None
        try:
            self._container.seek(start, stream=self._stream)
        except av.FFmpegError:
            return None
        packets = self._packets()
        first = next(packets, None)
        return chain([first], packets) if first is not None and _identity(first) == self._first else None

    def _decoded(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Decoded frames of packets in the order of presentation; packets that the decoder refuses are passed over."""
        self._spoilt, self._concealed = [], -1
        context = self._stream.codec_context
        last = 0
        for position, packet in enumerate(packets):
            packet.opaque = (position, packet.is_keyframe)  # a new object each: PyAV tells them by identity
            last = last if packet.dts is None else packet.dts
            if packet.size and self._is_spoilt(packet):
                self._spoilt.append(position)
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._spoilt.append(position)
                if context.width * context.height > self._limits.pixels:
                    self._end_at(context.height, context.width)
                    return
                continue
            for following, frame in zip(range(len(frames) - 1, -1, -1), frames, strict=True):
                if frame.opaque is None:  # what a damaged packet brought
                    frame.opaque = (position, False)
                if self._timeless and frame.dts is None:  # held back until the end
                    frame.pts = last + context.reorder_depth - following
                yield frame

    def _is_spoilt(self, packet: Any) -> bool:
        """Whether the container knows, or its bytes show, that a packet is not as it was written."""
        torn = packet.pos is not None and any(packet.pos in span for span in self._torn)
        return packet.is_corrupt or torn or containers.has_hole(bytes(packet), self._stream.codec_context.name)

    def _end_at(self, height: int, width: int) -> None:
        line = f"the clip ends where its frames grow to {width}x{height}, more than {self._limits.pixels} pixels"
        if line not in self.report:
            self.report.append(line)

    # -- the packet table

    def _demux(self) -> tuple[list[int], list[int]] | None:
        """Time stamps of the frames in order, and of key frames; None where the packets do not tell them."""
        stamps: list[int | None] = []
        keys: list[int] = []
        self.open_groups = False  # a frame shown before the key frame that it is stored after
        total, first, last = 0, None, self._bytes
        places = set()
        for packet in self._packets():
            if packet.size == 0:
                continue
            if not total:
                self._first = _identity(packet)
            total += 1
            ticks = 0
            last = packet.pos
            places.add(last)
            if packet.is_corrupt:
                self._broken = True
            elif packet.pts is not None:
                first = packet.pts if first is None else min(first, packet.pts)
                ticks = packet.pts - first
            self._check_length(total, ticks)
            if packet.is_discard:
                continue
            stamps.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
            elif keys and packet.pts is not None and packet.pts < keys[-1]:
                self.open_groups = True
        kind, context = self._container.format.name, self._stream.codec_context
        self._promised = 0 if kind == "avi" else self._stream.frames  # an avi counts slots without a picture too
        half = range(0)  # bytes of a frame whose end may be missing
        if kind == "mpegts":
            # the decoder of H.264 notices by itself all but the loss of the last two or three bytes
            if context.name != "h264" and containers.ends_within_a_frame(self.path, self._stream.id):
                half = range(last, self._bytes)
        elif containers.is_cut_off(self.path):
            self._broken = True
            if "matroska" not in kind:  # whose reader gives no half a frame
                half = range(last, self._bytes)
        self._unsure = context.reorder_depth if kind == "avi" else 0  # frames before a loss that it gives other numbers
        if kind == "avi":  # states no times: where frames are lost, those shown later get another number
            there = [entry.pos + 8 in places for entry in self._stream.index_entries if entry.size]
            if any(there) and not all(there):
                self._broken, self._sure = True, there.index(False) - self._unsure
        self._broken |= total < self._promised or bool(half)
        self._torn = [half, *containers.changed_clusters(self.path)]
        known = [pts for pts in stamps if pts is not None]
        if self._broken or not known or len(set(known)) != len(stamps):
            return None
        return sorted(known), sorted(keys)

    def _last_frame_comes(self, stamps: list[int], keys: list[int], decoded: Iterator[Any]) -> bool:
        """Whether the table is right, of which all frames are `decoded` from the first; keeps those it came by."""
        self._adopt(stamps, keys)
        last, room = len(stamps) - 1, _KEEP
        if len(keys) > 1:
            self._seek(last)
        else:
            self._coming = self._flagged(decoded)
        for i, frame in self._coming:
            room -= sum(plane.buffer_size for plane in frame.planes)
            if room > 0:
                self._kept[i] = frame
            else:
                self._kept.clear()
            if i == last:
                return True
        return False

    def _adopt(self, stamps: list[int], keys: list[int]) -> None:
        self._pts, self._keys = stamps, keys
        self._index: dict[int | None, int] = {pts: i for i, pts in enumerate(stamps)}

    def _decode_all(self) -> tuple[list[int], list[int]]:
        """The table by decoding everything once: for damaged files and packets without time stamps."""
        self.damaged.clear()
        self._kept.clear()
        stamps: list[int] = []
        keys: list[int] = []
        displaced = 0  # pictures without a place in time: repeated or damaged
        for frame in self._open():
            if not hasattr(self, "_shape"):
                self._describe(frame)
            stamp = _stamp(frame)
            if stamp is None or (stamps and stamp <= stamps[-1]):
                displaced += 1
                continue
            if frame.key_frame:
                keys.append(stamp)
            stamps.append(stamp)
            self._check_length(len(stamps) + displaced, stamp - stamps[0])
        if not stamps:
            self._let_go()
            raise ClipError(f"{self.path.name} holds no frame that can be decoded")
        if displaced:
            self.report.append(f"{displaced} frames without a time of their own are left out")
        return stamps, keys

    def _check_length(self, frames: int, ticks: int) -> None:
        seconds = ticks * float(self._stream.time_base)
        if frames > self._limits.frames:
            raise ClipError(f"{self.path.name} has more than {self._limits.frames} frames")
        if seconds > self._limits.seconds:
            raise ClipError(f"{self.path.name} lasts {seconds:.0f} s, more than {self._limits.seconds:g} s")

    def _measure_times(self) -> None:
        base = float(self._stream.time_base)
        ticks = np.array(self._pts, dtype=np.int64)
        self.times = (ticks - ticks[0]) * base
        steps = np.diff(self.times)
        stated = self._stream.average_rate or self._stream.guessed_rate
        if len(steps):
            self.fps = float(1 / steps.mean())
            if stated and abs(self.fps / float(stated) - 1) < 1e-3:
                self.fps = float(stated)  # free of the rounding of time stamps
            clock = 1 / (float(stated) * base) if stated else 0.5  # ticks per frame
            rounding = 0.01 if abs(clock - round(clock)) < 1e-6 else 2.01
            if np.ptp(steps) > rounding * base and np.ptp(steps) > 0.05 * np.median(steps):
                span = f"{1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms between frames"
                self.report.append(f"the frame rate varies ({span}): times are kept")
        else:
            self.fps = float(stated) if stated else 30.0

    # -- what a frame needs to be upright, with square pixels

    def _describe(self, frame: Any) -> None:
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        height, width = frame.height, max(1, round(frame.width * float(aspect)))
        self._check_pixels(height, width)
        self._shape = (height, width)
        turns, rest = divmod(frame.rotation, 90)
        self._turns = int(turns) % 4 if rest == 0 else 0
        self.size = (width, height) if self._turns % 2 else (height, width)
        self._coded = (frame.height, frame.width)
        report = self.report
        if self._turns:
            report.append(f"turned by {self._turns * 90} degrees anticlockwise, as the file asks")
        if rest:
            report.append(f"the file asks for a rotation of {frame.rotation} degrees, which was not applied")
        if width != frame.width:
            report.append(f"non-square pixels ({aspect}) resampled: {frame.width} to {width} columns")
        bits = max(c.bits for c in frame.format.components)
        if bits > 8:
            report.append(f"{bits} bit colour converted to 8 bit")
        if frame.color_trc in (16, 18):  # SMPTE 2084 (PQ) and ARIB STD-B67 (HLG)
            report.append("high dynamic range shown without tone mapping: light and blur in it are not to scale")
        if frame.interlaced_frame:
            report.append("interlaced: each frame holds two moments, shown as they are")

    def _upright(self, frame: Any) -> np.ndarray:
        if (frame.height, frame.width) != self._coded:
            line = "the frame size changes within the clip: later frames resized to the first"
            if line not in self.report:
                self.report.append(line)
        height, width = self._shape
        # more threads in the conversion cost more than they give (PyAV #2250)
        image = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
        return np.rot90(image, self._turns)

    # -- reading

    def _settled(self, frames: Iterable[Any]) -> Iterator[Any]:
        """The same frames, each once all that it may be drawn from have come: some are shown after it."""
        waiting: deque[Any] = deque()
        for frame in frames:
            if frame.is_corrupt:
                self._concealed = frame.opaque[0]
                self._spoilt.append(self._concealed)
            waiting.append(frame)
            if len(waiting) > self._stream.codec_context.reorder_depth:
                yield waiting.popleft()
        yield from waiting

    def _flagged(self, frames: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Frames of the table with their index; notes the damaged ones.

        A frame may be drawn from all that were decoded before it, back to the last key frame shown before it.
        So it is damaged if one of them is, or if one that should be shown before it did not come.
        """
        before, gap = None, False
        shown: set[int] = set()
        for frame in self._settled(frames):
            i, (position, key) = self._index.get(_stamp(frame), -1), frame.opaque
            if i < 0:
                continue
            if frame.key_frame and key:  # a damaged AV1 shows old key frames again
                gap = False
                # what comes right after a concealed frame was seen drawn wrong by FFmpeg, even a key frame of H.264
                if self._concealed != position - 1:
                    self._spoilt = [p for p in self._spoilt if p >= position and p not in shown]
                shown.clear()
            elif before is not None and i > before + 1:
                gap = True
            before = i
            shown.add(position)
            if gap or i >= self._sure or any(p <= position for p in self._spoilt):
                self.damaged.add(i)
            yield i, frame

    def _seek(self, index: int) -> None:
        """Stand before frame `index`: on the last key frame not after it, or an earlier one if late."""
        target = self._pts[index]
        for key in reversed(self._keys[1 : bisect_right(self._keys, target)][-3:]):
            try:
                self._container.seek(key, stream=self._stream)
            except av.FFmpegError:
                break
            frames = self._decoded(self._packets())
            landing = next((f for f in frames if f.key_frame), None)
            if landing is not None and (_stamp(landing) or 0) <= target:
                self._coming, self._pending = self._flagged(chain([landing], frames)), None
                return
        self._from_start()

    def read(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        frames = np.empty((stop - start, *self.size, 3), np.uint8) if out is None else out
        if all(i in self._kept for i in range(start, stop)):
            for i in range(start, stop):
                frames[i - start] = self._upright(self._kept.pop(i))
            return frames
        if self._container is None or self._was_written():
            self._open()
        if self._position != start:
            self._seek(start)
        self._position = -1  # until all has gone well
        there = np.zeros(stop - start, bool)
        for i, frame in chain([self._pending] if self._pending else [], self._coming):
            self._pending = None
            if i >= stop:
                self._pending = i, frame
                break
            if i >= start:
                frames[i - start] = self._upright(frame)
                there[i - start] = True
            if i == stop - 1:
                break
        self._position = stop
        if not there.all():
            self._stand_in(frames, there, start)
        return frames

    def _stand_in(self, frames: np.ndarray, there: np.ndarray, start: int) -> None:
        """Frames that the decoder did not give show their nearest neighbour of the chunk, or grey."""
        held = np.flatnonzero(there)
        for i in np.flatnonzero(~there):
            frames[i] = frames[held[np.abs(held - i).argmin()]] if len(held) else 128
            self.damaged.add(start + int(i))

    def digest(self) -> str:
        return digest_of(self.path)


Answer = Callable[[dict[str, Any]], tuple[dict[str, Any], bytes]]


def serving(frames: Callable[[int, tuple[int, int]], np.ndarray]) -> Answer:
    """What answers the questions of an `apart.Apart`, in the process of its own.

    Args:
        frames: gives memory for (count, (height, width)) frames, which the other side sees.
    """
    opened: Any = None
    path = Path()

    def answer(question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        nonlocal opened, path
        facts: dict[str, Any] = {}
        times, known = b"", set(opened.damaged) if opened else set()
        try:
            if "open" in question:
                path = Path(question["open"])
                opened, known = Video(path, Limits(**question["limits"])), set()
                facts |= {"fps": opened.fps, "size": opened.size}
                times = opened.times.tobytes()
            else:
                start, stop = question["read"]
                opened.read(start, stop, frames(stop - start, opened.size))
        except (ClipError, MemoryError):
            raise
        except Exception as error:
            raise ClipError(f"{path.name} cannot be decoded: its decoder failed ({type(error).__name__})") from error
        facts |= {"report": opened.report, "damaged": sorted(opened.damaged - known)}
        return facts, times

    return answer


def _stamp(frame: Any) -> int | None:
    return frame.pts if frame.pts is not None else frame.dts


def _identity(packet: Any) -> tuple[int | None, ...]:
    """What tells a packet from the others of its file: where it lies, when it is decoded, how long it is."""
    return packet.pos, packet.dts, packet.size


def look_at(path: Path, limits: Limits) -> None:
    """Refuse what is no video by its first bytes, whatever its name says."""
    if not path.is_file():
        raise ClipError(f"there is no file {path.name}")
    size = path.stat().st_size
    if size == 0:
        raise ClipError(f"{path.name} is empty (0 bytes)")
    if size > limits.file_bytes:
        raise ClipError(f"{path.name} has {size} bytes, more than {limits.file_bytes}")
    with path.open("rb") as file:
        objection = containers.objection(file.read(1024))
    if objection:
        raise ClipError(f"{path.name} {objection}")


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_frame(frame: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        kind = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ClipError(f"{name} must be uint8 (H, W, 3), got {kind}")
    if frame.shape != shape:
        raise ClipError(f"{name} is {frame.shape}, but the first frame is {shape}")


def positive(fps: float) -> float:
    if not 0 < fps < 1e6:
        raise ClipError(f"fps must be a positive number, got {fps}")
    return float(fps)


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float, crf: int = 18, intra: bool = False) -> Path:
    """Write an mp4 that plays everywhere: H.264, yuv420p, BT.709, index in front.

    The file is written aside and renamed, so `path` never holds half a clip. Colour is stored at half
    the size (4:2:0), which needs even sizes: an odd one gains a repeated last row or column.

    Args:
        path: where to; replaced if there.
        frames: uint8 (H, W, 3) of one size, at least one; taken one at a time.
        fps: frames per second, > 0.
        crf: quality of x264, 0 (lossless) to 51; 18 looks unchanged.
        intra: whether every frame stands for itself, quick to code and to seek but larger: for scrubbing.
    Returns:
        the path.
    Raises:
        ClipError: no frames, other shapes or types, fps not positive.
    """
    path = Path(path)
    rate = Fraction(positive(fps)).limit_denominator(1001)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    options = {"crf": str(crf)} | ({"preset": "ultrafast", "g": "1"} if intra else {})
    shape: tuple[int, ...] = ()
    try:
        with av.open(str(aside), "w", format="mp4", container_options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=rate, options=options)
            for i, frame in enumerate(frames):
                shape = shape or np.shape(frame)
                check_frame(frame, shape, f"frame {i}")
                odd = ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0))
                frame = np.ascontiguousarray(np.pad(frame, odd, mode="edge"))
                if i == 0:
                    stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "yuv420p"
                    context = stream.codec_context
                    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
                    context.color_range = 1  # 16 to 235
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                    format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
                )
                container.mux(stream.encode(picture))
            if not shape:
                raise ClipError("a clip needs at least one frame, got none")
            container.mux(stream.encode())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
