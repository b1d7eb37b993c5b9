"""From a raw table to everything training needs: roles, contract, typed blocks, target, groups, time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from artificer.errors import DataError, TargetError
from artificer.tables.arrays import (
    Breach,
    canonical_texts,
    column_numbers,
    column_times,
    encode_target,
    label_texts,
    to_blocks,
)
from artificer.tables.contract import ColumnSpec, Contract
from artificer.tables.door import to_polars
from artificer.tables.roles import infer_roles, missing_codes, read_columns, shown_codes, typed_spec
from artificer.tables.target import Question, check_target, infer_task
from artificer.types import MISSING_STRING, MISSING_TIME, Blocks, Doubles, Floats, Ints, Kind, Role, Strings, Task

MAX_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows went: ``read`` = ``used`` + ``dropped_target_missing``."""

    read: int
    used: int
    dropped_target_missing: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table ready for training.

    Attributes
    ----------
    frame : the n rows that are used, as they came.
    y : class codes (int64) or values (float64), n.
    rows_used : place in the original table of each row, n.
    class_counts : rows of each class, in the order of ``contract.classes``.
    task_reason : why the task is what it is.
    groups : code of each row's group, n, or None.
    times : epoch seconds (or the whole number that orders the rows), n, ``MISSING_TIME`` where unknown; or None.
    weight : how much each row counts, n, or None where all count alike.
    breaches : cells that could not be taken as their column's role asks and became missing.
    notes : what was decided or noticed, one sentence each.
    """

    frame: pl.DataFrame
    contract: Contract
    y: Ints | Doubles
    blocks: Blocks
    rows: Rows
    rows_used: Ints
    class_counts: tuple[int, ...]
    task_reason: str
    groups: Ints | None
    times: Ints | None
    weight: Doubles | None
    breaches: tuple[Breach, ...]
    notes: tuple[str, ...]


def prepare(
    table: object,
    *,
    target: str,
    task: Task | None = None,
    time: str | None = None,
    ids: Collection[str] = (),
    group: str | None = None,
    weight: str | None = None,
    drop: Collection[str] = (),
    as_is: Collection[str] = (),
    positive: object = None,
    basis: pl.DataFrame | None = None,
    units: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Prepared:
    """Make a table ready for training, and say everything that was decided on the way.

    Parameters
    ----------
    table : anything ``to_polars`` takes.
    target : the column to predict; rows without it are dropped and counted.
    task, positive : stated by the user, or None to infer them.
    time, group, weight, ids, drop : columns with a purpose of their own.
    as_is : columns in which no number or time is taken for a code of a missing cell; the target may be one.
    basis : rows of the same columns by which the task, roles and formats are decided in place of the table's own: rows
        that came later do not change what a column is.
    units : columns of texts to be read as numbers, each with the endings that are left out.

    Raises
    ------
    TargetError
        The target is absent, constant, wholly missing, or does not fit the task.
    DataError
        There are fewer than two rows, a named column is absent, the time column holds no times, a weight is missing or
        below zero, or no column can feed a model.

    Examples
    --------
    >>> table = {"size": ["10 kg", "12 kg", "9 kg", "?"], "sold": ["yes", "no", "no", None]}
    >>> ready = prepare(table, target="sold")
    >>> ready.rows.used, ready.y.tolist(), ready.blocks.numbers.tolist(), ready.contract.columns[0].format
    (3, [1, 0, 0], [[10.0], [12.0], [9.0]], '1234.5 kg')
    """
    whole = to_polars(table)
    check_target(whole, target)
    if target in ids or target in drop or target in (time, group, weight):
        raise DataError(f'"{target}" is the target and cannot serve another purpose; name it once')
    spec, label = _read_target(whole, target, basis, as_is)
    kept = label.is_not_null().to_numpy()
    frame = whole.filter(pl.Series(kept))
    if frame.is_empty() and whole.height:
        raise TargetError(f'every cell of the target "{target}" is missing; name a column that holds outcomes')
    if frame.height < 2:
        raise DataError(f"{frame.height} rows with a target are too few to learn from; give at least two")
    judged = frame if basis is None else basis.filter(_labels(basis[target], spec).is_not_null())
    if basis is not None and task is None:
        found = infer_task(judged[target], spec).task
        task = found if found is not Task.BINARY else None  # a third class may have come
    question = infer_task(frame[target], spec, task=task, positive=positive)
    everything = whole if basis is None else basis
    named = {"time": time, "group": group, "weight": weight}
    specs, notes = infer_roles(
        judged, target, **named, ids=ids, drop=drop, as_is=as_is, unlabelled=everything, units=units
    )
    specs = tuple(replace(spec, role=Role.TARGET, reason=question.reason) if s.name == target else s for s in specs)
    draft = Contract(specs, target, question.task, question.classes, question.positive, question.label_kind, time=time)
    if not any(s.kind for s in specs):
        reasons = "; ".join(f'"{s.name}": {s.reason}' for s in specs if s.name != target)
        reasons = reasons or "there is only the target"
        raise DataError(f"no column can feed a model ({reasons}); add numbers, categories, times or texts that vary")
    blocks, breaches = to_blocks(frame, draft, strict=False)
    contract = replace(draft, columns=described(draft, blocks))
    rows = Rows(whole.height, frame.height, whole.height - frame.height)
    return Prepared(
        frame=frame,
        weight=None if weight is None else _weights(frame[weight], contract.column(weight), kept),
        contract=contract,
        y=encode_target(frame, contract),
        blocks=blocks,
        rows=rows,
        rows_used=np.flatnonzero(kept).astype(np.int64),
        class_counts=question.counts,
        task_reason=question.reason,
        groups=_group_codes(frame[group]) if group is not None else None,
        times=_row_times(frame[time], contract.column(time)) if time is not None else None,
        breaches=breaches,
        notes=(*_target_notes(spec, rows, question), *notes, *_breach_notes(breaches)),
    )


def set_aside(prepared: Prepared, name: str, reason: str) -> Prepared:
    """The table without a column as a feature, which it keeps as a group.

    Examples
    --------
    >>> ready = prepare({"who": ["a", "b", "a"], "x": [1, 2, 3], "y": [0, 1, 0]}, target="y")
    >>> ready = set_aside(ready, "who", "names people")
    >>> ready.contract.column("who").role.value, ready.blocks.strings.shape
    ('group', (3, 0))
    """
    contract = prepared.contract
    spec = contract.column(name)
    blocks = prepared.blocks
    if spec.kind is not None:
        place = contract.names(spec.kind).index(name)
        narrower: dict[str, Any] = {spec.kind.value: np.delete(blocks.of(spec.kind), place, axis=1)}
        blocks = replace(blocks, **narrower)
    columns = tuple(replace(c, role=Role.GROUP, reason=reason) if c.name == name else c for c in contract.columns)
    return replace(prepared, contract=replace(contract, columns=columns), blocks=blocks)


def _read_target(
    frame: pl.DataFrame, target: str, basis: pl.DataFrame | None, as_is: Collection[str]
) -> tuple[ColumnSpec, pl.Series]:
    """How the target is read, and its labels with null where there is none."""
    series = frame[target] if basis is None else basis[target]
    if series.dtype.is_nested():
        raise TargetError(f'the target "{target}" holds values of type {series.dtype}; name a column of single values')
    spec = typed_spec(series, read_columns(series.to_frame()).get(target))
    if spec.role is Role.NUMERIC and target not in as_is:
        spec = replace(spec, codes=missing_codes(series.to_frame(), [spec], strict=True).get(target, ()))
    return spec, _labels(frame[target], spec)


def _labels(series: pl.Series, spec: ColumnSpec) -> pl.Series:
    if spec.role is Role.NUMERIC:
        return pl.Series(spec.name, column_numbers(series, spec)).fill_nan(None)
    return label_texts(series, spec, "bool" if spec.role is Role.BOOLEAN else "string")


def described(contract: Contract, blocks: Blocks) -> tuple[ColumnSpec, ...]:
    """Add to each column what its cells at training were: missing or not, range, categories."""
    place = {name: (kind, j) for kind in Kind for j, name in enumerate(contract.names(kind))}
    made: list[ColumnSpec] = []
    for spec in contract.columns:
        if spec.name not in place:
            made.append(spec)
            continue
        kind, j = place[spec.name]
        values = blocks.of(kind)[:, j]
        made.append(_described(spec, kind, values))
    return tuple(made)


def _described(spec: ColumnSpec, kind: Kind, values: Floats | Strings | Ints) -> ColumnSpec:
    if kind is Kind.TEXTS:
        return replace(spec, nullable=bool((values == MISSING_STRING).any()))
    if kind is Kind.STRINGS:
        counts = pl.Series("v", values, dtype=pl.String).value_counts(sort=True, name="n")
        known = [str(v) for v in counts.sort(["n", "v"], descending=[True, False])["v"].to_list()]
        return replace(
            spec,
            nullable=MISSING_STRING in known,
            categories=tuple(v for v in known if v != MISSING_STRING)[:MAX_CATEGORIES],
        )
    present = values[~np.isnan(values)] if kind is Kind.NUMBERS else values[values != MISSING_TIME]
    low, high = (float(present.min()), float(present.max())) if len(present) else (None, None)
    return replace(spec, nullable=len(present) < len(values) or bool(spec.codes), low=low, high=high)


def _group_codes(series: pl.Series) -> Ints:
    """One code per group in order of appearance; rows without a group are one group each, as nothing ties them."""
    texts = canonical_texts(series)
    named = texts.drop_nulls().unique(maintain_order=True).to_list()
    codes = (
        texts.replace_strict({name: code for code, name in enumerate(named)}, default=None, return_dtype=pl.Int64)
        if named
        else pl.Series([None] * len(texts), dtype=pl.Int64)
    )
    missing = codes.is_null().to_numpy()
    out: Ints = codes.fill_null(0).to_numpy().astype(np.int64)
    out[missing] = len(named) + np.arange(int(missing.sum()))
    return out


def _weights(series: pl.Series, spec: ColumnSpec, kept: NDArray[np.bool_]) -> Doubles:
    """Weights (n) of the rows that are kept.

    A row whose weight is unknown can neither be counted nor left out without changing what is learnt, so it is refused.
    """
    weight = column_numbers(series, spec)
    for bad, what in ((~np.isfinite(weight), "are missing or no numbers"), (weight < 0, "are below zero")):
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise DataError(
                f'the weight column "{series.name}": {int(bad.sum()):,} weights {what}, the first in row '
                f"{int(np.flatnonzero(kept)[at]) + 1}; give every row a number of zero or more, or leave such rows out"
            )
    if not weight.any():
        raise DataError(f'the weight column "{series.name}" is zero in every row; give the rows that count a weight')
    return weight


def _row_times(series: pl.Series, spec: ColumnSpec) -> Ints:
    if spec.role is Role.DATETIME:
        return column_times(series, spec)
    numbers = column_numbers(series, spec)
    present = ~np.isnan(numbers)
    out = np.full(len(numbers), MISSING_TIME, dtype=np.int64)
    if bool(np.all(numbers[present] == np.floor(numbers[present]))):
        out[present] = numbers[present].astype(np.int64)
    else:  # only the order matters; whole numbers keep it
        out[present] = np.unique(numbers[present], return_inverse=True)[1]
    return out


def _target_notes(spec: ColumnSpec, rows: Rows, question: Question) -> tuple[str, ...]:
    notes, target = [], spec.name
    if spec.codes:
        notes.append(f'target "{target}": {shown_codes(spec)} stands for a missing value')
    if rows.dropped_target_missing:
        notes.append(f'{rows.dropped_target_missing} rows without a value of the target "{target}" were dropped')
    single = [name for name, count in zip(question.classes, question.counts, strict=True) if count == 1]
    if single:
        named = ", ".join(f'"{name}"' for name in single[:5])
        notes.append(f"{len(single)} classes have a single row ({named}), which cannot be both learnt and tested")
    return tuple(notes)


def _breach_notes(breaches: tuple[Breach, ...]) -> tuple[str, ...]:
    return tuple(
        f'column "{b.column}": {b.count} cells were infinite and count as missing'
        for b in breaches
        if b.rule == "must be finite"
    )
