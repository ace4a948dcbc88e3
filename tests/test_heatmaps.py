"""Do heatmaps tell where they peak, how wide they are and which frequencies they hold, and do the figures show it?"""

import numpy as np
import pytest
import torch

from freqviz import figures_heatmaps as figures
from freqviz import heatmaps, poses
from freqviz.heatmaps import Heatmaps
from freqviz.learn import losses
from freqviz.panel import Heatmap, Line, Panel, Points, Rule
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace

CELLS, STRIDE = (48, 36), 4
CUT = np.random.default_rng(2).integers(0, 255, (192, 144, 3), dtype=np.uint8)
PLACES = np.array([[20.3 + 7 * j, 30.0 + 9.1 * j] for j in range(14)])  # of the joints, inside the cut


def named(panel: Panel, name: str) -> Points:
    (mark,) = [one for one in panel.marks if isinstance(one, Points) and one.name == name]
    return mark


def field(panel: Panel) -> Heatmap:
    (mark,) = [one for one in panel.marks if isinstance(one, Heatmap)]
    return mark


@pytest.fixture
def maps() -> Heatmaps:
    """Fourteen targets, the left wrist's twice as wide as the others, the head's in two places."""
    found = np.stack([heatmaps.target(place, CELLS, STRIDE) for place in PLACES])
    found[11] = heatmaps.target(PLACES[11], CELLS, STRIDE, 2.5)
    found[13] = 0.7 * found[13] + 0.3 * heatmaps.target((40, 20), CELLS, STRIDE)
    trace = Trace("freq-video", (Record("heatmap", "heatmap", ("joint", "y", "x"), STRIDE, found),))
    return heatmaps.heatmaps(trace)


def test_the_target_is_that_of_training():
    ours = np.stack([heatmaps.target(place, CELLS, STRIDE) for place in PLACES])
    theirs = losses.targets(torch.from_numpy(PLACES)[None], CELLS, STRIDE)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert heatmaps.SIGMA == losses.SIGMA


@pytest.mark.parametrize(("cells", "sigma"), [((48, 36), 1.25), ((47, 35), 2.0)])
def test_a_gaussian_has_a_gaussian_spectrum_wherever_it_lies(cells, sigma):
    for place in ((70.3, 101.8), (75, 90)):
        amplitude = heatmaps.amplitude(heatmaps.target(place, cells, STRIDE, sigma))
        v, u = ((np.arange(n) - n // 2) / (n * STRIDE) for n in cells)
        f = np.hypot(u[None], v[:, None])
        np.testing.assert_allclose(amplitude, np.exp(-2 * (np.pi * sigma * STRIDE * f) ** 2), atol=2e-3)


def test_two_spots_cancel_at_half_a_cycle_of_their_distance():
    density = np.zeros((16, 32))
    density[5, [3, 7]] = 0.5  # 4 cells of 2 input pixels apart
    amplitude = heatmaps.amplitude(density)
    u = (np.arange(32) - 16) / 64
    np.testing.assert_allclose(amplitude, np.broadcast_to(np.abs(np.cos(np.pi * u * 8)), (16, 32)), atol=1e-12)


def test_the_radial_amplitude_starts_at_one_and_halves_where_the_formula_says():
    frequency, values = heatmaps.radial_amplitude(heatmaps.target((71, 95), CELLS, STRIDE), STRIDE)
    assert (frequency[0], values[0], len(values)) == (0, 1, 19)
    assert frequency[-1] < 0.5 / STRIDE
    expected = np.sqrt(np.log(2) / 2) / (np.pi * 1.25 * STRIDE)
    assert heatmaps.half_width(frequency, values) == pytest.approx(expected, rel=0.04)
    assert np.isnan(heatmaps.half_width(frequency, np.ones(19)))


def test_effective_cells_count_cells():
    one, two = np.zeros((4, 6)), np.zeros((4, 6))
    one[1, 2] = 1
    two[1, [2, 5]] = 0.5
    counted = heatmaps.effective_cells([one, two, np.full((4, 6), 1 / 24)])
    np.testing.assert_allclose(counted, [1, 2, 24])
    wide = heatmaps.effective_cells(heatmaps.target((71, 95), CELLS, STRIDE, 2.0))
    assert wide == pytest.approx(2 * np.pi * np.e * 4, rel=1e-3)


def test_peaks_are_centres_of_cells_and_decoding_reads_between_them(maps):
    np.testing.assert_array_equal((maps.peaks - 1.5) % 4, 0)
    nearest = np.round((PLACES - 1.5) / 4) * 4 + 1.5
    np.testing.assert_allclose(maps.peaks, nearest)
    np.testing.assert_allclose(maps.found[:13], PLACES[:13], atol=0.05)
    assert maps.size == (192, 144)
    assert maps.least_certain == "left wrist"
    x, y = maps.places
    assert (x[1], y[-1]) == (5.5, 189.5)


def test_the_gallery_puts_each_joint_into_the_column_of_its_part_and_the_row_of_its_side(maps):
    panel = figures.gallery(maps, "left wrist")
    sheet = field(panel)
    assert sheet.values.shape == (2 * 48, 7 * 36)
    assert [text for _, text in panel.x.ticks] == ["ankle", "knee", "hip", "wrist", "elbow", "shoulder", "neck, head"]
    assert [text for _, text in panel.y.ticks] == ["right", "left"]
    tile = sheet.values[48:, 3 * 36 : 4 * 36]
    np.testing.assert_allclose(tile, 10 * np.log10(np.maximum(maps.densities[11], 1e-12)))
    np.testing.assert_allclose(sheet.values[:48, 6 * 36 :].max(), 10 * np.log10(maps.densities[12].max()))
    spots = named(panel, "decoded")
    assert (spots.x[11], spots.y[11]) == pytest.approx((3 * 36 + (97.3 - 1.5) / 4, 48 + (130.1 - 1.5) / 4), abs=0.02)
    assert sum(isinstance(mark, Rule) for mark in panel.marks) == 7
    (frame,) = [mark for mark in panel.marks if type(mark) is Line]
    assert (frame.x.min(), frame.x.max(), frame.y.min(), frame.y.max()) == (107.5, 143.5, 47.5, 95.5)
    assert "Least certain: left wrist" in panel.note


def test_joints_without_sides_still_have_a_place():
    density = np.zeros((3, 2, 3))
    density[[0, 1, 2], 1, [0, 1, 2]] = 1
    maps = Heatmaps("spatial-frame", density, 4, ("nose", "left hip", "tail"))
    panel = figures.gallery(maps, "tail")
    assert [text for _, text in panel.x.ticks] == ["hip", "nose, tail"]
    assert np.argwhere(field(panel).values == 0).tolist() == [[1, 3], [3, 1], [3, 5]]


def test_on_the_frame_faint_cells_are_left_out_and_distances_are_told(maps):
    truth = [[None, None]] * 14
    truth[6] = [maps.found[6, 0] + 3, maps.found[6, 1] - 4]
    panel = figures.on_the_frame(CUT, maps, "right wrist", truth)
    shown = field(panel)
    values = 10 * np.log10(np.maximum(maps.densities[6], 1e-12))
    np.testing.assert_array_equal(np.isnan(shown.values), values < -30)
    assert np.isnan(shown.values).any()
    assert 0 < shown.opacity < 1
    moved = np.linalg.norm(maps.found[6] - maps.peaks[6])
    assert f"moves it by {moved:.1f} px" in panel.note
    assert "the decoded point 5.0 px" in panel.note
    assert (named(panel, "truth").x[0], named(panel, "truth").y[0]) == tuple(truth[6])
    assert panel.y.limits == (maps.peaks[6, 1] + 24, maps.peaks[6, 1] - 24)
    assert figures.on_the_frame(CUT, maps, "right ankle").x.limits == (-0.5, 47.5)  # its peak lies at 21.5
    whole = figures.on_the_frame(CUT, maps, "head", truth, zoom=False)
    assert (whole.x.limits, whole.y.limits) == ((-0.5, 143.5), (191.5, -0.5))
    assert "truth" not in whole.note


def test_moves_are_decoded_points_less_centres_of_cells(maps):
    panel = figures.moves(maps, "neck")
    points = named(panel, "freq-video")
    np.testing.assert_allclose(np.stack([points.x, points.y], -1), maps.found - maps.peaks)
    assert points.x[12] == pytest.approx(PLACES[12, 0] - (4 * round((PLACES[12, 0] - 1.5) / 4) + 1.5), abs=0.05)
    (square,) = [mark for mark in panel.marks if type(mark) is Line]
    assert (square.x.min(), square.x.max()) == (-2, 2)
    assert "0 of 14 leave the cell" in panel.note
    assert panel.y.limits[0] > panel.y.limits[1]  # down is down


def test_errors_hold_arg_max_against_decoding_for_known_joints(maps):
    truth = PLACES.copy()
    truth[3] = np.nan
    panel = figures.errors(maps, truth, "right ankle")
    points = named(panel, "freq-video")
    assert len(points.x) == 13
    assert "left hip" not in points.texts
    np.testing.assert_allclose(points.x[0], np.linalg.norm(maps.peaks[0] - PLACES[0]))
    assert (points.y[:-1] < 0.1).all()  # all but the head, which has a rival
    assert "mean of 13 joints" in panel.note
    with pytest.raises(LookupError, match="need true joints in this frame, got none"):
        figures.errors(maps, [[None, None]] * 14, "head")
    with pytest.raises(ValueError, match=r"truth must be \(14, 2\), got \(2, 2\)"):
        figures.errors(maps, [[1, 2], [3, 4]], "head")


def test_the_spectrum_is_centred_symmetric_and_half_as_wide_for_a_joint_twice_as_wide(maps):
    panel = figures.spectrum(maps, "left wrist")
    shown = field(panel)
    assert shown.values.shape == (49, 37)
    np.testing.assert_allclose(shown.values, shown.values[::-1, ::-1], atol=1e-6)
    assert np.argwhere(shown.values == shown.values.max()).tolist() == [[24, 18]]
    assert (shown.x[-1], shown.y[0]) == (0.125, -0.125)
    halves = [float(word) for word in panel.note.split() if word.startswith("0.")]
    assert halves[0] == pytest.approx(halves[1] / 2, rel=0.05)


def test_the_radial_amplitude_stands_beside_the_target_and_the_twin(maps):
    twin = Heatmaps("spatial-video", maps.densities[::-1], 4, maps.joints)
    panel = figures.radial([maps, twin], "right knee")
    lines = {mark.name: mark for mark in panel.marks if type(mark) is Line}
    assert list(lines) == ["freq-video", "spatial-video", "target"]
    np.testing.assert_allclose(lines["freq-video"].y, lines["target"].y, atol=0.5)
    sigma = 5  # input pixels
    expected = 20 * np.log10(np.exp(-2 * (np.pi * sigma * lines["target"].x[1:8]) ** 2))
    np.testing.assert_allclose(lines["target"].y[1:8], expected, atol=1.0)
    assert lines["target"].role == "reference"
    assert np.abs(lines["spatial-video"].y - lines["target"].y).max() < 0.5  # its right knee is our neck


def test_spread_rises_where_the_score_falls_and_a_rival_counts(maps):
    panel = figures.spread([maps], "head")
    points, chosen = named(panel, "freq-video"), named(panel, "head")
    assert points.y[11] == pytest.approx(4 * points.y[6], rel=0.02)
    assert points.x[11] < points.x[6]
    assert points.y[13] == pytest.approx(points.y[6] * np.exp(-0.7 * np.log(0.7) - 0.3 * np.log(0.3)), rel=0.01)
    assert (chosen.x[0], chosen.y[0]) == (points.x[13], points.y[13])
    assert "the target has 27, no idea at all 1728" in panel.note


def test_what_cannot_be_shown_is_said(maps):
    with pytest.raises(LookupError, match="no joint named 'nose'; known joints: right ankle"):
        figures.gallery(maps, "nose")
    with pytest.raises(LookupError, match="no heatmap in spatial-video"):
        heatmaps.heatmaps(Trace("spatial-video", ()))
    with pytest.raises(ValueError, match="2 joints need as many heatmaps, got 14"):
        heatmaps.heatmaps(
            Trace("x", (Record("heatmap", "h", ("joint", "y", "x"), 4, maps.densities),)), poses.JOINTS[:2]
        )
    with pytest.raises(ValueError, match="sigma must be > 0 cells, got 0"):
        heatmaps.target((3, 4), CELLS, 4, 0)
    for draw in (figures.radial, figures.spread):
        with pytest.raises(ValueError, match="needs the heatmaps of a network, got none"):
            draw([], "head")


def test_both_renderers_draw_every_figure(maps):
    joint = "left wrist"
    drawn = [figures.gallery(maps, joint), figures.on_the_frame(CUT, maps, joint), figures.moves(maps, joint)]
    drawn += [figures.errors(maps, PLACES, joint), figures.spectrum(maps, joint)]
    drawn += [figures.radial([maps], joint), figures.spread([maps], joint)]
    for panel in drawn:
        assert panel.guide
        assert panel.formula
        assert panel.source
        assert to_plotly(panel).data
        assert render(panel, "png")


@pytest.mark.parametrize("cells", [(4, 3), (5, 4), (12, 9), (1, 1)])
def test_a_coarser_cell_has_the_mass_that_lies_under_it(cells, rng):
    fine = rng.random((12, 9))
    found = heatmaps.in_cells(fine, cells)
    rows, columns = (
        np.array([[max(0, min(i + 1, (j + 1) * n / m) - max(i, j * n / m)) for i in range(n)] for j in range(m)])
        for n, m in zip(fine.shape, cells, strict=True)
    )  # share of each fine cell that lies in a coarse one
    np.testing.assert_allclose(found, rows @ fine @ columns.T)
    assert found.sum() == pytest.approx(fine.sum())


def test_amplitudes_of_a_network_with_other_pixels_are_those_of_the_first_ones_pixels(maps):
    y, x = np.mgrid[:96, :72]
    spots = np.exp(-((x - 35.5) ** 2 + (y - 47.5) ** 2) / (2 * 4.0**2))  # 16 px of its own, 8 px of the first
    finer = Heatmaps("lab", np.stack([spots / spots.sum()] * len(maps.joints)), 4, maps.joints)
    panel = figures.radial([maps, finer], maps.joints[0])
    line = next(one for one in panel.marks if isinstance(one, Line) and one.name == "lab")
    half = heatmaps.half_width(line.x, 10 ** (line.y / 20))
    assert half == pytest.approx(np.sqrt(np.log(2) / 2) / (np.pi * 8), rel=0.06)  # of its own pixels half of that
    assert line.x[-1] > 0.2
