"""Does the evidence say what hand-made predictions say, and do page, README and figures say what the tables say?"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from both_renderers import agree
from test_report import COUNTS, FAST, SOURCES, TRUTH, assets, found, off, only  # noqa: F401 -- fixtures

from freqviz import crops, evidence, figures_evidence, tables, to_video
from freqviz.learn import ablations, draws, evaluate, predictions, report
from freqviz.learn import evidence as learn
from freqviz.panel import Line, Points, Rule

ROOT = Path(__file__).parent.parent
SHARP, TRAPPED = np.array([0, 1, 3, 4]), np.array([4, 0, 1, 3])  # slots of the four windows


@pytest.fixture
def all_found(found):  # noqa: F811
    """Everything predicted right in every regime, that of the heads trained otherwise too."""
    lengths = np.full((4, 5), 35.0)
    lengths[np.arange(4), SHARP] = 0
    for regime, how in draws.HOW.items():
        arrays = found.setdefault(regime, {**found["R0"]})
        for name in evaluate.TWINS:
            arrays[f"pose/{name} {evaluate.VARIANT} seed 0"] = TRUTH.copy()
        arrays |= {"lengths": lengths} if how.draw == "R2" else {}
        arrays["trapped"] = TRAPPED if how.trap else np.full(4, -1)
    return found


# ---- tables


def test_conditions_of_a_question_are_compared_on_the_key_frames_that_all_of_them_have(all_found):
    all_found["jpeg 20"] = learn.at(all_found["jpeg 20"], {(0, 0), (0, 2), (1, 0)})
    all_found["R0"]["pose/mean"] = off((1, slice(None)))  # a key frame that JPEG 20 does not have
    table = learn.scores_table(all_found, SOURCES)
    lines = table[(table["question"] == "Compression") & (table["row"] == "mean")]
    assert set(lines["frames"]) == {3}
    assert set(lines["joints"]) == {40}
    assert set(lines["pck@0.1"]) == {1}
    blur = only(table, question="Added blur", condition="sharp (R0)", row="mean")
    assert (blur.frames, blur.films) == (4, 2)
    assert blur["pck@0.1"] == pytest.approx(40 / 54)


def test_a_network_that_was_not_asked_in_every_condition_of_a_question_is_left_out_of_it(all_found):
    for regime in draws.REGIMES:
        all_found[regime]["pose/freq-restored seed 0"] = TRUTH.copy()
    table = learn.scores_table(all_found, SOURCES)
    asked = table.loc[table["row"] == "freq-restored", "question"]
    assert set(asked) == {"Added blur", "One limb blurred", "Natural motion"}


def test_differences_have_the_sign_of_an_advantage_over_each_rival(all_found):
    all_found["jpeg 10"]["pose/spatial-video seed 1"] = off(([0, 3], [1, 2]))
    all_found["jpeg 10"]["pose/spatial-frame"] = off(slice(None))
    for seed in (0, 1):
        all_found["jitter"][f"pose/freq-video seed {seed}"] = off((3, slice(6, 9)), 15.0)
    table = learn.differences_table(all_found, SOURCES)
    assert set(table["against"]) == {"spatial-video", "spatial-frame", "sharpest frame"}
    twin = only(table, condition="JPEG 10", against="spatial-video")
    assert (twin["difference"], twin["per seed"]) == (pytest.approx(1 / 54), "+0.0 +3.7")
    assert only(table, condition="JPEG 10", against="spatial-frame")["difference"] == 1
    assert only(table, condition="± 10 %", against="sharpest frame")["difference"] == pytest.approx(-3 / 54)
    once = table[~table["again"]]
    assert (once["p (Holm)"] >= once["p"]).all()
    assert once["p (Holm)"].min() == pytest.approx(min(1, len(once) * once["p"].min()))
    lines = table[table["condition"].isin(["one neighbour sharp (R2)", "none (R2)", "true boxes (R2)"])]
    lines = lines[(lines["against"] == "spatial-video") & (lines["question"] != "Out of range")]
    assert lines["again"].tolist() == [False, True, True]
    assert lines["p (Holm)"].nunique() == 1


def test_heads_trained_otherwise_are_compared_with_each_other(all_found):
    all_found["R2"]["pose/spatial-video 15px seed 0"] = off((slice(0, 3), 7), 8.0)
    all_found["R2"]["pose/spatial-video seed 0"] = off(slice(None))
    line = only(
        learn.differences_table(all_found, SOURCES), question="Out of range", condition="one neighbour sharp (R2)",
        against="spatial-video",
    )  # fmt: skip
    assert (line["difference"], line["pck"], line["seeds"]) == (pytest.approx(3 / 54), 0.05, 1)


def test_fast_joints_are_those_of_the_frames_own_speed(all_found):
    all_found["rate 4"]["pose/mean"] = off(FAST)
    table = learn.scores_table(all_found, SOURCES)
    fast = only(table, question="Frame rate, fast joints", condition="every 4th", row="mean")
    assert (fast["joints"], fast["pck@0.1"]) == (6, 0)
    assert only(table, question="Frame rate", condition="every 4th", row="mean")["pck@0.1"] == pytest.approx(48 / 54)
    bins = table[(table["question"] == "Natural motion") & (table["row"] == "mean")]
    assert bins["joints"].tolist() == [7, 16, 23, 8, 6]


def test_a_trap_is_counted_where_it_outweighs_the_sharp_frame(all_found):
    n, arrays = np.arange(4), all_found["trap noise"]
    good = np.full((4, 5), 0.1)
    good[n, SHARP] = 0.6
    bad = good.copy()
    bad[1, TRAPPED[1]] = 0.9
    for seed, weights in ((0, bad), (1, good)):
        arrays[f"weights/freq-video seed {seed}"] = weights
    for seed in (0, 1):
        plain = good.copy()
        plain[3, TRAPPED[3]] = 0.7
        all_found["R2"][f"weights/freq-video seed {seed}"] = plain
    line = only(learn.traps_table(all_found, SOURCES), trap="noise", row="freq-video")
    assert (line["share"], line["without"], line["per seed"]) == (1 / 8, 1 / 4, "25.0 0.0")
    assert line["ratio"] == pytest.approx(1 / 6)
    assert (line["low"], line["high"]) == pytest.approx((0, 1 / 6))  # films of three windows and of one


# ---- what is predicted


KEYS = [draws.Key(0, 0), draws.Key(0, 16)]


def test_what_is_predicted_is_not_predicted_again(tmp_path):
    asked, path = [], tmp_path / "runs" / "R0.npz"

    def predict(rows):
        asked.append(rows)
        whole = {"key": np.array([[key.clip, key.frame] for key in KEYS])}
        return whole | {f"pose/{row}": np.full((2, 14, 2), len(asked)) for row in rows}

    made = {"": "backbone", "a": "1", "b": "2"}
    evaluate.resumed(path, KEYS, made, predict)
    evaluate.resumed(path, KEYS, {"": "backbone", "a": "1"}, predict)
    evaluate.resumed(path, KEYS, made | {"b": "3", "c": "4"}, predict)  # another training of b, and a new one
    assert asked == [["a", "b"], ["b", "c"]]
    with np.load(path) as held:
        assert [held[f"pose/{row}"].flat[0] for row in "abc"] == [1, 2, 2]
    evaluate.resumed(path, KEYS[:1], made, predict)  # other key frames
    evaluate.resumed(path, KEYS, made | {"": "other backbone"}, predict)
    assert asked[2:] == [["a", "b"], ["a", "b"]]
    assert list(path.parent.iterdir()) == [path]


def test_evidence_takes_of_the_first_tables_as_many_key_frames_as_it_has_of_its_own(tmp_path):
    beside = tmp_path / "evidence"
    beside.mkdir()
    for folder, regime, step in ((tmp_path, "R0", 8), (tmp_path, "R5", 1), (beside, "jpeg 10", 16)):
        keys = np.array([[clip, t] for clip in (0, 1) for t in range(0, 33, step)])
        np.savez(folder / f"{regime}.npz", key=keys, counts=keys[:, 1], made="{}")
        (folder / "clips.json").write_text('{"source": [0, 1]}')
    loaded, sources = learn.load(beside)
    assert {name: arrays["counts"].tolist() for name, arrays in loaded.items()} == {
        "R0": [0, 16, 32] * 2, "R5": list(range(0, 33, 4)) * 2, "jpeg 10": [0, 16, 32] * 2,
    }  # fmt: skip
    assert sources.tolist() == [0, 1]


def test_a_prediction_that_fails_leaves_nothing_half_done(tmp_path):
    def fail(rows):
        raise RuntimeError("no memory")

    path = tmp_path / "runs" / "R0.npz"
    with pytest.raises(RuntimeError, match="no memory"):
        evaluate.resumed(path, KEYS, {"": "x"}, fail)
    assert not path.parent.exists()


class Film:
    """Two clips of 40 frames; the grey of a frame is its number, under a pattern that compression blurs."""

    infos = [type("Info", (), {"name": f"film{i}", "exact_scale": i == 0, "source": f"film{i}"}) for i in (0, 1)]
    joints = [np.tile(np.random.default_rng(i).uniform(60, 180, (14, 2)), (40, 1, 1)) for i in (0, 1)]

    def __len__(self):
        return 2

    def frame(self, clip, t):
        frame = np.full((240, 320, 3), t, np.uint8)
        frame[::2, ::2] = 200
        return frame

    def person(self, clip, t):
        from freqviz.learn.data import JHMDB, Person

        return Person(self.joints[clip][t], np.ones(14, bool), JHMDB)

    def window(self, clip, t, radius=2):
        return [i if 0 <= i < 40 else t for i in range(t - radius, t + radius + 1)]


def test_a_lower_frame_rate_takes_neighbours_from_farther_away_and_the_same_key_frames():
    shown = {}
    for apart in (1, 2, 4):
        windows = draws.Windows(Film(), f"rate {apart}")
        assert [(key.clip, key.frame) for key in windows.keys] == [(0, t) for t in range(8, 32, 4)]
        shown[apart] = windows[1]["frames"][:, 0].min((1, 2)).tolist()
    assert shown == {apart: [12 + apart * slot for slot in range(-2, 3)] for apart in (1, 2, 4)}


def test_lower_quality_keeps_less_and_h264_sees_each_clip_once():
    sharp = draws.Windows(Film(), "R0", step=16)[1]["frames"].astype(float)
    low = draws.Windows(Film(), "jpeg 10")[1]["frames"].astype(float)
    assert low.std() < sharp.std()
    coded = []

    def recompress(frames, crf):
        coded.append((frames.shape, crf))
        return frames

    windows = draws.Windows(Film(), "h264 40", recompress=recompress)
    assert [len(windows[i]["frames"]) for i in range(4)] == [5] * 4
    assert coded == [((40, 240, 320, 3), 40)] * 2
    with pytest.raises(ValueError, match="'h264 40' needs what codes H.264"):
        draws.Windows(Film(), "h264 40")
    with pytest.raises(ValueError, match="regime must be one of R0, R1"):
        draws.Windows(Film(), "h264")


@pytest.mark.parametrize("regime", draws.LONGER)
def test_a_longer_window_holds_the_shorter_one_unchanged_and_no_second_sharp_frame(regime):
    shorter, longer = (draws.Windows(Film(), regime, step=16, radius=radius)[1] for radius in (2, 7))
    assert longer["frames"].shape == (15, 3, 192, 144)
    np.testing.assert_array_equal(longer["frames"][5:10], shorter["frames"])
    np.testing.assert_array_equal(longer["lengths"][5:10], shorter["lengths"])
    beyond = np.delete(longer["lengths"], range(5, 10))
    low, high = {"R0": (0, 0), "R1": (0, 31), "R2": (31, 47), "R3": (21, 31)}[regime]
    assert low <= beyond.min() <= beyond.max() <= high
    with pytest.raises(ValueError, match="longer windows are drawn in R0, R1, R2, R3, not in R5"):
        draws.Windows(Film(), "R5", radius=7)


def test_h264_returns_all_frames_a_little_changed():
    rng = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(rng.integers(40, 215, (6, 12, 16, 3), np.uint8), 20, 1), 20, 2)
    fine, coarse = (np.abs(to_video.recompressed(smooth, crf).astype(float) - smooth).mean() for crf in (18, 45))
    assert fine < coarse < 20


def test_the_key_frame_before_its_damage_is_cut_only_where_it_is_asked_for():
    usual, asked = (draws.Windows(Film(), "R3", step=16, sharp=sharp)[1] for sharp in (False, True))
    assert asked.keys() - usual.keys() == {"sharp"}
    np.testing.assert_array_equal(asked["frames"], usual["frames"])
    key = Film().frame(0, 16)
    np.testing.assert_array_equal(asked["sharp"], crops.cut(key, asked["box"]).transpose(2, 0, 1))
    assert (asked["sharp"] != asked["frames"][2]).mean() > 0.5


def test_jitter_doubles_and_a_trap_lies_on_a_blurred_neighbour():
    true = draws.Windows(Film(), "filmed")[1]["box"]
    by = [draws.Windows(Film(), regime, step=16)[1]["box"] - true for regime in ("jitter", "jitter 20 %")]
    assert by[1] == pytest.approx(2 * by[0])
    for t in range(60):
        plain = draws.draw("film0", t, "R2")
        for kind in draws.TRAPS:
            trapped = draws.trapped(plain, kind, "film0", t)
            differ = [n for n, (a, b) in enumerate(zip(plain, trapped, strict=True)) if a != b]
            assert len(differ) == 1
            assert differ[0] != 2
            assert plain[differ[0]].length > 0


# ---- in words, and as figures


@pytest.fixture
def stored(all_found, tmp_path, monkeypatch):
    """A folder of tables in which one difference is beyond doubt each way."""
    for seed in (0, 1):
        all_found["R2"][f"pose/spatial-video seed {seed}"] = off((slice(None), slice(2, 5)))
        all_found["jpeg 10"][f"pose/freq-video seed {seed}"] = off((slice(None), slice(8, 12)))
    differences = learn.differences_table(all_found, SOURCES)
    few = differences["p"] < 0.01  # two films: what both show; as if asked alone
    assert few.sum() > 2
    differences["p (Holm)"] = np.where(few, differences["p"], 1)
    folder = tmp_path / "stored"
    folder.mkdir()
    for name, table in (
        ("evidence", learn.scores_table(all_found, SOURCES)),
        ("differences", differences),
        ("traps", learn.traps_table(all_found, SOURCES)),
        ("goals", report.goals_table(all_found, SOURCES)),
    ):
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_words_say_what_the_intervals_say(stored):
    told = "added blur, one neighbour sharp (R2) +20.4 [+16.7, +21.4]"  # other questions begin with it too
    assert evidence.helps("spatial-video", stored).splitlines() == [
        "Better than spatial-video beyond doubt in 1 of 37 conditions:", "", f"- added blur: {told}",
    ]  # fmt: skip
    assert evidence.does_not("spatial-video", stored).splitlines() == [
        "Worse than spatial-video beyond doubt in 1 of 37 conditions:",
        "",
        "- compression and boxes: compression, JPEG 10 −29.6 [−33.3, −28.6]",
        "",
        "Not told apart in 35 of 37 conditions:",
        "",
        "- added blur: 8 of 9, +0.0 to +0.0 points",
        "- out of range: all 4, +0.0 to +0.0 points",
        "- traps for energy: all 5, +0.0 to +0.0 points",
        "- motion as filmed, also at lower frame rates: all 11, +0.0 to +0.0 points",
        "- compression and boxes: 7 of 8, +0.0 to +0.0 points",
    ]


def test_what_restoring_gains_is_told_where_it_was_asked(all_found, stored):
    for regime in draws.REGIMES:
        all_found[regime]["pose/freq-restored seed 0"] = TRUTH.copy()
    all_found["R2"]["pose/sharpest frame"] = off((0, slice(0, 5)))
    table = report.lead_table(all_found, SOURCES)
    panel = figures_evidence.lead(table)
    agree(panel)
    rule, *marks = panel.marks
    points = {mark.name: mark for mark in marks if isinstance(mark, Points)}
    place = list(dict.fromkeys(table["regime"])).index("R2")
    assert points["− sharpest frame"].x[place] == pytest.approx(100 * 5 / 54)
    assert points["− freq-video"].x[place] == 0
    assert rule.value == 0


def test_a_range_is_that_of_its_conditions_and_none_is_left_out(stored):
    table = pd.read_csv(stored / "differences.csv")
    table.loc[table["condition"] == "JPEG 20", "difference"] = -0.004
    table.loc[table["condition"] == "± 20 %", "difference"] = 0.006
    table.to_csv(stored / "differences.csv", index=False)
    told = evidence.does_not("spatial-video", stored)
    assert "- compression and boxes: 7 of 8, −0.4 to +0.6 points" in told
    assert told.startswith("Worse than")
    table["p (Holm)"] = 1
    table.to_csv(stored / "differences.csv", index=False)
    assert evidence.helps("spatial-video", stored) == "Better than spatial-video beyond doubt in 0 of 37 conditions."
    assert evidence.does_not("spatial-video", stored).startswith("Nowhere worse beyond doubt; not told apart in 37 of")
    asked = [question for theme in evidence.THEMES.values() for question in theme]
    assert sorted(asked) == sorted(set(evidence.ASKS) - {evidence.STILLS}), "each question in one theme"


def test_a_difference_without_the_sign_of_every_seed_is_open():
    line = pd.Series({"difference": 0.01, "p (Holm)": 0.001, "per seed": "+1.0 +1.0 +1.0"})
    assert evidence.verdict(line) == evidence.HELPS
    assert evidence.verdict(pd.Series({**line, "per seed": "+2.0 -0.5 +1.5"})) == evidence.OPEN
    assert evidence.verdict(pd.Series({**line, "p (Holm)": 0.05})) == evidence.OPEN
    assert evidence.verdict(pd.Series({**line, "difference": -0.01, "per seed": "-1.0 -0.5"})) == evidence.HURTS


def test_a_table_that_was_not_made_names_the_command(tmp_path):
    with pytest.raises(LookupError, match="traps.csv has not been made yet: python -m freqviz evaluate --evidence"):
        evidence.table("traps", tmp_path)


def test_the_figures_show_the_tables_on_screen_and_on_paper(stored):
    scores = evidence.scores("Compression", stored)
    panel = figures_evidence.scores("Compression", scores, "pck@0.05", ["freq-video", "mean"])
    agree(panel)
    points = [mark for mark in panel.marks if isinstance(mark, Points)]
    assert [mark.name for mark in points] == ["freq-video", "mean"]
    places = points[0].y.round().astype(int)
    order = [text for _, text in panel.y.ticks]
    assert [order[place] for place in places] == list(dict.fromkeys(scores["condition"]))
    worst = order.index("JPEG 10")
    assert points[0].x[worst] == pytest.approx(100 * 38 / 54)
    lines = next(mark for mark in panel.marks if isinstance(mark, Line))
    assert lines.x[3 * worst] <= points[0].x[worst] <= lines.x[3 * worst + 1]
    with pytest.raises(LookupError, match="no row 'dct-input'; the table holds"):
        figures_evidence.scores("Compression", scores, rows=["dct-input"])
    with pytest.raises(LookupError, match="no question 'Rain'; answered are Added blur"):
        evidence.scores("Rain", stored)


def test_differences_are_coloured_by_what_can_be_said(stored):
    panel = figures_evidence.differences(evidence.differences("spatial-video", folder=stored), "All")
    agree(panel)
    groups = {mark.name: mark for mark in panel.marks if isinstance(mark, Points)}
    assert set(groups) == {"helps", "hurts", "not told apart"}
    assert (groups["helps"].x > 0).all()
    assert groups["hurts"].texts[0] == "Compression: JPEG 10"
    ticks = [text for _, text in panel.y.ticks]
    place = int(groups["hurts"].y[0])
    assert (ticks[place], max(n for n, text in enumerate(ticks[:place]) if text.endswith(":"))) == (
        "JPEG 10", ticks.index("Compression:"),
    )  # fmt: skip
    assert isinstance(panel.marks[0], Rule)
    one = figures_evidence.differences(evidence.differences(question="Compression", folder=stored))
    agree(one)
    assert "− spatial-frame" in [mark.name for mark in one.marks]
    with pytest.raises(LookupError, match="freq-video has no part in this"):
        figures_evidence.differences(evidence.differences(question=evidence.STILLS, folder=stored))


def test_the_traps_as_a_figure(stored):
    panel = figures_evidence.traps(evidence.table("traps", stored))
    agree(panel)
    assert [text for _, text in panel.y.ticks] == ["noise", "dark", "bright", "occluder"]


def test_the_readme_says_the_stored_numbers_in_five_sentences():
    readme = (ROOT / "README.md").read_text().split("<!-- found -->")[1].split("<!-- /found -->")[0]
    assert readme.strip().splitlines() == evidence.sentences()
    assert len(evidence.sentences()) == 5


def test_the_stored_tables_answer_every_question_with_intervals():
    table = evidence.table("evidence")
    assert set(evidence.questions()) == set(table["question"]) <= set(evidence.ASKS)
    assert (table["low@0.1"] <= table["pck@0.1"]).all()
    assert (table["pck@0.1"] <= table["high@0.1"]).all()
    for question in evidence.questions():
        agree(figures_evidence.scores(question, evidence.scores(question)))
        assert tables.comparison(evidence.scores(question)).latex().endswith("\\end{tabular}\n")
    assert {row for row in table["row"] if row in predictions.RIVALS} == set(predictions.RIVALS)
    for rival in evidence.rivals():
        agree(figures_evidence.differences(evidence.differences(rival), "All conditions"))


# ---- what each choice is worth


@pytest.fixture
def asked(tmp_path):
    """A folder with a table of ablations: one answer better, one worse, one that cannot be told apart."""
    lines = [
        {"question": "Losses", "row": row, "regime": "R2", "frames": 20, "films": 5, "pck@0.05": score,
         "difference": apart, "low": low, "high": high}
        for row, score, apart, low, high in (
            ("better", 0.42, 0.02, 0.01, 0.03), ("base", 0.4, np.nan, np.nan, np.nan),
            ("worse", 0.35, -0.05, -0.07, -0.03), ("alike", 0.41, 0.01, -0.01, 0.03),
        )
    ]  # fmt: skip
    pd.DataFrame(lines).to_csv(tmp_path / "ablations.csv", index=False)
    return tmp_path


def test_an_answer_is_told_by_its_interval_and_the_base_comes_first(asked):
    table = evidence.choices("Losses", "R2", asked)
    assert list(table["row"]) == ["base", "better", "worse", "alike"]
    assert list(table["verdict"])[1:] == [evidence.HELPS, evidence.HURTS, evidence.OPEN]
    panel = figures_evidence.choices(table)
    agree(panel)
    points = {mark.name: mark.x.item() for mark in panel.marks if isinstance(mark, Points)}
    assert points == pytest.approx({"helps": 2, "hurts": -5, "not told apart": 1})
    assert "“base” finds 40.0 %; n = 20 frames of 5 films held out" in panel.note


def test_what_was_not_asked_is_named(asked):
    with pytest.raises(LookupError, match="no question 'Colour'; there are Losses"):
        evidence.choices("Colour", "R2", asked)
    with pytest.raises(LookupError, match="Losses was not asked in 'R5'; it was in R2"):
        evidence.choices("Losses", "R5", asked)
    with pytest.raises(LookupError, match="has not been made yet: python -m freqviz evaluate --ablations"):
        evidence.choices("Losses", "R2", asked / "none")


def test_a_table_of_answers_has_scores_and_differences(asked):
    told = tables.evaluations(asked)["What each choice is worth"]("pck@0.1")
    assert told.names == ("R2, %", "R2 − base")
    assert told.markdown().splitlines()[2] == "| Losses: better | 42.0 | +2.0 [+1.0, +3.0] |"
    assert told.cells()[1] == ["40.0", tables.MISSING]


def test_the_stored_answers_are_those_of_the_readme_and_can_be_drawn():
    table = evidence.table("ablations")
    readme = (ROOT / "README.md").read_text().split("<!-- ablations -->")[1].split("<!-- /ablations -->")[0]
    assert readme.strip() == ablations.markdown(table)
    for question, regime in table[["question", "regime"]].drop_duplicates().itertuples(index=False):
        agree(figures_evidence.choices(evidence.choices(question, regime)))


def test_a_stored_table_is_ones_own_and_read_anew_when_it_was_made_anew(tmp_path):
    file = tmp_path / "traps.csv"
    file.write_text("share\n1\n")
    mine = evidence.table("traps", tmp_path)
    mine["share"] = 7
    assert evidence.table("traps", tmp_path)["share"].tolist() == [1]
    file.write_text("share\n22\n")
    assert evidence.table("traps", tmp_path)["share"].tolist() == [22]
