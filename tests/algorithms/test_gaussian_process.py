"""The marginal likelihood's gradient, the closed forms, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from artificer.algorithms import gaussian_process
from artificer.algorithms.base import FitContext
from artificer.algorithms.gaussian_process import KERNELS, GaussianProcess, Problem
from artificer.types import Task


def problem(kernel="matern", n=40, p=3, c=2, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p))
    Y = np.sin(A[:, :1] + np.arange(c)) + 0.2 * rng.normal(size=(n, c))
    return Problem(KERNELS[kernel], A, Y, rng.uniform(0.5, 2.0, n))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_is_the_loss_s(kernel):
    given = problem(kernel)
    for seed in range(3):
        theta = given.prior[0] + 0.5 * np.random.default_rng(seed).normal(size=5)
        off = check_grad(lambda t: given.loss(t)[0], lambda t: given.loss(t)[1], theta)
        assert off < 1e-4 * np.linalg.norm(given.loss(theta)[1])


def test_leave_one_out_is_what_leaving_one_out_gives():
    given = problem(n=12)
    theta = given.prior[0]
    _, left_out = given.solve(theta)
    lengths, signal = np.exp(theta[:3]), np.exp(theta[3])
    for row in range(12):
        rest = np.arange(12) != row
        alpha, _ = Problem(given.kernel, given.A[rest], given.Y[rest], given.noise[rest]).solve(theta)
        s = (((given.A[row] - given.A[rest]) / lengths) ** 2).sum(axis=1)
        np.testing.assert_allclose(signal * given.kernel.value(s) @ alpha, left_out[row], atol=1e-9)


def test_it_finds_which_feature_matters():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 4)).astype(np.float32)
    fitted = GaussianProcess().fit(X, np.sin(2 * X[:, 1].astype(float)), FitContext(Task.REGRESSION, 1))
    assert fitted.scale[1] > 3 * np.delete(fitted.scale, 1).max()
    new = rng.normal(size=(100, 4)).astype(np.float32)
    assert np.abs(fitted.predict(new)[:, 0] - np.sin(2 * new[:, 1])).mean() < 0.1


def test_probabilities_are_honest_where_there_is_noise():
    """One feature decides by a logistic law; the stated probabilities follow it."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 2)).astype(np.float32)
    truth = 1 / (1 + np.exp(-2 * X[:, 0]))
    fitted = GaussianProcess().fit(X, (rng.random(500) < truth).astype(float), FitContext(Task.BINARY, 2))
    assert np.abs(fitted.predict(X)[:, 1] - truth).mean() < 0.07


def test_large_tables_are_sampled(monkeypatch):
    monkeypatch.setattr(gaussian_process, "MOST_ROWS", 50)
    X = np.random.default_rng(3).normal(size=(400, 2)).astype(np.float32)
    one, two = (GaussianProcess().fit(X, X[:, 0].astype(float), FitContext(Task.REGRESSION, 1)) for _ in range(2))
    assert len(one.rows) == 50
    np.testing.assert_array_equal(one.rows, two.rows)
