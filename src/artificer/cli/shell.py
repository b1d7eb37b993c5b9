"""The application that commands register with, and what all of them share.

Nothing heavy is imported here; ``artificer --help`` loads Typer alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artificer.cli.output import emit, guarded

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


def perform(work: Callable[[], Json], render: str, as_json: bool, debug: bool) -> None:
    """Do the work and print its document, or show it as the renderer of that name does; an error ends the process."""

    def show(value: Json) -> None:
        from artificer.cli import render as renderers

        getattr(renderers, render)(value)

    guarded(lambda: emit(work(), as_json, show), as_json=as_json, debug=debug)


def say(line: str) -> None:
    """Progress of long work: stderr, so that stdout stays one document."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
