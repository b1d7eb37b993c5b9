"""Which encoders make a representation, as a record that travels in a recipe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from artificer.types import Json, Kind, Params

PASSTHROUGH = "numeric_passthrough"
"""The encoder whose features are the columns themselves."""
LEAST_COLUMNS = {"numeric_pairs": 2}
"""Encoders that take more than one column."""


@dataclass(frozen=True, slots=True)
class EncoderStep:
    """One encoder over some columns of one block.

    Attributes
    ----------
    encoder : its registered name.
    params : its constructor arguments.
    columns : places in the block of `kind`, from 0.
    by : places in the block of strings of the categories that numbers are seen within; empty for most encoders.
    """

    encoder: str
    params: Params
    kind: Kind
    columns: tuple[int, ...]
    by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RepresentationSpec:
    """Which encoders make the features, in order. Without steps there is a single feature that is always 0.

    Attributes
    ----------
    selects : features that are doubles of others, or noise, are left out once the encoders are fitted.

    Examples
    --------
    >>> spec = RepresentationSpec("trees", (EncoderStep("numeric_passthrough", {}, Kind.NUMBERS, (0, 2)),))
    >>> RepresentationSpec.from_json(spec.to_json()) == spec
    True
    """

    name: str
    steps: tuple[EncoderStep, ...]
    selects: bool = False

    def sparing(self, columns: Collection[int]) -> RepresentationSpec:
        """The same with these columns of numbers passed through as they are and used for nothing else.

        A prediction that may only rise with a column must not see it in another feature too, where it may fall.

        Examples
        --------
        >>> both = (EncoderStep("numeric_passthrough", {}, Kind.NUMBERS, (0, 1, 2)),)
        >>> both += (EncoderStep("numeric_pairs", {}, Kind.NUMBERS, (0, 1, 2)),)
        >>> [step.columns for step in RepresentationSpec("trees+pairs", both).sparing({1}).steps]
        [(0, 1, 2), (0, 2)]
        """
        kept = []
        for step in self.steps:
            if step.kind is Kind.NUMBERS and step.encoder != PASSTHROUGH:
                others = tuple(j for j in step.columns if j not in columns)
                step = step if others == step.columns else replace(step, columns=others)
                if len(others) < LEAST_COLUMNS.get(step.encoder, 1):
                    continue
            kept.append(step)
        return self if tuple(kept) == self.steps else replace(self, steps=tuple(kept))

    def to_json(self) -> Json:
        steps = [
            {
                "encoder": s.encoder,
                "params": dict(s.params),
                "kind": s.kind.value,
                "columns": list(s.columns),
                "by": list(s.by),
            }
            for s in self.steps
        ]
        return {"name": self.name, "steps": steps, "selects": self.selects}

    @classmethod
    def from_json(cls, record: Json) -> RepresentationSpec:
        steps = (
            EncoderStep(s["encoder"], dict(s["params"]), Kind(s["kind"]), tuple(s["columns"]), tuple(s["by"]))
            for s in record["steps"]
        )
        return cls(record["name"], tuple(steps), record["selects"])
