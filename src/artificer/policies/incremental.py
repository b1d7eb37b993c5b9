"""Whether a learner that follows the outcomes is entered as a new version."""

from __future__ import annotations

import math
from dataclasses import dataclass

from artificer.policies.retraining import Rules
from artificer.types import Json

ALPHA = 0.05
"""Probability that a learner no better than the champion is ever entered, over all looks together."""


@dataclass(frozen=True, slots=True)
class LearnerFacts:
    """What is known of a learner and the champion on rows that both answered before the outcome was known.

    Attributes
    ----------
    rows : labelled rows since the champion's promotion.
    look : which look at the comparison this is, from 1; 0 where too few rows have come since the last.
    now, entered_at : unix seconds; when earlier versions of learners were entered, oldest first.
    verdict : of the learner against the champion: "better", "worse", "undecided"; None where they were not compared.
    """

    champion: int
    rows: int
    look: int
    now: float = 0.0
    entered_at: tuple[float, ...] = ()
    verdict: str | None = None
    evidence: Json | None = None


@dataclass(frozen=True, slots=True)
class LearnerDecision:
    enter: bool
    reason: str
    evidence: Json


def level(look: int) -> float:
    """The level of the test at a look, such that all looks there will ever be spend :data:`ALPHA` together.

    Examples
    --------
    >>> round(level(1), 4), round(level(2), 4), round(sum(level(look) for look in range(1, 10_000)), 3)
    (0.0304, 0.0076, 0.05)
    """
    return ALPHA * 6 / (math.pi * look) ** 2


def look_of(rows: int, every: int) -> int:
    """Which look is due after so many labelled rows: one each `every` rows.

    Examples
    --------
    >>> [look_of(rows, 100) for rows in (99, 100, 199, 200, 450)]
    [0, 1, 1, 2, 4]
    """
    return rows // every


def decide_learner(facts: LearnerFacts, rules: Rules) -> LearnerDecision:
    """Enter a learner that is shown to be better than the champion, as often as retraining is allowed.

    Examples
    --------
    >>> from dataclasses import replace
    >>> better = LearnerFacts(champion=1, rows=900, look=2, now=9_000.0, verdict="better")
    >>> decide_learner(better, Rules()).enter
    True
    >>> decide_learner(replace(better, entered_at=(8_000.0,)), Rules(cooldown_seconds=3_600.0)).enter
    False
    >>> decide_learner(LearnerFacts(champion=1, rows=90, look=0), Rules()).enter
    False
    """
    evidence: Json = {"champion": facts.champion, "rows": facts.rows, "look": facts.look, "comparison": facts.evidence}
    if facts.verdict is None:
        reason = f"{facts.rows} rows labelled since version {facts.champion}, too few for another look at the learner"
        return LearnerDecision(False, reason, evidence)
    if facts.verdict != "better":
        told = "does worse than" if facts.verdict == "worse" else "cannot be told from"
        return LearnerDecision(False, f"the learner {told} version {facts.champion}", evidence)
    better = f"the learner does better than version {facts.champion} on rows that both answered first"
    obstacle = _obstacle(facts, rules)
    return LearnerDecision(obstacle is None, f"{better}, but {obstacle}" if obstacle else better, evidence)


def _obstacle(facts: LearnerFacts, rules: Rules) -> str | None:
    if facts.entered_at and facts.now - facts.entered_at[-1] < rules.cooldown_seconds:
        return "its last version is too recent (loop.cooldown)"
    today = sum(facts.now - at < 86_400 for at in facts.entered_at)
    if today >= rules.max_retrains_per_day:
        return f"{today} of its versions in 24 hours are the limit (loop.max_retrains_per_day)"
    return None
