"""A project from its first file on: made, trained, run by itself."""

from __future__ import annotations

import os
import re
import time as _time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.api.common import Watch, new_run_id, silent, threads
from artificer.errors import ArtificerError, UsageError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.problem.project import Project

INIT_SCHEMA = "artificer.init/1"


def init(
    source: str,
    target: str,
    *,
    project: Path | None = None,
    time: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    force: bool = False,
) -> Json:
    """Look at a table and write ``artificer.toml`` with what was inferred, each line explained."""
    from artificer.problem.load import PROJECT_FILE, build_problem
    from artificer.problem.render import write_problem
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source
    from artificer.training.intake import prepare_for
    from artificer.training.parting import planned

    folder = project if project is not None else Path(_project_name(source))
    file = folder / PROJECT_FILE
    if file.exists() and not force:
        raise UsageError(f"{file} is there already; edit it, or replace it with --force")
    data: Json = {"target": target, "time": time, "group": group, "drop": list(drop)}
    wanted = build_problem({"data": {k: v for k, v in data.items() if v}}, "the command line")
    read = read_source(source, options=ReadOptions(max_reject_share=1.0))
    prepared, _ = planned(wanted, prepare_for(wanted, read.frame))
    contract = prepared.contract
    values = {
        "data": {
            "source": source if "://" in source or Path(source).is_absolute() else _beside(source, folder),
            "target": target,
            "task": contract.task.value,
            **({"positive": contract.positive} if contract.positive else {}),
            **({"time": time} if time else {}),
            **({"group": group} if group else {}),
            "id": [c.name for c in contract.columns if c.role.value == "id"],
            "drop": list(drop),
        }
    }
    reasons = {
        "data.source": f"{read.rows_read:,} rows, {len(contract.columns)} columns.",
        "data.task": f"Inferred: {prepared.task_reason}.",
        "data.id": "Inferred; " + "; ".join(f"{c.name}: {c.reason}" for c in contract.columns if c.role.value == "id")
        if values["data"]["id"]
        else "",
    }
    write_problem(folder, build_problem(values, str(file)), reasons, overwrite=force)
    return {
        "schema": INIT_SCHEMA,
        "path": str(file),
        "project": str(folder),
        "task": contract.task.value,
        "target": target,
        "positive": contract.positive,
        "rows": {"read": read.rows_read, "rejected": read.rows_rejected},
        "columns": [
            {"name": c.name, "role": c.role.value, "reason": c.reason, "dtype": c.dtype} for c in contract.columns
        ],
        "notes": [*read.notes, *prepared.notes],
    }


def _project_name(source: str) -> str:
    """The name of a project after its table, without what is no part of a folder's name.

    Examples
    --------
    >>> _project_name("data/sales-*.csv"), _project_name("https://example.org/sales.csv?day=1")
    ('sales', 'sales')
    """
    name = Path(source.split("#")[0].split("?")[0].rstrip("/")).stem
    return re.sub(r"[^\w.-]+", "", name).strip("-_.") or "project"


def _beside(source: str, folder: Path) -> str:
    """A relative path as seen from the project's folder, so that both can be moved together."""
    return os.path.relpath(Path(source).resolve(), folder.resolve())


def train_project(
    project: Path,
    *,
    budget: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    progress: Watch = silent,
) -> Json:
    """Train a version of a project, register it, promote it when it deserves it, and write its report.

    Parameters
    ----------
    resume : go on with the newest run that was killed or interrupted: its finished fits are not repeated where the
        table is the same, and the budget counts anew. Where there is no such run this is a new one.
    """
    from artificer.loop import actions
    from artificer.problem.project import open_project
    from artificer.reports import run as reports

    started = _time.monotonic()
    opened = actions.with_overrides(open_project(project), **{"training.budget": budget, "training.seed": seed})
    opened.prepare()
    with opened.lock("training"):
        run_id = actions.unfinished_run(opened) if resume else None
        if resume:
            progress(f"resuming run {run_id}" if run_id else "there is no unfinished run: starting anew", None, None)
        document = actions.train_version(
            opened, run_id or new_run_id(), watch=progress, threads=threads(), under_way=reports.warm
        )
        progress("writing the report", None, None)
        document |= reported(opened, document)
    if resume and not run_id:
        document["notes"] = [*document["notes"], "there was no unfinished run to resume, so this one started anew"]
    document["seconds"] = round(_time.monotonic() - started, 3)
    return document


def run_project(
    project: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    interval: str | None = None,
    say: Callable[[str], None],
) -> Json:
    """Run a project by itself until it is told to stop."""
    from artificer.loop import actions
    from artificer.loop.supervisor import run_forever
    from artificer.problem.project import open_project

    opened = actions.with_overrides(open_project(project), **{"loop.interval": interval})

    def report(document: Json) -> None:
        found = reported(opened, document)
        if found["report"] is None:
            say(found["notes"][-1])

    return run_forever(
        opened,
        host=host,
        port=port,
        say=say,
        watch=lambda message, done, planned: None,
        after_training=report,
        threads=threads(),
    )


def write_run_report(project: Project, document: Json) -> None:
    """Write a run's report beside its bundle."""
    _report(project, document)


def reported(project: Project, document: Json) -> Json:
    """Where the report lies; the version stands even where its report cannot be written."""
    try:
        return {"report": str(_report(project, document))}
    except (ArtificerError, OSError) as error:
        return {"report": None, "notes": [*document["notes"], f"the report is missing: {error}"]}


def _report(project: Project, document: Json) -> Path:
    from artificer.loop import actions
    from artificer.reports.run import write_report

    return write_report(document, actions.run_folder(project, document["id"]) / "report.html")
