"""Are distances, errors, jitter and paired differences of two networks what they are by hand, with their signs?"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freqviz import compare, pairs, poses
from freqviz.pairs import Pair
from freqviz.trace import LightTrace

N, J, FIRST = 40, 14, 100
SIDE, NORM = 100.0, 80.0  # of the person boxes; of the true joints' boxes


def truth():
    """Joints that move evenly; their tight box is 80 wide and 26 tall in every frame."""
    base = np.stack([np.linspace(0, NORM, J), 2.0 * np.arange(J)], -1)
    return base + np.arange(N)[:, None, None] * [3.0, -1.0] + [50, 60]


def light(network, keypoints, scores=0.5, first=FIRST):
    count = len(keypoints)
    nothing = np.full((count, 5), np.nan)
    return LightTrace(
        network=network, keypoints=keypoints, scores=np.full((count, J), scores),
        boxes=np.tile([10.0, 20.0, 40.0, SIDE], (count, 1)), frame_weights=nothing,
        key_box_segment=np.zeros(count, int), band_energy=None, channel_attention=None,
        median_offset=np.full((count, 5, 2), np.nan), effective_frames=nothing[:, 0], first=first,
    )  # fmt: skip


def made(shift_a=0.0, shift_b=0.0, known=True, scores=(0.5, 0.5)):
    """A pair whose networks find the truth, moved by (N, J, 2) or what broadcasts to it."""
    real = truth()
    a, b = light("alpha", real + shift_a, scores[0]), light("beta", real + shift_b, scores[1])
    return Pair(a, b, real if known else None)


def one_joint(joint, x, y, frames=slice(None)):
    shift = np.zeros((N, J, 2))
    shift[frames, joint] = x, y
    return shift


def test_a_known_shift_of_one_joint_is_its_distance_in_box_sides_and_no_other():
    pair = made(shift_b=one_joint(2, 6, 8))
    assert pair.apart[:, 2] == pytest.approx(10 / SIDE)
    assert np.delete(pair.apart, 2, 1).max() == 0
    assert pair.disagreement == pytest.approx(10 / SIDE / J)


def test_the_ranking_has_the_worst_frame_by_its_number_and_the_largest_percentile_first():
    shift = one_joint(3, 0, 20, slice(7, 8)) + one_joint(9, 5, 0)  # a leap in one frame, a lasting difference
    table = pairs.ranking(made(shift_a=shift), 7)
    top = table.to_dict("records")[0]
    assert (top["joint"], top["median"], top["p95"]) == (poses.JOINTS[9], pytest.approx(0.05), pytest.approx(0.05))
    by_joint = table.set_index("joint")
    assert by_joint.loc[poses.JOINTS[3], ["worst", "here"]].tolist() == pytest.approx([0.2, 0.2])
    assert by_joint.loc[poses.JOINTS[3], ["median", "p95"]].tolist() == [0, 0]
    assert by_joint.loc[poses.JOINTS[3], "worst_frame"] == FIRST + 7
    assert made(shift_a=shift).worst == 7
    assert "here" not in pairs.ranking(made(shift_a=shift))


def test_the_95th_percentile_is_that_of_the_frames():
    shift = np.zeros((N, J, 2))
    shift[:, 0, 0] = np.arange(N)
    row = pairs.ranking(made(shift_b=shift)).set_index("joint").loc[poses.JOINTS[0]]
    assert row["median"] * SIDE == pytest.approx(np.quantile(np.arange(N), 0.5))
    assert row["p95"] * SIDE == pytest.approx(np.quantile(np.arange(N), 0.95))


def test_errors_are_over_the_true_joints_box_and_disagreement_over_the_person_box():
    pair = made(shift_a=[3, 4])
    assert pair.norm == pytest.approx(NORM)
    a, b = pair.over_clip("error")
    assert a == pytest.approx(5 / NORM)
    assert b == pytest.approx(0)
    assert pair.disagreement == pytest.approx(5 / SIDE)


def test_the_sign_is_a_minus_b_and_who_is_nearer_wins():
    found = pairs.paired(made(shift_a=[3, 4], shift_b=[0, 1]), "error")
    assert found.difference.value == pytest.approx(4 / NORM)
    assert (found.a, found.b) == (pytest.approx(5 / NORM), pytest.approx(1 / NORM))
    assert (found.for_a, found.for_b, found.ties) == (0, N, 0)
    assert str(found).startswith("alpha − beta = 0.05 [0.05, 0.05] joint-box sides, n = 40 frames")
    assert str(found).endswith("alpha is nearer the truth in 0 frames, beta in 40, equal in 0.")
    turned = pairs.paired(made(shift_a=[0, 1], shift_b=[3, 4]), "error")
    assert turned.difference.value == pytest.approx(-4 / NORM)
    assert (turned.for_a, turned.for_b) == (N, 0)
    assert "= −0.05 [−0.05, −0.05]" in str(turned)


@pytest.mark.parametrize(("quantity", "scores", "wins"), [("score", (0.7, 0.4), (N, 0)), ("score", (0.2, 0.4), (0, N))])
def test_of_scores_the_higher_one_counts(quantity, scores, wins):
    found = pairs.paired(made(scores=scores), quantity)
    assert (found.for_a, found.for_b) == wins
    assert found.difference.value == pytest.approx(scores[0] - scores[1])


def test_frames_in_which_both_are_alike_are_ties_and_the_clip_does_not_tell_them_apart():
    shift = np.zeros((N, J, 2))
    shift[4:6], shift[10:12] = [4, 0], [-4, 0]
    found = pairs.paired(made(shift_a=shift * (np.arange(N) < 8)[:, None, None], shift_b=shift), "error")
    assert (found.for_a, found.for_b, found.ties) == (2, 0, N - 2)
    even = pairs.paired(made(), "error")
    assert (even.for_a, even.for_b, even.ties) == (0, 0, N)
    assert not even.difference.decided
    assert "0 lies inside, so this clip does not tell them apart" in str(even)


def test_accuracy_counts_joints_within_fractions_of_the_norm():
    shift = np.zeros((N, J, 2))
    shift[:, :7, 0] = 0.07 * NORM  # half of the joints between .05 and .1
    shift[:, 7:9, 0] = 0.15 * NORM
    table = pairs.accuracy(made(shift_a=shift)).set_index("network")
    assert table.loc["alpha", ["pck@0.05", "pck@0.1", "pck@0.2"]].tolist() == pytest.approx([5 / 14, 12 / 14, 1])
    assert table.loc["beta", ["pck@0.05", "pck@0.1", "pck@0.2"]].tolist() == [1, 1, 1]
    assert table.loc["alpha", "error"] == pytest.approx((7 * 0.07 + 2 * 0.15) / 14)
    assert table.loc["alpha", "error_px"] == pytest.approx(NORM * (7 * 0.07 + 2 * 0.15) / 14)
    assert table.loc["alpha", "joints"] == N * J
    a, _ = made(shift_a=shift).over_clip("pck@0.1")
    assert a == pytest.approx(12 / 14)


def test_jitter_is_the_second_difference_and_even_motion_has_none():
    shake = np.zeros((N, J, 2))
    shake[:, :, 0] = np.where(np.arange(N) % 2, 1.0, -1.0)[:, None]  # by 2 px: second difference 4 px
    pair = made(shift_a=shake)
    a, b = pair.over_clip("jitter")
    assert np.isnan(a[[0, -1]]).all()
    assert a[1:-1] == pytest.approx(4 / SIDE)
    assert b[1:-1] == pytest.approx(0, abs=1e-12)
    assert pairs.paired(pair, "jitter").difference.n == N - 2
    still = Pair(pair.a, pair.b)
    assert still.over_clip("jitter")[0][1:-1] == pytest.approx(4 / SIDE)


def test_an_acceleration_that_the_truth_has_too_is_no_error():
    real = truth() + np.stack([np.arange(N) ** 2.0, np.zeros(N)], -1)[:, None]  # second difference 2 px
    pair = Pair(light("alpha", real), light("beta", truth()), real)
    a, b = pair.over_clip("acceleration error")
    assert a[1:-1] == pytest.approx(0, abs=1e-12)
    assert b[1:-1] == pytest.approx(2 / NORM)
    assert pair.over_clip("jitter")[0][1:-1] == pytest.approx(2 / SIDE), "jitter does not know the truth"


def test_what_is_not_known_does_not_count():
    real = truth()
    real[5], real[:, 3] = np.nan, np.nan
    pair = Pair(light("alpha", truth() + [0, 8]), light("beta", truth()), real)
    a, _ = pair.over_clip("error")
    assert np.isnan(a[5])
    assert np.delete(a, 5) == pytest.approx(8 / NORM)
    assert pairs.accuracy(pair)["joints"].tolist() == [(N - 1) * (J - 1)] * 2
    assert poses.JOINTS[3] not in pairs.error_by_joint(pair)["joint"].tolist()
    assert np.isnan(pair.over_clip("acceleration error")[0][4:7]).all()
    assert pairs.paired(pair, "error").difference.n == N - 1


def test_the_error_of_each_joint_is_its_own():
    table = pairs.error_by_joint(made(shift_a=one_joint(4, 0, 8), shift_b=one_joint(5, 4, 0))).set_index("joint")
    assert table.loc[poses.JOINTS[4], ["a", "b", "difference", "n"]].tolist() == pytest.approx([0.1, 0, 0.1, N])
    assert table.loc[poses.JOINTS[5], ["a", "b", "difference", "n"]].tolist() == pytest.approx([0, 0.05, -0.05, N])


def test_without_truth_only_jitter_and_score_are_compared_and_an_error_is_refused_in_words():
    pair = made(shift_a=[3, 4], known=False)
    assert pair.quantities == ["jitter", "score"]
    assert pairs.statistics(pair)["quantity"].tolist() == ["jitter", "score"]
    assert pairs.accuracy(pair).columns.tolist() == ["network", "jitter", "score"]
    asks = lambda: pair.over_clip("error"), lambda: pairs.error_by_joint(pair), lambda: pairs.paired(pair, "pck@0.1")
    for ask in asks:
        with pytest.raises(LookupError, match="true joints, which are not known for this clip"):
            ask()
    nowhere = Pair(pair.a, pair.b, np.full((N, J, 2), np.nan))
    assert nowhere.truth is None


def test_the_statistics_hold_a_row_a_quantity_with_the_numbers_of_each():
    pair = made(shift_a=[3, 4])
    table = pairs.statistics(pair).set_index("quantity")
    assert table.index.tolist() == list(pairs.QUANTITIES)
    for name in pairs.QUANTITIES:
        found = pairs.paired(pair, name)
        assert table.loc[name, ["a", "b", "difference"]].tolist() == [found.a, found.b, found.difference.value]
        assert table.loc[name, ["for_a", "for_b", "ties"]].tolist() == [found.for_a, found.for_b, found.ties]


def test_of_a_clip_too_short_the_rows_are_empty():
    real = truth()[:6]
    table = pairs.statistics(Pair(light("alpha", real), light("beta", real), real))
    assert table["difference"].isna().all()
    assert table["n"].eq(0).all()


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (lambda t: Pair(light("a", t), light("a", t)), LookupError, "A and B are one network, a: all differences"),
        (lambda t: Pair(light("a", t), light("b", t[:9])), ValueError, r"got \(40, 14, 2\) and \(9, 14, 2\)"),
        (lambda t: Pair(light("a", t), light("b", t), t[:9]), ValueError, r"truth must be \(40, 14, 2\)"),
        (lambda t: made().over_clip("eror"), LookupError, "no quantity 'eror'; known quantities: error, pck@0.05"),
        (lambda t: made().index(99), ValueError, "frame 99 was not compared; there are the frames 100 to 139"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(build, kind, message):
    with pytest.raises(kind, match=message):
        build(truth())


class Analysed:
    def __init__(self, *traces, first=0, of=N):
        self.traces = {one.network: one for one in traces}
        clip = {"of": of, "first": first, "frames": len(traces[0]), "size": [200, 300]}
        self.provenance = {"clip": clip}


def test_the_truth_of_a_whole_clip_is_cut_to_the_part_that_was_analysed(tmp_path):
    real = truth()
    found = Analysed(*(light(name, real[5:15], first=5) for name in ("a", "b", "c")), first=5)
    np.save(tmp_path / "t.npy", real)
    pair = pairs.of_analysis(found, ["c", "a"], tmp_path / "t.npy")
    assert pair.names == ("c", "a")
    assert np.array_equal(pair.truth, real[5:15])
    assert (pair.index(5), pair.index(14)) == (0, 9)
    assert pairs.of_analysis(found, ["c", "a"]).truth is None
    for names, message in ((["a"], "needs two networks, got a"), (["a", "x"], "no network 'x' in this analysis")):
        with pytest.raises((ValueError, LookupError), match=message):
            pairs.of_analysis(found, names)


def test_our_own_files_of_truth_are_read_and_those_of_another_clip_refused(tmp_path):
    real = truth().round(3)
    (tmp_path / "t.json").write_text(json.dumps({"joints": real.tolist()}))
    np.save(tmp_path / "t.npy", real)
    for name in ("t.json", "t.npy"):
        assert np.array_equal(poses.read_truth(tmp_path / name, N, (200, 300)), real)
        with pytest.raises(ValueError, match=rf"{name} must hold \(7, 14, 2\) for this clip, got \(40, 14, 2\)"):
            poses.read_truth(tmp_path / name, 7, (200, 300))
    (tmp_path / "t.json").write_text('{"points": []}')
    (tmp_path / "t.npy").write_bytes(b"no array")
    for name in ("t.json", "t.npy"):
        with pytest.raises(ValueError, match=f"{name} is no truth of a clip"):
            poses.read_truth(tmp_path / name, N, (200, 300))


# ---- the mean with its interval


def test_the_mean_of_single_frames_has_the_ordinary_bootstrap(rng):
    x = rng.normal(size=30)
    found = compare.mean(x, block=1, resamples=400, level=0.8, seed=3)
    chosen = np.random.default_rng(3).integers(0, 30, (400, 30))
    np.testing.assert_allclose([found.low, found.high], np.quantile(x[chosen].mean(1), [0.1, 0.9]), atol=1e-12)
    assert found.value == pytest.approx(x.mean())


def slow(rng, n=120, keep=0.7):
    noise = rng.normal(size=n)
    for i in range(1, n):
        noise[i] += keep * noise[i - 1]
    return noise


def test_the_interval_of_blocks_holds_the_true_mean_of_slow_series_far_more_often_than_that_of_frames():
    rng = np.random.default_rng(2)
    series = [slow(rng) for _ in range(80)]
    holds = {
        block: np.mean([c.low <= 0 <= c.high for c in (compare.mean(x, block, 300) for x in series)])
        for block in (None, 1)
    }
    assert holds[None] >= 0.8
    assert holds[None] >= holds[1] + 0.2


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 60), st.floats(-1e3, 1e3), st.integers(0, 2**32 - 1))
def test_a_shift_moves_mean_and_interval_alike(n, shift, seed):
    x = np.random.default_rng(seed).normal(size=n)
    one, other = (
        compare.mean(x, resamples=50),
        compare.mean(x + shift, block=compare.mean(x, resamples=2).block, resamples=50),
    )
    assert [other.value, other.low, other.high] == pytest.approx(
        np.array([one.value, one.low, one.high]) + shift, abs=1e-8
    )


def test_a_constant_difference_is_sure_and_gaps_are_left_out():
    found = compare.mean(np.full(20, 0.25))
    assert (found.value, found.low, found.high, found.n) == (0.25, 0.25, 0.25, 20)
    assert found.decided
    x = np.arange(12.0)
    x[4] = np.nan
    assert compare.mean(x) == compare.mean(np.delete(x, 4))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.arange(7.0), {}, "at least 8 frames, got 7"),
        (np.ones((9, 2)), {}, r"x must be \(N,\), got \(9, 2\)"),
        (np.arange(9.0), {"block": 10}, "block must be 1 to 9 frames, got 10"),
        (np.arange(9.0), {"level": 95}, "level must lie between 0 and 1, got 95"),
    ],
)
def test_what_has_no_interval_is_refused_in_words(x, options, message):
    with pytest.raises(ValueError, match=message):
        compare.mean(x, **options)
