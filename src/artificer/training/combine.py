"""Put rows that came back from production under the rows of the source, in the source's own column types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from artificer.tables.contract import canonical_text
from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl


def append_rows(frame: pl.DataFrame, rows: Sequence[Json]) -> pl.DataFrame:
    """Append `rows` (column name to JSON value); columns a row lacks are null, columns that only rows have fall away.

    Examples
    --------
    >>> import polars as pl
    >>> append_rows(pl.DataFrame({"a": [1], "b": ["x"]}), [{"a": 2.0, "b": 3}]).rows()
    [(1, 'x'), (2, '3')]
    """
    import polars as pl

    if not rows:
        return frame
    columns = {name: _series(name, [row.get(name) for row in rows], dtype) for name, dtype in frame.schema.items()}
    return pl.concat([frame, pl.DataFrame(columns)], how="vertical_relaxed")


def _series(name: str, values: list[Any], dtype: Any) -> pl.Series:
    import polars as pl

    if dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        return pl.Series(name, [canonical_text(v) or None for v in values], dtype=pl.String).cast(dtype, strict=False)
    if dtype.is_temporal():
        zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
        stamps = pl.Series(name, [_time(value) for value in values], dtype=pl.Datetime("us"))
        return (stamps.dt.replace_time_zone("UTC") if zoned else stamps).cast(dtype)
    return pl.Series(name, values, strict=False).cast(dtype, strict=False)


def _time(value: Any) -> datetime | None:
    """ISO 8601 text or epoch seconds as a naive UTC time; anything else is missing."""
    try:
        at = datetime.fromtimestamp(value, UTC) if isinstance(value, (int, float)) else datetime.fromisoformat(value)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
