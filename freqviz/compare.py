"""How strongly two quantities of a clip go together, with intervals that know frames are not independent."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation `rho` in [-1, 1] of `n` pairs, its interval and block length."""

    rho: float
    low: float
    high: float
    n: int
    block: int  # frames
    level: float  # of the interval, e.g. 0.95

    def __str__(self) -> str:
        return (
            f"Spearman ρ = {_signed(self.rho)} [{_signed(self.low)}, {_signed(self.high)}], "
            f"n = {self.n} frames ({100 * self.level:g} % moving-block bootstrap, blocks of {self.block})"
        )


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    block: int | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Correlation:
    """Rank correlation of two series over the frames of a clip, with a moving-block bootstrap interval.

    Neighbouring frames resemble each other, so single frames must not be resampled: whole runs of `block`
    frames are, overlapping, and the interval is between the percentiles of the resampled correlations.

    Args:
        x, y: (N,) any unit, in the order of time; pairs with a value that is not finite are left out.
        block: frames per run; None: `block_length` of the two series.
        resamples: number of bootstrap samples.
        level: of the interval, in (0, 1).
        seed: of the resampling, so that a figure is the same each time.
    Returns:
        Correlation.
    Raises:
        ValueError: lengths differ; fewer than 8 pairs; one of the series is constant; block outside 1 ... n.
    Reference:
        Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics
        1989.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"x and y must be (N,) of one length, got {a.shape} and {b.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    both = np.isfinite(a) & np.isfinite(b)
    a, b, n = a[both], b[both], int(both.sum())
    if n < 8:
        raise ValueError(f"a rank correlation needs at least 8 frames, got {n}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("a rank correlation needs two series that vary, got a constant one")
    block = block_length(a, b) if block is None else block
    if not 1 <= block <= n:
        raise ValueError(f"block must be 1 to {n} frames, got {block}")
    rho, low, high = _bootstrap(a.tobytes(), b.tobytes(), block, resamples, level, seed)
    return Correlation(rho, low, high, n, block, level)


@lru_cache(maxsize=64)  # a moved cursor asks for the same numbers again
def _bootstrap(x: bytes, y: bytes, block: int, resamples: int, level: float, seed: int) -> tuple[float, float, float]:
    """Rank correlation of two float64 series and the ends of its interval."""
    a, b = np.frombuffer(x), np.frombuffer(y)
    n = len(a)
    starts = np.random.default_rng(seed).integers(0, n - block + 1, (resamples, -(-n // block)))
    chosen = (starts[:, :, None] + np.arange(block)).reshape(resamples, -1)[:, :n]
    places = (chosen + n * np.arange(resamples)[:, None]).ravel()
    counts = np.bincount(places, minlength=resamples * n).reshape(resamples, n).astype(np.float64)
    low, high = np.nanquantile(_weighted_rho(a, b, counts), [(1 - level) / 2, (1 + level) / 2])
    return float(_weighted_rho(a, b, np.ones((1, n)))[0]), float(low), float(high)


def block_length(x: NDArray[np.float64], y: NDArray[np.float64]) -> int:
    """Frames per bootstrap block: twice the lag at which the slower series has forgotten itself.

    Forgotten means that the autocorrelation of the ranks has fallen to 1/e. At least n^(1/3), the order that
    makes the bootstrap consistent, and at most n / 4, so that there are blocks to choose from.

    Args:
        x, y: (N,) finite, not constant, in the order of time.
    Returns:
        Block length in frames, >= 1.
    """
    n = len(x)
    lags = []
    for series in (x, y):
        ranks = stats.rankdata(series)
        ranks = ranks - ranks.mean()
        correlation = np.correlate(ranks, ranks, "full")[n - 1 :] / (ranks**2).sum()
        lags.append(int(np.argmax(correlation <= np.exp(-1))))  # lag n - 1 lies always below
    return max(1, min(max(2 * max(lags), round(n ** (1 / 3))), n // 4))


def _weighted_rho(a: NDArray[np.float64], b: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rho of samples that hold pair i `counts[r, i]` times; (R,), NaN where a series is constant.

    Ranks follow from cumulated counts, ties at their mean rank: no sorting per sample.
    """
    p, q = (_centred_ranks(values, counts) for values in (a, b))
    norm = np.sqrt((counts * p**2).sum(1) * (counts * q**2).sum(1))
    return np.divide((counts * p * q).sum(1), norm, out=np.full(len(counts), np.nan), where=norm > 1e-9)


def _centred_ranks(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, N) mean rank of each value within each sample, minus the sample's mean rank."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    held = np.add.reduceat(counts[:, np.argsort(values, kind="stable")], starts, axis=1)  # (R, distinct values)
    middle = np.cumsum(held, axis=1) - held / 2
    return middle[:, group] - counts.sum(1, keepdims=True) / 2
