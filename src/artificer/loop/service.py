"""The HTTP service as a child process of the loop: started, watched, started again when it dies."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from artificer.clock import Clock, Deadline, SystemClock
from artificer.errors import ArtificerError, UsageError
from artificer.problem.places import written
from artificer.problem.project import Project

START_SECONDS = 30.0
STOP_SECONDS = 15.0
BACKOFF_MAX = 60.0
HANDOVER_SECONDS = 12.0
"""How long a new server waits for its port: a little longer than an old one drains."""


def server_arguments(
    project: Project,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    *,
    as_json: bool = True,
) -> list[str]:
    """The command line of the serving process of a project."""
    serving = project.problem.serving
    flags: dict[str, object] = {
        "pointer": project.champion_file,
        "journal": written(project.journal),
        "host": host or serving.host,
        "port": serving.port if port is None else port,
        "workers": serving.workers if workers is None else workers,
        "max-body-mb": serving.max_body_mb,
        "tokens": project.tokens,
        "audit": project.audit,
        "certificate": project.path(serving.certificate) if serving.certificate else None,
        "key": project.path(serving.key) if serving.key else None,
        "rate": serving.rate,
        "guards": json.dumps(project.problem.guards.plan()),
    }
    given = [part for name, value in flags.items() if value is not None for part in (f"--{name}", str(value))]
    origins = [part for origin in serving.origins for part in ("--origin", origin)]
    return [sys.executable, "-m", "artificer.server", *given, *origins, *(["--json"] if as_json else [])]


@dataclass
class Service:
    """Keeps one serving process alive between ``with`` and its end.

    Attributes
    ----------
    log : gets what the process says on stderr.
    handover : seconds to wait for the port at the first start, where an earlier service may be about to leave it.
    url : where it listens, once it does.
    """

    arguments: Sequence[str]
    log: Path
    clock: Clock = field(default_factory=SystemClock)
    handover: float = 0.0
    restarts: int = 0
    url: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _not_before: float = 0.0

    def __enter__(self) -> Service:
        # A server whose loop was killed ends by itself, but may still be answering its last requests.
        deadline = Deadline.after(self.clock, self.handover)
        while True:
            try:
                self._start()
            except UsageError:
                if deadline.remaining <= 0:
                    raise
                threading.Event().wait(0.5)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def keep_alive(self) -> bool:
        """Start the process again if it has died, with growing pauses; says whether it was started."""
        if self._process is not None and self._process.poll() is None:
            return False
        if self.clock.monotonic() < self._not_before:
            return False
        if self._process is not None:
            _close(self._process)
        self.restarts += 1
        self._not_before = self.clock.monotonic() + min(2.0**self.restarts, BACKOFF_MAX)
        self._start()
        return True

    def stop(self) -> None:
        """Ask the process to drain and end; kill it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        _close(process)
        if process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                [*self.arguments, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        try:
            self.url = json.loads(self._first_line())["url"]
        except (ValueError, KeyError):
            process = self._process
            self.stop()
            kind = UsageError if process.returncode == UsageError.exit_code else ArtificerError
            raise kind(f"the service did not start: {self._last_words()}; its log is {self.log}") from None

    def _first_line(self) -> bytes:
        """What the process says once it listens; empty when it ends or keeps silent instead."""
        stdout = self._process.stdout if self._process else None
        if stdout is None:
            return b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline() if selector.select(START_SECONDS) else b""

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].removeprefix("error: ").rstrip(".") if lines else "it said nothing"


def _close(process: subprocess.Popen[bytes]) -> None:
    """Let go of the pipes; the process takes the end of its standard input as the wish that it ends."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
