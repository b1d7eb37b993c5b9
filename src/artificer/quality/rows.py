"""Checks of rows and of the target: copies, rare classes, columns that give the answer away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from artificer.quality.base import Check, Checked, Finding, Severity
from artificer.types import MISSING_TIME, Doubles, Kind, Task

TOO_GOOD = 0.995
ROWS_PER_CATEGORY = 20
RARE_SHARE = 0.01
FEW_ROWS = 10


class CopiedRows(Check):
    """Rows that repeat an earlier row in every column that matters."""

    name: ClassVar[str] = "duplicate_rows"

    def run(self, table: Checked) -> Iterator[Finding]:
        features = {c.name for c in table.contract.columns if c.kind is not None}
        names = [n for n in table.frame.columns if n in features or n == table.contract.target]
        if not names:
            return
        count = table.frame.height - table.frame.select(names).unique().height
        if count:
            share = table.share(count)
            severity: Severity = "warning" if share >= 0.01 else "info"
            evidence = f"{count:,} rows ({share:.1%}) repeat an earlier row in all features and the target"
            mend = "if they are copies and not separate events, drop them or name a group column"
            yield Finding(self.name, None, count, share, (), severity, evidence, mend)


class RareClasses(Check):
    """Classes with so few rows that they can hardly be learnt or tested."""

    name: ClassVar[str] = "rare_class"

    def run(self, table: Checked) -> Iterator[Finding]:
        if table.y is None or not table.contract.task.is_classification:
            return
        counts = np.bincount(table.y.astype(np.int64), minlength=len(table.contract.classes))
        for label, count in zip(table.contract.classes, counts.tolist(), strict=True):
            share = table.share(count)
            if count < FEW_ROWS or share < RARE_SHARE:
                severity: Severity = "warning" if count < FEW_ROWS else "info"
                evidence = f'class "{label}" has {count:,} rows ({share:.2%})'
                mend = "judge the model by a metric that sees rare classes, and collect more of them"
                yield Finding(self.name, table.contract.target, count, share, (label,), severity, evidence, mend)


class GivenAway(Check):
    """A single feature from which the target can be read off is most often known only after the outcome.

    For numbers: the area under the ROC curve (binary), or the rank correlation (regression). For categories with at
    least twenty rows each on average: the share of rows in the majority class of their category, or the share of
    variance explained.
    """

    name: ClassVar[str] = "leakage"

    def run(self, table: Checked) -> Iterator[Finding]:
        y, task = table.y, table.contract.task
        if y is None or len(y) < 50:
            return
        for kind in Kind:
            block = table.blocks.of(kind)
            for j, name in enumerate(table.contract.names(kind)):
                score, measure = _strength(block[:, j], kind, y.astype(np.float64), task)
                if score > TOO_GOOD:
                    evidence = f'"{name}" alone tells the target almost exactly ({measure} {score:.4f})'
                    mend = "if it is only known after the outcome, add it to data.drop"
                    yield Finding(self.name, name, len(y), 1.0, (), "warning", evidence, mend)


def _strength(values: NDArray[Any], kind: Kind, y: Doubles, task: Task) -> tuple[float, str]:
    if kind in (Kind.STRINGS, Kind.TEXTS):
        # As objects: NumPy's own strings would all be as wide as the longest text.
        return _of_categories(np.unique(values, return_inverse=True)[1], y, task)
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers) if kind is Kind.NUMBERS else values == MISSING_TIME
    numbers[missing] = -np.inf  # being missing may be what gives the answer away
    distinct, codes = np.unique(numbers, return_inverse=True)
    if len(distinct) < 2:
        return 0.0, ""
    if task is Task.MULTICLASS:
        return _of_categories(codes, y, task)
    order = _ranks(numbers)
    if task is Task.BINARY:
        positive = y == 1
        many, few = int(positive.sum()), int((~positive).sum())
        if not many or not few:
            return 0.0, ""
        area = (order[positive].sum() - many * (many + 1) / 2) / (many * few)
        return float(max(area, 1 - area)), "area under the ROC curve"
    ranks = _ranks(y)
    if ranks.std() == 0:
        return 0.0, ""
    return abs(float(np.corrcoef(order, ranks)[0, 1])), "rank correlation"


def _of_categories(codes: NDArray[np.intp], y: Doubles, task: Task) -> tuple[float, str]:
    many = int(codes.max()) + 1
    if many < 2 or len(codes) < ROWS_PER_CATEGORY * many:
        return 0.0, ""
    if not task.is_classification:
        sizes = np.bincount(codes)
        means = np.bincount(codes, weights=y) / sizes
        variance = float(y.var())
        return (
            1 - float(((y - means[codes]) ** 2).mean()) / variance if variance else 0.0
        ), "share of variance explained"
    labels = y.astype(np.int64)
    table = np.zeros((many, int(labels.max()) + 1))
    np.add.at(table, (codes, labels), 1)
    if table.sum(axis=0).max() > 0.98 * len(y):
        return 0.0, ""  # one class alone is nearly everything, so being right proves nothing
    return float(table.max(axis=1).sum() / len(y)), "share of rows in their category's majority class"


def _ranks(values: Doubles) -> Doubles:
    """Ranks from 1, ties by their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Doubles = ((last - counts + 1 + last) / 2)[inverse]
    return ranks


class TimeOrder(Check):
    """Rows whose place in time is unknown although a time column was named."""

    name: ClassVar[str] = "time"

    def run(self, table: Checked) -> Iterator[Finding]:
        name = table.contract.time
        if name is None or name not in table.contract.names(Kind.TIMES):
            return
        moments = table.blocks.times[:, table.contract.names(Kind.TIMES).index(name)]
        count = int((moments == MISSING_TIME).sum())
        if count:
            evidence = f'{count:,} rows have no readable time in "{name}"'
            mend = "they count as the oldest rows; mend the times at the source"
            yield Finding(self.name, name, count, table.share(count), (), "warning", evidence, mend)
