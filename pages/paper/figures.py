"""What was picked on the views, frame strips, annotated clips and tables, as files that papers and talks take."""

from dataclasses import replace

import streamlit as st

from freqviz import web
from freqviz.paper import objections

view = web.open_page("Paper figures", __doc__)
work = web.Paperwork(view)
sheet, strip, clip, table = st.tabs(
    ["Sheet", "Frame strip", "Annotated clip", "Tables"], key="made", on_change="rerun", bind="query-params"
)
if strip.open:
    with strip:
        work.strip()
if clip.open:
    with clip:
        work.clip()
if table.open:
    with table:
        work.table()
if sheet.open:
    with sheet:
        paper, venue = web.choose_paper()
        left, right = st.columns([3, 2], gap="large")
        with left:
            figure = web.arrange()
        preview = st.container(key="preview")
        with right, web.sentences():
            if figure is not None:
                figure = replace(figure, paper=paper)
                screen, height = web.drawn(figure)
                st.caption(f"True size: {paper.width:.3g} × {height:.2f} in.")
                for objection in objections(paper, height, venue):
                    st.warning(objection)
                web.offer_sheet(figure)
                preview.image(screen, width=round(96 * paper.width))
