"""`freq-restored`: the key frame restored as `freq-deblur` does, then everything that `freq-video` does.

The restored key frame stands in the place of the blurred one: features, band energies and phase correlation are of a
sharper picture, neighbours are aligned to it, and the frame weights may trust it. The restorer stays as it was trained;
the rest begins as the trained `freq-video`. A restored frame passes the backbone once more.
The variant "spatial" is the twin: the restorer without spectra before `spatial-video`.
Ideas: restoring and recognising in one network, each by what the other needs, here one after the other; for the parts
see `freq-deblur` and `freq-video`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from models.freq_deblur import Restorer
from models.freq_video import FrequencyGuide
from models.network import Encoded, PoseNetwork
from models.probe import probes
from models.video import SpatialGuide, VideoNetwork, luma_of

OF_RESTORER = "restorer "  # what the names of its maps begin with


class FreqRestored(VideoNetwork):
    """Five frames; the middle one is restored before they are aligned, weighted and fused."""

    variants = ("spatial",)
    restores = True

    def __init__(self, variant: str = "") -> None:
        super().__init__(SpatialGuide() if variant == "spatial" else FrequencyGuide())
        self.start = "spatial-video" if variant == "spatial" else "freq-video"  # whose parameters it begins with
        self.restorer = Restorer(variant)
        self.restorer.requires_grad_(False)
        for probe in probes(self.restorer).values():  # the network has others of that name
            if probe.quantity in ("feature", "frame_weights", "alignment_offset", "modulation_mask"):
                probe.quantity = f"restorer_{probe.quantity}"

    def own(self, frames: Tensor) -> Encoded:
        with torch.no_grad():
            maps = self.restorer.encode(frames)
        return super().own(frames) | {OF_RESTORER + name: values for name, values in maps.items()}

    def fused_logits(self, window: Encoded, rows: tuple[Tensor, ...] = ()) -> Tensor:
        return super().fused_logits(window if rows else self.with_restored(window), rows)

    def exchanged(self, window: Encoded) -> Iterator[Tensor]:
        return PoseNetwork.exchanged(self, window)  # every row restores its key frame from other neighbours

    def with_restored(self, window: Encoded) -> Encoded:
        """The window with the maps of the restored key frame in the place of the key frame's own."""
        of_restorer = {name.removeprefix(OF_RESTORER): maps for name, maps in window.items() if OF_RESTORER in name}
        seen = {name: maps for name, maps in window.items() if OF_RESTORER not in name}
        with torch.no_grad():
            picture = self.restorer.shown(of_restorer)
            fresh = self.shared(picture)
        luma = luma_of(picture)
        fresh |= {"early": self.early(luma * 4 - 2), **self.guide.again(luma)}
        middle = self.frames // 2
        return {
            name: torch.cat([maps[:, :middle], fresh[name][:, None].to(maps.dtype), maps[:, middle + 1 :]], 1)
            for name, maps in seen.items()
        }
