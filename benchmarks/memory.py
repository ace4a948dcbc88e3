"""Does memory grow with the length of a clip? One process a length. `python -m benchmarks.memory [frames ...]`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

BOX = (90.0, 30.0, 100.0, 190.0)
CHILD = """
import resource, sys
from freqviz import analyse
from freqviz.jobs import keep_memory
keep_memory()
found = analyse(sys.argv[1], ["spatial-video", "freq-video"], boxes={0: %s}, device="cpu")
assert len(found.poses) and len(found.weights)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def moving_texture(count: int) -> Iterator[np.ndarray]:
    """Frames (240, 320, 3) whose content moves by 3 pixels a frame."""
    ground = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    for t in range(count):
        yield np.roll(ground, 3 * t, 1)


def peak(count: int, folder: Path) -> float:
    """Peak resident memory of a process that analyses `count` frames; MB."""
    from freqviz.video import write_video

    path = write_video(folder / f"{count}.mp4", moving_texture(count), 30)
    command = [sys.executable, "-c", CHILD % repr(BOX), str(path)]
    answer = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return int(answer.stdout.split()[-1]) * unit / 1e6


def main(*counts: int) -> None:
    counts = counts or (120, 1200)
    with TemporaryDirectory() as folder:
        peaks = [peak(count, Path(folder)) for count in counts]
    print("| frames | peak memory |\n|--:|--:|")
    for count, megabytes in zip(counts, peaks, strict=True):
        print(f"| {count} | {megabytes:.0f} MB |")
    print(f"\ngrowth from {counts[0]} to {counts[-1]} frames: {peaks[-1] - peaks[0]:+.0f} MB (goal: at most 100 MB)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
