"""Representations with modifiers: generated features find what is there, and selection leaves out the rest."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from artificer.algorithms.base import ALL_TASKS
from artificer.errors import ConfigurationError
from artificer.features.category_pairs import CategoryPairs
from artificer.features.numeric_pairs import NumericPairs
from artificer.features.planning import MODIFIERS, parsed
from artificer.features.representation import Representation, RepresentationSpec, plan, target_columns
from artificer.features.selection import choose_features
from artificer.testing.encoders import assert_same
from artificer.types import MISSING_TIME, Blocks, Kind, Task

from .test_representation import extreme_rows, names_of, run, table


def signal(n: int = 800, seed: int = 0) -> tuple[Blocks, Any]:
    """A table whose target hangs on a ratio, on a number within its category, and on two categories at once."""
    blocks = table(n, levels=(2, 3, 40), numbers=4, seed=seed)
    rng = np.random.default_rng(seed)
    numbers, strings = blocks.numbers, blocks.strings
    codes = [np.unique(strings[:, j], return_inverse=True)[1] for j in range(3)]
    numbers[:, 2] = 30 * codes[2] + rng.normal(size=n)
    numbers[:, 3] = np.nan_to_num(numbers[:, 2])  # a double
    ratio = np.nan_to_num(numbers[:, 0] / numbers[:, 1]) > 1
    within = numbers[:, 2] - 30 * codes[2]
    return blocks, 1.0 * ratio + within + 1.0 * ((codes[0] + codes[1]) % 2)


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
@pytest.mark.parametrize(
    "name",
    ["trees+pairs", "trees+groups", "trees+cross", "trees+selected", "linear+selected", "trees+" + "+".join(MODIFIERS)],
)
def test_graph_and_python_agree_with_every_modifier(name: str, task: Task) -> None:
    blocks, value = signal()
    c = {Task.BINARY: 2, Task.MULTICLASS: 3, Task.REGRESSION: 1}[task]
    y = np.digitize(value, np.quantile(value, np.arange(1, c) / c)) if task.is_classification else value
    spec = plan(name, blocks, names_of(blocks), task, c)
    representation = Representation(RepresentationSpec.from_json(json.loads(json.dumps(spec.to_json()))))
    training = representation.fit_transform(blocks, target_columns(y, task, c), names_of(blocks), seed=0)
    p = len(representation.feature_names_)
    assert training.shape == (800, p)
    fragment = representation.fragment()
    later, _ = signal(100, seed=1)
    for rows in (blocks, later, later.take(slice(0, 1)), later.take(slice(0, 0)), extreme_rows(blocks)):
        features = representation.transform(rows)
        assert features.shape == (len(rows), p)
        assert not np.isinf(features).any()
        assert_same(run(fragment, rows), features, name)


def made(name: str) -> tuple[str, ...]:
    blocks, value = signal()
    representation = Representation(plan(name, blocks, names_of(blocks), Task.REGRESSION, 1))
    representation.fit_transform(blocks, value[:, None], names_of(blocks), seed=0)
    return representation.feature_names_


def test_generated_features_find_what_the_target_hangs_on() -> None:
    plain = set(made("trees"))
    assert "numbers 2 - average by strings 2" in set(made("trees+groups")) - plain
    assert {"strings 0 & strings 1 (target)", "strings 0 & strings 1 (log frequency)"} == set(
        made("trees+cross")
    ) - plain


def test_a_product_is_found_and_noise_makes_no_features() -> None:
    rng = np.random.default_rng(1)
    block = rng.normal(size=(3000, 6)).astype(np.float32)
    names = [*"abcdef"]
    found = NumericPairs().fit(block, np.float64(block[:, 1:2] * block[:, 4:5]), names).feature_names_
    assert "b * e" in found
    assert NumericPairs().fit(block, rng.normal(size=(3000, 1)), names).feature_names_ == ()
    letters = np.array([*"abcd"], dtype=object)[rng.integers(0, 4, (3000, 5))]
    assert CategoryPairs().fit(letters, rng.normal(size=(3000, 1)), names[:5]).feature_names_ == ()


def test_ratios_with_nothing_below_are_missing() -> None:
    rng = np.random.default_rng(2)
    block = rng.lognormal(size=(2000, 2)).astype(np.float32)
    encoder = NumericPairs(most=100, least=-1e9).fit(block, np.float64(block[:, :1] / block[:, 1:]), ["a", "b"])
    assert "a / b" in encoder.feature_names_
    features = encoder.transform(np.array([[0, 1], [1, 0], [1e38, 1e-38]], dtype=np.float32))
    ratio = features[:, encoder.feature_names_.index("a / b")]
    np.testing.assert_array_equal(ratio, np.array([0, np.nan, np.finfo(np.float32).max], dtype=np.float32))


def test_crossed_averages_are_taken_out_of_fold() -> None:
    rng = np.random.default_rng(3)
    block = np.array([f"level {i}" for i in range(40)], dtype=object)[rng.integers(0, 40, (1500, 2))]
    y = rng.normal(size=(1500, 1))
    encoder = CategoryPairs(smoothing=0.1, least=-1e9, rows_per_cell=0)
    training = encoder.fit_transform(block, y, ["a", "b"], seed=0)[:, 1]
    in_fold = encoder.transform(block)[:, 1]
    assert abs(np.corrcoef(training, y[:, 0])[0, 1]) < 0.1
    assert np.corrcoef(in_fold, y[:, 0])[0, 1] > 0.5


def test_selection_leaves_out_doubles_and_noise_and_their_encoders() -> None:
    rng = np.random.default_rng(4)
    numbers = rng.normal(size=(1000, 40)).astype(np.float32)
    numbers[:, 7] = 1 - 3 * numbers[:, 0]
    times = rng.integers(1_500_000_000, 1_700_000_000, (1000, 1))
    blocks = Blocks(numbers, np.empty((1000, 0), dtype=object), times)
    y = (numbers[:, 0] + numbers[:, 20] ** 2)[:, None].astype(np.float64)
    representation = Representation(plan("trees+selected", blocks, names_of(blocks), Task.REGRESSION, 1))
    features = representation.fit_transform(blocks, y, names_of(blocks), seed=0)
    names = representation.feature_names_
    assert {"numbers 0", "numbers 20"} <= set(names)
    assert "numbers 7" not in names
    assert len(names) == features.shape[1] < 25
    np.testing.assert_array_equal(features[:, names.index("numbers 20")], numbers[:, 20])


def test_selection_keeps_features_that_differ_in_what_is_missing() -> None:
    rng = np.random.default_rng(5)
    X = np.repeat(rng.normal(size=(600, 1)), 3, axis=1).astype(np.float32)
    X[:300, 1] = np.nan
    assert choose_features(X, np.arange(600.0)[:, None], seed=0).tolist() == [0, 1]


def test_selection_of_very_wide_matrices_is_bounded_and_finds_the_signal() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(400, 2000)).astype(np.float32)
    X[:, 3] = np.nan
    kept = choose_features(X, np.float64(X[:, 1234:1235] > 0), seed=0)
    assert 1234 in kept
    assert 3 not in kept
    assert len(kept) <= 300


def test_modifiers_are_named_and_normalised() -> None:
    assert parsed("trees+selected+cross+pairs+pairs") == ("trees", ("pairs", "cross", "selected"))
    blocks = table(50)
    assert plan("trees+selected+pairs", blocks, names_of(blocks), Task.BINARY, 2) == plan(
        "trees+pairs+selected", blocks, names_of(blocks), Task.BINARY, 2
    )
    for name, hint in (("tree", "trees"), ("trees+selectd", "selected"), ("linear+pairs", "go with trees")):
        with pytest.raises(ConfigurationError, match=hint):
            plan(name, blocks, names_of(blocks), Task.BINARY, 2)
    with pytest.raises(ConfigurationError, match="does not go together"):
        parsed("none+selected")


def test_modifiers_without_the_columns_they_need_change_nothing() -> None:
    blocks = Blocks(
        np.arange(50, dtype=np.float32)[:, None], np.empty((50, 0), dtype=object), np.full((50, 1), MISSING_TIME)
    )
    spec = plan("trees+pairs+groups+cross", blocks, {kind: ["x"] for kind in Kind}, Task.BINARY, 2)
    assert [step.encoder for step in spec.steps] == ["numeric_passthrough"]
