"""Sums of step functions of one feature and of two."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, AlgorithmTags, Dimension, FitContext, Fitted
from artificer.algorithms.boosting import FittedTrees
from artificer.algorithms.constant import fallback
from artificer.algorithms.links import ABSENT, score_columns
from artificer.algorithms.trees import Tree, Trees, round_down
from artificer.types import FLOAT32_MAX, Doubles, Floats, Ints, Params, Task

PILOT_ROUNDS = 3
"""Rounds that are timed before a fit that has a deadline: the library cannot be interrupted without a process more."""

SAFETY = 0.7
"""Share of the time left that is planned for: later rounds look at pairs, and are dearer."""

FEW = 20
"""With fewer rows there are none to spare for stopping early."""


class ExplainableBoosting(Algorithm):
    """Explainable boosting machine of the package ``interpret-core``: a function of each feature, and of a few pairs.

    It stops by rows of its own, other ones for each member, and does not look at validation rows. Before a deadline a
    few rounds are timed, and no more are allowed than will fit. The model is deployed as one tree for each function.
    A feature with a monotone constraint is in no pair.

    Parameters
    ----------
    members : models that are averaged, each on other rows.
    pairs : functions of two features, at most; the strongest pairs are looked for.
    shrinkage : of each round's step.
    max_rounds : rounds over all features, and again over all pairs, at most.
    max_bins, max_pair_bins : steps of a function of one feature, and for each feature of a pair.

    References
    ----------
    Lou, Caruana, Gehrke, Hooker: Accurate intelligible models with pairwise interactions. KDD, 2013.
    Nori, Jenkins, Koch, Caruana: InterpretML: A unified framework for machine learning interpretability. 2019.

    Examples
    --------
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = ExplainableBoosting(members=1).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).argmax(axis=1).tolist()
    [0, 1]
    """

    name = "explainable_boosting"
    tags = AlgorithmTags(family="additive", representation="trees", missing_values=True, monotone_constraints=True)
    defaults: ClassVar[Params] = {
        "members": 4,
        "pairs": 6,
        "shrinkage": 0.08,
        "max_rounds": 1500,
        "max_bins": 256,
        "max_pair_bins": 32,
        "min_samples_leaf": 4,
    }
    space: ClassVar = {
        "pairs": Dimension(0, 20, integer=True),
        "shrinkage": Dimension(0.01, 0.2, log=True),
        "min_samples_leaf": Dimension(2, 50, log=True, integer=True),
    }
    requires: ClassVar[tuple[str, ...]] = ("interpret",)
    install: ClassVar[str] = "artificer[interpret]"

    def fit(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        validation: tuple[Floats, Doubles] | None = None,
        weight: Doubles | None = None,
    ) -> Fitted:
        if (constant := fallback(X, y, context, weight)) is not None:
            return constant
        if weight is not None:
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0] / weight[weight > 0].mean()
            if (constant := fallback(X, y, context, weight)) is not None:
                return constant
        present = np.zeros(1, np.int64)
        if context.task is Task.MULTICLASS:
            present = np.unique(y.astype(np.int64))
        rounds = self._affordable(X, y, context, weight)
        model = self._boosted(X, y, context, weight, rounds)
        base = np.full(score_columns(context.task, context.n_classes), ABSENT)
        terms = _terms(model)
        if context.task is Task.MULTICLASS and len(present) == 2:  # the library gives two classes a single score
            base[present] = 0.0
            present = present[1:]
        base[present] = model.intercept_
        complete = rounds == self.params["max_rounds"]
        return FittedAdditive(terms, base, present, context.task, context.n_classes, complete)

    def _affordable(self, X: Floats, y: Doubles, context: FitContext, weight: Doubles | None) -> int:
        """Rounds that end before the deadline, by the time that a few of one member take."""
        most = int(self.params["max_rounds"])
        left = context.deadline.remaining
        if left == np.inf:
            return most
        if left <= 0:
            return 1
        clock = context.deadline.clock
        started = clock.monotonic()
        self._boosted(X, y, context, weight, PILOT_ROUNDS, members=1)
        each = (clock.monotonic() - started) / PILOT_ROUNDS * self.params["members"]
        return int(np.clip(SAFETY * context.deadline.remaining / max(each, 1e-6), 1, most))

    def _boosted(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        weight: Doubles | None,
        rounds: int,
        members: int | None = None,
    ) -> Any:
        from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
        from joblib import parallel_config

        kind = ExplainableBoostingClassifier if context.task.is_classification else ExplainableBoostingRegressor
        few = len(y) < FEW or (context.task.is_classification and np.unique(y, return_counts=True)[1].min() < 2)
        model = kind(
            feature_types=["continuous"] * X.shape[1],
            max_bins=self.params["max_bins"],
            max_interaction_bins=self.params["max_pair_bins"],
            interactions=int(self.params["pairs"]),
            validation_size=0 if few else 0.15,
            outer_bags=1 if few else members or int(self.params["members"]),
            learning_rate=self.params["shrinkage"],
            max_rounds=rounds,
            smoothing_rounds=min(50, rounds // 4),
            interaction_smoothing_rounds=min(50, rounds // 4),
            min_samples_leaf=self.params["min_samples_leaf"],
            monotone_constraints=list(context.monotone) or None,
            n_jobs=context.threads,
            random_state=context.seed % 2**31,
        )
        target = y.astype(np.int64) if context.task.is_classification else y
        # Threads, because processes would outlive a fit that is killed.
        with warnings.catch_warnings(), parallel_config(backend="threading"):
            warnings.simplefilter("ignore")
            return model.fit(X.astype(np.float64), target, sample_weight=weight)

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        columns = max(0.5 * n_classes, 1.0)
        steps = 0.12 * float(self.params["max_rounds"]) * (features + int(self.params["pairs"]))
        return 0.3 + float(self.params["members"]) * steps * columns * (1.2e-4 + 6e-9 * rows)


@dataclass(frozen=True)
class Term:
    """A step function of one feature or two.

    Attributes
    ----------
    columns : the features.
    cuts : of each feature, rising float32; bin 0 is for NaN, and a value lies in bin b + 1 when it reaches b cuts.
    values : (bins, ..., k) float32, what each bin adds to the scores.
    """

    columns: tuple[int, ...]
    cuts: tuple[Floats, ...]
    values: Floats

    def scores(self, X: Floats) -> Floats:
        bins = []
        for column, cuts in zip(self.columns, self.cuts, strict=True):
            x = X[:, column]
            bins.append(np.where(np.isnan(x), 0, np.searchsorted(cuts, x, side="right") + 1))
        found: Floats = self.values[tuple(bins)]
        return found

    def tree(self, targets: Ints) -> Tree:
        """The same as a binary tree: bins are halved until a block holds one value."""
        splits: list[tuple[int, float, int, int]] = []
        leaves: list[Doubles] = []
        # NaN goes left at every split; none but NaN is below the least number.
        edges = [np.concatenate([[np.float32(-FLOAT32_MAX)], cuts]) for cuts in self.cuts]

        def grow(block: tuple[slice, ...]) -> int:
            values = self.values[block]
            first = values.reshape(-1, values.shape[-1])[0]
            if (values == first).all():
                leaves.append(first.astype(np.float64))
                return ~(len(leaves) - 1)
            axis, at = _cut(values, block)
            number = len(splits)
            splits.append((self.columns[axis], float(edges[axis][at - 1]), 0, 0))
            low, high = list(block), list(block)
            low[axis], high[axis] = slice(block[axis].start, at), slice(at, block[axis].stop)
            left, right = grow(tuple(low)), grow(tuple(high))
            splits[number] = (*splits[number][:2], left, right)
            return number

        grow(tuple(slice(0, size) for size in self.values.shape[:-1]))
        table = np.array(splits, np.float64).reshape(-1, 4)
        column, left, right = (table[:, j].astype(np.int64) for j in (0, 2, 3))
        return Tree(
            column,
            table[:, 1].astype(np.float32),
            left,
            right,
            np.ones(len(table), np.bool_),
            np.stack(leaves),
            targets,
        )


def _cut(values: Floats, block: tuple[slice, ...]) -> tuple[int, int]:
    """Where to cut a block that holds several values: of the places where they change, the one nearest its middle."""
    best = (np.inf, 0, 0)
    for axis in range(values.ndim - 1):
        others = tuple(j for j in range(values.ndim) if j != axis)
        changes = np.flatnonzero((np.diff(values, axis=axis) != 0).any(axis=others)) + 1
        if len(changes):
            size = values.shape[axis]
            place = int(changes[np.argmin(np.abs(changes - size / 2))])
            best = min(best, (max(place, size - place) / size, axis, block[axis].start + place))
    return int(best[1]), int(best[2])


def _terms(model: Any) -> tuple[Term, ...]:
    """Read a fitted model's functions; its last bin of each feature is for unknown categories, and unused here."""
    found = []
    for columns, values in zip(model.term_features_, model.term_scores_, strict=True):
        level = len(columns) - 1
        cuts = []
        for column in columns:
            bins = model.bins_[column]
            doubles = np.asarray(bins[min(level, len(bins) - 1)], np.float64)
            cuts.append(-round_down(-doubles))  # x < t holds for float32 x when x < t rounded up
        known = tuple(slice(0, len(c) + 2) for c in cuts)
        scores = np.asarray(values, np.float64)[known]
        if scores.ndim == len(columns):
            scores = scores[..., None]
        found.append(Term(tuple(int(c) for c in columns), tuple(cuts), scores.astype(np.float32)))
    return tuple(found)


@dataclass(frozen=True)
class FittedAdditive(FittedTrees):
    """`terms` plus `base`; `present`: the score columns that they add to."""

    terms: tuple[Term, ...]
    base: Doubles
    present: Ints
    task: Task
    n_classes: int
    complete: bool

    def raw(self, X: Floats) -> Doubles:
        raw = np.tile(self.base, (len(X), 1))
        for term in self.terms:
            raw[:, self.present] += term.scores(X)
        return raw

    def trees(self) -> Trees:
        return Trees(tuple(term.tree(self.present) for term in self.terms), self.base, strict=True)
