"""Every metric gives scikit-learn's number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from artificer.metrics.base import metric, metrics
from artificer.types import Task

Case = tuple[np.ndarray, np.ndarray, "np.ndarray | None"]


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=int)[y]


@st.composite
def classification(draw: st.DrawFn) -> Case:
    """Every class occurs; coarse probabilities make ties common."""
    classes = draw(st.integers(2, 5))
    n = draw(st.integers(classes * 2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)]))
    raw = rng.integers(0 if draw(st.booleans()) else 1, draw(st.sampled_from([2, 5, 1000])) + 1, (n, classes)) + 1e-9
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    weight = draw(st.sampled_from([None, rng.integers(1, 4, n).astype(float), rng.uniform(0.1, 3, n)]))
    return y, probabilities.astype(draw(st.sampled_from([np.float32, np.float64]))), weight


@st.composite
def regression(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.poisson(2.0, n) if draw(st.booleans()) else rng.lognormal(0.0, 2.0, n)
    values = np.abs(y + rng.normal(0, 1, n)) + 1e-3
    weight = draw(st.sampled_from([None, rng.integers(1, 4, n).astype(float), rng.uniform(0.1, 3, n)]))
    return y.astype(float), values[:, None].astype(draw(st.sampled_from([np.float32, np.float64]))), weight


def roc_auc(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    if p.shape[1] == 2:
        return float(reference.roc_auc_score(y, p[:, 1], sample_weight=w))
    # scikit-learn refuses float32 rows that miss 1 by rounding, which does not matter to ranks.
    aucs = [reference.roc_auc_score(y == code, p[:, code], sample_weight=w) for code in range(p.shape[1])]
    return float(np.mean(aucs))


def average_precision(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    if p.shape[1] == 2:
        return float(reference.average_precision_score(y, p[:, 1], sample_weight=w))
    return float(reference.average_precision_score(one_hot(y, p.shape[1]), p, sample_weight=w, average="macro"))


CLASSIFICATION: dict[str, Callable[..., Any]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": lambda y, p, w: reference.log_loss(y, y_proba=p, sample_weight=w, labels=range(p.shape[1])),
    "brier": lambda y, p, w: reference.brier_score_loss(
        y, p, sample_weight=w, labels=range(p.shape[1]), scale_by_half=True
    ),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1": lambda y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w),
    "f1_macro": lambda y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w, average="macro"),
}
REGRESSION: dict[str, Callable[..., Any]] = {
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "rmsle": reference.root_mean_squared_log_error,
    "median_absolute_error": reference.median_absolute_error,
    "mape": reference.mean_absolute_percentage_error,
    "poisson_deviance": reference.mean_poisson_deviance,
}


def test_every_metric_is_compared_with_the_reference() -> None:
    assert set(metrics()) == {*CLASSIFICATION, *REGRESSION, "pinball_loss", "interval_coverage"}


@pytest.mark.parametrize("weighted", [False, True])
def test_parity_of_quantiles(weighted: bool) -> None:
    rng, levels = np.random.default_rng(0), (0.05, 0.5, 0.8)
    y, found = rng.normal(size=80), np.sort(rng.normal(size=(80, 3)))
    w = rng.uniform(size=80) if weighted else None
    parts = [
        reference.mean_pinball_loss(y, found[:, j], sample_weight=w, alpha=level) for j, level in enumerate(levels)
    ]
    assert metric("pinball_loss", levels=levels).score(y, found, w) == pytest.approx(np.mean(parts))
    inside = (found[:, 0] <= y) & (y <= found[:, 2])
    expected = np.average(inside, weights=w)
    assert metric("interval_coverage", levels=levels).score(y, found, w) == pytest.approx(expected)


@pytest.mark.parametrize("name", CLASSIFICATION)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=classification())
def test_classification_parity(name: str, case: Case) -> None:
    y, probabilities, weight = case
    if name == "f1" and probabilities.shape[1] > 2:
        with pytest.raises(ValueError, match="f1 takes two classes"):
            metric(name).score(np.array([2, 0]), np.eye(3)[:2])
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = CLASSIFICATION[name](y, probabilities, weight)
    # A float32 reference sums in float32; ours sums in float64.
    tolerance = 2e-6 if probabilities.dtype == np.float32 else 1e-12
    assert metric(name).score(y, probabilities, weight) == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", REGRESSION)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=regression())
def test_regression_parity(name: str, case: Case) -> None:
    y, values, weight = case
    expected = REGRESSION[name](y, values[:, 0].astype(float), sample_weight=weight)
    found = metric(name).score(y, values, weight)
    if name == "mape" and expected > 1e6:  # zeros in y: the quotient's size is the epsilon's
        assert found == pytest.approx(expected, rel=1e-9)
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["f1", "average_precision"])
@settings(max_examples=30, deadline=None, derandomize=True)
@given(case=classification())
def test_the_positive_class_may_be_the_first(name: str, case: Case) -> None:
    y, probabilities, weight = case
    y, probabilities = np.minimum(y, 1), np.column_stack([probabilities[:, 0], 1 - probabilities[:, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = (
            reference.f1_score(y, probabilities.argmax(1), pos_label=0, sample_weight=weight)
            if name == "f1"
            else reference.average_precision_score(y, probabilities[:, 0], pos_label=0, sample_weight=weight)
        )
    assert metric(name, positive=0).score(y, probabilities, weight) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_whole_weight_is_that_many_copies(name: str, data: st.DataObject) -> None:
    """What lets a bootstrap resample be a vector of counts, zeros included."""
    y, scores, _ = data.draw(regression() if Task.REGRESSION in metric(name).tasks else classification())
    if name == "f1":
        y, scores = np.minimum(y, 1), np.column_stack([scores[:, 0], 1 - scores[:, 0]])
    counts = np.random.default_rng(len(y)).multinomial(len(y), np.full(len(y), 1 / len(y)))
    copies = np.repeat(np.arange(len(y)), counts)
    weighted = metric(name).score(y, scores, counts)
    copied = metric(name).score(y[copies], scores[copies])
    assert (math.isnan(weighted) and math.isnan(copied)) or weighted == pytest.approx(copied, rel=1e-9, abs=1e-12)
