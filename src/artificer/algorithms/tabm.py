"""TabM: many networks in one, on PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.algorithms.constant import fallback
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
    draw_in,
    emit_draw_in,
    forward,
    train,
)
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Params, Task

MOST_INPUTS = 192
"""Columns that are not flags share about so many inputs of the first layer, at most 8 and at least 2 each."""
EMBEDDING = 8
NARROWEST = 1e-3
"""Bins are at least this share of their column's range wide: in narrower ones rounding would be seen."""


class TabM(Algorithm):
    """An ensemble of networks that share most of their weights, behind embeddings of the numbers.

    Member i has scales of its own before and after each shared matrix, and an output of its own; all are trained
    together on the sum of their losses, and their answers are averaged. A column that holds more than two values is
    embedded: its place among the bins of its quantiles, times learnt weights.

    Parameters
    ----------
    members : networks that are averaged.
    width, blocks : size and number of the hidden layers.
    bins : quantile bins of an embedded column.
    dropout : share of hidden values left out at a step.
    lr : step size of AdamW.
    weight_decay : what the shared matrices lose a step, times the step size.
    rounds, max_rounds, patience : epochs without validation rows; with them at most, until so many brought no gain.

    References
    ----------
    Gorishniy, Kotelnikov, Babenko: TabM: Advancing tabular deep learning with parameter-efficient ensembling.
    ICLR, 2025.
    Gorishniy, Rubachev, Babenko: On embeddings for numerical features in tabular deep learning. NeurIPS, 2022
    (piecewise-linear encoding).
    """

    name = "tabm"
    tags = TAGS
    requires = ("torch",)
    install = "artificer[neural]"
    defaults: ClassVar[Params] = {
        "members": 8,
        "width": 128,
        "blocks": 2,
        "bins": 48,
        "dropout": 0.1,
        "lr": 2e-3,
        "weight_decay": 3e-4,
        "rounds": 30,
        "max_rounds": 200,
        "patience": 10,
    }
    space: ClassVar = {
        "width": Dimension(64, 512, log=True, integer=True),
        "blocks": Dimension(1, 4, integer=True),
        "bins": Dimension(2, 128, integer=True),
        "dropout": Dimension(0.0, 0.5),
        "lr": Dimension(1e-4, 5e-3, log=True),
        "weight_decay": Dimension(1e-4, 1e-1, log=True),
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
        front, answers = Bins.of(X, self.params["bins"]), Answers.of(y, context, weight)
        # A second thread is worth waking from some hundred rows a step on.
        with torch_threads(context.threads if batch_rows(len(X)) >= 128 else 1):
            net = Ensemble(X, front, answers, self.params, context.seed)
            return train(net, answers, self.params, context, validation)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        width, members = self.params["width"], self.params["members"]
        inputs = min(features * EMBEDDING, max(MOST_INPUTS, 2 * features))
        weights = members * width * (inputs + (self.params["blocks"] - 1) * width + n_classes)
        return 0.5 + float(self.params["rounds"] * (rows * weights * 1e-10 + rows / batch_rows(rows) * 4e-3))


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use this many threads for a while; the number is the process's, not the caller's."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Bins:
    """The piecewise-linear encoding of the columns that hold more than two values.

    Attributes
    ----------
    squash : the range of all p columns.
    numbers, flags : (q,) and (p - q,) columns that are embedded, and those that are not.
    lower, slope : (q, 1, b) where each bin begins, and one over its width; 0 for bins a column does not have.
    """

    squash: Squash
    numbers: Ints
    flags: Ints
    lower: Floats
    slope: Floats

    @classmethod
    def of(cls, X: Floats, bins: int) -> Bins:
        squash = Squash.of(X)
        edges = [_edges(column, bins) for column in squash.cut(X).T]
        numbers = [j for j, edge in enumerate(edges) if len(edge) > 2]
        if 2 * len(numbers) > MOST_INPUTS:
            numbers = []
        lower, slope = np.zeros((2, len(numbers), 1, bins), np.float32)
        for place, j in enumerate(numbers):
            count = len(edges[j]) - 1
            lower[place, 0, :count], slope[place, 0, :count] = edges[j][:-1], 1 / np.diff(edges[j])
        flags = [j for j in range(X.shape[1]) if j not in set(numbers)]
        return cls(squash, np.array(numbers, np.int64), np.array(flags, np.int64), lower, slope)

    @property
    def width(self) -> int:
        """Inputs that each embedded column becomes."""
        return int(np.clip(MOST_INPUTS // max(len(self.numbers), 1), 2, EMBEDDING))


def _edges(column: Floats, bins: int) -> Floats:
    """Quantiles of a column's distinct places, no two too close."""
    distinct = np.unique(column)
    if len(distinct) < 3:
        return distinct
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1), method="nearest"))
    least = NARROWEST * (edges[-1] - edges[0])
    kept = [edges[0]]
    for edge in edges[1:-1]:
        if min(edge - kept[-1], edges[-1] - edge) >= least:
            kept.append(edge)
    return np.array([*kept, edges[-1]], np.float32)


def embed(columns: Any, drawn: Any, lower: Any, slope: Any, parts: Sequence[Any]) -> Any:
    """Embed (q, n, 1) values, given as they are and drawn in, as (n, q * e); NumPy arrays or tensors."""
    line, weight, bias = parts
    shares = ((columns - lower) * slope).clip(0, 1)
    embedded = (drawn * line + shares @ weight + bias).swapaxes(0, 1)
    return embedded.reshape(len(embedded), -1)


@dataclass(frozen=True)
class Embedded(Front):
    """Numbers through their embeddings, then the flags.

    Attributes
    ----------
    line, weight, bias : (q, 1, e), (q, b, e), (q, 1, e) of the embeddings.
    """

    bins: Bins
    line: Floats
    weight: Floats
    bias: Floats

    def apply(self, X: Floats) -> Floats:
        bins = self.bins
        cut = bins.squash.cut(X)
        drawn = draw_in(cut)
        flags = drawn[:, bins.flags]
        if not len(bins.numbers):
            return flags[None]
        columns, drawn_columns = (block[:, bins.numbers].T[:, :, None] for block in (cut, drawn))
        embedded = embed(columns, drawn_columns, bins.lower, bins.slope, (self.line, self.weight, self.bias))
        return np.concatenate([embedded, flags], axis=1)[None]

    def emit(self, graph: Graph, features: str) -> str:
        bins, width = self.bins, len(self.bins.squash.low)
        cut = bins.squash.emit_cut(graph, features)
        drawn = emit_draw_in(graph, cut)
        parts = [graph.columns(drawn, bins.flags.tolist(), width)] if len(bins.flags) else []
        if len(bins.numbers):
            parts.insert(0, self._emit_embedded(graph, *(self._emit_columns(graph, block) for block in (cut, drawn))))
        return graph.op("Unsqueeze", graph.concat(parts), graph.constant(np.array([0], np.int64)))

    def _emit_columns(self, graph: Graph, block: str) -> str:
        columns = graph.columns(block, self.bins.numbers.tolist(), len(self.bins.squash.low))
        turned = graph.op("Transpose", columns, perm=[1, 0])
        return graph.op("Unsqueeze", turned, graph.constant(np.array([2], np.int64)))

    def _emit_embedded(self, graph: Graph, columns: str, drawn: str) -> str:
        place = graph.op("Sub", columns, graph.constant(self.bins.lower))
        share = graph.op("Mul", place, graph.constant(self.bins.slope))
        share = graph.op(
            "Clip", share, graph.constant(np.array(0, np.float32)), graph.constant(np.array(1, np.float32))
        )
        line = graph.op("Mul", drawn, graph.constant(self.line))
        sloped = graph.op("Add", line, graph.op("MatMul", share, graph.constant(self.weight)))
        embedded = graph.op("Add", sloped, graph.constant(self.bias))
        turned = graph.op("Transpose", embedded, perm=[1, 0, 2])
        shape = np.array([0, self.line.shape[0] * self.line.shape[2]], np.int64)  # 0: as many rows as come in
        return graph.op("Reshape", turned, graph.constant(shape))


class Ensemble(Net):
    """All weights in one tensor, so that a step is a few operations on it.

    PyTorch's own optimisers are not used: importing them takes longer than many a fit.
    """

    def __init__(self, X: Floats, bins: Bins, answers: Answers, params: Params, seed: int) -> None:
        import torch

        self.bins, self.answers, self.dropout = bins, answers, params["dropout"]
        self.rng = np.random.default_rng(seed)
        self.X = torch.from_numpy(bins.squash.cut(X))
        self.codes, self.row_weight = torch.from_numpy(answers.codes), torch.from_numpy(answers.weight)
        self.numbers, self.flags = torch.from_numpy(bins.numbers), torch.from_numpy(bins.flags)
        self.lower, self.slope = torch.from_numpy(bins.lower), torch.from_numpy(bins.slope)
        start = self.start(params)
        self.shapes = [part.shape for part, _ in start]
        self.theta = torch.from_numpy(np.concatenate([part.ravel() for part, _ in start])).requires_grad_()
        decay = np.concatenate([np.full(part.size, shrinks, np.float32) for part, shrinks in start])
        weight_decay = torch.from_numpy(decay * np.float32(params["weight_decay"]))
        self.optimizer = AdamW(self.theta.detach(), params["lr"], weight_decay)

    def start(self, params: Params) -> list[tuple[Floats, bool]]:
        """Weights to begin with, and which of them decay: members differ in their first scales and their outputs."""
        k, width, e, q = params["members"], params["width"], self.bins.width, len(self.bins.numbers)
        f, bins = len(self.bins.flags), self.bins.lower.shape[2]

        def uniform(*shape: int, inputs: int) -> Floats:
            bound = inputs**-0.5
            return self.rng.uniform(-bound, bound, shape).astype(np.float32)

        def ones(*shape: int) -> Floats:
            return np.ones(shape, np.float32)

        parts = [(uniform(q, 1, e, inputs=1), False), (0 * ones(q, bins, e), False), (0 * ones(q, 1, e), False)]
        signs = self.rng.choice(np.array([-1, 1], np.float32), (k, 1, q + f))
        before, inputs = np.repeat(signs, [e] * q + [1] * f, axis=2), q * e + f
        for _ in range(params["blocks"]):
            parts += [(uniform(inputs, width, inputs=inputs), True), (uniform(k, 1, width, inputs=inputs), False)]
            parts += [(before, False), (ones(k, 1, width), False)]
            before, inputs = ones(k, 1, width), width
        t = self.answers.columns
        return [*parts, (uniform(k, inputs, t, inputs=inputs), True), (uniform(k, 1, t, inputs=inputs), False)]

    def parts(self, vector: Any) -> tuple[tuple[Any, ...], Layers]:
        """Views into a vector: the embeddings' weights, and the layers."""
        pieces = vector.split([math.prod(shape) for shape in self.shapes])
        line, weight, bias, *body = (piece.view(shape) for piece, shape in zip(pieces, self.shapes, strict=True))
        layers = [Layer(*body[i : i + 4]) for i in range(0, len(body), 4)]  # the last has no scales
        return (line, weight, bias), tuple(layers)

    def weights(self) -> tuple[Front, Layers]:
        embedding, layers = self.parts(self.optimizer.average.clone())

        def array(tensor: Any) -> Any:
            return None if tensor is None else tensor.numpy()

        arrays = tuple(Layer(*map(array, (part.weight, part.bias, part.before, part.after))) for part in layers)
        return Embedded(self.bins, *map(array, embedding)), arrays

    def epoch(self, late: Callable[[], bool]) -> bool:
        import torch

        rows, size = len(self.X), batch_rows(len(self.X))
        order = torch.from_numpy(self.rng.permutation(rows))
        for start in range(0, rows, size):
            self.step(order[start : start + size])
            if late():
                return start + size >= rows
        return True

    def step(self, rows: Any) -> None:
        self.theta.grad = None
        embedding, layers = self.parts(self.theta)
        raw = forward(self.inputs(self.X[rows], embedding), layers, self.activate)
        (self.losses(raw, self.codes[rows]) * self.row_weight[rows]).mean().backward()
        slope = self.theta.grad
        self.optimizer.step(slope / slope.norm().clamp(min=1.0))

    def inputs(self, cut: Any, embedding: tuple[Any, ...]) -> Any:
        """Do what ``Embedded.apply`` does, on tensors."""
        import torch

        drawn = cut / ((cut / 3) ** 2 + 1).sqrt()
        if not len(self.numbers):
            return drawn[None]
        columns, drawn_columns = (block[:, self.numbers].T[:, :, None] for block in (cut, drawn))
        embedded = embed(columns, drawn_columns, self.lower, self.slope, embedding)
        return torch.cat([embedded, drawn[:, self.flags]], dim=1)[None]

    def activate(self, x: Any) -> Any:
        """Positive parts, some left out; NumPy draws which, in a tenth of PyTorch's time."""
        import torch

        if not self.dropout:
            return x.relu()
        kept = self.rng.random(tuple(x.shape), np.float32) >= self.dropout
        return x.relu() * torch.from_numpy(kept / np.float32(1 - self.dropout))

    def losses(self, raw: Any, codes: Any) -> Any:
        """Losses (k, b) of raw scores (k, b, t)."""
        from torch.nn import functional

        k, b, t = raw.shape
        if self.answers.task is Task.REGRESSION:
            return (raw[..., 0] - codes) ** 2
        if self.answers.task is Task.BINARY:
            target = codes.to(raw.dtype).expand(k, b)
            return functional.binary_cross_entropy_with_logits(raw[..., 0], target, reduction="none")
        return functional.cross_entropy(raw.reshape(-1, t), codes.repeat(k), reduction="none").reshape(k, b)
