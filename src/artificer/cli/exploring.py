"""The command that looks at a table before anything is learnt from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import DebugOption, JsonOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json


@app.command()
def explore(
    source: Annotated[str | None, typer.Argument(help="The table; leave it out with --project.")] = None,
    project: Annotated[
        Path | None, typer.Option("--project", "-p", help="Look at this project's table, target, time and group.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="The column to predict, if there is one.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column that orders the rows in time.")] = None,
    group: Annotated[str | None, typer.Option(help="Column whose values are compared with each other.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the HTML report.")] = Path(
        "explore.html"
    ),
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what a table holds: columns, what they say of the target, of each other and over time; one HTML file."""

    def work() -> Json:
        from artificer import api
        from artificer.cli.progress import progress

        with progress("explore", quiet=False) as watch:
            return api.explore(
                source, project=project, target=target, time=time, group=group, output=output, progress=watch
            )

    perform(work, "explored", as_json, debug)
