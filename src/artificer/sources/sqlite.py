"""SQLite files: a table, or what a query answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from artificer.errors import SourceError, nearest
from artificer.sources.base import Content, ReadOptions, Source
from artificer.sources.cursors import frames, gathered


class Sqlite(Source):
    """SQLite database, opened for reading only. Its one table is read, unless a table or a query is named."""

    name: ClassVar[str] = "sqlite"
    suffixes: ClassVar[tuple[str, ...]] = (".sqlite", ".sqlite3", ".db", ".db3")
    tables: ClassVar[bool] = True

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"SQLite format 3\0")

    def read(self, path: Path, options: ReadOptions) -> Content:
        return Content(gathered(batch.frame for batch in self.batches(path, options)))

    def batches(self, path: Path, options: ReadOptions) -> Iterator[Content]:
        with _opened(path) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(options.query or f"SELECT * FROM {quoted(_chosen(path, connection, options.table))}")  # noqa: S608
            for frame in frames([str(name) for name, *_ in cursor.description], cursor.fetchmany, options.batch_rows):
                yield Content(frame)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
            yield connection
    except sqlite3.Error as error:
        raise SourceError(
            f'"{path}" cannot be read as an SQLite database ({error}); check the query, or fetch the file again'
        ) from error


def _chosen(path: Path, connection: sqlite3.Connection, wanted: str | None) -> str:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    names = [str(name) for (name,) in found]
    shown = ", ".join(f'"{name}"' for name in names)
    if wanted is not None:
        if wanted not in names:
            raise SourceError(
                f'"{path}" has no table "{wanted}"{nearest(wanted, names) or f"; its tables are {shown}"}'
            )
        return wanted
    if not names:
        raise SourceError(f'"{path}" is empty; give a database with a table')
    if len(names) > 1:
        raise SourceError(
            f'"{path}" has {len(names)} tables ({shown}); name one of them after the file, as in '
            f'"{path.name}#{names[0]}", or give a query'
        )
    return names[0]


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever characters it has.

    Examples
    --------
    >>> quoted('my "table"')
    '"my ""table\"""'
    """
    return '"' + name.replace('"', '""') + '"'
