"""The request of a run that is killed: the same in the process that dies and in the one that takes it up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from artificer.metrics.base import metric
from artificer.search.records import Budget, Candidate, SearchRequest
from artificer.splits.split import folds
from artificer.types import Blocks, Kind, Task


def request(checkpoint: Path | None) -> SearchRequest:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=(240, 3)).astype(np.float32)
    y = 3 * numbers[:, 0] + rng.normal(size=240)
    empty = np.empty((240, 0), dtype=object)
    blocks = Blocks(numbers, empty, np.empty((240, 0), dtype=np.int64))
    return SearchRequest(
        blocks=blocks,
        y=y,
        task=Task.REGRESSION,
        n_classes=1,
        names={Kind.NUMBERS: ["a", "b", "c"], Kind.STRINGS: [], Kind.TIMES: []},
        folds=folds(240, Task.REGRESSION, y, 4, 0),
        metric=metric("rmse"),
        candidates=tuple(Candidate(f"ridge-{i}", "ridge", {"alpha": 10.0**i}, "linear") for i in range(3)),
        budget=Budget(fits=12),
        threads=1,
        checkpoint=checkpoint,
    )
