"""`energy-pooling`: the poses of five single frames, averaged by how much fine detail each frame has; learns nothing.

An example of a network of your own: FREQVIZ_NETWORKS=assets/energy_pooling.py make app
Idea: Softmax of band energies over the frames, the best untrained rival of this project's own networks.
"""

import torch
from torch import Tensor

import models
from models.freq_video import BandEnergy
from models.network import Encoded, PoseNetwork, density
from models.probe import Probe
from models.video import luma_of, over_frames

FINE = 2  # the first of the bands that blur takes away


class EnergyPooling(PoseNetwork):
    """Heatmaps of `spatial-frame`, weighed by the energy of its frame above 0.045 cycles/pixel."""

    frames = 5
    backbone_key = "spatial-frame"  # a frame passes it once for all networks that name it

    def __init__(self) -> None:
        super().__init__()
        self.frame = models.load("spatial-frame")
        self.bands = BandEnergy(*self.input_size)
        self.frame_weights = Probe("frame_weights", "frame y x", 16)
        self.heatmap = Probe("heatmap", "joint y x", self.stride)

    def shared(self, frames: Tensor) -> Encoded:
        """(N, 3, H, W) to the maps that the backbone makes of single frames."""
        return self.frame.encode(frames)

    def own(self, frames: Tensor) -> Encoded:
        """The rest of `encode`: log energies (N, bands, H/16, W/16)."""
        return {"bands": self.bands(luma_of(frames))}

    def encode(self, frames: Tensor) -> Encoded:
        return {**self.shared(frames), **self.own(frames)}

    def estimate(self, window: Encoded) -> Tensor:
        maps = [window[name].flatten(0, 1) for name in ("f4", "f8", "f16")]
        heatmaps = density(self.frame.logits(*maps)[:, -len(self.skeleton.names) :])
        heatmaps = heatmaps.unflatten(0, window["bands"].shape[:2])  # (B, T, J, h, w)
        fine = window["bands"][:, :, FINE:].mean((2, 3, 4))
        weights = torch.softmax(fine, 1)[..., None, None].expand(-1, -1, *window["bands"].shape[-2:])
        weights = self.frame_weights(weights)[:, :, None]
        return self.heatmap((over_frames(weights, heatmaps) * heatmaps).sum(1))


NETWORKS = {"energy-pooling": EnergyPooling}
