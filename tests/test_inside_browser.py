"""Do the pages about the inside of a network follow cursor, network and scale in a browser, and little travels?"""

import re
from urllib.parse import parse_qs, urlparse

import pytest
from browsing import LARGEST_STEP, PATIENCE, choose, idle, note, settle
from playwright.sync_api import Page, expect

from freqviz.poses import JOINTS

PAGES = {
    "alignment": "Alignment",
    "learned_filters": "Learned filters",
    "spectra": "Spectra",
    "heatmaps": "Heatmaps",
    "three_claims": "Three claims",
}


def values(page: Page, figure: int, kind: str, name: str) -> list:
    """An array, or rows, of the first trace of a kind in a figure, as the browser has it."""
    script = """([figure, kind, name]) => {
        const plot = document.querySelectorAll('.js-plotly-plot')[figure]
        const found = plot._fullData.find(trace => trace.type === kind)[name]
        return Array.from(found, one => one.length === undefined ? one : Array.from(one))
    }"""
    return page.evaluate(script, [figure, kind, name])


@pytest.mark.parametrize("path", PAGES)
def test_the_cursor_moves_every_figure_that_shows_a_frame_and_little_travels(page, address, path):
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    page.goto(f"{address}{path}?frame=40&network=freq-video")
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
    expect(page.get_by_text("Copy", exact=True).first).to_be_visible()
    settle(page, received)
    spoken = page.locator(".stMain").inner_text()
    received.clear()
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    page.wait_for_url(re.compile("frame=41"))
    settle(page, received)
    assert page.locator(".stMain").inner_text() != spoken
    assert 0 < sum(received) <= LARGEST_STEP
    expect(page.get_by_role("alert")).to_have_count(0)


def test_arrows_follow_scale_and_network_and_a_clicked_one_is_followed(page, address):
    page.goto(f"{address}alignment?frame=41&network=freq-video")
    arrows = note(page, "Alignment offsets")
    expect(page.locator(".js-plotly-plot")).to_have_count(8)
    expect(arrows).to_contain_text("freq-video, stride 4, mean of 4 groups")
    fine = values(page, 0, "quiver", "u")
    choose(page, "Scale", "stride 16")
    expect(arrows).to_contain_text("freq-video, stride 16, mean of 9 taps")
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullData.at(-1).x.length === 108")
    coarse = values(page, 0, "quiver", "u")
    assert (len(fine), len(coarse)) == (24 * 18, 12 * 9)
    choose(page, "Network", "spatial-video")
    expect(arrows).to_contain_text("spatial-video, stride 16")
    page.wait_for_function(f"document.querySelector('.js-plotly-plot')._fullData[1].u[5] !== {coarse[5]}")
    where = page.evaluate("""() => {
        const plot = document.querySelector('.js-plotly-plot')
        const {_fullLayout: {xaxis, yaxis}} = plot
        const {x, y} = plot.getBoundingClientRect()
        return [x + xaxis._offset + xaxis.l2p(71.5), y + yaxis._offset + yaxis.l2p(87.5)]
    }""")
    page.mouse.move(*where)
    page.mouse.click(*where)
    page.wait_for_url(re.compile("point="))
    assert parse_qs(urlparse(page.url).query)["point"] == ["72, 88"]
    expect(note(page, "Where a point lands")).to_contain_text("spatial-video, stride 16: (72.0, 88.0) of the key frame")


def test_filters_follow_channel_and_network_and_the_twin_shows_its_kernel(page, address):
    page.goto(f"{address}learned_filters?frame=41&network=freq-video")
    expect(page.locator(".js-plotly-plot")).to_have_count(8)
    expect(note(page, "Gallery of filters")).to_contain_text("freq-video. Distance from the identity")
    gain = note(page, "Gain")
    expect(gain).to_contain_text("(rank 1 of 16)")
    strongest = values(page, 1, "heatmap", "z")
    page.get_by_role("combobox", name="Channel").click()
    page.get_by_role("option", name="(rank 16)").click()
    expect(gain).to_contain_text("(rank 16 of 16)")
    page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot')[1]._fullData[0].z[3][4] !== {strongest[3][4]}"
    )
    choose(page, "Network", "spatial-video")
    expect(note(page, "Gallery of filters")).to_contain_text("1.15 is what the kernel had before training")
    expect(note(page, "Spatial kernel")).to_contain_text("15 × 15 cells, zeros outside the map")


def test_the_spectrum_over_time_follows_the_length_of_the_window(page, address):
    page.goto(f"{address}spectra?frame=41&network=freq-video")
    expect(page.locator(".js-plotly-plot")).to_have_count(8)
    expect(note(page, "Spectrum over time")).to_contain_text("5 frames.")
    expect(note(page, "Frame and features on one axis")).to_contain_text("end at 0.5, 0.125, 0.0625, 0.03125")
    choose(page, "Frames of the window", "15")
    expect(note(page, "Spectrum over time")).to_contain_text("15 frames.")
    assert parse_qs(urlparse(page.url).query)["window"] == ["15"]


def test_heatmaps_follow_joint_cursor_network_and_a_clicked_point(page, address):
    page.goto(f"{address}heatmaps?frame=41&network=freq-video&joint=left+wrist")
    place = note(page, "Heatmap on the frame")
    expect(place).to_contain_text("freq-video, left wrist: score")
    expect(place).to_contain_text("from the truth the largest cell lies")
    expect(page.locator(".js-plotly-plot")).to_have_count(7)
    decoded = "document.querySelectorAll('.js-plotly-plot')[1]._fullData.find(trace => trace.name === 'decoded').x[0]"
    wrist = page.evaluate(decoded)
    choose(page, "Joint", "right knee")
    expect(place).to_contain_text("freq-video, right knee: score")
    expect(note(page, "Amplitude by frequency")).to_contain_text("right knee: half the amplitude at freq-video")
    page.wait_for_function(f"{decoded} !== {wrist}")
    assert parse_qs(urlparse(page.url).query)["joint"] == ["right knee"]
    choose(page, "Network", "spatial-video")
    expect(place).to_contain_text("spatial-video, right knee: score")
    page.get_by_text("Show the whole cut").click()
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot')[1]._fullLayout.yaxis.range[0] === 191.5")
    before = place.inner_text()
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    page.wait_for_url(re.compile("frame=42"))
    expect(place).not_to_have_text(before)
    idle(page)
    page.wait_for_timeout(1000)
    joint, *where = page.evaluate("""() => {
        const plot = document.querySelectorAll('.js-plotly-plot')[6]
        const {_fullLayout: {xaxis, yaxis}, _fullData: [points]} = plot
        plot.scrollIntoView({block: 'center'})
        const {x, y} = plot.getBoundingClientRect()
        const scores = Array.from(points.x), joint = scores.indexOf(Math.min(...scores))
        return [joint, x + xaxis._offset + xaxis.d2p(points.x[joint]), y + yaxis._offset + yaxis.d2p(points.y[joint])]
    }""")
    assert JOINTS[joint] != "right knee"
    page.mouse.move(*where)
    page.mouse.click(*where)
    expect(place).to_contain_text(f"spatial-video, {JOINTS[joint]}: score")


def test_claims_are_measured_once_and_follow_length_and_cursor(page, address):
    page.goto(f"{address}three_claims?frame=41")
    expect(page.get_by_role("heading", level=3)).to_have_count(3, timeout=4 * PATIENCE)
    expect(page.get_by_text("Blur is easier to model in frequency")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    expect(note(page, "What blur does to each frequency")).to_contain_text("15 px on frames")
    names = """n => {
        const plot = document.querySelectorAll('.js-plotly-plot')[n]
        return Array.from(plot._fullData, trace => trace.name)
    }"""
    assert page.evaluate(names, 2) == ["shift by 4 px", "blur of 9 px", "frame 41 to the next"]
    choose(page, "Added blur (px)", "31")
    expect(note(page, "What blur does to each frequency")).to_contain_text("31 px on frames")
    expect(note(page, "Share of the change that is explained")).to_contain_text("31 px, all bands: whole picture")
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    page.wait_for_function(f"({names})(2)[2] === 'frame 42 to the next'")
    assert parse_qs(urlparse(page.url).query) == {"frame": ["42"], "added": ["31"]}
    expect(page.get_by_role("alert")).to_have_count(0)


def test_influence_and_intervention_follow_cursor_and_network(page, address):
    page.goto(f"{address}frame_weights?frame=20")
    expect(note(page, "Influence")).to_contain_text("Key frame 20")
    expect(note(page, "Influence on each joint")).to_contain_text("spatial-video")
    choose(page, "Network", "freq-video")
    expect(note(page, "Influence on each joint")).to_contain_text("freq-video")
    page.goto(f"{address}blur_against_energy?frame=41&network=freq-video&length=15")
    expect(page.get_by_text("Frame 41 was blurred by 15 px")).to_be_visible()
    expect(note(page, "The changed frame")).to_contain_text("Frame 41")


def test_a_restored_frame_is_shown_after_a_run_and_blur_that_is_added_is_measured(page, address):
    page.goto(f"{address}restored_frame?part=38&part=43&frame=40&network=freq-video")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("freq-video restores no frames; freq-deblur and freq-restored do")).to_be_visible()
    page.get_by_role("button", name="Run freq-deblur too").click()
    expect(note(page, "Key frame restored")).to_contain_text("freq-deblur. Power from .12 to .35 cycles/pixel")
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(note(page, "Restored less given")).to_be_visible()
    expect(page.get_by_role("combobox", name="Network", exact=True)).to_have_value("freq-deblur")
    page.goto(f"{page.url}&added=24")
    expect(note(page, "Key frame as it truly is")).to_be_visible()
    scores = [
        float(re.search(r"PSNR ([\d.]+) dB", note(page, title).inner_text())[1])
        for title in ("Key frame as given", "Key frame restored")
    ]
    assert scores[1] > scores[0] + 1
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    page.wait_for_url(re.compile("frame=41"))
    expect(note(page, "Key frame restored")).not_to_contain_text(f"PSNR {scores[1]:.2f} dB")


def test_after_a_run_boxes_say_which_networks_are_shown(page, address):
    page.goto(f"{address}side_by_side?part=38&part=42&frame=40&networks=spatial-video")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Run freq-video too").click()
    expect(page.get_by_text("Disagreement along the clip")).to_be_visible()
    for label, network in (("A", "spatial-video"), ("B", "freq-video")):
        expect(page.get_by_role("combobox", name=label, exact=True)).to_have_value(network)
    expect(page.get_by_role("combobox", name="Networks")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("too$"))).to_have_count(0)


def test_a_link_brings_its_joint_whatever_was_seen_before_and_a_change_of_page_keeps_the_address(page, address):
    page.goto(f"{address}heatmaps?frame=41&network=freq-video&joint=left+wrist")
    expect(note(page, "Heatmap on the frame")).to_contain_text("freq-video, left wrist: score")
    page.goto(f"{address}heatmaps?frame=30&network=freq-video&joint=right+knee")
    expect(note(page, "Heatmap on the frame")).to_contain_text("freq-video, right knee: score")
    asked = {"frame": ["30"], "network": ["freq-video"], "joint": ["right knee"]}
    page.get_by_role("link", name="Alignment").click()  # asks for no joint
    expect(page.get_by_text("Where a point lands")).to_be_visible()
    page.wait_for_url(re.compile("alignment.*frame=30"))
    assert parse_qs(urlparse(page.url).query) == asked
    page.get_by_role("link", name="Heatmaps").click()
    expect(note(page, "Heatmap on the frame")).to_contain_text("freq-video, right knee: score")
    page.wait_for_url(re.compile("heatmaps.*joint=right.knee"))
    assert parse_qs(urlparse(page.url).query) == asked
