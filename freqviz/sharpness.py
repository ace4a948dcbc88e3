"""How blurred a picture of a person looks, without a sharp reference.

Convention: images are luma (H, W) in [0, 1] at native resolution (a resized crop has other frequencies);
spectra as in `spectra`, Hann window, mean removed, of the image without the outermost rows and columns where a side
has a prime factor above 11. Sharper means larger, except for edge width and cepstral length, which are pixels of blur.
A flat image has none: its ratios and widths are NaN, its energies 0.
"""

import time
from functools import lru_cache
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from scipy import fft

from freqviz import boxes
from freqviz.spectra import half_frequency, half_plane_weights, half_power, luma, noise_floor

HIGH_BAND, LOW_BAND = (0.08, 0.25), (0.01, 0.04)  # cycles/pixel, of the default index
LENGTHS = (
    4,
    60,
)  # px of motion blur that the cepstrum can tell; shorter ones drown in the image's own cepstrum
MARGIN = 1.25  # of the person box, as for the networks' crops
STRIDE = 2  # frames apart, among which motion is looked for
HIGHEST = np.nextafter(0.5, 1)  # cycles/pixel; what lies below it is at most .5
STEP, ALONG = np.array([-1.0, 1.0]), np.array([0.25, 0.5, 0.25])  # filters of edges: across, and along
ROUNDING = 1e-6  # of luma; a smaller step is no slope
SMALLEST = 16  # px; a shorter side holds no spectrum worth the name


class Frames(Protocol):
    """What `blurriest` needs of a clip."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8."""


class Measure(NamedTuple):
    """What a measure means. `shares_formula_with_energy`: it weighs the same power spectrum as the energies
    of images and networks do, so a curve against those is partly a curve of a number against itself."""

    label: str
    unit: str
    formula: str
    source: str
    shares_formula_with_energy: bool


MEASURES = {
    "spectral_index": Measure(
        "Sharpness index S",
        "log ratio",
        "log(mean P(.08 < f < .25) - noise floor) - log mean P(.01 < f < .04); floor from f > .4",
        "own; band ratio after Field and Brady, Vision Research 1997",
        True,
    ),
    "high_frequency_ratio": Measure(
        "High-frequency ratio",
        "fraction",
        "sum P(.15 < f <= .5) / sum P(0 < f <= .5)",
        "common practice",
        True,
    ),
    "spectral_centroid": Measure(
        "Spectral centroid", "cycles/pixel", "sum f P / sum P over 0 < f <= .5", "common practice", True
    ),
    "laplacian_variance": Measure(
        "Variance of the Laplacian",
        "luma²",
        "var(4-neighbour Laplacian), by Parseval sum (2πf)⁴ P for low f",
        "Pech-Pacheco et al., ICPR 2000",
        True,
    ),
    "tenengrad": Measure(
        "Tenengrad",
        "luma²/pixel²",
        "mean(Sobel_x² + Sobel_y²), by Parseval sum (2πf)² P for low f",
        "Tenenbaum, PhD thesis, Stanford 1970",
        True,
    ),
    "edge_width": Measure(
        "Edge width",
        "pixels",
        "mean length of the monotone run of luma across an edge, rows and columns",
        "Marziliano et al., ICIP 2002",
        False,
    ),
    "cepstral_length": Measure(
        "Motion length (cepstrum)",
        "pixels",
        "distance of the deepest negative peak of the cepstrum, 4 to 60 px",
        "Rom, IEEE Trans. Information Theory 1975",
        False,
    ),
    "cepstral_angle": Measure(
        "Motion angle (cepstrum)",
        "radians",
        "direction of that peak in [0, π), x axis towards y down",
        "Rom, IEEE Trans. Information Theory 1975",
        False,
    ),
    "cepstral_confidence": Measure(
        "Depth of the cepstral peak",
        "standard deviations",
        "-(peak - mean) / std of the cepstrum over 4 to 60 px; below 6 disbelieve length and angle",
        "own",
        False,
    ),
}


class MotionBlur(NamedTuple):
    """Uniform motion: `length` pixels, `angle` radians in [0, π) from x to y, `confidence` in deviations."""

    length: float
    angle: float
    confidence: float


def measures(frame: np.ndarray, box: np.ndarray) -> dict[str, float]:
    """All measures of one person.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: (4,) x, y, w, h of the tight person box, frame pixels; grown by 1.25 and clipped to the frame.
    Returns:
        One number per name in `MEASURES`; all NaN where less than 16 px of a side lie inside the frame.
    Raises:
        ValueError: `frame` is no colour image, or `box` is not four finite numbers with w, h > 0.
    """
    image = luma(_region(frame, box))
    if min(image.shape) < SMALLEST:
        return dict.fromkeys(MEASURES, float("nan"))
    half = _half(image)
    motion = _motion(half)
    return {
        "spectral_index": _index(half, guard=True),
        "high_frequency_ratio": _high_ratio(half, 0.15),
        "spectral_centroid": _centroid(half),
        "laplacian_variance": laplacian_variance(image),
        "tenengrad": tenengrad(image),
        "edge_width": edge_width(image),
        "cepstral_length": motion.length,
        "cepstral_angle": motion.angle,
        "cepstral_confidence": motion.confidence,
    }


def spectral_index(image: np.ndarray, guard: bool = True) -> float:
    """Default index S: log mean P(.08 < f < .25) - log mean P(.01 < f < .04).

    Blind to contrast. The guard subtracts the power of white noise, seen above f = .4, from the high band; it
    leaves at least 3 % (what the mean of the band is uncertain by), so noise alone reads about -3.5.

    Args:
        image: (H, W) luma, both sides at least 3.
        guard: subtract the noise floor.
    Returns:
        Natural logarithm of a ratio, about -6 (blurred) to -2 (sharp); NaN for a flat image or empty bands.
    """
    return _index(_half(_image(image)), guard)


def high_frequency_ratio(image: np.ndarray, cutoff: float = 0.15) -> float:
    """Part of the image's energy above a frequency.

    Args:
        image: (H, W) luma, both sides at least 3.
        cutoff: cycles/pixel.
    Returns:
        Fraction in [0, 1] of the energy in 0 < f <= .5; NaN for a flat image.
    """
    return _high_ratio(_half(_image(image)), cutoff)


def spectral_centroid(image: np.ndarray) -> float:
    """Mean frequency, weighted by power.

    Args:
        image: (H, W) luma, both sides at least 3.
    Returns:
        Cycles/pixel in (0, .5]; NaN for a flat image.
    """
    return _centroid(_half(_image(image)))


def laplacian_variance(image: np.ndarray) -> float:
    """Variance of the 4-neighbour Laplacian over the inner pixels; grows with noise and contrast too.

    Args:
        image: (H, W) luma, both sides at least 3.
    Returns:
        Squared luma, >= 0.
    Reference:
        Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    _, deviation = cv2.meanStdDev(cv2.Laplacian(_image(image), -1)[1:-1, 1:-1])
    return float(deviation[0, 0] ** 2)


def tenengrad(image: np.ndarray) -> float:
    """Mean squared gradient (Sobel, divided by 8 so that a ramp of 1 per pixel gives 1).

    Args:
        image: (H, W) luma, both sides at least 3.
    Returns:
        Squared luma per squared pixel, >= 0.
    Reference:
        Tenenbaum, Accommodation in computer vision, PhD thesis, Stanford 1970.
    """
    x = _image(image)
    slopes = [cv2.Sobel(x, -1, dx, 1 - dx, scale=1 / 8)[1:-1, 1:-1] for dx in (1, 0)]
    return sum(cv2.norm(slope, cv2.NORM_L2SQR) for slope in slopes) / slopes[0].size


def edge_width(image: np.ndarray) -> float:
    """Mean width of the strong edges, along rows and columns.

    An edge is a monotone run of luma whose steepest step squared exceeds four times the mean square step; its
    width is the length of the run. A step edge gives 1, blurred by L px of motion across it L. Each row is
    first smoothed along the edge (1 2 1), so that weak noise does not cut runs; strong noise still does.

    Args:
        image: (H, W) luma, both sides at least 3.
    Returns:
        Pixels, >= 1; NaN where there is no edge.
    Reference:
        Marziliano et al., A no-reference perceptual blur metric, ICIP 2002 (there: Sobel edges, rows only).
    """
    x = np.ascontiguousarray(_image(image))
    widths = np.concatenate([_run_widths(x), _run_widths(cv2.transpose(x))])
    return float(widths.mean()) if widths.size else float("nan")


def cepstral_blur(image: np.ndarray) -> MotionBlur:
    """Length and angle of uniform motion blur, from the zeros that it cuts into the spectrum.

    Always names some length: read the confidence first. Right (2 px, 10 degrees) for all of 15 whole frames
    without noise; for 8-bit person boxes of about 150 px at 7, 15, 25 px in 93, 73, 40 % of them, and no
    wrong answer there came with a confidence above 5.5. With noise .02 it hardly ever works;
    pictures of upright rectangles, out of focus, read 4 to 6 px with a confidence of up to 12.

    Args:
        image: (H, W) luma, both sides at least 16.
    Returns:
        MotionBlur; lengths lie between 4 and the smaller of 60 and a third of the shorter side; NaN if flat.
    Raises:
        ValueError: a side is shorter than 16.
    Reference:
        Rom, On the cepstrum of two-dimensional functions, IEEE Trans. Information Theory 1975.
    """
    if min(np.shape(image)) < SMALLEST:
        raise ValueError(f"cepstral_blur needs sides of at least {SMALLEST} px, got {np.shape(image)}")
    return _motion(_half(_image(image)))


def region(size: tuple[int, ...], box: np.ndarray) -> tuple[slice, slice]:
    """What of a frame is measured of a person: the pixels whose centres lie in the grown box.

    Args:
        size: (height, width) of the frame; pixels.
        box: (4,) as in `measures`.
    Returns:
        Rows and columns, which may be empty.
    Raises:
        ValueError: `box` is not four finite numbers with w, h > 0.
    """
    box = np.asarray(box, float)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
        raise ValueError(f"box must be x, y, w, h, finite, with w, h > 0, got {box.tolist()}")
    middle, half = box[:2] + box[2:] / 2, box[2:] * MARGIN / 2
    limits = np.array(size[::-1])
    x0, y0 = (int(n) for n in np.clip(np.ceil(middle - half), 0, limits))
    x1, y1 = (int(n) for n in np.clip(np.floor(middle + half) + 1, 0, limits))
    return slice(y0, y1), slice(x0, x1)


def blurriest(clip: Frames, seconds: float = 2.0, places: int = 24, budget: float = 1.5) -> tuple[int, int]:
    """The part of a clip that looks blurriest, by the edge width of what moves; no network is asked.

    At places spread evenly over the clip the box of what moves is found (`boxes.motion_box` of the frame and two that
    follow, two frames apart) and its edge width measured. Where nothing moves it is that of the sharpest place. The
    widths are linear in between, and the window with the largest mean is taken. On the sample clip they rank the
    true blur with rho = .92.

    Args:
        clip: N frames.
        seconds: length of the window; a third of the clip where that is shorter.
        places: measured, at most.
        budget: seconds of computing after which no further place is measured; coarse ones come first.
    Returns:
        (a, b): frames a ... b - 1, indices into the clip.
    Reference:
        Marziliano et al., A no-reference perceptual blur metric, ICIP 2002 (edge width).
    """
    total, started = len(clip), time.thread_time()
    window = max(1, round(min(seconds * clip.fps, total / 3)))
    spread = np.unique(np.linspace(0, max(0, total - 1 - 2 * STRIDE), places).round().astype(int)).tolist()
    order = sorted(range(len(spread)), key=lambda i: f"{i:032b}"[::-1])  # each halves the gaps that the last ones left
    widths: dict[int, float] = {}
    for i in order:
        if widths and time.thread_time() - started > budget:
            break
        widths[spread[i]] = _moving_width([clip[min(spread[i] + k * STRIDE, total - 1)] for k in range(3)])
    known = [width for width in widths.values() if np.isfinite(width)]
    where = sorted(widths)
    values = [widths[i] if np.isfinite(widths[i]) else min(known, default=0.0) for i in where]
    sums = np.cumsum(np.concatenate([[0.0], np.interp(np.arange(total), where, values)]))
    start = int(np.argmax(sums[window:] - sums[:-window]))
    return start, start + window


def _moving_width(frames: list[np.ndarray]) -> float:
    box = boxes.motion_box(frames)
    return float("nan") if box is None else edge_width(luma(_region(frames[0], box)))


def _image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < 3:
        raise ValueError(f"image must be (H, W) with sides of at least 3, got {image.shape}")
    return image if np.issubdtype(image.dtype, np.floating) else image.astype(float)


def _region(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Pixels whose centres lie in the grown box."""
    frame = np.asarray(frame)
    if frame.ndim != 3:
        raise ValueError(f"frame must be (H, W, 3), got {frame.shape}")
    rows, columns = region(frame.shape[:2], box)
    return frame[rows, columns]


class _Half(NamedTuple):
    """`half_power` (H, W // 2 + 1) of an image, W, and whether the image is flat."""

    power: np.ndarray
    width: int
    flat: bool

    @property
    def size(self) -> tuple[int, int]:
        return len(self.power), self.width

    def sum(self, weights: np.ndarray) -> float:
        return float(np.vdot(self.power, weights))


def _half(image: np.ndarray) -> _Half:
    """Of the largest middle part whose FFT is quick: that of 1,501 x 337 pixels takes three times as long as its.

    It leaves out .7 % of a side in the mean (of 16 to 2,000 pixels) and 8 % at most, where the window is next to 0.
    """
    height, width = (fft.prev_fast_len(n) for n in image.shape)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    power = half_power(image[top : top + height, left : left + width])
    total = float(power.sum(0) @ half_plane_weights(width))
    return _Half(power, width, total < 1e-9 * height * width)  # a tenth of the quantisation noise of 8 bits is 1e-7


def _index(half: _Half, guard: bool) -> float:
    bands = [_inside(*half.size, *band) for band in (HIGH_BAND, LOW_BAND)]
    cells = [float(band.sum()) for band in bands]
    if half.flat or not all(cells):
        return float("nan")
    floor = float(noise_floor(half.power, half.width)) if guard else 0.0
    high, low = (half.sum(band) / count for band, count in zip(bands, cells, strict=True))
    return float(np.log(max(high - floor, 0.03 * high)) - np.log(low))


def _high_ratio(half: _Half, cutoff: float) -> float:
    if half.flat:
        return float("nan")
    high, all_ = (half.sum(_inside(*half.size, low, HIGHEST)) for low in (cutoff, -1.0))
    return high / all_


def _centroid(half: _Half) -> float:
    if half.flat:
        return float("nan")
    return half.sum(_radii(*half.size)) / half.sum(_inside(*half.size, -1.0, HIGHEST))


@lru_cache(maxsize=8)
def _inside(height: int, width: int, low: float, high: float) -> np.ndarray:
    """(H, W // 2 + 1) how often a cell counts where low < f < high, else 0."""
    radius = half_frequency(height, width)
    return (((radius > low) & (radius < high)) * half_plane_weights(width)).astype(np.float32)


@lru_cache(maxsize=2)
def _radii(height: int, width: int) -> np.ndarray:
    """(H, W // 2 + 1) frequency up to .5 cycles/pixel times how often it counts, 0 beyond."""
    return (half_frequency(height, width) * _inside(height, width, -1.0, HIGHEST)).astype(np.float32)


def _run_widths(image: np.ndarray) -> np.ndarray:
    """Lengths of the strong monotone runs of all rows."""
    step = cv2.sepFilter2D(image, -1, STEP, ALONG, anchor=(0, 1))[1:-1, :-1]
    strong, sign = (np.zeros((len(step), step.shape[1] + 1), kind) for kind in (bool, np.int8))  # a zero ends each row
    mean_square = cv2.norm(step, cv2.NORM_L2SQR) / step.size
    np.greater(np.abs(step), max(2 * np.sqrt(mean_square), ROUNDING), out=strong[:, :-1])
    np.subtract(step >= ROUNDING, step <= -ROUNDING, out=sign[:, :-1], dtype=np.int8)
    flat = sign.ravel()
    new = flat[1:] != flat[:-1]  # where a run ends, the flat ones too
    starts = np.concatenate([[0], np.flatnonzero(new) + 1, [flat.size]])
    run = np.concatenate([[0], np.cumsum(new, dtype=np.int32)]).take(np.flatnonzero(strong))
    run = run[np.diff(run, prepend=-1) > 0]
    return starts[run + 1] - starts[run]


def _motion(half: _Half) -> MotionBlur:
    if half.flat:
        return MotionBlur(float("nan"), float("nan"), float("nan"))
    ring, counts, cells, taper, distance, angle, places = _cepstral_grid(*half.size)
    log_power = np.log(half.power + 1e-6)
    mean = (np.bincount(ring.ravel(), weights=(log_power * counts).ravel()) / cells).astype(log_power.dtype)
    # the inverse of what is real and even: columns first, and of the rows those that are looked at
    columns = fft.rfft((log_power - mean.take(ring)) * taper, axis=0)[: 1 + places.max() // half.width]
    cepstrum = (fft.irfft(columns.conj(), half.width, axis=1) / half.size[0]).take(places)
    deepest = int(np.argmin(cepstrum))
    confidence = float((cepstrum.mean() - cepstrum[deepest]) / cepstrum.std())
    return MotionBlur(float(distance[deepest]), float(angle[deepest]), confidence)


@lru_cache(maxsize=4)
def _cepstral_grid(height: int, width: int) -> tuple[np.ndarray, ...]:
    """Of the half spectrum rings, how often a column counts, sizes of the rings, low-pass taper; of the cepstrum, which
    is even, distance and angle of the cells where to look, and their places in its upper half, flattened."""
    radius, counts = half_frequency(height, width), half_plane_weights(width).astype(np.float32)
    ring = np.rint(radius * min(height, width)).astype(int)
    cells = np.maximum(np.bincount(ring.ravel(), weights=np.broadcast_to(counts, ring.shape).ravel()), 1)
    x, y = np.arange(width // 2 + 1)[None, :], np.rint(fft.fftfreq(height) * height).astype(int)[:, None]
    distance = np.hypot(y, x)
    near = (distance >= LENGTHS[0]) & (distance <= min(LENGTHS[1], min(height, width) / 3))
    places = np.where(y < 0, -y * width + -x % width, y * width + x)[near]
    taper = np.exp(-((radius / 0.35) ** 4)).astype(np.float32)
    return ring, counts, cells, taper, distance[near], (np.arctan2(y, x) % np.pi)[near], places
