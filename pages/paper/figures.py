"""What was picked on the views, arranged on one sheet as it will be printed, with all files that a paper needs."""

from dataclasses import replace

import streamlit as st

from freqviz import bundle, web
from freqviz.paper import objections

web.open_page("Paper figures", __doc__)
paper, venue = web.choose_paper()
left, right = st.columns([3, 2], gap="large")
with left:
    figure = web.arrange()
if figure is None:
    st.stop()
preview = st.container(key="preview")
with right, web.sentences():
    figure = replace(figure, paper=paper)
    screen, pdf, height = web.drawn(figure)
    size = bundle.in_words(len(pdf))
    st.caption(f"True size: {paper.width:.3g} × {height:.2f} in. The PDF has {size}.")
    for objection in objections(paper, height, venue):
        st.warning(objection)
    with st.container(horizontal=True):
        st.download_button("PDF", pdf, "figure.pdf", "application/pdf", on_click="ignore")
        web.download_bundle(figure)
    preview.image(screen, width=round(96 * paper.width))
