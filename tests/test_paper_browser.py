"""Do figures leave the page in a browser: as files, and by way of the sheet?"""

import io
import re
import zipfile

import pytest
from browsing import idle
from playwright.sync_api import Page, expect
from pypdf import PdfReader

FORMS = {"PDF": b"%PDF", "SVG": b"<?xml", "PNG": b"\x89PNG", "Data": b"PK", "Bundle": b"PK"}


@pytest.fixture
def page(address, window):
    page = window.new_page()
    page.goto(f"{address}frame_weights?frame=41&network=freq-video")
    expect(page.get_by_text("Key frame 41.").first).to_be_visible()
    still(page)
    yield page
    page.close()


def still(page: Page) -> None:
    idle(page)
    page.wait_for_timeout(1000)


def row(page: Page, title: str):
    """What stands under a figure."""
    return page.locator(f".st-key-recipe-of-{title.replace(' ', '-').replace(',', '-')}").first


def open_export(page: Page, title: str) -> None:
    still(page)
    button = row(page, title).get_by_role("button", name="Export")
    button.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    button.click()
    page.wait_for_timeout(2000)


def download(page: Page, name: str) -> bytes:
    """A file whose button says its size; what takes long is made first."""
    make = page.get_by_role("button", name=f"Make {name}", exact=True)
    ready = page.get_by_role("button", name=re.compile(rf"^(download )?{name} · [\d.]+ [kM]B$"))
    expect(make.or_(ready).last).to_be_visible()
    if make.count():
        make.last.click()
    expect(ready.last).to_be_visible()
    still(page)
    with page.expect_download() as waiting:
        ready.last.click()
    return waiting.value.path().read_bytes()


def test_a_figure_leaves_as_files_and_by_way_of_the_sheet(page):
    open_export(page, "Frame weights")
    for form, start in FORMS.items():
        data = download(page, form)
        assert data.startswith(start), form
        if form == "PDF":
            (sheet,) = PdfReader(io.BytesIO(data)).pages
            assert float(sheet.mediabox.width) == pytest.approx(3.25 * 72, abs=0.7)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {"frame-weights.pdf", "frame-weights.tex", "figure.json", "caption.txt"} <= set(names)
    page.get_by_role("button", name="Add to the sheet").click()
    expect(page.get_by_role("button", name="On the sheet")).to_be_disabled()
    page.keyboard.press("Escape")
    open_export(page, "Effective number of frames")
    page.get_by_role("button", name="Add to the sheet").click()
    expect(page.get_by_role("button", name="On the sheet").last).to_be_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Paper figures").click()
    expect(page.get_by_text("(a) Frame weights")).to_be_visible()
    expect(page.get_by_text("(b) Effective number of frames")).to_be_visible()
    preview = page.locator(".st-key-preview img")
    expect(preview).to_be_visible()
    expect(page.get_by_text(re.compile(r"True size: 6\.88 × \d"))).to_be_visible()
    assert preview.bounding_box()["width"] == pytest.approx(6.875 * 96, abs=1)
    data = download(page, "PDF")
    (sheet,) = PdfReader(io.BytesIO(data)).pages
    assert float(sheet.mediabox.width) == pytest.approx(6.875 * 72, abs=0.7)
    assert "(b) Effective number of frames" in sheet.extract_text()
    page.locator(".st-key-Later-0 button").first.click()
    expect(page.get_by_text("(a) Effective number of frames")).to_be_visible()
    with zipfile.ZipFile(io.BytesIO(download(page, "Bundle"))) as bundle:  # asked for while the sheet is drawn anew
        assert bundle.read("caption.txt").decode().startswith("(a) Effective number of frames.")
        assert {"figure-a.csv", "figure-b.csv", "figure.html", "figure.json"} <= set(bundle.namelist())
    page.locator(".st-key-Remove-1 button").first.click()
    expect(page.get_by_text("(b) Frame weights")).to_have_count(0)


def test_an_annotated_clip_plays_in_the_browser(page):
    page.get_by_role("link", name="Paper figures").click()
    page.get_by_role("tab", name="Annotated clip").click()
    data = download(page, "MP4")
    assert data[4:8] == b"ftyp"
    video = page.locator("video").last
    expect(video).to_be_visible()
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert video.evaluate("v => [v.error, v.duration > 3.9, v.videoWidth % 2]") == [None, True, 0]
    video.evaluate("v => { v.muted = true; return v.play() }")
    page.wait_for_function("document.querySelector('video').currentTime > 0.2")


def test_a_long_export_is_cancelled_from_the_page(page, runs):
    page.get_by_role("link", name="Paper figures").click()
    page.get_by_role("tab", name="Annotated clip").click()
    page.get_by_text("Truth", exact=True).click()  # another clip than that of the test above
    page.get_by_role("button", name="Make MP4", exact=True).click()
    page.get_by_role("button", name="Make GIF", exact=True).click()  # waits for the other one
    page.locator("[class*='st-key-cancel-GIF'] button").click()
    expect(page.get_by_text("GIF was cancelled; nothing is left of it.")).to_be_visible()
    expect(page.get_by_role("button", name="Make GIF", exact=True)).to_be_enabled()
    assert not list((runs / "exports").rglob("*gif*"))  # what lies aside there is the MP4
