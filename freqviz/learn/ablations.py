"""What each choice inside a video network is worth: short trainings on the frozen backbone, exploratory.

Four questions: which loss, which aggregation, which alignment, and whether instance norm carries over to stills. Every
answer is a head of its own, one seed, STEPS steps of BATCH windows of clips (never stills); all see the same windows,
side by side, and all but the networks of "Alignment" read the neighbours by the trained, frozen alignment of
`spatial-video`. Scores are of the films held out (validation): what they say may change the design, so the test split
is not asked.
`python -m freqviz evaluate --ablations` trains what is missing in runs/ablations, then writes
assets/evaluation/ablations.csv.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import models
from freqviz import crops, poses
from freqviz.learn import data, draws, losses, predictions, recipes, record, report, steps, train
from freqviz.learn import evaluate as ev
from freqviz.learn.answers import ANSWERS, BASE, LOSSES, NORM, SAME, WEIGHTS, Answer, spectra
from freqviz.learn.evidence import Frames
from freqviz.learn.scoring import bootstrap, scored, sharp_neighbour
from models.multi_frequency import MultiFrequency
from models.network import Encoded, channels_last, density
from models.probe import watch
from models.spatial_frame import SpatialFrame
from models.video import ALIGNMENT, VideoNetwork

STEPS, BATCH = 200, 8
RECIPE = recipes.Recipe("ablations", STEPS, BATCH, rate=1e-3, decay=0.02, warmup=20, average=0.98, save_every=25)
EVERY = 6  # frames from one key frame to the next
REGIMES = ("R0", "R2", *(f"trap {kind}" for kind in draws.TRAPS))


# ---------------------------------------------------------------- training


class Bench:
    """All heads, and what they have in common: the backbone, and the rows that the frozen alignment makes."""

    def __init__(self, answers: tuple[Answer, ...] = ANSWERS):
        frame, twin = models.load("spatial-frame"), models.load("spatial-video")
        assert isinstance(frame, SpatialFrame)
        assert isinstance(twin, VideoNetwork)
        self.answers, self.frame, self.twin = answers, channels_last(frame), twin
        self.networks: list[VideoNetwork] = []
        for answer in answers:
            torch.manual_seed(RECIPE.seed)
            network = answer.build()
            network.start_from(frame)
            if answer.start:
                steps.begin_as(network, twin, ALIGNMENT)
            self.networks.append(network.train())

    @torch.no_grad()
    def seen(self, frames: Tensor) -> tuple[Encoded, tuple[Tensor, ...]]:
        """Of frames (B, T, 3, H, W) in [0, 1]: the backbone's maps, and every frame as the twin aligns it."""
        shape, flat = frames.shape[:2], frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        shared = {name: maps.unflatten(0, shape) for name, maps in self.frame.encode(flat).items()}
        own = {name: maps.unflatten(0, shape) for name, maps in self.twin.own(flat).items()}
        return shared, self.twin.rows(shared | own)

    def logits(
        self, answer: Answer, network: VideoNetwork, frames: Tensor, seen: tuple[Encoded, tuple[Tensor, ...]]
    ) -> Tensor:
        """(B, J, H/4, W/4) of one head; where nothing but the aggregation is its own, from the twin's rows."""
        shared, rows = seen
        own = network.own(frames.flatten(0, 1))
        window = shared | {name: maps.unflatten(0, frames.shape[:2]) for name, maps in own.items()}
        same = answer.start and not isinstance(network, MultiFrequency)  # which enhances frames before their alignment
        return network.fused_logits(window, rows if same else ())


class Training:
    """The state of all heads, and how much each further loss counts."""

    def __init__(self, bench: Bench, folder: Path, minutes: float = math.inf):
        self.bench, self.state = bench, record.State(folder, minutes)
        self.step = self.state.step
        self.heads = [train.Head(network, RECIPE) for network in bench.networks]
        self.shares = [math.nan] * len(bench.networks)  # of the further loss; set at the first step
        self.losses = [math.nan] * len(bench.networks)
        if saved := self.state.take():
            if saved["rows"] != [answer.row for answer in bench.answers]:
                raise ValueError(f"{self.state.path} holds other heads than there are now: remove it to train anew")
            for head, held in zip(self.heads, saved["heads"], strict=True):
                head.load(held)
            self.shares = saved["shares"]

    @property
    def averages(self) -> list[VideoNetwork]:
        """What is scored of each head."""
        return [head.average for head in self.heads]

    def save(self) -> None:
        """Put all of it in the file."""
        rows, heads = [answer.row for answer in self.bench.answers], [head.state() for head in self.heads]
        self.state.save(self.step, rows=rows, heads=heads, shares=self.shares)

    def learn(self, batch: dict[str, Tensor]) -> None:
        """One step of every head on a batch of windows."""
        frames = batch["frames"].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.bench.seen(frames)
        for n, (answer, head) in enumerate(zip(self.bench.answers, self.heads, strict=True)):
            loss = self._loss(n, answer, head.network, frames, seen, batch)
            head.learn(loss, RECIPE, self.step)
            self.losses[n] = loss.item()
        self.step += 1

    def _loss(
        self,
        n: int,
        answer: Answer,
        network: VideoNetwork,
        frames: Tensor,
        seen: tuple[Encoded, tuple[Tensor, ...]],
        batch: dict[str, Tensor],
    ) -> Tensor:
        middle = frames.shape[1] // 2
        with watch(network, ["alignment_offset"]) as offsets, torch.autocast("cpu", torch.bfloat16):
            logits = self.bench.logits(answer, network, frames, seen)
        counts = batch["counts"][:, middle].float()
        target = losses.targets(batch["joints"][:, middle], logits.shape[-2:], network.stride)
        loss = losses.cross_entropy(logits, target, counts)
        if answer.more is not None:
            more = answer.more(logits, target, counts)
            if math.isnan(self.shares[n]):
                sizes = [torch.autograd.grad(one, logits, retain_graph=True)[0].norm().item() for one in (loss, more)]
                self.shares[n] = sizes[0] / max(sizes[1], 1e-12)
            loss = self.shares[n] * more + (0 if answer.alone else 1) * loss
        if not answer.start and offsets:  # it learns to align: where the joints went
            loss = loss + 0.03 * losses.displacement_loss(offsets, batch, middle)
        return loss


def run(root: Path, runs: Path = Path("runs"), minutes: float = math.inf, say: Callable = print) -> bool:
    """Train all heads in runs/ablations, from where it stopped; False when the minutes ran out."""
    cv2.setNumThreads(1)  # before workers are forked: in them, stopping inherited threads would wait for ever
    clips, stills = data.Clips(root / "jhmdb", "train", runs / "cache"), data.Stills.open(root / "lspet")
    training = Training(Bench(), runs / RECIPE.network, minutes)
    first, count = training.step * BATCH, (STEPS - training.step) * BATCH
    samples = data.WindowSamples(stills, clips, RECIPE.seed, first, count, still=0.0)
    for batch in DataLoader(samples, BATCH, num_workers=2, prefetch_factor=2, worker_init_fn=steps.calm):
        training.learn(batch)
        out_of_time = training.state.over
        if training.step % RECIPE.save_every == 0 or training.step == STEPS or out_of_time:
            training.save()
            say(f"ablations {training.step}/{STEPS} {training.state.seconds:.0f}s, loss {training.losses[0]:.3f}")
        if out_of_time and training.step < STEPS:
            return False
    return True


# ---------------------------------------------------------------- scores


STILLS, SHARP = "LSPET stills", "R0"  # where `NORM` is asked: pictures of another kind, and clips of the kind it saw


class StillWindows(Frames):
    """Every 40th still of LSPET, five times the same frame, cut by its true box; items as those of `draws.Windows`."""

    def __init__(self, root: Path):
        super().__init__(root, "lspet", 40, Path())
        self.regime = STILLS

    def __getitem__(self, n: int) -> dict[str, NDArray]:
        one = super().__getitem__(n)
        return {
            "frames": np.repeat(one["frame"][None], 5, 0),
            "joints": np.repeat(one["truth"][None], 5, 0),
            "counts": one["counts"],
            "box": one["box"],
            "lengths": np.zeros(5),
            "trapped": np.array(-1),
            "key": np.array([n, 0]),
        }


@torch.inference_mode()
def predict(
    bench: Bench, averages: list[VideoNetwork], windows: Dataset, chosen: list[int], say: Callable = print
) -> dict[str, NDArray]:
    """What some of the heads find in windows.

    Returns:
        By row: "pose/" (N, 14, 2) frame pixels by DARK, "peak/" the same by the highest cell, "spectrum/" (N, 14) L1
        distance of the heatmap's spectrum to the target's up to .25 cycles/cell, "above/" (N, 14) share of the
        heatmap's energy above that, "weights/" (N, 5) mean frame weights; truth, counts, lengths, trapped, key.
    """
    found: dict[str, list[NDArray]] = {}
    for batch in DataLoader(windows, 8, num_workers=1, prefetch_factor=2):
        frames = batch["frames"].float() / 255
        seen = bench.seen(frames)
        for n in chosen:
            row, network = bench.answers[n].row, averages[n]
            with watch(network, ["frame_weights"]) as weights:
                heat = density(bench.logits(bench.answers[n], network, frames, seen))
            for name, values in measures(heat, batch).items():
                found.setdefault(f"{name}/{row}", []).append(values)
            found.setdefault(f"weights/{row}", []).append(next(iter(weights.values())).mean((-2, -1)).numpy())
        found.setdefault("truth", []).append(batch["joints"][:, 2].numpy())
        for name in ("counts", "lengths", "trapped", "key"):
            found.setdefault(name, []).append(batch[name].numpy())
    say(f"{windows.regime}: {len(windows)} windows, {len(chosen)} heads")  # type: ignore[attr-defined,arg-type]
    return {name: np.concatenate(parts) for name, parts in found.items()}


def measures(heat: Tensor, batch: dict[str, Tensor]) -> dict[str, NDArray]:
    """What `predict` says of densities (B, J, h, w)."""
    boxes, size = batch["box"].numpy(), heat.shape[-2:]
    cell = heat.flatten(-2).argmax(-1)
    peak = 4 * torch.stack([cell % size[1], cell // size[1]], -1).double().numpy() + 1.5
    truth = np.stack(
        [crops.transform(j, crops.matrix(b)) for j, b in zip(batch["joints"][:, 2].numpy(), boxes, strict=True)]
    )
    target = losses.targets(torch.from_numpy(truth).float(), size, 4)
    difference, near = spectra(heat - target)
    found, every = spectra(heat, cap=1.0)
    power = found.abs().square()
    whole = (power * every).sum((-2, -1))
    return {
        "pose": predictions.placed(heat, batch["box"]),
        "peak": np.stack([crops.to_frame(k, b) for k, b in zip(peak, boxes, strict=True)]),
        "spectrum": ((difference.abs() * near).sum((-2, -1)) / near.sum()).numpy(),
        "above": (1 - (power * near).sum((-2, -1)) / whole).numpy(),
    }


def evaluate(root: Path, runs: Path = Path("runs"), say: Callable = print) -> dict[str, dict[str, NDArray]]:
    """Predictions of every trained head by regime, made once: runs/evaluation/validation/ablations.

    Raises:
        FileNotFoundError: the heads are not trained to the end.
    """
    bench = Bench()
    training = Training(bench, runs / RECIPE.network)
    state = training.state.path
    if training.step < STEPS:
        raise FileNotFoundError(f"{state} has {training.step} of {STEPS} steps: train them first")
    made = models.file_hash(state)
    folder = ev.part_folder(runs, "validation") / RECIPE.network
    folder.mkdir(parents=True, exist_ok=True)
    clips = data.Clips(root / "jhmdb", "validation", runs / "cache")
    norms = [n for n, answer in enumerate(bench.answers) if answer.question == NORM]
    others = [n for n, answer in enumerate(bench.answers) if answer.question != NORM]
    found = {}
    for regime in (*REGIMES, STILLS):
        path = folder / f"{regime}.npz"
        if path.is_file():
            with np.load(path) as arrays:
                held = {name: arrays[name] for name in arrays.files}
            if str(held.pop("made")) == made:
                found[regime] = held
                continue
        windows = StillWindows(root) if regime == STILLS else draws.Windows(clips, regime, step=EVERY)
        chosen = norms if regime == STILLS else others + norms if regime == SHARP else others
        found[regime] = predict(bench, training.averages, windows, chosen, say)
        np.savez_compressed(path, made=np.array(made), **found[regime])  # type: ignore[arg-type]
    ev.write_sources(clips, folder)
    return found


def table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """A line a question, answer and regime.

    pck@0.05 and pck@0.1, and the first by the highest cell; difference, low, high: of pck@0.05 to the answer that the
    others are held to, paired over films (stills: a film each); spectrum, above: of heatmaps, as in `predict`, joints
    that count; outweighs: share of windows in which the blurred frame with the trap weighs more than the sharp one.
    """
    lines = []
    for question, base in BASE.items():
        rows = dict.fromkeys(
            [*(row for row in SAME if row.startswith(question)), *(a.row for a in ANSWERS if a.question == question)]
        )
        for regime, arrays in found.items():
            of = np.arange(len(arrays["key"])) if regime == STILLS else sources
            for row in rows:
                held = SAME.get(row, row)
                if f"pose/{held}" in arrays and (question != NORM or regime in (STILLS, SHARP)):
                    against = SAME.get(f"{question}: {base}", f"{question}: {base}")
                    name = row.removeprefix(f"{question}: ")
                    lines.append(
                        {"question": question, "row": name, "regime": regime} | _line(arrays, held, against, of)
                    )
    return pd.DataFrame(lines)


def _line(arrays: dict[str, NDArray], row: str, base: str, sources: NDArray) -> dict[str, float]:
    score = scored(arrays, row, sources)
    told = bootstrap(score, scored(arrays, base, sources), 0)
    peaks = {"pose/peak": arrays[f"peak/{row}"]} | {name: arrays[name] for name in ("truth", "counts", "key")}
    counts = arrays["counts"]
    line = {
        "frames": len(counts),
        "films": len(np.unique(score.source)),
        **{f"pck@{alpha}": score.pck[i] for i, alpha in enumerate(poses.ALPHAS[:2])},
        "pck@0.05 of the highest cell": scored(peaks, "peak", sources).pck[0],
        **({name: told[name] for name in ("difference", "low", "high")} if row != base else {}),
        **{name: float(arrays[f"{name}/{row}"][counts].mean()) for name in ("spectrum", "above")},
    }
    if (arrays["trapped"] >= 0).all():
        n, sharp = np.arange(len(counts)), sharp_neighbour(arrays["lengths"])
        weights = arrays[f"weights/{row}"]
        line["outweighs"] = float((weights[n, arrays["trapped"]] > weights[n, sharp] + 1e-9).mean())
    return line


def write(root: Path, runs: Path = Path("runs"), assets: Path | None = None, say: Callable = print) -> pd.DataFrame:
    """Train and predict what is missing, then put down the table."""
    run(root, runs, say=say)
    found = evaluate(root, runs, say)
    info = json.loads((ev.part_folder(runs, "validation") / RECIPE.network / "clips.json").read_text())
    told = table(found, np.array(info["source"]))
    path = (assets or report.ASSETS) / "ablations.csv"
    told.to_csv(path, index=False, float_format="%.5g")
    say(f"table written to {path}")
    return told


def markdown(told: pd.DataFrame) -> str:
    """The table as the README has it: PCK@.05, in parentheses against the answer that the others are held to."""
    text = []
    for question, base in BASE.items():
        lines = told[told["question"] == question]
        regimes = list(dict.fromkeys(lines["regime"]))
        more = ["highest cell, R0", "spectrum, R0", "above .25, R0"] if question == LOSSES else []
        text += [f"| {question}: PCK@.05, % | {' | '.join([*regimes, *more])} |"]
        text += [f"|---|{'--:|' * len([*regimes, *more])}"]
        for row, own in lines.groupby("row", sort=False):
            by = own.set_index("regime")
            cells = [_cell(by.loc[regime], question == WEIGHTS) for regime in regimes]
            if more:
                sharp = by.loc[SHARP]
                cells += [f"{100 * sharp['pck@0.05 of the highest cell']:.1f}"]
                cells += [f"{sharp['spectrum']:.3f}", f"{100 * sharp['above']:.2f} %"]
            text.append(f"| {row}{' (base)' if row == base else ''} | {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text).rstrip("\n")


def _cell(line: pd.Series, weighing: bool) -> str:
    """One score; bold where the interval of its difference leaves out zero; with the share of windows outweighed."""
    text = f"{100 * line['pck@0.05']:.1f}"
    if np.isfinite(line.get("difference", np.nan)):
        apart = f"{100 * line['difference']:+.1f}"
        text += f" (**{apart}**)" if line["low"] > 0 or line["high"] < 0 else f" ({apart})"
    if weighing and np.isfinite(line.get("outweighs", np.nan)):
        text += f", {100 * line['outweighs']:.0f} %"
    return text
