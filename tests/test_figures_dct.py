"""Does the map of the gate name the right coefficient, and the curve the right number of channels?"""

import both_renderers
import numpy as np
import pytest

import models
from freqviz import figures_dct as figures
from freqviz.panel import Heatmap, Line, Points
from freqviz.trace import Record, Trace


def gated(off):
    rates, bits = np.full((3, 8, 8), 0.5), np.ones((1, 192))
    rates[1, 2, 5] = 0.9
    bits[0, off] = 0
    return Trace(
        "dct-input",
        (
            Record("gate_rate", "gate.rate", ("colour", "v", "u"), 0, rates),
            Record("channel_gate", "gate.bit", ("frame", "channel"), 0, bits),
        ),
    )


def test_a_coefficient_stands_in_its_plane_row_and_column():
    panel = figures.gate(gated([64 + 8 * 3 + 1, 191]))
    heat, points = panel.marks
    assert isinstance(heat, Heatmap)
    assert isinstance(points, Points)
    assert heat.values[2, 8 + figures.GAP + 5] == 0.9
    assert np.isnan(heat.values[:, 8]).all()
    places = set(zip(points.x.tolist(), points.y.tolist(), strict=True))
    assert len(places) == 190
    assert places.isdisjoint({(8 + figures.GAP + 1, 3), (2 * (8 + figures.GAP) + 7, 7)})
    assert "190 of 192 coefficients pass" in panel.note
    both_renderers.agree(panel)


def test_all_shut_has_no_points():
    assert len(figures.gate(gated(range(192))).marks) == 1


def test_a_network_of_pixels_says_so():
    with pytest.raises(LookupError, match="spatial-frame has no channel gate: its input are pixels"):
        figures.gate(Trace("spatial-frame", ()))


def test_the_curve_shows_the_scores_of_the_card(monkeypatch):
    channels = {"192": {"R0": [0.4, 0.6, 0.8]}, "24": {"R0": [0.2, 0.5, 0.7]}}
    monkeypatch.setattr(models, "card", lambda name: {"channels": channels} if name == "dct-input" else {})
    panel = figures.fewer("dct-input")
    lines = {mark.name: mark for mark in panel.marks if type(mark) is Line}
    assert lines["PCK@.1"].x.tolist() == [24, 192]
    assert lines["PCK@.1"].y.tolist() == pytest.approx([50, 60])
    both_renderers.agree(panel)
    del channels["24"]
    with pytest.raises(LookupError, match="no curve of fewer ones"):
        figures.fewer("dct-input")
    with pytest.raises(LookupError, match="card of spatial-frame has no scores with fewer channels in R0"):
        figures.fewer("spatial-frame")
