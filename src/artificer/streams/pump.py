"""Moves events: pull, work, journal, publish, acknowledge, in that order, some batches at once.

A process may be killed between any two steps. What was not acknowledged is delivered again; what was journalled is
recognised by its id and not journalled again; what was published may be published again under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from artificer.errors import ArtificerError, JournalError, StreamError
from artificer.journal.entries import Entry
from artificer.journal.writer import Journal
from artificer.streams.base import Event, Message, Stream, Subscription
from artificer.streams.position import Position, write_checkpoint
from artificer.streams.stats import Stats
from artificer.streams.work import Batch

_log = logging.getLogger("artificer.streams")

WAIT_SECONDS: Final = 0.5
CHECK_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 10.0
"""So long may what is under way take once the end is asked for; what is not done by then is delivered again."""
MOST_BATCHES: Final = 4
PAUSES: Final = (0.1, 0.3, 1.0, 2.0, 5.0)


class Work(Protocol):
    """What is done with a batch; called for one batch at a time, from a thread."""

    @property
    def ready(self) -> bool:
        """Whether there is a model to work with."""

    def work(self, events: Sequence[Event], at: float) -> Batch:
        """Say what the events come to."""


def worked_at(events: Sequence[Event], at: float) -> float:
    """Predictions are dated when they are made."""
    return at


def taken_at(events: Sequence[Event], at: float) -> float:
    """Outcomes are dated when the broker took them."""
    return min(event.at for event in events)


class Pump:
    """Moves the events of one subscription.

    Parameters
    ----------
    work : what events come to.
    position : what is done; the pump keeps it, at `path`.
    missing : which of some entries the journal lacks; asked after a failed append alone.
    moment : from when on the journal must be read to find what a batch, worked on at a time, has put there.
    targets : where messages and dead letters go.
    """

    def __init__(
        self,
        stream: Stream,
        subscription: Subscription,
        journal: Journal,
        work: Work,
        position: Position,
        path: Path,
        *,
        targets: tuple[str, str],
        batch: int,
        stats: Stats,
        missing: Callable[[Sequence[Entry]], list[Entry]],
        moment: Callable[[Sequence[Event], float], float] = worked_at,
    ) -> None:
        self._stream = stream
        self._subscription = subscription
        self._journal = journal
        self._work = work
        self._position = position
        self._path = path
        self._out, self._dead = targets
        self._batch = batch
        self._missing = missing
        self._stats = stats
        self._moment = moment
        self._last = position.at
        self._settled = position.at
        self._open: dict[float, float] = {}  # when each batch under way was worked on, and its moment
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="artificer-stream")
        self._checked = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Move events until `stop`, then finish what is under way."""
        slots = asyncio.Semaphore(MOST_BATCHES)
        tasks: set[asyncio.Task[None]] = set()
        checking = asyncio.create_task(self._check_for_ever())
        try:
            while not stop.is_set():
                await slots.acquire()
                for task in [task for task in tasks if task.done()]:
                    tasks.discard(task)
                    task.result()  # what nobody foresaw ends the process; the next begins at the position
                batch = await self._next()
                if batch is None:
                    slots.release()
                    continue
                task = asyncio.create_task(self._finish(batch))
                tasks.add(task)
                task.add_done_callback(lambda done: slots.release())
            await self._drain(tasks)
        finally:
            checking.cancel()
            for task in tasks:
                task.cancel()
            await self._check()
            self._thread.shutdown(wait=True)

    async def _drain(self, tasks: set[asyncio.Task[None]]) -> None:
        if tasks:
            _, late = await asyncio.wait(set(tasks), timeout=DRAIN_SECONDS)
            if late:
                _log.warning("%d batches could not be finished and will be delivered again", len(late))

    async def _next(self) -> Batch | None:
        """Pull and work on one batch; None where nothing is there to do."""
        if not self._work.ready:
            await asyncio.sleep(WAIT_SECONDS)
            return None
        events = await self._subscription.next(self._batch, WAIT_SECONDS)
        if not events:
            return None
        events = await self._sorted(events)
        if not events:
            return None
        self._last = max(time.time(), self._last + 1e-6)
        at = self._last
        self._open[at] = self._moment(events, at)
        self._position.take_off(events)
        started = time.perf_counter()
        batch = await asyncio.get_running_loop().run_in_executor(self._thread, self._work.work, events, at)
        self._stats.worked(batch, time.perf_counter() - started)
        return batch

    async def _sorted(self, events: list[Event]) -> list[Event]:
        """Leave out what is under way or came twice at once, and acknowledge once more what is done."""
        position = self._position
        once: dict[tuple[int, int], Event] = {}
        for event in events:
            once.setdefault((event.partition, event.sequence), event)
        self._stats.redelivered += len(events) - len(once)
        events = list(once.values())
        again = [event for event in events if position.is_doubtful(event)]
        if not again:
            return events
        self._stats.redelivered += len(again)
        done = [event for event in again if position.is_done(event)]
        await self._subscription.acknowledge(done)
        skip = {event.key for event in done}
        skip.update(event.key for event in again if position.is_flying(event))
        return [event for event in events if event.key not in skip]

    async def _finish(self, batch: Batch) -> None:
        await self._keep(batch.entries)
        await self._publish(self._out, batch.messages)
        await self._publish(self._dead, batch.dead)
        await self._subscription.acknowledge(batch.events)
        self._position.land(batch.events)
        self._settled = max(self._settled, self._open.pop(batch.at))
        self._stats.finished(batch)

    async def _keep(self, entries: Sequence[Entry]) -> None:
        """Journal, for as long as it takes: a full disk holds the stream up and loses nothing of it."""
        attempt = 0
        left = entries
        while left:
            try:
                await self._journal.append_async(left)
                return
            except JournalError as error:
                await self._pause(attempt, f"journalling: {error}")
                attempt += 1
                with suppress(JournalError):
                    left = await asyncio.to_thread(self._missing, entries)

    async def _publish(self, subject: str, messages: Sequence[Message]) -> None:
        attempt = 0
        while messages:
            try:
                await self._stream.publish(subject, messages)
                return
            except StreamError as error:
                await self._pause(attempt, str(error))
                attempt += 1

    async def _pause(self, attempt: int, why: str) -> None:
        self._stats.retries += 1
        if attempt == 0:
            _log.warning("%s; trying again until it is done", why)
        await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._check()

    async def _check(self) -> None:
        """Ask the broker how far it is, and keep the position."""
        try:
            lag = await self._subscription.lag()
        except StreamError as error:
            _log.debug("%s", error)
            return
        self._stats.lag = lag
        self._position.settle(lag.floors)
        try:
            checkpoint = self._position.checkpoint(self._since())
            await asyncio.to_thread(write_checkpoint, self._path, checkpoint)
        except ArtificerError as error:  # an older position only makes the next start longer
            _log.warning("%s", error)

    def _since(self) -> float:
        """Before this moment, everything that was journalled is settled."""
        return min(self._open.values(), default=self._settled)
