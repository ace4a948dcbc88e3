"""A figure on the page, drawn in the browser once it comes into sight: the Python side of figure.js.

Plotly and figure.js are sent as one module that the page names in its header, so that a browser compiles it while the
page is on its way: of 0.7 s that Plotly costs where it is loaded for the first figure, 0.3 s are left.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import plotly
import streamlit as st
from plotly.offline import get_plotlyjs_version
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from freqviz.web.hosted import hosted

BUNDLE = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
OWN = (Path(__file__).parent / "figure.js").read_text()
VERSION = f"{get_plotlyjs_version()}-{hashlib.sha256(OWN.encode()).hexdigest()[:8]}"
ADDRESS = f"plotly-{VERSION}.js"  # of the module, from the page's own
HOSTED = "text/javascript", "plotly"  # where the server is not ours
EAGER = "//# allFunctionsCalledOnLoad\n"  # a browser compiles all of it at once, beside the page
LOADER = """// Sent with every figure of every run: the rest is in the module.
export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".figure"), { module, height, alt } = data;
  place.style.height = `${height}px`;
  place.ariaLabel = alt;
  place.dataset.stands ??= "no";
  const library = import(new URL(module, document.baseURI));
  library.then(({ show }) => show(place, data, setTriggerValue)).catch((error) => {
    place.textContent = `This figure cannot be drawn: ${error.message}`;
  });
  return () => library.then(({ drop }) => drop(place), () => {});
}
"""
_component = st.components.v2.component(
    "freqviz_figure", html='<div class="figure" role="img"></div>', js=LOADER, isolate_styles=False
)  # Plotly's rules lie in the document


def draw(figure: str, height: int, alt: str, key: str, on_click: Callable[[], None] | None = None) -> None:
    """Show a figure.

    In `on_click`, `st.session_state[key]["click"]` is {"x": number, "y": number} of the clicked point.

    Args:
        figure: data and layout as `to_plotly.sent` gives them.
        height: of the figure, CSS pixels.
        alt: what is told instead of shown.
        key: of the component.
        on_click: called in a new script run.
    """
    module = ADDRESS if Announced.at_work or not runtime.exists() else hosted(_encoded(), *HOSTED)
    data = {"figure": figure, "height": height, "alt": alt, "module": module, "clicks": on_click is not None}
    _component(key=key, data=data, on_click_change=on_click or (lambda: None))


# ---- what the server is told of it


def script() -> str:
    """The module: what is inside Plotly's wrapper for older loaders, else a browser reads it all twice; figure.js."""
    bundle = BUNDLE.read_text()
    inside = re.search(r"^\"use strict\";(var Plotly=.*)^window\.Plotly = Plotly;$", bundle, re.DOTALL | re.MULTILINE)
    return "\n".join([f"{EAGER}{inside[1]}" if inside else f"{EAGER}{bundle}\nconst Plotly = window.Plotly;", OWN])


@lru_cache(maxsize=1)
def _encoded() -> bytes:
    return script().encode()


def _send(_request: Request) -> Response:
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_encoded(), media_type="text/javascript", headers=forever)


class Announced:
    """Every page says in its header that it will want Plotly."""

    at_work = False  # whether this process serves so, and not as `streamlit run app.py` does

    def __init__(self, app: ASGIApp):
        self.app = app
        Announced.at_work = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", f"<{ADDRESS}>; rel=modulepreload")
            await send(message)

        await self.app(scope, receive, announce if scope["type"] == "http" else send)


ROUTES = [Route(f"/{{base:path}}{ADDRESS}", _send)]  # where --server.baseUrlPath has put the page
MIDDLEWARE = [Middleware(Announced)]
