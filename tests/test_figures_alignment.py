"""Do the figures of alignment say where the networks read, with the right length, sign and place?"""

import numpy as np
import pytest

from freqviz import crops, offsets
from freqviz import figures_alignment as alignment
from freqviz.panel import Arrows, Heatmap, Image, Line, Panel, Points
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly
from freqviz.trace import Record, Trace

BOX = [0.0, 0.0, 115.2, 153.6]  # 192 x 144 input pixels are as many frame pixels
SLOTS = (-2, -1, 1, 2)


def marks(panel: Panel, kind: type) -> list:
    return [one for one in panel.marks if type(one) is kind]


def shifted(dx: float, dy: float, stride: int = 8, taps: int = 9, network: str = "freq-video") -> Trace:
    """Every neighbour in slot s is read s · (dx, dy) away; tap k adds k input pixels to the right."""
    h, w = 192 // stride, 144 // stride
    offset = np.zeros((4, taps, 2, h, w))
    for n, slot in enumerate(SLOTS):
        offset[n, :, 0], offset[n, :, 1] = slot * dx, slot * dy
    offset[:, :, 0] += (np.arange(taps) - (taps - 1) / 2)[None, :, None, None]
    mask = np.full((4, taps, h, w), 1.0)
    mask[3, 0, 2, 5] = 0.25
    axes = ("frame", "tap", "xy", "y", "x")
    return Trace(
        network,
        (
            Record("alignment_offset", f"align{stride}.offset", axes, stride, offset),
            Record("modulation_mask", f"align{stride}.mask", ("frame", "tap", "y", "x"), stride, mask),
        ),
    )


def moving(dx: int, dy: int) -> np.ndarray:
    """Five cuts of a texture whose content moves by (dx, dy) from frame to frame."""
    coarse = np.random.default_rng(3).random((40, 40, 3))
    big = np.kron(coarse, np.ones((8, 8, 1)))  # (320, 320, 3)
    top, left = 60, 60
    starts = [(top - slot * dy, left - slot * dx) for slot in range(-2, 3)]
    return np.stack([(255 * big[y : y + 192, x : x + 144]).astype(np.uint8) for y, x in starts])


def field(trace: Trace) -> offsets.Offsets:
    return offsets.offsets(trace, next(iter(offsets.scales(trace).values())))


def test_arrows_stand_on_the_cells_and_have_the_length_and_sign_of_the_shift():
    panel = alignment.offset_arrows(moving(3, -2), field(shifted(3, -2)), 2, BOX)
    (arrows,) = marks(panel, Arrows)
    assert (arrows.x[0], arrows.y[0]) == (3.5, 3.5)  # centre of the first cell of stride 8
    assert (arrows.x.max(), arrows.y.max()) == (139.5, 187.5)
    assert set(arrows.u) == {6.0}
    assert set(arrows.v) == {-4.0}
    assert arrows.magnification == 1
    assert "(6.0, −4.0), longest 7.2 input px (one is 1.00 frame px). Arrows at true length." in panel.note
    assert (panel.limits("x"), panel.limits("y"), panel.equal) == ((-0.5, 143.5), (191.5, -0.5), True)
    longer = alignment.offset_arrows(moving(3, -2), field(shifted(3, -2)), -1, BOX, "up left", 4)
    assert set(marks(longer, Arrows)[0].u) == {-3.0 - 4}
    assert "Arrows at 4 times their length." in longer.note
    assert marks(longer, Arrows)[0].extent()[0].min() == 3.5 - 28


def test_dense_scales_are_thinned_so_that_arrows_stay_apart():
    (arrows,) = marks(alignment.offset_arrows(moving(1, 0), field(shifted(1, 0, 4, 4)), 1, BOX), Arrows)
    assert sorted(set(np.diff(np.unique(arrows.x)))) == [8]
    assert arrows.x[0] == 1.5


def test_scales_run_from_coarse_to_fine_and_a_single_frame_says_that_it_aligns_nothing():
    both = Trace("freq-video", shifted(1, 0, 4, 4).records + shifted(1, 0, 16).records)
    assert offsets.scales(both) == {"stride 16": "align16.offset", "stride 4": "align4.offset"}
    assert offsets.offsets(both, "align4.offset").taps == ("group 1", "group 2", "group 3", "group 4")
    assert offsets.offsets(both, "align16.offset").mask.shape == (4, 9, 12, 9)
    with pytest.raises(LookupError, match="spatial-frame aligns nothing"):
        offsets.scales(Trace("spatial-frame", ()))


def test_the_mask_keeps_its_place_and_its_limits():
    panel = alignment.modulation_mask(field(shifted(0, 0)), 2, "up left")
    (cells,) = marks(panel, Heatmap)
    row, column = np.argwhere(cells.values == 0.25)[0]
    assert (cells.x[column], cells.y[row]) == (5 * 8 + 3.5, 2 * 8 + 3.5)
    assert panel.colour.limits == (0, 2)
    assert "from 0.25 to 1.00" in panel.note
    assert (marks(alignment.modulation_mask(field(shifted(0, 0)), 1, "up left"), Heatmap)[0].values == 1).all()


def test_the_right_offsets_bring_a_shifted_neighbour_back_and_wrong_ones_do_not():
    cuts = moving(5, -3)
    right, wrong = field(shifted(5, -3)), field(shifted(-5, 3))
    inner = np.s_[20:-20, 20:-20]
    aligned = marks(alignment.neighbour(cuts, right, 2, "centre"), Image)[0].pixels
    np.testing.assert_array_equal(aligned[inner], cuts[2][inner])
    assert not np.array_equal(marks(alignment.neighbour(cuts, right, 2, aligned=False), Image)[0].pixels, cuts[2])
    before, after, worse = (
        alignment.difference_to_key(cuts, chosen, 2, [40, 40, 60, 100], "centre", moved)
        for chosen, moved in ((right, False), (right, True), (wrong, True))
    )
    assert "0.000, −100 % against before" in after.note
    assert "+" in worse.note
    assert np.abs(marks(before, Heatmap)[0].values).max() > 0.3
    assert before.colour.limits == after.colour.limits


def test_a_field_of_cells_is_read_between_their_centres(rng):
    picture = rng.integers(0, 255, (16, 24, 3), dtype=np.uint8)
    offset = np.zeros((2, 2, 3))
    offset[0, :, 2] = 4  # cells of 8 pixels: the last column of cells reads 4 to the right
    read = crops.read_at(picture, offset)
    np.testing.assert_array_equal(read[:, :12], picture[:, :12])
    np.testing.assert_array_equal(read[:, 20:], 0)  # 24 is outside
    ramp = np.broadcast_to(10 * np.arange(24, dtype=np.uint8)[:, None], (16, 24, 3)).copy()
    assert crops.read_at(ramp, offset)[5, 16, 0] == pytest.approx(10 * (16 + 4 * (16 - 11.5) / 8), abs=1)
    with pytest.raises(ValueError, match=r"offset must be \(2, h, w\), got \(3, 2\)"):
        crops.read_at(picture, np.zeros((3, 2)))


def test_phase_correlation_and_offsets_of_a_moving_texture_agree_in_length_and_sign():
    slots = np.arange(-2, 3)[:, None]
    medians = {"freq-video": slots * [4.0, -2.0], "spatial-video": slots * [-4.0, 2.0], "spatial-frame": slots * np.nan}
    panel = alignment.global_shift(moving(4, -2), medians)
    lines = {line.name: line for line in marks(panel, Line)}
    assert set(lines) == {"phase correlation", "freq-video", "spatial-video"}
    np.testing.assert_allclose(lines["phase correlation"].x, [-8, -4, 0, 4, 8], atol=0.3)
    np.testing.assert_allclose(lines["phase correlation"].y, [4, 2, 0, -2, -4], atol=0.3)
    assert panel.limits("y")[0] > panel.limits("y")[1]  # down is down
    assert "freq-video 0.0 px" in panel.note or "freq-video 0.1 px" in panel.note
    assert "spatial-video 13." in panel.note
    with pytest.raises(LookupError, match="needs a network that aligns; given: spatial-frame"):
        alignment.global_shift(moving(4, -2), {"spatial-frame": slots * np.nan})


def test_a_point_lands_where_it_is_read_and_its_picture_is_the_same_place_of_every_frame():
    cuts, point = moving(5, -3), (70.0, 90.0)
    panel = alignment.landing(cuts, field(shifted(5, -3)), point)
    strip = marks(panel, Image)[0].pixels
    assert strip.shape == (65, 5 * 65, 3)
    np.testing.assert_array_equal(strip[:, 4 * 65 : 5 * 65], cuts[4][58:123, 38:103])
    taps, same, mean = marks(panel, Points)
    assert same.x.tolist() == [32 + 65 * place for place in range(5)]
    assert (mean.x[-1], mean.y[-1]) == (4 * 65 + 32 + 10, 32 - 6)
    key_colour, there = strip[32, 2 * 65 + 32], strip[int(mean.y[-1]), int(mean.x[-1])]
    np.testing.assert_array_equal(key_colour, there)  # the same piece of texture
    assert len(taps.x) == 4 * 9
    assert (taps.x[-9], taps.y[-9]) == (4 * 65 + 32 + 10 - 4 - 8, 32 - 6 - 8)  # up left, with its own offset
    assert (taps.x[-7], taps.y[-7]) == (4 * 65 + 32 + 10 - 2 + 8, 32 - 6 - 8)  # up right
    assert "+2: (80.0, 84.0)" in panel.note
    with pytest.raises(ValueError, match="got 150, 3"):
        alignment.landing(cuts, field(shifted(5, -3)), (150, 3))


def test_an_unknown_neighbour_or_tap_names_those_that_exist():
    with pytest.raises(LookupError, match="no neighbour \\+3 in freq-video; neighbours: −2, −1, \\+1, \\+2"):
        field(shifted(1, 1)).of(3)
    with pytest.raises(LookupError, match="no tap 'middle' at align8.offset; taps: up left, up,"):
        field(shifted(1, 1)).of(1, "middle")


def test_both_renderers_draw_every_figure_and_the_screen_magnifies_arrows():
    cuts, found = moving(3, 1), field(shifted(3, 1))
    panels = [
        alignment.offset_arrows(cuts, found, 1, BOX, None, 4),
        alignment.modulation_mask(found, 1),
        alignment.neighbour(cuts, found, 1),
        alignment.difference_to_key(cuts, found, 1, BOX),
        alignment.global_shift(cuts, {"freq-video": np.arange(-2, 3)[:, None] * [3.0, 1.0]}),
        alignment.landing(cuts, found, (30, 40)),
    ]
    for panel in panels:
        assert panel.guide
        assert panel.formula
        assert panel.source
        assert to_plotly(panel).data
        assert render(panel, "png")
    quiver = next(trace for trace in to_plotly(panels[0]).data if trace.type == "quiver")
    assert (quiver.lengthmode, quiver.lengthfactor, quiver.u[0]) == ("raw", 4, 3)
