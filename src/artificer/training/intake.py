"""The first stages of a run: the table read, typed, checked, and parted into training and test rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.clock import derive_seed
from artificer.errors import ConfigurationError
from artificer.problem.model import Problem
from artificer.splits.order import infer_order
from artificer.splits.split import holdout
from artificer.training.request import TrainingRequest
from artificer.types import Ints, Json, Kind

if TYPE_CHECKING:
    import polars as pl

    from artificer.sources.base import ReadResult
    from artificer.tables.prepare import Prepared


def read_table(request: TrainingRequest) -> ReadResult:
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source

    source = request.source
    if source is None:
        raise ConfigurationError("data.source is not set; name the table in artificer.toml")
    share = request.problem.data.max_reject_share
    return read_source(
        source, options=ReadOptions(rejects_path=request.folder / "rejects.jsonl", max_reject_share=share)
    )


def prepare_for(problem: Problem, frame: Any, basis: pl.DataFrame | None = None) -> Prepared:
    """Type the table and give each column its role, as the problem says and as the rows of `basis`, if given, show."""
    from artificer.tables.prepare import prepare

    data = problem.data
    prepared = prepare(
        frame,
        target=data.target,
        task=data.task,
        time=data.time,
        ids=data.id,
        group=data.group,
        weight=data.weight,
        drop=data.drop,
        positive=data.positive,
        basis=basis,
    )
    prepared = replace(prepared, contract=replace(prepared.contract, levels=problem.levels))
    known = data.time is not None or data.group is not None or problem.training.split == "random"
    return prepared if known else in_order(prepared)


def in_order(prepared: Prepared) -> Prepared:
    """Take a table that is sorted by a time as one whose newest rows are its test."""
    blocks, contract = prepared.blocks, prepared.contract
    times = [(name, blocks.times[:, j]) for j, name in enumerate(contract.names(Kind.TIMES))]
    numbers = [(name, blocks.numbers[:, j]) for j, name in enumerate(contract.names(Kind.NUMBERS))]
    order = infer_order(times, numbers, prepared.y.astype(np.int64) if contract.task.is_classification else None)
    if order is None:
        return prepared
    note = f'{order.reason}, so the test is on the newest ones; training.split = "random" takes them as exchangeable'
    moments = order.times.astype(np.int64)
    contract = replace(contract, time=order.column)
    return replace(prepared, times=moments, contract=contract, notes=(*prepared.notes, note))


def findings_of(prepared: Prepared) -> tuple[Json, ...]:
    from artificer.quality.run import check_table

    return tuple(finding.to_json() for finding in check_table(prepared.frame, prepared.contract))


def split_rows(request: TrainingRequest, prepared: Prepared) -> tuple[Ints, Ints, NDArray[Any] | None]:
    """Training rows, test rows, and the times that order them (None where rows are exchangeable)."""
    training, task = request.problem.training, prepared.contract.task
    n = len(prepared.y)
    if request.newest_test_rows is not None:
        newest = min(request.newest_test_rows, n // 2)
        order = np.arange(n, dtype=np.int64)
        return order[: n - newest], order[n - newest :], order
    seed = derive_seed(training.seed, "holdout")
    train_rows, test_rows = holdout(
        n, task, prepared.y, training.test_share, seed, groups=prepared.groups, times=prepared.times
    )
    return train_rows, test_rows, prepared.times


def in_time(rows: Ints, times: NDArray[Any] | None) -> Ints:
    """Rows in the order of time, else of the table: what depends on its neighbours is tested beside them."""
    rows = np.sort(rows)
    return rows if times is None else rows[np.argsort(times[rows], kind="stable")]
