"""What a network is given and makes of it, by frequency: in space and time, by direction, around joints, by stage."""

import streamlit as st

from freqviz import figures, web
from freqviz import figures_spectra as spectra

view = web.open_page("Spectra", __doc__)
WINDOWS = {"5, as the networks see": 5, "9": 9, "15": 15, "31": 31}


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which = web.cursor_row(3, 2)
    frame = web.cursor(view, slider)
    network = which.selectbox("Network", view.networks, key="network", bind="query-params")
    with st.container(key="figures"), web.sentences():
        window = web.Inside(view, frame, network)
        sharpest, name = window.sharpest()
        names, reference = (f"frame {view.number(frame)}", name), view.reference("Person")
        with st.container(key="thirds"):
            left, middle, right = st.columns(3)
            with left:
                window.show(spectra.amplitude, window.key, reference, height=415)
            with middle:
                window.show(spectra.phase, window.key, reference, height=415)
            with right:
                window.show(spectra.difference_to, window.key, sharpest, name, height=415)
        left, right = st.columns(2)
        with left:
            window.show(figures.radial_profile, window.key, sharpest, reference, figures.DB_RANGE, names, height=330)
            window.show(spectra.by_direction, window.key, sharpest, names, reference, height=330)
            with web.sentences():
                window.show(spectra.stages, window.trace, window.key, height=360)
        with right:
            length, axis = st.columns(2)
            count = length.selectbox("Frames of the window", WINDOWS, key="window", bind="query-params")
            across = axis.segmented_control(
                "Spatial frequency", ["horizontal", "vertical"], default="horizontal", required=True, key="axis",
                bind="query-params",
            )  # fmt: skip
            window.show(spectra.over_time, window.frames(WINDOWS[count]), across, height=330)
            window.show(spectra.around_joints, window.key, window.joints, reference, height=480)


under_the_cursor()
