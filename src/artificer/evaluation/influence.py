"""What each row contributes to the area under the ROC curve: placement values, hence DeLong's variance.

Legend: m positives, n negatives, N = m + n; psi (N,) with ``AUC ~ E AUC + mean(psi)``.

References
----------
.. [1] DeLong, E. R., DeLong, D. M., Clarke-Pearson, D. L. (1988). Comparing the areas under two or more correlated
   receiver operating characteristic curves: a nonparametric approach. Biometrics 44, 837-845.
.. [2] Sun, X., Xu, W. (2014). Fast implementation of DeLong's algorithm for comparing the areas under correlated
   receiver operating characteristic curves. IEEE Signal Processing Letters 21, 1389-1393.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import Doubles, Ints


def midranks(values: NDArray[Any]) -> Doubles:
    """Ranks from 1, ties sharing the mean of theirs.

    Examples
    --------
    >>> midranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(first)
    ends = np.concatenate([starts[1:], [len(ordered)]])
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + 1 + ends) / 2.0, ends - starts)
    return ranks


def auc_influence(positive: NDArray[np.bool_], score: NDArray[Any]) -> tuple[float, Doubles]:
    """Area under the ROC curve and the contribution of each row.

    Parameters
    ----------
    positive : (N,), True for rows of the positive class; both kinds present.
    score : (N,), larger means more likely positive.

    Returns
    -------
    auc, psi (N,) : the variance of the AUC is that of the mean of psi, stratified by class.

    Examples
    --------
    >>> auc, psi = auc_influence(np.array([True, True, False]), np.array([0.9, 0.2, 0.4]))
    >>> auc, psi.tolist()
    (0.5, [0.75, -0.75, 0.0])
    """
    m = int(positive.sum())
    n = len(positive) - m
    everyone = midranks(score)
    placement = np.empty(len(score))
    placement[positive] = (everyone[positive] - midranks(score[positive])) / n
    placement[~positive] = 1.0 - (everyone[~positive] - midranks(score[~positive])) / m
    auc = float(placement[positive].mean())
    psi = (placement - auc) * np.where(positive, len(score) / m, len(score) / n)
    return auc, psi


def macro_auc_influence(y: Ints, scores: NDArray[Any], positive: int = 1) -> tuple[float, Doubles]:
    """One-against-rest area averaged over the classes present, and the contribution of each row.

    Parameters
    ----------
    y : codes (N,).
    scores : (N, c) probabilities. With two columns that of the `positive` class alone decides.
    """
    if scores.shape[1] == 2:
        return auc_influence(y == positive, scores[:, positive])
    present = [c for c in range(scores.shape[1]) if 0 < int((y == c).sum()) < len(y)]
    parts = [auc_influence(y == c, scores[:, c]) for c in present]
    return float(np.mean([auc for auc, _ in parts])), np.mean([psi for _, psi in parts], axis=0)


def stratified_covariance(psi: Doubles, strata: Ints) -> Doubles:
    """Covariance (j, j) of the means of psi (N, j) when the size of each stratum is held fixed.

    Examples
    --------
    >>> _, psi = auc_influence(np.array([True, True, False, False]), np.array([0.9, 0.3, 0.4, 0.1]))
    >>> float(stratified_covariance(psi[:, None], np.array([1, 1, 0, 0]))[0, 0])
    0.125
    """
    total = np.zeros((psi.shape[1], psi.shape[1]))
    for stratum in np.unique(strata):
        rows = psi[strata == stratum]
        if len(rows) > 1:
            rows = rows - rows.mean(axis=0)
            total += rows.T @ rows * (len(rows) / (len(rows) - 1))
    return total / len(psi) ** 2
