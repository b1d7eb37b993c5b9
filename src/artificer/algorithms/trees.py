"""Decision trees as plain arrays, and their one ONNX form.

Every tree learner hands its trees over as :class:`Trees`; nothing else here knows a library.

A comparison must come out in the graph, which holds float32 thresholds, as it did in the learner. For float32 x and a
double threshold t, x <= t holds exactly when x <= t rounded *down* to float32, hence :func:`round_down`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.graph import Graph
from artificer.graph.builder import ML
from artificer.types import Doubles, Floats, Ints

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tree:
    """One binary tree of s splits and s + 1 leaves.

    Attributes
    ----------
    feature, threshold : (s,) column and float32 threshold of each split; split 0 is the root.
    left, right : (s,) where a row goes when the comparison holds, and when it does not: a split's number, or ``~leaf``.
    missing_left : (s,) whether NaN goes left.
    values : (leaves, k) what a leaf adds to each of ``targets``.
    targets : (k,) score columns.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Flags
    values: Doubles
    targets: Ints


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of trees plus a constant: (n, p) float32 -> (n, t) scores.

    Attributes
    ----------
    base : (t,) the constant.
    strict : a row goes left when x < threshold, otherwise when x <= threshold.
    """

    trees: tuple[Tree, ...]
    base: Doubles
    strict: bool = False

    def emit(self, graph: Graph, features: str) -> str:
        """Write the ensemble into `graph`; returns the name of the (n, t) scores.

        Examples
        --------
        >>> stump = Tree(np.array([0]), np.float32([1.5]), np.array([-1]), np.array([-2]), np.array([True]),
        ...              np.array([[10.0], [20.0]]), np.array([0]))
        >>> graph = Graph()
        >>> scores = Trees((stump,), np.array([0.5])).emit(graph, graph.input("x", "float32", 1))
        >>> graph.output("scores", scores, "float32", 1)
        >>> import onnxruntime
        >>> session = onnxruntime.InferenceSession(graph.fragment().model)
        >>> session.run(None, {"x": np.float32([[1.5], [1.6], [np.nan]])})[0].ravel().tolist()
        [10.5, 20.5, 10.5]
        """
        grown = [tree for tree in self.trees if len(tree.feature)]
        base = self.base.astype(np.float64).copy()
        for tree in self.trees:
            if not len(tree.feature):
                np.add.at(base, tree.targets, tree.values[0])
        if not grown:
            return constant_rows(graph, features, base)
        # The runtime forgets base_values of a target that a row's leaves do not name; with one target they all name it.
        single = len(base) == 1
        scores = graph.op(
            "TreeEnsembleRegressor",
            features,
            domain=ML,
            n_targets=len(base),
            aggregate_function="SUM",
            post_transform="NONE",
            **({"base_values": base.astype(np.float32)} if single else {}),
            **_splits(grown, self.strict),
            **_leaves(grown),
        )
        return scores if single or not base.any() else graph.op("Add", scores, graph.constant(base.astype(np.float32)))


def constant_rows(graph: Graph, features: str, row: Doubles) -> str:
    """Write a block that repeats `row` once for each row of `features`."""
    count = graph.op("Shape", features, start=0, end=1)
    shape = graph.op("Concat", count, graph.constant(np.array([len(row)], np.int64)), axis=0)
    return graph.op("Expand", graph.constant(row.astype(np.float32)[None, :]), shape)


def _splits(trees: Sequence[Tree], strict: bool) -> dict[str, Any]:
    sizes = np.array([len(t.feature) for t in trees])
    leaves = np.array([len(t.values) for t in trees])
    totals = sizes + leaves
    starts = np.cumsum(totals) - totals
    node_tree = np.repeat(np.arange(len(trees)), totals)
    node_id = np.arange(totals.sum()) - starts[node_tree]
    is_split = node_id < sizes[node_tree]

    def spread(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
        full = np.zeros(len(node_id), dtype)
        full[is_split] = np.concatenate(parts)
        return full

    def children(parts: list[Ints]) -> Ints:
        joined, size = np.concatenate(parts), np.repeat(sizes, sizes)
        return spread([np.where(joined < 0, size + ~joined, joined)], np.int64)

    left, right = children([t.left for t in trees]), children([t.right for t in trees])
    missing_left = spread([t.missing_left for t in trees], np.int64)
    mode = b"BRANCH_LT" if strict else b"BRANCH_LEQ"
    # NaN fails every comparison: asking the opposite question sends it left without a look at each value.
    if missing_left[is_split].all():
        mode = b"BRANCH_GTE" if strict else b"BRANCH_GT"
        left, right, missing_left = right, left, np.zeros_like(missing_left)
    attributes: dict[str, Any] = {
        "nodes_treeids": node_tree,
        "nodes_nodeids": node_id,
        "nodes_featureids": spread([t.feature for t in trees], np.int64),
        "nodes_values": spread([t.threshold for t in trees], np.float32),
        "nodes_truenodeids": left,
        "nodes_falsenodeids": right,
        "nodes_modes": np.where(is_split, mode, b"LEAF"),
    }
    if missing_left.any():
        attributes["nodes_missing_value_tracks_true"] = missing_left
    return attributes


def _leaves(trees: Sequence[Tree]) -> dict[str, Any]:
    tree_ids, node_ids, targets, weights = [], [], [], []
    for number, tree in enumerate(trees):
        values = tree.values.astype(np.float32)
        said = values != 0
        said[~said.any(axis=1), 0] = True  # a leaf must name one target at least
        leaf, column = np.nonzero(said)
        tree_ids.append(np.full(len(leaf), number))
        node_ids.append(leaf + len(tree.feature))
        targets.append(tree.targets[column])
        weights.append(values[leaf, column])
    return {
        "target_treeids": np.concatenate(tree_ids),
        "target_nodeids": np.concatenate(node_ids),
        "target_ids": np.concatenate(targets),
        "target_weights": np.concatenate(weights),
    }


def round_down(threshold: Doubles) -> Floats:
    """Give the largest float32 that does not exceed each double.

    Examples
    --------
    >>> float(round_down(np.array([0.1]))[0]) <= 0.1 < float(np.float32(0.1))
    True
    """
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
        lower = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > threshold, lower, near).astype(np.float32)


def from_nodes(
    feature: NDArray[Any],
    threshold: Floats,
    left: NDArray[Any],
    right: NDArray[Any],
    missing_left: NDArray[Any],
    values: Doubles,
    targets: Ints,
) -> Tree:
    """Build a tree from node arrays in which a leaf is a node whose ``left`` is negative (XGBoost, scikit-learn)."""
    is_leaf = left < 0
    number = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(~is_leaf) - 1).astype(np.int64)
    split = ~is_leaf
    return Tree(
        feature[split].astype(np.int64),
        threshold[split],
        number[left[split]],
        number[right[split]],
        missing_left[split].astype(np.bool_),
        values[is_leaf],
        targets,
    )
