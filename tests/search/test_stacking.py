"""A linear second level: weights by regression, averages of log-probabilities, taken where they are surely better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from artificer.bundle.assemble import assemble
from artificer.search import choice
from artificer.search.search import refit, run_search
from artificer.search.stacking import fitted_weights, pooled
from artificer.tables.prepare import prepare
from artificer.types import Task


def test_weights_of_classes_are_those_the_data_were_made_with() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 6000))
    y = (rng.uniform(size=6000) < 1 / (1 + np.exp(-(1.5 * z[0] + 0.5 * z[1])))).astype(np.float64)
    scores = np.stack([np.stack([1 / (1 + np.exp(each)), 1 / (1 + np.exp(-each))], axis=1) for each in z])
    found = fitted_weights(Task.BINARY, scores, y, np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [0.75, 0.25], atol=0.03)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_member_that_misleads_gets_no_weight(task) -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, size=2000)
    y = (rng.uniform(size=2000) < p).astype(np.float64)
    columns = (lambda q: np.stack([1 - q, q], axis=1)) if task is Task.BINARY else (lambda q: q[:, None])
    scores = np.stack([columns(p), columns(1 - p)])
    np.testing.assert_allclose(fitted_weights(task, scores, y, np.array([0.2, 0.8])), [1.0, 0.0], atol=0.1)


def test_a_second_level_that_was_chosen_is_in_the_graph_and_in_the_recipe(request_of, fakes, monkeypatch) -> None:
    import onnxruntime
    import polars as pl

    monkeypatch.setattr(choice, "surely_less", lambda *_: True)
    options = tuple(fakes("plain", f"p{i}", blur=2.0) for i in range(4))
    request = request_of(candidates=options)
    result = run_search(request)
    assert len(result.members) > 1
    assert result.pooling == result.recipe["pooling"] == "logarithmic"
    blocks = request.blocks
    frame = pl.DataFrame(
        {**{name: blocks.numbers[:, j] for j, name in enumerate("abc")}, "colour": blocks.strings[:, 0].tolist()}
        | {"when": pl.Series(blocks.times[:, 0]).cast(pl.Datetime("ms")), "y": request.y}
    )
    contract = prepare(frame, target="y", task=Task.BINARY).contract
    model = assemble(result.graphs(), result.calibration, contract, result.pooling)
    session = onnxruntime.InferenceSession(model)
    feed = {"numbers": blocks.numbers, "strings": blocks.strings, "times": blocks.times}
    found = session.run(None, {edge.name: feed[edge.name] for edge in session.get_inputs()})[0]
    parts = []
    for member in result.members:
        own = []
        for part in member.parts:
            first = onnxruntime.InferenceSession(part.representation.model)
            features = first.run(None, {name: feed[name] for name in part.representation.inputs})[0]
            second = onnxruntime.InferenceSession(part.model.model)
            own.append(second.run(None, {part.model.inputs[0]: features})[0])
        parts.append(np.mean(own, axis=0))
    expected = result.calibration.apply(pooled(parts, [m.weight for m in result.members], "logarithmic"))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert refit(result.recipe, replace(request, candidates=None)).pooling == "logarithmic"


def test_only_what_is_less_by_more_than_its_error_counts() -> None:
    overlap = 20 / 80
    losses = np.array([0.30, 0.31, 0.29, 0.30, 0.32])
    assert choice.surely_less(losses - 0.01, losses, overlap)
    assert not choice.surely_less(losses - np.array([0.03, -0.02, 0.0, 0.01, -0.01]), losses, overlap)
    assert not choice.surely_less(losses, losses, overlap)
    assert not choice.surely_less(np.full(5, np.nan), losses, overlap)
