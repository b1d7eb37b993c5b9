"""Keeping the journal: one subject's rows forgotten, old ones dropped, all of it verified and summed up."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from artificer.errors import JournalError
from artificer.journal.entries import OUTCOMES, PREDICTIONS, OutcomeEntry, PredictionEntry, encode, group_header
from artificer.journal.frames import ID, RAW, to_entries
from artificer.journal.reader import DamagedGroup, Piece, all_pieces, entries_of, opened, pieces, segment_frame
from artificer.journal.sealing import DAY, changing, day_of, keeping, shrink
from artificer.journal.segments import Segment, check_segment, folder_of, write_segment
from artificer.journal.store import Connection, note, open_for_reading, parts_of, record_segments
from artificer.problem.places import Place
from artificer.tables.cells import canonical_text
from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl


AUDIT: Final = 20
"""So many records of the audit are shown, the newest."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was forgotten: entries, and the segments that were written anew without them.

    Attributes
    ----------
    overwritten : whether what was removed is off the disk; while somebody reads the journal it stays there, and
        forgetting once more, when nobody does, overwrites it.
    """

    predictions: int
    outcomes: int
    segments: int
    damaged: tuple[DamagedGroup, ...]
    overwritten: bool


def forget(path: Place, column: str, value: str) -> Forgotten:
    """Remove every prediction whose row holds `value` in `column`, and the outcomes of these predictions.

    Values are compared by their canonical text, so that 41, 41.0 and "41" are one. What is removed is overwritten in
    the database, unless somebody reads it meanwhile, and absent from the rewritten segments. Appends wait for it.
    The audit keeps the counts and a salted hash in place of the value, by which one who knows it can tell that it was
    done.

    Raises
    ------
    JournalError
        The journal cannot be read or written; then nothing of it has changed.
    """
    ids: set[str] = set()
    done: list[Forgotten] = []
    parts = parts_of(path)
    # An outcome may lie in another file than its prediction, and be met before it.
    for part in parts if len(parts) == 1 else [*parts, *parts]:
        with keeping(part):
            done.append(_forget(part, column, canonical_text(value), ids))
    return Forgotten(
        predictions=sum(each.predictions for each in done),
        outcomes=sum(each.outcomes for each in done),
        segments=sum(each.segments for each in done),
        damaged=tuple(found for each in done[: len(parts)] for found in each.damaged),
        overwritten=all(each.overwritten for each in done[-len(parts) :]),
    )


def _forget(path: Place, column: str, text: str, ids: set[str]) -> Forgotten:
    """Forget in one file, and the outcomes of `ids` too, to which those found here are added."""
    damaged: list[DamagedGroup] = []
    replaced: list[Segment] = []
    written: list[Segment] = []
    removed = {PREDICTIONS: 0, OUTCOMES: 0}
    try:
        with changing(path) as connection:
            if isinstance(path, Path):
                connection.execute("pragma secure_delete = on")
            for kind in (PREDICTIONS, OUTCOMES):
                for piece in pieces(connection, path, kind):
                    gone = _ids_of(connection, path, piece, column, text, damaged) if kind == PREDICTIONS else ids
                    if kind == PREDICTIONS:
                        ids |= gone
                    if not gone:
                        continue
                    if piece.segment is None:
                        removed[kind] += _without_in_group(connection, path, piece, gone)
                        continue
                    new, count = _without_in_segment(path, piece.segment, gone)
                    if count:
                        removed[kind] += count
                        replaced.append(piece.segment)
                        written += new
            record_segments(connection, written)
            connection.executemany("delete from segments where number = ?", [(s.number,) for s in replaced])
            salt = secrets.token_hex(16)
            evidence: Json = {
                "column": column,
                "salt": salt,
                "sha256": hashlib.sha256(f"{salt}{text}".encode()).hexdigest(),
                "predictions": removed[PREDICTIONS],
                "outcomes": removed[OUTCOMES],
            }
            note(connection, "forget", time.time(), evidence)
    except BaseException:
        _unlink(path, written)
        raise
    _unlink(path, replaced)
    overwritten = shrink(path, whole=True)
    return Forgotten(removed[PREDICTIONS], removed[OUTCOMES], len(replaced), tuple(damaged), overwritten)


def _ids_of(
    connection: Connection, path: Place, piece: Piece, column: str, text: str, damaged: list[DamagedGroup]
) -> set[str]:
    """Ids of the predictions of a piece whose row has the value."""
    if piece.segment is None:
        entries: list[PredictionEntry] = entries_of(connection, path, piece, damaged)
    else:
        found = segment_frame(path, piece.segment, damaged, [column])
        if found is None:
            return set()
        frame, styles = found
        entries = list(to_entries(PREDICTIONS, _candidates(frame, column, text), styles))  # type: ignore[arg-type]
    return {e.id for e in entries if column in e.row and canonical_text(e.row[column]) == text}


def _candidates(frame: pl.DataFrame, column: str, text: str) -> pl.DataFrame:
    """Sealed rows that may hold the value: a few objects are made in place of all."""
    import polars as pl

    from artificer.tables.arrays import canonical_texts

    likely = pl.col(RAW).is_not_null()
    if column not in frame.columns:
        return frame.filter(likely)
    series = frame[column]
    if series.dtype.is_temporal():
        return frame
    return frame.filter(likely | pl.Series(canonical_texts(series).fill_null("") == text))


def _without_in_group(connection: Connection, path: Place, piece: Piece, ids: set[str]) -> int:
    entries: list[PredictionEntry | OutcomeEntry] = entries_of(connection, path, piece, None)
    kept = [entry for entry in entries if entry.id not in ids]
    seq = piece.order[1]
    if len(kept) == len(entries):
        return 0
    if not kept:
        connection.execute("delete from groups where seq = ?", (seq,))
        return len(entries)
    (chunk,) = encode(kept)
    body = group_header(chunk.length) + chunk.data
    connection.execute(
        "update groups set count = ?, min_at = ?, max_at = ?, crc = ?, body = ? where seq = ?",
        (chunk.length, chunk.min_at, chunk.max_at, zlib.crc32(body), body, seq),
    )
    return len(entries) - len(kept)


def _without_in_segment(path: Place, segment: Segment, ids: set[str]) -> tuple[list[Segment], int]:
    """Write a segment anew without some entries; nothing is written where none of them is in it or none is left."""
    import polars as pl

    assert isinstance(path, Path)  # noqa: S101 (a database has no segments)
    found = segment_frame(path, segment, None)
    if found is None:
        return [], 0
    frame, styles = found
    kept = frame.filter(~pl.col(ID).is_in(list(ids)))
    if kept.height == frame.height:
        return [], 0
    if not kept.height:
        return [], frame.height
    version = segment.name.rsplit("/", 1)[-1].rpartition("-")[0]
    new = write_segment(folder_of(path), segment.kind, segment.day, version, kept, styles)
    return [new], frame.height - kept.height


def retain(path: Place, since: float) -> int:
    """Drop the entries of days that ended before `since`; returns how many."""
    return sum(_retain(part, since // DAY * DAY) for part in parts_of(path))


def _retain(path: Place, bound: float) -> int:
    with closing(open_for_reading(path)) as connection:
        if not any(piece.max_at < bound for piece in pieces(connection, path, None, until=bound)):
            return 0
    with keeping(path), changing(path) as connection:
        old = [piece for piece in pieces(connection, path, None, until=bound) if piece.max_at < bound]
        files = [piece.segment for piece in old if piece.segment is not None]
        connection.executemany("delete from segments where number = ?", [(s.number,) for s in files])
        connection.executemany("delete from groups where seq = ?", [(p.order[1],) for p in old if p.segment is None])
        count = sum(piece.count for piece in old)
        note(connection, "retain", time.time(), {"before": day_of(bound), "entries": count})
    _unlink(path, files)
    shrink(path)
    return count


def _unlink(path: Place, segments: Sequence[Segment]) -> None:
    if not isinstance(path, Path):
        return
    for segment in segments:
        (folder_of(path) / segment.name).unlink(missing_ok=True)


def verify(path: Place) -> Json:
    """Hold every group and segment to its checksum; ``damaged`` names those that fail, whose entries cannot be read."""
    damaged: list[DamagedGroup] = []
    checked = {"groups": 0, "segments": 0, "entries": 0}
    with opened(path) as parts:
        for (connection, part), piece in all_pieces(parts, None):
            checked["entries"] += piece.count
            if piece.segment is None or not isinstance(part, Path):
                checked["groups"] += 1
                entries_of(connection, part, piece, damaged)
                continue
            checked["segments"] += 1
            reason = check_segment(folder_of(part), piece.segment)
            if reason is not None:
                damaged.append(DamagedGroup(piece.segment.number, piece.count, reason, piece.segment.name))
    lost = sum(group.count for group in damaged)
    return {
        **checked,
        "damaged": [{"segment": d.segment, "group": d.seq, "entries": d.count, "reason": d.reason} for d in damaged],
        "entries_lost": lost,
    }


def status(path: Place) -> Json:
    """How much the journal holds, sealed and not, since when, and what was last done to it."""
    with opened(path) as parts:
        found = [piece for _, piece in all_pieces(parts, None)]
        sealed = [piece.segment for piece in found if piece.segment is not None]
        audit = sorted((record for part in parts for record in _audit(part[0])), key=lambda r: -r["at"])[:AUDIT]
        files = [p.with_name(p.name + end) for _, p in parts if isinstance(p, Path) for end in ("", "-wal")]
    counted = {
        name: sum(piece.count for piece in found if piece.kind == kind)
        for kind, name in ((PREDICTIONS, "predictions"), (OUTCOMES, "outcomes"))
    }
    return {
        **counted,
        "first_at": min((piece.min_at for piece in found), default=None),
        "last_at": max((piece.max_at for piece in found), default=None),
        "unsealed": {
            "entries": sum(piece.count for piece in found if piece.segment is None),
            "groups": len(found) - len(sealed),
            "bytes": sum(file.stat().st_size for file in files if file.exists()),
        },
        "sealed": {
            "entries": sum(segment.count for segment in sealed),
            "files": len(sealed),
            "bytes": sum(segment.bytes for segment in sealed),
            "days": sorted({segment.day for segment in sealed}),
            "folder": str(folder_of(path)) if isinstance(path, Path) else None,
        },
        "audit": audit,
    }


def _audit(connection: Connection, newest: int = AUDIT) -> list[Json]:
    query = "select at, action, evidence from audit order by at desc limit ?"
    try:
        return [
            {"at": at, "action": action, "evidence": json.loads(evidence)}
            for at, action, evidence in connection.execute(query, (newest,))
        ]
    except sqlite3.OperationalError:  # a journal of format 1 has none yet
        return []
    except ValueError as error:
        raise JournalError(f"the journal's audit is damaged ({error}); restore it from a copy.") from error
