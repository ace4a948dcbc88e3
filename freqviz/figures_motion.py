"""What the motion networks see: where local spectra change, and where a place of the key frame is found again.

Convention: everything lies in pixels of the cut, the picture that the network sees (input pixels), centre of the
top-left pixel = (0, 0), y down. A step leads from one frame of the window to the next.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import motion, spectra
from freqviz.motion import Matches
from freqviz.offsets import signed
from freqviz.panel import Axis, Heatmap, Image, Panel, Points, Rule, cut_plane

CHANGE = (0.0, 8.0)  # dB shown of a mean change
SIGNED = (-12.0, 12.0)  # dB shown of a change at one place
REACH = 4  # cells around no displacement that are shown of a marginal
COSINE = Axis("Cosine", "", (-1.0, 1.0))
GRADIENT = "20 log10(A(t + 1) + a) − 20 log10(A(t) + a), A: |FFT| of 16 × 16 px with a Hann window every 8 px, a = 0.01"
GRADIENT_SOURCE = "Zhu et al., Exploring Temporal Frequency Spectrum in Deep Video Deblurring, ICCV 2023 (the idea)"
MATRIX = "C(p, q) = ⟨key(p), neighbour(q)⟩ of unit features"
MATRIX_SOURCE = "Teed and Deng, RAFT, ECCV 2020, eq. 1 (here of unit features)"


def steps(count: int) -> dict[str, int]:
    """Names of the steps of a window of so many frames, and their numbers."""
    first = -(count // 2)
    return {f"{_slot(first + i)} → {_slot(first + i + 1)}": i for i in range(count - 1)}


def frequency_motion(cuts: ArrayLike, step: int, point: tuple[float, float] | None = None) -> Panel:
    """How much local spectra change from one frame to the next, over the first of the two.

    Args:
        cuts: (T, H, W, 3) uint8, the frames of the window, cut by one box; see `run.window_cuts`.
        step: number of the step, from 0.
        point: a place to mark; x, y in the cut.
    Raises:
        ValueError: no such step, or cuts of another shape.
    """
    pictures = np.asarray(cuts)
    change = np.abs(_step(pictures, step)).mean((0, 1))
    y, x = (motion.STRIDE * np.arange(n) + (motion.STRIDE - 1) / 2 for n in change.shape)
    grey = (255 * spectra.luma(pictures[step])).astype(np.uint8)
    over = Heatmap(change, x, y, Axis("Mean change", "dB", CHANGE), opacity=0.75)
    marked = () if point is None else (Points([point[0]], [point[1]], name="point", role="cursor"),)
    row, column = np.unravel_index(change.argmax(), change.shape)
    return Panel(
        "Frequency motion map",
        *cut_plane(*pictures.shape[1:3]),
        (Image(grey), over, *marked),
        note=f"Step {_name(pictures, step)}: mean {change.mean():.1f} dB, most at ({x[column]:.0f}, {y[row]:.0f}) with "
        f"{change.max():.1f} dB.",
        guide="Bright places change their local spectrum: something moves, or blur comes and goes. A shift within a "
        "window changes phases and hardly amplitudes, so slow even motion stays dark.",
        formula=f"mean of |{GRADIENT}| over u = 0 … .25, v = −.25 … .25 cycles/pixel",
        source=GRADIENT_SOURCE,
        equal=True,
    )


def change_at(cuts: ArrayLike, step: int, point: tuple[float, float]) -> Panel:
    """Which frequencies of the local spectrum at one place grow or fade from one frame to the next.

    Args:
        cuts, step: as in `frequency_motion`.
        point: x, y in the cut; input pixels.
    Raises:
        ValueError: no such step, or the point lies outside the cut.
    """
    pictures = np.asarray(cuts)
    row, column = motion.cell_of(point, (pictures.shape[1], pictures.shape[2]), motion.STRIDE)
    change = _step(pictures, step)[..., row, column]
    u, v = motion.U, motion.V
    edge = 0.5 / motion.SIDE
    fine = np.hypot(u[None], v[:, None]) > 0.12
    return Panel(
        "Change of the local spectrum",
        Axis("Horizontal frequency u", "cycles/input px", (-edge, motion.U[-1] + edge)),
        Axis("Vertical frequency v", "cycles/input px", (motion.V[-1] + edge, motion.V[0] - edge)),
        (Heatmap(change, u, v, Axis("Change", "dB", SIGNED), "signed"),),
        note=f"Step {_name(pictures, step)} at {_pair(point)}: {change.mean():+.1f} dB in the mean, "
        f"{change[fine].mean():+.1f} dB above 0.12 cycles/pixel.".replace("-", "−"),
        guide="Red frequencies grow, blue ones fade. Blur that sets in turns a stripe across the direction of the "
        "motion blue; the half with u < 0 mirrors this one.",
        formula=GRADIENT,
        source=GRADIENT_SOURCE,
        equal=True,
    )


def found_again(found: Matches, point: tuple[float, float]) -> Panel:
    """Correlation of one place of the key frame with every place of each neighbour, side by side.

    Args:
        found: see `motion.matches`.
        point: x, y in the key frame's cut; input pixels.
    Raises:
        ValueError: the point lies outside the cut.
    """
    row, column = found.cell(point)
    maps = {slot: found.of(slot, point) for slot in found.neighbours}
    best = {slot: np.unravel_index(one.argmax(), one.shape) for slot, one in maps.items()}
    columns = next(iter(maps.values())).shape[1]
    lefts = {slot: i * (columns + 1) * found.stride for i, slot in enumerate(maps)}
    half = (found.stride - 1) / 2
    peaks = np.array([[lefts[s] + c * found.stride + half, r * found.stride + half] for s, (r, c) in best.items()])
    told = [
        f"{signed([s])}: {_pair(_away(found, r - row, c - column))}, cosine {maps[s][r, c]:.2f}"
        for s, (r, c) in best.items()
    ]
    return Panel(
        "Where a point is found again",
        *_strip(found, lefts, columns, "x of each neighbour"),
        (
            _side_by_side(list(maps.values()), found.stride, half, half),
            Points([left + point[0] for left in lefts.values()], [point[1]] * len(lefts), name="the same place",
                   role="box"),
            Points(*peaks.T, name="most alike", role="cursor"),
        ),
        note=f"{found.network}, stride {found.stride}, {_pair(point)} of the key frame. Displacement of the most alike "
        + "; ".join(told) + " (input px).",
        guide="Red places of a neighbour look to the network like the chosen place of the key frame. One small red "
        "spot is a sure match; a streak or a wide field leaves the displacement open.",
        formula=f"{MATRIX}; shown: C(point, q)",
        source=MATRIX_SOURCE,
        equal=True,
    )  # fmt: skip


def marginal(found: Matches) -> Panel:
    """Mean correlation by displacement, over all places of the key frame: for each neighbour the Fourier marginal.

    Args:
        found: see `motion.matches`.
    """
    maps, told, peaks = [], [], []
    height, width = found.features.shape[-2:]
    rows, columns = (np.arange(-min(REACH, (n - 1) // 2), min(REACH, (n - 1) // 2) + 1) for n in (height, width))
    lefts = {slot: i * (len(columns) + 1) * found.stride for i, slot in enumerate(found.neighbours)}
    for slot in found.neighbours:
        near = found.marginal(slot)[np.ix_(rows, columns)]
        r, c = np.unravel_index(near.argmax(), near.shape)
        told.append(f"{signed([slot])}: {_pair((float(columns[c]) * found.stride, float(rows[r]) * found.stride))}")
        peaks.append((lefts[slot] + c * found.stride, rows[r] * found.stride))
        maps.append(near)
    low, high = min(float(one.min()) for one in maps), max(float(one.max()) for one in maps)
    colour = Axis("Mean cosine", "", (low, high) if low < high else COSINE.limits)
    middle = -float(columns[0]) * found.stride
    end = rows[-1] * found.stride + found.stride / 2
    x, _ = _strip(found, lefts, len(columns), "Displacement to the right, each neighbour")
    edge = found.stride / 2
    across = Axis(
        x.label, x.unit, (-edge, lefts[found.neighbours[-1]] + len(columns) * found.stride - edge),
        ticks=tuple((left + middle, f"{signed([slot])}: 0") for slot, left in lefts.items()),
    )  # fmt: skip
    return Panel(
        "Fourier marginal",
        across,
        Axis("Displacement down", "input px", (end, -end)),
        (
            _side_by_side(maps, found.stride, 0.0, float(rows[0] * found.stride), colour, "magnitude"),
            *(Rule(left + middle, "x", role="reference") for left in lefts.values()),
            Rule(0.0, "y", role="reference"),
            Points(*np.array(peaks, float).T, name="highest", role="cursor"),
        ),
        note=f"{found.network}, stride {found.stride}. Highest at " + "; ".join(told) + " (input px).",
        guide="The 4-D motion matrix, summed along equal displacement: a peak away from the dotted cross says that "
        "the whole cut moved so; single limbs are lost in it.",
        formula="m(d) = mean over p of C(p, p + d) = IFFT(Σ over channels of conj(K) · N) / places, d circular",
        source="cross-correlation theorem; " + MATRIX_SOURCE,
        equal=True,
    )


def _step(cuts: NDArray[np.uint8], step: int) -> NDArray[np.float64]:
    gradient = motion.spectral_gradient(cuts)
    if not 0 <= step < len(gradient):
        raise ValueError(f"a window of {len(cuts)} frames has steps 0 to {len(gradient) - 1}, got {step}")
    return gradient[step]


def _name(cuts: NDArray[np.uint8], step: int) -> str:
    return list(steps(len(cuts)))[step]


def _slot(slot: int) -> str:
    return signed([slot]) if slot else "key"


def _away(found: Matches, rows: np.intp, columns: np.intp) -> tuple[float, float]:
    """Cells down and to the right as a displacement x, y; input pixels."""
    return float(columns) * found.stride, float(rows) * found.stride


def _side_by_side(
    maps: list[NDArray[np.float64]], stride: int, x: float, y: float, colour: Axis = COSINE, palette: str = "signed"
) -> Heatmap:
    """Maps with a column of gaps between them; x and y of the first cell's centre."""
    gap = np.full((len(maps[0]), 1), np.nan)
    whole = np.concatenate([part for one in maps for part in (one, gap)][:-1], 1)
    height, width = whole.shape
    return Heatmap(whole, x + stride * np.arange(width), y + stride * np.arange(height), colour, palette)


def _strip(found: Matches, lefts: dict[int, int], columns: int, label: str) -> tuple[Axis, Axis]:
    height = found.size[0]
    wide = columns * found.stride
    end = max(lefts.values()) + wide
    ticks = tuple((left + (wide - 1) / 2, signed([slot])) for slot, left in lefts.items())
    return (
        Axis(label, "input px", (-0.5, end - 0.5), ticks=ticks),
        Axis("y", "input px", (height - 0.5, -0.5)),
    )


def _pair(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:.0f}' for value in values)})".replace("-", "−")
