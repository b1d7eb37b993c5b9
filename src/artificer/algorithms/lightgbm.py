"""Gradient boosting with leaf-wise trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from artificer.algorithms.base import Algorithm, Dimension, FitContext, Fitted
from artificer.algorithms.boosting import LEARNING_RATE, ROUNDS, TAGS, TWO_CORES, FittedTrees, Stopper
from artificer.algorithms.constant import fallback
from artificer.algorithms.links import score_columns
from artificer.algorithms.trees import Tree, Trees, round_down
from artificer.types import Doubles, Floats, Params, Task

OBJECTIVES = {
    Task.BINARY: ("binary", "binary_logloss"),
    Task.MULTICLASS: ("multiclass", "multi_logloss"),
    Task.REGRESSION: ("regression", "rmse"),
    Task.QUANTILE: ("quantile", "quantile"),
}


class LightGBM(Algorithm):
    """LightGBM.

    References
    ----------
    Ke, Meng, Finley, Wang, Chen, Ma, Ye, Liu: LightGBM: A highly efficient gradient boosting decision tree.
    NeurIPS, 2017.

    Examples
    --------
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = LightGBM(rounds=100).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).round(1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "lightgbm"
    tags = TAGS
    defaults: ClassVar[Params] = {
        **ROUNDS,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_child_samples": 20,
        "feature_fraction": 0.8,
        "bagging_fraction": 1.0,
        "lambda_l1": 0.0,
        "lambda_l2": 1.0,
        "extra_trees": False,
        "max_bin": 255,
    }
    space: ClassVar = {
        "learning_rate": LEARNING_RATE,
        "num_leaves": Dimension(4, 255, log=True, integer=True),
        "min_child_samples": Dimension(2, 200, log=True, integer=True),
        "feature_fraction": Dimension(0.3, 1.0),
        "bagging_fraction": Dimension(0.5, 1.0),
        "lambda_l2": Dimension(1e-3, 100.0, log=True),
        "extra_trees": Dimension(choices=(False, True)),
    }
    portfolio: ClassVar = (
        {},
        {"num_leaves": 8, "learning_rate": 0.12, "feature_fraction": 0.5, "bagging_fraction": 0.8, "lambda_l2": 10.0},
        {"extra_trees": True, "num_leaves": 63, "min_child_samples": 8, "learning_rate": 0.15},
        {"learning_rate": 0.06, "num_leaves": 127, "min_child_samples": 6, "feature_fraction": 0.6, "lambda_l2": 5.0},
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
        import lightgbm

        settings = self._settings(context)
        data = lightgbm.Dataset(X, y, weight=weight, params=settings, free_raw_data=True)
        # Every quantile has trees of its own; they grow side by side, so that all have as many.
        own = [{"alpha": level} for level in context.levels] if context.task is Task.QUANTILE else [{}]
        boosters = [lightgbm.Booster(settings | level, data) for level in own]
        if validation is not None:
            held = lightgbm.Dataset(*validation, reference=data, params=settings)
            for booster in boosters:
                booster.add_valid(held, "validation")
        values = self.params["num_leaves"] * score_columns(context.task, context.n_classes)
        stopper = Stopper.of(self.params, validation is not None, values, context.deadline)
        while True:
            ended = [
                booster.update() for booster in boosters
            ]  # nothing was left to split: the empty round is taken back
            if all(ended):
                break
            losses = [booster.eval_valid()[0][2] for booster in boosters] if validation is not None else []
            if not stopper.goes_on(float(np.mean(losses)) if losses else None):
                break
        rounds = min(max(stopper.best, 1), max(booster.current_iteration() for booster in boosters))
        # The text form holds the kept rounds alone, and lets go of the training data.
        texts = tuple(booster.model_to_string(num_iteration=rounds) for booster in boosters)
        kept = tuple(lightgbm.Booster(model_str=text) for text in texts)
        return FittedLightGBM(kept, texts, context.task, context.n_classes, rounds, stopper.complete)

    def _settings(self, context: FitContext) -> Params:
        objective, metric = OBJECTIVES[context.task]
        names = ("learning_rate", "num_leaves", "min_child_samples", "feature_fraction", "bagging_fraction")
        return {
            "objective": objective,
            "metric": metric,
            "num_class": context.n_classes if context.task is Task.MULTICLASS else 1,
            "num_threads": context.threads,
            "seed": context.seed % 2**31,
            "deterministic": True,
            "force_row_wise": True,  # otherwise both layouts are timed first, and noise chooses
            "verbosity": -1,
            "bagging_freq": int(self.params["bagging_fraction"] < 1),
            **({"monotone_constraints": list(context.monotone)} if any(context.monotone) else {}),
            **{name: self.params[name] for name in (*names, "lambda_l1", "lambda_l2", "extra_trees", "max_bin")},
        }

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        return _seconds(self.params, rows, features, n_classes)


def _seconds(params: Params, rows: int, features: int, n_classes: int) -> float:
    columns = 1 if n_classes <= 2 else n_classes
    rounds = params["rounds"] * (0.05 / params["learning_rate"]) ** 0.7
    leaves = params["num_leaves"] / 31
    one = 6e-5 * features * leaves + rows * (4e-8 + 1e-8 * features) * leaves**0.5
    return 0.05 + TWO_CORES * float(rounds * columns * one)


@dataclass(frozen=True)
class FittedLightGBM(FittedTrees):
    boosters: tuple[Any, ...]
    texts: tuple[str, ...]
    task: Task
    n_classes: int
    rounds: int
    complete: bool

    def raw(self, X: Floats) -> Doubles:
        scores = [booster.predict(X, raw_score=True, num_threads=1) for booster in self.boosters]
        parts = [np.asarray(part, np.float64).reshape(len(X), -1) for part in scores]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def trees(self) -> Trees:
        columns = score_columns(self.task, self.n_classes)
        each = columns // len(self.texts)
        blocks = [text.split("\nTree=")[1:] for text in self.texts]
        trees = [_tree(b, k + i % each) for k, own in enumerate(blocks) for i, b in enumerate(own)]
        return Trees(tuple(trees), np.zeros(columns))


def _beside_zero(threshold: Floats) -> Floats:
    """LightGBM reads |x| <= 1e-35 as 0; move the thresholds in there to where that makes no difference."""
    edge = np.float32(1e-35)
    threshold = np.where((threshold >= 0) & (threshold < edge), edge, threshold)
    return np.where((threshold >= -edge) & (threshold < 0), np.nextafter(-edge, np.float32(-1)), threshold)


def _tree(block: str, target: int) -> Tree:
    """Read one tree of LightGBM's text form."""
    fields = dict(line.split("=", 1) for line in block.split("\n\n", 1)[0].splitlines()[1:] if "=" in line)

    def numbers(name: str, dtype: Any) -> Any:
        return np.array(fields.get(name, "").split(), dtype=dtype)

    threshold = numbers("threshold", np.float64)
    decision = numbers("decision_type", np.int64)  # bit 0 categorical, bit 1 default left, bits 2-3 what is missing
    # Where training saw no NaN ("none", 0), the library reads NaN as 0.
    missing_left = np.where(decision >> 2 == 2, (decision & 2) > 0, threshold >= 0)
    return Tree(
        numbers("split_feature", np.int64),
        _beside_zero(round_down(threshold)),
        numbers("left_child", np.int64),
        numbers("right_child", np.int64),
        missing_left,
        numbers("leaf_value", np.float64)[:, None],
        np.array([target]),
    )
