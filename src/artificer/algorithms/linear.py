"""What the linear algorithms share: centred, clipped features times coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artificer.algorithms.base import Fitted
from artificer.algorithms.links import emit_link, link
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Task


@dataclass(frozen=True)
class Frame:
    """Where the training rows lay.

    A row may leave the range of the training rows by one more such range and is held there: a straight line followed
    to 1e38 answers nothing, and overflows float32.
    """

    low: Floats
    high: Floats
    centre: Floats

    @classmethod
    def of(cls, X: Floats, weight: Doubles | None, room: float = 1.0) -> Frame:
        """The frame of training rows; a row may leave their range by so many more of it as `room` says."""
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        room, most = room * (high - low), float(np.finfo(np.float32).max) / 4
        centre = np.average(X, axis=0, weights=weight)
        return cls(
            np.clip(low - room, -most, most).astype(np.float32),
            np.clip(high + room, -most, most).astype(np.float32),
            np.clip(centre, -most, most).astype(np.float32),
        )

    def apply(self, X: Floats) -> Doubles:
        return np.clip(X, self.low, self.high).astype(np.float64) - self.centre

    def emit(self, graph: Graph, features: str) -> str:
        clipped = graph.op("Max", graph.op("Min", features, graph.constant(self.high)), graph.constant(self.low))
        return graph.op("Sub", clipped, graph.constant(self.centre))


@dataclass(frozen=True)
class FittedLinear(Fitted):
    """``link(clip(x) @ coefficients + intercept)``; float32 numbers, so that the graph holds the same ones."""

    frame: Frame
    coefficients: Floats
    intercept: Floats
    task: Task
    complete: bool = True
    rounds: int | None = None

    def predict(self, X: Floats) -> Doubles:
        raw: Doubles = self.frame.apply(X) @ self.coefficients.astype(np.float64) + self.intercept
        return link(raw, self.task)

    def emit(self, graph: Graph, features: str) -> str:
        centred = self.frame.emit(graph, features)
        raw = graph.op("Gemm", centred, graph.constant(self.coefficients), graph.constant(self.intercept))
        return emit_link(graph, raw, self.task)
