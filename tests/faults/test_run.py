"""`artificer run` as a process: the whole loop by itself, one at a time, ended politely and by kill -9."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

SETTINGS = """
[training]
budget = "2 fits"
[serving]
port = {port}
[monitoring]
min_rows = 100
[loop]
interval = "1s"
min_new_labels = 150
cooldown = "0s"
"""
PATIENCE = 90.0


class Running:
    """A process of `artificer run`, what it says, and how to speak to its service."""

    def __init__(self, artificer: Any, project: Path, *flags: object) -> None:
        self.process = artificer.start("run", "--project", project, *flags)
        self.lines: list[str] = []
        self._told = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stderr:
            with self._told:
                self.lines.append(line.rstrip("\n"))
                self._told.notify_all()
        with self._told:
            self.lines.append("<the end>")
            self._told.notify_all()

    def says(self, pattern: str) -> re.Match[str]:
        """Wait for a line that holds `pattern`."""

        def found() -> re.Match[str] | None:
            return next((hit for line in self.lines if (hit := re.search(pattern, line))), None)

        with self._told:
            self._told.wait_for(lambda: found() or "<the end>" in self.lines, PATIENCE)
            hit = found()
        assert hit is not None, self.lines
        return hit

    @property
    def url(self) -> str:
        return self.says(r"serving version \d+ at (http\S+)")[1]

    def end(self) -> tuple[int, str]:
        """Ask it to end; its exit code and what it said on stdout."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        return code, self.process.stdout.read()


@pytest.fixture
def run(artificer: Any) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(project: Path, *flags: object) -> Running:
        started.append(Running(artificer, project, *flags))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            for child in psutil.Process(running.process.pid).children(recursive=True):
                child.kill()
            running.process.kill()
        running.process.wait()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def live(client: httpx.Client, columns: dict[str, list[Any]]) -> None:
    """Ask for predictions of rows, then report what became of them."""
    rows = [{"price": p, "kind": k} for p, k in zip(columns["price"], columns["kind"], strict=True)]
    answer = client.post("/v1/predict", json={"rows": rows}).raise_for_status().json()
    outcomes = [
        {"id": made["id"], "value": value}
        for made, value in zip(answer["predictions"], columns["returned"], strict=True)
    ]
    client.post("/v1/outcomes", json={"outcomes": outcomes}).raise_for_status()


def version(client: httpx.Client) -> int:
    return int(client.get("/v1/model").raise_for_status().json()["version"])


@pytest.mark.slow
def test_it_trains_serves_notices_a_changed_world_and_promotes_what_is_better(
    run: Callable[..., Running], make_project: Any, orders: Any, artificer: Any
) -> None:
    shop = make_project(orders(300), settings=SETTINGS.format(port=0))
    running = run(shop.dir, "--json")
    assert "training the first version" in running.says("training the first version").string
    with httpx.Client(base_url=running.url, timeout=30) as client:
        assert version(client) == 1

        second = artificer("run", "--project", shop.dir, "--json")
        assert f"process {running.process.pid} has been running the loop" in second.failed(1)
        assert second.document["error"]["kind"] == "BusyError"

        deadline, sent = time.monotonic() + PATIENCE, 0
        while version(client) == 1:
            assert time.monotonic() < deadline, running.lines
            if sent < 6:
                live(client, orders(100, seed=10 + sent, flipped=True))
                sent += 1
            time.sleep(0.5)
        assert version(client) >= 2
        live(client, orders(10, seed=99, flipped=True))
    assert "better" in running.says(r"version [2-9] is champion \((.*)\)")[1]
    code, out = running.end()
    assert code == 0, running.lines
    assert json.loads(out)["retrained"] >= 1
    assert not [line for line in running.lines if "Traceback" in line or line.startswith("error")], running.lines
    records = artificer("history", "--project", shop.dir, "--json").done()["records"]
    kinds = [record["kind"] for record in records]
    assert kinds.count("train") >= 2
    assert "decision" in kinds
    document = artificer("monitor", "--project", shop.dir, "--json").done()
    assert document["schema"].startswith("artificer.monitor")


@pytest.mark.slow
def test_kill_9_and_start_again(run: Callable[..., Running], versions: Path, orders: Any, csv_text: Any) -> None:
    """No process outlives the loop, its port is free again, and what was journalled is still there."""
    port = free_port()
    file = versions / "artificer.toml"
    file.write_text(file.read_text() + SETTINGS.format(port=port))
    first = run(versions)
    with httpx.Client(base_url=first.url, timeout=30) as client:
        live(client, orders(50, seed=5))
    children = psutil.Process(first.process.pid).children(recursive=True)
    assert children
    first.process.kill()
    first.process.wait()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []
    second = run(versions)
    assert second.url == f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=second.url, timeout=30) as client:
        assert version(client) == 1
        live(client, orders(20, seed=6))
    from artificer.journal.reader import labelled

    assert len(labelled(versions / ".artificer" / "journal.sqlite")) == 70
    # The service alone may die as well; the loop starts it again.
    (service,) = [c for c in psutil.Process(second.process.pid).children() if "artificer.server" in c.cmdline()]
    service.kill()
    second.says("started again")
    with httpx.Client(base_url=second.url, timeout=30) as client:
        assert version(client) == 1
    code, _ = second.end()
    assert code == 0, second.lines


def test_data_that_cannot_be_learnt_from_end_it_with_the_reason(artificer: Any, make_project: Any, orders: Any) -> None:
    shop = make_project({**orders(40), "returned": ["no"] * 40}, settings=SETTINGS.format(port=0))
    answer = artificer.process("run", "--project", shop.dir, "--json")
    assert answer.code == 1, answer.err
    lines = answer.err.splitlines()
    assert lines[0] == "no champion yet: training the first version"
    assert lines[1].startswith('error: the target "returned" is constant')
    assert len(lines) == 2
    assert answer.document["schema"] == "artificer.error/1"


def test_a_port_that_is_taken_is_named(artificer: Any, versions: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = artificer.process("run", "--project", versions, "--port", port, "--json")
        assert f"port {port}" in answer.failed(1)
        answer = artificer.process("serve", "--project", versions, "--port", port, "--json")
        assert f"port {port}" in answer.failed(2)
