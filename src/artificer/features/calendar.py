"""Calendar arithmetic on whole numbers, the same in NumPy and in the graph.

Missing moments go through it like others: nothing overflows, no table is left, and the encoders put their own value in
place of what comes out. Moments are not cut to the calendar first, because ONNX Runtime's int64 Clip, Min and Max
give wrong results on x86-64 (an error of the Eigen release it builds on; seen in 1.31).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from artificer.graph import Graph
from artificer.types import Ints

DAY = 86_400
WEEK = 7 * DAY
YEAR = 31_556_952
"""Seconds of the mean Gregorian year: 400 years are 146,097 days."""

ERA = 719_468 * DAY
"""From 0000-03-01 to 1970-01-01. Counted from there every moment is positive, and a leap day ends its year."""


def civil(moments: Ints) -> Ints:
    """Year, month and day, stacked on a new last axis, of seconds since 1970-01-01 within years 1 to 9999.

    Both leap rules are divisions once a year begins on 1 March; month and day then are a table of 366 rows. The
    divisor pairs (4, 146097) for centuries and (4, 1461) for years follow Neri and Schneider.

    References
    ----------
    Hinnant, H. chrono-Compatible Low-Level Date Algorithms, 2013 (days_from_civil, civil_from_days).
    Neri, C. and Schneider, L. Euclidean affine functions and their application to calendar algorithms. Software:
    Practice and Experience 53, 2023.

    Examples
    --------
    >>> civil(np.array([0, 951_782_400, -62_135_596_800])).tolist()
    [[1970, 1, 1], [2000, 2, 29], [1, 1, 1]]
    """
    quarters = 4 * ((moments + ERA) // DAY) + 3
    century = quarters // 146_097
    rest = (quarters % 146_097) | 3
    year, day_of_year = rest // 1461, rest % 1461 // 4
    parts = _year_from_march()[day_of_year]
    parts[..., 0] += 100 * century + year
    return np.asarray(parts)


def emit_civil(graph: Graph, moments: str) -> tuple[str, str, str]:
    """Write :func:`civil` of an int64 tensor (n, d) into `graph`; year, month and day, each (n, d), return."""

    def number(value: int) -> str:
        return graph.constant(np.array(value, dtype=np.int64))

    days = graph.op("Div", graph.op("Add", moments, number(ERA)), number(DAY))
    quarters = graph.op("Add", graph.op("Mul", days, number(4)), number(3))
    century = graph.op("Div", quarters, number(146_097))
    rest = graph.op("BitwiseOr", graph.op("Mod", quarters, number(146_097)), number(3))
    year = graph.op("Div", rest, number(1461))
    day_of_year = graph.op("Div", graph.op("Mod", rest, number(1461)), number(4))
    carry, month, day = (graph.op("Gather", graph.constant(part), day_of_year) for part in _year_from_march().T)
    full_year = graph.op("Add", graph.op("Add", graph.op("Mul", century, number(100)), year), carry)
    return full_year, month, day


@cache
def _year_from_march() -> Ints:
    """(366, 3): for each day of a year that begins on 1 March whether its calendar year is the next, month, day."""
    lengths = (31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29)
    rows = [
        (int(place >= 10), (place + 2) % 12 + 1, day)
        for place, days in enumerate(lengths)
        for day in range(1, days + 1)
    ]
    return np.array(rows, dtype=np.int64)
