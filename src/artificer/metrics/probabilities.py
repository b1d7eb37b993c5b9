"""Metrics of class probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.metrics.base import CLASSIFICATION, Metric, Prediction, register, weighted_mean
from artificer.types import Doubles


def _one_against_rest(
    y: NDArray[Any],
    probabilities: Prediction,
    weight: Doubles | None,
    binary: Any,
) -> float:
    """Binary: the positive class. More classes: the plain mean over the classes that occur in y."""
    if probabilities.shape[1] == 2:
        return float(binary(y == 1, probabilities[:, 1], weight))
    present = np.unique(y)
    if len(present) < 2:
        return math.nan
    return float(np.mean([binary(y == code, probabilities[:, code], weight) for code in present]))


def _ties(sorted_scores: NDArray[Any]) -> NDArray[np.intp]:
    """Index of the last element of each run of equal scores."""
    return np.append(np.flatnonzero(sorted_scores[1:] != sorted_scores[:-1]), len(sorted_scores) - 1)


def _binary_roc_auc(positive: NDArray[np.bool_], scores: NDArray[Any], weight: Doubles | None) -> float:
    order = np.argsort(scores)
    last = _ties(scores[order])
    hits = positive[order]
    ups = hits.astype(np.float64) if weight is None else np.where(hits, weight[order], 0.0)
    downs = 1.0 - ups if weight is None else np.where(hits, 0.0, weight[order])
    ups, downs = ups.cumsum()[last], downs.cumsum()[last]
    if ups[-1] <= 0 or downs[-1] <= 0:
        return math.nan
    # The trapezes under the curve; equal scores count half, which is what the mean of tied ranks does.
    below = np.diff(ups, prepend=0.0) * (downs + np.concatenate([[0.0], downs[:-1]]))
    return float(below.sum() / (2.0 * ups[-1] * downs[-1]))


def roc_auc(y: NDArray[Any], probabilities: Prediction, weight: Doubles | None) -> float:
    """Probability that a random positive row is ranked above a random negative one, by ranks.

    With more than two classes, the mean over the classes that occur in y, each against the rest. nan where y holds a
    single class.

    References
    ----------
    Hanley, McNeil: The meaning and use of the area under a receiver operating characteristic (ROC) curve.
    Radiology, 1982.
    """
    return _one_against_rest(y, probabilities, weight, _binary_roc_auc)


def _binary_average_precision(positive: NDArray[np.bool_], scores: NDArray[Any], weight: Doubles | None) -> float:
    order = np.argsort(scores)[::-1]
    last = _ties(scores[order])
    hits = positive[order]
    ones = np.ones(len(hits)) if weight is None else weight[order]
    taken = ones.cumsum()[last]
    found = np.where(hits, ones, 0.0).cumsum()[last]
    if found[-1] <= 0:
        return math.nan
    return float((np.diff(found, prepend=0.0) * (found / taken)).sum() / found[-1])


def average_precision(y: NDArray[Any], probabilities: Prediction, weight: Doubles | None) -> float:
    """Area under the precision-recall curve, as a step function (no interpolation).

    With more than two classes, the mean over the classes that occur in y, each against the rest. nan where y holds no
    positive row, or a single one of many classes.

    References
    ----------
    Davis, Goadrich: The relationship between Precision-Recall and ROC curves. ICML, 2006.
    """
    return _one_against_rest(y, probabilities, weight, _binary_average_precision)


def log_loss(y: NDArray[Any], probabilities: Prediction, weight: Doubles | None) -> float:
    """Mean negative logarithm of the probability given to what happened.

    Probabilities are kept a machine epsilon (of their own precision) away from 0 and 1, so that one certain mistake
    costs much (15.9 in float32) and not infinitely much.

    References
    ----------
    Good: Rational decisions. Journal of the Royal Statistical Society B, 1952.
    """
    precision = probabilities.dtype if probabilities.dtype.kind == "f" else np.dtype(np.float64)
    eps = float(np.finfo(precision).eps)
    given = probabilities[np.arange(len(y)), y].astype(np.float64)
    return weighted_mean(-np.log(np.clip(given, eps, 1.0 - eps)), weight)


def brier(y: NDArray[Any], probabilities: Prediction, weight: Doubles | None) -> float:
    """Mean squared distance between probabilities and what happened, halved so that it lies between 0 and 1.

    For two classes that is the squared error of the positive class's probability.

    References
    ----------
    Brier: Verification of forecasts expressed in terms of probability. Monthly Weather Review, 1950.
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(y)), y] -= 1.0
    return weighted_mean(np.einsum("ij,ij->i", distance, distance) / 2.0, weight)


register(
    Metric(
        "roc_auc",
        CLASSIFICATION,
        True,
        "probabilities",
        0.0,
        1.0,
        roc_auc,
        "probability that a positive row is ranked above a negative one; 0.5 is chance",
    )
)
register(
    Metric(
        "average_precision",
        CLASSIFICATION,
        True,
        "probabilities",
        0.0,
        1.0,
        average_precision,
        "precision averaged over recall; the share of positive rows is chance",
    )
)
register(
    Metric(
        "log_loss",
        CLASSIFICATION,
        False,
        "probabilities",
        0.0,
        float("inf"),
        log_loss,
        "mean negative log of the probability given to the class that came true",
    )
)
register(
    Metric(
        "brier",
        CLASSIFICATION,
        False,
        "probabilities",
        0.0,
        1.0,
        brier,
        "mean squared error of the probabilities, halved over the classes",
    )
)
