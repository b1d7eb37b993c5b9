"""Linear models that leave features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.linear import FittedLinear, Frame
from artificer.algorithms.logistic import fitted_classes, log_loss, minimise, part_of
from artificer.types import Doubles, Floats, Ints, Params, Task

MAX_CELLS = 10_000_000
"""More than this, in doubles, and a random part of the rows is fitted: a path is many fits."""

STEP = 0.65
"""Each step of the path has this part of the penalty of the step before it."""

MIN_L1 = 1e-3
"""The path begins where an absolute penalty of this share, or more, leaves no feature in."""

Loss = Callable[[Doubles], Any]


class ElasticNet(Algorithm):
    """Linear or logistic regression with an absolute and a squared penalty, along a path of falling penalties.

    The path begins at the least penalty that leaves no feature in. Validation rows say how far down it to go, and a
    refit goes as far; the deadline ends it where it is. Coefficients are the difference of two vectors that are not
    below zero, which makes the absolute penalty smooth, and are found by L-BFGS within these bounds.

    Parameters
    ----------
    l1_ratio : share of the absolute penalty; 1 is the lasso.
    rounds : steps of the path without validation rows.
    max_rounds, patience : with validation rows, steps at most, and how many without gain end the path.
    max_iter : most iterations of L-BFGS in a step; the next step begins where the last one ended.

    References
    ----------
    Zou, Hastie: Regularization and variable selection via the elastic net. Journal of the Royal Statistical Society B
    67(2), 2005.
    Byrd, Lu, Nocedal, Zhu: A limited memory algorithm for bound constrained optimization. SIAM Journal on Scientific
    Computing 16(5), 1995.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    >>> fitted = ElasticNet().fit(X, 2.0 * X[:, 0].astype(float), FitContext(Task.REGRESSION, 1))
    >>> np.abs(fitted.coefficients.ravel()).round(1).tolist()
    [2.0, 0.0, 0.0]
    """

    name = "elastic_net"
    tags = AlgorithmTags(family="linear", representation="linear", early_stopping=True)
    defaults: ClassVar[Params] = {"l1_ratio": 1.0, "rounds": 12, "max_rounds": 20, "patience": 2, "max_iter": 60}
    space: ClassVar = {"l1_ratio": Dimension(0.05, 1.0)}
    portfolio: ClassVar = ({}, {"l1_ratio": 0.5})

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
        X, y, weight = part_of(X, y, weight, MAX_CELLS, context.seed)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):  # threads that wait for each other cost more than they save
            return self._walk(Path.of(X, y, weight, context), validation)

    def _walk(self, path: Path, validation: tuple[Floats, Doubles] | None) -> FittedLinear:
        """Go down the path until it is long enough, validation rows have seen no gain for a while, or time is up."""
        ratio, context = float(self.params["l1_ratio"]), path.context
        penalty = path.largest_slope / max(ratio, MIN_L1)
        theta, best, least, last, complete = path.start, None, np.inf, 0, True
        for step in range(1, int(self.params["rounds" if validation is None else "max_rounds"]) + 1):
            penalty *= STEP
            theta, in_time = path.solve(theta, penalty, ratio, int(self.params["max_iter"]))
            complete = in_time and context.deadline.remaining > 0
            fitted = path.fitted(theta, step)
            loss = -step if validation is None else _loss_of(fitted, *validation, context.task)
            if best is None or loss < least:
                best, least, last = fitted, loss, step
            if not complete or step - last >= self.params["patience"]:
                break
        assert best is not None  # noqa: S101 - there is one step at least
        return replace(best, complete=complete)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        used = min(rows, max(MAX_CELLS // max(features, 1), 10_000))
        if n_classes == 1:
            return 0.02 + 6e-8 * used * features
        columns = 1 if n_classes == 2 else n_classes
        return 0.03 + 150 * used * columns * (8e-10 * features + 3e-8)


@dataclass(frozen=True)
class Path:
    """What the steps share. theta (p + 1, columns) has the intercepts first.

    Attributes
    ----------
    smooth : the mean loss without penalties.
    start : the best intercepts, and no feature.
    present : codes of the classes that had training rows.
    """

    frame: Frame
    smooth: Loss
    start: Doubles
    present: Ints
    context: FitContext

    @classmethod
    def of(cls, X: Floats, y: Doubles, weight: Doubles | None, context: FitContext) -> Path:
        frame = Frame.of(X, weight)
        A = frame.apply(X)
        share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
        if context.task is Task.REGRESSION:
            start = np.zeros((X.shape[1] + 1, 1))
            start[0] = share @ y
            return cls(frame, squared_loss(A, y, share), start, np.zeros(1, np.int64), context)
        present, codes = np.unique(y.astype(np.int64), return_inverse=True)
        level = np.log(np.maximum(np.bincount(codes, share), np.finfo(float).tiny))
        level = level[1:] - level[0] if context.task is Task.BINARY and len(present) == 2 else level - level.mean()
        start = np.zeros((X.shape[1] + 1, len(level)))
        start[0] = level
        return cls(frame, log_loss(A, codes, share, len(level), 0.0), start, present, context)

    @property
    def largest_slope(self) -> float:
        """The absolute penalty from which on no feature is in."""
        gradient = self.smooth(self.start.ravel())[1].reshape(self.start.shape)
        return float(np.abs(gradient[1:]).max())

    def solve(self, theta: Doubles, penalty: float, ratio: float, max_iter: int) -> tuple[Doubles, bool]:
        """The step of one penalty, from the theta of the step before; False where the deadline cut it short."""
        from scipy.optimize import Bounds

        k = theta.shape[1]
        absolute, squared = penalty * ratio, penalty * (1 - ratio)

        def loss(flat: Doubles) -> tuple[float, Doubles]:
            up, down = np.split(flat[k:], 2)
            b = up - down
            value, gradient = self.smooth(np.concatenate([flat[:k], b]))
            slope = gradient[k:] + squared * b
            value += absolute * float(up.sum() + down.sum()) + 0.5 * squared * float(b @ b)
            return value, np.concatenate([gradient[:k], absolute + slope, absolute - slope])

        b = theta[1:].ravel()
        start = np.concatenate([theta[0], np.maximum(b, 0.0), np.maximum(-b, 0.0)])
        low = np.concatenate([np.full(k, -np.inf), np.zeros(2 * len(b))])
        flat, in_time = minimise(loss, start, max_iter, self.context, Bounds(low, np.full(len(low), np.inf)))
        up, down = np.split(flat[k:], 2)
        return np.concatenate([flat[None, :k], (up - down).reshape(-1, k)]), in_time

    def fitted(self, theta: Doubles, step: int) -> FittedLinear:
        if self.context.task.is_classification:
            return replace(fitted_classes(self.frame, theta, self.present, self.context), rounds=step)
        coefficients, intercept = theta[1:].astype(np.float32), theta[0].astype(np.float32)
        return FittedLinear(self.frame, coefficients, intercept, self.context.task, rounds=step)


def squared_loss(A: Doubles, y: Doubles, share: Doubles) -> Loss:
    """Half the mean squared error and its gradient in theta (p + 1,), intercept first."""
    B = np.concatenate([np.ones((len(A), 1)), A], axis=1)
    weighted = B * share[:, None]
    aim, rest = weighted.T @ y, 0.5 * float(share @ y**2)
    if B.shape[1] > len(B):
        return lambda theta: _quadratic(theta, weighted.T @ (B @ theta), aim, rest)
    gram = weighted.T @ B
    return lambda theta: _quadratic(theta, gram @ theta, aim, rest)


def _quadratic(theta: Doubles, image: Doubles, aim: Doubles, rest: float) -> tuple[float, Doubles]:
    return float(theta @ (0.5 * image - aim)) + rest, image - aim


def _loss_of(fitted: FittedLinear, X: Floats, y: Doubles, task: Task) -> float:
    answer = fitted.predict(X)
    if task is Task.REGRESSION:
        return float(np.mean((answer[:, 0] - y) ** 2))
    return float(-np.mean(np.log(np.maximum(answer[np.arange(len(y)), y.astype(np.int64)], 1e-12))))
