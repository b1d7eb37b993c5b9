"""The evaluation of a model on its test set: every metric with its interval, against the constant baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.bundle.conformal import Conformal
from artificer.errors import DataError
from artificer.evaluation.calibration import CalibrationReport, calibration
from artificer.evaluation.conformal import Coverage, measure_coverage
from artificer.evaluation.errors_by_class import Confusion, Residuals, confusion, residuals
from artificer.evaluation.estimate import Difference, difference_of, interval_of
from artificer.evaluation.intervals import Interval, finite, normal_quantile
from artificer.evaluation.resampling import sample
from artificer.metrics.base import Metric
from artificer.types import Json, Task

SCHEMA = "artificer.evaluation/1"


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric: the model's score, the constant baseline's, and their difference on the same rows.

    ``advantage`` is positive when the model is better, whatever the metric's direction; None without a baseline.
    """

    name: str
    greater_is_better: bool
    score: Interval
    baseline: Interval | None
    advantage: Difference | None

    def to_json(self) -> Json:
        advantage = None
        if self.advantage is not None:
            keys = ("value", "low", "high", "stderr", "p")
            advantage = {key: finite(getattr(self.advantage, key)) for key in keys}
        return {
            "name": self.name,
            "greater_is_better": self.greater_is_better,
            "score": self.score.to_json(),
            "baseline": self.baseline.to_json() if self.baseline else None,
            "advantage": advantage,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of a model from rows it has not seen. The first metric is the one that was optimised."""

    task: Task
    rows: int
    metrics: tuple[MetricResult, ...]
    calibration: CalibrationReport | None
    confusion: Confusion | None
    residuals: Residuals | None
    time_ordered: bool
    notes: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()

    @property
    def primary(self) -> MetricResult:
        return self.metrics[0]

    def metric(self, name: str) -> MetricResult | None:
        return next((found for found in self.metrics if found.name == name), None)

    def to_json(self) -> Json:
        return {
            "schema": SCHEMA,
            "task": self.task.value,
            "rows": self.rows,
            "time_ordered": self.time_ordered,
            "metrics": [found.to_json() for found in self.metrics],
            "calibration": self.calibration.to_json() if self.calibration else None,
            "confusion": self.confusion.to_json() if self.confusion else None,
            "residuals": self.residuals.to_json() if self.residuals else None,
            "coverage": [found.to_json() for found in self.coverage],
            "notes": list(self.notes),
        }


def evaluate(
    y: NDArray[Any],
    scores: NDArray[Any],
    metrics: Sequence[Metric],
    task: Task,
    *,
    baseline: NDArray[Any] | None = None,
    classes: Sequence[str] = (),
    times: NDArray[Any] | None = None,
    weight: NDArray[Any] | None = None,
    conformal: Conformal | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate scores on test rows.

    Parameters
    ----------
    y : (n,), codes or values.
    scores : (n, c) probabilities, or (n, 1) values.
    metrics : the optimised one first.
    baseline : scores of the constant baseline, (n, c) or one row (c,) for all.
    classes : names in code order.
    times : (n,), given when the test set is the newest part of the data: intervals then come from blocks of consecutive
        rows, because neighbours in time resemble each other.
    weight : (n,) how much each row counts in the metrics and in coverage; calibration, confusion and residuals count
        rows.
    conformal : what the model promises to cover, to be measured on these rows.

    Raises
    ------
    DataError
        There is no row, a score that is no number, or shapes do not fit.

    Examples
    --------
    >>> from artificer.metrics.base import metric
    >>> y, rng = np.arange(200) / 10, np.random.default_rng(0)
    >>> found = evaluate(y, (y + rng.normal(size=200))[:, None], [metric("rmse")], Task.REGRESSION, baseline=[10.0])
    >>> round(found.primary.score.value, 1), round(found.primary.advantage.value, 1), found.primary.advantage.p < 0.001
    (1.0, 4.8, True)
    """
    y, scores = np.asarray(y), np.asarray(scores)
    if not len(y) or scores.ndim != 2 or len(scores) != len(y):
        raise DataError(f"An evaluation needs one row of scores for each of at least one row, not {scores.shape}.")
    if not np.isfinite(scores).all():
        raise DataError("Some scores on the test set are not finite numbers; the model cannot be evaluated.")
    sets = [scores]
    if baseline is not None:
        sets.append(
            np.broadcast_to(np.asarray(baseline, dtype=scores.dtype).reshape(-1, scores.shape[1]), scores.shape)
        )
    results = tuple(_result(metric, y, sets, times, weight, seed) for metric in metrics)
    positive = metrics[0].positive if metrics else 1
    is_classes = task.is_classification
    coverage = () if conformal is None else measure_coverage(conformal, y, scores, weight)
    return Evaluation(
        task,
        len(y),
        results,
        calibration(task, y, scores, positive=positive, seed=seed),
        confusion(y, scores, classes) if is_classes else None,
        residuals(y, scores) if task is Task.REGRESSION else None,
        times is not None,
        (*_notes(task, y, scores, results), *_shortfall(coverage, conformal)),
        coverage,
    )


def _result(
    metric: Metric,
    y: NDArray[Any],
    sets: list[NDArray[Any]],
    times: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    seed: int,
) -> MetricResult:
    drawn = sample(metric, y, sets, times=times, weight=weight, seed=seed)
    baseline = interval_of(metric, y, sets[1], drawn, 1) if len(sets) > 1 else None
    advantage = difference_of(metric, drawn) if len(sets) > 1 else None
    return MetricResult(
        metric.name, metric.greater_is_better, interval_of(metric, y, sets[0], drawn, 0), baseline, advantage
    )


def _notes(task: Task, y: NDArray[Any], scores: NDArray[Any], results: Sequence[MetricResult]) -> list[str]:
    notes = []
    if task.is_classification:
        absent = scores.shape[1] - len(np.unique(y))
        if absent:
            notes.append(f"{absent} of {scores.shape[1]} classes do not occur in the test set.")
    undefined = [found.name for found in results if math.isnan(found.score.value)]
    if undefined:
        notes.append(f"Not defined on this test set: {', '.join(undefined)}.")
    return notes


def _shortfall(coverage: Sequence[Coverage], record: Conformal | None) -> list[str]:
    """Say of the promise that was missed by most, if one was missed by more than the chance of both sets of rows."""

    def beyond_chance(found: Coverage) -> bool:
        own = math.sqrt(found.promised * (1 - found.promised) / record.rows) if record else 0.0
        error = math.hypot(own, (found.high - found.low) / (2 * normal_quantile(0.975)))
        return found.promised - found.measured > normal_quantile(0.995) * error

    missed = [found for found in coverage if beyond_chance(found)]
    if not missed:
        return []
    worst = max(missed, key=lambda found: found.promised - found.measured)
    return [
        f"What is promised to cover {worst.promised:.0%} of the rows covered {worst.measured:.1%} of the test rows "
        f"[{worst.low:.1%}, {worst.high:.1%}]: read coverages with care."
    ]
