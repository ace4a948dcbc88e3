"""The tables of the evaluation: to assets/evaluation/*.csv, and into the README between its markers."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import models
from freqviz import poses
from freqviz.learn import data, draws, predictions, readme
from freqviz.learn import evaluate as ev
from freqviz.learn.scoring import (
    acceleration_error,
    bootstrap,
    effective_frames,
    holm,
    interval,
    rank_correlation,
    scored,
    seeds_of,
    speeds,
)
from models.network import channels_last
from models.spatial_frame import SpatialFrame

FAST = 0.9  # quantile of true speed above which a joint is fast


def load(folder: Path, regimes: tuple[str, ...] = draws.REGIMES) -> tuple[dict[str, dict[str, NDArray]], NDArray]:
    """Predictions of each regime, and the source video of each clip."""
    found = {}
    for regime in regimes:
        path = folder / f"{regime}.npz"
        if path.is_file():
            with np.load(path) as arrays:
                found[regime] = {name: arrays[name] for name in arrays.files if name != "made"}
    if not found:
        raise FileNotFoundError(f"no predictions in {folder}; `python -m freqviz evaluate --all` makes them")
    info = json.loads((folder / "clips.json").read_text())
    return found, np.array(info["source"])


def rows_of(found: dict[str, NDArray]) -> list[str]:
    """Networks that are there, then rivals, then oracles."""
    held = {name.removeprefix("pose/").split(" seed ")[0] for name in found if name.startswith("pose/")}
    return [row for row in (*readme.NETWORKS, *predictions.RIVALS, *predictions.ORACLES) if row in held]


def regimes_table(
    found: dict[str, dict[str, NDArray]], sources: NDArray, rows: Sequence[str] | None = None
) -> pd.DataFrame:
    """PCK of rows, None: of every one, in every regime with 95 % intervals; a line a row and regime."""
    lines = []
    for regime, arrays in found.items():
        for row in rows or rows_of(arrays):
            if row == predictions.ORACLES[0] and regime not in draws.SYNTHETIC[1:]:
                continue  # without known blur there is no sharpest frame
            score = scored(arrays, row, sources)
            line = {
                "regime": regime,
                "row": row,
                "frames": len(score.counts),
                "joints": int(score.counts.sum()),
            }
            for index, alpha in enumerate(poses.ALPHAS):
                low, high = interval(score, index)
                line |= {f"pck@{alpha}": score.pck[index], f"low@{alpha}": low, f"high@{alpha}": high}
            torso = poses.torso_norm(arrays["truth"])
            hits = [poses.correct(arrays[n], arrays["truth"], torso)[:, arrays["counts"]].mean(1)
                    for n in seeds_of(arrays, row)]  # fmt: skip
            line |= {f"torso pck@{alpha}": np.mean(hits, 0)[i] for i, alpha in enumerate(poses.ALPHAS)}
            lines.append(line)
    return pd.DataFrame(lines)


def joints_table(found: dict[str, dict[str, NDArray]], sources: NDArray, regime: str = "R0") -> pd.DataFrame:
    """PCK@0.1 of each joint."""
    lines = []
    for row in rows_of(found[regime]):
        line: dict[str, object] = {"row": row}
        for j, name in enumerate(poses.JOINTS):
            line[name] = scored(found[regime], row, sources, np.arange(14)[None] == j).pck[1]
        lines.append(line)
    return pd.DataFrame(lines)


def speed_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """PCK by true speed of the joint, R5, exact-scale clips; fixed bins and the fastest tenth."""
    arrays = found["R5"]
    speed = speeds(arrays)
    edge = float(np.quantile(speed[arrays["counts"]], FAST))
    bins = {"0-1 %": (0, 0.01), "1-3 %": (0.01, 0.03), "3-6 %": (0.03, 0.06), "> 6 %": (0.06, np.inf),
            f"fastest tenth (> {100 * edge:.1f} %)": (edge, np.inf)}  # fmt: skip
    lines = []
    for row in rows_of(arrays):
        if row == predictions.ORACLES[0]:
            continue
        for name, (low, high) in bins.items():
            score = scored(arrays, row, sources, (speed > low) & (speed <= high))
            lines.append(
                {"row": row, "speed": name, "joints": int(score.counts.sum()), **dict(zip(
                    [f"pck@{a}" for a in poses.ALPHAS], score.pck, strict=True))}
            )  # fmt: skip
    return pd.DataFrame(lines)


def fast_joints(arrays: dict[str, NDArray]) -> NDArray[np.bool_]:
    """(N, J): joints of the fastest tenth."""
    speed = speeds(arrays)
    return speed > np.quantile(speed[arrays["counts"]], FAST)


def goals_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """The paired differences that were named before the run; the first is primary, the others Holm-corrected.

    The best untrained pooling is the one that is best on the validation part.
    """
    lines = []

    def compare(name: str, regime: str, other: str, alpha: int, fast: bool = False) -> None:
        arrays = found[regime]
        chosen = fast_joints(arrays) if fast else None
        a, b = (scored(arrays, row, sources, chosen) for row in ("freq-video", other))
        result = bootstrap(a, b, alpha)
        each = []
        for seed in seeds_of(arrays, "freq-video"):
            one = {**{k: v for k, v in arrays.items() if not k.startswith("pose/")}, "pose/a": arrays[seed]}
            twin = f"pose/{other} seed {seed.rsplit(' ', 1)[1]}"
            one["pose/b"] = arrays[twin if twin in arrays else f"pose/{other}"]
            each.append(scored(one, "a", sources, chosen).pck[alpha] - scored(one, "b", sources, chosen).pck[alpha])
        lines.append(
            {
                "question": name,
                "pck": poses.ALPHAS[alpha],
                **result,
                "per seed": " ".join(f"{100 * e:+.1f}" for e in each),
            }
        )

    compare("twin, R2 (primary)", "R2", "spatial-video", 0)
    for regime in ("R1", "R2"):
        compare(f"best untrained pooling ({best_rival()}), {regime}", regime, best_rival(), 0)
    compare("spatial-frame, fastest tenth of R5", "R5", "spatial-frame", 1, fast=True)
    compare("twin, fastest tenth of R5", "R5", "spatial-video", 1, fast=True)
    compare("spatial-frame, R0 (not below -1 point)", "R0", "spatial-frame", 1)
    table = pd.DataFrame(lines)
    corrected = holm(dict(zip(table.question[1:], table.p[1:], strict=True)))
    table["p (Holm)"] = [table.p[0], *[corrected[q] for q in table.question[1:]]]
    return table


RESTORED = "freq-restored"  # which claims to be a better `freq-video`


def lead_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """`freq-restored` minus the twin, the best untrained pooling and `freq-video`; empty without it."""
    if any(RESTORED not in rows_of(found[regime]) for regime in (*draws.SYNTHETIC, "R5")):
        return pd.DataFrame()
    return against_table(found, sources, RESTORED, ("spatial-video", best_rival(), "freq-video"))


def against_table(
    found: dict[str, dict[str, NDArray]], sources: NDArray, row: str, others: Sequence[str]
) -> pd.DataFrame:
    """A network minus others, paired, a line a regime and rival.

    PCK@0.05 where blur was added, PCK@0.1 of frames as filmed (R5), all joints and the fastest tenth.
    """
    lines = []
    for regime in (*draws.SYNTHETIC, "R5", "R5 fast"):
        arrays = found[regime[:2]]
        chosen, alpha = fast_joints(arrays) if "fast" in regime else None, int(regime not in draws.SYNTHETIC)
        mine = scored(arrays, row, sources, chosen)
        for other in others:
            apart = bootstrap(mine, scored(arrays, other, sources, chosen), alpha)
            lines.append({"regime": regime, "pck": poses.ALPHAS[alpha], "against": other, **apart, **mine.size})
    return pd.DataFrame(lines)


def best_rival() -> str:
    """The untrained pooling that was best on the validation part (R1 and R2, PCK@0.05)."""
    return str(json.loads((ASSETS / "choices.json").read_text())["best rival"])


def choose_on_validation(found: dict[str, dict[str, NDArray]], sources: NDArray) -> dict[str, str]:
    """What is chosen by the validation part."""
    scores = {
        row: np.mean([scored(found[regime], row, sources).pck[0] for regime in ("R1", "R2")])
        for row in predictions.RIVALS
    }
    return {"best rival": max(scores, key=lambda row: float(scores[row]))}


def switches_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """What is lost when one part of the trained freq-video is switched off (seed 0; nothing is trained again)."""
    lines = []
    for part in ev.SWITCHES:
        line: dict[str, object] = {"switched off": part}
        for regime, alpha in (("R0", 1), ("R2", 0), ("R5", 1)):
            arrays = found[regime]
            chosen = fast_joints(arrays) if regime == "R5" else None
            without = scored(arrays, f"freq-video without {part}", sources, chosen)
            whole = scored(arrays, "freq-video seed 0", sources, chosen)
            result = bootstrap(without, whole, alpha)
            label = f"{regime} fast" if regime == "R5" else regime
            line |= {
                label: result["difference"],
                f"{label} low": result["low"],
                f"{label} high": result["high"],
            }
        lines.append(line)
    return pd.DataFrame(lines)


def out_of_range_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """Heads trained with blur up to 15 px beside those of the same seed trained up to 47 px; empty without them.

    A line a regime and row; `difference`, `low` and `high` of PCK@0.05 are against the twin trained alike.
    """
    lines = []
    for regime in ev.OUT_OF_RANGE:
        arrays = found.get(regime, {})
        for trained in (f" {ev.VARIANT}", ""):
            twins = {name: f"{name}{trained} seed 0" for name in ev.TWINS}
            if any(f"pose/{row}" not in arrays for row in twins.values()):
                continue
            scores = {name: scored(arrays, row, sources) for name, row in twins.items()}
            apart = bootstrap(scores["freq-video"], scores["spatial-video"], 0)
            for name, score in scores.items():
                line: dict[str, object] = {"regime": regime, "row": name, "trained up to px": 15 if trained else 47}
                line |= {f"pck@{alpha}": score.pck[i] for i, alpha in enumerate(poses.ALPHAS)}
                if name == "freq-video":
                    line |= {key: apart[key] for key in ("difference", "low", "high")}
                lines.append(line)
    return pd.DataFrame(lines)


def weights_table(found: dict[str, dict[str, NDArray]]) -> pd.DataFrame:
    """Frame weights: rank correlation with true blur within windows, effective number of frames, by regime."""
    lines = []
    for regime, arrays in found.items():
        for row in (row for row in ev.FIRST if row in rows_of(arrays)):
            seeds = [n.replace("pose/", "weights/") for n in seeds_of(arrays, row)]
            line = {
                "regime": regime,
                "row": row,
                "effective frames": np.mean([effective_frames(arrays[s]) for s in seeds]),
            }
            if regime in ("R1", "R2", "R3", "R4"):
                line["rank correlation"] = np.mean([rank_correlation(arrays[s], arrays["lengths"]) for s in seeds])
            lines.append(line)
    return pd.DataFrame(lines)


def jitter_table(found: dict[str, dict[str, NDArray]]) -> pd.DataFrame:
    """Acceleration error on whole clips, R5; share of the box side."""
    rows = [row for row in rows_of(found["R5"]) if not row.startswith("oracle")]
    return pd.DataFrame([{"row": r, "acceleration error": acceleration_error(found["R5"], r)} for r in rows])


def references_table(frame: SpatialFrame, clips: data.Clips) -> pd.DataFrame:
    """PCK of single frames under nothing but motion blur: sharp at three thresholds, and @0.1 by length."""
    lengths = (0, 9, 15, 21, 31)
    scores = np.stack([predictions.clean_reference(frame, clips, length) for length in lengths])
    lines = []
    for f, flip in enumerate(("", ", flip test")):
        for j, joints in enumerate(("14 joints", "12 limb joints")):
            line: dict[str, object] = {"setting": joints + flip}
            line |= {f"sharp @{alpha}": scores[0, f, j, a] for a, alpha in enumerate(poses.ALPHAS)}
            line |= {f"{length} px @0.1": scores[i, f, j, 1] for i, length in enumerate(lengths) if length}
            lines.append(line)
    return pd.DataFrame(lines)


def write_references(root: Path, runs: Path = Path("runs"), assets: Path | None = None) -> None:
    """The table of single frames, and the draws of the comparison, as files beside the other tables."""
    assets = assets or ASSETS
    assets.mkdir(parents=True, exist_ok=True)
    clips = data.Clips(root / "jhmdb", "test", runs / "cache")
    draws.write_manifest(clips, assets / "manifest.csv")
    frame = models.load("spatial-frame")
    assert isinstance(frame, SpatialFrame)
    references_table(channels_last(frame), clips).to_csv(assets / "references.csv", index=False, float_format="%.5g")


def methods_table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """Every network once: PCK by regime, differences with 95 % intervals, cost.

    `R0 gain` is PCK@0.1 against `spatial-frame` on sharp frames, `R2 gain` PCK@0.05 against the spatial twin where one
    neighbour is sharp; both paired. Rows of fewer channels have no cost of their own.
    """
    lines = []
    for method in ev.methods():
        if f"pose/{method.row}" not in found["R0"]:
            continue
        line: dict[str, object] = {"row": method.row, "frames": models.build(method.name, method.variant).frames}
        for regime in ev.METHODS:
            score = scored(found[regime], method.row, sources)
            line |= {f"{regime} pck@{alpha}": score.pck[i] for i, alpha in enumerate(poses.ALPHAS)}
        for label, other, alpha in (("R0", "spatial-frame", 1), ("R2", "spatial-video", 0)):
            if other != method.row:
                mine, theirs = (scored(found[label], row, sources) for row in (method.row, other))
                apart = bootstrap(mine, theirs, alpha)
                line |= {f"{label} {key}": apart[key] for key in ("difference", "low", "high")}
        if not method.channels:
            line |= dict(zip(("parameters", "multiply-adds"), method.cost(), strict=True))
        lines.append(line)
    return pd.DataFrame(lines)


def restored_against(found: dict[str, dict[str, NDArray]], sources: NDArray) -> dict[str, dict[str, str]]:
    """For the card: against its twin, the plain twin and the best untrained pooling; PCK@.05, paired."""
    told: dict[str, dict[str, str]] = {}
    for regime, arrays in found.items():
        mine = scored(arrays, RESTORED, sources)
        for other in (f"{RESTORED} spatial", "spatial-video", best_rival()):
            apart = {key: 100 * value for key, value in bootstrap(mine, scored(arrays, other, sources), 0).items()}
            words = f"{apart['difference']:+.1f} [{apart['low']:+.1f}, {apart['high']:+.1f}] points"
            told.setdefault(f"minus {other}", {})[regime] = words
    return told


def merged(table: pd.DataFrame, known: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Lines of a table and, where it has none of a row, those of another; in the order of the rows given."""
    whole = pd.concat([table, known[~known["row"].isin(table["row"])]], ignore_index=True)
    whole = whole[whole["row"].isin(order)]
    return whole.iloc[whole["row"].map(order.index).argsort(kind="stable")].reset_index(drop=True)


def write_methods(folder: Path, page: Path | None = None, assets: Path | None = None, say: Callable = print) -> None:
    """The table of all methods, as csv, in the README and in the cards of the networks that only it has.

    Rows that were not predicted stay as the table has them.
    """
    assets = assets or ASSETS
    found, sources = load(folder)
    table = predicted = methods_table(found, sources)
    if (path := assets / "methods.csv").is_file():
        table = merged(table, pd.read_csv(path), [method.row for method in ev.methods()])
    table.to_csv(path, index=False, float_format="%.5g")
    for _, line in predicted.iterrows():
        name, _, rest = str(line["row"]).partition(" ")
        if name.rstrip(",") in models.NETWORKS and name not in readme.NETWORKS and not rest:
            scores: dict[str, object] = {"measure": ONE_SEED, "key frames": len(found["R0"]["key"])}
            for regime in ev.METHODS:
                scores[regime] = [round(float(line[f"{regime} pck@{alpha}"]), 4) for alpha in poses.ALPHAS]
            models.write_card(name, scores=scores)
    if f"pose/{RESTORED}" in found["R0"]:
        models.write_card(RESTORED, against=restored_against(found, sources))
    few = predicted[predicted["row"].str.fullmatch(r"dct-input(, \d+ channels)?")]
    if len(few):
        models.write_card(
            "dct-input",
            channels={
                re.sub(r"\D", "", str(line["row"])) or "192": {
                    regime: [round(float(line[f"{regime} pck@{alpha}"]), 4) for alpha in poses.ALPHAS]
                    for regime in ev.METHODS
                }
                for _, line in few.iterrows()
            },
        )
    if page is not None:
        put(page, "methods", readme.methods(table))
    say(f"table written to {assets / 'methods.csv'}")


def tell_brought(folder: Path, names: list[str], keep: bool = True, say: Callable = print) -> None:
    """Say how networks of your own score beside those of the project, and how far each is ahead of these.

    Args:
        folder: as `run_methods` gives it, of these networks and `BESIDE` in the regimes `BROUGHT`.
        names: of `models.brought`.
        keep: whether the scores go into their cards: those of the test do.
    """
    found, sources = load(folder, ev.BROUGHT)
    table = regimes_table(found, sources, (*ev.BESIDE, *names))
    say(readme.regimes(table))
    say("\nPoints [95 %], paired: PCK@.05 where blur was added, PCK@.1 as filmed (R5) and of its fastest joints.")
    for name in names:
        say(f"\n{readme.against(against_table(found, sources, name, (*ev.BESIDE, best_rival())), name)}")
        if keep:
            frames = {regime: len(arrays["key"]) for regime, arrays in found.items()}
            scores = card_scores(table, name) | {"measure": ONE_SEED, "key frames": frames}
            say(f"\nscores written to {models.write_card(name, scores=scores)}")


def put(page: Path, part: str, text: str) -> None:
    """Set what stands between the markers of a part of the README.

    Raises:
        ValueError: it has no such markers.
    """
    whole, begin, end = page.read_text(), f"<!-- {part} -->", f"<!-- /{part} -->"
    if begin not in whole or end not in whole:
        raise ValueError(f"{page} has no {begin} … {end}")
    page.write_text(f"{whole.split(begin)[0]}{begin}\n{text}\n{end}{whole.split(end)[1]}")


MEASURE = "PCK@0.05, @0.1, @0.2 on JHMDB split 1 test clips, true boxes, box norm, no flip; mean of the seeds"
ONE_SEED = MEASURE.replace("mean of the seeds", "one seed")


def card_scores(regimes: pd.DataFrame, name: str) -> dict[str, object]:
    """PCK at .05, .1, .2 of a network by regime, as its card tells them."""
    own = regimes[regimes.row == name]
    columns = [f"pck@{alpha}" for alpha in poses.ALPHAS]
    return {
        "measure": MEASURE,
        **{line["regime"]: [round(float(line[c]), 4) for c in columns] for _, line in own.iterrows()},
    }


ASSETS = Path(__file__).parents[2] / "assets" / "evaluation"
README = Path(__file__).parents[2] / "README.md"


def write(
    folder: Path, page: Path | None = None, assets: Path = ASSETS, say: Callable = print
) -> dict[str, pd.DataFrame]:
    """All tables of a folder of predictions, as csv files and in the README."""
    found, sources = load(folder)
    assets.mkdir(parents=True, exist_ok=True)
    tables = {
        "regimes": regimes_table(found, sources),
        "joints": joints_table(found, sources),
        "speed": speed_table(found, sources),
        "goals": goals_table(found, sources),
        "switches": switches_table(found, sources),
        "weights": weights_table(found),
        "jitter": jitter_table(found),
    }
    if len(beyond := out_of_range_table(found, sources)):
        tables["out_of_range"] = beyond
    if len(lead := lead_table(found, sources)):
        tables["lead"] = lead
    if (assets / "references.csv").is_file():
        tables["references"] = pd.read_csv(assets / "references.csv")
    for name in readme.NETWORKS:
        if name in set(tables["regimes"]["row"]):
            models.write_card(name, scores=card_scores(tables["regimes"], name))
    for name, table in tables.items():
        table.to_csv(assets / f"{name}.csv", index=False, float_format="%.5g")
    if page is not None:
        put(page, "tables", readme.text(tables))
    say(f"tables written to {assets}")
    return tables
