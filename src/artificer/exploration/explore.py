"""Everything that exploration knows of a table, from its profile: a pass over all rows, then statistics of a sample."""

from __future__ import annotations

import time as _time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.errors import DataError
from artificer.exploration.association import Association, Target, associations
from artificer.exploration.codes import Coded, code_columns, code_numbers, level_count
from artificer.exploration.differences import Comparison, compare
from artificer.exploration.interactions import Interaction, interactions
from artificer.exploration.missingness import Missingness, missingness
from artificer.exploration.pairs import Pairs, pairs
from artificer.exploration.periods import ROW_ORDER, Clock, Course, calendar_clock, courses, numeric_clock
from artificer.exploration.typed import Reader
from artificer.profile.profile import Profile, kind_of
from artificer.tables.arrays import column_numbers, label_texts
from artificer.tables.roles import find_column, read_columns, typed_spec
from artificer.tables.target import check_target, infer_task
from artificer.types import Kind, Task

if TYPE_CHECKING:
    import polars as pl

FILE, PART = "(file)", "(part)"
"""Columns that the caller adds: the file a row comes from, and "train" or "test"."""
MOST_SIDES = 4
FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found. `rows` were read, `sampled` of them looked at by what takes several columns at once."""

    profile: Profile
    reader: Reader
    target: Target | None
    associations: tuple[Association, ...]
    interactions: tuple[Interaction, ...]
    pairs: Pairs
    missingness: Missingness
    clock: Clock
    courses: tuple[Course, ...]
    comparisons: tuple[Comparison, ...]
    unread: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def sampled(self) -> int:
        return self.profile.sample.frame.height


def explore(
    found: Profile,
    reader: Reader,
    *,
    target: str | None = None,
    task: Task | None = None,
    positive: object = None,
    time: str | None = None,
    group: str | None = None,
    leave_out: Collection[str] = (),
    unread: Mapping[str, int] | None = None,
) -> Exploration:
    """Look at a profiled table from all sides.

    Parameters
    ----------
    found : the profile, made of rows as `reader` types them.
    target, task, positive : what is to be predicted, as in a training.
    time : column that orders the rows; by default a column of times that is sorted, else the order of the rows.
    group : column whose values are compared with each other.
    leave_out : columns that are profiled and not related to anything.

    Raises
    ------
    TargetError, DataError
        A named column is absent or cannot serve its purpose.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.exploration.typed import learn_reader
    >>> from artificer.profile.profile import profile
    >>> table = pl.DataFrame({"x": range(400), "sold": [i >= 300 for i in range(400)], "k": ["a", "b"] * 200})
    >>> reader = learn_reader(table, "sold")
    >>> seen = explore(profile(reader.typed(table)[0]), reader, target="sold")
    >>> [(one.column, round(one.found.strength, 1)) for one in seen.associations]
    [('x', 1.0), ('k', 0.0)]
    """
    watch = _Watch()
    frame = found.sample.frame
    if target is not None:
        check_target(frame, target)
    for name, purpose in ((time, "time"), (group, "group")):
        if name is not None:
            find_column(name, frame.columns, purpose)
    aside = {FILE, PART, *([target] if target else []), *leave_out}
    # The profile knows all rows, the reader perhaps the first ones alone.
    dull = {column.name for column in found.columns if column.is_constant}
    wanted = [name for name in frame.columns if name not in aside | dull]
    coded = code_columns(frame.select(wanted), reader.texts)
    watch.lap("levels")
    asked, known = (None, None) if target is None else _target(frame[target], task, positive)
    judged = coded if known is None else tuple(column.take(known) for column in coded)
    told = associations(judged, asked) if asked else ()
    watch.lap("associations")
    ranked = {one.column: place for place, one in enumerate(told)}
    strongest = sorted((c for c in judged if c.name != time), key=lambda c: ranked.get(c.name, 0))
    crossed = interactions(strongest, asked) if asked else ()
    watch.lap("interactions")
    alike = pairs(sorted(coded, key=lambda c: ranked.get(c.name, 0)) if told else coded)
    watch.lap("pairs")
    gaps = missingness(judged, asked)
    watch.lap("missing cells")
    clock = _clock(frame, time)
    followed = _follow(coded, clock, asked, known)
    watch.lap("time")
    sides = _sides(frame, clock, group)
    compared = tuple(_compared(coded, side, asked, known) for side in sides)
    watch.lap("differences")
    return Exploration(
        found,
        reader,
        asked,
        told,
        crossed,
        alike,
        gaps,
        clock,
        followed,
        compared,
        unread or {},
        reader.notes,
        watch.laps,
    )


class _Watch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = _time.perf_counter()

    def lap(self, name: str) -> None:
        now = _time.perf_counter()
        self.laps[name], self._last = round(now - self._last, 3), now


def _target(series: pl.Series, task: Task | None, positive: object) -> tuple[Target, NDArray[Any]]:
    """The target of the sampled rows that have one, and which rows these are."""
    import polars as pl

    spec = typed_spec(series, read_columns(series.to_frame()).get(series.name))
    question = infer_task(series.drop_nulls(), spec, task=task, positive=positive)
    if not question.task.is_classification:
        values = column_numbers(series, spec)
        known = np.flatnonzero(~np.isnan(values))
        coded = code_numbers(series.name, Kind.NUMBERS, values[known], level_count(len(known)))
        return Target(series.name, question.task, coded.codes, coded.labels, values[known]), known
    place = {label: code for code, label in enumerate(question.classes)}
    texts = label_texts(series, spec, question.label_kind)
    read = texts.replace_strict(place, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    known = np.flatnonzero(read >= 0)
    codes = read[known].astype(np.int64)
    told = (codes == place[question.positive]).astype(np.float64) if question.positive is not None else None
    return Target(series.name, question.task, codes, question.classes, told, question.positive), known


def _clock(frame: pl.DataFrame, time: str | None) -> Clock:
    """The named time, else the sorted column of times with the most moments, else the order of the rows."""
    if time is not None:
        series = frame[time]
        if kind_of(series) is Kind.TIMES:
            return calendar_clock(time, series)
        if not series.dtype.is_numeric():
            raise DataError(f'the time column "{time}" holds neither times nor numbers; name another column')
        return numeric_clock(time, series.cast(float).fill_null(np.nan).to_numpy())
    times = [s for s in frame.get_columns() if kind_of(s) is Kind.TIMES and s.drop_nulls().is_sorted()]
    if times:
        finest = max(times, key=lambda s: s.n_unique())
        if finest.n_unique() >= 10:
            return calendar_clock(finest.name, finest)
    return numeric_clock(ROW_ORDER, np.arange(frame.height, dtype=np.float64))


def _follow(
    coded: Sequence[Coded], clock: Clock, target: Target | None, known: NDArray[Any] | None
) -> tuple[Course, ...]:
    every = [column for column in coded if column.name != clock.name]
    if target is None or known is None or len(known) == len(clock.period):
        return courses(every, clock, target)
    seen = Clock(
        clock.name,
        clock.values[known],
        clock.period[known],
        clock.labels,
        clock.unit,
        tuple((name, codes[known], size) for name, codes, size in clock.cycles),
    )
    return courses([column.take(known) for column in every], seen, target)


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    kind: str
    sides: tuple[str, str]
    inside: NDArray[np.bool_]
    leave_out: str | None = None
    among: NDArray[np.bool_] | None = None
    """The rows that stand on either side at all; None: every row."""


def _sides(frame: pl.DataFrame, clock: Clock, group: str | None) -> list[_Side]:
    """What is worth comparing: the parts, the older with the newer half, files, and groups."""
    found: list[_Side] = []
    if PART in frame.columns:
        found.append(
            _Side("training and test rows", "parts", ("train", "test"), (frame[PART] == "test").to_numpy(), PART)
        )
    timed = ~np.isnan(clock.values)
    if timed.any():
        newer = clock.values > np.median(clock.values[timed])
        names = ("first half", "second half") if clock.name == ROW_ORDER else ("older half", "newer half")
        kind = "order" if clock.name == ROW_ORDER else "time"
        found.append(_Side(f"{names[0]} and {names[1]} by {clock.name}", kind, names, newer, clock.name, timed))
    for column, kind in ((FILE, "file"), (group, "group")):
        if column is not None and column in frame.columns:
            found.extend(_each(frame, column, kind))
    return [side for side in found if FEWEST_ROWS <= side.inside.sum() <= _size(side) - FEWEST_ROWS]


def _size(side: _Side) -> int:
    return len(side.inside) if side.among is None else int(side.among.sum())


def _each(frame: pl.DataFrame, column: str, kind: str) -> list[_Side]:
    """The largest groups, each against all others."""
    import polars as pl

    texts = frame[column].cast(pl.String)
    counted = texts.drop_nulls().alias("value").value_counts(name="rows")
    counted = counted.sort(["rows", "value"], descending=[True, False]).head(MOST_SIDES)
    names = [str(name) for name in counted["value"].to_list()]
    names = names[:1] if counted.height == 2 and texts.n_unique() == 2 else names
    shown = "file" if column == FILE else column
    return [
        _Side(
            f'{shown} "{name}" and the rest',
            kind,
            ("the rest", name),
            (texts == name).fill_null(False).to_numpy(),
            column,
        )
        for name in names
    ]


def _compared(coded: Sequence[Coded], side: _Side, target: Target | None, known: NDArray[Any] | None) -> Comparison:
    """Compare all columns, the target among them, where rows of both sides have one."""
    every = [column for column in coded if column.name != side.leave_out]
    if target is not None and known is not None and len(known) == len(side.inside):
        every.append(Coded(target.name, Kind.STRINGS, target.codes, target.labels))
    inside = side.inside
    if side.among is not None and not side.among.all():
        rows = np.flatnonzero(side.among)
        every, inside = [column.take(rows) for column in every], inside[rows]
    return compare(every, inside, side.sides, side.name, side.kind)
