"""Which fold runs next when the budget comes to its end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from artificer.search.candidates import BASELINE, checked
from artificer.search.executor import InlineExecutor
from artificer.search.priors import Prior
from artificer.search.race import Race
from artificer.search.records import Budget, Candidate
from artificer.search.run import Run
from artificer.search.search import prepare, run_search
from artificer.search.tasks import FitOutcome

DONE = FitOutcome(SimpleNamespace(), ok=True)  # type: ignore[arg-type]


def race_of_three(bags: bool) -> Race:
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1), Prior("forest", 0.1, 0.1)]
    candidates = (BASELINE, *(Candidate(name, "lightgbm", {}, "trees") for name in ("best", "next")))
    race = Race(candidates, beliefs, [200] * 4, [600] * 4, 0)
    race.bags = bags
    for i, loss, folds in ((0, 1.0, 4), (1, 0.5, 2), (2, 0.51, 1)):
        for fold in range(folds):
            race.absorb(i, fold, DONE, loss)
    return race


@pytest.mark.parametrize(("bags", "expected"), [(True, (1, 2)), (False, (2, 1))])
def test_the_leader_gets_its_folds_first_where_their_models_are_the_members(bags, expected):
    race = race_of_three(bags)
    assert race.choose(lambda i: 1.0, lambda i: True, "complete") == expected


@pytest.mark.parametrize("loss", [1.05, 1.5, 100.0])
def test_one_candidate_that_is_worse_than_the_constant_does_not_cost_the_others_their_first_fold(loss):
    beliefs = [Prior("constant", 1.0, 0.02), Prior("linear", 0.3, 0.22), Prior("boosting", 0.1, 0.1)]
    candidates = (BASELINE, *(Candidate(name, "lightgbm", {}, "trees") for name in ("straight", "bent")))
    race = Race(candidates, beliefs, [200] * 3, [400] * 3, 0)
    for fold in range(3):
        race.absorb(0, fold, DONE, 1.0)
    race.absorb(1, 0, DONE, loss)
    assert not race.standings[2].dropped
    assert race.probabilities()[2] > 0.5
    assert not race.standings[1].dropped, "while nothing has gained one fold ends nobody"
    race.absorb(2, 0, DONE, 0.5)
    assert race.standings[1].dropped


def test_work_units_suffice_for_all_folds_of_a_member(request_of, fakes):
    options = tuple(fakes("plain", f"p{i}", blur=2.0 * i) for i in range(9))
    result = run_search(request_of(n=400, k=4, candidates=options, budget=Budget(fits=9)))
    assert result.fits <= 9
    assert max(r.folds for r in result.leaderboard.rows if r.name != "constant") == 4


def test_time_is_kept_for_the_leaders_other_folds(request_of, fakes):
    request = request_of(candidates=(fakes("plain", cost=1.0), fakes("plain", cost=1.0)), budget=Budget(seconds=100))
    data, objective = prepare(request)
    with InlineExecutor(request.clock).open(data) as session:
        run = Run(
            request, checked(request.candidates, request.task), data, objective, session, request.clock.monotonic()
        )
        run.baseline()
        assert run.phase() == "explore", "nothing leads yet"
        run.launch()
        run.collect()
        assert run.phase() == "explore"
        run.deadline = request.clock.monotonic() + 2 * run.fold_cost(run.race.leader())
        assert run.phase() == "complete"


@pytest.mark.parametrize(("gains", "expected"), [((0.1, 0.12, 0.09), True), ((0.1, -0.12, 0.03), False), ((), False)])
def test_a_gain_over_the_constant_that_changes_its_sign_is_luck(gains, expected):
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1)]
    race = Race((BASELINE, Candidate("a", "lightgbm", {}, "trees")), beliefs, [200] * 3, [400] * 3, 0)
    for fold in range(3):
        race.absorb(0, fold, DONE, 1.0)
    for fold, gain in enumerate(gains):
        race.absorb(1, fold, DONE, 1.0 - gain)
    assert race.beats_baseline() is expected


def test_before_any_fold_success_is_what_was_measured() -> None:
    candidates = (BASELINE, Candidate("a", "lightgbm", {}, "trees"), Candidate("b", "ridge", {}, "linear"))
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1, success=0.4), Prior("linear", 0.3, 0.2)]
    race = Race(candidates, beliefs, [100] * 3, [200] * 3, seed=0)
    assert race.probabilities()[1] == 0.4
    assert 0 <= race.probabilities()[2] <= 1
    race.absorb(1, 0, FitOutcome(task=None, ok=True), 0.5)  # type: ignore[arg-type]
    assert race.probabilities()[1] != 0.4
