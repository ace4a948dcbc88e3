"""What the bytes of a video file tell that no decoder does: is it a video, was it cut off, was it changed.

Positions are bytes from the start of the file; a file is read in pieces, never as a whole.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PIECE = 1 << 20  # bytes read together
_TAIL = 4 << 20  # bytes at the end of a transport stream that are searched for its last frame
_HOLE = b"\0" * 32  # encoders were seen to write 8 zeros in a row at most, whatever the picture
_DENSE = ("h264", "hevc", "vp9", "libdav1d", "av1")  # decoders whose packets hold no stuffing
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675  # elements of Matroska
_CHECKSUM = b"\xbf\x84"  # the identity of a checksum and its length, 4 bytes


def objection(head: bytes) -> str:
    """Why this is no video that is read here, as the end of a sentence; "" for one that may be.

    Args:
        head: the first 1024 bytes of the file, or all.
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"#EXTM3U", b"ffconcat", b"[playlist]", b"<MPD", b"<ASX")) or b"<MPD" in text[:200]:
        return "is a playlist: it leads to other files and is not opened"
    still = (b"WEBP", b"avif", b"heic", b"heix", b"mif1")
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")) or head[8:12] in still:
        return "is a still image; a folder of images can be opened as a clip"
    if head.startswith((b"ID3", b"fLaC", b"OggS", b"\xff\xfb", b"\xff\xf3")) or head[8:12] == b"WAVE":
        return "holds sound, or a container that is not read: there is no video in it"
    known = (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
        or head.startswith((b"\x1a\x45\xdf\xa3", b"GIF8"))
        or (head.startswith(b"RIFF") and head[8:11] == b"AVI")
        or head[:1] == b"\x47"
        and head[188:189] in (b"\x47", b"")
        or head[4:5] == b"\x47"
        and head[196:197] in (b"\x47", b"")
    )
    if known:
        return ""
    kind = "text" if not any(b < 9 or 13 < b < 32 for b in head) else "no known container"
    return f"is not a video (its content is {kind}); mp4, mov, mkv, webm, avi, gif, ts are read"


def is_cut_off(path: Path) -> bool:
    """Whether an avi, mkv, webm or gif says of itself that it is longer than the file; an mp4 counts its frames."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(b"RIFF"):
            return int.from_bytes(head[4:8], "little") + 8 > size
        if head.startswith(b"GIF8"):
            file.seek(-min(size, 64), os.SEEK_END)
            return not file.read().rstrip(b"\0\r\n").endswith(b"\x3b")  # the trailer
    return any(name == _SEGMENT and content.stop > size for name, content in _elements(path))


def changed_clusters(path: Path) -> Iterator[range]:
    """Bytes of those clusters of a Matroska file that differ from their checksum; FFmpeg writes one, not for webm.

    A cluster holds some seconds, often one group of pictures.
    """
    size = path.stat().st_size
    for name, content in _elements(path):
        if name != _CLUSTER or content.stop > size:
            continue
        with path.open("rb") as file:
            file.seek(content.start)
            head = file.read(6)
            if not head.startswith(_CHECKSUM):
                continue
            found = 0
            for at in content[6::_PIECE]:
                found = zlib.crc32(file.read(min(_PIECE, content.stop - at)), found)
        if found != int.from_bytes(head[2:], "little"):
            yield content


def _elements(path: Path) -> Iterator[tuple[int, range]]:
    """Elements of a Matroska file: identity and bytes of the content. A segment comes before what it holds.

    They end where the file does, or where one does not tell its length, as in a live recording.
    """
    with path.open("rb") as file:
        if file.read(4) != b"\x1a\x45\xdf\xa3":
            return
        file.seek(0)
        while (name := _number(file, marked=True)) >= 0 and (length := _number(file, marked=False)) >= 0:
            begin = file.tell()
            yield name, range(begin, begin + length)
            file.seek(begin if name == _SEGMENT else begin + length)


def _number(file: BinaryIO, marked: bool) -> int:
    """An identity, with the bit that marks its length, or the length of an element; -1 where there is none."""
    first = file.read(1)
    count = 9 - first[0].bit_length() if first else 9
    rest = file.read(count - 1) if count < 9 else b""
    if count == 9 or len(rest) < count - 1:
        return -1
    value, most = int.from_bytes(first + rest, "big"), (1 << 7 * count) - 1
    if marked:
        return value
    return -1 if value & most == most else value & most


def has_hole(packet: bytes, codec: str) -> bool:
    """Whether zeros were left in a packet where the encoder wrote other bytes, as by a download that never ended.

    Args:
        packet: what one frame was coded to.
        codec: FFmpeg's name of the decoder; those that may write zeros as stuffing have no holes.
    """
    return codec in _DENSE and _HOLE in packet


def ends_within_a_frame(path: Path, pid: int) -> bool:
    """Whether the last packet of a transport stream that belongs to `pid` leaves its frame open.

    A frame ends in a packet filled up with stuffing, or after as many bytes as its header says, which FFmpeg compares.
    A frame that happens to end with its packet, one of 184, cannot be told from one that was cut there.
    """
    with path.open("rb") as file:
        step, start = (188, 0) if file.read(1) == b"\x47" else (192, 4)
        whole = path.stat().st_size // step
        count = min(whole, _TAIL // step)
        file.seek((whole - count) * step)
        tail = file.read(count * step)
    last = True
    for at in range(len(tail) - step + start, -1, -step):
        packet = tail[at : at + 188]
        if packet[0] != 0x47 or int.from_bytes(packet[1:3], "big") & 0x1FFF != pid or not packet[3] & 0x10:
            continue
        room = 5 + packet[4] if packet[3] & 0x20 else 4  # where the payload begins
        if last and packet[3] & 0x20 and _stuffing(packet):
            return False
        last = False
        if packet[1] & 0x40:  # a frame begins, with its length, or 0 where that is not told
            return packet[room + 4 : room + 6] == b"\0\0"
    return not last


def _stuffing(packet: bytes) -> bool:
    """Whether the adaptation field of a transport packet is longer than what it holds."""
    length, flags = packet[4], packet[5]
    held = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08) + bool(flags & 0x04)  # clocks, countdown
    for flag in (0x02, 0x01):  # private data and extension begin with their length
        if flags & flag and 5 + held < len(packet):
            held += 1 + packet[5 + held]
    return length == 0 or length > held
