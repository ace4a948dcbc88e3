"""What a training leaves behind: the state to go on from, its log, and what its card tells of it."""

import csv
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import models
from freqviz.learn import data
from freqviz.learn.recipes import ALONE, Recipe
from models.motion import TwoStreams
from models.video import VideoNetwork


class State:
    """`state.pt` of a run: where it stands, and how long it took until there.

    Args:
        run: folder, made where it is missing.
        minutes: after which this session of the training is over.
    """

    def __init__(self, run: Path, minutes: float = math.inf):
        run.mkdir(parents=True, exist_ok=True)
        self.path = run / "state.pt"
        self._held: dict[str, Any] = torch.load(self.path, weights_only=True) if self.path.is_file() else {}
        self.step: int = self._held.get("step", 0)
        now = time.monotonic()
        self._begun, self._end = now - self._held.get("seconds", 0.0), now + 60 * minutes

    def take(self) -> dict[str, Any]:
        """What `save` was given in an earlier session; empty at the start, and when asked again."""
        held, self._held = self._held, {}
        return held

    @property
    def seconds(self) -> float:
        """Of all sessions of the training so far."""
        return time.monotonic() - self._begun

    @property
    def over(self) -> bool:
        """Whether the minutes have run out."""
        return time.monotonic() > self._end

    def save(self, step: int, **values: Any) -> None:
        """Write what a later session goes on from; a crash meanwhile leaves the last one."""
        part = self.path.with_suffix(".part")
        torch.save({**values, "step": step, "seconds": self.seconds}, part)
        part.rename(self.path)


class Log:
    """A csv that grows by a row; columns are fixed by the first."""

    def __init__(self, path: Path):
        self.path = path

    def add(self, **row: float) -> None:
        new = not self.path.exists()
        with open(self.path, "a", newline="") as lines:
            writer = csv.DictWriter(lines, list(row))
            if new:
                writer.writeheader()
            writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def write_card(
    name: str, recipe: Recipe, seeds: list[int], run: Path, seconds: float, stills: data.Stills, clips: data.Clips
) -> None:
    """What the card of a network tells of its training; its scores come from the evaluation."""
    video = issubclass(models.NETWORKS[name], VideoNetwork)
    kept = getattr(models.NETWORKS[name], "kept", ())
    trained = f"{', '.join(place.rstrip('.') for place in kept)} stay frozen" if kept else "all trained"
    budget = {
        "steps": recipe.steps,
        "windows" if video else "crops": recipe.steps * recipe.batch,
        "minutes": round(seconds / 60, 1),
        "device": f"cpu, {torch.get_num_threads()} threads",
        "backbone": "frozen, that of spatial-frame"
        if video
        else f"begun with the parameters of {recipe.start} where layers agree; {trained}"
        if recipe.start
        else "trained from random parameters",
        **(begun_from(name, recipe) if video else {}),
        "degradation": f"motion blur up to {recipe.longest:g} px (1/256 of the crop's height), then noise, then JPEG",
    }
    command = f"python -m freqviz train {run.name}"
    if run.name.endswith("-more"):  # further seeds of what has a card
        further = {"seeds": seeds, "minutes": budget["minutes"], "command": command}
        every = sorted({*models.card(name).get("seeds", ()), *seeds})
        models.write_card(name, **{"seeds": every, "further seeds": further})
        return
    if recipe.variant:  # the same network, trained otherwise
        models.write_card(
            name,
            **{f"{'heads ' if video else ''}{recipe.variant}": {"budget": budget, "seeds": seeds, "command": command}},
        )
        return
    models.write_card(
        name,
        idea=" ".join(str(sys.modules[models.NETWORKS[name].__module__].__doc__).split()),
        data=f"{len(stills)} stills of LSPET (Johnson and Everingham, CVPR 2011), {len(clips)} training clips of JHMDB "
        "split 1 (Jhuang et al., ICCV 2013); film titles of the validation part and of the test split left out",
        joints="JHMDB's convention: the face is the head, hips are those of an annotation puppet. LSPET's joints "
        + ("weigh 0.3 in the loss." if video else "have outputs of their own in training."),
        budget=budget,
        seeds=seeds,
        command=command,
        curve=curve(run, name),
    )


def begun_from(name: str, recipe: Recipe) -> dict[str, str]:
    """For a card: what heads that begin with a trained network took from it, and whom a student learns from."""
    if own := getattr(models.build(name, recipe.variant), "start", ""):
        return {"start": f"the parameters of {own}; those of freq-deblur, before it, stay frozen"}
    if not recipe.start:
        return {}
    kept = "alignment and fusion stay" if issubclass(models.NETWORKS[name], TwoStreams) else "its alignment stays"
    told = {"start": f"the parameters of {recipe.start}; {kept} frozen"}
    if name == "freq-motion-distilled" and recipe.variant != "alone":
        told["teacher"] = f"the running average of {recipe.teacher}, in the same run, after {ALONE:.0%} of the steps"
    return told


def curve(run: Path, name: str, most: int = 60) -> dict[str, list[float]]:
    """How a training went, thinned for the card: columns of its log by name, of the first of its seeds.

    Args:
        run: folder of the training, or a log in it.
        name: of the network, where the logs of several lie there.
        most: rows, at least 2: the first, the last, and others evenly between.
    Returns:
        Lists of one length, `step` among them; empty where nothing was logged.
    Raises:
        ValueError: the log is no table of numbers.
    """
    run = Path(run)
    logs = [run, run / "log.csv", *sorted(run.glob(f"log-{name}-*.csv"))]
    path = next((path for path in logs if path.is_file()), None)
    if path is None:
        return {}
    with open(path, newline="") as lines:
        rows = list(csv.DictReader(lines))
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)).tolist()
    try:
        return {column: [float(f"{float(rows[row][column]):.4g}") for row in chosen] for column in (rows or [{}])[0]}
    except (TypeError, ValueError):
        raise ValueError(f"{path} must be a table of numbers") from None
