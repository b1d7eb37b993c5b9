"""A constrained column moves the deployed model's answers one way only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.api import Run
from artificer.clock import SystemClock
from artificer.errors import ConfigurationError
from artificer.features.planning import plan
from artificer.features.representation import Representation
from artificer.metrics.base import metric
from artificer.problem.load import build_problem, parse_problem
from artificer.problem.render import render_problem
from artificer.search.executor import InlineExecutor
from artificer.search.records import Budget, Candidate, SearchRequest
from artificer.search.scratch import FolderStore
from artificer.search.search import refit, run_search
from artificer.search.tasks import Encoded
from artificer.splits.split import folds
from artificer.tables.prepare import prepare
from artificer.training.wanted import directions
from artificer.types import Blocks, Kind, Task


def sales(n: int = 400) -> pl.DataFrame:
    """Demand that falls with the price, except for a bump; a shop and a second number."""
    rng = np.random.default_rng(0)
    price, size = rng.uniform(1, 9, n), rng.normal(size=n)
    shop = rng.choice(["north", "south", "west"], n)
    demand = 5 - price + 2.5 * np.exp(-((price - 6) ** 2)) + size + (shop == "north") + 0.5 * rng.normal(size=n)
    return pl.DataFrame({"price": price, "size": size, "shop": shop, "demand": demand})


def sweep(run: Run, table: pl.DataFrame) -> np.ndarray:
    """Answers along the price, one row for each of 20 rows of the table: values, or chances of the last class."""
    grid = pl.Series("price", np.linspace(0, 10, 60))
    rows = table.head(20).drop("price").join(grid.to_frame(), how="cross").select(table.columns)
    answer: np.ndarray = run.model.scores(rows)[:, -1].reshape(20, 60)
    return answer


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return artificer.train(sales(), "demand", budget="9 fits", monotone={"price": "decreasing"}, folder=folder)


def test_no_step_goes_the_wrong_way(regression: Run) -> None:
    answers = sweep(regression, sales())
    assert np.diff(answers, axis=1).max() <= 1e-5
    assert (answers[:, 0] - answers[:, -1]).min() > 1.0
    assert not any(row["algorithm"] in ("ridge", "random_forest") for row in regression.leaderboard)


def test_without_the_constraint_it_does() -> None:
    answers = sweep(artificer.train(sales(), "demand", budget="9 fits"), sales())
    assert np.diff(answers, axis=1).max() > 0.05


@pytest.mark.parametrize("positive", ["much", "little"])
def test_of_two_classes_it_is_the_positive_one(positive: str) -> None:
    table = sales().with_columns(demand=pl.when(pl.col("demand") > 1).then(pl.lit("much")).otherwise(pl.lit("little")))
    wanted = "decreasing" if positive == "much" else "increasing"
    run = artificer.train(table, "demand", budget="7 fits", positive=positive, monotone={"price": wanted})
    assert run.model.classes == ["little", "much"]
    steps = np.diff(sweep(run, table), axis=1)
    assert steps.max() <= 1e-6
    assert steps.min() < -1e-3


def test_repeating_a_recipe_keeps_the_constraint(regression: Run) -> None:
    recipe = regression.model.bundle.recipe
    assert recipe["monotone"] == {"price": -1}
    table = sales()
    ready = prepare(table, target="demand")
    y = ready.y.astype(np.float64)
    request = SearchRequest(
        blocks=ready.blocks,
        y=y,
        task=Task.REGRESSION,
        n_classes=1,
        names={kind: ready.contract.names(kind) for kind in Kind},
        folds=folds(len(y), Task.REGRESSION, y, 2, 0),
        metric=metric("rmse"),
        budget=Budget(fits=5),
        executor=InlineExecutor(SystemClock()),
    )
    again = refit(recipe, request)
    assert again.recipe["monotone"] == {"price": -1}
    from artificer.bundle.assemble import assemble
    from artificer.bundle.model import open_session

    model = assemble(again.graphs(), again.calibration, ready.contract)
    kinds = tuple(kind for kind in Kind if ready.contract.of(kind))
    session = open_session(model, ready.contract, kinds, 1, Path("model"))
    rows = Blocks(
        *(np.repeat(ready.blocks.of(kind)[:1], 50, axis=0) for kind in Kind)  # type: ignore[arg-type]
    )
    rows.numbers[:, ready.contract.names(Kind.NUMBERS).index("price")] = np.linspace(0, 10, 50)
    answer = session.run(None, {kind.value: rows.of(kind) for kind in kinds})[0][:, 0]
    assert np.diff(answer).max() <= 1e-5


def test_a_candidate_that_would_not_obey_is_refused() -> None:
    request: Any = {
        "blocks": Blocks(np.ones((4, 1), np.float32), np.zeros((4, 0), object), np.zeros((4, 0), np.int64)),
        "y": np.arange(4.0),
        "task": Task.REGRESSION,
        "n_classes": 1,
        "names": {Kind.NUMBERS: ["a"], Kind.STRINGS: [], Kind.TIMES: []},
        "folds": [],
        "metric": metric("rmse"),
    }
    ridge = (Candidate("ridge", "ridge", {}, "linear"),)
    with pytest.raises(ConfigurationError, match="ridge obeys no monotone constraints"):
        run_search(SearchRequest(**request, candidates=ridge, monotone={"a": 1}))
    with pytest.raises(ConfigurationError, match='no column of numbers "b"'):
        run_search(SearchRequest(**request, monotone={"b": 1}))


# The problem


def test_constraints_in_the_file_are_read_and_written_back() -> None:
    problem = parse_problem('[data]\ntarget = "y"\n\n[data.monotone]\nprice = "decreasing"\n"a b" = "increasing"')
    assert problem.data.monotone == {"price": "decreasing", "a b": "increasing"}
    assert parse_problem(render_problem(problem)) == problem


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            '[data]\ntarget = "y"\n[data.monotone]\nprice = "down"',
            'line 4: data.monotone.price = "down" must be a table',
        ),
        ('[data]\ntarget = "y"\nmonotone = { y = "increasing" }', "both data.target and data.monotone"),
        ('[data]\ntarget = "y"\ntask = "multiclass"\nmonotone = { x = "increasing" }', "values and two classes"),
    ],
)
def test_constraints_that_do_not_hold_are_refused(lines: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_problem(lines)


@pytest.mark.parametrize(
    ("name", "said"),
    [("prise", 'no such column; did you mean "price"'), ("shop", r"no numbers \(categorical: ")],
)
def test_only_columns_of_numbers_are_constrained(name: str, said: str) -> None:
    problem = build_problem({"data": {"target": "demand", "monotone": {name: "increasing"}}})
    with pytest.raises(ConfigurationError, match=said):
        directions(problem, prepare(sales(40), target="demand"))


def test_more_than_two_classes_rise_and_fall_with_nothing() -> None:
    table = sales(60).with_columns(demand=pl.Series(["a", "b", "c"] * 20))
    problem = build_problem({"data": {"target": "demand", "monotone": {"price": "increasing"}}})
    with pytest.raises(ConfigurationError, match="demand has 3; remove it"):
        directions(problem, prepare(table, target="demand"))


# The features


def test_a_constrained_column_is_one_feature_and_no_other() -> None:
    rng = np.random.default_rng(0)
    shops = rng.choice(["a", "b", "c"], (200, 1)).astype(object)
    blocks = Blocks(rng.normal(size=(200, 3)).astype(np.float32), shops, np.zeros((200, 0), np.int64))
    names = {Kind.NUMBERS: ["x", "price", "z"], Kind.STRINGS: ["shop"], Kind.TIMES: [], Kind.TEXTS: []}
    spec = plan("trees+pairs+groups", blocks, names, Task.REGRESSION, 1).sparing([1])
    representation = Representation(spec)
    Y = (blocks.numbers[:, :1] * blocks.numbers[:, 2:]).astype(np.float64)
    X = representation.fit_transform(blocks, Y, names, seed=0)
    found = representation.monotone((0, -1, 0))
    assert len(found) == X.shape[1] > 4
    assert sum(map(abs, found)) == 1
    assert representation.feature_names_[found.index(-1)] == "price"
    np.testing.assert_array_equal(X[:, found.index(-1)], blocks.numbers[:, 1])
    moved = Blocks(blocks.numbers.copy(), blocks.strings, blocks.times)
    moved.numbers[:, 1] += 1
    others = np.array(found) == 0
    np.testing.assert_array_equal(
        representation.transform(moved)[:, others], representation.transform(blocks)[:, others]
    )


def test_directions_survive_the_folder_of_features(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("k", Encoded(np.ones((2, 2), np.float32), np.ones((1, 2), np.float32), None, 0.1, (0, -1)))
    kept = store.get("k")
    assert kept is not None
    assert kept.monotone == (0, -1)
