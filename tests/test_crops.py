"""Is a person cut out where the numbers say?"""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freqviz import crops

numbers = st.floats(-500, 500)
extents = st.floats(1, 2000)
BOXES = [(40, 30, 60, 90), (10.3, 20.7, 33, 180), (50, 60, 20, 20), (-30, 50, 200, 40)]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def centroid(picture):
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    weight = picture[..., 0].astype(float)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def dot(height, width, x, y):
    """A soft dot that no resampling misses; its centroid is (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return np.repeat(np.round(250 * light).astype(np.uint8)[..., None], 3, axis=2)


@settings(deadline=None)  # busy machines are slow now and then
@given(numbers, numbers, extents, extents, st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_points_come_back_from_the_crop(x, y, w, h, points):
    back = crops.to_frame(crops.to_crop(points, (x, y, w, h)), (x, y, w, h))
    assert np.abs(back - points).max() < 1e-4


@pytest.mark.parametrize("box", BOXES)
def test_pixels_arrive_where_the_points_arrive(box):
    x, y = 62, 72
    crop = crops.cut(dot(240, 320, x, y), box)
    assert crop.shape == (192, 144, 3)
    assert np.abs(centroid(crop) - crops.to_crop([x, y], box)).max() < 0.1


@pytest.mark.parametrize("box", [(100, 100, 600, 700), (203.3, 57, 500, 811)])
def test_a_shrunk_person_stays_in_place_and_keeps_its_light(box):
    frame = np.zeros((1000, 900, 3), np.uint8)
    frame[498:505, 400:407] = 255
    crop = crops.cut(frame, box)
    assert crops.scale(box) > 4
    assert np.abs(centroid(crop) - crops.to_crop([403, 501], box)).max() < 0.1
    assert (crop[..., 0] / 255).sum() == pytest.approx(49 / crops.scale(box) ** 2, rel=0.05)


@pytest.mark.parametrize("size", [(480, 640), (481, 639), (600, 405)])
def test_a_large_frame_is_shrunk_only_where_it_is_seen_and_to_the_same_bytes(rng, size):
    """Written out: the whole frame by averaging areas, then the affine map of what it became."""
    frame = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    for turn in range(12):
        low, high = rng.uniform(-0.1, 0.6, 2), rng.uniform((0.3, 0.5), (0.55, 0.8))
        to_crop = crops.matrix([*(low * size[::-1]), *(high * size[::-1])], rotation=0.3 * (turn % 3))
        step = 1 / np.sqrt(np.linalg.det(to_crop[:, :2]))
        assert 1.6 < step < 3.2
        rows, columns = (round(n / step) for n in size)
        whole = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA)
        ratio = np.array([size[1] / columns, size[0] / rows])
        offset = to_crop[:, 2] + to_crop[:, :2] @ (ratio / 2 - 0.5)
        expected = cv2.warpAffine(whole, np.column_stack([to_crop[:, :2] * ratio, offset]), (144, 192))
        assert np.array_equal(crops.warp(frame, to_crop), expected)


@pytest.mark.parametrize("size", [(1080, 1920), (1079, 1281), (2000, 901)])
@pytest.mark.parametrize("halvings", [1, 2])
def test_a_very_large_person_is_cut_from_the_frame_halved_first(rng, size, halvings):
    """Written out: means of two by two pixels, again and again until fewer than 3.2 make one of the crop."""
    frame = half = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    to_crop = crops.matrix([200, 90, 150, 4 * 154 * halvings], rotation=0.2)
    step = 1 / np.sqrt(np.linalg.det(to_crop[:, :2]))
    expected = to_crop
    for _ in range(halvings):
        half = half[: len(half) // 2 * 2, : half.shape[1] // 2 * 2].astype(int)
        half = ((half[::2, ::2] + half[1::2, ::2] + half[::2, 1::2] + half[1::2, 1::2] + 2) // 4).astype(np.uint8)
        expected = expected @ [[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]
        assert step >= 3.2
        step /= 2
    assert step < 3.2
    assert np.array_equal(crops.warp(frame, to_crop), crops.warp(half, expected))


def test_a_single_pixel_stays_that_pixel_at_scale_one():
    box = (
        42.4,
        29.2,
        115.2,
        153.6,
    )  # 1.25 times this is 144 x 192; its middle (100, 106) is that of the crop
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[80, 70] = 255
    box = (box[0] - 0.5, box[1] - 0.5, *box[2:])  # the middle of an even crop lies between pixels
    assert crops.scale(box) == pytest.approx(1)
    assert np.argwhere(crops.cut(frame, box)[..., 0]).tolist() == [[80 - 10, 70 - 28]]


def test_the_middle_of_the_box_is_the_middle_of_the_crop():
    assert crops.to_crop([50 + 30, 20 + 70], (50, 20, 60, 140)).tolist() == pytest.approx([71.5, 95.5])


@pytest.mark.parametrize(
    ("box", "expected"), [((0, 0, 10, 192), 1.25), ((0, 0, 144, 10), 1.25), ((0, 0, 144, 384), 2.5)]
)
def test_the_longer_side_relative_to_the_crop_sets_the_scale(box, expected):
    assert crops.scale(box) == pytest.approx(expected)


def test_the_same_call_gives_the_same_bytes_whatever_the_memory_layout(rng):
    frame = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    frame.flags.writeable = False
    first = crops.cut(frame, BOXES[0])
    assert first.any()
    for same in (frame, np.asfortranarray(frame), np.ascontiguousarray(frame[:, ::-1])[:, ::-1]):
        assert crops.cut(same, BOXES[0]).tobytes() == first.tobytes()
    assert crops.warp(frame, crops.matrix(BOXES[0])).tobytes() == first.tobytes()  # learning's way


def test_it_is_black_outside_the_frame_and_only_there():
    white = np.full((100, 100, 3), 255, np.uint8)
    crop = crops.cut(white, (-50, 10, 90, 80))
    edge = crops.to_crop([0, 50], (-50, 10, 90, 80))[0]
    assert not crop[96, : int(edge) - 1].any()
    assert (crop[96, int(edge) + 2 : 120] == 255).all()
    assert not crops.cut(white, (500, 500, 20, 20)).any()


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": 0.5},
        {"zoom": 1.3},
        {"shift": (0.1, -0.05)},
        {"flip": True},
        {"rotation": -0.3, "flip": True},
    ],
)
def test_augmented_pixels_arrive_where_the_augmented_points_arrive(options):
    affine = crops.matrix((40, 30, 60, 90), **options)
    crop = crops.warp(dot(240, 320, 74, 66), affine)
    assert np.abs(centroid(crop) - crops.transform([74, 66], affine)).max() < 0.1


def test_augmentation_means_what_its_words_say():
    box, right_of_middle = (40, 30, 60, 90), [80, 75]
    plain = crops.to_crop(right_of_middle, box)
    moved = {
        name: crops.transform(right_of_middle, crops.matrix(box, **{name: value}))
        for name, value in [("flip", True), ("zoom", 2), ("shift", (0.25, 0)), ("rotation", np.pi / 2)]
    }
    assert plain[0] > 71.5
    assert moved["flip"].tolist() == pytest.approx([143 - plain[0], plain[1]])
    assert moved["zoom"][0] - 71.5 == pytest.approx((plain[0] - 71.5) / 2)
    assert moved["shift"].tolist() == pytest.approx([plain[0] - 36, plain[1]])
    assert moved["rotation"].tolist() == pytest.approx([71.5, 95.5 + plain[0] - 71.5])  # from x towards y: down


def test_a_box_is_the_smallest_around_finite_points():
    points = np.array([[3.0, 9], [np.nan, 100], [7, 4]])
    assert crops.around(points).tolist() == [3, 4, 4, 5]
    assert crops.around([[3.0, 9]]).tolist() == [3, 9, 1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: crops.cut(f, (0, 0, 0, 9)), r"w and h > 0, got \[0.0, 0.0, 0.0, 9.0\]"),
        (lambda f: crops.scale((0, 0, np.inf, 9)), "finite"),
        (lambda f: crops.scale((0, 0, 9)), "four"),
        (lambda f: crops.cut(f.astype(float), (0, 0, 5, 9)), "uint8, got .* float64"),
        (lambda f: crops.cut(f[..., 0], (0, 0, 5, 9)), r"\(H, W, 3\) uint8, got \(20, 30\)"),
        (lambda f: crops.to_crop(np.zeros((4, 3)), (0, 0, 5, 9)), r"\(\.\.\., 2\), got \(4, 3\)"),
        (lambda f: crops.around([[np.nan, 1.0]]), "at least one finite point"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((20, 30, 3), np.uint8))
