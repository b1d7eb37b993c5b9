"""Which raw columns a model relies on: how much its score falls when one column is shuffled.

References
----------
.. [1] Breiman, L. (2001). Random forests. Machine Learning 45, 5-32.
.. [2] Fisher, A., Rudin, C., Dominici, F. (2019). All models are wrong, but many are useful: learning a variable's
   importance by studying an entire class of prediction models simultaneously. JMLR 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.clock import Clock, Deadline, SystemClock
from artificer.evaluation.estimate import difference_of
from artificer.evaluation.intervals import finite, normal_quantile
from artificer.evaluation.resampling import SLOW_REPLICATES, sample
from artificer.metrics.base import Metric
from artificer.types import Blocks, Json, Kind


@dataclass(frozen=True, slots=True)
class Importance:
    """How much better the model does with a column than with its values shuffled, in the metric's unit.

    ``low`` and ``high`` are a 95 % interval that covers the choice of rows and of the shuffle; infinite when only the
    value is known. A column whose interval reaches zero may be noise.
    """

    column: str
    kind: Kind
    value: float
    low: float
    high: float
    repeats: int

    def to_json(self) -> Json:
        return {**{key: finite(item) for key, item in asdict(self).items()}, "kind": self.kind.value}


def permutation_importance(
    predict: Callable[[Blocks], NDArray[Any]],
    blocks: Blocks,
    y: NDArray[Any],
    metric: Metric,
    names: Mapping[Kind, Sequence[str]],
    *,
    weight: NDArray[Any] | None = None,
    seconds: float = 10.0,
    max_rows: int = 2_000,
    repeats: int = 5,
    seed: int = 0,
    clock: Clock | None = None,
) -> tuple[Importance, ...]:
    """Shuffle each raw column in turn and see how much the score falls, the most important first.

    Columns take turns, so that when the time is up all have had about equally many repeats; one that never had its turn
    is left out. A column that repeats what another says looks unimportant: the model still has the other.

    Parameters
    ----------
    predict : from blocks to scores (n, c).
    y : (n,), codes or values.
    names : column names of each block, in block order.
    weight : (n,) how much each row counts.
    seconds : a limit; exceeded by at most one prediction and its comparison.
    max_rows : a random sample of so many rows is used.
    """
    deadline = Deadline.after(clock or SystemClock(), seconds)
    rng = np.random.default_rng(seed)
    y = np.asarray(y)
    if len(y) > max_rows:
        rows = np.sort(rng.choice(len(y), max_rows, replace=False))
        blocks, y = blocks.take(rows), y[rows]
        weight = None if weight is None else weight[rows]
    columns = [(kind, index) for kind in Kind for index in range(blocks.of(kind).shape[1])]
    whole = np.asarray(predict(blocks))
    losses: dict[tuple[Kind, int], list[float]] = {}
    spreads: dict[tuple[Kind, int], float] = {}
    base = metric.loss(y, whole, weight)
    for repeat in range(repeats):
        for column in columns:
            if deadline.remaining <= 0 or math.isnan(base):
                break
            shuffled = np.asarray(predict(_shuffled(blocks, *column, rng.permutation(len(y)))))
            losses.setdefault(column, []).append(metric.loss(y, shuffled, weight) - base)
            if repeat == 0:
                drawn = sample(metric, y, [whole, shuffled], weight=weight, seed=seed, replicates=SLOW_REPLICATES)
                spreads[column] = difference_of(metric, drawn).stderr
    found = [
        _importance(names[kind][index], kind, values, spreads[kind, index]) for (kind, index), values in losses.items()
    ]
    return tuple(sorted(found, key=lambda item: -item.value))


def _shuffled(blocks: Blocks, kind: Kind, index: int, order: NDArray[Any]) -> Blocks:
    block: Any = blocks.of(kind).copy()
    block[:, index] = block[order, index]
    parts = {item.value: blocks.of(item) for item in Kind}
    return Blocks(**{**parts, kind.value: block})


def _importance(name: str, kind: Kind, values: list[float], stderr: float) -> Importance:
    value = float(np.mean(values))
    if math.isnan(stderr):
        return Importance(name, kind, value, -math.inf, math.inf, len(values))
    between = float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
    half = normal_quantile(0.975) * math.sqrt(stderr**2 + between)
    return Importance(name, kind, value, value - half, value + half, len(values))
