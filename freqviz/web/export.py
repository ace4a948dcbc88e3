"""How a figure leaves the page: as files, or onto the sheet of "Paper figures"; nothing is made before it is opened.

The sheet and the settings of the paper are a visitor's own and last as long as the visit.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from freqviz import again, bundle, run, to_matplotlib, to_pgfplots
from freqviz.again import Made
from freqviz.analysis import Analysis, load_analysis
from freqviz.bundle import Figure
from freqviz.jobs import Cancelled, Progress, never, silent
from freqviz.panel import Panel, Sheet
from freqviz.paper import FONTS, LARGEST, PALETTES, SMALLEST, VENUES, Paper, paper
from freqviz.web import library, work
from freqviz.web.exporting import File, offer

SHEET, PAPER, COLUMNS = "sheet", "paper", "sheet columns"  # keys of the session's state
FREE = "Free"  # a width of one's own
FORMS = {"PDF": "application/pdf", "SVG": "image/svg+xml", "PNG": "image/png"}
DATA = "CSV of curves and points, NPZ of maps and pictures"
BUNDLE = "PDF, SVG, PNG, data, LaTeX source, caption, interactive page, and what makes them again"
ZIP = "application/zip"
SCREEN_DPI = 192  # of the preview; 96 CSS pixels are an inch


@dataclass(frozen=True)
class Entry:
    """A figure on the sheet."""

    title: str
    python: str  # that gives its panel


def sheet() -> list[Entry]:
    """What this visitor has picked, in order."""
    state: Any = st.session_state
    return state.setdefault(SHEET, [])


def settings() -> Paper:
    """The paper that this visitor has chosen on "Paper figures"; before that a column of CVPR."""
    return st.session_state.get(PAPER, Paper())


def exports(panel: Panel, python: str) -> None:
    """A button that opens the ways out of the page: files of this figure, the bundle, the sheet.

    Args:
        panel: the figure.
        python: lines that give the same figure, as in `recipe.copies`.
    """
    held = st.popover(
        "Export", type="tertiary", icon=":material/download:", key=f"export of {panel.title}", on_change="rerun"
    )
    if not held.open:
        return
    name, chosen = _plain(panel.title), settings()
    with held:
        st.caption(f"{chosen.width:.2f} in wide, {chosen.font}, {chosen.size:g} points; chosen on “Paper figures”.")
        files = _pages(panel, name, chosen)
        files.append(_file("Data", f"{name}-data.zip", ZIP, (panel, name), partial(_data, panel, name), DATA))
        offer([*files, _bundle(Figure((python,), 1, chosen), name, panel)], panel.title)
        entry = Entry(panel.title, python)
        there = entry in sheet()
        st.button(
            "On the sheet" if there else "Add to the sheet",
            key=f"add {panel.title}",
            icon=":material/check:" if there else ":material/add:",
            disabled=there,
            on_click=sheet().append,
            args=(entry,),
            help="“Paper figures” arranges what is picked on any view, also of other clips and networks.",
        )


def _pages(figure: Panel | Sheet, name: str, chosen: Paper) -> list[File]:
    """PDF, SVG and PNG of a figure."""
    return [
        _file(form, f"{name}.{form.lower()}", mime, (figure, chosen),
              partial(to_matplotlib.render, figure, form.lower(), chosen))
        for form, mime in FORMS.items()
    ]  # fmt: skip


def _file(label: str, name: str, mime: str, depends: object, render: Callable[[], bytes], help: str = "") -> File:
    def make(path: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
        path.write_bytes(render())

    return File(label, name, mime, pickle.dumps(depends), make, help=help or None)


def _bundle(figure: Figure, name: str = "figure", depends: object = None) -> File:
    """Every file of a figure; `depends` is what its lines may give differently some day."""

    def make(path: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
        path.write_bytes(zipped(figure, name, progress, cancelled))

    return File("Bundle", f"{name}.zip", ZIP, pickle.dumps((figure, depends)), make, asked=True, help=BUNDLE)


def _plain(title: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in title.lower())
    return "-".join(part for part in plain.split("-") if part) or "figure"


def _data(panel: Panel, name: str) -> bytes:
    """The numbers of a figure: a CSV, and an NPZ where it has pictures or maps."""
    files = {f"{name}.csv": to_pgfplots.table(panel)} if to_pgfplots.table(panel) else {}
    if held := to_pgfplots.arrays(panel):
        files[f"{name}.npz"] = bundle.zipped(to_pgfplots.npz(held))
    return bundle.zipped(files)


def offer_sheet(figure: Figure) -> None:
    """Buttons that make and hand out the files of a sheet."""
    panels = [made(lines) for lines in figure.panels]
    sheet = bundle.sheet_of(figure, panels)
    offer([*_pages(sheet, "figure", figure.paper), _bundle(figure, depends=sheet)], "the sheet")


def zipped(
    figure: Figure, name: str = "figure", progress: Progress = silent, cancelled: Callable[[], bool] = never
) -> bytes:
    """The bundle of a figure as an archive; its panels are made from their lines, as anywhere else.

    Args:
        progress: told (done, total) of panels and parts.
        cancelled: asked between them.
    Raises:
        Cancelled: `cancelled` said so.
    """
    count, panels = len(figure.panels), list[Made]()
    for number, lines in enumerate(figure.panels):
        progress(number, count + bundle.PARTS)
        if cancelled():
            raise Cancelled
        panels.append(made(lines))

    def further(done: int, total: int) -> None:
        progress(count + done, count + total)

    return bundle.zipped(bundle.files(figure, panels, name, further, cancelled))


@lru_cache(maxsize=32)
def made(python: str) -> Made:
    """The panel of some lines; an analysis that they ask for is the stored one, where there is one."""
    return again.panel(library.here(python), stored)


def stored(**given: Any) -> Analysis:
    """As `run.analyse`, from the store where the same was analysed before; else it is, as run folders hold it."""
    planned = run.Run(**given)
    planned.salt = library.salt(Path(str(given.get("clip"))).name)
    folder = work.STORE.find(planned.key)
    return load_analysis(folder) if folder else again.analyse(**given)


# ---- the page "Paper figures"


def choose_paper() -> tuple[Paper, str]:
    """Widgets for the paper; what is chosen, and the name of the venue."""
    bound: Any = {"bind": "query-params", "persist_state": "session"}
    where, how, type_, points, look = st.container(key="controls").columns(5, gap="medium")
    venue = where.selectbox("Venue", [*VENUES, FREE], key="venue", **bound)
    if venue == FREE:
        width = how.number_input("Width (in)", 1.0, 20.0, 6.5, 0.05, key="width", **bound)
        known = Paper(width)
    else:
        widths = list(VENUES[venue].widths)
        across = how.segmented_control(
            "Width", widths, default=widths[-1], required=True, key=f"width in {venue}", format_func=str.capitalize,
            persist_state="session",
        )  # fmt: skip
        known = paper(venue, across)
    fonts = list(FONTS)
    font = type_.selectbox("Font", fonts, fonts.index(known.font), key=f"font in {venue}", persist_state="session")
    size = points.number_input(
        "Size (points)", SMALLEST, LARGEST, float(known.size), 0.5, key=f"size in {venue}", persist_state="session"
    )
    palette = look.selectbox("Palette", PALETTES, key="palette", format_func=str.capitalize, **bound)
    with st.container(horizontal=True):
        titles = st.toggle("Titles", True, key="titles", **bound)
        notes = st.toggle("Results under titles", True, key="notes", **bound)
    chosen = Paper(known.width, font, size, palette, titles, notes)
    state: Any = st.session_state
    state[PAPER] = chosen
    return chosen, venue


def arrange() -> Figure | None:
    """Widgets to order and remove what is picked; the figure that it makes, without its paper. None: nothing is."""
    picked = sheet()
    if not picked:
        st.info(
            "Nothing is picked yet. Open a view, press **Export** under a figure, and add it to the sheet; "
            "then come back."
        )
        return None
    for number, entry in enumerate(picked):
        name, up, down, away = st.columns([8, 4, 4, 5], vertical_alignment="center")
        name.markdown(f"({to_matplotlib.letters(number)}) {entry.title}")
        for place, icon, move, off, what in (
            (up, "arrow_upward", -1, number == 0, "Earlier"),
            (down, "arrow_downward", 1, number == len(picked) - 1, "Later"),
            (away, "delete", 0, False, "Remove"),
        ):
            place.button(
                what, key=f"{what} {number}", icon=f":material/{icon}:", type="tertiary", disabled=off,
                help=f"{what}: {entry.title}", on_click=_move, args=(number, move),
            )  # fmt: skip
    columns, most = 1, len(picked)
    if most > 1:
        state: Any = st.session_state
        state[COLUMNS] = min(state.get(COLUMNS, 2), most)  # of a sheet that may have been longer
        columns = st.slider("Columns", 1, most, key=COLUMNS, persist_state="session")
    return Figure(tuple(entry.python for entry in picked), columns)


def _move(number: int, by: int) -> None:
    picked = sheet()
    entry = picked.pop(number)
    if by:
        picked.insert(number + by, entry)


@st.cache_data(max_entries=16, show_spinner="Drawing the sheet …")
def drawn(figure: Figure) -> tuple[bytes, float]:
    """A picture of a sheet for the screen, and its height in inches."""
    panels = bundle.sheet_of(figure, [made(lines) for lines in figure.panels])
    height = to_matplotlib.to_matplotlib(panels, figure.paper).get_figheight()
    return to_matplotlib.render(panels, "png", figure.paper, dpi=SCREEN_DPI), float(height)
