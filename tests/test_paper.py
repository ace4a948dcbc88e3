"""Do figures keep the measures of a venue, and does what is written read back as it was meant?"""

import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from pypdf import PdfReader
from test_panel import everything

from freqviz import look, to_matplotlib
from freqviz.panel import Axis, Bars, Heatmap, Image, Line, Panel, Points, Rule, Sheet
from freqviz.paper import FONTS, PALETTES, VENUES, Paper, objections, paper

CURVE = Panel(
    "A curve of some length",
    Axis("Frame"),
    Axis("Blur", "px"),
    (Line([0, 1, 2], [3, 1, 2], name="freq-video", role="frequency"),),
)
BARS = Panel(
    "Bars",
    Axis("Slot"),
    Axis("Weight"),
    (Bars([0, 1], [1, 2], name="freq-video", role="frequency"), Rule(1, "y", name="level")),
)


def read(figure, settings: Paper):
    """The only page of a PDF, and the file."""
    data = to_matplotlib.render(figure, "pdf", settings)
    (page,) = PdfReader(io.BytesIO(data)).pages
    return page, data


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("width", ["column", "text"])
def test_a_page_is_as_wide_as_the_venue_asks(venue, width):
    settings = paper(venue, width)
    page, _ = read(CURVE, settings)
    assert float(page.mediabox.width) / 72 == pytest.approx(settings.width, abs=0.01)


@pytest.mark.parametrize(
    ("venue", "width", "inches"),
    [
        ("CVPR, ICCV", "column", 3.25), ("CVPR, ICCV", "text", 6.875), ("ECCV, LNCS", "text", 4.803),
        ("NeurIPS", "text", 5.5), ("ICLR", "column", 5.5), ("IEEE", "column", 3.5), ("IEEE", "text", 7.16),
        ("Nature", "column", 3.504), ("Nature", "text", 7.205),
    ],
)  # fmt: skip
def test_widths_are_those_of_the_templates(venue, width, inches):
    assert paper(venue, width).width == pytest.approx(inches, abs=0.001)


def test_type_for_nature_has_no_serifs_and_five_to_seven_points():
    settings = paper("Nature")
    assert (settings.font, settings.size, settings.small) == ("Sans", 7, 6)


@pytest.mark.parametrize("font", FONTS)
def test_fonts_are_embedded_as_type_42_and_text_is_text(font):
    page, data = read(CURVE, Paper(font=font))
    assert b"/Type3" not in data
    found = {}
    for one in page["/Resources"]["/Font"].values():
        inner = one["/DescendantFonts"][0] if "/DescendantFonts" in one else one
        found[str(one["/BaseFont"])] = "/FontFile2" in inner["/FontDescriptor"]
    assert all(found.values())
    assert any(FONTS[font][0].replace(" ", "").lower() in name.lower() for name in found)
    text = page.extract_text().replace("\n", " ")
    assert {"A curve of some length", "Blur (px)", "Frame", "freq-video"} <= set(re.findall("|".join(
        map(re.escape, ("A curve of some length", "Blur (px)", "Frame", "freq-video"))), text))  # fmt: skip


def test_curves_are_vectors_and_pictures_and_maps_are_pixels():
    page, _ = read(CURVE, Paper())
    drawing = page.get_contents().get_data()
    assert "/XObject" not in page["/Resources"] or not list(page.images)
    assert len(re.findall(rb" l\b", drawing)) > 10  # straight pieces of lines
    page, _ = read(everything(), Paper())
    assert len(list(page.images)) == 3  # the picture, the map, and the colours of its bar


def test_a_photo_has_no_more_pixels_than_paper_takes_and_only_the_part_shown():
    rng = np.random.default_rng(3)
    photo = rng.integers(0, 255, (1200, 2000, 3), dtype=np.uint8)
    shown = Panel("t", Axis("x", "px", (499.5, 1499.5)), Axis("y", "px", (899.5, 299.5)), (Image(photo),), equal=True)
    page, data = read(shown, paper("CVPR, ICCV"))
    (picture,) = page.images
    assert picture.image.size == (975, 585)  # 3.25 in of 300 dots
    assert len(data) < 2_000_000
    small = Panel("t", Axis("x", "px", (-0.5, 39.5)), Axis("y", "px", (29.5, -0.5)), (Image(photo[:30, :40]),))
    page, _ = read(small, Paper())
    (picture,) = page.images
    assert np.array_equal(np.flipud(np.asarray(picture.image.convert("RGB"))), photo[:30, :40])  # PDF counts upwards


def test_many_points_are_pixels():
    def panel(count):
        return Panel("t", Axis("x"), Axis("y"), (Points(np.arange(count), np.arange(count)),))

    few, many = (read(panel(count), Paper())[0] for count in (to_matplotlib.DENSE, to_matplotlib.DENSE + 1))
    assert (len(list(few.images)), len(list(many.images))) == (0, 1)


def test_a_png_has_600_dots_an_inch():
    data = np.frombuffer(to_matplotlib.render(CURVE, "png", Paper(2)), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape[1] == 1200


def test_panels_of_a_sheet_are_lettered_and_share_their_legend():
    drawn = to_matplotlib.to_matplotlib(Sheet((CURVE, BARS, CURVE), 2), paper("CVPR, ICCV", "text"))
    assert [axes.texts[-1].get_text() for axes in drawn.axes] == [
        "(a) A curve of some length", "(b) Bars", "(c) A curve of some length",
    ]  # fmt: skip
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == ["freq-video"]
    own = [axes.get_legend() for axes in drawn.axes]
    assert own[0] is own[2] is None
    assert [text.get_text() for text in own[1].get_texts()] == ["level"]
    alone = to_matplotlib.to_matplotlib(CURVE).axes[0]
    assert alone.texts[-1].get_text() == "A curve of some length"
    assert alone.get_legend() is not None


def test_letters_go_on_after_z():
    assert [to_matplotlib.letters(number) for number in (0, 25, 26, 51, 52)] == ["a", "z", "aa", "az", "ba"]


def test_neighbours_in_a_row_share_a_colour_bar_that_means_the_same():
    def field(high, title="Power"):
        return Panel("t", Axis("x"), Axis("y"), (Heatmap([[0, 1]], [0, 1], [0], Axis(title, "dB", (0, high))),))

    drawn = to_matplotlib.to_matplotlib(Sheet((field(1), field(1), field(5, "Energy"), field(1)), 3))
    assert [len(axes.child_axes) for axes in drawn.axes] == [0, 1, 1, 1]


def test_titles_and_notes_can_be_left_to_the_caption():
    noted = Panel("Title", Axis("x"), Axis("y"), (Line([0, 1], [0, 1]),), note="n = 4")
    page, _ = read([noted, noted], Paper(6, titles=False, notes=False))
    text = page.extract_text()
    assert "(b)" in text
    assert "Title" not in text
    assert "n = 4" not in text


def test_grey_paper_has_no_colour():
    pixels = cv2.imdecode(np.frombuffer(to_matplotlib.render(BARS, "png", Paper(palette="grey")), np.uint8), 1)
    assert (pixels.max(2) == pixels.min(2)).all()
    coloured = cv2.imdecode(np.frombuffer(to_matplotlib.render(BARS, "png"), np.uint8), 1)
    assert (coloured.max(2) > coloured.min(2)).any()


def test_in_grey_every_mark_stays_darker_than_the_paper_and_sides_differ():
    settings = Paper(palette="grey")
    for name in look.ROLES:
        level = int(settings.role(name).colour[1:3], 16)
        assert level < 0.72 * 255, name
        assert settings.shade(name, "left") > settings.shade(name, "right")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Paper(0), "positive inches, got 0"),
        (lambda: Paper(size=3), "4 to 14 points, got 3"),
        (lambda: Paper(font="Comic Sans"), "no font named 'Comic Sans'; known: Times, Sans, Computer Modern"),
        (lambda: Paper(palette="jet"), "no palette named 'jet'; known: colour, grey"),
        (lambda: paper("Science"), "no venue named 'Science'"),
        (lambda: paper("IEEE", "page"), "as wide as a column or a text, not 'page'"),
        (lambda: Paper.of({"width": 3, "dpi": 9}), "settings of a paper are width, .*; got dpi"),
    ],
)
def test_nonsense_is_refused_with_what_was_expected_and_what_came(make, message):
    with pytest.raises((ValueError, LookupError), match=message):
        make()


def test_a_venue_objects_to_what_it_would_not_print():
    fits = paper("Nature", "text")
    assert objections(fits, 6.6, "Nature") == []
    assert "taller than the 6.7 in" in objections(fits, 6.8, "Nature")[0]
    assert "5 to 7 points" in objections(paper("Nature", size=8), 3, "Nature")[0]
    assert "5 to 7 points" in objections(paper("Nature", font="Times"), 3, "Nature")[0]
    assert objections(Paper(4), 99, "Free") == []


def test_settings_survive_as_plain_data():
    settings = paper("Nature", "text", palette=PALETTES[1], notes=False)
    assert Paper.of(settings.as_dict()) == settings


def test_colours_and_widths_stand_in_one_place():
    here = Path(to_matplotlib.__file__).parent
    for name in ("to_matplotlib", "to_pgfplots"):
        assert not re.findall(r"#[0-9a-fA-F]{6}", (here / f"{name}.py").read_text().replace("#ffffff", "")
                              .replace("#555555", ""))  # fmt: skip
