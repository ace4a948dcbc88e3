"""What was asked beyond the first tables: where frequency helps and where it does not, one table a question.

`python -m freqviz evaluate --evidence` predicts what is missing and writes assets/evaluation/evidence.csv (scores),
differences.csv (`freq-video` against its rivals, paired) and traps.csv (whom the frame weights trust). Conditions of
one question are compared on the same key frames; intervals as in PROTOCOL.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

import models
from freqviz import crops, poses
from freqviz.learn import data, draws, predictions, readme, report
from freqviz.learn import evaluate as ev
from freqviz.learn.scoring import Scored, bootstrap, holm, interval, scored, seeds_of, sharp_neighbour, speeds
from models.spatial_frame import SpatialFrame

Found = dict[str, dict[str, NDArray]]
CLAIMING = "freq-video"


@dataclass(frozen=True)
class Condition:
    """One column of a question."""

    title: str
    regime: str
    speed: tuple[float, float] = (0, np.inf)  # of the joints that count, box sides a frame: above, up to
    fast: bool = False  # the fastest tenth of joints alone
    variant: str = ""  # of the heads


@dataclass(frozen=True)
class Question:
    """What one table answers; `alpha` is the PCK that its differences are of."""

    title: str
    alpha: float
    conditions: tuple[Condition, ...]


def _all(*pairs: tuple[str, str], **more: str) -> tuple[Condition, ...]:
    return tuple(Condition(title, regime, **more) for title, regime in pairs)  # type: ignore[arg-type]


RATES = (("every frame", "rate 1"), ("every 2nd", "rate 2"), ("every 4th", "rate 4"))
QUESTIONS = (
    Question(
        "Added blur",
        0.05,
        _all(("sharp (R0)", "R0"), ("mixed (R1)", "R1"), ("one neighbour sharp (R2)", "R2"), ("none sharp (R3)", "R3")),
    ),
    Question(
        "Out of range",
        0.05,
        _all(("sharp (R0)", "R0"), ("mixed (R1)", "R1"), ("one neighbour sharp (R2)", "R2"), ("none sharp (R3)", "R3"),
             variant=ev.VARIANT),
    ),
    Question(
        "Traps for energy",
        0.05,
        _all(("none (R2)", "R2"), ("any (R4)", "R4"), *((kind, f"trap {kind}") for kind in draws.TRAPS)),
    ),
    Question("One limb blurred", 0.1, _all(("none", "R0"), *((f"× {regime[-1]}", regime) for regime in draws.LIMBS))),
    Question(
        "Natural motion",
        0.1,
        (
            *(Condition(f"{100 * low:g} to {100 * high:g} %", "R5", (low, high))
              for low, high in ((0, 0.01), (0.01, 0.03), (0.03, 0.06))),
            Condition("above 6 %", "R5", (0.06, np.inf)),
            Condition("fastest tenth", "R5", fast=True),
        ),
    ),
    Question("Frame rate", 0.1, _all(*RATES)),
    Question(
        "Frame rate, fast joints", 0.1, tuple(Condition(title, regime, fast=True) for title, regime in RATES)
    ),
    Question(
        "Compression",
        0.1,
        _all(("JPEG 75 (R0)", "R0"), *((f"JPEG {n}", f"jpeg {n}") for n in (40, 20, 10)),
             *((f"H.264, crf {n}", f"h264 {n}") for n in (34, 40))),
    ),
    Question(
        "Boxes",
        0.1,
        _all(("true boxes", "filmed"), ("± 10 %", "jitter"), ("± 20 %", "jitter 20 %")),
    ),
    Question("Boxes under blur", 0.05, _all(("true boxes (R2)", "R2"), ("± 10 % (R2)", "R2 jitter"))),
)  # fmt: skip
STILLS = "Stills and frames"
PARTS = {  # of `STILLS`: where people come from, and every how many of them
    "LSPET stills, trained on": ("lspet", 17),
    "JHMDB frames, trained on": ("train", 24),
    "JHMDB frames, films held out": ("validation", 6),
    "JHMDB frames, test": ("test", 8),
}


THIN = {
    **dict.fromkeys((*draws.SYNTHETIC, "jitter"), draws.SPARSE),
    "R5": 4,
}  # of the first tables: every so many frames
ORDER = (  # what says most comes first, since hours may be short
    "trap noise", "trap occluder", "rate 1", "rate 4", "jpeg 10", "h264 40", "filmed", "jitter 20 %",
    "trap dark", "trap bright", "R2 jitter", "rate 2", "jpeg 20", "h264 34", "jpeg 40",
)  # fmt: skip


def run(
    root: Path,
    runs: Path = Path("runs"),
    limit: int = 0,
    recompress: draws.Recompress | None = None,
    say: Callable = print,
) -> Path:
    """Predict what is missing, also of the first tables; the folder of the predictions. Arguments as `evaluate.run`."""
    run_stills(root, runs, limit, say)
    names = list(ev.TWINS)
    ev.run(root, names, "test", runs, limit=limit, say=say)
    return ev.run(root, names, "test", runs, ORDER, limit, say, False, recompress, "evidence")


# ---------------------------------------------------------------- single frames


class Frames(Dataset[dict[str, NDArray]]):
    """People in single undegraded pictures of one part of `PARTS`, cut with their true boxes."""

    def __init__(self, root: Path, part: str, every: int, cache: Path, limit: int = 0):
        self.regime, self.stills = part, part == "lspet"
        if self.stills:
            self.people = data.Stills.open(root / "lspet")
            sizes = range(0, len(self.people), every)
            self.keys = [draws.Key(i, 0) for i in sizes if self._person(i, 0)[1].counts.sum() >= data.MINIMUM_JOINTS]
        else:
            self.clips = data.Clips(root / "jhmdb", part, cache)
            self.keys = [
                draws.Key(c, t)
                for c, info in enumerate(self.clips.infos)
                if info.full_body
                for t in range(0, len(self.clips.joints[c]), every)
                if self.clips.person(c, t).counts.sum() >= data.MINIMUM_JOINTS
            ]
        if limit:
            self.keys = self.keys[:: max(1, len(self.keys) // limit)]

    def _person(self, i: int, t: int) -> tuple[NDArray[np.uint8], data.Person]:
        if not self.stills:
            return self.clips.frame(i, t), self.clips.person(i, t)
        picture = np.ascontiguousarray(self.people.read(i))
        return picture, self.people.person(i, picture.shape[:2])

    @property
    def sources(self) -> NDArray[np.int64]:
        """(N,) a number for each film; a still is a film of its own."""
        if self.stills:
            return np.arange(len(self.keys))
        return np.array(ev.numbered(self.clips))[[key.clip for key in self.keys]]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, n: int) -> dict[str, NDArray]:
        picture, person = self._person(self.keys[n].clip, self.keys[n].frame)
        cut = crops.cut(picture, person.box).transpose(2, 0, 1)
        return {"frame": cut, "box": person.box, "truth": person.joints, "counts": person.counts}


def run_stills(root: Path, runs: Path = Path("runs"), limit: int = 0, say: Callable = print) -> Path:
    """Predict single-frame networks on stills and on frames; the folder of the predictions. As `evaluate.run`."""
    folder = ev.part_folder(runs, "test") / "evidence" / "frames"
    single = {method.row: method for method in ev.methods() if issubclass(models.NETWORKS[method.name], SpatialFrame)}
    single = {row: one for row, one in single.items() if not one.channels}
    made = {"": ev.backbone()} | {row: models.checkpoint_hash(one.name, 0, one.variant) for row, one in single.items()}
    for part, every in PARTS.values():
        frames = Frames(root, part, every, runs / "cache", limit)

        def missing(rows: list[str], frames: Frames = frames) -> dict[str, NDArray]:
            say(f"{frames.regime}: {len(frames)} pictures")
            networks = {row: single[row].load() for row in rows}
            for network in networks.values():
                network.convention = data.LSPET if frames.stills else data.JHMDB  # type: ignore[assignment]
            return _predict_single(networks, frames)

        ev.resumed(folder / f"{part}.npz", frames.keys, made, missing)
    return folder


def _predict_single(networks: dict, frames: Frames) -> dict[str, NDArray]:
    found: dict[str, list[NDArray]] = {}
    with torch.inference_mode():
        for batch in DataLoader(frames, 16):
            pictures = batch["frame"][:, None].float() / 255
            for row, network in networks.items():
                found.setdefault(f"pose/{row}", []).append(predictions.placed(network(pictures), batch["box"]))
            for name in ("truth", "counts"):
                found.setdefault(name, []).append(batch[name].numpy())
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return whole | {"key": np.array([[k.clip, k.frame] for k in frames.keys]), "source": frames.sources}


# ---------------------------------------------------------------- tables


def load(folder: Path) -> tuple[Found, NDArray]:
    """Predictions of every regime that lie there or, of the first tables, beside it; and the source video of each clip.

    Of the first tables every so many frames: as many as of the others, with which they are compared.
    """
    first, sources = report.load(folder.parent)
    for regime, step in THIN.items():
        if regime in first:
            every = {tuple(key) for key in first[regime]["key"].tolist() if key[1] % step == 0}
            first[regime] = at(first[regime], every)
    return first | report.load(folder, draws.FURTHER)[0], sources


def common(found: Found, question: Question) -> list[tuple[Condition, dict[str, NDArray]]]:
    """The conditions that were predicted, on the key frames that all of them have; none where fewer than two were."""
    held = [one for one in question.conditions if one.regime in found]
    if len(held) < 2:
        return []
    keys = set.intersection(*({tuple(key) for key in found[one.regime]["key"].tolist()} for one in held))
    return [(one, at(found[one.regime], keys)) for one in held]


def at(arrays: dict[str, NDArray], keys: set[tuple[int, ...]]) -> dict[str, NDArray]:
    """Predictions at some of their key frames."""
    chosen = np.array([tuple(key) in keys for key in arrays["key"].tolist()], bool)
    return {name: array[chosen] for name, array in arrays.items()}


def joints(condition: Condition, arrays: dict[str, NDArray]) -> NDArray[np.bool_]:
    """(N, J): joints that a condition is about."""
    speed = speeds(arrays)
    low, high = condition.speed
    if condition.fast:
        return report.fast_joints(arrays)
    return np.asarray((speed <= high) & ((speed > low) | (low == 0)))


def rows_of(condition: Condition, arrays: dict[str, NDArray]) -> dict[str, str]:
    """Rows by their names, with the predictions that they have in a condition."""
    draw = draws.HOW[condition.regime].draw
    rows = {row: row for row in report.rows_of(arrays) if row != predictions.ORACLES[0] or draw not in ("", "R0")}
    if condition.variant:  # heads trained otherwise
        rows |= {name: f"{name} {condition.variant}" for name in ev.FIRST if name in rows}
        rows = {row: held for row, held in rows.items() if any(f"pose/{held}" in name for name in arrays)}
    return rows


def _line(score: Scored) -> dict[str, object]:
    line: dict[str, object] = {**score.size}
    for index, alpha in enumerate(poses.ALPHAS):
        low, high = interval(score, index)
        line |= {f"pck@{alpha}": score.pck[index], f"low@{alpha}": low, f"high@{alpha}": high}
    return line


def scores_table(found: Found, sources: NDArray) -> pd.DataFrame:
    """PCK with 95 % intervals: a line a question, condition and row."""
    lines = []
    for question in QUESTIONS:
        held_in = [(condition, arrays, rows_of(condition, arrays)) for condition, arrays in common(found, question)]
        for condition, arrays, rows in held_in:
            chosen = joints(condition, arrays)
            for row, held in rows.items():
                if row in readme.NETWORKS and any(row not in others for _, _, others in held_in):
                    continue  # it was not asked everywhere
                score = scored(arrays, held, sources, chosen)
                lines.append({"question": question.title, "condition": condition.title, "row": row} | _line(score))
    return pd.DataFrame(lines)


def stills_table(folder: Path) -> pd.DataFrame:
    """PCK of single-frame networks on stills and on frames; lines as `scores_table`."""
    lines = []
    for title, (part, _) in PARTS.items():
        with np.load(folder / f"{part}.npz") as file:
            arrays = {name: file[name] for name in file.files if name != "made"}
        arrays["key"] = np.stack([np.arange(len(arrays["key"])), arrays["key"][:, 1]], 1)
        for name in (n.removeprefix("pose/") for n in arrays if n.startswith("pose/")):
            score = scored(arrays, name, arrays["source"])
            lines.append({"question": STILLS, "condition": title, "row": name} | _line(score))
    return pd.DataFrame(lines)


def differences_table(found: Found, sources: NDArray) -> pd.DataFrame:
    """`freq-video` minus the twin, the single frame and the best untrained pooling, paired; p by Holm over all lines.

    The threshold is that of the question; heads trained otherwise are compared with each other alone. `again`: another
    question has the same difference, to which others are compared there; it is counted once.
    """
    lines, firsts = [], dict[tuple[object, ...], int]()
    first: list[int] = []  # of each line, the one that has its difference first
    for question in QUESTIONS:
        alpha = poses.ALPHAS.index(question.alpha)
        for condition, arrays in common(found, question):
            chosen, rows = joints(condition, arrays), rows_of(condition, arrays)
            if CLAIMING not in rows:
                continue
            mine = scored(arrays, rows[CLAIMING], sources, chosen)
            for against in dict.fromkeys(("spatial-video", "spatial-frame", report.best_rival())):
                if against not in rows:
                    continue
                theirs = scored(arrays, rows[against], sources, chosen)
                same = (condition.regime, condition.speed, condition.fast, condition.variant, alpha, against)
                each = _by_seed(arrays, rows[CLAIMING], rows[against], sources, chosen, alpha)
                lines.append(
                    {"question": question.title, "condition": condition.title, "against": against,
                     "pck": question.alpha, **bootstrap(mine, theirs, alpha),
                     "per seed": " ".join(f"{100 * one:+.1f}" for one in each), "seeds": len(each),
                     **mine.size, "again": same in firsts}
                )  # fmt: skip
                first.append(firsts.setdefault(same, len(lines) - 1))
    table = pd.DataFrame(lines)
    corrected = holm({str(n): float(table["p"][n]) for n in firsts.values()})
    table["p (Holm)"] = [corrected[str(n)] for n in first]
    return table


def _by_seed(
    arrays: dict[str, NDArray], mine: str, theirs: str, sources: NDArray, chosen: NDArray, alpha: int
) -> list[float]:
    """The difference of each seed; a rival without seeds stands against all of them."""
    own, other = (
        {name.rpartition(" seed ")[2] if " seed " in name else "": name for name in seeds_of(arrays, row)}
        for row in (mine, theirs)
    )
    found = []
    for seed, name in own.items():
        against = other.get(seed, next(iter(other.values())))
        one, two = (scored(arrays, row.removeprefix("pose/"), sources, chosen).pck[alpha] for row in (name, against))
        found.append(float(one - two))
    return found


def traps_table(found: Found, sources: NDArray) -> pd.DataFrame:
    """How often a blurred frame weighs more than the sharp one, with a trap on it and without (R2): a line a network.

    share, low, high: of windows, the mean of the seeds; ratio: median of the weight of that frame by the sharp one's;
    without: the same share for the same frames of the same windows without the trap.
    """
    lines = []
    plain = found["R2"]
    row_of = {tuple(key): n for n, key in enumerate(plain["key"].tolist())}
    for kind in draws.TRAPS:
        arrays = found.get(f"trap {kind}")
        if arrays is None:
            continue
        same = np.array([row_of[tuple(key)] for key in arrays["key"].tolist()])
        sharp = sharp_neighbour(arrays["lengths"])
        for row in ev.TWINS:
            names = [name.replace("pose/", "weights/") for name in seeds_of(arrays, row)]
            ratio, before = (
                np.stack([_ratio(weights[name][where], arrays["trapped"], sharp) for name in names])
                for weights, where in ((arrays, slice(None)), (plain, same))
            )
            counted = np.ones(len(sharp))
            score = Scored((ratio > 1).mean(0)[None].astype(float), counted, sources[arrays["key"][:, 0]])
            low, high = interval(score, 0)
            lines.append(
                {"trap": kind, "row": row, "windows": len(sharp), "films": len(np.unique(score.source)),
                 "share": score.pck[0], "low": low, "high": high, "ratio": float(np.median(ratio)),
                 "without": float((before > 1).mean()),
                 "per seed": " ".join(f"{100 * one:.1f}" for one in (ratio > 1).mean(1))}
            )  # fmt: skip
    return pd.DataFrame(lines)


def _ratio(weights: NDArray, over: NDArray, under: NDArray) -> NDArray[np.float64]:
    """(N,) the weight of one slot of each window by that of another."""
    n = np.arange(len(weights))
    return np.asarray(weights[n, over] / np.maximum(weights[n, under], 1e-12))


def write(folder: Path, assets: Path | None = None, say: Callable = print) -> dict[str, pd.DataFrame]:
    """The tables of a folder of predictions, as csv files."""
    assets = assets or report.ASSETS
    assets.mkdir(parents=True, exist_ok=True)
    found, sources = load(folder)
    scores = scores_table(found, sources)
    if all((folder / "frames" / f"{part}.npz").is_file() for part, _ in PARTS.values()):
        scores = pd.concat([scores, stills_table(folder / "frames")], ignore_index=True)
    tables = {
        "evidence": scores,
        "differences": differences_table(found, sources),
        "traps": traps_table(found, sources),
    }
    for name, table in tables.items():
        if len(table):  # what was not predicted yet has no table
            table.to_csv(assets / f"{name}.csv", index=False, float_format="%.5g")
    say(f"evidence written to {assets}")
    return tables
