"""Do the pages of weights and of blur against energy follow cursor, network, click and slider in a browser?"""

import re
from urllib.parse import parse_qs, urlparse

import pytest
from browsing import LARGEST_STEP, choose, idle, note, rest, settle
from playwright.sync_api import Page, expect

PAGES = {"frame_weights": "Frame weights and influence", "blur_against_energy": "Blur against energy"}


def series(page: Page, title: str, name: str, axis: str) -> list[float]:
    """The numbers of one named trace of the figure with a title, as the browser has them."""
    script = """([title, name, axis]) => {
        const slug = 'st-key-figure-' + title.replaceAll(/[^A-Za-z0-9-]/g, '-')
        const plot = document.querySelector('.' + slug + ' .js-plotly-plot')
        return Array.from(plot._fullData.find(trace => trace.name === name || name === '')[axis])
    }"""
    return page.evaluate(script, [title, name, axis])


@pytest.mark.parametrize("path", PAGES)
def test_the_cursor_moves_the_page_little_travels_and_nothing_complains(page, address, path):
    received, complaints = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    page.goto(f"{address}{path}?frame=40&network=freq-video&length=15")
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
    expect(page.get_by_text("key frame 40").or_(page.get_by_text("Key frame 40.")).first).to_be_visible()
    settle(page, received)
    received.clear()
    page.get_by_role("slider", name="Frame").first.press("ArrowRight")
    page.wait_for_url(re.compile("frame=41"))
    expect(page.get_by_text("key frame 41").or_(page.get_by_text("Key frame 41.")).first).to_be_visible()
    settle(page, received)
    assert 0 < sum(received) <= LARGEST_STEP
    expect(page.get_by_role("alert")).to_have_count(0)
    assert complaints == []


def test_weights_and_influence_belong_to_the_frame_and_network_in_the_address(page, address):
    page.goto(f"{address}frame_weights?frame=41&network=freq-video")
    expect(page.locator(".js-plotly-plot")).to_have_count(10)
    rest(page)
    weights = series(page, "Frame weights", "freq-video", "y")
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    influence = series(page, "Influence", "freq-video", "y")
    assert influence[2] == 0
    assert min(influence[:2] + influence[3:]) > 0
    expect(page.get_by_text("freq-video leans most on frame")).to_be_visible()
    expect(note(page, "Influence on each joint")).to_contain_text("freq-video. Largest:")
    choose(page, "Network", "spatial-video")
    expect(note(page, "Influence on each joint")).to_contain_text("spatial-video. Largest:")
    expect(page.get_by_text("spatial-video looks at no spectrum")).to_be_visible()  # said in the place of the figure
    rest(page)
    page.get_by_role("slider", name="Frame").first.press("ArrowRight")
    expect(note(page, "Frame weights")).to_contain_text("Key frame 42.")
    rest(page)
    assert series(page, "Influence", "freq-video", "y") != influence


def test_what_stands_under_a_figure_opens(page, address):
    page.goto(f"{address}frame_weights?frame=41&network=freq-video")
    row = page.locator(".st-key-recipe-of-Influence")
    row.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("python -m freqviz influence assets/sample.mp4 --frame 41 --box")).to_be_visible()
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Formula").click()
    expect(page.get_by_text("replaced by the key frame's")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stDataFrame")).to_have_count(0)
    row.get_by_role("button", name="Table").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def test_a_click_on_a_point_moves_the_cursor_to_its_frame(page, address):
    page.goto(f"{address}blur_against_energy?frame=41&network=freq-video&length=15")
    expect(note(page, "Pose before and after")).to_be_visible()
    rest(page)
    where = page.evaluate("""() => {
        const plot = document.querySelector('.js-plotly-plot')
        const {_fullLayout: {xaxis, yaxis}, _fullData: [points]} = plot
        plot.scrollIntoView({block: 'center'})
        const {x, y} = plot.getBoundingClientRect()
        return [x + xaxis._offset + xaxis.l2p(points.x[72]), y + yaxis._offset + yaxis.l2p(points.y[72])]
    }""")
    page.mouse.move(*where)
    page.mouse.click(*where)
    page.wait_for_url(re.compile("frame=72"))
    expect(page.get_by_role("slider", name="Frame").first).to_have_value("72")
    expect(note(page, "Pose before and after")).to_contain_text("key frame 72")


@pytest.fixture
def laptop(window):
    """A tab of a window in which most figures of a page are out of sight."""
    page = window.browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    yield page
    page.close()


def standing(page: Page) -> list[bool]:
    """Of each figure, whether it stands as the server sent it last."""
    return page.locator(".figure").evaluate_all("all => all.map(one => one.dataset.stands === 'yes')")


def test_figures_in_sight_are_drawn_before_those_further_down(laptop, address):
    laptop.add_init_script("""{
        window.order = [];  // of how far down the figures lie, as they come to stand
        new MutationObserver(found => found.filter(one => one.target.dataset.stands === "yes")
            .forEach(one => order.push(one.target.getBoundingClientRect().top))
        ).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-stands"]})
    }""")
    laptop.goto(f"{address}alignment?frame=12")
    laptop.wait_for_function("order.length >= 6")  # three in sight, three within reach below them
    order = laptop.evaluate("order")
    seen = [top for top in order if top < 800]
    assert 0 < len(seen) < len(order)
    assert order[: len(seen)] == seen


def test_a_figure_is_drawn_when_it_comes_into_sight_and_shows_the_frame_of_that_time(laptop, address):
    laptop.goto(f"{address}frame_weights?frame=41&network=freq-video")
    expect(laptop.locator(".figure")).to_have_count(10)
    expect(laptop.locator(".figure").first).to_have_attribute("data-stands", "yes")
    laptop.wait_for_timeout(500)
    begun = standing(laptop)
    assert begun[0], "the strip of the window"
    assert not any(begun[5:]), "the lower half of the page"
    lowest = laptop.locator(".figure").nth(9)
    lowest.scroll_into_view_if_needed()
    expect(lowest).to_have_attribute("data-stands", "yes")
    energies = "figure => Array.from(figure._fullData[0].z).flatMap(row => Array.from(row))"
    before = lowest.evaluate(energies)
    laptop.locator(".figure").first.scroll_into_view_if_needed()
    laptop.get_by_role("slider", name="Frame").first.press("ArrowRight")
    expect(note(laptop, "Frame weights")).to_contain_text("Key frame 42.")
    expect(lowest).to_have_attribute("data-stands", "no")
    expect(laptop.locator(".figure").first).to_have_attribute("data-stands", "yes")
    assert lowest.evaluate(energies) == before, "nothing is drawn where nobody looks"
    lowest.scroll_into_view_if_needed()
    expect(lowest).to_have_attribute("data-stands", "yes")
    assert lowest.evaluate(energies) != before


def test_a_control_used_before_the_answer_does_not_take_the_cursor_back(laptop, address):
    laptop.goto(f"{address}?frame=40")
    shown, timeline = laptop.locator(".readout"), laptop.locator(".timeline")
    expect(shown).to_contain_text("Frame 40 of 0–99")
    looks = [laptop.get_by_test_id("stMain").get_by_role("radio", name=name) for name in ("Whole frame", "Person")]
    put_and_click = """async (look, [place, gap]) => {
        const { left, bottom } = timeline.getBoundingClientRect();
        const at = { clientX: left + place, clientY: bottom - 8, pointerId: 1, bubbles: true };
        timeline.dispatchEvent(new PointerEvent("pointerdown", at));
        timeline.dispatchEvent(new PointerEvent("pointerup", at));
        await new Promise(after => setTimeout(after, gap));
        look.click();
    }"""
    timeline.evaluate("one => { window.timeline = one; one.setPointerCapture = () => {}; }")
    for number, gap in enumerate((0, 10, 20, 30, 40, 50, 60, 80)):  # milliseconds
        looks[number % 2].evaluate(put_and_click, [220 + 70 * number, gap])
        told = re.match(r"Frame (\d+) of", shown.inner_text())[1]
        expect(looks[number % 2]).to_have_attribute("aria-checked", "true")
        laptop.wait_for_timeout(1000)
        idle(laptop)
        assert shown.inner_text().startswith(f"Frame {told} of"), f"after {gap} ms"
        assert parse_qs(urlparse(laptop.url).query)["frame"] == [told]
        assert looks[number % 2].get_attribute("aria-checked") == "true"
    timeline.press("ArrowRight")
    laptop.wait_for_url(f"**frame={int(told) + 1}*")
    laptop.go_back()
    expect(shown).to_contain_text(f"Frame {told} of")


def test_figures_are_as_wide_as_their_place(laptop, address):
    laptop.goto(f"{address}frame_weights?frame=41&network=freq-video")
    strip = laptop.locator(".figure").first
    expect(strip).to_have_attribute("data-stands", "yes")
    fits = "figure => figure._fullLayout.width === figure.clientWidth && figure.clientWidth"
    wide = strip.evaluate(fits)
    laptop.set_viewport_size({"width": 1000, "height": 800})
    laptop.wait_for_function(
        f"wide => {{ const one = document.querySelector('.figure'), now = ({fits})(one); return now && now < wide }}",
        arg=wide,
    )


def test_a_figure_whose_place_becomes_narrower_while_it_is_drawn_fits_it(laptop, address):
    laptop.goto(f"{address}frame_weights?frame=41&network=freq-video")
    strip = laptop.locator(".figure").first
    expect(strip).to_have_attribute("data-stands", "yes")
    strip.evaluate("""figure => {
        window.seen = [];
        new MutationObserver((_, one) => {
            one.disconnect();
            figure.style.width = "300px";
            new ResizeObserver(() => seen.push(figure.dataset.stands)).observe(figure);
        }).observe(figure, {attributeFilter: ["data-stands"]});
    }""")
    laptop.get_by_role("slider", name="Frame").first.press("ArrowRight")
    laptop.wait_for_function("seen.length")
    assert laptop.evaluate("seen[0]") == "no", "it was not yet drawn"
    laptop.wait_for_function("document.querySelector('.figure')._fullLayout.width === 300")


def test_a_figure_that_cannot_be_drawn_says_so(laptop, address):
    laptop.route("**/plotly-*.js", lambda route: route.abort())
    laptop.goto(f"{address}frame_weights?frame=41&network=freq-video")
    expect(laptop.locator(".figure").first).to_contain_text("This figure cannot be drawn: Failed to fetch")
    laptop.unroute("**/plotly-*.js")
    laptop.reload()
    expect(laptop.locator(".figure").first).to_have_attribute("data-stands", "yes")


def test_a_slider_changes_one_frame_and_weights_energy_and_words_follow(page, address):
    page.goto(f"{address}blur_against_energy?frame=0&network=freq-video&length=0")
    expect(page.get_by_text("Frame 0 is as it was filmed: move a slider to change it.")).to_be_visible()
    page.goto(f"{address}blur_against_energy?frame=60&network=freq-video&length=15")
    expect(page.get_by_text("Frame 60 was blurred by 15 px at 0°")).to_be_visible()
    rest(page)
    blurred = series(page, "Frame weights before and after", "after", "y")
    before = series(page, "Frame weights before and after", "before", "y")
    assert blurred[2] < before[2], "the blurred key frame loses weight"
    assert blurred[1] > before[1]
    energy = [series(page, "Energy of the changed frame", name, "y") for name in ("before", "after")]
    assert energy[1][2] < energy[0][2] - 0.3
    page.get_by_role("slider", name="Motion blur (px)").press("ArrowRight")
    expect(page.get_by_text("Frame 60 was blurred by 16 px at 0°")).to_be_visible()
    rest(page)
    assert series(page, "Frame weights before and after", "before", "y") == before
    choose(page, "Network", "spatial-video")
    expect(note(page, "Frame weights before and after")).to_contain_text("spatial-video: weight of frame 60")
    choose(page, "Changed frame", "+1")
    expect(page.get_by_text("Frame 61 was blurred by 16 px at 0°")).to_be_visible()


def test_the_cursor_goes_along_to_another_page(page, address):
    page.goto(f"{address}frame_weights?frame=41&network=freq-video")
    expect(note(page, "Frame weights")).to_contain_text("Key frame 41.")
    rest(page)
    page.get_by_role("link", name="Blur against energy").click()
    expect(page.get_by_text("Frame 41 is as it was filmed: move a slider to change it.")).to_be_visible()
