"""Do the figures of a restored frame show what the network made, and from which frames?"""

import both_renderers
import numpy as np
import pytest

from freqviz import blur, figures_restored, restoring, spectra
from freqviz.panel import Heatmap, Image, Line
from freqviz.trace import Record, Trace


@pytest.fixture
def cuts(rng):
    coarse = rng.integers(40, 215, (24, 18, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    return np.stack([np.roll(coarse, 3 * t, 1) for t in range(5)])


def made(cuts, after, weights=None):
    """A trace of a network whose frame -1 gives all that is horizontal and fine, the key frame the rest."""
    if weights is None:
        weights = np.zeros((5, 2, 96, 37))
        weights[2] = 1
    picture = np.moveaxis(after.astype(np.float64) / 255, -1, 0)
    return Trace(
        "freq-deblur",
        (
            Record("spectral_weights", "aggregate.weights", ("frame", "window", "v", "u"), 1, weights),
            Record("restored_picture", "restored", ("colour", "y", "x"), 1, picture),
        ),
    )


def test_the_restored_frame_and_what_changed_are_those_of_the_trace(cuts, rng):
    after = np.clip(cuts[2] + rng.integers(0, 30, cuts[2].shape), 0, 255).astype(np.uint8)
    found = restoring.restored(made(cuts, after), cuts, truth=after)
    (shown,) = [mark for mark in figures_restored.picture(found).marks if isinstance(mark, Image)]
    np.testing.assert_array_equal(shown.pixels, after)
    np.testing.assert_array_equal(found.before, cuts[2])
    assert found.psnr[1] == np.inf
    assert found.psnr[0] < 40
    change = next(mark for mark in figures_restored.change(found).marks if isinstance(mark, Heatmap))
    luma = spectra.luma(after) - spectra.luma(cuts[2])
    assert change.values.mean() == pytest.approx(luma.mean(), abs=1e-6)
    assert f"PSNR {found.psnr[0]:.2f} dB" in figures_restored.picture(found, "given").note


def test_shares_of_the_frames_sum_to_one_and_name_the_frame_of_each_frequency(cuts):
    weights = np.zeros((5, 2, 96, 37))
    weights[1, :, :, 10:] = 1  # |u| from 10 / 72: frame -1
    weights[2, :, :, :10] = 1
    found = restoring.restored(made(cuts, cuts[2], weights), cuts)
    np.testing.assert_allclose(found.shares.sum(0), 1, atol=1e-12)
    v, u = np.meshgrid(np.fft.fftfreq(96), np.fft.fftfreq(72), indexing="ij")
    radius = np.hypot(v, u)
    for number in (1, 6, 12):  # written out over the whole plane
        ring = (radius >= number / 32) & (radius < (number + 1) / 32) & (radius > 0)
        assert found.shares[1, number] == pytest.approx((np.abs(u[ring]) >= 10 / 72 - 1e-9).mean(), abs=1e-9)
    panel = figures_restored.shares(found)
    named = {mark.name: mark for mark in panel.marks if type(mark) is Line}
    np.testing.assert_allclose(named["frame −1"].y, found.shares[1])
    assert "the key frame has" in panel.note


def test_what_was_given_back_is_the_ratio_of_the_spectra(cuts):
    blurred = np.stack([blur.motion_blur(one, 9, 0.3) for one in cuts])
    found = restoring.restored(made(blurred, cuts[2]), blurred, truth=cuts[2])
    panel = figures_restored.by_frequency(found)
    lines = {mark.name: mark.y for mark in panel.marks if type(mark) is Line}
    np.testing.assert_allclose(lines["freq-deblur"], lines["needed for the true frame"])
    assert lines["freq-deblur"][8] > 3
    same = restoring.restored(made(cuts, cuts[2]), cuts)
    np.testing.assert_allclose(same.gain(same.after), 0, atol=1e-9)


def test_blur_that_is_added_is_taken_back_in_part_by_the_trained_network():
    from freqviz.clip import Clip
    from freqviz.run import window_cuts

    with Clip("assets/sample.mp4") as clip:
        cuts = window_cuts(clip, 12, (180, 60, 200, 280))
    found = restoring.after_blur("freq-deblur", cuts, 20)
    assert found.psnr[1] > found.psnr[0] + 1
    np.testing.assert_array_equal(found.truth, cuts[2])
    np.testing.assert_allclose(found.shares.sum(0), 1, atol=1e-5)


def test_networks_that_restore_nothing_and_unknown_parts_are_told_in_words(cuts):
    with pytest.raises(LookupError, match="freq-video restores no frames; freq-deblur and freq-restored do"):
        restoring.restored(Trace("freq-video", ()), cuts)
    with pytest.raises(LookupError, match="spatial-video restores no frames"):
        restoring.after_blur("spatial-video", cuts, 5)
    found = restoring.restored(made(cuts, cuts[2]), cuts)
    with pytest.raises(LookupError, match="only where blur was added"):
        figures_restored.picture(found, "true")
    with pytest.raises(LookupError, match="known parts: given, restored, true"):
        figures_restored.picture(found, "sharp")


def test_screen_and_paper_agree_on_every_figure(cuts):
    found = restoring.restored(made(cuts, cuts[1]), cuts, truth=cuts[2])
    for panel in (
        *(figures_restored.picture(found, part) for part in figures_restored.PARTS),
        figures_restored.change(found),
        figures_restored.by_frequency(found),
        figures_restored.shares(found),
    ):
        both_renderers.agree(panel)
