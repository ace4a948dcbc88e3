"""Whether screen, paper and LaTeX say the same of a panel: what every figure is asked."""

import base64
import json

import numpy as np
import pytest
from matplotlib.colors import to_hex

from freqviz import look, panel, to_matplotlib, to_pgfplots
from freqviz.panel import Panel
from freqviz.to_plotly import described, sent, to_plotly


def plain(value):
    """JSON of Plotly with its packed arrays as lists of text, and without what is not set."""
    if isinstance(value, dict):
        if "bdata" in value:
            array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
            return plain(
                array.reshape([int(n) for n in value["shape"].split(",")] if "shape" in value else -1).tolist()
            )
        return {name: plain(one) for name, one in value.items() if one is not None and one != []}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return f"{value:.6g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def travels_as_checked(figure) -> None:
    """A page sends dictionaries that nothing has checked: they are those that Plotly accepts and would send."""
    assert plain(json.loads(sent(described(figure)))) == plain(json.loads(to_plotly(figure).to_json()))


def agree(one: Panel) -> None:
    """Number of marks, labels, limits, legend, colours of lines and of maps."""
    travels_as_checked(one)
    screen, axes = to_plotly(one), to_matplotlib.to_matplotlib(one).axes[0]
    layout, shapes = screen.layout, screen.layout.shapes
    artists = {}
    for artist in axes.get_children():
        if artist.get_gid():
            artists.setdefault(int(artist.get_gid().removeprefix("mark-")), artist)
    filled = {
        number for number, mark in enumerate(one.marks)
        if not isinstance(mark, panel.Bars) or len(mark.x)
    }  # fmt: skip
    assert len(artists) == len(filled)
    assert len({trace.meta["mark"] for trace in screen.data}) + len(shapes) == len(one.marks)
    for name, limits in (("x", axes.get_xlim()), ("y", axes.get_ylim())):
        axis, shown = getattr(one, name), layout[f"{name}axis"]
        assert getattr(axes, f"get_{name}label")() == shown.title.text == axis.title
        assert limits == pytest.approx([10**value if axis.scale == "log" else value for value in shown.range])
    listed = [part.name for part in (*screen.data, *shapes) if getattr(part, "showlegend", False)]
    legend = axes.get_legend()
    assert sorted(listed) == sorted(text.get_text() for text in legend.get_texts() if legend) if listed else not legend
    for trace in screen.data:
        mark, artist = one.marks[trace.meta["mark"]], artists.get(trace.meta["mark"])
        if type(mark) is panel.Line:
            assert to_hex(artist.get_color()) == trace.line.color == look.role(mark.role).colour
        elif isinstance(mark, panel.Bars) and artist is not None:
            assert to_hex(artist.get_facecolor()) == trace.marker.color == look.role(mark.role).colour
    if one.colour:
        assert (layout.coloraxis.cmin, layout.coloraxis.cmax) == one.colour.limits
        assert axes.child_axes[0].get_ylim() == pytest.approx(one.colour.limits)
        assert axes.child_axes[0].get_ylabel() == layout.coloraxis.colorbar.title.text == one.colour.title
    source = to_pgfplots.to_pgfplots(one)["figure.tex"].decode()
    assert to_pgfplots.tex(one.x.title) in source
    assert source.count(r"\addlegendentry") == len(listed)
