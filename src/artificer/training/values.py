"""Values that came back from production as a column like the source's: its type or wider, its way of writing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from artificer.tables.cells import LIST, ColumnSpec, RuleError, canonical_text, read_boolean, read_time, read_tokens
from artificer.tables.formats import WHITESPACE, number_format, time_format
from artificer.types import Role

_SPAN = re.compile(r"(?:(-?\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_INT64 = 2**63


def column_of(values: Sequence[Any], dtype: pl.DataType, spec: ColumnSpec) -> tuple[pl.Series, list[Any]]:
    """Give the column of a source with type `dtype`, read as `spec` says, that holds `values`.

    Returns
    -------
    A column that can be put under the source's, in a wider type where the source's own cannot hold every value, and
    the values that no such column can hold, which are null in it.
    """
    spec = replace(spec, nullable=True)
    lost: list[Any] = []
    if dtype == pl.Null:
        return _untyped(spec.name, values), lost
    write = _writer(dtype)
    cells: list[Any] = []
    for value in values:
        try:
            cells.append(None if _is_missing(value) else write(value, spec))
        except (ValueError, TypeError, OverflowError, OSError, RuleError):
            cells.append(None)
            lost.append(value)
    return _typed(spec.name, cells, dtype), lost


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value == ""


def _writer(dtype: pl.DataType) -> Callable[[Any, ColumnSpec], Any]:
    if dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        return _text
    if dtype.is_numeric():
        return lambda value, spec: _number(value, spec)
    return _WRITERS.get(dtype.base_type(), _refuse)


def _typed(name: str, cells: list[Any], dtype: pl.DataType) -> pl.Series:
    if dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        return pl.Series(name, cells, dtype=pl.String)
    if dtype.is_integer() and all(v is None or (float(v).is_integer() and abs(v) < _INT64) for v in cells):
        return pl.Series(name, [None if v is None else int(v) for v in cells], dtype=pl.Int64)
    if dtype.is_numeric():
        return pl.Series(name, [None if v is None else float(v) for v in cells], dtype=pl.Float64)
    if dtype == pl.Date and all(v is None or v.time() == time() for v in cells):
        return pl.Series(name, [None if v is None else v.date() for v in cells], dtype=pl.Date)
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
        stamps = pl.Series(name, cells, dtype=pl.Datetime("us"))
        return stamps.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else stamps
    if isinstance(dtype, (pl.List, pl.Array)):
        return _lists(name, cells, dtype)
    return pl.Series(name, cells, dtype=pl.Duration("us") if dtype == pl.Duration else dtype)


def _lists(name: str, cells: list[Any], dtype: pl.List | pl.Array) -> pl.Series:
    """Lists of the source's type where all values fit it, else of texts."""
    try:
        return pl.Series(name, cells, dtype=pl.List(dtype.inner), strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        texts = [None if v is None else [canonical_text(item) or None for item in v] for v in cells]
        return pl.Series(name, texts, dtype=pl.List(pl.String))


def _untyped(name: str, values: Sequence[Any]) -> pl.Series:
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [canonical_text(value) or None for value in values], dtype=pl.String)


def _number(value: Any, spec: ColumnSpec) -> float | int:
    if isinstance(value, str):
        parsed = number_format(spec.format).parse(value)
        if parsed is None:
            raise ValueError(value)
        return parsed
    if not isinstance(value, (bool, int, float)):
        raise TypeError(value)
    return value


def _text(value: Any, spec: ColumnSpec) -> str | None:
    """Written as the source writes this column; a text that the column can hold stays as it came."""
    if spec.format == LIST:
        return json.dumps(_list(value, spec), ensure_ascii=False)
    if isinstance(value, str):
        text = value.strip(WHITESPACE)
        if not text or text in spec.missing:
            return None
    elif not isinstance(value, (bool, int, float)):
        raise TypeError(value)
    if spec.role is Role.NUMERIC:
        number = _number(value, spec)
        return text if isinstance(value, str) else number_format(spec.format).write(number * 1)
    if spec.role is Role.DATETIME:
        seconds = read_time(value, spec)
        return time_format(spec.format).write(seconds) or time_format(None).write(seconds)
    if spec.role is Role.BOOLEAN:
        yes, _, no = (spec.format or "true/false").partition("/")
        return yes if read_boolean(value, replace(spec, format=f"{yes}/{no}")) else no
    return canonical_text(value)


def _list(value: Any, spec: ColumnSpec) -> list[Any]:
    """A list of plain values; a text that writes one in JSON is read."""
    read_tokens(value, spec)
    found: list[Any] = json.loads(value) if isinstance(value, str) else list(value)
    return found


def _boolean(value: Any, spec: ColumnSpec) -> bool:
    return bool(read_boolean(value, replace(spec, format="true/false")))


def _moment(value: Any, spec: ColumnSpec) -> datetime:
    """ISO 8601 text or epoch seconds as a naive UTC time."""
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value.strip(WHITESPACE))
            return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
        except ValueError:
            value = read_time(value, spec)
    if isinstance(value, bool):
        raise TypeError(value)
    return datetime(1970, 1, 1) + timedelta(seconds=value)


def _clock(value: Any, spec: ColumnSpec) -> time:
    """A time of day, or a moment of the day from which times of day are counted."""
    if isinstance(value, str):
        try:
            return time.fromisoformat(value.strip(WHITESPACE)).replace(tzinfo=None)
        except ValueError:
            pass
    at = _moment(value, spec)
    if at.date() != date(1970, 1, 1):
        raise ValueError(value)
    return at.time()


def _span(value: Any, spec: ColumnSpec) -> timedelta:
    """Seconds, or days and a clock as Python writes them."""
    if isinstance(value, str):
        found = _SPAN.fullmatch(value.strip(WHITESPACE))
        if found:
            days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return timedelta(seconds=_number(value, replace(spec, format=None)))


def _refuse(value: Any, spec: ColumnSpec) -> Any:
    raise TypeError(value)


_WRITERS: dict[Any, Callable[[Any, ColumnSpec], Any]] = {
    pl.Boolean: _boolean,
    pl.Date: _moment,
    pl.Datetime: _moment,
    pl.Time: _clock,
    pl.Duration: _span,
    pl.List: _list,
    pl.Array: _list,
}
