"""How likely each candidate is to end up within reach of the best, from no fold on.

Model, in units of the gap between the best loss and the constant baseline's (see :mod:`artificer.search.priors`)::

    loss[i, f] = theta[i] + fold[f] + shared[i] + noise[i, f]

theta     a candidate's true mean loss, Gaussian prior with correlated families
fold      how hard a fold is: the same for all, so only paired differences between candidates count
shared    what the overlap of training sets adds to a candidate's every fold; variance q * sigma[i]**2 with
          q = validation rows / training rows, so that a mean over k folds has the variance (1/k + q) * sigma[i]**2
noise     variance sigma[i]**2, estimated from paired differences, with few folds drawn towards a common value

References
----------
.. [1] Nadeau, C., Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artificer.search.experience import WORST_GAP
from artificer.search.priors import Prior, covariance
from artificer.types import Doubles

PRIOR_WEIGHT = 2.0
"""Folds' worth of belief in the expected noise."""

OWN_WEIGHT = 4.0
"""Folds' worth of belief that a candidate is as noisy as the others."""

FOLD_VARIANCE = 25.0


@dataclass(frozen=True)
class Posterior:
    """Belief about the candidates' true mean losses in gap units: 1 is the baseline's, lower is better.

    Attributes
    ----------
    mean : (K,)
    root : (K, K), root @ root.T is the covariance.
    unit : loss per gap unit; `origin`: the baseline's mean loss.
    dof : degrees of freedom of the noise estimate; draws have Student tails accordingly.
    """

    mean: Doubles
    root: Doubles
    unit: float
    origin: float
    dof: float

    def draws(self, count: int, seed: int) -> Doubles:
        """Draw (count, K) vectors of true mean losses."""
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((count, len(self.mean)))
        stretch = np.sqrt(self.dof / rng.chisquare(self.dof, size=(count, 1)))
        result: Doubles = self.mean + stretch * (z @ self.root.T)
        return result

    def loss(self, i: int) -> float:
        """Expected true mean loss of a candidate, in the metric's unit."""
        return float(self.origin + (self.mean[i] - 1.0) * self.unit)


def posterior(
    losses: Doubles, beliefs: Sequence[Prior], valid_rows: Sequence[int], train_rows: Sequence[int]
) -> Posterior:
    """Update the prior with the folds seen so far.

    Parameters
    ----------
    losses : (K, k), NaN where a candidate has not run a fold or the fold cannot decide; row 0 is the constant baseline.
        Losses far beyond the baseline's count as less.
    valid_rows, train_rows : (k,) sizes of the folds.

    Examples
    --------
    >>> beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1), Prior("linear", 0.3, 0.2)]
    >>> losses = np.array([[1.0, 1.1, 0.9], [0.5, 0.6, 0.4], [0.7, 0.81, 0.6]])
    >>> after = posterior(losses, beliefs, [100, 100, 100], [200, 200, 200])
    >>> success_probabilities(after.draws(2000, 0), 0.01).round(2).tolist()
    [0.0, 1.0, 0.0]
    """
    k = losses.shape[1]
    prior_mean = np.array([belief.gap for belief in beliefs])
    prior_cov = covariance(beliefs)
    seen_i, seen_f = np.nonzero(np.isfinite(losses))
    rows = float(np.mean(valid_rows)) if k else 1.0
    overlap = rows / max(float(np.mean(train_rows)), 1.0) if k else 0.0
    unit, origin = scale(losses)
    sigma, dof = noise(losses / unit, expected=0.02 + 0.5 / np.sqrt(max(rows, 1.0)))
    if len(seen_i) == 0:
        return Posterior(prior_mean, root_of(prior_cov), unit, origin, dof)

    # How far behind the baseline a candidate is, any number of units while nothing has gained, says nothing of others.
    base = np.where(np.isfinite(losses[0]), losses[0], np.inf)
    held = np.minimum(losses, base + (WORST_GAP - 1.0) * unit)
    observed = (held[seen_i, seen_f] - origin) / unit + 1.0
    same_candidate = (seen_i[:, None] == seen_i[None, :]).astype(np.float64)
    same_fold = (seen_f[:, None] == seen_f[None, :]).astype(np.float64)
    variance = sigma[seen_i] ** 2
    spread = (
        prior_cov[np.ix_(seen_i, seen_i)]
        + FOLD_VARIANCE * same_fold
        + overlap * same_candidate * variance[:, None]
        + np.diag(variance)
    )
    cross = prior_cov[:, seen_i]
    solved = np.linalg.solve(spread, np.column_stack([observed - prior_mean[seen_i], cross.T]))
    mean = prior_mean + cross @ solved[:, 0]
    left = prior_cov - cross @ solved[:, 1:]
    return Posterior(mean, root_of(left), unit, origin, dof)


def root_of(covariance: Doubles) -> Doubles:
    """A matrix whose product with its transpose is the covariance, as far as that is one."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root: Doubles = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def scale(losses: Doubles) -> tuple[float, float]:
    """Loss per gap unit, and the baseline's mean loss.

    The unit is the largest mean gain over the baseline on the same folds; where nothing gains, a hundredth of the
    baseline's own size, so that noise is not blown up into differences.
    """
    base = losses[0]
    if not np.isfinite(base).any():
        return 1.0, 0.0
    origin = float(np.nanmean(base))
    floor = max(0.01 * abs(origin), 1e-9)
    gains = [
        float(np.mean((base - row)[paired]))
        for row in losses[1:]
        if (paired := np.isfinite(row) & np.isfinite(base)).any()
    ]
    return max([floor, *gains]), origin


def noise(losses: Doubles, expected: float) -> tuple[Doubles, float]:
    """Standard deviation of each candidate's fold noise (K,), and the degrees of freedom behind it.

    Paired differences are taken to the candidate with most folds and least loss, so that what makes a fold hard for all
    cancels; half of their variance is each side's.
    """
    counts = np.isfinite(losses).sum(axis=1)
    learners = counts.copy()
    learners[0] = 0
    sigma = np.full(len(losses), expected)
    if learners.max(initial=0) < 2:
        return sigma, PRIOR_WEIGHT + OWN_WEIGHT
    leaders = np.flatnonzero(learners == learners.max())
    leader = leaders[np.argmin([np.nanmean(losses[i]) for i in leaders])]
    differences = losses - losses[leader]
    pairs = np.isfinite(differences)
    freedom = np.maximum(pairs.sum(axis=1) - 1, 0).astype(np.float64)
    variance = np.array(
        [np.var(d[p], ddof=1) / 2 if p.sum() > 1 else 0.0 for d, p in zip(differences, pairs, strict=True)]
    )
    freedom[leader] = 0.0
    others = freedom.copy()
    others[0] = 0.0  # the baseline differs from learners by how hard a fold is, not by noise
    pooled = (PRIOR_WEIGHT * expected**2 + (others * variance).sum()) / (PRIOR_WEIGHT + others.sum())
    own = (OWN_WEIGHT * pooled + freedom * variance) / (OWN_WEIGHT + freedom)
    return np.sqrt(np.maximum(own, 1e-12)), PRIOR_WEIGHT + OWN_WEIGHT + float(others.sum())


def success_probabilities(draws: Doubles, epsilon: float, active: NDArray[np.bool_] | None = None) -> Doubles:
    """P(a candidate's true mean loss is within `epsilon` gap units of the best reachable one), (K,).

    Candidates that are not `active` (failed) can neither be the best nor succeed.
    """
    if active is not None:
        draws = np.where(active, draws, np.inf)
    best = draws.min(axis=1, keepdims=True)
    result: Doubles = (draws <= best + epsilon).mean(axis=0)
    return result if active is None else np.where(active, result, 0.0)
