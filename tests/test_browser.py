"""What only a browser shows: the drawn box, the scrubber, what travels, and where to."""

import json
import random
import re
from urllib.parse import parse_qs, urlparse

import pytest
import scrubber_app
from browsing import LARGEST_STEP, PATIENCE, TALL, serve
from conftest import walking_frames
from playwright.sync_api import Locator, Page, expect
from scrubber_app import APART, BLURRIEST, COUNT, DAMAGED, LOST, SHARPEST

from freqviz.video import write_video


def open_stage(page: Page, address: str) -> dict[str, float]:
    """Open the page with the drawing of the box; the rectangle of the frame on the screen."""
    page.goto(f"{address}?draw=true")
    picture = page.locator(".stage img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.stStatusWidget') === null")
    return picture.bounding_box()


def draw(page: Page, area, start, end):
    """Drag over the picture, from and to fractions of its width and height; the box in pixels of the sample's frame."""
    ends = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in (start, end)]
    page.mouse.move(*ends[0])
    page.mouse.down()
    page.mouse.move(*ends[1], steps=5)
    page.mouse.up()
    return in_frame(area, *ends)


def box_of(page: Page) -> list[float]:
    """The box that the server has taken: it stands in the address."""
    page.wait_for_url(lambda url: "box=" in url)
    return [float(value) for value in parse_qs(urlparse(page.url).query)["box"][0].split(",")]


def in_frame(area, *points):
    """Box between two points of the screen, in pixels of the sample's frame of 384 x 288."""
    scale = 384 / area["width"]
    (ax, ay), (bx, by) = points
    return [(ax - area["x"]) * scale, (ay - area["y"]) * scale, (bx - ax) * scale, (by - ay) * scale]


def test_the_page_opens_with_the_scrubber_five_figures_and_asks_no_other_machine(page, address):
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(urlparse(request.url).hostname))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(page.locator(".picture")).to_have_attribute("data-frame", "0")
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


def test_a_run_outlives_its_tab_and_its_result_the_server(page, window, address, runs, tmp_path):
    page.goto(f"{address}?box=100,60,120,190&part=0&part=20")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    link = page.url
    page.close()
    again = window.new_page()
    again.goto(link)
    button = again.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("Running …|Analysed"))
    expect(button).to_be_visible()
    expect(again.locator(".js-plotly-plot")).to_have_count(5)
    expect(again.get_by_text("21 frames (0 to 20)")).to_be_visible()
    again.close()
    done = {file: file.stat().st_mtime_ns for file in runs.glob("results/*/run.json")}
    with serve(runs, tmp_path / "log") as other:
        later = window.new_page()
        later.goto(f"{link.replace(address, other)}&region=Whole+frame")  # the very first request of that server
        expect(later.locator(".js-plotly-plot")).to_have_count(5)
        expect(later.get_by_role("radio", name="Whole frame").last).to_be_checked()
        expect(later.get_by_role("button", name="Analysed")).to_be_visible()
        later.close()
    assert {file: file.stat().st_mtime_ns for file in runs.glob("results/*/run.json")} == done


def test_a_box_drawn_in_a_later_frame_corrects_the_run_from_there_on(page, address, runs):
    page.goto(f"{address}?frame=90&draw=true")
    expect(page.get_by_text("Draw where the person is in frame 90.")).to_be_visible()
    picture = page.locator(".stage img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.stStatusWidget') === null")
    drawn = draw(page, picture.bounding_box(), (0.3, 0.2), (0.6, 0.9))
    page.wait_for_url(lambda url: "corrections=" in url)
    frame, _, box = parse_qs(urlparse(page.url).query)["corrections"][0].partition(":")
    assert frame == "90"
    assert [float(value) for value in box.split(",")] == pytest.approx(drawn, abs=1.5)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(page.get_by_text("Key frame 90.")).to_be_visible()
    newest = max(runs.glob("results/*/run.json"), key=lambda file: file.stat().st_mtime_ns)
    held = json.loads(newest.read_text())
    assert (list(held["settings"]["corrections"]), held["cost"]["frames"]) == (["90"], 10)


def test_an_uploaded_clip_is_boxed_run_and_found_again_by_its_address(page, address, tmp_path):
    clip = write_video(tmp_path / "walk.mp4", walking_frames(12, size=(288, 384)), 25)
    page.goto(address)
    page.locator("input[type=file]").first.set_input_files(clip)
    expect(page.get_by_text("Draw or type the box of the person")).to_be_visible()
    picture = page.locator(".stage img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.stStatusWidget') === null")
    draw(page, picture.bounding_box(), (0.04, 0.12), (0.13, 0.32))
    box = box_of(page)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    page.reload()
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(page.get_by_text("12 frames of 384 × 288 pixels")).to_be_visible()
    assert box_of(page) == box


def test_the_scrubber_moves_the_frame_and_little_travels(page, address):
    received = []

    def listen(socket):
        socket.on("framereceived", lambda data: received.append(len(data)))

    page.on("websocket", listen)
    page.goto(f"{address}?frame=20")
    expect(page.get_by_text("Key frame 20.")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(page.locator(".picture")).to_have_attribute("data-frame", "20")
    received.clear()
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    expect(page.get_by_text("Key frame 21.")).to_be_visible()
    expect(page.locator(".picture")).to_have_attribute("data-frame", "21")
    assert 0 < sum(received) <= LARGEST_STEP
    assert parse_qs(urlparse(page.url).query)["frame"] == ["21"]


def test_on_a_dark_phone_figures_lie_on_the_ground_of_the_page_and_nothing_sticks_out(window, address):
    page = window.browser.new_page(viewport={"width": 390, "height": TALL}, color_scheme="dark")
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    charts = page.locator(".js-plotly-plot")
    expect(charts).to_have_count(5)
    ground = page.locator(".stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert ground == "rgb(18, 22, 27)"  # look.DARK.paper
    cursor = page.locator("div:has(> .st-key-cursor)")  # lies over the figures when they scroll
    assert cursor.evaluate("bar => getComputedStyle(bar).backgroundColor") == ground
    papers = charts.locator(".main-svg:first-child").evaluate_all("all => all.map(one => one.style.background)")
    assert set(papers) == {ground}
    assert max(charts.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")) <= 390
    page.close()


# -------- the scrubber alone, on a clip whose frames tell their number: see scrubber_app.py

WATCH = """picture => {
    window.seen = [];
    const read = () => {
        const {width, height, dataset} = picture, brush = picture.getContext("2d");
        const scale = Math.min(width / 320, height / 180);
        const x = column => Math.round(width / 2 + (column - 159.5) * scale);
        const y = row => Math.round(height / 2 + (row - 89.5) * scale);
        let number = 0;
        for (let bit = 0; bit < 8; bit++) {
            const [red, green, blue] = brush.getImageData(x(Math.floor(320 * (bit + .5) / 8)), y(45), 1, 1).data;
            if (red + green + blue > 3 * 128) number += 1 << bit;
        }
        const row = brush.getImageData(0, y(162), width, 1).data;
        const yellow = i => row[i] > 200 && row[i + 1] > 190 && row[i + 2] < 110;
        let left = 0;
        while (left < width && !yellow(4 * left)) left++;
        window.seen.push([Number(dataset.frame), number, (left - width / 2) / scale + 159.5]);
    };
    if (picture.dataset.frame) read();
    new MutationObserver(read).observe(picture, {attributes: true, attributeFilter: ["data-frame"]});
}"""  # what every drawn frame shows: [the frame it is said to be, the number in it, the left edge of the box over it]


@pytest.fixture(scope="module")
def scrubbing(tmp_path_factory):
    """A server of the scrubber alone."""
    runs = tmp_path_factory.mktemp("scrubbed")
    scrubber_app.write_clip(runs / "clips")
    with serve(runs, tmp_path_factory.mktemp("log") / "log", "streamlit", "run", scrubber_app.__file__) as address:
        yield address


@pytest.fixture
def scrubber(scrubbing, window):
    """The scrubber in a tab of its own, its first frame drawn."""
    page = window.new_page()
    open_scrubber(page, scrubbing)
    yield page
    page.close()


def open_scrubber(page: Page, address: str) -> None:
    page.goto(address)
    expect(picture_of(page)).to_have_attribute("data-frame", "0")
    heard(page, 0)


def picture_of(page: Page) -> Locator:
    return page.locator(".picture")


def cursor_of(page: Page) -> Locator:
    return page.get_by_role("slider", name="Frame")


def shows(page: Page, frame: int) -> None:
    """Wait until the frame is drawn."""
    expect(picture_of(page)).to_have_attribute("data-frame", str(frame))


def heard(page: Page, frame: int) -> int:
    """Wait until the server shows the frame; how often its script ran."""
    said = page.get_by_text(f"Server: frame {frame}, run")
    expect(said).to_be_visible()
    return int(said.text_content().split()[-1])


def place(page: Page, frame: int) -> tuple[float, float]:
    """Where a frame lies on the timeline."""
    area, left, right = page.locator(".timeline").bounding_box(), 210, 6  # beside the lanes
    return area["x"] + left + (frame + 0.5) / COUNT * (area["width"] - left - right), area["y"] + area["height"] - 8


def test_every_drawn_frame_is_the_one_asked_for_with_its_own_overlay(scrubber):
    picture_of(scrubber).evaluate(WATCH)
    order = random.Random(3)
    scrubber.mouse.move(*place(scrubber, 0))
    scrubber.mouse.down()
    for _ in range(200):  # jumps, each waited for
        frame = order.randrange(COUNT)
        scrubber.mouse.move(*place(scrubber, frame))
        shows(scrubber, frame)
    for _ in range(200):  # jumps faster than frames come
        scrubber.mouse.move(*place(scrubber, order.randrange(COUNT)))
    scrubber.mouse.up()
    for key in ["Home"] + ["ArrowRight"] * 60 + ["Shift+ArrowRight"] * 6 + ["ArrowLeft"] * 40:
        cursor_of(scrubber).press(key)
    shows(scrubber, 79)
    cursor_of(scrubber).press(" ")
    shows(scrubber, COUNT - 1)
    seen = scrubber.evaluate("window.seen")
    assert len(seen) >= 300
    assert [frame for frame, number, left in seen if number != frame] == []
    assert max(abs(left - 2 * frame) for frame, number, left in seen) < 1.5


def test_moving_tells_the_server_nothing_and_release_tells_it_once(scrubbing, window):
    page, sent = window.new_page(), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    open_scrubber(page, scrubbing)
    before = heard(page, 0)
    sent.clear()
    page.mouse.move(*place(page, 3))
    page.mouse.down()
    for frame in (20, 50, 44):
        page.mouse.move(*place(page, frame), steps=4)
        shows(page, frame)
    assert sent == []
    page.mouse.up()
    assert heard(page, 44) == before + 1
    assert len(sent) == 1
    assert parse_qs(urlparse(page.url).query)["frame"] == ["44"]
    shows(page, 44)
    page.close()


def test_keys_step_jump_and_list_themselves(scrubber):
    cursor, before = cursor_of(scrubber), heard(scrubber, 0)
    at = 0
    steps = {
        "ArrowRight": 1,
        "Shift+ArrowRight": 11,
        "ArrowLeft": 10,
        "Shift+ArrowLeft": 0,
        "End": COUNT - 1,
        "Home": 0,
    }
    for key, at in steps.items():
        cursor.press(key)
        shows(scrubber, at)
        expect(cursor).to_have_attribute("aria-valuenow", str(at))
    assert heard(scrubber, 0) == before  # the cursor rests where the server is
    expect(scrubber.get_by_text("ten frames")).to_be_hidden()
    cursor.press("?")
    expect(scrubber.get_by_text("ten frames")).to_be_visible()
    cursor.press("?")
    expect(scrubber.get_by_text("ten frames")).to_be_hidden()


def test_n_and_p_go_from_mark_to_mark_and_name_them(scrubber):
    cursor = cursor_of(scrubber)
    marks = [SHARPEST, LOST[0], APART, LOST[3], BLURRIEST, DAMAGED]
    kinds = ["sharpest", "lost", "disagreement", "lost", "blurriest", "damaged"]
    for frame, kind in zip(marks, kinds, strict=True):
        cursor.press("n")
        shows(scrubber, frame)
        expect(scrubber.locator(".readout")).to_contain_text(f"Frame {frame} of 0–{COUNT - 1}")
        expect(scrubber.locator(".readout")).to_contain_text(kind)
    cursor.press("n")
    shows(scrubber, DAMAGED)  # there is none behind
    cursor.press("p")
    shows(scrubber, BLURRIEST)
    heard(scrubber, BLURRIEST)


def test_play_runs_to_the_end_and_tells_where_it_stopped(scrubber):
    cursor, before = cursor_of(scrubber), heard(scrubber, 0)
    cursor.press("Space")
    expect(scrubber.get_by_role("button", name="Pause")).to_be_visible()
    expect(cursor).not_to_have_attribute("aria-valuenow", "0")
    cursor.press("Space")
    at = int(cursor.get_attribute("aria-valuenow"))
    assert 0 < at < COUNT
    assert heard(scrubber, at) == before + 1


def test_server_and_visitor_move_the_cursor_in_turn(scrubber):
    for frame in (9, 9, 40):
        scrubber.mouse.click(*place(scrubber, frame))
        heard(scrubber, frame)
        scrubber.get_by_role("button", name="To frame 5").click()
        heard(scrubber, 5)
        shows(scrubber, 5)
        expect(cursor_of(scrubber)).to_have_attribute("aria-valuenow", "5")


def test_an_answer_to_an_earlier_message_moves_nothing(scrubber):
    picture_of(scrubber).evaluate(WATCH)
    for frame in range(5, 100, 5):  # faster than the server answers
        scrubber.mouse.click(*place(scrubber, frame))
    heard(scrubber, 95)
    shows(scrubber, 95)
    seen = [frame for frame, _, _ in scrubber.evaluate("window.seen")]
    assert seen == sorted(seen)


def test_a_finger_moves_the_cursor(scrubber):
    finger = scrubber.context.new_cdp_session(scrubber)
    for kind, frames in (("touchStart", [10]), ("touchMove", [33]), ("touchMove", [71]), ("touchEnd", [])):
        touches = [dict(zip("xy", place(scrubber, frame), strict=True)) for frame in frames]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    shows(scrubber, 71)
    heard(scrubber, 71)


def test_names_hide_overlays_and_fold_curves_and_the_region_zooms(scrubber):
    look, pictures = "picture => picture.toDataURL()", []
    for name in ("spatial-video", "freq-video", "Box"):
        pictures.append(picture_of(scrubber).evaluate(look))
        scrubber.get_by_role("button", name=name, exact=True).click()
    assert len(set(pictures)) == 3
    bare = picture_of(scrubber).evaluate(look)
    assert bare not in pictures
    picture_of(scrubber).evaluate("picture => { window.last = picture; }")
    scrubber.get_by_role("radio", name="Person").last.click()
    scrubber.wait_for_function("before => window.last.toDataURL() !== before", arg=bare)
    height = scrubber.locator(".timeline").bounding_box()["height"]
    scrubber.get_by_role("button", name="Effective number of frames").click()
    assert scrubber.locator(".timeline").bounding_box()["height"] < height


@pytest.mark.parametrize(
    ("lack", "why"),
    [
        ("delete HTMLVideoElement.prototype.requestVideoFrameCallback", "It cannot tell which frame"),
        ("HTMLMediaElement.prototype.canPlayType = () => ''", "It does not play H.264"),
    ],
)
def test_where_the_scrubber_cannot_run_a_slider_and_a_picture_stand_in(scrubbing, window, lack, why):
    page = window.new_page()
    page.add_init_script(lack)
    page.goto(scrubbing)
    expect(page.get_by_text(why)).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(page.locator(".picture")).to_have_count(0)
    before = page.locator(".js-plotly-plot image").get_attribute("href")
    cursor_of(page).press("ArrowRight")
    heard(page, 1)
    expect(page.locator(".js-plotly-plot image")).not_to_have_attribute("href", before)
    page.close()
