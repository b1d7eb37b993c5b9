"""Where a model errs: the confusion table, precision and recall of each class, and the residuals of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.intervals import normal_quantile, wilson
from artificer.types import Json

MOST_CLASSES = 100
"""A confusion table of more classes is left out; the commonest so many classes are listed one by one."""

_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class ClassErrors:
    """One class: rows that are it, rows predicted as it, and the shares that agree, with 95 % Wilson intervals."""

    name: str
    rows: int
    predicted: int
    precision: float | None
    precision_interval: tuple[float, float]
    recall: float | None
    recall_interval: tuple[float, float]
    f1: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Errors by class.

    Attributes
    ----------
    classes : names in code order.
    table : counts, a row for each true class, a column for each predicted one; None with more than 100 classes.
    """

    classes: tuple[str, ...]
    table: tuple[tuple[int, ...], ...] | None
    by_class: tuple[ClassErrors, ...]

    def to_json(self) -> Json:
        return asdict(self)


def confusion(y: NDArray[Any], scores: NDArray[Any], classes: Sequence[str] = ()) -> Confusion:
    """Count predictions, the most probable class each, against what was true.

    Parameters
    ----------
    y : codes (n,).
    scores : probabilities (n, c).
    classes : c names; the codes when empty.

    Examples
    --------
    >>> found = confusion(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), ["no", "yes"])
    >>> found.table
    ((1, 1), (0, 1))
    >>> found.by_class[1].precision, found.by_class[1].recall
    (0.5, 1.0)
    """
    size = scores.shape[1]
    names = tuple(classes) or tuple(map(str, range(size)))
    predicted = scores.argmax(axis=1)
    codes = np.asarray(y).astype(np.int64)
    rows = np.bincount(codes, minlength=size)
    columns = np.bincount(predicted, minlength=size)
    hits = np.bincount(codes[codes == predicted], minlength=size)
    z = normal_quantile(0.975)
    chosen = np.sort(np.argsort(-rows, kind="stable")[:MOST_CLASSES])
    by_class = []
    for c in chosen:
        hit, true, said = int(hits[c]), int(rows[c]), int(columns[c])
        by_class.append(
            ClassErrors(
                names[c],
                true,
                said,
                hit / said if said else None,
                wilson(hit, said, z),
                hit / true if true else None,
                wilson(hit, true, z),
                2 * hit / (true + said) if true + said else None,
            )
        )
    table = None
    if size <= MOST_CLASSES:
        counts = np.bincount(codes * size + predicted, minlength=size * size).reshape(size, size)
        table = tuple(tuple(int(count) for count in row) for row in counts)
    return Confusion(names, table, tuple(by_class))


@dataclass(frozen=True, slots=True)
class Residuals:
    """Prediction errors of a regression, true value minus predicted, in the target's unit.

    Attributes
    ----------
    mean, mean_low, mean_high : the bias, with its 95 % interval; zero outside of it means a systematic error.
    quantiles : probability and residual, so that e.g. 90 % of errors lie between those at 0.05 and 0.95.
    by_prediction : mean residual in tenths of rising prediction: (mean prediction, mean residual, rows).
    """

    mean: float
    mean_low: float
    mean_high: float
    stdev: float
    quantiles: tuple[tuple[float, float], ...]
    by_prediction: tuple[tuple[float, float, int], ...]

    def to_json(self) -> Json:
        return asdict(self)


def residuals(y: NDArray[Any], scores: NDArray[Any]) -> Residuals:
    """Summarise the errors of a regression.

    Examples
    --------
    >>> found = residuals(np.array([1.0, 2.0, 3.0]), np.array([[0.0], [2.0], [4.0]]))
    >>> found.mean, found.quantiles[3]
    (0.0, (0.5, 0.0))
    """
    predicted = scores.reshape(len(y), -1)[:, 0].astype(np.float64)
    error = np.asarray(y, dtype=np.float64) - predicted
    n = len(error)
    mean = float(error.mean())
    stdev = float(error.std(ddof=1)) if n > 1 else 0.0
    half = normal_quantile(0.975) * stdev / np.sqrt(n)
    quantiles = np.quantile(error, _LEVELS)
    tenths = min(10, n)
    order = np.argsort(predicted, kind="stable")
    begins = np.arange(tenths) * n // tenths
    sizes = np.diff(np.append(begins, n))
    means = np.add.reduceat(predicted[order], begins) / sizes
    biases = np.add.reduceat(error[order], begins) / sizes
    return Residuals(
        mean,
        mean - float(half),
        mean + float(half),
        stdev,
        tuple((level, float(quantile)) for level, quantile in zip(_LEVELS, quantiles, strict=True)),
        tuple((float(m), float(b), int(s)) for m, b, s in zip(means, biases, sizes, strict=True)),
    )
