"""The split stage: what a table's rows say of how they may be parted, and the parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.clock import derive_seed
from artificer.problem.model import Problem
from artificer.splits.evidence import Table
from artificer.splits.plan import Named, SplitPlan, plan_split
from artificer.splits.split import FEWEST_ROWS, Split, fold_count, folds, holdout
from artificer.training.request import TrainingRequest
from artificer.types import Ints, Role, Task

if TYPE_CHECKING:
    from artificer.tables.prepare import Prepared


def planned(problem: Problem, prepared: Prepared) -> tuple[Prepared, SplitPlan]:
    """How the table is split; entities that were found are no feature any more, and a time that was found is its time.

    Raises
    ------
    ConfigurationError
        A split by group is wanted, and there are no groups.
    """
    contract, data = prepared.contract, problem.data
    named = Named(
        choice=problem.training.split,
        time=data.time,
        times=prepared.times,
        in_seconds=data.time is not None and contract.column(data.time).role is Role.DATETIME,
        group=data.group,
        groups=prepared.groups,
        gap=problem.monitoring.delay.seconds,
        features=frozenset(data.monotone or ()),
    )
    table = Table(prepared.frame, contract, prepared.blocks, prepared.y, contract.task)
    plan = plan_split(table, named, derive_seed(problem.training.seed, "plan"))
    if plan.entity is not None:
        from artificer.tables.prepare import set_aside

        prepared = set_aside(prepared, plan.entity, "names entities, so its rows stay together")
    times = None if plan.times is None else np.asarray(plan.times).astype(np.int64)
    contract = replace(prepared.contract, time=plan.time or prepared.contract.time)
    notes = (*prepared.notes, *plan.notes)
    return replace(prepared, times=times, groups=plan.groups, contract=contract, notes=notes), plan


def of_arrivals(plan: SplitPlan, rows: int) -> SplitPlan:
    """The plan of a retraining, whose rows stand in the order of arrival and whose newest ones are the test."""
    return SplitPlan(times=np.arange(rows, dtype=np.int64), evidence=plan.evidence)


def split_rows(request: TrainingRequest, prepared: Prepared, plan: SplitPlan) -> tuple[Ints, Ints]:
    """Training rows and test rows."""
    n = len(prepared.y)
    if request.newest_test_rows is not None:
        newest = min(request.newest_test_rows, n // 2)
        order = np.arange(n, dtype=np.int64)
        return order[: n - newest], order[n - newest :]
    return holdout_of(request.problem, prepared, plan)


def holdout_of(problem: Problem, prepared: Prepared, plan: SplitPlan) -> Split:
    """Training rows and test rows of a first training."""
    training, y, task = problem.training, prepared.y, prepared.contract.task
    seed = derive_seed(training.seed, "holdout")
    return holdout(len(y), task, y, training.test_share, seed, groups=plan.groups, times=plan.times, gap=plan.gap)


def search_folds(plan: SplitPlan, task: Task, y: NDArray[Any], seed: int) -> tuple[Split, ...]:
    """The folds of the search, as the plan of its rows asks; none where rows are too few."""
    n = len(y)
    if n < FEWEST_ROWS:
        return ()
    seed = derive_seed(seed, "folds")
    return folds(n, task, y, fold_count(n), seed, groups=plan.groups, times=plan.times, gap=plan.gap)


def in_time(rows: Ints, times: NDArray[Any] | None) -> Ints:
    """Rows in the order of time, else of the table: what depends on its neighbours is tested beside them."""
    rows = np.sort(rows)
    return rows if times is None else rows[np.argsort(times[rows], kind="stable")]
