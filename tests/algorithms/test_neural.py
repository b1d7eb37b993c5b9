"""What the networks do beyond the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from artificer.algorithms.base import FitContext
from artificer.algorithms.mlp import MLP, Perceptrons
from artificer.algorithms.nets import Answers, Squash, forward, mean_loss
from artificer.algorithms.tabm import Bins, TabM, torch_threads
from artificer.clock import Deadline, ManualClock
from artificer.features.planning import plan
from artificer.search.processes import ProcessExecutor
from artificer.search.tasks import FitTask, TrainingData
from artificer.types import Blocks, Kind, Task

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="pip install 'artificer[neural]'")
SMALL = {"members": 2, "width": 16, "rounds": 5}


def waves(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    X[:, 3] = X[:, 3] > 0
    return X, np.sin(2 * X[:, 0]) + X[:, 3]


def context(task, **settings):
    return FitContext(task, {Task.BINARY: 2, Task.MULTICLASS: 3, Task.REGRESSION: 1}[task], **settings)


def targets(task):
    values = waves()[1]
    return values if task is Task.REGRESSION else np.digitize(values, [0.0, 1.0][: 1 + (task is Task.MULTICLASS)]) * 1.0


@pytest.mark.parametrize("task", list(Task)[:3])
def test_the_slope_of_the_loss_is_its_derivative(task):
    X, y = waves()[0], targets(task)
    answers = Answers.of(y, context(task), np.linspace(0.5, 1.5, len(y)))
    net = Perceptrons(X, Squash.of(X), answers, {**MLP.defaults, **SMALL}, np.random.default_rng(0))
    rows = np.random.default_rng(1).integers(0, len(X), (2, 20))
    start = net.theta.copy()

    def loss(theta):
        raw = forward(net.X[rows], net.layers(theta)).astype(np.float64)
        codes, weight = answers.codes[rows], answers.weight[rows]
        if task is Task.REGRESSION:
            each = (raw[..., 0] - codes) ** 2 / 2
        elif task is Task.BINARY:
            each = np.logaddexp(0, raw[..., 0]) - codes * raw[..., 0]
        else:
            chosen = np.take_along_axis(raw, codes[..., None], axis=-1)[..., 0]
            each = np.log(np.exp(raw).sum(axis=-1)) - chosen
        return (each * weight).sum() / rows.shape[1]

    net.step(rows)
    direction = np.random.default_rng(2).normal(size=len(start))
    wide = start.astype(np.float64), direction * 1e-5
    expected = (loss(wide[0] + wide[1]) - loss(wide[0] - wide[1])) / 2e-5
    assert net.slope @ direction == pytest.approx(expected, rel=1e-3)


def test_the_weights_of_the_best_epoch_are_kept():
    X, y = waves(60)
    noise, fresh = np.random.default_rng(3).normal(size=(2, 60))
    settings = {**SMALL, "max_rounds": 60, "patience": 60, "lr": 1e-2, "width": 64}
    stopped = MLP(**settings).fit(X, y + 2 * noise, context(Task.REGRESSION), (X, y + 2 * fresh))
    assert stopped.rounds < 60
    for rounds, at_least in ((stopped.rounds, 1.0), (60, 1.01)):
        other = MLP(**{**settings, "rounds": rounds}).fit(X, y + 2 * noise, context(Task.REGRESSION))
        loss = mean_loss(other, X, y + 2 * fresh)
        assert loss >= at_least * mean_loss(stopped, X, y + 2 * fresh)


def test_the_deadline_is_asked_within_an_epoch():
    class Ticking(ManualClock):
        def monotonic(self):
            self.advance(1.0)
            return self.elapsed

    X, y = waves(2000)
    fitted = MLP(**SMALL).fit(X, y, context(Task.REGRESSION, deadline=Deadline(Ticking(), at=10.0)))
    assert fitted.rounds == 1
    assert not fitted.complete


def test_far_values_are_drawn_in_and_stay_in_order():
    X = np.float32([[-1e30], [-5.0], [0.0], [0.5], [7.0], [3e38]])
    drawn = Squash.of(X).apply(X)[0, :, 0]
    assert np.abs(drawn).max() <= 3.0
    assert all(a < b for a, b in pairwise(drawn))


def test_a_value_fills_the_bins_below_it():
    X = np.linspace(0, 8, 801, dtype=np.float32)[:, None]
    bins = Bins.of(X, 4)
    shares = ((np.float32([[0.0], [3.0], [8.0]]) - bins.lower) * bins.slope).clip(0, 1)[0]
    np.testing.assert_allclose(shares, [[0, 0, 0, 0], [1, 0.5, 0, 0], [1, 1, 1, 1]], atol=1e-6)


def test_flags_and_columns_beyond_the_cap_are_not_embedded():
    X = np.random.default_rng(0).normal(size=(50, 120)).astype(np.float32)
    assert len(Bins.of(X, 8).flags) == 120
    X[:, 2] = X[:, 2] > 0
    bins = Bins.of(X[:, :3], 8)
    assert (bins.numbers.tolist(), bins.flags.tolist()) == ([0, 1], [2])


def test_an_optional_library_is_not_loaded_ahead():
    code = "import sys; from artificer.search.libraries import load; load('tabm'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_torch
def test_training_and_serving_see_the_same_inputs():
    import torch

    from artificer.algorithms.tabm import Ensemble

    X, y = waves()
    answers = Answers.of(y, context(Task.REGRESSION), None)
    net = Ensemble(X, Bins.of(X, 8), answers, {**TabM.defaults, **SMALL}, seed=0)
    net.epoch(lambda: False)
    front, layers = net.weights()
    embedding, body = net.parts(net.optimizer.average)
    np.testing.assert_allclose(front.apply(X), net.inputs(net.X, embedding).numpy(), atol=1e-6)
    raw = forward(net.inputs(net.X, embedding), body, torch.relu)
    np.testing.assert_allclose(forward(front.apply(X), layers), raw.numpy(), atol=1e-5)


@needs_torch
def test_the_number_of_threads_is_put_back():
    import torch

    before = torch.get_num_threads()
    X, y = waves(60)
    with torch_threads(before + 1):
        TabM(**SMALL).fit(X, y, context(Task.REGRESSION))
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@needs_torch
@pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")
def test_tabm_in_forked_processes_gives_what_it_gives_here(tmp_path):
    X, y = waves(9000)
    params = {"members": 2, "width": 16, "max_rounds": 2}
    names = {Kind.NUMBERS: ["a", "b", "c", "d"], Kind.STRINGS: [], Kind.TIMES: []}
    blocks = Blocks(X, np.zeros((len(X), 0), object), np.zeros((len(X), 0), np.int64))
    halves = np.arange(8500), np.arange(8500, 9000)
    data = TrainingData(blocks, y, Task.REGRESSION, 1, names, (halves,))
    spec = plan("linear", blocks, names, Task.REGRESSION, 1)
    with ProcessExecutor(parent=tmp_path).open(data) as session:
        orders = [
            FitTask(i, "tabm", "tabm", params, spec, 0, seed=0, threads=threads) for i, threads in ((1, 1), (2, 2))
        ]
        first, second = [session.submit(task).result(120) for task in orders]
        boosted = session.submit(FitTask(3, "lightgbm", "lightgbm", {}, spec, 0, seed=0)).result(120)
    assert first.ok, first.reason
    assert second.ok, second.reason
    assert boosted.ok, boosted.reason
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-3)
    assert first.rounds >= 1
