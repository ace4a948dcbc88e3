"""Does the page "Networks" say what cards and tables say, and does nothing overlap in its figure?"""

import json

import both_renderers
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import models
from freqviz import again, cards, figures_networks, to_matplotlib, to_pgfplots
from freqviz.__main__ import app
from freqviz.learn import record
from freqviz.panel import Axis, Panel, Points, Texts
from freqviz.to_plotly import to_plotly

LOG = pd.DataFrame({"step": np.arange(1, 201), "seconds": np.arange(200) / 7, "pose": 4 - np.arange(200) / 100})


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An empty folder in the place of checkpoints and cards."""
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


def test_the_table_has_a_row_for_every_network_that_says_what_the_evaluation_found():
    table, regimes = cards.table().set_index("network"), pd.read_csv(cards.EVALUATION / "regimes.csv")
    assert list(table.index) == models.names()
    for name, row in table.iterrows():
        assert row["frames"] == models.build(name).frames
        assert row["parameters"] == sum(values.numel() for values in models.build(name).parameters())
        assert row["what"]
        found = regimes[(regimes["row"] == name) & (regimes["regime"] == "R2")]
        if len(found):
            assert (row["R2"], row["n"]) == (found["pck@0.1"].item(), found["frames"].item())
    assert table.loc["freq-video", "what"] == "The twin, guided by spectra"
    assert table.loc["freq-video", "idea"].startswith("Zhu et al., ICCV 2023")


def test_a_network_without_card_checkpoint_or_evaluation_stands_in_the_table(weights, monkeypatch, tmp_path):
    monkeypatch.setattr(cards, "EVALUATION", tmp_path)
    row = cards.table().set_index("network").loc["freq-video"]
    assert (row["n"], row["seeds"], row["budget"], row["trained"]) == (0, 0, "", False)
    assert np.isnan(row["R0"])
    assert "`python -m freqviz train freq-video`" in cards.words("freq-video")["Training"]
    with pytest.raises(LookupError, match="the card of freq-video has no learning curve"):
        cards.curve("freq-video")
    with pytest.raises(LookupError, match="no network has a score in R2"):
        figures_networks.accuracy_against_cost(cards.table())


def test_a_card_alone_gives_scores_and_words(weights, monkeypatch, tmp_path):
    monkeypatch.setattr(cards, "EVALUATION", tmp_path)
    scores = {"measure": "PCK of three", "R2": [0.1, 0.2, 0.3], "psnr": 31.5}
    tries = ["half the rate: worse", "no prior"]
    models.write_card("freq-video", scores=scores, budget={"steps": 4000, "minutes": 2.5}, tries=tries, seeds=[0, 1])
    assert cards.scores("freq-video")["PCK@0.1"].to_dict() == {"R2": 0.2}
    told = cards.words("freq-video")
    assert told["Tries"] == "half the rate: worse; no prior."
    assert told["Scores"] == "measure PCK of three; psnr 31.5."
    row = cards.table().set_index("network").loc["freq-video"]
    assert (row["R2"], row["seeds"], row["budget"]) == (0.2, 2, "4,000 steps, 2.5 minutes")


def test_other_heads_stand_in_a_table_by_what_differs(weights):
    own = {"steps": 400, "device": "cpu", "start": "here"}
    other = {"budget": own | {"steps": 1200, "minutes": 3.5, "start": "there"}, "seeds": [0, 1], "command": "a b"}
    models.write_card("freq-video", **{"budget": own, "heads 15px": other, "heads same": {"budget": own}})
    assert cards.other_heads("freq-video").to_numpy().tolist() == [
        ["15px", 2, "1,200 steps, 3.5 minutes", "start there", "a b"],
        ["same", 0, "400 steps", "", ""],
    ]
    assert not any("eads" in title for title in cards.words("freq-video"))
    assert len(cards.other_heads("spatial-video")) == 0


# ---- learning curves


def test_a_curve_keeps_the_ends_of_a_log_and_at_most_sixty_rows(tmp_path):
    LOG.to_csv(tmp_path / "log-freq-video-1.csv", index=False)
    LOG[:1].to_csv(tmp_path / "log-spatial-video-0.csv", index=False)
    found = record.curve(tmp_path, "freq-video")
    assert list(found) == ["step", "seconds", "pose"]
    assert {len(column) for column in found.values()} == {60}
    assert (found["step"][0], found["step"][-1], found["pose"][-1]) == (1, 200, 2.01)
    assert record.curve(tmp_path, "spatial-video")["step"] == [1]
    assert record.curve(tmp_path, "spatial-frame") == {}
    (tmp_path / "log.csv").write_text("step,loss\n1,2\n2\n")
    with pytest.raises(ValueError, match=r"log\.csv must be a table of numbers"):
        record.curve(tmp_path, "spatial-frame")


def test_the_command_puts_a_curve_into_the_card_and_the_page_has_its_figures(weights, tmp_path):
    LOG.assign(pck10=0.5, step=LOG["step"] * 10).to_csv(tmp_path / "log.csv", index=False)
    models.write_card("spatial-frame", seeds=[0])
    called = CliRunner().invoke(app, ["log", str(tmp_path), "--card", "spatial-frame"])
    assert called.exit_code == 0, called.output
    text = (weights / "spatial-frame.json").read_text()
    assert len(text.splitlines()) < 12  # a column is a line
    assert json.loads(text)["seeds"] == [0]
    curve = cards.curve("spatial-frame")
    assert (len(curve), curve["step"].iloc[-1]) == (60, 2000)
    loss, score = figures_networks.learning_curves("spatial-frame", curve)
    assert (loss.title, score.title) == ("Learning curve of spatial-frame", "Validation of spatial-frame")
    assert loss.marks[0].y[-1] == 2.01
    assert score.y.limits == (0, 1)
    for panel in (loss, score):
        both_renderers.agree(panel)
    assert "curve" not in {key.lower() for key in cards.words("spatial-frame")}
    nothing = CliRunner().invoke(app, ["log", str(weights), "--card", "freq-video"])
    assert nothing.exit_code == 2
    assert "--card needs one folder or log of freq-video" in nothing.output


# ---- accuracy against cost


def eleven():
    """As many networks as the project will have, most of them as dear and as good as each other."""
    names = ("spatial-frame", "spatial-video", "freq-video", "freq-motion-distilled", *(f"net-{i}" for i in range(7)))
    cost = np.array([0.6, 3.2, 3.3, 3.3, *np.linspace(3.2, 3.4, 7)]) * 1e9
    score = np.array([0.54, 0.61, 0.63, 0.6301, *np.linspace(0.628, 0.632, 6), np.nan])
    return pd.DataFrame({"network": names, "multiply_adds": cost, "R2": score, "n": 516})


def test_accuracy_against_cost_shows_each_point_where_it_is_and_names_it():
    panel = figures_networks.accuracy_against_cost(eleven())
    points = [mark for mark in panel.marks if isinstance(mark, Points)]
    assert [(mark.x.item(), mark.y.item()) for mark in points[:2]] == [(0.6, 54), (3.2, 61)]
    (names,) = (mark for mark in panel.marks if isinstance(mark, Texts))
    assert list(names.texts) == list(eleven()["network"][:10])
    assert "516 key frames; 1 without a score yet" in panel.note
    both_renderers.agree(panel)


def test_no_name_in_it_overlaps_another_or_leaves_the_figure():
    """Measured where Matplotlib puts them, in a column of a paper, the narrowest that it is printed at."""
    figure = to_matplotlib.to_matplotlib(figures_networks.accuracy_against_cost(eleven()))
    axes = figure.axes[0]
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() in set(eleven()["network"])]
    frame = axes.get_window_extent()
    assert len(boxes) == 10
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1 for box in boxes)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=15), st.floats(0.1, 3))
def test_heights_keep_their_distance_their_order_and_the_ends(places, apart):
    found = figures_networks.spread(np.array(places), apart, 0, 10)
    fits = min(apart, 10 / len(places))
    assert (np.diff(np.sort(found)) >= fits - 1e-9).all()
    assert found.min() >= fits / 2 - 1e-9
    assert found.max() <= 10 - fits / 2 + 1e-9
    for i, low in enumerate(places):
        assert all(found[i] < found[j] for j, high in enumerate(places) if low < high)


def test_a_lonely_height_stays_and_a_pair_parts_around_its_middle():
    found = figures_networks.spread(np.array([8.0, 4.0, 4.0]), 1, 0, 10)
    assert found == pytest.approx([8, 3.5, 4.5])


def test_texts_are_drawn_by_every_renderer_and_checked():
    panel = Panel("t", Axis("x", limits=(0, 4)), Axis("y", limits=(0, 4)), (Texts([1, 2], [1, 3], ["a_b", "c"]),))
    both_renderers.agree(panel)
    assert [list(trace.text) for trace in to_plotly(panel).data] == [["a_b", "c"]]
    assert r"at (axis cs:1,1) {a\_b};" in to_pgfplots.to_pgfplots(panel)["figure.tex"].decode()
    assert panel.table()["text"].tolist() == ["a_b", "c"]
    with pytest.raises(ValueError, match="one length"):
        Texts([1], [1], ["a", "b"])
    with pytest.raises(ValueError, match="at least one text"):
        Texts([], [], [])


def test_the_lines_to_copy_give_the_same_figure():
    lines = (
        "import freqviz\nfrom freqviz import cards, figures_networks\n\n"
        "panel = figures_networks.accuracy_against_cost(cards.table(), 'R0')"
    )
    made = again.panel(lines).panel
    assert made.table().equals(figures_networks.accuracy_against_cost(cards.table(), "R0").table())
