"""Brings columns of another table to each row, as they were known at the row's time; no row is lost or doubled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from artificer.errors import DataError
from artificer.joins import aggregates
from artificer.joins.keys import holds_times, key_columns, moments, pairs, specs_of
from artificer.problem.joins import Join
from artificer.tables.cells import ColumnSpec
from artificer.tables.roles import find_column
from artificer.types import Doubles

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Joined:
    """The rows in their order with the joined columns behind their own, and what is to be told."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()


def join(
    rows: pl.DataFrame, table: pl.DataFrame, spec: Join, time: str | None = None, reads: ColumnSpec | None = None
) -> Joined:
    """Join a table to rows as `spec` says.

    Parameters
    ----------
    time : the column of the rows that says when each happened; None where none does.
    reads : how that column is read; None decides it from the rows themselves.

    Raises
    ------
    DataError
        A column is absent or would stand twice, rows would be multiplied, or would learn what came after them.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({"who": ["a", "b", "c"], "at": ["2024-01-03", "2024-01-03", "2024-01-03"]})
    >>> days = ["2024-01-01", "2024-01-04", "2024-01-03"]
    >>> table = pl.DataFrame({"who": ["a", "a", "b"], "day": days, "n": [1, 2, 3]})
    >>> spec = Join(name="visits", source="visits.csv", on=["who"], time="day", columns=["n"])
    >>> join(rows, table, spec, "at").frame["visits_n"].to_list()
    [1, 3, None]
    """
    import polars as pl

    left_names, right_names = pairs(spec.on)
    left = pl.DataFrame(key_columns(rows, left_names, f"key of the join {spec.name}"))
    right = pl.DataFrame(key_columns(table, right_names, f"key of the join {spec.name}"))
    now = None if time is None else _now(rows, time, reads)
    notes: list[str] = []
    if spec.time is None:
        if spec.aggregate is not None and now is not None:
            raise DataError(
                f"the join {spec.name} counts rows of all times, later ones too; name its time column, so that each "
                "row gets what had happened before it"
            )
        found = (
            _everything(spec, table, left, right)
            if spec.aggregate is not None
            else _looked_up(spec, table, left, right)
        )
    else:
        if now is None:
            raise DataError(f"the join {spec.name} has a time, so the rows need one too; name it as data.time")
        find_column(spec.time, table.columns, f"time of the join {spec.name}")
        then = moments(table[spec.time], specs_of(table, [spec.time])[spec.time], late=True)
        undated = int(np.isnan(then).sum())
        notes += [f"join {spec.name}: {undated:,} of its rows have no time and are left out"] if undated else []
        if spec.aggregate is not None:
            found = aggregates.before(spec, table, left, right, now, then)
        else:
            found = _as_of(spec, table, left, right, now, then)
    if spec.aggregate is None:
        if now is not None:
            _refuse_later(spec, found, now)
        notes += _unmatched(spec, found)
        found = found.drop("matched")
    found = found.rename({name: f"{spec.name}_{name}" for name in found.columns})
    _refuse_twice(spec, rows.columns, found.columns)
    return Joined(rows.hstack(found), tuple(notes))


def _now(rows: pl.DataFrame, time: str, reads: ColumnSpec | None) -> Doubles:
    find_column(time, rows.columns, "time")
    return moments(rows[time], reads or specs_of(rows, [time])[time])


def _taken(spec: Join, table: pl.DataFrame) -> list[str]:
    """The columns that are brought: those named, else all but the keys and the time."""
    for name in spec.columns:
        find_column(name, table.columns, f"column of the join {spec.name}")
    known = {*pairs(spec.on)[1], spec.time}
    return list(spec.columns) or [name for name in table.columns if name not in known]


def _values(spec: Join, table: pl.DataFrame) -> pl.DataFrame:
    """The columns that are brought, under numbers so that no name can be in the way."""
    import polars as pl

    columns = [table[name].alias(f"v{i}") for i, name in enumerate(_taken(spec, table))]
    return pl.DataFrame([*columns, pl.Series("matched", [True]).new_from_index(0, table.height)])


def _named(spec: Join, table: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    taken = _taken(spec, table)
    return found.select(
        *(found[f"v{i}"].alias(name) for i, name in enumerate(taken)), found["matched"].fill_null(False)
    )


def _looked_up(spec: Join, table: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    keys = right.columns
    counts = right.drop_nulls().group_by(keys).len()
    several = counts.filter(pl.col("len") > 1)
    if several.height:
        matched = left.join(counts, on=keys, how="left", maintain_order="left")["len"].fill_null(1)
        worst = several.sort("len", descending=True).row(0)
        shown = ", ".join(f'"{value}"' for value in worst[:-1])
        raise DataError(
            f"the join {spec.name} would multiply rows: {several.height:,} of its {counts.height:,} keys stand "
            f"several times ({shown} {worst[-1]:,} times), so {left.height:,} rows would become {int(matched.sum()):,}"
            "; name its time column to take what was known, or aggregate it"
        )
    found = left.join(right.hstack(_values(spec, table)), on=keys, how="left", maintain_order="left")
    return _named(spec, table, found)


def _as_of(
    spec: Join, table: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame, now: Doubles, then: Doubles
) -> pl.DataFrame:
    """The newest row at or before each row's time; of several of one moment the last."""
    import polars as pl

    values = _values(spec, table)
    known = right.hstack(values).with_columns(moment=pl.Series(then, nan_to_null=True), then=pl.Series(then))
    tolerance = None if spec.within is None else spec.within.seconds
    return _named(spec, table, aggregates.latest(left, known, now, right.columns, strict=False, tolerance=tolerance))


def _everything(spec: Join, table: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Aggregates over all rows of a key, where no row has a time."""
    return aggregates.before(spec, table, left, right, np.ones(left.height), np.zeros(table.height))


def _refuse_later(spec: Join, found: pl.DataFrame, now: Doubles) -> None:
    """Refuse rows that hold a time after the row that they would be joined to: they were not known then."""
    import polars as pl

    names = [name for name in found.columns if name != "matched" and name not in spec.known_ahead]
    for name, reads in specs_of(found, names).items():
        if not holds_times(reads) or found[name].dtype == pl.Time or (reads.format or "").startswith("%H"):
            continue
        later = moments(found[name], reads, late=True) > now
        if later.any():
            place = int(np.flatnonzero(later)[0])
            raise DataError(
                f"the join {spec.name} would tell {int(later.sum()):,} of {found.height:,} rows what came later: its "
                f'"{name}" ({found[name][place]}) lies after their own time; name the column that says when a row '
                f'of it was known as its time, leave "{name}" out by columns, or list it in known_ahead'
            )


def _unmatched(spec: Join, found: pl.DataFrame) -> list[str]:
    gone = found.height - int(found["matched"].sum())
    return [f"join {spec.name}: {gone:,} of {found.height:,} rows found nothing there"] if gone else []


def _refuse_twice(spec: Join, own: Sequence[str], new: Sequence[str]) -> None:
    twice = [name for name in new if name in set(own)]
    if twice:
        raise DataError(
            f'the join {spec.name} would make the column "{twice[0]}", which the rows have already; give the join '
            "another name"
        )
