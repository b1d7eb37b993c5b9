"""The one ONNX form of trees, at the corners that the learners seldom produce."""

import numpy as np
import onnxruntime
import pytest

from artificer.algorithms.trees import Tree, Trees, from_nodes, round_down
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX


def stump(threshold, missing_left, values, targets=(0,), feature=0):
    return Tree(
        np.array([feature]),
        np.array([threshold], np.float32),
        np.array([~0]),
        np.array([~1]),
        np.array([missing_left]),
        np.array(values, float).reshape(2, -1),
        np.array(targets),
    )


def leaf(values, targets=(0,)):
    nothing = np.array([], np.int64)
    return Tree(
        nothing,
        nothing.astype(np.float32),
        nothing,
        nothing,
        nothing.astype(bool),
        np.array([values]),
        np.array(targets),
    )


def run(trees, X):
    graph = Graph()
    width = X.shape[1]
    graph.output("scores", trees.emit(graph, graph.input("x", "float32", width)), "float32", len(trees.base))
    session = onnxruntime.InferenceSession(graph.fragment().model)
    return session.run(None, {"x": X})[0]


def column(*values):
    return np.array(values, np.float32)[:, None]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("sides", [(True,), (False,), (True, False)])
def test_equality_and_missing_follow_the_tree(strict, sides):
    trees = tuple(stump(1.0, side, [1.0, 10.0]) for side in sides)
    X = column(0.5, 1.0, np.nextafter(np.float32(1), np.float32(2)), np.nan)
    got = run(Trees(trees, np.zeros(1), strict), X)[:, 0]
    on = 10.0 if strict else 1.0
    expected = [[1.0, on, 10.0, 1.0 if side else 10.0] for side in sides]
    np.testing.assert_array_equal(got, np.sum(expected, axis=0))


def test_nothing_but_leaves():
    trees = Trees((leaf([1.0, 2.0], (0, 2)), leaf([0.5], (1,))), np.array([10.0, 20.0, 30.0]))
    np.testing.assert_array_equal(run(trees, column(1.0, np.nan)), [[11, 20.5, 32]] * 2)


def test_no_trees():
    np.testing.assert_array_equal(run(Trees((), np.array([3.0])), column(1.0, 2.0, 3.0)), [[3], [3], [3]])


@pytest.mark.parametrize("rows", [1, 3, 200])
def test_base_reaches_targets_that_no_tree_names(rows):
    trees = Trees((stump(0.0, True, [1.0, 2.0], (1,)), leaf([5.0], (2,))), np.array([-9.0, 0.0, 7.0]))
    np.testing.assert_array_equal(run(trees, np.full((rows, 1), -1, np.float32)), [[-9, 1, 12]] * rows)


def test_leaves_name_only_what_they_add():
    trees = Trees((stump(0.0, True, [[0.0, 0.0, 0.0], [0.0, 4.0, 0.0]], (0, 1, 2)),), np.zeros(3))
    np.testing.assert_array_equal(run(trees, column(-1.0, 1.0)), [[0, 0, 0], [0, 4, 0]])


def test_round_down_keeps_every_comparison():
    rng = np.random.default_rng(0)
    doubles = np.concatenate(
        [rng.normal(size=500), [0.1, 1e-40, -1e-40, 1e300, -1e300, FLOAT32_MAX, -FLOAT32_MAX, 0.0]]
    )
    floats = round_down(doubles)
    with np.errstate(over="ignore"):
        near = np.concatenate([np.nextafter(floats, np.float32(s)) for s in (-np.inf, np.inf)] + [floats])
    x = near[np.isfinite(near)][:, None]
    np.testing.assert_array_equal(x.astype(float) <= doubles, x <= floats)


def test_from_nodes_renumbers_leaves():
    # 0 -> (1 -> (3, 4), 2); leaves 2, 3, 4
    tree = from_nodes(
        np.array([0, 1, -2, -2, -2]),
        np.array([0.5, 1.5, 0, 0, 0], np.float32),
        np.array([1, 3, -1, -1, -1]),
        np.array([2, 4, -1, -1, -1]),
        np.array([1, 0, 0, 0, 0]),
        np.arange(5.0)[:, None],
        np.array([0]),
    )
    X = np.array([[1, 0], [0, 1], [0, 2], [np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(run(Trees((tree,), np.zeros(1)), X)[:, 0], [2, 3, 4, 4])
