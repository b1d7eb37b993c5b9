"""Apache Kafka, through confluent-kafka: every partition of a topic, offsets committed as far as all before is done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import unquote, urlsplit

from artificer.errors import ConfigurationError, StreamError
from artificer.streams.base import Event, Lag, Message, Stream, Subscription
from artificer.streams.extras import library

_log = logging.getLogger("artificer.streams")
_T = TypeVar("_T")

PATIENCE_SECONDS: Final = 10.0
PUBLISH_SECONDS: Final = 20.0


class KafkaStream(Stream):
    """Topics of Kafka. The offsets are kept for the consumer group of the durable name, and the partitions are taken
    without a vote, since one process takes all: a start then waits for nobody.

    References
    ----------
    Confluent, "librdkafka: CONFIGURATION.md", 2025.
    """

    name: ClassVar[str] = "kafka"
    schemes: ClassVar[tuple[str, ...]] = ("kafka",)
    extra: ClassVar[str] = "kafka"

    async def open(self) -> None:
        self._kafka = library("confluent_kafka", self)
        try:
            self._producer = self._kafka.Producer(
                {**self._settings(), "enable.idempotence": True, "linger.ms": 2, "compression.type": "lz4"}
            )
        except (self._kafka.KafkaException, ValueError, TypeError) as error:
            raise ConfigurationError(f"Kafka's client refuses stream.options: {_reason(error)}") from None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="artificer-kafka")
        try:
            await self._run(lambda: self._producer.list_topics(timeout=PATIENCE_SECONDS))
        except self._kafka.KafkaException as error:
            raise StreamError(f"Kafka cannot be reached: {_reason(error)}; start it or check stream.url") from None

    def _settings(self) -> dict[str, Any]:
        """What librdkafka is told; a user and password of the URL mean SASL."""
        parts = urlsplit(self.url)
        servers = parts.netloc.rpartition("@")[2]
        settings: dict[str, Any] = {"bootstrap.servers": servers, "log_level": 3, "client.id": "artificer"}
        if parts.username:
            settings |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": unquote(parts.username),
                "sasl.password": unquote(parts.password or ""),
            }
        return {**settings, "logger": _log, **self.options}

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def prepare(self, subject: str) -> None:
        await self._run(lambda: self._topic(subject))

    def _topic(self, subject: str) -> list[int]:
        """The partitions of a topic, made where that was asked for."""
        try:
            found = self._producer.list_topics(subject, timeout=PATIENCE_SECONDS).topics[subject]
            if found.error is None:
                return sorted(found.partitions)
            if not self.create:
                raise ConfigurationError(f'Kafka has no topic "{subject}"; add it, or set stream.create = true')
            from confluent_kafka.admin import AdminClient, NewTopic

            made = AdminClient(self._settings()).create_topics([NewTopic(subject)], request_timeout=PATIENCE_SECONDS)
            made[subject].result(PATIENCE_SECONDS)
            return [0]
        except (self._kafka.KafkaException, TimeoutError) as error:
            raise StreamError(f'Kafka does not give the topic "{subject}": {_reason(error)}') from None

    async def subscribe(self, subject: str, durable: str, *, most_unacknowledged: int) -> Subscription:
        partitions = await self._run(lambda: self._topic(subject))
        settings = {
            **self._settings(),
            "group.id": durable,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536,
        }
        found = _KafkaSubscription(self._kafka, settings, subject, partitions, most_unacknowledged)
        await found.open()
        return found

    async def publish(self, subject: str, messages: Sequence[Message]) -> None:
        if messages:
            await self._run(lambda: self._publish(subject, messages))

    def _publish(self, subject: str, messages: Sequence[Message]) -> None:
        failures: list[str] = []
        kept = 0

        def told(error: Any, message: Any) -> None:
            nonlocal kept
            if error is None:
                kept += 1
            else:
                failures.append(str(error))

        for message in messages:
            while True:
                try:
                    self._producer.produce(subject, message.data, message.key, on_delivery=told)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.flush(PUBLISH_SECONDS)
        if kept < len(messages):
            self._producer.purge()
            self._producer.poll(0)
            why = failures[0] if failures else f"no word in {PUBLISH_SECONDS:.0f} s"
            raise StreamError(f'Kafka has not kept what was published to "{subject}": {why}')

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _KafkaSubscription(Subscription):
    def __init__(
        self, kafka: Any, settings: dict[str, Any], topic: str, partitions: list[int], most_unacknowledged: int
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._partitions = partitions
        self._most = most_unacknowledged
        self._consumer = kafka.Consumer(settings)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="artificer-kafka-in")
        self._open: dict[int, dict[int, bool]] = {p: {} for p in partitions}  # delivered offset -> done, in order
        self._floors: dict[int, int] = {}
        self._highest: dict[int, int] = {}
        self._count = 0

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def open(self) -> None:
        await self._run(self._assign)

    def _assign(self) -> None:
        wanted = [self._kafka.TopicPartition(self._topic, p) for p in self._partitions]
        try:
            places = self._consumer.committed(wanted, timeout=PATIENCE_SECONDS)
        except self._kafka.KafkaException as error:
            raise StreamError(f'Kafka does not say where "{self._topic}" was left: {_reason(error)}') from None
        for place in places:
            if place.offset < 0:
                place.offset = self._kafka.OFFSET_BEGINNING
            else:
                self._floors[place.partition] = place.offset - 1
        self._consumer.assign(places)

    async def next(self, most: int, wait: float) -> list[Event]:
        return await self._run(lambda: self._consume(most, wait))

    def _consume(self, most: int, wait: float) -> list[Event]:
        most = min(most, self._most - self._count)
        if most <= 0:  # all that may be in flight is: the broker keeps the rest
            time.sleep(min(wait, 0.05))
            return []
        first = self._consumer.poll(wait)
        found = [] if first is None else [first, *self._consumer.consume(most - 1, 0.01 if most > 1 else 0)]
        events: list[Event] = []
        for message in found:
            if message.error() is not None:
                _log.warning("Kafka: %s", message.error())
            else:
                events.append(self._event(message))
        return events

    def _event(self, message: Any) -> Event:
        partition, offset = message.partition(), message.offset()
        highest = self._highest.get(partition)
        # After a start nobody knows what the process before has seen, up to the end of what it may have had in flight.
        again = highest is None or offset <= highest or offset <= self._floors.get(partition, -1) + self._most
        self._highest[partition] = max(offset, -1 if highest is None else highest)
        held = self._open.setdefault(partition, {})
        if offset not in held:
            self._count += 1
        held[offset] = False
        moment = message.timestamp()[1]
        key = f"{partition}.{offset}.{moment}"
        return Event(message.value() or b"", key, partition, offset, moment / 1e3, again)

    async def acknowledge(self, events: Sequence[Event]) -> None:
        if events:
            await self._run(lambda: self._commit(events))

    def _commit(self, events: Sequence[Event]) -> None:
        places = []
        for event in events:
            held = self._open.get(event.partition, {})
            if event.sequence in held:
                held[event.sequence] = True
        for partition in {event.partition for event in events}:
            if self._advance(partition):
                places.append(self._kafka.TopicPartition(self._topic, partition, self._floors[partition] + 1))
        if places:
            try:
                self._consumer.commit(offsets=places, asynchronous=True)
            except self._kafka.KafkaException as error:  # the next commit says the same and more
                _log.warning("Kafka: %s", _reason(error))

    def _advance(self, partition: int) -> bool:
        """Move the floor over all that is done in the order of delivery."""
        held = self._open[partition]
        moved = False
        for offset in list(held):
            if not held[offset]:
                break
            del held[offset]
            self._count -= 1
            self._floors[partition] = max(offset, self._floors.get(partition, -1))
            moved = True
        return moved

    async def refuse(self, events: Sequence[Event]) -> None:
        if events:
            await self._run(lambda: self._seek(events))

    def _seek(self, events: Sequence[Event]) -> None:
        for partition in {event.partition for event in events}:
            offset = min(event.sequence for event in events if event.partition == partition)
            held = self._open[partition]
            for later in [o for o in held if o >= offset]:
                del held[later]
                self._count -= 1
            self._consumer.seek(self._kafka.TopicPartition(self._topic, partition, offset))

    async def lag(self) -> Lag:
        return await self._run(self._lag)

    def _lag(self) -> Lag:
        waiting = 0
        try:
            for place in self._consumer.position(self._consumer.assignment()):
                low, high = self._consumer.get_watermark_offsets(place, timeout=PATIENCE_SECONDS)
                at = place.offset if place.offset >= 0 else self._floors.get(place.partition, low - 1) + 1
                waiting += max(0, high - at)
        except self._kafka.KafkaException as error:
            raise StreamError(f'Kafka does not say how far "{self._topic}" is: {_reason(error)}') from None
        return Lag(waiting, self._count, dict(self._floors))

    async def close(self) -> None:
        await self._run(self._consumer.close)
        self._threads.shutdown(wait=False)


def _reason(error: BaseException) -> str:
    found = error.args[0] if error.args else error
    return str(found.str() if hasattr(found, "str") else found).rstrip(".")
