"""Are the motion networks what their files say: local spectra, the 4-D matrix, two streams, and the lesson?"""

import math

import numpy as np
import pytest
import torch
from torch import nn

import models
from freqviz.learn import distill, flow
from freqviz.learn.steps import begin_as
from models import freq_4d, freq_motion
from models.cost import multiply_adds
from models.freq_motion import LocalSpectrum, OpticalFlow
from models.motion import MotionSource, SpaceTime, TwoStreams
from models.probe import edit, probes, watch

FORMS = [
    ("freq-motion", ""), ("freq-motion", "pixels"), ("freq-motion", "flow"), ("freq-motion-distilled", ""),
    ("freq-4d", ""), ("freq-4d", "fourier"),
]  # fmt: skip


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def coarse(rng: torch.Generator, height: int = 192, width: int = 144) -> torch.Tensor:
    """Luma with structures of some 12 pixels, 60 pixels larger than asked on each side."""
    grid = torch.rand(1, 1, height // 12 + 10, width // 12 + 10, generator=rng)
    return nn.functional.interpolate(grid, scale_factor=12, mode="bicubic").clamp(0, 1)


def test_a_local_amplitude_is_the_written_out_transform_of_its_hann_window(rng):
    luma = torch.rand(1, 1, 192, 144, generator=rng)
    found = LocalSpectrum().encode(luma)["log_amplitude"]
    assert found.shape == (1, 45, 24, 18)
    image = (luma - luma.mean())[0, 0].double().numpy()
    row, column, v, u = 7, 5, -3, 2
    top, left = 8 * row - 4, 8 * column - 4  # the middle of the window is that of the cell
    total = 0.0
    for y in range(16):
        for x in range(16):
            hann = math.sin(math.pi * y / 15) ** 2 * math.sin(math.pi * x / 15) ** 2
            total += hann * image[top + y, left + x] * np.exp(-2j * math.pi * (u * x + v * y) / 16)
    where = (v + 4) * 5 + u
    assert freq_motion.bins()[where].tolist() == [u / 16, v / 16]
    assert found[0, where, row, column].item() == pytest.approx(math.log(abs(total) / 16 + 0.01), abs=1e-4)


def test_the_spectral_gradient_sees_blur_and_not_a_still_window(rng):
    sharp = torch.rand(1, 1, 192, 144, generator=rng)
    blurred = nn.functional.avg_pool2d(sharp, (1, 9), 1, (0, 4))  # horizontally
    source = LocalSpectrum()
    encoded = source.encode(torch.cat([sharp, blurred]))
    with watch(source, ["spectral_gradient"]) as seen:
        source({name: maps[None, [0, 0, 0, 1, 1]] for name, maps in encoded.items()})
    gradient = seen["gradient"][0]  # (4, 45, 24, 18)
    assert gradient[[0, 1, 3]].abs().max() == 0
    change = gradient[2, :, 3:-3, 3:-3].mean((-2, -1)).view(9, 5)
    assert change[4, 3] < -1  # v = 0, u = 3/16: along the blur
    assert change[8, 0].abs() < 0.5 * change[4, 3].abs()  # v = 4/16, u = 0: across it


def test_differences_of_frames_stand_in_the_cell_they_belong_to():
    luma = torch.zeros(1, 5, 1, 192, 144)
    luma[0, 3:, 0, 8 * 6 + 2 : 8 * 6 + 4, 8 * 9 + 4 : 8 * 9 + 6] = 0.5  # appears with the fourth frame
    told = MotionSource()({"luma": luma})
    assert told.shape == (1, 64, 24, 18)
    assert torch.nonzero(told[0]).tolist() == [[2 * 16 + 4 * 1 + 2, 6, 9]]
    assert told.max().item() == pytest.approx(4 * 0.5)


def test_the_motion_matrix_is_the_cosine_of_every_pair_of_places(rng):
    key, other = (torch.randn(2, 5, 4, 3, generator=rng) for _ in range(2))
    found = freq_4d.motion_matrix(key, other)
    assert found.shape == (2, 4, 3, 4, 3)
    for place in ((0, 0, 3, 2), (3, 1, 0, 2), (2, 2, 2, 2)):
        a, b = key[1, :, place[0], place[1]], other[1, :, place[2], place[3]]
        assert found[(1, *place)].item() == pytest.approx(float(a @ b / a.norm() / b.norm()), abs=1e-6)


@pytest.mark.parametrize("size", [(6, 5), (5, 8)])
def test_the_marginal_of_the_matrix_over_places_is_the_circular_correlation_by_fft(rng, size):
    height, width = size
    key, other = (nn.functional.normalize(torch.randn(1, 7, *size, generator=rng), dim=1) for _ in range(2))
    matrix = freq_4d.motion_matrix(key, other)[0]
    expected = torch.zeros(size)
    for dy in range(height):
        for dx in range(width):
            for y in range(height):
                for x in range(width):
                    expected[dy, dx] += matrix[y, x, (y + dy) % height, (x + dx) % width]
    assert torch.allclose(freq_4d.circular_correlation(key, other)[0], expected, atol=1e-4)


@pytest.mark.parametrize("source", [freq_4d.MotionMatrix(), freq_4d.FourierMatrix(24, 18)], ids=["full", "fourier"])
def test_both_forms_find_where_features_went(rng, source):
    wide = torch.randn(1, 64, 40, 34, generator=rng)
    frames = [wide[:, :, 8 + t : 32 + t, 8 - t : 26 - t] for t in range(-2, 3)]  # per frame one cell up and right
    window = {"f8": torch.stack(frames, 1), "luma": torch.zeros(1, 5, 1, 192, 144)}
    with torch.no_grad(), watch(source, ["matched_displacement"]) as seen:
        told = source(window)
    assert told.shape == (1, source.channels, 24, 18)
    found = seen["displacement"][0, :, :, 8:16, 6:12].mean((-2, -1)) * freq_4d.REACH  # (4, 3)
    for n, away in enumerate((-2, -1, 1, 2)):
        assert found[n, 0].item() == pytest.approx(away, abs=0.35)
        assert found[n, 1].item() == pytest.approx(-away, abs=0.35)


def test_the_expected_place_of_a_certain_match_is_that_place_and_of_none_the_mean():
    places = torch.tensor([[0.0, 1.0, 2.0], [5.0, 7.0, 9.0]])
    certain, open_ = torch.tensor([0.0, 90.0, 0.0]), torch.zeros(3)
    for logits, answer in ((certain, [1, 7, 1]), (open_, [1, 7, 0])):
        assert freq_4d.expected(logits.view(1, 3, 1, 1), places).flatten().tolist() == pytest.approx(answer, abs=1e-5)


def test_the_space_time_filter_of_ones_is_the_identity_and_a_changed_one_is_felt(rng):
    module = SpaceTime(5, 24, 18).eval()
    aligned = torch.randn(1, 5, 64, 24, 18, generator=rng)
    with torch.no_grad():
        before = module(aligned)
        frames = module.norm(module.reduce(aligned[0]).flatten(0, 1)[None])
        near = module.near(module.reduce(aligned[0]).flatten(0, 1)[None])
        assert torch.allclose(before, torch.relu(module.join(torch.cat([near, frames], 1))), atol=1e-4)
        with edit(module, {"space_time_filter": torch.zeros_like}):
            assert (module(aligned) - before).abs().max() > 1e-3


@pytest.fixture(scope="module")
def twin():
    return models.load("spatial-video")


@pytest.mark.parametrize(("name", "variant"), FORMS)
def test_every_form_starts_as_the_trained_twin_and_learns_only_in_its_streams_and_last_layers(twin, name, variant):
    network = models.build(name, variant)
    assert isinstance(network, TwoStreams)
    begin_as(network, twin, network.kept)
    flow.give_flow(network)
    frames = torch.rand(1, 5, 3, 192, 144, generator=torch.Generator().manual_seed(1))
    network.eval()
    with torch.no_grad():
        assert torch.allclose(network(frames), twin(frames), atol=1e-6)
    learned = {key.split(".")[0] for key, values in network.named_parameters() if values.requires_grad}
    streams = {"space_time", "gather", "look", "add", "head4", "head8", "head16"}
    streams |= set() if network.source is None else {"motion"}
    streams |= {"source"} if network.source is not None and list(network.source.parameters()) else set()
    assert learned == streams


def test_what_the_frozen_twin_makes_of_a_window_serves_every_form(twin):
    frames = torch.rand(1, 5, 3, 192, 144, generator=torch.Generator().manual_seed(1))
    one, two = models.build("freq-motion"), models.build("freq-4d")
    for network in (one, two):
        begin_as(network, twin, network.kept)
        nn.init.normal_(network.add.weight, std=0.1)
        network.eval()
    with torch.no_grad():
        window = {name: maps[None] for name, maps in two.encode(frames[0]).items()}
        whole = two.fused_logits(window)
        fused = one.appearance({name: maps[None] for name, maps in one.encode(frames[0]).items()})
        assert torch.allclose(two.fused_logits(window | fused), whole, atol=1e-5)
        fused["m4"] = fused["m4"] + 1
        assert not torch.allclose(two.fused_logits(window | fused), whole, atol=1e-2)


def test_the_student_has_no_stream_of_motion_and_costs_less_than_its_teacher():
    teacher, student = models.build("freq-motion"), models.build("freq-motion-distilled")
    held = [{probe.quantity for probe in probes(network).values()} for network in (teacher, student)]
    assert held[0] - held[1] == {"motion_feature", "spectral_gradient"}
    assert multiply_adds(student) < multiply_adds(teacher)


def test_flow_is_asked_for_from_outside_and_points_from_the_key_frame_to_the_neighbour(rng):
    with pytest.raises(RuntimeError, match="set `source.estimate` first"):
        OpticalFlow()({"luma": torch.zeros(1, 5, 1, 192, 144)})
    wide = coarse(rng)[0, 0]
    frames = [wide[40 - 2 * t : 232 - 2 * t, 40 - 3 * t : 184 - 3 * t] for t in range(-2, 3)]  # right by 3, down by 2
    found = flow.dis_flow(torch.stack(frames)[None])
    assert found.shape == (1, 4, 2, 192, 144)
    inside = found[0, :, :, 40:-40, 40:-40].flatten(2).median(-1).values
    expected = torch.tensor([[-6.0, -4.0], [-3.0, -2.0], [3.0, 2.0], [6.0, 4.0]])
    assert (inside - expected).abs().max() < 0.5


def test_variational_information_is_the_negative_log_likelihood_written_out(rng):
    bound = distill.VariationalInformation(3, 2)
    student, teacher = torch.randn(1, 3, 2, 2, generator=rng), torch.randn(1, 2, 2, 2, generator=rng)
    with torch.no_grad():
        bound.spread[1] = 0.3
        mean, total = bound.mean(student), 0.0
        variance = [5.0 + 1e-5, math.log1p(math.exp(0.3)) + 1e-5]
        for c in range(2):
            for y in range(2):
                for x in range(2):
                    wrong = (teacher[0, c, y, x] - mean[0, c, y, x]).item()
                    total += wrong**2 / (2 * variance[c]) + 0.5 * math.log(variance[c])
        assert bound(student, teacher).item() == pytest.approx(total / 8, rel=1e-4)
    teacher.requires_grad_()
    bound(student, teacher).backward()
    assert teacher.grad is None  # a teacher is not changed by its student


def test_soft_divergence_is_zero_for_the_teachers_own_maps_and_leaves_out_joints(rng):
    logits = torch.randn(1, 2, 6, 5, generator=rng)
    other = torch.randn(1, 2, 6, 5, generator=rng)
    counts = torch.tensor([[1.0, 0.0]])
    assert distill.soft_divergence(logits, logits, counts).item() == pytest.approx(0, abs=1e-6)
    p, q = (torch.softmax(maps[0, 0].flatten() / 2, 0) for maps in (other, logits))
    written = 4 * (p * (p / q).log()).sum().item()
    assert distill.soft_divergence(logits, other, counts).item() == pytest.approx(written, rel=1e-4)
