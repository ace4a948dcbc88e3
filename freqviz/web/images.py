"""Frames as small files: what the browser gets is a JPEG at the size at which it is shown."""

import cv2
import numpy as np


def shrink(frame: np.ndarray, width: int) -> np.ndarray:
    """The frame (H, W, 3) at most `width` pixels wide; areas are averaged, nothing is enlarged."""
    if frame.shape[1] <= width:
        return frame
    height = max(round(frame.shape[0] * width / frame.shape[1]), 1)
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def jpeg(frame: np.ndarray, width: int, quality: int = 85) -> bytes:
    """JPEG bytes of an RGB frame (H, W, 3) uint8 at most `width` pixels wide.

    Raises:
        ValueError: the frame is not (H, W, 3) uint8.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
    small = cv2.cvtColor(shrink(frame, width), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
