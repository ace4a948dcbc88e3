"""Are the lines of a figure carried out as Python would, and is everything else refused?"""

import pytest

from freqviz import again, figures, run
from freqviz.analysis import load_analysis
from freqviz.clip import Clip
from freqviz.panel import Panel
from freqviz.video import ClipError

CLIP = """import freqviz
from freqviz import figures, figures_spectra, run
from freqviz.to_matplotlib import save_pdf

clip = freqviz.Clip('assets/sample.mp4').part(38, 45)
box = [150.0, 60.0, 110.0, 215.0]  # of frame 3
cuts = run.window_cuts(clip, 3, box)
key = cuts[len(cuts) // 2]
"""


def test_lines_give_the_panel_that_python_gives():
    lines = CLIP + "panel = figures_spectra.by_direction(key, cuts[0], ('a', 'b'), 3e4)\nsave_pdf(panel, 'x.pdf')"
    made = again.panel(lines)
    names = {}
    exec(lines.replace("save_pdf(panel, 'x.pdf')", ""), names)
    assert made.panel.table().equals(names["panel"].table())
    assert made.panel.note == names["panel"].note
    assert [clip.first for clip in made.clips] == [0, 38]
    assert made.networks == ()


def test_values_items_slices_and_loops_are_read():
    lines = """import pandas as pd
from freqviz import figures
import freqviz
truth = pd.read_json('assets/sample.json', typ='series', precise_float=True)['blur_length'][3:7]
table = pd.DataFrame({'frame': [one * 2 for one in [0, 1, 2, 3]], 'edge_width': truth, 'x': [-1.5, 2, 3 + 1, 9 / 3]})
panel = figures.blur_against_energy(table, 'edge_width', 'x', 4)
"""
    panel = again.panel(lines).panel
    assert set(panel.table()["y"]) >= {-1.5, 2.0, 4.0, 3.0}


def test_networks_are_known_by_their_names_in_the_lines():
    lines = CLIP + "trace = run.deep_trace(clip, 'freq-video', 3, box)\npanel = figures_spectra.stages(trace, key)"
    assert again.panel(lines).networks == ("freq-video",)


def test_an_analysis_is_asked_for_by_name_so_that_a_store_can_answer(tmp_path):
    asked = []

    def stored(**given):
        asked.append(given)
        return run.analyse(**given, out=tmp_path / "run")

    lines = """import freqviz
from freqviz import figures
analysis = freqviz.analyse('assets/sample.mp4', ['freq-video'], whole_frame=True, frames=(40, 44))
panel = figures.frame_weights(list(analysis.traces.values()), 2)
"""
    made = again.panel(lines, stored)
    assert asked == [
        {"clip": "assets/sample.mp4", "models": ["freq-video"], "whole_frame": True, "frames": (40, 44)}
    ]  # fmt: skip
    assert made.analyses[0].provenance["clip"]["first"] == 40
    kept = again.panel(lines)  # as a run folder holds it
    loaded = load_analysis(tmp_path / "run")
    assert kept.analyses[0].frames.equals(loaded.frames)
    assert kept.panel.table().equals(figures.frame_weights(list(loaded.traces.values()), 2).table())


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from os import path",
        "from freqviz import web",
        "from freqviz import store",
        "x = open('/etc/passwd')",
        "x = __import__('os')",
        "x = figures.__dict__",
        "x = figures._column",
        "x = figures.np.load('x.npy')",
        "x = clip.__class__.__mro__",
        "x = [].__class__",
        "x = 'a'.join(['b'])",
        "x = cuts.tofile('stolen')",
        "x = cuts.dump('stolen')",
        "x = freqviz.run.analyse",
        "x = run.Path",
        "x = run.analyse(clip)",
        "x = run.load_network('freq-video').state_dict()",
        "x = figures.frame_weights.__globals__",
        "x = pd.read_pickle('x')",
        "x = pd.read_json('http://localhost/x.json')",
        "x = pd.DataFrame({'a': [1]}).to_csv('x.csv')",
        "x = eval('1')",
        "x = lambda: 1",
        "x = [1] * 10000000000",
        "x = 'a' * 10000000000",
        "x = 9 ** 9 ** 9",
        "x = f'{clip}'",
        "x = {**{}}",
        "x = print(*[1])",
        "x = list(**{'a': 1})",
        "x, y = 1, 2",
        "clip.first = 2",
        "del clip",
        "print(clip)",
        "for x in [1]: pass",
        "class A: pass",
        "x = (y for y in [1])",
        "x = [y for y in [1] if y]",
        "x = 1 if clip else 2",
        "x = str.format('{0.__class__}', clip)",
        "x = clip.close()",
        "x = analysis.save('somewhere')",
        "save_pdf.x = 1",
        "panel = 3 +",
    ],
)
def test_everything_that_no_figure_needs_is_refused(line, monkeypatch, tmp_path):
    before = set(tmp_path.iterdir())
    given = "import freqviz\nimport pandas as pd\nfrom freqviz import figures, run\n"
    given += "clip = freqviz.Clip('assets/sample.mp4')\ncuts = run.window_cuts(clip, 3, [1, 2, 30, 40])\n"
    with pytest.raises((ValueError, LookupError, FileNotFoundError)) as refused:
        again.panel(f"{given}{line}\npanel = figures.power_spectrum(cuts[0])")
    assert len(str(refused.value)) < 250
    assert set(tmp_path.iterdir()) == before


def test_lines_without_a_panel_are_answered_in_a_sentence():
    with pytest.raises(ValueError, match="end in panel = figures. ..., got NoneType"):
        again.panel("x = 1")
    with pytest.raises(LookupError, match="use the name 'clip', which they do not make"):
        again.panel("x = clip.first")
    with pytest.raises(LookupError, match="no 'spectre' in figures that a figure may use"):
        again.panel("from freqviz import figures\npanel = figures.spectre(1)")


def test_names_of_a_loop_end_with_it():
    with pytest.raises(LookupError, match="'one'"):
        again.panel("x = [one for one in [1, 2]]\ny = one")


def test_a_clip_is_opened_where_the_lines_say(tmp_path):
    with pytest.raises(ClipError, match="no file missing.mp4"):
        again.panel(f"import freqviz\nclip = freqviz.Clip('{tmp_path}/missing.mp4')")
    assert isinstance(again.panel(CLIP + "panel = figures.power_spectrum(key)").panel, Panel)
    assert Clip("assets/sample.mp4").first == 0
