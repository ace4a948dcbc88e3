"""Is the copy for the scrubber what a browser can seek in, and is what it draws over the frames theirs?"""

import json
import re

import av
import numpy as np
import pytest
from scrubber_app import APART, BLURRIEST, BOX, DAMAGED, LOST, SHARPEST, analysis, view_of
from test_clip import number, numbered

from freqviz import look, poses, reading, to_video
from freqviz.clip import Clip
from freqviz.jobs import Cancelled
from freqviz.video import ClipError
from freqviz.web import View, library
from freqviz.web.scrubber import HERE, HTML, KEYS, MARKS, overlay

COUNT = 120


@pytest.fixture
def clip():
    return Clip.from_frames([numbered(i, 36, 64) for i in range(COUNT)], fps=30)


@pytest.fixture
def view(clip):
    """What scrubber_app shows, on a smaller picture."""
    return view_of(clip)


def packets(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = [
            (packet.pts * packet.time_base, packet.is_keyframe) for packet in container.demux(stream) if packet.size
        ]
        return found, stream.codec_context


def test_every_frame_of_a_copy_stands_for_itself_at_its_own_even_time(tmp_path, clip):
    seen = []
    to_video.scrubbing_copy(tmp_path / "a.mp4", clip, progress=lambda done, total: seen.append((done, total)))
    found, stream = packets(tmp_path / "a.mp4")
    assert [float(time) for time, _ in found] == pytest.approx([i / to_video.RATE for i in range(COUNT)])
    assert all(key for _, key in found)
    assert (stream.name, stream.pix_fmt, stream.width, stream.height) == ("h264", "yuv420p", 64, 36)
    assert [number(frame) for frame in Clip(tmp_path / "a.mp4")] == list(range(COUNT))
    assert seen == [(i + 1, COUNT) for i in range(COUNT)]


@pytest.mark.parametrize(
    ("size", "expected"), [((720, 1280), (360, 640)), ((99, 33), (100, 32)), ((1000, 3), (640, 2)), ((2, 2), (2, 2))]
)
def test_a_copy_is_at_most_640_pixels_long_and_even(tmp_path, size, expected):
    clip = Clip.from_frames([np.full((*size, 3), 90, np.uint8)] * 2)
    _, stream = packets(to_video.scrubbing_copy(tmp_path / "a.mp4", clip))
    assert (stream.height, stream.width) == expected


def test_a_clip_over_the_limit_is_copied_smaller_and_one_far_over_it_not_at_all(tmp_path):
    rng = np.random.default_rng(1)
    clip = Clip.from_frames([rng.integers(0, 255, (160, 640, 3), np.uint8) for _ in range(30)])
    full = to_video.scrubbing_copy(tmp_path / "full.mp4", clip).stat().st_size
    small = to_video.scrubbing_copy(tmp_path / "small.mp4", clip, limit=full // 2)
    assert small.stat().st_size <= full // 2
    assert packets(small)[1].width in (480, 320)
    with pytest.raises(ClipError, match=r"30 frames is too long to scrub: a copy of at most 0\.\d+ MB"):
        to_video.scrubbing_copy(tmp_path / "none.mp4", clip, limit=full // 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.mp4", "small.mp4"]


def test_a_cancelled_copy_leaves_nothing(tmp_path, clip):
    asked = iter([False] * 9 + [True])
    with pytest.raises(Cancelled):
        to_video.scrubbing_copy(tmp_path / "a.mp4", clip, cancelled=lambda: next(asked))
    assert list(tmp_path.iterdir()) == []


def test_what_is_drawn_over_a_frame_is_that_frames(view):
    drawn = overlay(view)
    spatial, frequency = drawn["people"]
    assert (drawn["count"], drawn["size"], drawn["first"]) == (COUNT, [64, 36], 0)
    assert (spatial["name"], spatial["role"], frequency["role"]) == ("spatial-video", "spatial", "frequency")
    for frame in (0, 7, APART, COUNT - 1):
        assert spatial["points"][frame][:4] == [2 * frame, 110, 2 * frame + 3, 113]  # x, y of two joints
        moved = 9 if frame == APART else 1
        assert frequency["points"][frame][0] == 2 * frame + moved
        start, box, zoom = max((one for one in drawn["segments"] if one[0] <= frame), key=lambda one: one[0])
        assert box == [2 * frame, 105, *BOX]
        (left, right), (bottom, top) = view.limits(frame, "Person")
        assert zoom == pytest.approx([left, top, right, bottom], abs=0.1)
    assert spatial["opacity"][0][0] == 42  # 0.35 + 0.65 times a score of 0.1
    sides = dict(zip(poses.JOINTS, drawn["sides"], strict=True))
    assert (sides["right knee"], sides["left wrist"], sides["neck"]) == ("right", "left", "")
    assert [12, 13, ""] in drawn["edges"]
    assert [3, 12, "left"] in drawn["edges"]


def test_a_held_box_is_told_once(view):
    trace = view.traces[0]
    boxes = trace.boxes.copy()
    boxes[5:] = boxes[5]
    held = View(view.name, view.clip, analysis(COUNT), view.folder)
    for name, one in held.analysis.traces.items():
        held.analysis.traces[name] = type(one)(**{**vars(one), "boxes": boxes})
    assert [segment[0] for segment in overlay(held)["segments"]] == [0, 1, 2, 3, 4, 5]


def test_unknown_numbers_are_null_and_the_whole_is_json(view):
    trace = view.traces[1]
    points = trace.keypoints.copy()
    points[4, 2] = np.nan
    view.analysis.traces["freq-video"] = type(trace)(**{**vars(trace), "keypoints": points})
    drawn = json.loads(json.dumps(overlay(view), allow_nan=False))
    assert drawn["people"][1]["points"][4][2:6] == [2 * 4 + 1 + 3, 114, None, None]


def test_the_true_joints_come_last(view, monkeypatch):
    truth = library.Truth(view.traces[0].keypoints + 4, None, np.zeros((COUNT, 4)))
    monkeypatch.setattr(library, "truth", lambda name: truth)
    drawn = overlay(view)
    assert [person["name"] for person in drawn["people"]] == ["spatial-video", "freq-video", "truth"]
    assert drawn["people"][2]["points"][9][:2] == [22, 114]
    error = drawn["curves"][-1]
    assert (error["name"], error["unit"]) == ("Distance from the truth", "px")
    spatial, frequency = error["lines"]
    assert spatial["values"][3] == pytest.approx(4 * 2**0.5, abs=1e-3)
    assert frequency["values"][APART] == pytest.approx(5 * 2**0.5, abs=1e-3)


def test_each_curve_has_its_name_unit_range_and_numbers(view):
    weights, energy, blur, apart = overlay(view)["curves"]
    assert (weights["name"], weights["limits"]) == ("Effective number of frames", [1, 5])
    assert [line["values"][0] for line in weights["lines"]] == [3.846, 4.545]
    assert [line["role"] for line in weights["lines"]] == ["spatial", "frequency"]
    assert energy["name"].startswith("Log energy of the image")
    assert energy["limits"] == pytest.approx([-119 / 7, 0])
    assert (blur["name"], blur["unit"], blur["limits"]) == ("Edge width", "pixels", [0, 9])
    assert blur["lines"][0]["values"][BLURRIEST] == 9
    assert apart["limits"] == pytest.approx([0, 9 * 2**0.5])
    assert apart["lines"][0]["values"][APART - 1 : APART + 1] == pytest.approx([2**0.5, 9 * 2**0.5], abs=1e-3)


def test_marks_tell_what_to_jump_to_and_runs_of_them_are_one(view):
    view.clip._source.damaged.add(DAMAGED)
    assert view.marks == {
        "sharpest": [SHARPEST], "blurriest": [BLURRIEST], "disagreement": [APART], "lost": LOST, "damaged": [DAMAGED],
    }  # fmt: skip
    assert set(view.marks) == set(MARKS)
    lost = next(mark for mark in overlay(view)["marks"] if mark["kind"] == "lost")
    assert lost == {"kind": "lost", "role": "lost", "runs": [[30, 32], [70, 70]]}
    assert reading.runs([]) == []
    assert reading.runs([0, 1, 5]) == [[0, 1], [5, 5]]


def test_what_is_not_known_is_no_mark(view):
    view.analysis.frames["edge_width"] = 3.0  # alike everywhere: none is the sharpest
    view.analysis.frames["lost"] = ""
    del view.analysis.traces["freq-video"]
    assert view.marks == {}
    assert view.disagreement is None


def test_numbers_for_people_may_start_elsewhere(view):
    view.clip.first = 250
    assert overlay(view)["first"] == 250


def test_every_key_of_the_list_is_one_that_the_script_knows():
    script = (HERE / "scrubber.js").read_text()
    known = set(
        re.findall(r"^      (?:\"(.+?)\"|(\w+)): ", script.split("const does")[1].split("}[event.key]")[0], re.M)
    )
    names = {quoted or plain for quoted, plain in known}
    assert {"ArrowLeft", "ArrowRight", "Home", "End", " ", "n", "p", "?"} <= names
    assert all(f"<dt>{key}</dt>" in HTML for key in KEYS)


def test_colours_and_dashes_come_from_look():
    script, style = ((HERE / f"scrubber.{kind}").read_text() for kind in ("js", "css"))
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", script + style) == []
    assert set(look.DASHES) == {role.dash for role in look.ROLES.values()} | {"solid"}
