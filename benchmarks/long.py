"""Does a long clip stay within 3 GB, and does its run survive `kill -9`? `python -m benchmarks.long [frames [folder]]`.

By default ten minutes at 30 frames per second: 18,000 frames of the sample's person, 768 x 576, forwards and backwards
again and again. A process analyses the clip into a store, as the page does with an upload: decoded apart, the box
follows the person. It is killed at a third; a second one goes on from what the first had finished, and is asked to
cancel at two thirds; a third one comes to the end. Memory is the most that a process held, its decoder included.

With a folder, clip and result stay there.
"""

import json
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np

from freqviz.clip import Clip
from freqviz.video import write_video

ROOT = Path(__file__).parents[1]
FRAMES, GOAL = 18_000, 3000.0  # MB
CHILD = """
import json, signal, sys, threading, time
from pathlib import Path
from freqviz.clip import Clip
from freqviz.jobs import Cancelled, keep_memory
from freqviz.run import Run
from freqviz.store import Store
keep_memory()
asked, begun, told, pause = [], [], time.monotonic(), 0.0
signal.signal(signal.SIGTERM, lambda *_: asked.append(time.monotonic()))

def most(of):
    lines = Path(f"/proc/{of}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3

def say(done, **more):
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    held = [most("self"), *map(most, children)]
    print(json.dumps({"begun": begun[0], "done": done, "own": held[0], "memory": sum(held), "pause": pause} | more),
          flush=True)

def progress(done, total):
    global told, pause
    if begun:
        pause = max(pause, time.monotonic() - told)
    told = time.monotonic()
    begun.append(done)
    if len(begun) == 1 or done // 16 > begun[-2] // 16:
        say(done)

clip = Clip(sys.argv[1], apart=True)
planned = Run(clip, ["spatial-video", "freq-video"], box=tuple(map(float, sys.argv[3:])), device="cpu")
try:
    found = planned.into(Store(sys.argv[2]), progress, lambda: bool(asked))
    poses, boxes = len(found.poses), found.traces["freq-video"].key_box_segment[-1] + 1
    say(len(found.frames), whole=True, poses=poses, boxes=int(boxes))
except Cancelled:
    say(begun[-1], cancelled=time.monotonic() - asked[0])
"""


def lengthened(path: Path, frames: int) -> Path:
    """The sample, twice as large, forwards and backwards until there are so many frames; encoded once, then copied."""
    sample = Clip(ROOT / "assets/sample.mp4")
    once = [cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for frame in sample]
    turn = write_video(path.with_name("turn.mp4"), [*once, *once[-2:0:-1]], 30)
    with av.open(str(turn)) as source, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        count, left = source.streams.video[0].frames, frames
        tick = 1 / (30 * Fraction(source.streams.video[0].time_base or 0))
        for turned in range(-(-frames // count)):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.dts is None or packet.pts is None or packet.pts >= left * tick:
                    continue
                packet.pts += int(turned * count * tick)
                packet.dts += int(turned * count * tick)
                packet.stream = stream
                made.mux(packet)
            left -= count
    turn.unlink()
    return path


def begin(clip: Path, store: Path) -> "subprocess.Popen[str]":
    box = 2 * np.array(json.loads((ROOT / "assets/sample.json").read_text())["box"][0])
    command = [sys.executable, "-c", CHILD, str(clip), str(store), *map(str, box)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def measure(frames: int, folder: Path) -> None:
    start = time.perf_counter()
    clip, store = lengthened(folder / "long.mp4", frames), folder / "results"
    made, begun = time.perf_counter() - start, time.perf_counter()
    told: list[list[dict[str, Any]]] = []
    kept = 0
    for third, sent in ((1, signal.SIGKILL), (2, signal.SIGTERM), (3, None)):
        child, lines, gone = begin(clip, store), [], False
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(json.loads(line))
            print(line, end="", file=sys.stderr)
            if sent and not gone and lines[-1]["done"] >= third * frames / 3:
                child.send_signal(sent)
                gone = True
        child.wait()
        told.append(lines)
        if sent == signal.SIGKILL:
            parts = [re.findall(r"\d+", file.name) for file in store.glob(".parts-*/*.npz")]
            kept = max((int(stop) for _, stop in parts), default=0)
    seconds = time.perf_counter() - begun
    killed, cancelled, whole = (lines[-1] for lines in told)
    assert "cancelled" in cancelled, "the second process was not cancelled"
    assert whole.get("whole"), "the third process did not come to the end"
    assert whole["done"] == len(Clip(clip)) == frames, f"{whole['done']} frames were analysed"
    left = list(store.glob(".parts-*/*"))
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    most = [max(lines, key=lambda one: one["memory"]) for lines in told]
    print(f"{frames} frames of 768 x 576, {clip.stat().st_size / 1e6:.0f} MB, made in {made:.0f} s; ", end="")
    print(f"two networks, {seconds:.0f} s, {whole['boxes']} boxes, {whole['poses']} rows of poses\n")
    print("| question | answer | goal |\n|---|--:|--:|")
    of_each = ", ".join(f"{one['memory']:.0f}" for one in most)
    top = max(most, key=lambda one: one["memory"])
    print(f"| most memory of a process with its decoder, MB | {top['memory']:.0f} ({of_each}) | ≤ {GOAL:.0f} |")
    print(f"| of it without the decoder, MB | {top['own']:.0f} | |")
    print(f"| killed at frame {killed['done']}; kept, and taken up at | {kept}, {cancelled['begun']} | the last part |")
    print(
        f"| asked to cancel at {cancelled['done']}; seconds until it ended; taken up at | "
        f"{cancelled['cancelled']:.1f}; {whole['begun']} | the last part |"
    )
    print(f"| longest time without progress, s | {max(lines[-1]['pause'] for lines in told):.1f} | |")
    print(f"| result, MB; parts left over | {size / 1e6:.0f}; {len(left)} | ; 0 |")


def main(frames: int | str = FRAMES, folder: str = "") -> None:
    frames = int(frames)
    if folder:
        Path(folder).mkdir(parents=True)
        return measure(frames, Path(folder))
    with TemporaryDirectory() as passing:
        measure(frames, Path(passing))


if __name__ == "__main__":
    main(*sys.argv[1:])
