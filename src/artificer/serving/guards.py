"""Guards: what is done about a row that the model should not be asked, or an answer that it is not sure of.

Where the bounds lie is learnt at training and stands in the bundle; what is done about a row beyond them is said by the
project. A guard costs a comparison of arrays a turn, so it stands on the hot path.

NumPy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from artificer.bundle.bounds import Bounds
from artificer.errors import ContractError, UsageError, Violation, nearest
from artificer.tables.contract import MAX_VIOLATIONS, Contract, RowReader, canonical_text
from artificer.types import Blocks, Json, Kind

Action: TypeAlias = Literal["off", "log", "flag", "override", "refuse"]
Guard: TypeAlias = Literal["out_of_contract", "far_outside", "low_confidence"]

GUARDS: Final = get_args(Guard)
ACTIONS: Final = get_args(Action)
TOLD: Final = ("flag", "override")
"""What guards do that the client is told of."""


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """What is done about each kind of row.

    Attributes
    ----------
    out_of_contract : cells that break the contract; anything but ``refuse`` takes them as missing.
    far_outside : a number far beyond what training saw.
    low_confidence : the likeliest class is unlikely, a value lies far beyond the target's, quantiles lie far apart.
    default : what is told in place of a prediction where the action is ``override``.
    confidence : below this probability of the likeliest class confidence is low, in place of the bundle's bound.
    """

    out_of_contract: Action = "refuse"
    far_outside: Action = "log"
    low_confidence: Action = "log"
    default: str | float | bool | None = None
    confidence: float | None = None

    def to_json(self) -> Json:
        """For the command line of the serving process."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a guard caught: which guard, what is done, and a sentence for the client."""

    guard: Guard
    action: Action
    why: str


Hits: TypeAlias = dict[int, tuple[Hit, ...]]
"""By the number of the row."""


class Rails:
    """The guards of one model version. Holds no state that changes; safe to share between threads.

    Raises
    ------
    UsageError
        A default is wanted and missing, or the target cannot have it.
    """

    def __init__(self, plan: GuardPlan, bounds: Bounds, contract: Contract) -> None:
        self.plan = plan
        self._contract = contract
        self._bounds = bounds if plan.confidence is None else replace(bounds, confidence=plan.confidence)
        names = contract.names(Kind.NUMBERS)
        self._names = names
        self._low = np.array([bounds.low.get(name, -np.inf) for name in names], dtype=np.float64)
        self._high = np.array([bounds.high.get(name, np.inf) for name in names], dtype=np.float64)
        self._looks_outside = plan.far_outside != "off" and bool(bounds.low)
        self.lenient = plan.out_of_contract in ("log", "flag", "override")
        self._reader = _open(contract) if self.lenient else None
        # An error names so many cells at most: all of so few rows, which are read no more than twice.
        self._step = max(1, MAX_VIOLATIONS // max(1, sum(column.kind is not None for column in contract.columns)))
        self.default = self._checked_default()

    def _checked_default(self) -> Any:
        plan, contract = self.plan, self._contract
        if "override" not in (plan.out_of_contract, plan.far_outside, plan.low_confidence):
            return None
        if plan.default is None:
            raise UsageError('guards.default is missing, and a guard is to "override" with it; set it')
        if not contract.classes:
            if isinstance(plan.default, bool) or not isinstance(plan.default, (int, float)):
                raise UsageError(f"guards.default must be a number, as {contract.target} is, not {plan.default!r}")
            return float(plan.default)
        text = canonical_text(plan.default)
        if text not in contract.classes:
            hint = nearest(text, contract.classes) or "; its classes are " + ", ".join(contract.classes[:8])
            raise UsageError(f"guards.default is {plan.default!r}, which is no class of {contract.target}{hint}")
        return contract.label(text)

    def hits(self, blocks: Blocks, scores: NDArray[Any]) -> Hits:
        """Which rows the guards catch, and why.

        Parameters
        ----------
        blocks, scores : (n), (n, c).
        """
        found: Hits = {}
        if self._looks_outside and blocks.numbers.shape[1]:
            beyond = (blocks.numbers < self._low) | (blocks.numbers > self._high)  # NaN is neither
            if beyond.any():
                for i in np.flatnonzero(beyond.any(axis=1)).tolist():
                    names = ", ".join(f'"{self._names[j]}"' for j in np.flatnonzero(beyond[i])[:3])
                    found[i] = (Hit("far_outside", self.plan.far_outside, f"{names} far outside what training saw"),)
        if self.plan.low_confidence != "off":
            for i in self._unsure(scores):
                hit = Hit("low_confidence", self.plan.low_confidence, "the model is less sure than it usually is")
                found[i] = (*found.get(i, ()), hit)
        return found

    def _unsure(self, scores: NDArray[Any]) -> list[int]:
        bounds = self._bounds
        unsure = np.zeros(len(scores), dtype=bool)
        if self._contract.classes:
            if bounds.confidence is not None:
                unsure = scores.max(axis=1) < bounds.confidence
        else:
            if bounds.value_low is not None and bounds.value_high is not None:
                middle = scores[:, self._contract.middle]
                unsure = (middle < bounds.value_low) | (middle > bounds.value_high)
            if bounds.width is not None:
                unsure = unsure | (scores[:, -1] - scores[:, 0] > bounds.width)
        return np.flatnonzero(unsure).tolist() if unsure.any() else []

    def read(self, rows: Sequence[Any], strict: RowReader) -> tuple[list[Any], Blocks, tuple[str, ...], Hits]:
        """Read rows of which some break the contract with the broken cells missing.

        Parameters
        ----------
        strict : the reader that holds rows to the contract.

        Returns
        -------
        The rows so changed, their blocks, warnings about columns that were ignored, and who was caught.

        Raises
        ------
        ContractError
            A row is no object, which nothing can mend.
        """
        mended = list(rows)
        told: Hits = {}
        parts: list[Blocks] = []
        warned: set[str] = set()
        for begin in range(0, len(mended), self._step):
            part = mended[begin : begin + self._step]
            blocks, warnings, broken = self._read_part(part, begin, strict)
            mended[begin : begin + self._step] = part
            parts.append(blocks)
            warned.update(warnings)
            for row, of in broken.items():
                why = "; ".join(f'"{column}" {rule}' for column, rule in of.items())[:300]
                told[begin + row] = (Hit("out_of_contract", self.plan.out_of_contract, why),)
        return mended, Blocks.joined(parts), tuple(sorted(warned)), told

    def _read_part(
        self, part: list[Any], begin: int, strict: RowReader
    ) -> tuple[Blocks, tuple[str, ...], dict[int, dict[str, str]]]:
        """Read so few rows that an error names all that is wrong with them, and mend them in place."""
        assert self._reader is not None  # noqa: S101 - asked for by the plan
        broken: dict[int, dict[str, str]] = {}
        reader = strict
        while True:
            try:
                blocks, warnings = reader.read(part)
            except ContractError as error:
                found = error.violations
            else:
                return blocks, warnings, broken
            odd = [replace(violation, row=begin + violation.row) for violation in found if not violation.column]
            if odd:
                raise ContractError(f"row {odd[0].row} {odd[0].rule}", odd)
            for violation in found:
                broken.setdefault(violation.row, {})[violation.column] = violation.rule
            for row in {violation.row for violation in found}:
                part[row] = {**part[row], **dict.fromkeys(broken[row])}
            reader = self._reader  # to which a mended cell is none that may not be missing

    def refused(self, hits: Mapping[int, Sequence[Hit]]) -> ContractError | None:
        """The error of a request in which rows are refused."""
        violations = [
            Violation(row, "", None, f"is refused by a guard: {hit.why}")
            for row, of in sorted(hits.items())
            for hit in of
            if hit.action == "refuse"
        ]
        if not violations:
            return None
        return ContractError(f"row {violations[0].row} {violations[0].rule}", violations[:100])


def _open(contract: Contract) -> RowReader:
    """A reader to which every cell may be missing."""
    return RowReader(replace(contract, columns=tuple(replace(column, nullable=True) for column in contract.columns)))
