"""The test set and the folds: stratified random, grouped, by time, or grouped and by time.

What callers may rely on: the same arguments give the same rows; indices are int64, sorted, without repeats; no part is
ever empty; a group never stands on both sides of a split; with times, every training row is older than every row it is
tested on, and rows of one moment stay together. Rows that would break a promise (the gap before a test part, the other
half of a group that stands on both sides of a moment) are left out of that split; without groups-and-times or a gap a
split is a partition of all rows.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from artificer.errors import DataError, TargetError
from artificer.splits import parts
from artificer.types import Doubles, Ints, Task

Split: TypeAlias = tuple[Ints, Ints]

FEWEST_ROWS = 3
"""With fewer rows nothing can be trained and tested."""


def holdout(
    n: int,
    task: Task,
    y: Doubles | Ints,
    share: float,
    seed: int,
    groups: NDArray[Any] | None = None,
    times: Ints | Doubles | None = None,
    gap: float = 0.0,
) -> Split:
    """Put a test set aside.

    Parameters
    ----------
    n : number of rows.
    task : classification is stratified by class, regression by slices of the sorted target.
    y : class codes or target values, (n,).
    share : wanted share of test rows, between 0 and 1. Kept within one row a stratum where neither groups nor ties of
        time forbid it.
    seed : of the random choice; without effect where time decides alone.
    groups : labels (n,) of any one type; rows of a group stay on one side.
    times : (n,), seconds or datetime64; the newest rows become the test set. Missing times count as oldest.
    gap : with `times`, training rows newer than the first test moment minus `gap` seconds are left out.

    Returns
    -------
    train, test : int64 row indices, sorted.

    Raises
    ------
    DataError
        Fewer than three rows, one group only, one moment only, or a gap that leaves nothing to train on.
    TargetError
        Every class has a single row.

    Notes
    -----
    A class with one row goes to training. Three rows are enough: two to train, one to test.

    Examples
    --------
    >>> train, test = holdout(10, Task.BINARY, np.array([0] * 5 + [1] * 5), 0.4, seed=0)
    >>> len(train), len(test), bool((test >= 5).sum() == 2)
    (6, 4, True)
    """
    y = cast(Doubles | Ints, np.asarray(y))
    _check(n, y, groups, times)
    if not 0.0 < share < 1.0:
        raise DataError(f"The share of test rows must lie between 0 and 1, not {share}.")
    rng = np.random.default_rng(seed)
    if times is not None:
        return _time_holdout(n, y, share, groups, times, gap)
    strata = parts.strata_of(task, y, round(1.0 / share))
    if groups is not None:
        codes = _codes(groups)
        fixed = _sole_holders(codes, strata, 0) if task.is_classification else np.full(codes.max() + 1, -1, np.int64)
        if (fixed == 0).all():
            fixed[:] = -1  # each class sits in one group: no split can show every class on both sides
        part = parts.deal_groups(codes, strata, np.array([1.0 - share, share]), fixed, rng)
        return np.flatnonzero(part[codes] == 0), np.flatnonzero(part[codes] == 1)
    test = parts.choose_test(strata, share, task.is_classification, rng)
    if not len(test):
        raise TargetError("Every class has a single row, so no test set can be put aside; add rows or merge classes.")
    return np.setdiff1d(np.arange(n), test, assume_unique=True), test


def fold_count(rows: int) -> int:
    """How many folds rank candidates on so many rows: fewer where each is large enough to rank by itself.

    Examples
    --------
    >>> fold_count(1_000), fold_count(500_000)
    (5, 3)
    """
    return 5 if rows <= 20_000 else 4 if rows <= 100_000 else 3


def folds(
    n: int,
    task: Task,
    y: Doubles | Ints,
    k: int,
    seed: int,
    groups: NDArray[Any] | None = None,
    times: Ints | Doubles | None = None,
    gap: float = 0.0,
) -> tuple[Split, ...]:
    """Make up to `k` pairs of training and validation rows.

    Without times: k disjoint validation parts that together hold every row, except rows of a class that has a single
    row (or a single group), which are in every training part. With times: forward chaining on an expanding window; the
    oldest rows are never validated on, and fold i trains on everything older than its validation rows.

    Parameters
    ----------
    n, task, y, seed, groups, times, gap : as in `holdout`.
    k : wanted number of folds, at least 2.

    Returns
    -------
    Tuple of (train, valid). Fewer than `k` when there are too few rows, groups or moments; with times possibly one.

    Raises
    ------
    DataError
        Fewer than three rows, one group only, one moment only.

    Examples
    --------
    >>> [len(valid) for train, valid in folds(7, Task.REGRESSION, np.arange(7.0), 3, seed=0)]
    [3, 2, 2]
    >>> [valid.tolist() for train, valid in folds(6, Task.REGRESSION, np.zeros(6), 2, 0, times=np.arange(6))]
    [[2, 3], [4, 5]]
    """
    y = cast(Doubles | Ints, np.asarray(y))
    _check(n, y, groups, times)
    if k < 2:
        raise DataError(f"Cross-validation needs at least 2 folds, not {k}.")
    rng = np.random.default_rng(seed)
    if times is not None:
        return _time_folds(task, y, k, groups, times, gap)
    if groups is not None:
        codes = _codes(groups)
        k = min(k, int(codes.max()) + 1)
        strata = parts.strata_of(task, y, k)
        fixed = np.full(codes.max() + 1, -1, np.int64)
        if task.is_classification:
            fixed = _sole_holders(codes, strata, -2)
            if (fixed == -1).sum() < 2:
                fixed[:] = -1
            k = min(k, int((fixed == -1).sum()))
        part = parts.deal_groups(codes, strata, np.full(k, 1.0 / k), fixed, rng)[codes]
    else:
        k = min(k, n)
        strata = parts.strata_of(task, y, k)
        part = parts.deal_strata(strata, k, task.is_classification, rng)
        k = int(part.max()) + 1
    return tuple((np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(k))


def _check(n: int, y: NDArray[Any], groups: NDArray[Any] | None, times: NDArray[Any] | None) -> None:
    for name, values in (("target", y), ("group column", groups), ("time column", times)):
        if values is not None and len(values) != n:
            raise DataError(f"The {name} has {len(values)} values for {n} rows; give one for each row.")
    if n < FEWEST_ROWS:
        raise DataError(f"There are only {n} usable rows; at least {FEWEST_ROWS} are needed to train and to test.")


def _codes(groups: NDArray[Any]) -> Ints:
    """Number the groups from 0. Missing labels (None, NaN) are one group."""
    labels = np.asarray(groups)
    if labels.dtype == object:
        labels = np.array(["" if label is None else str(label) for label in labels])
    codes = np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if codes.max() < 1:
        raise DataError("The group column holds one group only, so no split keeps groups apart; choose another.")
    return codes


def _sole_holders(codes: Ints, strata: Ints, value: int) -> Ints:
    """Mark with `value` the groups that alone hold all rows of a class; -1 for the others."""
    pairs = np.unique(np.stack([strata, codes]), axis=1)
    lone = np.bincount(pairs[0]) == 1
    fixed = np.full(int(codes.max()) + 1, -1, np.int64)
    fixed[pairs[1][lone[pairs[0]]]] = value
    return fixed


def _time_holdout(
    n: int, y: NDArray[Any], share: float, groups: NDArray[Any] | None, times: NDArray[Any], gap: float
) -> Split:
    codes = parts.time_codes(times)
    _several_moments(codes)
    older = np.cumsum(np.bincount(codes))[:-1]  # rows older than moment i + 1
    cut = int(np.argmin(np.abs(older - n * (1.0 - share)))) + 1
    split = _older_and_newer(codes < cut, codes >= cut, groups, times, gap)
    if split is None:
        raise DataError(
            f"No training rows are left more than {gap:g} seconds before the test set; shorten the gap."
            if gap
            else "No row is left to train on once groups and times are kept apart; drop the group or the time column."
        )
    return split


def _time_folds(
    task: Task, y: NDArray[Any], k: int, groups: NDArray[Any] | None, times: NDArray[Any], gap: float
) -> tuple[Split, ...]:
    codes = parts.time_codes(times)
    _several_moments(codes)
    edges = _edges(task, y, codes, k)
    pairs = [
        _older_and_newer(codes < low, (codes >= low) & (codes < high), groups, times, gap)
        for low, high in itertools.pairwise(edges)
    ]
    found = tuple(pair for pair in pairs if pair is not None)
    if not found:
        raise DataError("No fold has rows to train on once groups, gap and times are respected; drop one of them.")
    return found


def _edges(task: Task, y: NDArray[Any], codes: Ints, k: int) -> list[int]:
    """Moments at which validation parts begin, and the end: equal row counts, ties whole, classes seen before.

    The first part begins when at least two classes were seen, and every class that appears in the first half of the
    rows; a part with a single class is joined to the next, since most metrics say nothing about it.
    """
    n, moments = len(codes), int(codes.max()) + 1
    older = np.concatenate([[0], np.cumsum(np.bincount(codes))])  # rows older than moment i
    first = 1
    if task.is_classification:
        seen = np.sort([codes[y == label].min() for label in np.unique(y)])
        early = seen[older[seen] <= n / 2]
        first = int(max(early.max(initial=0), seen[min(1, len(seen) - 1)])) + 1
        first = first if first < moments else 1
    start = max(n / (k + 1), float(older[first]))
    wanted = start + (n - start) * np.arange(k) / k
    inner = np.arange(first, moments)
    edges = {int(inner[np.argmin(np.abs(older[inner] - rows))]) for rows in wanted}
    begins = sorted(edges)
    if task.is_classification:
        begins = _with_two_classes(y, codes, begins, moments)
    return [*begins, moments]


def _with_two_classes(y: NDArray[Any], codes: Ints, begins: list[int], moments: int) -> list[int]:
    kept = list(begins)
    index = 0
    while index < len(kept) and len(kept) > 1:
        high = kept[index + 1] if index + 1 < len(kept) else moments
        if len(np.unique(y[(codes >= kept[index]) & (codes < high)])) > 1:
            index += 1
        elif index + 1 < len(kept):
            del kept[index + 1]
        else:
            del kept[index]
            index -= 1
    return kept


def _several_moments(codes: Ints) -> None:
    if codes.max() < 1:
        raise DataError("The time column holds one moment only, so rows cannot be split by time; choose another.")


def _older_and_newer(
    older: NDArray[np.bool_],
    newer: NDArray[np.bool_],
    groups: NDArray[Any] | None,
    times: NDArray[Any],
    gap: float,
) -> Split | None:
    """Apply the gap and keep groups apart. None when a side becomes empty."""
    if gap > 0.0:
        seconds = parts.as_seconds(times)
        older = older & (seconds < seconds[newer].min() - gap)
    if groups is not None and older.any() and newer.any():
        codes = _codes(groups)
        to_newer = _side_of_groups(codes, older, newer)
        older, newer = older & ~to_newer[codes], newer & to_newer[codes]
    if not older.any() or not newer.any():
        return None
    return np.flatnonzero(older), np.flatnonzero(newer)


def _side_of_groups(codes: Ints, older: NDArray[np.bool_], newer: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each group whether its newer rows are kept (else its older ones): the side that loses less by it."""
    before = np.bincount(codes[older], minlength=codes.max() + 1)
    after = np.bincount(codes[newer], minlength=codes.max() + 1)
    pull = after / max(after.sum(), 1) - before / max(before.sum(), 1)
    to_newer = pull > 0
    if not after[to_newer].sum():
        to_newer[np.argmax(np.where(after > 0, pull, -np.inf))] = True
    if not before[~to_newer].sum():
        to_newer[np.argmin(np.where(before > 0, pull, np.inf))] = False
    result: NDArray[np.bool_] = to_newer
    return result
