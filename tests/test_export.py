"""Do the lines under every figure of every page make that figure again, and does the sheet keep what is picked?"""

import io
import os
import threading
import time
import zipfile
from pathlib import Path

import both_renderers
import pytest
from streamlit.testing.v1 import AppTest
from test_pages import analysed, app, figures, walk_file  # noqa: F401 -- fixtures

from freqviz import again, bundle, jobs, run, tables, to_matplotlib
from freqviz.bundle import Figure
from freqviz.clip import Clip
from freqviz.jobs import Cancelled
from freqviz.panel import Axis, Line, Panel
from freqviz.paper import Paper
from freqviz.web import export, exporting, library, work
from freqviz.web.exporting import File

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


@pytest.fixture
def exports(monkeypatch, tmp_path):
    """The folder of exports, empty."""
    monkeypatch.setattr(library, "EXPORTS", tmp_path / "exports")
    return tmp_path / "exports"


def until_made(app):  # noqa: F811
    """Wait for the files that are being made, and show the page again."""
    for ticket in list(exporting._tickets.values()):
        assert ticket.wait(60)
    return app.run()


def downloads(app):  # noqa: F811
    return [one.proto.label for one in app.get("download_button")]


def test_an_open_export_makes_files_tells_their_sizes_and_adds_to_the_sheet_once(exports):
    app = AppTest.from_function(one_figure, default_timeout=60).run()  # noqa: F811
    assert not downloads(app)
    assert not exports.exists()
    app.session_state["export of Curve, of blur"] = True
    until_made(app.run())
    assert [label.partition(" · ")[0] for label in downloads(app)] == ["PDF", "SVG", "PNG", "Data"]
    sizes = {path.suffix: path.stat().st_size for path in exports.iterdir()}
    assert downloads(app)[2] == f"PNG · {round(sizes['.png'] / 1e3)} kB"
    assert app.button(key="make Bundle of Curve, of blur").label == "Make Bundle"
    app.button(key="add Curve, of blur").click().run()
    assert app.session_state["sheet"] == [export.Entry("Curve, of blur", "panel = 1")]
    assert app.button(key="add Curve, of blur").disabled


def polled_row():
    import streamlit as st

    from freqviz.web import exporting

    def make(path, progress, cancelled):
        path.write_bytes(b"x")

    waits = st.session_state.pop("a poll that finds its jobs over", False)
    exporting._row([exporting.File("MP4", "a.mp4", "video/mp4", b"", make, asked=True)], "it", waits)


def test_a_click_is_kept_where_the_page_begins_anew_just_then(exports):
    app = AppTest.from_function(polled_row, default_timeout=60).run()  # noqa: F811
    app.session_state["a poll that finds its jobs over"] = True
    app.button(key="make MP4 of it").click().run()
    until_made(app)
    assert [label.partition(" · ")[0] for label in downloads(app)] == ["MP4"]


def test_data_hold_the_numbers_under_a_plain_name():
    assert export._plain("Curve, of blur – σ") == "curve-of-blur"
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


# ---- files that take long


def file_of(make, asked=True):
    return File("GIF", "a.gif", "image/gif", str(id(make)).encode(), make, asked)


def test_a_file_is_there_whole_or_not_at_all_while_its_job_goes_on(exports):
    half, go = threading.Event(), threading.Event()

    def make(path, progress, cancelled):
        path.write_bytes(b"half")
        progress(1, 2)
        half.set()
        assert go.wait(20)
        path.write_bytes(b"whole")

    file = file_of(make)
    ticket = file.start()
    assert half.wait(20)
    assert (ticket.done, ticket.total, file.coming) == (1, 2, True)
    assert not file.path.exists()
    assert file.start() is ticket, "nothing is made twice"
    go.set()
    assert ticket.wait(20)
    assert file.path.read_bytes() == b"whole"
    assert [path.name for path in exports.iterdir()] == [file.path.name]


def test_a_file_cancelled_in_the_middle_leaves_nothing_and_can_be_made_again(exports):
    asked = []

    def make(path, progress, cancelled):
        path.write_bytes(b"half")
        asked.append(cancelled)
        while not cancelled() and len(asked) == 1:
            time.sleep(0.002)
        if cancelled():
            raise Cancelled

    file = file_of(make)
    ticket = file.start()
    while not asked:
        time.sleep(0.002)
    ticket.cancel()
    assert ticket.wait(20)
    assert ticket.state == jobs.CANCELLED
    assert list(exports.iterdir()) == []
    again = file.start()
    assert again.wait(20)
    assert (again.state, file.path.read_bytes()) == (jobs.DONE, b"half")


def test_a_failing_writer_leaves_nothing_and_is_answered_in_a_sentence(exports):
    def make(path, progress, cancelled):
        path.write_bytes(b"half")
        raise OSError("no space left on device.")

    ticket = file_of(make).start()
    assert ticket.wait(20)
    assert (ticket.state, ticket.message) == (jobs.FAILED, "no space left on device.")
    assert list(exports.iterdir()) == []


def test_a_bundle_is_cancelled_between_its_parts(exports):
    lines = "from freqviz import figures, run\nimport freqviz\nclip = freqviz.Clip('assets/sample.mp4')\n"
    lines += "panel = figures.power_spectrum(clip[7])"
    told = []
    with pytest.raises(Cancelled):
        export.zipped(Figure((lines,)), "x", lambda *done: told.append(done), lambda: len(told) > 2)
    assert told == [(0, 8), (2, 8), (3, 8)]


def test_old_files_are_removed(exports, monkeypatch):
    exports.mkdir()
    for name, age in (("young", 0), ("old", 2 * exporting.KEPT)):
        (exports / name).write_bytes(b"1234")
        os.utime(exports / name, (time.time() - age,) * 2)
    exporting._trim()
    assert [path.name for path in exports.iterdir()] == ["young"]
    monkeypatch.setattr(exporting, "LIMIT", 3)
    exporting._trim()
    assert list(exports.iterdir()) == []


# ---- the tabs of the page


def tab(app, name):  # noqa: F811
    app.run()
    app.switch_page("pages/paper/figures.py")
    app.query_params["made"] = name
    app.run()
    assert not app.exception
    assert not app.error, [one.value for one in app.error]
    return app


def test_a_strip_leaves_by_its_lines_and_by_the_sheet(app):  # noqa: F811
    tab(app, "Frame strip")
    app.slider(key="strip count").set_value(3)
    app.toggle(key="strip box").set_value(True).run()
    (code,) = [one.value for one in app.code if one.language == "python"]
    panel = again.panel(code, export.stored).panel
    assert [text for _, text in panel.x.ticks] == ["0", "10", "19"]
    assert [text for _, text in panel.y.ticks] == ["spatial-video", "freq-video", "truth"]
    both_renderers.agree(panel)
    app.session_state["export of Frame strip"] = True
    app.run()
    app.button(key="add Frame strip").click().run()
    assert app.session_state["sheet"] == [export.Entry("Frame strip", code)]
    app.selectbox(key="strip").select("A list")
    app.run().text_input(key="strip list").set_value("3, 99").run()
    assert [one.value for one in app.error] == ["the frames are 0 to 19, got 99."]
    app.multiselect(key="strip rows").set_value([])
    app.text_input(key="strip list").set_value("3, 5").run()
    app.toggle(key="strip truth").set_value(False).run()
    assert "at least one row" in app.error[0].value


def test_an_annotated_clip_is_made_on_a_click_and_shown(app):  # noqa: F811
    tab(app, "Annotated clip")
    assert not downloads(app)
    (code,) = [one.value for one in app.code if one.language == "python"]
    assert "to_frames.of_analysis(analysis, clip, ['spatial-video', 'freq-video'], truth, 'Person')" in code
    app.button(key="make MP4 of the clip").click().run()
    until_made(app)
    assert [label.partition(" · ")[0] for label in downloads(app)] == ["MP4"]
    (file,) = library.EXPORTS.iterdir()
    assert len(Clip(file)) == 20
    assert len(app.get("video")) == 1
    app.multiselect(key="clip rows").set_value(["freq-video"]).run()
    assert not downloads(app), "another choice is another file"


def test_tables_show_what_is_chosen_and_mark_the_best(app):  # noqa: F811
    tab(app, "Tables")
    (shown,) = [one.value for one in app.markdown if one.value.startswith("| network")]
    assert "| spatial-video | " in shown
    assert "PCK@.1, %" in shown
    app.selectbox(key="table").select("Added blur").run()
    app.selectbox(key="table measure").select("pck@0.05").run()
    app.toggle(key="table intervals").set_value(False).run()
    (shown,) = [one.value for one in app.markdown if one.value.startswith("| PCK")]
    assert "| PCK@0.05, % | R0 | R1 | R2 | R3 | R4 |" in shown
    assert "[" not in shown
    assert [label.partition(" · ")[0] for label in downloads(app)] == ["LaTeX", "Markdown", "CSV"]
    app.multiselect(key="rows of table Added blur").set_value([]).run()
    assert "at least one row" in app.error[0].value


@pytest.mark.parametrize("title", tables.evaluations(library.PROJECT / "assets" / "evaluation"))
def test_every_table_of_the_evaluation_can_be_looked_at(app, title):  # noqa: F811
    tab(app, "Tables").selectbox(key="table").select(title).run()
    assert not app.exception
    assert not app.error, [one.value for one in app.error]
    assert any(one.value.startswith("| ") for one in app.markdown)
