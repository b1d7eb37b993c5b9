"""What one training run is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from artificer.clock import Clock, SystemClock
from artificer.problem.model import Problem
from artificer.splits.ledger import HoldoutLedger
from artificer.tables.contract import Contract
from artificer.types import Json

Watch: TypeAlias = Callable[[str, float | None, float | None], None]
"""Told what is going on: a sentence, and the seconds done and planned where they are known."""


def nothing() -> None:
    """What a run does beside its stages, unless told otherwise."""


def silent(message: str, done: float | None, planned: float | None) -> None:
    """The watch of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One run: what is wanted, from which data, and where its files go.

    Attributes
    ----------
    run_id : also names the reader in the holdout ledger.
    source : a path, or a table object (pandas, Polars, Arrow).
    folder : of this run alone; bundle, rejects and record are written there.
    base : where relative paths of joined tables start.
    recipe : when given it is repeated instead of searched.
    production_rows : rows with outcomes that came back from production, oldest first; they follow the source's.
    newest_test_rows : when given, the rows are in order of arrival and so many newest ones are the test set.
    checkpoint : a folder of finished fits, which a run that was interrupted left or which this one may leave.
    reserve_seconds : part of the budget that the caller needs afterwards (registering, report).
    cause : why the run was started, for the lineage: "request", "performance", "drift", "first".
    parent : the version it would replace, and `champion` that version's contract, to tell later which test rows it
        was trained on.
    under_way : called once, when the search has told its first progress: what takes the interpreter for a while is
        best begun when the work is being done in other processes.
    """

    run_id: str
    name: str
    problem: Problem
    source: Any
    folder: Path
    ledger: HoldoutLedger
    base: Path = Path()
    recipe: Json | None = None
    production_rows: tuple[Json, ...] = ()
    newest_test_rows: int | None = None
    checkpoint: Path | None = None
    reserve_seconds: float = 0.0
    cause: str = "request"
    parent: int | None = None
    champion: Contract | None = None
    threads: int = 2
    clock: Clock = field(default_factory=SystemClock)
    watch: Watch = silent
    under_way: Callable[[], object] = nothing
