"""The journal's reading side: entries by window of time, predictions joined with their outcomes.

Every call opens its own connection, so it works while other threads and processes write, and sees only what is durable.
Windows are half-open: `since` belongs, `until` does not. A group that is damaged is left out, logged and, where the
caller passes a list, added to it; it never hides the others.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from artificer.errors import JournalError
from artificer.journal.entries import OUTCOMES, PREDICTIONS, OutcomeEntry, PredictionEntry, decode
from artificer.journal.store import open_for_reading

_log = logging.getLogger("artificer.journal")

CLOCK_SKEW: Final = 86_400.0
"""How far before its prediction an outcome may be dated, seconds: they come from different machines' clocks."""


@dataclass(frozen=True, slots=True)
class DamagedGroup:
    """A group that could not be read: its number in the file, the entries it held, and what is wrong."""

    seq: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries a window holds, and the first and last of their times (None when there are none)."""

    predictions: int
    outcomes: int
    first_at: float | None
    last_at: float | None


def predictions(
    path: Path,
    since: float = -math.inf,
    until: float = math.inf,
    version: str | None = None,
    limit: int | None = None,
    damaged: list[DamagedGroup] | None = None,
) -> list[PredictionEntry]:
    """Give the predictions of a window, oldest first, each id once.

    Parameters
    ----------
    path : the journal's file.
    since, until : seconds since 1970-01-01 UTC.
    version : only those that this model version answered.
    limit : only the newest so many.
    damaged : receives the groups that could not be read.

    Raises
    ------
    JournalError
        When the journal is absent, not a journal, or of a newer format.
    """
    batches: list[list[PredictionEntry]] = []
    ids: set[str] = set()
    enough = -math.inf
    with closing(open_for_reading(path)) as connection:
        for seq, count, newest in _groups(connection, path, PREDICTIONS, since, until):
            if newest < enough:
                break
            batch = [
                entry
                for entry in _group(connection, path, seq, PREDICTIONS, count, damaged)
                if since <= entry.at < until and (version is None or entry.version == version)
            ]
            batches.append(batch)
            ids.update(entry.id for entry in batch)
            if limit is not None and enough == -math.inf and len(ids) >= limit:
                # So many are found that nothing older than the oldest of them can be among the newest `limit`.
                enough = min((entry.at for batch in batches for entry in batch), default=math.inf)
    found: dict[str, PredictionEntry] = {}
    for batch in reversed(batches):
        for entry in batch:
            found.setdefault(entry.id, entry)
    chosen = sorted(found.values(), key=_by_time)
    return chosen if limit is None else chosen[max(0, len(chosen) - limit) :]


def outcomes(
    path: Path,
    since: float = -math.inf,
    until: float = math.inf,
    damaged: list[DamagedGroup] | None = None,
) -> list[OutcomeEntry]:
    """Give the outcomes of a window, oldest first, each id once: the newest wins, and of equally new ones the last."""
    found: dict[str, OutcomeEntry] = {}
    with closing(open_for_reading(path)) as connection:
        for seq, count, _ in sorted(_groups(connection, path, OUTCOMES, since, until)):
            for entry in _group(connection, path, seq, OUTCOMES, count, damaged):
                known = found.get(entry.id)
                if since <= entry.at < until and (known is None or entry.at >= known.at):
                    found[entry.id] = entry
    return sorted(found.values(), key=_by_time)


def labelled(
    path: Path,
    since: float = -math.inf,
    until: float = math.inf,
    version: str | None = None,
    damaged: list[DamagedGroup] | None = None,
) -> list[tuple[PredictionEntry, OutcomeEntry]]:
    """Join the predictions of a window with their outcomes, whenever those came; without an outcome they are left out.

    The window is that of the predictions. Oldest prediction first; of several outcomes for one id the newest counts.
    """
    made = predictions(path, since, until, version=version, damaged=damaged)
    if not made:
        return []
    known = {entry.id: entry for entry in outcomes(path, since=made[0].at - CLOCK_SKEW, damaged=damaged)}
    return [(entry, known[entry.id]) for entry in made if entry.id in known]


def counts(path: Path, since: float = -math.inf, until: float = math.inf) -> Counts:
    """Count the entries of a window as they were written (one that was sent twice counts twice), without opening whole
    groups except at the window's edges."""
    totals = {PREDICTIONS: 0, OUTCOMES: 0}
    first, last = math.inf, -math.inf
    with closing(open_for_reading(path)) as connection:
        query = "select seq, kind, count, min_at, max_at from groups where kind = ? and max_at >= ? and min_at < ?"
        for wanted in totals:
            for seq, kind, count, low, high in _rows(connection, path, query, (wanted, since, until)):
                if low >= since and high < until:
                    totals[kind] += count
                    first, last = min(first, low), max(last, high)
                    continue
                for entry in _group(connection, path, seq, kind, count, None):
                    if since <= entry.at < until:
                        totals[kind] += 1
                        first, last = min(first, entry.at), max(last, entry.at)
    empty = not any(totals.values())
    return Counts(totals[PREDICTIONS], totals[OUTCOMES], None if empty else first, None if empty else last)


def _by_time(entry: Any) -> float:
    at: float = entry.at
    return at


def _groups(
    connection: sqlite3.Connection, path: Path, kind: int, since: float, until: float
) -> list[tuple[int, int, float]]:
    """Give number, count and newest time of the groups that touch a window, the newest first."""
    # The index alone answers this, so that a damaged page of a body does not hide which groups there are.
    query = """
        select seq, count, max_at from groups where kind = ? and max_at >= ? and min_at < ?
        order by max_at desc, seq desc
    """
    return _rows(connection, path, query, (kind, since, until))


def _group(
    connection: sqlite3.Connection, path: Path, seq: int, kind: int, count: int, damaged: list[DamagedGroup] | None
) -> list[Any]:
    try:
        row = connection.execute("select crc, body from groups where seq = ?", (seq,)).fetchone()
        if row is None:
            return []
        if zlib.crc32(row[1]) != row[0]:
            reason = "its checksum does not match"
        else:
            return decode(kind, row[1])
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
        reason = str(error)
    _log.warning("group %d of the journal %s is damaged: %s; its %d entries are left out", seq, path, reason, count)
    if damaged is not None:
        damaged.append(DamagedGroup(seq, count, reason))
    return []


def _rows(connection: sqlite3.Connection, path: Path, query: str, values: tuple[Any, ...]) -> list[Any]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be read: {error}; restore it from a copy.") from error
