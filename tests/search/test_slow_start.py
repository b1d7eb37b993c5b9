"""A crowded machine: workers that come up late or never, and budgets too short for a fit on all rows."""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from artificer.algorithms.base import ALL_TASKS
from artificer.clock import ManualClock
from artificer.features.planning import plan
from artificer.search.candidates import portfolio
from artificer.search.executor import Executor, InlineExecutor, Session
from artificer.search.processes import ProcessExecutor
from artificer.search.records import Budget
from artificer.search.search import prepare, run_search
from artificer.search.tasks import FitTask
from artificer.types import Task


class NeverReady(Session):
    """Takes orders and never answers, as a server does that is still importing when the budget is over."""

    concurrent = True

    def submit(self, task):
        return Future()

    def close(self):
        pass


class LateExecutor(Executor):
    def start(self, data):
        return NeverReady()


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_a_model_that_is_no_constant_comes_out_though_no_worker_ever_answers(task, request_of):
    result = run_search(request_of(task, budget=Budget(seconds=0.8), executor=LateExecutor()))
    expected = "ridge" if task is Task.REGRESSION else "logistic"
    assert [m.candidate.algorithm for m in result.members] == [expected]
    board, metric = result.leaderboard, request_of(task).metric
    assert metric.better(board.score, board.baseline_score)
    y = np.asarray(request_of(task).y)[result.oof_rows]
    assert metric.better(metric.score(y, result.oof_scores), board.baseline_score)
    assert result.recipe["members"][0]["algorithm"] == expected


def test_there_is_a_model_even_where_the_budget_was_over_before_the_search_began(request_of):
    result = run_search(request_of(budget=Budget(seconds=1e-3), executor=LateExecutor()))
    assert [m.candidate.algorithm for m in result.members] == ["logistic"]


def test_work_units_are_spent_by_the_race_alone(request_of):
    candidates = tuple(c for c in portfolio(Task.BINARY, 300) if c.algorithm in ("logistic", "extra_trees"))
    request = request_of(candidates=candidates, budget=Budget(fits=5))
    first, second = run_search(request), run_search(request)
    assert first.fits <= 5
    assert first.recipe["members"][0]["name"] == second.recipe["members"][0]["name"]
    assert first.oof_scores.tolist() == second.oof_scores.tolist()


def test_the_model_of_a_fold_stands_in_for_one_there_is_no_time_for(request_of, fakes):
    clock = ManualClock()
    slow = fakes("ticking", "slow", takes=4.0, cost=4.0)
    request = request_of(candidates=(slow,), budget=Budget(seconds=8), clock=clock, executor=InlineExecutor(clock))
    result = run_search(request)
    assert clock.monotonic() <= 8
    assert [m.candidate.name for m in result.members] == ["slow"]
    assert any("slow is the model of one of its folds" in note for note in result.notes)
    assert len(result.oof_rows) == 100, "what it is calibrated by it has not seen"


def test_a_quick_model_of_a_sample_has_the_scores_of_that_very_fit_and_says_so(request_of, monkeypatch):
    monkeypatch.setattr("artificer.search.quick.QUICK_CELLS", 1)
    monkeypatch.setattr("artificer.search.quick.QUICK_LEAST_ROWS", 120)
    request = request_of(n=600, budget=Budget(seconds=0.8), executor=LateExecutor())
    result = run_search(request)
    assert [m.candidate.algorithm for m in result.members] == ["logistic"]
    assert any("fitted on 12" in note and "of 600 rows" in note for note in result.notes), "120, and each class"
    assert sorted(result.oof_rows) == sorted(request.folds[0][1])
    score = request.metric.score(np.asarray(request.y)[result.oof_rows], result.oof_scores)
    assert result.leaderboard.score == pytest.approx(score, abs=1e-6), "calibration of two classes keeps their order"


def test_a_better_model_of_a_fold_is_not_passed_over_for_a_weaker_one_there_is_time_for(request_of, fakes):
    clock = ManualClock()
    weak = fakes("ticking", "weak", takes=0.1, cost=0.1, blur=2.0)
    strong = fakes("ticking", "strong", takes=4.0, cost=4.0)
    request = request_of(candidates=(weak, strong), budget=Budget(seconds=8), clock=clock)
    result = run_search(replace(request, executor=InlineExecutor(clock)))
    assert result.members[0].candidate.name == "strong"
    assert any("fitted on 200 of 300 rows" in note for note in result.notes)


def test_a_member_with_an_encoder_of_its_own_rows_keeps_it(request_of, fakes):
    clock = ManualClock()
    quick, slow = fakes("ticking", "quick", takes=0.1, cost=0.1), fakes("ticking", "slow", takes=4.0, cost=4.0)
    result = run_search(
        request_of(candidates=(quick, slow), budget=Budget(seconds=9), clock=clock, executor=InlineExecutor(clock))
    )
    keys = {part.representation_key for m in result.members for part in m.parts}
    assert len(keys) == len({tuple(key.split("-")[1:]) for key in keys})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")
def test_a_server_started_ahead_serves_the_table_that_comes_later(request_of, fakes, tmp_path):
    executor = ProcessExecutor(parent=tmp_path, modules=("search_fakes_in_worker",))
    executor.prestart()
    assert executor.started
    assert not list(tmp_path.iterdir()), "there is no table yet"
    server = executor.early.server
    data = prepare(request_of())[0]
    plain = fakes("plain")
    spec = plan("linear", data.blocks, data.names, data.task, data.n_classes)
    with executor.open(data) as session:
        assert session.server is server
        assert not executor.started
        assert session.submit(FitTask(1, "plain", plain.algorithm, {}, spec, 0, seed=0)).result(60).ok
        assert "fake_plain" in session.loaded
    assert server.poll() is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")
def test_a_server_that_is_not_needed_after_all_is_ended():
    executor = ProcessExecutor()
    executor.prestart()
    server = executor.early.server
    executor.close()
    executor.close()
    assert server.poll() is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")
def test_fits_run_side_by_side_under_a_clock_and_one_by_one_under_work_units(request_of, fakes, tmp_path):
    options = tuple(fakes("plain", f"p{i}", blur=0.5 * i) for i in range(3))
    slots = []
    for budget in (Budget(seconds=20), Budget(fits=6)):
        executor = ProcessExecutor(parent=tmp_path, modules=("search_fakes_in_worker",))
        result = run_search(request_of(candidates=options, budget=budget, threads=2, executor=executor))
        assert result.members[0].candidate.algorithm == "fake_plain"
        slots.append(executor.slots)
    assert slots == [2, None]
