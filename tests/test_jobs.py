"""Do jobs run one after another, in turn between visitors, report, stop when asked, and leave their worker alive?"""

import platform
import threading
import time

import pytest

from freqviz import jobs
from freqviz.jobs import Cancelled, Patience, QueueFull, Visitor, Worker

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


def test_an_unforeseen_error_names_its_kind_and_the_job_and_keeps_its_stack_for_the_log(hand, caplog):
    ticket = hand.submit(lambda progress, cancelled, show: 1 / 0)
    assert ticket.wait(SOON)
    assert ticket.message == f"unexpected error (ZeroDivisionError); the server's log tells more under job {ticket.id}"
    (told,) = [record for record in caplog.records if record.exc_info]
    assert told.facts["job"] == ticket.id
    assert "division by zero" in caplog.text


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


class Someone:
    """A visitor who can leave and come back."""

    def __init__(self, name):
        self.there = True
        self.visitor = Visitor(name, lambda: self.there)


def done(word, heard):
    return lambda progress, cancelled, show: heard.append(word)


def test_visitors_are_served_in_turn_and_each_ones_jobs_keep_their_order(hand):
    gate, heard = threading.Event(), []
    hand.submit(until(gate), visitor=Visitor("first"))
    tickets = {word: hand.submit(done(word, heard), visitor=Visitor(word[0])) for word in ("a1", "a2", "a3", "b1")}
    tickets |= {word: hand.submit(done(word, heard), visitor=Visitor(word[0])) for word in ("c1", "c2")}
    assert [hand.ahead(tickets[word]) for word in ("a1", "b1", "c1", "a2", "c2", "a3")] == [1, 2, 3, 4, 5, 6]
    gate.set()
    assert all(ticket.wait(SOON) for ticket in tickets.values())
    assert heard == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_newcomers_do_not_keep_a_waiting_job_from_its_turn(hand):
    gate, heard = threading.Event(), []
    first = hand.submit(lambda *_: gate.wait(SOON), visitor=Visitor("a"))
    assert started(first) == jobs.RUNNING
    second = hand.submit(done("a again", heard), visitor=Visitor("a"))
    others = [hand.submit(done(f"newcomer {n}", heard), visitor=Visitor(f"newcomer {n}")) for n in range(3)]
    assert (hand.ahead(second), hand.ahead(others[0])) == (1, 2)
    gate.set()
    assert all(ticket.wait(SOON) for ticket in (second, *others))
    assert heard[0] == "a again"


def test_a_full_queue_says_how_many_wait_and_a_cancelled_one_makes_room():
    hand, gate = Worker("test", limit=3, each=2), threading.Event()
    assert started(hand.submit(until(gate))) == jobs.RUNNING
    a = [hand.submit(until(gate), visitor=Visitor("a")) for _ in range(2)]
    with pytest.raises(QueueFull, match="2 of your jobs wait for test already; cancel one, or try again"):
        hand.submit(until(gate), visitor=Visitor("a"))
    b = hand.submit(until(gate), visitor=Visitor("b"))
    with pytest.raises(QueueFull, match="3 jobs wait for test, and no more can; nothing was begun, try again"):
        hand.submit(until(gate), visitor=Visitor("c"))
    a[0].cancel()
    c = hand.submit(until(gate), visitor=Visitor("c"))
    assert (a[0].over, a[0].state) == (True, jobs.CANCELLED)
    gate.set()
    assert all(ticket.wait(SOON) and ticket.state == jobs.DONE for ticket in (a[1], b, c))


def test_a_waiting_job_is_dropped_once_all_its_visitors_have_left():
    hand, gate, heard = Worker("test", patience=Patience(waiting=0.05, running=SOON)), threading.Event(), []
    assert started(hand.submit(until(gate))) == jobs.RUNNING
    leaves, stays = Someone("leaves"), Someone("stays")
    alone = hand.submit(done("alone", heard), key="alone", visitor=leaves.visitor)
    shared = hand.submit(done("shared", heard), key="shared", visitor=leaves.visitor)
    assert hand.submit(done("never", heard), key="shared", visitor=stays.visitor) is shared
    assert (shared.others(leaves.visitor), shared.others(stays.visitor), alone.others(leaves.visitor)) == (1, 1, 0)
    leaves.there = False
    assert shared.others(stays.visitor) == 0
    assert alone.wait(SOON)
    assert (alone.state, alone.message) == (jobs.CANCELLED, jobs.LEFT)
    gate.set()
    assert shared.wait(SOON)
    assert heard == ["shared"]


def test_a_running_job_outlives_a_short_absence_and_not_a_long_one():
    hand, someone = Worker("test", patience=Patience(waiting=SOON, running=0.5)), Someone("a")
    ticket = hand.submit(until(threading.Event()), visitor=someone.visitor)
    assert started(ticket) == jobs.RUNNING
    for _ in range(4):  # away for .25 s, and back: more than .5 s in all
        someone.there = False
        assert not ticket.wait(0.2)
        someone.there = True
        assert not ticket.wait(0.3)
    someone.there = False
    assert ticket.wait(SOON)
    assert (ticket.state, ticket.message) == (jobs.CANCELLED, jobs.LEFT)


def test_jobs_of_the_server_itself_are_never_left_alone():
    hand = Worker("test", patience=Patience(waiting=0.05, running=0.05))
    ticket = hand.submit(lambda progress, cancelled, show: time.sleep(0.3) or cancelled())
    waiting = hand.submit(lambda progress, cancelled, show: "done")
    assert waiting.wait(SOON)
    assert (ticket.result, waiting.result) == (False, "done")


def test_the_time_left_counts_from_where_the_job_began(hand):
    go = threading.Event()

    def work(progress, cancelled, show):
        progress(800, 1000)  # an earlier one came so far
        progress(900, 1000)
        go.wait(SOON)

    ticket = hand.submit(work)
    deadline = time.monotonic() + SOON
    while ticket.done < 900 and time.monotonic() < deadline:
        time.sleep(0.002)
    assert ticket.left == pytest.approx(ticket.seconds, rel=0.5, abs=0.05)
    go.set()
    assert ticket.wait(SOON)


def test_an_error_of_a_file_names_the_file_and_not_its_folder(hand, tmp_path):
    ticket = hand.submit(lambda progress, cancelled, show: (tmp_path / "secret" / "clip.mp4").read_bytes())
    assert ticket.wait(SOON)
    assert (ticket.message, ticket.kind) == ("No such file or directory: clip.mp4", "FileNotFoundError")


def test_the_log_tells_of_each_job_under_the_id_that_its_visitor_sees(hand, caplog):
    caplog.set_level("INFO", "freqviz.jobs")
    ticket = hand.submit(
        lambda progress, cancelled, show: progress(3, 4), label="walk.mp4", visitor=Visitor("a secret")
    )
    assert ticket.wait(SOON)
    told = [record.facts | {"what": record.getMessage()} for record in caplog.records]
    assert [one["what"] for one in told] == ["job waiting", "job running", "job done"]
    assert {(one["job"], one["label"], one["device"]) for one in told} == {(ticket.id, "walk.mp4", "test")}
    assert (told[2]["done"], told[2]["total"]) == ("3", "4")
    assert "a secret" not in str(told)


def test_each_device_has_one_worker():
    assert jobs.worker("cpu") is jobs.worker("cpu")
    assert jobs.worker("cpu") is not jobs.worker("another")


def test_freed_memory_is_kept_where_the_library_can_be_told():
    assert jobs.keep_memory() == (platform.libc_ver()[0] == "glibc")


def test_a_thread_of_its_own_gives_what_the_work_gives_and_ends(hand):
    seen = list[threading.Thread]()
    assert jobs.in_own_thread(lambda: seen.append(threading.current_thread()) or 7) == 7
    assert seen[0] is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        jobs.in_own_thread(lambda: 1 / 0)
    for _ in range(2):
        hand.submit(lambda *_: seen.append(threading.current_thread())).wait(20)
    assert len(set(seen)) == 3, "the helpers of OpenMP would stay as long as a thread that lives on"
    seen[0].join(20)
    assert not seen[0].is_alive()
