"""Versions of a project's model: how the champion does, who is champion, and what was done."""

from __future__ import annotations

import time
from pathlib import Path

from artificer.errors import UsageError
from artificer.types import Json

MODELS_SCHEMA = "artificer.models/1"
CHANGE_SCHEMA = "artificer.change/1"


def monitor(project: Path, *, since: str | None = None) -> Json:
    """The monitoring report of the champion, over the problem's window or since a moment."""
    from artificer.loop import actions
    from artificer.loop.observe import monitor_now
    from artificer.problem.project import open_project

    opened = open_project(project)
    now = time.time()
    version, bundle = actions.champion_bundle(opened)
    return monitor_now(opened, bundle, version, now, since=None if since is None else _moment(since, now))


def _moment(text: str, now: float) -> float:
    """A window ("24h") or an ISO time as unix seconds."""
    from datetime import UTC, datetime

    from artificer.problem.amounts import Duration

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - Duration.parse(text).seconds
        except ValueError:
            raise UsageError(
                f'--since takes a duration like "24h" or an ISO time like "2026-01-31", not "{text}"'
            ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def models(project: Path) -> Json:
    """All model versions, newest first."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    versions = [_version(found.to_json()) for found in actions.registry_of(opened).versions()]
    return {"schema": MODELS_SCHEMA, "project": opened.name, "models": versions}


def _version(found: Json) -> Json:
    """A registry record with what people look for first brought to the top."""
    params = found["params"]
    metric = params.get("metric")
    first = {
        "metric": metric,
        "score": found["metrics"].get(metric),
        "gate": params.get("gate"),
        "cause": params.get("cause"),
    }
    return {**found, **first}


def promote(project: Path, version: int, *, reason: str) -> Json:
    """Make a version champion."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    # The registry's own lock suffices: a person need not wait until a training ends.
    return {"schema": CHANGE_SCHEMA, **actions.promote(opened, version, reason)}


def rollback(project: Path, *, reason: str) -> Json:
    """Give the champion's place back to the version before."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    return {"schema": CHANGE_SCHEMA, **actions.roll_back(opened, reason)}


def history(project: Path, *, limit: int | None = None) -> Json:
    """What was decided and done, newest first."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    return actions.history_of(open_project(project)).to_json(limit)
