"""Do jobs run one after another, report, stop when asked, and leave their worker alive?"""

import platform
import threading
import time

import pytest

from freqviz import jobs
from freqviz.jobs import Cancelled, Worker

SOON = 10  # seconds that a loaded machine may need


@pytest.fixture
def hand():
    return Worker("test")


def until(event):
    """Work that waits for `event`, looking for a wish to cancel."""

    def work(progress, cancelled, show):
        progress(1, 4)
        while not event.is_set():
            if cancelled():
                raise Cancelled
            time.sleep(0.002)
        return "late"

    return work


def started(ticket):
    deadline = time.monotonic() + SOON
    while ticket.state == jobs.WAITING and time.monotonic() < deadline:
        time.sleep(0.002)
    return ticket.state


def test_a_job_gives_its_result_and_its_progress(hand):
    ticket = hand.submit(lambda progress, cancelled, show: progress(3, 4) or 42)
    assert ticket.wait(SOON)
    assert (ticket.state, ticket.result, ticket.fraction, ticket.message) == (jobs.DONE, 42, 0.75, "")
    assert ticket.seconds >= 0


def test_what_a_job_shows_is_seen_while_it_runs_and_let_go_when_it_is_over(hand):
    gate, shown = threading.Event(), threading.Event()

    def work(progress, cancelled, show):
        for part in ("first", "second"):
            show(part)
        shown.set()
        gate.wait(SOON)

    ticket = hand.submit(work)
    assert shown.wait(SOON)
    assert ticket.newest == "second"
    gate.set()
    assert ticket.wait(SOON)
    assert ticket.newest is None


def test_jobs_of_one_worker_do_not_overlap(hand):
    gate, running, most = threading.Event(), [], []

    def work(progress, cancelled, show):
        running.append(1)
        most.append(len(running))
        gate.wait(SOON)
        running.pop()

    tickets = [hand.submit(work) for _ in range(3)]
    assert hand.ahead(tickets[2]) == 2
    gate.set()
    assert all(ticket.wait(SOON) for ticket in tickets)
    assert most == [1, 1, 1]
    assert hand.ahead(tickets[2]) == 0


def test_a_running_job_stops_when_asked(hand):
    ticket = hand.submit(until(threading.Event()))
    assert started(ticket) == jobs.RUNNING
    ticket.cancel()
    assert ticket.wait(SOON)
    assert (ticket.state, ticket.result) == (jobs.CANCELLED, None)


def test_a_waiting_job_that_is_cancelled_never_starts(hand):
    gate, touched = threading.Event(), []
    hand.submit(until(gate))
    second = hand.submit(lambda progress, cancelled, show: touched.append(1))
    second.cancel()
    gate.set()
    assert second.wait(SOON)
    assert (second.state, touched) == (jobs.CANCELLED, [])


def test_an_error_becomes_a_message_and_the_worker_goes_on(hand):
    def fail(progress, cancelled, show):
        raise ValueError("box must be four numbers, got 3")

    bad = hand.submit(fail)
    good = hand.submit(lambda progress, cancelled, show: "still here")
    assert good.wait(SOON)
    assert (bad.state, bad.message) == (jobs.FAILED, "box must be four numbers, got 3")
    assert good.result == "still here"


def test_an_unforeseen_error_names_its_kind(hand):
    ticket = hand.submit(lambda progress, cancelled, show: 1 / 0)
    assert ticket.wait(SOON)
    assert ticket.message == "ZeroDivisionError: division by zero"


def test_a_second_wish_for_the_same_key_gets_the_same_ticket(hand):
    gate = threading.Event()
    first = hand.submit(until(gate), key="a")
    assert hand.submit(until(gate), key="a") is first
    assert hand.submit(until(gate), key="b") is not first
    assert hand.submit(until(gate)) is not hand.submit(until(gate))
    gate.set()
    assert first.wait(SOON)
    again = hand.submit(lambda progress, cancelled, show: "new", key="a")
    assert again is not first


def test_a_cancelled_job_does_not_stand_in_for_a_new_one(hand):
    gate = threading.Event()
    first = hand.submit(until(gate), key="a")
    first.cancel()
    second = hand.submit(lambda progress, cancelled, show: "new", key="a")
    assert second is not first
    assert second.wait(SOON)
    assert (first.state, second.result) == (jobs.CANCELLED, "new")


def test_each_device_has_one_worker():
    assert jobs.worker("cpu") is jobs.worker("cpu")
    assert jobs.worker("cpu") is not jobs.worker("another")


def test_freed_memory_is_kept_where_the_library_can_be_told():
    assert jobs.keep_memory() == (platform.libc_ver()[0] == "glibc")
