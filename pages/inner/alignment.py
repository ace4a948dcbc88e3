"""From where a video network reads each neighbour for the key frame, and what is gained by it."""

import streamlit as st

from freqviz import figures_alignment as alignment
from freqviz import offsets, web

view = web.open_page("Alignment", __doc__)
ARROWS = {"True length": 1.0, "2 times as long": 2.0, "4 times as long": 4.0, "8 times as long": 8.0}


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which, where = web.cursor_row(4, 2, 3)
    frame = web.cursor(view, slider)
    network = which.selectbox("Network", view.networks, key="network", bind="query-params")
    window, place = web.Inside(view, frame, network), st.container(key="figures")
    with place, st.container(key="thirds"), web.sentences():
        scales = offsets.scales(window.trace)
        scale, tap, arrows = st.columns(3)
        stage = scales[scale.selectbox("Scale", scales, len(scales) - 1, key="scale", bind="query-params")]
        field = window.take("field", offsets.offsets, window.trace, stage)
        slots = {offsets.signed([slot]): slot for slot in field.slots}
        name = where.segmented_control(
            "Neighbour", slots, default="+1", required=True, key="neighbour", bind="query-params"
        )
        read = tap.selectbox("Tap", field.taps, None, placeholder="Mean of all", key="tap", bind="query-params")
        longer = ARROWS[arrows.selectbox("Arrows", ARROWS, key="arrows", bind="query-params")]
        slot, cuts, box, click = slots[name], window.cuts, window.box, web.choose_point
        left, middle, right = st.columns(3)
        with left:
            window.show(alignment.offset_arrows, cuts, field, slot, box, read, longer, height=350, on_click=click)
        with middle:
            window.show(alignment.neighbour, cuts, field, slot, read, False, height=350)
        with right:
            window.show(alignment.neighbour, cuts, field, slot, read, True, height=350)
        left, middle, right = st.columns(3)
        with left:
            window.show(alignment.modulation_mask, field, slot, read, height=415)
        with middle:
            window.show(alignment.difference_to_key, cuts, field, slot, box, read, False, height=415)
        with right:
            window.show(alignment.difference_to_key, cuts, field, slot, box, read, True, height=415)
        point = st.selectbox(
            "Point to follow: click an arrow, choose a joint, or type x, y",
            view.joints,
            None,
            placeholder=f"{window.fastest}, the fastest joint",
            accept_new_options=True,
            key="point",
            bind="query-params",
        )
        window.show(alignment.landing, cuts, field, window.point(point), height=390)
    with place, web.sentences():
        window.show(alignment.global_shift, window.cuts, web.median_offsets(view, frame), height=420)


under_the_cursor()
