"""Do the measures of `freqviz.sharpness` fall with blur, and what else moves them?"""

import itertools

import cv2
import numpy as np
import pytest
from conftest import walking_frames

from freqviz import sharpness, spectra
from freqviz.sharpness import MEASURES, measures

BLURS = (0, 3, 7, 15, 31)
BY_IMAGE = {
    "spectral_index": sharpness.spectral_index,
    "high_frequency_ratio": sharpness.high_frequency_ratio,
    "spectral_centroid": sharpness.spectral_centroid,
    "laplacian_variance": sharpness.laplacian_variance,
    "tenengrad": sharpness.tenengrad,
    "edge_width": sharpness.edge_width,
}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def picture(rng, height=180, width=160):
    """Overlapping bright and dark rectangles: edges at every scale, power falling with frequency."""
    image = np.full((height, width), 0.5)
    for _ in range(120):
        y, x, h, w = rng.integers((0, 0, 4, 4), (height, width, height // 3, width // 3))
        image[y : y + h, x : x + w] = rng.uniform(0.1, 0.9)
    return image


def blurred(image, length, angle=0.0):
    """Uniform motion of `length` pixels, through its transfer function, on a torus."""
    y, x = np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])[None]
    transfer = np.sinc(length * (x * np.cos(angle) + y * np.sin(angle)))
    return np.fft.ifft2(np.fft.fft2(image) * transfer).real


def frame_of(image):
    return np.repeat(np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("name", BY_IMAGE)
def test_every_measure_falls_with_every_step_of_blur(rng, name):
    image = picture(rng)
    found = [BY_IMAGE[name](blurred(image, length, 0.7)) for length in BLURS]
    sharpness_first = np.negative(found) if name == "edge_width" else np.array(found)
    assert (np.diff(sharpness_first) < 0).all(), found


@pytest.mark.parametrize("length", [1, 4, 9])
def test_the_width_of_an_edge_is_the_length_of_the_motion_across_it(length):
    row = np.clip((np.arange(60) - 30) / length, 0, 1)
    assert sharpness.edge_width(np.tile(row, (20, 1))) == length
    assert sharpness.edge_width(np.tile(row, (20, 1)).T) == length


def test_an_edge_that_begins_at_the_first_pixel_is_as_wide_as_any():
    row = np.concatenate([[0, 0.5], np.ones(22)])
    assert sharpness.edge_width(np.tile(row, (20, 1))) == 2


@pytest.mark.parametrize("levels", [3, 1000])
def test_the_width_of_edges_is_that_of_runs_counted_one_by_one(rng, levels):
    """Few levels make flat steps, which end a run."""
    image = np.round(rng.random((24, 31)) * levels) / levels
    widths = []
    for lines in (image, image.T):
        smooth = (lines[:-2] + 2 * lines[1:-1] + lines[2:]) / 4
        steps = np.where(np.abs(np.diff(smooth)) < 1e-6, 0, np.diff(smooth))
        for row in steps:
            for sign, run in itertools.groupby(row, np.sign):
                run = list(run)
                if sign and max(np.square(run)) > 4 * np.square(steps).mean():
                    widths.append(len(run))
    assert len(widths) > 10
    assert sharpness.edge_width(image) == pytest.approx(np.mean(widths))


def test_gradients_agree_with_their_closed_forms():
    y, x = np.mgrid[:12, :15].astype(float)
    assert sharpness.tenengrad(3 * x - 4 * y) == pytest.approx(25)
    assert sharpness.laplacian_variance(3 * x - 4 * y) == pytest.approx(0, abs=1e-20)
    impulse = np.zeros((7, 7))
    impulse[3, 3] = 1  # inner 5 x 5: one -4 and four 1
    assert sharpness.laplacian_variance(impulse) == pytest.approx(20 / 25)


def test_a_grating_has_its_own_frequency_as_centroid():
    y, x = np.mgrid[:96, :96]
    assert sharpness.spectral_centroid(np.sin(2 * np.pi * 0.21 * x)) == pytest.approx(0.21, abs=1e-3)
    assert sharpness.high_frequency_ratio(np.sin(2 * np.pi * 0.21 * x)) > 0.999
    assert sharpness.high_frequency_ratio(np.sin(2 * np.pi * 0.08 * y)) < 0.001


@pytest.mark.parametrize("name", ["spectral_index", "high_frequency_ratio", "spectral_centroid", "edge_width"])
def test_contrast_does_not_count_as_sharpness(rng, name):
    image = picture(rng)
    assert BY_IMAGE[name](0.4 * image + 0.2) == pytest.approx(BY_IMAGE[name](image), rel=1e-3)


@pytest.mark.parametrize("length", [7, 15])
def test_noise_hardly_raises_the_guarded_index(rng, length):
    image = blurred(0.3 * picture(rng), length, 0.7)
    noisy = image + rng.normal(0, 0.05, image.shape)
    clean, guarded = sharpness.spectral_index(image), sharpness.spectral_index(noisy)
    unguarded = sharpness.spectral_index(noisy, guard=False)
    assert unguarded - clean > 0.5  # the noise is worth guarding against
    assert abs(guarded - clean) < 0.3 * (unguarded - clean)


def test_noise_alone_reads_as_blurred(rng):
    noise = rng.normal(0.5, 0.05, (180, 160))
    assert np.isfinite(sharpness.spectral_index(noise))
    assert sharpness.spectral_index(noise) < -3
    assert sharpness.spectral_index(noise, guard=False) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("length", "angle"), [(7, 0.3), (11, 1.2), (17, 2.5), (25, 0.0)])
def test_the_cepstrum_finds_length_and_angle_of_motion(rng, length, angle):
    found = sharpness.cepstral_blur(blurred(picture(rng, 240, 256), length, angle))
    assert found.length == pytest.approx(length, abs=2)
    assert abs((found.angle - angle + np.pi / 2) % np.pi - np.pi / 2) < np.radians(10)
    assert found.confidence > 6


@pytest.mark.parametrize("sigma", [0, 1, 2])
def test_the_cepstrum_does_not_believe_in_motion_where_there_is_none(rng, sigma):
    f = np.hypot(np.fft.fftfreq(240)[:, None], np.fft.fftfreq(256)[None])
    gain = np.exp(-2 * (np.pi * sigma * f) ** 2) / np.maximum(f, 1 / 256)  # a natural slope, out of focus
    soft = np.fft.ifft2(np.fft.fft2(rng.standard_normal((240, 256))) * gain).real
    assert sharpness.cepstral_blur(soft / np.ptp(soft)).confidence < 6


def test_measures_are_those_of_the_grown_box_and_no_other_pixel(rng):
    frame = frame_of(picture(rng, 240, 320))
    found = measures(frame, np.array([80, 40, 80, 120]))  # grown: x 70..170, y 25..175
    elsewhere = frame.copy()
    elsewhere[:, :70] = elsewhere[:, 171:] = elsewhere[:25] = elsewhere[176:] = 99
    assert measures(elsewhere, np.array([80, 40, 80, 120])) == found
    for y, x in ((25, 100), (175, 100), (100, 70), (100, 170)):
        touched = frame.copy()
        touched[y, x] ^= 255
        assert measures(touched, np.array([80, 40, 80, 120])) != found


def test_measures_agree_with_the_single_functions(rng):
    frame = frame_of(picture(rng, 100, 90))
    found = measures(frame, np.array([0, 0, 90, 100]))
    grey = frame[..., 0].astype(np.float32) / 255
    assert set(found) == set(MEASURES)
    for name, function in BY_IMAGE.items():
        assert found[name] == pytest.approx(function(grey), rel=1e-3), name
    motion = sharpness.cepstral_blur(grey)
    assert found["cepstral_length"] == pytest.approx(motion.length)


def test_every_measure_is_described():
    for name, measure in MEASURES.items():
        assert all((measure.label, measure.unit, measure.formula, measure.source)), name
        assert "\n" not in measure.formula
    assert MEASURES["spectral_index"].shares_formula_with_energy
    assert not MEASURES["edge_width"].shares_formula_with_energy


def test_a_flat_person_has_no_sharpness():
    found = measures(np.full((60, 60, 3), 120, np.uint8), np.array([10, 10, 30, 30]))
    assert found["tenengrad"] == pytest.approx(0, abs=1e-10)
    assert all(np.isnan(found[name]) for name in ("spectral_index", "spectral_centroid", "edge_width"))
    assert np.isnan(found["cepstral_confidence"])


@pytest.mark.parametrize("box", [(-200, 5, 40, 40), (500, 5, 40, 40), (50, 20, 5, 40), (-35, 5, 40, 40)])
def test_too_little_inside_the_frame_gives_nan_and_no_crash(rng, box):
    found = measures(frame_of(picture(rng, 60, 80)), np.array(box))
    assert set(found) == set(MEASURES)
    assert all(np.isnan(value) for value in found.values())


class Film(list):
    """Frames that count how often they are looked at."""

    fps, looks = 25.0, 0

    def __getitem__(self, index):
        self.looks += 1
        return super().__getitem__(index)


def test_the_blurriest_seconds_are_found_where_what_moves_is_blurred():
    """90 frames; the block is blurred in frames 50 to 79, the still ground in all others."""
    film = Film(walking_frames(90, step=1.0))
    for i in range(90):
        blurred = cv2.GaussianBlur(film[i], (0, 0), 3)
        block = slice(20 + i - 6, 20 + i + 30)
        here, there = (film[i].copy(), blurred) if 50 <= i < 80 else (blurred.copy(), film[i])
        here[34:94, block] = there[34:94, block]
        list.__setitem__(film, i, here)
    a, b = sharpness.blurriest(film, budget=np.inf)
    assert b - a == 30  # a third of the clip is shorter than two seconds
    assert abs(a - 50) <= 5
    a, b = sharpness.blurriest(film, seconds=0.4, budget=np.inf)
    assert (b - a, 45 <= a <= 75) == (10, True)  # more than half of it, with places four frames apart


def test_the_blurriest_seconds_of_a_long_clip_are_looked_for_in_a_few_frames_only():
    film = Film(walking_frames(2, step=9.0) * 500)
    sharpness.blurriest(film, budget=np.inf)
    assert film.looks == 3 * 24
    film.looks = 0
    sharpness.blurriest(film, budget=0)
    assert film.looks == 3


@pytest.mark.parametrize(("count", "span"), [(1, (0, 1)), (2, (0, 1)), (30, (0, 10))])
def test_where_nothing_moves_any_seconds_are_as_blurred_as_others(count, span):
    assert sharpness.blurriest(Film(walking_frames(count, step=0.0))) == span


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: measures(f, np.array([0, 0, 0, 9])), "w, h > 0, got"),
        (lambda f: measures(f, np.array([0, np.nan, 9, 9])), "finite"),
        (lambda f: measures(f, np.zeros(3)), "x, y, w, h"),
        (lambda f: measures(f[..., 0], np.array([0, 0, 20, 20])), r"\(H, W, 3\), got \(40, 40\)"),
        (lambda f: sharpness.edge_width(f), r"\(H, W\) .* got \(40, 40, 3\)"),
        (lambda f: sharpness.tenengrad(f[:2, :, 0]), r"got \(2, 40\)"),
        (lambda f: sharpness.cepstral_blur(f[:15, :, 0]), r"at least 16 px, got \(15, 40\)"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((40, 40, 3), np.uint8))


def test_sides_with_a_large_prime_factor_are_measured_without_their_outermost_pixels():
    image = np.random.default_rng(4).random((37, 107))
    middle = image[:36, 1:106]  # 36 = 2² 3², 105 = 3 · 5 · 7; 37 and 107 are primes
    for measure in (sharpness.spectral_index, sharpness.high_frequency_ratio, sharpness.spectral_centroid):
        assert measure(image) == measure(middle) != measure(image[1:, :105])
    assert sharpness.cepstral_blur(image) == sharpness.cepstral_blur(middle)


@pytest.mark.parametrize("size", [(40, 33), (33, 40), (35, 45)])
def test_measures_of_the_spectrum_are_sums_over_the_whole_plane(size):
    image = np.random.default_rng(3).random(size) + 3 * np.cos(2.1 * np.arange(size[0]))[:, None]  # much of it at u = 0
    power, f = spectra.power_spectrum(image), spectra.radial_frequency(*size)
    within = f <= 0.5
    assert sharpness.high_frequency_ratio(image, 0.15) == pytest.approx(
        power[within & (f > 0.15)].sum() / power[within].sum()
    )
    assert sharpness.spectral_centroid(image) == pytest.approx((f * power)[within].sum() / power[within].sum())
    high, low = (power[(f > a) & (f < b)].mean() for a, b in (sharpness.HIGH_BAND, sharpness.LOW_BAND))
    assert sharpness.spectral_index(image, guard=False) == pytest.approx(np.log(high / low))
