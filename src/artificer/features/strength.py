"""How much a feature says of the target: a cheap, bounded measure by which generated features are chosen.

References
----------
Friedman, J. H. and Popescu, B. E. Predictive learning via rule ensembles. Annals of Applied Statistics 2, 2008 (what
an interaction adds is judged on what additive parts leave over).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from artificer.types import Doubles, Floats, Ints

SAMPLE_ROWS, LEAST_SAMPLE_ROWS = 5_000, 500
SAMPLE_CELLS = 1_000_000
BINS = 16
DIRECTIONS = 8
"""A target of more columns is judged in this many random directions."""

SURPRISING = 3.0
"""Standard deviations above what a feature of noise is expected to show."""

SMOOTHING = 5.0
"""Rows of average that a bin is given before its effect is taken out."""


def sample(n: int, columns: int = 1) -> Ints:
    """The rows that features are judged on, the same ones every time: fewer where there are many columns."""
    most = min(max(SAMPLE_CELLS // max(columns, 1), LEAST_SAMPLE_ROWS), SAMPLE_ROWS)
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, size=most, replace=False))


def judged_target(y: Doubles) -> Doubles:
    """Target columns as ranks, centred (n, t), so that neither scale nor outliers count; at most DIRECTIONS columns."""
    ranks = np.stack([np.searchsorted(np.sort(column), column) for column in y.T], axis=1).astype(np.float64)
    ranks /= max(len(y), 1)
    if ranks.shape[1] > DIRECTIONS:
        ranks = ranks @ np.random.default_rng(0).normal(size=(ranks.shape[1], DIRECTIONS))
    centred: Doubles = ranks - ranks.mean(axis=0)
    return centred


def binned(values: Floats) -> Ints:
    """A column (n,) as about BINS equally filled bins, equal values in one; missing ones in a bin of their own, 0."""
    missing = np.isnan(values)
    present = np.sort(values[~missing])
    if not len(present):
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(present[np.arange(1, BINS) * len(present) // BINS])
    places = np.searchsorted(edges, values, side="right") + 1
    places[missing] = 0
    return places.astype(np.int64)


def strength(bins: Ints, y: Doubles) -> float:
    """How many standard deviations the F ratio of `y` (n, t) between bins lies above that of noise; -inf for one bin.

    Examples
    --------
    >>> y = judged_target(np.arange(200.0)[:, None])
    >>> strength(np.arange(200) // 20, y) > 100, abs(strength(np.arange(200) % 10, y)) < 3
    (True, True)
    """
    counts = np.bincount(bins).astype(np.float64)
    filled = counts > 0
    among, within = int(filled.sum()) - 1, len(bins) - int(filled.sum())
    if among < 1 or within < 1:
        return -math.inf
    total = float((y * y).sum())
    between = sum(float((np.bincount(bins, weights=column)[filled] ** 2 / counts[filled]).sum()) for column in y.T)
    left = total - between
    if left <= 1e-12 * total:
        return math.inf if total > 0 else -math.inf
    ratio = (between / among) / (left / within)
    return float((ratio - 1.0) / math.sqrt(2.0 / among + 2.0 / within))


def strongest(blocks: Sequence[Ints], y: Doubles, most: int) -> list[int]:
    """Places of the `most` binned columns that say most of the target alone, in order of place."""
    found = [(-strength(bins, y), j) for j, bins in enumerate(blocks)]
    return sorted(j for _, j in sorted(found)[:most])


def left_over(blocks: Sequence[Ints], y: Doubles) -> Doubles:
    """What of `y` (n, t) a sum of effects of single binned columns does not say."""
    residual = y.copy()
    for _ in range(2):
        for bins in blocks:
            counts = np.bincount(bins) + SMOOTHING
            for column in residual.T:
                column -= (np.bincount(bins, weights=column) / counts)[bins]
    centred: Doubles = residual - residual.mean(axis=0)
    return centred
