"""A table that is sorted by a time is tested on its newest rows unless the project says otherwise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from artificer.problem.model import Problem
from artificer.training.intake import prepare_for
from artificer.training.parting import planned


def table(order: np.ndarray) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 20), "1h", eager=True)[:200]
    return pl.DataFrame({"at": hours, "x": rng.random(200), "y": rng.random(200)})[order]


@pytest.mark.parametrize(
    ("order", "settings", "expected"),
    [
        (np.arange(200), {}, True),
        (np.random.default_rng(1).permutation(200), {}, False),
        (np.arange(200), {"training": {"split": "random"}}, False),
    ],
    ids=["sorted", "shuffled", "sorted but said to be exchangeable"],
)
def test_sorted_rows_are_timed(order: np.ndarray, settings: dict, expected: bool) -> None:
    problem = Problem.model_validate({"data": {"target": "y"}, **settings})
    prepared, _ = planned(problem, prepare_for(problem, table(order)))
    assert (prepared.times is not None) is expected
    assert (prepared.contract.time == "at") is expected
    assert any("sorted" in note for note in prepared.notes) is expected


def test_a_named_time_needs_no_guess() -> None:
    problem = Problem.model_validate({"data": {"target": "y", "time": "at"}})
    prepared, _ = planned(problem, prepare_for(problem, table(np.arange(200))))
    assert prepared.times is not None
    assert not any("sorted" in note for note in prepared.notes)
