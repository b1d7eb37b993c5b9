"""What Python programs call: tables of every kind in, a run and its model out, and refusals in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.api import Run, predict_file
from artificer.errors import BundleDamagedError, ConfigurationError, MissingError, TargetError, UsageError

BUDGET = "3 fits"


def orders(rows: int = 150) -> pl.DataFrame:
    """Orders with a number, a category with gaps, a day; some came back."""
    rng = np.random.default_rng(11)
    size, colour = rng.normal(size=rows), rng.choice(np.array(["red", "green", "blue"]), rows)
    back = size + 1.5 * (colour == "red") + 0.3 * rng.normal(size=rows) > 0.5
    days = pl.date_range(pl.date(2025, 1, 1), pl.date(2025, 1, 1) + pl.duration(days=rows - 1), eager=True)
    return pl.DataFrame(
        {
            "size": size,
            "colour": [None if i % 17 == 0 else str(c) for i, c in enumerate(colour)],
            "day": days,
            "returned": np.where(back, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run() -> Run:
    return artificer.train(orders(), target="returned", budget=BUDGET)


def as_csv(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_csv(folder / "orders.csv")
    return folder / "orders.csv"


DOORS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "polars": lambda frame, folder: frame,
    "pandas": lambda frame, folder: frame.to_pandas(),
    "arrow": lambda frame, folder: frame.to_arrow(),
    "path": as_csv,
    "text path": lambda frame, folder: str(as_csv(frame, folder)),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_kind_of_table_trains_the_same_model(door: str, run: Run, tmp_path: Path) -> None:
    other = artificer.train(DOORS[door](orders(), tmp_path), target="returned", budget=BUDGET)
    assert other.score == run.score
    np.testing.assert_array_equal(other.model.predict_proba(orders()), run.model.predict_proba(orders()))


def test_work_units_are_repeatable(run: Run) -> None:
    again = artificer.train(orders(), target="returned", budget=BUDGET)
    assert (again.score, again.interval, again.leaderboard[0]["name"]) == (
        run.score,
        run.interval,
        run.leaderboard[0]["name"],
    )
    assert [row["score"] for row in again.leaderboard] == [row["score"] for row in run.leaderboard]


def test_the_score_is_of_test_rows_and_lies_in_its_interval(run: Run) -> None:
    low, high = run.interval
    assert 0.5 < low <= run.score <= high <= 1.0
    assert run.document["rows"]["test"] == 30
    assert run.document["metric"] == "roc_auc"


def test_the_leaderboard_has_a_row_for_each_candidate(run: Run) -> None:
    rows = run.leaderboard
    assert {"name", "algorithm", "score", "success_probability", "weight", "folds", "status", "reason"} <= set(rows[0])
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    assert "constant" in names
    assert sum(row["weight"] for row in rows) == pytest.approx(1.0)
    assert sum(row["folds"] for row in rows if row["name"] != "constant") <= 3


def test_a_model_takes_and_returns_tables_of_every_kind(run: Run) -> None:
    frame = orders().drop("returned")
    model = run.model
    assert model.classes == ["no", "yes"]
    probabilities = model.predict_proba(frame)
    assert probabilities.shape == (150, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert set(model.predict(frame)) == {"no", "yes"}
    for other in (frame.to_pandas(), frame.to_arrow(), frame.to_dict(as_series=False), frame.to_dicts()):
        np.testing.assert_array_equal(model.predict_proba(other), probabilities)


def test_save_and_load_give_an_equal_model(run: Run, tmp_path: Path) -> None:
    path = run.save(tmp_path / "model.artificer")
    loaded = artificer.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(orders()), run.model.predict_proba(orders()))
    assert loaded.bundle.sha256 == run.document["sha256"]


@pytest.fixture(scope="module")
def values() -> Run:
    return artificer.train(prices(600, 1), target="price", budget=BUDGET)


def prices(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.uniform(1, 10, rows)
    return pl.DataFrame({"size": size, "price": 3 * size + rng.normal(size=rows)})


def test_intervals_hold_what_they_promise_on_new_rows(values: Run) -> None:
    new = prices(2000, 2)
    ends = values.model.predict_interval(new)
    assert ends.shape == (2000, 2)
    np.testing.assert_allclose(ends.mean(axis=1), values.model.predict(new), rtol=1e-5)
    inside = (ends[:, 0] <= new["price"].to_numpy()) & (new["price"].to_numpy() <= ends[:, 1])
    assert 0.85 < inside.mean() < 0.95
    wider = values.model.predict_interval(new, coverage=0.99)
    assert (wider[:, 1] - wider[:, 0] >= ends[:, 1] - ends[:, 0]).all()
    rows = values.document["evaluation"]["coverage"]
    assert [row["promised"] for row in rows] == [0.8, 0.9, 0.95]
    assert rows[1]["low"] <= 0.9 <= rows[1]["high"]


def test_sets_hold_the_likeliest_class_first(run: Run) -> None:
    sets = run.model.predict_set(orders(), coverage=0.8)
    assert [found[0] for found in sets] == list(run.model.predict(orders()))
    assert {label for found in sets for label in found} == {"no", "yes"}
    true = orders()["returned"].to_list()
    assert np.mean([label in found for label, found in zip(true, sets, strict=True)]) > 0.75


def test_what_cannot_be_promised_is_refused(run: Run, values: Run) -> None:
    with pytest.raises(UsageError, match="classes have no intervals; use predict_set"):
        run.model.predict_interval(orders())
    with pytest.raises(UsageError, match="no sets of classes; use predict_interval"):
        values.model.predict_set(prices(2, 0))
    with pytest.raises(UsageError, match=r"from 0\.5 to 0\.99, not 1\.5"):
        values.model.predict_interval(prices(2, 0), coverage=1.5)


def test_few_rows_give_endless_intervals_and_a_warning() -> None:
    model = artificer.train(prices(30, 0), target="price", budget="2 fits").model
    with pytest.warns(UserWarning, match=r"too few to promise 0\.99, so intervals are endless"):
        assert np.isinf(model.predict_interval(prices(3, 1), coverage=0.99)).all()


def test_files_are_scored_with_what_is_promised(run: Run, values: Run, tmp_path: Path) -> None:
    prices(50, 3).write_csv(tmp_path / "new.csv")
    bundle, output = values.save(tmp_path / "prices.artificer"), tmp_path / "scored.parquet"
    predict_file(str(tmp_path / "new.csv"), output, bundle=bundle, coverage=0.9)
    scored = pl.read_parquet(output)
    assert scored.columns == ["size", "price", "prediction", "price_low", "price_high"]
    ends = scored.select("price_low", "price_high").to_numpy()
    np.testing.assert_allclose(ends, values.model.predict_interval(prices(50, 3)), rtol=1e-6)
    as_csv(orders(), tmp_path)
    bundle = run.save(tmp_path / "orders.artificer")
    sets = run.model.predict_set(orders(), 0.95)
    for name in ("scored.csv", "scored.parquet"):
        predict_file(str(tmp_path / "orders.csv"), tmp_path / name, bundle=bundle, coverage=0.95)
    assert pl.read_parquet(tmp_path / "scored.parquet")["returned_set"].to_list() == sets
    assert [json.loads(cell) for cell in pl.read_csv(tmp_path / "scored.csv")["returned_set"]] == sets
    with pytest.raises(UsageError, match="coverage must be a number"):
        predict_file(str(tmp_path / "orders.csv"), tmp_path / "never.csv", bundle=bundle, coverage=2.0)
    assert not (tmp_path / "never.csv").exists()


def test_a_folder_keeps_the_run(tmp_path: Path) -> None:
    run = artificer.train(orders(), target="returned", budget=BUDGET, folder=tmp_path / "run")
    kept = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"model.artificer", "run.json", "holdout.jsonl"} <= kept
    assert run.folder == tmp_path / "run"


def test_a_regression(tmp_path: Path) -> None:
    frame = orders().with_columns(paid=pl.col("size") * 3 + 20.5).drop("returned")
    run = artificer.train(frame, target="paid", budget=BUDGET, metric="mae", drop=["day"])
    assert run.document["task"] == "regression"
    assert run.document["metric"] == "mae"
    assert run.model.predict(frame).shape == (150,)
    with pytest.raises(UsageError, match="no class probabilities"):
        run.model.predict_proba(frame)


def test_the_watch_hears_of_every_stage() -> None:
    heard: list[str] = []
    artificer.train(
        orders(), target="returned", budget=BUDGET, watch=lambda message, done, planned: heard.append(message)
    )
    assert heard[0] == "reading the data"
    assert heard[-1] == "packaging the model"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"target": "retuned"}, TargetError, 'did you mean "returned"'),
        ({"metric": "roc_auk"}, ConfigurationError, 'did you mean "roc_auc"'),
        ({"metric": "rmse"}, ConfigurationError, "rmse does not measure a binary task"),
        ({"budget": "soon"}, ConfigurationError, "budget"),
        ({"task": "guessing"}, ConfigurationError, "task"),
        ({"positive": "maybe"}, TargetError, 'no value "maybe"'),
        ({"requirements": ["roc_auk >= 0.5"]}, ConfigurationError, "roc_auk"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        artificer.train(orders(), **{"target": "returned", "budget": BUDGET, **changes})
    assert "\n" not in str(caught.value)


def test_sources_that_are_not_there_or_no_table(tmp_path: Path) -> None:
    with pytest.raises(artificer.errors.ArtificerError, match=r"absent\.csv"):
        artificer.train(tmp_path / "absent.csv", target="returned")
    with pytest.raises(artificer.errors.DataError, match="no table"):
        artificer.train(42, target="returned")


def test_what_is_no_bundle_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no bundle at"):
        artificer.load(tmp_path / "absent.artificer")
    (tmp_path / "text.artificer").write_text("not a model")
    with pytest.raises(BundleDamagedError, match="not a bundle"):
        artificer.load(tmp_path / "text.artificer")


def test_the_public_names_are_sorted_and_there() -> None:
    assert artificer.__all__ == sorted(artificer.__all__)
    assert all(hasattr(artificer, name) for name in artificer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Regresor'"):
        _ = artificer.Regresor


def test_a_code_for_a_missing_cell_is_missing_to_the_finished_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    size = rng.normal(30, 4, 400)
    noted = np.where(rng.random(400) < 0.1, -999.0, size)
    run = artificer.train(
        pl.DataFrame({"size": noted, "y": size + rng.normal(size=400)}), "y", budget="2 fits", folder=tmp_path
    )
    finding = next(item for item in run.document["findings"] if item["rule"] == "disguised_missing")
    assert (finding["column"], finding["applied"], finding["count"]) == ("size", True, int((noted == -999).sum()))
    asked = pl.DataFrame({"size": [-999.0, None, 31.0]})
    code, missing, usual = run.model.predict(asked)
    assert code == missing != usual
    bundle = run.model.bundle
    served, _ = bundle.reader.read([{"size": -999}, {"size": None}])
    assert np.isnan(served.numbers).all()
    kept = artificer.train(pl.DataFrame({"size": noted, "y": size}), "y", budget="1 fits", as_is=["size"])
    assert kept.model.bundle.contract.column("size").codes == ()
