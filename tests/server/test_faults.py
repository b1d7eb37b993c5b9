"""Faults under load: nothing acknowledged is lost, nothing is answered by two versions, and trouble is shown."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from artificer.journal.reader import predictions

ROW = {"age": 40, "city": "Rome"}
BODY = json.dumps({"rows": [ROW, ROW]})
LONG_BODY = json.dumps({"rows": [{**ROW, "code": "x" * 3_000}]})
JSON = {"content-type": "application/json"}

SMALL_DISK = """
import resource, sys
from artificer.server.__main__ import main
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, hard))
sys.exit(main(sys.argv[1:]))
"""


class Client(threading.Thread):
    """Asks for two rows again and again over one connection, and keeps every answer."""

    def __init__(self, url: str, end: threading.Event) -> None:
        super().__init__()
        self.place = url.removeprefix("http://")
        self.end = end
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.place, timeout=30)
        try:
            while not self.end.is_set():
                connection.request("POST", "/v1/predict", BODY, JSON)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    self.answers.append(json.loads(text))
                else:
                    self.failures.append(f"{answer.status} {text!r}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()


def load(url: str, clients: int) -> tuple[list[Client], threading.Event]:
    end = threading.Event()
    started = [Client(url, end) for _ in range(clients)]
    for client in started:
        client.start()
    return started, end


def until(url: str, version: int) -> None:
    """Wait until a version answers; asking is what passes the time."""
    for _ in range(5_000):
        if httpx.get(f"{url}/health/ready").json()["model"] == {"name": "shop", "version": version}:
            return
    raise AssertionError(f"version {version} was not taken up")


@pytest.mark.slow
def test_a_hundred_champions_under_load_lose_and_mix_nothing(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    running = serve()
    clients, end = load(running.url, 3)
    for version in range(2, 102):
        promote(version)
        until(running.url, version)
    end.set()
    for client in clients:
        client.join()
    assert [client.failures for client in clients] == [[], [], []]
    answers = [answer for client in clients for answer in client.answers]
    assert len({answer["model"]["version"] for answer in answers}) >= 100
    for answer in answers:
        version = answer["model"]["version"]
        for prediction in answer["predictions"]:
            assert prediction["probabilities"]["1"] == pytest.approx(1 / (1 + version), abs=1e-6)
    kept = {entry.id: entry for entry in predictions(running.journal)}
    told = {p["id"]: answer["model"]["version"] for answer in answers for p in answer["predictions"]}
    assert len(told) == 2 * len(answers)
    assert {name: int(kept[name].version) for name in told} == told


def test_a_kill_under_load_loses_no_acknowledged_prediction(promote: Callable[..., Path], serve: Any) -> None:
    promote(1)
    told: set[str] = set()
    for _ in range(3):
        running = serve()
        clients, end = load(running.url, 4)
        while sum(len(client.answers) for client in clients) < 100:
            assert running.predict(ROW).status_code == 200
        running.process.kill()
        running.process.wait()
        end.set()
        for client in clients:
            client.join()
        told |= {p["id"] for client in clients for answer in client.answers for p in answer["predictions"]}
    kept = {entry.id for entry in predictions(running.journal)}
    assert len(told) >= 600
    assert told <= kept


def test_a_full_disk_acknowledges_nothing_and_says_so(promote: Callable[..., Path], tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    command = [sys.executable, "-c", SMALL_DISK, "--json", "--port", "0"]
    command += ["--pointer", str(promote(1)), "--journal", str(journal)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        told: list[str] = []
        with httpx.Client(base_url=url) as client:
            # The first refusals free space, since the write-ahead log is taken over into the database then.
            for _ in range(5_000):
                answer = client.post("/v1/predict", content=LONG_BODY, headers=JSON)
                if answer.status_code == 200:
                    told += [p["id"] for p in answer.json()["predictions"]]
                    continue
                ready = client.get("/health/ready")
                if ready.status_code != 200:
                    break
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "urn:artificer:problem:journal"
            assert ready.status_code == 503
            assert "could not be written" in ready.json()["problems"][0]
            assert client.get("/health/live").status_code == 200
            outcome = client.post("/v1/outcomes", json={"outcomes": [{"id": told[0], "value": 1}]})
            assert outcome.status_code == 503
            assert "artificer_journal_failing 1.0" in client.get("/metrics").text
            assert "could not be written" in client.get("/").text
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
    kept = {entry.id for entry in predictions(journal)}
    assert len(told) > 10
    assert set(told) <= kept


def test_without_a_champion_nothing_is_promised_until_one_comes(promote: Callable[..., Path], serve: Any) -> None:
    running = serve()
    answer = running.predict(ROW)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:artificer:problem:no-champion"
    assert running.client.post("/v1/outcomes", json={"outcomes": []}).status_code == 503
    assert running.client.get("/health/live").status_code == 200
    ready = running.client.get("/health/ready")
    assert ready.status_code == 503
    assert "no champion" in ready.json()["problems"][0]
    assert running.client.get("/v1/model").status_code == 503
    assert running.client.get("/v1/model").json()["type"] == "urn:artificer:problem:no-champion"
    assert running.client.get("/openapi.json").status_code == 200
    assert running.client.get("/docs").status_code == 200
    assert "No model is serving" in running.client.get("/").text
    assert running.client.get("/metrics").status_code == 200
    promote(1)
    until(running.url, 1)
    assert running.predict(ROW).status_code == 200
    assert running.client.get("/v1/model").json()["version"] == 1


def test_a_damaged_champion_is_refused_and_the_trouble_is_shown(promote: Callable[..., Path], serve: Any) -> None:
    pointer = promote(1)
    running = serve()
    bundle = pointer.parent / "bundles" / "shop-1-binary.artificer"
    good = pointer.read_bytes()
    bundle.with_name("cut.artificer").write_bytes(bundle.read_bytes()[:1000])
    pointer.write_bytes(good.replace(b"shop-1-binary", b"cut").replace(b'"version": 1', b'"version": 2'))
    for _ in range(5_000):
        ready = running.client.get("/health/ready").json()
        if ready["status"] != "ready":
            break
    assert ready["status"] == "degraded"
    assert ready["model"] == {"name": "shop", "version": 1}
    assert "cut.artificer" in ready["problems"][0]
    assert running.predict(ROW).json()["model"]["version"] == 1
    assert "cut.artificer" in running.errors.read_text()
    assert "Traceback" not in running.errors.read_text()
