"""The command line: each command translates its arguments, calls one function, and prints what came back."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from artificer.cli import access, exploring, journal, quality, serving, training, versions
from artificer.cli.output import fail
from artificer.cli.shell import app

FAMILIES = (exploring, training, quality, serving, versions, journal, access)
"""Modules whose commands the application has, in the order of its help; importing one registers its commands."""


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
