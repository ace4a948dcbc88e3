"""Training: one loop for every network, checkpoints that resume exactly, a queue for slots of minutes.

Sample i of a run is the same in every run and on every machine (it is drawn from (seed, i)), so a resumed run sees what
an uninterrupted one would have seen. A run lives in `runs/<name>/`: state.pt (parameters, averages, optimiser,
step; not for git), log.csv (step, seconds, loss terms, validation); the finished checkpoint goes to `models/weights/`.
"""

import copy
import math
import time
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

import models
from freqviz import crops, poses
from freqviz.learn import data, distill, restore
from freqviz.learn.flow import give_flow
from freqviz.learn.losses import cross_entropy, enter, head_loss, targets
from freqviz.learn.recipes import ALONE, HEADS, RECIPES, Recipe
from freqviz.learn.record import Log, State, write_card
from freqviz.learn.steps import begin_as, calm, cycle, descend, optimiser, update_average
from models.dct_input import DctInput
from models.freq_restored import FreqRestored
from models.motion import TwoStreams
from models.network import PoseNetwork, channels_last
from models.spatial_frame import SpatialFrame
from models.video import ALIGNMENT, VideoNetwork

OPEN = 0.55  # of the steps are over when it begins to close; before, channels close that nothing has learned to read


def validate_frames(network: SpatialFrame, clips: data.Clips, every: int = 12) -> NDArray[np.float64]:
    """PCK at .05, .1, .2 of a single-frame network on undegraded key frames with true boxes; box norm."""
    crops_, boxes, truths, counts = [], [], [], []
    for c in range(len(clips)):
        for t in range(0, len(clips.joints[c]), every):
            person = clips.person(c, t)
            if person.counts.sum() >= data.MINIMUM_JOINTS:
                crops_.append(crops.cut(clips.frame(c, t), person.box))
                boxes.append(person.box)
                truths.append(person.joints)
                counts.append(person.counts)
    found = []
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(crops_), 32):
            batch = torch.from_numpy(np.stack(crops_[start : start + 32])).permute(0, 3, 1, 2).float() / 255
            found.append(network(batch[:, None]).float().numpy())
    keypoints, _ = poses.decode(np.concatenate(found))
    placed = np.stack([crops.to_frame(k, b) for k, b in zip(keypoints, boxes, strict=True)])
    truth, chosen = np.stack(truths), np.stack(counts)
    return poses.pck(placed, truth, poses.box_norm(truth, chosen), chosen)


def train_frames(recipe: Recipe, root: Path, run: Path, minutes: float = math.inf, say: Callable = print) -> bool:
    """Train the single-frame network; True when it came to its last step, False when the minutes ran out."""
    cv2.setNumThreads(1)  # before workers are forked: in them, stopping inherited threads would wait for ever
    state = State(run, minutes)
    stills = data.Stills.open(root / "lspet")
    clips = data.Clips(root / "jhmdb", "train", run.parent / "cache")
    held = data.Clips(root / "jhmdb", "validation", run.parent / "cache")
    torch.manual_seed(recipe.seed)
    network = channels_last(models.build(recipe.network, recipe.variant))
    assert isinstance(network, SpatialFrame)
    known: Container[str] = ()
    start: PoseNetwork | None = None
    if recipe.start:
        start = models.load(recipe.start)
        begin_as(network, start, network.kept)
        known = set(start.state_dict()) if network.kept else ()
    average = copy.deepcopy(network).eval()
    solver = optimiser(network, recipe, known)
    log, step = Log(run / "log.csv"), state.step
    if earlier := state.take():
        network.load_state_dict(earlier["network"])
        average.load_state_dict(earlier["average"])
        solver.load_state_dict(earlier["solver"])

    def save() -> None:
        state.save(step, network=network.state_dict(), average=average.state_dict(), solver=solver.state_dict())

    running, seen = 0.0, 0
    while step < recipe.steps:
        first, end = cycle(recipe, step)
        if step == first and first > 0:
            network.load_state_dict(average.state_dict())
            solver = optimiser(network, recipe, known)
        switch = int(end * recipe.small) if first == 0 else first
        size = (128, 96) if step < switch else crops.SIZE
        until = switch if step < switch else end
        samples = data.FrameSamples(
            stills, clips, recipe.seed, size, step * recipe.batch, (until - step) * recipe.batch
        )
        loader = DataLoader(samples, recipe.batch, num_workers=2, prefetch_factor=3, worker_init_fn=calm)
        for batch in loader:
            network.train()
            if isinstance(network, DctInput):
                network.backbone.gate.closes = step >= OPEN * recipe.steps
            frames = (batch["frames"].float() / 255).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                encoded = enter(network, start, frames) if isinstance(network, DctInput) else network.encode(frames)
                logits = network.logits(encoded["f4"], encoded["f8"], encoded["f16"])
            logits = logits.unflatten(1, (2, -1))[torch.arange(len(frames)), batch["convention"]]
            loss = cross_entropy(logits, targets(batch["joints"], logits.shape[-2:], 4), batch["counts"])
            if "lesson" in encoded:
                loss = loss + encoded["lesson"]
            descend(loss, solver, network.parameters(), recipe, step, longest=5.0)
            step += 1
            update_average(average, network, recipe.average, step)
            running, seen = running + loss.item(), seen + 1
            place = f"{recipe.network} {step}/{recipe.steps}"
            if step % recipe.validate_every == 0 or step == recipe.steps:
                score, seconds = validate_frames(average, held), state.seconds
                found = {f"pck{limit}": value for limit, value in zip(("05", "10", "20"), score, strict=True)}
                log.add(step=step, seconds=seconds, loss=running / seen, **found)
                say(f"{place} {seconds:.0f}s loss {running / seen:.3f} PCK {score.round(3)}")
                running, seen = 0.0, 0
            elif step % 50 == 0:
                say(f"{place} {state.seconds:.0f}s loss {running / seen:.3f}")
            if step % recipe.save_every == 0 or step == recipe.steps:
                save()
            if state.over and step < recipe.steps:
                save()
                return False
    models.save(recipe.network, average, variant=recipe.variant)
    write_card(recipe.network, recipe, [recipe.seed], run, state.seconds, stills, clips)
    return True


class Head:
    """A video network in training on a frozen backbone: its own parameters, their average, and their optimiser.

    Args:
        network: begun.
        known: as `optimiser` takes them.
        lesson: what is trained beside it.
    """

    def __init__(
        self,
        network: VideoNetwork,
        recipe: Recipe,
        known: Container[str] = (),
        lesson: distill.Lesson | None = None,
    ):
        self.network, self.average = network.train(), copy.deepcopy(network).eval()
        self.lesson = lesson
        self.solver = optimiser(nn.ModuleList([network, *filter(None, [lesson])]), recipe, known)

    def state(self) -> dict[str, Any]:
        """All that a later run goes on from."""
        return {
            "network": own_state(self.network),
            "average": own_state(self.average),
            "solver": self.solver.state_dict(),
            **({"lesson": self.lesson.state_dict()} if self.lesson is not None else {}),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        if self.lesson is not None:
            self.lesson.load_state_dict(state["lesson"])
        self.network.load_state_dict(state["network"], strict=False)
        self.average.load_state_dict(state["average"], strict=False)
        self.solver.load_state_dict(state["solver"])

    def learn(self, loss: Tensor, recipe: Recipe, step: int) -> None:
        """Make step number `step` (from 0) of a recipe down a loss."""
        every = [p for group in self.solver.param_groups for p in group["params"]]
        descend(loss, self.solver, every, recipe, step)
        update_average(self.average, self.network, recipe.average, step)


def _begun_head(name: str, seed: int, recipe: Recipe, frame: SpatialFrame, start: PoseNetwork | None) -> Head:
    """A head at its first step: begun by its seed, then with what it takes from trained networks."""
    name, _, variant = name.partition(" ")
    torch.manual_seed(seed)
    network = models.build(name, variant)
    assert isinstance(network, VideoNetwork)
    network.start_from(frame)
    if isinstance(network, FreqRestored):
        begin_as(network, models.load(network.start))
        begin_as(network.restorer, models.load("freq-deblur", variant=variant))
    if isinstance(start, VideoNetwork):
        begin_as(network, start, network.kept or ALIGNMENT)
        network.logits.prefer_as(start.logits)
    give_flow(network)
    student = isinstance(network, TwoStreams) and network.source is None and variant != "alone"
    known = {f"0.{key}" for key in start.state_dict()} if start is not None else ()
    return Head(network, recipe, known, distill.Lesson() if recipe.teacher and student else None)


def train_heads(
    recipe: Recipe,
    heads: list[tuple[str, int]],
    root: Path,
    run: Path,
    minutes: float = math.inf,
    say: Callable = print,
) -> bool:
    """Train the heads of video networks on one frozen backbone, side by side on the same windows.

    Every frame passes the backbone once for all heads, which makes several seeds affordable on two cores. A seed
    changes the initialisation; the windows are the same for all, so the twins differ in nothing but themselves.

    Args:
        heads: (network, seed) of each head.
    Returns:
        True when the last step was made, False when the minutes ran out.
    """
    cv2.setNumThreads(1)  # before workers are forked: in them, stopping inherited threads would wait for ever
    state = State(run, minutes)
    stills = data.Stills.open(root / "lspet")
    clips = data.Clips(root / "jhmdb", "train", run.parent / "cache")
    frame = models.load("spatial-frame")
    assert isinstance(frame, SpatialFrame)
    start = models.load(recipe.start) if recipe.start else None
    of = {head: _begun_head(*head, recipe, frame, start) for head in heads}
    backbone = channels_last(next(iter(of.values())).network.frame)
    teacher = next(held.average for (name, _), held in of.items() if name == recipe.teacher) if recipe.teacher else None
    step = state.step
    if earlier := state.take():
        for held, kept in zip(of.values(), earlier["heads"], strict=True):
            held.load(kept)

    def save() -> None:
        state.save(step, heads=[held.state() for held in of.values()])

    first, count = step * recipe.batch, (recipe.steps - step) * recipe.batch
    samples = data.WindowSamples(stills, clips, recipe.seed, first, count, recipe.radius, recipe.longest)
    loader = DataLoader(samples, recipe.batch, num_workers=2, prefetch_factor=2, worker_init_fn=calm)
    sums: dict[tuple[str, int], dict[str, float]] = {head: {} for head in heads}
    for batch in loader:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            frames = batch["frames"].float() / 255  # (B, T, 3, H, W)
            shared = backbone.encode(frames.flatten(0, 1).contiguous(memory_format=torch.channels_last))
            leader = of[heads[0]].network
            fused = share_appearance(leader, frames, shared) if isinstance(leader, TwoStreams) else {}
            if any(held.network.privileged for held in of.values()):
                key = (batch["sharp"].float() / 255).contiguous(memory_format=torch.channels_last)
                batch["sharp_f8"] = backbone.encode(key)["f8"]
        taught = None
        if isinstance(teacher, TwoStreams) and step >= ALONE * recipe.steps:
            taught = distill.teach(teacher, frames, shared, fused)
        for head, held in of.items():
            shown = middle_frames(held.network.frames, frames, shared, batch)
            loss, terms = head_loss(held.network, *shown, fused, held.lesson, taught)
            held.learn(loss, recipe, step)
            for term, value in terms.items():
                sums[head][term] = sums[head].get(term, 0.0) + value
        step += 1
        if step % recipe.validate_every == 0 or step == recipe.steps:
            seconds = state.seconds
            for (head_name, seed), total in sums.items():
                name = head_name.replace(" ", "-")
                means = {term: value / recipe.validate_every for term, value in total.items()}
                Log(run / f"log-{name}-{seed}.csv").add(step=step, seconds=seconds, **means)
                say(
                    f"{name} {seed} {step}/{recipe.steps} {seconds:.0f}s "
                    + " ".join(f"{k} {v:.3f}" for k, v in means.items())
                )
            sums = {head: {} for head in heads}
        if step % recipe.save_every == 0 or step == recipe.steps:
            save()
        if state.over and step < recipe.steps:
            save()
            return False
    for (head_name, seed), held in of.items():
        name, _, variant = head_name.partition(" ")
        models.save(name, held.average, seed, variant or recipe.variant)
    for head_name in dict(heads):
        name, _, variant = head_name.partition(" ")
        seeds = [seed for other, seed in heads if other == head_name]
        told = replace(recipe, variant=variant) if variant else recipe
        write_card(name, told, seeds, run, state.seconds, stills, clips)
    return True


def middle_frames(
    count: int, frames: Tensor, shared: dict[str, Tensor], batch: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """The `count` middle frames of windows (B, T, ...), of their shared maps (B·T, ...), and of what a batch knows."""
    first = (frames.shape[1] - count) // 2
    if not first:
        return frames, shared, batch
    middle = slice(first, first + count)
    maps = {name: of.unflatten(0, frames.shape[:2])[:, middle].flatten(0, 1) for name, of in shared.items()}
    return frames[:, middle], maps, batch | {name: batch[name][:, middle] for name in ("joints", "counts", "lengths")}


def share_appearance(network: VideoNetwork, frames: Tensor, shared: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the frozen twin that the heads of a run have in common makes of a batch (B, T, 3, H, W)."""
    assert isinstance(network, TwoStreams)
    whole = {**shared, **network.own(frames.flatten(0, 1))}
    return network.appearance({name: maps.unflatten(0, frames.shape[:2]) for name, maps in whole.items()})


def own_state(network: VideoNetwork) -> dict[str, Tensor]:
    """Parameters of a video network without the frozen backbone."""
    return {name: values for name, values in network.state_dict().items() if not name.startswith("frame.")}


def run(
    name: str, minutes: float = math.inf, root: Path | None = None, runs: Path = Path("runs"), say: Callable = print
) -> bool:
    """Train by recipe, from where it stopped; True when the budget is spent.

    Args:
        name: "spatial-frame", a video network (its first three seeds), "video-pair" (both, side by side), "freq-deblur"
            (with its twin).
        minutes: stop after these, to go on another time.
        root: folder of the data sets; see `data.data_root`.
        runs: where states and logs lie.
    Raises:
        LookupError: no such recipe.
        FileNotFoundError: the data sets are not there.
    """
    if name not in RECIPES:
        raise LookupError(f"no recipe named '{name}'; known recipes: {', '.join(RECIPES)}")
    recipe, root = RECIPES[name], data.data_root(root)
    if name == "freq-deblur":
        return restore.train_pair(recipe, root, runs / name, minutes, say)
    if name in HEADS:
        return train_heads(recipe, HEADS[name], root, runs / name, minutes, say)
    return train_frames(recipe, root, runs / name, minutes, say)


def run_queue(path: Path, minutes: float = math.inf, root: Path | None = None, runs: Path = Path("runs")) -> bool:
    """Train a list of recipes, one name a line, one after the other, within a slot of minutes.

    What is finished is passed over, what was cut off goes on; `#` begins a comment. True when all are finished.
    """
    names = [line.split("#")[0].strip() for line in Path(path).read_text().splitlines()]
    end = time.monotonic() + 60 * minutes
    for name in filter(None, names):
        left = (end - time.monotonic()) / 60
        if left <= 0 or not run(name, left, root, runs):
            return False
    return True
