"""What a piece of a graph costs in use: microseconds for one row in ONNX Runtime on one thread, and megabytes.

Counted from the nodes rather than timed, so that the same models are chosen on a busy machine as on a quiet one.
Constants were measured with ONNX Runtime 1.31 on one core of a virtual machine, as the 2nd percentile of 2,500 rows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artificer.graph import Fragment

if TYPE_CHECKING:
    import onnx

CALL_US = 30.0
"""Reading the row and calling the runtime, before any node is computed."""

NODE_US = 1.2
ENSEMBLE_US = 5.0
LEVEL_US = 0.011
"""A comparison in a tree: most of it is waiting for the node to come from memory."""

FAR_NODES = 1_500_000
"""So many nodes lie so far from the processor that a comparison takes twice the time."""

TEXT_US = 0.5
"""Looking one value up in a vocabulary."""

PRODUCT_US = 1e-4
"""A multiplication and an addition of a matrix product with one row."""


@dataclass(frozen=True, slots=True)
class Price:
    """Microseconds a row and megabytes; prices add up.

    Examples
    --------
    >>> Price(10.0, 0.5) + Price(2.5, 0.25)
    Price(us=12.5, mb=0.75)
    """

    us: float = 0.0
    mb: float = 0.0

    def __add__(self, other: Price) -> Price:
        return Price(self.us + other.us, self.mb + other.mb)

    def times(self, count: int) -> Price:
        return Price(count * self.us, count * self.mb)

    def within(self, us: float, mb: float) -> bool:
        return self.us <= us and self.mb <= mb


NOTHING = Price()


def price(fragment: Fragment) -> Price:
    """Price of a finished fragment.

    Examples
    --------
    >>> from artificer.graph import Graph
    >>> graph = Graph()
    >>> graph.output("y", graph.op("Abs", graph.input("x", "float32", 2)), "float32", 2)
    >>> price(graph.fragment()).us
    1.2
    """
    import onnx

    model = onnx.load_model_from_string(fragment.model)
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    us = sum(node_us(node, sizes) for node in model.graph.node)
    return Price(us, len(fragment.model) / 1e6)


def itemised(fragment: Fragment) -> dict[str, Price]:
    """Prices of a fragment's nodes and constants by what they compute: keys of two fragments agree where they do.

    Examples
    --------
    >>> from artificer.graph import Graph
    >>> import numpy as np
    >>> def fragment(shift):
    ...     graph = Graph()
    ...     a = graph.op("Abs", graph.input("x", "float32", 1))
    ...     graph.output("y", graph.op("Add", a, graph.constant([[shift]])), "float32", 1)
    ...     return graph.fragment()
    >>> one, other = (itemised(fragment(np.float32(shift))) for shift in (1, 2))
    >>> len(one), len({*one, *other})
    (3, 5)
    """
    import onnx

    graph = onnx.load_model_from_string(fragment.model).graph
    keys: dict[str, str] = {}
    sizes: dict[str, int] = {}
    prices: dict[str, Price] = {}
    for tensor in graph.initializer:
        own, tensor.name = tensor.name, ""
        keys[own], sizes[own] = digest(tensor.SerializeToString(deterministic=True)), math.prod(tensor.dims)
        prices[keys[own]] = Price(0.0, tensor.ByteSize() / 1e6)
    for node in graph.node:
        cost = Price(node_us(node, sizes), node.ByteSize() / 1e6)
        above, outputs = [keys.get(name, name) for name in node.input], list(node.output)
        if node.op_type == "Identity":
            keys[outputs[0]] = above[0]
            continue
        del node.input[:], node.output[:]
        node.name = ""
        key = digest("|".join(above).encode() + node.SerializeToString(deterministic=True))
        keys.update((name, f"{key}.{place}") for place, name in enumerate(outputs))
        prices[key] = cost
    return prices


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def node_us(node: onnx.NodeProto, sizes: dict[str, int]) -> float:
    """Microseconds of a node for one row; `sizes` are the elements of the graph's constants."""
    if node.op_type == "Identity":
        return 0.0
    if node.op_type in ("TreeEnsembleRegressor", "TreeEnsembleClassifier"):
        numbers = attribute(node, "nodes_treeids").ints
        trees = len(set(numbers))
        levels = trees * math.log2(max(len(numbers) / max(trees, 1), 2.0))
        return ENSEMBLE_US + levels * LEVEL_US * (1 + len(numbers) / FAR_NODES)
    largest = max((sizes.get(name, 0) for name in node.input), default=0)
    if node.op_type in ("MatMul", "Gemm"):
        return NODE_US + PRODUCT_US * largest
    if node.op_type == "StringConcat":
        return NODE_US + TEXT_US * largest
    return NODE_US


def attribute(node: onnx.NodeProto, name: str) -> Any:
    return next(found for found in node.attribute if found.name == name)


def total(prices: Iterable[Price]) -> Price:
    """Sum of prices.

    Examples
    --------
    >>> total([Price(1.0, 0.5)] * 3)
    Price(us=3.0, mb=1.5)
    """
    return sum(prices, NOTHING)
