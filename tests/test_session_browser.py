"""Does a session that a browser saves open in another server, and does a link wait for the clip that it names?"""

import hashlib
import re
import zipfile
from urllib.parse import parse_qs, urlparse

import pytest
from browsing import ROOT, idle, note, serve
from conftest import walking_frames
from playwright.sync_api import expect

from freqviz.video import write_video


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A server that has analysed nothing."""
    runs = tmp_path_factory.mktemp("elsewhere")
    with serve(runs, tmp_path_factory.mktemp("log") / "log", "streamlit", "run", str(ROOT / "app.py")) as address:
        yield address


def test_a_session_saved_here_opens_there_at_its_view(address, elsewhere, window, tmp_path):
    page = window.new_page()
    page.goto(f"{address}alignment?frame=41&network=freq-video&neighbour=%E2%88%922&tap=up+left&scale=stride+16")
    expect(note(page, "Where a point lands")).to_be_visible()
    idle(page)
    page.get_by_role("button", name="Save session").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "sample.freqviz.zip"
    with zipfile.ZipFile(file) as archive:
        assert {"run.json", "session.json", "clip.mp4", "deep-freq-video-41.npz"} <= set(archive.namelist())
    page.goto(f"{elsewhere}?part=2&part=40&box=100,60,120,190")
    expect(page.get_by_text("Press Run to find the poses.")).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.get_by_text("From a session file.")).to_be_visible()
    expect(page.locator(".picture")).to_have_attribute("data-frame", "41")
    idle(page)
    with window.expect_page() as other:
        page.get_by_role("link", name="The view that was saved").click()
    view = other.value
    for _ in range(2):
        expect(view.get_by_role("heading", level=1)).to_have_text("Alignment")
        expect(note(view, "Alignment offsets")).to_contain_text("Neighbour −2, freq-video, stride 16, up left")
        expect(view.get_by_role("slider", name="Frame")).to_have_value("41")
        asked = parse_qs(urlparse(view.url).query)
        assert (asked["frame"], asked["tap"], asked["scale"]) == (["41"], ["up left"], ["stride 16"])
        assert asked["clip"][0].endswith(".session")
        view.reload()
    view.close()
    page.goto(f"{address}spectra?frame=7&network=spatial-video")  # where every choice is bound to the address
    expect(page.get_by_text("Frame and features on one axis")).to_be_visible()
    idle(page)
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.get_by_text("From a session file.")).to_be_visible()
    page.wait_for_url(re.compile("clip=sample.*session"))
    expect(page.get_by_role("slider", name="Frame")).to_have_value("41")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.close()


def test_a_link_to_a_clip_that_is_not_here_opens_once_the_clip_is_uploaded(elsewhere, window, tmp_path):
    page, clip = window.new_page(), write_video(tmp_path / "walk.mp4", walking_frames(12, size=(288, 384)), 25)
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()[:8]
    page.goto(f"{elsewhere}?clip=theirs-{digest}.mp4&box=20,40,24,48&part=2&part=9")
    expect(page.get_by_text(f"The clip theirs-{digest}.mp4 is not on this machine")).to_be_visible()
    idle(page)
    assert parse_qs(urlparse(page.url).query)["box"] == ["20,40,24,48"]
    page.locator("input[type=file]").first.set_input_files(clip)
    for _ in range(2):
        expect(page.get_by_role("textbox", name="Box in the first frame")).to_have_value("20,40,24,48")
        page.wait_for_url(re.compile(f"clip=walk-{digest}.mp4"))
        asked = parse_qs(urlparse(page.url).query)
        assert (asked["box"], asked["part"]) == (["20,40,24,48"], ["2", "9"])
        page.reload()
    page.close()
