"""Frames of a clip as authors print them: a row a network, a column a frame, all cut at one scale."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import crops, figures, look, pairs, poses
from freqviz.panel import Axis, Bars, Image, Line, Mark, Panel, Skeleton

PERSON, WHOLE_FRAME = "Person", "Whole frame"  # what is cut out
MOST = 320  # pixels of a cell's longer side: paper has room for no more
EVEN, SHARPEST, BLURRIEST, AROUND = "Evenly spread", "The sharpest", "The blurriest", "Around one frame"


class Pictures(Protocol):
    """What a strip needs of a clip."""

    @property
    def first(self) -> int:
        """Number of its first frame."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) pixels."""

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """One frame."""


class Found(figures.Weighted, pairs.Found, Protocol):
    """What a strip needs of a light trace."""


def chosen(how: str, count: int, total: int, blur: ArrayLike | None = None, around: int = 0) -> list[int]:
    """Frames for a strip, in the order of time.

    Args:
        how: EVEN; SHARPEST or BLURRIEST, which lie a little apart, since neighbours look alike; or AROUND.
        count: how many; fewer where the clip has no more.
        total: frames of the clip.
        blur: (total,) of each frame, larger is blurrier, NaN where unknown; for SHARPEST and BLURRIEST.
        around: the frame in the middle, for AROUND.
    Raises:
        ValueError: count below 1, another word for `how`, or no frame whose blur is known.
    """
    count = min(count, total)
    if count < 1:
        raise ValueError(f"a strip needs at least one frame, got {count}")
    if how == EVEN:
        return np.unique(np.linspace(0, total - 1, count).round().astype(int)).tolist()
    if how == AROUND:
        start = min(max(around - count // 2, 0), total - count)
        return list(range(start, start + count))
    if how not in (SHARPEST, BLURRIEST):
        raise ValueError(f"frames are chosen {EVEN}, {SHARPEST}, {BLURRIEST} or {AROUND}, got {how!r}")
    values = np.full(total, np.nan) if blur is None else np.asarray(blur, np.float64)
    order = [
        int(i) for i in np.argsort(values if how == SHARPEST else -values, kind="stable") if np.isfinite(values[i])
    ]
    if not order:
        raise ValueError("no frame of this clip has a known blur, so none is the sharpest")
    gap, found = max(1, total // (4 * count)), list[int]()
    while len(found) < count and order:
        found.append(order[0])
        order = [i for i in order if abs(i - found[-1]) >= gap]
    return sorted(found)


def frame_strip(
    clip: Pictures,
    traces: Sequence[Found],
    frames: Sequence[int],
    truth: Mapping[int, ArrayLike] | None = None,
    region: str = PERSON,
    skeletons: bool = True,
    box: bool = False,
    weights: bool = True,
    plain: bool = False,
    edges: Sequence[tuple[int, int]] = poses.EDGES,
) -> Panel:
    """Frames side by side, a row a network: its pose on each, and below each the weights of the frame's window.

    Every cell shows an equal part of the frame at an equal scale, so sizes compare.

    Args:
        clip: what was analysed.
        traces: light traces of this clip, a row each.
        frames: of each column, indices into the clip.
        truth: (J, 2) true joints by frame, NaN where unknown; a last row of their own. Frame pixels.
        region: PERSON, around the box of each frame, or WHOLE_FRAME.
        skeletons: whether poses are drawn.
        box: whether the box that the networks got is drawn.
        weights: whether frame weights stand below the frames of networks that have them.
        plain: a first row of frames without anything on them.
        edges: joints to connect.
    Raises:
        ValueError: no frame, no row, or another region.
        IndexError: no such frame.
    """
    columns = [int(i) for i in frames]
    if not columns:
        raise ValueError("a strip needs at least one frame, got none")
    if not (traces or truth or plain):
        raise ValueError("a strip needs at least one row: a network, the truth or the plain frames")
    if traces and not 0 <= min(columns) <= max(columns) < len(traces[0].keypoints):
        raise IndexError(f"frames must be 0 to {len(traces[0].keypoints) - 1}, got {columns}")
    held, size = _held(clip, traces, columns, region)
    cells = [crops.cut(clip[i], one, size) for i, one in zip(columns, held, strict=True)]
    (height, width), gap = size, max(2, round(0.03 * size[1]))
    across = [column * (width + gap) for column in range(len(columns))]
    roles = look.network_roles([trace.network for trace in traces])
    weighing = [trace for trace in traces if weights and np.isfinite(trace.frame_weights[columns]).any()]
    top = _top(weighing, columns)
    share = round(0.22 * height)  # pixels of the tallest bar
    rows: list[tuple[str, Found | None]] = [("frames", None)] if plain else []
    rows += [(trace.network, trace) for trace in traces]
    rows += [("truth", None)] if truth else []
    bars = [share if any(trace is one for one in weighing) else 0 for _, trace in rows]
    tops = [number * (height + gap) + sum(bars[:number]) for number in range(len(rows))]
    total, tall = across[-1] + width, tops[-1] + height + bars[-1]
    strip, marks = np.full((tall, total, 3), 255, np.uint8), list[Mark]()
    for (name, trace), y, bar in zip(rows, tops, bars, strict=True):
        for x, i, one, cell in zip(across, columns, held, cells, strict=True):
            strip[y : y + height, x : x + width] = cell
            if box and trace is not None:
                marks.append(_outline(crops.to_crop(_corners(trace.boxes[i]), one, size), x, y, size))
            if trace is not None and skeletons:
                points, scores = trace.keypoints[i], trace.scores[i]
                joints, role = trace.joints, roles[name]
            elif name == "truth" and truth and i in truth:
                points, joints, role = np.asarray(truth[i], np.float64), poses.JOINTS, "truth"
                scores = np.ones(len(points))
            else:
                continue
            places = _inside(crops.to_crop(points, one, size), size) + (x, y)
            marks.append(Skeleton(places, scores, joints, edges, role=role))
        if bar and trace is not None:
            marks += _weights(trace, columns, across, width, y + height + share, share / top, roles[name])
    names = tuple((y + (height - 1) / 2, name) for (name, _), y in zip(rows, tops, strict=True))
    shown = f"Bars: weights of the frames of each window, up to {top:.1f}." if weighing else ""
    return Panel(
        "Frame strip",
        Axis("Frame", "", (-0.5, total - 0.5), ticks=tuple(
            (x + (width - 1) / 2, f"{clip.first + i}") for x, i in zip(across, columns, strict=True)
        )),
        Axis("Network", "", (tall - 0.5, -0.5), ticks=names, turned=True),
        (Image(strip), *marks),
        note=shown,
        guide=_guide(bool(weighing), region),
        formula="weights sum to 1 over the window, mean over the person" if weighing else "",
        equal=True,
        bare=True,
    )  # fmt: skip


def _guide(weighing: bool, region: str) -> str:
    scale = "All cells have one scale"
    cut = f"{scale} and follow the person. " if region == PERSON else f"{scale}. "
    poses_said = "The person's right side has the full colour, the left side a lighter one."
    bars = (
        " Under a frame stand the weights of its window, the frame itself in the middle; the dotted line is an equal "
    )
    return cut + poses_said + (bars + "share." if weighing else "")


def _held(
    clip: Pictures, traces: Sequence[Found], columns: Sequence[int], region: str
) -> tuple[list[NDArray[np.float64]], tuple[int, int]]:
    """The box that each frame is cut by, all of one size, and the size of the cells."""
    height, width = clip.size
    if region not in (PERSON, WHOLE_FRAME):
        raise ValueError(f"region must be {PERSON!r} or {WHOLE_FRAME!r}, got {region!r}")
    if region == WHOLE_FRAME or not traces:
        extent = np.array([width, height]) / crops.MARGIN
        centres = np.tile([(width - 1) / 2, (height - 1) / 2], (len(columns), 1))
    else:
        boxes = np.asarray(traces[0].boxes, np.float64)[list(columns)]
        extent = boxes[:, 2:].max(0)
        extent = np.maximum(extent, extent.max() * 0.5)  # no narrower than half of their length
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        reach = crops.MARGIN * extent / 2  # a cut stays in the frame where it fits into it
        edges = np.array([width, height]) - 0.5 - reach
        centres = np.where(edges >= reach - 0.5, np.clip(centres, reach - 0.5, np.maximum(edges, reach - 0.5)), centres)
    step = max(1.0, crops.MARGIN * float(extent.max()) / MOST)
    across, down = (max(8, round(crops.MARGIN * float(one) / step)) for one in extent)
    return [np.concatenate([centre - extent / 2, extent]) for centre in centres], (down, across)


def _top(weighing: Sequence[Found], columns: Sequence[int]) -> float:
    """The weight that the tallest bar may stand for: twice an equal share, or the largest one, in tenths."""
    if not weighing:
        return 1.0
    largest = max(float(np.nanmax(trace.frame_weights[columns])) for trace in weighing)
    return float(np.ceil(10 * max(largest, 2 / weighing[0].frame_weights.shape[1]) - 1e-9) / 10)


def _weights(
    trace: Found, columns: Sequence[int], across: Sequence[int], width: int, base: int, scale: float, role: str
) -> list[Mark]:
    """Bars that stand on the row `base` under each frame, and the level of an equal share."""
    held = np.asarray(trace.frame_weights, np.float64)[list(columns)]
    slots = held.shape[1]
    each = 0.8 * width / slots  # pixels from bar to bar
    places = np.array([x + (width - 1) / 2 + each * (np.arange(slots) - slots // 2) for x in across])
    level = base - 0.5 - scale / slots
    ends = [one for x in across for one in (x + 0.08 * width, x + 0.92 * width, np.nan)]
    heights = np.array([level, level, np.nan] * len(across))
    return [
        Bars(places.ravel(), -scale * held.ravel(), 0.8 * each, base=base - 0.5, role=role),
        Line(np.array(ends), heights, name="equal weights", role="reference"),
    ]


def _inside(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Points in the cell; others would lie on its neighbours, so they are left out."""
    height, width = size
    within = (points >= -0.5).all(1) & (points[:, 0] <= width - 0.5) & (points[:, 1] <= height - 0.5)
    return np.where(within[:, None], points, np.nan)


def _corners(box: ArrayLike) -> NDArray[np.float64]:
    x, y, w, h = np.asarray(box, np.float64)
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]])


def _outline(corners: NDArray[np.float64], x: int, y: int, size: tuple[int, int]) -> Line:
    height, width = size
    held = np.clip(corners, 0, (width - 1, height - 1)) + (x, y)
    return Line(held[:, 0], held[:, 1], name="person box", role="box")
