"""Who races: the portfolio of all registered algorithms, each with the representation it declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from artificer.algorithms.base import Algorithm, algorithms
from artificer.errors import ConfigurationError, nearest
from artificer.search.priors import TableShape
from artificer.search.records import Candidate
from artificer.types import Doubles, Params, Task

SMALL_TABLE_ROWS = 600
"""Up to here one configuration of each algorithm runs: differences between more of them drown in noise."""

TINY_TABLE_ROWS = 500
"""Up to here only the cheapest learners of each family run as well, this many of them."""

TINY_TABLE_LEARNERS = {"boosting": 2, "forest": 1, "linear": 2, "neural": 1}

MODEST: Params = {"trees": 50, "max_rounds": 400, "rounds": 100, "patience": 20, "learning_rate": 0.1}
"""Hyperparameters of small tables, for algorithms that have them: more trees and slower steps would not be seen."""

BASELINE = Candidate("constant", "constant", {}, "none")
"""Predicts the same for every row. Always in the race and always first, so that a valid model exists at once."""


VARIED: dict[str, tuple[str, ...]] = {
    "lightgbm": ("pairs", "groups", "cross", "selected"),
    "catboost": ("pairs", "groups"),
}
"""Algorithms whose first configuration also races on generated or selected features. One learner shows what pays; a
second one of another kind makes a partner of it in the ensemble."""

MANY_COLUMNS = 30
"""From here on selection may have something to leave out."""


def portfolio(
    task: Task, rows: int, portable: bool = True, shape: TableShape | None = None, y: Doubles | None = None
) -> tuple[Candidate, ...]:
    """Candidates for a table, the baseline first, then each algorithm's configurations in its own order, then variants.

    An algorithm whose optional library is not installed is left out.

    Parameters
    ----------
    rows : training rows.
    portable : leave out what has no ONNX form.
    y : (n,) the target, in its own unit; configurations that it does not suit are left out.
    shape : what else is known of the table; without it there are no variants.

    Examples
    --------
    >>> portfolio(Task.BINARY, 10_000)[0].name
    'constant'
    """
    found = [BASELINE]
    for name, algorithm in algorithms().items():
        tags = algorithm.tags
        if tags.family == "constant" or task not in tags.tasks or (portable and not tags.portable):
            continue
        if algorithm.max_rows is not None and rows > algorithm.max_rows:
            continue
        if not algorithm.available():
            continue
        small = rows <= SMALL_TABLE_ROWS
        configurations = [modest(algorithm)] if small else [dict(params) for params in algorithm.portfolio]
        found += [
            Candidate(title(name, position), name, params, tags.representation)
            for position, params in enumerate(configurations)
            if y is None or algorithm(**params).suits(y)
        ]
    if rows <= TINY_TABLE_ROWS:
        return cheapest(found)
    return (*found, *variants(found, shape)) if shape is not None and rows > SMALL_TABLE_ROWS else tuple(found)


def variants(candidates: Sequence[Candidate], shape: TableShape) -> list[Candidate]:
    """The first configurations of strong algorithms with each modifier that suits the table."""
    suits = {
        "pairs": shape.numbers > 1,
        "groups": shape.numbers > 0 and shape.strings > 0,
        "cross": shape.strings > 1,
        "selected": shape.columns >= MANY_COLUMNS,
    }
    return [
        replace(candidate, name=f"{candidate.name}+{modifier}", representation=f"{candidate.representation}+{modifier}")
        for candidate in candidates
        if candidate.name == candidate.algorithm
        for modifier in VARIED.get(candidate.algorithm, ())
        if suits[modifier]
    ]


def modest(algorithm: type[Algorithm]) -> Params:
    """The first configuration of an algorithm's portfolio, with the work cut to what a small table can use."""
    params = dict(algorithm.portfolio[0])
    for key, value in MODEST.items():
        if key in algorithm.defaults:
            usual = params.get(key, algorithm.defaults[key])
            params[key] = max(usual, value) if key == "learning_rate" else min(usual, value)
    return params


def cheapest(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Drop the dearer candidates of families that have more than a tiny table needs; the order stays."""
    known = algorithms()
    cost = {c.name: known[c.algorithm](**c.params).seconds(TINY_TABLE_ROWS, 10, 2) for c in candidates}
    kept: set[str] = set()
    for family in {known[c.algorithm].tags.family for c in candidates}:
        relatives = sorted(
            (c for c in candidates if known[c.algorithm].tags.family == family), key=lambda c: cost[c.name]
        )
        kept.update(c.name for c in relatives[: TINY_TABLE_LEARNERS.get(family, len(relatives))])
    return tuple(c for c in candidates if c.name in kept)


def title(algorithm: str, position: int) -> str:
    """A name that is unique in the portfolio: the algorithm's, numbered from its second configuration on."""
    return algorithm if position == 0 else f"{algorithm}-{position + 1}"


def checked(candidates: tuple[Candidate, ...], task: Task) -> tuple[Candidate, ...]:
    """Candidates as a caller gave them, with the baseline put first.

    Raises
    ------
    ConfigurationError
        Two of one name, an algorithm that is not registered, one whose library is not installed, or one that cannot
        do the task.
    """
    known = algorithms()
    names: set[str] = set()
    for candidate in candidates:
        if candidate.name in names:
            raise ConfigurationError(f"two candidates are named {candidate.name!r}; give each a name of its own")
        names.add(candidate.name)
        if candidate.algorithm not in known:
            hint = nearest(candidate.algorithm, known)
            raise ConfigurationError(
                f"candidate {candidate.name!r} wants the algorithm {candidate.algorithm!r}, "
                f"which is not registered{hint}"
            )
        if absent := known[candidate.algorithm].absent():
            install = known[candidate.algorithm].install or absent[0]
            raise ConfigurationError(
                f"candidate {candidate.name!r}: {candidate.algorithm} needs {', '.join(absent)}, which is not "
                f"installed; run pip install '{install}'"
            )
        if task not in known[candidate.algorithm].tags.tasks:
            raise ConfigurationError(
                f"candidate {candidate.name!r}: {candidate.algorithm} cannot do the task {task.value}; leave it out"
            )
    rest = tuple(c for c in candidates if c.algorithm != BASELINE.algorithm)
    return (BASELINE, *rest)
