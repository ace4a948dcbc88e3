"""How long a run will take on this machine, and how much memory: from earlier runs, else from one timed step.

Convention: seconds of wall-clock time, bytes; a forecast is a range, because machines are shared and a box that is
cut anew costs frames that nobody can count beforehand.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from freqviz.run import STEP, Run
from freqviz.store import Store

LOOKED_AT = 100  # youngest results searched for runs alike
COUNTED = 5  # of them count, so that the forecast follows the machine
ONE_RUN, ONE_STEP = (0.7, 1.5), (0.5, 2.0)  # range around the only figure there is; a second process alone doubles it


@dataclass(frozen=True)
class Forecast:
    """What a run will cost."""

    frames: int
    seconds: tuple[float, float]  # from, to
    memory: int  # bytes that the whole process may hold, of the graphics card on CUDA; 0 where it cannot be known
    basis: str  # where this comes from, for people

    def __str__(self) -> str:
        """A sentence: About 40 s for 240 frames, up to 0.6 GB (by 3 earlier runs)."""
        low, high = (_rounded(value) for value in self.seconds)
        span = f"{high:g}" if low == high else f"{low:g} to {high:g}"
        memory = f", up to {self.memory / 1e9:.1f} GB" if self.memory else ""
        return f"About {span} s for {self.frames} frames{memory} ({self.basis})."


def forecast(run: Run, store: Store) -> Forecast | None:
    """What earlier runs of the same networks on the same device say; None where there is none.

    Args:
        run: what is to be done.
        store: where earlier runs lie; each says in its run.json what it cost.
    """
    alike = []
    for folder in store.folders()[:LOOKED_AT]:
        held = _provenance(folder)
        if held.get("models") == list(run.networks) and held.get("device") == run.device and "cost" in held:
            alike.append(held)
    alike = [held for held in alike if held["cost"]["frames"] > STEP][:COUNTED]  # shorter ones are mostly their start
    if not alike:
        return None
    rates = [held["cost"]["seconds"] / held["cost"]["frames"] for held in alike]
    low, high = (min(rates), max(rates)) if len(rates) > 1 else (rates[0] * ONE_RUN[0], rates[0] * ONE_RUN[1])
    memory = [held["cost"]["memory"] and held["cost"]["memory"] + _larger(run, held["clip"]["size"]) for held in alike]
    basis = f"by {len(rates)} earlier runs" if len(rates) > 1 else "by one earlier run"
    frames = _to_do(run, store)
    return Forecast(frames, (low * frames, high * frames), max(memory), basis)


def _to_do(run: Run, store: Store) -> int:
    """Frames that no earlier run has found."""
    found = run.reusable(store)
    return len(run.clip) - (found[1] if found else 0)


def by_one_step(run: Run, seconds: float, memory: int) -> Forecast:
    """What one timed step says, with `seconds` a frame and `memory` as `Run.timed_step` gives them."""
    frames = len(run.clip)
    low, high = (seconds * frames * factor for factor in ONE_STEP)
    return Forecast(frames, (low, high), memory and memory + _larger(run, (0, 0)), "by one timed step, the first run")


def _larger(run: Run, size: tuple[int, int]) -> int:
    """Bytes of frames that a run holds beyond those of an earlier one with frames of (height, width)."""
    more = int(np.prod(run.clip.size)) - int(np.prod(size))
    return max(0, 3 * more * (STEP + 4))


def _provenance(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}  # removed meanwhile, or not ours


def _rounded(seconds: float) -> float:
    """One digit below 10 s, else two, and never nothing."""
    if seconds < 1:
        return 1
    return float(f"{seconds:.1g}" if seconds < 10 else f"{seconds:.2g}")
