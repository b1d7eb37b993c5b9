"""Put rows that came back from production under the rows of the source, once each, without changing its columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import Json, Kind, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.contract import ColumnSpec


@dataclass(frozen=True, slots=True)
class Combined:
    """Source and production as one table.

    Attributes
    ----------
    frame : the rows of the source that are none of production's, then production's in their order.
    source : all rows of the source, by which columns are typed and given their roles; None without production rows.
    notes : what was left out or lost, one sentence each.
    """

    frame: pl.DataFrame
    source: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()


def combine(
    frame: pl.DataFrame, rows: Sequence[Json], ids: Collection[str] = (), weight: str | None = None
) -> Combined:
    """Append `rows` (column name to JSON value); columns a row lacks are null, columns that only rows have fall away.

    Every value is written as the source writes its column, in a wider type where the source's cannot hold it. Rows of
    the source that production has too (the same `ids`, where the source and the rows have them, else the same content)
    are left out: a source may be an export that already holds them, and a row must not be both learnt and tested.
    Rows to predict need no `weight`, so a row without one counts as much as the source's rows do on average.

    Examples
    --------
    >>> import polars as pl
    >>> combine(pl.DataFrame({"a": [1], "b": ["x"], "c": ["1.234,5"]}), [{"a": 2.7, "b": 3, "c": 2000.5}]).frame.rows()
    [(1.0, 'x', '1.234,5'), (2.7, '3', '2.000,5')]
    """
    import polars as pl

    from artificer.tables.roles import read_columns, typed_spec
    from artificer.training.values import column_of

    if not rows:
        return Combined(frame)
    readings = read_columns(frame)
    specs = {s.name: typed_spec(s, readings.get(s.name)) for s in frame.get_columns()}
    made: list[pl.Series] = []
    notes: list[str] = []
    for name, dtype in frame.schema.items():
        values = [row.get(name) for row in rows]
        if name == weight:
            values, note = _weighted(values, frame[name], specs[name])
            notes += [note] if note else []
        series, lost = column_of(values, dtype, specs[name])
        made.append(series)
        if lost:
            notes.append(_lost(name, lost, dtype))
    below = pl.DataFrame(made)
    shared = [name for name in frame.columns if any(name in row for row in rows)]
    repeated = _repeated(frame, below, [specs[name] for name in shared], [name for name in ids if name in shared])
    if repeated.any():
        notes.append(f"{int(repeated.sum()):,} rows of the source came back from production too and count once")
    above = frame.filter(pl.Series(~repeated)).cast({name: _finer(dtype) for name, dtype in frame.schema.items()})
    return Combined(pl.concat([above, below], how="vertical_relaxed"), frame, tuple(notes))


def _weighted(values: list[Any], source: pl.Series, spec: ColumnSpec) -> tuple[list[Any], str]:
    """Weights of production's rows, the mean of the source's where there is none, and a note of how many."""
    from artificer.tables.arrays import column_numbers

    known = column_numbers(source, spec)
    missing = [value is None or value == "" for value in values]
    if not any(missing) or not np.isfinite(known).any():
        return values, ""
    mean = float(np.nanmean(known))
    note = f'{sum(missing):,} rows from production have no "{spec.name}" and count as much as the average row, {mean:g}'
    return [mean if gone else value for value, gone in zip(values, missing, strict=True)], note


def _finer(dtype: pl.DataType) -> pl.DataType:
    """Microseconds in place of milliseconds: widening would go to the coarser unit."""
    import polars as pl

    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ms":
        return pl.Datetime("us", dtype.time_zone)
    return pl.Duration("us") if isinstance(dtype, pl.Duration) and dtype.time_unit == "ms" else dtype


def _lost(name: str, lost: list[Any], dtype: Any) -> str:
    shown = ", ".join(dict.fromkeys(f'"{str(value)[:40]}"' for value in lost[:3]))
    what = "value" if len(lost) == 1 else "values"
    return f'column "{name}": {len(lost):,} {what} from production ({shown}) fit no {dtype} and count as missing'


def _repeated(
    above: pl.DataFrame, below: pl.DataFrame, specs: Sequence[ColumnSpec], ids: list[str]
) -> NDArray[np.bool_]:
    """Rows of `above` that `below` has too: as many of equal content as it has, the last ones."""
    from artificer.training.row_hashes import content_hashes, counts_among_equals

    if ids:
        named, present = _id_hashes(above, ids), _id_hashes(below, ids)
        return np.isin(named[0], present[0][present[1]]) & named[1]
    known = [spec for spec in specs if spec.kind is not None]
    if not known:
        return np.zeros(above.height, dtype=np.bool_)
    old, new = (content_hashes(_cells(frame, known)) for frame in (above, below))
    values, counts = np.unique(new, return_counts=True)
    place = np.minimum(np.searchsorted(values, old), len(values) - 1)
    wanted = np.where(values[place] == old, counts[place], 0)
    from_the_end: NDArray[np.bool_] = counts_among_equals(old[::-1])[::-1] < wanted
    return from_the_end


def _cells(frame: pl.DataFrame, specs: Sequence[ColumnSpec]) -> list[NDArray[Any]]:
    """The columns as they are read, numbers in double precision."""
    from artificer.tables.arrays import column_numbers, to_blocks
    from artificer.tables.contract import Contract
    from artificer.types import Role

    contract = Contract(tuple(specs), "", Task.REGRESSION)
    blocks, _ = to_blocks(frame, contract, strict=False)
    cells = [values for kind in Kind for values in blocks.of(kind).T]
    read = [spec for kind in Kind for spec in contract.of(kind)]
    return [
        column_numbers(frame[spec.name], spec) if spec.role is Role.NUMERIC else values
        for spec, values in zip(read, cells, strict=True)
    ]


def _id_hashes(frame: pl.DataFrame, ids: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Hash of each row's ids, and whether it has them all."""
    from artificer.tables.arrays import canonical_texts
    from artificer.training.row_hashes import content_hashes

    texts = [canonical_texts(frame[name]).fill_null("").to_numpy().astype(object) for name in ids]
    return content_hashes(texts), np.all([text != "" for text in texts], axis=0)
