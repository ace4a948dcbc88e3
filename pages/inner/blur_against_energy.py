"""Whether blur explains energy and weight over the clip, and what happens when one frame is blurred on purpose."""

import numpy as np
import streamlit as st

from freqviz import reading, web
from freqviz.influence import Change

view = web.open_page("Blur against energy", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, choice = web.cursor_row(3, 2)
    frame = web.cursor(view, slider)
    network = choice.selectbox("Network", view.networks, key="network", bind="query-params")
    held = web.Weights(view, frame)
    with st.container(key="figures"):
        left, right = st.columns(2)
        with left, web.sentences():
            one, other = st.columns([2, 3])
            blur = one.selectbox("Blur", view.blurs, format_func=view.label, key="blur", bind="query-params")
            quantity = other.selectbox("Energy or weight", held.quantities, key="quantity", bind="query-params")
            held.scatter(blur, quantity)
        with right, web.sentences():
            held.matrix(blur, quantity)
        st.subheader("Change one frame of this window", anchor=False)
        slot, length, angle, noise, light = st.container(key="controls").columns(5, gap="medium")
        place = slot.selectbox(
            "Changed frame",
            held.slots,
            held.slots.index(0),
            format_func=held.slot_name,
            key="slot",
            bind="query-params",
        )
        change = Change(
            length=length.slider("Motion blur (px)", 0, 60, 0, key="length", bind="query-params"),
            angle=np.radians(angle.slider("Direction (°)", 0, 175, 0, 5, key="angle", bind="query-params")),
            sigma=noise.slider("Noise (of grey range)", 0.0, 0.2, 0.0, 0.01, key="noise", bind="query-params"),
            gain=light.slider("Brightness (times)", 0.1, 3.0, 1.0, 0.1, key="gain", bind="query-params"),
        )
        with web.sentences():
            found = held.intervention(network, place, change)
            st.markdown(reading.change(found))
            held.show_intervention(found)


under_the_cursor()
