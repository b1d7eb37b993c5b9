"""Commands that look at a table before anything is learnt from it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import DebugOption, JsonOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json


class FailOn(StrEnum):
    WARNING = "warning"
    ERROR = "error"


@app.command()
def check(
    source: Annotated[str | None, typer.Argument(help="The table; default: the project's.")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="The column to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="Column that orders the rows in time.")] = None,
    group: Annotated[str | None, typer.Option(help="Column whose rows belong together in a split.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    as_is: Annotated[
        list[str] | None, typer.Option(help="Column in which no number is a code for a missing cell; may be repeated.")
    ] = None,
    project: Annotated[
        Path | None, typer.Option("--project", "-p", help="A project, which says what the columns are for.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the findings as an HTML page.")] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="Exit with 1 where a finding is at least this severe.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say what is wrong with a table, worst first, with evidence; nothing is changed."""
    found: Json = {}

    def work() -> Json:
        from artificer import api

        found.update(
            api.check(
                source,
                target=target,
                time=time,
                group=group,
                drop=tuple(drop or ()),
                as_is=tuple(as_is or ()),
                project=project,
                output=output,
            )
        )
        return found

    perform(work, "check", as_json, debug)
    if fail_on is not None and _has(found["counts"], fail_on):
        raise typer.Exit(1)


def _has(counts: dict[str, int], severity: FailOn) -> bool:
    return counts["error"] > 0 or (severity is FailOn.WARNING and counts["warning"] > 0)
