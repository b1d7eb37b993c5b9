"""What a missing cell should hold, where its row's other cells tell.

Every way of telling (a column, or two or three together) is tried on the cells that are known, each left out in turn.
How often it is right at the same strength of evidence is the confidence of a repair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from artificer.quality.mending.dependencies import dependency, groups_of, joint_groups
from artificer.quality.mending.scale import numbers_of
from artificer.quality.mending.sheet import Change, Column, Sheet
from artificer.types import Doubles, Ints

CAUSE = "told by the row's other cells"
BELIEVED = 2 / 3
"""A wrong value counts twice as much as a right one, for it no longer shows; so a gap is filled from here on."""
TOLD = 0.5
"""The row must take away so much of the doubt that guessing a value by how often it stands would leave."""
FILLED = 0.75
BEST = 5
FEWEST = 20
MOST_VALUES = 5000
SHARES = 7
"""Classes of agreement among the other cells."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What one way of telling says about each row.

    Attributes
    ----------
    value : code, -1 for none.
    confidence : how often it is right at this strength of evidence.
    right : whether the other rows tell what the cell holds, where it is known.
    score : share of all cells that it tells rightly.
    """

    value: Ints
    confidence: Doubles
    right: Doubles
    score: float


def fill(sheet: Sheet) -> Iterator[Change]:
    """Fill missing cells of columns whose values come again."""
    able = [c for c in sheet.columns.values() if c.repeats]
    for column in able:
        gone = np.flatnonzero(column.texts == "").astype(np.int64)
        if not len(gone) or column.present < FEWEST or len(column.distinct) > MOST_VALUES:
            continue
        others = [c for c in able if c is not column]
        if len(gone) <= (1 - FILLED) * sheet.height and numbers_of(column) is None:
            found = _ways(column, others)
        else:  # a gap may be meant, and a number is seldom met by chance
            found = [left_out(column, c.codes) for c in others if dependency(c, column) is not None]
        if found:
            yield from _best(column, found, gone)


def _best(column: Column, found: Sequence[Guess], gone: Ints) -> Iterator[Change]:
    """For each cell the surest guess, held to how often the surest guess is right."""
    from sklearn.isotonic import IsotonicRegression

    claims = np.array([guess.confidence for guess in found])
    best = np.argmax(claims, axis=0)
    rows = np.arange(len(best))
    claim = claims[best, rows]
    value = np.array([guess.value for guess in found])[best, rows]
    right = np.array([guess.right for guess in found])[best, rows]
    known = (column.codes >= 0) & (claim > 0)
    if not known.any():
        return
    measured = IsotonicRegression(out_of_bounds="clip").fit(claim[known], right[known])
    sure = measured.predict(claim[gone])
    usual = np.bincount(column.codes[column.codes >= 0], minlength=len(column.distinct)) / max(column.present, 1)
    guessed = usual[np.maximum(value[gone], 0)]
    take = (value[gone] >= 0) & (sure > BELIEVED) & (sure - guessed > TOLD * (1 - guessed))
    if take.any():
        after = np.array([column.distinct[code] for code in value[gone][take].tolist()], dtype=object)
        yield Change(column.name, CAUSE, gone[take], after, sure[take])


def _ways(column: Column, others: list[Column]) -> list[Guess]:
    """Each other column, and the best ones by twos and threes."""
    single = [(left_out(column, other.codes), other) for other in others]
    single.sort(key=lambda item: -item[0].score)
    best = [other for _, other in single[:BEST]]
    together = [c for many in (2, 3) for c in combinations(best, many)]
    return [guess for guess, _ in single] + [left_out(column, joint_groups(columns)) for columns in together]


def left_out(column: Column, group: Ints) -> Guess:
    """Tell every cell by the most frequent value of its group's other cells, and measure where it is known.

    Examples
    --------
    >>> rooms = np.array(["a", "a", "a", "b", "b", "b", ""] * 10, dtype=object)
    >>> found = left_out(Column("room", rooms), np.array([0, 0, 0, 1, 1, 1, 1] * 10)[:70])
    >>> int(found.value[6]), round(float(found.confidence[6]), 2)
    (1, 0.97)
    """
    codes = column.codes
    groups = groups_of(group, codes, len(column.distinct))
    there = (group >= 0) & (groups.sizes[np.maximum(group, 0)] > 0) if len(groups.sizes) else group >= 0
    place = np.where(there, group, 0)
    known = there & (codes >= 0)
    if not known.any():
        return Guess(np.full(len(codes), -1, dtype=np.int64), np.zeros(len(codes)), np.zeros(len(codes)), 0.0)
    value = np.where(there, groups.value[place], -1).astype(np.int64)
    is_top = known & (value == codes)
    most = groups.most[place] - is_top
    size = groups.sizes[place] - known
    right = np.where(most > groups.second[place], is_top, np.where(most == groups.second[place], 0.5 * is_top, 0.0))
    strength = _strength(most, size)
    usable = known & (size > 0)
    bins = SHARES * 7
    seen = np.bincount(strength[usable], minlength=bins)
    hits = np.bincount(strength[usable], right[usable], minlength=bins)
    accuracy = hits / (seen + 2)  # a few cells prove little
    for k in range(SHARES, bins):
        if not seen[k]:  # nobody has been told by so many; fewer that agree as well must do
            accuracy[k] = accuracy[k - SHARES]
    confidence = np.where(there & (size > 0), accuracy[strength], 0.0)
    score = float((confidence * (seen[strength] > 0))[usable].sum() / len(codes)) if usable.any() else 0.0
    return Guess(value, confidence, right.astype(np.float64), score)


def _strength(most: Ints, size: Ints) -> Ints:
    """Classes of evidence: by the number of other cells, and by the share that agrees."""
    number = np.digitize(size, [1, 2, 3, 5, 10, 30])
    share = np.digitize(most / np.maximum(size, 1), [0.3, 0.5, 0.66, 0.8, 0.95, 0.999])
    found: Ints = (number * SHARES + share).astype(np.int64)
    return found
