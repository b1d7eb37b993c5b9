"""What a source is: something with a name that becomes a table, every line of it accounted for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from artificer.plugins import members
from artificer.types import Ints

if TYPE_CHECKING:
    import polars as pl

BATCH_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller knows about a source better than the reader could guess; None leaves it to the reader.

    Attributes
    ----------
    table : the table of a database, or the sheet of a workbook.
    query : what a database is asked instead of for a whole table.
    rejects_path : where refused lines are written (JSON lines: line, cause, text); None keeps only their count.
    max_reject_share : more refused lines than this share of all data lines stop the reading.
    batch_rows : so many rows are held at a time where the source is read in batches.
    """

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    encoding: str | None = None
    table: str | None = None
    query: str | None = None
    rejects_path: Path | None = None
    max_reject_share: float = 0.05
    batch_rows: int = BATCH_ROWS


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not become a row: its number in the file (from 1), why, its text, and of several the file."""

    line: int
    cause: str
    text: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a source makes of one file or of a part of it: `frame` and `rejects` together are all its data lines."""

    frame: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a source, or the answer of a database.

    Attributes
    ----------
    name : the file as the caller would name it, the table, or the query.
    rows, rejected : they add up to its data lines.
    bytes : its size; None where it is no file.
    fingerprint : ``"sha256:..."`` of its bytes, or of the rows where it is no file.
    """

    name: str
    rows: int
    rejected: int
    bytes: int | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReadResult:
    """A table that was read, and the account of it.

    Attributes
    ----------
    rows_read, rows_rejected : they add up to the data lines of the source.
    rejects_path : the file of refused lines, None when there were none or no place was given.
    fingerprint : ``"sha256:..."`` of the content; equal content has an equal fingerprint.
    notes : what the reader found out or decided, one sentence each.
    place : what was read, without secrets; empty for a table object.
    parts : the files in the order of their rows.
    """

    frame: pl.DataFrame
    rows_read: int
    rows_rejected: int
    rejects_path: Path | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    place: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def part_of_row(self) -> Ints:
        """Which of `parts` each row comes from (n,)."""
        return np.repeat(np.arange(len(self.parts), dtype=np.int64), [part.rows for part in self.parts])


class Source(ABC):
    """One kind of file. Members hold no state; ``read`` may be called from several threads.

    ``read`` keeps the order of rows, drops none silently, and raises ``SourceError`` with one sentence for a file that
    it cannot read. ``batches`` gives the same rows in the same order without holding them all.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    tables: ClassVar[bool] = False
    """Whether a file may hold several tables, of which ``options.table`` names one."""

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes of a file prove that it is of this kind."""
        return False

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> Content:
        """Read the whole file, which exists and is not empty."""

    def batches(self, path: Path, options: ReadOptions) -> Iterator[Content]:
        """Read the file some rows at a time; a kind that cannot be split is read whole first."""
        whole = self.read(path, options)
        yield Content(whole.frame.clear(), whole.rejects, whole.notes)
        for part in whole.frame.iter_slices(options.batch_rows):
            yield Content(part)


def sources() -> dict[str, type[Source]]:
    """Every registered source by name."""
    return members("artificer.sources", Source, "artificer.sources")
