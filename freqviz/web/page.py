"""What every page begins with, and how it shows a figure."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from freqviz import figures, jobs, reading, run
from freqviz.analysis import Analysis
from freqviz.panel import Limits, Panel
from freqviz.to_plotly import described, sent
from freqviz.web import choice, figure, library, session, theme, truth, visitor, work
from freqviz.web.ahead import AHEAD
from freqviz.web.box import draw_box
from freqviz.web.cursors import slider
from freqviz.web.images import jpeg
from freqviz.web.view import View
from freqviz.web.work import BOX, Request

STYLE = Path(__file__).parent / "page.css"
STEPS = """
**1 Person.** Drag over the frame from the head to the feet, arms included. Drag inside to move the box,
a corner to resize it; arrow keys nudge it. Or type it, take the whole frame, or let motion find it.

**2 Networks.** The two video networks are twins: one works in pixel space, spectra guide the other.

**3 Run.** From then on the box follows the poses; where it loses the person, choose that frame and draw the box
there. What was analysed once is kept.
"""
CORRECT = " Go to such a frame and switch the drawing on to put the box right."
COLUMN = 560  # of a figure in two columns, about, CSS pixels
WIDTH, STAGE_HEIGHT = 1200, 560  # most of the frame that the box is drawn on, CSS pixels


def open_page(title: str, caption: str) -> View:
    """Title, sidebar, and the analysis of what is chosen there.

    Where there is none yet, the page shows the first frame, to draw the box on, and the run; and stops.

    Args:
        title: headline.
        caption: what the page shows, one sentence: its docstring.
    """
    request = _begin(title)
    with sentences():
        if folder := library.session(request.clip):
            library.hold(st.session_state, request.clip)
            view = View(request.clip, work.part_of(request.clip, folder), work.loaded(folder), folder)
            st.sidebar.caption(f"From a session file. {_facts(view.analysis)}")
            session.tell(view.name)
            st.caption(caption)
            return view
        planned = None if request.missing else request.run()
        analysis = work.finished(planned.key) if planned else None
        ticket = work.ticket_of(planned.key) if planned else None
        folder = work.STORE.root / planned.key.digest if planned and analysis else None
        library.hold(st.session_state, request.clip, *([folder] if folder else []))
        _run_button(request, planned, ticket, analysis)
        if planned and analysis and folder and not choice.drawing():
            view = View(request.clip, planned.clip, analysis, folder, request)
            choice.take_wanted(view.networks)
            session.offer(view)
            truth.ask(request.clip, planned.whole, view.truth_is_far)
            st.caption(caption)
            return view
        choice.forget_defaults()
        _stage(request, planned, ticket, analysis)
    st.stop()


def open_shelf(title: str, caption: str) -> None:
    """Title and sidebar of a page that needs no analysed clip; above it a run that goes on.

    Args:
        title, caption: as in `open_page`.
    """
    request = _begin(title)
    st.caption(caption)
    if library.session(request.clip):
        return
    with sentences():
        planned = None if request.missing else request.run()
        ticket = work.ticket_of(planned.key) if planned else None
        _run_button(request, planned, ticket, work.finished(planned.key) if planned else None)
        if ticket is not None and not ticket.over:
            _progress(ticket, request.seen()[0])


def show(
    panel: Panel,
    height: int | None = None,
    limits: tuple[Limits, Limits] | None = None,
    on_click: Callable[[float, float], None] | None = None,
    still: bool = False,
) -> None:
    """A figure, its title and results above it, its reading guide below.

    Args:
        panel: what to draw.
        height: CSS pixels; None: the renderer's own.
        limits: what to show of x and y; None: what the panel says.
        on_click: called with x and y of a clicked point, in a new script run.
        still: the panel is one that `kept` gave, so that its figure is kept too.
    """
    AHEAD.stir()
    if limits is not None:
        panel = panel.within(*limits)
    st.markdown(f"**{panel.title}**  \n:small[{panel.note}]" if panel.note else f"**{panel.title}**")
    drawn, tall = (_kept_figure if still else _figure)(panel, height, theme.is_dark())
    key = f"figure {panel.title}"
    clicked = None if on_click is None else partial(_clicked, key, on_click)
    figure.draw(drawn, tall, f"{panel.title}. {panel.note} {panel.guide}", key, clicked)
    st.caption(panel.guide)


def _begin(title: str) -> Request:
    st.html(STYLE)
    theme.watch()
    choice.keep(title)
    st.title(title, anchor=False)
    return choice.sidebar()


def _figure(panel: Panel, height: int | None, dark: bool) -> tuple[str, int]:
    drawn = described(replace(panel, title="", note=""), height, COLUMN, dark)  # words wrap better outside the picture
    drawn["layout"]["uirevision"] = str(panel.x.limits)  # what the legend hides stays hidden while the slider moves
    return sent(drawn), int(drawn["layout"]["height"])


_kept_figure = lru_cache(maxsize=64)(_figure)


@lru_cache(maxsize=64)
def kept(function: Callable[..., Panel], *args: Any) -> Panel:
    """The panel that a function gives of values that do not change: a moved cursor makes anew only what it moves."""
    return function(*args)


def _clicked(key: str, call: Callable[[float, float], None]) -> None:
    point = st.session_state[key]["click"]
    call(float(point["x"]), float(point["y"]))


@contextmanager
def sentences(instead: Callable[[], None] | None = None) -> Iterator[None]:
    """What cannot be done or shown is said in one sentence, where it would have stood; quietly where nothing is.

    Args:
        instead: draws a way out below the sentence, where nothing is.
    """
    try:
        yield
    except LookupError as nothing:
        st.info(visitor.said(nothing))
        if instead is not None:
            instead()
    except (ValueError, OSError) as error:
        st.error(visitor.said(error))


def offer(view: View, networks: Sequence[str]) -> None:
    """A button for each of these networks that shows it or, if it was not run, runs it too; none for a session file."""
    if view.request is None:
        return
    with st.container(horizontal=True):
        for name in (one for one in networks if one in work.trained()):
            say = f"Show {name}" if name in view.networks else f"Run {name} too"
            if st.button(say, key=f"offer {name}", on_click=_take_up, args=(view.request, name)):
                st.rerun()  # the sidebar too, where a fragment has drawn the button


def _take_up(request: Request, network: str) -> None:
    choice.want(network)
    if network not in request.networks:
        st.session_state["networks"] = [*request.networks, network]
        _start(replace(request, networks=(*request.networks, network)))


def _run_button(
    request: Request, planned: run.Run | None, ticket: jobs.Ticket | None, finished: Analysis | None
) -> None:
    running = ticket is not None and not ticket.over
    with st.sidebar:
        st.button(
            "Running …" if running else "Analysed" if finished else "Run",
            key="run",
            type="primary",
            width="stretch",
            disabled=bool(request.missing or running or finished),
            help=request.missing or ("This choice is analysed; change it first." if finished else None),
            on_click=_start,
            args=(request,),
        )
        if finished:
            st.caption(_facts(finished) + (CORRECT if (finished.frames["lost"] != "").any() else ""))
        elif planned and not running:
            st.caption(str(work.forecast_of(planned)))


def _start(request: Request) -> None:
    choice.stop_drawing()
    with sentences():
        work.start(request)


def _facts(analysis: Analysis) -> str:
    """What was analysed, and how."""
    clip, settings = analysis.provenance["clip"], analysis.provenance["settings"]
    height, width = clip["size"]
    first, last = analysis.frames["frame"].iloc[[0, -1]]
    span = f" ({first} to {last})" if first or clip["frames"] < clip["of"] else ""
    facts = (
        f"{clip['frames']} frames{span} of {width} × {height} pixels, {clip['fps']:.4g} per second. First box: "
        f"{settings['rung']}. Analysed on {analysis.provenance['device']}."
    )
    if lost := list(analysis.frames["frame"][analysis.frames["lost"] != ""]):
        facts += f" The person seems lost in {len(lost)} of them: {reading.frames_listed(lost)}."
    return facts


def _stage(request: Request, planned: run.Run | None, ticket: jobs.Ticket | None, finished: Analysis | None) -> None:
    """A frame with the box, and what to do next; while a run goes on, what it has found.

    The frame is the first one; once there is something to correct, the one that the visitor chooses.
    """
    clip = request.seen()
    if ticket is not None and not ticket.over:
        _progress(ticket, clip[0])
        return
    frame = 0
    if planned and choice.drawing() and (finished or request.corrections):
        help = "The first frame takes the box to begin with; any other one a correction, from that frame on."
        frame = slider(clip, st.container(), help)
    say = request.missing or "Press Run to find the poses."
    if finished:
        say = "This box is analysed. Draw another one, or switch the drawing off to see what was found."
    if frame:
        number = clip.first + frame
        say = f"Draw where the person is in frame {number}. What was found before it stays; Run does the rest."
    _stopped(request, planned, ticket)
    picture, words = st.columns([3, 1], gap="medium")
    with picture:
        if choice.drawing() or request.person == BOX:
            number = clip.first + frame
            corrected = None if frame == 0 and request.person == BOX else number
            held = None if finished is None else tuple(next(iter(finished.traces.values())).boxes[frame].tolist())
            box = request.box if corrected is None else dict(request.corrections).get(number, held)
            key = f"drawn on {request.clip}, {number}"
            draw_box(clip[frame], box, key, lambda: choice.take_drawn_box(key, corrected), WIDTH, STAGE_HEIGHT)
        elif planned and planned.imported is not None:
            panel = figures.pose_overlay(clip[0], {}, box=planned.first)
            show(replace(panel, title="First frame", guide="The box that the file gives for it."), STAGE_HEIGHT)
        else:
            height, width = clip.size
            st.image(jpeg(clip[0], WIDTH), width=min(WIDTH, STAGE_HEIGHT * width // height))
    with words:
        st.markdown(f"##### {say}")
        st.markdown(STEPS)
        for line in clip.report:
            st.caption(line)


def _stopped(request: Request, planned: run.Run | None, ticket: jobs.Ticket | None) -> None:
    """Why there is no result of a run that was begun, what is kept of it, and what can be done."""
    kept = work.begun(planned) if planned else 0
    on = f" The first {kept} frames are kept; Run goes on from there." if kept else ""
    if ticket is not None and ticket.state == jobs.FAILED:
        st.error(f"The run stopped: {visitor.said(ticket.message)}{on}")
        if ticket.kind == jobs.OutOfMemory.__name__ and ticket.device != "cpu":
            st.button("Run on the CPU", key="on_cpu", on_click=_start, args=(replace(request, device="cpu"),))
    elif ticket is not None and ticket.state == jobs.CANCELLED:
        why = f"Stopped, since {ticket.message}," if ticket.message else "Cancelled"
        st.info(f"{why} after {ticket.done} of {ticket.total or '…'} frames.{on or ' Run starts it anew.'}")
    elif kept and ticket is None:
        st.info(f"This run was stopped before it was done.{on}")


@st.fragment(run_every=0.5)
def _progress(ticket: jobs.Ticket, first: np.ndarray) -> None:
    """How the run stands: the bar, the way to cancel it, and the newest frame done with its poses."""
    if ticket.over:
        st.rerun()
    asker = visitor.session()
    ticket.join(asker)
    bar, button = st.columns([6, 1], vertical_alignment="bottom")
    with bar:
        if waiting := work.ahead(ticket):
            place = f"Place {waiting} in the queue: {waiting} run{'s' if waiting > 1 else ''} before this one"
            st.progress(0.0, f"{place} on {ticket.device}. Visitors are served in turn.")
        else:
            rest = "" if ticket.left is None else f", about {ticket.left:.0f} s left"
            st.progress(ticket.fraction, f"{ticket.done} of {ticket.total or '…'} frames{rest}")
    with button:
        others = ticket.others(asker)
        help = "Another visitor or tab waits for this run too." if others else None
        st.button("Cancel", key="cancel", on_click=ticket.cancel, width="stretch", disabled=bool(others), help=help)
    st.caption(f"Job {ticket.id}")
    newest: run.Newest | None = ticket.newest
    panel = figures.pose_overlay(first if newest is None else newest.picture, {} if newest is None else newest.poses)
    note = "The first poses come in seconds." if newest is None else f"Frame {newest.frame}, the newest one done."
    show(replace(panel, note=note), STAGE_HEIGHT)
