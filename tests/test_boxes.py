"""Does a box serve the person in it, and does each rung of the ladder say what it should?"""

import json

import numpy as np
import pytest
from conftest import walking_frames

from freqviz import boxes


def pose_box(x, y, w, h):
    """Person box around joints that span (x, y, w, h)."""
    return boxes.grown((x, y, w, h), boxes.PAD)


def test_the_pose_that_a_box_was_made_from_fits_it():
    assert boxes.fits(pose_box(50, 50, 60, 100), pose_box(50, 50, 60, 100))


@pytest.mark.parametrize(("shift", "stays"), [(4, True), (6, False), (-4, True), (-6, False)])
def test_joints_may_move_to_the_edge_of_the_inner_80_percent(shift, stays):
    """Joints 100 tall: box 110, crop 137.5, its inner 80 % again 110, so 5 pixels are free on either side."""
    assert boxes.fits(pose_box(50, 50, 60, 100), pose_box(50, 50 + shift, 60, 100)) is stays


@pytest.mark.parametrize(("factor", "stays"), [(0.75, False), (0.85, True), (1.05, True), (1.15, False)])
def test_a_size_that_differs_by_a_fifth_asks_for_a_cut(factor, stays):
    assert boxes.fits(pose_box(50, 50, 60, 100), boxes.grown(pose_box(50, 50, 60, 100), factor)) is stays


def test_a_faster_person_is_looked_at_sooner():
    held = pose_box(50, 50, 60, 100)
    counts = [boxes.frames_until_cut(held, held, (0, speed), 8) for speed in (0, 0.7, 2, 30)]
    assert counts == [8, 8, 3, 1]


POINTS = np.array([[10.0, 20], [30, 60], [10, 60], [30, 20], [20, 40], [15, 30], [25, 50], [12, 25]])
HELD = (8.0, 15, 24, 50)


def box_of(points, scores, held=HELD):
    return boxes.of_pose(np.asarray(points)[None], np.asarray(scores)[None], held)


def test_the_box_of_a_pose_holds_its_certain_joints_with_a_margin():
    points = np.vstack([POINTS, [[500, 500]]])
    np.testing.assert_allclose(box_of(points, [0.9] * 8 + [0.1]), [9, 18, 22, 44])


def test_fewer_than_six_certain_joints_make_no_box():
    assert box_of(POINTS, [0.9] * 5 + [0.1] * 3) is None


def test_half_a_pose_moves_the_box_and_leaves_its_size():
    """Eight certain joints of fourteen span x 10 to 30, with the margin 9 to 31: 1 px left of the held box."""
    points, scores = np.vstack([POINTS, np.full((6, 2), 900)]), [0.9] * 8 + [0.1] * 6
    np.testing.assert_allclose(box_of(points, scores, (10, 15, 24, 50)), [9, 15, 24, 50])
    np.testing.assert_allclose(box_of(points, scores, (0, 15, 24, 50)), [7, 15, 24, 50])


@pytest.mark.parametrize(("factor", "expected"), [(10, boxes.JUMP), (0.1, 1 / boxes.JUMP), (1.2, 1.2)])
def test_the_size_changes_by_a_bounded_factor(factor, expected):
    held = box_of(POINTS, [0.9] * 8)
    found = box_of(POINTS * factor, [0.9] * 8, held)
    np.testing.assert_allclose(found[2:], held[2:] * expected)
    np.testing.assert_allclose(found[:2] + found[2:] / 2, factor * (held[:2] + held[2:] / 2))


def test_one_wild_pose_of_three_does_not_move_the_box():
    three, certain = np.stack([POINTS, POINTS + 400, POINTS]), np.ones((3, 8))
    np.testing.assert_allclose(boxes.of_pose(three, certain, HELD), box_of(POINTS, np.ones(8)))


def test_key_framed_boxes_are_linear_between_and_held_beyond():
    found = boxes.between({2: np.array([0.0, 0, 10, 20]), 6: np.array([8.0, 4, 10, 40])}, 9)
    np.testing.assert_allclose(found[[0, 2, 3, 6, 8]][:, 0], [0, 0, 2, 8, 8])
    np.testing.assert_allclose(found[4], [4, 2, 10, 30])


def test_boxes_are_read_from_a_table(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame, x, y, w, h, note\n0, 1, 2, 3, 4, a\n10, 5.5, 6, 7, 8, b\n")
    found = boxes.read_boxes(path)
    assert sorted(found) == [0, 10]
    np.testing.assert_array_equal(found[10], [5.5, 6, 7, 8])


MOT = "1,7,21,41,24,48,1,1,1\n1,3,5,5,9,9,1,1,1\n2,3,6,5,9,9,1,1,1\n5,3,9,5,9,9,1,1,1\n6,3,9,5,9,9,0,1,1\n"


def coco(**changes):
    held = {
        "images": [{"id": 70 + i, "file_name": f"walk2/{i + 1:06d}.jpg"} for i in range(5)],
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"image_id": 74, "category_id": 1, "track_id": 3, "bbox": [8, 4, 9, 9]},
            {"image_id": 70, "category_id": 1, "track_id": 3, "bbox": [4, 4, 9, 9]},
            {"image_id": 70, "category_id": 1, "track_id": 7, "bbox": [20, 40, 24, 48]},
            {"image_id": 71, "category_id": 18, "track_id": 9, "bbox": [0, 0, 5, 5]},
        ],
    }
    return json.dumps(held | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,x,y,w\n0,1,2,3\n", "missing h"),
        ("frame,x,y,w,h\n0,1,2,3,none\n", "line 2"),
        ("frame,x,y,w,h\n0,1,2,3\n", "line 2"),
        ("frame,x,y,w,h\n0,1,2,3,4\n0,1,2,3,4\n", "line 3: frame 0 is there twice"),
        ("frame,x,y,w,h\n-1,1,2,3,4\n", "frame -1 is negative"),
        ("frame,x,y,w,h\n0,1,2,0,4\n", "w and h > 0"),
        ("frame,x,y,w,h\n", "holds no box"),
        ("", "holds no box"),
        ("1,1,5,5\n", "line 1: expected frame, id, x, y, w, h, or a header"),
        ("0,1,5,5,9,9\n", "frames from 1, got 0"),
        ("1,-1,5,5,9,9\n1,-1,50,5,9,9\n", "line 2: frame 0 is there twice for one person"),
        ("{", "is no JSON"),
        ('{"boxes": []}', "a list of annotations"),
        ('[{"image_id": 1, "bbox": [1, 2, 3]}]', "annotation 0: bbox must be"),
        ('[{"image_id": "a.jpg", "bbox": [1, 2, 3, 4]}]', "annotation 0: no frame of image_id 'a.jpg'"),
        (coco(images=[{"id": 70, "file_name": "1.jpg"}, {"id": 71, "file_name": "9.jpg"}]), "without gaps"),
    ],
)
def test_a_table_that_is_wrong_says_where(tmp_path, text, message):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        boxes.read_boxes(path)


def test_tracks_of_the_mot_challenge_count_from_one_in_frames_and_pixels(tmp_path):
    path = tmp_path / "gt.csv"  # the content tells what it is
    path.write_text(MOT)
    people = boxes.read_people(path)
    assert [(person, sorted(found)) for person, found in people.items()] == [(3, [0, 1, 4]), (7, [0])]
    np.testing.assert_array_equal(boxes.read_boxes(path, 7)[0], [19.5, 39.5, 24, 48])
    assert sorted(boxes.read_boxes(path)) == [0, 1, 4], "the longest track by default"
    path.write_text(MOT.replace(",", "  "))
    assert sorted(boxes.read_boxes(path)) == [0, 1, 4]


def test_annotations_of_coco_are_found_by_the_order_of_their_images(tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_text(coco())
    people = boxes.read_people(path)
    assert [(person, sorted(found)) for person, found in people.items()] == [(3, [0, 4]), (7, [0])]
    np.testing.assert_array_equal(people[7][0], [19.5, 39.5, 24, 48])
    np.testing.assert_allclose(boxes.between(people[3], 5)[2], [5.5, 3.5, 9, 9])
    path.write_text(json.dumps([{"image_id": 6, "bbox": [4, 4, 9, 9]}, {"frame": 2, "bbox": [1, 1, 5, 5]}]))
    assert sorted(boxes.read_boxes(path)) == [2, 6]


def test_a_person_who_is_not_in_the_file_is_answered_with_those_who_are(tmp_path):
    (tmp_path / "gt.txt").write_text(MOT)
    with pytest.raises(LookupError, match="no person 5 in these boxes; they are of 3, 7"):
        boxes.read_boxes(tmp_path / "gt.txt", 5)


def test_what_moves_is_boxed_where_it_was_in_the_first_frame():
    np.testing.assert_allclose(boxes.motion_box(walking_frames(20)), [20, 40, 24, 48], atol=4)


def test_a_panning_camera_is_not_taken_for_the_person(rng):
    """A ground of low frequencies that pans by 2 px per frame, a block that goes the other way."""
    ground = np.kron(rng.integers(40, 120, (40, 80, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    frames = []
    for i in range(16):
        frame = ground[40:160, 2 * i : 2 * i + 240].copy()
        frame[30:90, 120 - 4 * i : 150 - 4 * i] = 250
        frames.append(frame)
    x, y, w, h = boxes.motion_box(frames)
    assert abs(x + w / 2 - 135) < 15
    assert abs(y + h / 2 - 60) < 10
    assert w < 60


def test_stillness_has_no_motion_box():
    assert boxes.motion_box(walking_frames(8, step=0.0)) is None
    assert boxes.motion_box(walking_frames(1)) is None


@pytest.mark.parametrize(("box", "seen"), [((0, 0, 20, 20), True), ((-16, 0, 20, 20), False), ((300, 0, 9, 9), False)])
def test_a_box_is_visible_when_a_quarter_of_it_is(box, seen):
    assert boxes.visible(box, (100, 100)) is seen


def told(points, scores=None, held=HELD, size=(100, 100)):
    """Why the eight joints of each frame are lost; certain unless `scores` says otherwise."""
    points = np.asarray(points, float)
    scores = np.full(points.shape[:2], 0.9) if scores is None else np.asarray(scores)
    return boxes.lost(points, scores, np.tile(np.asarray(held, float), (len(points), 1)), size)


def test_a_person_of_five_certain_joints_or_of_a_low_mean_score_is_lost():
    scores = np.array([[0.9] * 5 + [0.1] * 3, [0.9] * 6 + [0.1] * 2, [0.28] * 8, [0.27] * 8])
    assert told(np.stack([POINTS] * 4), scores) == ["low scores", "", "", "low scores"]


@pytest.mark.parametrize(("shift", "reason"), [(26, ""), (27, "box leaves the frame")])
def test_a_person_whose_box_leaves_the_frame_is_lost(shift, reason):
    """The box of the joints is 22 pixels wide and spans x 9 to 31; 26 to the left, 5.5 of them are in the frame."""
    assert told([POINTS - (shift, 0)]) == [reason]
    assert told([POINTS], held=(7.5 - shift, 15, 24, 50)) == [reason]  # so must the box that was cut, 24 wide


@pytest.mark.parametrize(("step", "reason"), [(17.4, ""), (17.6, "jump")])
def test_a_pose_that_moves_by_more_than_35_percent_of_the_box_has_jumped(step, reason):
    """The held box is 24 by 50 pixels, so 17.5 are the limit; two wild joints of eight are no jump."""
    wild = POINTS.copy()
    wild[:2] += 90
    assert told([POINTS, wild, POINTS, POINTS + (step, 0)]) == ["", "", "", reason]
    assert told([POINTS]) == [""]
