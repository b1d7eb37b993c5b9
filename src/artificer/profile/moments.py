"""Moments of numbers that can be added: profile the parts, add, and have the whole's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from artificer.types import Doubles


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean, and sums of the 2nd to 4th powers of the distances from the mean, with the extremes.

    Examples
    --------
    >>> import numpy as np
    >>> whole = Moments.of(np.array([1.0, 2.0])) + Moments.of(np.array([6.0]))
    >>> whole.count, whole.mean, round(whole.stdev, 3), round(whole.skewness, 3), whole.low, whole.high
    (3, 3.0, 2.16, 0.595, 1.0, 6.0)

    References
    ----------
    Pébay, P. (2008). Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
    moments. Sandia report SAND2008-6212.
    """

    count: int = 0
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: Doubles, weights: Doubles | None = None) -> Moments:
        """Moments of finite numbers (n), each counted `weights` times when given."""
        if not len(values):
            return cls()
        if weights is None:
            return cls._of_all(values)
        count = float(weights.sum())
        mean = float(values @ weights) / count
        away = values - mean
        square = away * away
        scaled = square * weights
        sums = float(scaled.sum()), float(scaled @ away), float(scaled @ square)
        return cls(round(count), mean, *sums, float(values.min()), float(values.max()))

    @classmethod
    def _of_all(cls, values: Doubles) -> Moments:
        """Polars sums in one go, several times as fast as array by array."""
        import polars as pl

        series = pl.Series(values)
        count, mean, spread = len(values), float(series.mean() or 0.0), float(series.var(ddof=0) or 0.0)  # type: ignore[arg-type]
        skewness, kurtosis = series.skew(bias=True), series.kurtosis(fisher=False, bias=True)
        third = (skewness or 0.0) * spread**1.5 * count
        fourth = (kurtosis or 0.0) * spread**2 * count
        second, third, fourth = (x if math.isfinite(x) else 0.0 for x in (spread * count, third, fourth))
        return cls(count, mean, second, third, fourth, float(values.min()), float(values.max()))

    def __add__(self, other: Moments) -> Moments:
        if not self.count or not other.count:
            return other if not self.count else self
        a, b = self.count, other.count
        n, gap = a + b, other.mean - self.mean
        step = gap / n
        second = self.second + other.second + gap * step * a * b
        third = (
            self.third
            + other.third
            + gap * step * step * a * b * (a - b)
            + 3.0 * step * (a * other.second - b * self.second)
        )
        fourth = (
            self.fourth
            + other.fourth
            + gap * step**3 * a * b * (a * a - a * b + b * b)
            + 6.0 * step * step * (a * a * other.second + b * b * self.second)
            + 4.0 * step * (a * other.third - b * self.third)
        )
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Moments(n, self.mean + step * b, second, third, fourth, low, high)

    @property
    def stdev(self) -> float:
        """Standard deviation of the values themselves (divided by n)."""
        return math.sqrt(max(self.second, 0.0) / self.count) if self.count else 0.0

    @property
    def skewness(self) -> float:
        """0 where the values are alike."""
        scale = self.stdev**3 * self.count
        return self.third / scale if scale > 0 and math.isfinite(scale) else 0.0

    @property
    def kurtosis(self) -> float:
        """In excess of the normal's; 0 where the values are alike."""
        scale = self.stdev**4 * self.count
        return self.fourth / scale - 3.0 if scale > 0 and math.isfinite(scale) else 0.0
