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


def test_fragments_that_are_inlined_share_constants_and_nodes() -> None:
    def fragment(shift: float):
        part = Graph()
        x = part.input("x", "float32", 2)
        doubled = part.op("Mul", x, part.constant(np.float32([2.0])))
        part.output("y", part.op("Add", doubled, part.constant(np.float32([shift]))), "float32", 2)
        return part.fragment()

    graph = Graph()
    x = graph.input("x", "float32", 2)
    parts = [graph.inline(fragment(shift), {"x": x})[0] for shift in (1.0, 3.0, 1.0)]
    assert parts[0] == parts[2] != parts[1]
    assert [node.op_type for node in graph.nodes] == ["Mul", "Add", "Add"]
    assert len(graph.initializers) == 3
    graph.output("y", graph.op("Sum", *parts), "float32", 2)
    session = onnxruntime.InferenceSession(graph.fragment().model)
    assert session.run(None, {"x": np.float32([[1, 2]])})[0].tolist() == [[11, 17]]


def test_a_fragment_that_hands_its_input_on_adds_nothing() -> None:
    part = Graph()
    part.output("y", part.input("x", "float32", 1), "float32", 1)
    graph = Graph()
    x = graph.input("values", "float32", 1)
    assert graph.inline(part.fragment(), {"x": x}) == (x,)
    assert not graph.nodes
