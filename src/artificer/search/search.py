"""The room's door: search a table for its model, or repeat a recipe on new data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from artificer.algorithms.base import algorithms
from artificer.errors import ConfigurationError, TrainingError, nearest
from artificer.search.candidates import checked, portfolio
from artificer.search.executor import Executor, InlineExecutor
from artificer.search.finish import RECIPE_FORMAT, finish
from artificer.search.objective import Objective
from artificer.search.priors import TableShape
from artificer.search.quick import first_model
from artificer.search.records import Candidate, SearchRequest, SearchResult
from artificer.search.resume import resumed
from artificer.search.run import Run
from artificer.search.tasks import TrainingData, with_rounds
from artificer.splits.parts import time_codes
from artificer.types import Json, Kind, Task

SIDE_BY_SIDE_ROWS = 100_000
"""Up to so many rows threads go to further fits rather than to one."""

MAX_SLOTS = 4

MOST_CLASS_WEIGHT = 1000.0
"""Learners see no class weighted by more than so many times another: beyond it they say nothing of the other that could
be brought back to the shares that classes have."""

INLINE_SECONDS = 15.0
"""From this budget on fits run in processes however small the table is: side by side, and where they can be stopped."""

INLINE_CELLS = 60_000
"""Up to so many cells a fit takes less time than a process for it would."""


def run_search(request: SearchRequest) -> SearchResult:
    """Find the best model within the budget.

    A valid model always comes out: where no strong candidate was ready in time the linear one that is fitted first, and
    the constant baseline at worst, with the reasons in the leaderboard and the notes.
    Under a budget of seconds this returns in time, fits on all rows included, provided that fits run in processes
    (:class:`~artificer.search.processes.ProcessExecutor`); in this process only learners that watch their deadline can
    be stopped.

    Raises
    ------
    ConfigurationError
        Candidates that do not hold together, or folds that name rows the table does not have.
    TrainingError
        No rows.
    """
    started = request.clock.monotonic()
    data, objective = prepare(request)
    if request.candidates is None:
        candidates = portfolio(
            request.task,
            len(request.blocks),
            y=np.asarray(request.y, dtype=np.float64),
            shape=TableShape.of(request.blocks),
        )
        if request.monotone:
            candidates = tuple(c for c in candidates if obeys(c))
    else:
        candidates = constrained(checked(request.candidates, request.task), request)
    executor, request = equipped(request, data)
    notes: list[str] = []
    with executor.open(data) as session:
        session = resumed(session, request.checkpoint, data, notes)
        run = Run(request, candidates, data, objective, session, started)
        run.notes += notes
        run.baseline()
        run.sample_if_large()
        run.sample_if_short()
        run.search(first_model)
        return with_directions(finish(run), request)


def obeys(candidate: Candidate) -> bool:
    """Whether its algorithm obeys monotone constraints."""
    return algorithms()[candidate.algorithm].tags.monotone_constraints


def constrained(candidates: tuple[Candidate, ...], request: SearchRequest) -> tuple[Candidate, ...]:
    """The candidates, refused where one of them would not obey the request's constraints."""
    free = [c for c in candidates if request.monotone and not obeys(c)]
    if free:
        raise ConfigurationError(
            f"{free[0].name} obeys no monotone constraints, and {', '.join(request.monotone)} has one; "
            "search again, or leave it out"
        )
    return candidates


def with_directions(result: SearchResult, request: SearchRequest) -> SearchResult:
    """The result with the request's constraints in its recipe, so that repeating it keeps them."""
    if not request.monotone:
        return result
    return replace(result, recipe={**result.recipe, "monotone": dict(request.monotone)})


def refit(recipe: Json, request: SearchRequest) -> SearchResult:
    """Repeat a recipe on new data: the same candidates and weights, no search.

    Members that were averages of their folds' models are so again, or one fit on all rows where the budget is too
    short for all folds. Folds are run as far as the budget allows, for the rounds of boosting, honest scores and the
    calibration; without them the recipe's own rounds and calibration hold. ``request.candidates`` is not looked at.

    Raises
    ------
    ConfigurationError
        A recipe of another format or for another task.
    """
    from artificer.bundle.calibration import Calibration

    started = request.clock.monotonic()
    request = replace(request, monotone=request.monotone or recipe.get("monotone", {}))
    candidates, weights = read_recipe(recipe, request.task)
    candidates = constrained(candidates, request)
    forms = {m["name"]: m.get("form", "whole") for m in recipe["members"]}
    data, objective = prepare(request)
    executor, request = equipped(request, data)
    notes: list[str] = []
    with executor.open(data) as session:
        session = resumed(session, request.checkpoint, data, notes)
        run = Run(request, candidates, data, objective, session, started)
        run.notes += notes
        run.race.adaptive = False
        run.max_rows = recipe.get("max_rows")
        run.whole = {i for i, c in enumerate(candidates) if forms.get(c.name) == "whole"}
        run.baseline()
        run.sample_if_large()
        run.search()
        result = with_directions(finish(run, weights, recipe.get("pooling", "mean")), request)
    if len(result.oof_rows):
        return result
    known = Calibration.from_json(recipe["calibration"])
    if request.task.is_classification:
        return replace(result, calibration=known)
    return replace(result, calibration=replace(result.calibration, shifts=known.shifts))


def prepare(request: SearchRequest) -> tuple[TrainingData, Objective]:
    """Standardise a target of numbers and bring folds into shape."""
    n = len(request.blocks)
    if n == 0:
        raise TrainingError("there are no rows to train on; check the source and its filters")
    folds = tuple((np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)) for a, b in request.folds)
    for train, valid in folds:
        if len(train) and max(train.max(), valid.max(initial=0)) >= n:
            raise ConfigurationError(f"a fold names row {max(train.max(), valid.max())} of a table with {n} rows")
    folds = tuple((train, valid) for train, valid in folds if len(train) and len(valid))
    y = np.asarray(request.y, dtype=np.float64)
    weight = None if request.weight is None else request.weight / request.weight.mean()
    folds = tuple((a, b) for a, b in folds if weight is None or (weight[a].any() and weight[b].any()))
    if len(request.levels) != (request.n_classes if request.task is Task.QUANTILE else 0):
        raise ConfigurationError(f"a {request.task} task cannot have the levels {list(request.levels)}")
    objective = Objective(request.metric, request.task, levels=request.levels)
    if not request.task.is_classification:
        center = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - center) ** 2, weights=weight)))
        spread = spread if spread > 0 and np.isfinite(spread) else 1.0
        y = (y - center) / spread
        objective = Objective(request.metric, request.task, center, spread, request.levels)
    names: dict[Kind, Sequence[str]] = dict(request.names)
    taught = request.class_weights
    if taught is not None:
        taught = np.maximum(taught, taught.max() / MOST_CLASS_WEIGHT)
    data = TrainingData(request.blocks, y, request.task, request.n_classes, names, folds, weight, taught)
    directions = _directions(request)
    times = None if request.times is None else time_codes(request.times)
    data = replace(data, monotone=directions, levels=request.levels, groups=request.groups, times=times)
    return replace(data, center=objective.center, spread=objective.spread), objective


def _directions(request: SearchRequest) -> tuple[int, ...]:
    columns = list(request.names[Kind.NUMBERS])
    for name in request.monotone:
        if name not in columns:
            raise ConfigurationError(f'there is no column of numbers "{name}" to constrain{nearest(name, columns)}')
    if request.monotone and request.task in (Task.MULTICLASS, Task.QUANTILE):
        raise ConfigurationError("monotone constraints are for values and two classes; remove them")
    return tuple(request.monotone.get(name, 0) for name in columns) if request.monotone else ()


def equipped(request: SearchRequest, data: TrainingData) -> tuple[Executor, SearchRequest]:
    """Where the request's fits run, and on how many threads each.

    Fits of a small table run in this process, those of others in processes if the system can fork. Up to
    :data:`SIDE_BY_SIDE_ROWS` several fits run side by side on few threads each: a learner's threads wait for each other
    at every step of every tree, which on a busy or virtual machine takes longer than the step. Under a budget of fits
    they run one after the other, because the order in which they end must not matter.
    """
    executor, rows = request.executor, len(data.blocks)
    few = rows <= SIDE_BY_SIDE_ROWS
    if executor is None:
        cells = rows * max(1, sum(data.blocks.of(kind).shape[1] for kind in Kind)) * data.n_classes
        short = request.budget.seconds is None or request.budget.seconds < INLINE_SECONDS
        if (cells <= INLINE_CELLS and short) or not hasattr(os, "fork"):
            return InlineExecutor(request.clock), replace(request, threads=1 if few else request.threads)
        from artificer.search.processes import ProcessExecutor

        executor = ProcessExecutor()
    if executor.memory_mb is None:
        executor.memory_mb = request.memory_mb
    if executor.slots is not None or not few:
        return executor, request
    slots = min(request.threads, MAX_SLOTS)
    if request.budget.seconds is not None:
        executor.slots = slots
    return executor, replace(request, threads=max(1, request.threads // slots))


def read_recipe(recipe: Json, task: Task) -> tuple[tuple[Candidate, ...], dict[int, float]]:
    """Candidates of a recipe, the baseline first, and the members' weights by position."""
    if recipe.get("format") != RECIPE_FORMAT:
        raise ConfigurationError(
            f"the recipe has format {recipe.get('format')!r} where {RECIPE_FORMAT} is known; search again instead"
        )
    if recipe["task"] != task.value:
        raise ConfigurationError(f"the recipe is for {recipe['task']} and the table for {task.value}; search again")
    members = [
        Candidate(
            m["name"],
            m["algorithm"],
            with_rounds(m["params"], algorithms()[m["algorithm"]].defaults, m["rounds"])
            if m["algorithm"] in algorithms()
            else m["params"],
            m["representation"],
        )
        for m in recipe["members"]
    ]
    candidates = checked(tuple(members), task)
    by_name = {c.name: i for i, c in enumerate(candidates)}
    return candidates, {by_name[m["name"]]: float(m["weight"]) for m in recipe["members"]}
