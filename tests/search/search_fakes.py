"""Learners that misbehave on purpose, and a quick one that does not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted, algorithms
from artificer.graph import Graph


class Line(Fitted):
    """Least squares on the features; a logistic squash of it for classes."""

    def __init__(self, w: np.ndarray, n_classes: int) -> None:
        self.w, self.n_classes = w, n_classes

    def predict(self, X: Any) -> Any:
        z = np.nan_to_num(X) @ self.w[:-1] + self.w[-1]
        if self.n_classes == 1:
            return z[:, None]
        p = 1 / (1 + np.exp(-4 * (z - 0.5)))
        return np.column_stack([1 - p, p])

    def emit(self, graph: Graph, features: str) -> str:
        z = graph.op("MatMul", features, graph.constant(self.w[:-1, None].astype(np.float32)))
        z = graph.op("Add", z, graph.constant(self.w[-1:].astype(np.float32)))
        if self.n_classes == 1:
            return z
        z = graph.op("Mul", graph.op("Sub", z, graph.constant(np.float32([0.5]))), graph.constant(np.float32([4.0])))
        p = graph.op("Sigmoid", z)
        return graph.concat([graph.op("Sub", graph.constant(np.float32([1.0])), p), p])


class Plain(Algorithm):
    """Least squares with ridge; `blur` spoils the target so that candidates differ in quality."""

    name = "fake_plain"
    tags = AlgorithmTags(family="fake", representation="linear")
    defaults: ClassVar[dict[str, Any]] = {"blur": 0.0, "cost": 0.01}

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        rng = np.random.default_rng(context.seed)
        A = np.column_stack([np.nan_to_num(X).astype(np.float64), np.ones(len(X))])
        target = y + self.params["blur"] * rng.normal(size=len(y))
        w = np.linalg.solve(A.T @ A + 1e-3 * np.eye(A.shape[1]), A.T @ target)
        return Line(w, context.n_classes)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        return float(self.params["cost"])


class Ticking(Plain):
    """Moves the test's own clock forward by what it costs."""

    name = "fake_ticking"
    defaults: ClassVar[dict[str, Any]] = {"blur": 0.0, "cost": 0.01, "takes": 1.0}

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        context.deadline.clock.advance(self.params["takes"])  # type: ignore[attr-defined]
        return super().fit(X, y, context)


class Tunable(Plain):
    """The less blur, the better; a tuner may find that out."""

    name = "fake_tunable"
    defaults: ClassVar[dict[str, Any]] = {"blur": 1.5, "cost": 0.01, "idle": 1}
    space: ClassVar[dict[str, Dimension]] = {"blur": Dimension(0.01, 5.0, log=True), "idle": Dimension(choices=(1, 2))}


class Raising(Plain):
    name = "fake_raising"
    defaults: ClassVar[dict[str, Any]] = {"blur": 0.0, "cost": 0.01, "only_whole": False}

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        if self.params["only_whole"] and validation is not None:
            return super().fit(X, y, context)
        raise RuntimeError("the matrix is\nsingular")


class Interrupting(Plain):
    name = "fake_interrupting"

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        raise KeyboardInterrupt


class InterruptedWhole(Plain):
    """Meets Ctrl-C whenever it is fitted on all rows; `times` is how often that was."""

    name = "fake_interrupted_whole"
    times: ClassVar[int] = 0

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        if validation is None:
            InterruptedWhole.times += 1
            raise KeyboardInterrupt
        return super().fit(X, y, context)


class Hanging(Plain):
    name = "fake_hanging"

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        while True:
            time.sleep(0.05)


class Dying(Plain):
    name = "fake_dying"

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        os.write(2, b"terminate called without an active exception\n")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Eating(Plain):
    name = "fake_eating"

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        eaten = []
        while True:
            eaten.append(np.ones(2_000_000))
            time.sleep(0.01)


class Infinite(Plain):
    name = "fake_infinite"

    def fit(self, X: Any, y: Any, context: FitContext, validation: Any = None, weight: Any = None) -> Fitted:
        return Line(np.full(X.shape[1] + 1, np.nan), context.n_classes)


FAKES = (Plain, Ticking, Tunable, Raising, Interrupting, InterruptedWhole, Hanging, Dying, Eating, Infinite)


def register() -> None:
    algorithms().update({fake.name: fake for fake in FAKES})


@contextmanager
def registered() -> Iterator[None]:
    register()
    try:
        yield
    finally:
        for fake in FAKES:
            algorithms().pop(fake.name, None)
