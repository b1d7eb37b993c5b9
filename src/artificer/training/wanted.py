"""What the problem asks of the search, in the table's own terms: metric, weights, directions, bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artificer.errors import ConfigurationError, nearest
from artificer.metrics.base import Metric, default_metric, metric, metrics
from artificer.problem.model import Problem
from artificer.search.records import balanced
from artificer.types import Doubles, Ints, Kind, Task

if TYPE_CHECKING:
    from artificer.tables.prepare import Prepared

SLOWEST = 3.0
"""How many times the median the slowest of a hundred rows takes on a machine that does other things too."""


def chosen_metric(problem: Problem, prepared: Prepared) -> Metric:
    """The metric that is optimised, told which class counts as positive."""
    contract = prepared.contract
    positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
    name = problem.training.metric
    if name is None:
        return default_metric(contract.task, positive, contract.levels)
    found = metric(name, positive, contract.levels)
    if contract.task not in found.tasks:
        raise ConfigurationError(
            f"{name} does not measure a {contract.task} task, which {contract.target} is; use one of "
            + ", ".join(metrics(contract.task))
        )
    return found


def class_weights(problem: Problem, prepared: Prepared, rows: Ints) -> Doubles | None:
    """Weight of each class in learning (c,), None where all count alike.

    Raises
    ------
    ConfigurationError
        The target has no classes, or none of the name that a weight is given for.
    """
    wanted, classes = problem.training.class_weights, prepared.contract.classes
    if wanted is None:
        return None
    if not classes:
        raise ConfigurationError(
            f"training.class_weights are for classes, and {prepared.contract.target} holds values; remove them"
        )
    y = prepared.y[rows].astype(np.int64)
    if wanted == "balanced":
        weight = None if prepared.weight is None else prepared.weight[rows]
        return balanced(y, len(classes), weight)
    unknown = [name for name in wanted if name not in classes]
    if unknown:
        hint = nearest(unknown[0], classes) or "; its classes are " + ", ".join(classes[:8])
        raise ConfigurationError(
            f'training.class_weights names "{unknown[0]}", which is no class of {prepared.contract.target}{hint}'
        )
    found = np.array([wanted.get(name, 1.0) for name in classes])
    if not found[np.unique(y)].any():
        raise ConfigurationError("training.class_weights leaves every class without weight; give one more than zero")
    return found


def directions(problem: Problem, prepared: Prepared) -> dict[str, int]:
    """1 for columns with which the scores may only rise, -1 for those with which they may only fall.

    Raises
    ------
    ConfigurationError
        A column is absent or holds no numbers, or the target has more than two classes.
    """
    wanted, contract = problem.data.monotone or {}, prepared.contract
    if wanted and contract.task is Task.MULTICLASS:
        raise ConfigurationError(
            f"data.monotone is for values and two classes, and {contract.target} has {len(contract.classes)}; remove it"
        )
    numbers = contract.names(Kind.NUMBERS)
    for name in wanted:
        if name in numbers:
            continue
        column = next((c for c in contract.columns if c.name == name), None)
        if column is None:
            hint = nearest(name, numbers) or "; the columns of numbers are " + ", ".join(numbers[:8])
            raise ConfigurationError(f'data.monotone names "{name}", and there is no such column{hint}')
        raise ConfigurationError(
            f'data.monotone names "{name}", which feeds the model no numbers ({column.role}: {column.reason}); '
            "remove it there"
        )
    # Learners constrain the second class, whichever counts as positive.
    sign = -1 if contract.classes and contract.classes[0] == contract.positive else 1
    return {name: sign if direction == "increasing" else -sign for name, direction in wanted.items()}


def model_bound(problem: Problem, name: str) -> float | None:
    bounds = [r.bound for r in problem.requirements if r.name == name and r.op.startswith("<")]
    return min(bounds) if bounds else None


def row_ms(problem: Problem) -> float | None:
    """What half of the single rows may take; the slowest of a hundred take a multiple of it."""
    slowest = model_bound(problem, "latency_p99_ms")
    bounds = [model_bound(problem, "latency_p50_ms"), None if slowest is None else slowest / SLOWEST]
    return min((bound for bound in bounds if bound is not None), default=None)
