"""Several serving processes behind one address: opened once, handed to each, watched, replaced when one dies.

The kernel gives every connection to one of the processes that wait for it. One that dies takes down the requests it
was answering and no other; what it had acknowledged is in the journal. The process that watches does nothing else and
loads no model.
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from artificer.access.audit import Audit
from artificer.errors import ArtificerError
from artificer.server.listening import listen, tls_context, url_of
from artificer.server.options import Options, arguments_of

_log = logging.getLogger("artificer.server")

START_SECONDS: Final = 60.0
"""So long may a worker take until it serves."""
STOP_SECONDS: Final = 15.0
"""So long may one take to answer what it has begun; a little longer than it gives itself."""
BACKOFF_MAX: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that has lived so long is started again at once when it dies."""
LOOK_SECONDS: Final = 0.1


@dataclass
class _Worker:
    slot: int
    process: subprocess.Popen[str]
    since: float
    deaths: int = 0
    not_before: float = 0.0


class WorkerError(ArtificerError):
    """A worker did not start; it has said why itself."""

    def __init__(self, code: int) -> None:
        super().__init__("a worker of the service did not start; see what it said above")
        self.exit_code = code  # type: ignore[misc]


def run_pool(
    options: Options, *, ready: Callable[[str], None] | None = None, stop: threading.Event | None = None
) -> None:
    """Serve with several processes until SIGTERM, SIGINT or `stop`; parameters and errors as of ``run_server``."""
    context = tls_context(options)
    with contextlib.closing(listen(options)) as listener, tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        pool = _Pool(options, listener, Path(folder), stop or threading.Event())
        with pool.signals():
            try:
                pool.start()
                if ready is not None and not pool.ending:
                    ready(url_of(listener, tls=context is not None))
                pool.watch()
            finally:
                listener.close()
                pool.end()


class _Pool:
    def __init__(self, options: Options, listener: socket.socket, folder: Path, stop: threading.Event) -> None:
        self._options = options
        self._listener = listener
        self._folder = folder
        self._stop = stop
        self._audit = Audit(options.audit)
        self._workers: list[_Worker] = []

    @property
    def ending(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        """Start all workers and wait until each serves."""
        self._workers = [_Worker(slot, self._spawn(slot), time.monotonic()) for slot in range(self._options.workers)]
        deadline = time.monotonic() + START_SECONDS
        waiting = list(self._workers)
        while waiting and not self.ending:
            for worker in list(waiting):
                if self._serves(worker):
                    waiting.remove(worker)
                elif worker.process.poll() is not None:
                    raise WorkerError(worker.process.returncode if worker.process.returncode > 0 else 1)
            if time.monotonic() > deadline:
                raise ArtificerError(f"a worker did not serve within {START_SECONDS:.0f} s; look at its log")

    def watch(self) -> None:
        """Replace workers that die, until the end is asked for."""
        while not self._stop.wait(LOOK_SECONDS):
            for worker in self._workers:
                if worker.process.poll() is not None:
                    self._replace(worker)

    def end(self) -> None:
        """Ask all workers to answer what they have begun and to end; kill those that do not."""
        for worker in self._workers:
            _let_go(worker.process)
            if worker.process.poll() is None:
                worker.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _replace(self, worker: _Worker) -> None:
        now = time.monotonic()
        if worker.not_before == 0.0:  # just found dead
            lived, code = now - worker.since, worker.process.returncode
            worker.deaths = 1 if lived > STEADY_SECONDS else worker.deaths + 1
            worker.not_before = now + (0.0 if worker.deaths == 1 else min(2.0 ** (worker.deaths - 1), BACKOFF_MAX))
            _log.error("worker %d ended with %s; it is started again", worker.slot, code)
            self._audit.note("worker.died", "service", worker=worker.slot, code=code, lived=round(lived, 1))
            _let_go(worker.process)
        if now >= worker.not_before:
            worker.process, worker.since, worker.not_before = self._spawn(worker.slot), now, 0.0

    def _spawn(self, slot: int) -> subprocess.Popen[str]:
        file = self._listener.fileno()
        command = [sys.executable, "-m", "artificer.server", *arguments_of(self._options), "--json", "--until-eof"]
        command += ["--listener", str(file), "--slot", str(slot), "--share", str(self._folder)]
        # Its standard input ends when this process does, even by kill -9, and with it the worker.
        return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            command, pass_fds=(file,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _serves(self, worker: _Worker) -> bool:
        stdout = worker.process.stdout
        if stdout is None or not select.select([stdout], [], [], LOOK_SECONDS)[0]:
            return False
        line = stdout.readline()
        with contextlib.suppress(ValueError):
            return "url" in json.loads(line)
        return False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask for the end while this lasts."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def asked(number: int, frame: FrameType | None) -> None:
            self._stop.set()

        before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _let_go(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
