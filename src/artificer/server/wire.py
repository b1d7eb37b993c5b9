"""The HTTP protocol on the socket: uvicorn's, with a short way for small predictions.

What uvicorn makes for a request (a scope, an event, a task, two messages) costs several times what the prediction
does. A prediction that arrives whole and as it should be needs none of it: the parser's callbacks hand the body to the
service, and the answer goes to the socket in one write. Everything else (another route, a long or chunked or half-sent
body, a header that is not as it should be, a request that comes before the last one is answered) takes uvicorn's way
to the same service, which says what is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from artificer.server.problems import Refusal, Response
from artificer.server.turns import Waiting

if TYPE_CHECKING:
    from artificer.access.tokens import Token
    from artificer.server.app import Service
    from artificer.server.dialects.base import Dialect

IDLE_SECONDS: Final = 75.0
"""So long may a connection be silent between requests: longer than a proxy keeps its own (60 s is common)."""
HEAD_SECONDS: Final = 20.0
"""So long may the head of a request take."""

_STATUS: Final = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class JoiningTransport:
    """Holds the head of an answer back until its body is written, or there will be none.

    Uvicorn writes them apart, which costs a second system call and wakes the client twice: a tenth of a small answer.
    """

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._transport.is_closing():  # the client went away; uvloop takes a write after that for a fault
            self._held = b""
        elif self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._held = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is held, if anything is."""
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Quick:
    """A prediction on the short way; stands where uvicorn keeps its cycle, and has what is asked of one there."""

    __slots__ = (
        "_protocol",
        "body",
        "dialect",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "since",
        "token",
    )

    def __init__(self, protocol: Protocol, dialect: Dialect, token: Token) -> None:
        self._protocol = protocol
        self.dialect = dialect
        self.token = token
        self.since = time.perf_counter()
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> Quick:
        """Uvicorn wakes a waiting task by it; here none waits."""
        return self

    def set(self) -> None:
        """Wake nobody."""

    def reply(self, answer: Response | Refusal) -> None:
        """Send the answer, and count it."""
        service: Service = self._protocol.app
        response = service.said(self.dialect.path, answer, self.since)
        self.response_complete = True
        if not self.disconnected:
            self._protocol.send(response, keep_alive=self.keep_alive)


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol on a joining transport, with the short way."""

    most = 1_000_000
    """So many connections may be open at once; one more is closed at once."""
    _quick: Quick | None = None
    _waiting_since = 0.0
    _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type]
        self._write: Callable[[bytes], None] = transport.write
        self._waiting_since = self.loop.time()
        if len(self.connections) > self.most:
            transport.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._quick is not None:
            self._take_the_long_way()

    # --- the parser's callbacks -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        if not self._begun:
            self._begun, self._waiting_since = True, self.loop.time()

    def on_headers_complete(self) -> None:
        service: Service = self.app
        dialect = service.dialects.get(self.url)
        token = service.admits(dialect, self.headers) if dialect is not None and self._is_quick() else None
        if dialect is None or token is None:
            self._begin()
        else:
            self._quick = Quick(self, dialect, token)

    def on_body(self, body: bytes) -> None:
        quick = self._quick
        if quick is None:
            super().on_body(body)
        else:
            quick.body = quick.body + body if quick.body else body

    def on_message_complete(self) -> None:
        self._begun = False
        quick = self._quick
        if quick is None:
            super().on_message_complete()
            return
        self._quick = None
        quick.more_body = False
        self.cycle = quick  # type: ignore[assignment]
        self.app.take(quick.token, Waiting(quick.dialect, quick.body, quick.reply))

    def _is_quick(self) -> bool:
        """Whether nothing about the request is out of the ordinary, and no other is under way."""
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused  # a client that does not read its answers is sent no more
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def _begin(self) -> None:
        """Begin a request on uvicorn's way; its head is read."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _take_the_long_way(self) -> None:
        """Hand a request on whose body has not come whole: whoever waits for the rest has a clock."""
        quick, self._quick = self._quick, None
        assert quick is not None  # noqa: S101 (for the type checker: the caller looked)
        self._begin()
        if quick.body:
            super().on_body(quick.body)

    # --- answers --------------------------------------------------------------------------------------------------

    def send(self, response: Response, *, keep_alive: bool) -> None:
        """Write a whole answer, and begin what has come meanwhile."""
        if self.transport.is_closing():
            return
        parts = [_STATUS[response.status]]
        for name, value in response.headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        parts.append(response.body)
        self._write(b"".join(parts))
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but no timer a request: :meth:`sweep` looks at all connections."""
        self.transport.flush()  # type: ignore[attr-defined]
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._waiting_since = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def sweep(self, now: float) -> None:
        """Close the connection if it has been silent for too long, or sends the head of a request too slowly."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            return
        if now - self._waiting_since > (HEAD_SECONDS if self._begun else IDLE_SECONDS):
            self.transport.close()
