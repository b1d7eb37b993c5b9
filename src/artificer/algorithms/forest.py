"""What the two forests share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.trees import Trees, from_nodes, round_down
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params, Task

MOST_AT_ONCE = 20
"""Trees between two looks at the clock, when there is plenty of time."""


class Forest(Algorithm):
    """Averaged trees of scikit-learn, grown in batches until the deadline.

    Parameters
    ----------
    max_features : share of the features that a split looks at; 0 for the square root of their number when classifying
        and for a half in regression.
    max_leaves : leaves of a tree at most; together with ``trees`` it bounds the size of the deployed graph.
    """

    tags = AlgorithmTags(family="forest", representation="trees", missing_values=True)
    defaults: ClassVar[Params] = {
        "trees": 150,
        "max_features": 0.0,
        "min_samples_leaf": 1,
        "max_leaves": 1000,
        "criterion": "default",
    }
    space: ClassVar = {
        "max_features": Dimension(0.0, 1.0),
        "min_samples_leaf": Dimension(1, 50, log=True, integer=True),
        "max_leaves": Dimension(50, 2000, log=True, integer=True),
    }
    per_row: ClassVar[float]
    """Seconds for one row in one tree on one feature of those looked at."""

    @abstractmethod
    def estimator(self, settings: Params, task: Task) -> Any:
        """Construct scikit-learn's estimator."""

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
        model = self.estimator(self._settings(context), context.task)
        if context.task.is_classification:
            present, codes = np.unique(y.astype(np.int64), return_inverse=True)
            y = codes.astype(np.float64)
        else:
            present = np.zeros(1, np.int64)
        # scikit-learn refuses read-only arrays with NaN in them, which is how memory maps arrive.
        grown = _grow(
            model,
            np.require(X, requirements=["C", "W"]),
            np.require(y, requirements=["C", "W"]),
            weight,
            self.params["trees"],
            context,
        )
        # Predicting in threads adds up in the order in which they finish.
        model.set_params(n_jobs=1)
        return FittedForest(model, present, context.task, context.n_classes, grown, grown == self.params["trees"])

    def _settings(self, context: FitContext) -> Params:
        auto = "sqrt" if context.task.is_classification else 0.5
        settings: Params = {
            "max_features": self.params["max_features"] or auto,
            "min_samples_leaf": self.params["min_samples_leaf"],
            "max_leaf_nodes": max(int(self.params["max_leaves"]), 2),
            "n_jobs": context.threads,
            "random_state": context.seed,
            "warm_start": True,
        }
        if self.params["criterion"] != "default":
            settings["criterion"] = self.params["criterion"]
        return settings

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        auto = features**0.5 if n_classes > 1 else 0.5 * features
        tried = max(1.0, self.params["max_features"] * features or auto)
        levels = np.log2(min(rows, self.params["max_leaves"]) + 2)
        return 0.1 + 0.6 * float(self.params["trees"] * (2e-3 + self.per_row * rows * tried * levels))


def _grow(model: Any, X: Floats, y: Any, weight: Doubles | None, trees: int, context: FitContext) -> int:
    """Fit in batches that should end in time; at least one tree for each thread. Returns how many there are."""
    started = context.deadline.clock.monotonic()
    grown, batch = 0, min(context.threads, trees)
    while grown < trees and (grown == 0 or batch > 0):
        grown += batch
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn sums X to look for NaN
            model.set_params(n_estimators=grown).fit(X, y, sample_weight=weight)
        each = (context.deadline.clock.monotonic() - started) / grown
        affordable = max(context.deadline.remaining, 0.0) / max(each, 1e-6)
        batch = int(min(MOST_AT_ONCE, trees - grown, affordable))
    return grown


@dataclass(frozen=True)
class FittedForest(Fitted):
    """`present`: codes of the classes that had training rows."""

    model: Any
    present: Ints
    task: Task
    n_classes: int
    rounds: int
    complete: bool

    def predict(self, X: Floats) -> Doubles:
        full, X = np.zeros((len(X), self.n_classes)), np.require(X, requirements=["C", "W"])
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn sums X to look for NaN
            if not len(X):
                return full
            if self.task.is_classification:
                full[:, self.present] = self.model.predict_proba(X)
            else:
                full[:, 0] = self.model.predict(X)
        return full

    def trees(self) -> Trees:
        # Of two classes one is enough: the other is what is left.
        binary = self.task is Task.BINARY and len(self.present) == 2
        targets = np.zeros(1, np.int64) if binary or not self.task.is_classification else self.present
        width = 1 if binary else self.n_classes
        parts = []
        for estimator in self.model.estimators_:
            tree = estimator.tree_
            values = tree.value[:, 0, :]
            if self.task.is_classification:
                values = values / values.sum(axis=1, keepdims=True)
            parts.append(
                from_nodes(
                    tree.feature,
                    round_down(tree.threshold),
                    tree.children_left,
                    tree.children_right,
                    tree.__getstate__()["nodes"]["missing_go_to_left"],
                    (values[:, 1:] if binary else values) / len(self.model.estimators_),
                    targets,
                )
            )
        return Trees(tuple(parts), np.zeros(width))

    def emit(self, graph: Graph, features: str) -> str:
        scores = self.trees().emit(graph, features)
        if self.task is not Task.BINARY:
            return scores
        return graph.concat([graph.op("Sub", graph.constant(np.array([[1.0]], np.float32)), scores), scores])
