"""What speaks for a split other than a random one: records with a sentence each, whether they were followed or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from artificer.types import Blocks, Doubles, Ints, Json, Kind, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.contract import Contract

About: TypeAlias = Literal["time", "entity", "copies"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason why rows may not be exchangeable.

    Attributes
    ----------
    about : rows follow a time, belong to entities, or are copies of each other.
    column : the column that tells so; None where all of them together do.
    followed : whether the split obeys it.
    sentence : what was seen and what follows from it, with numbers.
    numbers : the measurements behind the sentence.
    """

    about: About
    column: str | None
    followed: bool
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> Json:
        return {**asdict(self), "numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True)
class Table:
    """What is looked at: n rows as they came, as the model sees them, and the target (class codes or values)."""

    frame: pl.DataFrame
    contract: Contract
    blocks: Blocks
    y: Doubles | Ints
    task: Task

    def names(self, kind: Kind) -> Sequence[str]:
        return self.contract.names(kind)

    @property
    def labels(self) -> Ints | None:
        return self.y.astype("int64") if self.task.is_classification else None
