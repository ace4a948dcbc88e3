"""The networks of the project, by name, with their checkpoints and cards.

A checkpoint is `weights/<name>.safetensors` (fp16), those of further seeds `<name>-<seed>.safetensors`, those of heads
that were trained otherwise `<name>-<variant>.safetensors`; what a network shares with `spatial-frame`, its frozen
backbone, is stored once, there. A card is `weights/<name>.json`. Parameters of your own stand beside them under a name
like `freq-video (my.safetensors)`, which `add` gives and everything that takes a name understands. Networks of your own
are classes in a Python file that `register` runs, as are all files that FREQVIZ_NETWORKS names.
"""

import hashlib
import json
import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file

from models import foreign, own
from models.dct_input import DctInput
from models.freq_4d import Freq4D
from models.freq_deblur import FreqDeblur
from models.freq_full import FreqFull
from models.freq_motion import FreqMotion
from models.freq_motion_distilled import FreqMotionDistilled
from models.freq_restored import FreqRestored
from models.freq_video import FreqVideo
from models.global_filter import GlobalFilterNetwork
from models.multi_frequency import MultiFrequency
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
    "freq-deblur": FreqDeblur,
    "freq-restored": FreqRestored,
    "freq-motion": FreqMotion,
    "freq-motion-distilled": FreqMotionDistilled,
    "freq-4d": Freq4D,
    "multi-frequency": MultiFrequency,
    "freq-full": FreqFull,
}
BACKBONE = "spatial-frame"  # whose parameters the video networks share
SHARED = "frame."  # their prefix inside a video network
TWIN = "spatial-video"  # whose parameters video networks share that have a class attribute `kept`; others: the backbone


class Own(NamedTuple):
    """Parameters of your own: see `add`."""

    network: str  # whose parameters they are
    file: Path
    whole: bool  # with those of the backbone, where the network has one that is shared


class Brought(NamedTuple):
    """Where a network of your own comes from: see `register`."""

    file: Path
    hash: str  # SHA-256 over the file and the parameters that its class begins with


_own: dict[str, Own] = {}  # by name
_brought: dict[str, Brought] = {}  # by name; their classes are in NETWORKS


def names() -> list[str]:
    """Every network, in the order of the tables; those of your own last."""
    return list(NETWORKS)


def is_trained(name: str) -> bool:
    """Whether a network can run: it has a checkpoint, or brings its parameters itself."""
    return name in _brought or checkpoint(name).is_file()


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


def input_size(name: str) -> tuple[int, int]:
    """Height and width in pixels that a network sees; what the project's see, where there is none of the name."""
    known = _own[name].network if name in _own else name
    return NETWORKS.get(known, PoseNetwork).input_size


def shares_backbone(name: str) -> bool:
    """Whether a network stands on the frozen backbone of `spatial-frame`."""
    return issubclass(NETWORKS[name], (VideoNetwork, FreqDeblur))


def add(network: str, file: Path | str) -> str:
    """Let the parameters in a file stand for a network, beside its own; the name that they go by from now on.

    Args:
        network: as in `names`.
        file: safetensors or .pth, with all parameters, or without those of the `lenders`, which are then the project's.
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


def register(file: Path | str) -> list[str]:
    """Run a Python file that brings networks of your own, which everything that takes a name understands from now on.

    The file has `NETWORKS`, a dictionary of names to classes. A class is a `PoseNetwork`, best an `Adapter`
    (models/adapter.py), and its constructor, which takes nothing, gives the trained network. The first words of the
    file are what pages say of it. Nothing else than this file and the parameters tells one version from another.

    Returns:
        The names.
    Raises:
        FileNotFoundError: it is not there.
        ValueError: it cannot be run, or a network is not what this project needs; one sentence.
    """
    file = Path(file).resolve()
    found = foreign.read(file)
    for name in found:
        if name in NETWORKS and (name not in _brought or _brought[name].file != file):
            raise ValueError(f"{file.name}: there is a network named '{name}' already")
    for name, (kind, digest) in found.items():
        NETWORKS[name], _brought[name] = kind, Brought(file, digest)
    return list(found)


def brought() -> dict[str, Brought]:
    """What `register` has taken in, by name."""
    return dict(_brought)


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
        state = own.read(file, expected, _shared(network), _kept(network))
    except ValueError as error:
        raise ValueError(f"{error}. Expected the parameters of {network}{_fitting(file, network)}") from None
    whole = len(state) == len(expected)
    return state if whole else _lent(network) | state, whole


def _shared(network: str) -> tuple[str, ...]:
    return (SHARED,) if shares_backbone(network) else ()


def _fitting(file: Path, network: str) -> str:
    """In words, the other network that the tensors of a file belong to; nothing where there is none."""
    with suppress(ValueError):
        held = own.header(own.as_safetensors(file.read_bytes(), file.name), file.name)
        for name in NETWORKS:
            if name != network and not own.differences(held, build(name).state_dict(), _shared(name), _kept(name)):
                return f"; the file has those of {name}"
    return ""


def checkpoint(name: str, seed: int = 0, variant: str = "") -> Path:
    """Where the parameters of a network lie; `variant` names a training other than the usual one.

    Raises:
        LookupError: no such network.
    """
    if name not in NETWORKS:
        raise LookupError(f"no network named '{name}'; known networks: {', '.join(NETWORKS)}")
    folder = _brought[name].file.parent if name in _brought else WEIGHTS  # beside it lies the card of a brought one
    return folder / ("-".join([name, *([str(seed)] if seed else []), *filter(None, [variant])]) + ".safetensors")


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
    if name in _brought:
        return build(name).eval().to(device)
    network, file = build(name, variant), checkpoint(name, seed, variant)
    network.load_state_dict(_lent(name) | _floats(_read(file, name)))
    return network.eval().to(device)


def lenders(name: str) -> list[str]:
    """Networks whose checkpoints hold parameters that this one keeps unchanged, and its own does not repeat."""
    heads = shares_backbone(name)
    return [*([BACKBONE] if heads or _kept(name) else []), *([TWIN] if heads and _kept(name) else [])]


def _kept(name: str) -> tuple[str, ...]:
    """Prefixes of the parameters that a network keeps as they are in its twin or, of single frames, in the backbone."""
    return getattr(NETWORKS[name], "kept", ())


def _lent(name: str) -> dict[str, torch.Tensor]:
    """The parameters of the lenders, by the names that the network has for them."""
    state: dict[str, torch.Tensor] = {}
    for lender in lenders(name):
        held = _read(checkpoint(lender), name)
        state |= (
            {SHARED + key: values for key, values in held.items()}
            if lender == BACKBONE and shares_backbone(name)
            else {key: values for key, values in held.items() if key.startswith(_kept(name))}
        )
    return _floats(state)


def _read(file: Path, name: str) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise FileNotFoundError(f"{name} has no checkpoint {file.name}; `python -m freqviz train {name}` makes it")
    return load_file(file)


def _floats(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: values.float() if values.is_floating_point() else values for key, values in state.items()}


def save(name: str, network: PoseNetwork, seed: int = 0, variant: str = "") -> Path:
    """Write the checkpoint of a network in fp16, without what `lenders` hold; the path."""
    lent = (*([SHARED] if shares_backbone(name) else []), *_kept(name))
    state = {
        key: values.half().contiguous() if values.is_floating_point() else values.contiguous()
        for key, values in network.state_dict().items()
        if not key.startswith(lent)
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
        mine = _own[name]
        return file_hash(mine.file, *([] if mine.whole else map(checkpoint, lenders(mine.network))))
    if name in _brought:
        return _brought[name].hash
    return file_hash(checkpoint(name, seed, variant), *map(checkpoint, lenders(name)))


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


for _file in filter(None, os.environ.get("FREQVIZ_NETWORKS", "").split(os.pathsep)):
    try:
        register(_file)
    except (ValueError, FileNotFoundError) as _error:
        raise ValueError(f"FREQVIZ_NETWORKS: {_error}") from _error
