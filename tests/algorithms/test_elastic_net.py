"""The path of penalties against scikit-learn's coordinate descent, and how it is walked."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import LogisticRegression

from artificer.algorithms.base import FitContext
from artificer.algorithms.elastic_net import STEP, ElasticNet, Path
from artificer.clock import Deadline, ManualClock
from artificer.types import Task

REGRESSION = FitContext(Task.REGRESSION, 1)
STEPS = 6


def table(n=200, p=10, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 2).astype(np.float32)
    y = X[:, 0] - 2.0 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(size=n)
    return X, (y - y.mean()) / y.std(), rng.uniform(0.2, 3, n)


@pytest.mark.parametrize("shape", [(200, 10), (30, 60)])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_regression_agrees_with_sklearn(shape, ratio, weighted):
    X, y, weight = table(*shape)
    weight = weight if weighted else np.ones(len(y))
    penalty = Path.of(X, y, weight, REGRESSION).largest_slope / ratio * STEP**STEPS
    mine = ElasticNet(l1_ratio=ratio, rounds=STEPS, max_iter=1000).fit(X, y, REGRESSION, weight=weight)
    theirs = SklearnElasticNet(alpha=penalty, l1_ratio=ratio, tol=1e-10, max_iter=100_000)
    theirs.fit(X.astype(float), y, sample_weight=weight)
    np.testing.assert_allclose(mine.coefficients[:, 0], theirs.coef_, atol=1e-3)
    assert ((mine.coefficients[:, 0] == 0) == (theirs.coef_ == 0)).mean() > 0.9
    assert mine.rounds == STEPS


def test_classification_agrees_with_sklearn():
    X, y, _ = table()
    codes, context = (y > 0).astype(float), FitContext(Task.BINARY, 2)
    penalty = Path.of(X, codes, None, context).largest_slope * STEP**STEPS
    mine = ElasticNet(rounds=STEPS, max_iter=1000).fit(X, codes, context)
    centred = X.astype(float) - X.mean(axis=0)
    theirs = LogisticRegression(C=1 / (penalty * len(y)), l1_ratio=1.0, solver="saga", tol=1e-7, max_iter=20_000)
    np.testing.assert_allclose(mine.predict(X), theirs.fit(centred, codes).predict_proba(centred), atol=2e-3)


def test_validation_rows_end_the_path_early_where_there_is_nothing_to_learn():
    X, y, _ = table(120, 30)
    other, z, _ = table(120, 30, seed=1)
    noise = np.random.default_rng(5).normal(size=240)
    learnt = ElasticNet().fit(X, y, REGRESSION, (other, z))
    guessed = ElasticNet().fit(X, noise[:120], REGRESSION, (other, noise[120:]))
    assert guessed.rounds < learnt.rounds
    assert (guessed.coefficients != 0).sum() < (learnt.coefficients != 0).sum() < 30


def test_the_deadline_keeps_the_steps_there_are():
    X, y, _ = table()
    late = FitContext(Task.REGRESSION, 1, deadline=Deadline(ManualClock(elapsed=2.0), at=1.0))
    fitted = ElasticNet().fit(X, y, late)
    assert not fitted.complete
    assert fitted.rounds == 1
    assert fitted.coefficients.any()
