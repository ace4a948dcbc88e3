"""Are the networks what their files say, before and after training?"""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import models
from models.align import AlignScale, correlation, deformable, taps
from models.cost import multiply_adds, parameters
from models.freq_video import BandEnergy, FrequencyGuide, PhasePrior
from models.probe import Probe, edit, probes, watch
from models.video import VideoNetwork

VIDEO = ("spatial-video", "freq-video")


@pytest.fixture(scope="module", params=VIDEO)
def untrained(request) -> VideoNetwork:
    """A video network as training starts, on a random backbone."""
    torch.manual_seed(0)
    frame = models.build("spatial-frame").eval()
    network = models.build(request.param)
    network.start_from(frame)
    object.__setattr__(network, "single", frame)  # beside the network, not a part of it
    return network.eval()


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(1, 5, 3, 192, 144, generator=torch.Generator().manual_seed(1))


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Grey noise with the 1/f amplitude of natural images, in [0, 1]."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    spectrum = np.fft.fft2(rng.standard_normal((height, width))) / np.maximum(radius, 1 / height)
    image = np.fft.ifft2(spectrum).real
    return (image - image.min()) / np.ptp(image)


@pytest.mark.parametrize("name", models.names())
def test_every_network_gives_densities_of_the_stated_size(name):
    network = models.build(name).eval()
    with torch.no_grad():
        maps = network(torch.rand(2, network.frames, 3, *network.input_size))
    assert maps.shape == (2, 14, 48, 36)
    assert torch.allclose(maps.sum((-2, -1)), torch.ones(2, 14), atol=1e-4)


def test_a_window_of_the_wrong_length_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\(B, 5, 3, H, W\), got \(1, 3, 3, 192, 144\)"):
        models.build("freq-video")(torch.zeros(1, 3, 3, 192, 144))


def test_an_unknown_network_names_the_known_ones():
    with pytest.raises(LookupError, match="no network named 'freq-vidoe'; known networks: spatial-frame"):
        models.build("freq-vidoe")


def test_alignment_is_the_identity_at_the_start(untrained, frames):
    watched = (
        "alignment_offset",
        "modulation_mask",
        "offset_gate",
        "mask_gate",
        "feature",
        "aligned_feature",
    )
    with torch.no_grad(), watch(untrained, watched) as seen:
        untrained(frames)
    for path, values in seen.items():
        if path.endswith("offset"):
            assert values.abs().max() == 0, path
        elif "mask" in path or "gate" in path:
            assert torch.equal(values, torch.ones_like(values)), path
    assert torch.allclose(seen["aligned"], seen["feature"], atol=1e-5)
    assert seen["feature"].std() > 0.01  # or else nothing was asked


def test_frame_weights_sum_to_one_everywhere(untrained, frames):
    with torch.no_grad(), watch(untrained, ["frame_weights"]) as seen:
        untrained(frames)
    weights = seen["frame_weights"]
    assert weights.shape == (1, 5, 24, 18)
    assert torch.allclose(weights.sum(1), torch.ones(1, 24, 18), atol=1e-5)


def test_a_still_window_starts_as_the_single_frame_network(untrained, frames):
    still = frames[:, 2:3]
    with torch.no_grad():
        assert torch.allclose(untrained(still.expand(-1, 5, -1, -1, -1)), untrained.single(still), atol=1e-6)


def test_encode_is_its_shared_and_its_own_part(untrained, frames):
    with torch.no_grad():
        whole = untrained.encode(frames[0])
        parts = {**untrained.shared(frames[0]), **untrained.own(frames[0])}
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_frames_are_encoded_one_at_a_time(untrained, frames):
    with torch.no_grad():
        together, alone = untrained.encode(frames[0]), untrained.encode(frames[0, 3:4])
    for name, maps in alone.items():
        assert torch.allclose(together[name][3:4], maps, atol=2e-4), name


def test_deformable_sampling_agrees_with_the_written_out_definition():
    rng = torch.Generator().manual_seed(3)
    n, c, groups, count, h, w = 2, 4, 2, 9, 5, 6
    x = torch.randn(n, c, h, w, generator=rng)
    offset = 1.7 * torch.randn(n, groups, count, 2, h, w, generator=rng)
    mask = torch.rand(n, groups, count, h, w, generator=rng)
    weight = torch.randn(c, count, generator=rng)

    def read(image, px, py):  # bilinear, zero outside
        total = 0.0
        x0, y0 = int(np.floor(px)), int(np.floor(py))
        for yy in (y0, y0 + 1):
            for xx in (x0, x0 + 1):
                if 0 <= yy < h and 0 <= xx < w:
                    total += (1 - abs(px - xx)) * (1 - abs(py - yy)) * image[yy, xx].item()
        return total

    expected = torch.zeros(n, c, h, w)
    for b in range(n):
        for channel in range(c):
            g = channel // (c // groups)
            for y in range(h):
                for column in range(w):
                    for k in range(count):
                        dx, dy = offset[b, g, k, :, y, column].tolist()
                        place = column + k % 3 - 1 + dx, y + k // 3 - 1 + dy
                        expected[b, channel, y, column] += (
                            weight[channel, k] * mask[b, g, k, y, column] * read(x[b, channel], *place)
                        )
    assert (deformable(x, offset, mask, weight) - expected).abs().max() < 1e-5


def test_taps_run_row_by_row_in_dx_dy():
    assert taps(9)[:4].tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 0]]
    assert taps(1).tolist() == [[0, 0]]


def test_an_offset_points_to_where_the_neighbour_is_read():
    scale = AlignScale(1, 0, 8, reach=4, search=1)
    other = torch.zeros(1, 1, 6, 7)
    other[0, 0, 2, 5] = 1
    flow = torch.zeros(1, 2, 6, 7)
    flow[:, 0] = 3  # the content of the key frame went 3 cells to the right
    gate = torch.ones(1, 9, 6, 7)
    aligned, _, _ = scale(torch.zeros_like(other), other, flow, other[:, :0], gate, gate)
    assert aligned[0, 0, 2, 2].item() == pytest.approx(1)


def test_a_probe_can_be_edited_and_the_output_moves_and_returns(untrained, frames):
    def first(weights):
        return (
            torch.nn.functional.one_hot(torch.zeros(weights.shape[0], *weights.shape[2:], dtype=torch.long), 5)
            .movedim(-1, 1)
            .float()
        )

    with torch.no_grad():
        before = untrained(frames)
        with edit(untrained, {"frame_weights": first}):
            changed = untrained(frames)
        after = untrained(frames)
    assert (changed - before).abs().max() > 1e-6
    assert torch.equal(before, after)


def test_an_edit_of_an_unknown_quantity_lists_what_is_there():
    with (
        pytest.raises(LookupError, match="no probe 'gate' in SpatialFrame; it has feature, heatmap"),
        edit(models.build("spatial-frame"), {"gate": torch.zeros_like}),
    ):
        pass


def test_no_edit_survives_a_failing_forward(untrained):
    with pytest.raises(ValueError, match="frames must be"), edit(untrained, {"heatmap": torch.zeros_like}):
        untrained(torch.zeros(1))
    assert all(probe.change is None for probe in probes(untrained).values())


def test_probes_leave_checkpoints_alone():
    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(2, 2)
            self.seen = Probe("feature", "channel")

    assert set(Tiny().state_dict()) == {"line.weight", "line.bias"}


def test_only_the_frequency_network_looks_at_spectra():
    held = {name: {p.quantity for p in probes(models.build(name)).values()} for name in VIDEO}
    only = {
        "band_energy",
        "energy_logit",
        "phase_prior",
        "phase_confidence",
        "learned_filter",
        "difference_spectrum",
        "spectral_descriptor",
    }
    assert held["freq-video"] - held["spatial-video"] == only
    in_pixels = {"feature_difference", "learned_kernel", "spatial_descriptor"}
    assert held["spatial-video"] - held["freq-video"] == in_pixels


def test_the_twins_cost_the_same_within_ten_per_cent():
    a, b = (models.build(name) for name in VIDEO)
    assert abs(parameters(a) / parameters(b) - 1) < 0.1
    assert abs(multiply_adds(a) / multiply_adds(b) - 1) < 0.1


def test_multiply_adds_of_a_convolution_follow_the_stated_counting():
    class One(models.PoseNetwork):
        frames = 1
        input_size = (8, 6)

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 3, padding=1)

        def encode(self, frames):
            return {"x": self.conv(frames)}

        def estimate(self, window):
            return torch.fft.irfft2(torch.fft.rfft2(window["x"][:, 0], norm="ortho"), s=(8, 6), norm="ortho")

    conv, fft = 48 * 5 * 27, 5 * 2.5 * 48 * np.log2(48)
    assert multiply_adds(One()) == pytest.approx(conv + 2 * fft)


@pytest.mark.parametrize("shift", [(5, -3), (-11, 7), (0, 14)])
def test_the_phase_prior_finds_the_displacement_from_key_to_neighbour(shift):
    prior = PhasePrior(192, 144)
    wide = texture(256, 208)
    dx, dy = shift
    key, other = wide[32:224, 32:176], wide[32 - dy : 224 - dy, 32 - dx : 176 - dx]
    luma = torch.tensor(np.stack([key, other])[:, None], dtype=torch.float32)
    with torch.no_grad():
        found, confidence = prior(prior.encode(luma)[None], 0, [1])
    assert np.abs(found[0, 0].mean((-2, -1)).numpy() - shift).max() < 1
    unrelated = torch.tensor(np.stack([key, texture(192, 144, 9)])[:, None], dtype=torch.float32)
    with torch.no_grad():
        _, doubt = prior(prior.encode(unrelated)[None], 0, [1])
    assert confidence.mean() > 2 * doubt.mean()


def sharpness(images: list[np.ndarray]) -> np.ndarray:
    """Mean energy logit of each frame of a window, as the untrained guide gives it."""
    guide = FrequencyGuide()
    luma = torch.tensor(np.stack(images)[:, None], dtype=torch.float32)
    with torch.no_grad():
        window = {"band_energy": guide.energy(luma)[None]}
        return guide.logit(window)[0].mean((-2, -1))[0].numpy()


def blurred(image: np.ndarray, length: float) -> np.ndarray:
    from freqviz import blur

    frame = np.repeat((255 * image).round().astype(np.uint8)[..., None], 3, -1)
    return blur.motion_blur(frame, length, 0.6)[..., 0] / 255.0


def test_energy_falls_with_blur():
    image = texture(192, 144)
    logits = sharpness([blurred(image, length) for length in (0, 5, 10, 18, 30)])
    assert (np.diff(logits) < -0.05).all()


def test_noise_does_not_count_as_sharpness():
    image, rng = blurred(texture(192, 144), 18), np.random.default_rng(0)
    noisy = np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1)
    sharp = texture(192, 144)
    logits = sharpness([image, noisy, sharp])
    assert logits[2] - logits[0] > 5 * (logits[1] - logits[0])


def test_exposure_does_not_count_as_sharpness():
    image = texture(192, 144)
    logits = sharpness([image, 0.6 * image, blurred(image, 12)])
    assert abs(logits[1] - logits[0]) < 0.1 * (logits[0] - logits[2])


def test_band_energy_has_finite_gradients_on_a_flat_frame():
    luma = torch.full((1, 1, 192, 144), 0.5, requires_grad=True)
    BandEnergy(192, 144)(luma).sum().backward()
    assert torch.isfinite(luma.grad).all()


@pytest.mark.parametrize("name", models.names())
def test_every_network_has_a_checkpoint_and_a_card(name):
    network = models.load(name)
    assert not network.training
    card = models.card(name)
    assert {"data", "budget", "seeds", "scores", "command", "idea"} <= card.keys()
    assert len(models.checkpoint_hash(name)) == 64


def test_all_checkpoints_together_stay_under_32_megabytes():
    assert sum(path.stat().st_size for path in models.WEIGHTS.glob("*.safetensors")) < 32e6


@pytest.mark.parametrize(
    ("name", "lenders"),
    [
        ("spatial-frame", []),
        ("spatial-video", ["spatial-frame"]),
        ("global-filter", ["spatial-frame"]),
        ("freq-motion", ["spatial-frame", "spatial-video"]),
        ("freq-full", ["spatial-frame", "spatial-video"]),
    ],
)
def test_what_a_network_keeps_of_another_is_stored_once_and_the_same_in_both(name, lenders):
    assert models.lenders(name) == lenders
    network, held = models.load(name).state_dict(), load_file(models.checkpoint(name))
    if lenders:
        other = models.load(lenders[-1]).state_dict()
        kept = [key for key in network if key.startswith(getattr(models.NETWORKS[name], "kept", ()))]
        assert all(torch.equal(network[key], other[key]) for key in kept)
        backbone = {key for key in network if key.startswith(models.SHARED)}
        assert set(held) == set(network) - set(kept) - backbone
    else:
        assert set(held) == set(network)


def test_a_network_is_another_one_when_its_lender_is(tmp_path, monkeypatch):
    shutil.copytree(models.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    before = {name: models.checkpoint_hash(name) for name in ("freq-motion", "freq-video")}
    models.save("spatial-video", models.build("spatial-video"))
    assert models.checkpoint_hash("freq-motion") != before["freq-motion"]
    assert models.checkpoint_hash("freq-video") == before["freq-video"]


@pytest.mark.parametrize("name", VIDEO)
@pytest.mark.parametrize("seed", range(5))
def test_the_video_pair_has_five_seeds(name, seed):
    models.load(name, seed=seed)
    assert seed in models.card(name)["seeds"]


def test_a_missing_checkpoint_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="python -m freqviz train freq-video"):
        models.load("freq-video")


def test_correlation_peaks_where_the_other_map_was_moved_to():
    torch.manual_seed(0)
    key = torch.randn(1, 8, 12, 9)
    other = torch.roll(3 * key, (1, -2), (2, 3))  # down by one, left by two; a larger feature is no better
    found = correlation(key, other, 2)
    assert found.shape == (1, 25, 12, 9)
    inside = found[0, :, 3:-3, 3:-3]
    assert (inside.argmax(0) == 3 * 5 + 0).all()  # row dy = 1, column dx = -2
    assert torch.allclose(inside[15], torch.ones_like(inside[15]), atol=1e-5)
    v, u = 1, 4  # dy = -1, dx = 2, by its definition at one place
    a, b = key[0, :, 5, 4], other[0, :, 5 - 1, 4 + 2]
    assert found[0, v * 5 + u, 5, 4].item() == pytest.approx(float(a @ b / a.norm() / b.norm()), abs=1e-5)
    assert (correlation(key, key, 2)[0, 0, 0] == 0).all()  # nothing lies above the first row
