"""Commands that make a model: begin a project, train it, let it run by itself, see it all at work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import HERE, DebugOption, JsonOption, ProjectOption, app, perform, say

if TYPE_CHECKING:
    from artificer.types import Json


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

    perform(work, "init", as_json, debug)


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

    perform(work, "train", as_json, debug)


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

        return api.run_project(project, host=host, port=port, interval=interval, say=say)

    perform(work, "ran", as_json, debug)


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
        return run_demo(folder=folder, port=port, stay=stay, say=say if as_json else typer.echo)

    perform(work, "demo", as_json, debug)
