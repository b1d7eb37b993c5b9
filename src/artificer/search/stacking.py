"""A linear second level: the members' log-probabilities, or values, weighted by regression instead of greedily.

References
----------
.. [1] Wolpert, D. (1992). Stacked generalization. Neural Networks 5, 241-259.
.. [2] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64 (weights that are not negative).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from artificer.bundle.calibration import SMALLEST_PROBABILITY
from artificer.types import Doubles, Task

Pooling: TypeAlias = Literal["mean", "logarithmic"]
"""How members are averaged: their scores, or their log-probabilities, after which the classes sum to 1 again."""

RIDGE = 1e-3
"""How strongly weights are drawn to those they begin with, per row, in units of the average curvature."""

STEPS = 25


def pooled(scores: Sequence[Doubles] | Doubles, weights: Sequence[float] | Doubles, pooling: Pooling) -> Doubles:
    """Members' (n, c) scores as one, the weights summing to 1.

    Examples
    --------
    >>> sure, torn = np.array([[0.1, 0.9]]), np.array([[0.5, 0.5]])
    >>> pooled([sure, torn], [0.5, 0.5], "mean").round(2).tolist()
    [[0.3, 0.7]]
    >>> pooled([sure, torn], [0.5, 0.5], "logarithmic").round(2).tolist()
    [[0.25, 0.75]]
    """
    if pooling == "mean":
        return np.asarray(np.tensordot(np.asarray(weights), np.asarray(scores), axes=1), dtype=np.float64)
    z = np.tensordot(np.asarray(weights), logs(np.asarray(scores)), axes=1)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Doubles = e / e.sum(axis=1, keepdims=True)
    return shares


def fitted_weights(task: Task, scores: Doubles, y: Doubles, start: Doubles, weight: Doubles | None = None) -> Doubles:
    """Weights (K,) of members, none negative and their sum 1, that fit the target best in log or squared loss.

    Parameters
    ----------
    scores : (K, n, c) out of fold. y : (n,) as in training. start : (K,) what the weights are drawn to.
    weight : (n,) how much each row counts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=2000)
    >>> scores = np.array([y + 0.5 * rng.normal(size=2000), y + rng.normal(size=2000)])[:, :, None]
    >>> fitted_weights(Task.REGRESSION, scores, y, np.array([0.5, 0.5])).round(1).tolist()
    [0.8, 0.2]
    """
    counts = np.ones(len(y)) if weight is None else weight
    open_ = np.ones(len(start), dtype=bool)
    while True:
        found = np.zeros(len(start))
        solve = log_loss_weights if task.is_classification else squared_loss_weights
        found[open_] = solve(scores[open_], y, start[open_], counts / counts.sum())
        if (found[open_] >= 0).all():
            break
        open_ &= found > 0
        if not open_.any():
            return start
    return found / found.sum() if found.sum() > 0 else start


def squared_loss_weights(scores: Doubles, y: Doubles, start: Doubles, share: Doubles) -> Doubles:
    V = scores[:, :, 0]
    A = (V * share) @ V.T
    ridge = RIDGE * np.trace(A) / len(A)
    solved: Doubles = np.linalg.solve(A + ridge * np.eye(len(A)), (V * share) @ y + ridge * start)
    return solved


def log_loss_weights(scores: Doubles, y: Doubles, start: Doubles, share: Doubles) -> Doubles:
    """Newton's method for softmax of the weighted log-probabilities, which is convex in the weights."""
    z = logs(scores)
    own = z[:, np.arange(len(y)), y.astype(np.int64)]
    theta = start.copy()
    for _ in range(STEPS):
        p = np.tensordot(theta, z, axes=1)
        p = np.exp(p - p.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = (p[None] * z).sum(axis=2)
        gradient = (mean - own) @ share
        weighted = p * share[:, None]
        H = np.einsum("inc,jnc,nc->ij", z, z, weighted) - (mean * share) @ mean.T
        ridge = RIDGE * max(np.trace(H) / len(H), 1e-9)
        step = np.linalg.solve(H + ridge * np.eye(len(H)), gradient + ridge * (theta - start))
        theta = theta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    return theta


def logs(scores: Doubles) -> Doubles:
    result: Doubles = np.log(np.maximum(scores, SMALLEST_PROBABILITY))
    return result
