"""A metric over folds, where a fold may lack a class or a candidate may have gone astray."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from artificer.metrics.base import Metric


def fold_metric(metric: Metric, y: ArrayLike, scores: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The metric on one fold, fit to compare candidates by.

    Returns
    -------
    float
        nan exactly where the fold's rows cannot decide (no row, one class alone, a value outside the metric's
        domain): the same for every candidate, so leave the fold out. The worst value of the metric where the
        candidate's own scores are not finite.

    Examples
    --------
    >>> from artificer.metrics.base import metric
    >>> fold_metric(metric("roc_auc"), [1, 1], [[0.5, 0.5], [0.2, 0.8]])
    nan
    >>> fold_metric(metric("rmse"), [1.0, 2.0], [[1.0], [float("nan")]])
    inf
    """
    scores = np.asarray(scores)
    if np.isfinite(scores).all():
        value = metric.score(y, scores, weight)
        if math.isfinite(value):
            return value
    # What makes a metric undefined is a property of y alone, so any harmless prediction tells whose fault it was.
    y = np.asarray(y)
    if metric.of_numbers:
        harmless = np.broadcast_to(y.reshape(-1, 1), (len(y), len(metric.levels) or 1))
    else:
        harmless = np.full(scores.shape, 1.0 / scores.shape[1])
    return math.nan if math.isnan(metric.score(y, harmless, weight)) else metric.worst


def mean_over_folds(values: Sequence[float], rows: Sequence[int]) -> float:
    """Mean of the folds that could decide, weighted by their rows; nan where none could.

    Examples
    --------
    >>> mean_over_folds([0.8, float("nan"), 0.6], [100, 90, 100])
    0.7
    """
    kept = [(value, count) for value, count in zip(values, rows, strict=True) if not math.isnan(value) and count > 0]
    if not kept:
        return math.nan
    return sum(value * count for value, count in kept) / sum(count for _, count in kept)
