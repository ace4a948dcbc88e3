"""Do the bytes of a file tell what it is, where it was cut off and what was changed? Files are made by hand."""

import zlib

import numpy as np
import pytest

from freqviz import containers
from freqviz.containers import changed_clusters, ends_within_a_frame, has_hole, is_cut_off, objection


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def transport_packet(payload, pid=256, starts=False, clock=False, told=0):
    """One packet of 188 bytes; what `payload` leaves is stuffing."""
    if starts:
        payload = b"\0\0\1\xe0" + told.to_bytes(2, "big") + b"\x80\0\0" + payload
    field = b"\x10" + b"\0" * 6 if clock else b""
    room = 184 - len(payload)
    if room:
        field = bytes([room - 1]) + (field or b"\0" * (room > 1)).ljust(room - 1, b"\xff")
    head = bytes([0x47, starts << 6 | pid >> 8, pid & 255, 0x10 | (room > 0) << 5])
    assert len(head + field + payload) == 188
    return head + field + payload


FULL, ENDS = transport_packet(b"v" * 184), transport_packet(b"v" * 90)
STARTS = transport_packet(b"v" * 167, starts=True, clock=True)
TAILS = {  # what a transport stream ends with, whether its last frame is open
    "stuffing": (STARTS + FULL + ENDS, False),
    "one byte of stuffing": (STARTS + FULL + transport_packet(b"v" * 183), False),
    "no stuffing": (STARTS + FULL, True),
    "a clock is no stuffing": (STARTS, True),
    "a clock and stuffing": (transport_packet(b"v" * 50, starts=True, clock=True), False),
    "sound after the frame": (STARTS + FULL + ENDS + transport_packet(b"s" * 184, pid=257) * 9, False),
    "sound after a piece": (STARTS + FULL + transport_packet(b"s" * 30, pid=257) * 9, True),
    "half a packet after the frame": (STARTS + ENDS + FULL[:100], False),
    "half a packet more": (STARTS + FULL + ENDS[:100], True),
    "the frame tells its length": (
        transport_packet(b"v" * 175, starts=True, told=178) + FULL,
        False,
    ),  # FFmpeg compares
    "no packet of this stream": (transport_packet(b"s" * 184, pid=257) * 9, False),
}


@pytest.mark.parametrize("step", [188, 192])
@pytest.mark.parametrize("name", TAILS)
def test_a_transport_stream_is_open_where_its_last_frame_lacks_stuffing(name, step, tmp_path):
    data, expected = TAILS[name]
    data = b"".join(b"time"[: step - 188] + data[at : at + 188] for at in range(0, len(data), 188))
    path = tmp_path / "a.ts"
    path.write_bytes(data)
    assert ends_within_a_frame(path, 256) is expected


def element(name, content, count=4):
    """One element of Matroska, its length written in `count` bytes; None where it is unknown."""
    length = (1 << 7 * count) - 1 if content is None else len(content)
    return name + (length | 1 << 7 * count).to_bytes(count, "big") + (content or b"")


def cluster(body, checksum=None):
    found = zlib.crc32(body) if checksum is None else checksum
    return element(b"\x1f\x43\xb6\x75", b"\xbf\x84" + found.to_bytes(4, "little") + body)


EBML = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm", 1)
SEGMENT = b"\x18\x53\x80\x67"
VOID = element(b"\xec", bytes(9), 1)


@pytest.mark.parametrize("piece", [7, 90, 91, 1 << 20])
def test_only_the_cluster_that_differs_from_its_checksum_is_told(piece, tmp_path, rng, monkeypatch):
    monkeypatch.setattr(containers, "_PIECE", piece)
    bodies = [rng.bytes(90) for _ in range(3)]
    unmarked = element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0" + bodies[0])  # no checksum, nothing to tell
    path = tmp_path / "a.mkv"
    data = EBML + element(SEGMENT, VOID + unmarked + b"".join(map(cluster, bodies)))
    path.write_bytes(data)
    assert list(changed_clusters(path)) == []
    begin = data.index(bodies[1])
    for place in (begin, begin + 40, begin + 89, begin - 1):  # the last is the checksum itself
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert list(changed_clusters(path)) == [range(begin - 6, begin + 90)]


def test_a_cluster_that_is_not_all_there_is_no_changed_one(tmp_path, rng):
    path = tmp_path / "a.mkv"
    data = EBML + element(SEGMENT, cluster(rng.bytes(90), checksum=7) + cluster(rng.bytes(90), checksum=7))
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        assert len(list(changed_clusters(path))) == (cut >= len(data) - 104)


CUT_OFF = {
    "avi": b"RIFF" + (100).to_bytes(4, "little") + b"AVI " + bytes(96),
    "mkv": EBML + element(SEGMENT, bytes(90)),
    "mkv with a void in front": EBML + VOID + element(SEGMENT, bytes(90), 8),
    "gif": b"GIF89a" + bytes(range(60, 160)) + b"\x3b",
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_file_that_says_its_length_is_cut_off_where_bytes_are_missing(name, tmp_path):
    path = tmp_path / "a"
    for missing in (0, 1, 40):
        path.write_bytes(CUT_OFF[name][: len(CUT_OFF[name]) - missing])
        assert is_cut_off(path) is (missing > 0)


@pytest.mark.parametrize(
    "data",
    [EBML + element(SEGMENT, None, 8) + bytes(50), EBML, b"GIF89a" + bytes(99) + b"\x3b\0\0\r\n", b"\0\0\0\x18ftyp"],
)
def test_a_file_that_does_not_say_its_length_is_not_cut_off(data, tmp_path):
    (tmp_path / "a").write_bytes(data)
    assert is_cut_off(tmp_path / "a") is False


def test_a_hole_is_a_run_of_zeros_that_the_encoder_cannot_have_written():
    packet = b"\1" * 50 + bytes(32) + b"\1"
    assert has_hole(packet, "h264")
    assert has_hole(packet, "libdav1d")
    assert not has_hole(packet[:50] + packet[51:81], "h264")
    assert not has_hole(packet, "mpeg2video")  # which may be stuffed with zeros


@pytest.mark.parametrize("step", [188, 192])
def test_one_packet_of_a_transport_stream_is_enough_to_know_it(step):
    packet = b"time"[: step - 188] + b"\x47" + bytes(187)
    assert objection(packet) == ""
    assert objection(2 * packet) == ""
    assert objection(packet + b"\1" * step) != ""
