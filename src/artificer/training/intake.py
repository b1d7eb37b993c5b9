"""The first stages of a run: the table read, typed, checked, and parted into training and test rows."""

from __future__ import annotations

import math
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

    from artificer.quality.base import Checked
    from artificer.sources.base import ReadResult
    from artificer.tables.prepare import Prepared

DEEP_BUDGET = 60.0
"""Seconds of a budget from which on checks that fit models are run."""
DEEP_SHARE = 0.05
DEEP_MOST = 60.0


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
        as_is=data.as_is,
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


def findings_of(problem: Problem, prepared: Prepared, test_rows: Ints) -> tuple[Json, ...]:
    """What the checks find; those that fit models only where the budget leaves time for them."""
    from artificer.quality.run import survey

    budget = problem.training.budget.seconds or 0.0
    deep = budget >= DEEP_BUDGET
    seconds = min(DEEP_SHARE * budget, DEEP_MOST) if deep else math.inf
    found = survey(checked(prepared, test_rows), deep=deep, seconds=seconds, seed=problem.training.seed)
    return tuple(finding.to_json() for finding in found.findings)


def checked(prepared: Prepared, test_rows: Ints) -> Checked:
    """A prepared table as checks take it."""
    from artificer.quality.base import Checked

    test = np.zeros(len(prepared.y), dtype=np.bool_)
    test[test_rows] = True
    return Checked(prepared.frame, prepared.contract, places=prepared.rows_used, test=test)


def checked_split(problem: Problem, prepared: Prepared) -> Checked:
    """A prepared table as checks take it, with the test rows that a training would keep aside."""
    return checked(prepared, _holdout(problem, prepared)[1])


def split_rows(request: TrainingRequest, prepared: Prepared) -> tuple[Ints, Ints, NDArray[Any] | None]:
    """Training rows, test rows, and the times that order them (None where rows are exchangeable)."""
    n = len(prepared.y)
    if request.newest_test_rows is not None:
        newest = min(request.newest_test_rows, n // 2)
        order = np.arange(n, dtype=np.int64)
        return order[: n - newest], order[n - newest :], order
    train_rows, test_rows = _holdout(request.problem, prepared)
    return train_rows, test_rows, prepared.times


def _holdout(problem: Problem, prepared: Prepared) -> tuple[Ints, Ints]:
    training, task = problem.training, prepared.contract.task
    seed = derive_seed(training.seed, "holdout")
    return holdout(
        len(prepared.y),
        task,
        prepared.y,
        training.test_share,
        seed,
        groups=prepared.groups,
        times=prepared.times,
    )


def in_time(rows: Ints, times: NDArray[Any] | None) -> Ints:
    """Rows in the order of time, else of the table: what depends on its neighbours is tested beside them."""
    rows = np.sort(rows)
    return rows if times is None else rows[np.argsort(times[rows], kind="stable")]
