"""A whole run against its parts alone: `python -m benchmarks.run [rounds] [frames] [video]`.

Interleaved, minima, ratios. Every round does the same in steps of some windows; the minimum is taken of each step, then
they are summed: on a busy machine no whole run is quiet, but each step is in some round. The frames are the first ones
of the video, else a moving texture, which is hard to decode. One box serves all of them, so that each passes the
backbone once.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from freqviz import crops, run, windows
from freqviz.clip import Clip
from freqviz.jobs import Progress, keep_memory
from freqviz.video import write_video
from models.network import PoseNetwork

NAME = "freq-video"
BOX = np.array([3 / 8, 1 / 4, 1 / 4, 5 / 8])  # of the frame: x, y, width, height
SIZE = (480, 640)


def moving_texture(count: int) -> list[np.ndarray]:
    """Frames (480, 640, 3) whose content moves by 3 pixels a frame."""
    coarse = np.random.default_rng(0).integers(0, 255, (SIZE[0] // 4, SIZE[1] // 4, 3), np.uint8)
    ground = coarse.repeat(4, 0).repeat(4, 1)
    return [np.roll(ground, 3 * t, 1) for t in range(count)]


def steps(work: Callable[[Progress], object]) -> np.ndarray:
    """Seconds of the steps of a run, what comes before the first and after the last included."""
    marks = [time.perf_counter()]
    work(lambda done, total: marks.append(time.perf_counter()))
    return np.diff([*marks, time.perf_counter()])


def alone(network: PoseNetwork, cuts: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Seconds in which every frame is encoded once, and every window estimated once, in the batches of a run."""
    encode, estimate = [], []
    for part in cuts.split(run.STEP):
        places = (torch.arange(len(part))[:, None] + torch.arange(network.frames)) % len(part)
        start = time.perf_counter()
        encoded = network.encode(part)
        encode.append(time.perf_counter() - start)
        window = {name: maps[places] for name, maps in encoded.items()}
        start = time.perf_counter()
        network.estimate(window)
        estimate.append(time.perf_counter() - start)
    return np.array(encode), np.array(estimate)


def main(rounds: int = 15, count: int = 60, video: str = "") -> None:
    keep_memory()  # as commands and server do
    network = run.load_network(NAME, "cpu")
    least: dict[str, np.ndarray] = {}
    with TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(video or write_video(Path(folder) / "clip.mp4", moving_texture(count), 30))
        clip = Clip(path)
        height, width = clip.size
        count = min(count, len(clip))
        box = tuple(BOX * [width, height, width, height])
        given: dict[str, Any] = {"boxes": {0: box}, "frames": (0, count), "device": "cpu"}
        cuts = windows.to_tensor(np.stack([crops.cut(clip[i], box) for i in range(count)]))
        for turn in range(rounds + 1):
            now = {
                "run with trace": steps(lambda told: run.analyse(path, [NAME], **given, progress=told)),
                "run without": steps(lambda told: run.predict(path, NAME, **given, progress=told)),
            }
            now["T · backbone"], now["T · estimate"] = alone(network, cuts)
            now["both"] = now["T · backbone"] + now["T · estimate"]  # as long as a step of a run: as seldom undisturbed
            if turn:  # the first round warms up
                least = {name: np.minimum(least.get(name, np.inf), each) for name, each in now.items()}
    best = {name: float(each.sum()) for name, each in least.items()}
    parts = best["both"]
    print(f"`{NAME}`, {count} frames of {width} x {height}, {rounds} rounds, {torch.get_num_threads()} threads\n")
    print("| part | ms a frame |\n|---|--:|")
    for name, value in best.items():
        print(f"| {name} | {1e3 * value / count:.1f} |")
    print("\n| question | answer | goal |\n|---|--:|--:|")
    print(f"| run without trace / (T · backbone + T · estimate) | {best['run without'] / parts:.3f} | ≤ 1.1 |")
    print(f"| run with trace / (T · backbone + T · estimate) | {best['run with trace'] / parts:.3f} | |")
    print(f"| run with trace / without | {best['run with trace'] / best['run without']:.3f} | ≤ 1.15 |")
    print(f"| frames/s with trace | {count / best['run with trace']:.1f} | ≥ 8 on two cores |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
