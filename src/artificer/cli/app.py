"""The command line: each command translates its arguments, calls one function, and prints what came back.

Nothing heavy is imported here; ``artificer --help`` loads Typer alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from artificer.cli.output import emit, fail, guarded

if TYPE_CHECKING:
    from artificer.types import Json

app = typer.Typer(
    name="artificer",
    help="The machine-learning engineer as self-running software: from a table to a served, watched, "
    "self-retraining model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ProjectOption = Annotated[Path, typer.Option("--project", "-p", help="The project's folder (with artificer.toml).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
HERE = Path()


def _run(work: Callable[[], Json], render: str, as_json: bool, debug: bool) -> None:
    def show(value: Json) -> None:
        from artificer.cli import render as renderers

        getattr(renderers, render)(value)

    guarded(lambda: emit(work(), as_json, show), as_json=as_json, debug=debug)


@app.command()
def init(
    source: Annotated[str, typer.Argument(help="The table: a CSV, Parquet, JSON lines or Arrow file.")],
    target: Annotated[str, typer.Option("--target", "-t", help="The column to predict.")],
    project: Annotated[
        Path | None, typer.Option("--project", "-p", help="Folder to make; default: the file's name.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column that orders the rows in time.")] = None,
    group: Annotated[str | None, typer.Option(help="Column whose rows belong together in a split.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an artificer.toml that is there.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Look at a table and write PROJECT/artificer.toml with what was inferred, each line explained."""

    def work() -> Json:
        from artificer import api

        return api.init(source, target, project=project, time=time, group=group, drop=tuple(drop or ()), force=force)

    _run(work, "init", as_json, debug)


@app.command()
def train(
    project: ProjectOption = HERE,
    budget: Annotated[str | None, typer.Option(help='Time or work: "60s", "5m", "40 fits".')] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last run that was interrupted.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the data, rank and train algorithms, evaluate, package, register; promote what passes the gate."""

    def work() -> Json:
        from artificer import api
        from artificer.cli.progress import progress

        with progress("train", quiet=False) as watch:
            return api.train_project(project, budget=budget, seed=seed, resume=resume, progress=watch)

    _run(work, "train", as_json, debug)


@app.command()
def predict(
    source: Annotated[str, typer.Argument(help="The rows to score: a file of any kind that train reads.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: .parquet, .csv, .jsonl or .arrow.")],
    project: ProjectOption = HERE,
    version: Annotated[int | None, typer.Option(help="Model version; default: the champion.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Score with this bundle file instead of a project's model.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Add intervals or sets that hold the truth this surely: 0.5 to 0.99.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the input's rows in their order with the prediction and the class probabilities added."""

    def work() -> Json:
        from artificer import api

        return api.predict_file(source, output, project=project, version=version, bundle=bundle, coverage=coverage)

    _run(work, "predict", as_json, debug)


@app.command()
def serve(
    project: ProjectOption = HERE,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: 8400.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve the champion over HTTP until stopped; a new champion is taken up without a break."""

    def work() -> list[str]:
        from artificer import api

        return api.server_command(project, host=host, port=port, as_json=as_json)

    command = guarded(work, as_json=as_json, debug=debug)
    _become(command)


@app.command()
def monitor(
    project: ProjectOption = HERE,
    since: Annotated[
        str | None, typer.Option(help='Window: "24h", "7d", or an ISO time; default: the spec\'s window.')
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say how inputs and scores have drifted and how the model performs, now."""

    def work() -> Json:
        from artificer import api

        return api.monitor(project, since=since)

    _run(work, "monitor", as_json, debug)


@app.command()
def models(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the model versions, which is champion and which challenger."""

    def work() -> Json:
        from artificer import api

        return api.models(project)

    _run(work, "models", as_json, debug)


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="The version that becomes champion.")],
    project: ProjectOption = HERE,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "promoted by hand",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a version the champion; a running service takes it up."""

    def work() -> Json:
        from artificer import api

        return api.promote(project, version, reason=reason)

    _run(work, "promoted", as_json, debug)


@app.command()
def rollback(
    project: ProjectOption = HERE,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "rolled back by hand",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Give the champion's place back to the version that had it before."""

    def work() -> Json:
        from artificer import api

        return api.rollback(project, reason=reason)

    _run(work, "promoted", as_json, debug)


@app.command()
def history(
    project: ProjectOption = HERE,
    limit: Annotated[int, typer.Option(min=0, help="How many records, newest first.")] = 50,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what was decided and done, by whom, and on what evidence."""

    def work() -> Json:
        from artificer import api

        return api.history(project, limit=limit)

    _run(work, "history", as_json, debug)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="Where to write the ONNX file.")],
    project: ProjectOption = HERE,
    version: Annotated[int | None, typer.Option(help="Model version; default: the champion.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a model version as one plain ONNX file for programs in other languages."""

    def work() -> Json:
        from artificer import api

        return api.export(project, output, version=version)

    _run(work, "exported", as_json, debug)


@app.command()
def run(
    project: ProjectOption = HERE,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: 8400.")] = None,
    interval: Annotated[str | None, typer.Option(help='How often to look: "60s", "10m"; default: the spec\'s.')] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """The self-running whole: train if needed, serve, watch, retrain, promote, roll back; until stopped."""

    def work() -> Json:
        from artificer import api

        return api.run_project(project, host=host, port=port, interval=interval, say=_say)

    _run(work, "ran", as_json, debug)


@app.command()
def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="End after the summary instead of serving on.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the demo's project goes; default: a new temporary folder.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.")] = 8400,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train on the early part of a real table, replay the rest as live traffic, and watch the loop at work."""

    def work() -> Json:
        from artificer.demo import run_demo

        stay = not exit_after and sys.stdin.isatty() and not as_json
        return run_demo(folder=folder, port=port, stay=stay, say=_say if as_json else typer.echo)

    _run(work, "demo", as_json, debug)


def _say(line: str) -> None:
    """Progress of long work: stderr, so that stdout stays one document."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _become(command: list[str]) -> None:
    """Turn this process into the server: one process, and signals reach it directly."""
    import os

    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 -- the interpreter itself, with arguments of our own


def version_callback(shown: bool) -> None:
    if shown:
        from artificer import __version__

        typer.echo(f"artificer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=version_callback, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point of the ``artificer`` command: ends the process with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        given = ["--help"]
    try:
        code = app(args=given, prog_name="artificer", standalone_mode=False)
    except Exception as error:
        # Typer keeps a copy of Click to itself, so that its errors are known by what they can do.
        if not hasattr(error, "format_message"):
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", "artificer")
        message = error.format_message().strip().rstrip(".").replace(". Did you mean", "; did you mean")
        message = message[:1].lower() + message[1:] + ("" if message.endswith("?") else f"; see {command} --help")
        fail(message, 2, "UsageError", "--json" in given)
    raise SystemExit(code if isinstance(code, int) else 0)
