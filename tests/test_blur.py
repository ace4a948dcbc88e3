"""Is the truth of each degradation true?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freqviz import blur

lengths, angles = st.floats(0, 48), st.floats(-7, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def moments(kernel):
    """Mean and covariance of (x, y) around the middle of a point spread."""
    reach = len(kernel) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    mean = np.array([(kernel * x).sum(), (kernel * y).sum()])
    return mean, np.array([[(kernel * x * x).sum(), (kernel * x * y).sum()], [0, (kernel * y * y).sum()]])


@settings(deadline=None)  # busy machines are slow now and then
@given(lengths, angles)
def test_a_motion_kernel_sums_to_one_and_leaves_the_middle_in_place(length, angle):
    kernel = blur.motion_kernel(length, angle)
    assert kernel.dtype == np.float32
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert moments(kernel)[0] == pytest.approx([0, 0], abs=1e-4)


def test_a_motion_kernel_along_x_is_written_out_by_hand():
    expected = np.zeros((5, 5))
    expected[2] = [0.125, 0.25, 0.25, 0.25, 0.125]  # 4 px, shared out bilinearly
    np.testing.assert_allclose(blur.motion_kernel(4, 0), expected, atol=1e-6)
    np.testing.assert_allclose(blur.motion_kernel(4, np.pi / 2), expected.T, atol=1e-6)
    assert blur.motion_kernel(0, 1.0).tolist() == [[1]]


@pytest.mark.parametrize("length", [8, 15, 31])
@pytest.mark.parametrize("angle", [0, 0.4, 1.9])
def test_the_transfer_of_motion_is_a_sinc_along_it_and_one_across(length, angle):
    kernel = blur.motion_kernel(length, angle)
    reach = len(kernel) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    f = np.linspace(0, 0.1, 41)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    for coordinate, expected in ((along, np.sinc(length * f)), (across, np.ones(41))):
        found = [(kernel * np.exp(-2j * np.pi * one * coordinate)).sum() for one in f]
        assert np.abs(found - expected).max() < 0.035
    zero = (kernel * np.exp(-2j * np.pi / length * along)).sum()
    assert abs(zero) < 0.01


def test_angles_turn_from_x_towards_y():
    kernel = blur.motion_kernel(10, np.pi / 4)
    assert np.diag(kernel).sum() > 0.5 > 0.2 > np.diag(kernel[::-1]).sum()


@pytest.mark.parametrize(("radius", "variance"), [(4, 4.0), (9, 20.25)])
def test_a_disc_has_the_spread_of_a_disc(radius, variance):
    kernel = blur.disc_kernel(radius)
    mean, spread = moments(kernel)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert mean == pytest.approx([0, 0], abs=1e-5)
    assert spread[[0, 1], [0, 1]] == pytest.approx([variance] * 2, rel=0.03)
    assert spread[0, 1] == pytest.approx(0, abs=1e-5)


def test_every_grey_level_survives_linear_light():
    levels = np.arange(256, dtype=np.uint8)
    assert blur.from_linear(blur.to_linear(levels)).tolist() == levels.tolist()
    assert blur.to_linear(np.array([255, 128], np.uint8)).tolist() == pytest.approx([1, (128 / 255) ** 2.2])
    assert blur.from_linear(np.array([-1.0, 7.0], np.float32)).tolist() == [0, 255]


def test_a_blurred_edge_keeps_half_the_light_in_linear_light():
    frame = np.zeros((9, 64, 3), np.uint8)
    frame[:, 32:] = 255
    blurred = blur.motion_blur(frame, 16, 0)
    assert blur.to_linear(blurred).mean() == pytest.approx(0.5, abs=0.002)
    assert blurred.mean() > 1.05 * frame.mean()  # encoded values do gain
    ramp = blur.to_linear(blurred)[4, 24:40, 0]
    assert ramp == pytest.approx((np.arange(16) + 0.5) / 16, abs=0.01)


def test_blur_acts_along_the_motion_and_not_across(rng):
    rows = np.repeat(rng.integers(0, 256, (40, 1, 3), dtype=np.uint8), 50, axis=1)
    assert np.array_equal(blur.motion_blur(rows, 13, 0), rows)
    assert not np.array_equal(blur.motion_blur(rows, 13, np.pi / 2), rows)


@pytest.mark.parametrize("change", [lambda f: blur.motion_blur(f, 0, 0.3), lambda f: blur.defocus(f, 0)])
def test_no_blur_changes_no_byte(rng, change):
    frame = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(change(frame), frame)


def test_exposure_multiplies_the_light():
    frame = np.full((4, 4, 3), 200, np.uint8)
    halved = blur.to_linear(blur.exposure(frame, 0.5)) / blur.to_linear(frame)
    assert halved == pytest.approx(0.5, rel=0.02)
    assert (blur.exposure(frame, 4) == 255).all()


def test_noise_has_the_named_deviation_and_is_drawn_from_the_generator():
    grey = np.full((200, 200, 3), 128, np.uint8)
    first, again, other = (blur.noise(grey, 0.05, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first.astype(float) - 128).std() == pytest.approx(0.05 * 255, rel=0.02)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (blur.noise(np.full((9, 9, 3), 255, np.uint8), 0.2, np.random.default_rng(1)) > 100).all()  # no wrap


def test_compression_loses_more_at_lower_quality_and_keeps_the_colours(rng):
    frame = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    loss = [np.abs(blur.jpeg(frame, q).astype(int) - frame).mean() for q in (95, 40, 5)]
    assert loss == sorted(loss)
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert np.abs(blur.jpeg(red, 95).astype(int) - red).max() < 8


def test_the_order_is_blur_then_noise_then_compression(rng):
    frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)

    def grain(image):
        return blur.noise(image, 0.05, np.random.default_rng(4))

    found = blur.degrade(frame, 9, 0.6, sigma=0.05, quality=60, rng=np.random.default_rng(4))
    assert np.array_equal(found, blur.jpeg(grain(blur.motion_blur(frame, 9, 0.6)), 60))
    assert not np.array_equal(found, blur.jpeg(blur.motion_blur(grain(frame), 9, 0.6), 60))
    assert not np.array_equal(found, grain(blur.jpeg(blur.motion_blur(frame, 9, 0.6), 60)))


def test_a_sharp_frame_gets_noise_and_compression_too(rng):
    frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    expected = blur.jpeg(blur.noise(frame, 0.01, np.random.default_rng(0)), 75)
    assert np.array_equal(blur.degrade(frame), expected)
    assert np.array_equal(blur.degrade(frame), blur.degrade(frame))  # the same call, the same bytes


def test_only_the_masked_limb_is_blurred(rng):
    frame = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    mask = np.zeros((64, 96), np.float32)
    mask[:, :48] = 1
    found = blur.degrade(frame, 11, 0.2, sigma=0, quality=90, mask=mask)
    blurred, sharp = blur.jpeg(blur.motion_blur(frame, 11, 0.2), 90), blur.jpeg(frame, 90)
    assert np.array_equal(found[:, :46], blurred[:, :46])  # two columns off the border: chroma is interpolated
    assert np.array_equal(found[:, 50:], sharp[:, 50:])
    assert not np.array_equal(blurred[:, 50:], sharp[:, 50:])


def test_a_half_mask_mixes_light():
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, 16:] = 255
    soft = blur.degrade(frame, 8, 0, sigma=0, quality=100, mask=np.full((32, 32), 0.5, np.float32))
    # the edge at 15.5 is a ramp over 11.5..19.5: column 13 has 1.5 / 8 of the light, half of it by the mask
    assert blur.to_linear(soft)[16, 13, 0] == pytest.approx(1.5 / 8 / 2, abs=0.02)
    assert soft[16, 2, 0] <= 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: blur.motion_blur(f, -1), "length must be >= 0 pixels, got -1"),
        (lambda f: blur.motion_kernel(np.nan, 0), "got nan"),
        (lambda f: blur.motion_kernel(5, np.inf), "angle must be finite radians, got inf"),
        (lambda f: blur.defocus(f, -2), "got -2"),
        (lambda f: blur.exposure(f, 0), "gain must be > 0, got 0"),
        (lambda f: blur.noise(f, -0.1, np.random.default_rng(0)), "got -0.1"),
        (lambda f: blur.jpeg(f, 0), r"1\.\.100, got 0"),
        (lambda f: blur.to_linear(f / 255), "uint8, got float64"),
        (lambda f: blur.degrade(f, 5, mask=np.ones((3, 3))), r"\(20, 30\), got \(3, 3\)"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((20, 30, 3), np.uint8))
