"""CSV and its relatives in any dialect: DuckDB reads, and what DuckDB cannot settle is read record by record."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Reject, Source
from artificer.sources.dialect import Dialect, sniff, unique_names
from artificer.sources.packing import chunks
from artificer.sources.records import MAX_LINE, records
from artificer.sources.scanning import parts_with_duckdb, read_with_duckdb, refused_by_duckdb
from artificer.sources.survey import SAMPLE, clean_copy, survey

if TYPE_CHECKING:
    import polars as pl


class Delimited(Source):
    """Comma, semicolon, tab or otherwise separated text.

    Every cell is read as text: types are decided over the whole column afterwards (``tables.parsing``), not from its
    first lines. Blank lines are passed over; a line with another number of fields than the table has is a reject.
    """

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt", ".tab", ".psv", ".dat", ".data")

    def read(self, path: Path, options: ReadOptions) -> Content:
        with _laid_out(path, options) as (place, dialect, names, notes, returns):
            content = read_with_duckdb(place, dialect) or _read_by_record(place, dialect)
        content.frame.columns = names
        return Content(content.frame, content.rejects, (*notes, *_breaks(content.frame, returns)))

    def batches(self, path: Path, options: ReadOptions) -> Iterator[Content]:
        """Two passes where DuckDB can read the file: what it refuses is only known at the end of one."""
        with _laid_out(path, options) as (place, dialect, names, notes, returns):
            refused = refused_by_duckdb(place, dialect)
            parts = _parts_by_record(place, dialect, options.batch_rows)
            if refused is not None:
                parts = chain(
                    [Content(_frame([[] for _ in names]), refused)],
                    parts_with_duckdb(place, dialect, options.batch_rows),
                )
            for part in parts:
                part.frame.columns = names
                breaks = _breaks(part.frame, returns)
                yield Content(part.frame, part.rejects, (*notes, *breaks))
                notes, returns = (), returns and not breaks


@contextmanager
def _laid_out(path: Path, options: ReadOptions) -> Iterator[tuple[Path, Dialect, list[str], tuple[str, ...], bool]]:
    """A file of clean UTF-8 with the same lines, its dialect, the names of its columns, what is to be told, and whether
    carriage returns were replaced."""
    returns = False
    found = survey(path, options.encoding)
    with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        place = path
        if found.compressed or not found.clean:
            place = Path(folder) / "clean.csv"
            if shutil.disk_usage(folder).free < 2 * path.stat().st_size:
                raise SourceError(
                    f'the temporary folder "{folder}" has no room for a UTF-8 copy of "{path}"; free some'
                )
            returns = clean_copy(path, found, place)
        dialect = sniff(_sample(place), delimiter=options.delimiter, quote=options.quote, header=options.header)
        if not dialect.width:
            raise SourceError(f'"{path}" holds no rows; give a file with a header and at least one line of data')
        names, renamed = unique_names(dialect.names)
        yield place, dialect, list(names), (*found.notes, *dialect.notes, *renamed), returns


def _breaks(frame: pl.DataFrame, returns: bool) -> tuple[str, ...]:
    """A note where cells hold line breaks and carriage returns of the file were replaced."""
    if not returns or not any(column.str.contains("\n", literal=True).any() for column in frame):
        return ()
    return ("the file has carriage returns; every line break inside a quoted cell was read as a line feed",)


def _sample(path: Path) -> str:
    """Whole lines from the beginning of a clean file."""
    data = next(chunks(path), b"")
    if len(data) > SAMPLE:
        cut = data.rfind(b"\n", 0, SAMPLE)
        data = data[: cut if cut > 0 else SAMPLE]
    return data.decode("utf-8", errors="ignore")


def _read_by_record(path: Path, dialect: Dialect) -> Content:
    import polars as pl

    parts = list(_parts_by_record(path, dialect, 100_000))
    return Content(pl.concat([part.frame for part in parts]), tuple(r for part in parts for r in part.rejects))


def _parts_by_record(path: Path, dialect: Dialect, rows: int) -> Iterator[Content]:
    """Read without DuckDB, at least one part."""
    csv.field_size_limit(MAX_LINE)
    items = records(_lines(path), dialect)
    while True:
        columns: list[list[str | None]] = [[] for _ in range(dialect.width)]
        rejects: list[Reject] = []
        taken = 0
        for item in islice(items, rows):
            taken += 1
            if isinstance(item, Reject):
                rejects.append(item)
            else:
                for column, cell in zip(columns, item, strict=True):
                    column.append(cell or None)
        yield Content(_frame(columns), tuple(rejects))
        if taken < rows:
            return


def _frame(columns: list[list[str | None]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({f"c{i}": pl.Series(column, dtype=pl.String) for i, column in enumerate(columns)})


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")
