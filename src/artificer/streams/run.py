"""Starting and ending the consumer: one process, a clean end on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from artificer.journal.entries import Entry, OutcomeEntry, PredictionEntry
from artificer.journal.reader import outcomes, predictions
from artificer.journal.writer import Journal
from artificer.problem.lock import FileLock
from artificer.problem.places import Place
from artificer.serving.champion import Champion, load
from artificer.streams.base import Lag, Stream, stream_for
from artificer.streams.outcomes import Outcomes
from artificer.streams.plan import Plan
from artificer.streams.position import Checkpoint, Position, read_checkpoint, write_checkpoint
from artificer.streams.pump import Pump, taken_at, worked_at
from artificer.streams.scoring import Scoring, slim
from artificer.streams.stats import Stats, serve_metrics

_log = logging.getLogger("artificer.streams")


def run_consumer(plan: Plan, *, ready: Callable[[str], None] | None = None) -> None:
    """Score a stream's events until SIGTERM or SIGINT; what is under way is finished first.

    Parameters
    ----------
    ready : called with the address of the metrics once events are taken.

    Raises
    ------
    BusyError
        Another process consumes under this name.
    StreamError
        The broker cannot be reached at the start.
    JournalError
        The journal cannot be written.
    """
    lock = FileLock(plan.folder / f"{plan.name}.lock", "consuming the stream", place=f"the stream {plan.name}")
    with lock, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_consume(plan, ready))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _consume(plan: Plan, ready: Callable[[str], None] | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stream = stream_for(plan.url, plan.options, create=plan.create)
    champion = Champion(plan.pointer, loader=partial(load, plan=plan.guards))
    with Journal(plan.journal) as journal:
        await stream.open()
        stats: dict[str, Stats] = {}
        server = serve_metrics(plan.host, plan.port, stats, champion, journal)
        try:
            champion.start()
            pumps = await _pumps(plan, stream, champion, journal, stats)
            if ready is not None:
                ready(f"http://{plan.host}:{server.server_port}/metrics")
            await _all(pumps, stop)
        finally:
            champion.stop()
            server.shutdown()
            server.server_close()
            await stream.close()


async def _all(pumps: Sequence[Pump], stop: asyncio.Event) -> None:
    """Run the pumps; when one fails, the others finish what they have."""
    tasks = [asyncio.create_task(pump.run(stop)) for pump in pumps]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
    await asyncio.wait(tasks)
    for task in [*done, *tasks]:
        task.result()


async def _pumps(
    plan: Plan, stream: Stream, champion: Champion, journal: Journal, stats: dict[str, Stats]
) -> list[Pump]:
    await stream.prepare(plan.predictions)
    await stream.prepare(plan.dead_letters)
    subscription = await stream.subscribe(plan.events, plan.name, most_unacknowledged=plan.in_flight)
    path = plan.folder / f"{plan.name}.events.json"
    lag = await subscription.lag()
    position, since = await _position(path, lag)
    known = await asyncio.to_thread(_known_predictions, plan.journal, since, plan.name)
    stats["events"] = Stats(lag)
    make: Any = partial(Pump, stream, batch=plan.batch, targets=(plan.predictions, plan.dead_letters))
    scoring = Scoring(champion, plan.name, plan.id_field, known)
    missing = partial(_missing, plan.journal)
    pumps = [
        make(subscription, journal, scoring, position, path, stats=stats["events"], missing=missing, moment=worked_at)
    ]
    if plan.outcomes is not None:
        name = f"{plan.name}-outcomes"
        subscription = await stream.subscribe(plan.outcomes, name, most_unacknowledged=plan.in_flight)
        path = plan.folder / f"{plan.name}.outcomes.json"
        lag = await subscription.lag()
        position, since = await _position(path, lag)
        newest = await asyncio.to_thread(_known_outcomes, plan.journal, since)
        stats["outcomes"] = Stats(lag)
        work = Outcomes(champion, plan.name, newest)
        pumps.append(
            make(subscription, journal, work, position, path, stats=stats["outcomes"], missing=missing, moment=taken_at)
        )
    return pumps


async def _position(path: Path, lag: Lag) -> tuple[Position, float]:
    """What is done, and since when the journal is to be read for the rest."""
    checkpoint = await asyncio.to_thread(read_checkpoint, path)
    if checkpoint is None:
        begun = lag.unacknowledged or any(floor > 0 for floor in lag.floors.values())
        if begun:
            _log.warning("%s is missing though the stream was consumed before: reading the whole journal", path)
        else:
            # Kept before the first event, so that there is always a moment to read the journal from.
            checkpoint = Checkpoint(time.time(), dict(lag.floors))
            await asyncio.to_thread(write_checkpoint, path, checkpoint)
    return Position(checkpoint, lag.floors), -math.inf if checkpoint is None else checkpoint.since


def _known_predictions(journal: Place, since: float, name: str) -> dict[str, PredictionEntry]:
    mine = (f"{name}:", f"{name}#")
    return {entry.id: slim(entry) for entry in predictions(journal, since=since) if entry.id.startswith(mine)}


def _known_outcomes(journal: Place, since: float) -> dict[str, OutcomeEntry]:
    return {entry.id: entry for entry in outcomes(journal, since=since)}


def _missing(journal: Place, entries: Sequence[Entry]) -> list[Entry]:
    """Which of some entries the journal lacks: an append that failed may have left them all or none.

    Raises
    ------
    JournalError
        It cannot be read; nothing is known then.
    """
    if not entries:
        return []
    low, high = min(entry.at for entry in entries), max(entry.at for entry in entries)
    window: dict[str, Any] = {"since": low, "until": math.nextafter(high, math.inf)}
    reading = predictions if isinstance(entries[0], PredictionEntry) else outcomes
    there = {(entry.id, entry.at) for entry in reading(journal, **window)}
    return [entry for entry in entries if (entry.id, entry.at) not in there]
