"""What a run has finished so far: stretches of frames, put down one by one, from which it goes on after a crash.

A stretch is a file of its own, written aside and renamed. One that is torn, or does not begin where the one before
it ended, is as if it were not there, and so is all that follows it.
"""

import json
import logging
import re
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqviz.store import write_file

LENGTH = 64  # frames of a stretch, at least
KEPT = 7 * 24 * 3600.0  # seconds that parts of a run are kept which nobody takes up again
_PREFIX = ".parts-"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A stretch of frames start ... stop - 1: arrays with a row each, and facts that JSON can hold."""

    start: int
    stop: int
    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class Parts:
    """The stretches of one run.

    Args:
        root: folder of the store.
        name: of the run: `RunKey.digest`.
    """

    def __init__(self, root: Path, name: str):
        self.folder = Path(root) / f"{_PREFIX}{name}"

    def put(self, start: int, stop: int, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Put down a stretch. A full disk costs the stretch and not the run: it is told in the log."""
        file = self.folder / f"{start:07d}-{stop:07d}.npz"
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        held: dict[str, Any] = {**arrays, "facts.json": text}
        try:
            write_file(file, lambda made: np.savez(made, **held))
        except OSError:
            _log.warning("a finished part could not be kept", exc_info=True)

    def read(self) -> Iterator[Part]:
        """The stretches from frame 0 on, in order, as far as they follow each other."""
        stop = None
        for file, start, end in self._files():
            if stop is not None and start != stop:
                return
            try:
                with file.open("rb") as opened, np.load(opened) as held:
                    arrays = {name: held[name] for name in held.files}
                facts = json.loads(arrays.pop("facts.json").tobytes())
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                _log.warning("a torn part is left out: %s", file.name)
                return
            stop = end
            yield Part(start, end, arrays, facts)

    @property
    def reached(self) -> int:
        """The frame up to which there are files, read or not; 0 where there is none."""
        return max((end for _, _, end in self._files()), default=0)

    def forget(self) -> None:
        """Remove them all: the run is done, or another one takes its place."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[tuple[Path, int, int]]:
        found = [(file, re.fullmatch(r"(\d{7})-(\d{7})\.npz", file.name)) for file in self.folder.glob("*.npz")]
        return sorted(((file, int(m[1]), int(m[2])) for file, m in found if m), key=lambda one: one[1:])


def trim(root: Path) -> None:
    """Remove parts that nobody has added to for a week."""
    for folder in Path(root).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # its run has just ended
            if time.time() - folder.stat().st_mtime > KEPT:
                shutil.rmtree(folder, ignore_errors=True)
