"""The loss that search minimises: the metric, made defined on every fold that can decide and told where none can."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artificer.metrics.base import Metric
from artificer.metrics.folds import fold_metric
from artificer.metrics.quantiles import pinball_rows
from artificer.types import Doubles, Task

WORST = 1e6
"""Stands for a loss without bound, in units of the target's spread or of 1."""

TIE_BREAK = 1e-6

STAND_INS = {Task.REGRESSION: "mean_squared_error", Task.QUANTILE: "pinball_loss"}
"""What a task is measured by where its metric cannot decide; classes by log loss."""


@dataclass(frozen=True)
class Objective:
    """Fold losses of scores, lower is better.

    Attributes
    ----------
    metric : the user's; None where it cannot decide on any fold, and one of :data:`STAND_INS` does.
    levels : of quantiles.
    center, spread : bring standardised predictions back to the target's unit; 0 and 1 for classification.
    """

    metric: Metric | None
    task: Task
    center: float = 0.0
    spread: float = 1.0
    levels: tuple[float, ...] = ()

    def values(self, scores: Doubles) -> Doubles:
        """Scores as the metric takes them: in the target's own unit."""
        return scores if self.task.is_classification else scores * self.spread + self.center

    def loss(self, y: Doubles, scores: Doubles, weight: Doubles | None = None) -> float:
        """Loss of one fold; NaN where its rows cannot decide. `y` as in training (codes, or standardised values)."""
        if self.metric is None:
            return surrogate(self.task, y, scores, weight, self.levels)
        score = fold_metric(self.metric, self._target(y), self.values(scores), weight)
        loss = self.metric.as_loss(score)
        return loss if math.isnan(loss) else min(max(loss, -WORST * self.spread), WORST * self.spread)

    def mean(
        self, y: Sequence[Doubles], scores: Sequence[Doubles], weights: Sequence[Doubles | None] | None = None
    ) -> float:
        """Mean over the folds that decide; for metrics of labels a faint touch of log loss decides between equals."""
        rows = list(zip(y, scores, weights or [None] * len(y), strict=True))
        losses = [self.loss(*fold) for fold in rows]
        decided = [loss for loss in losses if not math.isnan(loss)]
        if decided and self.metric is not None and self.metric.needs != "labels":
            return float(np.mean(decided))
        ties = float(np.mean([surrogate(self.task, *fold, self.levels) for fold in rows]))
        return float(np.mean(decided)) + TIE_BREAK * min(ties, 10.0) if decided else ties

    def score(self, loss: float) -> float:
        """A loss in the metric's own direction."""
        return -loss if self.metric is not None and self.metric.greater_is_better else loss

    def _target(self, y: Doubles) -> Doubles:
        return y.astype(np.int64) if self.task.is_classification else y * self.spread + self.center


def surrogate(
    task: Task, y: Doubles, scores: Doubles, weight: Doubles | None = None, levels: tuple[float, ...] = ()
) -> float:
    """Log loss, mean squared error or pinball loss, which every row defines."""
    if task is Task.QUANTILE:
        return float(np.average(pinball_rows(y, scores, levels), weights=weight))
    if not task.is_classification:
        return float(np.average((y - scores[:, 0]) ** 2, weights=weight))
    p = scores[np.arange(len(y)), y.astype(np.int64)]
    return float(-np.average(np.log(np.clip(p, 1e-12, 1.0)), weights=weight))
