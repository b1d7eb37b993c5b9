"""Variants of candidates: which ones race, what is believed of them, and when they are kept."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from artificer.features.planning import parsed
from artificer.metrics.base import metric
from artificer.search.candidates import BASELINE, portfolio
from artificer.search.leaderboard import variant_sentence
from artificer.search.objective import Objective
from artificer.search.priors import TableShape, covariance, priors
from artificer.search.race import Race
from artificer.search.records import Candidate
from artificer.search.tasks import FitOutcome
from artificer.search.variants import T_95, drop_idle, not_paying, verdict
from artificer.types import Blocks, Task

BASE = Candidate("lightgbm", "lightgbm", {"num_leaves": 8}, "trees")
PAIRS = Candidate("lightgbm+pairs", "lightgbm", {"num_leaves": 8}, "trees+pairs")
SELECTED = Candidate("lightgbm+selected", "lightgbm", {"num_leaves": 8}, "trees+selected")
LOSSES = np.array([0.40, 0.42, 0.41, 0.43, 0.40])
NOISE = np.array([0.01, -0.01, 0.005, -0.005, 0.0])


def race_of(*variants: tuple[Candidate, np.ndarray], features: int = 100) -> Race:
    candidates = (BASELINE, BASE, *(candidate for candidate, _ in variants))
    race = Race(candidates, priors(candidates, TableShape(5000, 10)), [1000] * 5, [4000] * 5, 0)
    for i, values in enumerate([np.ones(5), LOSSES, *(losses for _, losses in variants)]):
        width = features if i > 1 else 100
        for fold, loss in enumerate(values.tolist()):
            if math.isfinite(loss):
                task = SimpleNamespace(fold=fold)
                race.absorb(i, fold, FitOutcome(task, ok=True, features=width, rows=4000), loss)  # type: ignore[arg-type]
    return race


def test_variants_suit_the_table_and_follow_the_portfolio() -> None:
    def added(rows: int, *widths: int) -> set[str]:
        with_variants = portfolio(Task.BINARY, rows, shape=TableShape(rows, *widths))
        plain = portfolio(Task.BINARY, rows)
        assert with_variants[: len(plain)] == plain
        assert len({c.name for c in with_variants}) == len(with_variants)
        return {c.name for c in with_variants[len(plain) :] if c.algorithm == "lightgbm"}

    assert added(10_000, 5, 5, 0) == {"lightgbm+pairs"}
    assert added(10_000, 5, 1, 1) == {"lightgbm+groups"}
    assert added(10_000, 5, 0, 5) == {"lightgbm+cross"}
    assert added(10_000, 40, 1, 0) == {"lightgbm+selected"}
    assert added(10_000, 1, 1, 0) == added(550, 40, 20, 20) == added(200, 40, 20, 20) == set()


def test_every_variant_is_a_representation_that_can_be_planned() -> None:
    for candidate in portfolio(Task.REGRESSION, 10_000, shape=TableShape(10_000, 40, 20, 20)):
        base, modifiers = parsed(candidate.representation)
        assert candidate.representation == "+".join((base, *modifiers))


def test_the_shape_of_a_table_is_read_off_its_blocks() -> None:
    blocks = Blocks(np.zeros((7, 2), np.float32), np.full((7, 3), "", dtype=object), np.zeros((7, 1), np.int64))
    shape = TableShape.of(blocks)
    assert (shape.rows, shape.columns, shape.numbers, shape.strings) == (7, 6, 2, 3)


def test_a_variant_is_believed_to_be_near_its_base() -> None:
    other = Candidate("catboost", "catboost", {}, "trees")
    stranger = Candidate("lightgbm+x", "lightgbm", {"num_leaves": 9}, "trees+pairs")
    found = priors((BASELINE, BASE, other, PAIRS, stranger), TableShape(5000, 10))
    assert found[3].parent == 1
    assert found[3].gap == found[1].gap
    assert found[4].parent is None  # other hyperparameters
    matrix = covariance(found)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    correlation = matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    assert correlation[3, 1] > 0.95 > correlation[3, 2]
    assert matrix[3, 3] > matrix[1, 1]


def test_the_points_of_student_t_are_right() -> None:
    from scipy.stats import t

    np.testing.assert_allclose(T_95, t.ppf(0.95, np.arange(1, len(T_95) + 1)), atol=6e-4)


def test_a_verdict_is_the_corrected_paired_test() -> None:
    found = verdict(LOSSES - 0.02 + NOISE, LOSSES, overlap=0.25)
    deviation = float((0.02 - NOISE).std(ddof=1))
    assert found.advantage == pytest.approx(0.02)
    assert found.high - found.advantage == pytest.approx(2.132 * math.sqrt((1 / 5 + 0.25) * deviation**2))
    assert found.kept
    # Without the correction this advantage would count; folds share most of their training rows.
    assert not verdict(LOSSES - 0.008 + NOISE, LOSSES, overlap=0.25).kept
    assert verdict(LOSSES - 0.008 + NOISE, LOSSES, overlap=0.0).kept


def test_what_has_not_run_twice_is_not_judged_and_missing_folds_are_left_out() -> None:
    gone = np.full(5, np.nan)
    assert verdict(gone, LOSSES, 0.25).folds == 0
    one = gone.copy()
    one[0] = 0.1
    assert not verdict(one, LOSSES, 0.25).kept
    some = LOSSES - 0.02
    some[3:] = np.nan
    assert verdict(some, LOSSES, 0.25).folds == 3
    assert verdict(some, LOSSES, 0.25).kept


def test_a_false_alarm_is_as_rare_as_it_should_be() -> None:
    rng = np.random.default_rng(0)
    kept = [verdict(rng.normal(size=5), rng.normal(size=5), overlap=0.25).kept for _ in range(2000)]
    assert np.mean(kept) < 0.05


def test_only_variants_that_pay_or_cost_less_have_a_place() -> None:
    better, worse = LOSSES - 0.02 + NOISE, LOSSES + 0.02 + NOISE
    assert not_paying(race_of((PAIRS, better), (SELECTED, worse))) == {3}
    assert not_paying(race_of((SELECTED, LOSSES + NOISE))) == {2}
    assert not_paying(race_of((SELECTED, LOSSES + NOISE), features=50)) == set()
    assert not_paying(race_of((SELECTED, worse), features=50)) == {2}


def test_a_variant_of_what_failed_stays() -> None:
    race = race_of((PAIRS, LOSSES + NOISE))
    race.standings[1].failed = True
    assert not_paying(race) == set()


def test_a_variant_that_made_nothing_runs_no_further() -> None:
    first = np.full(5, np.nan)
    first[0] = 0.4
    for features, dropped in ((100, True), (103, False)):
        race = race_of((PAIRS, first), features=features)
        drop_idle(race, 0)
        assert race.standings[2].dropped is dropped
        assert not race.standings[1].dropped
    assert "nothing to add" not in race.standings[2].reason


def test_the_leaderboard_says_what_the_test_said() -> None:
    race = race_of((PAIRS, LOSSES - 0.02 + NOISE), (SELECTED, LOSSES + NOISE))
    objective = Objective(metric("log_loss"), Task.BINARY)
    assert variant_sentence(race, 1, objective) == ""
    assert variant_sentence(race, 2, objective).startswith("pairs kept: -0.02 against lightgbm, 90 % interval -0.03")
    assert variant_sentence(race, 3, objective).startswith("selected not shown to pay: ")
    one = np.full(5, np.nan)
    one[0] = 0.3
    assert variant_sentence(race_of((PAIRS, one)), 2, objective) == ""
