"""Classes as clouds around a mean, features taken as independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.linear import Frame
from artificer.algorithms.links import ABSENT, emit_link, link
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Params, Task


class NaiveBayes(Algorithm):
    """Gaussian naive Bayes in closed form.

    Parameters
    ----------
    smoothing : this part of the largest column's variance is added to every variance. Indicators that hardly vary
        within a class would otherwise decide alone.

    References
    ----------
    Hand, Yu: Idiot's Bayes: not so stupid after all? International Statistical Review 69(3), 2001.
    The floor under the variances is scikit-learn's (Pedregosa et al., JMLR 12, 2011), with a larger default.

    Examples
    --------
    >>> X = np.float32([[-2], [-1], [1], [2]])
    >>> fitted = NaiveBayes().fit(X, np.array([0.0, 0.0, 1.0, 1.0]), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.0]])).round(2)
    array([[0.5, 0.5]])
    """

    name = "naive_bayes"
    tags = AlgorithmTags(family="bayes", representation="linear", tasks=frozenset({Task.BINARY, Task.MULTICLASS}))
    defaults: ClassVar[Params] = {"smoothing": 0.01}
    space: ClassVar = {"smoothing": Dimension(1e-4, 1.0, log=True)}

    def fit(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        validation: tuple[Floats, Doubles] | None = None,
        weight: Doubles | None = None,
    ) -> Fitted:
        if (constant := fallback(X, y, context, weight)) is not None:
            return constant
        frame = Frame.of(X, weight, room=0.0)
        A, codes = frame.apply(X), y.astype(np.int64)
        weight = np.ones(len(y)) if weight is None else weight
        total = np.bincount(codes, weight, context.n_classes)
        present = np.flatnonzero(total)
        onehot = (codes[:, None] == present) * (weight[:, None] / total[present])  # (n, present) shares in each class
        mean = onehot.T @ A
        spread = np.average(A**2, axis=0, weights=weight) - np.average(A, axis=0, weights=weight) ** 2
        variance = np.maximum(onehot.T @ A**2 - mean**2, 0.0) + self.params["smoothing"] * spread.max()
        square, slope = -0.5 / variance, mean / variance
        level = np.log(total[present] / total.sum()) - 0.5 * (np.log(variance) + mean**2 / variance).sum(axis=1)
        # Against the first class the large terms that all classes share are gone before float32 has to hold them.
        square, slope, level = square - square[0], slope - slope[0], level - level[0]
        if context.task is Task.BINARY and len(present) == 2:
            return _fitted(frame, square[1:], slope[1:], level[1:], context.task)
        every = np.zeros((2, context.n_classes, X.shape[1]))
        every[:, present] = square, slope
        known = np.full(context.n_classes, ABSENT)
        known[present] = level
        return _fitted(frame, every[0], every[1], known, context.task)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        return 0.002 + rows * features * (2e-8 + 3e-9 * n_classes)


def _fitted(frame: Frame, square: Doubles, slope: Doubles, level: Doubles, task: Task) -> FittedQuadratic:
    return FittedQuadratic(
        frame, square.T.astype(np.float32), slope.T.astype(np.float32), level.astype(np.float32), task
    )


@dataclass(frozen=True)
class FittedQuadratic(Fitted):
    """``link(x * x @ square + x @ slope + level)`` for x held within the training rows' range; (p, t), (p, t), (t,)."""

    frame: Frame
    square: Floats
    slope: Floats
    level: Floats
    task: Task

    def predict(self, X: Floats) -> Doubles:
        A = self.frame.apply(X)
        raw: Doubles = A**2 @ self.square.astype(np.float64) + A @ self.slope.astype(np.float64) + self.level
        return link(raw, self.task)

    def emit(self, graph: Graph, features: str) -> str:
        x = self.frame.emit(graph, features)
        squares = graph.op("MatMul", graph.op("Mul", x, x), graph.constant(self.square))
        lines = graph.op("Gemm", x, graph.constant(self.slope), graph.constant(self.level))
        return emit_link(graph, graph.op("Add", squares, lines), self.task)
