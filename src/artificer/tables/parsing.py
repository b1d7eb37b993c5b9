"""How a text column is to be read: as numbers, times, booleans, or as the texts they are; and the reading itself.

Decided over the whole column, never its first rows. At least ``NEEDED`` of the cells that are not missing must be
written in one format; the others then count as missing and are reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from artificer.tables.formats import (
    ISO,
    LOOKALIKES,
    MONTH_NUMBER,
    NUMBER_BODIES,
    PIVOT_YEAR,
    PLAIN,
    WHITESPACE,
    NumberFormat,
    TimeFormat,
    number_format,
    time_format,
)
from artificer.types import MISSING_TIME, Doubles, Ints

Reads: TypeAlias = Literal["number", "time", "boolean", "text"]

NEEDED = 0.95
CLEAR_MARKERS = frozenset({"?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "<NA>", "#NULL!"})
"""Texts that mean "missing" even among categories."""

_MARKER_LINES = """\
?|na|n/a|#n/a|nan|null|none|nil|<na>|#null!|-|--|---|.|missing|unknown|undefined|#value!|#ref!|#div/0!|#num!|tbd
not available|not applicable|inf|-inf|+inf|infinity|-infinity|(null)|(none)|empty|nd|n.d.|n.a.|*|**|#"""
MARKERS = frozenset(_MARKER_LINES.replace("\n", "|").split("|"))
"""Texts that mean "missing" in a column of numbers or times, in lower case."""

DATES = (
    "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y",
    "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%Y-%b-%d", "%b %Y", "%b-%Y", "%b-%y",
    "%Y-%m", "%m/%Y",
)  # fmt: skip
CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I:%M%p", "%H.%M.%S")
TIME_PATTERNS = (ISO, *DATES, *CLOCKS, "%Y%m%d")
_SAMPLE = 1000
SHORT = 1000
"""Columns of so few rows are gone through in Python: there each call of Polars costs more than the cells do, and wide
tables make many."""
_PLAINLY = r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]{1,2})?$"
_SURELY_DECIMAL = r"\.[0-9]{1,2}$|\.[0-9]{4}|^-?0\."
_CURRENCY = re.compile(r"(?:[A-Z]{1,3} ?)?[$€£¥₹₽₩]|USD|EUR|GBP|CHF|JPY|Rs\.?|kr\.?|zł")
_UNIT = re.compile(r"[A-Za-zµ%°$€£¥₹₽₩²³/.\"']{1,10}")


@dataclass(frozen=True, slots=True)
class Reading:
    """How one text column is read.

    Attributes
    ----------
    format : as in ``ColumnSpec``.
    missing : texts that stand for missing cells, as found.
    failed : cells that are not missing and not written in the format; they become missing.
    examples : some of them.
    decisive : no other decimal mark (or time format) would have read as many cells.
    """

    reads: Reads
    format: str | None
    missing: tuple[str, ...]
    failed: int
    examples: tuple[str, ...]
    reason: str
    decisive: bool = True


def stripped(text: pl.Series) -> pl.Series:
    if len(text) > SHORT:
        return text.str.strip_chars(WHITESPACE)
    cells = text.to_list()
    bare = [cell if cell is None else cell.strip(WHITESPACE) for cell in cells]
    return text if bare == cells else pl.Series(text.name, bare, dtype=pl.String)


def matches(text: pl.Series, pattern: str) -> NDArray[np.bool_]:
    """Which texts (n) a regular expression is found in; not those that are missing."""
    if len(text) > SHORT:
        return text.str.contains(pattern).fill_null(False).to_numpy().astype(np.bool_)
    found = re.compile(pattern.replace("$", r"\Z")).search  # for Python the end may be followed by a line's
    return np.array([cell is not None and found(cell) is not None for cell in text.to_list()], dtype=np.bool_)


def marked(text: pl.Series, markers: Collection[str]) -> NDArray[np.bool_]:
    """Which texts (n) are one of some markers, or empty; not those that are missing."""
    if len(text) > SHORT:
        return (text.is_in(list(markers)) | (text == "")).fill_null(False).to_numpy().astype(np.bool_)
    return np.array([cell is not None and (cell == "" or cell in markers) for cell in text.to_list()], dtype=np.bool_)


def lowered(text: pl.Series) -> pl.Series:
    if len(text) > SHORT:
        return text.str.to_lowercase()
    return pl.Series(text.name, [cell if cell is None else cell.lower() for cell in text.to_list()], dtype=pl.String)


def parse_numbers(text: pl.Series, example: str | None) -> Doubles:
    """Read texts (n) as numbers, NaN where they are not written this way; ``NumberFormat.parse`` for a column."""
    form = number_format(example)
    if len(text) <= SHORT:
        read = [None if cell is None else form.parse(cell) for cell in text.to_list()]
        return np.array([np.nan if value is None else value for value in read], dtype=np.float64)
    text = stripped(text)
    if form.example != PLAIN:
        return _parse_marked(text, form)
    plain = text.str.contains(_PLAINLY).fill_null(False)  # many times faster than capturing groups
    values = text.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)
    others = np.flatnonzero(~plain.to_numpy())
    if len(others):
        values[others] = _parse_marked(text.gather(others), form)
    return values


def _parse_marked(text: pl.Series, form: NumberFormat) -> Doubles:
    found = (
        text.str.replace_many(LOOKALIKES)
        .to_frame("text")
        .select(
            negative=pl.col("text").str.starts_with("(") & pl.col("text").str.ends_with(")"),
            text=pl.col("text"),
        )
        .select(
            "negative",
            text=pl.when("negative")
            .then(pl.col("text").str.slice(1).str.head(-1).str.strip_chars(" "))
            .otherwise("text"),
        )
        .select("negative", groups=pl.col("text").str.extract_groups(form.source))
        .unnest("groups")
    )
    before, after, body = (pl.col(str(i)) for i in (1, 2, 3))
    if form.thousands:
        body = body.str.replace_all(form.thousands, "", literal=True)
    value = body.str.replace(form.decimal, ".", literal=True).cast(pl.Float64, strict=False)
    two_signs = (before.str.len_bytes() + after.str.len_bytes() + pl.col("negative").cast(pl.UInt32)) > 1
    minus = pl.col("negative") | (before == "-") | (after == "-")
    numbers = found.select(pl.when(two_signs).then(None).when(minus).then(-value).otherwise(value).alias("v"))["v"]
    return numbers.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def parse_times(text: pl.Series, pattern: str | None) -> Ints:
    """Read texts (n) as epoch seconds, ``MISSING_TIME`` where they are none; ``TimeFormat.parse`` for a column."""
    form = time_format(pattern)
    names = {str(i + 1): name for i, name in enumerate(form.fields)}
    groups = stripped(text).rename("text").str.extract_groups(form.source).struct.unnest().rename(names)
    return _seconds(form, groups)


def _seconds(form: TimeFormat, part: pl.DataFrame) -> Ints:
    n = part.height
    matched = part[form.fields[0]].is_not_null().to_numpy()

    def field(name: str, default: int) -> Ints:
        if name not in form.fields:
            return np.full(n, default, dtype=np.int64)
        return part[name].cast(pl.Int64, strict=False).fill_null(default).to_numpy().astype(np.int64)

    year = field("year", 1970)
    if "short_year" in form.fields:
        short = field("short_year", 0)
        year = short + np.where(short < PIVOT_YEAR, 2000, 1900)
    month = field("month", 1)
    if "month_name" in form.fields:
        named = part["month_name"].str.to_lowercase().replace_strict(MONTH_NUMBER, default=0, return_dtype=pl.Int64)
        month = named.fill_null(0).to_numpy().astype(np.int64)
    day = field("day", 1)
    hour = field("hour", 0)
    valid = matched & (year >= 1) & (month >= 1) & (month <= 12)
    if "half_hour" in form.fields:
        half = field("half_hour", 0)
        valid &= (half >= 1) & (half <= 12)
        noon = part["noon"].str.to_lowercase().eq("p").fill_null(False).to_numpy()
        hour = half % 12 + 12 * noon
    minute, second = field("minute", 0), field("second", 0)
    valid &= (hour <= 23) & (minute <= 59) & (second <= 59)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.clip(month - 1, 0, 11)]
    valid &= (day >= 1) & (day <= lengths + ((month == 2) & leap))
    offset = field("offset_hour", 0) * 3600 + field("offset_minute", 0) * 60
    if "offset_sign" in form.fields:
        offset = np.where(part["offset_sign"].eq("-").fill_null(False).to_numpy(), -offset, offset)
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    return np.where(valid, seconds, MISSING_TIME)


def _days(year: Ints, month: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March."""
    y = year - (month <= 2)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days: Ints = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days


def read_text(column: pl.Series, *, decimal_comma: bool = False) -> Reading:
    """Decide how a column of texts is read.

    Parameters
    ----------
    column : of type String.
    decimal_comma : other columns of the table use the comma as decimal mark, which settles ties.

    Examples
    --------
    >>> read_text(pl.Series(["1,234.50", "17", "?"])).format
    '1,234.5'
    >>> read_text(pl.Series(["31/01/2020", "01/02/2020"])).format
    '%d/%m/%Y'
    >>> read_text(pl.Series(["red", "blue", None])).reads
    'text'
    """
    text = stripped(column).rename("text")
    text = text.drop_nulls() if text.null_count() else text
    if not decimal_comma:
        reading = _plain_numbers(text)
        if reading is not None:
            return reading
    counts = text.value_counts(name="rows")
    aside = marked(lowered(counts["text"]), MARKERS)
    values = counts.filter(~aside)
    if values.height <= 10 * _SAMPLE:
        values = values.sort("text")
    markers = tuple(sorted(counts["text"].filter(pl.Series(aside)).to_list()))
    total = int(values["rows"].sum() or 0)
    as_text = tuple(marker for marker in markers if marker in CLEAR_MARKERS)
    if total == 0:
        empty = all(marker in CLEAR_MARKERS or marker == "" for marker in markers)
        return Reading("text", None, markers if empty else as_text, 0, (), "no cell holds a value")
    if matches(lowered(values["text"]), "^(?:true|false)$").all():
        return Reading("boolean", "true/false", markers, 0, (), 'holds "true" and "false"')
    for attempt in (_as_compact_dates, _as_numbers, _as_times):
        reading = attempt(values, total, markers, decimal_comma)
        if reading is not None:
            return reading
    return Reading("text", None, as_text, 0, (), "holds texts")


def _plain_numbers(text: pl.Series) -> Reading | None:
    """The common case without counting every text: all cells are plain numbers, or markers."""
    plain = matches(text, _PLAINLY)
    if not plain.any():
        return None
    others = text.filter(pl.Series(~plain))
    others = others.unique() if len(others) else others
    if not marked(lowered(others), MARKERS).all():
        return None
    text = text.filter(pl.Series(plain))
    if matches(text, r"^0[0-9]{2}").any() or matches(text.head(_SAMPLE), r"^(?:19|20)[0-9]{6}$").all():
        return None  # perhaps codes, or dates
    sure = bool(matches(text, _SURELY_DECIMAL).any())
    return Reading("number", None, tuple(sorted(others.to_list())), 0, (), "holds numbers", sure)


def _as_numbers(values: pl.DataFrame, total: int, markers: tuple[str, ...], decimal_comma: bool) -> Reading | None:
    text, rows = values["text"], values["rows"].to_numpy()
    if int(rows[matches(text, "[0-9]")].sum()) < NEEDED * total:
        return None
    if _are_codes(text, rows, total):
        return None
    prefix, suffix = _affixes(text, rows, total)
    bodies = list(NUMBER_BODIES)
    separated = bool(matches(text, r"[0-9][.,'\s][0-9]").any())
    if decimal_comma and separated:
        bodies = ["1234,5", "1.234,5", "1 234,5", *(body for body in bodies if "," not in body[1:] or body[1] == ",")]
        bodies = list(dict.fromkeys(bodies))
    read: dict[str, NDArray[np.bool_]] = {}
    sample = _spread(text)
    for body in bodies:
        example = f"{prefix}{body} {suffix}" if suffix else prefix + body
        if np.isnan(parse_numbers(sample, example)).mean() > 0.5:
            continue
        read[example] = ~np.isnan(parse_numbers(text, example))
        if bool(read[example].all()) and not separated:
            break
    totals = {example: int(rows[mask].sum()) for example, mask in read.items()}
    if not totals:
        return None
    best = max(totals, key=lambda example: totals[example])  # the first of equals
    if totals[best] < NEEDED * total:
        return None
    marks = {number_format(example).decimal for example in totals if totals[example] == totals[best]}
    failed = total - totals[best]
    bad = tuple(text.filter(pl.Series(~read[best])).sort().head(3).to_list())
    written = "" if best == PLAIN else f', written like "{best}"'
    reason = f"holds numbers{written}" + (f" in all but {failed} cells" if failed else "")
    return Reading(
        "number", None if best == PLAIN else best, markers, failed, bad, reason, separated and len(marks) == 1
    )


def _are_codes(text: pl.Series, rows: NDArray[np.generic], total: int) -> bool:
    """Whether leading zeros matter: postal codes, article numbers."""
    zeros = matches(text, r"^0[0-9]{2,}$")
    digits = matches(text, r"^[0-9]+$")
    return int(rows[zeros].sum()) >= 0.01 * total and int(rows[digits].sum()) >= NEEDED * total


def _affixes(text: pl.Series, rows: NDArray[np.generic], total: int) -> tuple[str, str]:
    """Currency before and unit after the numbers, where nearly all cells carry the same one."""
    sample = _spread(text).to_list()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for value in sample:
        found = re.match(
            r"^[+\-(]?\s*([^0-9+\-.,()]*?)\s*[+\-]?[0-9.,][0-9.,' \u00a0\u202f]*?\s*([^0-9\s,.][^0-9]*)?\)?$", value
        )
        if found:
            before[found.group(1)] += 1
            after[(found.group(2) or "").rstrip()] += 1
    prefix, many = before.most_common(1)[0] if before else ("", 0)
    prefix = prefix if _CURRENCY.fullmatch(prefix) and many >= NEEDED * len(sample) else ""
    suffix, many = after.most_common(1)[0] if after else ("", 0)
    suffix = suffix if _UNIT.fullmatch(suffix) and many >= NEEDED * len(sample) else ""
    return prefix, suffix


def _as_compact_dates(
    values: pl.DataFrame, total: int, markers: tuple[str, ...], decimal_comma: bool
) -> Reading | None:
    """Eight digits that are all calendar days of the last or this century are dates, not numbers."""
    text = values["text"]
    if len(text) < 20 or not matches(text, r"^(?:19|20)[0-9]{6}$").all():
        return None
    if (parse_times(text, "%Y%m%d") == MISSING_TIME).any():
        return None
    return Reading("time", "%Y%m%d", markers, 0, (), 'holds dates written like "%Y%m%d"')


def _as_times(values: pl.DataFrame, total: int, markers: tuple[str, ...], decimal_comma: bool) -> Reading | None:
    text, rows = values["text"], values["rows"].to_numpy()
    if int(rows[matches(text, r"[0-9][0-9]")].sum()) < NEEDED * total:
        return None
    sample = _spread(text)
    hits: dict[str, int] = {}
    for pattern in _patterns(sample.head(50).to_list()):
        hits[pattern] = int((parse_times(sample, pattern) != MISSING_TIME).sum())
    likely = [pattern for pattern in hits if hits[pattern] >= 0.9 * len(sample)]
    if not likely:
        return None
    read = {pattern: parse_times(text, pattern) != MISSING_TIME for pattern in likely}
    totals = {pattern: int(rows[mask].sum()) for pattern, mask in read.items()}
    best = max(totals, key=lambda pattern: totals[pattern])
    if totals[best] < NEEDED * total:
        return None
    failed = total - totals[best]
    equals = [pattern for pattern in totals if totals[pattern] == totals[best] and pattern != best]
    reason = "holds ISO 8601 times" if best == ISO else f'holds times written like "{best}"'
    if equals:
        reason += f' ("{equals[0]}" would read them too)'
    bad = tuple(text.filter(pl.Series(~read[best])).sort().head(3).to_list())
    return Reading("time", None if best == ISO else best, markers, failed, bad, reason, not equals)


def _spread(text: pl.Series) -> pl.Series:
    """At most about a thousand of the texts, the same ones each time: those that come first by their hash."""
    if len(text) <= 2 * _SAMPLE:
        return text
    return text.gather(text.hash(seed=0).arg_sort().head(_SAMPLE))


def _patterns(sample: list[str]) -> list[str]:
    """Time formats that fit at least one of a few values, dates with and without each clock."""
    found = [
        pattern
        for pattern in (*TIME_PATTERNS, *(f"{day} {clock}" for day in DATES for clock in CLOCKS[:5]))
        if any(time_format(pattern).parse(value) is not None for value in sample)
    ]
    return [pattern for pattern in found if pattern != "%Y%m%d"]
