"""Does the sentence say what the numbers say?"""

from types import SimpleNamespace

import numpy as np
import pytest

from freqviz import boxes, reading

COUNT = 40
BLUR = np.linspace(0.1, 4.0, COUNT)  # frame 39 is the blurriest


def seen(network, weights, shift=0.0, joint=11):
    """A network whose joints lie at (index, frame), one of them shifted to the right."""
    keypoints = np.stack(np.meshgrid(np.arange(14.0), np.arange(float(COUNT))), -1)
    keypoints[:, joint, 0] += shift
    weights = np.tile(np.asarray(weights, float), (COUNT, 1))
    slots = np.arange(weights.shape[1]) - weights.shape[1] // 2
    return SimpleNamespace(
        network=network, keypoints=keypoints, frame_weights=weights, joints=reading_joints(),
        effective_frames=np.full(COUNT, 3.2),
        window=lambda key: np.where((key + slots < 0) | (key + slots >= COUNT), key, key + slots),
    )  # fmt: skip


def reading_joints():
    return (*(f"joint {j}" for j in range(11)), "left wrist", "neck", "head")


LEANS = seen("freq-video", [0.1, 0.2, 0.19, 0.31, 0.2], shift=6.2)
FLAT = seen("spatial-video", [0.2, 0.19, 0.21, 0.2, 0.2])
SINGLE = seen("spatial-frame", [np.nan] * 5)


def test_the_present_frame_is_read_in_one_sentence():
    assert reading.sentence(37, [LEANS, FLAT], BLUR, "edge width") == (
        "Frame 37 is among the blurriest tenth (edge width 3.8 px); freq-video leaned on frame 38 (weight .31), "
        "3.2 of 5 frames counted; spatial-video weighed all frames of the window alike; "
        "the networks differ most at the left wrist, 6 px."
    )


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (39, "is the blurriest"),
        (36, "is among the blurriest tenth"),
        (35, "is among the blurriest quarter"),
        (30, "is among the blurriest quarter"),
        (29, "is neither among the blurriest nor the sharpest"),
        (10, "is neither among the blurriest nor the sharpest"),
        (9, "is among the sharpest quarter"),
        (3, "is among the sharpest tenth"),
        (0, "is as sharp as any"),
    ],
)
def test_the_rank_of_a_frame_becomes_words(frame, place):
    assert reading.sentence(frame, [], BLUR, "edge width").startswith(f"Frame {frame} {place} (")


def test_many_equal_values_are_no_tenth():
    blur = np.r_[np.zeros(16), 1, np.full(23, 5.0)]
    assert "as sharp as any (true blur 0.0 px)" in reading.sentence(4, [], blur, "true blur")
    assert "neither" in reading.sentence(16, [], blur, "true blur")


def test_what_is_not_known_is_not_ranked():
    blur = np.r_[np.nan, BLUR[1:]]
    assert reading.sentence(0, [], blur, "edge width") == "How blurred frame 0 is cannot be told."
    assert reading.sentence(1, [], blur[:5], "edge width") == "Frame 1 has edge width 0.2 px."


def test_at_the_end_of_the_clip_the_missing_neighbours_count_for_the_frame_itself():
    said = reading.sentence(39, [LEANS], BLUR, "edge width")
    assert "leaned on the frame itself (weight .70)" in said  # its own .19, and .31 and .20 of those that are missing


def test_networks_that_weigh_alike_are_named_together_and_those_without_weights_not():
    said = reading.sentence(20, [FLAT, seen("freq-video", [0.2] * 5), SINGLE], BLUR, "edge width")
    assert (
        "spatial-video and freq-video weighed all frames of the window alike; the networks agree within 1 px." in said
    )
    assert "spatial-frame" not in said


def test_of_three_networks_the_two_that_differ_most_are_named():
    said = reading.sentence(20, [SINGLE, LEANS, seen("freq-video", [0.2] * 5, -3, joint=13)], BLUR, "edge width")
    assert "freq-video and freq-video differ" not in reading.sentence(20, [SINGLE, LEANS, FLAT], BLUR, "edge width")
    assert said.endswith("spatial-frame and freq-video differ most at the left wrist, 6 px.")


def test_the_distance_from_the_truth_leaves_unknown_joints_out():
    truth = FLAT.keypoints[20] + (3, 4)
    truth[11] = np.nan
    said = reading.sentence(20, [LEANS, FLAT], BLUR, "edge width", truth=truth)
    assert said.endswith("the mean distance from the truth is 5.0 px (freq-video) and 5.0 px (spatial-video).")
    assert "truth" not in reading.sentence(20, [LEANS], BLUR, "edge width", truth=np.full((14, 2), np.nan))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([0.2] * 5, True), ([0.18, 0.2, 0.2, 0.2, 0.22], True), ([0.17, 0.2, 0.2, 0.2, 0.23], False)],
)
def test_weights_within_a_tenth_of_an_equal_share_are_flat(weights, expected):
    assert reading.flat(weights) is expected


def test_a_frame_outside_of_the_clip_is_refused():
    with pytest.raises(IndexError, match="frame must be 0 to 39, got 40"):
        reading.sentence(40, [LEANS], BLUR, "edge width")


def test_a_lost_person_is_said_first_with_the_reason():
    said = reading.sentence(37, [FLAT], BLUR, "edge width", lost="jump")
    assert said.startswith("The person seems lost here (the pose jumped by more than a third of the box). Frame 37 is")
    assert {boxes.LOW_SCORES, boxes.LEFT, boxes.LEAPT} == set(reading.LOST)
    assert "lost" not in reading.sentence(37, [FLAT], BLUR, "edge width")


def test_of_a_part_of_a_clip_frames_are_said_with_their_numbers_in_the_whole():
    said = reading.sentence(37, [LEANS], BLUR, "edge width", first=100)
    assert "Frame 137 is among" in said
    assert "leaned on frame 138" in said
    assert "How blurred frame 100 is" in reading.sentence(0, [], np.r_[np.nan, BLUR[1:]], "edge width", first=100)


def test_frame_numbers_are_listed_as_spans():
    assert reading.frames_listed([9, 3, 7, 8, 12, 13]) == "3, 7–9, 12–13"
    assert reading.frames_listed(range(0, 20, 2), most=3) == "0, 2, 4, …"
    assert reading.frames_listed([]) == ""
