"""Quantiles of any number of values in a few kilobytes: the KLL sketch of Apache DataSketches."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from artificer.types import Doubles

K = 512
"""Values a level of the sketch holds: a rank is off by 0.5 % at most, in 99 of 100 sketches."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A sketch of numbers; exact while there are fewer than `K`.

    Examples
    --------
    >>> half = Quantiles.of(np.arange(50_000.0)) + Quantiles.of(np.arange(50_000.0, 100_000.0))
    >>> [abs(value / 100_000 - level) < 0.02 for level, value in zip((0.1, 0.5), half.at((0.1, 0.5)))]
    [True, True]

    References
    ----------
    Karnin, Z., Lang, K., Liberty, E. (2016). Optimal quantile approximation in streams. FOCS 2016.
    """

    sketch: Any

    @classmethod
    def of(cls, values: Doubles) -> Quantiles:
        """Sketch finite numbers (n)."""
        from datasketches import kll_doubles_sketch

        sketch = kll_doubles_sketch(K)
        sketch.update(np.require(values, np.float64, ["C", "W"]))  # it takes no array that may not be written
        return cls(sketch)

    def __add__(self, other: Quantiles) -> Quantiles:
        merged = copy(self.sketch)
        merged.merge(other.sketch)
        return Quantiles(merged)

    def at(self, levels: Sequence[float]) -> list[float]:
        """Values below which the shares `levels` of the numbers lie; nothing of an empty sketch."""
        return [] if self.sketch.is_empty() else list(self.sketch.get_quantiles(list(levels), True))

    def shares_up_to(self, limits: Sequence[float]) -> Doubles:
        """Share of the numbers at or below each of `limits`, which rise."""
        if self.sketch.is_empty() or not len(limits):
            return np.zeros(len(limits))
        return np.asarray(self.sketch.get_cdf([float(limit) for limit in limits], True), np.float64)[:-1]

    @property
    def rank_error(self) -> float:
        """By how much a rank may be off, as a share of all; 0 while every value is held."""
        return float(self.sketch.normalized_rank_error(False)) if self.sketch.is_estimation_mode() else 0.0
