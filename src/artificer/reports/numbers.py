"""Numbers as a reader wants them: no more digits than the evidence carries, with units."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

ABSENT = "\u2013"
_MOST_DECIMALS = 6


def real(value: Any) -> float | None:
    """The value as a finite float, or None for anything else: absent, NaN, infinite, no number.

    >>> real(1), real(float("nan")), real("1"), real(True)
    (1.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, digits: int = 3) -> str:
    """`digits` significant digits, whole above a thousand, never in powers of ten unless very small.

    >>> number(0.84293), number(182.7), number(17379.4), number(0.0000123), number(None), number(-0.0)
    ('0.843', '183', '17,379', '1.23e-05', '–', '0')
    """
    x = real(value)
    if x is None:
        return ABSENT
    if x == 0:
        return "0"
    if abs(x) >= 1e15 or abs(x) < 1e-4:
        return f"{x:.{digits - 1}e}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(x))), 0)
    return _fixed(x, decimals)


def estimate(value: Any, low: Any = None, high: Any = None) -> tuple[str, str]:
    """A value and its interval, both to two digits of the interval's half width.

    >>> estimate(0.84293, 0.81381, 0.86823)
    ('0.843', '0.814 to 0.868')
    >>> estimate(182.7039, 177.28, 188.50)
    ('182.7', '177.3 to 188.5')
    >>> estimate(0.5), estimate(0.5, 0.5, 0.5)
    (('0.500', ''), ('0.500', '0.500 to 0.500'))
    """
    x, a, b = real(value), real(low), real(high)
    if x is None:
        return ABSENT, ""
    if a is None or b is None:
        return number(x), ""
    half = (b - a) / 2
    if half <= 1e-9 * max(abs(x), 1e-300) or max(abs(x), abs(a), abs(b)) >= 1e15:
        return number(x), f"{number(a)} to {number(b)}"
    decimals = 1 - math.floor(math.log10(half))
    if decimals > _MOST_DECIMALS:
        return number(x), f"{number(a)} to {number(b)}"
    decimals = max(decimals, 0)
    return _fixed(x, decimals), f"{_fixed(a, decimals)} to {_fixed(b, decimals)}"


def _fixed(x: float, decimals: int) -> str:
    text = f"{x:,.{decimals}f}"
    # A rounded-away negative is no negative.
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def count(value: Any) -> str:
    """A whole number with separators.

    >>> count(17379), count(None)
    ('17,379', '–')
    """
    x = real(value)
    return ABSENT if x is None else f"{x:,.0f}"


def share(value: Any) -> str:
    """A share as per cent; what is not nothing never reads 0 %.

    >>> share(0.1255), share(0.0), share(0.0004), share(0.9999), share(1.0)
    ('13 %', '0 %', '< 0.1 %', '> 99.9 %', '100 %')
    """
    x = real(value)
    if x is None:
        return ABSENT
    x = 0.0 if abs(x) < 1e-9 else 1.0 if abs(x - 1) < 1e-9 else x
    if 0 < x < 0.001:
        return "< 0.1 %"
    if 0.999 < x < 1:
        return "> 99.9 %"
    decimals = 1 if (0 < x < 0.0995) or (0.9905 < x < 1) else 0
    return f"{100 * x:.{decimals}f} %"


def seconds(value: Any) -> str:
    """A duration.

    >>> seconds(0.008), seconds(3.456), seconds(125), seconds(7325), seconds(None)
    ('8 ms', '3.5 s', '2 min 5 s', '2 h 2 min', '–')
    """
    x = real(value)
    if x is None:
        return ABSENT
    if x < 0.0005:
        return "< 1 ms"
    if x < 1:
        return f"{1000 * x:.0f} ms"
    if x < 60:
        return f"{x:.1f} s"
    whole = round(x)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def p_value(value: Any) -> str:
    """A p-value.

    >>> p_value(4e-135), p_value(0.0312), p_value(None)
    ('< 0.001', '0.031', '–')
    """
    x = real(value)
    return ABSENT if x is None else "< 0.001" if x < 0.001 else f"{x:.3f}" if x < 0.1 else f"{x:.2f}"


def moment(value: Any) -> str:
    """A point in time, in UTC.

    >>> moment("2026-11-21T00:25:40.032816+00:00"), moment("soon"), moment(None)
    ('21 November 2026, 00:25 UTC', 'soon', '–')
    """
    if not value:
        return ABSENT
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return plain(value)
    at = at.astimezone(UTC) if at.tzinfo else at
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")


def plain(value: Any, most: int = 0) -> str:
    """Any text on one line, without control and direction marks, cut in the middle to `most` characters.

    >>> plain("a\\n\\x00b"), plain("abcdefghij", 5), plain("")
    ('a b', 'ab…ij', '(empty)')
    """
    text = " ".join(_CONTROL.sub(" ", str(value)).split()) or "(empty)"
    if not most or len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def labels(names: list[str], most: int) -> list[str]:
    """Names cut to `most` characters and still all different, for the axis of a chart.

    >>> labels(["a long name (1)", "a long nose (1)", "b"], 9)
    ['a lo… (1)', 'a lo… (1) #2', 'b']
    """
    seen: dict[str, int] = {}
    shown = []
    for name in names:
        label = plain(name, most)
        seen[label] = seen.get(label, 0) + 1
        shown.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return shown
