"""The contract of an algorithm, as checks that any registered class must pass.

>>> from artificer.algorithms.constant import Constant
>>> for check in checks():
...     check(Constant)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.clock import Deadline, ManualClock, SystemClock
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX, Doubles, Floats, Params, Task

Check = Callable[[type[Algorithm]], None]

PARITY = 1e-5
LEVELS = (0.1, 0.5, 0.9)
EXTREMES = (FLOAT32_MAX, -FLOAT32_MAX, 0.0, -0.0, 1e-38, -1e-38, 1e30)
QUICK: Params = {
    "rounds": 40,
    "max_rounds": 60,
    "patience": 10,
    "trees": 15,
    "max_leaves": 60,
    "steps": 8,
    "members": 2,
    "width": 32,
}
"""Smaller models, where an algorithm knows the name, so that the suite is quick."""


def checks() -> tuple[Check, ...]:
    """Every check, in the order in which they are written."""
    return tuple(value for name, value in globals().items() if name.startswith("check_"))


def quick(algorithm: type[Algorithm], **params: Any) -> Algorithm:
    """Construct a small one."""
    return algorithm(**{k: v for k, v in {**QUICK, **params}.items() if k in algorithm.defaults})


def contexts(algorithm: type[Algorithm], **settings: Any) -> Iterator[FitContext]:
    """One context for each task it is tagged with: four classes, three quantiles, values above zero in their unit."""
    classes = {Task.BINARY: 2, Task.MULTICLASS: 4, Task.REGRESSION: 1, Task.QUANTILE: len(LEVELS)}
    for task in sorted(algorithm.tags.tasks):
        unit: dict[str, Any] = {"center": 12.0, "spread": 2.0} if task is Task.REGRESSION else {}
        levels = LEVELS if task is Task.QUANTILE else ()
        yield FitContext(task, classes[task], levels=levels, **unit, **settings)


def table(algorithm: type[Algorithm], context: FitContext, rows: int = 240, seed: int = 0) -> tuple[Floats, Doubles]:
    """Make features and a target that depends on them, with gaps if the algorithm accepts gaps.

    Columns: a signal with gaps, small integers, a wave, a constant, one that is mostly missing, two of noise.
    """
    rng = np.random.default_rng([seed, rows])
    X = rng.normal(size=(rows, 7))
    X[:, 1] = rng.integers(-2, 3, rows)
    X[:, 3] = 1.5
    signal = X[:, 0] + X[:, 1] * np.sin(X[:, 2]) + 0.3 * rng.normal(size=rows)
    if algorithm.tags.missing_values:
        X[rng.random(rows) < 0.2, 0] = np.nan
        X[rng.random(rows) < 0.8, 4] = np.nan
    return X.astype(np.float32), target(signal, context)


def target(signal: Doubles, context: FitContext) -> Doubles:
    if not context.task.is_classification:
        deviation = signal.std()
        standard: Doubles = (signal - signal.mean()) / (deviation if deviation > 0 else 1.0)
        return standard
    cuts = np.quantile(signal, np.linspace(0, 1, context.n_classes + 1)[1:-1])
    return np.digitize(signal, cuts).astype(np.float64)


def probes(algorithm: type[Algorithm], X: Floats, model: Any, seed: int = 1) -> Floats:
    """Rows at which the graph could disagree: new, extreme, full of gaps, on and beside every threshold."""
    rng = np.random.default_rng(seed)
    wild = rng.normal(scale=3.0, size=(120, X.shape[1])).astype(np.float32)
    extreme = rng.choice(np.array(EXTREMES, np.float32), wild.shape)
    parts = [X, wild, extreme]
    near = X[rng.integers(0, len(X), 400)].copy()
    for column, values in thresholds(model).items():
        for step in (0.0, np.inf, -np.inf):
            rows = rng.random(len(near)) < 0.3
            exact = rng.choice(values, int(rows.sum()))
            with np.errstate(all="ignore"):
                near[rows, column] = exact if step == 0.0 else np.nextafter(exact, np.float32(step))
    parts.append(np.clip(np.nan_to_num(near, nan=0.0), -FLOAT32_MAX, FLOAT32_MAX))
    if algorithm.tags.missing_values:
        for part in (wild, extreme, near):
            gaps = part.copy()
            gaps[rng.random(part.shape) < 0.4] = np.nan
            parts.append(np.clip(gaps, -FLOAT32_MAX, FLOAT32_MAX))
        parts.append(np.full((1, X.shape[1]), np.nan))
    return np.concatenate(parts).astype(np.float32)


def thresholds(model: Any) -> dict[int, Floats]:
    """The values that a graph's trees compare each column with."""
    found: dict[int, list[float]] = {}
    for node in model.graph.node:
        fields = {a.name: a for a in node.attribute}
        if "nodes_values" in fields:
            modes = fields["nodes_modes"].strings
            for mode, column, value in zip(
                modes, fields["nodes_featureids"].ints, fields["nodes_values"].floats, strict=True
            ):
                if mode != b"LEAF":
                    found.setdefault(column, []).append(value)
    return {column: np.unique(np.array(values, np.float32)) for column, values in found.items()}


def emitted(fitted: Fitted, features: int, n_classes: int) -> Any:
    """Give the fitted model as an ONNX ModelProto with input ``x`` and output ``scores``."""
    graph = Graph()
    graph.output("scores", fitted.emit(graph, graph.input("x", "float32", features)), "float32", n_classes)
    return graph.model()


def run(model: Any, X: Floats) -> Floats:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    whole: Floats = session.run(None, {"x": X})[0]
    # The runtime takes another way through its trees for one row than for many.
    for row in range(0, len(X), max(len(X) // 20, 1)):
        single = session.run(None, {"x": X[row : row + 1]})[0]
        np.testing.assert_allclose(single[0], whole[row], atol=PARITY)
    return whole


def sound(fitted: Fitted, X: Floats, context: FitContext) -> Doubles:
    """Predict, and hold the answer against its form: shape, finite, probabilities."""
    answer = fitted.predict(X)
    assert answer.shape == (len(X), context.n_classes), answer.shape
    assert answer.dtype == np.float64
    assert np.isfinite(answer).all()
    if context.task.is_classification:
        assert (answer >= 0).all()
    elif context.task is Task.QUANTILE:
        assert (np.diff(answer, axis=1) >= 0).all(), "quantiles cross"
    if context.task.is_classification:
        np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-6)
    return answer


def same(fitted: Fitted, X: Floats, context: FitContext, algorithm: type[Algorithm]) -> None:
    """Hold the graph against the model itself at every probe."""
    model = emitted(fitted, X.shape[1], context.n_classes)
    rows = probes(algorithm, X, model)
    graph = run(model, rows)
    assert graph.dtype == np.float32
    np.testing.assert_allclose(graph, sound(fitted, rows, context), atol=PARITY, rtol=PARITY)


def check_declarations(algorithm: type[Algorithm]) -> None:
    assert algorithm.name
    assert algorithm.tags.tasks
    assert algorithm.tags.representation in ("trees", "linear", "none")
    for name, axis in algorithm.space.items():
        assert name in algorithm.defaults, f"{name} is an axis without a default"
        default = algorithm.defaults[name]
        assert _inside(default, axis), f"{name}: default {default} lies outside {axis}"
    assert algorithm.portfolio
    for configuration in algorithm.portfolio:
        algorithm(**configuration)
        for name, value in configuration.items():
            axis = algorithm.space.get(name, Dimension(-np.inf, np.inf))
            assert _inside(value, axis), f"portfolio: {name}={value} lies outside {axis}"
    assert len({repr(sorted(c.items())) for c in algorithm.portfolio}) == len(algorithm.portfolio)


def _inside(value: Any, axis: Dimension) -> bool:
    return value in axis.choices if axis.choices else axis.low <= value <= axis.high


def check_unknown_hyperparameter(algorithm: type[Algorithm]) -> None:
    try:
        algorithm(no_such_thing=1)
    except TypeError as error:
        message = str(error)
    else:
        message = "an unknown hyperparameter was accepted"
    assert "no_such_thing" in message, message


def check_seconds(algorithm: type[Algorithm]) -> None:
    for configuration in algorithm.portfolio:
        instance = algorithm(**configuration)
        small, large = instance.seconds(1_000, 10, 2), instance.seconds(1_000_000, 10, 2)
        assert 0 < small <= large < 1e6


def check_parity(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        same(quick(algorithm).fit(X, y, context), X, context, algorithm)


def check_parity_with_validation(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm, seed=3):
        X, y = table(algorithm, context)
        other, z = table(algorithm, context, seed=1)
        if algorithm.tags.missing_values:
            other[::7, 2] = np.nan  # missing where training had none
        fitted = quick(algorithm).fit(X, y, context, (other, z))
        same(fitted, X, context, algorithm)
        if algorithm.tags.early_stopping:
            assert fitted.rounds is not None
            assert 1 <= fitted.rounds <= QUICK["max_rounds"]


def check_portfolio_parity(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        for configuration in algorithm.portfolio:
            same(quick(algorithm, **configuration).fit(X, y, context), X, context, algorithm)


def check_extreme_training_values(algorithm: type[Algorithm]) -> None:
    if algorithm.tags.representation == "linear":
        return  # that representation is bounded
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        X[::9, 2], X[1::9, 2], X[2::9, 5] = FLOAT32_MAX, -FLOAT32_MAX, -FLOAT32_MAX
        same(quick(algorithm).fit(X, y, context), X, context, algorithm)


def check_learns(algorithm: type[Algorithm]) -> None:
    """Better than the constant answer on rows it has not seen, unless it is the constant answer."""
    if algorithm.tags.family == "constant":
        return
    for context in contexts(algorithm):
        X, y = table(algorithm, context, rows=600)
        X, y, new, z = X[:400], y[:400], X[400:], y[400:]
        answer = quick(algorithm).fit(X, y, context).predict(new)
        if context.task.is_classification:
            frequency = np.bincount(y.astype(int), minlength=context.n_classes) / len(y)
            codes = z.astype(int)
            loss = -np.log(np.maximum(answer[np.arange(len(z)), codes], 1e-9)).mean()
            assert loss < 0.95 * -np.log(frequency[codes]).mean()
        elif context.task is Task.QUANTILE:
            assert pinball(z, answer) < 0.95 * pinball(z, np.tile(np.quantile(y, LEVELS), (len(z), 1)))
            inside = ((answer[:, 0] <= z) & (z <= answer[:, -1])).mean()
            assert 0.5 < inside <= 1.0, f"{inside:.0%} of new rows lie between the outer quantiles"
        else:
            assert ((answer[:, 0] - z) ** 2).mean() < 0.9 * ((y.mean() - z) ** 2).mean()


def pinball(y: Doubles, quantiles: Doubles) -> float:
    """Mean loss over rows and LEVELS: what lies above a quantile costs its level, what lies below the rest of 1."""
    gap = y[:, None] - quantiles
    return float(np.maximum(np.array(LEVELS) * gap, (np.array(LEVELS) - 1) * gap).mean())


def check_rounds_repeat(algorithm: type[Algorithm]) -> None:
    """A refit with the rounds that early stopping chose has as many rounds."""
    if not algorithm.tags.early_stopping:
        return
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        first = quick(algorithm).fit(X, y, context, table(algorithm, context, seed=1))
        again = quick(algorithm, rounds=first.rounds).fit(X, y, context)
        assert again.rounds == first.rounds


def check_determinism(algorithm: type[Algorithm]) -> None:
    for threads in (1, 2):
        for context in contexts(algorithm, seed=7, threads=threads):
            X, y = table(algorithm, context)
            one, two = (quick(algorithm).fit(X, y, context) for _ in range(2))
            np.testing.assert_array_equal(one.predict(X), two.predict(X))


def check_inputs_untouched(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        kept = X.copy(), y.copy()
        for array in (X, y):
            array.flags.writeable = False
        fitted = quick(algorithm).fit(X, y, context)
        np.testing.assert_array_equal(fitted.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(X, kept[0])
        np.testing.assert_array_equal(y, kept[1])


def check_deadline_already_passed(algorithm: type[Algorithm]) -> None:
    clock = ManualClock(elapsed=10.0)
    for context in contexts(algorithm, deadline=Deadline(clock, at=5.0)):
        X, y = table(algorithm, context)
        fitted = algorithm().fit(X, y, context, table(algorithm, context, seed=1))
        same(fitted, X, context, algorithm)
        if algorithm.tags.early_stopping:
            assert fitted.rounds == 1
            assert not fitted.complete


def check_deadline_ends_a_long_fit(algorithm: type[Algorithm]) -> None:
    clock = SystemClock()
    for context in contexts(algorithm):
        X, y = table(algorithm, context, rows=2000)
        endless = {"rounds": 100_000, "max_rounds": 100_000, "patience": 100_000, "trees": 100_000, "max_iter": 10**6}
        instance = algorithm(**{k: v for k, v in endless.items() if k in algorithm.defaults})
        hurried = replace(context, deadline=Deadline.after(clock, 0.4))
        started = clock.monotonic()
        sound(instance.fit(X, y, hurried, (X, y)), X, context)
        assert clock.monotonic() - started < 20


def check_absent_class(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        if not context.task.is_classification:
            continue
        X, y = table(algorithm, context)
        for absent in range(context.n_classes):
            rows = y != absent
            fitted = quick(algorithm).fit(X[rows], y[rows], context, (X, y))
            same(fitted, X, context, algorithm)
            assert fitted.predict(X)[:, absent].mean() < 0.2


def check_single_feature(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        same(quick(algorithm).fit(X[:, :1], y, context), X[:, :1], context, algorithm)


def check_few_rows(algorithm: type[Algorithm]) -> None:
    """One and two rows of each class; one, two and three of a value."""
    for context in contexts(algorithm):
        classes = context.n_classes if context.task.is_classification else 1
        for each in (1, 2, 3):
            rng = np.random.default_rng(each)
            X = rng.normal(size=(classes * each, 3)).astype(np.float32)
            codes = np.repeat(np.arange(classes), each).astype(np.float64)
            y = codes if context.task.is_classification else target(rng.normal(size=each), context)
            same(quick(algorithm).fit(X, y, context), X, context, algorithm)
            sound(quick(algorithm).fit(X, y, context, (X[:1], y[:1])), X, context)


def check_constant_features(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        fillings = [2.5, np.nan] if algorithm.tags.missing_values else [2.5]
        for value in fillings:
            flat = np.full_like(X, value)
            same(quick(algorithm).fit(flat, y, context), flat, context, algorithm)
            sound(quick(algorithm).fit(flat, y, context, (X, y)), X, context)


def check_constant_target(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, _ = table(algorithm, context)
        same(quick(algorithm).fit(X, np.zeros(len(X)), context), X, context, algorithm)


def check_weights(algorithm: type[Algorithm]) -> None:
    """Weights are accepted, and rows of weight ten count for more."""
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        favoured = y == y.max() if context.task.is_classification else y > 0
        weight = np.where(favoured, 10.0, 1.0)
        plain, weighted = quick(algorithm).fit(X, y, context), quick(algorithm).fit(X, y, context, weight=weight)
        same(weighted, X, context, algorithm)
        assert weighted.predict(X)[:, -1].mean() > plain.predict(X)[:, -1].mean()


def check_weights_count_rows(algorithm: type[Algorithm]) -> None:
    """A row of weight four moves the predictions of new rows, in their mean, about as far as four equal rows do.

    Not quite as far: a learner that draws rows draws as many as there are, whatever their weights.
    And a Gaussian process takes equal answers of equal rows for a sign that there is little noise.
    """
    if algorithm.tags.family == "kernel":
        return
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        times = np.where(y == y.max() if context.task.is_classification else y > 0, 4, 1)
        plain = quick(algorithm).fit(X, y, context)
        weighted = quick(algorithm).fit(X, y, context, weight=times.astype(np.float64))
        repeated = quick(algorithm).fit(np.repeat(X, times, axis=0), np.repeat(y, times), context)
        new, _ = table(algorithm, context, seed=1)
        column = context.n_classes // 2 if context.task is Task.QUANTILE else -1
        before, now, wanted = (fitted.predict(new)[:, column].mean() for fitted in (plain, weighted, repeated))
        assert 0.3 < (now - before) / (wanted - before) < 4, (before, now, wanted)


def check_monotone(algorithm: type[Algorithm]) -> None:
    """Along a constrained column no step goes the wrong way, wherever the other columns stand."""
    if not algorithm.tags.monotone_constraints:
        return
    directions = (1, 0, -1, 0, 0, 0, 0)
    for context in contexts(algorithm, monotone=directions):
        if context.task in (Task.MULTICLASS, Task.QUANTILE):
            continue  # of more than two classes none is what rises; leaves of quantiles are moved after they have grown
        X, y = table(algorithm, context, rows=400)
        fitted = quick(algorithm).fit(X, y, context, table(algorithm, context, seed=1))
        model = emitted(fitted, X.shape[1], context.n_classes)
        for column in (0, 2):
            grid = np.repeat(X[:40], 41, axis=0)
            grid[:, column] = np.tile(np.linspace(-4, 4, 41), 40)
            for answer, slack in ((fitted.predict(grid), 1e-12), (run(model, grid), 1e-6)):
                steps = np.diff(answer[:, -1].reshape(40, 41), axis=1) * directions[column]
                assert steps.min() >= -slack, f"column {column}: a step of {steps.min():g}"


def check_no_rows_to_predict(algorithm: type[Algorithm]) -> None:
    for context in contexts(algorithm):
        X, y = table(algorithm, context)
        assert quick(algorithm).fit(X, y, context).predict(X[:0]).shape == (0, context.n_classes)


def check_quiet(algorithm: type[Algorithm]) -> None:
    """Nothing is written to the standard streams, warnings included."""
    import warnings

    with _captured() as said, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for context in contexts(algorithm):
            X, y = table(algorithm, context, rows=60)
            fitted = quick(algorithm).fit(X, y, context, (X, y))
            fitted.predict(X)
            emitted(fitted, X.shape[1], context.n_classes)
            quick(algorithm).fit(X[:5], np.array([0.0, 0.0, 1.0, 0.0, 0.0]), context)
    assert not said, said
    assert not [w for w in warned if not issubclass(w.category, DeprecationWarning)], [str(w.message) for w in warned]


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collect what is written to file descriptors 1 and 2, which C++ libraries use directly."""
    said: list[str] = []
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield said
        finally:
            for number, original in zip((1, 2), kept, strict=True):
                os.dup2(original, number)
                os.close(original)
            file.seek(0)
            said.extend(file.read().decode(errors="replace").splitlines())
