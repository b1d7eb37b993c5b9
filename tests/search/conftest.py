"""Small tables, and learners that misbehave."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artificer.metrics.base import metric
from artificer.search.records import Budget, Candidate, SearchRequest
from artificer.splits.split import folds
from artificer.types import Blocks, Kind, Task

sys.path.insert(0, str(Path(__file__).parent))

from search_fakes import registered


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Candidate]]:
    """Registers the fake learners, also in workers; makes a candidate of one."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = iter(range(1000))

    def candidate(algorithm: str, name: str | None = None, **params: Any) -> Candidate:
        return Candidate(name or f"{algorithm}-{next(made)}", f"fake_{algorithm}", params, "linear")

    with registered():
        yield candidate


@pytest.fixture
def request_of() -> Callable[..., SearchRequest]:
    """A request over a generated table: two numbers that matter, one that does not, a category, a date."""

    def make(task: Task = Task.BINARY, n: int = 300, k: int = 3, metric_name: str | None = None, **changes: Any) -> Any:
        rng = np.random.default_rng(7)
        numbers = rng.normal(size=(n, 3)).astype(np.float32)
        strings = rng.choice(np.array(["red", "green", "blue"], dtype=object), size=(n, 1))
        times = rng.integers(1_600_000_000, 1_700_000_000, size=(n, 1))
        z = 2 * numbers[:, 0] - numbers[:, 1] + (strings[:, 0] == "red") + rng.normal(size=n)
        y: Any = 1000 + 50 * z
        n_classes = 1
        if task is Task.BINARY:
            y, n_classes = (z > 0).astype(np.int64), 2
        elif task is Task.MULTICLASS:
            y, n_classes = np.digitize(z, [-1, 1]).astype(np.int64), 3
        names = {Kind.NUMBERS: ["a", "b", "c"], Kind.STRINGS: ["colour"], Kind.TIMES: ["when"]}
        default = {Task.BINARY: "roc_auc", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}[task]
        given = {
            "blocks": Blocks(numbers, strings, times),
            "y": y,
            "task": task,
            "n_classes": n_classes,
            "names": names,
            "folds": folds(n, task, y, k, 0) if k else (),
            "metric": metric(metric_name or default),
            "budget": Budget(fits=60),
            "threads": 1,
        }
        return SearchRequest(**{**given, **changes})

    return make
