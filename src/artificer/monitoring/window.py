"""A window of the journal as arrays: rows read with the contract, outcomes turned into codes, the rest counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.errors import ContractError, Violation
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.reader import CLOCK_SKEW, DamagedGroup, made_in, outcomes_of
from artificer.journal.store import exists
from artificer.problem.places import Place
from artificer.tables.contract import Contract, RowReader, canonical_text
from artificer.types import Blocks, Doubles, Json

if TYPE_CHECKING:
    import polars as pl

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
    path: Place, contract: Contract, since: float, until: float, version: str | None, max_rows: int
) -> Window:
    """Read predictions made in ``[since, until)``, at most the newest `max_rows`, and the outcomes they have got since.

    A journal that does not exist yet is an empty one.
    """
    damaged: list[DamagedGroup] = []
    parts = []
    if exists(path):
        names = [column.name for column in contract.columns if column.kind is not None]
        made = made_in(path, since, until, max_rows, names, damaged)
        parts = [_of_entries(made.entries, contract), *(_of_frame(*sealed, contract) for sealed in made.frames)]
    by_version = Counter(name for part in parts for name in part.versions)
    whole = _joined([part if version is None else part.of_version(version) for part in parts], contract)
    known: dict[str, OutcomeEntry] = {}
    if whole.ids:
        known = outcomes_of(path, whole.ids, float(whole.at.min()) - CLOCK_SKEW, damaged)
    read = label_reader(contract)
    labels = [(index, read(known[name].value)) for index, name in enumerate(whole.ids) if name in known]
    understood = [(index, label) for index, label in labels if label is not None]
    return Window(
        whole.at,
        whole.blocks,
        whole.scores,
        np.array([index for index, _ in understood], dtype=np.int64),
        np.array([label for _, label in understood], dtype=np.int64 if contract.classes else np.float64),
        dict(sorted(by_version.items())),
        _by_column(whole.broken),
        whole.kept_aside,
        len(labels) - len(understood),
        sum(group.count for group in damaged),
    )


@dataclass(frozen=True)
class _Part:
    """Rows of a window that keep the contract, and what the others broke. `versions` are those of all its rows."""

    ids: list[str]
    at: Doubles
    blocks: Blocks
    scores: NDArray[np.float32]
    versions: list[str]
    kept: list[int]
    broken: list[tuple[str, Violation]]
    """With the version that answered the row."""

    @property
    def kept_aside(self) -> int:
        return len(self.versions) - len(self.kept)

    def of_version(self, version: str) -> _Part:
        mine = np.array([self.versions[index] == version for index in self.kept], dtype=np.bool_)
        place = {index: new for new, index in enumerate(i for i, v in enumerate(self.versions) if v == version)}
        return _Part(
            [name for name, is_mine in zip(self.ids, mine, strict=True) if is_mine],
            self.at[mine],
            self.blocks.take(mine),
            self.scores[mine],
            [version] * len(place),
            [place[index] for index in self.kept if index in place],
            [found for found in self.broken if found[0] == version],
        )


def _of_entries(entries: Sequence[PredictionEntry], contract: Contract) -> _Part:
    width = contract.width
    kept, blocks, violations = read_leniently(RowReader(contract), [entry.row for entry in entries])
    fitting = [len(entries[index].scores) == width for index in kept]
    if not all(fitting):
        blocks = blocks.take(np.array(fitting))
        kept = [index for index, fits in zip(kept, fitting, strict=True) if fits]
    chosen = [entries[index] for index in kept]
    return _Part(
        [entry.id for entry in chosen],
        np.array([entry.at for entry in chosen], dtype=np.float64),
        blocks,
        np.array([entry.scores for entry in chosen], dtype=np.float32).reshape(len(chosen), width),
        [entry.version for entry in entries],
        kept,
        [(entries[row].version, violation) for row, violation in violations],
    )


def _of_frame(frame: pl.DataFrame, styles: dict[str, str], contract: Contract) -> _Part:
    """Sealed rows column by column; where any cell is not plainly what the contract says, all of them one by one."""
    import polars as pl

    from artificer.journal import frames
    from artificer.journal.entries import PREDICTIONS
    from artificer.tables.arrays import to_blocks

    plain = frame[frames.RAW].null_count() == frame.height
    if plain and (frame[frames.SCORES].list.len() == contract.width).all():
        absent = [pl.lit(None).alias(c.name) for c in contract.columns if c.kind and c.name not in frame.columns]
        blocks, breaches = to_blocks(frame.with_columns(absent), contract, strict=False)
        if not breaches:
            n = frame.height
            return _Part(
                frame[frames.ID].to_list(),
                frame[frames.AT].to_numpy().astype(np.float64),
                blocks,
                frame[frames.SCORES].explode().to_numpy().astype(np.float32).reshape(n, contract.width),
                frame[frames.VERSION].to_list(),
                list(range(n)),
                [],
            )
    entries: list[Any] = list(frames.to_entries(PREDICTIONS, frame, styles))
    return _of_entries(entries, contract)


def _joined(parts: Sequence[_Part], contract: Contract) -> _Part:
    """All rows, oldest first."""
    parts = parts or [_of_entries([], contract)]
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    ids = [name for part in parts for name in part.ids]
    versions = [name for part in parts for name in part.versions]
    return _Part(
        [ids[index] for index in order.tolist()],
        at[order],
        _stacked([part.blocks for part in parts]).take(order),
        np.concatenate([part.scores for part in parts])[order],
        versions,
        list(range(len(ids))),
        [found for part in parts for found in part.broken],
    )


def _stacked(blocks: Sequence[Blocks]) -> Blocks:
    return Blocks(
        np.concatenate([part.numbers for part in blocks]),
        np.concatenate([part.strings for part in blocks]),
        np.concatenate([part.times for part in blocks]),
        np.concatenate([part.texts for part in blocks]),
    )


def read_leniently(reader: RowReader, rows: Sequence[Any]) -> tuple[list[int], Blocks, list[tuple[int, Violation]]]:
    """Read what keeps the contract: indices of the rows that do, their blocks, and what which of the others broke."""
    kept: list[int] = []
    parts: list[Blocks] = []
    broken: list[tuple[int, Violation]] = []
    for begin in range(0, len(rows), _CHUNK):
        indices = list(range(begin, min(begin + _CHUNK, len(rows))))
        while True:
            try:
                parts.append(reader.read([rows[index] for index in indices])[0])
                break
            except ContractError as error:
                bad = {violation.row for violation in error.violations}
                broken += [(indices[violation.row], violation) for violation in error.violations]
                indices = [index for place, index in enumerate(indices) if place not in bad]
        kept += indices
    if not parts:
        parts.append(reader.read([])[0])
    return kept, _stacked(parts), broken


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
    missing = {code for column in contract.columns if column.name == contract.target for code in column.codes}

    def code_of(value: Any) -> int | None:
        return None if value is None else codes.get(canonical_text(value))

    def number_of(value: Any) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if math.isfinite(number) and not isinstance(value, bool) and number not in missing else None

    return code_of if codes else number_of


def _by_column(violations: Sequence[tuple[str, Violation]]) -> tuple[Json, ...]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for _, violation in violations:
        groups.setdefault((violation.column, violation.rule), []).append(violation.value)
    found: list[Json] = [
        {"column": column, "rule": rule, "rows": len(values), "examples": values[:_MOST_EXAMPLES]}
        for (column, rule), values in groups.items()
    ]
    return tuple(sorted(found, key=lambda item: -item["rows"]))
