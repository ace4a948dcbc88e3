"""Do several visitors at once each get their own result? A short form of `benchmarks.visitors`."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.visitors import measure


def test_two_visitors_at_once_each_get_their_own_results(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tally, _, _ = measure(tmp_path, lambda begun: begun >= 4, browsers=0, clients=2, frames=4)
    assert tally.wrong == []
    assert sum(tally.ended.values()) == 4
    assert tally.ended["finished"] >= 2
    log = [json.loads(line) for line in (tmp_path / "runs" / "log" / "freqviz.jsonl").read_text().splitlines()]
    assert not [line for line in log if "stack" in line]
    done = {line["job"] for line in log if line["message"] == "job done" and line["device"] != "copies"}
    assert len(done) >= tally.ended["finished"]
