"""What is wrong with a table, asked for by itself."""

from __future__ import annotations

import time as _time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.errors import UsageError
from artificer.problem.places import mask
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.problem.model import Problem
    from artificer.quality.base import Checked, Finding, Severity
    from artificer.sources.base import ReadResult

CHECK_SCHEMA = "artificer.check/1"
WORST_FIRST = ("error", "warning", "info")


def check(
    source: Any = None,
    *,
    target: str | None = None,
    time: str | None = None,
    group: str | None = None,
    ids: Sequence[str] = (),
    drop: Sequence[str] = (),
    as_is: Sequence[str] = (),
    project: Path | None = None,
    output: Path | None = None,
) -> Json:
    """Say what is wrong with a table, worst first; nothing is changed.

    Parameters
    ----------
    source : a file, or a pandas, Polars or Arrow table; a project's own when None.
    target : the column to predict; without one the checks that need it find nothing.
    time, group, ids, drop, as_is : columns with a purpose of their own, as in training.
    project : take the table and all of these from its ``artificer.toml``.
    output : where to write the findings as an HTML page.

    Examples
    --------
    >>> import pandas as pd
    >>> found = check(pd.DataFrame({"size": [1.5, 2.0] * 40, "made": ["x"] * 80}))
    >>> [(finding["rule"], finding["column"]) for finding in found["findings"]]
    [('duplicate_rows', None), ('constant', 'made')]
    """
    from artificer.quality.run import survey

    started = _time.monotonic()
    wanted = {"target": target, "time": time, "group": group, "id": list(ids), "drop": list(drop)}
    problem, source = _wanted(source, wanted | {"as_is": list(as_is)}, project)
    read, changed = _read(problem, source, project)
    table, notes = _table(problem, read.frame, wanted | {"as_is": list(as_is)})
    found = survey(table)
    findings = sorted([*_unreadable(read), *found.findings], key=lambda finding: WORST_FIRST.index(finding.severity))
    severities = Counter(finding.severity for finding in findings)
    document: Json = {
        "schema": CHECK_SCHEMA,
        "source": mask(str(source)) if isinstance(source, (str, Path)) else None,
        "target": problem.data.target if problem else None,
        "task": table.contract.task.value if problem else None,
        "rows": {"read": read.rows_read, "rejected": read.rows_rejected, "checked": table.frame.height},
        "columns": table.frame.width,
        "counts": {severity: severities[severity] for severity in ("error", "warning", "info")},
        "findings": [finding.to_json() for finding in findings],
        "checks": [run.to_json() for run in found.runs],
        "notes": [*changed, *read.notes, *notes],
        "report": None,
        "seconds": round(_time.monotonic() - started, 3),
    }
    if output is not None:
        from artificer.reports.findings import write_findings

        document["report"] = str(write_findings(document, output))
    return document


def _unreadable(read: ReadResult) -> list[Finding]:
    """Lines that are in no row of the table, which no check can see."""
    from artificer.quality.base import Finding
    from artificer.sources.base import ReadOptions

    if not read.rows_rejected:
        return []
    share = read.rows_rejected / (read.rows_rejected + read.rows_read)
    allowed = ReadOptions().max_reject_share
    severity: Severity = "error" if share > allowed else "warning"
    evidence = f"{read.rows_rejected:,} lines ({share:.1%}) of the source cannot be read and are in no row"
    stops = f"; above {allowed:.0%} training stops" if share > allowed else ""
    mend = f"mend them at the source; training and `artificer clean` write them to a file with their causes{stops}"
    return [Finding("unreadable_lines", None, 0, 0.0, (), severity, evidence, mend)]


def _read(problem: Problem | None, source: Any, project: Path | None) -> tuple[ReadResult, list[str]]:
    """The table, with what a project joins to it, and how its sources differ from what its champion learned from."""
    from artificer.clock import SystemClock
    from artificer.problem.project import open_project
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source
    from artificer.training.gathering import gather

    options = ReadOptions(max_reject_share=1.0)
    if problem is None or project is None:
        return read_source(source, options=options), []
    own = {} if source == open_project(project).source else {"table": None, "query": None}
    data = problem.data.model_copy(update=own)
    read, snapshots = gather(data, source, project.resolve(), options, SystemClock().now())
    return read, source_changes(project, snapshots)


def source_changes(project: Path, now: Sequence[Json]) -> list[str]:
    """How what is there now differs from what the champion was trained on, one sentence a table; nothing where alike.

    Parameters
    ----------
    now : snapshots, as ``lineage.data.snapshots`` of a run has them.
    """
    from artificer.api.serving import bundle_of
    from artificer.errors import MissingError
    from artificer.training.gathering import changes

    try:
        bundle, version = bundle_of(project, None, threads=1)
    except MissingError:
        return []
    known = {each["name"]: each for each in (bundle.lineage.get("data") or {}).get("snapshots", ())}
    found = [sentence for each in now if each["name"] in known for sentence in changes(known[each["name"]], each)]
    return [f"{sentence} (version {version} has learned from that)" for sentence in found]


def _wanted(source: Any, wanted: Json, project: Path | None) -> tuple[Problem | None, Any]:
    """The problem, where a target is known, and the table's source."""
    from artificer.problem.load import build_problem
    from artificer.problem.project import open_project

    if project is None:
        if source is None:
            raise UsageError("there is nothing to check; name a table, or a project with --project")
        given = {key: value for key, value in wanted.items() if value}
        return (build_problem({"data": given}, "the command line") if wanted["target"] else None), source
    if any(wanted.values()):
        raise UsageError("a project's artificer.toml says what its columns are for; give --project or these options")
    opened = open_project(project)
    return opened.problem, source if source is not None else opened.source


def _table(problem: Problem | None, frame: Any, wanted: Json) -> tuple[Checked, tuple[str, ...]]:
    from artificer.quality.base import Checked
    from artificer.tables.untargeted import untargeted
    from artificer.training.intake import checked_split, prepare_for

    if problem is not None:
        prepared = prepare_for(problem, frame)
        return checked_split(problem, prepared)
    named = {key: wanted[key] for key in ("time", "group", "drop", "as_is")}
    contract, notes = untargeted(frame, ids=wanted["id"], **named)
    return Checked(frame, contract), notes
