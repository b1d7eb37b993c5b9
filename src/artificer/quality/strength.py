"""How well one column alone tells the target: a number from 0 to 1 on the scale of the task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import MISSING_TIME, Doubles, Kind, Task

ROWS_PER_CATEGORY = 20


def strength(values: NDArray[Any], kind: Kind, y: Doubles, task: Task) -> tuple[float, str]:
    """How well the values of a column (n) tell the target (n), and the name of the measure.

    Numbers: the area under the ROC curve (two classes) or the rank correlation. Categories with at least twenty rows
    each on average: the share of rows in the majority class of their category, or of variance explained.
    """
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
    of_y = _ranks(y)
    if of_y.std() == 0:
        return 0.0, ""
    return abs(float(np.corrcoef(order, of_y)[0, 1])), "rank correlation"


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
