"""The process that fits are forked from: ``python -m artificer.search.worker [MODULE ...]``.

It imports each learner's library once, before the fork, so that a fit starts in milliseconds; and it never fits
anything itself, so nothing a learner does can harm it. It may be started before there is a table: until the first fit
is ordered it loads libraries, one at a time.

Orders come as JSON lines on standard input: ``{"table": folder, "memory_mb": limit}`` once, ``{"fit": task}``,
``{"stop": id}``. On standard output go ``{"loaded": algorithm}``, and the endings ``{"id", "reason", "peak_mb"}``,
reason null where the child left an outcome in the folder. When standard input ends, as the run is over or its process
died, everything here dies too.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import math
import os
import resource
import selectors
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artificer.clock import SystemClock
from artificer.search.libraries import FIRST, load
from artificer.search.scratch import FolderStore, read_data, write_outcome
from artificer.search.tasks import FitTask, TrainingData, attempt, one_line

POLL_SECONDS = 0.02
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    task: FitTask
    started: float
    reason: str | None = None
    peak_mb: float = 0.0


@dataclass
class Server:
    """Forks fits, watches their time and memory, and reports how each ended."""

    folder: Path = Path()
    memory_mb: float = math.inf
    has_table: bool = False
    data: TrainingData | None = None
    children: dict[int, Child] = field(default_factory=dict)
    warmed: set[str] = field(default_factory=set)
    pending: bytes = b""
    unloaded: list[str] = field(default_factory=lambda: list(FIRST))
    """Still to be loaded while there is nothing else to do; from the first fit on, only what is ordered is loaded."""

    def serve(self) -> None:
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        os.set_blocking(0, False)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = selector.select(self.wait_seconds())
                if not ready and self.unloaded:
                    self.warm(self.unloaded.pop(0))
                for key, _ in ready:
                    received = os.read(key.fd, 1 << 16)
                    if key.fd == 0 and not self.take(received):
                        return
                self.watch()
                self.reap()

    def take(self, received: bytes) -> bool:
        """Obey whole lines; False at the end of input."""
        if not received:
            return False
        *lines, self.pending = (self.pending + received).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "table" in order:
                self.folder, self.memory_mb, self.has_table = Path(order["table"]), order["memory_mb"], True
            elif "fit" in order:
                self.start(FitTask.from_json(order["fit"]))
            else:
                for pid, child in self.children.items():
                    if child.task.id == order["stop"]:
                        self.kill(pid, "stopped before it had ended")
        return True

    def start(self, task: FitTask) -> None:
        self.unloaded.clear()
        self.warm(task.algorithm)
        if self.data is None:
            self.data = read_data(self.folder)
        pid = os.fork()
        if pid == 0:
            run_child(task, self.data, self.folder)
        self.children[pid] = Child(task, time.monotonic())

    def warm(self, name: str) -> None:
        """Load the algorithm's library, so that children inherit it."""
        if name not in self.warmed:
            self.warmed.add(name)
            load(name, alone=True)
            say({"loaded": name})

    def wait_seconds(self) -> float | None:
        """How long to wait for orders: not at all while there is a library left to load in the meantime."""
        if self.children:
            return POLL_SECONDS
        return 0.0 if self.unloaded else None

    def watch(self) -> None:
        """Kill children that are past their hard deadline, and the largest when all take more than the limit."""
        taken: dict[int, float] = {}
        for pid, child in self.children.items():
            used = anonymous_mb(pid)
            child.peak_mb = max(child.peak_mb, used)
            if time.monotonic() - child.started > child.task.hard_seconds:
                self.kill(pid, f"stopped after {child.task.hard_seconds:.1f} s, its time limit")
            taken[pid] = used
        if (total := sum(taken.values())) > self.memory_mb:
            greedy = max(taken, key=lambda pid: taken[pid])
            beside = f", {total:.0f} with those beside it" if len(taken) > 1 else ""
            limit = f"above the memory limit of {self.memory_mb:.0f} MiB"
            self.kill(greedy, f"stopped at {taken[greedy]:.0f} MiB{beside}, {limit}")

    def kill(self, pid: int, reason: str) -> None:
        child = self.children[pid]
        child.reason = child.reason or reason
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def reap(self) -> None:
        while self.children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is None:
                continue
            scale = 2**20 if sys.platform == "darwin" else 2**10
            reason = child.reason
            if reason is None and not (self.folder / f"outcome-{child.task.id}" / "meta.json").exists():
                reason = f"its process {ending(status)}{self.last_words(child.task.id)}"
            say({"id": child.task.id, "reason": reason, "peak_mb": max(child.peak_mb, usage.ru_maxrss / scale)})

    def last_words(self, task_id: int) -> str:
        with suppress(OSError):
            text = (self.folder / f"log-{task_id}.txt").read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if line.strip()]
            return f": {one_line(lines[-1])}" if lines else ""
        return ""


def run_child(task: FitTask, data: TrainingData, folder: Path) -> None:
    """Fit in the forked child, leave the outcome in the folder, and never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent()
        log = os.open(folder / f"log-{task.id}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        write_outcome(folder / f"outcome-{task.id}", attempt(task, data, FolderStore(folder), SystemClock()))
        code = 0
    finally:
        os._exit(code)


def anonymous_mb(pid: int) -> float:
    """Private memory of a process in MiB, 0 where the system does not say; mapped files are not its doing."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return 0.0


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that forked it is gone; elsewhere the server does what it can."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)


def ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"was killed by signal {number} ({signal.Signals(number).name})"
    return f"exited with code {os.waitstatus_to_exitcode(status)}"


def say(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    server = Server()
    over = False
    try:
        server.serve()
        over = True
    finally:
        for pid in list(server.children):
            server.kill(pid, "the run is over")
        if over and server.has_table:  # a run that was killed cannot remove it any more
            shutil.rmtree(server.folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)  # nothing here needs the interpreter's slow goodbye


if __name__ == "__main__":
    main()
