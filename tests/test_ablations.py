"""Does each answer of the ablations do what its name says, and does the table say what was found?"""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from freqviz import crops
from freqviz.learn import ablations as ab
from freqviz.learn import answers, losses
from models.network import density
from models.probe import watch
from models.video import CHANNELS

SIZE = (48, 36)


def gaussians(places, width=losses.SIGMA):
    """(1, J, 48, 36) densities of bells at places in cells."""
    return losses.targets(torch.tensor([places]) * 4 + 1.5, SIZE, 4, width)


ONE = torch.ones(1, 2)
LOSSES = [one.more for one in answers.ANSWERS if one.more is not None]
TARGET = gaussians([(15.0, 20.0), (22.3, 30.6)])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_zero_at_the_target_and_grows_with_the_distance(loss):
    near, far = (gaussians([(15.0 + d, 20.0), (22.3 + d, 30.6)]) for d in (0.5, 2.0))
    at, close, away = (loss(maps.clamp_min(1e-30).log(), TARGET, ONE).item() for maps in (TARGET, near, far))
    assert at == pytest.approx(0, abs=1e-6)
    assert 1e-4 < close < away


@pytest.mark.parametrize("loss", LOSSES)
def test_a_joint_that_does_not_count_teaches_nothing(loss):
    found = gaussians([(15.0, 20.0), (5.0, 5.0)]).clamp_min(1e-30).log()
    assert loss(found, TARGET, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(0, abs=1e-6)


def test_phase_does_not_feel_the_width_but_the_place():
    wide = gaussians([(15.0, 20.0), (22.3, 30.6)], 1.2 * losses.SIGMA)
    assert answers.phase_loss(wide.clamp_min(1e-30).log(), TARGET, ONE).item() < 1e-4
    assert answers.squared_error(wide.clamp_min(1e-30).log(), TARGET, ONE).item() > 1e-4


def test_the_characteristic_function_is_summed_over_the_whole_plane_up_to_the_cap():
    found = gaussians([(17.0, 20.5), (20.0, 30.0)])
    whole = torch.fft.fft2(found - TARGET).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(SIZE[0])[:, None], torch.fft.fftfreq(SIZE[1])[None])
    wanted = whole[..., radius <= 0.25].mean()
    assert answers.characteristic_loss(found.clamp_min(1e-30).log(), TARGET, ONE).item() == pytest.approx(
        wanted.item(), rel=1e-4
    )


def test_the_focal_loss_is_its_written_out_definition():
    found = gaussians([(17.0, 20.5), (20.0, 30.0)])
    distance = torch.fft.fft2((found - TARGET) * (2 * math.pi * losses.SIGMA**2)).abs()
    each = (distance / distance.amax((-2, -1), keepdim=True) * distance.square()).mean((-2, -1))
    told = answers.focal_frequency_loss(found.clamp_min(1e-30).log(), TARGET, ONE)
    assert told.item() == pytest.approx(each.mean().item(), rel=1e-4)


RULES = [answer for answer in answers.ANSWERS if answer.question == answers.WEIGHTS]


def rows(seed=0):
    """Aligned rows of three strides, all five frames alike, and a window with the maps that rules look at."""
    torch.manual_seed(seed)
    maps = [torch.randn(1, 1, CHANNELS, 48 // n, 36 // n).expand(-1, 5, -1, -1, -1).clone() for n in (1, 2, 4)]
    window = {"early": torch.randn(1, 1, 8, 12, 9).expand(-1, 5, -1, -1, -1).clone()}
    return maps, window | {"band_energy": torch.randn(1, 1, 4, 12, 9).expand(-1, 5, -1, -1, -1).clone()}


@pytest.mark.parametrize("answer", RULES, ids=[one.name for one in RULES])
def test_frames_that_are_alike_are_weighed_alike(answer):
    if answer.name == "sigmoid attention":
        return  # each frame on its own: the weights need not sum to 1
    network = answer.build().eval()
    maps, window = rows()
    with torch.no_grad(), watch(network, ["frame_weights"]) as seen:
        found = network.weighed(window, maps[1][:, 2], *maps)
    for mixed, given in zip(found, maps, strict=True):
        assert torch.allclose(mixed, given[:, 0], atol=1e-4)
    weights = next(iter(seen.values())).mean((-2, -1))
    assert torch.allclose(weights, torch.full_like(weights, 0.2), atol=1e-4)


@pytest.mark.parametrize("answer", RULES, ids=[one.name for one in RULES])
def test_weights_sum_to_one_whatever_the_frames_hold(answer):
    network = answer.build().eval()
    maps, window = rows()
    maps = [one * torch.linspace(0.2, 3, 5)[:, None, None, None] for one in maps]
    window["band_energy"] = window["band_energy"] * torch.linspace(0.2, 3, 5)[:, None, None, None]
    with torch.no_grad(), watch(network, ["frame_weights"]) as seen:
        network.weighed(window, maps[1][:, 2], *maps)
    weights = next(iter(seen.values()))
    assert torch.allclose(weights.sum(1), torch.ones_like(weights.sum(1)), atol=1e-5)


def smooth(maps):
    """Maps (1, C, h, w) without what is fine."""
    return functional.avg_pool2d(maps, 5, 1, 2)


@pytest.mark.parametrize("name", ["Fourier burst accumulation", "energy, per channel"])
def test_a_frame_that_lost_what_is_fine_counts_less(name):
    network = next(one for one in RULES if one.name == name).build().eval()
    maps, window = rows()
    for one in maps:
        one[:, 4] = smooth(one[:, 4])
    with torch.no_grad(), watch(network, ["frame_weights"]) as seen:
        network.weighed(window, maps[1][:, 2], *maps)
    weights = next(iter(seen.values())).mean((-2, -1))[0]
    assert weights[4] < 0.8 * weights[0]


def test_what_is_left_out_of_a_neighbour_by_burst_accumulation_comes_from_the_others():
    network = answers.BurstAccumulation().eval()
    maps, _ = rows()
    sharp = maps[0].clone()
    sharp[:, 1:] = smooth(sharp[:, 0])[:, None]  # one sharp frame, four that lost what is fine
    with torch.no_grad():
        found = network.mix(torch.ones(1), sharp)[0]
    fine = [(one - smooth(one[None])[0]).square().mean() for one in (found, sharp[0, 0], sharp.mean(1)[0])]
    assert fine[0] > 0.8 * fine[1]
    assert fine[2] < 0.2 * fine[1]


def test_phase_correlation_reads_the_neighbour_where_it_went():
    torch.manual_seed(0)
    scene = functional.interpolate(torch.rand(1, 1, 60, 50), scale_factor=4, mode="bicubic").clamp(0, 1)[0, 0]
    moved = torch.tensor([8, 4, 0, -4, -8])  # pixels to the right
    frames = torch.stack([scene[16:208, 16 - d : 160 - d].expand(3, -1, -1) for d in moved])
    network = answers.PhaseAligned().eval()
    for name, value in (("slope", 100.0), ("threshold", 0.0), ("gain", 10.0)):
        getattr(network.guide.phase, name).data.fill_(value)
    ramp = torch.arange(36.0).expand(1, 5, CHANNELS, 48, 36) - moved[:, None, None, None] / 4
    maps = {"f4": ramp, "f8": ramp[..., ::2, ::2], "f16": ramp[..., ::4, ::4]}
    with torch.no_grad():
        read = network.rows({name: own[None] for name, own in network.own(frames).items()} | maps)[0]
    inside = read[0, :, 0, 12:36, 8:28]
    assert (inside - inside[2]).abs().max() < 0.5  # cells of stride 4; unaligned, they lie two apart


def test_without_alignment_neighbours_are_read_where_they_are():
    network = answers.Unaligned().eval()
    maps = {name: torch.randn(1, 5, CHANNELS, 48 // n, 36 // n) for name, n in (("f4", 1), ("f8", 2), ("f16", 4))}
    for row, name in zip(network.rows(maps), maps, strict=True):
        assert torch.equal(row, maps[name])


def batch(seed):
    """A made-up batch of windows as training sees it."""
    rng = torch.Generator().manual_seed(seed)
    return {
        "frames": torch.randint(0, 255, (2, 5, 3, 192, 144), generator=rng, dtype=torch.uint8),
        "joints": torch.rand(2, 5, 14, 2, generator=rng) * 100 + 20,
        "counts": torch.ones(2, 5, 14, dtype=torch.bool),
    }


def test_a_training_goes_on_as_if_it_had_not_been_stopped(tmp_path):
    few = tuple(one for one in answers.ANSWERS if one.name in ("+ phase", "none"))
    whole = ab.Training(ab.Bench(few), tmp_path / "whole")
    whole.learn(batch(0))
    whole.learn(batch(1))
    first = ab.Training(ab.Bench(few), tmp_path / "begun")
    first.learn(batch(0))
    first.save()
    second = ab.Training(ab.Bench(few), tmp_path / "begun")
    assert second.step == 1
    second.learn(batch(1))
    for one, other in zip(whole.averages, second.averages, strict=True):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-6)
    assert second.shares[0] == pytest.approx(whole.shares[0], rel=1e-3)


def test_heads_of_other_questions_are_not_taken_up(tmp_path):
    one, other = ((answer,) for answer in answers.ANSWERS[:2])
    ab.Training(ab.Bench(one), tmp_path / "begun").save()
    with pytest.raises(ValueError, match="holds other heads than there are now: remove it to train anew"):
        ab.Training(ab.Bench(other), tmp_path / "begun")


def test_what_is_measured_of_a_heatmap_is_zero_at_its_target():
    joints = torch.full((1, 5, 14, 2), 60.0)
    box = torch.tensor([[20.0, 20.0, 60.0, 80.0]], dtype=torch.float64)
    given = {"box": box, "joints": joints}
    inside = crops.transform(joints[0, 2].numpy(), crops.matrix(box[0].numpy()))
    target = losses.targets(torch.from_numpy(inside).float()[None], SIZE, 4)
    found = ab.measures(target, given)
    assert found["spectrum"].max() < 1e-5
    np.testing.assert_allclose(found["above"], math.exp(-((2 * math.pi * losses.SIGMA * 0.25) ** 2)), atol=0.003)
    np.testing.assert_allclose(found["pose"][0], joints[0, 2], atol=0.1)
    assert np.abs(found["peak"][0] - joints[0, 2].numpy()).max() < 0.75 * 1.25 * 80 / 48
    spiky = density(10 * torch.randn(1, 14, *SIZE))
    assert ab.measures(spiky, given)["above"].min() > 0.3


def test_the_table_says_how_far_apart_two_answers_are_and_whom_the_weights_trust():
    truth = np.full((4, 14, 2), 50.0) + np.arange(14)[None, :, None]
    arrays = {"truth": truth, "counts": np.ones((4, 14), bool), "key": np.array([[0, 0], [0, 8], [1, 0], [1, 8]])}
    arrays |= {"lengths": np.array([[40.0, 40, 20, 0, 40]] * 4), "trapped": np.array([0, 0, 1, 1])}
    for answer in answers.ANSWERS:
        if answer.question == answers.NORM:
            continue
        off = 10.0 if answer.name == "mean" else 0.0
        even = np.full((4, 5), 0.2)
        if answer.name == "energy, per frame":
            even[:2, 0] = 0.5
        arrays |= {f"pose/{answer.row}": truth + off, f"peak/{answer.row}": truth, f"weights/{answer.row}": even}
        arrays |= {f"{name}/{answer.row}": np.zeros((4, 14)) for name in ("spectrum", "above")}
    sharp = arrays | {"trapped": np.full(4, -1)}
    whole = ab.table({"R0": sharp, "trap noise": arrays}, np.array([0, 1]))
    told = whole[whole["regime"] == "trap noise"].set_index(["question", "row"])
    mean = told.loc[answers.WEIGHTS, "mean"]
    assert (mean["pck@0.05"], mean["difference"], mean["high"]) == (0, -1, -1)
    assert mean["pck@0.05 of the highest cell"] == 1
    assert told.loc[(answers.WEIGHTS, "energy, per frame"), "outweighs"] == 0.5
    assert mean["outweighs"] == 0
    assert np.isnan(told.loc[(answers.WEIGHTS, "learned"), "difference"])
    text = ab.markdown(whole)
    assert "| mean | 0.0 (**-100.0**) | 0.0 (**-100.0**), 0 % |" in text
    assert "| learned (base) | 100.0 | 100.0, 0 % |" in text
