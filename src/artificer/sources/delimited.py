"""CSV and its relatives in any dialect: DuckDB reads, and what DuckDB cannot settle is read record by record."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Reject, Source
from artificer.sources.dialect import Dialect, sniff, split, unique_names
from artificer.sources.survey import SAMPLE, chunks, clean_copy, survey

if TYPE_CHECKING:
    pass

MAX_LINE = 16 << 20
MAX_JOINED = 1000
MAX_KEPT_TEXT = 10_000
CAUSES = {"MISSING COLUMNS": "too few fields", "TOO MANY COLUMNS": "too many fields"}


class Delimited(Source):
    """Comma, semicolon, tab or otherwise separated text.

    Every cell is read as text: types are decided over the whole column afterwards (``tables.parsing``), not from its
    first lines. Blank lines are passed over; a line with another number of fields than the table has is a reject.
    """

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt", ".tab", ".psv", ".dat", ".data")

    def read(self, path: Path, options: ReadOptions) -> Content:
        found = survey(path, options.encoding)
        with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
            place = path
            if found.compressed or not found.clean:
                place = Path(folder) / "clean.csv"
                if shutil.disk_usage(folder).free < 2 * path.stat().st_size:
                    raise SourceError(
                        f'the temporary folder "{folder}" has no room for a UTF-8 copy of "{path}"; free some'
                    )
                clean_copy(path, found, place)
            dialect = sniff(_sample(place), delimiter=options.delimiter, quote=options.quote, header=options.header)
            if not dialect.width:
                raise SourceError(f'"{path}" holds no rows; give a file with a header and at least one line of data')
            names, renamed = unique_names(dialect.names)
            content = _read_with_duckdb(place, dialect) or _read_by_record(place, dialect)
        frame = content.frame
        frame.columns = list(names)
        return Content(frame, content.rejects, (*found.notes, *dialect.notes, *renamed, *content.notes))


def _sample(path: Path) -> str:
    """Whole lines from the beginning of a clean file."""
    data = next(chunks(path), b"")
    if len(data) > SAMPLE:
        cut = data.rfind(b"\n", 0, SAMPLE)
        data = data[: cut if cut > 0 else SAMPLE]
    return data.decode("utf-8", errors="ignore")


def _read_with_duckdb(path: Path, dialect: Dialect) -> Content | None:
    """Read through DuckDB, or give None where its account of refused lines cannot be relied on.

    A stray quote swallows the lines that follow it, up to the end of the file at worst; those are told apart by record.
    """
    import duckdb
    import polars as pl

    columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(dialect.width)) + "}"
    settings = {
        "delim": "$delim",
        "quote": "$quote",
        "escape": "$escape",
        "nullstr": "''",
        "auto_detect": "false",
        "header": "false",
        "skip": str(dialect.skip),
        "max_line_size": str(MAX_LINE),
        "columns": columns,
        "store_rejects": "true",
        "rejects_limit": "0",
    }
    given = ", ".join(f"{key}={value}" for key, value in settings.items())
    query = f"SELECT * FROM read_csv($path, {given})"  # noqa: S608 -- what comes from outside is bound
    values = {"path": _literal_path(path), "delim": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        try:
            table = connection.sql(query, params=values).to_arrow_table()
            refused = connection.execute(
                "SELECT min(line_byte_position), any_value(error_type), any_value(csv_line), any_value(error_message) "
                "FROM reject_errors GROUP BY scan_id, file_id, line ORDER BY 1"
            ).fetchall()
        except duckdb.Error:
            return None
    if any(kind not in CAUSES or "\n" in text.strip("\n") for _, kind, text, _ in refused):
        return None
    frame = pl.DataFrame(pl.from_arrow(table))
    lines = _line_numbers(path, [int(position) for position, *_ in refused])
    rejects = tuple(
        Reject(line, f"{CAUSES[kind]} ({message.splitlines()[0]})", text.strip("\n")[:MAX_KEPT_TEXT])
        for line, (_, kind, text, message) in zip(lines, refused, strict=True)
        if text.strip()
    )
    return Content(frame, rejects)


def _literal_path(path: Path) -> str:
    """Keep DuckDB from reading wildcards into a file's name."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def _line_numbers(path: Path, positions: list[int]) -> list[int]:
    """Physical line (from 1) of each byte position (from 1, ascending)."""
    numbers: list[int] = []
    if not positions:
        return numbers
    read, line = 0, 1
    pending = iter(positions)
    position = next(pending)
    for chunk in chunks(path):
        done = 0
        while position - 1 < read + len(chunk):
            here = position - 1 - read
            line += chunk.count(b"\n", done, here)
            done = here
            blank = len(chunk[here : here + 4096]) - len(chunk[here : here + 4096].lstrip(b"\n"))
            numbers.append(line + blank)
            following = next(pending, None)
            if following is None:
                return numbers
            position = following
        line += chunk.count(b"\n", done)
        read += len(chunk)
    return numbers + [line] * (len(positions) - len(numbers))


def _read_by_record(path: Path, dialect: Dialect) -> Content:
    """Read without DuckDB: slower, and able to go on after a quote that is never closed."""
    import polars as pl

    csv.field_size_limit(MAX_LINE)
    columns: list[list[str | None]] = [[] for _ in range(dialect.width)]
    rejects: list[Reject] = []
    for item in records(_lines(path), dialect):
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            for column, cell in zip(columns, item, strict=True):
                column.append(cell or None)
    frame = pl.DataFrame({f"c{i}": pl.Series(column, dtype=pl.String) for i, column in enumerate(columns)})
    return Content(frame, tuple(rejects))


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")


def records(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str] | Reject]:
    """Turn physical lines into records of the dialect's width, or the reason why they are none.

    A quoted field may span lines. Where a quote is never closed, or closing it swallowed lines that are records by
    themselves, only the line that opened it is refused and reading goes on with the next one.
    """
    waiting: list[str] = []
    source = iter(lines)
    number = 0
    for _ in range(dialect.skip):
        next(source, None)
        number += 1

    def line_at(index: int) -> str | None:
        while len(waiting) <= index:
            following = next(source, None)
            if following is None:
                return None
            waiting.append(following)
        return waiting[index]

    while line_at(0) is not None:
        taken, outcome = _one_record(line_at, dialect, number + 1)
        del waiting[:taken]
        number += taken
        if outcome is not None:
            yield outcome


def _one_record(
    line_at: Callable[[int], str | None], dialect: Dialect, number: int
) -> tuple[int, list[str] | Reject | None]:
    """Lines taken, and the record or reject they make (None for a blank line)."""
    text = first = line_at(0) or ""
    if not first.strip() and dialect.delimiter not in first:
        return 1, None if dialect.width > 1 else [""]
    taken, cause = 1, "a quote is not closed"
    while taken <= MAX_JOINED and len(text) < MAX_LINE:
        try:
            fields = _fields(text, dialect)
        except csv.Error as error:
            following = line_at(taken) if "unexpected end" in str(error) else None
            if following is None:
                cause = cause if "unexpected end" in str(error) else "text follows a closing quote"
                break
            text, taken = f"{text}\n{following}", taken + 1
            continue
        if len(fields) == dialect.width:
            return taken, fields
        if taken > 1 and any(_is_record(line_at(index) or "", dialect) for index in range(1, taken)):
            break
        few = "few" if len(fields) < dialect.width else "many"
        cause = f"too {few} fields (expected {dialect.width}, found {len(fields)})"
        return taken, Reject(number, cause, text[:MAX_KEPT_TEXT])
    return 1, Reject(number, cause, first[:MAX_KEPT_TEXT])


def _fields(text: str, dialect: Dialect) -> list[str]:
    fields = split(text, dialect.delimiter, dialect.quote, dialect.escape)
    while len(fields) > dialect.width and not fields[-1]:
        fields.pop()  # trailing delimiters
    return fields


def _is_record(line: str, dialect: Dialect) -> bool:
    try:
        return len(_fields(line, dialect)) == dialect.width
    except csv.Error:
        return False
