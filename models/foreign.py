"""Networks of your own: a Python file that brings them, run, and each of its networks tried before it is used.

The file has `NETWORKS`, a dictionary of names to classes. A class is a `PoseNetwork`, best an `Adapter` (adapter.py);
its constructor takes nothing and gives the trained network. What lies beside the file can be imported by it, but for
the names `models` and `freqviz`, which are taken. Running it is running any program: only who runs the project may name
such a file, no visitor and no link.
"""

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from models.network import JOINTS, PoseNetwork, parameters_hash

LONGEST = 15  # frames of a window
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def read(file: Path) -> dict[str, tuple[type[PoseNetwork], str]]:
    """The networks of a file by name: their classes, and SHA-256 over the file and the parameters.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it cannot be run, or a network is not what the project needs; one sentence.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}, which should bring networks")
    classes = getattr(_module(file), "NETWORKS", None)
    if not isinstance(classes, dict) or not classes:
        raise ValueError(f"{file.name} must have NETWORKS, a dictionary of names to classes, got {classes!r:.80}")
    found = {}
    for name, kind in classes.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{file.name}: a name is 1 to 40 of a-z, 0-9, '.', '_' and '-', got {name!r:.60}")
        if not isinstance(kind, type) or not issubclass(kind, PoseNetwork):
            raise ValueError(f"{file.name}: {name} must be a class of PoseNetwork, got {kind!r:.80}")
        try:
            network = kind().eval()
            if (network.frames, network.input_size) != (kind.frames, kind.input_size):
                raise ValueError(
                    "expected frames and input_size as attributes of the class, got others of its instance"
                )
            _try(network)
        except Exception as error:  # whatever somebody's code stumbles over
            raise ValueError(f"{file.name}: {name} cannot be used: {type(error).__name__}: {error}") from error
        made = file.read_bytes() + parameters_hash(network).encode()
        found[name] = kind, hashlib.sha256(made).hexdigest()
    return found


def _module(file: Path) -> ModuleType:
    """What the file is when it was run; its classes know it by a name that no other file has."""
    name = f"{re.sub('[^0-9a-zA-Z]', '_', file.stem)}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file.name} must be a Python file, .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    if str(file.parent) not in sys.path:  # for good: a constructor may import too
        sys.path.append(str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever somebody's code stumbles over
        del sys.modules[name]
        raise ValueError(f"{file.name} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _try(network: PoseNetwork) -> None:
    """Let a grey window pass; a ValueError where what comes is not what the project reads."""
    count, (height, width), stride = network.frames, network.input_size, network.stride
    if count not in range(1, LONGEST + 1, 2):
        raise ValueError(f"expected an odd number of frames, {LONGEST} at most, got {count}")
    if network.skeleton.names != JOINTS:
        raise ValueError(f"expected the {len(JOINTS)} joints of the project, as an Adapter gives them")
    if next(network.parameters(), None) is None:
        raise ValueError("expected parameters, got none")
    with torch.inference_mode():
        heatmaps = network(torch.full((1, count, 3, height, width), 0.5))
    expected = (1, len(JOINTS), height / stride, width / stride)
    if tuple(heatmaps.shape) != expected:
        raise ValueError(f"expected heatmaps {expected} at stride {stride}, got {tuple(heatmaps.shape)}")
    if not (heatmaps.min() >= 0 and (heatmaps.sum((-2, -1)) - 1).abs().max() < 1e-3):
        raise ValueError("expected densities: heatmaps of at least 0 that each sum to 1")


def told(kind: type[Any]) -> str:
    """What the file of a class says at its head; else the class itself."""
    return sys.modules[kind.__module__].__doc__ or kind.__doc__ or f"{kind.__name__}, of which its file says nothing."
