"""Panels as pgfplots source: text that authors edit, with the data in CSV files beside it.

The page is laid out as Matplotlib lays it out. Every curve, bar and point is read from the CSV of its panel by the
number of its series; pictures and maps are PNG files; the edges of skeletons stand in the source.
"""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd

from freqviz import look, panel, to_matplotlib
from freqviz.panel import Axis, Mark, Panel, Sheet
from freqviz.paper import Paper
from freqviz.to_matplotlib import Drawable, Place

DASHES = {
    "solid": "solid", "dash": "dash pattern=on 4.4pt off 1.8pt", "dot": "dash pattern=on 1.1pt off 1.5pt",
    "dashdot": "dash pattern=on 5.5pt off 1.7pt on 1.1pt off 1.7pt",
}  # fmt: skip
MARKS = {
    "circle": "*", "square": "square*", "diamond": "diamond*", "triangle": "triangle*", "cross": "x", "ring": "o",
}  # fmt: skip
PATTERNS = {"dash": "north east lines", "dot": "dots", "dashdot": "crosshatch"}
PIXELS = (panel.Image, panel.Heatmap)
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "$": r"\$",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": r"$-$", "–": "--", "—": "---", "×": r"$\times$",
    "·": r"$\cdot$", "°": r"$^\circ$", "±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$", "<": r"$<$", ">": r"$>$",
    "≈": r"$\approx$", "→": r"$\to$", "∞": r"$\infty$", "√": r"$\surd$", "Σ": r"$\Sigma$", "∑": r"$\sum$",
    "Δ": r"$\Delta$", "α": r"$\alpha$", "β": r"$\beta$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "θ": r"$\theta$",
    "λ": r"$\lambda$", "μ": r"$\mu$", "µ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "φ": r"$\varphi$",
    "τ": r"$\tau$", "ω": r"$\omega$", "Ω": r"$\Omega$", "Φ": r"$\Phi$", "‖": r"$\|$", "|": r"$|$", "∈": r"$\in$",
    "²": r"$^2$", "³": r"$^3$", "⁻": r"$^-$", "¹": r"$^1$", "½": r"$\frac12$", "“": "``", "”": "''", "‘": "`",
    "’": "'", "…": r"\dots{}", "\u2009": r"\,", "\u00a0": "~", "ŷ": r"$\hat y$", "x̂": r"$\hat x$", "⊙": r"$\odot$",
    "∗": r"$*$", "≠": r"$\ne$", "∝": r"$\propto$", "∫": r"$\int$", "∂": r"$\partial$", "\n": " ",
    "∠": r"$\angle$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "₁": r"$_1$", "₂": r"$_2$", "₀": r"$_0$", "₃": r"$_3$",
    "γ": r"$\gamma$", "η": r"$\eta$", "κ": r"$\kappa$", "ξ": r"$\xi$", "ψ": r"$\psi$", "′": r"$'$", "↦": r"$\mapsto$",
}  # fmt: skip


def tex(text: str) -> str:
    """Text for LaTeX: what it would read as a command is written out, and signs that its fonts lack as mathematics.

    Raises:
        ValueError: a sign that is not known here.
    """
    strange = sorted({letter for letter in text if ord(letter) > 0x17F and letter not in _TEX})
    if strange:
        raise ValueError(f"no LaTeX known for {' '.join(strange)}")
    return "".join(_TEX.get(letter, letter) for letter in text).replace("$$", "")


def table(one: Panel) -> bytes:
    """A panel's data but for its pictures and maps as CSV: a row a point, `series` counting the marks from 0.

    What the series are stands above in lines that begin with "#". Empty where the panel has nothing else.
    """
    marks = {number: mark for number, mark in enumerate(one.marks) if not isinstance(mark, PIXELS)}
    parts = [pd.DataFrame({"series": number} | mark.table()).drop(columns="text", errors="ignore")
             for number, mark in marks.items()]  # fmt: skip
    parts = [part for part in parts if len(part)]
    if not parts:
        return b""
    head = [f"# {one.title}", f"# x: {one.x.title}; y: {one.y.title}" + (f"; {one.colour.title}" if one.colour else "")]
    for number, mark in marks.items():
        joints = f": {', '.join(mark.joints)}" if isinstance(mark, panel.Skeleton) else ""
        head.append(f"# series {number}: {type(mark).__name__.lower()} {mark.name}".rstrip() + joints)
    body = pd.concat(parts, ignore_index=True).to_csv(index=False, float_format="%.9g", na_rep="nan")
    return ("\n".join(head) + "\n" + body).encode()


def to_pgfplots(
    figure: Drawable,
    paper: Paper = Paper(),  # noqa: B008 -- frozen
    columns: int | None = None,
    name: str = "figure",
) -> dict[str, bytes]:
    """A LaTeX file, and the CSV and PNG files that it reads, by name.

    Args:
        figure, paper, columns: as in `to_matplotlib`.
        name: what the names of all files begin with.
    Raises:
        ValueError: a text has a sign that LaTeX lacks.
    """
    sheet = panel.sheet_of(figure, columns)
    layout = to_matplotlib.layout(sheet, paper)
    files: dict[str, bytes] = {}
    body = []
    for number, (one, place) in enumerate(zip(sheet.panels, layout.places, strict=True)):
        part = f"{name}-{to_matplotlib.letters(number)}"
        if data := table(one):
            files[f"{part}.csv"] = data
        cell = paper.width / sheet.columns
        body += _pictures(one, place, paper, part, files) + _axis(one, place, paper, part, cell, layout.shared)
    if layout.shared:
        body += _shared_legend(sheet, layout.shared, paper)
    roles = sorted({mark.role for one in sheet.panels for mark in one.marks})
    width, height = f"{paper.width:.4f}in", f"{layout.height:.4f}in"
    lines = [
        "% Made by freqviz. Compile: pdflatex " + name + ".tex",
        r"% In a paper: \usepackage{standalone} and the packages below in its preamble, then \input{" + name + "}.",
        r"\documentclass{standalone}",
        r"\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}",
        r"\usepackage{pgfplots}",
        r"\pgfplotsset{compat=1.16}\usetikzlibrary{patterns,arrows.meta}",
        *(_colour(role, paper) for role in roles),
        r"\begin{document}",
        rf"\fontsize{{{paper.size:g}}}{{{1.2 * paper.size:g}}}\selectfont",
        r"\begin{tikzpicture}",
        *(_style(role, paper) for role in roles),
        rf"\useasboundingbox (0,0) rectangle ({width},{height});",
        *body,
        r"\end{tikzpicture}",
        r"\end{document}",
    ]
    return {f"{name}.tex": ("\n".join(lines) + "\n").encode()} | files


def _colour(role: str, paper: Paper) -> str:
    return rf"\definecolor{{{role}}}{{HTML}}{{{paper.role(role).colour[1:].upper()}}}"


def _style(role: str, paper: Paper) -> str:
    known = paper.role(role)
    line = f"{role}, {DASHES[known.dash]}, line width={look.PAPER_LINE_WIDTH}pt"
    mark = f"mark={MARKS[known.marker]}, mark size={look.PAPER_MARKER_SIZE / 2}pt"
    solid = ", mark options={solid}" if known.marker in ("cross", "ring") else ", mark options={solid, draw=none}"
    return rf"\tikzset{{{role} line/.style={{{line}}}, {role} mark/.style={{{role}, {mark}{solid}}}}}"


def _small(paper: Paper) -> str:
    return rf"\fontsize{{{paper.small:g}}}{{{1.15 * paper.small:g}}}\selectfont"


def _pictures(one: Panel, place: Place, paper: Paper, part: str, files: dict[str, bytes]) -> list[str]:
    """The pictures and maps of a panel, clipped to its frame; they lie below its axis."""
    lines = []
    for number, mark in enumerate(one.marks):
        if not isinstance(mark, PIXELS):
            continue
        pixels, (left, right, bottom, top) = to_matplotlib.picture(mark, one, place.width, paper)
        file = f"{part}-{number}.png"
        stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
        files[file] = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
        x0, x1 = (place.left + place.width * _share(one, "x", value) for value in (left, right))
        y0, y1 = (place.bottom + place.height * _share(one, "y", value) for value in (bottom, top))
        flip = rf"\scalebox{{{-1 if x1 < x0 else 1}}}[{-1 if y1 < y0 else 1}]"
        size = f"width={abs(x1 - x0):.4f}in,height={abs(y1 - y0):.4f}in"
        frame = f"({place.left:.4f}in,{place.bottom:.4f}in) rectangle ++({place.width:.4f}in,{place.height:.4f}in)"
        lines.append(
            rf"\begin{{scope}}\clip {frame}; \node[anchor=south west, inner sep=0] at "
            rf"({min(x0, x1):.4f}in,{min(y0, y1):.4f}in) "
            rf"{{{flip}{{\includegraphics[{size}]{{{file}}}}}}};\end{{scope}}"
        )
    return lines


def _share(one: Panel, name: str, value: float) -> float:
    """How far along an axis a value lies, 0 at the left or bottom, 1 at the other end."""
    low, high = one.limits(name)
    return (value - low) / (high - low)


def _axis(
    one: Panel, place: Place, paper: Paper, part: str, cell: float, shared: Sequence[tuple[str, str]]
) -> list[str]:
    title = f"{place.letter} {one.title if paper.titles else ''}".strip()
    note = one.note if paper.notes else ""
    right = cell * (int(place.left / cell) + 1) - 0.03
    options = [
        f"at={{({place.left:.4f}in,{place.bottom:.4f}in)}}, anchor=south west, scale only axis",
        f"width={place.width:.4f}in, height={place.height:.4f}in",
        "tick align=outside, tick pos=left, clip mode=individual, unbounded coords=jump",
        f"every tick label/.append style={{font={_small(paper)}}}, major tick length=2.5pt, minor tick length=1.5pt",
        "xlabel shift=-2pt, ylabel shift=-3pt",
        "scaled ticks=false, tick label style={/pgf/number format/fixed, /pgf/number format/1000 sep={}}",
    ]
    if one.bare:
        options.append("axis line style={draw=none}, major tick length=0pt")
    if any(isinstance(mark, PIXELS) for mark in one.marks):
        options.append("axis on top")
    elif not one.equal:
        options.append("grid=major, grid style={line width=0.4pt, black!11}")
    for name in "xy":
        options += _scale(getattr(one, name), name, one.limits(name))
    if one.colour:
        options += _colours(one, place, paper)
    own = {(mark.role, mark.name): mark for mark in reversed(one.marks) if mark.name}
    own = {key: mark for key, mark in reversed(own.items()) if key not in shared}
    if own:
        columns = max(1, min(len(own), int(cell / 1.1)))
        options.append(
            "legend style={at={(0.5,0)}, yshift=-" + f"{3.2 * paper.size:g}pt, anchor=north, draw=none, fill=none, "
            f"inner sep=0pt, font={_small(paper)}, column sep=3pt}}, legend columns={columns}, legend cell align=left"
        )
    lines = [r"\begin{axis}[", *(f"  {option}," for option in options), "]"]
    lines += [line for number, mark in enumerate(one.marks) for line in _mark(mark, number, one, paper, f"{part}.csv")]
    for (_, name), mark in own.items():
        lines.append(rf"\addlegendimage{{{_key(mark, paper)}}}\addlegendentry{{{tex(name)}}}")
    lines.append(r"\end{axis}")
    head = [rf"{{\bfseries {tex(title)}}}"] if title else []
    head += [rf"{{{_small(paper)}\color{{black!67}}{tex(note)}}}"] if note else []
    if head:  # LaTeX breaks the lines: its type may be another one
        corner = f"({place.left:.4f}in,{place.bottom + place.height:.4f}in)"
        text = r"\\".join(head)
        lines.append(
            rf"\node[anchor=south west, align=left, inner sep=0, yshift=2.5pt, text width={right - place.left:.4f}in] "
            rf"at {corner} {{{text}}};"
        )
    return lines


def _scale(axis: Axis, name: str, limits: panel.Limits) -> list[str]:
    low, high = sorted(limits)
    options = [f"{name}label={{{tex(axis.title)}}}, {name}min={low:.9g}, {name}max={high:.9g}"]
    if limits[0] > limits[1]:
        options.append(f"{name} dir=reverse")
    if axis.scale == "log":
        options.append(f"{name}mode=log, log ticks with fixed point")
    if axis.ticks:
        options.append(_ticks(axis, name))
    if axis.turned:
        options.append(f"{name}ticklabel style={{rotate=90, anchor=south}}")
    return options


def _ticks(axis: Axis, name: str) -> str:
    values = ",".join(f"{value:.9g}" for value, _ in axis.ticks)
    return f"{name}tick={{{values}}}, {name}ticklabels={{{','.join('{' + tex(text) + '}' for _, text in axis.ticks)}}}"


def _colours(one: Panel, place: Place, paper: Paper) -> list[str]:
    colour = one.colour
    if colour is None or colour.limits is None:
        return []
    low, high = colour.limits
    stops = paper.colours(one.palette)
    parts = [f"rgb255=({','.join(str(int(stop[i : i + 2], 16)) for i in (1, 3, 5))})" for stop in stops]
    options = [f"colormap={{{one.palette}}}{{{' '.join(parts)}}}, point meta min={low:.9g}, point meta max={high:.9g}"]
    if place.with_bar:
        ticks = f", {_ticks(colour, 'y')}" if colour.ticks else ""
        options.append(
            f"colorbar, colorbar style={{at={{(1.03,0)}}, anchor=south west, width={0.045 * place.width:.4f}in, "
            f"height={place.height:.4f}in, ylabel={{{tex(colour.title)}}}, "
            f"yticklabel style={{font={_small(paper)}}}{ticks}}}"
        )
    return options


def _mark(mark: Mark, number: int, one: Panel, paper: Paper, file: str) -> list[str]:
    role = mark.role

    def plot(style: str, y: str = "y=y", more: str = "") -> str:
        rows = rf"restrict expr to domain={{\thisrow{{series}}}}{{{number}:{number}}}"
        read = rf"table[x=x, {y}, {more}col sep=comma, {rows}] {{{file}}}"
        return rf"\addplot[{style}, forget plot] {read};"

    if isinstance(mark, panel.Points):
        size = look.PAPER_MARKER_SIZE / 2 * mark.size * (2.2 if paper.role(role).marker == "ring" else 1)
        if mark.colour is not None:
            ring = "draw=black!85, line width=0.3pt"
            style = f"scatter, only marks, {role} mark, mark size={size:.3g}pt, scatter/use mapped color={{{ring}, "
            return [plot(style + "fill=mapped color}, scatter src=explicit", more="meta=value, ")]
        thick = f", line width={look.PAPER_LINE_WIDTH}pt" if paper.role(role).marker in ("ring", "cross") else ""
        return [plot(f"only marks, {role} mark, mark size={size:.3g}pt{thick}")]
    if isinstance(mark, panel.Texts):
        style = f"anchor=west, inner sep=0pt, text={role}, font={_small(paper)}"
        places = zip(mark.x, mark.y, mark.texts, strict=True)
        return [rf"\node[{style}] at (axis cs:{x:.9g},{y:.9g}) {{{tex(text)}}};" for x, y, text in places]
    if isinstance(mark, panel.Line):
        return [plot(f"{role} line, mark=none")]
    if isinstance(mark, panel.Bars):
        pattern = None if one.bare else PATTERNS.get(paper.role(role).dash)
        lines = f", postaction={{pattern={pattern}, pattern color=white}}" if pattern else ""
        if mark.base:  # pgfplots has bars from zero only
            fields = [
                f"(axis cs:{x - mark.width / 2:.6g},{mark.base:.6g}) rectangle "
                f"(axis cs:{x + mark.width / 2:.6g},{mark.base + height:.6g})"
                for x, height in zip(mark.x, mark.height, strict=True) if np.isfinite(height)
            ]  # fmt: skip
            return [rf"\fill[{role}{lines}] {' '.join(fields)};"] if fields else []
        return [plot(f"ybar, bar width={mark.width:.6g}, bar shift=0pt, fill={role}, draw=none{lines}")]
    if isinstance(mark, panel.Band):
        stacked = "unbounded coords=discard, stack plots=y, draw=none"
        thickness = r"y expr=\thisrow{upper}-\thisrow{lower}"
        fill = f"{stacked}, fill={role}, fill opacity={look.BAND_OPACITY}"
        return [plot(stacked, "y=lower"), plot(fill, thickness)[:-1] + r" \closedcycle;"]
    if isinstance(mark, panel.Arrows):
        arrows = rf"quiver={{u=\thisrow{{u}}, v=\thisrow{{v}}, scale arrows={mark.magnification:g}}}"
        return [plot(f"{role}, line width=0.6pt, {arrows}, -{{Stealth[length=2.5pt]}}")]
    if isinstance(mark, panel.Skeleton):
        drawn = []
        for side in ("left", "right", ""):
            shade = paper.shade(role, side)[1:].upper()
            edges = [
                f"(axis cs:{a:.6g},{b:.6g}) -- (axis cs:{c:.6g},{d:.6g})" for (a, b), (c, d) in mark.segments(side)
            ]
            if edges:
                drawn.append(rf"\definecolor{{{role} {side}}}{{HTML}}{{{shade}}}")
                drawn.append(rf"\draw[{role} line, color={role} {side}] {' '.join(edges)};")
        return [*drawn, plot(f"only marks, {role} mark")]
    if isinstance(mark, panel.Rule):
        low, high = one.limits("y" if mark.axis == "x" else "x")
        ends = [(mark.value, low), (mark.value, high)] if mark.axis == "x" else [(low, mark.value), (high, mark.value)]
        return [_path(f"{role} line, mark=none", ends) + ";"]
    if isinstance(mark, panel.Span):
        low, high = one.limits("y")
        corners = [(mark.start, low), (mark.end, low), (mark.end, high), (mark.start, high)]
        return [_path(f"draw=none, fill={role}, fill opacity={look.BAND_OPACITY}, mark=none", corners) + " -- cycle;"]
    if isinstance(mark, PIXELS):
        return []
    raise TypeError(f"no way to write {type(mark).__name__} for pgfplots")


def _path(style: str, points: Sequence[tuple[float, float]]) -> str:
    return rf"\addplot[{style}, forget plot] coordinates {{{' '.join(f'({x:.9g},{y:.9g})' for x, y in points)}}}"


def _key(mark: Mark, paper: Paper) -> str:
    """What stands for a mark in a legend."""
    role = mark.role
    if isinstance(mark, panel.Bars | panel.Band | panel.Span):
        solid = 1.0 if isinstance(mark, panel.Bars) else look.BAND_OPACITY
        field = "(0cm,-0.08cm) rectangle (0.5cm,0.1cm);"
        code = rf"\fill[{role}, fill opacity={solid}] {field}"
        if isinstance(mark, panel.Bars) and (pattern := PATTERNS.get(paper.role(role).dash)):
            code += rf" \fill[pattern={pattern}, pattern color=white] {field}"
        return f"legend image code/.code={{{code}}}"
    if isinstance(mark, panel.Points):
        return f"only marks, {role} mark"
    return f"{role} line, {role} mark" if isinstance(mark, panel.Skeleton) else f"{role} line, mark=none"


def _shared_legend(sheet: Sheet, shared: Sequence[tuple[str, str]], paper: Paper) -> list[str]:
    """What several panels have in their legends, once, below all of them."""
    marks = {(mark.role, mark.name): mark for one in sheet.panels for mark in one.marks}
    entries = [
        rf"\addlegendimage{{{_key(marks[key], paper)}}}\addlegendentry{{{tex(key[1])}}}" for key in shared
    ]  # fmt: skip
    columns = max(1, min(len(shared), int(paper.width / 1.1)))
    return [
        rf"\begin{{axis}}[hide axis, at={{({paper.width / 2:.4f}in,0.03in)}}, anchor=south, scale only axis, "
        r"width=1in, height=1pt, xmin=0, xmax=1, ymin=0, ymax=1, "
        rf"legend style={{at={{(0.5,0)}}, anchor=south, draw=none, fill=none, inner sep=0pt, font={_small(paper)}, "
        rf"column sep=3pt}}, legend columns={columns}, legend cell align=left]",
        *entries,
        r"\end{axis}",
    ]


def arrays(one: Panel) -> dict[str, Any]:
    """The pictures and maps of a panel as arrays, named by their series: for an NPZ beside the CSV."""
    found: dict[str, Any] = {}
    for number, mark in enumerate(one.marks):
        if isinstance(mark, panel.Image):
            found[f"series_{number}_pixels"] = mark.pixels
        elif isinstance(mark, panel.Heatmap):
            found |= {f"series_{number}_{name}": getattr(mark, name) for name in ("values", "x", "y")}
    return found


def npz(held: dict[str, Any]) -> dict[str, bytes]:
    """Arrays as the files of an NPZ."""
    files = {}
    for name, values in held.items():
        file = io.BytesIO()
        np.save(file, values)
        files[f"{name}.npy"] = file.getvalue()
    return files
