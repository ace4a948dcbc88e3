"""How strongly two quantities of a clip go together and how large one is on average, with intervals that know that
frames are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
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
    counted: str = "frames"  # what n counts

    def __str__(self) -> str:
        return (
            f"Spearman ρ = {_signed(self.rho)} [{_signed(self.low)}, {_signed(self.high)}], "
            f"n = {self.n} {self.counted} ({100 * self.level:g} % moving-block bootstrap, blocks of {self.block})"
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
    chosen = resampled(n, block, resamples, seed)
    places = (chosen + n * np.arange(resamples)[:, None]).ravel()
    counts = np.bincount(places, minlength=resamples * n).reshape(resamples, n).astype(np.float64)
    low, high = np.nanquantile(_weighted_rho(a, b, counts), [(1 - level) / 2, (1 + level) / 2])
    return float(_weighted_rho(a, b, np.ones((1, n)))[0]), float(low), float(high)


def rho(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation of two series (N,) in [-1, 1]; NaN where one is constant."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return float(_weighted_rho(a, b, np.ones((1, len(a))))[0])


def correlations(table: pd.DataFrame, blurs: Sequence[str], energies: Sequence[str]) -> pd.DataFrame:
    """The rank correlation of every measure of blur with every energy, as `spearman`.

    Args:
        table: one row a frame, in the order of time.
        blurs, energies: its columns.
    Returns:
        blur, energy, rho, low, high, n, block; a row a pair, NaN and 0 where there is no correlation.
    """
    rows = []
    for blur in blurs:
        for energy in energies:
            try:
                found = spearman(table[blur], table[energy])
            except ValueError:
                found = Correlation(np.nan, np.nan, np.nan, 0, 0, 0.95)
            rows.append((blur, energy, found.rho, found.low, found.high, found.n, found.block))
    return pd.DataFrame(rows, columns=["blur", "energy", "rho", "low", "high", "n", "block"])


def spearman_within(
    x: ArrayLike, y: ArrayLike, block: int = 5, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Correlation:
    """Mean over windows of the rank correlation inside each window, with a moving-block bootstrap interval.

    What differs from window to window, such as a slow drift of blur, plays no part. Neighbouring windows share
    frames, so runs of `block` windows are resampled, as in `spearman`.

    Args:
        x, y: (N, S) a row a window, in the order of time. A row with a value that is not finite, or that is
            constant in x or y, is left out.
        block: windows per run; those that share a frame, by default. Shortened where there are fewer than two runs.
        resamples, level, seed: as in `spearman`.
    Returns:
        Correlation; n counts windows.
    Raises:
        ValueError: shapes differ, or fewer than 8 windows vary.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"x and y must be (N, S) of one shape, got {a.shape} and {b.shape}")
    known = np.isfinite(a).all(1) & np.isfinite(b).all(1)
    p, q = (stats.rankdata(values[known], axis=1) - (a.shape[1] + 1) / 2 for values in (a, b))
    norm = np.sqrt((p**2).sum(1) * (q**2).sum(1))
    inside = (p * q).sum(1)[norm > 0] / norm[norm > 0]
    n = len(inside)
    if n < 8:
        raise ValueError(f"a correlation within windows needs at least 8 windows that vary, got {n}")
    block = max(1, min(block, n // 2))
    chosen = resampled(n, block, resamples, seed)
    low, high = np.quantile(inside[chosen].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return Correlation(float(inside.mean()), float(low), float(high), n, block, level, "windows")


@dataclass(frozen=True)
class Mean:
    """Mean of `n` frames, its interval and block length."""

    value: float
    low: float
    high: float
    n: int
    block: int  # frames
    level: float  # of the interval, e.g. 0.95

    @property
    def decided(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return self.low > 0 or self.high < 0


def mean(x: ArrayLike, block: int | None = None, resamples: int = 2000, level: float = 0.95, seed: int = 0) -> Mean:
    """Mean of a series over the frames of a clip, with a moving-block bootstrap interval.

    Of paired differences it says whether the pair differs on this clip; other clips are not asked. Of a series that
    forgets slowly, against the length of the clip, the interval is too narrow even so.

    Args:
        x: (N,) any unit, in the order of time; values that are not finite are left out.
        block: frames per run; None: `block_length` of the series.
        resamples, level, seed: as in `spearman`.
    Returns:
        Mean; of a constant series the interval is the value itself.
    Raises:
        ValueError: not (N,), fewer than 8 finite values, or block outside 1 ... n.
    Reference:
        Künsch, Annals of Statistics 1989.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise ValueError(f"x must be (N,), got {values.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    values = values[np.isfinite(values)]
    n = len(values)
    if n < 8:
        raise ValueError(f"an interval of a mean needs at least 8 frames, got {n}")
    block = block_length(values) if block is None else block
    if not 1 <= block <= n:
        raise ValueError(f"block must be 1 to {n} frames, got {block}")
    low, high = _means(values.tobytes(), block, resamples, level, seed)
    return Mean(float(values.mean()), low, high, n, block, level)


@lru_cache(maxsize=64)  # as above
def _means(x: bytes, block: int, resamples: int, level: float, seed: int) -> tuple[float, float]:
    """The ends of the interval of the mean of a float64 series."""
    values = np.frombuffer(x)
    means = values[resampled(len(values), block, resamples, seed)].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled(n: int, block: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """(resamples, n) indices into a series of n: whole runs of `block` neighbours, overlapping."""
    starts = np.random.default_rng(seed).integers(0, n - block + 1, (resamples, -(-n // block)))
    return (starts[:, :, None] + np.arange(block)).reshape(resamples, -1)[:, :n]


def block_length(*series: NDArray[np.float64]) -> int:
    """Frames per bootstrap block: twice the lag at which the slowest series has forgotten itself.

    Forgotten means that the autocorrelation of the ranks has fallen to 1/e. At least n^(1/3), the order that
    makes the bootstrap consistent, and at most n / 4, so that there are blocks to choose from.

    Args:
        series: one or more, each (N,) finite, in the order of time; a constant one has nothing to forget.
    Returns:
        Block length in frames, >= 1.
    """
    n = len(series[0])
    lags = [0]
    for values in series:
        ranks = stats.rankdata(values)
        ranks = ranks - ranks.mean()
        if not ranks.any():
            continue
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
