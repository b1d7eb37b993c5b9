"""The sampling distribution of a metric, for one or several sets of scores on the same rows.

Legend: n rows, j sets of scores, B replicates, q columns of a form. Which way is taken depends on the metric:

==================================  ==========================================================================
area under the ROC curve            DeLong's covariance of placement values; nothing is drawn
label metrics                       the cells of the confusion table are redrawn, whatever the number of rows
smooth functions of means           rows (or, above 10,000, random groups of rows) are redrawn: one product
any other                           rows are redrawn, at most 20,000 of them, and their spread is rescaled
==================================  ==========================================================================

Draws are stratified by class, as the test set was. Where rows are ordered in time they depend on their neighbours;
then circular blocks of consecutive rows are drawn instead, for every metric.

References
----------
.. [1] Efron, B., Tibshirani, R. J. (1993). An introduction to the bootstrap. Chapman & Hall.
.. [2] DeLong, E. R., DeLong, D. M., Clarke-Pearson, D. L. (1988). Biometrics 44, 837-845.
.. [3] Politis, D. N., Romano, J. P. (1992). A circular block-resampling procedure for stationary data. In: Exploring
   the limits of bootstrap. Wiley.
.. [4] Bickel, P. J., Götze, F., van Zwet, W. R. (1997). Resampling fewer than n observations. Statistica Sinica
   7, 1-31.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.evaluation import moments
from artificer.evaluation.influence import macro_auc_influence, stratified_covariance
from artificer.metrics.base import Metric
from artificer.types import Doubles, Ints

REPLICATES = 1_000
SLOW_REPLICATES = 200
MOST_UNITS = 10_000
MOST_SLOW_ROWS = 20_000
MOST_WEIGHTED_ROWS = 5_000
"""With weights the metrics of ranks and labels have no quick way, and every run asks for several."""
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of the metric's sampling distribution.

    Attributes
    ----------
    values : (j,), on all rows; NaN where the metric is not defined.
    covariance : (j, j) of the values.
    replicates : (B, j), or None when the covariance was computed directly.
    acceleration : (j,) for BCa intervals, NaN where unknown.
    method : in words.
    """

    values: Doubles
    covariance: Doubles
    replicates: Doubles | None
    acceleration: Doubles
    rows: int
    method: str


def block_length(n: int) -> int:
    """Length of the blocks for n rows in time order, of the order n^(1/3).

    Examples
    --------
    >>> block_length(1000)
    15
    """
    return max(1, min(n, math.ceil(1.5 * math.cbrt(n) - 1e-9)))


def sample(
    metric: Metric,
    y: NDArray[Any],
    scores: Sequence[NDArray[Any]],
    *,
    times: NDArray[Any] | None = None,
    weight: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Sample:
    """Estimate the joint sampling distribution of `metric` for every one of `scores`.

    Parameters
    ----------
    y : (n,), codes or values.
    scores : each (n, c).
    times : (n,), anything that sorts; given when rows depend on their neighbours in time.
    weight : (n,) how much each row counts; rows are then redrawn with their weights.
    """
    y = np.asarray(y)
    scores = [np.asarray(item) for item in scores]
    values = np.array([metric.score(y, item, weight) for item in scores])
    unknown = np.full(len(scores), math.nan)
    n = len(y)
    if np.isnan(values).any() or n < 2:
        nothing = np.full((len(scores), len(scores)), math.nan)
        return Sample(values, nothing, None, unknown, n, "not defined on these rows")
    if times is not None:
        order = np.argsort(times, kind="stable")
        y, scores = y[order], [item[order] for item in scores]
        weight = None if weight is None else weight[order]
    rng = np.random.default_rng(seed)
    strata = np.zeros(n, np.int64) if metric.of_numbers else y.astype(np.int64)
    length = block_length(n)
    blocks = f"bootstrap of blocks of {length} consecutive rows"
    if weight is not None:
        blocks = f"weighted {blocks}"
    if metric.name == "roc_auc" and weight is None:
        psi = np.stack([macro_auc_influence(y, item, metric.positive)[1] for item in scores], axis=1)
        if times is None:
            return Sample(values, stratified_covariance(psi, strata), None, unknown, n, "DeLong")
        drawn = np.clip(values + _block_means(psi, length, replicates, rng), 0.0, 1.0)
        return _of(values, drawn, unknown, n, blocks)
    if metric.needs == "labels" and weight is None:
        labels = np.stack([item.argmax(axis=1) for item in scores], axis=1)
        drawn = _redraw_labels(metric, y.astype(np.int64), labels, None if times is None else length, replicates, rng)
        return _of(values, drawn, unknown, n, "bootstrap within classes" if times is None else blocks)
    forms = [moments.form(metric, y, item, weight) for item in scores]
    if all(form is not None for form in forms):
        found = [form for form in forms if form is not None]
        columns = np.concatenate([form.columns for form in found], axis=1)
        if times is None:
            means = _unit_means(columns, strata, replicates, rng)
        else:
            means = columns.mean(axis=0) + _block_means(columns - columns.mean(axis=0), length, replicates, rng)
        width = found[0].columns.shape[1]
        with np.errstate(all="ignore"):
            drawn = np.stack([form.combine(means[:, i * width : (i + 1) * width]) for i, form in enumerate(found)], 1)
            bend = [_acceleration(moments.influence(form.columns, form.combine)) for form in found]
        plain = "bootstrap" if metric.of_numbers else "bootstrap within classes"
        plain = plain if weight is None else f"weighted {plain}"
        return _of(values, drawn, np.array(bend), n, plain if times is None else blocks)
    plain_rows = "bootstrap" if weight is None else "weighted bootstrap"
    drawn, shrink = _redraw_rows(metric, y, scores, strata, None if times is None else length, rng, weight)
    drawn = np.clip(values + (drawn - np.nanmedian(drawn, axis=0)) * shrink, metric.low, metric.high)
    return _of(values, drawn, unknown, n, blocks if times is not None else plain_rows)


def _of(values: Doubles, drawn: Doubles, bend: Doubles, n: int, method: str) -> Sample:
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 50:
        nothing = np.full((len(values), len(values)), math.nan)
        return Sample(values, nothing, None, bend, n, "too few resamples are defined")
    covariance = np.atleast_2d(np.cov(drawn, rowvar=False))
    return Sample(values, covariance, drawn, bend, n, method)


def _acceleration(psi: Doubles) -> float:
    second = float((psi**2).sum())
    return float((psi**3).sum()) / (6.0 * second**1.5) if second > 0 else 0.0


def _unit_means(columns: Doubles, strata: Ints, count: int, rng: np.random.Generator) -> Doubles:
    """Redraw column means (B, q) within strata. Many rows are put into random groups that are redrawn as one.

    A random grouping keeps the variance of a mean, and 10,000 groups give a standard error to within 1 %.
    """
    n, q = columns.shape
    per_unit = math.ceil(n / MOST_UNITS)
    total: Doubles = np.zeros((count, q))
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        units = math.ceil(len(rows) / per_unit)
        edges = np.arange(units) * len(rows) // units
        sums = np.add.reduceat(columns[rows], edges, axis=0)
        sizes = np.diff(np.append(edges, len(rows))).astype(float)
        for begin, draws in _chunks(count, units):
            counts = _counts(units, draws, rng)
            weight = counts @ sizes
            total[begin : begin + draws] += (counts @ sums) * (len(rows) / weight)[:, None]
    return np.asarray(total / n)


def _chunks(count: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK // max(width, 1))
    for begin in range(0, count, step):
        yield begin, min(step, count - begin)


def _counts(units: int, draws: int, rng: np.random.Generator) -> Doubles:
    """How often each unit is drawn, (draws, units)."""
    flat = rng.integers(0, units, (draws, units)) + np.arange(draws)[:, None] * units
    counts: Doubles = np.bincount(flat.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)
    return counts


def _block_means(columns: Doubles, length: int, count: int, rng: np.random.Generator) -> Doubles:
    """Redraw column means (B, q) by circular blocks."""
    n = len(columns)
    running = np.cumsum(np.concatenate([np.zeros((1, columns.shape[1])), columns, columns[:length]]), axis=0)
    sums = running[length : length + n] - running[:n]
    draws = max(1, round(n / length))
    means = np.empty((count, columns.shape[1]))
    for begin, size in _chunks(count, draws * columns.shape[1]):
        starts = rng.integers(0, n, (size, draws))
        means[begin : begin + size] = sums[starts].sum(axis=1)
    return means / (draws * length)


def _block_rows(n: int, length: int, rng: np.random.Generator) -> Ints:
    starts = rng.integers(0, n, math.ceil(n / length))
    rows: Ints = ((starts[:, None] + np.arange(length)) % n).ravel()[:n]
    return rows


def _redraw_labels(
    metric: Metric, y: Ints, labels: Ints, length: int | None, count: int, rng: np.random.Generator
) -> Doubles:
    cells, of_row, sizes = np.unique(
        np.concatenate([y[:, None], labels], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    of_row = of_row.reshape(-1)
    if length is None:
        counts = np.zeros((count, len(cells)), np.int64)
        for label in np.unique(y):
            at = np.flatnonzero(cells[:, 0] == label)
            counts[:, at] = rng.multinomial(int(sizes[at].sum()), sizes[at] / sizes[at].sum(), count)
    else:
        count = min(count, max(SLOW_REPLICATES, int(1e8 / len(y))))
        counts = np.stack(
            [np.bincount(of_row[_block_rows(len(y), length, rng)], minlength=len(cells)) for _ in range(count)]
        )
    flip = metric.positive == 0 and int(cells.max()) <= 1
    cells = 1 - cells if flip else cells
    drawn = np.full((count, labels.shape[1]), math.nan)
    for row, weights in enumerate(counts):
        there = weights > 0
        weight = weights[there].astype(np.float64)
        for column in range(labels.shape[1]):
            drawn[row, column] = metric.function(cells[there, 0], cells[there, column + 1], weight)
    return drawn


def _redraw_rows(
    metric: Metric,
    y: NDArray[Any],
    scores: Sequence[NDArray[Any]],
    strata: Ints,
    length: int | None,
    rng: np.random.Generator,
    weight: NDArray[Any] | None = None,
) -> tuple[Doubles, float]:
    """Replicates row by row, and the factor that brings their spread from the rows used to all rows."""
    n = len(y)
    drawn = np.full((SLOW_REPLICATES, len(scores)), math.nan)
    if length is not None:
        for replicate in range(SLOW_REPLICATES):
            rows = _block_rows(n, length, rng)
            counts = None if weight is None else weight[rows]
            drawn[replicate] = [metric.score(y[rows], item[rows], counts) for item in scores]
        return drawn, 1.0
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    # Every stratum shrinks by the same factor, so that the shares, which some metrics depend on, stay.
    keep = min(1.0, (MOST_SLOW_ROWS if weight is None else MOST_WEIGHTED_ROWS) / n)
    sizes = [max(1, round(len(rows) * keep)) for rows in members]
    for replicate in range(SLOW_REPLICATES):
        rows = np.concatenate(
            [rows[rng.integers(0, len(rows), size)] for rows, size in zip(members, sizes, strict=True)]
        )
        counts = None if weight is None else weight[rows]
        drawn[replicate] = [metric.score(y[rows], item[rows], counts) for item in scores]
    return drawn, math.sqrt(sum(sizes) / n)
