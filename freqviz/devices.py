"""The device that networks run on, the threads that share their sums, and the memory that is left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Device = Literal["auto", "cpu", "cuda"] | str


def choose(device: Device = "auto") -> str:
    """The device that work runs on.

    Raises:
        ValueError: unknown, or no CUDA here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got '{device}'")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but PyTorch sees none here; use --device cpu")
    return device


def threads() -> int:
    """How many threads share a sum: with another number it is rounded otherwise, and boxes at a threshold may move."""
    return torch.get_num_threads()


def take_threads(count: int) -> None:
    """From now on, share sums among `count` threads, here and in threads that begin."""
    torch.set_num_threads(count)


@contextmanager
def with_threads(count: int | None) -> Iterator[None]:
    """For so long, share sums among `count` threads; None: as it is."""
    before = threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def memory(device: str) -> int:
    """Most bytes held so far: of the graphics card on CUDA, else by this process; 0 where it cannot be known."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device or this machine had no memory; PyTorch has no class of its own for the latter."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def no_room(device: str) -> str:
    """That a device is out of memory, in a sentence that says what can be done."""
    if not device.startswith("cuda"):
        return "this machine has no memory left even for one window; close other programs, or try again later"
    free, whole = (size / 1e9 for size in torch.cuda.mem_get_info(device)) if torch.cuda.is_available() else (0, 0)
    return (
        f"the graphics card has no memory left even for one window ({free:.1f} of {whole:.1f} GB are free); "
        "run on the CPU, or try again later"
    )
