"""Proposals: where they come from, that they pay, and that they end."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from artificer.algorithms.base import Dimension, algorithms
from artificer.search import search
from artificer.search.candidates import BASELINE, portfolio
from artificer.search.priors import Prior, TableShape, covariance, priors
from artificer.search.race import Race
from artificer.search.records import Budget, Candidate
from artificer.search.search import run_search
from artificer.search.tasks import FitOutcome
from artificer.search.tuning import MOST_TIMES_DEARER, Tuner, distribution, inside_of
from artificer.types import Task

FOLDS = 5
DONE = FitOutcome(SimpleNamespace(), ok=True)  # type: ignore[arg-type]
"""A fit of which only the loss matters."""


def race_over(candidates: tuple[Candidate, ...], seed: int = 0) -> Race:
    shape = TableShape(5000, 20)
    return Race(candidates, priors(candidates, shape), [1000] * FOLDS, [4000] * FOLDS, seed)


def lightgbms() -> tuple[Candidate, ...]:
    return tuple(c for c in portfolio(Task.BINARY, 5000) if c.algorithm in ("constant", "lightgbm"))


def run_folds(race: Race, i: int, loss: float) -> None:
    rng = np.random.default_rng(i)
    for fold in range(FOLDS):
        if race.may_run(race.standings[i]):
            race.absorb(i, fold, DONE, loss + 0.002 * rng.normal())


def bowl(candidate: Candidate) -> float:
    """A loss with its least at 20 leaves and a learning rate of 0.15, away from where the portfolio is."""
    if candidate.algorithm == "constant":
        return 1.0
    params = {**algorithms()["lightgbm"].defaults, **candidate.params}
    off = math.log(params["num_leaves"] / 20) ** 2 + math.log(params["learning_rate"] / 0.15) ** 2
    return 0.3 + 0.05 * off + (0.1 if params["extra_trees"] else 0.0)


def tuned(seed: int, most: int = 12) -> tuple[Race, Tuner]:
    race = race_over(lightgbms(), seed)
    tuner = Tuner(race, seed)
    for i in range(len(race.standings)):
        run_folds(race, i, bowl(race.standings[i].candidate))
    while len(tuner.made) < most and (i := tuner.propose(lambda candidate: 1.0)) is not None:
        run_folds(race, i, bowl(race.standings[i].candidate))
    return race, tuner


def test_proposals_find_what_the_portfolio_has_not():
    gains = []
    for seed in range(3):
        race, tuner = tuned(seed)
        before = min(bowl(c.candidate) for c in race.standings if "-t" not in c.candidate.name)
        best = min(tuner.made, key=lambda i: race.belief.mean[i])
        gains.append(before - bowl(race.standings[best].candidate))
        assert race.leader() in tuner.made
    assert np.median(gains) > 0.01, gains


def test_the_same_race_makes_the_same_proposals():
    (first, _), (second, _) = tuned(3, most=4), tuned(3, most=4)
    assert [s.candidate for s in first.standings] == [s.candidate for s in second.standings]
    learners = [tuple(s.candidate.params.items()) for s in first.standings[1:]]
    assert len(set(learners)) == len(learners)


def test_no_proposal_is_much_dearer_than_what_it_varies():
    race = race_over(lightgbms())
    for i in range(len(race.standings)):
        run_folds(race, i, bowl(race.standings[i].candidate))
    tuner = Tuner(race, 0)

    def cost(candidate: Candidate) -> float:
        return float(algorithms()["lightgbm"](**candidate.params).seconds(10_000, 20, 2))

    for _ in range(5):
        i = tuner.propose(cost)
        if i is not None:
            parent = race.standings[race.standings[i].belief.parent or 0]
            assert cost(race.standings[i].candidate) <= MOST_TIMES_DEARER * cost(parent.candidate)
    assert tuner.made


def test_what_was_not_shown_to_pay_is_not_varied():
    plain = Candidate("lightgbm", "lightgbm", {}, "trees")
    unsure, sure = (Candidate(f"lightgbm+{m}", "lightgbm", {}, f"trees+{m}") for m in ("pairs", "cross"))
    for better, expected in ((0.0, 1), (0.05, 3)):
        race = race_over((BASELINE, plain, unsure, sure))
        for fold in range(FOLDS):
            wave = 0.01 * (-1) ** fold
            for i, loss in enumerate((1.0, 0.5, 0.488 + wave, 0.5 - better + wave / 100)):
                race.absorb(i, fold, DONE, loss)
        assert race.belief.mean[2] < race.belief.mean[1]
        assert Tuner(race, 0).parents() == [expected]


def test_a_variation_shares_what_is_known_of_its_parent():
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1), Prior("boosting", 0.11, 0.02, parent=1)]
    matrix = covariance(beliefs)
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert matrix[2, 2] - matrix[1, 1] == pytest.approx(0.02**2)
    race = Race((BASELINE, *(Candidate(n, "lightgbm", {}, "trees") for n in "ab")), beliefs, [100] * 3, [200] * 3, 0)
    for i, loss in ((0, 1.0), (1, 0.5)):
        for fold in range(3):
            race.absorb(i, fold, DONE, loss)
    assert race.belief.mean[2] - race.belief.mean[1] == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("name", [n for n, a in algorithms().items() if a.space])
def test_every_portfolio_lies_in_its_space(name):
    algorithm = algorithms()[name]
    for axis in algorithm.space.values():
        distribution(axis)
    for params in algorithm.portfolio:
        full = {**algorithm.defaults, **params}
        for key, axis in algorithm.space.items():
            assert inside_of(axis, full[key]) == full[key], (key, full[key])


def test_an_axis_keeps_values_inside():
    assert inside_of(Dimension(1, 8, integer=True), 9) == 8
    assert inside_of(Dimension(choices=("a", "b")), "c") == "a"


def test_a_search_tunes_and_work_units_give_the_same_result_every_time(request_of, fakes, monkeypatch):
    options = (BASELINE, fakes("tunable", "wide"), fakes("tunable", "wider", blur=3.0), fakes("plain", blur=2.0))
    monkeypatch.setattr(search, "portfolio", lambda task, rows, **_: options)
    request = request_of(n=400, k=3, budget=Budget(fits=60))
    first, second = run_search(request), run_search(request)
    boards = [
        [(r.name, r.params, r.score, r.weight, r.folds, r.status) for r in result.leaderboard.rows]
        for result in (first, second)
    ]
    assert boards[0] == boards[1]
    graphs = [[part.model.model for m in result.members for part in m.parts] for result in (first, second)]
    assert graphs[0] == graphs[1]
    assert first.fits <= 60
    tuned_rows = [r for r in first.leaderboard.rows if r.name.startswith("fake_tunable-t")]
    assert tuned_rows
    assert min(r.params["blur"] for r in tuned_rows) < 1.5
    assert "fake_tunable-t" in first.leaderboard.rows[0].name
    given = run_search(request_of(candidates=options, budget=Budget(fits=60)))
    assert not any("-t" in r.name for r in given.leaderboard.rows), "who names candidates gets those alone"


def test_tuning_ends_where_it_brings_nothing(request_of, fakes, monkeypatch):
    options = (BASELINE, *(fakes("tunable", f"clear{i}", blur=0.01 + 0.001 * i) for i in range(3)))
    monkeypatch.setattr(search, "portfolio", lambda task, rows, **_: options)
    result = run_search(request_of(n=400, k=3, budget=Budget(fits=600)))
    tuned_rows = [r for r in result.leaderboard.rows if r.name.startswith("fake_tunable-t")]
    assert 2 <= len(tuned_rows) <= 12
    assert result.fits < 60


def test_a_machine_without_room_for_more_fits_gets_no_proposals(request_of, fakes, monkeypatch):
    monkeypatch.setattr(search, "portfolio", lambda task, rows, **_: (BASELINE, fakes("tunable"), fakes("plain")))
    result = run_search(request_of(n=400, k=3, budget=Budget(fits=2)))
    assert not any("-t" in r.name for r in result.leaderboard.rows)
