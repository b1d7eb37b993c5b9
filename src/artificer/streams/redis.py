"""Redis Streams, through redis-py: one consumer group a durable name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from artificer.errors import ConfigurationError, StreamError
from artificer.streams.base import Event, Lag, Message, Stream, Subscription
from artificer.streams.extras import library

FIELD: Final = b"data"
"""The field of an entry that holds the event or the prediction."""
CONSUMER: Final = "artificer"
CLAIM_SECONDS: Final = 60.0
"""An event that is not acknowledged for so long is delivered again."""
PATIENCE_SECONDS: Final = 10.0
COUNT_BITS: Final = 24


class RedisStream(Stream):
    """Streams of Redis or Valkey: each entry has the field ``data``. How durable a message is follows from the server's
    ``appendfsync``.

    References
    ----------
    Redis documentation, "Redis Streams", 2024.
    """

    name: ClassVar[str] = "redis"
    schemes: ClassVar[tuple[str, ...]] = ("redis", "rediss")
    extra: ClassVar[str] = "redis"

    async def open(self) -> None:
        self._redis = library("redis", self)
        asked = library("redis.asyncio", self)
        try:
            self._client = asked.Redis.from_url(
                self.url, socket_connect_timeout=PATIENCE_SECONDS, socket_timeout=PATIENCE_SECONDS, **self.options
            )
            await self._client.ping()
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"Redis' client refuses stream.url or stream.options: {error}") from None
        except (self._redis.RedisError, OSError) as error:
            raise StreamError(f"Redis cannot be reached: {error}; start it or check stream.url") from None

    async def prepare(self, subject: str) -> None:
        """A stream begins with its first entry: there is nothing to make."""

    async def subscribe(self, subject: str, durable: str, *, most_unacknowledged: int) -> Subscription:
        found = _RedisSubscription(self._redis, self._client, subject, durable, most_unacknowledged, self.create)
        await found.open()
        return found

    async def publish(self, subject: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for message in messages:
                    pipe.xadd(subject, {"key": message.key, FIELD: message.data})
                await pipe.execute()
        except (self._redis.RedisError, OSError) as error:
            raise StreamError(f"Redis has not kept what was published to {subject}: {error}") from None

    async def close(self) -> None:
        await self._client.aclose()


class _RedisSubscription(Subscription):
    def __init__(self, redis: Any, client: Any, subject: str, durable: str, most: int, create: bool) -> None:
        self._redis = redis
        self._client = client
        self._subject = subject
        self._durable = durable
        self._most = most
        self._create = create
        self._since = "0"  # what was delivered before a start and not acknowledged comes first
        self._claimed_at = time.monotonic()
        self._open: set[int] = set()
        self._again: list[Event] = []

    async def open(self) -> None:
        try:
            if not self._create and not await self._client.exists(self._subject):
                raise ConfigurationError(
                    f'Redis has no stream "{self._subject}"; add to it, or set stream.create = true'
                )
            with suppress(self._redis.ResponseError):  # the group is there
                await self._client.xgroup_create(self._subject, self._durable, id="0", mkstream=True)
        except (self._redis.RedisError, OSError) as error:
            raise StreamError(f"Redis refuses the group {self._durable} of {self._subject}: {error}") from None

    async def next(self, most: int, wait: float) -> list[Event]:
        if self._again:
            found, self._again = self._again[:most], self._again[most:]
            return found
        most = min(most, self._most - len(self._open))
        if most <= 0:
            await asyncio.sleep(min(wait, 0.05))
            return []
        try:
            return await self._read(most, wait)
        except self._redis.ResponseError as error:
            if "NOGROUP" in str(error):
                with suppress(StreamError):
                    await self.open()
            await asyncio.sleep(wait)
        except (self._redis.RedisError, OSError):
            await asyncio.sleep(wait)
        return []

    async def _read(self, most: int, wait: float) -> list[Event]:
        if time.monotonic() - self._claimed_at > CLAIM_SECONDS / 2:
            self._claimed_at = time.monotonic()
            claimed = await self._client.xautoclaim(
                self._subject, self._durable, CONSUMER, int(CLAIM_SECONDS * 1000), "0-0", count=most
            )
            if claimed[1]:
                return [self._event(*entry, again=True) for entry in claimed[1]]
        new = self._since == ">"
        place = {self._subject: self._since}
        block = max(1, int(wait * 1000)) if new else None
        found = await self._client.xreadgroup(self._durable, CONSUMER, place, count=most, block=block)
        entries = _entries(found)
        if not new:
            if not entries:
                self._since = ">"
                return await self._read(most, wait)
            self._since = entries[-1][0].decode()
        return [self._event(*entry, again=not new) for entry in entries]

    def _event(self, name: bytes, fields: dict[bytes, bytes] | None, *, again: bool) -> Event:
        key = name.decode()
        sequence = _number(key)
        self._open.add(sequence)
        moment = (sequence >> COUNT_BITS) / 1e3
        return Event((fields or {}).get(FIELD, b""), key.replace("-", "."), 0, sequence, moment, again, name)

    async def acknowledge(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._open.difference_update(event.sequence for event in events)
        with suppress(self._redis.RedisError, OSError):  # lost: they come again
            await self._client.xack(self._subject, self._durable, *(event.token for event in events))

    async def refuse(self, events: Sequence[Event]) -> None:
        self._again.extend(event._replace(redelivered=True) for event in events)

    async def lag(self) -> Lag:
        try:
            groups = await self._client.xinfo_groups(self._subject)
            group = next(g for g in groups if g["name"] == self._durable.encode())
            pending = await self._client.xpending(self._subject, self._durable)
            waiting = group.get("lag")
            if waiting is None:  # a server before 7.0, or entries that were deleted
                waiting = len(await self._client.xrange(self._subject, min=b"(" + group["last-delivered-id"]))
        except (self._redis.RedisError, OSError, StopIteration) as error:
            raise StreamError(f"Redis does not say how far {self._durable} is: {error}") from None
        first = pending["min"]
        floor = _number(first.decode()) - 1 if first else _number(group["last-delivered-id"].decode())
        return Lag(int(waiting), int(pending["pending"]), {0: floor})

    async def close(self) -> None:
        """The connection is the stream's; nothing is left to let go."""


def _entries(found: Any) -> list[Any]:
    """The entries of one stream, which the older protocol gives as a list and the newer as a table."""
    if not found:
        return []
    return list(found[0][1]) if isinstance(found, list) else list(next(iter(found.values()))[0])


def _number(key: str) -> int:
    """An entry's id as one number that keeps the order: milliseconds, and 24 bits of the count within one."""
    milliseconds, _, count = key.partition("-")
    return int(milliseconds) << COUNT_BITS | min(int(count or 0), (1 << COUNT_BITS) - 1)
