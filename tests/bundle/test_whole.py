"""The whole street of the deployed graph: real encoders, real learners, assembled, packed, loaded, asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artificer.algorithms.base import FitContext, Fitted, algorithms
from artificer.bundle.assemble import MemberGraph, assemble
from artificer.bundle.calibration import Calibration
from artificer.bundle.format import load_bundle, write_bundle
from artificer.bundle.model import Bundle
from artificer.features.representation import Representation, plan, target_columns
from artificer.graph import Graph
from artificer.tables.contract import ColumnSpec, Contract
from artificer.testing.bundles import CREATED, a_content
from artificer.types import FLOAT32_MAX, MISSING_TIME, Blocks, Doubles, Kind, Role, Task

LEARNERS = ("lightgbm", "extra_trees", "logistic", "constant")
CALIBRATION = Calibration.platt(1.3, 0.2)


def a_table(n: int, seed: int) -> tuple[Blocks, Doubles]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 4)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    sizes = (2, 5, 40, 300)
    strings = np.column_stack([rng.integers(0, size, n).astype(str).astype(object) for size in sizes])
    strings[rng.random(strings.shape) < 0.1] = ""
    times = 1_700_000_000 + rng.integers(0, 30_000_000, (n, 1))
    y = (np.nan_to_num(numbers[:, 0]) + (strings[:, 1] == "1") + rng.normal(size=n) > 0.5).astype(np.float64)
    return Blocks(numbers, strings, times), y


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[tuple[Representation, Fitted]]]:
    blocks, y = a_table(1500, 0)
    columns = [ColumnSpec(f"n{i}", Role.NUMERIC, "numbers", "Float32") for i in range(4)]
    columns += [ColumnSpec(f"s{i}", Role.CATEGORICAL, "texts", "String") for i in range(4)]
    columns += [ColumnSpec("t", Role.DATETIME, "times", "Datetime")]
    contract = Contract(tuple(columns), "y", Task.BINARY, ("0", "1"), "1", "int")
    names = {kind: contract.names(kind) for kind in Kind}
    parts: list[tuple[Representation, Fitted]] = []
    members = []
    made: dict[str, tuple[Representation, Any]] = {}
    for name in LEARNERS:
        kind = algorithms()[name].tags.representation
        if kind not in made:
            spec = plan(kind, blocks, names, Task.BINARY, 2)
            representation = Representation(spec)
            features = representation.fit_transform(blocks, target_columns(y, Task.BINARY, 2), names, 0)
            made[kind] = representation, features
        representation, features = made[kind]
        fitted = algorithms()[name]().fit(features, y, FitContext(Task.BINARY, 2))
        graph = Graph()
        block = graph.input("features", "float32", features.shape[1])
        graph.output("scores", fitted.emit(graph, block), "float32", 2)
        members.append(MemberGraph(representation.fragment(), kind, graph.fragment(), len(members) + 1.0))
        parts.append((representation, fitted))
    path: Path = tmp_path_factory.mktemp("whole") / "whole.artificer"
    content = replace(a_content(), contract=contract, model=assemble(members, CALIBRATION, contract))
    write_bundle(path, content, CREATED)
    return load_bundle(path), parts


def test_graph_answers_as_the_python_parts_do(whole: tuple[Bundle, list[tuple[Representation, Fitted]]]) -> None:
    bundle, parts = whole
    blocks, _ = a_table(500, 1)
    blocks.numbers[:4, 0] = [np.nan, FLOAT32_MAX, -FLOAT32_MAX, 0.0]
    blocks.strings[:3, 2] = ["", "never seen", "ü" * 300]
    blocks.times[:3, 0] = [MISSING_TIME, 0, -62_135_596_800]
    scores = [fitted.predict(representation.transform(blocks)) for representation, fitted in parts]
    expected = CALIBRATION.apply(np.average(scores, axis=0, weights=np.arange(1, len(parts) + 1)))
    np.testing.assert_allclose(bundle.predict_blocks(blocks), expected, atol=2e-5)
