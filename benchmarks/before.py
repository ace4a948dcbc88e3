"""Is anything slower than in another checkout? `python -m benchmarks.before FOLDER [rounds]`; 1.10 is what may be.

FOLDER is a checkout, such as `git worktree add FOLDER COMMIT` makes. Fresh processes of both trees take turns; each
does everything twice, and the second time counts. Ratios are of the least over all rounds.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
CHILD = """
import gc, json, sys, tempfile, time
from pathlib import Path
from streamlit.testing.v1 import AppTest
from freqviz import Clip, analyse, load_analysis
from freqviz.jobs import keep_memory
from freqviz.run import Run
from freqviz.store import Store
from freqviz.web import work
from freqviz.web.__main__ import prepare
keep_memory()
prepare()
sample = Path("assets/sample.mp4")
box = json.loads(sample.with_suffix(".json").read_text())["box"][0]
planned = Run(sample, ["spatial-video", "freq-video"], box=box, frames=(0, 60))
held = {}

def of_the_page():
    work._opened.cache_clear()
    return [work.open_clip("sample")[i] for i in range(100)]

def kept():
    with tempfile.TemporaryDirectory() as folder:
        Store(folder).put(planned.key, held["analysis"].write)
        return load_analysis(Store(folder).find(planned.key))

def page():
    app = AppTest.from_file("app.py", default_timeout=600).run()
    assert len(app.get("plotly_chart") + app.get("bidi_component")) >= 5, app.main
    assert not app.exception

WORK = {
    "clip opened and read, 100 frames": lambda: [frame for frame in Clip(sample)],
    "the same, as the page does": of_the_page,
    "analysis, 60 frames, two networks": lambda: held.update(analysis=analyse(sample, box=box, frames=(0, 60))),
    "result put into the store, found and read": kept,
    "first page, with its result": page,
}
told = {}
for name, do in WORK.items():
    for _ in range(2):
        gc.collect()
        wall, spent = time.perf_counter(), time.process_time()
        do()
        told[name] = time.perf_counter() - wall, time.process_time() - spent
print(json.dumps(told))
"""


def main(folder: str, rounds: int | str = 7) -> None:
    found: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    with TemporaryDirectory() as passing:
        for turn in range(-1, int(rounds)):  # the first round fills the stores
            for after in (0, 1) if turn % 2 else (1, 0):
                tree = ROOT if after else Path(folder).resolve()
                places = {"FREQVIZ_RUNS": f"{passing}/{after}", "PYTHONPATH": str(tree)}
                command = [sys.executable, "-c", CHILD]
                done = subprocess.run(command, cwd=tree, env=os.environ | places, stdout=subprocess.PIPE, check=True)
                if turn >= 0:
                    for name, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                        found[name, after].append(seconds)
    print(f"{rounds} rounds\n\n| work | processor, before, ms | ratio | by the clock, before, ms | ratio |")
    print("|---|--:|--:|--:|--:|")
    for name in dict.fromkeys(name for name, _ in found):
        (wall, spent), (later_wall, later_spent) = (map(min, zip(*found[name, after], strict=True)) for after in (0, 1))
        print(
            f"| {name} | {1e3 * spent:.0f} | {later_spent / spent:.2f} | {1e3 * wall:.0f} | {later_wall / wall:.2f} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
