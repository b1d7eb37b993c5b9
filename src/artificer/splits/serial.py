"""Whether rows that are not sorted happen at a time all the same: neighbours in time agree in the target.

Hours of a week that were shuffled are still hours of a week: a model that is tested on some of them after it has seen
those before and after fills gaps and is not asked to look ahead. Dates that describe a row without ordering what
happened (a birth, a hiring) show no such agreement once their slow trend is taken out.

References
----------
von Neumann, J. Distribution of the ratio of the mean square successive difference to the variance. Annals of
Mathematical Statistics 12(4), 1941.
Bergmeir, C. and Benítez, J. M. On the use of cross-validation for time series predictor evaluation. Information
Sciences 191, 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artificer.splits.evidence import Table
from artificer.splits.likeness import target_columns
from artificer.splits.order import Order
from artificer.types import MISSING_TIME, Doubles, Ints, Kind

FEWEST_ROWS = 200
PERIODS = 20
"""The trend that is taken out is the mean of so many periods with equally many rows."""

STRONG = 0.3
"""Neighbours in time that agree so much are told from each other by no model that has seen one of them."""

WEAK, DENSE_DAYS = 0.05, 0.9
"""Or by so much at least, where rows stand on so many of the days between the first and the last."""

SURE = 5.0
"""Standard errors by which the agreement differs from none."""

MOST_MISSING = 0.05
FEWEST_DAYS = 3
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Serial:
    """How much neighbours in time agree in the target, and what share of the days has rows."""

    correlation: float
    error: float
    days: float

    @property
    def holds(self) -> bool:
        sure = self.correlation > SURE * self.error
        return sure and (self.correlation >= STRONG or (self.correlation >= WEAK and self.days >= DENSE_DAYS))


def shuffled_order(table: Table, seed: int = 0) -> Order | None:
    """The column of times that rows happen at although they are not sorted by it; None where there is none.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> rng = np.random.default_rng(0)
    >>> hours = rng.permutation(1000)
    >>> load = np.cumsum(rng.normal(size=1000))[hours]
    >>> at = pl.Series("at", 3600 * 1000 * hours).cast(pl.Datetime("ms"))
    >>> ready = prepare(pl.DataFrame({"x": rng.random(1000), "load": load}).with_columns(at), target="load")
    >>> found = shuffled_order(Table(ready.frame, ready.contract, ready.blocks, ready.y, ready.contract.task))
    >>> found.column, "not sorted" in found.reason
    ('at', True)
    """
    if len(table.y) < FEWEST_ROWS:
        return None
    target = target_columns(table.y, table.task)
    found: list[tuple[float, str, Ints, Serial]] = []
    for j, name in enumerate(table.names(Kind.TIMES)):
        times = table.blocks.times[:, j]
        seen = serial(times, target, np.random.default_rng(seed))
        if seen is not None and seen.holds:
            found.append((seen.correlation, name, times, seen))
    if not found:
        return None
    correlation, name, times, seen = max(found, key=lambda each: each[0])
    reason = (
        f'rows happen at "{name}", though they are not sorted by it: neighbours in time agree in the target '
        f"(correlation {correlation:.2f} ± {seen.error:.2f} once the trend is taken out)"
    )
    return Order(name, reason, times, in_seconds=True)


def serial(times: Ints, target: Doubles, rng: np.random.Generator) -> Serial | None:
    """Measure it; None where too few rows have a time, or too few days."""
    present = np.flatnonzero(times != MISSING_TIME)
    if len(present) < max((1 - MOST_MISSING) * len(times), FEWEST_ROWS):
        return None
    days = np.unique(times[present] // DAY)
    if len(days) < FEWEST_DAYS:
        return None
    # Rows of one moment come in any order, not in that of the table, which may be one of its own.
    order = present[np.lexsort((rng.random(len(present)), times[present]))]
    y = target[order]
    period = np.arange(len(y)) * PERIODS // len(y)
    sizes = np.bincount(period)
    rest = y - np.stack([np.bincount(period, weights=column) / sizes for column in y.T], axis=1)[period]
    total = float((rest**2).sum())
    if total <= 0:
        return None
    correlation = float((rest[1:] * rest[:-1]).sum()) / total
    return Serial(correlation, 1 / np.sqrt(len(y)), len(days) / float(days[-1] - days[0] + 1))
