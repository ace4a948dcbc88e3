"""What nobody foresaw: the visitor reads a sentence and an id, the log has the stack under the same id."""

import logging
from uuid import uuid4

import streamlit as st

from freqviz import jobs
from freqviz.jobs import QueueFull

_log = logging.getLogger("freqviz.web")


def tell(error: Exception) -> bool:
    """Say on the page that something went wrong; Streamlit calls it for every error that a script did not catch.

    Returns:
        True: Streamlit need not show it too.
    """
    if isinstance(error, QueueFull):  # a callback or a figure asked for one job too many
        st.error(f"{jobs.said(error)[:1].upper()}{jobs.said(error)[1:]}.")
        return True
    fault = uuid4().hex[:8]
    _log.error("fault on a page", exc_info=error, extra={"facts": {"fault": fault}})
    st.error(
        f"Something went wrong here that should not have; what was computed before is kept. Reload the page to go on. "
        f"Whoever runs this server finds the reason in its log under fault {fault}."
    )
    return True
