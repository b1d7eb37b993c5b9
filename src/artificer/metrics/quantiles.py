"""Metrics of predicted quantiles: each row has a value for every level, rising with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.metrics.base import QUANTILE, Metric, Prediction, register, weighted_mean
from artificer.types import Doubles

INFINITE = float("inf")


def pinball_rows(y: NDArray[Any], quantiles: Prediction, levels: tuple[float, ...]) -> Doubles:
    """Pinball loss of each row (n,), the mean over its levels.

    References
    ----------
    Koenker, Bassett: Regression quantiles. Econometrica 46(1), 1978.

    Examples
    --------
    >>> pinball_rows(np.array([3.0]), np.array([[1.0, 3.5]]), (0.1, 0.5)).round(6).tolist()
    [0.225]
    """
    above, level = y[:, None] - quantiles, np.array(levels)
    return np.asarray(np.maximum(level * above, (level - 1.0) * above).mean(axis=1))


def covered_rows(y: NDArray[Any], quantiles: Prediction) -> Doubles:
    """1 for each row (n,) that lies between its outermost quantiles, else 0."""
    return np.asarray((quantiles[:, 0] <= y) & (y <= quantiles[:, -1]), dtype=np.float64)


def pinball_loss(y: NDArray[Any], quantiles: Prediction, weight: Doubles | None, levels: tuple[float, ...]) -> float:
    """Mean pinball loss over rows and levels; the true quantiles have the least expected one."""
    return weighted_mean(pinball_rows(y, quantiles, levels), weight)


def interval_coverage(
    y: NDArray[Any], quantiles: Prediction, weight: Doubles | None, levels: tuple[float, ...]
) -> float:
    """Share of the rows between the outermost quantiles; nan where there is one level only."""
    if len(levels) < 2:
        return math.nan
    return weighted_mean(covered_rows(y, quantiles), weight)


register(
    Metric(
        "pinball_loss",
        QUANTILE,
        False,
        "quantiles",
        0.0,
        INFINITE,
        pinball_loss,
        "mean over the levels of what misses above and below cost",
    )
)
register(
    Metric(
        "interval_coverage",
        QUANTILE,
        True,
        "quantiles",
        0.0,
        1.0,
        interval_coverage,
        "share of the rows between the outermost quantiles",
    )
)
