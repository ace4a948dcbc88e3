"""Are parameters of one's own checked in full before they are used, told apart, and used where a network is named?"""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import models
from freqviz import run
from freqviz.__main__ import app
from freqviz.analysis import load_analysis
from freqviz.clip import Clip
from freqviz.session import open_session, save_session
from freqviz.video import write_video
from models import own

BOX = (20, 40, 24, 48)
NETWORK = "spatial-video"


@pytest.fixture(scope="module")
def trained():
    return models.load(NETWORK).state_dict()


@pytest.fixture
def head(trained):
    """Parameters without those of the backbone, other ones than the project's."""
    state = {name: values.clone() for name, values in trained.items() if not name.startswith(models.SHARED)}
    state["head4.weight"] += torch.linspace(-2, 2, state["head4.weight"].numel()).view(state["head4.weight"].shape)
    return state


@pytest.fixture(autouse=True)
def nothing_added(monkeypatch):
    monkeypatch.setattr(models, "_own", {})


def raw(header, numbers=b"\0" * 8, length=None):
    """The bytes of a file whose header is text, or an object."""
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no safetensors file: its header should have 0 bytes"),
        (raw({"a": ONE})[:20], "header should have"),
        (raw({"a": ONE}, length=2**63), "header should have 9223372036854775808 bytes"),
        (raw({"a": ONE}, length=10**8) + b" " * 10, "header should have 100000000 bytes"),
        (raw("{" * 100_000), "its header is no JSON"),
        (raw("[" * 100_000), "its header is no JSON"),
        (raw(b"\xff\xfe".decode("latin1")), "its header is no JSON"),
        (raw([1]), "must be an object, got list"),
        (raw({"a": 7}), "gives 'a' no type, shape and place"),
        (raw({"a": ONE | {"shape": [3]}}), "gives 'a' no type, shape and place"),
        (raw({"a": ONE | {"shape": [-2]}}), "gives 'a' no type, shape and place"),
        (raw({"a": ONE | {"shape": [True, 2]}}), "gives 'a' no type, shape and place"),
        (raw({"a": ONE | {"data_offsets": [8, 0]}}), "gives 'a' no type, shape and place"),
        (raw({"a": ONE | {"data_offsets": [4, 12]}}, b"\0" * 12), "do not lie one after the other"),
        (raw({"a": ONE, "b": ONE}), "do not lie one after the other"),
        (raw({"a": ONE}, b"\0" * 7), "8 bytes of numbers expected, got 7"),
        (raw({"a": ONE}, b"\0" * 9), "8 bytes of numbers expected, got 9"),
        (b"\x80\x04\x95" + b"cposix\nsystem\n" * 9, "is no safetensors file"),  # a pickle
    ],
)
def test_what_is_no_safetensors_file_is_refused_with_what_was_expected(data, message, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=message) as refused:
        models.add(NETWORK, tmp_path / "bad.safetensors")
    assert len(str(refused.value)) < 300
    assert models.added() == {}


def test_a_file_above_the_limit_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "big.safetensors").write_bytes(raw({"a": ONE}))
    monkeypatch.setattr(own, "LARGEST", 20)
    monkeypatch.setattr("builtins.open", None)
    with pytest.raises(ValueError, match=r"has 0 MB; parameters of a network have 0 at most"):
        own.read(tmp_path / "big.safetensors", {"a": torch.zeros(2)})


def test_types_are_read_as_the_network_has_them_and_others_are_refused(tmp_path):
    state = {"a": torch.tensor([1.5, -2.0], dtype=torch.float64), "n": torch.tensor(3, dtype=torch.int32)}
    save_file(state, tmp_path / "f.safetensors")
    expected = {"a": torch.zeros(2), "n": torch.tensor(0)}
    found = own.read(tmp_path / "f.safetensors", expected)
    assert (found["a"].dtype, found["a"].tolist()) == (torch.float32, [1.5, -2])
    assert (found["n"].dtype, found["n"].item()) == (torch.int64, 3)
    state = {"a": torch.tensor([1, 2]), "n": torch.tensor(True)}
    save_file(state, tmp_path / "g.safetensors")
    with pytest.raises(
        ValueError, match=r"2 of another type: a \(expected a float, got I64\), n \(expected an integer, got BOOL\)"
    ):
        own.read(tmp_path / "g.safetensors", expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused(value, tmp_path):
    save_file({"a": torch.tensor([1, value], dtype=torch.float64)}, tmp_path / "f.safetensors")
    with pytest.raises(ValueError, match="must hold finite float32 numbers, got others in a"):
        own.read(tmp_path / "f.safetensors", {"a": torch.zeros(2)})


def test_the_report_names_what_is_missing_too_many_and_of_another_shape(head, tmp_path):
    head["attention.excite.weight"] = head["attention.excite.weight"].T.contiguous()
    head |= {f"extra.{i:02}": torch.zeros(1) for i in range(13)}
    del head["logits.slot"]
    save_file(head, tmp_path / "f.safetensors")
    with pytest.raises(ValueError, match="does not fit") as refused:
        models.add(NETWORK, tmp_path / "f.safetensors")
    told = str(refused.value)
    assert "1 missing: logits.slot; " in told
    assert "13 too many: extra.00, extra.01" in told
    assert "extra.09 and 3 more; " in told
    assert "1 of another shape: attention.excite.weight (expected (64, 16), got (16, 64))" in told
    assert told.endswith("Expected the parameters of spatial-video")


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"6 missing: guide.* the file has those of freq-video$"):
        models.add(NETWORK, models.checkpoint("freq-video"))
    with pytest.raises(ValueError, match="the file has those of spatial-frame"):
        models.add(NETWORK, models.checkpoint("spatial-frame"))
    with pytest.raises(LookupError, match="no network named 'freq-vidoe'; known networks: spatial-frame"):
        models.add("freq-vidoe", models.checkpoint("freq-video"))
    with pytest.raises(FileNotFoundError, match="no file"):
        models.add(NETWORK, tmp_path / "none.safetensors")


def test_a_part_of_the_backbone_is_no_backbone(head, trained, tmp_path):
    save_file(head | {"frame.head4.bias": trained["frame.head4.bias"]}, tmp_path / "f.safetensors")
    with pytest.raises(ValueError, match=r"\d+ missing: frame\.backbone"):
        models.add(NETWORK, tmp_path / "f.safetensors")


@pytest.mark.parametrize("name", models.names())
def test_the_projects_checkpoint_given_as_ones_own_is_the_same_network(name, tmp_path):
    label = models.add(name, models.checkpoint(name))
    mine, theirs = models.load(label).state_dict(), models.load(name).state_dict()
    assert label == f"{name} ({name}.safetensors)"
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert mine.keys() == theirs.keys()


def test_a_head_alone_takes_the_projects_backbone_and_a_whole_file_brings_its_own(head, trained, walk, tmp_path):
    moved = {name: values.clone() for name, values in trained.items()}
    moved["frame.backbone.stem.0.0.weight"] *= -1
    save_file(head, tmp_path / "head.safetensors")
    save_file(moved, tmp_path / "whole.safetensors")
    mine, whole = (models.add(NETWORK, tmp_path / f"{name}.safetensors") for name in ("head", "whole"))
    stem = models.load(mine).state_dict()["frame.backbone.stem.0.0.weight"]
    assert torch.equal(stem, trained["frame.backbone.stem.0.0.weight"])
    chosen = (NETWORK, mine, whole)
    together = run.analyse(walk, chosen, BOX, device="cpu", frames=(0, 6))
    assert list(together.traces) == list(chosen)
    first = together.traces[NETWORK].keypoints
    assert np.abs(together.traces[mine].keypoints - first).max() > 0.5
    assert np.abs(together.traces[whole].keypoints - first).max() > 0.5
    # what shares no backbone is not given the maps of another one
    boxes = dict(enumerate(together.traces[whole].boxes))
    alone = run.analyse(walk, [whole], boxes=boxes, device="cpu", frames=(0, 6))
    apart = np.abs(alone.traces[whole].keypoints - together.traces[whole].keypoints)
    assert apart.max() < 1e-3


def test_key_and_provenance_have_the_hash_of_the_file_and_a_changed_file_is_another_network(head, walk, tmp_path):
    file = tmp_path / "my file.safetensors"
    save_file(head, file)
    name = models.add(NETWORK, file)
    one, plain = run.Run(walk, [name], BOX, device="cpu"), run.Run(walk, [NETWORK], BOX, device="cpu")
    assert name == "spatial-video (my file.safetensors)"
    assert one.key.digest != plain.key.digest
    found = one.analysis(light=False)
    assert found.provenance["checkpoints"] == {name: models.checkpoint_hash(name)}
    told = found.provenance["own parameters"][name]
    assert told == {"network": NETWORK, "file": file.name, "sha256": models.file_hash(file)}
    assert run.costs(found)["parameters"].item() == sum(v.numel() for v in models.load(NETWORK).parameters())
    head["head4.weight"] *= 2
    save_file(head, tmp_path / "other")
    (tmp_path / "other").replace(file)
    assert run.Run(walk, [models.add(NETWORK, file)], BOX, device="cpu").key.digest != one.key.digest


def test_two_files_of_one_name_are_told_apart(head, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        head["head4.bias"] += 1
        save_file(head, tmp_path / folder / "my.safetensors")
    names = [models.add(NETWORK, tmp_path / folder / "my.safetensors") for folder in ("a", "b", "a")]
    assert names[0] == names[2] == f"{NETWORK} (my.safetensors)"
    digits = models.file_hash(tmp_path / "b" / "my.safetensors")[:8]
    assert names[1] == f"{NETWORK} (my-{digits}.safetensors)"
    assert models.checkpoint_hash(names[0]) != models.checkpoint_hash(names[1])


def test_an_analysis_with_parameters_of_ones_own_travels_in_a_session(head, tmp_path):
    clip = write_video(tmp_path / "walk.mp4", [np.full((96, 128, 3), 20 * i, np.uint8) for i in range(6)], 25)
    save_file(head, tmp_path / "my (2).safetensors")
    name = models.add(NETWORK, tmp_path / "my (2).safetensors")
    found = run.analyse(clip, [name], BOX, device="cpu", deep=[2])
    file = save_session(tmp_path / "walk.freqviz.zip", found, Clip(clip))
    assert list(open_session(file, tmp_path / "opened").analysis.traces) == [name]


@pytest.fixture
def call(tmp_path, monkeypatch, head):
    """A command in a folder with a clip and a file of parameters."""
    monkeypatch.chdir(tmp_path)
    frames = [np.full((96, 128, 3), 20 * i, np.uint8) for i in range(6)]
    write_video(tmp_path / "walk.mp4", frames, 25)
    save_file(head, tmp_path / "my.safetensors")

    def call(*words):
        return CliRunner().invoke(app, [*words, "--device", "cpu"])

    return call


def test_commands_take_parameters_of_ones_own_wherever_they_name_a_network(call, tmp_path):
    box = ("--box", "20,40,24,48")
    mine = f"{NETWORK} (my.safetensors)"
    assert call("predict", "walk.mp4", *box, "--model", NETWORK, "--weights", "my.safetensors").exit_code == 0
    assert set(run.pd.read_csv("poses.csv")["model"]) == {mine}
    weights = ("--weights", f"{NETWORK}=my.safetensors")
    assert call("analyse", "walk.mp4", *box, *weights, "--out", "run").exit_code == 0
    assert list(load_analysis("run").traces) == [mine, "freq-video"]
    both = ("--models", f"{NETWORK},{NETWORK}=my.safetensors")
    compared = call("compare", "walk.mp4", *box, *both)
    assert f"A = {NETWORK}, B = {mine}" in compared.output
    at = ("walk.mp4", "--frame", "2", *box)
    assert call("window", *at, "--model", NETWORK, "--weights", "my.safetensors").exit_code == 0
    assert call("intervene", *at, "--model", NETWORK, "--weights", "my.safetensors", "--blur", "5").exit_code == 0
    influence = call("influence", *at, "--models", NETWORK, *weights)
    assert influence.output.startswith(f"{mine}, mean over the joints")


def test_commands_say_what_is_wrong_with_weights(call):
    words = ("analyse", "walk.mp4", "--out", "run")
    several = call(*words, "--weights", "my.safetensors")
    assert several.exit_code == 2
    assert "whose parameters they are: NETWORK=my.safetensors, of spatial-video, freq-video" in several.output
    strange = call(*words, "--models", "freq-video", "--weights", f"{NETWORK}=my.safetensors")
    assert "--weights names spatial-video, which does not run; chosen: freq-video" in strange.output
    other = call(*words, "--models", "freq-video", "--weights", "my.safetensors")
    assert other.exit_code == 2
    assert "Expected the parameters of freq-video; the file has those of spatial-video" in other.output
    assert "Traceback" not in other.output
