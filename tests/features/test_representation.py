"""Plans and representations over whole tables."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from artificer.algorithms.base import ALL_TASKS
from artificer.errors import TrainingError
from artificer.features.representation import (
    EncoderStep,
    Representation,
    RepresentationSpec,
    plan,
    target_columns,
)
from artificer.graph import Fragment
from artificer.testing.encoders import EXTREMES, assert_same, block_of
from artificer.types import MISSING_TIME, Blocks, Floats, Kind, Task

NAMES = ("trees", "linear", "none")


def names_of(blocks: Blocks) -> dict[Kind, list[str]]:
    return {kind: [f"{kind.value} {j}" for j in range(blocks.of(kind).shape[1])] for kind in Kind}


def table(
    n: int, levels: Sequence[int] = (3, 40, 300), numbers: int = 3, times: int = 2, seed: int = 0, texts: int = 0
) -> Blocks:
    rng = np.random.default_rng(seed)
    strings = np.empty((n, len(levels)), dtype=object)
    for j, count in enumerate(levels):
        values = np.array([f"level {i}" for i in range(count)] + [""], dtype=object)
        strings[:, j] = values[rng.integers(0, count + 1, n)]
    block = np.exp(rng.normal(size=(n, numbers)) * 3).astype(np.float32)
    block[rng.random(block.shape) < 0.1] = np.nan
    moments = rng.integers(1_500_000_000, 1_700_000_000, (n, times))
    moments[rng.random(moments.shape) < 0.1] = MISSING_TIME
    words = np.array([*["the", "cat", "sat", "on", "a", "red", "mat", "and", "slept"], ""], dtype=object)
    said = [[" ".join(rng.choice(words, rng.integers(0, 9))).strip() for _ in range(texts)] for _ in range(n)]
    return Blocks(block, strings, moments, np.array(said, dtype=object).reshape(n, texts))


def run(fragment: Fragment, blocks: Blocks) -> Floats:
    import onnxruntime

    session = onnxruntime.InferenceSession(fragment.model, providers=["CPUExecutionProvider"])
    feed: dict[str, Any] = {kind.value: blocks.of(kind) for kind in Kind if kind.value in fragment.inputs}
    features: Floats = session.run(list(fragment.outputs), feed)[0]
    return features


def extreme_rows(like: Blocks, n: int = 50) -> Blocks:
    rng = np.random.default_rng(9)

    def of(kind: Kind) -> Any:
        k, pool = like.of(kind).shape[1], EXTREMES[kind]
        return block_of(kind, [[pool[i] for i in row] for row in rng.integers(0, len(pool), (n, k))], k)

    return Blocks(of(Kind.NUMBERS), of(Kind.STRINGS), of(Kind.TIMES), of(Kind.TEXTS))


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
@pytest.mark.parametrize("name", NAMES)
def test_graph_and_python_agree_on_whole_tables(name: Any, task: Task) -> None:
    blocks, later = table(600, texts=2), table(100, levels=(5, 60, 900), seed=1, texts=2)
    c = {Task.BINARY: 2, Task.MULTICLASS: 3}.get(task, 1)
    y = np.arange(600) % c if task.is_classification else np.linspace(-5, 5, 600)
    spec = plan(name, blocks, names_of(blocks), task, c)
    representation = Representation(RepresentationSpec.from_json(json.loads(json.dumps(spec.to_json()))))
    training = representation.fit_transform(blocks, target_columns(y, task, c), names_of(blocks), seed=0)
    fragment = representation.fragment()
    p = len(representation.feature_names_)
    assert len(set(representation.feature_names_)) == p
    assert training.shape == (600, p)
    assert training.dtype == np.float32
    assert fragment.outputs == ("features",)
    for rows in (blocks, later, later.take(slice(0, 1)), later.take(slice(0, 0)), extreme_rows(blocks)):
        features = representation.transform(rows)
        assert features.shape == (len(rows), p)
        assert not np.isinf(features).any()
        assert name == "trees" or not np.isnan(features).any()
        assert_same(run(fragment, rows), features, name)


def test_trees_plan_follows_the_number_of_levels() -> None:
    blocks = table(3000, levels=(1, 3, 40, 300))
    spec = plan("trees", blocks, names_of(blocks), Task.BINARY, 2)
    columns = {step.encoder: step.columns for step in spec.steps}
    assert columns == {
        "numeric_passthrough": (0, 1, 2),
        "categorical_ordinal": (0, 1, 2),
        "categorical_target": (2, 3),
        "categorical_count": (3,),
        "datetime_parts": (0, 1),
    }
    assert plan("trees", blocks, names_of(blocks), Task.BINARY, 2) == spec


def test_linear_plan_follows_the_number_of_levels_and_the_tails() -> None:
    blocks = table(3000, levels=(3, 40, 300))
    blocks.numbers[:, 1] = np.random.default_rng(0).normal(size=3000)
    columns = {s.encoder: s.columns for s in plan("linear", blocks, names_of(blocks), Task.BINARY, 2).steps}
    assert columns == {
        "numeric_scaled": (0, 1, 2),
        "numeric_quantile": (0, 2),
        "categorical_onehot": (0, 1),
        "categorical_target": (2,),
        "datetime_cyclic": (0, 1),
    }


def test_columns_of_one_value_are_left_out_and_half_missing_ones_are_not() -> None:
    numbers = np.array([[1, np.nan, 1], [1, np.nan, np.nan]], dtype=np.float32)
    strings = np.array([["a", "", ""], ["a", "", "b"]], dtype=object)
    times = np.array([[5, MISSING_TIME, 5], [5, MISSING_TIME, MISSING_TIME]])
    texts = np.array([["a b", "", ""], ["a b", "", "a c"]], dtype=object)
    blocks = Blocks(numbers, strings, times, texts)
    spec = plan("trees", blocks, names_of(blocks), Task.REGRESSION, 1)
    assert {step.kind: step.columns for step in spec.steps} == dict.fromkeys(Kind, (2,))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("present", list(Kind))
def test_a_table_with_columns_of_one_kind(name: Any, present: Kind) -> None:
    whole = table(80, texts=2)
    empty = {kind: whole.of(kind)[:, :0] for kind in Kind if kind is not present}
    blocks = Blocks(**{kind.value: empty.get(kind, whole.of(kind)) for kind in Kind})
    representation = Representation(plan(name, blocks, names_of(blocks), Task.BINARY, 2))
    representation.fit_transform(blocks, np.zeros((80, 1)), names_of(blocks), seed=0)
    fragment = representation.fragment()
    assert fragment.inputs == (present.value,)
    assert_same(run(fragment, blocks), representation.transform(blocks), present.value)


@pytest.mark.parametrize("name", NAMES)
def test_constant_columns_alone_give_one_zero(name: Any) -> None:
    blocks = Blocks(np.zeros((4, 0), np.float32), np.full((4, 2), "x", dtype=object), np.zeros((4, 1), np.int64))
    representation = Representation(plan(name, blocks, names_of(blocks), Task.BINARY, 2))
    assert representation.fit_transform(blocks, np.zeros((4, 1)), names_of(blocks), seed=0).tolist() == [[0.0]] * 4
    assert representation.feature_names_ == ("nothing",)
    fragment = representation.fragment()
    assert fragment.inputs == ("strings",)
    assert run(fragment, blocks).tolist() == [[0.0]] * 4


def test_a_table_without_columns_is_refused() -> None:
    blocks = Blocks(np.zeros((4, 0), np.float32), np.empty((4, 0), dtype=object), np.zeros((4, 0), np.int64))
    with pytest.raises(TrainingError, match="no usable input column"):
        Representation(RepresentationSpec("none", ())).fit_transform(blocks, None, names_of(blocks), seed=0)


def test_an_unknown_encoder_and_an_absent_column_are_named() -> None:
    blocks = table(10)
    unknown = RepresentationSpec("x", (EncoderStep("numeric_scale", {}, Kind.NUMBERS, (0,)),))
    with pytest.raises(TrainingError, match='did you mean "numeric_scaled"'):
        Representation(unknown).fit_transform(blocks, None, names_of(blocks), seed=0)
    absent = RepresentationSpec("x", (EncoderStep("numeric_scaled", {}, Kind.NUMBERS, (7,)),))
    with pytest.raises(TrainingError, match="wants column 7 of a numbers block that has 3"):
        Representation(absent).fit_transform(blocks, None, names_of(blocks), seed=0)


def test_texts_get_points_and_scores_and_titles_get_points() -> None:
    titles = np.array(
        [[f"{a}{b} driver of {c}"] for a in "abcd" for b in "efgh" for c in ("bus", "van", "car", "tram")]
    )
    blocks = Blocks(
        np.zeros((64, 0), np.float32),
        titles.astype(object),
        np.zeros((64, 0), np.int64),
        np.array([[f"a {i} b"] for i in range(64)], dtype=object),
    )
    for name in ("trees", "linear"):
        steps = {step.encoder: step for step in plan(name, blocks, names_of(blocks), Task.BINARY, 2).steps}
        assert steps.keys() >= {"text_embedding", "text_target", "category_words"}
        representation = Representation(plan(name, blocks, names_of(blocks), Task.BINARY, 2))
        y = np.array([[float("bus" in title)] for title in titles[:, 0]])
        features = representation.fit_transform(blocks, y, names_of(blocks), seed=0)
        assert_same(run(representation.fragment(), blocks)[:1], representation.transform(blocks)[:1], name)
        assert features.shape == (64, len(representation.feature_names_))
    numbered = Blocks(blocks.numbers, np.array([[f"room {i}"] for i in range(64)], dtype=object), blocks.times)
    plain = plan("trees", numbered, names_of(numbered), Task.BINARY, 2)
    assert "category_words" not in {step.encoder for step in plain.steps}


def test_encoders_of_categories_share_one_lookup() -> None:
    import onnx

    blocks = table(500)
    representation = Representation(plan("trees", blocks, names_of(blocks), Task.BINARY, 2))
    representation.fit_transform(blocks, np.zeros((500, 1)), names_of(blocks), seed=0)
    nodes = onnx.load_model_from_string(representation.fragment().model).graph.node
    assert [node.op_type for node in nodes].count("LabelEncoder") == 1
    assert len(nodes) < 50


def test_training_features_are_out_of_fold_and_seeded() -> None:
    blocks = table(400, levels=(40,), numbers=0, times=0)
    y = target_columns(np.random.default_rng(0).integers(0, 2, 400), Task.BINARY, 2)
    representation = Representation(plan("trees", blocks, names_of(blocks), Task.BINARY, 2))
    one = representation.fit_transform(blocks, y, names_of(blocks), seed=1)
    assert not np.array_equal(one, representation.transform(blocks))
    np.testing.assert_array_equal(one, representation.fit_transform(blocks, y, names_of(blocks), seed=1))


@pytest.mark.parametrize("name", ["trees", "linear"])
def test_wide_tables_stay_narrow_enough_for_memory(name: Any) -> None:
    rng = np.random.default_rng(0)
    n = 300
    strings = np.array([f"level {i}" for i in range(20)], dtype=object)[rng.integers(0, 20, (n, 1000))]
    blocks = Blocks(rng.normal(size=(n, 1000)).astype(np.float32), strings, np.zeros((n, 0), np.int64))
    c = 10
    representation = Representation(plan(name, blocks, names_of(blocks), Task.MULTICLASS, c))
    y = target_columns(rng.integers(0, c, n), Task.MULTICLASS, c)
    features = representation.fit_transform(blocks, y, names_of(blocks), seed=0)
    assert features.shape[1] <= 2000 + 1000 + 2000
    assert_same(run(representation.fragment(), blocks.take(slice(0, 5))), representation.transform(blocks)[:5], name)


@pytest.mark.slow
def test_a_million_texts_are_encoded_in_seconds() -> None:
    blocks = table(200_000, levels=(5, 50, 500, 5000, 20_000), numbers=0, times=0)
    y = np.zeros((200_000, 1))
    start = time.perf_counter()
    representation = Representation(plan("trees", blocks, names_of(blocks), Task.BINARY, 2))
    representation.fit_transform(blocks, y, names_of(blocks), seed=0)
    representation.transform(blocks)
    # About a second on an idle core; the bound leaves room for a busy machine, not for a loop over rows.
    assert time.perf_counter() - start < 15
