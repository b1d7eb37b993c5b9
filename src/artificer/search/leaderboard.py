"""The race as a value that others render.

References
----------
.. [1] Nadeau, C., Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from artificer.search.objective import Objective
from artificer.search.race import Race, Standing
from artificer.search.records import Interval, Leaderboard, LeaderboardRow, Status
from artificer.search.variants import verdict_of
from artificer.types import Doubles

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Upper 2.5 % points of Student's t with 1, 2, ... degrees of freedom; loading SciPy for them would take a second."""


def leaderboard(
    race: Race, objective: Objective, metric: str, weights: Mapping[str, float], score: float | None
) -> Leaderboard:
    """Rows sorted by score, failures last."""
    probabilities = race.probabilities()
    reference = race.standings[race.leader()]
    overlap = race.overlap
    rows = []
    for i, standing in enumerate(race.standings):
        loss = comparable_loss(standing, reference)
        status, reason = status_of(standing)
        told = variant_sentence(race, i, objective) if status in ("finished", "dropped") else ""
        rows.append(
            LeaderboardRow(
                name=standing.candidate.name,
                algorithm=standing.candidate.algorithm,
                params=dict(standing.candidate.params),
                score=None if math.isnan(loss) else objective.score(loss),
                interval=interval(standing.losses, loss, overlap, objective),
                success_probability=float(probabilities[i]),
                weight=float(weights.get(standing.candidate.name, 0.0)),
                fit_seconds=round(standing.seconds, 4),
                folds=len(standing.outcomes),
                status=status,
                reason="; ".join(part for part in (reason, told) if part),
            )
        )
    greater = objective.score(-1.0) > 0
    rows.sort(key=lambda r: (r.score is None, r.status == "failed", -(r.score or 0.0) if greater else (r.score or 0.0)))
    base = race.standings[0].mean_loss
    return Leaderboard(
        rows=tuple(rows),
        metric=metric,
        greater_is_better=greater,
        score=score,
        baseline_score=None if math.isnan(base) else objective.score(base),
    )


def comparable_loss(standing: Standing, reference: Standing) -> float:
    """Mean loss over a candidate's folds, moved by how hard those were for the reference compared with all of its own.

    A candidate that has run one easy fold would otherwise look better than one that has run them all.
    """
    shared = np.isfinite(standing.losses) & np.isfinite(reference.losses)
    if not shared.any():
        return standing.mean_loss
    easier = reference.mean_loss - float(reference.losses[shared].mean())
    return standing.mean_loss + (easier if shared.sum() == np.isfinite(standing.losses).sum() else 0.0)


def interval(losses: Doubles, center: float, overlap: float, objective: Objective) -> Interval | None:
    """t interval around a mean of k folds, its variance (1/k + validation/training rows) times that of the folds."""
    seen = losses[np.isfinite(losses)]
    if len(seen) < 2:
        return None
    dof = len(seen) - 1
    t = T_975[dof - 1] if dof <= len(T_975) else 1.96 + 2.6 / dof
    half = t * math.sqrt((1 / len(seen) + overlap) * float(seen.var(ddof=1)))
    low, high = sorted((objective.score(center - half), objective.score(center + half)))
    if objective.metric is not None:
        low, high = max(low, objective.metric.low), min(high, objective.metric.high)
    return Interval(low, high)


def variant_sentence(race: Race, i: int, objective: Objective) -> str:
    """What the paired test said of a variant, in the metric's unit; nothing of other candidates."""
    judged, base = verdict_of(race, i), race.base_of(i)
    if judged is None or base is None or judged.folds < 2:
        return ""
    added, name = "+".join(race.standings[i].candidate.representation.split("+")[1:]), base.candidate.name
    at = base.mean_loss
    gain, *ends = (objective.score(at - a) - objective.score(at) for a in (judged.advantage, judged.low, judged.high))
    said = "kept" if judged.kept else "not shown to pay"
    return f"{added} {said}: {gain:+.4g} against {name}, 90 % interval {min(ends):+.4g} to {max(ends):+.4g}"


def status_of(standing: Standing) -> tuple[Status, str]:
    if standing.failed:
        return "failed", standing.reason
    if standing.complete and standing.outcomes:
        cut = [o for o in standing.outcomes.values() if not o.complete]
        return "finished", f"the deadline cut {len(cut)} of its fits short" if cut else ""
    if not standing.outcomes:
        return "skipped", standing.reason or "no budget was left for it, or it was not worth a fold"
    ran = f"{len(standing.outcomes)} of {len(standing.losses)} folds"
    return (
        "dropped",
        standing.reason or f"the search ended after {ran}: the budget was used, or more would not have paid",
    )
