"""The linear models against scikit-learn, which solves the same problems another way."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge

from artificer.algorithms.base import FitContext
from artificer.algorithms.logistic import Logistic
from artificer.algorithms.ridge import Ridge
from artificer.clock import Deadline, ManualClock
from artificer.types import Task

REGRESSION = FitContext(Task.REGRESSION, 1)


def table(n=300, p=8, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 2).astype(np.float32)
    signal = X @ rng.normal(size=p)
    noisy = signal + rng.normal(size=n) * signal.std()
    y = np.digitize(noisy, np.quantile(noisy, np.linspace(0, 1, classes + 1)[1:-1])).astype(float)
    return X, y, (noisy - noisy.mean()) / noisy.std(), rng.uniform(0.2, 3, n)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_logistic_agrees_with_sklearn(classes, weighted, strength):
    X, y, _, weight = table(classes=classes)
    weight = weight * len(y) / weight.sum() if weighted else None
    task = Task.BINARY if classes == 2 else Task.MULTICLASS
    mine = Logistic(C=strength).fit(X, y, FitContext(task, classes), weight=weight).predict(X)
    theirs = LogisticRegression(C=strength, max_iter=2000, tol=1e-8).fit(X.astype(float), y, sample_weight=weight)
    np.testing.assert_allclose(mine, theirs.predict_proba(X.astype(float)), atol=2e-4)


@pytest.mark.parametrize("shape", [(300, 8), (20, 50)])
@pytest.mark.parametrize("alpha", [0.1, 30.0])
def test_ridge_agrees_with_sklearn(shape, alpha):
    X, _, y, weight = table(*shape)
    weight = weight * len(y) / weight.sum()
    mine = Ridge(alpha=alpha).fit(X, y, REGRESSION, weight=weight).predict(X)[:, 0]
    theirs = SklearnRidge(alpha=alpha).fit(X.astype(float), y, sample_weight=weight).predict(X.astype(float))
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_ridge_chooses_more_penalty_where_there_is_less_to_learn():
    X, _, y, _ = table(60, 40)
    noise = np.random.default_rng(1).normal(size=60)
    learnt, guessed = (np.abs(Ridge().fit(X, t, REGRESSION).coefficients).sum() for t in (y, noise))
    assert guessed < 0.7 * learnt


def test_ridge_survives_copied_columns():
    X, _, y, _ = table()
    doubled = np.concatenate([X, X, X], axis=1)
    np.testing.assert_allclose(
        Ridge(alpha=0.0).fit(doubled, y, REGRESSION).predict(doubled),
        Ridge(alpha=0.0).fit(X, y, REGRESSION).predict(X),
        atol=1e-4,
    )


def test_a_row_far_outside_is_held_one_range_away():
    X = np.linspace(0, 10, 50, dtype=np.float32)[:, None]
    fitted = Ridge(alpha=0.0).fit(X, X[:, 0].astype(float), REGRESSION)
    answer = fitted.predict(np.array([[15.0], [20.0], [1e30], [-1e30]], np.float32))[:, 0]
    np.testing.assert_allclose(answer, [15, 20, 20, -10], atol=1e-4)


def test_logistic_keeps_what_it_has_at_the_deadline():
    X, y, _, _ = table()
    late = FitContext(Task.BINARY, 2, deadline=Deadline(ManualClock(elapsed=2.0), at=1.0))
    fitted = Logistic().fit(X, y, late)
    assert not fitted.complete
    assert fitted.coefficients.any()


def test_logistic_fits_a_part_of_a_table_that_is_too_large(monkeypatch):
    monkeypatch.setattr("artificer.algorithms.logistic.MAX_CELLS", 1)
    X, y, _, _ = table(n=12_000, p=2)
    context = FitContext(Task.BINARY, 2)
    part = Logistic().fit(X, y, context, weight=np.ones(len(y)))
    monkeypatch.undo()
    whole = Logistic().fit(X, y, context)
    assert not np.array_equal(part.coefficients, whole.coefficients)
    np.testing.assert_allclose(part.predict(X), whole.predict(X), atol=0.05)
