"""Who races: the portfolio of all registered algorithms, each with the representation it declares."""

from __future__ import annotations

from artificer.algorithms.base import algorithms
from artificer.errors import ConfigurationError, nearest
from artificer.search.records import Candidate
from artificer.types import Params, Task

SMALL_TABLE_ROWS = 1500
"""Up to here one configuration of each algorithm runs: differences between more of them drown in noise."""

BASELINE = Candidate("constant", "constant", {}, "none")
"""Predicts the same for every row. Always in the race and always first, so that a valid model exists at once."""


def portfolio(task: Task, rows: int, portable: bool = True) -> tuple[Candidate, ...]:
    """Candidates for a table, the baseline first, then each algorithm's configurations in its own order.

    Parameters
    ----------
    rows : training rows.
    portable : leave out what has no ONNX form.

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
        configurations = algorithm.portfolio[:1] if rows <= SMALL_TABLE_ROWS else algorithm.portfolio
        found += [
            Candidate(title(name, params, position), name, dict(params), tags.representation)
            for position, params in enumerate(configurations)
        ]
    return tuple(found)


def title(algorithm: str, params: Params, position: int) -> str:
    """A name that is unique in the portfolio: the algorithm's, numbered from its second configuration on."""
    return algorithm if position == 0 else f"{algorithm}-{position + 1}"


def checked(candidates: tuple[Candidate, ...], task: Task) -> tuple[Candidate, ...]:
    """Candidates as a caller gave them, with the baseline put first.

    Raises
    ------
    ConfigurationError
        Two of one name, an algorithm that is not registered, or one that cannot do the task.
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
        if task not in known[candidate.algorithm].tags.tasks:
            raise ConfigurationError(
                f"candidate {candidate.name!r}: {candidate.algorithm} cannot do the task {task.value}; leave it out"
            )
    rest = tuple(c for c in candidates if c.algorithm != BASELINE.algorithm)
    return (BASELINE, *rest)
