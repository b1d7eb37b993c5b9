"""Upkeep between looks: the journal's past days are sealed, and what is not kept any more is dropped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from artificer.bundle.format import load_bundle
from artificer.errors import ArtificerError
from artificer.journal.store import exists
from artificer.loop import actions
from artificer.problem.project import Project
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.journal.sealing import ContractOf
    from artificer.tables.contract import Contract


def tend_journal(project: Project, now: float) -> Json:
    """Do what ``[journal]`` of the project says; the counts of what was done."""
    from artificer.journal.keeping import retain
    from artificer.journal.sealing import seal

    rules = project.problem.journal
    if not exists(project.journal):
        return {"sealed": 0, "files": 0, "bytes": 0, "orphans": 0, "dropped": 0, "damaged": 0}
    dropped = 0 if rules.keep is None else retain(project.journal, now - rules.keep.seconds)
    done = seal(project.journal, now - rules.seal_after.seconds, contracts_of(project))
    return {
        "sealed": done.entries,
        "files": done.files,
        "bytes": done.bytes,
        "orphans": done.orphans,
        "dropped": dropped,
        "damaged": sum(group.count for group in done.damaged),
    }


def contracts_of(project: Project) -> ContractOf:
    """Give the contract of a model version; None where its bundle is not at hand."""

    @cache
    def contract_of(version: str) -> Contract | None:
        try:
            return load_bundle(actions.registry_of(project).bundle_path(int(version))).contract
        except (ArtificerError, ValueError):
            return None

    return contract_of
