"""Times of day and dates that a column writes in several ways, brought into the one it uses most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from artificer.quality.mending.sheet import Change, Column, Sheet
from artificer.tables.formats import MONTHS, PIVOT_YEAR

CAUSE = "another format of time"
COVERED = 0.6
"""So much of a column must hold exactly one time (or date) in each cell."""
LEADING = 0.5
"""The usual way of writing must have so much of the cells that hold one."""

_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::(\d{2}))?(?![\d:])\s*(?:([ap])\.?\s?m?\b\.?)?", re.IGNORECASE)
_MONTH = "|".join(MONTHS)
_NAMED = rf"(?:{_MONTH})[a-z]*\.?"
_DATES = (
    (re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)"), "number"),
    (re.compile(rf"(?<!\d)(\d{{1,2}})([- /])({_NAMED})[- /,]+(\d{{4}}|\d{{2}})(?!\d)", re.IGNORECASE), "dby"),
    (re.compile(rf"\b({_NAMED})([- /])(\d{{1,2}})(?:st|nd|rd|th)?,? +(\d{{4}})(?!\d)", re.IGNORECASE), "bdy"),
)


@dataclass(frozen=True, slots=True)
class Writing:
    """One way of writing a time, and the time: two of them are of one moment when their `parts` are equal.

    Attributes
    ----------
    parts : numbers of the moment, the same in every way of writing.
    style : the way of writing.
    padded : whether numbers below ten are written with a zero; None where there is none.
    whole : whether the cell holds nothing else.
    """

    parts: tuple[int, ...]
    style: tuple[Any, ...]
    padded: bool | None
    whole: bool


def formats(sheet: Sheet) -> Iterator[Change]:
    """Write times of day and dates as their column does most often; the moment stays what it was."""
    for column in sheet.columns.values():
        if column.typed or column.present < 10:
            continue
        for read, write in ((read_clock, write_clock), (read_date, write_date)):
            mapping = _to_usual(column, read, write)
            change = column.to(mapping, CAUSE, 0.98) if mapping else None
            if change is not None:
                yield change
                break


def _to_usual(
    column: Column,
    read: Callable[[str, bool], Writing | None],
    write: Callable[[tuple[int, ...], tuple[Any, ...], bool], str],
) -> dict[str, str]:
    day_first = any(_is_day_first(text) for text in column.distinct)
    found = {text: writing for text in column.distinct if (writing := read(text, day_first)) is not None}
    counts = dict(zip(column.distinct, column.counts.tolist(), strict=True))
    covered = sum(counts[text] for text in found)
    if covered < COVERED * column.present:
        return {}
    styles: Counter[tuple[Any, ...]] = Counter()
    padded: Counter[tuple[Any, ...]] = Counter()
    for text, writing in found.items():
        if writing.whole:
            styles[writing.style] += counts[text]
            padded[writing.style] += counts[text] * (0 if writing.padded is None else 1 if writing.padded else -1)
    if not styles:
        return {}
    usual, count = styles.most_common(1)[0]
    if count < LEADING * covered:
        return {}
    written = {text: write(writing.parts, usual, padded[usual] > 0) for text, writing in found.items()}
    return {text: after for text, after in written.items() if after and after != text}


def read_clock(text: str, day_first: bool = False) -> Writing | None:
    """Read the one time of day that stands in a text.

    Examples
    --------
    >>> read_clock("12/02/2011 6:55 a.m.").parts, read_clock("18:05").parts, read_clock("6:55 to 7:10") is None
    ((6, 55, 0), (18, 5, 0), True)
    """
    found = list(_CLOCK.finditer(text))
    if len(found) != 1:
        return None
    match = found[0]
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    half = (match[4] or "").lower()
    if minute > 59 or second > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None
    tail = text[match.end(2) if not match[3] else match.end(3) : match.end()]
    tail = re.sub("[apAP]", "{a}", tail, count=1) if half else ""
    style = (bool(half), tail, (match[4] or "").isupper(), bool(match[3]))
    padded = match[1][0] == "0" if int(match[1]) < 10 else None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Writing((hour, minute, second), style, padded, match.span() == (0, len(text)))


def write_clock(parts: tuple[int, ...], style: tuple[Any, ...], padded: bool = False) -> str:
    """Write a time of day in a style that `read_clock` found.

    Examples
    --------
    >>> style = read_clock("6:55 a.m.").style
    >>> write_clock(read_clock("Dec 2, 18:05").parts, style)
    '6:05 p.m.'
    """
    hour, minute, second = parts
    halves, tail, upper, seconds = style
    if second and not seconds:
        return ""
    shown = (hour % 12 or 12) if halves else hour
    text = f"{shown:02d}" if padded else str(shown)
    text += f":{minute:02d}" + (f":{second:02d}" if seconds else "")
    letter = "p" if hour >= 12 else "a"
    return text + str(tail).replace("{a}", letter.upper() if upper else letter)


def _is_day_first(text: str) -> bool:
    found = _DATES[1][0].search(text)
    return found is not None and int(found[1]) > 12


def read_date(text: str, day_first: bool = False) -> Writing | None:
    """Read the one date that stands in a text.

    Examples
    --------
    >>> read_date("4/22/15").parts, read_date("2015-04-22").parts, read_date("22 Apr 2015").parts
    ((2015, 4, 22), (2015, 4, 22), (2015, 4, 22))
    """
    for pattern, order in _DATES:
        found = list(pattern.finditer(text))
        if len(found) != 1:
            continue
        match = found[0]
        first, mark, second, third = match.groups()
        if order == "ymd":
            year, month, day = int(first), int(second), int(third)
        elif order == "number":
            a, b = int(first), int(second)
            if day_first and not (a > 12 or b > 12):
                order = "dmy"
            order = "dmy" if a > 12 or order == "dmy" else "mdy"
            year, month, day = _year(third), *((b, a) if order == "dmy" else (a, b))
        elif order == "dby":
            year, month, day = _year(third), _month(second), int(first)
        else:
            year, month, day = int(third), _month(first), int(second)
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        short = len(third) == 2 and order != "ymd"
        numbers = [g for g in (first, second) if g.isdigit() and len(g) <= 2]
        numbers += [third] if order == "ymd" else []
        padded = None if min(map(int, numbers)) >= 10 else any(n.startswith("0") for n in numbers)
        return Writing((year, month, day), (order, mark, short), padded, match.span() == (0, len(text)))
    return None


def write_date(parts: tuple[int, ...], style: tuple[Any, ...], padded: bool = False) -> str:
    """Write a date in a style that `read_date` found; nothing where month names are written, whose forms are many.

    Examples
    --------
    >>> short, long = read_date("4/22/15").style, read_date("2014-01-09").style
    >>> write_date((2015, 4, 2), short), write_date((2015, 4, 2), long, True)
    ('4/2/15', '2015-04-02')
    """
    year, month, day = parts
    order, mark, short = style
    if order not in ("ymd", "dmy", "mdy"):
        return ""
    if short and not 1900 + PIVOT_YEAR <= year < 2000 + PIVOT_YEAR:
        return ""
    shown = {"y": f"{year % 100:02d}" if short else str(year)}
    shown |= {"m": f"{month:02d}" if padded else str(month), "d": f"{day:02d}" if padded else str(day)}
    return str(mark).join(shown[letter] for letter in order)


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < PIVOT_YEAR else 1900)


def _month(text: str) -> int:
    return MONTHS.index(text[:3].lower()) + 1
