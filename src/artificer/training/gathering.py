"""The table of a run with the tables that are joined to it, and what exactly was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from artificer.errors import ConfigurationError
from artificer.problem.joins import Join
from artificer.problem.model import Data
from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.sources.base import ReadOptions, ReadResult
    from artificer.tables.contract import Contract

Widen: TypeAlias = "Callable[[pl.DataFrame], tuple[pl.DataFrame, tuple[str, ...]]]"


def gather(data: Data, source: Any, base: Path, options: ReadOptions, now: datetime) -> tuple[ReadResult, list[Json]]:
    """Read the source and join what is declared; a snapshot says of each table what was read.

    Parameters
    ----------
    base : where relative paths of joined tables start.
    now : the time that is noted as that of reading.

    Raises
    ------
    SourceError, DataError
        A table cannot be read, or a join would multiply rows or tell them what came later.
    """
    from artificer.joins.join import join
    from artificer.sources.reading import read_source

    if source is None:
        raise ConfigurationError("data.source is not set; name the table in artificer.toml")
    read = read_source(source, options=replace(options, table=data.table, query=data.query))
    snapshots = [snapshot("source", read, data.query, now)]
    for spec in data.join:
        other = read_join(spec, base)
        snapshots.append(snapshot(spec.name, other, spec.query, now))
        joined = join(read.frame, other.frame, spec, data.time)
        notes = tuple(f"{spec.name}: {note}" for note in other.notes)
        read = replace(read, frame=joined.frame, notes=(*read.notes, *notes, *joined.notes))
    return read, snapshots


def read_join(spec: Join, base: Path) -> ReadResult:
    """The table of a join."""
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source

    place = spec.source if "://" in spec.source else str(base / Path(spec.source).expanduser())
    return read_source(place, options=ReadOptions(table=spec.table, query=spec.query))


def snapshot(name: str, read: ReadResult, query: str | None, now: datetime) -> Json:
    """What was read: enough to tell later whether the source has changed."""
    return {
        "name": name,
        "place": read.place,
        "query": query,
        "fingerprint": read.fingerprint,
        "rows": read.rows_read,
        "rejected": read.rows_rejected,
        "columns": read.frame.columns,
        "read_at": now.isoformat(),
        "files": [
            {"name": part.name, "rows": part.rows, "bytes": part.bytes, "fingerprint": part.fingerprint}
            for part in read.parts
        ],
    }


def changes(before: Json, now: Json) -> list[str]:
    """How a source differs from what was read of it before, one sentence; nothing where it is the same.

    Examples
    --------
    >>> from artificer.sources.reading import read_source
    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> old, new = (snapshot("source", read_source({"a": values}), None, at) for values in ([1, 2], [1, 2, 3]))
    >>> changes(old, old), changes(old, new)
    ([], ['source has changed since 2026-01-01T00:00:00+00:00: 3 rows, 2 before'])
    """
    if before["fingerprint"] == now["fingerprint"]:
        return []
    found = [] if now["rows"] == before["rows"] else [f"{now['rows']:,} rows, {before['rows']:,} before"]
    old, new = before["columns"], now["columns"]
    for word, names in (
        ("new columns", [name for name in new if name not in old]),
        ("columns gone", [name for name in old if name not in new]),
    ):
        found += [f"{word} {_listed(names)}"] if names else []
    if before["query"] != now["query"]:
        found.append("another query")
    known = {file["name"]: file["fingerprint"] for file in before["files"]}
    other = [file["name"] for file in now["files"] if known.get(file["name"]) != file["fingerprint"]]
    found += [f"new or other files {_listed(other)}"] if other and max(len(known), len(now["files"])) > 1 else []
    return [f"{before['name']} has changed since {before['read_at']}: " + (", ".join(found) or "other content")]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def widening(joins: Sequence[Join], base: Path, contract: Contract, time: str | None) -> Widen | None:
    """What gives rows to predict the columns of the same joins; None where there are none.

    Rows that bring all columns of a join that the model needs, as served ones do, keep theirs.

    Parameters
    ----------
    time : the declared ``data.time`` that training joined by; not the contract's, which the split may have found.
    """
    from artificer.joins.join import join

    if not joins:
        return None
    tables: dict[str, ReadResult] = {}
    reads = next((column for column in contract.columns if column.name == time), None)

    def widen(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
        notes: list[str] = []
        for spec in joins:
            wanted = [c.name for c in contract.columns if c.name.startswith(f"{spec.name}_")]
            if wanted and all(name in frame.columns for name in wanted):
                notes.append(f"join {spec.name}: the rows bring its columns themselves")
                continue
            if spec.name not in tables:
                tables[spec.name] = read_join(spec, base)
            found = join(frame, tables[spec.name].frame, spec, time, reads)
            frame, notes = found.frame, [*notes, *found.notes]
        return frame, tuple(notes)

    return widen
