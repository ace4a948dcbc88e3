"""Are `dct-input` and `global-filter` what was published, and do they begin as `spatial-frame`?"""

import numpy as np
import pytest
import torch
from scipy import fft
from torch import nn
from torch.nn import functional

import models
from freqviz.learn.losses import GATE, enter
from freqviz.learn.steps import begin_as
from models.dct_input import CHANNELS, COUNTS, YCBCR, BlockDCT, ChannelGate
from models.global_filter import GlobalFilter, resized


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_the_coefficients_are_those_of_scipy_in_the_order_that_is_stated(rng):
    frame = rng.random((16, 24, 3)).astype(np.float32)
    found = BlockDCT()(torch.from_numpy(frame).permute(2, 0, 1)[None])[0].numpy()
    planes = frame @ np.array(YCBCR).T
    for colour in range(3):
        for row in range(2):
            for column in range(3):
                block = planes[8 * row : 8 * row + 8, 8 * column : 8 * column + 8, colour]
                expected = fft.dctn(block, norm="ortho").ravel()
                assert found[64 * colour : 64 * colour + 64, row, column] == pytest.approx(expected, abs=1e-5)


def test_the_coefficients_hold_the_whole_picture_and_its_energy(rng):
    frames = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    dct = BlockDCT()
    found = dct(frames).double()
    luma = (frames.double() * torch.tensor(YCBCR[0]).double().view(1, 3, 1, 1)).sum(1)
    assert found[:, :64].square().sum() == pytest.approx(float(luma.square().sum()), rel=1e-5)  # orthonormal
    whole = torch.linalg.inv(dct.weight.double().flatten(1)) @ found.flatten(2)
    back = functional.fold(whole, (16, 16), kernel_size=8, stride=8)
    assert torch.allclose(back, frames.double(), atol=1e-5)


def test_a_picture_of_other_sides_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 8, got \(12, 16\)"):
        BlockDCT()(torch.zeros(1, 3, 12, 16))


def test_the_gate_gives_bits_and_fewer_channels_are_the_most_used(rng):
    gate = ChannelGate()
    coefficients = torch.randn(5, CHANNELS, 3, 2)
    gate.train()
    bits = gate(coefficients)
    assert set(bits.detach().unique().tolist()) <= {0.0, 1.0}
    bits.sum().backward()
    assert gate.excite.bias.grad.abs().sum() > 0, "bits pass the gradient of their chance"
    gate.eval()
    gate.used.copy_(torch.from_numpy(rng.permutation(CHANNELS) / CHANNELS))
    for count in COUNTS:
        gate.count = count
        bits = gate(coefficients)
        assert torch.equal(bits, gate(coefficients)), "no chance outside of training"
        assert torch.equal(bits.amax(0) > 0, gate.used >= gate.used.sort(descending=True).values[count - 1])
    with pytest.raises(ValueError, match="1 to 192 channels of coefficients, got 0"):
        gate.kept(0)


@pytest.mark.parametrize("variant", ["", "x2"])
def test_what_the_gate_holds_back_does_not_reach_the_pose(variant):
    network = models.build("dct-input", variant).eval()
    gate = network.backbone.gate
    frames = torch.rand(1, 3, 192, 144, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        gate.count = 1  # the mean of luma alone: texture within blocks is unseen
        gate.used[0] = 1.0
        luma = (frames * torch.tensor(YCBCR[0]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        flat = functional.interpolate(functional.avg_pool2d(luma, 8), scale_factor=8).expand(-1, 3, -1, -1)
        seen, of_flat = network.encode(frames), network.encode(flat)
        if variant == "":
            assert torch.allclose(seen["f4"], of_flat["f4"], atol=1e-4)
        gate.count = CHANNELS
        assert not torch.allclose(network.encode(frames)["f4"], seen["f4"], atol=1e-3)
    assert torch.equal(seen["gate"].sum(), torch.tensor(1.0))


def test_while_the_gate_does_not_close_everything_passes_and_only_in_training():
    gate = ChannelGate()
    torch.nn.init.constant_(gate.excite.bias, -9.0)
    gate.closes = False
    coefficients = torch.randn(2, CHANNELS, 6, 4)
    assert gate.train()(coefficients).min() == 1
    assert gate.eval()(coefficients).max() == 0


@pytest.mark.parametrize(("name", "variant"), [("global-filter", ""), ("dct-input", ""), ("dct-input", "x2")])
def test_kept_stages_stay_as_they_are_in_training(name, variant):
    network = models.build(name, variant).train()
    parts = {name: part.training for name, part in network.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert {name for name, training in parts.items() if not training} == {
        name for name in parts if name.startswith(network.kept)
    }


def test_the_lesson_is_the_price_of_the_gate_where_the_maps_are_those_of_the_teacher(monkeypatch):
    teacher, network = models.load("spatial-frame"), models.build("dct-input").train()
    frames = torch.rand(2, 3, 192, 144, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        s4 = teacher.backbone.stem((frames - teacher.backbone.mean) * 4)
        s8, bits = teacher.backbone.stage(1, s4), torch.tensor([0.25, 0.75])
        monkeypatch.setattr(network.backbone, "begin", lambda _: (s4, s8, bits))
        network.load_state_dict(teacher.state_dict(), strict=False)
        found = enter(network, teacher, frames)
        assert float(found["lesson"]) == pytest.approx(GATE * 0.5)
        assert torch.allclose(found["f4"], teacher.encode(frames)["f4"], atol=1e-4)
        monkeypatch.setattr(network.backbone, "begin", lambda _: (s4.mean((0, 2, 3), True).expand_as(s4), s8, bits))
        assert float(enter(network, teacher, frames)["lesson"]) == pytest.approx(GATE * 0.5 + 1, abs=1e-3)


def test_the_filter_is_the_published_layer(rng):
    """GFNet's forward pass, written out for tokens (B, N, C): rfft2 over (H, W), product, irfft2, all orthonormal."""
    layer = GlobalFilter(6, (7, 9), 8)
    x = torch.from_numpy(rng.standard_normal((2, 6, 7, 9))).float()
    tokens = x.permute(0, 2, 3, 1)
    weight = torch.view_as_complex(layer.weight.permute(1, 2, 0, 3).contiguous())  # (h, w // 2 + 1, C)
    spectrum = torch.fft.rfft2(tokens, dim=(1, 2), norm="ortho") * weight
    expected = torch.fft.irfft2(spectrum, s=(7, 9), dim=(1, 2), norm="ortho").permute(0, 3, 1, 2)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_a_filter_on_a_larger_map_answers_the_same_frequencies_alike():
    """A blur of two cells: its response at f is (1 + cos 2 pi f) / 2 whatever the size of the map."""

    def response(height, width):
        v, u = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, : width // 2 + 1]
        return ((2 + torch.cos(2 * torch.pi * v) + torch.cos(2 * torch.pi * u)) / 4 + 0j).to(torch.complex64)

    same = response(24, 18)
    assert resized(same, (24, 18), (24, 18)) is same
    for wanted in ((48, 36), (32, 24), (25, 19), (12, 9)):
        found = resized(same, (24, 18), wanted)
        assert found.shape == response(*wanted).shape
        assert (found - response(*wanted)).abs().max() < 0.012  # linear between samples of a cosine, 18 a period


def test_the_networks_begin_as_spatial_frame():
    """`global-filter` says exactly the same before it is trained; `dct-input` has all but the stem."""
    frame = models.build("spatial-frame").eval()
    x = torch.rand(1, 1, 3, 192, 144, generator=torch.Generator().manual_seed(2))
    filtered = models.build("global-filter").eval()
    begin_as(filtered, frame)
    with torch.no_grad():
        assert torch.allclose(filtered(x), frame(x), atol=1e-6)
    for variant in ("", "x2"):
        network = models.build("dct-input", variant)
        begin_as(network, frame)
        mine, theirs = network.state_dict(), frame.state_dict()
        other = {name for name, v in theirs.items() if name not in mine or not torch.equal(v, mine[name])}
        step = {"backbone.stages.1.0"} if variant == "" else set()
        assert all(name.startswith(("backbone.stem", *step)) for name in other)


def test_frequencies_are_taken_in_full_precision_under_autocast():
    frames = torch.rand(1, 3, 192, 144, generator=torch.Generator().manual_seed(3))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        coarse = BlockDCT()(frames)
    assert torch.equal(coarse, BlockDCT()(frames))
