"""The baseline that every other algorithm has to beat, and what the others fall back to when nothing can be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from artificer.algorithms.base import ALL_TASKS, Algorithm, AlgorithmTags, FitContext, Fitted
from artificer.algorithms.trees import constant_rows
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Params, Task


@dataclass(frozen=True)
class FittedConstant(Fitted):
    """The same answer for every row."""

    row: Doubles

    def predict(self, X: Floats) -> Doubles:
        return np.tile(self.row, (len(X), 1))

    def emit(self, graph: Graph, features: str) -> str:
        return constant_rows(graph, features, self.row)


class Constant(Algorithm):
    """Class frequencies, or the mean, or quantiles.

    ``prior_rows`` imagined rows are spread evenly over the classes, so that a class that a fold happens to lack is
    improbable and not impossible.

    Examples
    --------
    >>> context = FitContext(Task.BINARY, 2)
    >>> y = np.array([0.0, 0.0, 0.0, 1.0])
    >>> Constant(prior_rows=0.0).fit(np.zeros((4, 1), np.float32), y, context).predict(np.zeros((1, 1), np.float32))
    array([[0.75, 0.25]])
    """

    name = "constant"
    tags = AlgorithmTags(
        family="constant",
        representation="none",
        tasks=ALL_TASKS | {Task.QUANTILE},
        missing_values=True,
        monotone_constraints=True,
    )
    defaults: ClassVar[Params] = {"prior_rows": 1.0}

    def fit(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        validation: tuple[Floats, Doubles] | None = None,
        weight: Doubles | None = None,
    ) -> FittedConstant:
        weight = np.ones(len(y)) if weight is None else weight
        if context.task is Task.REGRESSION:
            return FittedConstant(np.array([np.average(y, weights=weight)]))
        if context.task is Task.QUANTILE:
            return FittedConstant(quantiles(y, weight, context.levels))
        count = (
            np.bincount(y.astype(np.int64), weight, context.n_classes) + self.params["prior_rows"] / context.n_classes
        )
        return FittedConstant(count / count.sum())

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        return 1e-3 + 1e-8 * rows


def quantiles(y: Doubles, weight: Doubles, levels: Sequence[float]) -> Doubles:
    """The least values that at least a share `levels` of the weight lies at or below, (q,).

    Examples
    --------
    >>> quantiles(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), (0.25, 0.5, 0.9)).tolist()
    [1.0, 2.0, 3.0]
    """
    order = np.argsort(y, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    places = np.searchsorted(share, np.asarray(levels) * (1 - 1e-12))
    found: Doubles = y[order][np.minimum(places, len(y) - 1)].astype(np.float64)
    return found


def fallback(X: Floats, y: Doubles, context: FitContext, weight: Doubles | None) -> Fitted | None:
    """Give the constant model where the libraries would stop with an error: one class, or no feature varies."""
    if len(y) and (y != y[0]).any() and X.shape[1]:
        first = X[:1]
        with np.errstate(invalid="ignore"):
            varies = (first != X) & ~(np.isnan(X) & np.isnan(first))
        if varies.any():
            return None
    return Constant().fit(X, y, context, weight=weight)
