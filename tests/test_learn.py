"""Does learning do what it says: targets, losses, degradation, splits, resumption, and the comparison?"""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import nn

import models
from freqviz import poses
from freqviz.learn import data, draws, losses, predictions, recipes, scoring, steps, train
from freqviz.learn.data import ClipInfo

TITLES = [f"film{i}" for i in range(60)]


def info(title: str, part: str, action: str = "run", full: bool = True) -> ClipInfo:
    return ClipInfo(f"{title}_{action}_f_nm_np1_ri_med_0", action, part, full, True, 30)


def test_a_target_is_a_density_centred_on_the_joint():
    joints = torch.tensor([[[61.5, 37.5], [20.3, 90.1]]])
    target = losses.targets(joints, (48, 36), 4)
    assert torch.allclose(target.sum((-2, -1)), torch.ones(1, 2))
    found, _ = poses.decode(target.numpy())
    assert np.abs(found - joints.numpy()).max() < 0.05


def test_cross_entropy_is_least_at_the_target_and_ignores_joints_that_do_not_count():
    target = losses.targets(torch.tensor([[[61.5, 37.5], [20.3, 90.1]]]), (48, 36), 4)
    counts = torch.tensor([[True, False]])
    best = losses.cross_entropy(target.clamp_min(1e-30).log(), target, counts)
    entropy = -(target[0, 0] * target[0, 0].clamp_min(1e-30).log()).sum()
    assert best.item() == pytest.approx(entropy.item(), abs=1e-4)
    wrong = target.clone()
    wrong[0, 1] = 1 / wrong[0, 1].numel()
    assert torch.equal(best, losses.cross_entropy(wrong.clamp_min(1e-30).log(), target, counts))
    wrong[0, 0] = wrong[0, 0].roll(3, 1)
    assert losses.cross_entropy(wrong.clamp_min(1e-30).log(), target, counts) > best + 1


def test_the_fourier_loss_agrees_with_the_full_plane_written_out():
    rng = torch.Generator().manual_seed(0)
    for w in (9, 8):
        found, target = (
            torch.softmax(torch.randn(1, 2, 60 // 6 * w, generator=rng), -1).view(1, 2, 10, w) for _ in range(2)
        )
        scale = 2 * math.pi * losses.SIGMA**2
        total = count = 0.0
        for j in range(2):
            plane = torch.fft.fft2((found - target)[0, j] * scale, norm="ortho")
            for v in range(10):
                for u in range(w):
                    fv, fu = min(v, 10 - v) / 10, min(u, w - u) / w
                    if math.hypot(fv, fu) <= 0.25:
                        total += abs(plane[v, u].real.item()) + abs(plane[v, u].imag.item())
                        count += 1
        got = losses.fourier_loss(found, target, torch.ones(1, 2, dtype=torch.bool))
        assert got.item() == pytest.approx(total / count, rel=1e-4)


def test_the_ranking_loss_wants_the_sharper_frame_to_score_higher():
    lengths = torch.tensor([[0.0, 20.0, 21.0]])
    right, wrong = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[-2.0, 0.0, 0.0]])
    assert losses.rank_loss(right, lengths) < math.log(2) < losses.rank_loss(wrong, lengths)
    assert losses.rank_loss(wrong, torch.zeros(1, 3)) == 0


def test_what_began_from_nothing_learns_faster_than_what_was_known():
    network = nn.ModuleDict({"align": nn.Linear(2, 2), "old": nn.Linear(2, 2), "new": nn.Linear(2, 2)})
    network["old"].bias.requires_grad_(False)

    def rates(known=()):
        groups = steps.optimiser(network, recipes.VIDEO, known).param_groups
        names = {id(p): name for name, p in network.named_parameters()}
        return {names[id(p)]: (group["times"], group["weight_decay"] > 0) for group in groups for p in group["params"]}

    assert rates({"old.weight", "align.weight", "align.bias"}) == {
        "old.weight": (1, True), "align.weight": (1, True), "align.bias": (1, False),
        "new.weight": (4, True), "new.bias": (4, False),
    }  # fmt: skip
    assert {name: times for name, (times, _) in rates().items()} == {
        "old.weight": 1, "align.weight": 3, "align.bias": 3, "new.weight": 1, "new.bias": 1,
    }  # fmt: skip


def test_the_displacement_loss_is_zero_where_the_flow_follows_the_joints():
    joints = torch.zeros(1, 5, 14, 2)
    joints[:] = torch.rand(1, 1, 14, 2, generator=torch.Generator().manual_seed(0)) * 80 + 30
    for t in range(5):
        joints[:, t, :, 0] += 3.0 * (t - 2)
    counts = torch.ones(1, 5, 14, dtype=torch.bool)
    flow = torch.zeros(4, 9, 2, 24, 18)
    for i, away in enumerate((-2, -1, 1, 2)):
        flow[i, :, 0] = 3.0 * away
    batch = {"joints": joints, "counts": counts}
    assert losses.displacement_loss({"align8.offset": flow}, batch, 2) < 1e-6
    assert losses.displacement_loss({"align8.offset": -flow}, batch, 2) > 4


def test_whole_titles_are_held_out_and_those_of_the_test_split_stay_out_of_both():
    clips = [info(t, "train") for t in TITLES] + [
        info(TITLES[0], "test", "jump"),
        info("other", "test", "jump"),
    ]
    clips += [info(t, "train", "wave", full=False) for t in TITLES[:30]]
    train_, held = data.split(clips, "train"), data.split(clips, "validation")
    assert len({c.title for c in held}) == data.VALIDATION_TITLES
    assert not {c.title for c in held} & {c.title for c in train_}
    assert TITLES[0] not in {c.title for c in train_ + held}
    assert all(c.full_body for c in held)
    assert [c.title for c in data.split(clips, "test")] == [TITLES[0], "other"]


def test_a_title_is_the_name_before_the_last_action():
    assert ClipInfo("how_to_run_fast_run_f_cm_np1_le_med_3", "run", "train", True, True, 9).title == "how_to_run_fast"


def test_the_draws_of_the_comparison_are_the_same_every_time_and_differ_by_frame():
    assert draws.draw("a", 8, "R2") == draws.draw("a", 8, "R2")
    assert draws.draw("a", 8, "R2") != draws.draw("a", 16, "R2")


def test_every_regime_draws_what_the_protocol_says():
    for frame in range(200):
        for regime in draws.SYNTHETIC:
            lengths = [d.length for d in draws.draw("clip", frame, regime)]
            key, others = lengths[2], [lengths[i] for i in (0, 1, 3, 4)]
            if regime == "R0":
                assert lengths == [0] * 5
            else:
                assert key in (21, 31)
            if regime == "R1":
                assert set(others) <= {0, 5, 9, 15, 21, 31}
            if regime in ("R2", "R4"):
                assert others.count(0) == 1
                assert all(31 <= n <= 47 for n in others if n)
            if regime == "R3":
                assert all(21 <= n <= 31 for n in others)


def test_the_traps_of_r4_leave_blur_and_angles_of_r2_as_they_are():
    kinds = set()
    for frame in range(100):
        plain, trapped = draws.draw("c", frame, "R2"), draws.draw("c", frame, "R4")
        assert [(d.length, d.angle) for d in plain] == [(d.length, d.angle) for d in trapped]
        changed = [d for a, d in zip(plain, trapped, strict=True) if a != d]
        assert len(changed) == 1
        kinds.add((changed[0].sigma, changed[0].gain, changed[0].occluded, changed[0].length == 0))
    assert len(kinds) == 8  # four traps, on the sharp frame or on a blurred one


def test_an_occluder_covers_a_fifth_of_the_box():
    frame = np.zeros((100, 120, 3), np.uint8)
    frame[:, :20] = 255  # the source of the patch may lie anywhere: mark what changed by a ramp instead
    ramp = (np.arange(100 * 120) % 251).astype(np.uint8).reshape(100, 120)
    frame[..., 0] = ramp
    out = draws.occlude(frame, np.array([20.0, 10, 60, 80]), np.random.default_rng(0))
    assert (out != frame).any(-1).sum() == pytest.approx(0.2 * 60 * 80, rel=0.12)


def test_a_true_alignment_moves_a_density_onto_the_key_frame():
    target = losses.targets(torch.tensor([[[70.0, 90.0]]]), (48, 36), 4)[0]
    moved = predictions.shifted(target, torch.tensor([[2.0, -3.0]]))
    found, _ = poses.decode(moved.numpy())
    assert found[0] == pytest.approx([70 - 8, 90 + 12], abs=0.1)


def score(hits, counts, source) -> scoring.Scored:
    return scoring.Scored(np.array([hits], float), np.array(counts, float), np.array(source))


def test_the_bootstrap_resamples_sources_not_frames():
    counts, source = [10] * 8, [0] * 4 + [1] * 4
    a = score([9, 9, 9, 9, 5, 5, 5, 5], counts, source)
    b = score([5] * 8, counts, source)
    result = scoring.bootstrap(a, b, 0)
    assert result["difference"] == pytest.approx(0.2)
    assert (result["low"], result["high"]) == pytest.approx((0.0, 0.4))  # either source alone is among the draws


def test_a_difference_that_every_source_shows_is_significant():
    a, b = (score([hit] * 40, [10] * 40, list(range(40))) for hit in (7, 6))
    result = scoring.bootstrap(a, b, 0)
    assert result["low"] > 0
    assert result["p"] < 0.01


def test_holm_corrects_step_by_step():
    assert scoring.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


def test_the_sharp_neighbour_is_never_the_key_frame():
    lengths = np.array([[31, 40, 0, 0, 35], [0, 40, 21, 33, 35], [31, 40, 21, 33, 0], [0, 0, 0, 0, 0]])
    assert scoring.sharp_neighbour(lengths).tolist() == [3, 0, 4, 0]


def test_rank_correlation_and_effective_frames_of_known_windows():
    weights = np.array([[0.5, 0.3, 0.1, 0.07, 0.03]])
    assert scoring.rank_correlation(weights, np.array([[0, 5, 10, 20, 30]])) == pytest.approx(-1)
    assert scoring.rank_correlation(weights, np.array([[30, 20, 10, 5, 0]])) == pytest.approx(1)
    assert scoring.effective_frames(np.full((3, 5), 0.2)) == pytest.approx(5)
    assert scoring.effective_frames(np.eye(5)) == pytest.approx(1, abs=1e-6)


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A data set of noise in the official layouts: 4 stills, 3 clips of 6 frames."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    (root / "lspet" / "images").mkdir(parents=True)
    names = [f"im{i:05d}.jpg" for i in range(1, 5)]
    for name in names:
        cv2.imwrite(str(root / "lspet" / "images" / name), rng.integers(0, 255, (120, 90, 3), np.uint8))
    (root / "lspet" / "images.txt").write_text("\n".join(names))
    joints = np.concatenate([rng.uniform(20, 80, (14, 2, 4)), np.ones((14, 1, 4))], 1)
    savemat(root / "lspet" / "joints.mat", {"joints": joints})
    lines = ["clip,action,split,full_body,exact_scale,frames"]
    for i in range(3):
        name = f"film{i}_run_f_nm_np1_ri_med_0"
        lines.append(f"{name},run,train,{int(i == 0)},1,6")
        (root / "jhmdb" / "videos" / "run").mkdir(parents=True, exist_ok=True)
        video = cv2.VideoWriter(
            str(root / "jhmdb" / "videos" / "run" / f"{name}.avi"),
            cv2.VideoWriter_fourcc(*"MJPG"),
            30,
            (320, 240),
        )
        for _ in range(6):
            video.write(rng.integers(0, 255, (240, 320, 3), np.uint8))
        video.release()
        folder = root / "jhmdb" / "joint_positions" / "run" / name
        folder.mkdir(parents=True)
        savemat(
            folder / "joint_positions.mat",
            {"pos_img": rng.uniform(60, 180, (2, 15, 6)), "scale": np.ones((1, 6))},
        )
    (root / "jhmdb" / "split1.csv").write_text("\n".join(lines))
    return root


def test_loaders_read_the_official_layouts_in_our_joint_order(people, tmp_path):
    from scipy.io import loadmat

    clips = data.Clips(people / "jhmdb", "train", tmp_path)
    assert [c.title for c in clips.infos] == ["film1", "film2"]  # film0 is held out for validation
    assert clips.frame(0, 5).shape == (240, 320, 3)
    published = loadmat(people / "jhmdb" / "joint_positions" / "run" / clips.infos[0].name / "joint_positions.mat")
    face, right_ankle = published["pos_img"][:, 2, 3], published["pos_img"][:, 13, 3]
    assert clips.joints[0][3, 13] == pytest.approx(face - 1, abs=1e-4)
    assert clips.joints[0][3, 0] == pytest.approx(right_ankle - 1, abs=1e-4)
    assert clips.window(0, 0) == [0, 0, 0, 1, 2]
    stills = data.Stills.open(people / "lspet")
    assert len(stills) == 4
    assert stills.person(0, (120, 90)).counts.all()


def test_a_missing_data_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="LSPET needs images.txt in"):
        data.Stills.open(tmp_path)
    with pytest.raises(FileNotFoundError, match="JHMDB needs split1.csv in"):
        data.list_clips(tmp_path)


def test_sample_i_is_the_same_wherever_the_stream_begins(people, tmp_path):
    stills, clips = data.Stills.open(people / "lspet"), data.Clips(people / "jhmdb", "train", tmp_path)
    a = data.FrameSamples(stills, clips, 0, (128, 96), 0, 9)[7]
    b = data.FrameSamples(stills, clips, 0, (128, 96), 5, 9)[2]
    assert all(np.array_equal(a[name], b[name]) for name in a)
    window = data.WindowSamples(stills, clips, 0, 0, 4)[1]
    again = data.WindowSamples(stills, clips, 0, 1, 4)[0]
    assert window["frames"].shape == (5, 3, 192, 144)
    assert all(np.array_equal(window[name], again[name]) for name in window)


def test_heads_of_another_training_see_shorter_blur_and_lie_beside_the_usual_ones():
    usual, short = (
        [
            data.draw_window(regime, np.random.default_rng(i), longest=longest)
            for regime in data.REGIMES
            for i in range(50)
        ]
        for longest in (47, 15)
    )
    lengths = np.array([[d.length for d in window] for window in usual])
    assert 40 < lengths.max() <= 47
    np.testing.assert_allclose([[d.length for d in window] for window in short], lengths * 15 / 47)
    assert [[d.angle for d in window] for window in short] == [[d.angle for d in window] for window in usual]
    paths = [models.checkpoint("freq-video", *of).name for of in ((), (2,), (0, "15px"), (2, "15px"))]
    assert [path.removesuffix(".safetensors") for path in paths] == [
        "freq-video", "freq-video-2", "freq-video-15px", "freq-video-2-15px",
    ]  # fmt: skip


def test_a_resumed_run_ends_with_the_same_parameters_as_an_uninterrupted_one(people, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "validate_frames", lambda *_: np.zeros(3))
    monkeypatch.setattr(models, "save", lambda *_, **__: None)
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    recipe = recipes.Recipe("spatial-frame", steps=4, batch=2, small=0.5, restart=2, validate_every=2, save_every=1)

    def last(run):
        return torch.load(run / "state.pt", weights_only=True)["network"]

    whole, parts = tmp_path / "a" / "whole", tmp_path / "a" / "parts"
    assert train.train_frames(recipe, people, whole, say=lambda *_: None)
    while not train.train_frames(recipe, people, parts, minutes=0, say=lambda *_: None):
        pass  # a step at a time
    expected, found = last(whole), last(parts)
    assert all(torch.equal(values, found[name]) for name, values in expected.items())
    rows = (whole / "log.csv").read_text().splitlines()
    assert rows[0].startswith("step,seconds,loss,pck05")
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]
    card = models.card("spatial-frame")
    assert (card["budget"]["steps"], card["budget"]["crops"], card["seeds"]) == (4, 8, [0])
    assert "4 stills of LSPET" in card["data"]


def test_heads_train_on_a_frozen_backbone_and_resume(people, tmp_path, monkeypatch):
    torch.manual_seed(5)
    frame = models.build("spatial-frame").eval()
    monkeypatch.setattr(models, "load", lambda name: frame)
    saved = {}
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(models, "save", lambda name, network, seed, variant: saved.__setitem__((name, seed), network))
    recipe = recipes.Recipe("video", steps=2, batch=2, warmup=1, validate_every=1, save_every=1)
    heads = [("spatial-video", 0), ("freq-video", 1)]
    assert train.train_heads(recipe, heads, people, tmp_path / "a" / "whole", say=lambda *_: None)
    whole = {key: train.own_state(network) for key, network in saved.items()}
    for key, network in saved.items():
        assert all(torch.equal(v, frame.state_dict()[k]) for k, v in network.frame.state_dict().items()), key
    while not train.train_heads(recipe, heads, people, tmp_path / "a" / "parts", minutes=0, say=lambda *_: None):
        pass
    for key, network in saved.items():
        assert all(torch.equal(v, whole[key][k]) for k, v in train.own_state(network).items()), key
    assert any((v != 0).any() for k, v in whole["freq-video", 1].items() if k == "head4.weight")
    assert models.card("freq-video")["seeds"] == [1]
    assert models.card("spatial-video")["budget"]["windows"] == 4


def test_a_student_learns_from_its_teacher_in_the_same_run_and_resumes(people, tmp_path, monkeypatch):
    torch.manual_seed(5)
    frame, twin = models.build("spatial-frame").eval(), models.build("spatial-video").eval()
    twin.start_from(frame)
    nn.init.normal_(twin.restore.weight, std=0.01)
    monkeypatch.setattr(models, "load", lambda name: {"spatial-frame": frame, "spatial-video": twin}[name])
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    saved = {}
    monkeypatch.setattr(models, "save", lambda *of: saved.__setitem__((of[0], of[3]), of[1]))
    recipe = replace(recipes.RECIPES["motion"], steps=3, batch=2, warmup=1, validate_every=1, save_every=1)
    heads = [(name, 0) for name in ("freq-motion", "freq-motion-distilled", "freq-motion-distilled alone")]
    assert train.train_heads(recipe, heads, people, tmp_path / "a" / "whole", say=lambda *_: None)
    whole = {key: train.own_state(network) for key, network in saved.items()}
    frozen = [key for key in train.own_state(twin) if not key.startswith("head")]
    assert all(torch.equal(state[key], twin.state_dict()[key]) for state in whole.values() for key in frozen)
    taught, alone = (whole["freq-motion-distilled", variant]["look.weight"] for variant in ("", "alone"))
    assert not torch.equal(taught, alone)
    rows = (tmp_path / "a" / "whole" / "log-freq-motion-distilled-0.csv").read_text().splitlines()
    assert rows[0] == "step,seconds,pose,information,consistency,heatmaps"
    assert [row.split(",")[3] == "0" for row in rows[1:]] == [True, False, False]  # the teacher is alone at first
    while not train.train_heads(recipe, heads, people, tmp_path / "a" / "parts", minutes=0, say=lambda *_: None):
        pass
    for key, network in saved.items():
        assert all(torch.equal(v, whole[key][k]) for k, v in train.own_state(network).items()), key
    told = models.card("freq-motion-distilled")
    assert "running average of freq-motion" in told["budget"]["teacher"]
    assert "teacher" not in told["heads alone"]["budget"]
