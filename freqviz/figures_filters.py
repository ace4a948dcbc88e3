"""What the learned filter of a network does: gallery, gain, phase, kernel, and its effect on one window.

Convention: as in `filters`; frequencies are cycles per input pixel, so a filter on maps of stride 8 ends at 1/16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freqviz import crops, filters, look, spectra
from freqviz.offsets import signed
from freqviz.panel import Axis, Band, Heatmap, Line, Mark, Panel, Rule

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

QUIET = 0.05  # a filter whose strength is below this does next to nothing
SMALL = np.pi / 4  # phases below this are shown without wrapping round
RINGS = 12
CHANCE = (4 / 3) ** 0.5  # strength of a depthwise kernel with the initial weights of PyTorch: 1 + fan-in · variance
BEGUN = 0.02 * 2**0.5  # root mean square gain of a global filter before training: N(0, .02) twice
PASSING = "branch."  # where those filters stand in a network that let everything through before training
NAMED = 24  # channels whose rank the note of the gallery tells
RESPONSE = "filter(u, v) = FFT of its kernel"
FILTER_SOURCE = "Rao et al., Global Filter Networks, NeurIPS 2021"


@dataclass(frozen=True)
class Filters:
    """The filters of one network, one a channel: C channels on maps of H x W cells."""

    network: str
    kernels: NDArray[np.float64]  # (C, H, W) centred
    planes: NDArray[np.complex128]  # (C, H, W) centred response
    stride: int  # input pixels per cell
    spectral: bool  # learned as a spectrum; else as a kernel in the picture
    branch: bool = False  # added to what passes beside it
    begun: float = BEGUN  # root mean square gain of a branch before training

    @property
    def strengths(self) -> NDArray[np.float64]:
        """(C,) distance of each filter from doing nothing: the identity (`filters.strength`), in a branch 0."""
        return filters.strength(self.planes + 1 if self.branch else self.planes)

    @property
    def order(self) -> list[int]:
        """Channels, the strongest first."""
        return [int(channel) for channel in np.argsort(-self.strengths, kind="stable")]

    @property
    def verdict(self) -> str:
        """In words, whether the filters do anything."""
        strongest, mean = self.strengths.max(), self.strengths.mean()
        if self.branch:
            return (
                f"Root mean square gain: strongest {strongest:.3f}, mean {mean:.3f}, {self.begun:.3f} before training; "
                "what they give is added to what passes beside them."
            )
        words = f"Distance from the identity: strongest {strongest:.3f}, mean {mean:.3f} of gain"
        if not self.spectral:
            return f"{words}; {CHANCE:.2f} is what the kernel had before training, which did not start as the identity."
        return f"{words}." + (" These filters do next to nothing." if strongest < QUIET else "")

    def at(self, channel: int) -> NDArray[np.complex128]:
        """(H, W) response of one channel.

        Raises:
            IndexError: no such channel.
        """
        if not 0 <= channel < len(self.planes):
            raise IndexError(f"channel must be 0 to {len(self.planes) - 1}, got {channel}")
        return self.planes[channel]


def kinds(trace: "Trace") -> list[str]:
    """The words for the filters over space that a network has; the first is what `learned` takes by itself."""
    return [name for name in ("learned_filter", "learned_kernel", "space_time_filter") if trace.stages(name)]


def learned(trace: "Trace", size: tuple[int, int] = crops.SIZE, kind: str | None = None) -> Filters:
    """The filters that a network has learned: as a spectrum, or as a kernel in the picture.

    Args:
        trace: a deep trace.
        size: height and width of the network's input.
        kind: one of `kinds`; None: the first.
    Raises:
        LookupError: the network has none, or not that one.
        ValueError: the filter does not fit maps of that size.
    """
    held = kinds(trace)
    if not held:
        raise LookupError(
            f"{trace.network} has no learned filter: it sees one frame, or shows nothing as wide as the map that it "
            "learned; choose a network that does"
        )
    record = trace.get(kind or held[0])
    height, width = (-(-n // record.stride) for n in size)
    spectral = record.quantity != "learned_kernel"
    if spectral:
        kernels = filters.kernel_of_filter(record.values, width)
    else:
        kernels = filters.kernel_of_taps(record.values, height, width)
    branch = spectral and not trace.stages("difference_spectrum")
    begun = 1.0 if record.stage.startswith(PASSING) or record.quantity == "space_time_filter" else BEGUN
    return Filters(trace.network, kernels, filters.response(kernels), record.stride, spectral, branch, begun)


def gallery(learnt: Filters, columns: int | None = None) -> Panel:
    """The gain of every channel, the strongest first: small planes in rows; None: so many that the sheet is wide."""
    gains = np.abs(learnt.planes[learnt.order])
    count, height, width = gains.shape
    columns = min(columns or (8 if count <= 32 else 24), count)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 2) - 2, columns * (width + 2) - 2), np.nan)
    for place, plane in enumerate(gains):
        top, left = place // columns * (height + 2), place % columns * (width + 2)
        sheet[top : top + height, left : left + width] = plane
    across = [
        (column * (width + 2) + (width - 1) / 2, f"{column + 1}.") for column in range(0, columns, -(-columns // 8))
    ]
    down = [
        (row * (height + 2) + (height - 1) / 2, f"{row * columns + 1}–{min((row + 1) * columns, count)}")
        for row in range(rows)
    ]
    ranked = ", ".join(map(str, learnt.order[:NAMED])) + (" …" if count > NAMED else ".")
    return Panel(
        "Gallery of filters",
        Axis("Place in the row", "", (-1.5, sheet.shape[1] + 0.5), ticks=tuple(across)),
        Axis("Rank by strength", "", (sheet.shape[0] + 0.5, -1.5), ticks=tuple(down)),
        (
            Heatmap(
                sheet,
                np.arange(sheet.shape[1]),
                np.arange(sheet.shape[0]),
                *_gains(learnt),
            ),
        ),
        note=f"{learnt.network}. {learnt.verdict} Channels by rank: {ranked}",
        guide="A plane for each channel, zero frequency in its centre. " + _colours(learnt),
        formula="gain = |filter(u, v)|; strength = "
        + f"√(mean of |filter{'' if learnt.branch else ' − 1'}|² over the whole plane)",
        source=FILTER_SOURCE,
        equal=True,
    )


def gain(learnt: Filters, channel: int) -> Panel:
    """How much one channel's filter lets through at each frequency.

    Raises:
        IndexError: no such channel.
    """
    values = np.abs(learnt.at(channel))
    return Panel(
        "Gain",
        *_plane(learnt),
        (_cells(learnt, values, *_gains(learnt)),),
        note=f"{_which(learnt, channel)}: from {values.min():.3f} to {values.max():.3f}; strength "
        f"{learnt.strengths[channel]:.3f}.",
        guide="Horizontal frequencies u, vertical v. One range of colour serves all channels of the network. "
        + _colours(learnt),
        formula=f"|filter(u, v)|, {RESPONSE}, both halves of the plane",
        source=FILTER_SOURCE,
        equal=True,
    )


def phase(learnt: Filters, channel: int) -> Panel:
    """How far one channel's filter moves each frequency.

    Raises:
        IndexError: no such channel.
    """
    plane = learnt.at(channel)
    values = np.where(np.abs(plane) > 1e-9, np.angle(plane), np.nan)
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    small = largest < SMALL
    reach = max(largest, 0.01) if small else np.pi
    ends = (f"−{reach:.2g}", f"{reach:.2g}") if small else ("−π", "π")
    colour = Axis("Phase", "rad", (-reach, reach), ticks=((-reach, ends[0]), (0, "0"), (reach, ends[1])))
    return Panel(
        "Phase",
        *_plane(learnt),
        (_cells(learnt, values, colour, "signed" if small else "phase"),),
        note=f"{_which(learnt, channel)}: largest {largest:.3f} rad"
        + (", shown in its own range." if small else ", shown all round."),
        guide="A phase that falls evenly towards the right moves content to the right; zero moves nothing, and "
        "opposite frequencies have opposite phases.",
        formula=f"arg filter(u, v), {RESPONSE}; a shift by d: −2π f · d",
        source=FILTER_SOURCE,
        equal=True,
    )


def radial_gain(learnt: Filters, channel: int) -> Panel:
    """Gain against frequency whatever the direction: one channel, and the range of all.

    Raises:
        IndexError: no such channel.
    """
    learnt.at(channel)
    height, width = learnt.planes.shape[1:]
    frequency, means = spectra.radial_mean(np.abs(learnt.planes), RINGS, learnt.stride)
    full = np.isfinite(means).all(0)
    frequency, means = frequency[full], means[:, full]
    role = look.network_roles([learnt.network])[learnt.network]
    marks: tuple[Mark, ...] = (
        Band(frequency, means.min(0), means.max(0), name="all channels", role=role),
        Line(frequency, means[channel], name=f"channel {channel}", role=role),
        *(() if learnt.branch else (Rule(1.0, "y", name="identity", role="reference"),)),
    )
    low, high = (0.0, 1.05 * float(means.max())) if learnt.branch else _around_one(means)
    return Panel(
        "Radial gain",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5 / learnt.stride)),
        Axis("Mean gain", "", (low, high)),
        marks,
        note=f"{_which(learnt, channel)}. Maps of {width} × {height} cells end at {0.5 / learnt.stride:.4f} "
        "cycles/input px.",
        guide="A line that falls to the right lets coarse structure through and holds back fine detail"
        + ("." if learnt.branch else "; on the dotted line nothing happens."),
        formula="mean of |filter| over rings of equal |f|",
        source=FILTER_SOURCE,
    )


def temporal_gain(trace: "Trace", size: tuple[int, int] = crops.SIZE) -> Panel:
    """Gain of a learned filter over time and space: how it treats what changes so fast at such a spatial frequency.

    Args:
        trace, size: as in `learned`.
    Raises:
        LookupError: the network filters no time.
    """
    record = trace.get("temporal_filter")
    gains = np.abs(spectra.whole_plane(np.abs(record.values), -(-size[1] // record.stride), 3))  # (C, T, H, W)
    frequency, means = spectra.radial_mean(gains.mean(0), min(gains.shape[-2:]) // 2, record.stride)
    times = spectra.frequencies(means.shape[0])
    low, high = _around_one(means)
    apart = np.sqrt((np.abs(record.values - 1) ** 2).mean())
    return Panel(
        "Gain over time and space",
        Axis("Spatial frequency", "cycles/input px", (0, 0.5 / record.stride)),
        Axis("Temporal frequency", "cycles/frame", (-0.5, 0.5)),
        (Heatmap(means, frequency, times, Axis("Mean gain", "", (low, high)), "signed"),),
        note=f"{trace.network}, mean of {len(gains)} channels, {len(times)} frames: gain {means.min():.3f} to "
        f"{means.max():.3f}; root mean square distance from the identity {apart:.3f}.",
        guide="White passes as it is, which all did before training. The middle row is what stands still in the "
        "aligned features; blue away from it holds back what changes from frame to frame, such as noise or misfits.",
        formula="mean of |filter(ω, v, u)| over channels and rings of equal |(u, v)|",
        source=FILTER_SOURCE + ", over time as well",
    )


def kernel(learnt: Filters, channel: int, less_identity: bool = True) -> Panel:
    """From where one channel's filter brings content, as a kernel in the picture.

    Args:
        less_identity: leave out the 1 at the centre that passes the map as it is.
    Raises:
        IndexError: no such channel.
    """
    learnt.at(channel)
    less_identity &= not learnt.branch  # nothing passes a branch as it is
    values = learnt.kernels[channel].copy()
    height, width = values.shape
    centre = values[height // 2, width // 2]
    if less_identity:
        values[height // 2, width // 2] -= 1
    reach = float(np.abs(values).max())
    x, y = (learnt.stride * (np.arange(n) - n // 2) for n in (width, height))
    half = learnt.stride / 2
    wide = "circular, as wide as the map" if learnt.spectral else "15 × 15 cells, zeros outside the map"
    return Panel(
        "Spatial kernel",
        Axis("To the right", "input px", (x[0] - half, x[-1] + half)),
        Axis("Down", "input px", (y[-1] + half, y[0] - half)),
        (Heatmap(values, x, y, _both_ways("Weight", reach), "signed"),),
        note=f"{_which(learnt, channel)}, {wide}. Weight at the centre "
        + f"{centre:.3f}".replace("-", "−")
        + (", shown less the identity (1)." if less_identity else "."),
        guide="Weight at a displacement d adds the map moved by d; a single spot at the centre "
        + ("adds the map itself." if learnt.branch else "changes nothing but the strength."),
        formula="kernel = IFFT(filter)" + (" − 1 at the centre" if less_identity else ""),
        source=FILTER_SOURCE,
        equal=True,
    )


def effect(trace: "Trace", channel: int, slot: int, what: str, size: tuple[int, int] = crops.SIZE) -> Panel:
    """What one filter does to what it is given: the difference of the features of a neighbour and of the key frame.

    Args:
        trace: a deep trace.
        channel: of the filter.
        slot: the neighbour.
        what: "before", "after" or "difference".
        size: as in `learned`.
    Raises:
        LookupError: the network has no learned filter, or no such neighbour or part.
        IndexError: no such channel.
    """
    learnt = learned(trace, size)
    learnt.at(channel)
    if what not in EFFECTS:
        raise LookupError(f"no part '{what}' of an effect; parts: {', '.join(EFFECTS)}")
    if learnt.branch:
        raise LookupError(f"{trace.network} filters its one frame in many channels at once, without a neighbour")
    name = "difference_spectrum" if learnt.spectral else "feature_difference"
    given, told = trace.get(name), trace.get("spectral_descriptor" if learnt.spectral else "spatial_descriptor")
    slots: Sequence[int] = [int(one) for one in given.slots]
    if slot not in slots:
        raise LookupError(f"no neighbour {signed([slot])} in {trace.network}; neighbours: {signed(slots)}")
    n = slots.index(slot)
    after = told.values[n, channel].astype(float)
    before = given.values[n, channel]
    if learnt.spectral:
        before = np.fft.irfft2(before, s=after.shape, norm="ortho")
    change = after - before
    shown = {"before": before, "after": after, "difference": change}[what]
    own = float(np.abs(change).max()) if what == "difference" else max(np.abs(before).max(), np.abs(after).max())
    share = float(np.sqrt((change**2).sum() / max((before**2).sum(), 1e-30)))
    x, y = (np.arange(count) * learnt.stride + (learnt.stride - 1) / 2 for count in shown.shape[::-1])
    title, guide = EFFECTS[what]
    return Panel(
        title,
        Axis("x in the cut", "input px", (-0.5, size[1] - 0.5)),
        Axis("y", "input px", (size[0] - 0.5, -0.5)),
        (Heatmap(shown, x, y, _both_ways("Feature", own), "signed"),),
        note=f"{_which(learnt, channel)}, neighbour {signed([slot])}"
        + (f": changed by {100 * share:.1f} % (root mean square)." if what == "difference" else "."),
        guide=guide,
        formula="before: features of the neighbour (balanced in blur where the network learned that) − those of the "
        "key frame; after = filter applied to before"
        + ("" if learnt.spectral else ", with the layer's bias")
        + "; difference = after − before",
        source=FILTER_SOURCE,
        equal=True,
    )


EFFECTS = {
    "before": ("Before the filter", "What changed between the frames, as the network's features see it."),
    "after": ("After the filter", "What gates of offsets and masks are made of; colours as before the filter."),
    "difference": ("What the filter changed", "In its own range of colour: pale here means little, read the note."),
}


def _around_one(values: NDArray[np.float64]) -> tuple[float, float]:
    """Limits that hold every gain: as far below 1 as above, but from 0 where gains reach beyond 2."""
    reach = max(float(np.nanmax(np.abs(values - 1))), 0.01)
    return max(1 - reach, 0.0), 1 + reach


def _gains(learnt: Filters) -> tuple[Axis, str]:
    """One colour axis for all channels, and its colours: white is a gain of 1 unless gains reach beyond 2."""
    if learnt.branch:
        return Axis("Gain", "", (0, float(np.abs(learnt.planes).max()))), "magnitude"
    low, high = _around_one(np.abs(learnt.planes))
    return Axis("Gain", "", (low, high)), "signed" if high <= 2 else "magnitude"


def _colours(learnt: Filters) -> str:
    if learnt.branch:
        return "Yellow lets most through."
    if _gains(learnt)[1] == "signed":
        return "White passes a frequency as it is, blue weakens it, red strengthens it."
    return "A gain of 1 passes a frequency as it is; yellow strengthens it most."


def _both_ways(label: str, reach: float) -> Axis:
    """A colour axis with zero in the middle."""
    reach = reach or 1.0
    return Axis(label, "", (-reach, reach), ticks=((-reach, f"−{reach:.2g}"), (0, "0"), (reach, f"{reach:.2g}")))


def _plane(learnt: Filters) -> tuple[Axis, Axis]:
    end = 0.5 / learnt.stride
    return (
        Axis("u", "cycles/input px", (-end, end)),
        Axis("v", "cycles/input px", (end, -end)),
    )


def _cells(learnt: Filters, values: NDArray[np.float64], colour: Axis, palette: str) -> Heatmap:
    v, u = (spectra.frequencies(n, learnt.stride) for n in values.shape)
    return Heatmap(values, u, v, colour, palette)


def _which(learnt: Filters, channel: int) -> str:
    rank = learnt.order.index(channel) + 1
    return f"{learnt.network}, channel {channel} (rank {rank} of {len(learnt.planes)})"
