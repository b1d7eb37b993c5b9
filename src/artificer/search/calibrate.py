"""Make the ensemble's probabilities and quantiles mean what they say, where out-of-fold scores show that it helps.

References
----------
.. [1] Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to regularized likelihood
   methods. Advances in Large Margin Classifiers, 61-74.
.. [2] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML.
.. [3] Romano, Y., Patterson, E., Candes, E. (2019). Conformalized quantile regression. NeurIPS.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from artificer.bundle.calibration import SMALLEST_PROBABILITY, Calibration
from artificer.metrics.quantiles import pinball_rows
from artificer.types import Doubles, Ints, Task

PARTS = 5
MIN_ROWS = 50
MAX_ROWS = 20_000
MIN_GAIN = 1e-4
"""Relative improvement of the log loss below which a calibration is not worth its node in the graph."""


def calibrate(y: Ints, scores: Doubles, task: Task, seed: int = 0) -> Calibration:
    """Choose among identity, temperature and (binary) Platt scaling by cross-validated log loss.

    Parameters
    ----------
    y : (n,) class codes. scores : (n, c) out-of-fold probabilities.

    Returns
    -------
    Calibration
        Identity unless another improves the log loss on rows it was not fitted on, by more than its standard error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.3, 0.7, size=4000)
    >>> y = (rng.uniform(size=4000) < p).astype(np.int64)
    >>> sure = np.clip((p - 0.5) * 2.4 + 0.5, 0.01, 0.99)  # says 0.98 where 0.7 is true
    >>> calibrate(y, np.column_stack([1 - sure, sure]), Task.BINARY).scale < 1
    True
    """
    if not task.is_classification or len(y) < MIN_ROWS or len(np.unique(y)) < 2:
        return Calibration.identity()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))[:MAX_ROWS]
    y, scores = np.asarray(y, dtype=np.int64)[order], scores[order]
    part = np.arange(len(y)) % PARTS
    plain = row_losses(y, scores)
    best, best_gain = Calibration.identity(), MIN_GAIN * float(plain.mean())
    ways: list[Callable[[Ints, Doubles], Calibration]] = [fit_temperature]
    if task is Task.BINARY:
        ways.append(fit_platt)
    for fit in ways:
        held_out = np.empty(len(y))
        for i in range(PARTS):
            inside, outside = part == i, part != i
            held_out[inside] = row_losses(y[inside], fit(y[outside], scores[outside]).apply(scores[inside]))
        gain = plain - held_out
        if gain.mean() > max(best_gain, float(gain.std()) / np.sqrt(len(y))):
            best, best_gain = fit(y, scores), float(gain.mean())
    return best


def row_losses(y: Ints, scores: Doubles) -> Doubles:
    """Log loss of every row (n,)."""
    p = scores[np.arange(len(y)), y] / np.maximum(scores.sum(axis=1), SMALLEST_PROBABILITY)
    result: Doubles = -np.log(np.clip(p, SMALLEST_PROBABILITY, 1.0))
    return result


def fit_temperature(y: Ints, scores: Doubles) -> Calibration:
    """The temperature with the least log loss; convex in 1/T, found by Newton's method.

    Targets are smoothed as Platt's are: where every row is right, the plain optimum would be a temperature of zero,
    which calls the next mistake impossible.
    """
    z = np.log(np.maximum(scores, SMALLEST_PROBABILITY))
    n_classes = scores.shape[1]
    doubt = 1.0 / (np.bincount(y, minlength=n_classes)[y] + 2.0)
    own = z[np.arange(len(y)), y]
    others = (z.sum(axis=1) - own) / max(n_classes - 1, 1)
    wanted = (1.0 - doubt) * own + doubt * others
    b = 1.0
    for _ in range(30):
        e = np.exp(b * z - (b * z).max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        mean = (p * z).sum(axis=1)
        gradient = float((mean - wanted).mean())
        curvature = float(((p * z * z).sum(axis=1) - mean**2).mean())
        step = gradient / max(curvature, 1e-9)
        b = float(np.clip(b - np.clip(step, -1.0, 1.0), 0.05, 20.0))
        if abs(step) < 1e-7:
            break
    return Calibration.temperature(1.0 / b)


def fit_platt(y: Ints, scores: Doubles) -> Calibration:
    """Slope and intercept on the logit, with Platt's smoothed targets, by Newton's method."""
    z = np.log(np.maximum(scores, SMALLEST_PROBABILITY))
    x = z[:, 1] - z[:, 0]
    positives = float((y == 1).sum())
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (len(y) - positives + 2))
    A = np.column_stack([x, np.ones(len(x))])
    theta = np.array([1.0, 0.0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(A @ theta, -35, 35)))
        gradient = A.T @ (p - target)
        hessian = (A * (p * (1 - p))[:, None]).T @ A + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        theta = theta - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-7:
            break
    if theta[0] <= 0:  # would turn the ranking round: these scores say nothing that scaling could mend
        return Calibration.identity()
    return Calibration.platt(float(theta[0]), float(theta[1]))


def quantile_shifts(y: Doubles, quantiles: Doubles, levels: tuple[float, ...], seed: int = 0) -> tuple[float, ...]:
    """What to add to each quantile so that it is exceeded as often as it says, [3]_ with a shift for each level.

    Parameters
    ----------
    y : (n,) values. quantiles : (n, q) out of fold.

    Returns
    -------
    Shifts (q,), none smaller than the one before, so that quantiles stay in order; empty where they do not lower the
    pinball loss on rows they were not fitted on by more than its standard error.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=1000)
    >>> narrow = np.tile([-0.5, 0.5], (1000, 1))
    >>> [round(shift, 1) for shift in quantile_shifts(y, narrow, (0.1, 0.9))]
    [-0.8, 0.7]
    """
    if len(y) < MIN_ROWS:
        return ()
    order = np.random.default_rng(seed).permutation(len(y))[:MAX_ROWS]
    y, quantiles = y[order], quantiles[order]
    part = np.arange(len(y)) % PARTS
    moved = np.empty_like(quantiles)
    for i in range(PARTS):
        inside, outside = part == i, part != i
        moved[inside] = quantiles[inside] + fit_shifts(y[outside], quantiles[outside], levels)
    plain = pinball_rows(y, quantiles, levels)
    gain = plain - pinball_rows(y, moved, levels)
    if gain.mean() <= max(MIN_GAIN * float(plain.mean()), float(gain.std()) / np.sqrt(len(y))):
        return ()
    return tuple(fit_shifts(y, quantiles, levels).tolist())


def fit_shifts(y: Doubles, quantiles: Doubles, levels: tuple[float, ...]) -> Doubles:
    """The level's quantile of what is left over, pooled over levels where it would fall."""
    found = [float(np.quantile(y - quantiles[:, j], level)) for j, level in enumerate(levels)]
    pools: list[list[float]] = []
    for shift in found:
        pools.append([shift])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return np.array([float(np.mean(pool)) for pool in pools for _ in pool])
