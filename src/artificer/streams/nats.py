"""NATS JetStream, through nats-py: pull consumers, explicit acknowledgements, publishing in windows."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from artificer.errors import ConfigurationError, StreamError
from artificer.streams.base import Event, Lag, Message, Stream, Subscription
from artificer.streams.extras import library

_log = logging.getLogger("artificer.streams")

ACK_SECONDS: Final = 20
"""An event that is not acknowledged for so long is delivered again."""
PULL_SECONDS: Final = 15
"""A request for events is renewed after so long without any: a server that was started anew knows none of the old."""
PUBLISH_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 5.0
MOST_BYTES: Final = 512 << 20
OPTIONS: Final = ("user", "password", "token", "user_credentials", "nkeys_seed", "tls_ca", "tls_cert", "tls_key")


class NatsStream(Stream):
    """Subjects of NATS JetStream.

    References
    ----------
    NATS documentation, "JetStream: Consumers" and "NATS JetStream wire API reference", 2023.
    """

    name: ClassVar[str] = "nats"
    schemes: ClassVar[tuple[str, ...]] = ("nats", "tls")
    extra: ClassVar[str] = "nats"

    _lasting = False

    async def open(self) -> None:
        nats = library("nats", self)
        unknown = sorted(set(self.options) - set(OPTIONS))
        if unknown:
            raise ConfigurationError(
                f"stream.options has {', '.join(unknown)}; for NATS there are {', '.join(OPTIONS)}"
            )
        try:
            # The first connection fails at once where nobody is there; the lasting one comes back for ever.
            await (await self._connect(nats, max_reconnect_attempts=1, allow_reconnect=False)).close()
            self._connection = await self._connect(nats, max_reconnect_attempts=-1)
            self._lasting = True
        except (OSError, TimeoutError, nats.errors.Error) as error:
            raise StreamError(f"NATS cannot be reached: {_reason(error)}; start it or check stream.url") from None
        self._context = self._connection.jetstream(timeout=PATIENCE_SECONDS)
        self._results = _Results(self._connection)
        await self._results.open()

    async def _connect(self, nats: Any, **how: Any) -> Any:
        return await nats.connect(
            self.url,
            name="artificer",
            reconnect_time_wait=0.5,
            connect_timeout=PATIENCE_SECONDS,
            pending_size=0,  # what cannot be sent now is told at once, and sent again by whoever knows what it was
            error_cb=_said,
            disconnected_cb=self._lost,
            reconnected_cb=self._back,
            **self._secrets(),
            **how,
        )

    async def _lost(self) -> None:
        if self._lasting:
            _log.warning("NATS is out of reach; what comes meanwhile waits")

    async def _back(self) -> None:
        _log.warning("NATS is there again")

    def _secrets(self) -> dict[str, Any]:
        given: dict[str, Any] = {k: v for k, v in self.options.items() if not k.startswith("tls_")}
        if any(key.startswith("tls_") for key in self.options):
            import ssl

            given["tls"] = ssl.create_default_context(cafile=self.options.get("tls_ca"))
            if "tls_cert" in self.options:
                given["tls"].load_cert_chain(self.options["tls_cert"], self.options.get("tls_key"))
        return given

    async def prepare(self, subject: str) -> None:
        await self._stream_of(subject)

    async def _stream_of(self, subject: str) -> str:
        """The JetStream stream that keeps a subject, made where that was asked for."""
        from nats.errors import Error
        from nats.js.errors import NotFoundError

        try:
            with suppress(NotFoundError):
                return str(await self._context.find_stream_name_by_subject(subject))
            if not self.create:
                raise ConfigurationError(
                    f'no JetStream stream keeps the subject "{subject}"; add one, or set stream.create = true'
                )
            name = "".join(c if c.isalnum() or c in "-_" else "-" for c in subject)
            await self._context.add_stream(name=name, subjects=[subject])
            return name
        except (Error, TimeoutError, OSError) as error:
            raise StreamError(f"NATS refuses to keep {subject}: {_reason(error)}; check its JetStream") from None

    async def subscribe(self, subject: str, durable: str, *, most_unacknowledged: int) -> Subscription:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        stream = await self._stream_of(subject)
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=ACK_SECONDS,
            max_ack_pending=most_unacknowledged,
            max_deliver=-1,
        )
        found = _NatsSubscription(self._connection, self._context, stream, config)
        await found.open()
        return found

    async def publish(self, subject: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        from nats.errors import Error

        waiting = self._results.expect(len(messages))
        try:
            publish, reply = self._connection.publish, waiting.reply
            for message in messages:
                await publish(subject, message.data, reply, {"Nats-Msg-Id": message.key})
            await asyncio.wait_for(waiting.done, PUBLISH_SECONDS)
        except (Error, TimeoutError, OSError) as error:
            raise StreamError(f"NATS has not kept what was published to {subject}: {_reason(error)}") from None
        finally:
            self._results.forget(waiting)

    async def close(self) -> None:
        self._lasting = False
        with suppress(Exception):  # whatever is wrong with the connection, it is given up
            await asyncio.wait_for(self._connection.flush(), PATIENCE_SECONDS)
        with suppress(Exception):
            await self._connection.close()


class _Window:
    """Messages that were published and not confirmed yet."""

    __slots__ = ("done", "left", "reply", "token")

    def __init__(self, token: str, reply: str, left: int) -> None:
        self.token = token
        self.reply = reply
        self.left = left
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Results:
    """One inbox for the confirmations of all that is published: a future for each message would cost as much as the
    message itself."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._windows: dict[str, _Window] = {}
        self._count = 0

    async def open(self) -> None:
        self._prefix = self._connection.new_inbox()
        await self._connection.subscribe(
            f"{self._prefix}.*", cb=self._confirmed, pending_msgs_limit=0, pending_bytes_limit=MOST_BYTES
        )

    def expect(self, count: int) -> _Window:
        self._count += 1
        token = str(self._count)
        window = self._windows[token] = _Window(token, f"{self._prefix}.{token}", count)
        return window

    def forget(self, window: _Window) -> None:
        self._windows.pop(window.token, None)
        if window.done.done() and not window.done.cancelled():
            window.done.exception()

    async def _confirmed(self, message: Any) -> None:
        window = self._windows.get(message.subject.rpartition(".")[2])
        if window is None or window.done.done():
            return
        data = message.data
        if message.headers or b'"error"' in data:
            window.done.set_exception(StreamError(f"NATS refused a message: {_refusal(message)}"))
            return
        window.left -= 1
        if not window.left:
            window.done.set_result(None)


class _NatsSubscription(Subscription):
    """A pull consumer. Requests are kept open one ahead, so that the server never waits for the next."""

    def __init__(self, connection: Any, context: Any, stream: str, config: Any) -> None:
        self._connection = connection
        self._context = context
        self._stream = stream
        self._config = config
        self._durable = config.durable_name
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self._durable}"
        self._gone = False
        self._got: list[Event] = []
        self._some = asyncio.Event()
        self._asked = 0
        self._asked_at = 0.0

    async def open(self) -> None:
        await self._make()
        self._inbox = self._connection.new_inbox()
        self._inbound = await self._connection.subscribe(
            self._inbox, cb=self._take, pending_msgs_limit=0, pending_bytes_limit=MOST_BYTES
        )

    async def _make(self) -> None:
        """Make the consumer, or find the one of this name."""
        from nats.errors import Error

        try:
            await self._context.add_consumer(self._stream, self._config)
        except (Error, TimeoutError, OSError) as error:
            raise StreamError(f"NATS refuses the consumer {self._durable}: {_reason(error)}") from None

    async def _take(self, message: Any) -> None:
        if message.headers and "Status" in message.headers:
            # A request ended. The next is sent after a pause: while a server starts, each would end at once.
            self._asked = 0
            self._gone = message.headers["Status"] == "503" or "Deleted" in message.headers.get("Description", "")
            return
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<time>.<pending>, before which a
        # server with a domain puts it and an account; the ends are alike but for a random token.
        parts = message.reply.split(".")
        at = 4 if len(parts) == 9 else 6
        sequence, moment = parts[at + 1], parts[at + 3]
        key = f"{sequence}.{moment}"
        self._got.append(Event(message.data, key, 0, int(sequence), int(moment) / 1e9, parts[at] != "1", message.reply))
        self._asked -= 1
        if not self._some.is_set():
            self._some.set()

    async def next(self, most: int, wait: float) -> list[Event]:
        await self._ask(most)
        if not self._got:
            self._some.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), wait)
        got = self._got
        taken, self._got = got[:most], got[most:]
        return taken

    async def _ask(self, most: int) -> None:
        from nats.errors import Error

        now = time.monotonic()
        if not self._connection.is_connected:
            self._asked = 0
            return
        if self._gone:  # a server without its store knows the consumer no more
            with suppress(StreamError):
                await self._make()
                self._gone = False
        stale = now - self._asked_at > 0.8 * PULL_SECONDS
        if self._asked + len(self._got) >= most and not stale:
            return
        request = json.dumps({"batch": most, "expires": PULL_SECONDS * 1_000_000_000}).encode()
        with suppress(Error, OSError):
            await self._connection.publish(self._next, request, self._inbox)
            self._asked = most if stale else max(self._asked, 0) + most
            self._asked_at = now

    async def acknowledge(self, events: Sequence[Event]) -> None:
        await self._answer(events, b"")

    async def refuse(self, events: Sequence[Event]) -> None:
        await self._answer(events, b"-NAK")

    async def _answer(self, events: Sequence[Event], what: bytes) -> None:
        from nats.errors import Error

        publish = self._connection.publish
        with suppress(Error, OSError):  # lost with the connection: they come again
            for event in events:
                await publish(event.token, what)

    async def lag(self) -> Lag:
        from nats.errors import Error

        try:
            found = await self._context.consumer_info(self._stream, self._durable)
        except (Error, TimeoutError, OSError) as error:
            raise StreamError(f"NATS does not say how far {self._durable} is: {_reason(error)}") from None
        floor = found.ack_floor.stream_seq if found.ack_floor else 0
        return Lag(found.num_pending or 0, found.num_ack_pending or 0, {0: floor})

    async def close(self) -> None:
        from nats.errors import Error

        with suppress(Error, OSError):
            await self._inbound.unsubscribe()


async def _said(error: Exception) -> None:
    _log.debug("NATS: %s", _reason(error))


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__).removeprefix("nats: ").rstrip(".")


def _refusal(message: Any) -> str:
    if message.headers:
        return "no stream keeps its subject"
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(message.data)["error"]["description"])
    return "without a reason"
