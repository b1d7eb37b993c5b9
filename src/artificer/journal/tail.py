"""What a power loss or a kill leaves at the journal's end: found when a writer opens it, cut at the last whole record.

SQLite drops pages of its log that lack a commit or fail their checksum, and says nothing; here they are told.
A database file that is shorter than its own header says has lost its tail: what can be read of it is copied into a new
file, and the damaged one stays beside it for whoever can do more.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_log = logging.getLogger("artificer.journal")

WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24
PROBES: Final = 10_000
"""So many numbers in a row may be missing before a damaged table is taken to end."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut: pages of the log without a whole commit, or a damaged file and the groups saved from it."""

    pages: int = 0
    set_aside: str | None = None
    saved: int = 0

    @property
    def sentence(self) -> str:
        if self.set_aside is not None:
            return f"had lost its tail: {self.saved} whole groups were saved, the damaged file is {self.set_aside}"
        return f"ended in {self.pages} pages of a commit that was never finished or acknowledged; they were cut"


def logged_pages(path: Path) -> int:
    """How many pages the database's log holds since it was begun anew, whole commits or not."""
    wal = path.with_name(path.name + "-wal")
    try:
        with wal.open("rb") as file:
            header = file.read(WAL_HEADER)
            if len(header) < WAL_HEADER:
                return 0
            page, salt = int.from_bytes(header[8:12], "big"), header[16:24]
            count = 0
            while True:
                file.seek(WAL_HEADER + count * (FRAME_HEADER + page))
                frame = file.read(FRAME_HEADER)
                if len(frame) < FRAME_HEADER or frame[8:16] != salt:
                    return count
                count += 1
    except OSError:
        return 0


def unfinished_pages(connection: sqlite3.Connection, logged: int) -> int:
    """How many of the logged pages SQLite did not take, as it found no whole commit around them."""
    _, taken, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
    return max(0, logged - taken) if taken >= 0 else 0


def is_cut_short(path: Path) -> bool:
    """Whether the database file ends before the place that its own header names.

    With pages in the log this cannot be told: they may be the rest of the file.
    """
    try:
        if not path.is_file() or logged_pages(path):
            return False
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
    except OSError:
        return False
    if len(header) < 100 or not header.startswith(b"SQLite format 3\x00") or header[24:28] != header[92:96]:
        return False
    page = int.from_bytes(header[16:18], "big")
    return size < (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")


def set_aside(path: Path) -> Path:
    """Move a damaged database, with its log, out of the way; returns its new name."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    place = path.with_name(f"{path.name}.damaged-{stamp}")
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).replace(place.with_name(place.name + end))
    return place


def save_into(connection: sqlite3.Connection, damaged: Path) -> int:
    """Copy every whole group, and what is known of sealed files, out of a damaged database; returns how many groups."""
    saved = 0
    insert = "insert or ignore into groups values (?, ?, ?, ?, ?, ?, ?)"
    with closing(sqlite3.connect(f"file:{damaged}?mode=ro&immutable=1", uri=True)) as old:
        # Without it SQLite refuses a file that is too short as a whole.
        old.execute("pragma writable_schema = on")
        connection.execute("begin immediate")
        for row in _readable(old):
            if zlib.crc32(row[6]) == row[5]:
                connection.execute(insert, row)
                saved += 1
        for table in ("segments", "audit"):
            with suppress(sqlite3.DatabaseError):
                for row in old.execute(f"select * from {table}"):  # noqa: S608 (own names)
                    connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)  # noqa: S608
        connection.execute("commit")
    return saved


def _readable(old: sqlite3.Connection) -> Iterator[tuple[int, int, int, float, float, int, bytes]]:
    """Groups in their order; where a page is gone, number after number is tried behind it."""
    seq, missed = 0, 0
    query = "select seq, kind, count, min_at, max_at, crc, body from groups where seq "
    while missed < PROBES:
        try:
            if missed:
                row = old.execute(query + "= ?", (seq + 1 + missed,)).fetchone()
            else:
                row = old.execute(query + "> ? order by seq limit 1", (seq,)).fetchone()
                if row is None:
                    return
        except (sqlite3.DatabaseError, sqlite3.OperationalError):
            row = None
        if row is None:
            missed += 1
            continue
        seq, missed = row[0], 0
        yield row


def report(path: Path, cut: Cut) -> None:
    """Tell the log what was cut."""
    _log.warning("the journal %s %s", path, cut.sentence)
