"""Quantiles: in order, and at their levels."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from artificer.algorithms.base import FitContext, algorithms
from artificer.algorithms.constant import quantiles
from artificer.algorithms.links import ascending, link
from artificer.graph import Graph
from artificer.types import Task

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.mark.parametrize("columns", [1, 2, 5, 9])
def test_rows_are_sorted_in_the_graph_too(columns: int) -> None:
    rows = np.random.default_rng(columns).normal(size=(200, columns)).astype(np.float32)
    rows[::7] = rows[::7].round()
    graph = Graph()
    graph.output("y", ascending(graph, graph.input("x", "float32", columns), columns), "float32", columns)
    session = onnxruntime.InferenceSession(graph.fragment().model, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": rows})[0], link(rows.astype(np.float64), Task.QUANTILE))


def test_quantiles_of_weighted_rows_are_those_of_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    y, times = rng.normal(size=101), rng.integers(0, 5, 101)
    weighted = quantiles(y, times.astype(float), LEVELS)
    plain = quantiles(np.repeat(y, times), np.ones(times.sum()), LEVELS)
    np.testing.assert_array_equal(weighted, plain)
    np.testing.assert_array_equal(plain, np.quantile(np.repeat(y, times), LEVELS, method="inverted_cdf"))


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
def test_the_share_below_a_quantile_is_its_level(name: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (6000, 2)).astype(np.float32)
    y = X[:, 0] + (0.2 + np.abs(X[:, 1])) * rng.normal(size=6000)
    context = FitContext(Task.QUANTILE, len(LEVELS), levels=LEVELS)
    found = algorithms()[name](rounds=60, learning_rate=0.1).fit(X[:3000], y[:3000], context).predict(X[3000:])
    below = (y[3000:, None] <= found).mean(axis=0)
    assert np.abs(below - LEVELS).max() < 0.06
    width = found[:, -1] - found[:, 0]
    noisy = np.abs(X[3000:, 1]) > 0.7
    assert width[noisy].mean() > 1.5 * width[~noisy].mean()
