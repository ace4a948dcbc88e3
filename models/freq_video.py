"""`freq-video`: the twin, guided by spectra.

To `spatial-video` it adds (1) a phase-correlation prior in local windows, gated by its confidence; (2) gates of offsets
*and* modulation masks from the spectrum of the frame difference through a learned complex filter; (3) relative log band
energy of the image, local, in the logits of the frame weights; (4) a Fourier heatmap loss in training.
Conventions: frequencies in cycles per input pixel; transforms in float32 with norm="ortho" and the size given.
Ideas: Zhu et al., ICCV 2023 (spectrum guides alignment, energy guides aggregation); Li et al., MFPI, ICCV 2023;
Rao et al., GFNet, NeurIPS 2021 (learned global filters); Kuglin and Hines 1975 (phase correlation).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import Encoded, start_at_zero
from models.probe import Probe
from models.spectral import counted, radii
from models.video import CHANNELS, GLOBAL, Gates, Guide, VideoNetwork

BANDS = (
    (0.008, 0.02),
    (0.02, 0.045),
    (0.045, 0.09),
    (0.09, 0.18),
)  # cycles/pixel; the first hardly feels blur
FLOOR = (0.36, 0.5)  # where only noise is left
POOL = 48  # input pixels: extent of the Hann window that makes energies local
WINDOW = 64  # input pixels: of phase correlation; shorter windows hold too few cycles
REACH = 20  # pixels: displacements looked for, less than a third of the window
PASS = (0.012, 0.13)  # cycles/pixel; a blur of 31 px leaves little above
GRID = (12, 9)  # of the maps at stride 16


def hann(size: int) -> Tensor:
    """(size, size) symmetric Hann window."""
    line = torch.hann_window(size, periodic=False)
    return line[:, None] * line[None]


class BandEnergy(nn.Module):
    """Log energy of the image in rings of frequency, in local Hann windows, above the floor of noise."""

    rings: Tensor
    share: Tensor
    window: Tensor
    inside: Tensor

    def __init__(self, height: int, width: int):
        super().__init__()
        radius = radii(height, width)
        rings = torch.stack([((radius >= low) & (radius < high)).float() for low, high in (*BANDS, FLOOR)])
        bins = (rings * counted(width)).sum((-2, -1))
        self.register_buffer("rings", rings, persistent=False)
        self.register_buffer("share", bins[:-1] / bins[-1], persistent=False)  # noise of a band per noise of the floor
        window = hann(POOL)
        self.register_buffer("window", (window / window.sum())[None, None], persistent=False)
        ones = functional.conv2d(torch.ones(1, 1, height, width), self.window, stride=16, padding=16)
        self.register_buffer("inside", ones, persistent=False)
        self.energy = Probe("band_energy", "band y x", 16)

    def forward(self, luma: Tensor) -> Tensor:
        """Luma (N, 1, H, W) in [0, 1] to log energies (N, bands, H/16, W/16), squared grey per pixel."""
        return self.energy(self.log(luma))

    def log(self, luma: Tensor) -> Tensor:
        """As `forward`, unseen by the probe."""
        image = luma.float() - luma.float().mean((-2, -1), keepdim=True)
        spectrum = torch.fft.rfft2(image, norm="ortho")
        bands = torch.fft.irfft2(spectrum * self.rings, s=image.shape[-2:], norm="ortho")  # (N, bands + 1, H, W)
        local = functional.conv2d(bands.square().flatten(0, 1)[:, None], self.window, stride=16, padding=16)
        local = (local / self.inside).view(len(luma), -1, *local.shape[-2:])
        signal = local[:, :-1] - local[:, -1:] * self.share[:, None, None]
        return torch.log(signal.clamp_min(1e-6))


class PhasePrior(nn.Module):
    """How far the content of local windows moved from the key frame, and how sure that is."""

    band: Tensor
    hann: Tensor
    perfect: Tensor
    places: Tensor

    def __init__(self, height: int, width: int):
        super().__init__()
        self.tops = [round(i * (height - WINDOW) / 4) for i in range(5)]
        self.lefts = [round(i * (width - WINDOW) / 2) for i in range(3)]
        radius = radii(WINDOW, WINDOW)
        ramp = ((radius - PASS[0]) / 0.006).clamp(0, 1) * ((PASS[1] - radius) / 0.03).clamp(0, 1)
        self.register_buffer("band", ramp, persistent=False)
        self.register_buffer("hann", hann(WINDOW), persistent=False)
        perfect = torch.fft.irfft2(ramp.to(torch.complex64), s=(WINDOW, WINDOW), norm="ortho")[0, 0]
        self.register_buffer("perfect", perfect, persistent=False)  # peak of a pure displacement
        y = (torch.arange(GRID[0]) * 16 + 7.5 - (self.tops[0] + 31.5)) / (self.tops[-1] - self.tops[0])
        x = (torch.arange(GRID[1]) * 16 + 7.5 - (self.lefts[0] + 31.5)) / (self.lefts[-1] - self.lefts[0])
        places = torch.stack(torch.meshgrid(2 * x - 1, 2 * y - 1, indexing="xy"), -1)  # (12, 9, 2)
        self.register_buffer("places", places[None], persistent=False)
        self.gain = nn.Parameter(torch.zeros(()))  # 0: nothing is believed at the start
        self.slope = nn.Parameter(torch.tensor(12.0))
        self.threshold = nn.Parameter(torch.tensor(0.35))
        self.shift = Probe("phase_prior", "frame xy y x", 16)
        self.confidence = Probe("phase_confidence", "frame y x", 16)

    def encode(self, luma: Tensor) -> Tensor:
        """Spectra of Hann windows of luma (N, 1, H, W): complex (N, 15, 64, 33)."""
        luma = luma[:, 0].float()
        windows = torch.stack([luma[:, t : t + WINDOW, x : x + WINDOW] for t in self.tops for x in self.lefts], 1)
        mean = (windows * self.hann).sum((-2, -1), keepdim=True) / self.hann.sum()
        return torch.fft.rfft2((windows - mean) * self.hann, norm="ortho")

    def forward(self, spectra: Tensor, key: int, others: list[int]) -> tuple[Tensor, Tensor]:
        """Spectra (B, T, 15, 64, 33) to displacements (B, N, 2, 12, 9) input pixels, confidences (B, N, 12, 9)."""
        cross = spectra[:, key, None].conj() * spectra[:, others]  # peak at the displacement key -> other
        amplitude = cross.abs()
        white = cross / (amplitude + 0.05 * amplitude.mean((-2, -1), keepdim=True) + 1e-12)
        surface = torch.fft.irfft2(white * self.band, s=(WINDOW, WINDOW), norm="ortho")
        surface = torch.fft.fftshift(surface, (-2, -1))
        middle = WINDOW // 2
        near = slice(middle - REACH, middle + REACH + 1)
        surface = surface[..., near, near] / self.perfect  # (B, N, 15, 41, 41), 1 = perfect
        side = 2 * REACH + 1
        height, place = surface.flatten(-2).max(-1)
        steps = torch.arange(side, device=surface.device, dtype=torch.float32) - REACH
        y, x = steps[place // side], steps[place % side]
        close = ((steps[:, None] - y[..., None, None]).abs() <= 2) & ((steps - x[..., None, None]).abs() <= 2)
        mass = torch.where(close, surface.clamp_min(0) ** 4, torch.zeros(()))  # sub-pixel: mean around the peak
        total = mass.sum((-2, -1)).clamp_min(1e-12)
        shift = torch.stack([(mass.sum(-2) * steps).sum(-1) / total, (mass.sum(-1) * steps).sum(-1) / total], -1)
        told = torch.cat([shift, height[..., None]], -1).movedim(-1, 2)  # (B, N, 3, 15)
        coarse = told.unflatten(-1, (5, 3)).flatten(0, 1)
        dense = functional.grid_sample(
            coarse, self.places.expand(len(coarse), -1, -1, -1), padding_mode="border", align_corners=True
        ).unflatten(0, told.shape[:2])
        return self.shift(dense[:, :, :2]), self.confidence(dense[:, :, 2].clamp(0, 1))

    def believed(self, shift: Tensor, confidence: Tensor) -> Tensor:
        """The displacement as far as its confidence earns it; nothing at the start of training."""
        gate = torch.tanh(self.gain) * torch.sigmoid(self.slope * (confidence - self.threshold))
        return shift * gate[:, :, None]


class SpectralGates(nn.Module):
    """Gates of offsets and masks from the spectrum of the difference, through a learned filter.

    d = S_other · (1 + g) - S_key, g a gain per frequency from the change of log amplitude (blur), then
    irfft2(filter · d): each place of the result has seen the whole map.
    """

    def __init__(self, height: int, width: int, channels: int = CHANNELS):
        super().__init__()
        self.reduce = nn.Conv2d(channels, GLOBAL, 1)
        self.blur = nn.Sequential(nn.Conv2d(GLOBAL, GLOBAL, 1), nn.ReLU(), nn.Conv2d(GLOBAL, GLOBAL, 1))
        start_at_zero(self.blur[2])
        start = torch.zeros(GLOBAL, height, width // 2 + 1, 2)
        start[..., 0] = 1  # passes everything
        self.filter = nn.Parameter(start)
        self.difference = Probe("difference_spectrum", "channel v u", 8)
        self.learned = Probe("learned_filter", "channel v u", 8)
        self.described = Probe("spectral_descriptor", "channel y x", 8)
        self.gate = Gates(GLOBAL)

    def forward(self, key: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, C, h, w) of stride 8 to gates (N, 9, h, w) of offsets and masks."""
        size = key.shape[-2:]
        s_key, s_other = (torch.fft.rfft2(self.reduce(maps).float(), norm="ortho") for maps in (key, other))
        change = torch.log(s_other.abs() + 1e-2) - torch.log(s_key.abs() + 1e-2)  # (N, 16, h, w // 2 + 1)
        difference = self.difference(s_other * (1 + torch.tanh(self.blur(change).float())) - s_key)
        learned = self.learned(torch.view_as_complex(self.filter.float())[None])[0]
        described = torch.fft.irfft2(difference * learned, s=size, norm="ortho")
        return self.gate(self.described(described))


class FrequencyGuide(Guide):
    """Everything that looks at spectra."""

    hints = 3
    evidence = len(BANDS)

    def __init__(self) -> None:
        super().__init__()
        height, width = VideoNetwork.input_size
        self.energy = BandEnergy(height, width)
        self.phase = PhasePrior(height, width)
        self.spectral = SpectralGates(height // 8, width // 8)
        self.trust = nn.Parameter(torch.full((len(BANDS) - 1,), -0.9))  # softplus: more energy never counts less
        self.energy_logit = Probe("energy_logit", "frame y x", 16)

    def encode(self, luma: Tensor) -> Encoded:
        with torch.autocast(luma.device.type, enabled=False):
            return {"band_energy": self.energy(luma), "window_spectra": self.phase.encode(luma)}

    def again(self, luma: Tensor) -> Encoded:
        with torch.autocast(luma.device.type, enabled=False):
            return {"band_energy": self.energy.log(luma), "window_spectra": self.phase.encode(luma)}

    def prior(self, window: Encoded, key: int, others: list[int]) -> tuple[Tensor, Tensor]:
        with torch.autocast(window["f4"].device.type, enabled=False):
            shift, confidence = self.phase(window["window_spectra"], key, others)
        hints = torch.cat([shift / 16 * confidence[:, :, None], confidence[:, :, None]], 2)
        return self.phase.believed(shift, confidence) / 16, hints

    def gates(self, key: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(key.device.type, enabled=False):
            return self.spectral(key.float(), other.float())

    def logit(self, window: Encoded) -> tuple[Tensor, Tensor]:
        """Relative sharpness: log energy of each band over that of the lowest, less the mean of the frames."""
        log = window["band_energy"].float()  # (B, T, bands, h, w)
        sharpness = log[:, :, 1:] - log[:, :, :1]  # exposure cancels
        relative = sharpness - sharpness.mean(1, keepdim=True)
        logit = (functional.softplus(self.trust)[:, None, None] * relative).sum(2)
        evidence = torch.cat([log[:, :, :1] - log[:, :, :1].mean(1, keepdim=True), relative], 2)
        return self.energy_logit(logit), evidence


class FreqVideo(VideoNetwork):
    """Five frames aligned, weighted and fused with what their spectra tell."""

    def __init__(self) -> None:
        super().__init__(FrequencyGuide())
