"""What stands where there are no features: a block of zeros, of no columns or of one."""

from __future__ import annotations

import numpy as np

from artificer.graph import Graph


def emit_zeros(graph: Graph, block: str, columns: int) -> str:
    """Write float32 zeros (n, columns) into `graph`; `block` names any tensor (n, k) that says how many rows there are.

    Examples
    --------
    >>> graph = Graph()
    >>> zeros = emit_zeros(graph, graph.input("x", "float32", 2), 1)
    >>> [node.op_type for node in graph.nodes]
    ['Shape', 'Concat', 'ConstantOfShape']
    """
    rows = graph.op("Shape", block, start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant(np.array([columns], dtype=np.int64)), axis=0)
    return graph.op("ConstantOfShape", shape)
