import contextlib
import re

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from artificer.bundle.audit import DOMAINS, RUNS, audit_graph
from artificer.bundle.wire import WireError, fields, varint
from artificer.errors import BundleDamagedError
from artificer.graph.builder import ML_OPSET, OPSET
from artificer.testing.bundles import a_content


@pytest.fixture(scope="module")
def graph() -> bytes:
    return a_content().model


def changed(data: bytes, change: object) -> bytes:
    model = onnx.load_model_from_string(data)
    change(model)  # type: ignore[operator]
    return bytes(model.SerializeToString())


def add_if(model: onnx.ModelProto) -> None:
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))


def add_subgraph_to_allowed_operator(model: onnx.ModelProto) -> None:
    attribute = helper.make_attribute("body", helper.make_graph([], "b", [], []))
    model.graph.node[0].attribute.append(attribute)


def add_external_tensor(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.initializer.append(tensor)


def add_external_tensor_in_attribute(model: onnx.ModelProto) -> None:
    tensor = TensorProto(data_type=1, data_location=TensorProto.EXTERNAL)
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def add_function(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [], []))


REFUSED = {
    "a branch": (add_if, "subgraph|'If'"),
    "a subgraph in an allowed operator": (add_subgraph_to_allowed_operator, "subgraph"),
    "a tensor elsewhere": (add_external_tensor, "another file"),
    "a tensor elsewhere, in an attribute": (add_external_tensor_in_attribute, "another file"),
    "a function": (add_function, "functions of its own"),
    "training steps": (lambda m: m.training_info.add(), "training steps"),
    "sparse tensors": (lambda m: m.graph.sparse_initializer.add(), "sparse"),
    "a foreign domain": (
        lambda m: m.graph.node.append(helper.make_node("Add", ["x"], ["y"], domain="com.microsoft")),
        "domain 'com.microsoft'",
    ),
    "a foreign operator set": (
        lambda m: m.opset_import.append(helper.make_opsetid("com.acme", 1)),
        "operator set 'com.acme'",
    ),
    "a newer operator set": (lambda m: setattr(m.opset_import[0], "version", 99), "version 99"),
    "a random operator": (
        lambda m: m.graph.node.append(helper.make_node("RandomNormal", [], ["r"], shape=[1])),
        "RandomNormal",
    ),
    "an input that is a sequence": (
        lambda m: m.graph.input.append(helper.make_tensor_sequence_value_info("s", 1, None)),
        "not a tensor",
    ),
    "an input of doubles": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("d", TensorProto.DOUBLE, ["n", 1])),
        "element type 11",
    ),
    "an input without columns": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("d", TensorProto.FLOAT, ["n"])),
        "rows and columns",
    ),
    "an unknown field": (lambda m: m.ParseFromString(m.SerializeToString() + b"\xf2\x3f\x01x"), "unknown part"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(graph: bytes, case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(BundleDamagedError, match=message):
        audit_graph(changed(graph, change))


def test_sees_what_onnx_sees(graph: bytes) -> None:
    facts, model = audit_graph(graph), onnx.load_model_from_string(graph)
    assert [e.name for e in facts.inputs] == [i.name for i in model.graph.input]
    assert [e.columns for e in facts.inputs] == [i.type.tensor_type.shape.dim[1].dim_value for i in model.graph.input]
    assert facts.nodes == len(model.graph.node)
    assert facts.metadata == {p.key: p.value for p in model.metadata_props}


def test_allows_the_operator_sets_the_writer_uses() -> None:
    assert DOMAINS == {"": OPSET, "ai.onnx.ml": ML_OPSET}


def test_steps_over_a_large_tree_ensemble_quickly(graph: bytes) -> None:
    n = 200_000
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["t"],
        domain="ai.onnx.ml",
        nodes_values=np.random.default_rng(0).normal(size=n).tolist(),
        nodes_treeids=list(range(-n // 2, n // 2)),
        nodes_modes=["BRANCH_LEQ", "LEAF"] * n,
    )
    data = changed(graph, lambda m: m.graph.node.append(tree))
    for pattern in RUNS.values():
        assert max(len(run) for run in re.findall(pattern, data)) > n  # the numbers do lie in one run
    assert audit_graph(data).nodes == audit_graph(graph).nodes + 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_ends_in_another_error(graph: bytes, data: st.DataObject) -> None:
    damaged = bytearray(graph)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    with contextlib.suppress(BundleDamagedError):
        assert audit_graph(bytes(damaged)).nodes >= 0


@given(st.binary(max_size=60))
def test_walker_ends_on_any_bytes(data: bytes) -> None:
    end = 0
    try:
        for _, _, _, stop in fields(data, 0, len(data)):
            assert stop > end
            end = stop
    except WireError:
        return
    assert end == len(data)


def test_varints() -> None:
    assert varint(b"\xac\x02", 0, 2) == (300, 2)
    for broken in (b"", b"\x80", b"\xff" * 11):
        with pytest.raises(WireError):
            varint(broken, 0, len(broken))
