"""Does all work by keyboard alone, does every page fit a phone, and can its words be read in both themes?"""

import re

import pytest
from browsing import ROOT, TALL, rest
from playwright.sync_api import Page, expect

GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}  # of the pages: look.LIGHT.paper, look.DARK.paper
PATHS = ["", *(path.stem for path in sorted((ROOT / "pages" / "inner").glob("*.py")))]
FOCUSED = """() => {
    let one = document.activeElement
    while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
    const labels = one.getAttribute('aria-labelledby')
    const label = labels ? labels.split(' ').map(id => document.getElementById(id)?.textContent).join(' ') : ''
    const name = one.getAttribute('aria-label') || label || one.labels?.[0]?.textContent || one.textContent
    const kind = one.type === 'range' ? 'slider' : one.tagName.toLowerCase()
    return [one.getAttribute('role') || kind, name.trim()]
}"""
HARD_TO_READ = """() => {  // words whose contrast to their ground is below what WCAG AA asks for, with that contrast
    const colour = text => {
        const [red, green, blue, solid = 1] = text.match(/[-\\d.e]+/g).map(Number)
        const scale = text.startsWith('color(') ? 255 : 1
        return [red * scale, green * scale, blue * scale, solid]
    }
    const parent = one => one.parentElement || one.getRootNode().host
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]))
    const ground = one => {
        const layers = []
        for (let at = one; at; at = parent(at)) layers.push(colour(getComputedStyle(at).backgroundColor))
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255])
    }
    const light = rgb => {
        const [r, g, b] = rgb.map(v => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const found = []
    const look = root => root.querySelectorAll('*').forEach(one => {
        if (one.shadowRoot) look(one.shadowRoot)
        const text = [...one.childNodes].map(node => node.nodeType === 3 ? node.textContent : '').join('').trim()
        const seen = one.checkVisibility({visibilityProperty: true, opacityProperty: true})
        if (!text || !seen || !one.getBoundingClientRect().width) return
        if (one.closest('[disabled], style, script, [data-testid=stSliderThumbValue]')) return
        const style = getComputedStyle(one), size = parseFloat(style.fontSize)
        let solid = 1
        for (let at = one; at; at = parent(at)) solid *= Number(getComputedStyle(at).opacity)
        const below = ground(one), ink = colour(one instanceof SVGElement ? style.fill : style.color)
        const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * solid], below)), light(below)]
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
        if (contrast < (large ? 3 : 4.5)) found.push(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`)
    })
    look(document.querySelector('.stApp'))
    return [...new Set(found)]
}"""
STICKING_OUT = """() => [...document.querySelectorAll('.stMain *')].filter(one => {
    const fits = at => at.getBoundingClientRect().right <= innerWidth + 1
    if (fits(one)) return false
    for (let at = one.parentElement; at && !at.matches('.stMain'); at = at.parentElement)
        if (getComputedStyle(at).overflowX !== 'visible' && fits(at)) return false
    return true
}).map(one => `${one.tagName}.${one.className}`)"""


def tab_to(page: Page, role: str, name: str, key: str = "Tab") -> None:
    """Press Tab until something of a role, whose name begins so, has the focus."""
    passed = []
    for _ in range(150):
        page.keyboard.press(key)
        passed.append(page.evaluate(FOCUSED))
        if passed[-1][0] == role and passed[-1][1].startswith(name):
            return
    pytest.fail(f"no {role} '{name}' among {passed}")


def test_the_keyboard_scrubs_chooses_changes_the_page_and_opens_what_stands_under_a_figure(address, window):
    page = window.new_page()
    page.goto(f"{address}?frame=7")
    expect(page.locator(".picture")).to_have_attribute("data-frame", "7")
    rest(page, 4)
    tab_to(page, "slider", "Frame")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Key frame 8.")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("Key frame 18.")).to_be_visible()
    rest(page, 4)
    tab_to(page, "combobox", "Network")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("freq")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("network=freq-video"))
    rest(page, 4)
    tab_to(page, "a", "Alignment", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Alignment")
    expect(page.get_by_text("Neighbour +1, freq-video").first).to_be_visible()
    rest(page, 4)
    tab_to(page, "slider", "Frame")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("frame=19"))
    rest(page, 4)
    tab_to(page, "radio", "−2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Neighbour −1, freq-video").first).to_be_visible()
    rest(page, 4)
    tab_to(page, "button", "functionFormula")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Deformable ConvNets v2").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Deformable ConvNets v2").first).to_be_hidden()
    page.close()


@pytest.mark.parametrize("path", PATHS)
def test_words_can_be_read_in_both_themes_and_nothing_sticks_out_of_a_phone(page, address, path):
    page.set_viewport_size({"width": 1280, "height": TALL})
    page.goto(f"{address}{path}?frame=41&network=freq-video&length=15")
    for scheme, ground in GROUNDS.items():
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".stApp")).to_have_css("background-color", ground)
        rest(page, 4)
        found = page.evaluate(HARD_TO_READ)
        for _ in range(10):  # colours fade in
            if found:
                page.wait_for_timeout(500)
                found = page.evaluate(HARD_TO_READ)
        assert found == [], scheme
    page.set_viewport_size({"width": 390, "height": TALL})
    page.wait_for_timeout(1000)
    rest(page, 4)
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390
    assert page.evaluate(STICKING_OUT) == []
