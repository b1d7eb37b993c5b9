"""The pump against a broker that is played here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from artificer.journal.entries import PredictionEntry
from artificer.journal.reader import predictions
from artificer.journal.writer import Journal
from artificer.streams.base import Event, Lag, Message, Stream, Subscription
from artificer.streams.position import Position
from artificer.streams.pump import Pump
from artificer.streams.stats import Stats
from artificer.streams.work import Batch


class Played(Subscription):
    """Gives each of some pulls once, and stops the pump after the last."""

    def __init__(self, pulls: list[list[Event]], stop: asyncio.Event) -> None:
        self.pulls, self.stop = pulls, stop
        self.acknowledged: list[Event] = []

    async def next(self, most: int, wait: float) -> list[Event]:
        if self.pulls:
            return self.pulls.pop(0)
        self.stop.set()
        return []

    async def acknowledge(self, events: Sequence[Event]) -> None:
        self.acknowledged += events

    async def refuse(self, events: Sequence[Event]) -> None:
        raise AssertionError

    async def lag(self) -> Lag:
        return Lag(0, 0)

    async def close(self) -> None:
        pass


class Out(Stream):
    """Keeps what is published."""

    name, schemes, extra = "played", ("played",), "none"

    async def open(self) -> None:
        self.sent: list[str] = []

    async def subscribe(self, subject: str, durable: str, *, most_unacknowledged: int) -> Subscription:
        raise AssertionError

    async def prepare(self, subject: str) -> None:
        pass

    async def publish(self, subject: str, messages: Sequence[Message]) -> None:
        self.sent += [message.key for message in messages]

    async def close(self) -> None:
        pass


class Each:
    """One prediction an event."""

    ready = True

    def work(self, events: Sequence[Event], at: float) -> Batch:
        entries = [PredictionEntry(event.key, at, "1", {"x": 1.0}, [1.0], 1.0) for event in events]
        return Batch(at, events, [*entries], [Message(event.key, b"{}") for event in events])


def delivered(sequence: int, again: bool = False, partition: int = 0) -> Event:
    return Event(b"{}", f"{partition}.{sequence}", partition, sequence, 1.0, again, object())


@pytest.mark.parametrize("again", [False, True])
def test_an_event_that_comes_twice_in_one_pull_is_done_once(tmp_path: Path, again: bool) -> None:
    first = [delivered(1), delivered(2), delivered(1, again), delivered(1, partition=1), delivered(1, again)]
    kept, sent, stats = asyncio.run(moved(tmp_path, [first, [delivered(2, True), delivered(3)]]))
    assert sorted(kept) == sorted(sent) == ["0.1", "0.2", "0.3", "1.1"]
    assert (stats.events, stats.redelivered) == (4, 3)


async def moved(folder: Path, pulls: list[list[Event]]) -> tuple[list[str], list[str], Stats]:
    """Ids in the journal, keys that were published, and the counts."""
    stop, stats, stream = asyncio.Event(), Stats(Lag(0, 0)), Out("played://")
    await stream.open()
    path = folder / "journal.sqlite"
    with Journal(path) as journal:
        pump = Pump(
            stream, Played(pulls, stop), journal, Each(), Position(None, {}), folder / "position.json",
            targets=("out", "dead"), batch=100, stats=stats, missing=list,
        )  # fmt: skip
        await pump.run(stop)
    return [entry.id for entry in predictions(path)], stream.sent, stats
