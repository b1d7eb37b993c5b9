"""What can be done to a project's models: train a version, enter it, compare it, settle whether it is promoted.

Each takes and returns JSON-ready values and may be called twice with the same run id without doing its work twice, so a
workflow that was killed goes on where it stood. The command line calls the same functions in a row.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.clock import Clock, SystemClock
from artificer.errors import BundleDamagedError, BundleError, MissingError
from artificer.loop.comparing import compare_on as compare_on
from artificer.loop.comparing import compare_unseen
from artificer.loop.comparing import scores_on as scores_on
from artificer.loop.history import History, Record
from artificer.policies.promotion import PromotionFacts, decide_promotion
from artificer.problem.project import Project
from artificer.splits.ledger import HoldoutLedger
from artificer.training.request import TrainingRequest, Watch, nothing, silent
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.registry.registry import Registry
    from artificer.tables.contract import Contract

RESERVE_SHARE = 0.04
"""Share of a training budget kept for registering and reporting, at most `RESERVE_MAX` seconds."""
RESERVE_MAX = 4.0

CHECKPOINT = "checkpoint"
"""The folder of a run's finished fits, until the run has finished."""


def registry_of(project: Project) -> Registry:
    """The project's model registry; importing MLflow takes seconds, so it happens here and not before."""
    from artificer.registry.registry import Registry

    return Registry(project.home, project.store_url("registry"), project.name, owner=project.identity)


def history_of(project: Project) -> History:
    return History(project.home / "history.jsonl")


def champion_version(project: Project) -> int | None:
    """The champion as serving sees it, or None."""
    try:
        return read_pointer(project.champion_file).version
    except MissingError:
        return None


def champion_bundle(project: Project) -> tuple[int, Bundle]:
    """The champion, loaded.

    Raises
    ------
    MissingError
        No version has been promoted.
    """
    pointer = read_pointer(project.champion_file)
    return pointer.version, load_bundle(pointer.bundle_path(project.champion_file), sha256=pointer.sha256)


def _champion_contract(project: Project) -> Contract | None:
    """None where no champion can be read: training does not depend on it, only how a comparison counts rows."""
    try:
        return champion_bundle(project)[1].contract
    except (MissingError, BundleError):
        return None


def run_folder(project: Project, run_id: str) -> Path:
    return project.runs / run_id


def unfinished_run(project: Project) -> str | None:
    """The id of the newest run that was killed or interrupted while it searched, None where there is none."""
    begun = sorted(place.parent.name for place in project.runs.glob(f"*/{CHECKPOINT}"))
    left = [run_id for run_id in begun if run_document(project, run_id) is None]
    return left[-1] if left else None


def run_document(project: Project, run_id: str) -> Json | None:
    """The record of a finished run, None when it has not finished."""
    try:
        document: Json = json.loads((run_folder(project, run_id) / "run.json").read_text(encoding="utf-8"))
        return document
    except FileNotFoundError:
        return None


def fit(
    project: Project,
    run_id: str,
    *,
    cause: str = "request",
    recipe: Json | None = None,
    production_rows: Sequence[Json] = (),
    newest_test_rows: int | None = None,
    threads: int = 2,
    watch: Watch = silent,
    under_way: Callable[[], object] = nothing,
    clock: Clock | None = None,
) -> Json:
    """Train one version; returns the run's document. A run that has finished is not run again."""
    from artificer.training.record import save_record
    from artificer.training.train import train

    done = run_document(project, run_id)
    if done is not None:
        return done
    clock = clock or SystemClock()
    folder = run_folder(project, run_id)
    project.prepare()
    folder.mkdir(parents=True, exist_ok=True)
    budget = project.problem.training.budget

    def go_on() -> None:
        registry_of(project).warm()
        under_way()

    request = TrainingRequest(
        run_id=run_id,
        name=project.name,
        problem=project.problem,
        source=project.source,
        base=project.dir,
        folder=folder,
        ledger=HoldoutLedger(project.holdout_ledger),
        recipe=recipe,
        production_rows=tuple(production_rows),
        newest_test_rows=newest_test_rows,
        checkpoint=folder / CHECKPOINT,
        reserve_seconds=min(RESERVE_MAX, RESERVE_SHARE * (budget.seconds or 0.0)),
        cause=cause,
        parent=champion_version(project),
        champion=_champion_contract(project),
        threads=threads,
        clock=clock,
        watch=watch,
        under_way=go_on,
    )
    run = train(request)
    save_record(run, folder)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return run.to_json()


def enter(project: Project, run: Json) -> int:
    """Register a finished run's bundle as a new version, or find the version it became."""
    registry = registry_of(project)
    known = registry.version_of_run(run["id"])
    if known is not None:
        return known
    return registry.register(
        Path(run["bundle"]),
        metrics=_metrics(run),
        lineage=run["lineage"],
        params={
            "metric": run["metric"],
            "gate": run["gate"],
            "cause": run["lineage"]["cause"],
            "algorithms": ", ".join(row["name"] for row in run["leaderboard"] if row["weight"]),
        },
        run_id=run["id"],
        gate=run["gate"],
    )


def compare(project: Project, run: Json) -> Json | None:
    """Hold a new version against the champion on the new run's test rows; None without a champion.

    Rows that the champion was trained on, which a table that has grown puts among the test rows, are left out.
    """
    try:
        version, champion = champion_bundle(project)
    except MissingError:
        return None
    HoldoutLedger(project.holdout_ledger).record(
        run["id"], f"comparison with champion version {version}", SystemClock().now()
    )
    return {"champion": version, **compare_unseen(project.runs, version, champion, run)}


def settle(project: Project, run: Json, version: int, comparison: Json | None, actor: str) -> Json:
    """Decide whether a version becomes champion, do it, and record why.

    The decision follows from the arguments, not from who is champion meanwhile, so that doing it again after a crash
    between promotion and record comes to the same; only where another hand has changed the champion since the
    comparison does that comparison count no more.
    """
    registry = registry_of(project)
    champion = comparison["champion"] if comparison else None
    standing = champion_version(project)
    if standing not in (champion, version):
        champion, comparison = standing, None
    decision = decide_promotion(
        PromotionFacts(
            gate=run["gate"],
            gate_reason=run["gate_reason"],
            champion=champion,
            comparison=comparison["verdict"] if comparison else None,
            comparison_evidence=comparison,
            cause=run["lineage"]["cause"],
        )
    )
    if decision.promote:
        registry.promote(version, decision.reason, who=actor, evidence=decision.evidence)
    else:
        registry.set_challenger(version)
    history_of(project).write(
        Record(
            key=f"{run['id']}/promotion",
            at=SystemClock().now().timestamp(),
            kind="promotion" if decision.promote else "kept",
            actor=actor,
            summary=f"version {version} {'became champion' if decision.promote else 'was not promoted'}: "
            f"{decision.reason}",
            version=version,
            evidence=decision.evidence,
        )
    )
    return {
        "promoted": decision.promote,
        "reason": decision.reason,
        "evidence": decision.evidence,
        "champion": version if decision.promote else champion,
    }


def note_trained(project: Project, run: Json, version: int, actor: str) -> None:
    """Record that a version was trained."""
    low, high = run["interval"]
    history_of(project).write(
        Record(
            key=f"{run['id']}/train",
            at=SystemClock().now().timestamp(),
            kind="train",
            actor=actor,
            summary=f"trained version {version} ({run['lineage']['cause']}): {run['metric']} {run['score']:.4g} "
            f"[{low:.4g}, {high:.4g}], gate {run['gate']}",
            version=version,
            evidence={"run": run["id"], "score": run["score"], "gate": run["gate"], "rows": run["rows"]},
        )
    )


def train_version(
    project: Project,
    run_id: str,
    *,
    actor: str = "person",
    watch: Watch = silent,
    threads: int = 2,
    cause: str = "request",
    under_way: Callable[[], object] = nothing,
) -> Json:
    """Everything `artificer train` does; returns the run's document with version and promotion filled in.

    Parameters
    ----------
    under_way : called once the search is under way, for what can be got ready meanwhile.
    """
    run = fit(project, run_id, cause=cause, watch=watch, under_way=under_way, threads=threads)
    watch("registering the model", None, None)
    version = enter(project, run)
    note_trained(project, run, version, actor)
    promotion = settle(project, run, version, compare(project, run), actor)
    return finish_document(project, run, version, promotion)


def finish_document(project: Project, run: Json, version: int, promotion: Json) -> Json:
    """Fill in what only the registry knows, and keep the document."""
    from artificer.bundle.files import write_atomically

    document = {**run, "version": version, "promoted": promotion["promoted"], "promotion": promotion}
    text = json.dumps(document, ensure_ascii=False, default=str)
    write_atomically(run_folder(project, run["id"]) / "run.json", text.encode(), "the run's record")
    return document


def promote(project: Project, version: int, reason: str, actor: str = "person") -> Json:
    """Make a version champion by decree."""
    before = _standing(project)
    registry_of(project).promote(version, reason, who=actor, evidence={})
    if before == version:
        return {"version": version, "previous": None, "reason": "it was champion already"}
    return _note_change(project, "promotion", before, version, reason, actor)


def roll_back(
    project: Project, reason: str, actor: str = "person", key: str | None = None, expected: int | None = None
) -> Json:
    """Give the place back to the champion before; with `key` and the `expected` champion, at most once."""
    if key is not None:
        done = next((r for r in history_of(project).records() if r.key == key), None)
        if done is not None:
            return {"version": done.version, "previous": done.evidence.get("previous")}
    before = champion_version(project) if expected is None else expected
    version = registry_of(project).rollback(reason, who=actor, expected=expected)
    return _note_change(project, "rollback", before, version, reason, actor, key)


def _standing(project: Project) -> int | None:
    """The champion a change replaces; a damaged pointer names none, and the change mends it."""
    try:
        return champion_version(project)
    except BundleDamagedError:
        return None


def _note_change(
    project: Project, kind: str, before: int | None, version: int, reason: str, actor: str, key: str | None = None
) -> Json:
    at = SystemClock().now().timestamp()
    history_of(project).write(
        Record(
            key=key or f"{kind}/{version}/{at:.6f}",
            at=at,
            kind=kind,
            actor=actor,
            summary=f"version {version} became champion instead of {before}: {reason}"
            if before
            else f"version {version} became champion: {reason}",
            version=version,
            evidence={"previous": before},
        )
    )
    return {"version": version, "previous": before, "reason": reason}


def _metrics(run: Json) -> dict[str, float]:
    found = {m["name"]: m["score"]["value"] for m in run["evaluation"]["metrics"] if m["score"]["value"] is not None}
    measured = {k: v for k, v in run["measured"].items() if isinstance(v, (int, float))}
    return {**found, **measured, "seconds": run["seconds"]}


def with_overrides(project: Project, **changes: Any) -> Project:
    """The project with values of the command line in place of the file's; None leaves the file's."""
    from artificer.problem.load import override

    given = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(project, problem=override(project.problem, given)) if given else project
