"""How a table is split, and why: what the user named, what the rows show, and what was left aside."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from artificer.errors import ConfigurationError
from artificer.splits.copies import find_copies
from artificer.splits.entities import KNOWN_AGAIN, LARGEST, Entity, find_entity, known_again
from artificer.splits.evidence import Evidence, Table
from artificer.splits.order import Order, order_of
from artificer.splits.parts import merged
from artificer.splits.serial import shuffled_order
from artificer.types import Doubles, Ints, Json

SplitKind: TypeAlias = Literal["random", "group", "time", "group and time"]
SplitChoice: TypeAlias = Literal["auto", "random", "group", "time"]

SPLITS: tuple[SplitChoice, ...] = ("auto", "random", "group", "time")


@dataclass(frozen=True, slots=True)
class Named:
    """What the user said of the split.

    Attributes
    ----------
    time, times : the column of times that was named, and its values (n,).
    in_seconds : whether those are seconds; else they only count.
    group, groups : the column of groups that was named, and the code of each row's (n,).
    gap : seconds after which the outcome of a row is known.
    features : columns that the user speaks of as features, which therefore name no entities.
    """

    choice: SplitChoice = "auto"
    time: str | None = None
    times: Ints | Doubles | None = None
    in_seconds: bool = False
    group: str | None = None
    groups: Ints | None = None
    gap: float = 0.0
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are split, as :func:`~artificer.splits.split.holdout` and ``folds`` take it.

    Attributes
    ----------
    times : what orders the rows (n,); None where they are exchangeable.
    groups : code of what stays together (n,); None where nothing does.
    apart : whether groups are entities, of which production brings new ones, and not only copies.
    gap : in the unit of `times`.
    time, entity : the columns that were found, not those that were named.
    evidence : what speaks for it, and what was seen and not followed.
    """

    times: Ints | Doubles | None = None
    groups: Ints | None = None
    apart: bool = False
    gap: float = 0.0
    time: str | None = None
    entity: str | None = None
    evidence: tuple[Evidence, ...] = field(default=())

    @property
    def kind(self) -> SplitKind:
        if self.times is None:
            return "random" if self.groups is None else "group"
        return "time" if self.groups is None else "group and time"

    def take(self, rows: Ints) -> SplitPlan:
        """The plan of some of the rows."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, groups=groups, times=None if self.times is None else self.times[rows])

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(each.sentence for each in self.evidence)

    def to_json(self) -> Json:
        return {"kind": self.kind, "gap": self.gap, "evidence": [each.to_json() for each in self.evidence]}


def plan_split(table: Table, named: Named, seed: int = 0) -> SplitPlan:
    """Decide how a table is split.

    A time and a group that were named always count. Beyond them ``auto`` follows what the rows show, ``time`` and
    ``group`` follow times or groups alone, and ``random`` follows nothing.

    Raises
    ------
    ConfigurationError
        A split by group is wanted, and no column was named or found.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 3, 31), "1d", eager=True)
    >>> rng = np.random.default_rng(0)
    >>> ready = prepare(pl.DataFrame({"day": days, "x": rng.random(91), "y": rng.random(91)}), target="y")
    >>> found = plan_split(Table(ready.frame, ready.contract, ready.blocks, ready.y, ready.contract.task), Named())
    >>> found.kind, found.time
    ('time', 'day')
    """
    notes: list[Evidence] = []
    order = _order(table, named, notes, seed)
    times = named.times if order is None else order.times
    in_seconds = named.in_seconds if order is None else order.in_seconds
    entity = _entity(table, named, times, notes, seed)
    groups = named.groups if entity is None else entity.codes
    apart = groups is not None
    if times is None and named.choice in ("auto", "group"):
        groups = _with_copies(table, groups, notes, seed)
    if named.choice == "group" and groups is None:
        raise ConfigurationError(
            'training.split is "group", and no column was found whose values belong together; name it as data.group'
        )
    gap = named.gap if times is not None and in_seconds else 0.0
    if named.gap and times is not None and not in_seconds:
        notes.append(Evidence("time", None, False, "what orders the rows is no time in seconds, so no gap is left"))
    return SplitPlan(
        times=times,
        groups=groups,
        apart=apart,
        gap=gap,
        time=None if order is None or not order.column else order.column,
        entity=None if entity is None else entity.evidence.column,
        evidence=tuple(notes),
    )


def _order(table: Table, named: Named, notes: list[Evidence], seed: int) -> Order | None:
    """What orders the rows beyond what was named."""
    if named.times is not None or named.choice in ("random", "group"):
        return None
    order = order_of(table.blocks, table.names, table.labels) or shuffled_order(table, seed)
    if order is None:
        if named.choice != "time":
            return None
        notes.append(
            Evidence("time", None, True, "no column tells the time, so rows are taken in the order they are in")
        )
        return Order("", "", np.arange(len(table.y), dtype=np.int64))
    if named.groups is not None and named.choice == "auto" and known_again(named.groups, order.times) >= KNOWN_AGAIN:
        sentence = f'{order.reason}, but groups of "{named.group}" go on over time, so they alone are kept apart'
        notes.append(Evidence("time", order.column, False, sentence))
        return None
    judged = "models are judged on newer rows than they learn from"
    sentence = f'{order.reason}, so {judged}; training.split = "random" takes them as exchangeable'
    notes.append(Evidence("time", order.column, True, sentence))
    return order


def _entity(
    table: Table, named: Named, times: Ints | Doubles | None, notes: list[Evidence], seed: int
) -> Entity | None:
    """The column of entities whose rows are to stay together, where none was named."""
    if named.groups is not None or named.choice in ("random", "time"):
        return None
    found = find_entity(table, seed, named.features)
    if found is None:
        return None
    seen = found.evidence
    if not seen.followed:
        sentence = (
            f"{seen.sentence}; they were not kept apart, as they may well be met again. If not, name it as data.group"
        )
        notes.append(Evidence("entity", seen.column, False, sentence, seen.numbers))
        return None
    again = 0.0 if times is None or named.choice == "group" else known_again(found.codes, times)
    if again >= KNOWN_AGAIN:
        sentence = (
            f"{seen.sentence}; but {again:.0%} of the newest rows are of entities that are known by then, as "
            "production's will be, so the split is by time alone"
        )
        notes.append(Evidence("entity", seen.column, False, sentence, {**seen.numbers, "known_again": again}))
        return None
    sentence = (
        f'{seen.sentence}. So an entity is on one side of the split, and "{seen.column}" is no feature; '
        'training.split = "random" takes rows as exchangeable'
    )
    notes.append(Evidence("entity", seen.column, True, sentence, seen.numbers))
    return found


def _with_copies(table: Table, groups: Ints | None, notes: list[Evidence], seed: int) -> Ints | None:
    """Groups in which copies are together, too, unless that would make a group of a large part of the rows."""
    found = find_copies(table, seed)
    if found is None:
        return groups
    joined = found.codes if groups is None else merged(groups, found.codes)
    largest = int(np.bincount(joined).max())
    before = 1 if groups is None else int(np.bincount(groups).max())
    follows = largest <= max(LARGEST * len(joined), before)
    tail = ", so they are on one side of the split" if follows else "; they join too many groups to be kept together"
    seen = found.evidence
    notes.append(Evidence("copies", seen.column, follows, seen.sentence + tail, seen.numbers))
    return joined if follows else groups
