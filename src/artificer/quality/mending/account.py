"""The account of a mended table: a record for each cell, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from artificer.errors import DataError
from artificer.quality.mending.sheet import FLAGGED, REPAIRED, Sheet
from artificer.tables.arrays import canonical_texts
from artificer.types import Ints

COPY = "exact copy of a row"
DROPPED, TYPED = "dropped", "typed"
LOG: dict[str, type[pl.DataType]] = {
    "row": pl.Int64,
    "column": pl.String,
    "cause": pl.String,
    "action": pl.String,
    "before": pl.String,
    "after": pl.String,
    "confidence": pl.Float64,
}
"""The log's columns. `row` counts the rows of the original table from zero. Of a row that was dropped, `column` is
missing and `before` is the place of the row that it repeats. Of a column that was typed, `row` is missing, and `before`
and `after` are its types."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A mended table and the account of it.

    Attributes
    ----------
    frame : the table, its columns as before; a column of numbers stays one.
    log : one row for each cell that was changed or flagged, and each row that was dropped; see ``LOG``.
    notes : what concerns a whole column or the table, one sentence each.
    """

    frame: pl.DataFrame
    log: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Cells by cause and action."""
        found: dict[str, dict[str, int]] = {}
        for cause, action, number in self.log.group_by("cause", "action").len().sort("cause", "action").iter_rows():
            found.setdefault(cause, {})[action] = number
        return found


def account(frame: pl.DataFrame, sheet: Sheet, copies: Ints, notes: tuple[str, ...]) -> Mended:
    """Write the sheet's changes into the table, and down.

    Parameters
    ----------
    copies : for each row the place of the earlier row that it repeats, n; -1 for none.
    """
    records: list[pl.DataFrame] = []
    columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
    for name, told in sheet.causes.items():
        series = columns[name]
        before = canonical_texts(series)
        after = pl.Series(name, sheet.columns[name].texts, dtype=pl.String).replace("", None)
        rows = sorted(row for row, (_, _, action) in told.items() if action == FLAGGED or after[row] != before[row])
        if not rows:
            continue
        place = pl.Series(rows, dtype=pl.Int64)
        changed = pl.Series([told[row][2] == REPAIRED for row in rows], dtype=pl.Boolean)
        columns[name] = _written(series, after, place.filter(changed))
        records.append(
            pl.DataFrame(
                {
                    "row": place,
                    "column": [name] * len(rows),
                    "cause": [told[row][0] for row in rows],
                    "action": [told[row][2] for row in rows],
                    "before": _exact(series)[place],
                    "after": after[place],
                    "confidence": [told[row][1] for row in rows],
                },
                schema=LOG,
            )
        )
    dropped = np.flatnonzero(copies >= 0)
    if len(dropped):
        records.append(
            pl.DataFrame(
                {
                    "row": dropped,
                    "column": [None] * len(dropped),
                    "cause": [COPY] * len(dropped),
                    "action": [DROPPED] * len(dropped),
                    "before": [str(int(copies[row])) for row in dropped],
                    "after": [None] * len(dropped),
                    "confidence": np.ones(len(dropped)),
                },
                schema=LOG,
            )
        )
    mended = pl.DataFrame(list(columns.values())) if columns else frame
    if len(dropped):
        mended = mended.filter(pl.Series(copies < 0))
    log = pl.concat(records) if records else pl.DataFrame(schema=LOG)
    return Mended(mended, log, notes)


def _exact(series: pl.Series) -> pl.Series:
    """Cells as texts that give the very cell back: texts as they are, with all their spaces."""
    return series.cast(pl.String)


def _written(series: pl.Series, after: pl.Series, rows: pl.Series) -> pl.Series:
    """Put texts into a column of any type; a whole number stays one where it can."""
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    cells = after[rows]
    if series.dtype != pl.String:
        cells = cells.cast(series.dtype, strict=False) if series.dtype != pl.Boolean else cells == "true"
    return _scattered(series, rows, cells)


def _scattered(series: pl.Series, rows: pl.Series, cells: pl.Series) -> pl.Series:
    return series.clone().scatter(rows, cells) if len(rows) else series


STRANGE = 0.05
"""Of the cells that a log changed this share may hold something else: somebody went on working on them."""


def undo(mended: pl.DataFrame, log: pl.DataFrame) -> pl.DataFrame:
    """Give the table back that was mended, cell by cell and row by row.

    Raises
    ------
    DataError
        The log is not of this table.

    Examples
    --------
    >>> from artificer.quality.mending.mend import mend
    >>> table = pl.DataFrame({"town": ["Bergen"] * 30 + ["Bergn"] + ["Oslo"] * 30, "n": [str(i) for i in range(61)]})
    >>> found = mend(table)
    >>> found.frame["town"][30], undo(found.frame, found.log).equals(table)
    ('Bergen', True)
    """
    missing = [name for name in LOG if name not in log.columns]
    if missing:
        raise DataError(f'the log lacks the column "{missing[0]}"; give the log that was written with this table')
    dropped = log.filter(pl.col("action") == DROPPED).sort("row")
    rows, sources = dropped["row"].to_list(), [int(place) for place in dropped["before"].to_list()]
    total = mended.height + len(rows)
    places = log["row"].drop_nulls()
    if len(places) and not 0 <= int(places.min()) <= int(places.max()) < total:  # type: ignore[arg-type]
        raise DataError(
            f"the log speaks of rows that the table of {total:,} rows does not have; give the log of this table"
        )
    texts = log.filter(pl.col("action") == TYPED)["column"].to_list()
    frame = _with_copies(mended.with_columns(pl.col(texts).cast(pl.String)), rows, sources, total)
    columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
    changes = log.filter(pl.col("action") == REPAIRED)
    for name in changes["column"].unique(maintain_order=True).to_list():
        part = changes.filter(pl.col("column") == name)
        if name not in columns:
            raise DataError(f'the log speaks of a column "{name}" that the table lacks; give the log of this table')
        series, cells = columns[name], part["before"]
        _check_made(series, part)
        cells = (cells == "true") if series.dtype == pl.Boolean else cells.cast(series.dtype)
        columns[name] = _scattered(series, part["row"], cells)
    return pl.DataFrame(list(columns.values())) if columns else frame


def _check_made(series: pl.Series, part: pl.DataFrame) -> None:
    """Refuse a log whose changes do not stand in the table."""
    there = canonical_texts(series)[part["row"]]
    other = ~there.eq_missing(canonical_texts(part["after"]))
    if other.mean() > STRANGE:  # type: ignore[operator]
        row = int(part["row"].filter(other)[0])
        raise DataError(
            f'the log is of another table: {int(other.sum()):,} of {part.height:,} cells of "{series.name}", first '
            f"in row {row}, do not hold what the log put there; give the log that was written with this table"
        )


def _with_copies(frame: pl.DataFrame, rows: list[int], sources: list[int], total: int) -> pl.DataFrame:
    """Put dropped rows back, each a copy of the row that it repeated."""
    if not rows:
        return frame
    kept = np.setdiff1d(np.arange(total), np.array(rows))
    place = np.full(total, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    place[np.array(rows)] = place[np.array(sources)]
    return frame[place]
