"""Log-linear models against scikit-learn's, on targets in their own unit, standardised as search does it."""

import numpy as np
import pytest
from sklearn.linear_model import TweedieRegressor

from artificer.algorithms.base import FitContext
from artificer.algorithms.glm import BEYOND, FittedGlm, Glm
from artificer.clock import Deadline, ManualClock
from artificer.errors import TargetError
from artificer.testing.algorithms import same
from artificer.types import Task


def table(power=1.0, n=400, scale=20.0, seed=0):
    """Counts, amounts that are often zero, or amounts above zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    mean = scale * np.exp(X @ np.array([0.5, -0.3, 0.0, 0.1]))
    if power == 1.0:
        return X, rng.poisson(mean).astype(float)
    amounts = rng.gamma(2.0, mean / 2.0)
    return X, amounts if power == 2.0 else amounts * rng.integers(0, 2, n)


def standardised(y, **settings):
    context = FitContext(Task.REGRESSION, 1, center=float(y.mean()), spread=float(y.std()), **settings)
    return (y - context.center) / context.spread, context


def answer(fitted, X, context):
    return fitted.predict(X)[:, 0] * context.spread + context.center


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_agrees_with_sklearn(power, weighted):
    X, y = table(power)
    weight = np.random.default_rng(1).uniform(0.2, 3, len(y)) if weighted else None
    z, context = standardised(y)
    fitted = Glm(power=power, C=1.0).fit(X, z, context, weight=weight)
    mean = np.average(y, weights=weight)
    centred = X - np.average(X, axis=0, weights=weight)
    theirs = TweedieRegressor(power=power, alpha=1 / len(y), link="log", tol=1e-8, max_iter=1000)
    expected = mean * theirs.fit(centred, y / mean, sample_weight=weight).predict(centred)
    np.testing.assert_allclose(answer(fitted, X, context), expected, rtol=2e-3)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_the_unit_of_the_target_does_not_matter(scale):
    X, y = table(2.0)
    one, two = (
        answer(Glm(power=2.0).fit(X, z, context), X, context)
        for z, context in (standardised(y), standardised(scale * y))
    )
    np.testing.assert_allclose(two, scale * one, rtol=1e-4)


def test_a_target_far_from_zero_loses_no_digits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)).astype(np.float32)
    z, context = standardised(1e5 + X[:, 0] + 0.1 * rng.normal(size=300))
    fitted = Glm(C=1e9).fit(X, z, context)
    same(fitted, X, context, Glm)
    assert np.corrcoef(fitted.predict(X)[:, 0], X[:, 0])[0, 1] > 0.99


def test_what_suits():
    assert Glm().suits(np.array([0.0, 3.0]))
    assert not Glm().suits(np.array([-1.0, 3.0]))
    assert Glm(power=1.5).suits(np.array([0.0, 3.0]))
    assert not Glm(power=2.0).suits(np.array([0.0, 3.0]))
    assert Glm(power=2.0).suits(np.array([0.1, 3.0]))


def test_what_does_not_suit_is_refused_with_the_reason():
    X, y = table()
    z, context = standardised(np.where(y == y.min(), 0.0, y))
    assert isinstance(Glm().fit(X, z, context), FittedGlm)
    with pytest.raises(TargetError, match="needs a target above zero, and its least value is 0; use power 1 or"):
        Glm(power=2.0).fit(X, z, context)
    z, context = standardised(y - 10.0)
    with pytest.raises(TargetError, match="not below zero"):
        Glm().fit(X, z, context)


def test_answers_stay_between_zero_and_what_was_seen():
    X, y = table()
    z, context = standardised(y)
    fitted = Glm(C=1e6).fit(X, z, context)
    far = np.concatenate([1e6 * X, -1e6 * X])
    found = answer(fitted, far, context)
    assert found.min() >= -1e-4
    assert found.max() <= 1.0001 * BEYOND * y.max()


def test_the_deadline_keeps_what_there_is():
    X, y = table()
    z, context = standardised(y, deadline=Deadline(ManualClock(elapsed=2.0), at=1.0))
    fitted = Glm().fit(X, z, context)
    assert not fitted.complete
    assert fitted.coefficients.any()
