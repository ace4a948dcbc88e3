"""The project's own sample clip: a person in motion, drawn by this file, with everything about it known.

Networks of the project never learn from it. World: metres, x right, y up, z towards the camera; the ground
is y = 0. Points of the picture are (x, y), y down, centre of the top-left pixel = (0, 0). Light is linear.
The body is a signed distance field (smooth unions of tapered limbs), met along each ray by sphere tracing.
Reference: J. C. Hart, Sphere tracing, The Visual Computer 1996; I. Quilez's notes on distance functions.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from freqviz import blur
from freqviz.poses import JOINTS
from freqviz.video import write_video

FPS, FRAMES, SEED = 25, 100, 20
HEIGHT, WIDTH = 288, 384
GRAIN = 0.008  # of the grey range, added after the blur
FOCAL, EYE, DISTANCE = 565.0, 1.0, 5.2  # pixels; camera height and distance in metres
CENTRE = ((WIDTH - 1) / 2, 158.0)  # of the camera, in pixels
SUN = np.array([-0.50, 0.70, 0.55]) / np.linalg.norm([-0.50, 0.70, 0.55])
SUNLIGHT = np.array([1.00, 0.90, 0.73]) * 2.5
SKYLIGHT = np.array([0.50, 0.60, 0.80]) * 0.56
BOUNCE = np.array([0.40, 0.33, 0.25]) * 0.42

Array = NDArray[Any]

# -------- movement: key poses, two-bone limbs, joints

UPPER_ARM, FOREARM, THIGH, SHIN, ANKLE = 0.285, 0.252, 0.425, 0.42, 0.085
# Seconds: pelvis x, y, z | yaw, lean to the left, bend | turn of the chest | turn and nod of the head
#   | right foot: x, height, z, toes down | left foot
#   | right hand, seen from its shoulder: outwards, up, forwards, in arm lengths | left hand.
_KEYS = {
    0.00: "0 .90 0 | .10 0 .03 | 0 | -.05 .0 "
          "| -.15 0 .03 0 | .15 0 -.02 0 | .42 -.84 .18 | .40 -.86 .20",
    0.40: "0 1.07 0 | .12 .02 -.04 | 0 | .0 -.12 "
          "| -.30 .10 0 .5 | .30 .11 0 .5 | .55 .78 .05 | .50 .80 .05",
    0.80: "0 .87 0 | .05 0 .08 | 0 | .0 .05 "
          "| -.13 0 .02 0 | .13 0 .0 0 | .55 -.72 .18 | .62 -.66 .20",
    1.16: "-.16 .74 .05 | -.12 .10 .12 | -.05 | .25 .0 "
          "| -.47 0 .10 0 | .24 0 -.06 0 | .92 .16 .10 | .90 .22 .10",
    1.52: "0 .88 0 | .0 0 .03 | .15 | .1 .0 "
          "| -.14 0 .04 0 | .20 0 -.02 0 | .35 .12 .50 | .80 .40 .10",
    1.92: "-.02 .90 0 | -.30 -.10 0 | .10 | .2 -.15 "
          "| -.20 0 -.02 0 | .24 0 .04 .25 | .55 -.30 .15 | .42 .86 .10",
    2.32: "0 .92 .02 | .40 -.02 .08 | -.15 | -.25 .0 "
          "| -.08 .42 .24 -.3 | .12 0 -.06 0 | .30 -.62 -.42 | .22 -.06 .58",
    2.68: "0 .92 .02 | -.38 .02 .08 | .15 | .25 .0 "
          "| -.12 0 -.06 0 | .08 .42 .24 -.3 | .22 -.04 .60 | .34 -.60 -.42",
    3.08: "0 .64 -.10 | .08 0 .45 | 0 | .0 -.30 "
          "| -.25 0 .04 0 | .25 0 .02 0 | .50 .02 .72 | .62 .10 .60",
    3.44: "0 1.10 0 | -.10 -.03 -.08 | 0 | .0 -.15 "
          "| -.42 .22 .05 .6 | .36 .17 -.02 .6 | .86 .46 .0 | .80 .58 .0",
    3.80: "0 .84 0 | -.05 0 .12 | 0 | .0 .08 "
          "| -.17 0 .03 0 | .17 0 -.02 0 | .66 -.52 .22 | .60 -.60 .22",
    4.10: "0 .90 0 | .08 0 .03 | 0 | -.03 .0 "
          "| -.15 0 .03 0 | .15 0 -.02 0 | .42 -.84 .18 | .42 -.84 .20",
}  # fmt: skip


def _unit(v: Array) -> Array:
    return v / np.linalg.norm(v)


def _turn(yaw: float, lean: float, bend: float) -> Array:
    """Columns: the body's left (image right), up and forward (towards the camera) in the world."""
    (cy, cl, cb), (sy, sl, sb) = np.cos([yaw, lean, bend]), np.sin([yaw, lean, bend])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cl, sl, 0], [-sl, cl, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cb, -sb], [0, sb, cb]])
    return about_y @ about_z @ about_x


def _reach(root: Array, target: Array, first: float, second: float, hint: Array) -> tuple[Array, Array]:
    """Middle and end of a limb of two bones that reaches for `target`, its joint pushed towards `hint`."""
    line = target - root
    length = float(np.clip(np.linalg.norm(line), abs(first - second) + 0.02, first + second - 0.003))
    line = _unit(line)
    along = (first**2 - second**2 + length**2) / (2 * length)
    side = _unit(hint - line * (hint @ line))
    return root + line * along + side * np.sqrt(first**2 - along**2), root + line * length


@cache
def _motion() -> PchipInterpolator:
    rows = []
    for row in _KEYS.values():
        rows.append([float(word) for word in row.replace("|", " ").split()])
    return PchipInterpolator(list(_KEYS), np.array(rows))


def _skeleton(time: float) -> dict[str, Array]:
    """Where everything is at `time` seconds: points (3,) and frames (3, 3) of the world, by name."""
    at = _motion()(time)
    pelvis, turn, twist, head = at[:3], at[3:6], at[6], at[7:9]
    hips = _turn(turn[0], turn[1], 0.4 * turn[2])
    chest = _turn(turn[0] + twist, -0.5 * turn[1], turn[2])
    face = _turn(turn[0] + twist + head[0], -0.3 * turn[1], 0.5 * turn[2] + head[1])
    breast = pelvis + hips @ (0, 0.13, 0) + chest @ (0, 0.17, 0)
    neck = breast + chest @ (0, 0.235, 0.0)
    body: dict[str, Array] = {"pelvis": pelvis, "hips": hips, "chest": chest, "breast": breast, "neck": neck}
    body["face"], body["skull"] = face, neck + face @ (0, 0.155, 0.02)
    body["head"] = body["skull"] + face @ (0, -0.01, 0.06)
    for side, sign, foot, hand in (("right", -1, at[9:13], at[17:20]), ("left", 1, at[13:17], at[20:23])):
        outwards = np.array([sign, 1, 1])
        raised = max(0.0, hand[1])
        shoulder = breast + chest @ (outwards * (0.176 - 0.03 * raised, 0.172 + 0.05 * raised, 0.0))
        target = shoulder + chest @ (outwards * hand) * (UPPER_ARM + FOREARM)
        hint = chest @ (outwards * (0.6, -0.8 + 0.9 * raised, -0.55))
        body[f"{side} shoulder"] = shoulder
        body[f"{side} elbow"], body[f"{side} wrist"] = _reach(shoulder, target, UPPER_ARM, FOREARM, hint)
        hip = pelvis + hips @ (sign * 0.092, 0, 0)
        splay = hips @ _turn(sign * 0.3, 0, 0)
        pitch = _turn(0, 0, foot[3])  # toes down
        sole = foot[:3] + (0, ANKLE * np.cos(foot[3]) + 0.13 * abs(np.sin(foot[3])) * (foot[1] < 0.05), 0)
        hint = splay @ (sign * -0.08, 0.1, 1)
        body[f"{side} hip"] = hip
        body[f"{side} knee"], body[f"{side} ankle"] = _reach(hip, sole, THIGH, SHIN, hint)
        flat = _turn(np.arctan2(*(splay @ (0, 0, 1))[[0, 2]]), 0, 0)
        body[f"{side} foot"] = flat @ pitch
        body[f"{side} toe"] = body[f"{side} ankle"] + body[f"{side} foot"] @ (0, -0.06, 0.16)
        body[f"{side} tip"] = body[f"{side} wrist"] + 0.17 * _unit(body[f"{side} wrist"] - body[f"{side} elbow"])
    return body


def _project(points: Array) -> Array:
    """(..., 3) metres to (..., 2) pixels."""
    depth = DISTANCE - points[..., 2]
    x = CENTRE[0] + FOCAL * points[..., 0] / depth
    y = CENTRE[1] - FOCAL * (points[..., 1] - EYE) / depth
    return np.stack([x, y], -1)


def joints(frame: int) -> Array:
    """True joints of a frame, (14, 2) pixels, ordered as `poses.JOINTS`; "head" is the centre of the face."""
    body = _skeleton(frame / FPS)
    return _project(np.stack([body[name] for name in JOINTS]))


@cache
def shutter() -> tuple[tuple[float, float], ...]:
    """Length (pixels) and angle (radians) of each frame's blur: blurry runs with sharp frames between."""
    rng = np.random.default_rng(SEED)
    drawn: list[tuple[float, float]] = []
    while len(drawn) < FRAMES:
        drawn += [(0.0, 0.0)] * int(rng.integers(1, 5))
        strength, heading = rng.uniform(6, 18), rng.uniform(0, np.pi)
        for _ in range(int(rng.integers(1, 8))):
            length = np.clip(strength * rng.uniform(0.5, 1.2), 3, 18)
            drawn.append((round(float(length), 2), round(float((heading + rng.normal(0, 0.35)) % np.pi), 3)))
    return tuple(drawn[:FRAMES])


# -------- the body as a distance field

SKIN, SHIRT, SHORTS, HAIR, SHOE, SOCK = range(6)


_CHEST = (
    (-0.24, 0.140, 0.104), (-0.12, 0.139, 0.103), (0.00, 0.154, 0.114), (0.09, 0.164, 0.115), (0.15, 0.150, 0.098),
    (0.19, 0.110, 0.078), (0.225, 0.060, 0.055),
)  # fmt: skip
_HEM = ((-0.035, 0.201, 0.138), (0.02, 0.184, 0.130), (0.11, 0.155, 0.113), (0.22, 0.140, 0.104))
_SEAT = ((-0.12, 0.140, 0.100), (-0.05, 0.162, 0.116), (0.03, 0.158, 0.113), (0.12, 0.138, 0.10))


def _smooth_min(a: Array, b: Array, k: float) -> Array:
    overlap = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - overlap * overlap * (k / 4)


def _plane(a: Array, axis: Array) -> Callable[[Array], Array]:
    """Signed distance beyond the plane through a, across the axis."""
    n = _unit(axis).astype(np.float32)
    offset = np.float32(n @ a)
    return lambda p: n @ p - offset


def _limb(
    a: Array,
    b: Array,
    first: float,
    second: float,
    bulge: tuple[float, float, float] | None = None,
    towards: Array | None = None,
) -> Callable[[Array], Array]:
    """Distance to a limb that tapers from a to b; the bulge (place, reach, height) is a muscle."""
    axis = b - a
    n, start = (axis / (axis @ axis)).astype(np.float32), a[:, None].astype(np.float32)
    line = axis[:, None].astype(np.float32)
    offset = n @ start[:, 0]

    def distance(p: Array) -> Array:
        h = np.clip(n @ p - offset, 0, 1)
        q = p - start
        q -= line * h
        radius = np.float32(first) + np.float32(second - first) * h
        if bulge is not None:
            place, reach, height = bulge
            bump = np.maximum(1 - ((h - place) / reach) ** 2, 0) ** 2 * height
            radius += bump
            if towards is not None:
                q -= towards[:, None].astype(np.float32) * bump
        return np.sqrt(np.einsum("ij,ij->j", q, q)) - radius

    return distance


def _ellipsoid(centre: Array, frame: Array, radii: tuple[float, float, float]) -> Callable[[Array], Array]:
    into = (frame.T / np.array(radii)[:, None]).astype(np.float32)
    middle = (into @ centre)[:, None].astype(np.float32)
    r = np.array(radii, np.float32)[:, None]

    def distance(p: Array) -> Array:
        q = into @ p - middle
        near = np.sqrt(np.einsum("ij,ij->j", q, q))
        q /= r
        return near * (near - 1) / np.maximum(np.sqrt(np.einsum("ij,ij->j", q, q)), 1e-6)

    return distance


def _column(centre: Array, frame: Array, profile: tuple[tuple[float, float, float], ...]) -> Callable[[Array], Array]:
    """An upright body of elliptic sections; `profile` gives (height, half width, half depth), rising."""
    heights, widths, depths = np.array(profile).T
    fine = np.linspace(heights[0], heights[-1], 130)
    wide, deep = (PchipInterpolator(heights, x)(fine).astype(np.float32) for x in (widths, depths))
    into, middle = frame.T.astype(np.float32), (frame.T @ centre)[:, None].astype(np.float32)
    low, high = np.float32(heights[0]), np.float32(heights[-1])

    def distance(p: Array) -> Array:
        u, v, w = into @ p - middle
        place = np.clip((v - low) * (128 / (high - low)), 0, 127.99)
        cell = place.astype(np.int32)
        place -= cell
        a, b = wide[cell], deep[cell]
        a += (wide[cell + 1] - a) * place
        b += (deep[cell + 1] - b) * place
        u, w = u / a, w / b
        near = np.sqrt(u * u + w * w)
        side = near * (near - 1) / np.maximum(np.sqrt((u / a) ** 2 + (w / b) ** 2), 1e-6)
        return -_smooth_min(-side, np.minimum(high - v, v - low), 0.03)

    return distance


# What each part of the body is strung along; _REACH metres beside a ray it no longer matters to it.
_STRINGS = {
    "trunk": ("neck", "right shoulder", "left shoulder", "breast", "pelvis", "right hip", "left hip"),
    "head": ("neck", "skull"),
    **{
        f"{side} arm": tuple(f"{side} {j}" for j in ("shoulder", "elbow", "wrist", "tip")) for side in ("right", "left")
    },
    **{f"{side} leg": tuple(f"{side} {j}" for j in ("hip", "knee", "ankle", "toe")) for side in ("right", "left")},
}
GROUPS = frozenset(_STRINGS)
# how many parts of each group, the first ones, make its outline
_OUTLINE = (("trunk", 2), ("head", 2), ("right arm", 5), ("left arm", 5), ("right leg", 4), ("left leg", 4))
_REACH = 0.26


_Part = tuple[int, float, Callable[[Array], Array]]  # material, smoothness of its joint, distance


class _Person:
    """Distance and material of one pose; what each part of the body is made of is built once."""

    def __init__(self, body: dict[str, Array]) -> None:
        self.body = body
        self._parts = {"trunk": self._trunk(), "head": self._head()}
        for side in ("right", "left"):
            self._parts[f"{side} arm"] = self._arm(side)
            self._parts[f"{side} leg"] = self._leg(side)

    def parts(self, p: Array, groups: frozenset[str] = GROUPS) -> dict[int, Array]:
        """Distance (n,) to what each material covers, for points (3, n); only of the parts named."""
        found: dict[int, Array] = {}
        for group in _STRINGS:
            for material, k, distance in self._parts[group] if group in groups else ():
                d = distance(p)
                if material in found:
                    d = _smooth_min(found[material], d, k) if k else np.minimum(found[material], d)
                found[material] = d
        return found

    def _trunk(self) -> list[_Part]:
        body = self.body
        hips, chest = body["hips"], body["chest"]
        hem = _column(body["pelvis"], hips, _HEM)
        top = _column(body["breast"], chest, _CHEST)
        yokes: list[_Part] = [
            (
                SHIRT,
                0.05,
                _limb(body["neck"] - chest @ (0, 0.062, 0.02), body[f"{side} shoulder"], 0.050, 0.054),
            )
            for side in ("right", "left")
        ]
        return [
            (SHIRT, 0, top),
            (SHIRT, 0.06, hem),
            (SHORTS, 0, _column(body["pelvis"], hips, _SEAT)),
            *yokes,
        ]

    def _head(self) -> list[_Part]:
        face, skull = self.body["face"], self.body["skull"]

        def at(x: float, y: float, z: float) -> Array:
            return skull + face @ (x, y, z)

        throat = self.body["neck"] - self.body["chest"] @ (0, 0.07, 0.015)
        hair = _ellipsoid(at(0, 0.034, -0.016), face, (0.087, 0.101, 0.104))
        # the hair line rises from the neck to the forehead
        edge = _plane(at(0, -0.004, 0), face @ (0, 1, -0.85))

        def cut_hair(p: Array) -> Array:
            return -_smooth_min(-hair(p), edge(p), 0.012)

        return [
            (SKIN, 0, _ellipsoid(at(0, 0.025, -0.012), face, (0.074, 0.095, 0.094))),
            (SKIN, 0.05, _ellipsoid(at(0, -0.058, 0.022), face, (0.056, 0.062, 0.062))),
            (SKIN, 0.018, _limb(at(0, 0.012, 0.083), at(0, -0.032, 0.098), 0.008, 0.0135)),
            *((SKIN, 0, _ellipsoid(at(x, -0.008, -0.012), face, (0.011, 0.029, 0.018))) for x in (-0.076, 0.076)),
            (SKIN, 0.02, _limb(throat, at(0, -0.06, -0.026), 0.060, 0.051)),
            (HAIR, 0, cut_hair),
        ]

    def _arm(self, side: str) -> list[_Part]:
        shoulder, elbow, wrist = (self.body[f"{side} {name}"] for name in ("shoulder", "elbow", "wrist"))
        arm = elbow - shoulder
        tube = _limb(shoulder + 0.04 * arm, elbow, 0.056, 0.072)
        cuff = _plane(shoulder + _unit(arm) * 0.155, arm)
        back = -_unit(np.cross(np.cross(arm, wrist - elbow), arm) + 1e-6)
        along = _unit(wrist - elbow)
        across = _unit(np.cross(along, self.body["chest"] @ (0.1, 0.2, 1.0)))
        across *= np.sign(across @ (0, 1, 0.2))
        flat = np.stack([across, along, np.cross(across, along)], 1)
        thumb = wrist + along * 0.035 + across * 0.025, wrist + along * 0.088 + across * 0.056
        return [
            (SHIRT, 0.04, lambda p: np.maximum(tube(p), cuff(p))),
            (SKIN, 0, _limb(shoulder, elbow, 0.051, 0.039, (0.5, 0.42, 0.008), -0.8 * back)),
            (SKIN, 0.03, _limb(elbow, wrist, 0.038, 0.026, (0.24, 0.3, 0.009))),
            (SKIN, 0.02, _ellipsoid(wrist + along * 0.058, flat, (0.040, 0.055, 0.019))),
            (SKIN, 0.02, _ellipsoid(wrist + along * 0.125, flat, (0.034, 0.050, 0.014))),
            (SKIN, 0.012, _limb(*thumb, 0.015, 0.010)),
        ]

    def _leg(self, side: str) -> list[_Part]:
        hip, knee, ankle, foot = (self.body[f"{side} {name}"] for name in ("hip", "knee", "ankle", "foot"))
        thigh, shin, front = knee - hip, ankle - knee, foot[:, 2]
        tube = _limb(hip - (0, 0.01, 0), knee, 0.094, 0.098)
        heel = _ellipsoid(ankle + foot @ (0, -0.045, -0.02), foot, (0.043, 0.052, 0.062))
        toe = _ellipsoid(ankle + foot @ (0, -0.062, 0.105), foot, (0.049, 0.036, 0.098))

        under = _plane(ankle - foot[:, 1] * ANKLE, -foot[:, 1])

        def shoe(p: Array) -> Array:
            return np.maximum(_smooth_min(heel(p), toe(p), 0.05), under(p))

        cuff = _plane(hip + _unit(thigh) * 0.25, thigh)
        cap = knee + front * 0.020 - _unit(thigh) * 0.004
        return [
            (SKIN, 0, _limb(hip + 0.3 * thigh, knee, 0.071, 0.052, (0.2, 0.6, 0.008), 0.8 * front)),
            (SKIN, 0.04, _limb(knee, ankle, 0.051, 0.036, (0.27, 0.30, 0.015), -1.2 * front)),
            (SHORTS, 0.04, lambda p: np.maximum(tube(p), cuff(p))),
            (SHOE, 0, shoe),
            (SKIN, 0.03, _ellipsoid(cap, foot, (0.031, 0.036, 0.030))),
            (SOCK, 0, _limb(knee + 0.74 * shin, ankle, 0.0425, 0.042)),
        ]

    def outline(self, p: Array) -> Array:
        """Distance (n,) to the large parts only, which lie within the others: enough for a shadow."""
        return np.minimum.reduce([part[2](p) for group, n in _OUTLINE for part in self._parts[group][:n]])

    def distance(self, p: Array, groups: frozenset[str] = GROUPS) -> Array:
        """Distance (n,) to the person, for points (3, n) in metres."""
        parts = self.parts(p, groups)
        return np.minimum.reduce(list(parts.values()))

    def near(self, x: float, y: float, radius: float) -> frozenset[str]:
        """Parts of the body that may be seen, or darken, within `radius` pixels of a point of the picture."""
        found = []
        for group, names in _STRINGS.items():
            points = _project(np.stack([self.body[name] for name in names]))
            fine = np.concatenate([np.linspace(a, b, 8) for a, b in zip(points, points[1:], strict=False)])
            if np.hypot(fine[:, 0] - x, fine[:, 1] - y).min() < radius + _REACH * FOCAL / (DISTANCE - 0.7):
                found.append(group)
        return frozenset(found)


# -------- light


def _waves(p: Array, scale: float, seed: int, count: int = 8) -> Array:
    """Smooth random function of points (3, n), about within [-1, 1], of wavelengths near `scale` metres."""
    rng = np.random.default_rng(seed)
    total = np.zeros(p.shape[1], np.float32)
    for _ in range(count):
        k = rng.normal(0, 1, 3)
        k *= 2 * np.pi / scale * rng.uniform(0.6, 1.5) / np.linalg.norm(k)
        total += np.sin(k[0] * p[0] + k[1] * p[1] + k[2] * p[2] + np.float32(rng.uniform(0, 7)))
    return total / np.float32(np.sqrt(2 * count))


def _march(person: _Person, rays: Array, start: Array, slack: float, groups: frozenset[str] = GROUPS) -> Array:
    """Distance along each ray (3, n) to the person; inf where it misses. `slack`: radius of the ray per metre."""
    origin, far = np.array([[0], [EYE], [DISTANCE]], np.float32), DISTANCE + 1.4
    t = start.astype(np.float32).copy()
    hit = np.zeros(t.shape, bool)
    live = np.flatnonzero(t < far)
    for _ in range(40):
        if not len(live):
            break
        d = person.distance(origin + rays[:, live] * t[live], groups) - slack * t[live]
        close = d < (0.004 if slack else 0.002)  # a pixel covers 9 mm
        hit[live[close]] = True
        go = live[~close]
        t[go] += 0.92 * d[~close]
        live = go[t[go] < far]
    return np.where(hit, t, np.inf).astype(np.float32)


def _sunlit(person: _Person, p: Array) -> Array:
    """How much of the sun points (3, n) see, in [0, 1]; soft at the edges."""
    light = np.ones(p.shape[1], np.float32)
    t = np.full(p.shape[1], 0.03, np.float32)
    live = np.arange(p.shape[1])
    for _ in range(26):
        if not len(live):
            break
        d = person.outline(p[:, live] + SUN[:, None].astype(np.float32) * t[live])
        light[live] = np.minimum(light[live], 0.5 + 9 * d / t[live])
        t[live] += np.clip(d, 0.015, 0.2)
        live = live[(light[live] > 0) & (t[live] < 2.3)]
    light = np.clip(light, 0, 1)
    return light * light * (3 - 2 * light)


def _open_sky(person: _Person, p: Array, normal: Array, groups: frozenset[str]) -> Array:
    """How free points (3, n) are of near neighbours, in [0, 1]."""
    closed = np.zeros(p.shape[1], np.float32)
    for step, weight in ((0.02, 9.0), (0.06, 4.0), (0.14, 1.6)):
        closed += weight * np.maximum(step - person.distance(p + normal * np.float32(step), groups), 0)
    return np.clip(1 - closed, 0.12, 1)


def _local(body: dict[str, Array], p: Array, point: str, frame: str) -> Array:
    return body[frame].T.astype(np.float32) @ (p - body[point][:, None].astype(np.float32))


def _relief(material: int, body: dict[str, Array], p: Array) -> Array:
    """Height of folds and locks, metres, for points of one material."""
    if material == SHIRT:
        q = _local(body, p, "breast", "chest")
        slant = q[1] - 0.5 * np.sqrt(q[0] ** 2 + 0.003) + 0.12 * q[0]  # cloth hangs from the shoulders
        pull = np.stack([0.9 * q[0], 0.75 * slant, 0.6 * q[2]]) + 0.02 * _waves(q, 0.2, 14)
        deep = np.clip(0.7 + 0.6 * _waves(q, 0.25, 15), 0.1, 1.3)
        return deep * (0.0060 * _waves(pull, 0.11, 3, 14) + 0.0020 * _waves(pull, 0.045, 4, 14))
    if material == SHORTS:
        q = _local(body, p, "pelvis", "hips")
        return 0.0050 * _waves(np.stack([q[0], 0.45 * q[1], q[2]]), 0.08, 5, 14) + 0.0012 * _waves(q, 0.035, 6)
    if material == HAIR:
        q = _local(body, p, "skull", "face")
        return 0.003 * _waves(np.stack([q[0], 0.3 * q[1], 0.4 * q[2]]), 0.018, 7)
    return np.zeros(p.shape[1], np.float32)


def _spot(q: Array, x: float, y: float, wide: float, high: float) -> Array:
    """1 within an ellipse of the face, seen from the front, falling to 0 at its rim."""
    inside = 1 - ((q[0] - x) / wide) ** 2 - ((q[1] - y) / high) ** 2
    return np.clip(2.5 * inside, 0, 1) * (q[2] > 0.02)


def _paint(material: int, body: dict[str, Array], p: Array) -> Array:
    """Colour (3, n) in linear light."""

    def flat(*rgb: float) -> Array:
        return np.tile(np.array(rgb, np.float32)[:, None], p.shape[1])

    def over(colour: Array, rgb: tuple[float, float, float], share: Array) -> Array:
        return colour + (np.array(rgb, np.float32)[:, None] - colour) * share

    if material == SKIN:
        colour = flat(0.50, 0.275, 0.185) * (1 + 0.07 * _waves(p, 0.05, 8) + 0.05 * _waves(p, 0.016, 9))
        q = _local(body, p, "skull", "face")
        near = (np.abs(q).max(0) < 0.14).astype(np.float32)
        for x in (-1, 1):
            colour = over(colour, (0.54, 0.19, 0.13), 0.5 * near * _spot(q, x * 0.043, -0.034, 0.028, 0.022))
            colour = over(colour, (0.24, 0.11, 0.075), 0.7 * near * _spot(q, x * 0.031, 0.009, 0.021, 0.013))
            colour = over(colour, (0.45, 0.40, 0.37), 0.8 * near * _spot(q, x * 0.031, 0.006, 0.0125, 0.0050))
            colour = over(colour, (0.02, 0.013, 0.01), near * _spot(q, x * 0.031, 0.0065, 0.0070, 0.0062))
            colour = over(colour, (0.045, 0.024, 0.015), 0.9 * near * _spot(q, x * 0.033, 0.027, 0.021, 0.006))
            colour = over(colour, (0.12, 0.05, 0.035), 0.8 * near * _spot(q, x * 0.008, -0.041, 0.005, 0.004))
        smile = np.stack([q[0], q[1] - 6.0 * q[0] ** 2, q[2]])
        colour = over(colour, (0.38, 0.11, 0.09), 0.85 * near * _spot(smile, 0, -0.068, 0.027, 0.0085))
        colour = over(colour, (0.11, 0.03, 0.022), 0.8 * near * _spot(smile, 0, -0.067, 0.026, 0.0027))
        stubble = near * np.clip((-q[1] - 0.045) * 25, 0, 1) * (q[2] > 0)
        colour = over(colour, (0.30, 0.17, 0.125), 0.25 * stubble)
        return colour
    if material == SHIRT:
        q = _local(body, p, "breast", "chest")
        colour = flat(0.60, 0.60, 0.57) * (1 + 0.05 * _waves(q, 0.02, 10))
        band = np.clip((0.045 - np.abs(q[1] - 0.02)) * 300, 0, 1) * (np.abs(q[0]) < 0.19)
        collar = np.clip((0.088 - np.hypot(q[0], q[2] + 0.005)) * 300, 0, 1) * (q[1] > 0.15)
        return over(colour, (0.47, 0.045, 0.035), np.maximum(band, collar))
    if material == SHORTS:
        q = _local(body, p, "pelvis", "hips")
        colour = flat(0.028, 0.045, 0.115) * (1 + 0.10 * _waves(q, 0.05, 11))
        return over(colour, (0.5, 0.5, 0.5), np.clip(1 - np.abs(q[2] + 0.0) / 0.012, 0, 1) ** 0.3)
    if material == HAIR:
        q = _local(body, p, "skull", "face")
        locks = _waves(np.stack([q[0], 0.25 * q[1], 0.3 * q[2]]), 0.012, 12)
        return flat(0.055, 0.030, 0.018) * (1 + 0.5 * locks)
    if material == SHOE:
        colour = flat(0.58, 0.58, 0.60)
        for side in ("right", "left"):
            q = _local(body, p, f"{side} ankle", f"{side} foot")
            this = (q * q).sum(0) < 0.05
            stripe = np.abs(((q[2] - 0.8 * q[1]) / 0.022) % 2 - 1) < 0.5
            colour = over(colour, (0.47, 0.045, 0.035), this & stripe & (q[2] > -0.01) & (q[2] < 0.09))
            colour = over(colour, (0.10, 0.095, 0.09), this & (q[1] < -ANKLE + 0.022))
        return colour
    return flat(0.62, 0.62, 0.60)  # the socks


def _shade(person: _Person, p: Array, rays: Array, groups: frozenset[str]) -> Array:
    """Light (3, n) that points on the person send back along the rays."""
    body = person.body
    parts = person.parts(p, groups)
    material = np.array(list(parts))[np.argmin(np.stack(list(parts.values())), 0)]
    albedo = np.zeros(p.shape, np.float32)
    smooth = np.zeros(p.shape, np.float32)
    normal = np.zeros(p.shape, np.float32)
    for corner in np.array([(1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)], np.float32)[:, :, None]:
        smooth += corner * person.distance(p + corner * np.float32(0.002), groups)
        for kind in np.unique(material):
            at = material == kind
            normal[:, at] -= corner * _relief(kind, body, p[:, at] + corner * np.float32(0.002))
    for kind in np.unique(material):
        albedo[:, material == kind] = _paint(kind, body, p[:, material == kind])
    normal += smooth
    normal /= np.linalg.norm(normal, axis=0)
    smooth /= np.linalg.norm(smooth, axis=0)
    sun = np.zeros(p.shape[1], np.float32)
    lit = (SUN.astype(np.float32) @ smooth) > -0.35
    sun[lit] = _sunlit(person, (p + smooth * np.float32(0.006))[:, lit])
    sky = _open_sky(person, p, smooth, groups)
    skin = material == SKIN
    facing = SUN.astype(np.float32) @ normal
    wrap = np.where(skin, 0.25, 0.08).astype(np.float32)
    direct = np.clip((facing + wrap) / (1 + wrap), 0, 1) * sun
    up = 0.5 + 0.5 * normal[1]
    ambient = SKYLIGHT[:, None] * up + BOUNCE[:, None] * (1 - up)
    light = SUNLIGHT[:, None] * direct + ambient * sky
    light[0] += np.where(skin, 0.10 * np.clip(0.5 - np.abs(facing), 0, 1) * sun, 0)  # light under the skin
    half = SUN[:, None] - rays
    half /= np.linalg.norm(half, axis=0)
    gloss = np.select([skin, material == HAIR, material == SHOE], [0.10, 0.12, 0.15], 0.015)
    shine = gloss * np.clip((half * normal).sum(0), 0, 1) ** np.where(skin, 18, 30) * sun
    rim = 0.10 * (1 + (rays * normal).sum(0)) ** 3 * sky
    return (albedo * (light + rim) + SUNLIGHT[:, None] * shine * 0.6).astype(np.float32)


# -------- the place


def _clouds(height: int, width: int, cell: float, rng: np.random.Generator, octaves: int = 4) -> Array:
    """Fractal noise, zero mean, unit deviation; `cell` pixels at the coarsest octave."""
    total: Array = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1)
        coarse = rng.standard_normal((int(height / size) + 3, int(width / size) + 3), dtype=np.float32)
        grown = cv2.resize(coarse, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        total += grown[:height, :width] / 1.7**octave
    return (total - total.mean()) / total.std()


def _soft_disc(image: Array, radius: float) -> Array:
    return cv2.filter2D(image, -1, blur.disc_kernel(radius), borderType=cv2.BORDER_REPLICATE)


@cache
def _place() -> Array:
    """The empty park, (H, W, 3) linear light."""
    rng = np.random.default_rng(SEED + 1)
    fine = 2
    h, w, horizon = HEIGHT * fine, WIDTH * fine, CENTRE[1] * fine
    y, x = np.mgrid[:h, :w].astype(np.float32)
    scene = np.empty((h, w, 3), np.float32)
    scene[:] = np.array([0.75, 0.88, 1.05]) * (1.25 - 0.35 * y[..., None] / horizon)
    scene *= 1 + 0.10 * _clouds(h, w, 220, rng)[..., None]
    for base, tint, rough in ((0.42, 0.55, 26), (0.26, 1.0, 34)):  # two rows of trees, the far one hazier
        crown = horizon * base + 60 * _clouds(1, w, 190, rng, 3)[0] * (0.6 if tint < 1 else 1.0)
        edge = crown[None] + 9 * _clouds(h, w, rough, rng, 4)
        mass = _clouds(h, w, 70, rng, 5) + 0.5 * (crown[None] + 60 - y) / 60
        leaves = np.clip(0.42 + 0.30 * mass + 0.22 * _clouds(h, w, 12, rng, 3), 0, 1.3)[..., None]
        colour = np.array([0.020, 0.040, 0.014]) + leaves**2 * np.array([0.155, 0.235, 0.050])
        colour = colour * (0.6 + 0.4 * tint) + (1 - tint) * np.array([0.10, 0.13, 0.15])
        inside = np.clip((y - edge) / 3, 0, 1)[..., None]
        holes = np.clip((_clouds(h, w, 20, rng, 3) - 1.5 - (y - edge) / 90) * 4, 0, 1)[..., None]
        scene += (colour - scene) * inside * (1 - holes)
    for _ in range(9):
        at, half = rng.uniform(0, w), rng.uniform(4, 10)
        lean = at + 8 * (horizon - y) / horizon * rng.normal()
        trunk = np.clip(half - np.abs(x - lean), 0, 1) * np.clip((y - horizon * rng.uniform(0.55, 0.75)) / 30, 0, 1)
        bark = np.array([0.060, 0.045, 0.032]) * (1 + 0.3 * np.sign(lean - x)[..., None])
        scene += (bark - scene) * (trunk * 0.9)[..., None]
    shrub = horizon - 22 + 9 * _clouds(1, w, 60, rng, 4)[0][None] - y
    low = np.clip(0.40 + 0.3 * _clouds(h, w, 26, rng, 4) + shrub / 110, 0, 1.2)[..., None]
    hedge = np.array([0.018, 0.036, 0.012]) + low**2 * np.array([0.13, 0.20, 0.04])
    scene += (hedge - scene) * np.clip(-shrub / 3, 0, 1)[..., None]
    scene = _soft_disc(scene, 4.5)

    depth = FOCAL * EYE / np.maximum((y - horizon) / fine, 0.3)
    across = (x / fine - CENTRE[0]) * depth / FOCAL
    texture = np.stack([_clouds(1024, 1024, 64, rng, 6), _clouds(1024, 1024, 8, rng, 3)], -1)

    def laid(scale: float) -> Array:
        u, v = across * scale + 500, depth * scale
        return cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    grain = laid(150.0)
    fade = np.clip(9 / depth, 0.15, 1)
    blades = (0.5 * grain[..., 1] + 0.35 * laid(40.0)[..., 0]) * fade + 0.3 * laid(9.0)[..., 0]
    grass = np.array([0.120, 0.185, 0.042]) * np.clip(1 + 0.30 * blades, 0.25, 2)[..., None]
    worn = 0.15 * grain[..., 1] * fade + 0.10 * laid(12.0)[..., 0] + 0.06 * laid(60.0)[..., 1]
    track = np.array([0.300, 0.115, 0.080]) * np.clip(1 + worn, 0.4, 2)[..., None]
    edge = 8.6 + 0.05 * laid(25.0)[..., 0]
    dusk = np.clip((depth - 13.5 - 2.2 * laid(14.0)[..., 0]) * 0.5, 0, 1)[..., None]  # shade of the trees
    grass = grass * (1 + 0.10 * np.sin(across * 1.1 + 0.25 * depth))[..., None] * (1 - 0.62 * dusk)
    ground = grass + (track - grass) * np.clip((edge - depth) * 8, 0, 1)[..., None]
    for line in (8.45, 6.35, 4.25):
        paint = np.clip((0.035 - np.abs(depth - line)) * 60 * np.clip(6 / depth, 0, 1), 0, 1) * (
            0.85 + 0.1 * grain[..., 0]
        )
        ground += (0.62 - ground) * np.clip(paint, 0, 1)[..., None]
    ground = ground * (SUNLIGHT * SUN[1] + SKYLIGHT)
    far = np.clip((depth - 8) / 12, 0, 1)[..., None]
    ground += (_soft_disc(ground, 2.0) - ground) * far
    ground += (np.array([0.10, 0.13, 0.09]) - ground) * np.clip((depth - 14) / 60, 0, 0.5)[..., None]
    scene += (ground - scene) * np.clip((y - horizon) / 2, 0, 1)[..., None]
    return cv2.resize(scene, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)


def _shadowed_ground(person: _Person, scene: Array, x: Array, y: Array) -> None:
    """Darken the ground under pixels x, y (n,) of the scene where the person hides the sun and the sky."""
    depth = FOCAL * EYE / (y - CENTRE[1])
    p = np.stack([(x - CENTRE[0]) * depth / FOCAL, np.zeros_like(x), DISTANCE - depth]).astype(np.float32)
    root = person.body["pelvis"]
    ahead = (p[0] - root[0]) * SUN[0] + (p[2] - root[2]) * SUN[2]  # along the sun's way over the ground
    beside = (p[0] - root[0]) * SUN[2] - (p[2] - root[2]) * SUN[0]
    flat = np.hypot(SUN[0], SUN[2])
    near = (np.abs(beside / flat) < 1.1) & (ahead / flat < 1.1) & (ahead / flat > -3.2)
    p, x, y = p[:, near], x[near], y[near]
    if not len(x):
        return
    up = np.tile(np.array([[0], [1], [0]], np.float32), p.shape[1])
    sun = _sunlit(person, p)
    sky = 0.35 + 0.65 * _open_sky(person, p + 0.002 * up, up, GROUPS)
    full = SUNLIGHT * SUN[1] + SKYLIGHT
    part = SUNLIGHT * SUN[1] * sun[:, None] + SKYLIGHT * sky[:, None]
    scene[y.astype(int), x.astype(int)] *= (part / full).astype(np.float32)


# -------- frames

_FINE = 2  # rays per pixel and axis


def sharp_frame(frame: int, window: tuple[int, int, int, int] = (0, 0, WIDTH, HEIGHT)) -> Array:
    """A frame before blur and grain.

    Args:
        frame: 0 to FRAMES - 1.
        window: x, y, width, height of the part wanted, pixels; the rest is not computed.
    Returns:
        (height, width, 3) uint8.
    """
    left, top, width, height = window
    body = _skeleton(frame / FPS)
    person = _Person(body)
    scene = _place().copy()
    points = _project(np.stack([value for value in body.values() if value.ndim == 1]))
    low, high = points.min(0) - 32, points.max(0) + 32

    grid = np.meshgrid(np.arange(left, left + width), np.arange(top, top + height))
    x, y = (one.ravel().astype(np.float32) for one in grid)
    near = (y > CENTRE[1] + 16) & (x > low[0] - 30) & (x < high[0] + 190)
    if near.any():
        _shadowed_ground(person, scene, x[near], y[near])

    x0, y0 = max(left, int(low[0])), max(top, int(low[1]))
    x1, y1 = min(left + width, int(high[0]) + 1), min(top + height, int(high[1]) + 1)
    if x1 > x0 and y1 > y0:
        picture = scene[y0:y1, x0:x1]
        picture[:] = _person_over(person, picture, x0, y0)
    scene = scene[top : top + height, left : left + width]
    corner = ((grid[0] - CENTRE[0]) ** 2 + (grid[1] - HEIGHT / 2) ** 2) / (WIDTH / 2) ** 2
    scene = scene * (1 - 0.16 * corner)[..., None]
    return blur.from_linear(_film(scene))


def _film(light: Array) -> Array:
    """The response of film: a shoulder for the highlights, a toe for the shadows."""
    held = 1.05 - 1.05 * np.exp(-1.0 * light)
    return (held**1.12 * (0.9 + 0.12 * held)).astype(np.float32)


def _person_over(person: _Person, behind: Array, x0: int, y0: int) -> Array:
    """The person over the picture (h, w, 3) behind, whose top-left pixel is (x0, y0)."""
    h, w = behind.shape[:2]
    block = 4 * _FINE
    rows, columns = -(-h * _FINE // block) * block, -(-w * _FINE // block) * block

    def rays(x: Array, y: Array) -> Array:
        towards = np.stack([(x - CENTRE[0]) / FOCAL, (CENTRE[1] - y) / FOCAL, -np.ones_like(x)])
        return (towards / np.linalg.norm(towards, axis=0)).astype(np.float32)

    at_x = x0 + (np.arange(columns) + 0.5) / _FINE - 0.5
    at_y = y0 + (np.arange(rows) + 0.5) / _FINE - 0.5
    # thick rays first, one for each block: they find where thin ones may start
    thick_x, thick_y = np.meshgrid(at_x.reshape(-1, block).mean(1), at_y.reshape(-1, block).mean(1))
    start = np.full(thick_x.size, DISTANCE - 1.6, np.float32)
    slack = 0.75 * block / _FINE / FOCAL
    start = _march(person, rays(thick_x.ravel(), thick_y.ravel()), start, slack).reshape(thick_x.shape)
    grown = np.zeros((rows, columns, 3), np.float32)
    grown[: h * _FINE, : w * _FINE] = np.repeat(np.repeat(behind, _FINE, 0), _FINE, 1)
    tile = 8  # blocks
    for top in range(0, start.shape[0], tile):
        for left in range(0, start.shape[1], tile):
            begin = start[top : top + tile, left : left + tile]
            if not np.isfinite(begin).any():
                continue
            here = np.s_[top * block : (top + tile) * block], np.s_[left * block : (left + tile) * block]
            x, y = np.meshgrid(at_x[here[1]], at_y[here[0]])
            groups = person.near(x.mean(), y.mean(), 0.71 * tile * block / _FINE)
            thin = rays(x.ravel(), y.ravel())
            begin = np.repeat(np.repeat(begin, block, 0), block, 1).ravel()
            t = _march(person, thin, begin, 0.0, groups)
            seen = np.isfinite(t)
            if seen.any():
                p = np.array([[0], [EYE], [DISTANCE]], np.float32) + thin[:, seen] * t[seen]
                view = grown[here]
                view[seen.reshape(x.shape)] = _shade(person, p, thin[:, seen], groups).T
    fine = grown[: h * _FINE, : w * _FINE]
    return fine.reshape(h, _FINE, w, _FINE, 3).mean((1, 3))


def finished_frame(frame: int, sharp: Array) -> Array:
    """The frame as filmed: its own motion blur, then grain."""
    rng = np.random.default_rng([SEED, frame])
    return blur.noise(blur.motion_blur(sharp, *shutter()[frame]), GRAIN, rng)


def truth() -> dict[str, Any]:
    """What is known of the clip: joints (N, 14, 2), box (N, 4), blur length (N,) and angle (N,), and how."""
    points = np.stack([joints(i) for i in range(FRAMES)])
    low, high = points.min(1), points.max(1)
    return {
        "made": "Drawn by freqviz/sample.py: a body of tapered limbs that moves through key poses of our own, "
        "ray traced as a distance field over a procedural park; each frame blurred as a whole by uniform "
        "linear motion in linear light, then grain. No photograph, no motion capture, no training data.",
        "seed": SEED,
        "fps": FPS,
        "size": [HEIGHT, WIDTH],
        "units": "pixels, centre of the top-left pixel = (0, 0); box x, y, w, h, tight around the joints; blur "
        "angle in radians from x towards y; head = centre of the face",
        "joint_names": list(JOINTS),
        "joints": np.round(points, 2).tolist(),
        "box": np.round(np.concatenate([low, high - low], 1), 2).tolist(),
        "blur_length": [length for length, _ in shutter()],
        "blur_angle": [angle for _, angle in shutter()],
    }


def make_sample(folder: str | Path) -> Path:
    """Draw the clip anew (minutes): `sample.mp4` and `sample.json` in `folder`.

    Returns:
        the path of the clip.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    frames = (finished_frame(i, sharp_frame(i)) for i in range(FRAMES))
    path = write_video(folder / "sample.mp4", frames, FPS, crf=19)
    (folder / "sample.json").write_text(json.dumps(truth()) + "\n")
    return path
