"""The process: how it starts, what it loads, how it ends, and what it refuses to start with."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from artificer.access.tokens import add_token
from artificer.errors import UsageError
from artificer.journal.reader import predictions
from artificer.server.listening import listen
from artificer.server.options import Options
from artificer.server.run import run_server

ROW = {"age": 40, "city": "Rome"}
HEAVY = [
    *("mlflow", "pandas", "polars", "sklearn", "scipy", "duckdb", "lightgbm", "catboost", "xgboost", "onnx", "pyarrow"),
    *("dbos", "altair", "artificer.algorithms", "artificer.features", "artificer.training", "artificer.search"),
]

LOADED = """
import json, sys, threading, urllib.request
from pathlib import Path
from artificer.server.options import Options
from artificer.server.run import run_server

stop = threading.Event()

def ask(url):
    body = json.dumps({"rows": [{"age": 1}]}).encode()
    request = urllib.request.Request(url + "/v1/predict", body, {"content-type": "application/json"})
    assert urllib.request.urlopen(request).status == 200
    for path in ("/v1/model", "/docs", "/metrics", "/", "/health/ready"):
        assert urllib.request.urlopen(url + path).status == 200
    stop.set()

run_server(Options(Path(sys.argv[1]), Path(sys.argv[2]), port=0), stop=stop,
           ready=lambda url: threading.Thread(target=ask, args=(url,)).start())
print("\\n".join(sys.modules))
"""


def test_serving_loads_no_training_code(promote: Callable[..., Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADED, str(promote()), str(tmp_path / "j.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "onnxruntime" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_it_serves_in_a_thread_until_told_to_stop(promote: Callable[..., Path], tmp_path: Path) -> None:
    stop, urls, there = threading.Event(), [], threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        there.set()

    options = Options(promote(), tmp_path / "j.sqlite", port=0)
    thread = threading.Thread(target=run_server, args=(options,), kwargs={"stop": stop, "ready": ready})
    thread.start()
    assert there.wait(30)
    assert httpx.post(f"{urls[0]}/v1/predict", json={"rows": [ROW]}).status_code == 200
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0])


def test_requests_under_way_are_answered_before_the_end(promote: Callable[..., Path], serve: Any) -> None:
    promote()
    running = serve()
    host, port = running.url.removeprefix("http://").split(":")
    body = b'{"rows": [{"age": 1}]}'
    head = (
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head % len(body) + body[:10])
        # A prediction through another connection says that the server has taken the half-sent one up.
        assert running.predict(ROW).status_code == 200
        running.process.terminate()
        while _accepts(host, int(port)):
            pass
        connection.sendall(body[10:])
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 200")
    assert running.process.wait(30) == 0
    assert len(predictions(running.journal)) == 2


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_port_in_use_is_said(promote: Callable[..., Path], tmp_path: Path) -> None:
    pointer = promote()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "artificer.server", "--pointer", str(pointer), "--port", str(port)]
        command += ["--journal", str(tmp_path / "j.sqlite")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: port {port} of 127.0.0.1 cannot be taken")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "j.sqlite").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_an_address_for_others_needs_a_token(host: str, tmp_path: Path) -> None:
    options = Options(tmp_path / "p", tmp_path / "j", host, 0, tokens=tmp_path / "tokens.json")
    with pytest.raises(UsageError, match=r"other machines.*artificer token add NAME.*or listen on 127.0.0.1.$"):
        listen(options)
    add_token(tmp_path / "tokens.json", "shop", ["predict"], now=0.0)
    if host == "0.0.0.0":  # noqa: S104
        listen(options).close()


@pytest.mark.parametrize(("host", "port"), [("no such host", 0), ("192.0.2.1", 0), ("127.0.0.1", 70_000), ("", -1)])
def test_an_address_that_cannot_be(host: str, port: int, tmp_path: Path) -> None:
    add_token(tmp_path / "tokens.json", "shop", ["predict"], now=0.0)
    with pytest.raises(UsageError):
        listen(Options(tmp_path / "p", tmp_path / "j", host, port, tokens=tmp_path / "tokens.json"))


def test_a_journal_that_cannot_be_written_is_said(promote: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "artificer.server", "--pointer", str(promote()), "--port", "0"]
    command += ["--journal", str(tmp_path / "file" / "j.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: the journal")
