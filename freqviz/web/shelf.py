"""The networks on one page: the table, one card in words, its training, and accuracy against cost."""

import shlex
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from freqviz import cards, figures_networks
from freqviz.web.page import show
from freqviz.web.recipe import explain

SHOWN = (
    "network", "R0", "R2", "n", "frames", "parameters", "multiply_adds", "seeds", "budget", "what", "idea",
)  # fmt: skip
PYTHON = "import freqviz\nfrom freqviz import cards, figures_networks\n\npanel = figures_networks."


def overview() -> pd.DataFrame:
    """Every network in a row; the table, as `cards.table` gives it, for the functions below."""
    table = cards.table()
    known = table.assign(parameters=table["parameters"] / 1e6, multiply_adds=table["multiply_adds"] / 1e9)
    known[["R0", "R2"]] *= 100
    score = "PCK@0.1 in {}, %: {}."
    number = st.column_config.NumberColumn
    st.dataframe(
        known[list(SHOWN)],
        hide_index=True,
        height="content",
        alt="The networks: frames, what they are, size, cost, scores, training",
        column_config={
            "network": st.column_config.TextColumn("Network", pinned=True),
            "frames": number("Frames", help="That one pose is found from."),
            "what": st.column_config.TextColumn("What it is", width="medium"),
            "idea": st.column_config.TextColumn("Whose idea", width="medium"),
            "parameters": number("Parameters", format="%.2f M", help="Those of its backbone included."),
            "multiply_adds": number("Multiply-adds", format="%.2f G", help="Of a window, every frame encoded."),
            **{
                name: number(name, format="%.1f %%", help=score.format(name, cards.REGIMES[name]))
                for name in ("R0", "R2")
            },
            "n": number("n", help="Key frames that the scores are over; 0: not evaluated with the others."),
            "seeds": number("Seeds", help="Trainings that the scores are the mean of."),
            "budget": "Training",
        },
    )
    return table


def choose(table: pd.DataFrame) -> str:
    """The network whose card is shown."""
    names = list(table["network"])
    return st.selectbox("Network", names, len(names) - 1, key="card", bind="query-params")


def card(table: pd.DataFrame, name: str) -> None:
    """A network in words, and the way to the present clip with it."""
    network = table.set_index("network").loc[name]
    why = "" if network["trained"] else f"{name} has no checkpoint: python -m freqviz train {shlex.quote(name)}"
    kept = {key: st.query_params.get_all(key) for key in st.query_params if key not in ("card", "regime")}
    link = f"./?{urlencode(kept | {'networks': name}, doseq=True)}"
    st.link_button("Open the present clip with it", link, disabled=bool(why), help=why or None)
    for title, text in cards.words(name).items():
        st.markdown(f"**{title}.** {_plain(text)}")


def scores(name: str) -> None:
    """How a network scores in each regime."""
    found = cards.scores(name).reset_index()
    if not len(found):
        st.info(f"{name} has not been evaluated yet.")
        return
    st.markdown("**Scores** in every regime:")
    found["joints"] = found["joints"].where(found["joints"] > 0)  # not counted in older evaluations
    found["regime"] = [f"{one} {cards.REGIMES.get(one, '')}".strip() for one in found["regime"]]
    shares = [*(f"PCK@{alpha}" for alpha in cards.ALPHAS), "low", "high"]
    found[shares] *= 100
    interval = "95 % interval of PCK@0.1, drawn over source videos."
    shown: dict[str, Any] = {
        **{one: st.column_config.NumberColumn(f"{one}, %", format="%.1f") for one in shares[:3]},
        "regime": "Regime",
        "low": st.column_config.NumberColumn("from", format="%.1f", help=interval),
        "high": st.column_config.NumberColumn("to", format="%.1f", help=interval),
        "frames": "Key frames",
        "joints": "Joints",
    }
    st.dataframe(found.dropna(axis=1, how="all"), hide_index=True, column_config=shown, alt=f"Scores of {name}")


def heads(name: str) -> None:
    """Other heads of a network, where it has any."""
    found = cards.other_heads(name)
    if not len(found):
        return
    st.markdown("**Other heads**, trained to compare with:")
    if not found["differs"].any():
        found = found.drop(columns="differs")
    names = {"heads": "Heads", "seeds": "Seeds", "budget": "Training", "differs": "Otherwise", "command": "Made by"}
    st.dataframe(found, hide_index=True, column_config=names, alt=f"Other heads of {name}: {', '.join(found['heads'])}")


def _plain(text: str) -> str:
    """Words of a card, which are no markup but for `code`."""
    return text.replace("*", "").replace("[", "\\[").replace("$", "\\$").replace("<", "\\<").replace("~", "\\~")


def cost(table: pd.DataFrame) -> None:
    """What accuracy costs."""
    regimes = [one for one in ("R0", "R2") if table[one].notna().any()]
    if not regimes:
        st.info("No network has been evaluated yet.")
        return
    regime = st.segmented_control(
        "Regime", regimes, default=regimes[-1], required=True, key="regime", bind="query-params",
        help="; ".join(f"{one}: {cards.REGIMES[one]}" for one in regimes),
    )  # fmt: skip
    panel = figures_networks.accuracy_against_cost(table, regime)
    show(panel, 420)
    explain(panel, "python -m freqviz models", f"{PYTHON}accuracy_against_cost(cards.table(), {regime!r})")


def training(name: str) -> None:
    """The learning curves of a network, or that its card has none."""
    try:
        curve = cards.curve(name)
    except LookupError as nothing:
        st.info(f"{str(nothing)[:1].upper()}{str(nothing)[1:]}.")
        return
    for number, panel in enumerate(figures_networks.learning_curves(name, curve)):
        show(panel, 330)
        call = f"learning_curves({name!r}, cards.curve({name!r}))[{number}]"
        explain(panel, "python -m freqviz models", f"{PYTHON}{call}")
