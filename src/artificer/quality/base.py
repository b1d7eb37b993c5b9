"""What a check is, and what it reports: facts about a table, with the evidence and how to mend them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from artificer.plugins import members
from artificer.tables.arrays import Breach
from artificer.tables.contract import Contract
from artificer.types import Blocks, Doubles, Ints, Json

if TYPE_CHECKING:
    import polars as pl

Severity: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a table that its owner should know.

    Attributes
    ----------
    rule : name of the check that found it.
    column : where; None when it concerns the whole table.
    count, share : rows concerned, and their share of the rows looked at.
    examples : values or row numbers as text, at most three.
    severity : ``info`` (nothing to do), ``warning`` (look at it), ``error`` (the result is not to be trusted).
    evidence : what was seen, one sentence with numbers.
    mend : what to do about it, or what was done.
    applied : whether the mend has already been made.
    """

    rule: str
    column: str | None
    count: int
    share: float
    examples: tuple[str, ...]
    severity: Severity
    evidence: str
    mend: str
    applied: bool = False

    def to_json(self) -> Json:
        """JSON-ready form."""
        return {**asdict(self), "examples": list(self.examples)}


@dataclass(frozen=True, slots=True)
class Checked:
    """What checks look at: one table, possibly a sample of it, raw and under its contract.

    Attributes
    ----------
    frame : n raw rows.
    blocks : the same rows as the model sees them.
    y : class codes or values, n; None when the table has no target.
    breaches : cells that became missing because they break the contract.
    """

    frame: pl.DataFrame
    contract: Contract
    blocks: Blocks
    y: Ints | Doubles | None
    breaches: tuple[Breach, ...]

    def share(self, count: int) -> float:
        return count / max(self.frame.height, 1)


class Check(ABC):
    """Looks for one kind of trouble. Members hold no state and change nothing."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, table: Checked) -> Iterator[Finding]:
        """Give what was found, in the table's column order."""


def checks() -> dict[str, type[Check]]:
    """Every registered check by name."""
    return members("artificer.quality", Check, "artificer.checks")
