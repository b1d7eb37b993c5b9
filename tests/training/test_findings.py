"""What a training looks for in its table, by the budget it has, and where the test rows lie."""

from __future__ import annotations

import numpy as np
import polars as pl

from artificer.problem.load import build_problem
from artificer.quality.base import checks
from artificer.training.intake import checked_split, findings_of, prepare_for


def table() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    size, rate, depth = rng.normal(size=(3, 400))
    kind = np.where(size > 0, "big", "small")
    kind[:6] = np.where(size[:6] > 0, "small", "big")
    return pl.DataFrame({"size": size, "rate": rate, "depth": depth, "kind": kind})


def test_models_are_fitted_only_where_the_budget_leaves_time() -> None:
    deep = {name for name, kind in checks().items() if kind.deep}
    assert "label_errors" in deep
    found = {}
    for budget in ("5s", "5m"):
        problem = build_problem({"data": {"target": "kind"}, "training": {"budget": budget}}, "a test")
        prepared = prepare_for(problem, table())
        found[budget] = {finding["rule"] for finding in findings_of(problem, prepared, np.arange(80))}
    assert "label_errors" not in found["5s"]
    assert "label_errors" in found["5m"]


def test_test_rows_are_those_that_a_training_would_keep() -> None:
    copies = pl.concat([table(), table().head(100)])
    problem = build_problem({"data": {"target": "kind"}, "training": {"split": "random"}}, "a test")
    prepared = prepare_for(problem, copies)
    checked, _ = checked_split(problem, prepared)
    assert checked.test is not None
    assert checked.test.sum() == 100
    rules = {finding["rule"] for finding in findings_of(problem, prepared, np.flatnonzero(checked.test))}
    assert "train_test_overlap" in rules
