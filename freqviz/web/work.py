"""What pages wait for and what is kept for them: open clips, running jobs, finished analyses, references."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import streamlit as st

import models
from freqviz import claims, crops, devices, figures, forecast, jobs, run, sharpness, to_video
from freqviz.analysis import Analysis, load_analysis
from freqviz.claims import Claims
from freqviz.clip import Clip
from freqviz.influence import Kept
from freqviz.parts import Parts
from freqviz.session import Session, open_session
from freqviz.store import RunKey, Store, write_file
from freqviz.store import remove as discard
from freqviz.trace import Trace
from freqviz.video import ClipError
from freqviz.web import exporting, library, visitor

STORE = Store(library.RESULTS, library.LIMIT, library.USES)
PERSON = "Person"  # what a spectrum can be of, beside the WHOLE_FRAME
SPECTRA = 64  # frames, evenly spread, that the dB range of a clip is taken from
MANY = 1000  # jobs that may wait beside those of the devices: one a clip
TICKETS = 256  # of jobs that are over: what a page says of a failed or cancelled one
HELD = 256 << 20  # bytes of decoded frames that a clip keeps: 41 of 1080 x 1920; in public a quarter
DEEP = 12  # deep traces kept, about 6 MB each
THREADS = devices.threads()  # that share the sums of a run
_tickets: dict[str, jobs.Ticket] = {}  # the last job of each run key, shared by all visitors
_copies: dict[str, jobs.Ticket] = {}  # the last job of each copy for the scrubber
_tests: dict[Path, jobs.Ticket] = {}  # the last job of the claims of each analysis


BOX, WHOLE_FRAME, MOTION, IMPORT = "Box", "Whole frame", "Motion", "Import"  # where the first box comes from


@dataclass(frozen=True)
class Request:
    """What to analyse: a clip of the library, where its first box comes from, the networks and the device."""

    clip: str
    person: str  # BOX, WHOLE_FRAME, MOTION or IMPORT
    box: tuple[float, float, float, float] | None  # x, y, w, h in the first frame; None unless person is BOX
    networks: tuple[str, ...]
    device: str
    boxes: str = ""  # file of the library, for IMPORT
    track: int | None = None  # id of the person in it; None: who has the most boxes
    corrections: tuple[tuple[int, tuple[float, float, float, float]], ...] = ()  # frame and box where the person is
    frames: tuple[int, int] | None = None  # a, b: frames a ... b - 1; None: all

    @property
    def missing(self) -> str:
        """What still has to be chosen, as a sentence; empty when nothing is missing."""
        if not self.networks:
            return "Choose at least one network."
        if self.person == BOX and self.box is None:
            return "Draw or type the box of the person in the first frame."
        if self.person == IMPORT and not self.boxes:
            return "Upload the boxes of the person."
        return ""

    def seen(self) -> Clip:
        """The clip, or the part of it that is asked for.

        Raises:
            ValueError, LookupError: no such clip, or no such part.
        """
        clip = open_clip(self.clip)
        return clip if self.frames is None else clip.part(*self.frames)

    def run(self) -> run.Run:
        """The run, checked.

        Raises:
            ValueError: clip, box or device is wrong.
            LookupError: no clip or network of that name.
        """
        clip, whole = open_clip(self.clip), self.person == WHOLE_FRAME
        known = library.read_boxes(self.boxes, self.track) if self.person == IMPORT else None
        corrections = dict(self.corrections)
        planned = run.Run(
            clip, self.networks, self.box, known, whole, self.device, corrections=corrections, frames=self.frames
        )
        planned.salt = library.salt(self.clip)
        return planned


@lru_cache(maxsize=8)
def _opened(path: Path, modified: float) -> Clip:
    ours = path == library.SAMPLE_FILE
    clip = Clip(path, apart=not ours, cache_bytes=_held())
    if not (visitor.PUBLIC or ours or path.stem.endswith(clip.hash[:8])):
        raise ClipError(f"{path.name} is damaged on this machine; upload it again")
    return clip


def open_clip(name: str) -> Clip:
    """A clip of the library, shared by all visitors.

    Raises:
        LookupError: no such clip here.
        ClipError: it can no longer be read.
    """
    path = library.find(name)
    if path is None:
        raise LookupError(f"no clip named '{name}' on this machine")
    return _session(path).clip if library.session(name) else _opened(path, path.stat().st_mtime)


@lru_cache(maxsize=8)
def _session(folder: Path) -> Session:
    return open_session(folder, apart=True, cache_bytes=_held())


def _held() -> int:
    return HELD // 4 if visitor.PUBLIC else HELD


def session(name: str) -> Session | None:
    """An opened session of the library; None where the name is that of a clip."""
    folder = library.session(name)
    return _session(folder) if folder else None


def trained() -> list[str]:
    """The networks that can run, in the order of the tables, then uploaded parameters."""
    return [name for name in models.names() if models.is_trained(name)] + library.own_networks()


def defaults() -> list[str]:
    """The networks chosen unless a visitor says otherwise: the two video networks."""
    return [name for name in run.DEFAULT_MODELS if name in trained()]


def start(request: Request) -> jobs.Ticket:
    """Put the run into the queue of its device; a run that is waiting or running already is joined.

    Raises:
        ValueError, LookupError: as `Request.run`.
        QueueFull: too many wait for the device.
    """
    planned = request.run()
    digest = planned.key.digest
    ticket = jobs.worker(planned.device).submit(partial(analyse, planned), request.clip, digest, visitor.session())
    _remember(_tickets, digest, ticket)
    scrubbing_copy(request.clip, planned.clip)  # made meanwhile
    mark, note = f"-{visitor.tag()}" if visitor.PUBLIC else "", json.dumps(asdict(request))
    write_file(library.RECENT / f"{digest}{mark}.json", lambda made: made.write_text(note, encoding="utf-8"))
    return ticket


def _remember(tickets: dict[str, jobs.Ticket], key: str, ticket: jobs.Ticket) -> None:
    """Keep a ticket as the last one of its key, and not more than TICKETS that are over."""
    over = [old for old, one in tickets.items() if one.over]
    for old in over[: max(0, len(over) - TICKETS)]:
        tickets.pop(old, None)
    tickets.pop(key, None)
    tickets[key] = ticket


def recent() -> list[tuple[str, Request | None, float]]:
    """The clips analysed lately, and opened sessions, the newest first: name, what was asked (None: a session), when.

    One entry a clip; when is in seconds since the epoch.
    """
    held, found = library.clips(), dict[str, tuple[str, Request | None, float]]()
    for file, request, when in _notes():
        digest, _, tag = file.stem.partition("-")
        mine = tag == visitor.tag() and (request.clip == library.SAMPLE or visitor.owns(request.clip))
        done = mine and (STORE.root / digest / "run.json").is_file()
        if done and request.clip in held and when > found.get(request.clip, ("", None, 0.0))[2]:
            found[request.clip] = request.clip, request, when
    for name, path in held.items():
        if library.session(name) and visitor.owns(name):
            found[name] = name, None, path.stat().st_mtime
    return sorted(found.values(), key=lambda one: one[2], reverse=True)


def _notes() -> list[tuple[Path, Request, float]]:
    """What was asked: file, request, when; what is torn or foreign counts for nothing."""
    found = []
    for file in library.RECENT.glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            when = file.stat()
            found.append((file, _asked(file, when.st_mtime_ns), when.st_mtime))
    return found


@lru_cache(maxsize=256)
def _asked(file: Path, modified: int) -> Request:
    held = json.loads(file.read_text(encoding="utf-8"))
    corrections = tuple((frame, tuple(box)) for frame, box in held.pop("corrections"))
    held |= {name: tuple(held[name]) for name in ("box", "frames", "networks") if held[name] is not None}
    return Request(**held, corrections=corrections)


def remove(name: str) -> None:
    """Remove an uploaded clip with all that came from it, or an opened session; a run that goes on is cancelled.

    In public it is removed by who uploaded it.
    """
    if name == library.SAMPLE or not visitor.owns(name):
        return
    sessions, results = sessions_of(name), _results_of(name)
    going = [ticket for ticket in (*_tickets.values(), *_copies.values()) if ticket.label == name]
    for ticket in going + [_tests[file] for file in _tests if file.parent in results]:
        ticket.cancel()
    for seen in (partial(open_clip, name), *(partial(part_of, name, folder) for folder in results)):
        with suppress(LookupError, ValueError, OSError):  # it cannot be read any more: nothing was copied
            discard(_copy_of(seen(), name))
    for file, request, _ in _notes():
        if request.clip == name:
            Parts(STORE.root, file.stem.partition("-")[0]).forget()
            discard(file)
    for folder in results:
        discard(folder)
        library.USES.forget(folder)
    for one in (*sessions, name):
        exporting.forget(one)
        library.forget(one)
    for cache in (loaded, _opened, _session, _tested):
        cache.cache_clear()
    TRACES.clear()


def sessions_of(name: str) -> list[str]:
    """The opened sessions that hold a clip of the library: they go with it."""
    with suppress(LookupError, ValueError, OSError):
        if not library.session(name):
            clip = open_clip(name).hash
            held = [one for one in library.clips() if visitor.owns(one)]
            return [one for one in held if (of := library.session(one)) and _clip_of(of) == clip]
    return []


def _results_of(name: str) -> list[Path]:
    """The results of a clip: in a lab of its content, in public those that were asked for by its name."""
    if library.session(name):
        return []
    asked = {file.stem.partition("-")[0] for file, request, _ in _notes() if request.clip == name}
    clip = ""
    if not visitor.PUBLIC:
        with suppress(LookupError, ValueError, OSError):
            clip = open_clip(name).hash
    return [one for one in STORE.things() if one.name in asked or (clip and _clip_of(one) == clip)]


def _clip_of(folder: Path) -> str:
    """Hash of the clip that a result or a session is of; empty where it does not say."""
    try:
        return str(json.loads((folder / "run.json").read_text(encoding="utf-8"))["clip"]["hash"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def analyse(
    planned: run.Run, progress: jobs.Progress, cancelled: Callable[[], bool], show: jobs.Show = jobs.unseen
) -> None:
    """Do a run and store it, unless that has been done; of a corrected or stopped one only what was not found yet."""
    if STORE.find(planned.key) is None:
        with devices.with_threads(THREADS), closing(library.holding(planned.whole.path)):
            planned.into(STORE, progress, cancelled, show)
        library.keep_within(STORE.find(planned.key))


def begun(planned: run.Run) -> int:
    """How many frames of a run are finished and kept, though the run is not."""
    return planned.parts(STORE).reached


def forecast_of(planned: run.Run) -> forecast.Forecast:
    """What the run will cost, by earlier runs in the store; before the first one, by a step timed once."""
    known = forecast.forecast(planned, STORE)
    return known or forecast.by_one_step(planned, *_timed_step(tuple(planned.networks), planned.device, planned))


@st.cache_resource(max_entries=16, show_spinner=False)
def _timed_step(networks: tuple[str, ...], device: str, _planned: run.Run) -> tuple[float, int]:
    return _planned.timed_step()


def scrubbing_copy(name: str, clip: Clip) -> Path | jobs.Ticket:
    """The copy that the scrubber seeks in, of a clip or a part of one; where there is none yet, the job that makes it.

    The job has a worker of its own beside those of the devices. A copy is made once; one that failed is not
    tried again before the server starts anew.
    """
    path = _copy_of(clip, name)
    if path.is_file():
        library.USES.touch(path)
        return path
    ticket = _copies.get(path.name)
    if ticket is None or (ticket.over and ticket.state != jobs.FAILED):
        make = partial(_copy, clip, path)
        ticket = _copies[path.name] = jobs.worker("copies", MANY).submit(make, name, path.name)
    return ticket


def _copy_of(clip: Clip, name: str) -> Path:
    return library.COPIES / f"{clip.hash[:24]}{library.salt(name)}-{len(clip)}.mp4"


def _copy(clip: Clip, path: Path, progress: jobs.Progress, cancelled: Callable[[], bool], show: jobs.Show) -> None:
    write_file(path, lambda made: to_video.scrubbing_copy(made, clip, progress=progress, cancelled=cancelled))
    library.keep_within(path)


def tested(folder: Path, clip: Clip, analysis: Analysis, blurs: np.ndarray, name: str) -> Claims | jobs.Ticket:
    """What three claims come to on an analysed clip; where that is not known yet, the job that measures it.

    It is kept in the folder of the analysis. The job has a worker of its own beside those of the devices.

    Args:
        folder: of the analysis.
        clip: what was analysed.
        analysis: of it.
        blurs, name: as in `claims.measure`.
    """
    file = folder / "claims.json"
    if file.is_file():
        try:
            return _tested(file)
        except (ValueError, LookupError, TypeError, OSError):  # torn: measured again
            discard(file)
            _tests.pop(file, None)
    ticket = _tests.get(file)
    if ticket is None or (ticket.over and ticket.state != jobs.FAILED):
        measure = partial(_measure, file, clip, analysis, blurs, name)
        ticket = _tests[file] = jobs.worker("claims", MANY).submit(measure, folder.name, str(file))
    return ticket


def _measure(
    file: Path, clip: Clip, analysis: Analysis, blurs: np.ndarray, name: str,
    progress: jobs.Progress, cancelled: Callable[[], bool], show: jobs.Show,
) -> None:  # fmt: skip
    found = claims.measure(clip, analysis, blurs, name, progress, cancelled)
    write_file(file, found.save)


@lru_cache(maxsize=16)
def _tested(file: Path) -> Claims:
    return Claims.load(file)


def ticket_of(key: RunKey) -> jobs.Ticket | None:
    """The last job of a run key, if there was one since the server started."""
    return _tickets.get(key.digest)


def ahead(ticket: jobs.Ticket) -> int:
    """Jobs before this one on its device."""
    return jobs.worker(ticket.device).ahead(ticket)


def finished(key: RunKey) -> Analysis | None:
    """The stored analysis of a run key; None if there is none."""
    folder = STORE.find(key)
    return loaded(folder) if folder else None


@lru_cache(maxsize=16)
def loaded(folder: Path) -> Analysis:
    """The analysis in a folder of the store, or of a session."""
    return load_analysis(folder)


def part_of(clip: str, folder: Path) -> Clip:
    """What an analysis has seen of a clip of the library: all of it, or the part that was chosen."""
    opened, known = open_clip(clip), loaded(folder).provenance["clip"]
    first, count = known["first"] - opened.first, known["frames"]
    return opened if count == len(opened) else opened.part(first, first + count)


@st.cache_data(max_entries=64, show_spinner=False)
def blurriest(clip: str) -> tuple[int, int]:
    """The blurriest seconds of a clip of the library: see `sharpness.blurriest`."""
    return sharpness.blurriest(open_clip(clip))


@st.cache_resource(max_entries=64, show_spinner=False)
def spectrum_reference(clip: str, region: str, folder: Path, _boxes: np.ndarray) -> float:
    """The power that reads 0 dB in every frame of a clip, from frames spread evenly over it.

    Args:
        clip: name in the library.
        region: as in `region_of`.
        folder: of the analysis that the boxes come from; it stands for them in the cache.
        _boxes: (N, 4) frame pixels.
    """
    opened = part_of(clip, folder)
    some = np.unique(np.linspace(0, len(opened) - 1, SPECTRA).round().astype(int))
    return figures.spectrum_reference(region_of(opened[int(i)], region, _boxes[i]) for i in some)


class Traces:
    """The deep traces seen last, by what they are of: folder of the analysis, network, frame."""

    def __init__(self, most: int = DEEP):
        self._most = most
        self._held: OrderedDict[tuple[Path, str, int], Future[Trace]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path, network: str, frame: int, compute: Callable[[], Trace]) -> Trace:
        """The trace of a window; where it is not kept it is computed, once, whoever else asks meanwhile."""
        key, found = (folder, network, frame), Future[Trace]()
        with self._lock:
            known = self._held.get(key)
            self._hold(key, known or found)
        if known:
            return known.result()
        try:
            found.set_result(compute())
        except BaseException as error:
            found.set_exception(error)
            with self._lock:
                if self._held.get(key) is found:
                    del self._held[key]
        return found.result()

    def keep(self, folder: Path, network: str, frame: int, trace: Trace) -> None:
        """Keep a trace that was computed elsewhere."""
        found = Future[Trace]()
        found.set_result(trace)
        with self._lock:
            self._hold((folder, network, frame), found)

    def clear(self) -> None:
        """Keep none."""
        with self._lock:
            self._held.clear()

    def _hold(self, key: tuple[Path, str, int], trace: Future[Trace]) -> None:
        self._held[key] = trace
        self._held.move_to_end(key)
        while len(self._held) > self._most:
            self._held.popitem(last=False)


TRACES = Traces()


def deep_trace(clip: str, folder: Path, network: str, frame: int, box: np.ndarray) -> Trace:
    """Everything that one window showed, recomputed in some hundredths of a second: a few are kept.

    Args:
        clip: name in the library.
        folder: of the analysis that the window belongs to; it stands for clip and boxes where traces are kept.
        network: its name.
        frame: the key frame, an index into `part_of` the clip.
        box: (4,) that the window was cut by; frame pixels.
    """

    def compute() -> Trace:
        seen, chosen = part_of(clip, folder), run.load_network(network)
        shared = kept(folder, seen).shared(chosen, run.window_frames(seen, frame, chosen.frames), box)
        return run.deep_trace(seen, network, frame, box, "auto", shared)

    return TRACES.get(folder, network, frame, compute)


@st.cache_resource(max_entries=4, show_spinner=False)
def kept(folder: Path, _clip: Clip) -> Kept:
    """The frames of an analysed clip that passed a backbone last: a moved cursor adds one."""
    return Kept(_clip)


def region_of(frame: np.ndarray, region: str, box: np.ndarray) -> np.ndarray:
    """The "person", as cut out for the networks, (192, 144, 3), or the "whole frame"."""
    return crops.cut(frame, box) if region == PERSON else frame
