"""From raw scores to probabilities, in NumPy and in the graph."""

from __future__ import annotations

import numpy as np

from artificer.graph import Graph
from artificer.types import Doubles, Task

ABSENT = -1e4
"""Raw score of a class without training rows: its probability is 0 in float32 and in float64."""


def score_columns(task: Task, n_classes: int) -> int:
    """How many raw scores a row has: one log-odds for two classes, one value for regression."""
    return n_classes if task is Task.MULTICLASS else 1


def link(raw: Doubles, task: Task) -> Doubles:
    """Turn raw scores (n, t), or (..., n, t), into what ``Fitted.predict`` returns.

    Examples
    --------
    >>> link(np.array([[0.0]]), Task.BINARY).tolist()
    [[0.5, 0.5]]
    """
    if task is Task.REGRESSION:
        return raw
    if task is Task.BINARY:
        raw = np.concatenate([np.zeros_like(raw), raw], axis=-1)
    exponent = np.exp(raw - raw.max(axis=-1, keepdims=True))
    share: Doubles = exponent / exponent.sum(axis=-1, keepdims=True)
    return share


def emit_link(graph: Graph, raw: str, task: Task) -> str:
    """Write the same into `graph`."""
    if task is Task.REGRESSION:
        return raw
    if task is Task.BINARY:
        return graph.op("Sigmoid", graph.op("Mul", raw, graph.constant(np.array([[-1.0, 1.0]], np.float32))))
    return graph.op("Softmax", raw, axis=-1)
