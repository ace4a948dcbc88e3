"""Is the log one JSON object a line, complete with stacks, and turned over before it grows?"""

import json
import logging
from logging.handlers import RotatingFileHandler

import pytest

from freqviz import logs


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.delenv("FREQVIZ_LOG", raising=False)
    root = logging.getLogger("freqviz")
    before = root.handlers[:], root.propagate, root.level
    logs.begin(tmp_path / "log" / "freqviz.jsonl")
    yield tmp_path / "log" / "freqviz.jsonl"
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers, root.propagate = before[:2]
    root.setLevel(before[2])


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_line_holds_time_level_words_and_facts(log):
    logging.getLogger("freqviz.jobs").info(
        "job %s", "done", extra={"facts": {"job": "3f2a91c0", "label": 'a\nb \u2028 "'}}
    )
    (line,) = lines(log)
    assert (line["level"], line["logger"], line["message"]) == ("info", "freqviz.jobs", "job done")
    assert (line["job"], line["label"]) == ("3f2a91c0", 'a\nb \u2028 "')
    assert line["time"].endswith("+00:00")


def test_an_exception_brings_its_stack_and_facts_cannot_forge_what_a_line_says(log):
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logging.getLogger("freqviz.web").exception("fault", extra={"facts": {"message": "all is well", "fault": "1"}})
    (line,) = lines(log)
    assert (line["message"], line["fault"]) == ("fault", "1")
    assert line["stack"].rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("named", ["other.jsonl", "-"])
def test_the_log_is_written_where_the_environment_says_and_once(named, log, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FREQVIZ_LOG", named if named == "-" else str(tmp_path / named))
    heard = []
    above = logging.Handler()
    above.emit = heard.append
    monkeypatch.setattr(logging.getLogger(), "handlers", [above])
    logs.begin(tmp_path / "none.jsonl")
    logging.getLogger("freqviz.jobs").info("here")
    written = capsys.readouterr().err if named == "-" else (tmp_path / named).read_text(encoding="utf-8")
    assert [json.loads(line)["message"] for line in written.splitlines()] == ["here"]
    assert not (tmp_path / "none.jsonl").exists()
    assert not heard, "what is above, such as Streamlit's, would print the line again"


def test_a_large_log_is_turned_over(log, monkeypatch):
    (handler,) = [one for one in logging.getLogger("freqviz").handlers if isinstance(one, RotatingFileHandler)]
    monkeypatch.setattr(handler, "maxBytes", 2000)
    for _ in range(60):
        logging.getLogger("freqviz.jobs").info("x" * 100)
    held = sorted(file.name for file in log.parent.iterdir())
    assert held == ["freqviz.jsonl", *(f"freqviz.jsonl.{n}" for n in range(1, logs.OLD + 1))]
    assert sum(file.stat().st_size for file in log.parent.iterdir()) < 2000 * (logs.OLD + 1)
