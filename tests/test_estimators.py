"""The estimators under scikit-learn's own checks, in its tools, and on tables."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import artificer
from artificer import Classifier, Regressor
from artificer.errors import UsageError
from artificer.search.records import Budget as SearchBudget
from artificer.search.records import SearchRequest, SearchResult
from artificer.search.search import run_search
from artificer.serving.ids import Ids
from artificer.serving.predictor import Predictor
from artificer.training.score import score_frame
from artificer.types import Role

# The checks fit a hundred times and ask for equal models of equal calls, so that fits are what is counted.
ESTIMATORS = [Classifier("8 fits"), Regressor("8 fits")]
WEIGHTS = "a row that counts twice lies in one fold, and two equal rows may lie in two"
EXPECTED_TO_FAIL = {"check_sample_weight_equivalence_on_dense_data": WEIGHTS}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED_TO_FAIL)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, np.ndarray]:
    """Orders: numbers and categories with gaps, times, prices as text, a constant; and whether they came back."""
    rng = np.random.default_rng(3)
    n = 160
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "when": pd.date_range("2025-01-01", periods=n, freq="7h"),
            "price": [f"{p:.2f} EUR" for p in rng.uniform(5, 20, n)],
            "shop": "north",
        }
    )
    signal = frame["size"] + 2 * (frame["colour"] == "red")
    frame.loc[::9, "size"] = np.nan
    frame.loc[::11, "colour"] = None
    return frame, np.where(signal > 0.5, "back", "kept")


@pytest.fixture(scope="module")
def fitted(table: tuple[pd.DataFrame, np.ndarray]) -> Classifier:
    return Classifier("6 fits").fit(*table)


def test_each_column_of_a_table_is_taken_by_what_it_holds(fitted: Classifier) -> None:
    roles = {column.name: column.role for column in fitted._fitted.content.contract.columns}
    assert roles == {
        "size": Role.NUMERIC,
        "colour": Role.CATEGORICAL,
        "when": Role.DATETIME,
        "price": Role.NUMERIC,
        "shop": Role.CONSTANT,
        "target": Role.TARGET,
    }
    assert fitted.feature_names_in_.tolist() == ["size", "colour", "when", "price", "shop"]
    assert fitted.n_features_in_ == 5


def test_probabilities_of_a_table(fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, labels = table
    probabilities = fitted.predict_proba(frame)
    assert probabilities.shape == (160, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(frame)).all()
    assert fitted.score(frame, labels) > 0.85
    assert 0.8 < fitted.validation_score_ <= 1.0


def test_every_kind_of_table_is_predicted_alike(fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, _ = table
    expected = fitted.predict_proba(frame)
    polars = pl.from_pandas(frame)
    np.testing.assert_array_equal(fitted.predict_proba(polars), expected)
    np.testing.assert_array_equal(fitted.predict_proba(polars.to_arrow()), expected)
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_array_equal(fitted.predict_proba(frame.to_numpy()), expected)


def test_what_training_never_saw_is_predicted_too(fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray]) -> None:
    odd = table[0].head(3).assign(colour=["mauve", None, "red"], price=["free", "", "7.00 EUR"], when=None)
    assert np.isfinite(fitted.predict_proba(odd)).all()
    assert fitted.predict(table[0].head(0)).shape == (0,)


def test_columns_of_a_table_must_be_those_of_fit(fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, _ = table
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.drop(columns="colour"))
    with pytest.raises(ValueError, match="same order"):
        fitted.predict(frame[frame.columns[::-1]])


def test_a_numeric_matrix_keeps_constant_and_key_like_columns() -> None:
    X = np.column_stack([np.ones(60), np.arange(60.0), np.r_[np.zeros(30), np.ones(30)]])
    model = Classifier("3 fits").fit(X, X[:, 2].astype(int))
    contract = model._fitted.content.contract
    assert [c.name for c in contract.columns if c.role is Role.NUMERIC] == ["x0", "x1", "x2"]


def test_numbers_beyond_single_precision_are_clipped(tmp_path: Path) -> None:
    X = np.array([[1e300], [-1e300], [np.nan], [0.0]] * 10)
    model = Regressor("3 fits").fit(X, np.arange(40.0))
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(artificer.load(model.export(tmp_path / "model.artificer")).predict({"x0": X[:, 0]})).all()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["b", "a", "10", ""], "string"),
        ([" a", "a", "a ", "b"], "string"),
        ([7, -3, 40, 2], "int"),
        ([False, True, True, False], "bool"),
        ([0.0, 1.0, 2.0, 10.0], "float"),
    ],
)
def test_labels_come_back_as_given(labels: list[Any], kind: str, tmp_path: Path) -> None:
    X = np.repeat(np.arange(4.0), 10)[:, None]
    y = np.repeat(np.array(labels), 10)
    model = Classifier("3 fits").fit(X, y)
    assert model.classes_.tolist() == sorted(set(labels))
    found = model.predict(X)
    assert found.dtype == y.dtype
    assert set(found.tolist()) <= set(labels)
    assert model._fitted.content.contract.label_kind == kind
    loaded = artificer.load(model.export(tmp_path / "model.artificer"))
    assert loaded.classes == model.classes_.tolist()
    assert loaded.predict({"x0": X[:, 0]}).tolist() == found.tolist()


def test_labels_may_come_as_objects_and_as_categories() -> None:
    X = np.repeat(np.arange(2.0), 10)[:, None]
    y = pd.Series(["yes", "no"]).repeat(10).astype("category")
    for labels in (y, y.astype(object), y.tolist()):
        assert set(Classifier("2 fits").fit(X, labels).predict(X).tolist()) == {"yes", "no"}


def test_export_gives_a_bundle_that_predicts_the_same(
    fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    frame, _ = table
    loaded = artificer.load(fitted.export(tmp_path / "model.artificer"))
    assert loaded.classes == ["back", "kept"]
    assert loaded.predict(frame).tolist() == fitted.predict(frame).tolist()
    np.testing.assert_allclose(loaded.predict_proba(frame), fitted.predict_proba(frame), atol=1e-6)
    assert loaded.bundle.contract.positive == "kept"
    assert loaded.bundle.metrics["validation"]["score"] == pytest.approx(fitted.validation_score_)
    assert loaded.bundle.reference["rows"] == 160


def test_export_of_a_regression(tmp_path: Path) -> None:
    X, y = make_regression(80, 4, noise=1.0, random_state=0)
    model = Regressor("4 fits").fit(X, y)
    loaded = artificer.load(model.export(tmp_path / "model.artificer"))
    named = {f"x{j}": X[:, j] for j in range(4)}
    np.testing.assert_array_equal(loaded.predict(named), model.predict(X))
    with pytest.raises(UsageError, match="no class probabilities"):
        loaded.predict_proba(named)


def test_copies_predict_the_same(fitted: Classifier, table: tuple[pd.DataFrame, np.ndarray]) -> None:
    expected = fitted.predict_proba(table[0])
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):  # noqa: S301 - what was just written
        assert "bundle" not in other._fitted.__dict__
        np.testing.assert_array_equal(other.predict_proba(table[0]), expected)
        assert other.leaderboard_ == fitted.leaderboard_


def test_clones_are_unfitted_and_keep_parameters_untouched() -> None:
    seed = np.random.RandomState(1)
    model = Classifier("5 fits", metric="accuracy", random_state=seed, threads=1)
    given = {"budget": "5 fits", "metric": "accuracy", "random_state": seed, "threads": 1}
    assert model.get_params() == {**given, "class_weight": None, "split": "auto"}
    with pytest.raises(NotFittedError):
        clone(model).predict([[1.0]])
    with pytest.raises(NotFittedError):
        model.export("nowhere.artificer")


def test_leaderboard_rows(fitted: Classifier) -> None:
    names = [row["name"] for row in fitted.leaderboard_]
    assert "constant" in names
    assert sum(row["weight"] for row in fitted.leaderboard_) == pytest.approx(1.0)
    assert all(0.0 <= row["success_probability"] <= 1.0 for row in fitted.leaderboard_)


def test_same_call_same_model_and_another_seed_may_differ() -> None:
    X, y = make_classification(90, 5, flip_y=0.2, random_state=0)
    first, second = (Classifier("8 fits").fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert first.validation_score_ == second.validation_score_
    assert [r["name"] for r in first.leaderboard_] == [r["name"] for r in second.leaderboard_]
    other = Classifier("8 fits", random_state=5).fit(X, y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_a_random_state_object_is_drawn_from() -> None:
    X, y = make_classification(60, 4, flip_y=0.2, random_state=0)
    a, b = (Classifier("4 fits", random_state=np.random.RandomState(7)).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("budget", "expected"), [("60s", (None, 57.0)), ("60 fits", (60, None))])
def test_a_budget_is_spent_in_the_unit_it_is_given_in(
    budget: str, expected: tuple[int | None, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def seen(request: SearchRequest) -> SearchResult:
        asked.append(request.budget)
        return run_search(replace(request, budget=SearchBudget(fits=1)))

    monkeypatch.setattr("artificer.search.search.run_search", seen)
    Regressor(budget).fit(*make_regression(40, 3, random_state=0))
    assert asked[0].fits == expected[0]
    assert asked[0].seconds == pytest.approx(expected[1], abs=10) if expected[1] else asked[0].seconds is None


def test_cross_validation_pipelines_and_grids() -> None:
    X, y = make_classification(120, 5, class_sep=2.0, random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), Classifier("3 fits")), X, y, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert scores.mean() > 0.8
    grid = GridSearchCV(Classifier("3 fits"), {"metric": ["roc_auc", "log_loss"]}, cv=2, error_score="raise").fit(X, y)
    assert grid.best_estimator_.metric in ("roc_auc", "log_loss")
    assert grid.predict(X).shape == (120,)


def test_cross_validation_of_a_table(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    assert cross_val_score(Classifier("3 fits"), *table, cv=2, error_score="raise").mean() > 0.7


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"budget": "soon"}, "budget must be .* not 'soon'"),
        ({"budget": 60}, "budget must be .* not 60"),
        ({"metric": "roc_auk"}, 'did you mean "roc_auc"'),
        ({"metric": "rmse"}, "rmse does not measure a binary task"),
        ({"threads": 0}, "threads must be 1 or more"),
        ({"random_state": "x"}, "seed"),
    ],
)
def test_parameters_are_refused_at_fit(parameters: dict[str, Any], message: str) -> None:
    X, y = make_classification(20, 4, random_state=0)
    with pytest.raises(ValueError, match=message):
        Classifier(**parameters).fit(X, y)


def test_data_that_cannot_serve_is_refused() -> None:
    with pytest.raises(ValueError, match="single class"):
        Classifier().fit([[1.0], [2.0]], ["a", "a"])
    with pytest.raises(ValueError, match="no column can feed a model"):
        Classifier().fit(pd.DataFrame({"a": ["x", "x", "x"]}), [0, 1, 0])
    with pytest.raises(ValueError, match="1 sample"):
        Classifier().fit(pd.DataFrame({"a": ["x"]}), ["y"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        Classifier().fit(pd.DataFrame({"a": ["x", "y"]}), [0, 1, 0])
    with pytest.raises(ValueError, match="NaN"):
        Regressor().fit(pd.DataFrame({"a": ["x", "y"]}), [0.0, np.nan])
    with pytest.raises(ValueError, match="requires y"):
        Regressor().fit(pd.DataFrame({"a": ["x", "y"]}), None)


def test_few_rows_and_a_constant_target_still_give_a_model() -> None:
    assert Regressor("3 fits").fit([[1.0], [2.0]], [3.0, 5.0]).predict([[1.5]]) == pytest.approx([4.0])
    two = Classifier("3 fits").fit([[1.0], [2.0]], ["a", "b"])
    assert np.isnan(two.validation_score_)
    assert two.predict_proba([[1.0]])[0] == pytest.approx([0.5, 0.5])
    table = pd.DataFrame({"hue": ["a", "b"] * 10})
    assert Regressor("3 fits").fit(table, np.full(20, 7.0)).predict(table) == pytest.approx(np.full(20, 7.0))


def test_a_target_may_be_named_like_a_column() -> None:
    table = pd.DataFrame({"y": ["a", "b"] * 20, "y_": np.arange(40.0) % 7})
    model = Classifier("3 fits").fit(table, pd.Series(["a", "b"] * 20, name="y"))
    assert model._fitted.content.contract.target == "y__"
    assert model.score(table, table["y"]) == 1.0


def test_rows_sorted_by_a_time_are_validated_on_newer_ones() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "at": pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 9), "1h", eager=True)[:150],
            "x": rng.random(150),
        }
    )
    y = table["x"].to_numpy() + np.arange(150) / 50
    assert "sorted" in Regressor("4 fits").fit(table, y).notes_[0]
    assert not any("sorted" in note for note in Regressor("4 fits", split="random").fit(table, y).notes_)
    with pytest.raises(ValueError, match="'auto', 'random'"):
        Regressor("4 fits", split="newest").fit(table, y)


def test_weights_move_the_labels_and_leave_the_probabilities() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(600, 2))
    y = np.where(X[:, 0] + rng.normal(size=600) > 1.8, "rare", "usual")
    plain = Classifier("5 fits").fit(X, y)
    weighted = Classifier("5 fits", class_weight="balanced").fit(X, y)
    assert (weighted.predict(X) == "rare").mean() > 2 * (plain.predict(X) == "rare").mean()
    assert abs(weighted.predict_proba(X)[:, 0].mean() - (y == "rare").mean()) < 0.04
    named = Classifier("5 fits", class_weight={"rare": 1e6}).fit(X, y)
    assert (named.predict(X) == "rare").mean() > 0.9
    with pytest.raises(ValueError, match="class_weight names 'raer'"):
        Classifier("3 fits", class_weight={"raer": 2}).fit(X, y)
    with pytest.raises(ValueError, match='class_weight must be "balanced"'):
        Classifier("3 fits", class_weight="even").fit(X, y)


def test_an_exported_bundle_chooses_labels_as_the_estimator_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = np.where(rng.random(400) < 1 / (1 + np.exp(2.5 - X[:, 0])), "yes", "no")
    model = Classifier("3 fits", class_weight="balanced").fit(X, y)
    wanted = model.predict(X).tolist()
    loaded = artificer.load(model.export(tmp_path / "model.artificer"))
    likeliest = model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    assert wanted != likeliest, "the costs have something to say"
    table = pl.DataFrame(X, schema=["x0", "x1"])
    assert loaded.predict(table).tolist() == wanted
    assert score_frame(loaded.bundle, table)[0]["prediction"].to_list() == wanted
    predictor = Predictor("m", 1, loaded.bundle, datetime.now(), Ids())
    assert [entry.prediction for entry in predictor.answer(table.to_dicts(), 0.0).entries] == wanted
    plain = Classifier("3 fits").fit(X, y)._fitted.content.contract
    assert "costs" not in plain.to_json()


def test_a_row_without_weight_is_not_learnt() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 1))
    y = np.where(np.arange(300) < 150, 3 * X[:, 0], -3 * X[:, 0])
    model = Regressor("4 fits").fit(X, y, sample_weight=np.repeat([1.0, 0.0], 150))
    assert model.score(X[:150], y[:150]) > 0.9
    with pytest.raises(ValueError, match="one number for each of the 300 rows"):
        model.fit(X, y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="zero or more"):
        model.fit(X, y, sample_weight=-np.ones(300))


def test_entities_are_no_features_and_stay_together() -> None:
    rng = np.random.default_rng(0)
    who = rng.permutation(np.repeat(np.arange(60), 5))
    signs = rng.normal(size=(60, 3))[who] + 0.1 * rng.normal(size=(300, 3))
    table = pl.DataFrame({"patient_id": [f"P{w:03}" for w in who], **{f"sign{j}": signs[:, j] for j in range(3)}})
    y = rng.integers(0, 2, 60)[who]
    model = Classifier("4 fits").fit(table, y)
    assert "60 entities" in model.notes_[0]
    assert model._fitted.content.contract.column("patient_id").role is Role.GROUP
    assert model.validation_score_ < 0.75  # patients that are new cannot be known by their signs
    assert model.predict(table).shape == (300,)
    assert not any("entities" in note for note in Classifier("4 fits", split="random").fit(table, y).notes_)
