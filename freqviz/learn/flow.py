"""Optical flow for the network that is given it: outside of the network, by OpenCV."""

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.freq_motion import OpticalFlow


def dis_flow(luma: Tensor) -> Tensor:
    """Flow from the key frame of each window to its neighbours, by dense inverse search.

    Args:
        luma: (B, T, H, W) in [0, 1], T odd.
    Returns:
        (B, T-1, 2, H, W): dx, dy from a place of the key frame to the neighbour, key frame left out; pixels.
    Reference:
        Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; OpenCV's preset "fast".
    """
    grey = (255 * luma.clamp(0, 1)).round().byte().cpu().numpy()
    middle = grey.shape[1] // 2
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    unknown = np.zeros((*grey.shape[2:], 2), np.float32)  # no flow is known before
    found = [
        [search.calc(window[middle], other, unknown.copy()) for t, other in enumerate(window) if t != middle]
        for window in grey
    ]
    return torch.from_numpy(np.stack(found)).movedim(-1, 2).float().to(luma.device)


def give_flow(network: nn.Module) -> None:
    """Let a network whose source of motion is optical flow compute it here; others stay as they are."""
    source = getattr(network, "source", None)
    if isinstance(source, OpticalFlow):
        source.estimate = dis_flow
