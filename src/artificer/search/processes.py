"""Fits in processes of their own, which may raise, hang, eat memory or die without ending the run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from artificer.search.admission import memory_limit_mb
from artificer.search.executor import Executor, Handle, Session
from artificer.search.scratch import read_outcome, scratch_folder, write_data
from artificer.search.tasks import FitOutcome, FitTask, TrainingData

MAX_RESTARTS = 3


class ProcessExecutor(Executor):
    """Forks each fit from a small server process that has the table and the learners' libraries loaded.

    Needs ``os.fork`` (Linux, macOS).

    Parameters
    ----------
    slots : fits at once; None for as many as suit the table, which the search then says.
    memory_mb : when fits together take more private memory the largest is killed; None for a share of what is free.
    parent : where the scratch folder goes; None chooses shared memory or the temporary folder.
    modules : imported by the server first, for algorithms that register themselves at import.

    Raises
    ------
    OSError
        From :meth:`start`, when the scratch folder cannot be written (disk full).
    """

    def __init__(
        self,
        slots: int | None = None,
        memory_mb: float | None = None,
        parent: Path | None = None,
        modules: tuple[str, ...] = (),
    ) -> None:
        self.slots = slots
        self.memory_mb = memory_mb
        self.parent = parent
        self.modules = modules

        self.early: ProcessSession | None = None

    def prestart(self) -> None:
        """Start the server before there is a table, so that libraries load while one is read."""
        if self.early is None:
            self.early = ProcessSession(self.modules)

    @property
    def started(self) -> bool:
        """Whether a server was started ahead and waits for its table."""
        return self.early is not None

    def start(self, data: TrainingData) -> Session:
        self.prestart()
        session, self.early = self.early, None
        assert session is not None  # noqa: S101 - prestart made it
        session.slots = self.slots or 1
        blocks = data.blocks
        cells = blocks.numbers.size + 2 * blocks.times.size + 2 * blocks.strings.size
        cells += sum(map(len, blocks.texts.ravel().tolist()))
        try:
            session.folder = scratch_folder(4 * cells, self.parent)
            write_data(session.folder, data)
            session.show_table(self.memory_mb or memory_limit_mb())
        except BaseException:
            session.close()
            raise
        return session

    def close(self) -> None:
        """End a server that was started ahead and never used."""
        if self.early is not None:
            self.early.close()
            self.early = None


class ProcessSession(Session):
    """A server process, from :meth:`show_table` on with a run's table in its scratch folder."""

    concurrent = True

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.folder: Path | None = None
        self.memory_mb = 0.0
        self.command = [sys.executable, "-m", "artificer.search.worker", *modules]
        self.pending: dict[int, tuple[FitTask, Handle, subprocess.Popen[bytes]]] = {}
        """Fits under way, each with the server that owes it."""
        self.loaded: set[str] = set()
        self.lock = threading.Lock()
        self.starts = 0
        self.closed = False
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the session
        self.server = self.start_server()

    def show_table(self, memory_mb: float) -> None:
        """Tell the server where the table lies and what a fit may take; one that is dead hears it at its restart."""
        with self.lock:
            self.memory_mb = memory_mb
            self.send({"table": str(self.folder), "memory_mb": memory_mb})

    def start_server(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,  # ctrl-C is for the run, which then decides what to stop
            # Threads that spin while they wait make a fit ten times slower as soon as anything else wants the cores,
            # and a second thread in the products of a linear model's narrow matrices costs ten times what it saves.
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        threading.Thread(target=self.listen, args=(server,), daemon=True, name="artificer-search").start()
        return server

    def submit(self, task: FitTask) -> Handle:
        handle: Handle = Future()
        with self.lock:
            if self.server.poll() is not None and self.starts <= MAX_RESTARTS and not self.closed:
                self.hang_up()
                self.loaded.clear()
                self.server = self.start_server()
                self.send({"table": str(self.folder), "memory_mb": self.memory_mb})
            self.pending[task.id] = (task, handle, self.server)
            sent = self.send({"fit": task.to_json()})
        if not sent:
            self.resolve(task.id, f"the worker process is gone{self.last_words()}", 0.0)
        return handle

    def stop(self, handle: Handle) -> None:
        with self.lock:
            for task_id, (_, waiting, _) in self.pending.items():
                if waiting is handle:
                    self.send({"stop": task_id})

    def send(self, order: dict[str, object]) -> bool:
        try:
            assert self.server.stdin is not None  # noqa: S101 - Popen was given a pipe
            self.server.stdin.write(json.dumps(order).encode() + b"\n")
            self.server.stdin.flush()
        except (OSError, ValueError):  # the pipe is broken or closed
            return False
        return True

    def listen(self, server: subprocess.Popen[bytes]) -> None:
        """Resolve handles as the server reports endings; when it is gone, all that it still owed."""
        assert server.stdout is not None  # noqa: S101
        with server.stdout:
            for line in server.stdout:
                message = json.loads(line)
                if "loaded" in message:
                    self.loaded.add(message["loaded"])
                    continue
                self.resolve(message["id"], message["reason"], message["peak_mb"])
        server.wait()
        with self.lock:
            owed = [task_id for task_id, (_, _, by) in self.pending.items() if by is server]
        for task_id in owed:
            self.resolve(task_id, f"the worker process is gone{self.last_words()}", 0.0)

    def resolve(self, task_id: int, reason: str | None, peak_mb: float) -> None:
        with self.lock:
            found = self.pending.pop(task_id, None)
        if found is None:
            return
        task, handle, _ = found
        try:
            outcome = FitOutcome(task, ok=False, reason=reason) if reason else self.read_outcome(task)
        except (OSError, ValueError, KeyError) as error:
            outcome = FitOutcome(task, ok=False, reason=f"its result cannot be read: {error}")
        handle.set_result(replace(outcome, peak_mb=peak_mb))

    def read_outcome(self, task: FitTask) -> FitOutcome:
        assert self.folder is not None  # noqa: S101 - fits are ordered once the table is laid out
        place = self.folder / f"outcome-{task.id}"
        outcome = read_outcome(place, task)
        if outcome.place is None:  # a model stays a file until the members are chosen
            shutil.rmtree(place, ignore_errors=True)
        return outcome

    def last_words(self) -> str:
        with suppress(OSError, ValueError):
            self.log.seek(0)
            lines = self.log.read().decode(errors="replace").strip().splitlines()
            return f": {lines[-1]}" if lines else ""
        return ""

    def hang_up(self) -> None:
        """End the server's input, which ends the server."""
        with suppress(OSError, ValueError):
            if self.server.stdin is not None:
                self.server.stdin.close()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.hang_up()
        try:
            # Linux kills the children of a killed server; elsewhere it needs a moment to do so itself.
            self.server.wait(timeout=0.2 if sys.platform == "linux" else 2.0)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.log.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
