"""Commands over the journal of predictions and outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import HERE, DebugOption, JsonOption, ProjectOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json

journal = typer.Typer(
    name="journal",
    help="Look into the journal of predictions, seal it, forget a subject's rows.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(journal)


@journal.command()
def status(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Say how much the journal holds, sealed and not, and what was last done to it."""

    def work() -> Json:
        from artificer import api

        return api.journal_status(project)

    perform(work, "journal_status", as_json, debug)


@journal.command()
def seal(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Turn past days into Parquet files and drop what is no longer kept, as [journal] of the project says."""

    def work() -> Json:
        from artificer import api

        return api.journal_seal(project)

    perform(work, "journal_seal", as_json, debug)


@journal.command()
def verify(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Hold every group and every sealed file to its checksum."""

    def work() -> Json:
        from artificer import api

        return api.journal_verify(project)

    perform(work, "journal_verify", as_json, debug)


@journal.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over predictions, outcomes and labelled.")],
    project: ProjectOption = HERE,
    limit: Annotated[int, typer.Option(min=1, help="So many rows at the most.")] = 1000,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Answer a question in SQL; the journal is only read."""

    def work() -> Json:
        from artificer import api

        return api.journal_query(project, sql, limit=limit)

    perform(work, "journal_query", as_json, debug)


@journal.command()
def forget(
    column: Annotated[str, typer.Option(help="The column that tells whose a row is.")],
    value: Annotated[str, typer.Option(help="Whose rows are removed.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Remove every prediction with a value in a column, and its outcomes, for good."""

    def work() -> Json:
        from artificer import api

        return api.journal_forget(project, column, value)

    perform(work, "journal_forget", as_json, debug)
