"""One encoder for all folds' models of a member, fitted on all rows, in place of one for each.

Averages of the target over a category differ from fold to fold only by which rows they were taken over. Models of all
folds can read those of all rows, which are the surest; so a row is encoded once, however many models look at it.
Encoders whose features are chosen by the rows they see (representations with modifiers) stay with their folds, and so
do all where folds are groups: what was learnt of some groups has to serve others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from artificer.graph import Fragment
from artificer.search.frontier import shares_encoders
from artificer.search.run import Run
from artificer.search.tasks import FitOutcome, encode, rows_of

FEWEST_PARTS = 2


def shared_encoders(run: Run, parts: Iterable[FitOutcome]) -> Mapping[str, Fragment]:
    """Encoders fitted on all rows, by representation: those that several folds' models read and there is time for."""
    by_key: dict[str, list[FitOutcome]] = {}
    for part in parts:
        if part.task.fold is not None and shares_encoders(part.task):
            by_key.setdefault(part.task.representation_key, []).append(part)
    found = {}
    for key, users in by_key.items():
        task = replace(users[0].task, fold=None)
        train, valid = rows_of(task, run.data)
        if len(users) < FEWEST_PARTS or run.costs.encode(task.representation.name, len(train)) > run.left:
            continue
        encoded = encode(task, run.data, train, valid, run.clock)
        if encoded.fragment is not None and all(encoded.train.shape[1] == user.features for user in users):
            found[key] = encoded.fragment
    return found
