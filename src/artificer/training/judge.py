"""The finished model on the test rows, and against what the problem requires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.evaluate import Evaluation, evaluate
from artificer.evaluation.gate import GateReport, Verdict, gate
from artificer.metrics.base import Metric, metric
from artificer.problem.model import Problem
from artificer.training.request import TrainingRequest
from artificer.types import Doubles, Ints, Json, Kind, Task

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.tables.contract import Contract
    from artificer.tables.prepare import Prepared

IMPORTANCE_SECONDS = 1.5
IMPORTANCE_SHARE = 0.04
"""Share of a short budget that the importance of columns may take."""
SHORT_SECONDS = 20.0
"""Under a shorter budget only the metrics that were asked for are estimated; their intervals take seconds."""
LUCK_MOST = 0.025
"""The one-sided level of the gate's intervals: where luck reaches a perfect score more often, nothing passes."""
USUAL = {
    Task.BINARY: ("roc_auc", "log_loss", "average_precision", "accuracy", "balanced_accuracy", "brier"),
    Task.MULTICLASS: ("log_loss", "accuracy", "balanced_accuracy", "f1_macro"),
    Task.REGRESSION: ("rmse", "mae", "r2", "median_absolute_error"),
    Task.QUANTILE: ("pinball_loss", "interval_coverage"),
}
"""What people ask first, besides the metric that was optimised."""


def evaluate_draft(
    draft: Bundle,
    prepared: Prepared,
    train_rows: Ints,
    test_rows: Ints,
    times: NDArray[Any] | None,
    measured_by: Metric,
    request: TrainingRequest,
) -> tuple[Evaluation, tuple[Json, ...], NDArray[Any]]:
    from artificer.evaluation.importance import permutation_importance

    contract, blocks = prepared.contract, prepared.blocks.take(test_rows)
    y, scores = prepared.y[test_rows], draft.predict_blocks(blocks)
    weight = None if prepared.weight is None else prepared.weight[test_rows]
    counts = None if prepared.weight is None else prepared.weight[train_rows]
    wanted = {measured_by.name} | {r.name for r in request.problem.requirements if not r.is_operational}
    if _has_time(request.problem):
        wanted |= set(USUAL[contract.task])
    others = [metric(name, measured_by.positive, contract.levels) for name in sorted(wanted - {measured_by.name})]
    seed = request.problem.training.seed
    evaluation = evaluate(
        y,
        scores,
        [measured_by, *others],
        contract.task,
        baseline=_constant(contract, prepared.y[train_rows], counts),
        classes=contract.classes,
        times=None if times is None else times[test_rows],
        weight=weight,
        conformal=draft.conformal,
        seed=seed,
    )
    importance = permutation_importance(
        draft.predict_blocks,
        blocks,
        y,
        measured_by,
        {kind: contract.names(kind) for kind in Kind},
        weight=weight,
        seconds=_importance_seconds(request.problem),
        seed=seed,
        clock=request.clock,
    )
    return evaluation, tuple(item.to_json() for item in importance), scores


def _has_time(problem: Problem) -> bool:
    """Whether the budget leaves time for more than was asked for."""
    seconds = problem.training.budget.seconds
    return seconds is None or seconds >= SHORT_SECONDS


def _importance_seconds(problem: Problem) -> float:
    seconds = problem.training.budget.seconds
    return IMPORTANCE_SECONDS if seconds is None else min(IMPORTANCE_SECONDS, IMPORTANCE_SHARE * seconds)


def _constant(contract: Contract, y: NDArray[Any], weight: Doubles | None) -> Doubles:
    if contract.levels:
        from artificer.algorithms.constant import quantiles

        return quantiles(y, np.ones(len(y)) if weight is None else weight, contract.levels)
    if not contract.task.is_classification:
        return np.array([float(np.average(y, weights=weight))])
    counts = np.bincount(y.astype(np.int64), weight, len(contract.classes))
    shares: Doubles = counts / counts.sum()
    return shares


def gate_of(
    problem: Problem, evaluation: Evaluation, measured: Json, *, is_constant: bool = False, luck: float = 0.0
) -> GateReport:
    """Hold the model to the problem's requirements; beating the constant baseline is always one.

    `is_constant` says that the model is a constant itself: it may differ from the baseline by its smoothing, and
    without noise any difference would look certain. `luck` is the chance that a model that knows nothing is perfect on
    these rows, see `chance_of_perfection`.
    """
    from artificer.evaluation.gate import RequirementVerdict

    numbers = {key: float(value) for key, value in measured.items() if isinstance(value, (int, float))}
    report = gate([(r.name, r.op, r.bound) for r in problem.requirements], evaluation, numbers)
    primary = evaluation.primary
    advantage = primary.advantage
    if advantage is None:
        return report
    shown = f"{primary.name} {primary.score.value:.4g}, {advantage.value:.4g} better than the constant baseline"
    interval = f"[{advantage.low:.4g}, {advantage.high:.4g}] on {evaluation.rows:,} test rows"
    if is_constant:
        verdict, reason = Verdict.FAIL, f"{shown} {interval}: the model is the constant baseline itself."
    elif advantage.low > 0 and luck > LUCK_MOST:
        verdict, reason = Verdict.UNDECIDABLE, f"{shown} {interval}, which luck alone may be; it takes more test rows."
    elif advantage.low > 0:
        verdict, reason = Verdict.PASS, f"{shown} {interval}."
    elif advantage.high <= 0:
        verdict, reason = Verdict.FAIL, f"{shown} {interval}: it is not better than a constant."
    else:
        verdict, reason = Verdict.UNDECIDABLE, f"{shown} {interval}: more test rows would tell it from a constant."
    baseline = RequirementVerdict(
        "beats_baseline", ">", 0.0, verdict, advantage.value, advantage.low, evaluation.rows, None, reason
    )
    everything = (baseline, *report.requirements)
    order = (Verdict.FAIL, Verdict.UNDECIDABLE, Verdict.PASS)
    worst = next(v for v in order if any(r.verdict is v for r in everything))
    return GateReport(worst, everything)
