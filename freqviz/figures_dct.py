"""Which coefficients of the block DCT a network looks at, and what it can do with fewer.

Convention: v counts cosines down, u across an 8 x 8 block, 0 is the mean; Y is luma, Cb and Cr are colour differences.
"""

from typing import TYPE_CHECKING

import numpy as np

from freqviz.panel import Axis, Heatmap, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from freqviz.trace import Trace  # which would load torch

GAP = 2  # cells between the three planes
SOURCE = "Xu et al., Learning in the Frequency Domain, CVPR 2020"


def gate(trace: "Trace") -> Panel:
    """How often the gate let each coefficient through in training, and which it lets through in this frame.

    Args:
        trace: a deep trace of a network whose input are coefficients.
    Raises:
        LookupError: the network has no gate.
    """
    if not trace.stages("gate_rate"):
        raise LookupError(f"{trace.network} has no channel gate: its input are pixels, not coefficients of a block DCT")
    rates = trace.get("gate_rate").values.astype(float)  # (3, 8, 8)
    bits = trace.get("channel_gate").values.reshape(rates.shape) > 0.5
    colours, size, _ = rates.shape
    sheet = np.full((size, colours * (size + GAP) - GAP), np.nan)
    middles, on = [], []
    for number in range(colours):
        left = number * (size + GAP)
        sheet[:, left : left + size] = rates[number]
        middles.append(left + (size - 1) / 2)
        on += [(left + u, v) for v, u in np.argwhere(bits[number])]
    across = [(float(middle), name) for middle, name in zip(middles, ("Y", "Cb", "Cr"), strict=True)]
    marks: tuple[Mark, ...] = (Heatmap(sheet, np.arange(sheet.shape[1]), np.arange(size), Axis("On-rate", "", (0, 1))),)
    if on:
        x, y = np.array(on, float).T
        marks += (Points(x, y, name="passes in this frame", role="reference", size=0.6),)
    means = ", ".join(f"{name} {rate:.2f}" for name, rate in zip(("Y", "Cb", "Cr"), rates.mean((1, 2)), strict=True))
    return Panel(
        "Channel gate",
        Axis("u of Y, of Cb, of Cr", "", (-0.5, sheet.shape[1] - 0.5), ticks=tuple(across)),
        Axis("v", "cosines per block", (size - 0.5, -0.5)),
        marks,
        note=f"{trace.network}: {int(bits.sum())} of {bits.size} coefficients pass in this frame; mean on-rate in "
        f"training: {means}.",
        guide="Top left of each plane are coarse structures, to the right and down finer ones. A point marks what the "
        "gate lets through in the frame under the cursor.",
        formula="bit(c) = [g_c(mean |coefficient|) > 0]; on-rate = moving average of sigmoid(g_c) over the training",
        source=SOURCE,
        equal=True,
    )


def fewer(network: str, regime: str = "R0") -> Panel:
    """Accuracy of `dct-input` when only its most used channels are let through.

    Args:
        network: whose card has the scores.
        regime: of the comparison: "R0" sharp, "R2" blurred.
    Raises:
        LookupError: the card has no such scores.
    """
    import models

    scores = models.card(network).get("channels", {})
    if not any(regime in of for of in scores.values()):
        raise LookupError(f"the card of {network} has no scores with fewer channels in {regime}")
    counts = sorted(map(int, scores))
    if len(counts) < 2:
        raise LookupError(f"{network} lets so few channels through by itself that there is no curve of fewer ones")
    values = 100 * np.array([scores[str(count)][regime] for count in counts])  # (counts, 3)
    marks = []
    for column, (alpha, role) in enumerate(((".05", "frequency"), (".1", "spatial"), (".2", "frame"))):
        marks += [
            Line(counts, values[:, column], name=f"PCK@{alpha}", role=role),
            Points(counts, values[:, column], role=role),
        ]
    return Panel(
        "Fewer channels",
        Axis("Channels let through", "", (20, 230), "log", ticks=tuple((count, str(count)) for count in counts)),
        Axis("Right joints", "%", (0, 100)),
        tuple(marks),
        note=f"{network}, one network: the channels that were used most in training are kept, {regime}.",
        guide="A line that stays level to the left tells that the fine coefficients and the colours are not needed.",
        formula="PCK@α: distance to the truth ≤ α × the larger side of the joints' box",
        source=SOURCE,
    )
