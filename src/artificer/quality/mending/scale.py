"""Numbers that are a thousand or a hundred times too small or too large: 1.428 among 900 to 2,500."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from artificer.quality.mending.sheet import Change, Column, Sheet
from artificer.tables.cells import canonical_text
from artificer.tables.formats import PLAIN, number_format
from artificer.types import Doubles

CAUSE = "wrong scale"
FACTORS = (1000.0, 0.001, 100.0, 0.01)
FEWEST = 30
MOST = 0.1
"""More of a column than this is no mistake but a second population."""
INSIDE = 0.005
"""The bulk of a column lies between these tails of it."""
LEAST = 5
"""Fewer outlying numbers are no group of their own."""
TAIL = 0.1
LEAST_TAIL = 20
"""The bulk's tail is this part of it, and at least so many of its numbers."""
CHANCE = 0.01
NARROWEST, WIDEST = 1 / 3, 2.0
"""What the outlying numbers may vary by beside the bulk: the same things on another scale vary alike."""


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """Numbers from `low` to `high` are to be multiplied by `factor`; towards the bulk they end midway in the gap."""

    low: float
    high: float
    factor: float


def scales(sheet: Sheet) -> Iterator[Change]:
    """Bring such numbers back to the scale of their column."""
    for column in sheet.columns.values():
        numbers = numbers_of(column)
        rule = None if numbers is None else scale_rule(numbers)
        if numbers is None or rule is None:
            continue
        rows = np.flatnonzero((numbers >= rule.low) & (numbers <= rule.high)).astype(np.int64)
        after = [canonical_text(float(f"{number * rule.factor:.12g}")) for number in numbers[rows].tolist()]
        yield Change(column.name, CAUSE, rows, np.array(after, dtype=object), np.full(len(rows), 0.95))


def numbers_of(column: Column) -> Doubles | None:
    """The column's cells as numbers (n), NaN where missing; None when they are no numbers."""
    read = number_format(PLAIN).parse
    values = [read(text) for text in column.distinct]
    good = [value is not None for value in values]
    if not values or column.counts[np.array(good)].sum() < 0.95 * column.present:
        return None
    known = np.array([np.nan if value is None else value for value in values] + [np.nan])
    numbers: Doubles = known[column.codes]
    return numbers


def scale_rule(numbers: Doubles) -> ScaleRule | None:
    """Find one factor that brings all outlying numbers of a column back among the others.

    On a logarithmic scale, the outlying ones must lie apart from the bulk by a gap wider than its own tail explains and
    vary about as much as it does; multiplied by the factor all of them must fall inside it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rents = rng.lognormal(7, 0.4, 1000)
    >>> rents[:10] /= 1000
    >>> scale_rule(rents).factor
    1000.0
    >>> scale_rule(rng.lognormal(7, 0.4, 1000)) is None, scale_rule(rng.random(1000)) is None
    (True, True)
    """
    present = numbers[np.isfinite(numbers) & (numbers > 0)]
    if len(present) < FEWEST or len(present) < 0.9 * np.isfinite(numbers).sum():
        return None
    logs = np.sort(np.log10(present))
    few = int(MOST * len(logs))
    if few < LEAST:
        return None
    for factor in FACTORS:
        shift = float(np.log10(factor))
        # The widest gap on the side from which the factor would bring numbers back.
        gaps = np.diff(logs)
        at = (
            LEAST - 1 + int(np.argmax(gaps[LEAST - 1 : few]))
            if shift > 0
            else len(gaps) - few + int(np.argmax(gaps[len(gaps) - few : len(gaps) - LEAST + 1]))
        )
        out = logs[: at + 1] if shift > 0 else logs[at + 1 :]
        bulk = logs[at + 1 :] if shift > 0 else logs[: at + 1]
        if gaps[at] > max(abs(shift) / 5, _longest_gap(bulk * np.sign(shift))) and _fits(out, bulk, shift):
            return _rule(out, bulk, factor)
    return None


def _longest_gap(bulk: Doubles) -> float:
    """The longest gap that may lie below logarithms (n) by chance, their lower tail taken as exponential (Hill 1975).

    Numbers near zero are such: the logarithms of uniform, exponential or half-normal ones have just this tail.
    """
    tail = np.sort(bulk)[: max(LEAST_TAIL, int(TAIL * len(bulk))) + 1]
    return float(np.mean(tail[-1] - tail[:-1])) * float(np.log(len(tail) / CHANCE))


def _fits(out: Doubles, bulk: Doubles, shift: float) -> bool:
    """Whether shifted logarithms fall inside those of the bulk, about its middle, and vary as much."""
    low, high = np.quantile(bulk, [INSIDE, 1 - INSIDE])
    spread, back = high - low, out + shift
    inside = bool(((back >= bulk[0] - 0.1) & (back <= bulk[-1] + 0.1)).all())
    middle = abs(float(np.median(back) - np.median(bulk))) <= spread / 2
    varies = out[0] < out[-1] and NARROWEST * bulk.std() <= out.std() <= WIDEST * bulk.std()
    return spread < abs(shift) and inside and middle and bool(varies)


def _rule(out: Doubles, bulk: Doubles, factor: float) -> ScaleRule:
    """A rule for numbers that were not seen as well: all that would fall into the bulk, up to the middle of the gap."""
    shift = float(np.log10(factor))
    if shift > 0:
        low, high = min(out[0], bulk[0] - shift), (out[-1] + bulk[0]) / 2
    else:
        low, high = (out[0] + bulk[-1]) / 2, max(out[-1], bulk[-1] - shift)
    return ScaleRule(float(10 ** (low - 1e-9)), float(10 ** (high + 1e-9)), factor)
