"""Is Plotly sent as a module that a browser can compile before a page asks for it, and is only that added?"""

import asyncio
import re

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from freqviz.web import figure

ANNOUNCED = f"<{figure.ADDRESS}>; rel=modulepreload"


def answer(path: str) -> tuple[int, Headers, str]:
    """Status, headers and text with which a server of our routes answers."""
    pages = [Route("/page", lambda _: HTMLResponse("page", headers={"Link": "<style.css>; rel=preload"}))]
    pages += [Route("/words", lambda _: PlainTextResponse("words"))]
    app = Starlette(routes=[*figure.ROUTES, *pages], middleware=figure.MIDDLEWARE)
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}, receive, send))
    text = b"".join(message["body"] for message in sent[1:]).decode()
    return sent[0]["status"], Headers(raw=sent[0]["headers"]), text


def test_a_page_announces_the_module_and_keeps_its_other_headers():
    assert answer("/page")[1].getlist("link") == ["<style.css>; rel=preload", ANNOUNCED]
    assert "link" not in answer("/words")[1]


def test_the_module_is_plotly_without_the_wrapper_of_older_loaders_under_any_base_of_the_page():
    bundle = figure.BUNDLE.read_text()
    for base in ("/", "/lab/", "/lab/freqviz/"):
        status, headers, sent = answer(base + figure.ADDRESS)
        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert "immutable" in headers["cache-control"]
        assert sent.startswith(figure.EAGER + "var Plotly=")
        assert re.findall(r"^export function (\w+)", sent, re.MULTILINE) == ["show", "drop"]
        assert "module.exports = factory()" in bundle
        assert "module.exports = factory()" not in sent
        assert 0 < len(bundle) + len(figure.OWN) - len(sent) < 2000, "all of it but for the wrapper"
    assert answer("/plotly-0.0.0.js")[0] == 404


def test_a_bundle_that_looks_otherwise_is_sent_as_it_is(tmp_path, monkeypatch):
    other = tmp_path / "plotly.min.js"
    other.write_text("window.Plotly = {react() {}};")
    monkeypatch.setattr(figure, "BUNDLE", other)
    assert figure.script() == f"{figure.EAGER}{other.read_text()}\nconst Plotly = window.Plotly;\n{figure.OWN}"
