"""How alike rows are: in the target by a key's values, and in the features to their nearest neighbours.

References
----------
Gower, J. C. A general coefficient of similarity and some of its properties. Biometrics 27, 1971.
Shrout, P. E. and Fleiss, J. L. Intraclass correlations: uses in assessing rater reliability. Psychological Bulletin
86(2), 1979 (the one-way form, ICC(1)).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import MISSING_TIME, Blocks, Doubles, Floats, Ints, Kind, Task

MOST_COLUMNS = 60
"""Distances are taken over so many columns at most, evenly spaced ones: more do not change who is nearest by much."""

PERMUTATIONS = 99


def target_columns(y: Doubles | Ints, task: Task) -> Doubles:
    """The target as columns (n, t) that averages can be taken of: ranks of values, or 0 and 1 for each class.

    Examples
    --------
    >>> target_columns(np.array([10.0, 30.0, 20.0]), Task.REGRESSION).ravel().tolist()
    [0.0, 1.0, 0.5]
    """
    if task.is_classification:
        classes, codes = np.unique(y, return_inverse=True)
        return np.asarray(codes.reshape(-1, 1) == np.arange(len(classes)), dtype=np.float64)
    return ranks(np.asarray(y, dtype=np.float64))[:, None]


def ranks(values: NDArray[Any]) -> Doubles:
    """Ranks of distinct values from 0 to 1."""
    codes = np.unique(values, return_inverse=True)[1].reshape(-1)
    return np.asarray(codes / max(int(codes.max(initial=0)), 1), dtype=np.float64)


def agreement(codes: Ints, target: Doubles) -> float:
    """The intraclass correlation of `target` (n, t) within groups: 1 where their rows are all the same, 0 by chance.

    Examples
    --------
    >>> agreement(np.array([0, 0, 1, 1]), np.array([[1.0], [1.0], [0.0], [0.0]]))
    1.0
    """
    sizes = np.bincount(codes).astype(np.float64)
    n, groups = float(sizes.sum()), int((sizes > 0).sum())
    if groups < 2 or n <= groups:
        return 0.0
    centred = target - target.mean(axis=0)
    sums = np.stack([np.bincount(codes, weights=column, minlength=len(sizes)) for column in centred.T])
    total = float((centred**2).sum())
    among = float((sums**2 / np.maximum(sizes, 1.0)).sum())
    between, within = among / (groups - 1), max(total - among, 0.0) / (n - groups)
    usual = (n - float((sizes**2).sum()) / n) / (groups - 1)
    scale = between + (usual - 1.0) * within
    return (between - within) / scale if scale > 0 else 0.0


def chance_of(codes: Ints, target: Doubles, seen: float, rng: np.random.Generator) -> float:
    """The share of permutations of the rows under which groups agree in the target as much as was seen (a p-value)."""
    as_good = sum(agreement(codes, rng.permutation(target)) >= seen for _ in range(PERMUTATIONS))
    return (as_good + 1) / (PERMUTATIONS + 1)


def distances(blocks: Blocks, without: frozenset[tuple[Kind, int]] = frozenset()) -> Floats:
    """Gower's distances (m, m) between the rows of a sample, texts aside, with infinity from a row to itself.

    A number counts by its rank, a category by being another one; missing is a value of its own.

    Parameters
    ----------
    without : columns that do not count, as kind and place.
    """
    columns = [
        (k, j) for k in Kind if k is not Kind.TEXTS for j in range(blocks.of(k).shape[1]) if (k, j) not in without
    ]
    if len(columns) > MOST_COLUMNS:
        columns = [columns[i] for i in np.linspace(0, len(columns) - 1, MOST_COLUMNS).astype(int)]
    m = len(blocks)
    total: Floats = np.zeros((m, m), dtype=np.float32)
    for kind, j in columns:
        values = blocks.of(kind)[:, j]
        if kind is Kind.STRINGS:
            codes = np.unique(values, return_inverse=True)[1].astype(np.int32)
            total += codes[:, None] != codes[None, :]
            continue
        missing = np.isnan(values) if kind is Kind.NUMBERS else values == MISSING_TIME
        place = np.where(missing, -1.0, ranks(np.where(missing, values[~missing][:1].sum(), values)))
        place = place.astype(np.float32)
        total += np.minimum(np.abs(place[:, None] - place[None, :]), np.float32(1.0))
    np.fill_diagonal(total, np.inf)
    return total / np.float32(max(len(columns), 1))


def recognised(apart: Floats, codes: Ints) -> tuple[float, float]:
    """How often the nearest row has the same code, and how often it would by chance.

    Of several rows equally near each counts for its share.

    Examples
    --------
    >>> near = np.array([[np.inf, 0, 1, 1], [0, np.inf, 1, 1], [1, 1, np.inf, 0], [1, 1, 0, np.inf]], np.float32)
    >>> recognised(near, np.array([0, 0, 1, 1]))[0]
    1.0
    """
    m = len(codes)
    nearest = apart <= apart.min(axis=1, keepdims=True) + np.float32(1e-6)
    same = codes[:, None] == codes[None, :]
    sizes = np.bincount(codes)[codes]
    share = float(((nearest & same).sum(axis=1) / nearest.sum(axis=1)).mean())
    return share, float(((sizes - 1) / max(m - 1, 1)).mean())
