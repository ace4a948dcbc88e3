"""Files that take seconds to make: a job each beside the page, with progress, a way to cancel, and the size when done.

A file is written aside and put in its place whole, in runs/exports; what is old there is removed, and what is of a clip
that is. Files of another start of the server are not given out again: the code may have changed.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from freqviz import bundle, jobs
from freqviz.jobs import Cancelled, Progress
from freqviz.store import aside, place, remove, size
from freqviz.web import library, visitor

Make = Callable[[Path, Progress, Callable[[], bool]], None]
KEPT, LIMIT = 24 * 3600.0, 1 << 30  # seconds and bytes: what is older, or beyond, goes
SHORT = 0.4  # seconds that a page waits for files that are quickly made
WORKER = "exports"
MOST, EACH = 256, 64  # files that may wait, in all and of one visitor: opening Export asks for four or five
_THIS_START = uuid4().hex
_tickets: dict[Path, jobs.Ticket] = {}  # the last job of each file


def _chosen() -> str:
    state: Any = st.session_state
    return state.get("clip") or ""


@dataclass(frozen=True)
class File:
    """A file that can be downloaded once it is made.

    Args:
        label: of its button, such as "PDF".
        name: that the browser saves it under.
        mime: its type.
        key: everything that its bytes depend on.
        make: writes it to a path; reports progress, and raises `Cancelled` when asked to stop.
        asked: it takes long, so it is made on a click only.
        help: what is in it.
        clip: name in the library of the clip on the page: it goes with that.
    """

    label: str
    name: str
    mime: str
    key: bytes
    make: Make
    asked: bool = False
    help: str | None = None
    clip: str = field(default_factory=_chosen)

    @property
    def path(self) -> Path:
        """Where it lies once it is made."""
        digest = hashlib.sha256(b"\0".join([_THIS_START.encode(), self.name.encode(), self.key])).hexdigest()[:24]
        return library.EXPORTS / f"{_of(self.clip)}-{digest}-{self.name}"

    @property
    def ticket(self) -> jobs.Ticket | None:
        """Its last job."""
        return _tickets.get(self.path)

    @property
    def coming(self) -> bool:
        """Whether a job is at it."""
        return self.ticket is not None and not self.ticket.over

    def start(self) -> jobs.Ticket:
        """Put it into the queue, unless it is there or being made."""
        path = self.path
        ticket = self.ticket
        if ticket is None or (ticket.over and not path.is_file()):
            _trim()
            write = partial(_write, path, self.make)
            worker = jobs.worker(WORKER, MOST, EACH)
            ticket = _tickets[path] = worker.submit(write, self.name, str(path), visitor.session())
        return ticket


def _write(path: Path, make: Make, progress: Progress, cancelled: Callable[[], bool], show: jobs.Show) -> None:
    with aside(path.parent) as folder:
        made = folder / path.name
        make(made, progress, cancelled)
        if cancelled():
            raise Cancelled
        place(made, path)
    library.keep_within(path)


def _of(clip: str) -> str:
    return hashlib.sha256(clip.encode()).hexdigest()[:8]


def forget(clip: str) -> None:
    """Remove the files of a clip, and stop making others."""
    start = f"{_of(clip)}-"
    for path in [path for path in _tickets if path.name.startswith(start)]:
        _tickets.pop(path).cancel()
    for path in library.EXPORTS.glob(f"{start}*"):
        remove(path)


def _trim() -> None:
    """Remove what is older than a day, and the oldest beyond the limit."""
    total, now, times = 0, time.time(), dict[Path, float]()
    for path in library.EXPORTS.glob("[!.]*"):
        with suppress(OSError):  # another process was first
            times[path] = os.path.getmtime(path)
    for path in sorted(times, key=times.__getitem__, reverse=True):
        total += size(path)
        if total > LIMIT or now - times[path] > KEPT:
            remove(path)
            _tickets.pop(path, None)


def offer(files: Sequence[File], of: str) -> None:
    """A row of buttons: what is made says its size and is downloaded; what takes long is made on a click.

    Args:
        files: those that are not `asked` are started at once.
        of: what they are of: tells apart several rows of one page.
    """
    for file in files:
        if not file.asked and file.ticket is None:
            file.start()
    until = time.monotonic() + SHORT
    for file in files:
        if file.coming and not file.asked and file.ticket:
            file.ticket.wait(max(0.0, until - time.monotonic()))
    waiting = any(file.coming for file in files)
    st.fragment(_row, run_every=0.5 if waiting else None, key=f"files of {of}")(files, of, waiting)


def _row(files: Sequence[File], of: str, waiting: bool) -> None:
    state: Any = st.session_state
    for file in files:
        if state.pop(_asked(file, of), False):
            file.start()
    if waiting != any(file.coming for file in files):
        st.rerun()  # polling begins or ends with the page
    with st.container(horizontal=True, gap="small", key=f"files {of}"):
        for file in files:
            _button(file, of)
    for file in files:
        ticket = file.ticket
        if ticket is None or file.path.is_file():
            continue
        if ticket.state == jobs.FAILED:
            st.error(f"{file.label}: {visitor.said(ticket.message)}")
        elif ticket.state == jobs.CANCELLED:
            why = f", since {ticket.message}" if ticket.message else ""
            st.caption(f"{file.label} was cancelled{why}; nothing is left of it.")
        elif file.asked:
            _progress(file, ticket, of)


def _button(file: File, of: str) -> None:
    path, key = file.path, f"{file.label} of {of}"
    if path.is_file():
        size = bundle.in_words(path.stat().st_size)
        st.download_button(
            f"{file.label} · {size}", path.read_bytes, file.name, file.mime, key=key, on_click="ignore", help=file.help,
            icon=":material/download:",
        )  # fmt: skip
    elif file.coming:
        st.button(f"{file.label} …", key=f"{key}, coming", disabled=True)
    else:
        asked = _asked(file, of)
        st.button(f"Make {file.label}", key=f"make {key}", help=file.help, on_click=_ask, args=(asked,))


def _asked(file: File, of: str) -> str:
    return f"asked {file.label} of {of}"


def _ask(key: str) -> None:
    """Note a click until the row is drawn: a run of the page in between would swallow it, and may change the file."""
    state: Any = st.session_state
    state[key] = True


def _progress(file: File, ticket: jobs.Ticket, of: str) -> None:
    bar, button = st.columns([4, 1], vertical_alignment="bottom")
    with bar:
        if ahead := jobs.worker(WORKER).ahead(ticket):
            st.progress(0.0, f"{file.label} waits for {ahead} other file{'s' * (ahead > 1)}.")
        else:
            st.progress(ticket.fraction, f"{file.label}: {ticket.done} of {ticket.total or '…'} steps")
    button.button("Cancel", key=f"cancel {file.label} of {of}", on_click=ticket.cancel, width="stretch")
