"""Realised performance against what the bundle promises, with a test that may be repeated at every look.

Monitoring looks again and again at a growing window. A test at level alpha that is repeated raises a false alarm sooner
or later with certainty, so the boundary here is that of an asymptotic confidence sequence: the probability that a model
as good as promised is *ever* called worse, at whichever of the looks while a window fills, is alpha at most. It costs a
distance of about 3.4 instead of 2.3 standard errors at alpha = 0.01. Every new, disjoint window spends alpha afresh.

References
----------
.. [1] Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
   Statistics 41, 1397-1409.
.. [2] Waudby-Smith, I., Arbour, D., Sinha, R., Kennedy, E. H., Ramdas, A. (2024). Time-uniform central limit theory and
   asymptotic confidence sequences. Annals of Statistics 52, 2613-2640.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.drift.page_hinkley import PageHinkley
from artificer.evaluation.estimate import estimate
from artificer.evaluation.intervals import Interval, finite, one_sided_p
from artificer.metrics.base import Metric
from artificer.metrics.quantiles import pinball_rows
from artificer.types import Doubles, Json, Task

_SHARPEST_AT = 500
"""Number of rows at which the boundary is narrowest, compared with a test done once."""

_TREND_PARTS = 8
_TREND_LEAST = 30


@dataclass(frozen=True, slots=True)
class Performance:
    """Realised against promised, in the metric's own direction.

    Attributes
    ----------
    promised, promised_stderr : from the bundle's test set.
    realised, low, high : on production rows with outcomes, 95 % interval; None when not defined.
    rows : labelled rows it rests on.
    verdict : "as promised", "worse", "better" or "too few outcomes".
    worse : the same as verdict == "worse".
    distance : how many standard errors worse (positive) or better (negative) than promised.
    boundary : the distance at which it is called worse, for looks without end.
    p : one-sided, of a single look; for information, not for a decision.
    changed_at : when the losses began to rise, as far as can be told, seconds; only with "worse".
    """

    metric: str
    greater_is_better: bool
    promised: float
    promised_stderr: float
    realised: float | None
    low: float | None
    high: float | None
    rows: int
    verdict: str
    worse: bool
    distance: float | None
    boundary: float
    p: float | None
    changed_at: float | None
    method: str
    sentence: str

    def to_json(self) -> Json:
        return {key: finite(item) for key, item in asdict(self).items()}


def boundary(rows: int, alpha: float) -> float:
    """How many standard errors may be crossed, one-sided, at any look, with probability alpha.

    Examples
    --------
    >>> round(boundary(500, 0.01), 2), round(boundary(5000, 0.01), 2)
    (3.35, 3.54)
    """
    two_sided = 2.0 * alpha
    rho = (-2.0 * math.log(two_sided) + math.log(-2.0 * math.log(two_sided) + 1.0)) / _SHARPEST_AT
    grown = rows * rho + 1.0
    return math.sqrt(2.0 * grown / (rows * rho) * math.log(math.sqrt(grown) / two_sided))


def compare_with_promise(
    metric: Metric,
    promised: Interval,
    y: NDArray[Any],
    scores: NDArray[Any],
    at: Doubles,
    *,
    alpha: float,
    min_rows: int,
    time_ordered: bool,
) -> Performance:
    """Measure production and hold it against the test score.

    Parameters
    ----------
    promised : the test score of the bundle.
    y, scores, at : outcomes (n,), scores (n, c) and times (n,) of the labelled rows.
    time_ordered : whether neighbours in time resemble each other, as for the test score.
    """
    limit = boundary(max(len(y), 1), alpha)

    def found(realised: Interval | None, verdict: str, distance: float | None, sentence: str) -> Performance:
        worse = verdict == "worse"
        return Performance(
            metric.name,
            metric.greater_is_better,
            promised.value,
            promised.stderr,
            None if realised is None else realised.value,
            None if realised is None else realised.low,
            None if realised is None else realised.high,
            len(y),
            verdict,
            worse,
            distance,
            limit,
            None if distance is None else one_sided_p(-distance),
            rise_of_loss(metric, y, scores, at) if worse else None,
            "" if realised is None else realised.method,
            sentence,
        )

    realised = estimate(metric, y, scores, times=at if time_ordered else None) if len(y) else None
    if realised is not None and math.isnan(realised.value):
        realised = None
    if realised is None or len(y) < min_rows or math.isnan(promised.value):
        shown = "" if realised is None else f" ({metric.name} {realised.value:.4g} so far)"
        sentence = f"{len(y):,} outcomes are too few to judge performance; {min_rows:,} are needed{shown}."
        if realised is None and len(y) >= min_rows:
            sentence = f"{metric.name} is not defined on the {len(y):,} outcomes of this window."
        return found(realised, "too few outcomes", None, sentence)
    stderr = math.hypot(realised.stderr, 0.0 if math.isnan(promised.stderr) else promised.stderr)
    loss = metric.as_loss(realised.value) - metric.as_loss(promised.value)
    distance = loss / stderr if stderr > 0 else math.copysign(math.inf, loss) if loss else 0.0
    verdict = "worse" if distance > limit else "better" if distance < -limit else "as promised"
    shown = (
        f"{metric.name} is {realised.value:.4g} [{realised.low:.4g}, {realised.high:.4g}] on {len(y):,} outcomes, "
        f"{promised.value:.4g} was promised"
    )
    outcome = {
        "worse": f"that is worse by {distance:.1f} standard errors ({limit:.1f} are allowed)",
        "better": f"that is better by {-distance:.1f} standard errors",
        "as promised": "the difference is within chance",
    }[verdict]
    return found(realised, verdict, distance if math.isfinite(distance) else None, f"{shown}: {outcome}.")


def row_losses(metric: Metric, y: NDArray[Any], scores: NDArray[Any]) -> Doubles:
    """A loss for each row: the logarithmic one of classes, the absolute error of values, the pinball loss; (n,)."""
    if metric.needs == "quantiles":
        return pinball_rows(np.asarray(y, dtype=np.float64), scores.astype(np.float64), metric.levels)
    if metric.needs == "values":
        return np.asarray(np.abs(np.asarray(y, dtype=np.float64) - scores[:, 0]))
    given = scores[np.arange(len(y)), np.asarray(y).astype(np.int64)].astype(np.float64)
    return np.asarray(-np.log(np.clip(given, 1e-6, 1.0)))


def rise_of_loss(metric: Metric, y: NDArray[Any], scores: NDArray[Any], at: Doubles) -> float | None:
    """When losses began to rise, by Page and Hinkley's test over rows in time order; None where it sees nothing."""
    order = np.argsort(at, kind="stable")
    losses = row_losses(metric, y, scores)[order]
    detector = PageHinkley()
    for place, loss in enumerate(losses.tolist()):
        if detector.update(loss):
            return float(at[order[place]])
    return None


def trend(metric: Metric, task: Task, y: NDArray[Any], scores: NDArray[Any], at: Doubles) -> tuple[Json, ...]:
    """The metric, with its interval, in up to eight parts of equally many labelled rows, oldest first."""
    parts = min(_TREND_PARTS, len(y) // _TREND_LEAST)
    order = np.argsort(at, kind="stable")
    found = []
    for rows in np.array_split(order, parts) if parts else []:
        interval = estimate(metric, y[rows], scores[rows])
        outcome = {"mean_outcome": float(y[rows].mean())} if task is not Task.MULTICLASS else {}
        found.append(
            {
                "since": float(at[rows[0]]),
                "until": float(at[rows[-1]]),
                "rows": len(rows),
                "value": finite(interval.value),
                "low": finite(interval.low),
                "high": finite(interval.high),
                **outcome,
            }
        )
    return tuple(found)
