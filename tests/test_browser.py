"""What only a browser shows: the drawn box, the slider, the first link, what travels, and where to."""

import os
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
from urllib.parse import parse_qs, urlparse

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
expect.set_options(timeout=PATIENCE)
LARGEST_STEP = 300_000  # bytes that a moved cursor may cost

if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
    pytest.skip("the browser tests need chromium: apt-get install chromium", allow_module_level=True)


@contextmanager
def serve(runs: Path, log: Path) -> Iterator[str]:
    """A server of our own, as `make app` starts it; what it keeps lies in `runs`. Gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"FREQVIZ_RUNS": str(runs)}
    command = [sys.executable, "-m", "freqviz.web", "--server.port", str(port)]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server on an empty store: it analyses the sample clip first."""
    with serve(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("server") / "log") as address:
        yield address


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


@pytest.fixture(scope="module")
def window():
    """A browser window of a usual laptop, with a touch screen; its tabs share what they have loaded."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, has_touch=True)
        context.set_default_timeout(PATIENCE)
        yield context
        chromium.close()


@pytest.fixture(scope="module")
def first_visit(address, window):
    """The very first request of the server, by a link into the middle of the clip."""
    page = window.new_page()
    page.goto(f"{address}?frame=7&region=Whole+frame")
    expect(page.get_by_text("Key frame 7.")).to_be_visible()
    yield page
    page.close()


@pytest.fixture
def page(first_visit, window):
    page = window.new_page()
    yield page
    page.close()


def open_stage(page: Page, address: str) -> dict[str, float]:
    """Open the page with the drawing of the box; the rectangle of the frame on the screen."""
    page.goto(f"{address}?draw=true")
    picture = page.locator(".stage img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.stStatusWidget') === null")
    return picture.bounding_box()


def box_of(page: Page) -> list[float]:
    """The box that the server has taken: it stands in the address."""
    page.wait_for_url(lambda url: "box=" in url)
    return [float(value) for value in parse_qs(urlparse(page.url).query)["box"][0].split(",")]


def in_frame(area, *points):
    """Box between two points of the screen, in pixels of the sample's frame of 384 x 288."""
    scale = 384 / area["width"]
    (ax, ay), (bx, by) = points
    return [(ax - area["x"]) * scale, (ay - area["y"]) * scale, (bx - ax) * scale, (by - ay) * scale]


def test_the_first_link_shows_the_sidebar_and_its_own_choice(first_visit):
    expect(first_visit.get_by_test_id("stSidebar").get_by_label("Clip", exact=False).first).to_be_visible()
    expect(first_visit.get_by_role("slider", name="Frame")).to_have_value("7")
    expect(first_visit.get_by_role("radio", name="Whole frame").last).to_be_checked()


def test_the_page_opens_with_six_figures_and_asks_no_other_machine(page, address):
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(urlparse(request.url).hostname))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    expect(page.get_by_role("heading", level=1)).to_have_text("Poses and spectra under blur")
    assert set(asked) - {None} == {"127.0.0.1"}
    assert complaints == []


def test_a_box_drawn_with_the_mouse_reaches_the_server(page, address):
    area = open_stage(page, address)
    start = (area["x"] + 0.3 * area["width"], area["y"] + 0.2 * area["height"])
    end = (area["x"] + 0.6 * area["width"], area["y"] + 0.9 * area["height"])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    assert box_of(page) == pytest.approx(in_frame(area, start, end), abs=1.5)
    typed = ", ".join(f"{value:g}" for value in box_of(page))
    expect(page.get_by_role("textbox", name="Box in the first frame")).to_have_value(typed)


def test_a_box_drawn_with_a_finger_reaches_the_server(page, address):
    area = open_stage(page, address)
    start = (area["x"] + 0.2 * area["width"], area["y"] + 0.1 * area["height"])
    end = (area["x"] + 0.5 * area["width"], area["y"] + 0.8 * area["height"])
    finger = page.context.new_cdp_session(page)
    for kind, points in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
        touches = [{"x": x, "y": y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    assert box_of(page) == pytest.approx(in_frame(area, start, end), abs=1.5)


def test_a_run_starts_shows_its_progress_and_can_be_cancelled(page, address):
    page.goto(f"{address}?box=100,60,120,190")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("the newest one done")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled after")).to_be_visible()
    expect(page.get_by_role("button", name="Run")).to_be_enabled()


def test_the_slider_moves_the_frame_and_little_travels(page, address):
    received = []

    def listen(socket):
        socket.on("framereceived", lambda data: received.append(len(data)))

    page.on("websocket", listen)
    page.goto(f"{address}?frame=20")
    expect(page.get_by_text("Key frame 20.")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    picture = page.locator(".js-plotly-plot image").first
    before = picture.get_attribute("href")
    received.clear()
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    expect(page.get_by_text("Key frame 21.")).to_be_visible()
    expect(picture).not_to_have_attribute("href", before)
    assert 0 < sum(received) <= LARGEST_STEP
    assert parse_qs(urlparse(page.url).query)["frame"] == ["21"]


def test_on_a_dark_phone_figures_lie_on_the_ground_of_the_page_and_nothing_sticks_out(first_visit, address):
    page = first_visit.context.browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    charts = page.locator(".js-plotly-plot")
    expect(charts).to_have_count(6)
    ground = page.locator(".stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert ground == "rgb(18, 22, 27)"  # look.DARK.paper
    cursor = page.locator("div:has(> .st-key-cursor)")  # lies over the figures when they scroll
    assert cursor.evaluate("bar => getComputedStyle(bar).backgroundColor") == ground
    papers = charts.locator(".main-svg:first-child").evaluate_all("all => all.map(one => one.style.background)")
    assert set(papers) == {ground}
    assert max(charts.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")) <= 390
    page.close()
