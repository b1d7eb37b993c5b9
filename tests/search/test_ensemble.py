"""Ensemble selection and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.metrics.base import metric
from artificer.search.calibrate import calibrate, row_losses
from artificer.search.ensemble import Library, select
from artificer.search.objective import Objective
from artificer.types import Task


def library(seed, task, metric_name, candidates=5, rows=60, folds=2):
    rng = np.random.default_rng(seed)
    objective = Objective(metric(metric_name), task)
    y, scores = [], []
    for _ in range(folds):
        if task is Task.REGRESSION:
            y.append(rng.normal(size=rows))
            noise = rng.uniform(0.1, 2, size=(candidates, 1)) * rng.normal(size=(candidates, rows))
            scores.append((y[-1] + noise)[:, :, None])
        else:
            y.append((np.arange(rows) % 2).astype(float))
            z = y[-1] - 0.5 + rng.uniform(0.1, 2, size=(candidates, 1)) * rng.normal(size=(candidates, rows))
            p = 1 / (1 + np.exp(-2 * z))
            scores.append(np.stack([1 - p, p], axis=-1))
    return Library(objective, tuple(y), tuple(scores))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(Task.BINARY, "roc_auc"), (Task.BINARY, "accuracy"), (Task.REGRESSION, "rmse")]),
)
def test_never_worse_than_the_best_single_candidate(seed, case):
    options = library(seed, *case)
    best = min(options.loss(one) for one in np.eye(5))
    chosen = select(options, worth=0.0, max_members=5)
    assert chosen.loss <= best + 1e-12
    assert options.loss(chosen.weights) == pytest.approx(chosen.loss, abs=1e-9)
    assert chosen.weights.sum() == pytest.approx(1.0)


def test_a_member_has_to_be_worth_its_place():
    options = library(1, Task.REGRESSION, "rmse", candidates=6)
    free, dear = select(options, 0.0, 6), select(options, 1e9, 6)
    assert (free.weights > 0).sum() > 1
    assert (dear.weights > 0).sum() == 1
    assert (select(options, 0.0, 2).weights > 0).sum() <= 2


def test_selection_looks_at_a_sample_of_a_large_table():
    options = library(0, Task.BINARY, "roc_auc", rows=30_000)
    assert sum(len(y) for y in options.thinned(0).y) <= 20_000
    assert options.thinned(0).scores[0].shape[1] == len(options.thinned(0).y[0])


def truth(rows=6000, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=rows)
    p = 1 / (1 + np.exp(-z))
    return z, (rng.uniform(size=rows) < p).astype(np.int64)


@pytest.mark.parametrize(("slope", "offset"), [(3.0, 0.0), (0.4, 0.0), (1.0, 1.5)])
def test_calibration_mends_a_model_that_is_too_sure_too_shy_or_shifted(slope, offset):
    z, y = truth()
    p = 1 / (1 + np.exp(-(slope * z + offset)))
    scores = np.column_stack([1 - p, p])
    half = len(y) // 2
    found = calibrate(y[:half], scores[:half], Task.BINARY)
    before, after = (row_losses(y[half:], s).mean() for s in (scores[half:], found.apply(scores[half:])))
    assert after < before - 0.01


def test_calibration_leaves_a_calibrated_model_alone():
    kept = 0
    for seed in range(10):
        z, y = truth(1000, seed)
        p = 1 / (1 + np.exp(-z))
        kept += calibrate(y, np.column_stack([1 - p, p]), Task.BINARY).kind == "identity"
    assert kept >= 7


def test_calibration_of_many_classes_is_a_temperature():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 4))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(4, p=row) for row in p])
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    found = calibrate(y, sharp, Task.MULTICLASS)
    assert found.kind == "temperature"
    assert found.scale == pytest.approx(1 / 3, rel=0.1)


def test_scores_that_rank_the_wrong_way_round_are_not_turned():
    z, y = truth()
    p = 1 / (1 + np.exp(z))
    found = calibrate(y, np.column_stack([1 - p, p]), Task.BINARY)
    assert found.kind in ("identity", "temperature")
    assert found.scale > 0


def test_few_rows_and_values_are_not_calibrated():
    assert calibrate(np.array([0, 1]), np.full((2, 2), 0.5), Task.BINARY).kind == "identity"
    assert calibrate(np.zeros(100, dtype=np.int64), np.zeros((100, 1)), Task.REGRESSION).kind == "identity"
