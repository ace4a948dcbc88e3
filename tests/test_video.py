"""Does an annotated clip show what was found, play in a browser, fit into slides, and leave no half file?"""

import av
import numpy as np
import pytest
from PIL import Image
from test_figures_strip import Light
from typer.testing import CliRunner

from freqviz import crops, look, poses, to_video
from freqviz.__main__ import app
from freqviz.clip import Clip
from freqviz.figures_strip import WHOLE_FRAME
from freqviz.jobs import Cancelled
from freqviz.run import analyse
from freqviz.to_frames import BARS, SPECTRUM, Annotated
from freqviz.to_video import annotated
from freqviz.video import write_video

COUNT = 12


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def light(name, weights=(0.1, 0.2, 0.4, 0.2, 0.1)):
    points = np.tile([[40.0 + 5 * j, 30.0 + 6 * j] for j in range(14)], (COUNT, 1, 1))
    boxes = np.tile([30.0, 20.0, 90.0, 100.0], (COUNT, 1))
    held = np.full((COUNT, 5), np.nan) if weights is None else np.tile(weights, (COUNT, 1))
    return Light(name, points, np.ones((COUNT, 14)), boxes, held, 1 / (held**2).sum(1))


def grating(cycles):
    """Frames of stripes that stand upright, `cycles` per pixel of the crop that the networks get."""
    step = crops.scale([30, 20, 90, 100])
    x = np.arange(160) / step
    row = np.round(127 + 80 * np.sin(2 * np.pi * cycles * x)).astype(np.uint8)
    return [np.repeat(np.tile(row, (140, 1))[..., None], 3, 2)] * COUNT


@pytest.fixture(scope="module")
def clip():
    return Clip.from_frames(grating(0.125), fps=25)


@pytest.fixture(scope="module")
def pictures(clip):
    return Annotated(clip, [light("spatial-frame", None), light("freq-video")], width=900)


def test_joints_stand_where_they_were_found_in_the_colour_of_their_side(pictures):
    picture, trace = pictures[3], pictures.traces[1]
    for joint in (0, 5):  # right and left ankle
        place = crops.transform(trace.keypoints[3, joint], pictures.to_cell).round().astype(int)
        x = pictures.lefts[1] + (pictures.column - pictures.cell[1]) // 2 + place[0]
        side = trace.joints[joint].split()[0]
        assert picture[pictures.head + place[1], x] == pytest.approx(rgb(look.shade("frequency", side)), abs=3)


def test_the_frame_lies_under_its_poses_at_the_right_place(clip):
    bare = light("freq-video")
    bare.keypoints[:] = np.nan
    pictures = Annotated(clip, [bare], region=WHOLE_FRAME, width=1000)
    height, width = pictures.cell
    shown = pictures[0][pictures.head : pictures.head + height, pictures.lefts[0] : pictures.lefts[0] + width]
    scale = width / 160
    for column in (20, 77, 140):
        middle = shown[height // 2, round((column + 0.5) * scale - 0.5), 0]
        assert int(middle) == pytest.approx(int(clip[0][70, column, 0]), abs=12)


def test_bars_are_as_tall_as_the_weights(pictures):
    picture, left = pictures[0], pictures.lefts[1]
    places, _, base = pictures._bars(left, 5)
    assert pictures.top == 0.4
    for x, weight in zip(places, (0.1, 0.2, 0.4, 0.2, 0.1), strict=True):
        column = picture[:base, round(x) - 2]
        tall = (column[base - BARS :] == rgb(look.shade("frequency"))).all(1).sum()
        assert tall == pytest.approx(BARS * weight / 0.4, abs=1)
    nothing = picture[base - BARS : base, pictures.lefts[0] : pictures.lefts[0] + pictures.column]
    assert (nothing == 255).all(), "a single frame has no weights"


def test_the_spectrum_is_brightest_at_the_frequency_of_the_stripes(pictures):
    square = pictures[0][pictures.head : pictures.head + SPECTRUM, pictures.side : pictures.side + SPECTRUM]
    rows, columns = np.nonzero(square.sum(2) >= square.sum(2).max() - 2)
    assert np.abs(rows - SPECTRUM / 2).max() < 6
    apart = np.abs((columns + 0.5) / SPECTRUM - 0.5)
    assert apart == pytest.approx(0.125, abs=0.012)


def test_a_truth_is_drawn_and_another_clip_is_refused(clip):
    truth = np.full((COUNT, 14, 2), 80.0)
    (plain, marked) = (Annotated(clip, [light("freq-video")], known) for known in (None, truth))
    assert (plain[0] != marked[0]).any()
    with pytest.raises(ValueError, match="the clip has 12 frames, the poses are of 11"):
        Annotated(clip, [light("freq-video")], truth[:11])
    with pytest.raises(ValueError, match="at least one network"):
        Annotated(clip, [])
    with pytest.raises(ValueError, match="at least 480 pixels, got 300"):
        Annotated(clip, [light("freq-video")], width=300)


@pytest.mark.parametrize("networks", [1, 2, 3])
def test_no_picture_is_wider_than_asked(clip, networks):
    pictures = Annotated(clip, [light(name) for name in ("a", "b", "c")[:networks]], width=640)
    height, width, _ = pictures[0].shape
    assert width <= 640
    assert (height % 2, width % 2) == (0, 0)
    assert (height, width) == pictures.size


def test_an_mp4_is_h264_as_browsers_play_it_and_has_every_frame(pictures, tmp_path):
    told = []
    path = annotated(tmp_path / "a.mp4", pictures, lambda done, total: told.append((done, total)))
    assert told == [(i + 1, COUNT) for i in range(COUNT)]
    with av.open(str(path)) as file:
        (stream,) = file.streams
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
    read = Clip(path)
    assert len(read) == COUNT
    assert np.abs(read[4].astype(int) - pictures[4]).mean() < 3


def test_a_gif_is_no_larger_than_asked_and_keeps_the_colours_that_mean_something(pictures, tmp_path):
    path = annotated(tmp_path / "a.gif", pictures)
    with Image.open(path) as gif:
        assert gif.n_frames == COUNT / 2
        assert gif.info["duration"] == 80
        assert max(gif.size) <= 960
        seen = np.asarray(gif.convert("RGB"))
        colours = {tuple(colour) for colour in seen.reshape(-1, 3).tolist()}
    assert (255, 255, 255) in colours
    limit = path.stat().st_size // 2
    small = annotated(tmp_path / "b.gif", pictures, limit=limit)
    assert small.stat().st_size <= limit
    with pytest.raises(ValueError, match="larger than 0.001 MB even at 320 pixels; choose fewer frames, or .mp4"):
        annotated(tmp_path / "c.gif", pictures, limit=1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "b.gif"]


@pytest.mark.parametrize("suffix", to_video.SUFFIXES)
def test_a_cancelled_or_failed_clip_leaves_what_was_there(pictures, tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"before")
    told = []
    with pytest.raises(Cancelled):
        annotated(path, pictures, lambda done, total: told.append(done), lambda: len(told) >= 3)
    assert len(told) == 3

    def failing(self):
        yield self[0]
        yield self[1]
        raise OSError("no space left")

    monkeypatch.setattr(Annotated, "__iter__", failing)
    with pytest.raises(OSError, match="no space left"):
        annotated(path, pictures)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_another_ending_is_refused(pictures, tmp_path):
    with pytest.raises(ValueError, match=r"ends in .mp4 or .gif, got 'a.avi'"):
        annotated(tmp_path / "a.avi", pictures)


def test_the_command_writes_the_part_that_was_analysed(tiny, walk, tmp_path):
    write_video(tmp_path / "walk.mp4", list(walk), 25, crf=0)
    write_video(tmp_path / "other.mp4", list(walk)[::-1], 25, crf=0)
    clip = Clip(tmp_path / "walk.mp4")
    analyse(clip, {"a": tiny, "b": tiny}, whole_frame=True, device="cpu", frames=(5, 12), out=tmp_path / "run")

    def call(*words):
        return CliRunner().invoke(app, ["video", str(tmp_path / "run"), *map(str, words)])

    truth = tmp_path / "truth.npy"
    np.save(truth, np.full((20, len(poses.JOINTS), 2), 50.0))
    out = tmp_path / "a.mp4"
    done = call(tmp_path / "walk.mp4", "--models", "b", "--truth", truth, "--whole-frame", "--out", out)
    assert done.exit_code == 0, done.output
    assert "a.mp4: 7 frames" in done.output.replace("\n", "")
    assert len(Clip(out)) == 7
    wrong = {
        (tmp_path / "other.mp4",): "is not the one that was analysed, walk.mp4",
        (tmp_path / "walk.mp4", "--models", "c"): "no network 'c' in this analysis; it has a, b",
        (tmp_path / "walk.mp4", "--out", "x.avi"): "--out must end in .mp4 or .gif, got 'x.avi'",
    }
    for words, message in wrong.items():
        refused = call(*words)
        assert refused.exit_code == 2
        assert message in " ".join(refused.output.split())
