"""What a run found, as tables and traces, in memory and in a folder.

Frames count as the whole clip does; points are frame pixels, times seconds after the first frame.
"""

import csv
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from freqviz.store import write_folder
from freqviz.trace import LightTrace, Trace

BOX = ("box_x", "box_y", "box_w", "box_h")


@dataclass(frozen=True)
class Analysis:
    """What `analyse` found; tables are tidy, one row per observation."""

    traces: dict[str, LightTrace]
    frames: pd.DataFrame  # frame, time, box_x, box_y, box_w, box_h, box_source, lost (why, or empty: see
    # `boxes.lost`, judged by the network that moves the box), sharpness measures, band_0 ...
    provenance: dict[str, Any]
    deep: dict[tuple[str, int], Trace] = field(default_factory=dict)  # (network, number of the key frame)

    @cached_property
    def poses(self) -> pd.DataFrame:
        """model, person, frame, time, joint, x, y (frame pixels), score (0 ... 1)."""
        return pd.concat([_pose_table(trace, self.frames["time"]) for trace in self.traces.values()], ignore_index=True)

    @cached_property
    def weights(self) -> pd.DataFrame:
        """model, key_frame, slot (-2 ... 2), frame, weight; networks without frame weights have no rows."""
        tables = [_weight_table(t) for t in self.traces.values() if np.isfinite(t.frame_weights).any()]
        empty = pd.DataFrame(columns=["model", "key_frame", "slot", "frame", "weight"])
        return pd.concat(tables, ignore_index=True) if tables else empty

    def save(self, folder: Path | str) -> Path:
        """Write poses.csv, frames.csv, weights.csv, the traces and run.json; aside, then renamed.

        Raises:
            FileExistsError: the folder holds something else than a run.
        """
        return write_folder(Path(folder), self.write)

    def write(self, folder: Path) -> None:
        """Fill an empty folder."""
        write_csv(self.poses, folder / "poses.csv", ".5f")
        write_csv(self.weights, folder / "weights.csv", ".6f")
        write_csv(self.frames, folder / "frames.csv")
        for name, trace in self.traces.items():
            trace.save(folder / f"trace-{name}.npz")
        for (name, key), deep in self.deep.items():
            deep.save(folder / f"deep-{name}-{key}.npz")
        held = {**self.provenance, "deep": [[name, key] for name, key in self.deep]}
        (folder / "run.json").write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")


def write_csv(table: pd.DataFrame, path: Path, form: str = "") -> None:
    """Write a table as its to_csv does, without the index, in half the time.

    Args:
        form: of real numbers, such as ".5f"; none: the shortest that reads back the same.
    """

    def printed(column: pd.Series) -> list[Any]:
        if column.dtype.kind != "f":
            return column.tolist()
        return ["" if v != v else format(v, form) if form else v for v in column.tolist()]

    with open(path, "w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator=os.linesep)
        writer.writerow(table.columns)
        writer.writerows(zip(*(printed(table[name]) for name in table), strict=True))


def load_analysis(folder: Path | str) -> Analysis:
    """Read what `Analysis.save` wrote.

    Raises:
        FileNotFoundError: no run.json, or a file that it names is missing.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise FileNotFoundError(f"{folder} holds no run.json: it is not a run folder")
    provenance = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    deep = {(name, key): Trace.load(folder / f"deep-{name}-{key}.npz") for name, key in provenance.pop("deep")}
    return Analysis(
        traces={name: LightTrace.load(folder / f"trace-{name}.npz") for name in provenance["models"]},
        frames=pd.read_csv(folder / "frames.csv", dtype={"lost": "str"}).fillna({"lost": ""}),
        provenance=provenance,
        deep=deep,
    )


def _pose_table(trace: LightTrace, times: "pd.Series[float]") -> pd.DataFrame:
    n, j = trace.scores.shape
    return pd.DataFrame(
        {
            "model": trace.network,
            "person": 0,
            "frame": trace.first + np.repeat(np.arange(n), j),
            "time": np.repeat(np.asarray(times, float), j),
            "joint": np.tile(trace.joints, n),
            "x": trace.keypoints[..., 0].ravel(),
            "y": trace.keypoints[..., 1].ravel(),
            "score": trace.scores.ravel(),
        }
    )


def _weight_table(trace: LightTrace) -> pd.DataFrame:
    n, s = trace.frame_weights.shape
    return pd.DataFrame(
        {
            "model": trace.network,
            "key_frame": trace.first + np.repeat(np.arange(n), s),
            "slot": np.tile(trace.slots, n),
            "frame": trace.first + np.concatenate([trace.window(key) for key in range(n)]),
            "weight": trace.frame_weights.ravel(),
        }
    )
