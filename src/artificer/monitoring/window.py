"""A window of the journal as arrays: rows read with the contract, outcomes turned into codes, the rest counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.errors import ContractError, Violation
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.reader import CLOCK_SKEW, DamagedGroup, outcomes, predictions
from artificer.tables.contract import Contract, RowReader, canonical_text
from artificer.types import Blocks, Doubles, Json

_CHUNK = 500
"""Rows read at a time: a few that break the contract cost another look at their chunk only."""

_MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Window:
    """What the journal holds of one version between two moments.

    Attributes
    ----------
    at : (n,), when each row was answered, seconds, oldest first.
    blocks : (n) rows. scores : (n, c).
    labelled : (l,), indices of the rows whose outcome is known and understood. y : (l,), their codes or values.
    by_version : predictions of each version in the window.
    kept_aside : rows that break the contract, by column and rule, with examples.
    not_understood : outcomes that are no label of the contract.
    damaged : journal entries that could not be read.
    """

    at: Doubles
    blocks: Blocks
    scores: NDArray[np.float32]
    labelled: NDArray[np.int64]
    y: NDArray[Any]
    by_version: dict[str, int]
    kept_aside: tuple[Json, ...]
    rows_kept_aside: int
    not_understood: int
    damaged: int

    def __len__(self) -> int:
        return len(self.at)


def read_window(
    path: Path, contract: Contract, since: float, until: float, version: str | None, max_rows: int
) -> Window:
    """Read predictions made in ``[since, until)``, at most the newest `max_rows`, and the outcomes they have got since.

    A journal that does not exist yet is an empty one.
    """
    damaged: list[DamagedGroup] = []
    made: list[PredictionEntry] = []
    known: dict[str, OutcomeEntry] = {}
    if path.is_file():
        made = predictions(path, since, until, limit=max_rows, damaged=damaged)
    by_version = dict(sorted(Counter(entry.version for entry in made).items()))
    if version is not None:
        made = [entry for entry in made if entry.version == version]
    if made:
        known = {entry.id: entry for entry in outcomes(path, since=made[0].at - CLOCK_SKEW, damaged=damaged)}
    width = contract.width
    kept, blocks, violations = read_leniently(RowReader(contract), [entry.row for entry in made])
    fitting = [len(made[index].scores) == width for index in kept]
    if not all(fitting):
        blocks = blocks.take(np.array(fitting))
        kept = [index for index, fits in zip(kept, fitting, strict=True) if fits]
    entries = [made[index] for index in kept]
    scores = np.array([entry.scores for entry in entries], dtype=np.float32).reshape(len(entries), width)
    read = label_reader(contract)
    labels = [(index, read(known[entry.id].value)) for index, entry in enumerate(entries) if entry.id in known]
    understood = [(index, label) for index, label in labels if label is not None]
    return Window(
        np.array([entry.at for entry in entries], dtype=np.float64),
        blocks,
        scores,
        np.array([index for index, _ in understood], dtype=np.int64),
        np.array([label for _, label in understood], dtype=np.int64 if contract.classes else np.float64),
        by_version,
        _by_column(violations),
        len(made) - len(entries),
        len(labels) - len(understood),
        sum(group.count for group in damaged),
    )


def read_leniently(reader: RowReader, rows: Sequence[Any]) -> tuple[list[int], Blocks, list[Violation]]:
    """Read what keeps the contract: indices of the rows that do, their blocks, and what the others broke."""
    kept: list[int] = []
    parts: list[Blocks] = []
    broken: list[Violation] = []
    for begin in range(0, len(rows), _CHUNK):
        indices = list(range(begin, min(begin + _CHUNK, len(rows))))
        while True:
            try:
                parts.append(reader.read([rows[index] for index in indices])[0])
                break
            except ContractError as error:
                bad = {violation.row for violation in error.violations}
                broken += error.violations
                indices = [index for place, index in enumerate(indices) if place not in bad]
        kept += indices
    if not parts:
        parts.append(reader.read([])[0])
    return (
        kept,
        Blocks(
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.strings for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.texts for part in parts]),
        ),
        broken,
    )


def label_reader(contract: Contract) -> Any:
    """A function from an outcome's value to its code or number, None for one that cannot be understood.

    Examples
    --------
    >>> from artificer.types import Task
    >>> read = label_reader(Contract((), "y", Task.BINARY, ("0", "1"), "1", "int"))
    >>> read(1), read(1.0), read("1"), read("maybe"), read(None)
    (1, 1, 1, None, None)
    """
    codes = {text: code for code, text in enumerate(contract.classes)}

    def code_of(value: Any) -> int | None:
        return None if value is None else codes.get(canonical_text(value))

    def number_of(value: Any) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if math.isfinite(number) and not isinstance(value, bool) else None

    return code_of if codes else number_of


def _by_column(violations: Sequence[Violation]) -> tuple[Json, ...]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for violation in violations:
        groups.setdefault((violation.column, violation.rule), []).append(violation.value)
    found: list[Json] = [
        {"column": column, "rule": rule, "rows": len(values), "examples": values[:_MOST_EXAMPLES]}
        for (column, rule), values in groups.items()
    ]
    return tuple(sorted(found, key=lambda item: -item["rows"]))
