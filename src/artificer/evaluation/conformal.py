"""Conformal prediction: thresholds from rows the model's parts had not seen, and what they cover on the test rows.

The score of a row says how badly it was predicted: the absolute error of a value, or one minus the probability of the
true class (least ambiguous sets [4]_). The threshold for a coverage of c is the score of rank ceil((n + 1) c) among n:
were those rows and the next one exchangeable and the model the same for all of them, the next would lie within it with
probability c at least, whatever the model and the data [1]_.

The rows are those of the folds, each predicted by models that had not seen it, as in CV+ [3]_, whose promise in the
worst case is 2 c - 1; here all thresholds lie around the deployed model's prediction. Two things keep the promise from
being a theorem: the deployed model has seen more rows (so it errs less: intervals are wide rather than narrow), and the
ensemble was chosen on the same rows (so it errs more). Which is why the test rows, which nobody chose on, say what was
covered. Where rows are ordered in time, exchangeability itself is an assumption: that things stay as they were.

Errors of values often grow with the value. So thresholds may differ by bins of the prediction (Mondrian [1]_: the
coverage then holds in every bin), where half of the rows show on the other half that this makes the interval score [5]_
better by more than its standard error.

References
----------
.. [1] Vovk, V., Gammerman, A., Shafer, G. (2005). Algorithmic learning in a random world. Springer.
.. [2] Tibshirani, R. J., Barber, R. F., Candès, E. J., Ramdas, A. (2019). Conformal prediction under covariate shift.
   NeurIPS (weighted quantiles).
.. [3] Barber, R. F., Candès, E. J., Ramdas, A., Tibshirani, R. J. (2021). Predictive inference with the jackknife+.
   Annals of Statistics 49, 486-507.
.. [4] Sadinle, M., Lei, J., Wasserman, L. (2019). Least ambiguous set-valued classifiers with bounded error levels.
   JASA 114, 223-234.
.. [5] Gneiting, T., Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. JASA 102,
   359-378.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from artificer.bundle.conformal import LEVELS, Conformal
from artificer.evaluation.intervals import finite, normal_quantile, wilson
from artificer.types import Doubles, Ints, Json, Task

MEASURED: Final = (0.8, 0.9, 0.95)
"""Coverages that the evaluation states, and that bins are chosen by."""
BINS: Final = (2, 4, 8, 16)
ROWS_PER_BIN: Final = 100
FLOAT32_EPS: Final = float(np.finfo(np.float32).eps)


def fit_conformal(
    y: NDArray[Any],
    scores: NDArray[Any],
    task: Task,
    *,
    weight: Doubles | None = None,
    ordered: bool = False,
    seed: int = 0,
) -> Conformal | None:
    """Find the thresholds.

    Parameters
    ----------
    y : (n,) codes or values.
    scores : (n, c) probabilities or (n, 1) values, from models that had not seen the rows.
    weight : (n,) how much each row counts. The next row is taken to weigh as much as they do on average [2]_.
    ordered : whether models were older than the rows they were asked about.

    Returns
    -------
    Conformal or None
        None where there is no row, or the task is neither of values nor of classes.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=999)
    >>> record = fit_conformal(y, np.zeros((999, 1)), Task.REGRESSION)
    >>> round(float(record.at(0.9).intervals([0.0])[0, 1]), 1)  # 1.64 for a normal distribution
    1.6
    """
    y, scores = np.asarray(y), np.asarray(scores, dtype=np.float64)
    if weight is not None:
        y, scores, weight = y[weight > 0], scores[weight > 0], weight[weight > 0]
    if not len(y) or not (task.is_classification or task is Task.REGRESSION):
        return None
    edges: Doubles = np.zeros(0)
    if task.is_classification:
        missed = 1.0 - scores[np.arange(len(y)), y.astype(np.int64)]
        # Scores come back from the graph in single precision: equal ones must stay on the same side.
        found = 1.0 - quantiles(missed, LEVELS, weight) - FLOAT32_EPS
        table = np.where(np.isfinite(found), np.maximum(found, 0.0), np.inf)[:, None]
    else:
        values, errors = scores[:, 0], np.abs(y - scores[:, 0])
        edges = chosen_edges(values, errors, weight, seed)
        table = by_bin(values, errors, weight, edges, LEVELS) + FLOAT32_EPS * float(np.abs(values).max())
    rows = tuple(tuple(float(x) if np.isfinite(x) else None for x in row) for row in table)
    return Conformal(task, len(y), weight is not None, ordered, LEVELS, tuple(map(float, edges)), rows)


def quantiles(scores: Doubles, levels: Sequence[float], weight: Doubles | None = None) -> Doubles:
    """The scores (k,) that the next row's stays within at each level; infinite where rows are too few.

    Examples
    --------
    >>> quantiles(np.array([3.0, 1.0, 2.0]), (0.5, 0.75, 0.9)).tolist()
    [2.0, 3.0, inf]
    """
    order = np.argsort(scores, kind="stable")
    counts = np.ones(len(scores)) if weight is None else weight[order] / weight.mean()
    reached = np.cumsum(counts)
    # Rounding must not push a level that is met exactly to the next row.
    at = np.searchsorted(reached, np.asarray(levels) * (len(scores) + 1) - 1e-9 * len(scores))
    found: Doubles = np.append(scores[order], np.inf)[at]
    return found


def by_bin(
    values: Doubles, errors: Doubles, weight: Doubles | None, edges: Doubles, levels: Sequence[float]
) -> Doubles:
    """Thresholds (k, b) of each bin of predicted values."""
    bins = np.searchsorted(edges, values, side="right")
    parts: list[Ints] = [np.flatnonzero(bins == b) for b in range(len(edges) + 1)]
    return np.stack([quantiles(errors[p], levels, None if weight is None else weight[p]) for p in parts], axis=1)


def chosen_edges(values: Doubles, errors: Doubles, weight: Doubles | None, seed: int) -> Doubles:
    """Where bins of the predicted value begin; none where one threshold for all does as well."""
    candidates = [edges for count in BINS if len(edges := _edges(values, count))]
    if not candidates:
        return np.zeros(0)
    half = np.random.default_rng(seed).permutation(len(values)) % 2
    counts = np.ones(len(values)) if weight is None else weight
    plain = _interval_scores(values, errors, weight, np.zeros(0), half)
    best, least = np.zeros(0), plain
    for edges in candidates:
        losses = _interval_scores(values, errors, weight, edges, half)
        with np.errstate(invalid="ignore"):
            gain = (least - losses) * counts
        if np.isfinite(gain).all() and gain.mean() > float(gain.std()) / np.sqrt(len(gain)):
            best, least = edges, losses
    return best


def _edges(values: Doubles, count: int) -> Doubles:
    """Edges of about equally full bins, none where one would have too few rows."""
    edges: Doubles = np.unique(np.quantile(values, np.arange(1, count) / count))
    rows = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return edges if rows.min() >= ROWS_PER_BIN else np.zeros(0)


def _interval_scores(values: Doubles, errors: Doubles, weight: Doubles | None, edges: Doubles, half: Ints) -> Doubles:
    """Interval score of every row (n,), by thresholds from the half it is not in, over the measured coverages."""
    total = np.zeros(len(values))
    for part in (0, 1):
        inside, other = half == part, half != part
        known = by_bin(values[other], errors[other], None if weight is None else weight[other], edges, MEASURED)
        width = known[:, np.searchsorted(edges, values[inside], side="right")]
        beyond = np.maximum(errors[inside] - width, 0.0)
        total[inside] = (2 * width + 2 / (1 - np.array(MEASURED)[:, None]) * beyond).sum(axis=0)
    return total


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a promise came to on the test rows.

    Attributes
    ----------
    promised, measured : shares of rows.
    low, high : Wilson's 95 % interval of `measured`, which takes rows as independent.
    size : mean width of the intervals in the target's unit, NaN where they are endless, or mean number of classes.
    """

    promised: float
    measured: float
    low: float
    high: float
    size: float
    rows: int

    def to_json(self) -> Json:
        return {key: finite(item) for key, item in asdict(self).items()}


def measure_coverage(
    record: Conformal, y: NDArray[Any], scores: NDArray[Any], weight: Doubles | None = None
) -> tuple[Coverage, ...]:
    """Hold the promises against `y` (n,) and the deployed model's `scores` (n, c) of the test rows.

    Examples
    --------
    >>> record = Conformal(Task.REGRESSION, 99, False, False, (0.8, 0.9, 0.95), (), ((1.0,), (2.0,), (3.0,)))
    >>> found = measure_coverage(record, np.arange(-4.0, 5.0), np.zeros((9, 1)))
    >>> [(row.promised, round(row.measured, 2), row.size) for row in found]
    [(0.8, 0.33, 2.0), (0.9, 0.56, 4.0), (0.95, 0.78, 6.0)]
    """
    counts = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    effective = float(counts.sum() ** 2 / np.square(counts).sum())
    z, found = normal_quantile(0.975), []
    for level in MEASURED:
        promise = record.at(level)
        if record.task.is_classification:
            members = promise.members(scores)
            hit, size = members[np.arange(len(y)), y.astype(np.int64)], members.sum(axis=1).astype(np.float64)
        else:
            ends = promise.intervals(scores[:, 0])
            hit, size = (ends[:, 0] <= y) & (y <= ends[:, 1]), ends[:, 1] - ends[:, 0]
        share, mean = float(np.average(hit, weights=counts)), float(np.average(size, weights=counts))
        low, high = wilson(share * effective, effective, z)
        found.append(Coverage(level, share, low, high, mean if np.isfinite(mean) else float("nan"), len(y)))
    return tuple(found)
