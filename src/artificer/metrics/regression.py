"""Metrics of predicted values, in the target's own unit unless the name says otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.metrics.base import REGRESSION, Metric, Prediction, register, weighted_mean
from artificer.types import Doubles

INFINITE = float("inf")
FLOOR = float(np.finfo(np.float32).eps)
"""The least positive mean a Poisson prediction counts as."""


def rmse(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Square root of the mean squared error."""
    return math.sqrt(weighted_mean((y - values) ** 2, weight))


def mae(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Mean absolute error."""
    return weighted_mean(np.abs(y - values), weight)


def r2(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Share of the target's variance that the prediction explains; 0 is the mean, below 0 is worse than the mean.

    nan for one row. Where the target does not vary: 1 for a perfect prediction, else 0.
    """
    if len(y) < 2:
        return math.nan
    error = weighted_mean((y - values) ** 2, weight)
    spread = weighted_mean((y - weighted_mean(y, weight)) ** 2, weight)
    if spread == 0:
        return 1.0 if error == 0 else 0.0
    return 1.0 - error / spread


def rmsle(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Root mean squared error of log(1 + value), for targets that are never negative.

    nan where y is negative. A prediction below zero counts as zero: the target cannot go there, and one such row must
    not make a candidate unmeasurable.
    """
    if y.min() < 0:
        return math.nan
    return rmse(np.log1p(y), np.log1p(np.maximum(values, 0.0)), weight)


def median_absolute_error(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Median of the absolute errors: half of the weight lies on either side.

    References
    ----------
    Hyndman, Fan: Sample quantiles in statistical packages. The American Statistician, 1996 (definition 2).
    """
    errors = np.abs(y - values)
    if weight is None:
        return float(np.median(errors))
    order = np.argsort(errors)
    total = weight[order].cumsum()
    half = 0.5 * total[-1]
    at = min(int(np.searchsorted(total, half)), len(order) - 1)
    exactly_half = total[at] - half <= np.finfo(np.float64).eps
    after = min(at + 1, len(order) - 1) if exactly_half else at
    return float((errors[order[at]] + errors[order[after]]) / 2.0)


def mape(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Mean absolute error as a share of the true value (0.1 is ten percent).

    A true value of zero counts as the float64 epsilon, so a target with zeros wants another metric.
    """
    return weighted_mean(np.abs(y - values) / np.maximum(np.abs(y), np.finfo(np.float64).eps), weight)


def poisson_deviance(y: NDArray[Any], values: Prediction, weight: Doubles | None) -> float:
    """Mean Poisson deviance, for counts and rates.

    nan where y is negative. A prediction at or below zero counts as the float32 epsilon: costly, not infinite.

    References
    ----------
    McCullagh, Nelder: Generalized Linear Models, 2nd edition. Chapman & Hall, 1989.
    """
    if y.min() < 0:
        return math.nan
    mean = np.maximum(values, FLOOR)
    ratio = np.where(y > 0, y / mean, 1.0)
    return weighted_mean(2.0 * (y * np.log(ratio) - y + mean), weight)


register(Metric("rmse", REGRESSION, False, "values", 0.0, INFINITE, rmse, "root of the mean squared error"))
register(Metric("mae", REGRESSION, False, "values", 0.0, INFINITE, mae, "mean absolute error"))
register(Metric("r2", REGRESSION, True, "values", -INFINITE, 1.0, r2, "share of the variance explained; 0 is the mean"))
register(
    Metric("rmsle", REGRESSION, False, "values", 0.0, INFINITE, rmsle, "root mean squared error of log(1 + value)")
)
register(
    Metric(
        "median_absolute_error",
        REGRESSION,
        False,
        "values",
        0.0,
        INFINITE,
        median_absolute_error,
        "the error that half of the rows stay below",
    )
)
register(
    Metric("mape", REGRESSION, False, "values", 0.0, INFINITE, mape, "mean absolute error as a share of the true value")
)
register(
    Metric(
        "poisson_deviance",
        REGRESSION,
        False,
        "values",
        0.0,
        INFINITE,
        poisson_deviance,
        "mean Poisson deviance, for counts and rates",
    )
)
