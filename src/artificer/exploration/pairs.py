"""Which columns say the same: every pair on one scale, and groups of columns that repeat each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artificer.exploration.codes import Coded, level_count
from artificer.types import Doubles, Ints

MOST_COLUMNS = 1_200
_OPERATIONS = 4e10
"""Multiplications that all tables of two columns may cost together: a few seconds on one core."""
FEWEST_ROWS = 500
_BLOCK = 64
ALIKE = 0.9
"""Columns of a group are at least so alike, each with each."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Strengths of all pairs.

    Attributes
    ----------
    names : columns that were compared, p.
    strength : (p, p), 1 where one of the two determines the other.
    same : (p, p), 1 where each determines the other.
    rows : so many were looked at.
    error : a strength below this is not told from none (95 %), for a pair of full-levelled columns.
    groups : columns that repeat each other, larger groups first.
    left_out : columns beyond the first `MOST_COLUMNS`.
    """

    names: tuple[str, ...]
    strength: Doubles
    same: Doubles
    rows: int
    error: float
    groups: tuple[tuple[str, ...], ...]
    left_out: int = 0

    def strongest(self, most: int) -> list[tuple[str, str, float]]:
        """Pairs by strength, those of one group included."""
        upper = np.triu_indices(len(self.names), 1)
        order = np.argsort(-self.strength[upper], kind="stable")[:most]
        return [
            (self.names[upper[0][k]], self.names[upper[1][k]], float(self.strength[upper][k])) for k in order.tolist()
        ]


def pairs(columns: Sequence[Coded], *, seed: int = 0) -> Pairs:
    """Compare every pair of columns, on as many rows as the number of columns allows.

    All tables of two columns are one product of matrices: rows by levels, transposed, times itself.

    Examples
    --------
    >>> from artificer.types import Kind
    >>> rng = np.random.default_rng(0)
    >>> a = rng.integers(0, 4, 4_000)
    >>> labels = ("a", "b", "c", "d")
    >>> columns = [Coded(name, Kind.STRINGS, codes, labels) for name, codes in
    ...     (("one", a), ("copy", 3 - a), ("other", rng.integers(0, 4, 4_000)))]
    >>> found = pairs(columns)
    >>> found.groups, round(float(found.strength[0, 1]), 2), round(float(found.strength[0, 2]), 1)
    ((('one', 'copy'),), 1.0, 0.0)
    """
    left_out = max(len(columns) - MOST_COLUMNS, 0)
    columns = list(columns[:MOST_COLUMNS])
    if len(columns) < 2:
        empty = np.eye(len(columns))
        return Pairs(tuple(c.name for c in columns), empty, empty, 0, 1.0, (), left_out)
    total = len(columns[0].codes)
    rows, levels = _affordable(total, len(columns), max(len(c.labels) for c in columns))
    keep = np.sort(np.random.default_rng(seed).choice(total, rows, replace=False)) if rows < total else slice(None)
    codes = [_coarse(c.codes[keep], len(c.labels), levels, c.missing) for c in columns]
    strength, same = _strengths(codes)
    names = tuple(c.name for c in columns)
    noise = float(np.sqrt(2.0 * levels) * (levels - 1) / max(rows, 1)) ** 0.5
    return Pairs(names, strength, same, rows, min(noise, 1.0), _groups(names, same), left_out)


def _affordable(rows: int, columns: int, labels: int) -> tuple[int, int]:
    """Rows and levels with which all pairs stay within the cost."""
    for levels in range(min(labels, 14), 3, -1):
        allowed = int(_OPERATIONS / (columns * levels) ** 2)
        if allowed >= min(rows, 20_000) and level_count(min(rows, allowed)) + 2 >= min(levels, 12):
            return min(rows, allowed, 50_000), levels
    return min(rows, max(FEWEST_ROWS, int(_OPERATIONS / (columns * 4) ** 2))), 4


def _coarse(codes: Ints, labels: int, levels: int, missing: int | None) -> Ints:
    """Neighbouring levels merged until there are at most `levels`; missing cells stay apart."""
    real = labels - (missing is not None)
    room = levels - (missing is not None)
    if real <= room:
        return codes
    coarse = codes * room // real
    merged: Ints = np.where(codes == missing, room, coarse) if missing is not None else coarse
    return merged


def _strengths(codes: Sequence[Ints]) -> tuple[Doubles, Doubles]:
    """Strength by the poorer and by the richer column of each pair, (p, p)."""
    from scipy.special import entr

    n = len(codes[0])
    sizes = np.array([int(c.max(initial=0)) + 1 for c in codes])
    begins = np.concatenate([[0], np.cumsum(sizes)])
    hot = np.zeros((n, int(begins[-1])), dtype=np.float32)
    for begin, column in zip(begins[:-1].tolist(), codes, strict=True):
        hot[np.arange(n), begin + column] = 1.0
    shares = (hot.sum(axis=0, dtype=np.float64)) / n
    single = np.add.reduceat(entr(shares), begins[:-1])
    filled = np.add.reduceat((shares > 0).astype(np.float64), begins[:-1])
    joint = np.empty((len(codes), len(codes)))
    for i in range(0, len(codes), _BLOCK):  # large enough for a fast product, small enough for the cache
        last = min(i + _BLOCK, len(codes))
        cells = entr((hot[:, begins[i] : begins[last]].T @ hot) / np.float32(n))
        by_column = np.add.reduceat(cells, begins[:-1], axis=1, dtype=np.float64)
        joint[i:last] = np.add.reduceat(by_column, begins[i:last] - begins[i], axis=0)
    degrees = np.outer(filled - 1, filled - 1)
    information = np.clip(single[:, None] + single[None, :] - joint - degrees / (2.0 * n), 0.0, None)
    reached = -np.expm1(-2.0 * information)
    found = []
    for most in (np.minimum.outer(single, single), np.maximum.outer(single, single)):
        limit = -np.expm1(-2.0 * most)
        values = np.sqrt(np.clip(np.divide(reached, limit, out=np.zeros_like(limit), where=limit > 1e-12), 0.0, 1.0))
        np.fill_diagonal(values, 1.0)
        found.append(values)
    return found[0], found[1]


def _groups(names: tuple[str, ...], same: Doubles) -> tuple[tuple[str, ...], ...]:
    """Groups of columns in which each pair is alike."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = np.clip(1.0 - (same + same.T) / 2, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    labels = fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - ALIKE, "distance")
    groups = [
        tuple(name for name, label in zip(names, labels, strict=True) if label == one) for one in np.unique(labels)
    ]
    return tuple(sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), group)))
