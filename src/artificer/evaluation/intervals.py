"""Intervals: the record, and the few ways to get one.

References
----------
.. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.
.. [2] Efron, B. (1987). Better bootstrap confidence intervals. JASA 82, 171-185.
.. [3] Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
   Part 2. Statistics in Medicine 25, 559-573 (method 5).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from artificer.types import Doubles, Json

_NORMAL = NormalDist()

LEVEL = 0.95
"""Of two-sided intervals and, each for itself, of the one-sided bounds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its uncertainty.

    Attributes
    ----------
    value : the estimate on all rows.
    low, high : two-sided 95 % interval.
    lower, upper : one-sided 95 % bounds; the truth is at least ``lower``, and at most ``upper``, each with 95 %.
    stderr : standard error; NaN where it is not known.
    rows : how many rows it rests on.
    method : how it came about, in words.
    """

    value: float
    low: float
    high: float
    lower: float
    upper: float
    stderr: float
    rows: int
    method: str

    def to_json(self) -> Json:
        return {key: finite(item) for key, item in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Json) -> Interval:
        numbers = {key: math.nan if record[key] is None else float(record[key]) for key in _NUMBERS}
        return cls(**numbers, rows=int(record["rows"]), method=str(record["method"]))


_NUMBERS = ("value", "low", "high", "lower", "upper", "stderr")


def finite(item: Any) -> Any:
    """Return a float as JSON can hold it: NaN and infinities become None."""
    return None if isinstance(item, float) and not math.isfinite(item) else item


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution.

    Examples
    --------
    >>> round(normal_quantile(0.975), 3)
    1.96
    """
    return _NORMAL.inv_cdf(p)


def two_sided_p(z: float) -> float:
    """Probability that a standard normal lies at least as far out as `z`.

    Examples
    --------
    >>> round(two_sided_p(-1.96), 3)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2.0))


def one_sided_p(z: float) -> float:
    """Probability that a standard normal is at most `z`.

    Examples
    --------
    >>> round(one_sided_p(-1.645), 3)
    0.05
    """
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def wilson(successes: float, n: float, z: float) -> tuple[float, float]:
    """Give Wilson's interval of a proportion; (0, 1) when nothing was counted.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(20, 20, 1.96)]
    [0.839, 1.0]
    """
    if n <= 0:
        return 0.0, 1.0
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe_auc(auc: float, positives: int, negatives: int, z: float) -> tuple[float, float]:
    """Give Newcombe's interval of an area under the ROC curve from few rows, sensible also at 0 and 1.

    Both ends solve ``|auc - t| = z * sqrt(V(t))``, found by bisection.

    Examples
    --------
    >>> [round(end, 3) for end in newcombe_auc(1.0, 10, 10, 1.96)]
    [0.8, 1.0]
    """
    spread = (positives + negatives) / 2 - 1

    def excess(t: float) -> float:
        variance = t * (1 - t) * (1 + spread * ((1 - t) / (2 - t) + t / (1 + t))) / (positives * negatives)
        return abs(auc - t) - z * math.sqrt(max(variance, 0.0))

    def solve(outer: float) -> float:
        inner = auc
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if excess(middle) > 0 else (middle, outer)
        return inner

    return (0.0 if auc <= 0 else solve(0.0)), (1.0 if auc >= 1 else solve(1.0))


def percentiles(
    replicates: Doubles, value: float, acceleration: float | None, probabilities: list[float]
) -> list[float]:
    """Read interval ends off bootstrap replicates: BCa when an `acceleration` is given, else plain percentiles.

    Examples
    --------
    >>> reps = np.linspace(-1, 1, 2001)
    >>> [round(end, 2) for end in percentiles(reps, 0.0, 0.0, [0.05, 0.95])]
    [-0.9, 0.9]
    """
    if acceleration is None:
        return [float(end) for end in np.quantile(replicates, probabilities)]
    below = float((replicates < value).mean() + 0.5 * (replicates == value).mean())
    z0 = normal_quantile(min(max(below, 1 / (len(replicates) + 1)), 1 - 1 / (len(replicates) + 1)))
    adjusted = []
    for probability in probabilities:
        z = z0 + normal_quantile(probability)
        # Far out the correction's denominator loses its sign; there the plain percentile is the honest answer.
        bend = 1 - acceleration * z
        adjusted.append(_NORMAL.cdf(z0 + z / bend) if bend > 0.1 else probability)
    return [float(end) for end in np.quantile(replicates, adjusted)]
