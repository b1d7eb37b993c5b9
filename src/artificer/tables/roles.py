"""What each column is for, read off its values: the role, and the reason in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import polars as pl

from artificer.errors import DataError, nearest
from artificer.tables.arrays import canonical_texts, column_numbers, column_times
from artificer.tables.cells import LIST, RuleError, list_tokens
from artificer.tables.codes import Code, number_codes, settled, time_codes
from artificer.tables.contract import ColumnSpec
from artificer.tables.formats import PLAIN, number_format, time_format
from artificer.tables.parsing import Reading, read_text, stripped
from artificer.types import MISSING_TIME, Role

KEY_NAME = re.compile(
    r"(?:^|[_\W])(?:id|ids|key|uuid|guid|index|idx|pk|nr|no|number|rownum|row)$|[a-z](?:Id|ID|Key|No|Nr)$"
    r"|^(?:id|ID)(?:$|[_\W]|[A-Z][a-z]|[a-z]{1,4}$)|^unnamed: ?0$|^row_name$",
)
MANY = 20
"""With fewer rows than this, values that all differ prove nothing."""
NEARLY_ALL = 0.95


def find_column(name: str, columns: Sequence[str], purpose: str) -> None:
    """Raise a DataError that names the nearest column when `name` is none of `columns`."""
    if name not in columns:
        hint = (
            nearest(name, columns) or f"; the columns are {', '.join(columns[:8])}{', …' if len(columns) > 8 else ''}"
        )
        raise DataError(f'the table has no column "{name}" to use as {purpose}{hint}')


def infer_roles(
    frame: pl.DataFrame,
    target: str,
    *,
    time: str | None = None,
    ids: Collection[str] = (),
    group: str | None = None,
    weight: str | None = None,
    drop: Collection[str] = (),
    as_is: Collection[str] = (),
    unlabelled: pl.DataFrame | None = None,
    units: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> tuple[tuple[ColumnSpec, ...], tuple[str, ...]]:
    """Give every column a role and say why.

    Parameters
    ----------
    frame : the rows to be learnt from, typed or as texts.
    target, time, group, weight : columns with a purpose of their own.
    ids, drop : columns that must not feed the model.
    as_is : columns whose numbers and times are all values, none of them a code for a missing cell.
    unlabelled : the same table with the rows that have no target: what fails together with the target shows its codes
        only there, and serving will meet them.
    units : columns of texts to be read as numbers, each with the endings that are left out.

    Returns
    -------
    One spec per column in the table's order, and notes on cells that could not be read.

    Raises
    ------
    DataError
        A named column does not exist, or the time column holds no times.

    Examples
    --------
    >>> table = pl.DataFrame({"x": ["1,5", "2,25", "7"], "hue": ["red", "red", "blue"], "k": [1, 1, 1], "y": [0, 1, 0]})
    >>> specs, notes = infer_roles(table, "y")
    >>> [(spec.name, spec.role.value, spec.format) for spec in specs]
    [('x', 'numeric', '1234,5'), ('hue', 'categorical', None), ('k', 'constant', None), ('y', 'target', None)]
    """
    for name in ids:
        find_column(name, frame.columns, "id")
    for name in drop:
        find_column(name, frame.columns, "column to leave out")
    if group is not None:
        find_column(group, frame.columns, "group")
    if time is not None:
        find_column(time, frame.columns, "time")
    if weight is not None:
        find_column(weight, frame.columns, "weight")
    for name in as_is:
        find_column(name, frame.columns, "column to take as it is")
    readings = read_columns(frame)
    notes: list[str] = []
    specs: list[ColumnSpec] = []
    typed = {series.name: typed_spec(series, readings.get(series.name)) for series in frame.get_columns()}
    for name, endings in units.items():
        if name != target and name in typed and typed[name].role is Role.CATEGORICAL:
            typed[name] = _measured(typed[name], endings)
            readings.pop(name)
    feeding = [spec for name, spec in typed.items() if name not in {target, time, weight, group, *ids, *drop, *as_is}]
    coded = missing_codes(frame if unlabelled is None else unlabelled, feeding)
    for series in frame.get_columns():
        name, reading = series.name, readings.get(series.name)
        spec = replace(typed[name], codes=coded.get(name, ()))
        if name == target:
            spec = replace(spec, role=Role.TARGET, reason="is to be predicted")
        elif name == time:
            spec = _time_spec(spec, series)
        elif name in drop:
            spec = replace(spec, role=Role.IGNORED, reason="left out as asked")
        elif name in ids:
            spec = replace(spec, role=Role.ID, reason="named as an id")
        elif name == group:
            spec = replace(spec, role=Role.GROUP, reason="named as the group whose rows stay together")
        elif name == weight:
            spec = _weight_spec(spec, series)
        else:
            spec = _settle(spec, series)
        if reading is not None and reading.failed and spec.kind is not None:
            shown = ", ".join(f'"{text[:40]}"' for text in reading.examples)
            notes.append(
                f'column "{name}": {reading.failed} cells are no {reading.reads} ({shown}) and count as missing'
            )
        infinite = [text for text in spec.missing if "inf" in text.lower()]
        if infinite and spec.kind is not None:
            notes.append(f'column "{name}": infinite values ({", ".join(infinite)}) count as missing')
        specs.append(spec)
    return tuple(specs), (*notes, *_code_notes(specs))


def _code_notes(specs: Sequence[ColumnSpec]) -> list[str]:
    """One sentence for each code, however many columns hold it."""
    holders: dict[str, list[str]] = {}
    for spec in specs:
        if spec.codes and spec.kind is not None:
            holders.setdefault(shown_codes(spec), []).append(f'"{spec.name}"')
    notes = []
    for codes, names in holders.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        which = f"column {names[0]}" if len(names) == 1 else f"columns {', '.join(names[:3])}{more}"
        notes.append(f"{which}: {codes} stands for a missing cell")
    return notes


def _measured(spec: ColumnSpec, units: tuple[str, ...]) -> ColumnSpec:
    """A column of texts read as numbers without their units."""
    shown = ", ".join(f'"{unit}"' for unit in units[:3])
    reason = f"numbers that write their unit in several ways ({shown})"
    return replace(spec, role=Role.NUMERIC, format=PLAIN, units=units, reason=reason)


def missing_codes(
    frame: pl.DataFrame, specs: Sequence[ColumnSpec], *, strict: bool = False
) -> dict[str, tuple[float, ...]]:
    """The numbers and times that are proven to stand for missing cells, by column (see ``tables.codes``)."""
    found: dict[str, tuple[Code, ...]] = {}
    for spec in specs:
        if spec.role is Role.NUMERIC:
            found[spec.name] = number_codes(column_numbers(frame[spec.name], spec), strict=strict)
        elif spec.role is Role.DATETIME:
            seconds = column_times(frame[spec.name], spec)
            found[spec.name] = time_codes(np.where(seconds == MISSING_TIME, np.nan, seconds.astype(np.float64)))
    return settled(found)


def shown_codes(spec: ColumnSpec) -> str:
    """The codes of a column as people write them.

    Examples
    --------
    >>> shown_codes(ColumnSpec("a", Role.NUMERIC, "", "Int64", codes=(-999.0, 99.5)))
    '-999, 99.5'
    >>> shown_codes(ColumnSpec("a", Role.DATETIME, "", "Date", codes=(253402214400.0,)))
    '9999-12-31T00:00:00'
    """
    if spec.role is Role.DATETIME:
        return ", ".join(time_format(None).write(int(code)) or str(int(code)) for code in spec.codes)
    return ", ".join(f"{code:.10g}" for code in spec.codes)


def read_columns(frame: pl.DataFrame) -> dict[str, Reading]:
    """How each text column is read; ties between decimal marks are settled by the columns that leave no choice."""
    texts = [s for s in frame.get_columns() if s.dtype in (pl.String, pl.Categorical, pl.Enum)]
    readings = {s.name: read_text(s.cast(pl.String)) for s in texts}
    marks = [number_format(r.format).decimal for r in readings.values() if r.reads == "number" and r.decisive]
    if marks.count(",") > marks.count("."):
        readings = {s.name: read_text(s.cast(pl.String), decimal_comma=True) for s in texts}
    return readings


def typed_spec(series: pl.Series, reading: Reading | None) -> ColumnSpec:
    """Role by type alone: number, boolean, time, category, or nothing that can be used."""
    name, dtype = series.name, str(series.dtype)
    if reading is not None:
        if reading.reads == "text" and _holds_lists(series):
            return ColumnSpec(name, Role.TEXT, "holds lists of values, written as JSON", dtype, format=LIST)
        roles = {"number": Role.NUMERIC, "time": Role.DATETIME, "boolean": Role.BOOLEAN, "text": Role.CATEGORICAL}
        return ColumnSpec(
            name, roles[reading.reads], reading.reason, dtype, format=reading.format, missing=reading.missing
        )
    kind = series.dtype
    if isinstance(kind, (pl.List, pl.Array)) and not kind.inner.is_nested():
        return ColumnSpec(name, Role.TEXT, "holds lists of values", dtype, format=LIST)
    if kind == pl.Boolean:
        return ColumnSpec(name, Role.BOOLEAN, "holds true and false", dtype)
    if kind.is_numeric():
        return ColumnSpec(name, Role.NUMERIC, "holds numbers", dtype)
    if kind == pl.Duration:
        return ColumnSpec(name, Role.NUMERIC, "holds durations, taken in seconds", dtype)
    if kind == pl.Time:
        return ColumnSpec(name, Role.DATETIME, "holds times of day", dtype, format="%H:%M:%S")
    if kind.is_temporal():
        return ColumnSpec(name, Role.DATETIME, "holds times", dtype)
    if kind == pl.Null:
        return ColumnSpec(name, Role.CONSTANT, "every cell is missing", dtype)
    return ColumnSpec(name, Role.IGNORED, f"holds values of type {dtype}, which feed no model yet", dtype)


def _holds_lists(series: pl.Series) -> bool:
    """Whether every text of a sample writes a list of plain values as JSON."""
    sample = series.drop_nulls().head(1_000).cast(pl.String).to_list()
    texts = [text for text in map(str.strip, sample) if text]
    if not texts or not all(text[0] == "[" and text[-1] == "]" for text in texts):
        return False
    try:
        return all(list_tokens(text) for text in texts)
    except RuleError:
        return False


def _time_spec(spec: ColumnSpec, series: pl.Series) -> ColumnSpec:
    """The column that orders rows in time. Numbers order too, but later ones lie outside all that was learnt."""
    if spec.role is Role.DATETIME:
        return replace(spec, reason=f"orders the rows in time; {spec.reason}")
    if spec.role is Role.NUMERIC and np.isfinite(column_numbers(series, spec)).any():
        return replace(
            spec, role=Role.IGNORED, reason="orders the rows in time; its later values lie outside all that was learnt"
        )
    example = series.drop_nulls().head(1).to_list()
    shown = f' (e.g. "{str(example[0])[:40]}")' if example else ""
    raise DataError(
        f'the time column "{series.name}" does not hold times in one format{shown}; write them as 2020-01-31 12:00:00 '
        "or name another column"
    )


def _weight_spec(spec: ColumnSpec, series: pl.Series) -> ColumnSpec:
    if spec.role not in (Role.NUMERIC, Role.BOOLEAN):
        example = series.drop_nulls().head(1).to_list()
        shown = f' (e.g. "{str(example[0])[:40]}")' if example else ""
        raise DataError(
            f'the weight column "{series.name}" does not hold numbers{shown}; name a column that says how much each '
            "row counts"
        )
    return replace(spec, role=Role.WEIGHT, reason="says how much a row counts")


def _settle(spec: ColumnSpec, series: pl.Series) -> ColumnSpec:
    """Find the columns that a model cannot learn from: constants, keys, free texts."""
    if spec.role in (Role.IGNORED, Role.CONSTANT):
        return spec
    values = _values(spec, series)
    present = values.drop_nulls() if values.null_count() else values
    if present.is_empty():
        return replace(spec, role=Role.CONSTANT, reason="every cell is missing")
    distinct = present.n_unique()
    if distinct == 1 and len(present) == len(values):
        return replace(spec, role=Role.CONSTANT, reason=f'every cell is "{str(present[0])[:40]}"')
    if spec.role is Role.NUMERIC:
        return _settle_numbers(spec, present, distinct)
    if spec.role is Role.CATEGORICAL:
        return _settle_texts(spec, present, distinct)
    return spec


def _values(spec: ColumnSpec, series: pl.Series) -> pl.Series:
    """The column's cells with null for everything that counts as missing."""
    if spec.role is Role.NUMERIC:
        return pl.Series(column_numbers(series, spec), nan_to_null=True)
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = stripped(series.cast(pl.String))
        gone = (text == "") | text.is_in(list(spec.missing))
        return pl.select(pl.when(~gone).then(text)).to_series()
    return canonical_texts(series) if spec.role is Role.CATEGORICAL else series


def _settle_numbers(spec: ColumnSpec, present: pl.Series, distinct: int) -> ColumnSpec:
    n = len(present)
    if n < MANY or distinct < NEARLY_ALL * n or not bool((present.to_numpy() % 1 == 0).all()):
        return spec
    low, high = float(present.min() or 0), float(present.max() or 0)  # type: ignore[arg-type]
    if distinct == n and high - low == n - 1:
        return replace(spec, role=Role.ID, reason=f"numbers the rows from {low:.0f} to {high:.0f}")
    if KEY_NAME.search(spec.name):
        return replace(spec, role=Role.ID, reason=f"{distinct:,} different whole numbers under a key's name")
    return spec


def _settle_texts(spec: ColumnSpec, present: pl.Series, distinct: int) -> ColumnSpec:
    n = len(present)
    sample = present.head(10_000)
    words = float((sample.str.count_matches(r"\S+")).mean() or 0)  # type: ignore[arg-type]
    length = float(sample.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    share = distinct / n
    if n >= MANY and ((words >= 3 and share > 0.5) or (words >= 8 and share > 0.1) or (length > 80 and share > 0.1)):
        reason = f"free text: {distinct:,} different ones in {n:,} rows, {words:.0f} words on average"
        return replace(spec, role=Role.TEXT, reason=reason)
    if n >= MANY and share >= NEARLY_ALL:
        return replace(spec, role=Role.ID, reason=f"almost every text is different ({distinct:,} of {n:,})")
    if n >= MANY and distinct == n and KEY_NAME.search(spec.name):
        return replace(spec, role=Role.ID, reason="every text is different, under a key's name")
    return replace(spec, role=Role.CATEGORICAL, reason=f"{distinct:,} different values in {n:,} rows")
