"""New candidates while the race runs: variations of the hyperparameters of those that lead.

A proposal is a candidate like any other. It runs fold by fold, is dropped when it is hopeless, and may become a member.
What it is expected to be worth follows from what it is a variation of, and from what earlier proposals came to.

References
----------
.. [1] Bergstra, J., Bardenet, R., Bengio, Y., Kégl, B. (2011). Algorithms for hyper-parameter optimization. NeurIPS.
.. [2] Akiba, T., Sano, S., Yanase, T., Ohta, T., Koyama, M. (2019). Optuna: A next-generation hyperparameter
   optimization framework. KDD.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.algorithms.base import Dimension, algorithms
from artificer.clock import derive_seed
from artificer.search.priors import Prior
from artificer.search.race import HOPELESS, Race
from artificer.search.records import Candidate
from artificer.search.variants import not_paying
from artificer.types import Params

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

GAP, SPREAD = 0.01, 0.02
"""How much worse than what it is a variation of a proposal is expected to be, and the standard deviation of that."""

WEIGHT = 3.0
"""Proposals' worth of belief in :data:`GAP` and :data:`SPREAD`."""

FAR = 0.04
"""How bad proposals were that were worse than this says nothing about how good others may be."""

WINDOW = 0.25
"""A proposal lies within this share of each axis's length from what it is a variation of."""

MOST_TIMES_DEARER = 2.0
"""A proposal may be expected to take this many times what the one it is a variation of takes."""

TRIES = 8
PENDING = 2
"""So many proposals that have not run all their folds, and are not dropped, at most."""


class Tuner:
    """Makes the proposals of one race, the same for the same folds seen and the same seed."""

    def __init__(self, race: Race, seed: int) -> None:
        self.race, self.seed = race, seed
        self.made: list[int] = []
        """Proposals, as indices of the race's standings."""

    def is_busy(self) -> bool:
        """Whether enough proposals are still running, or there is nothing to vary."""
        unfinished = [i for i in self.made if self.race.may_run(self.race.standings[i])]
        return len(unfinished) >= PENDING or not self.parents()

    def parents(self) -> list[int]:
        """Of every algorithm with a search space the candidate that is expected to be best, those that may win.

        Variants that were not shown to pay have no place in a model, and neither would variations of them.
        """
        best: dict[str, int] = {}
        mean, unpaid = self.race.belief.mean, not_paying(self.race)
        for i, standing in enumerate(self.race.standings):
            name = standing.candidate.algorithm
            if standing.outcomes and not standing.failed and i not in unpaid and algorithms()[name].space:
                best[name] = min(i, best.get(name, i), key=lambda j: mean[j])
        reach = self.race.within_reach()
        return [i for i in best.values() if reach[i] >= HOPELESS]

    def difference(self) -> tuple[float, float]:
        """How much worse than its parent the next proposal is expected to be, as those before it were, give or take."""
        mean, standings = self.race.belief.mean, self.race.standings
        pairs = [(i, standings[i].belief.parent) for i in self.made if standings[i].outcomes]
        seen = [min(float(mean[i] - mean[parent]), FAR) for i, parent in pairs if parent is not None]
        gap = (WEIGHT * GAP + sum(seen)) / (WEIGHT + len(seen))
        spread = (WEIGHT * SPREAD**2 + sum((each - gap) ** 2 for each in seen)) / (WEIGHT + len(seen))
        return gap, math.sqrt(spread)

    def propose(self, cost: Callable[[Candidate], float]) -> int | None:
        """Add a candidate to the race; its index, None where nothing new and affordable was found.

        Parameters
        ----------
        cost : expected seconds of a fold.
        """
        parents = self.parents()
        rng = np.random.default_rng(derive_seed(self.seed, "propose", len(self.made)))
        draw = self.race.draws[rng.integers(len(self.race.draws))]
        parent = min(parents, key=lambda i: draw[i])
        origin = self.race.standings[parent]
        name = origin.candidate.algorithm
        known = [s.candidate.params for s in self.race.standings if s.candidate.algorithm == name]
        most = MOST_TIMES_DEARER * cost(origin.candidate)
        for params in self.ask(name, origin.candidate.params):
            number = 1 + sum(self.race.standings[i].candidate.algorithm == name for i in self.made)
            found = Candidate(f"{name}-t{number}", name, params, origin.candidate.representation)
            if params not in known and cost(found) <= most:
                gap, spread = self.difference()
                belief = Prior(origin.belief.family, origin.belief.gap + gap, spread, parent)
                self.made.append(self.race.add(found, belief))
                return self.made[-1]
        return None

    def ask(self, name: str, base: Params) -> Iterator[Params]:
        """Proposals for an algorithm, from a sampler that is told of all its configurations that have run.

        The value it is told is the expected loss, so that configurations are comparable whatever folds they ran;
        those under way count as bad, so that the next proposal is another one.
        """
        import optuna

        algorithm = algorithms()[name]
        axes = {key: around(each, {**algorithm.defaults, **base}[key]) for key, each in algorithm.space.items()}
        space = {key: distribution(axis) for key, axis in axes.items()}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=derive_seed(self.seed, "sampler", name, len(self.made)) % 2**32,
                n_startup_trials=0,
                multivariate=True,
            )
            study = optuna.create_study(sampler=sampler)
            for params, value in self.results(name):
                inside = {key: inside_of(axis, params[key]) for key, axis in axes.items()}
                study.add_trial(optuna.trial.create_trial(params=inside, distributions=space, value=value))
        for _ in range(TRIES):
            yield {**base, **plain(study.ask(space).params)}

    def results(self, name: str) -> list[tuple[Params, float]]:
        """Full hyperparameters and expected losses of an algorithm's configurations."""
        mean = self.race.belief.mean
        mine = [(i, s) for i, s in enumerate(self.race.standings) if s.candidate.algorithm == name and not s.failed]
        worst = max(float(mean[i]) for i, s in mine if s.outcomes)
        defaults = algorithms()[name].defaults
        return [({**defaults, **s.candidate.params}, float(mean[i]) if s.outcomes else worst) for i, s in mine]


def around(axis: Dimension, value: Any) -> Dimension:
    """The part of an axis that lies within reach of a value.

    Examples
    --------
    >>> around(Dimension(1, 10_000, log=True, integer=True), 10)
    Dimension(low=1.0, high=100.0, log=True, integer=True, choices=())
    """
    if axis.choices:
        return axis
    ends = np.array([axis.low, axis.high], dtype=np.float64)
    scale, back = (np.log, np.exp) if axis.log else (np.asarray, np.asarray)
    low, high = scale(ends)
    center = scale(np.float64(inside_of(axis, value)))
    reach = WINDOW * (high - low)
    near = back(np.clip([center - reach, center + reach], low, high))
    if axis.integer:
        near = np.array([np.floor(near[0] + 1e-9), np.ceil(near[1] - 1e-9)])
    return replace(axis, low=float(max(near[0], axis.low)), high=float(min(near[1], axis.high)))


def distribution(axis: Dimension) -> BaseDistribution:
    """A search space's axis as Optuna names it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def inside_of(axis: Dimension, value: Any) -> Any:
    """The nearest value that lies on the axis, so that what was tried beyond it still says which way is worse.

    Examples
    --------
    >>> inside_of(Dimension(0.01, 0.2, log=True), 0.3)
    0.2
    """
    if axis.choices:
        return value if value in axis.choices else axis.choices[0]
    return min(max(value, axis.low), axis.high)


def plain(params: Mapping[str, Any]) -> Params:
    """Hyperparameters with no more digits than matter, so that records stay readable."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in params.items()}
