"""Whether rows stand in an order that a split has to respect, told from the rows themselves.

A table that is sorted by a time was most likely written as things happened, and the model will meet what comes after
its last row. A random split then tests on the past with knowledge of the future and promises too much. Rows that are
exchangeable are almost never sorted by chance, and whoever shuffles them before training takes the order away, as they
should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artificer.types import MISSING_TIME, Blocks, Doubles, Floats, Ints, Kind

FEWEST_ORDERED = 50
"""With fewer rows the newest part is too small to be tested on by itself."""

FEWEST_MOMENTS = 10
FEWEST_YEARS, ROWS_PER_YEAR = 3, 10
"""Numbers that look like years are taken for such where they are few and repeat, as no measurement does."""

YEARS = (1900, 2100)
DENSE = 0.5
"""A counter has at least this share of the numbers between its ends: others are measurements that happen to rise."""

EARLY = 0.5
"""Every class that is not rare has to be met within this first share of the rows, or rows are sorted by class."""

RARE = 10


@dataclass(frozen=True, slots=True)
class Order:
    """The column that orders the rows, what speaks for it, and its values as ``folds`` takes them (n,).

    ``in_seconds`` says whether they are seconds; else they only count.
    """

    column: str
    reason: str
    times: Ints | Doubles
    in_seconds: bool = False


def order_of(blocks: Blocks, names: Callable[[Kind], Sequence[str]], labels: Ints | None = None) -> Order | None:
    """By which column the rows of a table are sorted, if that tells time, see :func:`infer_order`."""
    return infer_order(
        ((name, blocks.times[:, j]) for j, name in enumerate(names(Kind.TIMES))),
        ((name, blocks.numbers[:, j]) for j, name in enumerate(names(Kind.NUMBERS))),
        labels,
    )


def infer_order(
    times: Iterable[tuple[str, Ints]], numbers: Iterable[tuple[str, Floats | Doubles]], labels: Ints | None = None
) -> Order | None:
    """Find the column by which the rows are sorted, if that column tells time; None where rows are exchangeable.

    Parameters
    ----------
    times : names and values (n,) of the columns of times, seconds since 1970.
    numbers : names and values (n,) of the columns of numbers. Row counters among them tell time, and where there
        are none calendar years that repeat.
    labels : class codes (n,) of a classification: where a class that is not rare comes late, the rows are sorted by
        class and no order is inferred.

    Examples
    --------
    >>> hours = 3600 * np.arange(100)
    >>> infer_order([("at", hours)], []).reason
    'rows are sorted by "at", a time'
    >>> infer_order([("at", hours[::-1])], []) is None
    True
    >>> infer_order([], [("year", np.repeat([2006.0, 2007.0, 2008.0], 40))]).column
    'year'
    """
    if labels is not None and _is_sorted_by_class(labels):
        return None
    for name, moments in times:
        if _is_rising(moments, moments == MISSING_TIME) and _changes(moments) + 1 >= FEWEST_MOMENTS:
            return Order(name, f'rows are sorted by "{name}", a time', moments, in_seconds=True)
    rising = [(name, np.asarray(values, dtype=np.float64)) for name, values in numbers if _is_whole_and_rising(values)]
    for what, tells in (("a counter of rows", _counts_rows), ("a calendar year", _are_years)):
        for name, values in rising:
            if tells(values):
                return Order(name, f'rows are sorted by "{name}", {what}', values)
    return None


def _is_whole_and_rising(values: Floats | Doubles) -> bool:
    return _is_rising(values, ~np.isfinite(values)) and bool((values == np.floor(values)).all())


def _counts_rows(values: Doubles) -> bool:
    return not _within_years(values) and _changes(values) == len(values) - 1 and _is_dense(values)


def _are_years(values: Doubles) -> bool:
    years = _changes(values) + 1
    return _within_years(values) and years >= FEWEST_YEARS and len(values) >= ROWS_PER_YEAR * years


def _within_years(values: Doubles) -> bool:
    return float(values[0]) >= YEARS[0] and float(values[-1]) <= YEARS[1]


def _is_dense(values: Doubles) -> bool:
    return len(values) >= DENSE * (float(values[-1]) - float(values[0]) + 1)


def _is_rising(values: NDArray[np.generic], missing: NDArray[np.bool_]) -> bool:
    if len(values) < FEWEST_ORDERED or bool(missing.any()):
        return False
    return bool((values[1:] >= values[:-1]).all())  # type: ignore[operator]


def _changes(values: NDArray[np.generic]) -> int:
    return int((values[1:] != values[:-1]).sum())


def _is_sorted_by_class(labels: Ints) -> bool:
    codes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    late = first[counts >= RARE] >= EARLY * len(labels)
    return len(codes) < 2 or bool(late.any())
