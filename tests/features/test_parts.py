"""Encoders that use the target keep to the parts they are told: no row's feature holds a target of its own part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.clock import SystemClock
from artificer.features.base import Encoder
from artificer.features.categorical_target import CategoricalTarget
from artificer.features.category_pairs import CategoryPairs
from artificer.features.representation import RepresentationSpec
from artificer.features.spec import EncoderStep
from artificer.features.text_target import TextTarget
from artificer.search.tasks import FitTask, TrainingData, encode
from artificer.types import Blocks, Kind, Task


@pytest.mark.parametrize("encoder", [CategoricalTarget(), TextTarget(min_rows=1)], ids=lambda e: e.name)
@settings(max_examples=30, deadline=None)
@given(st.integers(6, 60), st.integers(2, 5), st.integers(0, 1000))
def test_targets_of_the_own_part_say_nothing(encoder: Encoder, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = np.array(["ab", "cd", "ef"], dtype=object)[rng.integers(0, 3, (n, 1))]
    parts, y = rng.integers(0, k, n).astype(np.int64), rng.integers(0, 2, (n, 1)).astype(np.float64)
    other = y.copy()
    own = np.flatnonzero(parts == parts[0])
    other[own] = rng.permutation(y[own])  # the average of all stays, so that it tells nothing
    make = type(encoder)
    first = make(**encoder.params()).fit_transform(block, y, ["word"], parts=parts)
    second = make(**encoder.params()).fit_transform(block, other, ["word"], parts=parts)
    np.testing.assert_array_equal(first[own], second[own])


def test_crossed_categories_are_told_too() -> None:
    rng = np.random.default_rng(0)
    block = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, (1000, 2))]
    y = np.float64(block[:, :1] == block[:, 1:])
    parts = np.arange(1000) * 5 // 1000
    found = CategoryPairs(smoothing=1.0).fit_transform(block, y, ["left", "right"], parts=parts)
    dealt = CategoryPairs(smoothing=1.0).fit_transform(block, y, ["left", "right"])
    assert found.shape == dealt.shape == (1000, 2)
    assert len(np.unique(found[:, 1])) <= 5 * 4


def test_a_search_over_groups_does_not_learn_patients_by_heart() -> None:
    """Averages of the target over a category that tells the group: of no use, as new groups have other categories."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(100), 10)
    y = rng.integers(0, 2, 100)[group].astype(np.float64)
    blocks = Blocks(
        np.zeros((1000, 0), np.float32),
        np.array([[f"w{g}"] for g in group], dtype=object),
        np.zeros((1000, 0), np.int64),
    )
    names = {Kind.NUMBERS: [], Kind.STRINGS: ["ward"], Kind.TIMES: [], Kind.TEXTS: []}
    rows = np.arange(1000)
    data = TrainingData(blocks, y, Task.BINARY, 2, names, ((rows[:800], rows[800:]),))
    spec = RepresentationSpec("linear", (EncoderStep("categorical_target", {}, Kind.STRINGS, (0,)),))
    task = FitTask(1, "x", "ridge", {}, spec, 0, seed=0)

    def correlation(data: TrainingData, task: FitTask) -> float:
        features = encode(task, data, *data.folds[0], SystemClock()).train[:, 0]
        return 0.0 if np.ptp(features) < 1e-6 else float(np.corrcoef(features, y[:800])[0, 1])

    grouped = replace(data, groups=group)
    assert correlation(data, task) > 0.9
    assert abs(correlation(grouped, task)) < 0.2
    assert correlation(grouped, replace(task, at_random=True)) > 0.9
