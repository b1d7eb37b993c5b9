"""Many models of one candidate against fewer of several, and what there is no time for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from artificer.search.choice import Selection, ambiguity, choose, library_of, limits_for, pool_of
from artificer.search.ensemble import Ensemble
from artificer.search.executor import InlineExecutor
from artificer.search.frontier import Limits
from artificer.search.records import Budget
from artificer.search.run import Run
from artificer.search.search import prepare, run_search
from artificer.types import Task

WIDE = Limits(1e6, 1e3)


def raced(request, candidates) -> Run:
    data, objective = prepare(request)
    session = InlineExecutor(request.clock).start(data)
    run = Run(request, candidates, data, objective, session, 0.0)
    run.race.adaptive = False
    run.baseline()
    run.search()
    return run


@pytest.fixture
def three(request_of, fakes) -> Run:
    """A run whose race of the baseline and two blurred copies of one learner is over."""
    candidates = (fakes("plain", "constant", blur=9.0), *(fakes("plain", f"p{i}", blur=2.0 + i) for i in range(2)))
    return raced(request_of(n=600, candidates=()), candidates)


def test_what_averaging_gains_is_read_off_candidates_of_one_algorithm(three) -> None:
    pool = pool_of(three)
    library = library_of(three, pool)
    eye = np.eye(len(pool.indices))
    a, b = (pool.indices.index(i) for i in (1, 2))
    expected = min(library.loss(eye[a]), library.loss(eye[b])) - library.loss((eye[a] + eye[b]) / 2)
    assert ambiguity(three, pool, library) == pytest.approx(max(expected, 0.0))
    three.race.standings[2].candidate = replace(three.race.standings[2].candidate, algorithm="fake_other")
    assert ambiguity(three, pool, library) == 0.0, "two kinds of learners differ in more than noise"


def test_many_models_of_one_take_the_place_of_two_that_gain_little(three, monkeypatch) -> None:
    pool = pool_of(three)
    selection = Selection(three, pool, WIDE)
    eye = np.eye(len(pool.indices))
    best = min((pool.indices.index(i) for i in (1, 2)), key=lambda place: selection.thinned.loss(eye[place]))
    other = next(pool.indices.index(i) for i in (1, 2) if pool.indices.index(i) != best)
    weights = 0.5 * (eye[best] + eye[other])
    monkeypatch.setattr("artificer.search.choice.ambiguity", lambda *_: 0.1)
    single = selection.thinned.loss(eye[best])
    kept = selection.bagged_alone(selection.thinned, Ensemble(weights, single - 0.2))
    assert (kept.weights == weights).all(), "no number of models of one gains as much"
    alone = selection.bagged_alone(selection.thinned, Ensemble(weights, single - 1e-6))
    assert alone.weights[best] == 1.0
    monkeypatch.setattr("artificer.search.choice.ambiguity", lambda *_: 0.0)
    unmoved = selection.bagged_alone(selection.thinned, Ensemble(weights, single - 1e-6))
    assert (unmoved.weights == weights).all(), "where nothing is seen to be gained nothing is changed"


def test_models_of_folds_take_variance_away_as_far_as_limits_have_room(three) -> None:
    pool = pool_of(three)
    place = pool.indices.index(1)
    assert Selection(three, pool, WIDE).spared([place]) == pytest.approx(1 - 1 / 3)
    assert Selection(three, pool, Limits(1e-6, 1e-6)).spared([place]) == 0.0


def test_choices_are_made_on_the_same_rows(three, monkeypatch) -> None:
    monkeypatch.setattr("artificer.search.ensemble.Library.thinned.__defaults__", (100,))
    pool = pool_of(three)
    selection = Selection(three, pool, limits_for(three, pool))
    chosen = selection.choose(selection.thinned)
    assert chosen.loss == pytest.approx(selection.thinned.loss(chosen.weights))


def test_a_member_is_said_to_be_passed_over_only_where_it_was(request_of, fakes) -> None:
    rows = np.arange(300)
    chained = tuple((rows[:cut], rows[cut : cut + 75]) for cut in (75, 150, 225))
    request = request_of(Task.REGRESSION, folds=chained, candidates=())
    run = raced(request, (fakes("plain", "constant", blur=9.0), fakes("plain", "one"), fakes("plain", "two", blur=0.5)))
    run.race.bags = False
    run.request = replace(run.request, budget=Budget(seconds=60))
    run.whole_cost = lambda i: 1e9  # no time for anything: the folds' models have to do
    choice = choose(run, pool_of(run))
    assert set(choice.weights) != {0}
    assert not [note for note in run.notes if "passed over" in note]


def test_encoders_are_shared_by_the_models_of_folds_and_predict_as_well(request_of, fakes, monkeypatch) -> None:
    request = request_of(n=600, candidates=(fakes("plain"),))
    shared = run_search(request)
    monkeypatch.setattr("artificer.search.finish.shared_encoders", lambda run, parts: {})
    apart = run_search(request)
    assert len({part.representation_key for part in shared.members[0].parts}) == 1
    assert len({part.representation_key for part in apart.members[0].parts}) == 3
    assert shared.leaderboard.score == apart.leaderboard.score
    one, other = (average(found.members[0].parts, request.blocks) for found in (shared, apart))
    np.testing.assert_allclose(one, other, atol=0.02)


def average(parts, blocks):
    import onnxruntime

    found = []
    for part in parts:
        encoder = onnxruntime.InferenceSession(part.representation.model)
        features = encoder.run(None, {name: getattr(blocks, name) for name in part.representation.inputs})[0]
        model = onnxruntime.InferenceSession(part.model.model)
        found.append(model.run(None, {part.model.inputs[0]: features})[0])
    return np.mean(found, axis=0)
