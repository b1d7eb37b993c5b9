"""Neighbours are the nearest, the same ones in the graph, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.algorithms import nearest_neighbours
from artificer.algorithms.base import FitContext
from artificer.algorithms.nearest_neighbours import WHOLE, Grid, NearestNeighbours
from artificer.testing.algorithms import emitted, run
from artificer.types import Task

REGRESSION = FitContext(Task.REGRESSION, 1)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_ties_are_broken_alike_in_the_graph(task):
    """Indicators alone: nearly all distances are tied."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (600, 6)).astype(np.float32)
    y = (X.sum(axis=1) + rng.normal(size=600) > 3).astype(float)
    context = FitContext(task, 2 if task is Task.BINARY else 1)
    fitted = NearestNeighbours(neighbours=9).fit(X, y, context, weight=rng.uniform(0.1, 5.0, 600))
    new = rng.integers(0, 2, (300, 6)).astype(np.float32)
    np.testing.assert_allclose(run(emitted(fitted, 6, context.n_classes), new), fitted.predict(new), atol=1e-6)


def test_the_average_is_over_the_nearest():
    rng = np.random.default_rng(1)
    X, new = rng.normal(size=(300, 3)).astype(np.float32), rng.normal(size=(50, 3)).astype(np.float32)
    y = rng.normal(size=300)
    fitted = NearestNeighbours(neighbours=5, decline=0.0).fit(X, y, REGRESSION)
    scaled, asked = fitted.grid.apply(X).astype(float), fitted.grid.apply(new).astype(float)
    near = np.argsort(((asked[:, None] - scaled[None]) ** 2).sum(axis=2), axis=1, kind="stable")[:, :5]
    np.testing.assert_allclose(fitted.predict(new)[:, 0], y[near].mean(axis=1), atol=1e-6)


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_squared_distances_stay_exact(features, seed):
    rng = np.random.default_rng(seed)
    X = rng.choice(np.float32([-1e30, 0.3, 1e30]), (4, features))
    at = Grid.of(rng.normal(size=(4, features)).astype(np.float32), np.ones(4)).apply(X)
    assert 4 * (at.astype(np.float64) ** 2).sum(axis=1).max() <= WHOLE
    assert (at == np.round(at)).all()


def test_rows_of_weight_zero_are_not_neighbours():
    X = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    y = np.where(np.arange(40) < 20, 100.0, 1.0)
    fitted = NearestNeighbours(neighbours=40).fit(X, y, REGRESSION, weight=(y == 1.0).astype(float))
    np.testing.assert_allclose(fitted.predict(X), 1.0)


def test_large_tables_are_sampled(monkeypatch):
    monkeypatch.setattr(nearest_neighbours, "MOST_CELLS", 150)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    one, two = (NearestNeighbours().fit(X, X[:, 0].astype(float), REGRESSION) for _ in range(2))
    assert one.rows.shape == (50, 3)
    np.testing.assert_array_equal(one.rows, two.rows)
