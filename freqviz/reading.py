"""What one frame shows, in words: how blurred it is, which frames counted, where the networks differ.

Convention: frames are indices into the traces, said with the number that the clip gives them; lengths are frame
pixels; frame weights sum to 1 over a window.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqviz import boxes, spectra

FLAT_MEANS = "Flat weights are a plain mean; they do not say that every frame mattered alike: influence does."
FLAT = 0.1  # weights that differ from an equal share by at most this part of it are called alike
BAND = 3  # of `spectra.BAND_EDGES`: where blur shows and noise does not yet
LOST = {
    boxes.LOW_SCORES: "its joints score too low to be trusted",
    boxes.LEFT: "less than a quarter of the box lies in the frame",
    boxes.LEAPT: "the pose jumped by more than a third of the box",
}
FEWEST, TENTHS = 8, 20  # fewer frames are not ranked; fewer are not divided into tenths


class Windowed(Protocol):
    """What a light trace says of the windows of a network: N frames, S slots."""

    @property
    def network(self) -> str:
        """Its name."""

    @property
    def frame_weights(self) -> NDArray[np.float64]:
        """(N, S), sums to 1 or NaN."""


class Seen(Windowed, Protocol):
    """What the reading needs of a light trace: N frames, J joints, S slots."""

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """(N, J, 2)."""

    @property
    def effective_frames(self) -> NDArray[np.float64]:
        """(N,)."""

    @property
    def joints(self) -> tuple[str, ...]:
        """(J,) names."""

    def window(self, key: int) -> NDArray[np.int64]:
        """(S,) the frames that the window of a key frame shows."""


def sentence(
    frame: int,
    traces: Sequence[Seen],
    blur: ArrayLike,
    measure: str,
    unit: str = "px",
    truth: ArrayLike | None = None,
    lost: str = "",
    first: int = 0,
) -> str:
    """The present frame in one sentence; a second one before it where the person is lost.

    Args:
        frame: index into the traces.
        traces: light traces of the clip, one a network.
        blur: (N,) a measure that grows with blur, NaN where it is not known.
        measure, unit: its name and unit for people, e.g. "edge width".
        truth: (J, 2) true joints of the frame, NaN where unknown.
        lost: why the person is lost in it, a word of `boxes.lost`; empty where not.
        first: number of the first frame: what is said counts frames from there.
    Returns:
        Capitalised, with full stop.
    Raises:
        IndexError: no such frame.
    """
    values = np.asarray(blur, np.float64)
    if not 0 <= frame < len(values):
        raise IndexError(f"frame must be 0 to {len(values) - 1}, got {frame}")
    parts = [_sharpness(frame, values, measure, unit, first), _weights(frame, traces, first)]
    parts.append(_difference(frame, traces))
    parts.append("" if truth is None else _error(frame, traces, np.asarray(truth, np.float64)))
    warning = f"The person seems lost here ({LOST.get(lost, lost)}). " if lost else ""
    return warning + "; ".join(part for part in parts if part) + "."


def frames_listed(frames: Sequence[int], most: int = 6) -> str:
    """Frame numbers for people, runs as spans: "3, 7–9, 12"; beyond `most` spans the rest is dots."""
    spans = runs(sorted(frames))
    told = [f"{first}" if first == last else f"{first}–{last}" for first, last in spans[:most]]
    return ", ".join(told + ["…"] * (len(spans) > most))


def runs(frames: Sequence[int]) -> list[list[int]]:
    """[first, last] of each run of consecutive numbers; the numbers ascend."""
    numbers = np.asarray(frames, np.int64)
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    return [[int(run[0]), int(run[-1])] for run in np.split(numbers, cuts) if len(run)]


def weighing(trace: Seen, key: int) -> str:
    """Whether a network chooses among the frames of one window, and of the clip, in words."""
    weights = trace.frame_weights
    if not np.isfinite(weights[key]).all():
        return f"{trace.network} has no frame weights."
    how = "alike" if flat(weights[key]) else "unequally"
    return (
        f"{trace.network} weighs the frames of this window {how}: {trace.effective_frames[key]:.2f} of "
        f"{weights.shape[1]} count. Its weights are flat, within {100 * FLAT:.0f} % of an equal share, in "
        f"{sum(map(flat, weights))} of {len(weights)} windows."
    )


class Influential(Protocol):
    """What the reading needs of an influence: S slots, J joints."""

    @property
    def network(self) -> str:
        """Its name."""

    @property
    def frames(self) -> NDArray[np.int64]:
        """(S,)."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """(S,)."""

    @property
    def pixels(self) -> NDArray[np.float64]:
        """(S, J)."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """(S,)."""

    @property
    def side(self) -> float:
        """Of the person box, pixels."""

    @property
    def neighbours(self) -> NDArray[np.bool_]:
        """(S,) slots that show another frame than the key frame."""


def influence(found: Influential) -> str:
    """Which neighbour counted most for the pose, and whether the weights say so, in words."""
    if found.mean.max() < 0.005:
        return f"No neighbour moves a joint of {found.network}."
    slot = int(found.mean.argmax())
    joint = int(found.pixels[slot].argmax())
    text = (
        f"{found.network} leans most on frame {found.frames[slot]}: without it the joints move "
        f"{found.mean[slot]:.1f} px on average ({100 * found.mean[slot] / found.side:.1f} % of the box side), most the "
        f"{found.joints[joint]}, {found.pixels[slot, joint]:.1f} px"
    )
    if np.isfinite(found.weights).all() and found.neighbours.sum() > 1:
        heavier = int((found.weights[found.neighbours] > found.weights[slot]).sum())
        rank = "the largest" if heavier == 0 else f"only number {heavier + 1}"
        text += f"; its weight, {_share(found.weights[slot])}, is {rank} of {found.neighbours.sum()} neighbours"
    return text + "."


def change(found: Any) -> str:
    """What a changed frame did to energy, weights and pose, in words.

    Args:
        found: an `influence.Intervention`.
    """
    done, before, after = found.change, found.before, found.after
    if done.nothing:
        return f"Frame {found.frame} is as it was filmed: move a slider to change it."
    did = [f"blurred by {done.length:g} px at {np.degrees(done.angle):.0f}°"] if done.length else []
    did += [f"given {done.gain:g} times the light"] if done.gain != 1 else []
    did += [f"given noise of {done.sigma:g}"] if done.sigma else []
    index = [_minus(seen.measures["spectral_index"]) for seen in (before, after)]
    energy = float(after.image_energy[BAND] - before.image_energy[BAND])
    band = "–".join(_share(edge) for edge in spectra.BAND_EDGES[BAND : BAND + 2])
    parts = [
        f"Frame {found.frame} was {_listed(did)}: its sharpness index went from {index[0]} to {index[1]}, its log "
        f"energy at {band} cycles/pixel changed by {_minus(energy, '+.2f')}"
    ]
    place = list(found.slots).index(found.slot)
    weights = before.weights[place], after.weights[place]
    if np.isfinite(weights).all():
        moved = "stayed" if abs(weights[1] - weights[0]) < 0.005 else "rose" if weights[1] > weights[0] else "fell"
        to = f" at {_share(weights[1])}" if moved == "stayed" else f" from {_share(weights[0])} to {_share(weights[1])}"
        parts.append(f"its weight in {found.network} {moved}{to}")
    joint = int(found.pixels.argmax())
    mean = found.pixels.mean()
    parts.append(
        f"the pose moved {mean:.1f} px on average ({100 * mean / found.side:.1f} % of the box side), most the "
        f"{found.joints[joint]}, {found.pixels[joint]:.1f} px"
    )
    return "; ".join(parts) + "."


def _minus(value: float, form: str = ".2f") -> str:
    return f"{value:{form}}".replace("-", "−")


def first_number(trace: object) -> int:
    """The number in the clip of a trace's first frame; a trace that does not say begins with the clip."""
    return int(getattr(trace, "first", 0))


def flat(weights: ArrayLike) -> bool:
    """Whether the weights (S,) of a window are alike, each within a tenth of an equal share."""
    values = np.asarray(weights, np.float64)
    return bool((np.abs(values * len(values) - 1) <= FLAT + 1e-9).all())


def equal_weights(traces: Sequence[Windowed]) -> dict[int, str]:
    """Lengths of the windows of networks, and what the line is called at which their frames count alike."""
    counts = sorted({trace.frame_weights.shape[1] for trace in traces}, reverse=True)
    return {count: "equal weights" + (f" of {count}" if len(counts) > 1 else "") for count in counts}


def of_windows(traces: Sequence[Windowed], told: Mapping[str, str]) -> str:
    """Numbers of frames, told by network, and of how many each is: "a 4.6, b 3.9 of 5" or "a 4.6 of 5, b 2.9 of 3"."""
    counts = {trace.network: trace.frame_weights.shape[1] for trace in traces}
    if len(set(counts.values())) > 1:
        return ", ".join(f"{name} {number} of {counts[name]}" for name, number in told.items())
    return ", ".join(f"{name} {number}" for name, number in told.items()) + f" of {next(iter(counts.values()))}"


def _sharpness(frame: int, values: NDArray[np.float64], measure: str, unit: str, first: int) -> str:
    value, known = values[frame], values[np.isfinite(values)]
    frame += first
    if not np.isfinite(value):
        return f"How blurred frame {frame} is cannot be told"
    number = f"{measure} {value:.1f} {unit}".rstrip()
    if len(known) < FEWEST or known.min() == known.max():
        return f"Frame {frame} has {number}"
    as_blurred, as_sharp = (known >= value).mean(), (known <= value).mean()
    if value in (known.min(), known.max()):
        place = "is the blurriest" if value == known.max() else "is as sharp as any"
    elif min(as_blurred, as_sharp) <= 0.1 and len(known) >= TENTHS:
        place = f"is among the {'blurriest' if as_blurred < as_sharp else 'sharpest'} tenth"
    elif min(as_blurred, as_sharp) <= 0.25:
        place = f"is among the {'blurriest' if as_blurred < as_sharp else 'sharpest'} quarter"
    else:
        place = "is neither among the blurriest nor the sharpest"
    return f"Frame {frame} {place} ({number})"


def _weights(frame: int, traces: Sequence[Seen], first: int) -> str:
    weighing = [trace for trace in traces if np.isfinite(trace.frame_weights[frame]).all()]
    parts, alike = [], []
    for trace in weighing:
        if flat(trace.frame_weights[frame]):
            alike.append(trace.network)
            continue
        shares = np.bincount(trace.window(frame), trace.frame_weights[frame])  # a missing neighbour is the key frame
        most, slots = int(shares.argmax()), len(trace.frame_weights[frame])
        place = "the frame itself" if most == frame else f"frame {first + most}"
        counted = f"{trace.effective_frames[frame]:.1f} of {slots} frames counted"
        parts.append(f"{trace.network} leaned on {place} (weight {_share(shares[most])}), {counted}")
    if alike:
        parts.append(f"{_listed(alike)} weighed all frames of the window alike")
    return "; ".join(parts)


def _difference(frame: int, traces: Sequence[Seen]) -> str:
    pairs = [(a, b, _distances(a.keypoints[frame], b.keypoints[frame])) for a, b in combinations(traces, 2)]
    pairs = [pair for pair in pairs if np.isfinite(pair[2]).any()]
    if not pairs:
        return ""
    a, b, distances = max(pairs, key=lambda pair: float(np.nanmax(pair[2])))
    joint, most = int(np.nanargmax(distances)), float(np.nanmax(distances))
    if most < 1:
        return "the networks agree within 1 px"
    who = "the networks" if len(traces) == 2 else f"{a.network} and {b.network}"
    return f"{who} differ most at the {a.joints[joint]}, {most:.0f} px"


def _error(frame: int, traces: Sequence[Seen], truth: NDArray[np.float64]) -> str:
    errors = [(trace.network, _distances(trace.keypoints[frame], truth)) for trace in traces]
    parts = [f"{np.nanmean(off):.1f} px ({name})" for name, off in errors if np.isfinite(off).any()]
    return f"the mean distance from the truth is {_listed(parts)}" if parts else ""


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(a - b, axis=-1)


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
