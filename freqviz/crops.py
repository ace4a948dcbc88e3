"""How a person is cut out of a frame: the one place, for learning, evaluation, command line and page.

Convention: points are (x, y), y down, the centre of the top-left pixel is (0, 0); a box is `x, y, w, h` in
the same coordinates and is *tight*; the cut grows its shorter side to the aspect of the network, then both by
1.25. Sizes are (height, width).
"""

import math
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

SIZE = (192, 144)  # input of every network of the project
MARGIN = 1.25  # of the grown box; DCPose, FAMI-Pose and mmpose use the same
SKIPS = 1.6  # frame pixels per crop pixel from which on bilinear sampling would skip some


def scale(box: ArrayLike, size: tuple[int, int] = SIZE) -> float:
    """Frame pixels per crop pixel.

    Args:
        box: (4,) x, y, w, h; frame pixels, w and h > 0.
        size: (height, width) of the crop; pixels.
    Raises:
        ValueError: the box is not four finite numbers with a positive extent.
    """
    x, y, w, h = _checked(box)
    return MARGIN * max(w / size[1], h / size[0])


def matrix(
    box: ArrayLike,
    size: tuple[int, int] = SIZE,
    rotation: float = 0.0,
    zoom: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip: bool = False,
) -> NDArray[np.float64]:
    """Affine map from frame to crop.

    Args:
        box: (4,) x, y, w, h; frame pixels.
        size: (height, width) of the crop; pixels.
        rotation: radians, from x towards y; augmentation only, like the following.
        zoom: > 1 makes the person smaller in the crop.
        shift: (x, y) moves the crop window; fraction of its extent.
        flip: mirror left and right.
    Returns:
        (2, 3) so that crop = matrix @ (x, y, 1).
    """
    x, y, w, h = _checked(box)
    step = scale(box, size) * zoom
    height, width = size
    centre = np.array([x + w / 2, y + h / 2]) + np.array(shift) * step * np.array([width, height])
    cosine, sine = np.cos(rotation), np.sin(rotation)
    linear = np.array([[cosine, -sine], [sine, cosine]]) / step
    if flip:
        linear = np.diag([-1.0, 1.0]) @ linear
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, middle - linear @ centre])


def warp(frame: NDArray[np.uint8], to_crop: NDArray[np.float64], size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Resample a frame through an affine map, black outside; areas are averaged when it shrinks.

    Args:
        frame: (H, W, 3) uint8.
        to_crop: (2, 3) frame to crop.
        size: (height, width) of the result; pixels.
    Returns:
        (height, width, 3) uint8.
    Raises:
        ValueError: `frame` is not (H, W, 3) uint8.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
    step = 1 / np.sqrt(abs(np.linalg.det(to_crop[:, :2])))
    while step >= 2 * SKIPS:  # two by two pixels take a tenth of the time of any other areas
        frame, to_crop = _halved(frame, to_crop)
        step /= 2
    if step > SKIPS:  # average areas first
        rows, columns = (max(1, round(n / step)) for n in frame.shape[:2])
        ratio = np.array([frame.shape[1] / columns, frame.shape[0] / rows])  # frame pixels per small pixel
        offset = to_crop[:, 2] + to_crop[:, :2] @ (ratio / 2 - 0.5)  # centre of the small top-left pixel
        to_crop = np.column_stack([to_crop[:, :2] * ratio, offset])
        corners = np.array([[x, y] for x in (0, size[1] - 1) for y in (0, size[0] - 1)])
        seen = transform(corners, np.asarray(cv2.invertAffineTransform(to_crop), np.float64))
        frame = _shrunk(frame, (rows, columns), np.floor(seen.min(0))[::-1] - 2, np.ceil(seen.max(0))[::-1] + 3)
    return np.asarray(cv2.warpAffine(frame, to_crop, (size[1], size[0]), flags=cv2.INTER_LINEAR), np.uint8)


def _halved(frame: NDArray[np.uint8], to_crop: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A frame at half the size, and the map from there to the crop; an odd last row or column is left out."""
    rows, columns = (n // 2 for n in frame.shape[:2])
    if not rows * columns:
        return np.zeros((1, 1, 3), np.uint8), to_crop
    small = cv2.resize(frame[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
    offset = to_crop[:, 2] + to_crop[:, :2].sum(1) / 2  # the centre of the small top-left pixel lies at (.5, .5)
    return np.asarray(small, np.uint8), np.column_stack([2 * to_crop[:, :2], offset])


def _shrunk(
    frame: NDArray[np.uint8], size: tuple[int, int], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The frame at another size by averaging areas, computed from (row, column) `low` to `high` only, black elsewhere.

    The same bytes as of the whole: a part begins where the pixel grids of both sizes meet.
    """
    parts = []
    for large, small, start, stop in zip(frame.shape, size, low, high, strict=False):
        ratio = Fraction(large, small)
        first = int(np.clip(start, 0, small)) // ratio.denominator * ratio.denominator
        last = int(np.clip(stop, first, small))
        parts.append((slice(first, last), slice(int(first * ratio), min(large, math.ceil(last * ratio) + 1))))
    (rows, of_rows), (columns, of_columns) = parts
    shrunk = np.zeros((*size, 3), np.uint8)
    if shrunk[rows, columns].size:
        factors = {"fx": size[1] / frame.shape[1], "fy": size[0] / frame.shape[0]}
        part = cv2.resize(frame[of_rows, of_columns], None, **factors, interpolation=cv2.INTER_AREA)
        shrunk[rows, columns] = part[: rows.stop - rows.start, : columns.stop - columns.start]
    return shrunk


def cut(frame: NDArray[np.uint8], box: ArrayLike, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """The person in `box`, as every network sees it; black outside the frame.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: (4,) tight x, y, w, h; frame pixels.
        size: (height, width) of the crop; pixels.
    Returns:
        (height, width, 3) uint8.
    """
    return warp(frame, matrix(box, size), size)


def to_crop(points: ArrayLike, box: ArrayLike, size: tuple[int, int] = SIZE) -> NDArray[np.float64]:
    """Points of the frame in crop pixels; (..., 2) to (..., 2)."""
    return transform(points, matrix(box, size))


def to_frame(points: ArrayLike, box: ArrayLike, size: tuple[int, int] = SIZE) -> NDArray[np.float64]:
    """Points of the crop in frame pixels; (..., 2) to (..., 2)."""
    return transform(points, np.asarray(cv2.invertAffineTransform(matrix(box, size)), np.float64))


def person_cells(
    cells: tuple[int, ...], stride: int, box: ArrayLike, size: tuple[int, int] = SIZE
) -> NDArray[np.bool_]:
    """Which cells of a map over the crop have their centre in the tight box; all of them if none has.

    Args:
        cells: (h, w) of the map.
        stride: input pixels per cell; the centre of cell i lies at stride · i + (stride - 1) / 2.
        box: (4,) x, y, w, h; frame pixels.
        size: (height, width) of the crop; pixels.
    Returns:
        (h, w).
    """
    x, y, w, h = _checked(box)
    (left, top), (right, bottom) = to_crop([[x, y], [x + w, y + h]], box, size)
    rows, columns = (np.arange(n) * stride + (stride - 1) / 2 for n in cells)
    mask = ((rows >= top) & (rows <= bottom))[:, None] & ((columns >= left) & (columns <= right))[None]
    return mask if mask.any() else np.ones_like(mask)


def read_at(picture: NDArray[np.uint8], offset: ArrayLike) -> NDArray[np.uint8]:
    """The picture read at p + offset(p) for every place p, as alignment reads a neighbour; black outside.

    Args:
        picture: (H, W, 3) uint8.
        offset: (2, h, w) dx, dy in pixels of the picture; a coarser field is bilinear between the centres of its
            cells, which cover the picture.
    Returns:
        (H, W, 3) uint8, bilinear samples.
    Raises:
        ValueError: `offset` is not (2, h, w).
    Reference:
        Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015, eq. 5.
    """
    field = np.asarray(offset, np.float32)
    if field.ndim != 3 or len(field) != 2:
        raise ValueError(f"offset must be (2, h, w), got {field.shape}")
    height, width = picture.shape[:2]
    dx, dy = (cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR) for part in field)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray(cv2.remap(picture, x + dx, y + dy, cv2.INTER_LINEAR), np.uint8)


def transform(points: ArrayLike, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (..., 2) by an affine (2, 3)."""
    points = np.asarray(points, dtype=np.float64)
    if points.shape[-1:] != (2,):
        raise ValueError(f"points must be (..., 2), got {points.shape}")
    return points @ affine[:, :2].T + affine[:, 2]


def around(points: ArrayLike) -> NDArray[np.float64]:
    """Smallest box of points (N, 2); NaN points are left out.

    Raises:
        ValueError: no finite point.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        raise ValueError("a box needs at least one finite point, got none")
    low, high = points.min(0), points.max(0)
    return np.concatenate([low, np.maximum(high - low, 1.0)])


def _checked(box: ArrayLike) -> tuple[float, float, float, float]:
    values = np.asarray(box, dtype=np.float64)
    if values.shape != (4,) or not np.isfinite(values).all() or values[2] <= 0 or values[3] <= 0:
        raise ValueError(f"box must be four finite numbers x, y, w, h with w and h > 0, got {values.tolist()}")
    x, y, w, h = values.tolist()
    return x, y, w, h
