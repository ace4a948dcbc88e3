"""Training of `freq-deblur` and its spatial twin, side by side on the same windows.

Loss: Charbonnier distance to the key frame before its damage; for the network that looks at spectra also the L1
distance of the spectra. Both are shown where the content of the undamaged frames went (dense optical flow, which no
network sees at inference). Windows are damaged as the regimes draw them, blurred ones more often, without the traps
for energy.
"""

import copy
import math
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

import models
from freqviz import quality
from freqviz.learn import data
from freqviz.learn.draws import Windows
from freqviz.learn.flow import dis_flow
from freqviz.learn.recipes import Recipe
from freqviz.learn.record import Log, State, curve
from freqviz.learn.steps import calm, descend, optimiser, update_average
from models.freq_deblur import FreqDeblur
from models.probe import watch
from models.spectral import counted
from models.video import LUMA

PAIR = ("", "spatial")  # variants of the network
REGIMES = {"natural": 0.1, "R1": 0.25, "R2": 0.3, "R3": 0.25, "single": 0.1}  # shares of the windows
SPECTRUM = 1.0  # of the spectral loss: its gradient is 1.4 times as long as that of Charbonnier at the start
MOVED = 0.02  # of the distance of offsets to the flow of the undamaged frames
VALIDATED = 24  # windows of each regime that a training looks at now and then


class Samples(data.WindowSamples):
    """Windows as in `WindowSamples`, with the flow of their undamaged frames, key frame to neighbour.

    Item: also "flow" (T - 1, 2, H/4, W/4), dx, dy in pixels.
    """

    def __init__(self, stills: data.Stills, clips: data.Clips, recipe: Recipe, first: int, count: int):
        super().__init__(
            stills, clips, recipe.seed, first, count, longest=recipe.longest, regimes=REGIMES, traps=0, undamaged=True
        )

    def __getitem__(self, i: int) -> dict[str, NDArray]:
        item = super().__getitem__(i)
        luma = torch.from_numpy(item.pop("undamaged").transpose(0, 2, 3, 1) @ np.array(LUMA, np.float32) / 255)
        flow = dis_flow(luma[None], cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)[0]
        item["flow"] = functional.avg_pool2d(flow, 4).numpy()
        return item


def charbonnier(found: Tensor, truth: Tensor) -> Tensor:
    """Mean of sqrt(difference² + 1e-6): L1 with a round bottom.

    Reference:
        Charbonnier et al., Two Deterministic Half-Quadratic Regularization Algorithms, ICIP 1994.
    """
    return torch.sqrt((found - truth).square() + 1e-6).mean()


def spectral_distance(found: Tensor, truth: Tensor) -> Tensor:
    """Mean over the whole plane of |Re| + |Im| of the difference's spectrum, norm="ortho".

    L1, since L2 would be the mean squared error of the pictures, value and gradient.

    Args:
        found, truth: (..., H, W).
    """
    width = found.shape[-1]
    spectrum = torch.view_as_real(torch.fft.rfft2(found - truth, norm="ortho")).abs().sum(-1)
    return (spectrum * counted(width)).mean((-2, -1)).mean() * (width // 2 + 1) / width


def moved_distance(seen: dict[str, Tensor], flow: Tensor) -> Tensor:
    """Huber distance (2 px) of all alignment offsets to the flow (B, T-1, 2, H/4, W/4); pixels, mean over scales."""
    truth, total = flow.flatten(0, 1), flow.new_zeros(())
    offsets = [maps for path, maps in seen.items() if path.endswith("offset")]
    for maps in offsets:  # (N, tap, 2, h, w), of nine the centre is in the middle
        found = maps[:, 4] if maps.shape[1] == 9 else maps.mean(1)
        there = functional.adaptive_avg_pool2d(truth, (found.shape[-2], found.shape[-1]))
        total = total + functional.huber_loss(found.float(), there, delta=2.0) * 2
    return total / len(offsets)


def loss_of(network: FreqDeblur, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch of windows, and its terms."""
    frames, truth = batch["frames"].float() / 255, batch["sharp"].float() / 255
    with watch(network, ["alignment_offset"]) as seen:
        found = network.restore(network.encoded(frames))
    terms = {
        "picture": charbonnier(found, truth),
        "spectrum": spectral_distance(found, truth),
        "moved": moved_distance(seen, batch["flow"]),
    }
    loss = terms["picture"] + MOVED * terms["moved"]
    if network.spectral:
        loss = loss + SPECTRUM * terms["spectrum"]
    return loss, {name: value.item() for name, value in terms.items()}


def to_picture(found: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return np.asarray((found.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy(), np.uint8)


@torch.inference_mode()
def gain(network: FreqDeblur, windows: list[dict[str, Tensor]]) -> float:
    """PSNR of the restored key frames over that of the blurred ones, mean over windows of validation; dB."""
    gains = []
    for batch in windows:
        frames = batch["frames"].float() / 255
        for found, blurred, sharp in zip(network.picture(frames), batch["frames"][:, 2], batch["sharp"], strict=True):
            truth = sharp.permute(1, 2, 0).numpy()
            gains.append(quality.psnr(to_picture(found), truth) - quality.psnr(blurred.permute(1, 2, 0).numpy(), truth))
    return float(np.mean(gains))


def train_pair(recipe: Recipe, root: Path, run: Path, minutes: float = math.inf, say: Callable = print) -> bool:
    """Train the network and its twin; True when they came to the last step, False when the minutes ran out."""
    cv2.setNumThreads(1)  # before workers are forked: in them, stopping inherited threads would wait for ever
    state = State(run, minutes)
    stills = data.Stills.open(root / "lspet")
    clips, held = (data.Clips(root / "jhmdb", part, run.parent / "cache") for part in ("train", "validation"))
    windows = (Windows(held, regime, VALIDATED, sharp=True) for regime in ("R1", "R2", "R3"))
    shown = [batch for several in windows for batch in DataLoader(several, 8)]
    networks = []
    for variant in PAIR:
        torch.manual_seed(recipe.seed)
        networks.append(models.build("freq-deblur", variant).train())
    averages = [copy.deepcopy(network).eval() for network in networks]
    solvers = [optimiser(network, recipe) for network in networks]
    kept = list(zip(networks, averages, solvers, strict=True))
    step = state.step
    if earlier := state.take():
        for (network, average, solver), values in zip(kept, earlier["pair"], strict=True):
            network.load_state_dict(values[0])
            average.load_state_dict(values[1])
            solver.load_state_dict(values[2])

    def save() -> None:
        state.save(step, pair=[tuple(held.state_dict() for held in parts) for parts in kept])

    samples = Samples(stills, clips, recipe, step * recipe.batch, (recipe.steps - step) * recipe.batch)
    loader = DataLoader(samples, recipe.batch, num_workers=2, prefetch_factor=2, worker_init_fn=calm)
    sums, since = [dict.fromkeys(("picture", "spectrum", "moved"), 0.0) for _ in PAIR], 0
    for batch in loader:
        for (network, average, solver), total in zip(kept, sums, strict=True):
            assert isinstance(network, FreqDeblur)
            loss, terms = loss_of(network, batch)
            descend(loss, solver, network.parameters(), recipe, step)
            update_average(average, network, recipe.average, step)
            for name, value in terms.items():
                total[name] += value
        step, since = step + 1, since + 1
        if step % recipe.validate_every == 0 or step == recipe.steps:
            seconds = state.seconds
            for variant, average, total in zip(PAIR, averages, sums, strict=True):
                assert isinstance(average, FreqDeblur)
                row = {name: value / since for name, value in total.items()} | {"gain_db": gain(average, shown)}
                name = "-".join(filter(None, ["freq-deblur", variant]))
                Log(run / f"log-{name}-{recipe.seed}.csv").add(step=step, seconds=seconds, **row)
                say(f"{name} {step}/{recipe.steps} {seconds:.0f}s " + " ".join(f"{k} {v:.4f}" for k, v in row.items()))
                total.update(dict.fromkeys(total, 0.0))
            since = 0
        if step % recipe.save_every == 0 or step == recipe.steps:
            save()
        if state.over and step < recipe.steps:
            save()
            return False
    for variant, average in zip(PAIR, averages, strict=True):
        models.save("freq-deblur", average, recipe.seed, variant)
    write_card(recipe, run, state.seconds, stills, clips)
    return True


def write_card(recipe: Recipe, run: Path, seconds: float, stills: data.Stills, clips: data.Clips) -> None:
    """What the card tells of the training, of the twin too; scores come from the evaluation."""
    name = recipe.network
    budget = {
        "steps": recipe.steps,
        "windows": recipe.steps * recipe.batch,
        "minutes": round(seconds / 60, 1),
        "device": f"cpu, {torch.get_num_threads()} threads, both networks on the same windows",
        "backbone": "none; trained from random parameters, the result begins as the blurred key frame",
        "loss": f"Charbonnier, {SPECTRUM:g} of the L1 distance of spectra (not in the twin), {MOVED:g} of the distance "
        "of offsets to the optical flow of the undamaged frames",
        "degradation": f"motion blur up to {recipe.longest:g} px (1/256 of the crop's height), then noise, then JPEG; "
        + ", ".join(f"{share:.0%} {regime}" for regime, share in REGIMES.items()),
    }
    models.write_card(
        name,
        idea=" ".join(str(sys.modules[models.NETWORKS[name].__module__].__doc__).split()),
        data=f"{len(stills)} stills of LSPET (Johnson and Everingham, CVPR 2011), {len(clips)} training clips of JHMDB "
        "split 1 (Jhuang et al., ICCV 2013); film titles of the validation part and of the test split left out. Many "
        "frames of JHMDB are not sharp themselves: what is called the true key frame is the frame of the data set",
        joints="Predicts none: it restores frames.",
        budget=budget,
        seeds=[recipe.seed],
        command=f"python -m freqviz train {run.name}",
        curve=curve(run, name),
        twin={"variant": "spatial", "curve": curve(run / f"log-{name}-spatial-{recipe.seed}.csv", name)},
    )
