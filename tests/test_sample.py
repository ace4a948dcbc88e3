"""Is the committed sample what its own program draws, and does its truth hold?"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from freqviz import blur, sample
from freqviz.clip import Clip
from freqviz.poses import JOINTS

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.fixture(scope="module")
def truth():
    return json.loads((ASSETS / "sample.json").read_text())


@pytest.fixture(scope="module")
def clip():
    return Clip(ASSETS / "sample.mp4")


def test_the_committed_truth_is_that_of_the_program(truth):
    now = sample.truth()
    assert truth.keys() == now.keys()
    for key in ("joints", "box", "blur_length", "blur_angle"):
        assert np.allclose(truth[key], now[key], atol=0.011), key
    assert {key: truth[key] for key in ("seed", "fps", "size", "made", "joint_names")} == {
        key: now[key] for key in ("seed", "fps", "size", "made", "joint_names")
    }
    assert truth["joint_names"] == list(JOINTS)


def test_the_clip_has_the_frames_that_the_truth_speaks_of(truth, clip):
    assert len(clip) == len(truth["joints"]) == len(truth["blur_length"]) == sample.FRAMES
    assert list(clip.size) == truth["size"]
    assert clip.fps == truth["fps"]
    assert clip.report == []
    assert (ASSETS / "sample.mp4").stat().st_size < 600_000


def window_around(points, margin):
    low, high = points.min(0) - margin, points.max(0) + margin
    x, y = (int(value) for value in low)
    return x, y, int(high[0]) - x, int(high[1]) - y


def sharp_and_blurred(truth):
    """A sharp frame and the one of the longest blur."""
    return truth["blur_length"].index(0), int(np.argmax(truth["blur_length"]))


@pytest.mark.parametrize("which", [0, 1], ids=["sharp", "blurred"])
def test_a_frame_drawn_anew_is_the_frame_of_the_clip(which, truth, clip):
    """Its blur too: the sharp drawing, blurred by the stated length and angle, is what the clip shows."""
    frame = sharp_and_blurred(truth)[which]
    x, y, w, h = window_around(np.array(truth["joints"][frame])[[8, 9, 12, 13]], 20)  # shoulders, neck, head
    drawn = sample.sharp_frame(frame, (x, y, w, h))
    filmed = blur.motion_blur(drawn, truth["blur_length"][frame], truth["blur_angle"][frame])
    inner = np.s_[10:-10, 10:-10]
    shown = clip[frame][y : y + h, x : x + w].astype(float)

    def difference(picture):
        return np.abs(cv2.GaussianBlur(picture[inner].astype(float) - shown[inner], (0, 0), 1)).mean()

    assert difference(filmed) < 3.5
    if which:
        assert difference(drawn) > 2 * difference(filmed)
        across = blur.motion_blur(drawn, truth["blur_length"][frame], truth["blur_angle"][frame] + np.pi / 2)
        assert difference(across) > 1.5 * difference(filmed)
    moved = np.roll(filmed, 3, 1)
    assert difference(moved) > 1.5 * difference(filmed)


def test_a_window_shows_what_the_whole_frame_shows():
    small = sample.sharp_frame(3, (180, 60, 24, 20))
    large = sample.sharp_frame(3, (172, 54, 40, 30))
    difference = np.abs(large[6:26, 8:32].astype(int) - small)
    assert difference.mean() < 0.3  # rays start elsewhere and end within 2 mm of the same place
    assert np.abs(large[6:26, 9:33].astype(int) - small).mean() > 3 * difference.mean() + 1
    assert small.std() > 5


def test_joints_lie_inside_the_frame_and_inside_their_box(truth):
    points, box = np.array(truth["joints"]), np.array(truth["box"])
    assert points.shape == (sample.FRAMES, 14, 2)
    assert points.min() > 2
    assert (points < np.array([sample.WIDTH, sample.HEIGHT]) - 2).all()
    assert np.allclose(points.min(1), box[:, :2], atol=0.02)
    assert np.allclose(points.max(1), box[:, :2] + box[:, 2:], atol=0.02)


def test_bones_keep_their_length():
    for frame in range(0, sample.FRAMES, 9):
        body = sample._skeleton(frame / sample.FPS)
        for side in ("right", "left"):
            for first, second, length in (
                ("shoulder", "elbow", sample.UPPER_ARM),
                ("elbow", "wrist", sample.FOREARM),
                ("hip", "knee", sample.THIGH),
                ("knee", "ankle", sample.SHIN),
            ):
                bone = body[f"{side} {first}"] - body[f"{side} {second}"]
                assert np.linalg.norm(bone) == pytest.approx(length, abs=1e-6)


def test_the_person_faces_the_camera_upright(truth):
    points = np.array(truth["joints"])
    right, left = JOINTS.index("right shoulder"), JOINTS.index("left shoulder")
    assert (points[:, right, 0] < points[:, left, 0] - 12).all()  # the person's right is on our left
    assert (points[:, JOINTS.index("head"), 1] < points[:, JOINTS.index("neck"), 1]).all()


def test_a_joint_lies_on_the_person():
    """The hand is drawn where the wrist is said to be: skin there, none beside it."""
    frame = 10
    x, y = np.round(sample.joints(frame)[JOINTS.index("right wrist")]).astype(int)
    drawn = sample.sharp_frame(frame, (x - 12, y - 3, 25, 7)).astype(int)
    redness = drawn[..., 0] - drawn[..., 2]
    assert redness[3, 12] > 30
    assert redness[:, 0].max() < 30


def test_sharp_and_blurred_frames_alternate_in_uneven_runs(truth):
    blurred = np.array(truth["blur_length"]) > 0
    edges = np.flatnonzero(np.diff(blurred))
    assert 0.3 < blurred.mean() < 0.8
    assert len(edges) >= 10
    assert len(set(np.diff(edges))) >= 3
    assert max(truth["blur_length"]) <= 18
    assert np.all((np.array(truth["blur_angle"]) >= 0) & (np.array(truth["blur_angle"]) <= np.pi))


def test_drawing_twice_gives_the_same_bytes():
    window = (170, 70, 40, 24)
    first = sample.sharp_frame(20, window)
    assert np.array_equal(first, sample.sharp_frame(20, window))
    assert np.array_equal(sample.finished_frame(20, first), sample.finished_frame(20, first))
