"""Do the figures of weights, influence and interventions show the right numbers, and say so in words?"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_trace import light_trace

from freqviz import compare, figures, figures_weights, reading
from freqviz.figures_weights import share_formula
from freqviz.influence import Change, Influence, Intervention, Seen
from freqviz.panel import Axis, Bars, Heatmap, Image, Line, Panel, Points, Rule, Skeleton
from freqviz.poses import JOINTS
from freqviz.to_matplotlib import to_matplotlib
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace

BOX = np.array([10.0, 20.0, 30.0, 50.0])
FLAT = [0.2] * 5
STEEP = [0.05, 0.15, 0.4, 0.3, 0.1]


def mark(panel: Panel, kind: type, number: int = 0):
    return [one for one in panel.marks if type(one) is kind][number]


def traces(count: int = 12):
    """freq-video weighs the third frame from the end of the clip's blur order more; the twin weighs all alike."""
    weights = np.tile(STEEP, (count, 1))
    weights[3] = FLAT
    effective = 1 / (weights**2).sum(1)
    freq = light_trace(count, network="freq-video", frame_weights=weights, effective_frames=effective)
    twin = light_trace(
        count, network="spatial-video", frame_weights=np.full((count, 5), 0.2), effective_frames=np.full(count, 5.0)
    )
    single = light_trace(
        count,
        network="spatial-frame",
        frame_weights=np.full((count, 5), np.nan),
        effective_frames=np.full(count, np.nan),
    )
    return freq, twin, single


def an_influence(network: str = "freq-video", **changes) -> Influence:
    """Slot s moves joint j by (j + 1) · (1, 2, 0, 4, 3)[s] hundredths of a pixel to the right."""
    points = np.zeros((5, 14, 2))
    points[..., 0] = np.outer([1, 2, 0, 4, 3], np.arange(1, 15)) / 100
    shares = np.array(STEEP)
    values = {
        "network": network,
        "key": 40,
        "box": BOX,
        "slots": np.arange(-2, 3),
        "frames": np.arange(38, 43),
        "joints": JOINTS,
        "keypoints": points + 7,
        "weights": shares,
        "joint_weights": np.tile(shares[:, None], (1, 14)) + np.arange(14) / 1000,
    }
    return Influence(**(values | changes))


def an_intervention(**changes) -> Intervention:
    points = np.stack([np.arange(14.0) * 3, 40 - np.arange(14.0)], -1)
    moved = points.copy()
    moved[4] += (3, 4)
    picture = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3)
    before = Seen(
        points, np.ones(14), np.array(FLAT), 5.0, picture, {"spectral_index": -2.5} | dict.fromkeys(MEASURES, 1.0),
        np.array([-3.0, -4, -5, -6, -7]), np.array([-1.0, -2]), -0.5,
    )  # fmt: skip
    after = replace(
        before, keypoints=moved, weights=np.array([0.22, 0.22, 0.22, 0.12, 0.22]), effective=4.8,
        measures=before.measures | {"spectral_index": -4.0}, picture=255 - picture,
        image_energy=np.array([-3.0, -4.5, -6, -8, -7.5]), network_energy=np.array([-1.0, -3]), feature_energy=-0.9,
    )  # fmt: skip
    values = {
        "network": "freq-video", "key": 40, "frame": 41, "slots": np.arange(-2, 3), "box": BOX, "joints": JOINTS,
        "change": Change(length=12, angle=np.radians(30)), "before": before, "after": after,
    }  # fmt: skip
    return Intervention(**(values | changes))


MEASURES = (
    "high_frequency_ratio", "spectral_centroid", "laplacian_variance", "tenengrad", "edge_width", "cepstral_length",
    "cepstral_angle", "cepstral_confidence",
)  # fmt: skip


def deep(**values) -> Trace:
    axes = {
        "channel_attention": ("frame", "channel"), "band_energy": ("frame", "band", "y", "x"),
        "energy_logit": ("frame", "y", "x"),
    }  # fmt: skip
    return Trace("freq-video", tuple(Record(name, name, axes[name], 16, value) for name, value in values.items()))


# ---- what stands in them


def test_the_strip_lays_the_frames_side_by_side_and_names_frame_and_weight():
    pictures = [np.full((6, 4, 3), 40 * i, np.uint8) for i in range(5)]
    panel = figures_weights.window_strip(pictures, [8, 9, 10, 11, 11], STEEP, "freq-video")
    pixels = mark(panel, Image).pixels
    assert pixels.shape == (6, 20, 3)
    assert pixels[0, ::4, 0].tolist() == [0, 40, 80, 120, 160]
    assert [text for _, text in panel.x.ticks] == ["8: .05", "9: .15", "10: .40", "11: .30", "11: .10"]
    assert [value for value, _ in panel.x.ticks] == [1.5, 5.5, 9.5, 13.5, 17.5]
    outline = mark(panel, Line)
    assert (outline.x.min(), outline.x.max()) == (9, 10)
    assert "its weight in freq-video" in panel.x.title


def test_the_strip_of_a_network_without_weights_says_so():
    pictures = [np.zeros((6, 4, 3), np.uint8)] * 5
    panel = figures_weights.window_strip(pictures, range(5), [np.nan] * 5, "spatial-frame")
    assert panel.note == "spatial-frame weighs no frames."
    assert panel.x.ticks[1][1] == "1"


def test_the_effective_number_runs_along_the_clip_for_networks_that_weigh():
    panel = figures_weights.effective_frames(traces(), cursor=7)
    assert [line.name for line in panel.marks if type(line) is Line] == ["freq-video", "spatial-video"]
    np.testing.assert_allclose(mark(panel, Line).y[[0, 3]], [1 / (np.array(STEEP) ** 2).sum(), 5])
    assert [rule.value for rule in panel.marks if type(rule) is Rule] == [5, 7]
    assert panel.note == "Median: freq-video 3.51, spatial-video 5.00 of 5."


def test_channel_attention_and_its_difference_to_the_key_frame():
    gains = np.ones((5, 6)) + np.arange(5)[:, None] * np.array([0.1, 0, 0, 0, 0, 0.02])
    panel = figures_weights.channel_attention(deep(channel_attention=gains))
    field = mark(panel, Heatmap)
    np.testing.assert_allclose(field.values, gains)
    assert field.y.tolist() == [-2, -1, 0, 1, 2]
    assert "−2 0.04, −1 0.02, +1 0.02, +2 0.04" in panel.note
    with pytest.raises(LookupError, match="freq-video has no channel attention"):
        figures_weights.channel_attention(deep(energy_logit=np.zeros((5, 2, 2))))


def test_band_energies_stand_relative_to_the_window_and_the_logits_beside_them():
    energy = np.zeros((5, 3, 2, 2)) + np.array([0, 0, 1.0])[:, None, None]
    energy[4, 2] += 1
    logit = np.full((5, 2, 2), 0.25) * np.arange(-2, 3)[:, None, None]
    panel = figures_weights.band_evidence(deep(band_energy=energy, energy_logit=logit), ("low", "middle", "high"))
    field = mark(panel, Heatmap)
    np.testing.assert_allclose(field.values[2], [-0.2, -0.2, -0.2, -0.2, 0.8])
    np.testing.assert_allclose(field.values[:2], 0)
    assert [text for _, text in panel.y.ticks] == ["low", "middle", "high"]
    assert "−2 −0.5, −1 −0.25, 0 0, +1 +0.25, +2 +0.5" in panel.note
    with pytest.raises(LookupError, match="freq-video looks at no spectrum"):
        figures_weights.band_evidence(deep(energy_logit=logit))


@pytest.mark.parametrize(
    ("quantities", "channels", "bands"),
    [
        ({}, "it sees one frame and keeps all its channels", "looks at no spectrum: no energy"),
        (
            {"frame_weights", "learned_kernel"},
            "all its frames keep all its channels",
            "looks at no spectrum: no energy",
        ),
        ({"frame_weights", "temporal_filter"}, "all its frames keep", "looks at spectra for other ends: no energy"),
        ({"frame_weights", "learned_filter", "spectral_energy"}, "all its frames keep", "not in bands: see the page"),
    ],
)
def test_why_nothing_is_shown_is_true_of_the_network(quantities, channels, bands):
    trace = Trace("net", tuple(Record(name, name, ("frame",), 0, np.zeros(5)) for name in quantities))
    with pytest.raises(LookupError, match=channels):
        figures_weights.channel_attention(trace)
    with pytest.raises(LookupError, match=bands):
        figures_weights.band_evidence(trace)


def test_weights_that_follow_blur_have_a_correlation_of_minus_one_within_windows(rng):
    blur = rng.permutation(12).astype(float) + 100 * np.arange(12)  # a drift that must not count
    freq, twin, single = traces()
    order = np.stack([np.argsort(np.argsort(-blur[freq.window(key)])) for key in range(12)])
    weights = (1 + order) / 15
    freq = replace(freq, frame_weights=weights)
    panel = figures_weights.weight_against_blur([freq, twin, single], blur, Axis("Blur", "px"), key=5)
    assert "freq-video: ρ within windows = −1.00 [−1.00, −1.00], n = 8 windows" in panel.note
    assert "spatial-video: no correlation, a correlation within windows needs at least 8 windows" in panel.note
    points = mark(panel, Points)
    assert len(points.x) == 8 * 5, "windows at the ends, which show a frame twice, are left out"
    window = blur[3:8]
    np.testing.assert_allclose(mark(panel, Points, 2).x, np.tile(window - window.mean(), 2))
    assert panel.x.title == "Blur − mean of the window (px)"


def test_influence_bars_are_the_means_over_the_joints_and_say_which_frame_leads():
    found = an_influence(), an_influence("spatial-video")
    panel = figures_weights.influence_bars(found)
    assert [bars.name for bars in panel.marks if type(bars) is Bars] == ["freq-video", "spatial-video"]
    np.testing.assert_allclose(mark(panel, Bars).height, np.array([1, 2, 0, 4, 3]) * 7.5 / 100)
    assert "Key frame 40. freq-video: most by +1, 0.30 px (0.60 % of the box side)" in panel.note
    with pytest.raises(LookupError, match="several frames"):
        figures_weights.influence_bars([])


def test_influence_by_joint_has_a_row_a_joint_and_colours_by_the_box():
    panel = figures_weights.influence_by_joint(an_influence())
    field = mark(panel, Heatmap)
    np.testing.assert_allclose(field.values[13], np.array([1, 2, 0, 4, 3]) * 0.14)
    assert field.colour.limits == (0, 1)  # 2 % of 50 px
    assert "Largest: head without frame 41, 0.6 px (1.1 % of the box side)" in panel.note
    assert panel.y.limits == (13.5, -0.5)


def test_weight_against_influence_has_a_point_a_neighbour_and_joint():
    one = an_influence()
    panel = figures_weights.weight_against_influence(
        [one, an_influence("mine", joint_weights=np.full((5, 14), np.nan))]
    )
    points = mark(panel, Points)
    assert (len(points.x), points.texts[15]) == (4 * 14, "right knee, frame 39")
    rho = stats.spearmanr(one.joint_weights[[0, 1, 3, 4]].ravel(), one.pixels[[0, 1, 3, 4]].ravel()).statistic
    assert f"freq-video: ρ = {rho:.2f}, n = 56 (4 neighbours × joints)" in panel.note
    with pytest.raises(LookupError, match="weighs frames"):
        figures_weights.weight_against_influence([])


def test_every_pair_is_correlated_and_pairs_of_one_spectrum_are_marked(rng):
    energy = rng.normal(size=20)
    table = pd.DataFrame(
        {
            "edge_width": -energy, "tenengrad": energy + 0.1 * rng.normal(size=20), "constant": np.ones(20),
            "log energy of the image, 0.25–0.5 cycles/pixel": energy, "frame weight in freq-video": rng.normal(size=20),
        }
    )  # fmt: skip
    blurs, energies = ["edge_width", "tenengrad", "constant"], list(table)[3:]
    pairs = compare.correlations(table, blurs, energies)
    assert pairs[["blur", "energy"]].values.tolist() == [[blur, energy] for blur in blurs for energy in energies]
    assert pairs["rho"][0] == -1
    assert np.isnan(pairs["rho"][4])
    panel = figures_weights.correlations(pairs, ("tenengrad", energies[1]))
    field, shared, chosen = mark(panel, Heatmap), mark(panel, Points), mark(panel, Points, 1)
    assert field.values[0, 0] == -1
    assert (shared.x.tolist(), shared.y.tolist()) == ([1], [0])
    assert (chosen.x.tolist(), chosen.y.tolist()) == ([1], [1])
    assert [text for _, text in panel.x.ticks] == ["Edge width", "Tenengrad", "constant"]
    assert [text for _, text in panel.y.ticks] == ["image .25–.5", "weight, freq-video"]
    assert "n = 20 frames. Of 5 pairs without a common formula, 1 have" in panel.note


def test_only_measures_of_the_spectrum_share_a_formula_and_only_with_energies():
    assert share_formula("tenengrad", "log energy in freq-video, band 1")
    assert not share_formula("edge_width", "log energy in freq-video, band 1")
    assert not share_formula("tenengrad", "log variance of the features in freq-video")
    assert not share_formula("tenengrad", "frame weight in freq-video")


def test_an_intervention_shows_frame_weights_energy_and_pose_before_and_after():
    found = an_intervention()
    frame = figures_weights.changed_frame(found)
    assert mark(frame, Image).pixels.shape == (192, 288, 3)
    assert "Frame 41. Sharpness index S: −2.50 before, −4.00 after." in frame.note
    weights = figures_weights.weights_before_after(found)
    np.testing.assert_allclose(mark(weights, Bars, 1).height, [0.22, 0.22, 0.22, 0.12, 0.22])
    assert "weight of frame 41 0.200 before, 0.120 after" in weights.note
    energy = figures_weights.energy_before_after(found, (0, 0.04, 0.08, 0.15, 0.25, 0.5))
    np.testing.assert_allclose(mark(energy, Line, 1).y, [-3.0, -4.5, -6, -8, -7.5])
    assert "Change by band: 0, −0.5, −1, −2, −0.5 nats." in energy.note
    assert "own bands, over the person: 0, −1. Of the features (log variance): −0.4." in energy.note
    pose = figures_weights.pose_before_after(found, found.before.picture)
    assert [one.name for one in pose.marks if type(one) is Skeleton] == ["before", "after"]
    assert "joints move 0.36 px on average (0.71 % of the box side), most left knee, 5.0 px" in pose.note


def test_weights_of_a_network_without_them_are_refused():
    found = an_intervention()
    none = replace(found.before, weights=np.full(5, np.nan))
    with pytest.raises(LookupError, match="freq-video has no frame weights"):
        figures_weights.weights_before_after(replace(found, before=none))


def every_panel() -> list[Panel]:
    found, one, held = an_intervention(), an_influence(), traces()
    table = pd.DataFrame({"edge_width": np.arange(12.0), "log energy of x, band 1": np.arange(12.0) % 5})
    return [
        figures_weights.window_strip([np.zeros((6, 4, 3), np.uint8)] * 5, range(5), STEEP, "freq-video"),
        figures_weights.effective_frames(held, 3),
        figures_weights.channel_attention(deep(channel_attention=np.ones((5, 6)))),
        figures_weights.band_evidence(deep(band_energy=np.zeros((5, 3, 2, 2)))),
        figures_weights.weight_against_blur(held, np.arange(12.0), Axis("Blur", "px"), 4),
        figures_weights.influence_bars([one]),
        figures_weights.influence_by_joint(one),
        figures_weights.weight_against_influence([one]),
        figures_weights.correlations(compare.correlations(table, ["edge_width"], ["log energy of x, band 1"])),
        figures_weights.changed_frame(found),
        figures_weights.weights_before_after(found),
        figures_weights.energy_before_after(found, (0, 0.04, 0.08, 0.15, 0.25, 0.5)),
        figures_weights.pose_before_after(found, found.before.picture),
    ]


@pytest.mark.parametrize("panel", every_panel(), ids=lambda panel: panel.title)
def test_every_figure_is_drawn_by_both_renderers_and_says_how_to_read_it(panel):
    assert to_plotly(panel).data
    assert to_matplotlib(panel).axes
    assert panel.guide.endswith(".")
    assert panel.formula or panel.title == "The window"


# ---- in words


def test_flat_weights_are_called_flat_in_words_with_their_effective_number():
    freq, twin, single = traces()
    assert reading.weighing(freq, 5) == (
        "freq-video weighs the frames of this window unequally: 3.51 of 5 count. Its weights are flat, within 10 % of "
        "an equal share, in 1 of 12 windows."
    )
    assert "spatial-video weighs the frames of this window alike: 5.00 of 5 count." in reading.weighing(twin, 5)
    assert "in 12 of 12 windows" in reading.weighing(twin, 5)
    assert reading.weighing(single, 5) == "spatial-frame has no frame weights."


def test_the_frame_that_counted_most_is_named_with_the_rank_of_its_weight():
    told = reading.influence(an_influence())
    assert told.startswith("freq-video leans most on frame 41: without it the joints move 0.3 px on average (0.6 % of")
    assert "most the head, 0.6 px; its weight, .30, is the largest of 4 neighbours." in told
    swapped = reading.influence(an_influence(weights=np.array([0.3, 0.05, 0.4, 0.1, 0.15])))
    assert "its weight, .10, is only number 3 of 4 neighbours" in swapped
    still = an_influence(keypoints=np.zeros((5, 14, 2)))
    assert reading.influence(still) == "No neighbour moves a joint of freq-video."


def test_a_change_is_told_with_energy_weight_and_pose():
    told = reading.change(an_intervention())
    assert told == (
        "Frame 41 was blurred by 12 px at 30°: its sharpness index went from −2.50 to −4.00, its log energy at .15–.25 "
        "cycles/pixel changed by −2.00; its weight in freq-video fell from .20 to .12; the pose moved 0.4 px on "
        "average (0.7 % of the box side), most the left knee, 5.0 px."
    )
    found = an_intervention(change=Change(gain=0.5, sigma=0.02))
    same = replace(found, after=replace(found.after, weights=np.array(FLAT)))
    assert "Frame 41 was given 0.5 times the light and given noise of 0.02:" in reading.change(same)
    assert "its weight in freq-video stayed at .20;" in reading.change(same)
    assert reading.change(an_intervention(change=Change())).startswith("Frame 41 is as it was filmed")


def test_the_table_of_an_intervention_has_everything_before_and_after():
    table = an_intervention().table().set_index("quantity")
    assert table.loc["Sharpness index S", ["before", "after"]].tolist() == [-2.5, -4]
    assert table.loc["weight of slot +1", ["before", "after"]].tolist() == [0.2, 0.12]
    assert table.loc["log energy of the crop, band 4", ["before", "after"]].tolist() == [-6, -8]
    assert table.loc["log energy in freq-video, band 2", ["before", "after"]].tolist() == [-2, -3]
    assert table.loc["left knee y", ["before", "after"]].tolist() == [36, 40]
    assert all(re.fullmatch(r"[^_]+", name) for name in table.index)


def test_a_part_of_a_clip_is_drawn_with_the_numbers_of_the_whole():
    held = [replace(trace, first=30) for trace in traces()]
    panel = figures_weights.effective_frames(held, cursor=7)
    assert (mark(panel, Line).x[0], mark(panel, Rule, 1).value, panel.x.limits) == (30, 37, (29.5, 41.5))
    panel = figures_weights.weight_against_blur(held, np.arange(12.0), Axis("Blur", "px"), key=5)
    assert mark(panel, Points, 2).name == "window of 35"


def test_networks_with_windows_of_other_lengths_keep_their_own_slots_shares_and_neighbours():
    five, _, _ = traces()
    shares = np.array([0.25, 0.5, 0.25])
    three = light_trace(
        12, network="lab", frame_weights=np.tile(shares, (12, 1)), effective_frames=np.full(12, 2.5),
        median_offset=np.zeros((12, 3, 2)),
    )  # fmt: skip
    blur = np.arange(12.0) ** 2
    bars = figures.frame_weights([five, three], 5)
    assert np.round(mark(bars, Bars, 1).x - 0.2).tolist() == [-1, 0, 1]
    assert "Effective number of frames: freq-video" in bars.note
    assert "of 5, lab 2.5 of 3." in bars.note
    effective = figures_weights.effective_frames([three, five], 5)
    assert effective.note.endswith("of 5.")
    assert "lab 2.50 of 3, freq-video" in effective.note
    scatter = figures_weights.weight_against_blur([five, three], blur, Axis("Blur"), 5)
    points = mark(scatter, Points, 1)
    assert len(points.x) == 3 * 10  # windows of three that are whole
    np.testing.assert_allclose(points.x[:3], blur[:3] - blur[:3].mean())
    marked = mark(scatter, Points, 2)
    here = [blur[5 - reach : 6 + reach] - blur[5 - reach : 6 + reach].mean() for reach in (2, 1)]
    np.testing.assert_allclose(marked.x, np.concatenate(here))
    np.testing.assert_allclose(marked.y, [*STEEP, *shares])
    for panel, values in ((bars, (1 / 5, 1 / 3)), (effective, (5, 3)), (scatter, (1 / 5, 1 / 3))):
        rules = {one.name: one.value for one in panel.marks if isinstance(one, Rule) and one.role == "reference"}
        assert rules == {"equal weights of 5": values[0], "equal weights of 3": values[1]}
    inner = slice(1, 4)
    lab = an_influence(
        "lab", slots=np.arange(-1, 2), frames=np.arange(39, 42), weights=shares,
        keypoints=an_influence().keypoints[inner], joint_weights=np.tile(shares[:, None], (1, 14)),
    )  # fmt: skip
    panel = figures_weights.influence_bars([lab, an_influence()])
    assert np.round(mark(panel, Bars, 0).x + 0.2).tolist() == [-1, 0, 1]
    assert panel.x.limits == (-2.6, 2.6)
    assert "lab: most by +1" in panel.note
