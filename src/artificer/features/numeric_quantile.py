"""Numbers made normal by their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings


class NumericQuantile(Encoder):
    """Each column through the piecewise linear curve that makes its training values normal.

    The curve joins `knots` training values, evenly spaced in normal scores, to the normal scores of their mid-ranks;
    beyond the smallest and the largest it is flat. For linear models of long-tailed columns. Missing becomes the
    column's middle, and columns in which training had missing values get an indicator.

    Parameters
    ----------
    knots : points of the curve, at least 2; fewer where values repeat.
    indicators : add the indicators of missing values.

    References
    ----------
    van der Waerden, B. L. Order tests for the two-sample problem and their power. Indagationes Mathematicae 14, 1952
    (normal scores). Beasley, T. M., Erickson, S. and Allison, D. B. Rank-based inverse normal transformations are
    increasingly used, but are they merited? Behavior Genetics 39, 2009.

    Examples
    --------
    >>> block = np.exp(np.random.default_rng(0).normal(size=(2000, 1))).astype(np.float32)
    >>> encoder = NumericQuantile().fit(block, None, ["income"])
    >>> features = encoder.transform(block)
    >>> bool(abs(features.mean()) < 0.01), bool(abs(features.std() - 1) < 0.02)
    (True, True)
    """

    name: ClassVar[str] = "numeric_quantile"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.NUMBERS)

    curves_: tuple[tuple[Doubles, Doubles], ...]
    middle_: Floats
    indicated_: Ints

    def __init__(self, knots: int = 32, indicators: bool = True) -> None:
        self.knots = knots
        self.indicators = indicators

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        columns = [np.asarray(block[:, j]) for j in range(block.shape[1])]
        self.curves_ = tuple(_curve(column[~np.isnan(column)].astype(np.float64), self.knots) for column in columns)
        self.middle_ = np.array([x[len(x) // 2] for x, _ in self.curves_], dtype=np.float32)
        with_missing = np.flatnonzero(np.isnan(block).any(axis=0)).astype(np.int64)
        self.indicated_ = with_missing if self.indicators else with_missing[:0]
        self.feature_names_ = (
            *(f"{name} (normal score)" for name in names),
            *(f"{names[j]} is missing" for j in self.indicated_.tolist()),
        )
        return self

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        missing = np.isnan(block)
        filled = np.where(missing, self.middle_, block).astype(np.float64)
        scores = np.empty(block.shape, dtype=np.float32)
        for j, (x, z) in enumerate(self.curves_):
            scores[:, j] = np.interp(filled[:, j], x, z)
        if not len(self.indicated_):
            return scores
        return np.concatenate([scores, missing[:, self.indicated_].astype(np.float32)], axis=1)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        starts, widths, rises, base = self._segments()
        missing = graph.op("IsNaN", block)
        filled = graph.op("Where", missing, graph.constant(self.middle_[None, :]), block)
        deep = graph.op("Unsqueeze", graph.cast(filled, "float64"), graph.constant(np.array([2], dtype=np.int64)))
        share = graph.op("Div", graph.op("Sub", deep, graph.constant(starts[None])), graph.constant(widths[None]))
        steps = graph.op("Clip", share, graph.constant(np.array(0.0)), graph.constant(np.array(1.0)))
        climbs = graph.op("Mul", steps, graph.constant(rises[None]))
        climbed = graph.op("ReduceSum", climbs, graph.constant(np.array([2], dtype=np.int64)), keepdims=0)
        scores = graph.cast(graph.op("Add", climbed, graph.constant(base[None, :])), "float32")
        if not len(self.indicated_):
            return scores
        indicators = graph.cast(graph.columns(missing, self.indicated_.tolist(), len(self.curves_)), "float32")
        return graph.concat([scores, indicators])

    def _segments(self) -> tuple[Doubles, Doubles, Doubles, Doubles]:
        """The curves as sums of clipped ramps: starts, widths and rises (k, s), and the value at the left end (k,)."""
        k, segments = len(self.curves_), max(len(x) for x, _ in self.curves_)
        # A ramp that a column does not need has width 1 and rise 0.
        starts, widths, rises = np.zeros((k, segments)), np.ones((k, segments)), np.zeros((k, segments))
        for j, (x, z) in enumerate(self.curves_):
            used = len(x) - 1
            starts[j, :used], widths[j, :used], rises[j, :used] = x[:-1], np.diff(x), np.diff(z)
        return starts, widths, rises, np.array([z[0] for _, z in self.curves_])


def _curve(present: Doubles, knots: int) -> tuple[Doubles, Doubles]:
    """Distinct values of `present` and the normal scores of their mid-ranks."""
    n, normal = len(present), NormalDist()
    if not n:
        return np.zeros(1), np.zeros(1)
    ordered = np.sort(present)
    # Evenly spaced scores, not ranks: the tails, where a value moves its score least, get their share of the knots.
    last = normal.inv_cdf((n - 0.5) / n)
    ranks = np.array([normal.cdf(score) for score in np.linspace(-last, last, max(knots, 2)).tolist()])
    x = np.unique(ordered[np.clip(np.floor(ranks * n).astype(np.int64), 0, n - 1)])
    before = np.searchsorted(ordered, x, side="left")
    through = np.searchsorted(ordered, x, side="right")
    return x, np.array([normal.inv_cdf(rank) for rank in ((before + through) / (2.0 * n)).tolist()])
