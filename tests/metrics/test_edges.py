"""Directions, ranges, look-up, and rows on which a metric has nothing to say."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from artificer.errors import ConfigurationError
from artificer.metrics.base import Metric, default_metric, metric, metrics, register
from artificer.metrics.folds import fold_metric, mean_over_folds
from artificer.types import Task

LEVELS = (0.1, 0.5, 0.9)
CLASSIFIERS = sorted(metrics(Task.BINARY))
REGRESSORS = sorted(metrics(Task.REGRESSION))
# Undefined where y lacks what they speak of; the others always give a number.
NEED_BOTH_CLASSES = {"roc_auc"}
NEED_A_POSITIVE = {"average_precision", "f1"}


def good_and_bad(found: Metric) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    if found.needs == "values":
        y = rng.lognormal(size=200)
        return y, y[:, None] * 1.01, y[::-1, None]
    if found.needs == "quantiles":
        y = rng.lognormal(size=200)
        return y, y[:, None] * [0.9, 1.01, 1.1], np.sort(y[::-1, None] * [0.9, 1.01, 1.1])
    y = rng.integers(0, 2, 200)
    good = np.where(rng.random(200) < 0.9, y, 1 - y) * 0.8 + 0.1
    return y, np.column_stack([1 - good, good]), np.column_stack([good, 1 - good])


@pytest.mark.parametrize("name", metrics())
def test_direction_and_range_hold(name: str) -> None:
    found = metric(name, levels=LEVELS)
    y, good, bad = good_and_bad(found)
    high, low = found.score(y, good), found.score(y, bad)
    assert found.better(high, low)
    assert not found.better(low, high)
    assert found.loss(y, good) < found.loss(y, bad)
    assert found.as_loss(found.loss(y, good)) == high
    assert found.low <= min(high, low) <= max(high, low) <= found.high
    assert found.best == (found.high if found.greater_is_better else found.low)
    assert found.better(found.best, found.worst)
    assert found.better(high, math.nan)
    assert not found.better(math.nan, low)


@pytest.mark.parametrize("name", metrics())
def test_a_perfect_prediction_reaches_the_best_value(name: str) -> None:
    found = metric(name, levels=LEVELS)
    y = np.array([0, 1, 1, 0, 1])
    scores = np.repeat(y[:, None].astype(float), len(found.levels) or 1, axis=1) if found.of_numbers else np.eye(2)[y]
    assert found.score(y, scores) == pytest.approx(found.best, abs=1e-6)


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_class_absent(name: str, code: int) -> None:
    value = metric(name).score(np.full(4, code), np.array([[0.4, 0.6]] * 4))
    undefined = name in NEED_BOTH_CLASSES or (name in NEED_A_POSITIVE and code == 0)
    assert math.isnan(value) == undefined
    assert undefined or metric(name).low <= value <= metric(name).high


@pytest.mark.parametrize("name", metrics(Task.MULTICLASS))
def test_a_class_of_many_absent_is_left_out_of_the_mean(name: str) -> None:
    y = np.array([0, 2, 0, 2, 0])
    probabilities = np.array([[0.7, 0.1, 0.2], [0.3, 0.1, 0.6], [0.5, 0.2, 0.3], [0.6, 0.1, 0.3], [0.9, 0.0, 0.1]])
    value = metric(name).score(y, probabilities)
    assert metric(name).low <= value <= metric(name).high
    if name == "roc_auc":
        binary = metric(name).score(y // 2, np.column_stack([1 - probabilities[:, 2], probabilities[:, 2]]))
        assert value == pytest.approx((binary + metric(name).score(1 - y // 2, probabilities[:, [1, 0]])) / 2)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_a_single_class_of_many_is_undefined(name: str) -> None:
    assert math.isnan(metric(name).score([1, 1], np.full((2, 3), 1 / 3)))


@pytest.mark.parametrize("name", metrics())
@pytest.mark.parametrize("fault", ["no rows", "no weight", "nan score", "infinite score", "nan target"])
def test_rows_that_decide_nothing_give_nan(name: str, fault: str) -> None:
    found = metric(name, levels=LEVELS)
    y, scores, _ = good_and_bad(found)
    scores, weight = scores.copy(), None
    if fault == "no rows":
        y, scores = y[:0], scores[:0]
    elif fault == "no weight":
        weight = np.zeros(len(y))
    elif fault == "nan target":
        y = y.astype(float)
        y[3] = np.nan
    else:
        scores[3] = np.nan if fault == "nan score" else np.inf
    assert math.isnan(found.score(y, scores, weight))


def test_values_at_the_edge_of_a_domain() -> None:
    assert metric("r2").score([3.0, 3.0], [[3.0], [3.0]]) == 1.0
    assert metric("r2").score([3.0, 3.0], [[3.0], [4.0]]) == 0.0
    assert math.isnan(metric("r2").score([3.0], [[3.0]]))
    for name in ("rmsle", "poisson_deviance"):
        assert math.isnan(metric(name).score([-1.0, 2.0], [[1.0], [2.0]]))
        below, at_zero = metric(name).score([0.0, 2.0], [[-5.0], [-9.0]]), metric(name).score([0, 2], [[0.0], [0.0]])
        assert below == at_zero
        assert math.isfinite(below)
    assert metric("rmse").score([1e300, 0.0], [[-1e300], [0.0]]) == math.inf
    assert math.isfinite(metric("log_loss").score([1], np.array([[1.0, 0.0]])))


@pytest.mark.parametrize(
    ("name", "y", "scores", "weight"),
    [
        ("roc_auc", [0, 1], [[0.5, 0.5]], None),
        ("roc_auc", [0, 1], [0.5, 0.5], None),
        ("roc_auc", [0, 1], [[1.0], [1.0]], None),
        ("roc_auc", [0, 2], [[0.5, 0.5], [0.5, 0.5]], None),
        ("roc_auc", [0, -1], [[0.5, 0.5], [0.5, 0.5]], None),
        ("rmse", [0.0, 1.0], [[0.5, 0.5], [0.5, 0.5]], None),
        ("pinball_loss", [0.0, 1.0], [[0.5], [0.5]], None),
        ("rmse", [0.0, 1.0], [[0.5], [0.5]], [1.0]),
        ("rmse", [0.0, 1.0], [[0.5], [0.5]], [1.0, -1.0]),
        ("rmse", [0.0, 1.0], [[0.5], [0.5]], [1.0, math.nan]),
    ],
)
def test_shapes_that_do_not_belong_together(name: str, y: list, scores: list, weight: list | None) -> None:
    with pytest.raises(ValueError, match=r"takes|class code"):
        metric(name).score(y, scores, weight)


def test_arguments_stay_untouched() -> None:
    for name in metrics():
        found = metric(name, levels=LEVELS)
        y, scores, _ = good_and_bad(found)
        before = y.copy(), scores.copy()
        found.score(y, scores, np.ones(len(y)))
        np.testing.assert_array_equal(y, before[0])
        np.testing.assert_array_equal(scores, before[1])


def test_a_hundred_thousand_tied_ranks_are_exact() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 100_000)
    ranks = rng.integers(0, 3, 100_000)
    wins = sum(
        np.count_nonzero((ranks == r) & (y == 1))
        * (np.count_nonzero((ranks < r) & (y == 0)) + 0.5 * np.count_nonzero((ranks == r) & (y == 0)))
        for r in range(3)
    )
    expected = wins / (np.count_nonzero(y) * np.count_nonzero(1 - y))
    scores = np.column_stack([1 - ranks / 2, ranks / 2])
    assert metric("roc_auc").score(y, scores) == pytest.approx(expected, abs=1e-15)


def test_look_up() -> None:
    assert [default_metric(task).name for task in Task] == ["roc_auc", "log_loss", "rmse", "pinball_loss"]
    assert default_metric(Task.BINARY, positive=0).positive == 0
    assert "f1" not in metrics(Task.MULTICLASS)
    assert list(metrics()) == sorted(metrics())
    with pytest.raises(ConfigurationError, match=r'no metric "rmsee"; did you mean "rmse"'):
        metric("rmsee")
    with pytest.raises(ConfigurationError, match="the metrics are accuracy, average_precision"):
        metric("zzz")


def test_two_metrics_of_one_name_are_refused() -> None:
    register(metric("rmse"))
    with pytest.raises(TypeError, match="two metrics are named 'rmse'"):
        register(replace(metric("mae"), name="rmse"))


def test_every_metric_says_what_its_number_means() -> None:
    for found in metrics().values():
        assert found.summary
        assert "\n" not in found.summary
        assert found.function.__doc__


def test_a_fold_blames_the_right_side() -> None:
    auc, rmse, rmsle = metric("roc_auc"), metric("rmse"), metric("rmsle")
    bad = np.array([[0.5, 0.5], [np.nan, 0.5]])
    assert fold_metric(auc, [0, 1], bad) == 0.0
    assert math.isnan(fold_metric(auc, [1, 1], bad))
    assert math.isnan(fold_metric(auc, [1, 1], [[0.5, 0.5], [0.5, 0.5]]))
    assert fold_metric(auc, [0, 1], [[0.9, 0.1], [0.1, 0.9]]) == 1.0
    assert fold_metric(rmse, [1e300, 0.0], [[-1e300], [0.0]]) == math.inf
    assert math.isnan(fold_metric(rmsle, [-1.0], [[1.0]]))
    assert math.isnan(fold_metric(rmsle, [-1.0], [[math.inf]]))
    assert fold_metric(metric("r2"), [1.0, 2.0], [[math.inf], [0.0]]) == -math.inf


def test_a_fold_of_quantiles_blames_the_right_side() -> None:
    pinball, covered = (metric(name, levels=LEVELS) for name in ("pinball_loss", "interval_coverage"))
    assert fold_metric(pinball, [1.0, 2.0], [[0.0, 1.0, 2.0], [0.0, math.nan, 2.0]]) == math.inf
    assert fold_metric(covered, [1.0, 2.0], [[0.0, 1.0, 2.0], [2.5, 3.0, 4.0]]) == 0.5
    alone = metric("interval_coverage", levels=(0.5,))
    assert math.isnan(fold_metric(alone, [1.0], [[1.0]]))


def test_the_undecided_fold_does_not_depend_on_the_candidate() -> None:
    """Otherwise the candidates would be compared over different folds."""
    rng = np.random.default_rng(2)
    for name in CLASSIFIERS:
        for y in ([0, 0, 0], [1, 1, 1], [0, 1, 0]):
            values = [fold_metric(metric(name), y, rng.dirichlet([1, 1], 3)) for _ in range(20)]
            assert len({math.isnan(value) for value in values}) == 1


def test_mean_over_folds_leaves_undecided_folds_out() -> None:
    assert mean_over_folds([1.0, math.nan, 0.0], [30, 5, 10]) == pytest.approx(0.75)
    assert math.isnan(mean_over_folds([math.nan], [5]))
    assert math.isnan(mean_over_folds([], []))
    assert mean_over_folds([math.inf, 1.0], [1, 1]) == math.inf


def test_importing_metrics_brings_numpy_alone() -> None:
    code = (
        "import sys; from artificer.metrics.base import metrics; metrics();"
        "print(sorted({'sklearn', 'scipy', 'pandas', 'polars', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
