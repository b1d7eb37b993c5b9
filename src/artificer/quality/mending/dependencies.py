"""Columns that tell others: a provider's number tells its name, a flight its times. A group's majority is believed.

Dependencies are approximate and mined from the dirty table itself. A dependency is held for one when groups of equal
determinant agree far more often than groups drawn by chance (the chance-corrected confidence of Mandros, Boley and
Vreeken, 2017, with Goodman and Kruskal's lambda as the measure).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from artificer.quality.mending.sheet import Column
from artificer.types import Doubles, Ints

LEAST_GROUPS, MANY_GROUPS = 5, 20
STRICT = 0.995
MOST_CELLS = 2_000_000
"""Counts of so many pairs are kept as a table; more of them are sorted."""
LOOK = 5_000
"""Pairs of columns that do not agree on so many rows do not agree on all."""
LEAST_ROWS = 20
CORRECTED = 0.5
EXACT = 0.9
"""Groups that agree so far leave room for slips of the pen alone."""
DISPUTED = 0.4
"""Many sources that report the same thing may agree less, if in nearly every group one value leads clearly."""
CLEAR_GROUPS = 0.85
OWN_VALUES, OWN_DISPUTED = 0.3, 0.5
CROWD = 5.0
AHEAD = 2
EVEN, EVEN_DISPUTED = 0.2, 0.25
"""Errors fall on groups evenly. Where some groups agree wholly and others are split, the determinant tells too little:
the most that the errors of one group may be alike (intraclass correlation)."""
SUSPECTS = 0.1
"""At most so many cells may hold values that are nowhere the most frequent one, if the dependency is judged without."""


@dataclass(frozen=True)
class Groups:
    """Rows of equal determinant, and what the dependent column holds in each.

    Attributes
    ----------
    group : of each row, n; -1 where the determinant is missing.
    sizes : rows of each group whose dependent cell is present, g.
    most, second : cells of the most frequent value and of the next one, g.
    value : code of the most frequent value, g; -1 where every cell is missing.
    own : in each row, how often its own value stands in its group, n.
    """

    group: Ints
    sizes: Ints
    most: Ints
    second: Ints
    value: Ints
    own: Ints

    @property
    def confidence(self) -> float:
        """Share of cells that hold their group's most frequent value, over groups of at least two."""
        several = self.sizes >= 2
        total = int(self.sizes[several].sum())
        return float(self.most[several].sum() / total) if total else 0.0


def groups_of(group: Ints, codes: Ints, width: int) -> Groups:
    """Count a column's codes (n, -1 for missing) in groups (n, -1 for none).

    Examples
    --------
    >>> found = groups_of(np.array([0, 0, 0, 1, 1]), np.array([2, 2, 1, 0, -1]), 3)
    >>> found.sizes.tolist(), found.most.tolist(), found.value.tolist(), found.own.tolist()
    ([3, 1], [2, 1], [2, 0], [2, 2, 1, 1, 0])
    """
    many = int(group.max()) + 1 if len(group) else 0
    width = max(width, 1)
    both = (group >= 0) & (codes >= 0)
    pair = group[both] * width + codes[both]
    own = np.zeros(len(group), dtype=np.int64)
    if 0 < many * width <= MOST_CELLS:
        table = np.bincount(pair, minlength=many * width)
        own[both] = table[pair]
        table = table.reshape(many, width)
        sizes, most = table.sum(axis=1), table.max(axis=1)
        value = np.where(most > 0, table.argmax(axis=1), -1)
        table[np.arange(many), table.argmax(axis=1)] = 0
        second = table.max(axis=1)
        return Groups(group, sizes, most, second, value, own)
    named, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    own[both] = counts[inverse]
    owner, codes_of = named // width, named % width
    order = np.lexsort((codes_of, -counts, owner))
    owner, codes_of, counts = owner[order], codes_of[order], counts[order]
    first = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(owner) else np.zeros(0, dtype=np.int64)
    most, second = np.zeros(many, dtype=np.int64), np.zeros(many, dtype=np.int64)
    value = np.full(many, -1, dtype=np.int64)
    most[owner[first]], value[owner[first]] = counts[first], codes_of[first]
    follows = first + 1
    follows = follows[follows < len(owner)]
    follows = follows[owner[follows] == owner[follows - 1]]
    second[owner[follows]] = counts[follows]
    sizes = np.bincount(owner, counts, many).astype(np.int64) if len(owner) else np.zeros(many, dtype=np.int64)
    return Groups(group, sizes, most, second, value, own)


@dataclass(frozen=True)
class Dependency:
    """One column tells another.

    Attributes
    ----------
    confidence : as in ``Groups``.
    clear : share of groups of at least three cells in which one value comes twice as often as any other.
    is_strict : whether it may contradict a value that is well-known elsewhere. A dependency between properties that go
        together most often may not: it only tells how an unknown text should be written.
    """

    determinant: str
    dependent: str
    groups: Groups
    confidence: float
    clear: float
    is_strict: bool = False

    @property
    def error(self) -> float:
        return float(np.clip(1 - self.confidence, 0.005, 0.45))

    @property
    def disputed(self) -> bool:
        return self.confidence < EXACT


def dependency(x: Column, y: Column, seed: int = 0) -> Dependency | None:
    """Hold column `x` against column `y`: does it tell it, apart from errors?

    Examples
    --------
    >>> zips = Column("zip", np.array([str(i % 30) for i in range(300)], dtype=object))
    >>> towns = np.array([f"town {i % 30 // 2}" for i in range(300)], dtype=object)
    >>> towns[7] = "tovn 3"
    >>> found = dependency(zips, Column("town", towns))
    >>> round(found.confidence, 3), dependency(Column("town", towns), zips) is None
    (0.997, True)
    """
    if len(x.codes) > 2 * LOOK and not _may_hold(x.codes[:: len(x.codes) // LOOK], y.codes[:: len(x.codes) // LOOK]):
        return None
    groups = groups_of(x.codes, y.codes, len(y.distinct))
    several = groups.sizes >= 2
    rows = int(groups.sizes[several].sum())
    if several.sum() < LEAST_GROUPS or rows < max(LEAST_ROWS, 0.05 * y.present):
        return None
    if groups.confidence < DISPUTED or (groups.confidence < EXACT and several.sum() < MANY_GROUPS):
        return None
    trusted = _trusted(y.codes, groups)
    if not _beats_chance(x.codes, trusted, seed):
        return None
    crowds = groups.sizes >= 3
    clear = float((groups.most[crowds] >= AHEAD * groups.second[crowds]).mean()) if crowds.any() else 1.0
    disputed = groups.confidence < EXACT
    if clear < CLEAR_GROUPS or unevenness(groups) > (EVEN_DISPUTED if disputed else EVEN):
        return None
    strict = _is_strict(groups, several, OWN_DISPUTED if disputed else OWN_VALUES)
    if disputed and not (strict and float(groups.sizes[several].mean()) >= CROWD):
        return None
    return Dependency(x.name, y.name, groups, groups.confidence, clear, strict)


def _is_strict(groups: Groups, several: NDArray[np.bool_], own: float) -> bool:
    """Many groups, and exceptions are rare or the groups nearly have values of their own, as things have properties."""
    many = int(several.sum())
    own_values = len(np.unique(groups.value[several])) / many
    return many >= MANY_GROUPS and (groups.confidence >= STRICT or own_values >= own)


def _may_hold(x: Ints, y: Ints) -> bool:
    """A first look at few rows, whose groups are smaller and so agree rather more."""
    groups = groups_of(x, y, int(y.max()) + 1 if len(y) else 0)
    return groups.confidence >= DISPUTED - 0.1 or not (groups.sizes >= 2).any()


def _trusted(y: Ints, groups: Groups) -> Ints:
    """The codes without those that lead no group, unless they are many; -1 in their place."""
    leading = np.zeros(int(y.max()) + 2, dtype=np.bool_)
    leading[groups.value[(groups.most >= 2) & (groups.value >= 0)]] = True
    trusted: Ints = np.where((y >= 0) & leading[y], y, -1)
    few = ((y >= 0) & (trusted < 0)).sum() <= SUSPECTS * (y >= 0).sum()
    return trusted if few else y


def _beats_chance(x: Ints, y: Ints, seed: int) -> bool:
    """Whether groups agree far more than chance groups would."""
    present = np.flatnonzero((x >= 0) & (y >= 0))
    if not len(present):
        return False
    width = int(y.max()) + 1
    found = groups_of(x, y, width).confidence
    usual = np.bincount(y[present]).max() / len(present)  # what chance groups reach at the least
    if found - usual < CORRECTED * (1 - usual):
        return False
    shuffled = np.full(len(y), -1, dtype=np.int64)
    shuffled[present] = np.random.default_rng(seed).permutation(y[present])
    chance = groups_of(x, shuffled, width).confidence
    return found - chance >= CORRECTED * (1 - chance) > 0


def unevenness(groups: Groups) -> float:
    """How alike the errors of one group are, 0 where they fall evenly and 1 where groups are right or wrong as one.

    Examples
    --------
    >>> even = groups_of(np.repeat(np.arange(50), 10), np.tile([0] * 9 + [1], 50), 2)
    >>> split = groups_of(np.repeat(np.arange(50), 10), np.r_[np.zeros(400, int), np.tile([0, 1], 50)], 2)
    >>> unevenness(even), unevenness(split) > 0.3
    (0.0, True)
    """
    several = groups.sizes >= 2
    sizes, errors = groups.sizes[several], (groups.sizes - groups.most)[several]
    total = int(sizes.sum())
    rate = errors.sum() / max(total, 1)
    if rate == 0 or total == len(sizes):
        return 0.0
    # Each pair of cells of one group: how much more often both are wrong than if errors knew nothing of each other.
    pairs = (sizes * (sizes - 1)).sum()
    both = (errors * (errors - 1)).sum() / pairs
    return float(max(0.0, (both - rate**2) / (rate * (1 - rate))))


def joint_groups(columns: Sequence[Column]) -> Ints:
    """One group (n) for each combination of values; -1 where one of them is missing."""
    group = columns[0].codes
    for _, column in pairwise(columns):
        missing = (group < 0) | (column.codes < 0)
        pair = group * (len(column.distinct) + 1) + column.codes
        pair[missing] = -1
        named, inverse = np.unique(pair, return_inverse=True)
        group = (inverse - (1 if named[0] == -1 else 0)).astype(np.int64)
    return group


def is_single(groups: Groups, counts: Ints, error: float, prior: float) -> Doubles:
    """Probability (g) that a group has one true value and errors, rather than several true values.

    One truth: its cells with probability ``1 - error``, others with `error` times how frequent they are in the column.
    Several: a Polya urn over the column's frequencies.
    """
    total = max(int(counts.sum()), 1)
    usual = np.log((counts + 0.5) / (total + 0.5 * len(counts)))
    rest = groups.sizes - groups.most
    width = len(counts)
    # Of the other values only the most frequent one matters much; the remaining ones speak for both alike.
    typical = float(np.average(usual, weights=counts)) if width else 0.0
    one = groups.most * np.log1p(-error) + rest * (np.log(error) + typical)
    from scipy.special import gammaln

    top = np.where(groups.value >= 0, usual[np.maximum(groups.value, 0)], 0.0)
    scattered = np.maximum(rest - groups.second, 0)
    several = top + gammaln(np.maximum(groups.most, 1)) + (groups.second > 0) * typical
    several = several + gammaln(np.maximum(groups.second, 1)) + scattered * typical
    several = several - gammaln(np.maximum(groups.sizes, 1))
    odds = np.clip(one - several + np.log(prior / (1 - prior)), -30, 30)
    found: Doubles = 1 / (1 + np.exp(-odds))
    return found
