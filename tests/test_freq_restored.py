"""Does `freq-restored` do what `freq-video` would do of a window whose key frame was restored, and nothing else?"""

import pytest
import torch

import models
from freqviz.learn import losses, steps
from freqviz.trace import light_frames, light_rows, trace_window
from models.freq_restored import OF_RESTORER, FreqRestored
from models.probe import probes

FORMS = ("", "spatial")


def built(variant: str) -> FreqRestored:
    """Begun as its training begins."""
    network = models.build("freq-restored", variant)
    assert isinstance(network, FreqRestored)
    steps.begin_as(network, models.load(network.start))
    steps.begin_as(network.restorer, models.load("freq-deblur", variant=variant))
    return network.eval()


@pytest.fixture(scope="module")
def frames():
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(5, 3, 24, 18), (192, 144), mode="bicubic")
    return smooth.clamp(0, 1)[None]


@pytest.mark.parametrize("variant", FORMS)
def test_it_begins_as_the_video_network_that_is_given_the_restored_key_frame(variant, frames):
    network = built(variant)
    other, restorer = models.load(network.start), models.load("freq-deblur", variant=variant)
    with torch.inference_mode():
        given = frames.clone()
        given[:, 2] = restorer.picture(frames)
        assert (given - frames).abs().max() > 0.01
        assert torch.allclose(network(frames), other(given), atol=1e-6)
        assert not torch.allclose(network(frames), other(frames), atol=1e-4)


def test_the_restored_key_frame_stands_in_every_map_and_neighbours_stay(frames):
    network = built("")
    with torch.inference_mode():
        window = network.encoded(frames)
        seen = network.with_restored(window)
    assert set(seen) == {"f4", "f8", "f16", "early", "band_energy", "window_spectra"}
    for name, maps in seen.items():
        others = [0, 1, 3, 4]
        assert torch.equal(maps[:, others], window[name][:, others])
        assert not torch.allclose(maps[:, 2], window[name][:, 2])


@pytest.mark.parametrize("variant", FORMS)
def test_an_exchanged_frame_is_exchanged_for_the_restorer_too(variant, frames):
    network = built(variant)
    with torch.inference_mode():
        whole, rows = network.exchanged(network.encoded(frames))
        assert torch.allclose(whole, network(frames), atol=1e-6)
        for slot, found in zip((0, 1, 3, 4), rows, strict=True):
            given = frames.clone()
            given[:, slot] = frames[:, 2]
            assert torch.allclose(found, network(given)[0], atol=1e-6)


def test_only_what_begins_as_freq_video_learns_and_the_restorer_is_stored_with_it():
    network = models.build("freq-restored")
    learns = {name.split(".")[0] for name, values in network.named_parameters() if values.requires_grad}
    assert not learns & {"frame", "restorer"}
    assert {"align8", "guide", "head4"} <= learns
    stored = models.load("freq-restored").restorer.state_dict()
    given = models.load("freq-deblur").state_dict()
    assert all(torch.equal(values, given[name]) for name, values in stored.items())


def test_a_trace_shows_the_frames_energies_and_the_weights_of_the_network_itself(frames):
    network = built("")
    names = [probe.quantity for path, probe in probes(network).items() if path.startswith("restorer")]
    assert {"restorer_frame_weights", "restored_picture", "spectral_weights"} <= set(names)
    assert not {"frame_weights", "alignment_offset", "feature"} & set(names)
    trace = trace_window(network, frames[0])
    assert trace.get("frame_weights").stage == "frame_weights"
    assert trace.get("band_energy").values.shape[0] == 5
    assert trace.stages("band_energy") == ("guide.energy.energy",)
    maps, rows = light_frames(network, network.encode, frames[0], [0, 0, 100, 150])
    more = light_rows(network, {name: values[None] for name, values in maps.items()}, [0, 0, 100, 150])
    assert rows["band_energy"].shape == (5, 4)
    assert "band_energy" not in more
    assert more["frame_weights"].sum() == pytest.approx(1)


def test_what_restores_is_not_told_how_blurred_its_key_frame_was():
    scores, lengths = torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[0.0, 20.0, 10.0]])
    known = lengths.clone()
    known[:, 1] = float("nan")
    pair = losses.rank_loss(scores[:, [0, 2]], lengths[:, [0, 2]])
    assert losses.rank_loss(scores, known) == pytest.approx(pair.item())
    assert losses.rank_loss(scores, lengths) != pytest.approx(pair.item())


def test_maps_of_the_restorer_do_not_hide_those_of_the_network(frames):
    network = built("")
    with torch.inference_mode():
        maps = network.encode(frames[0])
    assert {name for name in maps if name.startswith(OF_RESTORER)} == {
        f"{OF_RESTORER}{n}" for n in ("picture", "f4", "f8")
    }
