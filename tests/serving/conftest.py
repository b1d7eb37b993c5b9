"""Real bundles around graphs of one line, promoted by hand: a version's answer tells which version gave it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from artificer.bundle.conformal import Conformal
from artificer.bundle.format import BundleContent, write_bundle
from artificer.bundle.pointer import Pointer, write_pointer
from artificer.graph import Graph
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Role, Task

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS = (
    ColumnSpec("age", Role.NUMERIC, "whole numbers", "Int64", nullable=False, low=0, high=100),
    ColumnSpec("city", Role.CATEGORICAL, "few texts", "String", categories=("Rome", "Oslo")),
    ColumnSpec("member", Role.BOOLEAN, "two values", "Boolean"),
    ColumnSpec("seen", Role.DATETIME, "times", "Datetime", low=0, high=1e9),
    ColumnSpec("code", Role.ID, "all different", "String"),
)


def contract(task: Task = Task.BINARY) -> Contract:
    if task is Task.REGRESSION:
        return Contract(COLUMNS, "bought", task)
    return Contract(COLUMNS, "bought", task, ("0", "1"), "1", "int")


def graph(version: int, task: Task) -> bytes:
    """Score 1 / (1 + version) for class 1 of every row, or age + version: nobody can take one version for another."""
    made = Graph()
    numbers = made.input("numbers", "float32", 2)
    age = made.columns(numbers, [0], 2)
    if task is Task.REGRESSION:
        scores = made.op("Add", age, made.constant(np.full((1, 1), version, dtype=np.float32)))
        made.output("scores", scores, "float32", 1)
    else:
        zero = made.op("Mul", age, made.constant(np.zeros((1, 2), dtype=np.float32)))
        p = 1 / (1 + version)
        scores = made.op("Add", zero, made.constant(np.array([[1 - p, p]], dtype=np.float32)))
        made.output("scores", scores, "float32", 2)
    return made.model().SerializeToString()


PROMISES = {
    Task.REGRESSION: Conformal(
        Task.REGRESSION, 12, False, False, (0.8, 0.9, 0.95), (50.0,), ((1.0, 2.0), (3.0, 4.0), (None, None))
    ),
    Task.BINARY: Conformal(Task.BINARY, 12, False, False, (0.8, 0.9, 0.95), (), ((0.5,), (0.2,), (None,))),
}
"""Made up: an interval of 1 or 2 around the value, wider above 50; a set of one class or both."""


def write(folder: Path, version: int = 1, task: Task = Task.BINARY, *, promises: bool = True) -> Path:
    """Write the bundle of a version below `folder` and point at it; gives the pointer's path."""
    (folder / "bundles").mkdir(exist_ok=True)
    name = f"shop-{version}-{task}.artificer"
    metrics = {"roc_auc": 0.9, **({"conformal": PROMISES[task].to_json()} if promises else {})}
    content = BundleContent("shop", graph(version, task), contract(task), {}, metrics, {}, {"data": "made up"})
    sha256 = write_bundle(folder / "bundles" / name, content, CREATED)
    pointer = folder / "champion.json"
    write_pointer(pointer, Pointer("shop", version, f"bundles/{name}", sha256, CREATED))
    return pointer


@pytest.fixture
def promote(tmp_path: Path) -> Callable[..., Path]:
    """Promotes a version in the test's own folder."""
    return partial(write, tmp_path)
