"""Is influence what a full recomputation says, and does an intervention touch nothing but its frame?"""

import numpy as np
import pytest
import torch
from conftest import walking_frames
from torch import nn

from freqviz import blur, crops, influence, poses, run, windows
from freqviz.clip import Clip
from freqviz.influence import Change, encode_window, intervene
from models.network import PoseNetwork, density
from models.probe import Probe

BOX = (20.0, 40.0, 24.0, 48.0)
WHOLE = (0.0, 0.0, 160.0, 120.0)
SHARES = (0.1, 0.15, 0.4, 0.3, 0.05)
SAMPLE_BOX = (104.0, 20.0, 110.0, 190.0)


class WeightedMean(PoseNetwork):
    """Every joint stands at the weighted mean of where the frames are bright; joint j is shifted by j pixels.

    The frame weights are SHARES in the left half of the map and the same backwards in the right half.
    """

    frames = 5

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.weights = Probe("frame_weights", "frame y x", 8)

    def encode(self, frames):
        light = (frames.mean(1) - 0.5).clamp_min(0)  # (N, 192, 144)
        y, x = torch.meshgrid(torch.arange(192.0), torch.arange(144.0), indexing="ij")
        places = [(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (x, y)]
        return {"place": torch.stack(places, 1)}

    def estimate(self, window):
        shares = torch.tensor(SHARES)
        maps = torch.where(torch.arange(18) < 9, shares[:, None], shares.flip(0)[:, None])  # (T, w)
        self.weights(maps[None, :, None].expand(len(window["place"]), -1, 24, -1))
        mean = (window["place"] * shares[:, None]).sum(1)[:, None] + torch.arange(14.0)[:, None]  # (B, J, 2)
        y, x = torch.meshgrid(torch.arange(48.0), torch.arange(36.0), indexing="ij")
        cells = torch.stack([x, y], -1) * 4 + 1.5
        return density(-((cells - mean[:, :, None, None]) ** 2).sum(-1) / (2 * 8.0**2))


@pytest.fixture
def still_walk():
    """A clip in which a bright block jumps to a place of its own in each frame."""
    frames = [np.full((120, 160, 3), 40, np.uint8) for _ in range(9)]
    for i, frame in enumerate(frames):
        left, top = 60 + (5 * i * i) % 23, 40 + (7 * i) % 19
        frame[top : top + 12, left : left + 10] = 250
    return Clip.from_frames(frames, fps=25)


def test_the_influence_in_a_weighted_mean_is_the_share_times_the_distance(still_walk):
    network = WeightedMean().eval()
    window = encode_window(still_walk, network, 4, WHOLE)
    found = influence.influence(window)
    places = window.maps["place"].numpy()
    expected = np.array(SHARES) * np.linalg.norm(places - places[2], axis=1) * crops.scale(WHOLE)
    assert expected[[0, 1, 3, 4]].min() > 0.2
    np.testing.assert_allclose(found.pixels, np.tile(expected[:, None], (1, 14)), atol=0.01)
    np.testing.assert_allclose(found.mean, expected, atol=0.01)
    assert found.frames.tolist() == [2, 3, 4, 5, 6]
    assert found.side == 160


def test_the_weight_of_a_joint_is_that_of_the_cell_it_was_found_in(still_walk):
    found = influence.influence(encode_window(still_walk, WeightedMean().eval(), 4, WHOLE))
    left = crops.to_crop(found.keypoints[2], WHOLE)[:, 0] < 71.5
    assert 0 < left.sum() < 14, "the test needs joints in both halves"
    np.testing.assert_allclose(found.joint_weights[:, left], np.tile(np.array(SHARES)[:, None], (1, left.sum())))
    np.testing.assert_allclose(found.joint_weights[:, ~left][:, 0], SHARES[::-1])


def test_a_network_that_ignores_its_neighbours_is_not_influenced_by_them(following, walk):
    found = influence.influence(encode_window(walk, following, 8, WHOLE))
    assert found.pixels.max() == 0
    assert np.isnan(found.weights).all()
    assert np.isnan(found.joint_weights).all()


def test_the_key_frame_in_its_own_place_moves_nothing_and_neighbours_do(tiny, walk):
    found = influence.influence(encode_window(walk, tiny, 8, BOX))
    assert found.pixels[2].max() == 0
    assert found.mean[[0, 1, 3, 4]].min() > 0
    assert found.weights.sum() == pytest.approx(1)


def test_where_the_clip_has_no_neighbour_there_is_no_influence(tiny, walk):
    found = influence.influence(encode_window(walk, tiny, 1, BOX))
    assert found.frames.tolist() == [1, 0, 1, 2, 3]
    assert found.neighbours.tolist() == [False, True, False, True, True]
    np.testing.assert_allclose(found.pixels[0], 0, atol=1e-4)
    assert found.mean[1] > 0


def test_a_window_of_one_frame_is_refused_in_words(walk):
    with pytest.raises(LookupError, match="spatial-frame sees a single frame"):
        influence.of_frame(walk, "spatial-frame", 3, BOX, "cpu")


def test_a_frame_that_the_clip_does_not_have_is_refused(tiny, walk):
    with pytest.raises(ValueError, match="frame 20 is not in the clip"):
        encode_window(walk, tiny, 20, BOX)


@pytest.fixture(scope="module")
def sample():
    return Clip("assets/sample.mp4")


def whole(network, pictures, box):
    """Keypoints of one window from its pictures, everything computed anew: the definition."""
    cuts = np.stack([crops.cut(picture, box) for picture in pictures])
    with torch.inference_mode():
        heatmaps = network(windows.to_tensor(cuts)[None])
    return crops.to_frame(poses.decode(heatmaps.numpy())[0][0], box)


@pytest.mark.parametrize("name", ["spatial-video", "freq-video"])
def test_influence_equals_a_full_recomputation_with_the_frame_exchanged(sample, name):
    network = run.load_network(name, "cpu")
    found = influence.of_frame(sample, name, 41, SAMPLE_BOX, "cpu")
    pictures = [sample[i] for i in range(39, 44)]
    before = whole(network, pictures, SAMPLE_BOX)
    for slot in (0, 3):
        exchanged = [*pictures]
        exchanged[slot] = pictures[2]
        moved = np.linalg.norm(whole(network, exchanged, SAMPLE_BOX) - before, axis=1)
        assert moved.max() > 0.01
        np.testing.assert_allclose(found.pixels[slot], moved, atol=1e-4)


@pytest.mark.parametrize("name", ["spatial-video", "freq-video"])
def test_aligning_each_frame_once_changes_no_heatmap(sample, name):
    network, aligned = run.load_network(name, "cpu"), []
    window = encode_window(sample, network, 41, SAMPLE_BOX)
    one = {part: maps[None] for part, maps in window.maps.items()}
    hook = network.align8.register_forward_hook(lambda module, given, out: aligned.append(len(out[0])))
    with torch.inference_mode():
        once, again = (torch.cat([*steps]) for steps in (network.exchanged(one), PoseNetwork.exchanged(network, one)))
    hook.remove()
    assert aligned == [4, 1, 4, 16]
    assert (again[1:] - again[0]).abs().amax((1, 2, 3)).min() > 1e-3, "the exchange must show"
    np.testing.assert_allclose(once, again, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["spatial-video", "freq-video", "freq-full", "freq-motion", "freq-deblur"])
@pytest.mark.parametrize("key", [41, 1])
def test_what_a_window_showed_meanwhile_is_its_deep_trace(sample, name, key):
    network = run.load_network(name, "cpu")
    window = encode_window(sample, network, key, SAMPLE_BOX, name)
    (found, ours), fresh = influence.traced(window), run.deep_trace(sample, name, key, SAMPLE_BOX, "cpu")
    np.testing.assert_array_equal(found.pixels, influence.influence(window).pixels)
    assert [(r.stage, r.quantity, r.axes, r.stride) for r in ours.records] == [
        (r.stage, r.quantity, r.axes, r.stride) for r in fresh.records
    ]
    for one, other in zip(ours.records, fresh.records, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-3, atol=1e-4, err_msg=one.stage)


def test_frames_kept_after_the_backbone_pass_it_once_for_all_windows_and_networks(tiny, walk):
    tiny.backbone_key = "tiny"
    kept = influence.Kept(walk)
    for key, passed in ((8, 5), (8, 5), (9, 6), (7, 7), (0, 10)):
        found = encode_window(walk, tiny, key, BOX, kept=kept)
        assert tiny.encoded_frames == passed
        fresh = encode_window(walk, type(tiny)().eval(), key, BOX)
        for part, maps in fresh.maps.items():
            np.testing.assert_allclose(found.maps[part], maps, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.energy, fresh.energy, rtol=1e-6)
    other = type(tiny)(seed=3).eval()
    other.backbone_key = "tiny"
    encode_window(walk, other, 8, BOX, kept=kept)
    assert other.encoded_frames == 0
    encode_window(walk, tiny, 8, (21.0, 40.0, 24.0, 48.0), kept=kept)
    assert tiny.encoded_frames == 15, "another box, other frames"


def test_the_depths_of_a_window_are_the_same_after_kept_frames(sample):
    network, box = run.load_network("freq-video", "cpu"), SAMPLE_BOX
    shared = influence.Kept(sample).shared(network, run.window_frames(sample, 1, 5), box)
    ours, fresh = (run.deep_trace(sample, "freq-video", 1, box, "cpu", given) for given in (shared, None))
    assert [r.stage for r in ours.records] == [r.stage for r in fresh.records]
    for one, other in zip(ours.records, fresh.records, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-3, atol=1e-4, err_msg=one.stage)


def test_the_depths_of_a_clip_of_one_frame_have_all_slots(sample):
    one, network = sample.part(41, 42), run.load_network("freq-video", "cpu")
    _, ours = influence.traced(encode_window(one, network, 0, SAMPLE_BOX, "freq-video"))
    fresh = run.deep_trace(one, "freq-video", 0, SAMPLE_BOX, "cpu")
    assert [(r.stage, r.axes, r.values.shape) for r in ours.records] == [
        (r.stage, r.axes, r.values.shape) for r in fresh.records
    ]


def test_the_table_has_a_row_a_slot_and_joint_in_pixels_and_in_fractions_of_the_box(tiny, walk):
    found = influence.influence(encode_window(walk, tiny, 8, BOX, "tiny"))
    table = found.table()
    assert len(table) == 5 * 14
    np.testing.assert_allclose(table["influence_box"] * 48, table["influence_px"])
    one = table[(table["slot"] == 1) & (table["joint"] == "head")]
    assert one[["model", "key_frame", "frame"]].values.tolist() == [["tiny", 8, 9]]
    assert one["influence_px"].item() == found.pixels[3, 13]


# ---- interventions


def test_only_the_changed_frame_passes_the_backbone(tiny, walk):
    window = encode_window(walk, tiny, 8, BOX)
    assert tiny.encoded_frames == 5
    intervene(walk, window, 1, Change(length=9))
    assert tiny.encoded_frames == 6


@pytest.mark.parametrize("slot", [-1, 0])
def test_an_intervention_equals_the_window_computed_anew_with_the_changed_frame(tiny, walk, slot):
    change = Change(length=11, angle=0.5, sigma=0.02, gain=0.7)
    found = intervene(walk, encode_window(walk, tiny, 8, BOX), slot, change)
    pictures = [walk[i] for i in range(6, 11)]
    np.testing.assert_allclose(found.before.keypoints, whole(tiny, pictures, BOX), atol=1e-3)
    pictures[2 + slot] = change.applied(walk[8 + slot])
    np.testing.assert_allclose(found.after.keypoints, whole(tiny, pictures, BOX), atol=1e-3)
    assert np.array_equal(found.after.picture, pictures[2 + slot])
    assert found.pixels.max() > 0
    assert found.after.weights.sum() == pytest.approx(1)
    assert abs(found.after.weights - found.before.weights).argmax() == 2 + slot


def test_no_change_moves_nothing_and_costs_no_backbone(tiny, walk):
    window = encode_window(walk, tiny, 8, BOX)
    found = intervene(walk, window, 2, Change())
    assert tiny.encoded_frames == 5
    assert found.pixels.max() == 0
    np.testing.assert_array_equal(found.before.network_energy, found.after.network_energy)
    assert found.before.measures == found.after.measures


def test_blur_lowers_sharpness_and_energy_of_its_frame_and_darkness_its_energy_alone(tiny, walk):
    window = encode_window(walk, tiny, 8, BOX)
    blurred, dark = intervene(walk, window, 1, Change(length=15)), intervene(walk, window, 1, Change(gain=0.5))
    assert blurred.after.measures["spectral_index"] < blurred.before.measures["spectral_index"] - 0.5
    assert (blurred.after.image_energy[1:3] < blurred.before.image_energy[1:3] - 0.3).all()
    assert abs(dark.after.measures["high_frequency_ratio"] / dark.before.measures["high_frequency_ratio"] - 1) < 0.1
    assert (dark.after.image_energy < dark.before.image_energy - 0.3).all()
    assert (blurred.before.network_energy != blurred.after.network_energy).any()


def test_energies_belong_to_the_changed_frame_whatever_its_slot(tiny, walk):
    window = encode_window(walk, tiny, 8, BOX)
    there = intervene(walk, window, 2, Change(length=9))
    own = intervene(walk, encode_window(walk, tiny, 10, BOX), 0, Change(length=9))
    np.testing.assert_allclose(there.before.network_energy, own.before.network_energy, rtol=1e-5)
    np.testing.assert_allclose(there.after.network_energy, own.after.network_energy, rtol=1e-5)
    np.testing.assert_allclose(there.after.feature_energy, own.after.feature_energy, rtol=1e-5)
    assert there.after.feature_energy != there.before.feature_energy


def test_at_the_end_of_a_clip_every_slot_that_shows_the_frame_changes(tiny, walk):
    found = intervene(walk, encode_window(walk, tiny, 19, BOX), 0, Change(gain=0.4))
    dark = [walk[17], walk[18], *[Change(gain=0.4).applied(walk[19])] * 3]
    np.testing.assert_allclose(found.after.keypoints, whole(tiny, dark, BOX), atol=1e-3)


@pytest.mark.parametrize(("key", "slot", "known"), [(8, 3, "-2, -1, 0, 1, 2"), (19, 1, "-2, -1, 0")])
def test_a_slot_that_the_window_does_not_show_is_refused(tiny, walk, key, slot, known):
    with pytest.raises(ValueError, match=f"slot must be one of {known} at frame {key}, got {slot}"):
        intervene(walk, encode_window(walk, tiny, key, BOX), slot, Change())


def test_a_change_blurs_then_lights_then_adds_the_same_noise_each_time():
    frame = walking_frames(1)[0]
    change = Change(length=5, angle=0.3, sigma=0.05, gain=1.5)
    lit = blur.exposure(blur.motion_blur(frame, 5, 0.3), 1.5)
    expected = blur.noise(lit, 0.05, np.random.default_rng(0))
    assert np.array_equal(change.applied(frame), expected)
    assert np.array_equal(change.applied(frame), change.applied(frame))
    assert np.array_equal(Change(angle=0.7).applied(frame), frame)
    assert (Change().nothing, Change(angle=0.7).nothing, change.nothing) == (True, True, False)


def test_in_a_part_of_a_clip_frames_are_named_by_their_numbers_in_the_whole(tiny, walk):
    part = walk.part(6, 15)
    whole, inside = (influence.influence(encode_window(*given, BOX)) for given in ((walk, tiny, 9), (part, tiny, 3)))
    assert (inside.key, inside.frames.tolist()) == (9, [7, 8, 9, 10, 11])
    np.testing.assert_array_equal(inside.pixels, whole.pixels)
    assert inside.neighbours.tolist() == [True, True, False, True, True]
    assert influence.influence(encode_window(part, tiny, 0, BOX)).frames.tolist() == [6, 6, 6, 7, 8]
    found = intervene(part, encode_window(part, tiny, 3, BOX), -1, Change(length=9))
    assert (found.key, found.frame, found.slot) == (9, 8, -1)
    assert np.array_equal(found.before.picture, walk[8])
