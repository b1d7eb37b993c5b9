"""Naive Bayes and the single tree: against scikit-learn, and where they depart from it."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from artificer.algorithms.base import FitContext
from artificer.algorithms.decision_tree import DecisionTree
from artificer.algorithms.naive_bayes import NaiveBayes
from artificer.testing.algorithms import same
from artificer.types import Task


def table(classes=2, n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    signal = X[:, 0] + np.abs(X[:, 1]) + 0.5 * rng.normal(size=n)
    y = np.digitize(signal, np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])).astype(float)
    return X, y, rng.uniform(0.2, 3, n)


def context(classes):
    return FitContext(Task.BINARY if classes == 2 else Task.MULTICLASS, classes)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_naive_bayes_agrees_with_sklearn(classes, weighted):
    X, y, weight = table(classes)
    weight = weight if weighted else None
    mine = NaiveBayes(smoothing=1e-9).fit(X, y, context(classes), weight=weight).predict(X)
    theirs = GaussianNB().fit(X.astype(float), y, sample_weight=weight).predict_proba(X.astype(float))
    np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_naive_bayes_holds_a_row_at_the_edge_of_what_was_seen():
    X, y, _ = table()
    fitted = NaiveBayes().fit(X, y, context(2))
    far = np.array([[1e30, 0.0, -1e30]], np.float32)
    edge = np.array([[X[:, 0].max(), 0.0, X[:, 2].min()]], np.float32)
    np.testing.assert_allclose(fitted.predict(far), fitted.predict(edge))


def test_an_indicator_that_a_class_never_shows_does_not_decide_alone():
    X, y, _ = table()
    flag = ((np.arange(len(y)) % 50 == 0) & (y == 1)).astype(np.float32)
    X = np.concatenate([X, flag[:, None]], axis=1)
    answer = NaiveBayes().fit(X, y, context(2)).predict(X)
    assert answer[flag == 1, 0].min() > 0
    same(NaiveBayes().fit(X, y, context(2)), X, context(2), NaiveBayes)


def test_a_tree_has_few_leaves_and_is_never_certain():
    X, y, _ = table()
    fitted = DecisionTree(max_leaves=6).fit(X, y, context(2))
    answers = fitted.predict(X)
    assert len(np.unique(answers[:, 0])) <= 6
    assert (answers > 0).all()
    tree = fitted.model.tree_
    leaf = fitted.model.apply(X)
    rows, ones = np.bincount(leaf)[leaf], np.bincount(leaf, y)[leaf]
    assert tree.n_leaves == 6
    np.testing.assert_allclose(answers[:, 1], (ones + 2 * y.mean()) / (rows + 2))


def test_a_tree_learns_a_part_of_a_table_that_is_too_large(monkeypatch):
    X, y, weight = table(n=12_000)
    whole = DecisionTree().fit(X, y, context(2), weight=weight)
    monkeypatch.setattr("artificer.algorithms.decision_tree.MAX_CELLS", 1)
    part = DecisionTree().fit(X, y, context(2), weight=weight)
    assert whole.model.tree_.n_node_samples[0] == 12_000
    assert part.model.tree_.n_node_samples[0] == 10_000
    np.testing.assert_allclose(part.predict(X)[:, 1].mean(), whole.predict(X)[:, 1].mean(), atol=0.05)
