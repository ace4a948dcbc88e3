"""Two networks on one clip: how far apart they are, which is nearer the truth, which is steadier.

Convention: frames are indices into the traces; tables have the numbers that the clip gives them. What needs no truth is
in box sides, the longer side of the person box that the frame was cut by; what needs the truth in joint-box sides, the
larger side of the tight box around the frame's true joints (`poses.box_norm`). Differences are A − B.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import compare, poses, reading

LEVEL = 0.95  # of intervals
SMALLEST = 1e-12  # differences below it are ties

Two = tuple[NDArray[np.float64], NDArray[np.float64]]  # of A and of B


class Found(Protocol):
    """What a comparison needs of a light trace: N frames, J joints."""

    @property
    def network(self) -> str:
        """Its name."""

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """(N, J, 2) frame pixels."""

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N, J) in [0, 1]."""

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) x, y, w, h; frame pixels."""

    @property
    def joints(self) -> tuple[str, ...]:
        """(J,) names."""


@dataclass(frozen=True)
class Quantity:
    """What is compared frame by frame."""

    label: str
    unit: str
    needs_truth: bool
    wins: str  # what a network does in a frame where it has the better, or else the lower, value; "{}" is the network
    higher: bool = False  # whether that is the higher value
    formula: str = ""


ACCELERATION = "p(t − 1) − 2 p(t) + p(t + 1)"
QUANTITIES = {
    "error": Quantity(
        "Distance from the truth", "joint-box sides", True, "{} is nearer the truth",
        formula="mean over the joints of |joint − true joint| / larger side of the true joints' box",
    ),
    **{
        f"pck@{alpha:g}": Quantity(
            f"Joints within {alpha:g} joint-box sides of the truth", "share", True, "{} has more joints right", True,
            f"share of the known joints with |joint − true joint| ≤ {alpha:g} × larger side of the true joints' box",
        )
        for alpha in poses.ALPHAS
    },
    "acceleration error": Quantity(
        "Error of acceleration", "joint-box sides/frame²", True, "{} moves more like the truth",
        formula=f"mean over the joints of |{ACCELERATION} of joint − true joint| / larger side of the true joints' box",
    ),
    "jitter": Quantity(
        "Jitter", "box sides/frame²", False, "{} jitters less",
        formula=f"mean over the joints of |{ACCELERATION}| / longer side of the person box",
    ),
    "score": Quantity(
        "Score", "share of the heatmap", False, "{} scores higher", True,
        formula="mean over the joints of the heatmap's mass within two cells of its peak",
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pair:
    """Two networks A and B on the same frames, cut by the same boxes, with the truth where it is known."""

    a: Found
    b: Found
    truth: NDArray[np.float64] | None = None  # (N, J, 2) frame pixels, NaN where unknown; all NaN is None

    def __post_init__(self) -> None:
        if self.a.network == self.b.network:
            raise LookupError(f"A and B are one network, {self.a.network}: all differences are 0; choose two")
        shapes = self.a.keypoints.shape, self.b.keypoints.shape
        if shapes[0] != shapes[1] or self.a.joints != self.b.joints:
            raise ValueError(f"A and B must have the same frames and joints, got {shapes[0]} and {shapes[1]}")
        if self.truth is not None:
            known = np.asarray(self.truth, np.float64)
            if known.shape != shapes[0]:
                raise ValueError(f"truth must be {shapes[0]} as the poses are, got {known.shape}")
            object.__setattr__(self, "truth", known if np.isfinite(known).all(-1).any() else None)

    @property
    def names(self) -> tuple[str, str]:
        """Of A and of B."""
        return self.a.network, self.b.network

    @property
    def joints(self) -> tuple[str, ...]:
        """(J,) names."""
        return self.a.joints

    @property
    def first(self) -> int:
        """Number in the clip of the first frame."""
        return reading.first_number(self.a)

    def index(self, number: int) -> int:
        """Where the frame of this number stands; a ValueError where it is not among those compared."""
        if not 0 <= number - self.first < len(self):
            last = self.first + len(self) - 1
            raise ValueError(f"frame {number} was not compared; there are the frames {self.first} to {last}")
        return number - self.first

    def __len__(self) -> int:
        """Number of frames N."""
        return len(self.a.keypoints)

    @property
    def side(self) -> NDArray[np.float64]:
        """(N,) longer side of the person box, pixels."""
        return np.asarray(self.a.boxes, np.float64)[:, 2:].max(1)

    @cached_property
    def apart(self) -> NDArray[np.float64]:
        """(N, J) distance between A and B; box sides."""
        return np.linalg.norm(self.a.keypoints - self.b.keypoints, axis=-1) / self.side[:, None]

    @cached_property
    def disagreement(self) -> NDArray[np.float64]:
        """(N,) mean over the joints of `apart`; box sides."""
        return _mean(self.apart)

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """As `ranking` without a frame."""
        rows = []
        for name, values in zip(self.joints, self.apart.T, strict=True):
            known = np.isfinite(values)
            if not known.any():
                continue
            median, high = np.quantile(values[known], (0.5, 0.95))
            worst = int(np.nanargmax(values))
            rows.append((name, median, high, values[worst], self.first + worst))
        table = pd.DataFrame(rows, columns=["joint", "median", "p95", "worst", "worst_frame"])
        return table.sort_values("p95", ascending=False, kind="stable", ignore_index=True)

    @property
    def worst(self) -> int:
        """The frame in which A and B disagree most."""
        return int(np.nanargmax(self.disagreement))

    @property
    def quantities(self) -> list[str]:
        """What can be compared: names in `QUANTITIES`, those that need the truth only where it is known."""
        return [name for name, one in QUANTITIES.items() if self.truth is not None or not one.needs_truth]

    @cached_property
    def norm(self) -> NDArray[np.float64]:
        """(N,) larger side of the tight box of the true joints, pixels; NaN where none is known.

        Raises:
            LookupError: no truth.
        """
        return poses.box_norm(self.true, np.isfinite(self.true).all(-1))

    @property
    def true(self) -> NDArray[np.float64]:
        """The truth; a LookupError says that there is none."""
        if self.truth is None:
            raise LookupError("an error needs the true joints, which are not known for this clip")
        return self.truth

    @cached_property
    def errors(self) -> Two:
        """(N, J) distance of A and of B from the truth; joint-box sides, NaN where it is not known.

        Raises:
            LookupError: no truth.
        """
        return self._both(lambda points: np.linalg.norm(points - self.true, axis=-1) / self.norm[:, None])

    def by_joint(self, quantity: str) -> Two:
        """(N, J) a quantity of A and of B before the mean over the joints; NaN where it is not known.

        Raises:
            LookupError: no such quantity, or it needs the truth.
        """
        if quantity not in QUANTITIES:
            raise LookupError(f"no quantity '{quantity}'; known quantities: {', '.join(QUANTITIES)}")
        if quantity == "score":
            return self.a.scores, self.b.scores
        if quantity == "jitter":
            return self._both(lambda points: _second_difference(points) / self.side[:, None])
        if quantity == "acceleration error":
            return self._both(lambda points: _second_difference(points - self.true) / self.norm[:, None])
        if quantity == "error":
            return self.errors
        alpha = float(quantity.partition("@")[2])
        a, b = (np.where(np.isfinite(error), error <= alpha, np.nan) for error in self.errors)
        return a, b

    def over_clip(self, quantity: str) -> Two:
        """(N,) a quantity of A and of B, mean over the joints; NaN where it is not known.

        Raises:
            LookupError: no such quantity, or it needs the truth.
        """
        a, b = self.by_joint(quantity)
        return _mean(a), _mean(b)

    def _both(self, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Two:
        return function(self.a.keypoints), function(self.b.keypoints)


class Analysed(Protocol):
    """What a comparison needs of an analysis."""

    @property
    def traces(self) -> Mapping[str, Any]:
        """Light traces by network."""

    @property
    def provenance(self) -> dict[str, Any]:
        """With the clip's number of frames, first frame and size."""


def of_analysis(analysis: Analysed, names: Sequence[str], truth: Path | str | None = None) -> Pair:
    """Two networks of an analysis.

    Args:
        analysis: what `freqviz.analyse` found.
        names: of A and of B.
        truth: file of the whole clip's true joints, see `poses.read_truth`.
    Raises:
        ValueError: not two networks, or a file that is no truth of this clip.
        LookupError: a network that was not run.
    """
    if len(names) != 2:
        raise ValueError(f"a comparison needs two networks, got {', '.join(names) or 'none'}")
    for name in names:
        if name not in analysis.traces:
            raise LookupError(f"no network '{name}' in this analysis; it has {', '.join(analysis.traces)}")
    clip, known = analysis.provenance["clip"], None
    if truth is not None:
        height, width = clip["size"]
        known = poses.read_truth(truth, clip["of"], (height, width))[clip["first"] : clip["first"] + clip["frames"]]
    return Pair(analysis.traces[names[0]], analysis.traces[names[1]], known)


@dataclass(frozen=True)
class Paired:
    """One quantity of A and B in the same frames; the frames in which one has the better, or else the lower, value."""

    quantity: Quantity
    names: tuple[str, str]
    a: float  # mean over the frames
    b: float
    difference: compare.Mean  # of A − B
    for_a: int
    for_b: int
    ties: int

    def __str__(self) -> str:
        found, unit = self.difference, self.quantity.unit
        value, low, high = (signed(one) for one in (found.value, found.low, found.high))
        text = (
            f"{self.names[0]} − {self.names[1]} = {value} [{low}, {high}] {unit}, n = {found.n} frames "
            f"({100 * found.level:g} % moving-block bootstrap, blocks of {found.block}): "
        )
        text += "0 lies outside" if found.decided else "0 lies inside, so this clip does not tell them apart"
        winner = self.quantity.wins.format(self.names[0])
        return f"{text}. {winner} in {self.for_a} frames, {self.names[1]} in {self.for_b}, equal in {self.ties}."


def paired(pair: Pair, quantity: str) -> Paired:
    """A quantity of A and B frame by frame, with the interval of the mean difference: see `compare.mean`.

    Args:
        quantity: a name in `QUANTITIES`.
    Raises:
        LookupError: no such quantity, or it needs the truth.
        ValueError: fewer than 8 frames in which both are known.
    """
    a, b = pair.over_clip(quantity)
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    apart = a - b
    found = compare.mean(apart, level=LEVEL)
    lower, higher = int((apart < -SMALLEST).sum()), int((apart > SMALLEST).sum())
    one = QUANTITIES[quantity]
    wins = (higher, lower) if one.higher else (lower, higher)
    return Paired(one, pair.names, float(a.mean()), float(b.mean()), found, *wins, len(apart) - lower - higher)


def statistics(pair: Pair) -> pd.DataFrame:
    """Every quantity of the pair, as `paired`.

    Returns:
        quantity, unit, a, b (means over the frames), difference, low, high, n, block, for_a, for_b, ties; a row a
        quantity, NaN and 0 where there are too few frames.
    """
    rows = []
    for name in pair.quantities:
        row: dict[str, Any] = {"quantity": name, "unit": QUANTITIES[name].unit}
        try:
            found = paired(pair, name)
            mean = found.difference
            row |= {"a": found.a, "b": found.b, "difference": mean.value, "low": mean.low, "high": mean.high}
            row |= {"n": mean.n, "block": mean.block, "for_a": found.for_a, "for_b": found.for_b, "ties": found.ties}
        except ValueError:
            row |= dict.fromkeys(("a", "b", "difference", "low", "high"), np.nan)
            row |= dict.fromkeys(("n", "block", "for_a", "for_b", "ties"), 0)
        rows.append(row)
    return pd.DataFrame(rows)


def ranking(pair: Pair, frame: int | None = None) -> pd.DataFrame:
    """How far A and B are apart, a row a joint, the largest 95th percentile first.

    Args:
        frame: adds the column `here`, the distance in this frame.
    Returns:
        joint, median, p95, worst (box sides), worst_frame (its number), and `here`; over the frames of the clip.
    """
    table = pair.ranked
    return table if frame is None else table.assign(here=pair.apart[frame][[*map(pair.joints.index, table["joint"])]])


def accuracy(pair: Pair, alphas: Sequence[float] = poses.ALPHAS) -> pd.DataFrame:
    """Both networks over all joints of all frames.

    Returns:
        network, joints (how many count), pck@… (share), error (joint-box sides), error_px, acceleration_error
        (joint-box sides/frame²), jitter (box sides/frame²), score; without truth only network, jitter, score.
    """
    rows = []
    for place, found in enumerate((pair.a, pair.b)):
        row: dict[str, Any] = {"network": found.network}
        if pair.truth is not None:
            counts = np.isfinite(pair.truth).all(-1) & np.isfinite(found.keypoints).all(-1)
            hits = poses.pck(found.keypoints, pair.truth, pair.norm, counts, alphas)
            row |= {"joints": int(counts.sum())} | {
                f"pck@{alpha:g}": hit for alpha, hit in zip(alphas, hits, strict=True)
            }
            error = pair.errors[place]
            row |= {
                "error": float(_mean(error.ravel())),
                "error_px": float(_mean((error * pair.norm[:, None]).ravel())),
            }
            row["acceleration_error"] = float(_mean(pair.by_joint("acceleration error")[place].ravel()))
        row["jitter"] = float(_mean(pair.by_joint("jitter")[place].ravel()))
        rows.append(row | {"score": float(_mean(found.scores.ravel()))})
    return pd.DataFrame(rows)


def error_by_joint(pair: Pair) -> pd.DataFrame:
    """Mean distance of A and B from the truth, a row a joint.

    Returns:
        joint, a, b, difference (joint-box sides), n (frames); joints that are never known are left out.
    Raises:
        LookupError: no truth.
    """
    a, b = (_mean(error.T) for error in pair.errors)
    count = (np.isfinite(pair.errors[0]) & np.isfinite(pair.errors[1])).sum(0)
    table = pd.DataFrame({"joint": pair.joints, "a": a, "b": b, "difference": a - b, "n": count})
    return table[table["n"] > 0].reset_index(drop=True)


def signed(value: float, digits: int = 3) -> str:
    """A number for people: so many significant digits, and a sign that is a minus."""
    return f"{value:.{digits}g}".replace("-", "−")


def _mean(values: ArrayLike) -> NDArray[np.float64]:
    """Mean along the last axis of what is finite; NaN where nothing is."""
    array = np.asarray(values, np.float64)
    known = np.isfinite(array)
    count = known.sum(-1)
    return np.divide(np.where(known, array, 0).sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)


def _second_difference(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, J) length of p(t − 1) − 2 p(t) + p(t + 1) of (N, J, 2); NaN in the first and the last frame."""
    found = np.full(points.shape[:-1], np.nan)
    if len(points) > 2:
        found[1:-1] = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1)
    return found
