"""Poses: the joints, how heatmaps become keypoints, and how far they are from the truth.

Convention: keypoints are (x, y), y down, centre of the top-left pixel = (0, 0). A heatmap is a *density*: it
sums to 1 over its cells, and the centre of cell i lies at stride · i + (stride - 1) / 2 input pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist",
    "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head",
)  # fmt: skip
EDGES = (
    (0, 1), (1, 2), (2, 12), (3, 12), (3, 4), (4, 5),
    (6, 7), (7, 8), (8, 12), (9, 12), (9, 10), (10, 11), (12, 13),
)  # fmt: skip
FLIPS = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)  # a joint's name in the mirror
LIMB_JOINTS = tuple(range(12))  # what MoveNet shares with us
ALPHAS = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Pose:
    """Joints of one person in one frame."""

    keypoints: NDArray[np.float64]  # (J, 2) x, y; pixels
    scores: NDArray[np.float64]  # (J,) in [0, 1]

    def __post_init__(self) -> None:
        if self.keypoints.ndim != 2 or self.keypoints.shape[1] != 2:
            raise ValueError(f"keypoints must be (J, 2), got {self.keypoints.shape}")
        if self.scores.shape != self.keypoints.shape[:1]:
            raise ValueError(f"scores must be ({len(self.keypoints)},), got {self.scores.shape}")


def decode(heatmaps: ArrayLike, stride: int = 4) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keypoints from densities: the highest cell, then one Newton step on the logarithm (DARK).

    Args:
        heatmaps: (..., J, h, w), >= 0; sums to 1 over a map.
        stride: input pixels per cell.
    Returns:
        keypoints (..., J, 2) input pixels; scores (..., J) in [0, 1], the mass within two cells of the peak.
    Raises:
        ValueError: fewer than three axes.
    Reference:
        Zhang et al., Distribution-Aware Coordinate Representation (DARK), CVPR 2020, eq. 4-9.
    """
    maps = np.asarray(heatmaps, dtype=np.float32)
    if maps.ndim < 3:
        raise ValueError(f"heatmaps must be (..., J, h, w), got {maps.shape}")
    lead, (h, w) = maps.shape[:-2], maps.shape[-2:]
    flat = maps.reshape(-1, h, w)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT_101) for one in flat])
    peak = smooth.reshape(len(flat), -1).argmax(1)
    row, column = peak // w, peak % w
    logs = np.pad(np.log(np.maximum(smooth, 1e-12)), ((0, 0), (1, 1), (1, 1)), mode="edge").astype(np.float64)
    n, y, x = np.arange(len(flat)), row + 1, column + 1
    centre = logs[n, y, x]
    gx, gy = (logs[n, y, x + 1] - logs[n, y, x - 1]) / 2, (logs[n, y + 1, x] - logs[n, y - 1, x]) / 2
    hxx = logs[n, y, x + 1] - 2 * centre + logs[n, y, x - 1]
    hyy = logs[n, y + 1, x] - 2 * centre + logs[n, y - 1, x]
    hxy = (logs[n, y + 1, x + 1] - logs[n, y + 1, x - 1] - logs[n, y - 1, x + 1] + logs[n, y - 1, x - 1]) / 4
    determinant = hxx * hyy - hxy**2
    solvable = (determinant > 1e-9) & (row > 0) & (row < h - 1) & (column > 0) & (column < w - 1)
    safe = np.where(solvable, determinant, 1.0)
    dx = np.where(solvable, -(hyy * gx - hxy * gy) / safe, 0.0).clip(-1, 1)
    dy = np.where(solvable, -(hxx * gy - hxy * gx) / safe, 0.0).clip(-1, 1)
    keypoints = np.stack([column + dx, row + dy], -1) * stride + (stride - 1) / 2
    padded = np.pad(flat, ((0, 0), (2, 2), (2, 2)))
    scores = sum(padded[n, row + i, column + j] for i in range(5) for j in range(5))
    return keypoints.reshape(*lead, 2), np.clip(np.asarray(scores, np.float64), 0, 1).reshape(lead)


def inside(keypoints: ArrayLike, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which joints (..., J, 2) lie within a frame of (height, width); JHMDB guesses those outside."""
    points = np.asarray(keypoints)
    return (points >= -0.5).all(-1) & (points[..., 0] <= size[1] - 0.5) & (points[..., 1] <= size[0] - 0.5)


def box_norm(keypoints: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """Larger side of the tight box of the counting joints; (..., J, 2), (..., J) to (...,), pixels.

    NaN where no joint counts.
    This is not the person box of the literature, which is larger: scores are stricter here.
    """
    points, chosen = np.asarray(keypoints, np.float64), np.asarray(counts, bool)[..., None]
    low, high = np.where(chosen, points, np.inf).min(-2), np.where(chosen, points, -np.inf).max(-2)
    return np.where(chosen.any((-2, -1)), (high - low).max(-1), np.nan)


def torso_norm(keypoints: ArrayLike) -> NDArray[np.float64]:
    """Distance from right shoulder to left hip; (..., J, 2) to (...,), pixels."""
    points = np.asarray(keypoints, np.float64)
    return np.linalg.norm(points[..., 8, :] - points[..., 3, :], axis=-1)


def correct(
    predicted: ArrayLike, truth: ArrayLike, norm: ArrayLike, alphas: Sequence[float] = ALPHAS
) -> NDArray[np.bool_]:
    """Which joints lie within alpha · norm of the truth.

    Args:
        predicted, truth: (N, J, 2) pixels.
        norm: (N,) pixels.
        alphas: fractions of the norm.
    Returns:
        (alphas, N, J) bool.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted and truth must have one shape, got {predicted.shape} and {truth.shape}")
    distance = np.linalg.norm(predicted - truth, axis=-1)
    return distance[None] <= np.asarray(alphas)[:, None, None] * np.asarray(norm)[None, :, None]


def pck(
    predicted: ArrayLike,
    truth: ArrayLike,
    norm: ArrayLike,
    counts: ArrayLike,
    alphas: Sequence[float] = ALPHAS,
) -> NDArray[np.float64]:
    """Percentage (as a fraction) of correct keypoints, averaged over joint instances that count.

    Args:
        predicted, truth: (N, J, 2) pixels.
        norm: (N,) pixels, e.g. `box_norm`.
        counts: (N, J) bool.
        alphas: fractions of the norm.
    Returns:
        (alphas,) in [0, 1]; NaN when nothing counts.
    Reference:
        Yang and Ramanan, Articulated pose estimation, PAMI 2013.
    """
    chosen = np.asarray(counts, bool)
    hits = correct(predicted, truth, norm, alphas)[:, chosen]
    return hits.mean(1) if chosen.any() else np.full(len(alphas), np.nan)
