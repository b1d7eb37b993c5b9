"""Intervals: parity with the metrics, with known formulas, and coverage."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from artificer.evaluation import moments
from artificer.evaluation.estimate import estimate
from artificer.evaluation.influence import auc_influence, macro_auc_influence, stratified_covariance
from artificer.evaluation.intervals import Interval, newcombe_auc, wilson
from artificer.evaluation.resampling import sample
from artificer.metrics.base import metric, metrics
from artificer.types import Task

LEVELS = (0.1, 0.5, 0.9)


def binary(n: int, seed: int, signal: float = 1.0, share: float = 0.4) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    y[:2] = [0, 1]
    p = 1 / (1 + np.exp(-(signal * (2 * y - 1) * 0.5 + rng.normal(size=n))))
    return y, np.stack([1 - p, p], axis=1)


def data(task: Task, n: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    if task is Task.BINARY:
        return binary(n, seed)
    rng = np.random.default_rng(seed)
    if task is Task.MULTICLASS:
        y = np.concatenate([[0, 1, 2], rng.integers(0, 3, n - 3)])
        logits = rng.normal(size=(n, 3)) + np.eye(3)[y]
        return y, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = rng.gamma(2.0, 3.0, n)
    if task is Task.QUANTILE:
        return y, np.sort((y + rng.normal(size=n))[:, None] + np.array([-1.3, 0.0, 1.3]), axis=1)
    return y, (y + rng.normal(size=n))[:, None]


@pytest.mark.parametrize("name", sorted(metrics()))
def test_forms_say_what_the_metric_says_on_any_weights(name: str) -> None:
    found = metric(name, levels=LEVELS)
    for task in found.tasks:
        y, scores = data(task, 60, 1)
        form = moments.form(found, y, scores)
        if form is None:
            continue
        for seed in range(5):
            weight = np.random.default_rng(seed).integers(0, 4, 60).astype(float)
            means = weight @ form.columns / weight.sum()
            assert float(form.combine(means)) == pytest.approx(found.score(y, scores, weight), rel=1e-9)


@pytest.mark.parametrize("name", sorted(metrics()))
def test_every_metric_has_an_interval(name: str) -> None:
    found = metric(name, levels=LEVELS)
    for task in found.tasks:
        y, scores = data(task, 300, 2)
        for times in (None, np.arange(300)):
            interval = estimate(found, y, scores, times=times)
            assert interval.value == pytest.approx(found.score(y, scores))
            assert interval.low <= interval.lower <= interval.value <= interval.upper <= interval.high
            assert interval.low < interval.high
            assert found.low <= interval.low
            assert interval.high <= found.high
            assert 0 < interval.stderr < 1.5
            assert Interval.from_json(interval.to_json()) == interval


def test_auc_influence_agrees_with_pairs() -> None:
    rng = np.random.default_rng(3)
    y = rng.random(40) < 0.4
    score = rng.integers(0, 8, 40) / 8 + y * 0.1
    pairs = np.sign(score[y][:, None] - score[~y][None, :]) / 2 + 0.5
    auc, psi = auc_influence(y, score)
    assert auc == pytest.approx(pairs.mean())
    v10, v01 = pairs.mean(axis=1), pairs.mean(axis=0)
    expected = v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)
    assert stratified_covariance(psi[:, None], y.astype(int))[0, 0] == pytest.approx(expected)


def test_macro_auc_is_the_metric() -> None:
    y, scores = data(Task.MULTICLASS, 200, 4)
    assert macro_auc_influence(y, scores)[0] == pytest.approx(metric("roc_auc").score(y, scores))


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "brier", "balanced_accuracy", "f1", "average_precision"])
def test_standard_errors_match_the_spread_of_fresh_samples(name: str) -> None:
    found = metric(name)
    values, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], [240, 160])  # classes are fixed, as in a stratified test set
        p = 1 / (1 + np.exp(-((2 * y - 1) * 0.5 + rng.normal(size=400))))
        interval = estimate(found, y, np.stack([1 - p, p], axis=1), seed=seed)
        values.append(interval.value)
        errors.append(interval.stderr)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "rmse", "log_loss", "r2"])
def test_coverage(name: str) -> None:
    found = metric(name)
    task = Task.BINARY if Task.BINARY in found.tasks else Task.REGRESSION
    y, scores = data(task, 200_000, 99)
    truth = found.score(y, scores)
    inside = []
    for seed in range(200):
        y, scores = data(task, 300, seed)
        interval = estimate(found, y, scores, seed=seed)
        inside.append(interval.low <= truth <= interval.high)
    # 200 draws at 95 %: four binomial standard errors are 6 %; small samples may undercover a little.
    assert np.mean(inside) > 0.89


def test_neighbours_that_resemble_each_other_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    n = 2_000
    error = np.convolve(rng.normal(size=n + 9), np.ones(10) / 3, mode="valid")
    y = rng.normal(size=n)
    scores = (y + error)[:, None]
    plain = estimate(metric("mae"), y, scores)
    blocks = estimate(metric("mae"), y, scores, times=np.arange(n))
    assert blocks.stderr > 1.7 * plain.stderr
    assert "blocks of" in blocks.method
    independent = estimate(metric("mae"), y, rng.permutation(scores), times=np.arange(n))
    assert independent.stderr == pytest.approx(estimate(metric("mae"), y, rng.permutation(scores)).stderr, rel=0.2)


def test_a_perfect_score_on_few_rows_is_not_certain() -> None:
    y = np.array([0, 1] * 10)
    scores = np.stack([1.0 - y, y], axis=1)
    for name in ("roc_auc", "accuracy", "balanced_accuracy", "f1"):
        interval = estimate(metric(name), y, scores)
        assert interval.value == 1.0
        assert 0.5 < interval.low < 0.9
    assert estimate(metric("log_loss"), y[:4], scores[:4]).high == math.inf


def test_undefined_is_said() -> None:
    interval = estimate(metric("roc_auc"), np.ones(30, int), np.full((30, 2), 0.5))
    assert math.isnan(interval.value)
    assert interval.to_json()["value"] is None
    assert interval.method == "not defined on these rows"


def test_same_seed_same_interval() -> None:
    y, scores = data(Task.REGRESSION, 500, 6)
    assert estimate(metric("rmse"), y, scores, seed=3) == estimate(metric("rmse"), y, scores, seed=3)


def test_random_groups_keep_the_spread() -> None:
    y, scores = data(Task.REGRESSION, 40_000, 7)
    drawn = sample(metric("mae"), y, [scores])
    expected = np.abs(y - scores[:, 0]).std() / np.sqrt(40_000)
    assert np.sqrt(drawn.covariance[0, 0]) == pytest.approx(expected, rel=0.1)


def test_exact_intervals() -> None:
    assert wilson(0, 0, 1.96) == (0.0, 1.0)
    assert wilson(5, 10, 1.96) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    low, high = newcombe_auc(0.8, 50, 50, 1.96)
    assert low < 0.8 < high
    assert newcombe_auc(0.0, 10, 10, 1.96)[0] == 0.0


@pytest.mark.slow
def test_hundred_thousand_rows_take_seconds_not_minutes() -> None:
    for task in Task:
        y, scores = data(task, 100_000, 8)
        for name in metrics(task):
            found = metric(name, levels=LEVELS)
            begin = time.process_time()
            estimate(found, y, scores)
            assert time.process_time() - begin < 20.0, name
