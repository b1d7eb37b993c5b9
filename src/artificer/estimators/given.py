"""What `fit` is given, as the search takes it: tables, matrices, targets, weights, budgets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.errors import DataError
from artificer.problem.amounts import Budget
from artificer.search.records import Budget as SearchBudget
from artificer.tables.contract import ColumnSpec, LabelKind, canonical_text
from artificer.types import FLOAT32_MAX, Blocks, Doubles, Ints, Kind, Role, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.prepare import Prepared

TAIL_SHARE = 0.05
"""Share of a budget of seconds for what comes after the search."""


@dataclass(frozen=True)
class GivenTable:
    """What `fit` was given: the typed blocks and their columns; a table with types of its own as it was prepared."""

    blocks: Blocks
    columns: tuple[ColumnSpec, ...]
    prepared: Prepared | None
    target: str

    @property
    def typed(self) -> bool:
        return self.prepared is not None

    def without(self, entity: str) -> GivenTable:
        """The table without a column as a feature."""
        from artificer.tables.prepare import set_aside

        assert self.prepared is not None  # noqa: S101 - entities are found in typed tables
        prepared = set_aside(self.prepared, entity, "names entities, so its rows stay together")
        return _of_prepared(prepared, self.target)

    def names(self) -> Mapping[Kind, Sequence[str]]:
        return {kind: [c.name for c in self.columns if c.kind is kind] for kind in Kind}


@dataclass(frozen=True)
class Answer:
    """The target as the search takes it, and what the contract says about it."""

    task: Task
    y: Ints | Doubles
    classes: tuple[str, ...] = ()
    label_kind: LabelKind = "float"
    weight: Doubles | None = None
    class_weights: Doubles | None = None
    levels: tuple[float, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.classes) or len(self.levels) or 1


def row_weights(given: Any, rows: int) -> Doubles | None:
    if given is None:
        return None
    weight = np.asarray(given, dtype=np.float64)
    if weight.shape != (rows,):
        raise DataError(f"sample_weight must hold one number for each of the {rows} rows, not shape {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise DataError("sample_weight takes numbers of zero or more, one of them above zero")
    return weight


def is_frame(X: Any) -> bool:
    """Whether X has columns with types of their own: a pandas, Polars or Arrow table."""
    return hasattr(X, "__arrow_c_stream__") and hasattr(X, "columns")


def frame_of(X: Any) -> pl.DataFrame:
    from artificer.tables.door import to_polars

    return to_polars(X)


def typed_table(X: Any, target: str) -> GivenTable:
    """Each column by what it holds. A stand-in takes the target's place, as roles do not depend on its values."""
    import polars as pl

    from artificer.tables.prepare import prepare

    frame = frame_of(X)
    if frame.height < 2:
        raise ValueError(f"Found array with {frame.height} sample(s) while a minimum of 2 is required.")
    while target in frame.columns:
        target += "_"
    stand_in = pl.Series(target, np.arange(frame.height) % 2)
    try:
        prepared = prepare(frame.with_columns(stand_in), target=target, task=Task.BINARY)
    except DataError as error:
        raise ValueError(str(error)) from error
    return _of_prepared(prepared, target)


def _of_prepared(prepared: Prepared, target: str) -> GivenTable:
    columns = tuple(c for c in prepared.contract.columns if c.name != target)
    return GivenTable(prepared.blocks, columns, prepared, target)


def matrix(X: Doubles, names: Sequence[str], target: str) -> GivenTable:
    """All columns as numbers, whatever they hold."""
    while target in names:
        target += "_"
    columns = tuple(ColumnSpec(name, Role.NUMERIC, "a column of a matrix", "float64") for name in names)
    columns = tuple(_with_range(spec, X[:, j]) for j, spec in enumerate(columns))
    return GivenTable(blocks_of(X), columns, None, target)


def _with_range(spec: ColumnSpec, values: Doubles) -> ColumnSpec:
    present = values[~np.isnan(values)]
    return replace(spec, low=float(present.min()), high=float(present.max())) if len(present) else spec


def blocks_of(X: Doubles) -> Blocks:
    n = len(X)
    numbers = np.clip(X, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    return Blocks(numbers, np.empty((n, 0), dtype=object), np.empty((n, 0), dtype=np.int64))


def label_texts(classes: NDArray[Any]) -> tuple[LabelKind, tuple[str, ...]]:
    """The labels' JSON type, and the texts under which a contract knows them."""
    values = classes.tolist()
    kinds: list[tuple[LabelKind, Any]] = [("bool", bool), ("int", int), ("float", float)]
    for kind, cls in kinds:
        if all(type(value) is cls for value in values):
            return kind, tuple(canonical_text(value) for value in values)
    return "string", tuple(str(value) for value in values)


def search_budget(text: str, started: float) -> SearchBudget:
    try:
        budget = Budget.parse(text)
    except (ValueError, AttributeError) as error:
        raise ValueError(f'budget must be "60s", "5m", "1h30m" or "40 fits", not {text!r}') from error
    if budget.fits is not None:
        return SearchBudget(fits=budget.fits)
    seconds = budget.seconds or 0.0
    return SearchBudget(seconds=max((1 - TAIL_SHARE) * seconds - (time.monotonic() - started), 0.1))
