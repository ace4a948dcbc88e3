"""How each network is trained: steps, rates, what it begins with, and which heads share a run."""

from dataclasses import dataclass, replace

from freqviz.learn import data
from models.freq_full import FreqFull


@dataclass(frozen=True)
class Recipe:
    """How one network is trained."""

    network: str
    steps: int
    batch: int = 64
    rate: float = 2e-3  # peak learning rate
    decay: float = 0.05  # weight decay
    warmup: int = 200  # steps
    average: float = 0.998  # of the exponential moving average
    small: float = 0.6  # share of the steps (before a restart) on 128x96 crops, 2.2 times as fast
    restart: int | None = None  # step from which everything begins anew, at the average's parameters and .6 of the rate
    longest: float = data.LONGEST  # px of motion blur in windows; the frames of the backbone always reach 47
    variant: str = ""  # name of a training other than the usual one
    teacher: str = ""  # head of the same run that heads without a source of motion learn from, but for "alone"
    start: str = ""  # network with whose parameters it begins, where names and shapes agree
    radius: int = 2  # frames of a window on each side of the key frame; heads that see fewer are shown the middle ones
    seed: int = 0
    validate_every: int = 500
    save_every: int = 200


VIDEO = Recipe(
    "video", steps=400, batch=16, rate=1e-3, decay=0.02, warmup=40, average=0.99, validate_every=25, save_every=25
)
ALONE = 1 / 3  # of the steps are over when students begin to learn from their teacher
TUNED = Recipe("", steps=700, rate=8e-4, warmup=50, small=0, start="spatial-frame", validate_every=100, save_every=50)
RECIPES = {
    "spatial-frame": Recipe("spatial-frame", steps=7500, restart=3900),
    "dct-input": replace(TUNED, network="dct-input", steps=900),
    "dct-input-x2": replace(TUNED, network="dct-input", steps=500, variant="x2"),
    "global-filter": replace(TUNED, network="global-filter", steps=400),
    "video-pair": VIDEO,
    "video-pair-more": VIDEO,
    "spatial-video": VIDEO,
    "freq-video": VIDEO,
    "video-pair-15px": replace(VIDEO, longest=15.0, variant="15px"),
    "freq-deblur": Recipe(
        "freq-deblur",
        steps=1100,
        batch=8,
        rate=1.5e-3,
        decay=0.02,
        warmup=60,
        average=0.995,
        validate_every=100,
        save_every=50,
    ),
    "motion": replace(VIDEO, steps=700, start="spatial-video", teacher="freq-motion"),
    "spectral-heads": replace(VIDEO, steps=350, start="spatial-video"),
    "long-windows": replace(VIDEO, steps=200, batch=8, start="spatial-video", radius=7),
    "freq-restored": replace(VIDEO, steps=200, rate=5e-4),
}
HEADS = {
    "spatial-video": [("spatial-video", seed) for seed in range(3)],
    "freq-video": [("freq-video", seed) for seed in range(3)],
    "video-pair-15px": [("spatial-video", 0), ("freq-video", 0)],
    "video-pair": [(name, seed) for seed in range(3) for name in ("spatial-video", "freq-video")],
    "video-pair-more": [(name, seed) for seed in (3, 4) for name in ("spatial-video", "freq-video")],
    "motion": [
        (name, 0)
        for name in (
            "freq-motion",
            "freq-motion pixels",
            "freq-motion flow",
            "freq-motion-distilled",
            "freq-motion-distilled alone",
            "freq-4d",
            "freq-4d fourier",
        )
    ],
    "spectral-heads": [("multi-frequency", 0), ("freq-full", 0), ("freq-full conv3d", 0), ("spatial-video longer", 0)],
    "freq-restored": [("freq-restored", 0), ("freq-restored spatial", 0)],
    "long-windows": [(f"freq-full {form}", 0) for form in FreqFull.variants if form.startswith("T")],
}  # (network, seed), or ("network variant", seed)
