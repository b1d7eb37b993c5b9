"""A small bundle of hand-written graph pieces: for tests that need a real one without training anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from artificer.bundle.assemble import MemberGraph, assemble
from artificer.bundle.calibration import Calibration
from artificer.bundle.format import BundleContent, write_bundle
from artificer.graph import Fragment, Graph
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Role, Task

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_contract(task: Task = Task.BINARY, classes: tuple[str, ...] = ("0", "1")) -> Contract:
    """Five columns, one of each role that is used and an id; the target is ``bought``."""
    columns = (
        ColumnSpec("age", Role.NUMERIC, "whole numbers", "Int64"),
        ColumnSpec("city", Role.CATEGORICAL, "few texts", "String"),
        ColumnSpec("member", Role.BOOLEAN, "two values", "Boolean"),
        ColumnSpec("seen", Role.DATETIME, "times", "Datetime"),
        ColumnSpec("code", Role.ID, "all different", "String"),
    )
    if task is Task.REGRESSION:
        return Contract(columns, "bought", task)
    return Contract(columns, "bought", task, classes, classes[-1], "int")


def numbers_representation() -> Fragment:
    """Age and membership, zero where missing."""
    graph = Graph()
    block = graph.input("numbers", "float32", 2)
    missing = graph.op("IsNaN", block)
    zero = graph.constant(np.zeros(1, dtype=np.float32))
    graph.output("features", graph.op("Where", missing, zero, block), "float32", 2)
    return graph.fragment()


def everything_representation() -> Fragment:
    """Age and membership, the city as a code, and the moment's sign."""
    graph = Graph()
    numbers = graph.input("numbers", "float32", 2)
    strings = graph.input("strings", "string", 1)
    times = graph.input("times", "int64", 1)
    code = graph.op(
        "LabelEncoder",
        strings,
        domain="ai.onnx.ml",
        keys_strings=["Rome", "Oslo"],
        values_floats=[1.0, 2.0],
        default_float=0.0,
    )
    sign = graph.op("Sign", graph.cast(times, "float32"))
    clean = graph.op("Where", graph.op("IsNaN", numbers), graph.constant(np.zeros(1, dtype=np.float32)), numbers)
    graph.output("features", graph.concat([clean, code, sign]), "float32", 4)
    return graph.fragment()


def logistic(weights: list[float], classes: int = 2) -> Fragment:
    """Softmax of a linear form; one class column more than given is zero."""
    graph = Graph()
    features = graph.input("features", "float32", len(weights))
    table = np.zeros((len(weights), classes), dtype=np.float32)
    table[:, -1] = weights
    graph.output(
        "scores", graph.op("Softmax", graph.op("MatMul", features, graph.constant(table)), axis=1), "float32", classes
    )
    return graph.fragment()


def linear(weights: list[float]) -> Fragment:
    """A linear form, for regression."""
    graph = Graph()
    features = graph.input("features", "float32", len(weights))
    table = np.array(weights, dtype=np.float32).reshape(-1, 1)
    graph.output("scores", graph.op("MatMul", features, graph.constant(table)), "float32", 1)
    return graph.fragment()


def constant_model(values: list[float]) -> Fragment:
    """Answers every row alike; of the features only the number of rows is read."""
    graph = Graph()
    features = graph.input("features", "float32", None)
    rows = graph.op("Shape", features, start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant(np.array([len(values)], dtype=np.int64)), axis=0)
    row = graph.constant(np.array([values], dtype=np.float32))
    graph.output("scores", graph.op("Expand", row, shape), "float32", len(values))
    return graph.fragment()


def an_ensemble() -> list[MemberGraph]:
    """Three members over two representations."""
    return [
        MemberGraph(everything_representation(), "all", logistic([0.02, 0.5, -0.3, 0.1]), 2.0),
        MemberGraph(everything_representation(), "all", logistic([0.01, -0.2, 0.3, 0.0]), 1.0),
        MemberGraph(numbers_representation(), "numbers", logistic([0.03, 0.1]), 1.0),
    ]


def a_content(name: str = "shop") -> BundleContent:
    """The content of a binary classifier's bundle."""
    contract = a_contract()
    return BundleContent(
        name=name,
        model=assemble(an_ensemble(), Calibration.platt(1.2, -0.1), contract),
        contract=contract,
        reference={"rows": 10, "columns": {"age": {"edges": [1.0, 2.0]}}},
        metrics={"roc_auc": {"value": 0.9, "interval": [0.8, 0.95]}},
        recipe={"members": [{"algorithm": "logistic", "weight": 0.5}]},
        lineage={"data": "abc"},
    )


def a_bundle(path: Path, name: str = "shop") -> str:
    """Write a small bundle to `path` and return its SHA-256."""
    return write_bundle(path, a_content(name), CREATED)
