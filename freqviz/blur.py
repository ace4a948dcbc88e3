"""Degradations whose truth is known: motion blur, defocus, exposure, noise, compression.

They serve training, evaluation, the sample clip and the sliders of the page.
Convention: frames are (H, W, 3) uint8 with gamma 2.2; blur and exposure act in *linear light*, as a shutter
does. Lengths are pixels of the frame given; angles radians from x (right) towards y (down). Edges are
replicated.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

GAMMA = 2.2
_TO_LINEAR = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
_STEPS = 2**18 - 1  # fewer and the darkest grey levels fall together
_FROM_LINEAR = np.round(255 * (np.arange(_STEPS + 1) / _STEPS) ** (1 / GAMMA)).astype(np.uint8)

Frame = NDArray[np.uint8]


def to_linear(frame: Frame) -> NDArray[np.float32]:
    """Linear light in [0, 1] of a uint8 frame."""
    if frame.dtype != np.uint8:
        raise ValueError(f"frame must be uint8, got {frame.dtype}")
    return _TO_LINEAR[frame]


def from_linear(light: NDArray[np.float32]) -> Frame:
    """Nearest uint8 frame of linear light; values outside [0, 1] are clipped."""
    return _FROM_LINEAR[np.clip(light * _STEPS + 0.5, 0, _STEPS).astype(np.int32)]


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Point spread of uniform linear motion during the exposure.

    Its transfer function is sinc(length · (u cos angle + v sin angle)), within .035 up to .1 cycles/pixel
    (points between pixels are shared out bilinearly).

    Args:
        length: pixels, >= 0; 0 is the identity.
        angle: radians, from x towards y.
    Returns:
        (k, k), k odd, sums to 1.
    Raises:
        ValueError: length is negative or not finite, or angle is not finite.
    """
    if not np.isfinite(length) or length < 0:
        raise ValueError(f"length must be >= 0 pixels, got {length}")
    if not np.isfinite(angle):
        raise ValueError(f"angle must be finite radians, got {angle}")
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float64)
    count = max(1, int(np.ceil(8 * length)))
    along = ((np.arange(count) + 0.5) / count - 0.5) * length
    x, y = reach + along * np.cos(angle), reach + along * np.sin(angle)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    dx, dy = x - column, y - row
    for right, weight_x in ((0, 1 - dx), (1, dx)):
        for down, weight_y in ((0, 1 - dy), (1, dy)):
            inside = np.minimum(row + down, 2 * reach), np.minimum(column + right, 2 * reach)
            np.add.at(kernel, inside, weight_x * weight_y)
    return (kernel / kernel.sum()).astype(np.float32)


def disc_kernel(radius: float) -> NDArray[np.float32]:
    """Point spread of defocus: a disc of `radius` pixels, antialiased, sums to 1."""
    if not np.isfinite(radius) or radius < 0:
        raise ValueError(f"radius must be >= 0 pixels, got {radius}")
    reach = int(np.ceil(radius))
    fine = (np.arange((2 * reach + 1) * 9) - ((2 * reach + 1) * 9 - 1) / 2) / 9
    disc = (np.hypot(fine[:, None], fine[None]) <= max(radius, 1 / 9)).astype(np.float64)
    kernel = disc.reshape(2 * reach + 1, 9, 2 * reach + 1, 9).mean((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def motion_blur(frame: Frame, length: float, angle: float = 0.0) -> Frame:
    """The frame as a camera would see it that moves `length` pixels along `angle` during the exposure."""
    return _filtered(frame, motion_kernel(length, angle))


def defocus(frame: Frame, radius: float) -> Frame:
    """The frame out of focus: a disc of `radius` pixels, in linear light."""
    return _filtered(frame, disc_kernel(radius))


def exposure(frame: Frame, gain: float) -> Frame:
    """`gain` times the light; what exceeds white is lost, as on a sensor."""
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")
    return from_linear(to_linear(frame) * np.float32(gain))


def noise(frame: Frame, sigma: float, rng: np.random.Generator) -> Frame:
    """Additive white Gaussian noise; `sigma` as a fraction of the grey range, of the encoded frame."""
    if not sigma >= 0:
        raise ValueError(f"sigma must be >= 0, got {sigma}")
    if sigma == 0:
        return frame
    grain = rng.standard_normal(frame.shape, dtype=np.float32) * np.float32(255 * sigma)
    return np.clip(np.round(frame + grain), 0, 255).astype(np.uint8)


def jpeg(frame: Frame, quality: int) -> Frame:
    """The frame after JPEG (4:2:0) at `quality` in 1..100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be in 1..100, got {quality}")
    done, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if done else None
    if decoded is None:
        raise ValueError(f"a frame of shape {frame.shape} cannot be encoded as JPEG")
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def degrade(
    frame: Frame,
    length: float = 0.0,
    angle: float = 0.0,
    sigma: float = 0.01,
    quality: int = 75,
    rng: np.random.Generator | None = None,
    mask: NDArray[np.float32] | None = None,
) -> Frame:
    """Motion blur, then noise, then compression: the order of a camera, and of PROTOCOL.md.

    Args:
        frame: (H, W, 3) uint8.
        length, angle: of the motion; pixels, radians.
        sigma: of the noise; fraction of the grey range.
        quality: of the JPEG.
        rng: source of the noise; a fixed one when left out.
        mask: (H, W) in [0, 1]; where the blur acts (one limb), all when left out.
    Returns:
        (H, W, 3) uint8.
    """
    if mask is not None and mask.shape != frame.shape[:2]:
        raise ValueError(f"mask must be {frame.shape[:2]}, got {mask.shape}")
    if length > 0:
        blurred = motion_blur(frame, length, angle)
        if mask is not None:
            share = mask[..., None].astype(np.float32)
            blurred = from_linear(share * to_linear(blurred) + (1 - share) * to_linear(frame))
        frame = blurred
    return jpeg(noise(frame, sigma, rng or np.random.default_rng(0)), quality)


def _filtered(frame: Frame, kernel: NDArray[np.float32]) -> Frame:
    if kernel.size == 1:
        return frame
    # filter2D correlates; both kernels are symmetric under a half turn, so this is the convolution
    light = cv2.filter2D(to_linear(frame), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return from_linear(np.asarray(light, np.float32))
