"""What the networks are trained to: densities at the joints, and what goes with them."""

import math

import torch
from torch import Tensor, nn

from freqviz.learn import distill
from models.align import sample
from models.dct_input import DctInput
from models.network import density
from models.probe import watch
from models.spatial_frame import SpatialFrame
from models.spectral import counted, radii
from models.video import VideoNetwork

SIGMA = 1.25  # of the target density; heatmap cells
GATE = 0.1  # of the share of channels that a gate lets through
PRIVILEGE = 0.5  # of a loss that is 1 where the enhanced features are no nearer than the mean of the sharp ones
FOURIER = 0.3  # equals the gradient norm of the cross entropy to within a factor of about ten


def targets(joints: Tensor, size: tuple[int, ...], stride: int, sigma: float = SIGMA) -> Tensor:
    """Densities of a Gaussian at each joint; (N, J, 2) crop pixels to (N, J, h, w), each sums to 1."""
    h, w = size
    cells = (joints - (stride - 1) / 2) / stride
    x = torch.arange(w, device=joints.device) - cells[..., 0:1]
    y = torch.arange(h, device=joints.device) - cells[..., 1:2]
    bell = torch.exp(-(y**2) / (2 * sigma**2))[..., :, None] * torch.exp(-(x**2) / (2 * sigma**2))[..., None, :]
    return bell / bell.sum((-2, -1), keepdim=True).clamp_min(1e-12)


def cross_entropy(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy between densities, averaged over the joints that count; nats."""
    logs = torch.log_softmax(logits.float().flatten(-2), -1)
    each = -(target.flatten(-2) * logs).sum(-1)
    return (each * counts).sum() / counts.sum().clamp_min(1)


def head_loss(
    network: VideoNetwork,
    frames: Tensor,
    shared: dict[str, Tensor],
    batch: dict[str, Tensor],
    fused: dict[str, Tensor] | None = None,
    lesson: distill.Lesson | None = None,
    taught: distill.Taught | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one video network on a batch of windows, and its terms.

    Cross entropy of the key frame's densities; true displacement of the joints for the offsets (both twins); for a
    network that looks at energy also the ranking of energies and frame weights by the true blur, and the Fourier loss;
    for a student what its teacher showed; for a privileged one what the undegraded key frame shows.
    """
    watched = ("alignment_offset", "frame_weights", "energy_logit", "joined_feature", "enhanced_feature")
    with watch(network, watched) as seen, torch.autocast("cpu", torch.bfloat16):
        own = network.own(frames.flatten(0, 1))
        window = {name: maps.unflatten(0, frames.shape[:2]) for name, maps in {**shared, **own}.items()} | (fused or {})
        logits = network.fused_logits(window)
    middle = network.frames // 2
    counts = batch["counts"][:, middle]
    target = targets(batch["joints"][:, middle], logits.shape[-2:], network.stride)
    # LSPET's convention differs: its windows teach alignment and weights more than places
    share = counts * torch.where(batch["still"], 0.3, 1.0)[:, None]
    pose = cross_entropy(logits, target, share)
    loss, terms = pose, {"pose": pose.item()}
    if next(network.align8.parameters()).requires_grad:
        offsets = displacement_loss(seen, batch, middle)
        loss, terms = loss + 0.03 * offsets, terms | {"offset": offsets.item()}
    energy = [maps for path, maps in seen.items() if path.endswith("energy_logit")]
    if energy:
        weights = next(maps for path, maps in seen.items() if path.endswith("frame_weights"))
        lengths = batch["lengths"].clone()
        if network.restores:  # how sharp its key frame is now, nobody knows
            lengths[:, middle] = math.nan
        ranking = rank_loss(energy[0].mean((-2, -1)), lengths)
        ranking = ranking + rank_loss(weights.mean((-2, -1)).clamp_min(1e-6).log(), lengths)
        fourier = fourier_loss(density(logits), target, counts)
        loss = loss + 0.1 * ranking + FOURIER * fourier
        terms |= {"rank": ranking.item(), "fourier": fourier.item()}
    elif network.fourier:
        fourier = fourier_loss(density(logits), target, counts)
        loss, terms = loss + FOURIER * fourier, terms | {"fourier": fourier.item()}
    if lesson is not None and taught is None:
        terms |= dict.fromkeys(distill.SHARES, 0.0)  # a log keeps its columns
    elif lesson is not None and taught is not None:
        more, told = lesson(seen["joined"], logits, taught, share)
        loss, terms = loss + more, terms | told
    if network.privileged:
        privilege = privileged_loss(seen["enhanced"][:, middle], batch["sharp_f8"])
        loss, terms = loss + PRIVILEGE * privilege, terms | {"privilege": privilege.item()}
    return loss, terms


def enter(network: DctInput, teacher: nn.Module | None, frames: Tensor) -> dict[str, Tensor]:
    """Encoded frames (N, 3, H, W), with a "lesson": price of open channels, distance of its maps to the teacher's."""
    s4, s8, bits = network.backbone.begin(frames)
    lesson = GATE * bits.mean()
    if isinstance(teacher, SpatialFrame):
        with torch.no_grad():
            shown4 = teacher.backbone.stage(0, teacher.backbone.stem((frames - teacher.backbone.mean) * 4))
            shown8 = teacher.backbone.stage(1, shown4)
        lesson = lesson + privileged_loss(s4, shown4) + privileged_loss(s8, shown8)
    return {**network.backbone.fused(s4, s8), "lesson": lesson}


def displacement_loss(seen: dict[str, Tensor], batch: dict[str, Tensor], middle: int) -> Tensor:
    """Huber distance (2 px) between the flow at the key frame's joints and where the joints really went; pixels."""
    joints, counts = batch["joints"], batch["counts"]
    others = [t for t in range(joints.shape[1]) if t != middle]
    truth = (joints[:, others] - joints[:, middle, None]).flatten(0, 1)  # (B·4, J, 2)
    chosen = (counts[:, others] & counts[:, middle, None]).flatten(0, 1)
    places = joints[:, middle, None].expand(-1, len(others), -1, -1).flatten(0, 1)
    total = truth.new_zeros(())
    offsets = [maps for path, maps in seen.items() if "align" in path]
    for maps in offsets:  # (B·4, tap, 2, h, w) input pixels
        flow = maps[:, 4] if maps.shape[1] == 9 else maps.mean(1)
        stride = 192 // flow.shape[-2]
        cells = (places - (stride - 1) / 2) / stride
        found = sample(flow, cells.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)  # (B·4, J, 2)
        error = nn.functional.huber_loss(found, truth, reduction="none", delta=2.0).sum(-1) / 2
        total = total + (error * chosen).sum() / chosen.sum().clamp_min(1)
    return total / len(offsets)


def privileged_loss(enhanced: Tensor, sharp: Tensor) -> Tensor:
    """Squared distance of enhanced features to those of the undegraded frame, over the variance of the latter.

    Args:
        enhanced, sharp: (B, C, h, w); no gradient reaches `sharp`.
    """
    sharp = sharp.detach().float()
    spread = (sharp - sharp.mean((0, 2, 3), keepdim=True)).square().mean()
    return (enhanced.float() - sharp).square().mean() / spread.clamp_min(1e-6)


def rank_loss(scores: Tensor, lengths: Tensor) -> Tensor:
    """Logistic loss over pairs of frames whose true blur differs by more than 3 px: the sharper must score higher.

    Args:
        scores: (B, T); lengths: (B, T) px.
    Reference:
        Burges et al., Learning to Rank using Gradient Descent, ICML 2005, eq. 3.
    """
    more = lengths[:, None] - lengths[:, :, None]  # [b, i, j] > 0: j is the more blurred
    pairs = (more > 3).float()
    losses = nn.functional.softplus(-(scores[:, :, None] - scores[:, None]))
    return (losses * pairs).sum() / pairs.sum().clamp_min(1)


def fourier_loss(found: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """L1 distance of the spectra of densities up to .25 cycles/cell, scaled so that a target's peak is 1.

    The spectrum of a density is its characteristic function (Qu et al., CVPR 2023); L1, because L2 with
    norm="ortho" would be the mean squared error of the maps, value and gradient.

    Args:
        found, target: (B, J, h, w) densities; counts: (B, J).
    """
    h, w = found.shape[-2:]
    chosen = (radii(h, w) <= 0.25).float() * counted(w)
    difference = torch.fft.rfft2((found - target) * (2 * math.pi * SIGMA**2) * counts[..., None, None], norm="ortho")
    each = (torch.view_as_real(difference).abs().sum(-1) * chosen).sum((-2, -1)) / chosen.sum()
    return each.sum() / counts.sum().clamp_min(1)
