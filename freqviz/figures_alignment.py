"""What alignment did in one window: offsets, modulation masks, neighbours before and after, shifts, and single points.

Convention: everything lies in pixels of the cut, the picture that the network sees (input pixels), centre of the
top-left pixel = (0, 0), y down. An offset points from a place of the key frame to where the neighbour is read; it
holds what coarser scales said, and leaves out the regular place of its tap in the 3 x 3 grid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import crops, look, spectra
from freqviz.offsets import NINE, Offsets, signed
from freqviz.panel import (
    Arrows,
    Axis,
    Heatmap,
    Image,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    cut_plane,
    luma_difference,
)

SPACING = 8  # input pixels between arrows at least
MASKS = (0.0, 2.0)  # 1 leaves a sample as it is
PATCH = 65  # input pixels: side of the pictures around a point
BAND = 0.13  # cycles/pixel up to which phases count: a blur of 31 px leaves little above
DEFORMABLE = "y(p) = Σ_k w_k · mask_k(p) · x(p + p_k + offset_k(p))"
DEFORMABLE_SOURCE = "Zhu et al., Deformable ConvNets v2, CVPR 2019"


def offset_arrows(
    cuts: ArrayLike, field: Offsets, slot: int, box: ArrayLike, tap: str | None = None, magnification: float = 1.0
) -> Panel:
    """From where each place of the key frame reads one neighbour, as arrows over the key frame.

    Args:
        cuts: (T, H, W, 3) uint8, the frames of the window, cut by one box; see `run.window_cuts`.
        field: of one scale.
        slot: the neighbour.
        box: (4,) tight x, y, w, h of the person; frame pixels.
        tap: one of `field.taps`; None: the mean of all.
        magnification: how many times longer than the displacement an arrow is drawn.
    Raises:
        LookupError: no such neighbour or tap.
    """
    offset, _ = field.of(slot, tap)
    step = max(1, round(SPACING / field.stride))
    first = (step - 1) // 2
    x, y = np.meshgrid(*(centres[first::step] for centres in field.places))
    u, v = offset[:, first::step, first::step]
    role = look.network_roles([field.network])[field.network]
    pale = (255 * (0.4 + 0.6 * spectra.luma(_frame(cuts, 0)))).astype(np.uint8)  # arrows stand out
    long = "true length" if magnification == 1 else f"{magnification:g} times their length"
    return Panel(
        "Alignment offsets",
        *cut_plane(*field.size),
        (
            Image(pale),
            Arrows(x.ravel(), y.ravel(), u.ravel(), v.ravel(), magnification, role=role),
            Points(x.ravel(), y.ravel(), size=0.35, role=role),
        ),
        note=f"{_which(field, slot, tap)}: {_median(offset, field, box)} Arrows at {long}.",
        guide="An arrow begins at a place of the key frame and ends where the neighbour is read for it; content that "
        "moved right from the key frame to the neighbour has arrows to the right.",
        formula=f"{DEFORMABLE}; shown: offset_k, which holds what coarser scales said",
        source=DEFORMABLE_SOURCE,
        equal=True,
    )


def modulation_mask(field: Offsets, slot: int, tap: str | None = None) -> Panel:
    """How much of each sample of one neighbour is let through.

    Args:
        field, slot, tap: as in `offset_arrows`.
    Raises:
        LookupError: no such neighbour or tap.
    """
    _, mask = field.of(slot, tap)
    x, y = field.places
    return Panel(
        "Modulation mask",
        *cut_plane(*field.size),
        (Heatmap(mask, x, y, Axis("Mask", "", MASKS), "signed"),),
        note=f"{_which(field, slot, tap)}: from {mask.min():.2f} to {mask.max():.2f}, mean {mask.mean():.2f}.",
        guide="White lets a sample through as it is, blue weakens it and red strengthens it; places where the "
        "neighbour cannot be trusted should be blue.",
        formula=f"{DEFORMABLE}; shown: mask_k",
        source=DEFORMABLE_SOURCE,
        equal=True,
    )


def neighbour(cuts: ArrayLike, field: Offsets, slot: int, tap: str | None = None, aligned: bool = True) -> Panel:
    """The picture of one neighbour, read where the offsets of the network say, or as it is.

    Args:
        cuts, field, slot, tap: as in `offset_arrows`.
        aligned: False for the picture as it is.
    Raises:
        LookupError: no such neighbour or tap.
    """
    picture = _picture(cuts, field, slot, tap, aligned)
    return Panel(
        f"Neighbour {'after' if aligned else 'before'} alignment",
        *cut_plane(*field.size),
        (Image(picture),),
        note=f"Neighbour {signed([slot])}, " + (f"{_scale(field, tap)}." if aligned else "as the network sees it."),
        guide="The better the offsets, the more this looks like the key frame; what the neighbour does not show "
        "cannot come."
        if aligned
        else "Cut by the key frame's box.",
        formula="aligned(p) = neighbour(p + offset(p)), bilinear in the picture and between the cells of the "
        "offsets, without masks and filters: networks read features so, this reads the picture",
        source="Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015",
        equal=True,
    )


def difference_to_key(
    cuts: ArrayLike, field: Offsets, slot: int, box: ArrayLike, tap: str | None = None, aligned: bool = True
) -> Panel:
    """What is left between one neighbour and the key frame, in luma.

    Args:
        cuts, field, slot, box, tap: as in `offset_arrows`.
        aligned: False for the neighbour as it is.
    Raises:
        LookupError: no such neighbour or tap.
    """
    key = spectra.luma(_frame(cuts, 0))
    person = crops.person_cells(key.shape, 1, box, key.shape)
    before, after = (spectra.luma(_picture(cuts, field, slot, tap, moved)) - key for moved in (False, True))
    size = [float(np.abs(difference[person]).mean()) for difference in (before, after)]
    note = f"Mean |difference| over the person {size[aligned]:.3f}"
    if aligned and size[0]:
        note += f", {100 * (size[1] / size[0] - 1):+.0f} % against before".replace("-", "−")
    return Panel(
        f"Difference to the key frame {'after' if aligned else 'before'} alignment",
        *cut_plane(*key.shape),
        (luma_difference(after if aligned else before),),
        note=f"{note}.",
        guide="White is equal to the key frame, red brighter, blue darker. Networks align features, not luma: blur "
        "and light that change between the frames stay.",
        formula="luma of the neighbour − luma of the key frame, means of blocks of pixels",
        source="luma: ITU-R BT.601",
        equal=True,
    )


def global_shift(cuts: ArrayLike, medians: Mapping[str, ArrayLike]) -> Panel:
    """The way of the person through the window: by phase correlation, and by the offsets of each network.

    Args:
        cuts: as in `offset_arrows`.
        medians: by network (T, 2) median offset over the person, input pixels; NaN where a network has none.
    Raises:
        LookupError: no network has offsets.
    """
    ways = {name: np.asarray(way, np.float64) for name, way in medians.items()}
    ways = {name: way for name, way in ways.items() if np.isfinite(way).all()}
    if not ways:
        raise LookupError(f"a median offset needs a network that aligns; given: {', '.join(medians) or 'none'}")
    grey, slots = spectra.luma(np.asarray(cuts)), _slots(cuts)
    found = [spectra.phase_correlation(grey[len(grey) // 2], other, BAND) for other in grey]
    shifts, confidences = np.array([shift for shift, _ in found]), [confidence for _, confidence in found]
    texts = [f"frame {signed([slot])}" if slot else "key frame" for slot in slots]
    roles = look.network_roles(ways)
    marks: list[Mark] = [Rule(0, "x", role="reference"), Rule(0, "y", role="reference")]
    sure = [f"{text}, confidence {value:.2f}" for text, value in zip(texts, confidences, strict=True)]
    for name, way, role, words in (
        ("phase correlation", shifts, "data", sure),
        *((name, way, roles[name], texts) for name, way in ways.items()),
    ):
        x, y = way.T
        marks += [Line(x, y, name=name, role=role), Points(x, y, texts=words, role=role)]
    reach = max(1.0, 1.15 * max(float(np.abs(way).max()) for way in (shifts, *ways.values())))
    others = [i for i, slot in enumerate(slots) if slot]
    apart = ", ".join(
        f"{name} {np.linalg.norm(way - shifts, axis=1)[others].mean():.1f} px" for name, way in ways.items()
    )
    doubt = [confidences[i] for i in others]
    note = f"Mean distance from phase correlation: {apart}; its confidence {min(doubt):.2f} to {max(doubt):.2f}"
    return Panel(
        "Global shift",
        Axis("Shift to the right", "input px", (-reach, reach)),
        Axis("Shift down", "input px", (reach, -reach)),
        tuple(marks),
        note=f"{note}.",
        guide="Each line joins the frames of the window in their order, the key frame at the centre. Lines that lie "
        "on each other agree; a confidence below about 0.3 says that the frames did not simply shift.",
        formula=f"peak of IFFT(conj(K) · N / |K · N|), Hann window, phases below {BAND:g} cycles/pixel; "
        "networks: median offset over person and taps, finest scale",
        source="Kuglin and Hines, The phase correlation image alignment method, 1975",
        equal=True,
    )


def landing(cuts: ArrayLike, field: Offsets, point: tuple[float, float]) -> Panel:
    """Where one point of the key frame is read in each neighbour: a strip of pictures around that place.

    Args:
        cuts, field: as in `offset_arrows`.
        point: x, y in the key frame's cut; input pixels.
    Raises:
        ValueError: the point lies outside the cut.
    """
    pictures, slots = np.asarray(cuts, np.uint8), _slots(cuts)
    height, width = pictures.shape[1:3]
    x, y = point
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise ValueError(f"a point of the cut lies in 0 to {width - 1}, 0 to {height - 1}, got {x:g}, {y:g}")
    half = (PATCH - 1) / 2
    to_patch = np.array([[1, 0, half - x], [0, 1, half - y]])
    strip = np.concatenate([cv2.warpAffine(picture, to_patch, (PATCH, PATCH)) for picture in pictures], 1)
    reads, strengths, means, told = [], [], [], []
    for place, slot in enumerate(slots):
        if slot not in field.slots:
            continue
        n = field.slots.index(slot)
        moved = np.array([field.at(field.offset[n, k], point) for k in range(len(field.taps))])  # (K, 2)
        middle = np.array([place * PATCH + half, half])
        reads.append(middle + field.reach + moved)
        strengths.append([field.at(one[None], point)[0] for one in field.mask[n]])
        means.append(middle + moved.mean(0))
        told.append(f"{signed([slot])}: ({_pair(point + moved.mean(0))})")
    taps, mean = np.concatenate(reads), np.array(means)
    same = np.array([[place * PATCH + half, half] for place in range(len(slots))])
    role = look.network_roles([field.network])[field.network]
    names = [f"{name}, {signed([slot])}" for slot in slots if slot in field.slots for name in field.taps]
    mask = Axis("Mask", "", MASKS)
    marks: tuple[Mark, ...] = (
        Image(strip),
        *(Rule(place * PATCH - 0.5, "x", role="box") for place in range(1, len(slots))),
        Points(taps[:, 0], taps[:, 1], np.concatenate(strengths), mask, "signed", names, name="taps"),
        Points(*same.T, name="the same place", role="box"),
        Points(*mean.T, name="mean of the taps", role=role),
    )
    ticks = tuple((place * PATCH + half, signed([slot]) if slot else "key") for place, slot in enumerate(slots))
    return Panel(
        "Where a point lands",
        Axis("Frame relative to the key frame", "", (-0.5, len(slots) * PATCH - 0.5), ticks=ticks),
        Axis("y", "input px", (PATCH - 0.5, -0.5), ticks=((0, f"{y - half:.0f}"), (PATCH - 1, f"{y + half:.0f}"))),
        marks,
        note=f"{field.network}, stride {field.stride}: ({_pair((x, y))}) of the key frame is read at "
        + "; ".join(told)
        + " input px.",
        guide=f"Pictures of {PATCH} input pixels around the same place in every frame. Good offsets put the mean of "
        "the taps on the same part of the body as in the key frame; taps are coloured by their mask.",
        formula=f"{DEFORMABLE}; shown: p + p_k + offset_k(p), bilinear between cells",
        source=DEFORMABLE_SOURCE,
        equal=True,
    )


def _slots(cuts: ArrayLike) -> list[int]:
    """Frames from the key frame, which is the middle one of the window."""
    count = len(np.asarray(cuts))
    return list(range(-(count // 2), count // 2 + 1))


def _frame(cuts: ArrayLike, slot: int) -> NDArray[np.uint8]:
    frames = np.asarray(cuts, np.uint8)
    if frames.ndim != 4 or len(frames) % 2 == 0 or abs(slot) > len(frames) // 2:
        raise ValueError(f"cuts must be (T, H, W, 3), T odd and with a frame {slot:+d}, got {frames.shape}")
    return frames[len(frames) // 2 + slot]


def _picture(cuts: ArrayLike, field: Offsets, slot: int, tap: str | None, aligned: bool) -> NDArray[np.uint8]:
    offset, _ = field.of(slot, tap)
    return crops.read_at(_frame(cuts, slot), offset) if aligned else _frame(cuts, slot)


def _median(offset: NDArray[np.float64], field: Offsets, box: ArrayLike) -> str:
    person = crops.person_cells(offset.shape[1:], field.stride, box, field.size)
    inside: NDArray[Any] = offset[:, person]
    return (
        f"median over the person ({_pair(np.median(inside, 1))}), longest {np.hypot(*inside).max():.1f} input px "
        f"(one is {crops.scale(box, field.size):.2f} frame px)."
    )


def _scale(field: Offsets, tap: str | None) -> str:
    kind = "taps" if field.taps == NINE else "groups"
    whole = f"mean of {len(field.taps)} {kind}" if len(field.taps) > 1 else "one tap"
    return f"{field.network}, stride {field.stride}, {tap or whole}"


def _which(field: Offsets, slot: int, tap: str | None) -> str:
    return f"Neighbour {signed([slot])}, {_scale(field, tap)}"


def _pair(values: Sequence[float] | NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.1f}" for value in values).replace("-", "−")
