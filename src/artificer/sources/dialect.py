"""How a delimited text is laid out, found from its first lines: delimiter, quote, where data begin, column names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from artificer.tables.formats import ISO, PLAIN, number_format, time_format

DELIMITERS = (",", ";", "\t", "|", ":", " ")
NO_DELIMITER = "\x1f"
MARKERS = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "-", "."})
_NUMBERS = tuple(number_format(example) for example in (PLAIN, "1,234.5", "1.234,5"))
_TIMES = tuple(time_format(p) for p in (ISO, "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%H:%M:%S", "%H.%M.%S", "%H:%M"))


@dataclass(frozen=True, slots=True)
class Dialect:
    """Layout of a delimited text.

    Attributes
    ----------
    escape : the character before a quote inside quotes (the quote itself when quotes are doubled).
    skip : physical lines before the first data line (preamble and header).
    names : column names as found, before they are made unique.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int
    header: bool
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return len(self.names)


def split(text: str, delimiter: str, quote: str, escape: str) -> list[str]:
    """Split one record into its fields. Raises ``csv.Error`` where quotes do not hold together."""
    if quote not in text:
        return text.split(delimiter)
    doubled = escape == quote
    reader = csv.reader(
        [text],
        delimiter=delimiter,
        quotechar=quote,
        doublequote=doubled,
        escapechar=None if doubled else escape,
        skipinitialspace=delimiter != " ",
        strict=True,
    )
    return next(reader)


def sniff(
    sample: str, *, delimiter: str | None = None, quote: str | None = None, header: bool | None = None
) -> Dialect:
    """Find the layout of `sample`, the beginning of a text in whole lines with ``\\n`` ends.

    Examples
    --------
    >>> found = sniff("name;price\\nA;1,5\\nB;2,5\\n")
    >>> found.delimiter, found.header, found.names
    (';', True, ('name', 'price'))
    >>> sniff("39, State-gov, 77516\\n50, Private, 83311\\n").names
    ('column_1', 'column_2', 'column_3')
    """
    quote = quote or _quote(sample)
    escape = "\\" if re.search(r'\\"', sample) and '""' not in sample.replace(',""', "") else quote
    best: tuple[float, str, list[tuple[int, list[str]]], int] | None = None
    for candidate in (delimiter,) if delimiter else DELIMITERS:
        records = _records(sample, candidate, quote, escape)
        score, width = _score(records, candidate)
        if best is None or score > best[0]:
            best = (score, candidate, records, width)
    assert best is not None  # noqa: S101 -- there is always a candidate
    score, found, records, width = best
    if delimiter is None and (width < 2 or score < 0.5):
        found, width = NO_DELIMITER, 1
        records = _records(sample, found, quote, escape)
    return _layout(records, found, quote, escape, width, header)


def _quote(sample: str) -> str:
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=$|[,;\t|])", sample, flags=re.MULTILINE))
    double = sample.count('"')
    return "'" if single > 2 and single > double else '"'


def _records(sample: str, delimiter: str, quote: str, escape: str, limit: int = 1000) -> list[tuple[int, list[str]]]:
    """Records of the sample with the number of the physical line after each, blank lines left out."""
    lines = sample.split("\n")
    found: list[tuple[int, list[str]]] = []
    index = 0
    while index < len(lines) and len(found) < limit:
        end, fields = index + 1, None
        if lines[index].strip():
            for end in range(index + 1, min(index + 50, len(lines)) + 1):
                try:
                    fields = split("\n".join(lines[index:end]), delimiter, quote, escape)
                    break
                except csv.Error as error:
                    if "unexpected end" not in str(error):
                        break
            if fields is None:
                end, fields = index + 1, lines[index].split(delimiter)
            found.append((end, fields))
        index = end
    return found


def _score(records: Sequence[tuple[int, list[str]]], delimiter: str) -> tuple[float, int]:
    """How even the records are under this delimiter, and the width most of them have."""
    if not records:
        return 0.0, 1
    widths = Counter(len(fields) for _, fields in records)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width < 2:
        return 0.0, 1
    share = count / len(records)
    heads = [len(fields) for _, fields in records[:5]]
    score = share if width in heads or width - 1 in heads else share / 2
    if len(records[0][1]) not in (width, width - 1):
        score *= 0.8  # a decimal comma cuts the data evenly now and then, but not the names above them
    if delimiter in " :":
        score *= 0.6  # prose and times of day are full of them
    return score, width


def _layout(
    records: list[tuple[int, list[str]]], delimiter: str, quote: str, escape: str, width: int, header: bool | None
) -> Dialect:
    if not records:
        return Dialect(delimiter, quote, escape, 0, False, ())
    notes: list[str] = []
    start = 0
    even = sum(len(fields) == width for _, fields in records) >= max(3, 0.8 * (len(records) - 20), len(records) // 2)
    while even and start < min(len(records) - 1, 20) and len(records[start][1]) < width - 1 and width > 1:
        start += 1
    if even and start == 0 and width > 2 and len(records[0][1]) == 1:
        start = 1
    skip = records[start - 1][0] if start else 0
    if start:
        notes.append(f"the first {skip} lines stand before the table and were passed over")
    records = records[start:]
    first = [cell.strip() for cell in records[0][1]] if records else []
    body = [fields for _, fields in records[1:] if len(fields) == width]
    has_header = header if header is not None else looks_like_header(first, body)
    if not has_header:
        names = [f"column_{i}" for i in range(1, max(width, 1) + 1)]
        if header is None:
            notes.append("the first line holds data, so the columns are named column_1 to " + names[-1])
        return Dialect(delimiter, quote, escape, skip, False, tuple(names), tuple(notes))
    spaced = [cell.strip() for cell in records[0][1] if cell.strip() and cell != cell.rstrip()]
    if spaced:
        others = f" and of {len(spaced) - 1} more" if len(spaced) > 1 else ""
        notes.append(f'spaces at the end of the column name "{spaced[0]}"{others} were removed')
    names = first
    if len(first) == width - 1 and body:
        if all(not fields[-1].strip() for fields in body):
            names = [*first, ""]
        else:
            names = ["row_name", *first]
            notes.append("the header names one column fewer than the lines hold; the first was named row_name")
    elif len(first) < width and body:
        names = first + [""] * (width - len(first))
        notes.append(f"the header names {len(first)} of {width} columns; the others were numbered")
    elif len(first) > width and body and not any(first[width:]):
        names = first[:width]
    return Dialect(delimiter, quote, escape, records[0][0], True, tuple(names), tuple(notes))


def looks_like_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Weigh whether a first line names the columns: names differ from what stands below them, data does not."""
    if not first:
        return True
    numeric = [_is_value(cell) for cell in first]
    if not body:
        return not any(numeric)
    whole = [int(cell) for cell in first if cell.isascii() and cell.isdigit() and len(cell) < 9]
    counted = len(whole) >= 3 and all(b - a == 1 for a, b in pairwise(whole))
    weight = 0.0
    for index, (cell, is_value) in enumerate(zip(first, numeric, strict=True)):
        below = [row[index].strip() for row in body if index < len(row)]
        below = [value for value in below if value.lower() not in MARKERS]
        if not below:
            continue
        values_below = sum(map(_is_value, below[:200])) / len(below[:200])
        if is_value:
            weight += 1.0 if counted and cell.isdigit() else -1.0 if values_below > 0.5 else 0.0
        elif cell.lower() in MARKERS:
            weight -= 0.5 if cell == "?" else 0.0
        elif values_below > 0.9:
            weight += 1.0
        elif cell in below:
            weight -= 1.0
        elif len(below) >= 10 and len(set(below)) <= len(below) / 2:
            weight += 0.5
    return weight > 0 or (weight == 0 and not any(numeric))


def _is_value(cell: str) -> bool:
    """Whether a cell is a number or a time, which names are not."""
    if not any(char.isdigit() for char in cell):
        return False
    return any(n.parse(cell) is not None for n in _NUMBERS) or any(t.parse(cell) is not None for t in _TIMES)


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give every column a name of its own, and a note for each that was changed.

    Examples
    --------
    >>> unique_names(["a", "a", ""])
    (('a', 'a_2', 'column_3'), ('the column name "a" stands twice; column 2 was renamed "a_2"',))
    """
    taken = {name.strip() for name in names}
    seen: set[str] = set()
    out: list[str] = []
    notes: list[str] = []
    for position, raw in enumerate(names, 1):
        name = raw.strip()
        final = name or f"column_{position}"
        if final in seen or (not name and final in taken):
            number = 2
            while f"{final}_{number}" in taken | seen:
                number += 1
            renamed = f"{final}_{number}"
            if name:
                notes.append(f'the column name "{name}" stands twice; column {position} was renamed "{renamed}"')
            final = renamed
        seen.add(final)
        out.append(final)
    return tuple(out), tuple(notes)
