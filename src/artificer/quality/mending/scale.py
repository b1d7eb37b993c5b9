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

    The outlying ones must lie apart from the bulk by a gap wider than the bulk's own spread on a logarithmic scale, and
    multiplied by the factor all of them must fall inside it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rents = rng.lognormal(7, 0.4, 1000)
    >>> rents[:10] /= 1000
    >>> scale_rule(rents).factor
    1000.0
    >>> scale_rule(rng.lognormal(7, 0.4, 1000)) is None
    True
    """
    present = numbers[np.isfinite(numbers) & (numbers > 0)]
    if len(present) < FEWEST or len(present) < 0.9 * np.isfinite(numbers).sum():
        return None
    logs = np.sort(np.log10(present))
    for factor in FACTORS:
        shift = np.log10(factor)
        # The widest gap on the side from which the factor would bring numbers back.
        gaps = np.diff(logs)
        few = max(1, int(MOST * len(logs)))
        at = int(np.argmax(gaps[:few])) if shift > 0 else len(gaps) - few + int(np.argmax(gaps[-few:]))
        if len(gaps) == 0 or gaps[at] < abs(shift) / 5:
            continue
        out = logs[: at + 1] if shift > 0 else logs[at + 1 :]
        bulk = logs[at + 1 :] if shift > 0 else logs[: at + 1]
        low, high = np.quantile(bulk, [INSIDE, 1 - INSIDE])
        spread = high - low
        back = out + shift
        if len(out) < 2 or spread >= abs(shift) or not ((back >= bulk[0] - 0.1) & (back <= bulk[-1] + 0.1)).all():
            continue
        if np.unique(out).size < 2 or abs(float(np.median(back) - np.median(bulk))) > spread / 2:
            continue
        return _rule(out, bulk, factor)
    return None


def _rule(out: Doubles, bulk: Doubles, factor: float) -> ScaleRule:
    """A rule for numbers that were not seen as well: all that would fall into the bulk, up to the middle of the gap."""
    shift = float(np.log10(factor))
    if shift > 0:
        low, high = min(out[0], bulk[0] - shift), (out[-1] + bulk[0]) / 2
    else:
        low, high = (out[0] + bulk[-1]) / 2, max(out[-1], bulk[-1] - shift)
    return ScaleRule(float(10 ** (low - 1e-9)), float(10 ** (high + 1e-9)), factor)
