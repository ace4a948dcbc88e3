"""Poses: the joints, how heatmaps become keypoints, and how far they are from the truth.

Convention: keypoints are (x, y), y down, centre of the top-left pixel = (0, 0). A heatmap is a *density*: it
sums to 1 over its cells, and the centre of cell i lies at stride · i + (stride - 1) / 2 input pixels.
"""

import csv
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.io import loadmat, whosmat

JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist",
    "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head",
)  # fmt: skip
EDGES = (
    (0, 1), (1, 2), (2, 12), (3, 12), (3, 4), (4, 5),
    (6, 7), (7, 8), (8, 12), (9, 12), (9, 10), (10, 11), (12, 13),
)  # fmt: skip
FLIPS = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)  # a joint's name in the mirror
LARGEST = 64 << 20  # bytes of a file of true joints, also once it is inflated
FARTHEST = 1e6  # pixels from the corner that a joint may be: more is no clip
LIMB_JOINTS = tuple(range(12))  # what MoveNet shares with us
ALPHAS = (0.05, 0.1, 0.2)
FROM_JHMDB = (13, 9, 5, 6, 10, 14, 11, 7, 3, 4, 8, 12, 0, 2)  # its joints in our order; belly is left out


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
    smooth = _smoothed(flat)
    peak = smooth.reshape(len(flat), -1).argmax(1)
    row, column = peak // w, peak % w
    n = np.arange(len(flat))

    def log(down: int, right: int) -> NDArray[np.float64]:  # at the border the neighbour does not count
        there = smooth[n, (row + down).clip(0, h - 1), (column + right).clip(0, w - 1)]
        return np.log(np.maximum(there, 1e-12)).astype(np.float64)

    centre, left, right, above, below = log(0, 0), log(0, -1), log(0, 1), log(-1, 0), log(1, 0)
    gx, gy = (right - left) / 2, (below - above) / 2
    hxx, hyy = right - 2 * centre + left, below - 2 * centre + above
    hxy = (log(1, 1) - log(1, -1) - log(-1, 1) + log(-1, -1)) / 4
    determinant = hxx * hyy - hxy**2
    solvable = (determinant > 1e-9) & (row > 0) & (row < h - 1) & (column > 0) & (column < w - 1)
    safe = np.where(solvable, determinant, 1.0)
    dx = np.where(solvable, -(hyy * gx - hxy * gy) / safe, 0.0).clip(-1, 1)
    dy = np.where(solvable, -(hxx * gy - hxy * gx) / safe, 0.0).clip(-1, 1)
    keypoints = np.stack([column + dx, row + dy], -1) * stride + (stride - 1) / 2
    padded = np.pad(flat, ((0, 0), (2, 2), (2, 2)))
    scores = sum(padded[n, row + i, column + j] for i in range(5) for j in range(5))
    return keypoints.reshape(*lead, 2), np.clip(np.asarray(scores, np.float64), 0, 1).reshape(lead)


def _smoothed(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (N, h, w) through a Gaussian of one cell, mirrored at the border: one above the other, in a single call."""
    reach, height = 4, maps.shape[1]
    mirrored = np.pad(np.arange(height), reach, "reflect")  # rows; OpenCV calls this border reflect 101
    tall = maps[:, mirrored].reshape(-1, maps.shape[2])
    size = (2 * reach + 1, 2 * reach + 1)
    smooth = np.asarray(cv2.GaussianBlur(tall, size, 1.0, borderType=cv2.BORDER_REFLECT_101), np.float32)
    return smooth.reshape(len(maps), -1, maps.shape[2])[:, reach:-reach]


def disagreement(keypoints: ArrayLike) -> NDArray[np.float64]:
    """How far networks lie apart: the mean distance between their joints, of the two that differ most.

    Args:
        keypoints: (M, ..., J, 2) of M networks, pixels; a joint that one does not know counts for no pair with it.
    Returns:
        (...) pixels, NaN where no two networks know a joint.
    Raises:
        ValueError: fewer than two networks.
    """
    points = np.asarray(keypoints, np.float64)
    if points.ndim < 3 or len(points) < 2:
        raise ValueError(f"keypoints must be (M, ..., J, 2) of two networks at least, got {points.shape}")
    worst = np.full(points.shape[1:-2], np.nan)
    for a, b in combinations(points, 2):
        apart = np.linalg.norm(a - b, axis=-1)
        known = np.isfinite(apart)
        mean = np.divide(
            np.where(known, apart, 0).sum(-1), known.sum(-1), out=np.full_like(worst, np.nan), where=known.any(-1)
        )
        worst = np.fmax(worst, mean)
    return worst


def read_truth(path: Path | str, frames: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """True joints of every frame of a clip: the CSV that `predict` writes, JHMDB's joint_positions.mat, or our own.

    Args:
        path: .csv with the columns frame, joint, x, y (others are ignored, but one model and one person only), where
            frames and joints may be missing; .mat, where joints outside of the frame are guesses and left out; the .npy
            that the page keeps of either; or the .json of the sample clip.
        frames: of the clip.
        size: (height, width) of the clip; pixels.
    Returns:
        (frames, 14, 2) pixels, NaN where unknown.
    Raises:
        ValueError: none of these, or of another clip.
    """
    path = Path(path)
    if (held := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path.name} has {held >> 20} MB, the truth of a clip {LARGEST >> 20} at most")
    if path.suffix.lower() == ".csv":
        return _read_csv(path, frames)
    if path.suffix.lower() in (".npy", ".json"):
        return _read_own(path, frames)
    if path.suffix.lower() != ".mat":
        raise ValueError(f"{path.name} must be a .csv of poses, JHMDB's .mat, or our own .npy or .json")
    points = read_jhmdb(path, frames)
    return np.where(inside(points, size)[..., None], points, np.nan)


def read_jhmdb(path: Path | str, frames: int | None = None) -> NDArray[np.float64]:
    """JHMDB's joint_positions.mat: `pos_img` (2, 15, T), counted from 1, in the 14 joints of ours.

    Args:
        frames: T where it is known.
    Returns:
        (T, 14, 2) pixels from 0; joints outside of the frame too.
    Raises:
        ValueError: no MATLAB file, or another one.
    """
    path, count = Path(path), "T" if frames is None else frames
    try:
        data = _plain_mat(path.read_bytes())
        file: Any = BytesIO(data)  # the stubs of SciPy know names of files alone
        held = {name: (kind, tuple(size)) for name, size, kind in whosmat(file)}
        kind, shape = held.get("pos_img", ("none", ()))
        numbers = kind in ("double", "single") or "int" in kind
        if not numbers or len(shape) != 3 or shape[:2] != (2, 15) or frames not in (None, shape[2]):
            found = " x ".join(map(str, shape[:8])) + ("" if numbers else kind)
            raise ValueError(f"pos_img must be 2 x 15 x {count}, got {found}")
        points = loadmat(file, variable_names=["pos_img"])["pos_img"].astype(np.float64)
    except Exception as error:  # SciPy lets through whatever it stumbles over
        raise ValueError(f"{path.name} is not JHMDB's joint_positions.mat of this clip: {short(error)}") from None
    return points.transpose(2, 1, 0)[:, FROM_JHMDB] - 1


def _plain_mat(data: bytes) -> bytes:
    """The same MATLAB file without compression: SciPy would inflate whatever comes, and so is given what was counted.

    Raises:
        ValueError: it is cut off, or too large once it is inflated.
    """
    if data[126:128] != b"IM" or data[124:126] != b"\0\1":  # little-endian, version 5
        raise ValueError("no MATLAB file of version 5, as JHMDB has them")
    plain, at = [data[:128]], 128
    while at < len(data):
        kind, size = (int.from_bytes(data[at + place : at + place + 4], "little") for place in (0, 4))
        if at + 8 + size > len(data):
            raise ValueError("it is cut off")
        content = data[at : at + 8 + size]
        if kind == 15:  # compressed
            inflating = zlib.decompressobj()
            content = inflating.decompress(content[8:], LARGEST)
            if not inflating.eof:
                raise ValueError("it is cut off, or too large once it is inflated")
        plain.append(content)
        at += 8 + size
    if sum(map(len, plain)) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB once it is inflated")
    return b"".join(plain)


def _read_own(path: Path, frames: int) -> NDArray[np.float64]:
    try:
        if path.suffix.lower() == ".json":
            points = np.array(json.loads(path.read_text(encoding="utf-8"))["joints"], np.float64)
        else:
            held = np.load(path, mmap_mode="r", allow_pickle=False)  # maps what is there, whatever the header claims
            if held.dtype.kind not in "fiu":
                raise ValueError(f"numbers expected, got {short(held.dtype)}")
            points = np.array(held, np.float64)
    except Exception as error:  # also of the tokenizer that NumPy reads a header with
        raise ValueError(f"{path.name} is no truth of a clip: {short(error)}") from None
    if np.isinf(points).any():
        raise ValueError(f"{path.name} must hold finite numbers, or NaN where a joint is not known")
    if points.shape != (frames, len(JOINTS), 2):
        raise ValueError(f"{path.name} must hold ({frames}, {len(JOINTS)}, 2) for this clip, got {points.shape}")
    return points


def _read_csv(path: Path, frames: int) -> NDArray[np.float64]:
    points = np.full((frames, len(JOINTS), 2), np.nan)
    known: set[tuple[int, str]] = set()
    people: set[tuple[str | None, str | None]] = set()
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines, skipinitialspace=True)
            if missing := [name for name in ("frame", "joint", "x", "y") if name not in (rows.fieldnames or ())]:
                raise ValueError(f"the columns frame, joint, x, y are needed; missing: {', '.join(missing)}")
            for row in rows:
                frame, joint, place = int(row["frame"]), row["joint"], f"line {rows.line_num}"
                if not 0 <= frame < frames:
                    raise ValueError(f"{place}: frame {short(frame)}, but the clip has the frames 0 to {frames - 1}")
                if joint not in JOINTS:
                    raise ValueError(f"{place}: no joint named {short(joint)}; known joints: {', '.join(JOINTS)}")
                people.add((row.get("model"), row.get("person")))
                if len(people) > 1:
                    raise ValueError(f"{place}: a second model or person; a truth has one")
                if (frame, joint) in known:
                    raise ValueError(f"{place}: the {joint} of frame {frame} stands there twice")
                known.add((frame, joint))
                point = [float(row[name] or "nan") for name in ("x", "y")]
                if np.abs(point).max() > FARTHEST:
                    raise ValueError(f"{place}: x and y must be pixels of a frame, got {short(point)}")
                points[frame, JOINTS.index(joint)] = point
    except (ValueError, TypeError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise ValueError(f"{path.name} is no table of poses of this clip: {short(error, 300)}") from None
    if not np.isfinite(points).all(-1).any():
        raise ValueError(f"{path.name} holds no joint")
    return points


def short(value: object, most: int = 100) -> str:
    """What came, in no more characters than a message has room for; an error in its own words."""
    text = str(value) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= most else f"{text[:most]} ..."


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
