"""Training: one loop for every network, checkpoints that resume exactly, a queue for slots of minutes.

Sample i of a run is the same in every run and on every machine (it is drawn from (seed, i)), so a resumed run sees what
an uninterrupted one would have seen. A run lives in `runs/<name>/`: state.pt (parameters, averages, optimiser,
step; not for git), log.csv (step, seconds, loss terms, validation); the finished checkpoint goes to `models/weights/`.
"""

import copy
import csv
import math
import sys
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
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
from freqviz.learn import data, distill
from freqviz.learn.flow import give_flow
from models.align import sample
from models.dct_input import DctInput
from models.freq_full import FreqFull
from models.freq_restored import FreqRestored
from models.motion import TwoStreams
from models.network import PoseNetwork, channels_last, density
from models.probe import watch
from models.spatial_frame import SpatialFrame
from models.spectral import counted, radii
from models.video import ALIGNMENT, VideoNetwork

SIGMA = 1.25  # of the target density; heatmap cells


@dataclass(frozen=True)
class Recipe:
    """How one network is trained."""

    network: str
    steps: int
    batch: int = 64
    rate: float = 2e-3  # peak learning rate
    decay: float = 0.05  # weight decay
    warmup: int = 200  # steps
    average: float = 0.998  # of the exponential moving average
    small: float = 0.6  # share of the steps (before a restart) on 128x96 crops, 2.2 times as fast
    restart: int | None = None  # step from which everything begins anew, at the average's parameters and .6 of the rate
    longest: float = data.LONGEST  # px of motion blur in windows; the frames of the backbone always reach 47
    variant: str = ""  # name of a training other than the usual one
    teacher: str = ""  # head of the same run that heads without a source of motion learn from, but for "alone"
    start: str = ""  # network with whose parameters it begins, where names and shapes agree
    radius: int = 2  # frames of a window on each side of the key frame; heads that see fewer are shown the middle ones
    seed: int = 0
    validate_every: int = 500
    save_every: int = 200


VIDEO = Recipe(
    "video", steps=400, batch=16, rate=1e-3, decay=0.02, warmup=40, average=0.99, validate_every=25, save_every=25
)
ALONE = 1 / 3  # of the steps are over when students begin to learn from their teacher
TUNED = Recipe("", steps=700, rate=8e-4, warmup=50, small=0, start="spatial-frame", validate_every=100, save_every=50)
RECIPES = {
    "spatial-frame": Recipe("spatial-frame", steps=7500, restart=3900),
    "dct-input": replace(TUNED, network="dct-input", steps=900),
    "dct-input-x2": replace(TUNED, network="dct-input", steps=500, variant="x2"),
    "global-filter": replace(TUNED, network="global-filter", steps=400),
    "video-pair": VIDEO,
    "video-pair-more": VIDEO,
    "spatial-video": VIDEO,
    "freq-video": VIDEO,
    "video-pair-15px": replace(VIDEO, longest=15.0, variant="15px"),
    "freq-deblur": Recipe(
        "freq-deblur",
        steps=1100,
        batch=8,
        rate=1.5e-3,
        decay=0.02,
        warmup=60,
        average=0.995,
        validate_every=100,
        save_every=50,
    ),
    "motion": replace(VIDEO, steps=700, start="spatial-video", teacher="freq-motion"),
    "spectral-heads": replace(VIDEO, steps=350, start="spatial-video"),
    "long-windows": replace(VIDEO, steps=200, batch=8, start="spatial-video", radius=7),
    "freq-restored": replace(VIDEO, steps=200, rate=5e-4),
}
HEADS = {
    "spatial-video": [("spatial-video", seed) for seed in range(3)],
    "freq-video": [("freq-video", seed) for seed in range(3)],
    "video-pair-15px": [("spatial-video", 0), ("freq-video", 0)],
    "video-pair": [(name, seed) for seed in range(3) for name in ("spatial-video", "freq-video")],
    "video-pair-more": [(name, seed) for seed in (3, 4) for name in ("spatial-video", "freq-video")],
    "motion": [
        (name, 0)
        for name in (
            "freq-motion",
            "freq-motion pixels",
            "freq-motion flow",
            "freq-motion-distilled",
            "freq-motion-distilled alone",
            "freq-4d",
            "freq-4d fourier",
        )
    ],
    "spectral-heads": [("multi-frequency", 0), ("freq-full", 0), ("freq-full conv3d", 0), ("spatial-video longer", 0)],
    "freq-restored": [("freq-restored", 0), ("freq-restored spatial", 0)],
    "long-windows": [(f"freq-full {form}", 0) for form in FreqFull.variants if form.startswith("T")],
}  # (network, seed), or ("network variant", seed)


def targets(joints: Tensor, size: tuple[int, ...], stride: int, sigma: float = SIGMA) -> Tensor:
    """Densities of a Gaussian at each joint; (N, J, 2) crop pixels to (N, J, h, w), each sums to 1."""
    h, w = size
    cells = (joints - (stride - 1) / 2) / stride
    x = torch.arange(w, device=joints.device) - cells[..., 0:1]
    y = torch.arange(h, device=joints.device) - cells[..., 1:2]
    bell = torch.exp(-(y**2) / (2 * sigma**2))[..., :, None] * torch.exp(-(x**2) / (2 * sigma**2))[..., None, :]
    return bell / bell.sum((-2, -1), keepdim=True).clamp_min(1e-12)


def cross_entropy(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy between densities, averaged over the joints that count; nats."""
    logs = torch.log_softmax(logits.float().flatten(-2), -1)
    each = -(target.flatten(-2) * logs).sum(-1)
    return (each * counts).sum() / counts.sum().clamp_min(1)


def cycle(recipe: Recipe, step: int) -> tuple[int, int]:
    """First step and end of the cycle that a step belongs to: of the whole, or of one side of the restart."""
    if recipe.restart is None:
        return 0, recipe.steps
    return (0, recipe.restart) if step < recipe.restart else (recipe.restart, recipe.steps)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero; once more after a restart, with .6 of the peak.

    Reference:
        Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.
    """
    first, end = cycle(recipe, step)
    peak = recipe.rate if first == 0 else 0.6 * recipe.rate
    if step < first + recipe.warmup:
        return peak * (step - first + 1) / recipe.warmup
    progress = (step - first - recipe.warmup) / max(1, end - first - recipe.warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def optimiser(network: nn.Module, recipe: Recipe, known: Container[str] = ()) -> torch.optim.AdamW:
    """AdamW; no decay on norms and biases; a higher rate where something is learned from nothing.

    Args:
        known: names of the parameters that a trained network began; the others then have four times the rate. Without
            any, offsets have three times the rate.
    """

    def times(name: str) -> int:
        return (1 if name in known else 4) if known else 3 if "align" in name else 1

    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    groups = [
        {"params": chosen, "weight_decay": recipe.decay if decays else 0.0, "times": faster}
        for faster in sorted({times(name) for name, _ in named})
        for decays in (True, False)
        if (chosen := [p for name, p in named if (p.ndim > 1) == decays and times(name) == faster])
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)


def begin_as(network: nn.Module, other: nn.Module, kept: tuple[str, ...] = ()) -> int:
    """Take the parameters and statistics of another network where names and shapes agree; how many values.

    Args:
        kept: prefixes of the parameters that then stay as they are.
    """
    mine = network.state_dict()
    same = {name: v for name, v in other.state_dict().items() if name in mine and v.shape == mine[name].shape}
    network.load_state_dict(same, strict=False)
    for name, values in network.named_parameters():
        if name.startswith(kept):
            values.requires_grad_(False)
    return sum(v.numel() for v in same.values())


def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of parameters; buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, now in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for held, new in zip(average.buffers(), network.buffers(), strict=True):
            held.copy_(new)


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
    run.mkdir(parents=True, exist_ok=True)
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
    state, log, step, spent = run / "state.pt", Log(run / "log.csv"), 0, 0.0
    if state.is_file():
        held_state = torch.load(state, weights_only=True)
        network.load_state_dict(held_state["network"])
        average.load_state_dict(held_state["average"])
        solver.load_state_dict(held_state["solver"])
        step, spent = held_state["step"], held_state["seconds"]
    begun = time.monotonic()

    def save() -> None:
        part = state.with_suffix(".part")
        seconds = spent + time.monotonic() - begun
        torch.save(
            {"network": network.state_dict(), "average": average.state_dict(), "solver": solver.state_dict(),
             "step": step, "seconds": seconds}, part,
        )  # fmt: skip
        part.rename(state)

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
        loader = DataLoader(samples, recipe.batch, num_workers=2, prefetch_factor=3, worker_init_fn=_calm)
        for batch in loader:
            network.train()
            if isinstance(network, DctInput):
                network.backbone.gate.closes = step >= OPEN * recipe.steps
            for group in solver.param_groups:
                group["lr"] = learning_rate(recipe, step) * group["times"]
            frames = (batch["frames"].float() / 255).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                encoded = enter(network, start, frames) if isinstance(network, DctInput) else network.encode(frames)
                logits = network.logits(encoded["f4"], encoded["f8"], encoded["f16"])
            logits = logits.unflatten(1, (2, -1))[torch.arange(len(frames)), batch["convention"]]
            loss = cross_entropy(logits, targets(batch["joints"], logits.shape[-2:], 4), batch["counts"])
            if "lesson" in encoded:
                loss = loss + encoded["lesson"]
            solver.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            solver.step()
            step += 1
            update_average(average, network, recipe.average, step)
            running, seen = running + loss.item(), seen + 1
            place = f"{recipe.network} {step}/{recipe.steps}"
            if step % recipe.validate_every == 0 or step == recipe.steps:
                score = validate_frames(average, held)
                seconds = spent + time.monotonic() - begun
                log.add(
                    step=step,
                    seconds=seconds,
                    loss=running / seen,
                    pck05=score[0],
                    pck10=score[1],
                    pck20=score[2],
                )
                say(f"{place} {seconds:.0f}s loss {running / seen:.3f} PCK {score.round(3)}")
                running, seen = 0.0, 0
            elif step % 50 == 0:
                say(f"{place} {spent + time.monotonic() - begun:.0f}s loss {running / seen:.3f}")
            if step % recipe.save_every == 0 or step == recipe.steps:
                save()
            if time.monotonic() - begun > 60 * minutes and step < recipe.steps:
                save()
                return False
    models.save(recipe.network, average, variant=recipe.variant)
    write_card(recipe.network, recipe, [recipe.seed], run, spent + time.monotonic() - begun, stills, clips)
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
        for group in self.solver.param_groups:
            group["lr"] = learning_rate(recipe, step) * group["times"]
        self.solver.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in self.solver.param_groups for p in group["params"]], 1.0)
        self.solver.step()
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
    run.mkdir(parents=True, exist_ok=True)
    stills = data.Stills.open(root / "lspet")
    clips = data.Clips(root / "jhmdb", "train", run.parent / "cache")
    frame = models.load("spatial-frame")
    assert isinstance(frame, SpatialFrame)
    start = models.load(recipe.start) if recipe.start else None
    of = {head: _begun_head(*head, recipe, frame, start) for head in heads}
    backbone = channels_last(next(iter(of.values())).network.frame)
    teacher = next(held.average for (name, _), held in of.items() if name == recipe.teacher) if recipe.teacher else None
    state, step, spent = run / "state.pt", 0, 0.0
    if state.is_file():
        saved = torch.load(state, weights_only=True)
        for held, kept in zip(of.values(), saved["heads"], strict=True):
            held.load(kept)
        step, spent = saved["step"], saved["seconds"]
    begun = time.monotonic()

    def save() -> None:
        part, seconds = state.with_suffix(".part"), spent + time.monotonic() - begun
        torch.save({"heads": [held.state() for held in of.values()], "step": step, "seconds": seconds}, part)
        part.rename(state)

    first, count = step * recipe.batch, (recipe.steps - step) * recipe.batch
    samples = data.WindowSamples(stills, clips, recipe.seed, first, count, recipe.radius, recipe.longest)
    loader = DataLoader(samples, recipe.batch, num_workers=2, prefetch_factor=2, worker_init_fn=_calm)
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
            seconds = spent + time.monotonic() - begun
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
        if time.monotonic() - begun > 60 * minutes and step < recipe.steps:
            save()
            return False
    for (head_name, seed), held in of.items():
        name, _, variant = head_name.partition(" ")
        models.save(name, held.average, seed, variant or recipe.variant)
    for head_name in dict(heads):
        name, _, variant = head_name.partition(" ")
        seeds = [seed for other, seed in heads if other == head_name]
        told = replace(recipe, variant=variant) if variant else recipe
        write_card(name, told, seeds, run, spent + time.monotonic() - begun, stills, clips)
    return True


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


def head_loss(
    network: VideoNetwork,
    frames: Tensor,
    shared: dict[str, Tensor],
    batch: dict[str, Tensor],
    fused: dict[str, Tensor] | None = None,
    lesson: distill.Lesson | None = None,
    taught: distill.Taught | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one video network on a batch of windows, and its terms.

    Cross entropy of the key frame's densities; true displacement of the joints for the offsets (both twins); for a
    network that looks at energy also the ranking of energies and frame weights by the true blur, and the Fourier loss;
    for a student what its teacher showed; for a privileged one what the undegraded key frame shows.
    """
    watched = ("alignment_offset", "frame_weights", "energy_logit", "joined_feature", "enhanced_feature")
    with watch(network, watched) as seen, torch.autocast("cpu", torch.bfloat16):
        own = network.own(frames.flatten(0, 1))
        window = {name: maps.unflatten(0, frames.shape[:2]) for name, maps in {**shared, **own}.items()} | (fused or {})
        logits = network.fused_logits(window)
    middle = network.frames // 2
    counts = batch["counts"][:, middle]
    target = targets(batch["joints"][:, middle], logits.shape[-2:], network.stride)
    # LSPET's convention differs: its windows teach alignment and weights more than places
    share = counts * torch.where(batch["still"], 0.3, 1.0)[:, None]
    pose = cross_entropy(logits, target, share)
    loss, terms = pose, {"pose": pose.item()}
    if next(network.align8.parameters()).requires_grad:
        offsets = displacement_loss(seen, batch, middle)
        loss, terms = loss + 0.03 * offsets, terms | {"offset": offsets.item()}
    energy = [maps for path, maps in seen.items() if path.endswith("energy_logit")]
    if energy:
        weights = next(maps for path, maps in seen.items() if path.endswith("frame_weights"))
        lengths = batch["lengths"].clone()
        if network.restores:  # how sharp its key frame is now, nobody knows
            lengths[:, middle] = math.nan
        ranking = rank_loss(energy[0].mean((-2, -1)), lengths)
        ranking = ranking + rank_loss(weights.mean((-2, -1)).clamp_min(1e-6).log(), lengths)
        fourier = fourier_loss(density(logits), target, counts)
        loss = loss + 0.1 * ranking + FOURIER * fourier
        terms |= {"rank": ranking.item(), "fourier": fourier.item()}
    elif network.fourier:
        fourier = fourier_loss(density(logits), target, counts)
        loss, terms = loss + FOURIER * fourier, terms | {"fourier": fourier.item()}
    if lesson is not None and taught is None:
        terms |= dict.fromkeys(distill.SHARES, 0.0)  # a log keeps its columns
    elif lesson is not None and taught is not None:
        more, told = lesson(seen["joined"], logits, taught, share)
        loss, terms = loss + more, terms | told
    if network.privileged:
        privilege = privileged_loss(seen["enhanced"][:, middle], batch["sharp_f8"])
        loss, terms = loss + PRIVILEGE * privilege, terms | {"privilege": privilege.item()}
    return loss, terms


def enter(network: DctInput, teacher: nn.Module | None, frames: Tensor) -> dict[str, Tensor]:
    """Encoded frames (N, 3, H, W), with a "lesson": price of open channels, distance of its maps to the teacher's."""
    s4, s8, bits = network.backbone.begin(frames)
    lesson = GATE * bits.mean()
    if isinstance(teacher, SpatialFrame):
        with torch.no_grad():
            shown4 = teacher.backbone.stage(0, teacher.backbone.stem((frames - teacher.backbone.mean) * 4))
            shown8 = teacher.backbone.stage(1, shown4)
        lesson = lesson + privileged_loss(s4, shown4) + privileged_loss(s8, shown8)
    return {**network.backbone.fused(s4, s8), "lesson": lesson}


GATE = 0.1  # of the share of channels that a gate lets through
OPEN = 0.55  # of the steps are over when it begins to close; before, channels close that nothing has learned to read
PRIVILEGE = 0.5  # of a loss that is 1 where the enhanced features are no nearer than the mean of the sharp ones
FOURIER = 0.3  # equals the gradient norm of the cross entropy to within a factor of about ten


def displacement_loss(seen: dict[str, Tensor], batch: dict[str, Tensor], middle: int) -> Tensor:
    """Huber distance (2 px) between the flow at the key frame's joints and where the joints really went; pixels."""
    joints, counts = batch["joints"], batch["counts"]
    others = [t for t in range(joints.shape[1]) if t != middle]
    truth = (joints[:, others] - joints[:, middle, None]).flatten(0, 1)  # (B·4, J, 2)
    chosen = (counts[:, others] & counts[:, middle, None]).flatten(0, 1)
    places = joints[:, middle, None].expand(-1, len(others), -1, -1).flatten(0, 1)
    total = truth.new_zeros(())
    offsets = [maps for path, maps in seen.items() if "align" in path]
    for maps in offsets:  # (B·4, tap, 2, h, w) input pixels
        flow = maps[:, 4] if maps.shape[1] == 9 else maps.mean(1)
        stride = 192 // flow.shape[-2]
        cells = (places - (stride - 1) / 2) / stride
        found = sample(flow, cells.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)  # (B·4, J, 2)
        error = nn.functional.huber_loss(found, truth, reduction="none", delta=2.0).sum(-1) / 2
        total = total + (error * chosen).sum() / chosen.sum().clamp_min(1)
    return total / len(offsets)


def privileged_loss(enhanced: Tensor, sharp: Tensor) -> Tensor:
    """Squared distance of enhanced features to those of the undegraded frame, over the variance of the latter.

    Args:
        enhanced, sharp: (B, C, h, w); no gradient reaches `sharp`.
    """
    sharp = sharp.detach().float()
    spread = (sharp - sharp.mean((0, 2, 3), keepdim=True)).square().mean()
    return (enhanced.float() - sharp).square().mean() / spread.clamp_min(1e-6)


def rank_loss(scores: Tensor, lengths: Tensor) -> Tensor:
    """Logistic loss over pairs of frames whose true blur differs by more than 3 px: the sharper must score higher.

    Args:
        scores: (B, T); lengths: (B, T) px.
    Reference:
        Burges et al., Learning to Rank using Gradient Descent, ICML 2005, eq. 3.
    """
    more = lengths[:, None] - lengths[:, :, None]  # [b, i, j] > 0: j is the more blurred
    pairs = (more > 3).float()
    losses = nn.functional.softplus(-(scores[:, :, None] - scores[:, None]))
    return (losses * pairs).sum() / pairs.sum().clamp_min(1)


def fourier_loss(found: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """L1 distance of the spectra of densities up to .25 cycles/cell, scaled so that a target's peak is 1.

    The spectrum of a density is its characteristic function (Qu et al., CVPR 2023); L1, because L2 with
    norm="ortho" would be the mean squared error of the maps, value and gradient.

    Args:
        found, target: (B, J, h, w) densities; counts: (B, J).
    """
    h, w = found.shape[-2:]
    chosen = (radii(h, w) <= 0.25).float() * counted(w)
    difference = torch.fft.rfft2((found - target) * (2 * math.pi * SIGMA**2) * counts[..., None, None], norm="ortho")
    each = (torch.view_as_real(difference).abs().sum(-1) * chosen).sum((-2, -1)) / chosen.sum()
    return each.sum() / counts.sum().clamp_min(1)


def own_state(network: VideoNetwork) -> dict[str, Tensor]:
    """Parameters of a video network without the frozen backbone."""
    return {name: values for name, values in network.state_dict().items() if not name.startswith("frame.")}


def _calm(_: int) -> None:
    torch.set_num_threads(1)


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
        from freqviz.learn import restore  # which takes its tools from here

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
