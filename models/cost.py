"""What a network costs: parameters and multiply-adds.

Counting: a convolution or product one multiply-add per weight and output place; a real FFT of N points
2.5 · N · log2 N; a bilinear sample 4 per tap and channel; everything else (norms, sums, activations, and the
correlations of alignment, 4 million a window in both video networks) nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from models.network import PoseNetwork


class Counter(TorchDispatchMode):
    """Adds up the multiply-adds of the operations that run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name in ("convolution", "mkldnn_convolution", "_convolution"):
            self.total += result.numel() * args[1][0].numel()
        elif name == "addmm":
            self.total += args[1].shape[0] * args[1].shape[1] * args[2].shape[1]
        elif name in ("mm", "bmm"):
            self.total += result.numel() * args[0].shape[-1]
        elif name in ("_fft_r2c", "_fft_c2r"):
            real = args[0] if name == "_fft_r2c" else result
            points = math.prod(real.shape[d] for d in args[1])
            self.total += real.numel() / points * 2.5 * points * math.log2(points)
        elif name.startswith("grid_sampler"):
            self.total += 4 * result.numel()
        return result


def multiply_adds(network: PoseNetwork) -> float:
    """Of one window, every frame encoded once.

    Returns:
        Multiply-adds of `network(frames)` for one window of its own input size.
    """
    frames = torch.zeros(1, network.frames, 3, *network.input_size)
    return counted(lambda: network.eval()(frames))


def counted(work: Callable[[], object]) -> float:
    """Multiply-adds of what a call does."""
    with torch.no_grad(), Counter() as counter:
        work()
    return counter.total


def parameters(network: nn.Module) -> int:
    """Number of parameters, the frozen ones included."""
    return sum(p.numel() for p in network.parameters())
