"""The one door to table objects: pandas, Polars and Arrow come in, and results leave in the caller's own flavour."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from artificer.errors import DataError
from artificer.tables.contract import canonical_text

if TYPE_CHECKING:
    import polars as pl


def to_polars(obj: object) -> pl.DataFrame:
    """Take a table object into a Polars frame; a Polars frame is returned as it is.

    Parameters
    ----------
    obj : Polars DataFrame, LazyFrame or Series, pandas DataFrame, Arrow Table or RecordBatch, dict of columns, list
        of dicts, or anything with the Arrow stream interface.

    Raises
    ------
    DataError
        The object is no table, or its columns have different lengths.

    Examples
    --------
    >>> to_polars([{"a": 1}, {"a": "x", "b": True}]).to_dict(as_series=False)
    {'a': ['1', 'x'], 'b': [None, True]}
    """
    import polars as pl

    if isinstance(obj, pl.DataFrame):
        return obj
    if isinstance(obj, pl.LazyFrame):
        return obj.collect()
    if isinstance(obj, pl.Series):
        return obj.to_frame()
    pandas = sys.modules.get("pandas")  # an object of pandas cannot exist without pandas being imported
    if pandas is not None and isinstance(obj, (pandas.DataFrame, pandas.Series)):
        return _from_pandas(obj if isinstance(obj, pandas.DataFrame) else obj.to_frame())
    if isinstance(obj, Mapping):
        return _from_columns(obj)
    if isinstance(obj, Sequence) and not isinstance(obj, (str, bytes)):
        if all(isinstance(row, Mapping) for row in obj):
            return rows_to_frame(obj)
        raise DataError("a list is a table only when every element is a dict of column names and values")
    if hasattr(obj, "__arrow_c_stream__") or hasattr(obj, "__arrow_c_array__"):
        return _from_arrow(obj)
    raise DataError(
        f"a {type(obj).__module__}.{type(obj).__name__} is no table; give a pandas, Polars or Arrow table, a dict of "
        "columns, a list of dicts, or a path"
    )


def like(frame: pl.DataFrame, original: object) -> Any:
    """Return `frame` in the flavour of `original`: pandas for pandas (with its index), Arrow for Arrow, and so on."""
    import polars as pl

    if isinstance(original, pl.LazyFrame):
        return frame.lazy()
    if isinstance(original, pl.DataFrame):
        return frame
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(original, (pandas.DataFrame, pandas.Series)):
        data = {name: frame[name].to_list() for name in frame.columns}
        plain = {
            name: frame[name].to_numpy()
            if frame[name].dtype.is_numeric() and not frame[name].has_nulls()
            else data[name]
            for name in frame.columns
        }
        index = original.index if len(original.index) == frame.height else None
        return pandas.DataFrame(plain, columns=frame.columns, index=index)
    if isinstance(original, Mapping):
        return frame.to_dict(as_series=False)
    if isinstance(original, Sequence):
        return frame.to_dicts()
    if type(original).__module__.split(".")[0] == "pyarrow":
        return frame.to_arrow()
    return frame


def rows_to_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Turn dicts into columns, in the order in which their keys first appear; what lacks a key has it missing."""
    names: dict[str, None] = {}
    for row in rows:
        if not (row.keys() <= names.keys()):
            names.update(dict.fromkeys(map(str, row)))
    return _from_columns({name: [row.get(name) for row in rows] for name in names}, rows=len(rows))


def _from_columns(columns: Mapping[Any, Any], rows: int | None = None) -> pl.DataFrame:
    import polars as pl

    made = [column_of(str(name), values) for name, values in columns.items()]
    lengths = {len(column) for column in made}
    if len(lengths) > 1:
        raise DataError(
            f"the columns have different lengths ({min(lengths)} to {max(lengths)}); give every one the same"
        )
    return pl.DataFrame(made)


def column_of(name: str, values: Any) -> pl.Series:
    """Make a column of any values. Mixed types become text by ``canonical_text``, so that no value is lost.

    Examples
    --------
    >>> column_of("a", [1, 2.5, None]).to_list()
    [1.0, 2.5, None]
    >>> column_of("a", [1, "x", True]).to_list()
    ['1', 'x', 'true']
    """
    import polars as pl

    if isinstance(values, pl.Series):
        return values.alias(name)
    if hasattr(values, "dtype") and getattr(values.dtype, "kind", "O") in "biufMm":
        return pl.Series(name, values)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise DataError(f'the column "{name}" is no sequence of values; give a list or an array')
    cells = [_plain(value) for value in values]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {int, float} and kinds:
        if any(isinstance(cell, int) and not -(2**63) <= cell < 2**63 for cell in cells):
            kinds = {float}
            cells = [None if cell is None else _to_float(cell) for cell in cells]
        dtype: Any = pl.Int64 if kinds == {int} else pl.Float64
        return pl.Series(name, cells, dtype=dtype, strict=False)
    if len(kinds) <= 1:
        return pl.Series(name, cells, dtype=None if kinds else pl.Null)
    texts = [cell if isinstance(cell, str) else canonical_text(cell) or None for cell in cells]
    return pl.Series(name, texts, dtype=pl.String)


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _plain(value: Any) -> Any:
    """Take a cell out of NumPy's and pandas' wrappers; nested values become their text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "shape", None) == ():
        return value.item()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    if isinstance(value, (Mapping, list, tuple, set, bytes)):
        import json

        return json.dumps(value, default=repr, sort_keys=True) if not isinstance(value, bytes) else repr(value)
    return value


def _from_pandas(table: Any) -> pl.DataFrame:
    """Take columns one by one: NumPy ones as they are, all others by their cells. The index stays outside."""
    import polars as pl

    names = [str(name) for name in table.columns]
    made: list[pl.Series] = []
    for position, name in enumerate(names):
        column = table.iloc[:, position]
        kind = getattr(column.dtype, "kind", "O")
        if kind in "biufMm" and hasattr(column.dtype, "type") and type(column.dtype).__module__.startswith("numpy"):
            series = pl.Series(name, column.to_numpy())
            series = series.fill_nan(None) if kind == "f" else series
        elif str(column.dtype) == "category":
            series = column_of(name, column.astype(object).tolist())
        else:
            series = column_of(
                name, [None if missing else cell for cell, missing in zip(column.tolist(), column.isna(), strict=True)]
            )
        made.append(series)
    return _unique(made)


def _from_arrow(obj: Any) -> pl.DataFrame:
    import polars as pl

    if type(obj).__module__.split(".")[0] == "pyarrow" and hasattr(obj, "column_names"):
        return _unique([pl.Series(name, obj.column(i)) for i, name in enumerate(obj.column_names)])
    return pl.DataFrame(obj)


def _unique(columns: Sequence[pl.Series]) -> pl.DataFrame:
    import polars as pl

    seen: set[str] = set()
    taken = {column.name for column in columns}
    made = []
    for column in columns:
        name, number = column.name, 2
        while name in seen:
            name = f"{column.name}_{number}"
            number += 1
            if name in taken:
                name = column.name
        seen.add(name)
        made.append(column.alias(name))
    return pl.DataFrame(made)
