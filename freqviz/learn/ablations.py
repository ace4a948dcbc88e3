"""What each choice inside a video network is worth: short trainings on the frozen backbone, exploratory.

Four questions: which loss, which aggregation, which alignment, and whether instance norm carries over to stills. Every
answer is a head of its own, one seed, STEPS steps of BATCH windows of clips (never stills); all see the same windows,
side by side, and all but the networks of "Alignment" read the neighbours by the trained, frozen alignment of
`spatial-video`. Scores are of the films held out (validation): what they say may change the design, so the test split
is not asked.
`python -m freqviz evaluate --ablations` trains what is missing in runs/ablations, then writes
assets/evaluation/ablations.csv.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

import models
from freqviz import crops, poses
from freqviz.learn import data, report, train
from freqviz.learn import evaluate as ev
from models.align import cells, grow, sample
from models.freq_deblur import smoothed
from models.freq_video import BANDS, BandEnergy, FrequencyGuide, PhasePrior, SpectralGates
from models.multi_frequency import MultiFrequency
from models.network import Encoded, channels_last, density
from models.probe import watch
from models.spatial_frame import SpatialFrame
from models.spatial_video import SpatialVideo
from models.spectral import ring_energies
from models.video import ALIGNMENT, CHANNELS, Guide, SpatialGuide, VideoNetwork, over_frames

STEPS, BATCH = 200, 8
RECIPE = train.Recipe("ablations", STEPS, BATCH, rate=1e-3, decay=0.02, warmup=20, average=0.98, save_every=25)
RINGS = 4  # of frequency, where frames are weighed by band
EXPONENT = 11.0  # of Fourier burst accumulation, as its authors have it
SHARPER = 0.25  # cycles/cell: a target has 2 % of its energy above
EVERY = 6  # frames from one key frame to the next
REGIMES = ("R0", "R2", *(f"trap {kind}" for kind in ev.TRAPS))


# ---------------------------------------------------------------- how frames are weighed


class Weighing(SpatialVideo):
    """The twin with another rule of aggregation: `weigh` gives weights that broadcast over maps (B, T, C, h, w)."""

    def weighed(
        self, window: Encoded, key8: Tensor, a4: Tensor, a8: Tensor, a16: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        gain = self.attention(key8, a8)[..., None, None]
        weights = self.weigh(window, key8, a8)
        self.frame_weights(weights.mean(2) / weights.mean(2).sum(1, keepdim=True))
        m4, m8, m16 = (self.mix(weights, gain * maps) for maps in (a4, a8, a16))
        return m4, m8, m16

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        """Weights of aligned frames (B, T, C, h, w) of stride 8; each of the axes C, h, w may be 1."""
        raise NotImplementedError

    def mix(self, weights: Tensor, maps: Tensor) -> Tensor:
        """Weighted sum (B, C, h, w) of frames."""
        if weights.shape[-1] > 1:
            weights = over_frames(weights, maps)
        return (weights * maps).sum(1)


class Mean(Weighing):
    """All frames count alike."""

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        return torch.full_like(frames[:, :, :1, :1, :1], 1 / frames.shape[1])


class SigmoidAttention(Weighing):
    """Each frame by how alike its embedding is to the key frame's, on its own. Wang et al., EDVR, 2019, eq. 4."""

    def __init__(self) -> None:
        super().__init__()
        self.of_key, self.of_frame = nn.Conv2d(CHANNELS, 32, 1), nn.Conv2d(CHANNELS, 32, 1)

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        other = self.of_frame(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        alike = (self.of_key(key)[:, None] * other).float().sum(2, keepdim=True) / math.sqrt(32)
        return 2 * torch.sigmoid(alike) / frames.shape[1]


class BurstAccumulation(Weighing):
    """Each frequency by the amplitude that frames have there, to the power of 11. Delbracio and Sapiro, CVPR 2015."""

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        return self._shares(torch.fft.rfft2(frames.float(), norm="ortho")).mean((-2, -1), keepdim=True)

    def mix(self, weights: Tensor, maps: Tensor) -> Tensor:
        spectra = torch.fft.rfft2(maps.float(), norm="ortho")
        return torch.fft.irfft2((spectra * self._shares(spectra)).sum(1), s=maps.shape[-2:], norm="ortho")

    @staticmethod
    def _shares(spectra: Tensor) -> Tensor:
        power = smoothed(spectra.abs().square().mean(2))  # (B, T, v, u), of all channels
        return torch.softmax(EXPONENT / 2 * torch.log(power + 1e-8), 1)[:, :, None]


class EnergyGuide(SpatialGuide):
    """The twin's guide, which encodes band energies of the image besides."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = BandEnergy(*VideoNetwork.input_size)

    def encode(self, luma: Tensor) -> Encoded:
        with torch.autocast(luma.device.type, enabled=False):
            return {"band_energy": self.energy(luma)}


class EnergyOfFrames(Weighing):
    """Softmax of the image's relative log band energy, one number a frame; `local`: one for each place."""

    def __init__(self, local: bool = False) -> None:
        super().__init__()
        self.guide, self.local = EnergyGuide(), local
        self.trust = nn.Parameter(torch.full((len(BANDS) - 1,), -0.9))

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        log = window["band_energy"].float()
        logit = (functional.softplus(self.trust)[:, None, None] * (log[:, :, 1:] - log[:, :, :1])).sum(2, keepdim=True)
        logit = over_frames(logit, frames) if self.local else logit.mean((-2, -1), keepdim=True)
        return torch.softmax(logit, 1)


class LearnedAndEnergy(EnergyOfFrames):
    """The twin's learned logits plus the local energies: the rule of `freq-video`."""

    def __init__(self) -> None:
        super().__init__(local=True)

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        learned = self.logits(key, frames, over_frames(window["early"].float(), frames))[:, :, None]
        told = super().weigh(window, key, frames).clamp_min(1e-12).log()
        return torch.softmax(learned + told, 1)


class EnergyOfChannels(Weighing):
    """Softmax of log energy above .25 cycles/cell over that below .125, for each channel of the features."""

    def __init__(self) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.full((CHANNELS,), -0.9))

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        log = torch.log(ring_energies(frames.flatten(0, 1), RINGS) + 1e-4).unflatten(0, frames.shape[:2])
        sharpness = log[..., RINGS // 2 :].mean(-1) - log[..., 0]
        return torch.softmax(functional.softplus(self.trust) * sharpness, 1)[..., None, None]


class EnergyOfBands(Weighing):
    """Frames weighed in each ring of frequency by their log energy there, recombined in frequency."""

    def __init__(self) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.zeros(RINGS))

    def weigh(self, window: Encoded, key: Tensor, frames: Tensor) -> Tensor:
        return self._shares(frames).mean(2)[:, :, None, None, None]

    def mix(self, weights: Tensor, maps: Tensor) -> Tensor:
        h, w = maps.shape[-2:]
        radius = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)[None])
        ring = functional.one_hot((radius * 2 * RINGS).long().clamp_max(RINGS - 1), RINGS).float()  # (v, u, R)
        shares = torch.einsum("btr,vur->btvu", self._shares(maps), ring)[:, :, None]
        spectra = torch.fft.rfft2(maps.float(), norm="ortho")
        return torch.fft.irfft2((spectra * shares).sum(1), s=(h, w), norm="ortho")

    def _shares(self, frames: Tensor) -> Tensor:
        """(B, T, R), sum to 1 over frames."""
        energy = ring_energies(frames.flatten(0, 1), RINGS).mean(1).unflatten(0, frames.shape[:2])
        return torch.softmax(functional.softplus(self.trust) * torch.log(energy + 1e-6), 1)


# ---------------------------------------------------------------- how neighbours are aligned


class Unaligned(SpatialVideo):
    """Neighbours are read where they are."""

    def _align(
        self, window: Encoded, f4: Tensor, f8: Tensor, f16: Tensor, others: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        return f4[:, others], f8[:, others], f16[:, others]


class PhaseGuide(Guide):
    """Phase correlation in local windows, as far as it is believed; nothing else."""

    hints = 3

    def __init__(self) -> None:
        super().__init__()
        self.phase = PhasePrior(*VideoNetwork.input_size)

    def encode(self, luma: Tensor) -> Encoded:
        with torch.autocast(luma.device.type, enabled=False):
            return {"window_spectra": self.phase.encode(luma)}

    prior = FrequencyGuide.prior


class PhaseAligned(VideoNetwork):
    """Neighbours are read where phase correlation says; nothing is learned but how much to believe it."""

    def __init__(self) -> None:
        guide = PhaseGuide()
        nn.init.ones_(guide.phase.gain)  # it is all there is: believed from the start
        super().__init__(guide)

    def _align(
        self, window: Encoded, f4: Tensor, f8: Tensor, f16: Tensor, others: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        told = self.guide.prior(window, self.frames // 2, others)
        assert told is not None
        flow = told[0].flatten(0, 1)

        def moved(maps: Tensor, times: int) -> Tensor:
            other = maps[:, others].flatten(0, 1)
            places = times * grow(flow, other) + cells(maps.shape[-2], maps.shape[-1], maps.device)
            return sample(other, places).unflatten(0, (len(maps), len(others)))

        return moved(f4, 4), moved(f8, 2), moved(f16, 1)


class AlignedBySpectra(PhaseGuide):
    """The alignment of `freq-video` alone: phase prior and gates from spectra, no energy in the frame weights."""

    def __init__(self) -> None:
        super().__init__()
        height, width = VideoNetwork.input_size
        self.spectral = SpectralGates(height // 8, width // 8)

    gates = FrequencyGuide.gates


class FrequencyAligned(VideoNetwork):
    """Deformable alignment guided by spectra, the twin's aggregation."""

    def __init__(self) -> None:
        super().__init__(AlignedBySpectra())


def without_instance_norm() -> MultiFrequency:
    """`multi-frequency` whose learned filter sees the maps as they are."""
    network = MultiFrequency()
    network.branch.norm = nn.Identity()  # type: ignore[assignment]
    return network


# ---------------------------------------------------------------- losses


def squared_error(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Mean squared error of densities, scaled so that the peak of a target is 1."""
    each = (_scaled(density(logits)) - _scaled(target)).square().mean((-2, -1))
    return _over(each, counts)


def characteristic_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Mean squared distance of characteristic functions, every frequency up to .25 cycles/cell alike.

    Reference:
        Qu et al., A Characteristic Function-Based Method for Bottom-Up Human Pose Estimation, CVPR 2023.
    """
    difference, chosen = _spectra(density(logits) - target)
    return _over((difference.abs().square() * chosen).sum((-2, -1)) / chosen.sum(), counts)


def phase_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """1 - cos of the difference of phases, weighted by the target's amplitude, up to .25 cycles/cell; in [0, 2]."""
    found, chosen = _spectra(density(logits))
    true, _ = _spectra(target)
    cosine = (found * true.conj()).real / (found.abs() * true.abs()).clamp_min(1e-6)
    weight = true.abs() * chosen
    return _over((weight * (1 - cosine)).sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(1e-6), counts)


def focal_frequency_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Squared distance of spectra, each frequency weighted by its own distance over the largest one.

    Reference:
        Jiang et al., Focal Frequency Loss, ICCV 2021, eq. 8 (alpha = 1), here over the half plane counted twice.
    """
    difference, _ = _spectra(_scaled(density(logits) - target), cap=1.0)
    _, twice = _spectra(target, cap=1.0)
    distance = difference.abs()
    weight = (distance / distance.amax((-2, -1), keepdim=True).clamp_min(1e-12)).detach()
    return _over((weight * distance.square() * twice).sum((-2, -1)) / twice.sum(), counts)


def fourier_l1(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """The Fourier heatmap loss of `freq-video`."""
    return train.fourier_loss(density(logits), target, counts)


def _spectra(maps: Tensor, cap: float = SHARPER) -> tuple[Tensor, Tensor]:
    """Half planes (B, J, v, u), and how often each bin counts in the whole plane: 0 above the cap."""
    h, w = maps.shape[-2:]
    radius = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)[None])
    twice = torch.full((w // 2 + 1,), 2.0)
    twice[0] = 1
    if w % 2 == 0:
        twice[-1] = 1
    return torch.fft.rfft2(maps.float()), (radius <= cap).float() * twice


def _scaled(maps: Tensor) -> Tensor:
    return maps * (2 * math.pi * train.SIGMA**2)


def _over(each: Tensor, counts: Tensor) -> Tensor:
    return (each * counts).sum() / counts.sum().clamp_min(1)


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


# ---------------------------------------------------------------- questions


@dataclass(frozen=True)
class Answer:
    """One head: a network, and what is added to (or stands for) the cross entropy."""

    question: str
    name: str
    build: Callable[[], VideoNetwork] = SpatialVideo
    more: Loss | None = None  # added, with the weight that makes its first gradient as large as the cross entropy's
    alone: bool = False  # `more` instead of the cross entropy
    start: str = "spatial-video"  # whose alignment it begins with and keeps; "": none

    @property
    def row(self) -> str:
        """Unique among all."""
        return f"{self.question}: {self.name}"


LOSSES, WEIGHTS, ALIGNING, NORM = "Losses", "Aggregation", "Alignment", "Instance norm"
BASE = {LOSSES: "cross entropy", WEIGHTS: "learned", ALIGNING: "deformable", NORM: "with"}  # what others are held to
ANSWERS = (
    Answer(LOSSES, "cross entropy"),
    Answer(LOSSES, "mean squared error alone", more=squared_error, alone=True),
    Answer(LOSSES, "+ Fourier L1, radial cap", more=fourier_l1),
    Answer(LOSSES, "+ phase", more=phase_loss),
    Answer(LOSSES, "+ focal frequency", more=focal_frequency_loss),
    Answer(LOSSES, "+ characteristic function", more=characteristic_loss),
    Answer(WEIGHTS, "mean", Mean),
    Answer(WEIGHTS, "sigmoid attention", SigmoidAttention),
    Answer(WEIGHTS, "Fourier burst accumulation", BurstAccumulation),
    Answer(WEIGHTS, "energy, per frame", EnergyOfFrames),
    Answer(WEIGHTS, "energy, per place", partial(EnergyOfFrames, local=True)),
    Answer(WEIGHTS, "energy, per channel", EnergyOfChannels),
    Answer(WEIGHTS, "energy, per band", EnergyOfBands),
    Answer(WEIGHTS, "learned and energy", LearnedAndEnergy),
    Answer(ALIGNING, "none", Unaligned, start=""),
    Answer(ALIGNING, "phase correlation", PhaseAligned, start=""),
    Answer(ALIGNING, "deformable", SpatialVideo, start=""),
    Answer(ALIGNING, "guided by spectra", FrequencyAligned, start=""),
    Answer(NORM, "with", MultiFrequency),
    Answer(NORM, "without", without_instance_norm),
)
SAME = {f"{WEIGHTS}: learned": f"{LOSSES}: cross entropy"}  # one head answers both


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
                train.begin_as(network, twin, ALIGNMENT)
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
    """The state of all heads: parameters, averages, solvers, and how much each further loss counts."""

    def __init__(self, bench: Bench, path: Path):
        self.bench, self.path, self.step = bench, path, 0
        self.averages = [copy.deepcopy(network).eval() for network in bench.networks]
        self.solvers = [train.optimiser(network, RECIPE) for network in bench.networks]
        self.shares = [math.nan] * len(bench.networks)  # of the further loss; set at the first step
        self.losses = [math.nan] * len(bench.networks)
        if path.is_file():
            saved = torch.load(path, weights_only=True)
            if saved["rows"] != [answer.row for answer in bench.answers]:
                raise ValueError(f"{path} holds other heads than there are now: remove it to train anew")
            for held, *mine in zip(saved["heads"], bench.networks, self.averages, self.solvers, strict=True):
                for one, values in zip(mine[:2], held[:2], strict=True):
                    one.load_state_dict(values, strict=False)  # type: ignore[attr-defined]
                mine[2].load_state_dict(held[2])  # type: ignore[attr-defined]
            self.step, self.shares = saved["step"], saved["shares"]

    def save(self) -> None:
        """Put all of it in the file."""
        heads = [
            (train.own_state(network), train.own_state(average), solver.state_dict())
            for network, average, solver in zip(self.bench.networks, self.averages, self.solvers, strict=True)
        ]
        rows, part = [answer.row for answer in self.bench.answers], self.path.with_suffix(".part")
        torch.save({"rows": rows, "heads": heads, "step": self.step, "shares": self.shares}, part)
        part.rename(self.path)

    def learn(self, batch: dict[str, Tensor]) -> None:
        """One step of every head on a batch of windows."""
        frames = batch["frames"].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.bench.seen(frames)
        for n, (answer, network, solver) in enumerate(
            zip(self.bench.answers, self.bench.networks, self.solvers, strict=True)
        ):
            for group in solver.param_groups:
                group["lr"] = train.learning_rate(RECIPE, self.step) * group["times"]
            loss = self._loss(n, answer, network, frames, seen, batch)
            solver.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_([p for group in solver.param_groups for p in group["params"]], 1.0)
            solver.step()
            train.update_average(self.averages[n], network, RECIPE.average, self.step)
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
        target = train.targets(batch["joints"][:, middle], logits.shape[-2:], network.stride)
        loss = train.cross_entropy(logits, target, counts)
        if answer.more is not None:
            more = answer.more(logits, target, counts)
            if math.isnan(self.shares[n]):
                sizes = [torch.autograd.grad(one, logits, retain_graph=True)[0].norm().item() for one in (loss, more)]
                self.shares[n] = sizes[0] / max(sizes[1], 1e-12)
            loss = self.shares[n] * more + (0 if answer.alone else 1) * loss
        if not answer.start and offsets:  # it learns to align: where the joints went
            loss = loss + 0.03 * train.displacement_loss(offsets, batch, middle)
        return loss


def run(root: Path, runs: Path = Path("runs"), minutes: float = math.inf, say: Callable = print) -> bool:
    """Train all heads in runs/ablations, from where it stopped; False when the minutes ran out."""
    cv2.setNumThreads(1)  # before workers are forked: in them, stopping inherited threads would wait for ever
    folder = runs / RECIPE.network
    folder.mkdir(parents=True, exist_ok=True)
    clips, stills = data.Clips(root / "jhmdb", "train", runs / "cache"), data.Stills.open(root / "lspet")
    training, begun = Training(Bench(), folder / "state.pt"), time.monotonic()
    first, count = training.step * BATCH, (STEPS - training.step) * BATCH
    samples = data.WindowSamples(stills, clips, RECIPE.seed, first, count, still=0.0)
    for batch in DataLoader(samples, BATCH, num_workers=2, prefetch_factor=2, worker_init_fn=train._calm):
        training.learn(batch)
        out_of_time = time.monotonic() - begun > 60 * minutes
        if training.step % RECIPE.save_every == 0 or training.step == STEPS or out_of_time:
            training.save()
            say(f"ablations {training.step}/{STEPS} {time.monotonic() - begun:.0f}s, loss {training.losses[0]:.3f}")
        if out_of_time and training.step < STEPS:
            return False
    return True


# ---------------------------------------------------------------- scores


STILLS, SHARP = "LSPET stills", "R0"  # where `NORM` is asked: pictures of another kind, and clips of the kind it saw


class StillWindows(Dataset[dict[str, NDArray]]):
    """Every 40th still of LSPET, five times the same frame, cut by its true box; items as those of `ev.Windows`."""

    regime = STILLS

    def __init__(self, root: Path):
        self.stills = data.Stills.open(root / "lspet")
        self.numbers = [n for n in range(0, len(self.stills), 40) if self._person(n)[1].counts.sum() >= 6]

    def _person(self, n: int) -> tuple[NDArray[np.uint8], data.Person]:
        picture = np.ascontiguousarray(self.stills.read(n))
        return picture, self.stills.person(n, picture.shape[:2])

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, i: int) -> dict[str, NDArray]:
        picture, person = self._person(self.numbers[i])
        cut = crops.cut(picture, person.box).transpose(2, 0, 1)
        return {
            "frames": np.repeat(cut[None], 5, 0),
            "joints": np.repeat(person.joints[None], 5, 0),
            "counts": person.counts,
            "box": person.box,
            "lengths": np.zeros(5),
            "trapped": np.array(-1),
            "key": np.array([i, 0]),
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
    target = train.targets(torch.from_numpy(truth).float(), size, 4)
    difference, near = _spectra(heat - target)
    power, every = _spectra(heat, cap=1.0)[0].abs().square(), _spectra(heat, cap=1.0)[1]
    whole = (power * every).sum((-2, -1))
    return {
        "pose": ev.placed(heat, batch["box"]),
        "peak": np.stack([crops.to_frame(k, b) for k, b in zip(peak, boxes, strict=True)]),
        "spectrum": ((difference.abs() * near).sum((-2, -1)) / near.sum()).numpy(),
        "above": (1 - (power * near).sum((-2, -1)) / whole).numpy(),
    }


def evaluate(root: Path, runs: Path = Path("runs"), say: Callable = print) -> dict[str, dict[str, NDArray]]:
    """Predictions of every trained head by regime, made once: runs/evaluation/validation/ablations.

    Raises:
        FileNotFoundError: the heads are not trained to the end.
    """
    state = runs / RECIPE.network / "state.pt"
    bench = Bench()
    training = Training(bench, state)
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
        windows = StillWindows(root) if regime == STILLS else ev.Windows(clips, regime, step=EVERY)
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
    score = ev.scored(arrays, row, sources)
    told = ev.bootstrap(score, ev.scored(arrays, base, sources), 0)
    peaks = {"pose/peak": arrays[f"peak/{row}"]} | {name: arrays[name] for name in ("truth", "counts", "key")}
    counts = arrays["counts"]
    line = {
        "frames": len(counts),
        "films": len(np.unique(score.source)),
        **{f"pck@{alpha}": score.pck[i] for i, alpha in enumerate(poses.ALPHAS[:2])},
        "pck@0.05 of the highest cell": ev.scored(peaks, "peak", sources).pck[0],
        **({name: told[name] for name in ("difference", "low", "high")} if row != base else {}),
        **{name: float(arrays[f"{name}/{row}"][counts].mean()) for name in ("spectrum", "above")},
    }
    if (arrays["trapped"] >= 0).all():
        slots, n = np.arange(5) - 2, np.arange(len(counts))
        sharp = ((arrays["lengths"] == 0) & (slots != 0)).argmax(1)
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
