"""Metrics of the predicted class alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.metrics.base import CLASSIFICATION, Metric, Prediction, register, weighted_mean
from artificer.types import Doubles, Task


def _sums(codes: NDArray[Any], weight: Doubles | None, size: int) -> Doubles:
    return np.bincount(codes, weights=weight, minlength=size).astype(np.float64)


def _counts(y: NDArray[Any], labels: Prediction, weight: Doubles | None) -> tuple[Doubles, Doubles, Doubles]:
    """Weight of each class that was right, that occurred, and that was predicted; each (c,)."""
    size = int(max(y.max(), labels.max())) + 1
    right = y == labels
    hits = _sums(y[right], None if weight is None else weight[right], size)
    return hits, _sums(y, weight, size), _sums(labels, weight, size)


def accuracy(y: NDArray[Any], labels: Prediction, weight: Doubles | None) -> float:
    """Share of rows whose most probable class is the one that came true."""
    return weighted_mean((y == labels).astype(np.float64), weight)


def balanced_accuracy(y: NDArray[Any], labels: Prediction, weight: Doubles | None) -> float:
    """Mean, over the classes that occur in y, of the share of their rows that were recognised.

    References
    ----------
    Brodersen, Ong, Stephan, Buhmann: The balanced accuracy and its posterior distribution. ICPR, 2010.
    """
    hits, occurred, _ = _counts(y, labels, weight)
    present = occurred > 0
    return float((hits[present] / occurred[present]).mean())


def f1(y: NDArray[Any], labels: Prediction, weight: Doubles | None) -> float:
    """Harmonic mean of precision and recall of the positive class.

    nan where y holds no positive row: nothing could have been found there.

    References
    ----------
    van Rijsbergen: Information Retrieval, 2nd edition. Butterworths, 1979.
    """
    if max(y.max(), labels.max()) > 1:
        raise ValueError("f1 takes two classes; f1_macro takes more")
    right = (y == 1) & (labels == 1)
    ones = np.ones(len(y)) if weight is None else weight
    occurred = ones[y == 1].sum()
    if occurred <= 0:
        return math.nan
    return float(2.0 * ones[right].sum() / (occurred + ones[labels == 1].sum()))


def f1_macro(y: NDArray[Any], labels: Prediction, weight: Doubles | None) -> float:
    """Plain mean of the F1 of every class that occurs in y or in the prediction.

    References
    ----------
    Sokolova, Lapalme: A systematic analysis of performance measures for classification tasks. Information Processing
    and Management, 2009.
    """
    hits, occurred, predicted = _counts(y, labels, weight)
    either = occurred + predicted
    present = either > 0
    return float((2.0 * hits[present] / either[present]).mean())


register(
    Metric(
        "accuracy", CLASSIFICATION, True, "labels", 0.0, 1.0, accuracy, "share of rows whose class was predicted right"
    )
)
register(
    Metric(
        "balanced_accuracy",
        CLASSIFICATION,
        True,
        "labels",
        0.0,
        1.0,
        balanced_accuracy,
        "share of rows predicted right, each class counting the same",
    )
)
register(
    Metric(
        "f1",
        frozenset({Task.BINARY}),
        True,
        "labels",
        0.0,
        1.0,
        f1,
        "harmonic mean of precision and recall of the positive class",
    )
)
register(
    Metric("f1_macro", CLASSIFICATION, True, "labels", 0.0, 1.0, f1_macro, "F1 of each class, averaged over classes")
)
