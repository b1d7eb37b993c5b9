"""What the neural networks share: how inputs come in, layers of several members at once, training by epochs.

k members, n rows, p features, d columns into and h columns out of a layer, t raw scores.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from artificer.algorithms.base import AlgorithmTags, FitContext, Fitted
from artificer.algorithms.boosting import Stopper
from artificer.algorithms.links import ABSENT, emit_link, link
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params, Task

TAGS = AlgorithmTags(family="neural", representation="linear", early_stopping=True)

MOST_CELLS = 4_000_000
"""Rows are predicted in pieces that put at most this many numbers into one layer."""

ONE, THIRD = np.array([1], np.float32), np.array([1 / 3], np.float32)

FAR = 1e15
"""Larger values are cut to this: their squares stay within float32."""


@dataclass(frozen=True)
class Layer:
    """``((x * before) @ weight) * after + bias`` for (k, n, d) inputs; NumPy arrays, or tensors while training.

    Attributes
    ----------
    weight : (d, h), shared by the members, or (k, d, h), one for each.
    bias : (k, 1, h).
    before, after : (k, 1, d) and (k, 1, h), what sets the members with a shared weight apart; None for 1.
    """

    weight: Any
    bias: Any
    before: Any = None
    after: Any = None


Layers = tuple[Layer, ...]


def positive(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


def forward(x: Any, layers: Layers, activate: Callable[[Any], Any] = positive) -> Any:
    """Raw scores (k, n, t) of (1, n, d) or (k, n, d) inputs."""
    for position, layer in enumerate(layers):
        x = activate(x) if position else x
        x = (x if layer.before is None else x * layer.before) @ layer.weight
        x = (x if layer.after is None else x * layer.after) + layer.bias
    return x


def emit_layers(graph: Graph, x: str, layers: Layers) -> str:
    """Write :func:`forward` into `graph`."""
    for position, layer in enumerate(layers):
        x = graph.op("Relu", x) if position else x
        x = x if layer.before is None else graph.op("Mul", x, graph.constant(layer.before))
        x = graph.op("MatMul", x, graph.constant(layer.weight))
        x = x if layer.after is None else graph.op("Mul", x, graph.constant(layer.after))
        x = graph.op("Add", x, graph.constant(layer.bias))
    return x


class Front(ABC):
    """What turns features (n, p) into the inputs (1, n, d) of the first layer."""

    @abstractmethod
    def apply(self, X: Floats) -> Floats: ...

    @abstractmethod
    def emit(self, graph: Graph, features: str) -> str: ...


@dataclass(frozen=True)
class Squash(Front):
    """Values held within the range of the training rows, and drawn in smoothly: x / sqrt(1 + (x / 3)²).

    Far values stay in order and no longer drown the others; nothing leaves ±3.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart: Better by default: strong pre-tuned MLPs and boosted trees on tabular data.
    NeurIPS, 2024 (smooth clipping after robust scaling).

    Examples
    --------
    >>> squash = Squash.of(np.float32([[-1.0], [100.0]]))
    >>> squash.apply(np.float32([[0.0], [1.0], [1e9]])).round(2).ravel().tolist()
    [0.0, 0.949999988079071, 3.0]
    """

    low: Floats
    high: Floats

    @classmethod
    def of(cls, X: Floats) -> Squash:
        return cls(*(np.clip(bound, -FAR, FAR).astype(np.float32) for bound in (X.min(axis=0), X.max(axis=0))))

    def cut(self, X: Floats) -> Floats:
        """Hold within the range."""
        held: Floats = np.minimum(np.maximum(X, self.low), self.high)
        return held

    def apply(self, X: Floats) -> Floats:
        return draw_in(self.cut(X))[None]

    def emit_cut(self, graph: Graph, features: str) -> str:
        raised = graph.op("Max", features, graph.constant(self.low))
        return graph.op("Min", raised, graph.constant(self.high))

    def emit(self, graph: Graph, features: str) -> str:
        drawn = emit_draw_in(graph, self.emit_cut(graph, features))
        return graph.op("Unsqueeze", drawn, graph.constant(np.array([0], np.int64)))


def draw_in(x: Floats) -> Floats:
    share = x * THIRD
    return np.asarray(x / np.sqrt(share * share + ONE), np.float32)


def emit_draw_in(graph: Graph, x: str) -> str:
    share = graph.op("Mul", x, graph.constant(THIRD))
    square = graph.op("Add", graph.op("Mul", share, share), graph.constant(ONE))
    return graph.op("Div", x, graph.op("Sqrt", square))


@dataclass(frozen=True)
class FittedNet(Fitted):
    """The mean answer of the members."""

    front: Front
    layers: Layers
    task: Task
    n_classes: int
    rounds: int
    complete: bool = True

    def predict(self, X: Floats) -> Doubles:
        if not len(X):
            return np.empty((0, self.n_classes))
        members = len(self.layers[0].bias)
        widest = max(layer.weight.shape[axis] for layer in self.layers for axis in (-2, -1))
        step = max(MOST_CELLS // (members * widest), 1)
        return np.concatenate([self._piece(X[start : start + step]) for start in range(0, len(X), step)])

    def _piece(self, X: Floats) -> Doubles:
        raw = forward(self.front.apply(X), self.layers).astype(np.float64)
        answer: Doubles = link(raw, self.task).mean(axis=0)
        return answer

    def emit(self, graph: Graph, features: str) -> str:
        raw = emit_layers(graph, self.front.emit(graph, features), self.layers)
        return graph.op(
            "ReduceMean", emit_link(graph, raw, self.task), graph.constant(np.array([0], np.int64)), keepdims=0
        )


class Net(ABC):
    """A net in training."""

    @abstractmethod
    def epoch(self, late: Callable[[], bool]) -> bool:
        """Pass over the training rows once; False where `late`, asked between batches, ended it before its end."""

    @abstractmethod
    def weights(self) -> tuple[Front, Layers]:
        """The weights to be judged and kept after an epoch, as arrays of their own."""


@dataclass(frozen=True)
class Answers:
    """The training target as a net wants it.

    Attributes
    ----------
    codes : (n,) the present classes counted from 0, as int64; for regression the values, as float32.
    columns : raw scores of a row that are learnt.
    present : (columns,) which class each of them stands for; empty unless there are several.
    weight : (n,) of mean 1.
    """

    task: Task
    n_classes: int
    codes: Ints | Floats
    columns: int
    present: Ints
    weight: Floats

    @classmethod
    def of(cls, y: Doubles, context: FitContext, weight: Doubles | None) -> Answers:
        share = (np.ones(len(y)) if weight is None else weight / weight.mean()).astype(np.float32)
        none = np.zeros(0, np.int64)
        if context.task is Task.REGRESSION:
            return cls(context.task, 1, y.astype(np.float32), 1, none, share)
        present, codes = np.unique(y.astype(np.int64), return_inverse=True)
        if context.task is Task.BINARY:
            return cls(context.task, 2, codes.astype(np.int64), 1, none, share)
        return cls(context.task, context.n_classes, codes.astype(np.int64), len(present), present, share)

    def whole(self, layers: Layers) -> Layers:
        """Layers that score every class, those that were absent never being the answer."""
        if len(self.present) in (0, self.n_classes):
            return layers
        last = layers[-1]
        weight = np.zeros((*last.weight.shape[:-1], self.n_classes), np.float32)
        bias = np.full((*last.bias.shape[:-1], self.n_classes), ABSENT, np.float32)
        weight[..., self.present], bias[..., self.present] = last.weight, last.bias
        return (*layers[:-1], replace(last, weight=weight, bias=bias))


def train(
    net: Net,
    answers: Answers,
    params: Params,
    context: FitContext,
    validation: tuple[Floats, Doubles] | None,
) -> FittedNet:
    """Train by epochs until `validation` has not been better for `patience` of them, and keep the best weights."""
    from threadpoolctl import threadpool_limits

    limit = int(params["rounds" if validation is None else "max_rounds"])
    stopper = Stopper(limit, int(params["patience"]), context.deadline)
    best: FittedNet | None = None
    with threadpool_limits(1, user_api="blas"):  # waking another takes NumPy longer than products as small as these
        while True:
            ended = net.epoch(lambda: context.deadline.remaining <= 0)
            front, layers = net.weights()
            latest = FittedNet(front, answers.whole(layers), context.task, context.n_classes, stopper.rounds + 1)
            goes_on = stopper.goes_on(None if validation is None else mean_loss(latest, *validation))
            if best is None or stopper.best == stopper.rounds:
                best = latest
            if not (goes_on and ended):
                return replace(best, complete=stopper.complete and ended)


class AdamW:
    """Steps of a vector of weights, an array or a tensor, and the moving average of where they led.

    The average is over the last tenth of the way, at most some hundred steps: about what a falling step size finds,
    without knowing beforehand where the way ends.

    References
    ----------
    Loshchilov, Hutter: Decoupled weight decay regularization. ICLR, 2019.
    Polyak, Juditsky: Acceleration of stochastic approximation by averaging. SIAM Journal on Control and Optimization
    30, 1992.
    """

    def __init__(self, theta: Any, lr: float, decay: Any) -> None:
        self.theta, self.lr, self.shrink = theta, lr, 1 - lr * decay
        self.mean, self.square, self.average = theta * 0, theta * 0, theta * 1
        self.steps = 0

    def step(self, slope: Any, first: float = 0.9, second: float = 0.999) -> None:
        """Move ``theta``, in place, down the slope."""
        self.steps += 1
        self.mean += (1 - first) * (slope - self.mean)
        self.square += (1 - second) * (slope * slope - self.square)
        size = self.lr * math.sqrt(1 - second**self.steps) / (1 - first**self.steps)
        self.theta *= self.shrink
        self.theta -= size * self.mean / (self.square**0.5 + 1e-8)
        self.average += max(10 / (self.steps + 9), 0.01) * (self.theta - self.average)


def mean_loss(fitted: Fitted, X: Floats, y: Doubles) -> float:
    """Log loss, or the squared error."""
    answer = fitted.predict(X)
    if answer.shape[1] == 1:
        return float(((answer[:, 0] - y) ** 2).mean())
    return float(-np.log(np.maximum(answer[np.arange(len(y)), y.astype(np.int64)], 1e-9)).mean())


def batch_rows(rows: int) -> int:
    """Rows of one step: a power of two that makes some 64 to 128 steps an epoch, from 32 to 1024.

    Examples
    --------
    >>> [batch_rows(rows) for rows in (10, 2_000, 10_000, 50_000, 1_000_000)]
    [32, 32, 128, 512, 1024]
    """
    return min(max(1 << (max(rows // 64, 1).bit_length() - 1), 32), 1024)
