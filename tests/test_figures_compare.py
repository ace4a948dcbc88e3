"""Do the figures of two networks show what differs, with the right sign and place, on screen and on paper?"""

import base64

import cv2
import numpy as np
import pandas as pd
import pytest
from test_pairs import FIRST, NORM, SIDE, J, N, light, made, one_joint, truth

from freqviz import compare, figures_compare, look, pairs, poses
from freqviz.figures_compare import ALIGNED, HEATMAP, OFFSETS, WEIGHTS
from freqviz.pairs import Pair
from freqviz.panel import Axis, Band, Bars, Heatmap, Image, Line, Panel, Points, Rule, Skeleton
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace
from freqviz.web import swipe

FRAME = np.arange(90 * 160 * 3, dtype=np.uint8).reshape(90, 160, 3)


def marks(panel, kind, name=None):
    return [mark for mark in panel.marks if type(mark) is kind and name in (None, mark.name)]


def window(network, peak, weight, moved, level):
    """A window whose maps are asymmetric: one bright cell, unequal slots, one offset, one energy a slot."""
    heatmap = np.full((J, 48, 36), 1e-6)
    heatmap[2, peak[0], peak[1]] = 0.5
    weights = np.tile(np.reshape(weight, (5, 1, 1)), (1, 24, 18))
    offset = np.zeros((4, 9, 2, 24, 18))
    offset[3, :, 0, 5, 7], offset[3, :, 1, 5, 7] = moved
    aligned = np.tile(np.reshape(level, (5, 1, 1, 1)), (1, 3, 48, 36))
    return Trace(
        network,
        (
            Record("heatmap", "heatmap", ("joint", "y", "x"), 4, heatmap),
            Record("frame_weights", "weights", ("frame", "y", "x"), 8, weights),
            Record("alignment_offset", "align8.offset", ("frame", "tap", "xy", "y", "x"), 8, offset),
            Record("aligned_feature", "aligned", ("frame", "channel", "y", "x"), 4, aligned),
        ),
    )


A = window("alpha", (3, 5), (0.1, 0.2, 0.4, 0.2, 0.1), (3, 4), (1, 1, 1, 1, 2))
B = window("beta", (30, 20), (0.1, 0.1, 0.2, 0.3, 0.3), (0, 2), (1, 1, 1, 1, 4))


# ---- the present frame


def test_a_and_b_have_their_own_pose_and_the_difference_joins_the_places_of_each_joint():
    pair = made(shift_b=one_joint(2, 6, 8))
    a, b, both = (figures_compare.poses(FRAME, pair, 4, part) for part in figures_compare.PARTS)
    roles = look.network_roles(pair.names)
    for panel, found, name in ((a, pair.a, "A: alpha"), (b, pair.b, "B: beta")):
        (person,) = marks(panel, Skeleton, name)
        assert np.array_equal(person.keypoints, found.keypoints[4])
        assert person.role == roles[found.network]
        assert len(marks(panel, Skeleton, "truth")) == 1
    assert [one.name for one in marks(both, Skeleton)] == ["A: alpha", "B: beta"]
    (line,) = marks(both, Line)
    ends = np.stack([line.x, line.y], -1).reshape(J, 3, 2)[2]
    np.testing.assert_allclose(ends[1] - ends[0], [6, 8])
    assert np.isnan(ends[2]).all()
    assert (
        both.note
        == f"Frame {FIRST + 4}: A and B are 0.7 px apart on average (0.007 box sides), 10.0 px at the right hip."
    )
    assert "10.0 px" not in a.note


def test_two_networks_without_a_role_of_their_own_have_two_colours():
    pair = made()
    a, b = (figures_compare.poses(FRAME, pair, 0, part) for part in ("A", "B"))
    assert marks(a, Skeleton, "A: alpha")[0].role != marks(b, Skeleton, "B: beta")[0].role


def test_the_note_of_a_pose_has_its_score_and_its_distance_from_the_truth():
    note = figures_compare.poses(FRAME, made(shift_a=[3, 4], scores=(0.25, 0.5)), 1, "A").note
    assert note == f"alpha, frame {FIRST + 1}: mean score 0.25, 5.0 px from the truth."
    assert "truth" not in figures_compare.poses(FRAME, made(known=False), 1, "A").note


@pytest.mark.parametrize("quantity", figures_compare.INNER)
def test_both_networks_share_one_colour_range_and_the_difference_is_a_minus_b(quantity):
    a, b, apart = (figures_compare.inner(A, B, quantity, part, joint=2, slot=2) for part in figures_compare.PARTS)
    (one,), (other,), (difference,) = (marks(panel, Heatmap) for panel in (a, b, apart))
    assert one.colour == other.colour
    np.testing.assert_allclose(difference.values, one.values - other.values)
    low, high = difference.colour.limits
    assert (low, difference.palette) == (-high, "signed")
    turned = marks(figures_compare.inner(B, A, quantity, "A − B", joint=2, slot=2), Heatmap)[0]
    np.testing.assert_allclose(turned.values, -difference.values)


def test_a_heatmap_stands_in_the_pixels_of_the_cut_with_its_own_decoded_point():
    panel = figures_compare.inner(A, B, HEATMAP, "A", joint=2)
    (cells,), (point,) = marks(panel, Heatmap), marks(panel, Points)
    row, column = np.unravel_index(cells.values.argmax(), cells.values.shape)
    assert (cells.x[column], cells.y[row]) == (5 * 4 + 1.5, 3 * 4 + 1.5)
    assert cells.values.max() == pytest.approx(10 * np.log10(0.5))
    assert cells.values.min() == -35, "what is less is not seen"
    assert (point.x[0], point.y[0]) == pytest.approx((21.5, 13.5), abs=0.5)
    assert panel.note == "right hip; alpha: score 0.50, largest cell 50.0 %."
    difference = figures_compare.inner(A, B, HEATMAP, joint=2)
    assert [one.name for one in marks(difference, Points)] == ["A: alpha", "B: beta"]
    apart = np.hypot(4 * 15, 4 * 27)  # cells (3, 5) and (30, 20)
    assert difference.note.startswith("right hip; alpha − beta: 0 % of the mass is common, the points lie ")
    assert float(difference.note.split()[-3]) == pytest.approx(apart, abs=1)


def test_weights_offsets_and_energies_are_those_of_the_chosen_neighbour():
    weights = marks(figures_compare.inner(A, B, WEIGHTS, slot=1), Heatmap)[0]
    assert weights.values == pytest.approx(np.full((24, 18), 0.2 - 0.3))
    assert marks(figures_compare.inner(A, B, WEIGHTS, slot=-1), Heatmap)[0].values.max() == pytest.approx(0.1)
    moved = marks(figures_compare.inner(A, B, OFFSETS, "A", slot=2), Heatmap)[0].values
    assert moved[5, 7] == pytest.approx(5)
    assert np.count_nonzero(moved) == 1
    assert not marks(figures_compare.inner(A, B, OFFSETS, "A", slot=-1), Heatmap)[0].values.any()
    energy = marks(figures_compare.inner(A, B, ALIGNED, slot=2), Heatmap)[0].values
    assert energy == pytest.approx(np.full((48, 36), 10 * np.log10(4) - 10 * np.log10(16)))
    assert not marks(figures_compare.inner(A, B, ALIGNED, slot=1), Heatmap)[0].values.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: figures_compare.inner(A, Trace("c", A.records[:1]), WEIGHTS),
            "both networks have it; c has no",
        ),
        (lambda: figures_compare.inner(A, B, "mood"), "no quantity 'mood'; known: heatmap of a joint"),
        (lambda: figures_compare.inner(A, B, WEIGHTS, "C"), "no part 'C'; known: A, B, A − B"),
        (lambda: figures_compare.inner(A, B, WEIGHTS, slot=7), r"no frame \+7 in alpha"),
        (lambda: figures_compare.poses(FRAME, made(), 0, "both"), "no part 'both'"),
        (lambda: figures_compare.accuracy(made(known=False)), "needs the true joints, which are not known"),
        (lambda: figures_compare.error_by_joint(made(known=False)), "needs the true joints, which are not known"),
        (lambda: figures_compare.cost(pd.DataFrame({"network": ["a"]})), "need the columns device, parameters"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(call, message):
    with pytest.raises(LookupError, match=message):
        call()


# ---- along the clip


def test_the_ranking_has_a_row_a_joint_and_marks_this_frame():
    shift = one_joint(9, 5, 0) + one_joint(3, 0, 20, slice(7, 8))
    panel = figures_compare.ranking(made(shift_a=shift), 7)
    names = [text for _, text in panel.y.ticks]
    assert names[0] == poses.JOINTS[9]
    row = names.index(poses.JOINTS[3])
    assert marks(panel, Points, "worst frame")[0].x[row] == pytest.approx(20 / SIDE)
    assert marks(panel, Points, f"frame {FIRST + 7}")[0].x[row] == pytest.approx(20 / SIDE)
    assert marks(panel, Points, "median")[0].x[row] == 0
    assert marks(panel, Points, "median")[0].texts[row] == f"{poses.JOINTS[3]}: worst in frame {FIRST + 7}"
    low, high = panel.x.limits
    assert (panel.x.scale, 0 < low < 0.05 < 0.2 < high) == ("log", True)


def test_the_curve_of_disagreement_has_its_worst_frame_where_the_joints_leap():
    shift = one_joint(3, 0, 28, slice(7, 8))
    panel = figures_compare.disagreement(made(shift_a=shift), 2, 3)
    (worst,) = marks(panel, Points, f"worst: frame {FIRST + 7}")
    assert (worst.x[0], worst.y[0]) == (FIRST + 7, pytest.approx(28 / SIDE / J))
    (joint,) = marks(panel, Line, poses.JOINTS[3])
    assert joint.y[7] == pytest.approx(28 / SIDE)
    assert [rule.value for rule in marks(panel, Rule)] == [FIRST + 2]
    plain = figures_compare.disagreement(made(shift_a=shift), 2)
    assert not marks(plain, Line, poses.JOINTS[3])
    assert not marks(plain, Points, "lost")
    (lost,) = marks(figures_compare.disagreement(made(), 2, marks={"lost": [4, 9]}), Points, "lost")
    assert lost.x.tolist() == [FIRST + 4, FIRST + 9]


def test_the_band_of_a_paired_difference_is_its_interval_and_the_line_a_minus_b(rng):
    shift = np.abs(rng.normal(size=(N, 1, 2)))
    pair = made(shift_a=shift)
    panel = figures_compare.paired(pair, "error", 5)
    (line,), (band,) = marks(panel, Line), marks(panel, Band)
    error = np.linalg.norm(shift[:, 0], axis=1) / NORM
    np.testing.assert_allclose(line.y, error)
    found = compare.mean(error)
    assert (band.lower[0], band.upper[1]) == pytest.approx((found.low, found.high))
    assert panel.note == str(pairs.paired(pair, "error"))
    assert panel.guide.startswith("Below the dotted line A has the lower value.")
    assert "Above" in figures_compare.paired(pair, "pck@0.05", 5).guide


def test_jitter_without_truth_is_said_to_be_no_error():
    panel = figures_compare.over_clip(made(known=False), "jitter", 3)
    assert "Jitter without truth is not error" in panel.note
    assert "Lower is better" not in panel.guide
    assert "is not error" not in figures_compare.over_clip(made(), "acceleration error", 3).note


# ---- against the truth


def test_bars_of_accuracy_are_the_shares_of_joints():
    shift = np.zeros((N, J, 2))
    shift[:, :7, 0] = 0.07 * NORM
    panel = figures_compare.accuracy(made(shift_a=shift))
    heights = {bars.name: bars.height.tolist() for bars in marks(panel, Bars)}
    assert heights == {"alpha": pytest.approx([0.5, 1, 1]), "beta": [1, 1, 1]}
    assert f"n = {N * J} joints" in panel.note
    assert "alpha: mean error 0.0350 joint-box sides (2.8 px)" in panel.note


def test_the_joint_whose_errors_differ_most_stands_first():
    panel = figures_compare.error_by_joint(made(shift_a=one_joint(4, 0, 2), shift_b=one_joint(8, 4, 0)))
    assert [text for _, text in panel.y.ticks][:2] == [poses.JOINTS[8], poses.JOINTS[4]]
    assert marks(panel, Points, "beta")[0].x[0] == pytest.approx(4 / NORM)
    assert "alpha is nearer the truth at 1 of 14 joints; largest difference: right shoulder, −0.05" in panel.note


def costs(seconds=(0.1, 0.4)):
    return pd.DataFrame(
        {"network": ["alpha", "beta"], "parameters": [1_000_000, 4_000_000], "multiply_adds": [3e9, 1e9],
         "seconds_per_frame": seconds, "device": "cpu"}
    )  # fmt: skip


def test_costs_are_shares_of_the_dearer_network_and_the_note_has_the_numbers():
    panel = figures_compare.cost(costs())
    assert {bars.name: bars.height.tolist() for bars in marks(panel, Bars)} == {
        "alpha": pytest.approx([0.25, 1, 0.25]),
        "beta": pytest.approx([1, 1 / 3, 1]),
    }
    assert "alpha: 1.00 M parameters, 3.00 G multiply-adds, 100 ms a frame on cpu" in panel.note
    unknown = figures_compare.cost(costs((np.nan, np.nan)))
    assert "time not measured" in unknown.note
    assert np.isnan(marks(unknown, Bars)[0].height[2])


# ---- every figure through both renderers, and on the canvas

PAIR = made(shift_a=one_joint(4, 3, 9) + 0.5, shift_b=one_joint(8, 4, 0))
EVERY = [
    *(figures_compare.poses(FRAME, PAIR, 3, part) for part in figures_compare.PARTS),
    *(
        figures_compare.inner(A, B, quantity, part, 2, 2)
        for quantity in figures_compare.INNER
        for part in ("A", "A − B")
    ),
    figures_compare.ranking(PAIR, 3),
    figures_compare.disagreement(PAIR, 3, 4),
    *(figures_compare.over_clip(PAIR, quantity, 3) for quantity in pairs.QUANTITIES),
    *(figures_compare.paired(PAIR, quantity, 3) for quantity in pairs.QUANTITIES),
    figures_compare.accuracy(PAIR),
    figures_compare.error_by_joint(PAIR),
    figures_compare.cost(costs()),
]


@pytest.mark.parametrize("panel", EVERY, ids=lambda panel: panel.title)
def test_every_figure_is_drawn_by_both_renderers_and_says_how_to_read_it(panel):
    assert to_plotly(panel).data
    assert len(render(panel, "png")) > 1000
    assert panel.note.endswith(".")
    assert panel.guide.endswith(".")
    assert panel.formula
    assert panel.source


def test_identical_networks_of_two_names_have_figures_too():
    pair = Pair(light("alpha", truth()), light("beta", truth()), truth())
    curves = figures_compare.disagreement(pair, 0), figures_compare.paired(pair, "error", 0)
    for panel in (figures_compare.ranking(pair, 0), *curves):
        assert to_plotly(panel).data
        assert len(render(panel, "png")) > 1000


def pixels(address):
    kind, data = address.removeprefix("data:image/").split(";base64,")
    flags = cv2.IMREAD_UNCHANGED
    return kind, cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), flags)


def test_the_browser_is_told_a_map_in_its_colours_with_its_edges_and_one_picture_once():
    values = np.array([[0.0, 0.5, np.nan], [1.0, 0.25, 2.0]])
    cells = Heatmap(values, [1.5, 5.5, 9.5], [1.5, 5.5], Axis("v", "", (0, 1)))
    panel = Panel("m", Axis("x", "", (-0.5, 11.5)), Axis("y", "", (7.5, -0.5)), (cells,))
    told = swipe.told([panel, panel, panel], ("alpha", "beta"), 300, None, False)
    kind, found = pixels(told["pictures"][0])
    assert (kind, found.shape, len(told["pictures"])) == ("png", (2, 3, 4), 1)
    stops = [tuple(int(one[i : i + 2], 16) for i in (5, 3, 1)) for one in look.colours("magnitude")]
    assert [tuple(found[i][:3]) for i in ((0, 0), (0, 1), (1, 0), (1, 2))] == [stops[0], stops[8], stops[16], stops[16]]
    assert found[..., 3].tolist() == [[255, 255, 0], [255, 255, 255]], "a gap is transparent"
    assert told["layers"]["b"]["pictures"] == [[0, -0.5, -0.5, 11.5, 7.5]]
    assert told["view"] == [-0.5, 11.5, 7.5, -0.5]


def test_the_browser_gets_the_part_of_a_picture_that_is_shown_and_skeletons_in_their_colours():
    panels = [figures_compare.poses(FRAME, PAIR, 3, part) for part in figures_compare.PARTS]
    told = swipe.told(panels, PAIR.names, 300, ((39.6, 99.4), (70.2, 9.7)), True)
    kind, found = pixels(told["pictures"][0])
    assert (kind, len(told["pictures"])) == ("jpeg", 1), "A, B and difference share the frame"
    left, top, right, bottom = told["layers"]["a"]["pictures"][0][1:]
    assert (left, top, right, bottom) == (39.5, 9.5, 99.5, 70.5)
    assert found.shape[:2] == (bottom - top, right - left)
    roles = look.network_roles(PAIR.names)
    shades = {look.shade(roles["alpha"], side, True) for side in ("left", "right", "")}
    own = {line["colour"] for line in told["layers"]["a"]["lines"]} - {
        look.shade("truth", side, True) for side in ("left", "right", "")
    }
    assert own == shades
    assert told["colours"] == [look.role(roles[name], True).colour for name in PAIR.names]
    joined = told["layers"]["difference"]["lines"][-1]
    assert joined["way"][2] == [None, None]


def test_only_what_a_canvas_can_draw_is_taken():
    panel = Panel("m", Axis("x"), Axis("y"), (Image(FRAME), Rule(3.0)))
    with pytest.raises(TypeError, match="shows pictures, heatmaps, lines, points and skeletons, got Rule"):
        swipe.told([panel] * 3, ("alpha", "beta"), 300, None, False)


def test_heatmaps_of_other_cells_are_compared_in_the_coarser_and_other_maps_are_not():
    fine = np.zeros((J, 96, 72))
    fine[2, 6:8, 10:12] = [[0.1, 0.2], [0.3, 0.4]]  # all in the cell (3, 5) of half as many
    records = (Record("heatmap", "heatmap", ("joint", "y", "x"), 4, fine), *B.records[1:])
    for a, b in ((A, Trace("lab", records)), (Trace("lab", records), A)):
        panel = figures_compare.inner(a, b, HEATMAP, "B" if b.network == "lab" else "A", 2)
        (drawn,) = marks(panel, Heatmap)
        assert drawn.values.shape == (48, 36)
        assert np.unravel_index(drawn.values.argmax(), (48, 36)) == (3, 5)
        assert drawn.values.max() == pytest.approx(0)  # 10 log10 of all of it
        assert panel.x.limits == (-0.5, 143.5)
        (point,) = marks(panel, Points)
        np.testing.assert_allclose([point.x[0], point.y[0]], [21.5, 13.5], atol=1e-6)
    smaller = Record("frame_weights", "weights", ("frame", "y", "x"), 16, A.get("frame_weights").values[:, ::2, ::2])
    with pytest.raises(LookupError, match=r"between maps of one size, got 24 × 18 and 12 × 9 cells"):
        figures_compare.inner(A, Trace("lab", (smaller,)), WEIGHTS)
