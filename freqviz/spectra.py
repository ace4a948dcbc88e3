"""Spectra of pictures: how much of an image lies at which spatial frequency, and how two images moved.

Convention of the whole module:
- Images are real, (..., H, W), any unit; results keep float32 or are float64. `luma` lies in [0, 1].
- The transform is orthonormal (`norm="ortho"`): without a window, powers sum to the sum of squares.
- Spectra are whole planes with zero frequency at [H // 2, W // 2]; v goes down the rows, u along the columns.
- Frequencies are cycles per *input* pixel, so a map at stride s ends at 0.5 / s and stages can be compared.
- Pictures of spectra use a symmetric Hann window after the window-weighted mean is removed, divided by
  sqrt(mean(window²)) so that stationary texture keeps its energy. Energy sums use no window.
- Mean over a ring ("power") and sum over a ring ("energy") differ; each function names its own.
- Angles are those of the frequency vector (u, v), radians in [0, π), from the x axis towards y down. Image
  structures, and the streaks of motion blur, are perpendicular to it.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
BAND_EDGES = (0.0, 0.04, 0.08, 0.15, 0.25, 0.5)  # cycles/pixel; 31 px of motion leave the first, 5 px four
NOISE_BAND = 0.4  # cycles/sample above which a photograph is taken to hold noise only


class RadialSpectrum(NamedTuple):
    """Mean power by frequency: `frequency` (R,) ring centres, cycles/pixel; `power` (..., R) squared unit."""

    frequency: np.ndarray
    power: np.ndarray


class AngularProfile(NamedTuple):
    """Mean log power by direction: `angle` (A,) radians in [0, π), `log_power` (..., A) natural logarithm."""

    angle: np.ndarray
    log_power: np.ndarray


def luma(frame: np.ndarray) -> np.ndarray:
    """Brightness of a colour image, as displayed (gamma-encoded).

    Args:
        frame: (..., H, W, 3) RGB, uint8, or floating in [0, 1].
    Returns:
        (..., H, W) float32 in [0, 1].
    Raises:
        ValueError: the last axis is not three colours, or the type is neither uint8 nor floating.
    Reference:
        ITU-R BT.601, luma weights 0.299, 0.587, 0.114.
    """
    frame = np.asarray(frame)
    if frame.ndim < 3 or frame.shape[-1] != 3:
        raise ValueError(f"frame must be (..., H, W, 3), got {frame.shape}")
    if frame.dtype != np.uint8 and not np.issubdtype(frame.dtype, np.floating):
        raise ValueError(f"frame must be uint8 or floating in [0, 1], got {frame.dtype}")
    if not frame.size:
        return np.zeros(frame.shape[:-1], np.float32)
    unit = 255.0 if frame.dtype == np.uint8 else 1.0
    rows = np.ascontiguousarray(frame, np.float32).reshape(-1, *frame.shape[-2:])
    # a matrix product would leave the threads of OpenBLAS spinning for some 30 ms on all processors
    grey = cv2.transform(rows, np.array([LUMA], np.float32) / np.float32(unit))
    return np.asarray(grey, np.float32).reshape(frame.shape[:-1])


def power_spectrum(image: ArrayLike, window: str | None = "hann", mean_removed: bool = True) -> np.ndarray:
    """Squared magnitude of the centred transform.

    Convention: as in the module.

    Args:
        image: (..., H, W), any unit.
        window: "hann", or None for energy sums.
        mean_removed: subtract the (window-weighted) mean first; without it the mean hides everything else.
    Returns:
        (..., H, W) squared image unit, >= 0.
    Raises:
        ValueError: fewer than two axes, complex values, an unknown window, or sides too short for it.
    Reference:
        Harris, On the use of windows for harmonic analysis with the DFT, Proc. IEEE 1978.
    """
    spectrum = transform(image, window, mean_removed)
    return spectrum.real**2 + spectrum.imag**2


def half_power(image: ArrayLike, window: str | None = "hann", mean_removed: bool = True) -> np.ndarray:
    """The half of `power_spectrum` that `rfft2` gives, which holds all of it: power is equal at f and -f.

    Args:
        image, window, mean_removed: as in `power_spectrum`.
    Returns:
        (..., H, W // 2 + 1) squared image unit, zero frequency at [0, 0]; sums need `half_plane_weights(W)`.
    Raises:
        ValueError: as in `power_spectrum`.
    """
    spectrum = fft.rfft2(_prepared(image, window, mean_removed), norm="ortho")
    return spectrum.real**2 + spectrum.imag**2


def transform(image: ArrayLike, window: str | None = "hann", mean_removed: bool = True) -> np.ndarray:
    """The centred transform itself, of which `power_spectrum` is the squared magnitude.

    Args:
        image, window, mean_removed: as in `power_spectrum`.
    Returns:
        (..., H, W) complex, image unit.
    Raises:
        ValueError: as in `power_spectrum`.
    """
    return fft.fftshift(fft.fft2(_prepared(image, window, mean_removed), norm="ortho"), axes=(-2, -1))


def phase_spectrum(image: ArrayLike) -> np.ndarray:
    """Angle of the centred transform, measured from the middle of the image, so that content there has no ramp.

    Args:
        image: (..., H, W), any unit; Hann window and mean removed as in the module.
    Returns:
        (..., H, W) radians in (-π, π].
    Raises:
        ValueError: as in `power_spectrum`.
    Reference:
        Oppenheim and Lim, The importance of phase in signals, Proc. IEEE 1981.
    """
    centred = fft.ifftshift(_prepared(image, "hann", True), axes=(-2, -1))
    return np.angle(fft.fftshift(fft.fft2(centred), axes=(-2, -1)))


def temporal_spectrum(frames: ArrayLike) -> np.ndarray:
    """Power of a window over time and space: what changes how fast, at which spatial frequency.

    What moves by (dx, dy) pixels a frame lies where the temporal frequency is -(u dx + v dy). The mean over time is
    removed first, so what stands still is not there. Over time the window is a Hann window without its zeros.

    Args:
        frames: (T, H, W), T >= 2, any unit.
    Returns:
        (T, H, W) centred, squared unit; temporal frequencies `frequencies(T)`, cycles per frame.
    Raises:
        ValueError: not (T, H, W), or fewer than two frames.
    Reference:
        Adelson and Bergen, Spatiotemporal energy models, J. Opt. Soc. Am. A 1985.
    """
    stack = np.asarray(frames)
    if stack.ndim != 3 or len(stack) < 2:
        raise ValueError(f"frames must be (T, H, W) with T >= 2, got {stack.shape}")
    taper = np.hanning(len(stack) + 2)[1:-1, None, None]
    prepared = _prepared(stack, "hann", True)
    moving = (prepared - (prepared * taper).sum(0) / taper.sum()) * taper / np.sqrt((taper**2).mean())
    spectrum = fft.fftn(moving, norm="ortho")
    return fft.fftshift(spectrum.real**2 + spectrum.imag**2)


def patches(image: ArrayLike, points: ArrayLike, side: int) -> np.ndarray:
    """Squares around points; one that would leave the image is moved inside.

    Args:
        image: (H, W), sides of at least `side`.
        points: (N, 2) x, y, finite.
        side: pixels, >= 1.
    Returns:
        (N, side, side).
    Raises:
        ValueError: the image is smaller than a patch.
    """
    pixels = np.asarray(image)
    if pixels.ndim != 2 or min(pixels.shape) < side:
        raise ValueError(f"image must be (H, W) with sides of at least {side}, got {pixels.shape}")
    first = np.rint(np.asarray(points, float)[:, ::-1] - (side - 1) / 2)  # row, column
    first = np.clip(first, 0, np.array(pixels.shape) - side).astype(int)
    return np.stack([pixels[y : y + side, x : x + side] for y, x in first])


def frequencies(n: int, stride: float = 1) -> np.ndarray:
    """Centred frequencies of an axis of n samples.

    Args:
        n: number of samples, >= 1.
        stride: input pixels per sample, > 0.
    Returns:
        (n,) cycles per input pixel in [-0.5, 0.5] / stride, rising, zero at n // 2.
    Raises:
        ValueError: n < 1 or stride <= 0.
    """
    if n < 1 or stride <= 0:
        raise ValueError(f"need n >= 1 samples and stride > 0, got n = {n}, stride = {stride}")
    return fft.fftshift(fft.fftfreq(n)) / stride


@lru_cache(maxsize=16)
def radial_frequency(height: int, width: int, stride: float = 1) -> np.ndarray:
    """Distance of each cell of a centred spectrum from zero frequency.

    Args:
        height, width: size of the image in samples, >= 1.
        stride: input pixels per sample, > 0.
    Returns:
        (H, W) cycles per input pixel, read-only; corners exceed 0.5 / stride.
    Raises:
        ValueError: a size < 1 or stride <= 0.
    """
    radius = np.hypot(frequencies(height, stride)[:, None], frequencies(width, stride)[None, :])
    radius.flags.writeable = False
    return radius


@lru_cache(maxsize=16)
def half_frequency(height: int, width: int) -> np.ndarray:
    """Distance of each cell of `half_power` from zero frequency.

    Args:
        height, width: size of the image in samples, >= 1.
    Returns:
        (H, W // 2 + 1) cycles per input pixel, read-only.
    """
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None, :])
    radius.flags.writeable = False
    return radius


def radial_spectrum(
    image: ArrayLike, rings: int = 32, stride: float = 1, window: str | None = "hann"
) -> RadialSpectrum:
    """Average power over rings of equal frequency.

    The last ring includes Nyquist. Zero frequency (the mean) and corners beyond Nyquist belong to no ring.
    Convention: as in the module.

    Args:
        image: (..., H, W), any unit.
        rings: number of rings of equal width, >= 1; more than min(H, W) / 2 leaves some empty.
        stride: input pixels per sample.
        window: "hann" or None.
    Returns:
        RadialSpectrum: frequency (R,) cycles/pixel, power (..., R) squared image unit, NaN for an empty ring.
    Raises:
        ValueError: `image` has fewer than two axes, or rings < 1.
    Reference:
        van der Schaaf and van Hateren, Vision Research 1996 (power spectra of natural images).
    """
    return RadialSpectrum(*radial_mean(power_spectrum(image, window), rings, stride))


def radial_mean(plane: ArrayLike, rings: int = 32, stride: float = 1) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a centred plane, of power or gain, over the rings of `radial_spectrum`.

    Args:
        plane: (..., H, W) real, any unit.
        rings, stride: as in `radial_spectrum`.
    Returns:
        frequency (R,) ring centres, cycles/pixel; means (..., R), NaN for an empty ring.
    Raises:
        ValueError: rings < 1.
    """
    edges, values = _ring_edges(rings, stride), np.asarray(plane)
    band = _band_of(*values.shape[-2:], stride, tuple(edges.tolist()))
    return (edges[:-1] + edges[1:]) / 2, _mean_by(band, values, rings)


def ring_energies(image: ArrayLike, rings: int = 32, stride: float = 1) -> np.ndarray:
    """Energy in each of the rings of `radial_spectrum`: a sum, where that is a mean.

    Args:
        image, rings, stride: as in `radial_spectrum`.
    Returns:
        (..., R) as in `band_energies`.
    Raises:
        ValueError: as in `radial_spectrum`.
    """
    return band_energies(image, _ring_edges(rings, stride), stride=stride)


def band_energies(
    image: ArrayLike, edges: ArrayLike = BAND_EDGES, stride: float = 1, subtract_noise: bool = False
) -> np.ndarray:
    """Energy of an image per frequency band: its part of the variance, so crops of any size compare.

    No window, mean removed. A band holds its lower edge, the last one also its upper edge; zero frequency is
    in no band. Bands from 0 to 0.75 / stride (corners included) sum to the variance.

    Args:
        image: (..., H, W), any unit.
        edges: (B + 1,) rising, cycles per input pixel.
        stride: input pixels per sample.
        subtract_noise: subtract `noise_floor` from every cell first; what falls below zero counts as zero.
    Returns:
        (..., B) squared image unit, >= 0.
    Raises:
        ValueError: `edges` is not a rising list of two or more, or `image` has fewer than two axes.
    """
    edges = np.asarray(edges, float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges must be (B + 1,) rising with B >= 1, got {edges.tolist()}")
    power, width = half_power(image, window=None), np.shape(image)[-1]
    counts = half_plane_weights(width)
    band = _band_of(power.shape[-2], width, stride, tuple(edges.tolist()), half=True)
    energy = _sum_by(band, power * counts.astype(power.dtype), len(edges) - 1)
    if subtract_noise:
        cells = _sum_by(band, np.broadcast_to(counts, band.shape), len(edges) - 1)
        energy = np.maximum(energy - np.asarray(noise_floor(power, width))[..., None] * cells, 0)
    return energy / (power.shape[-2] * width)


def noise_floor(power: np.ndarray, width: int | None = None) -> np.ndarray | float:
    """Power per cell of white noise, from the frequencies above 0.4 cycles per sample.

    The median, divided by log 2 (power of noise is exponentially distributed), ignores the cross that image
    borders leave on the axes. Compression sets high frequencies to zero: its floor comes out too low.

    Args:
        power: (..., H, W) centred power spectrum, or the `half_power` of an image.
        width: of that image; None for a whole spectrum.
    Returns:
        (...) squared image unit, >= 0; 0 where no cell lies that high.
    """
    high = _high_cells(*power.shape[-2:]) if width is None else _high_half(power.shape[-2], width)
    if not len(high):
        return np.zeros(power.shape[:-2])
    values = power.reshape(*power.shape[:-2], -1)[..., high]
    middle = len(high) // 2  # np.median takes ten times as long
    parted = np.partition(values, middle, axis=-1)
    above = parted[..., middle]
    below = parted[..., :middle].max(-1) if len(high) % 2 == 0 else above
    return (below + above) / 2 / np.log(2)


@lru_cache(maxsize=16)
def _high_cells(height: int, width: int) -> np.ndarray:
    """Places in the flattened spectrum that lie above NOISE_BAND."""
    return np.flatnonzero(radial_frequency(height, width) > NOISE_BAND)


@lru_cache(maxsize=16)
def _high_half(height: int, width: int) -> np.ndarray:
    """Places in the flattened half plane that lie above NOISE_BAND, one of f and -f."""
    radius = half_frequency(height, width).copy()
    once = half_plane_weights(width) == 1  # columns that hold both
    radius[height // 2 + 1 :, once] = 0
    return np.flatnonzero(radius > NOISE_BAND)


def whole_plane(half: ArrayLike, width: int, axes: int = 2) -> np.ndarray:
    """Magnitudes of the half that `rfftn` gives of a real signal, over the centred whole.

    Args:
        half: (..., H, width // 2 + 1), or (..., T, H, width // 2 + 1) with axes = 3; real, equal at f and -f.
        width: of the signal.
        axes: how many of the last axes were transformed.
    Returns:
        (..., H, width), or (..., T, H, width).
    Raises:
        ValueError: the last axis does not belong to that width.
    """
    values = np.asarray(half)
    if values.shape[-1] != width // 2 + 1:
        raise ValueError(f"the half of width {width} has {width // 2 + 1} columns, got {values.shape[-1]}")
    mirrored = values[..., width - np.arange(width // 2 + 1, width)]
    for axis in range(-axes, -1):
        mirrored = np.take(mirrored, -np.arange(values.shape[axis]) % values.shape[axis], axis)
    return fft.fftshift(np.concatenate([values, mirrored], -1), axes=tuple(range(-axes, 0)))


def half_plane_weights(width: int) -> np.ndarray:
    """How often each column of an `rfft2` counts in a sum over the whole plane.

    Args:
        width: samples along the last axis of the image, >= 1.
    Returns:
        (width // 2 + 1,) zero frequency once, Nyquist (even widths only) once, all others twice.
    Raises:
        ValueError: width < 1.
    """
    if width < 1:
        raise ValueError(f"width must be >= 1, got {width}")
    weights = np.full(width // 2 + 1, 2.0)
    weights[0] = 1
    if width % 2 == 0:
        weights[-1] = 1
    return weights


def power_to_db(power: ArrayLike, reference: float, lowest: float = -120.0) -> np.ndarray:
    """Power in decibels: 10 log10(power / reference).

    Args:
        power: any shape, >= 0.
        reference: the power that reads 0 dB, > 0; one for a whole clip, else a fading spectrum does not fade.
        lowest: dB given to everything below it, zero included.
    Returns:
        Same shape, dB, >= lowest.
    Raises:
        ValueError: reference is not above zero, or a power is negative.
    """
    power = np.asarray(power)
    if not reference > 0:
        raise ValueError(f"reference must be a power > 0, got {reference}")
    if (power < 0).any():
        raise ValueError(f"power must be >= 0, got a minimum of {power.min()}")
    return 10 * np.log10(np.maximum(power / reference, 10 ** (lowest / 10)))


def angular_profile(
    image: ArrayLike, bins: int = 36, band: tuple[float, float] = (0.03, 0.3), stride: float = 1
) -> AngularProfile:
    """Average log power by direction; motion blur lowers it along the motion.

    Args:
        image: (..., H, W), any unit.
        bins: number of directions, >= 1, the first centred on the x axis.
        band: cycles per input pixel between which power counts.
        stride: input pixels per sample.
    Returns:
        AngularProfile: angle (A,) of the frequency vector, log_power (..., A), NaN where no cell lies.
    Raises:
        ValueError: bins < 1 or `image` has fewer than two axes.
    """
    if bins < 1:
        raise ValueError(f"bins must be >= 1, got {bins}")
    power = power_spectrum(image)
    v, u = (frequencies(n, stride) for n in power.shape[-2:])
    direction = np.arctan2(v[:, None], u[None, :]) % np.pi
    part = np.rint(direction * bins / np.pi).astype(int) % bins
    radius = radial_frequency(*power.shape[-2:], stride)
    part = np.where((radius >= band[0]) & (radius <= band[1]), part, -1)
    log_power = np.log(np.maximum(power, np.finfo(np.float32).tiny))
    return AngularProfile(np.arange(bins) * np.pi / bins, _mean_by(part, log_power, bins))


def phase_correlation(a: ArrayLike, b: ArrayLike, limit: float = 0.5) -> tuple[np.ndarray, float]:
    """Displacement of the content from a to b: what is at p in a is at p + shift in b.

    Only phases count, so exposure and a blur shared by both do not matter. Shifts beyond a third of a side
    are unreliable (little overlap), beyond half they wrap.

    Args:
        a, b: (H, W), at least 3 x 3, any unit.
        limit: cycles/pixel above which phases are ignored, in (0, 0.5]; L px of blur leave those below 1/L.
    Returns:
        shift: (2,) x, y in pixels, to a fraction of a pixel.
        confidence: height of the peak, in [0, 1]; 1 for a pure shift, about 0 for unrelated or flat images.
    Raises:
        ValueError: shapes differ or are not (H, W), or limit is out of range.
    Reference:
        Kuglin and Hines, The phase correlation image alignment method, 1975. The band limit is Gaussian, so
        the peak is one too and a Gaussian is fitted to it.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"a and b must be two images of one shape (H, W), got {a.shape} and {b.shape}")
    if not 0 < limit <= 0.5:
        raise ValueError(f"limit must be in (0, 0.5] cycles/pixel, got {limit}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.zeros(2), 0.0
    height, width = a.shape
    gain, inside, area = _low_pass(height, width, limit)
    cross = np.conj(fft.rfft2(_prepared(a, "hann", True))) * fft.rfft2(_prepared(b, "hann", True))
    magnitude = np.abs(cross)
    cross = cross * gain / (magnitude + 1e-2 * np.median(magnitude.take(inside)))
    surface = fft.irfft2(cross, s=(height, width)) / area
    y, x = np.unravel_index(np.argmax(surface), surface.shape)
    step = max(1, round(0.3 / limit))  # about one standard deviation of the peak
    shift_x, gain_x = _gaussian_peak(surface[y], int(x), step)
    shift_y, gain_y = _gaussian_peak(surface[:, x], int(y), step)
    return np.array([shift_x, shift_y]), float(min(surface[y, x] * gain_x * gain_y, 1.0))


@lru_cache(maxsize=16)
def _low_pass(height: int, width: int, limit: float) -> tuple[np.ndarray, np.ndarray, float]:
    """(H, W // 2 + 1) Gaussian up to `limit` cycles/pixel, the places where it is not 0, its mean over the plane."""
    radius = half_frequency(height, width)
    gain = np.exp(-2 * (radius / limit) ** 2) * (radius <= limit)
    return gain, np.flatnonzero(gain), float((gain * half_plane_weights(width)).sum() / (height * width))


def _gaussian_peak(line: np.ndarray, top: int, step: int) -> tuple[float, float]:
    """Signed place of the peak of a circular line, and its height over the highest sample."""
    size = len(line)
    place = float((top + size // 2) % size - size // 2)
    left, centre, right = line[(top - step) % size], line[top], line[(top + step) % size]
    if min(left, right) <= 0:  # no Gaussian goes through: keep the sample
        return place, 1.0
    slope, bend = np.log(right / left) / 2, np.log(left * right / centre**2)
    if bend >= 0:
        return place, 1.0
    return place - step * slope / bend, float(np.exp(-(slope**2) / (2 * bend)))


def _prepared(values: ArrayLike, window: str | None, mean_removed: bool) -> np.ndarray:
    """The image as real floats, its mean removed, windowed and compensated."""
    image = np.asarray(values)
    if image.ndim < 2 or 0 in image.shape:
        raise ValueError(f"image must be (..., H, W) and not empty, got {image.shape}")
    if np.iscomplexobj(image):
        raise ValueError(f"image must be real, got {image.dtype}")
    if image.dtype not in (np.float32, np.float64):
        image = image.astype(np.float32 if image.dtype == np.float16 else np.float64)
    if window is None:
        return image - image.mean(axis=(-2, -1), keepdims=True) if mean_removed else image
    if window != "hann":
        raise ValueError(f'window must be "hann" or None, got {window!r}')
    taper, total = _hann(*image.shape[-2:], str(image.dtype))
    if mean_removed:  # before the window, lest what is small beside the mean is rounded away
        image = image - (image * taper).sum(axis=(-2, -1), keepdims=True) / total
    return image * taper


@lru_cache(maxsize=16)
def _hann(height: int, width: int, dtype: str) -> tuple[np.ndarray, np.floating]:
    """(H, W) symmetric Hann window of mean square 1, and its sum."""
    if min(height, width) < 3:
        raise ValueError(f"a Hann window needs sides of at least 3, got {height} x {width}; use window=None")
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    window = (window / np.sqrt((window**2).mean())).astype(dtype)
    return window, window.sum()


def _ring_edges(rings: int, stride: float) -> np.ndarray:
    if rings < 1:
        raise ValueError(f"rings must be >= 1, got {rings}")
    return np.linspace(0, 0.5 / stride, rings + 1)


@lru_cache(maxsize=16)
def _band_of(height: int, width: int, stride: float, edges: tuple[float, ...], half: bool = False) -> np.ndarray:
    """Index of the band of each cell of a centred spectrum, or of `half_power`, -1 for none."""
    radius = half_frequency(height, width) / stride if half else radial_frequency(height, width, stride)
    band = np.searchsorted(edges, radius, side="right") - 1
    band[np.isclose(radius, edges[-1], rtol=1e-9)] = len(edges) - 2
    band[(band > len(edges) - 2) | (radius == 0)] = -1
    band.flags.writeable = False
    return band


def _sum_by(part: np.ndarray, values: np.ndarray, parts: int) -> np.ndarray:
    """(..., H, W) -> (..., parts): sums over the cells of each part; cells of part -1 are left out."""
    after = part.ravel() + 1
    rows = values.reshape(-1, part.size)
    sums = [np.bincount(after, weights=row, minlength=parts + 1)[1:] for row in rows]
    return np.array(sums).reshape(*values.shape[:-2], parts)


def _mean_by(part: np.ndarray, values: np.ndarray, parts: int) -> np.ndarray:
    """As `_sum_by`, divided by the number of cells; NaN for a part without cells."""
    cells = np.bincount(part[part >= 0], minlength=parts).astype(float)
    cells[cells == 0] = np.nan
    return _sum_by(part, values, parts) / cells
