"""Learners that need the target's own unit get it, in this process and in others."""

from dataclasses import replace

import numpy as np
import pytest

from artificer.search.candidates import portfolio
from artificer.search.executor import InlineExecutor
from artificer.search.processes import ProcessExecutor
from artificer.search.records import Candidate
from artificer.search.search import prepare, run_search
from artificer.types import Task


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_log_linear_model_learns_what_multiplies(request_of, elsewhere):
    request = request_of(Task.REGRESSION, candidates=(Candidate("glm", "glm", {}, "linear"),))
    numbers = request.blocks.numbers
    y = 1000 * np.exp(numbers[:, 0] - 0.5 * numbers[:, 1])
    executor = ProcessExecutor() if elsewhere else InlineExecutor(request.clock)
    board = run_search(replace(request, y=y, executor=executor)).leaderboard
    assert board.score < 0.3 * board.baseline_score


def test_what_does_not_suit_the_target_stays_out_of_the_portfolio():
    names = [
        {c.algorithm for c in portfolio(Task.REGRESSION, 10_000, y=y)}
        for y in (np.array([0.0, 2.0]), np.array([-1.0, 2.0]))
    ]
    assert names[0] - names[1] == {"glm"}


def test_the_unit_is_that_of_the_target(request_of):
    request = request_of(Task.REGRESSION)
    data, _ = prepare(request)
    np.testing.assert_allclose(data.y * data.spread + data.center, request.y)
    data, _ = prepare(request_of(Task.BINARY))
    assert (data.center, data.spread) == (0.0, 1.0)
