"""Gaussian processes for small tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.linear import Frame
from artificer.algorithms.links import ABSENT, emit_link, link
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params, Task

MOST_ROWS = 1_000
"""Time grows with the cube of the rows; of more than this a seeded sample is taken."""

LENGTH_SPREAD = 1.0
NOISE = (0.1, 1.5)
SIGNAL = (1.0, 1.0)
"""Priors of the logarithms: standard deviation of a length, median and standard deviation of the two variances."""

BOUNDS = ((-6.0, 4.0), (-4.0, 4.0))
"""Of the logarithms of noise and signal variance."""

LENGTHS = (-2.5, 8.0)

LINK_PENALTY = 1e-3


class GaussianProcess(Algorithm):
    """Gaussian process regression with a length scale for each feature; classes by regression on their indicators.

    The kernel is Matérn's with smoothness 5/2, or the squared exponential. Length scales, signal and noise are the
    most probable ones under log-normal priors, by L-BFGS on the marginal likelihood; all classes share them. The
    prior of a length grows with the root of the number of features, without which many features overfit. Scores of
    classes become probabilities by a logistic regression on the leave-one-out predictions, which have a closed form.

    The optimiser stops between two steps when the deadline passes. Of more than 1,000 rows a seeded sample is fitted.

    Parameters
    ----------
    kernel : "matern" or "rbf".
    steps : most iterations of L-BFGS.

    References
    ----------
    Rasmussen, Williams: Gaussian Processes for Machine Learning, sections 5.4.1, 5.4.2 and 6.5. MIT Press, 2006.
    Hvarfner, Hellsten, Nardi: Vanilla Bayesian optimization performs great in high dimensions. ICML, 2024.

    Examples
    --------
    >>> X = np.linspace(-2, 2, 60, dtype=np.float32)[:, None]
    >>> fitted = GaussianProcess().fit(X, np.sin(2 * X[:, 0]).astype(float), FitContext(Task.REGRESSION, 1))
    >>> round(float(fitted.predict(np.float32([[0.5]]))[0, 0]), 2), round(float(np.sin(1.0)), 2)
    (0.84, 0.84)
    """

    name = "gaussian_process"
    tags = AlgorithmTags(family="kernel", representation="linear")
    defaults: ClassVar[Params] = {"kernel": "matern", "steps": 60}
    space: ClassVar = {"kernel": Dimension(choices=("matern", "rbf"))}
    max_rows: ClassVar[int | None] = MOST_ROWS

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
        from threadpoolctl import threadpool_limits

        weight = np.ones(len(y)) if weight is None else weight
        kept = np.flatnonzero(weight > 0)
        if len(kept) > MOST_ROWS:
            kept = np.sort(np.random.default_rng(context.seed).choice(kept, MOST_ROWS, replace=False))
        X, y, weight = X[kept], y[kept], weight[kept] / weight[kept].mean()
        if (constant := fallback(X, y, context, weight)) is not None:
            return constant
        frame = Frame.of(X, weight)
        A = frame.apply(X)
        Y, present = _targets(y, context)
        means = weight @ Y / weight.sum()
        spread = np.sqrt(np.maximum(weight @ (Y - means) ** 2 / weight.sum(), 1e-12))
        problem = Problem(KERNELS[self.params["kernel"]], A, (Y - means) / spread, 1.0 / weight)
        with threadpool_limits(1, user_api="blas"):  # a second thread costs matrices of this size more than it saves
            theta, complete = _most_probable(problem, int(self.params["steps"]), context)
            coefficients, left_out = problem.solve(theta)
        lengths, signal = np.exp(theta[: A.shape[1]]), float(np.exp(theta[-2]))
        if context.task.is_classification:
            slope, intercept = _link(left_out, np.searchsorted(present, y), weight)
        else:
            slope, intercept = spread, means
        outputs = np.zeros((len(A), context.n_classes if context.task is Task.MULTICLASS else 1))
        bias = np.full(outputs.shape[1], ABSENT)
        columns = present if context.task is Task.MULTICLASS else np.zeros(1, np.int64)
        outputs[:, columns], bias[columns] = signal * coefficients * slope, intercept
        return FittedKernel(frame, 1.0 / lengths, A / lengths, outputs, bias, problem.kernel, context.task, complete)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        n = min(rows, MOST_ROWS)
        once = 5e-4 + 8e-11 * n**3 + 3e-8 * n**2 + 3e-10 * n**2 * features
        return 0.02 + 0.4 * float(self.params["steps"]) * once


def _targets(y: Doubles, context: FitContext) -> tuple[Doubles, Ints]:
    """What is regressed on, (n, c), and the classes that have rows; of two classes the second stands for both."""
    if not context.task.is_classification:
        return y[:, None], np.zeros(1, np.int64)
    present = np.unique(y.astype(np.int64))
    wanted = present[1:] if context.task is Task.BINARY else present
    return (y[:, None] == wanted).astype(np.float64), present


@dataclass(frozen=True)
class Kernel:
    """A correlation as a function of the squared scaled distance s.

    Attributes
    ----------
    value : k(s), with k(0) = 1.
    slope : dk/ds.
    emit : the same as k in the graph, from and to a tensor's name.
    """

    value: Callable[[Doubles], Doubles]
    slope: Callable[[Doubles], Doubles]
    emit: Callable[[Graph, str], str]


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, np.float64))


def _emit_rbf(graph: Graph, s: str) -> str:
    return graph.op("Exp", graph.op("Mul", s, _number(graph, -0.5)))


def _emit_matern(graph: Graph, s: str) -> str:
    r = graph.op("Sqrt", graph.op("Mul", s, _number(graph, 5.0)))
    polynomial = graph.op("Add", graph.op("Add", r, _number(graph, 1.0)), graph.op("Mul", s, _number(graph, 5 / 3)))
    return graph.op("Mul", polynomial, graph.op("Exp", graph.op("Neg", r)))


def _matern(s: Doubles) -> Doubles:
    r = np.sqrt(5.0 * s)
    value: Doubles = (1.0 + r + 5 / 3 * s) * np.exp(-r)
    return value


def _matern_slope(s: Doubles) -> Doubles:
    r = np.sqrt(5.0 * s)
    slope: Doubles = -5 / 6 * (1.0 + r) * np.exp(-r)
    return slope


KERNELS = {
    "matern": Kernel(_matern, _matern_slope, _emit_matern),
    "rbf": Kernel(lambda s: np.exp(-0.5 * s), lambda s: -0.5 * np.exp(-0.5 * s), _emit_rbf),
}


def _squared_distances(A: Doubles, B: Doubles) -> Doubles:
    s: Doubles = (A**2).sum(axis=1)[:, None] - 2.0 * (A @ B.T) + (B**2).sum(axis=1)
    return np.maximum(s, 0.0)


@dataclass(frozen=True)
class Problem:
    """The posterior of theta: p log lengths, log signal variance, log noise variance.

    Attributes
    ----------
    A : (n, p) features; Y : (n, c) targets of mean 0 and variance 1, each one a process of its own.
    noise : (n,) how many times the noise variance a row has.
    """

    kernel: Kernel
    A: Doubles
    Y: Doubles
    noise: Doubles

    @property
    def prior(self) -> tuple[Doubles, Doubles]:
        """Mean and standard deviation of theta."""
        p = self.A.shape[1]
        mean = np.append(np.full(p, 0.5 + 0.5 * np.log(p)), np.log([SIGNAL[0], NOISE[0]]))
        return mean, np.append(np.full(p, LENGTH_SPREAD), [SIGNAL[1], NOISE[1]])

    def loss(self, theta: Doubles) -> tuple[float, Doubles]:
        """Negative log posterior over the number of targets, and its gradient."""
        from scipy.linalg import cho_solve, cholesky
        from scipy.linalg.lapack import dpotri

        p, c = self.A.shape[1], self.Y.shape[1]
        B, signal, noise = self.A / np.exp(theta[:p]), np.exp(theta[p]), np.exp(theta[p + 1])
        s = _squared_distances(B, B)
        K = signal * self.kernel.value(s)
        C = K.copy()
        np.fill_diagonal(C, C.diagonal() + noise * self.noise)
        L = cholesky(C, lower=True, overwrite_a=True, check_finite=False)
        alpha = cho_solve((L, True), self.Y, check_finite=False)
        total = 0.5 * float((self.Y * alpha).sum()) / c + float(np.log(L.diagonal()).sum())
        inverse = dpotri(L, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        # d total / dC, which is symmetric
        D = 0.5 * (inverse - alpha @ alpha.T / c)
        W = D * (signal * self.kernel.slope(s))
        # ds_ab / d log length_j = -2 (B_aj - B_bj)^2
        lengths = -4.0 * (W.sum(axis=1) @ B**2 - (B * (W @ B)).sum(axis=0))
        gradient = np.append(lengths, [float((D * K).sum()), noise * float(D.diagonal() @ self.noise)])
        mean, deviation = self.prior
        off = (theta - mean) / deviation
        return total + 0.5 * float(off @ off), gradient + off / deviation

    def solve(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        """Coefficients (n, c) of the kernel's columns over the signal, and leave-one-out predictions (n, c)."""
        from scipy.linalg import cho_factor, cho_solve

        p = self.A.shape[1]
        B = self.A / np.exp(theta[:p])
        C = np.exp(theta[p]) * self.kernel.value(_squared_distances(B, B))
        np.fill_diagonal(C, C.diagonal() + np.exp(theta[p + 1]) * self.noise)
        inverse = cho_solve(cho_factor(C, lower=True, check_finite=False), np.eye(len(C)), check_finite=False)
        alpha = inverse @ self.Y
        return alpha, self.Y - alpha / inverse.diagonal()[:, None]


def _most_probable(problem: Problem, steps: int, context: FitContext) -> tuple[Doubles, bool]:
    from scipy.optimize import minimize

    late = context.deadline.remaining <= 0

    def stop(intermediate_result: Any) -> None:
        nonlocal late
        if context.deadline.remaining <= 0:
            late = True
            raise StopIteration

    theta = problem.prior[0]
    if late:
        return theta, False
    bounds = [LENGTHS] * problem.A.shape[1] + [BOUNDS[1], BOUNDS[0]]
    found = minimize(
        problem.loss,
        theta,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=stop,
        options={"maxiter": steps, "ftol": 1e-6},
    )
    return np.asarray(found.x, np.float64), not late


def _link(scores: Doubles, codes: Ints, weight: Doubles) -> tuple[Doubles, Doubles]:
    """Common slope and intercepts of a logistic regression on scores (n, c), one column for two classes."""
    from scipy.optimize import minimize

    binary = scores.shape[1] == 1
    onehot = np.eye(scores.shape[1] + binary)[codes]
    share = weight / weight.sum()

    def loss(theta: Doubles) -> tuple[float, Doubles]:
        raw = np.exp(theta[0]) * scores + theta[1:]
        probability = link(raw, Task.BINARY if binary else Task.MULTICLASS)
        slope = share[:, None] * (probability - onehot)[:, binary:]
        total = -float(share @ np.log(np.maximum((probability * onehot).sum(axis=1), 1e-300)))
        steep = float((slope * scores).sum()) * np.exp(theta[0])
        penalty = LINK_PENALTY * theta
        return total + 0.5 * float(penalty @ theta), np.append(steep, slope.sum(axis=0)) + penalty

    start = np.append(1.0, np.zeros(scores.shape[1]))
    bounds = [(-3.0, 4.0)] + [(-10.0, 10.0)] * scores.shape[1]
    theta = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.full(scores.shape[1], np.exp(theta[0])), theta[1:]


@dataclass(frozen=True)
class FittedKernel(Fitted):
    """``link(kernel(|x scale - rows|^2) @ outputs + bias)``, in doubles: large coefficients of both signs cancel.

    Attributes
    ----------
    scale : (p,) inverse lengths; rows : (n, p) training rows, divided by the lengths.
    outputs : (n, t) coefficients; bias : (t,).
    """

    frame: Frame
    scale: Doubles
    rows: Doubles
    outputs: Doubles
    bias: Doubles
    kernel: Kernel
    task: Task
    complete: bool

    def predict(self, X: Floats) -> Doubles:
        s = _squared_distances(self.frame.apply(X) * self.scale, self.rows)
        raw: Doubles = self.kernel.value(s) @ self.outputs + self.bias
        return link(raw, self.task)

    def emit(self, graph: Graph, features: str) -> str:
        inputs = graph.cast(self.frame.emit(graph, features), "float64")
        at = graph.op("Mul", inputs, graph.constant(self.scale))
        own = graph.op("ReduceSumSquare", at, graph.constant(np.array([1], np.int64)))
        product = graph.op("MatMul", at, graph.constant(np.ascontiguousarray(-2.0 * self.rows.T)))
        s = graph.op("Add", graph.op("Add", product, graph.constant((self.rows**2).sum(axis=1))), own)
        values = self.kernel.emit(graph, graph.op("Max", s, _number(graph, 0.0)))
        raw = graph.op("Add", graph.op("MatMul", values, graph.constant(self.outputs)), graph.constant(self.bias))
        return emit_link(graph, graph.cast(raw, "float32"), self.task)
