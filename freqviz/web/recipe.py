"""What stands under a figure: its formula and source, its numbers as a table, and the ways to take it elsewhere.

A page calls `explain(panel, command, python)` right after `show(panel)`; the parts can be had one by one.
"""

import os
import re
import shlex
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

import models
from freqviz.again import COMPUTING
from freqviz.panel import Panel
from freqviz.web import library
from freqviz.web.export import exports


def explain(
    panel: Panel, command: str, python: str, numbers: pd.DataFrame | Callable[[], pd.DataFrame] | None = None
) -> None:
    """One row of four buttons under a figure: formula, table, copy, export.

    Args:
        panel: the figure shown above; its title tells apart the buttons of one page.
        command: see `copies`.
        python: see `copies`.
        numbers: what the table shows, or what gives it; None: the data of the panel under the titles of its axes.
    """
    command, python = with_own(command, python)
    with st.container(horizontal=True, gap="small", key=f"recipe of {panel.title}"):
        formula(panel)
        table(partial(_numbers, panel) if numbers is None else numbers, panel.title)
        copies(command, python)
        exports(panel, python)


def formula(panel: Panel) -> None:
    """A button that opens how the figure's numbers are computed, and who proposed it; nothing where it says neither."""
    if not panel.formula and not panel.source:
        return
    with st.popover("Formula", type="tertiary", icon=":material/function:"):
        if panel.formula:
            st.text(panel.formula)
        if panel.source:
            st.caption(panel.source)


def table(numbers: pd.DataFrame | Callable[[], pd.DataFrame], of: str = "figure") -> None:
    """A button that opens the numbers as a table, which can be searched and saved as CSV.

    The table is made, and travels to the browser, only while it is open.

    Args:
        numbers: one row a point, or what gives them; column names carry units.
        of: the figure's title: tells apart several tables of one page.
    """
    held = st.popover("Table", type="tertiary", icon=":material/table:", key=f"table of {of}", on_change="rerun")
    if held.open:
        with held:
            frame = numbers() if callable(numbers) else numbers
            st.dataframe(frame, hide_index=True, height=320, alt=f"Numbers of the figure {of}")


def copies(command: str, python: str) -> None:
    """A button that opens the same result as a command for a terminal and as Python for a notebook, each to copy.

    Args:
        command: one line, run in the folder of the project, e.g. `python -m freqviz analyse clip.mp4 --out runs/clip`.
        python: the lines that give the same numbers, imports included.
    """
    command, python = _with_brought(command, python)
    with st.popover("Copy", type="tertiary", icon=":material/content_copy:"):
        st.caption("As command")
        st.code(command, language="bash", wrap_lines=True)
        st.caption("As Python")
        st.code(python.strip(), language="python", wrap_lines=True)


def with_own(command: str, python: str) -> tuple[str, str]:
    """The lines to copy with the files of parameters of one's own, where they name networks that have such."""
    for name, known in models.added().items():
        file = library.relative(known.file)
        command = command.replace(name, f"{known.network}={file}")
        if name in python:
            first, _, rest = python.partition("\n")
            python = f"{first}\nown = freqviz.models.add({known.network!r}, {file!r})\n{rest}"
    return command, python


def _with_brought(command: str, python: str) -> tuple[str, str]:
    """The lines to copy with the files that bring networks of one's own, where they name such."""
    named = [known.file for name, known in models.brought().items() if name in command or name in python]
    if not named:
        return command, python
    files = [library.relative(file) for file in dict.fromkeys(named)]
    first, _, rest = python.strip().partition("\n")
    lines = [first, *(f"freqviz.models.register({file!r})" for file in files), rest]
    return f"FREQVIZ_NETWORKS={shlex.quote(os.pathsep.join(files))} {command}", "\n".join(lines)


def in_python(start: str, given: Sequence[str], call: str) -> str:
    """Lines that give a panel, with the imports that they need.

    Args:
        start: the lines that open the clip or analyse it; the first is an import.
        given: lines between them and the call.
        call: what gives the panel.
    """
    text = "\n".join([*given, call])
    first, _, rest = start.partition("\n")
    imports = [f"import {name}" for name in ("numpy as np", "pandas as pd") if re.search(rf"\b{name[-2:]}\.", text)]
    lines = [first, *imports, importing(text), rest, *given, f"panel = {call}"]
    return "\n".join(lines)


def importing(text: str) -> str:
    """The line that imports the modules of freqviz that lines of Python name."""
    named = set(re.findall(r"\b(\w+)\.", text))
    used = [name for name in named if name in (*COMPUTING, "run") or name.startswith("figures")]
    return f"from freqviz import {', '.join(sorted(used))}"


def _numbers(panel: Panel) -> pd.DataFrame:
    """The data of a panel, its columns named as its axes are."""
    titles = {"x": panel.x.title, "y": panel.y.title, "value": panel.colour.title if panel.colour else "value"}
    if len(set(titles.values())) < len(titles):  # two axes of one name
        titles = {}
    return panel.table().rename(columns=titles)
