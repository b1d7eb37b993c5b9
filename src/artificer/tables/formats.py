"""How numbers and times are written in text: one regular expression each, shared by training and serving.

A format is a readable example (``"$1,234.5"``) or a strptime pattern (``"%d/%m/%Y"``). Tables apply the same expression
column-wise (``tables.parsing``), the service cell by cell (here), so both read the same value out of the same text.
Standard library only: the serving process imports this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property

WHITESPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What is stripped from cells. Named, because Python and Polars disagree on which characters are white space."""

PLAIN = "1234.5"
"""The number format of a column without one: digits, an optional point and exponent."""

ISO = "iso"
"""The time format that is always understood: ``2013-01-31``, optionally with a time, a fraction and an offset."""

NUMBER_BODIES = {
    PLAIN: ("", "."),
    "1,234.5": (",", "."),
    "1234,5": ("", ","),
    "1.234,5": (".", ","),
    "1 234,5": (" ", ","),
    "1 234.5": (" ", "."),
    "1'234.5": ("'", "."),
}
"""Number bodies in order of preference: example, thousands separator, decimal mark."""

LOOKALIKES = {"\xa0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"}
_TRANSLATE = str.maketrans(LOOKALIKES)

PIVOT_YEAR = 30
"""Two-digit years below it are 2000s, the others 1900s."""

EARLIEST, LATEST = -62135596800, 253402300799  # 0001-01-01 and 9999-12-31T23:59:59, seconds since 1970

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _escape(text: str) -> str:
    """Escape what both regular expression engines (Python's, and Rust's in Polars) read as an operator, and no more."""
    return re.sub(r"([.$|()\[\]{}*+?^\\])", r"\\\1", text)


@dataclass(frozen=True)
class NumberFormat:
    """A way of writing numbers: currency or unit around them, thousands separator, decimal mark.

    Examples
    --------
    >>> number_format("$1,234.5").parse(" $12,500 ")
    12500.0
    >>> number_format("1.234,5 €").parse("-1.234,56 €")
    -1234.56
    >>> number_format("1234.5").parse("12,5") is None
    True
    """

    example: str
    prefix: str
    thousands: str
    decimal: str
    suffix: str

    @cached_property
    def source(self) -> str:
        """Regular expression of a stripped, translated text; groups: sign before, sign after the prefix, body."""
        decimal = _escape(self.decimal)
        plain = rf"[0-9]+(?:{decimal}[0-9]*)?|{decimal}[0-9]+"
        if self.thousands:
            mark = _escape(self.thousands)
            body = rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+(?:{decimal}[0-9]*)?|{plain}"
        else:
            body = rf"(?:{plain})(?:[eE][+\-]?[0-9]{{1,3}})?"
        before = rf"(?:{_escape(self.prefix)} *)?" if self.prefix else ""
        after = rf"(?: *{_escape(self.suffix)})?" if self.suffix else ""
        return rf"^([+\-]?) *{before}([+\-]?)({body}){after}$"

    @cached_property
    def _match(self) -> re.Pattern[str]:
        return re.compile(self.source[:-1] + r"\Z")

    def parse(self, text: str) -> float | None:
        """Give the number, or None where the text is not written this way. May be infinite for a huge exponent."""
        text = text.strip(WHITESPACE).translate(_TRANSLATE)
        negative = text[:1] == "(" and text[-1:] == ")"
        if negative:  # accounting
            text = text[1:-1].strip(" ")
        found = self._match.match(text)
        if found is None:
            return None
        before, after, body = found.groups()
        if (before and after) or (negative and (before or after)):
            return None
        if self.thousands:
            body = body.replace(self.thousands, "")
        value = float(body.replace(self.decimal, "."))
        return -value if negative or "-" in (before, after) else value

    def write(self, value: float) -> str:
        """Write a finite number this way, with all its digits: ``parse`` gives it back.

        Examples
        --------
        >>> number_format("1.234,5 kg").write(-1765.56), number_format("$1,234.5").write(20)
        ('-1.765,56 kg', '$20')
        """
        digits = format(abs(Decimal(repr(value))), "f").removesuffix(".0")
        whole, _, fraction = digits.partition(".")
        body = f"{int(whole):,}".replace(",", self.thousands) if self.thousands else whole
        body += self.decimal + fraction if fraction else ""
        pattern = max((body for body in NUMBER_BODIES if body in self.example), key=len)
        return ("-" if value < 0 else "") + self.example.strip().replace(pattern, body, 1)


@cache
def number_format(example: str | None) -> NumberFormat:
    """Read a number format from its example; None is the plain one.

    Raises
    ------
    ValueError
        The example holds none of the known bodies.
    """
    example = example or PLAIN
    for body in sorted(NUMBER_BODIES, key=len, reverse=True):
        if body in example:
            prefix, _, suffix = example.partition(body)
            return NumberFormat(example, prefix.strip(), *NUMBER_BODIES[body], suffix.strip())
    raise ValueError(f"{example!r} is no number format; it has to hold one of {', '.join(NUMBER_BODIES)}")


_TOKENS = {
    "%Y": ("year", "([0-9]{4})"),
    "%y": ("short_year", "([0-9]{2})"),
    "%m": ("month", "([0-9]{1,2})"),
    "%b": ("month_name", "([A-Za-z]{3,9})"),
    "%d": ("day", "([0-9]{1,2})(?:st|nd|rd|th)?"),
    "%H": ("hour", "([0-9]{1,2})"),
    "%I": ("half_hour", "([0-9]{1,2})"),
    "%M": ("minute", "([0-9]{2})"),
    "%S": ("second", "([0-9]{2})"),
    "%p": ("noon", "([AaPp])\\.?[Mm]\\.?"),
}
_ISO_SOURCE = (
    "^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?"
    " ?(?:Z|([+\\-])([0-9]{2}):?([0-9]{2})?)?)?$"
)
_ISO_FIELDS = ("year", "month", "day", "hour", "minute", "second", "offset_sign", "offset_hour", "offset_minute")
_MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
MONTH_NUMBER = {
    **{name: number for number, name in enumerate(_MONTH_NAMES, 1)},
    **{name: number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}

_WRITERS: dict[str, Callable[[datetime], str]] = {  # not strftime, whose names follow the locale
    "%Y": lambda at: f"{at.year:04}",
    "%y": lambda at: f"{at.year % 100:02}",
    "%m": lambda at: f"{at.month:02}",
    "%b": lambda at: MONTHS[at.month - 1].title(),
    "%B": lambda at: _MONTH_NAMES[at.month - 1].title(),
    "%d": lambda at: f"{at.day:02}",
    "%H": lambda at: f"{at.hour:02}",
    "%I": lambda at: f"{at.hour % 12 or 12:02}",
    "%M": lambda at: f"{at.minute:02}",
    "%S": lambda at: f"{at.second:02}",
    "%p": lambda at: "AM" if at.hour < 12 else "PM",
}


@dataclass(frozen=True)
class TimeFormat:
    """A way of writing times, read into whole seconds since 1970-01-01 UTC (a time of day counts from midnight).

    Two-digit years follow ``PIVOT_YEAR``; a time without an offset is taken as UTC; fractions of a second are cut.

    Examples
    --------
    >>> time_format("%d/%m/%Y").parse("02/01/1970")
    86400
    >>> time_format("iso").parse("1970-01-01T01:00:00+01:00")
    0
    >>> time_format("%H.%M.%S").parse("18.00.00")
    64800
    >>> time_format("%d/%m/%Y").parse("31/02/2020") is None
    True
    """

    pattern: str
    source: str
    fields: tuple[str, ...]

    @cached_property
    def _match(self) -> re.Pattern[str]:
        return re.compile(self.source[:-1] + r"\Z")

    def parse(self, text: str) -> int | None:
        """Give seconds since 1970-01-01 UTC, or None where the text is not written this way or no such day exists."""
        found = self._match.match(text.strip(WHITESPACE))
        if found is None:
            return None
        part = {field: value for field, value in zip(self.fields, found.groups(), strict=True) if value is not None}
        if "year" in part:
            year = int(part["year"])
        elif "short_year" in part:
            year = int(part["short_year"])
            year += 2000 if year < PIVOT_YEAR else 1900
        else:
            year = 1970
        month = MONTH_NUMBER.get(part["month_name"].lower(), 0) if "month_name" in part else int(part.get("month", "1"))
        try:
            days = date(year, month, int(part.get("day", "1"))).toordinal() - 719163
        except ValueError:
            return None
        hour = int(part.get("hour", "0"))
        if "half_hour" in part:
            hour = int(part["half_hour"])
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if part["noon"] in "Pp" else 0)
        minute, second = int(part.get("minute", "0")), int(part.get("second", "0"))
        if hour > 23 or minute > 59 or second > 59:
            return None
        offset = int(part.get("offset_hour", "0")) * 3600 + int(part.get("offset_minute", "0")) * 60
        if part.get("offset_sign") == "-":
            offset = -offset
        return days * 86400 + hour * 3600 + minute * 60 + second - offset

    def write(self, seconds: int) -> str | None:
        """Write seconds since 1970-01-01 UTC this way; None where ``parse`` would not give them back.

        Examples
        --------
        >>> time_format("%d/%m/%Y").write(86400), time_format("%I:%M %p").write(64800), time_format("iso").write(0)
        ('02/01/1970', '06:00 PM', '1970-01-01T00:00:00')
        >>> time_format("%d/%m/%Y").write(86401) is None
        True
        """
        if not EARLIEST <= seconds <= LATEST:
            return None
        at = datetime(1970, 1, 1) + timedelta(seconds=seconds)
        text = (
            at.isoformat() if self.pattern == ISO else re.sub("%[A-Za-z]", lambda m: _WRITERS[m[0]](at), self.pattern)
        )
        return text if self.parse(text) == seconds else None


@cache
def time_format(pattern: str | None) -> TimeFormat:
    """Read a time format from its strptime pattern; None and ``"iso"`` are ISO 8601.

    Raises
    ------
    ValueError
        The pattern holds a directive that is not understood.
    """
    if pattern is None or pattern == ISO:
        return TimeFormat(ISO, _ISO_SOURCE, _ISO_FIELDS)
    fields: list[str] = []
    source = ""
    position = 0
    while position < len(pattern):
        if pattern[position] == "%":
            token = pattern[position : position + 2].replace("%B", "%b")
            if token not in _TOKENS:
                raise ValueError(f"{token!r} in the time format {pattern!r} is not one of {', '.join(_TOKENS)}")
            field, expression = _TOKENS[token]
            fields.append(field)
            source += expression
            position += 2
        else:
            source += " +" if pattern[position] == " " else _escape(pattern[position])
            position += 1
    if ("half_hour" in fields) != ("noon" in fields):
        raise ValueError(f"the time format {pattern!r} needs %I and %p together")
    return TimeFormat(pattern, f"^{source}$", tuple(fields))
