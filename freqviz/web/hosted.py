"""Files that the browser fetches by an address of their own, for as long as the page shows them."""

import streamlit as st
from streamlit import runtime


def hosted(data: bytes | str, media_type: str, name: str) -> str:
    """The address of data, or of the file at a path, from the server's root; say it anew in every run of a page."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return (f"/{base}" if base else "") + runtime.get_instance().media_file_mgr.add(data, media_type, name)
