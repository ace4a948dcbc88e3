"""Where results lie: one folder per run key, complete or absent.

A folder is written aside and renamed, so a reader never sees half a result, and two writers of one key leave
one.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

LIMIT = 4 << 30  # bytes; the oldest results go first
_ASIDE = ".aside-"


@dataclass(frozen=True)
class RunKey:
    """Everything that a result depends on; two runs of one key are one run."""

    clip: str  # sha256 of the clip
    boxes: str  # where the boxes come from, and their values or hash
    checkpoints: tuple[tuple[str, str], ...]  # (name, hash), in order
    settings: str  # JSON, keys sorted
    code: str  # hash of the sources

    @property
    def digest(self) -> str:
        """Name of the folder: 24 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


def write_folder(folder: Path, write: Callable[[Path], None], mark: str = "run.json") -> Path:
    """Let `write` fill a new folder, then put it in the place of `folder` in one step.

    What was there is replaced; when `write` fails it stays as it was and nothing else is left.

    Args:
        mark: a file that every such folder holds, and no other one.
    Raises:
        FileExistsError: `folder` is a file, or has no `mark` but other things: it is not ours.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / mark).exists() or not any(folder.iterdir()))):
        raise FileExistsError(f"{folder} is not a {mark.partition('.')[0]} folder (no {mark}); it is left as it is")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=folder.parent))
    try:
        aside.chmod(0o755)
        write(aside)
        try:
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=folder.parent))
                os.replace(folder, old / "old")
                os.replace(aside, folder)
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(aside, folder)
        except OSError:
            if not (folder / mark).exists():  # not: another writer was first
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


class Store:
    """Result folders under one root, with a bound on their size.

    Args:
        root: created when first written to.
        limit: bytes; beyond it the folders used longest ago are removed.
    """

    def __init__(self, root: Path | str, limit: int = LIMIT):
        self.root, self.limit = Path(root), limit

    def find(self, key: RunKey) -> Path | None:
        """The folder of a key, now the youngest; None if there is no complete one."""
        folder = self.root / key.digest
        if not (folder / "run.json").is_file():
            return None
        os.utime(folder)
        return folder

    def put(self, key: RunKey, write: Callable[[Path], None]) -> Path:
        """Write the folder of a key, then trim the store.

        Args:
            write: fills the folder it is given, run.json included.
        """
        folder = write_folder(self.root / key.digest, write)
        os.utime(folder)
        self.trim(keep=folder)
        return folder

    def folders(self) -> list[Path]:
        """Complete results, the youngest first."""
        found = [f for f in self.root.glob("*/") if (f / "run.json").is_file() and not f.name.startswith(_ASIDE)]
        return sorted(found, key=lambda f: f.stat().st_mtime, reverse=True)

    def size(self) -> int:
        """Bytes of all complete results."""
        return sum(_bytes(folder) for folder in self.folders())

    def trim(self, keep: Path | None = None) -> None:
        """Remove the results used longest ago until the store fits its limit; `keep` stays."""
        total = 0
        for folder in self.folders():
            total += _bytes(folder)
            if total > self.limit and folder != keep:
                total -= _bytes(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
