"""Real brokers on the loopback: NATS and Redis from Debian's packages, Kafka as librdkafka's own stand-in."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A broker that can be killed and started again on the same store and port."""

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.command = command
        self.port = port
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder
        )
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(f"{self.command[0]} ended with {self.process.returncode}")
            with socket.socket() as probe:
                probe.settimeout(0.05)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{self.command[0]} does not listen")

    def kill(self) -> None:
        """As ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def binary(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def nats_server(folder: Path) -> Server:
    port = free_port()
    command = [binary("nats-server", "nats-server"), "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(port)]
    return Server(command, port, folder)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    """A NATS server of the test's own."""
    pytest.importorskip("nats", reason='pip install "artificer[nats]"')
    folder = tmp_path / "nats"
    folder.mkdir()
    server = nats_server(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("redis", reason='pip install "artificer[redis]"')
    port = free_port()
    command = [binary("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = Server([*command, "--appendonly", "yes"], port, tmp_path)
    server.start()
    yield f"redis://127.0.0.1:{port}/0"
    server.kill()


@pytest.fixture
def kafka_url() -> Iterator[str]:
    """librdkafka's mock cluster, which lives as long as the client that made it."""
    kafka = pytest.importorskip("confluent_kafka", reason='pip install "artificer[kafka]"')
    cluster = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "made-up", "log_level": 0})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    yield f"kafka://{broker.host}:{broker.port}"
    cluster.flush(0)
