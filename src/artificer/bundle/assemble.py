"""One ONNX graph out of an ensemble's pieces: shared inputs, members, their weighted average, calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from artificer.bundle.audit import audit_graph
from artificer.bundle.calibration import SMALLEST_PROBABILITY, Calibration
from artificer.errors import BundleDamagedError, TrainingError
from artificer.graph import Fragment, Graph
from artificer.types import BLOCK_DTYPES, Kind

if TYPE_CHECKING:
    from artificer.tables.contract import Contract

OUTPUT = "scores"


@dataclass(frozen=True, slots=True)
class MemberGraph:
    """One member of an ensemble.

    Attributes
    ----------
    representation : inputs among ``numbers``, ``strings``, ``times``, ``texts``; one output, the (n, p) features.
    representation_key : members with equal keys share one copy of the representation.
    model : one input, the features; one output, the (n, c) scores.
    weight : above 0; weights need not sum to 1.
    member : pieces with equal numbers are models of one member: their scores are averaged before anything else.
    """

    representation: Fragment
    representation_key: str
    model: Fragment
    weight: float = 1.0
    member: int = 0


def assemble(
    members: Sequence[MemberGraph],
    calibration: Calibration,
    contract: Contract,
    pooling: Literal["mean", "logarithmic"] = "mean",
) -> bytes:
    """Build the deployed graph: blocks in, ``scores`` (n, c) float32 out.

    `pooling` averages scores, or log-probabilities, of which those that sum to 1 are made again.

    Only the blocks that some member reads become inputs. The columns of each, the target and the classes are written
    into the model's metadata, so that a program in another language can fill the inputs from names.

    Raises
    ------
    TrainingError
        No member has a positive weight, or the graph built does not pass ONNX's checker or the bundle's own audit.
    """
    members = [member for member in members if member.weight > 0]
    if not members:
        raise TrainingError("the ensemble has no member with a positive weight; raise the budget and train again")
    graph = Graph()
    blocks = _inputs(graph, members, contract)
    features: dict[str, str] = {}
    scores = []
    for member in members:
        key = member.representation_key
        if key not in features:
            features[key] = _features(graph, member.representation, blocks)
        bound = dict.fromkeys(member.model.inputs, features[key])
        scores.append(graph.inline(member.model, bound)[0])
    if pooling == "mean":
        average = _average(graph, scores, [member.weight for member in members])
    else:
        average = _log_average(graph, scores, members)
    graph.output(OUTPUT, calibration.emit(graph, average), "float32", contract.width)
    return _finish(graph, contract)


def metadata(contract: Contract) -> dict[str, str]:
    """What a reader in another language needs to fill the inputs and name the outputs; lists are JSON."""
    lists = {kind.value: [column.name for column in contract.of(kind)] for kind in Kind}
    codes = {c.name: list(c.codes) for c in contract.columns if c.codes and c.kind is not None}
    return {
        "artificer.graph": "1",
        "task": str(contract.task),
        "target": contract.target,
        "classes": json.dumps(list(contract.classes), ensure_ascii=False),
        **({"codes": json.dumps(codes, ensure_ascii=False)} if codes else {}),
        **({"levels": json.dumps(list(contract.levels))} if contract.levels else {}),
        **({"costs": json.dumps(list(contract.costs))} if contract.costs else {}),
        **{name: json.dumps(names, ensure_ascii=False) for name, names in lists.items()},
    }


def _inputs(graph: Graph, members: Sequence[MemberGraph], contract: Contract) -> dict[str, str]:
    used = {name for member in members for name in member.representation.inputs}
    if not used:
        # A constant model reads nothing, but how many rows to answer has to come from somewhere.
        used = {next((kind for kind in Kind if contract.of(kind)), Kind.NUMBERS).value}
    return {
        kind.value: graph.input(kind.value, BLOCK_DTYPES[kind], len(contract.of(kind)))
        for kind in Kind
        if kind.value in used
    }


def _features(graph: Graph, representation: Fragment, blocks: dict[str, str]) -> str:
    if representation.outputs:
        return graph.inline(representation, {name: blocks[name] for name in representation.inputs})[0]
    # No features at all: (n, 0), so that the model still sees how many rows there are.
    block = next(iter(blocks.values()))
    rows = graph.op("Shape", block, start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant(np.array([0], dtype=np.int64)), axis=0)
    return graph.op("ConstantOfShape", shape)


def _average(graph: Graph, scores: Sequence[str], weights: Sequence[float]) -> str:
    if len(scores) == 1:
        return scores[0]
    total = sum(weights)
    equals: dict[float, list[str]] = {}
    for score, weight in zip(scores, weights, strict=True):
        equals.setdefault(weight, []).append(score)
    parts = [
        graph.op(
            "Mul",
            score[0] if len(score) == 1 else graph.op("Sum", *score),
            graph.constant(np.array([weight / total], dtype=np.float32)),
        )
        for weight, score in equals.items()
    ]
    return parts[0] if len(parts) == 1 else graph.op("Sum", *parts)


def _log_average(graph: Graph, scores: Sequence[str], members: Sequence[MemberGraph]) -> str:
    floor = graph.constant(np.array([SMALLEST_PROBABILITY], dtype=np.float32))
    logs, weights = [], []
    for number in dict.fromkeys(member.member for member in members):
        own = [(score, piece.weight) for score, piece in zip(scores, members, strict=True) if piece.member == number]
        average = _average(graph, [score for score, _ in own], [weight for _, weight in own])
        logs.append(graph.op("Log", graph.op("Max", average, floor)))
        weights.append(sum(weight for _, weight in own))
    return graph.op("Softmax", _average(graph, logs, weights), axis=1)


def _finish(graph: Graph, contract: Contract) -> bytes:
    import onnx

    model = graph.model(metadata(contract))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise TrainingError(f"the assembled graph is not valid ONNX ({error}); please report this") from error
    data: bytes = model.SerializeToString()
    try:
        audit_graph(data)
    except BundleDamagedError as error:
        raise TrainingError(f"the assembled graph would be refused by serving: {error}") from error
    return data
