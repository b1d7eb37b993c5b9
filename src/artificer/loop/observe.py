"""What the loop sees before it decides: monitoring, new labels, its own past, and a new champion's probation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.errors import ArtificerError
from artificer.journal.reader import labelled
from artificer.loop import actions
from artificer.policies.retraining import Facts, Performance, Probation, Rules
from artificer.problem.project import Project
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle

TEST_SHARE = 0.3
"""Share of the labelled production rows, the newest, on which a retrained model meets the champion."""
TEST_LEAST = 30


def observe(project: Project, now: float) -> Json:
    """Gather the facts of one look; JSON-ready, so that the look itself is evidence."""
    pointer = read_pointer(project.champion_file)
    bundle = load_bundle(pointer.bundle_path(project.champion_file), sha256=pointer.sha256)
    report = monitor_now(project, bundle, pointer.version, now)
    history = actions.history_of(project).records()
    trained = [r for r in history if r.kind == "train" and r.actor == "loop"]
    searches = [i for i, r in enumerate(trained) if not _was_refit(project, r.evidence.get("run"))]
    performance = _performance(report)
    drifted = list(report["drifted"])
    worse = bool(performance and performance["worse"])
    return {
        "now": now,
        "champion": pointer.version,
        "new_labels": _labels_since(project, bundle.created.timestamp()),
        "performance": performance,
        "drifted": drifted,
        "retrained_at": [
            r.at for r in trained if r.evidence.get("run") and _cause(project, r.evidence["run"]) != "first"
        ],
        "refits_since_search": len(trained) - 1 - searches[-1] if searches else len(trained),
        "probation": _probation(project, bundle, pointer.at.timestamp()),
        "cause": "performance" if worse else "drift",
        "subject": f"{pointer.version}/{'performance' if worse else 'drift'}/{','.join(drifted)}",
        "counts": report["counts"],
    }


def monitor_now(project: Project, bundle: Bundle, version: int, now: float, since: float | None = None) -> Json:
    """The monitoring report of the project's journal, over the problem's window unless `since` is given."""
    from artificer.monitoring.monitor import MonitorSettings, monitor

    settings = project.problem.monitoring
    start = now - settings.window.seconds if since is None else since
    report = monitor(
        project.journal,
        bundle.contract,
        bundle.reference,
        bundle.metrics,
        since=start,
        until=now + 1.0,
        version=str(version),
        settings=MonitorSettings(alpha=settings.alpha, min_rows=settings.min_rows, delay=settings.delay.seconds),
    )
    return report.to_json()


def facts_of(found: Json) -> Facts:
    performance, probation = found["performance"], found["probation"]
    return Facts(
        now=found["now"],
        champion=found["champion"],
        new_labels=found["new_labels"],
        performance=Performance(**performance) if performance else None,
        drifted=tuple(found["drifted"]),
        retrained_at=tuple(found["retrained_at"]),
        refits_since_search=found["refits_since_search"],
        probation=Probation(**probation) if probation else None,
    )


def rules_of(project: Project) -> Rules:
    loop = project.problem.loop
    return Rules(
        min_new_labels=loop.min_new_labels,
        cooldown_seconds=loop.cooldown.seconds,
        max_retrains_per_day=loop.max_retrains_per_day,
        min_probation_labels=loop.rollback_after,
    )


def collect_labelled(project: Project, folder: Path) -> Json:
    """Write every labelled production row, oldest first, into the run's folder; returns where and how many."""
    from artificer.bundle.files import write_atomically

    pairs = labelled(project.journal)
    target = project.problem.data.target
    lines = [
        json.dumps({**made.row, target: outcome.value}, ensure_ascii=False)
        for made, outcome in sorted(pairs, key=lambda pair: pair[0].at)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "production.jsonl"
    write_atomically(path, ("\n".join(lines) + "\n").encode() if lines else b"", "the labelled rows")
    newest = max(TEST_LEAST, math.ceil(TEST_SHARE * len(lines)))
    return {"path": str(path), "rows": len(lines), "newest_test_rows": newest}


def read_collected(collected: Json) -> list[Json]:
    text = Path(collected["path"]).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _labels_since(project: Project, at: float) -> int:
    """Labelled rows whose outcome came after the champion was trained."""
    return sum(outcome.at > at for _, outcome in labelled(project.journal))


def _performance(report: Json) -> Json | None:
    found = report["performance"]
    if not found or found["realised"] is None:
        return None
    return {
        "metric": found["metric"],
        "promised": found["promised"],
        "realised": found["realised"],
        "low": found["low"],
        "high": found["high"],
        "rows": found["rows"],
        "worse": found["worse"],
    }


def _probation(project: Project, champion: Bundle, since: float) -> Json | None:
    """Champion against its predecessor on the rows that were labelled since the promotion."""
    previous = _previous(project)
    if previous is None:
        return None
    version, path = previous
    pairs = labelled(project.journal, since=since)
    rows = [{**made.row, champion.contract.target: outcome.value} for made, outcome in pairs]
    current = read_pointer(project.champion_file).version
    if len(rows) < 2:
        return {"champion": current, "previous": version, "rows": len(rows), "verdict": "undecided", "evidence": {}}
    result = _compare_rows(champion, load_bundle(path), rows)
    return {
        "champion": current,
        "previous": version,
        "rows": len(rows),
        "verdict": result["verdict"],
        "evidence": result,
    }


def _compare_rows(champion: Bundle, previous: Bundle, rows: list[Json]) -> Json:
    frame = production_frame(rows)
    evaluation = champion.metrics["evaluation"]
    run = {"metric": evaluation["metrics"][0]["name"], "evaluation": {"time_ordered": True}}
    return actions.compare_on(previous, champion, frame, run)


def production_frame(rows: list[Json]) -> Any:
    """Journalled rows as a table; a column whose values have several JSON types becomes text."""
    import polars as pl

    from artificer.tables.contract import canonical_text

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pl.Series(name, values, strict=True)
        except (TypeError, pl.exceptions.PolarsError):
            columns[name] = pl.Series(name, [None if v is None else canonical_text(v) for v in values])
    return pl.DataFrame(columns)


def _previous(project: Project) -> tuple[int, Path] | None:
    """The version that was champion before, if its bundle is at hand and the change was the loop's own promotion."""
    changes = [r for r in actions.history_of(project).records() if r.kind in {"promotion", "rollback"}]
    if not changes or changes[-1].kind != "promotion" or changes[-1].actor != "loop":
        return None
    before = changes[-1].evidence.get("champion")
    if before is None:
        return None
    try:
        return int(before), actions.registry_of(project).bundle_path(int(before))
    except ArtificerError:
        return None


def _cause(project: Project, run_id: str) -> str | None:
    run = actions.run_document(project, run_id)
    return run["lineage"]["cause"] if run else None


def _was_refit(project: Project, run_id: str | None) -> bool:
    run = actions.run_document(project, run_id) if run_id else None
    return bool(run and run["lineage"]["repeats_recipe"])
