"""Sealing: entries of past days leave the database for Parquet files, and are never in both nor in neither.

The files are written and synced first; one transaction then names them and deletes the groups they were made of. A
process killed before it leaves files that nobody counts, which the next sealing removes.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artificer.errors import JournalError
from artificer.journal.entries import PREDICTIONS
from artificer.journal.frames import to_frame
from artificer.journal.reader import DamagedGroup, Piece, entries_of, pieces
from artificer.journal.segments import Segment, folder_of, remove_orphans, write_segment
from artificer.journal.store import (
    Connection,
    Turn,
    note,
    open_for_reading,
    open_for_writing,
    parts_of,
    record_segments,
    segments_of,
)
from artificer.problem.places import Place

if TYPE_CHECKING:
    from artificer.tables.contract import Contract

_log = logging.getLogger("artificer.journal")

ROWS: Final = 250_000
"""So many entries are sealed at a time: what they take in memory, and what a query reads at once."""
DAY: Final = 86_400.0
READER_SECONDS: Final = 2.0
"""So long is waited for readers of what was deleted."""

ContractOf = Callable[[str], "Contract | None"]
"""The contract of a model version, None where it is not known any more."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a sealing did: entries moved, files written, files of killed sealings removed, groups that are damaged."""

    entries: int
    files: int
    bytes: int
    orphans: int
    damaged: tuple[DamagedGroup, ...]


def seal(path: Place, before: float, contract_of: ContractOf = lambda version: None, rows: int = ROWS) -> Sealed:
    """Seal every group whose entries are all of days that ended by `before`.

    Parameters
    ----------
    path : the journal's file. before : seconds since 1970-01-01 UTC.
    contract_of : gives columns their types.
    rows : so many entries are held in memory at a time.

    Raises
    ------
    JournalError
        The journal cannot be read, or the disk refuses the files; what was not sealed stays where it was.
    """
    done = []
    for part in parts_of(path):
        with keeping(part):
            done.append(_seal(part, before // DAY * DAY, contract_of, rows))
    return Sealed(
        entries=sum(each.entries for each in done),
        files=sum(each.files for each in done),
        bytes=sum(each.bytes for each in done),
        orphans=sum(each.orphans for each in done),
        damaged=tuple(found for each in done for found in each.damaged),
    )


@contextmanager
def keeping(path: Place) -> Iterator[None]:
    """Hold the sealed files against others that make or remove some: one's unrecorded file is another's orphan."""
    turn = Turn(folder_of(path) / "keeping" if isinstance(path, Path) else path)
    try:
        with turn.taken():
            yield
    finally:
        turn.close()


def _seal(path: Place, bound: float, contract_of: ContractOf, rows: int) -> Sealed:
    if not isinstance(path, Path):  # a database keeps its groups
        return Sealed(0, 0, 0, 0, ())
    folder = folder_of(path)
    orphans = _remove_orphans(path, folder)
    damaged: list[DamagedGroup] = []
    entries = files = size = 0
    for kind in (0, 1):
        for batch in _batches(path, kind, bound, rows):
            written, taken = _seal_batch(path, folder, kind, batch, contract_of, damaged)
            entries += sum(segment.count for segment in written)
            files += len(written)
            size += sum(segment.bytes for segment in written)
            _settle(path, written, taken)
    if entries:
        shrink(path)
    return Sealed(entries, files, size, orphans, tuple(damaged))


def _batches(path: Path, kind: int, bound: float, rows: int) -> Iterator[list[Piece]]:
    with closing(open_for_reading(path)) as connection:
        ready = [p for p in pieces(connection, path, kind, until=bound) if p.segment is None and p.max_at < bound]
    batch: list[Piece] = []
    count = 0
    for piece in ready:
        batch.append(piece)
        count += piece.count
        if count >= rows:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _seal_batch(
    path: Path,
    folder: Path,
    kind: int,
    batch: Sequence[Piece],
    contract_of: ContractOf,
    damaged: list[DamagedGroup],
) -> tuple[list[Segment], list[Piece]]:
    """Write the files of some groups; returns them and the groups that they stand for."""
    parts: dict[tuple[str, str], list[Any]] = defaultdict(list)
    taken: list[Piece] = []
    with closing(open_for_reading(path)) as connection:
        for piece in batch:
            entries = entries_of(connection, path, piece, damaged)
            if not entries:  # damaged: it stays where it is
                continue
            taken.append(piece)
            for entry in entries:
                version = entry.version if kind == PREDICTIONS else ""
                parts[day_of(entry.at), version].append(entry)
    written = []
    for (day, version), chosen in parts.items():
        frame, styles = to_frame(kind, chosen, contract_of(version) if version else None)
        written.append(write_segment(folder, kind, day, version, frame, styles))
    return written, taken


def _settle(path: Path, written: Sequence[Segment], taken: Sequence[Piece]) -> None:
    """Let the files count and the groups go, in one transaction."""
    if not taken:
        return
    with changing(path) as connection:
        record_segments(connection, written)
        connection.executemany("delete from groups where seq = ?", [(piece.order[1],) for piece in taken])
        note(connection, "seal", time.time(), {"files": [s.name for s in written], "groups": len(taken)})


class changing:  # noqa: N801 (reads as a verb: with changing(path) as connection)
    """One transaction of a writer that waits its turn; nothing of it stays where the block raises."""

    def __init__(self, path: Place) -> None:
        self._path = path

    def __enter__(self) -> Connection:
        self._turn = Turn(self._path)
        self._taken = self._turn.taken()
        self._taken.__enter__()
        try:
            self._connection = open_for_writing(self._path)
            self._connection.execute("begin immediate")
        except BaseException as error:
            self._let_go()
            if isinstance(error, sqlite3.Error):
                raise _unchanged(self._path, error) from error
            raise
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            self._connection.execute("commit" if kind is None else "rollback")
        except sqlite3.Error as problem:
            raise _unchanged(self._path, problem) from problem
        finally:
            self._connection.close()
            self._let_go()
        if isinstance(error, sqlite3.Error):
            raise _unchanged(self._path, error) from error

    def _let_go(self) -> None:
        self._taken.__exit__(None, None, None)
        self._turn.close()


def _unchanged(path: Place, error: Exception) -> JournalError:
    return JournalError(f"the journal {path} could not be changed ({error}); free space or repair the disk.")


def shrink(path: Place, *, whole: bool = False) -> bool:
    """Give the disk back what deleted groups took, where it is a quarter of the file or `whole` is asked for.

    While somebody reads it waits a little, and where that lasts a later time does it.

    Returns
    -------
    Whether what was deleted is off the disk: False where a reader still needed it, or the disk refused.
    """
    turn = Turn(path)
    try:
        with turn.taken():
            connection = open_for_writing(path)
        with closing(connection):
            if not isinstance(path, Path):
                connection.execute("vacuum groups")
                return True
            with turn.taken():
                free, pages = (
                    connection.execute(f"pragma {name}").fetchone()[0] for name in ("freelist_count", "page_count")
                )
                if whole or free * 4 > pages:
                    connection.execute("vacuum")
            done = _empty_log(connection, turn)
        if not done:
            _log.warning("the journal %s could not be shrunk now: somebody reads it", path)
    except sqlite3.OperationalError as error:
        _log.warning("the journal %s could not be shrunk now: %s", path, error)
        return False
    finally:
        turn.close()
    return done


def _empty_log(connection: Connection, turn: Turn) -> bool:
    """Move the log into the file and empty it, tried again for a while; between the tries others may append."""
    connection.execute("pragma busy_timeout = 0")
    end = time.monotonic() + READER_SECONDS
    while True:
        with turn.taken():
            # It does not fail where a reader holds it up: the first column says so.
            busy = connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        if not busy or time.monotonic() >= end:
            return not busy
        time.sleep(0.05)


def _remove_orphans(path: Path, folder: Path) -> int:
    if not folder.is_dir():
        return 0
    with closing(open_for_reading(path)) as connection:
        return remove_orphans(folder, {segment.name for segment in segments_of(connection)})


def day_of(at: float) -> str:
    """The UTC day of a moment.

    Examples
    --------
    >>> day_of(86_400.5)
    '1970-01-02'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
