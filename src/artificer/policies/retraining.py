"""What should happen next to a deployed model. Pure functions: facts in, a decision with its evidence out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from artificer.types import Json


class Action(StrEnum):
    WAIT = "wait"
    ALERT = "alert"
    REFIT = "refit"
    SEARCH = "search"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the company allows the loop to do.

    Attributes
    ----------
    min_new_labels : outcomes that must have arrived since the last training before there may be another.
    cooldown_seconds : between two retrainings.
    max_retrains_per_day : in any 24 hours.
    search_every : each this-many-th retraining searches afresh; the others repeat the champion's recipe.
    min_probation_labels : labelled rows a new champion must have answered before it is judged against its predecessor.
    """

    min_new_labels: int = 200
    cooldown_seconds: float = 3600.0
    max_retrains_per_day: int = 6
    search_every: int = 4
    min_probation_labels: int = 100


@dataclass(frozen=True, slots=True)
class Performance:
    """Realised against promised, in the metric's own direction; ``worse`` is the monitor's verdict."""

    metric: str
    promised: float
    realised: float
    low: float
    high: float
    rows: int
    worse: bool


@dataclass(frozen=True, slots=True)
class Probation:
    """The new champion and its predecessor on rows that were labelled since the promotion."""

    champion: int
    previous: int
    rows: int
    verdict: str
    """Of the champion against its predecessor: "better", "worse" or "undecided"."""
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the loop observed. Times are unix seconds."""

    now: float
    champion: int
    new_labels: int
    performance: Performance | None = None
    drifted: tuple[str, ...] = ()
    retrained_at: tuple[float, ...] = ()
    """When earlier retrainings began, oldest first."""
    refits_since_search: int = 0
    probation: Probation | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What should happen, why, on what evidence, and what was not chosen."""

    action: Action
    reason: str
    evidence: Json
    rejected: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {**asdict(self), "action": self.action.value, "rejected": list(self.rejected)}


def decide(facts: Facts, rules: Rules) -> Decision:
    """Choose the next action.

    A champion that does worse than its predecessor goes first, since undoing costs nothing; then a fall in realised
    performance; then drift. Drift alone is no loss: it leads to retraining only when enough labels came with it, and to
    an alert when they did not.

    Examples
    --------
    >>> bad = Performance("roc_auc", promised=0.9, realised=0.7, low=0.66, high=0.74, rows=500, worse=True)
    >>> decide(Facts(now=0.0, champion=1, new_labels=500, performance=bad), Rules()).action.value
    'refit'
    >>> decide(Facts(now=0.0, champion=1, new_labels=20, performance=bad), Rules()).action.value
    'alert'
    >>> decide(Facts(now=0.0, champion=1, new_labels=500), Rules()).action.value
    'wait'
    """
    evidence: Json = {
        "new_labels": facts.new_labels,
        "drifted": list(facts.drifted),
        "performance": asdict(facts.performance) if facts.performance else None,
    }
    probation = facts.probation
    if probation and probation.rows >= rules.min_probation_labels and probation.verdict == "worse":
        return Decision(
            Action.ROLLBACK,
            f"version {probation.champion} does worse than version {probation.previous} on the {probation.rows} rows "
            "labelled since its promotion",
            {**evidence, "probation": asdict(probation)},
            ("wait", "refit"),
        )
    cause = _cause(facts)
    if cause is None:
        return Decision(Action.WAIT, "performance is as promised and nothing has drifted", evidence, ("refit",))
    obstacle = _obstacle(facts, rules)
    if obstacle is not None:
        return Decision(Action.ALERT, f"{cause}, but {obstacle}", evidence, ("refit", "search"))
    if facts.refits_since_search + 1 >= rules.search_every:
        return Decision(
            Action.SEARCH,
            f"{cause}, and {facts.refits_since_search} refits of one recipe came before",
            evidence,
            ("refit", "wait"),
        )
    return Decision(Action.REFIT, cause, evidence, ("search", "wait"))


def _cause(facts: Facts) -> str | None:
    performance = facts.performance
    if performance and performance.worse:
        return (
            f"realised {performance.metric} {performance.realised:.4g} "
            f"[{performance.low:.4g}, {performance.high:.4g}] on {performance.rows} rows is worse than "
            f"the promised {performance.promised:.4g}"
        )
    if facts.drifted:
        shown = ", ".join(facts.drifted[:5]) + (" and others" if len(facts.drifted) > 5 else "")
        return f"{len(facts.drifted)} columns or scores have drifted ({shown})"
    return None


def _obstacle(facts: Facts, rules: Rules) -> str | None:
    """Why retraining is not allowed now, or None."""
    if facts.new_labels < rules.min_new_labels:
        return f"only {facts.new_labels} of the {rules.min_new_labels} labelled rows that retraining needs have arrived"
    if facts.retrained_at and facts.now - facts.retrained_at[-1] < rules.cooldown_seconds:
        waits = rules.cooldown_seconds - (facts.now - facts.retrained_at[-1])
        return f"the last retraining is too recent (allowed again in {waits:.0f} s)"
    today = sum(facts.now - at < 86_400 for at in facts.retrained_at)
    if today >= rules.max_retrains_per_day:
        return f"{today} retrainings in 24 hours are the limit (loop.max_retrains_per_day)"
    return None
