"""The journal's file: a SQLite database in WAL mode, one row for each group of entries.

Format 2
--------
``application_id`` 0x41525446 ("ARTF"), ``user_version`` the format number. Table ``groups``: ``seq`` (order of
commits), ``kind`` (0 predictions, 1 outcomes), ``count``, ``min_at`` and ``max_at`` (seconds, of the entries inside, so
that a window is found by the index without opening a group), ``crc`` (CRC-32 of the body), ``body`` (a msgpack array
of entries). Table ``segments``: the sealed files that count, in place of the groups they were made of
(:mod:`artificer.journal.segments`). Table ``audit``: what was sealed, forgotten and dropped. Format 1, which had
neither, is read as it is and brought up by the first writer.
"""

from __future__ import annotations

import glob
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from artificer.errors import JournalError
from artificer.journal import tail
from artificer.journal.postgres import PostgresConnection
from artificer.journal.segments import Segment
from artificer.problem.places import Place, StoreURL
from artificer.types import Json

FORMAT: Final = 2
APPLICATION_ID: Final = 0x41525446
BUSY_SECONDS: Final = 30.0

_SCHEMA = f"""
begin immediate;
create table if not exists groups (
    seq integer primary key,
    kind integer not null,
    count integer not null,
    min_at real not null,
    max_at real not null,
    crc integer not null,
    body blob not null
);
create index if not exists groups_by_time on groups (kind, max_at, min_at, count);
create table if not exists probe (id integer primary key, at real not null);
create table if not exists segments (
    number integer primary key autoincrement,
    kind integer not null,
    name text not null unique,
    day text not null,
    count integer not null,
    min_at real not null,
    max_at real not null,
    bytes integer not null,
    sha256 text not null
);
create table if not exists audit (at real not null, action text not null, evidence text not null);
pragma application_id = {APPLICATION_ID};
pragma user_version = {FORMAT};
commit;
"""


Connection: TypeAlias = sqlite3.Connection | PostgresConnection


class Turn:
    """Whose turn it is among processes that write to one journal.

    SQLite's own way of waiting for another writer is to try again after 1, 2, 5, ... 100 ms; a file lock is handed over
    by the kernel the moment it is free, which keeps several serving processes at the speed of one.
    """

    def __init__(self, place: Place) -> None:
        self._file: Any = None
        if isinstance(place, StoreURL):  # the database has turns of its own
            return
        path = place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(
                f"the journal's folder {path.parent} cannot be made: {error}; check the path."
            ) from error
        try:
            import fcntl
        except ImportError:  # no such locks here; SQLite's waiting remains
            return
        self._lock = fcntl.flock
        self._take, self._leave = fcntl.LOCK_EX, fcntl.LOCK_UN
        try:
            self._file = open(path.with_name(path.name + ".lock"), "ab")  # noqa: SIM115 (held for life)
        except OSError as error:
            raise JournalError(f"the journal {path} cannot be locked: {error}; check the folder.") from error

    @contextmanager
    def taken(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        self._lock(self._file, self._take)
        try:
            yield
        finally:
            self._lock(self._file, self._leave)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def part_of(place: Place, slot: int) -> Place:
    """Where the serving process of a number journals: the first into `place`, each other into a file of its own.

    Processes that share one file wait for each other's syncs; files that lie side by side are read as one.

    Examples
    --------
    >>> part_of(Path("home/journal.sqlite"), 0).name, part_of(Path("home/journal.sqlite"), 2).name
    ('journal.sqlite', 'journal.w2.sqlite')
    """
    if slot == 0 or isinstance(place, StoreURL):
        return place
    return place.with_name(f"{place.stem}.w{slot}{place.suffix}")


def parts_of(place: Place) -> list[Place]:
    """The files of a journal that are there, its own first."""
    if isinstance(place, StoreURL):
        return [place]
    others = place.parent.glob(f"{glob.escape(place.stem)}.w*{glob.escape(place.suffix)}")
    number = re.compile(re.escape(place.stem) + r"\.w[0-9]+" + re.escape(place.suffix))
    return [place, *sorted(other for other in others if number.fullmatch(other.name))]


def exists(place: Place) -> bool:
    """Whether there may be a journal: its file is there, or it is in a database, which is asked when it is opened."""
    return isinstance(place, StoreURL) or place.is_file()


def open_for_writing(place: Place) -> Connection:
    """Open the journal at `place`, made where absent, so that a commit returns only once it is on the disk.

    The caller holds the turn, since two processes that make the file at once would trip over each other.

    Raises
    ------
    JournalError
        When the place cannot be written, or holds something else, or a newer format.
    """
    if isinstance(place, StoreURL):
        try:
            return PostgresConnection(place, make=True)
        except sqlite3.Error as error:
            raise JournalError(f"the journal {place} cannot be opened ({error}); check the database.") from error
    path = place
    logged = tail.logged_pages(path)
    damaged = tail.set_aside(path) if tail.is_cut_short(path) else None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"the journal {path} cannot be opened for writing: {error}; check the folder.") from error
    try:
        if not _is_journal(connection, path) or _format(connection) < FORMAT:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        # 4 MB: reused from then on, a log of a constant size syncs in half the time of one that still grows, while a
        # larger one makes the commits that carry a checkpoint slower.
        connection.execute("pragma wal_autocheckpoint = 1000")
        _tell_what_was_cut(connection, path, logged, damaged)
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(f"the journal {path} cannot be written: {error}; check the disk and the file.") from error
    except JournalError:
        connection.close()
        raise
    return connection


def _tell_what_was_cut(connection: sqlite3.Connection, path: Path, logged: int, damaged: Path | None) -> None:
    if damaged is not None:
        cut = tail.Cut(set_aside=damaged.name, saved=tail.save_into(connection, damaged))
    elif logged and (pages := tail.unfinished_pages(connection, logged)):
        cut = tail.Cut(pages=pages)
    else:
        return
    tail.report(path, cut)
    note(connection, "cut", time.time(), {"what": cut.sentence, "pages": cut.pages, "saved": cut.saved})


def open_for_reading(place: Place) -> Connection:
    """Open the journal at `place` without the right to change it, while others may write.

    Raises
    ------
    JournalError
        When it is absent, cannot be read, is something else, or of a newer format.
    """
    if isinstance(place, StoreURL):
        try:
            database = PostgresConnection(place, make=False)
            database.execute("begin")
        except sqlite3.Error as error:
            raise JournalError(f"the journal {place} cannot be read ({error}); check the database.") from error
        return database
    path = place
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}; it is made when a model is served.")
    try:
        # Not mode=ro: a reader of a WAL database must be able to make its shared-memory file after a crash.
        connection = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        connection.execute("pragma query_only = on")
        found = _is_journal(connection, path)
        # One state for the whole of a reading: what is sealed meanwhile is neither missed nor seen twice.
        connection.execute("begin")
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be read: {error}; restore it from a copy.") from error
    if not found:
        connection.close()
        raise JournalError(f"the file {path} is empty, not a journal; give the journal's path.")
    return connection


def segments_of(connection: Connection, kind: int | None = None) -> list[Segment]:
    """The sealed files that count, in the order of sealing."""
    if isinstance(connection, PostgresConnection) or _format(connection) < 2:
        return []
    names = ", ".join(Segment.__dataclass_fields__)
    query = f"select {names} from segments where ? is null or kind = ? order by number"  # noqa: S608 (own names)
    return [Segment(*row) for row in connection.execute(query, (kind, kind))]


def record_segments(connection: Connection, written: Sequence[Segment]) -> None:
    """Let sealed files count, from the end of the transaction on; their numbers are given here."""
    names = [name for name in Segment.__dataclass_fields__ if name != "number"]
    query = f"insert into segments ({', '.join(names)}) values ({', '.join('?' * len(names))})"  # noqa: S608
    connection.executemany(query, [[getattr(segment, name) for name in names] for segment in written])


def note(connection: Connection, action: str, at: float, evidence: Json) -> None:
    """Write down what was done to the journal itself."""
    text = json.dumps(evidence, ensure_ascii=False)
    connection.execute("insert into audit (at, action, evidence) values (?, ?, ?)", (at, action, text))


def _is_journal(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds a journal; an empty file does not, and anything else is refused."""
    application = connection.execute("pragma application_id").fetchone()[0]
    if application == APPLICATION_ID:
        version = _format(connection)
        if version > FORMAT:
            raise JournalError(
                f"the journal {path} has format {version} and this version knows {FORMAT}; upgrade Artificer."
            )
        return True
    if application or connection.execute("select count(*) from sqlite_master").fetchone()[0]:
        raise JournalError(f"the file {path} is a database but not a journal; give another path.")
    return False


def _format(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("pragma user_version").fetchone()[0]
    return version
