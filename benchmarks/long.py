"""Does a long clip stay within 3 GB, and does its run survive `kill -9`? `python -m benchmarks.long [frames]`.

By default ten minutes at 30 frames per second: 18,000 frames of a moving texture, 320 x 240. A process analyses the
clip into a store, as the page does, and is killed at half; a second one goes on from what the first had finished.
Memory is the most that either process held.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.memory import BOX, moving_texture
from freqviz.clip import write_video

FRAMES, GOAL = 18_000, 3000.0  # MB
CHILD = """
import json, sys, time
from freqviz.jobs import keep_memory
from freqviz.run import Run, memory
from freqviz.store import Store
keep_memory()
planned = Run(sys.argv[1], ["spatial-video", "freq-video"], boxes={0: tuple(map(float, sys.argv[3:]))}, device="cpu")
begun = []
def progress(done, total):
    begun.append(done) if not begun else None
    if done % 64 < 8:
        print(json.dumps({"begun": begun[0], "done": done, "memory": memory("cpu") / 1e6}), flush=True)
found = planned.into(Store(sys.argv[2]), progress)
print(json.dumps({"begun": begun[0], "done": len(found.frames), "memory": memory("cpu") / 1e6, "whole": True}))
"""


def begin(clip: Path, store: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, str(clip), str(store), *map(str, BOX)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)


def main(frames: int = FRAMES) -> None:
    with TemporaryDirectory() as folder:
        clip = write_video(Path(folder) / "long.mp4", moving_texture(frames), 30)
        store, start = Path(folder) / "results", time.perf_counter()
        told: list[dict[str, float]] = []
        for kill in (True, False):
            child = begin(clip, store)
            assert child.stdout is not None
            for line in child.stdout:
                told.append(json.loads(line))
                if kill and told[-1]["done"] >= frames / 2:
                    child.kill()
                    break
            child.wait()
            if kill:
                at, first = told[-1]["done"], max(one["memory"] for one in told)
                parts = [re.findall(r"\d+", file.name) for file in store.glob(".parts-*/*.npz")]
                kept = max((int(stop) for _, stop in parts), default=0)
        seconds = time.perf_counter() - start
        assert told[-1].get("whole"), "the second process did not come to the end"
        sizes = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    most = max(one["memory"] for one in told)
    print(f"{frames} frames, {clip.name}, two networks, {seconds:.0f} s\n\n| question | answer | goal |\n|---|--:|--:|")
    print(f"| most memory, MB | {most:.0f} (first half {first:.0f}) | ≤ {GOAL:.0f} |")
    print(f"| killed at frame {at:.0f}; kept, and taken up at | {kept}, {told[-1]['begun']:.0f} | the last part |")
    print(f"| result, MB | {sizes / 1e6:.0f} | |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
