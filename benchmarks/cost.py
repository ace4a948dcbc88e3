"""What every trained network costs, side by side in one run: counted, timed in turn, and the memory of each alone.

`python -m benchmarks.cost [--device auto|cpu|cuda] [--rounds 15] [--write]`; `--write` puts the table into
assets/evaluation/cost.csv and the README. `auto` measures on the processor and, where there is one, on the graphics
card too. Timed are STEP frames of a running clip, as `freqviz.run` takes them (each is encoded once, then its window
estimated), and one window of which every frame is encoded. Every round takes every network once, and the least of the
rounds counts. The ceiling is the rate of a large matrix product or of a large convolution, whichever is the higher,
with the same device, threads and settings, in the same rounds.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

import models
from freqviz import devices, run
from freqviz.jobs import keep_memory
from freqviz.learn import readme, report
from freqviz.learn.evaluate import Method
from models.cost import counted
from models.network import Encoded, PoseNetwork

BASE = "spatial-video"  # whose times the others are divided by
FORMS = {"freq-deblur": ("spatial",), "freq-full": ("T9", "T15"), "dct-input": ("x2",)}  # that cost otherwise
STEP = run.STEP
SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices of the ceiling
BATCH = {"cpu": 8, "cuda": 256}  # of its convolution: 3 x 3, of maps of MAPS
MAPS = (64, 96, 72)
PROCESSES = 5  # that each network takes memory in: one may take half of what another does
ONE_STEP, ONE_WINDOW = "clip", "window"


def methods() -> list[Method]:
    """What is measured: every network that has a checkpoint, and the forms that cost otherwise."""
    every = [Method(name, form) for name in models.names() for form in ("", *FORMS.get(name, ()))]
    return [method for method in every if models.checkpoint(method.name, 0, method.variant).is_file()]


# ---- what is timed


def step(network: PoseNetwork, held: Encoded, frames: Tensor) -> Tensor:
    """New frames of a running clip: encode them, and estimate the windows that they complete."""
    maps = network.encode(frames)
    maps = {part: torch.cat([held[part], values]) for part, values in maps.items()} if held else maps
    return network.estimate({part: values.unfold(0, network.frames, 1).movedim(-1, 1) for part, values in maps.items()})


def works(network: PoseNetwork, device: str) -> dict[str, Callable[[], object]]:
    """STEP frames of a running clip, and a window alone."""
    frames = torch.rand(STEP + network.frames - 1, 3, *network.input_size, device=device)
    before = frames[: network.frames - 1]
    held = network.encode(before) if len(before) else {}
    return {
        ONE_STEP: partial(step, network, held, frames[-STEP:]),
        ONE_WINDOW: partial(network, frames[None, : network.frames]),
    }


def ceilings(device: str) -> dict[str, tuple[float, Callable[[], object]]]:
    """Multiply-adds of what a device does fastest, and the work itself."""
    side, batch = SIDE[device], BATCH[device]
    one, other = torch.rand(2, side, side, device=device)
    channels = MAPS[0]
    maps = torch.rand(batch, *MAPS, device=device).contiguous(memory_format=torch.channels_last)
    kernel = torch.rand(channels, channels, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    return {
        "matrix product": (side**3, partial(torch.mm, one, other)),
        "convolution": (9.0 * channels * maps.numel(), partial(functional.conv2d, maps, kernel, padding=1)),
    }


@torch.inference_mode()
def least(works: Mapping[Any, Callable[[], object]], rounds: int, device: str) -> dict[Any, float]:
    """Seconds of each work, the least of the rounds; every round takes all in turn, and one more before warms up."""
    best: dict[Any, float] = {}
    for turn in range(rounds + 1):
        for name, work in works.items():
            _wait(device)
            start = time.perf_counter()
            work()
            _wait(device)
            taken = time.perf_counter() - start
            best[name] = min(best.get(name, taken), taken) if turn > 1 else taken
    return best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


# ---- memory


@torch.inference_mode()
def alone(method: Method, device: str) -> int:
    """Bytes that a network takes in this process, which nothing else ran in: of the card, or over the imports."""
    keep_memory()  # as commands and server do
    before = 0 if device == "cuda" else peak()
    work = works(method.load().to(device), device)[ONE_STEP]
    for _ in range(2):
        work()
    return (devices.memory(device) if device == "cuda" else peak()) - before


def peak() -> int:
    """Most bytes resident so far; not `ru_maxrss`, which on Linux begins with what the parent held."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 if found else devices.memory("cpu")


def in_processes(method: Method, device: str) -> int:
    """The most of `alone` in PROCESSES fresh processes, one after the other."""
    command = [sys.executable, "-m", "benchmarks.cost", "--device", device, "--alone", method.row]
    ask = partial(subprocess.run, command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return max(int(ask().stdout.split()[-1]) for _ in range(PROCESSES))


# ---- the table


def table(
    counts: Sequence[Mapping[str, Any]], seconds: Mapping[tuple[str, str], float], ceiling: float
) -> pd.DataFrame:
    """A line a network: what was counted, and what follows from it and the times.

    Args:
        counts: network, multiply-adds (of a window), multiply-adds a frame (of a running clip), and what else is kept.
        seconds: of each network, (network, "clip") of STEP frames and (network, "window") of one window.
        ceiling: multiply-adds per second.
    Returns:
        counts; clip seconds (a frame), window seconds; frames/s of a running clip; clip ratio and window ratio to
        `BASE`; clip share and window share of the ceiling; ceiling.
    """
    known = pd.DataFrame(counts)
    known["clip seconds"] = [seconds[name, ONE_STEP] / STEP for name in known["network"]]
    known["window seconds"] = [seconds[name, ONE_WINDOW] for name in known["network"]]
    known["frames/s"] = 1 / known["clip seconds"]
    for kind, adds in ((ONE_STEP, "multiply-adds a frame"), (ONE_WINDOW, "multiply-adds")):
        own = known[f"{kind} seconds"]
        known[f"{kind} ratio"] = own / float(own[known["network"] == BASE].iloc[0])
        known[f"{kind} share"] = known[adds] / own / ceiling
    return known.assign(ceiling=ceiling)


@torch.no_grad()  # and not inference mode, in which operations are not taken apart, so that none would be counted
def measure(device: str, rounds: int) -> pd.DataFrame:
    """The table of one device."""
    chosen = methods()
    memory = {method.row: in_processes(method, device) for method in chosen}  # before this process fills the machine
    networks = {method.row: method.load().to(device) for method in chosen}
    timed = {(row, kind): work for row, network in networks.items() for kind, work in works(network, device).items()}
    counts = []
    for method in chosen:
        size, window = method.cost()
        counts.append(
            {"network": method.row, "device": _name(device), "threads": torch.get_num_threads(),
             "precision": _precision(device), "rounds": rounds, "parameters": size, "multiply-adds": window,
             "multiply-adds a frame": counted(timed[method.row, ONE_STEP]) / STEP, "memory": memory[method.row]}
        )  # fmt: skip
    limits = ceilings(device)
    best = least(timed | {name: work for name, (_, work) in limits.items()}, rounds, device)
    rates = {name: adds / best[name] for name, (adds, _) in limits.items()}
    fastest = max(rates, key=lambda name: rates[name])
    return table(counts, best, rates[fastest]).assign(**{"ceiling of": fastest})


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def _precision(device: str) -> str:
    reduced = device == "cuda" and torch.backends.cudnn.allow_tf32
    return "float32, convolutions in TF32" if reduced else "float32"


def main(device: str = "auto", rounds: int = 15, write: bool = False) -> None:
    keep_memory()
    asked = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])] if device == "auto" else [device]
    found = pd.concat([measure(devices.choose(one), rounds) for one in asked], ignore_index=True)
    print(readme.cost(found))
    if write:
        path = report.ASSETS / "cost.csv"
        found.to_csv(path, index=False, float_format="%.5g")
        report.put(report.README, "cost", readme.cost(pd.read_csv(path)))  # the digits that are kept


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--write", action="store_true", help="into assets/evaluation/cost.csv and the README")
    asked.add_argument("--alone", metavar="NETWORK", help="print the bytes that this one takes, and nothing else")
    given = asked.parse_args()
    if given.alone:
        print(alone(next(one for one in methods() if one.row == given.alone), devices.choose(given.device)))
    else:
        main(given.device, given.rounds, given.write)
