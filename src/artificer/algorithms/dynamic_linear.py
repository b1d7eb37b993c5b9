"""A linear model that goes on learning and forgets: recursive least squares, and its likeness for classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted, Incremental
from artificer.algorithms.linear import FittedLinear, Frame
from artificer.algorithms.links import link, score_columns
from artificer.types import Doubles, Floats, Params, Task

CHUNK = 50
"""Rows of one step: fewer cost more, more make the step staler."""
FLAT = 0.02
"""Least curvature of a row: where a model is sure, a step would otherwise have no bound."""


class DynamicLinear(Algorithm, Incremental):
    """Linear and logistic regression by Newton steps over chunks of rows, in which older rows count less and less [1]_
    [2]_. What the rows said is kept as one p x p matrix for each score, so that a step weighs every direction by how
    much is known of it; several classes are treated apart in the curvature, together in the gradient.

    Parameters
    ----------
    memory : after so many rows a row counts 1/e.
    ridge : how many rows the starting point is worth, in every direction.

    References
    ----------
    .. [1] Haykin: Adaptive Filter Theory, 2002, chapter 9 (recursive least squares with exponential weighting).
    .. [2] McCormick, Raftery, Madigan, Burd: Dynamic logistic regression and dynamic model averaging for binary
       classification. Biometrics 68(1), 2012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2)).astype(np.float32)
    >>> learner, context = DynamicLinear(memory=100.0), FitContext(Task.REGRESSION, 1)
    >>> state = learner.begin(X, context)
    >>> state = learner.learn(state, X, X[:, 0].astype(float), context)
    >>> state = learner.learn(state, X, -X[:, 0].astype(float), context)  # the world turned round
    >>> bool(learner.model(state, context).predict(np.float32([[1, 0]]))[0, 0] < -0.9)
    True
    """

    name: ClassVar[str] = "dynamic_linear"
    tags: ClassVar[AlgorithmTags] = AlgorithmTags("linear", "linear", incremental=True)
    defaults: ClassVar[Params] = {"memory": 2_000.0, "ridge": 2.0}
    space: ClassVar[dict[str, Dimension]] = {"memory": Dimension(200.0, 50_000.0, log=True)}

    def suits(self, y: Doubles) -> bool:
        """Portfolios hold learners of whole tables; this one is for what comes after them."""
        return False

    def fit(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        validation: tuple[Floats, Doubles] | None = None,
        weight: Doubles | None = None,
    ) -> Fitted:
        state = self.learn(self.begin(X, context), X, y, context, weight)
        return self.model(state, context)

    def begin(self, X: Floats, context: FitContext, start: Doubles | None = None) -> dict[str, Any]:
        """A model that knows nothing but where the rows lie, and the coefficients (p + 1, t) to start from."""
        frame = Frame.of(X, None)
        columns, size = score_columns(context.task, context.n_classes), X.shape[1] + 1
        theta = np.zeros((size, columns))
        if start is not None:
            theta = start.astype(np.float64)
            theta[0] += frame.centre.astype(np.float64) @ theta[1:]
        known = np.repeat(np.eye(size)[None] * float(self.params["ridge"]), columns, axis=0)
        return {"low": frame.low, "high": frame.high, "centre": frame.centre, "theta": theta, "known": known}

    def learn(
        self, state: dict[str, Any], X: Floats, y: Doubles, context: FitContext, weight: Doubles | None = None
    ) -> dict[str, Any]:
        """The state after more rows, in their order; the given one is left as it is."""
        A = np.column_stack([np.ones(len(X)), _frame(state).apply(X)])
        step = _Step(context.task, float(self.params["memory"]), float(self.params["ridge"]))
        theta, known = state["theta"], state["known"]
        for begin in range(0, len(X), CHUNK):
            part = slice(begin, begin + CHUNK)
            theta, known = step.take(theta, known, A[part], y[part], None if weight is None else weight[part])
        return {**state, "theta": theta, "known": known}

    def model(self, state: dict[str, Any], context: FitContext) -> Fitted:
        """What the state would answer now."""
        theta = state["theta"].astype(np.float32)
        return FittedLinear(_frame(state), theta[1:], theta[0], context.task)


def _frame(state: dict[str, Any]) -> Frame:
    return Frame(state["low"], state["high"], state["centre"])


@dataclass(frozen=True, slots=True)
class _Step:
    """One Newton step on a chunk of rows."""

    task: Task
    memory: float
    ridge: float

    def take(
        self, theta: Doubles, known: Doubles, A: Doubles, y: Doubles, weight: Doubles | None
    ) -> tuple[Doubles, Doubles]:
        w = np.ones(len(A)) if weight is None else weight
        kept = float(np.exp(-len(A) / self.memory))
        residual, curvature = self._row_terms(A @ theta, y)
        theta, known = theta.copy(), known.copy()
        for t in range(theta.shape[1]):
            fresh = A.T @ (A * (w * curvature[:, t])[:, None])
            # Forgetting must not leave a direction without any curvature: the ridge comes back as rows go.
            known[t] = kept * known[t] + fresh + (1 - kept) * self.ridge * np.eye(len(theta))
            theta[:, t] += np.linalg.solve(known[t], A.T @ (w * residual[:, t]))
        return theta, known

    def _row_terms(self, raw: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
        """By how much each score of each row was off, and how sharply that changes with it."""
        if self.task is Task.REGRESSION:
            return y[:, None] - raw, np.ones_like(raw)
        shares = link(raw, self.task)
        codes = np.eye(shares.shape[1])[y.astype(np.int64)]
        if self.task is Task.BINARY:
            shares, codes = shares[:, 1:], codes[:, 1:]
        return codes - shares, np.maximum(shares * (1 - shares), FLAT)
