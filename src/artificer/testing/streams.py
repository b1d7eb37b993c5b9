"""The contract that every stream keeps, for tests of this project and of others.

A test hands in how to make a stream of a broker that it has started:

``asyncio.run(check_stream(lambda: NatsStream(url, create=True)))``
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import TypeAlias

from artificer.streams.base import Event, Message, Stream, Subscription

Make: TypeAlias = Callable[[], Stream]

SECONDS = 20.0
"""So long may a broker take to hand out what it has."""
MOST = 1_000


async def check_stream(make: Make) -> None:
    """Run every check. An AssertionError names what is broken."""
    stream = make()
    assert isinstance(stream.name, str), f"{type(stream)} has no name"
    assert stream.schemes, f"{stream.name} serves no scheme"
    assert stream.extra, f"{stream.name} does not say which extra brings its library"
    assert type(stream).__doc__, f"{stream.name} has no docstring"
    await stream.open()
    try:
        await check_arrival(stream)
        await check_acknowledged_never_again(stream, make)
        await check_refused_again(stream)
        await check_bound(stream)
        await check_names_apart(stream)
    finally:
        await stream.close()


async def check_arrival(stream: Stream) -> None:
    """Every message arrives once, byte by byte, under a key of its own; those of a partition in their order."""
    subject = await _subject(stream)
    sent = [bytes(range(256)), b"{}", "höhe ✓".encode(), b"x" * 200_000, *(b"%d" % i for i in range(300))]
    await stream.publish(subject, [Message(str(i), data) for i, data in enumerate(sent)])
    await stream.publish(subject, [])
    subscription = await stream.subscribe(subject, "arrival", most_unacknowledged=MOST)
    events = await take(subscription, len(sent))
    assert sorted(event.data for event in events) == sorted(sent), f"{stream.name} changed or lost a message"
    assert len({event.key for event in events}) == len(sent), f"{stream.name} gave two events one key"
    _in_order(stream, events)
    lag = await subscription.lag()
    assert (lag.waiting, lag.unacknowledged) == (0, len(sent)), (
        f"{stream.name} counts {lag} of {len(sent)} taken events"
    )
    await subscription.acknowledge(events)
    await settled(subscription)
    floors = (await subscription.lag()).floors
    for event in events:
        assert floors.get(event.partition, -1) >= event.sequence, f"{stream.name} has a floor below what is done"
    assert not await subscription.next(10, 0.2), f"{stream.name} gave an event twice"
    await subscription.close()


async def check_acknowledged_never_again(stream: Stream, make: Make) -> None:
    """What was not acknowledged comes again to a later connection under the same key; what was, does not."""
    subject = await _subject(stream)
    await stream.publish(subject, [Message(str(i), b"%d" % i) for i in range(40)])
    first = make()
    await first.open()
    subscription = await first.subscribe(subject, "again", most_unacknowledged=MOST)
    events = await take(subscription, 40)
    done = _first_half(events)
    await subscription.acknowledge(done)
    await settled(subscription, left=len(events) - len(done))
    # Asked for again, so that nobody waits for the time after which a broker gives up on a consumer that died.
    await subscription.refuse([event for event in events if event not in done])
    await subscription.close()
    await first.close()
    second = await stream.subscribe(subject, "again", most_unacknowledged=MOST)
    left = await take(second, len(events) - len(done))
    assert not await second.next(10, 0.2), f"{stream.name} gave an acknowledged event again"
    assert {e.key for e in left} == {e.key for e in events} - {e.key for e in done}, f"{stream.name} changed keys"
    assert all(event.redelivered for event in left), f"{stream.name} called a second delivery the first"
    await second.acknowledge(left)
    await settled(second)
    await second.close()


async def check_refused_again(stream: Stream) -> None:
    """What is refused comes again."""
    subject = await _subject(stream)
    await stream.publish(subject, [Message(str(i), b"%d" % i) for i in range(10)])
    subscription = await stream.subscribe(subject, "refused", most_unacknowledged=MOST)
    events = await take(subscription, 10)
    await subscription.refuse(events)
    again = await take(subscription, 10)
    assert {e.key for e in again} == {e.key for e in events}, f"{stream.name} lost what was refused"
    assert all(event.redelivered for event in again), f"{stream.name} called a second delivery the first"
    await subscription.acknowledge(again)
    await settled(subscription)
    await subscription.close()


async def check_bound(stream: Stream) -> None:
    """No more is handed out unacknowledged than was agreed."""
    subject = await _subject(stream)
    await stream.publish(subject, [Message(str(i), b"%d" % i) for i in range(50)])
    subscription = await stream.subscribe(subject, "bound", most_unacknowledged=20)
    events = await take(subscription, 20)
    assert not await subscription.next(10, 0.2), f"{stream.name} handed out more than agreed"
    assert (await subscription.lag()).waiting == 30, f"{stream.name} does not count what waits"
    await subscription.acknowledge(events)
    events = await take(subscription, 20)
    await subscription.acknowledge(events)
    await subscription.acknowledge(await take(subscription, 10))
    await settled(subscription)
    await subscription.close()


async def check_names_apart(stream: Stream) -> None:
    """Each durable name gets everything."""
    subject = await _subject(stream)
    await stream.publish(subject, [Message(str(i), b"%d" % i) for i in range(5)])
    for name in ("one", "two"):
        subscription = await stream.subscribe(subject, name, most_unacknowledged=MOST)
        events = await take(subscription, 5)
        await subscription.acknowledge(events)
        await subscription.close()


async def take(subscription: Subscription, count: int) -> list[Event]:
    """Take exactly so many events; fails where they do not come."""
    events: list[Event] = []
    async with asyncio.timeout(SECONDS):
        while len(events) < count:
            events += await subscription.next(count - len(events), 0.5)
    assert len(events) == count, f"{len(events)} events came where {count} were asked for"
    return events


async def settled(subscription: Subscription, left: int = 0) -> None:
    """Wait until the broker has taken note of the acknowledgements."""
    async with asyncio.timeout(SECONDS):
        while (await subscription.lag()).unacknowledged > left:
            await subscription.next(0, 0.0)
            await asyncio.sleep(0.01)


async def _subject(stream: Stream) -> str:
    subject = f"check-{secrets.token_hex(4)}"
    await stream.prepare(subject)
    return subject


def _first_half(events: Sequence[Event]) -> list[Event]:
    """The first half of each partition, since some brokers remember a place and not single events."""
    done: list[Event] = []
    for partition in {event.partition for event in events}:
        of_one = [event for event in events if event.partition == partition]
        done += of_one[: len(of_one) // 2]
    return done


def _in_order(stream: Stream, events: Sequence[Event]) -> None:
    last: dict[int, int] = {}
    for event in events:
        assert event.sequence > last.get(event.partition, -1), f"{stream.name} gave events out of order"
        last[event.partition] = event.sequence
