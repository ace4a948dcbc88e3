"""The evidence on one page: where frequency helps, question by question, from the stored tables of the evaluation."""

import pandas as pd
import streamlit as st

from freqviz import cards, evidence, figures_evidence, figures_networks, tables
from freqviz.panel import Panel
from freqviz.web.page import show
from freqviz.web.paperwork import choose_table, show_table, stored_tables
from freqviz.web.recipe import explain

PYTHON = "import freqviz\nfrom freqviz import {}\n\npanel = {}"
ROW, ROOM = 26, 150  # CSS pixels of a point with its line, and of what stands around


def summary() -> None:
    """Against whom, in words and as a figure of every condition."""
    rivals = evidence.rivals()
    against = st.segmented_control(
        "freq-video against", rivals, default=rivals[0], required=True, key="against", bind="query-params",
        help="Its spatial twin has everything but the frequency parts; the pooling is not trained at all.",
    )  # fmt: skip
    words, figure = st.columns(2, gap="large")
    with words:
        st.markdown(f"**Where it helps.** {evidence.helps(against)}")
        st.markdown(f"**Where it does not.** {evidence.does_not(against)}")
        st.caption(
            "Points of PCK, each question at its own threshold. Beyond doubt: p below .05 after Holm's correction over "
            "all comparisons, and every seed has the sign. No published numbers stand here: none is of this protocol."
        )
        st.markdown("**What was found**, from the stored numbers:\n\n" + "\n".join(evidence.sentences()))
    with figure:
        found = evidence.differences(against)
        lines = len(found) + found["question"].nunique()
        call = f"figures_evidence.differences(evidence.differences({against!r}), 'All conditions')"
        _show(figures_evidence.differences(found, "All conditions"), call, found, 16 * lines + ROOM)


def question() -> None:
    """One question: scores beside differences, and both as a table."""
    with st.container(key="controls"):
        left, right = st.columns([3, 2], gap="medium")
    known = evidence.questions()
    asked = left.selectbox("Question", known, key="question", bind="query-params")
    table = evidence.scores(asked)
    rows = list(dict.fromkeys(table["row"]))
    differences = evidence.differences(question=asked)
    usual = f"pck@{differences['pck'].iloc[0]:g}" if len(differences) else "pck@0.1"
    measure = right.selectbox(
        "Measure", tables.MEASURES, tables.MEASURES.index(usual), format_func=str.upper, key=f"measure of {asked}",
        bind="query-params",
    )  # fmt: skip
    kept = st.multiselect(
        "Rows", rows, evidence.shown(rows), key=f"rows of {asked}", placeholder="Choose rows", bind="query-params"
    )
    st.caption(evidence.ASKS[asked])
    if not kept:
        raise ValueError("choose at least one row")
    one, other = st.columns(2, gap="large")
    with one:
        panel = figures_evidence.scores(asked, table, measure, kept)
        call = f"figures_evidence.scores({asked!r}, evidence.scores({asked!r}), {measure!r}, {kept!r})"
        _show(panel, call, table, ROW * table["condition"].nunique() * max(1, len(kept)) * 2 // 3 + ROOM)
    with other:
        if len(differences):
            panel = figures_evidence.differences(differences, f"{asked}, differences")
            call = f"figures_evidence.differences(evidence.differences(question={asked!r}), '{asked}, differences')"
            _show(panel, call, differences, ROW * len(differences) * 2 // 3 + ROOM)
        else:
            st.info("freq-video sees several frames and has no part in this question.")
    with st.expander("All of it as a table, for LaTeX, Markdown and CSV"):
        unranked = [row for row in rows if row.startswith(tables.ORACLE)]
        show_table(tables.comparison(table, measure, unranked), f"evidence {asked}")


def restoring() -> None:
    """What `freq-restored` gains on the others, regime by regime."""
    table = evidence.table("lead")
    _show(figures_evidence.lead(table), "figures_evidence.lead(evidence.table('lead'))", table, 430, evidence.FIRST)


def traps() -> None:
    """Whether the aggregation prefers a noisy or hidden frame to a sharp one."""
    table = evidence.table("traps")
    st.markdown(evidence.trusted())
    _show(figures_evidence.traps(table), "figures_evidence.traps(evidence.table('traps'))", table, 330)


def choices() -> None:
    """What losses, aggregation, alignment and instance norm are worth."""
    known = evidence.table("ablations")
    st.markdown("**What each choice is worth**: short trainings side by side, asked of films held out of the training.")
    with st.container(horizontal=True):
        questions = list(known["question"].unique())
        asked = st.segmented_control(
            "Choice", questions, default=questions[0], required=True, key="choice", bind="query-params"
        )
        regimes = list(known[known["question"] == asked]["regime"].unique())
        usual = "R2" if "R2" in regimes else regimes[-1]
        regime = st.selectbox("Asked in", regimes, regimes.index(usual), key=f"regime of {asked}", bind="query-params")
    table = evidence.choices(asked, regime)
    panel = figures_evidence.choices(table)
    show(panel, ROW * len(table) + ROOM)
    call = f"figures_evidence.choices(evidence.choices({asked!r}, {regime!r}))"
    explain(panel, evidence.ABLATING, PYTHON.format("evidence, figures_evidence", call), table)


def accuracy() -> None:
    """What accuracy costs in multiply-adds."""
    panel = figures_networks.accuracy_against_cost(cards.table(), "R2", "PCK@0.1")
    show(panel, 400)
    python = PYTHON.format("cards, figures_networks", "figures_networks.accuracy_against_cost(cards.table(), 'R2')")
    explain(panel, "python -m freqviz models", python)


def cost() -> None:
    """What every network costs, as it was measured side by side in one run."""
    table = evidence.table("cost")
    st.markdown("**What it costs**, measured side by side in one run.")
    kinds, devices = list(figures_networks.COSTS), list(table["device"].unique())
    with st.container(horizontal=True):
        kind = st.segmented_control("Shown", kinds, default=kinds[0], required=True, key="cost", bind="query-params")
        device = devices[0] if len(devices) == 1 else st.segmented_control(
            "Device", devices, default=devices[0], required=True, key="device of cost", bind="query-params"
        )  # fmt: skip
    panel = figures_networks.cost(table, kind, device)
    show(panel, 20 * (table["device"] == device).sum() + ROOM)
    call = f"figures_networks.cost(evidence.table('cost'), {kind!r}, {device!r})"
    units = {"memory": "memory, bytes", "ceiling": "ceiling, multiply-adds/s"}
    explain(panel, evidence.COSTING, PYTHON.format("evidence, figures_networks", call), table.rename(columns=units))


def every_table() -> None:
    """Each stored table, for LaTeX, Markdown and CSV."""
    st.markdown("**Every table**, to read and to take along.")
    choose_table(stored_tables(), "stored")


def _show(panel: Panel, call: str, numbers: pd.DataFrame, height: int, command: str = evidence.COMMAND) -> None:
    show(panel, height)
    explain(panel, command, PYTHON.format("evidence, figures_evidence", call), numbers)
