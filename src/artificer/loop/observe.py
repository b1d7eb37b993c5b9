"""What the loop sees before it decides: monitoring, new labels, its own past."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.journal.reader import labelled, outcomes
from artificer.journal.store import exists
from artificer.loop import actions
from artificer.loop.probation import probation
from artificer.policies.retraining import Action, Facts, Performance, Probation, Rules
from artificer.problem.project import Project
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle

TEST_SHARE = 0.3
"""Share of the labelled production rows, the newest, on which a retrained model meets the champion."""
TEST_LEAST = 30
MOST_ROWS = 500_000
"""So many labelled production rows, the newest, are trained on at the most."""


def observe(project: Project, now: float) -> Json:
    """Gather the facts of one look; JSON-ready, so that the look itself is evidence."""
    pointer = read_pointer(project.champion_file)
    bundle = load_bundle(pointer.bundle_path(project.champion_file), sha256=pointer.sha256)
    report = monitor_now(project, bundle, pointer.version, now)
    retrained = _retrainings(project)
    performance = _performance(report)
    drifted = list(report["drifted"])
    worse = bool(performance and performance["worse"])
    began = max([bundle.created.timestamp(), *(at for at, _ in retrained)])
    return {
        "now": now,
        "champion": pointer.version,
        "new_labels": len(outcomes(project.journal, since=began)) if exists(project.journal) else 0,
        "performance": performance,
        "drifted": drifted,
        "retrained_at": [at for at, _ in retrained],
        "refits_since_search": _refits_since_search(retrained),
        "probation": probation(project, bundle) if exists(project.journal) else None,
        "cause": "performance" if worse else "drift",
        "subject": f"{pointer.version}/{'performance' if worse else 'drift'}/{','.join(sorted(drifted))}",
        "counts": report["counts"],
    }


def _retrainings(project: Project) -> list[tuple[float, str]]:
    """When the loop decided to retrain and how, oldest first; a training that failed counts, so that it has a brake."""
    actions_of = ((r.at, r.evidence.get("action", "")) for r in actions.history_of(project).records())
    return [(at, action) for at, action in actions_of if action in (Action.REFIT, Action.SEARCH)]


def _refits_since_search(retrained: list[tuple[float, str]]) -> int:
    refits = 0
    for _, action in reversed(retrained):
        if action == Action.SEARCH:
            break
        refits += 1
    return refits


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

    pairs = labelled(project.journal) if exists(project.journal) else []
    pairs = sorted(pairs, key=lambda pair: pair[0].at)[-MOST_ROWS:]
    target = project.problem.data.target
    lines = [json.dumps({**made.row, target: outcome.value}, ensure_ascii=False) for made, outcome in pairs]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "production.jsonl"
    write_atomically(path, ("\n".join(lines) + "\n").encode() if lines else b"", "the labelled rows")
    newest = max(TEST_LEAST, math.ceil(TEST_SHARE * len(lines)))
    return {"path": str(path), "rows": len(lines), "newest_test_rows": newest}


def read_collected(collected: Json) -> list[Json]:
    text = Path(collected["path"]).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


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
