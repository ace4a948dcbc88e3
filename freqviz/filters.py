"""Learned filters: their kernel, their frequency response, and how far they are from doing nothing.

Convention: planes are centred as in `spectra`, zero frequency at [H // 2, W // 2]; kernels too, no displacement at
[H // 2, W // 2]. A filter multiplies a spectrum, y = IFFT(filter · FFT(x)); that is a circular convolution with its
kernel, y(p) = sum over d of kernel(d) · x(p - d), so a kernel that peaks at d moves content by d.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft


def kernel_of_filter(half: ArrayLike, width: int) -> NDArray[np.float64]:
    """The real kernel of a filter that is given for u >= 0, as `rfft2` orders it.

    What breaks the symmetry of a real kernel in the columns u = 0 and Nyquist is without effect: `irfft2` drops it
    here as in the network.

    Args:
        half: (..., H, W // 2 + 1) complex, v uncentred.
        width: W; even and odd widths share a number of columns.
    Returns:
        (..., H, W) centred.
    Raises:
        ValueError: the columns do not fit the width.
    Reference:
        Rao et al., Global Filter Networks, NeurIPS 2021, section 3.2 (equivalence to a circular convolution).
    """
    half = np.asarray(half, np.complex128)
    if half.ndim < 2 or half.shape[-1] != width // 2 + 1:
        raise ValueError(f"a filter of a map {width} wide must be (..., H, {width // 2 + 1}), got {half.shape}")
    kernel = fft.irfft2(half, s=(half.shape[-2], width))
    return np.asarray(fft.fftshift(kernel, axes=(-2, -1)))


def kernel_of_taps(taps: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """The kernel of a convolutional layer, which in truth correlates: y(p) = sum over k of taps(k) · x(p + k).

    Args:
        taps: (..., h, w) odd, the middle one without displacement; no larger than the map.
        height, width: of the map, to which zeros are added.
    Returns:
        (..., height, width) centred.
    Raises:
        ValueError: an even side, or one larger than the map's.
    """
    taps = np.asarray(taps, np.float64)
    h, w = taps.shape[-2:]
    if h % 2 == 0 or w % 2 == 0 or h > height or w > width:
        raise ValueError(f"taps must have odd sides of at most {height} and {width}, got {taps.shape}")
    kernel = np.zeros((*taps.shape[:-2], height, width))
    top, left = height // 2 - h // 2, width // 2 - w // 2
    kernel[..., top : top + h, left : left + w] = taps[..., ::-1, ::-1]
    return kernel


def response(kernel: ArrayLike) -> NDArray[np.complex128]:
    """What a kernel does to each frequency: its modulus is the gain, its argument the phase.

    Args:
        kernel: (..., H, W) centred, real.
    Returns:
        (..., H, W) centred, complex; 1 everywhere for the identity.
    """
    moved = fft.ifftshift(np.asarray(kernel, np.float64), axes=(-2, -1))
    return np.asarray(fft.fftshift(fft.fft2(moved), axes=(-2, -1)))


def strength(plane: ArrayLike) -> NDArray[np.float64]:
    """How far a filter is from the identity: the root mean square of |response - 1| over the whole plane.

    Equal to the root of the summed squares of kernel - identity (Parseval); 0 for a filter that does nothing.

    Args:
        plane: (..., H, W) response.
    Returns:
        (...) >= 0.
    """
    return np.sqrt(np.mean(np.abs(np.asarray(plane) - 1) ** 2, axis=(-2, -1)))
