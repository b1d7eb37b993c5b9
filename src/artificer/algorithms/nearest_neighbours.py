"""Averages over the most similar training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params

MOST_ROWS = 5_000
MOST_CELLS = 500_000
"""Training rows, and their cells, that travel with the model: 2 MB in float32."""

REACH = 4.0
"""Standard deviations from the mean at which a feature is held."""

WHOLE = 2**24
"""Whole numbers up to this one are exact in float32, and so are their sums in whatever order."""

AT_ONCE = 4_000_000
"""Distances held at once while predicting."""


class NearestNeighbours(Algorithm):
    """Weighted nearest neighbours by Euclidean distance.

    Features lie on a grid of whole numbers, coarser the more features there are (a fiftieth of a standard deviation
    for twenty of them), so that every squared distance is a whole number below 2**24. Float32 adds those without any
    rounding: two runtimes find the same neighbours, ties included.

    A neighbour's weight falls with its squared distance, from 1 to ``1 - decline`` at the farthest of them, times the
    weight of the row. For classes one more neighbour with the frequencies of all is added, so that none is
    impossible. Of large tables a seeded sample of at most 5,000 rows and 500,000 cells (2 MB) is kept.

    Parameters
    ----------
    neighbours : rows that are averaged.
    decline : share of its weight that the farthest of them has lost.

    References
    ----------
    Cover, Hart: Nearest neighbor pattern classification. IEEE Transactions on Information Theory 13(1), 1967.
    Dudani: The distance-weighted k-nearest-neighbor rule. IEEE Transactions on Systems, Man, and Cybernetics 6, 1976.

    Examples
    --------
    >>> from artificer.types import Task
    >>> X = np.float32([[0], [1], [2], [10], [11], [12]])
    >>> y = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> fitted = NearestNeighbours(neighbours=3).fit(X, y, FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[1], [11]])).argmax(axis=1).tolist()
    [0, 1]
    """

    name = "nearest_neighbours"
    tags = AlgorithmTags(family="neighbours", representation="linear")
    defaults: ClassVar[Params] = {"neighbours": 20, "decline": 0.8}
    space: ClassVar = {
        "neighbours": Dimension(3, 100, log=True, integer=True),
        "decline": Dimension(0.0, 0.95),
    }
    portfolio: ClassVar = ({}, {"neighbours": 7})
    max_rows: ClassVar[int | None] = 20_000

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
        weight = np.ones(len(y)) if weight is None else weight / weight.mean()
        grid = Grid.of(X, weight)
        answers = np.eye(context.n_classes)[y.astype(np.int64)] if context.task.is_classification else y[:, None]
        usual = (weight @ answers / weight.sum()).astype(np.float32)
        most = max(min(MOST_ROWS, MOST_CELLS // X.shape[1]), 1)
        kept = np.flatnonzero(weight > 0)
        if len(kept) > most:
            kept = np.sort(np.random.default_rng(context.seed).choice(kept, most, replace=False))
        return FittedNeighbours(
            grid,
            grid.apply(X[kept]),
            np.concatenate([answers[kept], np.ones((len(kept), 1))], axis=1).astype(np.float32)
            * weight[kept, None].astype(np.float32),
            usual if context.task.is_classification else None,
            min(int(self.params["neighbours"]), len(kept)),
            float(self.params["decline"]),
        )

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        kept = min(rows, MOST_ROWS, MOST_CELLS // max(features, 1))
        return 0.005 + 2e-8 * rows * features + 0.25 * rows * kept * (1e-8 + 5e-11 * features)


@dataclass(frozen=True)
class Grid:
    """Features as whole numbers from -steps to steps, so few that no squared distance reaches 2**24."""

    centre: Floats
    scale: Floats
    steps: int

    @classmethod
    def of(cls, X: Floats, weight: Doubles) -> Grid:
        centre = np.average(X.astype(np.float64), axis=0, weights=weight)
        spread = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=weight))
        steps = max(int((WHOLE / (4 * X.shape[1])) ** 0.5), 1)
        # Indicators keep their size: standardised, the rarest of them would outweigh everything else.
        scale = steps / (REACH * np.maximum(spread, 1.0))
        return cls(centre.astype(np.float32), scale.astype(np.float32), steps)

    def apply(self, X: Floats) -> Floats:
        with np.errstate(over="ignore"):
            whole: Floats = np.rint(np.clip((X - self.centre) * self.scale, -self.steps, self.steps))
        return whole.astype(np.float32)

    def emit(self, graph: Graph, features: str) -> str:
        scaled = graph.op("Mul", graph.op("Sub", features, graph.constant(self.centre)), graph.constant(self.scale))
        ends = (graph.constant(np.array(end, np.float32)) for end in (-self.steps, self.steps))
        return graph.op("Round", graph.op("Clip", scaled, *ends))


@dataclass(frozen=True)
class FittedNeighbours(Fitted):
    """Training rows on the grid, and what each of them says.

    Attributes
    ----------
    rows : (m, p) whole numbers.
    answers : (m, c + 1) class indicators or the value, times the row's weight, and the weight itself.
    usual : (c,) what the additional neighbour says; None without one.
    """

    grid: Grid
    rows: Floats
    answers: Floats
    usual: Floats | None
    neighbours: int
    decline: float

    @property
    def norms(self) -> Floats:
        norms: Floats = (self.rows**2).sum(axis=1, dtype=np.float32)
        return norms

    def predict(self, X: Floats) -> Doubles:
        step = max(AT_ONCE // len(self.rows), 1)
        parts = [self._predict(X[start : start + step]) for start in range(0, len(X), step)]
        return np.concatenate(parts) if parts else np.empty((0, self.answers.shape[1] - 1))

    def _predict(self, X: Floats) -> Doubles:
        at = self.grid.apply(X)
        gaps = at @ (-2 * self.rows.T) + self.norms  # squared distances, less a number that is the row's own
        nearest = _smallest(gaps, self.neighbours)
        squared = np.take_along_axis(gaps, nearest, axis=1).astype(np.float64) + (at**2).sum(axis=1, keepdims=True)
        farthest = np.maximum(squared[:, -1:], 1.0)
        weights = 1.0 - self.decline * squared / farthest
        said: Doubles = (weights[:, :, None] * self.answers[nearest]).sum(axis=1)
        values, total = said[:, :-1], said[:, -1:]
        result: Doubles = values / total if self.usual is None else (values + self.usual) / (total + 1.0)
        return result / result.sum(axis=1, keepdims=True) if self.usual is not None else result

    def emit(self, graph: Graph, features: str) -> str:
        def number(value: float) -> str:
            return graph.constant(np.array(value, np.float32))

        at = self.grid.emit(graph, features)
        gaps = graph.op("Gemm", at, graph.constant(np.ascontiguousarray(-2 * self.rows.T)), graph.constant(self.norms))
        nearest, places = graph.ops(
            "TopK", gaps, graph.constant(np.array([self.neighbours], np.int64)), outputs=2, axis=1, largest=0
        )
        squared = graph.op("Add", nearest, graph.op("ReduceSumSquare", at, graph.constant(np.array([1], np.int64))))
        last = graph.constant(np.array([self.neighbours - 1], np.int64))
        farthest = graph.op("Max", graph.op("Gather", squared, last, axis=1), number(1.0))
        lost = graph.op("Mul", graph.op("Div", squared, farthest), number(self.decline))
        weights = graph.op("Unsqueeze", graph.op("Sub", number(1.0), lost), graph.constant(np.array([1], np.int64)))
        said = graph.op("MatMul", weights, graph.op("Gather", graph.constant(self.answers), places, axis=0))
        said = graph.op("Squeeze", said, graph.constant(np.array([1], np.int64)))
        width = self.answers.shape[1]
        values = graph.columns(said, range(width - 1), width)
        total = graph.columns(said, [width - 1], width)
        if self.usual is None:
            return graph.op("Div", values, total)
        return graph.op("Div", graph.op("Add", values, graph.constant(self.usual)), graph.op("Add", total, number(1.0)))


def _smallest(gaps: Floats, count: int) -> Ints:
    """Places of the `count` smallest in each row, smallest first; of equals the first, as ONNX has it.

    Examples
    --------
    >>> _smallest(np.float32([[3, 1, 2, 1]]), 3).tolist()
    [[1, 3, 2]]
    """
    keys = gaps.astype(np.float64) * gaps.shape[1] + np.arange(gaps.shape[1])
    some = np.argpartition(keys, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(keys, some, axis=1), axis=1)
    found: Ints = np.take_along_axis(some, order, axis=1)
    return found
