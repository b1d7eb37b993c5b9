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


@app.command()
def clean(
    source: Annotated[str | None, typer.Argument(help="The table; default: the project's.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The cleaned table: Parquet, CSV, JSON lines or Arrow.")
    ] = Path("clean.parquet"),
    log: Annotated[
        Path | None, typer.Option(help="The log of every change, .parquet or .jsonl; default: beside the output.")
    ] = None,
    safe: Annotated[bool, typer.Option("--safe", help="Make only the mends that are right by construction.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give the table back that a cleaned one was made from.")] = False,
    guard_formulas: Annotated[
        bool, typer.Option("--guard-formulas", help="In CSV, keep spreadsheets from running texts as formulas.")
    ] = False,
    project: Annotated[Path | None, typer.Option("--project", "-p", help="A project, whose table is cleaned.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a cleaned copy of a table and a log of each change; the source stays as it is."""

    def work() -> Json:
        from artificer import api

        return api.clean(source, output, project=project, log=log, safe=safe, undo=undo, guard_formulas=guard_formulas)

    perform(work, "clean", as_json, debug)
