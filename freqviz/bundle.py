"""A figure with all that belongs to it: vector and pixel files, its data, its source for LaTeX, its words.

`figure.json` names each panel by the lines of Python that a page offers to copy, with the settings of the paper and
the hashes of clips and checkpoints. From it the same files are made again, byte for byte, by
`python -m freqviz figure figure.json` or, in a notebook:

    from freqviz import bundle
    bundle.write(bundle.read("figure.json"), "figure")
"""

import hashlib
import html
import io
import json
import os
import shlex
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import models
from freqviz import again, devices, look, run, to_matplotlib, to_pgfplots
from freqviz.again import Analyse, Made
from freqviz.clip import Clip
from freqviz.jobs import Cancelled, Progress, never, silent
from freqviz.panel import Sheet
from freqviz.paper import Paper
from freqviz.store import write_folder
from freqviz.to_plotly import to_plotly

SPEC = "figure.json"
LIBRARIES = ("matplotlib", "numpy", "opencv-python-headless", "pandas", "plotly", "scipy", "torch")
MOST_THREADS = 1024
FORMS = ("pdf", "svg", "png")
PARTS = len(FORMS) + 4  # pgfplots, arrays, page, words
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file in an archive: the same bytes every time


@dataclass(frozen=True)
class Figure:
    """What a figure is made from.

    Args:
        panels: lines of Python for each panel, each giving `panel`, as in `again.panel`.
        columns: of the sheet, 1 to the number of panels.
        paper: width, type, palette.
        threads: that share the sums of its analyses, which round otherwise with another number; None: as it is.
    Raises:
        ValueError: no panel, or columns or threads out of range.
    """

    panels: tuple[str, ...]
    columns: int = 1
    paper: Paper = Paper()
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError("a figure needs at least one panel, got none")
        if not 1 <= self.columns <= len(self.panels):
            raise ValueError(f"columns must be 1 to {len(self.panels)}, got {self.columns}")
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise ValueError(f"threads must be 1 to {MOST_THREADS}, got {self.threads}")

    def made(self, progress: Progress = silent, analyse: Analyse = again.analyse) -> list[Made]:
        """Its panels, made one after another; an analysis that several need is made once."""
        found, known = [], dict[str, Any]()

        def once(**given: Any) -> Any:
            key = repr(sorted(given.items(), key=lambda pair: pair[0]))
            known[key] = known.get(key) or analyse(**given)
            return known[key]

        with devices.with_threads(self.threads):
            for number, lines in enumerate(self.panels):
                found.append(again.panel(lines, once))
                progress(number + 1, len(self.panels))
        return found


def read(path: Path | str) -> Figure:
    """The figure that a `figure.json` describes.

    Raises:
        ValueError: it is no such file; the message says what is missing.
        FileNotFoundError: there is none.
    """
    path = Path(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        panels = tuple("\n".join(one["python"]) for one in told["panels"])
        threads = int(told["threads"]) if "threads" in told else None
        return Figure(panels, int(told["columns"]), Paper.of(told["paper"]), threads)
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no figure.json of freqviz: {type(error).__name__} {error}") from None


def changed(path: Path | str, made: Iterable[Made]) -> list[str]:
    """Sentences about what is not as it was when a `figure.json` was made: clips, checkpoints, code, processors."""
    told, now = json.loads(Path(path).read_text(encoding="utf-8")), facts(made)
    lines, cores = [], os.cpu_count() or 1
    if told.get("threads", 0) > cores:
        lines.append(
            f"it was made with {told['threads']} threads, and this machine has {cores} processor{'s' * (cores > 1)}, "
            "so sums may be rounded otherwise"
        )
    for kind, what in (("clips", "clip"), ("checkpoints", "checkpoint")):
        before = {name: one["sha256"] if kind == "clips" else one for name, one in told.get(kind, {}).items()}
        for name, one in now[kind].items():
            hashed = one["sha256"] if kind == "clips" else one
            if name in before and before[name] != hashed:
                lines.append(f"the {what} {name} is another one ({hashed[:12]}, not {before[name][:12]})")
    return lines


def files(
    figure: Figure,
    made: list[Made],
    name: str = "figure",
    progress: Progress = silent,
    cancelled: Callable[[], bool] = never,
) -> dict[str, bytes]:
    """Every file of the bundle, by name; the same figure gives the same bytes, also in another process.

    Args:
        figure: what to write.
        made: its panels, as `Figure.made` gives them.
        name: what the names of all files but `figure.json` begin with.
        progress: told (done, total) parts.
        cancelled: asked between parts.
    Raises:
        Cancelled: `cancelled` said so.
    """
    found: dict[str, bytes] = {}
    for done, part in enumerate(_parts(figure, made, name), start=1):
        found |= part
        progress(done, PARTS)
        if cancelled():
            raise Cancelled
    return found


def _parts(figure: Figure, made: list[Made], name: str) -> Iterator[dict[str, bytes]]:
    sheet, paper = sheet_of(figure, made), figure.paper
    told = facts(made)
    story = {"clips": told["clips"], "checkpoints": told["checkpoints"], "code": told["code"], "command": command()}
    for form in FORMS:
        yield {f"{name}.{form}": to_matplotlib.render(sheet, form, paper, None, story)}
    yield to_pgfplots.to_pgfplots(sheet, paper, name=name)
    arrays = {to_matplotlib.letters(n): to_pgfplots.arrays(one) for n, one in enumerate(sheet.panels)}
    yield {f"{name}-{letter}.npz": zipped(to_pgfplots.npz(held)) for letter, held in arrays.items() if held}
    yield {f"{name}.html": page(sheet).encode()}
    words = caption(sheet, paper), methods(made)
    latex = f"\\caption{{{to_pgfplots.tex(words[0])}}}\n\n{to_pgfplots.tex(words[1])}\n"
    spec = {
        "panels": [{"python": lines.splitlines()} for lines in figure.panels],
        "columns": figure.columns,
        "paper": paper.as_dict(),
        "command": command(),
        "threads": figure.threads or _threads(made),
        **told,
    }
    yield {
        "caption.txt": "\n\n".join(words).encode() + b"\n",
        "caption.tex": latex.encode(),
        SPEC: (json.dumps(spec, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def sheet_of(figure: Figure, made: list[Made]) -> Sheet:
    """The sheet that a figure prints."""
    return Sheet(tuple(one.panel for one in made), figure.columns)


def command() -> str:
    """What makes the bundle again, in the folder of the project."""
    return shlex.join(["python", "-m", "freqviz", "figure", SPEC, "--out", "figure"])


def write(figure: Figure, folder: Path | str, made: list[Made] | None = None) -> Path:
    """Write the bundle as a folder, aside, then in its place: a failed one leaves what was there.

    Args:
        made: the panels, if they were made already.
    Raises:
        FileExistsError: the folder holds something else than a bundle.
        ValueError, LookupError, OSError: a panel cannot be made.
    """
    held = files(figure, figure.made() if made is None else made)

    def fill(aside: Path) -> None:
        for name, data in held.items():
            (aside / name).write_bytes(data)

    return write_folder(Path(folder), fill, SPEC)


def zipped(held: Mapping[str, bytes]) -> bytes:
    """Files as an archive, the same bytes every time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


# ---- what it was made from, and words for it


def facts(made: Iterable[Made]) -> dict[str, Any]:
    """Clips by name, hashes of checkpoints, settings of the analyses, versions: all that numbers depend on."""
    made = list(made)
    clips: dict[str, dict[str, Any]] = {}
    settings: list[dict[str, Any]] = []
    for one in made:
        for clip in one.clips:
            first, count = clip.first, len(clip)
            known = {"sha256": _hash(clip), "first": first, "frames": count}
            clips[Path(clip.path).name if clip.path else "clip"] = known | {
                "size": list(clip.size), "fps": round(float(clip.fps), 4),
            }  # fmt: skip
        for analysis in one.analyses:
            told, chosen = analysis.provenance["clip"], analysis.provenance["settings"]
            known = {"sha256": told["hash"], "first": told["first"], "frames": told["frames"]}
            clips.setdefault(told["name"], known | {"size": told["size"], "fps": round(told["fps"], 4)})
            about = {"clip": told["name"], "networks": analysis.provenance["models"], "box": chosen["rung"]}
            settings += [] if about in settings else [about]
    networks = dict.fromkeys(name for one in made for name in one.networks)
    return {
        "clips": clips,
        "checkpoints": {name: models.checkpoint_hash(name) for name in networks},
        "analyses": settings,
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "code": run.code_version(),
    }


def _hash(clip: Clip) -> str:
    """SHA-256 of the clip's file, or of the images of its folder; of its frames where they come from neither."""
    if clip.path is None:
        return clip.hash
    whole = Clip(clip.path) if clip.path.is_dir() else clip  # a part has a hash of its own
    return whole.hash if clip.path.is_dir() else hashlib.sha256(clip.path.read_bytes()).hexdigest()


def _threads(made: Iterable[Made]) -> int:
    """How many threads shared the sums of the first analysis; of this process where there is none."""
    held = [analysis.provenance.get("threads") for one in made for analysis in one.analyses]
    return next(filter(None, held), devices.threads())


def caption(sheet: Sheet, paper: Paper) -> str:
    """A caption to begin with: what each panel shows, its results, and how to read it."""
    parts = []
    for number, one in enumerate(sheet.panels):
        letter = f"({to_matplotlib.letters(number)}) " if paper.letters and len(sheet.panels) > 1 else ""
        sentences = [f"{letter}{one.title.rstrip('.')}.", one.note, one.guide]
        parts.append(" ".join(text.strip() for text in sentences if text.strip()))
    return " ".join(parts)


def methods(made: Iterable[Made]) -> str:
    """Sentences for the section on methods: networks, clips, boxes, formulas and their sources."""
    made = list(made)
    told = facts(made)
    sentences = []
    if told["checkpoints"]:
        named = [f"{name} (checkpoint {hashed[:12]})" for name, hashed in told["checkpoints"].items()]
        sentences.append(f"Poses were estimated by {_and(named)}.")
    for name, clip in told["clips"].items():
        height, width = clip["size"]
        sentences.append(
            f"The clip {name} (SHA-256 {clip['sha256'][:12]}) has {width} × {height} pixels and "
            f"{clip['fps']:g} frames per second; frames {clip['first']} to {clip['first'] + clip['frames'] - 1} "
            "were used."
        )
    for one in told["analyses"]:
        sentences.append(f"The person's first box in {one['clip']}: {one['box']}.")
    for one in made:
        what = one.panel
        if what.formula:
            source = f" ({what.source.rstrip('.')})" if what.source else ""
            sentences.append(f"{what.title}: {' '.join(what.formula.split()).rstrip('.')}{source}.")
    sentences.append(f"Figures were made with freqviz, code {told['code']}.")
    return " ".join(dict.fromkeys(sentences))


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def page(sheet: Sheet) -> str:
    """The panels as an interactive page that needs no connection: it carries the library that draws it."""
    parts = []
    for number, one in enumerate(sheet.panels):
        drawn = to_plotly(replace(one, title="", note=""), width=560)
        figure = drawn.to_html(
            full_html=False, include_plotlyjs=number == 0, div_id=f"panel-{number}", config={"displaylogo": False}
        )
        head = f"<h2>{html.escape(one.title)}</h2><p>{html.escape(one.note)}</p>"
        parts.append(f"<section>{head}{figure}<p class=guide>{html.escape(one.guide)}</p></section>")
    style = (
        f"body{{font:14px {look.SCREEN_FONTS};color:{look.TEXT};margin:24px}}"
        "main{display:grid;gap:32px 24px;"
        f"grid-template-columns:repeat(auto-fit,minmax(min(100%,{1300 // (sheet.columns + 1)}px),1fr))}}"
        "section{min-width:0}h2{font-size:15px;margin:0}p{margin:4px 0;font-size:13px;color:#555}"
    )
    return (
        f"<!DOCTYPE html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(sheet.panels[0].title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def in_words(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.2g} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
