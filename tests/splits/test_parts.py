"""Parts within training keep groups whole and stretches of time together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.splits.parts import inner_parts, merged
from artificer.types import Ints


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 80), st.integers(2, 6), st.integers(1, 30), st.integers(0, 1000))
def test_groups_and_moments_stay_whole(n: int, k: int, many: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, times = rng.integers(0, many, n), rng.integers(0, many, n)
    for part in (inner_parts(n, k, seed, groups), inner_parts(n, k, seed, groups, times)):
        assert part.shape == (n,)
        assert part.dtype == np.int64
        assert 0 <= part.min() <= part.max() < k
        assert all(len(set(part[groups == g])) == 1 for g in np.unique(groups))
    by_time = inner_parts(n, k, seed, times=times)
    assert all(len(set(by_time[times == t])) == 1 for t in np.unique(times))
    assert (np.diff(by_time[np.argsort(times, kind="stable")]) >= 0).all()


def test_parts_of_groups_are_about_as_large() -> None:
    groups = np.random.default_rng(0).integers(0, 200, 5000)
    assert np.ptp(np.bincount(inner_parts(5000, 5, 0, groups))) < 300


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=40))
def test_merged_groups_are_the_finest_that_keep_both(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=np.int64).T
    joined = merged(first, second)
    for codes in (first, second):
        assert all(len(set(joined[codes == c])) == 1 for c in np.unique(codes))
    assert len(np.unique(joined)) == len(_by_hand(first, second))


def _by_hand(first: Ints, second: Ints) -> list[set[int]]:
    sets = [{*np.flatnonzero(codes == c).tolist()} for codes in (first, second) for c in np.unique(codes)]
    found: list[set[int]] = []
    for rows in sets:
        touching = [each for each in found if each & rows]
        found = [each for each in found if not each & rows] + [set().union(rows, *touching)]
    return found
