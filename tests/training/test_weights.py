"""Weights of rows and of classes, from the problem to the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from artificer.algorithms.constant import Constant
from artificer.clock import SystemClock
from artificer.errors import ConfigurationError, DataError
from artificer.evaluation.evaluate import evaluate
from artificer.graph import Graph
from artificer.metrics.base import metric
from artificer.problem.load import build_problem, parse_problem
from artificer.problem.render import render_problem
from artificer.search.executor import InlineExecutor
from artificer.search.objective import Objective
from artificer.search.records import Budget, Candidate, SearchRequest, SearchResult
from artificer.search.scratch import read_data, write_data
from artificer.search.search import prepare, run_search
from artificer.search.tasks import by_weight, emit_true_shares, true_shares
from artificer.splits.split import folds
from artificer.tables.prepare import prepare as prepare_table
from artificer.training.combine import combine
from artificer.training.wanted import class_weights
from artificer.types import Blocks, Kind, Role, Task


def table(n: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return pl.DataFrame({"x": x, "w": rng.integers(0, 4, n), "y": np.where(x > 0.8, "rare", "usual")})


def request(y: np.ndarray, X: np.ndarray, n_classes: int, **settings: Any) -> SearchRequest:
    task = {1: Task.REGRESSION, 2: Task.BINARY}.get(n_classes, Task.MULTICLASS)
    blocks = Blocks(X.astype(np.float32), np.zeros((len(y), 0), object), np.zeros((len(y), 0), np.int64))
    return SearchRequest(
        blocks=blocks,
        y=y,
        task=task,
        n_classes=n_classes,
        names={Kind.NUMBERS: [f"x{j}" for j in range(X.shape[1])], Kind.STRINGS: [], Kind.TIMES: []},
        folds=folds(len(y), task, y, 3, 0),
        metric=metric("rmse" if n_classes == 1 else "log_loss"),
        budget=Budget(fits=8),
        executor=InlineExecutor(SystemClock()),
        **settings,
    )


def members(name: str) -> tuple[Candidate, ...]:
    small = {"lightgbm": {"num_leaves": 6, "learning_rate": 0.1, "max_rounds": 80}}
    return (Candidate(name, name, small.get(name, {}), "linear" if name in ("logistic", "ridge") else "trees"),)


# The problem


def test_weights_in_the_file_are_read_and_written_back() -> None:
    text = '[data]\ntarget = "y"\nweight = "w"\n[training]\nclass_weights = { rare = 5, usual = 0.5 }'
    problem = parse_problem(text)
    assert problem.data.weight == "w"
    assert problem.training.class_weights == {"rare": 5.0, "usual": 0.5}
    assert parse_problem(render_problem(problem)) == problem
    assert problem.to_json()["training"]["class_weights"] == {"rare": 5.0, "usual": 0.5}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[data]\ntarget = "y"\nweight = "y"', 'column "y" is both data.target and data.weight'),
        ('[data]\ntarget = "y"\n[training]\nclass_weights = "even"', 'must be "balanced" or a table'),
        ('[data]\ntarget = "y"\n[training]\nclass_weights = { a = -1 }', "numbers of zero or more"),
        ('[data]\ntarget = "y"\n[training]\nclass_weights = { a = "b" }', '"a" has none'),
        ('[data]\ntarget = "y"\n[training]\nclass_weights = { a = 0 }', "above zero"),
        ('[data]\ntarget = "y"\ntask = "regression"\n[training]\nclass_weights = "balanced"', "for classes"),
    ],
)
def test_weights_that_do_not_hold_are_refused(lines: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_problem(lines)


def test_class_weights_are_those_of_the_classes_there_are() -> None:
    ready = prepare_table(table(), target="y")
    rows = np.arange(len(ready.y))

    def weights(wanted: Any) -> Any:
        problem = build_problem({"data": {"target": "y"}, "training": {"class_weights": wanted}})
        return class_weights(problem, ready, rows)

    np.testing.assert_allclose(weights("balanced") * ready.class_counts, len(rows) / 2)
    assert weights({"rare": 3}).tolist() == [3.0, 1.0]
    with pytest.raises(ConfigurationError, match='"rarre", which is no class of y; did you mean "rare"'):
        weights({"rarre": 3})


# The table


def test_a_weight_is_no_feature_and_rows_to_predict_need_none() -> None:
    ready = prepare_table(table(), target="y", weight="w")
    assert ready.contract.column("w").role is Role.WEIGHT
    assert ready.contract.names(Kind.NUMBERS) == ("x",)
    assert ready.weight is not None
    np.testing.assert_array_equal(ready.weight, table()["w"].to_numpy())


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([1.0, None, 2.0, 1.0], "1 weights are missing or no numbers, the first in row 2"),
        ([1.0, 1.0, 2.0, -1.0], "1 weights are below zero, the first in row 4"),
        ([0.0, 0.0, 0.0, 0.0], "zero in every row"),
        (["a", "b", "b", "a"], "does not hold numbers"),
    ],
)
def test_rows_without_a_weight_are_refused(cells: list[Any], said: str) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "w": cells, "y": ["a", "b", "a", "b"]})
    with pytest.raises(DataError, match=said):
        prepare_table(frame, target="y", weight="w")


def test_a_weight_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match='no column "weigth" to use as weight'):
        prepare_table(table().rename({"w": "weight"}), target="y", weight="weigth")


def test_rows_from_production_count_as_the_average_row() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0], "w": [1, 4]})
    made = combine(frame, [{"x": 3.0}, {"x": 4.0, "w": 9}], weight="w")
    assert made.frame["w"].to_list() == [1.0, 4.0, 2.5, 9.0]
    assert "1 rows from production have no" in made.notes[0]


# Search


def test_fits_of_other_processes_see_the_same_weights(tmp_path: Path) -> None:
    y, X = np.array([0, 1, 0, 1]), np.arange(4.0)[:, None]
    data, _ = prepare(request(y, X, 2, weight=np.array([1.0, 3.0, 0.0, 4.0]), class_weights=np.array([2.0, 1.0])))
    write_data(tmp_path, data)
    again = read_data(tmp_path)
    rows = np.arange(4)
    assert data.weight is not None
    np.testing.assert_allclose(data.weight, [0.5, 1.5, 0.0, 2.0])
    np.testing.assert_array_equal(again.fit_weight(rows), data.fit_weight(rows))
    assert data.fit_weight(rows).tolist() == pytest.approx([8 / 9, 12 / 9, 0.0, 16 / 9])


def test_a_weighted_regression_is_that_of_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    X, times = rng.normal(size=(90, 2)), rng.integers(0, 4, 90)
    y = X[:, 0] * X[:, 1] + rng.normal(size=90)
    weighted, _ = prepare(request(y, X, 1, weight=times.astype(float)))
    again = np.repeat(np.arange(90), times)
    repeated, _ = prepare(request(y[again], X[again], 1))
    np.testing.assert_allclose(weighted.y[again], repeated.y)


def test_fold_losses_are_weighted() -> None:
    y, scores = np.array([0.0, 0.0]), np.array([[1.0], [3.0]])
    objective = Objective(metric("mae"), Task.REGRESSION)
    assert objective.loss(y, scores, np.array([3.0, 1.0])) == pytest.approx(1.5)
    assert objective.mean([y], [scores], [np.array([0.0, 1.0])]) == pytest.approx(3.0)


def test_rows_are_drawn_as_often_as_they_count() -> None:
    weight = np.random.default_rng(0).exponential(size=1000)
    drawn = np.bincount(by_weight(weight), minlength=1000)
    assert drawn.sum() == 1000
    assert np.abs(drawn - weight / weight.mean()).max() <= 1.0


def test_shares_are_mended_in_the_graph_too() -> None:
    import onnxruntime

    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), 50).astype(np.float32)
    weights = np.array([1.0, 20.0, 0.1])
    graph = Graph()
    graph.output("out", emit_true_shares(graph, graph.input("x", "float32", 3), weights), "float32", 3)
    session = onnxruntime.InferenceSession(graph.fragment().model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": scores})[0], true_shares(scores, weights), atol=1e-6)


def found(name: str, n_classes: int, **settings: Any) -> tuple[SearchResult, np.ndarray]:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1500, 2))
    cuts = [1.2] if n_classes == 2 else [0.8, 1.6]
    y = np.digitize(X[:, 0] + 0.6 * rng.normal(size=1500), cuts)
    return run_search(request(y, X, n_classes, candidates=members(name), **settings)), y


@pytest.mark.parametrize(("name", "n_classes"), [("logistic", 2), ("logistic", 3), ("lightgbm", 3)])
def test_class_weights_leave_probabilities_honest(name: str, n_classes: int) -> None:
    weights = np.array([1.0, 12.0, 30.0])[:n_classes]
    result, y = found(name, n_classes, class_weights=weights)
    shares = np.bincount(y, minlength=n_classes) / len(y)
    said = result.oof_scores.mean(axis=0)
    assert np.abs(said - shares).max() < 0.06  # 0.5 and more while the weights are in them
    assert result.leaderboard.score is not None
    assert result.leaderboard.baseline_score is not None
    assert result.leaderboard.score < 0.8 * result.leaderboard.baseline_score
    plain, _ = found(name, n_classes)
    assert np.abs(plain.oof_scores - result.oof_scores).max() > 1e-3


def test_the_constant_follows_the_weights() -> None:
    y = np.array([0.0, 1.0, 1.0, 1.0])
    weight = np.array([9.0, 1.0, 1.0, 1.0])
    from artificer.algorithms.base import FitContext

    fitted = Constant(prior_rows=0.0).fit(np.zeros((4, 1), np.float32), y, FitContext(Task.BINARY, 2), weight=weight)
    assert fitted.row.tolist() == [0.75, 0.25]


# Evaluation


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("timed", [False, True])
def test_a_weighted_score_is_that_of_repeated_rows(name: str, timed: bool) -> None:
    rng = np.random.default_rng(2)
    y, times = rng.integers(0, 2, 300), rng.integers(0, 4, 300)
    p = np.clip(0.5 + 0.2 * (y - 0.5) + 0.2 * rng.normal(size=300), 0.01, 0.99)
    scores = np.stack([1 - p, p], axis=1)
    order = np.arange(300) if timed else None
    score = evaluate(y, scores, [metric(name)], Task.BINARY, weight=times.astype(float), times=order).primary.score
    again = np.repeat(np.arange(300), times)
    assert score.value == pytest.approx(metric(name).score(y[again], scores[again]))
    assert score.low < score.value < score.high
    assert "weighted" in score.method


def test_unequal_weights_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=500)
    scores = (y + rng.normal(size=500))[:, None]
    few = np.where(np.arange(500) < 25, 100.0, 1.0)
    plain = evaluate(y, scores, [metric("rmse")], Task.REGRESSION).primary.score
    even = evaluate(y, scores, [metric("rmse")], Task.REGRESSION, weight=np.full(500, 7.0)).primary.score
    uneven = evaluate(y, scores, [metric("rmse")], Task.REGRESSION, weight=few).primary.score
    assert even.value == pytest.approx(plain.value)
    assert even.stderr == pytest.approx(plain.stderr, rel=0.1)
    assert uneven.stderr > 2 * plain.stderr
