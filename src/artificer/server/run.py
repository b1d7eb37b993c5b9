"""One serving process, from start to a clean end on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from artificer.access.audit import Audit
from artificer.access.tokens import Keyring
from artificer.errors import UsageError
from artificer.journal.store import part_of
from artificer.journal.writer import Journal
from artificer.server.admission import Admission
from artificer.server.app import Service
from artificer.server.listening import BACKLOG, listen, load_certificate, tls_context, url_of
from artificer.server.options import Options
from artificer.server.origin import Gate, is_loopback
from artificer.server.sharing import Sharing
from artificer.serving.champion import Champion, load

if TYPE_CHECKING:
    import uvicorn

_log = logging.getLogger("artificer.server")

DRAIN_SECONDS: Final = 10
"""So long may requests that are under way take once the end is asked for."""
SPARE_FILES: Final = 64
"""So many open files are kept for everything but connections."""
SECOND: Final = 10
"""Ticks of uvicorn's main loop."""


def run_server(
    options: Options,
    *,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    listener: socket.socket | None = None,
    sharing: Sharing | None = None,
) -> None:
    """Serve the champion until SIGTERM, SIGINT or `stop`; requests under way are answered first.

    Parameters
    ----------
    ready : called with the service's URL once it listens.
    stop : ends the service when set, for callers that run it in a thread.
    listener : takes the connections, where another process has opened it; else the address of the options is taken.
    sharing : what the other workers have counted, where there are any.

    Raises
    ------
    UsageError
        The address is in use, unknown, or open to others without a token; or the certificate cannot be used.
    JournalError
        The journal cannot be written.
    """
    context = tls_context(options)
    listener = listen(options) if listener is None else listener
    with (
        contextlib.closing(listener),
        Journal(part_of(options.journal, 0 if sharing is None else sharing.slot)) as journal,
    ):
        audit = Audit(options.audit)
        loader = partial(load, plan=options.guards)
        champion = Champion(Path(options.pointer), loader=loader)
        champion.start()
        local = is_loopback(listener.getsockname()[0])
        keys = Keyring(options.tokens, always=not local)
        service = Service(
            champion,
            journal,
            max_body=int(options.max_body_mb * 1e6),
            gate=Gate(options.host, local=local, origins=options.origins),
            admission=Admission(keys, options.rate, 1 / options.workers, audit),
            sharing=sharing,
        )
        who: dict[str, Any] = {"address": url_of(listener, tls=context is not None), "process": os.getpid()}
        audit.note("service.started", "service", **who)
        try:
            _serve(service, listener, _Upkeep(service, options, context), ready, stop, context)
        finally:
            champion.stop()
            service.close()
            audit.note("service.ended", "service", **who)


class _Upkeep:
    """What a service looks after every second: tokens, certificate, what the others may read, and the audit log."""

    def __init__(self, service: Service, options: Options, context: ssl.SSLContext | None) -> None:
        self._service = service
        self._options = options
        self._context = context
        self._certificate = self._look()
        self._answers: int | None = None

    def __call__(self, now: float, connections: Sequence[Any]) -> None:
        self._service.admission.refresh()
        self._service.share()
        self._note_champion()
        if self._context is not None and (found := self._look()) != self._certificate:
            self._certificate = found
            self._renew(self._context)
        for connection in connections:
            connection.sweep(now)

    def _note_champion(self) -> None:
        predictor = self._service.champion.predictor
        version = None if predictor is None else predictor.version
        if version != self._answers and predictor is not None:
            found: dict[str, Any] = {"model": predictor.name, "version": version, "sha256": predictor.bundle.sha256}
            self._service.admission.audit.note("champion.taken", "service", process=os.getpid(), **found)
        self._answers = version

    def _look(self) -> list[float]:
        files = (self._options.certificate, self._options.key)
        with contextlib.suppress(OSError):
            return [os.stat(file).st_mtime for file in files if file is not None]
        return []

    def _renew(self, context: ssl.SSLContext) -> None:
        certificate, key = self._options.certificate, self._options.key
        if certificate is None or key is None:
            return
        try:
            load_certificate(context, certificate, key)
        except UsageError as error:
            _log.error("%s (the one before stays in use)", error)
            return
        self._service.admission.audit.note("certificate.taken", "service", file=str(certificate), process=os.getpid())


def _serve(
    service: Service,
    listener: socket.socket,
    upkeep: _Upkeep,
    ready: Callable[[str], None] | None,
    stop: threading.Event | None,
    context: ssl.SSLContext | None,
) -> None:
    import uvicorn

    from artificer.server.wire import Protocol

    config = uvicorn.Config(
        service,
        http=type("Limited", (Protocol,), {"most": _connections()}),
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
    config.load()
    config.ssl = context
    _server_class()(config, url_of(listener, tls=context is not None), upkeep, ready, stop).run(sockets=[listener])


def _connections() -> int:
    """How many connections may be open: what the system allows this process, which is asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return max(1, soft - SPARE_FILES) if soft != resource.RLIM_INFINITY else 1_000_000


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
            upkeep: _Upkeep,
            ready: Callable[[str], None] | None,
            stop: threading.Event | None,
        ) -> None:
            super().__init__(config)
            self._url = url
            self._upkeep = upkeep
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
            if counter % SECOND == 0:
                self._upkeep(asyncio.get_running_loop().time(), list(self.server_state.connections))
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
