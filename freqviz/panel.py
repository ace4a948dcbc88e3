"""A figure as data: panels, axes and marks. What to draw is said here, how to draw it by the two renderers.

Convention: data units. Images and everything laid over them use pixels, y down, centre of the top-left pixel
= (0, 0); an axis whose limits descend runs backwards, so an image's y axis has the limits (H - 0.5, -0.5).
Arrays are copied and made read-only; values that are not finite are gaps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from freqviz import look

Limits = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What a direction (or a colour) means.

    `limits` are the natural range, first value at the left or bottom; None: the data's own. `scale` is
    "linear" or "log". `ticks` are values to mark, with a text each; empty: the renderer chooses. A colour may
    have them too. `turned`: their texts are read upwards, for names beside rows.
    """

    label: str
    unit: str = ""
    limits: Limits | None = None
    scale: str = "linear"
    ticks: tuple[tuple[float, str], ...] = ()
    turned: bool = False

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("an axis needs a label, got an empty one")
        if self.scale not in ("linear", "log"):
            raise ValueError(f"scale must be 'linear' or 'log', got {self.scale!r}")
        if self.limits is not None:
            low, high = self.limits
            if not (np.isfinite(low) and np.isfinite(high) and low != high):
                raise ValueError(f"limits of {self.label!r} must be two different finite numbers, got {self.limits}")
            if self.scale == "log" and min(low, high) <= 0:
                raise ValueError(f"limits of the log axis {self.label!r} must be positive, got {self.limits}")
            object.__setattr__(self, "limits", (float(low), float(high)))

    @property
    def title(self) -> str:
        """Label with its unit, as both renderers write it."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, eq=False)
class Mark:
    """What every mark has: a name for the legend (empty: none) and a role, which is its colour."""

    name: str = field(default="", kw_only=True)
    role: str = field(default="data", kw_only=True)

    def __post_init__(self) -> None:
        look.role(self.role)

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values along x and along y that the axes must contain."""
        raise NotImplementedError

    def table(self) -> dict[str, Any]:
        """Columns of equal length with the mark's data."""
        raise NotImplementedError

    def _keep(self, **shapes: int) -> None:
        """Freeze the named fields as float arrays of the given number of axes."""
        for name, axes in shapes.items():
            object.__setattr__(self, name, _frozen(f"{type(self).__name__}.{name}", getattr(self, name), axes))

    def _one_length(self, *names: str) -> None:
        lengths = {name: len(getattr(self, name)) for name in names}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{type(self).__name__} needs arrays of one length, got {lengths}")


def _frozen(name: str, values: ArrayLike, axes: int) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.ndim != axes:
        raise ValueError(f"{name} must have {axes} axes, got shape {array.shape}")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Line(Mark):
    """A line through (x, y), each (N,)."""

    x: Any
    y: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(x=1, y=1)
        self._one_length("x", "y")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.x, self.y

    def table(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y}


@dataclass(frozen=True, eq=False)
class Points(Line):
    """Points at (x, y), each (N,); `values` (N,) colours them by the axis `colour` instead of by role.

    `texts` are N words for the pointer to show; `size` is relative to the usual marker.
    """

    values: Any = None
    colour: Axis | None = None
    palette: str = "magnitude"
    texts: Sequence[str] = ()
    size: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.values is None) != (self.colour is None):
            raise ValueError("Points.values and Points.colour come together, got only one of them")
        if self.values is not None:
            self._keep(values=1)
            self._one_length("x", "values")
            _needs_limits(self)
        if self.texts:
            self._one_length("x", "texts")

    def table(self) -> dict[str, Any]:
        return super().table() | ({} if self.values is None else {"value": self.values})


def _needs_limits(mark: Any) -> None:
    look.colours(mark.palette)
    if mark.colour.limits is None or mark.colour.scale != "linear":
        raise ValueError(f"the colour axis {mark.colour.label!r} needs limits and a linear scale")


@dataclass(frozen=True, eq=False)
class Bars(Mark):
    """Bars from `base` to `base + height` (N,), centred at x (N,), `width` wide in the unit of x."""

    x: Any
    height: Any
    width: float = 0.8
    base: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(x=1, height=1)
        self._one_length("x", "height")
        if not self.width > 0:
            raise ValueError(f"Bars.width must be positive, got {self.width}")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.r_[self.x - self.width / 2, self.x + self.width / 2], np.r_[self.base, self.base + self.height]

    def table(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.height}


@dataclass(frozen=True, eq=False)
class Heatmap(Mark):
    """Values (H, W) of cells centred at x (W,) and y (H,), evenly spaced; `colour` has the colour limits.

    `opacity` in (0, 1] lets a picture below show through.
    """

    values: Any
    x: Any
    y: Any
    colour: Axis
    palette: str = "magnitude"
    opacity: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(values=2, x=1, y=1)
        if not 0 < self.opacity <= 1:
            raise ValueError(f"Heatmap.opacity must lie above 0 and be at most 1, got {self.opacity}")
        if self.values.shape != (len(self.y), len(self.x)) or 0 in self.values.shape:
            raise ValueError(
                f"Heatmap.values must be (len(y), len(x)) = ({len(self.y)}, {len(self.x)}), got {self.values.shape}"
            )
        for name, centres in (("x", self.x), ("y", self.y)):
            steps = np.diff(centres)
            if not np.isfinite(centres).all() or (len(steps) and not np.allclose(steps, steps[0], rtol=1e-3)):
                raise ValueError(f"Heatmap.{name} must be evenly spaced, got steps from {steps.min()} to {steps.max()}")
        _needs_limits(self)

    @property
    def steps(self) -> Limits:
        """Width and height of a cell, signed as x and y run; 1 where there is a single cell."""
        return _step(self.x), _step(self.y)

    def reduced(self, cells: int = 256) -> "Heatmap":
        """The same field with at most `cells` cells a side: means of whole blocks, gaps left out."""
        rows, columns = (-(-n // cells) for n in self.values.shape)
        if rows == columns == 1:
            return self
        h, w = (-(-n // k) for n, k in zip(self.values.shape, (rows, columns), strict=True))
        padded = np.full((h * rows, w * columns), np.nan)
        padded[: self.values.shape[0], : self.values.shape[1]] = self.values
        blocks = padded.reshape(h, rows, w, columns)
        counts = np.isfinite(blocks).sum((1, 3))
        values = np.where(np.isfinite(blocks), blocks, 0).sum((1, 3)) / np.where(counts, counts, np.nan)
        dx, dy = self.steps
        x = self.x[0] + dx * ((columns - 1) / 2 + columns * np.arange(w))
        y = self.y[0] + dy * ((rows - 1) / 2 + rows * np.arange(h))
        return replace(self, values=values, x=x, y=y)

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        dx, dy = self.steps
        return np.r_[self.x - dx / 2, self.x + dx / 2], np.r_[self.y - dy / 2, self.y + dy / 2]

    def table(self) -> dict[str, Any]:
        y, x = np.meshgrid(self.y, self.x, indexing="ij")
        return {"x": x.ravel(), "y": y.ravel(), "value": self.values.ravel()}


def _step(centres: NDArray[np.float64]) -> float:
    return float(centres[1] - centres[0]) if len(centres) > 1 else 1.0


@dataclass(frozen=True, eq=False)
class Image(Mark):
    """A picture, uint8 (H, W, 3) or (H, W); pixel (row, column) is the unit square at (column, row)."""

    pixels: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        pixels = np.array(self.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
            raise ValueError(f"pixels must be uint8 (H, W, 3) or (H, W), got {pixels.dtype} {pixels.shape}")
        if 0 in pixels.shape:
            raise ValueError(f"pixels must not be empty, got {pixels.shape}")
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        height, width = self.pixels.shape[:2]
        return np.array([-0.5, width - 0.5]), np.array([-0.5, height - 0.5])

    def table(self) -> dict[str, Any]:
        return {"x": [], "y": []}  # a picture is no table


@dataclass(frozen=True, eq=False)
class Arrows(Mark):
    """Arrows at (x, y) that stand for the displacements (u, v), all (N,); drawn `magnification` times as long."""

    x: Any
    y: Any
    u: Any
    v: Any
    magnification: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(x=1, y=1, u=1, v=1)
        self._one_length("x", "y", "u", "v")
        if not self.magnification > 0:
            raise ValueError(f"Arrows.magnification must be positive, got {self.magnification}")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        u, v = self.u * self.magnification, self.v * self.magnification
        return np.r_[self.x, self.x + u], np.r_[self.y, self.y + v]

    def table(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y, "u": self.u, "v": self.v}


@dataclass(frozen=True, eq=False)
class Band(Mark):
    """The area between `lower` and `upper`, (N,) each, over x (N,)."""

    x: Any
    lower: Any
    upper: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(x=1, lower=1, upper=1)
        self._one_length("x", "lower", "upper")
        if (self.lower > self.upper).any():
            raise ValueError("Band.lower must not exceed Band.upper, got a place where it does")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.x, np.r_[self.lower, self.upper]

    def table(self) -> dict[str, Any]:
        return {"x": self.x, "lower": self.lower, "upper": self.upper}


@dataclass(frozen=True, eq=False)
class Skeleton(Mark):
    """A person: keypoints (J, 2) pixels (NaN: not seen), scores (J,) in [0, 1], joints' names, edges of
    indices.

    Joints whose name begins with "left" or "right" are drawn in the role's two shades; an edge has the side
    of its ends. Joints scored below `threshold` are left out, with their edges.
    """

    keypoints: Any
    scores: Any
    joints: Sequence[str]
    edges: Sequence[tuple[int, int]]
    threshold: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(keypoints=2, scores=1)
        count = len(self.joints)
        if self.keypoints.shape != (count, 2) or self.scores.shape != (count,):
            raise ValueError(
                f"keypoints and scores must be ({count}, 2) and ({count},) for {count} joints, "
                f"got {self.keypoints.shape} and {self.scores.shape}"
            )
        if any(not 0 <= joint < count for edge in self.edges for joint in edge):
            raise ValueError(f"edges must name joints 0 to {count - 1}, got {list(self.edges)}")

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which joints are drawn, (J,)."""
        return np.isfinite(self.keypoints).all(1) & ~(self.scores < self.threshold)

    def side(self, *joints: int) -> str:
        """ "left", "right" or "" of a joint, or of an edge given by its two joints."""
        sides = {word for joint in joints for word in ("left", "right") if self.joints[joint].startswith(word)}
        return sides.pop() if len(sides) == 1 else ""

    def segments(self, side: str) -> NDArray[np.float64]:
        """The drawn edges of one side, (E, 2 ends, 2) x, y."""
        edges = [edge for edge in self.edges if self.shown[list(edge)].all() and self.side(*edge) == side]
        return self.keypoints[np.array(edges, dtype=int).reshape(-1, 2)]

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.keypoints[self.shown, 0], self.keypoints[self.shown, 1]

    def table(self) -> dict[str, Any]:
        x, y = self.keypoints.T
        return {"x": x, "y": y, "value": self.scores, "text": list(self.joints)}


@dataclass(frozen=True, eq=False)
class Rule(Mark):
    """A line across the whole panel at `value` of the "x" or the "y" axis: a cursor or a level."""

    value: float
    axis: str = "x"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.axis not in ("x", "y"):
            raise ValueError(f"axis must be 'x' or 'y', got {self.axis!r}")
        if not np.isfinite(self.value):
            raise ValueError(f"Rule.value must be finite, got {self.value}")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        here, nothing = np.array([self.value], dtype=np.float64), np.empty(0)
        return (here, nothing) if self.axis == "x" else (nothing, here)

    def table(self) -> dict[str, Any]:
        return {self.axis: [self.value]}


@dataclass(frozen=True, eq=False)
class Span(Mark):
    """A field behind everything else, from `start` to `end` of the x axis and as high as the panel."""

    start: float
    end: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (np.isfinite(self.start) and np.isfinite(self.end) and self.start < self.end):
            raise ValueError(f"a span needs start < end, both finite, got {self.start} and {self.end}")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array([self.start, self.end], dtype=np.float64), np.empty(0)

    def table(self) -> dict[str, Any]:
        return {"x": [self.start, self.end]}


@dataclass(frozen=True, eq=False)
class Texts(Mark):
    """Words that begin at (x, y), (N,) each, half as high below as above: names beside points."""

    x: Any
    y: Any
    texts: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(x=1, y=1)
        self._one_length("x", "y", "texts")
        if not self.texts:
            raise ValueError("Texts needs at least one text, got none")

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.x, self.y

    def table(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y, "text": list(self.texts)}


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure: two axes and the marks in drawing order.

    `note` states results (sample sizes, intervals) under the title; `guide` says in one sentence how to read
    it; `formula` and `source` say what is computed and who proposed it. `equal`: one unit of x is as long as
    one of y. `bare`: without a frame around it and lines in its bars, for rows that their names tell apart.
    """

    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    note: str = ""
    guide: str = ""
    formula: str = ""
    source: str = ""
    equal: bool = False
    bare: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", tuple(self.marks))
        strangers = [type(mark).__name__ for mark in self.marks if not isinstance(mark, Mark)]
        if strangers:
            raise TypeError(f"marks must be marks of freqviz.panel, got {', '.join(strangers)}")
        if "log" in (self.x.scale, self.y.scale) and any(
            isinstance(mark, Heatmap | Image | Arrows | Skeleton) for mark in self.marks
        ):
            raise ValueError("pictures, heatmaps, arrows and skeletons need linear axes, got a log axis")
        coloured = {axis for axis in map(_colour, self.marks) if axis}
        if len(coloured) > 1:
            raise ValueError(f"a panel has one colour axis, got {', '.join(sorted(axis.title for axis in coloured))}")

    @property
    def colour(self) -> Axis | None:
        """The colour axis, if a mark has one."""
        return next((axis for axis in map(_colour, self.marks) if axis), None)

    def within(self, x: Limits, y: Limits) -> "Panel":
        """The same panel, showing another part: `x` left and right, `y` bottom and top."""
        return replace(self, x=replace(self.x, limits=x), y=replace(self.y, limits=y))

    @property
    def palette(self) -> str:
        """The colour map that goes with the colour axis."""
        return next((mark.palette for mark in self.marks if isinstance(mark, Heatmap | Points) and mark.colour), "")

    def limits(self, axis: str) -> Limits:
        """Where the "x" or "y" axis begins and ends: its own limits, or the data's with a margin of 4 %."""
        described: Axis = getattr(self, axis)
        if described.limits is not None:
            return described.limits
        parts = [mark.extent()["xy".index(axis)] for mark in self.marks]
        values = np.concatenate([np.empty(0), *parts])
        log = described.scale == "log"
        values = values[np.isfinite(values) & ((values > 0) | (not log))]
        if not len(values):
            return (0.1, 1.0) if log else (0.0, 1.0)
        low, high = (np.log10(values.min()), np.log10(values.max())) if log else (values.min(), values.max())
        margin = 0.04 * (high - low) or (0.5 if log else 0.5 * abs(high) or 0.5)
        low, high = low - margin, high + margin
        return (float(10**low), float(10**high)) if log else (float(low), float(high))

    def table(self) -> pd.DataFrame:
        """The figure's data, tidy: one row per point, with the mark's kind and name."""
        parts = [
            pd.DataFrame({"mark": type(mark).__name__.lower(), "name": mark.name} | mark.table()) for mark in self.marks
        ]
        parts = [part for part in parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["mark", "name", "x", "y"])


def _colour(mark: Mark) -> Axis | None:
    return mark.colour if isinstance(mark, Heatmap | Points) else None


@dataclass(frozen=True, eq=False)
class Sheet:
    """Panels in a grid of `columns`, filled row by row.

    Panels whose axes have the same title share the widest limits among them, and so do equally titled
    colours.
    """

    panels: tuple[Panel, ...]
    columns: int = 1

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError("a sheet needs at least one panel, got none")
        if not 1 <= self.columns <= len(self.panels):
            raise ValueError(
                f"columns must be 1 to {len(self.panels)} for {len(self.panels)} panels, got {self.columns}"
            )
        object.__setattr__(self, "panels", tuple(_shared(tuple(self.panels))))

    @property
    def rows(self) -> int:
        """Number of rows, the last one perhaps not full."""
        return -(-len(self.panels) // self.columns)


def sheet_of(figure: "Panel | Sheet | Sequence[Panel]", columns: int | None = None) -> Sheet:
    """Anything that can be drawn, as a sheet: a sheet, one panel, or panels in one row (or `columns`)."""
    if isinstance(figure, Sheet):
        return figure
    panels = (figure,) if isinstance(figure, Panel) else tuple(figure)
    if not all(isinstance(panel, Panel) for panel in panels):
        raise TypeError(f"expected panels, got {', '.join(type(panel).__name__ for panel in panels)}")
    return Sheet(panels, columns or max(len(panels), 1))


def _shared(panels: tuple[Panel, ...]) -> Iterator[Panel]:
    def widest(axis: Axis, limits: list[Limits]) -> Axis:
        low, high = min(map(min, limits)), max(map(max, limits))
        return replace(axis, limits=(high, low) if limits[0][0] > limits[0][1] else (low, high))

    for panel in panels:
        changes: dict[str, Any] = {}
        for name in ("x", "y"):
            axis: Axis = getattr(panel, name)
            alike = [other for other in panels if getattr(other, name).title == axis.title]
            if len(alike) > 1:
                changes[name] = widest(axis, [other.limits(name) for other in alike])
        if panel.colour:
            title = panel.colour.title
            colours = [other.colour for other in panels if other.colour and other.colour.title == title]
            shared = widest(panel.colour, [colour.limits for colour in colours if colour.limits])
            changes["marks"] = tuple(
                replace(mark, colour=shared) if isinstance(mark, Heatmap | Points) and mark.colour else mark
                for mark in panel.marks
            )
        yield replace(panel, **changes) if changes else panel


def slot_ticks(slots: NDArray[np.int64]) -> tuple[tuple[float, str], ...]:
    """Ticks of an axis of slots (S,): their signs and numbers, and "key"."""
    return tuple((float(slot), f"{slot:+d}".replace("-", "−") if slot else "key") for slot in slots)


def cut_plane(height: int, width: int) -> tuple[Axis, Axis]:
    """Axes of the picture that a network sees, in input pixels: centre of the top-left pixel = (0, 0), y down."""
    return Axis("x in the cut", "input px", (-0.5, width - 0.5)), Axis("y", "input px", (height - 0.5, -0.5))


DIFFERENCES = (-0.3, 0.3)  # of luma in [0, 1], as far as colours tell them apart
CELLS = 96  # most cells a side of a difference: what a moved cursor sends stays small


def luma_difference(values: NDArray[Any]) -> Heatmap:
    """Differences of luma over the cut, (H, W) in [-1, 1]; means of blocks of pixels, red brighter and blue darker."""
    height, width = values.shape
    colour = Axis("Luma", "", DIFFERENCES)
    return Heatmap(values, np.arange(width), np.arange(height), colour, "signed").reduced(CELLS)
