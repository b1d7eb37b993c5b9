"""The first stages of a run: the table read, typed and checked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.problem.model import Problem
from artificer.training.gathering import gather
from artificer.training.parting import holdout_of, planned
from artificer.training.request import TrainingRequest
from artificer.types import Ints, Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.quality.base import Checked
    from artificer.sources.base import ReadResult
    from artificer.tables.prepare import Prepared

DEEP_BUDGET = 60.0
"""Seconds of a budget from which on checks that fit models are run."""
DEEP_SHARE = 0.05
DEEP_MOST = 60.0


def read_table(request: TrainingRequest) -> tuple[ReadResult, list[Json]]:
    """The table with what is joined to it, and a snapshot of each table that was read."""
    from artificer.sources.base import ReadOptions

    data = request.problem.data
    options = ReadOptions(rejects_path=request.folder / "rejects.jsonl", max_reject_share=data.max_reject_share)
    return gather(data, request.source, request.base, options, request.clock.now())


def prepare_for(problem: Problem, frame: Any, basis: pl.DataFrame | None = None) -> Prepared:
    """Type the table and give each column its role, as the problem says and as the rows of `basis`, if given, show."""
    from artificer.tables.prepare import prepare

    data = problem.data
    units = {} if problem.cleaning.mode == "off" else _units(frame if basis is None else basis)
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
        units=units,
    )
    return replace(prepared, contract=replace(prepared.contract, levels=problem.levels))


def _units(table: Any) -> dict[str, tuple[str, ...]]:
    """Columns of numbers that write their unit in several ways, and those ways."""
    import polars as pl

    from artificer.quality.mending.sheet import Sheet
    from artificer.quality.mending.units import unit_endings
    from artificer.tables.door import to_polars

    frame = to_polars(table)
    sheet = Sheet.of(frame.select(name for name, dtype in frame.schema.items() if dtype == pl.String))
    found = {name: unit_endings(column) for name, column in sheet.columns.items()}
    return {name: endings for name, endings in found.items() if endings}


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


def checked_split(problem: Problem, prepared: Prepared) -> tuple[Checked, tuple[str, ...]]:
    """A prepared table as checks take it, with the test rows that a training would keep aside, and all notes on it."""
    prepared, plan = planned(problem, prepared)
    return checked(prepared, holdout_of(problem, prepared, plan)[1]), prepared.notes
