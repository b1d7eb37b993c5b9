"""The last step of the deployed graph: from the ensemble's average to calibrated scores.

One record, four kinds, all of them ``scale * z + offset`` on a scale that suits the task:

=============  ==========================================  ===============================
kind           z                                           result
=============  ==========================================  ===============================
identity       the scores                                  the scores
temperature    log p of every class                        softmax (z * scale), scale = 1/T
platt          log p of both classes                       softmax, offset on the second one
affine         the value                                   the value in the target's unit
=============  ==========================================  ===============================

Quantiles have an offset for each level besides, so that each is exceeded as often as it says.

References
----------
.. [1] Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to regularized likelihood
   methods. Advances in Large Margin Classifiers, 61-74.
.. [2] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from artificer.errors import BundleDamagedError
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX, Doubles, Json

CalibrationKind = Literal["identity", "temperature", "platt", "affine"]

SMALLEST_PROBABILITY = 1e-7
"""Where a probability of 0 is put before its logarithm is taken; close to float32's resolution at 1."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How averaged scores (n, c) become the graph's ``scores`` (n, c).

    Examples
    --------
    >>> Calibration.platt(1.0, math.log(3)).apply(np.array([[0.5, 0.5]])).round(6).tolist()
    [[0.25, 0.75]]
    >>> Calibration.temperature(1.0).apply(np.array([[0.2, 0.3, 0.5]])).round(6).tolist()
    [[0.2, 0.3, 0.5]]
    >>> Calibration.affine(10.0, 100.0).apply(np.array([[-0.5]])).tolist()
    [[95.0]]
    >>> Calibration.affine(10.0, 100.0, (-1.0, 2.0)).apply(np.array([[-0.5, 0.5]])).tolist()
    [[94.0, 107.0]]
    """

    kind: CalibrationKind = "identity"
    scale: float = 1.0
    offset: float = 0.0
    shifts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(CalibrationKind):
            raise ValueError(f"calibration kind must be one of {get_args(CalibrationKind)}, got {self.kind!r}")
        if not all(map(math.isfinite, (self.scale, self.offset, *self.shifts))):
            raise ValueError(f"calibration needs finite numbers, got scale {self.scale} and offset {self.offset}")

    @classmethod
    def identity(cls) -> Calibration:
        return cls()

    @classmethod
    def temperature(cls, temperature: float) -> Calibration:
        """Divide log-probabilities by `temperature` (> 0): above 1 the scores become more cautious."""
        if not temperature > 0:
            raise ValueError(f"a temperature must be above 0, got {temperature}")
        return cls("temperature", 1.0 / temperature)

    @classmethod
    def platt(cls, slope: float, intercept: float) -> Calibration:
        """Make logit(p of the second class) into ``slope * logit + intercept``; two classes only."""
        return cls("platt", slope, intercept)

    @classmethod
    def affine(cls, scale: float, offset: float, shifts: Sequence[float] = ()) -> Calibration:
        """Bring a standardised prediction back to the target's unit: ``value * scale + offset``.

        `shifts`, one for each quantile and falling nowhere, are added to that.
        """
        return cls("affine", scale, offset, tuple(shifts))

    @property
    def offsets(self) -> Doubles:
        """What is added to every value (1,), or to each quantile (q,)."""
        return self.offset + np.array(self.shifts or (0.0,))

    def apply(self, scores: NDArray[Any]) -> Doubles:
        """Calibrate (n, c) scores in float64.

        Raises
        ------
        ValueError
            Platt scaling of anything but two classes.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if self.kind == "identity":
            return scores
        if self.kind == "affine":
            return np.clip(scores * self.scale + self.offsets, -FLOAT32_MAX, FLOAT32_MAX)
        z = np.log(np.maximum(scores, SMALLEST_PROBABILITY)) * self.scale
        if self.kind == "platt":
            if scores.shape[1] != 2:
                raise ValueError(f"Platt scaling takes two classes, got {scores.shape[1]}")
            z = z + np.array([0.0, self.offset])
        e = np.exp(z - z.max(axis=1, keepdims=True))
        calibrated: Doubles = e / e.sum(axis=1, keepdims=True)
        return calibrated

    def emit(self, graph: Graph, scores: str) -> str:
        """Write :meth:`apply` into `graph`; `scores` names an (n, c) float32 tensor, as does the name returned."""
        if self.kind == "identity":
            return scores
        scale = graph.constant(np.array([self.scale], dtype=np.float32))
        if self.kind == "affine":
            offset = graph.constant(self.offsets.astype(np.float32))
            low, high = (graph.constant(np.array(v, dtype=np.float32)) for v in (-FLOAT32_MAX, FLOAT32_MAX))
            return graph.op("Clip", graph.op("Add", graph.op("Mul", scores, scale), offset), low, high)
        floor = graph.constant(np.array([SMALLEST_PROBABILITY], dtype=np.float32))
        z = graph.op("Mul", graph.op("Log", graph.op("Max", scores, floor)), scale)
        if self.kind == "platt":
            z = graph.op("Add", z, graph.constant(np.array([0.0, self.offset], dtype=np.float32)))
        return graph.op("Softmax", z, axis=1)

    def to_json(self) -> Json:
        shifts = {"shifts": list(self.shifts)} if self.shifts else {}
        return {"kind": self.kind, "scale": self.scale, "offset": self.offset, **shifts}

    @classmethod
    def from_json(cls, data: Json) -> Calibration:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        BundleDamagedError
            A key is absent or a value is of the wrong type or out of range.
        """
        try:
            shifts = tuple(float(shift) for shift in data.get("shifts", ()))
            return cls(data["kind"], float(data["scale"]), float(data["offset"]), shifts)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BundleDamagedError(
                f"the calibration record {data!r} cannot be read ({error}); train the model again"
            ) from error
