"""A small writer of ONNX graphs.

Encoders and algorithms call :meth:`Graph.op` and :meth:`Graph.constant` and pass tensor names on; nobody above this
room touches protobuf. Operator set 21 and ai.onnx.ml 4 are the newest that keep TreeEnsembleRegressor beside
StringConcat and the tensor-free LabelEncoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

OPSET = 21
ML_OPSET = 4
IR_VERSION = 10
ML = "ai.onnx.ml"


@dataclass(frozen=True, slots=True)
class GraphInput:
    """A named tensor at the edge of a graph: element type (``float32``, ``int64``, ``string``) and columns."""

    name: str
    dtype: str
    columns: int | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """A finished graph as bytes: it crosses process borders and is inlined into a larger one.

    Attributes
    ----------
    model : serialised ONNX ModelProto.
    inputs, outputs : tensor names at its edge, in order.
    """

    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass
class Graph:
    """An ONNX graph under construction.

    Examples
    --------
    >>> graph = Graph()
    >>> x = graph.input("x", "float32", 2)
    >>> graph.output("y", graph.op("Mul", x, graph.constant(np.float32([2.0]))), "float32", 2)
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(graph.fragment().model)
    >>> session.run(None, {"x": np.float32([[1, 2]])})[0].tolist()
    [[2.0, 4.0]]
    """

    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    inputs: list[GraphInput] = field(default_factory=list)
    outputs: list[GraphInput] = field(default_factory=list)
    _constants: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    _copied: dict[bytes, str] = field(default_factory=dict)
    _emitted: dict[tuple[bytes, int], tuple[str, ...]] = field(default_factory=dict)
    _count: int = 0

    def fresh(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"

    def input(self, name: str, dtype: str, columns: int | None) -> str:
        """Declare an input of shape (n, columns) and return its tensor name."""
        self.inputs.append(GraphInput(name, dtype, columns))
        return name

    def output(self, name: str, tensor: str, dtype: str, columns: int | None) -> None:
        """Declare `tensor` an output called `name`."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        self.outputs.append(GraphInput(name, dtype, columns))

    def constant(self, value: NDArray[Any] | Sequence[str] | Sequence[Sequence[str]]) -> str:
        """Put an array (float32, float64, int64, bool) or an array of strings into the graph; equal ones are shared."""
        from onnx import helper, numpy_helper

        array = np.asarray(value)
        if array.dtype.kind in "OU":
            flat = [str(v).encode() for v in array.ravel()]
            key = ("string", array.shape, b"\x00".join(flat) + b"\x00%d" % len(flat))
            name = self._constants.get(key) or self.fresh("text")
            if key not in self._constants:
                self.initializers.append(helper.make_tensor(name, element_type("string"), array.shape, flat))
        else:
            key = (array.dtype.str, array.shape, array.tobytes())
            name = self._constants.get(key) or self.fresh("const")
            if key not in self._constants:
                self.initializers.append(
                    numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
                )
        self._constants[key] = name
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Add a node with several outputs and return their names.

        A node equal to an earlier one is not added again: the operators in use are deterministic, so parts that do
        not know of each other share what they have in common.
        """
        from onnx import helper

        plain = {k: v for k, v in attributes.items() if not isinstance(v, np.ndarray)}
        node = helper.make_node(kind, list(inputs), [], domain=domain, **plain)
        for name in sorted(attributes.keys() - plain.keys()):
            _extend(node.attribute.add(), name, attributes[name])
        key = (_digest(node), outputs)
        if key not in self._emitted:
            self._emitted[key] = tuple(self.fresh(kind.lower()) for _ in range(outputs))
            node.output.extend(self._emitted[key])
            self.nodes.append(node)
        return self._emitted[key]

    def columns(self, block: str, indices: Sequence[int], width: int) -> str:
        """Pick columns of a (n, width) block; the block itself when all are wanted in order."""
        if list(indices) == list(range(width)):
            return block
        return self.op("Gather", block, self.constant(np.asarray(indices, dtype=np.int64)), axis=1)

    def concat(self, parts: Sequence[str]) -> str:
        """Put (n, p_i) parts side by side."""
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=1)

    def cast(self, tensor: str, dtype: str) -> str:
        return self.op("Cast", tensor, to=element_type(dtype))

    def inline(self, fragment: Fragment, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Copy a finished fragment in, its inputs bound to tensors of this graph; returns its outputs' names.

        Constants and nodes that are here already are not copied again, so fragments share what they have in common.

        Examples
        --------
        >>> graph, part = Graph(), Graph()
        >>> part.output("y", part.op("Abs", part.input("x", "float32", 1)), "float32", 1)
        >>> x = graph.input("x", "float32", 1)
        >>> graph.inline(part.fragment(), {"x": x}) == graph.inline(part.fragment(), {"x": x}), len(graph.nodes)
        (True, 1)
        """
        import onnx

        model = onnx.load_model_from_string(fragment.model)
        prefix = self.fresh("part") + "/"
        names = {"": "", **inputs}
        for tensor in model.graph.initializer:
            own, tensor.name = tensor.name, ""
            key = _digest(tensor)
            if key not in self._copied:
                self._copied[key] = tensor.name = prefix + own
                self.initializers.append(tensor)
            names[own] = self._copied[key]
        for node in model.graph.node:
            outputs = list(node.output)
            node.input[:] = [names.get(name, prefix + name) for name in node.input]
            if node.op_type == "Identity" and not node.domain:
                names[outputs[0]] = node.input[0]
                continue
            del node.output[:]
            node.name = ""
            emitted = (_digest(node), len(outputs))
            if emitted not in self._emitted:
                self._emitted[emitted] = tuple(prefix + name if name else "" for name in outputs)
                node.output.extend(self._emitted[emitted])
                self.nodes.append(node)
            names.update(zip(outputs, self._emitted[emitted], strict=True))
        return tuple(names.get(name, prefix + name) for name in fragment.outputs)

    def model(self, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """Finish as a ModelProto."""
        from onnx import helper

        def edge(e: GraphInput) -> Any:
            return helper.make_tensor_value_info(e.name, element_type(e.dtype), ["rows", e.columns])

        graph = helper.make_graph(
            self.nodes, "artificer", [edge(e) for e in self.inputs], [edge(e) for e in self.outputs], self.initializers
        )
        model = helper.make_model(
            graph,
            producer_name="artificer",
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
        )
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(metadata or {}))
        return model

    def fragment(self) -> Fragment:
        """Finish as bytes."""
        names_in, names_out = tuple(e.name for e in self.inputs), tuple(e.name for e in self.outputs)
        return Fragment(self.model().SerializeToString(), names_in, names_out)


def _digest(message: Any) -> bytes:
    """Stands for a node or tensor as a key: that of a tree ensemble holds megabytes."""
    return hashlib.blake2b(message.SerializeToString(deterministic=True)).digest()


def _extend(attribute: Any, name: str, values: NDArray[Any]) -> None:
    """Fill a list attribute from an array; make_attribute looks at each element in Python, 20 times slower."""
    from onnx import AttributeProto

    attribute.name = name
    if values.dtype.kind == "f":
        attribute.type = AttributeProto.FLOATS
        attribute.floats.extend(values.tolist())
    elif values.dtype.kind == "S":
        attribute.type = AttributeProto.STRINGS
        attribute.strings.extend(values.tolist())
    else:
        attribute.type = AttributeProto.INTS
        attribute.ints.extend(values.tolist())


def element_type(dtype: str) -> int:
    """ONNX's number for an element type name."""
    from onnx import TensorProto

    return int(
        {
            "float32": TensorProto.FLOAT,
            "float64": TensorProto.DOUBLE,
            "int64": TensorProto.INT64,
            "bool": TensorProto.BOOL,
            "string": TensorProto.STRING,
        }[dtype]
    )
