"""Two models on the same labelled rows: is one better?"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.estimate import difference_of
from artificer.evaluation.intervals import finite
from artificer.evaluation.resampling import sample
from artificer.metrics.base import Metric
from artificer.types import Json

FEWEST_ROWS = 20
"""Fewer rows (or, of two classes, fewer than five of one) decide nothing, whatever their scores."""

_FEWEST_OF_A_CLASS = 5


@dataclass(frozen=True, slots=True)
class PairedResult:
    """The comparison of model a against model b on the same rows.

    Attributes
    ----------
    score_a, score_b : in the metric's own direction.
    difference : how much better a is; positive is better, whatever the metric. `low` and `high` are its interval at
        confidence ``1 - alpha``.
    p : two-sided, for no difference at all; NaN where too few rows decide.
    verdict : "better" when a's whole interval lies above zero, "worse" when below, else "undecided".
    margin : how much worse a may be and still count as not inferior.
    not_inferior : whether the whole interval lies above ``-margin``.
    reason : one sentence.
    """

    metric: str
    score_a: float
    score_b: float
    difference: float
    low: float
    high: float
    p: float
    alpha: float
    rows: int
    verdict: str
    margin: float
    not_inferior: bool
    method: str
    reason: str

    def to_json(self) -> Json:
        return {key: finite(item) for key, item in asdict(self).items()}


def paired_comparison(
    y: NDArray[Any],
    scores_a: NDArray[Any],
    scores_b: NDArray[Any],
    metric: Metric,
    *,
    margin: float = 0.0,
    alpha: float = 0.05,
    times: NDArray[Any] | None = None,
    weight: NDArray[Any] | None = None,
    seed: int = 0,
) -> PairedResult:
    """Compare a with b, both scored on the same rows, so that what is hard for both cancels out.

    Parameters
    ----------
    y : (n,), codes or values.
    scores_a, scores_b : (n, c).
    margin : in the metric's unit, at least 0.
    alpha : level of the two-sided test.
    times : (n,), given when rows depend on their neighbours in time.
    weight : (n,) how much each row counts.

    Notes
    -----
    The area under the ROC curve is compared by DeLong's covariance, every other metric by a bootstrap of both models
    together; the interval is ``difference ± z * standard error``.

    Examples
    --------
    >>> from artificer.metrics.base import metric
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=300)
    >>> a, b = y + 0.5 * rng.normal(size=300), y + rng.normal(size=300)
    >>> found = paired_comparison(y, a[:, None], b[:, None], metric("rmse"))
    >>> found.verdict, round(found.difference, 1)
    ('better', 0.4)
    """
    y = np.asarray(y)
    drawn = sample(metric, y, [np.asarray(scores_a), np.asarray(scores_b)], times=times, weight=weight, seed=seed)
    found = difference_of(metric, drawn, 1.0 - alpha)
    a, b = float(drawn.values[0]), float(drawn.values[1])
    obstacle = _obstacle(metric, y, found.value)
    low, high, p = (-math.inf, math.inf, math.nan) if obstacle else (found.low, found.high, found.p)
    verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
    return PairedResult(
        metric.name,
        a,
        b,
        found.value,
        low,
        high,
        p,
        alpha,
        found.rows,
        verdict,
        margin,
        low > -margin,
        found.method,
        _sentence(metric, a, b, low, high, found.rows, verdict, alpha, obstacle),
    )


def _obstacle(metric: Metric, y: NDArray[Any], difference: float) -> str | None:
    if len(y) < FEWEST_ROWS:
        return f"{len(y)} rows are too few to compare two models; at least {FEWEST_ROWS} are needed"
    if not metric.of_numbers:
        fewest = int(np.unique(y, return_counts=True)[1].min())
        if fewest < _FEWEST_OF_A_CLASS and len(np.unique(y)) <= 2:
            return f"{fewest} rows of the rarer class are too few to compare two models"
    if math.isnan(difference):
        return f"{metric.name} is not defined on these rows"
    return None


def _sentence(
    metric: Metric,
    a: float,
    b: float,
    low: float,
    high: float,
    rows: int,
    verdict: str,
    alpha: float,
    obstacle: str | None,
) -> str:
    if obstacle:
        return obstacle[0].upper() + obstacle[1:] + "."
    outcome = {
        "better": "the first model is better",
        "worse": "the first model is worse",
        "undecided": "the models cannot be told apart",
    }[verdict]
    return (
        f"{metric.name} {a:.4g} against {b:.4g} on the same {rows:,} rows, advantage [{low:.4g}, {high:.4g}] at "
        f"{1 - alpha:.0%} confidence: {outcome}."
    )
