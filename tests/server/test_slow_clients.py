"""Clients that are slow, silent, many or greedy: they cost themselves, and others are answered meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from artificer.journal.reader import predictions
from artificer.server import wire
from artificer.server.wire import Protocol

ROW = {"age": 40, "city": "Rome"}
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
BODY = json.dumps({"rows": [ROW]}).encode()


def connect(running: Any) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def kept(running: Any) -> int:
    return len(predictions(running.journal))


def memory_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_half_sent_heads_and_bodies_hold_up_nobody_and_leave_nothing(served: Any) -> None:
    before = kept(served)
    cut = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    with_half = [connect(served) for _ in range(100)]
    for i, connection in enumerate(with_half):
        connection.sendall(cut[: 1 + i * (len(cut) - 2) // 100])
    for _ in range(5):
        assert served.predict(ROW).status_code == 200
    for connection in with_half:
        connection.close()
    assert served.predict(ROW).status_code == 200
    assert kept(served) == before + 6


def test_idle_connections_by_the_thousand_leave_the_service_as_it_was(served: Any) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = min(10_000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 200), hard))
    before = memory_mb(served.process.pid)
    rows = kept(served)
    idle: list[socket.socket] = []
    try:
        for _ in range(wanted):
            idle.append(connect(served))
        for _ in range(5):
            assert served.predict(ROW).status_code == 200
        assert memory_mb(served.process.pid) < before + 150
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert served.predict(ROW).status_code == 200
    assert kept(served) == rows + 6


def test_a_client_that_reads_no_answers_gets_no_more_of_them(served: Any) -> None:
    rows = json.dumps({"rows": [ROW] * 300}).encode()
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(rows) + rows
    before = memory_mb(served.process.pid)
    with connect(served) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1.0)
        sent = 0
        with suppress(TimeoutError):
            while sent < 200_000_000:
                sent += connection.send(whole)
        assert sent < 200_000_000
        assert served.predict(ROW).status_code == 200
    assert memory_mb(served.process.pid) < before + 100


def test_a_bomb_is_not_unpacked(served: Any) -> None:
    bomb = gzip.compress(b'{"rows": [' + b" " * 50_000_000 + b"]}")
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = served.client.post("/v1/predict", content=bomb, headers=headers)
    assert answer.status_code == 415
    assert "compressed" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"rows": [{"age": NaN}]}', 400),
        (b'{"rows": [{"age": 1e400}]}', 422),
        (b'{"rows": [{"age": -Infinity}]}', 400),
        (b'{"rows": ' + b"[" * 100_000, 400),
        (b'{"rows": [{"age": ' + b"[" * 500 + b"]" * 500 + b"}]}", 422),
        (b'{"rows": [{"age": 1, "city": "a\\u0000b"}]}', 200),
        (b'{"rows": [{"age": 1}]}\x00', 400),
        (b"\x00" * 100, 400),
        (b'{"rows": [{"age": 1, "age": 2}]}', 200),
        (b'{"rows": [], "rows": [{"age": 1}]}', 200),
        ('{"rows": [{"age": 1, "city": "Gen\u00e8ve"}]}'.encode("latin-1"), 400),
        ('{"rows": [{"age": 1}]}'.encode("utf-16"), 400),
        (b'\xef\xbb\xbf{"rows": [{"age": 1}]}', 400),
        (b"", 400),
    ],
)
def test_odd_bodies_are_one_answer_and_no_row_too_many(served: Any, body: bytes, status: int) -> None:
    before = kept(served)
    answer = served.post(body)
    assert answer.status_code == status, answer.text
    told = len(answer.json()["predictions"]) if status == 200 else 0
    assert kept(served) == before + told
    if status == 200:  # of a name that stands twice the last counts, as everywhere in JSON
        assert told == 1
    assert "Traceback" not in served.errors.read_text()


class Line:
    """A transport that remembers whether it was closed."""

    closed = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("begun", "under_way", "limit"), [(True, False, wire.HEAD_SECONDS), (False, False, wire.IDLE_SECONDS)]
)
def test_who_sends_a_head_too_slowly_or_nothing_at_all_is_let_go(begun: bool, under_way: bool, limit: float) -> None:
    protocol = Protocol.__new__(Protocol)
    protocol.transport = Line()  # type: ignore[assignment]
    protocol.cycle = None  # type: ignore[assignment]
    protocol._begun, protocol._waiting_since = begun, 100.0
    protocol.sweep(100.0 + limit)
    assert not protocol.transport.is_closing()
    protocol.sweep(100.1 + limit)
    assert protocol.transport.is_closing()


def test_who_drips_a_head_for_ever_is_let_go(promote: Callable[..., Path], tmp_path: Path, running_at: Any) -> None:
    """Slowloris, with the clock of the test: a byte now and then does not keep a connection."""
    promote()
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.abc, sys\n"
        "class Quick(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'artificer.server.wire':\n"
        "            sys.meta_path.remove(self)\n"
        "            import artificer.server.wire as wire\n"
        "            wire.HEAD_SECONDS = 0.5\n"
        "sys.meta_path.insert(0, Quick())\n"
    )
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{before}"
    try:
        running = running_at(tmp_path)
    finally:
        os.environ["PYTHONPATH"] = before
    try:
        dripping = [connect(running) for _ in range(50)]
        open_ = list(dripping)
        end = time.monotonic() + 20
        while open_ and time.monotonic() < end:
            for connection in list(open_):
                try:
                    connection.sendall(b"P" if connection is dripping[0] else b"x")
                except OSError:
                    open_.remove(connection)
            assert running.predict(ROW).status_code == 200
        assert open_ == []
    finally:
        for connection in dripping:
            connection.close()
        assert running.end() == 0
