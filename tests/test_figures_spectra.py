"""Do the figures of spectra show the right frequency, direction, speed and joint?"""

import numpy as np
import pytest

from freqviz import blur, figures, spectra
from freqviz import figures_spectra as shown
from freqviz.panel import Heatmap, Line, Panel
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace


def cells(panel: Panel) -> Heatmap:
    (heatmap,) = [one for one in panel.marks if type(one) is Heatmap]
    return heatmap


def lines(panel: Panel) -> dict[str, Line]:
    return {one.name: one for one in panel.marks if type(one) is Line}


def colour(grey: np.ndarray) -> np.ndarray:
    return np.repeat((255 * grey).round().astype(np.uint8)[..., None], 3, -1)


def grating(u: float, v: float, phase: float = 0.0) -> np.ndarray:
    """A cut with so many cycles a pixel along x and y; phase in radians at the middle."""
    y, x = np.mgrid[:192, :144]
    return colour(0.5 + 0.4 * np.cos(2 * np.pi * (u * (x - 72) + v * (y - 96)) + phase))


def texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (192, 144, 3), dtype=np.uint8)


def test_amplitude_stands_at_its_frequency_and_no_darker_frame_is_brightened():
    cut = grating(0.125, -1 / 16)
    reference = figures.spectrum_reference([cut])
    panel = shown.amplitude(cut, reference)
    field = cells(panel)
    row, column = np.unravel_index(field.values.argmax(), field.values.shape)
    assert (abs(field.x[column]), abs(field.y[row])) == (0.125, 1 / 16)
    assert np.sign(field.x[column]) == -np.sign(field.y[row])
    assert field.values.max() == pytest.approx(0, abs=1e-3)
    assert cells(shown.amplitude(colour(0.5 + 0 * cut[..., 0] / 255), reference)).values.max() < -60
    assert (panel.limits("x"), panel.limits("y")) == ((-0.25, 0.25), (0.25, -0.25))


def test_phase_is_that_of_the_middle_and_weak_frequencies_have_none():
    u = 17 / 144  # half a turn from the edge to the middle, if it were measured from the edge
    field = cells(shown.phase(grating(u, 0, 1.0), figures.spectrum_reference([grating(u, 0)])))
    row, right, left = 48, int(np.argmin(abs(field.x - u))), int(np.argmin(abs(field.x + u)))
    assert field.y[row] == 0
    assert (field.values[row, right], field.values[row, left]) == pytest.approx((1.0, -1.0), abs=0.02)
    assert np.isnan(field.values).mean() > 0.5


def test_the_difference_is_blue_along_the_motion_that_blurs():
    sharp = texture()
    blurred = blur.motion_blur(sharp, 9, 0.0)  # along x
    panel = shown.difference_to(blurred, sharp, "frame 3, the sharpest")
    field = cells(panel)
    across = field.values[48, abs(field.x) > 0.08].mean()
    along = field.values[abs(field.y) > 0.08, 36].mean()
    assert field.x[36] == field.y[48] == 0
    assert across < -8
    assert abs(along) < 1.5
    assert "Against frame 3, the sharpest: −" in panel.note
    np.testing.assert_allclose(cells(shown.difference_to(sharp, sharp, "itself")).values, 0, atol=1e-6)


@pytest.mark.parametrize(("axis", "speed"), [("horizontal", 1.6), ("horizontal", -0.8), ("vertical", 1.6)])
@pytest.mark.parametrize("count", [5, 8])
def test_what_moves_lies_where_temporal_frequency_is_minus_frequency_times_speed(axis, speed, count):
    f = 0.125
    turns = [-2 * np.pi * f * speed * t for t in range(count)]
    cuts = np.stack([grating(*((f, 0) if axis == "horizontal" else (0, f)), turn) for turn in turns])
    field = cells(shown.over_time(cuts, axis))
    half = field.values.copy()
    half[:, field.x <= 0] = -np.inf
    row, column = np.unravel_index(half.argmax(), half.shape)
    assert field.x[column] == pytest.approx(f, abs=0.01)
    assert abs(field.y[row] + f * speed) <= 0.5 / count + 1e-9
    assert np.sign(field.y[row]) == -np.sign(speed)
    standing = shown.over_time(np.stack([cuts[0]] * count), axis)
    assert cells(standing).values.shape == field.values.shape


def test_a_window_without_motion_has_no_power_over_time():
    still = np.stack([spectra.luma(texture())] * 5)
    assert spectra.temporal_spectrum(still).max() < 1e-9
    with pytest.raises(ValueError, match=r"frames must be \(T, H, W\) with T >= 2, got \(1, 192, 144\)"):
        spectra.temporal_spectrum(still[:1])
    with pytest.raises(ValueError, match="'horizontal' or 'vertical', got 'x'"):
        shown.over_time(np.stack([texture()] * 5), "x")


def test_windows_keep_the_energy_of_noise_less_its_mean_over_time(rng):
    assert spectra.temporal_spectrum(rng.normal(size=(5, 12, 9))).shape == (5, 12, 9)
    noise = np.mean([spectra.temporal_spectrum(rng.normal(size=(7, 32, 33))).mean() for _ in range(20)])
    w = np.hanning(9)[1:-1]
    taken = 2 * (w**3).sum() / w.sum() / (w**2).sum() - (w**2).sum() / w.sum() ** 2
    assert noise == pytest.approx(1 - taken, abs=0.02)


def test_the_direction_of_motion_is_a_dip_that_the_sharpest_frame_does_not_have():
    sharp = texture(3)
    panel = shown.by_direction(
        blur.motion_blur(sharp, 15, np.pi / 4), sharp, ("frame 7", "frame 2"), figures.spectrum_reference([sharp])
    )
    curves = lines(panel)
    assert list(curves) == ["frame 2", "frame 7"]
    angle = float(panel.note.split(" along ")[1].split("°")[0])
    assert angle == pytest.approx(45, abs=6)
    assert curves["frame 7"].y[0] == curves["frame 7"].y[-1]
    assert panel.x.limits == (0, 180)


def test_a_blurred_joint_is_found_in_its_own_row():
    cut = texture(5)
    cut[100:, :] = blur.motion_blur(cut, 9, 0.3)[100:, :]
    points = np.full((3, 2), np.nan)
    points[0], points[2] = (70, 40), (60, 150)
    panel = shown.around_joints(cut, points, figures.spectrum_reference([cut]), ("head", "neck", "left ankle"))
    field = cells(panel)
    assert field.values.shape == (3, 12)
    assert np.isnan(field.values[1]).all()
    assert (field.values[0] - field.values[2])[4:].min() > 3
    assert panel.note == "Beyond 0.1 cycles/input px the left ankle has the least power and the head the most."
    with pytest.raises(LookupError, match="at least one joint, got none"):
        shown.around_joints(cut, points * np.nan, 1.0, ("head", "neck", "left ankle"))


def test_patches_lie_around_their_points_and_are_moved_inside_at_the_border():
    image = np.arange(20 * 30.0).reshape(20, 30)
    first, second = spectra.patches(image, [[10, 8], [29, 0]], 5)
    np.testing.assert_array_equal(first, image[6:11, 8:13])
    np.testing.assert_array_equal(second, image[:5, 25:])
    with pytest.raises(ValueError, match=r"sides of at least 21, got \(20, 30\)"):
        spectra.patches(image, [[10, 8]], 21)


def test_stages_share_one_axis_of_input_pixels():
    y, x = np.mgrid[:48, :36]
    wave = np.cos(2 * np.pi * 0.25 * x)  # 0.25 cycles a cell of stride 4: 1/16 of an input pixel
    features = np.zeros((5, 2, 48, 36))
    features[2] = wave  # of the key frame alone
    coarse = np.random.default_rng(2).normal(size=(5, 3, 12, 9))
    axes = ("frame", "channel", "y", "x")
    trace = Trace("mine", (Record("feature", "b", axes, 16, coarse), Record("feature", "a", axes, 4, features)))
    panel = shown.stages(trace, grating(0.125, 0))
    curves = lines(panel)
    assert list(curves) == ["frame, luma", "features, stride 4", "features, stride 16"]
    peak = {name: line.x[line.y.argmax()] for name, line in curves.items()}
    assert peak["frame, luma"] == pytest.approx(0.125, abs=0.02)
    assert peak["features, stride 4"] == pytest.approx(1 / 16, abs=0.004)
    assert curves["features, stride 16"].x.max() < 1 / 32
    assert all(line.y.max() == 0 for line in curves.values())
    assert "end at 0.5, 0.125, 0.03125 cycles/input px" in panel.note
    with pytest.raises(LookupError, match="no feature in mine; trace holds nothing"):
        shown.stages(Trace("mine", ()), grating(0.1, 0))


def test_both_renderers_draw_every_figure():
    cut, other = texture(1), texture(2)
    reference = figures.spectrum_reference([cut])
    trace = Trace("mine", (Record("feature", "a", ("channel", "y", "x"), 4, np.ones((2, 48, 36)) * np.arange(36)),))
    for panel in (
        shown.amplitude(cut, reference),
        shown.phase(cut, reference),
        shown.difference_to(cut, other, "frame 1"),
        shown.over_time(np.stack([cut, other, cut])),
        shown.by_direction(cut, other, ("a", "b"), reference),
        shown.around_joints(cut, [[50, 60], [np.nan, 0]], reference, ("head", "neck")),
        shown.stages(trace, cut),
    ):
        assert panel.guide
        assert panel.formula
        assert panel.source
        assert to_plotly(panel).data
        assert render(panel, "png")
