"""The contract suite itself: each way of breaking the contract is found."""

import sys
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted, algorithms
from artificer.algorithms.constant import Constant, FittedConstant
from artificer.algorithms.trees import constant_rows
from artificer.testing import algorithms as suite
from artificer.types import Task


@dataclass(frozen=True)
class Skewed(FittedConstant):
    def emit(self, graph, features):
        return constant_rows(graph, features, self.row + 1e-3)


class WrongGraph(Constant):
    name = "wrong_graph"

    def fit(self, X, y, context, validation=None, weight=None):
        return Skewed(super().fit(X, y, context).row)


class NotProbabilities(Constant):
    name = "not_probabilities"

    def fit(self, X, y, context, validation=None, weight=None):
        return FittedConstant(super().fit(X, y, context).row * 1.1)


class Restless(Constant):
    name = "restless"
    calls = 0

    def fit(self, X, y, context, validation=None, weight=None):
        type(self).calls += 1
        return FittedConstant(np.full(context.n_classes, 1 / (context.n_classes + self.calls)))


class Talkative(Constant):
    name = "talkative"

    def fit(self, X, y, context, validation=None, weight=None):
        print("fitting", file=sys.__stderr__, flush=True)
        return super().fit(X, y, context)


class Worried(Constant):
    name = "worried"

    def fit(self, X, y, context, validation=None, weight=None):
        warnings.warn("did not converge", stacklevel=1)
        return super().fit(X, y, context)


class DeafToWeights(Constant):
    name = "deaf_to_weights"

    def fit(self, X, y, context, validation=None, weight=None):
        return super().fit(X, y, context)


class Meddling(Constant):
    name = "meddling"

    def fit(self, X, y, context, validation=None, weight=None):
        X[0, 0] = 0.0
        return super().fit(X, y, context)


class LearnsNothing(Constant):
    name = "learns_nothing"
    tags = AlgorithmTags(family="other", representation="none", missing_values=True)


class StrangePortfolio(Constant):
    name = "strange_portfolio"
    space: ClassVar = {"prior_rows": Dimension(0.0, 5.0)}
    portfolio: ClassVar = ({"prior_rows": 6.0},)


BROKEN = [
    (WrongGraph, suite.check_parity),
    (NotProbabilities, suite.check_parity),
    (Restless, suite.check_determinism),
    (Talkative, suite.check_quiet),
    (Worried, suite.check_quiet),
    (DeafToWeights, suite.check_weights),
    (Meddling, suite.check_inputs_untouched),
    (LearnsNothing, suite.check_learns),
    (StrangePortfolio, suite.check_declarations),
]


@pytest.mark.parametrize(("algorithm", "check"), BROKEN, ids=lambda value: value.__name__)
def test_a_broken_algorithm_is_found(algorithm, check):
    check(Constant)
    with pytest.raises((AssertionError, ValueError)):
        check(algorithm)


def test_a_wrong_threshold_is_found():
    """Parity holds on the training rows, and breaks only beside a threshold."""
    lightgbm = algorithms()["lightgbm"]
    context = FitContext(Task.BINARY, 2)
    X, y = suite.table(lightgbm, context)
    fitted = suite.quick(lightgbm).fit(X, y, context)

    class Shifted(Fitted):
        def predict(self, X):
            return fitted.predict(X)

        def emit(self, graph, features):
            name = fitted.emit(graph, features)
            for node in graph.nodes:
                for attribute in node.attribute:
                    if attribute.name == "nodes_values":
                        values = np.array(attribute.floats, np.float32)
                        attribute.floats[:] = np.nextafter(values, np.float32(np.inf)).tolist()
            return name

    with pytest.raises(AssertionError):
        suite.same(Shifted(), X, context, lightgbm)


def test_every_learner_is_discovered():
    known = {"constant", "ridge", "logistic", "random_forest", "extra_trees", "lightgbm", "catboost", "xgboost"}
    known |= {"elastic_net", "glm", "naive_bayes", "decision_tree"}
    assert known <= set(algorithms())
    assert all(issubclass(a, Algorithm) for a in algorithms().values())
