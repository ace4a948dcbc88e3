"""Do `multi-frequency` and `freq-full` compute what their files say?"""

import math

import numpy as np
import pytest
import torch

import models
from freqviz.learn import losses, recipes, steps, train
from models.cost import Counter
from models.freq_full import DepthwiseVolume, FreqFull
from models.multi_frequency import EnergyFrequencyInteraction
from models.probe import edit, watch
from models.spectral import LearnedFilter, SpatialFrequencyBranch, counted, radii, ring_energies
from models.video import VideoNetwork

FORMS = (("multi-frequency", ""), ("freq-full", ""), ("freq-full", "conv3d"))
LONGER = (("freq-full", "T9"), ("freq-full", "T9-conv3d"))


def built(name: str, variant: str = "") -> VideoNetwork:
    torch.manual_seed(0)
    network = models.build(name, variant)
    assert isinstance(network, VideoNetwork)
    return network


@pytest.mark.parametrize("size", [(4, 5), (3, 4, 5), (5, 3, 6)])
def test_the_learned_filter_is_the_convolution_that_its_transform_defines(size):
    torch.manual_seed(1)
    layer = LearnedFilter(1, size, 8)
    kernel, maps = torch.randn(size), torch.randn(1, 1, *size)
    spectrum = torch.fft.rfftn(kernel, dim=tuple(range(len(size))))
    with torch.no_grad():
        layer.filter[0] = torch.view_as_real(spectrum)
    found = layer(maps)[0, 0].detach().numpy()
    for place in np.ndindex(size):
        expected = sum(
            float(kernel[other])
            * float(maps[(0, 0, *((p - o) % n for p, o, n in zip(place, other, size, strict=True)))])
            for other in np.ndindex(size)
        )
        assert found[place] == pytest.approx(expected, abs=1e-4)


def test_a_filter_of_one_temporal_frequency_keeps_it_and_drops_another():
    layer = LearnedFilter(1, (5, 4, 4), 8)
    time = torch.arange(5.0)[:, None, None].expand(5, 4, 4)
    slow, fast = (torch.cos(2 * math.pi * cycles * time / 5) for cycles in (1, 2))
    with torch.no_grad():
        layer.filter.zero_()
        layer.filter[0, [1, 4], 0, 0, 0] = 1  # ω = ±1/5, constant in space
    assert torch.allclose(layer((slow + fast)[None, None])[0, 0], slow, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7)])
def test_energies_of_rings_are_the_sum_over_the_full_plane(height, width):
    maps = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    power = np.abs(np.fft.fft2(maps[0].numpy(), norm="ortho")) ** 2
    total, count = np.zeros((2, 3)), np.zeros(3)
    for v, fv in enumerate(np.fft.fftfreq(height)):
        for u, fu in enumerate(np.fft.fftfreq(width)):
            if (v, u) != (0, 0):
                ring = min(2, int(np.float32(np.hypot(np.float32(fv), np.float32(fu))) * 2 * 3))
                total[:, ring] += power[:, v, u]
                count[ring] += 1
    assert np.allclose(ring_energies(maps, 3)[0].numpy(), total / count, rtol=1e-4)


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 1)])
def test_counts_and_radii_of_the_half_plane_are_those_of_the_whole(size):
    h, w = size
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
    half = radii(h, w).numpy()
    assert np.allclose(half, radius[:, : w // 2 + 1])
    assert (half * counted(w).numpy()).sum() == pytest.approx(radius.sum(), rel=1e-6)


def test_gains_of_channels_feel_neither_exposure_nor_a_shift():
    torch.manual_seed(0)
    layer = EnergyFrequencyInteraction(8)
    torch.nn.init.normal_(layer.excite.weight)
    layer.squeeze = torch.nn.Linear(32, 32)
    maps = 40 * torch.rand(1, 8, 12, 10)
    with watch(layer, ["energy_gain"]) as seen, torch.no_grad():
        layer(maps)
        gain = seen["gain"]
        layer(2 * maps.roll((3, 4), (-2, -1)))
    assert gain.std() > 0.05
    assert torch.allclose(seen["gain"], gain, atol=1e-3)


def test_one_cell_reaches_every_cell_through_the_branch():
    torch.manual_seed(0)
    branch = SpatialFrequencyBranch(4, (24, 18), 8)
    torch.nn.init.normal_(branch.project.weight)
    torch.nn.init.normal_(branch.filter.filter)
    maps = torch.rand(1, 4, 24, 18, requires_grad=True)
    branch(maps)[0, :, 20, 15].sum().backward()
    assert (maps.grad[0].abs().sum(0) > 0).all()


@pytest.mark.parametrize(("name", "variant"), FORMS)
def test_before_training_each_form_says_what_the_twin_says(name, variant):
    twin, network = built("spatial-video").eval(), built(name, variant).eval()
    network.load_state_dict(twin.state_dict(), strict=False)
    frames = torch.rand(1, 5, 3, 192, 144, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(network(frames), twin(frames), atol=1e-6)


def test_the_filter_over_time_and_the_convolution_cost_the_same_within_ten_percent():
    volume = torch.zeros(1, 64, 5, 24, 18)
    costs = []
    for layer in (LearnedFilter(64, (5, 24, 18), 8), DepthwiseVolume()):
        with torch.no_grad(), Counter() as counter:
            layer(volume)
        costs.append(counter.total)
    assert abs(costs[0] / costs[1] - 1) < 0.1


def test_the_temporal_filter_moves_the_output_when_it_is_edited():
    network = built("freq-full").eval()
    torch.nn.init.normal_(network.temporal.project.weight)
    frames = torch.rand(1, 5, 3, 192, 144, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(frames)
        with edit(network, {"temporal_filter": torch.zeros_like}):
            assert not torch.allclose(network(frames), before, atol=1e-6)


def test_a_longer_window_begins_with_the_preferences_of_the_shorter():
    shorter, longer = built("spatial-video"), built("freq-full", "T9")
    with torch.no_grad():
        shorter.logits.slot.copy_(torch.tensor([-2.0, -1, 0, -1.5, -3]))
    longer.logits.prefer_as(shorter.logits)
    assert longer.frames == 9
    assert longer.logits.slot.tolist() == [-2, -2, -2, -1, 0, -1.5, -3, -3, -3]


def test_a_head_of_fewer_frames_is_shown_the_middle_ones():
    frames = torch.arange(2.0 * 9).view(2, 9, 1, 1, 1)
    batch = dict.fromkeys(("joints", "counts", "lengths"), frames[..., 0, 0, 0]) | {"still": torch.zeros(2)}
    shown, shared, told = train.middle_frames(5, frames, {"f8": frames.flatten(0, 1)}, batch)
    assert shown.flatten().tolist() == shared["f8"].flatten().tolist() == [*range(2, 7), *range(11, 16)]
    assert told["joints"].tolist() == told["lengths"].tolist() == [[*range(2, 7)], [*range(11, 16)]]
    assert torch.equal(told["still"], batch["still"])
    assert train.middle_frames(9, frames, {}, batch)[0] is frames


def test_an_unknown_form_names_the_known_ones():
    with pytest.raises(LookupError, match="no form 'conv4d'; known forms: conv3d, T5"):
        FreqFull("conv4d")


def test_the_privileged_loss_is_zero_at_the_sharp_features_and_one_at_their_mean():
    sharp = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    mean = sharp.mean((0, 2, 3), keepdim=True).expand_as(sharp)
    assert losses.privileged_loss(sharp, sharp) == 0
    assert float(losses.privileged_loss(mean, sharp)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("name", "variant"), FORMS + LONGER)
def test_training_reaches_what_each_form_adds(name, variant):
    network = built(name, variant).train()
    count = network.frames
    rng = torch.Generator().manual_seed(2)
    frames, joints = torch.rand(2, count, 3, 192, 144, generator=rng), 140 * torch.rand(2, count, 14, 2, generator=rng)
    with torch.no_grad():
        shared = network.shared(frames.flatten(0, 1))
        sharp = network.shared(frames[:, count // 2])["f8"]
    batch = {
        "joints": joints, "counts": torch.ones(2, count, 14, dtype=torch.bool), "still": torch.tensor([True, False]),
        "lengths": torch.zeros(2, count), "sharp_f8": sharp,
    }  # fmt: skip
    solver = steps.optimiser(network, recipes.RECIPES["spectral-heads"])
    for _ in range(2):  # the second step reaches what stands before layers that begin at zero
        solver.zero_grad()
        loss, terms = losses.head_loss(network, frames, shared, batch)
        loss.backward()
        solver.step()
    assert math.isfinite(loss.item())
    assert set(terms) >= {"privilege" if name == "multi-frequency" else "fourier"}
    added = [
        (path, p)
        for path, p in network.named_parameters()
        if path.split(".")[0] in ("branch", "interaction", "temporal")
    ]
    assert added
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for _, p in added)
    assert all(p.grad is None for p in network.frame.parameters())
