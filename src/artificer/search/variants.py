"""Whether a variant of a candidate, with generated or selected features, is worth what it adds to a model.

References
----------
.. [1] Nadeau, C., Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from artificer.search.race import Race
from artificer.types import Doubles

T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753)
"""Upper 5 % points of Student's t with 1, 2, ... degrees of freedom."""

CHEAPER = 0.9
"""A variant that does as well as its base is kept where it has less than this share of its features."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A variant against its base.

    Attributes
    ----------
    kept : it was shown to pay, or to do as well for less.
    advantage : mean loss of the base minus that of the variant over the folds both ran; NaN without any.
    low, high : 90 % interval of the advantage, corrected for overlapping training sets; infinite below two folds.
    folds : that both ran.
    """

    kept: bool
    advantage: float
    low: float
    high: float
    folds: int


def verdict(variant: Doubles, base: Doubles, overlap: float, cheaper: bool = False) -> Verdict:
    """Corrected paired t-test of two candidates' losses over folds.

    Parameters
    ----------
    variant, base : (k,) losses, NaN where a fold did not run.
    overlap : validation rows over training rows; what folds share makes their mean less certain by it.
    cheaper : the variant has fewer features, so it is kept unless it was shown to do worse.

    Examples
    --------
    >>> base = np.array([0.40, 0.42, 0.41, 0.43, 0.40])
    >>> verdict(base - [0.02, 0.022, 0.018, 0.021, 0.019], base, overlap=0.25).kept
    True
    >>> verdict(base - [0.02, -0.02, 0.01, 0.0, 0.005], base, overlap=0.25).kept
    False
    """
    differences = base - variant
    seen = differences[np.isfinite(differences)]
    k = len(seen)
    if k < 2:
        return Verdict(False, float(seen.mean()) if k else math.nan, -math.inf, math.inf, k)
    advantage = float(seen.mean())
    t = T_95[k - 2] if k - 1 <= len(T_95) else 1.645 + 1.7 / (k - 1)
    half = t * math.sqrt((1 / k + overlap) * float(seen.var(ddof=1)))
    pays, tied = advantage - half > 0, advantage + half >= 0
    return Verdict(pays or (tied and cheaper), advantage, advantage - half, advantage + half, k)


def verdict_of(race: Race, i: int) -> Verdict | None:
    """The verdict on candidate `i`; None where it is no variant."""
    base, own = race.base_of(i), race.standings[i]
    if base is None:
        return None
    shared = own.outcomes.keys() & base.outcomes.keys()
    features = [sum(s.outcomes[f].features for f in shared) for s in (own, base)]
    return verdict(own.losses, base.losses, race.overlap, features[0] < CHEAPER * features[1])


def drop_idle(race: Race, fold: int) -> None:
    """Let variants run no further whose encoders found nothing to make, or to leave out, on a fold."""
    for i, standing in enumerate(race.standings):
        base = race.base_of(i)
        if base is None or not race.adaptive or fold not in standing.outcomes or fold not in base.outcomes:
            continue
        if standing.outcomes[fold].features == base.outcomes[fold].features and not standing.dropped:
            standing.dropped = True
            standing.reason = (
                f"its features are those of {base.candidate.name}: there was nothing to add or to leave out"
            )


def not_paying(race: Race) -> set[int]:
    """Candidates that are variants and were not shown to pay: they have no place in a model.

    A variant whose base has no place either, as it failed, is not held against it.
    """
    found = set()
    for i, standing in enumerate(race.standings):
        judged, base = verdict_of(race, i), race.base_of(i)
        if standing.outcomes and judged is not None and not judged.kept and base is not None and not base.failed:
            found.add(i)
    return found
