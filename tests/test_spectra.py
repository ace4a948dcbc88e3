"""Are the numbers of `freqviz.spectra` right?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freqviz import spectra

sides = st.integers(1, 33)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def grating(height, width, fx, fy):
    y, x = np.mgrid[:height, :width]
    return np.cos(2 * np.pi * (fx * x + fy * y) + 0.3)


def texture(rng, height, width, low_pass=0.5):
    """Random picture with amplitude 1/f up to a cutoff, made on a torus."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    gain = np.where(f <= low_pass, 1 / np.maximum(f, 1 / max(height, width)), 0)
    return np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) * gain).real


def moved(image, dx, dy):
    """The image on its torus, moved by a fraction of a pixel through the shift theorem."""
    height, width = image.shape
    phase = np.fft.fftfreq(width)[None] * dx + np.fft.fftfreq(height)[:, None] * dy
    return np.fft.ifft2(np.fft.fft2(image) * np.exp(-2j * np.pi * phase)).real


@pytest.mark.parametrize(("u", "v"), [(5, 0), (0, 7), (3, -4), (-6, 2)])
def test_a_grating_peaks_at_its_own_frequency(u, v):
    height, width = 40, 30
    power = spectra.power_spectrum(grating(height, width, u / width, v / height))
    peak = np.unravel_index(np.argmax(power), power.shape)
    found = np.array([spectra.frequencies(width)[peak[1]], spectra.frequencies(height)[peak[0]]])
    distances = [np.abs(sign * found - (u / width, v / height)).max() for sign in (1, -1)]  # a real image: both
    assert min(distances) < 1e-12


def test_power_agrees_with_the_definition(rng):
    image = rng.standard_normal((6, 5))
    y, x = np.mgrid[:6, :5]
    wave = lambda v, u: np.exp(-2j * np.pi * (v * y / 6 + u * x / 5))  # noqa: E731
    expected = [[abs((image * wave(v, u)).sum()) ** 2 / 30 for u in range(-2, 3)] for v in range(-3, 3)]
    np.testing.assert_allclose(spectra.power_spectrum(image, None, False), expected, rtol=1e-12)


@settings(deadline=None)  # busy machines are slow now and then
@given(sides, sides, seeds)
def test_power_sums_to_the_energy_of_the_image(height, width, seed):
    image = np.random.default_rng(seed).standard_normal((height, width))
    power = spectra.power_spectrum(image, window=None, mean_removed=False)
    assert power.sum() == pytest.approx((image**2).sum(), rel=1e-10)


@settings(deadline=None)  # busy machines are slow now and then
@given(sides, sides, seeds)
def test_half_a_plane_weighed_sums_to_the_energy_of_the_image(height, width, seed):
    image = np.random.default_rng(seed).standard_normal((height, width))
    half = np.abs(np.fft.rfft2(image, norm="ortho")) ** 2
    assert (half * spectra.half_plane_weights(width)).sum() == pytest.approx((image**2).sum(), rel=1e-10)


@settings(deadline=None)  # busy machines are slow now and then
@given(st.integers(2, 33), st.integers(2, 33), st.sampled_from([1, 2, 4]), seeds)
def test_band_energies_sum_to_the_variance(height, width, stride, seed):
    image = np.random.default_rng(seed).standard_normal((height, width)) + 7
    bands = spectra.band_energies(image, [0, 0.1 / stride, 0.2 / stride, 0.75 / stride], stride)
    assert bands.sum() == pytest.approx(image.var(), rel=1e-9)


@pytest.mark.parametrize("window", ["hann", None])
@pytest.mark.parametrize("shape", [(9, 8), (8, 9), (2, 7, 11), (4, 4)])
def test_half_a_plane_of_power_holds_the_whole(shape, window, rng):
    image = rng.random(shape)
    half = spectra.half_power(image, window)
    assert half.shape == (*shape[:-1], shape[-1] // 2 + 1)
    whole = spectra.whole_plane(half, shape[-1])
    np.testing.assert_allclose(whole, spectra.power_spectrum(image, window), rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("shape", [(24, 31), (31, 24), (7, 7)])
def test_zero_frequency_stands_where_the_module_says(shape):
    power = spectra.power_spectrum(np.full(shape, 3.0), window=None, mean_removed=False)
    assert np.argwhere(power > 1e-9).tolist() == [[shape[0] // 2, shape[1] // 2]]
    assert spectra.frequencies(shape[0])[shape[0] // 2] == 0


def test_no_mean_comes_back_through_the_window(rng):
    image = rng.random((20, 27)) + np.hanning(20)[:, None]
    assert spectra.power_spectrum(image)[10, 13] < 1e-20
    np.testing.assert_allclose(spectra.power_spectrum(image + 50), spectra.power_spectrum(image), rtol=1e-6, atol=1e-9)


def test_the_window_keeps_the_energy_of_stationary_noise(rng):
    image = rng.standard_normal((256, 255))
    assert spectra.power_spectrum(image).sum() == pytest.approx((image**2).sum(), rel=0.03)


def test_the_window_stops_an_off_grid_grating_from_leaking():
    image = grating(64, 64, 10.5 / 64, 0)
    far = spectra.radial_frequency(64, 64) > 20 / 64
    share = {w: (p := spectra.power_spectrum(image, w))[far].sum() / p.sum() for w in ("hann", None)}
    assert share["hann"] < 1e-4 < 1e-2 < share[None]


def test_power_keeps_single_precision_and_leading_axes(rng):
    images = rng.random((2, 3, 8, 9)).astype(np.float32)
    power = spectra.power_spectrum(images)
    assert power.dtype == np.float32
    assert power.shape == images.shape
    np.testing.assert_allclose(power[1, 2], spectra.power_spectrum(images[1, 2]), rtol=1e-5)


def test_frequencies_are_those_of_the_input():
    assert spectra.frequencies(4, stride=4).tolist() == [-0.125, -0.0625, 0, 0.0625]
    assert spectra.frequencies(5).tolist() == pytest.approx([-0.4, -0.2, 0, 0.2, 0.4])


@pytest.mark.parametrize("stride", [1, 4])
def test_a_stripe_at_nyquist_lies_in_the_last_ring(stride):
    stripes = np.tile([1.0, -1.0], (64, 32))
    found = spectra.radial_spectrum(stripes, rings=8, stride=stride, window=None)
    assert np.flatnonzero(found.power > 1e-9).tolist() == [7]
    assert found.frequency[-1] == pytest.approx((0.5 - 1 / 32) / stride)


def test_a_checkerboard_lies_in_the_corners_and_so_in_no_ring():
    board = np.indices((32, 32)).sum(0) % 2 - 0.5
    assert spectra.radial_spectrum(board, 8, window=None).power == pytest.approx(np.zeros(8), abs=1e-9)
    assert spectra.ring_energies(board, 8).sum() == pytest.approx(0, abs=1e-9)


def test_rings_hold_means_and_ring_energies_hold_sums(rng):
    image = rng.standard_normal((48, 36))
    power, radius = spectra.power_spectrum(image, None), spectra.radial_frequency(48, 36)
    inside = (radius >= 0.125) & (radius < 0.25)
    assert spectra.radial_spectrum(image, 4, window=None).power[1] == pytest.approx(power[inside].mean())
    assert spectra.ring_energies(image, 4)[1] == pytest.approx(power[inside].sum() / (48 * 36))


def test_white_noise_has_the_same_power_in_every_ring(rng):
    power = spectra.radial_spectrum(rng.normal(0, 2, (20, 64, 64)), 8).power
    assert power.shape == (20, 8)
    assert power[:, 1:].mean(0) == pytest.approx(np.full(7, 4.0), rel=0.1)


def test_an_empty_ring_is_nan_and_not_zero():
    power = spectra.radial_spectrum(np.eye(8), 32, window=None).power
    assert np.isnan(power[1])
    assert not np.isnan(power[-1])


@pytest.mark.parametrize("length", [8, 16])
def test_motion_blur_leaves_zeros_at_multiples_of_one_over_its_length(rng, length):
    row = np.zeros(128)
    row[:length] = 1 / length
    blurred = np.fft.ifft2(np.fft.fft2(rng.standard_normal((64, 128))) * np.fft.fft(row)[None]).real
    across = spectra.power_spectrum(blurred, window=None).mean(0)  # mean over v, a function of u
    zeros = spectra.frequencies(128)[across < 1e-20]
    expected = np.arange(-length // 2, length // 2) / length
    assert zeros.tolist() == [f for f in expected.tolist() if f != 0]


@pytest.mark.parametrize("size", [(15, 9), (16, 12), (3, 3)])
def test_the_noise_floor_is_the_median_of_what_lies_above_the_band(rng, size):
    power = rng.random((2, *size))
    high = spectra.radial_frequency(*size) > spectra.NOISE_BAND
    expected = np.median(power[:, high], axis=-1) / np.log(2) if high.any() else np.zeros(2)
    assert spectra.noise_floor(power) == pytest.approx(expected)


@pytest.mark.parametrize("size", [(15, 9), (16, 12), (15, 12), (16, 9), (2, 2), (3, 3)])
def test_the_noise_floor_of_half_a_plane_counts_f_and_minus_f_once(rng, size):
    height, width = size
    half, mirrored, seen = rng.random((2, height, width // 2 + 1)), set(), []
    for v, u in np.ndindex(*half.shape[1:]):
        if np.hypot(min(v, height - v) / height, u / width) > spectra.NOISE_BAND and (v, u) not in mirrored:
            mirrored.add((-v % height, -u % width))
            seen.append(half[:, v, u])
    expected = np.median(seen, axis=0) / np.log(2) if seen else np.zeros(2)
    assert spectra.noise_floor(half, width) == pytest.approx(expected)


def test_the_noise_floor_is_the_variance_of_white_noise_and_can_be_subtracted(rng):
    clean = 20 * texture(rng, 128, 128, low_pass=0.3) / 128
    noisy = clean + rng.normal(0, 0.5, clean.shape)
    assert spectra.noise_floor(spectra.power_spectrum(noisy, None)) == pytest.approx(0.25, rel=0.1)
    truth, guarded = spectra.band_energies(clean), spectra.band_energies(noisy, subtract_noise=True)
    assert abs(guarded[3] - truth[3]) < 0.2 * (spectra.band_energies(noisy)[3] - truth[3])
    assert (guarded >= 0).all()


@pytest.mark.parametrize("angle", [0, 40, 90, 135])
def test_the_angular_profile_dips_along_the_motion(rng, angle):
    along = np.radians(angle)
    x, y = np.fft.fftfreq(96)[None], np.fft.fftfreq(120)[:, None]
    transfer = np.sinc(12 * (x * np.cos(along) + y * np.sin(along)))
    blurred = np.fft.ifft2(np.fft.fft2(rng.standard_normal((120, 96))) * transfer).real
    profile = spectra.angular_profile(blurred, bins=18)
    wave = (profile.log_power * np.exp(2j * profile.angle)).sum()
    loudest = np.angle(wave) / 2
    assert abs((loudest - (along + np.pi / 2) + np.pi / 2) % np.pi - np.pi / 2) < np.radians(5)


def test_decibels_are_relative_to_the_named_reference():
    found = spectra.power_to_db(np.array([10.0, 0.1, 0.0]), reference=0.1, lowest=-80)
    assert found.tolist() == pytest.approx([20, 0, -80])


def test_luma_weighs_green_most_and_ends_at_one():
    frame = np.zeros((1, 5, 3), np.uint8)
    frame[0, 0], frame[0, 1, 0], frame[0, 2, 1], frame[0, 3, 2] = 255, 255, 255, 255
    assert spectra.luma(frame)[0].tolist() == pytest.approx([1, 0.299, 0.587, 0.114, 0])
    np.testing.assert_allclose(spectra.luma(frame / 255.0), spectra.luma(frame), atol=1e-6)


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-12.5, 4.25), (0.3, 17.8)])
@pytest.mark.parametrize(("limit", "accuracy"), [(0.5, 0.1), (0.15, 0.3)])
def test_phase_correlation_finds_where_the_content_went(rng, shift, limit, accuracy):
    scene = texture(rng, 256, 300, low_pass=0.45)
    a, b = scene[60:188, 80:190], moved(scene, *shift)[60:188, 80:190]  # new content enters at the borders
    found, confidence = spectra.phase_correlation(a, b, limit)
    assert np.abs(found - shift).max() < accuracy
    assert 0.2 < confidence <= 1


def test_phase_correlation_ignores_exposure_and_a_blur_that_both_share(rng):
    scene = texture(rng, 256, 256)
    scene = np.fft.ifft2(np.fft.fft2(scene) * np.sinc(9 * np.fft.fftfreq(256))[None]).real
    a, b = scene[60:180, 60:190], 0.4 * moved(scene, 4, -3)[60:180, 60:190] + 2
    assert np.abs(spectra.phase_correlation(a, b)[0] - (4, -3)).max() < 0.1


def test_phase_correlation_of_unrelated_images_is_not_believed(rng):
    pairs = [spectra.phase_correlation(*rng.standard_normal((2, 64, 64)))[1] for _ in range(10)]
    assert max(pairs) < 0.15


def test_phase_correlation_of_a_flat_image_has_no_confidence(rng):
    shift, confidence = spectra.phase_correlation(np.full((9, 8), 0.3), rng.random((9, 8)))
    assert (shift.tolist(), confidence) == ([0, 0], 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectra.luma(np.zeros((4, 4), np.uint8)), r"\(\.\.\., H, W, 3\), got \(4, 4\)"),
        (lambda: spectra.luma(np.zeros((4, 4, 3), np.int64)), "got int64"),
        (lambda: spectra.power_spectrum(np.zeros(4)), r"got \(4,\)"),
        (lambda: spectra.power_spectrum(np.zeros((0, 4))), "not empty"),
        (lambda: spectra.power_spectrum(np.zeros((4, 4), complex)), "real, got complex128"),
        (lambda: spectra.power_spectrum(np.zeros((2, 9))), "at least 3, got 2 x 9"),
        (lambda: spectra.power_spectrum(np.zeros((4, 4)), "hamming"), "got 'hamming'"),
        (lambda: spectra.radial_spectrum(np.zeros((4, 4)), rings=0), "rings must be >= 1, got 0"),
        (lambda: spectra.band_energies(np.zeros((4, 4)), [0.2, 0.1]), r"rising .* got \[0.2, 0.1\]"),
        (lambda: spectra.frequencies(0), "n = 0"),
        (lambda: spectra.half_plane_weights(0), "got 0"),
        (lambda: spectra.whole_plane(np.ones((4, 3)), 6), "4 columns, got 3"),
        (lambda: spectra.angular_profile(np.zeros((4, 4)), bins=0), "got 0"),
        (lambda: spectra.power_to_db(np.ones(2), reference=0), "reference must be a power > 0, got 0"),
        (lambda: spectra.power_to_db(-np.ones(2), reference=1), "minimum of -1"),
        (lambda: spectra.phase_correlation(np.eye(4), np.eye(5)), r"\(4, 4\) and \(5, 5\)"),
        (lambda: spectra.phase_correlation(np.eye(4), np.eye(4), limit=0.7), "got 0.7"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (3, 4, 7), (5, 3, 6)])
def test_the_whole_plane_is_that_of_the_whole_transform(shape, rng):
    signal = rng.normal(size=(2, *shape))
    axes = tuple(range(-len(shape), 0))
    found = spectra.whole_plane(np.abs(np.fft.rfftn(signal, axes=axes)), shape[-1], len(shape))
    np.testing.assert_allclose(found, np.fft.fftshift(np.abs(np.fft.fftn(signal, axes=axes)), axes=axes), atol=1e-9)
