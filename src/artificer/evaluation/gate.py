"""The acceptance gate: requirements against what was measured, with PASS, FAIL or UNDECIDABLE for each.

A requirement on a metric passes when the whole one-sided 95 % interval satisfies it, fails when the whole interval
violates it, and is undecidable otherwise; then the number of test rows that would decide it is given, on the assumption
that the score stays and the interval shrinks with the root of the number of rows.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from artificer.errors import ConfigurationError
from artificer.evaluation.evaluate import Evaluation
from artificer.evaluation.intervals import Interval, finite
from artificer.types import Json

SCHEMA = "artificer.gate/1"

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - a verdict, not a secret
    FAIL = "FAIL"
    UNDECIDABLE = "UNDECIDABLE"


@dataclass(frozen=True, slots=True)
class RequirementVerdict:
    """One requirement, its verdict, the evidence, and a sentence that says it.

    Attributes
    ----------
    value : the score or the measured value; None when there is none.
    bound_by_data : the end of the one-sided 95 % interval that decides a pass; None for measured quantities.
    rows : test rows the evidence rests on.
    rows_needed : test rows in all that would decide; None when decided, or when no number would.
    """

    name: str
    op: str
    bound: float
    verdict: Verdict
    value: float | None
    bound_by_data: float | None
    rows: int | None
    rows_needed: int | None
    reason: str

    def to_json(self) -> Json:
        return {key: finite(item) for key, item in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's answer: FAIL when any requirement fails, else UNDECIDABLE when any is, else PASS."""

    verdict: Verdict
    requirements: tuple[RequirementVerdict, ...]

    @property
    def reason(self) -> str:
        """The sentences of the requirements that made the verdict."""
        deciding = [found.reason for found in self.requirements if found.verdict is self.verdict]
        return " ".join(deciding) or "No requirement is set."

    def to_json(self) -> Json:
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "requirements": [found.to_json() for found in self.requirements],
        }


def gate(
    requirements: Iterable[tuple[str, str, float]], evaluation: Evaluation, measured: Mapping[str, float]
) -> GateReport:
    """Hold a model to its requirements.

    Parameters
    ----------
    requirements : (name, op, bound) with op one of ``>= > <= <``; the name is a metric of `evaluation` or a key of
        `measured`.
    measured : operational quantities, such as ``latency_p99_ms``, ``model_mb`` or ``rows_per_s``. They are measured,
        not estimated from a sample of the world, so they decide alone.

    Raises
    ------
    ConfigurationError
        An operator is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from artificer.evaluation.evaluate import evaluate
    >>> from artificer.metrics.base import metric
    >>> from artificer.types import Task
    >>> y = np.array([0, 1] * 50)
    >>> p = np.where(np.arange(100) < 90, y, 1 - y) * 0.8 + 0.1
    >>> found = evaluate(y, np.stack([1 - p, p], axis=1), [metric("accuracy")], Task.BINARY)
    >>> report = gate([("accuracy", ">=", 0.8), ("model_mb", "<=", 50)], found, {"model_mb": 1.5})
    >>> report.verdict.value, report.requirements[0].reason
    ('PASS', 'accuracy 0.9 is at least 0.8396 with 95 % confidence, as >= 0.8 asks.')
    >>> gate([("accuracy", ">=", 0.87)], found, {}).requirements[0].rows_needed
    405
    """
    verdicts = tuple(_judge(name, op, float(bound), evaluation, measured) for name, op, bound in requirements)
    found = {item.verdict for item in verdicts}
    for verdict in (Verdict.FAIL, Verdict.UNDECIDABLE):
        if verdict in found:
            return GateReport(verdict, verdicts)
    return GateReport(Verdict.PASS, verdicts)


def _judge(
    name: str, op: str, bound: float, evaluation: Evaluation, measured: Mapping[str, float]
) -> RequirementVerdict:
    if op not in _COMPARE:
        raise ConfigurationError(f'The requirement "{name} {op} {bound:g}" has an unknown operator; use >=, >, <=, <.')
    if name in measured:
        value = float(measured[name])
        holds = _COMPARE[op](value, bound)
        verdict = Verdict.PASS if holds else Verdict.FAIL
        reason = f"{name} was measured as {value:.4g}, {'as' if holds else 'not as'} {op} {bound:g} asks."
        return RequirementVerdict(name, op, bound, verdict, value, None, None, None, reason)
    result = evaluation.metric(name)
    if result is None or math.isnan(result.score.value):
        why = "was not measured" if result is None else "is not defined on this test set"
        reason = f"{name} {why}, so {op} {bound:g} cannot be decided."
        rows = None if result is None else evaluation.rows
        return RequirementVerdict(name, op, bound, Verdict.UNDECIDABLE, None, None, rows, None, reason)
    return _judge_score(name, op, bound, result.score)


def _judge_score(name: str, op: str, bound: float, score: Interval) -> RequirementVerdict:
    at_least = op in (">=", ">")
    safe, hopeful = (score.lower, score.upper) if at_least else (score.upper, score.lower)
    side, other = ("at least", "at most") if at_least else ("at most", "at least")
    holds = _COMPARE[op]
    if holds(safe, bound):
        reason = f"{name} {score.value:.4g} is {side} {safe:.4g} with 95 % confidence, as {op} {bound:g} asks."
        return RequirementVerdict(name, op, bound, Verdict.PASS, score.value, safe, score.rows, None, reason)
    if not holds(hopeful, bound):
        reason = f"{name} {score.value:.4g} is {other} {hopeful:.4g} with 95 % confidence; {op} {bound:g} is asked."
        return RequirementVerdict(name, op, bound, Verdict.FAIL, score.value, safe, score.rows, None, reason)
    needed = _rows_needed(score, bound)
    decide = (
        f"about {needed:,} test rows would decide" if needed else "no number of rows can be named that would decide"
    )
    reason = (
        f"{name} {score.value:.4g} [{score.lower:.4g}, {score.upper:.4g}] on {score.rows:,} test rows leaves "
        f"{op} {bound:g} open; {decide}."
    )
    return RequirementVerdict(name, op, bound, Verdict.UNDECIDABLE, score.value, safe, score.rows, needed, reason)


def _rows_needed(score: Interval, bound: float) -> int | None:
    distance = abs(score.value - bound)
    half = score.value - score.lower if bound < score.value else score.upper - score.value
    if distance == 0 or math.isnan(score.stderr) or not math.isfinite(half) or half <= 0:
        return None
    needed = score.rows * (half / distance) ** 2
    return max(score.rows + 1, math.ceil(needed)) if needed < 1e12 else None
