# ruff: noqa: C408 -- dict(...) reads as the keyword arguments that these libraries speak in
"""Panels on paper: Matplotlib figures, and PDF, SVG and PNG files that are the same bytes every time.

Only the object API is used (pyplot is not safe in the threads of a server). Text stays text: Type 42 fonts
that come with Matplotlib in PDF, plain text in SVG. Pictures and maps are pixels inside the vector page, all else
is lines. Of a sheet, what several panels have in their legends stands once below it, and neighbours in a row whose
colours mean the same share one colour bar.
"""

import io
import json
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
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
from freqviz.paper import FONTS, Paper

Drawable = Panel | Sheet | Sequence[Panel]
Extent = tuple[float, float, float, float]  # left, right, bottom, top
PNG_DPI = 600
MAP_DPI, PHOTO_DPI = 400, 300  # of maps and pictures inside vector files; a picture of fewer pixels stays as it is
DENSE = 5000  # more points than these are pixels too
DASHES = {"solid": "-", "dash": (0, (4, 1.6)), "dot": (0, (1, 1.4)), "dashdot": (0, (5, 1.5, 1, 1.5))}
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "cross": "X", "ring": "o"}
HATCHES = {"solid": "", "dash": "////", "dot": "....", "dashdot": "xxxx"}
_RC: Any = {
    "mathtext.fontset": "stix", "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "axes.labelpad": 2, "hatch.linewidth": 0.5,
    "pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "freqviz",
    "text.color": look.TEXT, "axes.edgecolor": look.TEXT, "axes.labelcolor": look.TEXT,
    "xtick.color": look.TEXT, "ytick.color": look.TEXT,
}  # fmt: skip
_LOCK = threading.Lock()  # Matplotlib's settings are global


@contextmanager
def _settings(paper: Paper) -> Iterator[None]:
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a user's matplotlibrc says, the bytes are the same
        matplotlib.rcParams.update(_RC)
        sizes: Any = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), paper.small)
        family: Any = {"font.family": list(FONTS[paper.font]), "font.size": paper.size, "axes.labelsize": paper.size}
        matplotlib.rcParams.update({**family, **sizes})
        if paper.font == "Computer Modern":  # whose text has no minus sign
            matplotlib.rcParams.update({"mathtext.fontset": "cm", "axes.formatter.use_mathtext": True})
        yield


def to_matplotlib(figure: Drawable, paper: Paper = Paper(), columns: int | None = None) -> Figure:  # noqa: B008
    """A Matplotlib figure for paper.

    Args:
        figure: a panel, a sheet, or panels that stand in one row (or in `columns`).
        paper: width, type and palette; the height follows from the panels.
        columns: of the grid, where `figure` is a list of panels.
    Returns:
        Figure with one axes per panel; the first artist of mark i has the gid "mark-i".
    Raises:
        ValueError: there is no panel.
        TypeError: something is not a panel.
    """
    sheet = panel.sheet_of(figure, columns)
    with _settings(paper):
        cell = paper.width / sheet.columns
        shared = _shared_names(sheet)
        rows = [
            max(_height(one, cell, paper, shared) for one in sheet.panels[row * sheet.columns :][: sheet.columns])
            for row in range(sheet.rows)
        ]
        names = list(dict.fromkeys(name for _, name in shared))
        wide = _legend_columns(names, paper.width, paper) if names else 1
        below = (-(-len(names) // wide) * 1.5 * paper.small + 6) / 72 if names else 0.0
        result = Figure(figsize=(paper.width, sum(rows) + below), layout="constrained")
        result.get_layout_engine().set(w_pad=0.03, h_pad=0.04, wspace=0.04, hspace=0.06)  # type: ignore[union-attr,call-arg]
        grid = result.subplots(sheet.rows, sheet.columns, squeeze=False, height_ratios=rows).ravel()
        for axes in grid[len(sheet.panels) :]:
            axes.remove()
        handles: dict[tuple[str, str], Any] = {}
        for number, (one, axes) in enumerate(zip(sheet.panels, grid, strict=False)):
            letter = _lettered(sheet, number, paper)
            handles |= _draw(one, axes, cell, paper, letter, shared, _bar_stands_here(sheet, number))
        if handles:
            once = {name: handle for (_, name), handle in handles.items()}
            result.legend(list(once.values()), list(once), loc="outside lower center", **_legend_style(wide))
    return result


def render(
    figure: Drawable,
    form: str = "pdf",
    paper: Paper = Paper(),  # noqa: B008 -- frozen
    columns: int | None = None,
    provenance: Mapping[str, Any] | None = None,
    dpi: int = PNG_DPI,
) -> bytes:
    """The file's bytes; the same call gives the same bytes, also in another process.

    Args:
        figure, paper, columns: as in `to_matplotlib`.
        form: "pdf", "svg" or "png".
        provenance: what made the figure; kept in the file as JSON (PDF Subject, SVG and PNG Description).
        dpi: dots per inch of a PNG.
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
    drawn = to_matplotlib(figure, paper, columns)
    with _settings(paper):
        file = io.BytesIO()
        drawn.savefig(file, format=form, dpi=dpi if form == "png" else MAP_DPI, metadata=metadata[form])
    return file.getvalue()


@dataclass(frozen=True)
class Place:
    """Where a panel lies on the page, in inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float
    letter: str  # "(a)", or "" where there is one panel
    with_bar: bool  # a colour bar stands at its right side


@dataclass(frozen=True)
class Layout:
    """Where everything lies: what another renderer needs to draw the same page."""

    height: float  # inches; the width is that of the paper
    places: tuple[Place, ...]
    shared: tuple[tuple[str, str], ...]  # role and name of what stands in the legend below all panels


def layout(figure: Drawable, paper: Paper = Paper(), columns: int | None = None) -> Layout:  # noqa: B008 -- frozen
    """The places of all panels; arguments as in `to_matplotlib`."""
    sheet = panel.sheet_of(figure, columns)
    drawn = to_matplotlib(sheet, paper)
    with _settings(paper):
        drawn.draw_without_rendering()
        places = []
        for number, axes in enumerate(drawn.axes[: len(sheet.panels)]):
            box = axes.get_window_extent().transformed(drawn.dpi_scale_trans.inverted())
            letter = _lettered(sheet, number, paper)
            places.append(Place(box.x0, box.y0, box.width, box.height, letter, _bar_stands_here(sheet, number)))
    shared = _shared_names(sheet)
    once = dict.fromkeys((mark.role, mark.name) for one in sheet.panels for mark in one.marks)
    return Layout(float(drawn.get_figheight()), tuple(places), tuple(key for key in once if key in shared))


def picture(mark: panel.Image | panel.Heatmap, one: Panel, width: float, paper: Paper) -> tuple[Any, Extent]:
    """A picture or a map as pixels, uint8 (H, W, 3) or (H, W), and its left, right, bottom and top in data units.

    Args:
        width: inches that the panel's x axis has.
    """
    if isinstance(mark, panel.Image):
        return _photo(mark, one, width)
    (dx, dy), (h, w) = mark.steps, mark.values.shape
    coloured = _colours(mark.palette, paper)(_norm(mark.colour)(np.ma.masked_invalid(mark.values)), bytes=True)
    coloured[~np.isfinite(mark.values)] = 255
    times = [max(1, -(-int(MAP_DPI * width) // count)) for count in (h, w)]  # so that viewers do not smooth the cells
    pixels = coloured[..., :3].repeat(min(times), 0).repeat(min(times), 1)
    return pixels, (mark.x[0] - dx / 2, mark.x[-1] + dx / 2, mark.y[-1] + dy / 2, mark.y[0] - dy / 2)


def save_pdf(figure: Drawable, path: str | Path, **options: Any) -> Path:
    """Write a PDF (vector, Type 42 fonts, no date) and return its path; options as in `render`."""
    return _save(figure, path, "pdf", options)


def save_svg(figure: Drawable, path: str | Path, **options: Any) -> Path:
    """Write an SVG whose text is text and return its path; options as in `render`."""
    return _save(figure, path, "svg", options)


def save_png(figure: Drawable, path: str | Path, **options: Any) -> Path:
    """Write a PNG of 600 dots per inch and return its path; options as in `render`."""
    return _save(figure, path, "png", options)


def _save(figure: Any, path: str | Path, form: str, options: dict[str, Any]) -> Path:
    data = render(figure, form, **options)
    Path(path).write_bytes(data)
    return Path(path)


def _lettered(sheet: Sheet, number: int, paper: Paper) -> str:
    return f"({letters(number)})" if paper.letters and len(sheet.panels) > 1 else ""


def letters(number: int) -> str:
    """a ... z, then aa, ab, ..."""
    first, last = divmod(number, 26)
    return ("" if first == 0 else letters(first - 1)) + "abcdefghijklmnopqrstuvwxyz"[last]


def _shared_names(sheet: Sheet) -> set[tuple[str, str]]:
    """Role and name of what stands in the legends of at least two panels."""
    counted = Counter(
        key for one in sheet.panels for key in {(mark.role, mark.name) for mark in one.marks if mark.name}
    )
    return {key for key, count in counted.items() if count > 1}


def _bar_stands_here(sheet: Sheet, number: int) -> bool:
    """Whether a panel has a colour bar of its own: its right neighbour's does not tell the same."""
    here = sheet.panels[number]
    right = sheet.panels[number + 1] if number + 1 < len(sheet.panels) and (number + 1) % sheet.columns else None
    return right is None or (here.colour, here.palette) != (right.colour, right.palette)


def _height(one: Panel, width: float, paper: Paper, shared: set[tuple[str, str]]) -> float:
    """Inches a panel needs: its own shape, and lines for title, note, axis and legend."""
    inner = width - 0.06 * paper.size - (0.06 * paper.size if one.colour else 0)
    if one.equal:
        (left, right), (bottom, top) = one.limits("x"), one.limits("y")
        body = inner * abs((top - bottom) / (right - left))
    else:
        body = 0.62 * inner
    names = [mark.name for mark in one.marks if mark.name and (mark.role, mark.name) not in shared]
    lines = len(_title(one, width, paper, "(a)")) + len(_note(one, width, paper))
    lines += -(-len(names) // _legend_columns(names, width, paper)) if names else 0
    own = 0.15 if one.bare else 0  # pictures fill their width, so what is guessed of their height is all needed
    return min(body, 1.6 * width) + 0.048 * paper.size + paper.small / 52 * lines + own


def _title(one: Panel, width: float, paper: Paper, letter: str) -> list[str]:
    text = f"{letter} {one.title if paper.titles else ''}".strip()
    return textwrap.wrap(text, max(12, int((width - 0.45) * 72 / (1.15 * paper.letter * paper.size))))


def _note(one: Panel, width: float, paper: Paper) -> list[str]:
    most = max(20, int((width - 0.45) * 72 / (paper.letter * paper.small)))
    return textwrap.wrap(one.note, most, break_on_hyphens=False) if paper.notes else []


def _legend_columns(names: Sequence[str], width: float, paper: Paper) -> int:
    longest = max(map(len, names)) * (paper.letter + 0.03) * paper.small + 26  # points, with the handle
    return max(1, min(len(names), int((width - 0.45) * 72 / longest)))


def _legend_style(columns: int) -> dict[str, Any]:
    return dict(
        ncols=columns, frameon=False, borderpad=0, borderaxespad=0.2, handlelength=2.4, columnspacing=1.2,
        labelspacing=0.25,
    )  # fmt: skip


def _draw(
    one: Panel, axes: Any, width: float, paper: Paper, letter: str, shared: set[tuple[str, str]], with_bar: bool
) -> dict[tuple[str, str], Any]:
    """Draw a panel; returns the legend handles of the names that are shared."""
    axes.set_axisbelow(True)
    if not one.equal:
        axes.grid(color=look.GRID, linewidth=0.5)
    axes.set_facecolor("#ffffff")
    handles: dict[tuple[str, str], Any] = {}
    for number, mark in enumerate(one.marks):
        handle = _artist(mark, one, axes, f"mark-{number}", 2 + number, width, paper)
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
            turned: dict[str, Any] = dict(rotation=90, va="center") if axis.turned and name == "y" else {}
            setter([value for value, _ in axis.ticks], [text for _, text in axis.ticks], **turned)
    if one.bare:
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    axes.set_aspect("equal" if one.equal else "auto")
    if one.colour and with_bar:
        bar = axes.figure.colorbar(
            ScalarMappable(_norm(one.colour), _colours(one.palette, paper)),
            cax=axes.inset_axes((1.03, 0, 0.045, 1)), label=one.colour.title,
        )  # fmt: skip
        bar.outline.set_linewidth(0.4)
        if one.colour.ticks:
            bar.set_ticks([value for value, _ in one.colour.ticks], labels=[text for _, text in one.colour.ticks])
    notes = _note(one, width, paper)
    _above(axes, "\n".join(notes), 2.5, fontsize=paper.small, color="#555555", linespacing=1.1)
    title = "\n".join(_title(one, width, paper, letter))
    _above(axes, title, 2.5 + 1.3 * paper.small * len(notes), fontsize=paper.size + 0.5, weight="bold")
    own = {key: handle for key, handle in handles.items() if key not in shared}
    if own:
        names = [name for _, name in own]
        below = axes.transAxes + ScaledTranslation(0, -3.2 * paper.size / 72, axes.figure.dpi_scale_trans)
        place: dict[str, Any] = dict(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below)
        axes.legend(list(own.values()), names, **place, **_legend_style(_legend_columns(names, width, paper)))
    return {key: handle for key, handle in handles.items() if key in shared}


def _above(axes: Any, text: str, points: float, **style: Any) -> None:
    if text:
        axes.annotate(
            text, (0, 1), (0, points), xycoords="axes fraction", textcoords="offset points", va="bottom",
            ha="left", annotation_clip=False, **style,
        )  # fmt: skip


def _colours(palette: str, paper: Paper) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(palette, paper.colours(palette))


def _plain(value: float, _: Any) -> str:
    """Labels of a log axis: 1, 2 and 5 of each decade, written out."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def _norm(colour: Axis) -> Normalize:
    low, high = colour.limits or (0, 1)
    return Normalize(low, high)


def _artist(mark: Mark, one: Panel, axes: Any, gid: str, zorder: int, width: float, paper: Paper) -> Any:
    """Draw one mark; returns its legend handle."""
    role = paper.role(mark.role)
    line: dict[str, Any] = dict(color=role.colour, linestyle=DASHES[role.dash], linewidth=look.PAPER_LINE_WIDTH)
    common: dict[str, Any] = dict(gid=gid, zorder=zorder)
    if isinstance(mark, panel.Points):
        return _points(mark, axes, common, paper)
    if isinstance(mark, panel.Texts):
        words: dict[str, Any] = dict(color=role.colour, fontsize=0.9 * paper.size, va="center", clip_on=True, **common)
        return [axes.text(*place, **words) for place in zip(mark.x, mark.y, mark.texts, strict=True)][-1]
    if isinstance(mark, panel.Line):
        return axes.plot(mark.x, mark.y, **line, **common)[0]
    if isinstance(mark, panel.Bars):
        hatch = "" if one.bare else HATCHES[role.dash]
        style: dict[str, Any] = dict(facecolor=role.colour, hatch=hatch, edgecolor="#ffffff", linewidth=0)
        bars = axes.bar(mark.x, mark.height, mark.width, mark.base, zorder=zorder, **style)
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
            np.ma.masked_invalid(mark.values), extent=extent, origin="upper", cmap=_colours(mark.palette, paper),
            norm=_norm(mark.colour), interpolation="nearest", alpha=mark.opacity, **common,
        )  # fmt: skip
    if isinstance(mark, panel.Image):
        pixels, extent = _photo(mark, one, width)
        shades = dict(cmap="gray", vmin=0, vmax=255) if pixels.ndim == 2 else {}
        return axes.imshow(pixels, extent=extent, origin="upper", interpolation="none", **shades, **common)
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
        return _skeleton(mark, axes, line, common, paper)
    raise TypeError(f"no way to draw {type(mark).__name__} on paper")


def _photo(mark: panel.Image, one: Panel, width: float) -> tuple[Any, Extent]:
    """The part of a picture that the panel shows, with no more pixels than paper takes, and its extent."""
    height, across = mark.pixels.shape[:2]
    (left, right), (top, bottom) = (sorted(one.limits(name)) for name in "xy")
    columns = slice(max(0, int(np.floor(left + 0.5))), min(across, int(np.ceil(right + 0.5))))
    rows = slice(max(0, int(np.floor(top + 0.5))), min(height, int(np.ceil(bottom + 0.5))))
    shown = mark.pixels[rows, columns]
    if not shown.size:
        return mark.pixels[:1, :1], (-0.5, 0.5, 0.5, -0.5)
    extent = (columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5)
    step = (right - left) / (PHOTO_DPI * width)  # pixels of the picture that fall on one of the paper
    if step > 1:
        size = (max(1, round(shown.shape[1] / step)), max(1, round(shown.shape[0] / step)))
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    return shown, extent


def _points(mark: panel.Points, axes: Any, common: dict[str, Any], paper: Paper) -> Any:
    role = paper.role(mark.role)
    size = (look.PAPER_MARKER_SIZE * mark.size) ** 2
    style: dict[str, Any] = dict(marker=MARKERS[role.marker], s=size, color=role.colour, linewidths=0)
    if role.marker == "ring":
        style |= dict(s=5 * size, facecolors="none", edgecolors=role.colour, linewidths=look.PAPER_LINE_WIDTH)
        del style["color"]
    if mark.colour is not None:
        del style["color"]
        style |= dict(c=mark.values, cmap=_colours(mark.palette, paper), norm=_norm(mark.colour))
        style |= dict(edgecolors=look.TEXT, linewidths=0.3)
    return axes.scatter(mark.x, mark.y, rasterized=len(mark.x) > DENSE, **style, **common)


def _skeleton(mark: panel.Skeleton, axes: Any, line: dict[str, Any], common: dict[str, Any], paper: Paper) -> Any:
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
        style: dict[str, Any] = dict(colors=paper.shade(mark.role, side), linestyles=[line["linestyle"]])
        edges = LineCollection(list(mark.segments(side)), linewidths=line["linewidth"], **style, **common)
        axes.add_collection(edges, autolim=False)
    shown = np.flatnonzero(mark.shown).tolist()
    solid = 0.35 + 0.65 * np.clip(np.nan_to_num(mark.scores[shown], nan=1.0), 0, 1)
    shades = [paper.shade(mark.role, mark.side(joint)) for joint in shown]
    marker = MARKERS[look.role(mark.role).marker]
    axes.scatter(
        *mark.keypoints[shown].T, s=look.PAPER_MARKER_SIZE**2, c=shades or None,
        alpha=solid if shades else None, marker=marker, edgecolors=look.CASING, linewidths=0.4, **common,
    )  # fmt: skip
    return Line2D([], [], **line, marker=marker, markersize=look.PAPER_MARKER_SIZE)
