"""Seconds of the video networks side by side: interleaved, minima, ratios. `python -m benchmarks.twins [rounds]`."""

import sys
import time

import torch

import models
from models.cost import multiply_adds, parameters


def main(rounds: int = 15) -> None:
    networks = {name: models.load(name) for name in ("spatial-video", "freq-video")}
    frames = torch.rand(8, 3, 192, 144)
    best: dict[tuple[str, str], float] = {}
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first round warms up
            for name, network in networks.items():
                start = time.perf_counter()
                encoded = network.encode(frames)
                middle = time.perf_counter()
                window = {k: torch.stack([v[i : i + 5] for i in range(4)]) for k, v in encoded.items()}
                network.estimate(window)
                end = time.perf_counter()
                for part, seconds in (("encode", (middle - start) / 8), ("estimate", (end - middle) / 4)):
                    best[name, part] = min(best.get((name, part), 9e9), seconds)
    print("| network | parameters | multiply-adds a window | encode a frame | estimate a window | frames/s |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, network in networks.items():
        encode, estimate = best[name, "encode"], best[name, "estimate"]
        print(
            f"| `{name}` | {parameters(network) / 1e6:.2f} M | {multiply_adds(network) / 1e9:.2f} G "
            f"| {1e3 * encode:.1f} ms | {1e3 * estimate:.1f} ms | {1 / (encode + estimate):.1f} |"
        )
    a, b = (sum(best[name, part] for part in ("encode", "estimate")) for name in networks)
    print(f"\nfreq-video / spatial-video, encode and estimate: {b / a:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
