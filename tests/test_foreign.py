"""Is a network of one's own read right, its joints, pixels and heatmaps, shown, run, told apart, or refused?"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import walking_frames
from torch import nn
from typer.testing import CliRunner

import models
from freqviz import cards, crops, heatmaps, poses, run, windows
from freqviz.__main__ import app
from freqviz.analysis import load_analysis
from freqviz.clip import Clip
from freqviz.learn import evaluate, predictions, report
from freqviz.session import open_session, save_session
from freqviz.store import Store
from freqviz.video import write_video
from models import adapter
from models.adapter import Adapter
from models.network import JOINTS, density
from models.probe import edit, watch
from models.video import luma_of

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "assets" / "energy_pooling.py"
BOX = (20, 40, 24, 48)
LAB = '''"""`lab-net`: three frames through one convolution; a network of the tests. Idea: nobody's."""

import torch
from torch import nn

from models.adapter import COCO, Adapter


class Inside(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Conv2d(3, 6, 8, 8)
        self.head = nn.ConvTranspose2d(6, len(COCO), 2, 2)

    def forward(self, frames):
        return self.head(self.stem(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).mean(1))


class LabNet(Adapter):
    frames, input_size, joints, output = 3, (256, 192), COCO, "logits"

    def __init__(self):
        super().__init__(Inside())
        self.show("stem", "feature", "channel y x", 8)


NETWORKS = {"lab-net": LabNet}
'''

LAB_MODULE = """
import torch
from torch import nn


class VideoNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential()
        self.backbone.layer1 = nn.Conv2d(3, 17, 4, 4)
        self.fuse = nn.Module()
        self.fuse.softmax = nn.Softmax(1)

    def forward(self, frames):
        maps = self.backbone.layer1(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        weights = self.fuse.softmax(0 * nn.functional.avg_pool2d(maps.mean(2), 2))
        return (maps * nn.functional.interpolate(weights, scale_factor=2)[:, :, None]).sum(1)
"""


@pytest.fixture(autouse=True)
def nothing_brought(monkeypatch):
    monkeypatch.setattr(models, "NETWORKS", dict(models.NETWORKS))
    monkeypatch.setattr(models, "_brought", {})
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def lab(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(LAB)
    return file


class Gives(nn.Module):
    """Gives the same maps whatever comes, and keeps what came."""

    def __init__(self, maps):
        super().__init__()
        self.inner = nn.Identity()
        self.maps = nn.Parameter(torch.as_tensor(maps, dtype=torch.float32))

    def forward(self, frames):
        self.came = frames
        return self.inner(self.maps).expand(len(frames), -1, -1, -1)


def wrapped(maps, **attributes):
    """An adapter of its own class around `Gives`."""
    return type("Wrapped", (Adapter,), attributes)(Gives(maps)).eval()


def peaks(points, sigma=2.0, shape=(48, 36)):
    """Gaussians (J, h, w) around points (J, 2) given in cells."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points])


def seen(network, batch=1):
    size = network.input_size
    with torch.inference_mode():
        return network(torch.rand(batch, network.frames, 3, *size, generator=torch.Generator().manual_seed(1)))


# ---- an adapter


@pytest.mark.parametrize("cells", adapter.CELLS)
@pytest.mark.parametrize("output", adapter.OUTPUTS)
def test_a_joint_is_found_at_the_pixel_that_a_cell_stands_for(cells, output):
    pixels = np.random.default_rng(0).uniform((20, 20), (120, 170), (14, 2))
    last = np.array([143, 191]) / np.array([35, 47])  # pixels per cell where first and last lie in the corners
    places = {"centres": (pixels - 1.5) / 4, "corners": pixels / 4, "ends": pixels / last}[cells]
    maps = peaks(places)
    maps = maps if output == "heatmaps" else np.log(maps + 1e-9)
    found, scores = poses.decode(seen(wrapped(maps, cells=cells, output=output)).numpy())
    np.testing.assert_allclose(found[0], pixels, atol=0.1)
    assert scores.min() > 0.5


def test_joints_of_other_data_sets_are_found_by_name_and_the_neck_between_the_shoulders():
    names = [name.upper().replace(" ", "_") for name in adapter.COCO]
    points = np.random.default_rng(1).integers((4, 4), (31, 43), (17, 2)).astype(float)
    found = poses.decode(seen(wrapped(peaks(points, 1.0), joints=names)).numpy())[0][0] / 4 - 3 / 8
    want = dict(zip(adapter.COCO, points, strict=True))
    want |= {"head": want["nose"], "neck": (want["left shoulder"] + want["right shoulder"]) / 2}
    np.testing.assert_allclose(found, [want[name] for name in JOINTS], atol=0.05)


@pytest.mark.parametrize(
    ("names", "head", "neck"),
    [
        (adapter.POSETRACK, "nose", "head bottom"),
        (adapter.MPII, "head top", "upper neck"),
        (adapter.JHMDB, "face", "neck"),
        (JOINTS, "head", "neck"),
    ],
)
def test_the_nearest_joint_stands_for_head_and_neck(names, head, neck):
    places = dict(zip(JOINTS, adapter._places(names), strict=True))
    assert [names[place[0]] for place in places.values()] == [*JOINTS[:12], neck, head]
    assert all(len(place) == 1 for place in places.values())


def test_the_midpoint_has_the_density_of_half_the_sum():
    a, b = torch.rand(2, 2, 5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    a, b = (one / one.sum((-2, -1), keepdim=True) for one in (a, b))
    want = torch.zeros(2, 5, 4, dtype=torch.float64)
    for i in np.ndindex(5, 4):
        for j in np.ndindex(5, 4):
            for down in {(i[0] + j[0]) // 2, -(-(i[0] + j[0]) // 2)}:  # an odd sum lies between two rows
                for right in {(i[1] + j[1]) // 2, -(-(i[1] + j[1]) // 2)}:
                    shared = (1 + (i[0] + j[0]) % 2) * (1 + (i[1] + j[1]) % 2)
                    want[:, down, right] += a[:, *i] * b[:, *j] / shared
    torch.testing.assert_close(adapter.midpoint(a, b), want)


def test_frames_come_normalised_in_the_order_of_colours_and_a_single_one_without_its_axis():
    maps = peaks([(9, 9)] * 14)
    frames = torch.rand(2, 3, 3, 192, 144)
    colours = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 4.0)}
    want = (frames - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([1.0, 2, 4]).view(3, 1, 1)
    for bgr in (False, True):
        network = wrapped(maps, frames=3, bgr=bgr, **colours)
        network(frames)
        torch.testing.assert_close(network.network.came, want.flip(2) if bgr else want)
    network = wrapped(maps, frames=1, **colours)
    network(frames[:, :1])
    torch.testing.assert_close(network.network.came, want[:, 0])


def test_heatmaps_below_zero_count_nothing_and_an_empty_one_is_everywhere_alike():
    maps = np.stack([peaks([(9, 9)])[0] - 0.3, np.full((48, 36), -1.0), *peaks([(9, 9)] * 12)])
    found = seen(wrapped(maps))[0]
    torch.testing.assert_close(found[0], torch.as_tensor(maps[0].clip(0) / maps[0].clip(0).sum()).float())
    torch.testing.assert_close(found[1], torch.full((48, 36), 1 / (48 * 36)))


@pytest.mark.parametrize("output", adapter.OUTPUTS)
@pytest.mark.parametrize("sigma", [2.0, 3.0])
def test_a_sure_joint_is_as_narrow_as_one_of_the_project_and_scores_as_high(sigma, output):
    assert adapter.SIGMA == heatmaps.SIGMA
    maps, place = peaks([(17, 23)] * 14, sigma), (17 * 4 + 1.5, 23 * 4 + 1.5)
    maps = 0.7 * maps if output == "heatmaps" else np.log(maps + 1e-30)
    found = seen(wrapped(maps, output=output, sigma=sigma))[0, 0].numpy()
    np.testing.assert_allclose(found, heatmaps.target(place, (48, 36), 4), atol=1e-6)
    assert poses.decode(found[None])[1] > 0.9
    assert poses.decode(seen(wrapped(maps, output=output)).numpy())[1].max() < 0.65


def test_what_a_module_gives_is_seen_and_changed_like_a_quantity_of_the_project():
    maps = peaks([(9, 9)] * 14)
    network = wrapped(maps)
    network.show("inner", "feature", "joint y x", 4)
    network.show("inner", "frame_weights", "joint", read=lambda given: given.mean((-2, -1)))
    with watch(network, ["feature", "frame_weights"]) as held:
        plain = seen(network)
    torch.testing.assert_close(held["shown.inner_feature"], network.network.maps)
    torch.testing.assert_close(held["shown.inner_frame_weights"], network.network.maps.mean((-2, -1)))
    with edit(network, {"feature": lambda given: given.flip(-1)}):
        torch.testing.assert_close(seen(network), plain.flip(-1))
    with edit(network, {"frame_weights": torch.zeros_like}):  # read, not in the way
        torch.testing.assert_close(seen(network), plain)
    with pytest.raises(LookupError, match="no module 'outer' in Gives"):
        network.show("outer", "feature", "channel y x")


@pytest.mark.parametrize(
    ("maps", "attributes", "message"),
    [
        (peaks([(9, 9)] * 13), {"joints": JOINTS[:13]}, "none of the joints stands for 'head'"),
        (peaks([(9, 9)] * 14), {"cells": "middles"}, "expected one of centres, corners, ends, got 'middles'"),
        (peaks([(9, 9)] * 14), {"sigma": 0.0}, "sigma must be > 0 cells, got 0.0"),
        (peaks([(9, 9)] * 14), {"output": "points"}, "expected one of heatmaps, logits, got 'points'"),
        (peaks([(9, 9)] * 13), {}, r"expected heatmaps \(1, 14, 48, 36\), .*, got \(1, 13, 48, 36\)"),
        (peaks([(9, 9)] * 14), {"stride": 8}, r"expected heatmaps \(1, 14, 24, 18\), .*, got \(1, 14, 48, 36\)"),
    ],
)
def test_an_adapter_says_what_it_expected(maps, attributes, message):
    with pytest.raises(ValueError, match=message):
        seen(wrapped(maps, **attributes))


# ---- a file


def test_a_file_is_registered_and_its_networks_are_built_loaded_and_described_by_name(lab):
    assert models.register(lab) == ["lab-net"]
    assert models.names()[-1] == "lab-net"
    assert models.is_trained("lab-net")
    a, b = (models.load("lab-net") for _ in range(2))
    assert a is not b
    assert not a.training
    torch.testing.assert_close(seen(a), seen(b))
    assert cards.about("lab-net") == ("Three frames through one convolution", "nobody's")
    row = cards.table().set_index("network").loc["lab-net"]
    assert row["trained"]
    assert row["frames"] == 3
    assert row["parameters"] == 6 * 3 * 64 + 6 + 6 * 17 * 4 + 17
    assert "file lab-net.json beside" in cards.words("lab-net")["Training"]
    models.write_card("lab-net", data="nothing at all")
    assert lab.with_name("lab-net.json").is_file()
    assert cards.words("lab-net")["Trained on"] == "nothing at all."


def test_other_parameters_or_another_file_are_another_network(lab):
    models.register(lab)
    before = models.checkpoint_hash("lab-net")
    assert models.register(lab) == ["lab-net"]
    assert models.checkpoint_hash("lab-net") == before
    weights = lab.with_name("weights.pt")
    torch.save(torch.tensor(7), weights)
    lab.write_text(LAB.replace("torch.manual_seed(7)", f"torch.manual_seed(int(torch.load({str(weights)!r})))"))
    models.register(lab)
    same_parameters = models.checkpoint_hash("lab-net")
    torch.save(torch.tensor(8), weights)
    models.register(lab)
    assert len({before, same_parameters, models.checkpoint_hash("lab-net")}) == 3


def test_a_name_that_is_taken_stays_what_it_was(lab, tmp_path):
    models.register(lab)
    other = tmp_path / "other.py"
    for name in ("lab-net", "freq-video"):
        kind = models.NETWORKS[name]
        other.write_text(LAB.replace('"lab-net": LabNet', f'"new": LabNet, "{name}": LabNet'))
        with pytest.raises(ValueError, match=f"other.py: there is a network named '{name}' already"):
            models.register(other)
        assert models.NETWORKS[name] is kind
        assert "new" not in models.NETWORKS


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = ", "bad.py cannot be run: SyntaxError"),
        ("import not_there", "bad.py cannot be run: ModuleNotFoundError: No module named 'not_there'"),
        ("x = 1", "must have NETWORKS, a dictionary of names to classes, got None"),
        ("NETWORKS = {}", "must have NETWORKS, a dictionary of names to classes, got {}"),
        ("NETWORKS = {'a/b': int}", "a name is 1 to 40 of a-z"),
        ("NETWORKS = {'a b': int}", "a name is 1 to 40 of a-z"),
        ("NETWORKS = {'a': int}", "a must be a class of PoseNetwork, got <class 'int'>"),
        ("NETWORKS = {'a': PoseNetwork}", "a cannot be used: ValueError: expected parameters, got none"),
        (
            "class A(PoseNetwork):\n    def __init__(self): raise OSError('no file w.pth')\nNETWORKS = {'a': A}",
            "a cannot be used: OSError: no file w.pth",
        ),
        (
            "class A(SpatialFrame): frames = 4\nNETWORKS = {'a': A}",
            "expected an odd number of frames, 15 at most, got 4",
        ),
        (
            "class A(SpatialFrame): skeleton = Skeleton(('nose',), (), (0,))\nNETWORKS = {'a': A}",
            "expected the 14 joints of the project",
        ),
        (
            "class A(SpatialFrame): stride = 8\nNETWORKS = {'a': A}",
            r"expected heatmaps \(1, 14, 24.0, 18.0\) at stride 8",
        ),
        (
            "class A(SpatialFrame):\n    def estimate(self, window): return super().estimate(window) * 2\n"
            "NETWORKS = {'a': A}",
            "expected densities",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence_and_nothing_is_kept(source, message, tmp_path):
    file, before = tmp_path / "bad.py", dict(models.NETWORKS)
    file.write_text(
        f"from models.network import PoseNetwork, Skeleton\nfrom models.spatial_frame import SpatialFrame\n{source}\n"
    )
    with pytest.raises(ValueError, match=message) as refused:
        models.register(file)
    assert "\n" not in str(refused.value)
    assert (models.NETWORKS, models.brought()) == (before, {})


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.py, which should bring networks"):
        models.register(tmp_path / "none.py")


def commanded(networks, *words):
    environment = os.environ | {"FREQVIZ_NETWORKS": str(networks), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "freqviz", *words]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_commands_know_the_networks_of_the_environment(lab, tmp_path):
    told = commanded(os.pathsep.join([str(lab), str(EXAMPLE)]), "models")
    assert told.returncode == 0, told.stderr
    assert "lab-net" in told.stdout
    assert "energy-pooling" in told.stdout
    told = commanded(tmp_path / "none.py", "models")
    assert told.returncode == 2
    assert told.stderr.startswith("Error: FREQVIZ_NETWORKS: no file")
    assert "Traceback" not in told.stderr


# ---- runs and scores


def test_a_network_of_three_frames_and_larger_input_runs_beside_another_window_by_window(lab):
    models.register(lab)
    clip = Clip.from_frames(walking_frames(9), fps=25)
    found = run.analyse(clip, models=["lab-net", "spatial-frame"], box=BOX)
    trace = found.traces["lab-net"]
    assert trace.joints == JOINTS
    assert trace.slots.tolist() == [-1, 0, 1]
    assert np.isnan(trace.frame_weights).all()
    assert np.isfinite(trace.feature_energy).all()
    network = models.load("lab-net")
    for key in (0, 4, 8):
        shown = windows.shown(key, 3, 9)
        assert shown == {0: [0, 0, 1], 4: [3, 4, 5], 8: [7, 8, 8]}[key]
        cuts = np.stack([crops.cut(clip[i], trace.boxes[key], (256, 192)) for i in shown])
        with torch.inference_mode():
            alone = poses.decode(network(windows.to_tensor(cuts)[None]).numpy())[0][0]
        np.testing.assert_allclose(trace.keypoints[key], crops.to_frame(alone, trace.boxes[key], (256, 192)), atol=1e-3)
    told = found.provenance["own networks"]["lab-net"]
    assert told == {"file": "lab.py", "sha256": models.checkpoint_hash("lab-net"), "input_size": [256, 192]}


def test_a_result_of_another_version_is_not_taken_for_this_one(lab, tmp_path):
    models.register(lab)
    file = tmp_path / "walk.mp4"
    write_video(file, walking_frames(6), 25)
    store = Store(tmp_path / "store")
    planned = run.Run(file, ["lab-net"], box=BOX)
    planned.into(store)
    assert load_analysis(store.find(planned.key)).traces["lab-net"].joints == JOINTS
    lab.write_text(LAB.replace("manual_seed(7)", "manual_seed(8)"))
    models.register(lab)
    assert store.find(run.Run(file, ["lab-net"], box=BOX).key) is None


def test_a_result_travels_in_a_session_to_where_nothing_knows_the_network(lab, tmp_path, monkeypatch):
    models.register(lab)
    clip = write_video(tmp_path / "walk.mp4", walking_frames(6), 25)
    found = run.analyse(clip, ["lab-net"], BOX, device="cpu", deep=[2])
    file = save_session(tmp_path / "walk.freqviz.zip", found, Clip(clip))
    for kept in (models.NETWORKS, models._brought):
        kept.pop("lab-net")
    opened = open_session(file, tmp_path / "opened").analysis
    np.testing.assert_array_equal(opened.traces["lab-net"].keypoints, found.traces["lab-net"].keypoints)
    assert opened.deep["lab-net", 2].get("heatmap").values.shape == (14, 64, 48)
    assert opened.provenance["own networks"]["lab-net"]["input_size"] == [256, 192]


def test_the_example_is_the_untrained_pooling_that_the_networks_are_compared_with():
    models.register(EXAMPLE)
    network, frame = models.load("energy-pooling"), models.load("spatial-frame")
    grains = torch.rand(10, 3, 192, 144, generator=torch.Generator().manual_seed(3))
    frames = nn.functional.avg_pool2d(grains, 5, 1, 2).unflatten(0, (2, 5)).clone()
    frames[:, 1] = nn.functional.avg_pool2d(frames[:, 1], 15, 1, 7)  # one that counts little
    box = torch.tensor([[0, 0, 9, 9.0]] * 2)
    batch = {"lengths": torch.zeros(2, 5), "joints": torch.zeros(2, 5, 14, 2), "box": box}
    with torch.inference_mode(), watch(network, ["frame_weights"]) as held:
        single = frame(frames.flatten(0, 1)[:, None]).unflatten(0, (2, 5))
        energy = network.bands(luma_of(frames.flatten(0, 1)))[:, 2:].mean((1, 2, 3)).unflatten(0, (2, 5))
        torch.testing.assert_close(network(frames), predictions.pooled(single, energy, batch)["energy softmax"])
    weights = held["frame_weights"].mean((-2, -1))
    assert (weights[:, 1] < 0.1).all()


def test_an_evaluation_shows_larger_inputs_the_same_pixels_and_refuses_what_it_cannot_ask(lab):
    models.register(lab)
    assert [method.row for method in evaluate.methods()].count("lab-net") == 0
    assert [method.row for method in evaluate.methods(["lab-net"])][-1] == "lab-net"
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(144.0), indexing="ij")
    frames = torch.stack([x / 144, y / 192, x * 0 + 0.5]).expand(1, 3, -1, -1, -1)
    larger = predictions.resized(frames, (256, 192))
    ramp = ((torch.arange(192) + 0.5) * 0.75 - 0.5) / 144  # edges of the crop stay where they are
    torch.testing.assert_close(larger[0, 0, 0, 100, 4:-4], ramp[4:-4], atol=2e-3, rtol=0)
    with pytest.raises(ValueError, match="crops of 192 x 144 are evaluated"):
        predictions.resized(frames, (256, 256))
    network = models.load("lab-net")
    network.frames = 7
    with pytest.raises(ValueError, match="five frames at most are evaluated, lab-net sees more"):
        predictions.predict_others({"lab-net": network}, None)


def test_an_evaluation_of_ones_own_network_is_said_and_kept_in_its_card_and_no_table_changes(
    lab, tmp_path, monkeypatch
):
    models.register(lab)
    keys, truth = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.random.default_rng(5).uniform(0, 90, (4, 14, 2))
    truth[:, 0], truth[:, 13] = (0, 0), (40, 100)  # so that the norm is 100 pixels
    off = truth.copy()
    off[:2, 3, 0] += 30  # two joints of 56, of one film
    rows = {f"pose/{row}": truth for row in (*evaluate.BESIDE, *predictions.RIVALS)}
    found = {"truth": truth, "counts": np.ones((4, 14), bool), "key": keys, "box": np.zeros((4, 4)), **rows}
    found["neighbours"] = np.stack([truth, truth], 1)
    found["neighbours"][:2, 1, 3] += 9  # those two are the fast ones
    asked, folder = [], tmp_path / "predictions"
    folder.mkdir()
    (folder / "clips.json").write_text('{"source": [0, 1]}')
    for regime in evaluate.BROUGHT:
        np.savez(folder / f"{regime}.npz", **found, **{"pose/lab-net": truth if regime == "R3" else off})
    monkeypatch.setattr(
        evaluate, "run_methods", lambda root, *words, regimes: asked.append((*words, regimes)) or folder
    )
    monkeypatch.setattr(evaluate, "run", lambda *words, **more: asked.append("all") or folder)
    monkeypatch.setattr(report, "write_methods", lambda *words: asked.append("tables"))
    (tmp_path / "jhmdb").mkdir()
    for part in ("validation", "test"):
        told = CliRunner().invoke(app, ["evaluate", "lab-net", "--part", part, "--data", str(tmp_path)])
        assert told.exit_code == 0, told.output
        (line,) = (line for line in told.output.splitlines() if line.startswith("| `lab-net` |"))
        shares = ["96.4 / 96.4 / 96.4"] * 6
        shares[3] = "100.0 / 100.0 / 100.0"
        assert line.removesuffix(" |").split(" | ")[1:] == shares
        (line,) = (line for line in told.output.splitlines() if line.startswith("| `spatial-video` | -"))
        assert [cell.split(" [")[0] for cell in line.split(" | ")[1:]] == ["-3.6"] * 3 + [
            "+0.0",
            "-3.6",
            "-3.6",
            "-100.0",
        ]
        assert lab.with_name("lab-net.json").is_file() == (part == "test")
    names = ["lab-net", *evaluate.BESIDE]
    assert asked == [(names, "validation", evaluate.BROUGHT), (names, "test", evaluate.BROUGHT)]
    scores = cards.scores("lab-net")
    assert scores.loc["R2", "PCK@0.1"] == pytest.approx(54 / 56, abs=1e-4)
    assert list(scores["frames"]) == [4] * 6


def test_weights_of_ones_own_fit_a_network_of_ones_own(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "_own", {})
    models.register(lab)
    state = {name: values * 1.5 for name, values in models.load("lab-net").state_dict().items()}
    torch.save(state, tmp_path / "better.pth")
    name = models.add("lab-net", tmp_path / "better.pth")
    assert name == "lab-net (better.safetensors)"
    assert not torch.allclose(seen(models.load(name)), seen(models.load("lab-net")))


def test_a_clip_is_analysed_by_command_with_a_network_of_ones_own(lab, tmp_path):
    models.register(lab)
    file = tmp_path / "walk.mp4"
    write_video(file, walking_frames(6), 25)
    words = ["predict", str(file), "--model", "lab-net", "--box", "20,40,24,48", "--out", str(tmp_path / "poses.csv")]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert len((tmp_path / "poses.csv").read_text().splitlines()) == 1 + 6 * 14


def test_the_file_of_the_readme_brings_its_network(tmp_path, monkeypatch):
    (text,) = (
        part for part in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "lab" in part
    )
    (tmp_path / "net.py").write_text(text)
    (tmp_path / "lab.py").write_text(LAB_MODULE)
    monkeypatch.delitem(sys.modules, "lab", raising=False)
    namespace = {}
    exec(LAB_MODULE, namespace)
    torch.save(namespace["VideoNet"]().state_dict(), tmp_path / "lab.pth")
    assert models.register(tmp_path / "net.py") == ["lab-net"]
    clip = Clip.from_frames(walking_frames(5), fps=25)
    trace = run.analyse(clip, models=["lab-net"], box=BOX).traces["lab-net"]
    assert trace.slots.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(trace.frame_weights, 1 / 3, atol=1e-6)
    assert np.isfinite(trace.feature_energy).all()
    assert cards.about("lab-net")[0].startswith("The words at the head of the file")


def test_density_of_logits_is_what_the_projects_networks_give():
    maps = np.random.default_rng(4).normal(size=(14, 48, 36))
    torch.testing.assert_close(seen(wrapped(maps, output="logits"))[0], density(torch.as_tensor(maps)).float())
