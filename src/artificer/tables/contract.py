"""The contract of a model: which columns a row has, what each may hold, and the reader that holds rows to it.

Serving imports this file: NumPy and the standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.errors import ContractError, Violation
from artificer.tables.cells import READERS, ColumnSpec, RuleError, canonical_text, is_code, settle_numbers
from artificer.tables.formats import number_format, time_format
from artificer.tables.rows import Memo, WholeRows
from artificer.types import FLOAT32_MAX, MISSING_STRING, MISSING_TIME, Blocks, Json, Kind, Role, Task

__all__ = ["ColumnSpec", "Contract", "LabelKind", "RowReader", "canonical_text"]

LabelKind: TypeAlias = Literal["string", "int", "float", "bool"]

CONTRACT_FORMAT = 1
MAX_VIOLATIONS = 100
NOT_AN_OBJECT = "must be an object of column names and values"

SUREST = 1e-6
"""Where costs decide, no class counts as less likely than this: no model has seen rows enough to rule one out."""

WHOLE_FROM = 4
"""From so many rows on whole columns are looked at; for fewer, NumPy's price for a call is more than the cells' own."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What rows look like and what is predicted from them. The columns' order is their order in the blocks.

    Attributes
    ----------
    classes : canonical texts of the labels, sorted as in the scores; empty for regression.
    positive : the class a binary score speaks of.
    label_kind : the label's own JSON type, in which predictions are given back.
    time : the column that orders the rows in time, where one was named; its values always move on.
    levels : of quantiles, rising, as in the scores; empty for other tasks.
    costs : how much it counts to miss each class, in their order; the predicted label is the one of the largest
        weighted probability. Empty where all count alike.
    """

    columns: tuple[ColumnSpec, ...]
    target: str
    task: Task
    classes: tuple[str, ...] = ()
    positive: str | None = None
    label_kind: LabelKind = "string"
    time: str | None = None
    levels: tuple[float, ...] = ()
    costs: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many scores a row has: one for each class or level, or the value."""
        return len(self.classes) or len(self.levels) or 1

    @property
    def middle(self) -> int:
        """The place of the score that is the predicted value: of quantiles, the one whose level is nearest to 0.5.

        Examples
        --------
        >>> Contract((), "y", Task.QUANTILE, levels=(0.1, 0.4, 0.8)).middle
        1
        """
        return min(range(len(self.levels)), key=lambda j: abs(self.levels[j] - 0.5), default=0)

    def class_codes(self, scores: NDArray[Any]) -> NDArray[np.intp]:
        """Places (n,) of the predicted classes: the likeliest ones, or under costs [1]_ those dearest to miss.

        Parameters
        ----------
        scores : (n, c).

        References
        ----------
        .. [1] Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.

        Examples
        --------
        >>> contract = Contract((), "y", Task.BINARY, ("no", "yes"), "yes", costs=(1.0, 5.0))
        >>> contract.class_codes(np.array([[0.75, 0.25], [0.9, 0.1]])).tolist()
        [1, 0]
        """
        if self.costs:  # in double precision wherever it is asked, so that every answer is the same
            scores = np.maximum(scores.astype(np.float64), SUREST) * np.array(self.costs)
        found: NDArray[np.intp] = scores.argmax(axis=1)
        return found

    def of(self, kind: Kind) -> tuple[ColumnSpec, ...]:
        """Columns of a block, in block order."""
        return tuple(column for column in self.columns if column.kind is kind)

    def names(self, kind: Kind) -> tuple[str, ...]:
        return tuple(column.name for column in self.of(kind))

    def column(self, name: str) -> ColumnSpec:
        return next(column for column in self.columns if column.name == name)

    def label(self, text: str) -> str | int | float | bool:
        """Turn a class text into the label's own type.

        Examples
        --------
        >>> Contract((), "y", Task.BINARY, ("0", "1"), "1", "int").label("1")
        1
        """
        if self.label_kind == "int":
            return int(text)
        if self.label_kind == "float":
            return float(text)
        if self.label_kind == "bool":
            return text == "true"
        return text

    def to_json(self) -> Json:
        """JSON-ready form; ``from_json`` gives an equal contract back."""
        data = {"format": CONTRACT_FORMAT, **asdict(self), "columns": [_column_to_json(c) for c in self.columns]}
        for name in ("levels", "costs"):  # a reader that does not know them reads it as before
            if not data[name]:
                del data[name]
        return data

    @classmethod
    def from_json(cls, data: Json) -> Contract:
        """Read what ``to_json`` wrote.

        Raises
        ------
        ContractError
            The document is not a contract, or of a newer format.
        """
        try:
            data = dict(data)
            number = data.pop("format", None)
            if number != CONTRACT_FORMAT:
                raise ContractError(
                    f"the contract has format {number!r}, this version reads {CONTRACT_FORMAT}; upgrade Artificer"
                )
            columns = tuple(_column_from_json(column) for column in data.pop("columns"))
            contract = cls(
                columns=columns,
                task=Task(data.pop("task")),
                classes=tuple(str(name) for name in data.pop("classes")),
                levels=tuple(float(level) for level in data.pop("levels", ())),
                costs=tuple(float(cost) for cost in data.pop("costs", ())),
                **data,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ContractError(f"the document is not a contract ({error}); take it from an intact bundle") from error
        contract._check()
        return contract

    def _check(self) -> None:
        names = [column.name for column in self.columns]
        if not isinstance(self.target, str) or len(set(names)) != len(names):
            raise ContractError("the contract names a column twice or has no target; take it from an intact bundle")
        if any(column.codes and not column.nullable for column in self.columns if column.kind is not None):
            raise ContractError(
                "the contract has codes for missing cells in a column that may not be missing; take it from an intact "
                "bundle"
            )
        if self.label_kind not in ("string", "int", "float", "bool"):
            raise ContractError(
                f"the contract's label kind {self.label_kind!r} is unknown; take it from an intact bundle"
            )
        if self.task.is_classification and len(self.classes) < 2:
            raise ContractError("the contract of a classifier needs two classes; take it from an intact bundle")
        sound = all(0 <= cost < math.inf for cost in self.costs) and any(self.costs)
        if self.costs and not (sound and len(self.costs) == len(self.classes)):
            raise ContractError(
                "the contract's costs are not numbers of zero or more for each class; take it from an intact bundle"
            )
        if (self.task is Task.QUANTILE) != bool(self.levels) or not are_levels(self.levels):
            raise ContractError(
                "the contract's levels of quantiles do not rise from 0 to 1; take it from an intact bundle"
            )


def are_levels(levels: Sequence[float]) -> bool:
    """Whether they rise, and lie between 0 and 1."""
    edges = (0.0, *levels, 1.0)
    return all(low < high for low, high in pairwise(edges))


def _column_to_json(column: ColumnSpec) -> Json:
    data = asdict(column)
    for name in (
        "codes",
        "units",
        "spelling",
        "variants",
        "alike",
        "scale",
    ):  # a reader that does not know them reads it as before
        if not data[name]:
            del data[name]
    return data


def _column_from_json(data: Json) -> ColumnSpec:
    column = ColumnSpec(
        **{
            **data,
            "role": Role(data["role"]),
            "categories": tuple(map(str, data.get("categories", ()))),
            "missing": tuple(map(str, data.get("missing", ()))),
            "codes": tuple(map(float, data.get("codes", ()))),
            "units": tuple(map(str, data.get("units", ()))),
            "spelling": {str(text): str(meant) for text, meant in data.get("spelling", {}).items()},
            "variants": bool(data.get("variants", False)),
            "alike": bool(data.get("alike", False)),
            "scale": tuple(_scale_from_json(rule) for rule in data.get("scale", ())),
        }
    )
    if not isinstance(column.name, str):
        raise TypeError("a column has no name")
    if column.role is Role.NUMERIC:
        number_format(column.format)  # a format that cannot be read must fail here and not at the first row
    elif column.role is Role.DATETIME:
        time_format(column.format)
    return column


def _scale_from_json(data: Sequence[Any]) -> tuple[float, float, float]:
    low, high, factor = map(float, data)
    if not (low <= high and math.isfinite(factor) and factor > 0):
        raise ValueError("a rule of scale is low, high and factor")
    return low, high, factor


class RowReader:
    """Reads JSON rows into blocks and names everything that breaks the contract. Safe to share between threads.

    Examples
    --------
    >>> age = ColumnSpec("age", Role.NUMERIC, "whole numbers", "Int64", nullable=False)
    >>> city = ColumnSpec("city", Role.CATEGORICAL, "few texts", "String")
    >>> reader = RowReader(Contract((age, city), "y", Task.REGRESSION))
    >>> blocks, warnings = reader.read([{"age": 41, "city": " Rome", "shoe": 9}])
    >>> blocks.numbers.tolist(), blocks.strings.tolist(), warnings
    ([[41.0]], [['Rome']], ('column "shoe" is not part of the model and was ignored',))
    >>> reader.read([{"age": "old"}])
    Traceback (most recent call last):
    artificer.errors.ContractError: row 0, column "age": "old" must be a number
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        memos = {c.name: Memo(c, MISSING_STRING) for c in contract.of(Kind.STRINGS)}
        memos |= {c.name: Memo(c, MISSING_TIME) for c in contract.of(Kind.TIMES)}
        self._numbers = [(c.name, c, c.role is Role.NUMERIC) for c in contract.of(Kind.NUMBERS)]
        self._strings = [(c.name, c, memos[c.name].known.get) for c in contract.of(Kind.STRINGS)]
        self._times = [(c.name, c, memos[c.name].known.get) for c in contract.of(Kind.TIMES)]
        self._texts = [(c.name, c) for c in contract.of(Kind.TEXTS)]
        self._coded = [
            (kind, j, c)
            for kind in (Kind.NUMBERS, Kind.TIMES)
            for j, c in enumerate(contract.of(kind))
            if (c.codes or c.scale) and c.role is not Role.BOOLEAN
        ]
        self._known = frozenset(c.name for c in contract.columns) | {contract.target}
        self._memos = memos
        self._whole = WholeRows({kind: contract.of(kind) for kind in Kind}, memos, self._known)

    def read(self, rows: Sequence[Mapping[str, Any] | Any]) -> tuple[Blocks, tuple[str, ...]]:
        """Read `rows` in their order.

        Returns
        -------
        Blocks of len(rows) rows, and warnings about columns that were ignored.

        Raises
        ------
        ContractError
            Some cells break the contract; ``violations`` names each (the first hundred).
        """
        if len(rows) >= WHOLE_FROM:
            blocks = self._whole.read(rows)
            if blocks is not None:
                return self._settled(blocks), ()
        return self._read_cells(rows)

    def read_each(
        self, groups: Sequence[Sequence[Mapping[str, Any] | Any]]
    ) -> tuple[Blocks, list[tuple[str, ...] | ContractError]]:
        """Read the rows of several requests into one set of blocks, each held to the contract by itself.

        Returns
        -------
        Blocks of the rows of all groups that keep the contract, in their order; and for each group what :meth:`read`
        gives or raises: its warnings, or the error that keeps its rows out of the blocks.
        """
        rows = [row for group in groups for row in group]
        whole = self._whole.read(rows) if len(rows) >= WHOLE_FROM else None
        if whole is not None:
            return self._settled(whole), [()] * len(groups)
        parts: list[Blocks] = []
        found: list[tuple[str, ...] | ContractError] = []
        for group in groups:
            try:
                blocks, warnings = self.read(group)
            except ContractError as error:
                found.append(error)
            else:
                parts.append(blocks)
                found.append(warnings)
        return Blocks.joined(parts) if parts else self._read_cells(())[0], found

    def _read_cells(self, rows: Sequence[Mapping[str, Any] | Any]) -> tuple[Blocks, tuple[str, ...]]:
        numbers: list[float] = []
        strings: list[str] = []
        times: list[int] = []
        texts: list[str] = []
        violations: list[Violation] = []
        extra: set[str] = set()
        known, number_columns = self._known, self._numbers
        for index, row in enumerate(rows):
            if type(row) is not dict and not isinstance(row, Mapping):  # JSON promises nothing
                violations.append(Violation(index, "", _shown(row), NOT_AN_OBJECT))
                if len(violations) >= MAX_VIOLATIONS:
                    break
                continue
            get = row.get
            if not (row.keys() <= known):
                extra.update(map(str, row.keys() - known))
            for name, column, numeric in number_columns:
                value: Any = get(name)
                cell = type(value)
                if numeric and (cell is float or cell is int) and -FLOAT32_MAX <= value <= FLOAT32_MAX:
                    numbers.append(value)
                else:
                    numbers.append(self._cell(value, column, index, violations, math.nan))
            for name, column, remembered in self._strings:
                value = get(name)
                text = remembered(value) if type(value) is str else None
                strings.append(self._cell(value, column, index, violations, MISSING_STRING) if text is None else text)
            for name, column, remembered in self._times:
                value = get(name)
                moment = remembered(value) if type(value) is str else None
                times.append(self._cell(value, column, index, violations, MISSING_TIME) if moment is None else moment)
            for name, column in self._texts:
                texts.append(self._cell(get(name), column, index, violations, MISSING_STRING))
            if len(violations) >= MAX_VIOLATIONS:
                break
        if violations:
            raise ContractError(_sentence(violations[:MAX_VIOLATIONS]), violations[:MAX_VIOLATIONS])
        n = len(rows)
        blocks = Blocks(
            np.array(numbers, dtype=np.float32).reshape(n, len(number_columns)),
            np.array(strings, dtype=object).reshape(n, len(self._strings)),
            np.array(times, dtype=np.int64).reshape(n, len(self._times)),
            np.array(texts, dtype=object).reshape(n, len(self._texts)),
        )
        return self._settled(blocks), tuple(
            f'column "{name}" is not part of the model and was ignored' for name in sorted(extra)
        )

    def _settled(self, blocks: Blocks) -> Blocks:
        """Codes for missing cells, and numbers of another scale."""
        for kind, j, column in self._coded:
            values = blocks.of(kind)[:, j]
            if kind is Kind.NUMBERS:
                settle_numbers(values, column)
            else:
                values[is_code(values, column)] = MISSING_TIME
        return blocks

    def _cell(self, value: Any, column: ColumnSpec, row: int, violations: list[Violation], stand_in: Any) -> Any:
        try:
            memo = self._memos.get(column.name)
            return READERS[column.role](value, column) if memo is None else memo.read(value)
        except RuleError as broken:
            violations.append(Violation(row, column.name, _shown(value), broken.args[0]))
            return stand_in


def _shown(value: Any) -> Any:
    """Keep a violating value as received, cut where it is enormous, so that an answer stays small."""
    if isinstance(value, (bool, int, float)) or value is None:
        if isinstance(value, int) and value.bit_length() > 1024:
            return "an integer of more than 300 digits"
        return value if not isinstance(value, float) or math.isfinite(value) else repr(value)
    text = value if isinstance(value, str) else repr(value)[:200]
    text = text if len(text) <= 100 else text[:100] + "…"
    return text.encode(errors="replace").decode()


def _sentence(violations: Sequence[Violation]) -> str:
    first = violations[0]
    where = f'row {first.row}, column "{first.column}"' if first.column else f"row {first.row}"
    shown = f'"{first.value}"' if isinstance(first.value, str) else str(first.value)
    value = "it" if first.value is None else shown
    more = ""
    if len(violations) > 1:
        more = f" (and {'at least ' if len(violations) == MAX_VIOLATIONS else ''}{len(violations) - 1} more)"
    return f"{where}: {value} {first.rule}{more}"
