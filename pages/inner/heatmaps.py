"""Where a network expects each joint, what decoding makes of it, and which frequencies its heatmaps hold."""

import streamlit as st

from freqviz import figures_heatmaps as figures
from freqviz import web
from freqviz.heatmaps import heatmaps

view = web.open_page("Heatmaps", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which, what = web.cursor_row(3, 2, 2)
    frame = web.cursor(view, slider)
    network = which.selectbox("Network", view.networks, key="network", bind="query-params")
    with st.container(key="figures"), web.sentences():
        window = web.Inside(view, frame, network)
        others = [name for name in view.networks if name != network]
        view.begin(frame, others)
        each = [window.take(f"maps_{n}", heatmaps, window.deep(name)) for n, name in enumerate([network, *others])]
        maps, truth = each[0], window.truth
        chosen = what.selectbox(
            "Joint",
            maps.joints,
            None,
            placeholder=f"{maps.least_certain}, the least certain",
            key="joint",
            bind="query-params",
        )
        joint = chosen or maps.least_certain
        with st.container(key="sheet"):
            window.show(figures.gallery, maps, joint, height=460)
        whole = st.toggle("Show the whole cut", key="whole", bind="query-params")
        with st.container(key="thirds"):
            left, middle, right = st.columns(3)
            with left:
                window.show(figures.on_the_frame, window.key, maps, joint, truth, not whole, height=430)
            with middle:
                window.show(figures.moves, maps, joint, height=380)
            with right:
                if truth is None:
                    st.info("This frame has no true joints, so nobody knows whether decoding brings joints nearer.")
                else:
                    window.show(figures.errors, maps, truth, joint, height=380)
            left, middle, right = st.columns(3)
            with left:
                window.show(figures.spectrum, maps, joint, height=430)
            with middle:
                window.show(figures.radial, each, joint, height=360)
            with right:
                window.show(figures.spread, each, joint, height=360, on_click=web.choose_joint(each))


under_the_cursor()
