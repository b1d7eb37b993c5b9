"""Whether one more good candidate still pays: how often the last ones improved an average of all before them.

A candidate that is no better than the best may be worth its fits all the same, as a member beside it. How much each
brought is seen while the race runs, at the price of two scorings a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from artificer.search.objective import Objective
from artificer.types import Doubles

SHARES = (0.5, 0.25)
"""Weights in the average that a newcomer is tried with."""

FORGETTING = 0.6
"""What a newcomer brought counts this much less with each one after it."""

PRIOR = 1.0
"""Newcomers' worth of belief, each way, before there were any."""


@dataclass
class Blend:
    """An average of out-of-fold scores, which candidates join one by one where they improve it.

    Parameters
    ----------
    objective : scores the average.
    y : one array (n_f,) a fold.
    weights : how much the rows of each fold count, one array (n_f,) or None a fold; None where all count alike.

    Examples
    --------
    >>> import numpy as np
    >>> from artificer.types import Task
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=500)
    >>> blend = Blend(Objective(None, Task.REGRESSION), (y,))
    >>> twins = [y + rng.normal(size=500) for _ in range(2)]
    >>> [blend.join([twin[:, None]], least=0.01) for twin in (*twins, twins[0])]
    [True, True, False]
    >>> round(blend.chance, 2)
    0.41
    """

    objective: Objective
    y: Sequence[Doubles]
    weights: Sequence[Doubles | None] | None = None
    loss: float = float("inf")
    scores: list[Doubles] = field(default_factory=list)
    hits: float = PRIOR
    misses: float = PRIOR

    @property
    def chance(self) -> float:
        """Probability that the next candidate improves the average."""
        return self.hits / (self.hits + self.misses)

    def join(self, scores: Sequence[Doubles], least: float) -> bool:
        """Take a candidate's scores in, one array (n_f, c) a fold, where that gains more than `least`."""
        if not self.scores:
            self.scores, self.loss = list(scores), self.objective.mean(self.y, scores, self.weights)
            return True
        tried = []
        for share in SHARES:
            mixed = [(1 - share) * ours + share * theirs for ours, theirs in zip(self.scores, scores, strict=True)]
            tried.append((self.objective.mean(self.y, mixed, self.weights), mixed))
        loss, mixed = min(tried, key=lambda pair: pair[0])
        gained = loss < self.loss - least
        self.count(gained)
        if gained:
            self.loss, self.scores = loss, mixed
        return gained

    def count(self, gained: bool) -> None:
        """Note what came of a candidate; one that was dropped on the way brought nothing."""
        self.hits = FORGETTING * self.hits + gained
        self.misses = FORGETTING * self.misses + (not gained)


def worth(rows: float, folds: int) -> float:
    """What a member has to gain, in gap units, on so many validation rows a fold: the less there are, the more is luck.

    Examples
    --------
    >>> worth(1000, 5) > worth(10_000, 5) > 0.0005
    True
    """
    return 0.0005 + 0.04 * (0.02 + 0.5 / math.sqrt(max(rows, 1.0))) / math.sqrt(max(folds, 1))
