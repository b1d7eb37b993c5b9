"""Evaluation, gate, comparison, calibration, errors by class, importance."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from artificer.clock import ManualClock
from artificer.errors import ConfigurationError, DataError
from artificer.evaluation.calibration import calibration
from artificer.evaluation.comparison import paired_comparison
from artificer.evaluation.errors_by_class import confusion, residuals
from artificer.evaluation.evaluate import evaluate
from artificer.evaluation.gate import Verdict, gate
from artificer.evaluation.importance import permutation_importance
from artificer.metrics.base import metric
from artificer.types import Blocks, Kind, Task


def binary(n: int, seed: int, signal: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    y[:2] = [0, 1]
    p = 1 / (1 + np.exp(-(signal * (2 * y - 1) + rng.normal(size=n))))
    return y, np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("task", list(Task))
def test_an_evaluation_is_json(task: Task) -> None:
    rng = np.random.default_rng(0)
    if task is Task.BINARY:
        y, scores = binary(200, 0)
        names, base = ["roc_auc", "log_loss", "accuracy"], [0.6, 0.4]
    elif task is Task.MULTICLASS:
        y = rng.integers(0, 3, 200)
        logits = rng.normal(size=(200, 3)) + 2 * np.eye(3)[y]
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        names, base = ["log_loss", "roc_auc", "f1_macro"], [1 / 3] * 3
    else:
        y = rng.normal(size=200)
        scores = (y + 0.3 * rng.normal(size=200))[:, None]
        names, base = ["rmse", "r2", "median_absolute_error"], [0.0]
    found = evaluate(y, scores.astype(np.float32), [metric(name) for name in names], task, baseline=np.array(base))
    assert found.primary.name == names[0]
    for result in found.metrics:
        assert result.advantage is not None
        assert result.advantage.low > 0
        assert result.advantage.p < 0.001
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["schema"] == "artificer.evaluation/1"
    assert (found.confusion is None) == (not task.is_classification)
    assert (found.residuals is None) == (task is not Task.REGRESSION)


def test_a_constant_model_has_no_advantage() -> None:
    y, _ = binary(300, 1)
    scores = np.tile([0.6, 0.4], (300, 1))
    found = evaluate(y, scores, [metric("roc_auc"), metric("log_loss")], Task.BINARY, baseline=[0.6, 0.4])  # type: ignore[arg-type]
    for result in found.metrics:
        assert result.advantage is not None
        assert (result.advantage.value, result.advantage.p) == (0.0, 1.0)


def test_one_class_in_the_test_set_is_noted() -> None:
    found = evaluate(np.zeros(50, int), np.full((50, 2), 0.5), [metric("roc_auc")], Task.BINARY, baseline=[0.5, 0.5])  # type: ignore[arg-type]
    assert len(found.notes) == 2
    assert found.to_json()["metrics"][0]["score"]["value"] is None
    report = gate([("roc_auc", ">=", 0.5)], found, {})
    assert report.verdict is Verdict.UNDECIDABLE


def test_bad_scores_are_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        evaluate(np.zeros(2), np.array([[1.0], [math.nan]]), [metric("rmse")], Task.REGRESSION)
    with pytest.raises(DataError, match="at least one row"):
        evaluate(np.zeros(0), np.zeros((0, 1)), [metric("rmse")], Task.REGRESSION)


def test_gate_verdicts() -> None:
    y, scores = binary(1_000, 2)
    found = evaluate(y, scores, [metric("roc_auc"), metric("log_loss")], Task.BINARY)
    auc = found.primary.score
    passing, failing = round(auc.lower - 0.01, 3), round(auc.upper + 0.01, 3)
    assert gate([("roc_auc", ">=", passing)], found, {}).verdict is Verdict.PASS
    assert gate([("roc_auc", ">", failing)], found, {}).verdict is Verdict.FAIL
    report = gate([("roc_auc", ">=", auc.value - 0.002), ("roc_auc", ">=", passing)], found, {})
    assert report.verdict is Verdict.UNDECIDABLE
    needed = report.requirements[0].rows_needed
    assert needed is not None
    assert needed == pytest.approx(1_000 * ((auc.value - auc.lower) / 0.002) ** 2, rel=0.01)
    assert f"{needed:,} test rows" in report.reason
    loss = found.metrics[1].score
    assert gate([("log_loss", "<=", loss.upper + 0.01)], found, {}).verdict is Verdict.PASS
    assert gate([("log_loss", "<", loss.lower - 0.01)], found, {}).verdict is Verdict.FAIL
    both = gate([("log_loss", "<", loss.lower - 0.01), ("roc_auc", ">=", auc.value)], found, {})
    assert both.verdict is Verdict.FAIL
    assert both.requirements[1].rows_needed is None
    json.dumps(both.to_json(), allow_nan=False)


def test_rows_needed_do_decide() -> None:
    y, scores = binary(400, 3)
    found = evaluate(y, scores, [metric("roc_auc")], Task.BINARY)
    bound = found.primary.score.value - 0.01
    needed = gate([("roc_auc", ">=", bound)], found, {}).requirements[0].rows_needed
    assert needed is not None
    times = math.ceil(needed * 1.1 / 400)
    more = evaluate(np.tile(y, times), np.tile(scores, (times, 1)), [metric("roc_auc")], Task.BINARY)
    assert gate([("roc_auc", ">=", bound)], more, {}).verdict is Verdict.PASS


def test_operational_requirements() -> None:
    y, scores = binary(100, 4)
    found = evaluate(y, scores, [metric("roc_auc")], Task.BINARY)
    report = gate([("latency_p99_ms", "<=", 5), ("rows_per_s", ">=", 100)], found, {"latency_p99_ms": 4.2})
    assert [item.verdict for item in report.requirements] == [Verdict.PASS, Verdict.UNDECIDABLE]
    assert "was not measured" in report.reason
    assert gate([("model_mb", "<", 5)], found, {"model_mb": 5.0}).verdict is Verdict.FAIL
    assert gate([], found, {}).verdict is Verdict.PASS
    with pytest.raises(ConfigurationError, match="unknown operator"):
        gate([("roc_auc", "=", 1)], found, {})


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy", "average_precision"])
def test_comparison_finds_the_better_model_and_no_false_one(name: str) -> None:
    y, good = binary(800, 5, signal=1.5)
    rng = np.random.default_rng(5)
    p = np.clip(0.5 + 0.4 * (good[:, 1] - 0.5) + 0.25 * rng.normal(size=800), 0.01, 0.99)
    poor = np.stack([1 - p, p], axis=1)
    found = paired_comparison(y, good, poor, metric(name))
    assert found.verdict == "better"
    assert found.difference > 0
    assert paired_comparison(y, poor, good, metric(name)).verdict == "worse"
    same = paired_comparison(y, good, good, metric(name))
    assert (same.verdict, same.p, same.not_inferior) == ("undecided", 1.0, False)
    assert paired_comparison(y, good, good, metric(name), margin=0.01).not_inferior
    json.dumps(found.to_json(), allow_nan=False)


def test_false_claims_of_a_comparison_stay_below_alpha() -> None:
    claims = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=120)
        a, b = y + rng.normal(size=120), y + rng.normal(size=120)
        found = paired_comparison(y, a[:, None], b[:, None], metric("mae"), alpha=0.05, seed=seed)
        claims += found.verdict != "undecided"
        assert (found.p < 0.05) == (found.verdict != "undecided")
    assert claims <= 21  # binomial(200, 0.05) exceeds 21 with probability 0.0004


def test_few_rows_decide_nothing() -> None:
    y = np.array([0, 1] * 5)
    perfect = np.stack([1.0 - y, y], axis=1)
    found = paired_comparison(y, perfect, 1 - perfect, metric("roc_auc"))
    assert found.verdict == "undecided"
    assert "too few" in found.reason
    rare = np.array([0] * 40 + [1] * 3)
    perfect = np.stack([1.0 - rare, rare], axis=1)
    assert paired_comparison(rare, perfect, 1 - perfect, metric("roc_auc")).verdict == "undecided"


def test_calibration_tells_true_from_overconfident() -> None:
    rng = np.random.default_rng(6)
    p = rng.beta(1, 2, 3_000)
    y = (rng.random(3_000) < p).astype(int)
    true = calibration(Task.BINARY, y, np.stack([1 - p, p], axis=1))
    assert true is not None
    assert true.p > 0.05
    assert true.ece < 2.5 * true.ece_if_calibrated
    assert sum(item.rows for item in true.bins) == 3_000
    bold = p**2 / (p**2 + (1 - p) ** 2)
    wrong = calibration(Task.BINARY, y, np.stack([1 - bold, bold], axis=1))
    assert wrong is not None
    assert wrong.p < 0.01
    assert wrong.ece_low > true.ece
    large = calibration(Task.BINARY, np.tile(y, 10), np.tile(np.stack([1 - bold, bold], axis=1), (10, 1)))
    assert large is not None
    assert large.p < 0.01


def test_calibration_of_constant_scores_is_one_bin() -> None:
    y = np.array([0, 1] * 50)
    found = calibration(Task.BINARY, y, np.full((100, 2), 0.5))
    assert found is not None
    assert len(found.bins) == 1
    assert found.bins[0].observed == 0.5
    assert calibration(Task.REGRESSION, y, np.zeros((100, 1))) is None


def test_false_alarms_of_the_calibration_test() -> None:
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.random(300)
        y = (rng.random(300) < p).astype(int)
        found = calibration(Task.BINARY, y, np.stack([1 - p, p], axis=1), seed=seed)
        alarms += found is not None and found.p < 0.05
    assert alarms <= 13


def test_errors_by_class() -> None:
    y = np.array([0, 0, 1, 2])
    scores = np.eye(4)[[0, 1, 1, 1]]
    found = confusion(y, scores, ["a", "b", "c", "d"])
    assert found.table == ((1, 1, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0))
    assert found.by_class[1].precision == pytest.approx(1 / 3)
    assert found.by_class[2].precision is None
    assert found.by_class[3].recall is None
    many = confusion(np.arange(150), np.eye(150))
    assert many.table is None
    assert len(many.by_class) == 100


def test_residuals_show_bias() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=500)
    found = residuals(y, (y - 1 + 0.1 * rng.normal(size=500))[:, None])
    assert found.mean_low > 0.9
    assert sum(rows for _, _, rows in found.by_prediction) == 500
    assert residuals(np.array([1.0]), np.array([[1.0]])).mean == 0.0


def blocks_of(n: int) -> tuple[Blocks, NDArray[Any]]:
    rng = np.random.default_rng(8)
    numbers = rng.normal(size=(n, 3)).astype(np.float32)
    strings = rng.choice(["a", "b"], (n, 1)).astype(object)
    times = rng.integers(0, 100, (n, 1))
    y = 2 * numbers[:, 0] + (strings[:, 0] == "a") + 0.1 * rng.normal(size=n)
    return Blocks(numbers, strings, times), y


NAMES = {Kind.NUMBERS: ["x0", "x1", "x2"], Kind.STRINGS: ["letter"], Kind.TIMES: ["when"]}


def model(blocks: Blocks) -> NDArray[Any]:
    value: NDArray[Any] = (2 * blocks.numbers[:, 0] + (blocks.strings[:, 0] == "a"))[:, None]
    return value


def test_importance_ranks_the_columns_a_model_uses() -> None:
    blocks, y = blocks_of(500)
    found = permutation_importance(model, blocks, y, metric("rmse"), NAMES)
    assert [item.column for item in found[:2]] == ["x0", "letter"]
    assert found[0].low > found[1].high
    assert all(item.value == 0 for item in found[2:])
    assert all(item.repeats == 5 for item in found)
    json.dumps([item.to_json() for item in found], allow_nan=False)


def test_importance_stops_in_time() -> None:
    blocks, y = blocks_of(100)
    clock = ManualClock()

    def slow(blocks: Blocks) -> NDArray[Any]:
        clock.advance(1.0)
        return model(blocks)

    found = permutation_importance(slow, blocks, y, metric("rmse"), NAMES, seconds=3.5, clock=clock)
    assert len(found) == 3
    assert clock.elapsed == 4.0
