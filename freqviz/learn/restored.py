"""How `freq-deblur` is compared: with the blurred key frame, with its spatial twin, and by what `spatial-frame` finds.

The windows are those of PROTOCOL.md. Truth is the key frame of the data set before its damage, which is itself not
always sharp. PSNR and SSIM are those of `freqviz.quality` on the crop of the true box, 192 x 144, black outside of the
frame in both. Goal, named before the training: R1, R2 and R3 together, in which every key frame is blurred.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

import models
from freqviz import poses, quality
from freqviz.learn import data, draws, predictions, report
from freqviz.learn import evaluate as ev
from freqviz.learn.restore import to_picture
from freqviz.learn.scoring import Scored, bootstrap, scored
from models.freq_deblur import FreqDeblur

NAME, TWIN = "freq-deblur", "freq-deblur spatial"
BLURRED, TRUTH = "blurred key frame", "true key frame"
ROWS = (BLURRED, TWIN, NAME, TRUTH)
REGIMES = ("R0", "R1", "R2", "R3")
GOAL = ("R1", "R2", "R3")


@torch.inference_mode()
def predict(
    networks: dict[str, FreqDeblur], frame: torch.nn.Module, windows: draws.Windows, say: Callable = print
) -> dict[str, NDArray]:
    """Restore the key frames of a regime, and let a network of single frames find the poses on them.

    Args:
        networks: by row of the table.
        frame: a network for poses that sees one frame.
        windows: with their undegraded key frames.
    Returns:
        "psnr/<row>" dB and "ssim/<row>" (N,); "pose/<row>" (N, 14, 2) frame pixels; truth, counts, key.
    """
    found: dict[str, list[NDArray]] = {}
    for number, batch in enumerate(DataLoader(windows, 8, num_workers=2, prefetch_factor=2)):
        pictures = {BLURRED: batch["frames"][:, 2].float() / 255, TRUTH: batch["sharp"].float() / 255}
        pictures |= {row: network.picture(batch["frames"].float() / 255) for row, network in networks.items()}
        truths = [to_picture(one) for one in pictures[TRUTH]]
        for row, several in pictures.items():
            made = [to_picture(one) for one in several]
            if row != TRUTH:
                for name, measure in (("psnr", quality.psnr), ("ssim", quality.ssim)):
                    values = [measure(one, truth) for one, truth in zip(made, truths, strict=True)]
                    found.setdefault(f"{name}/{row}", []).append(np.array(values))
            seen = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2)[:, None].float() / 255
            found.setdefault(f"pose/{row}", []).append(predictions.placed(frame(seen), batch["box"]))
        for name in ("counts", "key"):
            found.setdefault(name, []).append(batch[name].numpy())
        found.setdefault("truth", []).append(batch["joints"][:, 2].numpy())
        if number % 20 == 0:
            say(f"{windows.regime}: {min(len(windows), 8 * (number + 1))}/{len(windows)} windows restored")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def run(root: Path, part: str = "test", runs: Path = Path("runs"), limit: int = 0, say: Callable = print) -> Path:
    """Predict what is missing of every regime; the folder of the predictions. Arguments as `evaluate.run`."""
    clips = data.Clips(root / "jhmdb", part, runs / "cache")
    networks, made = dict[str, FreqDeblur](), {"": ev.backbone()}
    for row, variant in ((NAME, ""), (TWIN, "spatial")):
        network = models.load(NAME, variant=variant)
        assert isinstance(network, FreqDeblur)
        networks[row], made[row] = network, models.checkpoint_hash(NAME, 0, variant)
    frame, folder = models.load("spatial-frame"), ev.part_folder(runs, part) / "restored"
    for regime in REGIMES:
        windows = draws.Windows(clips, regime, limit, sharp=True)

        def missing(rows: list[str], windows: draws.Windows = windows) -> dict[str, NDArray]:
            return predict({row: networks[row] for row in rows}, frame, windows, say)

        ev.resumed(folder / f"{regime}.npz", windows.keys, made, missing)
    ev.write_sources(clips, folder)
    return folder


def load(folder: Path) -> tuple[dict[str, dict[str, NDArray]], NDArray]:
    """Predictions by regime, that of the goal among them as "goal", and the source of each clip."""
    found, sources = report.load(folder, REGIMES)
    found["goal"] = {name: np.concatenate([found[one][name] for one in GOAL]) for name in found[GOAL[0]]}
    return found, sources


def apart(arrays: dict[str, NDArray], sources: NDArray, measure: str, row: str, other: str) -> dict[str, float]:
    """Mean difference of a measure between two rows with its 95 % interval, source videos resampled; paired."""
    source, ones = sources[arrays["key"][:, 0]], np.ones(len(arrays["key"]))
    a, b = (Scored(arrays[f"{measure}/{one}"][None], ones, source) for one in (row, other))
    return bootstrap(a, b, 0)


def table(found: dict[str, dict[str, NDArray]], sources: NDArray) -> pd.DataFrame:
    """A line a regime and row: PSNR, SSIM, PCK, and differences of PSNR with 95 % intervals.

    `gain` is against the blurred key frame, `over twin` against the spatial twin.
    """
    lines = []
    for regime, arrays in found.items():
        for row in ROWS:
            line: dict[str, object] = {"regime": regime, "row": row, "frames": len(arrays["key"])}
            if row != TRUTH:
                line |= {name: float(arrays[f"{name}/{row}"].mean()) for name in ("psnr", "ssim")}
            score = scored(arrays, row, sources)
            line |= {f"pck@{alpha}": score.pck[i] for i, alpha in enumerate(poses.ALPHAS)}
            for label, other in (("gain", BLURRED), ("over twin", TWIN)):
                if row in (NAME, TWIN) and row != other:
                    told = apart(arrays, sources, "psnr", row, other)
                    line |= {label: told["difference"], f"{label} low": told["low"], f"{label} high": told["high"]}
            if row in (NAME, TWIN):
                told = bootstrap(score, scored(arrays, BLURRED, sources), 0)
                line |= {f"pck@0.05 {key}": told[key] for key in ("difference", "low", "high")}
            lines.append(line)
    return pd.DataFrame(lines)


def markdown(known: pd.DataFrame) -> str:
    """The table as the README has it."""
    text = [
        "| PSNR, dB / SSIM / PCK@.05 of `spatial-frame`, % | R0 | R1 | R2 | R3 | R1 to R3 |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in ROWS:
        lines = known[known["row"] == row].set_index("regime")
        cells = [
            (f"{line['psnr']:.2f} / {line['ssim']:.3f} / " if row != TRUTH else "") + f"{100 * line['pck@0.05']:.1f}"
            for line in (lines.loc[regime] for regime in (*REGIMES, "goal"))
        ]
        text.append(f"| {row if row in (BLURRED, TRUTH) else f'`{row}`'} | {' | '.join(cells)} |")
    for label, words in (("gain", "over the blurred key frame, dB"), ("over twin", "over its twin, dB")):
        lines = known[known["row"] == NAME].set_index("regime")
        cells = [with_interval(lines.loc[one].to_dict(), label) for one in (*REGIMES, "goal")]
        text.append(f"| `{NAME}` {words} | {' | '.join(cells)} |")
    return "\n".join(text)


def with_interval(line: Mapping[Any, Any] | pd.Series, name: str) -> str:
    """A difference of the table and the ends of its interval."""
    return f"{line[name]:+.2f} [{line[f'{name} low']:+.2f}, {line[f'{name} high']:+.2f}]"


def write(folder: Path, page: Path | None = None, assets: Path | None = None, say: Callable = print) -> pd.DataFrame:
    """The table as csv, in the card and, where it has the place for it, in the README."""
    assets = assets or report.ASSETS
    known = table(*load(folder))
    known.to_csv(assets / "restored.csv", index=False, float_format="%.5g")
    scores: dict[str, object] = {
        "measure": "PSNR in dB and SSIM of the restored key frame, PCK@0.05 of spatial-frame on it; JHMDB split 1 test "
        "clips, true boxes, crop of 192 x 144; gains against the blurred key frame, one seed"
    }
    for line in known[known["row"] == NAME].to_dict("records"):
        where = "R1 to R3" if line["regime"] == "goal" else line["regime"]
        scores[where] = (
            f"PSNR {line['psnr']:.2f} dB, {with_interval(line, 'gain')} over the blurred frame, "
            f"{with_interval(line, 'over twin')} over the twin; SSIM {line['ssim']:.3f}; "
            f"PCK@0.05 {100 * line['pck@0.05']:.1f} %"
        )
    models.write_card(NAME, restored=scores)
    if page is not None:
        report.put(page, "restored", markdown(known))
    say(f"table written to {assets / 'restored.csv'}")
    return known
