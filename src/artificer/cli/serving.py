"""Commands that put a model to work: score a file, serve, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.output import guarded
from artificer.cli.shell import HERE, DebugOption, JsonOption, ProjectOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json


@app.command()
def predict(
    source: Annotated[str, typer.Argument(help="The rows to score: a file of any kind that train reads.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to write: .parquet, .csv, .jsonl, .arrow, or URL#table.")
    ],
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
        from artificer.cli.progress import progress

        with progress("predict", quiet=not sys.stderr.isatty()) as watch:
            return api.predict_file(
                source, output, project=project, version=version, bundle=bundle, coverage=coverage, progress=watch
            )

    perform(work, "predict", as_json, debug)


@app.command()
def serve(
    project: ProjectOption = HERE,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: 8400.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve it together; default: 1.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve the champion over HTTP until stopped; a new champion is taken up without a break."""

    def work() -> list[str]:
        from artificer import api

        return api.server_command(project, host=host, port=port, workers=workers, as_json=as_json)

    command = guarded(work, as_json=as_json, debug=debug)
    _become(command)


@app.command()
def stream(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Score events of NATS JetStream, Kafka or Redis Streams as they come, until stopped."""

    def work() -> list[str]:
        from artificer import api

        return api.stream_command(project, as_json=as_json)

    _become([*guarded(work, as_json=as_json, debug=debug), *(["--debug"] if debug else [])])


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

    perform(work, "exported", as_json, debug)


def _become(command: list[str]) -> None:
    """Turn this process into the server: one process, and signals reach it directly."""

    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 -- the interpreter itself, with arguments of our own
