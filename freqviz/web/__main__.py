"""Analyse the sample clip where that has not been done, then serve the page: python -m freqviz.web

One process does both, so the first visitor finds the libraries loaded. Options are those of `streamlit run`,
such as --server.port 8600. FREQVIZ_LOG names the file of the log, or is "-" for the terminal; else runs/log. With
--public visitors do not see each other's clips, and what one may keep is limited: see SECURITY.md. Both serve this
machine alone (127.0.0.1) unless --server.address says otherwise; whether the server is well answers /_stcore/health.
"""

import gc
import os
import sys

if "--public" in sys.argv[1:]:  # `python -m` has imported the package already: begin anew with what it reads
    rest = [one for one in sys.argv[1:] if one != "--public"]
    os.environ["FREQVIZ_PUBLIC"] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "freqviz.web", *rest])

from rich.progress import Progress
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

import models
from freqviz import devices, run
from freqviz.jobs import in_own_thread, keep_memory, never
from freqviz.web import library, visitor, work

HOSTS = ["--server.allowedHosts=localhost", "--server.allowedHosts=127.0.0.1"]  # else a page elsewhere may pose as one


def prepare() -> None:
    """Bring the analysis of the sample clip into the store, which takes seconds once, and what pages say of networks.

    What is counted and read here the first visitor does not wait for.
    """
    for name in models.names():
        run.counted(name)
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
    work.finished(planned.key)


def options(given: list[str]) -> list[str]:
    """The options of `streamlit run`: those given, and in public those that no visitor may be without.

    Hosts that are answered are this machine's, unless --server.allowedHosts names those of a proxy before it.
    """
    if not visitor.PUBLIC:
        return given
    hosts = [] if any(one.startswith("--server.allowedHosts") for one in given) else HOSTS
    fixed = ("enableXsrfProtection=true", "enableCORS=true", f"maxUploadSize={visitor.UPLOAD}")
    return [*given, *hosts, *(f"--server.{one}" for one in fixed), "--client.showErrorDetails=none"]


if __name__ == "__main__":
    keep_memory()
    in_own_thread(prepare)
    devices.take_threads(max(1, work.THREADS // 2))  # for pages: browser, other visitors, runs want processors too
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after every script: what the libraries hold need not be searched each time
    PagesManager.uses_pages_directory = False  # st.navigation lists them; else the first link finds "no such page"
    sys.argv = ["streamlit", "run", str(library.PROJECT / "serve.py"), *options(sys.argv[1:])]
    cli.main()
