"""The functions that are deployed are those of the library, and the clock is obeyed without interrupting it."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.algorithms.base import FitContext
from artificer.algorithms.explainable_boosting import ExplainableBoosting, Term
from artificer.algorithms.trees import Trees
from artificer.clock import Deadline, ManualClock
from artificer.graph import Graph
from artificer.testing.algorithms import contexts, quick, run, table
from artificer.types import Task

pytest.importorskip("interpret")


def test_scores_are_those_of_the_library(monkeypatch):
    models = []
    fit = ExplainableBoosting._boosted

    def kept(self, *args, **settings):
        models.append(fit(self, *args, **settings))
        return models[-1]

    monkeypatch.setattr(ExplainableBoosting, "_boosted", kept)
    for context in contexts(ExplainableBoosting):
        X, y = table(ExplainableBoosting, context)
        fitted = quick(ExplainableBoosting).fit(X, y, context)
        new, _ = table(ExplainableBoosting, context, seed=1)
        model = models[-1]
        assert any(len(term.columns) == 2 for term in fitted.terms)
        theirs = model.predict_proba(new) if context.task.is_classification else model.predict(new)[:, None]
        np.testing.assert_allclose(fitted.predict(new), theirs, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_term_and_its_tree_agree(seed):
    rng = np.random.default_rng(seed)
    cuts = tuple(np.sort(rng.normal(size=n)).astype(np.float32) for n in (7, 4))
    values = rng.normal(size=(9, 6, 2)).astype(np.float32)
    values[4:, :3] = values[4, 0]  # one block of 15 bins
    term = Term((2, 0), cuts, values)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    X[:7, 2], X[7:11, 0] = cuts
    X[rng.random(X.shape) < 0.2] = np.nan
    tree = term.tree(np.arange(2))
    assert len(tree.values) < 50
    graph = Graph()
    scores = Trees((tree,), np.zeros(2), strict=True).emit(graph, graph.input("x", "float32", 3))
    graph.output("scores", scores, "float32", 2)
    np.testing.assert_array_equal(run(graph.model(), X), term.scores(X))


def test_rounds_are_bounded_by_the_time_that_is_left(monkeypatch):
    clock = ManualClock()
    asked = []
    fit = ExplainableBoosting._boosted

    def slow(self, X, y, context, weight, rounds, members=None):
        asked.append(rounds)
        clock.advance(1.0 * rounds * (members or self.params["members"]))  # a second for a round of one member
        return fit(self, X, y, context, weight, rounds, members)

    monkeypatch.setattr(ExplainableBoosting, "_boosted", slow)
    context = FitContext(Task.BINARY, 2, deadline=Deadline(clock, at=63.0))
    X, y = table(ExplainableBoosting, context)
    fitted = ExplainableBoosting(members=2).fit(X, y, context)
    assert not fitted.complete
    assert asked == [3, 21]  # three are timed; 0.7 of the 60 s that are left buy 21 rounds of two members
    assert clock.monotonic() < 63.0


def test_two_of_four_classes():
    context = FitContext(Task.MULTICLASS, 4)
    X, y = table(ExplainableBoosting, context)
    rows = (y == 1) | (y == 3)
    answer = quick(ExplainableBoosting).fit(X[rows], y[rows], context).predict(X[rows])
    assert answer[:, [0, 2]].max() < 1e-9
    assert (answer.argmax(axis=1) == y[rows]).mean() > 0.8
