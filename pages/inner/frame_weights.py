"""How much each frame of a window counts: its weight inside the network, and what the pose would be without it."""

import streamlit as st

from freqviz import web

view = web.open_page("Frame weights and influence", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, choice = web.cursor_row(3, 2)
    frame = web.cursor(view, slider)
    network = choice.selectbox("Network", view.networks, key="network", bind="query-params")
    counted = web.Weights(view, frame, network)
    counted.begin()
    with st.container(key="figures"):
        with web.sentences():
            counted.strip(network)
        left, right = st.columns(2)
        with left, web.sentences():
            st.markdown(counted.weighing())
            counted.bars()
        with right, web.sentences():
            st.markdown(counted.influencing())
            counted.influence_bars()
        left, right = st.columns(2)
        with left, web.sentences():
            counted.over_clip(network)
        with left, web.sentences():
            counted.effective()
        with right, web.sentences():
            counted.influence_by_joint(network)
        left, right = st.columns(2)
        with left, web.sentences():
            blur = st.selectbox("Blur", view.blurs, format_func=view.label, key="blur", bind="query-params")
            counted.against_blur(blur)
        with right, web.sentences():
            counted.influence_against_weight()
        left, right = st.columns(2)
        with left, web.sentences():
            counted.attention(network)
        with right, web.sentences():
            counted.bands(network)


under_the_cursor()
