"""Do imports point one way, and does learning work without video and web libraries?"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIGURES = (
    "", "_alignment", "_claims", "_compare", "_dct", "_evidence", "_filters", "_heatmaps", "_motion", "_networks",
    "_restored",
    "_spectra", "_strip", "_weights",
)  # fmt: skip
LAYERS = [
    ["models"],
    ["crops", "blur", "spectra", "filters", "sharpness", "quality", "poses", "boxes", "containers"],
    ["video"],
    ["clip", "apart", "sample"],
    ["trace"],
    ["compare", "heatmaps", "motion", "reading", "offsets", "pairs"],
    ["store", "jobs", "parts", "logs"],
    ["analysis", "devices", "windows"],
    ["run"],
    ["cards", "claims", "forecast", "influence", "restoring", "session"],
    ["evidence"],
    ["panel", "look", "paper", *(f"figures{one}" for one in FIGURES)],
    ["to_plotly", "to_matplotlib", "to_pgfplots", "to_frames", "to_video", "again", "bundle", "tables"],
    ["web"],
    ["pages"],
]  # fmt: skip
LEARN_MAY = {"models", "crops", "blur", "poses", "spectra", "sharpness", "quality", "learn"}
ONLY = {  # library: layers that may import it
    "streamlit": {"web", "pages", "app", "serve"},
    "plotly": {"to_plotly", "web"},
    "matplotlib": {"to_matplotlib", "look"},
    "av": {"video", "to_video", "__main__"},
    "decord": {"clip", "__main__"},
    # influence exchanges encoded maps
    "torch": {"models", "trace", "devices", "windows", "run", "influence", "learn", "__main__"},
}
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def files():
    for folder in ("models", "freqviz", "pages"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from (ROOT / "app.py", ROOT / "serve.py")


def place(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "freqviz" else parts[0]


def imported(tree):
    """Every import of a file as dotted names, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name):
    """The place in the project that a dotted name leads to, or None."""
    parts = name.split(".")
    if parts[0] == "models":
        return "models"
    if parts[0] == "freqviz" and len(parts) > 1 and (parts[1] in RANK or parts[1] == "learn"):
        return parts[1]
    return None


def wrong(source, here):
    """What a file at a place may not import."""
    names = set(imported(ast.parse(source)))
    targets = {target for target in map(ours, names) if target and target != here}
    found = [f"imports {name}" for name in names for library, may in ONLY.items()
             if name.split(".")[0] == library and here not in may]  # fmt: skip
    if here == "learn":
        found += [f"imports {target}" for target in targets - LEARN_MAY]
    elif here in RANK:
        found += [f"imports {target}" for target in targets if RANK.get(target, 99) > RANK[here]]
    return sorted(set(found))


@pytest.mark.parametrize("path", [p for p in files() if p.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    if place(path) in ("__init__", "__main__"):
        pytest.skip("the door and the command line reach everything, when asked")
    assert wrong(path.read_text(encoding="utf-8"), place(path)) == []


def test_every_file_of_the_package_has_a_layer():
    places = {place(path) for path in files() if path.exists()}
    assert places <= set(RANK) | {"learn", "app", "serve", "__init__", "__main__"}


def test_the_rule_sees_an_import_that_points_the_other_way():
    assert wrong("def f():\n    from freqviz import figures", "trace") == ["imports figures"]
    assert wrong("import freqviz.run", "learn") == ["imports run"]
    assert wrong("from freqviz.clip import Clip", "models") == ["imports clip"]
    assert wrong("import plotly.express as px", "figures") == ["imports plotly.express"]
    assert wrong("from freqviz import crops\nimport numpy", "trace") == []


LEARN_ALONE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("av", "decord", "streamlit", "plotly"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Missing())
import pkgutil, importlib
import freqviz.learn
for module in pkgutil.iter_modules(freqviz.learn.__path__):
    importlib.import_module(f"freqviz.learn.{module.name}")
"""


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_learning_imports_where_video_and_web_libraries_are_missing():
    assert run_python(LEARN_ALONE).stderr == ""


def test_the_blocking_of_the_test_above_blocks():
    assert "av is blocked" in run_python(LEARN_ALONE + "\nimport freqviz.clip").stderr


def test_the_package_names_its_public_things_and_loads_them_late():
    code = "import sys, freqviz; assert not {'torch', 'av'} & set(sys.modules); print(sorted(freqviz.__all__))"
    names = ["Clip", "analyse", "load_analysis", "models", "open_session", "predict", "save_session"]
    assert run_python(code).stdout.strip() == str(names)
    import freqviz

    assert freqviz.Clip.__module__ == "freqviz.clip"
    assert freqviz.models.__name__ == "models"
    assert {"analyse", "predict"} <= set(dir(freqviz))
    with pytest.raises(AttributeError, match="no attribute 'analyze'"):
        freqviz.analyze  # noqa: B018


@pytest.mark.parametrize(("given", "waits"), [
    ({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None"),
])  # fmt: skip
def test_openmp_waits_for_a_short_while_unless_someone_wants_otherwise(given, waits):
    clean = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os, sys, freqviz; assert 'torch' not in sys.modules; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=clean | given, capture_output=True, text=True)
    assert done.stdout.strip() == waits, done.stderr
