"""What a student network is taught by a teacher that sees more."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.motion import JOINED, WIDTH, TwoStreams
from models.network import Encoded
from models.probe import watch

START = 5.0  # variance at the start, as in the published experiments
SOFT = 2.0  # temperature of the heatmaps that are compared
SHARES = {"information": 0.1, "consistency": 0.1, "heatmaps": 1.0}  # of the terms in the loss


@dataclass(frozen=True)
class Taught:
    """What a teacher showed of a batch of windows."""

    logits: Tensor  # (B, J, h, w)
    joined: Tensor  # (B, JOINED, h, w)
    motion: Tensor  # (B, WIDTH, h/2, w/2)


@torch.no_grad()
def teach(teacher: TwoStreams, frames: Tensor, shared: Encoded, fused: Encoded) -> Taught:
    """Show windows (B, T, 3, H, W) to a teacher; their frames passed what networks share."""
    shape = frames.shape[:2]
    with watch(teacher, ("joined_feature", "motion_feature")) as seen, torch.autocast("cpu", torch.bfloat16):
        own = teacher.own(frames.flatten(0, 1))
        logits = teacher.fused_logits(
            {name: maps.unflatten(0, shape) for name, maps in {**shared, **own}.items()} | fused
        )
    return Taught(logits, seen["joined"].float(), seen["moving"].float())


class VariationalInformation(nn.Module):
    """-log q(t | s) of a Gaussian whose mean is told by the student's features and whose variance is learned.

    Its mean bounds the mutual information of the two from below, up to the entropy of t.

    Reference:
        Ahn et al., Variational Information Distillation for Knowledge Transfer, CVPR 2019, eq. 5 and 6.
    """

    def __init__(self, student: int, teacher: int):
        super().__init__()
        self.mean = nn.Sequential(
            nn.Conv2d(student, teacher, 1), nn.ReLU(), nn.Conv2d(teacher, teacher, 1), nn.ReLU(),
            nn.Conv2d(teacher, teacher, 1),
        )  # fmt: skip
        self.spread = nn.Parameter(torch.full((teacher,), math.log(math.expm1(START))))

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(B, S, h, w), (B, C, h, w) to the mean over places and channels of (t - m(s))² / 2σ² + log σ; nats."""
        variance = (functional.softplus(self.spread) + 1e-5)[:, None, None]
        wrong = (teacher.detach() - self.mean(student)).square()
        return 0.5 * (wrong / variance + variance.log()).mean()


class Lesson(nn.Module):
    """The three terms of distillation, with what they learn; left out of the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.information = VariationalInformation(JOINED, JOINED)
        self.consistency = VariationalInformation(JOINED, WIDTH)  # from appearance to motion

    def forward(
        self, joined: Tensor, logits: Tensor, taught: Taught, counts: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss of a student by its joined features (B, JOINED, h, w) and logits (B, J, h, w); counts (B, J)."""
        joined = joined.float()
        terms = {
            "information": self.information(joined, taught.joined),
            "consistency": self.consistency(functional.avg_pool2d(joined, 2), taught.motion),
            "heatmaps": soft_divergence(logits, taught.logits, counts),
        }
        loss = torch.stack([SHARES[name] * value for name, value in terms.items()]).sum()
        return loss, {name: value.item() for name, value in terms.items()}


def soft_divergence(student: Tensor, teacher: Tensor, counts: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's heatmaps from the teacher's, both softened; mean over joints, nats.

    Reference:
        Hinton et al., Distilling the Knowledge in a Neural Network, 2015 (SOFT² keeps the size of gradients).
    """
    told, target = (torch.log_softmax(maps.float().flatten(-2) / SOFT, -1) for maps in (student, teacher.detach()))
    each = (target.exp() * (target - told)).sum(-1) * SOFT**2
    return (each * counts).sum() / counts.sum().clamp_min(1)
