"""Work of seconds beside the page: one worker thread per device, a ticket for each job.

A job is a function of `progress`, `cancelled` and `show`; it reports (done, total), shows the newest part of its
result while it goes on, and stops between chunks by raising `Cancelled` when asked. Knows no Streamlit and no
network.
"""

import ctypes
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[int, int], None]
Show = Callable[[Any], None]
Work = Callable[[Progress, Callable[[], bool], Show], Any]

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


class Cancelled(Exception):
    """The work was asked to stop, and did."""


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


@dataclass(eq=False)
class Ticket:
    """How a job stands; read by anyone, changed by its worker."""

    label: str
    key: str
    state: str = WAITING
    done: int = 0
    total: int = 0
    message: str = ""  # why it failed, one sentence
    newest: Any = None  # what the job showed last, replaced whole; None before, and when it is over
    result: Any = None
    started: float = field(default=0.0)  # time.monotonic(); 0 before
    finished: float = field(default=0.0)
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

    def cancel(self) -> None:
        """Ask the job to stop; a waiting one never starts."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until the job is over; False when the time ran out first."""
        return self._over.wait(seconds)


class Worker:
    """One thread that does one job after another, so that one device serves all visitors in turn."""

    def __init__(self, device: str):
        self.device = device
        self._queue: queue.SimpleQueue[tuple[Ticket, Work]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open: list[Ticket] = []
        self._numbers = itertools.count(1)
        threading.Thread(target=self._serve, name=f"worker {device}", daemon=True).start()

    def submit(self, work: Work, label: str = "", key: str = "") -> Ticket:
        """Put a job into the queue.

        Args:
            work: called with (progress, cancelled, show); what it returns becomes `ticket.result`.
            label: for people.
            key: of the result. While a job of the same key is waiting or running its ticket is returned and
                `work` dropped; a cancelled one does not count.
        """
        with self._lock:
            for ticket in self._open:
                if key and ticket.key == key and not ticket._stop.is_set():
                    return ticket
            ticket = Ticket(label, key or f"job {next(self._numbers)}")
            self._open.append(ticket)
        self._queue.put((ticket, work))
        return ticket

    def ahead(self, ticket: Ticket) -> int:
        """Jobs before this one, the running one included; 0 when it runs or is over."""
        with self._lock:
            return self._open.index(ticket) if ticket in self._open else 0

    def _serve(self) -> None:
        while True:
            ticket, work = self._queue.get()
            self._run(ticket, work)
            with self._lock:
                self._open.remove(ticket)
            ticket.finished, ticket.newest = time.monotonic(), None
            ticket._over.set()
            del ticket, work  # the thread must not keep a result alive while it waits

    def _run(self, ticket: Ticket, work: Work) -> None:
        def progress(done: int, total: int) -> None:
            ticket.done, ticket.total = done, total

        def show(newest: Any) -> None:
            ticket.newest = newest

        if ticket._stop.is_set():
            ticket.state = CANCELLED
            return
        ticket.state, ticket.started = RUNNING, time.monotonic()
        try:
            ticket.result = work(progress, ticket._stop.is_set, show)
            ticket.state = DONE
        except Cancelled:
            ticket.state = CANCELLED
        except Exception as error:  # a job must not take its worker down
            text = str(error).strip() or type(error).__name__
            ticket.message = (
                text if isinstance(error, ValueError | LookupError | OSError) else f"{type(error).__name__}: {text}"
            )
            ticket.state = FAILED


_workers: dict[str, Worker] = {}
_workers_lock = threading.Lock()


def worker(device: str) -> Worker:
    """The worker of a device, started when first asked for."""
    with _workers_lock:
        if device not in _workers:
            _workers[device] = Worker(device)
        return _workers[device]
