"""Every network: what it is, what it costs, how it was trained and how it scores on people it has never seen."""

import streamlit as st

from freqviz import web
from freqviz.web import shelf

web.open_shelf("Networks", __doc__)
with web.sentences():
    table = shelf.overview()
    left, right = st.columns(2, gap="large")
    with left:
        name = shelf.choose(table)
        shelf.card(table, name)
    with right:
        shelf.cost(table)
        shelf.training(name)
    shelf.scores(name)
    shelf.heads(name)
