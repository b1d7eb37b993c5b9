"""Generalised linear models with a log link, for counts, amounts and what is often zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.constant import Constant, fallback
from artificer.algorithms.linear import Frame
from artificer.algorithms.logistic import MAX_CELLS, minimise, part_of
from artificer.errors import TargetError
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Params, Task

FURTHEST = 30.0
"""The logarithm of an answer, over the mean, stays within this while fitting, where a step may go too far."""

SMALLEST = -20.0
"""The same for predictions: e^-20 of the mean is zero in float32."""

BEYOND = 2.0
"""No prediction is larger than so many times the largest training target."""

FAINTEST = 1e-7
"""A target that varies less than this, relative to its mean, is one that float32 holds constant."""

ZERO = 1e-9
"""What standardising and undoing it leave of a zero, in spreads of the target, is a zero."""


class Glm(Algorithm):
    """Poisson, Tweedie or gamma regression with a log link and a squared penalty, by L-BFGS.

    Effects multiply: the model of the target in its own unit is ``exp(x @ coefficients + intercept)``. It is fitted to
    the target over its mean, so that the penalty does not depend on the unit, and is right for any target without
    negative values whose mean follows that form.

    Parameters
    ----------
    power : the variance grows with this power of the mean: 1 is Poisson (counts), 2 is gamma (amounts above zero),
        between them Tweedie (amounts that are often zero).
    C : inverse strength of the penalty, against the sum of the rows' losses.
    max_iter : most iterations of L-BFGS.

    References
    ----------
    Nelder, Wedderburn: Generalized linear models. Journal of the Royal Statistical Society A 135(3), 1972.
    Jørgensen: Exponential dispersion models. Journal of the Royal Statistical Society B 49(2), 1987.

    Examples
    --------
    >>> X = np.linspace(0, 2, 100, dtype=np.float32)[:, None]
    >>> fitted = Glm(C=1e6).fit(X, np.exp(X[:, 0].astype(float)), FitContext(Task.REGRESSION, 1))
    >>> fitted.predict(np.float32([[1.0]])).round(2)
    array([[2.72]])
    """

    name = "glm"
    tags = AlgorithmTags(family="linear", representation="linear", tasks=frozenset({Task.REGRESSION}))
    defaults: ClassVar[Params] = {"power": 1.0, "C": 1.0, "max_iter": 200}
    space: ClassVar = {"power": Dimension(choices=(1.0, 1.5, 2.0)), "C": Dimension(1e-4, 1e3, log=True)}

    def suits(self, y: Doubles) -> bool:
        """No value below zero, and none at zero for gamma."""
        least = float(np.min(y, initial=np.inf))
        return least > 0 if self.params["power"] >= 2 else least >= 0

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
        target = y * context.spread + context.center
        target[np.abs(target) < ZERO * context.spread] = 0.0
        power = float(self.params["power"])
        if not self.suits(target):
            bound, instead = ("above", "power 1 or ") if power >= 2 and target.min() == 0 else ("not below", "")
            raise TargetError(
                f"{self.name} with power {power:g} needs a target {bound} zero, and its least value is "
                f"{target.min():g}; use {instead}another algorithm"
            )
        share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
        mean = float(share @ target)
        if mean <= 0:  # every row that counts is zero
            return Constant().fit(X, y, context, weight=weight)
        frame = Frame.of(X, weight)
        z = target / mean
        unit = max(float(np.sqrt(share @ (z - 1) ** 2)), FAINTEST)
        loss = in_units(deviance(frame.apply(X), z, share, power, 1 / (self.params["C"] * len(y))), unit, X.shape[1])
        theta, complete = minimise(loss, np.zeros(X.shape[1] + 1), self.params["max_iter"], context)
        theta *= unit
        return FittedGlm(
            frame,
            theta[1:, None].astype(np.float32),
            theta[:1].astype(np.float32),
            np.float32(np.log(BEYOND * target.max() / mean)),
            np.float32(mean / context.spread),
            np.float32((mean - context.center) / context.spread),
            complete,
        )

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        return 0.005 + 25 * rows * (8e-10 * features + 4e-8)


def in_units(loss: Callable[[Doubles], Any], unit: float, features: int) -> Callable[[Doubles], Any]:
    """The same loss of theta in units of the target's relative spread, 0 at 0: else a faint signal ends the search."""
    zero = loss(np.zeros(features + 1))[0]

    def value(theta: Doubles) -> tuple[float, Doubles]:
        total, gradient = loss(unit * theta)
        return (total - zero) / unit**2, gradient / unit

    return value


def deviance(A: Doubles, z: Doubles, share: Doubles, power: float, penalty: float) -> Callable[[Doubles], Any]:
    """Half the mean Tweedie deviance, up to a constant, and its gradient in theta (p + 1,), intercept first."""

    def value(theta: Doubles) -> tuple[float, Doubles]:
        t = np.clip(A @ theta[1:] + theta[0], -FURTHEST, FURTHEST)
        rising, falling = np.exp((2 - power) * t), np.exp((1 - power) * t)
        total = (t if power == 2 else rising / (2 - power)) - z * (t if power == 1 else falling / (1 - power))
        slope = share * (rising - z * falling)
        gradient = np.concatenate([[slope.sum()], A.T @ slope + penalty * theta[1:]])
        return float(share @ total) + 0.5 * penalty * float(theta[1:] @ theta[1:]), gradient

    return value


@dataclass(frozen=True)
class FittedGlm(Fitted):
    """``mean * exp(t)``, standardised, with t the clipped linear predictor: ``scale * (exp(t) - 1) + shift``.

    float32 loses what tells two large values apart, so that 1 is taken off before it is lost:
    ``exp(t) - 1 = tanh(t / 2) * (exp(t) + 1)``.
    """

    frame: Frame
    coefficients: Floats
    intercept: Floats
    largest: np.float32
    scale: np.float32
    shift: np.float32
    complete: bool = True

    def predict(self, X: Floats) -> Doubles:
        raw = self.frame.apply(X) @ self.coefficients.astype(np.float64) + self.intercept
        t: Doubles = np.clip(raw, SMALLEST, float(self.largest))
        answer: Doubles = float(self.scale) * np.expm1(t) + float(self.shift)
        return answer

    def emit(self, graph: Graph, features: str) -> str:
        def number(value: Any) -> str:
            return graph.constant(np.array([[value]], np.float32))

        centred = self.frame.emit(graph, features)
        raw = graph.op("Gemm", centred, graph.constant(self.coefficients), graph.constant(self.intercept))
        t = graph.op("Max", graph.op("Min", raw, number(self.largest)), number(SMALLEST))
        half = graph.op("Tanh", graph.op("Mul", t, number(0.5)))
        grown = graph.op("Mul", half, graph.op("Add", graph.op("Exp", t), number(1.0)))
        return graph.op("Add", graph.op("Mul", grown, number(self.scale)), number(self.shift))
