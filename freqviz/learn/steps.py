"""What a step of any training needs: its rate, its optimiser, the average of the parameters, and where they begin."""

import math
from collections.abc import Container, Iterable

import torch
from torch import Tensor, nn

from freqviz.learn.recipes import Recipe


def cycle(recipe: Recipe, step: int) -> tuple[int, int]:
    """First step and end of the cycle that a step belongs to: of the whole, or of one side of the restart."""
    if recipe.restart is None:
        return 0, recipe.steps
    return (0, recipe.restart) if step < recipe.restart else (recipe.restart, recipe.steps)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero; once more after a restart, with .6 of the peak.

    Reference:
        Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.
    """
    first, end = cycle(recipe, step)
    peak = recipe.rate if first == 0 else 0.6 * recipe.rate
    if step < first + recipe.warmup:
        return peak * (step - first + 1) / recipe.warmup
    progress = (step - first - recipe.warmup) / max(1, end - first - recipe.warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def optimiser(network: nn.Module, recipe: Recipe, known: Container[str] = ()) -> torch.optim.AdamW:
    """AdamW; no decay on norms and biases; a higher rate where something is learned from nothing.

    Args:
        known: names of the parameters that a trained network began; the others then have four times the rate. Without
            any, offsets have three times the rate.
    """

    def times(name: str) -> int:
        return (1 if name in known else 4) if known else 3 if "align" in name else 1

    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    groups = [
        {"params": chosen, "weight_decay": recipe.decay if decays else 0.0, "times": faster}
        for faster in sorted({times(name) for name, _ in named})
        for decays in (True, False)
        if (chosen := [p for name, p in named if (p.ndim > 1) == decays and times(name) == faster])
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)


def descend(
    loss: Tensor,
    solver: torch.optim.AdamW,
    parameters: Iterable[Tensor],
    recipe: Recipe,
    step: int,
    longest: float = 1.0,
) -> None:
    """Make step number `step` (from 0) of a recipe down a loss; the gradient of `parameters` is cut to `longest`."""
    for group in solver.param_groups:
        group["lr"] = learning_rate(recipe, step) * group["times"]
    solver.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, longest)
    solver.step()


def begin_as(network: nn.Module, other: nn.Module, kept: tuple[str, ...] = ()) -> int:
    """Take the parameters and statistics of another network where names and shapes agree; how many values.

    Args:
        kept: prefixes of the parameters that then stay as they are.
    """
    mine = network.state_dict()
    same = {name: v for name, v in other.state_dict().items() if name in mine and v.shape == mine[name].shape}
    network.load_state_dict(same, strict=False)
    for name, values in network.named_parameters():
        if name.startswith(kept):
            values.requires_grad_(False)
    return sum(v.numel() for v in same.values())


def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of parameters; buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, now in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for held, new in zip(average.buffers(), network.buffers(), strict=True):
            held.copy_(new)


def calm(_: int) -> None:
    """For a worker that loads samples: one thread, the other core is the network's."""
    torch.set_num_threads(1)
