"""Whether what is said of blur and spectra holds on this clip: each claim beside a quantity for which it should not."""

import streamlit as st

from freqviz import figures_claims as figures
from freqviz import web

view = web.open_page("Three claims", __doc__)
tested = web.Tested(view)
lengths = tested.found.lengths


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which = web.cursor_row(3, 2)
    frame = view.number(web.cursor(view, slider))
    length = which.selectbox("Added blur (px)", lengths, len(lengths) // 2, key="added", bind="query-params")
    with st.container(key="figures"):
        tested.verdict(0)
        left, right = st.columns(2)
        with left:
            tested.show(figures.transfer, length)
        with right:
            tested.show(figures.explained, length)
        tested.verdict(1)
        left, right = st.columns(2)
        with left:
            tested.show(figures.responses, frame)
        with right:
            tested.show(figures.effects)
        tested.verdict(2)
        left, right = st.columns(2)
        with left:
            tested.show(figures.correlations)
        with right:
            tested.show(figures.added)


under_the_cursor()
