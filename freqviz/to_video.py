"""Clips as files: the small copy that the scrubber seeks in, and annotated clips for talks, as H.264 or GIF."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image

from freqviz.clip import Clip
from freqviz.jobs import Cancelled, Progress, never, silent
from freqviz.to_frames import Annotated
from freqviz.video import ClipError, write_video

RATE = 25  # frames per second of every copy, whatever the clip's own: frame i is shown from i / RATE s on
SIDES = (640, 480, 320, 240)  # longest side of a copy in pixels, tried in this order
LIMIT = 48 << 20  # bytes of a copy: the browser and the server hold all of it
QUALITY = 23  # crf of x264
_PROBED = 24  # frames, evenly spread, by which the size of a copy is foretold
SUFFIXES = (".mp4", ".gif")  # of annotated clips
GIF_LIMIT = 10_000_000  # bytes: mail and slides take that
GIF_RATE = 12.5  # frames per second at most; hundredths of a second are all that a GIF knows
GIF_SIDES = (960, 720, 560, 420, 320)  # longest side in pixels, tried in this order
_COLOURS = 8  # frames, evenly spread, that the colours of a GIF are taken from


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


def recompressed(frames: np.ndarray, crf: int, fps: float = 30) -> np.ndarray:
    """Frames as they come back from H.264.

    Args:
        frames: (T, H, W, 3) uint8, even sizes.
        crf: quality of x264, 0 (lossless) to 51.
        fps: frames per second, which rate control looks at.
    Returns:
        (T, H, W, 3) uint8.
    """
    with TemporaryDirectory() as folder:
        return np.stack(list(Clip(write_video(Path(folder) / "clip.mp4", frames, fps, crf))))


def annotated(
    path: Path | str,
    pictures: Annotated,
    progress: Progress = silent,
    cancelled: Callable[[], bool] = never,
    limit: int = GIF_LIMIT,
) -> Path:
    """Write an annotated clip, by the name's ending: H.264 that plays in every browser, or a GIF for slides.

    A GIF has at most 12.5 frames a second and one palette, and is as large as `limit` allows, 960 pixels at most.

    Args:
        path: .mp4 or .gif; written aside and renamed.
        pictures: what to write; as fast as the clip.
        progress: told (done, total) frames.
        cancelled: asked before each frame.
        limit: bytes of a GIF.
    Returns:
        the path.
    Raises:
        ValueError: another ending, or a GIF that is too large even at 320 pixels.
        Cancelled: `cancelled` said so; nothing is left.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"an annotated clip ends in {' or '.join(SUFFIXES)}, got '{path.name}'")
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = float(pictures.clip.fps)
    if path.suffix.lower() == ".gif":
        return _gif(path, pictures, rate, progress, cancelled, limit)

    def frames() -> Iterator[np.ndarray]:
        for i, picture in enumerate(pictures):
            if cancelled():
                raise Cancelled
            yield picture
            progress(i + 1, len(pictures))

    return write_video(path, frames(), rate)


def _gif(
    path: Path, pictures: Annotated, rate: float, progress: Progress, cancelled: Callable[[], bool], limit: int
) -> Path:
    every = max(1, int(np.ceil(rate / GIF_RATE - 1e-6)))
    count, duration = len(range(0, len(pictures), every)), max(20, 10 * round(100 * every / rate))
    spread = np.unique(np.linspace(0, len(pictures) - 1, _COLOURS).round().astype(int))
    some = [pictures[int(i)] for i in spread]
    with TemporaryDirectory(prefix=".aside-", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        for side in GIF_SIDES:
            small = [_fit(one, side) for one in some]
            palette = _palette(small, pictures.colours)
            _write_gif(aside, [_reduced(one, palette) for one in small], duration)
            if aside.stat().st_size * count / len(some) > limit:
                continue

            def frames(side: int = side, palette: Image.Image = palette) -> Iterator[Image.Image]:
                for i, picture in enumerate(islice(pictures, 0, None, every)):
                    if cancelled():
                        raise Cancelled
                    yield _reduced(_fit(picture, side), palette)
                    progress(i + 1, count)

            _write_gif(aside, frames(), duration)
            if aside.stat().st_size <= limit:
                return aside.replace(path)
    raise ValueError(
        f"a GIF of {count} frames is larger than {limit / 1e6:g} MB even at {GIF_SIDES[-1]} pixels; choose fewer "
        "frames, or .mp4"
    )


def _palette(pictures: Sequence[np.ndarray], exact: np.ndarray) -> Image.Image:
    """256 colours: those that must not change, (N, 3), and the best for the pictures."""
    found = Image.fromarray(np.concatenate(pictures)).quantize(256 - len(exact), Image.Quantize.MEDIANCUT)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*exact.ravel().tolist(), *(found.getpalette() or [])])
    return palette


def _write_gif(path: Path, frames: Iterator[Image.Image] | Sequence[Image.Image], duration: int) -> None:
    coming = iter(frames)
    next(coming).save(path, "GIF", save_all=True, append_images=coming, duration=duration, loop=0, optimize=False)


def _reduced(picture: np.ndarray, palette: Image.Image) -> Image.Image:
    """The picture in the colours of a palette, undithered: grain would triple the file."""
    indices = np.array(Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE))
    paper = (palette.getpalette() or [])[:3]
    indices[(picture == paper).all(-1)] = 0  # Pillow takes a neighbour of white for white
    found = Image.fromarray(indices, "P")
    found.putpalette(palette.getpalette() or [])
    return found


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
