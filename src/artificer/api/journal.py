"""The journal of a project: looked into, sealed, verified, and one subject's rows forgotten."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.errors import MissingError, UsageError, nearest
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.problem.project import Project

STATUS_SCHEMA = "artificer.journal.status/1"
SEAL_SCHEMA = "artificer.journal.seal/1"
VERIFY_SCHEMA = "artificer.journal.verify/1"
QUERY_SCHEMA = "artificer.journal.query/1"
FORGET_SCHEMA = "artificer.journal.forget/1"
_AGAIN = "somebody reads the journal; run the same artificer journal forget again when nobody does"


def _opened(project: Path) -> Project:
    from artificer.journal.store import exists
    from artificer.problem.project import open_project

    opened = open_project(project)
    if not exists(opened.journal):
        raise MissingError(f"{opened.name} has no journal at {opened.journal} yet; it is made when a model is served")
    return opened


def journal_status(project: Path) -> Json:
    """How much the journal holds, sealed and not, and what was last done to it."""
    from artificer.journal.keeping import status

    opened = _opened(project)
    return {"schema": STATUS_SCHEMA, "journal": str(opened.journal), **status(opened.journal)}


def journal_seal(project: Path, *, now: float | None = None) -> Json:
    """Seal the days that ended long enough ago, and drop those that are not kept any more."""
    from artificer.loop.upkeep import tend_journal

    opened = _opened(project)
    return {"schema": SEAL_SCHEMA, **tend_journal(opened, time.time() if now is None else now)}


def journal_verify(project: Path) -> Json:
    """Hold every group and every sealed file to its checksum."""
    from artificer.journal.keeping import verify

    opened = _opened(project)
    found = verify(opened.journal)
    return {"schema": VERIFY_SCHEMA, "ok": not found["damaged"], **found}


def journal_query(project: Path, sql: str, *, limit: int = 1000) -> Json:
    """Answer one SELECT over ``predictions``, ``outcomes`` and ``labelled``."""
    from artificer.journal.query import query
    from artificer.loop.upkeep import contracts_of

    opened = _opened(project)
    return {"schema": QUERY_SCHEMA, **query(opened.journal, sql, limit, contracts_of(opened))}


def journal_forget(project: Path, column: str, value: str) -> Json:
    """Remove every prediction whose row has `value` in `column`, with its outcomes.

    ``overwritten`` says whether it is off the disk, and ``advice`` what to do where it is not. Files that were made of
    the journal before (``production.jsonl`` of retrainings) are named under ``copies``: they are evidence of a run and
    are not changed.

    Raises
    ------
    UsageError
        No version of the model knows the column: a request that is misspelt must not look done.
    """
    from artificer.journal.keeping import forget
    from artificer.loop import actions
    from artificer.loop.upkeep import contracts_of

    opened = _opened(project)
    contract_of = contracts_of(opened)
    contracts = (contract_of(str(found.version)) for found in actions.registry_of(opened).versions())
    known = {spec.name for contract in contracts if contract is not None for spec in contract.columns}
    if known and column not in known:
        hint = nearest(column, sorted(known)) or "; the columns are " + ", ".join(sorted(known)[:20])
        raise UsageError(f'no version of the model has a column "{column}"{hint}')
    found = forget(opened.journal, column, value)
    return {
        "schema": FORGET_SCHEMA,
        "column": column,
        "predictions": found.predictions,
        "outcomes": found.outcomes,
        "segments": found.segments,
        "overwritten": found.overwritten,
        "advice": None if found.overwritten else _AGAIN,
        "damaged": [{"segment": d.segment, "group": d.seq, "entries": d.count} for d in found.damaged],
        "copies": [str(path) for path in sorted(opened.runs.glob("*/production.jsonl"))],
    }
