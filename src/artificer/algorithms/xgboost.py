"""Gradient boosting with depth-wise trees and second-order gains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.algorithms.boosting import LEARNING_RATE, ROUNDS, TAGS, TWO_CORES, FittedTrees, Stopper
from artificer.algorithms.constant import fallback
from artificer.algorithms.links import score_columns
from artificer.algorithms.trees import Trees, from_nodes
from artificer.types import Doubles, Floats, Json, Params, Task

OBJECTIVES = {
    Task.BINARY: ("binary:logistic", "logloss"),
    Task.MULTICLASS: ("multi:softprob", "mlogloss"),
    Task.REGRESSION: ("reg:squarederror", "rmse"),
    Task.QUANTILE: ("reg:quantileerror", "quantile"),
}


class XGBoost(Algorithm):
    """XGBoost with histograms.

    References
    ----------
    Chen, Guestrin: XGBoost: A scalable tree boosting system. KDD, 2016.

    Examples
    --------
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = XGBoost(rounds=100).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).round(1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "xgboost"
    tags = TAGS
    defaults: ClassVar[Params] = {
        **ROUNDS,
        "learning_rate": 0.1,
        "max_depth": 6,
        "min_child_weight": 1.0,
        "subsample": 0.9,
        "colsample": 0.7,
        "reg_lambda": 1.0,
        "reg_alpha": 0.0,
        "max_bin": 256,
    }
    space: ClassVar = {
        "learning_rate": LEARNING_RATE,
        "max_depth": Dimension(2, 10, integer=True),
        "min_child_weight": Dimension(0.1, 100.0, log=True),
        "subsample": Dimension(0.5, 1.0),
        "colsample": Dimension(0.3, 1.0),
        "reg_lambda": Dimension(1e-2, 100.0, log=True),
    }
    portfolio: ClassVar = (
        {},
        {"max_depth": 3, "learning_rate": 0.15, "subsample": 0.8},
        {"max_depth": 9, "learning_rate": 0.07, "min_child_weight": 4.0, "colsample": 0.5, "reg_lambda": 5.0},
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
        import xgboost

        with xgboost.config_context(verbosity=0):
            data = xgboost.QuantileDMatrix(
                X, y, weight=weight, missing=np.nan, max_bin=self.params["max_bin"], nthread=context.threads
            )
            booster = xgboost.Booster(self._settings(context), [data])
            held = None if validation is None else xgboost.DMatrix(*validation, missing=np.nan, nthread=context.threads)
            values = 2 ** self.params["max_depth"] * score_columns(context.task, context.n_classes)
            stopper = Stopper.of(self.params, validation is not None, values, context.deadline)
            while True:
                booster.update(data, stopper.rounds)
                loss = None if held is None else float(booster.eval(held).rsplit(":", 1)[1])
                if not stopper.goes_on(loss):
                    break
            booster = booster[: stopper.best]
            booster.set_param({"nthread": 1})
        return FittedXGBoost(booster, context.task, context.n_classes, stopper.best, stopper.complete)

    def _settings(self, context: FitContext) -> Params:
        objective, metric = OBJECTIVES[context.task]
        settings: Params = {
            "objective": objective,
            "eval_metric": metric,
            "tree_method": "hist",
            "colsample_bytree": self.params["colsample"],
            "seed": context.seed % 2**31,
            "nthread": context.threads,
            "verbosity": 0,
        }
        if context.task is Task.MULTICLASS:
            settings["num_class"] = context.n_classes
        if context.task is Task.QUANTILE:
            settings["quantile_alpha"] = list(context.levels)
        if any(context.monotone):
            settings["monotone_constraints"] = context.monotone
        names = ("learning_rate", "max_depth", "min_child_weight", "subsample", "reg_lambda", "reg_alpha", "max_bin")
        return settings | {name: self.params[name] for name in names}

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        columns = 1 if n_classes <= 2 else n_classes
        rounds = self.params["rounds"] * (0.06 / self.params["learning_rate"]) ** 0.7
        depth = self.params["max_depth"] / 6
        looked_at = features * self.params["colsample"]
        one = 1.6e-4 * looked_at * depth**2 + rows * (5e-8 + 1.7e-8 * looked_at) * depth
        return 0.05 + TWO_CORES * float(rounds * columns * one)


@dataclass(frozen=True)
class FittedXGBoost(FittedTrees):
    booster: Any
    task: Task
    n_classes: int
    rounds: int
    complete: bool

    def raw(self, X: Floats) -> Doubles:
        import xgboost

        scores = self.booster.predict(xgboost.DMatrix(X, missing=np.nan, nthread=1), output_margin=True)
        return np.asarray(scores, np.float64).reshape(len(X), score_columns(self.task, self.n_classes))

    def trees(self) -> Trees:
        learner = json.loads(self.booster.save_raw("json"))["learner"]
        columns = score_columns(self.task, self.n_classes)
        model = learner["gradient_booster"]["model"]
        trees = tuple(
            from_nodes(
                np.array(tree["split_indices"]),
                np.array(tree["split_conditions"], np.float32),
                np.array(tree["left_children"]),
                np.array(tree["right_children"]),
                np.array(tree["default_left"]),
                np.array(tree["split_conditions"], np.float64)[:, None],  # of a leaf: its value
                np.array([target]),
            )
            for tree, target in zip(model["trees"], model["tree_info"], strict=True)
        )
        return Trees(trees, _base(learner, self.task, columns), strict=True)


def _base(learner: Json, task: Task, columns: int) -> Doubles:
    """The constant score; stored as one number up to XGBoost 3.0, as a list later, for two classes as a probability."""
    text = learner["learner_model_param"]["base_score"].strip("[]")
    base = np.array([float(part) for part in text.split(",")])
    if task is Task.BINARY:
        base = np.log(base / (1 - base))
    return np.broadcast_to(base, (columns,)).astype(np.float64)
