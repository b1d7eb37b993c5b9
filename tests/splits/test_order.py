"""When rows count as ordered in time, and when they must not."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.splits.order import infer_order
from artificer.types import MISSING_TIME

N = 200
HOURS = 3600 * np.arange(N, dtype=np.int64)
RNG = np.random.default_rng(0)


def test_a_sorted_time_orders_the_rows() -> None:
    found = infer_order([("noise", RNG.permutation(HOURS)), ("at", HOURS)], [])
    assert found is not None
    assert found.column == "at"
    assert found.times.tolist() == HOURS.tolist()


@pytest.mark.parametrize(
    "moments",
    [RNG.permutation(HOURS), np.where(np.arange(N) == 3, MISSING_TIME, HOURS), HOURS // (3600 * 50), HOURS[:20]],
    ids=["shuffled", "a missing one", "few moments", "few rows"],
)
def test_other_times_do_not(moments: np.ndarray) -> None:
    assert infer_order([("at", moments)], []) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(N) + 5.0, "a counter of rows"),
        (np.sort(RNG.choice(300, N, replace=False)).astype(float), "a counter of rows"),
        (np.repeat([2001.0, 2002.0, 2003.0, 2004.0], N // 4), "a calendar year"),
        (np.sort(RNG.normal(size=N)), None),
        (np.sort(RNG.integers(20, 60, N)).astype(float), None),
        (np.repeat([2001.0, 2002.0], N // 2), None),
        (np.sort(RNG.integers(1900, 2001, N)).astype(float), None),
        (np.sort(RNG.choice(10**6, N, replace=False)).astype(float), None),
    ],
    ids=[
        "counter",
        "counter with gaps",
        "years",
        "measurement",
        "sorted ages",
        "two years",
        "lots by price",
        "sparse numbers",
    ],
)
def test_numbers_tell_time_only_as_years_and_counters(values: np.ndarray, expected: str | None) -> None:
    found = infer_order([], [("x", values.astype(np.float32))])
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert expected in found.reason


def test_years_are_the_last_resort() -> None:
    years = np.repeat([2001.0, 2002.0, 2003.0, 2004.0], N // 4)
    found = infer_order([], [("built", years), ("row", np.arange(N, dtype=np.float64))])
    assert found is not None
    assert found.column == "row"


def test_rows_sorted_by_class_have_no_order() -> None:
    counter = [("row", np.arange(N, dtype=np.float64))]
    assert infer_order([], counter, np.repeat([0, 1], N // 2)) is None
    assert infer_order([], counter, RNG.integers(0, 2, N)) is not None
