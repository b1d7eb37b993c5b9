"""Tables at the edge of what can be learnt from: a model comes out, finite everywhere, and what is odd is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.metrics.base import metric
from artificer.search.records import Budget, Candidate
from artificer.search.search import run_search
from artificer.types import Kind, Task

BOOSTING = Candidate("lightgbm", "lightgbm", {"rounds": 20, "max_rounds": 40, "patience": 10}, "trees")
LOGISTIC = Candidate("logistic", "logistic", {}, "linear")
RIDGE = Candidate("ridge", "ridge", {}, "linear")


def is_sound(result) -> None:
    assert np.isfinite(result.oof_scores).all()
    assert sum(m.weight for m in result.members) == pytest.approx(1.0)


def test_more_classes_than_rows_allow_folds_for():
    rng = np.random.default_rng(0)
    rows = 45
    labels = np.array([f"c{i % 15}" for i in range(rows)])
    table = pl.DataFrame({"x": rng.normal(size=rows) + np.arange(rows) % 15, "y": labels})
    run = artificer.train(table, "y", budget="3 fits")
    assert sorted(run.model.classes) == sorted(set(labels))
    assert np.isfinite(run.model.scores(table)).all()


def test_a_class_that_is_absent_from_a_fold(request_of):
    request = request_of(Task.MULTICLASS, n=240, metric_name="log_loss", candidates=(BOOSTING, LOGISTIC))
    rare = np.flatnonzero(request.y == 2)
    rest = np.setdiff1d(np.arange(240), rare)
    thirds = np.array_split(rest, 3)
    folds = [
        (np.setdiff1d(rest, thirds[0]), thirds[0]),  # the class is in neither part
        (np.setdiff1d(np.arange(240), thirds[1]), thirds[1]),  # in training alone
        (np.setdiff1d(rest, thirds[2]), np.union1d(thirds[2], rare)),  # in validation alone
    ]
    result = run_search(replace(request, folds=folds, budget=Budget(fits=8)))
    is_sound(result)
    rows = {r.name: r for r in result.leaderboard.rows}
    assert rows["lightgbm"].status != "failed", rows["lightgbm"].reason
    assert rows["logistic"].status != "failed", rows["logistic"].reason


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_where_all_features_are_useless_the_constant_wins_and_is_said_to(request_of, task):
    learners = (BOOSTING, LOGISTIC if task is Task.BINARY else RIDGE)
    request = request_of(task, n=300, candidates=learners, budget=Budget(fits=12))
    numbers = np.zeros((300, 3), dtype=np.float32)
    if task is Task.REGRESSION:  # where learners may see patterns in noise
        numbers = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    empty = {"strings": np.empty((300, 0), dtype=object), "times": np.empty((300, 0), dtype=np.int64)}
    names = {**request.names, Kind.STRINGS: [], Kind.TIMES: []}
    blocks = replace(request.blocks, numbers=numbers, **empty)
    result = run_search(replace(request, blocks=blocks, names=names))
    assert [m.candidate.algorithm for m in result.members] == ["constant"]
    assert any("the model is the constant baseline" in note for note in result.notes)


@pytest.mark.parametrize("target", [["a", "b", "a"], [1.5, 2.5, 3.5]])
def test_three_rows(target):
    run = artificer.train(pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": target}), "y", budget="4 fits")
    assert len(run.model.predict(pl.DataFrame({"x": [2.0]}))) == 1


def test_two_thousand_columns(request_of):
    rng = np.random.default_rng(2)
    request = request_of(n=200, k=2, candidates=(LOGISTIC, BOOSTING), budget=Budget(fits=4))
    numbers = np.hstack([request.blocks.numbers, rng.normal(size=(200, 1997)).astype(np.float32)])
    names = {**request.names, Kind.NUMBERS: [f"n{j}" for j in range(2000)]}
    result = run_search(replace(request, blocks=replace(request.blocks, numbers=numbers), names=names))
    is_sound(result)
    assert result.leaderboard.score is not None
    assert result.leaderboard.score > 0.6


def test_a_target_with_extreme_outliers(request_of):
    request = request_of(Task.REGRESSION, n=300, candidates=(BOOSTING, RIDGE), budget=Budget(fits=12))
    y = request.y.copy()
    y[::60] = [1e12, -1e12, 1e15, 3e9, -4e13]
    for name in ("rmse", "mae"):
        result = run_search(replace(request, y=y, metric=metric(name)))
        is_sound(result)
        rows = {r.name: r for r in result.leaderboard.rows}
        assert all(np.isfinite(r.score) for r in rows.values() if r.score is not None)
        assert rows["lightgbm"].status != "failed"
        assert rows["ridge"].status != "failed"
