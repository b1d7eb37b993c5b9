"""Several workers behind one address: one that dies is replaced, a champion is taken up by all, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from artificer.journal.reader import predictions

psutil = pytest.importorskip("psutil")

ROW = {"age": 40, "city": "Rome"}


def workers_of(running: Any) -> list[int]:
    return sorted(child.pid for child in psutil.Process(running.process.pid).children())


def client_of(url: str) -> httpx.Client:
    """A client whose every request is a connection of its own, which either worker may take."""
    return httpx.Client(base_url=url, headers={"connection": "close"}, timeout=30)


class Asker(threading.Thread):
    """Asks again and again, each time over a new connection, and keeps what it was told."""

    def __init__(self, url: str, end: threading.Event) -> None:
        super().__init__()
        self.url, self.end = url, end
        self.told: dict[str, int] = {}
        self.broken = 0

    def run(self) -> None:
        with client_of(self.url) as client:
            while not self.end.is_set():
                try:
                    answer = client.post("/v1/predict", json={"rows": [ROW, ROW]})
                except httpx.HTTPError:
                    self.broken += 1
                    continue
                self.keep(answer)

    def keep(self, answer: httpx.Response) -> None:
        document = answer.json()
        version = document["model"]["version"]
        for prediction in document["predictions"]:
            assert prediction["probabilities"]["1"] == pytest.approx(1 / (1 + version), abs=1e-6)
            self.told[prediction["id"]] = version


def load(url: str, count: int = 3) -> tuple[list[Asker], threading.Event]:
    end = threading.Event()
    askers = [Asker(url, end) for _ in range(count)]
    for asker in askers:
        asker.start()
    return askers, end


def told_by(askers: list[Asker], end: threading.Event) -> dict[str, int]:
    end.set()
    for asker in askers:
        asker.join()
    return {name: version for asker in askers for name, version in asker.told.items()}


def test_a_killed_worker_is_replaced_and_no_acknowledged_row_is_lost(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    running = serve("--workers", "2", "--audit", str(promote(1).with_name("audit.jsonl")))
    before = workers_of(running)
    assert len(before) == 2
    askers, end = load(running.url)
    while sum(len(asker.told) for asker in askers) < 60:
        pass
    os.kill(before[0], signal.SIGKILL)
    while len(set(workers_of(running)) - set(before)) < 1:
        pass
    known = sum(len(asker.told) for asker in askers)
    while sum(len(asker.told) for asker in askers) < known + 60:
        pass
    told = told_by(askers, end)
    # Only what the killed worker was about to answer broke off; connections wait for the other meanwhile.
    assert sum(asker.broken for asker in askers) <= len(askers) * 2
    kept = {entry.id: int(entry.version) for entry in predictions(running.journal)}
    assert {name: kept[name] for name in told} == told
    lines = [json.loads(line) for line in (running.folder / "audit.jsonl").read_text().splitlines()]
    assert [line["code"] for line in lines if line["action"] == "worker.died"] == [-signal.SIGKILL]
    assert running.end() == 0


def test_all_take_up_a_champion_and_count_as_one(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    running = serve("--workers", "2")
    askers, end = load(running.url)
    with client_of(running.url) as client:
        for version in (2, 3, 4):
            promote(version)
            answered = 0
            while answered < 30:
                now = client.get("/health/ready").json()["model"]["version"]
                answered = answered + 1 if now == version else 0
    told = told_by(askers, end)
    assert [asker.broken for asker in askers] == [0, 0, 0]
    assert set(told.values()) >= {2, 3, 4}
    kept = {entry.id: int(entry.version) for entry in predictions(running.journal)}
    assert kept == told
    rows: float = -1.0
    while rows != len(told):  # the counts of the others are a second old at most
        text = running.client.get("/metrics").text
        rows = sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("artificer_rows_total"))
    assert running.end() == 0


def test_workers_end_with_whoever_watches_them(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    running = serve("--workers", "2")
    processes = [psutil.Process(pid) for pid in workers_of(running)]
    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def test_an_end_is_asked_for_and_requests_are_answered_first(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    running = serve("--workers", "2")
    askers, end = load(running.url, 2)
    while sum(len(asker.told) for asker in askers) < 20:
        pass
    end.set()  # before the service: a connection that comes too late is no answer that was lost
    told = told_by(askers, end)
    assert running.end() == 0
    assert [asker.broken for asker in askers] == [0, 0]
    assert set(told) == {entry.id for entry in predictions(running.journal)}


def test_a_worker_that_cannot_start_is_said_and_ends_all(promote: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "artificer.server", "--pointer", str(promote()), "--port", "0", "--workers", "2"]
    command += ["--journal", str(tmp_path / "file" / "j.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: the journal" in done.stderr
    assert "Traceback" not in done.stderr
