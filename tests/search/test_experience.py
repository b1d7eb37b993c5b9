"""What measured tables say of candidates."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.search.experience import LEAST_TABLES, Experience, Situation, experience, key
from artificer.types import Task

TABLES = 12


def measured(gaps: list[list[float]], rows: list[int] | None = None) -> Experience:
    names = [key("lightgbm", {}, "trees"), key("lightgbm", {"num_leaves": 8}, "trees"), key("ridge", {}, "linear")]
    situations = [Situation(Task.BINARY, n, 10, 2) for n in (rows or [1000] * TABLES)]
    return Experience(
        {name: j for j, name in enumerate(names)},
        (Task.BINARY,) * TABLES,
        np.array([s.vector() for s in situations]),
        np.array(gaps),
    )


def test_expectation_is_the_mean_and_covariance_over_tables() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(0.2, 0.05, TABLES)
    found = measured(np.column_stack([common, common + 0.01, rng.normal(0.4, 0.05, TABLES)]).tolist())
    at = Situation(Task.BINARY, 1000, 10, 2)
    one, two = found.expect("lightgbm", {}, "trees", at), found.expect("lightgbm", {"num_leaves": 8}, "trees", at)
    other = found.expect("ridge", {}, "linear", at)
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.gap == pytest.approx(common.mean())
    together = one.deviations @ two.deviations / (one.deviations @ one.deviations)
    assert together == pytest.approx(1.0, abs=1e-6)
    assert abs(one.deviations @ other.deviations) < 0.7 * (one.deviations @ one.deviations)


def test_tables_like_the_new_one_count_more() -> None:
    gaps = [[0.0, 0.5, 0.5]] * (TABLES // 2) + [[0.5, 0.0, 0.5]] * (TABLES // 2)
    found = measured(gaps, [100] * (TABLES // 2) + [100_000] * (TABLES // 2))
    small = found.expect("lightgbm", {}, "trees", Situation(Task.BINARY, 100, 10, 2))
    large = found.expect("lightgbm", {}, "trees", Situation(Task.BINARY, 100_000, 10, 2))
    assert small is not None
    assert large is not None
    assert small.gap < 0.1 < 0.4 < large.gap
    assert small.success > 0.9 > 0.1 > large.success


def test_a_configuration_that_was_not_measured_takes_its_nearest_relatives_place() -> None:
    found = measured([[0.1, 0.3, 0.5]] * TABLES)
    at = Situation(Task.BINARY, 1000, 10, 2)
    near = found.expect("lightgbm", {"num_leaves": 8, "learning_rate": 0.2}, "trees", at)
    assert near is not None
    assert near.gap == pytest.approx(0.3)
    assert found.expect("catboost", {}, "trees", at) is None
    assert found.expect("ridge", {}, "trees", at) is None


def test_too_few_tables_say_nothing() -> None:
    gaps = [[0.1, 0.3, 0.5 if t < LEAST_TABLES - 1 else float("nan")] for t in range(TABLES)]
    assert measured(gaps).expect("ridge", {}, "linear", Situation(Task.BINARY, 1000, 10, 2)) is None


def test_the_shipped_results_cover_the_portfolio() -> None:
    from artificer.search.candidates import portfolio

    shipped = experience()
    assert shipped is not None
    assert np.isfinite(shipped.gaps).sum() > 500
    at = Situation(Task.BINARY, 1000, 15, 2)
    boosting = [c for c in portfolio(Task.BINARY, 5000) if c.algorithm in ("lightgbm", "xgboost", "catboost")]
    assert all(shipped.expect(c.algorithm, c.params, c.representation, at) is not None for c in boosting)
