"""What estimators promise to cover: kept on new rows, the same from an exported bundle, refused where it cannot be."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import artificer
from artificer import Classifier, Regressor


def table(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two columns and a value whose noise grows with it."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 10, (rows, 2))
    return X, 2 * X[:, 0] + X[:, 0] / 2 * rng.normal(size=rows)


@pytest.fixture(scope="module")
def regressor() -> Regressor:
    return Regressor("4 fits").fit(*table(900, 0))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    X, y = table(900, 0)
    return Classifier("4 fits").fit(X, np.array(["low", "middle", "high"])[np.digitize(y, [8, 14])])


def test_intervals_cover_new_rows_and_widen_with_the_noise(regressor: Regressor, tmp_path: Path) -> None:
    X, y = table(3000, 1)
    ends = regressor.predict_interval(X)
    inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
    assert 0.86 < inside.mean() < 0.94
    width = ends[:, 1] - ends[:, 0]
    assert width[X[:, 0] > 8].mean() > 2 * width[X[:, 0] < 3].mean()
    np.testing.assert_allclose(ends.mean(axis=1), regressor.predict(X), rtol=1e-5)
    loaded = artificer.load(regressor.export(tmp_path / "model.artificer"))
    columns = {"x0": X[:, 0], "x1": X[:, 1]}
    np.testing.assert_array_equal(loaded.predict_interval(columns), ends)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(regressor)).predict_interval(X), ends)  # noqa: S301


def test_sets_cover_new_rows(classifier: Classifier) -> None:
    X, y = table(3000, 1)
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [8, 14])]
    sets = classifier.predict_set(X, coverage=0.8)
    assert [found[0] for found in sets] == classifier.predict(X).tolist()
    assert np.mean([label in found for label, found in zip(labels, sets, strict=True)]) > 0.76
    more = classifier.predict_set(X, coverage=0.95)
    assert all(set(few) <= set(many) for few, many in zip(sets, more, strict=True))


def test_a_constant_covers_too() -> None:
    y = np.repeat(["a", "b", "c"], (70, 20, 10))
    model = Classifier("1 fits").fit(np.random.default_rng(0).normal(size=(100, 1)), y)
    assert [row["name"] for row in model.leaderboard_ if row["weight"]] == ["constant"]
    sets = {coverage: model.predict_set([[1.0]], coverage)[0] for coverage in (0.6, 0.85, 0.95)}
    assert sets == {0.6: ["a"], 0.85: ["a", "b"], 0.95: ["a", "b", "c"]}


def test_what_cannot_be_promised_is_refused(regressor: Regressor) -> None:
    with pytest.raises(NotFittedError):
        Regressor().predict_interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"coverage must be a number from 0\.5 to 0\.99, not 1\.0"):
        regressor.predict_interval([[1.0, 2.0]], coverage=1.0)
    few = Regressor("2 fits").fit(*table(2, 0))
    with pytest.raises(ValueError, match="keeps no record"):
        few.predict_interval([[1.0, 2.0]])
    with pytest.warns(UserWarning, match="too few to promise 0.99"):
        assert np.isinf(Regressor("2 fits").fit(*table(40, 0)).predict_interval([[1.0, 2.0]], coverage=0.99)).all()
