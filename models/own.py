"""Parameters of your own for a network: a safetensors file, checked in full before any of it is used.

The format: eight bytes with the length of a header, little-endian; the header, JSON that gives each tensor its type,
shape and place; then nothing but numbers. Nothing in such a file can be run. It is read once, so that what was checked
is what is used.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from torch import Tensor

LARGEST = 200_000_000  # bytes of a file
HEADER = 4_000_000  # bytes of its header; that of the largest network of the project has 30 kB
LISTED = 10  # names of each kind in a report
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
FLOATS = ("F64", "F32", "F16", "BF16")


def read(
    file: Path, expected: Mapping[str, Tensor], shared: tuple[str, ...] = (), kept: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """The parameters in a file, as the network takes them.

    Args:
        file: safetensors.
        expected: the network's own, by name: their shapes, and whether they are floats.
        shared: prefixes of those that the file may leave out, all or none; empty: there are none.
        kept: prefixes of those that it may leave out too, all or none, if it leaves out the shared ones.
    Returns:
        Parameters by name, float32 where they are floats; without those that the file leaves out.
    Raises:
        ValueError: it is too large, damaged, or does not fit; says what is missing, too many, of another shape or type.
        FileNotFoundError: it is not there.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(
            f"{file.name} has {size / 1e6:.0f} MB; parameters of a network have {LARGEST / 1e6:.0f} at most"
        )
    with open(file, "rb") as opened:
        data = opened.read(LARGEST + 1)
    if faults := differences(header(data, file.name), expected, shared, kept):
        raise ValueError(f"{file.name} does not fit: {'; '.join(faults)}")
    try:
        state = load_bytes(data)
    except SafetensorError as error:
        raise ValueError(f"{file.name} cannot be read as safetensors: {error}") from None
    state = {
        name: values.to(torch.float32 if expected[name].is_floating_point() else expected[name].dtype)
        for name, values in state.items()
    }
    if broken := [name for name, values in state.items() if not torch.isfinite(values).all()]:
        raise ValueError(f"{file.name} must hold finite float32 numbers, got others in {_listed(broken)}")
    return state


def header(data: bytes, name: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor of a safetensors file, whose places are checked too.

    Args:
        data: the file.
        name: what messages call it.
    Raises:
        ValueError: it is no safetensors file, or a damaged one; one sentence.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(HEADER, len(data) - 8):
        most = f"{min(HEADER, max(0, len(data) - 8))} at most here"
        raise ValueError(f"{name} is no safetensors file: its header should have {length} bytes, {most}")
    try:
        found = json.loads(data[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no safetensors file: its header is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no safetensors file: its header must be an object, got {type(found).__name__}")
    found.pop("__metadata__", None)
    held, places = {}, []
    for key, entry in found.items():
        kind, shape, place = _entry(entry)
        if place is None:
            raise ValueError(f"{name} is damaged: the header gives {key[:80]!r} no type, shape and place that agree")
        held[key] = kind, shape
        places.append(place)
    ends = [0]
    for start, end in sorted(places):
        if start != ends[-1]:
            raise ValueError(f"{name} is damaged: its tensors do not lie one after the other")
        ends.append(end)
    if ends[-1] != len(data) - 8 - length:
        raise ValueError(f"{name} is damaged: {ends[-1]} bytes of numbers expected, got {len(data) - 8 - length}")
    return held


def _entry(entry: Any) -> tuple[str, tuple[int, ...], tuple[int, int] | None]:
    """Type, shape and place of a tensor; no place where they are not what they should be."""
    entry = entry if isinstance(entry, dict) else {}
    kind, shape, place = (entry.get(part) for part in ("dtype", "shape", "data_offsets"))
    if not (isinstance(kind, str) and _counts(shape) and len(shape) <= 8 and _counts(place) and len(place) == 2):
        return "", (), None
    size = place[1] - place[0]
    if size < 0 or (kind in BYTES and size != math.prod(shape) * BYTES[kind]):
        return "", (), None
    return kind, tuple(shape), (place[0], place[1])


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**40 for value in values)


def differences(
    held: Mapping[str, tuple[str, tuple[int, ...]]],
    expected: Mapping[str, Tensor],
    shared: tuple[str, ...] = (),
    kept: tuple[str, ...] = (),
) -> list[str]:
    """What does not fit between the tensors of a file and those of a network, a line a kind; empty: all fits.

    Args:
        held: type and shape by name, as `header` has them.
        expected, shared, kept: as in `read`.
    """
    for group in (shared, kept):
        if not group or any(name.startswith(group) for name in held):
            break
        expected = {name: values for name, values in expected.items() if not name.startswith(group)}
    missing = [name for name in expected if name not in held]
    many = [name for name in held if name not in expected]
    both = [name for name in expected if name in held]
    wrong_shape = [
        f"{name} (expected {tuple(expected[name].shape)}, got {held[name][1]})"
        for name in both
        if held[name][1] != tuple(expected[name].shape)
    ]
    wrong_type = [
        f"{name} (expected {'a float' if floats else 'an integer'}, got {held[name][0][:12]})"
        for name in both
        if (floats := expected[name].is_floating_point()) != (held[name][0] in FLOATS) or held[name][0] not in BYTES
    ]
    kinds = {"missing": missing, "too many": many, "of another shape": wrong_shape, "of another type": wrong_type}
    return [f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds.items() if names]


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(name[:160] for name in names[:LISTED]) + rest
