"""Is a result complete or absent whatever happens, and does the store stay within its bound?"""

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from freqviz import store as storing
from freqviz.store import DiskFull, RunKey, Store, Uses, aside, trim, write_file, write_folder

KEY = RunKey("c" * 64, "drawn", (("tiny", "h" * 64),), "{}", "abc")


def writes(text, size=0):
    def write(folder):
        (folder / "data.bin").write_bytes(b"x" * size)
        (folder / "run.json").write_text(text)

    return write


def broken(folder):
    (folder / "data.bin").write_bytes(b"half")
    raise RuntimeError("on purpose")


def visible(root):
    """What lies in a folder, but for the empty files that say when things were used."""
    return [path for path in root.iterdir() if path.name != ".used"]


def test_what_was_put_is_found_by_an_equal_key(tmp_path):
    store = Store(tmp_path / "runs")
    assert store.find(KEY) is None
    folder = store.put(KEY, writes("one"))
    assert store.find(replace(KEY)) == folder
    assert (folder / "run.json").read_text() == "one"
    assert store.find(replace(KEY, boxes="motion")) is None


@pytest.mark.parametrize("field", ["clip", "boxes", "settings", "code"])
def test_each_part_of_a_key_counts(field):
    assert replace(KEY, **{field: "other"}).digest != KEY.digest


def test_the_order_of_networks_counts_because_the_first_one_moves_the_box():
    pair = (("a", "1"), ("b", "2"))
    assert replace(KEY, checkpoints=pair).digest != replace(KEY, checkpoints=pair[::-1]).digest


def test_a_failing_write_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError, match="on purpose"):
        store.put(KEY, broken)
    assert list(tmp_path.iterdir()) == []
    assert store.find(KEY) is None


def test_a_failing_write_leaves_what_was_there(tmp_path):
    store = Store(tmp_path)
    folder = store.put(KEY, writes("one"))
    with pytest.raises(RuntimeError, match="on purpose"):
        store.put(KEY, broken)
    assert (folder / "run.json").read_text() == "one"
    assert visible(tmp_path) == [folder]


def test_a_second_write_replaces_the_first_whole(tmp_path):
    write_folder(tmp_path / "run", writes("one"))
    (tmp_path / "run" / "stale.csv").write_text("old")
    write_folder(tmp_path / "run", writes("two"))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["data.bin", "run.json"]
    assert (tmp_path / "run" / "run.json").read_text() == "two"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    assert (write_folder(tmp_path / "run", writes("one")) / "run.json").is_file()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not a run folder"):
        write_folder(tmp_path, writes("one"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_half_written_folder_is_not_found(tmp_path):
    (tmp_path / KEY.digest).mkdir()
    assert Store(tmp_path).find(KEY) is None


def test_beyond_the_limit_what_was_used_longest_ago_goes_first(tmp_path):
    store = Store(tmp_path, limit=2500)
    keys = [replace(KEY, clip=str(i)) for i in range(3)]
    for key in keys[:2]:
        store.put(key, writes("{}", 1000))
    store.find(keys[0])  # now the younger of the two
    store.put(keys[2], writes("{}", 1000))
    assert [store.find(key) is not None for key in keys] == [True, False, True]
    assert store.size() <= 2500


def test_a_result_larger_than_the_limit_is_kept_until_the_next(tmp_path):
    store = Store(tmp_path, limit=10)
    store.put(KEY, writes("{}", 1000))
    assert store.find(KEY) is not None
    other = replace(KEY, clip="other")
    store.put(other, writes("{}", 1000))
    assert store.find(KEY) is None
    assert store.find(other) is not None


# -------- a writer that is killed, or finds no space, at any of its steps

KILLED = """
import errno, json, os, signal, sys
from pathlib import Path
from freqviz import store as storing
from freqviz.store import RunKey, Store, Uses

root, fault = Path(sys.argv[1]), sys.argv[2]
STEPS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.utime")
counted = [0, 10**6]

def step(name):
    counted[0] += 1
    if counted[0] == counted[1]:
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device", str(root))

def writes(text):
    def write(folder):
        with open(folder / "data.bin", "wb", buffering=0) as file:
            for _ in range(3):
                file.write((text * 600)[:600].encode())
                step("write")
        (folder / "run.json").write_text(text)
    return write

def key(name):
    return RunKey(name, "drawn", (), "{}", "abc")

def whole(store, name):
    folder = store.find(key(name))
    if folder is None:
        return None
    text = (folder / "run.json").read_text()
    assert (folder / "data.bin").read_bytes() == 3 * (text * 600)[:600].encode(), "half a result was found"
    return text

sync = storing._sync
storing._sync = lambda path: (step("fsync"), sync(path))
sys.addaudithook(lambda name, given: step(name) if name in STEPS and counted[0] < counted[1] else None)

found, failed = [], []
for at in range(1, 400):
    store = Store(root / str(at), limit=5000, uses=Uses(root / f"{at} used"))
    store.put(key("old"), writes("old"))
    store.put(key("other"), writes("other"))
    child = os.fork()
    if not child:
        counted[:] = 0, at
        try:
            store.put(key("new"), writes("new"))
            store.put(key("other"), writes("more"))
        except OSError as error:
            os._exit(2 if type(error) is storing.DiskFull else 3)
        os._exit(0 if counted[0] < at else 1)
    status = os.waitpid(child, 0)[1]
    counted[:] = 0, 10**6
    store = Store(root / str(at), limit=5000, uses=Uses(root / f"{at} used"))
    found.append([whole(store, name) for name in ("old", "other", "new")])
    failed.append(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    store.put(key("old"), writes("again"))
    store.put(key("new"), writes("again"))
    assert [whole(store, name) for name in ("old", "new")] == ["again", "again"], "nothing can be put any more"
    left = [path.name for path in store.root.iterdir() if path.name.startswith(".aside")]
    assert left == [], f"left behind: {left}"
    assert store.size() <= 5000
    if not failed[-1]:
        break
print(json.dumps([found, failed]))
"""


def faults(root, fault):
    """What is found of "old", "other" and "new" after a fault at step 1, 2, ..., and how the writer ended each time."""
    command = [sys.executable, "-c", KILLED, str(root), fault]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_writer_killed_at_any_step_leaves_whole_results_and_nothing_else(tmp_path):
    found, ended = faults(tmp_path, "kill")
    assert len(ended) > 30
    assert set(ended[:-1]) == {9}
    assert ended[-1] == 0
    assert found[-1] == [None, "more", "new"]  # the limit holds two
    assert {new for _, _, new in found} == {None, "new"}
    assert {other for _, other, _ in found} <= {None, "other", "more"}
    assert sum(other is None for _, other, _ in found) <= 2  # between two renames


def test_a_disk_that_is_full_at_any_step_is_said_in_words_and_loses_nothing(tmp_path):
    found, ended = faults(tmp_path, "full")
    assert len(ended) > 30
    assert set(ended) == {0, 1, 2}  # 1: what only notes a use, or cleans up, need not succeed
    assert all(other is not None for _, other, _ in found)
    assert all(new == "new" for _, _, new in found[-10:])


def test_a_full_disk_says_no_path(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(storing, "_sync", full)
    with pytest.raises(DiskFull, match="^the disk of this machine is full") as raised:
        Store(tmp_path).put(KEY, writes("one"))
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(DiskFull):
        write_file(tmp_path / "clip.mp4", lambda path: path.write_bytes(b"x"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_writer_has_aside_is_not_swept(tmp_path):
    with aside(tmp_path) as mine:
        (mine / "half").write_text("half")
        write_file(tmp_path / "other", lambda path: path.write_text("whole"))
        assert (mine / "half").is_file()
    (tmp_path / ".aside-0123456789ab").mkdir()
    (tmp_path / ".aside-of-mine").mkdir()
    storing.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".aside-of-mine", "other"]


# -------- torn and foreign things


@pytest.mark.parametrize("tear", ["cut", "changed", "gone", "no list", "bad list", "deep list"])
def test_a_torn_result_counts_as_absent_and_can_be_put_again(tmp_path, tear):
    folder = Store(tmp_path).put(KEY, writes("one", 1000))
    data, parts = folder / "data.bin", folder / ".parts.json"
    if tear == "cut":
        os.truncate(data, 400)
    elif tear == "changed":
        data.write_bytes(b"x" * 999 + b"y")
    elif tear == "gone":
        data.unlink()
    elif tear == "no list":
        parts.unlink()
    else:
        parts.write_text("[1, {" if tear == "bad list" else "[" * 100_000)
    store = Store(tmp_path)
    assert store.find(KEY) is None
    store.put(KEY, writes("two", 1000))
    assert (store.find(KEY) / "run.json").read_text() == "two"


def test_foreign_things_in_the_store_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "run.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("x" * 1000)
    (tmp_path / ("a" * 24)).write_text("a file with the name of a result")
    store = Store(tmp_path, limit=1)
    store.put(KEY, writes("one"))
    store.put(replace(KEY, clip="other"), writes("two"))
    assert len(store.folders()) == 1
    assert {"thesis", "notes.txt", "a" * 24} <= {path.name for path in tmp_path.iterdir()}


def test_a_file_in_the_place_of_a_result_is_replaced(tmp_path):
    (tmp_path / KEY.digest).write_text("foreign")
    store = Store(tmp_path)
    assert store.find(KEY) is None
    store.put(KEY, writes("one"))
    assert store.find(KEY) is not None


# -------- in use, and the clock


def test_what_is_in_use_is_not_removed_until_it_is_let_go(tmp_path):
    store = Store(tmp_path, limit=2500)
    keys = [replace(KEY, clip=str(i)) for i in range(5)]
    hold = store.uses.hold(store.put(keys[0], writes("{}", 1000)))
    for key in keys[1:4]:
        store.put(key, writes("{}", 1000))
    assert [store.find(key) is not None for key in keys[:4]] == [True, False, False, True]
    hold.close()
    store.find(keys[3])
    store.put(keys[4], writes("{}", 1000))
    assert store.find(keys[0]) is None


def test_another_process_sees_what_is_in_use_until_it_is_killed(tmp_path):
    (tmp_path / "clip").write_bytes(b"x" * 100)
    holding = (
        "import sys, time; from pathlib import Path; from freqviz.store import Uses\n"
        "hold = Uses(sys.argv[1] + '/used').hold(Path(sys.argv[1] + '/clip')); print('held', flush=True)\n"
        "time.sleep(99)"
    )
    uses = Uses(tmp_path / "used")
    command = [sys.executable, "-c", holding, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as other:
        assert other.stdout.readline() == "held\n"
        trim([(tmp_path / "clip",)], uses, 0)
        assert (tmp_path / "clip").is_file()
        other.kill()
        other.wait()
    trim([(tmp_path / "clip",)], uses, 0)
    assert not (tmp_path / "clip").exists()


def test_a_clock_that_goes_back_does_not_turn_the_order_round(tmp_path, monkeypatch):
    store = Store(tmp_path, limit=2500)
    keys = [replace(KEY, clip=str(i)) for i in range(4)]
    store.put(keys[0], writes("{}", 1000))
    store.put(keys[1], writes("{}", 1000))
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)  # in 2001
    store.find(keys[0])
    store.put(keys[2], writes("{}", 1000))
    assert [store.find(key) is not None for key in keys[:3]] == [True, False, True]
    store.find(keys[0])
    store.put(keys[3], writes("{}", 1000))
    assert [store.find(key) is not None for key in keys] == [True, False, False, True]


def test_a_folder_that_cannot_be_written_to_is_still_read(tmp_path, monkeypatch):
    store = Store(tmp_path)
    folder = store.put(KEY, writes("one"))

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refused)
    assert store.find(KEY) == folder
    store.uses.hold(folder).close()


# -------- two processes


def _both(root, seed, out):
    """Put and find 40 results of 6 keys in a small store; what was read, which must agree with its key."""
    store = Store(root, limit=4000)
    wrong, seen = [], 0
    for turn in range(40):
        name = str((turn * 7 + seed * 3) % 6)
        key = replace(KEY, clip=name)
        store.put(key, writes(name, 1000))
        other = str((turn * 5 + seed) % 6)
        folder = store.find(replace(KEY, clip=other))
        try:
            text = (folder / "run.json").read_text() if folder else other
        except FileNotFoundError:  # replaced or removed at this moment: absent, not torn
            text = other
        seen += folder is not None
        wrong += [(text, other)] if text != other else []
    out.put((wrong, seen))


def test_two_processes_share_a_store(tmp_path):
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    both = [context.Process(target=_both, args=(tmp_path, seed, out)) for seed in range(2)]
    for one in both:
        one.start()
    answers = [out.get(timeout=120) for _ in both]
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    assert [wrong for wrong, _ in answers] == [[], []]
    assert sum(seen for _, seen in answers) > 10
    store = Store(tmp_path, limit=4000)
    store.trim()
    assert 0 < store.size() <= 4000
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".aside")] == []


def test_what_another_process_removes_while_it_is_replaced_is_written_all_the_same(tmp_path, monkeypatch):
    store = Store(tmp_path)
    folder, replace_ = store.put(KEY, writes("one")), os.replace

    def removed_first(old, new):
        if Path(old) == folder:
            shutil.rmtree(folder)
        replace_(old, new)

    monkeypatch.setattr(os, "replace", removed_first)
    assert store.put(KEY, writes("two")) == folder
    assert (folder / "run.json").read_text() == "two"


def test_bytes_reach_the_disk_before_their_name(tmp_path, monkeypatch):
    done, sync, replace_ = [], storing._sync, os.replace
    monkeypatch.setattr(storing, "_sync", lambda path: (done.append(path.name), sync(path)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("renamed"), replace_(old, new)))
    Store(tmp_path / "runs").put(KEY, writes("one"))
    assert sorted(done[:4]) == [".parts.json", "data.bin", "new", "run.json"]
    assert done[4:] == ["renamed", "runs"]
    done.clear()
    write_file(tmp_path / "runs" / "clip", lambda path: path.write_bytes(b"x"))
    assert done == ["clip", "renamed", "runs"]
