"""What a fit will take: the algorithm's own guess, corrected by what fits on this table have taken."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from artificer.algorithms.base import algorithms
from artificer.search.records import Candidate
from artificer.search.tasks import FitOutcome

START_SECONDS = {"linear": 0.3, "boosting": 0.6, "forest": 1.5, "tree": 1.0}
"""What loading the libraries of a family takes, once a run."""

OPTIONAL_SECONDS = 2.0
"""What loading an optional library takes, once a run; they are not loaded ahead."""

FIXED_SECONDS = 0.1
"""What a fit takes beside its work: the shorter a fit, the less it says of how fast the machine is."""

SHRINKAGE = 1.0
"""An algorithm's own measured ratios are averaged with this many of the overall ratio."""


@dataclass
class CostModel:
    """Seconds of a fit on the two cores a run has, encoding included the first time.

    Attributes
    ----------
    columns : raw columns, which stand for the features until a representation has been encoded once.
    learns : False keeps the guesses static, for budgets of work units in which no clock may count.
    """

    columns: int
    n_classes: int
    learns: bool = True
    features: dict[str, int] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    measured: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    encoding: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def guess(self, candidate: Candidate, rows: int) -> float:
        """The algorithm's guess, uncorrected."""
        features = self.features.get(candidate.representation, max(self.columns, 1))
        algorithm = algorithms()[candidate.algorithm](**candidate.params)
        return max(float(algorithm.seconds(rows, features, self.n_classes)), 1e-3)

    def estimate(self, candidate: Candidate, rows: int) -> float:
        """Expected seconds of fitting `candidate` on `rows` rows."""
        guess = self.guess(candidate, rows)
        if not self.learns:
            return guess
        own = self.measured.get(candidate.name)
        if own:
            return max(seconds * guess / self.guess(candidate, at) for at, seconds in own)
        everyone = [ratio for ratios in self.ratios.values() for ratio in ratios]
        overall = sum(everyone) / len(everyone) if everyone else 0.0
        mine = self.ratios.get(candidate.algorithm, [])
        ratio = (sum(mine) + SHRINKAGE * overall) / (len(mine) + SHRINKAGE)
        return guess * math.exp(ratio) + self.encode(candidate.representation, rows)

    def start(self, candidate: Candidate, loaded: bool = False) -> float:
        """Seconds until an algorithm that has not run yet has its libraries loaded; nothing where no clock counts."""
        if loaded or not self.learns or candidate.algorithm in self.ratios:
            return 0.0
        algorithm = algorithms()[candidate.algorithm]
        return START_SECONDS.get(algorithm.tags.family, 0.0) + (OPTIONAL_SECONDS if algorithm.requires else 0.0)

    def encode(self, representation: str, rows: int) -> float:
        """Expected seconds of encoding, per row as dear as it has been so far."""
        seen = self.encoding.get(representation) or [s for each in self.encoding.values() for s in each]
        per_row = sum(seen) / len(seen) if seen else 2e-7 * self.columns
        return per_row * rows

    def learn(self, candidate: Candidate, outcome: FitOutcome, whole_table: bool = False) -> None:
        """Take in what a fit took. Fits that a deadline cut short are still the best guess there is."""
        if not self.learns or not outcome.ok or outcome.rows == 0:
            return
        self.features[candidate.representation] = outcome.features
        guess = self.guess(candidate, outcome.rows)
        self.ratios[candidate.algorithm].append(math.log((outcome.seconds + FIXED_SECONDS) / (guess + FIXED_SECONDS)))
        if not whole_table:
            self.measured[candidate.name].append((outcome.rows, max(outcome.seconds, 1e-4)))
        if outcome.encode_seconds:
            self.encoding[candidate.representation].append(outcome.encode_seconds / outcome.rows)

    def summary(self) -> Mapping[str, float]:
        """Measured over guessed seconds, by algorithm."""
        return {name: math.exp(sum(r) / len(r)) for name, r in self.ratios.items()}
