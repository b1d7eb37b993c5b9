"""A table under its contract as the four typed blocks, and its target as an array.

The column-wise twin of ``RowReader``: both give the same blocks for the same rows. A table may come untyped (every cell
a text, as read from CSV); its texts are then read by the column's format, or as plain numbers and ISO times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from artificer.errors import ContractError, TargetError, Violation, nearest
from artificer.tables.cells import (
    LIST,
    MAX_TEXT,
    NOT_A_BOOLEAN,
    NOT_A_CATEGORY,
    NOT_A_LIST,
    NOT_A_NUMBER,
    NOT_A_TIME,
    NOT_FINITE,
    NOT_MISSING,
    OUT_OF_TIME,
    TOO_LONG,
    ColumnSpec,
    RuleError,
    boolean_texts,
    canonical_text,
    is_code,
    read_tokens,
    respelt,
    settle_numbers,
    without_unit,
)
from artificer.tables.contract import MAX_VIOLATIONS, Contract
from artificer.tables.formats import EARLIEST, LATEST
from artificer.tables.parsing import marked, parse_numbers, parse_times, stripped
from artificer.types import FLOAT32_MAX, MISSING_STRING, MISSING_TIME, Blocks, Doubles, Ints, Kind, Role

Mask: TypeAlias = NDArray[np.bool_]
Cells: TypeAlias = tuple[Any, list[tuple[str, Mask]]]
ABSENT = "column is absent"


MOST_NAMED = 5
"""So many absent columns are named in one sentence."""


@dataclass(frozen=True, slots=True)
class Breach:
    """Cells of one column that break one rule and became missing: how many, the first rows, the first values."""

    column: str
    rule: str
    count: int
    rows: tuple[int, ...]
    examples: tuple[str, ...]


def _check_columns(frame: pl.DataFrame, contract: Contract) -> None:
    """Name every column that is needed and absent, a few at the most."""
    needed = [column.name for column in contract.columns if column.kind is not None and not column.nullable]
    there = set(frame.columns)
    absent = [name for name in needed if name not in there]
    if len(absent) == 1:
        hint = nearest(absent[0], frame.columns) or "; add it"
        raise ContractError(f'the table lacks the column "{absent[0]}" that the model needs{hint}')
    if absent:
        named = ", ".join(f'"{name}"' for name in absent[:MOST_NAMED])
        more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
        raise ContractError(f"the table lacks {len(absent)} columns that the model needs: {named}{more}; add them")


@overload
def to_blocks(frame: pl.DataFrame, contract: Contract, *, strict: Literal[True] = True) -> Blocks: ...
@overload
def to_blocks(
    frame: pl.DataFrame, contract: Contract, *, strict: Literal[False]
) -> tuple[Blocks, tuple[Breach, ...]]: ...


def to_blocks(
    frame: pl.DataFrame, contract: Contract, *, strict: bool = True
) -> Blocks | tuple[Blocks, tuple[Breach, ...]]:
    """Turn a table into blocks.

    Parameters
    ----------
    frame : n rows with at least the contract's columns, in any order, typed or as texts.
    strict : raise at the first breach of the contract; otherwise such cells become missing and are counted.

    Returns
    -------
    Blocks, and unless strict the breaches.

    Raises
    ------
    ContractError
        A column that the model cannot do without is absent; or, when strict, a cell breaks the contract.

    Examples
    --------
    >>> from artificer.types import Task
    >>> spec = ColumnSpec("price", Role.NUMERIC, "numbers", "String", format="1.234,5")
    >>> contract = Contract((spec,), "y", Task.REGRESSION)
    >>> blocks, breaches = to_blocks(pl.DataFrame({"price": ["1.500,25", "much"]}), contract, strict=False)
    >>> blocks.numbers.tolist(), breaches[0].count, breaches[0].examples
    ([[1500.25], [nan]], 1, ('much',))
    """
    breaches: list[Breach] = []
    _check_columns(frame, contract)
    there = set(frame.columns)

    def read(column: ColumnSpec) -> Any:
        if column.name not in there:
            breaches.append(Breach(column.name, ABSENT, frame.height, (), ()))
            return _STAND_INS[column.role](frame.height)
        series = frame[column.name]
        values, broken = _COLUMNS[column.role](series, column)
        if not column.nullable:
            empty = _is_missing(values)
            for _, mask in broken:
                empty &= ~mask
            broken.append((NOT_MISSING, empty))
        breaches.extend(_breach(column, rule, mask, series) for rule, mask in broken if mask.any())
        return values

    n = frame.height
    numbers = np.empty((n, len(contract.of(Kind.NUMBERS))), dtype=np.float32)
    for j, column in enumerate(contract.of(Kind.NUMBERS)):
        numbers[:, j] = read(column)
    strings = np.empty((n, len(contract.of(Kind.STRINGS))), dtype=object)
    for j, column in enumerate(contract.of(Kind.STRINGS)):
        strings[:, j] = read(column)
    times = np.empty((n, len(contract.of(Kind.TIMES))), dtype=np.int64)
    for j, column in enumerate(contract.of(Kind.TIMES)):
        times[:, j] = read(column)
    texts = np.empty((n, len(contract.of(Kind.TEXTS))), dtype=object)
    for j, column in enumerate(contract.of(Kind.TEXTS)):
        texts[:, j] = read(column)
    blocks = Blocks(numbers, strings, times, texts)
    if not strict:
        return blocks, tuple(breaches)
    refused = [breach for breach in breaches if breach.rule != ABSENT]
    if refused:
        raise _as_error(frame, refused)
    return blocks


def _is_missing(values: NDArray[Any]) -> Mask:
    if values.dtype == object:
        return np.asarray(values == MISSING_STRING, dtype=np.bool_)
    return np.isnan(values) if values.dtype.kind == "f" else np.asarray(values == MISSING_TIME)


def _breach(column: ColumnSpec, rule: str, mask: Mask, series: pl.Series) -> Breach:
    rows = np.flatnonzero(mask)
    first = rows[:MAX_VIOLATIONS]
    examples = tuple(dict.fromkeys(str(series[int(i)])[:100] for i in first[:10]))[:3]
    return Breach(column.name, rule, len(rows), tuple(int(i) for i in first), examples)


def _as_error(frame: pl.DataFrame, breaches: list[Breach]) -> ContractError:
    violations = sorted(
        (
            Violation(row, breach.column, _plain(frame[breach.column][row]), breach.rule)
            for breach in breaches
            for row in breach.rows
        ),
        key=lambda violation: (violation.row, violation.column),
    )[:MAX_VIOLATIONS]
    first, total = violations[0], sum(breach.count for breach in breaches)
    more = f" (and {total - 1} more cells)" if total > 1 else ""
    shown = "it" if first.value is None else f'"{first.value}"'
    return ContractError(f'row {first.row}, column "{first.column}": {shown} {first.rule}{more}', violations)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int)) else str(value)[:100]


def _blank(text: pl.Series, column: ColumnSpec) -> Mask:
    """Cells that stand for missing: null, blank, or one of the column's markers."""
    found = marked(text, column.missing)
    return found | text.is_null().to_numpy() if text.null_count() else found


def _numbers(series: pl.Series, column: ColumnSpec) -> Cells:
    kind = series.dtype
    nothing = np.zeros(len(series), dtype=np.bool_)
    if kind == pl.Null:
        return np.full(len(series), np.nan), []
    if kind == pl.Duration:
        values = series.dt.total_microseconds().cast(pl.Float64).fill_null(np.nan).to_numpy() / 1e6
        return values, []
    if kind == pl.String or kind in (pl.Categorical, pl.Enum):
        text = stripped(series.cast(pl.String))
        blank = _blank(text, column)
        bare = _without_units(text, column.units) if column.units else text
        values = parse_numbers(bare, column.format)
        bad = np.isnan(values) & ~blank
        values[blank] = np.nan
    elif kind.is_numeric() or kind == pl.Boolean:
        values = series.cast(pl.Float64).to_numpy().astype(np.float64)  # null comes out as NaN
        bad = nothing
    else:
        return np.full(len(series), np.nan), [(NOT_A_NUMBER, series.is_not_null().to_numpy())]
    infinite = np.isinf(values)
    values = np.clip(np.where(infinite, np.nan, values), -FLOAT32_MAX, FLOAT32_MAX)
    if column.codes or column.scale:
        settle_numbers(values, column)
    return values, [(NOT_A_NUMBER, bad), (NOT_FINITE, infinite)]


def respelt_texts(text: pl.Series, column: ColumnSpec) -> pl.Series:
    """``respelt`` of a whole column, each different text once."""
    texts = text.drop_nulls().unique().to_list()
    named = {cell: meant for cell in texts if (meant := respelt(cell, column)) != cell}
    return text.replace(named) if named else text


def _without_units(text: pl.Series, units: tuple[str, ...]) -> pl.Series:
    named = {cell: without_unit(cell, units) for cell in text.drop_nulls().unique().to_list()}
    return text.replace(named) if named else text


def _booleans(series: pl.Series, column: ColumnSpec) -> Cells:
    kind = series.dtype
    if kind == pl.Boolean or kind == pl.Null:
        return series.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64), []
    if kind == pl.String or kind in (pl.Categorical, pl.Enum):
        text = stripped(series.cast(pl.String))
        blank = _blank(text, column)
        known = boolean_texts(column.format)
        read = text.str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Float64)
        values = np.where(blank, np.nan, read.fill_null(np.nan).to_numpy())
        return values, [(NOT_A_BOOLEAN, np.isnan(values) & ~blank)]
    if kind.is_numeric():
        values = series.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        bad = ~np.isnan(values) & (values != 0) & (values != 1)
        return np.where(bad, np.nan, values), [(NOT_A_BOOLEAN, bad)]
    return np.full(len(series), np.nan), [(NOT_A_BOOLEAN, series.is_not_null().to_numpy())]


def canonical_texts(series: pl.Series) -> pl.Series:
    """``canonical_text`` of a whole column, null for missing."""
    kind = series.dtype
    if kind == pl.String or kind in (pl.Categorical, pl.Enum):
        text = stripped(series.cast(pl.String))
        return text.replace("", None)
    if kind == pl.Boolean or kind.is_integer():
        return series.cast(pl.String)
    if kind == pl.Null:
        return series.cast(pl.String)
    unique = series.unique().to_list()
    named = {value: canonical_text(value) or None for value in unique if value is not None}
    if kind.is_float():  # NaN is no key of a mapping
        series, named = series.fill_nan(None), {k: v for k, v in named.items() if k == k}
    return series.replace_strict(named, default=None, return_dtype=pl.String) if named else series.cast(pl.String)


def _categories(series: pl.Series, column: ColumnSpec) -> Cells:
    broken: list[tuple[str, Mask]] = []
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        bad = series.is_not_null().to_numpy()
        return np.full(len(series), MISSING_STRING, dtype=object), [(NOT_A_CATEGORY, bad)]
    if series.dtype.is_float():
        infinite = series.is_infinite().fill_null(False)
        broken.append((NOT_FINITE, infinite.to_numpy()))
        series = pl.select(pl.when(~infinite).then(series)).to_series()
    text = canonical_texts(series)
    long = (text.str.len_chars() > MAX_TEXT).fill_null(False).to_numpy()
    blank = _blank(text, column)
    broken.append((TOO_LONG, long))
    read = respelt_texts(text, column) if column.spelling or column.variants or column.alike else text
    values = read.fill_null(MISSING_STRING).to_numpy().astype(object)
    values[blank | long] = MISSING_STRING
    return values, broken


def _tokens(series: pl.Series, column: ColumnSpec) -> Cells:
    """Cell by cell through the very reader of serving; each different cell once."""
    anything = replace(column, nullable=True)  # a cell that is missing but may not be is found by the caller
    values = np.full(len(series), MISSING_STRING, dtype=object)
    broken: dict[str, Mask] = {}
    read: dict[Any, str | RuleError] = {}
    if _is_odd(series.dtype):
        return values, [(NOT_A_LIST if column.format == LIST else NOT_A_CATEGORY, series.is_not_null().to_numpy())]
    for row, value in enumerate(_plain_cells(series)):
        key = tuple(value) if isinstance(value, list) else value
        if key not in read:
            try:
                read[key] = read_tokens(value, anything)
            except RuleError as error:
                read[key] = error
        tokens = read[key]
        if isinstance(tokens, str):
            values[row] = tokens
        else:
            broken.setdefault(str(tokens), np.zeros(len(series), dtype=np.bool_))[row] = True
    return values, list(broken.items())


def _is_odd(dtype: pl.DataType) -> bool:
    """Whether cells of this type are neither single values nor lists of them."""
    if isinstance(dtype, (pl.List, pl.Array)):
        return dtype.inner.is_nested() or dtype.inner in (pl.Binary, pl.Object)
    return dtype.is_nested() or dtype in (pl.Binary, pl.Object)


def _plain_cells(series: pl.Series) -> list[Any]:
    """Cells as JSON would bring them: None, texts, numbers, booleans, and lists of these."""
    kind = series.dtype
    if isinstance(kind, (pl.List, pl.Array)):
        plain = kind.inner in (pl.String, pl.Boolean, pl.Null) or kind.inner.is_numeric()
        return (series if plain else series.cast(pl.List(pl.String))).to_list()
    if kind.is_float():
        series = series.fill_nan(None)
    return series.to_list() if kind.is_numeric() or kind == pl.Boolean else canonical_texts(series).to_list()


def _times(series: pl.Series, column: ColumnSpec) -> Cells:
    kind = series.dtype
    if kind == pl.Null:
        return np.full(len(series), MISSING_TIME, dtype=np.int64), []
    if kind == pl.String or kind in (pl.Categorical, pl.Enum):
        text = stripped(series.cast(pl.String))
        blank = _blank(text, column)
        values = parse_times(text, column.format)
        if column.format is not None:
            values = np.where(values == MISSING_TIME, parse_times(text, None), values)
        values[blank] = MISSING_TIME
        return values, [(NOT_A_TIME, (values == MISSING_TIME) & ~blank)]
    if kind == pl.Time:
        seconds = series.cast(pl.Int64) // 1_000_000_000
    elif kind == pl.Date:
        seconds = series.cast(pl.Int64) * 86400
    elif isinstance(kind, pl.Datetime):
        ticks = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.time_unit]
        seconds = series.cast(pl.Int64) // ticks  # a zone's instants are stored in UTC
    elif kind.is_numeric():
        number = series.cast(pl.Float64)
        outside = (~number.is_between(EARLIEST, LATEST) & number.is_not_nan()).fill_null(False).to_numpy()
        number = number.fill_nan(None).clip(EARLIEST, LATEST).floor()
        values = number.cast(pl.Int64).fill_null(MISSING_TIME).to_numpy().astype(np.int64)
        values[outside] = MISSING_TIME
        return values, [(OUT_OF_TIME, outside)]
    else:
        return np.full(len(series), MISSING_TIME, dtype=np.int64), [(NOT_A_TIME, series.is_not_null().to_numpy())]
    return seconds.fill_null(MISSING_TIME).to_numpy().astype(np.int64), []


def _coded_times(series: pl.Series, column: ColumnSpec) -> Cells:
    values, broken = _times(series, column)
    if column.codes:
        values = np.where(is_code(values, column), MISSING_TIME, values)
    return values, broken


_COLUMNS: dict[Role, Callable[[pl.Series, ColumnSpec], Cells]] = {
    Role.NUMERIC: _numbers,
    Role.BOOLEAN: _booleans,
    Role.CATEGORICAL: _categories,
    Role.DATETIME: _coded_times,
    Role.TEXT: _tokens,
}
_STAND_INS: dict[Role, Callable[[int], Any]] = {
    Role.NUMERIC: lambda n: np.full(n, np.nan),
    Role.BOOLEAN: lambda n: np.full(n, np.nan),
    Role.CATEGORICAL: lambda n: np.full(n, MISSING_STRING, dtype=object),
    Role.DATETIME: lambda n: np.full(n, MISSING_TIME, dtype=np.int64),
    Role.TEXT: lambda n: np.full(n, MISSING_STRING, dtype=object),
}


def column_numbers(series: pl.Series, column: ColumnSpec) -> Doubles:
    """Read a column as numbers (n) in double precision, NaN where a cell is missing or is none."""
    values: Doubles = _numbers(series, column)[0]
    return values


def column_times(series: pl.Series, column: ColumnSpec) -> Ints:
    """Read a column as epoch seconds (n), ``MISSING_TIME`` where a cell is missing or is none."""
    values: Ints = _coded_times(series, column)[0]
    return values


def label_texts(series: pl.Series, column: ColumnSpec, label_kind: str) -> pl.Series:
    """Class text of each row's label, null for missing; labels that are numbers are read as numbers first."""
    if label_kind in ("int", "float") and series.dtype == pl.String:
        numbers = column_numbers(series, column)
        return canonical_texts(pl.Series(series.name, numbers).fill_nan(None))
    texts = canonical_texts(series)
    if label_kind == "bool":
        lower = texts.str.to_lowercase()
        texts = lower.replace({"1": "true", "0": "false", "1.0": "true", "0.0": "false"})
    if column.missing:
        texts = pl.select(pl.when(~texts.is_in(list(column.missing))).then(texts)).to_series()
    return texts.rename(series.name)


def encode_target(frame: pl.DataFrame, contract: Contract) -> Ints | Doubles:
    """Turn the target into class codes (int64, places in ``contract.classes``) or values (float64).

    Raises
    ------
    TargetError
        The target is absent, or a row has it missing, unreadable, or of a class that the contract does not know.
    """
    if contract.target not in frame.columns:
        hint = nearest(contract.target, frame.columns) or "; name one of its columns"
        raise TargetError(f'the table has no target column "{contract.target}"{hint}')
    column = contract.column(contract.target)
    series = frame[contract.target]
    if not contract.task.is_classification:
        values = column_numbers(series, column)
        lost = np.isnan(values)
    else:
        place = {name: code for code, name in enumerate(contract.classes)}
        texts = label_texts(series, column, contract.label_kind)
        codes = texts.replace_strict(place, default=-1, return_dtype=pl.Int64).fill_null(-1)
        values = codes.to_numpy().astype(np.int64)
        lost = values < 0
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        raise TargetError(
            f'the target "{contract.target}" cannot be read in {int(lost.sum())} rows (row {row}: {series[row]!r}); '
            "drop these rows or mend them"
        )
    return values
