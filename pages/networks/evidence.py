"""Where frequency helps a pose network and where it does not: every comparison on people that no network has seen."""

import streamlit as st

from freqviz import web
from freqviz.web import evidence

web.open_shelf("Evidence", __doc__)
with web.sentences():
    evidence.summary()
st.divider()
with web.sentences():
    evidence.question()
st.divider()
left, right = st.columns(2, gap="large")
with left, web.sentences():
    evidence.restoring()
with right, web.sentences():
    evidence.traps()
with left, web.sentences():
    evidence.accuracy()
st.divider()
with web.sentences():
    evidence.choices()
st.divider()
with web.sentences():
    evidence.cost()
st.divider()
with web.sentences():
    evidence.every_table()
