"""Pictures of an annotated clip: networks side by side with skeletons and frame weights, and the frame's spectrum.

What stands still is drawn once; each frame is then a few pastes, lines and words, so that a clip of a thousand frames
takes seconds. Colours are those of `look`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from freqviz import crops, figures, look, poses, spectra
from freqviz.clip import Clip
from freqviz.figures_strip import PERSON, WHOLE_FRAME, Found

Picture = NDArray[np.uint8]
WIDTH, TALLEST = 1280, 620  # pixels of a picture at most, and of the frames in it
NARROWEST = 220  # of the frame under which weights stand
GAP, TEXT, SMALL = 16, 17, 14  # pixels: margins, size of type
SPECTRUM = 248  # side of the power spectrum
BARS, CURVE = 96, 110  # height of the weights, and of the radial profile
SOME = 32  # frames, evenly spread, that the decibels are taken from
RINGS = 32
_BITS = 4  # of the fractions of a pixel that lines are drawn with


class Annotated:
    """Pictures, one a frame, uint8 (H, W, 3) of one even size; iterated from the first to the last.

    Args:
        clip: what was analysed.
        traces: light traces of it, one a network, at least one.
        truth: (N, J, 2) true joints, NaN where unknown; drawn on every network's frame. Frame pixels.
        region: PERSON: the part of the frame in which the person is over the clip; or WHOLE_FRAME.
        width: pixels at most.
        edges: joints to connect.
    Raises:
        ValueError: no network, traces or truth of another clip, another region, or a width below 480.
    """

    def __init__(
        self,
        clip: Clip,
        traces: Sequence[Found],
        truth: ArrayLike | None = None,
        region: str = PERSON,
        width: int = WIDTH,
        edges: Sequence[tuple[int, int]] = poses.EDGES,
    ):
        if not traces:
            raise ValueError("an annotated clip needs at least one network, got none")
        if region not in (PERSON, WHOLE_FRAME):
            raise ValueError(f"region must be {PERSON!r} or {WHOLE_FRAME!r}, got {region!r}")
        if width < 480:
            raise ValueError(f"width must be at least 480 pixels, got {width}")
        self.clip, self.traces, self.edges = clip, list(traces), edges
        self.truth = None if truth is None else np.asarray(truth, np.float64)
        lengths = {len(trace.keypoints) for trace in traces} | ({len(self.truth)} if self.truth is not None else set())
        if lengths != {len(clip)}:
            raise ValueError(f"the clip has {len(clip)} frames, the poses are of {sorted(lengths - {len(clip)})[0]}")
        self.roles = look.network_roles([trace.network for trace in traces])
        self._lay_out(region, width)

    def _lay_out(self, region: str, width: int) -> None:
        count = len(self.traces)
        left, top, right, bottom = self._shown(region)
        room = width - SPECTRUM - (count + 2) * GAP
        scale = min(room / count / (right - left), TALLEST / (bottom - top))
        self.cell = _even((bottom - top) * scale), _even((right - left) * scale)
        self.column = max(self.cell[1], _even(min(NARROWEST, room / count)))
        down, across = self.cell[0] / (bottom - top), self.cell[1] / (right - left)
        self.to_cell = np.array([[across, 0, -across * left - 0.5], [0, down, -down * top - 0.5]])
        self.head = GAP + TEXT + 10  # where frames begin
        side = self.head + SPECTRUM + TEXT + 26 + CURVE + 44
        below = self.head + self.cell[0] + GAP + TEXT + 12 + BARS + SMALL + 10
        self.size = _even(max(side, below) + 1), _even(count * self.column + SPECTRUM + (count + 2) * GAP)
        self.lefts = [GAP + place * (self.column + GAP) for place in range(count)]
        self.side = GAP + count * (self.column + GAP)  # where the spectrum begins

    def _shown(self, region: str) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of the part that is shown; frame pixels."""
        height, width = self.clip.size
        if region == WHOLE_FRAME:
            return -0.5, -0.5, width - 0.5, height - 0.5
        boxes = np.asarray(self.traces[0].boxes, np.float64)
        margin = (crops.MARGIN - 1) / 2 * boxes[:, 2:].max(0)
        low, high = boxes[:, :2].min(0) - margin, (boxes[:, :2] + boxes[:, 2:]).max(0) + margin
        low, high = np.maximum(low, -0.5), np.minimum(high, (width - 0.5, height - 0.5))
        if (high - low < 8).any():
            return -0.5, -0.5, width - 0.5, height - 0.5
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def __len__(self) -> int:
        return len(self.clip)

    def __iter__(self) -> Iterator[Picture]:
        for i, frame in enumerate(self.clip):
            yield self._drawn(i, frame)

    def __getitem__(self, index: int) -> Picture:
        """The picture of one frame."""
        return self._drawn(index, self.clip[index])

    @property
    def colours(self) -> Picture:
        """(N, 3) the colours that tell something: of paper, words, networks and power; N <= 64."""
        roles = [*list(self.roles.values())[:12], "truth"]
        named = [look.LIGHT.paper, look.TEXT, look.CASING, look.GRID, look.role("reference").colour]
        named += [look.shade(role, side) for role in roles for side in ("left", "right")]
        return np.concatenate([np.array([_rgb(one) for one in named], np.uint8), _map()[::9]])

    # ---- what stands still

    @cached_property
    def reference(self) -> float:
        """The power that reads 0 dB in every frame."""
        spread = np.unique(np.linspace(0, len(self) - 1, SOME).round().astype(int))
        try:
            return figures.spectrum_reference(self._person(int(i), self.clip[int(i)]) for i in spread)
        except ValueError:  # all of them are flat
            return 1.0

    @cached_property
    def top(self) -> float:
        """The weight that the tallest bar stands for."""
        known = [np.asarray(one.frame_weights, np.float64) for one in self.traces if _weighs(one)]
        largest = max((max(float(np.nanmax(held)), 2 / held.shape[1]) for held in known), default=1.0)
        return min(1.0, float(np.ceil(10 * largest - 1e-9) / 10))

    @cached_property
    def _ground(self) -> Picture:
        height, width = self.size
        page = Image.new("RGB", (width, height), look.LIGHT.paper)
        draw = ImageDraw.Draw(page)
        for left, trace in zip(self.lefts, self.traces, strict=True):
            draw.text((left, GAP), trace.network, look.shade(self.roles[trace.network]), _font(TEXT))
            y = self.head + self.cell[0] + GAP
            if not _weighs(trace):
                draw.text((left, y), "no frame weights", look.role("reference").colour, _font(SMALL))
                continue
            draw.text((left, y), f"frame weights, up to {self.top:.1f}", look.TEXT, _font(SMALL))
            slots = trace.frame_weights.shape[1]
            places, _, base = self._bars(left, slots)
            draw.line((left, base, left + self.column, base), look.TEXT)
            level = base - round(BARS / self.top / slots)
            for x in range(left, left + self.column, 6):
                draw.line((x, level, x + 2, level), look.role("reference").colour)
            for place, slot in zip(places, np.arange(slots) - slots // 2, strict=True):
                _centred(draw, place, base + 3, f"{slot:+d}" if slot else "key", look.TEXT)
        if self.truth is not None:
            end = self.lefts[-1] + self.column
            draw.text(
                (end - draw.textlength("truth", _font(SMALL)), GAP + 2), "truth", look.shade("truth"), _font(SMALL)
            )
        (low, high), x, y = figures.DB_RANGE, self.side, self.head + SPECTRUM
        _centred(draw, x + SPECTRUM / 2, y + 4, f"power spectrum, {low:g} to {high:g} dB", look.TEXT)
        top, bottom = self._curve
        draw.rectangle((x, top, x + SPECTRUM, bottom), outline=look.GRID)
        _centred(draw, x + SPECTRUM / 2, bottom + 4, f"0 to 0.5 cycles/pixel, {low:g} to {high:g} dB", look.TEXT)
        return np.asarray(page)

    @property
    def _curve(self) -> tuple[int, int]:
        """Top and bottom of the radial profile."""
        top = self.head + SPECTRUM + TEXT + 26
        return top, top + CURVE

    def _bars(self, left: int, slots: int) -> tuple[NDArray[np.float64], int, int]:
        """Middle of each bar, half its width, and the row that bars stand on."""
        each = float(self.column) / slots
        base = self.head + self.cell[0] + GAP + TEXT + 12 + BARS
        return left + each * (np.arange(slots, dtype=np.float64) + 0.5), round(0.36 * each), base

    # ---- what moves

    def _drawn(self, i: int, frame: Picture) -> Picture:
        page = self._ground.copy()
        cell = crops.warp(frame, self.to_cell, self.cell)
        truth = None if self.truth is None else self.truth[i]
        words: list[tuple[float, float, str]] = []
        for left, trace in zip(self.lefts, self.traces, strict=True):
            shown, role = cell.copy(), self.roles[trace.network]
            if truth is not None:
                self._skeleton(shown, truth, np.ones(len(truth)), poses.JOINTS, "truth", 1)
            self._skeleton(shown, trace.keypoints[i], trace.scores[i], trace.joints, role, 2)
            inset = left + (self.column - self.cell[1]) // 2
            page[self.head : self.head + self.cell[0], inset : inset + self.cell[1]] = shown
            if _weighs(trace):
                words += self._weigh(page, left, np.asarray(trace.frame_weights[i], np.float64), role)
        self._spectrum(page, self._person(i, frame))
        drawn = Image.fromarray(page)
        draw = ImageDraw.Draw(drawn)
        for x, y, text in words:
            half = draw.textlength(text, _font(SMALL)) / 2 + 2
            draw.rectangle((x - half, y + 2, x + half, y + SMALL + 1), look.LIGHT.paper)  # over the dotted line
            _centred(draw, x, y, text, look.TEXT)
        told = f"frame {self.clip.first + i}   {self.clip.times[i]:.2f} s"
        draw.text((self.side, GAP), told, look.TEXT, _font(TEXT))
        return np.asarray(drawn)

    def _weigh(
        self, page: Picture, left: int, weights: NDArray[np.float64], role: str
    ) -> list[tuple[float, float, str]]:
        """Bars of one window; where their numbers stand."""
        places, half, base = self._bars(left, len(weights))
        words = []
        for x, weight in zip(places, weights, strict=True):
            if np.isfinite(weight):
                top = base - round(BARS * min(weight / self.top, 1))
                page[top:base, round(x) - half : round(x) + half] = _rgb(look.shade(role))
                words.append((float(x), top - SMALL - 3.0, f"{weight:.2f}".replace("0.", ".", 1)))
        return words

    def _person(self, i: int, frame: Picture) -> Picture:
        return crops.cut(frame, self.traces[0].boxes[i])

    def _spectrum(self, page: Picture, person: Picture) -> None:
        """The person's power at each frequency, and at each distance from zero frequency."""
        grey = spectra.luma(person)
        low, high = figures.DB_RANGE
        shown = (spectra.power_to_db(spectra.power_spectrum(grey), self.reference) - low) / (high - low)
        square = cv2.resize(np.clip(shown, 0, 1), (SPECTRUM, SPECTRUM), interpolation=cv2.INTER_LINEAR)
        y, x = self.head, self.side
        page[y : y + SPECTRUM, x : x + SPECTRUM] = _map()[(255 * square).round().astype(np.uint8)]
        curve = spectra.radial_spectrum(grey, rings=RINGS)
        known: NDArray[np.bool_] = np.isfinite(np.asarray(curve.power))
        height = (spectra.power_to_db(curve.power[known], self.reference) - low) / (high - low)
        top, bottom = self._curve
        across = x + 2 * SPECTRUM * curve.frequency[known]
        line = np.stack([across, bottom - (bottom - top) * np.clip(height, 0, 1)], -1)
        _lines(page, [line], look.role("energy").colour, 2)

    def _skeleton(
        self, cell: Picture, points: ArrayLike, scores: ArrayLike, joints: Sequence[str], role: str, width: int
    ) -> None:
        """A person on a picture: a dark casing, the edges, and joints that are the paler the lower their score."""
        places, known = crops.transform(points, self.to_cell), np.asarray(scores, np.float64)
        finite = np.asarray(np.isfinite(places).all(1))
        sides = ["left" if name.startswith("left") else "right" for name in joints]
        ends = [(a, b) for a, b in self.edges if finite[a] and finite[b]]
        _lines(cell, [places[[a, b]] for a, b in ends], look.CASING, width + 2)
        for a, b in ends:
            left = "left" in (sides[a], sides[b])
            _lines(cell, [places[[a, b]]], look.shade(role, "left" if left else "right"), width)
        for place, score, side in zip(places[finite], known[finite], np.array(sides)[finite], strict=True):
            solid = 0.35 + 0.65 * float(np.clip(np.nan_to_num(score, nan=1.0), 0, 1))
            x, y = (int(one) for one in np.clip(place.round(), 0, (cell.shape[1] - 1, cell.shape[0] - 1)))
            colour = solid * np.array(_rgb(look.shade(role, side))) + (1 - solid) * cell[y, x].astype(float)
            centre = (round(place[0] * 2**_BITS), round(place[1] * 2**_BITS))
            for radius, shade in ((width + 2.5, _rgb(look.CASING)), (width + 1.5, tuple(colour.tolist()))):
                cv2.circle(cell, centre, round(radius * 2**_BITS), shade, -1, cv2.LINE_AA, _BITS)


class Analysed(Protocol):
    """What an annotated clip needs of an analysis."""

    @property
    def traces(self) -> Mapping[str, Any]:
        """Light traces by network."""

    @property
    def provenance(self) -> dict[str, Any]:
        """With the clip's hash, first frame and number of frames."""


def of_analysis(
    analysis: Analysed,
    clip: Clip,
    networks: Sequence[str] | None = None,
    truth: ArrayLike | None = None,
    region: str = PERSON,
    width: int = WIDTH,
    anew: bool = False,
) -> Annotated:
    """The annotated clip of an analysis.

    Args:
        analysis: what `freqviz.analyse` found.
        clip: the whole clip that it was found in.
        networks: names, from left to right; None: all of them.
        truth: (N, J, 2) true joints of every frame of `clip`, see `poses.read_truth`.
        region, width: as in `Annotated`.
        anew: the clip was encoded anew, as for a small session: its hash is another one.
    Raises:
        ValueError: another clip than was analysed, or as in `Annotated`.
        LookupError: a network that was not run.
    """
    known = analysis.provenance["clip"]
    if clip.hash != known["hash"] and not anew:
        raise ValueError(f"the clip {clip.path} is not the one that was analysed, {known['name'] or 'frames at hand'}")
    names = list(analysis.traces) if networks is None else list(networks)
    if strangers := [name for name in names if name not in analysis.traces]:
        raise LookupError(f"no network '{strangers[0]}' in this analysis; it has {', '.join(analysis.traces)}")
    start = known["first"] - clip.first
    span = slice(start, start + known["frames"])
    points = None if truth is None else np.asarray(truth, np.float64)[span]
    traces = [analysis.traces[name] for name in names]
    part = clip.between(known["first"], known["first"] + known["frames"])
    return Annotated(part, traces, points, region, width)


def _weighs(trace: Found) -> bool:
    return bool(np.isfinite(trace.frame_weights).any())


def _lines(page: Picture, paths: Sequence[NDArray[np.float64]], colour: str, width: int) -> None:
    held = [np.round(np.asarray(path) * 2**_BITS).astype(np.int32) for path in paths]
    cv2.polylines(page, held, False, _rgb(colour), width, cv2.LINE_AA, _BITS)


def _even(extent: float) -> int:
    """The largest even number of pixels that is no longer, at least 2."""
    return max(2, 2 * int(extent / 2))


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


@lru_cache(maxsize=1)
def _map() -> Picture:
    """(256, 3) the colours of magnitudes."""
    stops = np.array([_rgb(stop) for stop in look.colours("magnitude")], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(places, np.arange(len(stops)), part) for part in stops.T], -1).round().astype(np.uint8)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)  # comes with Pillow: the same letters on every machine


def _centred(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: str) -> None:
    draw.text((x - draw.textlength(text, _font(SMALL)) / 2, y), text, colour, _font(SMALL))
