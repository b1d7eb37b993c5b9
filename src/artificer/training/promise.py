"""What a finished search lets its model promise: intervals or sets from the rows its members had not seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation.conformal import fit_conformal
from artificer.search.records import SearchResult
from artificer.types import Doubles, Floats, Json, Task


def promised(
    found: SearchResult,
    y: NDArray[np.generic],
    task: Task,
    of_one_row: Callable[[], Floats],
    *,
    weight: Doubles | None,
    ordered: bool,
    seed: int,
) -> Json:
    """The entry of a bundle's metrics, empty where nothing was validated.

    Parameters
    ----------
    y, weight : (n,) of the rows of the search.
    of_one_row : gives the deployed model's scores (1, c) of any row; asked where they are the same for all.
    ordered : whether each row was predicted by models of older rows.
    """
    rows, scores = found.oof_rows, found.oof_scores
    if not len(rows):
        return {}
    if is_constant(found):
        # The folds' constants differ a little, and a threshold between them would leave out what it was found on.
        scores = np.repeat(of_one_row(), len(rows), axis=0)
    record = fit_conformal(
        y[rows], scores, task, weight=None if weight is None else weight[rows], ordered=ordered, seed=seed
    )
    return {} if record is None else {"conformal": record.to_json()}


def is_constant(found: SearchResult) -> bool:
    """Whether the model says the same of every row."""
    return all(member.candidate.algorithm == "constant" for member in found.members)
