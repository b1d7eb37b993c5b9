"""Whether stated probabilities come true: the calibration curve, the expected calibration error, and a test.

References
----------
.. [1] Bröcker, J., Smith, L. A. (2007). Increasing the reliability of reliability diagrams. Weather and Forecasting 22,
   651-661 (consistency resampling).
.. [2] Naeini, M. P., Cooper, G. F., Hauskrecht, M. (2015). Obtaining well calibrated probabilities using Bayesian
   binning. AAAI (the expected calibration error).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.intervals import normal_quantile, wilson
from artificer.types import Doubles, Json, Task

_BINS = 10
_FEWEST_IN_BIN = 10
_DRAWS = 500
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows whose stated probability was alike: how many, what was stated on average, and how often it came true."""

    rows: int
    stated: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How far stated probabilities and observed shares lie apart.

    Attributes
    ----------
    of : whose probability is meant: "positive" (binary) or "predicted" (the most probable class, multiclass).
    bins : of equal row counts, by rising probability, with Wilson intervals of the observed share.
    ece : expected calibration error, the mean distance between the two, weighted by rows.
    ece_low, ece_high : 95 % bootstrap interval.
    ece_if_calibrated : what the error would be on average, on so many rows, if every probability were true; it is never
        zero.
    p : probability of an error at least as large under true probabilities; small means miscalibrated.
    """

    of: str
    bins: tuple[CalibrationBin, ...]
    ece: float
    ece_low: float
    ece_high: float
    ece_if_calibrated: float
    p: float
    rows: int

    def to_json(self) -> Json:
        return {**asdict(self), "bins": [asdict(item) for item in self.bins]}


def calibration(
    task: Task, y: NDArray[Any], scores: NDArray[Any], *, positive: int = 1, seed: int = 0
) -> CalibrationReport | None:
    """Hold probabilities against what happened; None for regression and for fewer than ten rows.

    Parameters
    ----------
    y : codes (n,).
    scores : probabilities (n, c).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(5000)
    >>> y = (rng.random(5000) < p).astype(int)
    >>> report = calibration(Task.BINARY, y, np.stack([1 - p, p], axis=1))
    >>> report.ece < 0.03, report.p > 0.05
    (True, True)
    """
    if not task.is_classification or len(y) < _FEWEST_IN_BIN:
        return None
    if task is Task.BINARY:
        stated, true = scores[:, positive].astype(np.float64), np.asarray(y) == positive
    else:
        predicted = scores.argmax(axis=1)
        stated, true = scores[np.arange(len(y)), predicted].astype(np.float64), np.asarray(y) == predicted
    n = len(stated)
    count = max(1, min(_BINS, n // _FEWEST_IN_BIN))
    order = np.argsort(stated, kind="stable")
    ordered = stated[order]
    # Equal probabilities stay in one bin: where a bin would begin inside a run of them, it begins at the run.
    begins = np.unique(np.searchsorted(ordered, ordered[np.arange(count) * n // count]))
    hits = true[order].astype(np.float64)
    sizes = np.diff(np.append(begins, n)).astype(np.float64)
    stated_mean = np.add.reduceat(ordered, begins) / sizes
    observed = np.add.reduceat(hits, begins) / sizes
    z = normal_quantile(0.975)
    bins = tuple(
        CalibrationBin(int(size), float(s), float(o), *wilson(o * size, size, z))
        for size, s, o in zip(sizes, stated_mean, observed, strict=True)
    )
    ece = float((np.abs(observed - stated_mean) * sizes).sum() / n)
    rng = np.random.default_rng(seed)
    redrawn = rng.binomial(sizes.astype(np.int64), observed, (_DRAWS, len(sizes))) / sizes
    again = (np.abs(redrawn - stated_mean) * sizes).sum(axis=1) / n
    null = _null(ordered, begins, sizes, stated_mean, rng)
    low, high = np.quantile(again, [0.025, 0.975])
    return CalibrationReport(
        "positive" if task is Task.BINARY else "predicted",
        bins,
        ece,
        float(min(low, ece)),
        float(max(high, ece)),
        float(null.mean()),
        float((1 + (null >= ece).sum()) / (_DRAWS + 1)),
        n,
    )


def _null(ordered: Doubles, begins: NDArray[Any], sizes: Doubles, stated: Doubles, rng: np.random.Generator) -> Doubles:
    """Expected calibration errors (draws,) of outcomes drawn from the stated probabilities."""
    n = len(ordered)
    if n > _MOST_ROWS:
        # The number of hits in a bin of many independent rows is normal, with the sum of their variances.
        spread = np.sqrt(np.add.reduceat(ordered * (1.0 - ordered), begins)) / sizes
        shares = stated + rng.normal(size=(_DRAWS, len(sizes))) * spread
    else:
        shares = np.stack(
            [np.add.reduceat((rng.random(n) < ordered).astype(np.float64), begins) / sizes for _ in range(_DRAWS)]
        )
    return np.asarray((np.abs(shares - stated) * sizes).sum(axis=1) / n)
