"""Splits: partition, purity, order, stratification, determinism, over generated tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artificer.errors import DataError, TargetError
from artificer.splits.split import folds, holdout
from artificer.types import MISSING_TIME, Task


@st.composite
def tables(draw: st.DrawFn) -> tuple[Task, NDArray[Any], NDArray[Any], NDArray[Any], int]:
    n = draw(st.integers(4, 120))
    task = draw(st.sampled_from(list(Task)))
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    n_classes = 2 if task is Task.BINARY else draw(st.integers(2, 6))
    weights = rng.dirichlet(np.ones(n_classes))
    y: NDArray[Any] = rng.choice(n_classes, n, p=weights)
    y[:4] = [0, 0, 1, 1]
    if not task.is_classification:
        y = rng.normal(size=n).round(draw(st.integers(0, 3)))
    groups = rng.integers(0, draw(st.integers(2, 40)), n)
    groups[:2] = [0, 1]
    times = rng.integers(0, draw(st.integers(2, 200)), n)
    times[:2] = [0, 1]
    return task, y, groups, times, seed


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(0.05, 0.6))
def test_random_holdout_is_a_stratified_partition(table: Any, share: float) -> None:
    task, y, _, _, seed = table
    n = len(y)
    train, test = holdout(n, task, y, share, seed)
    assert sorted([*train, *test]) == list(range(n))
    assert len(train)
    assert len(test)
    if task.is_classification:
        for label in np.unique(y):
            count = int((y == label).sum())
            assert abs(int((y[test] == label).sum()) - count * share) <= 1.0 + 1e-9
            assert (y[train] == label).any()
    again = holdout(n, task, y, share, seed)
    assert np.array_equal(again[1], test)


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(2, 7))
def test_random_folds_partition_all_but_single_rows(table: Any, k: int) -> None:
    task, y, _, _, seed = table
    n = len(y)
    pairs = folds(n, task, y, k, seed)
    assert 2 <= len(pairs) <= k
    held = np.concatenate([valid for _, valid in pairs])
    assert len(np.unique(held)) == len(held)
    for train, valid in pairs:
        assert len(train)
        assert len(valid)
        assert sorted([*train, *valid]) == list(range(n))
    missing = np.setdiff1d(np.arange(n), held)
    if task.is_classification:
        assert all((y == y[row]).sum() == 1 for row in missing)
        for label in np.unique(y):
            counts = [int((y[valid] == label).sum()) for _, valid in pairs]
            assert max(counts) - min(counts) <= 1
            assert all((y[train] == label).any() for train, _ in pairs)
    else:
        assert not len(missing)
    sizes = [len(valid) for _, valid in pairs]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(0.1, 0.5), st.integers(2, 6))
def test_groups_stay_whole(table: Any, share: float, k: int) -> None:
    task, y, groups, _, seed = table
    n = len(y)
    train, test = holdout(n, task, y, share, seed, groups=groups)
    assert sorted([*train, *test]) == list(range(n))
    assert len(train)
    assert len(test)
    assert not np.intersect1d(groups[train], groups[test]).size
    for train, valid in folds(n, task, y, k, seed, groups=groups):
        assert len(train)
        assert len(valid)
        assert not np.intersect1d(groups[train], groups[valid]).size


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(0.1, 0.5), st.integers(2, 6))
def test_time_order_and_ties(table: Any, share: float, k: int) -> None:
    task, y, _, times, seed = table
    n = len(y)
    train, test = holdout(n, task, y, share, seed, times=times)
    assert sorted([*train, *test]) == list(range(n))
    assert times[train].max() < times[test].min()
    pairs = folds(n, task, y, k, seed, times=times)
    assert 1 <= len(pairs) <= k
    newest = -1
    for train, valid in pairs:
        assert times[train].max() < times[valid].min()
        assert times[valid].min() > newest
        assert len(train) == (times < times[valid].min()).sum()
        newest = times[valid].max()


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(0.1, 0.5), st.integers(2, 6))
def test_groups_and_times_together(table: Any, share: float, k: int) -> None:
    task, y, groups, times, seed = table
    n = len(y)
    try:
        pairs = [holdout(n, task, y, share, seed, groups=groups, times=times)]
        pairs += folds(n, task, y, k, seed, groups=groups, times=times)
    except DataError:
        # Only where every group stands on one side of every moment, or each side would lose its last group.
        assert len(np.unique(groups)) < 8 or n < 40
        return
    for train, test in pairs:
        assert len(train)
        assert len(test)
        assert times[train].max() < times[test].min()
        assert not np.intersect1d(groups[train], groups[test]).size


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(0.1, 0.5), st.integers(2, 6), st.floats(0, 60), st.booleans())
def test_gaps_are_kept_and_rows_accounted_for(table: Any, share: float, k: int, gap: float, grouped: bool) -> None:
    task, y, groups, times, seed = table
    n, kept = len(y), groups if grouped else None
    pairs, refused = [], ""
    try:
        pairs += [holdout(n, task, y, share, seed, groups=kept, times=times, gap=gap)]
        pairs += folds(n, task, y, k, seed, groups=kept, times=times, gap=gap)
    except DataError as error:
        refused = str(error)
    assert "\n" not in refused
    for train, test in pairs:
        assert len(train)
        assert len(test)
        assert times[test].min() - times[train].max() > gap or gap == 0
        assert times[train].max() < times[test].min()
        assert not np.intersect1d(train, test).size
        assert np.array_equal(train, np.unique(train))
        assert not grouped or not np.intersect1d(groups[train], groups[test]).size
    if pairs and not grouped:  # the rows of a holdout that are on neither side are those within the gap
        train, test = pairs[0]
        out = np.setdiff1d(np.arange(n), np.concatenate([train, test]))
        assert (times[out] >= times[test].min() - gap).all()


def test_gap_leaves_rows_out() -> None:
    times = np.arange(100) * 10
    train, test = holdout(100, Task.REGRESSION, np.zeros(100), 0.2, 0, times=times, gap=55.0)
    assert test.tolist() == list(range(80, 100))
    assert train.max() == 74  # 740 + 55 < 800 <= 750 + 55
    for early, late in folds(100, Task.REGRESSION, np.zeros(100), 4, 0, times=times, gap=55.0):
        assert times[late].min() - times[early].max() > 55.0
    with pytest.raises(DataError, match="shorten the gap"):
        holdout(100, Task.REGRESSION, np.zeros(100), 0.2, 0, times=times, gap=5000.0)


def test_missing_times_are_oldest() -> None:
    times = np.array([5, MISSING_TIME, 7, 9, 8, MISSING_TIME])
    train, test = holdout(6, Task.REGRESSION, np.zeros(6), 0.34, 0, times=times)
    assert train.tolist() == [0, 1, 2, 5]
    assert test.tolist() == [3, 4]
    dates = np.array(["2020-01-02", "NaT", "2020-01-03", "2020-01-05"], "datetime64[s]")
    train, test = holdout(4, Task.REGRESSION, np.zeros(4), 0.25, 0, times=dates)  # type: ignore[arg-type]
    assert train.tolist() == [0, 1, 2]


def test_class_of_one_row_is_always_trained_on() -> None:
    y = np.array([0] * 20 + [1] * 20 + [2])
    for seed in range(20):
        train, _ = holdout(41, Task.MULTICLASS, y, 0.3, seed)
        assert 40 in train
        assert all(40 in train for train, _ in folds(41, Task.MULTICLASS, y, 5, seed))


def test_class_of_one_group_is_always_trained_on() -> None:
    y = np.array([0, 1] * 20 + [2] * 4)
    groups = np.array([f"g{row // 4}" for row in range(44)], dtype=object)
    for seed in range(10):
        train, _ = holdout(44, Task.MULTICLASS, y, 0.3, seed, groups=groups)
        assert (y[train] == 2).sum() == 4
        assert all((y[train] == 2).sum() == 4 for train, _ in folds(44, Task.MULTICLASS, y, 5, seed, groups=groups))


def test_grouped_parts_come_close_to_shares_and_classes() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 5_000, 20_000)
    y = (rng.random(20_000) < 0.1).astype(int)
    _, test = holdout(20_000, Task.BINARY, y, 0.2, 0, groups=groups)
    assert abs(len(test) / 20_000 - 0.2) < 0.01
    assert abs(y[test].mean() - y.mean()) < 0.01
    for _, valid in folds(20_000, Task.BINARY, y, 5, 0, groups=groups):
        assert abs(len(valid) / 20_000 - 0.2) < 0.01
        assert abs(y[valid].mean() - y.mean()) < 0.01


def test_forward_chaining_waits_for_a_second_class() -> None:
    y = np.array([0] * 60 + [0, 1] * 20)
    pairs = folds(100, Task.BINARY, y, 4, 0, times=np.arange(100))
    for train, valid in pairs:
        assert len(np.unique(y[train])) == 2
        assert len(np.unique(y[valid])) == 2


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows(n: int) -> None:
    with pytest.raises(DataError, match="at least 3"):
        holdout(n, Task.REGRESSION, np.zeros(n), 0.2, 0)


def test_three_rows_are_two_and_one() -> None:
    train, test = holdout(3, Task.BINARY, np.array([0, 1, 0]), 0.2, 0)
    assert (len(train), len(test)) == (2, 1)
    assert set(train) & {1}
    assert len(folds(3, Task.REGRESSION, np.zeros(3), 5, 0)) == 3


def test_refusals() -> None:
    with pytest.raises(TargetError, match="single row"):
        holdout(3, Task.MULTICLASS, np.array([0, 1, 2]), 0.3, 0)
    with pytest.raises(DataError, match="one group only"):
        holdout(9, Task.REGRESSION, np.zeros(9), 0.3, 0, groups=np.ones(9))
    with pytest.raises(DataError, match="one moment only"):
        folds(9, Task.REGRESSION, np.zeros(9), 3, 0, times=np.ones(9, int))
    with pytest.raises(DataError, match="between 0 and 1"):
        holdout(9, Task.REGRESSION, np.zeros(9), 1.0, 0)
    with pytest.raises(DataError, match="5 values for 9 rows"):
        holdout(9, Task.REGRESSION, np.zeros(5), 0.5, 0)
