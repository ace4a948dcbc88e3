"""Do the lines under every figure of every page make that figure again, and does the sheet keep what is picked?"""

import io
import zipfile
from pathlib import Path

import both_renderers
import pytest
from streamlit.testing.v1 import AppTest
from test_pages import analysed, app, figures, walk_file  # noqa: F401 -- fixtures

from freqviz import again, bundle, run, to_matplotlib
from freqviz.bundle import Figure
from freqviz.panel import Axis, Line, Panel
from freqviz.paper import Paper
from freqviz.web import export, work

ROOT = Path(__file__).parent.parent
VIEWS = [page for page in sorted((ROOT / "pages").rglob("*.py")) if page.parent.name != "paper"]
CURVE = Panel("Curve, of blur", Axis("Frame"), Axis("Blur", "px"), (Line([1, 2], [30, 40]),))


@pytest.mark.parametrize("page", VIEWS, ids=lambda page: page.stem)
def test_the_lines_of_every_figure_give_it_again_from_what_is_stored(app, page, monkeypatch):  # noqa: F811
    app.run()
    app.switch_page(str(page.relative_to(ROOT)))
    app.query_params["frame"] = "9"
    if page.stem == "poses_and_spectra":
        app.query_params["joint"] = "head"
    app.run().run()
    assert not app.exception

    def forbidden(*_, **__):
        raise AssertionError("this was analysed before")

    monkeypatch.setattr(run.Run, "analysis", forbidden)
    shown = " ".join(one.value for one in app.markdown)
    codes = [one.value for one in app.code if one.language == "python"]
    on_canvas = {"poses_and_spectra": "**Poses**" not in shown, "side_by_side": 2}  # drawn by own components
    assert len(codes) == len(figures(app)) + on_canvas.get(page.stem, 0)
    without = 0
    for code in codes:
        panel = again.panel(code, export.stored).panel
        without += not (f"**{panel.title}**" in shown and panel.note in shown)
        both_renderers.agree(panel)
    assert without == on_canvas.get(page.stem, 0)


def one_figure():
    from freqviz import web
    from freqviz.panel import Axis, Line, Panel

    curve = Panel("Curve, of blur", Axis("Frame"), Axis("Blur", "px"), (Line([1, 2], [30, 40]),))
    web.exports(curve, "panel = 1")


def test_nothing_stands_in_a_closed_export_and_an_open_one_adds_to_the_sheet_once():
    app = AppTest.from_function(one_figure, default_timeout=60).run()  # noqa: F811
    assert not app.get("download_button")
    app.session_state["export of Curve, of blur"] = True
    app.run()
    assert [one.proto.label for one in app.get("download_button")] == ["PDF", "SVG", "PNG", "Data", "Bundle"]
    app.button(key="add Curve, of blur").click().run()
    assert app.session_state["sheet"] == [export.Entry("Curve, of blur", "panel = 1")]
    assert app.button(key="add Curve, of blur").disabled


def test_data_hold_the_numbers_under_a_plain_name():
    assert export._file("Curve, of blur – σ") == "curve-of-blur"
    archive = zipfile.ZipFile(io.BytesIO(export._data(CURVE, "curve")))
    assert archive.namelist() == ["curve.csv"]
    assert archive.read("curve.csv").decode().splitlines()[-2:] == ["0,1,30", "0,2,40"]


def picked(app, *titles):  # noqa: F811
    """A visit with figures on the sheet, on the page."""
    code = "import freqviz\nfrom freqviz import figures, run\nclip = freqviz.Clip('assets/sample.mp4')\n"
    code += "panel = figures.power_spectrum(clip[{}], title={!r})"
    app.run()
    app.session_state["sheet"] = [
        export.Entry(title, code.format(number, title)) for number, title in enumerate(titles)
    ]  # fmt: skip
    app.switch_page("pages/paper/figures.py").run()
    assert not app.exception
    assert not app.error, [one.value for one in app.error]
    return app


def order(app):  # noqa: F811
    return [entry.title for entry in app.session_state["sheet"]]


def test_an_empty_sheet_says_how_to_fill_it(app):  # noqa: F811
    assert "press **Export** under a figure" in picked(app).info[0].value


def test_panels_are_moved_and_removed(app):  # noqa: F811
    picked(app, "One", "Two", "Three")
    app.button(key="Later 0").click().run()
    assert order(app) == ["Two", "One", "Three"]
    app.button(key="Earlier 2").click().run()
    assert order(app) == ["Two", "Three", "One"]
    app.button(key="Remove 1").click().run()
    assert order(app) == ["Two", "One"]
    assert not app.exception
    assert "(b) One" in [one.value for one in app.markdown]


def test_venue_and_columns_reach_the_sheet(app):  # noqa: F811
    picked(app, "One", "Two")
    app.selectbox(key="venue").select("Nature").run()
    assert app.session_state["paper"].font == "Sans"
    assert app.session_state["paper"].width == pytest.approx(183 / 25.4)
    app.number_input(key="size in Nature").set_value(9.0).run()
    assert any("5 to 7 points" in one.value for one in app.warning)
    app.slider(key="sheet columns").set_value(1).run()
    assert any("True size: 7.2 ×" in one.value or "True size: 7.20 ×" in one.value for one in app.caption)
    app.selectbox(key="venue").select("Free").run()
    app.number_input(key="width").set_value(4.0).run()
    assert app.session_state["paper"].width == 4.0


def test_a_panel_that_cannot_be_made_is_answered_in_a_sentence(app):  # noqa: F811
    picked(app, "One")
    app.session_state["sheet"] = [export.Entry("Broken", "import os")]
    app.run()
    assert not app.exception
    assert any("not 'os" in one.value for one in app.error)


def test_the_page_and_the_command_make_the_same_bytes(app, tmp_path):  # noqa: F811
    app.run()
    code = next(one.value for one in app.code if one.language == "python" and "figures.frame_weights(" in one.value)
    figure = Figure((code,), 1, Paper())
    archive = zipfile.ZipFile(io.BytesIO(export.zipped(figure)))
    (tmp_path / "figure.json").write_bytes(archive.read("figure.json"))
    read = bundle.read(tmp_path / "figure.json")
    folder = bundle.write(read, tmp_path / "figure")  # analysed anew
    assert {name: archive.read(name) for name in archive.namelist()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_a_corrected_run_is_found_in_the_store_too(app, monkeypatch):  # noqa: F811
    """What is found is what the page shows: the youngest result is not simply taken."""
    app.run()
    (code, *_) = [one.value for one in app.code if one.language == "python" and "freqviz.analyse" in one.value]
    asked = []
    find = work.STORE.find
    monkeypatch.setattr(work.STORE, "find", lambda key: asked.append(key) or find(key))
    again.panel(code, export.stored)
    assert asked
    assert find(asked[0]) is not None
    assert to_matplotlib.render(again.panel(code, export.stored).panel, "svg")
