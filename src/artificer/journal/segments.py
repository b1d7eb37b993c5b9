"""Sealed segments: one Parquet file of one kind of entries, one day and one model version, never changed once written.

``<journal>/segments/kind=predictions/day=2026-11-20/<version>-<token>.parquet``, which DuckDB and Polars read as it
stands. The journal's database names the segments that count; a file that it does not name is what a killed process left
behind, and the next sealing removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artificer.durable import PART, replacing
from artificer.errors import JournalError
from artificer.journal.entries import OUTCOMES, PREDICTIONS
from artificer.journal.frames import AT, ID, OWN

if TYPE_CHECKING:
    import polars as pl

NAMES: Final = {PREDICTIONS: "predictions", OUTCOMES: "outcomes"}
ROW_GROUP: Final = 65_536
_META: Final = b"artificer.journal"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed file as the journal's database names it.

    Attributes
    ----------
    number : order of sealing.
    name : path below the segments' folder. count : its entries. min_at, max_at : the least and greatest time in it.
    sha256 : of the file.
    """

    number: int
    kind: int
    name: str
    day: str
    count: int
    min_at: float
    max_at: float
    bytes: int
    sha256: str


class SegmentError(Exception):
    """A sealed file cannot be read; the reason is the argument."""


def folder_of(journal: Path) -> Path:
    """Where the segments of the journal at `journal` lie.

    Examples
    --------
    >>> folder_of(Path("home/journal.sqlite")).as_posix()
    'home/journal/segments'
    """
    return (journal.with_suffix("") if journal.suffix else journal.with_name(journal.name + ".d")) / "segments"


def write_segment(
    folder: Path, kind: int, day: str, version: str, frame: pl.DataFrame, styles: dict[str, str]
) -> Segment:
    """Write a file that is durable when this returns; it counts once the journal's database names it.

    Raises
    ------
    JournalError
        The disk refuses it; nothing of it is left.
    """
    import pyarrow.parquet as pq

    frame = frame.sort(AT, maintain_order=True)
    safe = re.sub(r"[^A-Za-z0-9.]", "_", version)[:40] or "all"
    name = f"kind={NAMES[kind]}/day={day}/{safe}-{secrets.token_hex(8)}.parquet"
    table = frame.to_arrow()
    meta = json.dumps({"format": _FORMAT, "kind": NAMES[kind], "times": styles}, ensure_ascii=False).encode()
    table = table.replace_schema_metadata({_META: meta})
    try:
        with replacing(folder / name) as part:
            pq.write_table(
                table,
                part,
                compression="zstd",
                row_group_size=ROW_GROUP,
                use_dictionary=[column for column in frame.columns if column not in (ID, AT)],
                write_page_checksum=True,
            )
            size, digest = part.stat().st_size, _sha256(part)
    except OSError as error:
        raise JournalError(
            f"the journal's segment {folder / name} could not be written ({error.strerror or error}); free space or "
            "repair the disk."
        ) from error
    low, high = float(frame[AT].min()), float(frame[AT].max())  # type: ignore[arg-type]
    return Segment(0, kind, name, day, frame.height, low, high, size, digest)


def read_segment(
    folder: Path, segment: Segment, columns: Sequence[str] | None = None, since: float = -math.inf
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read a sealed file, its page checksums verified; with `columns` only these of its features, and its own.

    Row groups that end before `since` are passed over.

    Raises
    ------
    SegmentError
        It is absent or damaged.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / segment.name
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, memory_map=False) as file:
            styles = _styles(file)
            there = file.schema_arrow.names
            wanted = [n for n in there if n in OWN or columns is None or n in columns]
            groups = [number for number, chunk in enumerate(_chunks(file)) if chunk[2] >= since]
            table = file.read_row_groups(groups, columns=wanted)
        frame = pl.from_arrow(table)
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SegmentError("the file is not there" if isinstance(error, FileNotFoundError) else reason) from error
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (a table is never a series)
    return frame, styles


def chunks_of(folder: Path, segment: Segment) -> list[tuple[int, float, float]]:
    """Rows, least and greatest time of each row group, read off the file's end alone; all of it as one if damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(folder / segment.name) as file:
            return _chunks(file)
    except (OSError, pa.ArrowException, ValueError):
        return [(segment.count, segment.min_at, segment.max_at)]


def _chunks(file: Any) -> list[tuple[int, float, float]]:
    place = file.schema_arrow.names.index(AT)
    found = []
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        # Leaves of nested columns are counted as well, so the place is looked up by its path.
        column = next(group.column(j) for j in range(place, group.num_columns) if group.column(j).path_in_schema == AT)
        found.append((group.num_rows, float(column.statistics.min), float(column.statistics.max)))
    return found


def _styles(file: Any) -> dict[str, str]:
    found = json.loads(file.schema_arrow.metadata[_META])
    if found["format"] > _FORMAT:
        raise ValueError(f"it has format {found['format']} and this version knows {_FORMAT}; upgrade Artificer")
    times: dict[str, str] = found["times"]
    return times


def check_segment(folder: Path, segment: Segment) -> str | None:
    """Hold a file to its checksum; what is wrong with it, or None."""
    path = folder / segment.name
    try:
        return None if _sha256(path) == segment.sha256 else "its checksum does not match"
    except FileNotFoundError:
        return "the file is not there"
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"


def remove_orphans(folder: Path, known: set[str]) -> int:
    """Remove files that no database names: what was left by a process killed between writing and recording."""
    removed = 0
    for path in [*folder.glob("kind=*/day=*/*.parquet"), *folder.glob(f"kind=*/day=*/.*{PART}")]:
        if path.relative_to(folder).as_posix() not in known:
            path.unlink(missing_ok=True)
            removed += 1
            with contextlib.suppress(OSError):  # only an empty folder goes
                path.parent.rmdir()
    return removed


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
