"""What a model must reach before it is accepted: "roc_auc >= 0.80", "latency_p99_ms <= 5"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from artificer.errors import nearest
from artificer.metrics.base import Metric, metrics

_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", re.ASCII)
_NAME = re.compile(r"\s*([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A thing measured of the finished model rather than of its predictions."""

    name: str
    greater_is_better: bool
    summary: str


OPERATIONAL = {
    found.name: found
    for found in (
        Measurement("latency_p50_ms", False, "milliseconds that half of the single-row predictions stay within"),
        Measurement("latency_p99_ms", False, "milliseconds that 99 of 100 single-row predictions stay within"),
        Measurement("model_mb", False, "size of the bundle in megabytes (10^6 bytes)"),
        Measurement("rows_per_s", True, "rows predicted in a second, in batches"),
    )
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One bound that the finished model must keep.

    Attributes
    ----------
    name : a metric, or one of ``OPERATIONAL``.
    op : which way the bound holds.

    Examples
    --------
    >>> requirement = Requirement.parse("roc_auc >= 0.80")
    >>> requirement.holds(0.83), requirement.holds(float("nan"))
    (True, False)
    >>> str(requirement)
    'roc_auc >= 0.8'
    """

    name: str
    op: Literal[">=", "<=", ">", "<"]
    bound: float

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read a requirement.

        Raises
        ------
        ValueError
            The text is not a requirement, its name is unknown, or no model (or every model) would keep it; the
            message says what to write.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            known = _NAME.match(text)
            example = known[1] if known and known[1] in requirement_names() else "roc_auc"
            raise ValueError(f'a requirement like "{example} {_direction(example)} {_bound_of(example)}"')
        name, operator, bound = form[1], form[2], float(form[3])
        names = requirement_names()
        if name not in names:
            hint = nearest(name, names) or "; it may be one of " + ", ".join(names)
            raise ValueError(f'a requirement on something that is measured, which "{name}" is not{hint}')
        if operator[0] != _direction(name)[0]:
            word = "grows" if _direction(name) == ">=" else "shrinks"
            raise ValueError(f'"{name} {_direction(name)} {bound:g}": {name} {word} as a model gets better')
        low, high = _range(name)
        if not (math.isfinite(bound) and low <= bound <= high):
            raise ValueError(f"a bound that {name} can reach, between {low:g} and {high:g}")
        return cls(name, operator, bound)  # type: ignore[arg-type]

    @property
    def is_operational(self) -> bool:
        return self.name in OPERATIONAL

    @property
    def metric(self) -> Metric | None:
        """The metric this bounds, None where it bounds something operational."""
        return metrics().get(self.name)

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the bound; nan keeps none."""
        if self.op[0] == ">":
            return value > self.bound or (self.op == ">=" and value == self.bound)
        return value < self.bound or (self.op == "<=" and value == self.bound)

    def __str__(self) -> str:
        bound = int(self.bound) if self.bound == int(self.bound) and abs(self.bound) < 1e15 else self.bound
        return f"{self.name} {self.op} {bound!r}"


def requirement_names() -> list[str]:
    """Everything a requirement may bound.

    Examples
    --------
    >>> [name for name in requirement_names() if "latency" in name]
    ['latency_p50_ms', 'latency_p99_ms']
    """
    return sorted([*metrics(), *OPERATIONAL])


def _direction(name: str) -> str:
    known = OPERATIONAL.get(name) or metrics()[name]
    return ">=" if known.greater_is_better else "<="


def _bound_of(name: str) -> str:
    if name in OPERATIONAL:
        return {"latency_p50_ms": "1", "latency_p99_ms": "5", "model_mb": "50", "rows_per_s": "10000"}[name]
    return "0.8" if metrics()[name].greater_is_better else "0.1"


def _range(name: str) -> tuple[float, float]:
    if name in OPERATIONAL:
        return 0.0, math.inf
    return metrics()[name].low, metrics()[name].high
