"""Metrics that are a smooth function of column means, so that resampling them is a matrix product.

A form gives columns V (n, q), one row of numbers for each row of data, and a function of their weighted means (…, q)
that yields the metric. A test holds every form against its metric on random weights; a metric without one is resampled
row by row, which is slower and otherwise the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.metrics.base import Metric
from artificer.metrics.quantiles import covered_rows, pinball_rows
from artificer.metrics.regression import FLOOR
from artificer.types import Doubles

Combine: TypeAlias = Callable[[Doubles], Doubles]


@dataclass(frozen=True, slots=True)
class Form:
    columns: Doubles
    combine: Combine


def _first(means: Doubles) -> Doubles:
    return means[..., 0]


def _root(means: Doubles) -> Doubles:
    return np.asarray(np.sqrt(means[..., 0]))


def _explained(means: Doubles) -> Doubles:
    spread = means[..., 2] - means[..., 1] ** 2
    return np.asarray(1.0 - means[..., 0] / np.where(spread > 0, spread, np.nan))


def _log_loss(y: NDArray[Any], scores: NDArray[Any]) -> Doubles:
    eps = float(np.finfo(scores.dtype if scores.dtype.kind == "f" else np.float64).eps)
    given = scores[np.arange(len(y)), y.astype(np.int64)].astype(np.float64)
    return np.asarray(-np.log(np.clip(given, eps, 1.0 - eps)))


def _brier(y: NDArray[Any], scores: NDArray[Any]) -> Doubles:
    distance = scores.astype(np.float64)
    distance[np.arange(len(y)), y.astype(np.int64)] -= 1.0
    return np.asarray(np.einsum("ij,ij->i", distance, distance) / 2.0)


def _poisson(y: Doubles, value: Doubles) -> Doubles:
    mean = np.maximum(value, FLOOR)
    return np.asarray(2.0 * (y * np.log(np.where(y > 0, y / mean, 1.0)) - y + mean))


def form(metric: Metric, y: NDArray[Any], scores: NDArray[Any], weight: NDArray[Any] | None = None) -> Form | None:
    """Give the metric's form on these rows, None when it has none.

    Parameters
    ----------
    y : (n,), codes or values.
    scores : (n, c).
    weight : (n,) how much each row counts; the weighted mean of a column is one mean over another.
    """
    plain = _form(metric, y, scores)
    if plain is None or weight is None:
        return plain
    columns = np.concatenate([plain.columns * weight[:, None], weight[:, None]], axis=1)

    def combine(means: Doubles) -> Doubles:
        return plain.combine(means[..., :-1] / means[..., -1:])

    return Form(columns, combine)


def _form(metric: Metric, y: NDArray[Any], scores: NDArray[Any]) -> Form | None:
    if metric.name == "log_loss":
        return Form(_log_loss(y, scores)[:, None], _first)
    if metric.name == "brier":
        return Form(_brier(y, scores)[:, None], _first)
    if not metric.of_numbers:
        return None
    y = y.astype(np.float64)
    if metric.name == "pinball_loss":
        return Form(pinball_rows(y, scores.astype(np.float64), metric.levels)[:, None], _first)
    if metric.name == "interval_coverage" and len(metric.levels) > 1:
        return Form(covered_rows(y, scores)[:, None], _first)
    value = scores.reshape(len(y), -1)[:, 0].astype(np.float64)
    if metric.name == "mae":
        return Form(np.abs(y - value)[:, None], _first)
    if metric.name == "rmse":
        return Form(((y - value) ** 2)[:, None], _root)
    if metric.name == "mape":
        return Form((np.abs(y - value) / np.maximum(np.abs(y), np.finfo(np.float64).eps))[:, None], _first)
    if metric.name == "rmsle":
        return Form(((np.log1p(y) - np.log1p(np.maximum(value, 0.0))) ** 2)[:, None], _root)
    if metric.name == "poisson_deviance":
        return Form(_poisson(y, value)[:, None], _first)
    if metric.name == "r2":
        centred = y - y.mean()
        return Form(np.stack([(y - value) ** 2, centred, centred**2], axis=1), _explained)
    return None


def influence(columns: Doubles, combine: Combine) -> Doubles:
    """How much each row moves the metric: its first-order (infinitesimal jackknife) contribution, (n,)."""
    means = columns.mean(axis=0)
    gradient = np.zeros(len(means))
    for index, mean in enumerate(means):
        step = 1e-5 * max(abs(float(mean)), float(columns[:, index].std()), 1e-12)
        up, down = means.copy(), means.copy()
        up[index] += step
        down[index] -= step if mean - step > 0 or mean <= 0 else 0.0
        change = float(combine(up)) - float(combine(down))
        gradient[index] = change / (up[index] - down[index])
    return np.asarray((columns - means) @ gradient)
