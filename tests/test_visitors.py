"""In public, does a visitor see what is theirs and what their link names, and nothing else? And does one limit hold?"""

import os
import re
from pathlib import Path

import pytest
import test_pages
from streamlit.testing.v1 import AppTest
from test_pages import finish, upload, words

from freqviz.store import Store
from freqviz.video import write_video
from freqviz.web import exporting, library, visitor, work
from freqviz.web.__main__ import options
from freqviz.web.frame import CANNOT

app, walk_file, analysed = test_pages.app, test_pages.walk_file, test_pages.analysed
ROOT = Path(__file__).parent.parent


@pytest.fixture
def public(app, tmp_path, monkeypatch):
    """The app as it is served in public, with nothing kept."""
    monkeypatch.setattr(visitor, "PUBLIC", True)
    for name in ("RUNS", "RESULTS", "COPIES", "WEIGHTS"):
        monkeypatch.setattr(library, name, tmp_path if name == "RUNS" else tmp_path / name.lower())
    monkeypatch.setattr(work, "STORE", Store(library.RESULTS, uses=library.USES))
    return app


@pytest.fixture
def data(tmp_path):
    return write_video(tmp_path / "walk.mp4", test_pages.walking_frames(8, step=2.0), 25).read_bytes()


def visit(**query):
    """Another visitor, perhaps by a link."""
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.session_state[CANNOT] = "It is none."
    for name, value in query.items():
        other.query_params[name] = value
    return other.run()


def analyse(app):
    """Whole frame, one network."""
    app.pills(key="person").set_value(work.WHOLE_FRAME).run()
    app.multiselect(key="networks").set_value(["spatial-video"]).run()
    return finish(app)


def test_another_visitor_sees_a_clip_by_its_link_only_and_cannot_remove_it(public, data):
    upload(public.run(), "walk.mp4", data)
    name = public.selectbox(key="clip").value
    assert re.fullmatch(r"walk-[0-9a-f]{32}\.mp4", name)
    analyse(public)
    public.session_state["recent"] = True
    assert f"doom {name}" in [button.key for button in public.run().button]
    assert "Truth" in [one.label for one in public.expander]

    other = visit()
    assert other.selectbox(key="clip").options == ["sample"]
    assert not [one for one in other.get("popover") if "Recent" in str(one)]
    assert name not in str(other.main) + str(other.sidebar)

    near = name[:-5] + ("1" if name[-5] == "0" else "0") + ".mp4"  # all but the last digit right
    for guess in (near, "walk-" + "0" * 32 + ".mp4", "other-" + name[-12:], f"../clips/{name}"):
        assert "is not on this machine" in " ".join(one.value for one in visit(clip=guess).warning)

    linked = visit(clip=name, person=work.WHOLE_FRAME, networks="spatial-video")
    assert linked.selectbox(key="clip").value == name
    assert linked.button(key="run").label == "Analysed"
    linked.session_state["recent"] = True
    assert f"doom {name}" not in [button.key for button in linked.run().button]
    assert "Truth" not in [one.label for one in linked.expander]


def test_equal_clips_of_two_visitors_have_results_of_their_own(public, data):
    analyse(upload(public.run(), "walk.mp4", data))
    other = upload(visit(), "walk.mp4", data)
    mine, theirs = public.selectbox(key="clip").value, other.selectbox(key="clip").value
    assert mine != theirs
    other.pills(key="person").set_value(work.WHOLE_FRAME).run()
    other.multiselect(key="networks").set_value(["spatial-video"]).run()
    assert other.button(key="run").label == "Run"  # that they were analysed elsewhere does not show
    finish(other)
    assert len(work.STORE.folders()) == 2
    other.session_state["recent"] = True
    other.run().button(key=f"doom {theirs}").click().run()
    other.button(key="remove").click().run()
    assert not other.exception
    assert [path.name for path in library.CLIPS.glob("*.mp4")] == [mine]
    assert len(work.STORE.folders()) == 1
    assert public.run().button(key="run").label == "Analysed"


def test_a_visit_may_keep_so_much_and_a_sentence_says_when_it_is_spent(public, data, monkeypatch):
    monkeypatch.setattr(visitor, "BUDGET", int(1.5 * len(data)))
    upload(public.run(), "walk.mp4", data)
    assert not public.error
    upload(public, "more.mp4", data + b"more")
    (said,) = [one.value for one in public.error]
    assert said.startswith("a visit may keep ")
    assert "remove a clip under “Recent clips” first" in said
    assert len(list(library.CLIPS.glob("*.mp4"))) == 1
    monkeypatch.setattr(visitor, "UPLOAD", 0)
    with pytest.raises(ValueError, match="an upload has at most 0 MB here"):
        visitor.afford(1)


def test_every_kind_of_upload_counts_and_what_is_removed_no_longer_does(public, monkeypatch):
    monkeypatch.setattr(visitor, "_own", lambda spent={"walk.mp4": 60}: spent)
    monkeypatch.setattr(visitor, "BUDGET", 100)
    kinds = (
        lambda: library.add("a.mp4", bytes(50)),
        lambda: library.add_boxes("b.csv", b"frame,x,y,w,h\n0,20,40,24,48\n" + 30 * b"\n"),
        lambda: library.add_truth("walk.mp4", None, "t.csv", bytes(50)),
        lambda: library.add_weights("freq-video", "w.safetensors", bytes(50)),
    )
    for keep in kinds:
        with pytest.raises(ValueError, match="a visit may keep 0 MB here"):
            keep()
    visitor.drop("walk.mp4")
    kept = kinds[1]()
    assert library.box_files() == [kept]


def test_no_folder_of_the_server_is_told(public, data, tmp_path):
    for text in (
        f"no file {tmp_path}/clips/a.mp4",
        f"[Errno 13] Permission denied: '{tmp_path}/a.mp4'",
        "/etc/passwd is",
    ):
        told = visitor.said(OSError(text))
        assert str(tmp_path) not in told
        assert "/etc" not in told
    assert visitor.said("3/4 of 1/2 px/frame, see ./here/it") == "3/4 of 1/2 px/frame, see ./here/it."
    upload(public.run(), "walk.mp4", data)
    analyse(public)
    shown = words(public) + "".join(one.value for one in public.code)
    assert "runs/clips/walk-" in shown
    assert str(tmp_path) not in shown
    assert str(ROOT) not in shown
    line = next(one.value for one in public.code if "freqviz.Clip" in one.value)
    assert f"{tmp_path}/clips/walk-" in library.here(line)
    upload(public, "broken.mp4", b"no clip")
    assert "broken.mp4" in words(public)
    assert str(tmp_path) not in words(public)


def test_parameters_that_could_be_code_are_not_taken(public):
    with pytest.raises(ValueError, match=r"uploaded here as \.safetensors, got mine\.pth"):
        library.add_weights("freq-video", "mine.pth", b"PK")


def test_in_public_the_server_checks_hosts_and_forms_and_limits_uploads(monkeypatch):
    assert options(["--server.port", "1"]) == ["--server.port", "1"]
    monkeypatch.setattr(visitor, "PUBLIC", True)
    forms = {"--server.enableXsrfProtection=true", "--server.enableCORS=true", "--server.maxUploadSize=100"}
    assert forms | {"--client.showErrorDetails=none"} <= set(options([]))
    assert "--server.allowedHosts=127.0.0.1" in options([])
    assert "--server.allowedHosts=127.0.0.1" not in options(["--server.allowedHosts=pose.example.org"])


# -------- what is kept, by everyone


def test_one_limit_holds_for_all_that_is_kept_and_what_is_looked_at_stays(app, tmp_path, monkeypatch):
    for name in ("RUNS", "RESULTS", "COPIES", "WEIGHTS"):
        monkeypatch.setattr(library, name, tmp_path if name == "RUNS" else tmp_path / name.lower())
    made, kinds = [], ("clips/a-{}.mp4", "boxes/a-{}.csv", "weights/freq-video/a-{}.safetensors", "copies/{}.mp4")
    for number, kind in enumerate((*kinds, "sessions/a-{}.session/run.json", "results/{0}{0}{0}/run.json")):
        path = tmp_path / kind.format(f"{number:08x}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        made.append(path.parent if path.name == "run.json" else path)
        library.USES.touch(made[-1])
    truth = library.TRUTHS / f"{made[0].name}.npy"
    truth.parent.mkdir()
    truth.write_bytes(b"x" * 1000)
    state = {}
    library.hold(state, made[0].name)
    monkeypatch.setattr(library, "LIMIT", 4000)
    library.keep_within()
    assert [path.exists() for path in made] == [True, False, False, False, True, True]
    assert truth.exists()
    state.clear()
    monkeypatch.setattr(library, "LIMIT", 0)
    library.keep_within(made[4])
    assert [path.exists() for path in made] == [False, False, False, False, True, False]
    assert not truth.exists()


def test_torn_uploads_count_as_absent_and_can_be_uploaded_again(app, data, tmp_path):
    name = upload(app.run(), "walk.mp4", data).selectbox(key="clip").value
    os.truncate(library.CLIPS / name, len(data) // 2)
    os.utime(library.CLIPS / name, (1, 1))
    assert not app.run().exception
    assert library.add("walk.mp4", data) == name
    assert (library.CLIPS / name).read_bytes() == data
    boxes = library.add_boxes("b.csv", b"frame,x,y,w,h\n0,20,40,24,48\n")
    (library.BOXES / boxes).write_bytes(b"\0")
    with pytest.raises(LookupError, match="upload them again"):
        library.people(boxes)
    library.TRUTHS.mkdir(exist_ok=True)
    (library.TRUTHS / f"{name}.npy").write_bytes(b"")
    assert library.truth(name) is None
    library.RECENT.mkdir(exist_ok=True)
    (library.RECENT / "torn.json").write_text('{"clip": ')
    assert work.recent() == [] or all(request for _, request, _ in work.recent())
    assert not app.run().exception


def test_files_made_of_a_clip_go_with_it(app, data, tmp_path):
    name = upload(app.run(), "walk.mp4", data).selectbox(key="clip").value

    def make(path, progress, cancelled):
        path.write_bytes(b"x")

    files = [exporting.File("PDF", "a.pdf", "application/pdf", b"", make, clip=clip) for clip in (name, "sample")]
    assert all(file.start().wait(60) for file in files)
    assert [file.path.is_file() for file in files] == [True, True]
    work.remove(name)
    assert [file.path.is_file() for file in files] == [False, True]
