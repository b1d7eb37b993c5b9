"""What a consumer is to do, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.errors import ConfigurationError
from artificer.problem.places import Place
from artificer.serving.guards import GuardPlan

if TYPE_CHECKING:
    from artificer.problem.project import Project

DEFAULT_PLAN = GuardPlan()


@dataclass(frozen=True, slots=True)
class Plan:
    """Where events come from, where predictions go, and how much may be under way.

    Attributes
    ----------
    name : the durable name: the broker remembers under it what is done, and prediction ids begin with it.
    url, options, create : as in :class:`artificer.streams.base.Stream`.
    events : the subject or topic of the rows to score.
    predictions, dead_letters : where answers go, and what cannot be answered.
    outcomes : where outcomes come from; None where none are taken.
    id_field : the field of an event that names it; it is not given to the model unless it is one of its columns.
    batch : at most so many events are scored at once.
    in_flight : at most so many events are delivered and not acknowledged.
    pointer, journal, folder : the champion's pointer, the journal, and where positions are kept.
    host, port : where metrics are shown.
    guards : what is done about rows that the model should not be asked.
    """

    name: str
    url: str
    events: str
    predictions: str
    dead_letters: str
    pointer: Path
    journal: Place
    folder: Path
    outcomes: str | None = None
    id_field: str = "id"
    batch: int = 1_000
    in_flight: int = 10_000
    host: str = "127.0.0.1"
    port: int = 8401
    create: bool = False
    guards: GuardPlan = DEFAULT_PLAN
    options: Mapping[str, str] = field(default_factory=dict)


def plan_of(project: Project) -> Plan:
    """The plan that a project's file states, secrets read from the environment now.

    Raises
    ------
    ConfigurationError
        It names no stream or no events, or an environment variable that is not set.
    """
    stream = project.problem.stream
    if stream.url is None or stream.events is None:
        lacking = "url" if stream.url is None else "events"
        raise ConfigurationError(f"{project.file}: [stream] lacks {lacking}, so there is nothing to consume; add it")
    return Plan(
        name=stream.name,
        url=stream.url.resolve(),
        options={key: value.resolve() for key, value in (stream.options or {}).items()},
        create=stream.create,
        events=stream.events,
        predictions=stream.predictions or f"{stream.events}.predictions",
        dead_letters=stream.dead_letters or f"{stream.events}.dead",
        outcomes=stream.outcomes,
        id_field=stream.id_field,
        batch=stream.batch,
        in_flight=stream.in_flight,
        host=project.problem.serving.host,
        guards=GuardPlan(**project.problem.guards.plan()),
        port=stream.metrics_port,
        pointer=project.champion_file,
        journal=project.journal,
        folder=project.home / "streams",
    )
