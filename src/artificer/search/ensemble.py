"""Which candidates the model consists of, and how much of each: greedy selection on out-of-fold scores.

References
----------
.. [1] Caruana, R., Niculescu-Mizil, A., Crew, G., Ksikes, A. (2004). Ensemble selection from libraries of models. ICML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from artificer.search.objective import Objective
from artificer.search.stacking import Pooling, pooled
from artificer.types import Doubles

MAX_STEPS = 20
STEP_SHARE = 0.1
"""A step that gains less than this share of what a member has to be worth ends the growing."""

MAX_ROWS = 20_000
"""Selection looks at this many rows at most: more of them change weights by less than a step."""


@dataclass(frozen=True)
class Ensemble:
    """Weights (K,) that sum to 1, and the loss they reach out of fold on the rows selection looked at."""

    weights: Doubles
    loss: float


@dataclass(frozen=True)
class Library:
    """Out-of-fold scores of the candidates that ran the same folds.

    Attributes
    ----------
    y : one array (n_f,) a fold.
    scores : one array (K, n_f, c) a fold.
    weights : how much the rows of each fold count, one array (n_f,) or None a fold; None where all count alike.
    """

    objective: Objective
    y: tuple[Doubles, ...]
    scores: tuple[Doubles, ...]
    weights: tuple[Doubles | None, ...] | None = None

    def loss(self, weights: Doubles) -> float:
        return self.mean([np.tensordot(weights, scores, axes=1) for scores in self.scores])

    def fold_loss(self, fold: int, weights: Doubles, pooling: Pooling = "mean") -> float:
        """Loss of one fold; NaN where its rows cannot decide."""
        of = None if self.weights is None else self.weights[fold]
        return self.objective.loss(self.y[fold], pooled(self.scores[fold], weights, pooling), of)

    def mean(self, scores: Sequence[Doubles]) -> float:
        return self.objective.mean(self.y, scores, self.weights)

    def of(self, folds: Sequence[int]) -> Library:
        """The same with some of the folds only."""
        return Library(
            self.objective,
            tuple(self.y[f] for f in folds),
            tuple(self.scores[f] for f in folds),
            self.weights and tuple(self.weights[f] for f in folds),
        )

    def thinned(self, seed: int, most: int = MAX_ROWS) -> Library:
        """The same with rows sampled down to `most` over all folds."""
        total = sum(len(y) for y in self.y)
        if total <= most:
            return self
        rng = np.random.default_rng(seed)
        kept = [np.sort(rng.choice(len(y), max(1, len(y) * most // total), replace=False)) for y in self.y]
        return Library(
            self.objective,
            tuple(y[rows] for y, rows in zip(self.y, kept, strict=True)),
            tuple(scores[:, rows] for scores, rows in zip(self.scores, kept, strict=True)),
            self.weights and tuple(None if w is None else w[rows] for w, rows in zip(self.weights, kept, strict=True)),
        )


Allowed: TypeAlias = Callable[[frozenset[int]], bool]
"""Whether candidates may be members together."""


def anything(members: frozenset[int]) -> bool:
    return True


def select(library: Library, worth: float, max_members: int, seed: int = 0, allowed: Allowed = anything) -> Ensemble:
    """Choose members and weights.

    Starts with the best single candidate, so the result is never worse than it out of fold. Candidates are then added
    with replacement while the loss falls. A member has to be `worth` its place: it is taken out again when the others
    do as well without it.

    Parameters
    ----------
    worth : least gain in loss that pays for one more member.
    allowed : holds for each candidate that may be a member at all, and for all parts of a set that it holds for.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=200)
    >>> noisy = [y + rng.normal(size=200) for _ in range(3)] + [9 * rng.normal(size=200)]
    >>> from artificer.types import Task
    >>> library = Library(Objective(None, Task.REGRESSION), (y,), (np.array(noisy)[:, :, None],))
    >>> select(library, worth=0.01, max_members=4).weights.round(2).tolist()
    [0.33, 0.33, 0.33, 0.0]
    """
    library = library.thinned(seed)
    count = library.scores[0].shape[0]
    singles = np.array([library.loss(one) for one in np.eye(count)])
    least = STEP_SHARE * worth
    pool = np.array([i for i in range(count) if allowed(frozenset([i]))])
    best = grow(library, pool, singles, least, allowed)
    while (members := np.flatnonzero(best.weights)).size > 1:
        # The member that is missed least, the others' weights as they are, goes if it is missed by less than it costs.
        gone = min(map(int, members), key=lambda m: library.loss(without(best.weights, m)))
        cheapest = grow(library, members[members != gone], singles, least)
        if members.size <= max_members and cheapest.loss - best.loss >= worth:
            break
        best = cheapest
    return best


def without(weights: Doubles, member: int) -> Doubles:
    rest = weights.copy()
    rest[member] = 0.0
    result: Doubles = rest / rest.sum()
    return result


def grow(
    library: Library, pool: np.ndarray, singles: Doubles, least_gain: float = 0.0, allowed: Allowed = anything
) -> Ensemble:
    """Greedy forward selection with replacement from `pool`, from its best single candidate on, while it gains."""
    count = len(singles)
    first = int(pool[np.argmin(singles[pool])])
    counts = np.zeros(count)
    counts[first] = 1.0
    loss = float(singles[first])
    sums = [scores[first].copy() for scores in library.scores]
    for step in range(2, MAX_STEPS + 1):
        members = frozenset(map(int, np.flatnonzero(counts)))
        open_ = [int(i) for i in pool if int(i) in members or allowed(members | {int(i)})]
        tried = [
            library.mean([(s + scores[i]) / step for s, scores in zip(sums, library.scores, strict=True)])
            for i in open_
        ]
        if min(tried) >= loss - least_gain:
            break
        chosen = open_[int(np.argmin(tried))]
        loss = float(min(tried))
        counts[chosen] += 1.0
        sums = [s + scores[chosen] for s, scores in zip(sums, library.scores, strict=True)]
    return Ensemble(counts / counts.sum(), loss)
