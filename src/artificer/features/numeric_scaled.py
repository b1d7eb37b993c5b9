"""Numbers imputed, centred and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings

NORMAL_IQR = 1.3489795003921634
"""The interquartile range of a standard normal variable."""

LARGEST_SPREAD = 1e37
"""Its inverse is still a normal number in float32; processors may treat smaller ones as 0."""


class NumericScaled(Encoder):
    """(x - median) / spread, cut at ± `clip`, and an indicator for every column in which training had missing values.

    The spread is the interquartile range over 1.349, so that a normal column ends with a standard deviation of 1
    whatever its outliers; where at least half of the values are equal that range can be 0, and the standard
    deviation takes its place. Missing becomes the median, that is 0.

    Parameters
    ----------
    clip : largest magnitude of a scaled value.

    References
    ----------
    Huber, P. J. and Ronchetti, E. M. Robust Statistics. Wiley, 2009 (median and interquartile range as estimates of
    place and spread).

    Examples
    --------
    >>> block = np.float32([[0.0], [1.0], [2.0], [3.0], [4.0], [np.nan]])
    >>> encoder = NumericScaled(clip=10.0).fit(block, None, ["x"])
    >>> encoder.feature_names_
    ('x', 'x is missing')
    >>> encoder.transform(np.float32([[2.0], [2.0 + 2.0 / 1.3489795], [1e9], [np.nan]])).round(4).tolist()
    [[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [0.0, 1.0]]
    """

    name: ClassVar[str] = "numeric_scaled"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.NUMBERS)

    center_: Floats
    factor_: Floats
    shift_: Floats
    low_: Floats
    high_: Floats
    indicated_: Ints

    def __init__(self, clip: float = 10.0) -> None:
        self.clip = clip

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        k = block.shape[1]
        bounds = np.array([center_and_spread(np.asarray(block[:, j])) for j in range(k)]).reshape(k, 2)
        center, spread = bounds.T
        limit = float(np.finfo(np.float32).max)
        # Cutting before multiplying, and adding -median/spread after, keeps every step finite in float32.
        self.low_ = np.clip(center - self.clip * spread, -limit, limit).astype(np.float32)
        self.high_ = np.clip(center + self.clip * spread, -limit, limit).astype(np.float32)
        self.center_ = center.astype(np.float32)
        self.factor_ = (1.0 / spread).astype(np.float32)
        self.shift_ = -(self.center_ * self.factor_)
        self.indicated_ = np.flatnonzero(np.isnan(block).any(axis=0)).astype(np.int64)
        self.feature_names_ = (*names, *(f"{names[j]} is missing" for j in self.indicated_.tolist()))
        return self

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        missing = np.isnan(block)
        cut = np.minimum(np.maximum(np.where(missing, self.center_, block), self.low_), self.high_)
        scaled = cut * self.factor_ + self.shift_
        if not len(self.indicated_):
            return np.asarray(scaled, dtype=np.float32)
        return np.concatenate([scaled, missing[:, self.indicated_].astype(np.float32)], axis=1)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        missing = graph.op("IsNaN", block)
        filled = graph.op("Where", missing, graph.constant(self.center_[None, :]), block)
        raised = graph.op("Max", filled, graph.constant(self.low_[None, :]))
        cut = graph.op("Min", raised, graph.constant(self.high_[None, :]))
        multiplied = graph.op("Mul", cut, graph.constant(self.factor_[None, :]))
        scaled = graph.op("Add", multiplied, graph.constant(self.shift_[None, :]))
        if not len(self.indicated_):
            return scaled
        indicators = graph.cast(graph.columns(missing, self.indicated_.tolist(), len(self.center_)), "float32")
        return graph.concat([scaled, indicators])


def center_and_spread(column: Floats) -> tuple[float, float]:
    present = column[~np.isnan(column)].astype(np.float64)
    if not len(present):
        return 0.0, 1.0
    lower, center, upper = np.quantile(present, [0.25, 0.5, 0.75])
    spread = float(upper - lower) / NORMAL_IQR or float(present.std())
    # A spread below the resolution of float32 at this magnitude is rounding, not variation.
    resolution = max(abs(float(center)) * 1e-7, 1e-30)
    return float(center), min(spread, LARGEST_SPREAD) if spread > resolution else 1.0
