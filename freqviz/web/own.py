"""Parameters of one's own for a network: uploaded, checked, and chosen among the networks."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

import models
from freqviz.web import library, visitor

LARGEST = models.own.LARGEST // 10**6  # MB


def ask(linked: Sequence[str]) -> None:
    """A button that opens the upload; and a word where a link names parameters that are not here.

    Args:
        linked: the networks that the link names.
    """
    state: Any = st.session_state
    if strange := [name for name in linked if name.endswith(".safetensors)") and name not in library.own_networks()]:
        told = ", ".join(library.plain(one).name[:100] for one in strange)
        st.warning(f"The parameters of {told} are not on this machine; upload them.")
    with st.popover("Your own parameters", type="tertiary", icon=":material/upload_file:"):
        if not visitor.PUBLIC:
            st.caption("Parameters of a network that is here.  \nA network of your own: see the README.")
        names = models.names()
        network = st.selectbox(
            "Network that they are of", names, len(names) - 1, key="own_network", bind="query-params"
        )
        turn = state.setdefault("own uploads", 0)
        st.file_uploader(
            "Parameters",
            type=["safetensors", "pth", "pt"] if models.own.PTH else "safetensors",
            key=f"own-{turn}",
            on_change=_take,
            args=(f"own-{turn}", network),
            max_upload_size=LARGEST,
            help=f"A safetensors file of at most {LARGEST} MB: all parameters, or those of the head, which then stands "
            "on the project's backbone. Every name, shape and number is checked; nothing in it is run."
            + (" A .pth or .pt of torch.save is kept as safetensors." if models.own.PTH else ""),
        )
    if refusal := state.get("own refusal"):
        st.error(refusal)


def _take(key: str, network: str) -> None:
    state: Any = st.session_state
    if name := visitor.hands_over(key, "own uploads", "own refusal", partial(library.add_weights, network)):
        state["networks"] = [*(one for one in state.get("networks", ()) if one != name), name]
