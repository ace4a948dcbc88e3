"""The app as it is served: app.py, a log, and what is said of errors that nobody foresaw.

`python -m freqviz.web` runs it.
"""

import streamlit as st

from freqviz import logs
from freqviz.web import faults, figure, library
from freqviz.web.ahead import AHEAD

logs.begin(library.RUNS / "log" / "freqviz.jsonl")
AHEAD.begin()
app = st.App(
    library.PROJECT / "app.py", routes=figure.ROUTES, middleware=figure.MIDDLEWARE, on_script_error=faults.tell
)
