from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from artificer.bundle.assemble import MemberGraph, assemble
from artificer.bundle.audit import audit_graph
from artificer.bundle.calibration import Calibration
from artificer.errors import TrainingError
from artificer.graph import Fragment, Graph
from artificer.tables.contract import Contract
from artificer.testing.bundles import (
    a_contract,
    an_ensemble,
    constant_model,
    everything_representation,
    linear,
    logistic,
    numbers_representation,
)
from artificer.types import MISSING_TIME, Task

NUMBERS = np.array([[30, 1], [np.nan, 0], [1e30, np.nan]], dtype=np.float32)
STRINGS = np.array([["Rome"], [""], ["Atlantis"]], dtype=object)
TIMES = np.array([[1_700_000_000], [MISSING_TIME], [0]], dtype=np.int64)
EVERYTHING = {"numbers": NUMBERS, "strings": STRINGS, "times": TIMES}


def run(model: bytes, feed: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model)
    return session.run(["scores"], {i.name: feed[i.name] for i in session.get_inputs()})[0]


def alone(member: MemberGraph, contract: Contract) -> np.ndarray:
    return run(assemble([member], Calibration(), contract), EVERYTHING)


def operators(model: bytes) -> list[str]:
    import onnx

    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


def test_scores_are_the_weighted_average_then_calibrated() -> None:
    contract, members = a_contract(), an_ensemble()
    calibration = Calibration.platt(1.2, -0.1)
    average = np.average([alone(m, contract) for m in members], axis=0, weights=[m.weight for m in members])
    scores = run(assemble(members, calibration, contract), EVERYTHING)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, calibration.apply(average), atol=1e-6)


def test_equal_representations_are_written_once() -> None:
    members = an_ensemble()
    model = assemble(members, Calibration(), a_contract())
    assert operators(model).count("LabelEncoder") == 1


def test_only_used_blocks_are_inputs() -> None:
    member = MemberGraph(numbers_representation(), "numbers", logistic([0.1, 0.2]))
    facts = audit_graph(assemble([member], Calibration(), a_contract()))
    assert [edge.name for edge in facts.inputs] == ["numbers"]
    facts = audit_graph(assemble(an_ensemble(), Calibration(), a_contract()))
    assert [edge.name for edge in facts.inputs] == ["numbers", "strings", "times"]


def test_single_member_adds_nothing() -> None:
    member = MemberGraph(numbers_representation(), "numbers", logistic([0.1, 0.2]), 0.7)
    found = operators(assemble([member], Calibration(), a_contract()))
    assert not {"Mul", "Sum", "Add"} & set(found)
    # a member without weight is as good as none
    idle = replace(an_ensemble()[0], weight=0.0)
    assert operators(assemble([member, idle], Calibration(), a_contract())) == found


def test_regression_comes_back_in_the_targets_unit() -> None:
    contract = a_contract(Task.REGRESSION)
    members = [
        MemberGraph(numbers_representation(), "numbers", linear([1.0, 0.0]), 3.0),
        MemberGraph(everything_representation(), "all", linear([0.0, 1.0, 0.0, 0.0]), 1.0),
    ]
    scores = run(assemble(members, Calibration.affine(10.0, 100.0), contract), EVERYTHING)
    np.testing.assert_allclose(scores[:2], [[(0.75 * 30 + 0.25 * 1) * 10 + 100], [100.0]], rtol=1e-6)


@pytest.mark.parametrize("representation", [Fragment(b"", (), ()), numbers_representation()])
def test_constant_model_answers_every_row(representation: Fragment) -> None:
    member = MemberGraph(representation, "none", constant_model([0.25, 0.75]))
    scores = run(assemble([member], Calibration(), a_contract()), EVERYTHING)
    np.testing.assert_allclose(scores, np.tile([0.25, 0.75], (3, 1)))


def test_model_without_any_feature_column_answers_every_row() -> None:
    contract = replace(a_contract(), columns=())
    member = MemberGraph(Fragment(b"", (), ()), "none", constant_model([0.25, 0.75]))
    model = assemble([member], Calibration.temperature(1.0), contract)
    scores = run(model, {"numbers": np.zeros((3, 0), dtype=np.float32)})
    np.testing.assert_allclose(scores, np.tile([0.25, 0.75], (3, 1)), atol=1e-6)


def test_metadata_names_what_a_reader_needs() -> None:
    metadata = audit_graph(assemble(an_ensemble(), Calibration(), a_contract())).metadata
    assert metadata["numbers"] == '["age", "member"]'
    assert metadata["strings"] == '["city"]'
    assert metadata["times"] == '["seen"]'
    assert metadata["classes"] == '["0", "1"]'
    assert (metadata["task"], metadata["target"]) == ("binary", "bought")


def test_refuses_an_empty_ensemble_and_operators_serving_would_refuse() -> None:
    with pytest.raises(TrainingError, match="no member with a positive weight"):
        assemble([], Calibration(), a_contract())
    graph = Graph()
    x = graph.input("features", "float32", 2)
    noise = graph.op("RandomNormalLike", x)
    graph.output("scores", graph.op("Add", x, noise), "float32", 2)
    with pytest.raises(TrainingError, match="RandomNormalLike"):
        assemble([MemberGraph(numbers_representation(), "numbers", graph.fragment())], Calibration(), a_contract())


def test_malformed_piece_is_refused() -> None:
    graph = Graph()
    features = graph.input("features", "float32", 2)
    graph.output("scores", graph.op("MatMul", features, "nowhere"), "float32", 2)
    with pytest.raises(TrainingError, match="not valid ONNX"):
        assemble([MemberGraph(numbers_representation(), "numbers", graph.fragment())], Calibration(), a_contract())
