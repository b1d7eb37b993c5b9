"""Delimited text through DuckDB, which is fast; every line must be accounted for, or its reading does not count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from artificer.sources.base import Content, Reject
from artificer.sources.dialect import Dialect
from artificer.sources.packing import chunks
from artificer.sources.records import MAX_KEPT_TEXT, MAX_LINE

CAUSES = {"MISSING COLUMNS": "too few fields", "TOO MANY COLUMNS": "too many fields"}
THREADS = {"threads": 2}


def read_with_duckdb(path: Path, dialect: Dialect) -> Content | None:
    """Read the whole file, or give None where DuckDB's account of its lines cannot be relied on."""
    import duckdb
    import polars as pl

    with duckdb.connect(config=THREADS) as connection:
        try:
            frame = pl.DataFrame(pl.from_arrow(_scan(connection, path, dialect, "*").to_arrow_table()))
            breaks = frame.select(pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).sum())).item() or 0
            rejects = _settled(connection, path, dialect, frame.height, int(breaks))
        except duckdb.Error:
            return None
    return None if rejects is None else Content(frame, rejects)


def refused_by_duckdb(path: Path, dialect: Dialect) -> tuple[Reject, ...] | None:
    """What DuckDB refuses of a file, without keeping the rest; None as above."""
    import duckdb

    breaks = " + ".join(f"coalesce(sum(len(c{i}) - len(replace(c{i}, chr(10), ''))), 0)" for i in range(dialect.width))
    with duckdb.connect(config=THREADS) as connection:
        try:
            rows, inside = _scan(connection, path, dialect, f"count(*), {breaks}").fetchall()[0]
            return _settled(connection, path, dialect, rows, int(inside))
        except duckdb.Error:
            return None


def parts_with_duckdb(path: Path, dialect: Dialect, rows: int) -> Iterator[Content]:
    """The rows of a file whose lines `refused_by_duckdb` has accounted for."""
    import duckdb
    import polars as pl

    with duckdb.connect(config=THREADS) as connection:
        for batch in _scan(connection, path, dialect, "*").to_arrow_reader(rows):
            yield Content(pl.DataFrame(pl.from_arrow(batch)))


def _scan(connection: Any, path: Path, dialect: Dialect, what: str) -> Any:
    """The file as a relation of text columns; what cannot be a row goes to DuckDB's own account."""
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
    query = f"SELECT {what} FROM read_csv($path, {given})"  # noqa: S608 -- what comes from outside is bound
    values = {"path": _literal_path(path), "delim": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}
    connection.execute("SET enable_progress_bar = false")  # it is drawn on stdout, which is one document's
    return connection.sql(query, params=values)


def _settled(connection: Any, path: Path, dialect: Dialect, rows: int, breaks: int) -> tuple[Reject, ...] | None:
    """The lines that the last scan refused; None where they cannot be told apart, or lines are unaccounted for.

    A stray quote swallows the lines that follow it, up to the end of the file at worst, and now and then silently.
    """
    refused = connection.execute(
        "SELECT min(line_byte_position), any_value(error_type), any_value(csv_line), any_value(error_message) "
        "FROM reject_errors GROUP BY scan_id, file_id, line ORDER BY 1"
    ).fetchall()
    if any(kind not in CAUSES or "\n" in text.strip("\n") for _, kind, text, _ in refused):
        return None
    kept = [entry for entry in refused if entry[2].strip()]
    rest = _lines(path) - dialect.skip - rows - breaks - len(kept)
    if rest < 0 or (rest and rest > _blank_lines(path)):
        return None
    numbers = _line_numbers(path, [int(position) for position, *_ in kept])
    return tuple(
        Reject(line, f"{CAUSES[kind]} ({message.splitlines()[0]})", text.strip("\n")[:MAX_KEPT_TEXT])
        for line, (_, kind, text, message) in zip(numbers, kept, strict=True)
    )


def _lines(path: Path) -> int:
    """Physical lines of a file."""
    lines, last = 0, b"\n"
    for chunk in chunks(path):
        lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    return lines + (last != b"\n")


def _blank_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(not line.strip() for line in file)


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
