from __future__ import annotations

import numpy as np

from artificer.evaluation.evaluate import evaluate
from artificer.evaluation.luck import chance_of_perfection
from artificer.metrics.base import metric
from artificer.problem.load import build_problem
from artificer.training.judge import gate_of
from artificer.types import Task

Y = np.array([0, 1] * 100)


def verdict(p: np.ndarray, requirements: list[str], is_constant: bool = False) -> str:
    problem = build_problem({"data": {"target": "y"}, "requirements": requirements})
    scores = np.column_stack([1 - p, p])
    found = evaluate(Y, scores, [metric("roc_auc"), metric("log_loss")], Task.BINARY, baseline=np.array([0.5, 0.5]))
    return gate_of(problem, found, {"model_mb": 1.0}, is_constant=is_constant).verdict.value


def test_beating_the_baseline_is_always_required() -> None:
    good = np.where(Y == 1, 0.7, 0.3)
    rng = np.random.default_rng(0)
    assert verdict(good, []) == "PASS"
    assert verdict(rng.uniform(0.4, 0.6, 200), []) in {"UNDECIDABLE", "FAIL"}
    assert verdict(1 - good, []) == "FAIL"


def test_a_constant_model_fails_even_where_its_smoothing_makes_it_look_better() -> None:
    assert verdict(np.where(Y == 1, 0.5001, 0.4999), [], is_constant=True) == "FAIL"


def test_the_worst_requirement_decides() -> None:
    good = np.where(Y == 1, 0.7, 0.3)
    assert verdict(good, ["model_mb <= 2", "roc_auc >= 0.9"]) == "PASS"
    assert verdict(good, ["model_mb <= 0.5"]) == "FAIL"
    assert verdict(good, ["latency_p99_ms <= 5"]) == "UNDECIDABLE"


def test_too_few_rows_pass_nothing() -> None:
    problem = build_problem({"data": {"target": "y"}})
    for copies, expected in ((1, "UNDECIDABLE"), (2, "UNDECIDABLE"), (5, "PASS")):
        y = np.array([0, 1] * copies)
        scores = np.column_stack([1 - y, y]) * 0.8 + 0.1
        found = evaluate(y, scores, [metric("roc_auc")], Task.BINARY, baseline=np.array([0.5, 0.5]))
        luck = chance_of_perfection(y, Task.BINARY)
        assert gate_of(problem, found, {}, luck=luck).verdict.value == expected
