"""Is watching harmless, and does a trace hold what passed?"""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from freqviz.trace import (
    LightTrace,
    Record,
    Trace,
    _light_probes,
    _median,
    feature_energy,
    light_frames,
    light_rows,
    trace_window,
    watching,
)
from models.probe import Probe, edit, probes


def hooks(network):
    return sum(len(module._forward_hooks) for module in network.modules())


def light_trace(n=6, **changes):
    rng = np.random.default_rng(3)
    weights = rng.random((n, 5))
    values = {
        "network": "by hand",
        "keypoints": rng.random((n, 14, 2)),
        "scores": rng.random((n, 14)),
        "boxes": rng.random((n, 4)),
        "frame_weights": weights / weights.sum(1, keepdims=True),
        "key_box_segment": np.arange(n) // 4,
        "band_energy": rng.normal(size=(n, 3)),
        "channel_attention": None,
        "median_offset": rng.normal(size=(n, 5, 2)),
        "effective_frames": 1 + rng.random(n),
    }
    return LightTrace(**(values | changes))


def test_a_watched_window_gives_the_same_heatmaps_and_the_same_checkpoint(tiny):
    frames = torch.rand(5, 3, 192, 144)
    before, state = tiny(frames[None]), {k: v.clone() for k, v in tiny.state_dict().items()}
    trace = trace_window(tiny, frames)
    assert torch.equal(tiny(frames[None]), before)
    assert all(torch.equal(v, state[k]) for k, v in tiny.state_dict().items())
    np.testing.assert_allclose(trace.get("heatmap").values, before[0].detach().numpy(), rtol=1e-5)


def test_every_probe_leaves_one_record_with_its_axes_and_no_batch(tiny):
    trace = trace_window(tiny, torch.rand(5, 3, 192, 144), "tiny")
    shapes = {record.quantity: (record.axes, record.values.shape) for record in trace.records}
    assert shapes["frame_weights"] == (("frame", "y", "x"), (5, 24, 18))
    assert shapes["channel_attention"] == (("frame", "channel"), (5, 4))
    assert shapes["learned_filter"] == (("channel", "v", "u"), (4, 24, 10))
    assert shapes["band_energy"] == (("frame", "band", "y", "x"), (5, 3, 12, 9))  # encode sees single frames
    assert shapes["alignment_offset"] == (
        ("frame", "tap", "xy", "y", "x"),
        (4, 9, 2, 24, 18),
    )  # neighbours only
    assert len(trace.records) == len(probes(tiny))


def test_an_encoded_window_shows_the_same_but_for_what_encoding_shows(tiny):
    frames = torch.rand(5, 3, 192, 144)
    whole, part = trace_window(tiny, frames), trace_window(tiny, tiny.encode(frames))
    assert set(whole.quantities) - set(part.quantities) == {"band_energy"}
    np.testing.assert_array_equal(whole.get("frame_weights").values, part.get("frame_weights").values)


def test_no_hook_survives_a_good_or_a_failing_forward(tiny):
    trace_window(tiny, torch.rand(5, 3, 192, 144))
    assert hooks(tiny) == 0

    def broken(*_):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"), watching(tiny, broken):
        tiny(torch.rand(1, 5, 3, 192, 144))
    assert hooks(tiny) == 0


def test_what_another_thread_computes_is_not_seen(tiny):
    seen = []
    with watching(tiny, lambda path, probe, tensor: seen.append(path)):
        other = threading.Thread(target=lambda: tiny(torch.rand(1, 5, 3, 192, 144)))
        other.start()
        other.join()
        assert seen == []
        tiny(torch.rand(1, 5, 3, 192, 144))
    assert len(seen) == len(probes(tiny))


def test_records_are_copies_and_read_only():
    values = np.arange(6.0).reshape(2, 3)
    record = Record("feature", "s", ("y", "x"), 4, values)
    values[0, 0] = 99
    assert record.values[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        record.values[0, 0] = 1


def test_an_in_place_change_after_the_probe_does_not_reach_the_record(tiny):
    frames = torch.rand(5, 3, 192, 144)
    before = tiny(frames[None])[0].detach().numpy()
    whole = tiny.estimate
    tiny.estimate = lambda window: whole(window).mul_(0)
    trace = trace_window(tiny, frames)
    np.testing.assert_allclose(trace.get("heatmap").values, before, rtol=1e-5)


def test_an_edited_probe_is_traced_as_edited(tiny):
    with edit(tiny, {"frame_weights": lambda x: torch.full_like(x, 0.2)}):
        trace = trace_window(tiny, torch.rand(5, 3, 192, 144))
    np.testing.assert_allclose(trace.get("frame_weights").values, 0.2)


def test_a_missing_quantity_is_told_with_what_is_held():
    trace = Trace("by hand", (Record("heatmap", "head", ("y", "x"), 4, np.zeros((2, 3))),))
    with pytest.raises(LookupError, match="no phase_prior in by hand; trace holds heatmap"):
        trace.get("phase_prior")
    with pytest.raises(LookupError, match="no heatmap at 'tail' in by hand; stages: head"):
        trace.get("heatmap", "tail")


def test_of_several_stages_the_finest_is_given_unless_one_is_named():
    coarse, fine = (Record("feature", f"s{s}", ("y", "x"), s, np.full((2, 3), s)) for s in (16, 4))
    trace = Trace("by hand", (coarse, fine))
    assert trace.get("feature").stage == "s4"
    assert trace.get("feature", "s16").values[0, 0] == 16
    assert trace.stages("feature") == ("s16", "s4")


def test_a_record_whose_array_does_not_fit_its_axes_is_refused():
    with pytest.raises(ValueError, match=r"mask at s must be \(v u\), got \(3,\)"):
        Record("mask", "s", ("v", "u"), 4, np.zeros(3))


def test_slots_say_which_frames_a_frame_axis_holds(tiny):
    trace = trace_window(tiny, torch.rand(5, 3, 192, 144))
    assert trace.get("frame_weights").slots.tolist() == [-2, -1, 0, 1, 2]
    offset = trace.get("alignment_offset")
    assert offset.slots.tolist() == [-2, -1, 1, 2]
    np.testing.assert_array_equal(offset.values[:, 0, 0, 0, 0], 2 * offset.slots)
    with pytest.raises(LookupError, match="heatmap at heatmap has no frame axis, only joint y x"):
        _ = trace.get("heatmap").slots


def test_a_deep_trace_reads_as_it_was_written(tiny, tmp_path):
    trace = trace_window(tiny, torch.rand(5, 3, 192, 144), "tiny")
    trace.save(tmp_path / "deep.npz")
    again = Trace.load(tmp_path / "deep.npz")
    assert again.network == "tiny"
    for a, b in zip(trace.records, again.records, strict=True):
        assert (a.quantity, a.stage, a.axes, a.stride) == (b.quantity, b.stage, b.axes, b.stride)
        np.testing.assert_array_equal(a.values, b.values)
        assert a.values.dtype == b.values.dtype


def test_a_window_of_the_wrong_length_is_refused(tiny):
    with pytest.raises(ValueError, match=r"window must be \(5, 3, H, W\), got \(4, 3, 192, 144\)"):
        trace_window(tiny, torch.rand(4, 3, 192, 144))


def test_light_frame_weights_are_the_mean_over_the_person_region(tiny):
    """A box whose aspect is 1:4 leaves the middle columns of the crop: written out for stride 8."""
    encoded = tiny.encode(torch.rand(5, 3, 192, 144))
    window = {name: maps[None] for name, maps in encoded.items()}
    box = [10.0, 20.0, 40.0, 160.0]
    rows = light_rows(tiny, window, box)
    weights = trace_window(tiny, encoded).get("frame_weights").values  # (5, 24, 18)
    # grown to 120 x 160, the crop shows 150 x 200 frame pixels (scale 200 / 192), the person 40 x 160 of it
    half_x, half_y = 20 * 192 / 200, 80 * 192 / 200
    x, y = np.arange(18) * 8 + 3.5 - 71.5, np.arange(24) * 8 + 3.5 - 95.5
    inside = (np.abs(y) <= half_y)[:, None] & (np.abs(x) <= half_x)[None]
    assert 0 < inside.sum() < 24 * 18 / 3
    np.testing.assert_allclose(rows["frame_weights"][0], weights[:, inside].mean(1), rtol=1e-4)
    expected = (1 / np.square(weights[:, inside]).sum(0)).mean()
    np.testing.assert_allclose(rows["effective_frames"][0], expected, rtol=1e-4)


def test_light_offsets_and_energies_are_those_of_their_slots(tiny):
    encoded = tiny.encode(torch.rand(5, 3, 192, 144))
    rows = light_rows(tiny, {name: maps[None] for name, maps in encoded.items()}, [0, 0, 60, 80])
    slots = np.arange(-2, 3)
    np.testing.assert_allclose(rows["median_offset"][0], np.stack([2.0 * slots, -1.0 * slots], 1))
    gain = trace_window(tiny, encoded).get("channel_attention").values
    np.testing.assert_allclose(rows["channel_attention"][0], gain[2], rtol=1e-4)


def test_light_energies_are_the_mean_over_the_person_region_of_each_frame(tiny):
    frames = torch.rand(5, 3, 192, 144)
    maps, rows = light_frames(tiny, tiny.encode, frames, [0, 0, 60, 80])
    assert set(maps) == {"maps", "energy"}
    energy = trace_window(tiny, frames).get("band_energy").values  # (5, 3, 12, 9), stride 16
    x, y = np.arange(9) * 16 + 7.5 - 71.5, np.arange(12) * 16 + 7.5 - 95.5
    inside = (np.abs(y) <= 76.8)[:, None] & (np.abs(x) <= 57.6)[None]
    np.testing.assert_allclose(rows["band_energy"], energy[:, :, inside].mean(2), rtol=1e-4)


def test_a_light_trace_reads_as_it_was_written(tmp_path):
    trace = light_trace()
    trace.save(tmp_path / "light.npz")
    again = LightTrace.load(tmp_path / "light.npz")
    assert (again.network, again.joints, again.channel_attention) == (trace.network, trace.joints, None)
    np.testing.assert_array_equal(again.keypoints, trace.keypoints)
    np.testing.assert_array_equal(again.band_energy, trace.band_energy)
    assert again.key_box_segment.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "shape"),
    [("keypoints", (6, 13, 2)), ("boxes", (5, 4)), ("median_offset", (6, 3, 2)), ("band_energy", (4, 3))],
)
def test_a_light_trace_of_arrays_that_do_not_fit_is_refused(name, shape):
    with pytest.raises(ValueError, match=f"{name} of 6 frames, 14 joints, 5 slots must be"):
        light_trace(**{name: np.zeros(shape)})


def test_frame_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="must sum to 1"):
        light_trace(frame_weights=np.full((6, 5), 0.21))


def test_a_network_without_frame_weights_has_nan():
    assert np.isnan(light_trace(frame_weights=np.full((6, 5), np.nan)).frame_weights).all()


def test_a_light_trace_is_at_most_64_kb_per_frame():
    light_trace(channel_attention=np.zeros((6, 7000)))
    with pytest.raises(ValueError, match="at most 64000 bytes per frame"):
        light_trace(channel_attention=np.zeros((6, 8000)))


def test_a_light_trace_cannot_be_changed():
    trace = light_trace()
    with pytest.raises(ValueError, match="read-only"):
        trace.keypoints[0] = 0
    assert replace(trace, network="other").network == "other"


def test_at_the_ends_of_a_clip_the_key_frame_stands_for_missing_neighbours():
    trace = light_trace()
    assert trace.window(0).tolist() == [0, 0, 0, 1, 2]
    assert trace.window(3).tolist() == [1, 2, 3, 4, 5]
    assert trace.window(5).tolist() == [3, 4, 5, 5, 5]


def test_a_frame_has_the_mean_weight_of_the_windows_that_show_it():
    weights = np.zeros((6, 5))
    weights[:, 2], weights[:, 3], weights[2] = 0.7, 0.3, [0.1, 0.2, 0.4, 0.2, 0.1]
    found = light_trace(frame_weights=weights).mean_weights
    # frame 0 is shown by windows 0, 1, 2; at the ends the key frame in the place of a neighbour does not count
    np.testing.assert_allclose(found[0], (0.7 + 0 + 0.1) / 3)
    np.testing.assert_allclose(found[3], (0 + 0.2 + 0.7 + 0 + 0) / 5)
    assert np.isnan(light_trace(frame_weights=np.full((6, 5), np.nan)).mean_weights).all()


def test_the_energy_of_features_is_the_log_of_their_variance_over_the_person():
    probe = Probe("feature", "frame channel y x", 4)
    maps = torch.zeros(2, 3, 2, 48, 36)
    maps[1, 2, 0, 20:28, :18], maps[1, 2, 0, 20:28, 18:] = -3, 3
    maps[0, :, :, 0] = 100  # outside the person
    found = feature_energy(maps, probe, (0, 80, 144, 31), (192, 144))  # rows 20 to 27, all columns
    np.testing.assert_allclose(found[1, 2], np.log(9 / 2), rtol=1e-5)
    np.testing.assert_allclose(np.delete(found.numpy().ravel(), 5), np.log(1e-12), rtol=1e-5)


def test_the_light_trace_has_the_feature_energy_of_the_key_frame(tiny):
    window = {part: maps[None] for part, maps in tiny.encode(torch.rand(5, 3, 192, 144)).items()}
    rows = light_rows(tiny, window, (0, 0, 144, 192))
    key = window["maps"][0, 2]
    crop = crops_of_person(key)
    np.testing.assert_allclose(rows["feature_energy"], np.log(crop.var((1, 2)).mean()), rtol=1e-4)


def crops_of_person(maps):
    """Cells (C, h, w) of stride 4 inside a box that fills the frame: its cut is 1.25 times as large."""
    values = maps.detach().numpy().astype(float)
    return values[:, 5:43, 4:32]


def test_of_probes_of_one_stride_the_networks_own_is_kept():
    network = torch.nn.Module()
    network.part, network.feature = torch.nn.Module(), Probe("feature", "channel y x", 4)
    network.part.feature = Probe("feature", "channel y x", 4)
    assert list(_light_probes(network)) == ["feature"]


@pytest.mark.parametrize("count", [1, 6, 7])
def test_medians_are_those_of_torch(rng, count):
    values = torch.from_numpy(rng.normal(size=(3, 2, count)).astype(np.float32))
    values[1, 0, count // 2] = float("nan")
    torch.testing.assert_close(_median(values), values.median(-1).values, rtol=0, atol=0, equal_nan=True)
