"""Numbers and times that stand for a missing cell: -999 among prices, 9999-12-31 among dates.

Nothing in such a cell says that it is missing; three things together prove it. The value *looks* like a code (nines,
a round number below zero, the end of an integer type), it *stands apart* from all others of its column, and it is
*repeated* more often than its neighbours. One that is proven is read as missing, in training and in serving alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from artificer.types import Doubles

LEAST_CELLS = 50
LEAST_VALUES = 8
"""With fewer different values beside it a number may be one label among others."""
LEAST_REPEATS = 5
FAR = 0.5
"""So many times the distance from the nearest other value to the median must lie between a code and that value."""
FAR_WHEN_SHARED = 0.1
"""The same for a value that other columns prove to be a code."""
OFTENER = 3.0
"""So many times as often as any of its neighbours a code is repeated, unless it lies `BEYOND` all others."""
BEYOND = 2.0
"""So many times the range of all others; few of these may differ, and each is then repeated often."""
NEIGHBOURS = 10
SAMPLE = 100_000

_NINES = re.compile(r"9{2,}|9{1,}[78]|9{2,}\.9+")
_ROUND = re.compile(r"[1-9]0{2,}")
_LIMITS = frozenset(
    float(sign * (2**bits) - lower)
    for bits in (15, 16, 31, 32, 63)
    for sign, lower in ((1, 0), (1, 1), (-1, 0))
)  # fmt: skip
_MOMENTS = {
    -62135596800.0: "0001-01-01",
    -6847804800.0: "1753-01-01",
    -2209161600.0: "1899-12-30",
    -2208988800.0: "1900-01-01",
    0.0: "1970-01-01",
    4070908800.0: "2099-01-01",
    4102358400.0: "2099-12-31",
    32503593600.0: "2999-12-31",
    253402214400.0: "9999-12-31",
    253402300799.0: "9999-12-31 23:59:59",
}


@dataclass(frozen=True, slots=True)
class Code:
    """A value that is or may be a code for a missing cell.

    Attributes
    ----------
    count : cells that hold it.
    nearest : the value of the column next to it.
    proven : whether it may be taken as missing; a shared look of several columns can prove it too.
    """

    value: float
    count: int
    nearest: float
    proven: bool


def looks_like_a_code(value: float, *, below: bool) -> bool:
    """Whether people write a number to say "missing": nines, or below all others a round one, or a type's limit.

    Examples
    --------
    >>> [looks_like_a_code(v, below=True) for v in (-999.0, -200.0, -99.9, -1.0, -213.0)]
    [True, True, True, True, False]
    >>> [looks_like_a_code(v, below=False) for v in (9999.0, 98.0, 2147483647.0, 500.0)]
    [True, True, True, False]
    """
    if value in _LIMITS or abs(value) >= 1e30:
        return True
    text = f"{abs(value):.10g}"
    if _NINES.fullmatch(text):
        return True
    return below and value < 0 and (text in ("1", "9") or bool(_ROUND.fullmatch(text)))


def number_codes(values: Doubles, *, strict: bool = False) -> tuple[Code, ...]:
    """The least and the greatest number of a column where they look like codes.

    Parameters
    ----------
    values : n numbers, NaN where missing.
    strict : prove them only where they lie farther from the others than these from each other, as for a target, whose
        rows would be lost.

    Examples
    --------
    >>> heights = np.r_[np.linspace(1.5, 2.0, 90), np.full(10, -999.0)]
    >>> number_codes(heights)
    (Code(value=-999.0, count=10, nearest=1.5, proven=True),)
    """
    if len(values) < LEAST_CELLS:
        return ()
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    found = []
    for value, below in ((float(low), True), (float(high), False)):
        if looks_like_a_code(value, below=below):
            found.append(_judged(values, value, strict=strict))
    return tuple(code for code in found if code is not None)


def time_codes(seconds: Doubles) -> tuple[Code, ...]:
    """The first and the last moment of a column (NaN where missing) where calendars use them for "never" or "unknown".

    Examples
    --------
    >>> days = np.r_[1.6e9 + 86400 * np.arange(90.0), np.full(10, 253402214400.0)]
    >>> [(code.count, code.proven) for code in time_codes(days)]
    [(10, True)]
    """
    if len(seconds) < LEAST_CELLS:
        return ()
    ends = (float(np.fmin.reduce(seconds)), float(np.fmax.reduce(seconds)))
    found = [_judged(seconds, value, strict=False) for value in ends if value in _MOMENTS]
    return tuple(code for code in found if code is not None)


def _judged(values: Doubles, value: float, *, strict: bool) -> Code | None:
    """Hold a value that looks like a code to the others of its column; None where it stands among them."""
    is_code = values == value
    count = int(is_code.sum())
    rest = values[~is_code & ~np.isnan(values)]
    if len(rest) < LEAST_CELLS // 2:
        return None
    nearest = float(rest.min() if value < rest.min() else rest.max())
    gap, typical = abs(value - nearest), _to_median(rest, nearest)
    if gap < FAR_WHEN_SHARED * typical or gap <= 0:
        return None
    span = float(rest.max() - rest.min())
    need = span if strict else FAR * typical
    distinct, repeats = _neighbours(rest, nearest)
    proven = (
        gap >= need
        and abs(value) != 1
        and distinct >= LEAST_VALUES
        and count >= LEAST_REPEATS
        and (count >= OFTENER * repeats or gap >= BEYOND * span)
    )
    return Code(value, count, nearest, bool(proven))


def _to_median(rest: Doubles, nearest: float) -> float:
    sample = rest[:: max(len(rest) // SAMPLE, 1)]
    return float(abs(np.median(sample) - nearest))


def _neighbours(rest: Doubles, nearest: float) -> tuple[int, int]:
    """How many different values there are, up to a few, and how often the most frequent of those nearest repeats."""
    far = np.abs(rest - nearest)
    some = min(len(rest) - 1, 5000)
    close = rest[far <= np.partition(far, some)[some]]
    distinct, counts = np.unique(close, return_counts=True)
    order = np.argsort(np.abs(distinct - nearest), kind="stable")[:NEIGHBOURS]
    if len(distinct) < LEAST_VALUES:
        distinct = np.unique(rest[:: max(len(rest) // SAMPLE, 1)])
    return len(distinct), int(counts[order].max())


def settled(codes: Mapping[str, Collection[Code]]) -> dict[str, tuple[float, ...]]:
    """The values that count as missing, by column.

    What two columns or more prove is proven in others too, where it stands apart and repeats.

    Examples
    --------
    >>> sure, perhaps = Code(-200.0, 40, 0.1, True), Code(-200.0, 9, 2.0, False)
    >>> settled({"a": (sure,), "b": (sure,), "c": (perhaps,), "d": ()})
    {'a': (-200.0,), 'b': (-200.0,), 'c': (-200.0,)}
    """
    proven = [code.value for found in codes.values() for code in found if code.proven]
    shared = {value for value in proven if proven.count(value) >= 2}
    made = {name: tuple(_taken(found, shared)) for name, found in codes.items()}
    return {name: values for name, values in made.items() if values}


def _taken(found: Iterable[Code], shared: Collection[float]) -> Iterable[float]:
    for code in found:
        if code.proven or (code.value in shared and code.count >= LEAST_REPEATS):
            yield code.value
