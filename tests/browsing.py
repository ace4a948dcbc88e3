"""The browser and the servers that the browser tests drive, and how they wait: a plugin of pytest, see conftest.py.

A server is a process of its own; most tests share one that has analysed the sample clip.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START = 120  # seconds for a start that analyses the sample clip
PATIENCE = 60_000  # milliseconds; idle machines need a few hundred
TALL = 12000  # CSS pixels: more than any page has, on a phone too
expect.set_options(timeout=PATIENCE)
LARGEST_STEP = 300_000  # bytes that a moved cursor may cost


@contextmanager
def serve(runs: Path, log: Path, *app: str) -> Iterator[str]:
    """A server of our own, as `make app` starts it, or of another app; what it keeps lies in `runs`. Its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"FREQVIZ_RUNS": str(runs)}
    command = [sys.executable, "-m", *(app or ["freqviz.web"]), "--server.port", str(port)]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:  # a busy machine
                server.kill()
                server.wait()


def _wait(health, server, log):
    until = time.monotonic() + START
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(health, timeout=2).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"the server did not answer within {START} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def needs_chromium():
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip("the browser tests need chromium: apt-get install chromium")


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Where the server keeps uploads and results."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def known_sample(tmp_path_factory):
    """A folder where `address`, once it stands, has put its results of the sample clip, for servers that begin so."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture(scope="session")
def address(needs_chromium, runs, known_sample, tmp_path_factory):
    """A server, as `make app` starts it on an empty store: it analyses the sample clip before it answers."""
    with serve(runs, tmp_path_factory.mktemp("server") / "log") as address:
        shutil.copytree(runs / "results", known_sample / "results")
        yield address


@pytest.fixture(scope="module")
def window(needs_chromium):
    """A browser window as wide as a usual laptop, with a touch screen; its tabs share what they have loaded.

    So tall that all figures of a page are in sight: those further down are not drawn.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1440, "height": TALL}, has_touch=True)
        context.set_default_timeout(PATIENCE)
        yield context
        chromium.close()


@pytest.fixture
def page(window):
    page = window.new_page()
    yield page
    page.close()


def idle(page: Page) -> None:
    """Wait until nothing is computed or stale."""
    page.wait_for_function("document.querySelector('.stStatusWidget, [data-stale=true]') === null")


def rest(page: Page, figures: int = 1) -> None:
    """Wait until nothing is computed or stale, and so many figures or a sentence in their place are there, all drawn.

    The place of a figure is there before its component, and components come in any order.
    """
    page.wait_for_function(
        """(least) => {
            const figures = Array.from(document.querySelectorAll('[class*=st-key-figure-]'))
            return document.querySelector('.stStatusWidget, [data-stale=true]') === null
                && (figures.length >= least || document.querySelector('.st-key-figures [data-testid=stAlert]'))
                && figures.every(one => one.querySelector('.figure[data-stands=yes]'))
        }""",
        arg=figures,
    )


def note(page: Page, title: str):
    """Title and results above a figure."""
    words = page.get_by_test_id("stMarkdownContainer").filter(has=page.locator("strong"))
    return words.filter(has_text=re.compile("^" + re.escape(title))).first


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a box to choose from; a page that still runs or scrolls would close it again."""
    idle(page)
    box = page.get_by_role("combobox", name=label, exact=True)
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box.click()
    page.get_by_role("option", name=option, exact=True).click()


def settle(page: Page, received: list[int]) -> None:
    """Wait until the server has answered, and nothing more comes."""
    seen = 0
    for _ in range(40):
        page.wait_for_timeout(1500)
        if received and len(received) == seen:
            return
        seen = len(received)
