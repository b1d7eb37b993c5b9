"""Equal nodes are written once."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.graph import Graph

onnxruntime = pytest.importorskip("onnxruntime")


def test_equal_nodes_are_written_once_and_different_ones_are_not() -> None:
    graph = Graph()
    x = graph.input("x", "float32", 2)
    one = graph.constant(np.float32([1.0]))
    first, again = graph.op("Add", x, one), graph.op("Add", x, one)
    other_input = graph.op("Add", first, one)
    left, right = graph.op("Concat", x, first, axis=1), graph.op("Concat", x, first, axis=0)
    assert first == again
    assert len({first, other_input, left, right}) == 4
    assert [node.op_type for node in graph.nodes] == ["Add", "Add", "Concat", "Concat"]


def test_nodes_with_several_outputs_are_shared_only_at_equal_counts() -> None:
    graph = Graph()
    x = graph.input("x", "float32", 4)
    two = graph.ops("Split", x, outputs=2, axis=1, num_outputs=2)
    assert graph.ops("Split", x, outputs=2, axis=1, num_outputs=2) == two
    assert graph.ops("Split", x, outputs=4, axis=1, num_outputs=4) != two
    graph.output("y", graph.op("Sub", two[1], two[0]), "float32", 2)
    session = onnxruntime.InferenceSession(graph.fragment().model)
    assert session.run(None, {"x": np.float32([[1, 2, 5, 7]])})[0].tolist() == [[4, 5]]
