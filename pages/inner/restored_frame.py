"""The key frame beside what a deblurring network makes of it, and from which frames each frequency was taken."""

from functools import partial

import streamlit as st

from freqviz import figures_restored as figures
from freqviz import restoring, web

view = web.open_page("Restored frame", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which, blur = web.cursor_row(4, 2, 3)
    frame = web.cursor(view, slider)
    names = view.networks
    first = next((n for n, name in enumerate(names) if name in restoring.RESTORE), 0)
    network = which.selectbox("Network", names, first, key="network", bind="query-params")
    length = blur.slider("Blur added on purpose (input px)", 0, 40, 0, key="added", bind="query-params")
    instead = partial(web.offer, view, restoring.RESTORE)
    with st.container(key="figures"), st.container(key="thirds"), web.sentences(instead):
        window = web.Inside(view, frame, network)
        found = (
            window.take("found", restoring.after_blur, network, window.cuts, length)
            if length
            else window.take("found", restoring.restored, window.trace, window.cuts)
        )
        left, middle, right = st.columns(3)
        with left:
            window.show(figures.picture, found, "given", height=350)
        with middle:
            window.show(figures.picture, found, "restored", height=350)
        with right:
            if length:
                window.show(figures.picture, found, "true", height=350)
            else:
                window.show(figures.change, found, height=415)
        left, right = st.columns(2)
        with left:
            window.show(figures.by_frequency, found, height=360)
        with right:
            window.show(figures.shares, found, height=360)


under_the_cursor()
