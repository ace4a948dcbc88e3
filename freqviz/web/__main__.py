"""Analyse the sample clip where that has not been done, then serve the page: python -m freqviz.web

One process does both, so the first visitor finds the libraries loaded. Options are those of `streamlit run`,
such as --server.port 8600. FREQVIZ_LOG names the file of the log, or is "-" for the terminal; else runs/log.
"""

import gc
import sys

from rich.progress import Progress
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from freqviz import run
from freqviz.jobs import keep_memory, never
from freqviz.web import library, work


def prepare() -> None:
    """Bring the analysis of the sample clip into the store, which takes seconds once, and what pages say of networks.

    What is counted here the first visitor does not wait for.
    """
    truth = library.truth(library.SAMPLE)
    box = truth.box if truth else None
    request = work.Request(library.SAMPLE, work.BOX, box, tuple(work.defaults()), "auto")
    if request.missing:
        return
    planned = request.run()
    if work.STORE.find(planned.key) is None:
        with Progress() as bars:
            bar = bars.add_task("freqviz: analysing the sample clip")
            work.analyse(planned, lambda done, total: bars.update(bar, completed=done, total=total), never)
    if analysis := work.finished(planned.key):
        run.costs(analysis)


if __name__ == "__main__":
    keep_memory()
    prepare()
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after every script: what the libraries hold need not be searched each time
    PagesManager.uses_pages_directory = False  # st.navigation lists them; else the first link finds "no such page"
    sys.argv = ["streamlit", "run", str(library.PROJECT / "serve.py"), *sys.argv[1:]]
    cli.main()
