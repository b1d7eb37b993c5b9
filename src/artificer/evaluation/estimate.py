"""One metric with its interval, and the difference of two sets of scores on the same rows with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.intervals import (
    LEVEL,
    Interval,
    newcombe_auc,
    normal_quantile,
    percentiles,
    two_sided_p,
    wilson,
)
from artificer.evaluation.resampling import Sample, sample
from artificer.metrics.base import Metric

FEWEST_ROWS = 10
"""Below this the spread within the rows says nothing about the spread of rows; only exact intervals are given."""

FEW_OF_A_CLASS = 30
"""With fewer rows of a class DeLong's normal approximation is poor."""

_Z = normal_quantile(1 - (1 - LEVEL) / 2)
_Z_ONE = normal_quantile(LEVEL)


def estimate(
    metric: Metric, y: NDArray[Any], scores: NDArray[Any], *, times: NDArray[Any] | None = None, seed: int = 0
) -> Interval:
    """Measure `scores` against `y` with a 95 % interval.

    Parameters
    ----------
    y : (n,), codes or values.
    scores : (n, c).
    times : (n,), given when rows are ordered in time; the interval then allows for neighbours that resemble each other.

    Returns
    -------
    Interval
        Its value is NaN where the metric is not defined on these rows. With fewer than ten rows the interval is the
        metric's whole range, except where an exact one exists.

    Examples
    --------
    Two normal distributions one standard deviation apart have an area of 0.76:

    >>> from artificer.metrics.base import metric
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 500)
    >>> p = np.clip(0.5 + 0.2 * (y - 0.5) + 0.2 * rng.normal(size=500), 0, 1)
    >>> found = estimate(metric("roc_auc"), y, np.stack([1 - p, p], axis=1))
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), found.method
    (0.73, 0.68, 0.77, 'DeLong')
    """
    return interval_of(metric, y, scores, sample(metric, y, [scores], times=times, seed=seed), 0)


def interval_of(metric: Metric, y: NDArray[Any], scores: NDArray[Any], drawn: Sample, index: int) -> Interval:
    """Read the interval of the `index`-th set of scores off its sampling distribution."""
    value, n = float(drawn.values[index]), drawn.rows
    stderr = math.sqrt(max(float(drawn.covariance[index, index]), 0.0))
    if math.isnan(value):
        return Interval(value, math.nan, math.nan, math.nan, math.nan, math.nan, n, drawn.method)
    # Closed forms hold for independent rows that count alike.
    simple = drawn.replicates is None or not any(word in drawn.method for word in ("blocks", "weighted"))
    if metric.name == "roc_auc" and simple:
        return _auc_interval(metric, np.asarray(y), scores, value, stderr, n)
    if metric.name == "accuracy" and simple:
        low, high = wilson(value * n, n, _Z)
        lower, upper = wilson(value * n, n, _Z_ONE)
        return Interval(value, low, high, lower, upper, max(stderr, (high - low) / (2 * _Z)), n, "Wilson")
    if n < FEWEST_ROWS or drawn.replicates is None:
        return Interval(value, metric.low, metric.high, metric.low, metric.high, math.nan, n, "too few rows")
    if metric.needs == "labels" and value == metric.best and stderr == 0:
        fewest = int(np.bincount(np.asarray(y).astype(np.int64))[np.unique(y).astype(np.int64)].min())
        low, lower = (wilson(fewest, fewest, z)[0] for z in (_Z, _Z_ONE))
        return Interval(value, low, value, lower, value, (value - low) / _Z, n, "Wilson on the rarest class")
    bend = float(drawn.acceleration[index])
    tail, one = (1 - LEVEL) / 2, 1 - LEVEL
    low, high, lower, upper = percentiles(
        drawn.replicates[:, index], value, None if math.isnan(bend) else bend, [tail, 1 - tail, one, 1 - one]
    )
    method = drawn.method + ("" if math.isnan(bend) else ", BCa")
    return Interval(value, min(low, value), max(high, value), min(lower, value), max(upper, value), stderr, n, method)


def _auc_interval(
    metric: Metric, y: NDArray[Any], scores: NDArray[Any], value: float, stderr: float, n: int
) -> Interval:
    counts = np.unique(y, return_counts=True)[1]
    rarest = int(counts.min())
    if stderr == 0 and float(np.ptp(np.asarray(scores), axis=0).max()) == 0:
        return Interval(value, value, value, value, value, 0.0, n, "constant scores")
    if rarest < FEW_OF_A_CLASS or stderr == 0 or not 0 < value < 1:
        low, high = newcombe_auc(value, rarest, n - rarest, _Z)
        lower, upper = newcombe_auc(value, rarest, n - rarest, _Z_ONE)
        return Interval(value, low, high, lower, upper, max(stderr, (high - low) / (2 * _Z)), n, "Newcombe")
    # On the logit scale the interval stays within (0, 1) and has better coverage near the ends.
    middle, spread = math.log(value / (1 - value)), stderr / (value * (1 - value))
    low, high, lower, upper = (1 / (1 + math.exp(-(middle + z * spread))) for z in (-_Z, _Z, -_Z_ONE, _Z_ONE))
    return Interval(value, low, high, lower, upper, stderr, n, "DeLong")


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the first set of scores does than the second: positive is better, whatever the metric.

    ``p`` is two-sided, for a difference of zero.
    """

    value: float
    low: float
    high: float
    stderr: float
    p: float
    rows: int
    method: str


def difference_of(metric: Metric, drawn: Sample, level: float = LEVEL) -> Difference:
    """Compare the first two sets of scores of a joint sampling distribution."""
    sign = 1.0 if metric.greater_is_better else -1.0
    value = sign * float(drawn.values[0] - drawn.values[1])
    c = drawn.covariance
    variance = float(c[0, 0] + c[1, 1] - 2 * c[0, 1])
    if math.isnan(value) or math.isnan(variance):
        return Difference(value, -math.inf, math.inf, math.nan, math.nan, drawn.rows, drawn.method)
    stderr = math.sqrt(max(variance, 0.0))
    # Rounding leaves a hair of variance between identical scores.
    if stderr <= 1e-12 * max(1.0, abs(value)):
        return Difference(value, value, value, 0.0, 1.0 if value == 0 else 0.0, drawn.rows, drawn.method)
    z = normal_quantile(1 - (1 - level) / 2)
    p = two_sided_p(value / stderr)
    return Difference(value, value - z * stderr, value + z * stderr, stderr, p, drawn.rows, drawn.method)
