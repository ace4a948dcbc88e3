"""What ablations ask: other losses, rules of aggregation and alignments for the twin, each a head to be trained.

Losses take logits and target densities (B, J, h, w) and which joints count (B, J), and give a mean over the joints.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqviz.learn import losses
from models.align import cells, grow, sample
from models.freq_deblur import smoothed
from models.freq_video import BANDS, BandEnergy, FrequencyGuide, PhasePrior, SpectralGates
from models.multi_frequency import MultiFrequency
from models.network import Encoded, density
from models.spatial_video import SpatialVideo
from models.spectral import counted, radii, ring_energies
from models.video import CHANNELS, Guide, SpatialGuide, VideoNetwork, over_frames

RINGS = 4  # of frequency, where frames are weighed by band
EXPONENT = 11.0  # of Fourier burst accumulation, as its authors have it
SHARPER = 0.25  # cycles/cell: a target has 2 % of its energy above


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
        ring = functional.one_hot((radii(h, w) * 2 * RINGS).long().clamp_max(RINGS - 1), RINGS).float()  # (v, u, R)
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
    difference, chosen = spectra(density(logits) - target)
    return _over((difference.abs().square() * chosen).sum((-2, -1)) / chosen.sum(), counts)


def phase_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """1 - cos of the difference of phases, weighted by the target's amplitude, up to .25 cycles/cell; in [0, 2]."""
    found, chosen = spectra(density(logits))
    true, _ = spectra(target)
    cosine = (found * true.conj()).real / (found.abs() * true.abs()).clamp_min(1e-6)
    weight = true.abs() * chosen
    return _over((weight * (1 - cosine)).sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(1e-6), counts)


def focal_frequency_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Squared distance of spectra, each frequency weighted by its own distance over the largest one.

    Reference:
        Jiang et al., Focal Frequency Loss, ICCV 2021, eq. 8 (alpha = 1), here over the half plane counted twice.
    """
    difference, twice = spectra(_scaled(density(logits) - target), cap=1.0)
    distance = difference.abs()
    weight = (distance / distance.amax((-2, -1), keepdim=True).clamp_min(1e-12)).detach()
    return _over((weight * distance.square() * twice).sum((-2, -1)) / twice.sum(), counts)


def fourier_l1(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """The Fourier heatmap loss of `freq-video`."""
    return losses.fourier_loss(density(logits), target, counts)


def spectra(maps: Tensor, cap: float = SHARPER) -> tuple[Tensor, Tensor]:
    """Half planes (B, J, v, u), and how often each bin counts in the whole plane: 0 above the cap."""
    h, w = maps.shape[-2:]
    return torch.fft.rfft2(maps.float()), (radii(h, w) <= cap).float() * counted(w)


def _scaled(maps: Tensor) -> Tensor:
    return maps * (2 * math.pi * losses.SIGMA**2)


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
