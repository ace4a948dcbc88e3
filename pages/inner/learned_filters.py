"""What the learned filter of a video network does to each frequency, and to the features of this window."""

import streamlit as st

from freqviz import crops, web
from freqviz import figures_dct as dct
from freqviz import figures_filters as filters

view = web.open_page("Learned filters", __doc__)


@st.fragment(key="under the cursor")
def under_the_cursor() -> None:
    slider, which, channels, where = web.cursor_row(4, 2, 2, 3)
    frame = web.cursor(view, slider)
    network = which.selectbox("Network", view.networks, key="network", bind="query-params")
    with st.container(key="figures"), st.container(key="thirds"), web.sentences():
        window = web.Inside(view, frame, network)
        if window.trace.stages("gate_rate"):
            window.show(dct.gate, window.trace, height=400)
            window.show(dct.fewer, network, height=330)
            return
        kinds = filters.kinds(window.trace)
        kind = None
        if len(kinds) > 1:
            kind = st.segmented_control(
                "Filter", kinds, format_func=lambda one: one.replace("_", " "), default=kinds[0], required=True,
                key="filter", bind="query-params",
            )  # fmt: skip
        size = [] if window.size == crops.SIZE else [window.size]
        learnt = window.take("learnt", filters.learned, window.trace, *([window.size, kind] if kind else size))
        ranked = {f"{channel} (rank {rank})": channel for rank, channel in enumerate(learnt.order, start=1)}
        channel = ranked[channels.selectbox("Channel", ranked, key="channel", bind="query-params")]
        window.show(filters.gallery, learnt, height=430)
        label = "Leave the identity out of the kernel"
        identity = not learnt.branch and st.toggle(label, True, key="less_identity", bind="query-params")
        left, middle, right = st.columns(3)
        with left:
            window.show(filters.gain, learnt, channel, height=415)
        with middle:
            window.show(filters.phase, learnt, channel, height=415)
        with right:
            window.show(filters.kernel, learnt, channel, identity, height=415)
        if not learnt.branch:
            slots = {"−2": -2, "−1": -1, "+1": 1, "+2": 2}
            name = where.segmented_control(
                "Neighbour", slots, default="+1", required=True, key="neighbour", bind="query-params"
            )
            for column, part in zip(st.columns(3), filters.EFFECTS, strict=True):
                with column:
                    window.show(filters.effect, window.trace, channel, slots[name], part, *size, height=415)
        window.show(filters.radial_gain, learnt, channel, height=330)
        if window.trace.stages("temporal_filter"):
            window.show(filters.temporal_gain, window.trace, *size, height=330)


under_the_cursor()
