"""Where frequency helps and where it does not: the stored tables of the evaluation, question by question and in words.

The tables lie in assets/evaluation and are made by `COMMAND`. Scores are shares in [0, 1]; differences are `freq-video`
minus another network on the same frames, with 95 % intervals over source videos (10,000 draws). A difference is *beyond
doubt* where its p, corrected by Holm over all of them, is below .05 and every seed has its sign.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from freqviz import cards

NETWORK, TWIN, FRAME = "freq-video", "spatial-video", "spatial-frame"
COMMAND = "python -m freqviz evaluate --evidence --data FOLDER"
FIRST = "python -m freqviz evaluate --all --data FOLDER"  # makes the first tables, "lead" among them
COSTING = "python -m benchmarks.cost --write"  # makes the table "cost"
ABLATING = "python -m freqviz evaluate --ablations --data FOLDER"  # makes the table "ablations"
LEVEL = 0.05  # of p
HELPS, HURTS, OPEN = "helps", "hurts", "open"
STILLS = "Stills and frames"
ASKS = {
    "Added blur": "Blur of 21 to 47 px, as the networks were trained on: is a frame that is sharp found and used?",
    "Out of range": "Heads that saw blur up to 15 px, at up to 47 px; one seed, and the backbone has seen 47 px.",
    "Traps for energy": "As R2, one blurred frame with noise of σ .05, half or twice the light, or a fifth hidden.",
    "One limb blurred": "The fastest limb blurred along its true displacement, that often as long.",
    "Natural motion": "Frames as filmed (R5), joints by their true speed in sides of their box a frame.",
    "Frame rate": "Neighbours that are every, every 2nd or every 4th frame of the film, as filmed.",
    "Frame rate, fast joints": "The same, for the fastest tenth of joints.",
    "Compression": "Noise, then JPEG of falling quality, or H.264 over the whole clip.",
    "Boxes": "True boxes leak the pose: centre and size off by up to so much, frames as filmed.",
    "Boxes under blur": "The same where one neighbour alone is sharp.",
    STILLS: "Networks of single frames on pictures of either data set, seen in training or not. Labels differ between "
    "the data sets: compare networks within a condition, not conditions.",
}
THEMES = {  # questions that are told together, where few words have to do
    "added blur": ("Added blur", "One limb blurred", "Boxes under blur"),
    "out of range": ("Out of range",),
    "traps for energy": ("Traps for energy",),
    "motion as filmed, also at lower frame rates": ("Natural motion", "Frame rate", "Frame rate, fast joints"),
    "compression and boxes": ("Compression", "Boxes"),
}
NAMED = 2  # conditions of a theme that are named; more are counted


def table(name: str, folder: Path | None = None) -> pd.DataFrame:
    """A stored table of the evaluation, such as "evidence", "differences", "traps", "ablations" or "cost".

    Raises:
        LookupError: it was not made yet; the message has the command.
    """
    file = (folder or cards.EVALUATION) / f"{name}.csv"
    if not file.is_file():
        commands = {"cost": COSTING, "ablations": ABLATING, "lead": FIRST}
        raise LookupError(f"{file.name} has not been made yet: {commands.get(name, COMMAND)}")
    return cards.read(file)


def questions(folder: Path | None = None) -> list[str]:
    """Those that were answered, in their order."""
    held = set(table("evidence", folder)["question"])
    return [question for question in ASKS if question in held]


def scores(question: str, folder: Path | None = None) -> pd.DataFrame:
    """PCK of every row in every condition of a question.

    Returns:
        condition, row, frames, joints, films, pck@.., low@.., high@...
    Raises:
        LookupError: no such question; the message names those there are.
    """
    whole = table("evidence", folder)
    found = whole[whole["question"] == question].drop(columns="question").reset_index(drop=True)
    if not len(found):
        raise LookupError(f"no question {question!r}; answered are {', '.join(questions(folder))}")
    return found


def differences(against: str = "", question: str = "", folder: Path | None = None) -> pd.DataFrame:
    """`freq-video` minus its rivals.

    Args:
        against: a rival; "": all of them.
        question: "": all of them, each difference once although several questions begin with it.
    Returns:
        question, condition, against, pck, difference, low, high, p, p (Holm), per seed, frames, joints, films, verdict.
    """
    found = table("differences", folder)
    found = found if question else found[~found["again"]]
    found = found.assign(verdict=[verdict(line) for _, line in found.iterrows()])
    for column, value in (("against", against), ("question", question)):
        found = found[found[column] == value] if value else found
    return found.reset_index(drop=True)


def verdict(line: pd.Series) -> str:
    """Whether a difference is beyond doubt: "helps", "hurts" or "open"."""
    seeds = [float(one) for one in str(line["per seed"]).split()]
    better = line["difference"] > 0
    if not (line["p (Holm)"] < LEVEL and all((one > 0) == better and one != 0 for one in seeds)):
        return OPEN
    return HELPS if better else HURTS


def choices(question: str, regime: str, folder: Path | None = None) -> pd.DataFrame:
    """Answers of the ablations to one question in one regime, with a column "verdict" by the interval alone.

    The answer that the others are held to comes first and has no difference.

    Raises:
        LookupError: no such question or regime; the message names those there are.
    """
    known = table("ablations", folder)
    own = known[known["question"] == question]
    if not len(own):
        raise LookupError(f"no question {question!r}; there are {', '.join(known['question'].unique())}")
    if regime not in set(own["regime"]):
        raise LookupError(f"{question} was not asked in {regime!r}; it was in {', '.join(own['regime'].unique())}")
    own = own[own["regime"] == regime]
    outcome = np.select([own["low"] > 0, own["high"] < 0], [HELPS, HURTS], OPEN)
    return own.assign(verdict=outcome).sort_values("difference", key=lambda one: one.notna(), kind="stable")


def rivals(folder: Path | None = None) -> list[str]:
    """Whom `freq-video` is compared with: the twin, the single frame, the best untrained pooling."""
    return list(dict.fromkeys(table("differences", folder)["against"]))


# ---- in words


def points(line: pd.Series) -> str:
    """A difference with its interval, in points."""
    return f"{signed(line['difference'])} [{signed(line['low'])}, {signed(line['high'])}]"


def signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def helps(against: str, folder: Path | None = None) -> str:
    """Where `freq-video` is better than a rival beyond doubt, by theme; Markdown."""
    found = differences(against, folder=folder)
    return _by_theme(found, HELPS, f"Better than {against} beyond doubt in")


def does_not(against: str, folder: Path | None = None) -> str:
    """Where it is worse beyond doubt, and where neither can be said, by theme; Markdown."""
    found = differences(against, folder=folder)
    worse = HURTS in set(found["verdict"])
    told = f"{_by_theme(found, HURTS, f'Worse than {against} beyond doubt in')}\n\n" if worse else ""
    return told + _by_theme(
        found, OPEN, "Not told apart in" if worse else "Nowhere worse beyond doubt; not told apart in"
    )


def _by_theme(found: pd.DataFrame, outcome: str, words: str) -> str:
    """How many conditions have an outcome, then a line a theme: the conditions, or how many, with their range."""
    chosen = found[found["verdict"] == outcome]
    lines = [f"{words} {len(chosen)} of {len(found)} conditions" + (":" if len(chosen) else ".")]
    for theme, asked in THEMES.items():
        if len(own := chosen[chosen["question"].isin(asked)]):
            lines.append(f"- {theme}: {_in_range(own, sum(found['question'].isin(asked)), len(asked) > 1)}")
    return "\n".join([lines[0], "", *lines[1:]]).strip()


def _in_range(own: pd.DataFrame, all_of_theme: int, with_question: bool) -> str:
    """A few conditions with their intervals; more of them by their number and the range of their differences."""
    if len(own) <= NAMED:
        names = own["condition"]
        if with_question:
            names = own["question"].str[:1].str.lower() + own["question"].str[1:] + ", " + names
        return "; ".join(f"{name} {points(line)}" for name, (_, line) in zip(names, own.iterrows(), strict=True))
    count = f"all {len(own)}" if len(own) == all_of_theme else f"{len(own)} of {all_of_theme}"
    low, high = signed(own["difference"].min()), signed(own["difference"].max())
    return f"{count}, {low} to {high} points"


def trusted(folder: Path | None = None) -> str:
    """How often the frame weights of `freq-video` prefer a trap to the sharp frame; one sentence."""
    found = table("traps", folder)
    own = found[found["row"] == NETWORK]
    told = ", ".join(
        f"{line['trap']} on it {percent(line['share'])} % [{percent(line['low'])}, {percent(line['high'])}]"
        for _, line in own.iterrows()
    )
    without = percent(own["without"].mean())
    return (
        f"The share of windows in which {NETWORK} gives a blurred frame more weight than the sharp one: with {told}; "
        f"the same frames without it {without} % ({own['windows'].max()} windows of {own['films'].max()} films)."
    )


def sentences(folder: Path | None = None) -> list[str]:
    """What was found, in five sentences of Markdown; each number is one of the stored tables'."""
    goals, off = table("goals", folder), table("switches", folder)
    beyond = table("out_of_range", folder).dropna(subset=["difference"])
    first, others = goals.iloc[0], goals.iloc[1:]
    pooling = others[others["question"].str.startswith("best untrained")]
    fast = others[others["question"].str.contains("fastest tenth")]
    names = {"R0": "R0, PCK@.1", "R2": "R2, PCK@.05", "R5 fast": "R5 fast, PCK@.1"}
    parts = [
        (line["switched off"], names[regime], _part(line, regime))
        for regime in names
        for _, line in off.iterrows()
        if line[f"{regime} high"] < 0 or line[f"{regime} low"] > 0
    ]
    nothing = [part for part in off["switched off"] if part not in {part for part, _, _ in parts}]
    narrow = beyond[beyond["trained up to px"] == beyond["trained up to px"].min()]
    reach = int(narrow["trained up to px"].iloc[0])
    return [
        f"- **The endpoint named before the run** ({first['question']}): `{NETWORK}` minus its spatial twin is "
        f"{points(first)} points of PCK@{first['pck']:g} (seeds {first['per seed'].replace('-', '−')}, "
        f"p = {first['p']:.2g}): {_said(first, first['p'])}.",
        f"- **Untrained pooling of single frames**: `{NETWORK}` minus {_listed(pooling)}.{_restored(folder)}",
        f"- **Natural motion**: `{NETWORK}` minus {_listed(fast)}.",
        f"- **Out of range**, with heads that saw blur up to {reach} px, `{NETWORK}` minus its twin is "
        + ", ".join(f"{points(line)} in {line['regime']}" for _, line in narrow.iterrows())
        + " (PCK@.05, one seed).",
        "- **Switched off** after training, these parts change something that the interval tells from zero: "
        + ("; ".join(f"{part} {points_} ({measure})" for part, measure, points_ in parts) or "none")
        + f"; these nothing: {', '.join(nothing) or 'none'}.",
    ]


def _restored(folder: Path | None) -> str:
    """The best untrained pooling against the network that restores first, where that was asked."""
    try:
        lead = table("lead", folder)
    except LookupError:
        return ""
    own = lead[(lead["regime"] == "R2") & ~lead["against"].isin([NETWORK, TWIN])].iloc[0]
    return f" Restoring the key frame first (`freq-restored`, one seed) gains {points(own)} on it in R2."


def _part(line: pd.Series, regime: str) -> str:
    return points(pd.Series({"difference": line[regime], "low": line[f"{regime} low"], "high": line[f"{regime} high"]}))


def _listed(goals: pd.DataFrame) -> str:
    """Goals with their differences, and whether each is beyond doubt."""
    return "; ".join(
        f"{line['question']}: {points(line)} points of PCK@{line['pck']:g} ({_said(line, line['p (Holm)'])})"
        for _, line in goals.iterrows()
    )


def _said(line: pd.Series, p: float) -> str:
    if p >= LEVEL:
        return "not told apart"
    return "better beyond doubt" if line["difference"] > 0 else "worse beyond doubt"


def percent(share: float) -> str:
    return f"{100 * share:.0f}" if share in (0, 1) or share >= 0.1 else f"{100 * share:.1f}"


def shown(rows: Sequence[str]) -> list[str]:
    """The rows that a figure shows at first: the networks, and the best untrained pooling."""
    first = [row for row in rows if row in (NETWORK, TWIN, FRAME, "energy softmax")]
    return first if NETWORK in rows else list(rows)
