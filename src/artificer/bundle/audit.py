"""What a graph may contain before a session is built from it. Reads the ONNX bytes itself: onnx is not imported.

Allowed is what encoders, algorithms and the assembly need: operators of ONNX itself and of ``ai.onnx.ml``, from a list;
no subgraphs, no functions of the file's own, no tensors outside the file, nothing this reader does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from artificer.bundle.wire import BYTES, VARINT, WireError, fields
from artificer.errors import BundleDamagedError

DOMAINS = {"": 21, "ai.onnx.ml": 4}
"""Operator sets, with the newest version of each that a bundle may ask for."""

_ONNX = """
    BitwiseAnd BitwiseOr BitwiseXor
    Abs Add And ArgMax ArgMin Atan Cast CastLike Ceil Clip Concat Constant ConstantOfShape Cos CumSum Div Equal Erf Exp
    Expand Flatten Floor Gather GatherElements GatherND Gemm Greater GreaterOrEqual HardSigmoid Identity IsInf IsNaN
    LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mod Mul Neg Not OneHot Or Pow Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
    Round ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Softplus Split Sqrt Squeeze StringConcat
    StringSplit Sub Sum Tan Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor
"""
_ML = """
    ArrayFeatureExtractor Binarizer CategoryMapper DictVectorizer FeatureVectorizer Imputer LabelEncoder
    LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsembleClassifier
    TreeEnsembleRegressor
"""
OPERATORS = {"": frozenset(_ONNX.split()), "ai.onnx.ml": frozenset(_ML.split())}

ELEMENT_TYPES = {1: "float32", 7: "int64", 8: "string"}
"""Numbers of TensorProto.DataType that a graph's edge may have."""


@dataclass(frozen=True, slots=True)
class Message:
    """Field numbers of a message of onnx.proto that may occur, and names of some that may not."""

    allowed: frozenset[int]
    refused: Mapping[int, str] = field(default_factory=dict)


MODEL = Message(frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14}), {20: "training steps", 25: "functions of its own"})
GRAPH = Message(frozenset({1, 2, 5, 10, 11, 12, 13}), {15: "sparse tensors"})
NODE = Message(frozenset({1, 2, 3, 4, 5, 6, 7}))
ATTRIBUTE = Message(frozenset({1, 2, 3, 4, 5, 7, 8, 9, 13, 20}), {6: "a subgraph", 11: "subgraphs"})
TENSOR = Message(frozenset({1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14}), {13: "a tensor kept in another file"})

MODES = b"|".join(
    b"%c%s" % (len(mode), mode)
    for mode in (b"LEAF", *(b"BRANCH_" + test for test in (b"LEQ", b"LT", b"GTE", b"GT", b"EQ", b"NEQ")))
)
# Runs of an attribute's unpacked floats (0x3d), ints (0x40) and, of the strings (0x4a), the kinds of tree nodes;
# possessive, so that a long run costs no memory.
RUNS = {
    0x3D: re.compile(rb"(?:\x3d.{4})++", re.DOTALL),
    0x40: re.compile(rb"(?:\x40[\x80-\xff]{0,9}+[\x00-\x7f])++"),
    0x4A: re.compile(rb"(?:\x4a(?:%s))++" % MODES),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """An input or output of the graph; `columns` is None where the file leaves the width open."""

    name: str
    dtype: str
    columns: int | None


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What the audit learned of a graph it let pass."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    nodes: int
    metadata: dict[str, str]


def audit_graph(model: bytes) -> GraphFacts:
    """Read an ONNX model's structure and refuse what a bundle has no business with.

    Raises
    ------
    BundleDamagedError
        The bytes are not an ONNX model, or hold something that is not allowed; the message says what.
    """
    try:
        return _Audit(model).run()
    except (WireError, UnicodeDecodeError) as error:
        raise BundleDamagedError(f"the model graph is not a readable ONNX file ({error}); train it again") from error


class _Audit:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.inputs: list[Edge] = []
        self.outputs: list[Edge] = []
        self.metadata: dict[str, str] = {}
        self.nodes = 0
        self.graphs = 0

    def run(self) -> GraphFacts:
        on = {7: self._graph, 8: self._opset, 14: self._metadata}
        self._walk(0, len(self.data), MODEL, on)
        if self.graphs != 1:
            raise WireError(f"it holds {self.graphs} graphs")
        return GraphFacts(tuple(self.inputs), tuple(self.outputs), self.nodes, self.metadata)

    def _walk(
        self,
        start: int,
        end: int,
        message: Message,
        on: Mapping[int, Callable[[int, int], None]],
        runs: dict[int, re.Pattern[bytes]] | None = None,
    ) -> None:
        for number, kind, a, b in fields(self.data, start, end, runs):
            if number not in message.allowed:
                raise _refusal(message.refused.get(number, f"an unknown part (field {number})"))
            if number in on:
                if kind != BYTES:
                    raise WireError(f"field {number} has wire type {kind}")
                on[number](a, b)

    def _graph(self, start: int, end: int) -> None:
        self.graphs += 1
        on = {
            1: self._node,
            5: self._tensor,
            11: lambda a, b: self.inputs.append(self._edge(a, b)),
            12: lambda a, b: self.outputs.append(self._edge(a, b)),
        }
        self._walk(start, end, GRAPH, on)

    def _node(self, start: int, end: int) -> None:
        self.nodes += 1
        names = {4: "", 7: ""}

        def keep(number: int) -> Callable[[int, int], None]:
            return lambda a, b: names.__setitem__(number, self._text(a, b))

        self._walk(start, end, NODE, {4: keep(4), 5: self._attribute, 7: keep(7)})
        operator, domain = names[4], names[7]
        if domain not in OPERATORS:
            raise _refusal(f"an operator of the domain {domain!r}")
        if operator not in OPERATORS[domain]:
            raise _refusal(f"the operator {operator!r}")

    def _attribute(self, start: int, end: int) -> None:
        self._walk(start, end, ATTRIBUTE, {5: self._tensor}, RUNS)

    def _tensor(self, start: int, end: int) -> None:
        for number, kind, a, _ in fields(self.data, start, end):
            if number not in TENSOR.allowed:
                raise _refusal(TENSOR.refused.get(number, f"an unknown part of a tensor (field {number})"))
            if number == 14 and not (kind == VARINT and a == 0):
                raise _refusal("a tensor kept in another file")

    def _opset(self, start: int, end: int) -> None:
        domain, version = "", 0
        for number, kind, a, b in fields(self.data, start, end):
            if number == 1 and kind == BYTES:
                domain = self._text(a, b)
            elif number == 2 and kind == VARINT:
                version = a
            else:
                raise WireError("an operator set is not readable")
        if domain not in DOMAINS:
            raise _refusal(f"the operator set {domain!r}")
        if not 1 <= version <= DOMAINS[domain]:
            raise _refusal(f"version {version} of the operator set {domain!r}")

    def _metadata(self, start: int, end: int) -> None:
        pair = {1: "", 2: ""}
        for number, kind, a, b in fields(self.data, start, end):
            if number not in pair or kind != BYTES:
                raise WireError("a metadata entry is not readable")
            pair[number] = self._text(a, b)
        self.metadata[pair[1]] = pair[2]

    def _edge(self, start: int, end: int) -> Edge:
        """ValueInfoProto: name, type -> tensor -> (element type, shape -> dimensions)."""
        name, dtype = "", ""
        columns: list[int | None] = []
        for number, kind, a, b in fields(self.data, start, end):
            if number == 1 and kind == BYTES:
                name = self._text(a, b)
            elif number == 2 and kind == BYTES:
                for inner, inner_kind, c, d in fields(self.data, a, b):
                    if inner != 1 or inner_kind != BYTES:
                        raise _refusal("an input or output that is not a tensor")
                    dtype, columns = self._tensor_type(c, d)
        if len(columns) != 2:
            raise _refusal(f"an input or output ({name!r}) that does not have rows and columns")
        return Edge(name, dtype, columns[1])

    def _tensor_type(self, start: int, end: int) -> tuple[str, list[int | None]]:
        dtype = ""
        columns: list[int | None] = []
        for number, kind, a, b in fields(self.data, start, end):
            if number == 1 and kind == VARINT:
                if a not in ELEMENT_TYPES:
                    raise _refusal(f"an input or output of element type {a}")
                dtype = ELEMENT_TYPES[a]
            elif number == 2 and kind == BYTES:
                columns = [self._dimension(c, d) for n, k, c, d in fields(self.data, a, b) if (n, k) == (1, BYTES)]
        return dtype, columns

    def _dimension(self, start: int, end: int) -> int | None:
        for number, kind, a, _ in fields(self.data, start, end):
            if number == 1 and kind == VARINT:
                return a
        return None

    def _text(self, start: int, end: int) -> str:
        return self.data[start:end].decode()


def _refusal(what: str) -> BundleDamagedError:
    return BundleDamagedError(f"the model graph holds {what}, which a bundle may not hold; do not use this file")
