"""The server of `make app` that also notes what each script takes, and when a page stands, for `benchmarks.app`.

Of the latter see `benchmarks.standing`. Of the former a line a script in the file that FREQVIZ_SCRIPTS names:
milliseconds of processor time of the script's own thread, where figures are made; what networks compute beside it is
not among them. The method of Streamlit's that it wraps is private.
"""

import os
import runpy
import time
from pathlib import Path
from typing import Any

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

from benchmarks import standing
from freqviz.web import figure


def note_scripts(file: Path) -> None:
    """Have every script of this process add its line."""
    run = ScriptRunner._run_script

    def timed(self: ScriptRunner, *given: Any, **more: Any) -> None:
        own = time.thread_time()
        run(self, *given, **more)
        with file.open("a", encoding="utf-8") as notes:
            notes.write(f"{1e3 * (time.thread_time() - own):.1f}\n")

    ScriptRunner._run_script = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    note_scripts(Path(os.environ["FREQVIZ_SCRIPTS"]))
    figure.ROUTES += standing.routes()
    figure.MIDDLEWARE += standing.MIDDLEWARE
    runpy.run_module("freqviz.web", run_name="__main__", alter_sys=True)
