"""Does the container file keep what it promises: no root, nothing written but /store and /tmp, a health check?"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE = ROOT / "Containerfile"
LINTER = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def instructions(text):
    """(word, rest) of every instruction, lines joined, comments left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def held():
    return instructions(FILE.read_text(encoding="utf-8"))


def rest(held, word):
    return [after for name, after in held if name == word]


def test_it_ends_as_a_user_of_a_number_that_is_not_root(held):
    (user,) = rest(held, "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)  # a number, so that an engine can tell it is not root
    after = [name for name, _ in held[[name for name, _ in held].index("USER") :]]
    assert not {"RUN", "COPY", "ADD"} & set(after)
    assert "sudo" not in FILE.read_text()


def test_only_the_store_and_tmp_are_written(held):
    assert rest(held, "VOLUME") == ["/store"]
    places = dict(pair.split("=", 1) for pair in shlex.split(rest(held, "ENV")[0]))
    assert places["FREQVIZ_RUNS"] == "/store"
    assert places["HOME"].startswith("/tmp")
    assert places["MPLCONFIGDIR"].startswith("/tmp")
    assert places["PYTHONDONTWRITEBYTECODE"] == "1"


def test_health_is_asked_where_the_server_answers(held):
    (check,) = rest(held, "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    (start,) = rest(held, "ENTRYPOINT")
    port = json.loads(start)[json.loads(start).index("--server.port") + 1]
    assert f"127.0.0.1:{port}/_stcore/health" in command[2]
    compile(command[2], "the check", "exec")
    assert rest(held, "EXPOSE") == [port]


def test_what_is_copied_is_there_and_holds_no_data_of_visitors(held):
    sources = [source for after in rest(held, "COPY") for source in after.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    assert {"app.py", "serve.py", "freqviz", "models", "pages", "assets", ".streamlit", "requirements.txt"} == set(
        sources
    )
    ignored = (ROOT / ".containerignore").read_text().split("\n")
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(sources)


def test_the_device_is_an_argument_and_no_host_is_named(held):
    assert "DEVICE=cpu" in rest(held, "ARG")
    install = next(after for after in rest(held, "RUN") if "pip install" in after)
    assert re.search(r"\bcpu\)", install)
    assert re.search(r"\bcuda\)", install)
    assert not re.search(r"https?://(?!127\.0\.0\.1)", FILE.read_text())
    (base,) = rest(held, "FROM")
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim-\w+", base)  # an image, a version, no host


@pytest.mark.parametrize(("device", "index", "expected"), [
    ("cpu", "", "pip install -r"), ("cpu", "an index", "pip install --index-url an index -r"),
    ("cuda", "an index", "pip install -r"), ("tpu", "", "DEVICE must be cpu or cuda, got tpu"),
])  # fmt: skip
def test_the_script_that_installs_does_what_the_arguments_say(device, index, expected, held, tmp_path):
    install = next(after for after in rest(held, "RUN") if "pip install" in after).replace("/tmp/", f"{tmp_path}/")
    told = f'python() {{ echo "${{@:2}}"; }}; DEVICE={device} TORCH_INDEX={shlex.quote(index)}; {install}'
    done = subprocess.run(["bash", "-c", told], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout + done.stderr).startswith(expected)
    if device != "tpu":
        assert (tmp_path / "torch.txt").read_text().startswith("torch==")
        assert "-r requirements.txt" in done.stdout


@pytest.mark.skipif(LINTER is None, reason="hadolint is not installed; requirements-dev.txt has it for Linux on x86-64")
def test_the_linter_has_no_objection():
    done = subprocess.run([LINTER, str(FILE)], capture_output=True, text=True, timeout=120)
    assert done.stdout + done.stderr == ""
