"""Where both video networks see the joints, what blur does to the spectrum, and which frames counted."""

import streamlit as st

from freqviz import figures, web

view = web.open_page("Poses and spectra under blur", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, choice = web.cursor_row(3, 2)
    frame = web.cursor(view, slider)
    region = choice.segmented_control(
        "Look at", view.regions, default="Person", required=True, key="region", bind="query-params"
    )
    with st.container(key="figures"):
        left, right = st.columns([3, 2])
        with left:
            panel = figures.pose_overlay(view.clip[frame], view.poses(frame), view.truth(frame))
            web.show(panel, 400, view.limits(frame, region))
        with right, web.sentences():
            pixels, reference = view.region(frame, region), view.reference(region)
            web.show(figures.power_spectrum(pixels, reference=reference), 400)
        left, right = st.columns(2)
        with left, web.sentences():
            web.show(figures.frame_weights(view.traces, frame), 350)
        with right, web.sentences():
            across, up = st.columns(2)
            blur = across.selectbox("Blur", view.blurs, format_func=view.label, key="blur", bind="query-params")
            energy = up.selectbox("Energy", view.energies, key="energy", bind="query-params")
            web.show(figures.blur_against_energy(view.table, blur, energy, frame), 280)


under_the_cursor()
