"""Which fold runs next when the budget comes to its end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from artificer.search.candidates import BASELINE, checked
from artificer.search.executor import InlineExecutor
from artificer.search.priors import Prior
from artificer.search.race import Race
from artificer.search.records import Budget, Candidate
from artificer.search.run import VARIANT_SHARE, Run
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


def variant_race() -> Race:
    """Boosting, its variant on pairs of columns, and a tuned proposal that has the boosting's representation."""
    beliefs = [
        Prior("constant", 1.0, 0.02),
        Prior("boosting", 0.1, 0.1),
        Prior("boosting", 0.1, 0.1, parent=1),
        Prior("boosting", 0.1, 0.1, parent=1),
    ]
    places = ("trees", "trees+pairs", "trees")
    candidates = (BASELINE, *(Candidate(f"c{i}", "lightgbm", {}, place) for i, place in enumerate(places)))
    race = Race(candidates, beliefs, [200] * 3, [400] * 3, 0)
    for fold in range(3):
        race.absorb(0, fold, DONE, 1.0)
    return race


def test_a_variant_waits_for_its_base_and_a_proposal_does_not():
    race = variant_race()
    assert [race.waits(i) for i in (1, 2, 3)] == [False, True, False]
    race.absorb(1, 0, DONE, 0.5)
    assert not race.waits(2), "both can run fold 1 now"
    race.absorb(2, 0, DONE, 0.5)
    assert race.waits(2), "its next fold is one the base has not run"
    race.fail(1, 1, "broken")
    assert not race.waits(2), "a base that failed is not waited for"


def test_a_proposal_on_generated_features_is_no_variant_of_a_candidate_on_the_same():
    race = variant_race()
    proposal = race.add(Candidate("c3", "lightgbm", {"num_leaves": 9}, "trees+pairs"), Prior("b", 0.1, 0.1, parent=2))
    assert race.base_of(proposal) is None
    assert race.base_of(2) is race.standings[1]
    assert race.base_of(1) is None


def test_what_is_expected_to_come_close_goes_first_and_of_it_the_quickest():
    beliefs = [
        Prior("constant", 1.0, 0.02),
        *(Prior(name, gap, 0.1) for name, gap in zip("abc", (0.02, 0.06, 0.4), strict=True)),
    ]
    candidates = (BASELINE, *(Candidate(name, "lightgbm", {}, "trees") for name in "abc"))
    race = Race(candidates, beliefs, [200] * 3, [400] * 3, 0)
    assert race.strong() == [1, 2]
    seconds = {1: 3.0, 2: 2.0, 3: 0.1}
    assert race.choose(seconds.__getitem__, lambda i: i > 0, "explore") == (2, 0)
    race.fail(1, 0, "broken")
    race.fail(2, 0, "broken")
    assert race.strong() == [3], "what failed sets no standard"


def test_members_to_be_are_the_leaders_equals_the_soonest_finished_first():
    race = race_of_three(bags=True)
    assert race.likely_members(lambda i: 1.0) == [1, 2], "one has two folds left, the other three"
    assert race.likely_members(lambda i: {1: 9.0, 2: 1.0}[i]) == [2, 1]
    apart = race_of_three(bags=True)
    for fold in (1, 2, 3):
        apart.absorb(2, fold, DONE, 0.9)
    assert apart.likely_members(lambda i: 1.0) == [1], "far behind is no equal"


def test_a_variant_that_takes_much_of_the_budget_is_not_begun(request_of, fakes):
    plain = fakes("plain", cost=1.0)
    dear = replace(plain, name="dear", representation="trees+pairs")
    request = request_of(n=2000, candidates=(plain, dear), budget=Budget(seconds=100))
    data, objective = prepare(request)
    with InlineExecutor(request.clock).open(data) as session:
        run = Run(
            request, checked(request.candidates, request.task), data, objective, session, request.clock.monotonic()
        )
        run.race.standings[2].belief = replace(run.race.standings[2].belief, parent=1)
        run.baseline()
        run.fold_cost = lambda i: 1.0
        assert run.affordable(2)
        run.fold_cost = lambda i: VARIANT_SHARE * run.total * run.session.slots / len(data.folds) * 1.1
        assert run.affordable(1), "it is the variant that has to be cheap"
        assert not run.affordable(2)
