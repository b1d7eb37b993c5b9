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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from artificer.errors import JournalError
from artificer.journal.entries import OUTCOMES, PREDICTIONS, OutcomeEntry, PredictionEntry, decode
from artificer.journal.frames import AT, ID, to_entries
from artificer.journal.segments import Segment, SegmentError, chunks_of, folder_of, read_segment
from artificer.journal.store import Connection, open_for_reading, parts_of, segments_of
from artificer.problem.places import Place

if TYPE_CHECKING:
    import polars as pl

Part: TypeAlias = tuple[Connection, Place]
"""An open file of a journal and where it lies."""

_log = logging.getLogger("artificer.journal")

CLOCK_SKEW: Final = 86_400.0
"""How far before its prediction an outcome may be dated, seconds: they come from different machines' clocks."""


@dataclass(frozen=True, slots=True)
class DamagedGroup:
    """A group, or a sealed segment, that could not be read: its number, its entries, what is wrong, its file."""

    seq: int
    count: int
    reason: str
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A group or a sealed segment, which hold entries of one kind; ``order`` is that of writing."""

    kind: int
    order: tuple[int, int]
    count: int
    min_at: float
    max_at: float
    segment: Segment | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries a window holds, and the first and last of their times (None when there are none)."""

    predictions: int
    outcomes: int
    first_at: float | None
    last_at: float | None


def predictions(
    path: Place,
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
    with opened(path) as parts:
        for part, piece in sorted(all_pieces(parts, PREDICTIONS, since, until), key=_newest_first):
            if piece.max_at < enough:
                break
            batch = [
                entry
                for entry in entries_of(*part, piece, damaged)
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
    path: Place,
    since: float = -math.inf,
    until: float = math.inf,
    damaged: list[DamagedGroup] | None = None,
) -> list[OutcomeEntry]:
    """Give the outcomes of a window, oldest first, each id once: the newest wins, and of equally new ones the last."""
    found: dict[str, OutcomeEntry] = {}
    with opened(path) as parts:
        for part, piece in all_pieces(parts, OUTCOMES, since, until):
            for entry in entries_of(*part, piece, damaged):
                known = found.get(entry.id)
                if since <= entry.at < until and (known is None or entry.at >= known.at):
                    found[entry.id] = entry
    return sorted(found.values(), key=_by_time)


@dataclass(frozen=True, slots=True)
class Made:
    """The predictions of a window in the two forms they are kept in.

    Attributes
    ----------
    entries : those that are not sealed yet.
    frames : the sealed ones, each table with the styles of its times (see :mod:`artificer.journal.frames`).
    """

    entries: list[PredictionEntry]
    frames: list[tuple[pl.DataFrame, dict[str, str]]]


def made_in(
    path: Place,
    since: float,
    until: float,
    limit: int,
    columns: Sequence[str],
    damaged: list[DamagedGroup] | None = None,
) -> Made:
    """Give the newest `limit` predictions of a window, each id once, of sealed ones only the `columns` that are wanted.

    The same predictions as :func:`predictions` gives, without making an object of every sealed one.
    """
    with opened(path) as parts:
        found = all_pieces(parts, PREDICTIONS, since, until)
        # Only where ids came twice can this be too few.
        cut = max(since, _newest_since(found, until, limit))
        made, whole = _made(found, cut, until, limit, columns, damaged)
        if not whole and cut > since:
            made, _ = _made(found, since, until, limit, columns, None)
    return made


def _newest_since(found: Sequence[tuple[Part, Piece]], until: float, limit: int) -> float:
    """A time from which on there are `limit` entries or more, as pieces and their row groups say without being read."""
    chunks: list[tuple[int, float, float]] = []
    for (_, place), piece in found:
        if piece.segment is not None and isinstance(place, Path):
            chunks += chunks_of(folder_of(place), piece.segment)
        else:
            chunks.append((piece.count, piece.min_at, piece.max_at))
    count = 0
    for rows, low, _ in sorted((chunk for chunk in chunks if chunk[2] < until), key=lambda chunk: -chunk[1]):
        count += rows
        if count >= limit:
            return low
    return -math.inf


def _made(
    found_in: Sequence[tuple[Part, Piece]],
    since: float,
    until: float,
    limit: int,
    columns: Sequence[str],
    damaged: list[DamagedGroup] | None,
) -> tuple[Made, bool]:
    """The newest predictions from `since` on, and whether they are `limit`."""
    import polars as pl

    entries: list[PredictionEntry] = []
    frames: list[tuple[pl.DataFrame, dict[str, str]]] = []
    keys: list[pl.DataFrame] = []
    count, enough = 0, -math.inf
    for part, piece in sorted(found_in, key=_newest_first):
        if piece.max_at < max(enough, since):
            break
        if piece.segment is None:
            batch = [e for e in entries_of(*part, piece, damaged) if since <= e.at < until]
            key = pl.DataFrame({ID: [e.id for e in batch], AT: [e.at for e in batch]}, {ID: pl.String, AT: pl.Float64})
            place, first = -1, len(entries)
            entries += batch
        else:
            found = segment_frame(part[1], piece.segment, damaged, columns, since)
            if found is None:
                continue
            frame = found[0].filter(pl.col(AT).is_between(since, until, closed="left"))
            key, place, first = frame.select(ID, AT), len(frames), 0
            frames.append((frame, found[1]))
        keys.append(key.with_columns(_place=pl.lit(place), _row=pl.int_range(first, first + key.height)))
        count += key.height
        if enough == -math.inf and count >= limit:
            enough = pl.concat([k.select(AT) for k in keys])[AT].min()  # type: ignore[assignment]
    if not keys:
        return Made([], []), False
    # The piece that is read last is the oldest: of equal ids its entry counts, as everywhere.
    chosen = pl.concat(reversed(keys)).unique(ID, keep="first", maintain_order=True)
    chosen = chosen.sort(AT, maintain_order=True).tail(limit)
    rows = {key[0]: part["_row"] for key, part in chosen.partition_by("_place", as_dict=True).items()}
    made = Made(
        [entries[row] for row in rows.get(-1, ())],
        [(frame[rows[place]], styles) for place, (frame, styles) in enumerate(frames) if place in rows],
    )
    return made, chosen.height == limit


def outcomes_of(
    path: Place, ids: Sequence[str], since: float, damaged: list[DamagedGroup] | None = None
) -> dict[str, OutcomeEntry]:
    """Give the outcome of each of these predictions that has one, dated from `since` on; the newest counts."""
    import polars as pl

    wanted = pl.DataFrame({ID: ids}, {ID: pl.String})
    known: dict[str, OutcomeEntry] = {}
    among = set(ids)
    with opened(path) as parts:
        for part, piece in all_pieces(parts, OUTCOMES, since):
            if piece.segment is None:
                found: list[Any] = entries_of(*part, piece, damaged)
            else:
                read = segment_frame(part[1], piece.segment, damaged)
                chosen = None if read is None else read[0].join(wanted, on=ID, how="semi", maintain_order="left")
                found = [] if read is None or chosen is None else list(to_entries(OUTCOMES, chosen, read[1]))
            for entry in found:
                if entry.id in among and entry.at >= since:
                    earlier = known.get(entry.id)
                    if earlier is None or entry.at >= earlier.at:
                        known[entry.id] = entry
    return known


def labelled(
    path: Place,
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
    known = outcomes_of(path, [entry.id for entry in made], made[0].at - CLOCK_SKEW, damaged)
    return [(entry, known[entry.id]) for entry in made if entry.id in known]


def counts(path: Place, since: float = -math.inf, until: float = math.inf) -> Counts:
    """Count the entries of a window as they were written (one that was sent twice counts twice), without opening whole
    groups except at the window's edges."""
    totals = {PREDICTIONS: 0, OUTCOMES: 0}
    first, last = math.inf, -math.inf
    with opened(path) as parts:
        for part, piece in all_pieces(parts, None, since, until):
            if piece.min_at >= since and piece.max_at < until:
                totals[piece.kind] += piece.count
                first, last = min(first, piece.min_at), max(last, piece.max_at)
                continue
            for entry in entries_of(*part, piece, None):
                if since <= entry.at < until:
                    totals[piece.kind] += 1
                    first, last = min(first, entry.at), max(last, entry.at)
    empty = not any(totals.values())
    return Counts(totals[PREDICTIONS], totals[OUTCOMES], None if empty else first, None if empty else last)


def _by_time(entry: Any) -> float:
    at: float = entry.at
    return at


@contextmanager
def opened(path: Place) -> Iterator[list[Part]]:
    """Open every file of a journal for reading."""
    with ExitStack() as stack:
        yield [(stack.enter_context(closing(open_for_reading(part))), part) for part in parts_of(path)]


def all_pieces(
    parts: Sequence[Part], kind: int | None, since: float = -math.inf, until: float = math.inf
) -> list[tuple[Part, Piece]]:
    """The pieces of all files that touch a window, each with its file, in the order of writing."""
    found = [(part, piece) for part in parts for piece in pieces(*part, kind, since, until)]
    return sorted(found, key=lambda pair: pair[1].order) if len(parts) > 1 else found


def _newest_first(found: tuple[Part, Piece]) -> tuple[float, int, int]:
    piece = found[1]
    return -piece.max_at, -piece.order[0], -piece.order[1]


def pieces(
    connection: Connection, path: Place, kind: int | None, since: float = -math.inf, until: float = math.inf
) -> list[Piece]:
    """The groups and sealed segments that touch a window, in the order of writing."""
    # The index alone answers this, so that a damaged page of a body does not hide which groups there are.
    query = """
        select kind, seq, count, min_at, max_at from groups
        where kind = ? and max_at >= ? and min_at < ?
    """
    kinds = (PREDICTIONS, OUTCOMES) if kind is None else (kind,)
    try:
        sealed = [found for wanted in kinds for found in segments_of(connection, wanted)]
        rows = [row for wanted in kinds for row in connection.execute(query, (wanted, since, until)).fetchall()]
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be read: {error}; restore it from a copy.") from error
    found = [
        Piece(s.kind, (0, s.number), s.count, s.min_at, s.max_at, s)
        for s in sealed
        if s.max_at >= since and s.min_at < until
    ]
    found += [Piece(of, (1, seq), count, low, high, None) for of, seq, count, low, high in rows]
    return sorted(found, key=lambda piece: piece.order)


def entries_of(connection: Connection, path: Place, piece: Piece, damaged: list[DamagedGroup] | None) -> list[Any]:
    """What a piece holds; where it is damaged nothing, which is logged and told."""
    if piece.segment is not None:
        found = segment_frame(path, piece.segment, damaged)
        return [] if found is None else list(to_entries(piece.kind, *found))
    seq, reason = piece.order[1], "it vanished"
    try:
        row = connection.execute("select crc, body from groups where seq = ?", (seq,)).fetchone()
        if row is None:
            pass
        elif zlib.crc32(row[1]) != row[0]:
            reason = "its checksum does not match"
        else:
            return list(decode(piece.kind, row[1]))
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
        reason = str(error)
    count = piece.count
    _log.warning("group %d of the journal %s is damaged: %s; its %d entries are left out", seq, path, reason, count)
    if damaged is not None:
        damaged.append(DamagedGroup(seq, count, reason))
    return []


def segment_frame(
    path: Place,
    segment: Segment,
    damaged: list[DamagedGroup] | None,
    columns: Sequence[str] | None = None,
    since: float = -math.inf,
) -> tuple[pl.DataFrame, dict[str, str]] | None:
    """A sealed segment as a table, with the styles of its times; None where it is damaged, which is logged and told."""
    assert isinstance(path, Path)  # noqa: S101 (a database has no segments)
    try:
        return read_segment(folder_of(path), segment, columns, since)
    except SegmentError as error:
        _log.warning(
            "the segment %s of the journal %s is damaged: %s; its %d entries are left out",
            segment.name,
            path,
            error,
            segment.count,
        )
        if damaged is not None:
            damaged.append(DamagedGroup(segment.number, segment.count, str(error), segment.name))
        return None
