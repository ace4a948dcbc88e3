"""How long a visitor waits until a page stands: a browser that no debugger listens to, as a visitor's own.

A tab that Playwright opens takes 0.3 s longer: stacks are taken of whatever asks for something. So the server under
test (`benchmarks.served`) sends a script along with each page, which tells it when all that is in sight stands; a tab
of a plain Chromium opens the addresses that are wanted, each in a process of its own, as the address bar does.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from urllib.request import urlopen

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE = 300  # seconds; longer means that something is wrong
FRAME = 87  # CSS pixels that the browser's own frame takes of a window's height
STANDS = """least => {
    const figures = [...document.querySelectorAll('.figure')], picture = document.querySelector('.scrubber .picture')
    const seen = figures.filter(figure => figure.getBoundingClientRect().top < innerHeight)
    return document.querySelector('.stStatusWidget, [data-stale=true]') === null && figures.length >= (least ?? 2)
        && figures.every(figure => figure.dataset.stands) && seen.every(figure => figure.dataset.stands === 'yes')
        && (!picture || picture.dataset.frame)
}"""  # figures further down are drawn when they come into sight
WATCH = f"""<script>if (location.hash === '#visit') {{
    const stands = {STANDS}
    const watch = setInterval(() => {{
        if (!stands()) return
        clearInterval(watch)
        fetch('/visits/stood?' + performance.now())
        setTimeout(close, 1000)
    }}, 20)
}}</script>""".encode()  # milliseconds since the page was asked for
OPENER = """<script>
const next = async () => { open(await (await fetch('next')).text(), '_blank', 'noopener'); next() }
next()
</script>"""


# ---- in the server under test


class Watched:
    """Every page carries the script."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-length"] = str(int(headers["content-length"]) + len(WATCH))
            elif message.get("body"):
                message = message | {"body": message["body"].replace(b"<head>", b"<head>" + WATCH, 1)}
            await send(message)

        page = scope["type"] == "http" and b"text/html" in dict(scope["headers"]).get(b"accept", b"")
        if page and not scope["path"].startswith("/visits"):
            unlike = b"accept-encoding", b"if-none-match"  # what comes is plain, and comes anew
            scope = scope | {"headers": [one for one in scope["headers"] if one[0] not in unlike]}
            await self.app(scope, receive, watched)
        else:
            await self.app(scope, receive, send)


MIDDLEWARE = [Middleware(Watched)]


def routes() -> list[Route]:
    """Addresses by which the benchmark, the opener's tab and the page that is opened know of each other."""
    wanted: dict[str, asyncio.Queue[str]] = {}  # by window
    stood: asyncio.Queue[str] = asyncio.Queue()

    def queue(request: Request) -> asyncio.Queue[str]:
        return wanted.setdefault(request.path_params["window"], asyncio.Queue())

    async def opener(_request: Request) -> Response:
        return HTMLResponse(OPENER)

    async def next_one(request: Request) -> Response:
        return PlainTextResponse(await queue(request).get())

    async def ask(request: Request) -> Response:
        queue(request).put_nowait(request.query_params["address"])
        return PlainTextResponse(await stood.get())

    async def tell(request: Request) -> Response:
        stood.put_nowait(request.url.query)
        return Response()

    return [
        Route("/visits/stood", tell),
        Route("/visits/{window}/opener", opener),
        Route("/visits/{window}/next", next_one),
        Route("/visits/{window}/ask", ask),
    ]


# ---- in the benchmark


@contextmanager
def window(chromium: list[str], server: str, height: int) -> Iterator[str]:
    """A plain browser, 1280 CSS pixels wide; what `stands_after` takes."""
    address = f"{server}visits/{height}/"
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        own = ["--headless=new", "--no-first-run", "--disable-popup-blocking", f"--user-data-dir={profile}"]
        command = [*chromium, *own, f"--window-size=1280,{height + FRAME}", f"{address}opener"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            yield address
            browser.terminate()


def stands_after(window: str, address: str) -> float:
    """Seconds until all in sight stands in a new tab."""
    with urlopen(f"{window}ask?{urlencode({'address': f'{address}#visit'})}", timeout=PATIENCE) as answer:
        return float(answer.read()) / 1e3
