"""Journal entries as typed columns, and back: what a sealed segment holds.

A feature becomes the column of its name with the type its role has in the contract: numbers ``BIGINT`` or ``DOUBLE``,
categories and texts ``VARCHAR``, truths ``BOOLEAN``, times ``TIMESTAMP`` in UTC; where the contract does not know it,
the type its values have. The journal's own columns begin with an underscore. A cell whose exact value cannot be told
from the typed one (``"12 kg"`` read as 12, a list) is kept as it came in ``_raw`` as well, so that every entry comes
back as it was; only a cell that was left out and one that was sent as null are the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from artificer.journal.entries import PREDICTIONS, OutcomeEntry, PredictionEntry
from artificer.tables.cells import READERS, ColumnSpec, RuleError, canonical_text
from artificer.types import MISSING_TIME, Role

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.contract import Contract

ID, AT, VERSION, SCORES, PREDICTION, VALUE, RAW = "_id", "_at", "_version", "_scores", "_prediction", "_value", "_raw"
OWN: Final = frozenset({ID, AT, VERSION, SCORES, PREDICTION, VALUE, RAW})
SECONDS: Final = "seconds"
"""The style of a time column whose cells came as seconds since 1970; the others are patterns of text."""
EXACT: Final = 2**53

_PATTERNS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
)


class _Exact(msgspec.Struct, array_like=True):
    """What typed columns cannot give back of one entry: cells as they came, and what was told or came true."""

    row: dict[str, Any] = {}
    told: list[Any] = []


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Exact).decode


def to_frame(
    kind: int, entries: Sequence[PredictionEntry] | Sequence[OutcomeEntry], contract: Contract | None = None
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Lay entries out in columns.

    Parameters
    ----------
    contract : of the version that answered; None takes the types from the values.

    Returns
    -------
    The table, in the entries' order, and how the times of each column were written.

    Examples
    --------
    >>> entries = [PredictionEntry("a", 1.0, "7", {"price": 2, "hue": "red"}, [0.5, 0.5], "yes")]
    >>> frame, styles = to_frame(PREDICTIONS, entries)
    >>> frame.row(0, named=True)["price"], to_entries(PREDICTIONS, frame, styles) == entries
    (2, True)
    """
    import polars as pl

    raw: dict[int, _Exact] = defaultdict(_Exact)
    columns = [pl.Series(ID, [e.id for e in entries], dtype=pl.String), pl.Series(AT, [e.at for e in entries])]
    styles: dict[str, str] = {}
    if kind == PREDICTIONS:
        rows = [entry.row for entry in entries]  # type: ignore[union-attr]
        specs = {spec.name: spec for spec in contract.columns} if contract else {}
        names = dict.fromkeys(name for row in rows for name in row)
        plain, clashing = _apart(names)
        for name in plain:
            series, style, inexact = _column(name, [row.get(name) for row in rows], specs.get(name))
            columns.append(series)
            if style:
                styles[name] = style
            for index in inexact:
                raw[index].row[name] = rows[index][name]
        for name in clashing:
            for index, row in enumerate(rows):
                if name in row:
                    raw[index].row[name] = row[name]
        columns += [
            pl.Series(VERSION, [entry.version for entry in entries], dtype=pl.String),  # type: ignore[union-attr]
            pl.Series(SCORES, [entry.scores for entry in entries], dtype=pl.List(pl.Float64)),  # type: ignore[union-attr]
        ]
    told, values = (
        (PREDICTION, [entry.prediction for entry in entries])  # type: ignore[union-attr]
        if kind == PREDICTIONS
        else (VALUE, [entry.value for entry in entries])  # type: ignore[union-attr]
    )
    series, _, inexact = _column(told, values, None)
    columns.append(series)
    for index in inexact:
        raw[index].told = [values[index]]
    packed = [None] * len(entries) if not raw else [_pack(raw[i]) if i in raw else None for i in range(len(entries))]
    columns.append(pl.Series(RAW, packed, dtype=pl.Binary))
    return pl.DataFrame(columns), styles


def to_entries(kind: int, frame: pl.DataFrame, styles: dict[str, str]) -> list[PredictionEntry] | list[OutcomeEntry]:
    """Give the entries back that :func:`to_frame` laid out."""
    if not frame.height:
        return []
    raws = frame[RAW].to_list()
    if kind != PREDICTIONS:
        cells = zip(frame[ID].to_list(), frame[AT].to_list(), frame[VALUE].to_list(), raws, strict=True)
        return [OutcomeEntry(i, at, value if raw is None else _unpack(raw).told[0]) for i, at, value, raw in cells]
    names = [name for name in frame.columns if name not in OWN]
    columns = [_cells(frame[name], styles.get(name)) for name in names]
    rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)] if names else []
    rows = rows or [{} for _ in range(frame.height)]
    told = frame[PREDICTION].to_list()
    for index, packed in enumerate(raws):
        if packed is not None:
            exact = _unpack(packed)
            rows[index].update(exact.row)
            told[index] = exact.told[0] if exact.told else told[index]
    own = (frame[name].to_list() for name in (ID, AT, VERSION, SCORES))
    return [
        PredictionEntry(name, at, version, row, scores, prediction)
        for name, at, version, scores, row, prediction in zip(*own, rows, told, strict=True)
    ]


def _apart(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names that can be columns, and those that another one already stands for where case does not count."""
    taken = set(OWN)
    plain: list[str] = []
    clashing: list[str] = []
    for name in names:
        lower = name.lower()
        (clashing if lower in taken or not name or "\x00" in name else plain).append(name)
        taken.add(lower)
    return plain, clashing


def _column(name: str, values: list[Any], spec: ColumnSpec | None) -> tuple[pl.Series, str | None, list[int]]:
    """One typed column, how its times were written, and the rows whose value it cannot give back exactly."""
    kinds = set(map(type, values)) - {NoneType}
    make = _MAKERS.get(spec.role) if spec is not None else None
    if kinds and kinds <= {int, float} and make is not _times:
        make = _numbers
    elif make is None:
        make = _truths if kinds == {bool} else _texts
    made: tuple[pl.Series, str | None, list[int]] = make(name, values, kinds, spec)
    return made


def _numbers(name: str, values: list[Any], kinds: set[type], spec: ColumnSpec | None) -> Any:
    import polars as pl

    if kinds <= {int} and kinds and max(abs(v) for v in values if v is not None) < 2**63:
        return pl.Series(name, values, dtype=pl.Int64), None, []
    if kinds <= {float}:
        return pl.Series(name, values, dtype=pl.Float64), None, []
    typed = [float(v) if type(v) in (int, float) else _read(v, spec) for v in values]
    inexact = [i for i, v in enumerate(values) if v is not None and not (type(v) is float or _small(v))]
    return pl.Series(name, typed, dtype=pl.Float64), None, inexact


def _small(value: Any) -> bool:
    return type(value) is int and abs(value) <= EXACT


def _read(value: Any, spec: ColumnSpec | None) -> Any:
    """A cell by the contract's own reader; None where it is missing or cannot be read."""
    if value is None or spec is None:
        return None
    try:
        found = READERS[spec.role](value, spec)
    except (RuleError, KeyError):
        return None
    return None if found == MISSING_TIME or (isinstance(found, float) and math.isnan(found)) else found


def _texts(name: str, values: list[Any], kinds: set[type], spec: ColumnSpec | None) -> Any:
    import polars as pl

    if kinds <= {str}:
        return pl.Series(name, values, dtype=pl.String), None, []
    typed = [canonical_text(v) if isinstance(v, str | int | float) and type(v) is not str else v for v in values]
    typed = [v if isinstance(v, str) else None for v in typed]
    inexact = [i for i, v in enumerate(values) if v is not None and type(v) is not str]
    return pl.Series(name, typed, dtype=pl.String), None, inexact


def _truths(name: str, values: list[Any], kinds: set[type], spec: ColumnSpec | None) -> Any:
    import polars as pl

    if kinds <= {bool}:
        return pl.Series(name, values, dtype=pl.Boolean), None, []
    typed = [v if type(v) is bool else None if (read := _read(v, spec)) is None else read == 1.0 for v in values]
    inexact = [i for i, v in enumerate(values) if v is not None and type(v) is not bool]
    return pl.Series(name, typed, dtype=pl.Boolean), None, inexact


def _times(name: str, values: list[Any], kinds: set[type], spec: ColumnSpec | None) -> Any:
    import polars as pl

    if kinds <= {str} and spec is not None:
        from artificer.tables.arrays import column_times

        text = pl.Series(name, values, dtype=pl.String)
        seconds = pl.Series(name, column_times(text, spec)).replace(MISSING_TIME, None)
    else:
        read = [None if type(v) is bool else v if type(v) in (int, float) else _read(v, spec) for v in values]
        inside = [v if v is not None and abs(v) < 2.5e11 else None for v in read]
        seconds = pl.Series(name, inside, dtype=pl.Float64)
    typed = (seconds * 1_000_000).round().cast(pl.Int64).cast(pl.Datetime("us")).rename(name)
    first = next((v for v in values if v is not None), None)
    style = _style_of(first)
    back = _cells(typed, style)
    # Equal numbers of two types are the same time; a truth is not.
    inexact = [
        i
        for i, (v, b) in enumerate(zip(values, back, strict=True))
        if v is not None and (b is None or v != b or isinstance(v, str) != isinstance(b, str) or type(v) is bool)
    ]
    return typed, style, inexact


def _style_of(value: Any) -> str:
    if not isinstance(value, str):
        return SECONDS
    for pattern in _PATTERNS:
        try:
            datetime.strptime(value, pattern)
        except ValueError:
            continue
        return pattern
    return _PATTERNS[0]


def _cells(series: pl.Series, style: str | None) -> list[Any]:
    import polars as pl

    if style is None or not isinstance(series.dtype, pl.Datetime):
        return series.to_list()
    if style == SECONDS:
        return (series.cast(pl.Int64) / 1_000_000).to_list()
    return series.dt.to_string(style).to_list()


_MAKERS: Final[dict[Role, Callable[..., Any]]] = {
    Role.NUMERIC: _numbers,
    Role.BOOLEAN: _truths,
    Role.CATEGORICAL: _texts,
    Role.TEXT: _texts,
    Role.DATETIME: _times,
}
