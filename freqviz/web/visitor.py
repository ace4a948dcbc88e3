"""Who visits. In a lab all visitors are one; in public each has a secret, and sees what is theirs or named in a link.

Public is what `python -m freqviz.web --public` serves. There the name of an upload holds a key that nobody guesses:
who has the name, which is what a link holds, may open the upload; who uploaded it in this visit may change and remove
it, and finds it in the lists.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from freqviz import jobs

PUBLIC = os.environ.get("FREQVIZ_PUBLIC") == "1"
UPLOAD = 100  # MB of one upload in public
BUDGET = 500 * 10**6  # bytes that one visit may keep in public
Found = TypeVar("Found")
LINKED = ("clip", "boxes", "networks")  # what a link may name


def digits() -> int:
    """How many hexadecimal digits of a key stand in the name of an upload."""
    return 32 if PUBLIC else 8


def key(data: bytes) -> str:
    """The key of an upload: in a lab digits of its SHA-256, in public salted with the visitor's secret."""
    digest = hashlib.sha256(data).hexdigest()
    return hmac.new(_secret(), digest.encode(), "sha256").hexdigest()[:32] if PUBLIC else digest[:8]


def tag() -> str:
    """What notes of this visitor are marked with; empty in a lab. It gives nothing of the secret away."""
    return hashlib.sha256(b"tag" + _secret()).hexdigest()[:16] if PUBLIC else ""


def sees(name: str) -> bool:
    """Whether an upload stands in the lists of this visitor: it is theirs, or their link has named it."""
    if not PUBLIC or owns(name):
        return True
    state: Any = st.session_state
    granted = state.setdefault("granted", set())
    for value in (value for word in LINKED for value in st.query_params.get_all(word)):
        granted |= {value, value.rpartition(" (")[2].removesuffix(")")}  # or a network: freq-video (mine.safetensors)
    return name in granted


def owns(name: str) -> bool:
    """Whether an upload may be changed and removed by this visitor."""
    return not PUBLIC or name in _own()


def afford(size: int) -> None:
    """Ask whether an upload may be kept.

    Raises:
        ValueError: it is too large, or the visit has kept too much; one sentence.
    """
    if not PUBLIC:
        return
    if size > UPLOAD * 10**6:
        raise ValueError(f"an upload has at most {UPLOAD} MB here, this one has {size / 1e6:.0f} MB")
    spent = sum(_own().values())
    if spent + size > BUDGET:
        raise ValueError(
            f"a visit may keep {BUDGET / 1e6:.0f} MB here; {spent / 1e6:.1f} MB are kept and this upload has "
            f"{size / 1e6:.1f} MB: remove a clip under “Recent clips” first"
        )


def take(name: str, size: int) -> str:
    """Note that an upload is this visitor's; its name."""
    if PUBLIC:
        _own()[name] = size
    return name


def drop(name: str) -> None:
    """Note that an upload is gone."""
    if PUBLIC:
        _own().pop(name, None)


def said(error: Exception | str) -> str:
    """What went wrong, as a sentence in which nothing that came from a file is markup.

    In public without the folders of paths that it names.
    """
    text = " ".join(str(error).split()).strip("'").rstrip(".")
    if PUBLIC:
        text = re.sub(r"(?<![\w:.])/(?:[^\s/'\"]+/)+", "", text)
    return re.sub(r"([\\*`\[\]$<>~])", r"\\\1", text) + "."


def hands_over(key: str, count: str, refusal: str, keep: Callable[[str, bytes], Found]) -> Found | None:
    """Give what was just uploaded to `keep`, by its name and bytes; what that returns, None where nothing was kept.

    Args:
        key: of the uploader.
        count: in the session's state, how many files came: the next uploader is another one, and empty.
        refusal: there, what was wrong with the file in a sentence; empty where it was kept.
        keep: raises ValueError, LookupError or OSError where it refuses.
    """
    state: Any = st.session_state
    if (file := state[key]) is None:
        return None
    state[count] += 1
    try:
        found, state[refusal] = keep(file.name, file.getvalue()), ""
    except (ValueError, LookupError, OSError) as error:
        state[refusal] = said(error)
        return None
    return found


def session() -> jobs.Visitor:
    """Who looks at the page, for the queue: one session of the server, which ends with its tab."""
    context = get_script_run_ctx()
    return jobs.Visitor(context.session_id, partial(_here, context.session_id)) if context else jobs.SERVER


def _here(session: str) -> bool:
    return not runtime.exists() or bool(runtime.get_instance().is_active_session(session))


def _secret() -> bytes:
    state: Any = st.session_state
    return state.setdefault("secret", secrets.token_bytes(16))


def _own() -> dict[str, int]:
    state: Any = st.session_state
    return state.setdefault("kept here", {})
