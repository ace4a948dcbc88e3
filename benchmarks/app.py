"""How fast the running app answers: `python -m benchmarks.app [rounds [page ...]]`, wants Chromium and Linux.

The sample clip, analysed before by two networks, for "Restored frame" by a third one too. For each page: how long the
server works on a moved cursor, from the message that tells it to the one that says that the script has ended; the
processor time that this takes, which other work on the machine hardly changes: of the script's own thread, which makes
the figures, and of the whole server, with networks that run beside it and with sending; and what is sent. The cursor
goes on by a frame, leaps by ten with a key, or is put where no key leads, some seconds after the page was opened; never
to a frame that was seen before. Then how long a new visitor waits until all that is in sight stands, in a window of
1280 x 800 pixels and in one as tall as the page, by the clock of a page that no debugger listens to; the scrubber's
frames per second, and the memory of the server after twenty changes of page that follow one full round.
"""

import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, Page, WebSocket, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.scrub import ARGUMENTS, CHROMIUM, ROOT, drawn_per_second, serve
from benchmarks.standing import PATIENCE, STANDS, stands_after, window

PAGES = {"Poses and spectra": ""} | {
    path.stem.replace("_", " ").capitalize(): path.stem for path in sorted((ROOT / "pages" / "inner").glob("*.py"))
}
TWO = ["spatial-video", "freq-video"]  # networks
THREE = [*TWO, "freq-deblur"]  # for "Restored frame"
FAR = (0.0, 0.095, 0.125, 0.255)  # of the clip, a visit: where neither a step nor a leap of a visit comes near
SERVED = "benchmarks.served"
TALL = 5000  # CSS pixels: more than any page has


class Listener:
    """What travels between a tab and the server once `begin` was called: times of asked and ended scripts, bytes."""

    def __init__(self, page: Page):
        self.asked = self.ended = 0.0
        self.bytes = 0
        self._begun = False
        page.on("websocket", self._listen)

    def begin(self) -> None:
        """Listen for the next script that is asked for."""
        self._begun, self.asked, self.ended = True, 0.0, 0.0

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, data: str | bytes) -> None:
        if self._begun and isinstance(data, bytes) and BackMsg.FromString(data).HasField("rerun_script"):
            self.asked, self.ended, self.bytes = time.perf_counter(), 0.0, 0

    def _received(self, data: str | bytes) -> None:
        self.bytes += len(data)
        if not self.asked or not isinstance(data, bytes):
            return
        if ForwardMsg.FromString(data).WhichOneof("type") == "script_finished":
            self.ended = time.perf_counter()

    def wait(self, page: Page) -> None:
        """Until the script that was asked for has ended."""
        until = time.perf_counter() + PATIENCE
        while not self.ended:
            page.wait_for_timeout(10)
            if time.perf_counter() > until:
                raise TimeoutError(f"no script has ended at {page.url} within {PATIENCE} s")


Moved = tuple[float, float, float, int]


def moved(page: Page, listener: Listener, move: Callable[[Page], None]) -> Moved:
    """Seconds until the script has ended, of processor time of script and server, and bytes for the cursor moved."""
    page.wait_for_timeout(1500)  # what trails behind
    spent, scripts = processor(server()), len(noted())
    listener.begin()
    move(page)
    listener.wait(page)
    spent = processor(server()) - spent
    page.wait_for_function(STANDS)
    page.wait_for_timeout(500)
    return listener.ended - listener.asked, sum(noted()[scripts:]) / 1e3, spent, listener.bytes


def noted() -> list[float]:
    """What each script took, as `benchmarks.served` notes it."""
    file = Path(os.environ["FREQVIZ_SCRIPTS"])
    return [float(line) for line in file.read_text(encoding="utf-8").split()] if file.is_file() else []


def press(key: str, page: Page) -> None:
    """Move the cursor by a key."""
    page.get_by_role("slider", name="Frame").first.press(key)


def put(share: float, page: Page) -> None:
    """Put the cursor on a share of the clip, with the mouse."""
    slider = page.get_by_role("slider", name="Frame").first
    timeline = page.locator(".timeline").count()
    place = (slider if timeline else slider.locator("xpath=../../..")).bounding_box()  # Streamlit's own lies within
    assert place is not None
    height = place["height"] - 8 if timeline else place["height"] / 2
    page.mouse.click(place["x"] + share * place["width"], place["y"] + height)


def opened(context: BrowserContext, address: str) -> tuple[Page, Listener]:
    """A new tab in which all in sight stands, and who listens there."""
    page = context.new_page()
    listener = Listener(page)
    page.goto(address)
    page.wait_for_function(STANDS, polling=200)
    return page, listener


def analyse(context: BrowserContext, address: str) -> None:
    """Have the clip analysed as a link says, and what is measured once for it."""
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Analysed").wait_for()
    page.get_by_role("link", name=re.compile("^Three claims")).click()
    page.wait_for_function(STANDS)
    page.close()


def processor(process: int) -> float:
    """Processor time of all threads so far, seconds, in steps of a hundredth."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> float:
    """Resident memory, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1e3


def server() -> int:
    """The process that serves: the child of this one."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and SERVED.encode() in (stat.parent / "cmdline").read_bytes():
                return int(stat.parent.name)
        except OSError:  # it has ended
            continue
    raise LookupError("no server among the children of this process")


def rounds_of_pages(page: Page, count: int) -> None:
    """Change the page so often, by the menu; the cursor goes along."""
    names = [*list(PAGES)[1:], next(iter(PAGES))]
    for turn in range(count):
        page.get_by_role("link", name=re.compile("^" + names[turn % len(names)])).click()
        page.wait_for_timeout(1000)
        page.wait_for_function(STANDS, arg=0)  # a page may have nothing to show of the network chosen


def told(moves: list[Moved]) -> str:
    """Cells of a table: processor time of script and server, least and median time by the clock, most that was sent."""
    seconds, own, spent, sent = zip(*moves, strict=True)
    times = median(own), median(spent), min(seconds), median(seconds)
    return " | ".join(f"{1e3 * value:.0f}" for value in times) + f" | {max(sent) / 1e3:.0f}"


def main(rounds: int = 15, *chosen: str) -> None:
    with TemporaryDirectory() as folder:
        os.environ["FREQVIZ_SCRIPTS"] = str(Path(folder) / "scripts")
        measured(Path(folder), rounds, {name: path for name, path in PAGES.items() if not chosen or path in chosen})


def measured(folder: Path, rounds: int, pages: dict[str, str]) -> None:
    with (
        serve(folder, folder / "server.log", SERVED) as address,
        window([CHROMIUM, *ARGUMENTS], address, 800) as plain,
        window([CHROMIUM, *ARGUMENTS], address, TALL) as tall,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(600_000)
        analyse(context, f"{address}?{urlencode({'networks': THREE}, doseq=True)}")
        lines = []
        for name, path in pages.items():
            third = path == "restored_frame"
            more = {"networks": THREE if third else TWO, "network": THREE[2] if third else TWO[1]}
            step, leap = ("ArrowRight", "PageUp" if path else "Shift+ArrowRight")
            waits, whole, found = [], [], dict[str, list[Moved]]()
            for visit in range(4):  # the first one fills the caches
                link = f"{address}{path}?{urlencode({'frame': 5 + 23 * visit, **more}, doseq=True)}"
                waits.append(stands_after(plain, link))
                page, listener = opened(context, link)
                if visit:
                    steps = [moved(page, listener, partial(press, step)) for _ in range(max(1, rounds // 3))]
                    found.setdefault("step", []).extend(steps)
                    found.setdefault("leap", []).append(moved(page, listener, partial(press, leap)))
                    found.setdefault("put", []).append(moved(page, listener, partial(put, FAR[visit])))
                page.close()
                whole.append(stands_after(tall, link))
            stood = f"{min(waits[1:]):.1f} | {median(waits[1:]):.1f} | {min(whole[1:]):.1f}"
            lines.append(f"| {name} | {' | '.join(map(told, found.values()))} | {stood} |")
            print(lines[-1], file=sys.stderr)
        page, _ = opened(context, f"{address}?{urlencode({'frame': 30, 'networks': THREE}, doseq=True)}")
        page.locator(".picture[data-frame='30']").wait_for()
        page.wait_for_timeout(2000)
        rate = max(drawn_per_second(page) for _ in range(3))
        rounds_of_pages(page, len(PAGES))
        before = memory(server())
        rounds_of_pages(page, 20)
        after = memory(server())
        browser.close()
    print(f"Sample clip, {max(3, rounds)} steps, 3 leaps, 3 places and 3 visits a page; goals: 100 ms, 300 kB, 2 s\n")
    words = "script's own ms | processor ms | clock ms, least | median | most kB"
    print(
        f"| page | a step: {words} | a leap: {words} | put far off: {words} | page stands, least s | median "
        "| with all figures, least s |"
    )
    print(f"|---{'|--:' * 18}|")
    print("\n".join(lines))
    print("\n| question | answer | goal |\n|---|--:|--:|")
    print(f"| frames drawn per second, best of 3 | {rate:.0f} | ≥ 30 |")
    grown = 100 * (after / before - 1)
    print(f"| memory after 20 changes of page, against after one round | {grown:+.1f} % of {before:.0f} MB | ≤ 5 % |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
