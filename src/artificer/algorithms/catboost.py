"""Gradient boosting with oblivious trees: one comparison for each level."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.algorithms.boosting import LEARNING_RATE, ROUNDS, TAGS, TWO_CORES, FittedTrees, most_rounds
from artificer.algorithms.constant import fallback
from artificer.algorithms.links import ABSENT, score_columns
from artificer.algorithms.trees import Tree, Trees
from artificer.clock import Deadline
from artificer.types import Doubles, Floats, Ints, Json, Params, Task

LOSSES = {Task.BINARY: "Logloss", Task.MULTICLASS: "MultiClass", Task.REGRESSION: "RMSE"}

FEW = 100
"""With fewer rows the library may refuse to draw samples of them."""


class CatBoost(Algorithm):
    """CatBoost on numbers (categories arrive encoded).

    References
    ----------
    Prokhorenkova, Gusev, Vorobev, Dorogush, Gulin: CatBoost: Unbiased boosting with categorical features.
    NeurIPS, 2018.

    Examples
    --------
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = CatBoost(rounds=100).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).round(1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "catboost"
    tags = TAGS
    defaults: ClassVar[Params] = {
        **ROUNDS,
        "learning_rate": 0.12,
        "depth": 6,
        "l2_leaf_reg": 3.0,
        "random_strength": 1.0,
        "subsample": 0.8,
        "rsm": 1.0,
        "border_count": 254,
    }
    space: ClassVar = {
        "learning_rate": LEARNING_RATE,
        "depth": Dimension(3, 9, integer=True),
        "l2_leaf_reg": Dimension(0.1, 100.0, log=True),
        "random_strength": Dimension(0.01, 10.0, log=True),
        "subsample": Dimension(0.5, 1.0),
        "rsm": Dimension(0.3, 1.0),
    }
    portfolio: ClassVar = (
        {},
        {"depth": 4, "learning_rate": 0.2, "random_strength": 2.0},
        {"depth": 8, "learning_rate": 0.1, "l2_leaf_reg": 6.0, "rsm": 0.6},
    )

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
        import catboost

        present = np.arange(score_columns(context.task, context.n_classes))
        if context.task is Task.MULTICLASS:  # the library numbers the classes that it sees
            present, codes = np.unique(y.astype(np.int64), return_inverse=True)
            y = codes.astype(np.float64)
            validation = _seen(validation, present)
        data = catboost.Pool(X, y, weight=weight, thread_count=context.threads)
        held = None
        if validation is not None:
            held = catboost.Pool(_known_missing(validation[0], X), validation[1], thread_count=context.threads)
        clock = _Clock(context.deadline)
        model = catboost.CatBoost(self._settings(context, held is not None, len(y)))
        model.fit(data, eval_set=held, use_best_model=held is not None, callbacks=[clock])
        return FittedCatBoost(model, present, context.task, context.n_classes, int(model.tree_count_), not clock.late)

    def _settings(self, context: FitContext, validated: bool, rows: int) -> Params:
        values = 2 ** self.params["depth"] * score_columns(context.task, context.n_classes)
        settings: Params = {
            "loss_function": _loss(context),
            "iterations": most_rounds(self.params, validated, values),
            "random_seed": context.seed % 2**31,
            "thread_count": context.threads,
            "allow_writing_files": False,
            "logging_level": "Silent",
            "boosting_type": "Plain",
        }
        if validated:
            settings |= {"od_type": "Iter", "od_wait": self.params["patience"]}
        if self.params["subsample"] < 1 and rows >= FEW:
            settings |= {"bootstrap_type": "MVS", "subsample": self.params["subsample"]}
        else:
            settings["bootstrap_type"] = "No"
        if any(context.monotone):
            settings["monotone_constraints"] = list(context.monotone)
        names = ("learning_rate", "depth", "l2_leaf_reg", "random_strength", "rsm", "border_count")
        return settings | {name: self.params[name] for name in names}

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        columns = 1.0 if n_classes <= 2 else n_classes**0.7
        rounds = self.params["rounds"] * (0.07 / self.params["learning_rate"]) ** 0.7
        depth = self.params["depth"] / 6
        one = 2.2e-4 * features * 2 ** (0.7 * (self.params["depth"] - 6)) + rows * (1.5e-7 + 6e-9 * features) * depth
        return 0.1 + TWO_CORES * float(rounds * columns * one)


def _loss(context: FitContext) -> str:
    if context.task is not Task.QUANTILE:
        return LOSSES[context.task]
    levels = ",".join(f"{level:.12g}" for level in context.levels)
    return f"{'Quantile' if len(context.levels) == 1 else 'MultiQuantile'}:alpha={levels}"


class _Clock:
    """Tells CatBoost after each round whether there is time for another."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.late = False

    def after_iteration(self, info: Any) -> bool:
        self.late = self.deadline.remaining <= 0
        return not self.late


def _seen(validation: tuple[Floats, Doubles] | None, present: Ints) -> tuple[Floats, Doubles] | None:
    """Validation rows of the classes that have training rows, renumbered."""
    if validation is None:
        return None
    X, y = validation
    known = np.isin(y, present)
    return (X[known], np.searchsorted(present, y[known]).astype(np.float64)) if known.any() else None


def _known_missing(held: Floats, X: Floats) -> Floats:
    """CatBoost refuses NaN in validation rows where training had none; its trees send both to the low side."""
    surprising = np.isnan(held) & ~np.isnan(X).any(axis=0)
    return np.where(surprising, np.finfo(np.float32).min, held) if surprising.any() else held


@dataclass(frozen=True)
class FittedCatBoost(FittedTrees):
    model: Any
    present: Ints
    task: Task
    n_classes: int
    rounds: int
    complete: bool

    def raw(self, X: Floats) -> Doubles:
        raw = np.full((len(X), score_columns(self.task, self.n_classes)), ABSENT)
        scores = self.model.predict(X, prediction_type="RawFormulaVal", thread_count=1)
        raw[:, self.present] = np.reshape(scores, (len(X), len(self.present)))
        return raw

    def trees(self) -> Trees:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self.model.save_model(str(path), format="json")
            model = json.loads(path.read_bytes())
        floats = model["features_info"]["float_features"]
        column = np.array([f["flat_feature_index"] for f in floats])
        # NaN fails "x > border" and goes low, unless training asked for the opposite.
        high = np.array([f["nan_value_treatment"] == "AsTrue" for f in floats])
        scale, bias = model["scale_and_bias"]
        base = np.full(score_columns(self.task, self.n_classes), ABSENT)
        base[self.present] = bias
        return Trees(tuple(_tree(t, column, high, self.present, scale) for t in model["oblivious_trees"]), base)


def _tree(tree: Json, column: Any, high: Any, targets: Ints, scale: float) -> Tree:
    """Unfold a tree of d levels: split k of CatBoost sets bit k of the leaf's number, so the last one is the root."""
    splits = tree["splits"] or []
    d = len(splits)
    index = np.array([s["float_feature_index"] for s in splits[::-1]], np.int64)
    border = np.array([s["border"] for s in splits[::-1]], np.float64).astype(np.float32)
    level = np.repeat(np.arange(d), 2 ** np.arange(d))  # of the nodes in breadth-first order
    low = 2 * np.arange(2**d - 1) + 1
    last = 2**d - 1
    return Tree(
        column[index[level]],
        border[level],
        np.where(low < last, low, ~(low - last)),
        np.where(low + 1 < last, low + 1, ~(low + 1 - last)),
        ~high[index[level]],
        np.asarray(tree["leaf_values"], np.float64).reshape(2**d, len(targets)) * scale,
        targets,
    )
