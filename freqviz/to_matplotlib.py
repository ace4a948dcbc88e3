# ruff: noqa: C408 -- dict(...) reads as the keyword arguments that these libraries speak in
"""Panels on paper: Matplotlib figures, and PDF, SVG and PNG files that are the same bytes every time.

Only the object API is used (pyplot is not safe in the threads of a server). Text stays text: Type 42 fonts
that come with Matplotlib in PDF, plain text in SVG.
"""

import io
import json
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import ScaledTranslation

from freqviz import look, panel
from freqviz.panel import Axis, Mark, Panel, Sheet

DPI = 400  # of pictures inside vector files, and of PNG
DASHES = {"solid": "-", "dash": (0, (4, 1.6)), "dot": (0, (1, 1.4)), "dashdot": (0, (5, 1.5, 1, 1.5))}
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "cross": "X", "ring": "o"}
HATCHES = {"solid": "", "dash": "////", "dot": "....", "dashdot": "xxxx"}
SMALL = look.PAPER_FONT_SIZE - 1
_RC: Any = {
    "font.family": list(look.PAPER_FONTS), "mathtext.fontset": "stix", "font.size": look.PAPER_FONT_SIZE,
    "axes.labelsize": look.PAPER_FONT_SIZE, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "axes.labelpad": 2, "hatch.linewidth": 0.5,
    "pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "freqviz",
    "text.color": look.TEXT, "axes.edgecolor": look.TEXT, "axes.labelcolor": look.TEXT,
    "xtick.color": look.TEXT, "ytick.color": look.TEXT,
}  # fmt: skip
_LOCK = threading.Lock()  # Matplotlib's settings are global


@contextmanager
def _settings() -> Iterator[None]:
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a user's matplotlibrc says, the bytes are the same
        matplotlib.rcParams.update(_RC)
        yield


def to_matplotlib(figure: Panel | Sheet | Sequence[Panel], width: float = 3.25, columns: int | None = None) -> Figure:
    """A Matplotlib figure for paper.

    Args:
        figure: a panel, a sheet, or panels that stand in one row (or in `columns`).
        width: inches, see `look.WIDTHS`; the height follows from the panels.
        columns: of the grid, where `figure` is a list of panels.
    Returns:
        Figure with one axes per panel; the first artist of mark i has the gid "mark-i".
    Raises:
        ValueError: width is not positive, or there is no panel.
        TypeError: something is not a panel.
    """
    if not width > 0:
        raise ValueError(f"width must be positive inches, got {width}")
    sheet = panel.sheet_of(figure, columns)
    with _settings():
        cell = width / sheet.columns
        rows = [
            max(_height(one, cell) for one in sheet.panels[row * sheet.columns : (row + 1) * sheet.columns])
            for row in range(sheet.rows)
        ]
        result = Figure(figsize=(width, sum(rows)), layout="constrained")
        result.get_layout_engine().set(w_pad=0.03, h_pad=0.04, wspace=0.04, hspace=0.06)  # type: ignore[union-attr,call-arg]
        grid = result.subplots(sheet.rows, sheet.columns, squeeze=False, height_ratios=rows).ravel()
        for axes in grid[len(sheet.panels) :]:
            axes.remove()
        for one, axes in zip(sheet.panels, grid, strict=False):
            _draw(one, axes, cell)
    return result


def render(
    figure: Panel | Sheet | Sequence[Panel],
    form: str = "pdf",
    width: float = 3.25,
    columns: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """The file's bytes; the same call gives the same bytes, also in another process.

    Args:
        figure, width, columns: as in `to_matplotlib`.
        form: "pdf", "svg" or "png".
        provenance: what made the figure; kept in the file as JSON (PDF Subject, SVG and PNG Description).
    Raises:
        ValueError: another form.
    """
    story = json.dumps(dict(provenance or {}), sort_keys=True)
    metadata = {
        "pdf": {"Creator": "freqviz", "Producer": "freqviz", "CreationDate": None, "Subject": story},
        "svg": {"Creator": "freqviz", "Date": None, "Description": story},
        "png": {"Software": "freqviz", "Description": story},
    }
    if form not in metadata:
        raise ValueError(f"form must be one of {', '.join(metadata)}, got {form!r}")
    drawn = to_matplotlib(figure, width, columns)
    with _settings():
        file = io.BytesIO()
        drawn.savefig(file, format=form, dpi=DPI, metadata=metadata[form])
    return file.getvalue()


def save_pdf(figure: Panel | Sheet | Sequence[Panel], path: str | Path, **options: Any) -> Path:
    """Write a PDF (vector, Type 42 fonts, no date) and return its path; options as in `render`."""
    return _save(figure, path, "pdf", options)


def save_svg(figure: Panel | Sheet | Sequence[Panel], path: str | Path, **options: Any) -> Path:
    """Write an SVG whose text is text and return its path; options as in `render`."""
    return _save(figure, path, "svg", options)


def save_png(figure: Panel | Sheet | Sequence[Panel], path: str | Path, **options: Any) -> Path:
    """Write a PNG of 400 dots per inch and return its path; options as in `render`."""
    return _save(figure, path, "png", options)


def _save(figure: Any, path: str | Path, form: str, options: dict[str, Any]) -> Path:
    data = render(figure, form, **options)
    Path(path).write_bytes(data)
    return Path(path)


def _height(one: Panel, width: float) -> float:
    """Inches a panel needs: its own shape, and lines for title, note, axis and legend."""
    inner = width - 0.45 - (0.45 if one.colour else 0)
    if one.equal:
        (left, right), (bottom, top) = one.limits("x"), one.limits("y")
        body = inner * abs((top - bottom) / (right - left))
    else:
        body = 0.62 * inner
    names = [mark.name for mark in one.marks if mark.name]
    lines = 1 + len(_note(one, width)) + (-(-len(names) // _legend_columns(names, width)) if names else 0)
    return min(body, 1.6 * width) + 0.36 + 0.125 * lines


def _note(one: Panel, width: float) -> list[str]:
    return textwrap.wrap(one.note, max(20, int((width - 0.45) * 72 / (0.47 * SMALL))), break_on_hyphens=False)


def _legend_columns(names: Sequence[str], width: float) -> int:
    longest = max(map(len, names)) * 0.5 * SMALL + 26  # points, with the handle
    return max(1, min(len(names), int((width - 0.45) * 72 / longest)))


def _draw(one: Panel, axes: Any, width: float) -> None:
    axes.set_axisbelow(True)
    if not one.equal:
        axes.grid(color=look.GRID, linewidth=0.5)
    axes.set_facecolor("#ffffff")
    handles: dict[tuple[str, str], Any] = {}
    for number, mark in enumerate(one.marks):
        handle = _artist(mark, axes, f"mark-{number}", zorder=2 + number)
        if mark.name:
            handles.setdefault((mark.role, mark.name), handle)
    for name in "xy":
        axis: Axis = getattr(one, name)
        setter = axes.set_xticks if name == "x" else axes.set_yticks
        getattr(axes, f"set_{name}scale")(axis.scale)
        getattr(axes, f"set_{name}label")(axis.title)
        getattr(axes, f"set_{name}lim")(one.limits(name))
        if axis.scale == "log":
            getattr(axes, f"{name}axis").set_major_formatter(FuncFormatter(_plain))
            getattr(axes, f"{name}axis").set_minor_formatter(FuncFormatter(_plain))
        if axis.ticks:
            setter([value for value, _ in axis.ticks], [text for _, text in axis.ticks])
    axes.set_aspect("equal" if one.equal else "auto")
    if one.colour:
        bar = axes.figure.colorbar(
            ScalarMappable(_norm(one.colour), _colours(one.palette)),
            cax=axes.inset_axes((1.03, 0, 0.045, 1)), label=one.colour.title,
        )  # fmt: skip
        bar.outline.set_linewidth(0.4)
        if one.colour.ticks:
            bar.set_ticks([value for value, _ in one.colour.ticks], labels=[text for _, text in one.colour.ticks])
    notes = _note(one, width)
    _above(axes, "\n".join(notes), 2.5, fontsize=SMALL, color="#555555", linespacing=1.1)
    _above(axes, one.title, 2.5 + 1.3 * SMALL * len(notes), fontsize=look.PAPER_FONT_SIZE + 0.5, weight="bold")
    if handles:
        names = [name for _, name in handles]
        below = axes.transAxes + ScaledTranslation(0, -24 / 72, axes.figure.dpi_scale_trans)
        axes.legend(
            list(handles.values()), names, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below,
            ncols=_legend_columns(names, width), frameon=False, borderpad=0, borderaxespad=0.2,
            handlelength=2.4, columnspacing=1.2, labelspacing=0.25,
        )  # fmt: skip


def _above(axes: Any, text: str, points: float, **style: Any) -> None:
    if text:
        axes.annotate(
            text, (0, 1), (0, points), xycoords="axes fraction", textcoords="offset points", va="bottom",
            ha="left", annotation_clip=False, **style,
        )  # fmt: skip


def _colours(palette: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(palette, look.colours(palette))


def _plain(value: float, _: Any) -> str:
    """Labels of a log axis: 1, 2 and 5 of each decade, written out."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def _norm(colour: Axis) -> Normalize:
    low, high = colour.limits or (0, 1)
    return Normalize(low, high)


def _artist(mark: Mark, axes: Any, gid: str, zorder: int) -> Any:
    """Draw one mark; returns its legend handle."""
    role = look.role(mark.role)
    line: dict[str, Any] = dict(color=role.colour, linestyle=DASHES[role.dash], linewidth=look.PAPER_LINE_WIDTH)
    common: dict[str, Any] = dict(gid=gid, zorder=zorder)
    if isinstance(mark, panel.Points):
        return _points(mark, axes, common)
    if isinstance(mark, panel.Line):
        return axes.plot(mark.x, mark.y, **line, **common)[0]
    if isinstance(mark, panel.Bars):
        style: dict[str, Any] = dict(facecolor=role.colour, hatch=HATCHES[role.dash], edgecolor="#ffffff", linewidth=0)
        bars = axes.bar(mark.x, mark.height, mark.width, zorder=zorder, **style)
        for bar in bars:
            bar.set_gid(gid)
        return Patch(**style)
    if isinstance(mark, panel.Band):
        style = dict(color=role.colour, alpha=look.BAND_OPACITY, linewidth=0)
        return axes.fill_between(mark.x, mark.lower, mark.upper, **style, **common)
    if isinstance(mark, panel.Heatmap):
        dx, dy = mark.steps
        extent = (mark.x[0] - dx / 2, mark.x[-1] + dx / 2, mark.y[-1] + dy / 2, mark.y[0] - dy / 2)
        return axes.imshow(
            np.ma.masked_invalid(mark.values), extent=extent, origin="upper", cmap=_colours(mark.palette),
            norm=_norm(mark.colour), interpolation="nearest", alpha=mark.opacity, **common,
        )  # fmt: skip
    if isinstance(mark, panel.Image):
        shades = dict(cmap="gray", vmin=0, vmax=255) if mark.pixels.ndim == 2 else {}
        return axes.imshow(mark.pixels, origin="upper", interpolation="antialiased", **shades, **common)
    if isinstance(mark, panel.Arrows):
        style = dict(angles="xy", scale_units="xy", scale=1 / mark.magnification, units="inches", width=0.012)
        return axes.quiver(mark.x, mark.y, mark.u, mark.v, color=role.colour, **style, **common)
    if isinstance(mark, panel.Rule):
        draw = axes.axvline if mark.axis == "x" else axes.axhline
        return draw(mark.value, **line, **common)
    if isinstance(mark, panel.Span):
        style = dict(color=role.colour, alpha=look.BAND_OPACITY, linewidth=0)
        return axes.axvspan(mark.start, mark.end, gid=gid, zorder=0.4, **style)
    if isinstance(mark, panel.Skeleton):
        return _skeleton(mark, axes, line, common)
    raise TypeError(f"no way to draw {type(mark).__name__} on paper")


def _points(mark: panel.Points, axes: Any, common: dict[str, Any]) -> Any:
    role = look.role(mark.role)
    size = (look.PAPER_MARKER_SIZE * mark.size) ** 2
    style: dict[str, Any] = dict(marker=MARKERS[role.marker], s=size, color=role.colour, linewidths=0)
    if role.marker == "ring":
        style |= dict(s=5 * size, facecolors="none", edgecolors=role.colour, linewidths=look.PAPER_LINE_WIDTH)
        del style["color"]
    if mark.colour is not None:
        del style["color"]
        style |= dict(c=mark.values, cmap=_colours(mark.palette), norm=_norm(mark.colour))
        style |= dict(edgecolors=look.TEXT, linewidths=0.3)
    return axes.scatter(mark.x, mark.y, **style, **common)


def _skeleton(mark: panel.Skeleton, axes: Any, line: dict[str, Any], common: dict[str, Any]) -> Any:
    for side in ("left", "right", ""):
        casing = LineCollection(
            list(mark.segments(side)),
            colors=look.CASING,
            linewidths=look.PAPER_LINE_WIDTH + 1.2,
            alpha=0.55,
            **common,
        )
        axes.add_collection(casing, autolim=False)
    for side in ("left", "right", ""):
        style: dict[str, Any] = dict(colors=look.shade(mark.role, side), linestyles=[line["linestyle"]])
        edges = LineCollection(list(mark.segments(side)), linewidths=line["linewidth"], **style, **common)
        axes.add_collection(edges, autolim=False)
    shown = np.flatnonzero(mark.shown).tolist()
    solid = 0.35 + 0.65 * np.clip(np.nan_to_num(mark.scores[shown], nan=1.0), 0, 1)
    shades = [look.shade(mark.role, mark.side(joint)) for joint in shown]
    marker = MARKERS[look.role(mark.role).marker]
    axes.scatter(
        *mark.keypoints[shown].T, s=look.PAPER_MARKER_SIZE**2, c=shades or None,
        alpha=solid if shades else None, marker=marker, edgecolors=look.CASING, linewidths=0.4, **common,
    )  # fmt: skip
    return Line2D([], [], **line, marker=marker, markersize=look.PAPER_MARKER_SIZE)
