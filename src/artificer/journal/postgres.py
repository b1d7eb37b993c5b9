"""The journal in PostgreSQL: the table ``groups`` as in the file, written and read by the same code.

What differs is held here: how a connection is opened and how it speaks. Errors come out as
``sqlite3.OperationalError``, the error that the code around it knows, with the URL's secrets blanked. Groups are not
sealed; PostgreSQL is the place that keeps them, and its own tools query and back it up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from artificer.errors import JournalError
from artificer.problem.places import StoreURL

_SCHEMA: Final = """
create schema if not exists artificer_journal;
create table if not exists artificer_journal.groups (
    seq bigserial primary key,
    kind smallint not null,
    count integer not null,
    min_at double precision not null,
    max_at double precision not null,
    crc bigint not null,
    body bytea not null
);
create index if not exists groups_by_time on artificer_journal.groups (kind, max_at, min_at, count);
create table if not exists artificer_journal.probe (id integer primary key, at double precision not null);
create table if not exists artificer_journal.audit (
    number bigserial primary key, at double precision not null, action text not null, evidence text not null
);
"""
_SPOKEN: Final = {
    # A change of many groups waits for the appends before it, and those behind it wait.
    "begin immediate": "begin; lock table groups in share row exclusive mode",
    "begin": "begin isolation level repeatable read read only",
}


class PostgresConnection:
    """A connection that is spoken to as one to the journal's file."""

    def __init__(self, url: StoreURL, *, make: bool) -> None:
        self._url = url
        with self._told():
            try:
                import psycopg
            except ImportError as error:
                raise JournalError("a journal in PostgreSQL needs the driver; pip install 'psycopg[binary]'") from error
            options = "-c search_path=artificer_journal -c synchronous_commit=on"
            self._connection: Any = psycopg.connect(
                url.resolve(), autocommit=True, connect_timeout=10, application_name="artificer", options=options
            )
            if make:
                # Several processes may start at once; "if not exists" alone does not keep them from each other.
                self._connection.execute("select pg_advisory_lock(1095914566)")
                self._connection.execute(_SCHEMA)
                self._connection.execute("select pg_advisory_unlock(1095914566)")
            elif self._connection.execute("select to_regclass('artificer_journal.groups')").fetchone() == (None,):
                self.close()
                raise JournalError(f"there is no journal in {url}; it is made when a model is served.")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with self._told():
            return self._connection.execute(_SPOKEN.get(sql, sql.replace("?", "%s")), values or None)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._told():
            self._connection.cursor().executemany(sql.replace("?", "%s"), list(rows))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except JournalError:
            raise
        except Exception as error:
            # psycopg need not be there to be asked for its errors; whatever it raises is one of the database.
            raise sqlite3.OperationalError(self._url.hide(" ".join(str(error).split()))[:300]) from error
