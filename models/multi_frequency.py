"""`multi-frequency`: the twin, its features enhanced within and between channels before they are aligned.

To `spatial-video` it adds, on the maps of stride 8 of each single frame, (1) a spatial-frequency branch: instance norm
and a learned filter beside a wide depthwise kernel; (2) an energy-frequency interaction of channels: gains from the
energies of each channel in rings of frequency. In training a privileged input, the undegraded key frame, shows what the
enhanced features should be; at inference it is not used.
Idea: Li et al., MFPI, ICCV 2023, reconstructed from its description (no public code); learned filters: Rao et al.,
GFNet, NeurIPS 2021; privileged information: Vapnik and Vashist, Neural Networks 2009.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import start_at_zero
from models.probe import Probe
from models.spectral import SpatialFrequencyBranch, ring_energies
from models.video import ALIGNMENT, CHANNELS, SpatialGuide, VideoNetwork

RINGS = 4  # of frequency, per channel


class EnergyFrequencyInteraction(nn.Module):
    """Each channel's gain in (0, 2) from the log energies of all channels in rings; 1 at the start.

    Unlike the mean that squeeze-and-excitation looks at, energies without the mean do not feel a shift.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Linear(channels * RINGS, 32)
        self.excite = nn.Linear(32, channels)
        start_at_zero(self.excite)
        self.energy = Probe("channel_energy", "channel band", 8)
        self.gain = Probe("energy_gain", "channel", 8)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        energy = self.energy(torch.log(ring_energies(maps, RINGS) + 1e-4))
        relative = energy - energy.mean((-2, -1), keepdim=True)  # exposure cancels
        raw = self.excite(functional.relu(self.squeeze(relative.flatten(1))))
        return maps * self.gain(2 * torch.sigmoid(raw.float()))[..., None, None]


class MultiFrequency(VideoNetwork):
    """Five frames, each enhanced by its spectrum, aligned and fused in pixel space."""

    kept = ALIGNMENT
    privileged = True  # training shows it the undegraded key frame

    def __init__(self) -> None:
        super().__init__(SpatialGuide())
        height, width = self.input_size
        self.branch = SpatialFrequencyBranch(CHANNELS, (height // 8, width // 8), 8)
        self.interaction = EnergyFrequencyInteraction(CHANNELS)
        self.enhanced = Probe("enhanced_feature", "frame channel y x", 8)

    def extract(self, maps: Tensor) -> Tensor:
        single = self.interaction(self.branch(maps.flatten(0, 1)))
        return self.enhanced(single.unflatten(0, maps.shape[:2]))
