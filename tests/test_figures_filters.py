"""Do the figures of learned filters show the right gain, phase, place and strength?"""

import both_renderers
import numpy as np
import pytest
import torch

import models
from freqviz import figures_filters as figures
from freqviz.panel import Band, Heatmap, Line, Panel
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace, trace_window

SIZE = (96, 72)  # maps of 12 x 9 cells at stride 8


def cells(panel: Panel) -> Heatmap:
    (heatmap,) = [one for one in panel.marks if type(one) is Heatmap]
    return heatmap


def spectral(*planes: np.ndarray, size=SIZE) -> Trace:
    """A trace of filters given for u >= 0, and of one neighbour's difference before and after them."""
    height, width = size[0] // 8, size[1] // 8
    half = np.stack(planes)
    before = np.random.default_rng(5).normal(size=(4, len(planes), height, width))
    spectrum = np.fft.rfft2(before, norm="ortho")
    after = np.fft.irfft2(spectrum * half, s=(height, width), norm="ortho")
    return Trace(
        "freq-video",
        (
            Record("difference_spectrum", "guide.difference", ("frame", "channel", "v", "u"), 8, spectrum),
            Record("learned_filter", "guide.learned", ("channel", "v", "u"), 8, half),
            Record("spectral_descriptor", "guide.described", ("frame", "channel", "y", "x"), 8, after),
        ),
    )


def frequencies(size=SIZE):
    return np.fft.fftfreq(size[0] // 8)[:, None], np.fft.rfftfreq(size[1] // 8)[None]


def shift(dx: float, dy: float, size=SIZE) -> np.ndarray:
    v, u = frequencies(size)
    return np.exp(-2j * np.pi * (u * dx + v * dy))


IDENTITY = np.ones((12, 5), complex)


@pytest.mark.parametrize("size", [(96, 72), (96, 64)])  # 9 and 8 columns share 5 of the half plane
def test_a_shift_has_linear_phase_and_gain_one_and_its_kernel_peaks_there(size):
    learnt = figures.learned(spectral(shift(1, -2, size), shift(0, 0, size), size=size), size)
    phase, gain, kernel = (cells(draw(learnt, 0)) for draw in (figures.phase, figures.gain, figures.kernel))
    np.testing.assert_allclose(gain.values, 1, atol=1e-9)
    u, v = phase.x * 8, phase.y * 8  # cycles per cell
    inner = (np.abs(v[:, None]) < 0.5) & (np.abs(u[None]) < 0.5)
    expected = np.angle(np.exp(-2j * np.pi * (u[None] - 2 * v[:, None])))
    turned = np.angle(np.exp(1j * (phase.values - expected)))
    np.testing.assert_allclose(turned[inner], 0, atol=1e-9)
    assert (phase.palette, phase.colour.limits) == ("phase", (-np.pi, np.pi))
    row, column = np.unravel_index(kernel.values.argmax(), kernel.values.shape)
    assert (kernel.x[column], kernel.y[row]) == (8, -16)
    assert kernel.values[6, size[1] // 16] == pytest.approx(-1)  # less the identity
    assert cells(figures.kernel(learnt, 0, False)).values.min() == pytest.approx(0, abs=0.35)
    assert max(gain.x) <= 1 / 16
    assert figures.gain(learnt, 0).x.limits == (-1 / 16, 1 / 16)


def test_gain_stands_at_its_frequency_and_at_the_opposite_one():
    half = IDENTITY.copy()
    half[2, 3] = 3.0  # v = 2 / 12, u = 3 / 9 cycles a cell
    gain = cells(figures.gain(figures.learned(spectral(half), SIZE), 0))
    rows, columns = np.nonzero(gain.values > 2)
    assert {(round(gain.x[x] * 72), round(gain.y[y] * 96)) for y, x in zip(rows, columns, strict=True)} == {
        (3, 2), (-3, -2),
    }  # fmt: skip
    assert gain.colour.limits == pytest.approx((0, 3))
    assert gain.palette == "magnitude"
    half[2, 3] = 1.5
    gain = cells(figures.gain(figures.learned(spectral(half), SIZE), 0))
    assert gain.colour.limits == pytest.approx((0.5, 1.5))
    assert gain.palette == "signed"  # a gain of 1 is white


def test_the_gallery_is_ordered_by_strength_and_says_so():
    trace = spectral(IDENTITY, 1.5 * IDENTITY, 0.9 * IDENTITY)
    learnt = figures.learned(trace, SIZE)
    assert learnt.order == [1, 2, 0]
    np.testing.assert_allclose(learnt.strengths, [0, 0.5, 0.1], atol=1e-12)
    panel = figures.gallery(learnt, columns=2)
    sheet = cells(panel).values
    assert sheet.shape == (12 + 2 + 12, 9 + 2 + 9)
    np.testing.assert_allclose(sheet[:12, :9], 1.5)
    np.testing.assert_allclose(sheet[:12, 11:], 0.9)
    np.testing.assert_allclose(sheet[14:, :9], 1)
    assert np.isnan(sheet[14:, 11:]).all()
    assert "strongest 0.500, mean 0.200 of gain. Channels by rank: 1, 2, 0." in panel.note
    assert [text for _, text in panel.y.ticks] == ["1–2", "3–3"]


def test_filters_that_do_nothing_say_so_and_small_phases_keep_their_own_range():
    _, u = frequencies()
    learnt = figures.learned(spectral(np.exp(-0.05j * u) * IDENTITY, IDENTITY), SIZE)
    assert "These filters do next to nothing." in figures.gallery(learnt).note
    panel = figures.phase(learnt, 0)
    assert cells(panel).palette == "signed"
    assert panel.colour.limits[1] < 0.03
    assert "do next to nothing" not in figures.gallery(figures.learned(spectral(2 * IDENTITY), SIZE)).note


def test_radial_gain_follows_a_low_pass_and_the_range_of_all_channels():
    v, u = frequencies()
    low = np.exp(-20 * (u**2 + v**2))
    panel = figures.radial_gain(figures.learned(spectral(low, IDENTITY), SIZE), 0)
    (band,) = [one for one in panel.marks if type(one) is Band]
    (line,) = [one for one in panel.marks if type(one) is Line]
    assert (np.diff(line.y) < 0).all()
    assert line.y[0] == pytest.approx(np.exp(-20 * (8 * line.x[0]) ** 2), abs=0.1)
    np.testing.assert_allclose(band.upper, 1)
    np.testing.assert_allclose(band.lower, line.y)
    assert panel.x.limits == (0, 1 / 16)


def test_the_effect_shows_before_after_and_what_changed_of_the_chosen_neighbour():
    trace = spectral(0.75 * IDENTITY, IDENTITY)
    before, after, change = (cells(figures.effect(trace, 0, -1, part, SIZE)) for part in figures.EFFECTS)
    expected = np.random.default_rng(5).normal(size=(4, 2, 12, 9))[1, 0]
    np.testing.assert_allclose(before.values, expected, atol=1e-9)
    np.testing.assert_allclose(after.values, 0.75 * expected, atol=1e-9)
    np.testing.assert_allclose(change.values, -0.25 * expected, atol=1e-9)
    assert before.colour.limits == after.colour.limits
    assert (before.x[0], before.y[-1]) == (3.5, 91.5)
    note = figures.effect(trace, 0, -1, "difference", SIZE).note
    assert note == "freq-video, channel 0 (rank 1 of 2), neighbour −1: changed by 25.0 % (root mean square)."
    assert "changed by 0.0 %" in figures.effect(trace, 1, 2, "difference", SIZE).note


def test_the_kernel_of_the_twin_is_shown_as_the_same_quantities():
    taps = np.zeros((2, 5, 5))
    taps[0, 2, 4] = 1.0  # reads two cells to the right: content moves left
    taps[1, 2, 2] = 1.0
    difference = np.random.default_rng(1).normal(size=(4, 2, 12, 9))
    trace = Trace(
        "spatial-video",
        (
            Record("feature_difference", "guide.difference", ("frame", "channel", "y", "x"), 8, difference),
            Record("learned_kernel", "guide.learned", ("channel", "y", "x"), 8, taps),
            Record("spatial_descriptor", "guide.described", ("frame", "channel", "y", "x"), 8, difference + 0.5),
        ),
    )
    learnt = figures.learned(trace, SIZE)
    kernel = cells(figures.kernel(learnt, 0, False))
    row, column = np.unravel_index(kernel.values.argmax(), kernel.values.shape)
    assert (kernel.x[column], kernel.y[row]) == (-16, 0)
    np.testing.assert_allclose(cells(figures.gain(learnt, 1)).values, 1)
    assert "1.15 is what the kernel had before training" in figures.gallery(learnt).note
    np.testing.assert_allclose(cells(figures.effect(trace, 0, 1, "difference", SIZE)).values, 0.5)


def test_filters_beside_the_map_are_measured_from_nothing():
    """A global filter stands in a branch: what it lets through is added, so 0 and not the identity does nothing."""
    half = np.stack([0.5 * IDENTITY, 0 * IDENTITY])
    trace = Trace("global-filter", (Record("learned_filter", "blocks.0", ("channel", "v", "u"), 8, half),))
    learnt = figures.learned(trace, SIZE)
    assert learnt.branch
    np.testing.assert_allclose(learnt.strengths, [0.5, 0], atol=1e-12)
    assert cells(figures.gain(learnt, 0)).colour.limits == (0, 0.5)
    assert cells(figures.kernel(learnt, 0)).values.max() == pytest.approx(0.5)
    assert "adds the map itself" in figures.kernel(learnt, 0).guide
    assert "added to what passes beside them" in figures.gallery(learnt).note
    with pytest.raises(LookupError, match="filters its one frame"):
        figures.effect(trace, 0, 1, "before", SIZE)


@pytest.mark.parametrize(("name", "gain"), [("global-filter", 0.02 * 2**0.5), ("freq-full", 1), ("multi-frequency", 1)])
def test_the_gain_before_training_is_that_of_the_network(name, gain):
    torch.manual_seed(0)
    network = models.build(name).eval()
    learnt = figures.learned(trace_window(network, torch.zeros(network.frames, 3, *network.input_size), name))
    assert np.sqrt((np.abs(learnt.planes) ** 2).mean()) == pytest.approx(gain, rel=0.05)  # u = 0 has half the chance
    assert f", {gain:.3f} before training" in figures.gallery(learnt).note


def test_the_space_time_filter_is_chosen_beside_the_kernel_and_begins_at_one():
    torch.manual_seed(0)
    network = models.build("freq-motion").eval()
    trace = trace_window(network, torch.zeros(5, 3, 192, 144), "freq-motion")
    assert figures.kinds(trace) == ["learned_kernel", "space_time_filter"]
    assert not figures.learned(trace).spectral
    learnt = figures.learned(trace, kind="space_time_filter")
    assert learnt.branch
    np.testing.assert_allclose(np.abs(learnt.planes), 1, atol=1e-6)
    with pytest.raises(LookupError, match="no learned_filter in freq-motion"):
        figures.learned(trace, kind="learned_filter")


def test_a_filter_that_holds_back_the_fastest_changes_shows_it_at_that_temporal_frequency():
    """A mean of each frame and its two neighbours, of three weights: the gain over time is 1/2 + cos(2 pi w) / 2."""
    times = np.fft.fftfreq(5)
    low = np.zeros((2, 5, 12, 5), complex) + (0.5 + 0.5 * np.cos(2 * np.pi * times))[:, None, None]
    trace = Trace("freq-full", (Record("temporal_filter", "temporal.mix", ("channel", "w", "v", "u"), 8, low),))
    panel = figures.temporal_gain(trace, SIZE)
    shown = cells(panel)
    np.testing.assert_allclose(shown.y, [-0.4, -0.2, 0, 0.2, 0.4])
    np.testing.assert_allclose(shown.values, np.broadcast_to((0.5 + 0.5 * np.cos(2 * np.pi * shown.y))[:, None],
                               shown.values.shape), atol=1e-9)  # fmt: skip
    assert panel.x.limits == (0, 1 / 16)
    both_renderers.agree(panel)
    with pytest.raises(LookupError, match="no temporal_filter in freq-video"):
        figures.temporal_gain(spectral(IDENTITY))


def test_what_is_not_there_is_said_in_a_sentence():
    with pytest.raises(LookupError, match="spatial-frame has no learned filter: it sees one frame"):
        figures.learned(Trace("spatial-frame", ()))
    trace = spectral(IDENTITY)
    with pytest.raises(LookupError, match="no part 'later' of an effect; parts: before, after, difference"):
        figures.effect(trace, 0, 1, "later", SIZE)
    with pytest.raises(LookupError, match="no neighbour \\+3 in freq-video; neighbours: −2, −1, \\+1, \\+2"):
        figures.effect(trace, 0, 3, "before", SIZE)
    with pytest.raises(IndexError, match="channel must be 0 to 0, got 1"):
        figures.gain(figures.learned(trace, SIZE), 1)


def test_both_renderers_draw_every_figure():
    trace = spectral(shift(1, 0), IDENTITY)
    learnt = figures.learned(trace, SIZE)
    drawn = [draw(learnt, 0) for draw in (figures.gain, figures.phase, figures.radial_gain, figures.kernel)]
    for panel in [figures.gallery(learnt), *drawn, figures.effect(trace, 0, 1, "before", SIZE)]:
        assert panel.guide
        assert panel.formula
        assert panel.source
        assert to_plotly(panel).data
        assert render(panel, "png")
