"""In public, with a real server: two browsers, one link, and what the server refuses."""

import re
import shutil
import socket
import urllib.error
import urllib.request
from urllib.parse import urlparse

import pytest
from browsing import serve
from conftest import walking_frames
from playwright.sync_api import expect

from freqviz.video import write_video


@pytest.fixture(scope="module")
def public(known_sample, tmp_path_factory):
    """A public server, in whose store nobody has put anything yet."""
    runs, log = tmp_path_factory.mktemp("public"), tmp_path_factory.mktemp("server") / "log"
    if (known_sample / "results").exists():
        shutil.copytree(known_sample / "results", runs / "results")
    with serve(runs, log, "freqviz.web", "--public") as address:
        yield address


def shake_hands(address, host, origin):
    """The first line that the server answers to a browser's wish for a websocket."""
    with socket.create_connection(("127.0.0.1", urlparse(address).port), 20) as server:
        asked = (
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        server.sendall(asked.encode())
        return server.recv(100).decode(errors="replace").partition("\r\n")[0]


def test_the_very_first_request_may_be_a_link_to_a_page_with_its_own_choice(public, window):
    first = window.new_page()
    first.goto(f"{public}alignment?frame=7&network=freq-video")
    expect(first.get_by_text("Where a point lands")).to_be_visible()
    expect(first.get_by_role("heading", level=1)).to_have_text("Alignment")
    expect(first.get_by_text("Page not found")).to_have_count(0)
    expect(first.get_by_test_id("stSidebar").get_by_label("Clip", exact=False).first).to_be_visible()
    expect(first.get_by_role("slider", name="Frame")).to_have_value("7")
    expect(first.get_by_text("Neighbour +1, freq-video").first).to_be_visible()
    first.close()


def test_a_clip_is_there_for_who_uploaded_it_and_who_has_the_link(public, window, tmp_path):
    clip = write_video(tmp_path / "my_walk.mp4", walking_frames(8), 25)
    mine = window.new_page()
    mine.goto(public)
    mine.locator("input[type=file]").first.set_input_files(clip)
    expect(mine).to_have_url(re.compile(r"clip=my_walk-[0-9a-f]{32}\.mp4"))
    link = mine.url
    other = window.browser.new_context().new_page()
    other.goto(public)
    expect(other.get_by_text("Poses and spectra").first).to_be_visible()
    expect(other.get_by_test_id("stSidebar").get_by_text("Networks").first).to_be_visible()
    assert "my_walk" not in other.content()
    other.goto(re.sub(r"-[0-9a-f]{32}", "-" + "0" * 32, link))
    expect(other.get_by_text("is not on this machine")).to_be_visible()
    other.goto(link)
    expect(
        other.get_by_text("Press Run to find the poses.").or_(other.get_by_text("Draw or type the box"))
    ).to_be_visible()
    assert "my_walk" in other.content()
    other.context.close()
    mine.close()


def test_other_hosts_and_forms_without_their_token_are_refused(public):
    port = urlparse(public).port
    here = f"127.0.0.1:{port}"
    assert " 101 " in shake_hands(public, here, f"http://{here}")
    assert " 403 " in shake_hands(public, f"evil.example:{port}", f"http://evil.example:{port}")
    assert " 403 " in shake_hands(public, here, "http://evil.example")
    put = urllib.request.Request(f"{public}_stcore/upload_file/a/b", b"x", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(put, timeout=20)
    refused.value.close()
    assert refused.value.code in (400, 403)
    with urllib.request.urlopen(f"{public}_stcore/health", timeout=20) as answer:
        assert answer.read() == b"ok"
