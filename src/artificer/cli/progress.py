"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Watch: TypeAlias = Callable[[str, float | None, float | None], None]
"""Called with a message, the seconds done and the seconds planned (both None where unknown)."""


@contextmanager
def progress(title: str, quiet: bool = False) -> Iterator[Watch]:
    """Give a callable to report progress to."""
    if quiet:
        yield lambda message, done, planned: None
    elif sys.stderr.isatty():
        with _bar(title) as watch:
            yield watch
    else:
        yield _lines(title)


def _lines(title: str) -> Watch:
    last = ""

    def watch(message: str, done: float | None, planned: float | None) -> None:
        nonlocal last
        if message != last:
            last = message
            share = f" [{done:.0f}/{planned:.0f} s]" if done is not None and planned else ""
            sys.stderr.write(f"{title}{share}: {message}\n")
            sys.stderr.flush()

    return watch


@contextmanager
def _bar(title: str) -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def watch(message: str, done: float | None, planned: float | None) -> None:
            if done is not None and planned:
                bar.update(task, completed=min(done, planned), total=planned)
            bar.update(task, note=message[:70])

        yield watch
