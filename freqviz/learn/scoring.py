"""What predictions are worth: PCK, paired differences with intervals over source videos, and further measures."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from freqviz import poses


@dataclass(frozen=True)
class Scored:
    """Which joints of which frame were right, for one row on one regime."""

    hits: NDArray[np.float64]  # (alphas, frames): correct joints
    counts: NDArray[np.float64]  # (frames,): joints that count
    source: NDArray[np.int64]  # (frames,): the source video

    @property
    def pck(self) -> NDArray[np.float64]:
        return self.hits.sum(1) / self.counts.sum()

    @property
    def size(self) -> dict[str, int]:
        """Frames, joints and films that count."""
        held = self.counts > 0
        return {
            "frames": int(held.sum()),
            "joints": int(self.counts.sum()),
            "films": len(np.unique(self.source[held])),
        }


def scored(found: dict[str, NDArray], row: str, sources: NDArray, chosen: NDArray | None = None) -> Scored:
    """Score a row, or the mean of its seeds; `chosen` (N, J) narrows the joints that count."""
    counts = found["counts"] if chosen is None else found["counts"] & chosen
    norm = poses.box_norm(found["truth"], found["counts"])
    hits = np.mean(
        [(poses.correct(found[name], found["truth"], norm) & counts).sum(2) for name in seeds_of(found, row)],
        0,
    )
    return Scored(hits, counts.sum(1).astype(float), sources[found["key"][:, 0]])


def seeds_of(found: dict[str, NDArray], row: str) -> list[str]:
    """Keys of the predictions of a row: one, or one a seed."""
    exact = [name for name in found if name == f"pose/{row}"]
    names = exact or sorted(name for name in found if name.startswith(f"pose/{row} seed "))
    if not names:
        raise LookupError(f"no predictions of '{row}'; there are {[n for n in found if n.startswith('pose/')]}")
    return names


@lru_cache(maxsize=4)
def _resamples(count: int, draws: int, seed: int) -> NDArray[np.int64]:
    """(draws, count): how often each source is drawn; the same for every comparison."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)


def bootstrap(a: Scored, b: Scored, alpha: int, draws: int = 10_000, seed: int = 0) -> dict[str, float]:
    """Difference of PCK a - b with a 95 % interval, source videos resampled with replacement; paired.

    Returns:
        difference, low, high (fractions) and p, the two-sided share of draws beyond zero.
    """
    sources = np.unique(a.source)
    of = np.searchsorted(sources, a.source)
    sums = [np.bincount(of, weights, len(sources)) for weights in (a.hits[alpha] - b.hits[alpha], a.counts)]
    picked = _resamples(len(sources), draws, seed)
    values = (picked @ sums[0]) / np.maximum(picked @ sums[1], 1)
    low, high = np.percentile(values, [2.5, 97.5])
    below = max((values <= 0).mean(), 1 / draws)
    above = max((values >= 0).mean(), 1 / draws)
    return {
        "difference": float(sums[0].sum() / sums[1].sum()), "low": float(low), "high": float(high),
        "p": float(min(1.0, 2 * min(below, above))),
    }  # fmt: skip


def interval(a: Scored, alpha: int, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of a PCK, source videos resampled."""
    nothing = Scored(np.zeros_like(a.hits), a.counts, a.source)
    found = bootstrap(a, nothing, alpha, draws, seed)
    return found["low"], found["high"]


def speeds(found: dict[str, NDArray]) -> NDArray[np.float64]:
    """True speed of each joint, |p(t+1) - p(t-1)| / 2 per box side; (N, J) fraction of the side per frame."""
    moved = np.linalg.norm(found["neighbours"][:, 1] - found["neighbours"][:, 0], axis=-1) / 2
    return moved / poses.box_norm(found["truth"], found["counts"])[:, None]


def sharp_neighbour(lengths: NDArray) -> NDArray[np.int64]:
    """(N,) the slot of the first neighbour without blur, in windows (N, T) where there is one."""
    neighbours = np.arange(lengths.shape[1]) != lengths.shape[1] // 2
    return ((lengths == 0) & neighbours).argmax(1)


def rank_correlation(weights: NDArray, lengths: NDArray) -> float:
    """Mean Spearman correlation of frame weight and true blur within windows; -1 is best."""
    a, b = rankdata(weights, axis=1), rankdata(lengths, axis=1)
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    spread = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(((a * b).sum(1)[spread > 0] / spread[spread > 0]).mean()) if (spread > 0).any() else math.nan


def effective_frames(weights: NDArray) -> float:
    """Mean of exp(entropy) of frame weights (N, 5): 5 when all count alike."""
    safe = np.clip(weights, 1e-12, 1)
    return float(np.exp(-(safe * np.log(safe)).sum(1)).mean())


def acceleration_error(found: dict[str, NDArray], row: str) -> float:
    """Mean |second difference of the prediction minus that of the truth|, per box side, over whole clips; fraction."""
    errors = []
    norm = poses.box_norm(found["truth"], found["counts"])
    for name in seeds_of(found, row):
        wrong = found[name] - found["truth"]
        clip, t = found["key"].T
        run = (clip[2:] == clip[:-2]) & (t[2:] == t[:-2] + 2)
        second = np.linalg.norm(wrong[2:] - 2 * wrong[1:-1] + wrong[:-2], axis=-1) / norm[1:-1, None]
        counts = found["counts"][2:] & found["counts"][1:-1] & found["counts"][:-2] & run[:, None]
        errors.append(second[counts].mean())
    return float(np.mean(errors))


def holm(values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down correction of p values."""
    corrected, worst = {}, 0.0
    for rank, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, (len(values) - rank) * value))
        corrected[name] = worst
    return corrected
