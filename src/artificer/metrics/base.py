"""What a metric is, and where metrics are found: arrays in, one number out, with its direction and range.

n rows, c classes. A family of metrics is a file of this room; each function is registered beside its definition.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artificer.errors import ConfigurationError, nearest
from artificer.types import Doubles, Task

Prediction: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., float]

CLASSIFICATION = frozenset({Task.BINARY, Task.MULTICLASS})
REGRESSION = frozenset({Task.REGRESSION})
QUANTILE = frozenset({Task.QUANTILE})
_DEFAULTS = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "log_loss",
    Task.REGRESSION: "rmse",
    Task.QUANTILE: "pinball_loss",
}
_REGISTRY: dict[str, Metric] = {}


@dataclass(frozen=True, slots=True)
class Metric:
    """A named measure of predictions against what happened.

    Attributes
    ----------
    needs : what `function` takes: probabilities (n, c), labels (n,) of class codes, values (n,), or quantiles (n, q)
        with their levels as a fourth argument.
    low, high : the range of the number; infinite where there is no bound.
    function : called with y (n,), the prediction, and weights (n,) or None; rows are finite, weights above zero, and
        in a binary task code 1 is the positive class.
    summary : one line that says what the number means.
    positive : in a binary task, the code of the class that counts as positive.
    levels : of quantiles, rising; empty for what takes none.

    Examples
    --------
    >>> metric("roc_auc").score([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]])
    0.75
    >>> metric("rmse").score([1.0, 2.0], [[1.0], [4.0]])
    1.4142135623730951
    """

    name: str
    tasks: frozenset[Task]
    greater_is_better: bool
    needs: Literal["probabilities", "labels", "values", "quantiles"]
    low: float
    high: float
    function: Function
    summary: str
    positive: int = 1
    levels: tuple[float, ...] = ()

    @property
    def of_numbers(self) -> bool:
        """Whether what happened is a number and not a class."""
        return self.needs in ("values", "quantiles")

    @property
    def worst(self) -> float:
        """The end of the range nobody wants."""
        return self.low if self.greater_is_better else self.high

    @property
    def best(self) -> float:
        return self.high if self.greater_is_better else self.low

    def better(self, a: float, b: float) -> bool:
        """Whether the score `a` beats the score `b`; nan beats nothing and is beaten by every number."""
        if math.isnan(a):
            return False
        return math.isnan(b) or (a > b if self.greater_is_better else a < b)

    def score(self, y: ArrayLike, scores: ArrayLike, weight: ArrayLike | None = None) -> float:
        """Measure `scores` against `y`, in the metric's own direction.

        Parameters
        ----------
        y : (n,) class codes 0..c-1, or values.
        scores : (n, c) class probabilities; (n, 1) or (n,) values; (n, q) quantiles. Label
            metrics take the most probable class, the lowest code where several are equally probable.
        weight : (n,) not negative. A whole number means that many copies of the row, so a bootstrap resample is a
            vector of counts.

        Returns
        -------
        float
            nan where the metric is not defined on these rows: no rows, no weight, a number that is not finite, or
            what the metric's own docstring says.

        Raises
        ------
        ValueError
            Shapes that do not belong together, a class code outside 0..c-1, or a negative weight.
        """
        y, scores, weight = self._rows(np.asarray(y), np.asarray(scores), weight)
        if len(y) == 0 or not np.isfinite(scores).all() or not np.isfinite(y).all():
            return math.nan
        with np.errstate(all="ignore"):
            if self.needs == "values":
                return float(self.function(y.astype(np.float64), scores[:, 0].astype(np.float64), weight))
            if self.needs == "quantiles":
                return float(self.function(y.astype(np.float64), scores.astype(np.float64), weight, self.levels))
            y, prediction = self._classes(y, scores)
            return float(self.function(y, prediction, weight))

    def loss(self, y: ArrayLike, scores: ArrayLike, weight: ArrayLike | None = None) -> float:
        """The score with its sign turned where needed, so that lower is better."""
        return self.as_loss(self.score(y, scores, weight))

    def as_loss(self, score: float) -> float:
        """Turn a score into a loss, or a loss back into a score."""
        return -score if self.greater_is_better else score

    def _rows(
        self, y: NDArray[Any], scores: NDArray[Any], weight: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any], Doubles | None]:
        if scores.ndim == 1 and self.needs == "values":
            scores = scores[:, None]
        if y.ndim != 1 or scores.ndim != 2 or len(y) != len(scores):
            raise ValueError(f"{self.name} takes y (n,) and scores (n, c), not {y.shape} and {scores.shape}")
        if self.needs == "values" and scores.shape[1] != 1:
            raise ValueError(f"{self.name} takes one value a row, not {scores.shape[1]}")
        if self.needs == "quantiles" and scores.shape[1] != len(self.levels):
            raise ValueError(
                f"{self.name} takes one value for each of the {len(self.levels)} levels, not {scores.shape[1]}"
            )
        if not self.of_numbers and scores.shape[1] < 2:
            raise ValueError(f"{self.name} takes one probability for each of two or more classes")
        if weight is None:
            return y, scores, None
        weight = np.asarray(weight, dtype=np.float64)
        if weight.shape != y.shape or not (weight >= 0).all():
            raise ValueError(f"{self.name} takes one weight of zero or more for each row")
        kept = weight > 0
        return (y, scores, weight) if kept.all() else (y[kept], scores[kept], weight[kept])

    def _classes(self, y: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], Prediction]:
        y = y.astype(np.int64, copy=False)
        n_classes = scores.shape[1]
        if y.min() < 0 or y.max() >= n_classes:
            raise ValueError(f"y holds a class code outside 0..{n_classes - 1}")
        labels = scores.argmax(axis=1) if self.needs == "labels" else None
        if n_classes == 2 and self.positive == 0:
            y, scores = 1 - y, scores[:, ::-1]
            labels = None if labels is None else 1 - labels
        return y, scores if labels is None else labels


def register(metric: Metric) -> Metric:
    """Make a metric known by its name.

    Raises
    ------
    TypeError
        Another metric has that name.
    """
    if _REGISTRY.setdefault(metric.name, metric) != metric:
        raise TypeError(f"two metrics are named {metric.name!r}")
    return metric


@cache
def _discover() -> None:
    room = "artificer.metrics"
    for info in pkgutil.iter_modules(importlib.import_module(room).__path__, room + "."):
        importlib.import_module(info.name)
    for point in entry_points(group=room):
        register(point.load())


def metrics(task: Task | None = None) -> dict[str, Metric]:
    """Every metric by name, sorted; with `task`, those that measure it.

    Examples
    --------
    >>> list(metrics(Task.REGRESSION))[:3]
    ['mae', 'mape', 'median_absolute_error']
    """
    _discover()
    return {name: found for name, found in sorted(_REGISTRY.items()) if task is None or task in found.tasks}


def metric(name: str, positive: int = 1, levels: tuple[float, ...] = ()) -> Metric:
    """Look a metric up by its name.

    Parameters
    ----------
    positive : in a binary task, the code of the class that counts as positive.
    levels : those of the quantiles that are measured.

    Raises
    ------
    ConfigurationError
        No metric has that name; the nearest one is named.

    Examples
    --------
    >>> metric("roc_auk")
    Traceback (most recent call last):
    ...
    artificer.errors.ConfigurationError: there is no metric "roc_auk"; did you mean "roc_auc"?
    """
    known = metrics()
    if name not in known:
        raise ConfigurationError(
            f'there is no metric "{name}"' + (nearest(name, known) or "; the metrics are " + ", ".join(known))
        )
    found = known[name]
    levels = levels if found.needs == "quantiles" else ()
    return found if positive == 1 and not levels else replace(found, positive=positive, levels=levels)


def default_metric(task: Task, positive: int = 1, levels: tuple[float, ...] = ()) -> Metric:
    """What is optimised when nothing was asked for.

    Examples
    --------
    >>> default_metric(Task.MULTICLASS).name
    'log_loss'
    """
    return metric(_DEFAULTS[task], positive, levels)


def weighted_mean(values: Doubles, weight: Doubles | None) -> float:
    if weight is None:
        return float(values.mean())
    return float(np.dot(values, weight) / weight.sum())
