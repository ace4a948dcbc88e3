"""Does the server serve eight visitors at once? `python -m benchmarks.visitors [--minutes 5] [--jobs 200]`.

Two real browsers and six clients that speak the page's protocol work at the same time, each with a clip of its own
size, loaded beforehand. A visitor opens a link with a box that nobody had before, presses Run, and waits for the
result; now and then he cancels, closes the tab, or asks for a second run before the first is done. Each job must end
with its figures, or with a sentence. The size of the clip in every sentence that a visitor reads must be that of his
own. The memory of the server at the end is compared with that after one full round: three jobs of each visitor.
"""

import argparse
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode, urlparse

import numpy as np
from playwright.sync_api import Error, Page, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from benchmarks.scrub import ARGUMENTS, CHROMIUM, ROOT, serve
from freqviz.video import write_video

BROWSERS, CLIENTS, ROUND = 2, 6, 3
PATIENCE = 300.0  # seconds that a job may take on a busy machine; longer is a failure
SIZE = re.compile(r"frames(?: \([\d to]+\))? of (\d+) × (\d+) pixels")
STANDS = re.compile(r"^(Run|Running …|Analysed)$")
ANSWERED = re.compile(r"jobs wait for|of your jobs wait|The run stopped|Cancelled|Stopped, since")


@dataclass
class Client:
    """A visitor who speaks the protocol of the page and draws nothing: what is on the page, by its place."""

    address: str
    query: str
    socket: ClientConnection = field(init=False)
    held: ExitStack = field(default_factory=ExitStack)
    page: str = ""
    elements: dict[tuple[int, ...], tuple[str, Any]] = field(default_factory=dict)  # fragment, element
    polled: str = ""  # fragment that asks to be run again and again

    def __post_init__(self) -> None:
        where = f"ws://{urlparse(self.address).netloc}/_stcore/stream"
        opening = connect(where, subprotocols=["streamlit"], max_size=None, open_timeout=PATIENCE)  # type: ignore[list-item]
        self.socket = self.held.enter_context(opening)
        self.run()

    def run(self, press: str = "", fragment: str = "") -> None:
        """Have the script run, with a button pressed; wait until it has ended."""
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self.query, self.page
        asked.fragment_id, asked.is_auto_rerun = fragment, bool(fragment)
        if press:
            state = asked.widget_states.widgets.add()
            state.id, state.trigger_value = press, True
        self.socket.send(message.SerializeToString())
        touched: set[tuple[int, ...]] = set()
        while True:
            told = ForwardMsg.FromString(self.socket.recv(PATIENCE))  # type: ignore[arg-type]
            kind = told.WhichOneof("type")
            if kind == "new_session":
                self.page, touched = told.new_session.page_script_hash, set()
                if not fragment:
                    self.polled = ""
            elif kind == "page_info_changed":
                self.query = told.page_info_changed.query_string
            elif kind == "auto_rerun":
                self.polled = told.auto_rerun.fragment_id
            elif kind == "delta":
                place = tuple(told.metadata.delta_path)
                touched.add(place)
                if told.delta.HasField("new_element"):
                    self.elements[place] = told.delta.fragment_id, told.delta.new_element
                else:
                    self.elements.pop(place, None)
            elif kind == "script_finished":
                if told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    fragment = ""  # all of the page follows
                    continue
                stale = {place for place, (of, _) in self.elements.items() if not fragment or of == fragment} - touched
                for place in stale:
                    del self.elements[place]
                return

    def words(self) -> str:
        """Everything that the page says."""
        said = []
        for _, one in self.elements.values():
            kind = one.WhichOneof("type")
            if kind in ("markdown", "alert"):
                said.append(getattr(one, kind).body)
            elif kind in ("progress", "text"):
                said.append(getattr(one, kind).text if kind == "progress" else one.text.body)
            elif kind == "exception":
                said.append(f"EXCEPTION {one.exception.type}")
        return "\n".join(said)

    def figures(self) -> int:
        return sum(one.bidi_component.component_name.endswith("figure") for _, one in self.elements.values())

    def press(self, label: str) -> bool:
        """Press a button; False where there is none that can be."""
        for _, one in list(self.elements.values()):
            if one.WhichOneof("type") == "button" and one.button.label == label and not one.button.disabled:
                self.run(one.button.id)
                return True
        return False

    def look(self) -> None:
        """Let half a second go by, and run what asks for it."""
        time.sleep(0.5)
        self.run(fragment=self.polled)

    def close(self) -> None:
        self.held.close()


@dataclass
class Browser:
    """A visitor with a real browser, seen as a `Client` is."""

    page: Page
    address: str
    query: str

    def __post_init__(self) -> None:
        self.page.goto(f"{self.address}?{self.query}")
        self.page.get_by_role("button", name=STANDS).wait_for()  # it comes last: on a busy machine long after the rest
        self._rest()

    def _rest(self) -> None:
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stSidebar]') && !document.querySelector('.stStatusWidget')"
        )

    def words(self) -> str:
        kinds = ("stMarkdown", "stAlert", "stCaptionContainer", "stProgress", "stException")
        return "\n".join(self.page.locator(", ".join(f"[data-testid={one}]" for one in kinds)).all_inner_texts())

    def figures(self) -> int:
        return self.page.locator(".figure").count()

    def press(self, label: str) -> bool:
        button = self.page.get_by_role("button", name=label, exact=True)
        if not button.count() or not button.first.is_enabled():
            return False
        try:
            button.first.click(timeout=5000)
        except Error:  # gone meanwhile
            return False
        self.page.wait_for_timeout(300)
        self._rest()
        return True

    def look(self) -> None:
        self.page.wait_for_timeout(500)

    def close(self) -> None:
        self.page.goto("about:blank")


@dataclass
class Tally:
    """What became of the jobs of all visitors."""

    until: Callable[[int], bool]  # told how many jobs were begun: whether to stop
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    first_rounds: int = 0

    def more(self) -> bool:
        with self.lock:
            if self.until(self.begun):
                return False
            self.begun += 1
            return True

    def end(self, how: str) -> None:
        with self.lock:
            self.ended[how] += 1

    def complain(self, what: str) -> None:
        with self.lock:
            self.wrong.append(what)


def size_of(visitor: int) -> tuple[int, int]:
    """Width and height of a visitor's clip: nobody else's has them."""
    return 256 + 32 * visitor, 192 + 16 * visitor


def load_clips(clips: Path, visitors: int, frames: int) -> list[str]:
    """A clip for each visitor, as if it had been uploaded; their names."""
    clips.mkdir(parents=True)
    names = []
    for visitor in range(visitors):
        width, height = size_of(visitor)
        ground = np.random.default_rng(visitor).integers(0, 255, (height // 4, width // 4, 3), np.uint8)
        picture = ground.repeat(4, 0).repeat(4, 1)
        made = write_video(clips / "made.mp4", (np.roll(picture, 3 * t, 1) for t in range(frames)), 25)
        digest = sha256(made.read_bytes()).hexdigest()[:8]
        names.append(made.rename(clips / f"visitor{visitor}-{digest}.mp4").name)
    return names


def visit(number: int, name: str, opened: Callable[[str], Client | Browser], tally: Tally) -> None:
    """Job after job, until it is enough."""
    rng, own = random.Random(number), size_of(number)
    for job in range(10**6):
        if not tally.more():
            return
        link = urlencode({"clip": name, "box": f"{20 + job % 60},{15 + job // 60},{90 + number},140"})
        act = "wait" if job == 0 else rng.choices(("wait", "cancel", "leave", "two"), (6, 1, 1, 1))[0]
        try:
            how = one_job(opened, link, act, own, tally, f"visitor {number}, job {job}")
        except Exception as error:  # the tally tells; the other visitors go on
            tally.complain(f"visitor {number}, job {job} ({act}): {type(error).__name__}: {error}"[:400])
            how = "broken"
        tally.end(how)
        if job + 1 == ROUND:
            with tally.lock:
                tally.first_rounds += 1


def one_job(
    opened: Callable[[str], Client | Browser], link: str, act: str, own: tuple[int, int], tally: Tally, who: str
) -> str:
    """Run a job to its end, or act otherwise; how it ended."""
    page = opened(link)
    try:
        if not page.press("Run"):
            tally.complain(f"{who}: no Run to press: {page.words()[-200:]!r}")
            return "broken"
        if act == "leave":
            page.close()
            time.sleep(1)
            page = opened(link)
        if act == "two":  # another box, before this one is done
            page.close()
            page = opened(link.replace("%2C140", "%2C139"))
            page.press("Run")
        until, pressed = time.monotonic() + PATIENCE, False
        while time.monotonic() < until:
            words = page.words()
            if foreign := [found for found in SIZE.findall(words) if tuple(map(int, found)) != own]:
                tally.complain(f"{who}: sees a clip of {foreign}")
                return "broken"
            if "EXCEPTION" in words or "Something went wrong" in words:
                tally.complain(f"{who}: {words[-300:]!r}")
                return "broken"
            if SIZE.search(words) and "Analysed on" in words and page.figures() >= 5:
                return "finished"
            if found := ANSWERED.search(words):
                return "cancelled" if found[0] == "Cancelled" else f"answered: {found[0]}"
            if act == "cancel" and not pressed:
                pressed = page.press("Cancel")
            page.look()
        tally.complain(f"{who} ({act}): no end within {PATIENCE:.0f} s: {page.words()[-300:]!r}")
        return "broken"
    finally:
        page.close()


def in_browser(number: int, name: str, address: str, tally: Tally) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1e3 * PATIENCE)
        visit(number, name, lambda link: Browser(page, address, link), tally)
        browser.close()


def process_of(address: str) -> int:
    """The server at an address: the child of this process that was told its port."""
    port = str(urlparse(address).port).encode()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and port in (stat.parent / "cmdline").read_bytes().split(b"\0"):
                return int(stat.parent.name)
        except OSError:  # it has ended
            continue
    raise LookupError("no server among the children of this process")


def resident(process: int) -> float:
    """Memory, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1e3


def measure(
    folder: Path, until: Callable[[int], bool], browsers: int = BROWSERS, clients: int = CLIENTS, frames: int = 24
) -> tuple[Tally, float, float]:
    """Let them all in until it is enough.

    Returns:
        What became of the jobs; memory of the server after one full round (0: there was none) and at the end, MB.
    """
    tally, visitors, after_round = Tally(until), browsers + clients, 0.0
    names = load_clips(folder / "runs" / "clips", visitors, frames)
    with serve(folder / "runs", folder / "log", "streamlit", "run", str(ROOT / "serve.py")) as address:
        process = process_of(address)

        def as_client(number: int) -> None:
            visit(number, names[number], lambda link: Client(address, link), tally)

        threads = [threading.Thread(target=in_browser, args=(n, names[n], address, tally)) for n in range(browsers)]
        threads += [threading.Thread(target=as_client, args=(n,)) for n in range(browsers, visitors)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            if not after_round and tally.first_rounds == visitors:
                after_round = resident(process)
        return tally, after_round, resident(process)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--minutes", type=float, default=5)
    asked.add_argument("--jobs", type=int, default=0, help="so many jobs instead of minutes: a soak")
    given = asked.parse_args()
    start = time.monotonic()
    until = (
        (lambda begun: begun >= given.jobs)
        if given.jobs
        else (lambda begun: time.monotonic() - start > 60 * given.minutes)
    )
    with TemporaryDirectory() as folder:
        tally, after_round, at_end = measure(Path(folder), until)
        log = [line for file in Path(folder).glob("runs/log/*") for line in file.read_text().splitlines()]
    minutes = (time.monotonic() - start) / 60
    print(f"{BROWSERS} browsers and {CLIENTS} clients, {minutes:.1f} minutes, {sum(tally.ended.values())} jobs\n")
    print("| question | answer | goal |\n|---|--:|--:|")
    for how, count in sorted(tally.ended.items()):
        print(f"| jobs {how} | {count} | {'0' if how == 'broken' else ''} |")
    print(f"| results shown to the wrong visitor | {sum('sees a clip' in one for one in tally.wrong)} | 0 |")
    print(f"| stacks in the log | {sum('stack' in line for line in log)} | 0 |")
    grown = 100 * (at_end / after_round - 1) if after_round else float("nan")
    print(f"| memory at the end, against after one full round | {grown:+.1f} % of {after_round:.0f} MB | ≤ 10 % |")
    for one in tally.wrong:
        print(one, file=sys.stderr)
    sys.exit(bool(tally.wrong))


if __name__ == "__main__":
    main()
