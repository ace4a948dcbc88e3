"""Where both video networks see the joints, what blur does to the spectrum, and which frames counted."""

import streamlit as st

from freqviz import web

view = web.open_page("Poses and spectra under blur", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    region = st.segmented_control(
        "Look at", view.regions, default="Person", required=True, key="region", bind="query-params"
    )
    frame = web.scrubber(view, region)
    first = web.First(view, frame, region)
    st.markdown(view.reading(frame))
    first.poses()
    with st.container(key="figures"):
        left, right = st.columns(2)
        with left, web.sentences():
            network = st.selectbox("Network", view.networks, key="network", bind="query-params")
            first.weights.over_clip(network, view.trouble)
        with left, web.sentences():
            first.weights.bars()
        with right, web.sentences():
            joint = st.selectbox(
                "Heatmap", view.joints, None, placeholder="Choose a joint", key="joint", bind="query-params"
            )
            if joint:
                first.heatmap(network, joint)
            first.spectrum()
            first.profile()
        with left, web.sentences():
            choose_blur, choose_energy = st.columns([2, 3])
            blur = choose_blur.selectbox("Blur", view.blurs, format_func=view.label, key="blur", bind="query-params")
            energy = choose_energy.selectbox("Energy", view.energies, key="energy", bind="query-params")
            first.weights.scatter(blur, energy, 330)


under_the_cursor()
