"""Three claims on the visitor's clip: measured once by a job, then shown from what it has kept."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from freqviz import claims, figures, jobs
from freqviz.claims import Claims
from freqviz.panel import Panel
from freqviz.web import library, work
from freqviz.web.page import kept, show
from freqviz.web.recipe import explain
from freqviz.web.view import TRUE_BLUR, View

BADGES = {claims.HOLDS: "blue", claims.FAILS: "orange", claims.OPEN: "gray"}


@dataclass(frozen=True)
class Tested:
    """The claims of one finished analysis."""

    view: View

    @cached_property
    def found(self) -> Claims:
        """What was measured. Until then the page says how far it is, or why nothing can be measured, and stops."""
        view = self.view
        blurs = view.table[view.blurs[0]].to_numpy(np.float64)
        held = work.tested(view.folder, view.clip, view.analysis, blurs, self._measure)
        if isinstance(held, Claims):
            return held
        if held.state == jobs.FAILED:
            st.error(f"{held.message.rstrip('.')}.")
        else:
            _wait(held)
        st.stop()

    def verdict(self, claim: int) -> None:
        """Headline of a claim, 0 to 2, and in words whether it holds on this clip."""
        told = self.found.verdicts[claim]
        st.subheader(f"{claim + 1}. {told.claim}", anchor=False)
        st.markdown(f":{BADGES[told.outcome]}-badge[{told.outcome}] {told.reason}")

    def show(self, function: Callable[..., Panel], *args: Any, height: int = 360) -> None:
        """A figure of what was measured, or why there is none; `args` are plain values that follow it."""
        try:
            panel = kept(function, self.found, *args)
        except LookupError as nothing:
            st.info(f"{nothing}.")
            return
        show(panel, height)
        call = ", ".join(["found", *map(repr, args)])
        explain(panel, self._command, f"{self._python}\npanel = figures_claims.{function.__name__}({call})")

    @property
    def _measure(self) -> str:
        return figures.quantity(self.view.blurs[0]).title

    @property
    def _true(self) -> bool:
        return self.view.blurs[0] == TRUE_BLUR

    @property
    def _command(self) -> str:
        out = f"runs/{Path(self.view.file).stem}"
        words = ["claims", self.view.file, "--run", out, *self.view.frames_option]
        words += ["--truth", library.relative(library.SAMPLE_FILE.with_suffix(".json"))] if self._true else []
        line = ["python", "-m", "freqviz", *words, "--out", f"{out}-claims.json"]
        return f"{self.view.analyse_command()} && {shlex.join(line)}"

    @property
    def _python(self) -> str:
        _, python = self.view.analysing()
        first, _, rest = python.partition("\n")
        lines = [first, "from freqviz import claims, figures_claims", rest, self.view.clip_python]
        given = ""
        if self._true:
            lines.insert(1, "import pandas as pd")
            lines.append(f"blurs = {self.view.true_blur_python}")
            given = f", blurs, {self._measure!r}"
        return "\n".join([*lines, f"found = claims.measure(clip, analysis{given})"])


@st.fragment(run_every=0.5)
def _wait(ticket: jobs.Ticket) -> None:
    """How far the measuring is; when it is over, the page begins anew."""
    if ticket.over:
        st.rerun()
    frames = f"{ticket.done} of {ticket.total or '…'} frames"
    st.progress(ticket.fraction, f"Measuring the clip, once: {frames}")
