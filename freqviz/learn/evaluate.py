"""How networks are compared: exactly PROTOCOL.md, in one command.

`python -m freqviz evaluate --all` predicts every regime (runs/evaluation/<part>/<regime>.npz), then writes the tables
to assets/evaluation/ and into the README. What lies there of the same checkpoints and key frames stays.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import models
from freqviz.learn import data
from freqviz.learn.draws import HOW, REGIMES, SYNTHETIC, Key, Recompress, Windows
from freqviz.learn.flow import give_flow
from freqviz.learn.predictions import Edits, predict, predict_longer, predict_others
from models.cost import multiply_adds, parameters
from models.dct_input import COUNTS, DctInput
from models.network import PoseNetwork, channels_last
from models.spatial_frame import SpatialFrame
from models.video import VideoNetwork

OUT_OF_RANGE = ("R0", "R1", "R2", "R3")  # also of heads that were trained with blur up to 15 px
VARIANT = "15px"
SWITCHES: dict[str, Edits] = {
    "learned filter": {"learned_filter": torch.ones_like},
    "offset gate": {"offset_gate": torch.ones_like},
    "mask gate": {"mask_gate": torch.ones_like},
    "energy weights": {"band_energy": torch.zeros_like},
    "channel attention": {"channel_attention": torch.ones_like},
    "phase prior": {"phase_prior": torch.zeros_like, "phase_confidence": torch.zeros_like},
    "alignment": {"alignment_offset": torch.zeros_like, "modulation_mask": torch.ones_like},
    "frame weights": {"frame_weights": lambda w: torch.full_like(w, 1 / w.shape[1])},
}


def part_folder(runs: Path, part: str) -> Path:
    return runs / "evaluation" / part


def numbered(clips: data.Clips) -> list[int]:
    """A number of the source video of each clip."""
    sources = sorted({c.source for c in clips.infos})
    return [sources.index(c.source) for c in clips.infos]


def write_sources(clips: data.Clips, folder: Path, **more: object) -> None:
    """Put beside predictions which source video each clip is of; more facts by name."""
    (folder / "clips.json").write_text(json.dumps({"source": numbered(clips), **more}))


def resumed(
    path: Path, keys: list[Key], made: dict[str, str], predict: Callable[[list[str]], dict[str, NDArray]]
) -> None:
    """Predict what is missing in a file of predictions, and put it there.

    Args:
        path: .npz; what it holds of other key frames or another backbone is predicted again.
        keys: the key frames that it is of.
        made: what each row comes from; a row that comes from something else now is predicted again. "" is that of the
            rows that need no head: single frames, rivals and oracles.
        predict: rows to predictions, those of `made` that are missing.
    """
    held: dict[str, NDArray] = {}
    places = np.array([[key.clip, key.frame] for key in keys])
    if path.is_file():
        with np.load(path) as arrays:
            held = {name: arrays[name] for name in arrays.files}
    before = json.loads(str(held.pop("made", "{}")))
    if before.get("") != made[""] or not np.array_equal(held["key"], places):
        held, before = {}, {}
    missing = [row for row, source in made.items() if before.get(row) != source]
    if not missing:
        return
    held |= predict([row for row in missing if row])
    part = path.with_name(f"{path.stem}.part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(part, made=np.array(json.dumps(before | made)), **held)  # type: ignore[arg-type]
    part.replace(path)


def backbone() -> str:
    """What single frames, rivals and oracles come from."""
    return models.checkpoint_hash("spatial-frame")


TWINS = ("spatial-video", "freq-video")  # whose claims are tested
FIRST = (*TWINS, "freq-restored")  # networks of the first tables, with all their seeds
TRAINED_ON = {"spatial-video": ("longer",)}  # what networks that begin with the twin are to be compared with
METHODS = ("R0", "R2")  # regimes of the table of all methods: sharp, and where a network must choose its frames
BROUGHT = (*SYNTHETIC, "R5")  # regimes of networks of one's own
BESIDE = ("spatial-frame", *TWINS)  # what these are shown beside


def load_heads(names: list[str], variant: str = "") -> Iterator[tuple[str, VideoNetwork, str]]:
    """Every trained seed of `FIRST`, as "name seed n", or "name variant seed n"; and the hash of its checkpoint."""
    for name in names:
        for seed in range(10):
            if name in FIRST and models.checkpoint(name, seed, variant).is_file():
                network = models.load(name, seed=seed, variant=variant)
                assert isinstance(network, VideoNetwork)
                row = " ".join(filter(None, [name, variant, f"seed {seed}"]))
                yield row, network, models.checkpoint_hash(name, seed, variant)


@dataclass(frozen=True)
class Method:
    """A row of the table of all methods: one network for poses, in one of its forms."""

    name: str
    variant: str = ""
    channels: int = 0  # of `dct-input`, where not all are used

    @property
    def row(self) -> str:
        """As the table calls it."""
        few = f", {self.channels} channels" if self.channels else ""
        return " ".join(filter(None, [self.name, self.variant])) + few

    def load(self) -> PoseNetwork:
        network = models.load(self.name, variant=self.variant)
        give_flow(network)
        if isinstance(network, DctInput) and self.channels:
            network.use(self.channels)
        return network

    def cost(self) -> tuple[int, float]:
        """Parameters and multiply-adds of a window; those of optical flow, which no network computes, left out."""
        network = models.build(self.name, self.variant)
        give_flow(network)
        return parameters(network), multiply_adds(network)


def methods(names: list[str] | None = None) -> list[Method]:
    """Every network of the project that has a checkpoint, and its other forms; one seed each.

    Args:
        names: only these, those of your own too (`models.register`); `spatial-frame` and the twin, which the others are
            compared with, are always among them.
    """
    found = []
    for name, kind in models.NETWORKS.items():
        if name in models.brought():
            found += [Method(name)] if name in (names or ()) else []
            continue
        if not (names is None or name in (*names, "spatial-frame", "spatial-video")):
            continue
        for variant in ("", *kind.variants, *TRAINED_ON.get(name, ())):
            if models.checkpoint(name, 0, variant).is_file():
                found += [Method(name, variant, count) for count in (0, *_fewer(name, variant))]
    return found


def _fewer(name: str, variant: str) -> list[int]:
    """Numbers of channels that `dct-input`, in its usual form, is tried with besides all."""
    return [] if variant or not issubclass(models.NETWORKS[name], DctInput) else list(COUNTS[:-1])


def run_methods(
    root: Path,
    names: list[str] | None = None,
    part: str = "test",
    runs: Path = Path("runs"),
    limit: int = 0,
    say: Callable = print,
    regimes: tuple[str, ...] = METHODS,
) -> Path:
    """Predict every method in some regimes; returns the folder of the predictions. Arguments as `run`."""
    clips = data.Clips(root / "jhmdb", part, runs / "cache")
    chosen = {method.row: method for method in methods(names)}
    made = {
        "" if row == "spatial-frame" else row: models.checkpoint_hash(one.name, 0, one.variant)
        for row, one in chosen.items()
    }
    folder = part_folder(runs, part) / "methods"

    def missing(windows: Windows, rows: list[str]) -> dict[str, NDArray]:
        frame = channels_last(chosen["spatial-frame"].load())
        assert isinstance(frame, SpatialFrame)
        networks = {row: chosen[row].load() for row in rows}
        ours = {row: network for row, network in networks.items() if chosen[row].name not in models.brought()}
        video = {row: network for row, network in ours.items() if isinstance(network, VideoNetwork)}
        heads = {row: network for row, network in video.items() if network.frames == VideoNetwork.frames}
        longer = {row: network for row, network in video.items() if row not in heads}
        others = {row: network for row, network in networks.items() if row not in video}
        found = predict(heads, frame, windows, say=say)
        passes = [predict_others(others, windows, say)] if others else []
        if longer:
            radius = max(network.frames for network in longer.values()) // 2
            passes.append(predict_longer(longer, frame, Windows(clips, windows.regime, limit, radius=radius), say))
        for more in passes:
            if not np.array_equal(more.pop("key"), found["key"]):
                raise RuntimeError(f"{windows.regime}: the passes saw other frames")
            found |= more
        return found

    for regime in regimes:
        windows = Windows(clips, regime, limit)
        resumed(folder / f"{regime}.npz", windows.keys, made, partial(missing, windows))
    write_sources(clips, folder)
    return folder


def run(
    root: Path,
    names: list[str] | None = None,
    part: str = "test",
    runs: Path = Path("runs"),
    regimes: tuple[str, ...] = REGIMES,
    limit: int = 0,
    say: Callable = print,
    extra: bool = True,
    recompress: Recompress | None = None,
    inside: str = "",
) -> Path:
    """Predict every regime; returns the folder of the predictions.

    Args:
        root: folder that holds `jhmdb/`.
        names: networks; all with a checkpoint when left out.
        part: "test" or "validation".
        limit: windows a regime, 0 for all.
        extra: whether `freq-video` is also asked with each part switched off.
        recompress: as in `Windows`; regimes of H.264 are left out without it.
        inside: a folder of its own in that of the part.
    """
    clips = data.Clips(root / "jhmdb", part, runs / "cache")
    frame = channels_last(models.load("spatial-frame"))
    assert isinstance(frame, SpatialFrame)
    heads, variants, made = dict[str, VideoNetwork](), dict[str, VideoNetwork](), {"": backbone()}
    for variant, kept in (("", heads), (VARIANT, variants)):
        for row, network, source in load_heads(names or models.names(), variant):
            kept[row], made[row] = network, source
    folder = part_folder(runs, part) / inside
    folder.mkdir(parents=True, exist_ok=True)
    for regime in regimes:
        if HOW[regime].crf and recompress is None:
            say(f"{regime}: left out, since nothing here codes H.264")
            continue
        asked: dict[str, tuple[VideoNetwork, Edits]] = {row: (network, {}) for row, network in heads.items()}
        if regime in OUT_OF_RANGE:
            asked |= {row: (network, {}) for row, network in variants.items()}
        sources_of = {row: made[row] for row in asked}
        if extra and regime in ("R0", "R2", "R5") and "freq-video seed 0" in heads:
            for part_, edits in SWITCHES.items():
                row = f"freq-video without {part_}"
                asked[row], sources_of[row] = (heads["freq-video seed 0"], edits), made["freq-video seed 0"]
        windows = Windows(clips, regime, limit, recompress)

        def missing(rows: list[str], asked: Any = asked, windows: Windows = windows) -> dict[str, NDArray]:
            return predict({}, frame, windows, {row: asked[row] for row in rows}, say)

        resumed(folder / f"{regime}.npz", windows.keys, {"": made[""]} | sources_of, missing)
    write_sources(
        clips,
        folder,
        exact_scale=[c.exact_scale for c in clips.infos],
        checkpoints={n: models.checkpoint_hash(n) for n in models.names() if models.checkpoint(n).is_file()},
    )
    return folder
