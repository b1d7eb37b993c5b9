"""What a source is: something named on disk that becomes a table, every line of it accounted for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from artificer.plugins import members

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller knows about a file better than the reader could guess; None leaves it to the reader.

    Attributes
    ----------
    rejects_path : where refused lines are written (JSON lines: line, cause, text); None keeps only their count.
    max_reject_share : more refused lines than this share of all data lines stop the reading.
    """

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    encoding: str | None = None
    rejects_path: Path | None = None
    max_reject_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not become a row: its number in the file (from 1), why, and its text."""

    line: int
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a source makes of one file. Rows in `frame` plus `rejects` are all the data lines there were."""

    frame: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadResult:
    """A table that was read, and the account of it.

    Attributes
    ----------
    rows_read, rows_rejected : they add up to the data lines of the file.
    rejects_path : the file of refused lines, None when there were none or no place was given.
    fingerprint : ``"sha256:..."`` of the content; equal content has an equal fingerprint.
    notes : what the reader found out or decided, one sentence each.
    """

    frame: pl.DataFrame
    rows_read: int
    rows_rejected: int
    rejects_path: Path | None
    fingerprint: str
    notes: tuple[str, ...] = ()


class Source(ABC):
    """One kind of file. Members hold no state; ``read`` may be called from several threads.

    ``read`` keeps the order of rows, drops none silently, and raises ``SourceError`` with one sentence for a file that
    it cannot read.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes of a file prove that it is of this kind."""
        return False

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> Content:
        """Read the whole file, which exists and is not empty."""


def sources() -> dict[str, type[Source]]:
    """Every registered source by name."""
    return members("artificer.sources", Source, "artificer.sources")
