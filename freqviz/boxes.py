"""Where the person is over time: the ladder of boxes, and how long one is held.

Convention: a box is tight, `x, y, w, h` in frame pixels, as in `crops`. Joints end inside the body, so the
box of a pose is its joints' box grown by `PAD`.
"""

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import crops
from freqviz.spectra import phase_correlation

PAD = 1.1  # person box per joint box
INNER = 0.8  # of the crop: joints that leave it ask for a new cut
RESIZE = 0.2  # so does a size that differs by more
SCORE = 0.2  # joints below it do not move a box
FEWEST = 6  # joints that must count, as in the protocol
MOST = 0.7  # of the joints must be certain before their box tells the size
JUMP = 1.4  # largest change of size at one cut

Box = NDArray[np.float64]


def checked(box: ArrayLike) -> Box:
    """(4,) float box.

    Raises:
        ValueError: not four finite numbers with w and h > 0.
    """
    crops.scale(box)
    return np.asarray(box, dtype=np.float64)


def whole_frame(size: tuple[int, int]) -> Box:
    """The box of a whole frame of (height, width), pixel edges included."""
    return np.array([-0.5, -0.5, size[1], size[0]])


def of_pose(keypoints: ArrayLike, scores: ArrayLike, held: ArrayLike) -> Box | None:
    """Person box of a pose: the box of its certain joints, grown by `PAD`.

    With less than `MOST` of the joints certain the size is unknown: the held box is moved, no more than brings them
    inside. A size changes by at most `JUMP` at a time, so that one wild pose cannot lose the person.

    Args:
        keypoints: (P, J, 2) the last poses, whose median counts; frame pixels.
        scores: (P, J) in [0, 1].
        held: (4,) the box so far.
    Returns:
        (4,), or None when fewer than six joints are certain.
    """
    points = np.median(np.asarray(keypoints, np.float64), 0)
    certain = np.median(np.asarray(scores, np.float64), 0) >= SCORE
    if certain.sum() < FEWEST:
        return None
    person = grown(crops.around(points[certain]), PAD)
    if certain.mean() < MOST:
        box = np.array(held, np.float64)
        lack = np.minimum(person[:2] - box[:2], 0), np.maximum(person[:2] + person[2:] - box[:2] - box[2:], 0)
        box[:2] += lack[0] + lack[1]
        return box
    ratio = crops.scale(person) / crops.scale(held)
    return grown(person, float(np.clip(ratio, 1 / JUMP, JUMP)) / ratio)


def grown(box: ArrayLike, factor: float) -> Box:
    """The box with its extent multiplied around its centre."""
    x, y, w, h = np.asarray(box, np.float64)
    return np.array([x - w * (factor - 1) / 2, y - h * (factor - 1) / 2, w * factor, h * factor])


def fits(held: ArrayLike, person: ArrayLike, size: tuple[int, int] = crops.SIZE) -> bool:
    """Whether a held box still serves a person.

    Args:
        held, person: (4,) frame pixels.
        size: (height, width) of the crop.
    Returns:
        False when its joints leave the inner 80 % of the crop, or its size differs by more than 20 %.
    """
    step = crops.scale(held, size)
    ratio = crops.scale(person, size) / step
    x, y, w, h = np.asarray(held, np.float64)
    centre = np.array([x + w / 2, y + h / 2])
    reach = INNER * step * np.array([size[1], size[0]]) / 2
    left, top, width, height = grown(person, 1 / PAD)
    inside = (left, top) >= centre - reach - 1e-9, (left + width, top + height) <= centre + reach + 1e-9
    return bool(np.all(inside) and 1 - RESIZE <= ratio <= 1 + RESIZE)


def visible(box: ArrayLike, size: tuple[int, int]) -> bool:
    """Whether at least a quarter of a box lies in the frame of (height, width)."""
    x, y, w, h = np.asarray(box, np.float64)
    across = min(x + w, size[1] - 0.5) - max(x, -0.5)
    down = min(y + h, size[0] - 0.5) - max(y, -0.5)
    return bool(across > 0 and down > 0 and across * down >= w * h / 4)


def led(person: ArrayLike, velocity: ArrayLike, most: int) -> Box:
    """The person's box moved ahead, so that it serves longest a person who moves on; at most `most` frames.

    Args:
        person: (4,) frame pixels.
        velocity: (2,) pixels per frame.
    """
    person, step = np.asarray(person, np.float64), np.array([*np.asarray(velocity, np.float64), 0, 0])
    served = [
        k
        for k in range(most + 1)
        if fits(person + step * k / 2, person) and fits(person + step * k / 2, person + step * k)
    ]
    return person + step * max(served, default=0) / 2


def frames_until_cut(held: ArrayLike, person: ArrayLike, velocity: ArrayLike, most: int) -> int:
    """How many frames a person moving on at `velocity` (2,) pixels per frame stays served, 1 ... most."""
    shift = np.zeros(4)
    for count in range(1, most):
        shift[:2] = count * np.asarray(velocity)
        if not fits(held, np.asarray(person) + shift):
            return count
    return most


def read_boxes(path: Path | str) -> dict[int, Box]:
    """Boxes of key frames from a CSV with the columns frame, x, y, w, h (any order, others ignored).

    Raises:
        ValueError: unreadable, a column or a number is missing, a frame is negative or stands twice.
    """
    boxes: dict[int, Box] = {}
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        names = [name.strip() for name in rows.fieldnames or ()]
        rows.fieldnames = names
        if missing := [name for name in ("frame", "x", "y", "w", "h") if name not in names]:
            raise ValueError(f"{path} must have the columns frame, x, y, w, h; missing {', '.join(missing)}")
        for line, row in enumerate(rows, start=2):
            try:
                frame = int(row["frame"])
                box = checked([float(row[name]) for name in "xywh"])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {line}: {error}") from None
            if frame < 0 or frame in boxes:
                raise ValueError(f"{path}, line {line}: frame {frame} is {'negative' if frame < 0 else 'there twice'}")
            boxes[frame] = box
    if not boxes:
        raise ValueError(f"{path} holds no box")
    return boxes


def between(key_boxes: dict[int, Box], frames: int) -> NDArray[np.float64]:
    """(frames, 4) boxes of all frames: linear between key frames, held before the first, after the last."""
    keys = sorted(key_boxes)
    values = np.stack([checked(key_boxes[key]) for key in keys])
    return np.stack([np.interp(np.arange(frames), keys, values[:, i]) for i in range(4)], 1)


def motion_box(frames: Sequence[NDArray[np.uint8]], width: int = 160) -> Box | None:
    """Box of what moves in the first frame, camera motion removed: not a person detector.

    The median over later frames of the difference to the first one is large where the first frame showed
    something that is elsewhere in most of the others.

    Args:
        frames: the first and some later frames, (H, W, 3) uint8.
        width: columns that the frames are reduced to.
    Returns:
        (4,) frame pixels, or None when nothing moves or everything does.
    """
    if len(frames) < 2:
        return None
    ratio = max(1.0, frames[0].shape[1] / width)
    size = (round(frames[0].shape[1] / ratio), round(frames[0].shape[0] / ratio))
    ratios = np.array([frames[0].shape[1] / size[0], frames[0].shape[0] / size[1]])
    small = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for f in frames]
    light = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0) for image in small]
    shifts = np.cumsum([_camera_shift(a, b) for a, b in pairwise(light)], 0)
    stack = np.stack([_difference(light[0], image, shift) for image, shift in zip(light[1:], shifts, strict=True)])
    covered = np.isfinite(stack).any(0)
    change = np.zeros(stack.shape[1:], np.float32)
    change[covered] = np.nanmedian(stack[:, covered], 0)
    floor, peak = float(np.median(change)), float(np.quantile(change, 0.995))
    moving = (change > max(6.0, 4 * floor, 0.2 * peak)).astype(np.uint8)
    reach = max(3, round(0.08 * min(size))) | 1
    closed = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(closed)
    if count < 2:
        return None
    energy = np.bincount(labels.ravel(), weights=(change * moving).ravel(), minlength=count)
    rows, columns = np.nonzero((labels == 1 + int(energy[1:].argmax())) & (moving > 0))
    low = np.array([np.quantile(columns, 0.01), np.quantile(rows, 0.01)])
    high = np.array([np.quantile(columns, 0.99), np.quantile(rows, 0.99)]) + 1
    share = float(np.prod((high - low) / np.array(size)))
    if not 0.004 <= share <= 0.8:
        return None
    corner, extent = low * ratios - 0.5, (high - low) * ratios
    return np.concatenate([corner, extent])


def _camera_shift(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(2,) x, y by which the ground moved: the median over nine tiles, since some may hold the person."""
    tiles = [(rows, columns) for rows in _thirds(a.shape[0]) for columns in _thirds(a.shape[1])]
    return np.median([phase_correlation(a[tile], b[tile])[0] for tile in tiles], 0)


def _thirds(n: int) -> list[slice]:
    return [slice(i * n // 3, (i + 1) * n // 3) for i in range(3)]


def _difference(first: NDArray[Any], later: NDArray[Any], shift: NDArray[np.float64]) -> NDArray[Any]:
    """|later - first|, the camera's shift undone if that explains more; NaN where `later` does not reach."""
    back = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = first.shape[::-1]
    moved = cv2.warpAffine(later, back, size, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan"))
    still, shifted = np.abs(later - first), np.abs(moved - first)
    return shifted if np.nanmedian(shifted) < np.median(still) else still
