"""Which features of a matrix are worth keeping: neither doubles of others nor noise.

References
----------
Kursa, M. B. and Rudnicki, W. R. Feature selection with the Boruta package. Journal of Statistical Software 36, 2010
(features compete with permuted copies of features).
"""

from __future__ import annotations

import numpy as np

from artificer.features.strength import binned, judged_target, sample, strength
from artificer.types import Doubles, Floats, Ints

SAME = 0.999
"""Of two features correlated more strongly than this, either way, the first is kept."""

WIDE, TALL = 300, 2_500
"""Features and rows at most that a forest is grown on; of wider matrices the features strongest alone."""

TREES, DEEPEST, LEAF = 40, 10, 3
SHADOW_SHARE = 0.75
"""A feature has to be of more use to the forest than this share of the permuted copies."""

LEAST_KEPT = 5


def choose_features(X: Floats, Y: Doubles, seed: int) -> Ints:
    """Places of the features (n, p) to keep, in order: at least one.

    Parameters
    ----------
    X : features of training rows; missing as NaN.
    Y : target in columns (n, t).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 30)).astype(np.float32)
    >>> X[:, 1] = 2 * X[:, 0]
    >>> kept = choose_features(X, np.float64(X[:, :1] + X[:, 2:3]), seed=0)
    >>> kept[:2].tolist(), len(kept) < 20
    ([0, 2], True)
    """
    rows = sample(len(X), X.shape[1])
    values, target = X[rows], judged_target(Y[rows])
    varied = [j for j in range(X.shape[1]) if _varies(values[:, j])]
    if len(varied) > WIDE:
        ranked = sorted((-strength(binned(values[:, j]), target), j) for j in varied)
        varied = sorted(j for _, j in ranked[:WIDE])
    places = np.array(varied, dtype=np.int64)
    places = places[_first_of_its_kind(values[:, places])]
    if len(places) <= LEAST_KEPT:
        return places if len(places) else np.zeros(1, dtype=np.int64)
    use, shadow_use = _use(_filled(values[:TALL][:, places]), target[:TALL], seed)
    useful = np.flatnonzero(use > np.quantile(shadow_use, SHADOW_SHARE))
    best = np.argsort(-use, kind="stable")[:LEAST_KEPT]
    kept: Ints = places[np.union1d(useful, best)]
    return kept


def _varies(column: Floats) -> bool:
    missing = np.isnan(column)
    present = column[~missing]
    return len(present) > 0 and (bool(missing.any()) or bool(present.min() != present.max()))


def _filled(values: Floats) -> Floats:
    """Missing values below all others, where a tree can set them apart."""
    with np.errstate(all="ignore"):
        low = np.nanmin(values, axis=0) - np.float32(1)
    filled: Floats = np.where(np.isnan(values), np.where(np.isfinite(low), low, 0), values).astype(np.float32)
    return filled


def _first_of_its_kind(values: Floats) -> Ints:
    """Places of columns that no earlier column doubles; columns missing in different rows are never doubles."""
    missing = np.isnan(values)
    counts = np.maximum((~missing).sum(axis=0), 1)
    wide = np.where(missing, 0.0, values.astype(np.float64))
    largest = np.maximum(np.abs(wide).max(axis=0, initial=0.0), 1e-300)
    wide /= largest  # squares of the largest numbers would overflow
    centred = np.where(missing, 0.0, wide - wide.sum(axis=0) / counts)
    norms = np.sqrt((centred * centred).sum(axis=0))
    unit = centred / np.where(norms > 0, norms, 1.0)
    correlated = np.abs(unit.T @ unit) > SAME
    patterns = [column.tobytes() for column in np.packbits(missing, axis=0).T.copy()]
    kept: list[int] = []
    for j in range(values.shape[1]):
        if not any(correlated[i, j] and patterns[i] == patterns[j] for i in kept):
            kept.append(j)
    return np.array(kept, dtype=np.int64)


def _use(X: Floats, Y: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Importance to a forest of the features and of as many permuted copies, which can be of use by chance only."""
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(seed)
    p = X.shape[1]
    shadows = rng.permuted(X, axis=0)
    forest = ExtraTreesRegressor(
        TREES, max_depth=DEEPEST, min_samples_leaf=LEAF, max_features=max(1, p // 2), random_state=seed % 2**31
    )
    forest.fit(np.concatenate([X, shadows], axis=1), Y if Y.shape[1] > 1 else Y[:, 0])
    use: Doubles = forest.feature_importances_
    return use[:p], use[p:]
