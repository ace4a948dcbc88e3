"""Do hostile files of every kind end in one sentence, keep nothing, and cost nothing?

Each comes through the door that a visitor has: the library. The decoder runs in a process of its own, as on the server.
"""

import io
import json
import pickle
import re
import stat
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyNetwork, walking_frames
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from scipy.io import savemat

import models
from benchmarks import fuzz
from freqviz import apart, poses, run
from freqviz.clip import Clip
from freqviz.session import SessionError, save_session
from freqviz.video import ClipError, write_video
from freqviz.web import library, visitor, work
from freqviz.web.choice import parse_box, parse_corrections
from models import own

ROOT = Path(__file__).parent.parent
FRAMES, SIZE = 12, (96, 132)
NETWORK = "spatial-video"
SCRIPT = "<script>alert(1)</script>"


# -------- what is made once


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound clip and a sound session of it, as bytes."""
    folder = tmp_path_factory.mktemp("sound")
    video = write_video(folder / "walk.mp4", walking_frames(FRAMES, size=SIZE), 25)
    analysis = run.analyse(video, {NETWORK: TinyNetwork(1).eval()}, (20, 40, 24, 48), device="cpu")
    session = save_session(folder / "walk.freqviz.zip", analysis, Clip(video), "alignment?frame=5")
    return {"mp4": video.read_bytes(), "zip": session.read_bytes()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty library."""
    for name in ("clips", "boxes", "results", "truths", "copies", "sessions", "recent", "exports", "weights"):
        monkeypatch.setattr(library, name.upper(), tmp_path / "runs" / name)
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    return tmp_path / "runs"


# -------- makers of files; each takes the sound ones and gives bytes


def text(content):
    return lambda sound: content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content


def claims(mark, offset, layout, *values):
    """The sound clip with another number `offset` bytes after each mark."""

    def make(sound):
        data = bytearray(sound["mp4"])
        at = data.index(mark)
        while at >= 0:
            struct.pack_into(layout, data, at + len(mark) + offset, *values)
            at = data.find(mark, at + 1)
        return bytes(data)

    return make


def zipped(*members, **options):
    """A zip of (name, content, attributes)."""

    def make(sound):
        out = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", **options) as archive:
            warnings.simplefilter("ignore")  # of two members of one name
            for name, content, *mode in members:
                info = zipfile.ZipInfo(name)
                info.compress_type = archive.compression
                info.external_attr = mode[0] << 16 if mode else 0
                archive.writestr(info, content)
        return out.getvalue()

    return make


def session(member, content, drop=False):
    """The sound session with another member; content may be a function of what the member was."""

    def make(sound):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(sound["zip"])) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                held = old.read(name)
                if name != member:
                    new.writestr(name, held)
                elif not drop:
                    new.writestr(name, content(held) if callable(content) else content)
            if member not in old.namelist():
                new.writestr(member, content)
        return out.getvalue()

    return make


def facts(**changes):
    """run.json of the sound session with other facts; names have __ between levels."""

    def change(held):
        known = json.loads(held)
        for path, value in changes.items():
            *above, last = path.split("__")
            holder = known
            for key in above:
                holder = holder[key]
            holder[last] = value
        return json.dumps(known)

    return session("run.json", change)


def gif(width, height, frames=1):
    one = b"\x21\xf9\x04\0\x02\0\0\0\x2c" + struct.pack("<4HB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + one * frames + b";"


def element(name, content):
    """Of Matroska."""
    return name + struct.pack(">Q", len(content) | 1 << 56) + content


def matroska(width, height):
    track = (
        element(b"\xd7", b"\1") + element(b"\x73\xc5", b"\1") + element(b"\x83", b"\1")
        + element(b"\x86", b"V_MPEG4/ISO/ASP")
        + element(b"\xe0", element(b"\xb0", struct.pack(">Q", width)) + element(b"\xba", struct.pack(">Q", height)))
    )  # fmt: skip
    head = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"matroska"))
    return head + element(b"\x18\x53\x80\x67", element(b"\x16\x54\xae\x6b", element(b"\xae", track)))


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def absurd_array(shape, kind="<f8"):
    """An npy whose header claims more than is there."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"\0" * 64


class Evil:
    def __reduce__(self):
        return print, ("it was run",)


def pickled_array():
    out = io.BytesIO()
    np.save(out, np.array([Evil()], object), allow_pickle=True)
    return out.getvalue()


def matlab(compress=False, **held):
    out = io.BytesIO()
    savemat(out, held, do_compression=compress)
    return out.getvalue()


def matlab_bomb():
    inside = struct.pack("<II", 14, 1 << 30) + b"\0" * (80 << 20)
    packed = zlib.compress(inside, 9)
    return matlab()[:128] + struct.pack("<II", 15, len(packed)) + packed


def nested_cells(depth=3000):
    """A cell in a cell in a cell, under the name that is looked for."""
    content = b""
    for _ in range(depth):
        flags, size = struct.pack("<IIII", 6, 8, 1, 0), struct.pack("<IIii", 5, 8, 1, 1)
        name = struct.pack("<II", 1, 0)
        content = struct.pack("<II", 14, len(flags + size + name + content)) + flags + size + name + content
    flags, size = struct.pack("<IIII", 6, 8, 1, 0), struct.pack("<IIiiii", 5, 12, 2, 15, FRAMES, 0)
    name = struct.pack("<II", 1, 7) + b"pos_img\0"
    return matlab()[:128] + struct.pack("<II", 14, len(flags + size + name + content)) + flags + size + name + content


def tensors(header, numbers=b"\0" * 8, length=None):
    held = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(held) if length is None else length) + held + numbers


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def pth(value, packed=zipfile.ZIP_STORED, rename=None):
    """What `torch.save` writes, or the same packed, or with other names."""

    def make(sound):
        out, anew = io.BytesIO(), io.BytesIO()
        torch.save(value, out)
        with zipfile.ZipFile(out) as old, zipfile.ZipFile(anew, "w", packed) as new:
            for name in old.namelist():
                new.writestr(rename(name) if rename else name, old.read(name))
        return anew.getvalue()

    return make


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/etc/passwd\n#EXT-X-ENDLIST\n"
DEEP = "[" * 100_000
HUGE = 10**400
FILES = {  # kind: door, [(name, bytes, words of the sentence; None: it may be opened too)]
    "playlists": ("clip", [
        ("a.m3u8", text(HLS), "is a playlist"),
        ("a.mp4", text(HLS), "is a playlist"),
        ("a.ffconcat", text("ffconcat version 1.0\nfile /etc/passwd\n"), "is a playlist"),
        ("a.mkv", text("\ufeff  \n#EXTM3U\nhttp://x/y.ts\n"), "is a playlist"),
        ("a.pls", text("[playlist]\nFile1=/etc/passwd\n"), "is a playlist"),
        ("a.mpd", text("<?xml version='1.0'?><MPD><BaseURL>a.ts</BaseURL></MPD>"), "is a playlist"),
        ("a.asx", text("<ASX version='3'><entry/></ASX>"), "is a playlist"),
    ]),
    "session descriptions": ("clip", [
        ("a.sdp", text("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), "is text"),
        ("a.mp4", text("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), "is text"),
    ]),
    "pages and scripts": ("clip", [
        ("a.mp4", text(f"<html>{SCRIPT}</html>"), "is text"),
        (f"{SCRIPT}.mp4", text(f"<svg onload='alert(1)'>{SCRIPT}</svg>"), "is text"),
        ("[a](http:x)![b](http:y).mp4", text("#!/bin/sh\nrm -rf /\n"), "is text"),
    ]),
    "path tricks in names": ("clip", [
        ("../../../etc/passwd", text("root"), "passwd is not|passwd.mp4 is not"),
        ("..", text("x"), "is not a video"),
        ("a" * 5000 + ".mp4", text("x"), "is not a video"),
        ("a\0b\n.mp4", text("x"), "is not a video"),
        ("C:\\windows\\a.mp4", text("x"), "is not a video"),
        (".mp4", text("x"), "is not a video"),
        ("", text("x"), "is not a video"),
    ]),
    "no video at all": ("clip", [
        ("a.mp4", text(b""), "is empty"),
        ("a.mp4", text(np.random.default_rng(0).bytes(5000)), "no known container"),
        ("a.mp4", text(b"\x89PNG\r\n\x1a\n" + b"\0" * 99), "still image"),
        ("a.mp4", text(b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 99), "sound"),
        ("a.mp4", text(b"\x7fELF" + b"\0" * 99), "no known container"),
        ("a.mp4", text(b"\0\0\0\x18ftypmp42" + b"\0" * 500), "cannot be read|no video"),
    ]),
    "cut off": ("clip", [
        ("a.mp4", lambda sound: sound["mp4"][:1000], "cannot be read|no frame"),
        ("a.mp4", lambda sound: sound["mp4"][:200], "cannot be read|no frame|no video"),
    ]),
    "absurd sizes": ("clip", [
        ("a.gif", text(gif(65535, 65535)), "more than|no frame|cannot be read"),
        ("a.mkv", text(matroska(100_000, 100_000)), "more than|no frame|cannot be read"),
        ("a.mkv", text(matroska(2**62, 2**62)), "more than|no frame|cannot be read"),
    ]),
    "absurd counts": ("clip", [
        ("a.mp4", claims(b"stsz", 8, ">I", 1_000_000_000), "cannot be read|no frame"),
        ("a.mp4", claims(b"stsz", 4, ">I", 1_000_000_000), "cannot be read|no frame"),
        ("a.gif", text(gif(1, 1, 200_500)), "more than 200000 frames"),
    ]),
    "absurd times": ("clip", [("a.mp4", claims(b"stts", 12, ">I", 1 << 30), "lasts .* more than")]),
    "zip bombs": ("clip", [
        ("a.zip", zipped(("run.json", b"\0" * (8 << 20)), compression=zipfile.ZIP_DEFLATED), "larger than"),
        ("a.zip", zipped(("frames.csv", b"0" * (64 << 20)), compression=zipfile.ZIP_DEFLATED), "larger than"),
        ("a.zip", zipped(("frames.csv", b"0" * (64 << 20)), compression=zipfile.ZIP_BZIP2), "packed in a way"),
        ("a.zip", zipped(("frames.csv", b"0" * (1 << 20)), compression=zipfile.ZIP_LZMA), "packed in a way"),
        ("a.zip", zipped(*((f"deep-a-{i}.npz", b"") for i in range(400))), "holds 400 files"),
        ("a.zip", zipped(*((f"deep-a-{i}.npz", b"") for i in range(2000))), "lists its files in"),
    ]),
    "path tricks in zips": ("clip", [
        ("a.zip", zipped((name, b"x")), "no part of a session") for name in (
            "../run.json", "/etc/passwd", "..\\run.json", "a/b.csv", "run.json/", "C:run.json", f"{SCRIPT}.csv", "CON",
            "clip.exe")
    ] + [
        ("a.zip", zipped(("run.json", b"/etc/passwd", stat.S_IFLNK | 0o777)), "no part of a session"),
        ("a.zip", zipped(("run.json", b"", stat.S_IFIFO | 0o777)), "no part of a session"),
        ("a.zip", zipped(("run.json", b"{}"), ("run.json", b"{}")), "twice"),
    ]),
    "damaged zips": ("clip", [
        ("a.zip", text(b"PK\x03\x04" + b"\0" * 99), "no session file"),
        ("a.zip", text(b"PK\5\6" + b"\xff" * 18), "no session file|lists its files"),
        ("a.zip", lambda sound: sound["zip"][:-30], "no session file"),
        ("a.zip", lambda sound: sound["zip"][:3000] + b"\0" * 64 + sound["zip"][3064:], "no session file|damaged"),
    ]),
    "sessions of any JSON": ("clip", [
        ("a.zip", session("session.json", DEEP), "session.json is no JSON"),
        ("a.zip", session("session.json", "[]"), "must hold an object"),
        ("a.zip", session("session.json", b"\xff\xfe"), "is no JSON"),
        ("a.zip", session("session.json", json.dumps({"format": "freqviz session", "version": HUGE})), "of version"),
        ("a.zip", session("run.json", DEEP), "run.json is no JSON"),
        ("a.zip", session("run.json", "{}"), "must hold clip, settings and models"),
        ("a.zip", facts(clip__fps=HUGE), "see clip.fps"),
        ("a.zip", facts(clip__fps=float("nan")), "see clip.fps"),
        ("a.zip", facts(clip__frames=10**9), "see clip.frames"),
        ("a.zip", facts(clip__size=[[1], {}]), "see clip.size"),
        ("a.zip", facts(models=[SCRIPT]), "see models"),
        ("a.zip", facts(models={"a": 1}), "must hold clip, settings and models"),
        ("a.zip", facts(settings__rung=SCRIPT), "see settings.rung"),
        ("a.zip", facts(settings__band_edges=[0, HUGE]), "see settings.band_edges"),
        ("a.zip", facts(deep=[["../../x", 1]]), "see deep"),
        ("a.zip", facts(**{"own networks": {NETWORK: {"input_size": [10**6, 10**6]}}}), "see own networks"),
        ("a.zip", facts(**{"own networks": {NETWORK: {"input_size": [SCRIPT, 1]}}}), "see own networks"),
        ("a.zip", facts(**{"own networks": [SCRIPT]}), "see own networks"),
    ]),
    "sessions of other parts": ("clip", [
        ("a.zip", session(f"trace-{NETWORK}.npz", npz(a=np.array([Evil()], object))), "may not|no arrays"),
        ("a.zip", session("frames.csv", "frame\n" + "9" * 300_000), "frames.csv|cannot be read"),
        ("a.zip", session("frames.csv", b"\xff\0\xfe"), "frames.csv|cannot be read"),
        ("a.zip", session("clip.mp4", text(HLS)(None)), "the clip in it cannot be read: clip.mp4 is a playlist"),
        ("a.zip", session("clip.mp4", b"", drop=True), "holds one clip"),
    ]),
    "boxes as tables": ("boxes", [
        ("a.csv", text("frame,x,y,w,h\n0,1,2,3,nan\n"), "line 2"),
        ("a.csv", text("frame,x,y,w,h\n0,1,2,3,1e999\n"), "line 2"),
        ("a.csv", text("frame,x,y,w,h\n0,1e300,2,3,4\n"), "line 2"),
        ("a.csv", text(f"frame,x,y,w,h\n{'9' * 300},1,2,3,4\n"), "line 2"),
        ("a.csv", text(f"frame,x,y,w,h\n{'9' * 9000},1,2,3,4\n"), "line 2"),
        ("a.csv", text("frame,x,y,w,h\n0,1,2\n"), "line 2"),
        ("a.csv", text("frame,x\0,y,w,h\n0,1,2,3,4\n"), "missing x|line"),
        ("a.csv", text("frame,x,y,w,h\n" + "1" * 200_000 + ",1,2,3,4\n"), "line"),
        ("a.csv", text("frame,x,y,w,h\n0,\xe91,2,3,4\n".encode("latin-1")), "is no text"),
        (f"{SCRIPT}.csv", text(f"{SCRIPT},x,y\n"), "are needed"),
        ("a.csv", text("\n" * 1000), "holds no box"),
    ]),
    "boxes as tracks": ("boxes", [
        ("a.txt", text("1,1,1,2,3,4\n2,1,inf,2,3,4\n"), "line 2: expected frame"),
        ("a.txt", text("1,1,1,2,3,4\nnan,1,1,2,3,4\n"), "line 2: expected frame"),
        ("a.txt", text("1 1 1 2\n"), "line 1: expected frame"),
        ("a.txt", text("1e300,1,1,2,3,4\n"), "line 1"),
        ("a.txt", text("0" * 1_000_000), "line 1"),
    ]),
    "boxes as annotations": ("boxes", [
        ("a.json", text(DEEP), "is no JSON"),
        ("a.json", text('{"annotations": ' + DEEP), "is no JSON"),
        ("a.json", text('{"annotations": 7}'), "list of annotations"),
        ("a.json", text('[{"bbox": [1, 2, 3, NaN], "image_id": 0}]'), "bbox must be|finite"),
        ("a.json", text(f'[{{"bbox": [{HUGE}, 2, 3, 4], "image_id": 0}}]'), "bbox must be"),
        ("a.json", text(json.dumps([{"bbox": ["x" * 10**6] * 4}])), "bbox must be"),
        ("a.json", text('[{"bbox": [1, 2, 3, 4], "image_id": [0]}]'), "no frame of image_id"),
        ("a.json", text('[{"bbox": [1, 2, 3, 4], "image_id": {}, "category_id": []}]'), "no frame of image_id"),
        ("a.json", text(f'[{{"bbox": [1, 2, 3, 4], "image_id": {HUGE}}}]'), "no frame of image_id"),
        ("a.json", text('{"annotations": [{"bbox": [1,2,3,4], "image_id": 0}], "images": [[]]}'), "images must"),
        ("a.json", text('{"annotations": [{"bbox": [1,2,3,4], "image_id": 0}], "images": 3}'), "images must"),
        ("a.json", text('{"annotations": [], "categories": 5}'), "holds no box"),
        ("a.json", text(json.dumps([{"bbox": [1, 2, 3, 4], "image_id": 0, "track_id": "x"}])), "track_id"),
    ]),
    "truths as tables": ("truth", [
        ("a.csv", text("frame,joint,x,y\n0,head,inf,1\n"), "pixels of a frame"),
        ("a.csv", text("frame,joint,x,y\n0,head,1e300,1\n"), "pixels of a frame"),
        ("a.csv", text(f"frame,joint,x,y\n{'9' * 5000},head,1,1\n"), "no table"),
        ("a.csv", text(f"frame,joint,x,y\n0,{'x' * 100_000},1,1\n"), "no joint named"),
        ("a.csv", text("frame,joint,x,y\n0\n"), "no joint named|no table"),
        ("a.csv", text(b"\xff\xfe\0x"), "no table"),
        ("a.exe", text("x"), "must be a .csv"),
    ]),
    "truths of MATLAB": ("truth", [
        ("a.mat", lambda sound: matlab_bomb(), "too large once it is inflated"),
        ("a.mat", lambda sound: nested_cells(), "must be 2 x 15|not JHMDB"),
        ("a.mat", lambda sound: matlab(pos_img=np.zeros((2, 15, FRAMES)))[:300], "cut off"),
        ("a.mat", text(b"MATLAB 7.3".ljust(512, b"\0")), "version 5"),
        ("a.mat", lambda sound: matlab(pos_img=np.array([["a" * 15] * 2])), "must be 2 x 15"),
    ]),
    "truths of arrays": ("truth", [
        ("a.npy", text(absurd_array("(1000000000000,)")), "no truth"),
        ("a.npy", text(absurd_array("(-1, 14, 2)")), "no truth|must hold"),
        ("a.npy", lambda sound: pickled_array(), "no truth"),
        ("a.npy", text(absurd_array("(2, 2)", "|S8")), "no truth"),
        ("a.json", text('{"joints": ' + DEEP), "no truth"),
        ("a.json", text(f'{{"joints": [{HUGE}]}}'), "no truth|must hold"),
        ("a.json", text("[]"), "no truth"),
    ]),
    "headers of parameters": ("weights", [
        ("a.safetensors", text(tensors({"a": ONE}, length=2**63)), "no safetensors file"),
        ("a.safetensors", text(tensors(DEEP)), "no JSON"),
        ("a.safetensors", text(tensors({"a": ONE | {"shape": [2**39] * 8}})), "no type, shape and place"),
        ("a.safetensors", text(tensors({"a": ONE | {"data_offsets": [0, 2**39]}})), "no type, shape and place"),
        ("a.safetensors", text(tensors({"a": ONE | {"dtype": SCRIPT * 100}})), "does not fit"),
        ("a.safetensors", text(tensors({SCRIPT * 50: ONE})), "does not fit"),
    ]),
    "other parameters": ("weights", [
        ("a.safetensors", lambda sound: save({"head4.weight": torch.zeros(1)}), "does not fit"),
        ("a.safetensors", lambda sound: sound["mp4"], "no safetensors file"),
    ]),
    "pickles": ("weights", [
        ("a.safetensors", lambda sound: pickle.dumps(Evil()), "but a pickle"),
        ("a.pth", lambda sound: pickle.dumps({"a": 1}, 2), "but a pickle"),
        ("a.pth", pth({"a": Evil()}), "calls .*print"),
        ("a.pth", pth({"a": torch.nn.Linear(2, 2)}), "calls "),
        ("a.pth", pth({"a": torch.zeros(1).expand(10**12)}), "plain tensors"),
        ("a.pth", pth({"a": torch.zeros(1000)}, zipfile.ZIP_DEFLATED), "packed"),
        ("a.pth", pth({"a": torch.zeros(2)}, rename=lambda name: "../" + name), "of a name that no .pth has"),
        ("a.pth", pth({"a": torch.zeros(2)}, rename=lambda name: name.replace("data.pkl", "data/7")), "no data.pkl"),
        ("a.pth", pth([torch.zeros(2)]), "tensors by name"),
        ("a.pth", pth({"a": 7}), "plain tensors"),
        ("a.pth", pth({"a": torch.zeros(2)}), "does not fit"),
        ("a.pth", lambda sound: sound["zip"], "packed|of a name that no .pth has"),
        ("a.pth", text(b"PK\x03\x04 and no more"), "no .pth"),
    ]),
}  # fmt: skip
ALL = [
    pytest.param(door, name, make, words, id=f"{kind} {i}")
    for kind, (door, several) in FILES.items()
    for i, (name, make, words) in enumerate(several)
]


@pytest.mark.parametrize(("door", "name", "make", "words"), ALL)
def test_a_hostile_file_is_refused_in_one_sentence_and_nothing_is_kept(door, name, make, words, sound, place, capsys):
    data, frames = make(sound), [np.zeros((*SIZE, 3), np.uint8)] * FRAMES
    doors = {
        "clip": lambda: library.add(name, data),
        "boxes": lambda: library.add_boxes(name, data),
        "truth": lambda: library.add_truth("clip", Clip.from_frames(frames), name, data),
        "weights": lambda: library.add_weights(NETWORK, name, data),
    }  # fmt: skip
    with pytest.raises((ValueError, LookupError), match=words) as refused:
        doors[door]()
    said = visitor.said(refused.value)
    assert len(said) < 900
    assert "\n" not in said
    assert str(place) not in said
    assert not re.search(r"(?<!\\)[<\[]", said), "markup"
    assert "it was run" not in capsys.readouterr().out
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_the_table_is_as_long_as_promised():
    assert len(ALL) >= 60
    assert len(FILES) >= 20


def test_sound_files_come_in_by_the_same_doors(sound, place):
    clip = library.add(f"{SCRIPT}../walk.mp4", sound["mp4"])
    assert re.fullmatch(r"[\w.() -]+", clip)
    session = library.add("walk.freqviz.zip", sound["zip"])
    assert {clip, session} <= set(library.clips())


def test_what_was_uploaded_is_never_decoded_in_the_server(sound, place, monkeypatch):
    """Where no process for it can be had it is refused; the project's own sample needs none."""

    def none(memory):
        raise apart.Died("no process can be had")

    clip, session = library.add("walk.mp4", sound["mp4"]), library.add("walk.freqviz.zip", sound["zip"])
    other = io.BytesIO(sound["zip"])
    with zipfile.ZipFile(other, "a") as archive:
        archive.comment = b"another key"
    monkeypatch.setattr(apart, "Process", none)
    work._opened.cache_clear()
    work._session.cache_clear()
    for decode in (
        lambda: library.add("other.mp4", sound["mp4"] + b"\0"),
        lambda: library.add("other.freqviz.zip", other.getvalue()),
        lambda: work.open_clip(clip)[0],
        lambda: work.open_clip(session)[0],
    ):
        with pytest.raises((ClipError, SessionError), match="no process can be had"):
            decode()
    assert len(work.open_clip(library.SAMPLE)[0]) > 0


def test_a_pth_of_the_network_is_kept_as_safetensors(place, monkeypatch):
    monkeypatch.setattr(models, "_own", {})
    state = models.load(NETWORK).state_dict()
    name = library.add_weights(NETWORK, "my run.pth", pth({"state_dict": state})(None))
    (file,) = place.rglob("my run-*.safetensors")
    assert not file.read_bytes().startswith(b"PK")
    found = models.build(name)
    found.load_state_dict(own.read(file, state))
    assert all(
        torch.equal(values, state[key].float())
        for key, values in found.state_dict().items()
        if values.is_floating_point()
    )


def test_a_pth_is_refused_where_it_is_switched_off(place, monkeypatch):
    monkeypatch.setattr(own, "PTH", False)
    with pytest.raises(ValueError, match="a.pth is a .pth, which is not read here: save the parameters as safetensors"):
        library.add_weights(NETWORK, "a.pth", pth({"a": torch.zeros(2)})(None))


def test_jhmdb_has_its_own_matrices_whether_packed_or_not(tmp_path):
    points = np.random.default_rng(0).uniform(1, 90, (2, 15, FRAMES))
    for compress in (False, True):
        (tmp_path / "a.mat").write_bytes(matlab(compress, pos_img=points, scale=np.ones((1, FRAMES))))
        assert np.allclose(poses.read_jhmdb(tmp_path / "a.mat", FRAMES)[3, 12], points[:, 0, 3] - 1)


# -------- nothing that comes from a file or a link is rendered


def test_no_page_renders_html_of_its_own():
    sources = [*ROOT.glob("pages/**/*.py"), *ROOT.glob("freqviz/**/*.py"), ROOT / "app.py"]
    held = {path: path.read_text(encoding="utf-8") for path in sources}
    assert not [path for path, source in held.items() if "unsafe_allow_html" in source or "allow_dangerous" in source]
    calls = {call for source in held.values() for call in re.findall(r"st\.html\((.*?)\)", source)}
    assert calls == {"STYLE"}  # a text of ours
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "freqviz" / "web").glob("*.js")]
    assert len(scripts) >= 3
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", "".join(scripts)
    )


def test_a_refusal_is_no_markup():
    said = visitor.said(ValueError(f"{SCRIPT} [a](http://x) ![b](y) $x$ **c** `d`\nline."))
    assert said == r"\<script\>alert(1)\</script\> \[a\](http://x) !\[b\](y) \$x\$ \*\*c\*\* \`d\` line."


# -------- fuzz


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    folder, decoder = tmp_path_factory.mktemp("fuzz"), fuzz.Decoder()
    known = fuzz.cases(folder, decoder)
    yield known, folder, decoder
    decoder.close()


def test_sound_files_are_opened(targets):
    known, folder, _ = targets
    assert {case.name: fuzz.answer(case, case.data, folder) for case in known} == {case.name: "" for case in known}


CHANGE = st.tuples(st.sampled_from(list(fuzz.CHANGES)), st.floats(0, 1), st.integers(0, 2**32 - 1))


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 99), st.integers(0, 99), st.lists(CHANGE, min_size=1, max_size=5))
def test_a_mutated_file_is_opened_or_refused_by_a_sentence(targets, which, other, changes):
    known, folder, _ = targets
    case = known[which % len(known)]
    fuzz.answer(case, case.changed(changes, known[other % len(known)].data), folder)


@given(st.text(max_size=40) | st.lists(st.floats() | st.integers(), max_size=5).map(lambda found: str(found)[1:-1]))
def test_any_text_in_a_link_is_a_box_or_a_sentence(text):
    for read in (parse_box, parse_corrections):
        said = "a sentence of some words"
        try:
            read(text)
        except ValueError as error:
            said = str(error)
        assert 20 < len(said) < 300
