"""Work of seconds beside the page: one worker thread per device, a ticket for each job, visitors served in turn.

A job is a function of `progress`, `cancelled` and `show`; it reports (done, total), shows the newest part of its
result while it goes on, and stops between chunks by raising `Cancelled` when asked. Knows no Streamlit and no
network.

A job is dropped when everyone who asked for it has been away for a while: see `Patience`. What is kept of it then is
the job's own affair.
"""

import ctypes
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

Progress = Callable[[int, int], None]
Show = Callable[[Any], None]
Work = Callable[[Progress, Callable[[], bool], Show], Any]
Value = TypeVar("Value")

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
LIMIT, EACH = 32, 4  # jobs that wait for a device: in all, of one visitor
LEFT = "nobody waited for it any more"  # message of a job that was dropped
_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The work was asked to stop, and did."""


class QueueFull(OSError):
    """As many jobs wait as may; one sentence for the visitor."""


class OutOfMemory(OSError):
    """The device has no room even for the smallest step; one sentence for the visitor."""


def silent(done: int, total: int) -> None:
    """Progress that nobody hears."""


def unseen(newest: Any) -> None:
    """A newest part that nobody looks at."""


def never() -> bool:
    """A wish to cancel that nobody has."""
    return False


def keep_memory() -> bool:
    """Let this process keep freed memory for its next large arrays; call it once, at the start of a command or server.

    By default the C library hands large blocks back at once and the kernel clears them again at the next use: for
    batches of feature maps that was a fifth of all time. Up to 512 MB stay with the process.

    Returns:
        Whether the C library here (glibc) could be told.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc
        return False
    trim, whole = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    return bool(tell(trim, 512 << 20) and tell(whole, 1 << 30))


def in_own_thread(work: Callable[[], Value]) -> Value:
    """What some work gives, done in a thread that ends with it; call it where the calling thread lives on.

    OpenMP keeps helpers for every thread that has computed something, for as long as that thread lives. Once there
    are more of them than processors, GNU's lets none wait actively for the next sum, and a network takes twice as
    long.

    Raises:
        BaseException: as the work.
    """
    found = Future[Value]()

    def do() -> None:
        try:
            found.set_result(work())
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return found.result()


@dataclass(frozen=True)
class Visitor:
    """Who asks for jobs.

    Attributes:
        name: tells visitors apart; "" is the server itself.
        here: whether the visitor's page is open; called from any thread.
    """

    name: str = ""
    here: Callable[[], bool] = field(default=lambda: True, compare=False)


SERVER = Visitor()


@dataclass(frozen=True)
class Patience:
    """How long after the last sign of all its visitors a job is dropped; seconds."""

    waiting: float = 60.0
    running: float = 600.0  # a tab may be closed and opened again, and short runs end in that time


@dataclass(eq=False)
class Ticket:
    """How a job stands; read by anyone, changed by its worker."""

    label: str
    key: str
    device: str = ""
    id: str = field(default_factory=lambda: uuid4().hex[:8])  # in the log, and told to the visitor
    state: str = WAITING
    done: int = 0
    total: int = 0
    begun: int = 0  # what was done when it began: a job may go on from where an earlier one stopped
    message: str = ""  # why it failed or was dropped, one sentence
    kind: str = ""  # name of the error's class
    newest: Any = None  # what the job showed last, replaced whole; None before, and when it is over
    result: Any = None
    started: float = field(default=0.0)  # time.monotonic(); 0 before
    finished: float = field(default=0.0)
    _visitors: dict[Visitor, float] = field(default_factory=dict, repr=False)  # and their last sign
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def over(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self._over.is_set()

    @property
    def fraction(self) -> float:
        """Part done, 0 ... 1; 0 while unknown."""
        return self.done / self.total if self.total else 0.0

    @property
    def seconds(self) -> float:
        """Running time so far; 0 while it waits."""
        return (self.finished or time.monotonic()) - self.started if self.started else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that it will still take at its speed so far; None while unknown."""
        done = self.done - self.begun
        return self.seconds * (self.total - self.done) / done if done > 0 else None

    def join(self, visitor: Visitor) -> None:
        """Someone waits for this job too: it is not dropped while any of its visitors is here."""
        self._visitors[visitor] = time.monotonic()

    def others(self, visitor: Visitor) -> int:
        """How many other visitors who wait for it are here."""
        return sum(one != visitor and one.here() for one in tuple(self._visitors))

    def cancel(self) -> None:
        """Ask the job to stop; a waiting one never starts."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until the job is over; False when the time ran out first."""
        return self._over.wait(seconds)

    def _left_alone(self, patience: float) -> bool:
        """Whether all its visitors have been away for so many seconds, as far as it was looked."""
        now = time.monotonic()
        for visitor in tuple(self._visitors):
            if visitor.here():
                self._visitors[visitor] = now
        return all(now - seen > patience for seen in tuple(self._visitors.values()))

    def _end(self, state: str, message: str = "", kind: str = "") -> None:
        self.state, self.message, self.kind = state, message, kind
        self.finished, self.newest = time.monotonic(), None
        self._say(state, logging.WARNING if state == FAILED else logging.INFO)
        self._over.set()

    def _say(self, what: str, level: int = logging.INFO) -> None:
        facts = {"job": self.id, "device": self.device, "label": self.label, "key": self.key}
        if self.over or self.finished:
            facts |= {"seconds": f"{self.seconds:.3f}", "done": str(self.done), "total": str(self.total)}
            facts |= {"said": self.message} if self.message else {}
        _log.log(level, "job %s", what, extra={"facts": facts})


class Worker:
    """One thread that does one job after another, so that one device serves all visitors in turn.

    Each visitor's jobs keep their order; between visitors they are taken in turn, one job each.

    Args:
        device: name for people.
        limit: jobs that may wait.
        each: of them, jobs of one visitor; the server's own are counted in `limit` only.
        patience: with visitors who are away.
    """

    def __init__(self, device: str, limit: int = LIMIT, each: int = EACH, patience: Patience | None = None):
        self.device, self._limit, self._each = device, limit, each
        self._patience = patience or Patience()
        self._lock = threading.Condition()
        self._queues: dict[str, deque[tuple[Ticket, Work]]] = {}  # by visitor; the first one's turn is next
        self._running: Ticket | None = None
        self._numbers = itertools.count(1)
        threading.Thread(target=self._serve, name=f"worker {device}", daemon=True).start()

    def submit(self, work: Work, label: str = "", key: str = "", visitor: Visitor = SERVER) -> Ticket:
        """Put a job into the queue.

        Args:
            work: called with (progress, cancelled, show); what it returns becomes `ticket.result`.
            label: for people.
            key: of the result. While a job of the same key is waiting or running its ticket is returned and
                `work` dropped; a cancelled one does not count.
            visitor: whose turn it takes.
        Raises:
            QueueFull: too many wait, in all or of this visitor; nothing was put in.
        """
        with self._lock:
            self._sweep()
            for ticket in self._open():
                if key and ticket.key == key and not ticket._stop.is_set():
                    ticket.join(visitor)
                    return ticket
            waiting, own = len(list(self._waiting())), len(self._queues.get(visitor.name, ()))
            if visitor.name and own >= self._each:
                raise QueueFull(
                    f"{own} of your jobs wait for {self.device} already; cancel one, or try again when one is done"
                )
            if waiting >= self._limit:
                raise QueueFull(
                    f"{waiting} jobs wait for {self.device}, and no more can; nothing was begun, try again in a minute"
                )
            ticket = Ticket(label, key or f"job {next(self._numbers)}", self.device)
            ticket.join(visitor)
            self._queues.setdefault(visitor.name, deque()).append((ticket, work))
            ticket._say(WAITING)
            self._lock.notify()
        return ticket

    @property
    def busy(self) -> bool:
        """Whether a job is running or waiting."""
        with self._lock:
            return next(self._open(), None) is not None

    def ahead(self, ticket: Ticket) -> int:
        """Jobs that come before this one, the running one included; 0 when it runs or is over.

        A visitor who comes now and has no job yet may still come before the second job of another one.
        """
        with self._lock:
            self._sweep()
            line = list(self._open())
            return line.index(ticket) if ticket in line else 0

    def _open(self) -> Iterator[Ticket]:
        """The running job, and those that wait in the order of their turns."""
        if self._running is not None:
            yield self._running
        yield from self._waiting()

    def _waiting(self) -> Iterator[Ticket]:
        for turn in itertools.zip_longest(*self._queues.values()):
            yield from (one[0] for one in turn if one is not None)

    def _sweep(self) -> None:
        """Take those out of the queue that were cancelled, and those that nobody waits for."""
        for name, queue in list(self._queues.items()):
            for one in list(queue):
                ticket = one[0]
                alone = ticket._left_alone(self._patience.waiting)
                if alone or ticket._stop.is_set():
                    queue.remove(one)
                    ticket._end(CANCELLED, "" if ticket._stop.is_set() else LEFT)
            if not queue:
                del self._queues[name]

    def _next(self) -> tuple[Ticket, Work]:
        """The job whose turn it is; waits for one."""
        with self._lock:
            self._running = None
            while True:
                self._sweep()
                if self._queues:
                    break
                self._lock.wait()
            name, queue = next(iter(self._queues.items()))
            ticket, work = queue.popleft()
            del self._queues[name]
            if queue:
                self._queues[name] = queue  # behind the others
            self._running = ticket
            return ticket, work

    def _serve(self) -> None:
        while True:
            ticket, work = self._next()
            ended = in_own_thread(partial(self._run, ticket, work))
            with self._lock:
                self._running = None
            ticket._end(*ended)
            del ticket, work  # the thread must not keep a result alive while it waits

    def _run(self, ticket: Ticket, work: Work) -> tuple[str, str, str]:
        """Do a job: its state, message and kind of error."""
        told, looked = False, 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if not told:
                told, ticket.begun = True, done
            ticket.done, ticket.total = done, total

        def show(newest: Any) -> None:
            ticket.newest = newest

        def cancelled() -> bool:
            nonlocal looked
            if ticket._stop.is_set():
                return True
            if time.monotonic() - looked > 0.2:
                with self._lock:
                    self._sweep()
                if ticket._left_alone(self._patience.running):
                    ticket.message = LEFT
                    ticket._stop.set()
                looked = time.monotonic()
            return ticket._stop.is_set()

        ticket.state, ticket.started = RUNNING, time.monotonic()
        ticket._say(RUNNING)
        try:
            ticket.result = work(progress, cancelled, show)
            return DONE, "", ""
        except Cancelled:
            return CANCELLED, ticket.message, ""
        except Exception as error:  # a job must not take its worker down
            kind = type(error).__name__
            if isinstance(error, ValueError | LookupError | OSError):
                return FAILED, said(error), kind
            _log.exception("job failed unexpectedly", extra={"facts": {"job": ticket.id, "label": ticket.label}})
            return FAILED, f"unexpected error ({kind}); the server's log tells more under job {ticket.id}", kind


def said(error: Exception) -> str:
    """What an error says, for a visitor: of a file its name and not where it lies."""
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str):
        return f"{error.strerror}: {Path(error.filename).name}"
    return str(error).strip() or type(error).__name__


_workers: dict[str, Worker] = {}
_workers_lock = threading.Lock()


def worker(device: str, limit: int = LIMIT, each: int = EACH) -> Worker:
    """The worker of a device, started when first asked for; `limit` and `each` count then."""
    with _workers_lock:
        if device not in _workers:
            _workers[device] = Worker(device, limit, each)
        return _workers[device]


def working() -> bool:
    """Whether a job is running or waiting, on whatever device."""
    with _workers_lock:
        held = list(_workers.values())
    return any(one.busy for one in held)
