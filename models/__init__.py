"""The networks of the project, by name, with their checkpoints and cards.

A checkpoint is `weights/<name>.safetensors` (fp16), those of further seeds `<name>-<seed>.safetensors`, those of heads
that were trained otherwise `<name>-<variant>.safetensors`; what a network shares with `spatial-frame`, its frozen
backbone, is stored once, there. A card is `weights/<name>.json`. Parameters of your own stand beside them under a name
like `freq-video (my.safetensors)`, which `add` gives and everything that takes a name understands.
"""

import hashlib
import json
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file

from models import own
from models.dct_input import DctInput
from models.freq_video import FreqVideo
from models.global_filter import GlobalFilterNetwork
from models.network import PoseNetwork
from models.spatial_frame import SpatialFrame
from models.spatial_video import SpatialVideo
from models.video import VideoNetwork

WEIGHTS = Path(__file__).parent / "weights"
NETWORKS: dict[str, type[PoseNetwork]] = {
    "spatial-frame": SpatialFrame,
    "spatial-video": SpatialVideo,
    "freq-video": FreqVideo,
    "dct-input": DctInput,
    "global-filter": GlobalFilterNetwork,
}
BACKBONE = "spatial-frame"  # whose parameters the video networks share
SHARED = "frame."  # their prefix inside a video network


class Own(NamedTuple):
    """Parameters of your own: see `add`."""

    network: str  # whose parameters they are
    file: Path
    whole: bool  # with those of the backbone, where the network has one that is shared


_own: dict[str, Own] = {}  # by name


def names() -> list[str]:
    """Every network, in the order of the tables."""
    return list(NETWORKS)


def build(name: str, variant: str = "") -> PoseNetwork:
    """A network with random parameters; `variant` may name one of the other forms of its class.

    Raises:
        LookupError: no such network; the message lists those that exist.
    """
    known = _own[name].network if name in _own else name
    if known not in NETWORKS:
        raise LookupError(f"no network named '{name}'; known networks: {', '.join(NETWORKS)}")
    kind = NETWORKS[known]
    return kind(variant) if variant in kind.variants else kind()


def shares_backbone(name: str) -> bool:
    """Whether a network stands on the frozen backbone of `spatial-frame`."""
    return issubclass(NETWORKS[name], VideoNetwork)


def add(network: str, file: Path | str) -> str:
    """Let the parameters in a file stand for a network, beside its own; the name that they go by from now on.

    Args:
        network: as in `names`.
        file: safetensors or .pth, with all parameters, or without those of the shared backbone, which is then the
            project's.
    Returns:
        A name such as `freq-video (my.safetensors)`; where another file has it, with digits of its hash.
    Raises:
        LookupError: no such network.
        ValueError: the file does not fit; says what is missing, too many, of another shape or type. See `own.read`.
        FileNotFoundError: it is not there.
    """
    file = Path(file).resolve()
    whole = check(network, file)
    plain, held = re.sub(r"[^\w.+ -]+", "_", file.stem)[:40].strip() or "file", Own(network, file, whole)
    name = f"{network} ({plain}.safetensors)"
    if (other := _own.get(name)) and other.file != file:
        name = f"{network} ({plain}-{file_hash(file)[:8]}.safetensors)"
    _own[name] = held
    return name


def check(network: str, file: Path) -> bool:
    """Whether a file of parameters has those of the backbone too; errors as in `add`, which checks in the same way."""
    return _own_state(network, file)[1]


def added() -> dict[str, Own]:
    """What `add` has given names to, by these names."""
    return dict(_own)


def _load_own(name: str) -> PoseNetwork:
    network, (state, whole) = build(name), _own_state(_own[name].network, _own[name].file)
    network.load_state_dict(state)
    if whole and hasattr(network, "backbone_key"):  # what others share is not its own
        network.backbone_key = name  # type: ignore[assignment]
    return network.eval()


def _own_state(network: str, file: Path) -> tuple[dict[str, torch.Tensor], bool]:
    """All parameters of a network, and whether the file alone has them or the project's backbone is taken."""
    expected = build(network).state_dict()
    try:
        state = own.read(file, expected, _shared(network))
    except ValueError as error:
        raise ValueError(f"{error}. Expected the parameters of {network}{_fitting(file, network)}") from None
    whole = len(state) == len(expected)
    return state if whole else state | {SHARED + key: v for key, v in load(BACKBONE).state_dict().items()}, whole


def _shared(network: str) -> str:
    return SHARED if shares_backbone(network) else ""


def _fitting(file: Path, network: str) -> str:
    """In words, the other network that the tensors of a file belong to; nothing where there is none."""
    with suppress(ValueError):
        held = own.header(own.as_safetensors(file.read_bytes(), file.name), file.name)
        for name in NETWORKS:
            if name != network and not own.differences(held, build(name).state_dict(), _shared(name)):
                return f"; the file has those of {name}"
    return ""


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
        ValueError: parameters of your own do not fit it any more.
    """
    if name in _own:
        return _load_own(name).to(device)
    network, parts = build(name, variant), [checkpoint(name, seed, variant)]
    if shares_backbone(name):
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
    text = json.dumps({**card(name), **entries}, indent=2, ensure_ascii=False)
    text = re.sub(r"\[([^][{}\"]{200,})\]", lambda long: f"[{' '.join(long[1].split())}]", text)  # a curve: one line
    path.write_text(text + "\n", encoding="utf-8")
    return path


def checkpoint_hash(name: str, seed: int = 0, variant: str = "") -> str:
    """SHA-256 over the files that `load` reads."""
    if name in _own:
        return file_hash(*[_own[name].file, *([] if _own[name].whole else [checkpoint(BACKBONE)])])
    files = [checkpoint(name, seed, variant), *([checkpoint(BACKBONE)] if shares_backbone(name) else [])]
    return file_hash(*files)


def file_hash(*files: Path) -> str:
    """SHA-256 over files, one after the other; of one file its own."""
    return _hash(*((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=64)
def _hash(*files: tuple[Path, int, int]) -> str:
    """Of files that are told apart by time and size too, so that one which did not change is read once."""
    digest = hashlib.sha256()
    for file, _, _ in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
