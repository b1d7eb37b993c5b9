"""Logistic regression for two and more classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.linear import FittedLinear, Frame
from artificer.algorithms.links import ABSENT
from artificer.types import Doubles, Floats, Ints, Params, Task

MAX_CELLS = 40_000_000
"""More than this, in doubles, and a random part of the rows is fitted: a linear model has long learnt by then."""


class Logistic(Algorithm):
    """Multinomial logistic regression with a squared penalty, by L-BFGS.

    The optimiser stops between two iterations when the deadline passes, and keeps the coefficients it has.

    Parameters
    ----------
    C : inverse strength of the penalty, against the sum of the rows' losses.
    max_iter : most iterations of L-BFGS.

    References
    ----------
    Liu, Nocedal: On the limited memory BFGS method for large scale optimization. Mathematical Programming 45, 1989.

    Examples
    --------
    >>> X = np.float32([[-2], [-1], [1], [2]])
    >>> fitted = Logistic().fit(X, np.array([0.0, 0.0, 1.0, 1.0]), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[1.5]])).round(2)
    array([[0.18, 0.82]])
    """

    name = "logistic"
    tags = AlgorithmTags(family="linear", representation="linear", tasks=frozenset({Task.BINARY, Task.MULTICLASS}))
    defaults: ClassVar[Params] = {"C": 1.0, "max_iter": 200}
    space: ClassVar = {"C": Dimension(1e-4, 1e3, log=True)}
    portfolio: ClassVar = ({}, {"C": 0.02})

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
        present, codes = np.unique(y.astype(np.int64), return_inverse=True)
        frame = Frame.of(X, weight)
        share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
        binary = context.task is Task.BINARY and len(present) == 2
        columns = 1 if binary else len(present)
        loss = log_loss(frame.apply(X), codes, share, columns, 1 / (self.params["C"] * len(y)))
        theta, complete = minimise(loss, np.zeros((X.shape[1] + 1) * columns), self.params["max_iter"], context)
        theta = theta.reshape(-1, columns)
        return fitted_classes(frame, theta, present, context, complete)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        columns = 1 if n_classes == 2 else n_classes
        return 0.005 + 25 * rows * (8e-10 * features * columns + 2e-8 * columns)


def part_of(
    X: Floats, y: Doubles, weight: Doubles | None, cells: int, seed: int
) -> tuple[Floats, Doubles, Doubles | None]:
    """All rows, or so many random ones that they have at most `cells` numbers; ten thousand rows at least."""
    most = max(cells // X.shape[1], 10_000)
    if len(y) <= most:
        return X, y, weight
    rows = np.sort(np.random.default_rng(seed).choice(len(y), most, replace=False))
    return X[rows], y[rows], None if weight is None else weight[rows]


def fitted_classes(
    frame: Frame, theta: Doubles, present: Ints, context: FitContext, complete: bool = True
) -> FittedLinear:
    """The model of theta (p + 1, columns), intercepts first: a column for each class of `present`, or one for two."""
    if theta.shape[1] == 1:
        return FittedLinear(frame, theta[1:].astype(np.float32), theta[0].astype(np.float32), context.task, complete)
    coefficients = np.zeros((theta.shape[0] - 1, context.n_classes), np.float32)
    intercept = np.full(context.n_classes, ABSENT, np.float32)
    coefficients[:, present], intercept[present] = theta[1:], theta[0]
    return FittedLinear(frame, coefficients, intercept, context.task, complete)


def log_loss(A: Doubles, codes: Ints, share: Doubles, columns: int, penalty: float) -> Callable[[Doubles], Any]:
    """Mean loss and gradient of theta (p + 1, columns), intercept first, over A (n, p)."""
    if columns == 1:
        sign = np.where(codes == 1, 1.0, -1.0)
    else:
        onehot = np.zeros((len(codes), columns))
        onehot[np.arange(len(codes)), codes] = 1.0

    def value(flat: Doubles) -> tuple[float, Doubles]:
        theta = flat.reshape(-1, columns)
        raw = A @ theta[1:] + theta[0]
        if columns == 1:
            margin = sign * raw[:, 0]
            total = float(share @ np.logaddexp(0.0, -margin))
            slope = (-share * sign * np.exp(-np.logaddexp(0.0, margin)))[:, None]
        else:
            raw -= raw.max(axis=1, keepdims=True)
            exponent = np.exp(raw)
            sums = exponent.sum(axis=1, keepdims=True)
            total = float(share @ (np.log(sums[:, 0]) - raw[np.arange(len(codes)), codes]))
            slope = share[:, None] * (exponent / sums - onehot)
        gradient = np.empty_like(theta)
        gradient[0] = slope.sum(axis=0)
        gradient[1:] = A.T @ slope + penalty * theta[1:]
        return total + 0.5 * penalty * float((theta[1:] ** 2).sum()), gradient.ravel()

    return value


def minimise(
    loss: Callable[[Doubles], Any], start: Doubles, max_iter: int, context: FitContext, bounds: Any = None
) -> tuple[Doubles, bool]:
    """Minimise a function that returns value and gradient, by L-BFGS; False where the deadline cut it short."""
    from scipy.optimize import minimize

    late = False

    def stop(intermediate_result: Any) -> None:
        nonlocal late
        if context.deadline.remaining <= 0:
            late = True
            raise StopIteration

    options = {"maxiter": max_iter, "gtol": 1e-6, "ftol": 1e-10}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=stop, options=options)
    return np.asarray(found.x, np.float64), not late
