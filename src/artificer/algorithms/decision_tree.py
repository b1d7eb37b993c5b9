"""One tree that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.logistic import part_of
from artificer.algorithms.trees import Trees, from_nodes, round_down
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params, Task

MAX_CELLS = 10_000_000
"""More numbers than this, and a random part of the rows is fitted: few leaves do not need more."""


class DecisionTree(Algorithm):
    """A CART tree of few leaves, the most useful splits first.

    A leaf's probabilities are drawn towards the shares of the classes, for a leaf of few rows is never certain.

    Parameters
    ----------
    max_leaves : leaves at most; about 32 can still be read.
    min_samples_leaf : rows of a leaf at least.
    prior_rows : imagined rows in each leaf, spread over the classes as the training rows are.

    References
    ----------
    Breiman, Friedman, Olshen, Stone: Classification and regression trees. Wadsworth, 1984.
    Provost, Domingos: Tree induction for probability-based ranking. Machine Learning 52, 2003.

    Examples
    --------
    >>> X = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    >>> fitted = DecisionTree().fit(X, np.where(X[:, 0] > 0.5, 1.0, -1.0), FitContext(Task.REGRESSION, 1))
    >>> fitted.predict(np.float32([[0.2], [0.9]])).ravel().tolist()
    [-1.0, 1.0]
    """

    name = "decision_tree"
    tags = AlgorithmTags(family="tree", representation="trees", missing_values=True)
    defaults: ClassVar[Params] = {"max_leaves": 32, "min_samples_leaf": 5, "prior_rows": 2.0}
    space: ClassVar = {
        "max_leaves": Dimension(4, 128, log=True, integer=True),
        "min_samples_leaf": Dimension(1, 100, log=True, integer=True),
    }

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
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        X, y, weight = part_of(X, y, weight, MAX_CELLS, context.seed)
        model = (DecisionTreeClassifier if context.task.is_classification else DecisionTreeRegressor)(
            max_leaf_nodes=max(int(self.params["max_leaves"]), 2),
            min_samples_leaf=int(self.params["min_samples_leaf"]),
            random_state=context.seed,
        )
        # scikit-learn refuses read-only arrays with NaN in them, which is how memory maps arrive.
        X, y = np.require(X, requirements=["C", "W"]), np.require(y, requirements=["C", "W"])
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn sums X to look for NaN
            model.fit(X, y, sample_weight=weight)
        tree = model.tree_
        if not context.task.is_classification:
            return FittedTree(model, tree.value[:, :, 0], np.zeros(1, np.int64), context.task, 1)
        mean_weight = 1.0 if weight is None else float(weight.mean())
        rows = tree.weighted_n_node_samples[:, None] / mean_weight
        shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
        prior = self.params["prior_rows"]
        values = (rows * shares + prior * shares[0]) / (rows + prior)
        return FittedTree(model, values, model.classes_.astype(np.int64), context.task, context.n_classes)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        used = min(rows, max(MAX_CELLS // max(features, 1), 10_000))
        return 0.005 + 1.3e-7 * used * features * float(np.log2(self.params["max_leaves"]))


@dataclass(frozen=True)
class FittedTree(Fitted):
    """`values`: (nodes, k) answer of each node; `present`: (k,) the score columns that they are for."""

    model: Any
    values: Doubles
    present: Ints
    task: Task
    n_classes: int

    def predict(self, X: Floats) -> Doubles:
        full = np.zeros((len(X), self.n_classes))
        if len(X):
            with np.errstate(over="ignore", invalid="ignore"):
                nodes = self.model.apply(np.require(X, requirements=["C", "W"]))
            full[:, self.present] = self.values[nodes]
        return full

    def emit(self, graph: Graph, features: str) -> str:
        # Of two classes one is enough: the other is what is left.
        binary = self.task is Task.BINARY and len(self.present) == 2
        tree = self.model.tree_
        plain = from_nodes(
            tree.feature,
            round_down(tree.threshold),
            tree.children_left,
            tree.children_right,
            tree.__getstate__()["nodes"]["missing_go_to_left"],
            self.values[:, 1:] if binary else self.values,
            np.zeros(1, np.int64) if binary else self.present,
        )
        scores = Trees((plain,), np.zeros(1 if binary else self.n_classes)).emit(graph, features)
        if not binary:
            return scores
        return graph.concat([graph.op("Sub", graph.constant(np.array([[1.0]], np.float32)), scores), scores])
