"""Do swipe, blink, difference, choice of networks and jumps work in a browser, and does little travel?"""

import re

import pytest
from browsing import LARGEST_STEP, choose, note, rest, settle
from playwright.sync_api import Page, expect

POSES, INSIDE = 0, 1  # the two comparisons of the page


@pytest.fixture
def page(window, address):
    page = window.new_page()
    page.goto(f"{address}side_by_side?frame=41")
    page.locator("canvas[data-mode]").nth(INSIDE).wait_for()
    expect(page.locator(".js-plotly-plot")).to_have_count(7)
    rest(page)
    yield page
    page.close()


def comparison(page: Page, which: int):
    return page.locator(".swipe").nth(which)


def row(page: Page, which: int) -> list[list[int]]:
    """Colours of a canvas, from left to right, a third of the way down."""
    script = """canvas => {
        const {width, height} = canvas
        const {data} = canvas.getContext('2d').getImageData(0, Math.round(height / 3), width, 1)
        return Array.from({length: width}, (_, x) => Array.from(data.slice(4 * x, 4 * x + 3)))
    }"""
    return comparison(page, which).locator("canvas").evaluate(script)


def alike(one: list[list[int]], other: list[list[int]]) -> bool:
    """Whether two rows have the same colours; clipping may change a level or two."""
    return len(one) == len(other) and all(abs(p - q) <= 3 for pair in zip(one, other, strict=True)
                                          for p, q in zip(*pair, strict=True))  # fmt: skip


def shown(page: Page, which: int, name: str) -> str:
    return comparison(page, which).locator("canvas").get_attribute(f"data-{name}")


def press(page: Page, which: int, *keys: str) -> None:
    stage = comparison(page, which).locator(".stage")
    for key in keys:
        stage.press(key)


@pytest.mark.parametrize("which", [POSES, INSIDE])
def test_a_is_left_of_the_divider_and_b_right_of_it(page, which):
    """Whole pictures of A and of B, then both halves: every pixel of the row is that of its side."""
    press(page, which, "End")
    assert shown(page, which, "divider") == "100"
    a = row(page, which)
    press(page, which, "Home")
    b = row(page, which)
    assert not alike(a, b), "else nothing is asked"
    stage, differing = (
        comparison(page, which).locator(".stage"),
        [x for x in range(len(a)) if not alike([a[x]], [b[x]])],
    )
    for x in (differing[len(differing) // 3], differing[2 * len(differing) // 3]):
        box = stage.bounding_box()
        page.mouse.click(box["x"] + (x + 0.5) * box["width"] / len(a), box["y"] + 60)
        both = row(page, which)
        assert alike(both[: x - 2], a[: x - 2])
        assert alike(both[x + 3 :], b[x + 3 :])
        assert not alike(both, a)
        assert not alike(both, b)
    for divider in (30, 62):
        press(page, which, "Home", *["Shift+ArrowRight"] * (divider // 10), *["ArrowRight"] * (divider % 10 // 2))
        assert (shown(page, which, "divider"), stage.get_attribute("aria-valuenow")) == (str(divider), str(divider))


def test_the_divider_follows_the_pointer_and_the_server_hears_of_it_on_release(page):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    page.reload()
    page.locator("canvas[data-mode]").nth(INSIDE).wait_for()
    rest(page)
    page.wait_for_timeout(1500)
    sent.clear()
    box = comparison(page, POSES).locator(".stage").bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 100)
    page.mouse.down()
    for step in range(1, 20):
        page.mouse.move(middle + 4 * step, box["y"] + 100)
    page.wait_for_timeout(1000)
    assert sent == []
    page.mouse.up()
    assert int(shown(page, POSES, "divider")) > 60
    assert shown(page, INSIDE, "divider") == "50"
    page.wait_for_url(re.compile(f"poses_view=swipe.{shown(page, POSES, 'divider')}"))
    assert len(sent) == 1


def test_a_link_brings_the_divider_and_the_way_of_comparing_back(page, window):
    press(page, POSES, "Home", *["Shift+ArrowRight"] * 3)
    page.wait_for_url(re.compile("poses_view=swipe.30"))
    press(page, INSIDE, "b", "Space")
    page.wait_for_url(re.compile("inner_view=blink.b"))
    other = window.new_page()
    other.goto(page.url)
    other.locator("canvas[data-mode]").nth(INSIDE).wait_for()
    rest(other)
    assert (shown(other, POSES, "mode"), shown(other, POSES, "divider")) == ("swipe", "30")
    assert (shown(other, INSIDE, "mode"), shown(other, INSIDE, "shown")) == ("blink", "b")
    press(other, POSES, *["Shift+ArrowRight"] * 2)
    press(other, INSIDE, "d")
    other.wait_for_url(re.compile("inner_view=difference"))
    expect(other.get_by_role("alert")).to_have_count(0)
    other.wait_for_url(lambda url: "poses_view" not in url)  # the middle is where every visit begins
    other.goto(re.sub("inner_view=difference", "inner_view=nonsense+7", other.url))
    other.locator("canvas[data-mode]").nth(INSIDE).wait_for()
    assert (shown(other, INSIDE, "mode"), shown(other, INSIDE, "divider")) == ("swipe", "50")
    other.close()


def test_going_back_in_the_browser_takes_the_view_back_and_stays_there(page):
    for mode in ("b", "d"):
        press(page, INSIDE, mode)
        page.wait_for_url(re.compile(f"inner_view={'blink.a' if mode == 'b' else 'difference'}"))
        rest(page)
    for view, mode in (("blink.a", "blink"), (None, "swipe")):
        page.go_back()
        expect(comparison(page, INSIDE).locator("canvas")).to_have_attribute("data-mode", mode)
        rest(page)
        page.wait_for_timeout(1000)
        assert shown(page, INSIDE, "mode") == mode
        assert re.search(f"inner_view={view}", page.url) if view else "inner_view" not in page.url


def test_views_changed_one_right_after_the_other_both_reach_the_address(page):
    """The second cuts the run of the first short, at whatever line that has come to."""
    for turn, gap in enumerate((40, 40, 60, 60, 80, 80, 60, 60)):
        divider, mode = (50, "d") if turn % 2 else (40, "b")
        press(page, POSES, "Home", *["Shift+ArrowRight"] * (divider // 10))
        page.wait_for_timeout(gap)
        press(page, INSIDE, mode)
        page.wait_for_url(lambda url, divider=divider: ("poses_view=swipe+40" in url) == (divider == 40))
        page.wait_for_url(re.compile(f"inner_view={'difference' if turn % 2 else 'blink.a'}"))


def test_blink_shows_a_and_b_in_turn_by_key_click_and_clock(page):
    press(page, INSIDE, "End")
    a = row(page, INSIDE)
    press(page, INSIDE, "Home")
    b = row(page, INSIDE)
    mine = comparison(page, INSIDE)
    mine.get_by_role("radio", name="Blink").click()
    assert (shown(page, INSIDE, "mode"), row(page, INSIDE)) == ("blink", a)
    press(page, INSIDE, "Space")
    assert (shown(page, INSIDE, "shown"), row(page, INSIDE)) == ("b", b)
    mine.get_by_role("button", name="Show A").click()
    assert row(page, INSIDE) == a
    mine.get_by_role("button", name="In turn").click()
    expect(mine.locator("canvas")).to_have_attribute("data-shown", "b")
    expect(mine.locator("canvas")).to_have_attribute("data-shown", "a")
    expect(mine.locator("canvas")).to_have_attribute("data-shown", "b")
    mine.get_by_role("button", name="In turn").click()
    page.emulate_media(reduced_motion="reduce")
    mine.get_by_role("button", name=re.compile("Show")).click()
    expect(mine.get_by_role("button", name="In turn")).to_be_hidden()
    still = shown(page, INSIDE, "shown")
    page.wait_for_timeout(2500)
    assert shown(page, INSIDE, "shown") == still


def test_the_difference_has_its_own_picture_scale_and_words(page):
    mine = comparison(page, INSIDE)
    press(page, INSIDE, "End")
    a = row(page, INSIDE)
    expect(mine.locator(".scale")).to_contain_text("Mass of a cell (dB)")
    press(page, INSIDE, "d")
    assert shown(page, INSIDE, "mode") == "difference"
    assert row(page, INSIDE) != a
    expect(mine.locator(".scale")).to_contain_text("Mass of a cell, A − B (dB)")
    expect(mine.locator(".note")).to_contain_text("spatial-video − freq-video")
    mine.get_by_role("radio", name="Difference").press("ArrowRight")
    assert shown(page, INSIDE, "mode") == "swipe", "arrows go round the three ways"


def test_networks_and_quantities_are_exchanged_and_the_chosen_way_stays(page):
    press(page, POSES, "End")
    a = row(page, POSES)
    expect(comparison(page, POSES).locator(".note")).to_contain_text("spatial-video, frame 41")
    choose(page, "A", "freq-video")
    expect(page.get_by_text("A and B are one network, freq-video: all differences are 0; choose two.")).to_be_visible()
    choose(page, "B", "spatial-video")
    expect(note(page, "Distance from the truth, A − B")).to_contain_text("freq-video − spatial-video = 0.00")
    rest(page)
    press(page, POSES, "Home")
    assert alike(row(page, POSES), a), "what was A is B"
    press(page, INSIDE, "d")
    choose(page, "Inside", "Energy after alignment")
    expect(comparison(page, INSIDE).locator(".note")).to_contain_text("frame +1; freq-video − spatial-video")
    choose(page, "Inside", "Heatmap of a joint")
    choose(page, "Joint", "left knee")
    expect(comparison(page, INSIDE).locator(".note")).to_contain_text("left knee; freq-video − spatial-video")
    assert shown(page, INSIDE, "mode") == "difference"


def test_buttons_and_a_click_on_a_joint_move_the_cursor_to_its_worst_frame(page):
    slider = page.get_by_role("slider", name="Frame").first
    button = page.get_by_role("button", name=re.compile("^All joints: frame"))
    worst = button.inner_text().split()[-1]
    button.click()
    expect(slider).to_have_value(worst)
    page.wait_for_url(re.compile(f"frame={worst}"))
    expect(comparison(page, POSES).locator(".note")).to_contain_text(f"spatial-video, frame {worst}")
    rest(page)
    where = page.evaluate("""() => {
        const plot = document.querySelector('.js-plotly-plot')
        plot.scrollIntoView({block: 'center'})
        const {_fullLayout: {xaxis, yaxis}, _fullData} = plot
        const points = _fullData.find(trace => trace.name === 'worst frame')
        const joint = points.y[4], {x, y} = plot.getBoundingClientRect()
        const frame = /frame (\\d+)/.exec(points.text ? points.text[4] : points.hovertext[4])[1]
        return [x + xaxis._offset + xaxis.l2p(Math.log10(points.x[4])), y + yaxis._offset + yaxis.l2p(joint), frame]
    }""")
    page.mouse.move(*where[:2])
    page.mouse.click(*where[:2])
    expect(slider).to_have_value(where[2])


def test_a_moved_cursor_costs_little(page, address):
    received, complaints = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    page.goto(f"{address}side_by_side?frame=60")
    page.locator("canvas[data-mode]").nth(INSIDE).wait_for()
    settle(page, received)
    received.clear()
    page.get_by_role("slider", name="Frame").first.press("ArrowRight")
    page.wait_for_url(re.compile("frame=61"))
    expect(comparison(page, POSES).locator(".note")).to_contain_text("spatial-video, frame 61")
    settle(page, received)
    assert 0 < sum(received) <= LARGEST_STEP
    expect(page.get_by_role("alert")).to_have_count(0)
    assert complaints == []
