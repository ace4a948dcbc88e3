"""Does the trained aggregation trust the sharp frame of a window more than one with noise, light or an occluder?"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from freqviz import crops
from freqviz.clip import Clip
from freqviz.learn import data, draws
from models.probe import watch

SAMPLE = Path(__file__).parent.parent / "assets" / "sample.mp4"
WINDOWS = 12  # pictures of the sample clip that its own blur leaves sharp, evenly spread


@pytest.fixture(scope="module")
def sharp_people():
    """(picture, box, name) of sharp frames of the sample clip."""
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    numbers = np.flatnonzero(np.array(truth["blur_length"]) == 0)
    clip = Clip(SAMPLE)
    return [(clip[int(n)], np.array(truth["box"][n]), int(n)) for n in numbers[:: len(numbers) // WINDOWS][:WINDOWS]]


def window(picture, box, number, kind):
    """Five copies of a person degraded as R2 says, a trap on one blurred neighbour; slots of trap and sharp."""
    plain = draws.draw("sample", number, "R2")
    damages = draws.trapped(plain, kind, "sample", number) if kind else plain
    rng, pixel = np.random.default_rng(number), 1.25 * max(box[2:]) / 256
    cuts = []
    for damage in damages:
        frame = draws.occlude(picture, box, rng) if damage.occluded else picture
        cuts.append(crops.cut(data.damaged(frame, damage, pixel, rng), box))
    trap = next((n for n, (a, b) in enumerate(zip(plain, damages, strict=True)) if a != b), -1)
    sharp = next(n for n, damage in enumerate(damages) if n != 2 and damage.length == 0)
    return np.stack(cuts).transpose(0, 3, 1, 2), trap, sharp


@pytest.fixture(scope="module")
def weights(sharp_people):
    """By trap: (windows, 5) frame weights of freq-video, the mean over places, and slots of trap and sharp frame."""
    network, found = models.load("freq-video"), {}
    for kind in ("", *draws.TRAPS):
        made = [window(*one, kind) for one in sharp_people]
        frames = torch.from_numpy(np.stack([one[0] for one in made])).float() / 255
        with torch.inference_mode(), watch(network, ["frame_weights"]) as seen:
            network(frames)
        values = next(iter(seen.values())).mean((-2, -1)).numpy()
        found[kind] = values, np.array([one[1] for one in made]), np.array([one[2] for one in made])
    return found


def test_without_a_trap_the_sharp_frame_has_most_weight(weights):
    values, _, sharp = weights[""]
    assert (values.argmax(1) == sharp).mean() > 0.9


@pytest.mark.parametrize("kind", draws.TRAPS)
def test_a_trap_on_a_blurred_frame_does_not_outweigh_the_sharp_one(weights, kind):
    values, trap, sharp = weights[kind]
    n = np.arange(len(values))
    assert (values[n, trap] > values[n, sharp]).mean() == 0
