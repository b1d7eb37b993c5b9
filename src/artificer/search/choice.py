"""Which candidates the model consists of: chosen within limits, and judged on folds that had no say in the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from artificer.clock import derive_seed
from artificer.search.blend import worth
from artificer.search.ensemble import Ensemble, Library, grow, select
from artificer.search.frontier import Limits, Option, limits_of, spread, together
from artificer.search.run import MAX_MEMBERS, Run
from artificer.search.stacking import Pooling, fitted_weights
from artificer.search.variants import not_paying
from artificer.types import Doubles, Task

POOL = 12
SHARERS = 3
ENOUGH_COMPLETE = 2
"""Where so many candidates have run all folds, those that have not were given up."""

NESTED_ROWS = 6000
"""Rows that choices are made on which only serve to judge the way of choosing."""

NESTED_SHARE = 0.5
"""Judging the choice may take this share of the time left."""


@dataclass(frozen=True)
class Pool:
    """Candidates that share folds, best first, and those folds."""

    indices: tuple[int, ...]
    folds: tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """Members and what is known of them.

    Attributes
    ----------
    weights : by candidate.
    folds, losses : folds, and the loss on each by weights that were chosen on the others; empty where none were.
    options : the alternatives, with their prices.
    pooling : how members are averaged.
    """

    weights: Mapping[int, float]
    limits: Limits
    folds: tuple[int, ...] = ()
    losses: Doubles | None = None
    options: tuple[Option, ...] = ()
    pooling: Pooling = "mean"


def pool_of(run: Run) -> Pool:
    """The best candidates and the folds that the first :data:`SHARERS` share; the baseline is always among them.

    Variants on generated or selected features that were not shown to pay are left out.

    Folds run in order, so fewer folds admit more candidates: to an ensemble a partner with fewer folds is worth more
    than the leader's further folds, unless there are partners that have them all.
    """
    standings, unpaid = run.race.standings, not_paying(run.race)
    ran = [i for i, s in enumerate(standings) if s.outcomes and not s.failed and i not in unpaid]
    best = sorted(ran, key=lambda i: run.race.belief.mean[i])
    complete = [i for i in best if i and standings[i].complete]
    sharers = complete if len(complete) >= ENOUGH_COMPLETE else best[:SHARERS]
    sets = [set(standings[i].outcomes) for i in sharers]
    folds = tuple(sorted(set.intersection(*sets))) if sets else ()
    best = [i for i in best if set(folds) <= set(standings[i].outcomes)][:POOL]
    return Pool(tuple(best if 0 in best else [*best, 0]), folds)


def library_of(run: Run, pool: Pool) -> Library:
    outcomes = [run.race.standings[i].outcomes for i in pool.indices]
    return Library(
        run.objective,
        tuple(run.data.y[run.data.folds[f][1]] for f in pool.folds),
        tuple(np.array([each[f].scores for each in outcomes]) for f in pool.folds),
        tuple(run.data.weight_of(run.data.folds[f][1]) for f in pool.folds),
    )


def limits_for(run: Run, pool: Pool) -> Limits:
    """What the model may cost; where nothing is required, no less than what the best candidate does."""
    best = next((i for i in pool.indices if i), 0)
    return limits_of(run, together(run, [best]))


def choose(run: Run, pool: Pool) -> Choice:
    """Weights of the members, by candidate, within the limits and the time for what is still to be fitted."""
    limits = limits_for(run, pool)
    if not pool.folds or not run.race.beats_baseline():
        return Choice({0: 1.0}, limits)
    started = run.clock.monotonic()
    selection = Selection(run, pool, limits)
    chosen = selection.choose(selection.thinned)
    seconds = run.clock.monotonic() - started
    weights = weights_of(selection.pool, chosen)
    if not has_time(run, weights):
        selection, chosen = in_time(run, selection, chosen)
        weights = weights_of(selection.pool, chosen)
    losses: Doubles | None = None
    pooling: Pooling = "mean"
    if len(pool.folds) > 1 and seconds * len(pool.folds) <= NESTED_SHARE * run.left:
        losses, alone, stacked = selection.judge()
        if len(weights) > 1 and np.nanmean(alone) <= np.nanmean(losses):
            weights, losses = {selection.pool.indices[selection.best_single(selection.thinned)]: 1.0}, alone
        elif len(weights) > 1 and surely_less(stacked, losses, run.race.overlap):
            weights = weights_of(selection.pool, Ensemble(selection.stacked(selection.thinned, chosen), chosen.loss))
            losses, pooling = stacked, selection.pooling
    return Choice(weights, limits, pool.folds, losses, selection.options(weights), pooling)


def in_time(run: Run, selection: Selection, chosen: Ensemble) -> tuple[Selection, Ensemble]:
    """Do without members that there is no time to fit on all rows; the first choice where nothing would be left."""
    first, passed = (selection, chosen), []
    while not has_time(run, weights := weights_of(selection.pool, chosen)):
        # Without the one that costs most for its weight.
        dear = max(to_fit(run, weights), key=lambda i: run.whole_cost(i) / weights[i])
        passed.append(dear)
        left = Pool(tuple(i for i in selection.pool.indices if i != dear), selection.pool.folds)
        selection = Selection(run, left, selection.limits)
        chosen = selection.choose(selection.thinned)
    if set(weights_of(selection.pool, chosen)) == {0}:  # better an older model than none
        return first
    run.notes.extend(
        f"{run.race.standings[i].candidate.name} was passed over: fitting it takes more than is left" for i in passed
    )
    return selection, chosen


def ambiguity(run: Run, pool: Pool, library: Library) -> float:
    """What averaging two candidates of one algorithm gains over the better, median over pairs; 0 where none is seen."""
    algorithms = [run.race.standings[i].candidate.algorithm for i in pool.indices]
    eye, gains = np.eye(len(algorithms)), []
    for a, b in combinations([p for p, i in enumerate(pool.indices) if i], 2):
        if algorithms[a] == algorithms[b]:
            both = library.loss((eye[a] + eye[b]) / 2)
            gains.append(min(library.loss(eye[a]), library.loss(eye[b])) - both)
    return max(float(np.median(gains)), 0.0) if gains else 0.0


def surely_less(losses: Doubles, others: Doubles, overlap: float) -> bool:
    """Whether losses on the same folds are less by more than the standard error, corrected for shared training rows."""
    gain = others - losses
    gain = gain[np.isfinite(gain)]
    if len(gain) < 2:
        return False
    return bool(gain.mean() > np.sqrt((1 / len(gain) + overlap) * gain.var(ddof=1)))


def weights_of(pool: Pool, chosen: Ensemble) -> dict[int, float]:
    return {i: float(w) for i, w in zip(pool.indices, chosen.weights, strict=True) if w > 0}


def to_fit(run: Run, weights: Mapping[int, float]) -> list[int]:
    """Members of which no model exists yet, or in a chain over time only one of older rows."""
    return [i for i in weights if i and (i not in run.ready or is_old(run, i))]


def is_old(run: Run, i: int) -> bool:
    return not run.data.exchangeable and run.ready[i].task.fold is not None


def has_time(run: Run, weights: Mapping[int, float]) -> bool:
    return set(weights) == {0} or sum(map(run.whole_cost, to_fit(run, weights))) <= max(0.9 * run.left, 0.0)


@dataclass(frozen=True)
class Selection:
    """One pool's ways to be made into an ensemble."""

    run: Run
    pool: Pool
    limits: Limits

    @cached_property
    def library(self) -> Library:
        """The pool's scores, stacked; a copy of all of them, so that one is enough."""
        return library_of(self.run, self.pool)

    @cached_property
    def thinned(self) -> Library:
        """The rows of it that choices are made on."""
        return self.library.thinned(self.seed)

    @property
    def seed(self) -> int:
        return derive_seed(self.run.request.seed, "ensemble")

    @property
    def most(self) -> int:
        budget = self.run.request.budget
        if budget.fits is None or self.run.data.exchangeable:
            return MAX_MEMBERS
        return max(1, min(MAX_MEMBERS, budget.fits - self.run.fits))

    def worth(self, library: Library) -> float:
        rows = float(np.mean([len(y) for y in library.y]))
        return worth(rows, len(library.y)) * self.run.race.belief.unit

    def allowed(self, members: frozenset[int]) -> bool:
        """Whether one model of each, at least, is within the limits. The baseline always is."""
        found = [self.pool.indices[place] for place in members]
        return found == [0] or together(self.run, found).within(self.limits.us, self.limits.mb)

    def choose(self, library: Library) -> Ensemble:
        """The best ensemble, or one candidate alone where more of its folds' models in its place promise as much."""
        chosen = select(library, self.worth(library), self.most, self.seed, self.allowed)
        return self.bagged_alone(library, chosen) if self.run.data.exchangeable else chosen

    def bagged_alone(self, library: Library, chosen: Ensemble) -> Ensemble:
        """Weigh what the limits leave room for: many models of one candidate, or fewer of several.

        Out-of-fold scores are those of single models. An average of m models of one candidate loses less, by
        (1 - 1/m) of what an average of endlessly many would gain; two candidates of one kind, whose out-of-fold
        scores can be averaged, show half of that (the ambiguity decomposition, Krogh and Vedelsby 1995).
        """
        gain = 2.0 * ambiguity(self.run, self.pool, library)
        members = [place for place in np.flatnonzero(chosen.weights).tolist() if self.pool.indices[place]]
        if gain <= 0 or not members:
            return chosen
        candidates = [place for place in range(len(self.pool.indices)) if self.pool.indices[place]]
        alone = [place for place in candidates if self.allowed(frozenset([place]))]
        losses = {place: library.loss(self.only(place)) - gain * self.spared([place]) for place in alone}
        best = min(losses, key=lambda place: losses[place])
        spared = self.spared(members, chosen.weights)
        if losses[best] >= chosen.loss - gain * spared:
            return chosen
        return Ensemble(self.only(best), losses[best])

    def only(self, place: int) -> Doubles:
        """Weights that are those of one candidate alone."""
        found: Doubles = np.eye(len(self.pool.indices))[place]
        return found

    def spared(self, members: Sequence[int], weights: Doubles | None = None) -> float:
        """The share of a single model's variance that further models of the members take away, within the limits."""
        indices = [self.pool.indices[place] for place in members]
        share = {self.pool.indices[p]: 1.0 if weights is None else float(weights[p]) for p in members}
        standings = self.run.race.standings
        models = {i: [outcome for outcome in standings[i].outcomes.values() if outcome.has_model] for i in indices}
        parts = spread(self.run, share, models, self.limits)
        return sum(share[i] ** 2 * (1.0 - 1.0 / len(parts[i])) for i in parts)

    def best_single(self, library: Library) -> int:
        """Place of the best candidate alone that is within the limits."""
        places = [place for place in range(len(self.pool.indices)) if self.allowed(frozenset([place]))]
        return min(places, key=lambda place: library.loss(self.only(place)))

    @property
    def pooling(self) -> Pooling:
        """How a linear second level averages."""
        return "logarithmic" if self.run.data.task.is_classification else "mean"

    def stacked(self, library: Library, chosen: Ensemble) -> Doubles:
        """Weights of the chosen members by regression on their scores; quantiles keep the weights they were given."""
        if self.run.data.task is Task.QUANTILE:
            return chosen.weights
        members = np.flatnonzero(chosen.weights)
        scores = np.concatenate([of[members] for of in library.scores], axis=1)
        counts = [of for of in library.weights or () if of is not None]
        found = np.zeros(len(chosen.weights))
        found[members] = fitted_weights(
            self.run.data.task,
            scores,
            np.concatenate(library.y),
            chosen.weights[members],
            np.concatenate(counts) if counts else None,
        )
        return found

    def judge(self) -> tuple[Doubles, Doubles, Doubles]:
        """Loss on each fold of what the other folds would choose: an ensemble, one candidate, a linear second level."""
        library = self.library
        thin = library.thinned(self.seed, NESTED_ROWS)
        folds = range(len(library.y))
        together_, alone, stacked = np.zeros((3, len(folds)))
        for f in folds:
            others = thin.of([g for g in folds if g != f])
            chosen = self.choose(others)
            together_[f] = library.fold_loss(f, chosen.weights)
            stacked[f] = library.fold_loss(f, self.stacked(others, chosen), self.pooling)
            alone[f] = library.fold_loss(f, self.only(self.best_single(others)))
        return together_, alone, stacked

    def options(self, weights: Mapping[int, float]) -> tuple[Option, ...]:
        """The heaviest member alone, the two heaviest and so on, with one model of each and with all their folds'."""
        library = self.thinned
        places = {i: place for place, i in enumerate(self.pool.indices)}
        order = sorted(weights, key=lambda i: (-weights[i], i))
        singles = np.array([library.loss(one) for one in np.eye(len(places))])
        found = []
        for count in range(1, len(order) + 1):
            members = order[:count]
            loss = grow(library, np.array([places[i] for i in members]), singles).loss
            cheap = together(self.run, members)
            names = tuple(self.run.race.standings[i].candidate.name for i in members)
            score = self.run.objective.score(loss)
            found.append(Option(names, count, score, cheap.us, cheap.mb))
            models = {i: sum(o.has_model for o in self.run.race.standings[i].outcomes.values()) for i in members}
            if self.run.data.exchangeable and sum(models.values()) > count:
                dear = together(self.run, members, models)
                found.append(Option(names, sum(models.values()), score, dear.us, dear.mb))
        return tuple(found)
