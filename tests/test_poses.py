"""Are keypoints decoded where the density lies, and scored as the protocol says?"""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from freqviz import poses
from freqviz.poses import JOINTS


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def gaussian(x, y, sigma=1.5, height=48, width=36):
    """A density around the cell coordinates (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    density = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return density / density.sum()


@pytest.mark.parametrize("sigma", [1, 1.5, 2])
def test_a_gaussian_is_decoded_to_a_hundredth_of_a_cell(rng, sigma):
    truth = np.column_stack([rng.uniform(5, 30, 200), rng.uniform(5, 42, 200)])
    keypoints, _ = poses.decode(np.stack([gaussian(x, y, sigma) for x, y in truth]))
    assert np.abs((keypoints - 1.5) / 4 - truth).max() < 0.01


def test_a_slanted_density_is_decoded_too():
    rows, columns = np.mgrid[:48, :36]
    dx, dy = columns - 17.3, rows - 20.6
    density = np.exp(-(0.2 * dx**2 + 0.15 * dx * dy + 0.1 * dy**2))
    keypoints, _ = poses.decode(density[None] / density.sum())
    assert np.abs((keypoints[0] - 1.5) / 4 - (17.3, 20.6)).max() < 0.02


@pytest.mark.parametrize(("stride", "expected"), [(4, (29.5, 41.5)), (1, (7, 10)), (2, (14.5, 20.5))])
def test_a_cell_stands_for_the_middle_of_its_pixels(stride, expected):
    impulse = np.zeros((1, 48, 36))
    impulse[0, 10, 7] = 1
    keypoints, scores = poses.decode(impulse, stride)
    assert keypoints[0].tolist() == pytest.approx(expected)
    assert scores.tolist() == [1]


def test_the_score_is_the_mass_near_the_peak():
    split = 0.7 * gaussian(8, 9, 0.6) + 0.3 * gaussian(28, 40, 0.6)
    keypoints, scores = poses.decode(split[None])
    assert keypoints[0] == pytest.approx((8 * 4 + 1.5, 9 * 4 + 1.5), abs=0.04)
    assert scores[0] == pytest.approx(0.7, abs=0.001)
    flat = poses.decode(np.full((1, 48, 36), 1 / 1728))[1]
    assert flat[0] < 0.02


@pytest.mark.parametrize(("row", "column"), [(0, 0), (47, 35), (0, 20), (30, 35)])
def test_a_peak_on_the_border_stays_on_the_border(row, column):
    impulse = np.zeros((1, 48, 36))
    impulse[0, row, column] = 1
    keypoints, scores = poses.decode(impulse)
    assert keypoints[0].tolist() == [4 * column + 1.5, 4 * row + 1.5]
    assert scores[0] == 1


@pytest.mark.parametrize("size", [(48, 36), (37, 53), (3, 4)])
def test_maps_smoothed_together_are_those_smoothed_one_by_one(rng, size):
    maps = rng.random((5, *size)).astype(np.float32)
    alone = [cv2.GaussianBlur(one, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT_101) for one in maps]
    np.testing.assert_array_equal(poses._smoothed(maps), alone)


def test_leading_axes_stay_and_joints_do_not_mix(rng):
    places = rng.uniform(6, 28, (2, 3, 5, 2))
    maps = np.array([[[gaussian(*p) for p in joints] for joints in frames] for frames in places])
    keypoints, scores = poses.decode(maps)
    assert keypoints.shape == (2, 3, 5, 2)
    assert scores.shape == (2, 3, 5)
    assert np.abs(keypoints - (4 * places + 1.5)).max() < 0.04


def test_pck_of_a_case_done_by_hand():
    truth = np.zeros((2, 3, 2))
    predicted = truth.copy()
    predicted[0, :, 0] = 0.5, 1.0, 2.1  # norm 10: within .05 (just), .1 (just), none
    predicted[1, :, 1] = 1.5, 4.0, 99  # norm 20: within .1, .2, not counting
    counts = np.array([[True, True, True], [True, True, False]])
    found = poses.pck(predicted, truth, np.array([10, 20]), counts)
    assert found.tolist() == pytest.approx([1 / 5, 3 / 5, 4 / 5])


def test_a_joint_outside_the_frame_never_counts(rng):
    truth = rng.uniform(20, 200, (4, 14, 2))
    truth[1, 3], truth[2, 7] = (-0.6, 50), (100, 239.6)
    counts = poses.inside(truth, (240, 320))
    assert np.argwhere(~counts).tolist() == [[1, 3], [2, 7]]
    predicted = truth + rng.normal(0, 8, truth.shape)
    wild_guess, wild_truth = predicted.copy(), truth.copy()
    wild_guess[~counts] = 1e6
    wild_truth[~counts] = -1e6
    scores = [
        poses.pck(p, t, poses.box_norm(t, counts), counts) for p, t in ((predicted, truth), (wild_guess, wild_truth))
    ]
    assert scores[0].tolist() == scores[1].tolist()
    assert 0 < scores[0][0] < 1


def test_the_frame_reaches_to_the_outer_edge_of_its_pixels():
    corners = [(-0.5, -0.5), (319.5, 239.5), (319.6, 100), (100, 239.6), (-0.51, 0), (239, 319)]
    assert poses.inside(corners, (240, 320)).tolist() == [True, True, False, False, False, False]
    assert not poses.inside([(np.nan, 5.0)], (240, 320))[0]


def test_a_missing_prediction_is_wrong_and_raises_no_warning():
    truth = np.zeros((1, 2, 2))
    predicted = np.array([[[np.nan, np.nan], [0, 0]]])
    assert poses.pck(predicted, truth, [10], np.ones((1, 2), bool)).tolist() == [0.5, 0.5, 0.5]


def test_nothing_counting_gives_nan_and_not_zero():
    nothing = np.zeros((1, 2), bool)
    assert np.isnan(poses.pck(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), [1], nothing)).all()
    assert np.isnan(poses.box_norm(np.zeros((1, 2, 2)), nothing)).all()


def test_norms_are_the_larger_side_and_the_torso():
    truth = np.zeros((14, 2))
    truth[8], truth[3], truth[5] = (10, 10), (40, 50), (500, 500)
    counts = np.ones(14, bool)
    counts[5] = False
    assert poses.box_norm(truth, counts) == 50
    assert poses.torso_norm(truth) == 50  # 3-4-5


def test_names_edges_and_mirror_agree():
    for joint, mirrored in enumerate(poses.FLIPS):
        swapped = poses.JOINTS[joint].replace("right", "?").replace("left", "right").replace("?", "left")
        assert poses.JOINTS[mirrored] == swapped
    reached = {12}
    for _ in poses.EDGES:
        reached |= {joint for edge in poses.EDGES if reached & set(edge) for joint in edge}
    assert reached == set(range(14))
    assert len(poses.EDGES) == 13  # a tree
    mirrored_edges = {frozenset(poses.FLIPS[j] for j in edge) for edge in poses.EDGES}
    assert mirrored_edges == {frozenset(edge) for edge in poses.EDGES}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: poses.decode(np.zeros((48, 36))), r"\(\.\.\., J, h, w\), got \(48, 36\)"),
        (lambda: poses.Pose(np.zeros((14, 3)), np.zeros(14)), r"\(J, 2\), got \(14, 3\)"),
        (lambda: poses.Pose(np.zeros((14, 2)), np.zeros(13)), r"\(14,\), got \(13,\)"),
        (lambda: poses.pck(np.zeros((1, 2, 2)), np.zeros((1, 3, 2)), [1], np.ones((1, 3))), "one shape"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the truth of a clip


def poses_csv(rows, header="model,person,frame,time,joint,x,y,score"):
    return "\n".join([header, *rows])


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content) if isinstance(content, str) else savemat(path, content)
        return path

    return write


def test_a_table_of_poses_is_a_truth_with_gaps(write):
    rows = ["a,0,2,0.08,left wrist,10.5,20.25,0.9", "a,0,0,0,head,3,4,1", "a,0,0,0,neck,,,0"]
    truth = poses.read_truth(write("t.csv", poses_csv(rows)), 4, (100, 100))
    assert truth.shape == (4, 14, 2)
    assert truth[2, 11].tolist() == [10.5, 20.25]
    assert np.argwhere(np.isfinite(truth).all(-1)).tolist() == [[0, 13], [2, 11]]


def test_what_predict_writes_is_read_back(write, rng):
    points = rng.uniform(0, 90, (3, 14, 2))
    rows = [
        f"a,0,{n},0,{joint},{x!r},{y!r},1"
        for n in range(3)
        for joint, (x, y) in zip(JOINTS, points[n].tolist(), strict=True)
    ]
    assert np.array_equal(poses.read_truth(write("t.csv", poses_csv(rows)), 3, (100, 100)), points)


def test_jhmdb_counts_from_one_and_guesses_outside_the_frame(write, rng):
    published = rng.uniform(20, 80, (2, 15, 6))
    published[:, 2, 3] = 31, 41  # the face
    published[:, 13, 4] = 31, 240  # the right ankle, below the frame
    truth = poses.read_truth(write("t.mat", {"pos_img": published}), 6, (100, 120))
    assert truth[3, 13].tolist() == [30, 40]
    assert truth[5, 11] == pytest.approx(published[:, 12, 5] - 1)  # the left wrist
    assert np.argwhere(np.isnan(truth).any(-1)).tolist() == [[4, 0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", "", r"t.txt must be a .csv of poses, JHMDB's .mat, or our own .npy or .json"),
        ("t.csv", "frame,x,y\n0,1,2", "columns frame, joint, x, y are needed; missing: joint"),
        ("t.csv", "", "missing: frame, joint, x, y"),
        ("t.csv", "frame,joint,x,y\n", "holds no joint"),
        ("t.csv", "frame,joint,x,y\n9,head,1,2", "line 2: frame 9, but the clip has the frames 0 to 5"),
        ("t.csv", "frame,joint,x,y\n0,nose,1,2", "line 2: no joint named 'nose'; known joints: right ankle"),
        ("t.csv", "frame,joint,x,y\n0,head,1,2\n0,head,1,2", "line 3: the head of frame 0 stands there twice"),
        ("t.csv", "frame,joint,x,y,person\n0,head,1,2,0\n1,head,1,2,1", "line 3: a second model or person"),
        ("t.csv", "frame,joint,x,y\n0,head,a,2", "could not convert string to float: 'a'"),
        ("t.csv", "frame,joint,x,y\nnull\0", "t.csv is no table of poses of this clip"),
        ("t.mat", "frame,joint", "t.mat is not JHMDB's joint_positions.mat of this clip"),
        ("t.mat", {"joints": np.zeros((2, 15, 6))}, "pos_img must be 2 x 15 x 6, got none"),
        ("t.mat", {"pos_img": np.zeros((2, 15, 7))}, "pos_img must be 2 x 15 x 6, got 2 x 15 x 7"),
    ],
)  # fmt: skip
def test_what_is_no_truth_is_refused_with_what_was_expected(write, name, content, message):
    with pytest.raises(ValueError, match=message):
        poses.read_truth(write(name, content), 6, (100, 100))
