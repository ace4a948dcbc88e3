"""Where results lie: one folder per run key, complete or absent; and what is removed when a disk is not endless.

A file or folder is written aside, brought to the disk and renamed, so a reader never sees half of it, and two writers
of one key leave one. A killed writer leaves a folder aside that nobody locks any more; the next writer removes it.
When a thing was used last, and that it is in use, stands in an empty file of its own: its time, and a lock.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

try:
    import fcntl
except ImportError:  # no such locks on this system: one process a folder
    fcntl = None  # type: ignore[assignment]

LIMIT = 4 << 30  # bytes; what was used longest ago goes first
_ASIDE = ".aside-"
_PARTS = ".parts.json"  # size and CRC-32 of every file of a result


class DiskFull(OSError):
    """There was no space; what was written is gone, what was there stays."""


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


# -------- writing


@contextmanager
def aside(parent: Path) -> Iterator[Path]:
    """A folder in `parent` for what is not complete yet; gone at the end, and what killed writers left with it.

    Raises:
        DiskFull: there was no space.
    """
    with _told_when_full():
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
        while True:  # again where a sweep came between making and locking it
            folder = parent / f"{_ASIDE}{uuid4().hex[:12]}"
            folder.mkdir(mode=0o755)
            held = _locked(folder, exclusive=False)
            if held is not None:
                break
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def sweep(parent: Path) -> None:
    """Remove what killed writers left aside in a folder; what a living one writes stays."""
    for left in parent.glob(_ASIDE + 12 * "[0-9a-f]"):
        if (held := _locked(left, exclusive=True)) is not None:
            _discard(left)
            os.close(held)


def write_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file aside, then put it in the place of `path` in one step.

    Raises:
        DiskFull: there was no space; what was there stays.
    """
    with aside(path.parent) as folder:
        made = folder / path.name
        write(made)
        place(made, path)
    return path


def place(made: Path, path: Path) -> Path:
    """Put a finished file or folder in its place in one step, its bytes on the disk before its name."""
    _settle(made)
    os.replace(made, path)
    _sync(path.parent)
    return path


def write_folder(folder: Path, write: Callable[[Path], None], mark: str = "run.json") -> Path:
    """Let `write` fill a new folder, then put it in the place of `folder` in one step.

    What was there is replaced; when `write` fails it stays as it was and nothing else is left.

    Args:
        mark: a file that every such folder holds, and no other one.
    Raises:
        FileExistsError: `folder` is a file, or has no `mark` but other things: it is not ours.
        DiskFull: there was no space.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / mark).exists() or not any(folder.iterdir()))):
        raise FileExistsError(f"{folder} is not a {mark.partition('.')[0]} folder (no {mark}); it is left as it is")
    with aside(folder.parent) as space:
        made = space / "new"
        made.mkdir()
        write(made)
        _settle(made)
        try:
            if folder.exists():
                with suppress(FileNotFoundError):  # another process has just taken it away
                    os.replace(folder, space / "old")
            os.replace(made, folder)
            _sync(folder.parent)
        except OSError:
            if not (folder / mark).exists():  # not: another writer was first
                with suppress(OSError):
                    os.replace(space / "old", folder)
                raise
    return folder


def remove(path: Path) -> None:
    """Remove a file or a folder of ours; a folder is gone in one step. Nothing happens where there is none."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            gone = path.with_name(f"{_ASIDE}{uuid4().hex[:12]}")
            os.replace(path, gone)
            path = gone
    _discard(path)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where it has gone meanwhile."""
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            return path.lstat().st_size
        return sum(size(one) for one in path.iterdir())
    except OSError:
        return 0


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except DiskFull:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull("the disk of this machine is full; what was to be kept is not, all else stays") from error


def _settle(made: Path) -> None:
    """All of a file or folder to the disk; the files at once, so that they wait for it together."""
    with ThreadPoolExecutor(8) as waiting:
        list(waiting.map(_sync, made.rglob("*")))
    _sync(made)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _locked(path: Path, exclusive: bool, wait: bool = False) -> int | None:
    """A descriptor that holds the lock of a file or folder; None where another one has it, or the path has gone."""
    try:
        opened = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        if fcntl is not None:
            kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
            fcntl.flock(opened, kind if wait else kind | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(opened), os.stat(path)):
            return opened
    except OSError:
        pass
    os.close(opened)
    return None


# -------- using and removing


class Hold:
    """Says that a thing is in use, in this process, until it is closed, forgotten, or the process ends."""

    def __init__(self, opened: int | None):
        self._opened = opened

    def close(self) -> None:
        """Let go."""
        if self._opened is not None:
            os.close(self._opened)
        self._opened = None

    def __del__(self) -> None:
        self.close()


class Uses:
    """When each thing was used last, and whether it is in use now, by any process.

    The time never goes back: it is that of the clock, or a little more than the latest one known. Nothing fails where
    a disk is full or cannot be written to; then the order is that of before.

    Args:
        root: of the empty files that say so; created when first needed.
    """

    def __init__(self, root: Path | str):
        self.root = Path(root)

    def touch(self, path: Path) -> None:
        """The thing is used now."""
        with suppress(OSError):
            self._set(self._file(path), self._now())

    def hold(self, path: Path) -> Hold:
        """The thing is used from now on, and is not removed for want of space meanwhile."""
        self.touch(path)
        for _ in range(100):  # what is removed at this moment takes its file along
            if (opened := _locked(self._file(path), exclusive=False, wait=True)) is not None:
                return Hold(opened)
            self.touch(path)
        return Hold(None)

    def last(self, path: Path) -> int:
        """When the thing was used last, ns; else when it was written; 0 where there is none."""
        for file in (self._file(path), path):
            with suppress(OSError):
                return file.stat().st_mtime_ns
        return 0

    def free(self, path: Path, more: Iterable[Path] = ()) -> bool:
        """Remove the thing, and more that goes with it, unless it is in use; whether it was."""
        file = self._file(path)
        if not file.exists():
            with suppress(OSError):
                self._set(file, self.last(path))
        opened = _locked(file, exclusive=True)
        if opened is None and file.exists():
            return False
        for one in (path, *more):
            remove(one)
        self.forget(path)
        if opened is not None:
            os.close(opened)
        return True

    def forget(self, path: Path) -> None:
        """The thing is gone: nothing is to be known of it."""
        remove(self._file(path))

    def _file(self, path: Path) -> Path:
        return self.root / f"{path.parent.name}-{path.name}"

    def _now(self) -> int:
        clock = self.root / ".clock"
        try:
            latest = clock.stat().st_mtime_ns
        except OSError:
            latest = max((file.stat().st_mtime_ns for file in self.root.glob("*")), default=0)
        now = max(time.time_ns(), latest + 1000)
        self._set(clock, now)
        return now

    def _set(self, file: Path, when: int) -> None:
        try:
            os.utime(file, ns=(when, when))
        except FileNotFoundError:
            self.root.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o644))
            os.utime(file, ns=(when, when))


Thing = tuple[Path, ...]  # what is removed together, named by the first


def trim(things: Iterable[Thing], uses: Uses, limit: int, keep: Path | None = None) -> None:
    """Remove the things used longest ago until all fit the limit; what is in use stays, and `keep`.

    Args:
        limit: bytes.
    """
    held = [(uses.last(thing[0]), sum(map(size, thing)), thing) for thing in things]
    total = sum(bytes_ for _, bytes_, _ in held)
    for _, bytes_, thing in sorted(held, key=lambda one: one[0]):
        if total <= limit:
            break
        if thing[0] != keep and uses.free(thing[0], thing[1:]):
            total -= bytes_


class Store:
    """Result folders under one root, with a bound on their size.

    Args:
        root: created when first written to.
        limit: bytes; beyond it the folders used longest ago are removed.
        uses: says when that was; None: its own.
    """

    def __init__(self, root: Path | str, limit: int = LIMIT, uses: Uses | None = None):
        self.root, self.limit = Path(root), limit
        self.uses = uses or Uses(self.root / ".used")
        self._read: set[tuple[str, int]] = set()

    def find(self, key: RunKey) -> Path | None:
        """The folder of a key, now the one used last; None if there is no complete one."""
        folder = self.root / key.digest
        if not self._whole(folder):
            return None
        self.uses.touch(folder)
        return folder

    def put(self, key: RunKey, write: Callable[[Path], None]) -> Path:
        """Write the folder of a key, then trim the store.

        Args:
            write: fills the folder it is given, run.json included.
        Raises:
            DiskFull: there was no space; nothing is kept of it.
        """
        folder = self.root / key.digest
        if folder.exists() and not self._whole(folder):
            remove(folder)  # torn, or not ours; the name is

        def written(made: Path) -> None:
            write(made)
            parts = {file.name: _part(file) for file in made.iterdir() if file.is_file()}
            (made / _PARTS).write_text(json.dumps(parts), encoding="utf-8")

        write_folder(folder, written)
        self.uses.touch(folder)
        self.trim(keep=folder)
        return folder

    def folders(self) -> list[Path]:
        """Complete results, the one used last first."""
        found = [folder for folder in self.things() if _complete(folder)]
        return sorted(found, key=self.uses.last, reverse=True)

    def size(self) -> int:
        """Bytes of all complete results."""
        return sum(map(size, self.folders()))

    def trim(self, keep: Path | None = None) -> None:
        """Remove the results used longest ago until the store fits its limit; `keep` stays, and what is in use."""
        trim([(folder,) for folder in self.things()], self.uses, self.limit, keep)

    def things(self) -> list[Path]:
        """Every folder that has the name of a result, complete or torn."""
        return [folder for folder in self.root.glob(24 * "[0-9a-f]") if folder.is_dir()]

    def _whole(self, folder: Path) -> bool:
        """Whether all is there that was put; what is in the files is read once in a process."""
        if not _complete(folder):
            return False
        known = folder.name, (folder / _PARTS).stat().st_mtime_ns
        if known not in self._read:
            try:
                if any(_part(folder / name) != part for name, part in _parts(folder).items()):
                    return False
            except OSError:
                return False
            self._read.add(known)
        return True


def _parts(folder: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of the files of a result, by name; empty where that cannot be read."""
    try:
        found = json.loads((folder / _PARTS).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and all(len(part) == 2 for part in found.values()) else {}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _complete(folder: Path) -> bool:
    """Whether the files of a result are there in their sizes."""
    parts = _parts(folder)
    try:
        return "run.json" in parts and all((folder / name).stat().st_size == part[0] for name, part in parts.items())
    except OSError:
        return False


def _part(file: Path) -> list[int]:
    total = 0
    with open(file, "rb") as opened:
        while block := opened.read(1 << 20):
            total = zlib.crc32(block, total)
    return [file.stat().st_size, total]
