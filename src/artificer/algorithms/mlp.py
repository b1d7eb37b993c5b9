"""A few plain neural networks, trained side by side in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
from artificer.algorithms.links import link
from artificer.algorithms.nets import (
    TAGS,
    AdamW,
    Answers,
    Front,
    Layer,
    Layers,
    Net,
    Squash,
    batch_rows,
    forward,
    positive,
    train,
)
from artificer.types import Doubles, Floats, Ints, Params, Task


class MLP(Algorithm):
    """The mean of some perceptrons with two hidden layers, by AdamW.

    They are trained at once, each from a start and with batches of its own: for layers as small as these a loop over
    products of matrices is nothing, and no library has to be loaded. The answer is that of the weights' moving average.

    Parameters
    ----------
    members : networks that are averaged.
    width : of each hidden layer.
    lr : step size of AdamW.
    weight_decay : what the weights lose a step, times the step size.
    rounds, max_rounds, patience : epochs without validation rows; with them at most, until so many brought no gain.

    References
    ----------
    He, Zhang, Ren, Sun: Delving deep into rectifiers. ICCV, 2015 (where the weights start).
    Lakshminarayanan, Pritzel, Blundell: Simple and scalable predictive uncertainty estimation using deep ensembles.
    NeurIPS, 2017.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = MLP(rounds=60).fit(X, (abs(X[:, 0]) > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[-1.0], [0.0], [1.0]])).argmax(axis=1).tolist()
    [1, 0, 1]
    """

    name = "mlp"
    tags = TAGS
    defaults: ClassVar[Params] = {
        "members": 4,
        "width": 128,
        "lr": 1e-3,
        "weight_decay": 1e-2,
        "rounds": 30,
        "max_rounds": 200,
        "patience": 10,
    }
    space: ClassVar = {
        "width": Dimension(32, 512, log=True, integer=True),
        "lr": Dimension(1e-4, 1e-2, log=True),
        "weight_decay": Dimension(1e-4, 1.0, log=True),
    }

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
        front, answers = Squash.of(X), Answers.of(y, context, weight)
        net = Perceptrons(X, front, answers, self.params, np.random.default_rng(context.seed))
        return train(net, answers, self.params, context, validation)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        width, members = self.params["width"], self.params["members"]
        weights = members * width * (features + width + n_classes)
        steps = rows / batch_rows(rows)
        return 0.02 + float(self.params["rounds"] * (rows * weights * 1e-10 + steps * (4e-4 + weights * 7e-9)))


class Perceptrons(Net):
    """Weights of all members in one vector, so that a step of the optimiser is a few operations on it."""

    def __init__(self, X: Floats, front: Squash, answers: Answers, params: Params, rng: np.random.Generator) -> None:
        self.X, self.front, self.answers, self.params, self.rng = front.apply(X)[0], front, answers, params, rng
        k, width = params["members"], params["width"]
        sizes = (X.shape[1], width, width, answers.columns)
        shapes = [shape for d, h in pairwise(sizes) for shape in ((k, d, h), (k, 1, h))]
        self.shapes = shapes
        self.theta = np.zeros(sum(int(np.prod(shape)) for shape in shapes), np.float32)
        decay, self.slope = np.zeros_like(self.theta), np.zeros_like(self.theta)
        for weight, share in zip(self.parts(self.theta)[::2], self.parts(decay)[::2], strict=True):
            weight[:] = rng.normal(scale=np.sqrt(2 / weight.shape[1]), size=weight.shape)
            share[:] = params["weight_decay"]
        self.parts(self.theta)[-2][:] *= 0.1  # begin near the answer 0
        self.optimizer = AdamW(self.theta, params["lr"], decay)

    def parts(self, vector: Floats) -> list[Floats]:
        """Views into a vector: weight and bias of each layer in turn."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes])
        return [piece.reshape(shape) for piece, shape in zip(np.split(vector, ends[:-1]), self.shapes, strict=True)]

    def weights(self) -> tuple[Front, Layers]:
        return self.front, self.layers(self.optimizer.average.copy())

    def layers(self, vector: Floats) -> Layers:
        parts = self.parts(vector)
        return tuple(Layer(weight, bias) for weight, bias in zip(parts[::2], parts[1::2], strict=True))

    def epoch(self, late: Callable[[], bool]) -> bool:
        rows, size = len(self.X), batch_rows(len(self.X))
        order = np.stack([self.rng.permutation(rows) for _ in range(self.params["members"])])
        for start in range(0, rows, size):
            self.step(order[:, start : start + size])
            if late():
                return start + size >= rows
        return True

    def step(self, rows: Ints) -> None:
        """One step on rows (k, b) of each member's own."""
        weights, slopes = self.parts(self.theta)[::2], self.parts(self.slope)
        layers = self.layers(self.theta)
        inputs = [self.X[rows]]
        for layer in layers[:-1]:
            inputs.append(positive(forward(inputs[-1], (layer,))))
        back = self.error(forward(inputs[-1], layers[-1:]), rows)
        for i in reversed(range(len(layers))):
            np.matmul(inputs[i].swapaxes(1, 2), back, out=slopes[2 * i])
            back.sum(axis=1, keepdims=True, out=slopes[2 * i + 1])
            if i:
                back = (back @ weights[i].swapaxes(1, 2)) * (inputs[i] > 0)
        self.optimizer.step(self.slope)

    def error(self, raw: Any, rows: Ints) -> Floats:
        """The loss's slope in the raw scores (k, b, t)."""
        target = self.answers.codes[rows][..., None]
        answer = link(raw, self.answers.task)
        if self.answers.task is Task.MULTICLASS:
            answer -= target == np.arange(self.answers.columns)
        else:
            answer = answer[..., -1:] - target
        error: Floats = (answer * (self.answers.weight[rows] / rows.shape[1])[..., None]).astype(np.float32)
        return error
