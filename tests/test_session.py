"""Does a session bring an analysis whole to another machine, and does a bad file end in one sentence?"""

import io
import json
import stat
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
from conftest import TinyNetwork, walking_frames
from typer.testing import CliRunner

from freqviz import run
from freqviz import session as sessions
from freqviz.__main__ import app
from freqviz.analysis import load_analysis
from freqviz.clip import Clip
from freqviz.session import SessionError, link_parts, open_session, save_session
from freqviz.video import write_video

BOX = (20, 40, 24, 48)
FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """12 frames of 95 x 131 pixels: odd sides."""
    return write_video(tmp_path_factory.mktemp("clip") / "a walk.mp4", walking_frames(FRAMES, size=(96, 132)), 25)


@pytest.fixture(scope="module")
def analysed(video):
    """The frames 3 to 9, and all that was computed for frame 5."""
    networks = {"spatial-video": TinyNetwork(1).eval(), "freq-video": TinyNetwork(2).eval()}
    return run.analyse(video, networks, BOX, device="cpu", deep=[5], frames=(3, 10))


@pytest.fixture(scope="module")
def saved(analysed, video, tmp_path_factory):
    """A session with the clip as it is, and its truth."""
    points, blur = np.arange(FRAMES * 28.0).reshape(FRAMES, 14, 2), np.arange(FRAMES) / 2
    file = tmp_path_factory.mktemp("saved") / "walk.freqviz.zip"
    return save_session(file, analysed, Clip(video), "alignment?frame=5&tap=up+left", False, points, blur)


def changed(saved, target, leave=(), **members):
    """A copy of the session whose members are replaced, added or left out; names have _ for the first dot."""
    replaced = {name.replace("__", "-").replace("_", ".", 1): data for name, data in members.items()}
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in (*leave, *replaced):
                new.writestr(name, old.read(name))
        for name, data in replaced.items():
            new.writestr(name, data)
    return target


def member(saved, name):
    with zipfile.ZipFile(saved) as archive:
        return archive.read(name)


def edited(saved, name, edit):
    """A JSON member after `edit`, which changes it in place."""
    held = json.loads(member(saved, name))
    edit(held)
    return json.dumps(held)


def packed(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def same(one, other):
    """Whether two analyses say the same."""
    pd.testing.assert_frame_equal(one.poses, other.poses)
    pd.testing.assert_frame_equal(one.frames, other.frames, check_exact=False, rtol=1e-12)
    for name, trace in one.traces.items():
        np.testing.assert_array_equal(trace.frame_weights, other.traces[name].frame_weights)
    assert sorted(one.deep) == sorted(other.deep)
    for key, deep in one.deep.items():
        np.testing.assert_array_equal(deep.get("feature").values, other.deep[key].get("feature").values)


def test_a_session_holds_analysis_clip_truth_and_view(saved, analysed, video, tmp_path):
    found = open_session(saved, tmp_path / "new" / "opened")
    same(found.analysis, analysed)
    assert (found.name, found.small, link_parts(found.link)[0]) == ("a walk.mp4", False, "alignment")
    assert link_parts(found.link)[1] == {"frame": ["5"], "tap": ["up left"]}
    with Clip(video) as clip:
        assert found.clip.hash == clip.hash
    assert found.truth["keypoints"].shape == (FRAMES, 14, 2)
    assert found.truth["blur"].tolist() == (np.arange(FRAMES) / 2).tolist()
    same(open_session(tmp_path / "new" / "opened").analysis, analysed)


def test_a_small_session_holds_the_frames_analysed_under_their_numbers(analysed, video, tmp_path):
    told, points = [], np.arange(FRAMES * 28.0).reshape(FRAMES, 14, 2)
    file = tmp_path / "small.zip"
    with Clip(video) as clip:
        save_session(file, analysed, clip, "", True, points, progress=lambda *count: told.append(count))
        frame = clip[6].astype(int)
    found = open_session(file, tmp_path / "opened")
    same(found.analysis, analysed)
    assert told[-1] == (7, 7)
    assert (len(found.clip), found.clip.first, found.small) == (7, 3, True)
    assert np.abs(found.clip[3] - frame).mean() < 12
    assert found.truth["keypoints"][0, 0, 0] == points[3, 0, 0]
    assert "blur" not in found.truth


def test_frames_at_hand_are_kept_only_encoded_anew(tmp_path):
    clip = Clip.from_frames([frame[:95, :131] for frame in walking_frames(6, size=(96, 132))], 25)
    found = run.analyse(clip, {"tiny": TinyNetwork(1).eval()}, BOX, device="cpu")
    with pytest.raises(ValueError, match="only a clip of one file can be kept as it is"):
        save_session(tmp_path / "a.zip", found, clip)
    assert list(tmp_path.iterdir()) == []
    save_session(tmp_path / "a.zip", found, clip, small=True)
    assert open_session(tmp_path / "a.zip", tmp_path / "opened").clip.size == (96, 132)


def test_another_clip_than_was_analysed_is_not_saved_with_it(analysed, tmp_path):
    other = write_video(tmp_path / "b.mp4", walking_frames(FRAMES, step=1.0, size=(96, 132)), 25)
    with pytest.raises(ValueError, match="is not the one that was analysed, a walk.mp4"):
        save_session(tmp_path / "b.zip", analysed, Clip(other))
    assert not (tmp_path / "b.zip").exists()


def test_a_folder_of_other_things_is_not_unpacked_over(saved, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not a run folder"):
        open_session(saved, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def refused(file, tmp_path, sentence):
    """Opening ends in one sentence, and nothing is written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zip files with a name twice
        with pytest.raises(SessionError) as caught:
            open_session(file, tmp_path / "opened")
    told = str(caught.value)
    assert sentence in told
    assert "\n" not in told
    assert len(told) < 400
    assert str(tmp_path) not in told
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != file] == []


def test_what_is_no_zip_is_refused(saved, tmp_path):
    file = tmp_path / "a.zip"
    for data in (b"", b"PK", b"notes", saved.read_bytes()[:-400], saved.read_bytes()[:3000]):
        file.write_bytes(data)
        refused(file, tmp_path, "no session file, or a damaged one")
    data = bytearray(saved.read_bytes())
    data[len(data) // 3] ^= 255
    file.write_bytes(data)
    refused(file, tmp_path, "damaged")
    file.unlink()
    refused(file, tmp_path, "there is no file a.zip")


@pytest.mark.parametrize(
    "name",
    ["../run.json", "/tmp/run.json", "C:\\run.json", "a/run.json", "trace-../x.npz", "clip.py", "x.npz", "a\x00b"],
)
def test_a_member_that_no_session_has_is_refused(saved, tmp_path, name):
    file = changed(saved, tmp_path / "a.zip")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"{}")
    refused(file, tmp_path, "which is no part of a session")
    assert not (tmp_path.parent / "run.json").exists()


def test_a_link_a_double_and_a_crowd_are_refused(saved, tmp_path):
    file = changed(saved, tmp_path / "a.zip", leave=["clip.mp4"])
    link = zipfile.ZipInfo("clip.mp4")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(file, tmp_path, "no part of a session")
    changed(saved, file)
    with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("run.json", b"{}")
    refused(file, tmp_path, "twice")
    with zipfile.ZipFile(file, "w") as archive:
        for key in range(sessions.MEMBERS + 1):
            archive.writestr(f"deep-a-{key}.npz", b"")
    refused(file, tmp_path, "a session at most")


def test_a_bomb_is_not_written_out(saved, tmp_path, monkeypatch):
    file = changed(saved, tmp_path / "a.zip", poses_csv=bytes(80 << 20), leave=["clip.mp4"])
    monkeypatch.setattr(sessions, "RATIO", 20)
    refused(file, tmp_path, "larger than a session's may be")
    monkeypatch.setitem(sessions.LIMITS, r"session\.json|run\.json", 100)
    refused(changed(saved, file), tmp_path, "larger than a session's may be, 100 bytes")


@pytest.mark.parametrize("name", ["session.json", "run.json", "frames.csv", "trace-freq-video.npz", "clip.mp4"])
def test_a_missing_member_is_named(saved, tmp_path, name):
    refused(changed(saved, tmp_path / "a.zip", leave=[name]), tmp_path, "one clip" if "clip" in name else name[:6])


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda held: held.update(version=2), "a session of version 2, here version 1 is read"),
        (lambda held: held.update(version="9" * 999), "a session of version"),
        (lambda held: held.update(format="other"), "holds no freqviz session"),
        (lambda held: held.pop("link"), "must hold name, link and small"),
        (lambda held: held.update(small="no"), "must hold name, link and small"),
        (lambda held: held.update(link="https://elsewhere.example/?frame=1"), "the link of a session is a page"),
        (lambda held: held.update(link="x" * 5000), "must hold name, link and small"),
    ],
)
def test_a_header_of_another_kind_or_version_is_refused(saved, tmp_path, edit, sentence):
    file = changed(saved, tmp_path / "a.zip", session_json=edited(saved, "session.json", edit))
    refused(file, tmp_path, sentence)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda held: held.update(models=["../../etc/passwd", "freq-video"]), "models"),
        (lambda held: held.update(models=["[x](http://a.example)", "freq-video"]), "models"),
        (lambda held: held.update(models=[]), "models"),
        (lambda held: held.update(models=None), "models"),
        (lambda held: held.update(deep=[["freq-video", "5"]]), "deep"),
        (lambda held: held.update(deep=[["other", 5]]), "deep"),
        (lambda held: held.update(deep=[["freq-video", 9]]), "lacks deep-freq-video-9.npz"),
        (lambda held: held.update(checkpoints={}), "checkpoints"),
        (lambda held: held.update(device="<b>"), "device"),
        (lambda held: held.pop("clip"), "clip, settings and models"),
        (lambda held: held["clip"].update(frames=0), "clip.frames"),
        (lambda held: held["clip"].update(frames=1e9), "clip.frames"),
        (lambda held: held["clip"].update(first=-1), "clip.frames"),
        (lambda held: held["clip"].update(of=9), "7 frames from 3 in a clip of 9"),
        (lambda held: held["clip"].update(of=13), "the clip has 12 frames"),
        (lambda held: held["clip"].update(size=[96, float("nan")]), "clip.size"),
        (lambda held: held["clip"].update(size=[132, 96]), "the clip has 12 frames of 132x96"),
        (lambda held: held["clip"].update(fps=float("nan")), "clip.fps"),
        (lambda held: held["clip"].update(hash="0" * 64), "another one than was analysed"),
        (lambda held: held["settings"].update(rung="![](http://a.example/x.png)"), "settings.rung"),
        (lambda held: held["settings"].update(band_edges=["a", "b"]), "settings.band_edges"),
        (lambda held: held["settings"].update(corrections={"x": [1, 2, 3, 4]}), "settings.corrections"),
        (lambda held: held["settings"].update(corrections={"4": [1, 2]}), "settings.corrections"),
    ],
)
def test_a_run_that_no_run_writes_is_refused(saved, tmp_path, edit, sentence):
    file = changed(saved, tmp_path / "a.zip", run_json=edited(saved, "run.json", edit))
    refused(file, tmp_path, sentence)


@pytest.mark.parametrize("data", ["", "[]", "{", "[" * 100_000, "\ud800".encode("utf-16", "surrogatepass")])
def test_a_run_that_is_no_json_is_refused(saved, tmp_path, data):
    refused(changed(saved, tmp_path / "a.zip", run_json=data), tmp_path, "run.json")


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda table: table.drop(columns="edge_width"), "lacks the columns edge_width"),
        (lambda table: table.assign(time="noon"), "must hold numbers in time"),
        (lambda table: table.assign(frame=0), "the 7 frames from 3 in their order"),
        (lambda table: table[:-1], "the 7 frames from 3 in their order"),
        (lambda table: table.assign(lost="[click](http://a.example)"), "plain words"),
        (lambda table: table.assign(box_source="<img src=x>"), "plain words"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(saved, tmp_path, edit, sentence):
    table = edit(pd.read_csv(io.BytesIO(member(saved, "frames.csv"))))
    refused(changed(saved, tmp_path / "a.zip", frames_csv=table.to_csv(index=False)), tmp_path, sentence)


def trace_arrays(saved):
    with np.load(io.BytesIO(member(saved, "trace-freq-video.npz"))) as held:
        return dict(held)


def as_npz(header, data=b"", name="scores.npy"):
    """An npz with one array whose header is made up."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        text = (header.ljust(117) + "\n").encode()
        archive.writestr(name, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda held: packed(**held | {"scores": np.array([{"a": 1}], object)}), "object"),
        (lambda held: packed(**held | {"scores": held["scores"][:-1]}), "cannot be read"),
        (lambda held: packed(**{name: values[:-1] if values.ndim else values for name, values in held.items()}), ""),
        (lambda held: packed(**held | {"scores": np.full_like(held["scores"], np.nan)}), "all numbers finite"),
        (lambda held: packed(**held | {"keypoints": held["keypoints"] + 1j}), "complex128"),
        (lambda held: packed(**held | {"joints": np.array(["<script>"] * 14)}), "all numbers finite"),
        (lambda held: packed(**held | {"network": np.array("other")}), "the trace of freq-video must be"),
        (lambda held: packed(**held | {"first": np.array(0)}), "the trace of freq-video must be"),
        (lambda held: packed(scores=held["scores"]), "cannot be read"),
        (lambda held: as_npz("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,), }"), "holds no arrays"),
        (lambda held: as_npz("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"), "1000000000000"),
        (lambda held: as_npz("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -9), }"), "which it may not"),
        (lambda held: as_npz("{'descr': '<f8', 'fortran_order': False, 'shape': (nan, 2), }"), "holds no arrays"),
        (lambda held: as_npz("__import__('os').abort()"), "holds no arrays"),
        (lambda held: b"no zip", "holds no arrays"),
    ],
)
def test_arrays_that_are_none_are_refused(saved, tmp_path, edit, sentence):
    data = edit(trace_arrays(saved))
    refused(changed(saved, tmp_path / "a.zip", trace__freq__video_npz=data), tmp_path, sentence)


def test_a_truth_of_another_length_and_a_clip_that_is_none_are_refused(saved, tmp_path):
    file = tmp_path / "a.zip"
    refused(changed(saved, file, truth_npz=packed(keypoints=np.zeros((4, 14, 2)))), tmp_path, "the truth must be")
    refused(changed(saved, file, truth_npz=packed(others=np.zeros(FRAMES))), tmp_path, "the truth must be")
    refused(changed(saved, file, clip_mp4=b"#EXTM3U\nhttp://a.example/x.ts"), tmp_path, "playlist")
    refused(changed(saved, file, deep__freq__video__5_npz=packed(header=np.array("[]"))), tmp_path, "cannot be read")


def test_the_commands_save_and_open_and_a_session_stands_for_its_clip(analysed, video, tmp_path, monkeypatch):
    def call(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    analysed.save(tmp_path / "walk")
    answer = call("session", "save", tmp_path / "walk", video, "--small")
    assert answer.exit_code == 0, answer.output
    answer = call("session", "open", tmp_path / "walk.freqviz.zip", "--out", tmp_path / "opened")
    assert answer.exit_code == 0, answer.output
    assert "7 frames of a walk.mp4, analysed by spatial-video, freq-video" in " ".join(answer.output.split())
    same(load_analysis(tmp_path / "opened"), analysed)
    monkeypatch.setattr(run, "load_network", lambda name, device: TinyNetwork(2).eval())
    words = ("--frame", 5, "--box", "20,40,24,48", "--out", tmp_path / "window.npz")
    assert call("window", tmp_path / "opened", *words).exit_code == 0
    answer = call("window", tmp_path / "opened", "--frame", 2, *words[2:])
    assert (answer.exit_code, "it has the frames 3 to 9" in " ".join(answer.output.split())) == (2, True)
    (tmp_path / "notes.zip").write_text("notes")
    answer = call("session", "open", tmp_path / "notes.zip", "--out", tmp_path / "other")
    assert answer.exit_code == 2
    assert "notes.zip is no session file" in " ".join(answer.output.split())
    assert not (tmp_path / "other").exists()
