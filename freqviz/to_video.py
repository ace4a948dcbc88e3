"""Clips as files for the browser: the small copy that the scrubber seeks in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from freqviz.clip import Clip, ClipError, write_video
from freqviz.jobs import Cancelled, Progress, never, silent

RATE = 25  # frames per second of every copy, whatever the clip's own: frame i is shown from i / RATE s on
SIDES = (640, 480, 320, 240)  # longest side of a copy in pixels, tried in this order
LIMIT = 48 << 20  # bytes of a copy: the browser and the server hold all of it
QUALITY = 23  # crf of x264
_PROBED = 24  # frames, evenly spread, by which the size of a copy is foretold


def scrubbing_copy(
    path: Path,
    clip: Clip,
    limit: int = LIMIT,
    progress: Progress = silent,
    cancelled: Callable[[], bool] = never,
) -> Path:
    """Write a copy of a clip in which a browser can show any frame at once: every frame is a key frame.

    The longest side is 640 pixels at most, less where the copy would become larger than `limit`. Times are even,
    whatever the clip's: frame i of the clip stands from i / RATE to (i + 1) / RATE seconds.

    Args:
        path: where to (.mp4), in a folder that exists; written aside and renamed.
        clip: all of its frames are read.
        limit: bytes.
        progress: told (done, total) frames.
        cancelled: asked before each frame.
    Returns:
        the path.
    Raises:
        ClipError: the clip is too long for `limit` even at 240 pixels.
        Cancelled: `cancelled` said so.
    """
    side = _side(clip, limit)

    def frames() -> Iterator[np.ndarray]:
        for i, frame in enumerate(clip):
            if cancelled():
                raise Cancelled
            yield _fit(frame, side)
            progress(i + 1, len(clip))

    return write_video(path, frames(), RATE, QUALITY, intra=True)


def _side(clip: Clip, limit: int) -> int:
    """The largest of SIDES whose copy fits the limit, judged by a few frames."""
    spread = np.unique(np.linspace(0, len(clip) - 1, _PROBED).round().astype(int))
    some = [clip[int(i)] for i in spread]
    with TemporaryDirectory() as folder:
        for side in SIDES:
            probe = write_video(
                Path(folder) / "probe.mp4", [_fit(one, side) for one in some], RATE, QUALITY, intra=True
            )
            if probe.stat().st_size * len(clip) / len(some) <= limit:
                return side
    raise ClipError(
        f"the clip of {len(clip)} frames is too long to scrub: a copy of at most {limit / 2**20:g} MB is made"
    )


def _fit(frame: np.ndarray, side: int) -> np.ndarray:
    """The frame with its longest side at most `side` pixels, both even (4:2:0 needs that); never enlarged."""
    factor = min(1.0, side / max(frame.shape[:2]))
    height, width = (max(2, 2 * round(extent * factor / 2)) for extent in frame.shape[:2])
    if (height, width) == frame.shape[:2]:
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
