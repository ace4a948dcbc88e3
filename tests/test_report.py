"""Do the tables of the evaluation say what hand-made predictions with known hits say?"""

import json

import numpy as np
import pandas as pd
import pytest

import models
from freqviz.learn import draws, evaluate, predictions, readme, report

KEYS = np.array([[0, 0], [0, 1], [0, 2], [1, 0]])  # three frames of a clip, one of another; each its own source
SOURCES = np.array([0, 1])
COUNTS = np.ones((4, 14), bool)
COUNTS[3, 4:6] = False  # 54 joints count: 42 of source 0, 12 of source 1
TRUTH = np.random.default_rng(0).uniform(0, (40, 100), (4, 14, 2))
TRUTH[:, 0], TRUTH[:, 13] = (0, 0), (40, 100)  # so that the norm is 100 pixels
LENGTHS = np.array([[0, 9, 21, 5, 15.0], [5, 0, 31, 9, 21], [9, 15, 21, 31, 0], [31, 5, 21, 0, 9]])
SPEED = np.ones((4, 14))  # joints that do not count are the fastest, and must not matter
SPEED[COUNTS] = np.random.default_rng(1).permutation(np.arange(1, 55)) * 0.0013  # the fastest tenth: 49 to 54
FAST = COUNTS & (SPEED > 48.5 * 0.0013)
SEEDS = [f"{name} seed {seed}" for name in ("spatial-video", "freq-video") for seed in (0, 1)]
PARTS = [f"freq-video without {part}" for part in evaluate.SWITCHES]


def off(where, by=30.0):
    """The truth, but `by` pixels to the right at some frames, or frames and joints."""
    predicted = TRUTH.copy()
    predicted[..., 0][where] += by
    return predicted


@pytest.fixture
def found():
    """Everything predicted right in every regime."""
    moved = np.stack([SPEED, np.zeros((4, 14))], -1) * 100
    rows = ["spatial-frame", *SEEDS, *PARTS, *predictions.RIVALS, *predictions.ORACLES]
    return {
        regime: {
            **{f"pose/{row}": TRUTH.copy() for row in rows},
            **{f"weights/{row}": np.array([[0.1, 0.15, 0.4, 0.3, 0.05]] * 4) for row in [*SEEDS, *PARTS]},
            "truth": TRUTH, "counts": COUNTS, "key": KEYS, "lengths": LENGTHS, "box": np.zeros((4, 4)),
            "neighbours": np.stack([TRUTH - moved, TRUTH + moved], 1),
        }
        for regime in draws.REGIMES
    }  # fmt: skip


@pytest.fixture(autouse=True)
def assets(tmp_path, monkeypatch):
    """A folder of tables in which the validation part has chosen."""
    monkeypatch.setattr(report, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    report.ASSETS.mkdir()
    (report.ASSETS / "choices.json").write_text('{"best rival": "sharpest frame"}')
    return report.ASSETS


def only(table, **values):
    """The one line of a table with these values."""
    chosen = table
    for column, value in values.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_pck_counts_the_joints_that_count_over_frames_and_seeds(found):
    found["R0"]["pose/freq-video seed 0"] = off(0, 8.0)  # wrong at .05 only
    found["R0"]["pose/freq-video seed 0"][3] = off(3)[3]
    line = only(report.regimes_table(found, SOURCES), regime="R0", row="freq-video")
    assert (line.frames, line.joints) == (4, 54)
    assert [line[f"pck@{a}"] for a in (0.05, 0.1, 0.2)] == pytest.approx(
        [(28 + 54) / 108, (42 + 54) / 108, (42 + 54) / 108]
    )
    # two sources: half of the draws hold one of them alone, so the interval is between their own scores
    assert (line["low@0.05"], line["high@0.05"]) == pytest.approx((12 / 24, (28 + 42) / 84))


def test_what_restoring_gains_is_told_of_every_regime_and_of_fast_joints(found):
    assert not len(report.lead_table(found, SOURCES))
    for arrays in found.values():
        arrays["pose/freq-restored seed 0"] = TRUTH.copy()
        arrays["weights/freq-restored seed 0"] = np.full((4, 5), 0.2)
    found["R2"]["pose/sharpest frame"] = off(slice(None), 8.0)  # wrong at .05, right at .1
    found["R5"]["pose/freq-restored seed 0"] = off(FAST)
    table = report.lead_table(found, SOURCES)
    assert len(table) == 7 * 3
    assert only(table, regime="R2", against="sharpest frame")["difference"] == 1
    assert only(table, regime="R5", against="spatial-video")["difference"] == pytest.approx(-6 / 54)
    assert only(table, regime="R5 fast", against="freq-video")["difference"] == -1
    assert table["difference"].astype(bool).sum() == 1 + 2 * 3
    told = readme.text({"lead": table}).splitlines()
    assert told[0].startswith("**Restoring first**")
    assert [line.split(" | ")[0] for line in told[4:]] == ["| `spatial-video`", "| sharpest frame", "| `freq-video`"]


def test_the_sharpest_frame_is_an_oracle_only_where_blur_was_added(found):
    table = report.regimes_table(found, SOURCES)
    assert list(table[table.row == predictions.ORACLES[0]].regime) == ["R1", "R2", "R3", "R4"]
    assert list(table[table.row == predictions.ORACLES[1]].regime) == list(draws.REGIMES)


def test_each_joint_has_its_own_score(found):
    found["R0"]["pose/mean"] = off((slice(0, 3), 4))
    line = only(report.joints_table(found, SOURCES), row="mean")
    assert line["left knee"] == 0  # it counts in three frames
    assert line.drop(["row", "left knee"]).tolist() == [1.0] * 13


def test_speed_splits_the_joints_and_knows_the_fastest_tenth(found):
    still = FAST & (SPEED < 53.5 * 0.0013)  # five of the six
    found["R5"]["pose/spatial-frame"] = off(still)
    table = report.speed_table(found, SOURCES)
    lines = table[table.row == "spatial-frame"].set_index("speed")
    assert list(lines.index) == ["0-1 %", "1-3 %", "3-6 %", "> 6 %", "fastest tenth (> 6.3 %)"]
    assert lines.joints.tolist() == [7, 16, 23, 8, 6]
    assert lines["pck@0.1"].tolist() == pytest.approx([1, 1, 1, 3 / 8, 1 / 6])


def test_goals_have_the_sign_of_an_advantage_and_name_each_seed(found):
    found["R2"]["pose/spatial-video seed 1"] = off(([0, 3], [1, 2]))  # a joint of either source
    found["R1"]["pose/sharpest frame"] = off(([0, 1], [1, 2]))
    found["R1"]["pose/mean"] = off(slice(None))  # not the best rival: must not matter
    found["R5"]["pose/spatial-frame"] = off(FAST)
    for seed in (0, 1):
        found["R0"][f"pose/freq-video seed {seed}"] = off((3, slice(6, 9)), 15.0)
    table = report.goals_table(found, SOURCES).set_index("question")
    assert table.difference.tolist() == pytest.approx([1 / 54, 2 / 54, 0, 1, 0, -3 / 54])
    assert table.pck.tolist() == [0.05, 0.05, 0.05, 0.1, 0.1, 0.1]
    assert table.index[1] == "best untrained pooling (sharpest frame), R1"
    primary, r0 = table.iloc[0], table.iloc[-1]
    assert primary["per seed"] == "+0.0 +3.7"
    assert r0["per seed"] == "-5.6 -5.6"
    assert (primary.low, primary.high) == pytest.approx((1 / 84, 1 / 24))
    assert (r0.low, r0.high) == pytest.approx((-3 / 12, 0))
    assert primary.p == pytest.approx(2e-4)  # better in both sources: no draw of 10,000 beyond zero
    assert table.p.iloc[2] == 1  # nothing differs
    assert r0.p == pytest.approx(0.5, abs=0.03)  # a quarter of the draws holds source 0 alone


def test_holm_corrects_all_goals_but_the_primary(found):
    found["R2"]["pose/spatial-video seed 0"] = off(([0, 3], [1, 2]))
    found["R5"]["pose/spatial-frame"] = off(FAST)
    found["R1"]["pose/sharpest frame"] = off((0, 1))
    table = report.goals_table(found, SOURCES)
    assert table["p (Holm)"][0] == table.p[0] == pytest.approx(2e-4)
    others = np.sort(table.p[1:].to_numpy())
    expected = np.minimum(1, np.maximum.accumulate(others * [5, 4, 3, 2, 1]))
    assert np.sort(table["p (Holm)"][1:]) == pytest.approx(expected)
    fast = only(table, question="spatial-frame, fastest tenth of R5")
    assert fast["p (Holm)"] == pytest.approx(5 * fast.p)
    assert fast.p == table.p[1:].min()


def test_the_best_rival_is_chosen_by_the_tight_threshold_on_r1_and_r2(found):
    for regime, bad in (("R0", "fixed weights"), ("R1", "mean"), ("R2", "energy softmax")):
        found[regime][f"pose/{bad}"] = off(slice(None))
    found["R1"]["pose/sharpest frame"] = off(slice(None), 8.0)  # right at .1, wrong at .05
    assert report.choose_on_validation(found, SOURCES) == {"best rival": "fixed weights"}


def test_switches_are_compared_with_the_seed_that_was_switched(found):
    found["R0"]["pose/freq-video without phase prior"] = off((0, slice(2, 5)))
    found["R0"]["pose/freq-video seed 1"] = off(slice(None))  # another seed: must not matter
    found["R2"]["pose/freq-video without phase prior"] = off(slice(None), 8.0)
    found["R2"]["pose/freq-video seed 0"] = off((slice(None), 7))
    found["R5"]["pose/freq-video without phase prior"] = off(~FAST)  # the slow joints do not matter
    found["R5"]["pose/freq-video without alignment"] = off(FAST & (SPEED > 52.5 * 0.0013))  # two of six
    table = report.switches_table(found, SOURCES)
    assert list(table["switched off"]) == list(evaluate.SWITCHES)
    prior, alignment = (only(table, **{"switched off": part}) for part in ("phase prior", "alignment"))
    assert [prior["R0"], prior["R2"], prior["R5 fast"]] == pytest.approx([-3 / 54, -50 / 54, 0])
    assert (prior["R0 low"], prior["R0 high"]) == pytest.approx((-3 / 42, 0))
    assert [alignment["R0"], alignment["R2"], alignment["R5 fast"]] == pytest.approx([0, 4 / 54, -2 / 6])


def test_out_of_range_compares_twins_of_one_training_and_needs_both(found, folder, assets):
    assert report.out_of_range_table(found, SOURCES).row.to_list() == ["spatial-video", "freq-video"] * 4
    for regime in draws.REGIMES:
        found[regime]["pose/freq-video 15px seed 0"] = off((0, slice(2, 5)))
        found[regime]["pose/spatial-video seed 1"] = off(slice(None))  # seed 0 alone was trained both ways
    assert set(report.out_of_range_table(found, SOURCES)["trained up to px"]) == {47}
    for regime in draws.REGIMES:
        found[regime]["pose/spatial-video 15px seed 0"] = off((0, slice(7, 8)), 8.0)
        np.savez_compressed(folder / f"{regime}.npz", **found[regime])
    table = report.out_of_range_table(found, SOURCES)
    assert set(table.regime) == {"R0", "R1", "R2", "R3"}
    line = only(table, **{"regime": "R2", "row": "freq-video", "trained up to px": 15})
    assert (line["difference"], line["pck@0.05"], line["low"]) == pytest.approx((-2 / 54, 51 / 54, -2 / 42))
    assert only(table, **{"regime": "R2", "row": "freq-video", "trained up to px": 47})["difference"] == 0
    page = folder / "README.md"
    page.write_text("<!-- tables --><!-- /tables -->")
    report.write(folder, page, assets, say=lambda _: None)
    lines = page.read_text().splitlines()
    assert "| `freq-video`, up to 15 px |" + " 94.4 / 94.4 / 94.4 |" * 4 in lines
    assert "| difference of the two, PCK@.05 |" + " -3.7 [-4.8, +0.0] |" * 4 in lines


def test_a_table_in_markdown():
    table = [{"row": "mean", "PCK": 1.0}, {"row": "`freq-video`", "PCK": "–"}]
    assert readme.markdown(table) == "| row | PCK |\n|---|--:|\n| mean | 1.0 |\n| `freq-video` | – |"


@pytest.fixture
def folder(found, tmp_path):
    """The predictions as `evaluate.run` leaves them."""
    for regime, arrays in found.items():
        np.savez_compressed(tmp_path / f"{regime}.npz", **arrays)
    (tmp_path / "clips.json").write_text(json.dumps({"source": SOURCES.tolist()}))
    return tmp_path


def test_the_readme_changes_between_its_markers_alone(folder, found, assets):
    found["R3"]["pose/mean"] = off(0, 8.0)
    np.savez_compressed(folder / "R3.npz", **found["R3"])
    page = folder / "README.md"
    page.write_text("# Title\n\nbefore\n<!-- tables -->\nold | table\n<!-- /tables -->\n\nafter | it\n")
    tables = report.write(folder, page, assets, say=lambda _: None)
    text = page.read_text()
    inside = text.removeprefix("# Title\n\nbefore\n<!-- tables -->\n").removesuffix(
        "\n<!-- /tables -->\n\nafter | it\n"
    )
    assert len(inside) == len(text) - len("# Title\n\nbefore\n<!-- tables -->\n\n<!-- /tables -->\n\nafter | it\n")
    assert "old | table" not in text
    assert "| mean | " + "100.0 / 100.0 / 100.0 | " * 3 + "74.1 / 100.0 / 100.0 | 100.0 / 100.0 / 100.0 |" in inside
    assert {path.stem for path in assets.glob("*.csv")} == tables.keys()
    assert only(pd.read_csv(assets / "regimes.csv"), regime="R3", row="mean")["pck@0.05"] == pytest.approx(
        40 / 54, 1e-4
    )
    assert models.card("freq-video")["scores"]["R3"] == [1, 1, 1]
    models.write_card("freq-video", seeds=[0, 1])
    report.write(folder, page, assets, say=lambda _: None)
    assert page.read_text() == text
    assert models.card("freq-video").keys() == {"scores", "seeds"}


@pytest.mark.parametrize("text", ["nothing\n", "<!-- tables -->\nbegin alone\n", "end alone\n<!-- /tables -->\n"])
def test_a_readme_without_markers_is_refused_and_left_alone(folder, assets, text):
    page = folder / "README.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="README.md has no <!-- tables --> … <!-- /tables -->"):
        report.write(folder, page, assets, say=lambda _: None)
    assert page.read_text() == text


def test_a_folder_without_predictions_says_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m freqviz evaluate --all"):
        report.load(tmp_path)


def test_a_network_that_was_not_predicted_is_named(found):
    del found["R2"]["pose/spatial-video seed 0"], found["R2"]["pose/spatial-video seed 1"]
    with pytest.raises(LookupError, match="no predictions of 'spatial-video'"):
        report.goals_table(found, SOURCES)
