"""Delimited text record by record: slower than a database's reader, and able to go on after a quote left open."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator

from artificer.sources.base import Reject
from artificer.sources.dialect import Dialect, split

MAX_LINE = 16 << 20
MAX_JOINED = 1000
MAX_KEPT_TEXT = 10_000


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
