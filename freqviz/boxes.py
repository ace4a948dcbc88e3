"""Where the person is over time: the ladder of boxes, and how long one is held.

Convention: a box is tight, `x, y, w, h` in frame pixels, as in `crops`. Joints end inside the body, so the
box of a pose is its joints' box grown by `PAD`.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import crops
from freqviz.poses import short
from freqviz.spectra import phase_correlation

PAD = 1.1  # person box per joint box
INNER = 0.8  # of the crop: joints that leave it ask for a new cut
RESIZE = 0.2  # so does a size that differs by more
SCORE = 0.2  # joints below it do not move a box
FEWEST = 6  # joints that must count, as in the protocol
MOST = 0.7  # of the joints must be certain before their box tells the size
JUMP = 1.4  # largest change of size at one cut
LOW = (
    0.28  # mean score below which a pose is seldom right: it tells half of the lost frames and 1 or 2 of 100 good ones
)
LEAP = (
    0.35  # of the box's longer side: true poses never moved so far in one of 20,500 steps at 30 frames/s (at most .33)
)
LARGEST = 64 << 20  # bytes of a file of boxes
ROOM = 80  # characters of what came, in a message
LAST, FARTHEST = 10**7, 1e6  # frame, and pixels from the corner, that a box may have: more is no clip
LOW_SCORES, LEFT, LEAPT = "low scores", "box leaves the frame", "jump"  # why a person is called lost

Box = NDArray[np.float64]


def checked(box: ArrayLike) -> Box:
    """(4,) float box.

    Raises:
        ValueError: not four finite numbers with w and h > 0.
    """
    crops.scale(box)
    return np.asarray(box, dtype=np.float64)


def whole_frame(size: tuple[int, int]) -> Box:
    """The box of a whole frame of (height, width), pixel edges included."""
    return np.array([-0.5, -0.5, size[1], size[0]])


def of_pose(keypoints: ArrayLike, scores: ArrayLike, held: ArrayLike) -> Box | None:
    """Person box of a pose: the box of its certain joints, grown by `PAD`.

    With less than `MOST` of the joints certain the size is unknown: the held box is moved, no more than brings them
    inside. A size changes by at most `JUMP` at a time, so that one wild pose cannot lose the person.

    Args:
        keypoints: (P, J, 2) the last poses, whose median counts; frame pixels.
        scores: (P, J) in [0, 1].
        held: (4,) the box so far.
    Returns:
        (4,), or None when fewer than six joints are certain.
    """
    points = np.median(np.asarray(keypoints, np.float64), 0)
    certain = np.median(np.asarray(scores, np.float64), 0) >= SCORE
    if certain.sum() < FEWEST:
        return None
    person = grown(crops.around(points[certain]), PAD)
    if certain.mean() < MOST:
        box = np.array(held, np.float64)
        lack = np.minimum(person[:2] - box[:2], 0), np.maximum(person[:2] + person[2:] - box[:2] - box[2:], 0)
        box[:2] += lack[0] + lack[1]
        return box
    ratio = crops.scale(person) / crops.scale(held)
    return grown(person, float(np.clip(ratio, 1 / JUMP, JUMP)) / ratio)


def grown(box: ArrayLike, factor: float) -> Box:
    """The box with its extent multiplied around its centre."""
    x, y, w, h = np.asarray(box, np.float64)
    return np.array([x - w * (factor - 1) / 2, y - h * (factor - 1) / 2, w * factor, h * factor])


def fits(held: ArrayLike, person: ArrayLike, size: tuple[int, int] = crops.SIZE) -> bool:
    """Whether a held box still serves a person.

    Args:
        held, person: (4,) frame pixels.
        size: (height, width) of the crop.
    Returns:
        False when its joints leave the inner 80 % of the crop, or its size differs by more than 20 %.
    """
    step = crops.scale(held, size)
    ratio = crops.scale(person, size) / step
    x, y, w, h = np.asarray(held, np.float64)
    centre = np.array([x + w / 2, y + h / 2])
    reach = INNER * step * np.array([size[1], size[0]]) / 2
    left, top, width, height = grown(person, 1 / PAD)
    inside = (left, top) >= centre - reach - 1e-9, (left + width, top + height) <= centre + reach + 1e-9
    return bool(np.all(inside) and 1 - RESIZE <= ratio <= 1 + RESIZE)


def visible(box: ArrayLike, size: tuple[int, int]) -> bool:
    """Whether at least a quarter of a box lies in the frame of (height, width)."""
    x, y, w, h = np.asarray(box, np.float64)
    across = min(x + w, size[1] - 0.5) - max(x, -0.5)
    down = min(y + h, size[0] - 0.5) - max(y, -0.5)
    return bool(across > 0 and down > 0 and across * down >= w * h / 4)


def lost(keypoints: ArrayLike, scores: ArrayLike, held: ArrayLike, size: tuple[int, int]) -> list[str]:
    """Where the person is lost, and why: one reason a frame, the first that holds; empty where none does.

    "low scores": the joints' mean score is below .28, or fewer than six score at least .2, so that no box can follow.
    "box leaves the frame": less than a quarter of the box that the frame was cut by, or of that of the certain
    joints, lies in the frame. "jump": the joints are, in the median, more than .35 of the box's longer side from where
    they were a frame before.

    Args:
        keypoints: (N, J, 2) of successive frames; frame pixels.
        scores: (N, J) in [0, 1].
        held: (N, 4) the box that each frame was cut by; frame pixels.
        size: (height, width) of the frame.
    Returns:
        N words: LOW_SCORES, LEFT, LEAPT or "".
    """
    points, certain, cuts = np.asarray(keypoints), np.asarray(scores) >= SCORE, np.asarray(held)
    steps = np.median(np.linalg.norm(np.diff(points, axis=0), axis=-1), 1) / cuts[:-1, 2:].max(1)
    leaps, low = np.concatenate([[False], steps > LEAP]), np.asarray(scores).mean(1) < LOW
    reasons = []
    for pose, sure, doubtful, cut, leapt in zip(points, certain, low, cuts, leaps, strict=True):
        if doubtful or sure.sum() < FEWEST:
            reasons.append(LOW_SCORES)
        elif not (visible(cut, size) and visible(grown(crops.around(pose[sure]), PAD), size)):
            reasons.append(LEFT)
        else:
            reasons.append(LEAPT if leapt else "")
    return reasons


def led(person: ArrayLike, velocity: ArrayLike, most: int) -> Box:
    """The person's box moved ahead, so that it serves longest a person who moves on; at most `most` frames.

    Args:
        person: (4,) frame pixels.
        velocity: (2,) pixels per frame.
    """
    person, step = np.asarray(person, np.float64), np.array([*np.asarray(velocity, np.float64), 0, 0])
    served = [
        k
        for k in range(most + 1)
        if fits(person + step * k / 2, person) and fits(person + step * k / 2, person + step * k)
    ]
    return person + step * max(served, default=0) / 2


def frames_until_cut(held: ArrayLike, person: ArrayLike, velocity: ArrayLike, most: int) -> int:
    """How many frames a person moving on at `velocity` (2,) pixels per frame stays served, 1 ... most."""
    shift = np.zeros(4)
    for count in range(1, most):
        shift[:2] = count * np.asarray(velocity)
        if not fits(held, np.asarray(person) + shift):
            return count
    return most


def read_boxes(path: Path | str, person: int | None = None) -> dict[int, Box]:
    """Boxes of key frames of one person, from any file that `read_people` knows.

    Args:
        path: CSV, MOT or COCO.
        person: the id of one; None: who has the most boxes.
    Raises:
        ValueError, OSError: as in `read_people`.
        LookupError: no person of that id.
    """
    return of_person(read_people(path), person)


def of_person(people: dict[int, dict[int, Box]], person: int | None) -> dict[int, Box]:
    """The boxes of one of `read_people`; None: who has the most.

    Raises:
        LookupError: no such person.
    """
    if person is None:
        return next(iter(people.values()))
    if person not in people:
        raise LookupError(f"no person {person} in these boxes; they are of {', '.join(map(str, sorted(people)))}")
    return people[person]


def read_people(path: Path | str) -> dict[int, dict[int, Box]]:
    """Boxes by person and frame, who has the most boxes first. What the file is, its content tells, not its name.

    CSV: a header with the columns frame, x, y, w, h (any order, others ignored); frames from 0, one person, numbered 0.
    MOT: rows frame, id, x, y, w, h, ... without a header; frames and pixels from 1, as MOTChallenge has them; rows
    whose seventh number is 0 are left out there, and here.
    COCO: JSON, a list of annotations or an object with them; bbox from the corner of the image; the person is
    track_id, the frame is the annotation's `frame` (from 0), or the place of its image among the `images`, whose file
    names must be numbered without gaps, or without images its image_id.

    Raises:
        ValueError: something in it is wrong; the message says where.
        OSError: no such file.
    """
    path = Path(path)
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path.name} has {size >> 20} MB, boxes {LARGEST >> 20} at most")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is no text: boxes come as CSV, MOT or COCO") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip()[:1] in ("{", "["):
        found = _coco(path.name, text)
    elif re.search("[A-Za-z]", first):
        found = _csv(path.name, text)
    else:
        found = _mot(path.name, text)
    people: dict[int, dict[int, Box]] = {}
    for where, person, frame, values in found:
        try:
            box = checked(values)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if frame < 0:
            raise ValueError(f"{where}: frame {short(frame, ROOM)} is negative")
        if frame > LAST or np.abs(box).max() > FARTHEST:
            raise ValueError(
                f"{where}: frame and pixels must be numbers of a clip, got {short((frame, *values), ROOM)}"
            )
        if frame in people.setdefault(person, {}):
            raise ValueError(f"{where}: frame {frame} is there twice for one person; ids must tell persons apart")
        people[person][frame] = box
    if not people:
        raise ValueError(f"{path.name} holds no box")
    return dict(sorted(people.items(), key=lambda item: -len(item[1])))


Found = Iterator[tuple[str, int, int, list[float]]]  # where it stands, person, frame, x, y, w, h in our pixels


def _csv(name: str, text: str) -> Found:
    line = 1
    try:
        rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
        names = [column.strip() for column in rows.fieldnames or ()]
        rows.fieldnames = names
        if missing := [column for column in ("frame", "x", "y", "w", "h") if column not in names]:
            raise ValueError(f"the columns frame, x, y, w, h are needed; missing {', '.join(missing)}")
        for line, row in enumerate(rows, start=2):
            values = int(row["frame"]), [float(row[column]) for column in "xywh"]
            yield f"{name}, line {line}", 0, *values
    except (TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{name}, line {line}: {short(error, ROOM)}") from None


def _mot(name: str, text: str) -> Found:
    for line, row in enumerate(text.splitlines(), start=1):
        values = re.split(r"[,;\s]+", row.strip().rstrip(","))
        if values == [""]:
            continue
        where = f"{name}, line {line}"
        try:
            numbers = [float(value) for value in values]
            frame, person, x, y, w, h = numbers[:6]
            if not np.isfinite(numbers[:6]).all():
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{where}: expected frame, id, x, y, w, h, or a header frame,x,y,w,h, got {row.strip()[:40]!r}"
            ) from None
        if frame != int(frame) or person != int(person) or frame < 1:
            raise ValueError(f"{where}: frame and id must be whole numbers, frames from 1, got {frame:g}, {person:g}")
        if len(numbers) > 6 and numbers[6] == 0:
            continue
        # the first pixel is 1, and a box begins at its left edge, half a pixel before its centre
        yield where, int(person), int(frame) - 1, [x - 1.5, y - 1.5, w, h]


def _coco(name: str, text: str) -> Found:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {short(error, ROOM)}") from None
    held = held if isinstance(held, dict) else {"annotations": held}
    annotations = held.get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise ValueError(f"{name} must hold a list of annotations with bbox and image_id, as COCO has it")
    places = _places(name, held["images"]) if held.get("images") else None
    given = held.get("categories")
    categories = [kind for kind in given if isinstance(kind, dict)] if isinstance(given, list) else []
    kinds = {kind.get("id"): kind.get("name") for kind in categories if isinstance(kind.get("id"), int | str)}
    for i, one in enumerate(annotations):
        where = f"{name}, annotation {i}"
        kind, image = one.get("category_id"), one.get("image_id")
        if isinstance(kind, int | str) and kinds.get(kind, "person") != "person" and "person" in kinds.values():
            continue
        place = image if places is None else places.get(image) if isinstance(image, int | str) else None
        frame = one.get("frame", place)
        box, person = one.get("bbox"), one.get("track_id", 0)
        if not isinstance(box, list) or len(box) != 4 or not all(map(_pixels, box)):
            raise ValueError(f"{where}: bbox must be x, y, width, height, got {short(box, ROOM)}")
        if not _whole(frame) or not _whole(person):
            raise ValueError(f"{where}: no frame of image_id {short(image, ROOM)}, or a track_id that is no number")
        yield where, person, frame, [box[0] - 0.5, box[1] - 0.5, box[2], box[3]]  # 0 is the corner of the image


def _places(name: str, images: Any) -> dict[Any, int]:
    """The frame of each image id: its place in the order of the numbers that end the file names."""
    try:
        stems = {one["id"]: Path(str(one.get("file_name", one["id"]))).stem for one in images}
        numbers = {image: int(re.findall(r"\d+", stem)[-1]) for image, stem in stems.items()}
    except (TypeError, KeyError, IndexError, AttributeError, ValueError):
        raise ValueError(f"{name}: images must have an id, and a number in file_name") from None
    first = min(numbers.values())
    if sorted(numbers.values()) != list(range(first, first + len(images))):
        raise ValueError(
            f"{name}: the file names of the images must be numbered without gaps, the first one being the clip's first "
            "frame; otherwise give each annotation its `frame`, from 0"
        )
    return {image: number - first for image, number in numbers.items()}


def _pixels(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FARTHEST


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def between(key_boxes: dict[int, Box], frames: int) -> NDArray[np.float64]:
    """(frames, 4) boxes of all frames: linear between key frames, held before the first, after the last."""
    keys = sorted(key_boxes)
    values = np.stack([checked(key_boxes[key]) for key in keys])
    return np.stack([np.interp(np.arange(frames), keys, values[:, i]) for i in range(4)], 1)


def motion_box(frames: Sequence[NDArray[np.uint8]], width: int = 160) -> Box | None:
    """Box of what moves in the first frame, camera motion removed: not a person detector.

    The median over later frames of the difference to the first one is large where the first frame showed
    something that is elsewhere in most of the others.

    Args:
        frames: the first and some later frames, (H, W, 3) uint8.
        width: columns that the frames are reduced to.
    Returns:
        (4,) frame pixels, or None when nothing moves or everything does.
    """
    if len(frames) < 2:
        return None
    ratio = max(1.0, frames[0].shape[1] / width)
    size = (round(frames[0].shape[1] / ratio), round(frames[0].shape[0] / ratio))
    ratios = np.array([frames[0].shape[1] / size[0], frames[0].shape[0] / size[1]])
    small = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for f in frames]
    light = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0) for image in small]
    shifts = np.cumsum([_camera_shift(a, b) for a, b in pairwise(light)], 0)
    stack = np.stack([_difference(light[0], image, shift) for image, shift in zip(light[1:], shifts, strict=True)])
    covered = np.isfinite(stack).any(0)
    change = np.zeros(stack.shape[1:], np.float32)
    change[covered] = np.nanmedian(stack[:, covered], 0)
    floor, peak = float(np.median(change)), float(np.quantile(change, 0.995))
    moving = (change > max(6.0, 4 * floor, 0.2 * peak)).astype(np.uint8)
    reach = max(3, round(0.08 * min(size))) | 1
    closed = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(closed)
    if count < 2:
        return None
    energy = np.bincount(labels.ravel(), weights=(change * moving).ravel(), minlength=count)
    rows, columns = np.nonzero((labels == 1 + int(energy[1:].argmax())) & (moving > 0))
    low = np.array([np.quantile(columns, 0.01), np.quantile(rows, 0.01)])
    high = np.array([np.quantile(columns, 0.99), np.quantile(rows, 0.99)]) + 1
    share = float(np.prod((high - low) / np.array(size)))
    if not 0.004 <= share <= 0.8:
        return None
    corner, extent = low * ratios - 0.5, (high - low) * ratios
    return np.concatenate([corner, extent])


def _camera_shift(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(2,) x, y by which the ground moved: the median over nine tiles, since some may hold the person."""
    tiles = [(rows, columns) for rows in _thirds(a.shape[0]) for columns in _thirds(a.shape[1])]
    return np.median([phase_correlation(a[tile], b[tile])[0] for tile in tiles], 0)


def _thirds(n: int) -> list[slice]:
    return [slice(i * n // 3, (i + 1) * n // 3) for i in range(3)]


def _difference(first: NDArray[Any], later: NDArray[Any], shift: NDArray[np.float64]) -> NDArray[Any]:
    """|later - first|, the camera's shift undone if that explains more; NaN where `later` does not reach."""
    back = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = first.shape[::-1]
    moved = cv2.warpAffine(later, back, size, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan"))
    still, shifted = np.abs(later - first), np.abs(moved - first)
    return shifted if np.nanmedian(shifted) < np.median(still) else still
