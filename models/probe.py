"""Probes: named places inside a network where anyone may look, or change what flows."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Probe(nn.Module):
    """Identity that names a tensor, its axes and its stride.

    It stands in the path of computation, has no parameters, and leaves checkpoints as they are.

    Args:
        quantity: the word of the glossary, e.g. "frame_weights".
        axes: names after the batch axis, e.g. "frame y x".
        stride: input pixels per cell; 0 when the quantity has no place in the image.
    """

    def __init__(self, quantity: str, axes: str, stride: int = 0):
        super().__init__()
        self.quantity, self.axes, self.stride = quantity, tuple(axes.split()), stride
        self.change: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.change is None else self.change(x)


def probes(network: nn.Module) -> dict[str, Probe]:
    """Every probe of a network by its dotted path."""
    return {path: module for path, module in network.named_modules() if isinstance(module, Probe)}


@contextmanager
def edit(network: nn.Module, changes: dict[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Change what flows through probes while the block runs: counterfactuals.

    Args:
        changes: dotted path or quantity to a function of the tensor; a quantity reaches all its probes.
    Raises:
        LookupError: no probe of that path or quantity; the message lists those that exist.
    """
    known = probes(network)
    chosen: dict[str, Callable[[Tensor], Tensor]] = {}
    for name, change in changes.items():
        paths = [path for path, probe in known.items() if name in (path, probe.quantity)]
        if not paths:
            held = ", ".join(sorted({probe.quantity for probe in known.values()}))
            raise LookupError(f"no probe '{name}' in {type(network).__name__}; it has {held}")
        chosen.update(dict.fromkeys(paths, change))
    try:
        for path, change in chosen.items():
            known[path].change = change
        yield
    finally:
        for path in chosen:
            known[path].change = None


@contextmanager
def watch(network: nn.Module, quantities: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what flows through probes of the given quantities, with gradients, by dotted path."""
    seen: dict[str, Tensor] = {}
    wanted = set(quantities)

    def keep(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _module, _inputs, output: seen.__setitem__(path, output)

    hooks = [p.register_forward_hook(keep(path)) for path, p in probes(network).items() if p.quantity in wanted]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
