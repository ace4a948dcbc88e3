"""The networks of the project, by name, with their checkpoints and cards.

A checkpoint is `weights/<name>.safetensors` (fp16), those of further seeds `<name>-<seed>.safetensors`, those of heads
that were trained otherwise `<name>-<variant>.safetensors`; what a network shares with `spatial-frame`, its frozen
backbone, is stored once, there. A card is `weights/<name>.json`.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from models.freq_full import FreqFull
from models.freq_video import FreqVideo
from models.multi_frequency import MultiFrequency
from models.network import PoseNetwork
from models.spatial_frame import SpatialFrame
from models.spatial_video import SpatialVideo

WEIGHTS = Path(__file__).parent / "weights"
NETWORKS: dict[str, type[PoseNetwork]] = {
    "spatial-frame": SpatialFrame,
    "spatial-video": SpatialVideo,
    "freq-video": FreqVideo,
    "multi-frequency": MultiFrequency,
    "freq-full": FreqFull,
}
BACKBONE = "spatial-frame"  # whose parameters the video networks share
SHARED = "frame."  # their prefix inside a video network


def names() -> list[str]:
    """Every network, in the order of the tables."""
    return list(NETWORKS)


def build(name: str, variant: str = "") -> PoseNetwork:
    """A network with random parameters; `variant` may name one of the other forms of its class.

    Raises:
        LookupError: no such network; the message lists those that exist.
    """
    if name not in NETWORKS:
        raise LookupError(f"no network named '{name}'; known networks: {', '.join(NETWORKS)}")
    kind = NETWORKS[name]
    return kind(variant) if variant in kind.variants else kind()


def checkpoint(name: str, seed: int = 0, variant: str = "") -> Path:
    """Where the parameters of a network lie; `variant` names a training other than the usual one.

    Raises:
        LookupError: no such network.
    """
    if name not in NETWORKS:
        raise LookupError(f"no network named '{name}'; known networks: {', '.join(NETWORKS)}")
    return WEIGHTS / ("-".join([name, *([str(seed)] if seed else []), *filter(None, [variant])]) + ".safetensors")


def load(name: str, device: str | torch.device = "cpu", seed: int = 0, variant: str = "") -> PoseNetwork:
    """A trained network in evaluation mode, float32.

    Raises:
        LookupError: no such network.
        FileNotFoundError: it has no checkpoint.
        RuntimeError: the checkpoint does not fit the network; names what is missing or too many.
    """
    network, parts = build(name, variant), [checkpoint(name, seed, variant)]
    if name != BACKBONE:
        parts.append(checkpoint(BACKBONE))
    state: dict[str, torch.Tensor] = {}
    for part in parts:
        if not part.is_file():
            raise FileNotFoundError(f"{name} has no checkpoint {part.name}; `python -m freqviz train {name}` makes it")
        prefix = "" if part is parts[0] else SHARED
        state |= {prefix + key: values.float() if values.is_floating_point() else values
                  for key, values in load_file(part).items()}  # fmt: skip
    network.load_state_dict(state)
    return network.eval().to(device)


def save(name: str, network: PoseNetwork, seed: int = 0, variant: str = "") -> Path:
    """Write the checkpoint of a network in fp16, without the shared backbone; the path."""
    state = {
        key: values.half().contiguous() if values.is_floating_point() else values.contiguous()
        for key, values in network.state_dict().items()
        if name == BACKBONE or not key.startswith(SHARED)
    }
    path = checkpoint(name, seed, variant)
    path.parent.mkdir(exist_ok=True)
    save_file(state, path)
    return path


def card(name: str) -> dict[str, Any]:
    """What a network was trained on, with which budget, and how it scored; empty when it has no card."""
    path = checkpoint(name).with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_card(name: str, **entries: Any) -> Path:
    """Set entries of a network's card, leave the others as they are; the path."""
    path = checkpoint(name).with_suffix(".json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**card(name), **entries}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def checkpoint_hash(name: str, seed: int = 0, variant: str = "") -> str:
    """SHA-256 over the files that `load` reads."""
    files = [checkpoint(name, seed, variant), *([] if name == BACKBONE else [checkpoint(BACKBONE)])]
    return _hash(*((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=64)
def _hash(*files: tuple[Path, int, int]) -> str:
    """Of files that are told apart by time and size too, so that one which did not change is read once."""
    digest = hashlib.sha256()
    for file, _, _ in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
