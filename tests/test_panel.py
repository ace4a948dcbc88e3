"""Is a figure checked when it is described, and do both renderers draw what it says?"""

import base64
import itertools
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from both_renderers import travels_as_checked

from freqviz import look, to_matplotlib
from freqviz.panel import (
    Arrows,
    Axis,
    Band,
    Bars,
    Heatmap,
    Image,
    Line,
    Panel,
    Points,
    Rule,
    Sheet,
    Skeleton,
    Span,
)  # fmt: skip
from freqviz.paper import Paper
from freqviz.to_plotly import to_plotly

PX = (Axis("x", "px", (-0.5, 5.5)), Axis("y", "px", (3.5, -0.5)))
VALUES = np.arange(24.0).reshape(4, 6)  # neither symmetric nor square
COLOUR = Axis("Power", "dB", (-3, 30))


def field(values: np.ndarray = VALUES, **changes) -> Heatmap:
    return Heatmap(values, np.arange(values.shape[1]), np.arange(values.shape[0]), COLOUR, **changes)


def everything() -> Panel:
    """A panel with a mark of each kind."""
    picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    person = Skeleton(
        [[1, 0], [4, 2], [2, 3], [5, 1]], [1, 0.5, 0.1, np.nan],
        ("head", "left hand", "right hand", "left foot"), ((0, 1), (0, 2), (1, 3)),
        name="freq-video", role="frequency",
    )  # fmt: skip
    marks = (
        Image(picture), field(), Span(0.5, 1.5, name="key frame", role="key"),
        Band([0, 3], [0, 1], [1, 3]),
        Bars([1, 2], [3, 1], 0.5, name="bars", role="spatial"), Line([0, 5], [3, 0], name="line"),
        Points([1, 2, 3], [0, 2, 1], [-3, 0, 9], COLOUR, name="points"),
        Arrows([1, 2], [1, 2], [2, 0], [0, 1], name="arrows", role="truth"), person,
        Rule(2.5, name="cursor", role="cursor"), Rule(1.0, "y", role="reference"),
    )  # fmt: skip
    return Panel("All marks", *PX, marks, note="n = 4", guide="Look.", equal=True)


# ---- the description


def test_arrays_are_copied_and_frozen():
    y = np.array([1.0, 2.0])
    line = Line([0, 1], y)
    y[0] = 9
    assert line.y.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        line.y[0] = 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axis(""), "needs a label"),
        (lambda: Axis("x", limits=(1, 1)), r"two different finite numbers, got \(1, 1\)"),
        (lambda: Axis("x", limits=(0, 1), scale="log"), r"must be positive, got \(0, 1\)"),
        (lambda: Axis("x", scale="cubic"), "'linear' or 'log', got 'cubic'"),
        (lambda: Line([1, 2], [1]), "one length, got {'x': 2, 'y': 1}"),
        (lambda: Line([[1]], [1]), r"Line.x must have 1 axes, got shape \(1, 1\)"),
        (lambda: Points([1], [1], [1]), "come together"),
        (lambda: Points([1], [1], [1], Axis("f")), "colour axis 'f' needs limits"),
        (lambda: Points([1], [1], texts=["a", "b"]), "one length"),
        (lambda: Bars([1], [1], 0), "width must be positive, got 0"),
        (lambda: field(VALUES[:, :0]), r"got \(4, 0\)"),
        (
            lambda: Heatmap(VALUES, range(4), range(6), COLOUR),
            r"\(len\(y\), len\(x\)\) = \(6, 4\), got \(4, 6\)",
        ),
        (
            lambda: Heatmap(VALUES, [0, 1, 2, 3, 4, 9], range(4), COLOUR),
            "evenly spaced, got steps from 1.0 to 5.0",
        ),
        (lambda: field(palette="jet"), "no colour map named 'jet'; known maps: magnitude, signed, phase"),
        (lambda: Image(np.zeros((2, 2, 3))), r"uint8 \(H, W, 3\) or \(H, W\), got float64 \(2, 2, 3\)"),
        (lambda: Image(np.zeros((0, 2), np.uint8)), "must not be empty"),
        (lambda: Band([0, 1], [0, 2], [1, 1]), "lower must not exceed"),
        (
            lambda: Skeleton([[0, 0]], [1, 1], ("head",), ()),
            r"\(1, 2\) and \(1,\) for 1 joints, got \(1, 2\) and",
        ),
        (lambda: Skeleton([[0, 0]], [1], ("head",), ((0, 1),)), r"joints 0 to 0, got \[\(0, 1\)\]"),
        (lambda: Rule(np.nan), "must be finite, got nan"),
        (lambda: Rule(1, "z"), "'x' or 'y', got 'z'"),
        (lambda: Span(2, 1), "start < end, both finite, got 2 and 1"),
        (lambda: Line([0], [0], role="pink"), "no role named 'pink'; known roles: frequency, spatial"),
        (lambda: Panel("t", Axis("x", scale="log"), Axis("y"), (field(),)), "need linear axes"),
        (
            lambda: Panel("t", *PX, (field(), Points([1], [1], [1], Axis("f", limits=(0, 1))))),
            "one colour axis",
        ),
        (lambda: Sheet(()), "at least one panel"),
        (lambda: Sheet((everything(),), 2), "columns must be 1 to 1 for 1 panels, got 2"),
    ],
)
def test_nonsense_is_refused_with_what_was_expected_and_what_came(make, message):
    with pytest.raises((ValueError, LookupError), match=message):
        make()


def test_only_marks_make_a_panel():
    with pytest.raises(TypeError, match="got list"):
        Panel("t", *PX, ([1, 2],))


def test_limits_are_the_stated_ones_or_the_datas_with_a_margin():
    line = Line([0, 50, np.nan], [10, 1000, np.nan])
    panel = Panel("t", Axis("x"), Axis("y", scale="log"), (line, Rule(100)))
    assert panel.limits("x") == pytest.approx((-4, 104))
    assert panel.limits("y") == pytest.approx((10**0.92, 10**3.08))
    assert Panel("t", *PX, (line,)).limits("y") == (3.5, -0.5)
    assert Panel("t", Axis("x"), Axis("y"), ()).limits("x") == (0, 1)
    assert Panel("t", Axis("x"), Axis("y"), (Line([3, 3], [0, 0]),)).limits("x") == (1.5, 4.5)
    low, high = Panel("t", Axis("x"), Axis("y"), (Bars([1], [5]),)).limits("y")
    assert low < 0 < 5 < high


def test_a_sheet_shares_limits_among_axes_of_one_title():
    a = Panel("a", Axis("x", "px", (0, 2)), Axis("y", "dB", (5, 1)), (field(),))
    b = Panel("b", Axis("x", "px", (1, 7)), Axis("y", "dB", (9, 3)), (field(),))
    other = Panel("c", Axis("x", "frames", (0, 50)), Axis("z"), ())
    wide = Panel("d", Axis("u"), Axis("w"), (Heatmap([[1]], [0], [0], Axis("Power", "dB", (-80, 0))),))
    sheet = Sheet((a, b, other, wide), 2)
    assert [panel.limits("x") for panel in sheet.panels[:3]] == [(0, 7), (0, 7), (0, 50)]
    assert [panel.limits("y") for panel in sheet.panels[:2]] == [(9, 1), (9, 1)]
    assert [panel.colour.limits for panel in sheet.panels if panel.colour] == [(-80, 30)] * 3
    assert sheet.rows == 2


def test_a_reduced_heatmap_holds_block_means_at_block_centres():
    values = VALUES.copy()
    values[0, 1] = np.nan
    small = field(values).reduced(3)  # blocks of 2 x 2
    assert small.values.tolist() == [[(0 + 6 + 7) / 3, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert small.x.tolist() == [0.5, 2.5, 4.5]
    assert small.y.tolist() == [0.5, 2.5]
    assert field().reduced(6).values.tolist() == VALUES.tolist()


def test_a_persons_sides_are_told_apart_and_doubtful_joints_left_out():
    person = everything().marks[8]
    assert [person.side(*edge) for edge in person.edges] == ["left", "right", "left"]
    assert person.segments("left").tolist() == [[[1, 0], [4, 2]], [[4, 2], [5, 1]]]
    sure = Skeleton(person.keypoints, person.scores, person.joints, person.edges, threshold=0.3)
    assert sure.shown.tolist() == [True, True, False, True]
    assert len(sure.segments("right")) == 0


def test_the_table_holds_every_point_of_every_mark():
    table = everything().table()
    assert len(table) == 24 + 2 + 2 + 2 + 2 + 3 + 2 + 4 + 1 + 1
    hand = table[table["text"] == "left hand"].iloc[0]
    assert (hand["mark"], hand["name"], hand["x"], hand["y"], hand["value"]) == (
        "skeleton",
        "freq-video",
        4,
        2,
        0.5,
    )
    assert Panel("t", *PX, ()).table().empty


# ---- the look


def luminance(colour: str) -> float:
    """CIE lightness L* in [0, 100] of "#rrggbb": what remains in a grey print."""
    linear = [((int(colour[i : i + 2], 16) / 255 + 0.055) / 1.055) ** 2.4 for i in (1, 3, 5)]
    return 116 * np.dot([0.2126, 0.7152, 0.0722], linear) ** (1 / 3) - 16


def seen_without_red_or_green(colour: str, matrix: np.ndarray) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.clip(matrix @ rgb**2.2, 0, 1)
    return cv2.cvtColor((linear ** (1 / 2.2)).astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB).ravel()


BLIND = {  # Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TOGETHER = ("frequency", "spatial", "frame", "truth")


@pytest.mark.parametrize("kind", BLIND)
def test_colour_blind_readers_tell_the_networks_and_the_truth_apart(kind):
    seen = [seen_without_red_or_green(look.role(name).colour, np.array(BLIND[kind])) for name in TOGETHER]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 15  # CIE76; 2.3 is just noticeable


def test_in_grey_two_roles_differ_by_lightness_or_by_dash_and_marker():
    for a, b in itertools.combinations([*TOGETHER, *look.EXTRAS], 2):
        first, second = look.role(a), look.role(b)
        apart = abs(luminance(first.colour) - luminance(second.colour)) > 15
        assert apart or (first.dash != second.dash and first.marker != second.marker), (a, b)


def test_left_is_lighter_than_right_for_every_role():
    for name in look.ROLES:
        assert luminance(look.shade(name, "left")) > luminance(look.shade(name, "right"))
    assert look.shade("data", "left") == "#999999"
    assert look.palette()["spatial"] == {
        "colour": "#e69f00", "dash": "dash", "marker": "square", "left": "#f2cf7f",
    }  # fmt: skip


def contrast(colour: str, ground: str) -> float:
    """Ratio of WCAG 2 between two colours, 1 ... 21."""
    y = [((luminance(one) + 16) / 116) ** 3 + 0.05 for one in (colour, ground)]
    return max(y) / min(y)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_marks_stand_out_from_their_ground(dark):
    ground = look.DARK if dark else look.LIGHT
    assert contrast(ground.text, ground.paper) > 7
    fields = {"key", "box"}  # large, or drawn on pictures
    pale = {name for name in look.ROLES if contrast(look.role(name, dark).colour, ground.paper) < 3}
    assert pale - fields <= ({"spatial", "frame", "extra-1"} if not dark else set())  # Okabe and Ito's, thick lines


def test_a_dark_screen_changes_colours_and_nothing_else():
    light, dark = to_plotly(everything()), to_plotly(everything(), dark=True)
    assert dark.layout.template.layout.paper_bgcolor == look.DARK.paper != light.layout.template.layout.paper_bgcolor
    assert dark.data[4].line.color == look.role("data", dark=True).colour != light.data[4].line.color
    assert [trace.type for trace in dark.data] == [trace.type for trace in light.data]
    assert [axis.range for axis in (dark.layout.xaxis, dark.layout.yaxis)] == [(-0.5, 5.5), (3.5, -0.5)]
    cursors = [shape.line.color for figure in (light, dark) for shape in figure.layout.shapes if shape.x0 == 2.5]
    assert cursors == ["#000000"] * 2  # a heatmap lies below it


def test_networks_keep_their_roles_and_strangers_get_different_ones():
    roles = look.network_roles(["mine", "spatial-video", "freq-video", "yours"])
    assert (roles["spatial-video"], roles["freq-video"]) == ("spatial", "frequency")
    assert len(set(roles.values())) == 4


def test_magnitudes_grow_lighter_and_the_cyclic_map_closes():
    lightness = [luminance(colour) for colour in look.colours("magnitude")]
    assert lightness == sorted(lightness)
    assert look.colours("phase")[0] == look.colours("phase")[-1]


# ---- both renderers


def drawn_on_paper(figure, index: int = 0):
    return to_matplotlib.to_matplotlib(figure).axes[index]


def marks_of(axes) -> set[int]:
    gids = {artist.get_gid() for artist in axes.get_children()} - {None}
    return {int(gid.removeprefix("mark-")) for gid in gids}


def listed(figure) -> list[str]:
    """Names in the legend on the screen; a picture cannot stand there."""
    parts = (*figure.data, *figure.layout.shapes)
    return [part.name for part in parts if getattr(part, "showlegend", False)]


def test_every_mark_is_drawn_by_both():
    panel = everything()
    assert marks_of(drawn_on_paper(panel)) == set(range(len(panel.marks)))
    figure = to_plotly(panel)
    rules = {2, 9, 10}  # span and rules are shapes
    assert {trace.meta["mark"] for trace in figure.data} == set(range(len(panel.marks))) - rules
    assert len(figure.layout.shapes) == len(rules)


def test_what_a_page_sends_unchecked_is_what_plotly_would_send():
    travels_as_checked(everything())
    travels_as_checked(Sheet((everything(), everything(), everything()), 2))


def test_both_name_the_same_things_in_the_legend():
    panel = everything()
    expected = {mark.name for mark in panel.marks if mark.name}
    texts = [text.get_text() for text in drawn_on_paper(panel).get_legend().get_texts()]
    assert sorted(texts) == sorted(listed(to_plotly(panel))) == sorted(expected)


def test_both_keep_labels_limits_and_the_direction_of_y():
    axes, layout = drawn_on_paper(everything()), to_plotly(everything()).layout
    assert axes.get_xlabel() == layout.xaxis.title.text == "x (px)"
    assert axes.get_ylabel() == layout.yaxis.title.text == "y (px)"
    assert axes.get_xlim() == layout.xaxis.range == (-0.5, 5.5)
    assert axes.get_ylim() == layout.yaxis.range == (3.5, -0.5)
    assert layout.yaxis.scaleanchor == "x"
    assert axes.get_aspect() == 1


def test_both_colour_by_the_same_limits_and_stops():
    axes, layout = drawn_on_paper(everything()), to_plotly(everything()).layout
    picture = next(image for image in axes.get_images() if image.get_gid() == "mark-1")
    assert picture.get_clim() == (layout.coloraxis.cmin, layout.coloraxis.cmax) == (-3, 30)
    assert [stop for _, stop in layout.coloraxis.colorscale] == list(look.colours("magnitude"))
    ends = [np.round(255 * np.array(picture.cmap(end)[:3])).astype(int) for end in (0.0, 1.0)]
    assert ["#" + "".join(f"{v:02x}" for v in end) for end in ends] == [
        look.colours("magnitude")[0], look.colours("magnitude")[-1],
    ]  # fmt: skip
    assert axes.child_axes[0].get_ylabel() == layout.coloraxis.colorbar.title.text == "Power (dB)"


def decoded(array) -> np.ndarray:
    if isinstance(array, dict):
        values = np.frombuffer(base64.b64decode(array["bdata"]), np.dtype(array["dtype"]))
        return values.reshape([int(n) for n in array["shape"].split(",")]) if "shape" in array else values
    return np.asarray(array)


def test_a_heatmap_lets_the_picture_below_show_through_in_both():
    panel = Panel("t", *PX, (field(opacity=0.25),))
    assert to_plotly(panel).data[0].opacity == 0.25
    assert drawn_on_paper(panel).get_images()[0].get_alpha() == 0.25
    for opacity in (0, 1.5, np.nan):
        with pytest.raises(ValueError, match="must lie above 0 and be at most 1, got"):
            field(opacity=opacity)


def test_row_zero_of_a_heatmap_stands_at_its_own_y_in_both():
    panel = Panel("t", Axis("x"), Axis("y", limits=(-0.5, 3.5)), (field(),))  # y up
    trace = to_plotly(panel).data[0]
    assert decoded(trace.z).tolist() == VALUES.tolist()
    assert decoded(trace.y).tolist() == [0, 1, 2, 3]
    image = drawn_on_paper(panel).get_images()[0]
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-0.5, 5.5, 3.5, -0.5)
    assert image.origin == "upper"  # the first row at `top`, that is y = -0.5 ... 0.5
    assert image.get_array()[0, 5] == VALUES[0, 5]


def test_a_picture_keeps_its_pixels_and_their_places_on_the_screen():
    pixels = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    trace = to_plotly(Panel("t", *PX, (Image(pixels),))).data[0]
    data = np.frombuffer(base64.b64decode(trace.source.split(",")[1]), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].tolist() == pixels.tolist()
    assert (trace.x0, trace.y0, trace.dx, trace.dy) == (0, 0, 1, 1)


def test_large_pictures_and_heatmaps_travel_small_over_the_same_ground():
    large = np.zeros((1000, 2000, 3), np.uint8)
    image = to_plotly(Panel("t", *PX, (Image(large),))).data[0]
    assert image.source.startswith("data:image/jpeg")
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(image.source.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (480, 960, 3)
    assert image.x0 - image.dx / 2 == pytest.approx(-0.5)
    assert image.x0 + image.dx * 959.5 == pytest.approx(1999.5)
    field_of_600 = to_plotly(Panel("t", Axis("x"), Axis("y"), (field(np.zeros((300, 600))),))).data[0]
    assert decoded(field_of_600.z).shape == (150, 200)
    assert decoded(field_of_600.z).dtype == np.float32


def test_arrows_point_down_where_v_is_positive_at_true_length():
    panel = Panel("t", *PX, (Image(np.zeros((4, 6), np.uint8)), Arrows([1], [0], [2], [3], role="truth")))
    picture, quiver = to_plotly(panel).data
    assert (quiver.anchor, quiver.arrowref, quiver.lengthmode, quiver.lengthfactor) == (
        "tail",
        "data",
        "raw",
        1,
    )
    assert decoded(quiver.v).tolist() == [3]
    assert picture.zorder < 0  # else Plotly draws the picture over the arrows
    paper = next(artist for artist in drawn_on_paper(panel).collections)
    assert (paper.angles, paper.scale, paper.scale_units, paper.V.tolist()) == ("xy", 1, "xy", [3])


def test_hover_texts_carry_units():
    points = to_plotly(everything()).data[5].hovertemplate
    assert "Power: %{marker.color:.4~g} dB" in points
    assert "x: %{x:.4~g} px" in points


def test_more_than_a_thousand_points_use_webgl():
    kinds = [
        to_plotly(Panel("t", Axis("x"), Axis("y"), (Points(np.arange(n), np.arange(n)),))).data[0].type
        for n in (1000, 1001)
    ]
    assert kinds == ["scatter", "scattergl"]


def test_log_axes_have_the_same_limits_in_both():
    panel = Panel("t", Axis("x"), Axis("Loss", limits=(0.1, 100), scale="log"), (Line([0, 1], [1, 10]),))
    layout, axes = to_plotly(panel).layout, drawn_on_paper(panel)
    assert layout.yaxis.type == axes.get_yscale() == "log"
    assert layout.yaxis.range == pytest.approx((-1, 2))
    assert axes.get_ylim() == pytest.approx((0.1, 100))


def test_panels_of_a_sheet_do_not_overlap_on_the_screen():
    layout = to_plotly(Sheet((everything(),) * 3, 2)).layout
    areas = [(layout[f"xaxis{i}"].domain, layout[f"yaxis{i}"].domain) for i in ("", "2", "3")]
    for (xa, ya), (xb, yb) in itertools.combinations(areas, 2):
        assert min(xa[1], xb[1]) <= max(xa[0], xb[0]) or min(ya[1], yb[1]) <= max(ya[0], yb[0])
    assert len(to_matplotlib.to_matplotlib(Sheet((everything(),) * 3, 2)).axes) == 3


def test_names_that_come_twice_stand_once_in_the_legend_of_a_sheet():
    named = listed(to_plotly([everything(), everything()]))
    assert len(named) == len(set(named)) == 7


def test_what_is_no_panel_is_refused():
    with pytest.raises(TypeError, match="expected panels, got str"):
        to_plotly(["a"])
    with pytest.raises(ValueError, match="positive inches, got 0"):
        Paper(0)
    with pytest.raises(ValueError, match="one of pdf, svg, png, got 'gif'"):
        to_matplotlib.render(everything(), "gif")


# ---- files


def pdf_streams(data: bytes) -> bytes:
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    return b"".join(_inflated(part) for part in parts)


def _inflated(part: bytes) -> bytes:
    try:
        return zlib.decompress(part)
    except zlib.error:
        return b""


def test_pdf_text_is_text_in_type_42_fonts_at_the_asked_width():
    data = to_matplotlib.render(everything(), "pdf", Paper(3.25), provenance={"clip": "abc"})
    assert b"/Type3" not in data
    assert b"/FontFile2" in data  # TrueType, that is Type 42
    assert b"/ToUnicode" in data  # so that it can be searched and copied
    shown = b"".join(re.findall(rb"\((.*?)(?<!\\)\)", pdf_streams(data))).replace(b"\0", b"")
    assert b"All marks" in shown
    assert re.search(rb"/MediaBox \[ ?0 0 234 ", data)
    assert b"CreationDate" not in data
    assert b'"clip": "abc"' in data


def test_svg_text_is_text(tmp_path: Path):
    path = to_matplotlib.save_svg(everything(), tmp_path / "a.svg", paper=Paper(4.8))
    written = path.read_text()
    assert re.search(r"<text[^>]*>All marks</text>", written)
    assert 'id="mark-5"' in written
    assert "<dc:date>" not in written


def test_png_has_the_asked_size(tmp_path: Path):
    path = to_matplotlib.save_png(everything(), tmp_path / "a.png", paper=Paper(2))
    assert cv2.imread(str(path)).shape[1] == 2 * to_matplotlib.PNG_DPI
    pdf = to_matplotlib.save_pdf([everything(), everything()], tmp_path / "a.pdf", paper=Paper(6.875))
    assert pdf.read_bytes().startswith(b"%PDF")


def test_a_users_settings_neither_change_the_file_nor_are_changed():
    import matplotlib

    expected = to_matplotlib.render(everything(), "svg")
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        assert to_matplotlib.render(everything(), "svg") == expected
        assert matplotlib.rcParams["font.size"] == 30


def test_fresh_processes_write_the_same_bytes():
    program = (
        "import hashlib, test_panel, freqviz.to_matplotlib as m\n"
        "for form in ('pdf', 'svg', 'png'):\n"
        "    print(form, hashlib.sha256(m.render(test_panel.everything(), form)).hexdigest())\n"
    )
    here = Path(__file__).resolve().parent
    paths = f"{here.parent}:{here}"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 3
