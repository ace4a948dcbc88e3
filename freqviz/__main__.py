"""The command line: the same functions as the page and the notebook."""

import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

app = typer.Typer(
    help="See what video pose networks do in the frequency domain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out, err = Console(), Console(stderr=True)

Videos = Annotated[list[Path], typer.Argument(help="Clips, or folders of images.")]
Video = Annotated[Path, typer.Argument(help="Clip, folder of images, or of a session.")]
KeyFrame = Annotated[int, typer.Option("--frame", help="The key frame of the window.")]
WindowBox = Annotated[str, typer.Option("--box", help="x,y,w,h of the person in the key frame, in pixels.")]
BoxText = Annotated[str | None, typer.Option("--box", help="x,y,w,h of the person in the first frame, in pixels.")]
BoxFile = Annotated[Path | None, typer.Option("--boxes", help="CSV frame,x,y,w,h, MOT or COCO; linear between.")]
Part = Annotated[str | None, typer.Option("--frames", help="a:b, only frames a to b - 1.", show_default="all")]
Corrections = Annotated[
    list[str] | None,
    typer.Option("--correct", help="FRAME:x,y,w,h where the person was lost; from there on. Repeatable."),
]
Person = Annotated[int | None, typer.Option("--person", help="Id in --boxes.", show_default="who has the most boxes")]
WholeFrame = Annotated[bool, typer.Option("--whole-frame", help="The person fills the frame.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of lspet/ and jhmdb/; else $FREQVIZ_DATA, else data/.")
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        help="Parameters of your own: a safetensors FILE, or NETWORK=FILE of several networks. Repeatable. A network "
        "named NETWORK=FILE in the list runs beside the one that is here.",
    ),
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Bad input ends in one sentence and exit code 2; a fault of ours still shows its trace."""
    try:
        yield
    except (ValueError, LookupError, OSError, ModuleNotFoundError) as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        err.print(
            f"Error: {text or type(error).__name__}",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Stopped.")
        raise typer.Exit(130) from None


@app.command()
def predict(
    videos: Videos,
    model: Annotated[str, typer.Option("--model", help="Network; see `models`.")] = "freq-video",
    weights: Weights = None,
    box: BoxText = None,
    boxes: BoxFile = None,
    person: Person = None,
    whole_frame: WholeFrame = False,
    correct: Corrections = None,
    frames: Part = None,
    device: DeviceName = "auto",
    to: Annotated[Path, typer.Option("--out", help="CSV; a folder of CSVs when several clips are given.")] = Path(
        "poses.csv"
    ),
) -> None:
    """Write the poses of a person: model, person, frame, time, joint, x, y (frame pixels), score."""
    with plain_errors():
        from freqviz import run

        first, by_frame, corrections = _box(box, videos), _people(boxes, person), _corrections(correct, videos)
        part = _span(frames)
        targets = [to] if len(videos) == 1 else [to / f"{name}.csv" for name in _names(videos)]
        (model,) = _networks(model, weights, one=True)
        for video, target in zip(videos, targets, strict=True):
            with _bar(video.name) as progress:
                table = run.predict(
                    _part(video, None), model, first, by_frame, whole_frame, device, progress,
                    corrections=corrections, frames=part,
                )  # fmt: skip
            _write(table, target)
            out.print(f"{target}: {table['frame'].nunique()} frames", highlight=False)


@app.command()
def analyse(
    videos: Videos,
    to: Annotated[Path, typer.Option("--out", help="Run folder; one folder per clip inside it when several.")],
    models: Annotated[str, typer.Option("--models", help="Networks, separated by commas; the first moves the box.")] = (
        "spatial-video,freq-video"
    ),
    weights: Weights = None,
    box: BoxText = None,
    boxes: BoxFile = None,
    person: Person = None,
    whole_frame: WholeFrame = False,
    correct: Corrections = None,
    frames: Part = None,
    device: DeviceName = "auto",
    deep: Annotated[str, typer.Option("--deep", help="Frames whose whole window is kept, e.g. 40,41.")] = "",
) -> None:
    """Write poses.csv, frames.csv, weights.csv, the traces and run.json."""
    with plain_errors():
        from freqviz import run

        names = _networks(models, weights)
        keys = _numbers("--deep", deep, int) if deep else []
        first, by_frame, corrections = _box(box, videos), _people(boxes, person), _corrections(correct, videos)
        part = _span(frames)
        targets = [to] if len(videos) == 1 else [to / name for name in _names(videos)]
        for video, target in zip(videos, targets, strict=True):
            with _bar(video.name) as progress:
                found = run.analyse(
                    _part(video, None), names, first, by_frame, whole_frame, device, progress, keys, target,
                    corrections=corrections, frames=part,
                )  # fmt: skip
            for line in found.provenance["clip"]["report"]:
                err.print(f"{video.name}: {line}", highlight=False, markup=False)
            sources, lost = ", ".join(found.frames["box_source"].unique()), (found.frames["lost"] != "").sum()
            seems = f"; the person seems lost in {lost}" if lost else ""
            out.print(f"{target}: {len(found.frames)} frames, box: {sources}{seems}", highlight=False, markup=False)


@app.command()
def window(
    video: Video,
    frame: KeyFrame,
    frames: Part = None,
    model: Annotated[str, typer.Option("--model", help="Network; see `models`.")] = "freq-video",
    weights: Weights = None,
    box: Annotated[
        str | None,
        typer.Option("--box", help="x,y,w,h of the person in the key frame, in pixels.", show_default="whole frame"),
    ] = None,
    device: DeviceName = "auto",
    to: Annotated[Path, typer.Option("--out", help="NPZ that `freqviz.trace.Trace.load` reads.")] = Path("window.npz"),
) -> None:
    """Write everything that a network computes for one frame: features, offsets, masks, filters, weights, heatmaps."""
    with plain_errors():
        from freqviz import boxes, run

        given, clip = _box(box, [video]), _part(video, frames)
        held = boxes.whole_frame(clip.size) if given is None else given
        (model,) = _networks(model, weights, one=True)
        trace = run.deep_trace(clip, model, frame - clip.first, held, device)
        to.parent.mkdir(parents=True, exist_ok=True)
        trace.save(to)
        out.print(f"{to}: {', '.join(trace.quantities)}", highlight=False, markup=False)


@app.command()
def influence(
    video: Video,
    frame: KeyFrame,
    box: WindowBox,
    frames: Part = None,
    models: Annotated[str, typer.Option("--models", help="Networks of several frames, separated by commas.")] = (
        "spatial-video,freq-video"
    ),
    weights: Weights = None,
    device: DeviceName = "auto",
    to: Annotated[Path, typer.Option("--out", help="CSV.")] = Path("influence.csv"),
) -> None:
    """Write how far each joint moves when a neighbour is exchanged for the key frame."""
    with plain_errors():
        import pandas as pd

        from freqviz import influence as exchange

        held, clip = _window_box(box), _part(video, frames)
        names = _networks(models, weights)
        found = [exchange.of_frame(clip, name, frame - clip.first, held, device) for name in names]
        if not found:
            raise ValueError("--models needs at least one network, got none")
        _write(pd.concat([one.table() for one in found], ignore_index=True), to)
        for one in found:
            moved = ", ".join(
                f"{slot:+d}: {mean:.2f} px" for slot, mean in zip(one.slots, one.mean, strict=True) if slot
            )
            out.print(f"{one.network}, mean over the joints: {moved}", highlight=False, markup=False)


@app.command()
def intervene(
    video: Video,
    frame: KeyFrame,
    box: WindowBox,
    frames: Part = None,
    slot: Annotated[int, typer.Option("--slot", help="Frames from the key frame to the one to change.")] = 0,
    model: Annotated[str, typer.Option("--model", help="Network of several frames.")] = "freq-video",
    weights: Weights = None,
    blur: Annotated[float, typer.Option("--blur", help="Length of motion blur, pixels.")] = 0.0,
    angle: Annotated[float, typer.Option("--angle", help="Its direction, degrees from right to down.")] = 0.0,
    noise: Annotated[float, typer.Option("--noise", help="Standard deviation, share of the grey range.")] = 0.0,
    gain: Annotated[float, typer.Option("--gain", help="Times the light.")] = 1.0,
    device: DeviceName = "auto",
    to: Annotated[Path, typer.Option("--out", help="CSV.")] = Path("change.csv"),
) -> None:
    """Change one frame of a window; write energies, weights and joints before and after."""
    with plain_errors():
        from freqviz import influence as exchange
        from freqviz import reading, run

        held, clip = _window_box(box), _part(video, frames)
        (model,) = _networks(model, weights, one=True)
        window = exchange.encode_window(clip, run.load_network(model, device), frame - clip.first, held, model)
        found = exchange.intervene(clip, window, slot, exchange.Change(blur, math.radians(angle), noise, gain))
        _write(found.table(), to)
        out.print(reading.change(found), highlight=False, markup=False)


session = typer.Typer(help="Keep an analysis with all that is needed to look at it in one file; open such a file.")
app.add_typer(session, name="session", no_args_is_help=True)


@session.command("save")
def save_session(
    folder: Annotated[Path, typer.Argument(help="What `analyse` wrote.", metavar="RUN")],
    video: Annotated[Path, typer.Argument(help="The clip, or folder of images, that was analysed.")],
    to: Annotated[Path | None, typer.Option("--out", help="File.", show_default="RUN.freqviz.zip")] = None,
    small: Annotated[bool, typer.Option("--small", help="Encode the clip anew, and only the frames analysed.")] = False,
    truth: Annotated[Path | None, typer.Option("--truth", help="True joints: poses as CSV, or JHMDB's .mat.")] = None,
) -> None:
    """Write poses, tables, traces and the clip into one file, which the page opens on any machine."""
    with plain_errors():
        from freqviz import poses
        from freqviz.analysis import load_analysis
        from freqviz.clip import Clip
        from freqviz.session import SUFFIX
        from freqviz.session import save_session as save

        analysis, clip = load_analysis(folder), Clip(video)
        known = None if truth is None else poses.read_truth(truth, len(clip), clip.size)
        target = to or folder.with_name(folder.name + SUFFIX)
        with _bar(video.name) as progress:
            save(target, analysis, clip, small=small, keypoints=known, progress=progress)
        out.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB", highlight=False, markup=False)


@session.command("open")
def open_session(
    file: Annotated[Path, typer.Argument(help="A session file.")],
    to: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
) -> None:
    """Check a session file and unpack it: a run folder with the clip in it, which other commands take for the clip."""
    with plain_errors():
        from freqviz.session import open_session as unpack

        found = unpack(file, to)
        names = ", ".join(found.analysis.traces)
        told = f"{len(found.analysis.frames)} frames of {found.name or 'a clip'}, analysed by {names}"
        out.print(f"{to}: {told}", highlight=False, markup=False)


@app.command()
def compare(
    source: Annotated[Path, typer.Argument(help="A clip, a folder of images, or a run folder of `analyse`.")],
    models: Annotated[str | None, typer.Option("--models", help="Networks to run; the first moves the box.")] = None,
    weights: Weights = None,
    pair: Annotated[str | None, typer.Option("--pair", help="A,B of them.", show_default="the first two")] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="True joints: frame,joint,x,y as CSV, or joint_positions.mat.")
    ] = None,
    frame: Annotated[int | None, typer.Option("--frame", help="Adds the distances in this frame.")] = None,
    box: BoxText = None,
    boxes: BoxFile = None,
    person: Person = None,
    whole_frame: WholeFrame = False,
    correct: Corrections = None,
    frames: Part = None,
    device: DeviceName = "auto",
    to: Annotated[Path | None, typer.Option("--out", help="Folder for the tables as CSV.", show_default="none")] = None,
) -> None:
    """Compare two networks on one clip: where they differ, error and jitter, paired differences, cost."""
    with plain_errors():
        from freqviz import pairs, run
        from freqviz.analysis import load_analysis

        asked = models or ("" if (source / "run.json").is_file() else ",".join(run.DEFAULT_MODELS))
        names = _networks(asked, weights)
        if (source / "run.json").is_file():
            if any((box, boxes, person is not None, whole_frame, correct, frames, weights)):
                raise ValueError("a run folder has its boxes, frames and networks; give these options with a clip")
            analysis = load_analysis(source)
        else:
            first, by_frame, corrections = _box(box, [source]), _people(boxes, person), _corrections(correct, [source])
            with _bar(source.name) as progress:
                analysis = run.analyse(
                    source, names, first, by_frame, whole_frame, device, progress,
                    corrections=corrections, frames=_span(frames),
                )  # fmt: skip
        renamed = dict(zip(map(str.strip, asked.split(",")), names, strict=False))
        chosen = [name.strip() for name in pair.split(",")] if pair else (names or list(analysis.traces))[:2]
        found = pairs.of_analysis(analysis, [renamed.get(name, name) for name in chosen], truth)
        tables = {
            "ranking": pairs.ranking(found, None if frame is None else found.index(frame)),
            "accuracy": pairs.accuracy(found),
            "statistics": pairs.statistics(found),
            "costs": run.costs(analysis, found.names),
        }
        if found.truth is not None:
            tables["error_by_joint"] = pairs.error_by_joint(found)
        for name, table in tables.items():
            out.print(f"{name.replace('_', ' ')}, A = {found.names[0]}, B = {found.names[1]}", highlight=False)
            out.print(table.to_string(index=False, float_format="%.5g"), highlight=False, markup=False, soft_wrap=True)
            if to is not None:
                _write(table, to / f"{name}.csv")
        for quantity in found.quantities:
            try:
                line = str(pairs.paired(found, quantity))
            except ValueError as reason:
                line = f"{reason}"
            out.print(f"{quantity}: {line}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def claims(
    video: Video,
    run: Annotated[Path, typer.Option("--run", help="Run folder that `analyse` wrote of this clip.")],
    frames: Annotated[str | None, typer.Option("--frames", help="As of the run.", show_default="as of the run")] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="JSON whose blur_length has every frame's pixels.", show_default="edge width"),
    ] = None,
    to: Annotated[Path, typer.Option("--out", help="JSON that `freqviz.claims.Claims.load` reads.")] = Path(
        "claims.json"
    ),
) -> None:
    """Test three claims about blur and spectra on a clip; write the numbers and say the verdicts."""
    with plain_errors():
        from freqviz import claims as three
        from freqviz.analysis import load_analysis

        analysis, clip = load_analysis(run), _part(video, frames)
        if frames is None:
            known = analysis.provenance["clip"]
            clip = clip.between(known["first"], known["first"] + known["frames"])
        with _bar(video.name) as progress:
            if truth is None:
                found = three.measure(clip, analysis, progress=progress)
            else:
                known = json.loads(truth.read_text(encoding="utf-8")).get("blur_length")
                if not isinstance(known, list):
                    raise ValueError(f"{truth.name} has no list blur_length")
                blurs = known[clip.first : clip.first + len(clip)]
                found = three.measure(clip, analysis, blurs, "True blur (pixels)", progress)
        to.parent.mkdir(parents=True, exist_ok=True)
        found.save(to)
        for verdict in found.verdicts:
            out.print(f"{verdict.claim}: {verdict.outcome}. {verdict.reason}", highlight=False, markup=False)


@app.command("models")
def list_models() -> None:
    """Show every network: size, what it was trained on, scores; from its card."""
    with plain_errors():
        import models

        table = Table("name", "frames", "parameters", "checkpoint", "seeds", "PCK@.1 R0 / R2")
        table.columns[0].no_wrap = True
        told: dict[str, list[str]] = {}  # what it was trained on: who was, for how long
        for name in models.names():
            network = models.build(name)
            count = sum(values.numel() for values in network.parameters())
            card, checkpoint = _card(name)
            scores = card.get("scores", {})
            table.add_row(
                name,
                str(network.frames),
                f"{count / 1e6:.2f} M",
                checkpoint,
                _text(card.get("seeds")),
                " / ".join(f"{scores[regime][1]:.3f}" for regime in ("R0", "R2") if regime in scores),
            )
            steps = card.get("budget", {}).get("steps")
            if steps and {"data", "joints"} <= set(card):  # one that was trained elsewhere may have scores alone
                told.setdefault(f"{card['data']}. Joints: {card['joints']}", []).append(f"{name} {steps:,}")
        out.print(table)
        for data, who in told.items():
            out.print(f"\nTrained ({', '.join(who)} steps) on {data}", highlight=False, markup=False)


@app.command()
def doctor() -> None:
    """Say what this machine can do, and what to do about what it cannot."""
    with plain_errors():
        table = Table("what", "found", "if it is missing")
        rows = [*_machine(), *_packages(), *_tools(), *_checkpoints()]
        for what, found, remedy in rows:
            table.add_row(what, found or "missing", "" if found else remedy)
        out.print(table)
        if any(not found and remedy.startswith("needed") for _, found, remedy in rows):
            raise typer.Exit(1)


@app.command("app")
def serve(
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8501,
    address: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "localhost",
) -> None:
    """Open the page in a browser."""
    with plain_errors():
        _need("streamlit")
        page = Path(__file__).parent.parent / "app.py"
        command = [sys.executable, "-m", "streamlit", "run", str(page), f"--server.port={port}"]
        raise typer.Exit(subprocess.call([*command, f"--server.address={address}"], cwd=page.parent))


@app.command()
def sample(
    to: Annotated[Path, typer.Option("--out", help="Folder for the clip and its truth.")] = Path("assets"),
) -> None:
    """Make the sample clip: a drawn figure with known joints and known blur."""
    with plain_errors():
        from freqviz.sample import make_sample

        out.print(str(make_sample(to)), highlight=False)


@app.command()
def train(
    name: Annotated[str | None, typer.Argument(help="Recipe: a network, or video-pair.")] = None,
    queue: Annotated[
        Path | None, typer.Option("--queue", help="File with a recipe a line, done one after another.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Stop after so long; a later call goes on.", show_default="none")
    ] = math.inf,
    data: DataFolder = None,
) -> None:
    """Train a network, or go on with a queue of runs."""
    with plain_errors():
        if (name is None) == (queue is None):
            raise ValueError("give the name of a network, or --queue FILE")
        from freqviz.learn import train as learn

        if queue is not None:
            done = learn.run_queue(queue, minutes, root=data)
        else:
            done = learn.run(str(name), minutes, root=data)
        out.print("finished" if done else "stopped for now; the same command goes on")


@app.command()
def evaluate(
    names: Annotated[list[str] | None, typer.Argument(help="Networks; see `models`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every network; writes the tables too.")] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Only where frequency helps and where it does not: that page's tables.")
    ] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Only what each choice is worth: short trainings, held-out films.")
    ] = False,
    data: DataFolder = None,
    part: Annotated[str, typer.Option(help="test, or validation to make the choices that test needs.")] = "test",
) -> None:
    """Score networks as PROTOCOL.md says, and write the tables."""
    with plain_errors():
        if bool(names) + every + evidence + ablations != 1:
            raise ValueError("give names of networks, --all, --evidence or --ablations")
        if part not in ("test", "validation"):
            raise ValueError(f"--part must be test or validation, got '{part}'")
        import models
        from freqviz.learn import draws, readme, report, restored
        from freqviz.learn import evaluate as learn
        from freqviz.learn.data import data_root

        if evidence or ablations:
            _evidence(data_root(data)) if evidence else _ablations(data_root(data))
            return
        chosen = names or [name for name in models.names() if name not in models.brought()]
        for name in chosen:
            models.load(name)  # says what is missing before hours are spent
        if restored.NAME in chosen:
            folder = restored.run(data_root(data), part)
            if part == "test":
                restored.write(folder, report.README)
            chosen = [name for name in chosen if name != restored.NAME]
            if not chosen:
                return
        first = [name for name in chosen if name in readme.NETWORKS]  # of the first tables, with all their seeds
        regimes = draws.REGIMES if part == "test" else ("R1", "R2")  # choices are made on these
        if first:
            folder = learn.run(data_root(data), first, part, regimes=regimes)
            if part == "validation":
                report.ASSETS.mkdir(parents=True, exist_ok=True)
                choices = report.choose_on_validation(*report.load(folder))
                (report.ASSETS / "choices.json").write_text(json.dumps(choices, indent=2) + "\n")
            elif every:
                report.write_references(data_root(data))
                report.write(folder, report.README)
        brought = [name for name in chosen if name in models.brought()]
        if brought:
            names = [*brought, *learn.BESIDE]
            folder = learn.run_methods(data_root(data), names, part, regimes=learn.BROUGHT)
            report.tell_brought(folder, brought, keep=part == "test")
        chosen = [name for name in chosen if name not in brought]
        if every or set(chosen) - {"spatial-frame", *learn.TWINS}:
            folder = learn.run_methods(data_root(data), None if every else chosen, part)
            if part == "test":
                report.write_methods(folder, report.README)
            if every and part == "test":
                _ablations(data_root(data))
                _evidence(data_root(data))


def _ablations(root: Path) -> None:
    """Train and predict what is missing; write the table, also into the README."""
    from freqviz.learn import ablations, report

    report.put(report.README, "ablations", ablations.markdown(ablations.write(root)))


def _evidence(root: Path) -> None:
    """Predict what the page "Evidence" needs and is missing; write its tables, and what was found into the README."""
    from freqviz import evidence as found
    from freqviz import to_video
    from freqviz.learn import evidence, report

    folder = evidence.run(root, recompress=to_video.recompressed)
    evidence.write(folder)
    report.put(report.README, "found", "\n".join(found.sentences()))


@app.command()
def log(
    runs: Annotated[list[Path], typer.Argument(help="Folders of trainings, or their logs.", metavar="RUN...")],
    to: Annotated[Path, typer.Option("--out", help="File .pdf or .png.")] = Path("log.pdf"),
    card: Annotated[
        str | None, typer.Option("--card", help="Keep the curve, thinned, in the card of this network instead.")
    ] = None,
) -> None:
    """Plot how trainings went: loss, and validation scores where there are any."""
    with plain_errors():
        if card is not None:
            import models
            from freqviz.learn import record

            models.checkpoint(card)  # a network of this name
            curve = record.curve(runs[0], card) if len(runs) == 1 else {}
            if not curve:
                raise FileNotFoundError(f"--card needs one folder or log of {card}, got {', '.join(map(str, runs))}")
            told = f"{len(curve['step'])} steps, {', '.join(curve)}"
            out.print(f"{models.write_card(card, curve=curve).name}: {told}", highlight=False, markup=False)
            return
        if to.suffix not in (".pdf", ".png"):
            raise ValueError(f"--out must end in .pdf or .png, got '{to}'")
        import pandas as pd

        from freqviz import figures, to_matplotlib

        panels = []
        for path in _logs(runs):
            table = pd.read_csv(path)
            name = path.parent.name if path.stem == "log" else path.stem.removeprefix("log-")
            for columns in figures.training_columns(table):
                panels.append(replace(figures.training_log(table, columns), title=name))
        save = to_matplotlib.save_pdf if to.suffix == ".pdf" else to_matplotlib.save_png
        out.print(str(save(panels, to)), highlight=False, markup=False)


@app.command()
def figure(
    spec: Annotated[Path, typer.Argument(help="The figure.json of a bundle.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the bundle.")] = Path("figure"),
) -> None:
    """Make a figure again: PDF, SVG, PNG, data, LaTeX source, caption; the same bytes as before."""
    with plain_errors():
        from freqviz import bundle

        chosen = bundle.read(spec)
        with _bar(spec.name) as progress:
            made = chosen.made(progress)
        for line in bundle.changed(spec, made):
            err.print(f"Numbers may differ: {line}.", highlight=False, markup=False)
        folder = bundle.write(chosen, to, made)
        size = bundle.in_words((folder / "figure.pdf").stat().st_size)
        out.print(f"{folder}: {len(chosen.panels)} panels, figure.pdf has {size}", highlight=False, markup=False)


@app.command()
def video(
    folder: Annotated[Path, typer.Argument(help="What `analyse` wrote.", metavar="RUN")],
    clip: Annotated[Path, typer.Argument(help="The clip, folder of images, or of a session, that was analysed.")],
    to: Annotated[Path, typer.Option("--out", help="File .mp4, which browsers play, or .gif for slides.")] = Path(
        "clip.mp4"
    ),
    models: Annotated[
        str | None, typer.Option("--models", help="Networks from left to right.", show_default="all of the run")
    ] = None,
    whole_frame: Annotated[bool, typer.Option("--whole-frame", help="Show all of the frame.")] = False,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="True joints: poses as CSV, JHMDB's .mat, the sample's .json.")
    ] = None,
    width: Annotated[int, typer.Option("--width", help="Pixels of the picture at most.")] = 1280,
    megabytes: Annotated[float, typer.Option("--limit", help="MB of a GIF at most.")] = 10.0,
) -> None:
    """Write the clip with skeletons, the weights under each frame, and its spectrum; networks side by side."""
    with plain_errors():
        from freqviz import bundle, figures_strip, poses, to_frames, to_video
        from freqviz.analysis import load_analysis
        from freqviz.session import HEADER, open_session

        if to.suffix.lower() not in to_video.SUFFIXES:
            raise ValueError(f"--out must end in {' or '.join(to_video.SUFFIXES)}, got '{to}'")
        analysis, opened = load_analysis(folder), _part(clip, None)
        anew = (clip / HEADER).is_file() and open_session(clip).small
        names = None if models is None else [name.strip() for name in models.split(",")]
        known = None if truth is None else poses.read_truth(truth, len(opened), opened.size)
        region = figures_strip.WHOLE_FRAME if whole_frame else figures_strip.PERSON
        pictures = to_frames.of_analysis(analysis, opened, names, known, region, width, anew)
        with _bar(clip.name) as progress:
            to_video.annotated(to, pictures, progress, limit=round(1e6 * megabytes))
        size = bundle.in_words(to.stat().st_size)
        out.print(f"{to}: {len(pictures)} frames, {size}", highlight=False, markup=False)


@app.command()
def table(
    scores: Annotated[Path, typer.Argument(help="CSV of scores; any of assets/evaluation.")],
    measure: Annotated[str, typer.Option("--measure", help="Column to compare.")] = "pck@0.1",
    to: Annotated[Path, typer.Option("--out", help="LaTeX file; .md and .csv are written beside it.")] = Path(
        "table.tex"
    ),
) -> None:
    """Write a comparison for a paper: LaTeX (booktabs), Markdown, CSV; the best marked, intervals shown."""
    with plain_errors():
        from freqviz import tables

        if to.with_suffix(".csv").resolve() == scores.resolve():
            raise ValueError(f"--out {to} would overwrite {scores}; give another name")
        found = tables.stored(scores, measure)
        to.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in ((".tex", found.latex()), (".md", found.markdown()), (".csv", found.csv())):
            to.with_suffix(suffix).write_text(text, encoding="utf-8")
        out.print(f"{to}: {len(found.rows)} rows, {len(found.columns)} columns", highlight=False, markup=False)


# ---- what commands share


def _write(table: Any, target: Path) -> None:
    """Write a CSV aside, then put it in its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.part")
    table.to_csv(aside, index=False, float_format="%.5f")
    aside.replace(target)


def _networks(text: str, weights: list[str] | None, one: bool = False) -> list[str]:
    """The networks that an option names, those that --weights names with its parameters; `one`: it names one."""
    names = [text.strip()] if one else [name.strip() for name in text.split(",") if name.strip()]
    if not weights and "=" not in text:
        return names
    import models

    names = [models.add(*name.split("=", 1)) if "=" in name else name for name in names]
    for given in weights or ():
        network, equals, file = given.partition("=")
        if not equals and len(names) != 1:
            raise ValueError(f"--weights must say whose parameters they are: NETWORK={given}, of {', '.join(names)}")
        network, file = (network.strip(), file) if equals else (names[0], given)
        name = models.add(network, file)
        if network not in names and name not in names:
            raise ValueError(f"--weights names {network}, which does not run; chosen: {', '.join(names)}")
        names = [name if other == network and name not in names else other for other in names]
    return names


def _box(text: str | None, videos: list[Path]) -> list[float] | None:
    if text is None:
        return None
    if len(videos) > 1:
        raise ValueError("--box belongs to one clip; give several clips --boxes, --whole-frame or nothing")
    return _window_box(text)


def _window_box(text: str) -> list[float]:
    box = _numbers("--box", text, float)
    if len(box) != 4:
        raise ValueError(f"--box must be x,y,w,h, got '{text}'")
    return box


def _span(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    start, _, stop = text.partition(":")
    if not (start.isdecimal() and stop.isdecimal()):
        raise ValueError(f"--frames must be a:b, two frame numbers, got '{text}'")
    return int(start), int(stop)


def _part(video: Path, frames: str | None) -> Any:
    """A clip, or the part of it that --frames names; a session stands for its clip."""
    from freqviz.clip import Clip
    from freqviz.session import HEADER, open_session

    span, clip = _span(frames), open_session(video).clip if (video / HEADER).is_file() else Clip(video)
    return clip if span is None else clip.between(*span)


def _corrections(texts: list[str] | None, videos: list[Path]) -> dict[int, list[float]]:
    if texts and len(videos) > 1:
        raise ValueError("--correct belongs to one clip; several were given")
    found: dict[int, list[float]] = {}
    for text in texts or ():
        frame, _, box = text.partition(":")
        values = _numbers("--correct", box, float) if frame.isdecimal() and box else []
        if len(values) != 4:
            raise ValueError(f"--correct must be FRAME:x,y,w,h, got '{text}'")
        if int(frame) in found:
            raise ValueError(f"--correct names frame {frame} twice")
        found[int(frame)] = values
    return found


def _people(boxes: Path | None, person: int | None) -> dict[int, Any] | None:
    """Boxes of key frames of the person asked for."""
    from freqviz.boxes import read_boxes

    if boxes is None and person is not None:
        raise ValueError("--person is an id in the file of --boxes, which is not given")
    return None if boxes is None else read_boxes(boxes, person)


def _numbers(option: str, text: str, kind: Callable[[str], Any]) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be numbers separated by commas, got '{text}'") from None


def _names(videos: list[Path]) -> list[str]:
    """One name per clip: its stem, numbered where two are equal."""
    names: list[str] = []
    for video in videos:
        stem = video.stem or "clip"
        same = sum(name == stem or name.rsplit("-", 1)[0] == stem for name in names)
        names.append(f"{stem}-{same + 1}" if same else stem)
    return names


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is heard by calls with (done, total)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _logs(runs: list[Path]) -> list[Path]:
    """The logs of trainings: a file as it is, of a folder all that it holds."""
    logs = []
    for path in runs:
        found = [path] if path.is_file() else sorted(path.glob("log*.csv"))
        if not found:
            raise FileNotFoundError(f"{path} holds no log.csv: no training has logged there")
        logs += found
    return logs


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _card(name: str) -> tuple[dict[str, Any], str]:
    """The card and the first digits of the checkpoint's hash; each empty where there is none."""
    import models

    try:
        checkpoint = models.checkpoint_hash(name)[:12]
    except (LookupError, OSError, ValueError):
        checkpoint = ""
    try:
        return models.card(name), checkpoint
    except (LookupError, OSError, ValueError):
        return {}, checkpoint


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f"{package} is not installed here; install requirements.txt")


# ---- doctor: rows of (what, found or empty, remedy)

PACKAGES = {  # distribution: what to do without it
    "torch": "needed to run networks: pip install torch",
    "numpy": "needed: pip install numpy",
    "scipy": "needed: pip install scipy",
    "opencv-python-headless": "needed: pip install opencv-python-headless",
    "av": "needed to read clips: pip install av",
    "pandas": "needed for tables: pip install pandas",
    "safetensors": "needed to load checkpoints: pip install safetensors",
    "streamlit": "for the page: pip install streamlit",
    "plotly": "for the page: pip install plotly",
    "matplotlib": "for paper figures: pip install matplotlib",
    "pycocotools": "for OKS-AP: pip install pycocotools",
    "decord": "optional second reader, x86-64 only: pip install decord",
}


def _machine() -> list[tuple[str, str, str]]:
    rows = [
        ("Python", platform.python_version(), ""),
        ("system", f"{platform.system()} {platform.machine()}", ""),
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows.append(("cores", str(cores), ""))
    memory = ""
    try:
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        memory = "unknown"
    rows.append(("memory", memory, ""))
    try:
        import torch

        cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    except ImportError:
        cuda = ""
    rows.append(("GPU", cuda, "none that PyTorch can use; --device auto takes the CPU"))
    return rows


def _packages() -> list[tuple[str, str, str]]:
    rows = []
    for name, remedy in PACKAGES.items():
        try:
            rows.append((name, metadata.version(name), remedy))
        except metadata.PackageNotFoundError:
            rows.append((name, "", remedy))
    return rows


def _tools() -> list[tuple[str, str, str]]:
    rows = []
    try:
        import av

        held = [name for name in ("h264", "hevc", "vp9", "av1", "mpeg4") if name in av.codecs_available]
        encoder = "libx264" if "libx264" in av.codecs_available else ""
        rows.append(("decoders", ", ".join(held), "needed: a PyAV built with FFmpeg's decoders"))
        rows.append(("H.264 encoder", encoder, "writing clips: the PyAV wheels have it"))
    except ImportError:
        pass
    browser = next((found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), "")
    rows.append(("browser for tests", Path(browser).name if browser else "", "apt-get install chromium"))
    try:
        from matplotlib import font_manager

        names = {font.name for font in font_manager.fontManager.ttflist}
        wanted = ("Nimbus Roman", "Times New Roman", "Helvetica", "Arial", "DejaVu Sans")
        fonts = [name for name in wanted if name in names]
        rows.append(("fonts", ", ".join(fonts), "paper figures fall back on Matplotlib's own"))
    except ImportError:
        pass
    return rows


def _checkpoints() -> list[tuple[str, str, str]]:
    import models

    rows = []
    for name in models.names():
        rows.append((f"checkpoint {name}", _card(name)[1], f"train it: python -m freqviz train {name}"))
    return rows


if __name__ == "__main__":
    from freqviz.jobs import keep_memory

    keep_memory()
    app(prog_name="python -m freqviz")
