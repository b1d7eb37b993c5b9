"""One fit, as data: what an executor is handed, the pure function it runs, and what comes back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from artificer.algorithms.base import FitContext, algorithms
from artificer.clock import Clock, Deadline, derive_seed
from artificer.features.representation import Representation, RepresentationSpec, target_columns
from artificer.graph import Fragment, Graph
from artificer.search.latency import NOTHING, Price, itemised, price
from artificer.splits.parts import inner_parts
from artificer.types import Blocks, Doubles, Floats, Ints, Json, Kind, Params, Task

ROUND_KEYS = ("rounds", "n_rounds")
"""Names under which early-stopping algorithms keep the rounds of a fit without validation rows."""

ENCODING_PARTS = 5
"""Folds within training by which encoders that use the target encode its rows."""


@dataclass(frozen=True)
class TrainingData:
    """The table every fit of a run sees: `y` is class codes, or the standardised target.

    Attributes
    ----------
    weight : (n,) how much each row counts, 1 on average; None where all count alike.
    class_weights : (c,) how much more the rows of each class count in learning; None where they count alike.
    monotone : (k,) 1 or -1 for columns of numbers with which scores may only rise or fall, else 0; () for none at all.
    levels : the quantiles that are wanted, rising; empty for other tasks.
    center, spread : the target of a regression or of quantiles in its own unit is ``y * spread + center``.
    groups, times : (n,) what keeps rows together and what orders them, for encoders that use the target; None where
        rows are exchangeable.
    """

    blocks: Blocks
    y: Doubles
    task: Task
    n_classes: int
    names: Mapping[Kind, Sequence[str]]
    folds: tuple[tuple[Ints, Ints], ...]
    weight: Doubles | None = None
    class_weights: Doubles | None = None
    monotone: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    center: float = 0.0
    spread: float = 1.0
    groups: Ints | None = None
    times: Ints | None = None

    @cached_property
    def exchangeable(self) -> bool:
        """Whether each row is validated by one fold and trains all others, as it is not in chains over time."""
        n = len(self.blocks)
        if len(self.folds) < 2 or any(len(train) + len(valid) != n for train, valid in self.folds):
            return False
        return bool((np.bincount(np.concatenate([valid for _, valid in self.folds]), minlength=n) == 1).all())

    def encoding_parts(self, rows: Ints, seed: int) -> Ints | None:
        """The folds (m,) by which encoders that use the target encode training rows; None for random ones."""
        if self.groups is None and self.times is None:
            return None
        groups, times = (None if codes is None else codes[rows] for codes in (self.groups, self.times))
        return inner_parts(len(rows), ENCODING_PARTS, seed, groups, times)

    def weight_of(self, rows: Ints) -> Doubles | None:
        """How much rows count in a score."""
        return None if self.weight is None else self.weight[rows]

    def fit_weight(self, rows: Ints) -> Doubles | None:
        """How much rows count in learning, 1 on average."""
        weight = self.weight_of(rows)
        if self.class_weights is not None:
            weight = self.class_weights[self.y[rows].astype(np.int64)] * (1.0 if weight is None else weight)
        if weight is None or not weight.any():
            return None
        scaled: Doubles = weight / weight.mean()
        return scaled


@dataclass(frozen=True)
class FitTask:
    """Fit one candidate on one fold, or on all rows.

    Attributes
    ----------
    fold : index into the data's folds; None fits on all rows, without validation, and returns fragments.
    max_rows : training rows are sampled down to this many.
    keep_model : a fold's fit returns its fragments too, as a part of a member or a model to fall back on.
    apart : encoders see the training rows alone, as those of validation stand for groups that are yet to be met.
    at_random : encoders that use the target take rows as exchangeable, whatever groups and times the data have.
    soft_seconds : iterative learners stop adding rounds after this; `hard_seconds`: the fit is killed.
    """

    id: int
    candidate: str
    algorithm: str
    params: Params
    representation: RepresentationSpec
    fold: int | None
    seed: int
    threads: int = 1
    max_rows: int | None = None
    keep_model: bool = False
    apart: bool = False
    at_random: bool = False
    soft_seconds: float = math.inf
    hard_seconds: float = math.inf

    def to_json(self) -> Json:
        """For the pipe to a worker; endless limits become null."""
        data = {key: getattr(self, key) for key in self.__dataclass_fields__}
        data["representation"] = self.representation.to_json()
        return {key: None if value == math.inf else value for key, value in data.items()}

    @classmethod
    def from_json(cls, data: Json) -> FitTask:
        data = dict(data)
        data["representation"] = RepresentationSpec.from_json(data["representation"])
        for key in ("soft_seconds", "hard_seconds"):
            data[key] = math.inf if data[key] is None else data[key]
        return cls(**data)

    @property
    def representation_key(self) -> str:
        """Equal for equal specs."""
        text = json.dumps(self.representation.to_json(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def features_key(self) -> str:
        """Names the encoded matrices this fit needs; equal keys are encoded once."""
        rows = "all" if self.fold is None else str(self.fold)
        return f"{self.representation_key}-{rows}-{self.max_rows or 0}"


@dataclass(frozen=True)
class Encoded:
    """Features of one fold: training and validation rows, the graph where one was asked for, and their directions."""

    train: Floats
    valid: Floats
    fragment: Fragment | None
    seconds: float
    monotone: tuple[int, ...] = ()


class FeatureStore(Protocol):
    """Keeps encoded matrices, so that candidates with one representation share them."""

    def get(self, key: str) -> Encoded | None: ...

    def put(self, key: str, encoded: Encoded) -> None: ...


class MemoryStore:
    """Keeps matrices in this process, the oldest forgotten first once `limit_mb` is passed."""

    def __init__(self, limit_mb: float = 512.0) -> None:
        self.limit = limit_mb * 2**20
        self.kept: dict[str, Encoded] = {}

    def get(self, key: str) -> Encoded | None:
        return self.kept.get(key)

    def put(self, key: str, encoded: Encoded) -> None:
        self.kept[key] = encoded
        while len(self.kept) > 1 and sum(e.train.nbytes + e.valid.nbytes for e in self.kept.values()) > self.limit:
            del self.kept[next(iter(self.kept))]


@dataclass(frozen=True)
class FitOutcome:
    """How a fit ended. A death or an exception is an outcome too, with its reason.

    Attributes
    ----------
    ok : False where `reason` says why there are no scores.
    scores : (n_valid, c) for a fold; None for a fit on all rows.
    seconds : of fitting and predicting; `encode_seconds` of encoding, 0 where the store had it.
    features : columns of the encoded matrix.
    representation, model : the fragments, where they were asked for and are in memory.
    place : the folder that keeps both where they are files.
    encoder_prices : what each node of the representation costs in use, by what it computes.
    model_price : what the model costs in use.
    """

    task: FitTask
    ok: bool
    reason: str = ""
    scores: Doubles | None = None
    rounds: int | None = None
    complete: bool = True
    seconds: float = 0.0
    encode_seconds: float = 0.0
    peak_mb: float = 0.0
    features: int = 0
    rows: int = 0
    representation: Fragment | None = None
    model: Fragment | None = None
    place: Path | None = None
    encoder_prices: Mapping[str, Price] = field(default_factory=dict)
    model_price: Price = NOTHING

    @property
    def has_model(self) -> bool:
        return self.model is not None or self.place is not None


def run_task(task: FitTask, data: TrainingData, store: FeatureStore, clock: Clock) -> FitOutcome:
    """Do one fit. Any exception of an encoder or learner passes through; :func:`attempt` makes it an outcome."""
    deadline = Deadline.after(clock, task.soft_seconds) if task.soft_seconds < math.inf else Deadline(clock)
    train, valid = rows_of(task, data)
    known = store.get(task.features_key)
    if known is not None and known.fragment is None and (task.fold is None or task.keep_model):
        known = None  # encoded for a fit whose model was not kept
    encoded = known or encode(task, data, train, valid, clock)
    if known is None:
        store.put(task.features_key, encoded)
    started = clock.monotonic()
    algorithm = algorithms()[task.algorithm](**task.params)
    context = FitContext(
        task=data.task,
        n_classes=data.n_classes,
        seed=derive_seed(task.seed, task.candidate, task.fold),
        threads=task.threads,
        deadline=deadline,
        monotone=encoded.monotone,
        levels=data.levels,
        center=data.center,
        spread=data.spread,
    )
    y = data.y[train]
    outcome = FitOutcome(
        task=task,
        ok=True,
        encode_seconds=0.0 if known else encoded.seconds,
        features=encoded.train.shape[1],
        rows=len(train),
    )
    weight = data.fit_weight(train)
    if task.fold is None:
        fitted = algorithm.fit(encoded.train, y, context, weight=weight)
    else:
        drawn = by_weight(data.fit_weight(valid))
        held = (encoded.valid, data.y[valid]) if drawn is None else (encoded.valid[drawn], data.y[valid[drawn]])
        fitted = algorithm.fit(encoded.train, y, context, validation=held, weight=weight)
        scores = true_shares(np.asarray(fitted.predict(encoded.valid), dtype=np.float64), data.class_weights)
        outcome = replace(outcome, scores=checked(scores, len(valid), data.n_classes))
    if encoded.fragment is not None and (task.fold is None or task.keep_model):
        graph = Graph()
        features = graph.input("features", "float32", encoded.train.shape[1])
        emitted = emit_true_shares(graph, fitted.emit(graph, features), data.class_weights)
        graph.output("scores", emitted, "float32", data.n_classes)
        model = graph.fragment()
        outcome = replace(
            outcome,
            representation=encoded.fragment,
            model=model,
            encoder_prices=itemised(encoded.fragment),
            model_price=price(model),
        )
    seconds = clock.monotonic() - started
    return replace(outcome, rounds=fitted.rounds, complete=fitted.complete, seconds=seconds)


def by_weight(weight: Doubles | None) -> Ints | None:
    """As many rows, each as often as it counts: learners stop early by validation rows that know no weights.

    Examples
    --------
    >>> by_weight(np.array([1.0, 0.0, 2.0, 1.0])).tolist()
    [0, 2, 2, 3]
    """
    if weight is None:
        return None
    edges = np.cumsum(weight) * (len(weight) / weight.sum())
    places: Ints = np.minimum(np.searchsorted(edges, np.arange(len(weight)) + 0.5), len(weight) - 1).astype(np.int64)
    return places


def true_shares(scores: Doubles, class_weights: Doubles | None) -> Doubles:
    """Probabilities (n, c) learnt with weighted classes, as they are where classes have the shares that they have.

    References
    ----------
    Elkan: The foundations of cost-sensitive learning. IJCAI, 2001 (theorem 2).

    Examples
    --------
    >>> true_shares(np.array([[0.5, 0.5]]), np.array([1.0, 3.0])).tolist()
    [[0.75, 0.25]]
    """
    if class_weights is None:
        return scores
    mended = scores * _odds(class_weights)
    total: Doubles = mended / mended.sum(axis=1, keepdims=True)
    return total


def emit_true_shares(graph: Graph, scores: str, class_weights: Doubles | None) -> str:
    """Write :func:`true_shares` into `graph`."""
    if class_weights is None:
        return scores
    mended = graph.op("Mul", scores, graph.constant(_odds(class_weights).astype(np.float32)[None, :]))
    axes = graph.constant(np.array([1], np.int64))
    return graph.op("Div", mended, graph.op("ReduceSum", mended, axes, keepdims=1))


def _odds(class_weights: Doubles) -> Doubles:
    scaled: Doubles = class_weights.min() / class_weights
    return scaled


def attempt(task: FitTask, data: TrainingData, store: FeatureStore, clock: Clock) -> FitOutcome:
    """:func:`run_task`, with every exception of encoders and learners (third parties' too) turned into an outcome."""
    try:
        return run_task(task, data, store, clock)
    except MemoryError:
        return FitOutcome(task, ok=False, reason="ran out of memory")
    except Exception as error:
        return FitOutcome(task, ok=False, reason=one_line(f"{type(error).__name__}: {error}"))


def rows_of(task: FitTask, data: TrainingData) -> tuple[Ints, Ints]:
    """Training and validation rows of a task, the former sampled down to ``max_rows`` but with every class kept."""
    if task.fold is None:
        train, valid = np.arange(len(data.blocks), dtype=np.int64), np.zeros(0, dtype=np.int64)
    else:
        train, valid = data.folds[task.fold]
    if task.max_rows is None or task.max_rows >= len(train):
        return train, valid
    rng = np.random.default_rng(derive_seed(task.seed, "sample", task.fold))
    weight = data.weight_of(train)
    if weight is not None:  # rows that do not count would take the place of others
        train = train[weight > 0]
    kept = rng.choice(len(train), size=min(task.max_rows, len(train)), replace=False)
    if data.task.is_classification:
        first = np.unique(data.y[train], return_index=True)[1]
        kept = np.union1d(kept, first)
    return train[np.sort(kept)], valid


def encode(task: FitTask, data: TrainingData, train: Ints, valid: Ints, clock: Clock) -> Encoded:
    """Fit the representation on the training rows and encode both parts."""
    started = clock.monotonic()
    constrained = [j for j, direction in enumerate(data.monotone) if direction]
    representation = Representation(task.representation.sparing(constrained))
    columns = target_columns(data.y[train], data.task, data.n_classes)
    seed = derive_seed(task.seed, "encode", task.fold)
    # Folds that are encoded alike share their encoders in the graph, too.
    basis = data.blocks if data.exchangeable and not task.apart else None
    weight = data.weight_of(train)
    weight = None if weight is None else weight / weight.mean()
    parts = None if task.at_random else data.encoding_parts(train, seed)
    X = representation.fit_transform(data.blocks.take(train), columns, data.names, seed, basis, weight, parts)
    X_valid = representation.transform(data.blocks.take(valid)) if len(valid) else X[:0]
    fragment = representation.fragment() if task.fold is None or task.keep_model else None
    directions = representation.monotone(data.monotone) if constrained else ()
    return Encoded(X, X_valid, fragment, clock.monotonic() - started, directions)


def checked(scores: Doubles, rows: int, classes: int) -> Doubles:
    """Refuse predictions that nothing sensible can be done with."""
    if scores.shape != (rows, classes):
        raise ValueError(f"predicted an array of shape {scores.shape} where {(rows, classes)} was due")
    if not np.isfinite(scores).all():
        raise ValueError("predicted values that are not finite")
    return scores


def with_rounds(params: Params, defaults: Params, rounds: int | None) -> Params:
    """Put a number of rounds into hyperparameters, where the algorithm has such a thing."""
    if rounds is None:
        return params
    for key in ROUND_KEYS:
        if key in defaults:
            return {**params, key: rounds}
    return params


def one_line(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
