"""Do the figures of motion show what the motion networks are fed, and the motion matrix and its Fourier marginal?"""

import both_renderers
import numpy as np
import pytest
import torch

from freqviz import figures_motion, motion
from freqviz.panel import Heatmap, Points
from freqviz.trace import Record, Trace
from models.freq_4d import motion_matrix
from models.freq_motion import LocalSpectrum


@pytest.fixture
def cuts(rng):
    return rng.integers(0, 255, (5, 32, 24, 3), dtype=np.uint8)


@pytest.fixture
def trace(rng):
    values = rng.normal(0.2, 1, (5, 6, 7, 5)).astype(np.float32)  # odd height and width
    return Trace("freq-4d", (Record("feature", "feature8", ("frame", "channel", "y", "x"), 8, values),))


def cells(panel):
    (found,) = [mark for mark in panel.marks if isinstance(mark, Heatmap)]
    return found


def test_the_gradient_is_what_the_network_is_fed(cuts):
    frames = torch.from_numpy(cuts).permute(0, 3, 1, 2).float() / 255
    luma = (frames * torch.tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(1, keepdim=True)
    log = LocalSpectrum().encode(luma)["log_amplitude"]
    fed = (log[1:] - log[:-1]).unflatten(1, (9, 5)).numpy()
    np.testing.assert_allclose(motion.spectral_gradient(cuts), motion.DECIBELS * fed, atol=0.02)


def test_a_grating_that_doubles_shows_six_decibels_at_its_frequency_alone():
    x, y = np.meshgrid(np.arange(96), np.arange(96))
    wave = np.cos(2 * np.pi * (2 * x - 3 * y) / 16)  # u = 2/16, v = -3/16
    cuts = np.stack([np.repeat((128 + size * wave)[..., None], 3, 2).round().astype(np.uint8) for size in (60, 120)])
    panel = figures_motion.change_at(cuts, 0, (44, 52))
    shown = cells(panel)
    row, column = np.unravel_index(shown.values.argmax(), shown.values.shape)
    assert (shown.x[column], shown.y[row]) == (2 / 16, -3 / 16)
    assert shown.values[row, column] == pytest.approx(6.02, abs=0.1)
    assert abs(shown.values[4, 4]) < 0.5  # far from it nothing changes


def test_the_map_is_bright_where_something_appears_and_says_where(cuts):
    still = np.repeat(cuts[:1], 5, 0)
    still[3:, 16:24, 8:16] = 128
    panel = figures_motion.frequency_motion(still, 2, (9, 17))
    shown = cells(panel)
    assert shown.values[2, 1] == shown.values.max() > 3
    assert shown.values[0].max() < 0.2  # the mean of the frame moved a little
    assert "Step key → +1" in panel.note
    assert "most at (12, 20)" in panel.note
    assert cells(figures_motion.frequency_motion(still, 1)).values.max() == 0


def test_the_slices_are_those_of_the_matrix_of_freq_4d(trace):
    found = motion.matches(trace)
    features = torch.tensor(trace.get("feature").values)
    matrix = motion_matrix(features[2:3], features[4:5])[0].numpy()
    assert found.cell((17, 40)) == (5, 2)
    np.testing.assert_allclose(found.of(2, (17, 40)), matrix[5, 2], atol=1e-6)
    shown = cells(figures_motion.found_again(found, (17, 40)))
    assert shown.values.shape == (7, 4 * 5 + 3)
    np.testing.assert_allclose(shown.values[:, 18:], matrix[5, 2], atol=1e-6)
    assert np.isnan(shown.values[:, [5, 11, 17]]).all()


def test_the_fourier_marginal_is_the_matrix_summed_along_equal_displacement(trace):
    found = motion.matches(trace)
    features = torch.tensor(trace.get("feature").values)
    matrix = motion_matrix(features[2:3], features[1:2])[0].numpy()
    summed = np.zeros((7, 5))
    for y, x, dy, dx in np.ndindex(7, 5, 7, 5):
        summed[dy, dx] += matrix[y, x, (y + dy) % 7, (x + dx) % 5] / 35
    np.testing.assert_allclose(found.marginal(-1), summed, atol=1e-6)


def test_features_that_moved_are_found_where_they_went(trace):
    record = trace.get("feature")
    moved = np.stack([np.roll(record.values[2], (slot, -slot), (1, 2)) for slot in (-2, -1, 0, 1, 2)])
    found = motion.matches(Trace("freq-4d", (Record("feature", "f", record.axes, 8, moved),)))
    again, whole = figures_motion.found_again(found, (20, 28)), figures_motion.marginal(found)
    assert "+1: (−8, 8), cosine 1.00" in again.note
    assert "−2: (16, −16); −1: (8, −8); +1: (−8, 8); +2: (−16, 16)" in whole.note
    peaks = next(mark for mark in again.marks if isinstance(mark, Points) and mark.name == "most alike")
    assert peaks.x.tolist() == [35.5, 48 + 27.5, 96 + 11.5, 144 + 3.5]
    assert peaks.y.tolist() == [11.5, 19.5, 35.5, 43.5]


def test_what_cannot_be_shown_is_answered_with_a_sentence(cuts, trace):
    with pytest.raises(ValueError, match="multiples of 8, got"):
        motion.spectral_gradient(cuts[:, :30])
    with pytest.raises(ValueError, match="steps 0 to 3, got 4"):
        figures_motion.frequency_motion(cuts, 4)
    with pytest.raises(ValueError, match="0 to 23, 0 to 31, got 30, 3"):
        figures_motion.change_at(cuts, 1, (30, 3))
    with pytest.raises(LookupError, match="spatial-frame compares no frames"):
        motion.matches(Trace("spatial-frame", ()))
    with pytest.raises(LookupError, match=r"no neighbour \+3 in freq-4d"):
        motion.matches(trace).of(3, (1, 1))


def test_screen_and_paper_agree_on_every_figure(cuts, trace):
    found = motion.matches(trace)
    for panel in (
        figures_motion.frequency_motion(cuts, 2, (9, 9)),
        figures_motion.change_at(cuts, 1, (9, 9)),
        figures_motion.found_again(found, (9, 9)),
        figures_motion.marginal(found),
    ):
        both_renderers.agree(panel)
