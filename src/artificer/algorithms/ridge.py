"""Linear regression with a squared penalty."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.linear import FittedLinear, Frame
from artificer.types import Doubles, Floats, Params, Task

ALPHAS = np.logspace(-4, 6, 41)


class Ridge(Algorithm):
    """Ridge regression; one eigendecomposition serves every penalty.

    Parameters
    ----------
    alpha : the penalty on squared coefficients; ``None`` takes the one of least generalised cross-validation error.

    References
    ----------
    Golub, Heath, Wahba: Generalized cross-validation as a method for choosing a good ridge parameter.
    Technometrics 21(2), 1979.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    >>> fitted = Ridge().fit(X, 3.0 * X[:, 0], FitContext(Task.REGRESSION, 1))
    >>> round(float(fitted.predict(np.float32([[0.5]]))[0, 0]), 3)
    1.5
    """

    name = "ridge"
    tags = AlgorithmTags(family="linear", representation="linear", tasks=frozenset({Task.REGRESSION}))
    defaults: ClassVar[Params] = {"alpha": None}

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
        frame = Frame.of(X, weight)
        share = np.ones(len(y)) if weight is None else weight * len(y) / weight.sum()
        mean = float(np.average(y, weights=share))
        # The frame's centre is a float32; what rounding leaves is taken out again by the intercept.
        rest = np.average(frame.apply(X), axis=0, weights=share)
        root = np.sqrt(share)
        A, b = (frame.apply(X) - rest) * root[:, None], (y - mean) * root
        coefficients = _solve(A, b, self.params["alpha"])
        return FittedLinear(
            frame,
            coefficients[:, None].astype(np.float32),
            np.array([mean - float(rest @ coefficients)], np.float32),
            context.task,
        )

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        small, large = sorted((rows, features))
        return 0.002 + 5e-8 * rows * features + 1e-10 * large * small**2 + 2e-10 * small**3


def _solve(A: Doubles, b: Doubles, alpha: float | None) -> Doubles:
    """Coefficients (p,) for centred, weighted A (n, p) and b (n,).

    s, Q: eigenvalues and vectors of the smaller Gram matrix; z: b in the coordinates of the right singular vectors V.
    """
    n, p = A.shape
    if p <= n:
        s, V = np.linalg.eigh(A.T @ A)
        s, V = s[::-1], V[:, ::-1]
    else:
        s, Q = np.linalg.eigh(A @ A.T)
        s, Q = s[::-1], Q[:, ::-1]
        V = A.T @ Q / np.sqrt(np.maximum(s, np.finfo(float).tiny))
    keep = s > max(s[0], 0.0) * max(n, p) * np.finfo(float).eps
    s, V = s[keep], V[:, keep]
    z = V.T @ (A.T @ b)
    if alpha is None:
        shrunk = s[:, None] + ALPHAS
        residual = b @ b - 2 * (z**2 @ (1 / shrunk)) + (s * z**2) @ (1 / shrunk**2)
        freedom = n - 1 - (s[:, None] / shrunk).sum(axis=0)
        error = np.maximum(residual, 0.0) / np.maximum(freedom, 1e-6 * n) ** 2
        alpha = float(ALPHAS[int(np.argmin(error))])
    coefficients: Doubles = V @ (z / (s + alpha))
    return coefficients
