"""Does restoration do what it says: picture measures, aggregation by energy, losses, the start, and what refuses it?"""

import math

import numpy as np
import pytest
import torch
from test_evidence import Film
from torch import nn

import models
from freqviz import quality
from freqviz.learn import report, restore, restored
from models import freq_deblur
from models.freq_deblur import EnergyWeights
from models.probe import edit, watch


def picture(seed, size=(19, 23)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def test_psnr_of_a_known_error():
    a = np.full((8, 9, 3), 100, np.uint8)
    b = a.copy()
    b[2, 3, 1] = 140  # one of 216 values is off by 40
    assert quality.psnr(b, a) == pytest.approx(10 * math.log10(255**2 * 216 / 1600))
    assert quality.psnr(a, a) == math.inf


def test_ssim_agrees_with_its_definition_written_out():
    a, b = picture(0), picture(1)
    b = (0.6 * a + 0.4 * b).astype(np.uint8)
    x, y = (one.astype(float) @ (0.299, 0.587, 0.114) for one in (a, b))
    window = np.array([[math.exp(-(i * i + j * j) / 4.5) for j in range(-5, 6)] for i in range(-5, 6)])
    window /= window.sum()
    values = []
    for row in range(19 - 10):
        for column in range(23 - 10):
            p, q = (one[row : row + 11, column : column + 11] for one in (x, y))
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            both = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = 2.55**2, 7.65**2
            values.append((2 * mp * mq + c1) * (2 * both + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    assert quality.ssim(b, a) == pytest.approx(np.mean(values), abs=1e-9)
    assert quality.ssim(a, a) == pytest.approx(1)


def test_pictures_of_other_shapes_are_refused_with_both():
    with pytest.raises(ValueError, match=r"\(19, 23, 3\) and \(19, 24, 3\)"):
        quality.psnr(picture(0), picture(0, (19, 24)))
    with pytest.raises(ValueError, match="at least 11 pixels"):
        quality.ssim(picture(0, (10, 30)), picture(1, (10, 30)))


@pytest.mark.parametrize("variant", ["", "spatial"])
def test_the_result_begins_as_the_blurred_key_frame_and_every_part_learns(variant):
    torch.manual_seed(0)
    network = models.build("freq-deblur", variant)
    frames = torch.rand(2, 5, 3, 192, 144)
    with torch.no_grad():
        assert torch.equal(network.picture(frames), frames[:, 2])
    own = {name: values for name, values in network.named_parameters() if not name.startswith("frame.")}
    assert 2 * sum(values.numel() for values in own.values()) < 350_000  # bytes in fp16
    for values in own.values():
        if not values.any():
            nn.init.normal_(values, 0, 0.02)
    loss, terms = restore.loss_of(
        network,
        {"frames": (255 * frames).byte(), "sharp": (255 * frames[:, 1]).byte(), "flow": torch.ones(2, 4, 2, 48, 36)},
    )
    loss.backward()
    still = {name for name, values in own.items() if values.grad is None or not values.grad.any()}
    assert still <= {"guide.reduce.bias"}  # which a difference cancels
    spectral = restore.SPECTRUM * terms["spectrum"] if network.spectral else 0
    assert loss.item() == pytest.approx(terms["picture"] + spectral + restore.MOVED * terms["moved"], rel=1e-5)


@pytest.fixture
def weights():
    return EnergyWeights(192, 144, 5)


def test_frames_that_agree_are_mixed_into_themselves(weights):
    frame = torch.rand(1, 1, 3, 192, 144)
    assert torch.allclose(weights(frame.expand(-1, 5, -1, -1, -1), torch.zeros(1, 5, 48, 36)), frame[:, 0], atol=1e-5)


def test_each_frequency_comes_from_the_frame_that_has_it(weights):
    """One frame has lost the vertical detail, another the horizontal one: the mixture has both."""
    y, x = torch.arange(192.0)[:, None], torch.arange(144.0)
    waves = torch.cos(0.4 * math.pi * x) + torch.cos(0.4 * math.pi * y)  # blur leaves a ninth of one of them
    sharp = (0.5 + 0.2 * waves).expand(1, 3, -1, -1)
    kernel = torch.ones(1, 1, 1, 9) / 9

    across = nn.functional.conv2d(sharp, kernel.expand(3, 1, 1, 9), padding=(0, 4), groups=3)
    down = nn.functional.conv2d(sharp, kernel.transpose(2, 3).expand(3, 1, 9, 1), padding=(4, 0), groups=3)
    mixed = weights(torch.stack([across, down, across, down, across], 1), torch.zeros(1, 5, 48, 36))
    inside = (slice(None), slice(None), slice(12, -12), slice(12, -12))
    error, alone, mean = ((one - sharp)[inside].square().mean() for one in (mixed, down, (2 * down + 3 * across) / 5))
    assert error < 0.1 * alone
    assert error < 0.2 * mean
    with edit(weights, {"spectral_energy": torch.zeros_like}), torch.no_grad():  # without energies all count alike
        plain = weights(torch.stack([across, down, across, down, across], 1), torch.zeros(1, 5, 48, 36))
    assert torch.allclose(plain, (2 * down + 3 * across) / 5, atol=1e-5)


def test_weights_agree_with_the_softmax_written_out(weights):
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        weights.power.copy_(torch.rand(freq_deblur.RINGS, generator=rng) * 5)
        weights.slot.copy_(torch.rand(5, freq_deblur.RINGS, generator=rng))
    frames = torch.rand(1, 5, 3, 192, 144, generator=rng)
    logits = torch.zeros(1, 5, 48, 36)
    logits[:, 3] = 0.7
    seen = {}
    hooks = [
        getattr(weights, name).register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
        for name in ("energy", "weights")
    ]
    weights(frames, logits)
    for hook in hooks:
        hook.remove()
    window, v, u = 4, 95, 7  # frequency -1/96 down, 7/72 across
    place = math.hypot(1 / 96, 7 / 72) * 2 * (freq_deblur.RINGS - 1)
    low, share = int(place), place - int(place)
    told = []
    for t in range(5):
        power, slot = ((1 - share) * one[..., low] + share * one[..., low + 1] for one in (weights.power, weights.slot))
        told.append(0.5 * power * seen["energy"][0, t, window, v, u] + slot[t] + (0.7 if t == 3 else 0))
    expected = torch.softmax(torch.stack(told), 0)
    assert torch.allclose(seen["weights"][0, :, window, v, u], expected, atol=1e-5)
    # and the energy of that bin, by its definition: mean power of the bins around it, the plane going around in v
    y, x = weights.corners[window]
    cut = frames[0, 2, :, y : y + 96, x : x + 72] * weights.tiles[window]
    plane = torch.fft.fft2(cut, norm="ortho").abs().square().mean(0)
    near = torch.stack([plane[(v + i) % 96, u + j] for i in range(-2, 3) for j in range(-2, 3)]).mean()
    assert seen["energy"][0, 2, window, v, u].item() == pytest.approx(math.log(near + freq_deblur.NOISE), abs=1e-4)


def test_windows_of_the_aggregation_overlap_to_one(weights):
    total = torch.zeros(192, 144)
    for (y, x), tile in zip(weights.corners, weights.tiles, strict=True):
        total[y : y + 96, x : x + 72] += tile.square()
    assert len(weights.corners) == 9
    assert torch.allclose(total, torch.ones(192, 144), atol=1e-6)


@pytest.mark.parametrize("width", [6, 7])
def test_the_spectral_loss_agrees_with_the_whole_plane(width):
    a, b = (torch.rand(2, 3, 5, width, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    plane = torch.view_as_real(torch.fft.fft2(a - b, norm="ortho")).abs().sum(-1)
    assert restore.spectral_distance(a, b).item() == pytest.approx(plane.mean().item(), rel=1e-5)


def test_the_charbonnier_distance_is_round_below_a_thousandth_and_straight_above():
    zero = torch.zeros(1, 1, 2, 2)
    assert restore.charbonnier(zero, zero).item() == pytest.approx(1e-3)
    assert restore.charbonnier(zero + 0.3, zero).item() == pytest.approx(math.sqrt(0.09 + 1e-6))


def test_offsets_that_are_true_cost_nothing_and_others_by_their_distance():
    flow = torch.zeros(1, 4, 2, 8, 6)
    flow[:, :, 0] = 3
    right = flow.flatten(0, 1)
    nine = nn.functional.avg_pool2d(right, 2)[:, None].expand(-1, 9, -1, -1, -1).clone()
    nine[:, 0] += 50  # only the centre of nine taps says where a place went
    assert restore.moved_distance({"align4.offset": right[:, None], "align8.offset": nine}, flow).item() == 0
    off = right.clone()
    off[:, 1] += 6  # huber of 6 with delta 2 is 2 · (6 - 1) = 10, of one of two axes
    assert restore.moved_distance({"align4.offset": off[:, None]}, flow).item() == pytest.approx(10)


def test_the_pose_is_what_the_network_of_single_frames_finds_on_the_restored_frame():
    network, frame = models.load("freq-deblur"), models.load("spatial-frame")
    frames = torch.rand(2, 5, 3, 192, 144, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), watch(network, ["restored_picture"]) as seen:
        found, restored = network(frames), network.picture(frames)
        assert torch.allclose(found, frame(restored[:, None]), atol=1e-6)
        assert torch.equal(seen["restored"], restored)
        assert not torch.allclose(found, frame(frames[:, 2:3]), atol=1e-3)


def test_restored_frames_go_on_where_they_were_stopped(tmp_path, monkeypatch):
    asked = []

    def predict(networks, frame, windows, say):
        assert windows.sharp
        asked.append((windows.regime, list(networks)))
        if asked[-1] == ("R2", [restored.NAME, restored.TWIN]) and asked.count(asked[-1]) == 1:
            raise KeyboardInterrupt
        rows = {f"pose/{row}": np.zeros((len(windows), 14, 2)) for row in networks}
        return rows | {"key": np.array([[key.clip, key.frame] for key in windows.keys])}

    monkeypatch.setattr(restored, "predict", predict)
    monkeypatch.setattr(restored.data, "Clips", lambda *_: Film())
    with pytest.raises(KeyboardInterrupt):
        restored.run(tmp_path, runs=tmp_path)
    folder = restored.run(tmp_path, runs=tmp_path)
    assert folder == restored.run(tmp_path, runs=tmp_path)
    assert [regime for regime, _ in asked] == ["R0", "R1", "R2", "R2", "R3"]
    hashed = models.checkpoint_hash
    monkeypatch.setattr(models, "checkpoint_hash", lambda name, seed=0, form="": hashed(name, seed, form) + form)
    del asked[:]
    restored.run(tmp_path, runs=tmp_path)  # another training of the twin
    assert asked == [(regime, [restored.TWIN]) for regime in restored.REGIMES]
    assert report.load(folder, restored.REGIMES)[1].tolist() == [0, 1]
