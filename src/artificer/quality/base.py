"""What a check is, and what it reports: facts about a table, with the evidence and how to mend them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.errors import TargetError
from artificer.plugins import members
from artificer.tables.arrays import Breach, column_numbers, column_times, encode_target, to_blocks
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import MISSING_TIME, Blocks, Doubles, Ints, Json, Kind, Role

if TYPE_CHECKING:
    import polars as pl

Severity: TypeAlias = Literal["info", "warning", "error"]
Mask: TypeAlias = NDArray[np.bool_]

MAX_EXAMPLES = 3
MAX_ROWS = 10
"""So many of the rows concerned are named."""


class OutOfTime(BaseException):
    """Raised inside a check whose time is over; no ``except Exception`` holds it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How many rows a check looked at, of how many, and how far the share in the whole table may be from its own.

    Attributes
    ----------
    margin : half the width of the 95 % interval of the share; None where the rows in a sample tell only that there
        are at least so many in the table (copies, whose twins may have stayed outside).
    """

    rows: int
    of: int
    margin: float | None


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
    rows : places of some of the rows concerned, from 0, in the table as it was given; a check gives places in the rows
        it looked at, and the runner translates.
    sample : where only a part of the rows was looked at.
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
    rows: tuple[int, ...] = ()
    sample: Sample | None = None

    def to_json(self) -> Json:
        """JSON-ready form."""
        return {**asdict(self), "examples": list(self.examples), "rows": list(self.rows)}


@dataclass(frozen=True)
class Checked:
    """What checks look at: one table, possibly a sample of it, raw and under its contract.

    Attributes
    ----------
    frame : n raw rows, in the table's order.
    total : rows of the whole table; n when None.
    places : where each of the n rows stands in the table as it was given; from 0 on when None.
    test : which of the n rows are kept for the test; None where no split is known.
    stop : set when the time of the check is over.
    """

    frame: pl.DataFrame
    contract: Contract
    total: int | None = None
    places: Ints | None = None
    test: Mask | None = None
    stop: threading.Event | None = None
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def _read(self) -> tuple[Blocks, tuple[Breach, ...]]:
        if "read" not in self._made:
            relaxed = tuple(replace(column, nullable=True) for column in self.contract.columns)
            self._made["read"] = to_blocks(self.frame, replace(self.contract, columns=relaxed), strict=False)
        read: tuple[Blocks, tuple[Breach, ...]] = self._made["read"]
        return read

    @property
    def blocks(self) -> Blocks:
        """The rows as the model sees them."""
        return self._read[0]

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """Cells that became missing because they break the contract."""
        return self._read[1]

    @property
    def y(self) -> Ints | Doubles | None:
        """Class codes or values, n; None when the table has no target, or an unknown one."""
        if "y" not in self._made:
            try:
                self._made["y"] = encode_target(self.frame, self.contract)
            except (TargetError, StopIteration):
                self._made["y"] = None
        y: Ints | Doubles | None = self._made["y"]
        return y

    def stoppable(self, stop: threading.Event) -> Checked:
        """The same table, what was made of it so far included, for one check that ends once `stop` is set."""
        return replace(self, stop=stop)

    def go_on(self) -> None:
        """Raise OutOfTime where the check's time is over; every column that a check takes asks it."""
        if self.stop is not None and self.stop.is_set():
            raise OutOfTime

    def share(self, count: int) -> float:
        return count / max(self.frame.height, 1)

    def features(self, kind: Kind) -> Iterator[tuple[ColumnSpec, NDArray[np.generic]]]:
        """Feature columns of a kind as the model sees them, but numbers in double precision."""
        for j, spec in enumerate(self.contract.of(kind)):
            self.go_on()
            yield spec, self.numbers(spec.name) if spec.role is Role.NUMERIC else self.blocks.of(kind)[:, j]

    def quantities(self) -> Iterator[tuple[ColumnSpec, Doubles]]:
        """Columns of numbers that are features or the target, in double precision, NaN where missing."""
        for spec in self.contract.columns:
            is_target = spec.name == self.contract.target and not self.contract.task.is_classification
            if (spec.role is Role.NUMERIC or is_target) and spec.name in self.frame.columns:
                yield spec, self.numbers(spec.name)

    def numbers(self, name: str) -> Doubles:
        """A column that is read as numbers, n, NaN where a cell is missing or none. Not to be written to."""
        self.go_on()
        key = "number " + name
        if key not in self._made:
            values = column_numbers(self.frame[name], self.contract.column(name))
            values.flags.writeable = False
            self._made[key] = values
        numbers: Doubles = self._made[key]
        return numbers

    def as_written(self, spec: ColumnSpec) -> Doubles:
        """Numbers, or times as epoch seconds, n, with codes for missing cells as they stand, NaN where unreadable."""
        plain = replace(spec, codes=())
        if spec.role is not Role.DATETIME:
            return column_numbers(self.frame[spec.name], plain)
        seconds = column_times(self.frame[spec.name], plain)
        return np.where(seconds == MISSING_TIME, np.nan, seconds.astype(np.float64))

    def take(self, rows: Ints) -> Checked:
        """A part of the rows, in their order."""
        return Checked(
            self.frame[rows],
            self.contract,
            self.frame.height if self.total is None else self.total,
            rows if self.places is None else self.places[rows],
            None if self.test is None else self.test[rows],
        )


class Check(ABC):
    """Looks for one kind of trouble. Members hold no state and change nothing.

    Attributes
    ----------
    seconds : after so long the check is reported as not done. It ends at the next column it takes; one that takes none
        is left behind and holds up nobody, but ends only by itself.
    rows, megabytes : what it may look at, and what its table may weigh; of larger tables it is given a random sample.
    deep : whether it fits models, for which a short training has no time.
    counts : ``share`` where the share of rows found in a sample is an estimate of the table's; ``least`` where a
        sample can only show fewer than there are.
    """

    name: ClassVar[str]
    seconds: ClassVar[float] = 10.0
    rows: ClassVar[int] = 200_000
    megabytes: ClassVar[int] = 512
    deep: ClassVar[bool] = False
    counts: ClassVar[Literal["share", "least"]] = "share"

    @abstractmethod
    def run(self, table: Checked) -> Iterator[Finding]:
        """Give what was found, in the table's column order."""


def checks() -> dict[str, type[Check]]:
    """Every registered check by name."""
    return members("artificer.quality", Check, "artificer.checks")


def first_rows(mask: Mask | Ints) -> tuple[int, ...]:
    """The first rows of a mask, or of places, as a finding names them."""
    places = np.flatnonzero(mask) if mask.dtype == np.bool_ else mask
    return tuple(int(row) for row in places[:MAX_ROWS])


def shown(values: NDArray[np.generic]) -> tuple[str, ...]:
    """A few different values as the examples of a finding.

    Examples
    --------
    >>> shown(np.array([3.0, 3.0, 0.25])), shown(np.array(["b", "a"], dtype=object))
    (('3', '0.25'), ('b', 'a'))
    """
    found = dict.fromkeys(as_text(value) for value in values[:1000])
    return tuple(found)[:MAX_EXAMPLES]


def as_text(value: object) -> str:
    """One value for people: numbers without needless digits, texts cut short."""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"
    return str(value)[:100]
