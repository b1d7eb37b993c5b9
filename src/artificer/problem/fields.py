"""The kinds of values that keys of ``artificer.toml`` take, each with what it must be, and how a key is declared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf

from artificer.errors import nearest
from artificer.metrics.base import metrics
from artificer.problem.amounts import Budget, Duration
from artificer.problem.places import StoreURL
from artificer.problem.requirements import Requirement

MOST_QUANTILES = 25


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("a text that UTF-8 can write")
    return value


def _journal(value: str) -> str:
    if "://" in value:
        if not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("a path, or a URL that begins with postgresql://")
        StoreURL(value)
    return value


def _line(value: str) -> str:
    if len(value) > 100 or not value.isprintable() or value != value.strip():
        raise ValueError("a text of one line without space around it, at most 100 characters")
    return value


def _durable(value: str) -> str:
    if len(value) > 32 or not all(c.isascii() and (c.isalnum() or c in "-_") for c in value):
        raise ValueError("a text of 1 to 32 letters, digits, - and _")
    return value


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f'a list in which "{value}" stands once')
        seen.add(value)
    return values


def _lasting(value: Duration) -> Duration:
    if value.seconds < 1:
        raise ValueError("a duration of at least one second")
    return value


def _metric(name: str) -> str:
    if name not in metrics():
        hint = nearest(name, metrics()) or "; the metrics are " + ", ".join(metrics())
        raise ValueError(f'the name of a metric, which "{name}" is not{hint}')
    return name


def _label(value: Any) -> Any:
    """A class label in its canonical text, so that ``positive = 1`` and ``positive = true`` may be written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) and abs(value) < 2**64 else value


def _class_weights(value: Any) -> Any:
    """Read "balanced", or a number of zero or more for each label in its canonical text."""
    if value == "balanced":
        return value
    if not isinstance(value, Mapping) or not value:
        raise ValueError('"balanced" or a table of labels and numbers, like { yes = 5, no = 1 }')
    weights: dict[str, float] = {}
    for label, number in value.items():
        name = _label(label)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ValueError(f'a table of labels and numbers, and "{name}" has none')
        if not isinstance(name, str) or not math.isfinite(number) or number < 0:
            raise ValueError(f'a table of labels and numbers of zero or more, which "{name}" has not')
        weights[name] = float(number)
    if not any(weights.values()):
        raise ValueError("a table with a number above zero")
    return weights


def _levels(values: tuple[float, ...]) -> tuple[float, ...]:
    edges = (0.0, *values, 1.0)
    if not 0 < len(values) <= MOST_QUANTILES or not all(low < high for low, high in pairwise(edges)):
        raise ValueError(f"a list of 1 to {MOST_QUANTILES} rising numbers above 0 and below 1, like [0.1, 0.5, 0.9]")
    return values


def _parsed(kind: Any) -> BeforeValidator:
    """Accept the parsed thing itself, or text that its ``parse`` (or constructor) reads."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return kind.parse(value) if hasattr(kind, "parse") else kind(_text(value))

    return BeforeValidator(convert)


Text: TypeAlias = Annotated[str, Field(strict=True), AfterValidator(_text)]
ModelName: TypeAlias = Annotated[Text, AfterValidator(_line)]
JournalText: TypeAlias = Annotated[Text, AfterValidator(_journal)]
Names: TypeAlias = Annotated[tuple[Text, ...], AfterValidator(_names)]
Label: TypeAlias = Annotated[Text, BeforeValidator(_label)]
MetricName: TypeAlias = Annotated[Text, AfterValidator(_metric)]
Whole: TypeAlias = Annotated[int, Field(strict=True)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
DurationField: TypeAlias = Annotated[InstanceOf[Duration], _parsed(Duration)]
LastingField: TypeAlias = Annotated[DurationField, AfterValidator(_lasting)]
BudgetField: TypeAlias = Annotated[InstanceOf[Budget], _parsed(Budget)]
URLField: TypeAlias = Annotated[InstanceOf[StoreURL], _parsed(StoreURL)]
ClassWeights: TypeAlias = Annotated[Literal["balanced"] | dict[str, float], BeforeValidator(_class_weights)]
Levels: TypeAlias = Annotated[tuple[Number, ...], AfterValidator(_levels)]
GuardAction: TypeAlias = Literal["off", "log", "flag", "override", "refuse"]
Default: TypeAlias = Annotated[str | int | float | bool, Field(union_mode="smart")]
Directions: TypeAlias = dict[Text, Literal["increasing", "decreasing"]]
DurableName: TypeAlias = Annotated[Text, AfterValidator(_durable)]
RequirementField: TypeAlias = Annotated[InstanceOf[Requirement], _parsed(Requirement)]


def key(default: Any, meaning: str, expects: str, example: Any = None, **limits: Any) -> Any:
    """Declare a key: its default (``...`` where it must be given), meaning, form, and an example for an unset one."""
    return Field(default, description=meaning, json_schema_extra={"expects": expects, "example": example}, **limits)
