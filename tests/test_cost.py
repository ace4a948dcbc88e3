"""Does the table of costs follow from what was counted and timed, and do the figure and the README say the same?"""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from both_renderers import agree

import models
from benchmarks import cost
from freqviz import evidence, figures_networks, tables
from freqviz.learn import readme
from freqviz.panel import Points
from models.cost import counted, multiply_adds

COUNTS = [
    {"network": name, "device": "CPU", "threads": 2, "precision": "float32", "rounds": 7, "parameters": size,
     "multiply-adds": window, "multiply-adds a frame": frame, "memory": memory}
    for name, size, window, frame, memory in (
        ("spatial-frame", 4_500_000, 6e8, 6e8, 70e6),
        ("spatial-video", 4_710_000, 3.2e9, 8e8, 200e6),
        ("freq-video", 4_720_000, 3.3e9, 1e9, 270e6),
    )
]  # fmt: skip
SECONDS = {  # eight frames of a clip, and a window
    ("spatial-frame", "clip"): 0.08, ("spatial-frame", "window"): 0.02,
    ("spatial-video", "clip"): 0.16, ("spatial-video", "window"): 0.10,
    ("freq-video", "clip"): 0.20, ("freq-video", "window"): 0.125,
}  # fmt: skip


@pytest.fixture
def known():
    """Three networks on a device that does 100 G multiply-adds a second."""
    return cost.table(COUNTS, SECONDS, 1e11).assign(**{"ceiling of": "matrix product"})


def test_rates_ratios_and_shares_follow_from_known_times(known):
    assert known["clip seconds"].tolist() == pytest.approx([0.01, 0.02, 0.025])
    assert known["frames/s"].tolist() == pytest.approx([100, 50, 40])
    assert known["clip ratio"].tolist() == pytest.approx([0.5, 1, 1.25])
    assert known["window ratio"].tolist() == pytest.approx([0.2, 1, 1.25])
    assert known["clip share"].tolist() == pytest.approx([0.6, 0.4, 0.4])  # 60, 40 and 40 G/s
    assert known["window share"].tolist() == pytest.approx([0.3, 0.32, 0.264])


def test_the_ceilings_are_counted_as_networks_are():
    for adds, work in cost.ceilings("cpu").values():
        assert counted(work) == adds


def test_the_least_of_the_rounds_counts_and_the_first_does_not(monkeypatch):
    taken = {"a": iter([1.0, 5.0, 3.0, 4.0]), "b": iter([9.0, 2.0, 7.0, 8.0])}
    now, order = [0.0], []

    def work(name):
        order.append(name)
        now[0] += next(taken[name])

    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    best = cost.least({name: lambda name=name: work(name) for name in taken}, 3, "cpu")
    assert best == {"a": 3, "b": 2}
    assert order == ["a", "b"] * 4


@pytest.mark.parametrize("name", ["spatial-frame", "spatial-video"])
def test_along_a_clip_each_frame_is_encoded_once_and_gives_what_its_window_gives(name):
    network = models.load(name)
    frames = torch.rand(cost.STEP + network.frames - 1, 3, *network.input_size)
    with torch.no_grad():
        held = network.encode(frames[: network.frames - 1]) if network.frames > 1 else {}
        found = cost.step(network, held, frames[-cost.STEP :])
        alone = network(frames[None, 2 : 2 + network.frames])
        works = cost.works(network, "cpu")
        window = counted(works["window"])
        adds = counted(works["clip"]) / cost.STEP
    assert len(found) == cost.STEP
    assert torch.allclose(found[2], alone[0], atol=1e-5)
    assert window == multiply_adds(network)
    encoded = counted(lambda: network.encode(frames[:1]))
    assert adds == pytest.approx(window - (network.frames - 1) * encoded, rel=1e-6)


def test_every_network_with_a_checkpoint_is_measured_and_forms_that_cost_otherwise():
    rows = [method.row for method in cost.methods()]
    assert set(models.names()) <= set(rows)
    assert {"freq-deblur spatial", "freq-full T9", "freq-full T15", "dct-input x2"} <= set(rows)
    assert len(rows) == len(set(rows))


def test_the_memory_of_a_process_is_its_own_not_that_of_its_parent(monkeypatch):
    held = bytearray(600_000_000)  # more than the child takes

    class Method:
        row = "spatial-frame"

    monkeypatch.setattr(cost, "PROCESSES", 1)
    taken = cost.in_processes(Method, "cpu")
    assert 20e6 < taken < 500e6
    assert held[-1] == 0


def test_the_process_that_takes_most_counts(monkeypatch):
    told = iter(["4\n", "noise\n9\n", "5\n", "1\n", "2\n", "99\n"])
    monkeypatch.setattr(cost.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=next(told)))
    assert cost.in_processes(cost.Method("spatial-frame"), "cpu") == 9


def test_the_readme_shows_a_table_of_each_device(known):
    card = known.assign(device="a card", precision="float32, convolutions in TF32", ceiling=4.5e13)
    text = readme.cost(pd.concat([known, card]))
    assert text.count("| network |") == 2
    assert "CPU, 2 threads, float32, least of 7 rounds in turn; ceiling: 100 G multiply-adds/s of a matrix" in text
    assert "a card, 2 threads, float32, convolutions in TF32, least of 7 rounds in turn; ceiling: 45,000 G" in text
    assert "| `freq-video` | 4.72 | 3.30 | 1.00 | 25.0 (× 1.25) | 40.0 | 40 % | 125 (× 1.25) | 26 % | 270 |" in text


@pytest.mark.parametrize("kind", figures_networks.COSTS)
def test_the_figure_shows_the_table_on_screen_and_on_paper(known, kind):
    panel = figures_networks.cost(known, kind)
    agree(panel)
    points = [mark for mark in panel.marks if isinstance(mark, Points)]
    columns, _, scale = figures_networks.COSTS[kind]
    for mark, column in zip(points, columns, strict=True):
        assert mark.x.tolist() == pytest.approx((scale * known[column]).tolist())
        assert list(mark.texts) == ["spatial-frame", "spatial-video", "freq-video"]
    assert [text for _, text in panel.y.ticks] == known["network"].tolist()
    low, high = panel.x.limits
    assert all(low <= x <= high for mark in points for x in mark.x)


def test_what_the_figure_cannot_show_is_named(known):
    with pytest.raises(LookupError, match="no 'Price'; known: Time, Frames per second"):
        figures_networks.cost(known, "Price")
    with pytest.raises(LookupError, match="no device 'cuda'; measured are CPU"):
        figures_networks.cost(known, "Time", "cuda")
    with pytest.raises(LookupError, match="no memory in the table; it holds network, device"):
        figures_networks.cost(known.drop(columns="memory"), "Memory")


def test_the_stored_costs_are_those_of_the_networks_and_of_the_readme():
    table = evidence.table("cost")
    assert [one.row for one in cost.methods()] == table[table["device"] == table["device"].iloc[0]]["network"].tolist()
    for method in cost.methods()[:4]:
        line = table[table["network"] == method.row].iloc[0]
        assert (line["parameters"], line["multiply-adds"]) == pytest.approx(method.cost(), rel=1e-4)
    page = readme.cost(table)
    assert page in (evidence.cards.EVALUATION.parents[1] / "README.md").read_text()
    assert len(tables.stored(evidence.cards.EVALUATION / "cost.csv").rows) == len(table)


def test_two_devices_have_two_rows_of_one_network_in_a_table(known, tmp_path):
    pd.concat([known, known.assign(device="a card")]).to_csv(tmp_path / "cost.csv", index=False)
    found = tables.stored(tmp_path / "cost.csv")
    assert found.rows[2:4] == ("freq-video, CPU", "spatial-frame, a card")
    assert found.cells()[2][4] == "40.0"
