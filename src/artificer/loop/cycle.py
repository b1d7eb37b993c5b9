"""One cycle of the loop as a durable workflow: observe, decide, train, gate, compare, promote or keep, roll back.

DBOS keeps what each step returned, so a process that is killed in the seventh step goes on at the seventh when it is
started again. Steps exchange JSON alone (no pickle), and each step that changes something outside (a run's files, the
registry, the history) is written so that doing it a second time changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, PortableWorkflowError, SetWorkflowID

from artificer.clock import Clock, SystemClock
from artificer.errors import ArtificerError
from artificer.loop import actions
from artificer.loop.history import Record
from artificer.loop.observe import collect_labelled, observe
from artificer.policies.retraining import Action, decide
from artificer.problem.project import Project
from artificer.registry.waiting import waited
from artificer.training.request import Watch, silent
from artificer.types import Json

LOCK_PATIENCE = 60.0
"""Seconds that the loop waits for another training in the project, besides twice the budget of one."""
WORKFLOW_VERSION = "1"
"""Changes when the steps of a cycle change; a pending cycle of another version is then not resumed but begun anew."""


@dataclass(frozen=True)
class Runtime:
    """What steps need besides their arguments; set before workflows are launched or resumed."""

    project: Project
    clock: Clock
    watch: Watch
    after_training: Callable[[Json], None]
    threads: int


_runtime: Runtime | None = None


def _now() -> Runtime:
    if _runtime is None:
        raise ArtificerError("the loop was not launched; call launch first")
    return _runtime


def launch(
    project: Project,
    *,
    clock: Clock | None = None,
    watch: Watch = silent,
    after_training: Callable[[Json], None] = lambda document: None,
    threads: int = 2,
) -> None:
    """Open the workflow store and resume what a dead process left unfinished.

    Parameters
    ----------
    after_training : told each finished training's document (to write its report, say).
    """
    global _runtime
    _runtime = Runtime(project, clock or SystemClock(), watch, after_training, threads)
    project.prepare()
    config: DBOSConfig = {
        "name": f"artificer-{project.identity}",
        "system_database_url": project.store_url("loop") or f"sqlite:///{project.home / 'loop.sqlite'}",
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": WORKFLOW_VERSION,
        "executor_id": project.identity,
        "log_level": "CRITICAL",
        "enable_otlp": False,
    }
    # What fails in a workflow is raised to its caller; DBOS would print the traceback as well.
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS(config=config)
    DBOS.launch()


def shut_down() -> None:
    """Close the workflow store; a cycle under way is left to be resumed."""
    DBOS.destroy()


def resume() -> list[Json]:
    """Wait for the cycles that :func:`launch` found unfinished; returns what they came to."""
    unfinished = DBOS.list_workflows(
        status=["PENDING", "ENQUEUED"],
        app_version=WORKFLOW_VERSION,
        workflow_id_prefix=_prefix(),
        load_input=False,
        load_output=False,
    )
    results: list[Json] = []
    for found in unfinished:
        try:
            results.append(_result(DBOS.retrieve_workflow(found.workflow_id)))
        except ArtificerError as error:
            results.append({"action": "failed", "reason": str(error)})
    return results


def run_cycle(cycle_id: str) -> Json:
    """Run one cycle to its end, or give what it came to when it has run already.

    Raises
    ------
    ArtificerError
        A step failed; the sentence is that of its error.
    """
    result = _start(cycle, cycle_id)
    if result["action"] in (Action.WAIT.value, Action.ALERT.value):
        # A look that led to nothing more needs no place in the store; a day has thousands of them.
        DBOS.delete_workflow(_prefix() + cycle_id)
    return result


def run_increment(run_id: str) -> Json:
    """Learn the outcomes that have come, and enter what was learned where it does better than the champion."""
    from artificer.loop.incremental import RUN_PREFIX

    result = _start(increment, RUN_PREFIX + run_id)
    if result["action"] == Action.WAIT.value:
        DBOS.delete_workflow(_prefix() + RUN_PREFIX + run_id)
    return result


def run_first_training(workflow_id: str) -> Json:
    """Train the first version durably."""
    return _start(first_training, workflow_id)


def _start(workflow: Callable[[str], Json], run_id: str) -> Json:
    with SetWorkflowID(_prefix() + run_id):
        handle = DBOS.start_workflow(workflow, run_id)
    return _result(handle)


def _result(handle: Any) -> Json:
    try:
        result: Json = handle.get_result()
        return result
    except PortableWorkflowError as error:
        # How an error comes back from the store: by its name and sentence.
        raise ArtificerError(str(error)) from error


def _prefix() -> str:
    """Keeps the workflows of projects apart that share a store."""
    return f"{_now().project.identity}/"


@DBOS.workflow()
def first_training(workflow_id: str) -> Json:
    run = step_fit(workflow_id, "first", None, [], None)
    return _enter_and_settle(run)


@DBOS.workflow()
def cycle(cycle_id: str) -> Json:
    found = step_observe(cycle_id)
    decision = step_decide(found)
    action = decision["action"]
    if action == Action.WAIT.value:
        return {"cycle": cycle_id, "action": action, "reason": decision["reason"]}
    step_record(cycle_id, found, decision)
    result: Json = {"cycle": cycle_id, "action": action, "reason": decision["reason"]}
    if action == Action.ROLLBACK.value:
        return {**result, "change": step_roll_back(cycle_id, decision)}
    if action in (Action.REFIT.value, Action.SEARCH.value):
        rows = step_collect(cycle_id)
        run = step_fit(cycle_id, found["cause"], action, rows, found)
        return {**result, **_enter_and_settle(run)}
    return result


@DBOS.workflow()
def increment(run_id: str) -> Json:
    facts = step_follow(run_id)
    decision = step_decide_learner(facts)
    result: Json = {"cycle": run_id, "action": Action.WAIT.value, "reason": decision["reason"]}
    if not decision["enter"]:
        return result
    run = step_pack(run_id, facts)
    version = step_enter(run)
    promotion = step_settle(run, version, {**facts["evidence"], "champion": facts["champion"]})
    step_keep(run, version, promotion)
    done = {"run": run["id"], "version": version, "comparison": facts["evidence"], "promotion": promotion}
    return {**result, "action": "incremental", "gate": run["gate"], **done}


def _enter_and_settle(run: Json) -> Json:
    version = step_enter(run)
    comparison = step_compare(run)
    promotion = step_settle(run, version, comparison)
    step_finish(run, version, promotion)
    return {"run": run["id"], "version": version, "comparison": comparison, "promotion": promotion, "gate": run["gate"]}


@DBOS.step()
def step_observe(cycle_id: str) -> Json:
    return observe(_now().project, _now().clock.now().timestamp())


@DBOS.step()
def step_decide(found: Json) -> Json:
    from artificer.loop.observe import facts_of, rules_of

    return decide(facts_of(found), rules_of(_now().project)).to_json()


@DBOS.step()
def step_record(cycle_id: str, found: Json, decision: Json) -> None:
    runtime = _now()
    kind = "alert" if decision["action"] == Action.ALERT.value else "decision"
    history = actions.history_of(runtime.project)
    if kind == "alert":
        # The same alert at every look would bury the history.
        last = next((r for r in reversed(history.records()) if r.actor == "loop"), None)
        if last is not None and last.kind == "alert" and last.evidence.get("subject") == found["subject"]:
            return
    history.write(
        Record(
            key=f"{cycle_id}/decision",
            at=runtime.clock.now().timestamp(),
            kind=kind,
            actor="loop",
            summary=f"{decision['action']}: {decision['reason']}",
            version=found["champion"],
            evidence={
                **decision["evidence"],
                "action": decision["action"],
                "rejected": decision["rejected"],
                "subject": found["subject"],
            },
        )
    )


@DBOS.step()
def step_collect(cycle_id: str) -> Json:
    """Pin the labelled rows in a file of the run, so that a resumed cycle trains on the same ones."""
    runtime = _now()
    return collect_labelled(runtime.project, actions.run_folder(runtime.project, cycle_id))


@DBOS.step()
def step_fit(run_id: str, cause: str, action: str | None, rows: Any, found: Json | None) -> Json:
    from artificer.loop.observe import read_collected

    runtime = _now()
    production: list[Json] = read_collected(rows) if rows else []
    recipe = None
    if action == Action.REFIT.value:
        recipe = actions.champion_bundle(runtime.project)[1].recipe
    # Two trainings at once would share the cores and both overrun; a person's training is waited for.
    patience = LOCK_PATIENCE + 2.0 * (runtime.project.problem.training.budget.seconds or 0.0)
    with waited(runtime.project.lock("training (the loop)"), patience):
        return actions.fit(
            runtime.project,
            run_id,
            cause=cause,
            recipe=recipe,
            production_rows=production,
            newest_test_rows=rows["newest_test_rows"] if rows else None,
            watch=runtime.watch,
            clock=runtime.clock,
            threads=runtime.threads,
        )


@DBOS.step()
def step_enter(run: Json) -> int:
    project = _now().project
    version = actions.enter(project, run)
    actions.note_trained(project, run, version, "loop")
    return version


@DBOS.step()
def step_compare(run: Json) -> Json | None:
    return actions.compare(_now().project, run)


@DBOS.step()
def step_settle(run: Json, version: int, comparison: Json | None) -> Json:
    return actions.settle(_now().project, run, version, comparison, "loop")


@DBOS.step()
def step_finish(run: Json, version: int, promotion: Json) -> None:
    runtime = _now()
    runtime.after_training(actions.finish_document(runtime.project, run, version, promotion))


@DBOS.step()
def step_roll_back(cycle_id: str, decision: Json) -> Json:
    champion = decision["evidence"]["probation"]["champion"]
    key = f"{cycle_id}/rollback"
    return actions.roll_back(_now().project, decision["reason"], "loop", key=key, expected=champion)


@DBOS.step()
def step_follow(run_id: str) -> Json:
    from artificer.loop.incremental import follow

    return follow(_now().project, _now().clock.now().timestamp())


@DBOS.step()
def step_decide_learner(facts: Json) -> Json:
    from artificer.loop.observe import rules_of
    from artificer.policies.incremental import LearnerFacts, decide_learner

    known = {key: facts[key] for key in ("champion", "rows", "look", "now", "verdict", "evidence")}
    entered = tuple(facts["entered_at"])
    return asdict(decide_learner(LearnerFacts(**known, entered_at=entered), rules_of(_now().project)))


@DBOS.step()
def step_pack(run_id: str, facts: Json) -> Json:
    from artificer.loop.incremental import pack

    return pack(_now().project, run_id, facts, _now().clock)


@DBOS.step()
def step_keep(run: Json, version: int, promotion: Json) -> None:
    actions.finish_document(_now().project, run, version, promotion)
