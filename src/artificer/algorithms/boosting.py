"""What the boosting algorithms share: when to stop, and how raw scores become predictions."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from artificer.algorithms.base import ALL_TASKS, AlgorithmTags, Dimension, Fitted
from artificer.algorithms.links import emit_link, link
from artificer.algorithms.trees import Trees
from artificer.clock import Deadline
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Params, Task

TAGS = AlgorithmTags(
    family="boosting",
    tasks=ALL_TASKS | {Task.QUANTILE},
    representation="trees",
    missing_values=True,
    early_stopping=True,
    monotone_constraints=True,
)

ROUNDS: Params = {"rounds": 300, "max_rounds": 2000, "patience": 50}
"""``rounds`` without validation rows; with them at most ``max_rounds``, until ``patience`` rounds brought no gain."""

MOST_LEAF_VALUES = 1_000_000
"""Many classes times many rounds make graphs of hundreds of megabytes; this many leaf values are 15 to 40."""

TWO_CORES = 0.6
"""Wall time on two cores against the processor time of one, about."""

LEARNING_RATE = Dimension(0.01, 0.3, log=True)


@dataclass
class Stopper:
    """Decides after each round whether there is another one.

    Examples
    --------
    >>> from artificer.clock import ManualClock
    >>> stopper = Stopper(limit=100, patience=2, deadline=Deadline(ManualClock()))
    >>> [stopper.goes_on(loss) for loss in (0.9, 0.5, 0.6, 0.7)]
    [True, True, True, False]
    >>> stopper.best
    2
    """

    limit: int
    patience: int
    deadline: Deadline
    rounds: int = 0
    best: int = 0
    """Rounds to keep."""
    complete: bool = True
    _least: float = field(default=math.inf, repr=False)

    def goes_on(self, loss: float | None) -> bool:
        """Take note of one more round; `loss` on the validation rows, ``None`` without any."""
        self.rounds += 1
        if loss is None:
            self.best = self.rounds
        elif loss < self._least or self.best == 0:
            self._least, self.best = loss, self.rounds
        if self.rounds >= self.limit or (loss is not None and self.rounds - self.best >= self.patience):
            return False
        self.complete = self.deadline.remaining > 0
        return self.complete

    @classmethod
    def of(cls, params: Params, validated: bool, values: int, deadline: Deadline) -> Stopper:
        return cls(most_rounds(params, validated, values), int(params["patience"]), deadline)


def most_rounds(params: Params, validated: bool, values: int) -> int:
    """Rounds that a fit may take, when each adds up to `values` leaf values.

    Examples
    --------
    >>> most_rounds(ROUNDS, True, values=31), most_rounds(ROUNDS, True, values=64 * 32)
    (2000, 488)
    """
    limit = int(params["max_rounds" if validated else "rounds"])
    return max(min(limit, MOST_LEAF_VALUES // values), 1)


class FittedTrees(Fitted):
    """A sum of trees behind a link."""

    task: Task
    n_classes: int

    @abstractmethod
    def raw(self, X: Floats) -> Doubles:
        """Scores (n, t) by the learner's own library."""

    @abstractmethod
    def trees(self) -> Trees:
        """The same as plain arrays."""

    def predict(self, X: Floats) -> Doubles:
        return link(self.raw(X), self.task) if len(X) else np.empty((0, self.n_classes))

    def emit(self, graph: Graph, features: str) -> str:
        return emit_link(graph, self.trees().emit(graph, features), self.task, self.n_classes)
