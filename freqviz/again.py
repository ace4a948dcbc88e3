"""Figures made again from the lines that a page offers to copy, without handing those lines to Python.

Lines are read as Python and carried out one by one here: assignments, plain values, items, and calls of figures and
of the modules named in `COMPUTING`. Nothing there writes a file, and nothing else is reached: a figure from elsewhere
is no more dangerous than its data.
"""

import ast
import importlib
import operator
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import models
from freqviz import boxes, run
from freqviz.analysis import Analysis, load_analysis
from freqviz.clip import Clip
from freqviz.jobs import Progress, silent
from freqviz.panel import Panel
from freqviz.session import open_session

Analyse = Callable[..., Analysis]
COMPUTING = (
    "cards", "claims", "compare", "crops", "evidence", "filters", "heatmaps", "influence", "motion", "offsets", "pairs",
    "poses", "restoring", "sharpness", "spectra",
)  # fmt: skip
RUN = ("costs", "deep_trace", "load_network", "window_cuts", "window_frames")
PLAIN = {
    "abs": abs, "dict": dict, "float": float, "int": int, "len": len, "list": list, "max": max, "min": min,
    "range": range, "round": round, "str": str, "tuple": tuple, "zip": zip,
}  # fmt: skip
METHODS = {  # of values that are not ours
    dict: ("get", "items", "keys", "values"),
    np.ndarray: ("T", "argmax", "argmin", "astype", "copy", "max", "mean", "min", "round", "shape", "sum", "tolist"),
    pd.DataFrame: ("columns", "copy", "iloc", "loc", "rename"),
    pd.Series: ("iloc", "loc", "to_numpy", "tolist"),
    list: ("index",),
    tuple: ("index",),
}
WRITING = ("close", "save", "write")  # of our own classes: not reached
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A panel, and what it was made from."""

    panel: Panel
    clips: tuple[Clip, ...]
    analyses: tuple[Analysis, ...]
    networks: tuple[str, ...]  # names, in the order that the lines have them


def analyse(progress: Progress = silent, **given: Any) -> Analysis:
    """As `run.analyse`, with the numbers as a run folder holds them: the page shows those."""
    with tempfile.TemporaryDirectory() as folder:
        return load_analysis(run.analyse(**given, progress=progress).save(Path(folder) / "run"))


def panel(lines: str, analyse: Analyse = analyse) -> Made:
    """The panel that lines of Python give the name `panel`.

    Args:
        lines: as under "Copy" of a figure; what saves the figure is left out.
        analyse: what stands for `freqviz.analyse`, such as one that finds results in a store.
    Raises:
        ValueError: the lines do what no figure needs, or give no panel; the message has the line.
        LookupError: they use a name that there is not.
    """
    try:
        body = ast.parse(lines).body
    except SyntaxError as error:
        raise ValueError(f"a figure is described by lines of Python, got {(error.text or lines).strip()!r}") from None
    reader = _Reader(analyse)
    for statement in body:
        reader.do(statement)
    found = reader.names.get("panel")
    if not isinstance(found, Panel):
        raise ValueError(f"the lines of a figure end in panel = figures. ..., got {type(found).__name__}")
    known = set(models.names())
    texts = [node.value for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Constant)]
    named = [text for text in texts if isinstance(text, str) and text in known]
    held = [name for one in reader.held if isinstance(one, Analysis) for name in one.traces]
    return Made(
        found,
        tuple(one for one in reader.held if isinstance(one, Clip)),
        tuple(one for one in reader.held if isinstance(one, Analysis)),
        tuple(dict.fromkeys([*named, *held])),
    )


class _Module:
    """Functions, classes and constants of a module that lines may use."""

    def __init__(self, name: str, only: Mapping[str, Any] | None = None):
        self.name, self.only = name, only

    def get(self, name: str) -> Any:
        if self.only is not None:
            if name in self.only:
                return self.only[name]
            raise ValueError(f"lines of a figure may use {', '.join(self.only)} of {self.name}, not {name!r}")
        module = importlib.import_module(f"freqviz.{self.name}")
        found = None if name.startswith("_") else getattr(module, name, None)
        if found is None or getattr(found, "__module__", module.__name__) != module.__name__:
            raise LookupError(f"no {name!r} in {self.name} that a figure may use")
        return found


class _Reader:
    """Carries out statements; everything else is refused with the line that has it."""

    def __init__(self, analyse: Analyse):
        self.held: list[Any] = []  # clips and analyses, in the order they were made
        self.names: dict[str, Any] = dict(PLAIN)
        self._given = {
            "freqviz": _Module(
                "freqviz",
                {
                    "models": _Module("models", {"add": models.add}),
                    "Clip": Clip,
                    "analyse": analyse,
                    "load_analysis": load_analysis,
                    "open_session": open_session,
                },
            ),
            "numpy": _Module("numpy", {"array": np.array, "nan": np.nan}),
            "pandas": _Module("pandas", {"DataFrame": pd.DataFrame, "read_json": _read_json}),
            "run": _Module("run", {name: getattr(run, name) for name in RUN}),
        }

    def do(self, statement: ast.stmt) -> None:
        whole = isinstance(statement, ast.ImportFrom) and statement.module == "freqviz"
        if isinstance(statement, ast.Import) or (isinstance(statement, ast.ImportFrom) and whole):
            for alias in statement.names:
                self.names[alias.asname or alias.name] = self._module(alias.name)
        elif isinstance(statement, ast.ImportFrom) and statement.module == "freqviz.boxes":
            self.names["read_boxes"] = boxes.read_boxes
        elif isinstance(statement, ast.ImportFrom) and statement.module == "freqviz.to_matplotlib":
            pass  # with the line that saves the figure
        elif isinstance(statement, ast.Assign) and [type(target) for target in statement.targets] == [ast.Name]:
            self.names[statement.targets[0].id] = self.value(statement.value)  # type: ignore[attr-defined]
        elif not (isinstance(statement, ast.Expr) and _called(statement.value) in ("save_pdf", "save_svg", "save_png")):
            raise _refused(statement)

    def _module(self, name: str) -> _Module:
        if name in self._given:
            return self._given[name]
        if name in COMPUTING or name == "figures" or (name.startswith("figures_") and name.isidentifier()):
            return _Module(name)
        raise ValueError(f"lines of a figure may import figures and {', '.join(COMPUTING)}, not {name!r}")

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise LookupError(f"lines of a figure use the name {node.id!r}, which they do not make")
            return self.names[node.id]
        if isinstance(node, ast.List | ast.Tuple):
            values = [self.value(one) for one in node.elts]
            return values if isinstance(node, ast.List) else tuple(values)
        if isinstance(node, ast.Dict) and all(node.keys):
            return {self.value(key): self.value(one) for key, one in zip(node.keys, node.values, strict=True) if key}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            left, right = self.value(node.left), self.value(node.right)
            if isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple):
                raise _refused(node)  # repeated without end they fill the memory
            return OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.Subscript):
            return self.value(node.value)[self._index(node.slice)]
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.ListComp) and len(node.generators) == 1:
            return self._each(node, node.generators[0])
        raise _refused(node)

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Tuple):
            return tuple(self._index(one) for one in node.elts)
        return self.value(node)

    def _attribute(self, node: ast.Attribute) -> Any:
        owner, name = self.value(node.value), node.attr
        if isinstance(owner, _Module):
            return owner.get(name)
        ours = type(owner).__module__.partition(".")[0] == "freqviz"
        known = next((names for kind, names in METHODS.items() if isinstance(owner, kind)), ())
        if name.startswith("_") or not (name in known or (ours and name not in WRITING)):
            raise _refused(node)
        return getattr(owner, name)

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        if isinstance(function, _Module):
            raise _refused(node)
        given = {word.arg: self.value(word.value) for word in node.keywords if word.arg}
        if len(given) < len(node.keywords):
            raise _refused(node)
        if self._given["freqviz"].only and function is self._given["freqviz"].only["analyse"]:
            first = dict(zip(("clip", "models"), map(self.value, node.args), strict=False))
            found = function(**first, **given)
        else:
            found = function(*map(self.value, node.args), **given)
        if isinstance(found, Clip | Analysis) and not any(found is one for one in self.held):
            self.held.append(found)
        return found

    def _each(self, node: ast.ListComp, loop: ast.comprehension) -> list[Any]:
        if not isinstance(loop.target, ast.Name) or loop.ifs or loop.is_async:
            raise _refused(node)
        before, found = dict(self.names), []
        for one in self.value(loop.iter):
            self.names[loop.target.id] = one
            found.append(self.value(node.elt))
        self.names = before
        return found


def _called(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _refused(node: ast.AST) -> ValueError:
    return ValueError(f"lines of a figure may not do this: {ast.unparse(node)[:100]}")


def _read_json(path: Any, **options: Any) -> Any:
    if not Path(str(path)).is_file():  # pandas would fetch an address
        raise FileNotFoundError(f"no file {path}")
    return pd.read_json(Path(str(path)), **options)
