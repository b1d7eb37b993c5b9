"""The self-running whole: train if needed, serve, look again and again, act, until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from artificer.clock import Clock, SystemClock
from artificer.errors import ArtificerError
from artificer.loop import actions
from artificer.loop.service import HANDOVER_SECONDS, Service, server_arguments
from artificer.loop.upkeep import tend_journal
from artificer.problem.lock import FileLock
from artificer.problem.project import Project
from artificer.training.request import Watch, silent
from artificer.types import Json

SCHEMA = "artificer.run/1"
WATCH_SECONDS = 1.0
_log = logging.getLogger("artificer.loop")


def run_forever(
    project: Project,
    *,
    host: str | None = None,
    port: int | None = None,
    say: Callable[[str], None],
    watch: Watch = silent,
    after_training: Callable[[Json], None] = lambda document: None,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
    threads: int = 2,
) -> Json:
    """Run a project until `stop` is set or the process is asked to end (SIGINT, SIGTERM).

    Raises
    ------
    BusyError
        Another process runs this project's loop.
    """
    from artificer.loop import cycle

    clock, stop = clock or SystemClock(), stop or threading.Event()
    project.prepare()
    counts = {"cycles": 0, "retrained": 0}
    told: dict[str, str] = {}
    arguments = server_arguments(project, host, port)
    with FileLock(project.home / "loop.lock", "running the loop", clock), _stopped_by_signals(stop):
        actions.registry_of(project).reconcile()
        cycle.launch(project, clock=clock, watch=watch, after_training=after_training, threads=threads)
        try:
            for finished in cycle.resume():
                say(f"resumed and finished: {_line(finished)}")
            if actions.champion_version(project) is None:
                say("no champion yet: training the first version")
                say(_line(cycle.run_first_training(f"first-{clock.now():%Y%m%dT%H%M%S%f}")))
            if actions.champion_version(project) is None:
                raise ArtificerError(
                    f"no version of {project.name} passed the gate, so there is nothing to serve; read the report, "
                    "change the requirements or the data, and run again"
                )
            with Service(arguments, project.home / "server.log", clock, handover=HANDOVER_SECONDS) as service:
                say(f"serving version {actions.champion_version(project)} at {service.url}")
                with _kept_alive(service, say):
                    while not stop.wait(project.problem.loop.interval.seconds):
                        _look(project, clock, counts, told, say)
        finally:
            cycle.shut_down()
    return {"schema": SCHEMA, "project": project.name, **counts}


def _look(
    project: Project, clock: Clock, counts: dict[str, int], told: dict[str, str], say: Callable[[str], None]
) -> None:
    """Run one cycle and tell what it came to. What goes wrong in it is told, and the next look comes all the same."""
    from artificer.loop import cycle

    counts["cycles"] += 1
    try:
        tended = tend_journal(project, clock.now().timestamp())
        if tended["sealed"] or tended["dropped"]:
            say(f"journal: {tended['sealed']:,} entries sealed, {tended['dropped']:,} no longer kept")
        name = f"{clock.now():%Y%m%dT%H%M%S%f}"
        results = [cycle.run_cycle(f"cycle-{name}")]
        if project.problem.loop.incremental:
            results.append(cycle.run_increment(name))
    except Exception as error:
        _log.debug("a look failed", exc_info=True)
        sentence = " ".join(str(error).split())[:500] or type(error).__name__
        say(f"this look failed, the next one comes in {project.problem.loop.interval}: {sentence}")
        return
    for place, result in enumerate(results):
        if "version" in result:
            counts["retrained"] += 1
        # An alert that stands is said once, not at every look.
        line, last = _line(result), f"last {place}"
        if result["action"] != "wait" and line != told.get(last):
            say(line)
        told[last] = line


@contextmanager
def _kept_alive(service: Service, say: Callable[[str], None]) -> Iterator[None]:
    """Watch the service in a thread of its own: a training must not keep anyone from starting it again."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            try:
                if service.keep_alive():
                    say(f"the service had died and was started again (restart {service.restarts})")
            except ArtificerError as error:
                say(str(error))

    thread = threading.Thread(target=watch, name="service watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _line(result: Json) -> str:
    parts = [f"{result['action']}: {result['reason']}"] if "action" in result else []
    if "version" in result:
        promotion = result["promotion"]
        state = "is champion" if promotion["promoted"] else "was not promoted"
        parts.append(f"version {result['version']} {state} ({promotion['reason']})")
    if "change" in result:
        parts.append(f"version {result['change']['version']} is champion again")
    return "; ".join(parts)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop` while this lasts; outside the main thread, signals are left alone.

    A training under way is finished first, since its model is worth having; a second signal ends it at once, and the
    next start resumes it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
