"""Is a result complete or absent, and does the store stay within its bound?"""

import os
from dataclasses import replace

import pytest

from freqviz.store import RunKey, Store, write_folder

KEY = RunKey("c" * 64, "drawn", (("tiny", "h" * 64),), "{}", "abc")


def writes(text, size=0):
    def write(folder):
        (folder / "data.bin").write_bytes(b"x" * size)
        (folder / "run.json").write_text(text)

    return write


def broken(folder):
    (folder / "data.bin").write_bytes(b"half")
    raise RuntimeError("on purpose")


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
    assert list(tmp_path.iterdir()) == [folder]


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
    for age, key in zip((300, 200), keys, strict=False):
        folder = store.put(key, writes("{}", 1000))
        os.utime(folder, (1e9 - age, 1e9 - age))
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
