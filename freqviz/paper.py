"""Settings of figures on paper: how wide, in which type, in colour or in grey; widths and sizes that venues ask for.

Lengths are inches, sizes of type points (1/72 inch). Widths as their makers publish them:
- CVPR, ICCV (and WACV): author guidelines of the CVF template, "6 7/8 inches wide" text, columns "3 1/4 inches wide"
  with 5/16 inch between them;
- ECCV: `llncs.cls` of Springer's Lecture Notes in Computer Science, `\\textwidth` 12.2 cm;
- NeurIPS, ICLR: `neurips.sty` and `iclr_conference.sty`, `\\textwidth` 5.5 in, one column;
- IEEE: "Size requirements for graphics" of the IEEE Author Center, 3.5 in or 7.16 in;
- Nature: Nature research figure guide, 89 mm or 183 mm, at most 170 mm tall, type of 5 to 7 points without serifs.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from freqviz import look

SMALLEST, LARGEST = 4.0, 14.0  # points of type, that a reader still reads and a figure still holds


@dataclass(frozen=True)
class Venue:
    """Where a figure is printed."""

    widths: dict[str, float]  # inches, by what the width is of
    font: str = "Times"
    size: float = 7.5  # points of labels and titles; ticks and notes are one point smaller
    tallest: float = 8.5  # inches


VENUES = {
    "CVPR, ICCV": Venue({"column": 3.25, "text": 6.875}),
    "ECCV, LNCS": Venue({"text": 12.2 / 2.54}),
    "NeurIPS": Venue({"text": 5.5}),
    "ICLR": Venue({"text": 5.5}),
    "IEEE": Venue({"column": 3.5, "text": 7.16}),
    "Nature": Venue({"column": 89 / 25.4, "text": 183 / 25.4}, "Sans", 7, 170 / 25.4),
}
FONTS = {  # all come with Matplotlib, so that every machine has them and every file the same bytes
    "Times": ("STIXGeneral", "DejaVu Serif"),
    "Sans": ("DejaVu Sans",),
    "Computer Modern": ("cmr10", "STIXGeneral", "DejaVu Serif"),
}
LETTER = {"Times": 0.47, "Sans": 0.56, "Computer Modern": 0.5}  # mean width of a letter, of the size of the type
PALETTES = ("colour", "grey")


@dataclass(frozen=True)
class Paper:
    """How panels are drawn on paper.

    Args:
        width: inches, more than 0.
        font: a key of `FONTS`.
        size: points of labels and titles; ticks, legends and notes are one point smaller.
        palette: "colour": Okabe and Ito's colours, told apart by colour-blind readers and, by dash and marker, in
            grey prints; "grey": the same lightness without colour.
        titles: the title of each panel stands above it; else only its letter, and the title in the caption.
        notes: results stand under the title; else only in the caption.
        letters: several panels are lettered (a), (b), ...
    Raises:
        ValueError: a value outside of its range.
        LookupError: no such font or palette.
    """

    width: float = 3.25
    font: str = "Times"
    size: float = 7.5
    palette: str = "colour"
    titles: bool = True
    notes: bool = True
    letters: bool = True

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ValueError(f"width must be positive inches, got {self.width}")
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"size must be {SMALLEST:g} to {LARGEST:g} points, got {self.size}")
        for name, value, known in (("font", self.font, tuple(FONTS)), ("palette", self.palette, PALETTES)):
            if value not in known:
                raise LookupError(f"no {name} named {value!r}; known: {', '.join(known)}")

    @property
    def small(self) -> float:
        """Points of ticks, legends and notes."""
        return self.size - 1

    @property
    def letter(self) -> float:
        """Mean width of a letter, as a share of the size of its type."""
        return LETTER[self.font]

    def role(self, name: str) -> look.Role:
        """The look of a role on this paper."""
        role = look.role(name)
        return look.Role(grey(role.colour), role.dash, role.marker) if self.palette == "grey" else role

    def shade(self, name: str, side: str) -> str:
        """As `look.shade`, on this paper."""
        colour = self.role(name).colour
        return look.lighter(colour) if side == "left" else colour

    def colours(self, name: str) -> tuple[str, ...]:
        """The stops of a colour map on this paper; in grey every map runs from black to white."""
        stops = look.colours(name)
        return ("#101010", "#f4f4f4") if self.palette == "grey" else stops

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Paper":
        """From plain data, as `as_dict` gives them; a ValueError names settings that there are not."""
        known = [field.name for field in fields(cls)]
        if strangers := sorted(set(settings) - set(known)):
            raise ValueError(f"settings of a paper are {', '.join(known)}; got {', '.join(strangers)}")
        return cls(**settings)


def paper(venue: str, width: str = "column", **changes: Any) -> Paper:
    """Settings for a venue.

    Args:
        venue: a key of `VENUES`.
        width: "column" or "text"; a venue of one column has only "text", which is then taken.
        changes: other settings of `Paper`.
    Raises:
        LookupError: no such venue, or no such width there.
    """
    if venue not in VENUES:
        raise LookupError(f"no venue named {venue!r}; known: {'; '.join(VENUES)}")
    known = VENUES[venue]
    widths = known.widths if len(known.widths) > 1 else dict.fromkeys(("column", "text"), known.widths["text"])
    if width not in widths:
        raise LookupError(f"{venue} has figures as wide as a {' or a '.join(widths)}, not {width!r}")
    settings: dict[str, Any] = {"width": widths[width], "font": known.font, "size": known.size}
    return Paper(**(settings | changes))


def objections(settings: Paper, height: float, venue: str) -> list[str]:
    """Sentences about what a venue would not print; a venue that is not known has no wishes.

    Args:
        height: inches of the figure.
        venue: a key of `VENUES`, or any other name.
    """
    if venue not in VENUES:
        return []
    known, found = VENUES[venue], []
    if height > known.tallest:
        found.append(f"The sheet is taller than the {known.tallest:.1f} in that {venue} leaves; use more columns.")
    if venue == "Nature" and (settings.font != known.font or settings.size > 7 or settings.small < 5):
        found.append("Nature asks for type of 5 to 7 points without serifs; ticks are one point smaller than labels.")
    return found


def grey(colour: str) -> str:
    """ "#rrggbb" of the same lightness without colour, never so light that a thin line is lost on white."""
    linear = [((int(colour[i : i + 2], 16) / 255 + 0.055) / 1.055) ** 2.4 for i in (1, 3, 5)]
    luminance = min(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2], 0.42)
    level = round(255 * max(1.055 * luminance ** (1 / 2.4) - 0.055, 0))
    return f"#{level:02x}{level:02x}{level:02x}"
