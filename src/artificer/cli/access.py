"""Commands over the tokens that a service asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.shell import HERE, DebugOption, JsonOption, ProjectOption, app, perform

if TYPE_CHECKING:
    from artificer.types import Json

token = typer.Typer(
    name="token",
    help="Make, list and revoke the tokens that the service asks for.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(token)


@token.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose it is; the service's log and audit log know it by this name.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="What it is for, once for each: predict, outcome, operate, view.")
    ],
    expires: Annotated[str | None, typer.Option(help='How long it lasts, such as "90d"; default: for ever.')] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second; default: serving.rate.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a token and print it, this once. From the first one on the service asks for one."""

    def work() -> Json:
        from artificer import api

        return api.token_add(project, name, scope, expires=expires, rate=rate)

    perform(work, "token_added", as_json, debug)


@token.command("list")
def list_(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the tokens: what for, since when, until when."""

    def work() -> Json:
        from artificer import api

        return api.token_list(project)

    perform(work, "tokens", as_json, debug)


@token.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take a token away; a running service refuses it within a second."""

    def work() -> Json:
        from artificer import api

        return api.token_revoke(project, name)

    perform(work, "token_revoked", as_json, debug)
