"""Does a frame strip show the right frames at one scale, with each network's own poses and weights?"""

from dataclasses import dataclass, replace

import both_renderers
import numpy as np
import pytest

from freqviz import crops, poses, to_matplotlib
from freqviz.clip import Clip
from freqviz.figures_strip import AROUND, BLURRIEST, EVEN, SHARPEST, WHOLE_FRAME, chosen, frame_strip
from freqviz.panel import Axis, Bars, Image, Line, Panel, Skeleton
from freqviz.paper import paper
from freqviz.to_pgfplots import to_pgfplots
from freqviz.to_plotly import to_plotly

FRAMES = [3, 7]
STRIP = round(0.22 * 100)  # rows of the bars under cells of 100


@dataclass
class Light:
    network: str
    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    frame_weights: np.ndarray
    effective_frames: np.ndarray
    joints: tuple = poses.JOINTS


def light(name, rng, weights=True):
    """Ten frames of a person who grows; the box of frame 7 is 40 wide and 80 tall, that of frame 3 smaller."""
    boxes = np.array([[60 + i, 50, 33 + i, 66 + 2 * i] for i in range(10)], float)
    points = boxes[:, None, :2] + rng.random((10, 14, 2)) * boxes[:, None, 2:]
    held = rng.dirichlet(np.ones(5), 10) if weights else np.full((10, 5), np.nan)
    return Light(name, points, rng.random((10, 14)), boxes, held, 1 / (held**2).sum(1))


@pytest.fixture
def clip(rng):
    return Clip.from_frames(list(rng.integers(0, 255, (10, 200, 260, 3), dtype=np.uint8))).part(0, 10)


@pytest.fixture
def traces(rng):
    return [light("spatial-frame", rng, weights=False), light("freq-video", rng)]


def test_every_cell_is_the_person_at_the_scale_of_the_largest_box(clip, traces):
    panel = frame_strip(clip, traces, FRAMES)
    (picture,) = [mark for mark in panel.marks if isinstance(mark, Image)]
    gap = max(2, round(0.03 * 50))
    assert picture.pixels.shape == (100 + gap + 100 + STRIP, 50 + gap + 50, 3)  # 1.25 × (40, 80), unscaled
    for column, i in enumerate(FRAMES):
        x, y, w, h = traces[0].boxes[i]
        equal = [x + w / 2 - 20, y + h / 2 - 40, 40, 80]
        cell = picture.pixels[:100, column * (50 + gap) :][:, :50]
        assert np.array_equal(cell, crops.cut(clip[i], equal, (100, 50)))
    assert (picture.pixels[:, 50 : 50 + gap] == 255).all()
    assert [text for _, text in panel.x.ticks] == ["3", "7"]
    assert [text for _, text in panel.y.ticks] == ["spatial-frame", "freq-video"]


def test_poses_lie_on_the_person_of_their_own_row(clip, traces):
    panel = frame_strip(clip, traces, FRAMES)
    drawn = [mark for mark in panel.marks if isinstance(mark, Skeleton)]
    assert [mark.role for mark in drawn] == ["frame", "frame", "frequency", "frequency"]
    last, (x, y, w, h) = drawn[-1], traces[1].boxes[7]
    offset = (50 + max(2, 2), 100 + max(2, 2))
    middle = [(x + w / 2), (y + h / 2)]
    expected = traces[1].keypoints[7] - middle + [24.5, 49.5] + offset
    assert last.keypoints == pytest.approx(expected)
    assert last.scores == pytest.approx(traces[1].scores[7])


def test_bars_stand_under_their_frame_and_are_as_tall_as_the_weights(clip, traces):
    panel = frame_strip(clip, traces, FRAMES)
    (bars,) = [mark for mark in panel.marks if isinstance(mark, Bars)]
    weights = traces[1].frame_weights[FRAMES]
    top = np.ceil(10 * max(weights.max(), 0.4)) / 10
    assert bars.height == pytest.approx(-STRIP / top * weights.ravel())
    assert bars.base == 2 * 100 + 2 + STRIP - 0.5
    assert (bars.x[:5] < 50).all()
    assert (bars.x[5:] > 51).all()
    assert f"up to {top:.1f}" in panel.note
    (level,) = [mark for mark in panel.marks if isinstance(mark, Line)]
    assert np.nanmax(level.y) == np.nanmin(level.y) == pytest.approx(bars.base - STRIP / top / 5)


def test_a_joint_beyond_the_cut_is_left_out_instead_of_lying_on_the_neighbour(clip, traces):
    traces[0].keypoints[3, 5] = 259, 100
    panel = frame_strip(clip, traces, FRAMES)
    first = next(mark for mark in panel.marks if isinstance(mark, Skeleton))
    assert np.isnan(first.keypoints[5]).all()
    assert np.isfinite(np.delete(first.keypoints, 5, 0)).all()


def test_truth_plain_frames_and_boxes_have_their_place(clip, traces):
    truth = {7: np.full((14, 2), 100.0)}
    panel = frame_strip(clip, traces[1:], FRAMES, truth, box=True, weights=False, plain=True)
    assert [text for _, text in panel.y.ticks] == ["frames", "freq-video", "truth"]
    drawn = [mark.role for mark in panel.marks if isinstance(mark, Skeleton)]
    assert drawn == ["frequency", "frequency", "truth"]
    assert sum(mark.role == "box" for mark in panel.marks) == 2
    assert not panel.note
    bare = frame_strip(clip, traces, FRAMES, skeletons=False, weights=False)
    assert [type(mark) for mark in bare.marks] == [Image]


def test_the_whole_frame_is_shown_as_it_is_where_paper_has_room(clip, traces):
    panel = frame_strip(clip, traces[:1], [3], region=WHOLE_FRAME, weights=False)
    assert np.array_equal(panel.marks[0].pixels, clip[3])


@pytest.mark.parametrize("region", ["Person", WHOLE_FRAME])
def test_both_renderers_draw_it(clip, traces, region):
    both_renderers.agree(frame_strip(clip, traces, FRAMES, {3: np.full((14, 2), 90.0)}, region, box=True))


def test_frames_are_chosen_evenly_around_one_or_by_blur_and_a_little_apart():
    blur = np.array([5, 1, 1.1, 1.2, 9, 9.1, 3, 2, np.nan, 4, 4, 4, 4, 4, 4, 4])
    assert chosen(EVEN, 4, 16) == [0, 5, 10, 15]
    assert chosen(AROUND, 5, 16, around=1) == [0, 1, 2, 3, 4]
    assert chosen(AROUND, 5, 16, around=9) == [7, 8, 9, 10, 11]
    assert chosen(SHARPEST, 2, 16, blur) == [1, 3]  # two frames apart: 2 is the neighbour of 1
    assert chosen(BLURRIEST, 2, 16, blur) == [0, 5]
    assert chosen(EVEN, 9, 3) == [0, 1, 2]
    with pytest.raises(ValueError, match="no frame of this clip has a known blur"):
        chosen(SHARPEST, 2, 4, np.full(4, np.nan))
    with pytest.raises(ValueError, match="chosen Evenly spread, .* got 'best'"):
        chosen("best", 2, 4)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"frames": []}, ValueError, "at least one frame"),
        ({"frames": [3, 10]}, IndexError, r"frames must be 0 to 9, got \[3, 10\]"),
        ({"frames": [3], "region": "Face"}, ValueError, "region must be 'Person' or 'Whole frame', got 'Face'"),
        ({"frames": [3], "traces": []}, ValueError, "at least one row"),
    ],
)
def test_nonsense_is_refused(clip, traces, given, error, message):
    with pytest.raises(error, match=message):
        frame_strip(clip, **{"traces": traces} | given)


def test_bars_begin_at_their_base_on_screen_and_on_paper():
    panel = Panel("t", Axis("x"), Axis("y"), (Bars([0, 1], [-2, -3], base=10),))
    patches = to_matplotlib.to_matplotlib(panel).axes[0].patches
    assert [(bar.get_y(), bar.get_height()) for bar in patches] == [(10, -2), (10, -3)]
    assert to_plotly(panel).data[0].base == 10
    assert panel.limits("y") == pytest.approx((7 - 0.12, 10 + 0.12))
    assert r"(axis cs:0.6,10) rectangle (axis cs:1.4,7)" in to_pgfplots(panel)["figure.tex"].decode()


@pytest.mark.parametrize("venue", ["CVPR, ICCV", "Nature"])
@pytest.mark.parametrize("width", ["column", "text"])
def test_nothing_of_a_strip_is_cut_off_by_the_edge_of_the_page(clip, traces, venue, width):
    trace = replace(traces[1], boxes=traces[1].boxes * [1, 1, 1.5, 1])
    panel = frame_strip(clip, [replace(trace, network="spatial-video"), trace], [0, 3, 6, 9])
    drawn = to_matplotlib.to_matplotlib(panel, paper(venue, width))
    drawn.draw_without_rendering()
    (axes,), page = drawn.axes, drawn.bbox
    legend = axes.get_legend().get_window_extent()
    (title, *_) = [text.get_window_extent() for text in axes.texts if "Frame strip" in text.get_text()]
    assert title.y1 <= page.y1
    assert legend.y0 >= page.y0
    assert axes.yaxis.get_label().get_window_extent().x0 >= page.x0
