"""Starting and ending the service: one process, one port, a clean end on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from artificer.errors import UsageError
from artificer.journal.writer import Journal
from artificer.server.app import Service
from artificer.server.origin import Gate, is_loopback
from artificer.serving.champion import POLL_SECONDS, Champion

if TYPE_CHECKING:
    import uvicorn

_log = logging.getLogger("artificer.server")

DRAIN_SECONDS: Final = 10
"""So long may requests that are under way take once the end is asked for."""
BACKLOG: Final = 2048


def run_server(
    pointer: Path,
    journal: Path,
    host: str = "127.0.0.1",
    port: int = 8400,
    *,
    max_body_mb: float = 50,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    allow_remote: bool = False,
    poll: float = POLL_SECONDS,
) -> None:
    """Serve the champion until SIGTERM, SIGINT or `stop`; requests under way are answered first.

    Parameters
    ----------
    pointer : the champion's pointer file; while it is absent, predictions are answered with 503.
    journal : the journal's file, made where absent.
    host, port : where to listen; port 0 takes a free one.
    max_body_mb : longest request body, megabytes of 10^6 bytes.
    ready : called with the service's URL once it listens.
    stop : ends the service when set, for callers that run it in a thread.
    allow_remote : listen on an address that other machines reach, though nothing asks them who they are.
    poll : seconds between two looks at the pointer.

    Raises
    ------
    UsageError
        The address is in use, unknown, or not of this machine alone.
    JournalError
        The journal cannot be written.
    """
    listener = listen(host, port, allow_remote=allow_remote)
    with contextlib.closing(listener), Journal(Path(journal)) as open_journal:
        champion = Champion(Path(pointer), poll=poll)
        champion.start()
        gate = Gate(host, local=is_loopback(listener.getsockname()[0]))
        service = Service(champion, open_journal, max_body=int(max_body_mb * 1e6), gate=gate)
        try:
            _serve(service, listener, ready, stop)
        finally:
            champion.stop()
            service.close()


def listen(host: str, port: int, *, allow_remote: bool = False) -> socket.socket:
    """Take the address, before anything slow is done.

    Raises
    ------
    UsageError
        As :func:`run_server`.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"the port {port} does not exist; choose one between 1 and 65535, or 0 for any free one.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f'the host "{host}" is not an address of this machine: {error}; use 127.0.0.1.') from error
    remote = [str(place[4][0]) for place in found if not is_loopback(str(place[4][0]))]
    if remote and not allow_remote:
        raise UsageError(
            f"the address {remote[0]} is open to other machines, and this service does not ask who they are; "
            "listen on 127.0.0.1, behind a proxy that does."
        )
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {port} of {host} cannot be taken: {error.strerror or error}; stop what uses it or choose another."
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Give the URL under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(
    service: Service,
    listener: socket.socket,
    ready: Callable[[str], None] | None,
    stop: threading.Event | None,
) -> None:
    import uvicorn

    from artificer.server.wire import Protocol

    config = uvicorn.Config(
        service,
        http=Protocol,
        loop="uvloop" if _has_uvloop() else "asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    _server_class()(config, url_of(listener), ready, stop).run(sockets=[listener])


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None


def _server_class() -> Any:
    """Make uvicorn's server ours, without importing it before it is needed."""
    import uvicorn

    class Server(uvicorn.Server):
        def __init__(
            self,
            config: uvicorn.Config,
            url: str,
            ready: Callable[[str], None] | None,
            stop: threading.Event | None,
        ) -> None:
            super().__init__(config)
            self._url = url
            self._ready = ready
            self._stop = stop

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _log.info("serving at %s", self._url)
            if self._ready is not None:
                self._ready(self._url)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            self.config.app.events.ending = True  # type: ignore[union-attr]
            await super().shutdown(sockets)

        async def on_tick(self, counter: int) -> bool:
            if self._stop is not None and self._stop.is_set():
                self.should_exit = True
            if counter % 10 == 0:  # every second
                now = asyncio.get_running_loop().time()
                for connection in list(self.server_state.connections):
                    connection.sweep(now)  # type: ignore[union-attr]
            return await super().on_tick(counter)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Uvicorn raises the signal again once it is done; here a drained service is a success.
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        def _end(self, number: int, frame: FrameType | None) -> None:
            _log.info("ending on %s", signal.Signals(number).name)
            self.force_exit = self.should_exit  # the second time, do not wait
            self.should_exit = True

    return Server
