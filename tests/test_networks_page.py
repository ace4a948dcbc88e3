"""Does the page "Networks" open clips with a network, and does an upload of parameters run beside the others?"""

import pytest
import torch
from safetensors.torch import save
from test_pages import analysed, app, finish, walk_file, words  # noqa: F401 -- fixtures

import models
from freqviz import again, evidence, tables
from freqviz.web import library

PAGE, EVIDENCE = "pages/networks/networks.py", "pages/networks/evidence.py"


@pytest.fixture
def own(app, monkeypatch, tmp_path):  # noqa: F811
    """The app with an empty folder for parameters, whose networks with own parameters are real ones."""
    tiny, real = models.load, models._load_own
    monkeypatch.setattr(library, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(models, "_own", {})
    monkeypatch.setattr(
        models, "load", lambda name, device: real(name) if name in models.added() else tiny(name, device)
    )
    library._added.cache_clear()
    return app.run()


def test_a_network_that_a_file_brings_runs_has_a_card_and_is_brought_by_the_lines_to_copy(
    app,  # noqa: F811
    monkeypatch,
    tmp_path,
):
    file, tiny = tmp_path / "lab.py", models.load
    file.write_text(
        '"""`lab-net`: five frames, and nobody knows why."""\nfrom conftest import TinyNetwork\n\n\n'
        'class Lab(TinyNetwork):\n    pass\n\n\nNETWORKS = {"lab-net": Lab}\n'
    )
    monkeypatch.setattr(models, "NETWORKS", dict(models.NETWORKS))
    monkeypatch.setattr(models, "_brought", {})
    models.register(file)
    monkeypatch.setattr(models, "names", lambda: ["spatial-video", "freq-video", "lab-net"])
    build = models.NETWORKS["lab-net"]
    monkeypatch.setattr(models, "load", lambda name, device: build() if name == "lab-net" else tiny(name, device))
    app.run()
    app.multiselect(key="networks").set_value(["freq-video", "lab-net"]).run()
    finish(app)
    assert not app.exception
    lines = next(one.value for one in app.code if one.language == "python" and "lab-net" in one.value)
    assert lines.splitlines()[1] == f"freqviz.models.register({str(file)!r})"
    command = next(one.value for one in app.code if one.language == "bash" and "lab-net" in one.value)
    assert command.startswith(f"FREQVIZ_NETWORKS={file} python -m freqviz ")
    for start in ("", "held = "):
        with pytest.raises(ValueError, match="lines of a figure may"):
            again.panel(f"import freqviz\n{start}freqviz.models.register({str(file)!r})\n")
    app.switch_page(PAGE).run()
    app.selectbox(key="card").set_value("lab-net").run()
    assert not app.exception
    assert "Five frames, and nobody knows why." in words(app)


def give(app, name, data):  # noqa: F811
    uploader = next(one for one in app.file_uploader if one.label == "Parameters")
    uploader.set_value((name, data, "application/octet-stream")).run()
    assert not app.exception
    return app


def whole(name="freq-video"):
    torch.manual_seed(3)
    return {key: values.clone() for key, values in models.build(name).state_dict().items()}


def test_uploaded_parameters_are_checked_chosen_run_and_named_in_the_lines_to_copy(own):
    give(own, "my.safetensors", b"\x80\x04 a pickle")
    assert "my.safetensors is no safetensors file" in words(own)
    assert not list(library.WEIGHTS.rglob("*.safetensors"))
    give(own, "my.safetensors", save(whole("spatial-video")))
    assert "Expected the parameters of freq-video; the file has those of spatial-video." in words(own)
    assert own.multiselect(key="networks").value == ["spatial-video", "freq-video"]
    give(own, "../my [net].safetensors", save(whole()))
    (file,) = library.WEIGHTS.rglob("*.safetensors")
    name = f"freq-video ({file.name})"
    assert file.parent == library.WEIGHTS / "freq-video"
    assert file.name.startswith("my _net_-")
    assert own.multiselect(key="networks").value == ["spatial-video", "freq-video", name]
    assert "safetensors file" not in words(own)
    finish(own)
    assert not own.exception
    lines = next(one.value for one in own.code if one.language == "python" and name in one.value)
    assert f"own = freqviz.models.add('freq-video', '{library.relative(file)}')" in lines
    command = next(one.value for one in own.code if one.language == "bash")
    assert f"freq-video={library.relative(file)}" in command
    models._own.clear()
    reader = again._Reader(again.analyse)
    for line in lines.splitlines()[:2]:
        reader.do(again.ast.parse(line).body[0])
    assert reader.names["own"] == name


def test_a_link_to_parameters_that_are_not_here_says_so(app):  # noqa: F811
    app.query_params["networks"] = ["freq-video (mine-12345678.safetensors)"]
    app.run()
    assert not app.exception
    said = " ".join(one.value for one in app.warning)
    assert "The parameters of freq-video (mine-12345678.safetensors) are not on this machine; upload them." in said


def test_the_page_shows_the_card_of_the_chosen_network_and_opens_the_clip_with_it(app):  # noqa: F811
    app.run()
    app.switch_page(PAGE).run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 2
    assert "The twin, guided by spectra" in words(app)
    app.selectbox(key="card").select("spatial-video").run()
    assert not app.exception
    assert "The twin. Deformable multi-scale alignment" in words(app)
    (link,) = app.get("link_button")
    assert link.proto.url == "./?networks=spatial-video"


def test_the_page_of_evidence_shows_costs_with_their_command_and_offers_every_stored_table(app):  # noqa: F811
    app.query_params |= {"cost": "Memory", "stored": "Traps for energy"}
    app.run()
    app.switch_page(EVIDENCE).run()
    assert "Memory of each network" in words(app)
    assert evidence.COSTING in [one.value for one in app.code]
    asked = app.selectbox(key="stored")
    assert asked.options == list(tables.FILES)
    assert asked.value == "Traps for energy"
    for title in ("Cost", "Added blur", "Differences in every condition"):  # one of them is a question of the page too
        app.selectbox(key="stored").select(title).run()
        assert not app.exception
        assert not app.error
        offered = [one.proto.label.partition(" · ")[0] for one in app.get("download_button")]
        assert offered[-3:] == ["LaTeX", "Markdown", "CSV"]
        first = tables.stored(library.PROJECT / "assets" / "evaluation" / f"{tables.FILES[title]}.csv").rows[0]
        assert any(one.value.startswith("| ") and f"| {first} |" in one.value for one in app.markdown)
