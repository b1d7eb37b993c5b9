"""Several tables under one another: columns are matched by name, and what differs is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artificer.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

SHOWN = 5


def united(parts: Sequence[tuple[str, pl.DataFrame]]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Put named tables under one another.

    A column that a table lacks is missing in its rows. Numbers of different types become the wider one, other
    different types text.

    Raises
    ------
    SourceError
        A table has no column in common with those above it.

    Examples
    --------
    >>> import polars as pl
    >>> a, b = pl.DataFrame({"x": [1], "y": ["a"]}), pl.DataFrame({"y": ["b"], "x": [2.5], "z": [True]})
    >>> frame, notes = united([("a.csv", a), ("b.csv", b)])
    >>> frame.rows(), notes
    ([(1.0, 'a', None), (2.5, 'b', True)], ('column "z" is missing in a.csv',))
    """
    import polars as pl

    frames = [frame for _, frame in parts]
    if all(frame.schema == frames[0].schema for frame in frames):
        return pl.concat(frames), ()
    kept = [(name, frame) for name, frame in parts if frame.width]
    _refuse_strangers(kept)
    names = list(dict.fromkeys(name for _, frame in kept for name in frame.columns))
    notes: list[str] = []
    made: dict[str, list[pl.Series]] = {}
    for name in names:
        made[name] = [
            frame[name] if name in frame.columns else pl.Series(name, [None], pl.Null).new_from_index(0, frame.height)
            for _, frame in kept
        ]
        absent = [part for part, frame in kept if name not in frame.columns]
        if absent:
            notes.append(f'column "{name}" is missing in {_some(absent)}')
        made[name], note = _one_type(name, made[name])
        notes += [note] if note else []
    return pl.DataFrame([pl.concat(columns) for columns in made.values()]), _few(notes)


def _refuse_strangers(parts: Sequence[tuple[str, pl.DataFrame]]) -> None:
    known: set[str] = set()
    for name, frame in parts:
        if known and not known & set(frame.columns):
            raise SourceError(
                f"{name} has no column in common with {parts[0][0]} ({', '.join(frame.columns[:SHOWN])} against "
                f"{', '.join(parts[0][1].columns[:SHOWN])}); give files of one table"
            )
        known |= set(frame.columns)


def _one_type(name: str, columns: list[pl.Series]) -> tuple[list[pl.Series], str]:
    import polars as pl

    from artificer.tables.arrays import canonical_texts

    types = list(dict.fromkeys(column.dtype for column in columns if column.dtype != pl.Null))
    if len(types) <= 1:
        return [column.cast(types[0]) for column in columns] if types else columns, ""
    wider: Any = None
    if all(dtype.is_numeric() for dtype in types):
        wider = pl.Int64 if all(dtype.is_integer() and dtype != pl.UInt64 for dtype in types) else pl.Float64
    elif all(dtype in (pl.Date, pl.Datetime) for dtype in types):
        wider = pl.Datetime("us")
    if wider is not None:
        return [column.cast(wider) for column in columns], ""
    shown = " and ".join(sorted(str(dtype) for dtype in types))
    texts = [column if column.dtype == pl.String else canonical_texts(column) for column in columns]
    if set(types) <= {pl.String, pl.Categorical, pl.Enum}:
        return texts, ""
    return texts, f'column "{name}" holds {shown} in different parts and was read as text'


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more files" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _few(notes: Sequence[str]) -> tuple[str, ...]:
    """The first ten notes, and how many more there are."""
    more = [f"{len(notes) - 10} more columns differ between the files"] if len(notes) > 10 else []
    return (*notes[:10], *more)
