"""Does each figure show the right numbers, with their units, in both renderers?"""

from types import SimpleNamespace

import both_renderers
import numpy as np
import pandas as pd
import pytest

from freqviz import crops, figures, look, poses, spectra
from freqviz.panel import Bars, Heatmap, Image, Line, Panel, Points, Rule, Skeleton
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace


def mark(panel: Panel, kind: type, number: int = 0):
    return [one for one in panel.marks if type(one) is kind][number]


def pose(shift: float = 0.0) -> poses.Pose:
    points = np.stack([np.arange(14.0) * 3 + shift, 40 - np.arange(14.0)], -1)
    return poses.Pose(points, np.linspace(0, 1, 14))


def trace(network: str, weights: list[list[float]]) -> SimpleNamespace:
    values = np.array(weights, float)
    return SimpleNamespace(network=network, frame_weights=values, effective_frames=1 / (values**2).sum(1))


FREQ = trace("freq-video", [[0.1, 0.2, 0.4, 0.2, 0.1], [0.0, 0.0, 0.5, 0.5, 0.0], [0.6, 0.1, 0.1, 0.1, 0.1]])
TWIN = trace("spatial-video", [[0.2] * 5, [0.1, 0.1, 0.2, 0.3, 0.3], [0.2] * 5])
SINGLE = trace("spatial-frame", [[np.nan] * 5] * 3)


def grating(across: int, down: int, height: int = 24, width: int = 40) -> np.ndarray:
    """Luma with so many periods along x and along y."""
    y, x = np.mgrid[:height, :width]
    return 0.5 + 0.25 * np.cos(2 * np.pi * (across * x / width + down * y / height))


def frames_table(rng: np.random.Generator, count: int = 20) -> pd.DataFrame:
    energy = np.linspace(-9, -5, count) + 0.1 * rng.normal(size=count)
    return pd.DataFrame(
        {
            "frame": np.arange(100, 100 + count),
            "edge_width": 12 + energy,
            "spectral_index": energy - 1,
            "high_frequency_ratio": np.exp(energy),
            "band_3": energy,
        }
    )


LOG = pd.DataFrame({"step": [0, 100, 200], "seconds": [0, 9, 18], "loss": [7, 4, 3], "pck10": [0, 0.3, 0.5]})
PCK = pd.DataFrame(
    [
        (network, blur, pck - blur * slope, pck - blur * slope - 0.02, pck - blur * slope + 0.04)
        for network, pck, slope in (("spatial-video", 0.7, 0.01), ("freq-video", 0.72, 0.006))
        for blur in (21, 0, 9)
    ],
    columns=["network", "blur", "pck", "low", "high"],
)


# ---- what stands in them


def test_the_overlay_lies_in_pixels_with_y_down_and_the_truth_on_top():
    frame = np.zeros((48, 64, 3), np.uint8)
    panel = figures.pose_overlay(
        frame, {"freq-video": pose(), "mine": pose(2)}, truth=pose(1), box=[10, 5, 20, 30], threshold=0.5
    )
    assert (panel.limits("x"), panel.limits("y")) == ((-0.5, 63.5), (47.5, -0.5))
    assert panel.equal
    assert [(one.name, one.role) for one in panel.marks[1:]] == [
        ("person box", "box"), ("freq-video", "frequency"), ("mine", "extra-1"), ("truth", "truth"),
    ]  # fmt: skip
    assert mark(panel, Line).x.tolist() == [10, 30, 30, 10, 10]
    assert mark(panel, Line).y.tolist() == [5, 5, 35, 35, 5]
    assert mark(panel, Skeleton).shown.sum() == 7
    assert mark(panel, Skeleton).side(0, 1) == "right"
    assert panel.note == (
        "freq-video: mean score 0.50, 1.0 px from the truth; mine: mean score 0.50, 1.0 px from the truth."
    )
    partly = poses.Pose(np.where(np.arange(14)[:, None] < 2, pose(5).keypoints, np.nan), np.ones(14))
    assert "5.0 px" in figures.pose_overlay(frame, {"freq-video": pose()}, partly).note


def deep(values: np.ndarray, network: str = "freq-video") -> Trace:
    return Trace(network, (Record("heatmap", "head.heatmap", ("joint", "y", "x"), 4, values),))


def test_a_heatmap_lies_where_the_window_was_cut_from():
    density = np.full((2, 48, 36), 1e-6)
    density[1, 10, 7] = 0.1
    box = [100, 50, 115.2, 153.6]  # one frame pixel per crop pixel
    truth = poses.Pose(np.array([[0, 0], [101.0, 40.5]]), np.ones(2))
    panel = figures.joint_heatmap(deep(density), 1, box, truth, joints=("neck", "head"))
    field = mark(panel, Heatmap)
    row, column = np.unravel_index(field.values.argmax(), field.values.shape)
    expected = crops.to_frame([[7 * 4 + 1.5, 10 * 4 + 1.5]], box)[0]
    assert (field.x[column], field.y[row]) == pytest.approx(tuple(expected))
    assert field.values.max() == pytest.approx(-10)
    found, real = mark(panel, Points), mark(panel, Points, 1)
    assert (found.x[0], found.y[0]) == pytest.approx(tuple(expected), abs=1e-3)
    assert (found.role, real.role, real.x[0]) == ("frequency", "truth", 101)
    assert panel.colour.limits == figures.joint_heatmap(deep(density / 9, "mine"), 0, box).colour.limits
    off = np.hypot(*(expected - (101, 40.5)))
    assert panel.note == f"freq-video, head: score 0.10, largest cell 10.0 %, {off:.1f} px from the truth."


def test_words_say_where_weights_are_flat():
    flat = "Flat, all within 10 % of an equal share"
    assert f"{flat}: spatial-video." in figures.frame_weights([FREQ, TWIN], 0).note
    assert flat not in figures.frame_weights([FREQ, TWIN], 1).note
    assert "in 2 of 3 windows" in figures.frame_weights_over_clip(TWIN).note


@pytest.mark.parametrize(("height", "width"), [(24, 40), (25, 41)])
def test_a_grating_stands_at_its_own_frequency_on_both_axes(height, width):
    panel = figures.power_spectrum(grating(5, -3, height, width))
    field = mark(panel, Heatmap)
    found = {(field.x[u], field.y[v]) for v, u in np.argwhere(field.values == field.values.max())}
    assert found == {(5 / width, -3 / height), (-5 / width, 3 / height)}
    assert field.values.max() == 0
    assert panel.limits("y") == (0.5, -0.5)  # v points down, as y does
    assert field.values[np.flatnonzero(field.y == 0)[0], np.flatnonzero(field.x == 0)[0]] < -40  # no mean


def test_decibels_are_relative_to_the_clips_reference():
    image = grating(5, 3)
    own = mark(figures.power_spectrum(image), Heatmap)
    reference = figures.spectrum_reference([image, 0.5 + 2 * (image - 0.5)])
    shared = figures.power_spectrum(image, (-60, 10), reference)
    np.testing.assert_allclose(mark(shared, Heatmap).values.max(), own.values.max() - 20 * np.log10(2), atol=1e-3)
    assert shared.colour.limits == (-60, 10)
    assert "one reference for the clip" in shared.note
    assert "this image's largest power" in figures.power_spectrum(image).note


@pytest.mark.parametrize("n", [193, 300, 385, 400, 577])
def test_a_large_spectrum_keeps_zero_frequency_in_the_centre_of_a_cell(n, rng):
    power = rng.uniform(1, 2, (n, 3))
    power[n // 2] = 100
    small, v = figures._coarse(power, 0)
    assert small.shape[0] <= figures.CELLS
    assert v[small[:, 0].argmax()] == 0
    steps = np.diff(v)
    np.testing.assert_allclose(steps, steps[0])
    k = round(steps[0] * n)
    assert v[-1] == -v[0]
    if n % k == 0:  # every power counts once; the ends, which are one, twice
        np.testing.assert_allclose(small[:-1].mean(), power.mean())
    here, zero = np.flatnonzero(v == 0)[0] + 1, n // 2
    half = np.arange(zero + k - k // 2, zero + k + k // 2 + 1)
    weights = np.where((k % 2 == 0) & np.isin(half, half[[0, -1]]), 0.5, 1.0)
    np.testing.assert_allclose(small[here], weights @ power[half] / k)


def test_the_radial_profile_of_a_frame_lies_below_that_of_the_sharpest():
    rng = np.random.default_rng(2)
    sharp = rng.uniform(size=(64, 48))
    blurred = (sharp + np.roll(sharp, 1, 1) + np.roll(sharp, 2, 1)) / 3
    panel = figures.radial_profile(blurred, sharp, why="Sharpest by edge width: frame 3.")
    lines = {line.name: line for line in panel.marks}
    assert (lines["this frame"].role, lines["sharpest frame"].role) == ("blur", "sharp")
    high = lines["this frame"].x > 0.2
    assert (lines["this frame"].y[high] < lines["sharpest frame"].y[high] - 2).all()
    expected = spectra.radial_spectrum(sharp, rings=24)
    np.testing.assert_allclose(lines["sharpest frame"].x, expected.frequency)
    np.testing.assert_allclose(
        lines["sharpest frame"].y, 10 * np.log10(expected.power / expected.power.max()), atol=1e-5
    )
    assert panel.x.limits == (0, 0.5)
    assert panel.note == "Sharpest by edge width: frame 3. 0 dB = the largest value shown"


def test_bars_show_the_weights_of_the_key_frame_beside_each_other():
    panel = figures.frame_weights([FREQ, TWIN, SINGLE], 1)
    freq, twin = mark(panel, Bars), mark(panel, Bars, 1)
    assert (freq.name, freq.role, twin.name, twin.role) == (
        "freq-video",
        "frequency",
        "spatial-video",
        "spatial",
    )
    assert freq.height.tolist() == [0, 0, 0.5, 0.5, 0]
    assert twin.height.tolist() == [0.1, 0.1, 0.2, 0.3, 0.3]
    assert (np.round(freq.x) == [-2, -1, 0, 1, 2]).all()
    assert (freq.x + freq.width / 2 <= twin.x - twin.width / 2).all()
    assert mark(panel, Rule).value == 0.2
    assert panel.y.limits == (0, 1)
    assert "freq-video 2.0, spatial-video 4.2 of 5" in panel.note
    assert "No frame weights: spatial-frame." in panel.note
    assert "Missing neighbours are the key frame again" in panel.note
    assert panel.x.ticks[0] == (-2, "−2")


def test_weights_over_the_clip_are_key_frame_by_slot():
    panel = figures.frame_weights_over_clip(FREQ, cursor=2)
    field = mark(panel, Heatmap)
    assert field.values[0, 2] == 0.6  # slot -2 of key frame 2
    assert field.y.tolist() == [-2, -1, 0, 1, 2]
    assert (field.palette, panel.colour.limits) == ("signed", (0, 0.4))  # an equal share is white
    assert mark(panel, Rule).value == 2
    assert "Median effective number of frames 2.5 of 5" in panel.note


def test_of_a_part_of_a_clip_figures_count_as_the_whole_does():
    late = SimpleNamespace(**vars(FREQ), first=40)
    assert figures.frame_weights([late], 2).note.startswith("Key frame 42.")
    assert "Missing neighbours" in figures.frame_weights([late], 2).note
    panel = figures.frame_weights_over_clip(late, cursor=2, marks={"lost": [1]})
    heatmap, rule, lost = panel.marks
    assert (heatmap.x.tolist(), rule.value, lost.x.tolist()) == ([40, 41, 42], 42, [41])
    assert panel.x.limits == (39.5, 42.5)


def test_lost_and_damaged_frames_stand_above_the_weights_in_rows_of_their_own():
    panel = figures.frame_weights_over_clip(FREQ, cursor=2, marks={"lost": [0, 2], "damaged": [1]})
    lost, damaged = (mark for mark in panel.marks if isinstance(mark, Points))
    assert (lost.x.tolist(), lost.y.tolist(), lost.role) == ([0, 2], [3, 3], "lost")
    assert (damaged.x.tolist(), damaged.y.tolist(), damaged.role) == ([1], [4], "damaged")
    assert panel.y.limits == (-2.5, 4.5)
    assert panel.y.ticks[-2:] == ((3, "lost"), (4, "damaged"))
    assert figures.frame_weights_over_clip(FREQ).y.limits == (-2.5, 2.5)


def test_blur_against_energy_marks_the_selected_frame_and_states_the_correlation(rng):
    table = frames_table(rng)
    panel = figures.blur_against_energy(table, "edge_width", "band_3", selected=107)
    assert (panel.x.label, panel.x.unit) == ("Edge width", "pixels")
    everyone, one = mark(panel, Points), mark(panel, Points, 1)
    assert everyone.values.tolist() == table["frame"].tolist()
    assert (one.x[0], one.y[0], one.role) == (table["edge_width"][7], table["band_3"][7], "cursor")
    assert panel.note.startswith("Spearman ρ = 1.00 [1.00, 1.00], n = 20 frames")
    assert "built in" not in panel.note
    assert "built in" in figures.blur_against_energy(table, "spectral_index", "band_3").note
    few = figures.blur_against_energy(table[:5], "edge_width", "band_3")
    assert few.note == "No correlation: a rank correlation needs at least 8 frames, got 5"


def test_gaps_keep_their_place_among_the_points(rng):
    table = frames_table(rng)
    table.loc[3, "edge_width"] = np.nan
    points = mark(figures.blur_against_energy(table, "edge_width", "band_3", 103), Points)
    assert len(points.x) == 20
    assert np.isnan(points.x[3])
    assert points.texts[4] == "frame 104"


def test_columns_of_several_units_are_scaled_to_ranges_that_the_legend_states():
    table = pd.DataFrame({"frame": [5, 6, 7], "edge_width": [2, 6, 4], "tenengrad": [0.5, 0.25, 1]})
    panel = figures.timeline(table, ["edge_width", "tenengrad"], cursor=6)
    assert mark(panel, Line).y.tolist() == [0, 1, 0.5]
    assert mark(panel, Line).name == "Edge width (2 to 6 pixels)"
    assert mark(panel, Rule).value == 6
    single = figures.timeline(table, ["edge_width"])
    assert single.y.title == "Edge width (pixels)"
    assert mark(single, Line).y.tolist() == [2, 6, 4]


def test_losses_are_logarithmic_and_scores_go_from_nought_to_one():
    losses, scores = figures.training_log(LOG), figures.training_log(LOG, ["pck10"], x="seconds")
    assert (losses.y.scale, [line.name for line in losses.marks]) == ("log", ["loss"])
    assert (scores.y.limits, scores.x.unit) == ((0, 1), "s")
    assert mark(scores, Line).x.tolist() == [0, 9, 18]


def test_accuracy_is_sorted_by_blur_with_its_interval():
    panel = figures.pck_against_blur(PCK)
    band, line, _ = panel.marks[:3]
    assert line.x.tolist() == [0, 9, 21]
    assert (line.name, line.role) == ("spatial-video", "spatial")
    np.testing.assert_allclose(line.y - band.lower, 0.02)
    np.testing.assert_allclose(band.upper - line.y, 0.04)


def test_unknown_columns_are_spelled_from_their_names():
    assert figures.quantity("motion_blur").title == "Motion blur"
    assert (figures.quantity("true blur (px)").label, figures.quantity("true blur (px)").unit) == ("True blur", "px")
    assert figures.quantity("high_frequency_ratio").title == "High-frequency ratio"
    assert figures.quantity("spectral_centroid").title == "Spectral centroid (cycles/pixel)"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: figures.frame_weights([FREQ], 3), IndexError, "key_frame must be 0 to 2, got 3"),
        (lambda: figures.joint_heatmap(Trace("mine", ()), 0, [0, 0, 9, 9]), LookupError, "no heatmap in mine"),
        (
            lambda: figures.joint_heatmap(deep(np.ones((2, 48, 36))), 2, [0, 0, 9, 9]),
            IndexError,
            "joint must be 0 to 1, got 2",
        ),
        (lambda: figures.frame_weights([SINGLE], 0), LookupError, "given: spatial-frame"),
        (lambda: figures.frame_weights([], 0), LookupError, "given: no network"),
        (lambda: figures.frame_weights_over_clip(SINGLE), LookupError, "spatial-frame has no frame weights"),
        (
            lambda: figures.blur_against_energy(LOG, "loss", "x"),
            LookupError,
            "no column 'x'; the table holds step",
        ),
        (lambda: figures.timeline(LOG, []), ValueError, "at least one column"),
        (lambda: figures.training_log(PCK), LookupError, "no loss in the log; it holds network, blur"),
        (lambda: figures.pck_against_blur(LOG), LookupError, "no column 'blur'"),
        (lambda: figures.pck_against_blur(PCK.drop(columns="network")), LookupError, "no column 'network'"),
        (lambda: figures.spectrum_reference([]), ValueError, "an image with structure"),
        (lambda: figures.spectrum_reference([np.ones((9, 9))]), ValueError, "an image with structure"),
        (lambda: figures.pose_overlay(np.zeros((4, 4)), {}), ValueError, "pixels must be uint8"),
    ],
)
def test_a_figure_that_cannot_be_made_says_why(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_flat_image_has_a_spectrum_of_nothing():
    field = mark(figures.power_spectrum(np.full((16, 16, 3), 7, np.uint8)), Heatmap)
    assert (field.values <= -80).all()


# ---- every figure through both renderers


FIGURES = {
    "pose overlay": lambda rng: figures.pose_overlay(
        rng.integers(0, 255, (48, 64, 3), dtype=np.uint8),
        {"freq-video": pose(), "spatial-video": pose(2)},
        pose(1),
        [10, 5, 20, 30],
    ),
    "power spectrum": lambda rng: figures.power_spectrum(rng.uniform(size=(30, 50))),
    "radial profile": lambda rng: figures.radial_profile(rng.uniform(size=(30, 50)), rng.uniform(size=(40, 40))),
    "frame weights": lambda _: figures.frame_weights([FREQ, TWIN], 1),
    "frame weights over the clip": lambda _: figures.frame_weights_over_clip(FREQ, 1, marks={"lost": [0]}),
    "blur against energy": lambda rng: figures.blur_against_energy(frames_table(rng), "edge_width", "band_3", 107),
    "heatmap of a joint": lambda rng: figures.joint_heatmap(
        deep(rng.dirichlet(np.ones(48 * 36), 14).reshape(14, 48, 36)), 11, [100, 50, 60, 120], pose(), (-40, 0)
    ),
    "timeline": lambda rng: figures.timeline(frames_table(rng), ["edge_width", "band_3"], 104),
    "training log": lambda _: figures.training_log(LOG),
    "accuracy against blur": lambda _: figures.pck_against_blur(PCK),
}


def test_every_figure_is_in_the_list():
    makers = {"spectrum_reference", "quantity", "shares_formula", "training_columns"}  # these make no panel
    public = {name for name, one in vars(figures).items() if getattr(one, "__module__", "") == figures.__name__}
    public = {name for name in public if not name.startswith("_") and name.islower()} - makers
    assert len(public) == len(FIGURES), public


@pytest.mark.parametrize("name", FIGURES)
def test_screen_and_paper_show_the_same(name, rng):
    both_renderers.agree(FIGURES[name](rng))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_how_to_read_it(name, rng):
    panel = FIGURES[name](rng)
    assert panel.guide.endswith(".")
    assert 30 < len(panel.guide) < 220
    assert panel.formula
    assert len(to_plotly(panel).to_json()) < 300_000
    assert {one.role for one in panel.marks} <= set(look.ROLES)
    assert not isinstance(panel.marks[-1], Image)
