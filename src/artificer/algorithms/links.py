"""From raw scores to probabilities, in NumPy and in the graph."""

from __future__ import annotations

import numpy as np

from artificer.graph import Graph
from artificer.types import Doubles, Task

ABSENT = -1e4
"""Raw score of a class without training rows: its probability is 0 in float32 and in float64."""


def score_columns(task: Task, n_classes: int) -> int:
    """How many raw scores a row has: one log-odds for two classes, one value for regression, one for each quantile."""
    return n_classes if task in (Task.MULTICLASS, Task.QUANTILE) else 1


def link(raw: Doubles, task: Task) -> Doubles:
    """Turn raw scores (n, t), or (..., n, t), into what ``Fitted.predict`` returns.

    Examples
    --------
    >>> link(np.array([[0.0]]), Task.BINARY).tolist()
    [[0.5, 0.5]]
    """
    if task is Task.REGRESSION:
        return raw
    if task is Task.QUANTILE:
        return np.sort(raw, axis=-1)
    if task is Task.BINARY:
        raw = np.concatenate([np.zeros_like(raw), raw], axis=-1)
    exponent = np.exp(raw - raw.max(axis=-1, keepdims=True))
    share: Doubles = exponent / exponent.sum(axis=-1, keepdims=True)
    return share


def ascending(graph: Graph, raw: str, columns: int) -> str:
    """Sort each row of (n, columns): quantiles that cross are put in order [1]_, and averages of such rows are too.

    Neighbours are swapped where they stand wrong, as often as it takes: levels are few, and every runtime has Min and
    Max.

    References
    ----------
    .. [1] Chernozhukov, Fernandez-Val, Galichon: Quantile and probability curves without crossing. Econometrica 78(3),
       2010.
    """
    parts = [graph.columns(raw, [j], columns) for j in range(columns)]
    for last in range(columns - 1, 0, -1):
        for j in range(last):
            low, high = graph.op("Min", parts[j], parts[j + 1]), graph.op("Max", parts[j], parts[j + 1])
            parts[j], parts[j + 1] = low, high
    return graph.concat(parts) if columns > 1 else raw


def emit_link(graph: Graph, raw: str, task: Task, columns: int = 1) -> str:
    """Write :func:`link` into `graph`; `columns` is how many scores a row has, which quantiles need to know."""
    if task is Task.REGRESSION:
        return raw
    if task is Task.QUANTILE:
        return ascending(graph, raw, columns)
    if task is Task.BINARY:
        return graph.op("Sigmoid", graph.op("Mul", raw, graph.constant(np.array([[-1.0, 1.0]], np.float32))))
    return graph.op("Softmax", raw, axis=-1)
