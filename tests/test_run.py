"""Does a run over a clip say what its windows say one by one, and does every frame pass the backbone once?"""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FollowingNetwork, TinyNetwork, walking_frames

from freqviz import boxes, crops, devices, poses, run, windows
from freqviz.analysis import load_analysis
from freqviz.clip import Clip
from freqviz.jobs import Cancelled, in_own_thread
from freqviz.run import Run, analyse, deep_trace, predict
from freqviz.store import Store

BOX = (20.0, 40.0, 24.0, 48.0)
ROOMY = (17.0, 36.0, 30.0, 56.0)
MOVING = {0: BOX, 19: (77.0, 40.0, 24.0, 48.0)}


def one_by_one(network, clip, held):
    """Keypoints of every window by itself, through `forward`: the definition."""
    found = []
    for key, box in enumerate(held):
        around = [key + slot if 0 <= key + slot < len(clip) else key for slot in range(-2, 3)]
        cuts = np.stack([crops.cut(clip[i], box) for i in around])
        with torch.no_grad():
            heatmaps = network(torch.from_numpy(cuts).permute(0, 3, 1, 2).float()[None] / 255)
        found.append(crops.to_frame(poses.decode(heatmaps.numpy())[0][0], box))
    return np.stack(found)


def test_poses_equal_those_of_windows_run_one_by_one(tiny, walk):
    found = analyse(walk, {"tiny": tiny}, boxes=MOVING, device="cpu").traces["tiny"]
    assert len(np.unique(found.key_box_segment)) > 3
    np.testing.assert_allclose(found.keypoints, one_by_one(tiny, walk, found.boxes), atol=1e-3)


@pytest.mark.parametrize("step", [1, 3, 20])
def test_the_number_of_windows_per_step_does_not_move_poses_of_a_held_box(tiny, walk, step):
    a = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu", step=step).traces["tiny"]
    b = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu").traces["tiny"]
    np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-3)
    np.testing.assert_allclose(a.frame_weights, b.frame_weights, atol=1e-5)


def test_a_held_box_sends_every_frame_through_the_backbone_once(tiny, walk):
    analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu", step=3)
    assert tiny.encoded_frames == 20


@pytest.mark.parametrize("step", [1, 8])
def test_a_cut_recomputes_four_frames_and_none_more(tiny, walk, step):
    found = analyse(walk, {"tiny": tiny}, boxes=MOVING, device="cpu", step=step).traces["tiny"]
    cuts = np.flatnonzero(np.diff(found.key_box_segment)) + 1
    # at a cut before frame c the frames c-2 ... c+1 are needed by both boxes; the clip ends at 20
    again = sum(min(c + 2, 20) - max(c - 2, 0) for c in cuts)
    assert len(cuts) >= 5
    assert tiny.encoded_frames == 20 + again


def test_networks_that_share_a_backbone_encode_once(walk):
    one, two = TinyNetwork(), TinyNetwork()
    one.backbone_key = two.backbone_key = "shared"
    found = analyse(walk, {"one": one, "two": two}, whole_frame=True, device="cpu")
    assert (one.encoded_frames, two.encoded_frames) == (20, 0)
    np.testing.assert_array_equal(found.traces["one"].keypoints, found.traces["two"].keypoints)


def test_networks_with_backbones_of_their_own_do_not(walk):
    one, two = TinyNetwork(0), TinyNetwork(1)
    found = analyse(walk, {"one": one, "two": two}, whole_frame=True, device="cpu")
    assert (one.encoded_frames, two.encoded_frames) == (20, 20)
    alone = analyse(walk, {"two": two}, whole_frame=True, device="cpu")
    np.testing.assert_allclose(found.traces["two"].keypoints, alone.traces["two"].keypoints, atol=1e-9)
    assert found.poses["model"].unique().tolist() == ["one", "two"]


def test_a_drawn_box_follows_the_person(following, walk):
    found = analyse(walk, {"f": following}, box=BOX, device="cpu")
    sources = found.frames["box_source"]
    assert sources.iloc[0] == "drawn"
    assert set(sources.iloc[8:]) == {"poses"}
    for i, box in enumerate(found.traces["f"].boxes):
        corners = crops.to_crop([[20 + 3 * i, 40], [43 + 3 * i, 87]], box)
        assert ((corners >= 0) & (corners <= (143, 191))).all(), f"frame {i}: the block leaves the crop"
        left = found.traces["f"].keypoints[i, :7, 0]
        assert abs(left.mean() - (20 + 3 * i)) < 2, f"frame {i}"


def test_a_fast_person_is_not_lost_between_the_looks_at_the_box(following):
    clip = Clip.from_frames(walking_frames(28, step=4.0, size=(120, 200)), fps=25)
    found = analyse(clip, {"f": following}, box=BOX, device="cpu").traces["f"]
    left = found.keypoints[..., :7, 0].mean(1)
    assert np.abs(left - (20 + 4 * np.arange(28))).max() < 3


def test_a_person_who_stands_still_keeps_the_box(following):
    clip = Clip.from_frames(walking_frames(12, step=0.0), fps=25)
    found = analyse(clip, {"f": following}, box=ROOMY, device="cpu")
    assert set(found.frames["box_source"]) == {"drawn"}
    assert following.encoded_frames == 12


def test_a_person_who_is_lost_leaves_the_box_where_it_was(following):
    frames = walking_frames(6, step=0.0) + [np.full((120, 160, 3), 80, np.uint8)] * 14
    found = analyse(Clip.from_frames(frames, fps=25), {"f": following}, box=ROOMY, device="cpu")
    np.testing.assert_array_equal(found.traces["f"].boxes, np.tile(ROOMY, (20, 1)))


def test_without_a_box_the_moving_thing_is_found_and_marked(following, walk):
    found = analyse(walk, {"f": following}, device="cpu")
    assert found.frames["box_source"].iloc[0] == "motion"
    np.testing.assert_allclose(found.traces["f"].boxes[0], BOX, atol=3)
    assert found.provenance["settings"]["rung"] == "motion"


def test_where_nothing_moves_the_box_is_the_whole_frame(tiny):
    found = analyse(Clip.from_frames(walking_frames(5, step=0.0)), {"tiny": tiny}, device="cpu")
    assert found.frames["box_source"].unique().tolist() == ["whole frame"]
    np.testing.assert_array_equal(found.traces["tiny"].boxes[0], [-0.5, -0.5, 160, 120])


def test_someone_who_enters_later_is_found_by_motion(following):
    still, walking = walking_frames(1), walking_frames(20)
    empty = still[0].copy()
    empty[:, 20:44] = empty[:, 60:84]
    found = analyse(Clip.from_frames([empty] * 30 + walking, fps=25), {"f": following}, device="cpu")
    assert found.frames["box_source"].iloc[0] == "whole frame"
    assert "motion" in set(found.frames["box_source"])
    left = found.traces["f"].keypoints[-1, :7, 0].mean()
    assert abs(left - 77) < 2


def test_a_lost_person_of_a_drawn_box_is_not_replaced_by_what_else_moves(following):
    frames = walking_frames(3, step=0.0) + [np.clip(f, 0, 110) for f in walking_frames(40, step=2.0)]
    found = analyse(Clip.from_frames(frames, fps=10), {"f": following}, box=ROOMY, device="cpu")
    assert set(found.frames["box_source"]) == {"drawn"}


def test_frames_in_which_the_person_is_lost_say_why(following, tmp_path):
    """Six frames of the block, eight without it (no joint is certain), then it stands 70 pixels further right."""
    shown = walking_frames(6, step=0.0)
    gone, moved = np.full((120, 160, 3), 80, np.uint8), np.roll(shown[0], 12, axis=1)
    clip = Clip.from_frames([*shown, *[gone] * 8, moved], fps=25)
    found = analyse(clip, {"f": following}, box=ROOMY, device="cpu", out=tmp_path / "run")
    assert found.frames["lost"].tolist() == [""] * 6 + ["low scores"] * 8 + ["jump"]
    assert load_analysis(tmp_path / "run").frames["lost"].tolist() == found.frames["lost"].tolist()
    table = pd.read_csv(tmp_path / "run" / "frames.csv")
    assert table["lost"].isna().sum() == 6


AGAIN = (97.0, 36.0, 30.0, 56.0)  # where the block of `lost` stands at its end


@pytest.fixture
def lost():
    """The block stands still for 6 frames, is gone for 6, and stands 80 pixels further right for 12."""
    shown = walking_frames(1)[0]
    moved, gone = shown.copy(), np.full((120, 160, 3), 80, np.uint8)
    moved[:, 20:44], moved[:, 100:124] = shown[:, 60:84], shown[:, 20:44]
    return Clip.from_frames([shown] * 6 + [gone] * 6 + [moved] * 12, fps=25)


def same(a, b):
    """Whether two analyses say the same, up to the rounding of other batches."""
    for table in ("poses", "frames", "weights"):
        pd.testing.assert_frame_equal(getattr(a, table), getattr(b, table), rtol=1e-6, atol=1e-6)
    for name, trace in a.traces.items():
        for part in ("keypoints", "boxes", "key_box_segment", "median_offset", "effective_frames"):
            np.testing.assert_allclose(getattr(trace, part), getattr(b.traces[name], part), atol=1e-6)


def test_a_correction_finds_a_lost_person_again(following, lost):
    before = analyse(lost, {"f": following}, box=ROOMY, device="cpu")
    assert before.traces["f"].boxes[-1].tolist() == list(ROOMY)
    found = analyse(lost, {"f": following}, box=ROOMY, device="cpu", corrections={13: AGAIN})
    assert found.frames["box_source"].tolist() == ["drawn"] * 13 + ["corrected"] * 11
    assert found.traces["f"].boxes[[12, 13]].tolist() == [list(ROOMY), list(AGAIN)]
    assert abs(found.traces["f"].keypoints[-1, :7, 0].mean() - 100) < 2
    assert found.frames["lost"].tolist()[14:] == [""] * 10


def test_a_correction_recomputes_only_the_tail(following, lost, tmp_path):
    store, choice = Store(tmp_path), {"models": {"f": following}, "box": ROOMY, "device": "cpu"}
    analyse(lost, **choice, store=store)
    following.encoded_frames = 0
    corrected = analyse(lost, **choice, corrections={13: AGAIN}, store=store)
    assert following.encoded_frames == 11 + 2, "frames 13 to 23, and the two before that the first windows reach"
    assert corrected.provenance["cost"]["frames"] == 11
    same(corrected, analyse(lost, **choice, corrections={13: AGAIN}))
    following.encoded_frames = 0
    same(analyse(lost, **choice, corrections={13: AGAIN}, store=store), corrected)
    assert following.encoded_frames == 0


@pytest.mark.parametrize(
    ("stored", "wanted", "start"),
    [
        ({13: AGAIN}, {13: AGAIN, 18: AGAIN}, 18),
        ({18: AGAIN}, {13: AGAIN, 18: AGAIN}, 13),
        ({}, {13: AGAIN, 18: AGAIN}, 13),
        ({13: ROOMY}, {13: AGAIN}, 0),
        ({}, {0: AGAIN}, 0),
        ({0: AGAIN}, {0: AGAIN, 13: AGAIN}, 13),
    ],
)
def test_of_earlier_runs_the_longest_part_that_holds_is_taken(following, lost, tmp_path, stored, wanted, start):
    store, choice = Store(tmp_path), {"models": {"f": following}, "box": ROOMY, "device": "cpu", "deep": (4, 20)}
    analyse(lost, **choice, corrections=stored, store=store)
    found = analyse(lost, **choice, corrections=wanted, store=store)
    assert found.provenance["cost"]["frames"] == len(lost) - start
    assert sorted(key for _, key in found.deep) == [4, 20]
    same(found, analyse(lost, **choice, corrections=wanted))


@pytest.mark.parametrize("rung", [{"whole_frame": True}, {"boxes": MOVING}, {}])
def test_after_a_correction_the_box_follows_the_poses_whatever_came_before(following, walk, rung):
    where = (38, 36, 30, 56)  # the block of frame 8
    found = analyse(walk, {"f": following}, device="cpu", corrections={8: where}, **rung)
    sources = found.frames["box_source"].tolist()
    assert sources[8] == "corrected"
    assert set(sources[8:]) == {"corrected", "poses"}
    assert not {"corrected", "poses"} & set(sources[:8]) or not rung
    assert np.abs(found.traces["f"].keypoints[8:, :7, 0].mean(1) - (20 + 3 * np.arange(8, 20))).max() < 2


def test_a_prediction_takes_corrections_too(following, lost):
    table = predict(lost, {"f": following}, box=ROOMY, device="cpu", corrections={13: AGAIN})
    choice = {"box": ROOMY, "device": "cpu", "corrections": {13: AGAIN}}
    pd.testing.assert_frame_equal(table, analyse(lost, {"f": following}, **choice).poses)


def test_a_part_says_what_its_frames_would_say_alone_and_counts_as_the_whole(following, walk, tmp_path):
    """Frames 5 to 16; where the window reaches beyond them the key frame stands in."""
    choice = {"models": {"f": following}, "box": (35, 40, 24, 48), "device": "cpu"}
    part = analyse(walk, **choice, frames=(5, 17), deep=(9,), out=tmp_path / "run")
    alone = analyse(Clip.from_frames(walking_frames(20)[5:17], fps=25), **choice, deep=(4,))
    same(replace(part, frames=alone.frames, traces=part.traces | {"f": replace(part.traces["f"], first=0)}), alone)
    assert part.frames["frame"].tolist() == part.poses["frame"].unique().tolist() == list(range(5, 17))
    np.testing.assert_allclose(part.frames["time"], np.arange(5, 17) / 25)
    np.testing.assert_allclose(part.poses["time"].unique(), np.arange(5, 17) / 25)
    assert list(part.deep) == [("f", 9)]
    again = load_analysis(tmp_path / "run")
    assert again.traces["f"].first == 5
    assert again.provenance["clip"] | {"report": []} == part.provenance["clip"] | {"report": []}
    assert (again.provenance["clip"]["hash"], again.provenance["clip"]["frames"]) == (walk.hash, 12)


def test_weights_and_windows_of_a_part_name_frames_of_the_whole(tiny, walk):
    choice = {"models": {"tiny": tiny}, "whole_frame": True, "device": "cpu"}
    part = analyse(walk, **choice, frames=(5, 17), deep=(6,))
    assert tiny.encoded_frames == 12 + 5
    ends = part.weights[part.weights["key_frame"].isin([5, 16])]
    assert ends["frame"].tolist() == [5, 5, 5, 6, 7, 14, 15, 16, 16, 16]
    alone = analyse(Clip.from_frames(walking_frames(20)[5:17], fps=25), **choice, deep=(1,))
    heatmaps = (found.deep["tiny", key].get("heatmap").values for found, key in ((part, 6), (alone, 1)))
    np.testing.assert_array_equal(*heatmaps)


def test_boxes_and_corrections_of_a_part_are_those_of_the_whole(tiny, walk):
    part = Run(walk, {"tiny": tiny}, boxes=MOVING, device="cpu", frames=(5, 17))
    np.testing.assert_allclose(part.imported, boxes.between(MOVING, 20)[5:17])
    choice = {"models": {"tiny": tiny}, "box": BOX, "device": "cpu", "frames": (5, 17)}
    outside = Run(walk, **choice, corrections={3: ROOMY, 17: ROOMY})
    assert outside.key == Run(walk, **choice).key
    found = analyse(walk, **choice, corrections={6: ROOMY})
    assert found.frames["box_source"][found.frames["frame"] == 6].tolist() == ["corrected"]
    assert found.provenance["settings"]["corrections"] == {"6": list(ROOMY)}
    assert Run(walk, {"tiny": tiny}, device="cpu", frames=(0, 20)).key == Run(walk, {"tiny": tiny}, device="cpu").key


def test_imported_boxes_are_followed_within_the_rule(tiny, walk):
    found = analyse(walk, {"tiny": tiny}, boxes=MOVING, device="cpu")
    wanted = boxes.between(MOVING, 20)
    assert all(boxes.fits(held, want) for held, want in zip(found.traces["tiny"].boxes, wanted, strict=True))
    assert set(found.frames["box_source"]) == {"imported"}


def test_frames_held_in_memory_do_not_grow_with_the_clip(tiny):
    clip = Clip.from_frames(walking_frames(60, step=0.0))
    chosen = Run(clip, {"tiny": tiny}, whole_frame=True, device="cpu")
    held = [len(part.frames) for part in chosen._steps(True, lambda: False)]
    assert len(held) == 8
    assert max(held) <= run.STEP + 4


def test_tables_hold_one_row_per_observation(tiny, walk):
    found = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu")
    assert list(found.poses.columns) == ["model", "person", "frame", "time", "joint", "x", "y", "score"]
    assert len(found.poses) == 20 * 14
    row = found.poses[(found.poses["frame"] == 7) & (found.poses["joint"] == "left knee")].iloc[0]
    assert (row["x"], row["y"]) == tuple(found.traces["tiny"].keypoints[7, 4])
    assert row["time"] == pytest.approx(7 / 25)
    assert list(found.weights.columns) == ["model", "key_frame", "slot", "frame", "weight"]
    first = found.weights[found.weights["key_frame"] == 0]
    assert first["slot"].tolist() == [-2, -1, 0, 1, 2]
    assert first["frame"].tolist() == [0, 0, 0, 1, 2]
    np.testing.assert_allclose(found.weights.groupby("key_frame")["weight"].sum(), 1, rtol=1e-5)
    assert found.frames["frame"].tolist() == list(range(20))
    assert {"time", "box_x", "box_h", "box_source", "spectral_index", "band_0"} <= set(found.frames.columns)


def test_a_run_reads_as_it_was_saved(tiny, walk, tmp_path):
    found = analyse(walk, {"tiny": tiny}, box=BOX, device="cpu", deep=(3,), out=tmp_path / "run")
    again = load_analysis(tmp_path / "run")
    pd.testing.assert_frame_equal(again.frames, found.frames)
    pd.testing.assert_frame_equal(again.poses, found.poses)
    pd.testing.assert_frame_equal(again.weights, found.weights)
    assert again.provenance == found.provenance
    heatmap = again.deep["tiny", 3].get("heatmap").values
    np.testing.assert_array_equal(heatmap, found.deep["tiny", 3].get("heatmap").values)
    table = pd.read_csv(tmp_path / "run" / "poses.csv")
    np.testing.assert_allclose(table["x"], found.poses["x"], atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}, "something was left beside the run"


def test_the_provenance_names_what_the_numbers_depend_on(tiny, walk):
    held = analyse(walk, {"tiny": tiny}, box=BOX, device="cpu").provenance
    assert held["clip"]["hash"] == walk.hash
    assert len(held["checkpoints"]["tiny"]) == 64
    assert held["settings"]["first_box"] == list(BOX)
    assert held["versions"]["torch"] == torch.__version__.split("+")[0] or "+" in held["versions"]["torch"]
    json.dumps(held)


def test_a_deep_window_is_that_of_its_frame_and_box(tiny, walk, monkeypatch):
    found = analyse(walk, {"tiny": tiny}, boxes=MOVING, device="cpu", deep=(0, 11))
    monkeypatch.setattr(run, "load_network", lambda name, device: tiny)
    again = deep_trace(walk, "tiny", 11, found.traces["tiny"].boxes[11], "cpu")
    np.testing.assert_array_equal(again.get("heatmap").values, found.deep["tiny", 11].get("heatmap").values)
    points, _ = poses.decode(again.get("heatmap").values)
    box = found.traces["tiny"].boxes[11]
    np.testing.assert_allclose(crops.to_frame(points, box), found.traces["tiny"].keypoints[11], atol=1e-3)


def test_prediction_gives_the_poses_of_the_analysis(following, walk):
    table = predict(walk, {"f": following}, box=BOX, device="cpu")
    pd.testing.assert_frame_equal(table, analyse(walk, {"f": following}, box=BOX, device="cpu").poses)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clips_shorter_than_a_window_are_analysed(tiny, count):
    found = analyse(Clip.from_frames(walking_frames(count)), {"tiny": tiny}, device="cpu")
    assert found.traces["tiny"].keypoints.shape == (count, 14, 2)


def test_a_network_of_one_frame_has_no_weights(walk):
    class Single(FollowingNetwork):
        frames = 1

    found = analyse(walk, {"single": Single()}, box=BOX, device="cpu")
    assert np.isnan(found.traces["single"].frame_weights).all()
    assert found.traces["single"].frame_weights.shape == (20, 5)
    assert len(found.weights) == 0
    assert list(found.weights.columns) == ["model", "key_frame", "slot", "frame", "weight"]


def test_progress_rises_to_the_number_of_frames(tiny, walk):
    heard = []
    analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu", progress=lambda *now: heard.append(now))
    assert heard[0] == (0, 20)
    assert heard[-1] == (20, 20)
    assert heard == sorted(heard)


def test_a_wish_to_cancel_is_heard_between_steps(tiny, walk):
    heard = []
    with pytest.raises(Cancelled, match="frame 8 of 20"):
        analyse(
            walk, {"tiny": tiny}, whole_frame=True, device="cpu",
            progress=lambda *now: heard.append(now), cancelled=lambda: len(heard) > 1,
        )  # fmt: skip
    assert heard == [(0, 20), (8, 20)]


def test_the_second_run_of_a_key_touches_no_network(tiny, walk, tmp_path):
    store = Store(tmp_path)
    first = analyse(walk, {"tiny": tiny}, box=BOX, device="cpu", store=store)
    tiny.encoded_frames = 0
    second = analyse(walk, {"tiny": tiny}, box=BOX, device="cpu", store=store)
    assert tiny.encoded_frames == 0
    pd.testing.assert_frame_equal(first.poses, second.poses)
    analyse(walk, {"tiny": tiny}, box=(21, 40, 24, 48), device="cpu", store=store)
    assert tiny.encoded_frames > 0


def test_what_changes_the_numbers_changes_the_key(tiny, walk):
    base = Run(walk, {"tiny": tiny}, box=BOX, device="cpu").key
    others = [
        Run(walk, {"tiny": tiny}, box=(20, 40, 24, 47), device="cpu"),
        Run(walk, {"tiny": tiny}, whole_frame=True, device="cpu"),
        Run(walk, {"tiny": tiny}, device="cpu"),
        Run(walk, {"tiny": tiny}, boxes={0: BOX}, device="cpu"),
        Run(walk, {"tiny": TinyNetwork(1)}, box=BOX, device="cpu"),
        Run(walk, {"tiny": tiny}, box=BOX, device="cpu", deep=(3,)),
        Run(walk, {"tiny": tiny}, box=BOX, device="cpu", corrections={3: BOX}),
        Run(walk, {"tiny": tiny}, box=BOX, device="cpu", corrections={4: BOX}),
        Run(walk, {"tiny": tiny}, box=BOX, device="cpu", corrections={3: ROOMY}),
        Run(walk, {"tiny": tiny}, box=BOX, device="cpu", frames=(0, 19)),
        Run(Clip.from_frames(walking_frames(19)), {"tiny": tiny}, box=BOX, device="cpu"),
    ]
    assert Run(walk, {"tiny": tiny}, box=BOX, device="cpu").key == base
    assert len({other.key.digest for other in others} | {base.digest}) == 12


def test_a_graphics_card_without_room_gets_smaller_steps(tiny, walk, monkeypatch):
    estimate, sizes = TinyNetwork.estimate, []

    def full(self, window):
        sizes.append(len(window["maps"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("no room")
        return estimate(self, window)

    calm = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu")
    monkeypatch.setattr(TinyNetwork, "estimate", full)
    tiny.encoded_frames = 0
    found = analyse(walk, {"tiny": tiny}, whole_frame=True, device="cpu")
    assert sizes[:3] == [8, 4, 2]
    assert tiny.encoded_frames == 20, "what was encoded before is not encoded again"
    np.testing.assert_allclose(found.traces["tiny"].keypoints, calm.traces["tiny"].keypoints, atol=1e-3)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"box": BOX, "whole_frame": True}, "one of box, boxes and whole_frame"),
        ({"box": (200, 40, 24, 48)}, "lies outside the frame of 160 x 120"),
        ({"box": (20, 40, -24, 48)}, "w and h > 0"),
        ({"box": (20, 40, 24)}, "four finite numbers"),
        ({"boxes": {25: BOX}}, "frame 25 is not in the clip; it has the frames 0 to 19"),
        ({"corrections": {25: BOX}}, "frame 25 is not in the clip"),
        ({"corrections": {3: (200, 40, 24, 48)}}, "lies outside the frame of 160 x 120"),
        ({"frames": (4, 30)}, "a part must be start:stop within 0:20"),
        ({"frames": (5, 15), "deep": (4,)}, "frame 4 is not in the clip; it has the frames 5 to 14"),
        ({"deep": (20,)}, "frame 20 is not in the clip"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
        ({"step": 0}, "at least 1 window"),
        ({"models": {}}, "at least one network"),
    ],
)
def test_bad_input_is_told_in_one_sentence(tiny, walk, choice, message):
    with pytest.raises(ValueError, match=message):
        analyse(walk, **({"models": {"tiny": tiny}, "device": "cpu"} | choice))


def test_an_unknown_network_is_told_with_those_known(walk):
    with pytest.raises(LookupError, match="freq-vidoe.*spatial-frame"):
        analyse(walk, ["freq-vidoe"], device="cpu")


def test_a_folder_that_is_no_run_is_not_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no run\.json"):
        load_analysis(tmp_path)


def test_the_seconds_of_a_network_are_its_own_and_those_that_it_shares(walk, monkeypatch):
    clock, calls = [0.0], {"shared": 0, "own": 0, "a": 0, "b": 0}

    class Slow(TinyNetwork):
        backbone_key = "one"

        def __init__(self, seed, name, seconds):
            super().__init__(seed)
            self.name, self.seconds = name, seconds

        def passed(self, what, seconds):
            calls[what] += 1
            clock[0] += seconds

        def shared(self, frames):
            self.passed("shared", 10)
            return super().shared(frames)

        def own(self, frames):
            self.passed("own", 1)
            return super().own(frames)

        def estimate(self, window):
            self.passed(self.name, self.seconds)
            return super().estimate(window)

    for timed in (run, windows):
        monkeypatch.setattr(timed, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    held = analyse(walk, {"a": Slow(0, "a", 100), "b": Slow(0, "b", 300)}, whole_frame=True, device="cpu", step=5)
    cost = held.provenance["cost"]
    assert calls["shared"] == 4
    assert calls["own"] == 8
    assert cost["networks"] == {"a": 40 + 4 + 100 * calls["a"], "b": 40 + 4 + 300 * calls["b"]}
    assert cost["seconds"] == 40 + 8 + 100 * calls["a"] + 300 * calls["b"]


def test_costs_are_counted_and_those_that_a_run_did_not_measure_are_unknown(tiny, walk, monkeypatch):
    monkeypatch.setattr(run.networks, "checkpoint_hash", lambda name: f"tiny {name}")
    monkeypatch.setattr(run, "_load", lambda name, checkpoint, device: tiny)
    monkeypatch.setattr(run.networks, "build", lambda name: tiny)
    run._counted.cache_clear()
    held = analyse(walk, ["freq-video", "spatial-video"], whole_frame=True, device="cpu")
    table = run.costs(held, ["spatial-video", "freq-video"])
    assert table["network"].tolist() == ["spatial-video", "freq-video"]
    assert table["parameters"].tolist() == [sum(p.numel() for p in tiny.parameters())] * 2
    assert (table["seconds_per_frame"] * 20).tolist() == [
        held.provenance["cost"]["networks"][name] for name in table["network"]
    ]
    del held.provenance["cost"]["networks"]
    assert run.costs(held)["seconds_per_frame"].isna().all()
    run._counted.cache_clear()


def test_threads_that_begin_share_sums_among_as_many_as_was_said():
    before = devices.threads()
    devices.take_threads(before + 2)
    try:
        assert in_own_thread(devices.threads) == before + 2
    finally:
        devices.take_threads(before)
    assert in_own_thread(devices.threads) == before
