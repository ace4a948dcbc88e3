"""How near a picture is to the true one: PSNR and SSIM.

Convention: pictures are (H, W, 3) uint8 RGB, compared as they are, with a range of 255; every pixel counts.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from freqviz.spectra import LUMA

SIGMA, REACH = 1.5, 5  # pixels: of the Gaussian of SSIM and how far it reaches, 11 x 11 in all
K1, K2 = 0.01, 0.03
RANGE = 255.0

Picture = NDArray[np.uint8]


def psnr(picture: Picture, truth: Picture) -> float:
    """Peak signal-to-noise ratio over all pixels and colours; decibels, infinite where both agree.

    Raises:
        ValueError: the pictures are not (H, W, 3) uint8 of one shape.
    """
    _check(picture, truth)
    error = np.square(picture.astype(np.float64) - truth).mean()
    return float(10 * np.log10(RANGE**2 / error)) if error else float("inf")


def ssim(picture: Picture, truth: Picture) -> float:
    """Structural similarity of luma in [-1, 1]: the mean over the places whose 11 x 11 window lies inside.

    Raises:
        ValueError: as `psnr`, or pictures smaller than the window.
    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, TIP 2004, eq. 13, with
        the Gaussian window of standard deviation 1.5, K1 = .01 and K2 = .03 of its section III.C.
    """
    _check(picture, truth)
    if min(truth.shape[:2]) < 2 * REACH + 1:
        raise ValueError(f"SSIM needs at least {2 * REACH + 1} pixels each way, got {truth.shape[:2]}")
    a, b = (one.astype(np.float64) @ LUMA for one in (picture, truth))
    line = np.exp(-np.square(np.arange(-REACH, REACH + 1)) / (2 * SIGMA**2))
    line /= line.sum()

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = slice(REACH, -REACH)
        return np.asarray(cv2.sepFilter2D(values, -1, line, line), np.float64)[inside, inside]

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((alike / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _check(picture: Picture, truth: Picture) -> None:
    for one in (picture, truth):
        if one.ndim != 3 or one.shape[2] != 3 or one.dtype != np.uint8:
            raise ValueError(f"pictures must be (H, W, 3) uint8, got {one.shape} {one.dtype}")
    if picture.shape != truth.shape:
        raise ValueError(f"both pictures must have one shape, got {picture.shape} and {truth.shape}")
