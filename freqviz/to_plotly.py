# ruff: noqa: C408 -- dict(...) reads as the keyword arguments that these libraries speak in
"""Panels on the screen: a Plotly figure with our own template, and hover texts that carry units.

Heatmaps travel as float32 with at most 256 cells a side, pictures as JPEG with at most 960 pixels a side, small ones
as WebP without loss.
"""

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.io.json import to_json_plotly

from freqviz import look, panel
from freqviz.panel import Axis, Mark, Panel, Sheet

CELLS, PIXELS, POINTS = 256, 960, 1000  # largest heatmap and picture side; more points than this use WebGL
QUALITY = 85  # of JPEG, in [0, 100]
LOSSLESS: dict[str, Any] = dict(format="webp", lossless=True, method=1, quality=0)  # PNG: 1.6 times the bytes
HATCHES = {"solid": "", "dash": "/", "dot": ".", "dashdot": "x"}
SYMBOLS = {"triangle": "triangle-up", "ring": "circle-open"}


def _template(ground: look.Ground) -> dict[str, Any]:
    lines = dict(
        showline=True, linecolor=ground.text, mirror=True, ticks="outside", ticklen=4, zeroline=False,
        gridcolor=ground.grid, title=dict(standoff=6, font=dict(size=13)), automargin=True,
    )  # fmt: skip
    return dict(
        layout=dict(
            font=dict(family=look.SCREEN_FONTS, size=13, color=ground.text),
            paper_bgcolor=ground.paper,
            plot_bgcolor=ground.paper,
            colorway=[role.colour for role in look.ROLES.values()],
            xaxis=lines,
            yaxis=lines,
            title=dict(x=0, xref="paper", xanchor="left", yref="container", y=1, yanchor="top", pad=dict(t=10)),
            legend=dict(orientation="h", x=0, xanchor="left", y=1.01, yanchor="bottom", bgcolor="rgba(0,0,0,0)"),
            hoverlabel=dict(align="left"),
            barmode="overlay",
        )
    )


TEMPLATE, DARK_TEMPLATE = _template(look.LIGHT), _template(look.DARK)


def to_plotly(
    figure: Panel | Sheet | Sequence[Panel], height: int | None = None, width: int = 760, dark: bool = False
) -> go.Figure:
    """A Plotly figure of one panel, or of a sheet (or several panels in a row) as subplots.

    Args:
        figure: what to draw; its limits, labels and colours are kept as they are.
        height: of the whole figure in screen pixels; None: 360 a row, 460 where pictures keep their aspect.
        width: screen pixels that the page will give it, about; notes and legend are wrapped for it.
        dark: for a dark screen.
    Returns:
        A figure whose traces name their mark in `meta` ({"panel": index, "mark": index, "part": index}).
    Raises:
        TypeError: something is not a panel.
    """
    return go.Figure(**described(figure, height, width, dark))


def sent(figure: dict[str, Any]) -> str:
    """What travels to the browser of a figure that `described` gave: JSON, arrays as Plotly packs them.

    `to_plotly` checks every value, which costs most of drawing: pages redraw too often for that.
    """
    data, layout = figure["data"], figure["layout"]
    text: str = to_json_plotly(dict(data=[_packed(trace) for trace in data], layout=layout))
    return text.replace(r"\u002f", "/")  # nobody reads it as HTML, and arrays are full of them


def described(
    figure: Panel | Sheet | Sequence[Panel], height: int | None = None, width: int = 760, dark: bool = False
) -> dict[str, Any]:
    """The data and the layout of `to_plotly`, whose arguments it takes, as unchecked dictionaries; arrays are float32.

    Raises:
        TypeError: something is not a panel.
    """
    sheet = panel.sheet_of(figure)
    wraps = max(24, round(width / sheet.columns / 8))  # letters of a note's line
    notes = [textwrap.wrap(one.note, wraps, break_on_hyphens=False) for one in sheet.panels]
    names = dict.fromkeys(mark.name for one in sheet.panels for mark in one.marks if mark.name)
    legend_rows = -(-sum(50 + 7 * len(name) for name in names) // max(1, width - 80))
    single = len(sheet.panels) == 1
    flat = single and sheet.panels[0].equal and sheet.panels[0].colour is not None  # colour bar lies below
    top = (42 if sheet.panels[0].title else 8) if single else 62
    margin = dict(l=60, r=20, b=110 if flat else 45, t=top + 17 * len(notes[0]) + 24 * legend_rows)
    height = height or (460 if any(one.equal for one in sheet.panels) else 360) * sheet.rows + 65 * flat
    layout: dict[str, Any] = dict(
        template=DARK_TEMPLATE if dark else TEMPLATE, height=height, margin=margin, annotations=[]
    )
    traces: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    named: set[tuple[str, str]] = set()
    for index, one in enumerate(sheet.panels):
        suffix = str(index + 1) if index else ""
        across, down = _domains(sheet, index)
        for number, mark in enumerate(one.marks):
            for part, drawn in enumerate(_drawn(mark, one, suffix, dark)):
                key = (mark.role, mark.name)
                listed = bool(mark.name) and drawn.get("showlegend", True) and key not in named
                named |= {key} if listed else set()
                drawn["name"] = mark.name
                if drawn["type"] != "image":  # pictures have no place in a legend
                    drawn |= dict(legendgroup=" ".join(key), showlegend=listed)
                if "xref" in drawn:
                    shapes.append(drawn)
                else:
                    about = {"panel": index, "mark": number, "part": part}
                    traces.append(drawn | dict(xaxis=f"x{suffix}", yaxis=f"y{suffix}", meta=about))
        x, y = _axis(one, "x"), _axis(one, "y")
        if one.equal:
            x |= dict(constrain="domain")
            y |= dict(constrain="domain", scaleanchor=f"x{suffix}")
        layout[f"xaxis{suffix}"] = x | dict(domain=across, anchor=f"y{suffix}")
        layout[f"yaxis{suffix}"] = y | dict(domain=down, anchor=f"x{suffix}")
        if one.colour:
            below = -52 / max(50, height - margin["t"] - margin["b"])  # 52 pixels
            layout[f"coloraxis{suffix}"] = _coloraxis(one, across, down, below if flat else None)
        if not single:
            text = "<br>".join([f"<b>{one.title}</b>", *notes[index]])
            place = dict(x=across[0], y=down[1], xref="paper", yref="paper", xanchor="left", yanchor="bottom")
            layout["annotations"].append(place | dict(text=text, align="left", showarrow=False))
    if single:
        subtitle = dict(text="<br>".join(notes[0]), font=dict(size=12))
        title = f"<b>{sheet.panels[0].title}</b>" if sheet.panels[0].title else ""
        layout["title"] = dict(text=title, font=dict(size=15), subtitle=subtitle)
    else:
        layout["legend"] = dict(yref="container", y=1, yanchor="top")
    return dict(data=traces, layout=layout | dict(shapes=shapes))


def _packed(value: Any) -> Any:
    """Dictionaries with their arrays as typed arrays in base 64."""
    if isinstance(value, dict):
        return {name: _packed(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        shape = dict(shape=", ".join(map(str, value.shape))) if value.ndim > 1 else {}
        return dict(dtype="f4", bdata=base64.b64encode(value.tobytes()).decode()) | shape if value.size else []
    return value


def _domains(sheet: Sheet, index: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where panel `index` lies, as fractions across and (from below) up; room for a colour bar beside it."""
    row, column = divmod(index, sheet.columns)
    left, right = column / sheet.columns, (column + 1) / sheet.columns
    inner = 0.0 if sheet.columns == 1 else 0.06
    bar = 0.2 if sheet.columns > 1 and sheet.panels[index].colour else 0.0
    width = right - left
    gap = 0.0 if sheet.rows == 1 else 0.28 / sheet.rows
    below, above = 1 - (row + 1) / sheet.rows, 1 - row / sheet.rows
    return (left + inner * width * (column > 0), right - (inner + bar) * width), (
        below + gap * (row < sheet.rows - 1),
        above,
    )


def _axis(one: Panel, name: str) -> dict[str, Any]:
    axis: Axis = getattr(one, name)
    limits = one.limits(name)
    log = axis.scale == "log"
    described: dict[str, Any] = {"title": {"text": axis.title}, "type": "log" if log else "linear"}
    described["range"] = [float(np.log10(value)) for value in limits] if log else list(limits)
    if axis.ticks:
        described |= dict(tickvals=[value for value, _ in axis.ticks], ticktext=[text for _, text in axis.ticks])
    if axis.turned:
        described["tickangle"] = -90
    if one.equal:
        described["showgrid"] = False
    if one.bare:
        described |= dict(showline=False, ticks="")
    return described


def _coloraxis(
    one: Panel, across: tuple[float, float], down: tuple[float, float], below: float | None
) -> dict[str, Any]:
    """Colours with their bar: at the right of the panel, or at the height `below`, lying."""
    title = dict(text=one.colour.title if one.colour else "", font=dict(size=13))
    bar: dict[str, Any] = dict(thickness=14, outlinewidth=0)
    if below is None:
        bar |= dict(title=title | dict(side="right"), x=across[1] + 0.015)
        bar |= dict(y=(down[0] + down[1]) / 2, len=down[1] - down[0])
    else:
        bar |= dict(title=title | dict(side="bottom"), orientation="h", x=0.5, xanchor="center", len=0.6)
        bar |= dict(nticks=5, tickangle=0)
        bar |= dict(y=below, yanchor="top")
    if one.colour and one.colour.ticks:
        bar |= dict(tickvals=[value for value, _ in one.colour.ticks], ticktext=[text for _, text in one.colour.ticks])
    low, high = (one.colour and one.colour.limits) or (0, 1)
    stops = look.colours(one.palette)
    scale = [[i / (len(stops) - 1), stop] for i, stop in enumerate(stops)]
    return dict(cmin=low, cmax=high, colorscale=scale, colorbar=bar)


def _value(axis: Axis, letter: str, digits: str = ".4~g") -> str:
    """One line of a hover text: label, number, unit."""
    return f"{axis.label}: %{{{letter}:{digits}}}" + (f" {axis.unit}" if axis.unit else "")


def _rule(mark: panel.Rule, line: dict[str, Any], suffix: str) -> dict[str, Any]:
    if mark.axis == "x":
        ends = dict(xref=f"x{suffix}", yref=f"y{suffix} domain", x0=mark.value, x1=mark.value, y0=0, y1=1)
    else:
        ends = dict(yref=f"y{suffix}", xref=f"x{suffix} domain", y0=mark.value, y1=mark.value, x0=0, x1=1)
    return dict(type="line", line=line, layer="above") | ends


def _drawn(mark: Mark, one: Panel, suffix: str, dark: bool) -> Iterator[dict[str, Any]]:
    """The traces of a mark, or its shape (which has an "xref"), as Plotly's own dictionaries."""
    if isinstance(mark, panel.Rule) and any(isinstance(other, panel.Heatmap) for other in one.marks):
        dark = False  # a heatmap is the same on every ground
    role, paper = look.role(mark.role, dark), look.DARK if dark else look.LIGHT
    line = dict(color=role.colour, width=look.LINE_WIDTH, dash=role.dash)
    ground = -any(isinstance(other, panel.Arrows) for other in one.marks)  # else pictures hide the arrows
    symbol = SYMBOLS.get(role.marker, role.marker)
    size = look.MARKER_SIZE * (mark.size if isinstance(mark, panel.Points) else 1)
    hover = f"{_value(one.x, 'x')}<br>{_value(one.y, 'y')}<extra>{mark.name}</extra>"
    if isinstance(mark, panel.Rule):
        yield _rule(mark, line, suffix)
    elif isinstance(mark, panel.Span):
        yield dict(
            type="rect", xref=f"x{suffix}", yref=f"y{suffix} domain", x0=mark.start, x1=mark.end, y0=0, y1=1,
            fillcolor=_clear(role.colour), line=dict(width=0), layer="below",
        )  # fmt: skip
    elif isinstance(mark, panel.Points):
        style: dict[str, Any] = dict(symbol=symbol, size=size, color=role.colour, line=dict(width=0))
        if role.marker == "ring":
            style |= dict(size=2 * size, line=dict(width=look.LINE_WIDTH + 1, color=role.colour))
        if mark.colour is not None:
            style |= dict(
                color=_small(mark.values),
                coloraxis=f"coloraxis{suffix}",
                line=dict(width=0.5, color=paper.text),
            )
            hover = f"{_value(mark.colour, 'marker.color')}<br>{hover}"
        kind = "scattergl" if len(mark.x) > POINTS else "scatter"
        if mark.texts:
            hover = f"%{{text}}<br>{hover}"
        yield dict(
            type=kind, x=_small(mark.x), y=_small(mark.y), mode="markers", marker=style,
            text=list(mark.texts) or None, hovertemplate=hover,
        )  # fmt: skip
    elif isinstance(mark, panel.Texts):
        yield dict(
            type="scatter", x=_small(mark.x), y=_small(mark.y), text=list(mark.texts), mode="text",
            textposition="middle right", textfont=dict(color=role.colour, size=12), hoverinfo="skip",
        )  # fmt: skip
    elif isinstance(mark, panel.Line):
        yield dict(type="scatter", x=_small(mark.x), y=_small(mark.y), mode="lines", line=line, hovertemplate=hover)
    elif isinstance(mark, panel.Bars):
        pattern = dict(
            shape="" if one.bare else HATCHES[role.dash], fillmode="overlay", fgcolor=paper.paper, solidity=0.2, size=7
        )
        yield dict(
            type="bar", x=_small(mark.x), y=_small(mark.height), base=mark.base, width=mark.width, hovertemplate=hover,
            marker=dict(color=role.colour, pattern=pattern, line=dict(width=0)),
        )  # fmt: skip
    elif isinstance(mark, panel.Band):
        yield dict(
            type="scatter", x=_small(np.r_[mark.x, mark.x[::-1]]), y=_small(np.r_[mark.lower,
            mark.upper[::-1]]),
            mode="lines", fill="toself", fillcolor=_clear(role.colour), line=dict(width=0), hoverinfo="skip",
        )  # fmt: skip
    elif isinstance(mark, panel.Heatmap):
        small = mark.reduced(CELLS)
        value = _value(mark.colour, "z")
        yield dict(
            type="heatmap", z=_small(small.values), x=_small(small.x), y=_small(small.y), zorder=ground,
            coloraxis=f"coloraxis{suffix}", opacity=mark.opacity,
            hovertemplate=f"{value}<br>{hover}", hoverongaps=False,
        )  # fmt: skip
    elif isinstance(mark, panel.Image):
        yield _picture(mark) | dict(zorder=ground)
    elif isinstance(mark, panel.Arrows):
        moved = f"moved by (%{{u:.3~g}}, %{{v:.3~g}}) {one.x.unit}<br>{hover}"
        yield dict(
            type="quiver", x=_small(mark.x), y=_small(mark.y), u=_small(mark.u), v=_small(mark.v),
            anchor="tail",
            arrowref="data", lengthmode="raw", lengthfactor=mark.magnification, hovertemplate=moved,
            marker=dict(color=role.colour, line=dict(width=1.5)),
        )  # fmt: skip
    elif isinstance(mark, panel.Skeleton):
        yield from _skeleton(mark, line, symbol, one.x.unit, dark)
    else:
        raise TypeError(f"no way to draw {type(mark).__name__} on the screen")


def _skeleton(
    mark: panel.Skeleton, line: dict[str, Any], symbol: str, unit: str, dark: bool
) -> Iterator[dict[str, Any]]:
    """A dark casing, the edges of each side, the joints, and an empty trace that stands in the legend."""
    sides = ("left", "right", "")
    parts = [_broken(mark.segments(side)) for side in sides]
    casing = dict(color=look.CASING, width=look.LINE_WIDTH + 3)
    everything = np.concatenate(parts)
    yield dict(
        type="scatter", x=_small(everything[:, 0]), y=_small(everything[:, 1]), mode="lines",
        line=casing, opacity=0.55,
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    for side, part in zip(sides, parts, strict=True):
        colour = look.shade(mark.role, side, dark)
        yield dict(
            type="scatter", x=_small(part[:, 0]), y=_small(part[:, 1]), mode="lines",
            line=line | dict(color=colour),
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    shown = np.flatnonzero(mark.shown).tolist()
    x, y = mark.keypoints[shown].T
    yield dict(
        type="scatter", x=_small(x), y=_small(y), mode="markers", showlegend=False,
        text=[f"{mark.joints[joint]}, score {mark.scores[joint]:.2f}" for joint in shown],
        hovertemplate=f"%{{text}}<br>x %{{x:.1f}}, y %{{y:.1f}} {unit}<extra>{mark.name}</extra>",
        marker=dict(
            symbol=symbol, size=look.MARKER_SIZE,
            color=[look.shade(mark.role, mark.side(joint), dark) for joint in shown],
            opacity=opacity(mark.scores[shown]), line=dict(width=1, color=look.CASING),
        ),
    )  # fmt: skip
    yield dict(
        type="scatter",
        x=[None],
        y=[None],
        mode="lines+markers",
        line=line,
        marker=dict(symbol=symbol, size=look.MARKER_SIZE),
    )


def opacity(scores: Any) -> list[float]:
    """How solid joints of these scores are drawn: 0.35 for a score of 0, 1 for 1 or for an unknown score."""
    return [float(value) for value in 0.35 + 0.65 * np.clip(np.nan_to_num(scores, nan=1.0), 0, 1)]


def _broken(segments: Any) -> Any:
    """(E, 2, 2) ends as one (3E, 2) path with gaps."""
    gaps = np.full((len(segments), 1, 2), np.nan)
    return np.concatenate([segments, gaps], axis=1).reshape(-1, 2)


def _picture(mark: panel.Image) -> dict[str, Any]:
    pixels = mark.pixels
    height, width = pixels.shape[:2]
    step = max(height, width) / PIXELS
    if step > 1:
        pixels = cv2.resize(
            pixels, (max(1, round(width / step)), max(1, round(height / step))), interpolation=cv2.INTER_AREA
        )
    if max(height, width) <= CELLS:  # is read pixel by pixel, so nothing may be lost
        kind, file = "webp", io.BytesIO()
        Image.fromarray(pixels).save(file, **LOSSLESS)
        stored = file.getvalue()
    else:
        kind, turned = "jpeg", pixels[..., ::-1] if pixels.ndim == 3 else pixels
        stored = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    data = base64.b64encode(stored).decode()
    dx, dy = width / pixels.shape[1], height / pixels.shape[0]
    source = f"data:image/{kind};base64,{data}"
    place = dict(x0=dx / 2 - 0.5, y0=dy / 2 - 0.5, dx=dx, dy=dy)
    return dict(type="image", source=source, zsmooth="fast", hoverinfo="skip") | place


def _small(values: Any) -> Any:
    return np.ascontiguousarray(values, dtype=np.float32)


def _clear(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{look.BAND_OPACITY})"
