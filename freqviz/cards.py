"""What is known of each network: what it is, what it costs, how it was trained, how it scores.

From its code, its card (`models.card`) and the tables of the evaluation in assets/evaluation; what none of them says is
left empty. Scores are shares of joints in [0, 1].
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

import models
from freqviz import run

EVALUATION = Path(__file__).parent.parent / "assets" / "evaluation"
REGIMES = {
    "R0": "sharp",
    "R1": "key frame blurred, neighbours now and then",
    "R2": "all blurred but one neighbour",
    "R3": "all blurred",
    "R4": "as R2, with noise, dark, bright or hidden frames",
    "R5": "natural motion",
    "limb x1": "one limb blurred along its motion",
    "limb x2": "the same, twice as long",
    "limb x4": "the same, four times as long",
    "jitter": "sharp, boxes off by up to 10 %",
}
ALPHAS = ("0.05", "0.1", "0.2")  # of PCK, as the tables have them
HEADS = "heads "  # begins the part of a card that is about other heads of the same network
COUNTED = ("steps", "windows", "crops", "minutes")  # words of a budget that a number stands before
SOURCES = re.compile(r"\b(?:Ideas?|Sources?|References?): ")


def about(name: str) -> tuple[str, str]:
    """What a network is, one sentence, and who had the idea; from the words at the head of its file."""
    text = " ".join(models.foreign.told(models.NETWORKS[name]).split())
    text, *sources = SOURCES.split(text, maxsplit=1)
    first, *more = re.split(r"(?<=[.;]) ", text.removeprefix(f"`{name}`: "))
    what = (f"{first} {more[0]}" if more and len(first.split()) < 4 else first).rstrip(".; ")
    return what[:1].upper() + what[1:], (sources or [""])[0].rstrip(".")


def table() -> pd.DataFrame:
    """A row a network.

    Returns:
        network, frames, what (it is), idea (whose), parameters, multiply_adds (a window, every frame encoded),
        R0, R2 (PCK@0.1), n (frames that these are over, 0 where unknown), seeds, budget (of training, in words),
        trained (it has a checkpoint).
    """
    rows = []
    for name in models.names():
        network, card, (what, idea) = models.NETWORKS[name], models.card(name), about(name)
        parameters, multiply_adds = run.counted(name)
        held = scores(name)
        row: dict[str, Any] = {"network": name, "frames": network.frames}
        row |= {"what": what, "idea": idea, "parameters": parameters, "multiply_adds": multiply_adds}
        for regime in ("R0", "R2"):
            row[regime] = held.loc[regime, "PCK@0.1"] if regime in held.index else float("nan")
        row["n"] = int(held["frames"].get("R2", 0))
        row |= {"seeds": len(card.get("seeds", ())), "budget": _budget(card.get("budget", {}))}
        rows.append(row | {"trained": models.is_trained(name)})
    return pd.DataFrame(rows)


def scores(name: str) -> pd.DataFrame:
    """How a network scores in each regime of PROTOCOL.md.

    Returns:
        Index regime; PCK@0.05, PCK@0.1, PCK@0.2, low and high (ends of the 95 % interval of PCK@0.1), frames and
        joints that it is over; from the tables of the evaluation, else from the card, which has no intervals.
    """
    columns = ["regime", *(f"PCK@{alpha}" for alpha in ALPHAS), "low", "high", "frames", "joints"]
    rows = []
    file = EVALUATION / "regimes.csv"
    held = read(file) if file.is_file() else pd.DataFrame({"row": []})
    for line in held[held["row"] == name].to_dict("records"):
        measured = [line[f"pck@{alpha}"] for alpha in ALPHAS]
        rows.append([line["regime"], *measured, line["low@0.1"], line["high@0.1"], line["frames"], line["joints"]])
    if not rows:
        told = models.card(name).get("scores", {})
        for regime, values in told.items():
            if isinstance(values, list) and len(values) == len(ALPHAS):
                frames = told.get("key frames", 0)
                frames = frames.get(regime, 0) if isinstance(frames, dict) else frames
                rows.append([regime, *values, float("nan"), float("nan"), frames, 0])
    return pd.DataFrame(rows, columns=columns).set_index("regime")


def read(file: Path) -> pd.DataFrame:
    """A table of the evaluation, one's own copy; read once for as long as the file stays as it is."""
    known = file.stat()
    return _read(file, known.st_mtime_ns, known.st_size).copy()


@lru_cache(maxsize=32)
def _read(file: Path, _time: int, _size: int) -> pd.DataFrame:
    return pd.read_csv(file)


def words(name: str) -> dict[str, str]:
    """The card of a network in words: what, then the sentence; what stands in tables and curves left out."""
    what, idea = about(name)
    known = dict(models.card(name))
    text = {"What it is": what, "Whose idea": idea}
    for key in ("idea", "curve", "channels"):
        known.pop(key, None)
    listed = known.get("scores")
    if isinstance(listed, dict):
        known["scores"] = {regime: found for regime, found in listed.items() if not isinstance(found, list)}
    titles = {"data": "Trained on", "seeds": "Seeds", "command": "Made by", "scores": "Scores"}
    for key, value in known.items():
        if key.startswith(HEADS):
            continue
        text[titles.get(key) or key[:1].upper() + key[1:].replace("_", " ")] = _told(value)
    if not known:
        file = models.checkpoint(name).with_suffix(".json").name
        makes = (
            f"a file {file} beside the one that brings it"
            if name in models.brought()
            else f"`python -m freqviz train {name}`"
        )
        text["Training"] = f"It has no card yet: {makes} makes one"
    return {key: f"{value.rstrip('.')}." for key, value in text.items() if value}


def other_heads(name: str) -> pd.DataFrame:
    """Heads of a network that were trained besides its own, a row each.

    Returns:
        heads (their name), seeds, budget (in words), differs (what of their training is not as the network's own, in
        words), command.
    """
    card = models.card(name)
    rows = []
    for key, told in card.items():
        if key.startswith(HEADS):
            own, budget = card.get("budget", {}), told.get("budget", {})
            changed = {part: value for part, value in budget.items() if part not in COUNTED and own.get(part) != value}
            row = {"heads": key.removeprefix(HEADS), "seeds": len(told.get("seeds", ())), "budget": _budget(budget)}
            rows.append(row | {"differs": _told(changed), "command": told.get("command", "")})
    return pd.DataFrame(rows, columns=["heads", "seeds", "budget", "differs", "command"])


def curve(name: str) -> pd.DataFrame:
    """How a network's training went: the columns of its log, thinned.

    Raises:
        LookupError: its card has no curve; the message says so.
    """
    held = models.card(name).get("curve")
    if not held:
        raise LookupError(f"the card of {name} has no learning curve")
    return pd.DataFrame(held)


def _budget(budget: dict[str, Any]) -> str:
    """Steps, samples and minutes, as far as the card has them."""
    counts = [f"{budget[unit]:,} {unit}" for unit in COUNTED[:-1] if unit in budget]
    return ", ".join([*counts, *([f"{budget['minutes']:g} minutes"] if "minutes" in budget else [])])


def _told(value: Any) -> str:
    """A value of a card in words."""
    if isinstance(value, dict):
        told = {key.replace("_", " "): one for key, one in value.items()}
        return "; ".join(
            f"{one:,} {key}" if isinstance(one, int | float) and key in COUNTED else f"{key} {_told(one)}"
            for key, one in told.items()
        )
    if isinstance(value, list):
        return ("; " if any(isinstance(one, dict | str) for one in value) else ", ").join(map(_told, value))
    return value if isinstance(value, str) else json.dumps(value)
