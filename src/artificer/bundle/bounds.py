"""Where a model's own ground ends, learnt at training: the service's guards hold rows and answers to it.

NumPy and the standard library only, as serving imports this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from artificer.tables.contract import Contract
from artificer.types import Blocks, Doubles, Ints, Json, Kind, Task

BOUNDS: Final = "bounds"
"""Under this name they stand among a bundle's metrics."""

MARGIN: Final = 0.5
"""A number is far outside if it lies beyond the training rows' range by this share of their robust width."""
TAIL: Final = 0.001
"""The robust width leaves out so much of the rows at either end."""
DOUBT: Final = 0.01
"""The share of test rows whose confidence counts as low."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a model's own ground ends.

    Attributes
    ----------
    low, high : by column of numbers; what lies beyond is far outside.
    confidence : of the likeliest class.
    value_low, value_high : of a predicted value.
    width : between the outer quantiles.
    """

    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    width: float | None = None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, data: Any) -> Bounds:
        """Read what :meth:`to_json` wrote; nothing, where a bundle has none."""
        if not isinstance(data, Mapping):
            return cls()
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if data.get(name) is not None})


def learn_bounds(blocks: Blocks, contract: Contract, y: Doubles | Ints, scores: NDArray[Any] | None) -> Bounds:
    """Learn where a model's own ground ends.

    Parameters
    ----------
    blocks, y : training rows (n).
    scores : (m, c) of rows that the model has not seen; without them nothing is known of its confidence.

    Examples
    --------
    >>> from artificer.tables.contract import ColumnSpec
    >>> from artificer.types import Role
    >>> contract = Contract((ColumnSpec("age", Role.NUMERIC, "numbers", "Float64"),), "y", Task.BINARY, ("0", "1"))
    >>> ages = np.linspace(0, 100, 1001, dtype=np.float32)[:, None]
    >>> none = np.empty((1001, 0))
    >>> bounds = learn_bounds(Blocks(ages, none, none), contract, np.zeros(1001), np.array([[0.4, 0.6], [0.1, 0.9]]))
    >>> round(bounds.low["age"]), round(bounds.high["age"]), round(bounds.confidence, 2)
    (-50, 150, 0.6)
    """
    low, high = {}, {}
    for j, name in enumerate(contract.names(Kind.NUMBERS)):
        found = _range(blocks.numbers[:, j].astype(np.float64))
        if found is not None:
            low[name], high[name] = found
    known = Bounds(low, high)
    if scores is None or not len(scores):
        return known
    scores = np.asarray(scores, dtype=np.float64)
    if contract.classes:
        return replace(known, confidence=float(np.quantile(scores.max(axis=1), DOUBT)))
    values = _range(np.asarray(y, dtype=np.float64))
    if values is not None:
        known = replace(known, value_low=values[0], value_high=values[1])
    if contract.task is Task.QUANTILE:
        known = replace(known, width=float(np.quantile(scores[:, -1] - scores[:, 0], 1 - DOUBT)))
    return known


def _range(values: Doubles) -> tuple[float, float] | None:
    """The range of the values, widened; None where there is none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    first, last = np.quantile(values, [TAIL, 1 - TAIL])
    margin = MARGIN * float(last - first)
    return float(values.min()) - margin, float(values.max()) + margin
