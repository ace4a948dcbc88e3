"""Is the correlation right, and does its interval know that neighbouring frames are alike?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from freqviz import compare


def slow(rng: np.random.Generator, n: int, keep: float = 0.9) -> np.ndarray:
    """A series that forgets slowly: each value keeps that share of the one before."""
    noise = rng.normal(size=n)
    for i in range(1, n):
        noise[i] += keep * noise[i - 1]
    return noise


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 40), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_rho_is_scipys_with_and_without_ties(n, values, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, values, n).astype(float), rng.normal(size=n)
    x[:2] = 0, 1  # not constant
    found = compare.spearman(x, y, resamples=20)
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_a_sample_by_counts_is_the_sample_written_out(rng):
    x, y = rng.integers(0, 5, 12).astype(float), rng.normal(size=12)
    chosen = rng.integers(0, 12, (6, 12))
    counts = np.array([np.bincount(sample, minlength=12) for sample in chosen], float)
    expected = [stats.spearmanr(x[sample], y[sample]).statistic for sample in chosen]
    np.testing.assert_allclose(compare._weighted_rho(x, y, counts), expected, atol=1e-12)


def test_the_interval_of_single_frames_is_the_ordinary_bootstrap(rng):
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    found = compare.spearman(x, y, block=1, resamples=400, level=0.8, seed=3)
    chosen = np.random.default_rng(3).integers(0, 30, (400, 30))
    rhos = [stats.spearmanr(x[sample], y[sample]).statistic for sample in chosen]
    np.testing.assert_allclose([found.low, found.high], np.quantile(rhos, [0.1, 0.9]), atol=1e-12)


def test_slow_series_have_longer_blocks_and_wider_intervals(rng):
    x, y = slow(rng, 200), slow(rng, 200)
    honest, naive = compare.spearman(x, y), compare.spearman(x, y, block=1)
    assert compare.block_length(rng.normal(size=200), rng.normal(size=200)) < honest.block <= 50
    assert honest.high - honest.low > 1.3 * (naive.high - naive.low)


def test_unrelated_slow_series_are_called_unrelated_far_more_often_than_by_single_frames():
    rng = np.random.default_rng(1)
    pairs = [(slow(rng, 120), slow(rng, 120)) for _ in range(60)]
    holds = {
        block: np.mean([c.low <= 0 <= c.high for c in (compare.spearman(x, y, block, 200) for x, y in pairs)])
        for block in (None, 1)
    }
    assert holds[None] >= 0.75
    assert holds[None] >= holds[1] + 0.2


def test_a_rising_curve_is_one_and_a_falling_one_minus_one():
    x = np.arange(20.0)
    assert compare.spearman(x, np.exp(x)).rho == 1
    assert str(compare.spearman(x, -(x**3))).startswith("Spearman ρ = −1.00 [−1.00, −1.00], n = 20 frames")


def test_gaps_are_left_out_pair_by_pair(rng):
    x, y = rng.normal(size=20), rng.normal(size=20)
    x[3], y[7] = np.nan, np.inf
    full = np.delete(np.arange(20), [3, 7])
    found = compare.spearman(x, y)
    assert found.n == 18
    assert found == compare.spearman(x[full], y[full])


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.arange(9.0), np.arange(8.0), {}, r"one length, got \(9,\) and \(8,\)"),
        (np.arange(7.0), np.arange(7.0), {}, "at least 8 frames, got 7"),
        (np.ones(9), np.arange(9.0), {}, "constant"),
        (np.arange(9.0), np.arange(9.0), {"block": 10}, "block must be 1 to 9 frames, got 10"),
        (np.arange(9.0), np.arange(9.0), {"level": 95}, "level must lie between 0 and 1, got 95"),
    ],
)
def test_what_cannot_be_correlated_is_refused_in_words(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        compare.spearman(x, y, **options)


def test_the_correlation_within_windows_is_the_mean_of_theirs(rng):
    x, y = rng.normal(size=(12, 5)), rng.integers(0, 4, (12, 5)).astype(float)
    y[:, 0] = 5  # no row is constant
    inside = [stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    found = compare.spearman_within(x + 100 * np.arange(12)[:, None], y)
    assert found.rho == pytest.approx(np.mean(inside), abs=1e-12)
    assert found.low < found.rho < found.high
    assert str(found).endswith("n = 12 windows (95 % moving-block bootstrap, blocks of 5)")


def test_windows_with_gaps_or_constants_do_not_count(rng):
    x, y = rng.normal(size=(12, 5)), rng.normal(size=(12, 5))
    full = compare.spearman_within(x[2:], y[2:])
    x[0, 3], y[1] = np.nan, 7
    assert compare.spearman_within(x, y) == full
    with pytest.raises(ValueError, match="at least 8 windows that vary, got 6"):
        compare.spearman_within(x[:8], y[:8])
    with pytest.raises(ValueError, match=r"one shape, got \(12, 5\) and \(12, 4\)"):
        compare.spearman_within(x, y[:, 1:])


def test_correlated_windows_have_wider_intervals_in_blocks():
    shared = np.random.default_rng(5).normal(size=(40, 1, 5)).repeat(5, 1).reshape(200, 5)  # five alike in a row
    other = np.tile(np.arange(5.0), (200, 1))
    blocks, single = (compare.spearman_within(shared, other, block) for block in (5, 1))
    assert blocks.high - blocks.low > 1.5 * (single.high - single.low)


def test_rho_alone_is_that_of_the_correlation(rng):
    x, y = rng.normal(size=30), rng.normal(size=30)
    assert compare.rho(x, y) == compare.spearman(x, y, resamples=2).rho
    assert np.isnan(compare.rho(x, np.ones(30)))


def test_samples_are_made_of_whole_runs_of_neighbours():
    chosen = compare.resampled(23, 5, 40, 0)
    assert chosen.shape == (40, 23)
    assert (np.diff(chosen[:, :20].reshape(40, 4, 5)) == 1).all()
    assert (np.diff(chosen[:, 20:]) == 1).all(), "the last run is cut off"
    assert (chosen.min(), chosen.max()) == (0, 22)
