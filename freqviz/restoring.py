"""What a restoring network made of a window: its key frame before and after, and which frame each frequency came from.

Convention: pictures are cuts, (H, W, 3) uint8; frequencies in cycles per input pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import blur, quality, run, spectra, windows
from freqviz.devices import Device
from freqviz.trace import Trace, trace_window
from models.freq_deblur import TILE
from models.probe import probes

RINGS = 16  # of frequency, up to .5 cycles/pixel
TURN = np.pi / 5  # between the directions in which neighbouring frames are blurred
RESTORE = ("freq-deblur", "freq-restored")  # networks that do
NONE = f"{{}} restores no frames; {' and '.join(RESTORE)} do: choose one among the networks, and run"
SIGMA, QUALITY = 0.01, 75  # noise and JPEG that follow the blur, those of the comparison


@dataclass(frozen=True)
class Restored:
    """One window, restored."""

    network: str
    before: NDArray[np.uint8]  # the key frame that the network was given
    after: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None  # the key frame before it was blurred on purpose
    slots: NDArray[np.int64]  # (T,) frames from the key frame
    shares: NDArray[np.float64]  # (T, RINGS) mean weight of each frame by frequency; the frames sum to 1
    rings: NDArray[np.float64]  # (RINGS,) their middles

    @property
    def psnr(self) -> tuple[float, float]:
        """Before and after, decibels; NaN where no truth is known."""
        if self.truth is None:
            return float("nan"), float("nan")
        return quality.psnr(self.before, self.truth), quality.psnr(self.after, self.truth)

    @property
    def ssim(self) -> tuple[float, float]:
        """As `psnr`, in [-1, 1]."""
        if self.truth is None:
            return float("nan"), float("nan")
        return quality.ssim(self.before, self.truth), quality.ssim(self.after, self.truth)

    def gain(self, other: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(RINGS,) power of a picture over that of the given key frame, by frequency; decibels."""
        given, power = (spectra.radial_spectrum(spectra.luma(one), RINGS).power for one in (self.before, other))
        return np.asarray(10 * np.log10(np.maximum(power, 1e-12) / np.maximum(given, 1e-12)))


def restored(trace: Trace, cuts: ArrayLike, truth: ArrayLike | None = None) -> Restored:
    """From everything that the network computed for a window.

    Args:
        trace: deep, of one window; see `run.deep_trace`.
        cuts: (T, H, W, 3) uint8 that the network was given; see `run.window_cuts`.
        truth: (H, W, 3) uint8, the key frame without blur, where it is known.
    Raises:
        LookupError: the network restores no frames.
    """
    if not trace.stages("restored_picture"):
        raise LookupError(NONE.format(trace.network))
    frames = np.asarray(cuts, np.uint8)
    after = np.moveaxis(trace.get("restored_picture").values, 0, -1)
    record = trace.get("spectral_weights")
    planes = spectra.whole_plane(record.values.mean(1), TILE[1])
    rings, _ = spectra.radial_mean(planes[0], RINGS)
    shares = np.stack([spectra.radial_mean(plane, RINGS)[1] for plane in planes])
    return Restored(
        trace.network,
        frames[len(frames) // 2],
        np.round(255 * np.clip(after, 0, 1)).astype(np.uint8),
        None if truth is None else np.asarray(truth, np.uint8),
        record.slots,
        shares,
        np.asarray(rings),
    )


def after_blur(network: str, cuts: ArrayLike, length: float, device: Device = "auto") -> Restored:
    """Blur every frame of a window on purpose, each in another direction, and have the key frame restored.

    Args:
        network: one that restores.
        cuts: as in `restored`; the key frame of these is the truth.
        length: of the motion, >= 0; input pixels.
    Raises:
        LookupError: as in `restored`.
        ValueError: the length is negative.
    """
    frames, restorer = np.asarray(cuts, np.uint8), run.load_network(network, device)
    if all(probe.quantity != "restored_picture" for probe in probes(restorer).values()):
        raise LookupError(NONE.format(network))
    blurred = np.stack(
        [
            blur.degrade(one, length, TURN * place % np.pi, SIGMA, QUALITY, np.random.default_rng(place))
            for place, one in enumerate(frames)
        ]
    )
    seen = trace_window(restorer, windows.to_tensor(blurred), network)
    return restored(seen, blurred, frames[len(frames) // 2])
