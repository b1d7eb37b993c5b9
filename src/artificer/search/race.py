"""Which fold of which candidate runs next: search spends by success probability.

References
----------
.. [1] Russo, D. (2020). Simple Bayesian algorithms for best-arm identification. Operations Research 68(6), 1625-1647.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from artificer.clock import derive_seed
from artificer.search.experience import WITHIN
from artificer.search.priors import Prior
from artificer.search.probability import Posterior, posterior, success_probabilities
from artificer.search.records import Candidate
from artificer.search.tasks import FitOutcome
from artificer.types import Doubles

Phase: TypeAlias = Literal["explore", "compare", "complete"]

EPSILON = WITHIN
"""Within reach of the best: this share of the way between the best and the baseline."""

REACH = 0.05
"""A candidate this close may still earn a place in the ensemble."""

HOPELESS = 0.02
"""Candidates whose probability of coming within :data:`REACH` falls below this are dropped."""

ENOUGH = 0.05
"""Search stops when the probability that a further fold finds something better falls below this."""

LEAST_COMPLETE = 3
"""Candidates with all folds that an ensemble wants to choose from before stopping."""

LIKELY_MEMBERS = 4
"""Towards the end of the budget so many of the best candidates get the same number of folds, for the ensemble."""

NEAR = 0.02
"""Candidates that are expected to come this close to the leader count as its equals where models are averaged."""

STRONG = 0.08
"""Candidates that are expected to come so close to the best are strong, whichever is expected to be the very best."""

LUCKY = 1.0
"""A gain over the constant of so many standard deviations, their overlap corrected for, is not taken for luck."""

DRAWS = 2000
CHALLENGE = 0.5
"""How often top-two sampling takes the leader of a draw rather than its challenger."""


@dataclass
class Standing:
    """What is known of one candidate so far."""

    candidate: Candidate
    belief: Prior
    losses: Doubles  # (k,), NaN where not run or not decidable
    outcomes: dict[int, FitOutcome] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    failed: bool = False
    dropped: bool = False
    reason: str = ""

    @property
    def complete(self) -> bool:
        return len(self.outcomes) == len(self.losses)

    @property
    def mean_loss(self) -> float:
        return float(np.nanmean(self.losses)) if np.isfinite(self.losses).any() else float("nan")

    @property
    def seconds(self) -> float:
        return sum(outcome.seconds + outcome.encode_seconds for outcome in self.outcomes.values())

    @property
    def folds_left(self) -> int:
        return len(self.losses) - len(self.outcomes) - len(self.running)

    def next_fold(self) -> int | None:
        """The first fold that has neither run nor been started: folds in order, so that candidates share them."""
        left = [f for f in range(len(self.losses)) if f not in self.outcomes and f not in self.running]
        return left[0] if left else None


class Race:
    """Standings, beliefs about them, and the next step. Knows no clock and starts nothing.

    Parameters
    ----------
    candidates, beliefs : the baseline first.
    valid_rows, train_rows : (k,) sizes of the folds.

    Attributes
    ----------
    adaptive : False runs every fold of every candidate in order, fold by fold, as repeating a recipe wants it.
    bags : the models of folds are the members' parts, so that one with all its folds is worth more than two with some.
    companions : probability that one more candidate with all its folds improves an average of those there are.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        beliefs: Sequence[Prior],
        valid_rows: Sequence[int],
        train_rows: Sequence[int],
        seed: int,
    ) -> None:
        k = len(valid_rows)
        self.standings = [Standing(c, b, np.full(k, np.nan)) for c, b in zip(candidates, beliefs, strict=True)]
        self.valid_rows, self.train_rows = valid_rows, train_rows
        self.seed = seed
        self.steps = 0
        self.adaptive = True
        self.bags = False
        self.companions = 0.0
        self.rng = np.random.default_rng(derive_seed(seed, "race"))
        self.update()

    # What is believed

    def update(self) -> None:
        """Recompute beliefs from the folds seen."""
        losses = np.array([s.losses for s in self.standings])
        beliefs = [s.belief for s in self.standings]
        self.belief: Posterior = posterior(losses, beliefs, self.valid_rows, self.train_rows)
        self.draws = self.belief.draws(DRAWS, derive_seed(self.seed, "draws", self.steps))
        self.steps += 1

    @property
    def active(self) -> np.ndarray:
        return np.array([not s.failed for s in self.standings])

    @property
    def epsilon(self) -> float:
        """The reach in gap units: a hundredth of the gap, but no less than a thousandth of the baseline's loss."""
        if not any(s.outcomes for s in self.standings[1:]):
            return EPSILON  # how large the gap is, is not known yet
        return max(EPSILON, 1e-3 * abs(self.belief.origin) / self.belief.unit)

    def probabilities(self) -> Doubles:
        """Success probability of every candidate (K,).

        Before the first fold it is how often a candidate came within reach on measured tables: a normal belief about
        each does not know that one of them is the best.
        """
        stated = success_probabilities(self.draws, self.epsilon, self.active)
        if not any(s.outcomes for s in self.standings[1:]):
            known = [s.belief.success for s in self.standings]
            stated = np.array([p if q is None else q for p, q in zip(stated, known, strict=True)]) * self.active
        return stated

    @property
    def overlap(self) -> float:
        """Validation rows over training rows: what folds share makes means over them less certain by it."""
        return float(np.mean(self.valid_rows)) / max(float(np.mean(self.train_rows)), 1.0) if self.valid_rows else 0.0

    def base_of(self, i: int) -> Standing | None:
        """What candidate `i` is a variant of, if it is one: the same hyperparameters on the plain representation."""
        own = self.standings[i]
        if own.belief.parent is None:
            return None
        base = self.standings[own.belief.parent]
        return base if base.candidate.representation != own.candidate.representation else None

    def strong(self) -> list[int]:
        """Candidates that are expected to come close to the best; those that failed do not count."""
        gaps = {i: s.belief.gap for i, s in enumerate(self.standings) if i and not s.failed}
        most = max(2 * min(gaps.values(), default=0.0), STRONG)
        return [i for i, gap in gaps.items() if gap <= most]

    def within_reach(self) -> Doubles:
        return success_probabilities(self.draws, max(REACH, self.epsilon), self.active)

    def leader(self) -> int:
        """The candidate with folds that is expected to be best; the baseline while there is no other."""
        ran = [i for i, s in enumerate(self.standings) if s.outcomes and not s.failed]
        return min(ran, key=lambda i: self.belief.mean[i], default=0)

    def search_pays(self) -> float:
        """Probability that a candidate with folds left beats the best of the complete ones by more than epsilon."""
        complete = [i for i, s in enumerate(self.standings) if s.complete and not s.failed]
        open_ = [i for i, s in enumerate(self.standings) if self.may_run(s)]
        if not open_:
            return 0.0
        if not complete:
            return 1.0
        champion = min(complete, key=lambda i: self.belief.mean[i])
        gain = self.draws[:, champion] - self.draws[:, open_].min(axis=1)
        return float((gain > self.epsilon).mean())

    def beats_baseline(self) -> bool:
        """Whether what the leader gains over the constant, fold by fold, is more than luck usually brings."""
        leader = self.leader()
        gains = self.standings[0].losses - self.standings[leader].losses
        gains = gains[np.isfinite(gains)]
        if leader == 0 or len(gains) < 2:
            return leader > 0
        deviation = float(np.sqrt((1 / len(gains) + self.overlap) * gains.var(ddof=1)))
        return float(gains.mean()) > max(LUCKY * deviation, 1e-9 * abs(self.belief.origin))

    # What happened

    def add(self, candidate: Candidate, belief: Prior) -> int:
        """Let another candidate join; its index."""
        self.standings.append(Standing(candidate, belief, np.full(len(self.valid_rows), np.nan)))
        self.update()
        return len(self.standings) - 1

    def begin(self, i: int, fold: int) -> None:
        self.standings[i].running.add(fold)

    def absorb(self, i: int, fold: int, outcome: FitOutcome, loss: float) -> None:
        """Take a fold's result in, and drop what has become hopeless."""
        standing = self.standings[i]
        standing.running.discard(fold)
        standing.outcomes[fold] = outcome
        standing.losses[fold] = loss
        self.update()
        self.drop_hopeless()

    def fail(self, i: int, fold: int, reason: str) -> None:
        standing = self.standings[i]
        standing.running.discard(fold)
        standing.failed, standing.reason = True, reason
        self.update()

    def drop_hopeless(self) -> None:
        """Stop spending on candidates that cannot come within reach any more, once one has gained over the baseline.

        Before that it is not known how much there is to gain, and one unlucky fold would end a candidate for good.
        """
        if not self.adaptive or not any((s.losses < self.standings[0].losses).any() for s in self.standings[1:]):
            return
        for i, p in enumerate(self.within_reach()):
            standing = self.standings[i]
            if i > 0 and p < HOPELESS and self.may_run(standing):
                standing.dropped = True
                ran = len(standing.outcomes)
                after = f"after {ran} of {len(standing.losses)} folds" if ran else "before its first fold"
                standing.reason = f"dropped {after}: the probability that it comes within reach of the best is {p:.1%}"

    # What comes next

    def choose(
        self, cost: Callable[[int], float], affordable: Callable[[int], bool], phase: Phase
    ) -> tuple[int, int] | None:
        """Next candidate and fold, None where nothing is left that pays.

        Parameters
        ----------
        cost : expected seconds of a candidate's next fold.
        affordable : whether that fold may still start.
        phase : ``explore`` gives first folds, ``compare`` also finds out which of the best is best, ``complete`` gives
            the best ones the same folds.
        """
        may = [i for i, s in enumerate(self.standings) if self.may_run(s) and not self.waits(i) and affordable(i)]
        if not self.adaptive:
            return min(
                ((i, self.standings[i].next_fold() or 0) for i in may), key=lambda pick: pick[::-1], default=None
            )
        untried = [i for i in may if not self.standings[i].outcomes and not self.standings[i].running]
        strong = self._first(untried)
        if strong:
            pick = min(strong, key=cost)
        elif untried and phase == "explore":
            chance = self.within_reach()
            pick = max(untried, key=lambda i: (chance[i] + 1e-3) / cost(i) ** 0.5)
        elif may and self._goes_on():
            pick = self._member(may, cost) if phase == "complete" else self._top_two(may)
        else:
            return None
        fold = self.standings[pick].next_fold()
        return None if fold is None else (pick, fold)

    def may_run(self, standing: Standing) -> bool:
        return not standing.failed and not standing.dropped and standing.next_fold() is not None

    def waits(self, i: int) -> bool:
        """Whether a variant lets its base go first: without a fold in common there is nothing to hold it against."""
        base = self.base_of(i)
        return base is not None and not base.failed and self.standings[i].next_fold() not in base.outcomes

    def _goes_on(self) -> bool:
        complete = sum(s.complete and not s.failed for s in self.standings[1:])
        return complete < LEAST_COMPLETE or self.companions >= ENOUGH or self.search_pays() >= ENOUGH

    def _first(self, untried: list[int]) -> list[int]:
        """Candidates of which one goes first, for a good answer at once; none once a strong one has been started."""
        strong = self.strong()
        if any(self.standings[i].outcomes or self.standings[i].running for i in strong):
            return []
        return [i for i in strong if i in untried]

    def likely_members(self, cost: Callable[[int], float]) -> list[int]:
        """Candidates about as good as the leader, those first whose other folds take least; none before any has run."""
        ran = [i for i, s in enumerate(self.standings) if i and s.outcomes and not s.failed]
        best = sorted(ran, key=lambda i: self.belief.mean[i])
        if not self.bags:
            return best[:LIKELY_MEMBERS]
        near = [i for i in best if self.belief.mean[i] <= self.belief.mean[best[0]] + NEAR]
        return sorted(near, key=lambda i: (cost(i) * self.standings[i].folds_left, self.belief.mean[i]))

    def _member(self, may: list[int], cost: Callable[[int], float]) -> int:
        """Of the likely members, the one with fewest folds; the soonest one where folds' models are what is packed."""
        behind = [i for i in self.likely_members(cost) if i in may]
        if not behind:
            return self._top_two(may)
        if self.bags:
            return behind[0]
        return min(behind, key=lambda i: (len(self.standings[i].outcomes), self.belief.mean[i]))

    def _top_two(self, may: list[int]) -> int:
        """Top-two Thompson sampling: the best of one draw, or the best of another draw that disagrees with it.

        Leaders that have all their folds give way to their challenger.
        """
        everyone = np.flatnonzero(self.active)
        runnable = np.zeros(len(self.standings), dtype=bool)
        runnable[may] = True
        order = self.rng.permutation(len(self.draws))
        tops = everyone[np.argmin(self.draws[np.ix_(order, everyone)], axis=1)]
        first = int(tops[0])
        others = tops[tops != first]
        second = int(others[0]) if others.size else first
        pair = [first, second] if self.rng.random() < CHALLENGE else [second, first]
        for pick in pair:
            if runnable[pick]:
                return pick
        open_tops = tops[runnable[tops]]
        if open_tops.size:
            return int(open_tops[0])
        return min(may, key=lambda i: self.belief.mean[i])
