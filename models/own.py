"""Parameters of your own for a network: a safetensors file, or a .pth, checked in full before any of it is used.

The format: eight bytes with the length of a header, little-endian; the header, JSON that gives each tensor its type,
shape and place; then nothing but numbers. Nothing in such a file can be run. It is read once, so that what was checked
is what is used.

A .pth of `torch.save` is a zip with a pickle, which is a program. It is read only where `PTH` is set, after what it may
call has been looked through, by torch's restricted reader, and turned into safetensors.
"""

import io
import json
import math
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

LARGEST = 200_000_000  # bytes of a file
HEADER = 4_000_000  # bytes of its header; that of the largest network of the project has 30 kB
PTH = True  # whether .pth files are read
PICKLE = 4_000_000  # bytes of the pickle in one
MEMBERS = 10_000  # files in one; a tensor each, and some small ones
LISTED = 10  # names of each kind in a report
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
FLOATS = ("F64", "F32", "F16", "BF16")
CALLED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)"
    r"|torch (Double|Float|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Storage"
)
MEMBER = re.compile(
    r"[^/\\]{1,200}/(data\.pkl|data/\d{1,6}|version|byteorder|\.data/serialization_id"
    r"|\.format_version|\.storage_alignment)"
)


def read(
    file: Path, expected: Mapping[str, Tensor], shared: tuple[str, ...] = (), kept: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """The parameters in a file, as the network takes them.

    Args:
        file: safetensors, or a .pth where `PTH` is set.
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
        data = as_safetensors(opened.read(LARGEST + 1), file.name)
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


def as_safetensors(data: bytes, name: str) -> bytes:
    """The same bytes, or those of a safetensors file with the tensors of a .pth; what it is, its content tells.

    Args:
        data: the file.
        name: what messages call it.
    Raises:
        ValueError: a .pth that is too large, packed, damaged, calls for more than tensors, or `PTH` is not set.
    """
    if data.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise ValueError(f"{name} is no safetensors file but a pickle, which could run anything: it is not read")
    if not data.startswith(b"PK"):
        return data
    if not PTH:
        raise ValueError(f"{name} is a .pth, which is not read here: save the parameters as safetensors")
    plain = io.BytesIO(_plain_zip(data, name))
    try:
        held = torch.load(plain, map_location="cpu", weights_only=True)
    except Exception as error:  # readers of zip, pickle and tensors raise their own kinds
        raise ValueError(f"{name} is no .pth, or a damaged one ({type(error).__name__})") from None
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict) or not all(isinstance(key, str) for key in held):
        raise ValueError(f"{name} must hold tensors by name, as state_dict() has them, got {type(held).__name__}")
    if strange := [key for key, values in held.items() if not _is_plain(values)]:
        raise ValueError(f"{name} must hold plain tensors of real numbers, got others in {_listed(strange)}")
    if sum(values.numel() * values.element_size() for values in held.values()) > LARGEST:
        raise ValueError(f"{name} has more than {LARGEST / 1e6:.0f} MB of numbers")
    return to_bytes({key: values.detach().clone().contiguous() for key, values in held.items()})


def _is_plain(values: Any) -> bool:
    """Whether it is a tensor whose numbers all lie in the file: none repeated by a stride of 0."""
    if not isinstance(values, Tensor) or values.layout != torch.strided or values.is_complex() or values.is_quantized:
        return False
    return values.numel() * values.element_size() <= values.untyped_storage().nbytes()


def _plain_zip(data: bytes, name: str) -> bytes:
    """A .pth written anew from its members, each of a known name and as large as it claims.

    Raises:
        ValueError: a member that no .pth has, or one that is packed; a pickle that calls for more than tensors.
    """
    anew, total, programs = io.BytesIO(), 0, []
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # zip readers raise their own kinds
        raise ValueError(f"{name} is no .pth, or a damaged one ({type(error).__name__})") from None
    members = archive.infolist()
    if len(members) > MEMBERS or len({member.filename for member in members}) < len(members):
        raise ValueError(f"{name} holds {len(members)} files, or two of one name: no .pth has these")
    with zipfile.ZipFile(anew, "w") as plain:
        for member in members:
            total += member.file_size
            packed = member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size
            if packed or total > len(data) or not MEMBER.fullmatch(member.filename):
                raise ValueError(f"{name} holds {member.filename[:80]!r}, packed or of a name that no .pth has")
            try:
                content = archive.read(member)
            except Exception as error:
                raise ValueError(f"{name} is damaged at {member.filename[:80]!r} ({type(error).__name__})") from None
            if member.filename.endswith("/data.pkl"):
                programs.append(content)
            plain.writestr(f"archive/{member.filename.partition('/')[2]}", content)
    if len(programs) != 1:
        raise ValueError(f"{name} is no .pth: it has no data.pkl, or several")
    if calls := _calls(programs[0], name):
        raise ValueError(f"{name} calls {_listed(calls)}, which no parameters need: it is not read")
    return anew.getvalue()


def _calls(program: bytes, name: str) -> list[str]:
    """What a pickle calls for besides tensors, their storage and a dictionary; nothing of it is carried out."""
    if len(program) > PICKLE:
        raise ValueError(f"{name} has a pickle of {len(program)} bytes, {PICKLE} at most here")
    try:
        steps = [(opcode.name, given) for opcode, given, _ in pickletools.genops(program)]
    except Exception:  # whatever it stumbles over
        raise ValueError(f"{name} is damaged: its pickle cannot be read") from None
    called = [str(given) for step, given in steps if step in ("GLOBAL", "INST")]
    hidden = [step for step, _ in steps if step in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4")]
    return hidden + [one for one in called if not CALLED.fullmatch(one)]


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
        if group and any(name.startswith(group) for name in held):
            break
        expected = {name: values for name, values in expected.items() if not group or not name.startswith(group)}
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
    shown = ["".join(c if c.isprintable() else "?" for c in name[:160]) for name in names[:LISTED]]
    return ", ".join(shown) + rest
