"""Does every index show its own frame, whatever the file? Frames carry their number as blocks."""

import pickle
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqviz.clip import Clip, ClipError, Limits, write_video

HEIGHT, WIDTH, BITS = 64, 96, 8


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def numbered(i, height=HEIGHT, width=WIDTH):
    """Says `i` in the upper half; noise below; red in the lower left, blue in the lower right corner."""
    frame = np.random.default_rng(i).integers(60, 180, (height, width, 3), np.uint8)
    for bit in range(BITS):
        left = width * bit // BITS
        frame[: height // 2, left : width * (bit + 1) // BITS] = 230 if i >> bit & 1 else 25
    frame[-height // 4 :, : width // 3] = (200, 40, 40)
    frame[-height // 4 :, -width // 3 :] = (40, 40, 200)
    return frame


def number(frame):
    height, width = frame.shape[:2]
    columns = [int(width * (bit + 0.5) / BITS) for bit in range(BITS)]
    return sum(int(frame[height // 4, x].mean() > 128) << bit for bit, x in enumerate(columns))


def encode(path, codec="libx264", n=50, pix_fmt="yuv420p", size=(HEIGHT, WIDTH), b_frames=2, **more):
    """A clip of numbered frames; `stamps` in ms for a variable rate, `sar`, `faststart`, `options`."""
    stamps, sar = more.get("stamps"), more.get("sar")
    flags = {"movflags": "faststart"} if more.get("faststart") else {}
    with av.open(str(path), "w", container_options=flags) as container:
        stream = container.add_stream(codec, rate=25, options=more.get("options", {}))
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = b_frames
        if sar:
            stream.codec_context.sample_aspect_ratio = Fraction(*sar)
        if stamps:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(numbered(i, *size), format="rgb24")
            if stamps:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path, quarter):
    """Ask the player for `quarter` clockwise quarter turns, in the track header of an mp4."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    data[at : at + 36] = struct.pack(">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def said(clip):
    return " ".join(clip.report)


VARIABLE = np.cumsum(np.random.default_rng(1).choice([20, 40, 70], 50)).tolist()
FILES = {
    "H.264 with B frames": ("a.mp4", {}),
    "H.264 with open groups": ("a.mkv", {"options": {"x264-params": "open-gop=1:keyint=12:scenecut=0"}}),
    "MPEG-4 avi": ("a.avi", {"codec": "mpeg4", "options": {"qscale": "3"}}),
    "MPEG-4 mp4": ("b.mp4", {"codec": "mpeg4"}),
    "transport stream": ("a.ts", {}),
    "variable frame rate": ("v.mp4", {"stamps": VARIABLE}),
    "odd size": ("o.mp4", {"size": (63, 97), "pix_fmt": "yuv444p"}),
    "10 bit": ("t.mkv", {"pix_fmt": "yuv420p10le"}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_index_shows_its_own_frame_in_any_order(name, tmp_path, rng):
    file, options = FILES[name]
    path = encode(tmp_path / file, **options)
    clip = Clip(path)
    assert len(clip) == 50
    assert [number(frame) for frame in clip] == list(range(50))
    small = Clip(path, cache_bytes=100_000)  # chunks of a few frames: each access seeks
    order = rng.permutation(50).tolist()
    for i in order:
        frame = small[i]
        assert number(frame) == i
        assert np.array_equal(frame, clip[i])  # random access equals sequential reading, to the byte


def test_chunks_hold_every_frame_once(tmp_path):
    clip = Clip(encode(tmp_path / "a.mp4"))
    chunks = list(clip.chunks(15))
    assert [start for start, _ in chunks] == [0, 15, 30, 45]
    assert [len(frames) for _, frames in chunks] == [15, 15, 15, 5]
    assert [number(f) for _, frames in chunks for f in frames] == list(range(50))
    assert all(frames.shape[1:] == (*clip.size, 3) and frames.dtype == np.uint8 for _, frames in chunks)


def test_the_cache_stays_within_its_budget(tmp_path):
    clip = Clip(encode(tmp_path / "a.mp4"), cache_bytes=400_000)
    for i in (0, 40, 10, 30, 20, 49):
        assert number(clip[i]) == i
        assert 0 < clip.held_bytes <= 400_000
    clip.close()
    assert clip.held_bytes == 0
    assert number(clip[7]) == 7  # opens its file again


def test_writing_into_a_frame_does_not_change_the_clip(tmp_path):
    clip = Clip(encode(tmp_path / "a.mp4", n=3))
    frame = clip[1]
    frame[:] = 0
    assert number(clip[1]) == 1


def test_times_are_those_of_the_file(tmp_path):
    clip = Clip(encode(tmp_path / "v.mp4", stamps=VARIABLE))
    assert clip.times == pytest.approx((np.array(VARIABLE) - VARIABLE[0]) / 1000, abs=1e-3)
    assert "frame rate varies" in said(clip)
    even = Clip(encode(tmp_path / "e.ts"))  # a stream that does not start at zero
    assert even.times == pytest.approx(np.arange(50) / 25, abs=1e-4)
    assert even.fps == 25
    assert even.report == []


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_clip_is_upright(quarter, tmp_path):
    path = encode(tmp_path / "a.mp4", n=5)
    plain = Clip(path)
    turn(path, quarter)
    clip = Clip(path)
    assert np.array_equal(clip[3], np.rot90(plain[3], -quarter))
    assert clip.size == clip[3].shape[:2]
    assert "turned by" in said(clip)


def test_pixels_become_square(tmp_path):
    clip = Clip(encode(tmp_path / "a.mp4", n=5, sar=(4, 3)))
    assert clip.size == (HEIGHT, 128)
    assert clip[4].shape == (HEIGHT, 128, 3)
    assert number(clip[4]) == 4
    assert "non-square pixels" in said(clip)


def test_ten_bits_are_reported(tmp_path):
    assert "10 bit" in said(Clip(encode(tmp_path / "a.mkv", n=3, pix_fmt="yuv420p10le")))


def test_a_cut_off_file_gives_what_is_there_and_says_so(tmp_path):
    path = encode(tmp_path / "a.mp4", faststart=True, options={"crf": "1"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    clip = Clip(path)
    assert 20 < len(clip) < 45
    assert "cut off" in said(clip)
    assert "of 50 promised" in said(clip)
    sound = [i for i in range(len(clip)) if i not in clip.damaged]
    assert [number(clip[i]) for i in sound] == sound
    assert len(sound) > 20


def test_damaged_frames_are_flagged_and_the_others_are_right(tmp_path):
    path = encode(tmp_path / "a.mp4", faststart=True, options={"crf": "1"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\xa5" * 3000
    path.write_bytes(data)
    clip = Clip(path)
    frames = [number(frame) for frame in clip]
    wrong = {i for i, n in enumerate(frames) if n != i}
    assert clip.damaged
    assert wrong <= clip.damaged
    assert len(clip.damaged) < 25
    assert "damaged frames" in said(clip)


def sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def a_picture(path):
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())


NOT_CLIPS = {
    "is empty": lambda p: p.write_bytes(b""),
    "is text": lambda p: p.write_text("mary had a little lamb\n" * 50),
    "no known container": lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
    "no video in it": sound_only,
    "is a playlist": lambda p: p.write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n"),
    "is a playlist: it": lambda p: p.write_text("ffconcat version 1.0\nfile other.mp4\n"),
    "still image": a_picture,
    "cannot be read": lambda p: p.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500),
    "no images": lambda p: p.mkdir(),
    "no file": lambda p: None,
}


@pytest.mark.parametrize("words", NOT_CLIPS)
def test_what_is_no_clip_is_refused_in_one_sentence(words, tmp_path):
    path = tmp_path / "thing.mp4"
    NOT_CLIPS[words](path)
    with pytest.raises(ClipError, match=words) as caught:
        Clip(path)
    assert "\n" not in str(caught.value)
    assert "thing" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)  # a visitor is not told where the server keeps its files


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(frames=20), "more than 20 frames"),
        (Limits(pixels=5000), "more than 5000 pixels"),
        (Limits(seconds=1.0), "more than 1 s"),
        (Limits(file_bytes=100), "more than 100"),
    ],
)
def test_limits_hold(limits, words, tmp_path):
    path = encode(tmp_path / "a.mp4")
    with pytest.raises(ClipError, match=words):
        Clip(path, limits=limits)


def test_a_pickled_clip_is_small_and_reads_on(tmp_path):
    clip = Clip(encode(tmp_path / "a.mp4"))
    assert number(clip[20]) == 20
    stored = pickle.dumps(clip)
    assert len(stored) < 5000
    copy = pickle.loads(stored)
    assert np.array_equal(copy[33], clip[33])
    assert copy.hash == clip.hash


def test_a_file_that_changed_is_not_read_as_the_old_one(tmp_path):
    path = encode(tmp_path / "a.mp4")
    clip = Clip(path)
    encode(path, n=20)
    with pytest.raises(ClipError, match="changed"):
        clip[40]


def test_the_hash_is_that_of_the_file(tmp_path):
    import hashlib

    path = encode(tmp_path / "a.mp4", n=3)
    assert Clip(path).hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("index", [50, -51])
def test_a_frame_beyond_the_end_is_an_index_error(index, tmp_path):
    with pytest.raises(IndexError, match="50 frames"):
        Clip(encode(tmp_path / "a.mp4"))[index]


# -------- frames at hand, folders of images


@given(n=st.integers(1, 80), count=st.integers(1, 40))
def test_a_clip_of_frames_gives_them_back(n, count):
    frames = [numbered(i, 8, 16) for i in range(n)]
    clip = Clip.from_frames(frames, fps=10)
    assert np.array_equal(np.concatenate([part for _, part in clip.chunks(count)]), np.stack(frames))
    assert np.array_equal(clip[-1], frames[-1])
    assert clip.times == pytest.approx(np.arange(n) / 10)
    assert clip.path is None


def test_other_frames_make_another_hash():
    frames = [numbered(i) for i in range(3)]
    assert Clip.from_frames(frames).hash == Clip.from_frames(list(frames)).hash
    assert Clip.from_frames(frames).hash != Clip.from_frames(frames[::-1]).hash


@pytest.mark.parametrize(
    "frames",
    [[], [np.zeros((4, 4), np.uint8)], [np.zeros((4, 4, 3))], [numbered(0), numbered(0, 32, 32)], ["a.png"]],
)
def test_frames_of_another_kind_are_refused(frames):
    with pytest.raises(ClipError):
        Clip.from_frames(frames)


def test_a_folder_of_images_is_a_clip_in_natural_order(tmp_path):
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"frame{i}.png"), numbered(i)[..., ::-1])
    (tmp_path / "notes.txt").write_text("no image")
    clip = Clip.from_frames(tmp_path, fps=5)
    assert [number(frame) for frame in clip] == list(range(12))
    assert np.array_equal(clip[10], numbered(10))
    assert clip.fps == 5
    assert len(clip.hash) == 64


# -------- decord, where it is installed


def test_decord_shows_the_same_frames_where_it_agrees(tmp_path):
    pytest.importorskip("decord")
    path = encode(tmp_path / "a.mp4")
    theirs, ours = Clip(path, reader="decord"), Clip(path)
    assert [number(frame) for frame in theirs] == list(range(50))
    assert np.abs(theirs[30].astype(int) - ours[30]).mean() < 3
    assert number(pickle.loads(pickle.dumps(theirs))[12]) == 12


@pytest.mark.parametrize("name", ["MPEG-4 avi", "transport stream"])
def test_decord_is_refused_where_it_would_show_other_frames(name, tmp_path):
    pytest.importorskip("decord")
    file, options = FILES[name]
    with pytest.raises(ClipError, match="use reader='pyav'"):
        Clip(encode(tmp_path / file, **options), reader="decord")


def test_a_missing_decord_is_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(ClipError, match="not installed"):
        Clip(encode(tmp_path / "a.mp4", n=3), reader="decord")


def test_an_unknown_reader_names_the_known_ones(tmp_path):
    with pytest.raises(ClipError, match="pyav, decord"):
        Clip(tmp_path / "a.mp4", reader="opencv")


# -------- writing


def test_what_is_written_is_read_again(tmp_path):
    path = write_video(tmp_path / "a.mp4", (numbered(i) for i in range(30)), fps=29.97)
    clip = Clip(path)
    assert [number(frame) for frame in clip] == list(range(30))
    assert clip.fps == pytest.approx(29.97, abs=0.001)
    assert np.abs(clip[9][-10:, :20].astype(int) - (200, 40, 40)).max() <= 6  # the colours too
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it is loaded
    assert list(tmp_path.iterdir()) == [path]


def test_an_odd_size_is_padded_by_its_edge(tmp_path):
    clip = Clip(write_video(tmp_path / "a.mp4", [numbered(5, 63, 97)] * 3, fps=25))
    assert clip.size == (64, 98)
    assert number(clip[0][:63, :97]) == 5


def test_a_failure_leaves_nothing_behind(tmp_path):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"the old clip")
    with pytest.raises(ClipError, match="but the first frame is"):
        write_video(target, [numbered(0), numbered(1, 32, 32)], fps=25)
    assert target.read_bytes() == b"the old clip"
    assert [Path(p).name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(("frames", "fps"), [([], 25), ([numbered(0)], 0), ([numbered(0)], float("nan"))])
def test_nothing_to_write_is_refused(frames, fps, tmp_path):
    with pytest.raises(ClipError):
        write_video(tmp_path / "a.mp4", frames, fps)
