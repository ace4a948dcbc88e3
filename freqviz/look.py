"""How things look: the one place of colours by role, colour maps and widths.

Colours are Okabe and Ito's, made to be told apart by colour-blind readers. Printed in grey, two roles differ
by lightness or by dash and marker. A person's right side has the role's full colour, the left side a lighter
shade. On a dark screen roles that would drown are lighter. Everything here is plain data, so that the canvas
of the page and the video writer draw the same.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Role:
    """What one role looks like."""

    colour: str  # "#rrggbb"
    dash: str = "solid"  # solid, dash, dot, dashdot
    marker: str = "circle"  # circle, square, diamond, triangle, cross, ring


ROLES = {
    "frequency": Role("#0072b2"),
    "spatial": Role("#e69f00", "dash", "square"),
    "frame": Role("#cc79a7", "dot", "diamond"),  # a network that sees a single frame
    "truth": Role("#009e73", "dashdot", "cross"),
    "blur": Role("#d55e00", "dash", "triangle"),
    "energy": Role("#0072b2"),
    "sharp": Role("#009e73", "solid", "square"),
    "data": Role("#333333"),
    "reference": Role("#777777", "dot", "square"),  # a level to compare with, such as equal weights
    "key": Role("#f0e442", "solid", "square"),  # the key frame: a field behind the marks
    "cursor": Role("#000000", "solid", "ring"),  # what is selected now
    "box": Role("#f0e442", "solid", "square"),
    "lost": Role("#d55e00", "dot", "triangle"),  # frames in which the person is lost
    "damaged": Role("#7a5195", "dashdot", "cross"),  # frames that the decoder had to mend
    "extra-1": Role("#56b4e9", "solid", "triangle"),
    "extra-2": Role("#7a5195", "dash", "cross"),
    "extra-3": Role("#000000", "dot", "circle"),
    "extra-4": Role("#4a3210", "solid", "triangle"),
}
ON_DARK = {  # role: its colour on a dark screen, where that differs
    "frequency": "#3f9fdc", "energy": "#3f9fdc", "truth": "#1fbf8f", "sharp": "#1fbf8f", "blur": "#f0803c",
    "data": "#c8ced6", "reference": "#98a2ad", "cursor": "#ffffff", "lost": "#f0803c", "damaged": "#b48fcc",
    "extra-2": "#b48fcc", "extra-3": "#ffffff",
    "extra-4": "#cfa96a",
}  # fmt: skip
NETWORKS = {"freq-video": "frequency", "spatial-video": "spatial", "spatial-frame": "frame"}
EXTRAS = ("extra-1", "extra-2", "extra-3", "extra-4")
SERIES = ("extra-4", "extra-2", "extra-1", "extra-3", "blur")  # curves that belong to no network

# 17 stops each of cividis, RdBu (reversed) and twilight, as Matplotlib has them; both renderers interpolate
MAPS = {
    "magnitude": (
        "#00224e", "#002e6a", "#1a386f", "#32436d", "#434e6c", "#535a6d", "#61656f", "#6f7073", "#7d7c78",
        "#8c8878", "#9b9476", "#aba072", "#bcae6c", "#cdbb63", "#dec958", "#f0d846", "#fee838",
    ),
    "signed": (
        "#053061", "#175290", "#2a71b2", "#3f8ec0", "#6bacd1", "#9bc9e0", "#c2ddec", "#e0ecf3", "#f7f6f6",
        "#fbe5d8", "#fbccb4", "#f5aa89", "#e48066", "#d05548", "#ba2832", "#930e26", "#67001f",
    ),
    "phase": (
        "#e2d9e2", "#c4ced4", "#95b5c7", "#7297c1", "#6276ba", "#5e51ad", "#592a8f", "#45135c", "#2f1436",
        "#4a1342", "#741e4f", "#983550", "#b25652", "#c27c63", "#cca389", "#d8c7be", "#e2d9e2",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """What figures lie on; colours "#rrggbb"."""

    paper: str
    field: str  # of sidebar and entry fields
    text: str
    grid: str


LIGHT = Ground("#ffffff", "#f3f5f7", "#222222", "#e3e3e3")
DARK = Ground("#12161b", "#1b2129", "#e4e8ec", "#323a44")
TEXT, GRID = LIGHT.text, LIGHT.grid
CASING = "#1a1a1a"  # around the lines of a skeleton: they lie on pictures
LINE_WIDTH, MARKER_SIZE, BAND_OPACITY = 2.0, 7.0, 0.25  # screen pixels; opacity of bands and fields
DASHES = {"solid": [], "dash": [7, 4], "dot": [1, 4], "dashdot": [7, 4, 1, 4]}  # drawn and left out, screen pixels
PAPER_LINE_WIDTH, PAPER_MARKER_SIZE = 1.1, 3.6  # points
SCREEN_FONTS = "Inter, Helvetica, Arial, sans-serif"


def role(name: str, dark: bool = False) -> Role:
    """The look of a role, on a dark screen or elsewhere; a LookupError names the known roles."""
    if name not in ROLES:
        raise LookupError(f"no role named {name!r}; known roles: {', '.join(ROLES)}")
    return replace(ROLES[name], colour=ON_DARK.get(name, ROLES[name].colour)) if dark else ROLES[name]


def colours(name: str) -> tuple[str, ...]:
    """The stops of a colour map, low to high; a LookupError names the known maps."""
    if name not in MAPS:
        raise LookupError(f"no colour map named {name!r}; known maps: {', '.join(MAPS)}")
    return MAPS[name]


def shade(name: str, side: str = "right", dark: bool = False) -> str:
    """The colour "#rrggbb" of a role for a person's "right", "left" (half way to white) or neither ("")."""
    colour = role(name, dark).colour
    return lighter(colour) if side == "left" else colour


def lighter(colour: str) -> str:
    """A colour "#rrggbb" half way to white."""
    return "#" + "".join(f"{(int(colour[i : i + 2], 16) + 255) // 2:02x}" for i in (1, 3, 5))


def network_roles(names: Iterable[str]) -> dict[str, str]:
    """A role for each network: the three main ones have their own, others take the extras in order."""
    names = list(names)
    others = [name for name in names if name not in NETWORKS]
    return {name: NETWORKS.get(name) or EXTRAS[others.index(name) % len(EXTRAS)] for name in names}


def palette() -> dict[str, dict[str, str]]:
    """Every role as plain data (colour, left, dash, marker), for the canvas and for video."""
    return {name: asdict(ROLES[name]) | {"left": shade(name, "left")} for name in ROLES}
