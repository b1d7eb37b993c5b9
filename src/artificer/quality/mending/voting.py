"""What all dependencies together say about each cell: the wrong one is found even where it is the key.

A row that breaks a dependency has an error in the determinant or in the dependent cell. So a determinant that is itself
outvoted counts less (the holistic view of Chu, Ilyas and Papotti, 2013).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from artificer.quality.mending.alike import alike
from artificer.quality.mending.dependencies import Dependency, dependency, is_single
from artificer.quality.mending.explained import explained
from artificer.quality.mending.sheet import Change, Column, Mask, Sheet
from artificer.types import Doubles, Ints

CAUSE, TOLD = "broken dependency", "missing and told by a dependency"
MOST_COLUMNS = 40
ROUNDS = 3
MOST_VOTES = 12
UNSUPPORTED = 2.0
"""What it adds to the odds of an error that a value is nowhere its group's most frequent one."""
SIMILAR = 2.0
"""And that it is written almost like the value it should be."""
BELIEVED = 0.5
"""A cell is repaired where the repair is more likely to be right than what stands there."""


def dependencies(sheet: Sheet) -> list[Dependency]:
    """Every approximate dependency between two columns whose values come again."""
    able = [column for column in sheet.columns.values() if column.repeats]
    able = sorted(able, key=lambda column: -len(column.distinct))[:MOST_COLUMNS]
    return [found for x, y in permutations(able, 2) if (found := dependency(x, y)) is not None]


def outvoted(sheet: Sheet) -> Iterator[Change]:
    """Repair cells that their row's other cells contradict."""
    by_dependent: dict[str, list[Dependency]] = defaultdict(list)
    for one in sorted(dependencies(sheet), key=lambda one: -one.confidence):
        if len(by_dependent[one.dependent]) < MOST_VOTES:
            by_dependent[one.dependent].append(one)
    supported = {name: _supported(sheet.columns[name], found) for name, found in by_dependent.items()}
    doubt: dict[str, Doubles] = {name: np.zeros(sheet.height) for name in sheet.columns}
    ballots = {name: [_ballot(sheet.columns[name], one) for one in found] for name, found in by_dependent.items()}
    verdicts: dict[str, tuple[Doubles, Ints]] = {}
    for _ in range(ROUNDS):
        verdicts = {name: _verdict(sheet.columns[name], cast, doubt, supported[name]) for name, cast in ballots.items()}
        doubt = doubt | {name: wrong for name, (wrong, _) in verdicts.items()}
    for name, (wrong, value) in verdicts.items():
        column = sheet.columns[name]
        wanted = (wrong > BELIEVED) & (value >= 0) & ~column.kept
        gone = column.codes < 0
        if not any(one.disputed for one in by_dependent[name]):
            wanted &= gone | ~explained(sheet, name, wanted & ~gone)
        for cause, part in ((CAUSE, wanted & ~gone), (TOLD, wanted & gone)):
            rows = np.flatnonzero(part).astype(np.int64)
            if len(rows):
                after = np.array([column.distinct[code] for code in value[rows].tolist()], dtype=object)
                yield Change(name, cause, rows, after, wrong[rows])


def _supported(column: Column, found: Sequence[Dependency]) -> Mask:
    """Which of the column's values are the most frequent one of some group of at least two."""
    known = np.zeros(len(column.distinct), dtype=np.bool_)
    for one in found:
        groups = one.groups
        known[groups.value[(groups.most >= 2) & (groups.value >= 0)]] = True
    return known


@dataclass(frozen=True)
class Ballot:
    """What one dependency says about the cells of a column.

    Attributes
    ----------
    votes : log-odds of each cell to be wrong, n; zero where it says nothing.
    told : the value that it asks for, n; -1 where it says nothing.
    """

    determinant: str
    is_strict: bool
    votes: Doubles
    told: Ints


def _verdict(
    column: Column, ballots: Sequence[Ballot], doubt: Mapping[str, Doubles], supported: Mask
) -> tuple[Doubles, Ints]:
    """Probability that each cell is wrong (n), and the code of what it should be (n, -1 for unknown)."""
    n = len(column.codes)
    odds, weight = np.zeros(n), np.zeros(n)
    against, strict = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    for one in ballots:
        trust = 1 - doubt[one.determinant]
        odds += trust * one.votes
        weight += trust * (one.votes != 0)
        other = (one.told >= 0) & (one.told != column.codes)
        against |= other
        strict |= other & one.is_strict
    # Determinants that tell the same are not independent: many of them count as the root of their number.
    odds = odds / np.sqrt(np.maximum(weight, 1.0))
    gone = column.codes < 0
    known = supported[column.codes] | gone
    rows = np.flatnonzero(against & (odds > -UNSUPPORTED - SIMILAR) & (strict | ~known))
    odds[rows] += np.where(known[rows], 0.0, UNSUPPORTED)
    value = np.full(n, -1, dtype=np.int64)
    resembles = cache(lambda a, b: SIMILAR if alike(column.distinct[a], column.distinct[b]) else 0.0)
    for row in rows.tolist():
        own = int(column.codes[row])
        scores: dict[int, float] = defaultdict(float)
        for one in ballots:
            told = int(one.told[row])
            if told >= 0 and told != own:
                scores[told] += float(one.votes[row] * (1 - doubt[one.determinant][row]))
        likely = {code: score + (resembles(own, code) if own >= 0 else 0.0) for code, score in scores.items()}
        best = max(likely, key=likely.__getitem__)
        similar = resembles(own, best) if own >= 0 else 0.0
        odds[row] += similar
        if strict[row] or similar:
            value[row] = best
    wrong = np.where(value >= 0, 1 / (1 + np.exp(-np.clip(odds, -30, 30))), 0.0)
    return wrong, value


def _ballot(column: Column, one: Dependency) -> Ballot:
    groups = one.groups
    single = is_single(groups, column.counts, one.error, float(np.clip(one.clear, 0.5, 0.95)))
    rows_of = np.bincount(groups.group[groups.group >= 0], minlength=len(groups.sizes))
    filled = 2 * groups.sizes >= rows_of  # else the column may be meant to be empty here
    there = groups.group >= 0
    group = np.where(there, groups.group, 0)
    there &= (column.codes >= 0) | filled[group]
    told = np.where(there, groups.value[group], -1)
    most, second = groups.most[group], groups.second[group]
    same = told == column.codes
    against = np.clip(np.log(single / (1 - single)), -4, 4)[group]
    for_it = -np.minimum(np.log(np.maximum(groups.own, 1)), 4) * single[group]
    clear = there & (most >= 2) & (same | ((most > groups.own) & (most > second)))
    votes = np.where(clear, np.where(same, for_it, against), 0.0)
    return Ballot(one.determinant, one.is_strict, votes, np.where(votes != 0, told, -1))
