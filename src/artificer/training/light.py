"""One light learner on single folds: what a question about the data costs that a search would be too dear for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from artificer.search.records import Candidate, SearchRequest
from artificer.splits.split import Split

LEARNER = "lightgbm"


def light_losses(
    search: SearchRequest,
    folds: Sequence[tuple[Split, bool]],
    *,
    goes_on: Callable[[int], bool],
    soft_seconds: float,
) -> list[float]:
    """Losses of the light learner on folds, each with whether its rows were dealt at random; in order, until it fails.

    Parameters
    ----------
    goes_on : told how many folds are done; False ends it.
    soft_seconds : after so long a fit is asked to end.
    """
    from artificer.search.executor import InlineSession
    from artificer.search.libraries import load
    from artificer.search.run import plans
    from artificer.search.search import prepare
    from artificer.search.tasks import FitTask

    candidate = _light()
    data, objective = prepare(replace(search, folds=[fold for fold, _ in folds]))
    if len(data.folds) != len(folds):
        return []
    session = InlineSession(data, search.clock)
    representation = plans([candidate], data)[candidate.representation]
    load(candidate.algorithm)
    losses: list[float] = []
    for number, (_, at_random) in enumerate(folds):
        if not goes_on(number):
            break
        task = FitTask(
            id=number,
            candidate=candidate.name,
            algorithm=candidate.algorithm,
            params=candidate.params,
            representation=representation,
            fold=number,
            seed=search.seed,
            threads=1,  # a second one waits for the first at every step
            apart=search.grouped and not at_random,
            at_random=at_random,
            soft_seconds=soft_seconds,
        )
        outcome = session.submit(task).result()
        if outcome.scores is None:
            break
        valid = data.folds[number][1]
        losses.append(objective.loss(data.y[valid], outcome.scores, data.weight_of(valid)))
    session.close()
    return losses


def _light() -> Candidate:
    from artificer.algorithms.base import algorithms
    from artificer.search.candidates import modest

    algorithm = algorithms()[LEARNER]
    return Candidate(LEARNER, LEARNER, modest(algorithm), algorithm.tags.representation)
