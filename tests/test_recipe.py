"""Do formula, table and copies stand under a figure, each with its own content?"""

from streamlit.testing.v1 import AppTest

from freqviz import web
from freqviz.panel import Axis, Heatmap, Line, Panel
from freqviz.web import recipe

FIELD = Heatmap([[1, 2], [3, 4]], [0, 1], [5, 6], Axis("Weight", "", (0, 9)))


def two_figures():
    from freqviz import web
    from freqviz.panel import Axis, Line, Panel

    curve = Panel("Curve", Axis("Frame"), Axis("Blur", "px"), (Line([1, 2], [30, 40]),), formula="a*b*c = 3")
    web.explain(curve, "python -m freqviz models", "import freqviz\n")
    web.explain(Panel("Bare", Axis("Frame"), Axis("Blur", "px"), (Line([1], [7]),)), "true", "pass")


def test_each_figure_has_its_own_row_and_what_says_nothing_has_no_formula():
    app = AppTest.from_function(two_figures, default_timeout=60).run()
    assert not app.exception
    assert [text.value for text in app.text] == ["a*b*c = 3"]
    assert [code.value for code in app.code] == ["python -m freqviz models", "import freqviz", "true", "pass"]
    assert not app.dataframe, "a table travels only while it is open"


def test_an_open_table_holds_the_numbers_of_its_figure():
    app = AppTest.from_function(two_figures, default_timeout=60)
    app.session_state["table of Curve"] = True
    (shown,) = app.run().dataframe
    assert shown.value[["Frame", "Blur (px)"]].values.tolist() == [[1, 30], [2, 40]]


def test_columns_are_named_as_the_axes_unless_two_axes_share_a_name():
    square = Panel("Square", Axis("x", "px"), Axis("y", "px"), (FIELD,))
    assert list(recipe._numbers(square).columns) == ["mark", "name", "x (px)", "y (px)", "Weight"]
    twice = Panel("Twice", Axis("Frame"), Axis("Frame"), (Line([1], [2]),))
    assert list(recipe._numbers(twice).columns) == ["mark", "name", "x", "y"]


def test_the_parts_can_be_had_one_by_one():
    assert {"copies", "explain", "formula", "table"} <= set(web.__all__)
