"""Two networks under one cursor: where they differ, which is nearer the truth, and what each costs."""

from functools import partial

import streamlit as st

from freqviz import run, web

view = web.open_page("Side by side", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, left, right = web.cursor_row(4, 2, 2)
    frame = web.cursor(view, slider)
    a = left.selectbox("A", view.networks, key="a", bind="query-params")
    b = right.selectbox("B", view.networks, min(1, len(view.networks) - 1), key="b", bind="query-params")
    others = [one for one in run.DEFAULT_MODELS if [one] != view.networks] if len(view.networks) < 2 else []
    with st.container(key="figures"), web.sentences(partial(web.offer, view, others)):
        sides = web.Sides(view, frame, a, b)
        view.begin(frame, (a, b))
        left, maps = st.columns(2)
        with left, web.sentences():
            sides.jumps()
            sides.poses()
        with maps:
            chosen = sides.inside()
        left, right = st.columns(2)
        with left, web.sentences():
            sides.ranking()
        with right, web.sentences():
            sides.disagreement()
        quantity = sides.quantity()
        left, right = st.columns(2)
        with left, web.sentences():
            sides.over_clip(quantity)
        with right, web.sentences():
            sides.paired(quantity)
        if sides.pair.truth is not None:
            left, right = st.columns(2)
            with left, web.sentences():
                sides.accuracy()
            with right, web.sentences():
                sides.error_by_joint()
        left, _ = st.columns(2)
        with left, web.sentences():
            sides.cost()
        with maps, web.sentences():  # last: networks run for it, and the rest is there by then
            sides.inner(*chosen)


under_the_cursor()
