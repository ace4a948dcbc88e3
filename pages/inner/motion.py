"""Where local spectra change from frame to frame, and where a place of the key frame is found again."""

import streamlit as st

from freqviz import figures_motion, motion, web

view = web.open_page("Motion", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which, when = web.cursor_row(4, 2, 3)
    frame = web.cursor(view, slider)
    network = which.selectbox("Network", view.networks, key="network", bind="query-params")
    window, place = web.Inside(view, frame, network), st.container(key="figures")
    with place, st.container(key="thirds"), web.sentences():
        cuts, steps = window.cuts, figures_motion.steps(len(window.cuts))
        names = list(steps)
        chosen = when.selectbox("Step", names, len(names) // 2, key="step", bind="query-params")
        asked = st.selectbox(
            "Point to follow: click the map, choose a joint, or type x, y",
            view.joints,
            None,
            placeholder=f"{window.fastest}, the fastest joint",
            accept_new_options=True,
            key="point",
            bind="query-params",
        )
        point, step = window.point(asked), steps[chosen]
        left, right = st.columns(2)
        with left:
            click = web.choose_point
            window.show(figures_motion.frequency_motion, cuts, step, point, height=415, on_click=click)
        with right:
            window.show(figures_motion.change_at, cuts, step, point, height=415)
    with place, web.sentences():
        found = window.take("found", motion.matches, window.trace)
        window.show(figures_motion.found_again, found, window.point(asked), height=390)
        window.show(figures_motion.marginal, found, height=360)


under_the_cursor()
