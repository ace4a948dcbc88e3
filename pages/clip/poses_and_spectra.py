"""Where both video networks see the joints, what blur does to the spectrum, and which frames counted."""

import streamlit as st

from freqviz import figures, web

view = web.open_page("Poses and spectra under blur", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    region = st.segmented_control(
        "Look at", view.regions, default="Person", required=True, key="region", bind="query-params"
    )
    frame = web.scrubber(view, region)
    st.markdown(view.reading(frame))
    with st.container(key="figures"):
        left, right = st.columns(2)
        with left, web.sentences():
            network = st.selectbox("Network", view.networks, key="network", bind="query-params")
            weights = figures.frame_weights_over_clip(view.analysis.traces[network], frame, marks=view.trouble)
            web.show(weights, 240 + 20 * len(view.trouble))
        with left, web.sentences():
            web.show(figures.frame_weights(view.traces, frame), 330)
        with right, web.sentences():
            joint = st.selectbox(
                "Heatmap", view.joints, None, placeholder="Choose a joint", key="joint", bind="query-params"
            )
            if joint:
                web.show(view.heatmap(frame, network, joint), 400)
            pixels, reference = view.region(frame, region), view.reference(region)
            web.show(figures.power_spectrum(pixels, reference=reference), 400)
            web.show(view.radial_profile(frame, region), 330)
        with left, web.sentences():
            choose_blur, choose_energy = st.columns([2, 3])
            blur = choose_blur.selectbox("Blur", view.blurs, format_func=view.label, key="blur", bind="query-params")
            energy = choose_energy.selectbox("Energy", view.energies, key="energy", bind="query-params")
            web.show(figures.blur_against_energy(view.table, blur, energy, view.number(frame)), 330)


under_the_cursor()
