"""Commands over the versions of a model: watch, list, promote, roll back, look back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import HERE, DebugOption, JsonOption, ProjectOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json


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

    perform(work, "monitor", as_json, debug)


@app.command()
def models(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the model versions, which is champion and which challenger."""

    def work() -> Json:
        from artificer import api

        return api.models(project)

    perform(work, "models", as_json, debug)


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

    perform(work, "promoted", as_json, debug)


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

    perform(work, "promoted", as_json, debug)


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

    perform(work, "history", as_json, debug)
